/*
 * supervisor/intensity.c - the restart window.
 *
 * All its memory is taken at the start, so that a restart cannot fail for want
 * of it. But a page costs nothing before it is written, and few restarts are in
 * a period, whatever is allowed: so the ring goes round in the first part of
 * that memory, which is a half, a quarter ... of it, and becomes the next
 * larger one when it is full.
 */
#include "supervisor/intensity.h"

#include <stdlib.h>
#include <string.h>

#include <greenroom/error.h>

enum {
    PART_MIN = 64 /* restarts: no part is made smaller than so many */
};

/* max, halved so often, rounded up. */
static uint32_t part_of(const gri_intensity *window, unsigned halvings)
{
    return (uint32_t)(((uint64_t)window->max + (UINT64_C(1) << halvings) - 1) >>
                      halvings);
}

int gri_intensity_init(gri_intensity *window, uint32_t max, int64_t period_ms)
{
    *window = (gri_intensity){.period_ms = period_ms, .max = max};
    if (max == 0) {
        return 0;
    }
    while (part_of(window, window->halvings + 1) >= PART_MIN) {
        window->halvings++;
    }
    window->room = part_of(window, window->halvings);
    window->times = calloc(max, sizeof(window->times[0]));
    return window->times == NULL ? GR_ENOMEM : 0;
}

void gri_intensity_fini(gri_intensity *window)
{
    free(window->times);
    *window = (gri_intensity){0};
}

/* The ring is full. What stands in front of the oldest is the newest, and moves
 * behind the old end. There is room: twice the old part, or one less, and at
 * least the oldest does not move. */
static void widen(gri_intensity *window)
{
    const uint32_t before = window->room;
    window->room = part_of(window, --window->halvings);
    memcpy(window->times + before, window->times,
           window->first * sizeof(window->times[0]));
}

bool gri_intensity_add(gri_intensity *window, int64_t now_ms)
{
    while (window->count > 0 &&
           now_ms - window->times[window->first] > window->period_ms) {
        window->first = (window->first + 1) % window->room;
        window->count--;
    }
    if (window->count == window->max) {
        return false;
    }
    if (window->count == window->room) {
        widen(window);
    }
    /* 64 bits, as first + count may exceed 32. */
    uint64_t last = (uint64_t)window->first + window->count;
    window->times[last % window->room] = now_ms;
    window->count++;
    return true;
}
