/*
 * Goal:   no child node outlives its parent, however the parent ends and
 *         whatever the child is doing at that moment.
 * Method: this program starts itself as a parent, which has child nodes of its
 *         own (this program once more), tells through its standard output how
 *         far they are, and is then killed or told to end. Its children are
 *         found in /proc by their node names, which hold the parent's process
 *         id. The number of looks is bounded; what is bounded by time in the
 *         library (a second until a deaf child is killed) has ten here.
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
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILDREN = 2, LOOKS = 1000, LOOK_PAUSE_MS = 10 };

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

/* The mode comes by the environment: the arguments are the library's. */
static int node_app(gr_actor *self, int argc, char **argv)
{
    const char *mode = getenv("ORPHAN_MODE");
    (void)argc;
    (void)argv;
    if (strcmp(mode, "deaf") == 0) {
        /* Only the watcher is left to notice. */
        (void)prctl(PR_SET_PDEATHSIG, 0);
    }
    if (strcmp(mode, "deaf") == 0 || strcmp(mode, "hang") == 0) {
        gr_pid pid;
        GR_TRY(gr_spawn(self, &stuck, NULL, &pid));
        GR_TRY(gr_send(self, pid, "hang"));
        for (;;) {
            (void)pause();
        }
    }
    if (strcmp(mode, "polite") == 0) {
        (void)prctl(PR_SET_PDEATHSIG, 0);
    }
    return gr_wait_stop(self);
}

/* ---- the parent --------------------------------------------------------- */

static int parent(gr_actor *self)
{
    const char *mode = getenv("ORPHAN_MODE");
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
    if (strcmp(mode, "start") == 0) {
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
    return strcmp(mode, "return") == 0 ? 0 : gr_wait_stop(self);
}

/* ---- the test ----------------------------------------------------------- */

/* Child nodes of that parent that live. Their ids go to pids, if not NULL. */
static int children_of(int parent_pid, int *pids, int max)
{
    char want[64];
    int found = 0;
    const int want_len = snprintf(want, sizeof(want), "orphan-%d-", parent_pid);
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
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
            if (pids != NULL && found < max) {
                pids[found] = atoi(e->d_name);
            }
            found++;
        }
    }
    (void)closedir(proc);
    return found;
}

static void assert_no_children_soon(int parent_pid)
{
    const struct timespec pause_time = {.tv_nsec = LOOK_PAUSE_MS * 1000000L};
    int left = 0;
    for (int i = 0; i < LOOKS; i++) {
        left = children_of(parent_pid, NULL, 0);
        if (left == 0) {
            return;
        }
        (void)nanosleep(&pause_time, NULL);
    }
    assert_int_equal(left, 0);
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
    assert_int_equal(children_of(pid, NULL, 0), CHILDREN);

    assert_int_equal(kill(pid, SIGKILL), 0);

    assert_true(WIFSIGNALED(end_of(pid)));
    assert_no_children_soon(pid);
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
    for (int i = 0; i < 20; i++) {
        const struct timespec some_time = {.tv_nsec = i * 400000L};
        const pid_t pid = start_parent("start");
        (void)nanosleep(&some_time, NULL); /* not to wait: to vary */
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_true(WIFSIGNALED(end_of(pid)));
        assert_no_children_soon(pid);
    }
}

static void a_killed_parent_leaves_no_stopped_child(void **state)
{
    int pids[CHILDREN] = {0};
    (void)state;
    const pid_t pid = start_parent("wait");
    assert_int_equal(children_of(pid, pids, CHILDREN), CHILDREN);
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(kill(pids[i], SIGSTOP), 0);
    }

    assert_int_equal(kill(pid, SIGKILL), 0);

    assert_true(WIFSIGNALED(end_of(pid)));
    assert_no_children_soon(pid);
}

static void a_parent_that_returns_leaves_no_child(void **state)
{
    (void)state;
    const pid_t pid = start_parent("return");

    const int status = end_of(pid);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(children_of(pid, NULL, 0), 0); /* at once */
}

/* Waits until SIGTERM would not simply kill the process. */
static void await_ready_for_sigterm(pid_t pid)
{
    const struct timespec pause_time = {.tv_nsec = LOOK_PAUSE_MS * 1000000L};
    const unsigned long long bit = 1ULL << (SIGTERM - 1);
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    for (int i = 0; i < LOOKS; i++) {
        unsigned long long blocked = 0;
        unsigned long long caught = 0;
        char line[256];
        FILE *status = fopen(path, "re");
        assert_non_null(status);
        while (fgets(line, sizeof(line), status) != NULL) {
            (void)sscanf(line, "SigBlk: %llx", &blocked);
            (void)sscanf(line, "SigCgt: %llx", &caught);
        }
        (void)fclose(status);
        if (((blocked | caught) & bit) != 0) {
            return;
        }
        (void)nanosleep(&pause_time, NULL);
    }
    fail();
}

static void a_parent_that_is_told_to_end_leaves_no_child(void **state)
{
    (void)state;
    const pid_t pid = start_parent("wait");
    assert_int_equal(children_of(pid, NULL, 0), CHILDREN);

    await_ready_for_sigterm(pid);
    assert_int_equal(kill(pid, SIGTERM), 0); /* gr_wait_stop returns 0 */

    const int status = end_of(pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(children_of(pid, NULL, 0), 0);
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
            (void)strcpy(number, numbers[i]);
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
        &(gr_main_opts){.app = app, .node_app = node_app, .system.workers = 1});
}
