/*
 * transport/link_nng.c - links that are byte streams of NNG (nng_stream).
 *
 * Streams and not NNG's sockets: a socket adds two thread hops a message,
 * redials by itself, delivers what was queued for one process to the next one
 * at that address, and can deadlock when it is closed. Rules that the rest of
 * this file keeps, each of them learnt from a hang or a crash:
 *
 * - An operation that starts after nng_stream_close may never complete. So
 *   every start stands between start_begins and start_ends, and whoever closes
 *   first forbids starts and waits for those under way.
 * - nng_aio_free and nng_aio_stop wait for a running callback, so they must not
 *   be called from one: closing is done by the keeper.
 * - nng_aio_stop does not wait for an operation that another thread is just
 *   completing: there is a moment in which that is neither in flight nor yet a
 *   callback, and what is freed then is used after. NNG completes under the
 *   lock of the stream or listener, and closing takes that lock. So the order
 *   is: close the stream, wait for both aios, then free all.
 * - A tcp dialer has aios of its own that nobody can wait for. When its dial is
 *   cut short, by a close or by time, NNG's poller may be in just that moment
 *   with one of them (NNG 1.10 then aborts or crashes; seen in one of a few
 *   thousand cut dials). So such a dialer is freed only after a round trip
 *   through NNG's resolver and poller: see pass_nng_threads.
 * - A tcp dial may succeed while the socket still connects: NNG asks it for an
 *   error when epoll reports it as hung up, as it does with one that has not
 *   begun to, and takes none for a connection (seen with 1.5 in one of four
 *   dials without an answer). Sends and receives then wait until it is one, or
 *   fail; so how long a stranger has is for its user to judge.
 * - nng_fini is never called: NNG's threads stay for the life of the process.
 * - After fork without exec no function of NNG may be called.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <nng/nng.h>

#include <greenroom/base.h>
#include <greenroom/error.h>

#include "base/assert.h"
#include "base/memory.h"
#include "transport/link.h"
#include "transport/tls_nng.h"

enum {
    STOPPED = 999,   /* NNG_ESTOPPED of later versions: 1.5 does not have it */
    IPC_MODE = 0600, /* only the owner may connect, before any handshake */
    ACCEPT_PAUSE = 100 /* ms without accepting, when there is no memory or no
                          descriptor left */
};

typedef struct nng_link {
    gri_link base;
    gri_keeper *keeper;
    gri_job closing_job;
    nng_stream_dialer *dialer; /* of a dialed link */
    nng_aio *dial_aio;
    bool dial_cut; /* the dial ended before NNG was done with it; set before
                      dial_aio's callback ends, read once that was waited for */
    nng_stream *stream; /* NULL until it is open */
    nng_aio *rx, *tx;

    pthread_mutex_t lock;
    pthread_cond_t idle; /* starting is 0 */
    /* under lock */
    bool closing;
    unsigned starting; /* operations that are just being started */
} nng_link;

typedef struct nng_port {
    gri_port base;
    gri_keeper *keeper;
    gri_accept_fn *accepted;
    void *arg;
    nng_stream_listener *listener;
    nng_aio *aio;
    nng_link *next; /* for the next stream: accepting needs no memory */
    bool pausing;   /* the aio sleeps; its callback's */
    char address[300];
} nng_port;

static int error_of(int nng_rc)
{
    switch (nng_rc) {
    case 0:
        return 0;
    case NNG_ENOMEM:
        return GR_ENOMEM;
    case NNG_ETIMEDOUT:
        return GR_ETIMEOUT;
    case NNG_EADDRINVAL:
    case NNG_EADDRINUSE:
    case NNG_EINVAL:
    case NNG_ENOTSUP:
        return GR_EADDRESS;
    case NNG_EPERM:
    case NNG_ECRYPTO:
    case NNG_EPEERAUTH:
        return GR_EDENIED;
    case NNG_ECONNREFUSED:
    case NNG_ECONNABORTED:
    case NNG_ECONNRESET:
    case NNG_ECONNSHUT:
    case NNG_ECLOSED:
    case NNG_ECANCELED:
    case NNG_ENOENT: /* no such file: nobody listens there */
    case NNG_EUNREACHABLE:
    case NNG_EAGAIN: /* a local socket whose queue of connects is full */
    case STOPPED:
        return GR_ENOCONN;
    default:
        /* A number of the system's that NNG has no name for is a connection's
         * bad luck, and may be tried again; the rest is NNG's own trouble. */
        return (nng_rc & NNG_ESYSERR) != 0 ? GR_ENOCONN : GR_EIO;
    }
}

