/*
 * sched/runq.h - one worker's queue of tasks: bounded, first in first out; the
 * owner pushes and pops, other workers steal half.
 *
 * `head` and `tail` count for ever and wrap; the place of a count is its
 * remainder. Whoever takes tasks reads them first and then claims them by one
 * compare-and-swap of head, so a place is never overwritten while somebody
 * still reads it for a claim that succeeds. After the run queue of the Go
 * runtime in shape; the orders are argued below.
 */
#ifndef GRI_SCHED_RUNQ_H
#define GRI_SCHED_RUNQ_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"

enum { GRI_RUNQ_SIZE = 256 }; /* a power of two */

/* Embedded in what is to run. */
typedef struct gri_task {
    struct gri_task *next; /* in the inject queue only */
} gri_task;

typedef struct gri_runq {
    alignas(GRI_CACHE_LINE) _Atomic(uint32_t) head; /* owner and thieves */
    alignas(GRI_CACHE_LINE) _Atomic(uint32_t) tail; /* owner writes */
    _Atomic(gri_task *) place[GRI_RUNQ_SIZE];
} gri_runq;

void gri_runq_init(gri_runq *q);
/* Owner only. False: full. */
bool gri_runq_push(gri_runq *q, gri_task *task);
/* Owner only. NULL: empty. */
gri_task *gri_runq_pop(gri_runq *q);
/* Owner only, of a full queue: takes the older half of it out, as a list
 * through `next`. Returns how many; 0: somebody steals at this moment, and
 * there is room.
 */
uint32_t gri_runq_halve(gri_runq *q, gri_task **first, gri_task **last);
/* The owner of `to`, whose queue is empty, takes half of `from`, and returns
 * one of them; NULL: there was nothing. */
gri_task *gri_runq_steal(gri_runq *to, gri_runq *from);
/* Any other thread takes one. NULL: empty, or somebody was faster. */
gri_task *gri_runq_take(gri_runq *q);
/* Any thread; for the parking protocol (park.c). */
bool gri_runq_is_empty(gri_runq *q);

#endif /* GRI_SCHED_RUNQ_H */
