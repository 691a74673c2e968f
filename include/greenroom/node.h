/*
 * greenroom/node.h - actors in other processes and on other hosts.
 *
 * A node is a system that listens or connects. Nodes prove to each other that
 * they know a shared secret, or show each other certificates over TLS, or both,
 * before anything else is believed. Then pids of the
 * other node work in gr_send, gr_ask, gr_call, gr_link, gr_monitor, gr_stop and
 * gr_kill like local ones. Losing a node fires every monitor and link across it
 * with GR_EXIT_NOCONNECTION and ends every open ask with GR_ENOCONN.
 *
 * The secret keeps strangers out; it does not hide what is said. Between hosts
 * use TLS, or a network that nobody else can read or write. All nodes with the
 * secret trust each other, unless gr_node_opts.rights says what they may do;
 * nodes with a secret of their own have rights of their own
 * (gr_node_opts.peers). What an actor of a third node has sent cannot be
 * forwarded (gr_forward: GR_ENOTSUP): a node speaks for its own actors only.
 * docs/protocol.md has the bytes.
 */
#ifndef GREENROOM_NODE_H
#define GREENROOM_NODE_H

#include <greenroom/system.h>

GR_BEGIN_DECLS

#define GR_NODE_NAME_MAX        63
#define GR_SECRET_MIN           16   /* bytes */
#define GR_SECRET_MAX           1024 /* bytes */
#define GR_HEARTBEAT_MS_DEFAULT 1000
#define GR_SILENCE_MS_DEFAULT   5000
#define GR_PEERS_MAX_DEFAULT    256u
#define GR_OUTBOX_MAX_DEFAULT   (4u << 20)
#define GR_WINDOW_DEFAULT       (1u << 20)
#define GR_WINDOW_MAX           (1u << 30)

/* ms; see gr_node_keep */
#define GR_REDIAL_FIRST_MS_DEFAULT 100
#define GR_REDIAL_MAX_MS_DEFAULT   30000
#define GR_REDIAL_RESET_MS_DEFAULT 10000
#define GR_REDIAL_MS_MAX           3600000
#define GR_KEPT_MAX                4096u /* addresses */

/*
 * What a peer may do on this node. What is not given here is not allowed, but
 * for names and the limits: zero is none of them. Beyond these rights an ask is
 * answered, a link and a monitor end, with GR_EDENIED (GR_ELIMIT over a limit);
 * what has no answer is dropped, and counted in the log.
 */
typedef struct gr_peer_rights {
    /* The names that it may look up, and give to what it spawns: as they are,
     * or a beginning and '*'. Ends at NULL. NULL: all. With a list it reaches
     * only actors whose pid it was told on this connection: as an answer to
     * such a question, or in a message, or because they wrote to it. */
    const char *const *names;
    const gr_behavior *const *spawnable; /* of the node's; ends at NULL; NULL:
                                            none */
    bool may_link;                       /* its actors to actors here */
    bool may_monitor;                    /* actors here */
    bool may_stop;                       /* gr_stop and gr_kill */
    /* For each connection; 0: as many as anybody. */
    uint32_t monitors_max; /* of actors here */
    uint32_t links_max;    /* in all, whoever asked for them, but with actors
                              that it spawned with a link */
    uint32_t asks_max;     /* questions that are not answered yet */
    /* For all peers with these rights together, also when they have gone. */
    uint32_t spawned_max; /* actors that they started, and that live */
    uint32_t names_max;   /* those of them that got a name */
} gr_peer_rights;

#define GR_PEERS_LISTED_MAX 4096u

/* A node that is known by its name. */
typedef struct gr_peer_opts {
    const char *name;             /* NULL ends a list */
    const char *secret_file;      /* as in gr_node_opts, for this name alone */
    gr_bytes secret;              /* instead of the file. Neither: it must show
                                     a certificate for that name. NNG below 1.6
                                     does not tell that: a node that listens
                                     with TLS at the name of a host, not at a
                                     number, is GR_ENOTSUP then; one that dials
                                     it does so at tls+tcp://name@host:port */
    const gr_peer_rights *rights; /* NULL: all */
} gr_peer_opts;

