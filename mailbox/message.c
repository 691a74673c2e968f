/* mailbox/message.c - making messages. */
#include "mailbox/message.h"

#include <string.h>

gr_msg *gri_msg_signal(gri_cache *cache, gri_msg_kind kind, const void *payload,
                       size_t len)
{
    static const uint8_t empty_list = 0x90;
    if (len == 0) {
        payload = &empty_list;
        len = 1;
    }
    gr_msg *msg = gri_msg_new(cache, gri_with_trailer(len));
    if (msg == NULL) {
        return NULL;
    }
    msg->kind = (uint8_t)kind;
    msg->flags = GRI_MSG_TRAILER;
    msg->len = (uint32_t)len;
    memcpy(gri_msg_payload(msg), payload, len);
    *gri_msg_trailer(msg) = (gri_trailer){0};
    return msg;
}
