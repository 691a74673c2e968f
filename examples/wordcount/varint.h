/*
 * wordcount/varint.h - numbers in as few bytes as they need: seven bits in
 * each, the lowest first, the top bit set on all but the last.
 */
#ifndef WORDCOUNT_VARINT_H
#define WORDCOUNT_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WC_VARINT_MAX 10u /* bytes of the largest number */

/* Writes at most WC_VARINT_MAX bytes, and returns where they end. */
static inline uint8_t *wc_varint_put(uint8_t *to, uint64_t x)
{
    while (x >= 0x80) {
        *to++ = (uint8_t)(x | 0x80);
        x >>= 7;
    }
    *to++ = (uint8_t)x;
    return to;
}

/* Reads one number and steps over it. False: it is cut short or too large. */
static inline bool wc_varint_get(const uint8_t **from, const uint8_t *end,
                                 uint64_t *out)
{
    const uint8_t *p = *from;
    uint64_t x = 0;
    for (unsigned shift = 0; shift < 64 && p < end; shift += 7) {
        const uint8_t byte = *p++;
        if (shift == 63 && byte > 1) {
            return false;
        }
        x |= (uint64_t)(byte & 0x7fu) << shift;
        if (byte < 0x80) {
            *from = p;
            *out = x;
            return true;
        }
    }
    return false;
}

#endif /* WORDCOUNT_VARINT_H */
