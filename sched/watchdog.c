/*
 * sched/watchdog.c - see watchdog.h.
 *
 * A worker whose counters stand still for more than two looks is stuck in its
 * turn: in a loop, or blocked in the kernel. Then
 *
 * - what stands in its queue and its slot goes to all, at each look. (Others
 *   steal it, too, but who always has something to do takes one at a time. Its
 *   timers are fired by whoever looks around. What it has counted by itself,
 *   see send.c, only makes mailboxes look a few messages emptier than they
 *   are.)
 * - those that are stuck count no more among the workers that may be awake: so
 *   many others as find a processor may be, and one at least. `floor` says how
 *   many that is together; `limit` (park.c, crowd.c) is never less for long:
 * who changed it at the same moment is corrected at the next look.
 * - where that is more than the system began with, spares go into service. They
 *   are workers as any other, with threads that start when they are first
 *   needed and then stay. When fewer are wanted, the last ones go out by
 *   themselves, once they have nothing of their own to do (park.c).
 *
 * - where all who are in service are stuck, and no spare is left or no thread
 *   to be had, it fires the timers that are due itself: no worker looks at
 *   them, and a thread may wait for one.
 *
 * A worker that did not run for most of that time is taken to be blocked, and
 * to leave its processor to another. On a machine with too few of them that may
 * be wrong: then there is a worker too many, for so long.
 *
 * Sleep: it says so, and then looks whether all workers sleep; who gets up is
 * counted as awake, and then looks whether it sleeps. So one of the two sees
 * the other. It is woken at most once between two looks, as it begins with a
 * pause.
 */
#include "sched/watchdog.h"

#include <signal.h>
#include <stddef.h>

#include <greenroom/error.h>
#include <sys/prctl.h>

#include "sched/futex.h"
#include "sched/sched.h"
#include "sched/trap.h"

enum {
    LOOKS = 3 /* that see the same turn: then it lasts too long */
};

/* What one look brings together. */
typedef struct found {
    int64_t now_ns;
    unsigned stuck;    /* workers */
    unsigned spinning; /* of these, those that use a processor */
} found;

/* ---- what stands behind a turn ---------------------------------------------
 */

static void give_to_all(gri_worker *w)
{
    gri_task *first = NULL;
    gri_task *last = NULL;
    uint32_t n = 0;
    for (gri_task *task;
         n < GRI_RUNQ_SIZE && (task = gri_runq_take(&w->queue)) != NULL; n++) {
        if (first == NULL) {
            first = task;
        } else {
            last->next = task;
        }
        last = task;
    }
    gri_task *next = gri_runnext_look(&w->next);
    /* If not, another took it. */
    if (next != NULL && gri_runnext_steal(&w->next, next)) {
        if (first == NULL) {
            first = next;
        } else {
            last->next = next;
        }
        last = next;
        n++;
    }
    if (n > 0) {
        gri_sched_inject(w->sched, first, last, n);
    }
}

/* ---- spares ----------------------------------------------------------------
 */

/* Starts the next spare, which comes into service by itself. */
static bool start_spare(gri_sched *s)
{
    const unsigned i = gri_sched_started(s);
    /* seq_cst: before it does anything; see gri_sched_started. */
    atomic_store_explicit(&s->started, i + 1, memory_order_seq_cst);
    if (gri_worker_start(&s->workers[i]) == 0) {
        return true;
    }
    /* Who has looked at it found nothing. seq_cst: as above. */
    atomic_store_explicit(&s->started, i, memory_order_seq_cst);
    return false;
}

static void count(_Atomic(uint64_t) *counter, uint64_t more)
{
    /* relaxed: our own counter. */
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
        memory_order_relaxed);
}

/* Workers 0 to n - 1 are to be in service. Returns how many are. */
static unsigned set_members(gri_sched *s, unsigned n)
{
    gri_watchdog *d = &s->watchdog;
    /* relaxed: ours to write. */
    const unsigned before =
        atomic_load_explicit(&s->members, memory_order_relaxed);
    /* seq_cst: before they are called, see gri_sched_call; and before their
     * threads start. */
    atomic_store_explicit(&s->members, n, memory_order_seq_cst);
    while (n > gri_sched_started(s) && start_spare(s)) {
    }
    if (n > gri_sched_started(s)) { /* no more threads are to be had */
        n = gri_sched_started(s);
        atomic_store_explicit(&s->members, n, memory_order_seq_cst);
    }
    for (unsigned i = s->base; i < n; i++) {
        gri_sched_call(s, i);
    }
    if (n > before) {
        count(&d->lent, n - before);
    }
    /* relaxed, both: a number of ours. */
    if (n - s->base > atomic_load_explicit(&d->most, memory_order_relaxed)) {
        atomic_store_explicit(&d->most, n - s->base, memory_order_relaxed);
    }
    return n;
}

