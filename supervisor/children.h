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
 *      `--> WAITING: a restart failed, and is to be tried again
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
    GRI_CHILD_WAITING /* for its next try */
} gri_child_state;

typedef struct gri_child {
    const gri_child_spec *spec;
    gr_values args;
    gri_child_state state;
    gr_exit_reason why; /* ENDED: how */
    bool retry;         /* ENDED: not by a death; it has waited long enough */
    gr_pid pid;         /* STARTING, UP, STOPPING */
    /* The queue of the ENDED, the list of the WAITING: never in both. */
    struct gri_child *next_queued;
    /* Of a dynamic child: */
    struct gri_child *prev, *next; /* all of them, in the order of start */
    const gr_msg *asked; /* by whom it is started, until it has started */
} gri_child;

typedef struct gri_queue {
    gri_child *first, *last;
} gri_queue;

void gri_queue_push(gri_queue *queue, gri_child *child);
gri_child *gri_queue_pop(gri_queue *queue); /* or NULL */
void gri_queue_remove(gri_queue *queue, gri_child *child);

/*
 * Runs a child, for the first time or again; `by_pid` finds it from now on. It
 * goes to STARTING; gr_match_started and gr_match_down tell what became of it.
 * Every run of a child begins here.
 * Errors: as gr_spawn; the child is DOWN then.
 */
int gri_child_run(gr_actor *self, gri_map *by_pid, gri_child *child);
/* Forgets the pid of a run that is over. */
void gri_child_over(gri_map *by_pid, gri_child *child);
/* Asks a child to stop, or kills it if its spec says so or it cannot be asked.
 * It goes to STOPPING. Errors: as gr_kill. */
int gri_child_stop(gr_actor *self, gri_child *child);
gri_child *gri_child_of(const gri_map *by_pid, gr_pid pid); /* or NULL */

#endif /* GRI_SUPERVISOR_CHILDREN_H */
