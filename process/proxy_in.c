/*
 * process/proxy_in.c - what comes from the process of an actor, done by its
 * proxy as itself: so nobody there can speak for another actor, and order is
 * that of the proxy's turn.
 *
 * The process is not trusted. A frame that breaks a rule ends the actor, with a
 * text that names the rule (GR_EFORMAT); what a frame asks for and cannot be
 * had (no memory, a limit) is answered as the call it stands for would be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "actors/hosted.h"
#include "actors/route.h"
#include "process/proxy.h"
#include "process/words.h"

static gri_key key_of(uint64_t id)
{
    return (gri_key){id, 0};
}

/* ---- sending ------------------------------------------------------------- */

static void do_send(gri_proxy *p, gr_actor *self, const gri_wire *w,
                    const uint8_t *body)
{
    gr_msg *msg = gri_proxy_msg(self, GRI_MSG_USER, body, w->len, false);
    (void)p;
    if (msg == NULL) {
        gri_proxy_lost(self, w->pid);
        return;
    }
    gri_proxy_send(self, w->pid, msg);
}

/* An answer came, or what stands for one. */
static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    gri_proxy *p = state;
    (void)gri_proxy_give_signal(p, self, reply);
    if (gri_proxy_is_full(p) || p->decided || p->exited) {
        gri_proxy_pause(self);
    }
    return 0;
}

static void do_ask(gri_proxy *p, gr_actor *self, const gri_wire *w,
                   const uint8_t *body)
{
    gr_msg *msg = gri_proxy_msg(self, GRI_MSG_USER, body, w->len, true);
    const gr_continuation then = gr_then(on_answer, w->ref);
    const int rc = msg == NULL ? GR_ENOMEM
                   : w->type == GRI_WIRE_CONFIRM
                       ? gri_proxy_confirm(self, w->pid, then, msg)
                       : gri_proxy_ask(self, w->pid, then, msg);
    if (rc < 0) {
        static const uint8_t nothing[] = {0x91, 0xc0};
        const gri_wire head = {.type = GRI_WIRE_ANSWER,
                               .len = sizeof(nothing),
                               .code = rc,
                               .pid = w->pid,
                               .ref = w->ref};
        p->window++;
        p->signals++;
        (void)gri_proxy_put(p, &head, nothing);
    }
}

static const char *do_reply(gri_proxy *p, gr_actor *self, const gri_wire *w,
                            const uint8_t *body)
{
    const gri_handed *h = gri_proxy_find(p, w->id);
    if (h == NULL || !gr_msg_asked(h->msg)) {
        return "an answer that nobody waits for";
    }
    gr_msg *msg = gri_proxy_msg(self, GRI_MSG_REPLY, body, w->len, true);
    if (msg == NULL) {
        return NULL; /* it is answered when the process is done with it */
    }
    gri_msg_trailer(msg)->extra = w->code;
    /* An error has answered it already, or leaves that to its end. */
    GR_IGNORE(gri_proxy_reply(self, h->msg, msg), "see above");
    return NULL;
}

static const char *do_forward(gri_proxy *p, gr_actor *self, const gri_wire *w)
{
    const gri_handed *h = gri_proxy_find(p, w->id);
    if (h == NULL) {
        return "forwards a message that it does not have";
    }
    if (gr_forward(self, w->pid, h->msg) < 0) {
        /* The process has been told that it was sent. Who asked is answered
         * when it is done with it. */
        gri_proxy_lost(self, w->pid);
    }
    return NULL;
}

/* ---- ties ---------------------------------------------------------------- */

/* That cannot be had: told as an end, which is what it comes to. */
static void refuse(gri_proxy *p, uint32_t type, const gri_wire *w, int rc)
{
    const gr_exit_reason why = {GR_EXIT_ERROR, rc, "it cannot be tied to"};
    gri_wire head = {.type = type, .pid = w->pid, .ref = w->ref};
    gri_wire_put_reason(&head, &why);
    p->window++;
    p->signals++;
    (void)gri_proxy_put(p, &head, why.text);
}

static const char *do_monitor(gri_proxy *p, gr_actor *self, const gri_wire *w)
{
    if (gri_map_get(&p->by_theirs, key_of(w->ref)) != NULL) {
        return "two monitors of one ref";
    }
    gri_proxy_tie *tie = calloc(1, sizeof(*tie));
    int rc = tie != NULL ? gr_monitor(self, w->pid, &tie->ours) : GR_ENOMEM;
    if (rc < 0) {
        free(tie);
        refuse(p, GRI_WIRE_DOWN, w, rc);
        return NULL;
    }
    tie->theirs = w->ref;
    tie->pid = w->pid;
    rc = gri_map_put(&p->by_theirs, key_of(tie->theirs), tie);
    if (rc == 0) {
        rc = gri_map_put(&p->by_ours, key_of(tie->ours.id), tie);
        if (rc < 0) {
            (void)gri_map_remove(&p->by_theirs, key_of(tie->theirs));
        }
    }
    if (rc < 0) {
        gr_demonitor(self, tie->ours);
        free(tie);
        refuse(p, GRI_WIRE_DOWN, w, rc);
    }
    return NULL;
}

