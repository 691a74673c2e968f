/*
 * tests/soak/memory.h - whether the memory of the process stays what it is.
 *
 * While a stack runs over, all of it is in memory, and goes back after that:
 * the least of many samples is what is there for good, the peak how much it
 * comes to at times. Neither may grow from the first fifth of the time on. That
 * begins with its second half, as all is made in the first one. How many stacks
 * run over in the same moment is chance: for the first peak all count, and all
 * that was ever there of files, which the kernel may drop and read again.
 */
#ifndef GRI_TESTS_SOAK_MEMORY_H
#define GRI_TESTS_SOAK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum {
    MEMORY_SAMPLES = 1000, /* of the whole time */
    MEMORY_FIFTHS = 5,
    MEMORY_PERCENT = 5, /* that it may grow */
    MEMORY_WHY_MAX = 96
};

/* Bytes in the first fifth, and the most of any later one. */
typedef struct growth {
    size_t first, last;
} growth;

/* All zero at first. */
typedef struct memory {
    size_t floors[MEMORY_FIFTHS], peaks[MEMORY_FIFTHS];
    size_t mapped; /* of files, the most */
    int part;      /* the present one's number, from 1 on */
    growth least, most;
} memory;

/* False: /proc does not tell, or cannot be told to begin a peak. */
bool memory_sample(memory *m, int sample);
/* When all are taken: sets `least` and `most`; false: why. */
bool memory_is_flat(memory *m, unsigned workers, char why[MEMORY_WHY_MAX]);

#endif /* GRI_TESTS_SOAK_MEMORY_H */
