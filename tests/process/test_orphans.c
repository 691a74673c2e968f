/*
 * Goal:   no child node outlives its parent, however the parent ends and
 *         whatever the child is doing at that moment.
 * Method: this program starts itself as a parent, which has child nodes of its
 *         own (this program once more), tells through its standard output how
 *         far they are, and is then killed or told to end. Its children are
 *         found in /proc by their node names, which hold the parent's process
 *         id; a pidfd of each tells when it is gone. A child that stays is a
 *         hanging test, which the test runner ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <greenroom/greenroom.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/process/status.h"

enum {
    CHILDREN = 2,
    STARTS = 20,
    /* Leak sanitizer looks at an ending process from another, which has its
     * arguments, too. */
    FOUND_MAX = 2 * CHILDREN
};

/* How the parent and its children behave. By the environment, as a child's
 * arguments are the library's. */
static const char *mode_here(void)
{
    const char *mode = getenv("ORPHAN_MODE"); /* NOLINT: nobody changes it */
    return mode != NULL ? mode : "";
}

static bool is_mode(const char *mode)
{
    return strcmp(mode_here(), mode) == 0;
}

/* ---- the child ---------------------------------------------------------- */

/* Occupies a worker for ever. */
static int stuck_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self;
    (void)state;
    (void)msg;
    while (pause() != 0) { /* it never returns 0 */
    }
    return 0;
}

static const gr_behavior stuck = {.name = "stuck", .receive = stuck_receive};

static int node_app(gr_actor *self, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (is_mode("deaf")) {
        /* Only the watcher is left to notice. */
        (void)prctl(PR_SET_PDEATHSIG, 0);
    }
    if (is_mode("deaf") || is_mode("hang")) {
        gr_pid pid;
        GR_TRY(gr_spawn(self, &stuck, NULL, &pid));
        GR_TRY(gr_send(self, pid, "hang"));
        for (;;) {
            (void)pause();
        }
    }
    if (is_mode("polite")) {
        (void)prctl(PR_SET_PDEATHSIG, 0);
    }
    return gr_wait_stop(self);
}

/* ---- the parent --------------------------------------------------------- */

static int parent(gr_actor *self)
{
    char names[CHILDREN][GR_NODE_NAME_MAX + 1];
    GR_TRY(gr_child_nodes_enable(self, "parent"));
    GR_TRY(gr_watch_nodes(self, true));
    for (int i = 0; i < CHILDREN; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "orphan-%d-%d", getpid(), i);
        GR_TRY(gr_spawn(
            self, &gr_child_node_behavior,
            &(gr_spawn_opts){.args = gr_args((const char *)names[i], 1)},
            NULL));
    }
    if (is_mode("start")) {
        /* Each look is at another moment of the children's start. */
        (void)puts("started");
        (void)fflush(stdout);
        return gr_wait_stop(self);
    }
    for (int up = 0; up < CHILDREN;) {
        const gr_msg *msg;
        bool is_up = false;
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
        up += gr_match_node(msg, &is_up, NULL, NULL, NULL) && is_up;
    }
    (void)puts("up");
    (void)fflush(stdout);
    return is_mode("return") ? 0 : gr_wait_stop(self);
}

/* ---- the test ----------------------------------------------------------- */

/* Child nodes of that parent that live; their ids go to pids. */
static int children_of(int parent_pid, int pids[FOUND_MAX])
{
    char want[64];
    int found = 0;
    const int want_len = snprintf(want, sizeof(want), "orphan-%d-", parent_pid);
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
    for (struct dirent *e; (e = readdir(proc)) != NULL;) {
        char path[300];
        char text[4096];
        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
        const int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            continue; /* not a process, or gone */
        }
        /* A zombie's is empty. */
        const ssize_t n = read(fd, text, sizeof(text));
        (void)close(fd);
        if (n > 0 && memmem(text, (size_t)n, want, (size_t)want_len) != NULL) {
            assert_true(found < FOUND_MAX);
            pids[found++] = (int)strtol(e->d_name, NULL, 10);
        }
    }
    (void)closedir(proc);
    return found;
}

/* Returns when none of the parent's children lives. */
static void await_no_children(int parent_pid)
{
    int pids[FOUND_MAX] = {0};
    for (int n; (n = children_of(parent_pid, pids)) > 0;) {
        for (int i = 0; i < n; i++) {
            struct pollfd gone = {.fd = pidfd_open(pids[i], 0),
                                  .events = POLLIN};
            if (gone.fd < 0) {
                assert_int_equal(errno, ESRCH);
                continue;
            }
            assert_int_equal(poll(&gone, 1, -1), 1);
            (void)close(gone.fd);
        }
    }
}

static void assert_children(int parent_pid, int want)
{
    int pids[FOUND_MAX];
    assert_int_equal(children_of(parent_pid, pids), want);
}

