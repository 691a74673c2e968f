/*
 * supervisor/children.h - the children of one supervisor: what state each is
 * in, and how one is run and stopped.
 *
 *              run            started             stop
 *     DOWN ----------> STARTING ------> UP ----------------> STOPPING
 *      ^                  |   \         |  \                    |
 *      |    it failed     |    `--------+---`------------------>|
 *      |<-----------------'             | ended                 | ended
 *      |<-------------------------- ENDED (in a queue)          |
 *      |<-------------------------------------------------------'
 *      `--> WAITING: for its restart
 *
 * Deaths come by a monitor and not by the link, which a child may undo; the
 * link is for the other direction: it ends children whose supervisor was
 * killed.
 */
#ifndef GRI_SUPERVISOR_CHILDREN_H
#define GRI_SUPERVISOR_CHILDREN_H

#include "base/map.h"
#include "supervisor/spec.h"

typedef enum gri_child_state {
    GRI_CHILD_DOWN = 0,
    GRI_CHILD_STARTING, /* spawned; its init has not returned yet */
    GRI_CHILD_UP,
    GRI_CHILD_STOPPING,
    GRI_CHILD_ENDED,  /* its death is not decided upon yet */
    GRI_CHILD_WAITING /* for its restart, in the agenda */
} gri_child_state;

/* An ask that is kept until it can be answered. */
typedef struct gri_kept {
    const gr_msg *msg;
    struct gri_kept *next;
} gri_kept;

typedef struct gri_child {
    const gri_child_spec *spec;
    gr_values args;
    gri_child_state state;
    gr_pid pid;      /* STARTING, UP, STOPPING; nobody: another node has not
                        answered yet */
    uint64_t token;  /* of that question, or 0 */
    gr_reader nodes; /* that were not tried yet for this run */
    bool retry;      /* ENDED: not by a death; it has waited long enough */
    bool killed;     /* STOPPING: not only asked to */
    gr_pid address; /* of a stable one: that of all its runs, once it had one */
    bool has_ended; /* a run of it; how: */
    gr_exit_reason why;
    int64_t due_ms;     /* WAITING: until then */
    size_t appointment; /* the place in the agenda, counted from 1; 0: none */
    struct gri_child *next_queued; /* in the queue of the ENDED */
    /* Its history: */
    int64_t started_ms; /* -1: never */
    uint64_t restarts;
    uint32_t failures; /* in a row, of a child with a back-off */
    uint32_t overdue;  /* times that it was killed as it did not stop */
    /* Of a child of a spec: */
    uint32_t index;
    /* Of a dynamic child: */
    struct gri_child *prev, *next; /* all of them, in the order of start */
    gr_pid was;          /* the pid of the last run that had started */
    const gr_msg *asked; /* by whom it is started, until it has started */
    gri_kept *stoppers;  /* who asked for its end */
} gri_child;

/* The runs of all children. */
typedef struct gri_runs {
    gri_map by_pid;          /* and by token */
    uint64_t tokens;         /* questions to other nodes so far */
    gr_receive_fn *answered; /* what their answers go to; the token is that of
                                the child */
    gr_receive_fn *ready;    /* what a branch's answer goes to, when all its
                                children have started; the token is its id */
} gri_runs;

typedef struct gri_queue {
    gri_child *first, *last;
} gri_queue;

void gri_queue_push(gri_queue *queue, gri_child *child);
gri_child *gri_queue_pop(gri_queue *queue); /* or NULL */
void gri_queue_remove(gri_queue *queue, gri_child *child);

/*
 * Runs a child, for the first time or again; `runs` finds it from now on. It
 * goes to STARTING; gr_match_started and gr_match_down tell what became of it,
 * or, on another node, the node's answer. Every run of a child begins here.
 * Errors: as gr_spawn, GR_ENOCONN (none of its nodes is up); the child is DOWN
 * then.
 */
int gri_child_run(gr_actor *self, gri_runs *runs, gri_child *child);
/* Its run is over, and ended like that: forgets the pid, remembers the end. */
void gri_child_over(gri_runs *runs, gri_child *child,
                    const gr_exit_reason *why);
/* Asks a child to stop, or kills it if its spec says so or it cannot be asked.
 * It goes to STOPPING. Errors: as gr_kill. */
int gri_child_stop(gr_actor *self, gri_child *child);
/* It is down, and will not run again; or not at the same address. */
void gri_child_forget(gr_actor *self, gri_child *child);
/* Errors: as gr_kill. */
int gri_child_kill(gr_actor *self, gri_child *child);
/* Asks a branch, which is STARTING, when all its children have started: what
 * comes goes to runs->ready. Errors: as gr_ask. */
int gri_child_ask_ready(gr_actor *self, const gri_runs *runs, gr_pid branch);
gri_child *gri_child_of(const gri_runs *runs, gr_pid pid); /* or NULL */
/* The child behind a question to another node, or NULL. */
gri_child *gri_child_of_token(const gri_runs *runs, uint64_t token);

/* ---- remote.c ------------------------------------------------------------ */

/* Of gri_child_run: the same on this node. */
int gri_child_run_here(gr_actor *self, gri_runs *runs, gri_child *child);
/* Of gri_child_run: asks the next node of its list that is up. */
int gri_remote_run(gr_actor *self, gri_runs *runs, gri_child *child);
/* Takes a node's answer: the address of the child's new run, which is tied to
 * the supervisor then. Errors: those of gr_monitor, gr_link; no memory. It is
 * not tied then, and the caller's to kill. */
int gri_remote_tie(gr_actor *self, gri_runs *runs, gri_child *child,
                   gr_pid pid);

#endif /* GRI_SUPERVISOR_CHILDREN_H */
