/*
 * transport/link_socket.c - links that are sockets of the operating system,
 * which the workers poll (sched/poller.h): tcp with a numeric address, with TLS
 * or without, and ipc.
 *
 * What has come is read by the worker that finds it, and given to the actors
 * from there; what is sent is written by who sends. So a message passes no
 * thread on its way but those of its sender and of its receiver.
 *
 * Who holds the poller reads, accepts, opens and closes, all of one link one
 * after the other, and so without the lock. The lock is for what senders touch:
 * the descriptor, so that it is not closed under them, and the send that waits
 * until the socket takes more. A close is a post to the poller.
 *
 * TLS is done where the socket is read and written, under the lock, but for the
 * handshake, which is the keeper's (link_socket_shake.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <greenroom/error.h>

#include "base/assert.h"
#include "base/memory.h"
#include "transport/link_socket.h"

enum {
    /* What one link does until others have had their turn. */
    READS_MAX = 8,
    READ_NS = 50000, /* looked at after each read of this: */
    READ_MUCH = 4096
};

static void lock(gri_socket_link *l)
{
    (void)pthread_mutex_lock(&l->lock);
}

static void unlock(gri_socket_link *l)
{
    (void)pthread_mutex_unlock(&l->lock);
}

/* ---- bytes --------------------------------------------------------------- */

/* What became of the handshake: 1, 0: it is not over, or why it failed. Under
 * lock. */
static int shaken(const gri_socket_link *l)
{
    return l->shake.rc < 0 ? l->shake.rc : l->shake.wanted ? 0 : 1;
}

/* Returns the bytes that the socket took, 0: none now, GR_ENOCONN, or
 * GR_EDENIED. Under lock. */
