/* supervisor/backoff.h - how long a child that fails again and again waits for
 * its restart, and what its circuit breaker says. Pure but for the chance that
 * is passed in. */
#ifndef GRI_SUPERVISOR_BACKOFF_H
#define GRI_SUPERVISOR_BACKOFF_H

#include <greenroom/supervisor.h>

#include "base/rng.h"

/* Failures in a row after one more, of a run that began at started_ms (-1: it
 * had not even started). */
uint32_t gri_backoff_failed(const gr_backoff *b, uint32_t failures,
                            int64_t started_ms, int64_t now_ms);

/* The delay after so many failures in a row, 1 or more; 0 without a back-off.
 * b is as gri_spec_read gives it. */
int64_t gri_backoff_delay(const gr_backoff *b, uint32_t failures, gri_rng *rng);

/* `waits`: for its restart. started_ms: of its present run, or -1. */
gr_breaker gri_backoff_breaker(const gr_backoff *b, uint32_t failures,
                               bool waits, int64_t started_ms, int64_t now_ms);

#endif /* GRI_SUPERVISOR_BACKOFF_H */
