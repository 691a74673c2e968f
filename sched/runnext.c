/* sched/runnext.c - the seldom half of runnext.h. */
#include "sched/runnext.h"

#include <sched.h>

void gri_runnext_wait(gri_runnext *n)
{
    /* A thief's barrier takes some microseconds, unless it has lost its
     * processor meanwhile. acquire: as in gri_runnext_take. */
    while (atomic_load_explicit(&n->claim, memory_order_acquire)) {
        (void)sched_yield(); /* never fails on Linux */
    }
}

/* acquire: pairs with the release in gri_runnext_put. relaxed on failure: the
 * task is gone, and nothing of it is looked at. */
static bool take(gri_runnext *n, gri_task *task)
{
    return atomic_compare_exchange_strong_explicit(
        &n->task, &task, NULL, memory_order_acquire, memory_order_relaxed);
}

bool gri_runnext_steal(gri_runnext *n, gri_task *task)
{
    if (n->fenced) {
        return take(n, task);
    }
    /* acquire: pairs with the release below, of another thief. */
    if (atomic_exchange_explicit(&n->claim, true, memory_order_acquire)) {
        return false;
    }
    const bool seen = gri_barrier_all();
    /* acquire: pairs with the release of the owner's take. */
    const bool taken =
        seen && !atomic_load_explicit(&n->taking, memory_order_acquire) &&
        take(n, task);
    /* release: the owner, who waits for it, sees whether we took the task. */
    atomic_store_explicit(&n->claim, false, memory_order_release);
    return taken;
}
