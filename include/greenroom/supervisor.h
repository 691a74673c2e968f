/*
 * greenroom/supervisor.h - actors that start others and restart them when they
 * fail, as in Erlang/OTP's supervisor, whose terms these are.
 */
#ifndef GREENROOM_SUPERVISOR_H
#define GREENROOM_SUPERVISOR_H

#include <greenroom/actor.h>

GR_BEGIN_DECLS

/* Whom to restart when a child ended and is to be restarted. */
typedef enum gr_strategy {
    GR_ONE_FOR_ONE = 0,   /* that child */
    GR_ONE_FOR_ALL,       /* all children */
    GR_REST_FOR_ONE,      /* that child and those started after it */
    GR_SIMPLE_ONE_FOR_ONE /* that child; children are started at run time from
                             the first and only spec, with more arguments */
} gr_strategy;

/* When a child that ended is restarted. */
typedef enum gr_restart {
    GR_PERMANENT = 0, /* always */
    GR_TRANSIENT,     /* unless it ended normally or by shutdown */
    GR_TEMPORARY      /* never */
} gr_restart;

#define GR_CHILD_STOP_MS_DEFAULT 5000
#define GR_CHILD_KILL            (-1) /* stop_max_ms: kill at once */
#define GR_RESTARTS_MAX_DEFAULT  1    /* restarts within a period of ... */
#define GR_PERIOD_MS_DEFAULT     5000
#define GR_RESTARTS_NONE         UINT32_MAX /* restarts_max: not a single one */
#define GR_RESTARTS_MAX          (1u << 20) /* restarts_max; each takes 8 bytes */
/* Children of one spec; a family without a limit is what simple_one_for_one is
 * for. */
#define GR_CHILDREN_MAX 4096u

/* One child. Everything is copied during gr_supervise; behaviours stay. */
typedef struct gr_child {
    const char *id; /* required, unique among the children */
    const gr_behavior *behavior;
    gr_values args;
    gr_restart restart;
    int64_t stop_max_ms; /* then it is killed; 0: the default; GR_CHILD_KILL;
                            GR_FOREVER is not offered: shutdown is bounded */
    const char *name;    /* registered by each run of it; may be NULL */
    gr_grade grade;      /* as those of gr_spawn_opts */
    gr_limits limits;
} gr_child;

/* A child whose init calls gr_exit(self, 0, ...) says that there is nothing to
 * do for it: it stays down, and the others start as if it had started. */

typedef struct gr_supervisor {
    gr_strategy strategy;
    uint32_t restarts_max;    /* 0: the default; GR_RESTARTS_NONE; at most
                                 GR_RESTARTS_MAX */
    int64_t period_ms;        /* 0: the default */
    const gr_child *children; /* ends at {0} */
    const char *name;         /* of the supervisor; may be NULL */
} gr_supervisor;

/*
 * Starts a supervisor linked to the caller, and its children in order: the next
 * when init of the one before has returned 0. Returns before they run: whoever
 * asks the supervisor (gr_child_pid, or ["gr.started"], answered the same) is
 * answered when all have started. If one does not start, those before it are
 * stopped and the supervisor ends with its error. A child that is itself a
 * supervisor has started when all its children have.
 *
 * A child that ended is restarted as its `restart` and the strategy say. A
 * restart that fails is one more restart, and is tried again. More than
 * restarts_max restarts within period_ms: the supervisor stops its children and
 * ends with GR_EXIT_LIMIT.
 *
 * Told to stop, or when its starter ends (however it did), it stops its
 * children in reverse order, each within its stop_max_ms and the next when the
 * one before has ended (those of simple_one_for_one all at once), and ends with
 * GR_EXIT_SHUTDOWN, or as its starter did. A supervisor that is killed takes
 * its children with it, by their links.
 *
 * Errors:  GR_EINVAL (no or two equal ids, no behaviour or one that gr_spawn
 *          refuses, a negative time; of simple_one_for_one: no or several
 *          children, or one with a name), GR_ELIMIT (GR_CHILDREN_MAX,
 *          GR_RESTARTS_MAX), and those of gr_spawn.
 */
GR_API GR_MUST_CHECK int gr_supervise(gr_actor *self, const gr_supervisor *spec,
                                      gr_pid *out);

/* The same as a child of another supervisor: a behaviour and its arguments, for
 * this node only. gr_supervisor_args copies spec into the caller's arena
 * (gr_alloc); *out lives as long as the caller. Errors: as gr_supervise. */
GR_API extern const gr_behavior gr_supervisor_behavior;
GR_API GR_MUST_CHECK int
gr_supervisor_args(gr_actor *self, const gr_supervisor *spec, gr_values *out);

/*
 * The present pid of a child. Waits up to 5 s: until all have started, and
 * while the child is being restarted.
 * Errors: GR_ENOENT (no such id), GR_ENOPROC (the supervisor is gone or ending,
 * or the child ended for good), GR_EAGAIN (too many wait), GR_ETIMEOUT,
 * GR_ENOTSUP (self is not a thread actor), GR_ENOREPLY or GR_EREPLY (that actor
 * is no supervisor: it gave no answer, or another one), and those of gr_call.
 * Handler actors ask the supervisor: ["gr.child", id], answered
 * ["gr.child", pid].
 */
GR_API GR_MUST_CHECK int gr_child_pid(gr_actor *self, gr_pid supervisor,
                                      const char *id, gr_pid *out);

/*
 * Starts one more child of a simple_one_for_one supervisor, its arguments
 * behind those of the spec, and waits up to 5 s until its init has returned 0.
 * out may be NULL. A child that does not start is not tried again. Handler
 * actors ask ["gr.start_child", [args...]], answered ["gr.child", pid].
 * Errors: those of gr_spawn, the child's own from init, GR_EINVAL (another
 * strategy), GR_ENOPROC (the supervisor is gone or ending, or the child ended
 * in its init without an error), GR_ETIMEOUT, GR_ENOTSUP (self is not a thread
 * actor), GR_ENOREPLY or GR_EREPLY (that actor is no supervisor), and those of
 * gr_call.
 */
GR_API GR_MUST_CHECK int gr_start_child(gr_actor *self, gr_pid supervisor,
                                        gr_values args, gr_pid *out);

GR_END_DECLS

#endif /* GREENROOM_SUPERVISOR_H */
