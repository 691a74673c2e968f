/*
 * mailbox/pack.c - from values to bytes, by msgpack-c's packer. Its write
 * callback is known here at compile time, so the compiler expands packer and
 * callback into plain stores. Trees of msgpack-c's own (gr_object) are walked
 * here, too: its function for them knows no limit of depth.
 */
#include "mailbox/pack.h"

#include <endian.h>
#include <string.h>

#include <msgpack.h>

#include "base/assert.h"
#include "mailbox/blob.h"
#include "mailbox/decode.h"
#include "mailbox/object.h"

enum {
    TRAILED_BLOCK = 128 - sizeof(gr_msg), /* with a trailer, in two */
    HEAD_MAX = GRI_PID_MAX, /* bytes of the longest value without a body */
    DEPTH_IN_MESSAGE = GR_DEPTH_MAX - 1 /* the message is one level itself */
};

/* The most bytes of a value of each kind; without their bodies and items. */
static const uint8_t head_max[] = {
    [GR_KIND_NIL] = 1,  [GR_KIND_BOOL] = 1,   [GR_KIND_INT] = 9,
    [GR_KIND_UINT] = 9, [GR_KIND_FLOAT] = 5,  [GR_KIND_DOUBLE] = 9,
    [GR_KIND_STR] = 5,  [GR_KIND_BIN] = 5,    [GR_KIND_ANY] = 0,
    [GR_KIND_LIST] = 5, [GR_KIND_MAP] = 5,    [GR_KIND_PID] = HEAD_MAX,
    [GR_KIND_BAD] = 0,  [GR_KIND_OBJECT] = 0,
};

_Static_assert(sizeof(gr_msg) % 8 == 0 && sizeof(gri_trailer) % 8 == 0,
               "a trailer stands on a multiple of 8");

/* Where bytes go. Without a builder it cannot grow. */
typedef struct sink {
    uint8_t *p, *end;
    gri_builder *b;
} sink;

/* ---- room --------------------------------------------------------------- */

/* A block with room for `len` bytes of payload, or more; sets *end. */
static gr_msg *new_block(gri_builder *b, size_t len, uint8_t **end)
{
    bool trailer = (b->extras & GRI_EXTRA_TRAILER) != 0;
    size_t asked = trailer ? gri_with_trailer(len) : len;
    gr_msg *msg = gri_msg_new(b->cache, asked);
    if (msg == NULL) {
        return NULL;
    }
    size_t room =
        gri_class_size(msg->class_, sizeof *msg + asked) - sizeof *msg;
    if (trailer) {
        room -= sizeof(gri_trailer); /* and still a multiple of 8 */
    }
    *end = gri_msg_payload(msg) + (room < b->len_max ? room : b->len_max);
    return msg;
}

/* Moves the message to a block of twice the room, or what n more bytes need. */
static __attribute__((noinline)) int grow(sink *s, size_t n)
{
    gri_builder *b = s->b;
    if (b == NULL) {
        return GR_ETOOBIG;
    }
    uint8_t *old = gri_msg_payload(b->msg);
    size_t used = (size_t)(s->p - old);
    size_t doubled = 2 * (size_t)(s->end - old);
    if (n > b->len_max - used) {
        return GR_ETOOBIG;
    }
    size_t len = used + n > doubled ? used + n : doubled;
    if (len > b->len_max) {
        len = b->len_max;
    }
    gr_msg *msg = new_block(b, len, &s->end);
    if (msg == NULL) {
        return GR_ENOMEM;
    }
    memcpy(gri_msg_payload(msg), old, used);
    gri_msg_free(b->cache, b->msg);
    b->msg = msg;
    b->end = s->end;
    s->p = gri_msg_payload(msg) + used;
    return 0;
}

static inline int reserve(sink *s, size_t n)
{
    return (size_t)(s->end - s->p) >= n ? 0 : grow(s, n);
}

/* ---- one value ---------------------------------------------------------- */

/* msgpack-c's write callback. There is room: see write_head. */
static inline int append(void *data, const char *bytes, size_t n)
{
    uint8_t **p = data;
    memcpy(*p, bytes, n);
    *p += n;
    return 0;
}

