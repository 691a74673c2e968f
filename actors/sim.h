/* actors/sim.h - a system in its world (base/world.h): deterministic mode. */
#ifndef GRI_ACTORS_SIM_H
#define GRI_ACTORS_SIM_H

#include <greenroom/system.h>

/* Fills in what sys->opts say of it: the seed, the clock. Errors: GR_EINVAL. */
int gri_sim_init(gr_system *sys);
/* A deterministic system lives in its world between these. */
void gri_sim_join(gr_system *sys);
void gri_sim_leave(gr_system *sys);

#endif /* GRI_ACTORS_SIM_H */