static void do_demonitor(gri_proxy *p, gr_actor *self, const gri_wire *w)
{
    /* None: its DOWN is on the way there. */
    gri_proxy_tie *tie = gri_map_remove(&p->by_theirs, key_of(w->ref));
    if (tie != NULL) {
        (void)gri_map_remove(&p->by_ours, key_of(tie->ours.id));
        gr_demonitor(self, tie->ours);
        free(tie);
    }
}

static const char *do_link(gri_proxy *p, gr_actor *self, const gri_wire *w)
{
    if (gr_pid_eq(w->pid, gr_self(self))) {
        return "a link to itself";
    }
    const int rc = gr_link(self, w->pid);
    if (rc < 0) {
        gri_wire at = *w;
        at.ref = 0;
        refuse(p, GRI_WIRE_EXIT, &at, rc);
    }
    return NULL;
}

/* ---- names --------------------------------------------------------------- */

static void do_name(gri_proxy *p, gr_actor *self, const gri_wire *w,
                    const uint8_t *body)
{
    char name[GR_NAME_MAX + 1];
    gri_wire head = {.type = GRI_WIRE_NAMED};
    if (w->len > 0) {
        memcpy(name, body, w->len);
    }
    name[w->len] = '\0';
    switch ((gri_name_verb)w->flags) {
    case GRI_NAME_TAKE:
        head.code =
            p->names < GRI_PROXY_NAMES ? gr_register(self, name) : GR_ELIMIT;
        p->names += head.code == 0;
        break;
    case GRI_NAME_GIVE:
        head.code = gr_unregister(self, name);
        /* The name that it was spawned with was never counted: so it has one
         * more at most. */
        p->names -= head.code == 0 && p->names > 0;
        break;
    case GRI_NAME_FIND:
        head.code = gr_whereis(self, GR_HERE, name, &head.pid);
        break;
    }
    (void)gri_proxy_put(p, &head, NULL);
}

/* ---- one frame ----------------------------------------------------------- */

static const char *do_up(gri_proxy *p, gr_actor *self)
{
    if (p->up) {
        return "up twice";
    }
    p->up = true;
    if (p->own > 0) { /* the callback that was init */
        p->own--;
        p->running--;
    }
    gri_proxy_started(self, p->parent);
    gri_proxy_note_progress(p);
    gri_hosts_refill(p->hosts);
    return NULL;
}

static void do_exited(gri_proxy *p, const gri_wire *w, const uint8_t *body)
{
    p->exited = true;
    if (!p->decided) {
        p->why = gri_wire_reason(w, body);
        p->at = w->id;
    }
    gri_host_kill(p->host, GRI_PROXY_PARTING_MS);
    gri_host_limit(p->host, 0);
}

/* Asks another actor for something that has no answer. The process was told
 * that it was done: without memory only the log can say that it was not. Any
 * other error is a request that is lost on the way, as to a dead actor. */
static void do_request(gr_actor *self, const gri_wire *w)
{
    const char *what = NULL;
    int rc = 0;
    if (w->type == GRI_WIRE_STOP_IT) {
        what = "stop";
        rc = gr_stop(self, w->pid);
    } else if (w->type == GRI_WIRE_KILL_IT) {
        what = "kill";
        rc = gr_kill(self, w->pid);
    } else {
        what = "unlink";
        rc = gr_unlink(self, w->pid);
    }
    if (rc == GR_ENOMEM) {
        char from[GR_PID_TEXT_MAX];
        char to[GR_PID_TEXT_MAX];
        gri_log_write(gri_system_log(gr_system_of(self)), GR_LOG_ERROR,
                      "no memory to %s %s, as the process of %s wants", what,
                      gr_pid_text(w->pid, to),
                      gr_pid_text(gr_self(self), from));
    }
}

static const char *do_unhandled(gri_proxy *p, gr_actor *self, uint64_t id)
{
    const gri_handed *h = gri_proxy_find(p, id);
    if (h == NULL) {
        return "no use for a message that it does not have";
    }
    gri_proxy_unhandled(self, h->msg);
    return NULL;
}

