/*
 * transport/meeting.c - who becomes a peer: the agent's decisions from the
 * first byte of a connection until it is UP.
 *
 * One connection joins two nodes. When both dial at the same time, the one that
 * the node with the lower number dialed stays: each side can tell alone. The
 * other is refused with ALREADY, and its dialer waits for the one that stays.
 * This holds in any order of events, because a dialer sends its proof only
 * while it knows of no other connection with that node; so of two listeners at
 * least one knows of both.
 *
 * A name belongs to one node at a time. A proven newcomer with the name of a
 * known node is most likely that node started again, of whose end we have not
 * heard yet: the known one is asked to show that it lives, and gives way if it
 * does not. Nothing of a newcomer is delivered before all that the loss of its
 * predecessor means has been: it is parked until then.
 */
#include <string.h>

#include "transport/agent.h"

enum {
    REST_MIN_MS = 50, /* before it is dialed again; doubles */
    REST_MAX_MS = 5000,
    REFUSE_MS = 1000 /* for a refusal to go out */
};

static int64_t after_ms(const gri_agent *agent, int64_t ms)
{
    return gri_deadline(agent->net->clock, ms);
}

/* ---- decisions ----------------------------------------------------------- */

typedef enum verdict {
    GO,
    ALREADY, /* that node is connected, or will be by a better dial */
    MERGE,   /* we dial it already by another address */
    TAKEN,   /* its name is */
    WAIT,    /* until its predecessor is tidied up */
    FULL
} verdict;

/* What a peer's link is like at this moment. */
static bool is_up(gri_peer *peer)
{
    (void)pthread_mutex_lock(&peer->lock);
    bool up = peer->state == GRI_PEER_UP && !peer->closing;
    (void)pthread_mutex_unlock(&peer->lock);
    return up;
}

static bool is_shaking(gri_peer *peer)
{
    (void)pthread_mutex_lock(&peer->lock);
    bool shaking =
        (peer->state == GRI_PEER_SHAKING || peer->state == GRI_PEER_DIALING) &&
        !peer->closing && !peer->draining;
    (void)pthread_mutex_unlock(&peer->lock);
    return shaking;
}

/* A dial of ours that has heard who is at its other end. */
static bool is_dial_to(gri_peer *q, uint64_t node)
{
    return q->role == GRI_DIALER && !q->greeted && q->hs.other.node == node &&
           (q->hs.state == GRI_EXPECTS_DECISION ||
            q->hs.state == GRI_EXPECTS_WELCOME) &&
           is_shaking(q);
}

/* What q means for peer; GO: nothing. */
static verdict compare(const gri_agent *agent, const gri_peer *peer,
                       gri_peer *q)
{
    const gri_identity *other = &peer->hs.other;
    bool same_node = q->hs.other.node == other->node;
    if (q->greeted) {
        if (!same_node && strcmp(q->hs.other.name, other->name) != 0) {
            return GO;
        }
        if (!is_up(q)) {
            return WAIT;
        }
        return same_node ? ALREADY : TAKEN;
    }
    if (!is_dial_to(q, other->node)) {
        return GO;
    }
    if (peer->role == GRI_DIALER) {
        return MERGE;
    }
    return agent->net->self.node < other->node ? ALREADY : GO;
}

static verdict judge(const gri_agent *agent, const gri_peer *peer,
                     gri_peer **rival)
{
    gri_net *net = agent->net;
    *rival = NULL;
    if (strcmp(peer->hs.other.name, net->self.name) == 0) {
        return TAKEN;
    }
    uint32_t used = gri_net_used(net);
    uint32_t up = 0;
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *q = gri_net_peer(net, i);
        verdict v = q == peer ? GO : compare(agent, peer, q);
        if (v != GO) {
            *rival = q;
            return v;
        }
        up += q->greeted && is_up(q);
    }
    if (agent->up < net->peers_max) {
        return GO;
    }
    return up < net->peers_max ? WAIT : FULL; /* one is just leaving */
}

