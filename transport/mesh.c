/*
 * transport/mesh.c - nodes that are to be connected: the agent dials the places
 * that are due (places.h), and nodes of a mesh tell each other who there is.
 *
 * Who comes says where it listens; it is answered with all whom this node knows
 * to listen somewhere, and dials those. So of two that come at once at least
 * one hears of the other. Who listens nowhere must hear of those that come
 * later, as they cannot dial it. For all else (a message that could not be
 * sent, two meshes that become one) each node tells one other of all, chosen by
 * chance, now and then.
 *
 * Whom a peer tells of is dialed, and what it is dialed with is a proof of the
 * secret. So only peers that may do all are told and believed; of addresses
 * only those of the kind that the connection has: TLS where there is TLS, this
 * host where it is this host. What is believed is bounded (gri_places), and
 * who is at an address has to prove itself as anybody.
 */
#include <stdlib.h>
#include <string.h>

#include "mailbox/pack.h"
#include "transport/agent.h"
#include "transport/exposed.h"

enum {
    ENTRIES_MAX = 64,   /* in one message */
    TELL_MS = 30 * 1000 /* from one such telling to the next, about */
};

/* ---- places -------------------------------------------------------------- */

static gri_peer *find_greeted(const gri_net *net, uint64_t node)
{
    const uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; node != 0 && i < used; i++) {
        gri_peer *q = gri_net_peer(net, i);
        if (q->greeted && q->hs.other.node == node) {
            return q;
        }
    }
    return NULL;
}

/* Something has changed: the keeper sees to it that the agent looks in time. */
static void tick(gri_net *net)
{
    gri_keeper_tick_at(&net->keeper, gri_places_next(&net->places));
}

void gri_mesh_met(gri_agent *agent, gri_place *place, uint64_t node)
{
    gri_net *net = agent->net;
    gri_places_met(&net->places, place, node, node == net->self.node,
                   gri_clock_ns(net->clock));
    tick(net);
}

void gri_mesh_failed(gri_agent *agent, gri_place *place, int rc,
                     const char *fault)
{
    gri_net *net = agent->net;
    if (rc != place->rc) { /* once for each reason, not for each try */
        gri_log_write(net->log, rc == GR_ESTOPPED ? GR_LOG_INFO : GR_LOG_WARN,
                      "node %s: %s is not connected, and is tried again: %s",
                      net->self.name, place->address,
                      fault != NULL ? fault : gr_strerror(rc));
    }
    gri_places_failed(&net->places, place, rc, gri_clock_ns(net->clock));
    tick(net);
}

void gri_mesh_look(gri_agent *agent, gr_actor *self)
{
    gri_net *net = agent->net;
    gri_place *place;
    const int64_t now = gri_clock_ns(net->clock);
    while ((place = gri_places_take(&net->places, now)) != NULL) {
        if (find_greeted(net, place->node) != NULL) {
            gri_places_met(&net->places, place, place->node, false, now);
        } else if (!gri_dial_place(agent, self, place)) {
            gri_places_put_off(&net->places, place, now);
        }
    }
    tick(net);
}

/* ---- telling ------------------------------------------------------------- */

/* Our end of the connection: what it is like is what its addresses are like. */
static const char *end_of(const gri_net *net, const gri_peer *peer)
{
    return peer->role == GRI_DIALER ? peer->address : net->address;
}

/* Is it one to tell, and to believe? */
static bool is_trusted(const gri_net *net, const gri_peer *peer)
{
    return net->mesh && peer->greeted && peer->rights == NULL &&
           (peer->hs.other.features & GRI_FEATURE_MESH) != 0;
}

typedef struct telling {
    gri_net *net;
    gri_peer *to;
    uint32_t n; /* of values */
    gr_value values[1 + 2 * ENTRIES_MAX];
} telling;

static void begin(telling *t, gri_net *net, gri_peer *to)
{
    t->net = net;
    t->to = to;
    t->values[0] = gr_strn("gr.mesh", 7);
    t->n = 1;
}

/* As the agent's message, but not by gr_send, which could make it wait. */
static void send(telling *t)
{
    enum { ENTRY = 9 + 3 + GRI_ADDRESS_MAX };
    const gr_value list = {
        .kind = GR_KIND_LIST, .len = t->n, .as.items = t->values};
    const size_t size = 16 + (size_t)t->n / 2 * ENTRY;
    uint8_t *buf = malloc(size);
    const int64_t len =
        buf == NULL ? GR_ENOMEM : gri_pack_value(&list, buf, size);
    if (len > 0) {
        const gri_frame frame = {.type = GRI_FRAME_SEND,
                                 .to = GRI_AGENT_ID,
                                 .from = GRI_AGENT_ID,
                                 .payload = buf,
                                 .len = (uint32_t)len};
        /* What is refused (too much waits) is told later, by another one. */
        (void)!gri_peer_deliver(t->to, NULL, t->to->hs.other.node, &frame,
                                NULL);
    }
    free(buf);
    t->n = 1;
}

static void add(telling *t, uint64_t node, const char *address)
{
    if (address == NULL || address[0] == '\0' ||
        !gri_address_is_like(address, end_of(t->net, t->to))) {
        return;
    }
    t->values[t->n++] = (gr_value){.kind = GR_KIND_UINT, .as.u = node};
    t->values[t->n++] = gr_strn(address, strlen(address));
    if (t->n == 1 + 2 * ENTRIES_MAX) {
        send(t);
    }
}

