/*
 * Goal:   SIGINT, SIGTERM and SIGHUP end a program in an orderly way and by
 * that signal, leaving no child and no folder; and what else system.h says of
 * them. Method: this program runs itself, in a mode of its own for each claim.
 * It tells through a pipe when it may be sent a signal, and what it sees of it.
 * The pipe's end of file comes when all its children are gone, too: one that
 * stays is a hanging test, which the test runner ends.
 */
#include <fcntl.h>
#include <greenroom/greenroom.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include "tests/process/helper.h"

enum { OWN_STATUS = 7 };

/* ---- what the modes do -------------------------------------------------- */

/* Has a child node, and says so with its process id. */
static int start_child(gr_actor *self)
{
    bool up = false;
    int pid = 0;
    GR_TRY(gr_child_nodes_enable(self, "parent"));
    GR_TRY(gr_watch_nodes(self, true));
    GR_TRY(gr_spawn(self, &gr_child_node_behavior,
                    &(gr_spawn_opts){.args = gr_args("child", 1)}, NULL));
    while (!up) {
        const gr_msg *msg;
        GR_TRY(gr_receive(self, LONG_MS, &msg));
        up = gr_match_node(msg, &up, NULL, NULL, NULL) && up;
    }
    GR_TRY(gr_child_node_process(self, "child", &pid));
    (void)printf("up %d\n", pid);
    (void)fflush(stdout);
    return 0;
}

/* The child was sent SIGTERM: says when it is gone. */
static int wait_down(gr_actor *self)
{
    bool up = true;
    while (up) {
        const gr_msg *msg;
        GR_TRY(gr_receive(self, LONG_MS, &msg));
        (void)gr_match_node(msg, &up, NULL, NULL, NULL);
    }
    return OWN_STATUS;
}

static void (*handler_of(int number))(int)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 ? now.sa_handler : SIG_ERR;
}

/* Sends SIGTERM once another handler than gr_main's is there. */
static void *send_to_wait_stop(void *arg)
{
    void (**before)(int) = arg;
    while (handler_of(SIGTERM) == *before) {
        (void)sched_yield();
    }
    (void)kill(getpid(), SIGTERM);
    return NULL;
}

static int wait_stop(gr_actor *self)
{
    void (*before)(int) = handler_of(SIGTERM);
    pthread_t thread;
    if (pthread_create(&thread, NULL, send_to_wait_stop, &before) != 0) {
        return GR_EIO;
    }
    GR_TRY(gr_wait_stop(self));
    (void)pthread_join(thread, NULL);
    return handler_of(SIGTERM) == before ? OWN_STATUS : GR_EFAIL;
}

static volatile sig_atomic_t heard;

static void on_signal(int number)
{
    heard = number;
}

static int run_mode(gr_actor *self)
{
#ifdef UNDER_TSAN
    /* ThreadSanitizer makes what it needs for signals in a thread's first
     * blocking call, and loses a signal that comes just then. */
    (void)poll(NULL, 0, 0);
#endif
    if (is_mode("wait") || is_mode("ignored") || is_mode("early") ||
        is_mode("own_child")) {
        GR_TRY(start_child(self));
        return wait_told(self);
    }
    if (is_mode("down")) {
        GR_TRY(start_child(self));
        return wait_down(self);
    }
    if (is_mode("deaf")) {
        GR_TRY(start_child(self));
        (void)wait_told(self);
        hang();
    }
    if (is_mode("own") || is_mode("seed")) {
        say("up");
        hang();
    }
    if (is_mode("handler")) {
        say("up");
        while (heard == 0) {
            (void)poll(NULL, 0, 1);
        }
        return OWN_STATUS;
    }
    if (is_mode("raise")) {
        (void)kill(getpid(), SIGTERM);
        (void)printf("not flushed yet\n");
        return 0;
    }
    if (is_mode("wait_stop")) {
        return wait_stop(self);
    }
    say("up");
    return wait_told(self);
}

/* ---- the tests ---------------------------------------------------------- */

static void each_ends_it_in_order(void **state)
{
    static const char *const lines[] = {
        "stopped by SIGINT\n", "stopped by SIGTERM\n", "stopped by SIGHUP\n"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        run r;
        start_up(&r, "wait");
        assert_int_equal(kill(r.pid, three[i]), 0);
        assert_signaled(&r, three[i]);
        assert_says(&r, "told: shutdown\n");
        assert_says(&r, lines[i]);
        assert_nothing_left(&r);
    }
}

static void what_is_ignored_stays_so(void **state)
{
    run r;
    (void)state;
    start_up(&r, "ignored");
    assert_int_equal(signals_in(r.pid, "SigIgn:"), 1ULL << (SIGINT - 1));
    assert_int_equal(kill(r.pid, SIGINT), 0);
    assert_int_equal(kill(r.pid, SIGTERM), 0);
    assert_signaled(&r, SIGTERM);
    assert_says(&r, "stopped by SIGTERM\n");
    assert_nothing_left(&r);
}

static void a_handler_of_the_program_stays(void **state)
{
    run r;
    (void)state;
    start_up(&r, "handler");
    assert_int_equal(kill(r.pid, SIGTERM), 0);
    assert_exited(&r, OWN_STATUS);
    assert_string_equal(r.text, "");
    assert_nothing_left(&r);
}

static void it_can_be_switched_off(void **state)
{
    static const char *const modes[] = {"own", "seed"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        run r;
        start_up(&r, modes[i]);
        assert_int_equal(signals_in(r.pid, "SigCgt:"), 0);
        assert_int_equal(kill(r.pid, SIGHUP), 0);
        assert_signaled(&r, SIGHUP);
        assert_null(strstr(r.text, "stopped"));
        assert_nothing_left(&r);
    }
}

