/*
 * base/world.h - the virtual time of deterministic systems, and what happens in
 * it: turns of the systems that live there, their timers, and events of others,
 * such as bytes that arrive. One system alone has a world to itself; those that
 * a simulated network joins share one.
 *
 * What could happen now happens in an order chosen by chance. When nothing can,
 * the clock jumps to what is due next.
 *
 * Threads: one.
 */
#ifndef GRI_BASE_WORLD_H
#define GRI_BASE_WORLD_H

#include "base/clock.h"
#include "base/rng.h"

typedef struct gri_happening gri_happening;
struct gri_happening {
    void (*run)(
        gri_happening *event); /* the owner's; not armed any more then */
    int64_t due_ns;
    /* the world's: a pairing heap (Fredman, Sedgewick, Sleator and Tarjan,
     * 1986), so that arming needs no memory */
    uint64_t order;
    gri_happening *child, *next, *prev; /* prev: a brother, or the parent */
    bool armed;
};

/* A system that lives there. The owner's, but for `next`. */
typedef struct gri_member gri_member;
struct gri_member {
    gri_member *next;
    bool (*ready)(gri_member *member); /* it has a turn to run */
    void (*turn)(gri_member *member);
    int64_t (*next_ns)(gri_member *member); /* its first timer, or GRI_NEVER */
    void (*fire)(gri_member *member);       /* those that are due */
    const uint64_t *trace;                  /* a hash of its own choices */
};

typedef struct gri_world {
    int64_t now_ns;
    gri_rng rng;
    uint64_t trace; /* of all choices made; of a world that is shared */
    bool is_shared; /* constant */
    gri_member *members;
    gri_happening *events; /* the first one */
    uint64_t orders;
    unsigned busy; /* turns since time last passed */
} gri_world;

/* A simulated network (sim.h) begins with its world. */
struct gr_sim_net;
static inline gri_world *gri_world_of(struct gr_sim_net *net)
{
    return (gri_world *)(void *)net;
}

/* seed: of the choices of a world that is shared; 0: it is not. */
void gri_world_init(gri_world *world, uint64_t seed);
/* Members that come first have no more turns than others. */
void gri_world_join(gri_world *world, gri_member *member);
/* Nothing, if it is not there. */
void gri_world_leave(gri_world *world, gri_member *member);

/* event->run is called at due_ns (at once if that is past). It must not be
 * armed. Keeps it until then, or until it is disarmed. */
void gri_world_arm(gri_world *world, gri_happening *event, int64_t due_ns);
/* The same, earlier: does nothing to one that is armed for due_ns or before. */
void gri_world_hasten(gri_world *world, gri_happening *event, int64_t due_ns);
/* Nothing, if it is not armed. */
void gri_world_disarm(gri_world *world, gri_happening *event);

/* Does one of the things that can be done now; false: there is none. */
bool gri_world_run(gri_world *world);
/* The same or, if there is none, or if time stood still for long, moves the
 * clock to what is due next, but not past until_ns. False: there is nothing to
 * do before that. */
bool gri_world_step(gri_world *world, int64_t until_ns);

#endif /* GRI_BASE_WORLD_H */
