/*
 * actors/core.h - the structs of the runtime: a system, its threads' contexts,
 * its actors.
 *
 * An actor lives in a slot. Slots are type-stable memory: a slot is an actor's
 * inbox for ever, used by one actor after another, never given back while the
 * system runs. A pid is the slot's index and its run, a number that grows with
 * each actor that lived there: odd while one lives, even between two. So
 * whoever holds a stale pid can push into the slot's inbox without harm: the
 * slot's consumer compares the message's run with its own and buries it.
 *
 * Who may touch what: fields stand in groups by owner. "The consumer" is the
 * one thread that runs the slot at this moment: the worker whose turn it is, or
 * the thread of a thread actor. The role is handed on by the inbox (idle mark)
 * and by the scheduler's queues, both with release and acquire.
 */
#ifndef GRI_ACTORS_CORE_H
#define GRI_ACTORS_CORE_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include <greenroom/sim.h>
#include <greenroom/system.h>

#include "actors/hosted.h"
#include "actors/proxy.h"
#include "actors/route.h"
#include "actors/seal.h"
#include "actors/service.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/map.h"
#include "base/recorder.h"
#include "base/rng.h"
#include "mailbox/inbox.h"
#include "mailbox/pack.h"
#include "sched/sched.h"

typedef struct gri_ext gri_ext;
typedef struct gri_ctx gri_ctx;
typedef struct gri_msgpack gri_msgpack;
typedef struct gri_stay gri_stay;

/* Counters with one writer each, read by anybody: relaxed throughout, they
 * order nothing. */
typedef struct gri_counters {
    _Atomic(uint64_t) sent, handled, dead_letters, dropped, late_replies,
        refused, slowed, redirected, spawned, exited, failed, trapped, poisoned;
    _Atomic(uint64_t) callbacks; /* those that `handled` does not tell apart:
                                    see watchdog.c */
} gri_counters;

#define GRI_TALLY_MANY(ctx, what, n)                                           \
    atomic_store_explicit(                                                     \
        &(ctx)->counters.what,                                                 \
        atomic_load_explicit(&(ctx)->counters.what, memory_order_relaxed) +    \
            (n),                                                               \
        memory_order_relaxed)
#define GRI_TALLY(ctx, what) GRI_TALLY_MANY(ctx, what, 1)

#define GRI_UNTALLY(ctx, what)                                                 \
    atomic_store_explicit(                                                     \
        &(ctx)->counters.what,                                                 \
        atomic_load_explicit(&(ctx)->counters.what, memory_order_relaxed) - 1, \
        memory_order_relaxed)

enum {
    GRI_SLOTS_KEPT = 32, /* free slots that a worker keeps at most */
    GRI_PLANS_BITS = 3,  /* of GRI_PLANS: behaviours of which a thread knows */
    GRI_PLANS = 1 << GRI_PLANS_BITS, /* the plan */
    GRI_UNCOUNTED = 64, /* receivers for which a worker counts by itself */
    GRI_WIDE = 512 /* a soft bound from which on a few more do not matter */
};

/* Messages that a worker has pushed, and not yet added to inbox.queued. */
typedef struct gri_uncounted {
    gr_actor *slot; /* NULL: none */
    uint32_t n;
} gri_uncounted;

/* See plan.h. */
typedef struct gri_plan {
    const gr_behavior *behavior; /* NULL: there is none here */
    uint32_t soft, hard;         /* the mailbox's bounds */
    uint32_t name;               /* its number in the flight recorder */
    uint8_t full;                /* gr_full */
    uint8_t traits;              /* gri_traits */
    bool plain; /* it has neither code to run first nor an arena of its own */
} gri_plan;

/* One thread's own: a worker's, a thread actor's, or a passing one of a foreign
 * thread (gri_deliver). */
struct gri_ctx {
    gr_system *sys;
    gri_worker *worker;  /* NULL: not a worker */
    gri_worker *submits; /* the same, where it may submit to itself: NULL in
                            deterministic mode */
    gri_cache *cache;
    gri_track *track; /* of the flight recorder; NULL: the one for all others */
    gri_builder builder;
    gri_counters counters;
    uint64_t refs;   /* the last ref given out; high bits tell contexts apart */
    uint32_t sends;  /* in this turn */
    int64_t turn_ns; /* about when it began */
    gr_msg *current; /* the message being handled */
    _Atomic(gr_actor *) running; /* whose turn it is, or was the last; slots
                                    stay, so it may be looked at by anybody */
    gr_actor *pressed; /* a receiver past its soft bound, seen this turn; slot
                          0, which is nobody's, stands for pressed_far */
    uint32_t pressed_run;
    gr_pid pressed_far; /* whose node wishes that we wait */
    bool kept;          /* the route wants settle before the turn ends */
    gri_uncounted uncounted[GRI_UNCOUNTED]; /* a worker's, see send.c */
    uint32_t slot_count; /* free slots at hand, a worker's only */
    uint32_t slots[GRI_SLOTS_KEPT];
    gri_plan plans[GRI_PLANS]; /* each in a place that its address gives */
    bool redirects;            /* what is being sent was redirected already */
    const gri_fault *fault;    /* why the run ends, in gri_end_run; or NULL */
    gr_msg *unburied;          /* to be buried once the run in hand has ended */
    gri_ctx *next;             /* in sys->contexts, under sys->lock */
    const gr_msg *traced;      /* is being sent: see confirm.h; or NULL */
    int fate;                  /* of the traced one */
    gri_msgpack *msgpack;      /* see msgpack.c; NULL until it is used */
};

