/* transport/translate.c - see translate.h. */
#include "transport/translate.h"

#include <string.h>

#include "actors/route.h"
#include "base/assert.h"

/* What a kind of message is on the wire. A question is a kind of its own there.
 */
static const struct {
    gri_msg_kind kind;
    gri_frame_type type;
} pairs[] = {
    {GRI_MSG_USER, GRI_FRAME_SEND},
    {GRI_MSG_REPLY, GRI_FRAME_REPLY},
    {GRI_MSG_CONFIRM, GRI_FRAME_CONFIRM},
    {GRI_MSG_STOP, GRI_FRAME_STOP},
    {GRI_MSG_KILL, GRI_FRAME_KILL},
    {GRI_MSG_LINK, GRI_FRAME_LINK},
    {GRI_MSG_UNLINK, GRI_FRAME_UNLINK},
    {GRI_MSG_MONITOR, GRI_FRAME_MONITOR},
    {GRI_MSG_DOWN, GRI_FRAME_DOWN},
    {GRI_MSG_DEMONITOR, GRI_FRAME_DEMONITOR},
    {GRI_MSG_EXIT, GRI_FRAME_EXIT},
    {GRI_MSG_RESUME, GRI_FRAME_RESUME},
};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

static int type_of(const gr_msg *msg, gri_frame_type *out)
{
    for (size_t i = 0; i < PAIRS; i++) {
        if (pairs[i].kind == (gri_msg_kind)msg->kind) {
            bool asked = (msg->flags & GRI_MSG_ASKED) != 0;
            *out = asked ? GRI_FRAME_ASK : pairs[i].type;
            return 0;
        }
    }
    return GR_ENOTSUP; /* a matter between actors of one node */
}

static gri_msg_kind kind_of(gri_frame_type type)
{
    for (size_t i = 0; i < PAIRS; i++) {
        if (pairs[i].type == type) {
            return pairs[i].kind;
        }
    }
    return GRI_MSG_USER; /* ASK */
}

int gri_frame_of_msg(gri_frame *out, uint64_t here, gr_pid to,
                     const gr_msg *msg)
{
    /* A frame speaks for actors of the node that sends it. What a third node's
     * actor sent cannot be passed on: the receiver could not tell that from a
     * forgery. */
    if (msg->from.id != 0 && msg->from.node != here) {
        return GR_ENOTSUP;
    }
    gri_frame_type type = GRI_FRAME_SEND;
    GR_TRY(type_of(msg, &type));
    out->type = type;
    out->to = to.id;
    out->from = msg->from.id;
    out->ref = gri_msg_ref(msg);
    out->status = 0;
    out->payload = NULL;
    out->len = out->count = 0;
    out->own = NULL;
    if (gri_frame_is_message(type)) {
        out->payload = gri_msg_data(msg);
        out->len = msg->len;
    }
    if (type == GRI_FRAME_REPLY) {
        int64_t status = gri_msg_trail(msg)->extra;
        GR_DASSERT(status <= 0 && status >= INT32_MIN);
        out->status = (int32_t)status;
    }
    gr_pid from = GR_NOBODY;
    if (type == GRI_FRAME_EXIT && !gr_match_exit(msg, &from, &out->why)) {
        return GR_ENOTSUP;
    }
    if (type == GRI_FRAME_DOWN && !gr_match_down(msg, NULL, &from, &out->why)) {
        return GR_ENOTSUP;
    }
    if (from.id != 0) {
        out->from = from.id; /* who ended, whoever tells it */
    }
    return 0;
}

gr_msg *gri_msg_of_frame(gri_cache *cache, uint64_t there, const gri_frame *f)
{
    const gr_pid from = {f->from == 0 ? 0 : there, f->from};
    if (f->type == GRI_FRAME_EXIT) {
        return gri_exit_signal(cache, from, &f->why);
    }
    if (f->type == GRI_FRAME_DOWN) {
        return gri_down_signal(cache, from, f->ref, &f->why);
    }
    gr_msg *msg;
    if (f->type == GRI_FRAME_REPLY && f->len == 0) {
        msg = gri_status_reply(cache, f->ref, f->status);
    } else if (f->type == GRI_FRAME_SEND) {
        msg = gri_msg_new(cache, f->len);
        if (msg != NULL) {
            msg->len = f->len;
            memcpy(gri_msg_payload(msg), f->payload, f->len);
        }
    } else {
        msg = gri_msg_signal(cache, kind_of(f->type), f->payload, f->len);
        if (msg != NULL) {
            gri_msg_trailer(msg)->ref = f->ref;
            gri_msg_trailer(msg)->extra = f->status;
        }
    }
    if (msg == NULL) {
        return NULL;
    }
    msg->from = from;
    if (f->type == GRI_FRAME_ASK) {
        msg->flags |= GRI_MSG_ASKED;
    }
    return msg;
}
