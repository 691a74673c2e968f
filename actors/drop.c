/*
 * actors/drop.c - what the policy of a mailbox drops, counted for each actor.
 *
 * Senders count, on their own threads, in one word of the receiver's slot: the
 * low bits of its run on top, the number below. So one that comes late, when
 * the slot is another actor's already, sees that the word is not for it. Those
 * bits come again after 2^16 runs of a slot: a sender that was held between its
 * look at the slot and its count for exactly so many counts for the actor that
 * lives there now. That is the worst: a number that is one too high.
 */
#include "actors/internal.h"
#include "actors/record.h"

enum { MARK_BITS = 16 }; /* of the run; the head says what too few mean */

#define COUNT_BITS (64 - MARK_BITS)
/* 9 years of a million drops each second; the counter then stays there. */
#define COUNT_MAX ((UINT64_C(1) << COUNT_BITS) - 1)

/* The word of a run that has dropped nothing. */
static uint64_t none_of(uint32_t run)
{
    return (uint64_t)(run >> 1) << COUNT_BITS; /* a run that lives is odd */
}

static bool is_of(uint64_t word, uint32_t run)
{
    return (word & ~COUNT_MAX) == none_of(run);
}

void gri_drops_begin(gr_actor *slot, uint32_t run, const gr_behavior *b)
{
    gri_drops *drops = &slot->sys->drops[gri_index(slot)];
    /* relaxed: published with the run, by the release in spawn.c that pairs
     * with the acquire in gri_slot_lives. */
    atomic_store_explicit(&drops->behavior, b, memory_order_relaxed);
    /* release: who finds it finds the run before ended; pairs with the acquire
     * in gri_drops_of. */
    atomic_store_explicit(&drops->count, none_of(run), memory_order_release);
}

void gri_drops_rename(gr_actor *self, const gr_behavior *b)
{
    /* relaxed, both: set before the run was published; a name for the log. */
    if (atomic_load_explicit(&self->full, memory_order_relaxed) ==
        GR_FULL_DROP_NEW) {
        atomic_store_explicit(&self->sys->drops[gri_index(self)].behavior, b,
                              memory_order_relaxed);
    }
}

/* The run's number of drops with this one; 0: the run is over, and nobody can
 * ask for its number any more. */
static uint64_t count_one(gri_drops *drops, uint32_t run)
{
    /* relaxed, all: a number that orders nothing. The run's own word was stored
     * before gri_slot_lives let the sender come here. */
    uint64_t word = atomic_load_explicit(&drops->count, memory_order_relaxed);
    while (is_of(word, run)) {
        if ((word & COUNT_MAX) == COUNT_MAX) {
            return COUNT_MAX;
        }
        if (atomic_compare_exchange_weak_explicit(
                &drops->count, &word, word + 1, memory_order_relaxed,
                memory_order_relaxed)) {
            return (word & COUNT_MAX) + 1;
        }
    }
    return 0;
}

void gri_drops_add(gri_ctx *ctx, gr_actor *slot, gr_pid to)
{
    gr_system *sys = ctx->sys;
    gri_drops *drops = &sys->drops[gri_index(slot)];
    uint64_t n = count_one(drops, gri_pid_run(to));
    if (n == 0 || !gri_is_doubling(n)) {
        return;
    }
    gri_record_event(ctx, GRI_EVENT_DROP, to.id, n, 0);
    if (sys->log.level < GR_LOG_WARN) {
        return;
    }
    /* relaxed: see gri_drops_begin. A name for the log. */
    const gr_behavior *b =
        atomic_load_explicit(&drops->behavior, memory_order_relaxed);
    char name[GR_NAME_MAX + 1];
    char pid[GR_PID_TEXT_MAX];
    const char *known = gri_name_of(sys, to, name, sizeof name);
    gri_log_write(&sys->log, GR_LOG_WARN,
                  "mailbox full (%llu messages dropped so far): %s%s%s, %s%s",
                  (unsigned long long)n, known != NULL ? known : "",
                  known != NULL ? " " : "", gr_pid_text(to, pid),
                  b != NULL ? "behaviour " : "a thread",
                  b != NULL ? b->name : "");
}

uint64_t gri_drops_of(gr_actor *slot, uint32_t run)
{
    /* acquire, both: they may be a later run's, and the caller's second look
     * finds this one ended then; pairs with the releases in set_bounds and
     * gri_drops_begin. Who has another policy has no word, but perhaps one that
     * an earlier run left. */
    unsigned full = atomic_load_explicit(&slot->full, memory_order_acquire);
    bool drops = full == GR_FULL_DROP_NEW || full == GR_FULL_DROP_OLD;
    uint64_t word = atomic_load_explicit(
        &slot->sys->drops[gri_index(slot)].count, memory_order_acquire);
    return drops && is_of(word, run) ? word & COUNT_MAX : 0;
}
