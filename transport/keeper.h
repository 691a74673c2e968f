/*
 * transport/keeper.h - a thread that does what must not wait for an actor's
 * turn and must not be done in a link's callback: it frees what is closed, and
 * looks at the clock. Asleep otherwise. In a world of virtual time there is no
 * thread: jobs and ticks are events there.
 */
#ifndef GRI_TRANSPORT_KEEPER_H
#define GRI_TRANSPORT_KEEPER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/world.h"
#include "sched/poller.h"

typedef struct gri_job {
    struct gri_job *next; /* the keeper's while queued */
    void (*run)(struct gri_job *job);
} gri_job;

typedef struct gri_keeper {
    /* constant */
    gri_world *world; /* NULL: a thread, and real time */
    uint64_t node;    /* whose it is, in a world */
    const gri_clock *clock;
    gri_poller *poller;         /* what links may be polled by */
    int64_t (*tick)(void *arg); /* returns when to be called next, in ns */
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* under lock */
    gri_job *first, **last;
    _Atomic(uint32_t) waiting; /* jobs; written under lock */
    int64_t tick_at;           /* ns; GRI_NEVER: not at all */
    bool ending;
    /* In a world. */
    gri_happening work, time;
} gri_keeper;

/*
 * Starts it. tick is called from it, never before tick_at, and may be NULL.
 * Errors: GR_ENOMEM, GR_EIO (no thread).
 */
int gri_keeper_start(gri_keeper *keeper, const gri_clock *clock,
                     gri_poller *poller, int64_t (*tick)(void *arg), void *arg);
/* The same in a world, as the node's: without a thread. Errors: GR_ENOMEM. */
int gri_keeper_start_in(gri_keeper *keeper, gri_world *world, uint64_t node,
                        int64_t (*tick)(void *arg), void *arg);
/* Runs all jobs that it has and ends. Not from a job. */
void gri_keeper_stop(gri_keeper *keeper);
/* Runs job->run on the thread, in the order given. Any thread. Keeps job until
 * then. */
void gri_keeper_run(gri_keeper *keeper, gri_job *job);
/* About how many jobs wait for others. Any thread. */
static inline uint32_t gri_keeper_waiting(const gri_keeper *keeper)
{
    /* relaxed: about. */
    return atomic_load_explicit(&keeper->waiting, memory_order_relaxed);
}
/* Calls tick at that time, if it was not to be called earlier. Any thread. */
void gri_keeper_tick_at(gri_keeper *keeper, int64_t ns);

#endif /* GRI_TRANSPORT_KEEPER_H */
