/* mailbox/validate.c - the gate for bytes from outside: one pass, a stack of
 * fixed size, no memory. */
#include "mailbox/decode.h"

int64_t gri_check_first(const void *bytes, size_t n, unsigned depth)
{
    if (n == 0) {
        return GR_EFORMAT; /* bytes may be NULL */
    }
    const uint8_t *p = bytes;
    const uint8_t *end = p + n;
    uint64_t outer[GR_DEPTH_MAX]; /* values left in each level around */
    uint64_t left = 1;            /* values left in this one */
    unsigned opened = 0;
    for (;;) {
        if (left == 0) {
            if (opened == 0) {
                return p - (const uint8_t *)bytes;
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
