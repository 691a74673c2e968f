/* mailbox/message.c - making messages. */
#include "mailbox/message.h"

#include <string.h>

gr_msg *gri_msg_new(gri_cache *cache, size_t cap)
{
    uint8_t class_;
    gr_msg *msg = gri_block_alloc(cache, sizeof *msg + cap, &class_);
    if (msg == NULL) {
        return NULL;
    }
    /* relaxed: nobody else knows the block yet. */
    atomic_store_explicit(&msg->next, NULL, memory_order_relaxed);
    msg->from = GR_NOBODY;
    msg->run = 0;
    msg->len = 0;
    msg->kind = GRI_MSG_USER;
    msg->class_ = class_;
    msg->flags = 0;
    return msg;
}

gr_msg *gri_msg_signal(gri_cache *cache, gri_msg_kind kind,
                       const void *payload, size_t len)
{
    gr_msg *msg = gri_msg_new(cache, gri_with_trailer(len));
    if (msg == NULL) {
        return NULL;
    }
    msg->kind = (uint8_t)kind;
    msg->flags = GRI_MSG_TRAILER;
    msg->len = (uint32_t)len;
    if (len > 0) {
        memcpy(gri_msg_payload(msg), payload, len);
    }
    *gri_msg_trailer(msg) = (gri_trailer){0};
    return msg;
}
