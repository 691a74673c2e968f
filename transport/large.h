/*
 * transport/large.h - a large frame on its way into the message that it is
 * going to be: it is received where its payload is to stand.
 *
 *   | gr_msg, 40 bytes          | payload        | room for a little more |
 *             | head, 21 bytes  | rest of frame  | of what comes behind it
 *
 * The frame's head stands over the end of the message's own, which is written
 * once the frame was read. So a message of 64 KiB is copied once, by the link,
 * from wherever that has it.
 *
 * That the frame is large is all that is believed before it is whole: it is
 * read, and may be found to be wrong, as any other.
 */
#ifndef GRI_TRANSPORT_LARGE_H
#define GRI_TRANSPORT_LARGE_H

#include "mailbox/message.h"
#include "transport/buffer.h"

enum {
    /* Bytes from which on a SEND is large. Frames of several messages, as an
     * outbox writes them, are shorter: those are copied out of it. */
    GRI_LARGE_MIN = 16 * 1024 + 1,
    /* Bytes that may come behind it in one receive: so much that the next frame
     * is known to be large, or some short ones are here; and so little that the
     * block of 64 KiB of a program's data is still one that the depot keeps. */
    GRI_LARGE_OVER = 128
};

typedef struct gri_large {
    void *block; /* NULL: none is on its way */
    size_t need; /* bytes of the frame, */
    size_t len;  /* of which so many are here */
    uint8_t class_;
} gri_large; /* all zero is none */

/* Begins with the first n bytes, at p, of a frame that is going to have `need`
 * and is not whole. There is none yet. Returns 0 or GR_ENOMEM. */
int gri_large_begin(gri_large *l, gri_cache *cache, const uint8_t *p, size_t n,
                    size_t need);

/* Where it stands. */
uint8_t *gri_large_frame(const gri_large *l);

static inline bool gri_large_is_whole(const gri_large *l)
{
    return l->len == l->need;
}

/* Where the next receive goes, until it is whole; *n bytes at most. */
uint8_t *gri_large_room(const gri_large *l, size_t *n);
/* There n bytes have come. Those behind it are put into `over`, which must have
 * room for GRI_LARGE_OVER. */
void gri_large_add(gri_large *l, size_t n, gri_buffer *over);

/* Whether that is its payload, and it has no other. */
static inline bool gri_large_is(const gri_large *l, const void *payload,
                                uint32_t more)
{
    return more == 0 && l->block != NULL &&
           payload == (const uint8_t *)l->block + GRI_PAYLOAD_AT;
}

/* Makes it the message, with that payload in place: the frame is gone. */
gr_msg *gri_large_take(gri_large *l);

/* Forgets it, whole or not; nothing if there is none. */
void gri_large_drop(gri_large *l, gri_cache *cache);

#endif /* GRI_TRANSPORT_LARGE_H */
