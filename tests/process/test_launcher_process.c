/*
 * Goal:   the launcher's process may be killed at any moment: its processes go
 *         with it, each end is told once, and the next start has a new one; and
 *         what a process leaves behind does not outlive it.
 * Method: small programs that write their children's ids into the control
 *         descriptor. The launcher is the parent of what it starts, so it is
 *         found by that. Nothing is timed; a process that stays is a hanging
 *         test, which the test runner ends.
 */
#include "tests/process/launches.h"

/* The next number that the process writes. */
static int read_number(int fd)
{
    char text[32];
    size_t n = 0;
    do {
        assert_true(n < sizeof(text) - 1);
        assert_int_equal(read(fd, text + n, 1), 1);
    } while (text[n++] != '\n');
    text[n] = '\0';
    const int number = (int)strtol(text, NULL, 10);
    assert_true(number > 0);
    return number;
}

static void pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
}

/* ---- a launcher that is killed ------------------------------------------ */

enum { SOME = 8, ROUNDS = 25 };

static void its_processes_are_told_as_killed_once(void **state)
{
    static record r[SOME];
    int pids[SOME];
    for (int i = 0; i < SOME; i++) {
        r[i] = (record)RECORD_INIT;
        (void)start(*state, "exec sleep 1000", -1, &r[i]);
    }
    for (int i = 0; i < SOME; i++) {
        pids[i] = await_start(&r[i]);
    }

    assert_int_equal(kill(launcher_of(pids[0]), SIGKILL), 0);

    for (int i = 0; i < SOME; i++) {
        const gri_process_event end = await_end(&r[i]);
        assert_int_equal(end.kind, GRI_PROCESS_SIGNALED);
        assert_int_equal(end.code, SIGKILL);
        assert_false(end.oom_likely);
        assert_int_equal(r[i].events, 2);
        await_dead(pids[i]); /* a sleep asks nobody to be killed */
    }
}

static void a_killed_one_is_replaced(void **state)
{
    int launcher = 0;
    for (int i = 0; i < ROUNDS; i++) {
        record r = RECORD_INIT;
        (void)start(*state, "exec sleep 1000", -1, &r);
        const int next = launcher_of(await_start(&r));
        assert_true(next != launcher);
        launcher = next;
        assert_int_equal(kill(launcher, i % 2 == 0 ? SIGKILL : SIGTERM), 0);
        const gri_process_event end = await_end(&r);
        assert_int_equal(end.kind, GRI_PROCESS_SIGNALED);
        assert_int_equal(end.code, SIGKILL);
        assert_int_equal(r.events, 2);
    }
}

/* Whatever was asked for in that moment has one end, and is not there. */
static void a_kill_amid_starts_loses_no_end(void **state)
{
    static record r[SOME];
    for (int round = 0; round < ROUNDS; round++) {
        record first = RECORD_INIT;
        (void)start(*state, "exec sleep 1000", -1, &first);
        const int launcher = launcher_of(await_start(&first));
        for (int i = 0; i < SOME; i++) {
            r[i] = (record)RECORD_INIT;
            (void)start(*state, "exit 5", -1, &r[i]);
            if (i == round % SOME) {
                assert_int_equal(kill(launcher, SIGKILL), 0);
            }
        }
        assert_int_equal(await_end(&first).kind, GRI_PROCESS_SIGNALED);
        for (int i = 0; i < SOME; i++) {
            const gri_process_event end = await_end(&r[i]);
            if (end.kind == GRI_PROCESS_EXITED) {
                assert_int_equal(end.code, 5);
                assert_int_equal(r[i].events, 2);
            } else {
                assert_int_equal(end.kind, GRI_PROCESS_SIGNALED);
                assert_int_equal(end.code, SIGKILL);
                assert_in_range(r[i].events, 1, 2);
            }
        }
    }
}

