/*
 * mailbox/reserve.h - blocks that are laid aside for what has to be said when
 * there is no memory: that an actor has ended, that a question stays without
 * its answer. Whoever waits for that may wait for nothing else.
 *
 * They are taken when there is nothing else, and laid aside again, one at a
 * time, when there is memory. Under a lock, as this is not for speed.
 */
#ifndef GRI_MAILBOX_RESERVE_H
#define GRI_MAILBOX_RESERVE_H

#include "mailbox/message.h"

/* Before other threads use the depot. Returns 0 or GR_ENOMEM. The blocks are
 * the depot's, and end with it. */
int gri_reserve_init(gri_depot *depot);

/* As gri_msg_signal, of at most GRI_RESERVE_ROOM bytes. NULL: there is no
 * memory, and what was laid aside is used up. */
enum { GRI_RESERVE_ROOM = 128 };
gr_msg *gri_msg_signal_sure(gri_cache *cache, gri_msg_kind kind,
                            const void *payload, size_t len);

#endif /* GRI_MAILBOX_RESERVE_H */
