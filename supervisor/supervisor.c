/* supervisor/supervisor.c - the actor: takes in what happens, answers asks, and
 * ends. What to do about children is in ordered.c and dynamic.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/system.h>

#include "supervisor/state.h"

/* The actor's state proper; the rest is freed by gr_on_exit. */
struct holder {
    gri_supervisor *s;
};

/* ---- timers ------------------------------------------------------------- */

int gri_supervisor_arm_deadline(gr_actor *self, gri_supervisor *s, int64_t ms)
{
    return gr_after(self, ms, &s->deadline, GRI_TAG_DEADLINE);
}

void gri_supervisor_cancel_deadline(gr_actor *self, gri_supervisor *s)
{
    if (s->deadline.id != 0) {
        gr_timer_cancel(self, s->deadline);
        s->deadline = (gr_timer){0};
    }
}

int gri_supervisor_wait(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    child->state = GRI_CHILD_WAITING;
    gri_queue_push(&s->waiting, child);
    if (s->armed) {
        return 0;
    }
    /* By way of the mailbox, so that other messages get their turn between two
     * tries of a child that fails at once. */
    GR_TRY(gr_after(self, 0, NULL, GRI_TAG_AGAIN));
    s->armed = true;
    return 0;
}

/* ---- asks: for a child's pid, and whether all have started -------------- */

/* Instead of a child's index: asks for the supervisor itself. */
#define WHOLE UINT32_MAX

static void refuse(gr_actor *self, const gr_msg *msg, int code)
{
    GR_IGNORE(gr_reply_error(self, msg, code, NULL),
              "the asker has a deadline");
}

/* Nothing is under way, and what is down stays down. */
static bool is_settled(const gri_supervisor *s)
{
    return s->started && s->work.step == GRI_STEP_NONE &&
           s->ended.first == NULL && s->waiting.first == NULL;
}

/* Answers, if that can be done now. */
static bool answer(gr_actor *self, const gri_supervisor *s, const gr_msg *msg,
                   uint32_t index)
{
    if (s->ending) {
        refuse(self, msg, GR_ENOPROC);
        return true;
    }
    if (index == WHOLE) {
        if (s->started) {
            GR_IGNORE(gr_reply(self, msg, "gr.started"),
                      "the asker has a deadline");
        }
        return s->started;
    }
    const gri_child *child = &s->children[index];
    if (s->started && child->state == GRI_CHILD_UP) {
        GR_IGNORE(gr_reply(self, msg, "gr.child", child->pid),
                  "the asker has a deadline");
        return true;
    }
    if (is_settled(s)) {
        refuse(self, msg, GR_ENOPROC);
        return true;
    }
    return false;
}

void gri_supervisor_answer(gr_actor *self, gri_supervisor *s)
{
    gri_ask **at = &s->asks;

    while (*at != NULL) {
        gri_ask *ask = *at;
        if (!answer(self, s, ask->msg, ask->index)) {
            at = &ask->next;
            continue;
        }
        *at = ask->next;
        s->asks_n--;
        gr_release(self, ask->msg);
        free(ask);
    }
}

/* Keeps an ask until it can be answered. */
static int keep(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                uint32_t index)
{
    if (s->asks_n == GRI_ASKS_WAITING_MAX) {
        refuse(self, msg, GR_EAGAIN);
        return 0;
    }
    gri_ask *ask = malloc(sizeof(*ask));
    if (ask == NULL) {
        refuse(self, msg, GR_ENOMEM);
        return 0;
    }
    *ask = (gri_ask){gr_keep(self, msg), index, s->asks};
    if (ask->msg == NULL) {
        free(ask);
        refuse(self, msg, GR_ENOMEM);
        return 0;
    }
    s->asks = ask;
    s->asks_n++;
    return 0;
}

static int answer_or_keep(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                          uint32_t index)
{
    return answer(self, s, msg, index) ? 0 : keep(self, s, msg, index);
}

static int on_child(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                    gr_str id)
{
    if (!gr_msg_asked(msg)) {
        return gr_unhandled(self, msg);
    }
    for (uint32_t i = 0; s->children != NULL && i < s->spec.n; i++) {
        gr_str have = s->spec.children[i].id;
        if (have.len == id.len && memcmp(have.ptr, id.ptr, id.len) == 0) {
            return answer_or_keep(self, s, msg, i);
        }
    }
    refuse(self, msg, GR_ENOENT);
    return 0;
}

