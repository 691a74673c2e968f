/*
 * sched/sched.h - runs tasks on a pool of workers, or, in deterministic mode,
 * one by one on the thread that asks for it. It knows nothing of actors.
 *
 * A task is submitted when it has something to do, and never twice before it
 * has run. Where it goes: from a worker, into that worker's run-next slot, so
 * that two tasks that talk to each other stay on one core; if another stands
 * there, into its queue; from any other thread, into the inject queue.
 *
 * A slot is its worker's business, and filling it wakes nobody. But a worker
 * may be busy for long with the task that filled it: so, while one is awake,
 * one of those that sleep looks around each GRI_STALE_NS, and takes a slot's
 * task if it is still the same, and its owner still in the same turn, as when
 * it last looked.
 */
#ifndef GRI_SCHED_SCHED_H
#define GRI_SCHED_SCHED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <greenroom/system.h> /* GR_WORKERS_MAX */

#include "base/clock.h"
#include "base/recorder.h"
#include "base/rng.h"
#include "sched/poller.h"
#include "sched/probe.h"
#include "sched/runnext.h"
#include "sched/runq.h"
#include "sched/timer.h"
#include "sched/trap.h"
#include "sched/watchdog.h"

typedef struct gri_sched gri_sched;
typedef struct gri_worker gri_worker;

/* What the scheduler calls. The first two on a worker. */
typedef struct gri_sched_ops {
    /* Runs a task for a bounded time. Whether it is to run again is told by
     * gri_sched_again, as the last thing that is done with it. */
    void (*run)(gri_worker *worker, gri_task *task);
    /* A timer of gri_timers_take fired. */
    void (*fired)(gri_worker *worker, const gri_fired *fired);
    /* Faults, see trap.h; NULL: each is the end of the process. arg is the
     * worker. */
    const gri_trap_ops *trap;
    /* The task that ran when the worker faulted did not return, and will not:
     * worker->trap.fault says why. In ordinary code, at the top of the worker's
     * loop; gri_sched_again as in run. */
    void (*faulted)(gri_worker *worker);
    /* NULL, or on the watchdog's thread: it sees a worker that is awake, at
     * each of its looks; */
    void (*watched)(gri_worker *worker, const gri_sight *sight);
    /* so many turns last too long that there are too few spares; */
    void (*short_of_spares)(gri_sched *s);
    /* likewise, and a timer fired that no worker is there for. */
    void (*fired_outside)(gri_sched *s, const gri_fired *fired);
    /* NULL, or in a signal handler on the thread of a worker that is in a turn,
     * or has just ended it: writes down what that turn does. The frames of the
     * worker's probe are there. */
    void (*note)(gri_worker *worker, gri_turn_note *note);
} gri_sched_ops;

/* How long a task may stand in the slot of a worker that is busy, or pass the
 * time of its timer, before a sleeper looks there. */
#define GRI_STALE_NS (GRI_NS_PER_MS / 2)

enum {
    GRI_LANES = 16 /* deterministic mode: queues to choose from */
};

/* What has become of a worker's thread. */
typedef enum gri_begun {
    GRI_BEGUN_NOT = 0,
    GRI_BEGUN_WELL, /* it takes faults, and goes on */
    GRI_BEGUN_ILL   /* it ends at once */
} gri_begun;

/* Why a sleeper was woken. */
typedef enum gri_permit {
    GRI_PERMIT_NONE = 0, /* it is not */
    GRI_PERMIT_WORK,     /* there is, or soon will be, something to do */
    GRI_PERMIT_LOOK      /* to look around once, as if its time were over */
} gri_permit;

/* What a sleeper that got up remembers of the others: crowd.c. */
typedef struct gri_crowd {
    int64_t looked_ns; /* 0: never */
    struct {
        int64_t cpu_ns;   /* that its thread had run; -1: not known */
        int64_t since_ns; /* when this turn was seen first */
        uint64_t turns, parks;
    } of[GR_WORKERS_MAX];
} gri_crowd;

struct gri_worker {
    gri_sched *sched; /* constant */
    void *user;       /* constant: the embedding layer's context */
    unsigned index;   /* constant */
    pthread_t thread;

    /* The worker itself only. */
    unsigned round_left;  /* tasks, with the next, until it looks around */
    unsigned round_tasks; /* of them, in a whole round; not 0 */
    int64_t began_ns;     /* when the round began */
    int64_t round_ns;     /* about when it last did, by the coarse clock */
    int64_t helped_ns;    /* likewise, when it last looked at the others */
    struct {
        gri_task *task; /* in its slot */
        uint64_t turns;
    } seen[GR_WORKERS_MAX]; /* the others, when it last looked at them */
    gri_crowd crowd;        /* the others, when it last got up: crowd.c */
    bool searching;         /* counted in sched->searching */
    bool got_up;            /* its time was over, or it is to look only */
    gri_rng rng;            /* where to steal first */
    gri_after *after;       /* to be done once the turn is over */

