/*
 * Goal:   a program that is killed under load, alone or together with its
 *         launcher or a child node, in any order, leaves no process.
 * Method: this program starts itself as such a program, waits until its traffic
 *         flows, kills, and waits until none of its processes lives: one that
 *         stays is a hanging test, which the test runner ends. KILL_ROUNDS says
 *         how often.
 */
#include <fcntl.h>
#include <spawn.h>

#include "tests/process/storm.h"

enum { ROUNDS = 12, ENDLESS = 1000000 };

/* ---- the program that is killed ----------------------------------------- */

static int run_program(gr_actor *self)
{
    storm s;
    int flows = 0;
    GR_TRY(storm_start(self, &s, ENDLESS));
    for (;;) {
        const gr_msg *msg;
        gr_pid echo;
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
        if (!gr_match(msg, "flows", &echo)) {
            storm_note(self, &s, msg);
        } else if (++flows == STORM_NODES) {
            (void)puts("up");
            (void)fflush(stdout);
        }
    }
}

static pid_t start_program(void)
{
    posix_spawn_file_actions_t files;
    char name[] = "test_kill_storm_parent";
    char word[] = "program";
    char *argv[] = {name, word, NULL};
    char line[16] = "";
    int ends[2];
    pid_t pid = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    assert_int_equal(
        posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO), 0);
    assert_int_equal(
        posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(ends[1]);
    assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
    assert_int_equal(strncmp(line, "up", 2), 0);
    (void)close(ends[0]);
    return pid;
}

/* ---- the test ----------------------------------------------------------- */

enum { PROGRAM, LAUNCHER, CHILD, VICTIMS };

/* All orders of one, two or three that have the program in them; *stop: a child
 * is stopped before. */
static const struct {
    int order[VICTIMS];
    int n;
    bool stop;
} ways[] = {
    {{PROGRAM}, 1, false},
    {{PROGRAM}, 1, true},
    {{LAUNCHER, PROGRAM}, 2, false},
    {{LAUNCHER, PROGRAM}, 2, true},
    {{PROGRAM, LAUNCHER}, 2, false},
    {{PROGRAM, LAUNCHER}, 2, true},
    {{CHILD, PROGRAM}, 2, false},
    {{PROGRAM, CHILD}, 2, false},
    {{CHILD, LAUNCHER, PROGRAM}, 3, false},
    {{LAUNCHER, CHILD, PROGRAM}, 3, false},
    {{PROGRAM, CHILD, LAUNCHER}, 3, false},
    {{PROGRAM, LAUNCHER, CHILD}, 3, false},
};

static void nothing_outlives_a_killed_program(void **state)
{
    const int rounds = found_rounds(ROUNDS);
    char base[] = "/tmp/gr-test-storm-XXXXXX";
    char command[128];
    (void)state;
    assert_non_null(mkdtemp(base));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", base, 1), 0);
    for (int round = 0; round < rounds; round++) {
        const size_t way = (size_t)round % (sizeof(ways) / sizeof(ways[0]));
        int pids[FOUND_MAX];
        int launchers = 0;
        int status = 0;
        const pid_t program = start_program();
        const int n = storm_processes(program, pids, &launchers);
        assert_int_equal(launchers, 1);
        assert_int_equal(n, 1 + STORM_NODES);
        const int victims[VICTIMS] = {program, pids[0], pids[1]};
        if (ways[way].stop) {
            assert_int_equal(kill(pids[2], SIGSTOP), 0);
        }

        for (int i = 0; i < ways[way].n; i++) {
            /* It may have died with the one before. */
            (void)kill(victims[ways[way].order[i]], SIGKILL);
        }

        assert_int_equal(waitpid(program, &status, 0), program);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);
        storm_await_none(program);
    }
    /* What a killed program leaves: its folder, which the next one takes. */
    (void)snprintf(command, sizeof(command), "rm -r '%s'", base);
    /* NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): rm of our own */
    assert_int_equal(system(command), 0);
}

static int app(gr_actor *self, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "program") == 0) {
        return run_program(self);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_outlives_a_killed_program),
    };
    return cmocka_run_group_tests_name("process/kill_storm_parent", tests, NULL,
                                       NULL);
}

int main(int argc, char **argv)
{
    return gr_main_with(argc, argv,
                        &(gr_main_opts){.app = app,
                                        .spawnable = storm_spawnable,
                                        .system.workers = 1});
}
