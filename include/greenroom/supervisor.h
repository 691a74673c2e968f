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

/* When the end of significant children ends the supervisor, with
 * GR_EXIT_SHUTDOWN: such an end is by the child itself, and final (a transient
 * one normally or by shutdown, a temporary one in any way). */
typedef enum gr_auto_shutdown {
    GR_AUTO_NEVER = 0, /* and none may be significant */
    GR_AUTO_ANY,       /* when one of them ended */
    GR_AUTO_ALL        /* when one ended, and no other runs or is restarted */
} gr_auto_shutdown;

#define GR_CHILD_STOP_MS_DEFAULT 5000
#define GR_CHILD_KILL            (-1) /* stop_max_ms: kill at once */
/* What a killed child may still take, as a callback that runs cannot be
 * interrupted. Then it is left behind, and the log names it. */
#define GR_CHILD_KILL_MS        5000
#define GR_RESTARTS_MAX_DEFAULT 1 /* restarts within a period of ... */
#define GR_PERIOD_MS_DEFAULT    5000
#define GR_RESTARTS_NONE        UINT32_MAX /* restarts_max: not a single one */
#define GR_RESTARTS_MAX         (1u << 20) /* restarts_max; each takes 8 bytes */
/* Children of one spec; a family without a limit is what simple_one_for_one is
 * for. */
#define GR_CHILDREN_MAX 4096u

#define GR_BACKOFF_MAX_MS_DEFAULT 30000
#define GR_BACKOFF_FACTOR_DEFAULT 2u
#define GR_BACKOFF_JITTER_DEFAULT 20u        /* percent */
#define GR_BACKOFF_EXACT          UINT32_MAX /* jitter: none */

/*
 * Delays before the restarts of a child that fails again and again. A failure
 * is whatever makes its supervisor restart it. A group is stopped at once, and
 * is started when the delay of the child that failed is over. The restart
 * counts (restarts_max) when it is made.
 *
 * With open_after a circuit breaker is seen in the child: after so many
 * failures in a row it is open as long as the delay lasts (gr_child_pid says
 * GR_EAGAIN at once), then half open, and closed when a run has lasted
 * reset_ms.
 */
typedef struct gr_backoff {
    int64_t first_ms;    /* after the first failure in a row; 0: no delays */
    int64_t max_ms;      /* at most; 0: the default */
    uint32_t factor;     /* from one delay to the next; 0: the default */
    uint32_t jitter;     /* percent, up to 100, by which each is shorter by
                            chance; 0: the default; GR_BACKOFF_EXACT */
    int64_t reset_ms;    /* a run that lasted so long ends the row; 0: max_ms */
    uint32_t open_after; /* failures; 0: the breaker never opens */
} gr_backoff;

#define GR_CHILD_NODES_MAX 64u /* names of nodes in one spec */

