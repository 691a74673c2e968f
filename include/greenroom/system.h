/* greenroom/system.h - start and stop the runtime; enter it from a thread. */
#ifndef GREENROOM_SYSTEM_H
#define GREENROOM_SYSTEM_H

#include <greenroom/actor.h>
#include <greenroom/job.h>

GR_BEGIN_DECLS

typedef enum gr_log_level {
    GR_LOG_NONE = -1, /* as log_level: nothing is logged */
    GR_LOG_ERROR = 0,
    GR_LOG_WARN,
    GR_LOG_INFO,
    GR_LOG_DEBUG
} gr_log_level;

/* Takes one line of log, without its newline. Called from any thread, also two
 * at a time. Must not call the library. */
typedef void gr_log_fn(void *arg, gr_log_level level, const char *line);

/* Several deterministic systems with one clock: sim.h. */
typedef struct gr_sim_net gr_sim_net;

/* Zero means the default in every field. Members may be appended. */
typedef struct gr_system_opts {
    unsigned workers; /* threads; 0: one per processor that may be used */
    uint64_t seed;    /* not 0: deterministic mode, see sim.h */
    gr_log_fn *log;   /* NULL: standard error */
    void *log_arg;
    gr_log_level log_level; /* what is logged: this and more severe; note that
                               0 is GR_LOG_ERROR; gr_main uses GR_LOG_WARN */
    uint32_t actors_max;    /* slots, of which the system keeps two for itself:
                               n - 2 actors. From 4096 on each worker keeps up
                               to 32 free slots at hand, which others may miss.
                               0: GR_ACTORS_MAX_DEFAULT */
    uint32_t message_max;   /* bytes, 64 at least; 0: GR_MESSAGE_MAX_DEFAULT */
    uint32_t mailbox_soft;  /* messages; 0: GR_MAILBOX_SOFT_DEFAULT */
    uint32_t mailbox_hard;  /* messages; 0: GR_MAILBOX_HARD_DEFAULT */
    size_t arena_max;       /* bytes an actor; 0: GR_ARENA_MAX_DEFAULT */
    uint32_t asks_max;      /* open asks an actor; 0: GR_ASKS_MAX_DEFAULT */
    uint32_t timers_max;    /* an actor; 0: GR_TIMERS_MAX_DEFAULT */
    gr_grade grade;         /* of behaviours that say nothing */
    gr_limits limits;       /* likewise */
    unsigned crashes_kept;  /* reports (crash.h); 0: GR_CRASHES_KEPT_DEFAULT; or
                               GR_CRASHES_KEPT_NONE: then none is made of a crash
                               that is not logged either, and that nobody watches
                               (gr_watch_crashes) */
    const char *recorder;   /* the flight recorder's file, in which %p is the
                               process and %% a percent sign; what stood there
                               becomes FILE.1. NULL: it is in memory only */
    int64_t turn_warn_ms;   /* a turn that lasts longer is reported, once;
                               0: GR_TURN_WARN_MS_DEFAULT; GR_FOREVER: none is */
    uint32_t spares_max;    /* workers that may be started in addition, while
                               turns last too long; together not more than
                               GR_WORKERS_MAX; 0: GR_SPARES_MAX_DEFAULT;
                               GR_SPARES_NONE: none */
    int watch_signal;       /* a real-time signal by which the stack of a turn
                               that lasts too long is taken; 0: SIGRTMAX - 8, if
                               the program has no handler for it; GR_SIGNAL_NONE:
                               none, and reports have no stack and no tag */
    gr_job_limits jobs[GR_JOB_LANES]; /* .jobs = {[GR_JOB_LONG] = {...}} */
    uint32_t processes_warm; /* processes that wait for a process actor, from
                                the first one on, so that a restart is quick; 0:
                                GR_PROCESSES_WARM_DEFAULT; or
                                GR_PROCESSES_COLD */
    gr_sim_net *sim_net; /* deterministic mode, with this net's clock and seed;
                            seed is 0 then. NULL: none; see sim.h */
} gr_system_opts;

#define GR_PROCESSES_WARM_DEFAULT 1u
#define GR_PROCESSES_COLD         UINT32_MAX /* none waits */