/* Returns NULL, or the rule that was broken. */
static const char *do_frame(gri_proxy *p, gr_actor *self, const gri_wire *w,
                            const uint8_t *body)
{
    if (p->exited || p->fault != NULL) {
        return "a word after the last one";
    }
    switch ((gri_wire_type)w->type) {
    case GRI_WIRE_UP:
        return do_up(p, self);
    case GRI_WIRE_SEND:
        do_send(p, self, w, body);
        return NULL;
    case GRI_WIRE_ASK:
    case GRI_WIRE_CONFIRM:
        do_ask(p, self, w, body);
        return NULL;
    case GRI_WIRE_REPLY:
        return do_reply(p, self, w, body);
    case GRI_WIRE_FORWARD:
        return do_forward(p, self, w);
    case GRI_WIRE_UNHANDLED:
        return do_unhandled(p, self, w->id);
    case GRI_WIRE_LINK:
        return do_link(p, self, w);
    case GRI_WIRE_MONITOR:
        return do_monitor(p, self, w);
    case GRI_WIRE_DEMONITOR:
        do_demonitor(p, self, w);
        return NULL;
    case GRI_WIRE_UNLINK:
    case GRI_WIRE_STOP_IT:
    case GRI_WIRE_KILL_IT:
        do_request(self, w);
        return NULL;
    case GRI_WIRE_NAME:
        do_name(p, self, w, body);
        return NULL;
    case GRI_WIRE_BEGIN:
        return gri_proxy_begin(p, w->id);
    case GRI_WIRE_DONE:
        return gri_proxy_done(p, self, w->id, w->flags);
    case GRI_WIRE_EXITED:
        do_exited(p, w, body);
        return NULL;
    case GRI_WIRE_FAULTED:
        p->fault = gri_words_read(body);
        return NULL;
    case GRI_WIRE_SETUP:
    case GRI_WIRE_ASSIGN:
    case GRI_WIRE_MESSAGE:
    case GRI_WIRE_ANSWER:
    case GRI_WIRE_EXIT:
    case GRI_WIRE_DOWN:
    case GRI_WIRE_STOP:
    case GRI_WIRE_STARTED:
    case GRI_WIRE_LINKED:
    case GRI_WIRE_UNLINKED:
    case GRI_WIRE_NAMED:
        break; /* gri_wire_check_head knows none of them */
    }
    return "unknown type";
}

/* ---- reading ------------------------------------------------------------- */

/* Room for a frame of that size from in.at on. */
static bool make_room(gri_proxy *p, size_t whole)
{
    gri_bytes_buffer *in = &p->in;
    if (in->at > 0) {
        memmove(in->p, in->p + in->at, in->len - in->at);
        in->len -= in->at;
        in->at = 0;
    }
    const size_t cap = whole > GRI_PROXY_READ ? whole : GRI_PROXY_READ;
    if (in->cap != cap && in->len <= cap) {
        uint8_t *more = realloc(in->p, cap);
        if (more == NULL) {
            gri_proxy_decide_error(p, GR_ENOMEM, "no memory for a frame");
            return false;
        }
        in->p = more;
        in->cap = cap;
    }
    return true;
}

/* Does all frames that are whole: what is left in the buffer is never one, as
 * no event tells of that. Returns how many bytes the next one will have, as far
 * as that is known; 0: a rule was broken. */
static size_t do_frames(gri_proxy *p, gr_actor *self)
{
    gri_bytes_buffer *in = &p->in;
    const char *fault = NULL;
    while (in->len - in->at >= sizeof(gri_wire)) {
        gri_wire w;
        memcpy(&w, in->p + in->at, sizeof(w));
        if (gri_wire_check_head(&w, p->message_max, &fault) < 0) {
            break;
        }
        const size_t whole = sizeof(w) + w.len;
        if (in->len - in->at < whole) {
            return whole;
        }
        const uint8_t *body = in->p + in->at + sizeof(w);
        if (gri_wire_check_body(&w, body, &fault) < 0) {
            break;
        }
        in->at += whole;
        fault = do_frame(p, self, &w, body);
        if (fault != NULL) {
            break;
        }
    }
    if (fault != NULL) {
        gri_proxy_decide_error(p, GR_EFORMAT, fault);
        return 0;
    }
    return sizeof(gri_wire);
}

bool gri_proxy_read(gri_proxy *p, gr_actor *self)
{
    gri_bytes_buffer *in = &p->in;
    unsigned reads = 0;
    bool all = p->eof;
    /* A process that says nothing more may read nothing more, either. */
    while (!p->eof && !p->decided &&
           (!gri_proxy_is_behind(p) || gri_host_is_last(p->host))) {
        const size_t need = do_frames(p, self);
        if (need == 0 || reads++ == GRI_PROXY_READS || !make_room(p, need)) {
            return false;
        }
        ssize_t n;
        do {
            n = recv(gri_host_fd(p->host), in->p + in->len, in->cap - in->len,
                     MSG_DONTWAIT);
        } while (n < 0 && errno == EINTR);
        if (n > 0) {
            in->len += (size_t)n;
        } else if (n == 0 || errno != EAGAIN) {
            p->eof = true;
            all = true;
        } else {
            all = true;
            break;
        }
    }
    if (in->at == in->len) {
        free(in->p);
        *in = (gri_bytes_buffer){NULL, 0, 0, 0};
    }
    return all;
}

void gri_proxy_free_in(gri_proxy *p)
{
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&p->by_theirs, &at)) != NULL;) {
        free(e->value);
    }
    gri_map_fini(&p->by_theirs);
    gri_map_fini(&p->by_ours);
    free(p->in.p);
}
