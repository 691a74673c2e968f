/*
 * tests/process/found.h - the processes of a program, as /proc shows them.
 */
#ifndef TESTS_PROCESS_FOUND_H
#define TESTS_PROCESS_FOUND_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { FOUND_MAX = 64 };

/* True if the process lives (a zombie has no arguments) and has that in them.
 */
static inline bool found_has(const char *id, const char *want, size_t n_want)
{
    char path[300];
    char text[4096];
    (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", id);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const ssize_t n = read(fd, text, sizeof(text));
    (void)close(fd);
    return n > 0 && memmem(text, (size_t)n, want, n_want) != NULL;
}

static inline int found_at_once(int program, const char *want, size_t n_want,
                                int pids[FOUND_MAX], int *launchers)
{
    char launcher[96];
    const char *const wants[2] = {launcher, want};
    const size_t lengths[2] = {(size_t)snprintf(launcher, sizeof(launcher),
                                                "--greenroom-launcher%c3%c%d",
                                                0, 0, program) +
                                   1,
                               n_want};
    int found = 0;
    for (int kind = 0; kind < 2; kind++) {
        DIR *proc = opendir("/proc");
        assert_non_null(proc);
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has it */
        for (struct dirent *e; (e = readdir(proc)) != NULL;) {
            if (found_has(e->d_name, wants[kind], lengths[kind])) {
                assert_true(found < FOUND_MAX);
                pids[found++] = (int)strtol(e->d_name, NULL, 10);
            }
        }
        (void)closedir(proc);
        if (kind == 0) {
            *launchers = found;
        }
    }
    return found;
}

/* The launcher of that program, if there is one, and then who has `want` in his
 * arguments. What a launcher starts has its arguments until it executes, and
 * one that was killed may not be gone yet: then it looks again. */
static inline int found_processes(int program, const char *want, size_t n_want,
                                  int pids[FOUND_MAX], int *launchers)
{
    int found;
    do {
        found = found_at_once(program, want, n_want, pids, launchers);
    } while (*launchers > 1);
    return found;
}

/* Returns when none of them lives. */
static inline void found_await_ends(const int *pids, int n)
{
    for (int i = 0; i < n; i++) {
        struct pollfd gone = {.fd = pidfd_open(pids[i], 0), .events = POLLIN};
        if (gone.fd >= 0) {
            assert_int_equal(poll(&gone, 1, -1), 1);
            (void)close(gone.fd);
        }
    }
}

/* How often: KILL_ROUNDS in the environment, or `usual`. */
static inline int found_rounds(int usual)
{
    const char *text = getenv("KILL_ROUNDS"); /* NOLINT: nobody changes it */
    const long n = text != NULL ? strtol(text, NULL, 10) : 0;
    return n > 0 && n < 1000000 ? (int)n : usual;
}

#endif /* TESTS_PROCESS_FOUND_H */
