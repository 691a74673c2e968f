/*
 * greenroom/detail/values.h - how gr_send, gr_match and their like choose an
 * encoding from the type of each argument. Included by message.h; programs use
 * the names without the gri_ prefix only.
 *
 * Each value is made by value, not in an array walked by a loop, so that the
 * compiler sees the kinds as constants: a small integer or a literal string is
 * a few stores in the caller, anything else is one call into the library. What
 * stands here is compiled into programs, and so is part of the binary
 * interface: gr_value, gr_out, and the place of a message's tag.
 */
#ifndef GREENROOM_DETAIL_VALUES_H
#define GREENROOM_DETAIL_VALUES_H

#include <string.h>

#include <greenroom/message.h>

#define GRI_INLINE static inline __attribute__((always_inline))

/* ---- constructors of values --------------------------------------------- */

GR_BEGIN_DECLS

GRI_INLINE gr_value gri_v(uint32_t kind, uint32_t len)
{
    gr_value v;
    v.kind = kind;
    v.len = len;
    v.as.pid.node = 0;
    v.as.pid.id = 0;
    return v;
}

GRI_INLINE gr_value gri_v_i64(int64_t x)
{
    gr_value v = gri_v(GR_KIND_INT, 0);
    v.as.u = (uint64_t)x; /* the same bytes as as.i */
    return v;
}

GRI_INLINE gr_value gri_v_u64(uint64_t x)
{
    gr_value v = gri_v(GR_KIND_UINT, 0);
    v.as.u = x;
    return v;
}

GRI_INLINE gr_value gri_v_bool(bool x)
{
    gr_value v = gri_v(GR_KIND_BOOL, 0);
    v.as.i = x ? 1 : 0;
    return v;
}

GRI_INLINE gr_value gri_v_float(float x)
{
    gr_value v = gri_v(GR_KIND_FLOAT, 0);
    v.as.f = x;
    return v;
}

GRI_INLINE gr_value gri_v_double(double x)
{
    gr_value v = gri_v(GR_KIND_DOUBLE, 0);
    v.as.d = x;
    return v;
}

/* A length that does not fit in 32 bits is an error of the send, not a shorter
 * value. */
GRI_INLINE uint32_t gri_kind_for(uint32_t kind, size_t n)
{
    return n > UINT32_MAX ? (uint32_t)GR_KIND_BAD : kind;
}

GRI_INLINE gr_value gri_v_span(uint32_t kind, const void *p, size_t n)
{
    gr_value v = gri_v(gri_kind_for(kind, n), (uint32_t)n);
    v.as.p = p;
    return v;
}

GRI_INLINE gr_value gri_v_cstr(const char *p)
{
    if (p == NULL) {
        return gri_v(GR_KIND_NIL, 0);
    }
    return gri_v_span(GR_KIND_STR, p, strlen(p));
}

GRI_INLINE gr_value gri_v_str(gr_str x)
{
    return gri_v_span(GR_KIND_STR, x.ptr, x.len);
}

GRI_INLINE gr_value gri_v_bytes(gr_bytes x)
{
    return gri_v_span(GR_KIND_BIN, x.ptr, x.len);
}

GRI_INLINE gr_value gri_v_any(gr_any x)
{
    return gri_v_span(GR_KIND_ANY, x.ptr, x.len);
}

GRI_INLINE gr_value gri_v_pid(gr_pid x)
{
    gr_value v = gri_v(GR_KIND_PID, 0);
    v.as.pid = x;
    return v;
}

GRI_INLINE gr_value gri_v_ref(gr_ref x)
{
    return gri_v_u64(x.id);
}

GRI_INLINE gr_value gri_v_node(gr_node x)
{
    return gri_v_u64(x.id);
}

GRI_INLINE gr_value gri_v_timer(gr_timer x)
{
    return gri_v_u64(x.id);
}

GRI_INLINE gr_value gri_v_self(gr_value x)
{
    return x;
}

GRI_INLINE gr_value gri_v_items(uint32_t kind, const gr_value *items, size_t n)
{
    gr_value v = gri_v(gri_kind_for(kind, n), (uint32_t)n);
    v.as.items = items;
    return v;
}

