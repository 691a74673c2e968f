/*
 * supervisor/ordered.c - the children of a spec, one thing at a time.
 *
 * There is one piece of work: stop the children of a range, the last first,
 * then start them, the first first. The first start is a range without the
 * stopping, the end of the supervisor one without the starting, a restart is
 * the range that the strategy says, and what others want done (requests.c) is
 * either half for one child. go_on() carries it on until it has to wait for a
 * message. Deaths that come meanwhile queue (ENDED); a child of the range that
 * is dead already needs no stopping, and its death is thereby dealt with.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/state.h"

/* Step functions return 1 to go on, 0 to wait for a message, or an error. */
enum { WAIT = 0, GO_ON = 1 };

/* ---- the array ----------------------------------------------------------- */

int gri_ordered_append(gri_supervisor *s, gri_child *child)
{
    if (s->n == GR_CHILDREN_MAX) {
        return GR_ELIMIT;
    }
    if (s->n == s->cap) {
        uint32_t cap = s->cap == 0 ? s->spec.n + 1 : 2 * s->cap;
        gri_child **children = realloc(s->children, cap * sizeof(void *));
        if (children == NULL) {
            return GR_ENOMEM;
        }
        s->children = children;
        s->cap = cap;
    }
    child->index = s->n;
    child->started_ms = -1;
    s->children[s->n++] = child;
    return 0;
}

void gri_ordered_remove(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    uint32_t index = child->index;
    gri_work *work = &s->work;

    gri_asks_forget(self, s, child);
    gri_child_forget(self, child);
    for (uint32_t i = index; i + 1 < s->n; i++) {
        s->children[i] = s->children[i + 1];
        s->children[i]->index = i;
    }
    s->n--;
    work->first -= index < work->first;
    work->end -= index < work->end;
    work->at -= index < work->at;
    free(child);
}

int gri_ordered_init(gri_supervisor *s)
{
    for (uint32_t i = 0; i < s->spec.n; i++) {
        gri_child *child = calloc(1, sizeof(*child));
        if (child == NULL) {
            return GR_ENOMEM;
        }
        child->spec = &s->spec.children[i];
        child->args = child->spec->args;
        int rc = gri_ordered_append(s, child);
        if (rc < 0) {
            free(child);
            return rc;
        }
    }
    return 0;
}

void gri_ordered_free(gri_supervisor *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        free(s->children[i]);
    }
    free(s->children);
}

gri_child *gri_ordered_find(const gri_supervisor *s, gr_str id)
{
    for (uint32_t i = 0; i < s->n; i++) {
        gr_str have = s->children[i]->spec->id;
        if (have.len == id.len && memcmp(have.ptr, id.ptr, id.len) == 0) {
            return s->children[i];
        }
    }
    return NULL;
}

const gri_child *gri_ordered_pending(const gri_supervisor *s,
                                     const gri_child *child)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->children[i]->state == GRI_CHILD_WAITING &&
            gri_concerns(s->spec.strategy, i, child->index)) {
            return s->children[i];
        }
    }
    return NULL;
}

/* It stays down; a temporary one is forgotten. */
static void leave(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    gri_child_forget(self, child);
    child->state = GRI_CHILD_DOWN;
    if (child->spec->restart == GR_TEMPORARY && !s->ending) {
        gri_ordered_remove(self, s, child);
    }
}

/* ---- stopping ------------------------------------------------------------ */

/* All of the range are stopped. */
static int stopped(gr_actor *self, gri_supervisor *s)
{
    gri_work *work = &s->work;

    if (s->ending) {
        gri_supervisor_exit(self, s);
        return WAIT;
    }
    if (work->request != GRI_REQUEST_NONE) {
        gri_request_done(self, s, NULL, 0);
        return GO_ON;
    }
    if (work->waits == NULL) {
        work->step = GRI_STEP_START;
        return GO_ON;
    }
    work->step = GRI_STEP_NONE;
    GR_TRY(gri_wait(self, s, work->waits));
    return GO_ON;
}

