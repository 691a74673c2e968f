/*
 * transport/link.h - a stream of bytes to another node, and the table of
 * functions that a kind of link is made of.
 *
 * A link is a proactor: its user starts one receive and one send at a time, in
 * memory of the user's, and is told by a callback when it is done. Callbacks
 * come from threads of the link's own, one at a time for each of received and
 * sent; they must only copy and enqueue. `closed` is the last of them, after
 * which the link touches neither its user nor its memory.
 */
#ifndef GRI_TRANSPORT_LINK_H
#define GRI_TRANSPORT_LINK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/keeper.h"
#include "transport/tls.h"

typedef struct gri_link gri_link;
typedef struct gri_port gri_port; /* a place that is listened on */
typedef struct gri_link_ops gri_link_ops;

typedef struct gri_link_events {
    /* Of a dialed link only, once: 0 (which a tcp link may say before the other
     * end has answered; then nothing comes), or why it failed (GR_ENOCONN,
     * GR_ETIMEOUT, GR_EADDRESS, GR_EDENIED, GR_ENOMEM, GR_EIO). After an error
     * the user closes it. */
    void (*opened)(void *arg, int rc);
    /* The receive is done: n bytes, at least 1; or GR_ENOCONN: the other end is
     * gone; GR_EDENIED: one end does not like the other's certificate, or does
     * not speak TLS. */
    void (*received)(void *arg, int64_t n);
    /* The send is done: n bytes of it went, at least 1, perhaps not all; or the
     * same errors. */
    void (*sent)(void *arg, int64_t n);
    /* What gri_link_close asked for is done. */
    void (*closed)(void *arg);
} gri_link_events;

struct gri_link {
    const gri_link_ops *ops;
    const gri_link_events *events;
    void *arg;
    /* During `received`: the worker that calls it, or NULL. */
    struct gri_worker *worker;
    /* One for being open, which ends with `closed`, and one for each hold. */
    _Atomic(uint32_t) holds;
};

struct gri_port {
    const gri_link_ops *ops;
};

/* A new link from outside. The callee attaches it, or closes it as it is. */
typedef void gri_accept_fn(void *arg, gri_link *link);

typedef struct gri_dial {
    const char *address;
    int64_t timeout_ms; /* GR_FOREVER: the system's own */
    const gri_tls *tls; /* for addresses of TLS; NULL: those are GR_EINVAL */
    const gri_link_events *events;
    void *arg;
} gri_dial;

struct gri_link_ops {
    /*
     * Begins to accept links. Owns: gives *out, which ends with unlisten; keeps
     * keeper. Errors: GR_EADDRESS, GR_ENOMEM, GR_EIO.
     */
    int (*listen)(gri_keeper *keeper, const char *address,
                  gri_accept_fn *accepted, void *arg, gri_port **out);
    /* The same for addresses of TLS. NULL: this kind has none. */
    int (*listen_tls)(gri_keeper *keeper, const gri_tls *tls,
                      const char *address, gri_accept_fn *accepted, void *arg,
                      gri_port **out);
    /* The address that others can dial. Owns: it is the port's, and stays. */
    const char *(*address)(const gri_port *port);
    /* No accepted comes after this returns. Not from a callback. */
    void (*unlisten)(gri_port *port);
    /*
     * Begins to open a link; `opened` tells the end. Stores *out before any
     * callback. Errors, without a callback: GR_EADDRESS, GR_ENOMEM, GR_EIO.
     */
    int (*dial)(gri_keeper *keeper, const gri_dial *dial, gri_link **out);
    /* Begins to receive at most n bytes (n > 0) into buf, which the link has
     * until `received`. One at a time. Nothing happens once it is closing. Any
     * thread, also in a callback; never blocks. */
    void (*recv)(gri_link *link, void *buf, size_t n);
    /*
     * Likewise for sending. Returns 0, and `sent` tells the rest, or is never
     * called if the link is closing; or, where it could be done at once, what
     * `sent` would have told.
     */
    int64_t (*send)(gri_link *link, const void *buf, size_t n);
    /* Begins to close it: what is in flight ends, perhaps undone, then `closed`
     * is called, from the keeper. More calls do nothing. Any thread, also in a
     * callback; never blocks. */
    void (*close)(gri_link *link);
    /* A send may write to the operating system at once, so that it is better to
     * send much at a time. Constant. */
    bool sends_at_once;
    /* Whether the other end has shown a certificate for that name: 1, 0,
     * GR_ENOTSUP (it cannot be told), GR_ENOMEM. After the first received.
     * NULL: GR_ENOTSUP. */
    int (*certified)(gri_link *link, const char *name);
    /* Frees it after the last hold; for gri_link_drop only. */
    void (*free)(gri_link *link);
};

/* NNG's byte streams: tcp://host:port, tls+tcp://host:port (to dial, also
 * tls+tcp://name@host:port) and ipc:///path. NNG looks up the host. */
extern const gri_link_ops gri_link_nng;
/* Sockets that the workers poll: the same, where the host is a number. */
extern const gri_link_ops gri_link_socket;
/* Between systems of one process: local://name. */
extern const gri_link_ops gri_link_local;
/* Between deterministic systems of one gr_sim_net: sim://name. Its keepers are
 * in that net's world; any others cannot use it (GR_EADDRESS). */
extern const gri_link_ops gri_link_sim;

/* The kind that an address is of, by its scheme and host; NULL: of none.
 * Whether the rest of it makes sense is for gri_address_check. */
const gri_link_ops *gri_link_ops_for(const char *address);

/* Can who listens there, with TLS, see for whom others' certificates are? */
bool gri_address_tells_names(const char *address);

/* Can the address be dialed, or (to_listen) listened on? Looks at its form
 * only: GR_EADDRESS. */
int gri_address_check(const char *address, bool to_listen);

static inline void gri_link_init(gri_link *link, const gri_link_ops *ops,
                                 const gri_link_events *events, void *arg)
{
    link->ops = ops;
    link->events = events;
    link->arg = arg;
    link->worker = NULL;
    atomic_init(&link->holds, 1);
}

/* Gives an accepted link its user. Before its first recv and send. */
static inline void gri_link_attach(gri_link *link,
                                   const gri_link_events *events, void *arg)
{
    link->events = events;
    link->arg = arg;
}

/* Keeps the memory (not the stream) of a link that might close meanwhile. */
static inline void gri_link_hold(gri_link *link)
{
    /* relaxed: whoever holds may pass on a hold; nothing is published. */
    (void)atomic_fetch_add_explicit(&link->holds, 1, memory_order_relaxed);
}

static inline void gri_link_drop(gri_link *link)
{
    /* release: our use of it is over before the last drop, in whatever thread,
     * frees it; acquire: the last one sees that. Both in this function. */
    if (atomic_fetch_sub_explicit(&link->holds, 1, memory_order_acq_rel) == 1) {
        link->ops->free(link);
    }
}

#endif /* GRI_TRANSPORT_LINK_H */