/* Zero means the default in every field. Copied during the call. */
typedef struct gr_node_opts {
    const char *name;     /* required: 1 to GR_NODE_NAME_MAX bytes, unique among
                             connected nodes */
    const char *listen;   /* tcp://127.0.0.1:7000, tls+tcp://0.0.0.0:7000,
                             ipc:///run/x/y, or, for nodes of this process,
                             local://name; NULL: none. Port 0 takes a free one:
                             see gr_node_address */
    bool insecure_listen; /* listen may be an address that other hosts reach:
                             what is said there can be read and changed */
    const char *secret_file; /* a file only its owner may read (mode 0600) */
    gr_bytes secret;         /* instead of the file */
    /* For addresses of TLS, all three or none, in PEM: the node's certificate
     * (with what is between it and the authority), its key, which only its
     * owner may read, and the authorities that other nodes' certificates must
     * be signed by (and, if wanted, their lists of revoked ones). Without any
     * secret the certificates alone decide, and all other addresses are
     * refused. */
    const char *certificate_file;
    const char *key_file;
    const char *authority_file;
    /* Nodes with a secret of their own, which the other side has as its common
     * one or lists for this node. The secret above is for all other names;
     * without it only these may connect. Ends at a name of NULL, after at most
     * GR_PEERS_LISTED_MAX. */
    const gr_peer_opts *peers;
    const gr_peer_rights *rights;        /* of all others; NULL: all */
    const gr_behavior *const *spawnable; /* ends at NULL; NULL: none */
    int64_t heartbeat_ms;                /* sent when nothing else was */
    int64_t silence_ms;  /* without a byte for so long, the node is lost */
    uint32_t peers_max;  /* also of addresses that peers tell of */
    uint32_t outbox_max; /* bytes that wait for one peer: then GR_EAGAIN. From
                            an eighth of it on, actors that send are slowed
                            down: they wait between turns */
    uint32_t window;     /* bytes, at most GR_WINDOW_MAX, that a peer may send
                            ahead of what this node's mailboxes have taken; a
                            message counts 64 more than it has */
    /* Addresses that are kept from the beginning: see gr_node_keep. Ends at
     * NULL; this node's own may be among them. */
    const char *const *seeds;
    /* Nodes with this join each with each: those that are connected tell each
     * other where they listen, and dial whom they hear of. For that one of the
     * seeds (or a gr_node_connect) is enough, and all may have the same list.
     * Only peers that may do all (rights is NULL) are told, and believed; and
     * of addresses only those of the same scheme as the connection's, on this
     * host if that is on this host, else not. */
    bool mesh;
    const char *advertise; /* where others find this node; NULL: where it
                              listens, with its name before the host if that is
                              TLS; at all of the host's addresses (0.0.0.0):
                              nowhere */
    /* How often what is kept is dialed again: see gr_node_keep. A node that was
     * cut for breaking a rule is taken again after such pauses, too; one for
     * which too much waited, after the first of them. At most GR_REDIAL_MS_MAX.
     */
    int64_t redial_first_ms, redial_max_ms, redial_reset_ms;
} gr_node_opts;

