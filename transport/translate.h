/* transport/translate.h - messages into frames and back. */
#ifndef GRI_TRANSPORT_TRANSLATE_H
#define GRI_TRANSPORT_TRANSLATE_H

#include "mailbox/message.h"
#include "transport/frame.h"

/*
 * The frame that takes msg to the actor `to` of another node; its payload
 * borrows from msg. `here` is this node. Errors: GR_ENOTSUP (a message of a
 * third node's actor cannot be passed on; a kind that does not travel).
 */
int gri_frame_of_msg(gri_frame *out, uint64_t here, gr_pid to,
                     const gr_msg *msg);

/* The message that a frame from the node `there` brings. The frame was read by
 * gri_frame_read, or stands in for one (gri_crossing_lose). NULL: no memory. */
gr_msg *gri_msg_of_frame(gri_cache *cache, uint64_t there,
                         const gri_frame *frame);

#endif /* GRI_TRANSPORT_TRANSLATE_H */
