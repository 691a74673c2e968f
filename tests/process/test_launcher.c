/*
 * Goal:   the launcher tells how each process ended, exactly once; a started
 *         process inherits what it should and nothing else; none is left, dead
 *         or alive, behind stop.
 * Method: small programs that every system has, which write what they see into
 *         the control descriptor. Events are waited for without a limit: a lost
 *         one is a hanging test, which the test runner ends.
 */
#include "tests/process/launches.h"

static void an_exit_status_is_told(void **state)
{
    record zero = RECORD_INIT;
    record three = RECORD_INIT;

    (void)start(*state, "exit 0", -1, &zero);
    (void)start(*state, "exit 3", -1, &three);

    const gri_process_event first = await_end(&zero);
    const gri_process_event second = await_end(&three);
    assert_int_equal(first.kind, GRI_PROCESS_EXITED);
    assert_int_equal(first.code, 0);
    assert_int_equal(second.kind, GRI_PROCESS_EXITED);
    assert_int_equal(second.code, 3);
}

static void a_signal_is_told(void **state)
{
    record r = RECORD_INIT;

    (void)start(*state, "kill -TERM $$", -1, &r);

    const gri_process_event end = await_end(&r);
    assert_int_equal(end.kind, GRI_PROCESS_SIGNALED);
    assert_int_equal(end.code, SIGTERM);
}

static void a_kill_from_outside_is_told(void **state)
{
    record r = RECORD_INIT;

    (void)start(*state, "exec sleep 1000", -1, &r);
    assert_int_equal(kill(await_start(&r), SIGKILL), 0);

    const gri_process_event end = await_end(&r);
    assert_int_equal(end.kind, GRI_PROCESS_SIGNALED);
    assert_int_equal(end.code, SIGKILL);
}

static void what_cannot_start_is_told(void **state)
{
    gri_launcher *launcher = *state;
    record r = RECORD_INIT;
    gri_process process;
    char name[] = "nothing";
    char *argv[] = {name, NULL};

    test_log.fn = count_lines; /* it is an error, and logged as such */
    assert_int_equal(launcher->ops->start(launcher,
                                          &(gri_launch){
                                              .path = "/nonexistent/nothing",
                                              .argv = argv,
                                              .control = -1,
                                              .fn = on_event,
                                              .arg = &r,
                                          },
                                          &process),
                     0);

    const gri_process_event end = await_end(&r);
    assert_int_equal(end.kind, GRI_PROCESS_FAILED);
    assert_int_equal(end.code, GR_ENOENT);
    assert_int_equal(r.events, 1);
    assert_int_equal(lines, 1);
}

static void end_kills_what_does_not_end_by_itself(void **state)
{
    gri_launcher *launcher = *state;
    record r = RECORD_INIT;

    const gri_process process = start(launcher, "exec sleep 1000", -1, &r);
    (void)await_start(&r);
    launcher->ops->end(launcher, process, 1000000);
    launcher->ops->end(launcher, process, 20); /* the earlier one counts */
    launcher->ops->end(launcher, process, 1000000);

    const gri_process_event end = await_end(&r);
    assert_int_equal(end.kind, GRI_PROCESS_SIGNALED);
    assert_int_equal(end.code, SIGKILL);
    launcher->ops->end(launcher, process, 0); /* the dead: no error */
}

static void end_lets_the_polite_end_by_themselves(void **state)
{
    gri_launcher *launcher = *state;
    record r = RECORD_INIT;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);

    const gri_process process =
        start(launcher, "read x <&3; exit 7", ends[1], &r);
    launcher->ops->end(launcher, process, 1000000);
    (void)await_start(&r);
    assert_int_equal(close(ends[0]), 0);

    const gri_process_event end = await_end(&r);
    assert_int_equal(end.kind, GRI_PROCESS_EXITED);
    assert_int_equal(end.code, 7);
}

static void only_four_descriptors_are_inherited(void **state)
{
    char out[256];
    /* What a careless library leaves open, at a low and at a high number. */
    const int low = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
    const int high = fcntl(low, F_DUPFD, 700);
    assert_true(low >= 0);
    assert_true(high >= 700);

    /* 255 or so is the shell's own while it runs a script, and ls has the
     * folder that it lists: hence exec, and the 4. */
    run(*state, "exec ls /proc/self/fd >&3", out, sizeof(out));

    assert_string_equal(out, "0\n1\n2\n3\n4\n");
    (void)close(low);
    (void)close(high);
}

