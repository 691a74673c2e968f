/*
 * sched/park.c - how workers sleep when there is nothing to do, and are woken.
 *
 * Who submits makes the task visible in a queue, then looks at `parked` and
 * `searching`, and wakes one if some sleep and none searches. Who parks sets
 * its bit in `parked` and leaves `searching`, then looks at all queues once
 * more.
 *
 * A submission from outside is in sequential order with all this, so one of the
 * two sees the other. A worker's push into its own queue is not, as the order
 * would cost a locked instruction each time: a sleeper may miss it, and be
 * missed. So, while any worker is awake, one of the sleepers looks around again
 * after GRI_STALE_NS. Who parks sleeps for so long, unless all sleep, or
 * another sleeper's `up_ns` says that it looks by then; and a sleeper that
 * begins to run tasks looks for nobody any more: it sees to it that another
 * one does. The same look finds what stands in the slot of a worker that is
 * busy, and fires the timers of one. Only who sees that all sleep sleeps until
 * its own timers are due: by then the last of them has set its bit, behind its
 * last push.
 *
 * No more workers are woken than `limit` says, which is as many as there are
 * processors, or more where handlers block (crowd.c); those that are awake
 * beyond that park, when they have nothing of their own, without a look at the
 * queues. What is there is taken by those awake or, if they are stuck in long
 * turns, by the sleeper that looks around.
 *
 * To keep wake-ups few, only one worker is woken at a time, and none while one
 * searches. In return, a searcher that finds something and was the last one
 * wakes the next if there is more (gri_sched_stop_searching), so that nothing
 * waits for the look of a sleeper. It is woken as a searcher: who clears a
 * worker's bit counts it in `searching`, be it a waker or, after a timeout or a
 * second look, the worker itself.
 *
 * tests/model/park.pml has who sleeps and who looks; what a look takes is
 * argued in crowd.c.
 */
#include <stddef.h>

#include "base/assert.h"
#include "sched/futex.h"
#include "sched/sched.h"

/* Whether as many are awake as may be, given who sleeps. */
static bool is_crowded(gri_sched *s, uint64_t parked)
{
    /* relaxed: it may change at any moment. */
    return gri_sched_awake(s, parked) >=
           atomic_load_explicit(&s->limit, memory_order_relaxed);
}

bool gri_sched_has_work(gri_sched *s)
{
    /* seq_cst: the parker's second look, see the head of this file; with the
     * addition in inject_list. */
    if (atomic_load_explicit(&s->inject_count, memory_order_seq_cst) > 0) {
        return true;
    }
    for (unsigned i = 0; i < s->n; i++) {
        if (!gri_runq_is_empty(&s->workers[i].queue)) {
            return true;
        }
    }
    return false;
}

/* Takes worker i's bit away. True: it was set, and the caller did it. */
static bool unpark(gri_sched *s, unsigned i)
{
    uint64_t bit = UINT64_C(1) << i;
    /* seq_cst: part of the protocol; whoever clears the bit counts a searcher,
     * so that others need not wake one more. */
    uint64_t old =
        atomic_fetch_and_explicit(&s->parked, ~bit, memory_order_seq_cst);
    if ((old & bit) == 0) {
        return false;
    }
    /* seq_cst: as above. */
    atomic_fetch_add_explicit(&s->searching, 1, memory_order_seq_cst);
    return true;
}

bool gri_sched_wake(gri_sched *s, unsigned i, gri_permit why)
{
    if (!unpark(s, i)) {
        return false;
    }
    gri_worker *w = &s->workers[i];
    /* release: pairs with the acquire in gri_sched_park; not needed for tasks,
     * which come with their queues' orders, but for s->stopping. */
    atomic_store_explicit(&w->permit, why, memory_order_release);
    gri_futex_wake(&w->permit, 1);
    return true;
}

void gri_sched_notify(gri_sched *s)
{
    for (;;) {
        /* seq_cst, both: the submitter's look, see the head of this file. */
        uint64_t parked =
            atomic_load_explicit(&s->parked, memory_order_seq_cst);
        if (parked == 0 || is_crowded(s, parked) ||
            atomic_load_explicit(&s->searching, memory_order_seq_cst) > 0) {
            return;
        }
        if (gri_sched_wake(s, (unsigned)__builtin_ctzll(parked),
                           GRI_PERMIT_WORK)) {
            return;
        }
    }
}

/* Whether one of these sleepers looks around by then. seq_cst: a bit that is
 * seen was set after the worker's up_ns said "for ever". One that gets up at
 * this moment parks again or, if it found something, sees to another one. */