static void set_floor(gri_sched *s, unsigned least)
{
    /* relaxed, all: see the head of this file. */
    const unsigned before =
        atomic_load_explicit(&s->floor, memory_order_relaxed);
    const unsigned limit =
        atomic_load_explicit(&s->limit, memory_order_relaxed);
    const unsigned most = least > s->base ? least : s->base;
    atomic_store_explicit(&s->floor, least, memory_order_relaxed);
    if (limit < least || (least < before && limit > most)) {
        atomic_store_explicit(&s->limit, limit < least ? least : most,
                              memory_order_relaxed);
    }
}

/* Each is given out once, under its store's lock (gri_timers_take): whoever
 * comes back meanwhile fires the others. What a timer's end arms again is due
 * behind this look's time, and so for the next one. */
static void fire_all_due(gri_sched *s, int64_t now_ns)
{
    const unsigned n = gri_sched_started(s);
    gri_fired fired;
    for (unsigned i = 0; i < n; i++) {
        while (gri_timers_take(&s->workers[i].timers, now_ns, &fired)) {
            s->ops->fired_outside(s, &fired);
        }
    }
}

/* As many as are stuck, and those who do the work. */
static void provide(gri_sched *s, const found *see)
{
    unsigned least = s->at_once;
    if (see->stuck > 0) {
        const unsigned able =
            s->at_once > see->spinning ? s->at_once - see->spinning : 1;
        least = see->stuck + able > least ? see->stuck + able : least;
    }
    const unsigned wanted = least > s->base ? least : s->base;
    const unsigned n = set_members(s, wanted < s->n ? wanted : s->n);
    set_floor(s, least < n ? least : n);
    if (see->stuck >= n && s->ops->fired_outside != NULL) {
        fire_all_due(s, see->now_ns);
    }
    const bool is_short = n < wanted;
    if (is_short && !s->watchdog.is_short) {
        count(&s->watchdog.missed, 1);
        if (s->ops->short_of_spares != NULL) {
            s->ops->short_of_spares(s);
        }
    }
    s->watchdog.is_short = is_short;
    if (see->stuck > 0 && gri_sched_has_work(s)) {
        gri_sched_notify(s); /* what was given away, or waits since long */
    }
}

/* ---- a look ----------------------------------------------------------------
 */

static bool is_awake(gri_sched *s, unsigned i, uint64_t parked)
{
    /* relaxed: it may change at any moment. */
    return (parked >> i & 1) == 0 &&
           !atomic_load_explicit(&s->workers[i].out, memory_order_relaxed);
}

static void look_at(gri_worker *w, found *see)
{
    gri_watchdog *d = &w->sched->watchdog;
    /* relaxed, both: only compared. */
    const uint64_t turns =
        atomic_load_explicit(&w->turns, memory_order_relaxed);
    const uint64_t parks =
        atomic_load_explicit(&w->parks, memory_order_relaxed);
    if (d->of[w->index].looks == 0 || turns != d->of[w->index].turns ||
        parks != d->of[w->index].parks) {
        d->of[w->index].turns = turns;
        d->of[w->index].parks = parks;
        d->of[w->index].since_ns = see->now_ns;
        d->of[w->index].looks = 0;
    }
    if (d->of[w->index].looks < LOOKS) {
        d->of[w->index].looks++;
    }
    if (d->of[w->index].looks < LOOKS - 1) {
        return; /* as most are: over before long */
    }
    const int64_t ran_ns = gri_cpu_ns_of(w);
    const int64_t before_ns = d->of[w->index].cpu_ns;
    const int64_t span_ns = see->now_ns - d->of[w->index].cpu_at_ns;
    d->of[w->index].cpu_ns = ran_ns;
    d->of[w->index].cpu_at_ns = see->now_ns;
    if (d->of[w->index].looks < LOOKS) {
        return;
    }
    see->stuck++;
    if (before_ns < 0 || ran_ns < 0 || 2 * (ran_ns - before_ns) >= span_ns) {
        see->spinning++;
    }
    give_to_all(w);
}

static void tell(gri_worker *w, int64_t now_ns)
{
    const gri_watchdog *d = &w->sched->watchdog;
    const gri_sight sight = {
        .turns = d->of[w->index].turns,
        .turn_ns = now_ns - d->of[w->index].since_ns,
        .now_ns = now_ns,
    };
    w->sched->ops->watched(w, &sight);
}

