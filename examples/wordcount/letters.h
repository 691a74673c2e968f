/*
 * wordcount/letters.h - which of 64 bytes are ASCII letters.
 *
 * The hot loop of the scanner: the bytes of a word need no branch of their own
 * when 64 of them become one mask. SSE2 is part of every x86-64; elsewhere the
 * plain version does the same in 64-bit words.
 */
#ifndef WORDCOUNT_LETTERS_H
#define WORDCOUNT_LETTERS_H

#include <stdbool.h>
#include <stdint.h>

#define WC_BLOCK 64u /* bytes looked at together: the bits of a mask */

/* Sets the case bit of each byte: a letter becomes lower case. */
#define WC_LOWER UINT64_C(0x2020202020202020)

static inline bool wc_is_letter(uint8_t byte)
{
    return (uint8_t)((byte | 0x20u) - 'a') < 26;
}

/* Bit i is set when byte i of the 8 at p is a letter. */
static inline uint64_t wc_letters8(const uint8_t *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = 0;
    for (unsigned i = 0; i < 8; i++) {
        x |= (uint64_t)p[i] << (8 * i);
    }
    /* Seven bits and room for a carry in each byte: the top bit of `from`
     * says "at least a", that of `past` "beyond z". */
    const uint64_t low = (x | WC_LOWER) & (ones * 0x7f);
    const uint64_t from = low + ones * (0x80 - 'a');
    const uint64_t past = low + ones * (0x80 - 'z' - 1);
    const uint64_t letters = from & ~past & ~x & (ones * 0x80);
    /* Gathers the eight top bits into the top byte. */
    return ((letters >> 7) * UINT64_C(0x0102040810204080)) >> 56;
}

/* Bit i is set when byte i of the 64 at p is a letter. */
static inline uint64_t wc_letters64_plain(const uint8_t *p)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < WC_BLOCK; i += 8) {
        mask |= wc_letters8(p + i) << i;
    }
    return mask;
}

/* The same of 16. */
static inline uint64_t wc_letters16_plain(const uint8_t *p)
{
    return wc_letters8(p) | wc_letters8(p + 8) << 8;
}

#ifdef __SSE2__

#include <emmintrin.h>

static inline uint64_t wc_letters16(const uint8_t *p)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i order = _mm_sub_epi8(lower, _mm_set1_epi8('a'));
    /* order <= 25, unsigned, as there is only a signed comparison. */
    const __m128i least = _mm_min_epu8(order, _mm_set1_epi8(25));
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(least, order));
}

static inline uint64_t wc_letters64(const uint8_t *p)
{
    return wc_letters16(p) | wc_letters16(p + 16) << 16 |
           wc_letters16(p + 32) << 32 | wc_letters16(p + 48) << 48;
}

#else

static inline uint64_t wc_letters16(const uint8_t *p)
{
    return wc_letters16_plain(p);
}

static inline uint64_t wc_letters64(const uint8_t *p)
{
    return wc_letters64_plain(p);
}

#endif

#endif /* WORDCOUNT_LETTERS_H */
