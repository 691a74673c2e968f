/*
 * tests/support/holding.h - what this process has of threads, descriptors and
 * mappings of the library's, between systems: the same before as after. For
 * tests that are linked with no_memory.h and no_threads.h.
 */
#ifndef TESTS_SUPPORT_HOLDING_H
#define TESTS_SUPPORT_HOLDING_H

#include <dirent.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/no_memory.h"
#include "tests/support/no_threads.h"
#include "tests/support/sanitizers.h"

/* Entries of a folder; the one that reads it is among them each time. */
static inline unsigned holding_entries(const char *path)
{
    unsigned n = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
    while (readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

typedef struct holding {
    unsigned descriptors, threads;
    int64_t mapped; /* by the library */
} holding;

static inline holding holding_now(void)
{
    return (holding){
        .descriptors = holding_entries("/proc/self/fd"),
#ifndef UNDER_TSAN /* which starts one of its own with the first of ours */
        .threads = holding_entries("/proc/self/task"),
#endif
        .mapped = no_memory_mapped() - no_threads_unmapped(),
    };
}

static inline void holding_check(const holding *before)
{
    holding now = holding_now();
    /* Who was joined may be listed for a moment more. */
    while (now.threads > before->threads) {
        (void)sched_yield();
        now = holding_now();
    }
    assert_int_equal(now.threads, before->threads);
    assert_int_equal(now.descriptors, before->descriptors);
    assert_int_equal(now.mapped, before->mapped);
}

#endif /* TESTS_SUPPORT_HOLDING_H */
