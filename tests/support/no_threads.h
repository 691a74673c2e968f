/*
 * tests/support/no_threads.h - what the library makes threads of fails, too,
 * each counted as one of the allocations of no_memory.h: the thread itself, the
 * look where its stack is, and the protection below a stack. And what the
 * library unmaps is counted.
 *
 * Whoever uses it is linked with --wrap (tests/CMakeLists.txt).
 */
#ifndef TESTS_SUPPORT_NO_THREADS_H
#define TESTS_SUPPORT_NO_THREADS_H

#include <stdint.h>

/* Bytes so far. */
int64_t no_threads_unmapped(void);

#endif /* TESTS_SUPPORT_NO_THREADS_H */
