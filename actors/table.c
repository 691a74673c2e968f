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
    STEP = 256 /* slots made at once: 32 KiB */
};

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
    if (sys->slots == NULL) {
        return GR_ENOMEM;
    }
    sys->drops = reserve(n * sizeof(gri_drops));
    if (sys->drops == NULL) {
        (void)munmap(sys->slots, n * sizeof(gr_actor));
        return GR_ENOMEM;
    }
    sys->accounts = reserve(n * sizeof(gri_account));
    if (sys->accounts == NULL) {
        (void)munmap(sys->slots, n * sizeof(gr_actor));
        (void)munmap(sys->drops, n * sizeof(gri_drops));
        return GR_ENOMEM;
    }
    sys->free_slots = NULL;
    sys->free_count = 0;
    atomic_init(&sys->slots_ready, 0);
    return 0;
}

void gri_table_fini(gr_system *sys)
{
    size_t n = sys->opts.actors_max;
    (void)munmap(sys->slots, n * sizeof(gr_actor)); /* ours: cannot fail */
    (void)munmap(sys->drops, n * sizeof(gri_drops));
    (void)munmap(sys->accounts, n * sizeof(gri_account));
    free(sys->free_slots);
}

/* Under sys->lock. */
static int add_slots(gri_ctx *ctx)
{
    gr_system *sys = ctx->sys;
    /* relaxed: written under the lock only. */
    uint32_t from =
        atomic_load_explicit(&sys->slots_ready, memory_order_relaxed);
    uint32_t to = from + STEP;
    if (to > sys->opts.actors_max) {
        to = sys->opts.actors_max;
    }
    if (from == to) {
        return GR_ELIMIT;
    }
    uint32_t *stack = realloc(sys->free_slots, to * sizeof *stack);
    if (stack == NULL) {
        return GR_ENOMEM;
    }
    sys->free_slots = stack;
    if (mprotect(&sys->slots[from], (size_t)(to - from) * sizeof(gr_actor),
                 PROT_READ | PROT_WRITE) != 0 ||
        /* All of them: a step of counters may be less than a page. */
        mprotect(sys->drops, (size_t)to * sizeof(gri_drops),
                 PROT_READ | PROT_WRITE) != 0 ||
        mprotect(sys->accounts, (size_t)to * sizeof(gri_account),
                 PROT_READ | PROT_WRITE) != 0) {
        return GR_ENOMEM;
    }
    for (uint32_t i = to; i > from; i--) {
        /* Slot 0 stays unused: a pid of zero is nobody. The agent's waits for
         * gri_slot_take, whoever starts first. */
        if (i - 1 > 0 && i - 1 != (uint32_t)GRI_AGENT_ID) {
            stack[sys->free_count++] = i - 1;
        }
    }
    /* release: pairs with the acquire in gri_slot_of. */
    atomic_store_explicit(&sys->slots_ready, to, memory_order_release);
    return 0;
}

/* A slot's first use gives its inbox the node that it needs. */
static int prepare(gri_ctx *ctx, gr_actor *slot)
{
    /* Not outlet.head: the consumer may still be burying what the run before
     * has left, and moves it. */
    if (slot->sys != NULL) {
        return 0;
    }
    gr_msg *stub = gri_msg_new(ctx->cache, 0);
    if (stub == NULL) {
        return GR_ENOMEM;
    }
    slot->sys = ctx->sys;
    gri_inbox_init(&slot->inbox, &slot->outlet, stub);
    return 0;
}

/* Any free slot's index, still on the stack; 0: *rc says why. Under sys->lock.
 */
static uint32_t any_index(gri_ctx *ctx, int *rc)
{
    gr_system *sys = ctx->sys;
    *rc = sys->free_count == 0 ? add_slots(ctx) : 0;
    return *rc < 0 ? 0 : sys->free_slots[sys->free_count - 1];
}

/* The agent's index, if it is free. Under sys->lock. */
static uint32_t agent_index(gri_ctx *ctx, int *rc)
{
    gr_system *sys = ctx->sys;
    *rc = sys->agent_taken ? GR_EEXIST : 0;
    /* relaxed: written under the lock only. */
    if (*rc == 0 &&
        atomic_load_explicit(&sys->slots_ready, memory_order_relaxed) == 0) {
        *rc = add_slots(ctx);
    }
    return *rc < 0 ? 0 : (uint32_t)GRI_AGENT_ID;
}

gr_actor *gri_slot_take(gri_ctx *ctx, bool agent, int *rc)
{
    gr_system *sys = ctx->sys;
    gr_actor *slot = NULL;
    (void)pthread_mutex_lock(&sys->lock);
    uint32_t index = agent ? agent_index(ctx, rc) : any_index(ctx, rc);
    if (index != 0) {
        *rc = prepare(ctx, &sys->slots[index]);
        slot = *rc < 0 ? NULL : &sys->slots[index];
    }
    if (slot != NULL) {
        sys->live++;
        sys->agent_taken = sys->agent_taken || agent;
        sys->free_count -= agent ? 0 : 1;
    }
    (void)pthread_mutex_unlock(&sys->lock);
    return slot;
}

void gri_slot_give(gr_actor *slot)
{
    gr_system *sys = slot->sys;
    /* relaxed: only its last owner writes it, which we are. */
    uint32_t run = atomic_load_explicit(&slot->run, memory_order_relaxed);
    (void)pthread_mutex_lock(&sys->lock);
    sys->live--;
    if (gri_index(slot) == (uint32_t)GRI_AGENT_ID) {
        sys->agent_taken = run != 0;   /* once; unless it never began */
    } else if (run < UINT32_MAX - 2) { /* else its runs are used up */
        sys->free_slots[sys->free_count++] = gri_index(slot);
    }
    (void)pthread_mutex_unlock(&sys->lock);
}
