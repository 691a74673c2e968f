/*
 * transport/discovery.h - addresses that a gr_discovery finds are kept.
 *
 * Each has an actor, that looks now and then, and a hunt: what has been found.
 * The net has a list of them, so that one whose actor never began is ended with
 * the net.
 */
#ifndef GRI_TRANSPORT_DISCOVERY_H
#define GRI_TRANSPORT_DISCOVERY_H

#include "transport/net.h"

enum {
    GRI_FOUND_TEXT = 400 /* bytes of why a look failed, with a zero byte */
};

struct gr_found {
    char **list;
    uint32_t count, room;
    char text[GRI_FOUND_TEXT]; /* "": nothing was said */
};

/* Frees what is in it. */
void gri_found_fini(gr_found *found);

typedef struct gri_hunt gri_hunt;
struct gri_hunt {
    gri_hunt *next; /* under net->lock */
    gri_net *net;
    uint64_t id;
    gr_discovery d;
    gr_found kept; /* the actor's: what it keeps; text: the last error */
    int rc;        /* the actor's: of the last look */
    uint64_t mark; /* the actor's: of what the last good look has found */
};

/* Ends all that are left: no actor is. */
void gri_hunts_fini(gri_net *net);

#endif /* GRI_TRANSPORT_DISCOVERY_H */
