/*
 * transport/pace.h - does a peer keep up with what it is sent?
 *
 * It has become slow when its outbox stands above its soft bound at two
 * heartbeats in a row, without having been at half of it, or below, between
 * them; and is slow until it has been there, which the next heartbeat finds. So
 * a burst is not called slow, and there is one change a heartbeat at most.
 * Pure; the peer's lock guards it.
 */
#ifndef GRI_TRANSPORT_PACE_H
#define GRI_TRANSPORT_PACE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct gri_pace {
    bool slow;
    /* It was above at the last heartbeat (or is slow), and has not been at half
     * or below since. Else gri_pace_sent has nothing to look at. */
    bool stands;
} gri_pace;

/* Something went, and so many bytes wait still. */
static inline void gri_pace_sent(gri_pace *pace, size_t queued, size_t soft)
{
    if (queued <= soft / 2) {
        pace->stands = false;
    }
}

/* At a heartbeat. Returns whether `slow` has changed. */
bool gri_pace_beat(gri_pace *pace, size_t queued, size_t soft);

#endif /* GRI_TRANSPORT_PACE_H */