static int64_t write_some(const gri_socket_link *l, const void *buf, size_t n)
{
    ssize_t done;
    if (l->session != NULL) {
        const int rc = shaken(l);
        return rc == 1 ? gri_session_write(l->session, buf, n) : rc;
    }
    do {
        done = send(l->fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (done < 0 && errno == EINTR);
    if (done > 0) {
        return done;
    }
    return done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0
                                                                 : GR_ENOCONN;
}

static int64_t socket_send(gri_link *base, const void *buf, size_t n)
{
    gri_socket_link *l = GRI_CONTAINER(base, gri_socket_link, base);
    int64_t done = 0;
    lock(l);
    if (!l->closing) {
        done = write_some(l, buf, n);
        if (done == 0) { /* under the lock: ready looks for it after this */
            l->tx = buf;
            l->tx_n = n;
        }
    }
    unlock(l);
    return done;
}

/* The socket takes more. */
static void go_on_sending(gri_socket_link *l)
{
    int64_t done = 0;
    lock(l);
    if (!l->closing && l->tx != NULL) {
        done = write_some(l, l->tx, l->tx_n);
        l->tx = done == 0 ? l->tx : NULL;
    }
    unlock(l);
    if (done != 0) {
        l->base.events->sent(l->base.arg, done);
    }
}

/* As read_some. */
static int64_t read_session(gri_socket_link *l, void *buf, size_t n)
{
    lock(l);
    const int rc = shaken(l);
    const int64_t got = rc == 1 ? gri_session_read(l->session, buf, n) : rc;
    unlock(l);
    l->readable = got != 0;
    return got;
}

/* Reads once. Returns what `received` is to be told, or 0: nothing is there. */
static int64_t read_some(gri_socket_link *l, int fd, void *buf, size_t n)
{
    ssize_t got;
    if (l->session != NULL) {
        return read_session(l, buf, n);
    }
    do {
        got = recv(fd, buf, n, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        return got;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        l->readable = false; /* it is told of what comes from now on */
        return 0;
    }
    return GR_ENOCONN;
}

/* Reads while something is wanted, and there. */
static void go_on_reading(gri_socket_link *l, struct gri_worker *worker)
{
    unsigned left = READS_MAX;
    const int64_t began = gri_clock_ns(l->poller->clock);
    l->base.worker = worker;
    lock(l);
    l->reading = true;
    while (l->readable && l->rx != NULL && !l->closing && shaken(l) != 0) {
        if (left-- == 0) {
            gri_poller_post(l->poller, &l->work);
            break;
        }
        void *buf = l->rx;
        const size_t n = l->rx_n;
        const int fd = l->fd; /* it is closed by who holds the poller: us */
        unlock(l);
        const int64_t got = read_some(l, fd, buf, n);
        if (got != 0) {
            lock(l);
            l->rx = NULL; /* before it is told: that may want the next */
            unlock(l);
            l->base.events->received(l->base.arg, got);
        }
        const bool much = got >= READ_MUCH;
        if (much && gri_clock_ns(l->poller->clock) - began > READ_NS) {
            left = 0;
        }
        lock(l);
    }
    l->reading = false;
    unlock(l);
}

static void socket_recv(gri_link *base, void *buf, size_t n)
{
    gri_socket_link *l = GRI_CONTAINER(base, gri_socket_link, base);
    lock(l);
    const bool wanted = !l->closing;
    if (wanted) {
        l->rx = buf;
        l->rx_n = n;
    }
    if (wanted && !l->reading) {
        gri_poller_post(l->poller, &l->work);
    }
    unlock(l);
}

/* ---- life ---------------------------------------------------------------- */

static void end_timer(gri_socket_link *l)
{
    if (l->timer_fd >= 0) {
        gri_poller_remove(l->poller, l->timer_fd, &l->timer);
        (void)close(l->timer_fd);
        l->timer_fd = -1;
    }
}

static void opened(gri_socket_link *l, int rc)
{
    l->opening = false;
    l->readable = true; /* perhaps: the first read finds out */
    end_timer(l);
    if (rc == 0) {
        lock(l);
        gri_shake_on(l);
        unlock(l);
    }
    l->base.events->opened(l->base.arg, rc);
}

/* What was in flight ends undone. */
static void on_end(gri_post *post, struct gri_worker *worker)
{
    gri_socket_link *l = GRI_CONTAINER(post, gri_socket_link, end);
    const gri_link_events *events = l->base.events;
    (void)worker;
    lock(l);
    if (gri_shake_keeps(l)) {
        unlock(l);
        return; /* and comes back */
    }
    if (l->session != NULL) {
        gri_session_bye(l->session);
    }
    const int fd = l->fd;
    const bool receives = l->rx != NULL, sends = l->tx != NULL;
    l->fd = -1;
    l->rx = NULL;
    l->tx = NULL;
    unlock(l);
    gri_poller_remove(l->poller, fd, &l->pollee);
    (void)close(fd); /* what it could not send is lost, as is known */
    end_timer(l);
    if (l->opening) {
        events->opened(l->base.arg, GR_ENOCONN);
    }
    if (receives) {
        events->received(l->base.arg, GR_ENOCONN);
    }
    if (sends) {
        events->sent(l->base.arg, GR_ENOCONN);
    }
    if (events != NULL) {
        events->closed(l->base.arg);
    }
    gri_link_drop(&l->base);
}

static void on_work(gri_post *post, struct gri_worker *worker)
{
    gri_socket_link *l = GRI_CONTAINER(post, gri_socket_link, work);
    lock(l);
    const bool closing = l->closing;
    const int rc = l->dial_rc;
    unlock(l);
    if (closing) {
        return; /* its end follows */
    }
    if (l->opening && rc < 0) {
        opened(l, rc);
        return;
    }
    if (l->session != NULL) { /* its handshake is over, perhaps */
        go_on_sending(l);
    }
    go_on_reading(l, worker);
}

static void on_ready(gri_pollee *pollee, struct gri_worker *worker,
                     uint32_t events)
{
    gri_socket_link *l = GRI_CONTAINER(pollee, gri_socket_link, pollee);
    lock(l);
    const bool closing = l->closing;
    if (!closing && !l->opening) {
        gri_shake_on(l);
    }
    unlock(l);
    if (closing) {
        return; /* it is about to be closed */
    }
    const bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (l->opening) {
        if (failed || (events & EPOLLOUT) != 0) {
            opened(l, gri_socket_connected(l->fd));
        }
        return;
    }
    if (failed || (events & (EPOLLIN | EPOLLRDHUP)) != 0) {
        l->readable = true;
    }
    if (failed || (events & EPOLLOUT) != 0) {
        go_on_sending(l);
    }
    go_on_reading(l, worker);
}

static void on_timer(gri_pollee *pollee, struct gri_worker *worker,
                     uint32_t events)
{
    gri_socket_link *l = GRI_CONTAINER(pollee, gri_socket_link, timer);
    (void)worker;
    (void)events;
    if (l->opening) {
        opened(l, GR_ETIMEOUT);
    }
}

static void socket_close(gri_link *base)
{
    gri_socket_link *l = GRI_CONTAINER(base, gri_socket_link, base);
    lock(l);
    if (!l->closing) {
        l->closing = true;
        gri_poller_post(l->poller, &l->end);
    }
    unlock(l);
}

static void socket_free(gri_link *base)
{
    gri_socket_link *l = GRI_CONTAINER(base, gri_socket_link, base);
    (void)pthread_mutex_destroy(&l->lock);
    gri_session_free(l->session);
    free(l);
}

static int socket_certified(gri_link *base, const char *name)
{
    gri_socket_link *l = GRI_CONTAINER(base, gri_socket_link, base);
    lock(l);
    const int rc = l->session == NULL || l->closing
                       ? GR_ENOTSUP
                       : gri_session_is_with(l->session, name);
    unlock(l);
    return rc;
}

gri_socket_link *gri_socket_link_new(gri_keeper *keeper, int fd,
                                     gri_session *session)
{
    gri_socket_link *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return NULL;
    }
    gri_link_init(&l->base, &gri_link_socket, NULL, NULL);
    l->poller = keeper->poller;
    l->keeper = keeper;
    l->session = session;
    gri_shake_init(l);
    l->pollee.ready = on_ready;
    l->timer.ready = on_timer;
    l->work.run = on_work;
    l->end.run = on_end;
    l->fd = fd;
    l->timer_fd = -1;
    return l;
}

/* ---- dialing ------------------------------------------------------------- */

static int start_timer(gri_socket_link *l, int64_t timeout_ms)
{
    const int64_t day_ms = INT64_C(24) * 3600 * 1000;
    if (timeout_ms < 0) {
        return 0;
    }
    l->timer_fd = gri_socket_timer();
    GR_TRY(l->timer_fd);
    gri_socket_set_timer(l->timer_fd,
                         timeout_ms < day_ms ? timeout_ms : day_ms);
    return 0;
}

/* From here on only the poller tells: a failure, too, by a post. */
static void connect_it(gri_socket_link *l, const gri_socket_name *name)
{
    int rc = 0;
    lock(l);
    if (l->timer_fd >= 0) {
        rc = gri_poller_add(l->poller, l->timer_fd, &l->timer);
    }
    if (rc == 0 && !l->closing) { /* by one whose time was over at once */
        rc = gri_socket_connect(l->fd, name);
        rc = rc < 0 ? rc : gri_poller_add(l->poller, l->fd, &l->pollee);
    }
    l->dial_rc = rc;
    if (rc < 0 && !l->closing) {
        gri_poller_post(l->poller, &l->work);
    }
    unlock(l);
}

static int link_for(gri_keeper *keeper, const gri_dial *dial,
                    const gri_socket_name *name, gri_socket_link **out)
{
    const bool tls = gri_tls_address(dial->address);
    gri_session *session = NULL;
    if (tls && dial->tls == NULL) {
        return GR_EINVAL;
    }
    const int fd = gri_socket_open(name);
    if (fd < 0) {
        return fd;
    }
    if (!tls || gri_session_new(dial->tls, fd, dial->address, &session) == 0) {
        *out = gri_socket_link_new(keeper, fd, session);
    }
    if (*out == NULL) {
        gri_session_free(session);
        (void)close(fd);
        return GR_ENOMEM;
    }
    return 0;
}

static int socket_dial(gri_keeper *keeper, const gri_dial *dial, gri_link **out)
{
    gri_socket_name name;
    GR_TRY(gri_address_check(dial->address, false));
    GR_TRY(gri_socket_parse(dial->address, false, &name));
    GR_TRY(gri_poller_open(keeper->poller));
    gri_socket_link *l = NULL;
    GR_TRY(link_for(keeper, dial, &name, &l));
    gri_link_attach(&l->base, dial->events, dial->arg);
    l->opening = true;
    int rc = start_timer(l, dial->timeout_ms);
    if (rc < 0) {
        (void)close(l->fd);
        socket_free(&l->base);
        return rc;
    }
    *out = &l->base;
    gri_link_hold(&l->base); /* it may be told, closed and freed meanwhile */
    connect_it(l, &name);
    gri_link_drop(&l->base);
    return 0;
}

const gri_link_ops gri_link_socket = {
    .listen = gri_socket_listen_plain,
    .listen_tls = gri_socket_listen_tls,
    .address = gri_socket_address,
    .unlisten = gri_socket_unlisten,
    .dial = socket_dial,
    .recv = socket_recv,
    .send = socket_send,
    .close = socket_close,
    .certified = socket_certified,
    .free = socket_free,
    .sends_at_once = true,
};
