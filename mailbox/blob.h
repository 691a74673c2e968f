/*
 * mailbox/blob.h - large bytes that move between the actors of a process.
 *
 * A blob is one block from malloc, with one owner at a time: an actor, in whose
 * list it stands (actors/blobs.c), or a message. In the message stands only its
 * place: GRI_BLOB_MARK and the address, or no address once the blob was taken
 * out. The mark is the one byte that msgpack never uses: so no reader of
 * msgpack takes a place for a value, and none from outside is ever valid, be it
 * in a frame of a peer, in a gr_any of a program, or anywhere in a list. Who
 * does follow an address has it from an element of a message of this process.
 *
 * Who owns blobs is freed by another class (GRI_CLASS_OWNS in pool.h), and
 * matched by gri_match_near, where the usual match has failed at the mark: what
 * has no blobs pays nothing for them.
 *
 * In front of its bytes a blob carries the head of a bin of that length. So the
 * value that a place stands for is there as plain msgpack (gri_blob_value), and
 * is read, compared, copied and printed as any other.
 */
#ifndef GRI_MAILBOX_BLOB_H
#define GRI_MAILBOX_BLOB_H

#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "mailbox/message.h"

enum {
    GRI_BLOB_MARK = 0xc1,
    GRI_BLOB_PLACE = 1 + sizeof(uintptr_t), /* bytes of a place */
    GRI_BLOB_HEAD = 5                       /* bytes of a bin's longest head */
};

/* A gr_any counts head and bytes in 32 bits. */
#define GRI_BLOB_MAX (UINT32_MAX - (uint32_t)GRI_BLOB_HEAD)

struct gr_blob {
    gr_blob *next, *before; /* in the list of the actor that owns it */
    gr_blob *moving;        /* in the list of a message under construction */
    gr_blob **home; /* likewise: the variable that gr_move named; else NULL */
    uint32_t size;  /* bytes */
    uint32_t room;  /* bytes that there is memory for */
    uint8_t unused[3];
    uint8_t head[GRI_BLOB_HEAD]; /* right before the bytes */
    alignas(max_align_t) uint8_t data[];
};

_Static_assert(offsetof(gr_blob, head) + GRI_BLOB_HEAD ==
                   offsetof(gr_blob, data),
               "head and bytes are one value");

/* What one costs its owner. */
static inline size_t gri_blob_cost(const gr_blob *blob)
{
    return sizeof *blob + blob->room;
}

/* Of at most room bytes. */
void gri_blob_set_size(gr_blob *blob, uint32_t size);

/* Writes the place of a blob; NULL: of one that was taken. */
static inline void gri_blob_put(uint8_t *p, const gr_blob *blob)
{
    const uintptr_t address = (uintptr_t)blob;
    *p = GRI_BLOB_MARK;
    memcpy(p + 1, &address, sizeof address);
}

/* The value at p, an element of a message of this process: itself (and *next is
 * behind it); or what its place stands for: a bin; nil if it was taken. len 0:
 * there is none. */
gr_any gri_blob_value(const uint8_t *p, const uint8_t *end,
                      const uint8_t **next);

/* The blobs of a list by `moving` are the sender's as before. */
void gri_blobs_stay(gr_blob *moving);

/* ---- of a message that owns blobs (gri_msg_owns) ------------------------- */

/* Walks its blobs: NULL at the end. Zero at first. */
typedef struct gri_blob_walk {
    const uint8_t *p;
    uint8_t *place; /* of the last blob */
    uint32_t left;
} gri_blob_walk;

gr_blob *gri_blob_next(gr_msg *msg, gri_blob_walk *walk);

/* What they cost. */
size_t gri_blobs_cost(const gr_msg *msg);
/* Frees them; the places are empty then. */
void gri_blobs_free(gr_msg *msg);
/* Empties the places: the blobs are in another message. */
void gri_blobs_leave(gr_msg *msg);
/* The bytes of its payload with every blob in its place. */
size_t gri_blobs_flat_len(const gr_msg *msg);
/* A copy of its payload with the bytes in place, in a new message with a
 * trailer: it owns nothing. NULL: no memory. */
gr_msg *gri_blobs_flatten(gri_cache *cache, const gr_msg *msg);

#endif /* GRI_MAILBOX_BLOB_H */
