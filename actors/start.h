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

/* With a thread, a name, a behaviour that stands elsewhere, or bounds. Errors:
 * GR_ENOMEM. */
int gri_start_add_more(gri_ctx *ctx, gr_msg *start, const gr_behavior *b,
                       gri_thread *thread, uint64_t parent_life);
void gri_start_free(gri_ctx *ctx, gr_msg *start);

/* The arguments, with a trailer behind them. NULL: *rc says why. */
static inline gr_msg *gri_start_pack(gri_ctx *ctx, const gri_spawn *how,
                                     int *rc)
{
    const gr_any args = how->raw_args;
    *rc = GR_ENOMEM;
    if (args.ptr != NULL || how->args.n == 0) {
        return gri_msg_signal(ctx->cache, GRI_MSG_START, args.ptr, args.len);
    }
    gr_msg *msg = gri_pack(&ctx->builder, how->args.items, how->args.n, true);
    if (msg == NULL) {
        *rc = ctx->builder.rc;
        return NULL;
    }
    msg->kind = GRI_MSG_START;
    return msg;
}

/* A START, of a run with or without (`behind`) mail of an older one before it.
 * Inline: so begin most actors. NULL: *rc says why. */
static inline gr_msg *gri_start_build(gri_ctx *ctx, const gri_spawn *how,
                                      bool behind, int *rc)
{
    gr_msg *msg = gri_start_pack(ctx, how, rc);
    if (msg == NULL) {
        return NULL;
    }
    msg->from = how->parent;
    gri_msg_trailer(msg)->ref = how->monitor;
    gri_msg_trailer(msg)->extra = (intptr_t)how->behavior;
    if (behind || how->thread != NULL || how->name != NULL ||
        how->parent_life != 0 ||
        ((uintptr_t)how->behavior & GRI_START_BITS) != 0) {
        *rc = gri_start_add_more(ctx, msg, how->behavior, how->thread,
                                 how->parent_life);
        if (*rc < 0) {
            gri_msg_free(ctx->cache, msg);
            return NULL;
        }
    }
    gri_msg_trailer(msg)->extra |=
        (how->link ? GRI_START_LINK : 0) | (how->ack ? GRI_START_ACK : 0);
    return msg;
}

/* NULL: it has none. */
static inline gri_start *gri_start_more(const gr_msg *start)
{
    const int64_t extra = gri_msg_trail(start)->extra;
    return (extra & GRI_START_MORE) == 0
               ? NULL
               : (gri_start *)(uintptr_t)(extra & ~(int64_t)GRI_START_BITS);
}

#endif /* GRI_ACTORS_START_H */
