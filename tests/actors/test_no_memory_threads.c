/*
 * Goal:   a system with threads of its own starts, or says why it cannot, when
 *         an allocation, a mapping or a thread fails at its start: one of them,
 *         or all from one on. What has started works fully: on each worker a
 *         fault is still trapped. And what fails later, while spares, reports
 *         and job threads begin, does not stay that way. Never a crash; nothing
 *         is left of threads, descriptors, mappings or memory.
 * Method: each round counts what the process has before and after. A fault on
 *         each worker: as many actors wait for each other as there are workers,
 *         so that no two of them have the same, and fault then. (Memory is
 *         counted by AddressSanitizer.) Allocations of libc's own do not fail,
 *         but for what it needs to find a stack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <greenroom/greenroom.h>

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/faults.h"
#include "tests/support/holding.h"
#include "tests/support/no_memory.h"

enum {
    WORKERS = 3,
    LONG_MS = 60000, /* a hang, not a bound */
    SHORT_MS = 30    /* for what may never come */
};

/* ---- actors -------------------------------------------------------------- */

/* Relaxed throughout: they order nothing. */
static _Atomic(uint32_t) meeting; /* its number; another: it is over */
static _Atomic(unsigned) met;
static _Atomic(unsigned) wanted;

/* Until all that are wanted are here, each on a worker of its own. Who is of a
 * meeting before goes on at once. */