static void standard_input_is_empty(void **state)
{
    char out[256];

    run(*state, "exec readlink /proc/self/fd/0 >&3", out, sizeof(out));

    assert_string_equal(out, "/dev/null\n");
}

static void blocked_signals_do_not_end_it(void **state)
{
    gri_launcher *launcher = *state;
    char sh[] = "sh";
    char c[] = "-c";
    char script[] = "kill -INT $$; kill -HUP $$; exit 5";
    char *argv[] = {sh, c, script, NULL};
    record r = RECORD_INIT;
    gri_process process;
    gri_launch launch = {.path = "/bin/sh",
                         .argv = argv,
                         .control = -1,
                         .fn = on_event,
                         .arg = &r};
    (void)sigaddset(&launch.blocked, SIGINT);
    (void)sigaddset(&launch.blocked, SIGHUP);

    assert_int_equal(launcher->ops->start(launcher, &launch, &process), 0);

    const gri_process_event end = await_end(&r);
    assert_int_equal(end.kind, GRI_PROCESS_EXITED);
    assert_int_equal(end.code, 5);
}

static void signals_start_afresh(void **state)
{
    char out[256];
    sigset_t blocked;
    sigset_t before;
    struct sigaction ignored_before;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &before);
    (void)sigaction(SIGPIPE, &ignore, &ignored_before);

    run(*state, "exec grep -E '^Sig(Blk|Ign)' /proc/self/status >&3", out,
        sizeof(out));

    (void)sigaction(SIGPIPE, &ignored_before, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    static const char blocked_line[] = "SigBlk:\t0000000000000000\nSigIgn:\t";
    assert_memory_equal(out, blocked_line, sizeof(blocked_line) - 1);
    const unsigned long long ignored_there =
        strtoull(out + sizeof(blocked_line) - 1, NULL, 16);
    /* glibc has posix_spawn ignore the two signals of its own, 32 and 33. */
    assert_true((ignored_there & ~0x180000000ULL) == 0);
}

static void its_process_group_is_its_own(void **state)
{
    char out[256];
    /* The fifth word of stat is the process group, the first the id. */
    run(*state,
        "read id a b c group rest </proc/$$/stat; "
        "test $id = $group && echo own >&3",
        out, sizeof(out));
    assert_string_equal(out, "own\n");
}