/* True: another look is wanted: a worker is awake or, as one was stuck, more
 * are in service than are wanted by now. (A spare that was wanted no more goes
 * out as soon as its turn ends, be it during this look: then nobody is awake,
 * but nobody has put back what was done for it.) */
static bool look(gri_sched *s)
{
    /* seq_cst: see the head of this file. */
    const uint64_t parked =
        atomic_load_explicit(&s->parked, memory_order_seq_cst);
    const unsigned n = gri_sched_started(s);
    found see = {.now_ns = gri_clock_ns(s->clock)};
    for (unsigned i = 0; i < n; i++) {
        if (is_awake(s, i, parked)) {
            look_at(&s->workers[i], &see);
        } else {
            s->watchdog.of[i].looks = 0;
        }
    }
    provide(s, &see);
    if (parked == 0 && gri_poller_is_open(&s->poller)) {
        gri_poller_help(&s->poller); /* all may be in long turns */
    }
    /* Last: it may take long. */
    for (unsigned i = 0; s->ops->watched != NULL && i < n; i++) {
        if (s->watchdog.of[i].looks > 0) {
            tell(&s->workers[i], see.now_ns);
        }
    }
    return see.stuck > 0 || gri_sched_awake(s, parked) > 0;
}

/* ---- its thread -------------------------------------------------------------
 */

/* Changes the state, unless it is another one by now. */
static void change(gri_watchdog *d, uint32_t from, uint32_t to)
{
    /* seq_cst: see the head of this file. */
    (void)atomic_compare_exchange_strong_explicit(
        &d->state, &from, to, memory_order_seq_cst, memory_order_seq_cst);
}

static void sleep_until_woken(gri_sched *s)
{
    gri_watchdog *d = &s->watchdog;
    change(d, GRI_WATCH_AWAKE, GRI_WATCH_ASLEEP);
    /* seq_cst: see the head of this file. */
    if (gri_sched_awake(
            s, atomic_load_explicit(&s->parked, memory_order_seq_cst)) == 0) {
        /* Who parked last may have gone by what the last look changed.
         * relaxed, both: see crowd.c. */
        atomic_store_explicit(
            &s->limit, atomic_load_explicit(&s->floor, memory_order_relaxed),
            memory_order_relaxed);
        gri_futex_wait(&d->state, GRI_WATCH_ASLEEP, GRI_NEVER);
    }
    change(d, GRI_WATCH_ASLEEP, GRI_WATCH_AWAKE);
}

void gri_watchdog_wake_slow(gri_watchdog *d)
{
    change(d, GRI_WATCH_ASLEEP, GRI_WATCH_AWAKE);
    gri_futex_wake(&d->state, 1);
}

static void *watch(void *arg)
{
    gri_sched *s = arg;
    gri_watchdog *d = &s->watchdog;
    (void)prctl(PR_SET_NAME, "gr-watchdog"); /* for people only */
    for (;;) {
        gri_futex_wait(&d->state, GRI_WATCH_AWAKE,
                       gri_clock_ns(s->clock) + GRI_WATCH_NS);
        /* acquire: pairs with the store in gri_watchdog_stop. */
        if (atomic_load_explicit(&d->state, memory_order_acquire) ==
            GRI_WATCH_LEAVE) {
            break;
        }
        if (!look(s)) {
            sleep_until_woken(s);
        }
    }
    /* release: pairs with the acquire in gri_sched_has_left. */
    atomic_store_explicit(&d->left, 1, memory_order_release);
    gri_futex_wake(&d->left, 1);
    return NULL;
}

int gri_watchdog_start(gri_sched *s)
{
    sigset_t all;
    sigset_t before;
    gri_signals_asynchronous(&all); /* as on the workers, and its own, too */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&s->watchdog.thread, NULL, watch, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        return GR_EIO;
    }
    s->watchdog.runs = true;
    return 0;
}

bool gri_watchdog_stop(gri_sched *s, int64_t deadline_ns)
{
    gri_watchdog *d = &s->watchdog;
    if (!d->runs) {
        return true;
    }
    d->runs = false;
    /* release: pairs with the acquire in watch. */
    atomic_store_explicit(&d->state, GRI_WATCH_LEAVE, memory_order_release);
    gri_futex_wake(&d->state, 1);
    if (!gri_sched_has_left(s, &d->left, deadline_ns)) {
        (void)pthread_detach(d->thread);
        return false;
    }
    (void)pthread_join(d->thread, NULL);
    return true;
}
