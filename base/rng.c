/* base/rng.c - where seeds come from. */
#include "base/rng.h"

#include <sys/random.h>
#include <time.h>

uint64_t gri_rng_entropy(void)
{
    uint64_t x = 0;
    if (getrandom(&x, sizeof x, 0) == (ssize_t)sizeof x) {
        return x;
    }
    /* Only before the kernel's pool is ready, or under a strange seccomp
     * filter: the clock still tells two runs apart. */
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    gri_rng rng = {(uint64_t)t.tv_sec * 1000000007u ^ (uint64_t)t.tv_nsec};
    return gri_rng_next(&rng);
}
