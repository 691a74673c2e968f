/*
 * transport/net.h - what makes a system a node: its peers, its clockwork, and
 * the queue of events for its agent.
 */
#ifndef GRI_TRANSPORT_NET_H
#define GRI_TRANSPORT_NET_H

#include "actors/route.h"
#include "transport/peer.h"
#include "transport/places.h"
#include "transport/tls.h"
#include "transport/trust.h"

enum {
    /* Connections that have proven nothing yet. When there are more, the oldest
     * goes: honest ones need milliseconds. */
    GRI_STRANGERS_MAX = 64,
    GRI_DIALS_MAX = 64, /* by which many this node dials at once */
    /* Closed, but not tidied up yet. */
    GRI_LEFTOVERS_MAX = 64,
    GRI_HANDSHAKE_MS = 5000,   /* for all of a handshake */
    GRI_BYE_MS = 2000,         /* until a goodbye is answered */
    GRI_BEATS_A_SILENCE = 4,   /* heartbeats in what a peer calls silence: some
                                  may be late */
    GRI_HEARTBEAT_MIN_MS = 20, /* however little patience a peer has */
    GRI_PROBE_MS = 1000,       /* until an old peer shows that it lives */
    GRI_ADDRESS_MAX = 300,     /* bytes, with the ending zero */
    /* Buffers grow to this with the traffic, and return to it. */
    GRI_BUFFER_BUSY = 128 * 1024,
    /* What controls actors is never refused, so the outbox may grow beyond
     * outbox_max: by this factor, then the peer is cut. */
    GRI_OUTBOX_HARD = 8,
    /* What only answers frames (PONG, SLOWED), and so many wait, is for a peer
     * that asks and does not read: an honest one asks less. */
    GRI_ANSWERS_MAX = 1 << 17,
    /* Actors that send wait from a fraction of outbox_max on; but never for
     * longer than so long, so that no circle of nodes waits for itself. */
    GRI_OUTBOX_SOFT = 8,
    GRI_SLOW_MS = 1000,
    GRI_HINTS = 64 /* a power of two: see gri_net_find */
};

struct gri_net {
    /* constant once it is installed */
    gr_system *sys;
    const gri_clock *clock;
    gri_world *world; /* of a simulated network; NULL: real time */
    const gri_log *log;
    struct gri_agent *agent; /* its actor's */
    gri_identity self;
    gri_trust trust;
    gri_tls *tls;                  /* NULL: no certificates */
    const gr_behavior **spawnable; /* ends at NULL */
    int64_t silence_ns;
    int64_t heartbeat_ns; /* for peers that are content with that */
    uint32_t peers_max;
    uint32_t outbox_max;
    uint32_t draft_max; /* bytes of a draft */
    uint32_t window;    /* bytes that a peer may have sent, and we not taken */
    gri_port *port;     /* NULL: not listening */
    char address[GRI_ADDRESS_MAX];
    gri_keeper keeper;
    uint32_t room; /* in peers and nodes */
    gri_places places;
    bool mesh;                        /* it takes part in one */
    char advertised[GRI_ADDRESS_MAX]; /* where others reach it; "": nowhere */

    /* any thread, atomic; peers never go and never move */
    _Atomic(gri_peer *) *peers;
    _Atomic(uint64_t) *nodes; /* of those that are UP; else 0 */
    _Atomic(uint32_t) used;   /* how many of peers there are */
    /* Where in peers a node was found last, by a hash of its number. */
    _Atomic(uint32_t) hints[GRI_HINTS];
    /* Each is made by its worker, and stays. */
    _Atomic(gri_draft *) drafts[GR_WORKERS_MAX];

    pthread_mutex_t lock;
    pthread_cond_t quiet; /* links is 0 */
    /* under lock */
    gri_peer *idle;
    gri_peer *first_event, **last_event;
    bool awake;             /* the agent is told of events */
    bool look_due;          /* and is to look, with or without events */
    struct gri_hunt *hunts; /* discoveries in use: see discovery.h */
    bool agent_lives;       /* else nobody is told */
    uint32_t open;          /* links that are not closed yet */
    uint64_t arrivals;
    gri_totals totals;
    uint64_t refused; /* frames and requests that their senders may not */
    gri_causes causes;