static int stop_next(gr_actor *self, gri_supervisor *s)
{
    gri_work *work = &s->work;

    if (work->at == work->first) {
        return stopped(self, s);
    }
    gri_child *child = s->children[work->at - 1];
    switch (child->state) {
    case GRI_CHILD_STARTING:
    case GRI_CHILD_UP:
        GR_TRY(gri_stop(self, s, child));
        return WAIT;
    case GRI_CHILD_STOPPING:
        return WAIT;
    case GRI_CHILD_ENDED:
        gri_queue_remove(&s->ended, child);
        break;
    case GRI_CHILD_WAITING:
        gri_agenda_remove(&s->agenda, child);
        break;
    case GRI_CHILD_DOWN:
        break;
    }
    work->at--;
    if (!s->ending && work->request == GRI_REQUEST_NONE &&
        child->spec->restart != GR_TEMPORARY) {
        child->state = GRI_CHILD_DOWN; /* to be started again */
    } else {
        leave(self, s, child);
    }
    return GO_ON;
}

/* ---- deciding ------------------------------------------------------------ */

/* Whether a child that is down waits for the delay of its group. OTP knows no
 * delays; one that is down as a restart of its group failed halfway counts
 * there as ended, and so it does here. */
static bool is_delayed(const gri_supervisor *s, const gri_child *child)
{
    const gri_child *waits = gri_ordered_pending(s, child);

    return waits != NULL && waits->spec->backoff.first_ms > 0;
}

/* Whether a significant child, other than this one, runs or comes back. */
static bool others_matter(const gri_supervisor *s, const gri_child *child)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const gri_child *other = s->children[i];
        if (other != child && other->spec->significant &&
            (other->state != GRI_CHILD_DOWN || is_delayed(s, other))) {
            return true;
        }
    }
    return false;
}

static int act(gr_actor *self, gri_supervisor *s, gri_child *child,
               gri_event_kind kind, const gr_exit_reason *why)
{
    bool others = child->spec->significant && others_matter(s, child);
    gri_action action =
        gri_supervisor_decide(self, s, child, kind, why->kind, others);
    gri_work work = {
        .step = GRI_STEP_STOP,
        .first = action.first,
        .end = action.end,
        .at = action.end,
    };

    switch (action.kind) {
    case GRI_ACTION_LEAVE:
        leave(self, s, child);
        return GO_ON;
    case GRI_ACTION_RESTART:
        child->state = GRI_CHILD_DOWN;
        s->work = work;
        return GO_ON;
    case GRI_ACTION_TRY_LATER:
        child->state = GRI_CHILD_DOWN;
        if (child->due_ms > gr_now_ms(self)) {
            work.waits = child;
            s->work = work;
            return GO_ON;
        }
        /* Those of the range that have started run on meanwhile. */
        s->work.step = GRI_STEP_NONE;
        GR_TRY(gri_wait(self, s, child));
        return GO_ON;
    case GRI_ACTION_ROLL_BACK:
        GR_TRY(gri_supervisor_end(self, s, why));
        return WAIT;
    case GRI_ACTION_GIVE_UP:
        child->state = GRI_CHILD_DOWN;
        GR_TRY(gri_supervisor_give_up(self, s, child));
        return WAIT;
    case GRI_ACTION_SHUT_DOWN:
        child->state = GRI_CHILD_DOWN;
        GR_TRY(gri_supervisor_shut_down(self, s, child));
        return WAIT;
    }
    return WAIT;
}

/* ---- starting ------------------------------------------------------------ */

/* A child ended before its init returned, or could not be spawned. */
static int not_started(gr_actor *self, gri_supervisor *s, gri_child *child,
                       const gr_exit_reason *why)
{
    if (s->work.request != GRI_REQUEST_NONE) {
        gri_request_done(self, s, child, gri_code_of(why));
        return GO_ON;
    }
    s->work.at++; /* past it, should it be left alone */
    return act(self, s, child,
               s->started ? GRI_EVENT_NOT_RESTARTED : GRI_EVENT_NOT_STARTED,
               why);
}

