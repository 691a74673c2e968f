/*
 * sched/timer.h - what is to happen at a time: a heap of timers, one for each
 * worker, each under a lock of its own, so that arming and cancelling seldom
 * meet anybody, and any worker can fire what is due while the owner is busy.
 *
 * A binary heap in an array (Williams, "Heapsort", 1964); a timer knows its
 * place, so cancelling takes it out at once.
 */
#ifndef GRI_SCHED_TIMER_H
#define GRI_SCHED_TIMER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gri_timers gri_timers;

/* Embedded in what waits. Fields under the store's lock. */
typedef struct gri_timer {
    int64_t due_ns;
    uint64_t order;    /* equal times fire in the order armed */
    gri_timers *store; /* constant once armed */
    size_t place;      /* in the heap, from 1; 0: not in it */
    void *payload;     /* what gri_timers_take gives out */
    uint64_t a, b;     /* the user's own, given out with it */
} gri_timer;

struct gri_timers {
    pthread_mutex_t lock;
    _Atomic(int64_t) next_ns; /* the earliest, or GRI_NEVER; written under lock,
                                 read without */
    gri_timer **heap;         /* from 1; under lock */
    size_t count, cap;        /* under lock */
    uint64_t armed;           /* under lock */
};

/* What one that fired leaves: the timer itself is not touched any more. */
typedef struct gri_fired {
    void *payload;
    uint64_t a, b;
} gri_fired;

/* 0 or GR_ENOMEM. */
int gri_timers_init(gri_timers *ts);
void gri_timers_fini(gri_timers *ts);
/* Any thread; t is not armed. 0 or GR_ENOMEM. *earliest (may be NULL) is set
 * when it is now the first: a sleeper may have to be told. */
int gri_timers_arm(gri_timers *ts, gri_timer *t, int64_t due_ns,
                   bool *earliest);
/* Any thread. True: it was armed, and its payload is the caller's again. False:
 * it has fired (or was never armed). */
bool gri_timer_disarm(gri_timer *t);
/* Any thread. Takes one timer that is due at now_ns. */
bool gri_timers_take(gri_timers *ts, int64_t now_ns, gri_fired *out);
/* Any thread. The earliest due time, or GRI_NEVER. */
int64_t gri_timers_next(gri_timers *ts);

#endif /* GRI_SCHED_TIMER_H */
