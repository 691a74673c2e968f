/*
 * actors/boxes.h - what a mailbox is to be: as the spawn says, else as the
 * behaviour does.
 */
#ifndef GRI_ACTORS_BOXES_H
#define GRI_ACTORS_BOXES_H

#include "actors/internal.h"

static const gr_mailbox gri_no_box = {.full = GR_FULL_FAIL};

/* The behaviour's, which may be NULL. */
static inline const gr_mailbox *gri_box_own(const gr_behavior *b)
{
    return b != NULL ? &b->mailbox : &gri_no_box;
}

static inline gr_full gri_box_full(const gr_mailbox *box, const gr_mailbox *own)
{
    return box->full != GR_FULL_FAIL ? box->full : own->full;
}

static inline gr_pid gri_box_redirect(const gr_mailbox *box,
                                      const gr_mailbox *own)
{
    return gr_pid_is_nobody(box->redirect) ? own->redirect : box->redirect;
}

#endif /* GRI_ACTORS_BOXES_H */
