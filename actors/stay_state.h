/* actors/stay_state.h - what a slot has once a stable actor lived there: for
 * stay.c and poison.c. */
#ifndef GRI_ACTORS_STAY_STATE_H
#define GRI_ACTORS_STAY_STATE_H

#include "actors/stay.h"

typedef enum gri_stay_at {
    GRI_STAY_RUNS = 0, /* a run lives there, or is ordered */
    GRI_STAY_ENDED,    /* none, but the last one's turn is not over */
    GRI_STAY_WAITS     /* none, and nobody consumes */
} gri_stay_at;

/* Made when a slot needs its first, and kept for later actors there. */
struct gri_stay {
    gri_stay *next_made; /* constant: of sys->stays */
    gr_actor *slot;      /* constant */
    pthread_mutex_t lock;

    /* Under lock. */
    uint32_t run; /* of the slot: whose this is */
    gri_stay_at at;
    bool given_up; /* no order is taken any more */
    gr_msg *start; /* the order for another run, until its turn takes it */
    gr_pid keeper;
    uint64_t life; /* of the run that lives or is ordered, or was the last;
                      never 0. Its consumer reads it without the lock */

    bool slack; /* under slow_lock: nobody is to wait for it */

    /* The spawner's, before the address is published; then constant. */
    const gr_behavior *behavior;
    uint32_t poison_after;

    /* The keeper's: all that it keeps. */
    gri_stay *prev, *next;

    /* The consumer's. */
    size_t needs;     /* bytes that a run has when it begins, of a limited one;
                         0: none has begun */
    gri_name *name;   /* of the address, between two runs */
    gr_msg *starting; /* a START whose init has not returned */
    gr_msg *front;    /* what the next run is given first, by link; each has
                         GRI_MSG_SAVED, and the first may be `head`, too */
    gri_map failures; /* message -> how many runs have failed on it */
    gr_msg *head;     /* the inbox's, while it is shut, and... */
    gr_msg shut;      /* ...what stands in for it */
    gr_msg *stub;     /* in front of what was put back; a block of the pool */
};

gri_stay *gri_stay_of(const gr_actor *slot); /* NULL: there was none yet */

#endif /* GRI_ACTORS_STAY_STATE_H */