/*
 * Makes the caller's system a node. Once per system; ends with the system.
 * Errors: GR_EINVAL (name; redial_first_ms above redial_max_ms; no secret and
 *         no certificate; a secret too short or
 *         given twice; a peer without a secret, where it needs one, or listed
 *         twice; rights to spawn what is not spawnable; not all three files for
 *         TLS; already a node),
 *         GR_EDENIED (a file can be read or written by others), GR_ENOENT,
 *         GR_EIO (a file), GR_EFORMAT (a file for TLS, or its key is of another
 *         certificate), GR_EEXPIRED (its certificate, or one in that file, is
 *         not valid now): the log says which,
 *         GR_EADDRESS (listen, advertise, a seed), GR_ELIMIT (seeds),
 *         GR_EINSECURE (listen is beyond loopback: see
 *         insecure_listen; or there is no secret, and it is not TLS),
 *         GR_ENOMEM, GR_ENOTSUP (NNG has no TLS, or does not tell the name of a
 *         certificate that a listed peer needs; a deterministic system that is
 *         in no gr_sim_net, or listens at an address that is not simulated:
 *         others do not follow its clock; a simulated address in a real
 *         system).
 */
GR_API GR_MUST_CHECK int gr_node_start(gr_actor *self,
                                       const gr_node_opts *opts);
/* The address that is listened on, with its real port. Errors: GR_ENOENT
 * (not listening), GR_ETOOBIG (size). */
GR_API GR_MUST_CHECK int gr_node_address(gr_actor *self, char *buf,
                                         size_t size);

/*
 * Connects to the node that listens at `address`, of whichever kind that is (a
 * node may listen on one and dial another), and waits for the proof on both
 * sides. *out names it. Connecting twice gives the same node. At
 * tls+tcp://name@host:port there must be a certificate for that name and a node
 * of that name; without "name@" a certificate for the host.
 * Errors: GR_EADDRESS, GR_ENOCONN (nobody there), GR_ETIMEOUT, GR_EDENIED (the
 *         secret differs, or only one side has one; a certificate is wrong: the
 *         log says which), GR_EAGAIN (this node was cut there of late, and is
 *         taken again after a pause: see redial_first_ms), GR_EVERSION,
 *         GR_EEXIST (name taken, or itself), GR_ELIMIT (peers_max; too many
 *         dials at once), GR_EFORMAT (what listens there is no node),
 *         GR_EINSECURE (without a secret: not TLS), GR_ENOMEM, GR_EIO,
 *         GR_ENOTSUP (not a thread actor; a real address in deterministic mode,
 *         a simulated one elsewhere), GR_EINVAL (not a node; no certificates
 *         for TLS).
 */
GR_API GR_MUST_CHECK int gr_node_connect(gr_actor *self, const char *address,
                                         int64_t timeout_ms, gr_node *out);
/* Says goodbye and closes. Monitors and links fire. That is for good: neither
 * of the two dials this run of the other by itself any more (gr_node_keep,
 * mesh); gr_node_connect, or gr_node_keep of its address, on either side, ends
 * that. Errors: GR_ENOCONN. */
GR_API GR_MUST_CHECK int gr_node_disconnect(gr_actor *self, gr_node node);

/*
 * From now on the node that listens at `address` is to be connected: it is
 * dialed, and dialed again whenever it is lost or started anew, until
 * gr_node_forget. What becomes of it is told by gr_watch_nodes; nothing waits.
 *
 * After a failure there is a pause: of redial_first_ms, doubling up to
 * redial_max_ms; of each, half is chance, so that many nodes do not come back
 * at once. A connection that lasted for redial_reset_ms ends the row. Why it
 * fails is logged once, and again when the reason changes; what does not mend
 * in a moment (another secret, a certificate, a version, what is no node) is
 * tried each redial_max_ms from the first time on. At most half of 64 dials at
 * once are of this kind.
 *
 * Keeping an address once more counts: it is to be forgotten as often. One's
 * own address is never dialed. Threads: any kind of actor; never blocks.
 * Errors: GR_EADDRESS, GR_ELIMIT (GR_KEPT_MAX), GR_EINSECURE, GR_ENOMEM,
 * GR_ENOTSUP, GR_EINVAL: as gr_node_connect.
 */
GR_API GR_MUST_CHECK int gr_node_keep(gr_actor *self, const char *address);
/* No more. Who is connected stays so. In a mesh, what other nodes tell of is
 * dialed as before. Errors: GR_ENOENT, GR_EINVAL (not a node). Threads: as
 * gr_node_keep. */