static inline void encode_pid(msgpack_packer *packer, gr_pid pid)
{
    uint8_t **p = packer->data;
    if (pid.id == 0) {
        (void)msgpack_pack_nil(packer);
        return;
    }
    *p = gri_put_pid(*p, pid.node, pid.id);
}

/* Writes all of a value but body and items, at most head_max[kind] bytes.
 * (The packer's results are those of append, which cannot fail.) */
static __attribute__((flatten)) uint8_t *encode_head(uint8_t *p,
                                                     const gr_value *v)
{
    msgpack_packer packer = {&p, append};
    switch ((gr_kind)v->kind) {
    case GR_KIND_NIL:
        (void)msgpack_pack_nil(&packer);
        break;
    case GR_KIND_BOOL:
        (void)(v->as.i != 0 ? msgpack_pack_true(&packer)
                            : msgpack_pack_false(&packer));
        break;
    case GR_KIND_INT:
        (void)msgpack_pack_int64(&packer, v->as.i);
        break;
    case GR_KIND_UINT:
        (void)msgpack_pack_uint64(&packer, v->as.u);
        break;
    case GR_KIND_FLOAT:
        (void)msgpack_pack_float(&packer, v->as.f);
        break;
    case GR_KIND_DOUBLE:
        (void)msgpack_pack_double(&packer, v->as.d);
        break;
    case GR_KIND_STR:
        (void)msgpack_pack_str(&packer, v->len);
        break;
    case GR_KIND_BIN:
        (void)msgpack_pack_bin(&packer, v->len);
        break;
    case GR_KIND_LIST:
        (void)msgpack_pack_array(&packer, v->len);
        break;
    case GR_KIND_MAP:
        (void)msgpack_pack_map(&packer, v->len / 2);
        break;
    case GR_KIND_PID:
        encode_pid(&packer, v->as.pid);
        break;
    case GR_KIND_ANY: /* is all body */
    case GR_KIND_BAD:
    case GR_KIND_OBJECT: /* is written part by part */
    case GR_KIND_BLOB:   /* see write_blob */
        break;
    }
    return p;
}

static inline int write_head(sink *s, const gr_value *v)
{
    if ((size_t)(s->end - s->p) >= head_max[v->kind]) {
        s->p = encode_head(s->p, v);
        return 0;
    }
    /* Close to the end: first see how long it really is. */
    uint8_t bytes[HEAD_MAX];
    size_t n = (size_t)(encode_head(bytes, v) - bytes);
    GR_TRY(reserve(s, n));
    memcpy(s->p, bytes, n);
    s->p += n;
    return 0;
}

static inline int write_body(sink *s, const gr_value *v)
{
    GR_TRY(reserve(s, v->len));
    if (v->len > 0) { /* p may be NULL otherwise */
        memcpy(s->p, v->as.p, v->len);
        s->p += v->len;
    }
    return 0;
}

/* What cannot be written. depth: levels that may still be opened. */
static int check(const gr_value *v, unsigned depth)
{
    switch ((gr_kind)v->kind) {
    case GR_KIND_NIL:
    case GR_KIND_BOOL:
    case GR_KIND_INT:
    case GR_KIND_UINT:
    case GR_KIND_FLOAT:
    case GR_KIND_DOUBLE:
    case GR_KIND_PID:
        return 0;
    case GR_KIND_LIST:
    case GR_KIND_MAP:
        if (v->kind == GR_KIND_MAP && v->len % 2 != 0) {
            return GR_EINVAL;
        }
        if (depth == 0) {
            return GR_ELIMIT;
        }
        return v->len > 0 && v->as.items == NULL ? GR_EINVAL : 0;
    case GR_KIND_STR:
    case GR_KIND_BIN:
        return v->len > 0 && v->as.p == NULL ? GR_EINVAL : 0;
    case GR_KIND_ANY: {
        /* It may be a program's own, and it may now stand one level deeper than
         * where it came from: the receiver must be able to rely on both. */
        int rc = gri_check(v->as.p, v->len, depth);
        return rc == GR_EFORMAT ? GR_EINVAL : rc;
    }
    case GR_KIND_BAD:
        return GR_ETOOBIG;
    case GR_KIND_OBJECT:
        return v->as.p == NULL ? GR_EINVAL : 0;
    case GR_KIND_BLOB: /* each once, and where its receiver looks for it */
        return depth != DEPTH_IN_MESSAGE || v->as.blob == NULL ||
                       *v->as.blob == NULL || (*v->as.blob)->home != NULL
                   ? GR_EINVAL
                   : 0;
    }
    return GR_EINVAL;
}

