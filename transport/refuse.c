/* transport/refuse.c - what a peer hears that may not do what it wants. */
#include <stdio.h>

#include "transport/net.h"

static const char *verb_of(gri_frame_type type)
{
    switch ((int)type) {
    case GRI_FRAME_ASK:
        return "a question";
    case GRI_FRAME_STOP:
    case GRI_FRAME_KILL:
        return "a stop";
    case GRI_FRAME_LINK:
        return "a link";
    case GRI_FRAME_MONITOR:
        return "a monitor";
    default:
        return "a message";
    }
}

/* What the other node is told as if the actor had done so; false: it waits for
 * nothing. */
static bool answer_to(const gri_frame *f, int why, gri_frame *out)
{
    *out = (gri_frame){.to = f->from, .from = f->to, .ref = f->ref};
    out->why = (gr_exit_reason){.kind = GR_EXIT_ERROR, .code = why};
    (void)snprintf(out->why.text, sizeof out->why.text, "%s",
                   why == GR_ELIMIT ? "over the peer's limit"
                                    : "not allowed to this peer");
    switch ((int)f->type) {
    case GRI_FRAME_ASK:
    case GRI_FRAME_CONFIRM:
        out->type = GRI_FRAME_REPLY;
        out->status = why;
        out->from = 0; /* the actor has told it nothing */
        return true;
    case GRI_FRAME_LINK:
        out->type = GRI_FRAME_EXIT;
        out->status = why; /* not written: see gri_crossing_out */
        return true;
    case GRI_FRAME_MONITOR:
        out->type = GRI_FRAME_DOWN;
        return true;
    default:
        return false;
    }
}

bool gri_peer_refuse(gri_peer *peer, const gri_frame *frame, int why)
{
    gri_frame answer;
    /* Without memory or with a full outbox the connection is closed: that
     * answers, too. */
    if (answer_to(frame, why, &answer) &&
        gri_peer_deliver(peer, NULL, peer->hs.other.node, &answer, NULL) ==
            GR_EEXIST) {
        return false;
    }
    gri_net_refused(peer->net, peer->hs.other.name, verb_of(frame->type),
                    why == GR_ELIMIT ? "over its limit" : "not allowed");
    return true;
}
