/* transport/node_stats.c - what programs may know of their connections: the
 * second part of greenroom/node.h. */
#include <string.h>

#include "transport/net.h"

static gri_net *net_of(const gr_actor *self)
{
    return gri_route_net_of(gr_system_of(self), &gri_net_route);
}

/* Whether it is connected. Under lock. */
static bool is_up(const gri_peer *peer)
{
    return peer->state == GRI_PEER_UP && !peer->closing;
}

static int64_t ms_since(int64_t then, int64_t now)
{
    return now > then ? (now - then) / GRI_NS_PER_MS : 0;
}

/* What the sending side knows. Under lock. */
static void read_sent(const gri_peer *peer, int64_t now, gr_peer_stats *s)
{
    const gri_sent *sent = &peer->sent;
    memcpy(s->name, peer->name, sizeof s->name);
    if (peer->address != NULL) {
        strncpy(s->address, peer->address, sizeof s->address - 1);
    }
    s->up_ms = ms_since(sent->up_ns, now);
    s->bytes_sent = sent->bytes;
    s->frames_sent = peer->out.frames;
    s->messages_sent = sent->messages;
    s->refused = sent->refused;
    s->queued = gri_peer_queued(peer);
    s->slow = peer->pace.slow;
    s->credit = peer->out.credit;
    s->senders_waiting =
        (uint32_t)(peer->slowed.for_room.count + peer->slowed.for_there.count);
    s->rtt_ns = sent->rtt.last_ns;
    s->rtt_smooth_ns = sent->rtt.smooth_ns;
}

/* What the receiving side does. */
static void read_got(const gri_peer *peer, int64_t now, gr_peer_stats *s)
{
    const gri_got *got = &peer->got;
    /* relaxed, all: see gri_got, and heard. */
    s->bytes_received = atomic_load_explicit(&got->bytes, memory_order_relaxed);
    s->frames_received =
        atomic_load_explicit(&got->frames, memory_order_relaxed);
    s->messages_received =
        atomic_load_explicit(&got->messages, memory_order_relaxed);
    s->credit_given = atomic_load_explicit(&got->credit, memory_order_relaxed);
    s->silent_ms =
        ms_since(atomic_load_explicit(&peer->heard, memory_order_relaxed), now);
    s->silent_max_ms = ms_since(
        0, atomic_load_explicit(&got->silent_ns, memory_order_relaxed));
}

int gr_node_stats(gr_actor *self, gr_node node, gr_peer_stats *out)
{
    gri_net *net = net_of(self);
    gri_peer *peer =
        net == NULL || node.id == 0 ? NULL : gri_net_find(net, node.id);
    if (peer == NULL) {
        return GR_ENOCONN;
    }
    const int64_t now = gri_clock_ns(net->clock);
    gr_peer_stats s = {.node = node};
    (void)pthread_mutex_lock(&peer->lock);
    const bool found = is_up(peer) && peer->node == node.id;
    if (found) {
        read_got(peer, now, &s);
        read_sent(peer, now, &s);
    }
    (void)pthread_mutex_unlock(&peer->lock);
    if (!found) {
        return GR_ENOCONN;
    }
    gri_peer_ping(peer, true);
    if (s.silent_max_ms < s.silent_ms) {
        s.silent_max_ms = s.silent_ms;
    }
    *out = s;
    return 0;
}

int gr_node_totals(gr_actor *self, gr_net_stats *out)
{
    gri_net *net = net_of(self);
    if (net == NULL) {
        return GR_EINVAL;
    }
    gr_net_stats s = {.nodes = 0};
    const uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *peer = gri_net_peer(net, i);
        (void)pthread_mutex_lock(&peer->lock);
        s.nodes += is_up(peer);
        s.handshakes += peer->state == GRI_PEER_DIALING ||
                        (peer->state == GRI_PEER_SHAKING && !peer->closing);
        (void)pthread_mutex_unlock(&peer->lock);
    }
    (void)pthread_mutex_lock(&net->lock);
    const gri_totals t = net->totals;
    s.forbidden = net->refused;
    (void)pthread_mutex_unlock(&net->lock);
    s.connected = t.connected;
    s.lost = t.lost;
    s.refused = t.refused;
    s.faults = t.faults;
    s.malformed = t.blamed[GRI_BLAME_FORMAT];
    s.denied = t.blamed[GRI_BLAME_DENIED];
    s.late = t.blamed[GRI_BLAME_LATE];
    s.excessive = t.blamed[GRI_BLAME_LIMIT];
    *out = s;
    return 0;
}

int gr_node_list(gr_actor *self, gr_node *out, uint32_t max)
{
    const gri_net *net = net_of(self);
    if (net == NULL || (out == NULL && max > 0)) {
        return GR_EINVAL;
    }
    int n = 0;
    const uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *peer = gri_net_peer(net, i);
        (void)pthread_mutex_lock(&peer->lock);
        const bool up = is_up(peer);
        const gr_node node = {peer->node};
        (void)pthread_mutex_unlock(&peer->lock);
        if (up && (uint32_t)n < max) {
            out[n] = node;
        }
        n += up;
    }
    return n;
}
