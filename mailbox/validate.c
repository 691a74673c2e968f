/* mailbox/validate.c - the gate for bytes from outside: one pass, a stack of
 * fixed size, no memory. */
#include "mailbox/decode.h"

enum { BODY = 0xff }; /* a byte tells how many more there are */

/* The bytes of a value by its first one, from 0xc0 to 0xdf; 0: it is not so
 * simple. */
static const uint8_t widths[] = {
    1,    0, 1, 1,      /* nil, -, false, true */
    BODY, 0, 0,         /* bin */
    0,    0, 0,         /* ext */
    5,    9,            /* float, double */
    2,    3, 5, 9,      /* uint */
    2,    3, 5, 9,      /* int */
    3,    4, 6, 10, 18, /* fixext */
    BODY, 0, 0,         /* str */
    0,    0, 0, 0,      /* array, map */
};
_Static_assert(sizeof widths == 0xe0 - 0xc0, "0xc0 to 0xdf");

/* The bytes of the value at p, of those before end; 0: see check_all. */
static inline size_t width_of(const uint8_t *p, const uint8_t *end)
{
    if (*p < 0x80 || *p >= 0xe0) {
        return 1;
    }
    if (*p < 0xc0) {
        return *p < 0xa0 ? 0 : 1 + (*p & 0x1fu);
    }
    const size_t width = widths[*p - 0xc0];
    if (width != BODY) {
        return width;
    }
    return end - p >= 2 ? 2 + (size_t)p[1] : 0;
}

/* What most messages are: a short list of numbers, short texts and bytes, and
 * pids. Returns its length, or 0: it is for check_all, which may find it valid
 * or not. */
static inline size_t check_flat(const uint8_t *bytes, size_t n)
{
    const uint8_t *p = bytes;
    const uint8_t *end = p + n;
    unsigned left = *p & 0x0fu;
    if ((*p & 0xf0u) != 0x90) {
        return 0;
    }
    for (p++; left > 0; left--) {
        const size_t width = p < end ? width_of(p, end) : 0;
        if (width == 0 || width > (size_t)(end - p)) {
            return 0;
        }
        p += width;
    }
    return (size_t)(p - bytes);
}

static __attribute__((noinline)) int64_t check_all(const uint8_t *bytes,
                                                   size_t n, unsigned depth)
{
    const uint8_t *p = bytes;
    const uint8_t *end = p + n;
    uint64_t outer[GR_DEPTH_MAX]; /* values left in each level around */
    uint64_t left = 1;            /* values left in this one */
    unsigned opened = 0;
    for (;;) {
        if (left == 0) {
            if (opened == 0) {
                return p - bytes;
            }
            left = outer[--opened];
            continue;
        }
        gri_head h;
        p = gri_decode(p, end, &h);
        if (p == NULL) {
            return GR_EFORMAT;
        }
        left--;
        if (h.type != GRI_TYPE_ARRAY && h.type != GRI_TYPE_MAP) {
            p += h.n;
            continue;
        }
        if (opened >= depth || opened >= GR_DEPTH_MAX) {
            return GR_ELIMIT;
        }
        outer[opened++] = left;
        left = h.type == GRI_TYPE_MAP ? 2 * (uint64_t)h.n : h.n;
    }
}

int64_t gri_check_first(const void *bytes, size_t n, unsigned depth)
{
    if (n == 0) {
        return GR_EFORMAT; /* bytes may be NULL */
    }
    const size_t flat = depth > 0 ? check_flat(bytes, n) : 0;
    return flat > 0 ? (int64_t)flat : check_all(bytes, n, depth);
}

int gri_check(const void *bytes, size_t n, unsigned depth)
{
    int64_t len = gri_check_first(bytes, n, depth);
    if (len < 0) {
        return (int)len;
    }
    return (size_t)len == n ? 0 : GR_EFORMAT;
}

int gr_validate(const void *p, size_t n, unsigned depth_max)
{
    return gri_check(p, n, depth_max == 0 ? GR_DEPTH_MAX : depth_max);
}
