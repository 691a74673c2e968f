/* base/hash.h - a place for an address, among few. */
#ifndef GRI_BASE_HASH_H
#define GRI_BASE_HASH_H

#include <stdint.h>

/* One of 2^bits, 1 to 32: constants that stand side by side in memory, all on a
 * multiple of the same power of two, have places of their own.
 * Fibonacci hashing: Knuth, The Art of Computer Programming 6.4. */
static inline uint32_t gri_hash_address(uintptr_t at, unsigned bits)
{
    return (uint32_t)((uint64_t)at * UINT64_C(0x9e3779b97f4a7c15) >>
                      (64 - bits));
}

#endif /* GRI_BASE_HASH_H */