    /* Counters: written by the worker, read by anybody. */
    _Atomic(uint64_t) turns, steals, parks;
    gri_turns *recent; /* for the flight recorder: `own`, or the embedding
                          layer's, who sets it before the start */

    /* Any thread. */
    _Atomic(bool) out;        /* a spare that is not in service: park.c */
    gri_runnext next;         /* the run-next slot */
    _Atomic(uint32_t) permit; /* futex: a gri_permit */
    _Atomic(bool) polls;      /* it sleeps in the poller, not on permit */
    _Atomic(int64_t) up_ns;   /* asleep: when it gets up by itself */
    _Atomic(uint32_t) begun;  /* futex: a gri_begun, by its thread */
    _Atomic(uint32_t) left;   /* futex: 1 once the thread is about to return */
    _Atomic(int) cpu_clock;   /* of its thread, a clockid_t; 0: none */
    gri_runq queue;
    gri_timers timers;
    gri_turns own;

    gri_trap trap;   /* its thread only, see trap.h */
    gri_probe probe; /* for the watchdog: probe.h */
};

struct gri_sched {
    const gri_sched_ops *ops; /* constant */
    const gri_clock *clock;   /* constant */
    unsigned n;               /* constant: workers, and spares */
    unsigned base;            /* constant: workers; those behind are spares */
    unsigned processors;      /* constant; 0: not known */
    unsigned at_once;         /* constant: workers that find a processor */
    bool is_sim;              /* constant: deterministic, no threads */
    int watch_signal;         /* constant while threads run; 0: none */
    gri_worker *workers;      /* constant */

    /* Any thread, atomic; see park.c. Looked at with each task that goes into a
     * queue. */
    alignas(GRI_CACHE_LINE) _Atomic(uint64_t) parked; /* a bit for each worker
                                                         that sleeps */
    _Atomic(int32_t) searching; /* workers that look for tasks */
    _Atomic(uint32_t) limit;    /* workers that may be awake: floor or, where
                                   some of them block, more (crowd.c) */
    _Atomic(uint32_t) floor;    /* at_once or, where turns last too long, more:
                                   the watchdog's */
    _Atomic(uint32_t) present;  /* workers that are in service: that sleep with
                                   a bit in `parked`, or are awake */
    _Atomic(uint32_t) members;  /* those before this one are to be in service:
                                   the watchdog's */
    _Atomic(uint32_t) started;  /* those before this one have a thread */
    _Atomic(bool) stopping;

    alignas(GRI_CACHE_LINE) pthread_mutex_t inject_lock;
    gri_task *inject_first, *inject_last; /* under inject_lock */
    _Atomic(uint32_t) inject_count;       /* written under inject_lock */

    /* Deterministic mode: the one thread. */
    gri_rng sim_rng;
    uint64_t sim_trace;
    struct {
        gri_task *first, *last;
    } lane[GRI_LANES];
    uint32_t lanes_used; /* a bit for each lane that is not empty */

    gri_poller poller;
    gri_watchdog watchdog;
};

/* seed 0: real threads, on so many processors (0: not known), and up to so many
 * spares, which start when turns last too long. Errors: GR_ENOMEM. */
int gri_sched_init(gri_sched *s, const gri_sched_ops *ops,
                   const gri_clock *clock, unsigned workers, unsigned spares,
                   unsigned processors, uint64_t seed);
/* Starts the threads; users[i] becomes workers[i].user, of spares too. Errors:
 * GR_EIO, after which no thread runs. */
int gri_sched_start(gri_sched *s, void *const *users);
/* Ends the threads once what they run returns, waiting until deadline_ns
 * (monotonic). False: one did not end; nothing may be freed. */
bool gri_sched_stop(gri_sched *s, int64_t deadline_ns);
void gri_sched_fini(gri_sched *s);
/* Waits until a thread is about to return, which sets *left. False: it did not,
 * in time. */
bool gri_sched_has_left(const gri_sched *s, _Atomic(uint32_t) *left,
                        int64_t deadline_ns);
/* Starts a worker's thread, which takes faults from now on. Errors: GR_EIO (no
 * thread), GR_ENOMEM (none to take faults with; the thread has ended). */
int gri_worker_start(gri_worker *w);
/* What such a thread does. */
void *gri_worker_main(void *worker);
/* Any thread: n tasks, a list through `next`, wait for any worker. Nobody is
 * woken. */
void gri_sched_inject(gri_sched *s, gri_task *first, gri_task *last,
                      uint32_t n);

/* What gri_sched_submit does where no worker submits. */
void gri_sched_submit_slow(gri_sched *s, gri_task *task);
/* As gri_sched_submit, but not into the slot: behind what waits, or to a worker
 * that has nothing to do. */
