/* supervisor/supervisor.c - the actor: takes in what happens, answers asks, and
 * ends. What to do about children is in ordered.c and dynamic.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/system.h>

#include "actors/seal.h"
#include "supervisor/state.h"

/* The actor's state proper; the rest is freed by gr_on_exit. */
struct holder {
    gri_supervisor *s;
};

/* ---- the end ------------------------------------------------------------ */

int gri_code_of(const gr_exit_reason *why)
{
    switch (why->kind) {
    case GR_EXIT_ERROR:
        return why->code < 0 ? why->code : GR_EFAIL;
    case GR_EXIT_SHUTDOWN:
        return GR_ESTOPPED;
    case GR_EXIT_LIMIT:
        return GR_ELIMIT;
    case GR_EXIT_NOCONNECTION:
        return GR_ENOCONN;
    case GR_EXIT_SIGNAL:
        return GR_EFAIL;
    case GR_EXIT_NORMAL:
    case GR_EXIT_KILLED:
    case GR_EXIT_NOPROC:
        return GR_ENOPROC;
    }
    return GR_EFAIL;
}

int gri_supervisor_end(gr_actor *self, gri_supervisor *s,
                       const gr_exit_reason *why)
{
    if (s->ending) {
        return 0;
    }
    s->ending = true;
    s->final = *why;
    gri_asks_answer(self, s);
    return s->ops->end(self, s);
}

int gri_supervisor_give_up(gr_actor *self, gri_supervisor *s,
                           const gri_child *child)
{
    gr_exit_reason why = {.kind = GR_EXIT_SHUTDOWN};
    char what[sizeof(why.text) + 32];

    GR_IGNORE(snprintf(why.text, sizeof(why.text),
                       "more than %u restarts within %lld ms",
                       s->spec.restarts_max, (long long)s->spec.period_ms),
              "a text that is cut is good enough");
    /* A shutdown is no failure to the runtime, which reports nothing. */
    GR_IGNORE(snprintf(what, sizeof(what), "ended too often: %s", why.text),
              "cannot be longer");
    gri_tell(self, s, child, GR_LOG_ERROR, what);
    return gri_supervisor_end(self, s, &why);
}

int gri_supervisor_shut_down(gr_actor *self, gri_supervisor *s,
                             const gri_child *child)
{
    gr_exit_reason why = {.kind = GR_EXIT_SHUTDOWN};

    GR_IGNORE(snprintf(why.text, sizeof(why.text), "%s has ended",
                       child->spec->id.ptr),
              "a text that is cut is good enough");
    return gri_supervisor_end(self, s, &why);
}

void gri_supervisor_exit(gr_actor *self, gri_supervisor *s)
{
    int code = s->final.kind == GR_EXIT_NORMAL ? 0 : gri_code_of(&s->final);

    if (s->timer.id != 0) {
        gr_timer_cancel(self, s->timer);
    }
    gr_exit(self, code, s->final.text[0] == '\0' ? s->blocked : s->final.text);
}

/* ---- deciding ------------------------------------------------------------ */

gri_action gri_supervisor_decide(gr_actor *self, gri_supervisor *s,
                                 gri_child *child, gri_event_kind kind,
                                 gr_exit_kind why, bool others)
{
    const gri_child_spec *spec = child->spec;
    int64_t now = gr_now_ms(self);
    gri_event event = {
        .kind = kind,
        .why = why,
        .type = spec->restart,
        .significant = spec->significant,
        .others = others,
        .index = child->index,
        .n = s->n,
    };
    bool ended = kind == GRI_EVENT_ENDED;

    if ((ended && gri_restarts(spec->restart, why)) ||
        (kind == GRI_EVENT_NOT_RESTARTED && why != GR_EXIT_NORMAL)) {
        child->failures =
            gri_backoff_failed(&spec->backoff, child->failures,
                               ended ? child->started_ms : -1, now);
        int64_t delay =
            gri_backoff_delay(&spec->backoff, child->failures, &s->rng);
        child->due_ms = now + delay;
        event.delayed = delay > 0;
    }
    return gri_decide(s->spec.strategy, s->spec.auto_shutdown, &event,
                      &s->window, now);
}

/* ---- the actor ---------------------------------------------------------- */

static void release(void *arg)
{
    gri_supervisor *s = arg;

    while (s->asks != NULL) {
        gri_ask *next = s->asks->next;
        free(s->asks); /* the message ends with the actor */
        s->asks = next;
    }
    while (s->requests.first != NULL) {
        gri_kept *next = s->requests.first->next;
        free(s->requests.first);
        s->requests.first = next;
    }
    gri_dynamic_free(s);
    gri_ordered_free(s);
    gri_agenda_fini(&s->agenda);
    gri_map_fini(&s->runs.by_pid);
    gri_intensity_fini(&s->window);
    gri_spec_fini(&s->spec);
    free(s);
}

