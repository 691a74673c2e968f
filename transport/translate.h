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

/* Bytes of payload from which on a message goes from its own memory. That is a
 * send of its own: shorter ones cost less if they are copied and sent together.
 */
enum { GRI_OWN_MIN = 32 * 1024 };

/* Whether a plain message can go so (gri_frame.own). The head of its SEND then
 * stands right before the payload, where the end of the message's was. */
static inline bool gri_msg_may_be_frame(const gr_msg *msg)
{
    _Static_assert(sizeof *msg >= GRI_SEND_HEAD, "a SEND's head fits");
    return msg->len >= GRI_OWN_MIN &&
           msg->len <= GRI_FRAME_DIRECT_MAX - GRI_SEND_HEAD &&
           gri_is_large(msg->class_);
}

/* The message that a frame from the node `there` brings. The frame was read by
 * gri_frame_read, or stands in for one (gri_crossing_lose). NULL: no memory. */
gr_msg *gri_msg_of_frame(gri_cache *cache, uint64_t there,
                         const gri_frame *frame);

#endif /* GRI_TRANSPORT_TRANSLATE_H */