/* One child. Everything is copied during gr_supervise; behaviours stay. */
typedef struct gr_child {
    const char *id; /* required, unique among the children */
    const gr_behavior *behavior;
    gr_values args;
    gr_restart restart;
    int64_t stop_max_ms; /* then it is killed; 0: the default, and for a
                            supervisor what its own children may take in all;
                            GR_CHILD_KILL. GR_FOREVER is not offered: shutdown
                            is bounded */
    const char *name;    /* registered by each run of it; may be NULL */
    gr_grade grade;      /* as those of gr_spawn_opts */
    gr_limits limits;
    bool significant; /* see gr_auto_shutdown; not of a permanent one */
    gr_backoff backoff;
    const char *const *nodes; /* ends at NULL; NULL: this node. It runs on the
                                 first of them that is up, where its behaviour
                                 must be spawnable (node.h); it has started when
                                 it was spawned there. If that node is lost it
                                 is restarted, on the first that is up then.
                                 This node may be among them. No supervisor, no
                                 grade, no limits, not stable */
    bool stable; /* pid and mailbox outlive its runs (gr_revive): what is sent
                    to it while it is restarted waits; given up when it stays
                    down for good */
    uint32_t poison_after; /* of a stable one: as that of gr_spawn_opts */
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
    gr_auto_shutdown auto_shutdown;
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
 * ends with GR_EXIT_SHUTDOWN, as in OTP: so one above it restarts it if it is
 * permanent, and not if it is transient. The log says whose end was one too
 * many, and the text of its own end how many were allowed.
 *
 * Told to stop, or when its starter ends (however it did), it stops its
 * children in reverse order, each within its stop_max_ms and the next when the
 * one before has ended (those of simple_one_for_one all at once), and ends with
 * GR_EXIT_SHUTDOWN, or as its starter did. A supervisor that is killed takes
 * its children with it, by their links. The log, and the text of its own end,
 * name the first child that did not stop in time.
 *
 * A temporary child that ended is forgotten, with its spec.
 *
 * Errors:  GR_EINVAL (no or two equal ids, no behaviour or one that gr_spawn
 *          refuses, a negative time, a back-off that makes no sense, a
 *          significant child that is permanent or with GR_AUTO_NEVER, a
 *          supervisor with GR_GRADE_PROCESS; of simple_one_for_one: no or
 *          several children, or one with a name),
 *          GR_ELIMIT (GR_CHILDREN_MAX, GR_RESTARTS_MAX, GR_CHILD_NODES_MAX),
 *          GR_ENOTSUP (self runs in a process of its own), and those of
 *          gr_spawn.
 */
GR_API GR_MUST_CHECK int gr_supervise(gr_actor *self, const gr_supervisor *spec,
                                      gr_pid *out);

/* The same as a child of another supervisor: a behaviour and its arguments, for
 * this system only: in any other, also in that of an actor with a process of
 * its own, the supervisor ends with GR_EDENIED, GR_EINVAL (another node) or
 * GR_ENOTSUP (such a process). gr_supervisor_args copies spec into the caller's
 * arena (gr_alloc); *out lives as long as the caller. Errors: as gr_supervise.
 */
GR_API extern const gr_behavior gr_supervisor_behavior;
GR_API GR_MUST_CHECK int
gr_supervisor_args(gr_actor *self, const gr_supervisor *spec, gr_values *out);

/*
 * The present pid of a child. Waits up to 5 s: until all have started, and
 * while the child is being restarted.
 * Errors: GR_ENOENT (no such id), GR_ENOPROC (the supervisor is gone or ending,
 * or the child ended for good), GR_EAGAIN (its breaker is open, see gr_backoff,
 * or that of the child that its restart waits for; or too many wait),
 * GR_ETIMEOUT,
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

/* ---- changing a supervisor's children at run time ------------------------ */

/*
 * These are OTP's start_child, terminate_child, restart_child and delete_child.
 * They are carried out one after the other, each when no restart is under way
 * (one that waits for its time is none), and return when they are done. Errors
 * of each: GR_ENOPROC (the supervisor is gone or ending), GR_EAGAIN (too many
 * wait), GR_ENOTSUP (self is not a thread actor), GR_ENOREPLY or GR_EREPLY
 * (that actor is no supervisor), and those of gr_call.
 */

/*
 * Adds a child behind all others, and starts it. out may be NULL. One that does
 * not start is not added.
 * Errors: GR_EEXIST (there is a child with that id), GR_EINVAL and GR_ELIMIT
 * (as gr_supervise), GR_ENOTSUP (simple_one_for_one: gr_start_child; a
 * supervisor on another node; self runs in a process of its own), those of
 * gr_spawn, the child's own from init, GR_ENOPROC (it ended in its init without
 * an error: it is added, but does not run).
 */
GR_API GR_MUST_CHECK int gr_add_child(gr_actor *self, gr_pid supervisor,
                                      const gr_child *child, gr_pid *out);
/* The same from a handler actor: copies the spec into the caller's arena, for
 * an ask ["gr.add_child", gr_list_of(out.items, out.n)], answered
 * ["gr.child", pid]. It is for supervisors of this system only; others, and all
 * where the values were made in another way, answer GR_EDENIED or GR_EINVAL.
 * Errors: GR_EINVAL, GR_ELIMIT, GR_ENOMEM, GR_ENOTSUP (self runs in a process
 * of its own). */
GR_API GR_MUST_CHECK int
gr_add_child_args(gr_actor *self, const gr_child *child, gr_values *out);
/*
 * Stops a child, as its stop_max_ms says, or ends its wait for a restart. It
 * stays down until gr_restart_child or the restart of its group, but for a
 * temporary one, which is forgotten. What is down already is no error. It waits
 * as long as that takes. Handler actors ask ["gr.terminate_child", id],
 * answered ["gr.terminated"].
 * Errors: GR_ENOENT (no such id), GR_ENOTSUP (simple_one_for_one: by its pid).
 */
GR_API GR_MUST_CHECK int gr_terminate_child(gr_actor *self, gr_pid supervisor,
                                            const char *id);
/* The same for a child of a simple_one_for_one supervisor, which forgets it.
 * ["gr.terminate_child", pid]. What has ended already is no error. Errors:
 * GR_ENOENT (it lives, or is of another node, and is no child of it),
 * GR_ENOTSUP (another strategy). */
GR_API GR_MUST_CHECK int
gr_terminate_child_pid(gr_actor *self, gr_pid supervisor, gr_pid child);
/*
 * Starts a child that is down, and waits until it has started. It counts as no
 * restart, and what does not start is not tried again. out may be NULL. Handler
 * actors ask ["gr.restart_child", id], answered ["gr.child", pid].
 * Errors: GR_ENOENT (no such id), GR_EEXIST (it runs), GR_EAGAIN (it waits for
 * its restart), GR_ENOTSUP (simple_one_for_one), those of gr_spawn, the child's
 * own from init, GR_ENOPROC (it ended in its init without an error).
 */
GR_API GR_MUST_CHECK int gr_restart_child(gr_actor *self, gr_pid supervisor,
                                          const char *id, gr_pid *out);
/* Forgets a child that is down, with its spec. Handler actors ask
 * ["gr.delete_child", id], answered ["gr.deleted"]. Errors: as
 * gr_restart_child, but for those of starting it. */
GR_API GR_MUST_CHECK int gr_delete_child(gr_actor *self, gr_pid supervisor,
                                         const char *id);

/* ---- looking at a supervisor's children ---------------------------------- */

typedef enum gr_child_state {
    GR_CHILD_DOWN = 0,
    GR_CHILD_STARTING, /* its init has not returned yet */
    GR_CHILD_UP,
    GR_CHILD_STOPPING,
    GR_CHILD_RESTARTING /* it waits for its restart */
} gr_child_state;

/* See gr_backoff. */
typedef enum gr_breaker {
    GR_BREAKER_CLOSED = 0,
    GR_BREAKER_OPEN,
    GR_BREAKER_HALF_OPEN
} gr_breaker;

/* One child, as OTP's which_children and get_childspec tell, and what has
 * become of it. Texts live until the next wait of this actor. */
typedef struct gr_child_info {
    gr_str id;  /* of simple_one_for_one: that of the spec */
    gr_pid pid; /* GR_NOBODY: it does not run */
    gr_child_state state;
    gr_str behavior; /* its name */
    bool is_supervisor;
    gr_restart restart;
    bool significant;
    int64_t stop_max_ms; /* GR_CHILD_KILL; 0: what its own children may take */
    gr_breaker breaker;
    uint64_t restarts;  /* by its supervisor, those of its group counted */
    uint32_t failures;  /* in a row, see gr_backoff */
    uint32_t overdue;   /* times that it was killed as it did not stop */
    int64_t started_ms; /* when it last started, by gr_now_ms; -1: never */
    int64_t wait_ms;    /* GR_CHILD_RESTARTING: what is left to wait */
    bool has_ended;     /* a run of it has ended; how: */
    gr_exit_reason last;
} gr_child_info;

/*
 * Looks at children, in their order, from the child number `from` on (0: the
 * first), up to `max` of them, and stores them in out. Returns how many; 0
 * behind the last. At most GR_CHILDREN_MAX at a time. It says what is now, and
 * waits for nothing. Handler actors ask ["gr.list_children", from, max],
 * answered ["gr.children", [child...]]; docs/supervision.md has the elements.
 * Errors: GR_EINVAL (out is NULL), GR_ENOPROC (the supervisor is gone),
 * GR_ENOTSUP (self is not a thread actor), GR_ENOREPLY or GR_EREPLY (that actor
 * is no supervisor), and those of gr_call.
 */
GR_API GR_MUST_CHECK int gr_list_children(gr_actor *self, gr_pid supervisor,
                                          uint32_t from, gr_child_info *out,
                                          uint32_t max);
/* The same for one child. Handler actors ask ["gr.inspect_child", id], answered
 * ["gr.child_info", child]. Errors: as gr_list_children, and GR_ENOENT (no such
 * id; simple_one_for_one). */
GR_API GR_MUST_CHECK int gr_inspect_child(gr_actor *self, gr_pid supervisor,
                                          const char *id, gr_child_info *out);

typedef struct gr_child_count {
    uint32_t specs;       /* children, of simple_one_for_one: 1 */
    uint32_t active;      /* that run */
    uint32_t supervisors; /* that are supervisors, running or not */
    uint32_t workers;     /* all others, running or not */
} gr_child_count;

/* Handler actors ask ["gr.count_children"], answered
 * ["gr.count", specs, active, supervisors, workers]. Errors: as
 * gr_list_children. */
GR_API GR_MUST_CHECK int gr_count_children(gr_actor *self, gr_pid supervisor,
                                           gr_child_count *out);

GR_END_DECLS

#endif /* GREENROOM_SUPERVISOR_H */