/* What message.h declares. */
GRI_INLINE gr_value gr_nil(void)
{
    return gri_v(GR_KIND_NIL, 0);
}

GRI_INLINE gr_value gr_bool(bool x)
{
    return gri_v_bool(x);
}

GRI_INLINE gr_value gr_strn(const char *p, size_t n)
{
    return gri_v_span(GR_KIND_STR, p, n);
}

GRI_INLINE gr_value gr_bin(const void *p, size_t n)
{
    return gri_v_span(GR_KIND_BIN, p, n);
}

GRI_INLINE gr_value gr_move(gr_blob **blob)
{
    gr_value v = gri_v(GR_KIND_BLOB, 0);
    v.as.blob = blob;
    return v;
}

GRI_INLINE gr_value gr_list_of(const gr_value *items, size_t n)
{
    return gri_v_items(GR_KIND_LIST, items, n);
}

GRI_INLINE gr_value gr_map_of(const gr_value *items, size_t n)
{
    return gri_v_items(GR_KIND_MAP, items, n);
}

/* ---- constructors of outputs -------------------------------------------- */

GRI_INLINE gr_out gri_out(uint32_t kind, void *p)
{
    gr_out o;
    o.kind = kind;
    o.flags = 0;
    o.p = p;
    return o;
}

GRI_INLINE gr_out gri_o_optional(gr_out o)
{
    o.flags |= GR_OUT_OPTIONAL;
    return o;
}

/* An integer of that size, by which C's overlapping types are told apart. */
GRI_INLINE gr_out gri_o_int(void *p, size_t size, bool is_signed)
{
    uint32_t kind = size == 1   ? GR_OUT_I8
                    : size == 2 ? GR_OUT_I16
                    : size == 4 ? GR_OUT_I32
                                : GR_OUT_I64;
    return gri_out(is_signed ? kind : kind + (GR_OUT_U8 - GR_OUT_I8), p);
}

/* ---- building a message ------------------------------------------------- */

/*
 * Where the next byte goes, and the end of the room. Two words, so it travels
 * in registers. {NULL, NULL} once something failed, and stays so.
 */
typedef struct gri_writer {
    uint8_t *p, *end;
} gri_writer;

/* Begins a message of n elements in the thread of self, that will have about
 * `room` bytes. */
GR_API gri_writer gri_begin(gr_actor *self, uint32_t n, uint32_t room);
/* Writes any value at p; the block may move. */
GR_API gri_writer gri_put(gr_actor *self, uint8_t *p, const gr_value *v);
/* The same for an integer: GR_KIND_INT or GR_KIND_UINT. */
GR_API gri_writer gri_put_int(gr_actor *self, uint8_t *p, uint64_t x,
                              uint32_t kind);
/* And for a pid. */
GR_API gri_writer gri_put_pid_value(gr_actor *self, uint8_t *p, uint64_t node,
                                    uint64_t id);
/* Ends and sends it. p NULL: it failed before, and this says why. */
GR_API GR_MUST_CHECK int gri_commit(gr_actor *self, gr_pid to, uint8_t *p);
/* All in one, for what most messages are: a short tag (see gri_tag_word) and
 * nothing else, or one integer that is not negative. The address comes in two
 * words: compilers keep a struct in memory, and wait for it there. */
GR_API GR_MUST_CHECK int gri_send_tag(gr_actor *self, uint64_t node,
                                      uint64_t id, uint64_t tag,
                                      uint64_t tag_rest);
GR_API GR_MUST_CHECK int gri_send_int(gr_actor *self, uint64_t node,
                                      uint64_t id, uint64_t tag,
                                      uint64_t tag_rest, uint64_t x);

enum {
    GRI_FIXSTR = 0xa0,    /* a string of 0 to 31 bytes; the length is in
                             the low bits */
    GRI_FIXSTR_MAX = 31,  /* bytes */
    GRI_FIXARRAY = 0x90,  /* an array of 0 to 15 elements, likewise */
    GRI_FIXINT_MAX = 127, /* these integers are their own encoding */
    GRI_PAYLOAD_AT = 40   /* bytes from a gr_msg to its payload */
};

