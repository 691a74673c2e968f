/*
 * tests/support/no_memory.h - the library's allocations, one of which fails, or
 * all from one on. So does the pool's own allocation, each time that a cache is
 * empty: otherwise one mapping would last for the whole scene.
 *
 * Whoever uses it is linked with --wrap (tests/CMakeLists.txt): the library's
 * calls come here first. Those of other libraries do not.
 */
#ifndef TESTS_SUPPORT_NO_MEMORY_H
#define TESTS_SUPPORT_NO_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the n-th fails (from 1), and all that follow if for_ever. */
void no_memory_begin(uint64_t n, bool for_ever);
/* For what else there may be none of: counts as one more. True: it fails. */
bool no_memory_now(void);
/* Bytes that the library has mapped so far. */
int64_t no_memory_mapped(void);
/* There is memory again. True: there was a time when there was none. */
bool no_memory_end(void);

#endif /* TESTS_SUPPORT_NO_MEMORY_H */