/* Starts a parent; returns when it said how far its children are. */
static pid_t start_parent(const char *mode)
{
    posix_spawn_file_actions_t files;
    int ends[2];
    pid_t pid = 0;
    char name[] = "test_orphans";
    char word[] = "parent";
    char *argv[] = {name, word, NULL};
    char line[16] = "";
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks */
    assert_int_equal(setenv("ORPHAN_MODE", mode, 1), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    assert_int_equal(
        posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO), 0);
    assert_int_equal(
        posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(ends[1]);
    assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
    (void)close(ends[0]);
    return pid;
}

static int end_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void kill_and_look(const char *mode)
{
    const pid_t pid = start_parent(mode);
    assert_children(pid, CHILDREN);

    assert_int_equal(kill(pid, SIGKILL), 0);

    assert_true(WIFSIGNALED(end_of(pid)));
    await_no_children(pid);
}

static void a_killed_parent_leaves_no_waiting_child(void **state)
{
    (void)state;
    kill_and_look("wait");
}

static void a_killed_parent_leaves_no_hanging_child(void **state)
{
    (void)state;
    kill_and_look("hang");
}

static void the_watcher_alone_kills_a_hanging_child(void **state)
{
    (void)state;
    kill_and_look("deaf");
}

static void the_watcher_alone_ends_a_waiting_child(void **state)
{
    (void)state;
    kill_and_look("polite");
}

static void a_killed_parent_leaves_no_starting_child(void **state)
{
    (void)state;
    for (int i = 0; i < STARTS; i++) {
        const pid_t pid = start_parent("start");
        for (int k = 0; k < i * i * 40; k++) {
            (void)sched_yield(); /* the children get further each time */
        }
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_true(WIFSIGNALED(end_of(pid)));
        await_no_children(pid);
    }
}

static void a_killed_parent_leaves_no_stopped_child(void **state)
{
    int pids[FOUND_MAX] = {0};
    (void)state;
    const pid_t pid = start_parent("wait");
    assert_int_equal(children_of(pid, pids), CHILDREN);
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(kill(pids[i], SIGSTOP), 0);
    }

    assert_int_equal(kill(pid, SIGKILL), 0);

    assert_true(WIFSIGNALED(end_of(pid)));
    await_no_children(pid);
}

static void a_parent_that_returns_leaves_no_child(void **state)
{
    (void)state;
    const pid_t pid = start_parent("return");

    const int status = end_of(pid);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_children(pid, 0); /* at once */
}

/* Waits until SIGTERM would not simply kill the process. */
static void await_ready_for_sigterm(pid_t pid)
{
    const unsigned long long bit = 1ULL << (SIGTERM - 1);
    while (((signals_of(pid, "SigBlk:") | signals_of(pid, "SigCgt:")) & bit) ==
           0) {
        (void)sched_yield();
    }
}

static void a_parent_that_is_told_to_end_leaves_no_child(void **state)
{
    (void)state;
    const pid_t pid = start_parent("wait");
    assert_children(pid, CHILDREN);

    await_ready_for_sigterm(pid);
    assert_int_equal(kill(pid, SIGTERM), 0); /* gr_wait_stop returns 0 */

    const int status = end_of(pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_children(pid, 0);
}

static void the_marker_alone_starts_nothing(void **state)
{
    static const char *const numbers[] = {"3", "0", "-1", "x", NULL};
    (void)state;
    for (int i = 0; i < 5; i++) {
        posix_spawn_file_actions_t files;
        char name[] = "test_orphans";
        char marker[] = "--greenroom-child-node";
        char number[8] = "";
        char *argv[] = {name, marker, numbers[i] != NULL ? number : NULL, NULL};
        pid_t pid = 0;
        if (numbers[i] != NULL) {
            (void)stpcpy(number, numbers[i]);
        }
        assert_int_equal(posix_spawn_file_actions_init(&files), 0);
        assert_int_equal(posix_spawn_file_actions_addopen(
                             &files, STDERR_FILENO, "/dev/null", O_WRONLY, 0),
                         0);
        assert_int_equal(posix_spawn_file_actions_addopen(
                             &files, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
                         0);
        assert_int_equal(posix_spawn_file_actions_addclosefrom_np(&files, 3),
                         0);
        assert_int_equal(
            posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ),
            0);
        (void)posix_spawn_file_actions_destroy(&files);
        const int status = end_of(pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 2);
    }
}

static int app(gr_actor *self, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "parent") == 0) {
        return parent(self);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_parent_leaves_no_waiting_child),
        cmocka_unit_test(a_killed_parent_leaves_no_hanging_child),
        cmocka_unit_test(the_watcher_alone_kills_a_hanging_child),
        cmocka_unit_test(the_watcher_alone_ends_a_waiting_child),
        cmocka_unit_test(a_killed_parent_leaves_no_starting_child),
        cmocka_unit_test(a_killed_parent_leaves_no_stopped_child),
        cmocka_unit_test(a_parent_that_returns_leaves_no_child),
        cmocka_unit_test(a_parent_that_is_told_to_end_leaves_no_child),
        cmocka_unit_test(the_marker_alone_starts_nothing),
    };
    return cmocka_run_group_tests_name("process/orphans", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return gr_main_with(
        argc, argv,
        &(gr_main_opts){
            .app = app,
            .node_app = node_app,
            .system.workers = 1,
            /* Then SIGTERM is caught in gr_wait_stop alone, and seen to be. */
            .own_signals = is_mode("wait"),
        });
}
