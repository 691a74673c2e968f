/* actors/sim.c - deterministic mode: who runs next, and what time it is. */
#include "actors/internal.h"

enum {
    BUSY_TURNS = 10000 /* in a row: then time passes although some can run */
};

bool gri_sim_step(gr_system *sys, int64_t until_ns)
{
    /* Actors that never rest must not stop the clock for all others. */
    if (sys->sim_busy < BUSY_TURNS && gri_sched_sim_turn(&sys->sched)) {
        sys->sim_busy++;
        return true;
    }
    sys->sim_busy = 0;
    int64_t next_ns = gri_timers_next(&sys->sched.workers[0].timers);
    if (next_ns == GRI_NEVER && until_ns == GRI_NEVER) {
        return gri_sched_sim_turn(&sys->sched); /* no time can pass */
    }
    if (next_ns > until_ns || next_ns == GRI_NEVER) {
        if (until_ns != GRI_NEVER && until_ns > sys->clock.now_ns) {
            sys->clock.now_ns = until_ns;
        }
        return false;
    }
    if (next_ns > sys->clock.now_ns) {
        sys->clock.now_ns = next_ns;
    }
    return gri_sched_sim_fire(&sys->sched);
}

bool gr_sim_step(gr_system *sys)
{
    GR_ASSERT(sys->sched.is_sim);
    return gri_sim_step(sys, GRI_NEVER);
}

uint64_t gr_sim_settle(gr_system *sys)
{
    GR_ASSERT(sys->sched.is_sim);
    uint64_t turns = 0;
    while (gri_sched_sim_turn(&sys->sched)) {
        turns++;
    }
    return turns;
}

void gr_sim_advance(gr_system *sys, int64_t ms)
{
    GR_ASSERT(sys->sched.is_sim);
    int64_t until_ns = gri_deadline(&sys->clock, ms < 0 ? 0 : ms);
    while (gri_sim_step(sys, until_ns)) {
        /* each step does one thing */
    }
}

int64_t gr_sim_now_ms(const gr_system *sys)
{
    return sys->clock.now_ns / GRI_NS_PER_MS;
}

uint64_t gr_sim_trace(const gr_system *sys)
{
    return sys->sched.sim_trace;
}
