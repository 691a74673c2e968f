/*
 * transport/slowed.h - who waits because of one connection: senders here whom
 * the other end has asked to, or who have sent more than the outbox likes, and
 * whom we have asked over there.
 *
 * Not thread-safe: the peer's lock guards it. To let the waiters go may not be
 * done under that lock: they are taken out as a whole for it.
 */
#ifndef GRI_TRANSPORT_SLOWED_H
#define GRI_TRANSPORT_SLOWED_H

#include "base/map.h"

enum {
    /* Pairs of a sender and a receiver that one connection keeps each way.
     * More are not slowed down: the mailboxes' hard bounds are still there. */
    GRI_SLOWED_MAX = 1 << 16
};

typedef struct gri_slowed {
    gri_map pairs;     /* {sender here, receiver there}: SLOW was heard */
    gri_map told;      /* {receiver here, sender there}: SLOW was said */
    gri_map for_room;  /* {sender here, 0}: waits for room in the outbox */
    gri_map for_there; /* likewise: for a receiver over there */
} gri_slowed;          /* all zero is an empty one */

/* Nobody waits any more. */
void gri_slowed_fini(gri_slowed *s);

/* SLOW was heard. Without memory, or when there are too many, it is not. */
void gri_slowed_hear(gri_slowed *s, uint64_t sender, uint64_t receiver);
/* RESUME was: true if the sender waits, and is to be let go. */
bool gri_slowed_resume(gri_slowed *s, uint64_t sender, uint64_t receiver);
/* Must that sender wait, if it sends to that receiver? */
static inline bool gri_slowed_is(const gri_slowed *s, uint64_t sender,
                                 uint64_t receiver)
{
    return s->pairs.count > 0 &&
           gri_map_get(&s->pairs, (gri_key){sender, receiver}) != NULL;
}

/* A receiver here is past its soft bound: is that sender to be told? Then it
 * counts as told. */
bool gri_slowed_tell(gri_slowed *s, uint64_t receiver, uint64_t sender);
/* It has reached the mark: it was told so. */
void gri_slowed_told(gri_slowed *s, uint64_t receiver, uint64_t sender);

/* Notes in one of the two maps that a sender waits. False: no memory. */
bool gri_slowed_wait(gri_map *waiters, uint64_t sender);
/* Takes all out: they are the caller's, to be let go and freed. */
gri_map gri_slowed_take(gri_map *waiters);

#endif /* GRI_TRANSPORT_SLOWED_H */
