/* supervisor/intensity.c - the restart window. All its memory is taken at the
 * start, so that a restart cannot fail for want of it. */
#include "supervisor/intensity.h"

#include <stdlib.h>

#include <greenroom/error.h>

int gri_intensity_init(gri_intensity *window, uint32_t max, int64_t period_ms)
{
    *window = (gri_intensity){.period_ms = period_ms, .max = max};
    if (max == 0) {
        return 0;
    }
    window->times = calloc(max, sizeof(window->times[0]));
    return window->times == NULL ? GR_ENOMEM : 0;
}

void gri_intensity_fini(gri_intensity *window)
{
    free(window->times);
    *window = (gri_intensity){0};
}

bool gri_intensity_add(gri_intensity *window, int64_t now_ms)
{
    while (window->count > 0 &&
           now_ms - window->times[window->first] > window->period_ms) {
        window->first = (window->first + 1) % window->max;
        window->count--;
    }
    if (window->count == window->max) {
        return false;
    }
    /* 64 bits, as first + count may exceed 32. */
    uint64_t last = (uint64_t)window->first + window->count;
    window->times[last % window->max] = now_ms;
    window->count++;
    return true;
}
