/*
 * mailbox/decode.h - reads the head of one msgpack value. Everything that looks
 * into bytes (validate, match, reader, print) stands on this one function,
 * which never reads beyond `end`; all but match.c's short way for integers,
 * which looks at `end` itself.
 */
#ifndef GRI_MAILBOX_DECODE_H
#define GRI_MAILBOX_DECODE_H

#include <endian.h>
#include <string.h>

#include <greenroom/message.h>

#include "base/assert.h"

typedef enum gri_type {
    GRI_TYPE_NIL = 0,
    GRI_TYPE_BOOL,   /* x: 0 or 1 */
    GRI_TYPE_UINT,   /* x, an integer that is not negative */
    GRI_TYPE_INT,    /* x, as int64_t: a negative integer */
    GRI_TYPE_FLOAT,  /* x: its bits */
    GRI_TYPE_DOUBLE, /* x: its bits */
    GRI_TYPE_STR,    /* n bytes follow */
    GRI_TYPE_BIN,    /* n bytes follow */
    GRI_TYPE_EXT,    /* n bytes of type x (as int64_t) follow */
    GRI_TYPE_ARRAY,  /* n values follow */
    GRI_TYPE_MAP     /* n pairs follow */
} gri_type;

typedef struct gri_head {
    gri_type type;
    uint32_t n;
    uint64_t x;
} gri_head;

/* size bytes (1, 2, 4 or 8), big-endian. */
static inline uint64_t gri_load(const uint8_t *p, size_t size)
{
    uint16_t x16;
    uint32_t x32;
    uint64_t x64;
    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&x16, p, 2);
        return be16toh(x16);
    case 4:
        memcpy(&x32, p, 4);
        return be32toh(x32);
    default:
        memcpy(&x64, p, 8);
        return be64toh(x64);
    }
}

/* x has size bytes, 1 to 8. */
static inline uint64_t gri_sign_extend(uint64_t x, size_t size)
{
    GR_DASSERT(size > 0);
    const uint64_t sign = UINT64_C(1) << (8 * size - 1);
    return (x ^ sign) - sign;
}

/* As gri_decode, for all but fixint, fixarray and fixstr; p < end. */
const uint8_t *gri_decode_long(const uint8_t *p, const uint8_t *end,
                               gri_head *h);

/*
 * Reads the head at p and returns what is behind it: the n bytes of a str, bin
 * or ext, which are there; the values of an array or map, of which only is
 * known that there is a byte for each. NULL: there is no valid head.
 */
static inline const uint8_t *gri_decode(const uint8_t *p, const uint8_t *end,
                                        gri_head *h)
{
    if (p >= end) {
        return NULL;
    }
    h->n = 0;
    h->x = *p;
    if (*p < 0x80) {
        h->type = GRI_TYPE_UINT;
        return p + 1;
    }
    if (*p >= 0x90 && *p < 0xc0) {
        /* A body's bytes, or at least a byte for each element. */
        h->type = *p < 0xa0 ? GRI_TYPE_ARRAY : GRI_TYPE_STR;
        h->n = *p & (*p < 0xa0 ? 0x0fu : 0x1fu);
        p++;
        return h->n <= (size_t)(end - p) ? p : NULL;
    }
    return gri_decode_long(p, end, h);
}

/* As gri_skip, where that finds a list or a map. */
const uint8_t *gri_skip_items(const uint8_t *p, const uint8_t *end);

/* Steps over one value with all that is in it. NULL: it is not valid. */
static inline const uint8_t *gri_skip(const uint8_t *p, const uint8_t *end)
{
    gri_head h;
    const uint8_t *body = gri_decode(p, end, &h);
    if (body == NULL) {
        return NULL;
    }
    if (h.type == GRI_TYPE_ARRAY || h.type == GRI_TYPE_MAP) {
        return gri_skip_items(p, end);
    }
    return body + h.n;
}

/* gr_reader.flags: it is at the elements of a message of this process, among
 * which blobs may stand (blob.h). */
enum { GRI_READER_ELEMENTS = 1 };

/* gr_validate with exactly this depth: 0 allows no list and no map. */
int gri_check(const void *bytes, size_t n, unsigned depth);
/* The same of a value behind which more may stand. Returns its length. */
int64_t gri_check_first(const void *bytes, size_t n, unsigned depth);

/* What a head can be read as; false: it cannot. */
bool gri_as_bool(const gri_head *h, bool *out);
bool gri_as_i64(const gri_head *h, int64_t *out);
bool gri_as_u64(const gri_head *h, uint64_t *out);
/* Integers up to 2^53, too. */
bool gri_as_double(const gri_head *h, double *out);
/* body: what is behind the head. nil is GR_NOBODY. */
bool gri_as_pid(const gri_head *h, const uint8_t *body, gr_pid *out);

#endif /* GRI_MAILBOX_DECODE_H */
