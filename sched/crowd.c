/*
 * sched/crowd.c - how many workers may be awake, where there are more of them
 * than processors.
 *
 * As many as processors, as long as those use them: one more would only take a
 * processor from a worker that has something which others wait for. But a
 * handler may block in the kernel: then its worker is awake and needs no
 * processor, and others may have it. So the sleeper that looks around
 * (park.c) asks the kernel how long each worker that is awake has run since it
 * looked last. If the processors were not used, as many more may be awake as
 * there were idle ones; if they were, one less than before, down to as many as
 * there are (or as the watchdog wants, see watchdog.c). When all sleep it
 * begins anew.
 *
 * And a turn may be so long that what waits in its worker's queue has to be
 * taken by another, be it at the price of a worker too many: one that ran
 * through all the time between two looks, or that did not end for LONG_NS. (One
 * that did not run may only have been without a processor for a moment.)
 */
#include <pthread.h>
#include <time.h>

#include "sched/sched.h"

#define LONG_NS (10 * GRI_NS_PER_MS)

void gri_crowd_join(gri_worker *w)
{
    clockid_t clock;
    if (pthread_getcpuclockid(pthread_self(), &clock) == 0) {
        /* relaxed: a number. */
        atomic_store_explicit(&w->cpu_clock, (int)clock, memory_order_relaxed);
    }
}

int64_t gri_cpu_ns_of(gri_worker *w)
{
    /* relaxed: a number. */
    const clockid_t clock =
        atomic_load_explicit(&w->cpu_clock, memory_order_relaxed);
    struct timespec t;
    return clock != 0 && clock_gettime(clock, &t) == 0
               ? (int64_t)t.tv_sec * 1000000000 + t.tv_nsec
               : -1;
}

/* What one look brings together. */
typedef struct sight {
    int64_t now_ns, span_ns; /* since the last look */
    int64_t used_ns;         /* of processors, by workers that are awake */
    unsigned awake;
    bool long_turn;
} sight;

/* Looks at another worker that is awake. */
static void look_at(gri_worker *w, unsigned i, sight *see)
{
    gri_worker *other = &w->sched->workers[i];
    /* relaxed, both: only compared. */
    const uint64_t turns =
        atomic_load_explicit(&other->turns, memory_order_relaxed);
    const uint64_t parks =
        atomic_load_explicit(&other->parks, memory_order_relaxed);
    const int64_t cpu_ns = gri_cpu_ns_of(other);
    const bool known = cpu_ns >= 0 && w->crowd.of[i].cpu_ns >= 0;
    if (turns != w->crowd.of[i].turns || parks != w->crowd.of[i].parks ||
        !known) {
        w->crowd.of[i].turns = turns;
        w->crowd.of[i].since_ns = see->now_ns;
    }
    int64_t ran_ns = see->span_ns; /* unless we know better */
    if (known && parks == w->crowd.of[i].parks) {
        ran_ns = cpu_ns - w->crowd.of[i].cpu_ns;
        ran_ns = ran_ns < see->span_ns ? ran_ns : see->span_ns;
    }
    const int64_t turn_ns = see->now_ns - w->crowd.of[i].since_ns;
    see->awake++;
    see->used_ns += ran_ns;
    see->long_turn = see->long_turn || turn_ns >= LONG_NS ||
                     (turn_ns >= see->span_ns && 2 * ran_ns >= see->span_ns);
    w->crowd.of[i].parks = parks;
    w->crowd.of[i].cpu_ns = cpu_ns;
}

/* So many may be awake after that. */
static void set_limit(gri_sched *s, const sight *see)
{
    const int64_t idle_ns = s->at_once * see->span_ns - see->used_ns;
    /* relaxed, both: one of several that look at once is right. */
    unsigned limit = atomic_load_explicit(&s->limit, memory_order_relaxed);
    if (2 * idle_ns > see->span_ns) {
        const int64_t idle = (idle_ns + see->span_ns / 2) / see->span_ns;
        limit = see->awake + (unsigned)idle;
    } else {
        limit--;
    }
    /* relaxed: the watchdog sees to it that it holds, see watchdog.c. */
    const unsigned least =
        atomic_load_explicit(&s->floor, memory_order_relaxed);
    const unsigned most = least > s->base ? least : s->base;
    limit = limit < least ? least : limit > most ? most : limit;
    atomic_store_explicit(&s->limit, limit, memory_order_relaxed);
}

bool gri_crowd_look(gri_worker *w)
{
    gri_sched *s = w->sched;
    if (s->at_once == s->base) {
        return true; /* none is ever one too many */
    }
    sight see = {.now_ns = gri_clock_ns(s->clock)};
    see.span_ns = see.now_ns - w->crowd.looked_ns;
    /* relaxed: who parks or wakes just now counts as it is seen. */
    const uint64_t parked =
        atomic_load_explicit(&s->parked, memory_order_relaxed);
    const unsigned n = gri_sched_started(s);
    for (unsigned i = 0; i < n; i++) {
        /* relaxed: as above. */
        if (i == w->index || (parked >> i & 1) != 0 ||
            atomic_load_explicit(&s->workers[i].out, memory_order_relaxed)) {
            w->crowd.of[i].cpu_ns = -1;
        } else {
            look_at(w, i, &see);
        }
    }
    /* What was seen long ago tells nothing of now. */
    if (see.span_ns < 4 * GRI_STALE_NS) {
        set_limit(s, &see);
    }
    w->crowd.looked_ns = see.now_ns;
    return see.long_turn;
}
