/*
 * supervisor/dynamic.c - the children of simple_one_for_one: made from one
 * spec at run time, each for itself, without an order among them. A child's
 * record is malloc's and goes with the child.
 */
#include <stdlib.h>
#include <string.h>

#include "supervisor/state.h"

/* ---- records ------------------------------------------------------------ */

/* One block: the record, the values of its arguments (the spec's, then its
 * own), and the bytes of its own, into which they point. */
static gri_child *child_new(gri_supervisor *s, gr_any bytes)
{
    const gri_child_spec *spec = &s->spec.children[0];
    gr_reader whole = gr_any_reader(bytes);
    gr_reader list;

    if (gr_read_list(&whole, &list) < 0) {
        return NULL; /* the caller has looked: cannot be */
    }
    size_t values_size = (spec->args.n + (size_t)list.left) * sizeof(gr_value);
    gri_child *child = malloc(sizeof(*child) + values_size + bytes.len);
    if (child == NULL) {
        return NULL;
    }
    *child = (gri_child){.spec = spec, .prev = s->last};
    gr_value *values = (gr_value *)(void *)(child + 1);
    char *copy = (char *)values + values_size;
    memcpy(copy, bytes.ptr, bytes.len);
    if (spec->args.n > 0) {
        memcpy(values, spec->args.items, spec->args.n * sizeof(gr_value));
    }
    whole = gr_any_reader((gr_any){copy, bytes.len});
    if (gr_read_list(&whole, &list) == 0) {
        child->args = gri_values_of_list(&list, values + spec->args.n);
    }
    child->args = (gr_values){values, spec->args.n + child->args.n};

    if (s->last == NULL) {
        s->first = child;
    } else {
        s->last->next = child;
    }
    s->last = child;
    return child;
}

static void child_free(gri_supervisor *s, gri_child *child)
{
    if (child->state == GRI_CHILD_WAITING) {
        gri_queue_remove(&s->waiting, child);
    }
    if (child->prev == NULL) {
        s->first = child->next;
    } else {
        child->prev->next = child->next;
    }
    if (child->next == NULL) {
        s->last = child->prev;
    } else {
        child->next->prev = child->prev;
    }
    free(child);
}

void gri_dynamic_free(gri_supervisor *s)
{
    gri_child *child = s->first;

    while (child != NULL) {
        gri_child *next = child->next;
        free(child);
        child = next;
    }
    s->first = NULL;
    s->last = NULL;
}

/* ---- starting and restarting -------------------------------------------- */

/* Runs a child again; what fails is tried later. */
static int rerun(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    int rc = gri_child_run(self, &s->by_pid, child);

    if (rc == 0) {
        return 0;
    }
    if (rc == GR_ESTOPPED) {
        /* The whole system is stopping; no use in trying again. */
        gr_exit_reason shutdown = {.kind = GR_EXIT_SHUTDOWN};
        return gri_supervisor_end(self, s, &shutdown);
    }
    return gri_supervisor_wait(self, s, child);
}

static int act(gr_actor *self, gri_supervisor *s, gri_child *child,
               gri_event_kind kind, gr_exit_kind why)
{
    gri_action action = gri_decide(&s->spec, (gri_event){kind, 0, why},
                                   &s->window, gr_now_ms(self));

    switch (action.kind) {
    case GRI_ACTION_LEAVE:
        child_free(s, child);
        return 0;
    case GRI_ACTION_RESTART:
        return rerun(self, s, child);
    case GRI_ACTION_TRY_LATER:
        return gri_supervisor_wait(self, s, child);
    case GRI_ACTION_ROLL_BACK: /* this strategy starts without children */
    case GRI_ACTION_GIVE_UP:
        return gri_supervisor_give_up(self, s);
    }
    return 0;
}

int gri_dynamic_start_child(gr_actor *self, gri_supervisor *s,
                            const gr_msg *msg, gr_any args)
{
    gri_child *child = child_new(s, args);
    int rc = GR_ENOMEM;

    if (child != NULL) {
        rc = gri_child_run(self, &s->by_pid, child);
    }
    if (rc == 0) {
        child->asked = gr_keep(self, msg);
        if (child->asked != NULL) {
            return 0;
        }
        /* Nobody would be told of it, so it must not live. */
        rc = GR_ENOMEM;
        GR_IGNORE(gr_kill(self, child->pid), "the link ends it with us");
        gri_child_over(&s->by_pid, child);
    }
    if (child != NULL) {
        child_free(s, child);
    }
    GR_IGNORE(gr_reply_error(self, msg, rc, NULL), "the asker has a deadline");
    return 0;
}

/* Tells who asked for the child what became of it. */
static void tell_asker(gr_actor *self, gri_child *child, int code)
{
    if (child->asked == NULL) {
        return;
    }
    if (code == 0) {
        GR_IGNORE(gr_reply(self, child->asked, "gr.child", child->pid),
                  "the asker has a deadline");
    } else {
        GR_IGNORE(gr_reply_error(self, child->asked, code, NULL),
                  "the asker has a deadline");
    }
    gr_release(self, child->asked);
    child->asked = NULL;
}

static int started(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    (void)s;
    if (child->state == GRI_CHILD_STARTING) {
        child->state = GRI_CHILD_UP;
        tell_asker(self, child, 0);
    }
    return 0;
}

static int ended(gr_actor *self, gri_supervisor *s, gri_child *child,
                 const gr_exit_reason *why)
{
    gri_child_state before = child->state;

    child->state = GRI_CHILD_DOWN;
    if (s->ending || child->asked != NULL) {
        /* A child that did not start was never this supervisor's. */
        tell_asker(self, child, gri_code_of(why));
        child_free(s, child);
        if (s->ending && s->first == NULL) {
            gri_supervisor_exit(self, s);
        }
        return 0;
    }
    return act(self, s, child,
               before == GRI_CHILD_STARTING ? GRI_EVENT_NOT_RESTARTED
                                            : GRI_EVENT_ENDED,
               why->kind);
}

static int again(gr_actor *self, gri_supervisor *s)
{
    gri_queue due = s->waiting;
    gri_child *child;

    s->waiting = (gri_queue){0};
    while (!s->ending && (child = gri_queue_pop(&due)) != NULL) {
        GR_TRY(act(self, s, child, GRI_EVENT_AGAIN, GR_EXIT_NORMAL));
    }
    return 0;
}

/* ---- stopping: all at once ---------------------------------------------- */

static int deadline(gr_actor *self, gri_supervisor *s)
{
    if (!s->ending) {
        return 0;
    }
    for (gri_child *child = s->first; child != NULL; child = child->next) {
        GR_TRY(gr_kill(self, child->pid));
    }
    return 0;
}

static int end(gr_actor *self, gri_supervisor *s)
{
    int64_t ms = s->spec.children[0].stop_max_ms;
    gri_child *next;

    for (gri_child *child = s->first; child != NULL; child = next) {
        next = child->next;
        if (child->state == GRI_CHILD_STARTING ||
            child->state == GRI_CHILD_UP) {
            GR_TRY(gri_child_stop(self, child));
        } else {
            child_free(s, child);
        }
    }
    if (s->first == NULL) {
        gri_supervisor_exit(self, s);
        return 0;
    }
    if (ms != GR_CHILD_KILL && gri_supervisor_arm_deadline(self, s, ms) < 0) {
        /* Without a deadline some might never end: rather now than never. */
        return deadline(self, s);
    }
    return 0;
}

const gri_supervisor_ops gri_dynamic = {
    .started = started,
    .ended = ended,
    .again = again,
    .deadline = deadline,
    .end = end,
};
