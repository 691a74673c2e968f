/*
 * bench/greenroom/bench.h - what the workloads have in common.
 *
 * A workload is a function that a thread actor, b->self, runs in a fresh
 * system. It spawns its actors, takes the time from the first message (or
 * spawn) to the last result, checks the result, and reports one line.
 */
#ifndef BENCH_GREENROOM_BENCH_H
#define BENCH_GREENROOM_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <greenroom/greenroom.h>

#include "bench/common/program.h"

enum {
    BENCH_WAIT_MS = 120000,
    /* Sends of a producer in one turn, where it may send in slices. */
    BENCH_SLICE = 1000
};

/* A mailbox for those who are to queue without a limit, as in other runtimes:
 * all that is sent to them is their work. */
#define BENCH_UNBOUNDED                                                        \
    {                                                                          \
        .soft = 1u << 30, .hard = 1u << 30                                     \
    }

/* One array for each file of workloads; each ends at {0}. */
extern const workload bench_talk[];
extern const workload bench_flow[];
extern const workload bench_create[];
extern const workload bench_crowd[];
extern const workload bench_time[];
extern const workload bench_blob[];
extern const workload bench_jobs[];

/* Waits for the message ["done", number]. Errors: as gr_receive. */
int bench_wait(const bench *b, int64_t *out);
/* Waits for the result, checks it, and reports `ops` operations. */
int bench_finish(const bench *b, const char *name, int64_t ops,
                 int64_t expected);
/* Tells on stderr what is wrong. Returns GR_EFAIL. */
int bench_failed(const char *name, int64_t got, int64_t expected);

#endif /* BENCH_GREENROOM_BENCH_H */
