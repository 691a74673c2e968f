/* sched/steal.c - what a worker takes from others. */
#include <stddef.h>

#include "sched/sched.h"

static void count_steal(gri_worker *w)
{
    /* relaxed: our own counter. */
    atomic_store_explicit(
        &w->steals, atomic_load_explicit(&w->steals, memory_order_relaxed) + 1,
        memory_order_relaxed);
}

gri_task *gri_steal(gri_worker *w)
{
    gri_sched *s = w->sched;
    const unsigned n = gri_sched_started(s);
    unsigned start = gri_rng_below(&w->rng, n);
    for (unsigned i = 0; i < n; i++) {
        unsigned victim = (start + i) % n;
        if (victim == w->index) {
            continue;
        }
        gri_task *task = gri_runq_steal(&w->queue, &s->workers[victim].queue);
        if (task != NULL) {
            count_steal(w);
            return task;
        }
    }
    return NULL;
}

gri_task *gri_steal_stale(gri_worker *w)
{
    gri_sched *s = w->sched;
    const unsigned n = gri_sched_started(s);
    for (unsigned i = 0; i < n; i++) {
        gri_worker *victim = &s->workers[i];
        if (victim == w) {
            continue;
        }
        /* relaxed: only compared. A task that went and came back in the
         * meantime is as good to take. */
        uint64_t turns =
            atomic_load_explicit(&victim->turns, memory_order_relaxed);
        gri_task *task = gri_runnext_look(&victim->next);
        bool stale = task != NULL && task == w->seen[i].task &&
                     turns == w->seen[i].turns;
        w->seen[i].task = task;
        w->seen[i].turns = turns;
        /* If not, its owner takes it, which is all we wanted. */
        if (stale && gri_runnext_steal(&victim->next, task)) {
            count_steal(w);
            return task;
        }
    }
    return NULL;
}

gri_task *gri_steal_stuck(gri_worker *w)
{
    gri_sched *s = w->sched;
    gri_task *task = NULL;
    const unsigned n = gri_sched_started(s);
    for (unsigned i = 0; i < n && task == NULL; i++) {
        gri_worker *victim = &s->workers[i];
        /* relaxed: only compared. */
        if (victim != w &&
            atomic_load_explicit(&victim->turns, memory_order_relaxed) ==
                w->seen[i].turns) {
            task = gri_runq_take(&victim->queue);
        }
    }
    if (task != NULL) {
        count_steal(w);
        return task;
    }
    return gri_steal_stale(w);
}
