/* actors/limits.c - see limits.h. */
#include "actors/limits.h"

#include "actors/stay.h"

enum { MARK_BITS = 16 }; /* of the run, as in drop.c */

#define BYTE_BITS (64 - MARK_BITS)
#define BYTES_MAX ((UINT64_C(1) << BYTE_BITS) - 1)

/* The word of a run for which nothing waits. */
static uint64_t none_of(uint32_t run)
{
    return (uint64_t)(run >> 1) << BYTE_BITS; /* a run that lives is odd */
}

static bool is_of(uint64_t word, uint32_t run)
{
    return (word & ~BYTES_MAX) == none_of(run);
}

/* ---- begin ----------------------------------------------------------------
 */

void gri_limit_begin(gr_actor *slot, uint32_t run, size_t max)
{
    gri_meter *row = gri_meter_of(slot);
    /* relaxed, all: published with the run. */
    atomic_store_explicit(&row->max, max, memory_order_relaxed);
    atomic_store_explicit(&row->own, 0, memory_order_relaxed);
    atomic_store_explicit(&row->waiting, none_of(run), memory_order_relaxed);
    /* So that nobody sends to it without a look at the row. */
    atomic_store_explicit(&slot->hard, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->soft, 0, memory_order_relaxed);
}

void gri_meter_publish(const gri_ext *ext)
{
    const size_t own = ext->state_size + ext->arena_used;
    /* relaxed: a number. */
    atomic_store_explicit(&ext->meter->own,
                          own > ext->reserve ? own : ext->reserve,
                          memory_order_relaxed);
}

/* The first reason counts, as ever. */
static void exceed(gr_actor *self)
{
    const gr_exit_reason why = {GR_EXIT_LIMIT, GR_ELIMIT, "memory"};
    gri_exit_set(self, &why);
}

int gri_limit_begin_run(gr_actor *self, size_t state)
{
    gri_ext *ext = self->ext;
    ext->meter = gri_meter_of(self);
    ext->state_size = state;
    ext->reserve = gri_is_stable(self) ? gri_stay_reserve(self) : 0;
    gri_meter_publish(ext);
    return gri_has_room(self, 0) ? 0 : GR_ELIMIT;
}

/* ---- senders --------------------------------------------------------------
 */

/* How many bytes may wait. relaxed, both: numbers; the owner's may be old by a
 * moment, and so by what it has just got. */
static uint64_t room_in(const gri_meter *row)
{
    const size_t max = atomic_load_explicit(&row->max, memory_order_relaxed);
    const size_t own = atomic_load_explicit(&row->own, memory_order_relaxed);
    return own < max ? max - own : 0;
}

typedef enum charged {
    CHARGED,
    CHARGED_OVER, /* it does not fit */
    CHARGED_LATE  /* the run is over */
} charged;

static charged charge(gri_meter *row, uint32_t run, uint64_t cost)
{
    const uint64_t room = room_in(row);
    /* relaxed, all: a number that orders nothing. The run's own word was stored
     * before gri_slot_lives let the sender come here. */
    uint64_t word = atomic_load_explicit(&row->waiting, memory_order_relaxed);
    do {
        if (!is_of(word, run)) {
            return CHARGED_LATE;
        }
        if ((word & BYTES_MAX) + cost > room) {
            return CHARGED_OVER;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &row->waiting, &word, word + cost, memory_order_relaxed,
        memory_order_relaxed));
    return CHARGED;
}

/* As a mailbox that says GR_FULL_STOP ends its owner (send.c); but this one may
 * have nothing to do, and must be woken. */
static void end_receiver(gri_ctx *ctx, gr_pid to, gr_actor *slot)
{
    const uint32_t run = gri_pid_run(to);
    /* relaxed, both: published by the alert. */
    if (atomic_exchange_explicit(&gri_meter_of(slot)->over_run, run,
                                 memory_order_relaxed) == run) {
        return; /* somebody was first */
    }
    atomic_store_explicit(&slot->over, gri_over_mark(run),
                          memory_order_relaxed);
    gri_set_alert(slot, run, GRI_ALERT_KILL);
    gri_slow_release(ctx, to);
    /* Without memory for it the next message of any kind does. */
    (void)gri_send_new_signal(ctx, GR_NOBODY, to, GRI_MSG_KILL, 0);
}

bool gri_limit_charge(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg)
{
    const uint32_t run = gri_pid_run(to);
    switch (charge(gri_meter_of(slot), run, gri_kept_size(msg))) {
    case CHARGED:
        msg->kind = GRI_MSG_METERED;
        msg->run = run;
        break;
    case CHARGED_OVER:
        GRI_TALLY(ctx, sent);
        gri_bury(ctx, to, msg, GRI_WHY_FULL);
        gri_msg_free(ctx->cache, msg);
        end_receiver(ctx, to, slot);
        return false;
    case CHARGED_LATE: /* it goes its way, and is buried */
        break;
    }
    return true;
}

void gri_limit_discharge(gr_actor *slot, gr_msg *msg)
{
    if (msg->kind != GRI_MSG_METERED) {
        return;
    }
    gri_meter *row = gri_meter_of(slot);
    const uint64_t cost = gri_kept_size(msg);
    msg->kind = GRI_MSG_USER;
    /* relaxed, all: as in charge. */
    uint64_t word = atomic_load_explicit(&row->waiting, memory_order_relaxed);
    while (is_of(word, msg->run) &&
           !atomic_compare_exchange_weak_explicit(
               &row->waiting, &word, word - cost, memory_order_relaxed,
               memory_order_relaxed)) {
    }
}

/* ---- the consumer ---------------------------------------------------------
 */

static uint64_t waiting_in(const gri_meter *row, uint32_t run)
{
    /* relaxed: a number. */
    const uint64_t word =
        atomic_load_explicit(&row->waiting, memory_order_relaxed);
    return is_of(word, run) ? word & BYTES_MAX : 0;
}

bool gri_has_room(gr_actor *self, size_t size)
{
    const gri_ext *ext = self->ext;
    if (size > ext->arena_max - ext->arena_used) {
        return false;
    }
    const gri_meter *row = ext->meter;
    if (row == NULL) {
        return true;
    }
    /* relaxed: constant for the run. Below arena_max no sum wraps. */
    const size_t max = atomic_load_explicit(&row->max, memory_order_relaxed);
    const uint64_t all = (uint64_t)ext->state_size + ext->arena_used + size +
                         waiting_in(row, self->now);
    if (all > max) {
        exceed(self);
    }
    return all <= max;
}

gr_exit_reason gri_over_reason(const gr_actor *self)
{
    gr_exit_reason why = {GR_EXIT_LIMIT, GR_ELIMIT, "mailbox full"};
    /* relaxed: set before the alert, which was acquired. */
    if (gri_is_limited(self) &&
        atomic_load_explicit(&gri_meter_of(self)->over_run,
                             memory_order_relaxed) == self->now) {
        why = (gr_exit_reason){GR_EXIT_LIMIT, GR_ELIMIT, "memory"};
    }
    return why;
}

void gri_limit_inspect(const gr_actor *slot, uint32_t run, gr_actor_info *info)
{
    if (!gri_is_limited(slot)) {
        return;
    }
    const gri_meter *row = gri_meter_of(slot);
    info->mailbox_bytes = waiting_in(row, run);
    /* relaxed: a number. */
    info->memory = atomic_load_explicit(&row->own, memory_order_relaxed) +
                   info->mailbox_bytes;
}
