/*
 * actors/boxes.h - what a mailbox is to be: as the spawn says, else as the
 * behaviour does; and whether a spawn sets limits.
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

static inline bool gri_has_limits(const gr_limits *l)
{
    return l->memory_max != 0 || l->handler_max_ms != 0 ||
           l->address_space_max != 0 || l->file_size_max != 0 ||
           l->cpu_max_s != 0 || l->files_max != 0 || l->seccomp;
}

#endif /* GRI_ACTORS_BOXES_H */