static void refuse(gri_agent *agent, gri_peer *peer, gri_refusal why, int rc,
                   const char *fault)
{
    gri_note note;
    peer->parked = false;
    peer->rival = NULL;
    if (peer->role == GRI_DIALER &&
        (peer->proven || peer->hs.state == GRI_EXPECTS_WELCOME)) {
        /* It believes that we are UP, or will, once it has read our proof. */
        static const gri_frame bye = {.type = GRI_FRAME_BYE};
        note.len = gri_frame_write(note.bytes, &bye);
    } else {
        gri_handshake_refuse(&peer->hs, why, &note);
    }
    gri_peer_finish(peer, &note, rc, fault, after_ms(agent, REFUSE_MS));
}

/* Everybody who wanted that node has it. */
static void settle(gri_agent *agent, gr_actor *self, uint64_t node)
{
    uint32_t used = gri_net_used(agent->net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *q = gri_net_peer(agent->net, i);
        bool there = q->greeted && q->hs.other.node == node;
        if (q->requests != NULL &&
            (there || q->awaited == node || is_dial_to(q, node))) {
            gri_request_answer(agent, self, q, 0, node, NULL);
        }
    }
}

static void go_up(gri_agent *agent, gr_actor *self, gri_peer *peer,
                  const gri_note *last)
{
    peer->parked = false;
    peer->rival = NULL;
    peer->rights = gri_trust_rights(&agent->net->trust, peer->hs.other.name);
    (void)pthread_mutex_lock(&peer->lock);
    peer->crossing.leave.may = peer->rights;
    (void)pthread_mutex_unlock(&peer->lock);
    if (!gri_peer_up(peer, last)) {
        return; /* it was closed meanwhile; that event follows */
    }
    gri_agent_greet(agent, self, peer);
    settle(agent, self, peer->hs.other.node);
    /* What came behind the handshake, then the rest. */
    if (gri_peer_read(peer, NULL)) {
        gri_peer_receive(peer);
    }
}

static void go_on(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    gri_note note;
    if (peer->hs.state == GRI_EXPECTS_NOTHING) {
        go_up(agent, self, peer, NULL); /* a dialer that was welcomed */
    } else if (peer->role == GRI_LISTENER) {
        gri_handshake_welcome(&peer->hs, &note);
        go_up(agent, self, peer, &note);
    } else {
        peer->parked = false;
        gri_handshake_prove(&peer->hs, &note);
        gri_peer_note(peer, &note);
        gri_peer_receive(peer);
    }
}

/* Somebody else has its name. A proven newcomer may outlive that one. */
static void contest(gri_agent *agent, gri_peer *peer, gri_peer *rival)
{
    if (rival == NULL || peer->role == GRI_DIALER) {
        refuse(agent, peer, GRI_REFUSE_NAME, GR_EEXIST, "its name is taken");
        return;
    }
    peer->parked = true;
    peer->rival = rival;
    gri_peer_ping(rival, false);
    gri_peer_set_deadline(peer, after_ms(agent, GRI_PROBE_MS));
}

/* Does nobody want it but a node that dials by itself, with a run of a node to
 * which the program here has said goodbye? */
static bool is_parted(gri_agent *agent, const gri_peer *peer)
{
    return gri_handshake_by_itself(&peer->hs) &&
           (peer->role != GRI_DIALER || !gri_request_is_wished(peer)) &&
           gri_places_is_parted(&agent->net->places, peer->hs.other.node);
}

/* Is the other end, as it says, a node that was cut of late? Then nobody but a
 * program that asks for it is to have it. */
static bool is_offender(const gri_agent *agent, const gri_peer *peer)
{
    return (peer->role != GRI_DIALER || !gri_request_is_wished(peer)) &&
           gri_offenders_has(&agent->offenders, peer->hs.other.name,
                             gri_clock_ns(agent->net->clock));
}

static void turn_away(gri_agent *agent, gri_peer *peer)
{
    refuse(agent, peer, GRI_REFUSE_OFFENDER, GR_EAGAIN,
           "it was cut of late, and its pause is not over");
}

