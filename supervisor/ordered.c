/*
 * supervisor/ordered.c - the children of a spec, one thing at a time.
 *
 * There is one piece of work: stop the children of a range, the last first,
 * then start them, the first first. The first start is a range without the
 * stopping, the end of the supervisor one without the starting, a restart is
 * the range that the strategy says. go_on() carries it on until it has to wait
 * for a message. Deaths that come meanwhile queue (ENDED); a child of the range
 * that is dead already needs no stopping, and its death is thereby dealt with.
 */
#include "supervisor/state.h"

/* Step functions return 1 to go on, 0 to wait for a message, or an error. */
enum { WAIT = 0, GO_ON = 1 };

static uint32_t index_of(const gri_supervisor *s, const gri_child *child)
{
    return (uint32_t)(child - s->children);
}

static int stop_child(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    int64_t ms = child->spec->stop_max_ms;

    GR_TRY(gri_child_stop(self, child));
    if (ms != GR_CHILD_KILL && gri_supervisor_arm_deadline(self, s, ms) < 0) {
        /* Without a deadline it might never end: rather now than never. */
        return gr_kill(self, child->pid);
    }
    return 0;
}

static int stop_next(gr_actor *self, gri_supervisor *s)
{
    gri_work *work = &s->work;

    if (work->at == work->first) {
        if (s->ending) {
            gri_supervisor_exit(self, s);
            return WAIT;
        }
        work->step = GRI_STEP_START;
        return GO_ON;
    }
    gri_child *child = &s->children[work->at - 1];
    switch (child->state) {
    case GRI_CHILD_STARTING:
    case GRI_CHILD_UP:
        GR_TRY(stop_child(self, s, child));
        return WAIT;
    case GRI_CHILD_STOPPING:
        return WAIT;
    case GRI_CHILD_ENDED:
        gri_queue_remove(&s->ended, child);
        break;
    case GRI_CHILD_WAITING:
        gri_queue_remove(&s->waiting, child);
        break;
    case GRI_CHILD_DOWN:
        break;
    }
    child->state = GRI_CHILD_DOWN;
    work->at--;
    return GO_ON;
}

static int act(gr_actor *self, gri_supervisor *s, gri_child *child,
               gri_event_kind kind, const gr_exit_reason *why)
{
    gri_event event = {kind, index_of(s, child), why->kind};
    gri_action action =
        gri_decide(&s->spec, event, &s->window, gr_now_ms(self));

    switch (action.kind) {
    case GRI_ACTION_LEAVE:
        child->state = GRI_CHILD_DOWN;
        return GO_ON;
    case GRI_ACTION_RESTART:
        s->work = (gri_work){
            .step = GRI_STEP_STOP,
            .first = action.first,
            .end = action.end,
            .at = action.end,
        };
        return GO_ON;
    case GRI_ACTION_TRY_LATER:
        /* Those of the range that have started run on meanwhile. */
        s->work.step = GRI_STEP_NONE;
        GR_TRY(gri_supervisor_wait(self, s, child));
        return GO_ON;
    case GRI_ACTION_ROLL_BACK:
        GR_TRY(gri_supervisor_end(self, s, why));
        return WAIT;
    case GRI_ACTION_GIVE_UP:
        GR_TRY(gri_supervisor_give_up(self, s));
        return WAIT;
    }
    return WAIT;
}

/* A child ended before its init returned, or could not be spawned. */
static int not_started(gr_actor *self, gri_supervisor *s, gri_child *child,
                       const gr_exit_reason *why)
{
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
        s->started = true;
        return GO_ON;
    }
    gri_child *child = &s->children[work->at];
    if (s->started && child->spec->restart == GR_TEMPORARY) {
        /* Stopped with the others, it is not started again with them. */
        work->at++;
        return GO_ON;
    }
    int rc = gri_child_run(self, &s->by_pid, child);
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
    return not_started(self, s, child, &refused);
}

/* Takes the oldest death that is not decided upon, and decides. */
static int decide_next(gr_actor *self, gri_supervisor *s)
{
    gri_child *child = gri_queue_pop(&s->ended);

    if (child == NULL) {
        gri_supervisor_answer(self, s);
        return WAIT;
    }
    return act(self, s, child, child->retry ? GRI_EVENT_AGAIN : GRI_EVENT_ENDED,
               &child->why);
}

static int go_on(gr_actor *self, gri_supervisor *s)
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
            rc = decide_next(self, s);
            break;
        }
    }
    return rc;
}

/* ---- what came ---------------------------------------------------------- */

int gri_ordered_start(gr_actor *self, gri_supervisor *s)
{
    s->work = (gri_work){.step = GRI_STEP_START, .end = s->spec.n};
    return go_on(self, s);
}

static bool is_next_to_start(const gri_supervisor *s, const gri_child *child)
{
    return s->work.step == GRI_STEP_START && s->work.at == index_of(s, child);
}

static int started(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    if (child->state != GRI_CHILD_STARTING) {
        return 0; /* it is being stopped already */
    }
    child->state = GRI_CHILD_UP;
    if (!is_next_to_start(s, child)) {
        return 0; /* all are being stopped; its turn comes */
    }
    s->work.at++;
    return go_on(self, s);
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
        return rc == GO_ON ? go_on(self, s) : rc;
    case GRI_CHILD_UP:
        child->state = GRI_CHILD_ENDED;
        child->why = *why;
        child->retry = false;
        gri_queue_push(&s->ended, child);
        return s->work.step == GRI_STEP_NONE ? go_on(self, s) : 0;
    case GRI_CHILD_STOPPING:
        gri_supervisor_cancel_deadline(self, s);
        return go_on(self, s);
    case GRI_CHILD_DOWN:
    case GRI_CHILD_ENDED:
    case GRI_CHILD_WAITING:
        break; /* these have no pid to be found by */
    }
    return 0;
}

static int again(gr_actor *self, gri_supervisor *s)
{
    gri_child *child;

    while ((child = gri_queue_pop(&s->waiting)) != NULL) {
        child->state = GRI_CHILD_ENDED;
        child->retry = true;
        gri_queue_push(&s->ended, child);
    }
    return s->work.step == GRI_STEP_NONE ? go_on(self, s) : 0;
}

static int deadline(gr_actor *self, gri_supervisor *s)
{
    const gri_work *work = &s->work;

    if (work->step != GRI_STEP_STOP || work->at == work->first) {
        return 0;
    }
    const gri_child *child = &s->children[work->at - 1];
    if (child->state != GRI_CHILD_STOPPING) {
        return 0;
    }
    return gr_kill(self, child->pid);
}

static int end(gr_actor *self, gri_supervisor *s)
{
    s->work =
        (gri_work){.step = GRI_STEP_STOP, .end = s->spec.n, .at = s->spec.n};
    return go_on(self, s);
}

const gri_supervisor_ops gri_ordered = {
    .started = started,
    .ended = ended,
    .again = again,
    .deadline = deadline,
    .end = end,
};
