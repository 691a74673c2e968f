/*
 * transport/peer.h - one connection to another node, from the first dial or
 * accept until its link is closed.
 *
 *   IDLE --dial--> DIALING --opened--> SHAKING --proven--> UP --bye--> LEAVING
 *     |                                  ^                              |
 *     '------------- accept -------------'    (any) --close--> CLOSED --'
 *
 * Three parties work on it. Whoever sends (any thread) appends to the outbox
 * under `lock`; the link's callbacks empty the outbox and read what comes; the
 * agent (agent.h), an actor, decides in its turns. What comes before the peer
 * is UP is the agent's, one receive at a time; from then on the link's callback
 * gives it to the actors by itself.
 *
 * A peer's memory is used again for later connections and freed with the net
 * only, so that a sender that holds a stale pointer finds a lock and a state.
 *
 * Locks: a peer's lock is held for a few instructions, never over a call out,
 * and no other lock is taken under it but the keeper's and a link's own.
 */
#ifndef GRI_TRANSPORT_PEER_H
#define GRI_TRANSPORT_PEER_H

#include <pthread.h>
#include <stdatomic.h>

#include "mailbox/pool.h"
#include "transport/buffer.h"
#include "transport/crossing.h"
#include "transport/draft.h"
#include "transport/handshake.h"
#include "transport/large.h"
#include "transport/link.h"
#include "transport/outbox.h"
#include "transport/pace.h"
#include "transport/slowed.h"
#include "transport/stats.h"

typedef struct gri_net gri_net;
typedef struct gri_peer gri_peer;

/* Who waits for a dial. */
typedef struct gri_request gri_request;
struct gri_request {
    gri_request *next;
    const gr_msg *msg; /* kept by the agent: asked ["gr.connect", ...]; NULL:
                          nobody, it is for place's sake */
    struct gri_place *place;
    int64_t until; /* ns: it waits no longer */
};

typedef enum gri_offence {
    GRI_OFFENCE_NONE = 0,
    GRI_OFFENCE_SLOW, /* more waits for it than may: perhaps nobody's fault */
    GRI_OFFENCE_RULE  /* it broke one */
} gri_offence;

typedef enum gri_peer_state {
    GRI_PEER_IDLE = 0, /* no link */
    GRI_PEER_DIALING,
    GRI_PEER_SHAKING, /* a stranger yet */
    GRI_PEER_UP,
    GRI_PEER_LEAVING, /* one of us said goodbye */
    GRI_PEER_CLOSED   /* its link is gone; the agent has to tidy up */
} gri_peer_state;

/* What the agent is to look at; bits. */
enum {
    GRI_EVENT_OPENED = 1, /* accepted, or a dial ended: peer->opened_rc */
    GRI_EVENT_BYTES = 2,  /* peer->in has more; only before it is UP */
    GRI_EVENT_PONG = 4,
    GRI_EVENT_LATE = 8, /* peer->late */
    GRI_EVENT_CLOSED = 16,
    GRI_EVENT_PACE = 32 /* it has become slow, or is not any more */
};

struct gri_peer {
    /* constant */
    gri_net *net;
    uint32_t index; /* in net->peers */

    pthread_mutex_t lock;
    /* under lock */
    gri_peer_state state;
    bool closing;  /* the link is told to close */
    bool draining; /* close it as soon as the outbox is empty */
    bool said_bye, got_bye;
    bool for_good;       /* the program said goodbye to this run */
    bool wrote;          /* since its last heartbeat was due */
    int64_t beat_ns;     /* how often one is */
    int64_t beat_at;     /* ns: the next; counts once it is UP */
    int reason;          /* why it ended: as for gr_match_node */
    const char *fault;   /* the same in words, constant; or NULL */
    gri_offence offence; /* what the other end has done, that it ended */
    gri_link *link;
    uint64_t node; /* who it is, once UP */
    char name[GR_NODE_NAME_MAX + 1];
    uint32_t frame_max; /* bytes; what the other end accepts */
    gri_outbox out;     /* what waits */
    uint32_t answers;   /* of what waits, as gri_peer_answer says: so many */
    gri_cargo fly;      /* what the link is sending, if flying: the link's */
    bool flying;
    gri_crossing crossing;
    gri_slowed slowed;
    gri_after after; /* sends what waits, at the end of a worker's turn */
    struct gri_worker *after_of; /* whose; NULL: nobody is to */
    int64_t let_go_at; /* ns: when whoever waits is let go in any case */
    int64_t deadline;  /* ns; when the agent (or the keeper) must look, */
    bool late;         /* and that is over; no other has been set since */
    gri_sent sent;
    gri_pace pace;

    /* any thread: when something came, in ns; relaxed, as it is only compared
     * with the clock */
    _Atomic(int64_t) heard;

    /* any thread: born, while it is UP, else 0; relaxed, as it is a hint to
     * drafts, which are looked at under the lock when they end */
    _Atomic(uint64_t) up;

