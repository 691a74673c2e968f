/*
 * tests/actors/test_guard.c - goal: each kind of fault, in each of the places
 * where the runtime calls an actor, ends that actor and nothing else. Method:
 * real workers; a victim that faults where it is told to, watched by a thread
 * that counts what it hears, beside two actors that go on with their sums.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include <greenroom/greenroom.h>
#include <greenroom/msgpack.h>

#include <signal.h>
#include <stdatomic.h>

#include "actors/guard.h"
#include "actors/internal.h"
#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"

enum { LONG_MS = 60000 /* a hang, not a bound */ };

typedef enum place {
    IN_INIT,
    IN_RECEIVE,
    IN_HANDLER,      /* of a table */
    IN_ASKED,        /* a message that somebody waits for the answer of */
    IN_CONTINUATION, /* of its own question */
    IN_TIMER,
    IN_STASHED, /* a message that is given again */
    IN_KEPT,    /* with messages kept, stashed and half built */
    IN_TERMINATE,
    IN_HOOK,        /* the second of three */
    IN_KILLED_HOOK, /* the same of one that is killed */
    IN_ALL_HOOKS,   /* of one that faulted */
    PLACES
} place;

static const char *const place_names[PLACES] = {
    "init",  "receive", "handler",   "asked", "continuation", "timer",
    "stash", "kept",    "terminate", "hook",  "killed hook",  "all hooks"};

typedef struct victim {
    uint32_t place, kind;
    bool again;
} victim;

/* What hooks and terminate did, by the worker, read when all is over. */
static _Atomic(unsigned) hooks_called, terminates_called;
static _Atomic(uint32_t) hook_kind;

static void count_hook(void *arg)
{
    (void)arg;
    /* relaxed: read when the death was heard of. */
    atomic_fetch_add_explicit(&hooks_called, 1, memory_order_relaxed);
}

static void faulty_hook(void *arg)
{
    count_hook(arg);
    /* relaxed: constant by now. */
    fault_now(
        (fault_kind)atomic_load_explicit(&hook_kind, memory_order_relaxed));
}

static int take_hooks(gr_actor *self, const victim *v)
{
    const bool all = v->place == IN_ALL_HOOKS;
    const bool one = v->place == IN_HOOK || v->place == IN_KILLED_HOOK;
    /* relaxed: published by the run of the hook. */
    atomic_store_explicit(&hook_kind, v->kind, memory_order_relaxed);
    GR_TRY(gr_on_exit(self, all ? faulty_hook : count_hook, NULL));
    GR_TRY(gr_on_exit(self, all || one ? faulty_hook : count_hook, NULL));
    return gr_on_exit(self, all ? faulty_hook : count_hook, NULL);
}

static int victim_init(gr_actor *self, void *state, const gr_msg *args)
{
    victim *v = state;
    if (!gr_unpack(args, &v->place, &v->kind)) {
        return GR_EINVAL;
    }
    GR_TRY(take_hooks(self, v));
    if (v->place == IN_INIT) {
        msgpack_packer pk;
        GR_TRY(gr_pack_begin(self, &pk)); /* never ended */
        fault_now((fault_kind)v->kind);
    }
    return 0;
}

static int on_answer(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)msg;
    fault_now((fault_kind)((victim *)state)->kind);
    return 0;
}

static int ask_itself(gr_actor *self)
{
    /* The answer comes, as a handler that returns without one has it. */
    return gr_ask(self, gr_self(self), GR_FOREVER, gr_then(on_answer, 0),
                  "nothing");
}

static int leave_half_done(gr_actor *self, const victim *v, const gr_msg *msg)
{
    msgpack_packer pk;
    msgpack_object tree;
    gr_timer timer;
    GR_TRY(gr_msg_tree(self, msg, &tree));
    GR_TRY(gr_pack_begin(self, &pk));
    (void)msgpack_pack_array(&pk, 2);
    GR_TRY(gr_after(self, LONG_MS, &timer, "late"));
    gr_blob *blob = gr_blob_new(self, 100);
    void *memory = gr_alloc(self, 1000);
    if (gr_keep(self, msg) == NULL || blob == NULL || memory == NULL) {
        return GR_ENOMEM;
    }
    memset(memory, 1, 1000);
    fault_now((fault_kind)v->kind);
    return 0;
}

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    victim *v = state;
    gr_timer timer;
    if (gr_match(msg, "nothing")) {
        return 0;
    }
    if (gr_match(msg, "end")) {
        gr_exit(self, 0, NULL);
        return 0;
    }
    switch (v->place) {
    case IN_CONTINUATION:
        return ask_itself(self);
    case IN_TIMER:
        if (!v->again) {
            v->again = true;
            return gr_every(self, 1, &timer, "tick");
        }
        break;
    case IN_STASHED:
        if (!v->again) {
            v->again = true;
            GR_TRY(gr_stash(self, msg));
            return gr_send(self, gr_self(self), "next");
        }
        if (gr_match(msg, "next")) {
            gr_unstash(self);
            return 0;
        }
        break;
    case IN_KEPT:
        return leave_half_done(self, v, msg);
    default:
        break;
    }
    fault_now((fault_kind)v->kind);
    return 0;
}