/* Where this node listens; and, if so, where all others do. */
static void tell(gri_net *net, gri_peer *to, bool others)
{
    telling t;
    begin(&t, net, to);
    add(&t, net->self.node, net->advertised);
    const uint32_t used = others ? gri_net_used(net) : 0;
    for (uint32_t i = 0; i < used; i++) {
        const gri_peer *q = gri_net_peer(net, i);
        if (q != to && q->introduced) {
            add(&t, q->hs.other.node, q->listens);
        }
    }
    if (t.n > 1 || !others) {
        send(&t);
    }
}

static void set_timer(gri_agent *agent, gr_actor *self)
{
    uint32_t chance;
    if (agent->telling) {
        return;
    }
    gri_net_random(agent->net, &chance, sizeof chance);
    /* Without memory: with the next node that comes. */
    agent->telling = gr_after(self, TELL_MS / 2 + chance % TELL_MS, NULL,
                              "gr.mesh.tell") == 0;
}

void gri_mesh_tell(gri_agent *agent, gr_actor *self)
{
    gri_net *net = agent->net;
    gri_peer *chosen = NULL;
    uint32_t n = 0;
    const uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *q = gri_net_peer(net, i);
        uint32_t chance;
        if (q->introduced) {
            gri_net_random(net, &chance, sizeof chance);
            chosen = chance % ++n == 0 ? q : chosen;
        }
    }
    agent->telling = false;
    if (chosen != NULL) {
        tell(net, chosen, true);
        set_timer(agent, self);
    }
}

void gri_mesh_up(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    gri_net *net = agent->net;
    (void)self;
    gri_places_up(&net->places, peer->hs.other.node, gri_clock_ns(net->clock));
    if (is_trusted(net, peer)) {
        tell(net, peer, false);
    }
}

void gri_mesh_lost(gri_agent *agent, const gri_peer *peer)
{
    gri_net *net = agent->net;
    const int64_t now = gri_clock_ns(net->clock);
    if (peer->for_good) {
        gri_places_part(&net->places, peer->hs.other.node);
    }
    gri_places_lost(&net->places, peer->hs.other.node, now - peer->sent.up_ns,
                    now);
    tick(net);
}

/* ---- hearing ------------------------------------------------------------- */

/* It has come, and listens nowhere, or where it says. */
static void introduce(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    gri_net *net = agent->net;
    peer->introduced = true;
    tell(net, peer, true);
    set_timer(agent, self);
    const uint32_t used = peer->listens != NULL ? gri_net_used(net) : 0;
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *q = gri_net_peer(net, i);
        if (q != peer && q->introduced && q->listens == NULL) {
            telling t;
            begin(&t, net, q);
            add(&t, net->self.node, net->advertised);
            add(&t, peer->hs.other.node, peer->listens);
            send(&t);
        }
    }
}

static bool is_own(const gri_net *net, const char *address)
{
    return strcmp(address, net->address) == 0 ||
           strcmp(address, net->advertised) == 0;
}

/* One address of somebody. False: it is not one to believe. */
static bool hear_one(gri_agent *agent, gri_peer *from, uint64_t node,
                     gr_str text)
{
    gri_net *net = agent->net;
    char address[GRI_ADDRESS_MAX];
    if (text.len >= sizeof address || node == 0 ||
        memchr(text.ptr, 0, text.len) != NULL) {
        return false;
    }
    memcpy(address, text.ptr, text.len);
    address[text.len] = '\0';
    if (gri_net_check_dial(net, address) < 0 ||
        !gri_address_is_like(address, end_of(net, from))) {
        return false;
    }
    if (node == net->self.node || is_own(net, address)) {
        return true;
    }
    if (node == from->hs.other.node && from->listens == NULL) {
        from->listens = strdup(address); /* NULL: it is told again */
    }
    const int rc = gri_places_tell(&net->places, address, node,
                                   find_greeted(net, node) != NULL,
                                   gri_clock_ns(net->clock));
    if (rc == GR_ELIMIT) {
        gri_net_refused(net, from->hs.other.name, "an address",
                        "more than peers_max are known");
    }
    return true;
}

void gri_mesh_hear(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                   gr_reader list)
{
    gri_net *net = agent->net;
    const gr_pid from = gr_sender(msg);
    gri_peer *peer = find_greeted(net, from.node);
    bool good = list.left % 2 == 0 && list.left <= 2 * ENTRIES_MAX;
    if (peer == NULL || !net->mesh) {
        return; /* it has gone, or knows nothing of what is wanted here */
    }
    if (!is_trusted(net, peer) || from.id != GRI_AGENT_ID) {
        gri_net_refused(net, peer->hs.other.name, "addresses", "not allowed");
        return;
    }
    while (good && list.left > 0) {
        uint64_t node;
        gr_str text;
        good = gr_read_uint(&list, &node) == 0 &&
               gr_read_str(&list, &text) == 0 &&
               hear_one(agent, peer, node, text);
    }
    if (!good) {
        gri_net_refused(net, peer->hs.other.name, "addresses",
                        "not such as to be dialed");
    }
    if (!peer->introduced) {
        introduce(agent, self, peer);
    }
    gri_mesh_look(agent, self);
}