GR_API GR_MUST_CHECK int gr_node_forget(gr_actor *self, const char *address);

/* ---- where addresses come from ------------------------------------------- */

/* The addresses that a look finds. */
typedef struct gr_found gr_found;

#define GR_FOUND_MAX 4096u /* addresses of one look */

/* One more; its form is looked at. Errors: GR_EADDRESS, GR_ELIMIT
 * (GR_FOUND_MAX), GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_found_add(gr_found *found, const char *address);
/* Says in words, for the log, why the look fails. Returns rc, for it to return.
 * Copies text. */
GR_API int gr_found_fail(gr_found *found, int rc, const char *text);

/*
 * A place to look for nodes: a list, a file, a directory service. Its functions
 * are called one at a time, by an actor of their own: a look that blocks for a
 * moment holds up nobody, one that takes seconds is for a job (job.h).
 */
typedef struct gr_discovery {
    const char *name; /* required: how the log calls it; borrowed while it is
                         in use */
    /* Adds all addresses that there are now. Returns 0; 1: they are those of
     * the last time; an error: they are not known now, and those of the last
     * time stay. */
    int (*look)(void *arg, gr_found *found);
    void (*end)(void *arg); /* NULL, or: it is not used any more */
    void *arg;
    int64_t interval_ms; /* from one look to the next; 0: there is one only */
} gr_discovery;

/*
 * From now on what `d` finds is kept (gr_node_keep), and what it does not find
 * any more is forgotten, until the actor *out ends (gr_stop) or the system
 * does: then all of it is forgotten. Each error is logged once, and again when
 * it has changed; after one there is another look in any case. Owns: takes what
 * `d` has: its end is called when it is over; on an error it stays the
 * caller's. out may be NULL. Errors: GR_EINVAL (no name, no look, interval
 * below 0, not a node), and those of gr_spawn. Threads: any kind of actor;
 * never blocks.
 */
GR_API GR_MUST_CHECK int gr_node_discover(gr_actor *self, const gr_discovery *d,
                                          gr_pid *out);

/* Those of a list that ends at NULL, which is copied. Owns: gives *out; who
 * does not use it calls its end. Errors: GR_EADDRESS, GR_ELIMIT, GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_discovery_list(const char *const *addresses,
                                           gr_discovery *out);

#define GR_DISCOVERY_MS_DEFAULT 2000
#define GR_DISCOVERY_FILE_MAX   (1u << 20) /* bytes */

/*
 * Those in a file, which is read again each interval_ms (0: the default): one
 * address a line; what is behind '#' at the beginning of a line or behind a
 * space is a comment. With one line that is none nothing of the file counts,
 * and the log says which line it is; so it does when it cannot be read, or is
 * larger than GR_DISCOVERY_FILE_MAX. It may come to be later. Whoever writes it
 * decides whom this node dials, and no more. Better replace it (rename) than
 * write into it. Owns: as gr_discovery_list. Errors: GR_EINVAL, GR_ENOMEM.
 */
GR_API GR_MUST_CHECK int
gr_discovery_file(const char *path, int64_t interval_ms, gr_discovery *out);

/* The connected node of that name. Errors: GR_ENOENT. */
GR_API GR_MUST_CHECK int gr_node_find(gr_actor *self, const char *name,
                                      gr_node *out);
/* Its name. Errors: GR_ENOCONN (not connected), GR_ETOOBIG. */
GR_API GR_MUST_CHECK int gr_node_name(gr_actor *self, gr_node node, char *buf,
                                      size_t size);
/* The actor that answers for a node, from any kind of actor, by gr_ask:
 * ["whereis", name] -> ["pid", pid]; ["spawn", behaviour, name or nil,
 * [args...]] -> ["pid", pid]; ["ping"] -> ["pong"]. With gr_bool(true) behind
 * the arguments the actor begins with a link to who asks, and with that one as
 * the sender of its arguments; GR_EINVAL for who asks the agent of its own
 * node. */
