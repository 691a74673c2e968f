/*
 * base/clock.h - the only place where time is read. In deterministic mode it
 * stands still until somebody sets it (world.h).
 */
#ifndef GRI_BASE_CLOCK_H
#define GRI_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define GRI_NS_PER_US INT64_C(1000)
#define GRI_NS_PER_MS INT64_C(1000000)
#define GRI_NS_PER_S  INT64_C(1000000000)
#define GRI_NEVER     INT64_MAX

typedef struct gri_clock {
    bool is_virtual;
    const int64_t *now_ns; /* virtual only: where it stands */
} gri_clock;

/* Monotonic nanoseconds. */
static inline int64_t gri_clock_ns(const gri_clock *clock)
{
    if (clock->is_virtual) {
        return *clock->now_ns;
    }
    struct timespec t;
    /* Cannot fail: CLOCK_MONOTONIC exists and &t is good. */
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The same, as it was at the kernel's last tick: up to 10 ms ago. An eighth of
 * the price. */
static inline int64_t gri_clock_coarse_ns(const gri_clock *clock)
{
    if (clock->is_virtual) {
        return *clock->now_ns;
    }
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t); /* as above */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* now + ms, without overflow; GRI_NEVER for a negative ms (no limit). */
static inline int64_t gri_deadline(const gri_clock *clock, int64_t ms)
{
    if (ms < 0 || ms > INT64_MAX / GRI_NS_PER_MS / 2) {
        return GRI_NEVER;
    }
    return gri_clock_ns(clock) + ms * GRI_NS_PER_MS;
}

#endif /* GRI_BASE_CLOCK_H */
