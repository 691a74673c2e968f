/*
 * sched/park.c - how workers sleep when there is nothing to do, and are woken.
 *
 * Two variables on each side. Who submits makes the task visible in a queue,
 * then looks at `parked` and `searching`. Who parks sets its bit in `parked`
 * and leaves `searching`, then looks at all queues once more. All four steps
 * are sequentially consistent, so one of the two sees the other: no task is
 * left in a queue while a worker sleeps and none searches. Without the second
 * look, or with weaker orders, a task can be lost for ever (tests/model).
 *
 * To keep wake-ups few, only one worker is woken at a time, and none while one
 * searches. In return, a searcher that finds something and was the last one
 * wakes the next if there is more (gri_sched_stop_searching). It is woken as a
 * searcher: who clears a worker's bit counts it in `searching`, be it a waker
 * or, after a timeout or a second look, the worker itself.
 *
 * Timers are a worker's own, but it may be busy when one is due; so, while some
 * worker sleeps, one of the sleepers is to get up for it in time, a little
 * later than the owner would. It is the same protocol: who arms publishes the
 * time, then looks when the sleepers get up (`up_ns`), and wakes one if none
 * does early enough; who parks lets everybody see that it may sleep for ever,
 * then looks at all the times, then says when it will get up. A sleeper that
 * begins to run tasks gets up for nobody any more: it looks for another one.
 */
#include <stddef.h>

#include "base/assert.h"
#include "sched/futex.h"
#include "sched/sched.h"

/* How long after its time a timer of a worker that is awake, but busy, is left
 * to it before a sleeper gets up for it. */
#define GRACE_NS GRI_NS_PER_MS

bool gri_sched_has_work(gri_sched *s)
{
    /* seq_cst: the parker's second look, see the head of this file. Pairs with
     * the stores in inject_push and gri_runq_push. */
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

bool gri_sched_wake(gri_sched *s, unsigned i)
{
    if (!unpark(s, i)) {
        return false;
    }
    gri_worker *w = &s->workers[i];
    /* release: pairs with the acquire in gri_sched_park; not needed for tasks,
     * which come with their queues' orders, but for s->stopping. */
    atomic_store_explicit(&w->permit, 1, memory_order_release);
    gri_futex_wake(&w->permit, 1);
    return true;
}

void gri_sched_notify(gri_sched *s)
{
    for (;;) {
        /* seq_cst, both: the submitter's look, see the head of this file. */
        uint64_t parked =
            atomic_load_explicit(&s->parked, memory_order_seq_cst);
        if (parked == 0 ||
            atomic_load_explicit(&s->searching, memory_order_seq_cst) > 0) {
            return;
        }
        if (gri_sched_wake(s, (unsigned)__builtin_ctzll(parked))) {
            return;
        }
    }
}

/* The first time that a timer of a worker is due for which no bit is set. */
static int64_t first_due(gri_sched *s, uint64_t without)
{
    int64_t first = GRI_NEVER;
    for (unsigned i = 0; i < s->n; i++) {
        if ((without >> i & 1) == 0) {
            int64_t due_ns = gri_timers_next(&s->workers[i].timers);
            first = due_ns < first ? due_ns : first;
        }
    }
    return first;
}

/* When a sleeper gets up for a timer that is not its own. */
static int64_t with_grace(int64_t due_ns)
{
    return due_ns < GRI_NEVER - GRACE_NS ? due_ns + GRACE_NS : GRI_NEVER;
}

void gri_sched_watch(gri_worker *w, int64_t due_ns)
{
    gri_sched *s = w->sched;
    /* seq_cst, both: the armer's look, see the head of this file. A bit that is
     * seen was set after the worker's up_ns said "for ever". */
    uint64_t parked = atomic_load_explicit(&s->parked, memory_order_seq_cst) &
                      ~(UINT64_C(1) << w->index);
    for (uint64_t left = parked; left != 0; left &= left - 1) {
        gri_worker *sleeper = &s->workers[__builtin_ctzll(left)];
        if (atomic_load_explicit(&sleeper->up_ns, memory_order_seq_cst) <=
            with_grace(due_ns)) {
            return;
        }
    }
    if (parked != 0) {
        /* If its bit is gone by now it is awake, and looks before it parks. */
        (void)gri_sched_wake(s, (unsigned)__builtin_ctzll(parked));
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
    if (found && before <= 1 && gri_sched_has_work(s)) {
        gri_sched_notify(s);
    }
    if (found) {
        /* seq_cst: as in gri_sched_watch. */
        uint64_t parked =
            atomic_load_explicit(&s->parked, memory_order_seq_cst);
        if (parked != 0) {
            /* One of the sleepers looks at our slot, too, while we run. */
            int64_t due_ns = first_due(s, parked);
            int64_t look_ns = gri_clock_ns(s->clock) + GRI_STALE_NS;
            gri_sched_watch(w, due_ns < look_ns ? due_ns : look_ns);
        }
    }
}

static uint64_t all_bits(const gri_sched *s)
{
    return s->n == 64 ? UINT64_MAX : (UINT64_C(1) << s->n) - 1;
}

/* When this worker must get up: for its own timers in time, for those of one
 * that is awake (and may be busy) a little later. */
static int64_t wake_time(gri_worker *w)
{
    gri_sched *s = w->sched;
    /* relaxed: one that parks just now has its timers looked at in vain; one
     * that wakes just now sees our bit, and looks for somebody itself. */
    uint64_t parked = atomic_load_explicit(&s->parked, memory_order_relaxed);
    int64_t own = gri_timers_next(&w->timers);
    int64_t others = with_grace(first_due(s, parked));
    int64_t first = own < others ? own : others;
    if (parked == all_bits(s)) {
        return first;
    }
    /* Somebody is awake, and may be busy while a task stands in its slot. */
    int64_t look = gri_clock_ns(s->clock) + GRI_STALE_NS;
    return look < first ? look : first;
}

void gri_sched_park(gri_worker *w)
{
    gri_sched *s = w->sched;
    uint64_t bit = UINT64_C(1) << w->index;
    /* relaxed: published by the bit below; a waker writes it only after that.
     * A waker of an earlier sleep may write late: then we wake for nothing. */
    atomic_store_explicit(&w->permit, 0, memory_order_relaxed);
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
    /* seq_cst: with the store in gri_sched_stop, the same protocol. */
    if (!gri_sched_has_work(s) &&
        !atomic_load_explicit(&s->stopping, memory_order_seq_cst)) {
        int64_t up_ns = wake_time(w);
        /* seq_cst: the timers' part of the protocol. */
        atomic_store_explicit(&w->up_ns, up_ns, memory_order_seq_cst);
        gri_futex_wait(&w->permit, 0, up_ns);
    }
    /* acquire: pairs with the release in gri_sched_wake. */
    (void)atomic_load_explicit(&w->permit, memory_order_acquire);
    (void)unpark(s, w->index); /* unless a waker did it and counted us */
    w->searching = true;
    w->round_left = 1; /* what came meanwhile waits longest */
}
