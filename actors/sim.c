/* actors/sim.c - deterministic mode: a system in its world (base/world.h). */
#include "actors/sim.h"

#include "actors/internal.h"
#include "base/memory.h"

static gr_system *system_of(gri_member *member)
{
    return GRI_CONTAINER(member, gr_system, member);
}

static bool ready(gri_member *member)
{
    return system_of(member)->sched.lanes_used != 0;
}

static void turn(gri_member *member)
{
    (void)gri_sched_sim_turn(&system_of(member)->sched);
}

static int64_t next_ns(gri_member *member)
{
    return gri_timers_next(&system_of(member)->sched.workers[0].timers);
}

static void fire(gri_member *member)
{
    (void)gri_sched_sim_fire(&system_of(member)->sched);
}

int gri_sim_init(gr_system *sys)
{
    gr_system_opts *opts = &sys->opts;
    sys->world = &sys->own_world;
    gri_world_init(&sys->own_world, 0);
    if (opts->sim_net != NULL) {
        if (opts->seed != 0) {
            return GR_EINVAL; /* the seed is the net's */
        }
        sys->world = gri_world_of(opts->sim_net);
        while (opts->seed == 0) {
            opts->seed = gri_rng_next(&sys->world->rng);
        }
    }
    sys->clock.is_virtual = opts->seed != 0;
    sys->clock.now_ns = &sys->world->now_ns;
    return 0;
}

void gri_sim_join(gr_system *sys)
{
    sys->member = (gri_member){.ready = ready,
                               .turn = turn,
                               .next_ns = next_ns,
                               .fire = fire,
                               .trace = &sys->sched.sim_trace};
    if (sys->sched.is_sim) {
        gri_world_join(sys->world, &sys->member);
    }
}

void gri_sim_leave(gr_system *sys)
{
    gri_world_leave(sys->world, &sys->member);
}

gri_world *gri_system_world(gr_system *sys)
{
    return sys->world->is_shared ? sys->world : NULL;
}

bool gri_sim_step(gr_system *sys, int64_t until_ns)
{
    return gri_world_step(sys->world, until_ns);
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
    while (gri_world_run(sys->world)) {
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
    return sys->world->now_ns / GRI_NS_PER_MS;
}

uint64_t gr_sim_trace(const gr_system *sys)
{
    return sys->world->is_shared ? sys->world->trace : sys->sched.sim_trace;
}
