/*
 * supervisor/state.h - one supervisor, and how its files divide the work.
 *
 *   supervisor.c  the actor: takes messages in, answers asks, ends
 *   ordered.c     the children of a spec: one at a time, in order
 *   dynamic.c     those of simple_one_for_one: each for itself
 *
 * Nothing here waits. What takes time (a child's init, a child's end) is
 * begun, noted in the child's state, and gone on with when the message about
 * it comes; so a supervisor can be told to stop at any moment.
 */
#ifndef GRI_SUPERVISOR_STATE_H
#define GRI_SUPERVISOR_STATE_H

#include "supervisor/children.h"
#include "supervisor/strategy.h"

/* What ordered.c is at: first stop [first, at) downwards, then start [at, end)
 * upwards. */
typedef enum gri_step {
    GRI_STEP_NONE = 0,
    GRI_STEP_STOP,
    GRI_STEP_START
} gri_step;

typedef struct gri_work {
    gri_step step;
    uint32_t first, end, at;
} gri_work;

/* Who asks for a child that is not there yet. */
typedef struct gri_ask {
    const gr_msg *msg;
    uint32_t index;
    struct gri_ask *next;
} gri_ask;

/* Asks that wait in one supervisor; more get GR_EAGAIN. As many as a mailbox
 * takes by default. */
enum { GRI_ASKS_WAITING_MAX = 100000 };

typedef struct gri_supervisor gri_supervisor;

/* What ordered.c and dynamic.c do differently when a message came. Errors of
 * these are failures of the supervisor itself (no memory). */
typedef struct gri_supervisor_ops {
    int (*started)(gr_actor *self, gri_supervisor *s, gri_child *child);
    int (*ended)(gr_actor *self, gri_supervisor *s, gri_child *child,
                 const gr_exit_reason *why);
    int (*again)(gr_actor *self, gri_supervisor *s);    /* try the WAITING */
    int (*deadline)(gr_actor *self, gri_supervisor *s); /* of the STOPPING */
    /* It is ending: stop all children, then call gri_supervisor_exit. */
    int (*end)(gr_actor *self, gri_supervisor *s);
} gri_supervisor_ops;

/* Its memory is malloc's and ends with the actor (gr_on_exit), as children
 * come and go. */
struct gri_supervisor {
    const gri_supervisor_ops *ops;
    gri_spec spec;
    gri_intensity window;
    gr_pid parent;
    gri_map by_pid;
    bool started; /* the first start is over */
    bool ending;  /* stops its children, then ends as `final` says */
    bool armed;   /* the timer of the next try runs */
    gr_exit_reason final;
    gr_timer deadline; /* of the children that are stopping */
    gri_queue ended;
    gri_queue waiting;
    gri_ask *asks;
    uint32_t asks_n;
    /* ordered.c */
    gri_child *children; /* one for each of the spec */
    gri_work work;
    /* dynamic.c */
    gri_child *first, *last;
};

/* Tags of the timers' messages. */
#define GRI_TAG_DEADLINE "gr.supervisor.deadline"
#define GRI_TAG_AGAIN    "gr.supervisor.again"

/* ---- supervisor.c ------------------------------------------------------- */

/* Stops the children, then ends for the reason `why`. The first call counts. */
int gri_supervisor_end(gr_actor *self, gri_supervisor *s,
                       const gr_exit_reason *why);
/* The same because of too many restarts. */
int gri_supervisor_give_up(gr_actor *self, gri_supervisor *s);
/* The last child is gone: ends the actor. */
void gri_supervisor_exit(gr_actor *self, gri_supervisor *s);
/* Answers the asks that can be answered now. */
void gri_supervisor_answer(gr_actor *self, gri_supervisor *s);
/* Starts or cancels the timer that ops->deadline is called by. */
int gri_supervisor_arm_deadline(gr_actor *self, gri_supervisor *s, int64_t ms);
void gri_supervisor_cancel_deadline(gr_actor *self, gri_supervisor *s);
/* A restart failed: the child is WAITING until ops->again is called. */
int gri_supervisor_wait(gr_actor *self, gri_supervisor *s, gri_child *child);
/* The error that stands for a reason, where only a code can be told. */
int gri_code_of(const gr_exit_reason *why);

/* ---- ordered.c and dynamic.c -------------------------------------------- */

extern const gri_supervisor_ops gri_ordered;
int gri_ordered_start(gr_actor *self, gri_supervisor *s);

extern const gri_supervisor_ops gri_dynamic;
/* Answers `msg`, or keeps it until the child has started. */
int gri_dynamic_start_child(gr_actor *self, gri_supervisor *s,
                            const gr_msg *msg, gr_any args);
/* Frees what is left of the children when the actor is gone. */
void gri_dynamic_free(gri_supervisor *s);

#endif /* GRI_SUPERVISOR_STATE_H */