/* Sends on what the route keeps of this turn, which is about to end (send.c).
 * The worker. */
void gri_settle(gri_ctx *ctx);

/* What a worker writes with each message: on lines of its own. */
typedef struct gri_worker_side {
    alignas(GRI_CACHE_LINE) gri_ctx ctx;
    gri_cache cache;
} gri_worker_side;

typedef enum gri_place {
    GRI_PLACE_WORKER = 0, /* a push that wakes submits the task */
    GRI_PLACE_THREAD,     /* a push that wakes rings the thread's bell */
    GRI_PLACE_STABLE      /* as the first, of a stable actor (stay.h): set by
                             the spawner */
} gri_place;

/* What gri_system_stop wants to know of an actor. */
typedef enum gri_traits {
    GRI_TENDED = 1,     /* its spawner, a supervisor, stops it */
    GRI_SLOW_END = 2,   /* its end can be seen: wait for it before the next */
    GRI_SPILLED = 4,    /* its account has a second half, see account.h */
    GRI_LANED = 8,      /* it has a lane, see lane.h: set by the spawner */
    GRI_UNTRAPPED = 16, /* its grade is abort: set by the spawner */
    GRI_PROXY = 32,     /* it stands for a process, see proxy.h: likewise */
    GRI_LIMITED = 64,   /* it has a limit of memory, see limits.h: likewise */
    GRI_OWES_ACK = 128  /* of a proxy: its spawner waits for a STARTED */
} gri_traits;

/* What the consumer is to do before the next message. One byte of bits: the
 * turn looks at it after each message, and most find it 0. */
typedef enum gri_todo {
    GRI_DO_EXIT = 1,     /* end the run; ext->why says why, unless: */
    GRI_DO_REPLAY = 2,   /* give what gr_unstash gave back */
    GRI_IS_NORMAL = 4,   /* beside EXIT: it is normal, without a word */
    GRI_IS_SHUTDOWN = 8, /* likewise, a shutdown */
    GRI_IS_ENDING = 16,  /* its end was reported, and goes on */
    GRI_IS_PAUSED = 32,  /* a proxy that takes no message, see proxy.c */
    GRI_IS_BETWEEN = 128 /* nothing: no run lives here, see stay.h */
} gri_todo;

struct gr_actor {
    /* Producers, any thread. */
    alignas(GRI_CACHE_LINE) gri_inbox inbox;
    _Atomic(uint32_t) run;        /* odd: that run lives */
    _Atomic(uint32_t) soft, hard; /* bounds; set by the spawner; 0: the ring has
                                     one instead (lane.h) */
    _Atomic(uint8_t) full;        /* gr_full; set by the spawner */
    _Atomic(uint8_t) place;  /* gri_place; written by the consumer, mostly */
    _Atomic(uint8_t) traits; /* gri_traits; set by the spawner, mostly */
    _Atomic(uint8_t) over;   /* the alert of the run with this mark (see
                                gri_over_mark) means GR_EXIT_LIMIT */
    gri_ext *ext;   /* the consumer's: what few need; NULL until they do */
    gr_system *sys; /* constant */
    _Atomic(uint64_t) born; /* order of spawn; set by the spawner */

    /* The scheduler's while submitted. */
    gri_task task;

    /* The consumer. outlet.alert is the run that it is for, and what it says,
     * see gri_set_alert. */
    alignas(GRI_CACHE_LINE) gri_outlet outlet;
    gri_ctx *ctx; /* of the thread that runs it now */
    uint32_t now; /* the run that lives here, as the consumer sees it; or 0 */
    uint8_t state_class;
    bool trap_exit;
    uint8_t todo; /* gri_todo */
    bool begun;   /* init has returned 0, and terminate is to be called */
    void *state;
    _Atomic(const gr_behavior *) behavior; /* NULL: a thread actor, or nobody;
                                              atomic, for the logs of others */
    _Atomic(uint64_t) in, out; /* what came and went, see account.h */
};

/* relaxed: the consumer's own, or a name for a log. */
static inline const gr_behavior *gri_behavior(const gr_actor *self)
{
    return atomic_load_explicit(&self->behavior, memory_order_relaxed);
}

