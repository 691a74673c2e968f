/*
 * transport/cargo.h - bytes in a row to be sent, some of which stand in memory
 * of their own.
 *
 * Most frames are short, and copied one behind the other. To copy a long one
 * costs as much as to send it. So a message that is long and was given away
 * becomes a frame where it stands, and only the place where it belongs is
 * remembered. Not thread-safe.
 */
#ifndef GRI_TRANSPORT_CARGO_H
#define GRI_TRANSPORT_CARGO_H

#include <stdbool.h>

#include "mailbox/pool.h"
#include "transport/buffer.h"

/* A frame in memory of its own. */
typedef struct gri_own {
    uint8_t *frame;
    uint32_t len;     /* bytes of it */
    void *block;      /* that it stands in, from malloc, */
    uint8_t class_;   /* of it, and */
    gri_depot *depot; /* to whom that goes back; NULL: to malloc */
} gri_own;

typedef struct gri_own_at {
    size_t at; /* so much of `bytes` goes before it */
    gri_own own;
} gri_own_at;

typedef struct gri_cargo {
    gri_buffer bytes;
    gri_own_at *owned;    /* in order; NULL while room is 0 */
    uint32_t count, room; /* of owned */
    /* What went: of bytes, whole ones of owned, and of the one after those. */
    size_t at;
    uint32_t gone, part;
    size_t own_left; /* bytes in owned that did not go */
} gri_cargo;         /* all zero is an empty one */

/* It went, or will not go. block NULL: nothing is done. */
void gri_own_free(const gri_own *own);

/* Frees what is in it, too. */
void gri_cargo_fini(gri_cargo *c);
/* Makes sure that there is room for one more of its own. Errors: GR_ENOMEM. */
int gri_cargo_reserve(gri_cargo *c);
/* Appends it; there must be room. Takes own->block. */
void gri_cargo_put(gri_cargo *c, const gri_own *own);

/* The bytes that go next, as many as stand in one piece, at least 1. It is not
 * empty. Owns: they stay the cargo's. */
const uint8_t *gri_cargo_next(const gri_cargo *c, size_t *n);
/* So many of those went. Returns what all of went by that, which is the
 * caller's to free, without a lock; or nothing. */
gri_own gri_cargo_went(gri_cargo *c, size_t n);

/* Gives memory beyond so many bytes back, if it is empty. */
void gri_cargo_shrink(gri_cargo *c, size_t cap);

/* Bytes that did not go. */
static inline size_t gri_cargo_left(const gri_cargo *c)
{
    return c->bytes.len - c->at + c->own_left;
}

#endif /* GRI_TRANSPORT_CARGO_H */