/* A literal: its length is known to the compiler. */
GRI_INLINE bool gri_is_literal(gr_value v, uint32_t len_max)
{
    return v.kind == GR_KIND_STR && __builtin_constant_p(v.len) &&
           v.len <= len_max && v.as.p != NULL;
}

/* Bytes of a tag that gri_tag_word and gri_tag_rest take: with the longest
 * integer behind it, it fits the room of the smallest block. */
enum { GRI_WORD_TAG_MAX = 13 };

/* A character of a literal, or 0 behind it, at its place in a word. */
GRI_INLINE uint64_t gri_tag_byte(gr_value v, uint32_t i, uint32_t place)
{
    return i < v.len ? (uint64_t)((const uint8_t *)v.as.p)[i] << (8 * place)
                     : 0;
}

/*
 * A short literal as it stands in a message, in two words: the lowest byte is
 * its head, the next is its first character. The compiler makes them constants,
 * so that tags are written and compared by an instruction or two.
 */
GRI_INLINE uint64_t gri_tag_word(gr_value v)
{
    return (GRI_FIXSTR | v.len) | gri_tag_byte(v, 0, 1) |
           gri_tag_byte(v, 1, 2) | gri_tag_byte(v, 2, 3) |
           gri_tag_byte(v, 3, 4) | gri_tag_byte(v, 4, 5) |
           gri_tag_byte(v, 5, 6) | gri_tag_byte(v, 6, 7);
}

/* From its eighth character on. */
GRI_INLINE uint64_t gri_tag_rest(gr_value v)
{
    return gri_tag_byte(v, 7, 0) | gri_tag_byte(v, 8, 1) |
           gri_tag_byte(v, 9, 2) | gri_tag_byte(v, 10, 3) |
           gri_tag_byte(v, 11, 4) | gri_tag_byte(v, 12, 5);
}

/* The most bytes that a value takes, or less where that is much: a hint for
 * gri_begin. */
GRI_INLINE uint32_t gri_room_of(gr_value v)
{
    switch (v.kind) {
    case GR_KIND_INT:
    case GR_KIND_UINT:
    case GR_KIND_DOUBLE:
        return 9;
    case GR_KIND_PID:
        return 18;
    case GR_KIND_STR:
    case GR_KIND_BIN:
        return 2 + v.len;
    case GR_KIND_ANY:
        return v.len;
    default:
        return 1;
    }
}

/* The short forms are written here, where the kind is a constant. */
GRI_INLINE gri_writer gri_add(gr_actor *self, gri_writer w, gr_value v)
{
    if (v.kind == GR_KIND_INT || v.kind == GR_KIND_UINT) {
        if (v.as.u <= GRI_FIXINT_MAX && w.p < w.end) {
            *w.p++ = (uint8_t)v.as.u;
            return w;
        }
        return gri_put_int(self, w.p, v.as.u, v.kind);
    }
    if (v.kind == GR_KIND_PID) {
        return gri_put_pid_value(self, w.p, v.as.pid.node, v.as.pid.id);
    }
    if (gri_is_literal(v, GRI_FIXSTR_MAX) &&
        __builtin_expect((size_t)(w.end - w.p) > v.len, 1)) {
        *w.p = (uint8_t)(GRI_FIXSTR | v.len);
        memcpy(w.p + 1, v.as.p, v.len);
        w.p += 1 + v.len;
        return w;
    }
    /* A copy, so that only this path needs the value in memory. */
    gr_value copy = v;
    return gri_put(self, w.p, &copy);
}

/* ---- matching ----------------------------------------------------------- */

/* The elements behind the tag, which gri_match has found, and their number. */
GR_API GR_MUST_CHECK bool gri_match_args(const gr_msg *msg, const gr_out *outs,
                                         uint32_t n);

/* The same where there is one, `at` bytes into the payload, for an integer. */
GR_API GR_MUST_CHECK bool gri_match_int(const gr_msg *msg, uint32_t at,
                                        uint32_t kind, void *out);

/* Called when the tag is equal and the elements behind it do not fit: notes
 * which one, for gr_unhandled. Here, where the arguments are still at hand, so
 * that what fits does not pay for keeping them. True if they fit after all: a
 * message with a blob is for this function alone. */
