/*
 * actors/stay.h - actors whose address and mailbox outlive their runs.
 *
 * A stable actor keeps its slot, its slot's run number, and so its pid, when a
 * run of it ends. All that a run has ends with it, as ever: state, memory,
 * timers, asks, ties. What has been sent to it waits. Its keeper, who spawned
 * it, orders what comes next: another run (gr_revive), or the end of the
 * address (gr_give_up).
 *
 * Between two runs nobody consumes the slot, and its inbox has no idle mark: so
 * a push schedules nobody. The consumer's role lies in the slot's gri_stay:
 *
 *      RUNS --- a run ends ---> ENDED --- the next turn ---> WAITS
 *       ^  ^                      |  no order so far           |
 *       |  `------- order --------'                            |
 *       `---------- order, and the slot is scheduled ----------'
 *
 * A run's last turn tells its links and monitors, and only after that comes to
 * rest; so an order may come before (ENDED) or after (WAITS) the role was laid
 * down. All of that is under one lock, which the message path never takes: who
 * finds WAITS schedules the slot, and nobody else does.
 *
 * The order is carried out by the slot's next turn. While none is due that turn
 * finds nothing in the inbox, as its head is a node that leads nowhere (as in
 * stash.c); GRI_IS_BETWEEN says why.
 *
 * Several runs have the same number here. So whatever belongs to one of them
 * must be told apart by more than that:
 *
 *   - answers, timers, monitors: by their refs, which ended with the run;
 *   - links: by the ends, likewise; an EXIT that waits here, and a link that
 *     the next run makes to the same pid, by the LINK's number (links.c);
 *   - STARTED of a child: by the number of the life that spawned it;
 *   - a STOP of the keeper's: by the number of the life that it means, as it
 *     may not know yet that it is over. Those of others wait;
 *   - kills: an order for another run takes the alert away, before that run can
 *     be known to anybody. So a kill ends the run that lives when it comes, and
 *     one that comes between two runs ends nobody, as any kill of the dead.
 *
 * tests/model/stay.pml has all of it.
 */
#ifndef GRI_ACTORS_STAY_H
#define GRI_ACTORS_STAY_H

#include "actors/internal.h"

static inline bool gri_is_stable(const gr_actor *slot)
{
    /* relaxed: set before the run was published, see gri_slot_lives. */
    return atomic_load_explicit(&slot->place, memory_order_relaxed) ==
           GRI_PLACE_STABLE;
}

/* ---- the keeper -----------------------------------------------------------
 */

/* The spawner's, before such a run is published. Errors: GR_ENOMEM. */
int gri_stay_prepare(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how,
                     uint32_t run);
/* It will not be. */
void gri_stay_not(gr_actor *slot);
/* It was published: self, who has an ext, keeps it from now on. */
void gri_stay_adopt(gr_actor *self, gr_pid pid);
/* Orders the next run of what self keeps there; completes *how. Errors: as
 * gr_revive. */
int gri_stay_revive(gr_actor *self, gri_spawn *how, gr_pid pid);
/* Self keeps it no more. Errors: GR_EINVAL (not one of self's), GR_ENOPROC. */
int gri_stay_drop(gr_actor *self, gr_pid pid);
/* The life that self means by that pid; 0: whichever, as it is not its keeper.
 */
uint64_t gri_stay_meant(const gr_actor *self, gr_pid pid);
/* Self ends, or ends a run: so do the addresses that it keeps. */
void gri_stays_end(gr_actor *self);

/* ---- the consumer ---------------------------------------------------------
 */

static inline bool gri_is_between(const gr_actor *self)
{
    return (self->todo & GRI_IS_BETWEEN) != 0;
}

/* In gri_end_run, of a stable one: whether the address outlives this run. The
 * same answer each time, until the run is over. */
bool gri_stay_outlives(gr_actor *self);
/* Then: takes what is to be given to the next run, sets aside what this one
 * failed on, and leaves the slot between two runs, when all else has ended. */
void gri_stay_hold(gr_actor *self, const gr_exit_reason *why);
void gri_stay_rest(gr_actor *self);
/* Likewise: its name is the address's. Before its other names end. */
void gri_stay_keep_name(gr_actor *self);
/* A stable actor's last run ends as that of any other: frees what there is. */
void gri_stay_over(gr_actor *self);
/* A message that was popped, and not handled, goes back. Between two runs. */
void gri_stay_unpop(gr_actor *self, gr_msg *msg);
/* Its init has returned. */
void gri_stay_begun(gr_actor *self);
/* What is kept free for a run of a limited one, in bytes: what the last run had
 * when it began, and what is kept for it. */
size_t gri_stay_reserve(const gr_actor *self);
/* A message that was given again has been handled. */
void gri_stay_handled(gr_actor *self, const gr_msg *msg);
/* A turn between two runs: carries the order out. False: there is none, and the
 * slot is not ours any more. */
bool gri_stay_turn(gr_actor *self);
/* The life of the run that lives here; 0: it is not stable. */
uint64_t gri_stay_life(const gr_actor *self);

/* ---- any thread ------------------------------------------------------------
 */

/* The system stops: an address between two runs is given up. False: a run lives
 * there, or is about to. */
bool gri_stay_stop(gri_ctx *ctx, gr_pid pid);
/* The life that a slot has now; 0: it is not a stable actor's. */
uint64_t gri_stay_life_now(gr_actor *slot);
/* From here to the other one that life, if it is not 0, is not over. False: it
 * is, and there is no other one. */
bool gri_stay_pin(gr_actor *slot, uint64_t life);
void gri_stay_unpin(gr_actor *slot, uint64_t life);
/* Under slow_lock: nobody is to wait for what does not run. */
bool gri_stay_is_slack(const gr_actor *slot);
void gri_stay_slack(gr_actor *self, bool on);
/* Frees all, when nothing runs any more. */
void gri_stays_fini(gr_system *sys);

#endif /* GRI_ACTORS_STAY_H */