static int start_next(gr_actor *self, gri_supervisor *s)
{
    gri_work *work = &s->work;

    if (work->at == work->end) {
        work->step = GRI_STEP_NONE;
        if (!s->started) {
            /* Said before it is looked at who has ended meanwhile: that is a
             * matter of restarts, and no failed start. */
            s->started = true;
            gri_asks_answer(self, s);
        }
        return GO_ON;
    }
    gri_child *child = s->children[work->at];
    bool is_restart = s->started && work->request == GRI_REQUEST_NONE;
    if (is_restart && child->has_ended) {
        child->restarts++;
    }
    int rc = gri_child_run(self, &s->runs, child);
    if (rc == 0) {
        return WAIT;
    }
    if (rc == GR_ESTOPPED) {
        /* The whole system is stopping; no use in trying again. */
        gr_exit_reason shutdown = {.kind = GR_EXIT_SHUTDOWN};
        GR_TRY(gri_supervisor_end(self, s, &shutdown));
        return WAIT;
    }
    gr_exit_reason refused = {.kind = GR_EXIT_ERROR, .code = rc};
    gri_tell_refused(self, s, child, rc);
    child->why = refused;
    child->has_ended = true;
    return not_started(self, s, child, &refused);
}

/* Takes the oldest death that is not decided upon, and decides; then what
 * others want done. */
static int next(gr_actor *self, gri_supervisor *s)
{
    gri_child *child = gri_queue_pop(&s->ended);

    if (child != NULL) {
        return act(self, s, child,
                   child->retry ? GRI_EVENT_AGAIN : GRI_EVENT_ENDED,
                   &child->why);
    }
    if (gri_request_next(self, s)) {
        return GO_ON;
    }
    gri_asks_answer(self, s);
    return WAIT;
}

int gri_ordered_go_on(gr_actor *self, gri_supervisor *s)
{
    int rc = GO_ON;

    while (rc == GO_ON) {
        switch (s->work.step) {
        case GRI_STEP_STOP:
            rc = stop_next(self, s);
            break;
        case GRI_STEP_START:
            rc = start_next(self, s);
            break;
        case GRI_STEP_NONE:
            rc = next(self, s);
            break;
        }
    }
    return rc;
}

/* ---- what came ---------------------------------------------------------- */

int gri_ordered_start(gr_actor *self, gri_supervisor *s)
{
    s->work = (gri_work){.step = GRI_STEP_START, .end = s->n};
    return gri_ordered_go_on(self, s);
}

static bool is_next_to_start(const gri_supervisor *s, const gri_child *child)
{
    return s->work.step == GRI_STEP_START && s->work.at == child->index;
}

static int started(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    if (child->state != GRI_CHILD_STARTING) {
        return 0; /* it is being stopped already */
    }
    child->state = GRI_CHILD_UP;
    child->started_ms = gr_now_ms(self);
    if (!is_next_to_start(s, child)) {
        return 0; /* all are being stopped; its turn comes */
    }
    if (s->work.request != GRI_REQUEST_NONE) {
        gri_request_done(self, s, child, 0);
    } else {
        s->work.at++;
    }
    return gri_ordered_go_on(self, s);
}

/* Puts a child among those that are to be decided upon. */
static int queue(gr_actor *self, gri_supervisor *s, gri_child *child,
                 bool retry)
{
    child->state = GRI_CHILD_ENDED;
    child->retry = retry;
    gri_queue_push(&s->ended, child);
    return s->work.step == GRI_STEP_NONE ? gri_ordered_go_on(self, s) : 0;
}

static int ended(gr_actor *self, gri_supervisor *s, gri_child *child,
                 const gr_exit_reason *why)
{
    gri_child_state before = child->state;
    int rc;

    child->state = GRI_CHILD_DOWN;
    switch (before) {
    case GRI_CHILD_STARTING:
        if (!is_next_to_start(s, child)) {
            return 0;
        }
        rc = not_started(self, s, child, why);
        return rc == GO_ON ? gri_ordered_go_on(self, s) : rc;
    case GRI_CHILD_UP:
        return queue(self, s, child, false);
    case GRI_CHILD_STOPPING:
        return gri_ordered_go_on(self, s);
    case GRI_CHILD_DOWN:
    case GRI_CHILD_ENDED:
    case GRI_CHILD_WAITING:
        break; /* these have no pid to be found by */
    }
    return 0;
}

static int again(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    return queue(self, s, child, true);
}

static int end(gr_actor *self, gri_supervisor *s)
{
    gri_requests_refuse(self, s);
    s->work = (gri_work){.step = GRI_STEP_STOP, .end = s->n, .at = s->n};
    return gri_ordered_go_on(self, s);
}

const gri_supervisor_ops gri_ordered = {
    .started = started,
    .ended = ended,
    .again = again,
    .end = end,
};
