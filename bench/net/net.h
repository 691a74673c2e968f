/*
 * bench/net/net.h - what the workloads between two processes have in common.
 *
 * The program starts itself a second time (other.c). Each of the two runs a
 * system that is a node; this one connects to the other and spawns actors there
 * (gr_spawn_opts.node). A workload is a function that a thread actor runs: it
 * spawns actors on both, takes the time, checks the result, and reports a line.
 */
#ifndef BENCH_NET_NET_H
#define BENCH_NET_NET_H

#include <sys/types.h>

#include <greenroom/greenroom.h>

#include "bench/common/program.h"

enum {
    NET_WAIT_MS = 120000,
    NET_PAYLOAD_MIN = 32,         /* bytes: of the small messages */
    NET_SECRET_SIZE = 32,         /* bytes */
    NET_ADDRESS_MAX = 120,        /* bytes, with a zero at the end */
    NET_SENDERS_MAX = 64,         /* of a flow */
    NET_ROUND_TRIPS_MAX = 5000000 /* whose times are kept */
};

typedef enum net_transport { NET_TCP, NET_IPC, NET_TLS } net_transport;

/* What b->self is: as whom the workload acts, and where the others are. */
typedef struct net {
    gr_actor *self;
    gr_node far;
} net;

/* A mailbox for those who are to queue without a limit, as in other runtimes:
 * all that is sent to them is their work. */
#define NET_UNBOUNDED                                                          \
    {                                                                          \
        .soft = 1u << 30, .hard = 1u << 30                                     \
    }

/* One array for each file of workloads; each ends at {0}. */
extern const workload net_flow[];
extern const workload net_talk[];

/* Who is spawned at the other end; ends at NULL. */
extern const gr_behavior net_sink;
extern const gr_behavior net_echo;
extern const gr_behavior *const net_spawnable[];

/* ---- for the workloads --------------------------------------------------- */

/* An actor at the other end, whose death ends the run. */
int net_spawn_far(const bench *b, const gr_behavior *behavior, gr_values args,
                  gr_pid *out);
/* Waits for that message: net_wait(b, gr_expect("done", &n)). Errors: as
 * gr_receive; GR_EFAIL when an actor at the other end has died, or something
 * arrived that was not sent; stderr says what. */
int net_wait(const bench *b, gr_pattern wanted);
/* Reports it as net_<name>. extra may be NULL. */
void net_report(const bench *b, int64_t ops, int64_t ns, const char *extra);

/* ---- TLS (certificate.c) ------------------------------------------------- */

/* Paths; empty: there is none. */
typedef struct net_tls {
    char key[NET_ADDRESS_MAX], certificate[NET_ADDRESS_MAX];
} net_tls;

/* Makes both files in a folder that only this user can enter. Errors:
 * GR_ETOOBIG (the path), GR_EIO (no openssl). */
int net_tls_make(net_tls *tls, const char *folder);
void net_tls_remove(const net_tls *tls);
/* Puts them into the options of a node, if there are any. */
void net_tls_use(const net_tls *tls, gr_node_opts *opts);

/* ---- the other end (other.c) --------------------------------------------- */

/* The only argument of the process at the other end. Its descriptor
 * NET_OTHER_FD is the socket to who started it, over which all else goes. */
#define NET_OTHER_ARGUMENT "the-other-end"

enum { NET_OTHER_FD = 3 };

typedef struct net_other {
    pid_t pid;
    int fd; /* its end is the other's */
    /* What a node is to be made with. */
    uint8_t secret[NET_SECRET_SIZE];
    char address[NET_ADDRESS_MAX];
    char folder[NET_ADDRESS_MAX]; /* for a socket or for TLS; empty: none */
    net_tls tls;
} net_other;

/* Starts the process, with a random secret, and waits for its address. Before
 * this process has threads. Errors: GR_EIO, GR_EFAIL; stderr says why. */
int net_other_start(net_other *other, net_transport transport,
                    unsigned workers);
/* Tells it to end, and waits for that. Errors: GR_EFAIL (it failed). */
int net_other_stop(net_other *other);
/* The process itself. Returns its exit status. */
int net_other_main(void);

#endif /* BENCH_NET_NET_H */
