/* transport/dial.c - a peer that this node dials, for whoever wants it: from
 * the wish until it has a link, and its end. What comes between is meeting.c.
 */
#include <stdlib.h>
#include <string.h>

#include "transport/agent.h"

void gri_dial_end(gri_agent *agent, gr_actor *self, gri_peer *peer, int rc,
                  const char *fault)
{
    gri_request_answer(agent, self, peer, rc, 0, fault);
    gri_peer_reset(peer);
    free(peer->address);
    peer->address = NULL;
    peer->rest_ms = 0;
    peer->awaited = 0;
    gri_net_give(agent->net, peer);
}

void gri_dial_again(gri_agent *agent, gr_actor *self, gri_peer *peer, int rc,
                    const char *fault)
{
    gri_request_expire(agent, self, peer, rc, fault);
    if (peer->requests == NULL) {
        gri_dial_end(agent, self, peer, rc, fault);
        return;
    }
    const int64_t until = gri_request_until(peer);
    int64_t left_ms = GR_FOREVER;
    if (until != GRI_NEVER) {
        const int64_t left = until - gri_clock_ns(agent->net->clock);
        left_ms = left <= 0 ? 1 : left / GRI_NS_PER_MS + 1;
    }
    peer->awaited = 0;
    peer->dialed_until = until;
    rc = gri_peer_dial(peer, left_ms);
    if (rc < 0) {
        gri_dial_end(agent, self, peer, rc, NULL);
        return;
    }
    gri_peer_set_deadline(peer, until);
}

/* A dial under way to that address. */
static gri_peer *find_dial(gri_net *net, gr_str address, unsigned *dials)
{
    uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *q = gri_net_peer(net, i);
        if (q->requests == NULL || q->address == NULL) {
            continue;
        }
        ++*dials;
        if (strlen(q->address) == address.len &&
            memcmp(q->address, address.ptr, address.len) == 0) {
            return q;
        }
    }
    return NULL;
}

/* A peer that is idle, to dial that address with. NULL: *rc says why. */
static gri_peer *take_for(gri_net *net, gr_str address, unsigned dials, int *rc)
{
    gri_peer *peer = dials < GRI_DIALS_MAX ? gri_net_take(net) : NULL;
    if (peer == NULL) {
        const bool room =
            dials < GRI_DIALS_MAX && gri_net_used(net) < net->room;
        *rc = room ? GR_ENOMEM : GR_ELIMIT;
        return NULL;
    }
    peer->address = strndup(address.ptr, address.len);
    if (peer->address == NULL) {
        gri_net_give(net, peer);
        *rc = GR_ENOMEM;
        return NULL;
    }
    return peer;
}

/* It was not dialed after all. */
static void untake(gri_net *net, gri_peer *peer)
{
    free(peer->address);
    peer->address = NULL;
    gri_net_give(net, peer);
}

int gri_dial_asked(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                   gr_str address, int64_t timeout_ms)
{
    gri_net *net = agent->net;
    unsigned dials = 0;
    int rc = 0;
    if (!gr_msg_asked(msg)) {
        return gr_unhandled(self, msg);
    }
    const int64_t until = gri_deadline(net->clock, timeout_ms);
    gri_peer *peer = find_dial(net, address, &dials);
    if (peer != NULL) {
        rc = gri_request_add(self, peer, msg, until);
        return rc < 0 ? gr_reply_error(self, msg, rc, NULL) : 0;
    }
    peer = take_for(net, address, dials, &rc);
    if (peer == NULL) {
        return gr_reply_error(
            self, msg, rc, rc == GR_ELIMIT ? "too many dials at once" : NULL);
    }
    rc = gri_request_add(self, peer, msg, until);
    if (rc < 0) {
        untake(net, peer);
        return gr_reply_error(self, msg, rc, NULL);
    }
    gri_dial_again(agent, self, peer, GR_ETIMEOUT, NULL);
    return 0;
}

bool gri_dial_place(gri_agent *agent, gr_actor *self, gri_place *place)
{
    gri_net *net = agent->net;
    const gr_str address = {place->address, (uint32_t)strlen(place->address)};
    const int64_t until = gri_deadline(net->clock, GRI_HANDSHAKE_MS);
    unsigned dials = 0;
    int rc;
    gri_peer *peer = find_dial(net, address, &dials);
    if (peer != NULL) {
        return gri_request_add_place(peer, place, until) == 0;
    }
    peer = take_for(net, address, dials, &rc);
    if (peer == NULL) {
        return false;
    }
    if (gri_request_add_place(peer, place, until) < 0) {
        untake(net, peer);
        return false;
    }
    gri_dial_again(agent, self, peer, GR_ETIMEOUT, NULL);
    return true;
}
