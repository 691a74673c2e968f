/* actors/start.c - the message that a run begins with: see start.h. */
#include "actors/start.h"

/* With a thread, a name, a behaviour that stands elsewhere, or bounds. */
static int add_more(gri_ctx *ctx, const gri_spawn *how, gr_msg *start)
{
    uint8_t class_;
    gri_start *more = gri_block_alloc(ctx->cache, sizeof *more, &class_);
    if (more == NULL) {
        return GR_ENOMEM;
    }
    *more = (gri_start){
        .behavior = how->behavior,
        .thread = how->thread,
        .class_ = class_,
        .parent_life = how->parent_life,
    };
    gri_msg_trailer(start)->extra = (intptr_t)more | GRI_START_MORE;
    return 0;
}

void gri_start_free(gri_ctx *ctx, gr_msg *start)
{
    gri_start *more = gri_start_more(start);
    if (more != NULL) {
        gri_block_free(ctx->cache, more, more->class_);
    }
    gri_msg_free(ctx->cache, start);
}

/* The arguments, with a trailer behind them. NULL: *rc says why. */
static gr_msg *pack_args(gri_ctx *ctx, const gri_spawn *how, int *rc)
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

/* The START message; behind: of a run before, there is mail in front of it.
 * NULL: *rc says why. */
gr_msg *gri_start_build(gri_ctx *ctx, const gri_spawn *how, bool behind,
                        int *rc)
{
    gr_msg *msg = pack_args(ctx, how, rc);
    if (msg == NULL) {
        return NULL;
    }
    msg->from = how->parent;
    gri_msg_trailer(msg)->ref = how->monitor;
    gri_msg_trailer(msg)->extra = (intptr_t)how->behavior;
    if (behind || how->thread != NULL || how->name != NULL ||
        how->parent_life != 0 ||
        ((uintptr_t)how->behavior & GRI_START_BITS) != 0) {
        *rc = add_more(ctx, how, msg);
        if (*rc < 0) {
            gri_msg_free(ctx->cache, msg);
            return NULL;
        }
    }
    gri_msg_trailer(msg)->extra |=
        (how->link ? GRI_START_LINK : 0) | (how->ack ? GRI_START_ACK : 0);
    return msg;
}