    /* The receiving side: the link's callback while a receive is in flight,
     * else the agent. */
    gri_buffer in;    /* empty while there is a large one: */
    gri_large large;  /* the frame that is being received, if it is large */
    gri_buffer parts; /* of the second lane, the frame that is not here yet */
    int64_t credit;   /* bytes that the other end may still send */
    uint32_t taken;   /* and those of which it is not told yet */
    /* SLOWs that were said and answered, and the one before whose answer it is
     * told nothing: what it sends before it knows is bounded by its credit. */
    uint64_t slow_said, slow_heard, slow_mark;
    unsigned few;    /* receives in a row that needed little of `in` */
    size_t read_max; /* bytes of one receive */
    gri_got got;     /* any thread reads it */
    gri_cache cache;

    /* the agent's; it looks at those of all peers, so nobody else writes */
    gri_role role; /* 0: idle, or accepted and not looked at yet */
    gri_handshake hs;
    int64_t said_at; /* ns: of the handshake's first frame of ours; or 0 */
    bool proven;
    bool parked;     /* waits for another peer's end to be decided on */
    gri_peer *rival; /* parked: who has its name; being asked if it lives */
    bool greeted;    /* watchers know of it */
    bool told_slow;  /* and that it is slow */
    /* What it may do, once it is proven; NULL: all. Also read by the link's
     * callback, once it is UP. */
    gri_rights *rights;
    char *address; /* dialed; else NULL. While it is UP it stays, so that who
                      has the lock may read it */
    gri_request *requests; /* who waits for this dial */
    int64_t dialed_until;  /* ns: when the dial under way must be through */
    int64_t rest_ms;       /* the pause before it is dialed again; 0: not */
    uint64_t awaited; /* the node that is said to be connected, but is not UP
                         here yet; else 0 */
    bool introduced;  /* it takes part in the mesh, */
    char *listens;    /* and has said that it listens there; or NULL */

    /* written before GRI_EVENT_OPENED, the agent's from then on */
    int opened_rc;
    uint64_t born; /* counts arrivals: which stranger is the oldest */

    /* under net->lock */
    unsigned events;
    bool queued;
    gri_peer *next;      /* in the queue of events: also of one that is idle, */
    gri_peer *next_idle; /* as the keeper's may come behind its end */
};

/* Errors: GR_ENOMEM. */
int gri_peer_init(gri_peer *peer, gri_net *net, uint32_t index);
/* Its link is closed, or it has none. */
void gri_peer_fini(gri_peer *peer);
/* Makes a CLOSED peer IDLE: frees what its connection left. The agent. */
void gri_peer_reset(gri_peer *peer);

/* Gives an idle peer its link. */
void gri_peer_accept(gri_peer *peer, gri_link *link);
/* Begins to dial peer->address. Errors: as the link's dial; it stays idle. */
int gri_peer_dial(gri_peer *peer, int64_t timeout_ms);

/* Begins to receive more into `in`, or of a large frame. The agent, or the
 * link's callback. */
void gri_peer_receive(gri_peer *peer);
/* Appends bytes that are whole frames to the outbox, before it is UP. */
void gri_peer_note(gri_peer *peer, const gri_note *note);
/* A frame between nodes. The agent or the link's callback, for whom the
 * connection stays the same. */
void gri_peer_control(gri_peer *peer, const gri_frame *frame);
/* One that must come behind all between actors. */
void gri_peer_last(gri_peer *peer, const gri_frame *frame);
/* One without fields on the connection with that number (born), if it is still
 * UP or LEAVING: who has let go of the lock since cannot know. */
void gri_peer_signal_on(gri_peer *peer, uint64_t born, gri_frame_type type);
/* Answers without fields to what is just being read. They are sent together, by
 * gri_peer_flush, or when they have become many: a write to the socket for each
 * would cost who reads more than who asks. Who lets more than GRI_ANSWERS_MAX
 * wait is cut. */
void gri_peer_answer(gri_peer *peer, gri_frame_type type, unsigned times);
void gri_peer_flush(gri_peer *peer);
/* A frame of the handshake has come: it is counted, and the first that answers
 * one of ours is a first measurement of the round trip. The agent. */
void gri_peer_noted(gri_peer *peer);
/* A PING, whose PONG is the other end's sign of life, and is measured. Nothing
 * if only an old measurement is reason for it, and that is not old: any thread;
 * else the agent. */
void gri_peer_ping(gri_peer *peer, bool only_if_stale);
/* Makes it UP; `last` is the last frame of the handshake that we send, may be
 * NULL. False: it is closing. The agent. */
bool gri_peer_up(gri_peer *peer, const gri_note *last);
/*
 * Sends a frame to an actor of `node`. Any thread; never blocks. worker: as of
 * gri_route. draft: NULL, or the worker's, empty, which is to take what follows
 * to the same actor, if that may be. Returns 0;
 * GRI_ROUTE_SLOW: the same, and the sender should wait.
 * Errors: GR_ENOCONN (it is not UP, or it is another node's by now), GR_EAGAIN
 * (SEND, ASK: outbox_max), GR_ETOOBIG, GR_ENOMEM.
 */
