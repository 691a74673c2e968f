/*
 * process/sandbox.h - what a process may take and do once it runs a user's
 * code: resource limits, no new privileges, and an allow-list of system calls.
 */
#ifndef GRI_PROCESS_SANDBOX_H
#define GRI_PROCESS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <greenroom/actor.h>

/* Plain data without pointers, so that it can travel in a frame. All zero: no
 * limit but that of core files. */
typedef struct gri_sandbox {
    uint64_t memory_max; /* bytes of address space (RLIMIT_AS); 0: any */
    uint64_t cpu_max_s;  /* seconds of processor time; 0: any */
    uint64_t file_max;   /* bytes of a file that it writes; 0: any */
    uint32_t files_max;  /* descriptors: their numbers stay below; 0: any */
    uint8_t filter;      /* 1: only the system calls on the list */
    uint8_t hidden;      /* 1: others of this user may not trace it, nor read
                            its memory (PR_SET_DUMPABLE) */
    uint8_t zero[2];
} gri_sandbox;

enum {
    GRI_SANDBOX_FILES_MIN =
        16 /* what the runtime itself may have open, twice */
};

/* That of a process actor with such limits. */
gri_sandbox gri_sandbox_of(const gr_limits *limits);

/* To be called while this process has one thread: it, and those that it makes,
 * never get more rights by execve (no_new_privs), and leave no core file.
 * False: they could. */
bool gri_sandbox_prepare(void);

/*
 * Puts this process into the sandbox, for ever, with all its threads. What it
 * exceeds says so: memory by GR_ENOMEM or NULL, time by SIGXCPU, file size by
 * SIGXFSZ, descriptors by EMFILE, and a forbidden call by SIGSYS, before which
 * its name is written to standard error. Not undone if it fails: the process
 * has to end.
 *
 * Errors:  GR_EINVAL (makes no sense), GR_ENOTSUP (no list for this kind of
 *          processor, or the kernel has no seccomp), GR_EDENIED, GR_EIO. why: a
 *          sentence of at most size bytes on which.
 * Threads: any; after gri_sandbox_prepare, before the user's code runs.
 */
int gri_sandbox_enter(const gri_sandbox *sandbox, char *why, size_t size);

/* The name of a system call that is not on the list; "call" if it is none that
 * anybody needs. Threads: any, and signal handlers. */
const char *gri_sandbox_call_name(int number);

/* process/filter.c: the list, for all threads of this process. Errors: a
 * negative errno; -ENOSYS: no list for this kind of processor. */
int gri_filter_install(void);

#endif /* GRI_PROCESS_SANDBOX_H */
