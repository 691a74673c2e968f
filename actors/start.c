/* actors/start.c - the message that a run begins with: see start.h. */
#include "actors/start.h"

int gri_start_add_more(gri_ctx *ctx, gr_msg *start, const gr_behavior *b,
                       gri_thread *thread, uint64_t parent_life)
{
    uint8_t class_;
    gri_start *more = gri_block_alloc(ctx->cache, sizeof *more, &class_);
    if (more == NULL) {
        return GR_ENOMEM;
    }
    *more = (gri_start){
        .behavior = b,
        .thread = thread,
        .class_ = class_,
        .parent_life = parent_life,
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
