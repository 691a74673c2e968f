/* actors/account.c - the second half of an actor's account, and reading it. */
#include "actors/account.h"

#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/limits.h"

static uint64_t count_of(uint64_t word)
{
    return word & ((UINT64_C(1) << GRI_ACCOUNT_BITS) - 1);
}

static uint64_t bytes_of(uint64_t word)
{
    return word >> GRI_ACCOUNT_BITS;
}

static gri_account *row_of(gr_actor *slot)
{
    return &slot->sys->accounts[gri_index(slot)];
}

/* One total of the row, between the two stores of `changes`. */
static void set(_Atomic(uint64_t) *total, uint64_t before, uint64_t more)
{
    /* release: who sees it sees `changes` odd; pairs with the acquires in get
     * and look. */
    atomic_store_explicit(total, before + more, memory_order_release);
}

static uint64_t get(const _Atomic(uint64_t) *total)
{
    /* acquire: see set; and the look at `changes` that follows stays behind. */
    return atomic_load_explicit(total, memory_order_acquire);
}

void gri_account_spill(gr_actor *self)
{
    gri_account *row = row_of(self);
    /* relaxed: we are the one who writes all of this. */
    const uint64_t n =
        atomic_load_explicit(&row->changes, memory_order_relaxed);
    const bool again =
        (atomic_load_explicit(&self->traits, memory_order_relaxed) &
         GRI_SPILLED) != 0;
    const uint64_t in = atomic_load_explicit(&self->in, memory_order_relaxed);
    const uint64_t out = atomic_load_explicit(&self->out, memory_order_relaxed);
    /* relaxed: no store that follows is seen without it, as each releases. */
    atomic_store_explicit(&row->changes, n + 1, memory_order_relaxed);
    set(&row->received, again ? get(&row->received) : 0, count_of(in));
    set(&row->sent, again ? get(&row->sent) : 0, count_of(out));
    set(&row->bytes_in, again ? get(&row->bytes_in) : 0, bytes_of(in));
    set(&row->bytes_out, again ? get(&row->bytes_out) : 0, bytes_of(out));
    /* release, all: as in set. What is added to the words later is stored
     * relaxed, but belongs to these stores' release sequences. */
    atomic_store_explicit(&self->in, 0, memory_order_release);
    atomic_store_explicit(&self->out, 0, memory_order_release);
    atomic_fetch_or_explicit(&self->traits, GRI_SPILLED, memory_order_release);
    /* release: who sees it even again sees all that stands above. */
    atomic_store_explicit(&row->changes, n + 2, memory_order_release);
}

/* One look at all of it. False: it changed meanwhile. */
static bool look(gr_actor *slot, gr_actor_info *info)
{
    const gri_account *row = row_of(slot);
    /* acquire: what stands below is at least as new. */
    const uint64_t n =
        atomic_load_explicit(&row->changes, memory_order_acquire);
    /* acquire, all, the traits too: pair with the releases in
     * gri_account_spill; who sees any of them sees `changes` odd, or later. */
    const uint64_t in = atomic_load_explicit(&slot->in, memory_order_acquire);
    const uint64_t out = atomic_load_explicit(&slot->out, memory_order_acquire);
    *info = (gr_actor_info){
        .received = count_of(in),
        .sent = count_of(out),
        .bytes_received = bytes_of(in),
        .bytes_sent = bytes_of(out),
    };
    if ((atomic_load_explicit(&slot->traits, memory_order_acquire) &
         GRI_SPILLED) != 0) {
        info->received += get(&row->received);
        info->sent += get(&row->sent);
        info->bytes_received += get(&row->bytes_in);
        info->bytes_sent += get(&row->bytes_out);
    }
    /* relaxed: behind the acquires. */
    return (n & 1) == 0 &&
           n == atomic_load_explicit(&row->changes, memory_order_relaxed);
}

int gr_actor_inspect(gr_system *sys, gr_pid pid, gr_actor_info *out)
{
    if (gr_pid_is_nobody(pid)) {
        return GR_EINVAL;
    }
    if (!gri_is_here(sys, pid)) {
        return GR_ENOTSUP;
    }
    gr_actor *slot = gri_slot_of(sys, pid);
    uint32_t run = gri_pid_run(pid);
    if (slot == NULL || !gri_slot_lives(slot, run)) {
        return GR_ENOPROC;
    }
    gr_actor_info info;
    while (!look(slot, &info)) { /* seldom, and the writer does not wait */
    }
    info.waiting = gri_inbox_depth(&slot->inbox, &slot->outlet, 0) +
                   gri_lane_waiting(slot, run);
    info.dropped = gri_drops_of(slot, run);
    gri_limit_inspect(slot, run, &info);
    if (!gri_slot_lives(slot, run)) {
        return GR_ENOPROC; /* it ended meanwhile: these may be another's */
    }
    *out = info;
    return 0;
}
