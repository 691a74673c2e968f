/* sched/timer.c - see timer.h. */
#include "sched/timer.h"

#include <stdlib.h>

#include <greenroom/error.h>

#include "base/clock.h"

enum { CAP_MIN = 16 };

int gri_timers_init(gri_timers *ts)
{
    *ts = (gri_timers){.heap = NULL};
    atomic_init(&ts->next_ns, GRI_NEVER);
    return pthread_mutex_init(&ts->lock, NULL) == 0 ? 0 : GR_ENOMEM;
}

void gri_timers_fini(gri_timers *ts)
{
    free(ts->heap);
    (void)pthread_mutex_destroy(&ts->lock); /* nobody holds it any more */
}

static bool before(const gri_timer *x, const gri_timer *y)
{
    return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : x->order < y->order;
}

static void put(gri_timers *ts, size_t place, gri_timer *t)
{
    ts->heap[place] = t;
    t->place = place;
}

static void rise(gri_timers *ts, size_t place, gri_timer *t)
{
    while (place > 1 && before(t, ts->heap[place / 2])) {
        put(ts, place, ts->heap[place / 2]);
        place /= 2;
    }
    put(ts, place, t);
}

static void sink(gri_timers *ts, size_t place, gri_timer *t)
{
    for (;;) {
        size_t child = place * 2;
        if (child > ts->count) {
            break;
        }
        if (child < ts->count && before(ts->heap[child + 1], ts->heap[child])) {
            child++;
        }
        if (before(t, ts->heap[child])) {
            break;
        }
        put(ts, place, ts->heap[child]);
        place = child;
    }
    put(ts, place, t);
}

static void take_out(gri_timers *ts, gri_timer *t)
{
    size_t place = t->place;
    gri_timer *last = ts->heap[ts->count--];
    t->place = 0;
    if (last != t) {
        if (place > 1 && before(last, ts->heap[place / 2])) {
            rise(ts, place, last);
        } else {
            sink(ts, place, last);
        }
    }
}

static void publish_next(gri_timers *ts)
{
    int64_t next = ts->count == 0 ? GRI_NEVER : ts->heap[1]->due_ns;
    /* seq_cst: with gri_timers_next in a parking worker, one half of the
     * protocol of park.c: "arm, then look for sleepers". */
    atomic_store_explicit(&ts->next_ns, next, memory_order_seq_cst);
}

static int grow(gri_timers *ts)
{
    size_t cap = ts->cap == 0 ? CAP_MIN : ts->cap * 2;
    gri_timer **heap = realloc(ts->heap, (cap + 1) * sizeof(gri_timer *));
    if (heap == NULL) {
        return GR_ENOMEM;
    }
    ts->heap = heap;
    ts->cap = cap;
    return 0;
}

int gri_timers_arm(gri_timers *ts, gri_timer *t, int64_t due_ns, bool *earliest)
{
    int rc = 0;
    (void)pthread_mutex_lock(&ts->lock);
    if (ts->count == ts->cap) {
        rc = grow(ts);
    }
    if (rc == 0) {
        t->store = ts;
        t->due_ns = due_ns;
        t->order = ts->armed++;
        rise(ts, ++ts->count, t);
        if (t->place == 1) {
            publish_next(ts);
        }
        if (earliest != NULL) {
            *earliest = t->place == 1;
        }
    }
    (void)pthread_mutex_unlock(&ts->lock);
    return rc;
}

bool gri_timer_disarm(gri_timer *t)
{
    gri_timers *ts = t->store;
    if (ts == NULL) {
        return false;
    }
    (void)pthread_mutex_lock(&ts->lock);
    bool armed = t->place != 0;
    if (armed) {
        bool first = t->place == 1;
        take_out(ts, t);
        if (first) {
            publish_next(ts);
        }
    }
    (void)pthread_mutex_unlock(&ts->lock);
    return armed;
}

bool gri_timers_take(gri_timers *ts, int64_t now_ns, gri_fired *out)
{
    if (gri_timers_next(ts) > now_ns) {
        return false;
    }
    (void)pthread_mutex_lock(&ts->lock);
    bool due = ts->count > 0 && ts->heap[1]->due_ns <= now_ns;
    if (due) {
        gri_timer *t = ts->heap[1];
        *out = (gri_fired){t->payload, t->a, t->b};
        t->payload = NULL;
        take_out(ts, t);
        publish_next(ts);
    }
    (void)pthread_mutex_unlock(&ts->lock);
    return due;
}

int64_t gri_timers_next(gri_timers *ts)
{
    /* seq_cst: see publish_next. */
    return atomic_load_explicit(&ts->next_ns, memory_order_seq_cst);
}