/* The bytes of a pid mean the same on every node, so they always have one. */
static int write_pid(sink *s, const gr_value *v)
{
    gr_value full = *v;
    if (full.as.pid.node == 0 && full.as.pid.id != 0) {
        full.as.pid.node = s->b != NULL ? s->b->node : 0;
        if (full.as.pid.node == 0) {
            return GR_EINVAL;
        }
    }
    return write_head(s, &full);
}

/* What only a tree of msgpack-c's has. */
static int write_ext(sink *s, const msgpack_object_ext *ext)
{
    uint8_t bytes[HEAD_MAX];
    uint8_t *p = bytes;
    msgpack_packer packer = {&p, append};
    (void)msgpack_pack_ext(&packer, ext->size, ext->type);
    const gr_value parts[] = {
        {.kind = GR_KIND_ANY, .len = (uint32_t)(p - bytes), .as.p = bytes},
        {.kind = GR_KIND_ANY, .len = ext->size, .as.p = ext->ptr},
    };
    GR_TRY(write_body(s, &parts[0]));
    return write_body(s, &parts[1]);
}

/* o and all that is in it, depth levels of lists at most: a tree that a program
 * made may be too deep, or a circle. */
static __attribute__((noinline)) int
write_object(sink *s, const msgpack_object *o, unsigned depth)
{
    struct objects {
        const msgpack_object *next;
        uint32_t left;
    } level = {o, 1}, outer[GR_DEPTH_MAX];
    unsigned opened = 0;
    for (;;) {
        if (level.left == 0) {
            if (opened == 0) {
                return 0;
            }
            level = outer[--opened];
            continue;
        }
        o = level.next++;
        level.left--;
        gr_value v;
        GR_TRY(gri_object_value(o, &v));
        if (v.kind == GR_KIND_OBJECT) {
            GR_TRY(write_ext(s, &o->via.ext));
            continue;
        }
        if (v.kind == GR_KIND_LIST || v.kind == GR_KIND_MAP) {
            if (opened == depth) {
                return GR_ELIMIT;
            }
            outer[opened++] = level;
            level.left = v.len;
            level.next = v.as.p;
        }
        GR_TRY(write_head(s, &v));
        if (v.kind == GR_KIND_STR || v.kind == GR_KIND_BIN) {
            GR_TRY(write_body(s, &v));
        }
    }
}

/* The place of a blob; see blob.h. Its bytes stay where they are. */
static int write_blob(sink *s, const gr_value *v)
{
    if (s->b == NULL) {
        return GR_EINVAL; /* this is no message */
    }
    GR_TRY(reserve(s, GRI_BLOB_PLACE));
    gr_blob *blob = *v->as.blob;
    gri_blob_put(s->p, blob);
    s->p += GRI_BLOB_PLACE;
    blob->home = v->as.blob;
    blob->moving = s->b->moving;
    s->b->moving = blob;
    s->b->extras |= GRI_EXTRA_MOVES;
    return 0;
}

/* As write_one, of those that check has passed. */
static inline int write_special(sink *s, const gr_value *v)
{
    return v->kind == GR_KIND_PID    ? write_pid(s, v)
           : v->kind == GR_KIND_BLOB ? write_blob(s, v)
                                     : 1;
}

/* n bytes, at most GRI_FIXSTR_MAX: fewer instructions than a call of memcpy. */
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n >= 16) {
        /* The first and the last 16, which overlap; likewise below. */
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else if (n >= 8) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
    } else {
        for (size_t i = 0; i < n; i++) {
            to[i] = from[i];
        }
    }
}

/* The forms of one byte of head that most values have, as gri_add in the public
 * header writes them. False: it is another, or there is no room. */