#define GR_WORKERS_MAX          64u
#define GR_ACTORS_MAX_DEFAULT   (1u << 22)
#define GR_MESSAGE_MAX_DEFAULT  (16u << 20)
#define GR_MAILBOX_SOFT_DEFAULT 1000u
#define GR_MAILBOX_HARD_DEFAULT 100000u
#define GR_ARENA_MAX_DEFAULT    ((size_t)64 << 20)
#define GR_ASKS_MAX_DEFAULT     100000u
#define GR_TIMERS_MAX_DEFAULT   100000u
#define GR_CRASHES_KEPT_DEFAULT 64u
#define GR_CRASHES_KEPT_MAX     65536u
#define GR_CRASHES_KEPT_NONE    UINT32_MAX
#define GR_TURN_WARN_MS_DEFAULT 100
#define GR_SPARES_MAX_DEFAULT   4u
#define GR_SPARES_NONE          UINT32_MAX
#define GR_SIGNAL_NONE          (-1)

/*
 * Starts a system. Several may run in one process; they share nothing.
 * Owns:    gives *out, which ends with gr_system_stop.
 * Errors:  GR_EINVAL (over GR_WORKERS_MAX; soft above hard; actors_max below
 *          16 or above 2^31 - 1, message_max below 64, crashes_kept over
 *          GR_CRASHES_KEPT_MAX; turn_warn_ms below GR_FOREVER; watch_signal is
 *          not a real-time signal; recorder too long; more threads of a lane of
 *          jobs than GR_JOB_THREADS_MAX; a seed beside a sim_net), GR_ENOMEM,
 * GR_EIO (no thread; or the recorder's file cannot be made, and the log says
 * why). Threads: any that is not a worker of a system.
 */
GR_API GR_MUST_CHECK int gr_system_start(const gr_system_opts *opts,
                                         gr_system **out);

/*
 * Stops it: actors in reverse order of their start, then the workers, then its
 * memory. What does not stop within deadline_ms is killed, and named in the
 * log. Thread actors must be detached, or told and detaching.
 * Errors:  GR_ETIMEOUT: a callback or a job never returned, or a thread actor
 *          is still attached; the log names it, the system's memory stays.
 * Threads: any that is not a worker of it. Once.
 */
GR_API GR_MUST_CHECK int gr_system_stop(gr_system *sys, int64_t deadline_ms);

/*
 * Makes the calling thread an actor: it can send, spawn, ask and wait.
 * Owns:    gives *out, which ends with gr_thread_detach in the same thread.
 * name:    registered; may be NULL.
 * Errors:  GR_EINVAL (not a name), GR_EEXIST, GR_ELIMIT, GR_ENOMEM,
 *          GR_ESTOPPED.
 */
GR_API GR_MUST_CHECK int gr_thread_attach(gr_system *sys, const char *name,
                                          gr_actor **out);
/* Zero means the default in every field. Members may be appended. */
typedef struct gr_thread_opts {
    const char *name;   /* as for gr_thread_attach; borrowed */
    gr_mailbox mailbox; /* as that of gr_spawn_opts */
} gr_thread_opts;
/* The same with a mailbox of its own; opts may be NULL. Errors: as above, and
 * GR_EINVAL (a mailbox that makes no sense). */
GR_API GR_MUST_CHECK int gr_thread_attach_with(gr_system *sys,
                                               const gr_thread_opts *opts,
                                               gr_actor **out);
/* Ends the thread's actor: normally, or with the error `code`. */
GR_API void gr_thread_detach(gr_actor *self, int code);

/* ---- the usual main ----------------------------------------------------- */

typedef int gr_app_fn(gr_actor *self, int argc, char **argv);

typedef struct gr_main_opts {
    gr_app_fn *app; /* required: the program, on the calling thread */
    /* For child nodes (node.h), which run this same binary: */
    gr_app_fn *node_app; /* runs in each child node, with argc 1; NULL: waits */
    const gr_behavior *const *spawnable; /* ends at NULL */
    gr_system_opts system;
    int64_t stop_ms;  /* for gr_system_stop; 0: GR_STOP_MS_DEFAULT */
    bool own_signals; /* the program handles SIGINT, SIGTERM and SIGHUP itself:
                         they are left as they are, see below */
} gr_main_opts;