static int on_fault(gr_actor *self, void *state, const gr_msg *msg)
{
    const victim *v = state;
    if (v->place != IN_HANDLER) {
        return victim_receive(self, state, msg);
    }
    fault_now((fault_kind)v->kind);
    return 0;
}

static void victim_terminate(gr_actor *self, void *state,
                             const gr_exit_reason *why)
{
    const victim *v = state;
    (void)self, (void)why;
    /* relaxed: read when the death was heard of. */
    atomic_fetch_add_explicit(&terminates_called, 1, memory_order_relaxed);
    if (v->place == IN_TERMINATE) {
        fault_now((fault_kind)v->kind);
    }
}

static const gr_handler victim_handlers[] = {{"fault", on_fault}, {0}};

static const gr_behavior victim_behavior = {
    .name = "victim",
    .state_size = sizeof(victim),
    .init = victim_init,
    .receive = victim_receive,
    .handlers = victim_handlers,
    .terminate = victim_terminate,
};

/* ---- the others --------------------------------------------------------- */

typedef struct adder {
    uint64_t n, sum;
} adder;

static int adder_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    adder *a = state;
    uint64_t x;
    gr_pid peer;
    if (gr_match(msg, "ball", &x, &peer)) {
        a->n++;
        a->sum += x;
        return x == 0 ? 0 : gr_send(self, peer, "ball", x - 1, gr_self(self));
    }
    if (gr_match(msg, "get")) {
        return gr_reply(self, msg, "sum", a->n, a->sum);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior adder_behavior = {
    .name = "adder", .state_size = sizeof(adder), .receive = adder_receive};

/* ---- the stage ---------------------------------------------------------- */

typedef struct stage {
    gr_system *sys;
    gr_actor *self;
} stage;

static void throw_away(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static void begin(stage *s, const gr_system_opts *opts)
{
    gr_system_opts all = opts != NULL ? *opts : (gr_system_opts){.workers = 2};
    *s = (stage){.sys = NULL};
    all.log = throw_away;
    assert_int_equal(gr_system_start(&all, &s->sys), 0);
    assert_int_equal(gr_thread_attach(s->sys, NULL, &s->self), 0);
}

static void end(stage *s)
{
    gr_thread_detach(s->self, 0);
    assert_int_equal(gr_system_stop(s->sys, LONG_MS), 0);
}

/* Exactly one DOWN for ref, and nothing else. */
static gr_exit_reason death_of(stage *s, gr_ref ref)
{
    const gr_msg *msg;
    gr_exit_reason why;
    gr_ref got;
    assert_int_equal(gr_receive(s->self, LONG_MS, &msg), 0);
    assert_true(gr_match_down(msg, &got, NULL, &why));
    assert_true(got.id == ref.id);
    return why;
}

static gr_pid spawn_victim(stage *s, place where, fault_kind kind, gr_ref *ref)
{
    gr_pid pid;
    assert_int_equal(gr_spawn(s->self, &victim_behavior,
                              &(gr_spawn_opts){.args = gr_args((uint32_t)where,
                                                               (uint32_t)kind),
                                               .monitor = ref},
                              &pid),
                     0);
    return pid;
}

static void provoke(stage *s, gr_pid pid, unsigned where)
{
    int rc = 0;
    uint64_t answer;
    switch (where) {
    case IN_INIT:
        break;
    case IN_ASKED:
        rc = gr_call(s->self, pid, LONG_MS, gr_expect("answer", &answer),
                     "fault");
        assert_int_equal(rc, GR_ENOPROC);
        return;
    case IN_HOOK:
        rc = gr_send(s->self, pid, "end");
        break;
    case IN_TERMINATE:
        rc = gr_stop(s->self, pid);
        break;
    case IN_KILLED_HOOK:
        rc = gr_kill(s->self, pid);
        break;
    default:
        rc = gr_send(s->self, pid, "fault");
        break;
    }
    assert_int_equal(rc, 0);
}

/* Whether init has run: a message behind it was handled. */
static void wait_begun(stage *s, gr_pid pid)
{
    assert_int_equal(
        gr_call(s->self, pid, LONG_MS, gr_expect("never"), "nothing"),
        GR_ENOREPLY);
}

static unsigned taken(_Atomic(unsigned) *counter)
{
    /* relaxed: the death that was heard of orders it. */
    return atomic_exchange_explicit(counter, 0, memory_order_relaxed);
}

static void crash_one(stage *s, place where, fault_kind kind)
{
    gr_ref ref;
    print_message("%s in %s\n", fault_name(kind), place_names[where]);
    const gr_pid pid = spawn_victim(s, where, kind, &ref);
    if (where != IN_INIT) {
        wait_begun(s, pid);
    }
    provoke(s, pid, where);
    const gr_exit_reason why = death_of(s, ref);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, fault_signal(kind));
    if (kind == FAULT_RECURSE || kind == FAULT_LARGE_FRAME) {
        assert_string_equal(why.text, "stack overflow");
    } else if (kind == FAULT_WRITE_NULL) {
        assert_string_equal(why.text, "SIGSEGV at 0");
    } else if (kind == FAULT_ASSERT) {
        assert_string_equal(why.text, "failed assertion");
    }
    assert_int_equal(taken(&hooks_called), 3);
    assert_int_equal(taken(&terminates_called),
                     where == IN_TERMINATE || where == IN_HOOK ? 1 : 0);
    /* Its pid is nobody's, and the worker is well. */
    assert_int_equal(gr_call(s->self, pid, LONG_MS, gr_expect("no"), "x"),
                     GR_ENOPROC);
}

/* Each place with each kind, while two others count. */
static void faults_end_the_actor_and_nobody_else(void **state)
{
    enum { BALLS = 20000 };
    stage s;
    gr_pid one, other;
    (void)state;
    begin(&s, NULL);
    assert_int_equal(gr_spawn(s.self, &adder_behavior, NULL, &one), 0);
    assert_int_equal(gr_spawn(s.self, &adder_behavior, NULL, &other), 0);
    assert_int_equal(gr_send(s.self, one, "ball", BALLS, other), 0);

    unsigned crashes = 0;
    for (unsigned where = 0; where < PLACES; where++) {
        for (unsigned kind = 0; kind < FAULT_KINDS; kind++) {
            if (fault_is_possible((fault_kind)kind)) {
                crash_one(&s, (place)where, (fault_kind)kind);
                crashes += where == IN_ALL_HOOKS ? 4 : 1;
            }
        }
    }

    uint64_t n[2] = {0, 0}, sum[2] = {0, 0};
    while (n[0] + n[1] != BALLS + 1) { /* the last may still be on its way */
        assert_int_equal(gr_call(s.self, one, LONG_MS,
                                 gr_expect("sum", &n[0], &sum[0]), "get"),
                         0);
        assert_int_equal(gr_call(s.self, other, LONG_MS,
                                 gr_expect("sum", &n[1], &sum[1]), "get"),
                         0);
    }
    assert_int_equal(sum[0] + sum[1], (uint64_t)BALLS * (BALLS + 1) / 2);
    gr_stats stats;
    gr_system_stats(s.sys, &stats);
    assert_int_equal(stats.trapped, crashes);
    end(&s);
}

/* The runtime's section of those functions that call actors. */
/* NOLINTNEXTLINE: the linker's name */
extern const char __start_gri_calls[] __attribute__((visibility("hidden")));

/* ISO C has no cast from a function's pointer to another one. */
static void *address_of(const void *function_pointer)
{
    void *at;
    memcpy(&at, function_pointer, sizeof at);
    return at;
}

/* An actor is looked at from a signal handler only while it is called. */
static void a_callback_is_known_by_its_frames(void **state)
{
    stage s;
    gr_pid pid;
    (void)state;
    begin(&s, NULL);
    assert_int_equal(gr_spawn(s.self, &adder_behavior, NULL, &pid), 0);
    void (*const hook)(void *) = count_hook;
    void (*const runtime)(gr_actor *, const gr_exit_reason *) = gri_exit_set;
    size_t (*const libc)(const char *) = strlen;
    void *const own = address_of(&hook);
    void *const caller = (void *)(uintptr_t)__start_gri_calls;
    void *const others = address_of(&runtime);
    void *const called[] = {address_of(&libc), own, others, own, caller, own};
    assert_true(gri_guard_in_callback(called, 6));
    assert_true(gri_guard_in_callback(called + 1, 4));
    /* The turn is over, or was not begun. */
    assert_false(gri_guard_in_callback(called + 4, 2));
    assert_false(gri_guard_in_callback(called, 4));
    void *const runs[] = {others, caller};
    assert_false(gri_guard_in_callback(runs, 2));
    assert_false(gri_guard_in_callback(runs, 0));
    /* So deep that the caller was not reached. */
    void *deep[GRI_FRAMES_MAX];
    for (unsigned i = 0; i < GRI_FRAMES_MAX; i++) {
        deep[i] = own;
    }
    assert_true(gri_guard_in_callback(deep, GRI_FRAMES_MAX));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_callback_is_known_by_its_frames),
        cmocka_unit_test(faults_end_the_actor_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