static inline bool write_short(sink *s, const gr_value *v)
{
    if (v->kind == GR_KIND_INT || v->kind == GR_KIND_UINT) {
        if (v->as.u > GRI_FIXINT_MAX || s->p == s->end) {
            return false;
        }
        *s->p++ = (uint8_t)v->as.u;
        return true;
    }
    if (v->kind != GR_KIND_STR || v->len > GRI_FIXSTR_MAX ||
        (size_t)(s->end - s->p) <= v->len || v->as.p == NULL) {
        return false;
    }
    *s->p = (uint8_t)(GRI_FIXSTR | v->len);
    copy_short(s->p + 1, v->as.p, v->len);
    s->p += 1 + v->len;
    return true;
}

/* 1 for a list or map, whose items are still to be written, and for a tree of
 * msgpack-c's, of which nothing is written yet; else 0, or an error. */
static inline int write_one(sink *s, const gr_value *v, unsigned depth)
{
    if (write_short(s, v)) {
        return 0;
    }
    GR_TRY(check(v, depth));
    if (v->kind >= GR_KIND_PID) {
        return write_special(s, v);
    }
    GR_TRY(write_head(s, v));
    if (v->kind == GR_KIND_STR || v->kind == GR_KIND_BIN ||
        v->kind == GR_KIND_ANY) {
        return write_body(s, v);
    }
    return v->kind == GR_KIND_LIST || v->kind == GR_KIND_MAP;
}

/* n values and all that is in them, depth levels of lists at most. */
static int write_values(sink *s, const gr_value *values, uint32_t n,
                        unsigned depth)
{
    struct level {
        const gr_value *next;
        uint32_t left;
    } level = {values, n}, outer[GR_DEPTH_MAX];
    unsigned opened = 0;
    for (;;) {
        if (level.left == 0) {
            if (opened == 0) {
                return 0;
            }
            level = outer[--opened];
            continue;
        }
        const gr_value *v = level.next++;
        level.left--;
        int rc = write_one(s, v, depth - opened);
        if (rc < 0) {
            return rc;
        }
        if (rc > 0 && v->kind == GR_KIND_OBJECT) {
            GR_TRY(write_object(s, v->as.p, depth - opened));
        } else if (rc > 0) {
            outer[opened++] = level;
            level.next = v->as.items;
            level.left = v->len;
        }
    }
}

/* ---- the builder -------------------------------------------------------- */

static inline sink sink_at(gri_builder *b, uint8_t *p)
{
    sink s = {.end = b->end, .b = b};
    s.p = p;
    GR_DASSERT(p <= b->end);
    return s;
}

static gri_writer fail(gri_builder *b, int rc)
{
    if (b->msg != NULL) {
        gri_msg_free(b->cache, b->msg);
        b->msg = NULL;
    }
    gri_blobs_stay(b->moving);
    b->moving = NULL;
    b->rc = rc;
    return (gri_writer){NULL, NULL};
}

static inline gri_writer result(gri_builder *b, const sink *s, int rc)
{
    return rc < 0 ? fail(b, rc) : (gri_writer){s->p, s->end};
}

/* The head of 16 elements and more, or where there is no room for one byte. */
static __attribute__((noinline)) gri_writer begin_long(gri_builder *b,
                                                       uint32_t n)
{
    sink s = sink_at(b, gri_msg_payload(b->msg));
    gr_value head = {.kind = GR_KIND_LIST, .len = n};
    return result(b, &s, write_head(&s, &head));
}

gri_writer gri_builder_begin(gri_builder *b, uint32_t n, bool trailer)
{
    GR_DASSERT(b->msg == NULL);
    b->rc = 0;
    b->extras = trailer ? GRI_EXTRA_TRAILER : 0;
    /* Exactly a block, and so exactly this room. Two calls, so that the
     * compiler finds the class of each. */
    size_t room =
        trailer ? TRAILED_BLOCK - sizeof(gri_trailer) : GRI_SMALL_ROOM;
    b->msg = trailer ? gri_msg_new(b->cache, TRAILED_BLOCK)
                     : gri_msg_new(b->cache, GRI_SMALL_ROOM);
    if (b->msg == NULL) {
        return fail(b, GR_ENOMEM);
    }
    uint8_t *p = gri_msg_payload(b->msg);
    b->end = p + (room < b->len_max ? room : b->len_max);
    if (n > GRI_FIXARRAY_MAX || p == b->end) {
        return begin_long(b, n);
    }
    *p = (uint8_t)(GRI_FIXARRAY | n);
    return (gri_writer){p + 1, b->end};
}

