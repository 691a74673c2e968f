/*
 * actors/plan.h - what the spawn of a behaviour comes to that asks for nothing
 * special: worked out once, and kept by the behaviour's address, which is a
 * constant as the behaviour is.
 */
#ifndef GRI_ACTORS_PLAN_H
#define GRI_ACTORS_PLAN_H

#include "actors/core.h"
#include "base/hash.h"

static inline gri_plan *gri_plan_place(gri_ctx *ctx, const gr_behavior *b)
{
    return &ctx->plans[gri_hash_address((uintptr_t)b, GRI_PLANS_BITS)];
}

/* Works it out, and keeps it. NULL: the behaviour asks for more than a plan can
 * say, or makes no sense: gri_check_spawn knows. */
const gri_plan *gri_plan_make(gri_ctx *ctx, const gr_behavior *b);

/* Whether it is still what would be worked out: a behaviour never changes. */
bool gri_plan_holds(gri_ctx *ctx, const gri_plan *plan);

/* Of this thread; b may be NULL. NULL: as above. */
static inline const gri_plan *gri_plan_of(gri_ctx *ctx, const gr_behavior *b)
{
    const gri_plan *plan = gri_plan_place(ctx, b);
    if (plan->behavior != b || b == NULL) {
        return gri_plan_make(ctx, b);
    }
    GR_DASSERT(gri_plan_holds(ctx, plan));
    return plan;
}

#endif /* GRI_ACTORS_PLAN_H */