static inline void gri_set_behavior(gr_actor *self, const gr_behavior *b)
{
    atomic_store_explicit(&self->behavior, b, memory_order_relaxed);
}

_Static_assert(sizeof(struct gr_actor) == 128, "an actor is two cache lines");

/* A word for each slot: how long a callback of its run may take, and whether
 * one took longer; see watchdog.c. */
typedef _Atomic(uint64_t) gri_deadline_word;
typedef struct gri_watched gri_watched;

/* A thing to call at exit. */
typedef struct gri_hook {
    struct gri_hook *next;
    void (*fn)(void *arg);
    void *arg;
} gri_hook;

typedef struct gri_name gri_name;
typedef struct gri_chunk gri_chunk;
typedef struct gri_thread gri_thread;

/* Messages that were put aside, in the order in which they came: those of the
 * stash, then those that are given again, then what is in the inbox. */
typedef struct gri_stash {
    gr_msg *first, *last; /* the stash, by link */
    gr_msg *again;        /* to be given again, by link */
    gr_msg *again_at;     /* the last one that the running handler put there, or
                             NULL: the next one goes to the front */
    uint32_t count, max;  /* of both; max 0: not known yet */
    uint32_t signals;     /* of both, those that may be forgotten */
    gr_msg *head;         /* the inbox's, while it is shut */
    gr_msg shut;          /* what stands in for it */
} gri_stash;

/* What an actor has beyond its slot, allocated at first need. Consumer only. */
struct gri_ext {
    gri_map links;    /* pid -> itself */
    gri_map monitors; /* {ref, 0} -> gri_watch: whom this actor watches */
    gri_map watchers; /* {ref, node} -> gri_watch: who watches it */
    gri_map asks;     /* {ref, 0} -> gri_ask */
    gri_map timers;   /* {ref, 0} -> gri_alarm */
    gri_name *names;
    gri_hook *hooks;
    gri_chunk *arena;
    size_t arena_used, arena_max;
    struct gri_meter *meter; /* of a limited actor, else NULL: see limits.h */
    size_t state_size;       /* of one: its state's block, in bytes */
    size_t reserve;          /* of one that begins: what is kept free for it */
    gr_blob *blobs;          /* this actor's own */
    gr_msg *kept; /* doubly linked by link and next, once off the inbox */
    gri_stash stash;
    const gr_behavior *origin; /* the spawned one, once it became another */
    gr_exit_reason why;        /* once exiting */
    gri_thread *thread;        /* of a thread actor */
    gri_stay *stays;           /* the stable actors that it keeps, see stay.h */
};

enum {
    GRI_WAIT_WHAT_MAX = 48, /* bytes of a tag in words; longer ones are cut */
    GRI_WAIT_PATH_MAX = 512 /* and of a circle */
};

/* What a thread waits for: see circle.h. */
typedef struct gri_wait {
    uint64_t id;           /* constant: the thread's actor */
    _Atomic(uint64_t) ref; /* the thread's: of its wait; 0: it does not wait */
    char told[GRI_WAIT_PATH_MAX]; /* the thread's: the last circle */

    /* Under circle_lock. */
    uint64_t edge; /* the ref of its edge; 0: it has none */
    uint64_t to;   /* whose answer it waits for */
    bool room;     /* it is room that it waits for */
    char what[GRI_WAIT_WHAT_MAX];
    char path[GRI_WAIT_PATH_MAX]; /* a circle that is to be told */
} gri_wait;

/* One end of a monitor. */
typedef struct gri_watch {
    gr_pid pid; /* the other end */
    uint64_t ref;
} gri_watch;

/* Beside a START message that says more than most, see spawn.c. */
typedef struct gri_start {
    const gr_behavior *behavior; /* NULL: a thread attaches */
    gri_thread *thread;
    gri_name *name; /* reserved for it, or NULL */
    /* The bounds, from now on; hard 0: they hold already. */
    uint32_t soft, hard;
    uint8_t class_;       /* of this block */
    uint64_t parent_life; /* of a stable parent, see stay.h; else 0 */
} gri_start;

typedef struct gri_lane gri_lane;

/* What the policy of a slot's mailbox has dropped, its lane, and what a stable
 * actor has there. Not in the slot: few actors have such a policy, and none
 * pays for it before the first drop. */
typedef struct gri_drops {
    _Atomic(uint64_t) count;               /* and its run, see drop.c */
    _Atomic(const gr_behavior *) behavior; /* for the log */
    _Atomic(gri_lane *) lane; /* NULL: no run here has had one yet */
    _Atomic(gri_stay *) stay; /* likewise */
} gri_drops;

/* What a limited actor may have, and has: see limits.h. Not in the slot: few
 * are. */
