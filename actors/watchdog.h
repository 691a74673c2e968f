/* actors/watchdog.h - turns and callbacks that last too long: watchdog.c. */
#ifndef GRI_ACTORS_WATCHDOG_H
#define GRI_ACTORS_WATCHDOG_H

#include "actors/core.h"

/* Fills in the defaults. False: they make no sense. */
bool gri_watch_fill_opts(gr_system_opts *opts);
/* Before the workers run. Errors: GR_ENOMEM. */
int gri_watch_init(gr_system *sys);
void gri_watch_fini(gr_system *sys);
void gri_watch_stats(gr_system *sys, gri_counters *sum, gr_stats *stats);
/* What the scheduler calls, see gri_sched_ops. */
void gri_watch_look(gri_worker *worker, const gri_sight *sight);
void gri_watch_short(gri_sched *sched);
void gri_watch_fired(gri_sched *sched, const gri_fired *fired);
void gri_watch_note(gri_worker *worker, gri_turn_note *note);

/* The spawner's: how long a callback of that run may take. Before the run is
 * published. Errors: GR_ENOMEM. */
int gri_deadline_begin(gr_actor *slot, uint32_t run, int64_t ms);
/* Another run begins in that slot under the same number (stay.h): no mark that
 * came so far is for it. */
void gri_deadline_forget(gr_actor *slot);
/* The consumer's: a callback of its run took longer. */
bool gri_deadline_missed(const gr_actor *self);
/* A callback begins that is not counted as handled. */
static inline void gri_count_callback(gri_ctx *ctx)
{
    GRI_TALLY(ctx, callbacks);
}

#endif /* GRI_ACTORS_WATCHDOG_H */
