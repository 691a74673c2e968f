/*
 * transport/offenders.h - the names of nodes that have broken a rule, and for
 * how long none of them is taken.
 *
 * A node that is cut costs its peers least if it stays away: so each time its
 * name is refused for a pause that doubles, as long as the pauses between our
 * own dials are. Who behaves for a while begins anew. It does not double for
 * one that was cut because too much waited for it: it may read as fast as it
 * can. Only what proven nodes do counts.
 *
 * Pure; not thread-safe: the agent's.
 */
#ifndef GRI_TRANSPORT_OFFENDERS_H
#define GRI_TRANSPORT_OFFENDERS_H

#include "transport/places.h"

enum {
    /* Names. One more takes the place of the one whose pause ends first: with
     * one secret for many names a node has as many as it likes. */
    GRI_OFFENDERS_MAX = 64
};

typedef struct gri_offender {
    char name[GR_NODE_NAME_MAX + 1]; /* "": nobody */
    int64_t pause_ms;
    int64_t until; /* ns */
} gri_offender;

typedef struct gri_offenders {
    gri_offender list[GRI_OFFENDERS_MAX];
} gri_offenders; /* all zero: there are none */

/* The node of that name was cut. doubles: the pause, if there was one of late.
 */
void gri_offenders_add(gri_offenders *o, const char *name, bool doubles,
                       const gri_redial *pace, int64_t now);

/* Is it to stay away? */
bool gri_offenders_has(const gri_offenders *o, const char *name, int64_t now);

#endif /* GRI_TRANSPORT_OFFENDERS_H */
