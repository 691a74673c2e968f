/*
 * supervisor/requests.c - what others want done to the children of a spec: add
 * one, stop one, start one again, forget one. They are kept, and carried out
 * one after the other, each when nothing else is under way; a restart that
 * waits for its time is not under way. So each finds the children in a state
 * that has a name: they run, are down, or wait.
 */
#include <stdlib.h>

#include <greenroom/system.h>

#include "supervisor/state.h"

/* ---- the queue ----------------------------------------------------------- */

int gri_request(gr_actor *self, gri_supervisor *s, const gr_msg *msg)
{
    if (s->ending) {
        gri_refuse(self, msg, GR_ENOPROC);
        return 0;
    }
    if (s->requests.n == GRI_ASKS_WAITING_MAX) {
        gri_refuse(self, msg, GR_EAGAIN);
        return 0;
    }
    gri_kept *request = malloc(sizeof(*request));
    if (request == NULL) {
        gri_refuse(self, msg, GR_ENOMEM);
        return 0;
    }
    *request = (gri_kept){gr_keep(self, msg), NULL};
    if (request->msg == NULL) {
        free(request);
        gri_refuse(self, msg, GR_ENOMEM);
        return 0;
    }
    if (s->requests.last == NULL) {
        s->requests.first = request;
    } else {
        s->requests.last->next = request;
    }
    s->requests.last = request;
    s->requests.n++;
    return s->work.step == GRI_STEP_NONE ? gri_ordered_go_on(self, s) : 0;
}

static const gr_msg *pop(gri_supervisor *s)
{
    gri_kept *request = s->requests.first;

    if (request == NULL) {
        return NULL;
    }
    s->requests.first = request->next;
    if (s->requests.first == NULL) {
        s->requests.last = NULL;
    }
    s->requests.n--;
    const gr_msg *msg = request->msg;
    free(request);
    return msg;
}

static void refuse(gr_actor *self, const gr_msg *msg, int code)
{
    gri_refuse(self, msg, code);
    gr_release(self, msg);
}

void gri_requests_refuse(gr_actor *self, gri_supervisor *s)
{
    const gr_msg *msg;

    if (s->work.request != GRI_REQUEST_NONE) {
        refuse(self, s->work.asked, GR_ENOPROC);
        s->work.request = GRI_REQUEST_NONE;
    }
    while ((msg = pop(s)) != NULL) {
        refuse(self, msg, GR_ENOPROC);
    }
}

/* ---- what is done at once ------------------------------------------------ */

static void answer_done(gr_actor *self, const gr_msg *msg,
                        gri_request_kind kind)
{
    if (kind == GRI_REQUEST_TERMINATE) {
        GR_IGNORE(gr_reply(self, msg, "gr.terminated"),
                  "then the runtime answers GR_ENOREPLY");
    } else {
        GR_IGNORE(gr_reply(self, msg, "gr.deleted"),
                  "then the runtime answers GR_ENOREPLY");
    }
    gr_release(self, msg);
}

/* Begins the work of a request for one child. */
static void begin(gri_supervisor *s, gri_child *child, gri_request_kind kind,
                  const gr_msg *msg)
{
    bool stops = kind == GRI_REQUEST_TERMINATE;
    uint32_t i = child->index;

    s->work = (gri_work){
        .step = stops ? GRI_STEP_STOP : GRI_STEP_START,
        .first = i,
        .end = i + 1,
        .at = stops ? i + 1 : i,
        .request = kind,
        .asked = msg,
    };
}

