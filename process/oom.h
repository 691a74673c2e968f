/*
 * process/oom.h - was it the kernel, short of memory, that killed a process?
 *
 * The kernel counts its kills in each cgroup. A process that died of SIGKILL
 * was likely one of them if the counter rose, while it ran, by more than the
 * deaths that were already explained by that.
 */
#ifndef GRI_PROCESS_OOM_H
#define GRI_PROCESS_OOM_H

#include <stdbool.h>
#include <stdint.h>

/* The counter of this process's own cgroup, which its children share. */
typedef struct gri_oom {
    int fd;             /* -1: it cannot be read; then nothing is ever likely */
    uint64_t explained; /* deaths */
} gri_oom;

/* How things stood when a process began. */
typedef struct gri_oom_mark {
    uint64_t count;
    uint64_t explained;
} gri_oom_mark;

/* Finds the counter: cgroup version 2, or 1. Ends with gri_oom_close. */
void gri_oom_open(gri_oom *oom);
/* The same with other places for /proc/self/cgroup and /sys/fs/cgroup. */
void gri_oom_open_at(gri_oom *oom, const char *list, const char *mount);
void gri_oom_close(gri_oom *oom);

gri_oom_mark gri_oom_begin(const gri_oom *oom);
/* A process that began then was killed by SIGKILL. */
bool gri_oom_likely(gri_oom *oom, const gri_oom_mark *begin);

#endif /* GRI_PROCESS_OOM_H */