/* Bytes whose length fits in one, with its head. There is room. */
static inline uint8_t *put_short_bin(uint8_t *p, const gr_value *v)
{
    p[0] = GRI_BIN_8;
    p[1] = (uint8_t)v->len;
    memcpy(p + 2, v->as.p, v->len);
    return p + 2 + v->len;
}

gri_writer gri_builder_put(gri_builder *b, uint8_t *p, const gr_value *v)
{
    if (p == NULL) {
        return (gri_writer){NULL, NULL};
    }
    if (v->kind == GR_KIND_BIN && v->len <= UINT8_MAX && v->as.p != NULL &&
        b->end - p >= 2 + (ptrdiff_t)v->len) {
        return (gri_writer){put_short_bin(p, v), b->end};
    }
    sink s = sink_at(b, p);
    int rc = write_one(&s, v, DEPTH_IN_MESSAGE);
    if (rc > 0) {
        rc = v->kind == GR_KIND_OBJECT
                 ? write_object(&s, v->as.p, DEPTH_IN_MESSAGE)
                 : write_values(&s, v->as.items, v->len, DEPTH_IN_MESSAGE - 1);
    }
    return result(b, &s, rc);
}

gri_writer gri_builder_put_int(gri_builder *b, uint8_t *p, uint64_t x,
                               uint32_t kind)
{
    if (p == NULL) {
        return (gri_writer){NULL, NULL};
    }
    sink s = sink_at(b, p);
    gr_value v = {.kind = kind, .as.u = x};
    return result(b, &s, write_head(&s, &v));
}

gri_writer gri_builder_more(gri_builder *b, uint8_t *p, size_t n)
{
    sink s = sink_at(b, p);
    return result(b, &s, reserve(&s, n));
}

gr_msg *gri_builder_end_extras(gri_builder *b, const uint8_t *p)
{
    gr_msg *msg = b->msg;
    msg->len = (uint32_t)(p - gri_msg_payload(msg));
    if ((b->extras & GRI_EXTRA_TRAILER) != 0) {
        msg->flags = GRI_MSG_TRAILER;
        *gri_msg_trailer(msg) = (gri_trailer){0};
    }
    if (b->moving != NULL) {
        b->rc = GRI_MOVES;
        return NULL;
    }
    b->msg = NULL;
    return msg;
}

gr_msg *gri_builder_moves(gri_builder *b, gr_blob **moving)
{
    GR_DASSERT(b->rc == GRI_MOVES && b->msg != NULL);
    gr_msg *msg = b->msg;
    *moving = b->moving;
    b->msg = NULL;
    b->moving = NULL;
    return msg;
}

void gri_builder_refuse(gri_builder *b, int rc)
{
    (void)fail(b, rc);
}

static inline gr_msg *pack(gri_builder *b, const gr_value *values, uint32_t n,
                           bool trailer)
{
    gri_writer w = gri_builder_begin(b, n, trailer);
    if (w.p == NULL) {
        return NULL;
    }
    sink s = sink_at(b, w.p);
    int rc = n > 0 && values == NULL
                 ? GR_EINVAL
                 : write_values(&s, values, n, DEPTH_IN_MESSAGE);
    return gri_builder_end(b, result(b, &s, rc).p);
}

gr_msg *gri_pack_moves(gri_builder *b, const gr_value *values, uint32_t n,
                       bool trailer)
{
    return pack(b, values, n, trailer);
}

gr_msg *gri_pack(gri_builder *b, const gr_value *values, uint32_t n,
                 bool trailer)
{
    gr_msg *msg = pack(b, values, n, trailer);
    if (msg == NULL && b->rc == GRI_MOVES) {
        gri_builder_refuse(b, GR_EINVAL);
    }
    return msg;
}

int64_t gri_pack_value(const gr_value *v, uint8_t *buf, size_t size)
{
    sink s = {.end = buf + size};
    s.p = buf;
    int rc = write_values(&s, v, 1, GR_DEPTH_MAX);
    return rc < 0 ? rc : (int64_t)(s.p - buf);
}
