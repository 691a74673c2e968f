/*
 * sched/barrier.h - a memory barrier in all threads of the process at once,
 * made by one of them: membarrier(2). Whoever makes it pays some microseconds,
 * and the others need no fence of their own.
 */
#ifndef GRI_SCHED_BARRIER_H
#define GRI_SCHED_BARRIER_H

#include <stdbool.h>

/* To be called before gri_barrier_all, any number of times. False: the kernel
 * has no such barrier, or a filter of system calls forbids it. */
bool gri_barrier_ready(void);
/* When it returns true, every other thread has had a full memory barrier since
 * the call. */
bool gri_barrier_all(void);

#endif /* GRI_SCHED_BARRIER_H */