/* The other end is known (a dialer's: claimed): what now? */
static void decide(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    gri_peer *rival;
    if (is_offender(agent, peer)) { /* also one that has waited since before */
        turn_away(agent, peer);
        return;
    }
    if (is_parted(agent, peer)) {
        refuse(agent, peer,
               peer->role == GRI_DIALER ? GRI_REFUSE_ALREADY
                                        : GRI_REFUSE_PARTED,
               GR_ESTOPPED, NULL);
        return;
    }
    switch (judge(agent, peer, &rival)) {
    case GO:
        go_on(agent, self, peer);
        break;
    case ALREADY:
        if (rival->greeted) {
            gri_request_answer(agent, self, peer, 0, peer->hs.other.node, NULL);
            /* Should that connection be dead, this finds it out. */
            gri_peer_ping(rival, false);
        }
        refuse(agent, peer, GRI_REFUSE_ALREADY, GR_ENOCONN, NULL);
        break;
    case MERGE:
        gri_request_move(peer, rival);
        refuse(agent, peer, GRI_REFUSE_ALREADY, GR_ENOCONN, NULL);
        break;
    case TAKEN:
        contest(agent, peer, rival);
        break;
    case WAIT:
        peer->parked = true;
        peer->rival = NULL;
        break;
    case FULL:
        refuse(agent, peer, GRI_REFUSE_FULL, GR_ELIMIT, "peers_max is reached");
        break;
    }
}

/* ---- events -------------------------------------------------------------- */

static bool is_stranger(gri_peer *peer)
{
    return peer->role == GRI_LISTENER && !peer->proven && is_shaking(peer);
}

/* Silent connections must not keep honest ones out. */
static void make_room(gri_agent *agent)
{
    gri_peer *oldest = NULL;
    unsigned strangers = 0;
    uint32_t used = gri_net_used(agent->net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *q = gri_net_peer(agent->net, i);
        if (is_stranger(q)) {
            strangers++;
            if (oldest == NULL || q->born < oldest->born) {
                oldest = q;
            }
        }
    }
    if (strangers > GRI_STRANGERS_MAX) {
        gri_peer_close(oldest, GR_ELIMIT, "too many unproven connections");
    }
}

void gri_meet_opened(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    gri_net *net = agent->net;
    uint8_t nonce[GRI_NONCE_BYTES];
    (void)self;
    if (peer->role != GRI_DIALER) {
        peer->role = GRI_LISTENER;
    }
    if (peer->opened_rc < 0) {
        gri_peer_close(peer, peer->opened_rc, NULL);
        return;
    }
    gri_net_random(net, nonce, sizeof nonce);
    gri_handshake_init(&peer->hs, peer->role, &net->self, net->trust.key,
                       nonce);
    gri_handshake_choose(&peer->hs, gri_trust_key, &net->trust);
    int64_t deadline = after_ms(agent, GRI_HANDSHAKE_MS);
    if (peer->role == GRI_DIALER) {
        gri_note hello;
        if (!gri_request_is_wished(peer)) {
            peer->hs.self.features |= GRI_FEATURE_BY_ITSELF;
        }
        gri_handshake_open(&peer->hs, &hello);
        (void)pthread_mutex_lock(&peer->lock);
        peer->state = peer->closing ? peer->state : GRI_PEER_SHAKING;
        (void)pthread_mutex_unlock(&peer->lock);
        gri_peer_note(peer, &hello);
        /* Somebody with more time may have come while it was opened. */
        peer->dialed_until = gri_request_until(peer);
        deadline =
            peer->dialed_until < deadline ? peer->dialed_until : deadline;
    } else {
        make_room(agent);
    }
    gri_peer_set_deadline(peer, deadline);
    gri_peer_receive(peer);
}

/* The other end says that we are connected. If so, whoever asked has what it
 * wanted; if not yet, it waits. */