static int on_start_child(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                          gr_any args)
{
    gr_reader whole = gr_any_reader(args);
    gr_reader list;

    if (!gr_msg_asked(msg)) {
        return gr_unhandled(self, msg);
    }
    if (s->ops != &gri_dynamic || gr_read_list(&whole, &list) < 0) {
        refuse(self, msg, GR_EINVAL);
        return 0;
    }
    if (s->ending) {
        refuse(self, msg, GR_ENOPROC);
        return 0;
    }
    return gri_dynamic_start_child(self, s, msg, args);
}

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
    gri_supervisor_answer(self, s);
    return s->ops->end(self, s);
}

int gri_supervisor_give_up(gr_actor *self, gri_supervisor *s)
{
    gr_exit_reason why = {.kind = GR_EXIT_LIMIT, .code = GR_ELIMIT};

    GR_IGNORE(snprintf(why.text, sizeof(why.text),
                       "more than %u restarts within %lld ms",
                       s->spec.restarts_max, (long long)s->spec.period_ms),
              "a text that is cut is good enough");
    return gri_supervisor_end(self, s, &why);
}

void gri_supervisor_exit(gr_actor *self, gri_supervisor *s)
{
    int code = s->final.kind == GR_EXIT_NORMAL ? 0 : gri_code_of(&s->final);

    gri_supervisor_cancel_deadline(self, s);
    gr_exit(self, code, s->final.text);
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
    gri_dynamic_free(s);
    free(s->children);
    gri_map_fini(&s->by_pid);
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
    s->children = calloc((size_t)s->spec.n + 1, sizeof(s->children[0]));
    if (s->children == NULL) {
        return GR_ENOMEM;
    }
    for (uint32_t i = 0; i < s->spec.n; i++) {
        s->children[i].spec = &s->spec.children[i];
        s->children[i].args = s->spec.children[i].args;
    }
    return gri_ordered_start(self, s);
}

static int init(gr_actor *self, void *state, const gr_msg *args)
{
    struct holder *holder = state;
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
    GR_TRY(gri_spec_read(args, gr_system_node(gr_system_of(self)), &s->spec));
    GR_TRY(gri_intensity_init(&s->window, s->spec.restarts_max,
                              s->spec.period_ms));
    if (s->spec.name != NULL) {
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
    gri_child *child = gri_child_of(&s->by_pid, from);

    if (child == NULL) {
        return 0;
    }
    gri_child_over(&s->by_pid, child);
    return s->ops->ended(self, s, child, why);
}

/* A child that is a supervisor has started when its own children have. */
static int on_ready(gr_actor *self, void *state, const gr_msg *reply)
{
    gri_supervisor *s = ((struct holder *)state)->s;
    gr_pid from = {gr_self(self).node, gr_msg_token(reply)};
    gri_child *child = gri_child_of(&s->by_pid, from);

    if (gr_msg_status(reply) < 0 || child == NULL) {
        return 0; /* it failed, and its monitor tells or has told */
    }
    return s->ops->started(self, s, child);
}

static int on_started(gr_actor *self, gri_supervisor *s, gr_pid from)
{
    gri_child *child = gri_child_of(&s->by_pid, from);

    if (child == NULL) {
        return 0;
    }
    if (child->spec->behavior == &gr_supervisor_behavior) {
        return gr_ask(self, from, GR_FOREVER, gr_then(on_ready, from.id),
                      "gr.started");
    }
    return s->ops->started(self, s, child);
}

static int receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gri_supervisor *s = ((struct holder *)state)->s;
    gr_exit_reason why;
    gr_pid from;
    gr_str id;
    gr_any args;

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
    if (gr_match(msg, "gr.child", &id)) {
        return on_child(self, s, msg, id);
    }
    if (gr_match(msg, "gr.started") && gr_msg_asked(msg)) {
        return answer_or_keep(self, s, msg, WHOLE);
    }
    if (gr_match(msg, "gr.start_child", &args)) {
        return on_start_child(self, s, msg, args);
    }
    /* Timers come from oneself; others may know the tags, too. */
    bool own = gr_pid_eq(gr_sender(msg), gr_self(self));
    if (own && gr_match(msg, GRI_TAG_DEADLINE)) {
        s->deadline = (gr_timer){0};
        return s->ops->deadline(self, s);
    }
    if (own && gr_match(msg, GRI_TAG_AGAIN)) {
        s->armed = false;
        return s->ops->again(self, s);
    }
    return gr_unhandled(self, msg);
}

const gr_behavior gr_supervisor_behavior = {
    .name = "gr.supervisor",
    .state_size = sizeof(struct holder),
    .init = init,
    .receive = receive,
    .trap_exit = true,
};
