/*
 * transport/inbound.c - what a proven peer sends, frame by frame, to the actors
 * of this node. Runs in the link's callback (or once in the agent's turn), and
 * only enqueues. Frames are parsed where they were received; a payload is
 * copied once, into the message that its receiver gets.
 */
#include "transport/net.h"
#include "transport/translate.h"

static gri_net *net_of(gri_peer *peer)
{
    return peer->net;
}

static bool cut(gri_peer *peer, int reason, const char *fault)
{
    gri_peer_close(peer, reason, fault);
    return false;
}

static bool on_bye(gri_peer *peer)
{
    (void)pthread_mutex_lock(&peer->lock);
    bool again = peer->got_bye;
    peer->got_bye = true;
    peer->state = GRI_PEER_LEAVING;
    (void)pthread_mutex_unlock(&peer->lock);
    if (again) {
        return cut(peer, GR_EFORMAT, "frame after a goodbye");
    }
    /* relaxed: a hint, see peer.c. */
    atomic_store_explicit(&net_of(peer)->nodes[peer->index], 0,
                          memory_order_relaxed);
    gri_peer_signal(peer, GRI_FRAME_BYE_ACK);
    /* The other end closes when it has read that, and is made to if not: its
     * name and its place among the peers are not its own any more. */
    gri_peer_set_deadline(peer, gri_deadline(net_of(peer)->clock, GRI_BYE_MS));
    return true;
}

static bool on_bye_ack(gri_peer *peer)
{
    (void)pthread_mutex_lock(&peer->lock);
    bool expected = peer->said_bye;
    (void)pthread_mutex_unlock(&peer->lock);
    return cut(peer, expected ? 0 : GR_EFORMAT,
               expected ? NULL : "goodbye agreed to that nobody said");
}

/* Frames between nodes. */
static bool on_control(gri_peer *peer, const gri_frame *f)
{
    switch ((int)f->type) {
    case GRI_FRAME_PING:
        gri_peer_signal(peer, GRI_FRAME_PONG);
        return true;
    case GRI_FRAME_PONG:
        gri_net_post(net_of(peer), peer, GRI_EVENT_PONG);
        return true;
    case GRI_FRAME_BYE:
        return on_bye(peer);
    case GRI_FRAME_BYE_ACK:
        return on_bye_ack(peer);
    default:
        return true; /* HEARTBEAT: that it came is all it says */
    }
}

/* Does it tie actors, so that the tables must know? */
static bool ties(gri_frame_type type)
{
    return type != GRI_FRAME_SEND && type != GRI_FRAME_ASK &&
           type != GRI_FRAME_STOP && type != GRI_FRAME_KILL;
}

/* What becomes of a frame between actors. */
enum { CUT = -1, PASS_OVER = 0, GIVE = 1 };

/* Notes it in the tables, and says so; CUT: the peer is. */
static int admit(gri_peer *peer, const gri_frame *f)
{
    (void)pthread_mutex_lock(&peer->lock);
    bool over = peer->got_bye;
    int rc =
        over || !ties(f->type) ? GIVE : gri_crossing_in(&peer->crossing, f);
    (void)pthread_mutex_unlock(&peer->lock);
    if (over) {
        (void)cut(peer, GR_EFORMAT, "frame after a goodbye");
        return CUT;
    }
    if (rc < 0) {
        (void)cut(peer, rc == GR_ELIMIT ? GR_EFORMAT : rc,
                  rc == GR_ELIMIT ? "too many monitors or links"
                                  : "no memory for a monitor or link");
        return CUT;
    }
    /* The agent of a node is ended by its own system alone. */
    bool to_agent = f->to == GRI_AGENT_ID &&
                    (f->type == GRI_FRAME_STOP || f->type == GRI_FRAME_KILL);
    return to_agent ? PASS_OVER : rc;
}

/* Frames between actors. */
static bool on_message(gri_peer *peer, const gri_frame *f)
{
    gri_net *net = net_of(peer);
    /* Before the tables forget what it answers or ends: without memory for it
     * the loss of the connection does that. */
    gr_msg *msg = gri_msg_of_frame(&peer->cache, peer->hs.other.node, f);
    if (msg == NULL) {
        /* To leave it out silently would break what senders rely on. */
        return cut(peer, GR_ENOMEM, "no memory for a message");
    }
    int rc = admit(peer, f);
    if (rc != GIVE) {
        gri_msg_free(&peer->cache, msg);
        return rc == PASS_OVER;
    }
    gri_deliver(net->sys, &peer->cache, (gr_pid){net->self.node, f->to}, msg);
    return true;
}

static bool on_frame(gri_peer *peer, const uint8_t *p, size_t n)
{
    gri_frame f;
    const char *fault = NULL;
    if (gri_frame_read(p, n, &f, &fault) < 0) {
        return cut(peer, GR_EFORMAT, fault);
    }
    return f.to == 0 ? on_control(peer, &f) : on_message(peer, &f);
}

bool gri_peer_read(gri_peer *peer)
{
    const size_t limit = net_of(peer)->self.frame_max;
    gri_buffer *in = &peer->in;
    size_t at = 0;
    size_t need = 0;
    for (;;) {
        int64_t n = gri_frame_split(in->data + at, in->len - at, limit, &need);
        if (n < 0) {
            return cut(peer, GR_EFORMAT,
                       n == GR_ETOOBIG ? "frame longer than the limit"
                                       : "frame without a type");
        }
        if (n == 0) {
            break;
        }
        if (!on_frame(peer, in->data + at, (size_t)n)) {
            return false;
        }
        at += (size_t)n;
    }
    gri_buffer_drop(in, at);
    gri_buffer_shrink(in, GRI_BUFFER_BUSY);
    if (need > in->cap && gri_buffer_reserve(in, need - in->len) < 0) {
        return cut(peer, GR_ENOMEM, "no memory for a frame");
    }
    return true;
}