GR_API gr_pid gr_node_agent(gr_node node);

/* From now on (or no longer) the actor is told of nodes that come and go, and
 * of those that become slow and are so no longer, beginning with those that
 * are here. Errors: GR_ENOMEM, GR_EINVAL (not a
 * node). */
GR_API GR_MUST_CHECK int gr_watch_nodes(gr_actor *self, bool on);
/* True for such a message: *up says which; *reason (of a loss) is an error
 * code: 0 said goodbye, GR_ENOCONN closed, GR_ETIMEOUT silent, GR_EFORMAT
 * broke the protocol, GR_ELIMIT did not read what it was sent, GR_ENOMEM here.
 * name borrows from the message. Outputs may be NULL. */
GR_API bool gr_match_node(const gr_msg *msg, bool *up, gr_node *node,
                          gr_str *name, int *reason);
/*
 * True for a message to such an actor that a node has become slow (*slow), or
 * is not any more. Slow is one for which, at two heartbeats in a row, more than
 * an eighth of outbox_max waited here, and never half of that or less between
 * them: actors that send to it wait, and there is a risk that their messages
 * are refused. It is slow no more once half of that, or less, has waited; the
 * next heartbeat finds it. One that is lost meanwhile is only told as lost.
 * *queued: bytes that wait. name borrows from the message. Outputs may be NULL.
 */
GR_API bool gr_match_slow_node(const gr_msg *msg, bool *slow, gr_node *node,
                               gr_str *name, uint64_t *queued);

/* ---- what is counted ----------------------------------------------------- */

#define GR_NODE_ADDRESS_MAX 299 /* bytes of an address */

/* Of one connection, since it came up. Bytes are those of the stream, with the
 * handshake's. They are counted where they pass, so one may be ahead of
 * another. */
typedef struct gr_peer_stats {
    gr_node node;
    char name[GR_NODE_NAME_MAX + 1];
    char address[GR_NODE_ADDRESS_MAX + 1]; /* that this node has dialed; empty:
                                              the other one has */
    int64_t up_ms;                         /* for so long */
    uint64_t bytes_sent, bytes_received;
    uint64_t frames_sent, frames_received;     /* many messages may be in one */
    uint64_t messages_sent, messages_received; /* answers, too */
    uint64_t refused;                          /* messages to it: GR_EAGAIN */
    uint64_t queued;          /* bytes that wait here (gr_node_opts.outbox_max
                                 is their bound) */
    int64_t credit;           /* bytes that it takes yet; 0 and below: messages
                                 to it wait */
    int64_t credit_given;     /* bytes that this node takes from it yet */
    uint32_t senders_waiting; /* actors here that are slowed down for it */
    bool slow;                /* see gr_match_slow_node */
    int64_t rtt_ns;           /* the last round trip */
    int64_t rtt_smooth_ns;    /* each new one counts an eighth in this one */
    int64_t silent_ms;        /* since a byte came; a heartbeat is due at least
                                 four times in this node's silence_ms */
    int64_t silent_max_ms;    /* the longest such time */
} gr_peer_stats;

/*
 * What passed between this node and a connected one. The round trip is the
 * handshake's at first, which takes in what both ends did meanwhile; from then
 * on that of a PING and its PONG through both ends' queues. No PING is sent for
 * its own sake: a call finds the last measurement, and, if that is older than
 * a second or the handshake's, has it measured again for the next call.
 * Errors: GR_ENOCONN (not connected). Threads: any kind of actor; never blocks.
 */
GR_API GR_MUST_CHECK int gr_node_stats(gr_actor *self, gr_node node,
                                       gr_peer_stats *out);

