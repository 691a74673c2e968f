/* actors/plan.c - see plan.h. */
#include "actors/plan.h"

#include "actors/boxes.h"
#include "actors/guard.h"
#include "actors/record.h"

/* Whether a plan has room for what it asks for: no lane, no counters of its
 * mailbox's, no limits. */
static bool is_usual(const gr_system_opts *opts, const gr_behavior *b)
{
    return b->limits.memory_max == 0 && opts->limits.memory_max == 0 &&
           b->limits.handler_max_ms == 0 && opts->limits.handler_max_ms == 0 &&
           b->mailbox.urgent == 0 &&
           (b->mailbox.full == GR_FULL_FAIL || b->mailbox.full == GR_FULL_STOP);
}

/* False: the behaviour asks for more than a plan can say, or makes no sense. */
static bool work_out(gri_ctx *ctx, const gr_behavior *b, gri_plan *out)
{
    const gr_system_opts *opts = &ctx->sys->opts;
    if (gri_check_spawn(ctx->sys, b, &gri_no_box) < 0 || !is_usual(opts, b) ||
        gri_grade_of(ctx->sys, b, GR_GRADE_DEFAULT) != GR_GRADE_TRAP) {
        return false;
    }
    const gr_mailbox *box = &b->mailbox;
    const uint32_t hard = box->hard != 0 ? box->hard : opts->mailbox_hard;
    const uint32_t soft = box->soft != 0 ? box->soft : opts->mailbox_soft;
    *out = (gri_plan){
        .behavior = b,
        .hard = hard,
        .soft = soft < hard ? soft : hard,
        .name = gri_note_name(ctx, b),
        .full = (uint8_t)box->full,
        .traits = b->terminate != NULL || b->trap_exit ? GRI_SLOW_END : 0,
        .plain = b->init == NULL && b->arena_max == 0,
    };
    return true;
}

const gri_plan *gri_plan_make(gri_ctx *ctx, const gr_behavior *b)
{
    gri_plan plan;
    if (!work_out(ctx, b, &plan)) {
        return NULL;
    }
    gri_guard_admit(b);
    gri_plan *kept = gri_plan_place(ctx, b);
    *kept = plan;
    return kept;
}

bool gri_plan_holds(gri_ctx *ctx, const gri_plan *plan)
{
    gri_plan now;
    return work_out(ctx, plan->behavior, &now) && now.hard == plan->hard &&
           now.soft == plan->soft && now.full == plan->full &&
           now.traits == plan->traits && now.plain == plan->plain;
}