static int start_children(gr_actor *self, gri_supervisor *s)
{
    if (s->spec.strategy == GR_SIMPLE_ONE_FOR_ONE) {
        s->ops = &gri_dynamic;
        s->started = true;
        return 0;
    }
    s->ops = &gri_ordered;
    GR_TRY(gri_ordered_init(s));
    return gri_ordered_start(self, s);
}

/* A run of a child is over. */
static int over(gr_actor *self, gri_supervisor *s, gri_child *child,
                const gr_exit_reason *why)
{
    gr_exit_reason copy = *why; /* it may be the child's own */

    gri_agenda_remove(&s->agenda, child);
    gri_child_over(&s->runs, child, &copy);
    return s->ops->ended(self, s, child, &copy);
}

/* The child that another node says it has started: one of its own, and none
 * that is known already. */
static int read_spawned(const gri_supervisor *s, const gr_msg *reply,
                        gr_pid *out)
{
    GR_TRY(gr_msg_status(reply));
    return gr_match(reply, "pid", out) && out->node == gr_sender(reply).node &&
                   gri_child_of(&s->runs, *out) == NULL
               ? 0
               : GR_EREPLY;
}

/* Errors: the supervisor's own; *code says if the child has started. */
static int tie(gr_actor *self, gri_supervisor *s, gri_child *child, gr_pid pid,
               int *code)
{
    *code = gri_remote_tie(self, &s->runs, child, pid);
    return *code < 0 ? gr_kill(self, pid) : s->ops->started(self, s, child);
}

/* What came of a child that another node was asked for. */
static int on_answered(gr_actor *self, void *state, const gr_msg *reply)
{
    gri_supervisor *s = ((struct holder *)state)->s;
    uint64_t token = gr_msg_token(reply);
    gri_child *child = gri_child_of_token(&s->runs, token);
    gr_pid pid = GR_NOBODY;
    int code = read_spawned(s, reply, &pid);

    if (code == 0 && (child == NULL || child->state != GRI_CHILD_STARTING)) {
        /* Nobody wants it any more. */
        GR_IGNORE(gr_kill(self, pid), "it ends with us, or with its node");
    }
    if (child == NULL) {
        return 0;
    }
    gri_map_remove(&s->runs.by_pid, (gri_key){0, token});
    child->token = 0;
    if (child->state == GRI_CHILD_STARTING) {
        if (code == 0) {
            GR_TRY(tie(self, s, child, pid, &code));
            if (code == 0) {
                return 0;
            }
        }
        if (gri_remote_run(self, &s->runs, child) == 0) {
            return 0; /* another node is asked */
        }
    }
    gr_exit_reason why = {.kind = code == 0 ? GR_EXIT_KILLED : GR_EXIT_ERROR,
                          .code = code};
    return over(self, s, child, &why);
}

/* A branch lives, but cannot say whether it has started: nobody would ever hear
 * that it has. Its end comes as any other, and is a failed start. */
static int end_dumb(gr_actor *self, gri_supervisor *s, gri_child *child,
                    int code)
{
    char what[64];

    GR_IGNORE(snprintf(what, sizeof(what),
                       "cannot say whether it has started: %s: killed",
                       gr_errname(code)),
              "cannot be longer");
    gri_tell(self, s, child, GR_LOG_WARN, what);
    return gri_child_kill(self, child);
}

/* A child that is a supervisor has started when its own children have. */
static int on_ready(gr_actor *self, void *state, const gr_msg *reply)
{
    gri_supervisor *s = ((struct holder *)state)->s;
    gr_pid from = {gr_self(self).node, gr_msg_token(reply)};
    gri_child *child = gri_child_of(&s->runs, from);
    int code = gr_msg_status(reply);

    if (child == NULL || child->state != GRI_CHILD_STARTING) {
        return 0; /* it has ended, or is being stopped */
    }
    if (code == 0) {
        return s->ops->started(self, s, child);
    }
    if (code == GR_ENOPROC) {
        return 0; /* it has ended or is about to, and its monitor tells */
    }
    if (code == GR_ETIMEOUT) {
        code = gri_child_ask_ready(self, &s->runs, from);
    }
    return code < 0 ? end_dumb(self, s, child, code) : 0;
}

static int init(gr_actor *self, void *state, const gr_msg *args)
{
    struct holder *holder = state;

    if (gri_is_hosted(gr_system_of(self))) {
        return GR_ENOTSUP; /* the spec's addresses are of another process */
    }
    gri_supervisor *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return GR_ENOMEM;
    }
    if (gr_on_exit(self, release, s) < 0) {
        free(s);
        return GR_ENOMEM;
    }
    holder->s = s;
    s->parent = gr_sender(args);
    s->runs.answered = on_answered;
    s->runs.ready = on_ready;
    /* In deterministic mode both follow from the seed. */
    s->rng.state = gr_self(self).node ^ gr_self(self).id;
    GR_TRY(gri_spec_read(args, gr_system_of(self), &s->spec));
    GR_TRY(gri_intensity_init(&s->window, s->spec.restarts_max,
                              s->spec.period_ms));
    if (s->spec.registers && s->spec.name != NULL) {
        GR_TRY(gr_register(self, s->spec.name));
    }
    return start_children(self, s);
}

