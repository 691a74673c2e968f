/*
 * base/barrier.h - a memory barrier in all threads of the process at once,
 * made by one of them: membarrier(2). Whoever makes it pays some microseconds,
 * and the others need no fence of their own.
 */
#ifndef GRI_BASE_BARRIER_H
#define GRI_BASE_BARRIER_H

#include <stdbool.h>

/* To be called before gri_barrier_all, any number of times. The first time
 * takes some 10 ms in a process that has other threads, and next to nothing in
 * one that has none yet. False: the kernel has no such barrier, or a filter of
 * system calls forbids it. */
bool gri_barrier_ready(void);
/* When it returns true, every other thread has had a full memory barrier since
 * the call. False: a filter that came later forbids it. */
bool gri_barrier_all(void);

#endif /* GRI_BASE_BARRIER_H */