    pthread_mutex_t cache_lock;
    gri_cache cache; /* under cache_lock: for messages of the net's own */
};

/* Makes a net with no peers; node.c fills in the rest. Errors: GR_ENOMEM. */
int gri_net_new(gr_system *sys, uint32_t peers_max, const gri_redial *redial,
                gri_net **out);
/* Its keeper has ended. */
void gri_net_free(gri_net *net);

/* The route. */
extern const gri_route gri_net_route;
/* gri_accept_fn. */
void gri_net_accepted(void *arg, gri_link *link);

/* An idle peer, or NULL: too many, or no memory. Any thread. */
gri_peer *gri_net_take(gri_net *net);
/* Gives it back. The agent, after gri_peer_reset. */
void gri_net_give(gri_net *net, gri_peer *peer);
/* The UP peer with that number, or NULL; may be another's by now. */
gri_peer *gri_net_find(gri_net *net, uint64_t node);
/* The i-th of the peers there are; i below net->used. */
static inline gri_peer *gri_net_peer(const gri_net *net, uint32_t i)
{
    /* acquire: pairs with the release in gri_net_take. */
    return atomic_load_explicit(&net->peers[i], memory_order_acquire);
}
static inline uint32_t gri_net_used(const gri_net *net)
{
    /* acquire: pairs with the release in gri_net_take. */
    return atomic_load_explicit(&net->used, memory_order_acquire);
}

/* The draft of a worker, by its index; NULL: it has none yet. Any thread. */
static inline gri_draft *gri_net_draft(const gri_net *net, unsigned worker)
{
    /* acquire: pairs with the release in net_route.c's draft_of. */
    return atomic_load_explicit(&net->drafts[worker], memory_order_acquire);
}

/* Tells the agent. Any thread. */
void gri_net_post(gri_net *net, gri_peer *peer, unsigned event);
/* The next peer with events, and which; NULL: no more, and the agent will be
 * told of the next. The agent. */
gri_peer *gri_net_next(gri_net *net, unsigned *events);
/* The agent could not look, for want of memory: it is woken again later. */
void gri_net_wake_lost(gri_net *net);
/* The same, of something else than events. The agent. */
void gri_net_look_later(gri_net *net);
/* There is more, but others wait for the agent, too: it is woken behind them.
 * The agent. */
void gri_net_again(gri_net *net);
/* The agent begins, or ends: from now on it is told, or not. */
void gri_net_agent(gri_net *net, bool lives);

/* A link of this net is about to be; one was closed, or did not come to be. */
void gri_net_opening(gri_net *net);
void gri_net_closed(gri_net *net);
/* Whether an address is one that a net like this can use: GR_EADDRESS, by its
 * form; GR_ENOTSUP: real in deterministic mode, or simulated outside of it. */
int gri_net_check_address(const gri_net *net, const char *address,
                          bool to_listen);
/* Whether it can be dialed with what this node has to prove: also GR_EINVAL (no
 * certificates for TLS), GR_EINSECURE (no secret for anything else). */
int gri_net_check_dial(const gri_net *net, const char *address);
/* From now on the node there is to be connected (node_keep.c). Errors: as
 * gr_node_keep. Any thread. */
int gri_net_keep(gri_net *net, const char *address);
/* Fresh bytes that nobody else can know; in deterministic mode they are the
 * seed's. The agent. */
void gri_net_random(gri_net *net, void *buf, size_t n);
/* One more of something in net->totals. */
void gri_net_count(gri_net *net, uint64_t *counter);
/* Counts what somebody at the other end did wrong, and logs it: of each cause
 * the first, and then at each doubling of their number. fault: constant. */
void gri_net_fault(gri_net *net, const char *who, int reason,
                   const char *fault);
/* Likewise what a peer may not do. what, why: constant. */
void gri_net_refused(gri_net *net, const char *who, const char *what,
                     const char *why);

#endif /* GRI_TRANSPORT_NET_H */
