/* supervisor/backoff.c - delays that grow, and a breaker that is seen. */
#include "supervisor/backoff.h"

/* Whether a run has lasted long enough to end a row of failures. */
static bool has_recovered(const gr_backoff *b, int64_t started_ms,
                          int64_t now_ms)
{
    return started_ms >= 0 && now_ms - started_ms >= b->reset_ms;
}

uint32_t gri_backoff_failed(const gr_backoff *b, uint32_t failures,
                            int64_t started_ms, int64_t now_ms)
{
    if (b->first_ms == 0) {
        return 0; /* nobody counts them */
    }
    if (has_recovered(b, started_ms, now_ms)) {
        return 1;
    }
    return failures == UINT32_MAX ? failures : failures + 1;
}

int64_t gri_backoff_delay(const gr_backoff *b, uint32_t failures, gri_rng *rng)
{
    int64_t ms = b->first_ms;

    if (ms == 0) {
        return 0;
    }
    /* max_ms is below 2^31 and factor below 2^32: no overflow. A factor of 1
     * would go round as often as there were failures. */
    for (uint32_t i = 1; b->factor > 1 && i < failures && ms < b->max_ms; i++) {
        ms *= b->factor;
    }
    ms = ms > b->max_ms ? b->max_ms : ms;
    uint32_t range = (uint32_t)(ms * b->jitter / 100);
    return ms - (range == 0 ? 0 : gri_rng_below(rng, range + 1));
}

gr_breaker gri_backoff_breaker(const gr_backoff *b, uint32_t failures,
                               bool waits, int64_t started_ms, int64_t now_ms)
{
    if (b->open_after == 0 || failures < b->open_after) {
        return GR_BREAKER_CLOSED;
    }
    if (waits) {
        return GR_BREAKER_OPEN;
    }
    return has_recovered(b, started_ms, now_ms) ? GR_BREAKER_CLOSED
                                                : GR_BREAKER_HALF_OPEN;
}
