/*
 * supervisor/dynamic.c - the children of simple_one_for_one: made from one
 * spec at run time, each for itself, without an order among them. A child's
 * record is malloc's and goes with the child.
 */
#include <stdlib.h>
#include <string.h>

#include <greenroom/system.h>

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
    *child = (gri_child){.spec = spec, .prev = s->last, .started_ms = -1};
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

/* Answers and frees those who asked for its end. */
static void tell_stoppers(gr_actor *self, gri_child *child, int code)
{
    gri_kept *kept = child->stoppers;

    while (kept != NULL) {
        gri_kept *next = kept->next;
        if (code < 0) {
            gri_refuse(self, kept->msg, code);
        } else {
            GR_IGNORE(gr_reply(self, kept->msg, "gr.terminated"),
                      "then the runtime answers GR_ENOREPLY");
        }
        gr_release(self, kept->msg);
        free(kept);
        kept = next;
    }
    child->stoppers = NULL;
}

static void child_free(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    gri_agenda_remove(&s->agenda, child);
    gri_child_forget(self, child);
    tell_stoppers(self, child, 0);
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
        while (child->stoppers != NULL) {
            gri_kept *kept = child->stoppers;
            child->stoppers = kept->next;
            free(kept); /* the message ends with the actor */
        }
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
    child->restarts++;
    int rc = gri_child_run(self, &s->runs, child);

    if (rc == 0) {
        return 0;
    }
    if (rc == GR_ESTOPPED) {
        /* The whole system is stopping; no use in trying again. */
        gr_exit_reason shutdown = {.kind = GR_EXIT_SHUTDOWN};
        return gri_supervisor_end(self, s, &shutdown);
    }
    gri_tell_refused(self, s, child, rc);
    child->why = (gr_exit_reason){.kind = GR_EXIT_ERROR, .code = rc};
    child->has_ended = true;
    /* There is one thing to do about that; this says when. */
    (void)gri_supervisor_decide(self, s, child, GRI_EVENT_NOT_RESTARTED,
                                GR_EXIT_ERROR, false);
    return gri_wait(self, s, child);
}

/* Whether there is another child. One that is being started for somebody is
 * none yet, and one that is being stopped for somebody is none any more. */
static bool others_matter(const gri_supervisor *s, const gri_child *child)
{
    for (const gri_child *at = s->first; at != NULL; at = at->next) {
        if (at != child && at->asked == NULL &&
            at->state != GRI_CHILD_STOPPING) {
            return true; /* mostly the first or the second */
        }
    }
    return false;
}

static int act(gr_actor *self, gri_supervisor *s, gri_child *child,
               gri_event_kind kind, gr_exit_kind why)
{
    bool others = child->spec->significant && others_matter(s, child);
    gri_action action =
        gri_supervisor_decide(self, s, child, kind, why, others);

    switch (action.kind) {
    case GRI_ACTION_LEAVE:
        child_free(self, s, child);
        return 0;
    case GRI_ACTION_RESTART:
        return rerun(self, s, child);
    case GRI_ACTION_TRY_LATER:
        return gri_wait(self, s, child);
    case GRI_ACTION_SHUT_DOWN:
        return gri_supervisor_shut_down(self, s, child);
    case GRI_ACTION_ROLL_BACK: /* this strategy starts without children */
    case GRI_ACTION_GIVE_UP:
        return gri_supervisor_give_up(self, s, child);
    }
    return 0;
}

int gri_dynamic_start_child(gr_actor *self, gri_supervisor *s,
                            const gr_msg *msg, gr_any args)
{
    gri_child *child = child_new(s, args);
    int rc = GR_ENOMEM;

    if (child != NULL) {
        rc = gri_child_run(self, &s->runs, child);
    }
    if (rc == 0) {
        child->asked = gr_keep(self, msg);
        if (child->asked != NULL) {
            return 0;
        }
        /* Nobody would be told of it, so it must not live. */
        rc = GR_ENOMEM;
        gr_exit_reason why = {.kind = GR_EXIT_KILLED};
        GR_IGNORE(gri_child_kill(self, child), "the link ends it with us");
        gri_child_over(&s->runs, child, &why);
    }
    if (child != NULL) {
        child_free(self, s, child);
    }
    gri_refuse(self, msg, rc);
    return 0;
}

