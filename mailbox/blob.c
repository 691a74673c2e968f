/* mailbox/blob.c - see blob.h. */
#include "mailbox/blob.h"

#include <stdlib.h>

#include <greenroom/actor.h>

#include "base/assert.h"
#include "mailbox/decode.h"

enum { NIL = 0xc0, BIN8 = 0xc4, BIN16 = 0xc5, BIN32 = 0xc6 };

void *gr_blob_data(gr_blob *blob)
{
    return blob->data;
}

size_t gr_blob_size(const gr_blob *blob)
{
    return blob->size;
}

void gri_blob_set_size(gr_blob *blob, uint32_t size)
{
    GR_DASSERT(size <= blob->room && size <= GRI_BLOB_MAX);
    const uint32_t len = htobe32(size);
    blob->size = size;
    blob->head[0] = BIN32;
    memcpy(blob->head + 1, &len, sizeof len);
}

/* What stands in a place. */
static gr_blob *blob_at(const uint8_t *place)
{
    uintptr_t address;
    memcpy(&address, place + 1, sizeof address);
    return (gr_blob *)address;
}

gr_any gri_blob_value(const uint8_t *p, const uint8_t *end,
                      const uint8_t **next)
{
    static const uint8_t nil[] = {NIL};
    if (p < end && *p == GRI_BLOB_MARK && end - p >= GRI_BLOB_PLACE) {
        const gr_blob *blob = blob_at(p);
        *next = p + GRI_BLOB_PLACE;
        return blob == NULL ? (gr_any){nil, sizeof nil}
                            : (gr_any){blob->head, GRI_BLOB_HEAD + blob->size};
    }
    *next = gri_skip(p, end);
    return *next == NULL ? (gr_any){NULL, 0}
                         : (gr_any){p, (uint32_t)(*next - p)};
}

void gri_blobs_stay(gr_blob *moving)
{
    while (moving != NULL) {
        gr_blob *blob = moving;
        moving = blob->moving;
        blob->moving = NULL;
        blob->home = NULL;
    }
}

/* ---- of a message ------------------------------------------------------- */

/* The next place, with a blob or empty; NULL at the end. */
static uint8_t *next_place(gr_msg *msg, gri_blob_walk *walk)
{
    const uint8_t *end = gri_msg_data(msg) + msg->len;
    if (walk->p == NULL) {
        gri_head h;
        walk->p = gri_decode(gri_msg_data(msg), end, &h);
        walk->left = walk->p == NULL ? 0 : h.n;
    }
    while (walk->left > 0) {
        const uint8_t *p = walk->p;
        walk->left--;
        (void)gri_blob_value(p, end, &walk->p);
        if (walk->p == NULL) {
            GR_DASSERT(false); /* what a message holds is valid */
            return NULL;
        }
        if (*p == GRI_BLOB_MARK) {
            return gri_msg_payload(msg) + (p - gri_msg_data(msg));
        }
    }
    return NULL;
}

gr_blob *gri_blob_next(gr_msg *msg, gri_blob_walk *walk)
{
    while ((walk->place = next_place(msg, walk)) != NULL) {
        gr_blob *blob = blob_at(walk->place);
        if (blob != NULL) {
            return blob;
        }
    }
    return NULL;
}

static gr_msg *mutable_msg(const gr_msg *msg)
{
    return (gr_msg *)(uintptr_t)msg; /* who walks with this writes nothing */
}

size_t gri_blobs_cost(const gr_msg *msg)
{
    gri_blob_walk walk = {.p = NULL};
    size_t cost = 0;
    for (const gr_blob *blob;
         (blob = gri_blob_next(mutable_msg(msg), &walk)) != NULL;) {
        cost += gri_blob_cost(blob);
    }
    return cost;
}

void gri_blobs_free(gr_msg *msg)
{
    gri_blob_walk walk = {.p = NULL};
    for (gr_blob *blob; (blob = gri_blob_next(msg, &walk)) != NULL;) {
        gri_blob_put(walk.place, NULL);
        free(blob);
    }
}

void gri_blobs_leave(gr_msg *msg)
{
    gri_blob_walk walk = {.p = NULL};
    while (gri_blob_next(msg, &walk) != NULL) {
        gri_blob_put(walk.place, NULL);
    }
}

/* ---- all in one place --------------------------------------------------- */

/* The shortest head of a bin, as msgpack-c's packer writes it. */
static size_t put_head(uint8_t head[GRI_BLOB_HEAD], uint32_t size)
{
    const uint16_t len16 = htobe16((uint16_t)size);
    const uint32_t len32 = htobe32(size);
    if (size <= UINT8_MAX) {
        head[0] = BIN8;
        head[1] = (uint8_t)size;
        return 2;
    }
    if (size <= UINT16_MAX) {
        head[0] = BIN16;
        memcpy(head + 1, &len16, sizeof len16);
        return 1 + sizeof len16;
    }
    head[0] = BIN32;
    memcpy(head + 1, &len32, sizeof len32);
    return 1 + sizeof len32;
}

size_t gri_blobs_flat_len(const gr_msg *msg)
{
    gri_blob_walk walk = {.p = NULL};
    uint8_t head[GRI_BLOB_HEAD];
    size_t len = msg->len;
    for (const uint8_t *place;
         (place = next_place(mutable_msg(msg), &walk)) != NULL;) {
        const gr_blob *blob = blob_at(place);
        len -= GRI_BLOB_PLACE;
        len += blob == NULL ? 1 : put_head(head, blob->size) + blob->size;
    }
    return len;
}

/* Writes what stands in a place. */
static uint8_t *put_flat(uint8_t *to, const gr_blob *blob)
{
    if (blob == NULL) {
        *to = NIL;
        return to + 1;
    }
    to += put_head(to, blob->size);
    memcpy(to, blob->data, blob->size);
    return to + blob->size;
}

gr_msg *gri_blobs_flatten(gri_cache *cache, const gr_msg *msg)
{
    size_t len = gri_blobs_flat_len(msg);
    gr_msg *flat = gri_msg_new(cache, gri_with_trailer(len));
    if (flat == NULL) {
        return NULL;
    }
    gri_blob_walk walk = {.p = NULL};
    const uint8_t *from = gri_msg_data(msg);
    uint8_t *to = gri_msg_payload(flat);
    for (const uint8_t *place;
         (place = next_place(mutable_msg(msg), &walk)) != NULL;) {
        memcpy(to, from, (size_t)(place - from));
        to = put_flat(to + (place - from), blob_at(place));
        from = place + GRI_BLOB_PLACE;
    }
    memcpy(to, from, (size_t)(gri_msg_data(msg) + msg->len - from));
    flat->len = (uint32_t)len;
    flat->flags = GRI_MSG_TRAILER;
    *gri_msg_trailer(flat) = (gri_trailer){0};
    return flat;
}
