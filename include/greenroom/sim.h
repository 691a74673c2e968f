/*
 * greenroom/sim.h - deterministic mode: a system started with a seed.
 *
 * It has no threads of its own. Actors run on the thread that waits in it: a
 * thread actor in gr_receive, gr_call or gr_sleep, or the caller of the
 * functions below. Time is virtual: it starts at 0 and jumps to the next timer
 * when nothing else can run, or when it stood still for 10,000 turns. Which
 * actor runs next is chosen by the seed, so the same program with the same seed
 * does the same thing; another seed gives another order that a real system
 * could have had. Programs that use nodes, threads of their own or the real
 * clock are not deterministic.
 *
 * gr_sim_step, gr_sim_settle and gr_sim_advance of a system without a seed are
 * a programmer's error: they write a line and abort the process. Of the other
 * two the results mean nothing then.
 */
#ifndef GREENROOM_SIM_H
#define GREENROOM_SIM_H

#include <greenroom/system.h>

GR_BEGIN_DECLS

/* Runs one turn of one actor, or, when none can run, moves the clock to the
 * next timer and fires it. False: nothing is left to do.
 * Threads: the one that started sys. */
GR_API bool gr_sim_step(gr_system *sys);
/* Runs actors until none can run; the clock stands still. Returns the number
 * of turns. */
GR_API uint64_t gr_sim_settle(gr_system *sys);
/* Lets `ms` of virtual time pass, with all that happens in it. */
GR_API void gr_sim_advance(gr_system *sys, int64_t ms);
GR_API int64_t gr_sim_now_ms(const gr_system *sys);
/* A hash of every choice made so far: equal for equal runs. */
GR_API uint64_t gr_sim_trace(const gr_system *sys);

GR_END_DECLS

#endif /* GREENROOM_SIM_H */