static void release(record *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->hold = false;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

static void what_it_said_before_counts(void **state)
{
    record first = RECORD_INIT;
    record second = RECORD_INIT;
    record held = RECORD_INIT;
    (void)start(*state, "exec sleep 1000", -1, &first);
    (void)start(*state, "exec sleep 1000", -1, &second);
    const int first_pid = await_start(&first);
    const int second_pid = await_start(&second);
    const int launcher = launcher_of(first_pid);
    held.hold = true;
    (void)start(*state, "exec sleep 1000", -1, &held);
    (void)await_start(&held);

    /* Our thread is held, so what the launcher says waits in the socket. It has
     * told of the first before it reaps the second. */
    assert_int_equal(kill(first_pid, SIGUSR1), 0);
    await_no_process(first_pid);
    assert_int_equal(kill(second_pid, SIGUSR2), 0);
    await_no_process(second_pid);
    assert_int_equal(kill(launcher, SIGKILL), 0);
    await_dead(launcher);
    release(&held);

    const gri_process_event end = await_end(&first);
    assert_int_equal(end.kind, GRI_PROCESS_SIGNALED);
    assert_int_equal(end.code, SIGUSR1);
    assert_int_equal(first.events, 2);
    const int code = await_end(&second).code; /* told, or not any more */
    assert_true(code == SIGUSR2 || code == SIGKILL);
    assert_int_equal(second.events, 2);
    assert_int_equal(await_end(&held).code, SIGKILL);
}

static void one_that_hangs_does_not_hold_up_stop(void **state)
{
    gri_launcher *launcher = *state;
    record r = RECORD_INIT;
    record late = RECORD_INIT;
    (void)start(launcher, "exec sleep 1000", -1, &r);
    const int pid = await_start(&r);
    const int process = launcher_of(pid);
    assert_int_equal(kill(process, SIGSTOP), 0);
    (void)start(launcher, "exec sleep 1000", -1, &late);

    launcher->ops->stop(launcher, 0);
    *state = NULL; /* teardown looks for zombies */

    assert_true(r.ended);
    assert_int_equal(r.event.kind, GRI_PROCESS_SIGNALED);
    assert_int_equal(r.event.code, SIGKILL);
    assert_true(late.ended);
    assert_int_equal(late.events, 1);
    await_dead(pid);
    await_no_process(process);
}

/* ---- what a process leaves behind --------------------------------------- */

static void its_group_ends_with_it(void **state)
{
    record r = RECORD_INIT;
    int ends[2];
    pair(ends);
    (void)start(*state,
                "sleep 1000 & echo $! >&3; (sleep 1000 & echo $! >&3); exit 4",
                ends[1], &r);
    const int child = read_number(ends[0]);
    const int orphan = read_number(ends[0]);

    assert_int_equal(await_end(&r).code, 4);

    await_no_process(child);
    await_no_process(orphan);
    (void)close(ends[0]);
}

static void who_leaves_the_group_ends_with_it_too(void **state)
{
    record r = RECORD_INIT;
    int ends[2];
    pair(ends);
    /* A session of its own, with a child that has one, too. */
    (void)start(*state,
                "setsid sh -c 'setsid sleep 1000 & echo $! >&3; echo $$ >&3; "
                "read x <&3' & read x <&3; exit 4",
                ends[1], &r);
    const int grandchild = read_number(ends[0]);
    const int child = read_number(ends[0]);
    while (stat_of(grandchild, 3) != grandchild) {
        (void)sched_yield(); /* until it has left */
    }
    assert_int_equal(stat_of(child, 3), child);
    assert_int_equal(kill(await_start(&r), SIGKILL), 0);

    assert_int_equal(await_end(&r).code, SIGKILL);

    await_no_process(child);
    await_no_process(grandchild);
    (void)close(ends[0]);
}

static void an_orphan_lives_as_long_as_its_group_has_its_head(void **state)
{
    record r = RECORD_INIT;
    record other = RECORD_INIT;
    int ends[2];
    pair(ends);
    (void)start(*state, "(sleep 1000 & echo $! >&3); read x <&3; exit 4",
                ends[1], &r);
    const int orphan = read_number(ends[0]);
    const int launcher = launcher_of(await_start(&r));
    while (stat_of(orphan, 1) != launcher) {
        (void)sched_yield(); /* until it is adopted */
    }
    (void)start(*state, "exit 0", -1, &other);
    (void)await_end(&other); /* strays are looked for */
    record again = RECORD_INIT;
    (void)start(*state, "exit 0", -1, &again);
    (void)await_end(&again);
    assert_int_equal(kill(orphan, 0), 0);

    (void)close(ends[0]);

    assert_int_equal(await_end(&r).code, 4);
    await_no_process(orphan);
}

static void an_end_that_was_asked_for_takes_the_group_along(void **state)
{
    gri_launcher *launcher = *state;
    record r = RECORD_INIT;
    int ends[2];
    pair(ends);
    const gri_process process = start(
        launcher, "sleep 1000 & echo $! >&3; exec sleep 1000", ends[1], &r);
    const int child = read_number(ends[0]);

    launcher->ops->end(launcher, process, 0);

    assert_int_equal(await_end(&r).code, SIGKILL);
    await_no_process(child);
    (void)close(ends[0]);
}

static void a_killed_launcher_leaves_no_group(void **state)
{
    record r = RECORD_INIT;
    int ends[2];
    pair(ends);
    (void)start(*state, "sleep 1000 & echo $! >&3; exec sleep 1000", ends[1],
                &r);
    const int child = read_number(ends[0]);
    const int pid = await_start(&r);

    assert_int_equal(kill(launcher_of(pid), SIGKILL), 0);

    assert_int_equal(await_end(&r).code, SIGKILL);
    await_dead(pid);
    await_dead(child);
    (void)close(ends[0]);
}

/* ---- a program that ends ------------------------------------------------ */

/* Runs in a copy of this program, which is then killed: one process that asks
 * nobody to be killed, with a daemon. */
static _Noreturn void parent_main(int out)
{
    gri_launcher *launcher = NULL;
    record r = RECORD_INIT;
    gri_log_init(&test_log, NULL, NULL, GR_LOG_ERROR);
    if (gri_launcher_new(&test_log, &launcher) != 0) {
        _exit(1);
    }
    (void)start(launcher,
                "setsid sleep 1000 & echo $! >&3; echo $PPID >&3; echo $$ >&3;"
                "exec sleep 1000",
                out, &r);
    for (;;) {
        (void)pause();
    }
}

static void a_killed_program_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        int ends[2];
        int status = 0;
        pair(ends);
        /* No threads here yet: setup's launcher is another test's. */
        const pid_t program = fork();
        if (program == 0) {
            parent_main(ends[1]);
        }
        (void)close(ends[1]);
        const int daemon = read_number(ends[0]);
        const int launcher = read_number(ends[0]);
        const int pid = read_number(ends[0]);

        if (i % 2 == 0) { /* it is stopped meanwhile: they die all the same */
            assert_int_equal(kill(pid, SIGSTOP), 0);
        }
        assert_int_equal(kill(program, SIGKILL), 0);

        assert_int_equal(waitpid(program, &status, 0), program);
        await_dead(launcher);
        /* It has reaped them before. */
        assert_int_equal(kill(daemon, 0), -1);
        assert_int_equal(errno, ESRCH);
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(errno, ESRCH);
        (void)close(ends[0]);
    }
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv); /* this program's launcher leaves here */
    const struct CMUnitTest tests[] = {
        LAUNCHER_TEST(its_processes_are_told_as_killed_once),
        LAUNCHER_TEST(a_killed_one_is_replaced),
        LAUNCHER_TEST(a_kill_amid_starts_loses_no_end),
        LAUNCHER_TEST(what_it_said_before_counts),
        LAUNCHER_TEST(one_that_hangs_does_not_hold_up_stop),
        LAUNCHER_TEST(its_group_ends_with_it),
        LAUNCHER_TEST(who_leaves_the_group_ends_with_it_too),
        LAUNCHER_TEST(an_orphan_lives_as_long_as_its_group_has_its_head),
        LAUNCHER_TEST(an_end_that_was_asked_for_takes_the_group_along),
        LAUNCHER_TEST(a_killed_launcher_leaves_no_group),
        cmocka_unit_test(a_killed_program_leaves_nothing),
    };
    return cmocka_run_group_tests_name("process/launcher_process", tests, NULL,
                                       NULL);
}