static void meet(uint32_t number)
{
    if (atomic_load_explicit(&meeting, memory_order_relaxed) == number) {
        atomic_fetch_add_explicit(&met, 1, memory_order_relaxed);
    }
    while (atomic_load_explicit(&meeting, memory_order_relaxed) == number &&
           atomic_load_explicit(&met, memory_order_relaxed) <
               atomic_load_explicit(&wanted, memory_order_relaxed)) {
        (void)sched_yield();
    }
}

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    uint32_t number;
    (void)state;
    if (gr_match(msg, "fault", &number)) {
        meet(number);
        fault_now(FAULT_WRITE_NULL);
    }
    if (gr_match(msg, "overflow", &number)) {
        meet(number);
        fault_now(FAULT_RECURSE);
    }
    if (gr_match(msg, "wait", &number)) {
        meet(number);
        return 0;
    }
    if (gr_match(msg, "ping")) {
        return gr_reply(self, msg, "pong");
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior victim = {
    .name = "victim",
    .state_size = 64,
    .receive = victim_receive,
};

static int work(gr_job *job, const gr_msg *args)
{
    (void)args;
    return gr_job_return(job, "done");
}
static const gr_job_kind worker_job = {.name = "job", .run = work};

/* ---- a round ------------------------------------------------------------- */

static void quiet_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

typedef struct scene {
    gr_system *sys;
    gr_actor *self;
    bool strict; /* there is memory: all must work */
} scene;

static bool is_one_of(gr_pid pid, const gr_pid pids[WORKERS])
{
    unsigned i = 0;
    while (i < WORKERS && !gr_pid_eq(pids[i], pid)) {
        i++;
    }
    return i < WORKERS;
}

/* Waits until each has died of its fault; false: not in time. (Of a round
 * before there may be some that come late.) */
static bool await_deaths(const scene *s, const gr_pid pids[WORKERS])
{
    for (unsigned n = 0; n < WORKERS;) {
        const gr_msg *msg;
        gr_exit_reason why;
        gr_pid who;
        if (gr_receive(s->self, s->strict ? LONG_MS : SHORT_MS, &msg) != 0) {
            return false;
        }
        if (gr_match_down(msg, NULL, &who, &why) && is_one_of(who, pids)) {
            if (!s->strict && why.kind == GR_EXIT_ERROR) {
                assert_int_equal(why.code, GR_ENOMEM);
                return false;
            }
            assert_int_equal(why.kind, GR_EXIT_SIGNAL);
            assert_int_equal(why.code, SIGSEGV);
            n++;
        }
    }
    return true;
}

static void let_go(void)
{
    atomic_fetch_add_explicit(&meeting, 1, memory_order_relaxed);
}

/* One actor for each worker, all told the same: to meet with so many. */
static int tell_all(const scene *s, const char *what, unsigned with,
                    gr_pid pids[WORKERS])
{
    const uint32_t number =
        1 + atomic_fetch_add_explicit(&meeting, 1, memory_order_relaxed);
    atomic_store_explicit(&met, 0, memory_order_relaxed);
    atomic_store_explicit(&wanted, with, memory_order_relaxed);
    for (unsigned i = 0; i < WORKERS; i++) {
        gr_ref ref;
        const gr_spawn_opts opts = {.monitor = &ref};
        GR_TRY(gr_spawn(s->self, &victim, &opts, &pids[i]));
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        GR_TRY(gr_send(s->self, pids[i], what, number));
    }
    return 0;
}

/* All that are told die of it, or no memory was there to tell them all. */
static int fault_on_all(const scene *s, const char *what)
{
    gr_pid pids[WORKERS] = {0};
    const int rc = tell_all(s, what, WORKERS, pids);
    const bool died = rc == 0 && await_deaths(s, pids);
    let_go();
    assert_true(died || !s->strict);
    return rc;
}

/* While all workers are in a turn, a spare does the rest. */
static int use_spare(const scene *s)
{
    gr_pid pids[WORKERS] = {0};
    gr_pid other;
    GR_TRY(gr_spawn(s->self, &victim, NULL, &other));
    /* One more than there are: they wait until they are let go. */
    int rc = tell_all(s, "wait", WORKERS + 1, pids);
    if (rc == 0) {
        rc = gr_call(s->self, other, s->strict ? LONG_MS : SHORT_MS,
                     gr_expect("pong"), "ping");
    }
    let_go();
    return rc;
}

static int use(const scene *s)
{
    GR_TRY(fault_on_all(s, "fault"));
    if (fault_is_possible(FAULT_RECURSE)) {
        GR_TRY(fault_on_all(s, "overflow"));
    }
    GR_TRY(use_spare(s));
    return gr_call_job(s->self, &worker_job, s->strict ? LONG_MS : SHORT_MS,
                       gr_expect("done"));
}

static int start(scene *s)
{
    const gr_system_opts opts = {.workers = WORKERS,
                                 .spares_max = 2,
                                 .log = quiet_log,
                                 .log_level = GR_LOG_DEBUG};
    *s = (scene){.strict = true};
    return gr_system_start(&opts, &s->sys);
}

static void use_fully(scene *s)
{
    s->strict = true;
    if (s->self == NULL) {
        assert_int_equal(gr_thread_attach(s->sys, "thread", &s->self), 0);
    }
    assert_int_equal(use(s), 0);
}

static void stop(const scene *s)
{
    if (s->self != NULL) {
        gr_thread_detach(s->self, 0);
    }
    assert_int_equal(gr_system_stop(s->sys, LONG_MS), 0);
}

/* True: something failed. */
static bool start_and_use(uint64_t fail_at, bool for_ever)
{
    scene s;
    const holding before = holding_now();
    no_memory_begin(fail_at, for_ever);
    const int rc = start(&s);
    const bool failed = no_memory_end();
    if (rc == 0) {
        use_fully(&s);
        stop(&s);
    } else {
        assert_true(failed);
        assert_true(rc == GR_ENOMEM || rc == GR_EIO);
        assert_null(s.sys);
    }
    holding_check(&before);
    return failed;
}

static bool use_with_little(uint64_t fail_at, bool for_ever)
{
    scene s;
    const holding before = holding_now();
    assert_int_equal(start(&s), 0);
    no_memory_begin(fail_at, for_ever);
    s.strict = false;
    int rc = gr_thread_attach(s.sys, "thread", &s.self);
    assert_true(rc == 0 || rc == GR_ENOMEM);
    rc = rc == 0 ? use(&s) : rc;
    const bool failed = no_memory_end();
    assert_true(rc == 0 || rc == GR_ENOMEM || rc == GR_ETIMEOUT ||
                rc == GR_EIO || rc == GR_ENOREPLY || rc == GR_ENOPROC);
    use_fully(&s); /* whatever became of it before */
    stop(&s);
    holding_check(&before);
    return failed;
}

typedef bool round_fn(uint64_t fail_at, bool for_ever);

static void play_all(round_fn *play, bool for_ever, uint64_t least)
{
    uint64_t n = 1;
    (void)play(0, false); /* libc keeps a thing or two from the first time */
    while (play(n, for_ever)) {
        n++;
    }
    assert_true(n > least); /* it was worth it */
    print_message("%" PRIu64 " allocations\n", n - 1);
}

static void each_of_a_start_may_fail(void **state)
{
    (void)state;
    play_all(start_and_use, false, 20);
}

static void all_of_a_start_may_fail_from_some_on(void **state)
{
    (void)state;
    play_all(start_and_use, true, 20);
}

static void each_of_a_use_may_fail(void **state)
{
    (void)state;
    play_all(use_with_little, false, 20);
}

static void all_of_a_use_may_fail_from_some_on(void **state)
{
    (void)state;
    play_all(use_with_little, true, 20);
}

/* The linker makes these names. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_dlopen(const char *file, int how);
void *__wrap_dlopen(const char *file, int how);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static bool loader_fails;

void *__wrap_dlopen(const char *file, int how)
{
    return loader_fails ? NULL : __real_dlopen(file, how);
}

/* Which of libc's functions may be trapped is asked at the first start, and
 * again at the next one if there was no memory for it. */
static void the_first_start_may_fail_in_the_loader(void **state)
{
    (void)state;
    gr_system *sys = NULL;
    loader_fails = true;
    assert_int_equal(gr_system_start(NULL, &sys), GR_ENOMEM);
    assert_int_equal(gr_trap_library("libm.so.6"), GR_ENOMEM);
    loader_fails = false;
    assert_int_equal(gr_system_start(NULL, &sys), 0);
    assert_int_equal(gr_system_stop(sys, GR_FOREVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_start_may_fail_in_the_loader),
        cmocka_unit_test(each_of_a_start_may_fail),
        cmocka_unit_test(all_of_a_start_may_fail_from_some_on),
        cmocka_unit_test(each_of_a_use_may_fail),
        cmocka_unit_test(all_of_a_use_may_fail_from_some_on),
    };
    return cmocka_run_group_tests_name("actors/no_memory_threads", tests, NULL,
                                       NULL);
}
