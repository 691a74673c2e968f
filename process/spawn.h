/* process/spawn.h - posix_spawn, with what every process of ours begins with.
 */
#ifndef GRI_PROCESS_SPAWN_H
#define GRI_PROCESS_SPAWN_H

#include <signal.h>
#include <sys/types.h>

/* The number of the control descriptor in a started process. */
#define GRI_CONTROL_FD 3

typedef struct gri_spawn {
    const char *path;  /* not searched for */
    char *const *argv; /* ends at NULL */
    char *const *env;  /* likewise */
    int control;       /* becomes its GRI_CONTROL_FD; -1: none */
    sigset_t blocked;  /* the signals that it begins with blocked */
} gri_spawn;

/*
 * Starts a process that has the control descriptor, standard output and error,
 * /dev/null as its input, and no other descriptor; default dispositions; and a
 * process group of its own. It is killed when the calling thread ends only if
 * it asks for that itself.
 * Errors:  an errno, not negative: what execve said, too.
 * Threads: any.
 */
int gri_spawn_process(const gri_spawn *spawn, pid_t *out);

/* The library's code for such an errno. */
int gri_spawn_error(int system_error);

#endif /* GRI_PROCESS_SPAWN_H */
