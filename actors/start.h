/* actors/start.h - what a START message says, for who writes and who reads it.
 */
#ifndef GRI_ACTORS_START_H
#define GRI_ACTORS_START_H

#include "actors/internal.h"

/* Where a START message says how to begin: its trailer's ref is the monitor,
 * `extra` the rest. In most cases that is the behaviour, which stands on a
 * multiple of 8, with the bits below; else a gri_start, to be freed. */
enum {
    GRI_START_LINK = 1, /* the parent, who is the sender, is to be linked */
    GRI_START_ACK = 2,  /* and to be told */
    GRI_START_MORE = 4, /* it is a gri_start */
    GRI_START_BITS = 7
};

/* A START, of a run with or without (`behind`) mail of an older one before it,
 * and its end. NULL: *rc says why. */
gr_msg *gri_start_build(gri_ctx *ctx, const gri_spawn *how, bool behind,
                        int *rc);
void gri_start_free(gri_ctx *ctx, gr_msg *start);

/* NULL: it has none. */
static inline gri_start *gri_start_more(const gr_msg *start)
{
    const int64_t extra = gri_msg_trail(start)->extra;
    return (extra & GRI_START_MORE) == 0
               ? NULL
               : (gri_start *)(uintptr_t)(extra & ~(int64_t)GRI_START_BITS);
}

#endif /* GRI_ACTORS_START_H */
