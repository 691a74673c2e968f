/*
 * sched/watchdog.h - a thread that sees how long turns last.
 *
 * It sleeps while all workers do, and costs them one load when they get up.
 * While some are awake it looks at the counters that they keep anyway, each
 * GRI_WATCH_NS. What stands behind a turn that lasts longer than two looks is
 * given to others, and where too few are left, or processors idle, spares go
 * into service: workers beyond those that the system began with. Where there
 * are none it fires the timers that are due.
 */
#ifndef GRI_SCHED_WATCHDOG_H
#define GRI_SCHED_WATCHDOG_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <greenroom/system.h> /* GR_WORKERS_MAX */

#include "base/clock.h"
#include "base/memory.h"

struct gri_sched;
struct gri_worker;

/* Between two looks. A turn is taken to be stuck by the third that sees it, so
 * after 5 to 7.5 ms: that others wait for less than 20 ms, with what the kernel
 * takes to run us, and a second time if the one who goes on gets stuck as well.
 * It costs 0.1 % of a processor. */
#define GRI_WATCH_NS (GRI_NS_PER_MS * 5 / 2)

/* What it saw of a worker that is awake. */
typedef struct gri_sight {
    uint64_t turns;  /* the number of the turn */
    int64_t turn_ns; /* it has lasted so long at least */
    int64_t now_ns;  /* of this look */
} gri_sight;

typedef enum gri_watch_state {
    GRI_WATCH_AWAKE = 0,
    GRI_WATCH_ASLEEP, /* a worker that gets up wakes it */
    GRI_WATCH_LEAVE
} gri_watch_state;

typedef struct gri_watchdog {
    alignas(
        GRI_CACHE_LINE) _Atomic(uint32_t) state; /* futex: gri_watch_state */
    _Atomic(uint32_t) left; /* futex: 1 once the thread is about to return */
    bool runs;              /* who starts and stops it */
    pthread_t thread;

    /* The thread itself only. */
    struct {
        uint64_t turns, parks;
        int64_t since_ns;  /* it was first seen in this turn */
        int64_t cpu_ns;    /* what its thread had run by... */
        int64_t cpu_at_ns; /* ... this time */
        unsigned looks;    /* that saw it in this turn; 0: it was not awake */
    } of[GR_WORKERS_MAX];
    bool is_short; /* of spares */

    /* Written by the thread, read by anybody. */
    _Atomic(uint64_t) lent;   /* times that a spare went into service */
    _Atomic(uint64_t) missed; /* times that there were too few */
    _Atomic(uint32_t) most;   /* spares in service at a time */
} gri_watchdog;

/* Errors: GR_EIO. The workers run, or are about to. */
int gri_watchdog_start(struct gri_sched *s);
/* False: it did not end by then; nothing may be freed. */
bool gri_watchdog_stop(struct gri_sched *s, int64_t deadline_ns);
void gri_watchdog_wake_slow(gri_watchdog *d);

/* How long a worker's thread has run; -1: nobody knows. */
int64_t gri_cpu_ns_of(struct gri_worker *w);

#endif /* GRI_SCHED_WATCHDOG_H */
