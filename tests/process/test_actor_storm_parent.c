/*
 * Goal:   a program with process actors that is killed under load, alone or
 *         together with its launcher or a process of an actor, in any order,
 *         leaves no process.
 * Method: this program starts itself as such a program, waits until its traffic
 *         flows, kills, and waits until none of its processes lives: one that
 *         stays is a hanging test, which the test runner ends. KILL_ROUNDS says
 *         how often.
 */
#include "tests/process/actor_storm.h"

#include <spawn.h>

enum { ROUNDS = 12, ENDLESS = 1000000 };

/* ---- the program that is killed ----------------------------------------- */

static int run_program(void)
{
    gr_system *sys;
    gr_actor *self;
    storm s;
    bool told = false;
    GR_TRY(gr_system_start(
        &(gr_system_opts){.workers = 2, .log_level = GR_LOG_WARN}, &sys));
    GR_TRY(gr_thread_attach(sys, NULL, &self));
    GR_TRY(gr_processes_enable(self));
    GR_TRY(storm_start(self, &s, ENDLESS));
    for (;;) {
        const gr_msg *msg;
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
        storm_note(self, &s, msg);
        if (!told && storm_all_flow(&s)) {
            told = true;
            (void)puts("up");
            (void)fflush(stdout);
        }
    }
}

static pid_t start_program(void)
{
    posix_spawn_file_actions_t files;
    char name[] = "test_actor_storm_parent";
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
    (void)state;
    for (int round = 0; round < rounds; round++) {
        const size_t way = (size_t)round % (sizeof(ways) / sizeof(ways[0]));
        int pids[FOUND_MAX];
        int launchers = 0;
        int status = 0;
        const pid_t program = start_program();
        int n;
        do { /* what it starts has its arguments until it executes */
            n = storm_processes(program, pids, &launchers);
            assert_true(launchers > 0);
        } while (launchers > 1);
        assert_in_range(n, 1 + STORM_ACTORS, 2 + STORM_ACTORS);
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
        while ((n = storm_processes(program, pids, &launchers)) > 0) {
            found_await_ends(pids, n);
        }
    }
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "program") == 0) {
        return run_program() < 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_outlives_a_killed_program),
    };
    return cmocka_run_group_tests_name("process/actor_storm_parent", tests,
                                       NULL, NULL);
}
