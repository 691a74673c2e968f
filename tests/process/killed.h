/*
 * tests/process/killed.h - kills programs that have processes, in all orders.
 *
 * For behind storm.h or actor_storm.h, whose processes they are. This program
 * starts itself with the word "program", and is to print a line when its
 * traffic flows.
 */
#ifndef TESTS_PROCESS_KILLED_H
#define TESTS_PROCESS_KILLED_H

#include <fcntl.h>
#include <spawn.h>

static inline pid_t start_program(void)
{
    posix_spawn_file_actions_t files;
    char name[] = "test_storm_program";
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

/* Returns when none of that program's processes lives. */
static inline void await_none(int program)
{
    int pids[FOUND_MAX];
    int launchers = 0;
    for (int n; (n = storm_processes(program, pids, &launchers)) > 0;) {
        found_await_ends(pids, n);
    }
}

/* A program with its launcher and `least` to `most` other processes is killed,
 * the next way of all each time, and leaves nothing. */
static inline void kill_programs(int rounds, int least, int most)
{
    for (int round = 0; round < rounds; round++) {
        const size_t way = (size_t)round % (sizeof(ways) / sizeof(ways[0]));
        int pids[FOUND_MAX];
        int launchers = 0;
        int status = 0;
        const pid_t program = start_program();
        const int n = storm_processes(program, pids, &launchers);
        assert_int_equal(launchers, 1);
        assert_in_range(n, 1 + least, 1 + most);
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
        await_none(program);
    }
}

#endif /* TESTS_PROCESS_KILLED_H */
