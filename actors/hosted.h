/*
 * actors/hosted.h - a system that has one actor, which is another's.
 *
 * In the process of a process actor (process/actor_child.c) runs a system of
 * this kind: it has the node number of the system that spawned the actor, and
 * the actor stands in the slot and has the run that its pid says. So no pid
 * means anything else than it does outside. All that the actor sends goes
 * through `route`, what it sends to itself, too; and what it receives is pushed
 * by gri_hosted_push. State, timers, questions, kept and stashed messages are
 * the system's own.
 */
#ifndef GRI_ACTORS_HOSTED_H
#define GRI_ACTORS_HOSTED_H

#include <greenroom/system.h>

#include "actors/route.h"
#include "base/fault.h"

typedef enum gri_name_verb {
    GRI_NAME_TAKE = 1, /* gr_register */
    GRI_NAME_GIVE,     /* gr_unregister */
    GRI_NAME_FIND      /* gr_whereis */
} gri_name_verb;

typedef enum gri_held {
    GRI_HELD_NOT = 0,
    GRI_HELD_KEPT,   /* by gr_keep */
    GRI_HELD_STASHED /* by gr_stash: not handled yet */
} gri_held;

/*
 * What the system tells of its actor, on the worker, in the order in which it
 * happens. Ids are those that the messages were pushed with; 0: a signal, or a
 * callback that nothing from outside has caused.
 */
typedef struct gri_hosted gri_hosted;
struct gri_hosted {
    gri_route route; /* its net is the gri_hosted */
    bool timed;      /* begins and ends are wanted of its own callbacks, too */
    void (*begins)(gri_hosted *host, uint64_t id);
    /* The handler returned. A held message will be named once more. */
    void (*ends)(gri_hosted *host, uint64_t id, gri_held held);
    void (*unhandled)(gri_hosted *host, uint64_t id);
    /* A fault ends the process, soon. In a signal handler, on the worker; a
     * second time if that faults. */
    void (*dies)(gri_hosted *host, const gri_fault *fault);
    /* The last word. id: the message that the actor failed at, or 0. */
    void (*ended)(gri_hosted *host, uint64_t id, const gr_exit_reason *why);
    /* Waits for the answer. Errors: as gr_register and its like. */
    int (*name)(gri_hosted *host, gri_name_verb verb, const char *name,
                gr_pid *out);
};

/* gr_system_start of such a system. Keeps host, which outlives it. */
int gri_hosted_system(const gr_system_opts *opts, uint64_t node,
                      gri_hosted *host, gr_system **out);

typedef struct gri_hosted_spawn {
    const gr_behavior *behavior;
    gr_pid pid, parent;
    gr_any args;       /* an encoded array */
    uint32_t hard;     /* messages: the bound of its stash */
    size_t memory_max; /* bytes; 0: none */
} gri_hosted_spawn;

/* Starts its one actor. Once its init has returned 0 the route is given a
 * STARTED. Errors: GR_EINVAL, GR_ENOMEM. */
int gri_hosted_spawn_actor(gr_system *sys, gri_cache *cache,
                           const gri_hosted_spawn *how);

/* Gives the actor a message or a signal, which has a trailer; takes it. Of a
 * USER message trailer.extra is its id, and trailer.ref, too, if it is asked.
 * One thread. */
void gri_hosted_push(gr_system *sys, gri_cache *cache, gr_pid to, gr_msg *msg);

#endif /* GRI_ACTORS_HOSTED_H */