GR_API GR_MUST_CHECK bool gri_match_near(const gr_msg *msg, const gr_out *outs,
                                         uint32_t n) __attribute__((cold));

/* Eight bytes, the first of them the lowest. */
GRI_INLINE uint64_t gri_load_word(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

/* What is behind a tag that ends `at` bytes into a payload of the usual form.
 */
GRI_INLINE GR_MUST_CHECK bool gri_match_behind(const gr_msg *msg, uint32_t at,
                                               const gr_out *outs, uint32_t n)
{
    const uint8_t *p = (const uint8_t *)(const void *)msg + GRI_PAYLOAD_AT;
    bool matched;
    if (n == 0) {
        matched = p[0] == GRI_FIXARRAY + 1;
    } else if (n == 1 && outs[0].flags == 0 &&
               (outs[0].kind == GR_OUT_I64 || outs[0].kind == GR_OUT_U64 ||
                outs[0].kind == GR_OUT_I32 || outs[0].kind == GR_OUT_U32)) {
        matched = p[0] == GRI_FIXARRAY + 2 &&
                  gri_match_int(msg, at, outs[0].kind, outs[0].p);
    } else {
        matched = gri_match_args(msg, outs, n);
    }
    return matched || gri_match_near(msg, outs, n);
}

/*
 * Tests the tag here, so that a chain of matches costs next to nothing for
 * those that fail, and leaves the rest to the library. `usual` holds for what
 * this library writes: 1 to 15 elements, then a tag in one of its one-byte
 * forms (every message that programs see has a payload that is valid, so that
 * these two bytes are there). All else is for gr_matchv.
 */
GRI_INLINE GR_MUST_CHECK bool gri_match(const gr_msg *msg, gr_value tag,
                                        const gr_out *outs, uint32_t n)
{
    const uint8_t *p = (const uint8_t *)(const void *)msg + GRI_PAYLOAD_AT;
    const bool listed = (uint8_t)(p[0] - (GRI_FIXARRAY + 1)) < 15;
    if (gri_is_literal(tag, GRI_WORD_TAG_MAX)) {
        /* A block has more than 17 bytes behind its header, whatever the
         * message's length. */
        const uint32_t rest = tag.len > 7 ? tag.len - 7 : 0;
        const uint64_t mask = UINT64_MAX >> (56 - 8 * (tag.len - rest));
        const bool same =
            ((gri_load_word(p + 1) ^ gri_tag_word(tag)) & mask) == 0 &&
            (rest == 0 || ((gri_load_word(p + 9) ^ gri_tag_rest(tag)) &
                           (UINT64_MAX >> ((64 - 8 * rest) % 64))) == 0);
        if (__builtin_expect(listed && !same && p[1] < 0xc0, 0)) {
            return false;
        }
        if (__builtin_expect(listed && same, 1)) {
            return gri_match_behind(msg, 2 + tag.len, outs, n);
        }
        gr_value copy = tag;
        return gr_matchv(msg, &copy, outs, n);
    }
    const bool usual = __builtin_expect(listed && p[1] < 0xc0, 1);
    if (usual && tag.kind == GR_KIND_STR && __builtin_constant_p(tag.len) &&
        tag.len <= GRI_FIXSTR_MAX) {
        if (p[1] != (GRI_FIXSTR | tag.len) ||
            memcmp(p + 2, tag.as.p, tag.len) != 0) {
            return false;
        }
        return gri_match_behind(msg, 2 + tag.len, outs, n);
    }
    if (usual && (tag.kind == GR_KIND_INT || tag.kind == GR_KIND_UINT) &&
        __builtin_constant_p(tag.as.u) && tag.as.u <= GRI_FIXINT_MAX) {
        if (p[1] != tag.as.u) {
            return false;
        }
        return gri_match_behind(msg, 2, outs, n);
    }
    gr_value copy = tag;
    return gr_matchv(msg, &copy, outs, n);
}

GR_END_DECLS

/* ---- from a C type to a value, a tag or an output ----------------------- */

#ifdef __cplusplus
#include <greenroom/detail/values_cxx.h>
#else
#include <greenroom/detail/values_c.h>
#endif

#endif /* GREENROOM_DETAIL_VALUES_H */