static bool start_begins(nng_link *l)
{
    (void)pthread_mutex_lock(&l->lock);
    bool ok = !l->closing;
    if (ok) {
        l->starting++;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return ok;
}

/* The lock is not held over the start itself, so that it would not matter if
 * NNG called back in the same thread. */
static void start_ends(nng_link *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->starting--;
    if (l->closing && l->starting == 0) {
        (void)pthread_cond_signal(&l->idle);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

/* What became of a receive or a send. */
static int64_t result_of(nng_aio *aio)
{
    size_t n = nng_aio_count(aio);
    int rc = error_of(nng_aio_result(aio));
    if (rc == 0 && n > 0) {
        return (int64_t)n;
    }
    return rc == GR_EDENIED ? rc : GR_ENOCONN;
}

static void on_received(void *arg)
{
    nng_link *l = arg;
    l->base.events->received(l->base.arg, result_of(l->rx));
}

static void on_sent(void *arg)
{
    nng_link *l = arg;
    l->base.events->sent(l->base.arg, result_of(l->tx));
}

static void on_dialed(void *arg)
{
    nng_link *l = arg;
    int nng_rc = nng_aio_result(l->dial_aio);
    int rc = error_of(nng_rc);
    l->dial_cut = nng_rc == NNG_ECANCELED || nng_rc == NNG_ECLOSED ||
                  nng_rc == NNG_ETIMEDOUT;
    if (rc == 0) {
        l->stream = nng_aio_get_output(l->dial_aio, 0);
    }
    l->base.events->opened(l->base.arg, rc);
}

static void free_link(gri_link *base)
{
    nng_link *l = GRI_CONTAINER(base, nng_link, base);
    (void)pthread_mutex_destroy(&l->lock);
    (void)pthread_cond_destroy(&l->idle);
    free(l);
}

/*
 * Returns true when each of NNG's threads has ended the completion that it was
 * in. Resolving an address takes the lock under which the resolver completes,
 * and freeing a listener waits for the poller to end its round.
 */
static bool pass_nng_threads(void)
{
    nng_stream_listener *listener = NULL;
    if (nng_stream_listener_alloc(&listener, "tcp://127.0.0.1:0") != 0) {
        return false;
    }
    bool ok = nng_stream_listener_listen(listener) == 0;
    nng_stream_listener_close(listener);
    nng_stream_listener_free(listener);
    return ok;
}

static void end_dial(nng_link *l)
{
    /* Ends the dialer's own resolving and connecting too, which its close does
     * not. The close is what makes the wait right: see the head comment. */
    nng_aio_abort(l->dial_aio, NNG_ECANCELED);
    nng_stream_dialer_close(l->dialer);
    nng_aio_wait(l->dial_aio);
    /* Before the dialer: it waits for NNG's timer, which may be about to tell
     * the dialer of a timeout. */
    nng_aio_free(l->dial_aio);
    /* Without a descriptor or loopback it is better lost than used when it is
     * free. */
    if (!l->dial_cut || pass_nng_threads()) {
        nng_stream_dialer_free(l->dialer);
    }
}

/* On the keeper's thread: no callback of this link runs here. */
static void close_now(gri_job *job)
{
    nng_link *l = GRI_CONTAINER(job, nng_link, closing_job);
    (void)pthread_mutex_lock(&l->lock);
    while (l->starting > 0) {
        (void)pthread_cond_wait(&l->idle, &l->lock);
    }
    (void)pthread_mutex_unlock(&l->lock);
    if (l->dial_aio != NULL) {
        end_dial(l);
    }
    if (l->stream != NULL) {
        nng_stream_close(l->stream);
        nng_aio_wait(l->rx);
        nng_aio_wait(l->tx);
        nng_stream_free(l->stream);
    }
    nng_aio_free(l->rx);
    nng_aio_free(l->tx);
    if (l->base.events != NULL) {
        l->base.events->closed(l->base.arg);
    }
    gri_link_drop(&l->base);
}

static void nng_link_close(gri_link *base)
{
    nng_link *l = GRI_CONTAINER(base, nng_link, base);
    (void)pthread_mutex_lock(&l->lock);
    bool first = !l->closing;
    l->closing = true;
    (void)pthread_mutex_unlock(&l->lock);
    if (first) {
        gri_keeper_run(l->keeper, &l->closing_job);
    }
}

static nng_link *link_new(gri_keeper *keeper)
{
    nng_link *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return NULL;
    }
    gri_link_init(&l->base, &gri_link_nng, NULL, NULL);
    l->keeper = keeper;
    l->closing_job.run = close_now;
    if (pthread_mutex_init(&l->lock, NULL) != 0) {
        goto no_lock;
    }
    if (pthread_cond_init(&l->idle, NULL) != 0) {
        goto no_cond;
    }
    if (nng_aio_alloc(&l->rx, on_received, l) != 0) {
        goto no_rx;
    }
    if (nng_aio_alloc(&l->tx, on_sent, l) != 0) {
        goto no_tx;
    }
    /* How long either may take is the user's to judge. */
    nng_aio_set_timeout(l->rx, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(l->tx, NNG_DURATION_INFINITE);
    return l;
no_tx:
    nng_aio_free(l->rx);
no_rx:
    (void)pthread_cond_destroy(&l->idle);
no_cond:
    (void)pthread_mutex_destroy(&l->lock);
no_lock:
    free(l);
    return NULL;
}

static void nng_link_start(gri_link *base, void *buf, size_t n, bool receive)
{
    nng_link *l = GRI_CONTAINER(base, nng_link, base);
    if (!start_begins(l)) {
        return;
    }
    nng_aio *aio = receive ? l->rx : l->tx;
    const nng_iov iov = {.iov_buf = buf, .iov_len = n};
    /* Fails for too many parts only; there is one. */
    (void)nng_aio_set_iov(aio, 1, &iov);
    if (receive) {
        nng_stream_recv(l->stream, aio);
    } else {
        nng_stream_send(l->stream, aio);
    }
    start_ends(l);
}

static void nng_link_recv(gri_link *base, void *buf, size_t n)
{
    nng_link_start(base, buf, n, true);
}

static int64_t nng_link_send(gri_link *base, const void *buf, size_t n)
{
    /* NNG has one type for both directions, without const. It only reads. */
    nng_link_start(base, (void *)(uintptr_t)buf, n, false);
    return 0;
}

/* NNG knows 32 bits of milliseconds. */
static nng_duration duration_of(int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        return NNG_DURATION_INFINITE;
    }
    return timeout_ms > INT32_MAX ? INT32_MAX : (nng_duration)timeout_ms;
}

static int nng_link_dial(gri_keeper *keeper, const gri_dial *dial,
                         gri_link **out)
{
    int rc = gri_address_check(dial->address, false);
    if (rc < 0) {
        return rc;
    }
    nng_link *l = link_new(keeper);
    if (l == NULL) {
        return GR_ENOMEM;
    }
    gri_link_attach(&l->base, dial->events, dial->arg);
    rc = error_of(nng_aio_alloc(&l->dial_aio, on_dialed, l));
    if (rc == 0) {
        rc = gri_tls_address(dial->address)
                 ? gri_tls_nng_dialer(dial->tls, dial->address, &l->dialer)
                 : error_of(nng_stream_dialer_alloc(&l->dialer, dial->address));
    }
    if (rc < 0) {
        if (l->dial_aio != NULL) {
            nng_aio_free(l->dial_aio);
        }
        nng_aio_free(l->rx);
        nng_aio_free(l->tx);
        free_link(&l->base);
        return rc;
    }
    /* Of tcp alone; elsewhere it is refused, and nothing is lost. */
    (void)nng_stream_dialer_set_bool(l->dialer, NNG_OPT_TCP_NODELAY, true);
    nng_aio_set_timeout(l->dial_aio, duration_of(dial->timeout_ms));
    *out = &l->base;
    /* Nobody can close it yet: it has not been told to anybody. The callback
     * may, while NNG is still in here. */
    (void)start_begins(l);
    nng_stream_dialer_dial(l->dialer, l->dial_aio);
    start_ends(l);
    return 0;
}

static void accept_next(nng_port *port)
{
    if (port->next == NULL) {
        port->next = link_new(port->keeper);
    }
    port->pausing = port->next == NULL;
    if (port->pausing) {
        nng_sleep_aio(ACCEPT_PAUSE, port->aio);
    } else {
        nng_stream_listener_accept(port->listener, port->aio);
    }
}

static void on_accepted(void *arg)
{
    nng_port *port = arg;
    int rc = nng_aio_result(port->aio);
    if (rc == NNG_ECANCELED || rc == NNG_ECLOSED) {
        return; /* unlisten */
    }
    if (port->pausing) {
        accept_next(port);
    } else if (rc == 0) {
        nng_link *l = port->next;
        port->next = NULL;
        l->stream = nng_aio_get_output(port->aio, 0);
        port->accepted(port->arg, &l->base);
        accept_next(port);
    } else {
        /* No descriptor, or a stranger that hung up: without the pause the
         * first would be a busy loop. */
        port->pausing = true;
        nng_sleep_aio(ACCEPT_PAUSE, port->aio);
    }
}

static void free_port(nng_port *port)
{
    if (port->listener != NULL) {
        nng_stream_listener_close(port->listener);
        nng_stream_listener_free(port->listener);
    }
    if (port->aio != NULL) {
        nng_aio_free(port->aio);
    }
    if (port->next != NULL) {
        nng_link_close(&port->next->base);
    }
    free(port);
}

static void nng_link_unlisten(gri_port *base)
{
    nng_port *port = GRI_CONTAINER(base, nng_port, base);
    nng_stream_listener_close(port->listener);
    /* Waits for a running callback. One that begins to accept again after
     * that is refused. */
    nng_aio_stop(port->aio);
    free_port(port);
}

/* The address with the port that the system chose. */
static int find_address(nng_port *port, const char *asked)
{
    nng_sockaddr sa;
    int number = 0;
    const char *colon = strrchr(asked, ':');
    if (strncmp(asked, "ipc://", 6) != 0) {
        int rc =
            nng_stream_listener_get_addr(port->listener, NNG_OPT_LOCADDR, &sa);
        if (rc != 0) {
            return error_of(rc);
        }
        number = ntohs(sa.s_family == NNG_AF_INET6 ? sa.s_in6.sa_port
                                                   : sa.s_in.sa_port);
    }
    int n = number == 0
                ? snprintf(port->address, sizeof port->address, "%s", asked)
                : snprintf(port->address, sizeof port->address, "%.*s:%d",
                           (int)(colon - asked), asked, number);
    return n < 0 || (size_t)n >= sizeof port->address ? GR_EADDRESS : 0;
}

static int listen_at(gri_keeper *keeper, const gri_tls *tls,
                     const char *address, gri_accept_fn *accepted, void *arg,
                     gri_port **out)
{
    int rc = gri_address_check(address, true);
    if (rc < 0) {
        return rc;
    }
    nng_port *port = calloc(1, sizeof *port);
    if (port == NULL) {
        return GR_ENOMEM;
    }
    port->base.ops = &gri_link_nng;
    port->keeper = keeper;
    port->accepted = accepted;
    port->arg = arg;
    rc = error_of(nng_aio_alloc(&port->aio, on_accepted, port));
    if (rc == 0) {
        rc =
            gri_tls_address(address)
                ? gri_tls_nng_listener(tls, address, &port->listener)
                : error_of(nng_stream_listener_alloc(&port->listener, address));
    }
    if (rc == 0) {
        /* Each is refused by the other kind of address, and needs no care. */
        (void)nng_stream_listener_set_bool(port->listener, NNG_OPT_TCP_NODELAY,
                                           true);
        (void)nng_stream_listener_set_int(port->listener,
                                          NNG_OPT_IPC_PERMISSIONS, IPC_MODE);
        rc = error_of(nng_stream_listener_listen(port->listener));
        /* No such folder, no right, in use: nobody can listen there. */
        rc = rc == 0 || rc == GR_ENOMEM ? rc : GR_EADDRESS;
    }
    if (rc == 0) {
        rc = find_address(port, address);
    }
    if (rc < 0) {
        free_port(port);
        return rc;
    }
    *out = &port->base;
    accept_next(port);
    return 0;
}

static int nng_link_listen(gri_keeper *keeper, const char *address,
                           gri_accept_fn *accepted, void *arg, gri_port **out)
{
    return listen_at(keeper, NULL, address, accepted, arg, out);
}

static int nng_link_certified(gri_link *base, const char *name)
{
    nng_link *l = GRI_CONTAINER(base, nng_link, base);
    if (!start_begins(l)) {
        return GR_ENOTSUP; /* it is closing: whoever asks will hear so */
    }
    int rc =
        l->stream == NULL ? GR_ENOTSUP : gri_tls_nng_names(l->stream, name);
    start_ends(l);
    return rc;
}

static const char *nng_link_address(const gri_port *base)
{
    return ((const nng_port *)base)->address;
}

const gri_link_ops gri_link_nng = {
    .listen = nng_link_listen,
    .listen_tls = listen_at,
    .certified = nng_link_certified,
    .address = nng_link_address,
    .unlisten = nng_link_unlisten,
    .dial = nng_link_dial,
    .recv = nng_link_recv,
    .send = nng_link_send,
    .close = nng_link_close,
    .free = free_link,
};
