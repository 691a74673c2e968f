/*
 * actors/plan.h - what the spawn of a behaviour comes to that asks for nothing
 * special: worked out once, and kept by the behaviour's address, which is a
 * constant as the behaviour is.
 */
#ifndef GRI_ACTORS_PLAN_H
#define GRI_ACTORS_PLAN_H

#include "actors/core.h"

/* Works it out, and keeps it. NULL: the behaviour asks for more than a plan can
 * say, or makes no sense. */
const gri_plan *gri_plan_make(gri_ctx *ctx, const gr_behavior *b);

/* Whether it is still what would be worked out: a behaviour never changes. */
bool gri_plan_holds(gri_ctx *ctx, const gri_plan *plan);

/* Of this thread; b may be NULL. NULL: as above. */
static inline const gri_plan *gri_plan_of(gri_ctx *ctx, const gr_behavior *b)
{
    const gri_plan *plan =
        &ctx->plans[(uintptr_t)b / sizeof(void *) % GRI_PLANS];
    if (plan->behavior != b || b == NULL) {
        return gri_plan_make(ctx, b);
    }
    GR_DASSERT(gri_plan_holds(ctx, plan));
    return plan;
}

#endif /* GRI_ACTORS_PLAN_H */
