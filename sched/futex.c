/* sched/futex.c - see futex.h. */
#include "sched/futex.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

void gri_futex_wait(_Atomic(uint32_t) *word, uint32_t value,
                    int64_t deadline_ns)
{
    struct timespec t;
    struct timespec *until = NULL;
    if (deadline_ns != GRI_NEVER) {
        t.tv_sec = (time_t)(deadline_ns / 1000000000);
        t.tv_nsec = (long)(deadline_ns % 1000000000);
        until = &t;
    }
    /* WAIT_BITSET takes an absolute time. Every result means "look again". */
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
                  value, until, NULL, FUTEX_BITSET_MATCH_ANY);
}

void gri_futex_wake(_Atomic(uint32_t) *word, int n)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL,
                  NULL, 0);
}
