/*
 * tests/stress/stress.h - what the stress tests share: a system with more
 * workers than cores, a watchdog, and the sum that must hold at the end.
 */
#ifndef GRI_TESTS_STRESS_STRESS_H
#define GRI_TESTS_STRESS_STRESS_H

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h> /* needs the headers above */

#include <greenroom/greenroom.h>

enum {
    STRESS_WORKERS = 4,
    STRESS_WATCHDOG_S = 60, /* no counter moved for so long: it hangs */
    STRESS_STOP_MS = 60000
};

typedef struct stress {
    gr_system *sys;
    gr_actor *self;
    pthread_t watchdog;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over; /* under lock */
} stress;

static inline void stress_print(const gr_stats *s)
{
    (void)fprintf(stderr,
                  "sent %" PRIu64 " handled %" PRIu64 " dead %" PRIu64
                  " dropped %" PRIu64 " late %" PRIu64 " refused %" PRIu64
                  " slowed %" PRIu64 " spawned %" PRIu64 " exited %" PRIu64
                  " turns %" PRIu64 " steals %" PRIu64 " parks %" PRIu64 "\n",
                  s->sent, s->handled, s->dead_letters, s->dropped,
                  s->late_replies, s->refused, s->slowed, s->spawned, s->exited,
                  s->turns, s->steals, s->parks);
}

static inline bool stress_moved(const gr_stats *a, const gr_stats *b)
{
    return a->sent != b->sent || a->handled != b->handled ||
           a->dead_letters != b->dead_letters || a->spawned != b->spawned ||
           a->exited != b->exited || a->late_replies != b->late_replies;
}

static inline void *stress_watch(void *arg)
{
    stress *s = arg;
    gr_stats last;
    gr_system_stats(s->sys, &last);
    unsigned still_s = 0;
    (void)pthread_mutex_lock(&s->lock);
    while (!s->is_over && still_s < STRESS_WATCHDOG_S) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        if (pthread_cond_timedwait(&s->over, &s->lock, &until) != 0) {
            gr_stats now;
            gr_system_stats(s->sys, &now);
            still_s = stress_moved(&now, &last) ? 0 : still_s + 1;
            last = now;
        }
    }
    bool hangs = !s->is_over;
    (void)pthread_mutex_unlock(&s->lock);
    if (hangs) {
        (void)fprintf(stderr, "no progress for %d s:\n", STRESS_WATCHDOG_S);
        stress_print(&last);
        abort();
    }
    return NULL;
}

static inline void stress_start(stress *s, const gr_system_opts *base)
{
    gr_system_opts opts = {.log_level = GR_LOG_ERROR};
    if (base != NULL) {
        opts = *base;
    }
    if (opts.workers == 0) {
        opts.workers = STRESS_WORKERS;
    }
    memset(s, 0, sizeof *s);
    assert_int_equal(gr_system_start(&opts, &s->sys), 0);
    assert_int_equal(gr_thread_attach(s->sys, "stress", &s->self), 0);
    gr_trap_exit(s->self, true);
    assert_int_equal(pthread_mutex_init(&s->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&s->over, NULL), 0);
    assert_int_equal(pthread_create(&s->watchdog, NULL, stress_watch, s), 0);
}

/* The next message to the test; the watchdog sees to it that one comes. */
static inline const gr_msg *stress_next(stress *s)
{
    const gr_msg *msg = NULL;
    assert_int_equal(gr_receive(s->self, GR_FOREVER, &msg), 0);
    return msg;
}

static inline bool stress_is_conserved(const gr_stats *s)
{
    return s->sent ==
           s->handled + s->dead_letters + s->dropped + s->late_replies;
}

/* Waits until the sum holds: what is still on its way arrives, or the watchdog
 * tells. Then it must still hold when nothing has moved meanwhile. */
static inline void stress_settle(stress *s, uint64_t actors, gr_stats *out)
{
    gr_stats now;
    do {
        assert_int_equal(gr_sleep(s->self, 1), 0);
        gr_system_stats(s->sys, &now);
    } while (!stress_is_conserved(&now) ||
             now.spawned - now.exited != actors + 1);
    *out = now;
}

static inline void stress_stop(stress *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->is_over = true;
    (void)pthread_cond_signal(&s->over);
    (void)pthread_mutex_unlock(&s->lock);
    assert_int_equal(pthread_join(s->watchdog, NULL), 0);
    gr_thread_detach(s->self, 0);
    assert_int_equal(gr_system_stop(s->sys, STRESS_STOP_MS), 0);
    (void)pthread_cond_destroy(&s->over);
    (void)pthread_mutex_destroy(&s->lock);
}

/* xorshift: each actor's own. */
static inline uint64_t stress_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif /* GRI_TESTS_STRESS_STRESS_H */