void gri_sched_submit_behind(gri_sched *s, gri_worker *worker, gri_task *task);
/* Any thread; worker is the calling one; NULL: it is none, or, in deterministic
 * mode, in any case. Inline, as most messages submit who gets them. */
static inline void gri_sched_submit(gri_sched *s, gri_worker *worker,
                                    gri_task *task)
{
    if (worker == NULL) {
        gri_sched_submit_slow(s, task);
        return;
    }
    if (!gri_runnext_put(&worker->next, task)) {
        gri_sched_submit_behind(s, worker, task);
    }
}
/* In run: this turn took long: timers and other threads' tasks come next, and
 * if it is to go on, then behind all of them. */
static inline void gri_sched_look(gri_worker *worker)
{
    worker->round_left = 1;
}
/* In run: this worker has not looked around for some milliseconds, so that this
 * turn may have taken long. Cheap: a few nanoseconds. */
static inline bool gri_sched_is_late(const gri_worker *worker)
{
    return !worker->sched->is_sim &&
           gri_clock_coarse_ns(worker->sched->clock) - worker->round_ns >
               GRI_NS_PER_MS;
}
/* In run: the task is to go on later, behind the others. */
void gri_sched_again(gri_worker *worker, gri_task *task);
/* Any thread. Arms a timer; worker as above. Errors: GR_ENOMEM. */
int gri_sched_arm(gri_sched *s, gri_worker *worker, gri_timer *t,
                  int64_t due_ns);

/* Deterministic mode: runs one task; false: there is none. */
bool gri_sched_sim_turn(gri_sched *s);
/* Fires all timers that are due at the clock's time. True: there was one. */
bool gri_sched_sim_fire(gri_sched *s);

/* park.c. Any thread, after it made a task visible: wakes a worker if one
 * sleeps, none searches, and not too many are awake. */
void gri_sched_notify(gri_sched *s);
/* A worker that found nothing sleeps until there may be something. */
void gri_sched_park(gri_worker *w);
/* A searching worker found something, or gives up being one. */
void gri_sched_stop_searching(gri_worker *w, bool found);
/* True if some queue holds a task. */
bool gri_sched_has_work(gri_sched *s);
/* gri_poller.unheld: one that sleeps is to poll. */
void gri_sched_unheld(void *sched);
/* A spare is called into service, if it is out. */
void gri_sched_call(gri_sched *s, unsigned i);
/* A spare's thread begins: it is in service from now on. */
void gri_sched_come_back(gri_worker *w);
/* Workers in service that do not sleep, given who does. The two numbers are
 * read one after the other: see park.c. */
static inline unsigned gri_sched_awake(const gri_sched *s, uint64_t parked)
{
    /* seq_cst: part of the protocol of park.c. */
    const unsigned present =
        atomic_load_explicit(&s->present, memory_order_seq_cst);
    const unsigned asleep = (unsigned)__builtin_popcountll(parked);
    return present > asleep ? present - asleep : 0;
}
/* Whether more are awake than should be. */
static inline bool gri_sched_has_surplus(gri_sched *s)
{
    /* relaxed, both: a look that may be wrong. */
    return gri_sched_awake(
               s, atomic_load_explicit(&s->parked, memory_order_relaxed)) >
           atomic_load_explicit(&s->limit, memory_order_relaxed);
}
/* Workers whose queue, slot and timers may hold something. */
static inline unsigned gri_sched_started(const gri_sched *s)
{
    /* seq_cst: who starts behind this look sees what was done before it. */
    return atomic_load_explicit(&s->started, memory_order_seq_cst);
}

/* steal.c. Each NULL: nothing. Half of another worker's queue, when ours is
 * empty: */
gri_task *gri_steal(gri_worker *w);
/* what stands in the slot of one that has not begun a turn since we last
 * looked; and remembers what stands in the others'; */
gri_task *gri_steal_stale(gri_worker *w);
/* one that waits in the queue or the slot of such a worker. */
gri_task *gri_steal_stuck(gri_worker *w);

/* watchdog.h. A worker gets up. */
static inline void gri_watchdog_wake(gri_sched *s)
{
    /* seq_cst: we are counted as awake by now; the watchdog says that it
     * sleeps, and then looks who is awake. */
    if (atomic_load_explicit(&s->watchdog.state, memory_order_seq_cst) ==
        GRI_WATCH_ASLEEP) {
        gri_watchdog_wake_slow(&s->watchdog);
    }
}

/* crowd.c. A worker's thread begins. */
void gri_crowd_join(gri_worker *w);
/* A sleeper that got up sees how the others fare, and whether more may be
 * awake. True: one is in a turn so long that what waits behind it is to be
 * taken. */
bool gri_crowd_look(gri_worker *w);
/* Wakes worker i if it sleeps. True: it did. */
bool gri_sched_wake(gri_sched *s, unsigned i, gri_permit why);

#endif /* GRI_SCHED_SCHED_H */