static bool one_looks(gri_sched *s, uint64_t sleepers, int64_t by_ns)
{
    for (; sleepers != 0; sleepers &= sleepers - 1) {
        gri_worker *w = &s->workers[__builtin_ctzll(sleepers)];
        if (atomic_load_explicit(&w->up_ns, memory_order_seq_cst) <= by_ns) {
            return true;
        }
    }
    return false;
}

void gri_sched_stop_searching(gri_worker *w, bool found)
{
    gri_sched *s = w->sched;
    GR_DASSERT(w->searching);
    w->searching = false;
    /* seq_cst: the submitter who saw us searching relied on our finding its
     * task, or on the look that follows. */
    int32_t before =
        atomic_fetch_sub_explicit(&s->searching, 1, memory_order_seq_cst);
    if (!found) {
        return;
    }
    if (before <= 1 && gri_sched_has_work(s)) {
        gri_sched_notify(s);
    }
    /* seq_cst: see the head of this file; we sleep no more. */
    uint64_t parked = atomic_load_explicit(&s->parked, memory_order_seq_cst);
    if (parked != 0 &&
        !one_looks(s, parked, gri_clock_ns(s->clock) + GRI_STALE_NS)) {
        /* If its bit is gone by now it is awake, and looks before it parks. */
        (void)gri_sched_wake(s, (unsigned)__builtin_ctzll(parked),
                             GRI_PERMIT_LOOK);
    }
}

static uint64_t all_bits(const gri_sched *s)
{
    return s->n == 64 ? UINT64_MAX : (UINT64_C(1) << s->n) - 1;
}

/* When this worker must get up, given who sleeps. */
static int64_t wake_time(gri_worker *w, uint64_t parked)
{
    gri_sched *s = w->sched;
    const int64_t own_ns = gri_timers_next(&w->timers);
    if (parked == all_bits(s)) {
        return own_ns;
    }
    const int64_t look_ns = gri_clock_ns(s->clock) + GRI_STALE_NS;
    const uint64_t others = parked & ~(UINT64_C(1) << w->index);
    return own_ns <= look_ns || one_looks(s, others, look_ns) ? own_ns
                                                              : look_ns;
}

void gri_sched_park(gri_worker *w)
{
    gri_sched *s = w->sched;
    uint64_t bit = UINT64_C(1) << w->index;
    /* relaxed: published by the bit below; a waker writes it only after that.
     * A waker of an earlier sleep may write late: then we wake for nothing. */
    atomic_store_explicit(&w->permit, GRI_PERMIT_NONE, memory_order_relaxed);
    /* seq_cst, all, and in this order: announce, then look (see above). */
    atomic_store_explicit(&w->up_ns, GRI_NEVER, memory_order_seq_cst);
    atomic_fetch_or_explicit(&s->parked, bit, memory_order_seq_cst);
    if (w->searching) {
        gri_sched_stop_searching(w, false);
    }
    /* relaxed for the counter: ours to write. */
    atomic_store_explicit(
        &w->parks, atomic_load_explicit(&w->parks, memory_order_relaxed) + 1,
        memory_order_relaxed);
    /* seq_cst, both: the second look; with the store in gri_sched_stop, the
     * same protocol. */
    uint64_t parked = atomic_load_explicit(&s->parked, memory_order_seq_cst);
    if (parked == all_bits(s)) {
        /* Of those who blocked, none is left. relaxed: see crowd.c. */
        atomic_store_explicit(&s->limit, s->at_once, memory_order_relaxed);
    }
    w->got_up = false;
    if ((is_crowded(s, parked) || !gri_sched_has_work(s)) &&
        !atomic_load_explicit(&s->stopping, memory_order_seq_cst)) {
        int64_t up_ns = wake_time(w, parked);
        /* seq_cst: others rely on it. */
        atomic_store_explicit(&w->up_ns, up_ns, memory_order_seq_cst);
        gri_rec_set(&w->recent->asleep_ns,
                    (uint64_t)gri_clock_coarse_ns(s->clock));
        gri_futex_wait(&w->permit, GRI_PERMIT_NONE, up_ns);
        gri_rec_set(&w->recent->asleep_ns, 0);
        /* acquire: pairs with the release in gri_sched_wake. */
        w->got_up = atomic_load_explicit(&w->permit, memory_order_acquire) !=
                    GRI_PERMIT_WORK;
    }
    (void)unpark(s, w->index); /* unless a waker did it and counted us */
    w->searching = true;
    w->round_left = 1; /* what came meanwhile waits longest */
}