#define GR_STOP_MS_DEFAULT 5000

/*
 * Runs app as an actor of a new system and stops the system after it. Returns
 * the process's exit status: 0, or 1 with a line on standard error when app
 * returned an error or the system did not stop in time; a positive result of
 * app is the exit status. The environment variables GREENROOM_WORKERS,
 * GREENROOM_SEED, GREENROOM_LOG (error, warn, info, debug) and
 * GREENROOM_RECORDER (a path) override the options; one that makes no sense is
 * status 2 and a line, before app runs. Call it first in main: a child node
 * starts here and never comes back to the program's own code before it.
 *
 * SIGINT, SIGTERM or SIGHUP asks the app to stop, as gr_stop does. When it has
 * returned and the system has stopped, the process dies of that signal (the
 * first process of a container, which cannot, exits with 128 and the signal's
 * number): this does not return, and functions of atexit are not called. A
 * second signal (the same one 100 ms after the first), or an app that has not
 * returned after stop_ms, ends the process at once. Taken are only those whose
 * disposition is the default when this is called, and none in deterministic
 * mode or with own_signals; while somebody is in gr_wait_stop, SIGINT and
 * SIGTERM are that function's. Child nodes leave SIGINT and SIGHUP to their
 * parent, unless own_signals is set, and end by SIGTERM.
 *
 * Descriptors 0 to 2 that are closed become /dev/null; status 1 if they cannot.
 * Threads: any, one after the other; of two at a time, the first has signals.
 */
GR_API int gr_main_with(int argc, char **argv, const gr_main_opts *opts);
GR_API int gr_main(int argc, char **argv, gr_app_fn *app);

/*
 * For a program with a main of its own that starts processes: process actors
 * run this same binary again. To be called first in main, with its arguments.
 * Returns in the program itself; in a process that was started for the library
 * it does not. A program that calls neither this nor gr_main_with first cannot
 * start processes. Child nodes (node.h) need gr_main_with.
 * Threads: the main thread, before there are others.
 */
GR_API void gr_child_main(int argc, char **argv);

/* ---- actors in processes of their own ------------------------------------ */

/*
 * An actor of GR_GRADE_PROCESS runs in a process of its own: the same program,
 * which never comes to the program's own code behind gr_main or gr_child_main.
 * Its pid, name, links, monitors, mailbox and supervision are as those of any
 * actor; whatever its code does ends that process and this actor only. So it
 * sees no variable of the program but as it was at the start of main: what it
 * needs is in its arguments and its messages. It may use all of this header and
 * of actor.h, but not spawn (GR_ENOTSUP), and what it sends is never refused
 * there: it is a dead letter here instead. docs/faults.md says more.
 *
 * gr_main enables them; a program with a main of its own calls gr_child_main in
 * that, and this for each system: from now on it may have process actors.
 * Errors: GR_EEXIST (it may already), GR_ENOMEM, GR_ENOTSUP (gr_child_main was
 * not called).
 */
GR_API GR_MUST_CHECK int gr_processes_enable(gr_actor *self);
/* The process id of a process actor of this node, for logs and tests. Errors:
 * GR_ENOENT (it has none, or not yet, or not any more). */
GR_API GR_MUST_CHECK int gr_process_of(gr_actor *self, gr_pid pid, int *out);

/* ---- what it counts ----------------------------------------------------- */

/* sent = handled + dead_letters + dropped + late_replies + what still waits,
 * exact while nothing runs. */
