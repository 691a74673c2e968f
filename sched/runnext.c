/* sched/runnext.c - the seldom half of runnext.h. */
#include "sched/runnext.h"

gri_task *gri_runnext_take_fenced(gri_runnext *n)
{
    /* release: pairs with the acquire in gri_runnext_steal: who sees it sees
     * the end of our last plain take. */
    atomic_store_explicit(&n->mode, GRI_RUNNEXT_FENCED, memory_order_release);
    /* relaxed: what is there is our own writing. */
    return atomic_exchange_explicit(&n->task, NULL, memory_order_relaxed);
}

/* acquire: pairs with the release in gri_runnext_put. relaxed on failure: the
 * task is gone, and nothing of it is looked at. */
static bool take(gri_runnext *n, gri_task *task)
{
    return atomic_compare_exchange_strong_explicit(
        &n->task, &task, NULL, memory_order_acquire, memory_order_relaxed);
}

/* With the claim in hand. */
static bool take_behind_barrier(gri_runnext *n, gri_task *task)
{
    if (!gri_barrier_all()) {
        /* relaxed: the owner only compares it. It may have changed over
         * already, for another thief; then it does so once more. */
        atomic_store_explicit(&n->mode, GRI_RUNNEXT_REFUSED,
                              memory_order_relaxed);
        return false;
    }
    /* acquire: pairs with the release of the owner's take. */
    return !atomic_load_explicit(&n->taking, memory_order_acquire) &&
           take(n, task);
}

bool gri_runnext_steal(gri_runnext *n, gri_task *task)
{
    /* acquire: pairs with the release in gri_runnext_take_fenced. */
    const unsigned mode = atomic_load_explicit(&n->mode, memory_order_acquire);
    if (mode == GRI_RUNNEXT_FENCED) {
        return take(n, task);
    }
    /* acquire: pairs with the release below, of another thief. */
    if (mode == GRI_RUNNEXT_REFUSED ||
        atomic_exchange_explicit(&n->claim, true, memory_order_acquire)) {
        return false;
    }
    const bool taken = take_behind_barrier(n, task);
    /* release: an owner that does not see the claim any more sees whether we
     * took the task. */
    atomic_store_explicit(&n->claim, false, memory_order_release);
    return taken;
}
