/*
 * actors/table.c - the slots that actors live in.
 *
 * One piece of address space is reserved for all slots that there may ever be,
 * so that a pid's slot is found by arithmetic and no table ever moves. Pages
 * are made usable in steps, and never given back while the system runs.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "actors/internal.h"

enum {
    STEP = 256,      /* slots made at once, at least: 32 KiB */
    KEEP_FROM = 4096 /* actors_max: below, each slot is for who wants it */
};

#define AGENT ((uint32_t)GRI_AGENT_ID) /* the index of its slot */

/* Address space for `size` bytes; NULL: there is none. */
static void *reserve(size_t size)
{
    void *at = mmap(NULL, size, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

int gri_table_init(gr_system *sys)
{
    size_t n = sys->opts.actors_max;
    sys->slots = reserve(n * sizeof(gr_actor));
    sys->drops = reserve(n * sizeof(gri_drops));
    sys->accounts = reserve(n * sizeof(gri_account));
    sys->meters = reserve(n * sizeof(gri_meter));
    sys->parents = reserve(n * sizeof *sys->parents);
    sys->free_slots = reserve(n * sizeof *sys->free_slots);
    if (sys->slots == NULL || sys->drops == NULL || sys->accounts == NULL ||
        sys->meters == NULL || sys->parents == NULL ||
        sys->free_slots == NULL) {
        gri_table_fini(sys);
        return GR_ENOMEM;
    }
    sys->free_count = 0;
    sys->slots_used = 0;
    atomic_init(&sys->slots_ready, 0);
    return 0;
}

/* Of reserve's. at may be NULL. */
static void give_back(void *at, size_t size)
{
    if (at != NULL) {
        (void)munmap(at, size); /* ours: cannot fail */
    }
}

void gri_table_fini(gr_system *sys)
{
    size_t n = sys->opts.actors_max;
    give_back(sys->slots, n * sizeof(gr_actor));
    give_back(sys->drops, n * sizeof(gri_drops));
    give_back(sys->accounts, n * sizeof(gri_account));
    give_back(sys->meters, n * sizeof(gri_meter));
    give_back(sys->parents, n * sizeof *sys->parents);
    give_back(sys->free_slots, n * sizeof *sys->free_slots);
}

/* Those from `from` to `to`, with what belongs to them. */
static int make_usable(gr_system *sys, uint32_t from, uint32_t to)
{
    if (mprotect(&sys->slots[from], (size_t)(to - from) * sizeof(gr_actor),
                 PROT_READ | PROT_WRITE) != 0 ||
        /* All of them: a step of counters may be less than a page. */
        mprotect(sys->drops, (size_t)to * sizeof(gri_drops),
                 PROT_READ | PROT_WRITE) != 0 ||
        mprotect(sys->accounts, (size_t)to * sizeof(gri_account),
                 PROT_READ | PROT_WRITE) != 0 ||
        mprotect(sys->meters, (size_t)to * sizeof(gri_meter),
                 PROT_READ | PROT_WRITE) != 0 ||
        mprotect(sys->parents, (size_t)to * sizeof *sys->parents,
                 PROT_READ | PROT_WRITE) != 0 ||
        mprotect(sys->free_slots, (size_t)to * sizeof *sys->free_slots,
                 PROT_READ | PROT_WRITE) != 0) {
        return GR_ENOMEM;
    }
    return 0;
}

/* Makes more slots usable: a quarter more, so that many actors take few steps.
 * Under sys->lock. */
static int add_slots(gr_system *sys)
{
    /* relaxed: written under the lock only. */
    const uint32_t from =
        atomic_load_explicit(&sys->slots_ready, memory_order_relaxed);
    const uint32_t step = from / 4 > STEP ? from / 4 / STEP * STEP : STEP;
    const uint32_t to =
        step < sys->opts.actors_max - from ? from + step : sys->opts.actors_max;
    if (from == to) {
        return GR_ELIMIT;
    }
    GR_TRY(make_usable(sys, from, to));
    /* release: pairs with the acquire in gri_slot_of. */
    atomic_store_explicit(&sys->slots_ready, to, memory_order_release);
    return 0;
}

/* A slot that was never used. It is told apart by this mark and not by a look
 * at it: a page that is read before it is written costs two faults, the second
 * of which interrupts all processors that the process runs on. */
#define FRESH (UINT32_C(1) << 31)

/* A slot's first use gives its inbox the node that it needs. */
static int prepare(gri_ctx *ctx, gr_actor *slot)
{
    gr_msg *stub = gri_msg_new(ctx->cache, 0);
    if (stub == NULL) {
        return GR_ENOMEM;
    }
    slot->sys = ctx->sys;
    gri_inbox_init(&slot->inbox, &slot->outlet, stub);
    return 0;
}

/* Any free slot's index, with FRESH or not; 0: *rc says why. Under sys->lock.
 */
static uint32_t any_index(gr_system *sys, int *rc)
{
    if (sys->free_count > 0) {
        return sys->free_slots[--sys->free_count];
    }
    uint32_t index = 0;
    /* Slot 0 stays unused: a pid of zero is nobody. The agent's waits for
     * gri_slot_take, whoever starts first. */
    while (index == 0 || index == AGENT) {
        /* relaxed: written under the lock only. */
        if (sys->slots_used ==
            atomic_load_explicit(&sys->slots_ready, memory_order_relaxed)) {
            *rc = add_slots(sys);
            if (*rc < 0) {
                return 0;
            }
        }
        index = sys->slots_used++;
    }
    return index | FRESH;
}

/* The agent's index, if it is free. Under sys->lock. */
static uint32_t agent_index(gr_system *sys, int *rc)
{
    *rc = sys->agent_taken ? GR_EEXIST : 0;
    /* relaxed: written under the lock only. */
    if (*rc == 0 &&
        atomic_load_explicit(&sys->slots_ready, memory_order_relaxed) == 0) {
        *rc = add_slots(sys);
    }
    sys->agent_taken = sys->agent_taken || *rc == 0;
    /* It may have been there before: once, if it never began. */
    return *rc < 0 ? 0 : sys->slots[AGENT].sys == NULL ? AGENT | FRESH : AGENT;
}

/* Whether this thread keeps free slots at hand. Not in deterministic mode,
 * whose tests look at where an actor lands, nor where there are few slots. */
static bool keeps_slots(const gri_ctx *ctx)
{
    return ctx->submits != NULL && ctx->sys->opts.actors_max >= KEEP_FROM;
}

/* From what all share. */
static __attribute__((noinline)) uint32_t take_shared(gri_ctx *ctx, bool agent,
                                                      int *rc)
{
    gr_system *sys = ctx->sys;
    (void)pthread_mutex_lock(&sys->lock);
    const uint32_t index = agent ? agent_index(sys, rc) : any_index(sys, rc);
    if (index != 0 && !agent && keeps_slots(ctx)) {
        int ignored = 0; /* the one is enough */
        while (ctx->slot_count < GRI_SLOTS_KEPT / 2) {
            const uint32_t more = any_index(sys, &ignored);
            if (more == 0) {
                break;
            }
            ctx->slots[ctx->slot_count++] = more;
        }
    }
    (void)pthread_mutex_unlock(&sys->lock);
    return index;
}

static __attribute__((noinline)) void give_shared(gri_ctx *ctx, uint32_t index)
{
    gr_system *sys = ctx->sys;
    (void)pthread_mutex_lock(&sys->lock);
    if ((index & ~FRESH) == AGENT) {
        /* Once; unless it never began. relaxed: we are its last owner. */
        sys->agent_taken = atomic_load_explicit(&sys->slots[AGENT].run,
                                                memory_order_relaxed) != 0;
    } else {
        sys->free_slots[sys->free_count++] = index;
    }
    while (ctx->slot_count > GRI_SLOTS_KEPT / 2) {
        sys->free_slots[sys->free_count++] = ctx->slots[--ctx->slot_count];
    }
    (void)pthread_mutex_unlock(&sys->lock);
}

/* The next one at hand. The one after it is fetched: its last actor may have
 * ended on another core. */
static inline uint32_t take_kept(gri_ctx *ctx)
{
    const uint32_t n = --ctx->slot_count;
    if (n > 0) {
        const char *next =
            (const char *)&ctx->sys->slots[ctx->slots[n - 1] & ~FRESH];
        gri_prefetch_write(next);
        gri_prefetch_write(next + GRI_CACHE_LINE);
    }
    return ctx->slots[n];
}

gr_actor *gri_slot_take(gri_ctx *ctx, bool agent, int *rc)
{
    gr_system *sys = ctx->sys;
    *rc = 0;
    const uint32_t index = !agent && ctx->slot_count > 0
                               ? take_kept(ctx)
                               : take_shared(ctx, agent, rc);
    if (index == 0) {
        return NULL;
    }
    gr_actor *slot = &sys->slots[index & ~FRESH];
    *rc = (index & FRESH) != 0 ? prepare(ctx, slot) : 0;
    if (*rc < 0) {
        give_shared(ctx, index);
        return NULL;
    }
    return slot;
}

void gri_slot_give(gri_ctx *ctx, gr_actor *slot)
{
    const uint32_t index = gri_index(slot);
    /* relaxed: only its last owner writes it, which we are. */
    if (atomic_load_explicit(&slot->run, memory_order_relaxed) >=
        UINT32_MAX - 2) {
        return; /* its runs are used up */
    }
    if (index == AGENT || !keeps_slots(ctx) ||
        ctx->slot_count == GRI_SLOTS_KEPT) {
        give_shared(ctx, index);
    } else {
        ctx->slots[ctx->slot_count++] = index;
    }
}

int gri_table_place(gr_system *sys, gr_pid pid)
{
    const uint32_t index = gri_pid_index(pid);
    if (index == 0 || index == AGENT || index >= sys->opts.actors_max ||
        (gri_pid_run(pid) & 1) == 0) {
        return GR_EINVAL;
    }
    GR_TRY(make_usable(sys, 0, index + 1));
    (void)pthread_mutex_lock(&sys->lock);
    sys->slots_used = index;
    /* relaxed: the release below publishes. */
    atomic_store_explicit(&sys->slots[index].run, gri_pid_run(pid) - 1,
                          memory_order_relaxed);
    /* release: pairs with the acquire in gri_slot_of. */
    atomic_store_explicit(&sys->slots_ready, index + 1, memory_order_release);
    (void)pthread_mutex_unlock(&sys->lock);
    return 0;
}
