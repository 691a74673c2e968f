/* base/rng.h - small random numbers (never for secrets): SplitMix64, Steele,
 * Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
#ifndef GRI_BASE_RNG_H
#define GRI_BASE_RNG_H

#include <stdint.h>

typedef struct gri_rng {
    uint64_t state;
} gri_rng;

static inline uint64_t gri_rng_next(gri_rng *rng)
{
    uint64_t z = (rng->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A number below n; n is not 0. The bias of the multiplication is far below
 * what scheduling or jitter could notice. */
static inline uint32_t gri_rng_below(gri_rng *rng, uint32_t n)
{
    return (uint32_t)(((gri_rng_next(rng) >> 32) * n) >> 32);
}

/* Unpredictable enough to tell one run from another; from the kernel. */
uint64_t gri_rng_entropy(void);

#endif /* GRI_BASE_RNG_H */
