/*
 * transport/rights.h - what a peer may do, looked at frame by frame.
 *
 * A peer whose rights name what it may reach knows only the actors that it was
 * told of: by the agent, which answers whereis and spawn, or by themselves,
 * when they wrote to it, asked or answered it, linked or monitored. A pid that
 * was guessed, or heard on an earlier connection, reaches nobody; nor does one
 * in a payload of another actor's, because that may only repeat what the peer
 * has written. What was told and not used while GRI_TOLD_MAX others were is
 * forgotten. For all other peers nothing of this is kept or looked at.
 *
 * Pure; not thread-safe: the peer's lock guards it.
 */
#ifndef GRI_TRANSPORT_RIGHTS_H
#define GRI_TRANSPORT_RIGHTS_H

#include "base/map.h"
#include "transport/frame.h"
#include "transport/trust.h"

/* Pids in each of two tables: at most 4 MB a peer. */
#define GRI_TOLD_MAX ((size_t)1 << 16)

typedef struct gri_leave {
    const gri_rights *may; /* NULL: all */
    gri_map young, old;    /* {id, 0}: told since the last change, and before */
    uint64_t asked;        /* its questions that are not answered yet */
} gri_leave;               /* all zero allows all */

/* What a peer holds by now. */
typedef struct gri_held {
    size_t monitors;
    size_t links;
    bool linked; /* the two actors of this frame are */
} gri_held;

void gri_leave_fini(gri_leave *leave);
/* A frame that has come: may it? Returns 0, GR_EDENIED or GR_ELIMIT. */
int gri_leave_check(gri_leave *leave, const gri_frame *frame,
                    const gri_held *held);
/* A frame that is about to be sent. GR_ENOMEM: it must not be. */
int gri_leave_told(gri_leave *leave, const gri_frame *frame);

#endif /* GRI_TRANSPORT_RIGHTS_H */
