/*
 * mailbox/pack.h - turns values into a message, in place: the block that is
 * written is the block that is sent.
 *
 * The fast path of gr_send keeps only the write position in registers and puts
 * small integers and literal strings itself (greenroom/detail/values.h); all
 * else comes here. The block under construction stays in the builder, so that
 * whoever abandons a message half-built can free it.
 */
#ifndef GRI_MAILBOX_PACK_H
#define GRI_MAILBOX_PACK_H

#include <endian.h>
#include <string.h>

#include "base/assert.h"
#include "mailbox/message.h"

enum {
    GRI_SMALL_ROOM = 64 - sizeof(gr_msg),   /* payload in the smallest block */
    GRI_MIDDLE_ROOM = 128 - sizeof(gr_msg), /* and in the next one */
    GRI_FIXARRAY_MAX = 15,                  /* elements that one byte tells */
    GRI_INT_MAX = 9                         /* bytes of the longest integer */
};

/* The ext type of a pid on the wire: 16 bytes, node then id, big-endian.
 * GR_NOBODY is nil there, so that no pid without a node ever travels. */
enum {
    GRI_EXT_PID = 1,
    GRI_PID_BYTES = 16,
    GRI_FIXEXT16 = 0xd8, /* msgpack's head of an ext of 16 bytes */
    GRI_BIN_8 = 0xc4,    /* and of up to 255 bytes; the next one tells */
    GRI_PID_MAX = 2 + GRI_PID_BYTES
};

/* One thread's. Zero but for cache, node and len_max. */
typedef struct gri_builder {
    gri_cache *cache;
    uint64_t node;    /* written for a pid whose node is 0, as on this node */
    uint32_t len_max; /* bytes of payload: the system's message_max */
    int rc;           /* after a failure: GR_ENOMEM, GR_ETOOBIG (also a value
                         over 4 GiB), GR_EINVAL (no such kind, an odd map,
                         bytes that are no value), GR_ELIMIT (nested deeper than
                         GR_DEPTH_MAX, the message itself counted); or
                         GRI_MOVES, which is none */
    gr_msg *msg;      /* under construction, else NULL */
    uint8_t *end;     /* of its room for payload */
    gr_blob *moving;  /* the blobs that stand in it, see blob.h */
    uint8_t extras;   /* 0, or what its end is to look at: GRI_EXTRA_* */
} gri_builder;

enum {
    GRI_EXTRA_TRAILER = 1, /* it shall have a trailer */
    GRI_EXTRA_MOVES = 2,   /* blobs stand in it */
    GRI_MOVES = 1          /* gri_builder.rc: it is made; see gri_builder_end */
};

/* Begins a message of n elements; with `trailer`, room for one is kept behind
 * the payload. {NULL, NULL}: b->rc says why. */
gri_writer gri_builder_begin(gri_builder *b, uint32_t n, bool trailer);
/* The same without a trailer, where nothing is in the way: a message of a few
 * elements, a block in the cache. `room` is a guess of the payload's length,
 * that the block may not have to grow. Inline, as most messages begin here.
 * b->rc keeps an older failure: it is only looked at after one. */
static inline gri_writer gri_builder_begin_short(gri_builder *b, uint32_t n,
                                                 uint32_t room)
{
    gri_cache *cache = b->cache;
    const bool small = room <= GRI_SMALL_ROOM;
    const unsigned class_ = small ? GRI_CLASS_MSG : GRI_CLASS_MSG + 1;
    room = small ? GRI_SMALL_ROOM : GRI_MIDDLE_ROOM;
    GR_DASSERT(b->msg == NULL);
    if (n > GRI_FIXARRAY_MAX || b->len_max < room ||
        !gri_block_at_hand(cache, class_)) {
        return gri_builder_begin(b, n, false);
    }
    gr_msg *msg = gri_block_pop(cache, class_);
    /* As gri_msg_new does, but for what a push and the sender set. */
    msg->run = 0;
    gri_msg_set_ahead(msg, gri_block_ahead(cache, class_));
    msg->len = 0;
    msg->kind = GRI_MSG_USER;
    msg->class_ = (uint8_t)class_;
    msg->flags = 0;
    b->msg = msg;
    b->extras = 0;
    uint8_t *p = gri_msg_payload(msg);
    b->end = p + room;
    *p = (uint8_t)(GRI_FIXARRAY | n);
    return (gri_writer){p + 1, b->end};
}

/* Writes any value at p; the block may move. {NULL, NULL}: b->rc says why, and
 * the block is freed. p NULL (it failed before) changes nothing. */
gri_writer gri_builder_put(gri_builder *b, uint8_t *p, const gr_value *v);
/* The same for an integer: kind is GR_KIND_INT or GR_KIND_UINT. */
gri_writer gri_builder_put_int(gri_builder *b, uint8_t *p, uint64_t x,
                               uint32_t kind);
/* The shortest form of a number, as msgpack-c's packer chooses it, without a
 * branch for each. There is room for GRI_INT_MAX bytes. */
static inline uint8_t *gri_put_uint(uint8_t *p, uint64_t x)
{
    if (x <= GRI_FIXINT_MAX) {
        *p = (uint8_t)x;
        return p + 1;
    }
    const unsigned log =
        (unsigned)(x > UINT8_MAX) + (x > UINT16_MAX) + (x > UINT32_MAX);
    const unsigned size = 1u << log;
    const uint64_t bytes = htobe64(x << (64 - 8 * size));
    *p = (uint8_t)(0xcc + log); /* uint 8, 16, 32, 64 */
    memcpy(p + 1, &bytes, sizeof bytes);
    return p + 1 + size;
}

