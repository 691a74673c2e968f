/* supervisor/intensity.h - how often is too often: counts the restarts of the
 * last period, on a clock that is passed in. */
#ifndef GRI_SUPERVISOR_INTENSITY_H
#define GRI_SUPERVISOR_INTENSITY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gri_intensity {
    int64_t period_ms;
    int64_t *times; /* a ring of the restarts that still count, oldest first */
    uint32_t max;   /* restarts that are allowed, and memory for so many */
    uint32_t room;  /* in the ring: max, halved so often */
    unsigned halvings;
    uint32_t first;
    uint32_t count;
} gri_intensity;

/*
 * Allows `max` restarts (0: none) within period_ms.
 * Owns:   the ring, which ends with gri_intensity_fini.
 * Errors: GR_ENOMEM.
 */
int gri_intensity_init(gri_intensity *window, uint32_t max, int64_t period_ms);
void gri_intensity_fini(gri_intensity *window);

/* Notes a restart at now_ms, a monotonic time. False: it is one more than
 * allowed, and is not noted. A restart counts until more than period_ms have
 * passed since. */
bool gri_intensity_add(gri_intensity *window, int64_t now_ms);

#endif /* GRI_SUPERVISOR_INTENSITY_H */
