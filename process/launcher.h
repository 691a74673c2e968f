/*
 * process/launcher.h - starts processes, kills them and reaps them.
 *
 * A table of functions, so that another launcher can stand behind it. The one
 * here is a process of its own, with a thread here that speaks to it.
 */
#ifndef GRI_PROCESS_LAUNCHER_H
#define GRI_PROCESS_LAUNCHER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "process/spawn.h"

/* Names one process, started or not; never used again for another. */
typedef struct gri_process {
    uint64_t id;
} gri_process;

typedef enum gri_process_kind {
    GRI_PROCESS_STARTED,  /* code is its process id; an end follows */
    GRI_PROCESS_EXITED,   /* code is the exit status, 0 to 255 */
    GRI_PROCESS_SIGNALED, /* code is the signal that ended it */
    GRI_PROCESS_FAILED    /* not started: code is an error. GR_ESTOPPED: ended
                             before it began; GR_ETIMEOUT: does not die */
} gri_process_kind;

typedef struct gri_process_event {
    gri_process_kind kind;
    int code;
    bool oom_likely; /* SIGNALED: SIGKILL that nobody asked for here, while the
                        kernel killed for memory in our cgroup */
} gri_process_event;

/* Called on the launcher's thread: at most one STARTED, then one of the others,
 * which is the last. Must not block, nor stop the launcher. */
typedef void gri_process_fn(void *arg, const gri_process_event *event);

/* A process is a few megabytes and a descriptor here; more is a mistake. */
#define GRI_PROCESSES_MAX 1024u

typedef struct gri_launch {
    const char *path;  /* not searched for */
    char *const *argv; /* ends at NULL */
    int control;       /* becomes its GRI_CONTROL_FD; -1: none */
    sigset_t blocked;  /* the signals that it begins with blocked; often none */
    gri_process_fn *fn;
    void *arg;
} gri_launch;

typedef struct gri_launcher gri_launcher;

typedef struct gri_launcher_ops {
    /*
     * Starts a process soon. It inherits standard output and error, the control
     * descriptor and the environment as it was when the launcher began, nothing
     * else; its standard input is /dev/null, its signals are as the system
     * starts them but for those to be blocked, and it is in a process group of
     * its own, so that a terminal's Ctrl-C is the parent's. When it ends, what
     * is left of its group is killed. When the launcher is killed, so is the
     * process, and it is told as killed by SIGKILL.
     * Owns:    borrows launch; takes launch->control on success.
     * Errors:  GR_ENOMEM, GR_ETOOBIG (the arguments), GR_ELIMIT
     *          (GRI_PROCESSES_MAX), GR_ESTOPPED. fn is then never called; else
     *          once with an end, perhaps before this returns.
     * Threads: any; it never waits.
     */
    int (*start)(gri_launcher *launcher, const gri_launch *launch,
                 gri_process *out);
    /* Kills the process with SIGKILL if it has not ended grace_ms from now; the
     * earliest such moment counts. One that ended is no error. Threads: any. */
    void (*end)(gri_launcher *launcher, gri_process process, int64_t grace_ms);
    /*
     * Ends the launcher and frees it. Processes that were told to end have
     * until then, at most deadline_ms; all others are killed at once; every one
     * is reaped. What does not die even so is logged. Bounded by deadline_ms
     * and three seconds. Threads: any but the launcher's; once.
     */
    void (*stop)(gri_launcher *launcher, int64_t deadline_ms);
} gri_launcher_ops;

struct gri_launcher {
    const gri_launcher_ops *ops;
};

/*
 * A launcher. Its process begins with the first start, and anew with the next
 * one when it has been killed.
 * Owns:   gives *out, which ends with its stop. Keeps log, which outlives it.
 * Errors: GR_ENOMEM, GR_EIO (no thread, no descriptor), GR_ENOTSUP (this
 *         program's main does not leave when it is started as a launcher, see
 *         process/divert.h; said in the log).
 */
int gri_launcher_new(const gri_log *log, gri_launcher **out);

#endif /* GRI_PROCESS_LAUNCHER_H */