static int on_signal(gr_actor *self, gri_supervisor *s, gr_pid from,
                     const gr_exit_reason *why)
{
    /* Links of children tell nothing that their monitors do not, and others
     * may link themselves to a supervisor without ending it. */
    if (!gr_pid_is_nobody(from) && gr_pid_eq(from, s->parent)) {
        return gri_supervisor_end(self, s, why);
    }
    return 0;
}

static int on_down(gr_actor *self, gri_supervisor *s, gr_pid from,
                   const gr_exit_reason *why)
{
    gri_child *child = gri_child_of(&s->runs, from);

    if (child == NULL) {
        return 0;
    }
    if (s->ending && child->state == GRI_CHILD_STOPPING &&
        why->kind == GR_EXIT_SHUTDOWN &&
        child->spec->behavior == &gr_supervisor_behavior &&
        gri_is_blame(why->text)) {
        gri_blame(s, child, '/', why->text);
    }
    return over(self, s, child, why);
}

static int on_started(gr_actor *self, gri_supervisor *s, gr_pid from)
{
    gri_child *child = gri_child_of(&s->runs, from);

    if (child == NULL || child->spec->behavior == &gr_supervisor_behavior) {
        return 0;
    }
    return s->ops->started(self, s, child);
}

static int on_start_child(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                          gr_any args)
{
    gr_reader whole = gr_any_reader(args);
    gr_reader list;

    if (s->ops != &gri_dynamic || gr_read_list(&whole, &list) < 0) {
        gri_refuse(self, msg, GR_EINVAL);
        return 0;
    }
    if (s->ending) {
        gri_refuse(self, msg, GR_ENOPROC);
        return 0;
    }
    return gri_dynamic_start_child(self, s, msg, args);
}

/* What changes the children of a spec; simple_one_for_one stops by pid. */
static int on_request(gr_actor *self, gri_supervisor *s, const gr_msg *msg)
{
    gr_pid pid;
    bool by_pid = gr_match(msg, "gr.terminate_child", &pid);

    if (by_pid != (s->ops == &gri_dynamic)) {
        gri_refuse(self, msg, GR_ENOTSUP);
        return 0;
    }
    if (by_pid) {
        return gri_dynamic_terminate(self, s, msg, pid);
    }
    return gri_request(self, s, msg);
}

/* What is asked of a supervisor. */
static int on_ask(gr_actor *self, gri_supervisor *s, const gr_msg *msg)
{
    uint32_t from, max;
    gr_str id;
    gr_any any;

    if (gr_match(msg, "gr.child", &id)) {
        return gri_ask_child(self, s, msg, id);
    }
    if (gr_match(msg, "gr.started")) {
        return gri_ask_started(self, s, msg);
    }
    if (gr_match(msg, "gr.start_child", &any)) {
        return on_start_child(self, s, msg, any);
    }
    if (gr_match(msg, "gr.add_child", &any) ||
        gr_match(msg, "gr.terminate_child", &any) ||
        gr_match(msg, "gr.restart_child", &any) ||
        gr_match(msg, "gr.delete_child", &any)) {
        return on_request(self, s, msg);
    }
    if (gr_match(msg, "gr.list_children", &from, &max)) {
        return gri_look_list(self, s, msg, from, max);
    }
    if (gr_match(msg, "gr.inspect_child", &id)) {
        return gri_look_at(self, s, msg, id);
    }
    if (gr_match(msg, "gr.count_children")) {
        return gri_look_count(self, s, msg);
    }
    return gr_unhandled(self, msg);
}

static int receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gri_supervisor *s = ((struct holder *)state)->s;
    gr_exit_reason why;
    gr_pid from;

    if (gr_match_down(msg, NULL, &from, &why)) {
        return on_down(self, s, from, &why);
    }
    if (gr_match_started(msg, &from)) {
        return on_started(self, s, from);
    }
    if (gr_match_exit(msg, &from, &why)) {
        return on_signal(self, s, from, &why);
    }
    if (gr_match_stop(msg, NULL)) {
        why = (gr_exit_reason){.kind = GR_EXIT_SHUTDOWN};
        return gri_supervisor_end(self, s, &why);
    }
    /* Timers come from oneself; others may know the tag, too. */
    if (gr_pid_eq(gr_sender(msg), gr_self(self)) &&
        gr_match(msg, GRI_TAG_TIMER)) {
        return gri_time_passed(self, s);
    }
    return gr_msg_asked(msg) ? on_ask(self, s, msg) : gr_unhandled(self, msg);
}

const gr_behavior gr_supervisor_behavior = {
    .name = "gr.supervisor",
    .state_size = sizeof(struct holder),
    .init = init,
    .receive = receive,
    .trap_exit = true,
};
