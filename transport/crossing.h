/*
 * transport/crossing.h - what is tied across one connection: the questions that
 * wait for an answer, the monitors and links. Kept so that the loss of the
 * connection ends each of them once.
 *
 * The tables follow the frames: whoever writes or reads one tells it here
 * first. Ids are those of actors: `here` on this node, `there` on the other.
 * Not thread-safe: the peer's lock guards it.
 */
#ifndef GRI_TRANSPORT_CROSSING_H
#define GRI_TRANSPORT_CROSSING_H

#include "base/map.h"
#include "transport/rights.h"

/* Entries of one table; so many cost a peer less than 100 MB of our memory. */
#define GRI_CROSSINGS_MAX ((size_t)1 << 20)

typedef struct gri_crossing {
    gri_map asks;     /* {asker here, ref}; confirmed sends, too */
    gri_map watching; /* {watcher here, ref}: a tie to whom is watched there */
    gri_map watched;  /* {watcher there, ref}: a tie to whom is watched here */
    gri_map links;    /* {here, there}: the last LINKs each way */
    gri_leave leave;  /* what the other node may do */
} gri_crossing;       /* all zero is an empty one */

/* Forgets and frees all. */
void gri_crossing_fini(gri_crossing *c);

/*
 * Notes a frame that is about to be sent. Errors: GR_ENOMEM, GR_ELIMIT
 * (GRI_CROSSINGS_MAX), GR_EEXIST (an EXIT with a status: it refuses a LINK of
 * the other side's, and meanwhile we have sent one); nothing is noted then, and
 * it must not be sent.
 */
int gri_crossing_out(gri_crossing *c, const gri_frame *frame);

/* A frame that has come, before it is noted: may it? Returns 0; GR_EDENIED or
 * GR_ELIMIT: it is not to be noted or delivered; GR_EEXIST: nor that, and no
 * peer may send it: a MONITOR with the number of one that is open, so that one
 * of the two would end with neither of them. */
int gri_crossing_check(gri_crossing *c, const gri_frame *frame);

/*
 * Notes a frame that has come. Returns 1: give it to its receiver; 0: it is the
 * answer to nothing (an ask or monitor that is none of this connection's), drop
 * it. Errors: as gri_crossing_out, and the frame is not to be delivered.
 */
int gri_crossing_in(gri_crossing *c, const gri_frame *frame);

/* What a loss means for one tie, as the frame that would have told it if the
 * other node had ended each of its actors: REPLY (status GR_ENOCONN), DOWN,
 * EXIT (GR_EXIT_NOCONNECTION; ref: see gri_exit_ends), and DEMONITOR for its
 * watchers. */
typedef void gri_crossing_fn(void *arg, const gri_frame *frame);

/* Calls fn for every tie and empties the tables. */
void gri_crossing_lose(gri_crossing *c, gri_crossing_fn *fn, void *arg);

#endif /* GRI_TRANSPORT_CROSSING_H */
