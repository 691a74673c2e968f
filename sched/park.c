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
 * Who sleeps also waits for descriptors, in the poller, which one can hold. It
 * is left to who is awake and looks often, as a worker does that has many short
 * turns. Who relies on that is woken for a look as said above, and then finds
 * that nobody looks any more; the last one awake takes the poller when it
 * parks.
 *
 * Spares are workers that are in service only while the watchdog says so
 * (watchdog.c). One that is out sleeps without a bit, so nobody wakes it or
 * relies on it: it is as if there were none. `present` counts those in service.
 * One that finds on its way to sleep that it is wanted no more goes out
 * instead: it says so (`out`), takes itself out of `present` and, as any
 * parker, looks once more at what it is wanted for and at the queues. As others
 * may have relied on its looking around, it sees to it that another one does.
 * When the watchdog calls it, or a timer of its own is due, it counts itself in
 * before it looks for anything.
 *
 * `parked` and `present` are read one after the other. Seen too few awake, that
 * is by who woke, and went out, after the first look: the others see to each
 * other then as to anybody who parks. Seen too many, one sleeper more looks
 * around, once.
 *
 * tests/model/park.pml has who sleeps and who looks, tests/model/spare.pml the
 * same with a spare that comes and goes, tests/model/poll.pml with the poller,
 * in which one sleeps; what a look takes is argued in crowd.c.
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
    const unsigned n = gri_sched_started(s);
    for (unsigned i = 0; i < n; i++) {
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

static void let_go(gri_worker *w, gri_permit why)
{
    /* seq_cst, both: who goes to sleep in the poller says so, and then looks at
     * its permit. For s->stopping it is a release, too: pairs with the acquire
     * in gri_sched_park. */
    atomic_store_explicit(&w->permit, why, memory_order_seq_cst);
    if (atomic_load_explicit(&w->polls, memory_order_seq_cst)) {
        gri_poller_wake(&w->sched->poller);
    } else {
        gri_futex_wake(&w->permit, 1);
    }
}

bool gri_sched_wake(gri_sched *s, unsigned i, gri_permit why)
{
    if (!unpark(s, i)) {
        return false;
    }
    let_go(&s->workers[i], why);
    return true;
}

void gri_sched_unheld(void *sched)
{
    gri_sched *s = sched;
    /* seq_cst: see gri_poller_give. Whoever it is parks again, and so polls. */
    const uint64_t parked =
        atomic_load_explicit(&s->parked, memory_order_seq_cst);
    if (parked != 0) {
        (void)gri_sched_wake(s, (unsigned)__builtin_ctzll(parked),
                             GRI_PERMIT_LOOK);
    }
}

void gri_sched_call(gri_sched *s, unsigned i)
{
    /* seq_cst: the caller changed what it calls for (members, stopping) before;
     * the spare says that it is out, and then looks at that. */
    if (atomic_load_explicit(&s->workers[i].out, memory_order_seq_cst)) {
        let_go(&s->workers[i], GRI_PERMIT_LOOK);
    }
}

/* Some sleep, or did a moment ago. */
static __attribute__((noinline)) void wake_one(gri_sched *s)
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

void gri_sched_notify(gri_sched *s)
{
    /* seq_cst: the submitter's look. */
    if (atomic_load_explicit(&s->parked, memory_order_seq_cst) != 0) {
        wake_one(s);
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

/* If some sleep and others do not, one of them is to look around. */
static void see_to_another(gri_sched *s)
{
    /* seq_cst: see the head of this file. */
    uint64_t parked = atomic_load_explicit(&s->parked, memory_order_seq_cst);
    if (parked != 0 && gri_sched_awake(s, parked) > 0 &&
        !one_looks(s, parked, gri_clock_ns(s->clock) + GRI_STALE_NS)) {
        /* If its bit is gone by now it is awake, and looks before it parks. */
        (void)gri_sched_wake(s, (unsigned)__builtin_ctzll(parked),
                             GRI_PERMIT_LOOK);
    }
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
    see_to_another(s); /* we sleep no more */
}

/* When this worker must get up, given who sleeps. */
static int64_t wake_time(gri_worker *w, uint64_t parked)
{
    gri_sched *s = w->sched;
    const int64_t own_ns = gri_timers_next(&w->timers);
    /* relaxed: our own writing. */
    if (gri_sched_awake(s, parked) == 0 ||
        atomic_load_explicit(&w->out, memory_order_relaxed)) {
        return own_ns;
    }
    const int64_t look_ns = gri_clock_ns(s->clock) + GRI_STALE_NS;
    const uint64_t others = parked & ~(UINT64_C(1) << w->index);
    return own_ns <= look_ns || one_looks(s, others, look_ns) ? own_ns
                                                              : look_ns;
}

/* Whether the watchdog wants this worker in service. */
static bool is_wanted(const gri_worker *w)
{
    /* seq_cst: with gri_sched_call. */
    return w->index <
           atomic_load_explicit(&w->sched->members, memory_order_seq_cst);
}

/* Announces that this worker sleeps, or goes out. */
static void announce(gri_worker *w)
{
    gri_sched *s = w->sched;
    /* relaxed: published by what follows; a waker writes it only after that. A
     * waker of an earlier sleep may write late: then we wake for nothing. */
    atomic_store_explicit(&w->permit, GRI_PERMIT_NONE, memory_order_relaxed);
    /* seq_cst, all, and in this order: announce, then look (see above). */
    atomic_store_explicit(&w->up_ns, GRI_NEVER, memory_order_seq_cst);
    if (is_wanted(w)) {
        atomic_fetch_or_explicit(&s->parked, UINT64_C(1) << w->index,
                                 memory_order_seq_cst);
    } else {
        atomic_store_explicit(&w->out, true, memory_order_seq_cst);
        atomic_fetch_sub_explicit(&s->present, 1, memory_order_seq_cst);
    }
    if (w->searching) {
        gri_sched_stop_searching(w, false);
    }
    /* relaxed: our own writing. */
    if (atomic_load_explicit(&w->out, memory_order_relaxed)) {
        see_to_another(s);
    }
}

void gri_sched_come_back(gri_worker *w)
{
    gri_sched *s = w->sched;
    /* relaxed: our own writing. */
    if (atomic_load_explicit(&w->out, memory_order_relaxed)) {
        /* seq_cst, all: as in announce; it is counted before it looks. */
        atomic_store_explicit(&w->out, false, memory_order_seq_cst);
        atomic_fetch_add_explicit(&s->present, 1, memory_order_seq_cst);
        atomic_fetch_add_explicit(&s->searching, 1, memory_order_seq_cst);
    } else {
        (void)unpark(s, w->index); /* unless a waker did it and counted us */
    }
    w->searching = true;
    w->round_left = 1; /* what came meanwhile waits longest */
    gri_watchdog_wake(s);
}

/* Whether to stay awake, after the announcement: the second look. */
static bool is_needed(gri_worker *w, uint64_t parked)
{
    gri_sched *s = w->sched;
    /* seq_cst: with the store in gri_sched_stop, the same protocol. relaxed for
     * `out`: our own writing. */
    return atomic_load_explicit(&s->stopping, memory_order_seq_cst) ||
           (!is_crowded(s, parked) && gri_sched_has_work(s)) ||
           (atomic_load_explicit(&w->out, memory_order_relaxed) &&
            is_wanted(w));
}

/* True: it holds the poller. One that goes out does not; but it may have until
 * now, and others have gone to sleep elsewhere for it. Nor does one of many if
 * who is awake looks often: it would be woken by what that one finds as soon,
 * and take it to another processor. */
static bool poll_or_see_to_it(gri_worker *w, uint64_t parked)
{
    gri_sched *s = w->sched;
    if (!is_wanted(w)) {
        gri_sched_unheld(s);
        return false;
    }
    const bool is_left =
        gri_sched_awake(s, parked) > 0 && gri_poller_is_watched(&s->poller);
    return !is_left && gri_poller_take(&s->poller);
}

/* Sleeps in the poller, which it holds. True: something is ready. */
static bool sleep_in_poller(gri_worker *w, int64_t up_ns)
{
    bool ready = false;
    /* seq_cst, both: with let_go. */
    atomic_store_explicit(&w->polls, true, memory_order_seq_cst);
    if (atomic_load_explicit(&w->permit, memory_order_seq_cst) ==
        GRI_PERMIT_NONE) {
        ready = gri_poller_wait(&w->sched->poller, up_ns);
    }
    /* relaxed: a waker that sees it late only makes the poller wake once more.
     */
    atomic_store_explicit(&w->polls, false, memory_order_relaxed);
    return ready;
}

void gri_sched_park(gri_worker *w)
{
    gri_sched *s = w->sched;
    announce(w);
    /* relaxed for the counter: ours to write. */
    atomic_store_explicit(
        &w->parks, atomic_load_explicit(&w->parks, memory_order_relaxed) + 1,
        memory_order_relaxed);
    /* seq_cst: the second look. */
    uint64_t parked = atomic_load_explicit(&s->parked, memory_order_seq_cst);
    if (gri_sched_awake(s, parked) == 0) {
        /* Of those who blocked, none is left. relaxed, both: see crowd.c. */
        atomic_store_explicit(
            &s->limit, atomic_load_explicit(&s->floor, memory_order_relaxed),
            memory_order_relaxed);
    }
    w->got_up = false;
    gri_poller *poller = &s->poller;
    bool holds = false;
    bool ready = false;
    if (!is_needed(w, parked)) {
        int64_t up_ns = wake_time(w, parked);
        /* seq_cst: others rely on it. */
        atomic_store_explicit(&w->up_ns, up_ns, memory_order_seq_cst);
        gri_rec_set(&w->recent->asleep_ns,
                    (uint64_t)gri_clock_coarse_ns(s->clock));
        holds = gri_poller_is_open(poller) && poll_or_see_to_it(w, parked);
        if (holds) {
            ready = sleep_in_poller(w, up_ns);
        } else {
            gri_futex_wait(&w->permit, GRI_PERMIT_NONE, up_ns);
        }
        gri_rec_set(&w->recent->asleep_ns, 0);
        /* acquire: pairs with the release in let_go. */
        w->got_up =
            !ready && atomic_load_explicit(&w->permit, memory_order_acquire) !=
                          GRI_PERMIT_WORK;
    }
    gri_sched_come_back(w);
    if (ready) {
        gri_poller_tell(poller, w);
    }
    if (holds) {
        gri_poller_give(poller);
    }
}
