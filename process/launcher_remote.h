/* process/launcher_remote.h - begins and ends the launcher's process. */
#ifndef GRI_PROCESS_LAUNCHER_REMOTE_H
#define GRI_PROCESS_LAUNCHER_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"

/* How long a killed process may take to die before it is given up. */
#define GRI_REAP_MS INT64_C(1000)

typedef struct gri_launcher_remote {
    int socket; /* our end; -1: there is none */
    int pidfd;  /* likewise */
} gri_launcher_remote;

/*
 * Starts this program's launcher, which is tied to the life of this thread.
 * Owns:    gives *out, which ends with gri_launcher_end.
 * Errors:  GR_ENOMEM, GR_ELIMIT, GR_ENOENT (no /proc), GR_EIO; logged.
 */
int gri_launcher_begin(const gri_log *log, gri_launcher_remote *out);

/* Kills it, and waits for that. What it had said can still be received. */
void gri_launcher_kill(const gri_launcher_remote *remote);

/* Closes its socket, by which it is asked to kill all that it has and to end;
 * kills it if it has not in grace_ms; reaps it. Also where there is none.
 * Returns -1; or its pidfd, where it is still about to die, to be reaped. */
int gri_launcher_end(gri_launcher_remote *remote, int64_t grace_ms);

/* Waits for a process's end, until then at most. */
bool gri_await_end(int pidfd, int64_t until_ns);

#endif /* GRI_PROCESS_LAUNCHER_REMOTE_H */