static void a_second_signal_ends_it_at_once(void **state)
{
    char line[64] = "";
    run r;
    (void)state;
    start_up(&r, "deaf");
    assert_int_equal(kill(r.pid, SIGINT), 0);
    assert_non_null(fgets(line, sizeof(line), r.out));
    assert_string_equal(line, "told: shutdown\n");
    assert_int_equal(kill(r.pid, SIGTERM), 0);
    assert_signaled(&r, SIGTERM);
    sweep(&r);
}

static void the_same_signal_again_ends_it_too(void **state)
{
    siginfo_t info = {0};
    run r;
    (void)state;
    start_up(&r, "deaf");
    /* Again and again: the first repetitions are taken for the same request. */
    while (info.si_pid == 0) {
        assert_int_equal(kill(r.pid, SIGINT), 0);
        assert_int_equal(
            waitid(P_PID, (id_t)r.pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
        (void)sched_yield();
    }
    assert_signaled(&r, SIGINT);
    sweep(&r);
}

static void an_app_that_returns_by_itself_is_quiet(void **state)
{
    run r;
    (void)state;
    start(&r, "raise");
    assert_signaled(&r, SIGTERM);
    assert_string_equal(r.text, "not flushed yet\n");
    assert_nothing_left(&r);
}

static void gr_wait_stop_has_its_own_way(void **state)
{
    run r;
    (void)state;
    start(&r, "wait_stop");
    assert_exited(&r, OWN_STATUS);
    assert_string_equal(r.text, "");
    assert_nothing_left(&r);
}

static void a_second_main_is_like_the_first(void **state)
{
    run r;
    (void)state;
    start_up(&r, "twice");
    assert_int_equal(kill(r.pid, SIGTERM), 0);
    assert_signaled(&r, SIGTERM);
    assert_says(&r, "told: shutdown\n");
    assert_nothing_left(&r);
}

static void a_child_leaves_them_to_its_parent(void **state)
{
    run r;
    (void)state;
    start_up(&r, "wait");
    assert_int_equal(kill(r.child, SIGINT), 0);
    assert_int_equal(kill(r.child, SIGHUP), 0);
    assert_int_equal(signals_in(r.child, "ShdPnd:"),
                     1ULL << (SIGINT - 1) | 1ULL << (SIGHUP - 1));
    assert_int_equal(kill(r.pid, SIGHUP), 0);
    assert_signaled(&r, SIGHUP);
    assert_nothing_left(&r);
}

static void also_while_it_starts(void **state)
{
    run r;
    (void)state;
    start_up(&r, "early"); /* so it came up */
    assert_int_equal(kill(r.pid, SIGINT), 0);
    assert_signaled(&r, SIGINT);
    assert_nothing_left(&r);
}

static void a_child_may_have_its_own(void **state)
{
    run r;
    (void)state;
    start_up(&r, "own_child");
    assert_int_equal(signals_in(r.child, "SigBlk:"), 0);
    assert_int_equal(kill(r.pid, SIGHUP), 0);
    assert_signaled(&r, SIGHUP);
    sweep(&r);
}

static void a_child_ends_by_sigterm(void **state)
{
    run r;
    (void)state;
    start_up(&r, "down");
    assert_int_equal(kill(r.child, SIGTERM), 0);
    assert_exited(&r, OWN_STATUS);
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
        cmocka_unit_test(each_ends_it_in_order),
        cmocka_unit_test(what_is_ignored_stays_so),
        cmocka_unit_test(a_handler_of_the_program_stays),
        cmocka_unit_test(it_can_be_switched_off),
        cmocka_unit_test(a_second_signal_ends_it_at_once),
        cmocka_unit_test(the_same_signal_again_ends_it_too),
        cmocka_unit_test(an_app_that_returns_by_itself_is_quiet),
        cmocka_unit_test(gr_wait_stop_has_its_own_way),
        cmocka_unit_test(a_second_main_is_like_the_first),
        cmocka_unit_test(a_child_leaves_them_to_its_parent),
        cmocka_unit_test(also_while_it_starts),
        cmocka_unit_test(a_child_may_have_its_own),
        cmocka_unit_test(a_child_ends_by_sigterm),
    };
    return cmocka_run_group_tests_name("process/signals", tests, NULL, NULL);
}

static int return_0(gr_actor *self, int argc, char **argv)
{
    (void)self;
    (void)argc;
    (void)argv;
    return 0;
}

/* The first main gives back what it took. */
static bool is_first_main_over(int argc, char **argv)
{
    if (gr_main(argc, argv, return_0) != 0) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (handler_of(three[i]) != SIG_DFL) {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    if (argc > 1) {
        /* One that hangs must not outlive a test that failed. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (argc > 2 && is_mode("early")) { /* the child node */
        (void)kill(getpid(), SIGINT);
        (void)kill(getpid(), SIGHUP);
    }
    if (argc > 1 && is_mode("ignored")) {
        (void)sigaction(SIGINT, &action, NULL);
    }
    if (argc > 1 && is_mode("handler")) {
        action.sa_handler = on_signal;
        (void)sigaction(SIGTERM, &action, NULL);
    }
    if (argc > 1 && is_mode("twice") && !is_first_main_over(argc, argv)) {
        return 1;
    }
    return gr_main_with(
        argc, argv,
        &(gr_main_opts){
            .app = app,
            .system.workers = 1,
            .system.log_level = GR_LOG_WARN,
            .system.seed = argc > 1 && is_mode("seed") ? 7 : 0,
            .own_signals = is_mode("own") || is_mode("own_child"),
            .stop_ms = argc == 1 ? 0 : LONG_MS,
        });
}