/* Tells who asked for the child what became of it. */
static void tell_asker(gr_actor *self, gri_child *child, int code)
{
    if (child->asked == NULL) {
        return;
    }
    if (code == 0) {
        gri_answer_pid(self, child->asked, child->pid);
    } else {
        gri_refuse(self, child->asked, code);
    }
    gr_release(self, child->asked);
    child->asked = NULL;
}

static int started(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    (void)s;
    if (child->state == GRI_CHILD_STARTING) {
        child->state = GRI_CHILD_UP;
        child->started_ms = gr_now_ms(self);
        tell_asker(self, child, 0);
    }
    return 0;
}

static int ended(gr_actor *self, gri_supervisor *s, gri_child *child,
                 const gr_exit_reason *why)
{
    gri_child_state before = child->state;

    child->state = GRI_CHILD_DOWN;
    if (s->ending || child->asked != NULL || before == GRI_CHILD_STOPPING) {
        /* A child that did not start was never this supervisor's, and one that
         * was to be stopped is no longer. */
        tell_asker(self, child, gri_code_of(why));
        child_free(self, s, child);
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

static int again(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    child->state = GRI_CHILD_DOWN;
    return act(self, s, child, GRI_EVENT_AGAIN, GR_EXIT_NORMAL);
}

/* ---- stopping ------------------------------------------------------------ */

/* The child with that pid; or that had it, and waits for its restart. */
static gri_child *find(const gri_supervisor *s, gr_pid pid)
{
    gri_child *child = gri_child_of(&s->runs, pid);

    if (child != NULL) {
        return child;
    }
    for (child = s->first; child != NULL; child = child->next) {
        if (child->state == GRI_CHILD_WAITING && gr_pid_eq(child->was, pid)) {
            return child;
        }
    }
    return NULL;
}

/* No child has that pid. If nobody has, it has been one, for all that is known:
 * then what was asked for is so, as in OTP. */
static void answer_stranger(gr_actor *self, const gr_msg *msg, gr_pid pid)
{
    gr_actor_info info;

    if (gr_actor_inspect(gr_system_of(self), pid, &info) == GR_ENOPROC) {
        GR_IGNORE(gr_reply(self, msg, "gr.terminated"),
                  "then the runtime answers GR_ENOREPLY");
    } else {
        gri_refuse(self, msg, GR_ENOENT);
    }
}

int gri_dynamic_terminate(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                          gr_pid pid)
{
    gri_child *child = find(s, pid);

    if (child == NULL) {
        answer_stranger(self, msg, pid);
        return 0;
    }
    gri_kept *kept = malloc(sizeof(*kept));
    const gr_msg *asked = kept == NULL ? NULL : gr_keep(self, msg);
    if (asked == NULL) {
        free(kept);
        gri_refuse(self, msg, GR_ENOMEM);
        return 0;
    }
    *kept = (gri_kept){asked, child->stoppers};
    child->stoppers = kept;
    switch (child->state) {
    case GRI_CHILD_STARTING:
    case GRI_CHILD_UP:
        return gri_stop(self, s, child);
    case GRI_CHILD_STOPPING:
        return 0; /* it is on its way */
    case GRI_CHILD_DOWN:
    case GRI_CHILD_ENDED:
    case GRI_CHILD_WAITING:
        child_free(self, s, child);
        return 0;
    }
    return 0;
}

/* All at once. */
static int end(gr_actor *self, gri_supervisor *s)
{
    gri_child *next;

    for (gri_child *child = s->first; child != NULL; child = next) {
        next = child->next;
        switch (child->state) {
        case GRI_CHILD_STARTING:
        case GRI_CHILD_UP:
            GR_TRY(gri_stop(self, s, child));
            break;
        case GRI_CHILD_STOPPING:
            break;
        case GRI_CHILD_DOWN:
        case GRI_CHILD_ENDED:
        case GRI_CHILD_WAITING:
            child_free(self, s, child);
            break;
        }
    }
    if (s->first == NULL) {
        gri_supervisor_exit(self, s);
    }
    return 0;
}

const gri_supervisor_ops gri_dynamic = {
    .started = started,
    .ended = ended,
    .again = again,
    .end = end,
};
