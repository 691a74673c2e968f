/*
 * tests/sched/toy.h - tasks that are not actors, and a scheduler to run them:
 * what a task does is a function, and whoever waits for one gives up aloud when
 * nothing comes for a minute.
 */
#ifndef GRI_TESTS_SCHED_TOY_H
#define GRI_TESTS_SCHED_TOY_H

#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h> /* needs the headers above */

#include "base/memory.h"
#include "sched/sched.h"

enum { TOY_WATCHDOG_S = 60 /* without a sign of life: a task was lost */ };

typedef struct toy toy;
typedef void toy_fn(gri_worker *worker, toy *self);

struct toy {
    gri_task task;
    toy_fn *fn;
    unsigned runs;   /* plain: whoever runs it */
    unsigned number; /* the test's own */
};

static inline void toy_run(gri_worker *worker, gri_task *task)
{
    toy *self = GRI_CONTAINER(task, toy, task);
    self->runs++;
    self->fn(worker, self);
}

/* A timer's payload is a toy, which is submitted. */
static inline void toy_fired(gri_worker *worker, const gri_fired *fired)
{
    toy *self = fired->payload;
    gri_sched_submit(worker->sched, worker->sched->is_sim ? NULL : worker,
                     &self->task);
}

static const gri_sched_ops toy_ops = {.run = toy_run, .fired = toy_fired};
static const gri_clock toy_clock;

/* Cannot be an assertion: also used in tasks, on other threads. */
static inline void toy_give_up(const char *what)
{
    (void)fprintf(stderr, "no progress for %d s: %s\n", TOY_WATCHDOG_S, what);
    abort();
}

static inline void toy_wait(sem_t *sem, const char *what)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TOY_WATCHDOG_S;
    while (sem_timedwait(sem, &until) != 0) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec > until.tv_sec) {
            toy_give_up(what);
        }
    }
}

/* Waits inside a task, that is, without giving the worker back. */
static inline void toy_wait_for(_Atomic(unsigned) *word, unsigned value,
                                const char *what)
{
    int64_t until_ns =
        gri_clock_ns(&toy_clock) + TOY_WATCHDOG_S * INT64_C(1000000000);
    /* acquire: what the setter did is to be seen. */
    while (atomic_load_explicit(word, memory_order_acquire) != value) {
        if (gri_clock_ns(&toy_clock) > until_ns) {
            toy_give_up(what);
        }
        (void)sched_yield();
    }
}

/* As many workers and spares as that, as if there were so many processors. */
static inline void toy_start_with(gri_sched *s, const gri_sched_ops *ops,
                                  unsigned workers, unsigned spares,
                                  unsigned processors)
{
    void *users[GRI_LANES] = {NULL};
    assert_int_equal(
        gri_sched_init(s, ops, &toy_clock, workers, spares, processors, 0), 0);
    assert_int_equal(gri_sched_start(s, users), 0);
}

static inline void toy_start_on(gri_sched *s, unsigned workers,
                                unsigned processors)
{
    toy_start_with(s, &toy_ops, workers, 0, processors);
}

static inline void toy_start(gri_sched *s, unsigned workers)
{
    toy_start_on(s, workers, workers);
}

static inline void toy_stop(gri_sched *s)
{
    assert_true(gri_sched_stop(s, GRI_NEVER));
    gri_sched_fini(s);
}

/* Until all of them sleep: waited for, not assumed. */
static inline void toy_settle(gri_sched *s)
{
    int64_t until_ns =
        gri_clock_ns(&toy_clock) + TOY_WATCHDOG_S * INT64_C(1000000000);
    while (gri_sched_awake(s, atomic_load_explicit(
                                  &s->parked, memory_order_seq_cst)) != 0 ||
           atomic_load_explicit(&s->searching, memory_order_seq_cst) != 0) {
        if (gri_clock_ns(&toy_clock) > until_ns) {
            toy_give_up("the workers do not go to sleep");
        }
        (void)sched_yield();
    }
}

#endif /* GRI_TESTS_SCHED_TOY_H */
