/* mailbox/message.c - making messages. */
#include "mailbox/message.h"

#include <string.h>

/* So that a program that is given the message may look for a tag. */
static const uint8_t empty_list = 0x90;

static inline void fill(gr_msg *msg, gri_msg_kind kind, const void *payload,
                        size_t len)
{
    msg->kind = (uint8_t)kind;
    msg->flags = GRI_MSG_TRAILER;
    msg->len = (uint32_t)len;
    memcpy(gri_msg_payload(msg), payload, len);
    *gri_msg_trailer(msg) = (gri_trailer){0};
}

void gri_msg_be_signal(gr_msg *msg, gri_msg_kind kind, const void *payload,
                       size_t len)
{
    if (len == 0) {
        fill(msg, kind, &empty_list, sizeof empty_list);
    } else {
        fill(msg, kind, payload, len);
    }
}

/* Most have no payload: they have a way of their own, of constants. */
gr_msg *gri_msg_signal(gri_cache *cache, gri_msg_kind kind, const void *payload,
                       size_t len)
{
    gr_msg *msg;
    if (len == 0) {
        msg = gri_msg_new(cache, gri_with_trailer(sizeof empty_list));
        if (msg != NULL) {
            fill(msg, kind, &empty_list, sizeof empty_list);
        }
        return msg;
    }
    msg = gri_msg_new(cache, gri_with_trailer(len));
    if (msg != NULL) {
        fill(msg, kind, payload, len);
    }
    return msg;
}
