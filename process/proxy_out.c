/*
 * process/proxy_out.c - what goes to the process of an actor, and the account
 * of what it has not handled yet.
 *
 * Messages are kept here (gr_keep) until the process says that it is done with
 * them: so those that it did not handle before its death are dead letters as
 * those of any actor, and those that were asked are answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "actors/hosted.h"
#include "actors/route.h"
#include "base/assert.h"
#include "process/object.h"
#include "process/proxy.h"

static gri_key key_of(uint64_t id)
{
    return (gri_key){id, 0};
}

/* ---- the socket ---------------------------------------------------------- */

/* The other end is gone: what is still to be written is nobody's. */
static void deaf(gri_proxy *p)
{
    p->out.at = p->out.len = 0;
}

static bool keep_rest(gri_proxy *p, const void *bytes, size_t n)
{
    gri_bytes_buffer *out = &p->out;
    if (n == 0) {
        return true;
    }
    if (out->at > 0 && out->at == out->len) {
        out->at = out->len = 0;
    }
    if (out->cap - out->len < n) {
        const size_t used = out->len - out->at;
        if (out->at > 0) {
            memmove(out->p, out->p + out->at, used);
            out->at = 0;
            out->len = used;
        }
        size_t cap = out->cap;
        while (cap - out->len < n) {
            cap = cap == 0 ? 4096 : cap * 2;
        }
        uint8_t *more = cap > out->cap ? realloc(out->p, cap) : out->p;
        if (more == NULL) {
            gri_proxy_decide_error(p, GR_ENOMEM, "no memory for a message");
            return false;
        }
        out->p = more;
        out->cap = cap;
    }
    memcpy(out->p + out->len, bytes, n);
    out->len += n;
    return true;
}