typedef struct gr_stats {
    uint64_t sent;         /* accepted messages, answers and fired timers */
    uint64_t handled;      /* given to a callback that did not stash it, or to
                              a waiting thread */
    uint64_t dead_letters; /* nobody there, unhandled, or a refused gr_tell */
    uint64_t dropped;      /* by a mailbox's stated policy */
    uint64_t late_replies; /* answers that nobody waits for any more */
    uint64_t refused;      /* sends that failed with GR_EAGAIN (not in sent) */
    uint64_t slowed;       /* times a sender was suspended, or waited */
    uint64_t spawned;      /* actors that began, thread actors too */
    uint64_t exited;       /* actors that ended */
    uint64_t failed;       /* of the exited: other than normal or shutdown */
    uint64_t turns;        /* times a worker ran an actor */
    uint64_t steals;       /* times a worker took work from another */
    uint64_t parks;        /* times a worker went to sleep */
    uint64_t redirected;   /* sent on by GR_FULL_REDIRECT (each once in sent) */
    uint64_t poisoned; /* of the dead letters: a stable actor failed on them */
    uint64_t trapped;  /* faults of actors' code that ended no more than the
                          actor */
    uint64_t long_turns;    /* turns beyond turn_warn_ms */
    uint64_t deadlines;     /* callbacks beyond handler_max_ms */
    uint64_t spares_lent;   /* times a spare worker went into service */
    uint64_t spares_missed; /* times there were too few of them */
    uint32_t spares;        /* in service now */
    uint32_t spares_most;   /* in service at a time, at most */
} gr_stats;

/*
 * From now on, and for all systems, the code of a loaded library is as actors'
 * own: a fault there, or in an actor's function that it called, ends the actor
 * and not the process (GR_GRADE_TRAP). To be said only of libraries that hold
 * no lock, and nothing else that others need, while they compute or call back.
 * The executable's code, and that of libraries in which behaviours have
 * functions, is so anyway. `name` is as the loader knows it: "libparse.so.2".
 * The library stays loaded.
 * Errors:  GR_EINVAL (no name), GR_ENOENT (no such library is loaded),
 *          GR_ENOTSUP (libc, an allocator, this library), GR_ELIMIT, GR_ENOMEM.
 * Threads: any.
 */
GR_API GR_MUST_CHECK int gr_trap_library(const char *name);

/* Threads: any. */
GR_API void gr_system_stats(gr_system *sys, gr_stats *out);
GR_API gr_node gr_system_node(const gr_system *sys);
/* Writes one line, without its newline, to the system's log, if lines of that
 * level are logged; 1023 bytes of it at most. */
GR_API void gr_log(gr_actor *self, gr_log_level level, const char *line);

/* What one actor has done since it began. Bytes are of payload, in msgpack,
 * without those of blobs that were moved. */
typedef struct gr_actor_info {
    uint64_t received;       /* messages, answers and timers given to it */
    uint64_t bytes_received; /* of these */
    uint64_t sent;           /* messages, asks and answers accepted from it */
    uint64_t bytes_sent;     /* of these */
    uint64_t dropped;        /* by its mailbox's policy, GR_FULL_DROP_NEW or
                                GR_FULL_DROP_OLD; the log names it at the first
                                and each doubling */
    uint32_t waiting;        /* messages in its mailbox, a few more or fewer */
    uint64_t memory;         /* bytes that count in its limits.memory_max; 0: it
                                has none, and nobody counts */
    uint64_t mailbox_bytes;  /* of these: of messages in its mailbox */
} gr_actor_info;

/*
 * Looks at an actor from outside, while it runs; it is not disturbed.
 * Errors:  GR_EINVAL (nobody), GR_ENOPROC (it has ended, or never was),
 *          GR_ENOTSUP (it is of another node).
 * Threads: any.
 */
GR_API GR_MUST_CHECK int gr_actor_inspect(gr_system *sys, gr_pid pid,
                                          gr_actor_info *out);

/*
 * From now on (or no longer) this actor gets a message
 * ["gr.dead_letter", from pid, to pid, reason text, message text] for each dead
 * letter of its system, as a best effort: those are never dead letters
 * themselves. The reason of a message that was not handled, but whose tag some
 * gr_match knew, says what kept it from matching: "not handled: argument 1 is
 * 300 (wanted: int8)". The log has a summary in any case: the first, then one
 * line at each doubling of their number. Errors: GR_ENOMEM.
 */
GR_API GR_MUST_CHECK int gr_watch_dead_letters(gr_actor *self, bool on);

GR_END_DECLS

#endif /* GREENROOM_SYSTEM_H */
