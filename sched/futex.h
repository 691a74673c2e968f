/* sched/futex.h - sleep until a word changes. See futex(2). */
#ifndef GRI_SCHED_FUTEX_H
#define GRI_SCHED_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *word == value, until deadline_ns of the monotonic clock
 * (GRI_NEVER: no limit). May return early for no reason. */
void gri_futex_wait(_Atomic(uint32_t) *word, uint32_t value,
                    int64_t deadline_ns);
/* Wakes up to n sleepers. */
void gri_futex_wake(_Atomic(uint32_t) *word, int n);

#endif /* GRI_SCHED_FUTEX_H */