int gri_peer_deliver(gri_peer *peer, struct gri_worker *worker, uint64_t node,
                     const gri_frame *frame, gri_draft *draft);

/* What the worker has in a draft goes into the outbox, and the draft is empty.
 * NULL: the turn is over, so it is sent, too. Returns whether its sender should
 * wait. The worker whose draft it is. */
bool gri_peer_end_draft(gri_draft *d, struct gri_worker *worker);
/* An empty draft is nobody's any more. The worker whose draft it is. */
void gri_peer_leave_draft(gri_draft *d);
/* What a draft has is sent. Any thread. */
void gri_peer_hurry_draft(gri_draft *d);
/* What all drafts of this peer have goes into the outbox. Under lock. Errors:
 * as of the outbox. */
int gri_peer_put_drafts(gri_peer *peer);

/* Is `sender` to wait before it sends to `receiver` of that node again? Then it
 * is let go later. Any thread. */
bool gri_peer_wait(gri_peer *peer, uint64_t node, uint64_t receiver,
                   uint64_t sender);
/* Lets all go that are in such a map, and frees it. Not under the lock. */
void gri_peer_let_go(gri_peer *peer, gri_map waiters);

/* Reads all whole frames of `in` while it is UP or LEAVING, and gives them to
 * their receivers; false: it was closed over one (inbound.c). */
bool gri_peer_read(gri_peer *peer, struct gri_worker *worker);

/*
 * Tells the other node that a frame of its was refused (GR_EDENIED, GR_ELIMIT),
 * if it has an answer, and the log (refuse.c). False: look at it again, it is
 * not what it was.
 */
bool gri_peer_refuse(gri_peer *peer, const gri_frame *frame, int why);

/* What the other side's certificate says of the name in its HELLO: 1: it is for
 * that one; 0: for another; GR_ENOTSUP: nothing; GR_ENOMEM. The agent
 * (certified.c). */
int gri_peer_certified(gri_peer *peer);
/* Closes it, if that is still its link, which says that nothing goes through
 * any more, and why (GR_ENOCONN, GR_EDENIED): certified.c. */
void gri_peer_lose(gri_peer *peer, const gri_link *link, int rc);

/* ---- outbound.c, for peer.c ---------------------------------------------- */

/* A send that is to be started once the lock is free. */
typedef struct gri_flight {
    gri_link *link; /* held; NULL: none */
    const uint8_t *data;
    size_t n;
} gri_flight;

/* What was not sent yet, in the bytes that it costs. Under lock. */
size_t gri_peer_queued(const gri_peer *peer);
/* Bytes in an outbox from which on senders wait. */
size_t gri_outbox_soft(const gri_net *net);
/* If nothing flies, what waits begins to. Under lock. */
gri_flight gri_peer_take_off(gri_peer *peer);
/* Not under lock: this may write to the socket. The buffer is the link's from
 * now on, so nobody needs the lock for it. */
void gri_peer_launch(gri_peer *peer, gri_flight flight);
/* Sends what is put off to the end of a worker's turn. */
void gri_peer_hurry(gri_peer *peer);
/* gri_after.run of peer->after */
void gri_peer_after(gri_after *after, struct gri_worker *worker);
/* gri_link_events.sent */
void gri_peer_sent(void *arg, int64_t n);

/* Says goodbye, then closes when the other end has agreed or at the deadline.
 * Nothing if it is not UP, or not of that node (0: whichever). Returns whether
 * it was. for_good: it is not to come back by itself. Any thread. */
bool gri_peer_bye(gri_peer *peer, uint64_t node, int64_t deadline,
                  bool for_good);
/* Closes it: the first reason counts. Any thread. */
void gri_peer_close(gri_peer *peer, int reason, const char *fault);
/* The same, if that is still its link. */
void gri_peer_close_link(gri_peer *peer, const gri_link *only, int reason,
                         const char *fault);
/* The same once this, which may be empty, and what is in the outbox went, or at
 * the deadline. That the other end closes when it has read it is no other
 * reason. */
void gri_peer_finish(gri_peer *peer, const gri_note *last, int reason,
                     const char *fault, int64_t deadline);

/* Sets when the agent is to look again. */
void gri_peer_set_deadline(gri_peer *peer, int64_t deadline);
/* The keeper looks at it: silence, deadlines, and, if one is due, a heartbeat.
 * Returns when to look again, in ns. */
int64_t gri_peer_tick(gri_peer *peer, int64_t now);
/*
 * How often a peer with so much patience gets a heartbeat from a node that by
 * itself would send one every `own_ns`: that, or its half, its quarter and so
 * on, but not below GRI_HEARTBEAT_MIN_MS. Pure.
 */
int64_t gri_beat_ns(int64_t own_ns, uint32_t silence_ms);

#endif /* GRI_TRANSPORT_PEER_H */
