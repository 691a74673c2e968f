/*
 * Goal:   the spawn of a process actor in which an allocation fails, here or in
 *         the process, says so, or ends the actor with an error: never a crash,
 *         a leak, a process that is left, an actor that nobody hears of again,
 *         or a system that cannot stop. Once there is memory again, the next
 *         spawn works.
 * Method: each allocation of the library's own fails once, and all from each
 *         one on; so do its threads, and what it opens for itself. Threads
 *         allocate in an order that is not always the same, so each round ends
 *         with what must work in any case. The process learns from its
 *         environment which one of its own is to fail.
 */
#include "tests/process/actors.h"

#include <stdio.h>

#include "process/hosts.h"
#include "tests/support/holding.h"
#include "tests/support/no_memory.h"

#define FAIL_AT "GREENROOM_TEST_FAIL_AT"

enum { SHORT_MS = 200 }; /* for an answer that may have been lost */

/* ---- the actor ----------------------------------------------------------- */

static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "process")) {
        return gr_reply(self, msg, "process", no_memory_end());
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior echo = {
    .name = "echo", .receive = echo_receive, .grade = GR_GRADE_PROCESS};

/* ---- rounds -------------------------------------------------------------- */

static void quiet_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static fixture begin(void)
{
    fixture f;
    const gr_system_opts opts = {.workers = 1, .log = quiet_log};
    assert_int_equal(gr_system_start(&opts, &f.sys), 0);
    assert_int_equal(gr_thread_attach(f.sys, NULL, &f.self), 0);
    return f;
}

static void end(fixture *f)
{
    void *state = f;
    (void)teardown(&state);
}

/* *failed: an allocation of the process did. */
static int ask(gr_actor *self, gr_pid pid, int64_t ms, bool *failed)
{
    return gr_call(self, pid, ms, gr_expect("process", failed), "process");
}

/* The first error ends it. */
static int play(gr_actor *self, gr_pid *pid)
{
    bool failed = false;
    gr_ref ref;
    GR_TRY(gr_processes_enable(self));
    GR_TRY(gr_spawn(
        self, &echo,
        &(gr_spawn_opts){.name = "it", .monitor = &ref, .ack = true}, pid));
    return ask(self, *pid, SHORT_MS, &failed);
}

/* With memory: whatever became of it before, it is there or it is not. */
static void repair(gr_actor *self, gr_pid pid)
{
    bool failed = false;
    int rc = gr_processes_enable(self);
    assert_true(rc == 0 || rc == GR_EEXIST);
    if (!gr_pid_is_nobody(pid)) {
        rc = ask(self, pid, LONG_MS, &failed);
        assert_true(rc == 0 || rc == GR_ENOPROC);
    }
    /* A launcher that could not be started just now takes along who has asked
     * for a process meanwhile; the next one is started by another launcher. */
    int tries = 0;
    do {
        assert_int_equal(gr_spawn(self, &echo, NULL, &pid), 0);
        rc = ask(self, pid, LONG_MS, &failed);
    } while (rc == GR_ENOPROC && ++tries < 2);
    assert_int_equal(rc, 0);
}

/* What no memory may lead to: who asks may be refused, or not answered. */
static bool fine(int rc)
{
    return rc == 0 || rc == GR_ENOMEM || rc == GR_ENOPROC ||
           rc == GR_ENOREPLY || rc == GR_ETIMEOUT || rc == GR_EIO ||
           rc == GR_ELIMIT;
}

static void play_all(bool for_ever)
{
    bool failed = true;
    uint64_t at = 0;
    while (failed) {
        gr_pid pid = GR_NOBODY;
        const holding before = holding_now();
        fixture f = begin();
        no_memory_begin(++at, for_ever);
        const int rc = play(f.self, &pid);
        failed = no_memory_end();
        /* A start may take longer than we wait for what may be lost. */
        assert_true(rc == 0 || rc == GR_ETIMEOUT || failed);
        if (!fine(rc)) {
            fail_msg("allocation %llu: %s", (unsigned long long)at,
                     gr_strerror(rc));
        }
        repair(f.self, pid);
        end(&f);
        holding_check(&before);
    }
    assert_true(at > 20); /* it was worth it */
    print_message("%llu allocations\n", (unsigned long long)at - 1);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    play_all(false);
}

static void all_allocations_may_fail_from_some_on(void **state)
{
    (void)state;
    play_all(true);
}

static void each_allocation_of_the_process_may_fail(void **state)
{
    bool failed = true;
    int at = 0;
    (void)state;
    while (failed) {
        char text[16];
        gr_pid pid = GR_NOBODY;
        (void)snprintf(text, sizeof(text), "%d", ++at);
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread is there */
        assert_int_equal(setenv(FAIL_AT, text, 1), 0);
        const holding before = holding_now();
        fixture f = begin();
        int rc = play(f.self, &pid);
        assert_true(fine(rc));
        rc = ask(f.self, pid, LONG_MS, &failed);
        assert_true(rc == 0 || rc == GR_ENOPROC);
        end(&f);
        holding_check(&before);
    }
    assert_true(at > 20);
    print_message("%d allocations\n", at - 1);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): as above */
    assert_int_equal(unsetenv(FAIL_AT), 0);
}

int main(int argc, char **argv)
{
    const char *at = getenv(FAIL_AT); /* NOLINT(concurrency-mt-unsafe) */
    if (at != NULL && argc > 1 && strcmp(argv[1], GRI_ACTOR_MARKER) == 0) {
        no_memory_begin(strtoull(at, NULL, 10), false);
    }
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(all_allocations_may_fail_from_some_on),
        cmocka_unit_test(each_allocation_of_the_process_may_fail),
    };
    return cmocka_run_group_tests_name("process/no_memory", tests, NULL, NULL);
}