typedef struct gri_meter {
    _Atomic(uint64_t) waiting;    /* bytes of messages, and the run's mark */
    _Atomic(size_t) own;          /* bytes; written by the consumer */
    _Atomic(size_t) max;          /* set by the spawner, as the next two */
    _Atomic(uint32_t) soft, hard; /* instead of the slot's */
    _Atomic(uint32_t) over_run;   /* this run is to end for it */
} gri_meter;

/* What a slot's words (gr_actor.in and out) had no more room for. Not in the
 * slot: it takes hours to get there. */
typedef struct gri_account {
    _Atomic(uint64_t) changes; /* odd while it changes */
    _Atomic(uint64_t) received, sent, bytes_in, bytes_out;
} gri_account;

/* Who gets a message whenever something happens to the system: listen.c. */
typedef struct gri_listener {
    struct gri_listener *next;
    gr_pid pid;
} gri_listener;

typedef struct gri_listeners {
    _Atomic(bool) any;   /* written under sys->lock */
    gri_listener *first; /* under sys->lock */
} gri_listeners;

typedef struct gri_crashes gri_crashes;
typedef struct gri_reports gri_reports;

struct gr_system {
    /* Constant after the start. */
    gr_system_opts opts; /* with every default filled in */
    uint64_t node;
    gri_seal_key seal; /* see seal.h */
    gri_clock clock;   /* its time moves in deterministic mode */
    gri_log log;
    gri_sched sched;
    gri_depot depot;

    /* A line that all read, with each message; it is seldom written. */
    alignas(GRI_CACHE_LINE) gr_actor *slots; /* reserved for actors_max; slot 0
                                                is never used */
    _Atomic(uint32_t) slots_ready;           /* slots that exist */
    _Atomic(bool) stopping;
    _Atomic(const gri_route *) route;
    _Atomic(void *) net;
    _Atomic(gri_part *) part;
    _Atomic(gri_service *) service;     /* see service.h */
    _Atomic(uint64_t) service_id;       /* its actor; written under lock */
    _Atomic(gri_processes *) processes; /* see proxy.h */
    gri_hosted *hosted; /* see hosted.h; NULL: a system as most are */
    _Atomic(gri_deadline_word *) deadlines; /* NULL: no actor has had one yet */
    gri_drops *drops;                       /* of each slot, like them */
    gri_account *accounts;                  /* likewise */
    gri_meter *meters;                      /* likewise */
    _Atomic(uint64_t) *parents; /* likewise: whose spawn it was, by its id */
    gri_listeners dead_watchers, crash_watchers;
    gri_crashes *crashes;
    gri_reports *reports;
    gri_recorder recorder;
    alignas(GRI_CACHE_LINE) gri_worker_side *sides; /* of each worker */

    /* Any thread, atomic; written with each spawn, or seldom read. */
    alignas(GRI_CACHE_LINE) _Atomic(uint64_t) births;
    _Atomic(uint32_t) exits;        /* futex: counts exits while stopping */
    _Atomic(uint64_t) dead_letters; /* for the log's summaries */

    /* Under lock. */
    alignas(GRI_CACHE_LINE) pthread_mutex_t lock;
    /* A stack, reserved for actors_max; not a list through the slots, which
     * another core has in its cache. */
    uint32_t *free_slots;
    uint32_t free_count;
    uint32_t slots_used; /* the next one that was never used */
    bool agent_taken;    /* the agent's slot is, or was */
    gri_ctx *contexts;   /* of thread actors */
    gri_counters gone;   /* of those that detached */
    uint64_t context_ids;
    gri_lane *lanes; /* all that were ever made */
    gri_stay *stays; /* likewise */

    /* Under names_lock. */
    alignas(GRI_CACHE_LINE) pthread_mutex_t names_lock;
    gri_map names;

    /* Under slow_lock: who waits for whom, see slow.c. */
    alignas(GRI_CACHE_LINE) pthread_mutex_t slow_lock;
    gri_map waits;
    uint64_t wait_tokens;

    /* Under circle_lock: what threads wait for, see circle.h. */
    alignas(GRI_CACHE_LINE) pthread_mutex_t circle_lock;
    gri_map threads_waits; /* {id, 0} -> gri_wait, of each thread actor */

    /* Any thread, by atomic addition: of those without a context. */
    alignas(GRI_CACHE_LINE) gri_counters foreign;

    gri_timer reap;        /* for the depot; see reap.c */
    struct gri_jobs *jobs; /* constant; see jobs.h */

    /* Deterministic mode; see sim.c. */
    gri_world own_world;
    gri_world *world; /* constant: that, or one that is shared */
    gri_member member;

    gri_watched *watched; /* watchdog.c; NULL in deterministic mode */

    /* The thread that stops the system. */
    gri_ctx stop_ctx;
    gri_cache stop_cache;
};

#endif /* GRI_ACTORS_CORE_H */
