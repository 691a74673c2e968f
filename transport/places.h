/*
 * transport/places.h - the addresses that this node dials by itself, and when.
 *
 * A place is there because the program keeps it, or because a peer has told of
 * it. It is always one of: due at some time, being dialed, or at rest, because
 * who is there is connected (or is this node). What fails is dialed again after
 * a pause that doubles, of which half is chance: nodes that have lost the same
 * one do not come back at the same moment. What cannot mend by itself has the
 * longest pause at once.
 *
 * Pure, but for a lock: programs add and remove in any thread, the keeper asks
 * when to look, and the agent dials. Nothing is called under the lock.
 */
#ifndef GRI_TRANSPORT_PLACES_H
#define GRI_TRANSPORT_PLACES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <greenroom/node.h>

#include "base/rng.h"

enum {
    GRI_REDIALS_MAX = 32, /* at once: half of GRI_DIALS_MAX, so that who calls
                             gr_node_connect finds room */
    /* Runs of nodes with which the program wants no connection. The oldest is
     * forgotten: it is most likely over. */
    GRI_PARTED_MAX = 256,
    /* A place that only peers have told of is given up when it was not reached,
     * and nobody has told of it again, for so long. */
    GRI_TOLD_MS = 60 * 60 * 1000
};

typedef struct gri_redial {
    int64_t first_ms, max_ms, reset_ms; /* see gr_node_opts */
} gri_redial;

typedef struct gri_place {
    char *address;
    uint64_t node;  /* who is there, as far as known; 0: nobody */
    uint32_t keeps; /* how often the program wants it */
    bool told;      /* peers tell of it */
    bool dialing;   /* the agent has it: it is not freed */
    bool own;       /* where this node itself listens: never dialed */
    bool self;      /* this node itself was there when it was dialed last */
    bool wished;    /* the program has asked for it since it was connected */
    bool by_wish;   /* the agent's: it was so when it was taken */
    int64_t at;     /* ns: when to dial; GRI_NEVER: dialing, or at rest */
    int64_t rest_ms;
    int64_t since;  /* ns: when it was told of last, or connected */
    int rc;         /* how the last dial failed; 0: it did not */
    uint32_t tries; /* that failed in a row */
} gri_place;

typedef struct gri_places {
    /* constant */
    gri_redial pace;
    uint32_t told_max;
    pthread_mutex_t lock;
    /* under lock */
    gri_rng rng;
    gri_place **list;
    uint32_t count, room;
    uint32_t kept, told; /* of them */
    uint32_t dials;      /* under way */
    int64_t next;        /* ns: nothing is due before */
    uint64_t parted[GRI_PARTED_MAX];
    uint32_t parted_at;
} gri_places;

/* seed: of the jitter. Errors: GR_ENOMEM. */
int gri_places_init(gri_places *p, const gri_redial *pace, uint32_t told_max,
                    uint64_t seed);
void gri_places_fini(gri_places *p);

/* When the agent must look; GRI_NEVER: not at all, or not before a dial has
 * ended. Any thread. */
int64_t gri_places_next(gri_places *p);

/* The program wants it once more, or once less. own: it is where this node
 * itself listens. Any thread. Errors: GR_ELIMIT (GR_KEPT_MAX), GR_ENOMEM;
 * GR_ENOENT. */
int gri_places_keep(gri_places *p, const char *address, bool own, int64_t now);
int gri_places_forget(gri_places *p, const char *address);

/* A peer says that this node listens there. `there` says whether that one is
 * connected. Returns 0; GR_ELIMIT (told_max), GR_ENOMEM. The agent. */
int gri_places_tell(gri_places *p, const char *address, uint64_t node,
                    bool there, int64_t now);

/* The one that is to be dialed now, or NULL. From now on the agent has it,
 * until it says what became of that. */
gri_place *gri_places_take(gri_places *p, int64_t now);
/* That node is connected. self: it is this one, or says so; as that is not
 * proven, it is asked again, as seldom as can be. */
void gri_places_met(gri_places *p, gri_place *place, uint64_t node, bool self,
                    int64_t now);
/* It could not be dialed. place may be gone then. */
void gri_places_failed(gri_places *p, gri_place *place, int rc, int64_t now);
/* It was not tried, for want of something here: soon again. */
void gri_places_put_off(gri_places *p, gri_place *place, int64_t now);

/* A node has come, or has gone after so many ns. The agent. */
void gri_places_up(gri_places *p, uint64_t node, int64_t now);
void gri_places_lost(gri_places *p, uint64_t node, int64_t lasted, int64_t now);

/* No place is a reason to connect to that run of a node any more, or again.
 * Any thread. */
void gri_places_part(gri_places *p, uint64_t node);
void gri_places_unpart(gri_places *p, uint64_t node);
bool gri_places_is_parted(gri_places *p, uint64_t node);

/* Writes the first max; returns how many there are. Any thread. */
uint32_t gri_places_list(gri_places *p, gr_known_node *out, uint32_t max,
                         int64_t now);

#endif /* GRI_TRANSPORT_PLACES_H */