/* Of this node, since gr_node_start. */
typedef struct gr_net_stats {
    uint32_t nodes;      /* connected now */
    uint32_t handshakes; /* dials, and connections that are not proven yet */
    uint64_t connected;  /* connections that came up */
    uint64_t lost;       /* of these, ended other than by a goodbye */
    uint64_t refused;    /* connections that were accepted and did not come up,
                            by the other end's fault or for want of a place */
    uint64_t faults; /* what others did wrong, when they came or later; of these
                        the following: */
    uint64_t malformed; /* it broke the protocol, or spoke another */
    uint64_t denied;    /* another secret */
    uint64_t late;      /* its handshake took too long, or it was silent */
    uint64_t excessive; /* too many connections or nodes; or it did not read
                           what it was sent */
    uint64_t forbidden; /* not a fault: what nodes wanted and have no right to
                           (gr_peer_rights), or had too many of */
} gr_net_stats;

/* What came to this node as a whole. Errors: GR_EINVAL (not a node). */
GR_API GR_MUST_CHECK int gr_node_totals(gr_actor *self, gr_net_stats *out);

/* Writes the first `max` of the connected nodes to out, in no order, and
 * returns how many there are: more than max if there was no room for all. out
 * may be NULL if max is 0. Errors: GR_EINVAL (not a node). */
GR_API GR_MUST_CHECK int gr_node_list(gr_actor *self, gr_node *out,
                                      uint32_t max);

/* An address that this node dials by itself. */
typedef struct gr_known_node {
    char address[GR_NODE_ADDRESS_MAX + 1];
    gr_node node; /* who is connected; 0: nobody */
    bool kept;    /* gr_node_keep, or a seed */
    bool told;    /* other nodes of the mesh tell of it */
    bool self;    /* it is this node's own */
    int error;    /* how the last dial failed: as gr_node_connect; GR_ESTOPPED:
                     it is the run that gr_node_disconnect parted from; 0: it
                     did not */
    uint32_t tries;  /* that failed in a row */
    int64_t next_ms; /* until it is dialed again; -1: it is not */
} gr_known_node;

/* Writes the first `max` of them to out, in no order, and returns how many
 * there are. out may be NULL if max is 0. Errors: GR_EINVAL (not a node).
 * Threads: as gr_node_keep. */
GR_API GR_MUST_CHECK int gr_node_known(gr_actor *self, gr_known_node *out,
                                       uint32_t max);

/* ---- child nodes: processes that this program starts itself ------------- */

/*
 * An actor that is a child process: the same binary, started at once, with a
 * system of its own that is connected to this node (gr_main diverts it; see
 * gr_main_opts.node_app and .spawnable). Spawn it, best under a supervisor,
 * with gr_args("name", workers): the child node's name and its number of
 * workers (0: one per processor). Watch nodes (gr_watch_nodes) to learn when it
 * is up. When the process ends, so does the actor: GR_EXIT_NORMAL for status 0,
 * else GR_EXIT_ERROR with the status, or GR_EXIT_SIGNAL. When the actor ends,
 * so does the process: asked first, killed after 2 s, and always reaped; an
 * actor that is stopped ends after its process. A process that cannot be
 * reached any more is killed, and so is one whose parent dies. Needs
 * gr_child_nodes_enable: without it, and for wrong arguments, the actor ends
 * with GR_EINVAL; for a name that another child node has, with GR_EEXIST.
 */
GR_API extern const gr_behavior gr_child_node_behavior;

/* Makes the system a node for its own children only: ipc in a fresh folder of
 * mode 0700, a random secret of 256 bits, handed to each child over an
 * inherited descriptor. Errors: as gr_node_start. */
GR_API GR_MUST_CHECK int gr_child_nodes_enable(gr_actor *self,
                                               const char *name);

/* The process id of the child node `name`, from before it is up until its
 * process has ended; for tests and for people. Errors: GR_ENOENT. */
GR_API GR_MUST_CHECK int gr_child_node_process(gr_actor *self, const char *name,
                                               int *out);

GR_END_DECLS

#endif /* GREENROOM_NODE_H */