/* Reads the spec of a child that is to be added, and puts it behind all. */
static int append(gr_actor *self, gri_supervisor *s, gr_any bytes,
                  gri_child **out)
{
    const gri_child_spec *spec;
    void *block;

    GR_TRY(gri_child_read(bytes, gr_system_of(self), sizeof(gri_child), &block,
                          &spec));
    gri_child *child = block;
    child->spec = spec;
    child->args = spec->args;
    int rc = 0;
    if (gri_ordered_find(s, spec->id) != NULL) {
        rc = GR_EEXIST;
    } else if (spec->significant && s->spec.auto_shutdown == GR_AUTO_NEVER) {
        rc = GR_EINVAL;
    } else {
        rc = gri_ordered_append(s, child);
    }
    if (rc < 0) {
        free(block);
        return rc;
    }
    *out = child;
    return 0;
}

static void add(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                gr_any bytes)
{
    gri_child *child;
    int rc = append(self, s, bytes, &child);

    if (rc == GR_EDENIED) {
        gri_tell_forged(self, s, gr_sender(msg));
    }
    if (rc < 0) {
        refuse(self, msg, rc);
        return;
    }
    begin(s, child, GRI_REQUEST_ADD, msg);
}

/* 0 if a child is down, and not about to be restarted; else why it is not. */
static int must_be_down(const gri_child *child)
{
    if (child == NULL) {
        return GR_ENOENT;
    }
    if (child->state == GRI_CHILD_WAITING) {
        return GR_EAGAIN;
    }
    return child->state == GRI_CHILD_DOWN ? 0 : GR_EEXIST;
}

static void restart(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                    gr_str id)
{
    gri_child *child = gri_ordered_find(s, id);
    int rc = must_be_down(child);

    if (rc < 0) {
        refuse(self, msg, rc);
        return;
    }
    begin(s, child, GRI_REQUEST_RESTART, msg);
}

static void forget(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                   gr_str id)
{
    gri_child *child = gri_ordered_find(s, id);
    int rc = must_be_down(child);

    if (rc < 0) {
        refuse(self, msg, rc);
        return;
    }
    gri_ordered_remove(self, s, child);
    answer_done(self, msg, GRI_REQUEST_DELETE);
}

static void terminate(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                      gr_str id)
{
    gri_child *child = gri_ordered_find(s, id);

    if (child == NULL) {
        refuse(self, msg, GR_ENOENT);
        return;
    }
    begin(s, child, GRI_REQUEST_TERMINATE, msg);
}

bool gri_request_next(gr_actor *self, gri_supervisor *s)
{
    const gr_msg *msg = pop(s);
    gr_any bytes;
    gr_str id;

    if (msg == NULL) {
        return false;
    }
    if (gr_match(msg, "gr.add_child", &bytes)) {
        add(self, s, msg, bytes);
    } else if (gr_match(msg, "gr.terminate_child", &id)) {
        terminate(self, s, msg, id);
    } else if (gr_match(msg, "gr.restart_child", &id)) {
        restart(self, s, msg, id);
    } else if (gr_match(msg, "gr.delete_child", &id)) {
        forget(self, s, msg, id);
    } else {
        refuse(self, msg, GR_EINVAL); /* by its pid, or no id at all */
    }
    return true;
}

/* ---- what took time ------------------------------------------------------ */

void gri_request_done(gr_actor *self, gri_supervisor *s, gri_child *child,
                      int code)
{
    gri_request_kind kind = s->work.request;
    const gr_msg *msg = s->work.asked;

    s->work = (gri_work){.step = GRI_STEP_NONE};
    if (kind == GRI_REQUEST_TERMINATE) {
        answer_done(self, msg, kind);
        return;
    }
    if (code == 0) {
        gri_answer_pid(self, msg, child->pid);
        gr_release(self, msg);
        return;
    }
    child->state = GRI_CHILD_DOWN;
    refuse(self, msg, code);
    /* What did not start is not added; what had nothing to do is, unless it is
     * temporary. */
    bool nothing_to_do = child->why.kind == GR_EXIT_NORMAL;
    bool temporary = child->spec->restart == GR_TEMPORARY;
    if (kind == GRI_REQUEST_ADD && (temporary || !nothing_to_do)) {
        gri_ordered_remove(self, s, child);
    }
}
