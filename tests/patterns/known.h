/*
 * tests/patterns/known.h - what a monitor of a group knows: it takes in events,
 * and none may say what cannot be.
 */
#ifndef TESTS_PATTERNS_KNOWN_H
#define TESTS_PATTERNS_KNOWN_H

#include <stdbool.h>

#include <greenroom/greenroom.h>

enum { KNOWN_MAX = 4096 };

typedef struct known {
    gr_ref ref;
    bool told; /* what there was first */
    gr_pid pids[KNOWN_MAX];
    uint32_t n;
} known;

static inline bool knows(const known *k, gr_pid pid)
{
    for (uint32_t i = 0; i < k->n; i++) {
        if (gr_pid_eq(k->pids[i], pid)) {
            return true;
        }
    }
    return false;
}

/* False: a gap, or something twice: somebody joins who is in, or leaves who is
 * not, or a change comes before the members. */
static inline bool take_event(known *k, gr_group_event event, gr_reader pids)
{
    gr_pid pid;
    if (event == GR_GROUP_MEMBERS) {
        k->n = 0;
        k->told = true;
    }
    while (gr_read_pid(&pids, &pid) == 0) {
        uint32_t at = 0;
        while (at < k->n && !gr_pid_eq(k->pids[at], pid)) {
            at++;
        }
        if (!k->told || (at < k->n) != (event == GR_GROUP_LEFT) ||
            at == KNOWN_MAX) {
            return false;
        }
        if (event == GR_GROUP_LEFT) {
            k->pids[at] = k->pids[--k->n];
        } else {
            k->pids[k->n++] = pid;
        }
    }
    return true;
}

#endif /* TESTS_PATTERNS_KNOWN_H */
