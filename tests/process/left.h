/*
 * tests/process/left.h - what a storm of kills may leave: processes that are
 * dead and that nobody has reaped, and such as live and are no launcher's.
 *
 * For behind storm.h or actor_storm.h, whose processes they are. There may be
 * some at any moment. So each is remembered: it has to be gone some rounds
 * later, as whoever has to see to it has done a round's work since. No time is
 * measured.
 */
#ifndef TESTS_PROCESS_LEFT_H
#define TESTS_PROCESS_LEFT_H

#include <sched.h>

enum {
    /* Rounds that one may still be seen. In each, the launcher and the program
     * have started processes and seen their ends. */
    LEFT_ROUNDS = 3
};

/* A process, as its stat shows it. */
typedef struct left_process {
    int pid;
    int parent;
    char state;
    unsigned long long born; /* which, with the id, is never another's */
    int looks;               /* how often it was seen so far */
} left_process;

typedef struct left_behind {
    left_process who[FOUND_MAX];
    int n;
} left_behind;

/* False: there is no such process. */
static inline bool left_stat(const char *id, left_process *out)
{
    char path[300];
    char text[1024];
    (void)snprintf(path, sizeof(path), "/proc/%s/stat", id);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    *out = (left_process){.pid = (int)strtol(text, NULL, 10)};
    const char *name_end = strrchr(text, ')');
    if (name_end == NULL) {
        return false;
    }
    /* The kernel's own numbers fit. NOLINTNEXTLINE(cert-err34-c) */
    return sscanf(name_end,
                  ") %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                  "%*s %*s %*s %*s %llu",
                  &out->state, &out->parent, &out->born) == 3;
}

/* The parent of a process; 0: it is gone. */
static inline int left_parent(int pid)
{
    char id[16];
    left_process p;
    (void)snprintf(id, sizeof(id), "%d", pid);
    return left_stat(id, &p) ? p.parent : 0;
}

static inline void left_add(left_behind *l, const left_process *p)
{
    assert_true(l->n < FOUND_MAX);
    l->who[l->n++] = *p;
}

/* All that are dead and wait to be reaped by one of those. */
static inline void left_add_dead(left_behind *l, const int *parents, int n)
{
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has it */
    for (struct dirent *e; (e = readdir(proc)) != NULL;) {
        left_process p;
        if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
            !left_stat(e->d_name, &p) || p.state != 'Z') {
            continue;
        }
        for (int i = 0; i < n; i++) {
            if (p.parent == parents[i]) {
                left_add(l, &p);
                break;
            }
        }
    }
    (void)closedir(proc);
}

/* Who is left of that program now. */
static inline left_behind left_now(int program)
{
    left_behind now = {.n = 0};
    int pids[FOUND_MAX + 1];
    int launchers = 0;
    const int n = storm_processes(program, pids, &launchers);
    for (int i = launchers; i < n; i++) {
        char id[16];
        left_process p;
        (void)snprintf(id, sizeof(id), "%d", pids[i]);
        if (left_stat(id, &p) && p.state != 'Z' &&
            (launchers == 0 || p.parent != pids[0])) {
            left_add(&now, &p);
        }
    }
    const int parents[2] = {program, launchers > 0 ? pids[0] : program};
    left_add_dead(&now, parents, 2);
    return now;
}

/* Behind a round: what was left in an earlier one is not for long. */
static inline void left_look(left_behind *before, int program)
{
    left_behind now = left_now(program);
    for (int i = 0; i < now.n; i++) {
        left_process *p = &now.who[i];
        for (int k = 0; k < before->n; k++) {
            if (before->who[k].pid == p->pid &&
                before->who[k].born == p->born) {
                p->looks = before->who[k].looks;
            }
        }
        if (++p->looks > LEFT_ROUNDS) {
            fail_msg("process %d is %s, of parent %d", p->pid,
                     p->state == 'Z' ? "not reaped" : "nobody's", p->parent);
        }
    }
    *before = now;
}

/* Behind the last round: returns when none is left. */
static inline void left_await_none(int program)
{
    while (left_now(program).n > 0) {
        (void)sched_yield();
    }
}

#endif /* TESTS_PROCESS_LEFT_H */
