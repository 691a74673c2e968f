/*
 * transport/draft.h - what a worker's turn sends to one actor of another node,
 * message behind message, before the peer has it.
 *
 * To put each into the outbox by itself takes the peer's lock, which other
 * workers want, too, and theirs would stand between, so that each message began
 * a frame of its own. So each worker has a draft of a SEND, which goes to the
 * outbox when it is full, when something else is sent, and when the turn ends.
 *
 * One thread writes, without a lock: the worker, who publishes `filled` behind
 * the bytes. Whoever has the lock of the peer whose draft it is may take what
 * is there: the worker, the watchdog in a long turn, and who says goodbye. Only
 * the worker, and only with that lock, empties it or makes it another's.
 */
#ifndef GRI_TRANSPORT_DRAFT_H
#define GRI_TRANSPORT_DRAFT_H

#include <stdatomic.h>
#include <string.h>

#include "sched/poller.h"
#include "transport/outbox.h"

struct gri_peer;

/* What a draft is for. */
typedef struct gri_draft_for {
    uint64_t node, to, from;
    const _Atomic(uint64_t) *up;
    uint64_t born; /* the number of the connection, which *up is while that is
                      up: the next one may be with the same node */
    uint32_t room; /* bytes, at most */
    uint32_t most; /* messages */
} gri_draft_for;

typedef struct gri_draft {
    /* The worker. */
    gri_after after; /* takes what a look between two turns has left */
    bool after_set;
    bool open; /* more may be added */
    /* Who stood in the SEND before this one: two in a row, and a draft begins.
     */
    uint64_t last_node, last_to, last_from;

    /* Written by the worker, under the peer's lock; and so read by it without,
     * and by others with that. */
    gri_draft_for of;
    uint32_t longest; /* bytes of a message */

    _Atomic(struct gri_peer *) peer; /* whose it is; NULL: nobody's */
    _Atomic(uint64_t) filled;        /* bytes, and above 32 bits the messages */
    uint64_t taken;                  /* of it; under the peer's lock */
    uint8_t bytes[GRI_BATCH_BYTES];
} gri_draft;

/* Adds a message, if it is for the one to whom the draft is. False: it is for
 * gri_peer_deliver, behind what the draft has. The worker. */
static inline bool gri_draft_add(gri_draft *d, uint64_t node,
                                 const gri_payload *m)
{
    /* relaxed: this thread's own. */
    const uint64_t filled =
        atomic_load_explicit(&d->filled, memory_order_relaxed);
    const uint32_t len = (uint32_t)filled;
    if (!d->open || d->of.node != node || d->of.to != m->to ||
        d->of.from != m->from ||
        /* relaxed: a hint; what is added too late is lost, as the rest. */
        atomic_load_explicit(d->of.up, memory_order_relaxed) != d->of.born ||
        m->len > d->of.room - len || m->len > d->longest ||
        filled >> 32 >= d->of.most) {
        return false;
    }
    memcpy(d->bytes + len, m->p, m->len);
    /* release: pairs with the acquire in gri_draft_take, who reads the bytes.
     */
    atomic_store_explicit(&d->filled, filled + (UINT64_C(1) << 32) + m->len,
                          memory_order_release);
    return true;
}

/* Whether nothing was added since it was emptied. The worker. */
static inline bool gri_draft_is_empty(const gri_draft *d)
{
    /* relaxed: this thread's own. */
    return atomic_load_explicit(&d->filled, memory_order_relaxed) == 0;
}

/* What nobody has taken yet, in *out, whose bytes stay the draft's. False:
 * nothing. Under the lock of its peer. */
bool gri_draft_take(gri_draft *d, gri_payload *out);

/* From now on it is for that, and open. The worker, under the lock of the peer
 * that it becomes; it is empty, and no other peer's. */
void gri_draft_begin(gri_draft *d, struct gri_peer *peer,
                     const gri_draft_for *what);
/* All of it was taken: it begins anew. The worker, under the peer's lock. */
void gri_draft_empty(gri_draft *d);

#endif /* GRI_TRANSPORT_DRAFT_H */
