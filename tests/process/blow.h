/*
 * tests/process/blow.h - kills of a storm, and how often each is to be
 * replaced.
 *
 * For behind storm.h or actor_storm.h, whose supervisor and processes they are.
 */
#ifndef TESTS_PROCESS_BLOW_H
#define TESTS_PROCESS_BLOW_H

#include <signal.h>

#include "tests/process/left.h"

enum { BLOW_CHILDREN = sizeof(storm_ids) / sizeof(storm_ids[0]) };

/* What was killed. */
typedef struct blow {
    unsigned which; /* the children that are to be replaced */
    unsigned twice; /* some of them, which may have been there again when the
                       next one was killed: perhaps twice */
    int launcher;   /* 0: it lives */
} blow;

static inline void await_flow(gr_actor *self, storm *s)
{
    while (!storm_all_flow(s)) {
        const gr_msg *msg;
        next_message(self, &msg);
        storm_note(self, s, msg);
    }
}

/* 0: there is none now. */
static inline int launcher_now(void)
{
    int pids[FOUND_MAX];
    int launchers = 0;
    (void)storm_processes(getpid(), pids, &launchers);
    return launchers > 0 ? pids[0] : 0;
}

static inline int the_launcher(void)
{
    const int launcher = launcher_now();
    assert_true(launcher > 0);
    return launcher;
}

/* Its launcher was not killed. */
static inline bool lives_on(int process, const blow *b)
{
    const int parent = left_parent(process);
    return b->launcher == 0 ||
           (parent != b->launcher && parent == launcher_now());
}

static inline void get_restarts(gr_actor *self, const storm *s,
                                uint64_t out[BLOW_CHILDREN])
{
    for (int i = 0; i < BLOW_CHILDREN; i++) {
        gr_child_info info;
        assert_int_equal(
            gr_inspect_child(self, s->supervisor, storm_ids[i], &info), 0);
        out[i] = info.restarts;
    }
}

static inline void strike_one(int pid, int number)
{
    assert_int_equal(kill(pid, number), 0);
}

/* The launcher, with a child before or behind it. */
static inline blow strike_launcher(int way, int pid, unsigned one)
{
    blow b = {.which = (1U << BLOW_CHILDREN) - 1, .launcher = the_launcher()};
    switch (way) {
    case 0:
        strike_one(b.launcher, SIGKILL);
        break;
    case 1: /* one that does not run any more dies, too */
        strike_one(pid, SIGSTOP);
        strike_one(b.launcher, SIGKILL);
        break;
    case 2:
        strike_one(b.launcher, SIGKILL);
        (void)kill(pid, SIGKILL); /* it may have died with it */
        break;
    case 3:
        b.twice = one;
        strike_one(pid, SIGKILL);
        strike_one(b.launcher, SIGKILL);
        break;
    default: /* both before we can hear of either */
        strike_one(b.launcher, SIGSTOP);
        strike_one(pid, SIGKILL);
        found_await_ends(&pid, 1);
        strike_one(b.launcher, SIGKILL);
        break;
    }
    return b;
}

#endif /* TESTS_PROCESS_BLOW_H */
