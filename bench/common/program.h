/*
 * bench/common/program.h - what the programs of workloads have in common: the
 * command line, the time, and the line that each run prints.
 *
 * Nothing of greenroom is in here: the programs that it is compared with are
 * made of this, too.
 */
#ifndef BENCH_COMMON_PROGRAM_H
#define BENCH_COMMON_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    BENCH_PARAMS_MAX = 8, /* of a workload, with the empty one at the end */
    BENCH_STATUS_FAILED = 1,
    BENCH_STATUS_USAGE = 2
};

typedef struct bench_program bench_program;

typedef struct bench_param {
    const char *key; /* NULL: the end */
    int64_t value;   /* as long as nobody gives another */
} bench_param;

/* A parameter that is no number but one of a few words. */
typedef struct bench_choice {
    const char *key;   /* NULL: the end */
    const char *words; /* with | between; the value is a word's place, from 0 */
} bench_choice;

/* One run of one workload. */
typedef struct bench {
    const bench_program *program;
    const char *name; /* the workload's */
    const char
        *impl;  /* in its lines; the program's, if the run sets no other */
    void *self; /* the program's own: as whom the workload acts */
    unsigned workers;                     /* where there are none: processors */
    bench_param params[BENCH_PARAMS_MAX]; /* as they are in this run */
    int64_t t0_ns;
} bench;

typedef struct workload {
    const char *name;
    bench_param params[BENCH_PARAMS_MAX]; /* the defaults */
    /* 0, or an error that ends the program. */
    int (*run)(bench *b);
} workload;

struct bench_program {
    const char *title;             /* its own name */
    const char *impl;              /* in each line */
    const workload *const *groups; /* arrays that end at {0}; the last: NULL */
    const bench_choice *choices;   /* ends at {0}; NULL: none */
    unsigned workers;              /* unless told; 0: run() decides */
    unsigned workers_max;
    /* Runs a workload in whatever it needs. Returns the exit status. */
    int (*run)(bench *b, const workload *w);
};

/* Takes NAME [workers=2] [key=value...], and runs that workload. Returns the
 * exit status. */
int bench_main(const bench_program *p, int argc, char **argv);

/* 0 for a key that the workload does not have. */
int64_t bench_param_of(const bench *b, const char *key);
/* Monotonic nanoseconds. */
int64_t bench_now_ns(void);
/* Sorts n times, and writes "p50=X p99=Y" into text, in nanoseconds. */
void bench_times(int64_t *ns, int64_t n, char *text, size_t size);
/* From here on the time counts. */
void bench_begin(bench *b);
/* Memory of this process, in KiB: field "VmHWM:" (most) or "VmRSS:" (now). */
int64_t bench_memory_kb(const char *field);
/* Prints the line; extra, behind a space, may be NULL. */
void bench_report(const bench *b, const char *name, int64_t ops, int64_t ns,
                  const char *extra);

/* The minimal standard generator of Park and Miller (1988), as in the programs
 * in other languages: the same random choices everywhere. */
static inline int64_t bench_random(uint64_t *seed)
{
    *seed = *seed * 48271 % 2147483647;
    return (int64_t)*seed;
}

#endif /* BENCH_COMMON_PROGRAM_H */
