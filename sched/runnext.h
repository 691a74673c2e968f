/*
 * sched/runnext.h - a worker's run-next slot, which holds one task or none.
 *
 * Its owner puts into the empty slot and takes from it with nearly every
 * message, so that must not cost a locked instruction. Others take seldom: what
 * stands there for long.
 *
 * To take is two steps, read and clear, so owner and thief exclude each other.
 * Each announces itself and then looks for the other, as in Dekker's algorithm;
 * but of the two fences that this needs, the owner's is left out, and the thief
 * makes one in all threads instead (base/barrier.h):
 *
 *   owner   taking = 1;                       claim set?  exchanges : takes
 *   thief   claim = 1; barrier in all;        taking set? gives up : takes
 *
 * If the barrier reaches the owner before its look, that sees the claim, and
 * takes by one atomic step, as the thief does. If after it, the thief sees
 * `taking`, or that the taking is over. Nobody waits for the other.
 *
 * Putting needs none of this. Only the owner puts, so a slot that it sees empty
 * stays empty, and a plain store will do; into a full one nothing is put.
 * tests/model/runnext.pml has it all.
 *
 * Where there is no such barrier, the owner takes by an exchange. It may be
 * refused later, too, by a filter of system calls: then the thief says so, and
 * the owner says when it has changed over.
 */
#ifndef GRI_SCHED_RUNNEXT_H
#define GRI_SCHED_RUNNEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/barrier.h"
#include "sched/runq.h"

typedef enum gri_runnext_mode {
    GRI_RUNNEXT_PLAIN = 0, /* the owner takes by plain stores */
    GRI_RUNNEXT_REFUSED,   /* a thief's barrier was refused: nobody steals */
    GRI_RUNNEXT_FENCED     /* the owner takes by an exchange */
} gri_runnext_mode;

typedef struct gri_runnext {
    _Atomic(gri_task *) task; /* the owner puts; owner and thieves take */
    _Atomic(bool) taking;     /* the owner's announcement */
    _Atomic(bool) claim;      /* a thief's, and the lock among thieves */
    _Atomic(uint8_t) mode;    /* gri_runnext_mode */
} gri_runnext;

static inline void gri_runnext_init(gri_runnext *n, bool fenced)
{
    atomic_init(&n->task, NULL);
    atomic_init(&n->taking, false);
    atomic_init(&n->claim, false);
    atomic_init(&n->mode, fenced ? GRI_RUNNEXT_FENCED : GRI_RUNNEXT_PLAIN);
}

/* Any thread: what stands there now, only to be compared. */
static inline gri_task *gri_runnext_look(gri_runnext *n)
{
    /* relaxed: not followed. */
    return atomic_load_explicit(&n->task, memory_order_relaxed);
}

/* Owner only. False: another stands there. */
static inline bool gri_runnext_put(gri_runnext *n, gri_task *task)
{
    if (gri_runnext_look(n) != NULL) {
        return false;
    }
    /* release: publishes what the task is to do; pairs with the acquire in
     * gri_runnext_steal. */
    atomic_store_explicit(&n->task, task, memory_order_release);
    return true;
}

/* gri_runnext_take where there is no barrier. */
gri_task *gri_runnext_take_fenced(gri_runnext *n);

/* Owner only. NULL: it is empty. */
static inline gri_task *gri_runnext_take(gri_runnext *n)
{
    if (gri_runnext_look(n) == NULL) {
        return NULL;
    }
    /* relaxed: once a thief was refused, none takes before we say so. */
    if (atomic_load_explicit(&n->mode, memory_order_relaxed) !=
        GRI_RUNNEXT_PLAIN) {
        return gri_runnext_take_fenced(n);
    }
    /* relaxed: the thief's barrier orders it before the look that follows; here
     * only the compiler must be kept from turning them round. */
    atomic_store_explicit(&n->taking, true, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    gri_task *task;
    /* acquire: pairs with the release in gri_runnext_steal; if that took the
     * task, we see it gone. */
    if (atomic_load_explicit(&n->claim, memory_order_acquire)) {
        /* relaxed: what is there is our own writing. */
        task = atomic_exchange_explicit(&n->task, NULL, memory_order_relaxed);
    } else {
        task = gri_runnext_look(n);
        /* relaxed: published by the release below. */
        atomic_store_explicit(&n->task, NULL, memory_order_relaxed);
    }
    /* release: pairs with the acquire in gri_runnext_steal: who sees that it is
     * over sees the empty slot. */
    atomic_store_explicit(&n->taking, false, memory_order_release);
    return task;
}

/* Another thread: takes that task, if it still stands there and nobody else is
 * at it. */
bool gri_runnext_steal(gri_runnext *n, gri_task *task);

#endif /* GRI_SCHED_RUNNEXT_H */