/* What the socket takes at once; 0 if it is full or gone. */
static size_t write_now(gri_proxy *p, struct iovec *parts, size_t n)
{
    const struct msghdr msg = {.msg_iov = parts, .msg_iovlen = n};
    ssize_t written;
    do {
        written =
            sendmsg(gri_host_fd(p->host), &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (written < 0 && errno == EINTR);
    if (written < 0 && errno != EAGAIN && errno != ENOBUFS) {
        deaf(p);
        return SIZE_MAX;
    }
    return written < 0 ? 0 : (size_t)written;
}

/* One frame, its bytes in two parts. */
static bool put_two(gri_proxy *p, const gri_wire *head, struct iovec first,
                    struct iovec second)
{
    struct iovec parts[3] = {
        {(void *)(uintptr_t)head, sizeof(*head)}, first, second};
    size_t done = 0;
    if (p->out.at == p->out.len) {
        done = write_now(p, parts, 3);
        if (done == SIZE_MAX) {
            return true;
        }
    }
    for (size_t i = 0; i < 3; i++) {
        const size_t cut = done < parts[i].iov_len ? done : parts[i].iov_len;
        done -= cut;
        if (!keep_rest(p, (const char *)parts[i].iov_base + cut,
                       parts[i].iov_len - cut)) {
            return false;
        }
    }
    return true;
}

bool gri_proxy_put(gri_proxy *p, const gri_wire *head, const void *body)
{
    return put_two(p, head, (struct iovec){(void *)(uintptr_t)body, head->len},
                   (struct iovec){NULL, 0});
}

void gri_proxy_flush(gri_proxy *p)
{
    gri_bytes_buffer *out = &p->out;
    if (out->at == out->len) {
        return;
    }
    struct iovec part = {out->p + out->at, out->len - out->at};
    const size_t n = write_now(p, &part, 1);
    if (n != SIZE_MAX) {
        out->at += n;
    }
    if (out->at == out->len) {
        free(out->p);
        *out = (gri_bytes_buffer){NULL, 0, 0, 0};
    }
}

bool gri_proxy_is_full(const gri_proxy *p)
{
    return p->out.at < p->out.len || p->window >= GRI_PROXY_WINDOW ||
           p->window_bytes >= GRI_PROXY_WINDOW_BYTES;
}

void gri_proxy_note_progress(gri_proxy *p)
{
    const bool busy = !p->up || p->window > 0 || p->running > 0;
    gri_host_limit(p->host, gri_proxy_is_starting(p) ? GRI_PROXY_START_MS
                            : busy                   ? p->limits.handler_max_ms
                                                     : 0);
}

/* ---- the first frame ----------------------------------------------------- */

bool gri_proxy_assign(gri_proxy *p, gr_actor *self, const gr_msg *args)
{
    const gr_behavior *user = p->user;
    gri_object_place place;
    const gr_any bytes = gr_msg_bytes(args);
    const int rc = gri_object_place_of(user, &place);
    if (rc < 0) {
        gri_proxy_decide_error(p, rc, "its behaviour is no constant");
        return false;
    }
    gri_wire_assign assign = {
        .parent = p->parent,
        .offset = place.offset,
        .memory_max = p->limits.memory_max,
        .hard = p->hard,
        .timed = p->limits.handler_max_ms != 0,
        .object_len = (uint32_t)strlen(place.object),
        .name_len = (uint32_t)strlen(user->name),
        .args_len = bytes.len,
        .sandbox = gri_sandbox_of(&p->limits),
    };
    /* Their sum is far below 2^32 but for the arguments, which message_max
     * bounds. */
    const size_t texts = (size_t)assign.object_len + assign.name_len;
    char *text = malloc(sizeof(assign) + texts);
    bool good = text != NULL;
    if (good) {
        memcpy(text, &assign, sizeof(assign));
        memcpy(text + sizeof(assign), place.object, assign.object_len);
        memcpy(text + sizeof(assign) + assign.object_len, user->name,
               assign.name_len);
        const gri_wire head = {
            .type = GRI_WIRE_ASSIGN,
            .len = (uint32_t)(sizeof(assign) + texts + bytes.len),
            .pid = gr_self(self),
        };
        good = put_two(p, &head, (struct iovec){text, sizeof(assign) + texts},
                       (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len});
    } else {
        gri_proxy_decide_error(p, GR_ENOMEM, "no memory to start");
    }
    free(text);
    free(place.object);
    gri_proxy_note_progress(p);
    return good;
}

/* ---- messages ------------------------------------------------------------ */

gri_handed *gri_proxy_find(const gri_proxy *p, uint64_t id)
{
    return gri_map_get(&p->handed, key_of(id));
}

static gri_handed *add_handed(gri_proxy *p, gr_actor *self, const gr_msg *msg,
                              size_t size)
{
    gri_handed *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        return NULL;
    }
    h->id = p->ids + 1;
    h->msg = gr_keep(self, msg);
    h->size = size;
    if (h->msg == NULL || gri_map_put(&p->handed, key_of(h->id), h) < 0) {
        if (h->msg != NULL) {
            gr_release(self, h->msg);
        }
        free(h);
        return NULL;
    }
    p->ids++;
    h->before = p->last;
    *(p->last != NULL ? &p->last->next : &p->first) = h;
    p->last = h;
    p->window++;
    p->window_bytes += h->size;
    return h;
}

/* Out of all lists; the message stays kept. */
static void forget_handed(gri_proxy *p, gri_handed *h)
{
    (void)gri_map_remove(&p->handed, key_of(h->id));
    *(h->before != NULL ? &h->before->next : &p->first) = h->next;
    *(h->next != NULL ? &h->next->before : &p->last) = h->before;
    free(h);
}

bool gri_proxy_give_message(gri_proxy *p, gr_actor *self, const gr_msg *msg)
{
    const bool idle = p->window == 0 && p->running == 0 && p->up;
    gr_msg *flat = NULL;
    gr_any bytes;
    const gri_handed *h = NULL;
    if (gri_proxy_flat(self, msg, &flat, &bytes)) {
        h = add_handed(p, self, msg, bytes.len);
    }
    if (h == NULL) {
        gri_proxy_free(self, flat);
        gri_proxy_decide_error(p, GR_ENOMEM, "no memory for a message");
        gri_proxy_lose(self, msg); /* nobody else will bury it */
        return false;
    }
    const gri_wire head = {
        .type = GRI_WIRE_MESSAGE,
        .len = bytes.len,
        .flags = gr_msg_asked(msg) ? GRI_WIRE_ASKED : 0,
        .pid = gr_sender(msg),
        .id = h->id,
    };
    const bool good =
        p->exited || p->decided || gri_proxy_put(p, &head, bytes.ptr);
    gri_proxy_free(self, flat);
    if (idle) {
        gri_proxy_note_progress(p);
    }
    return good;
}

/* ---- signals ------------------------------------------------------------- */

/* The monitor that has fired; it is over. */
static uint64_t take_tie(gri_proxy *p, gr_ref ours)
{
    gri_proxy_tie *tie = gri_map_remove(&p->by_ours, key_of(ours.id));
    if (tie == NULL) {
        return 0;
    }
    const uint64_t theirs = tie->theirs;
    (void)gri_map_remove(&p->by_theirs, key_of(theirs));
    free(tie);
    return theirs;
}

bool gri_proxy_give_signal(gri_proxy *p, gr_actor *self, const gr_msg *msg)
{
    const bool idle = p->window == 0 && p->running == 0 && p->up;
    gri_wire head = {.pid = msg->from};
    gr_exit_reason why = {.kind = GR_EXIT_NORMAL};
    gr_ref ref = {0};
    gr_msg *flat = NULL;
    gr_any body = {why.text, 0};
    if (gr_match_exit(msg, &head.pid, &why)) {
        head.type = GRI_WIRE_EXIT;
        gri_wire_put_reason(&head, &why);
    } else if (gr_match_down(msg, &ref, &head.pid, &why)) {
        head.type = GRI_WIRE_DOWN;
        head.ref = take_tie(p, ref);
        gri_wire_put_reason(&head, &why);
    } else if (gr_match_stop(msg, NULL)) {
        head.type = GRI_WIRE_STOP;
    } else if (gr_match_started(msg, NULL)) {
        head.type = GRI_WIRE_STARTED;
    } else { /* an answer: its token is the process's ref */
        if (!gri_proxy_flat(self, msg, &flat, &body)) {
            gri_proxy_decide_error(p, GR_ENOMEM, "no memory for an answer");
            return false;
        }
        head.type = GRI_WIRE_ANSWER;
        head.ref = gr_msg_token(msg);
        head.code = gr_msg_status(msg);
        head.len = body.len;
    }
    p->window++;
    p->signals++;
    const bool good =
        p->exited || p->decided || gri_proxy_put(p, &head, body.ptr);
    gri_proxy_free(self, flat);
    if (idle) {
        gri_proxy_note_progress(p);
    }
    return good;
}

/* ---- what the process says of them --------------------------------------- */

static void leave_window(gri_proxy *p, const gri_handed *h)
{
    p->window--;
    p->window_bytes -= h->size;
}

/* What a held one is counted as. No more than what the process counts for it in
 * its own arena_max, which so stops an honest one before. The record that it
 * has here is as large as a small message, and its map's entry smaller: all of
 * them together take a few times arena_max at most. */
static size_t held_size(const gri_handed *h)
{
    return sizeof(gr_msg) + gri_with_trailer(h->size);
}

/* It is not held any more. */
static void let_go(gri_proxy *p, const gri_handed *h)
{
    p->held_bytes -= held_size(h);
    p->stashed -= h->state == GRI_HANDED_STASHED;
}

static const char *hold(gri_proxy *p, gri_handed *h, uint32_t held)
{
    if (h->state == GRI_HANDED_WINDOW) {
        leave_window(p, h);
    } else {
        let_go(p, h);
    }
    if (h->again) {
        h->again = false;
        p->running--;
    }
    h->state = held == GRI_HELD_KEPT ? GRI_HANDED_KEPT : GRI_HANDED_STASHED;
    p->held_bytes += held_size(h);
    p->stashed += h->state == GRI_HANDED_STASHED;
    /* The process has these bounds, too, and counts one that is given again as
     * put aside no more. */
    return p->held_bytes > p->arena_max ? "holds more than its arena"
           : p->stashed > p->hard       ? "puts aside more than its mailbox"
                                        : NULL;
}

const char *gri_proxy_done(gri_proxy *p, gr_actor *self, uint64_t id,
                           uint32_t held)
{
    const char *fault = NULL;
    if (id == 0) {
        if (p->own > 0) { /* nothing else ends before that does */
            p->own--;
            p->running--;
        } else if (p->signals > 0) {
            p->signals--;
            p->window--;
        }
    } else {
        gri_handed *h = gri_proxy_find(p, id);
        if (h == NULL) {
            return "done with a message that it does not have";
        }
        if (held != GRI_HELD_NOT) {
            fault = hold(p, h, held);
        } else {
            if (h->state == GRI_HANDED_WINDOW) {
                leave_window(p, h);
            } else {
                let_go(p, h);
            }
            if (h->again) {
                p->running--;
            }
            const gr_msg *msg = h->msg;
            forget_handed(p, h);
            gr_release(self, msg); /* answers it, if nobody has */
        }
    }
    gri_proxy_note_progress(p);
    return fault;
}

const char *gri_proxy_begin(gri_proxy *p, uint64_t id)
{
    if (id != 0) {
        gri_handed *h = gri_proxy_find(p, id);
        if (h == NULL || h->state != GRI_HANDED_STASHED || h->again) {
            return "again a message that it has not put aside";
        }
        h->again = true;
    } else {
        p->own++;
    }
    p->running++;
    gri_proxy_note_progress(p);
    return NULL;
}

const gr_msg *gri_proxy_bury_handed(gri_proxy *p, gr_actor *self, bool failed)
{
    const gr_msg *in_hand = NULL;
    const uint64_t at = p->at;
    for (gri_handed *h = p->first; h != NULL && in_hand == NULL; h = h->next) {
        if (at != 0 ? h->id == at
                    : failed && (h->again || h->state == GRI_HANDED_WINDOW)) {
            in_hand = h->msg;
        }
    }
    while (p->first != NULL) {
        gri_handed *h = p->first;
        if (h->msg != in_hand && h->state != GRI_HANDED_KEPT) {
            gri_proxy_bury(self, h->msg);
        }
        forget_handed(p, h); /* it is kept, and freed with the actor */
    }
    return in_hand;
}

void gri_proxy_free_out(gri_proxy *p)
{
    while (p->first != NULL) {
        forget_handed(p, p->first);
    }
    gri_map_fini(&p->handed);
    free(p->out.p);
}
