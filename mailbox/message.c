/* mailbox/message.c - making messages. */
#include "mailbox/message.h"

#include <string.h>

/* So that a program that is given the message may look for a tag. */
static const uint8_t empty_list = 0x90;

void gri_msg_be_signal(gr_msg *msg, gri_msg_kind kind, const void *payload,
                       size_t len)
{
    if (len == 0) {
        payload = &empty_list;
        len = 1;
    }
    msg->kind = (uint8_t)kind;
    msg->flags = GRI_MSG_TRAILER;
    msg->len = (uint32_t)len;
    memcpy(gri_msg_payload(msg), payload, len);
    *gri_msg_trailer(msg) = (gri_trailer){0};
}

gr_msg *gri_msg_signal(gri_cache *cache, gri_msg_kind kind, const void *payload,
                       size_t len)
{
    gr_msg *msg = gri_msg_new(cache, gri_with_trailer(len > 0 ? len : 1));
    if (msg != NULL) {
        gri_msg_be_signal(msg, kind, payload, len);
    }
    return msg;
}