static void on_already(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    uint64_t node = peer->hs.other.node;
    gri_peer *q = gri_net_find(agent->net, node);
    if (q != NULL && q->greeted && q->hs.other.node == node) {
        gri_request_answer(agent, self, peer, 0, node, NULL);
    } else {
        int64_t rest = peer->rest_ms == 0 ? REST_MIN_MS : peer->rest_ms * 2;
        peer->rest_ms = rest < REST_MAX_MS ? rest : REST_MAX_MS;
        peer->awaited = node;
    }
    gri_peer_close(peer, GR_ENOCONN, NULL);
}

/* Nothing is known of a certificate that the name needs: there is no TLS, or
 * it was dialed by the name of its host, and NNG does not tell more. */
static const char *unseen(const gri_peer *peer)
{
    return peer->role == GRI_DIALER
               ? "no certificate is seen to be for its name: dial it at "
                 "tls+tcp://NAME@HOST"
               : "no certificate is seen to be for its name";
}

/* Whether nothing speaks against that name, and, if it is listed as one that a
 * certificate proves, that one does. If not, it is refused. */
static bool is_certified(gri_agent *agent, gri_peer *peer)
{
    bool must =
        gri_trust_by_certificate(&agent->net->trust, peer->hs.other.name);
    int rc = gri_peer_certified(peer);
    if (rc == 1 || (rc == GR_ENOTSUP && !must)) {
        return true;
    }
    refuse(agent, peer, GRI_REFUSE_CERTIFICATE,
           rc == GR_ENOMEM ? GR_ENOMEM : GR_EDENIED,
           rc == GR_ENOTSUP ? unseen(peer)
                            : "its certificate is not for the name that it "
                              "claims");
    return false;
}

/* One frame; returns whether the next may be looked at. */
static bool on_frame(gri_agent *agent, gr_actor *self, gri_peer *peer, size_t n)
{
    gri_note note;
    const char *fault = NULL;
    gri_peer_noted(peer);
    int step = gri_handshake_read(&peer->hs, peer->in.data, n, &note, &fault);
    gri_buffer_drop(&peer->in, n);
    if (step == GRI_STEP_WAIT && is_offender(agent, peer)) {
        turn_away(agent, peer); /* before it is answered, and works for it */
        return false;
    }
    if (step < 0) {
        gri_peer_finish(peer, &note, step, fault, after_ms(agent, REFUSE_MS));
        return false;
    }
    if (note.len > 0) {
        gri_peer_note(peer, &note);
    }
    switch ((gri_step)step) {
    case GRI_STEP_WAIT:
        return true;
    case GRI_STEP_DONE:
        peer->proven = true;
        break;
    case GRI_STEP_PROVEN:
    case GRI_STEP_NAMED:
        peer->proven = step == GRI_STEP_PROVEN;
        if (!is_certified(agent, peer)) {
            return false;
        }
        break;
    case GRI_STEP_ALREADY:
        on_already(agent, self, peer);
        return false;
    }
    decide(agent, self, peer);
    return false;
}

void gri_meet_bytes(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    size_t need = 0;
    while (is_shaking(peer)) {
        int64_t n = gri_frame_split(peer->in.data, peer->in.len,
                                    GRI_HANDSHAKE_MAX, &need);
        if (n < 0) {
            gri_peer_close(peer, GR_EFORMAT, "not the greenroom protocol");
            return;
        }
        if (n == 0) {
            gri_peer_receive(peer);
            return;
        }
        if (!on_frame(agent, self, peer, (size_t)n)) {
            return;
        }
    }
}

static bool is_idle(gri_peer *peer)
{
    (void)pthread_mutex_lock(&peer->lock);
    bool idle = peer->state == GRI_PEER_IDLE;
    (void)pthread_mutex_unlock(&peer->lock);
    return idle;
}

/* Whether its deadline is over. Who says so may be late himself, and it be the
 * next one's turn, or the peer somebody else's. */
static bool is_late(gri_peer *peer)
{
    (void)pthread_mutex_lock(&peer->lock);
    const bool late = peer->late;
    peer->late = false;
    (void)pthread_mutex_unlock(&peer->lock);
    return late;
}

