/*
 * Goal:   a program that is asked to stop ends also where that is hard: its app
 * is stuck, it is the first process of a container, or a forked copy of one
 * that runs. Method: as in test_signals.c.
 */
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>

#include "tests/process/helper.h"

/* ---- what the modes do -------------------------------------------------- */

/* Fills the pipe that nobody reads, and is sent a signal. */
static int fill_stderr(void)
{
    static const char block[4096];
    const int flags = fcntl(STDERR_FILENO, F_GETFL);
    if (flags < 0 || fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK) != 0) {
        return GR_EIO;
    }
    while (write(STDERR_FILENO, block, sizeof(block)) > 0) {
    }
    if (errno != EAGAIN || fcntl(STDERR_FILENO, F_SETFL, flags) != 0) {
        return GR_EIO;
    }
    (void)kill(getpid(), SIGINT);
    hang();
}

static int app_of_copy(gr_actor *self, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)kill(getpid(), SIGINT); /* by the handler it was born with */
    return wait_told(self);
}

/* A copy with one of the signals given back, and a main of its own. Returns the
 * signal that it died of. */
static int fork_main(void)
{
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0) {
        char name[] = "copy";
        char *argv[] = {name, NULL};
        const struct sigaction by_default = {.sa_handler = SIG_DFL};
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)sigaction(SIGTERM, &by_default, NULL);
        _exit(gr_main(1, argv, app_of_copy));
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return GR_EIO;
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : GR_EFAIL;
}

static int run_mode(gr_actor *self)
{
#ifdef UNDER_TSAN
    (void)poll(NULL, 0, 0); /* see test_signals.c */
#endif
    if (is_mode("fork")) {
        return fork_main();
    }
    if (is_mode("full")) {
        return fill_stderr();
    }
    if (is_mode("locked")) {
        flockfile(stderr);
    }
    say("up");
    if (is_mode("first_wait")) {
        return wait_told(self);
    }
    if (is_mode("first_deaf")) {
        (void)wait_told(self);
    }
    hang();
}

/* ---- the tests ---------------------------------------------------------- */

static void an_app_that_does_not_return_is_killed(void **state)
{
    run r;
    (void)state;
    start_up(&r, "stuck");
    assert_int_equal(kill(r.pid, SIGINT), 0);
    assert_signaled(&r, SIGINT);
    assert_says(&r, "its app does not return");
    assert_nothing_left(&r);
}

static void so_is_one_that_has_stderr_locked(void **state)
{
    run r;
    (void)state;
    start_up(&r, "locked");
    assert_int_equal(kill(r.pid, SIGINT), 0);
    assert_signaled(&r, SIGINT);
    assert_says(&r, "its app does not return");
    assert_nothing_left(&r);
}

static void so_is_one_whose_stderr_nobody_reads(void **state)
{
    siginfo_t info = {0};
    run r;
    (void)state;
    start(&r, "full");
    assert_int_equal(waitid(P_PID, (id_t)r.pid, &info, WEXITED | WNOWAIT), 0);
    assert_signaled(&r, SIGINT);
    assert_nothing_left(&r);
}

/* Starts it as the first process of a container. Returns its process id; 0:
 * that is not allowed here. */
static pid_t start_first(run *r, const char *mode)
{
    char line[64] = "";
    start(r, mode);
    assert_non_null(fgets(line, sizeof(line), r->out));
    assert_int_equal(strncmp(line, "first", 5), 0);
    const pid_t first = (pid_t)strtol(line + 5, NULL, 10);
    if (first == 0) {
        assert_exited(r, 0);
        assert_nothing_left(r);
        return 0;
    }
    assert_non_null(fgets(line, sizeof(line), r->out));
    assert_string_equal(line, "up\n");
    return first;
}

static void the_first_of_a_container_ends_too(void **state)
{
    static const char *const modes[] = {"first_wait", "first_stuck",
                                        "first_deaf"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        run r;
        const pid_t first = start_first(&r, modes[i]);
        if (first == 0) {
            skip();
        }
        assert_int_equal(kill(first, SIGTERM), 0);
        if (i == 2) {
            char line[64] = "";
            assert_non_null(fgets(line, sizeof(line), r.out));
            assert_string_equal(line, "told: shutdown\n");
            assert_int_equal(kill(first, SIGINT), 0);
        }
        assert_exited(&r, 128 + (i == 2 ? SIGINT : SIGTERM));
        assert_nothing_left(&r);
    }
}

static void a_forked_copy_may_have_a_main_too(void **state)
{
    run r;
    (void)state;
    if (UNDER_SANITIZER) {
        /* ThreadSanitizer lets no forked copy start threads; the allocator of
         * AddressSanitizer may be locked for ever in a copy of a process that
         * had some. */
        skip();
    }
    start(&r, "fork");
    assert_exited(&r, SIGINT);
    assert_says(&r, "told: shutdown\n");
    assert_nothing_left(&r);
}

/* ---- the program -------------------------------------------------------- */

static int app(gr_actor *self, int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        return run_mode(self);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_app_that_does_not_return_is_killed),
        cmocka_unit_test(so_is_one_that_has_stderr_locked),
        cmocka_unit_test(so_is_one_whose_stderr_nobody_reads),
        cmocka_unit_test(the_first_of_a_container_ends_too),
        cmocka_unit_test(a_forked_copy_may_have_a_main_too),
    };
    return cmocka_run_group_tests_name("process/signals_die", tests, NULL,
                                       NULL);
}

/*
 * Goes on as the first process of a new container. The one outside tells which
 * that is, before it may go on, and ends as it does. Says 0 and ends if there
 * may be no container.
 */
static void enter_container(void)
{
    int ends[2];
    int status = 0;
    char byte = 0;
    if ((unshare(CLONE_NEWPID) != 0 &&
         unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) ||
        pipe2(ends, O_CLOEXEC) != 0) {
        say("first 0");
        _exit(0);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)!read(ends[0], &byte, 1);
        return;
    }
    (void)printf("first %d\n", pid);
    (void)fflush(stdout);
    (void)!write(ends[1], &byte, 1);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        _exit(1);
    }
    _exit(WEXITSTATUS(status));
}

static bool is_stuck_mode(void)
{
    return is_mode("first_stuck") || is_mode("stuck") || is_mode("locked") ||
           is_mode("full");
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        /* One that hangs must not outlive a test that failed. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (argc > 1 && strncmp(variable("SIGNALS_MODE"), "first_", 6) == 0) {
        enter_container();
    }
    return gr_main_with(argc, argv,
                        &(gr_main_opts){
                            .app = app,
                            .system.workers = 1,
                            .system.log_level = GR_LOG_WARN,
                            .stop_ms = argc == 1         ? 0
                                       : is_stuck_mode() ? 10
                                                         : LONG_MS,
                        });
}
