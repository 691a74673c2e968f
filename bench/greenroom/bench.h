/*
 * bench/greenroom/bench.h - what the workloads have in common.
 *
 * A workload is a function that a thread actor runs in a fresh system. It
 * spawns its actors, takes the time from the first message (or spawn) to the
 * last result, checks the result, and reports one line.
 */
#ifndef BENCH_GREENROOM_BENCH_H
#define BENCH_GREENROOM_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <greenroom/greenroom.h>

enum {
    BENCH_PARAMS_MAX = 5, /* of a workload, with the empty one at the end */
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

typedef struct bench_param {
    const char *key; /* NULL: the end */
    int64_t value;   /* as long as nobody gives another */
} bench_param;

typedef struct bench {
    gr_actor *self; /* the program's thread */
    gr_system *sys;
    unsigned workers;
    bench_param params[BENCH_PARAMS_MAX]; /* as they are in this run */
    int64_t t0_ns;
} bench;

typedef struct workload {
    const char *name;
    bench_param params[BENCH_PARAMS_MAX]; /* the defaults */
    /* 0, or an error that ends the program. */
    int (*run)(bench *b);
} workload;

/* One array for each file of workloads; each ends at {0}. */
extern const workload bench_talk[];
extern const workload bench_flow[];
extern const workload bench_create[];
extern const workload bench_crowd[];
extern const workload bench_time[];
extern const workload bench_blob[];

int64_t bench_param_of(const bench *b, const char *key);

/* Monotonic nanoseconds. */
int64_t bench_now_ns(void);
/* From here on the time counts. */
void bench_begin(bench *b);
/* Waits for the message ["done", number]. Errors: as gr_receive. */
int bench_wait(const bench *b, int64_t *out);
/* Memory of this process, in KiB: field "VmHWM:" (most) or "VmRSS:" (now). */
int64_t bench_memory_kb(const char *field);
/* Prints the line; extra, behind a space, may be NULL. */
void bench_report(const bench *b, const char *name, int64_t ops, int64_t ns,
                  const char *extra);
/* Waits for the result, checks it, and reports `ops` operations. */
int bench_finish(const bench *b, const char *name, int64_t ops,
                 int64_t expected);
/* Tells on stderr what is wrong. Returns GR_EFAIL. */
int bench_failed(const char *name, int64_t got, int64_t expected);

/* The minimal standard generator of Park and Miller (1988), as in the programs
 * of the other runtimes: the same random choices everywhere. */
static inline uint64_t bench_random(uint64_t *seed)
{
    *seed = *seed * 48271 % 2147483647;
    return *seed;
}

#endif /* BENCH_GREENROOM_BENCH_H */