void gri_meet_late(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    if (!is_late(peer)) {
        return;
    }
    if (is_idle(peer) && peer->awaited != 0) {
        gri_dial_again(agent, self, peer, GR_ETIMEOUT, NULL);
    } else if (!is_shaking(peer)) {
        return; /* it has gone on meanwhile */
    } else if (peer->rival != NULL) {
        gri_peer_close(peer->rival, GR_ETIMEOUT,
                       "silent when a node of its name came");
        peer->rival = NULL;
        gri_peer_set_deadline(peer, after_ms(agent, GRI_HANDSHAKE_MS));
    } else if (peer->role == GRI_LISTENER &&
               peer->hs.state == GRI_EXPECTS_HELLO) {
        gri_peer_close(peer, GR_ETIMEOUT, "it said nothing in time");
    } else if (peer->role == GRI_DIALER &&
               peer->hs.state == GRI_EXPECTS_HELLO) {
        gri_peer_close(peer, GR_ETIMEOUT, NULL);
    } else {
        refuse(agent, peer, GRI_REFUSE_LATE, GR_ETIMEOUT,
               "its handshake took too long");
    }
}

void gri_meet_pong(gri_agent *agent, const gri_peer *peer)
{
    uint32_t used = gri_net_used(agent->net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *q = gri_net_peer(agent->net, i);
        if (q->parked && q->rival == peer) {
            refuse(agent, q, GRI_REFUSE_NAME, GR_EEXIST, "its name is taken");
        }
    }
}

/* It never was UP, and somebody should know why. */
static void tell_failure(gri_net *net, const gri_peer *peer)
{
    if (peer->role == GRI_LISTENER) {
        gri_net_count(net, &net->totals.refused);
        gri_net_fault(net, peer->proven ? peer->hs.other.name : "a stranger",
                      peer->reason, peer->fault);
    } else if (gri_request_is_asked(peer)) {
        gri_log_write(net->log, GR_LOG_WARN, "node %s: not connected to %s: %s",
                      net->self.name, peer->address, peer->fault);
    }
}

/* Has somebody asked while it was dialed, who is not to suffer from how that
 * dial was meant: for less time, or by the node itself? */
static bool is_asked_anew(const gri_net *net, const gri_peer *peer)
{
    if (peer->role != GRI_DIALER) {
        return false;
    }
    if (peer->reason == GR_ETIMEOUT) {
        const int64_t now = gri_clock_ns(net->clock);
        return now >= peer->dialed_until && gri_request_until(peer) > now;
    }
    return peer->reason == GR_ESTOPPED &&
           (peer->hs.self.features & GRI_FEATURE_BY_ITSELF) != 0 &&
           gri_request_is_wished(peer);
}

/* Is this node itself at that place? */
static void find_self(gri_agent *agent, gri_peer *peer)
{
    if (peer->role == GRI_DIALER && peer->hs.itself &&
        !gri_request_is_asked(peer)) {
        gri_request_answer(agent, NULL, peer, 0, agent->net->self.node, NULL);
    }
}

void gri_meet_closed(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    gri_net *net = agent->net;
    peer->parked = false;
    const bool ask_again = is_asked_anew(net, peer);
    if (peer->fault != NULL && peer->node == 0 && !ask_again) {
        tell_failure(net, peer);
    }
    const int rc = peer->reason == 0 ? GR_ENOCONN : peer->reason;
    const char *fault = peer->fault;
    find_self(agent, peer);
    gri_peer_reset(peer);
    /* Those that waited for this end. A peer that goes UP over it may have
     * what who waits for this one wanted. */
    uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *q = gri_net_peer(net, i);
        if (q->parked && (q->rival == NULL || q->rival == peer)) {
            q->rival = NULL;
            decide(agent, self, q);
        }
    }
    if (ask_again) {
        gri_dial_again(agent, self, peer, rc, fault);
        return;
    }
    if (peer->requests != NULL && peer->awaited != 0) {
        int64_t at = after_ms(agent, peer->rest_ms);
        const int64_t until = gri_request_until(peer);
        gri_peer_set_deadline(peer, at < until ? at : until);
        return;
    }
    gri_dial_end(agent, self, peer, rc, fault);
}
