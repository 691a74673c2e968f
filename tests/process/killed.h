/*
 * tests/process/killed.h - kills programs that have processes, in all orders.
 *
 * For behind storm.h or actor_storm.h, whose processes they are. This program
 * starts itself with the word "program", which is to call killed_tell whenever
 * its traffic begins or ends. It adopts whoever loses his parent, so nobody can
 * be left that it does not see, whatever his name.
 */
#ifndef TESTS_PROCESS_KILLED_H
#define TESTS_PROCESS_KILLED_H

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/process/left.h"

/* ---- the program that is killed ------------------------------------------ */

/* A line each time that all its traffic has come to flow. */
static inline void killed_tell(bool *told, bool flows)
{
    if (flows && !*told) {
        (void)puts("up");
        (void)fflush(stdout);
    }
    *told = flows;
}

/* ---- who kills it -------------------------------------------------------- */

enum { PROGRAM, LAUNCHER, CHILD, VICTIMS };

typedef struct killed_program {
    pid_t pid;
    int lines; /* what it prints */
    int launcher;
    int child;   /* one of its other processes, */
    int another; /* and another one */
} killed_program;

/* Returns when it has said that its traffic flows, and its launcher is another
 * one than before and has `least` to `most` processes. */
static inline void await_program(killed_program *p, int least, int most)
{
    int pids[FOUND_MAX];
    int launchers = 0;
    int n = 0;
    do {
        char line[3];
        assert_int_equal(read(p->lines, line, sizeof(line)), sizeof(line));
        assert_memory_equal(line, "up\n", sizeof(line));
        n = storm_processes(p->pid, pids, &launchers);
    } while (launchers != 1 || pids[0] == p->launcher || n < 1 + least);
    assert_in_range(n, 1 + least, 1 + most);
    p->launcher = pids[0];
    p->child = pids[1];
    p->another = pids[2];
    left_await_none(p->pid);
}

static inline void start_program(killed_program *p)
{
    posix_spawn_file_actions_t files;
    char name[] = "test_storm_program";
    char word[] = "program";
    char *argv[] = {name, word, NULL};
    int ends[2];
    *p = (killed_program){.pid = 0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    assert_int_equal(
        posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO), 0);
    assert_int_equal(
        posix_spawn(&p->pid, "/proc/self/exe", &files, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(ends[1]);
    p->lines = ends[0];
}

/* All orders of one, two or three that have the program in them. */
static const struct {
    int order[VICTIMS];
    int n;
    bool stop;        /* a child is stopped before */
    bool frozen;      /* launcher and child are killed before, while the program
                         is stopped: it sees both ends at once, and recovers */
    bool child_first; /* of these */
} ways[] = {
    {{PROGRAM}, 1, false, false, false},
    {{PROGRAM}, 1, true, false, false},
    {{LAUNCHER, PROGRAM}, 2, false, false, false},
    {{LAUNCHER, PROGRAM}, 2, true, false, false},
    {{PROGRAM, LAUNCHER}, 2, false, false, false},
    {{PROGRAM, LAUNCHER}, 2, true, false, false},
    {{CHILD, PROGRAM}, 2, false, false, false},
    {{PROGRAM, CHILD}, 2, false, false, false},
    {{CHILD, LAUNCHER, PROGRAM}, 3, false, false, false},
    {{LAUNCHER, CHILD, PROGRAM}, 3, false, false, false},
    {{PROGRAM, CHILD, LAUNCHER}, 3, false, false, false},
    {{PROGRAM, LAUNCHER, CHILD}, 3, false, false, false},
    {{PROGRAM}, 1, false, true, false},
    {{PROGRAM}, 1, false, true, true},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

/* Kills child and launcher before the program can see either. */
static inline void kill_unseen(const killed_program *p, bool child_first)
{
    const int victims[2] = {child_first ? p->child : p->launcher,
                            child_first ? p->launcher : p->child};
    siginfo_t info;
    assert_int_equal(kill(p->pid, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)p->pid, &info, WSTOPPED), 0);
    for (int i = 0; i < 2; i++) {
        (void)kill(victims[i], SIGKILL); /* or it died with the one before */
        found_await_ends(&victims[i], 1);
    }
    assert_int_equal(kill(p->pid, SIGCONT), 0);
}

/* Returns when nobody is left, alive or dead. A launcher that ends by itself
 * has reaped all before: nobody comes to us then, but those of an earlier one
 * that was killed. */
static inline void reap_all(const killed_program *p, bool had_another)
{
    bool in_order = false;
    int adopted = 0;
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED) == 0) {
        if (info.si_pid == p->pid) {
            assert_int_equal(info.si_code, CLD_KILLED);
            assert_int_equal(info.si_status, SIGKILL);
        } else if (info.si_pid == p->launcher) {
            in_order = info.si_code == CLD_EXITED;
        } else {
            adopted++;
        }
    }
    assert_int_equal(errno, ECHILD);
    assert_true(!in_order || adopted == 0 || had_another);
}

/* A program with its launcher and `least` to `most` other processes is killed,
 * the next way of all each time, and leaves nothing. */
static inline void kill_programs(int rounds, int least, int most)
{
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (int round = 0; round < rounds; round++) {
        const int way = round % WAYS;
        killed_program p;
        int pids[FOUND_MAX];
        int launchers = 0;
        start_program(&p);
        await_program(&p, least, most);
        if (ways[way].frozen) {
            kill_unseen(&p, ways[way].child_first);
            await_program(&p, least, most);
        }
        if (ways[way].stop) {
            assert_int_equal(kill(p.another, SIGSTOP), 0);
        }

        const int victims[VICTIMS] = {p.pid, p.launcher, p.child};
        for (int i = 0; i < ways[way].n; i++) {
            /* It may have died with the one before. */
            (void)kill(victims[ways[way].order[i]], SIGKILL);
        }

        reap_all(&p, ways[way].frozen);
        assert_int_equal(storm_processes(p.pid, pids, &launchers), 0);
        (void)close(p.lines);
    }
}

#endif /* TESTS_PROCESS_KILLED_H */
