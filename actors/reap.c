/*
 * actors/reap.c - who calls gri_depot_reap: a timer of the scheduler's, like an
 * actor's but without a message. So a busy worker reaps where it fires timers
 * anyway, a sleeping one gets up for it (sched/park.c), and when the depot has
 * nothing to give back no timer is armed, and an idle system sleeps.
 *
 * Not in deterministic mode: there, armed timers move the clock.
 */
#include "actors/internal.h"

/* The depot's call, from any thread. The timer is not armed: the depot asks
 * once, until a reap has told it that there will be no further one. */
static bool wanted(void *arg)
{
    gr_system *sys = arg;
    int64_t due_ns = gri_clock_ns(&sys->clock) + GRI_REAP_ROUND_NS;
    return gri_sched_arm(&sys->sched, NULL, &sys->reap, due_ns) == 0;
}

void gri_reap_init(gr_system *sys)
{
    if (!sys->sched.is_sim) {
        gri_depot_tend(&sys->depot, wanted, sys);
    }
}

void gri_reap(gri_ctx *ctx)
{
    gr_system *sys = ctx->sys;
    int64_t next_ns = gri_depot_reap(&sys->depot, gri_clock_ns(&sys->clock));
    if (next_ns != GRI_NEVER &&
        gri_sched_arm(&sys->sched, ctx->worker, &sys->reap, next_ns) < 0) {
        gri_depot_untend(&sys->depot); /* no memory for it: later, then */
    }
}
