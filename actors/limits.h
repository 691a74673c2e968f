/*
 * actors/limits.h - what an actor may have of memory, mailbox and all.
 *
 * Few actors have such a limit, and the others do not pay for it. A limited
 * one's slot says that its bounds are 0, as that of a mailbox that drops its
 * oldest does: so all who send to it leave the usual path, and find the real
 * bounds, and the sum of bytes that wait, in the slot's row of a table that is
 * reserved for all slots. What they have counted is of a kind of its own
 * (GRI_MSG_METERED), so that its receiver leaves the usual path, too, and takes
 * it off the sum; from there on it is a message as any other.
 *
 * A stable actor's next run may find that much waits for it. So that it can
 * begin all the same, what the last one had when its init had returned is kept
 * free for it (stay.c).
 *
 * The sum is one word with the low bits of the run on top, as in drop.c: who
 * comes late counts nothing for the run that came after.
 */
#ifndef GRI_ACTORS_LIMITS_H
#define GRI_ACTORS_LIMITS_H

#include "actors/internal.h"

static inline bool gri_is_limited(const gr_actor *slot)
{
    /* relaxed: set before the run was published, see gri_slot_lives. */
    return (atomic_load_explicit(&slot->traits, memory_order_relaxed) &
            GRI_LIMITED) != 0;
}

static inline gri_meter *gri_meter_of(const gr_actor *slot)
{
    return &slot->sys->meters[gri_index(slot)];
}

/* The bounds of a mailbox, wherever they stand; 0: its lane has one instead. */
static inline uint32_t gri_soft_of(const gr_actor *slot)
{
    /* relaxed, both: set before the run was published. */
    const uint32_t soft =
        atomic_load_explicit(&slot->soft, memory_order_relaxed);
    return soft != 0 || !gri_is_limited(slot)
               ? soft
               : atomic_load_explicit(&gri_meter_of(slot)->soft,
                                      memory_order_relaxed);
}

static inline uint32_t gri_hard_of(const gr_actor *slot)
{
    /* relaxed, both: as above. */
    const uint32_t hard =
        atomic_load_explicit(&slot->hard, memory_order_relaxed);
    return hard != 0 || !gri_is_limited(slot)
               ? hard
               : atomic_load_explicit(&gri_meter_of(slot)->hard,
                                      memory_order_relaxed);
}

/* Sets them. By the spawner before the run is published, or by the consumer:
 * who sends at that moment goes by the old ones. */
static inline void gri_set_bounds(gr_actor *slot, uint32_t soft, uint32_t hard)
{
    const bool limited = gri_is_limited(slot);
    gri_meter *row = limited ? gri_meter_of(slot) : NULL;
    /* relaxed, both: numbers. */
    atomic_store_explicit(limited ? &row->hard : &slot->hard, hard,
                          memory_order_relaxed);
    atomic_store_explicit(limited ? &row->soft : &slot->soft, soft,
                          memory_order_relaxed);
}

/* The limit of a run that is to begin; 0: none. */
static inline size_t gri_memory_max_of(const gr_system *sys,
                                       const gri_spawn *how)
{
    if (how->behavior == NULL || how->agent || how->service) {
        return 0; /* a thread, or the system's own */
    }
    const size_t asked = how->limits != NULL ? how->limits->memory_max : 0;
    const size_t own = how->behavior->limits.memory_max;
    return asked != 0 ? asked : own != 0 ? own : sys->opts.limits.memory_max;
}

/* The spawner's, once the traits are set, before the run is published. */
void gri_limit_begin(gr_actor *slot, uint32_t run, size_t max);
/* The run begins: it has an ext, and its state, of so many bytes. Errors:
 * GR_ELIMIT: that is too much already, and the run is to end for it. */
int gri_limit_begin_run(gr_actor *self, size_t state);

/* ---- senders --------------------------------------------------------------
 */

/* A message for a limited actor is to be sent: counts its bytes. False: they
 * were too many; the receiver ends, and msg was taken, a dead letter. */
bool gri_limit_charge(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg);
/* A charged message is received, or will not be: the opposite. Of any other it
 * changes nothing. */
void gri_limit_discharge(gr_actor *slot, gr_msg *msg);

/* ---- the consumer ---------------------------------------------------------
 */

/* Tells senders what a limited actor has. */
void gri_meter_publish(const gri_ext *ext);
/* So many bytes more of an actor's memory are used; or, as numbers wrap, less.
 */
static inline void gri_ext_use(gri_ext *ext, size_t size)
{
    ext->arena_used += size;
    if (ext->meter != NULL) {
        gri_meter_publish(ext);
    }
}
/* Whether an actor may have so many bytes more by arena_max and memory_max;
 * over the latter it is to end. */
bool gri_has_room(gr_actor *self, size_t size);
/* Why a run ends whose `over` is set. */
gr_exit_reason gri_over_reason(const gr_actor *self);
/* What gr_actor_inspect tells; nothing of an actor without a limit. */
void gri_limit_inspect(const gr_actor *slot, uint32_t run, gr_actor_info *info);

#endif /* GRI_ACTORS_LIMITS_H */
