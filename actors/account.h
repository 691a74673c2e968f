/*
 * actors/account.h - what came to one actor and what it sent, counted without
 * a line that two threads write.
 *
 * Each direction is one word of the actor's slot, which its consumer alone
 * writes: the number of messages in the low bits, their bytes above. So a
 * message costs one addition. Before one half can run over into the other, the
 * word is emptied into the slot's row of a table that is reserved for all slots
 * and touched for few: after 2^27 messages or 2^35 bytes.
 *
 * Whoever reads (gr_actor_inspect) takes the word and the row together: the row
 * carries a number that is odd while the two change, and another after it.
 */
#ifndef GRI_ACTORS_ACCOUNT_H
#define GRI_ACTORS_ACCOUNT_H

#include "actors/core.h"

enum {
    GRI_ACCOUNT_BITS = 28 /* of the number of messages */
};

/* One of these bits set: the word is to be emptied. */
#define GRI_ACCOUNT_FULL                                                       \
    (UINT64_C(1) << 63 | UINT64_C(1) << (GRI_ACCOUNT_BITS - 1))

/* Empties both words into the row. Consumer only. */
void gri_account_spill(gr_actor *self);
/* A run begins: nothing came and nothing was sent. The spawner's, before the
 * run is published. */
static inline void gri_account_begin(gr_actor *slot)
{
    /* relaxed, both: published with the run. GRI_SPILLED went with the last
     * run's traits, so the row counts no more. */
    atomic_store_explicit(&slot->in, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->out, 0, memory_order_relaxed);
}

static inline void gri_account_add(gr_actor *self, _Atomic(uint64_t) *word,
                                   uint32_t bytes)
{
    /* relaxed, both: one writer, and a number that orders nothing. */
    const uint64_t sum = atomic_load_explicit(word, memory_order_relaxed) +
                         ((uint64_t)bytes << GRI_ACCOUNT_BITS | 1);
    atomic_store_explicit(word, sum, memory_order_relaxed);
    if (__builtin_expect((sum & GRI_ACCOUNT_FULL) != 0, 0)) {
        gri_account_spill(self);
    }
}

/* self is given a message. Consumer only, as the next. */
static inline void gri_account_in(gr_actor *self, const gr_msg *msg)
{
    gri_account_add(self, &self->in, msg->len);
}

/* self has sent one of so many bytes: the message itself may be gone. */
static inline void gri_account_out(gr_actor *self, uint32_t bytes)
{
    gri_account_add(self, &self->out, bytes);
}

#endif /* GRI_ACTORS_ACCOUNT_H */
