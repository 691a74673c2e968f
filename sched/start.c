/* sched/start.c - the workers of a system: made, their threads started and
 * ended. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <greenroom/error.h>

#include "sched/futex.h"
#include "sched/sched.h"

int gri_sched_init(gri_sched *s, const gri_sched_ops *ops,
                   const gri_clock *clock, unsigned workers, unsigned spares,
                   unsigned processors, uint64_t seed)
{
    *s = (gri_sched){.ops = ops, .clock = clock, .is_sim = seed != 0};
    s->base = s->is_sim ? 1 : workers;
    s->n = s->is_sim ? 1 : workers + spares;
    s->processors = processors;
    s->at_once = processors != 0 && processors < s->base ? processors : s->base;
    atomic_init(&s->limit, s->at_once);
    atomic_init(&s->floor, s->at_once);
    atomic_init(&s->present, s->base);
    atomic_init(&s->members, s->base);
    atomic_init(&s->started, s->base);
    s->sim_rng.state = seed;
    atomic_init(&s->parked, 0);
    atomic_init(&s->searching, 0);
    atomic_init(&s->stopping, false);
    atomic_init(&s->inject_count, 0);
    if (pthread_mutex_init(&s->inject_lock, NULL) != 0) {
        return GR_ENOMEM;
    }
    if (gri_poller_init(&s->poller, clock) < 0) {
        (void)pthread_mutex_destroy(&s->inject_lock);
        return GR_ENOMEM;
    }
    s->poller.unheld = gri_sched_unheld;
    s->poller.arg = s;
    s->workers = aligned_alloc(GRI_CACHE_LINE, s->n * sizeof(gri_worker));
    if (s->workers == NULL) {
        gri_poller_fini(&s->poller);
        (void)pthread_mutex_destroy(&s->inject_lock);
        return GR_ENOMEM;
    }
    /* Of one worker nobody steals. */
    const bool fenced = s->n > 1 && !gri_barrier_ready();
    for (unsigned i = 0; i < s->n; i++) {
        gri_worker *w = &s->workers[i];
        *w = (gri_worker){.sched = s,
                          .index = i,
                          .round_left = 1,
                          .round_tasks = 1,
                          .rng = {seed + i + 1}};
        w->recent = &w->own;
        atomic_init(&w->cpu_clock, 0);
        atomic_init(&w->out, i >= s->base);
        gri_runnext_init(&w->next, fenced);
        gri_runq_init(&w->queue);
        if (gri_timers_init(&w->timers) != 0) {
            s->n = i;
            gri_sched_fini(s);
            return GR_ENOMEM;
        }
    }
    return 0;
}

void gri_sched_fini(gri_sched *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        gri_timers_fini(&s->workers[i].timers);
    }
    free(s->workers);
    gri_poller_fini(&s->poller);
    (void)pthread_mutex_destroy(&s->inject_lock); /* nobody holds it */
}

/* pthread_clockjoin_np would do, but ThreadSanitizer does not know it, and so
 * not what it orders. */
bool gri_sched_has_left(const gri_sched *s, _Atomic(uint32_t) *left,
                        int64_t deadline_ns)
{
    /* acquire: pairs with the release in gri_worker_main, or in the watchdog.
     */
    while (atomic_load_explicit(left, memory_order_acquire) == 0) {
        if (gri_clock_ns(s->clock) >= deadline_ns) {
            return false;
        }
        gri_futex_wait(left, 0, deadline_ns);
    }
    return true;
}

/* Ends the first n workers; no other was started. */
static bool stop_first(gri_sched *s, unsigned n, int64_t deadline_ns)
{
    /* seq_cst: against the look in gri_sched_park. */
    atomic_store_explicit(&s->stopping, true, memory_order_seq_cst);
    bool all = true;
    for (unsigned i = 0; i < n; i++) {
        (void)gri_sched_wake(s, i, GRI_PERMIT_LOOK);
        gri_sched_call(s, i);
        gri_worker *w = &s->workers[i];
        if (gri_sched_has_left(s, &w->left, deadline_ns)) {
            (void)pthread_join(w->thread, NULL);
        } else {
            (void)pthread_detach(w->thread);
            all = false;
        }
    }
    if (all && !s->is_sim) {
        gri_traps_remove(); /* else who is still there may need them */
    }
    return all;
}

/* Waits for its thread's first words. False: the thread ends at once. */
static bool has_begun(gri_worker *w)
{
    uint32_t begun;
    /* acquire: pairs with the release in begin. */
    while ((begun = atomic_load_explicit(&w->begun, memory_order_acquire)) ==
           GRI_BEGUN_NOT) {
        gri_futex_wait(&w->begun, GRI_BEGUN_NOT, GRI_NEVER);
    }
    return begun == GRI_BEGUN_WELL;
}

int gri_worker_start(gri_worker *w)
{
    /* relaxed: the thread begins after it. */
    atomic_store_explicit(&w->begun, GRI_BEGUN_NOT, memory_order_relaxed);
    /* Asynchronous signals are for the program's own threads; but the
     * watchdog's is for each worker. */
    sigset_t blocked;
    sigset_t before;
    gri_signals_asynchronous(&blocked);
    if (w->sched->watch_signal != 0) {
        (void)sigdelset(&blocked, w->sched->watch_signal);
    }
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes); /* cannot fail on Linux */
    (void)pthread_attr_setguardsize(&attributes, GRI_GUARD_SIZE);
    const int rc = pthread_create(&w->thread, &attributes, gri_worker_main, w);
    (void)pthread_attr_destroy(&attributes);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        return GR_EIO;
    }
    if (!has_begun(w)) {
        (void)pthread_join(w->thread, NULL);
        return GR_ENOMEM;
    }
    return 0;
}

int gri_sched_start(gri_sched *s, void *const *users)
{
    for (unsigned i = 0; i < s->n; i++) {
        s->workers[i].user = users[i];
    }
    if (s->is_sim) {
        return 0;
    }
    gri_traps_install();
    int rc = 0;
    unsigned started = 0;
    while (started < s->base && rc == 0) {
        rc = gri_worker_start(&s->workers[started]);
        started += rc == 0;
    }
    if (rc == 0) {
        rc = gri_watchdog_start(s);
    }
    if (rc < 0) {
        (void)stop_first(s, started, GRI_NEVER);
    }
    return rc;
}

bool gri_sched_stop(gri_sched *s, int64_t deadline_ns)
{
    if (s->is_sim) {
        return true;
    }
    /* First, so that it starts no spare meanwhile. */
    const bool all = gri_watchdog_stop(s, deadline_ns);
    return stop_first(s, gri_sched_started(s), deadline_ns) && all;
}