static void sigchld_stays_the_programs(void **state)
{
    record r = RECORD_INIT;
    struct sigaction action;

    (void)start(*state, "exit 0", -1, &r);
    (void)await_end(&r);

    assert_int_equal(sigaction(SIGCHLD, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
}

static void an_end_is_told_also_if_sigchld_is_ignored(void **state)
{
    record r = RECORD_INIT;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    (void)sigaction(SIGCHLD, &ignore, &before);

    (void)start(*state, "exit 3", -1, &r);
    const gri_process_event end = await_end(&r);

    (void)sigaction(SIGCHLD, &before, NULL);
    assert_int_equal(end.kind, GRI_PROCESS_EXITED);
    assert_int_equal(end.code, 3);
}

static void children_of_the_program_are_left_alone(void **state)
{
    record r = RECORD_INIT;
    const pid_t own = fork();
    if (own == 0) {
        _exit(42);
    }
    assert_true(own > 0);

    (void)start(*state, "exit 0", -1, &r);
    (void)await_end(&r);

    int status = 0;
    assert_int_equal(waitpid(own, &status, 0), own);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

enum { MANY = 60 };

static void many_at_once_are_all_told(void **state)
{
    static record r[MANY];
    for (int i = 0; i < MANY; i++) {
        r[i] = (record)RECORD_INIT;
        (void)start(*state, i % 2 == 0 ? "exit 5" : "kill -KILL $$", -1, &r[i]);
    }
    for (int i = 0; i < MANY; i++) {
        const gri_process_event end = await_end(&r[i]);
        assert_int_equal(end.kind, i % 2 == 0 ? GRI_PROCESS_EXITED
                                              : GRI_PROCESS_SIGNALED);
        assert_int_equal(end.code, i % 2 == 0 ? 5 : SIGKILL);
        assert_int_equal(r[i].events, 2);
    }
}

static void stop_kills_and_reaps_all(void **state)
{
    gri_launcher *launcher = *state;
    record untold = RECORD_INIT;
    record told = RECORD_INIT;
    (void)start(launcher, "exec sleep 1000", -1, &untold);
    const gri_process process = start(launcher, "exec sleep 1000", -1, &told);
    assert_true(await_start(&untold) > 0);
    assert_true(await_start(&told) > 0);
    launcher->ops->end(launcher, process, 1000000);

    launcher->ops->stop(launcher, 20);
    *state = NULL; /* teardown looks for zombies */

    /* Both ends were told before stop returned. */
    assert_true(untold.ended);
    assert_true(told.ended);
    assert_int_equal(untold.event.kind, GRI_PROCESS_SIGNALED);
    assert_int_equal(told.event.kind, GRI_PROCESS_SIGNALED);
}

static void what_is_ended_early_never_starts(void **state)
{
    static record r[GRI_PROCESSES_MAX];
    static gri_process process[GRI_PROCESSES_MAX];
    gri_launcher *launcher = *state;
    char name[] = "true";
    char *argv[] = {name, NULL};
    gri_launch launch = {
        .path = "/bin/true", .argv = argv, .control = -1, .fn = on_event};

    /* The launcher is held in the first callback; the rest waits behind. */
    for (unsigned i = 0; i < GRI_PROCESSES_MAX; i++) {
        r[i] = (record)RECORD_INIT;
        r[i].hold = i == 0;
        launch.arg = &r[i];
        assert_int_equal(launcher->ops->start(launcher, &launch, &process[i]),
                         0);
        if (i == 0) {
            assert_true(await_start(&r[0]) > 0);
        }
    }
    gri_process more = {0};
    assert_int_equal(launcher->ops->start(launcher, &launch, &more), GR_ELIMIT);
    assert_true(more.id == 0); /* outputs are untouched */
    for (unsigned i = 1; i < GRI_PROCESSES_MAX; i++) {
        launcher->ops->end(launcher, process[i], 0);
    }
    (void)pthread_mutex_lock(&r[0].lock);
    r[0].hold = false;
    (void)pthread_cond_broadcast(&r[0].changed);
    (void)pthread_mutex_unlock(&r[0].lock);

    for (unsigned i = 1; i < GRI_PROCESSES_MAX; i++) {
        const gri_process_event end = await_end(&r[i]);
        assert_int_equal(end.kind, GRI_PROCESS_FAILED);
        assert_int_equal(end.code, GR_ESTOPPED);
        assert_int_equal(r[i].events, 1);
    }
    assert_int_equal(await_end(&r[0]).kind, GRI_PROCESS_EXITED);
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv); /* this program's launcher leaves here */
    const struct CMUnitTest tests[] = {
        LAUNCHER_TEST(an_exit_status_is_told),
        LAUNCHER_TEST(a_signal_is_told),
        LAUNCHER_TEST(a_kill_from_outside_is_told),
        LAUNCHER_TEST(what_cannot_start_is_told),
        LAUNCHER_TEST(end_kills_what_does_not_end_by_itself),
        LAUNCHER_TEST(end_lets_the_polite_end_by_themselves),
        LAUNCHER_TEST(only_four_descriptors_are_inherited),
        LAUNCHER_TEST(standard_input_is_empty),
        LAUNCHER_TEST(blocked_signals_do_not_end_it),
        LAUNCHER_TEST(signals_start_afresh),
        LAUNCHER_TEST(its_process_group_is_its_own),
        LAUNCHER_TEST(sigchld_stays_the_programs),
        LAUNCHER_TEST(an_end_is_told_also_if_sigchld_is_ignored),
        LAUNCHER_TEST(children_of_the_program_are_left_alone),
        LAUNCHER_TEST(many_at_once_are_all_told),
        LAUNCHER_TEST(stop_kills_and_reaps_all),
        LAUNCHER_TEST(what_is_ended_early_never_starts),
    };
    return cmocka_run_group_tests_name("process/launcher", tests, NULL, NULL);
}