/* A whole message: a tag as gri_tag_word and _rest give it and, unless with_x
 * is false, one number. NULL: there is no block in the cache: it is for
 * gri_pack. What the sender sets is left to it. b->len_max is at least
 * GRI_SMALL_ROOM. */
static inline gr_msg *gri_build_short(gri_builder *b, uint64_t tag,
                                      uint64_t tag_rest, bool with_x,
                                      uint64_t x)
{
    gri_cache *cache = b->cache;
    GR_DASSERT(b->msg == NULL && b->len_max >= GRI_SMALL_ROOM);
    if (__builtin_expect(!gri_block_at_hand(cache, GRI_CLASS_MSG), 0)) {
        return NULL;
    }
    gr_msg *msg = gri_block_pop(cache, GRI_CLASS_MSG);
    gri_msg_set_ahead(msg, gri_block_ahead(cache, GRI_CLASS_MSG));
    uint8_t *const payload = gri_msg_payload(msg);
    const uint64_t bytes[] = {htole64(tag), htole64(tag_rest)};
    payload[0] = (uint8_t)(GRI_FIXARRAY | (with_x ? 2 : 1));
    memcpy(payload + 1, bytes, sizeof bytes);
    uint8_t *p = payload + 2 + (tag & GRI_FIXSTR_MAX);
    if (with_x) {
        p = gri_put_uint(p, x);
    }
    msg->len = (uint32_t)(p - payload);
    msg->kind = GRI_MSG_USER;
    msg->class_ = GRI_CLASS_MSG;
    msg->flags = 0;
    return msg;
}

/* gri_builder_put_int, inline where the usual holds: room, and no sign. */
static inline gri_writer gri_builder_put_int_short(gri_builder *b, uint8_t *p,
                                                   uint64_t x, uint32_t kind)
{
    if (p != NULL && b->end - p >= GRI_INT_MAX &&
        (kind == GR_KIND_UINT || x <= INT64_MAX)) {
        return (gri_writer){gri_put_uint(p, x), b->end};
    }
    return gri_builder_put_int(b, p, x, kind);
}

/* A pid's encoding: an ext of 16 bytes. Neither word is zero, and there is room
 * for it. */
static inline uint8_t *gri_put_pid(uint8_t *p, uint64_t node, uint64_t id)
{
    const uint64_t body[] = {htobe64(node), htobe64(id)};
    p[0] = GRI_FIXEXT16;
    p[1] = GRI_EXT_PID;
    memcpy(p + 2, body, sizeof body);
    return p + GRI_PID_MAX;
}

/* gri_builder_put of a pid, inline where it is somebody's and there is room. */
static inline gri_writer gri_builder_put_pid_short(gri_builder *b, uint8_t *p,
                                                   uint64_t node, uint64_t id)
{
    if (p != NULL && b->end - p >= GRI_PID_MAX && node != 0 && id != 0) {
        return (gri_writer){gri_put_pid(p, node, id), b->end};
    }
    const gr_value v = {.kind = GR_KIND_PID, .as.pid = {node, id}};
    return gri_builder_put(b, p, &v);
}

/* The same writer with room for n bytes at p, or more. */
gri_writer gri_builder_more(gri_builder *b, uint8_t *p, size_t n);

/* gri_builder_end, of a message with a trailer or with blobs. */
gr_msg *gri_builder_end_extras(gri_builder *b, const uint8_t *p);

/* Ends it: gives the message; a trailer, if asked for, is in place and zero.
 * NULL: it failed before (p is NULL); b->rc says why. NULL, too, when blobs
 * stand in it, so that nobody sends it as any other by mistake: b->rc is
 * GRI_MOVES, and the next call is gri_builder_moves or gri_builder_refuse.
 * Inline, as every message has one end. */
static inline gr_msg *gri_builder_end(gri_builder *b, const uint8_t *p)
{
    gr_msg *msg = b->msg;
    if (p == NULL) {
        GR_DASSERT(msg == NULL);
        return NULL;
    }
    GR_DASSERT(p <= b->end);
    if (b->extras != 0) {
        return gri_builder_end_extras(b, p);
    }
    b->msg = NULL;
    msg->len = (uint32_t)(p - gri_msg_payload(msg));
    return msg;
}

/* After GRI_MOVES: gives the message, which owns nothing yet, and the list of
 * the blobs that stand in it. */
gr_msg *gri_builder_moves(gri_builder *b, gr_blob **moving);
/* After GRI_MOVES: there will be no message; b->rc is `rc`, an error. */
void gri_builder_refuse(gri_builder *b, int rc);

/* All at once: a message of n values. NULL: b->rc says why. A blob among the
 * values is GR_EINVAL; gri_pack_moves ends as gri_builder_end does. */
gr_msg *gri_pack(gri_builder *b, const gr_value *values, uint32_t n,
                 bool trailer);
gr_msg *gri_pack_moves(gri_builder *b, const gr_value *values, uint32_t n,
                       bool trailer);
/* The exact bytes that gri_pack would write for one value, into a plain
 * buffer. Returns the length, or GR_ETOOBIG, GR_EINVAL, GR_ELIMIT. */
int64_t gri_pack_value(const gr_value *v, uint8_t *buf, size_t size);

#endif /* GRI_MAILBOX_PACK_H */
