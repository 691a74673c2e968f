/*
 * transport/link_socket.c - links that are sockets of the operating system,
 * which the workers poll (sched/poller.h): tcp with a numeric address, and ipc.
 *
 * What has come is read by the worker that finds it, and given to the actors
 * from there; what is sent is written by who sends. So a message passes no
 * thread on its way but those of its sender and of its receiver.
 *
 * Who holds the poller reads, accepts, opens and closes, all of one link one
 * after the other, and so without the lock. The lock is for what senders touch:
 * the descriptor, so that it is not closed under them, and the send that waits
 * until the socket takes more. A close is a post to the poller.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <greenroom/error.h>

#include "base/assert.h"
#include "base/memory.h"
#include "transport/link.h"
#include "transport/socket.h"

enum {
    /* What one link, or port, does until others have had their turn. */
    READS_MAX = 8,
    READ_NS = 50000, /* looked at after each read of this: */
    READ_MUCH = 4096,
    ACCEPTS_MAX = 64,
    ACCEPT_NEXT_MS = 1,   /* until it goes on with what is left */
    ACCEPT_PAUSE_MS = 100 /* when there is no descriptor left */
};

typedef struct socket_link {
    gri_link base;
    gri_poller *poller;
    gri_pollee pollee;
    gri_post work; /* posted under the lock, and not once it closes: so the */
    gri_post end;  /* end, which frees the link, is run after all of them */

    /* Who holds the poller. */
    bool opening;     /* a dial whose end is not known yet */
    bool readable;    /* there may be something to read */
    gri_pollee timer; /* of the dial */
    int timer_fd;     /* -1: none */

    pthread_mutex_t lock;
    /* under lock */
    int fd;
    int dial_rc; /* what the dial's beginning said */
    bool closing;
    bool reading; /* who reads looks for what is wanted again */
    void *rx;     /* wanted; NULL: nothing is */
    size_t rx_n;
    const void *tx; /* waits for the socket; NULL: nothing does */
    size_t tx_n;
} socket_link;

typedef struct socket_port {
    gri_port base;
    gri_poller *poller;
    gri_pollee pollee, timer;
    gri_post post;
    gri_accept_fn *accepted;
    void *arg;
    int fd, timer_fd;
    gri_socket_name name; /* for ipc: the path that is to go */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over; /* under lock: nothing is accepted any more */
    char address[GRI_SOCKET_ADDRESS_MAX];
} socket_port;

static void lock(socket_link *l)
{
    (void)pthread_mutex_lock(&l->lock);
}

static void unlock(socket_link *l)
{
    (void)pthread_mutex_unlock(&l->lock);
}

/* ---- bytes --------------------------------------------------------------- */

/* Returns the bytes that the socket took, 0: none now, or GR_ENOCONN. Locked.
 */
static int64_t write_some(const socket_link *l, const void *buf, size_t n)
{
    ssize_t done;
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
    socket_link *l = GRI_CONTAINER(base, socket_link, base);
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
static void go_on_sending(socket_link *l)
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

/* Reads once. Returns what `received` is to be told, or 0: nothing is there. */
static int64_t read_some(socket_link *l, int fd, void *buf, size_t n)
{
    ssize_t got;
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
static void go_on_reading(socket_link *l, struct gri_worker *worker)
{
    unsigned left = READS_MAX;
    const int64_t began = gri_clock_ns(l->poller->clock);
    l->base.worker = worker;
    lock(l);
    l->reading = true;
    while (l->readable && l->rx != NULL && !l->closing) {
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
    socket_link *l = GRI_CONTAINER(base, socket_link, base);
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

static void end_timer(socket_link *l)
{
    if (l->timer_fd >= 0) {
        gri_poller_remove(l->poller, l->timer_fd, &l->timer);
        (void)close(l->timer_fd);
        l->timer_fd = -1;
    }
}

static void opened(socket_link *l, int rc)
{
    l->opening = false;
    l->readable = true; /* perhaps: the first read finds out */
    end_timer(l);
    l->base.events->opened(l->base.arg, rc);
}

/* What was in flight ends undone. */
static void on_end(gri_post *post, struct gri_worker *worker)
{
    socket_link *l = GRI_CONTAINER(post, socket_link, end);
    const gri_link_events *events = l->base.events;
    (void)worker;
    lock(l);
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
    socket_link *l = GRI_CONTAINER(post, socket_link, work);
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
    go_on_reading(l, worker);
}

static void on_ready(gri_pollee *pollee, struct gri_worker *worker,
                     uint32_t events)
{
    socket_link *l = GRI_CONTAINER(pollee, socket_link, pollee);
    lock(l);
    const bool closing = l->closing;
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
    socket_link *l = GRI_CONTAINER(pollee, socket_link, timer);
    (void)worker;
    (void)events;
    if (l->opening) {
        opened(l, GR_ETIMEOUT);
    }
}

static void socket_close(gri_link *base)
{
    socket_link *l = GRI_CONTAINER(base, socket_link, base);
    lock(l);
    if (!l->closing) {
        l->closing = true;
        gri_poller_post(l->poller, &l->end);
    }
    unlock(l);
}

static void socket_free(gri_link *base)
{
    socket_link *l = GRI_CONTAINER(base, socket_link, base);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static socket_link *link_new(gri_poller *poller, int fd)
{
    socket_link *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return NULL;
    }
    gri_link_init(&l->base, &gri_link_socket, NULL, NULL);
    l->poller = poller;
    l->pollee.ready = on_ready;
    l->timer.ready = on_timer;
    l->work.run = on_work;
    l->end.run = on_end;
    l->fd = fd;
    l->timer_fd = -1;
    return l;
}

/* ---- dialing ------------------------------------------------------------- */

static int start_timer(socket_link *l, int64_t timeout_ms)
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
static void connect_it(socket_link *l, const gri_socket_name *name)
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

static int socket_dial(gri_keeper *keeper, const gri_dial *dial, gri_link **out)
{
    gri_socket_name name;
    GR_TRY(gri_address_check(dial->address, false));
    GR_TRY(gri_socket_parse(dial->address, false, &name));
    GR_TRY(gri_poller_open(keeper->poller));
    const int fd = gri_socket_open(&name);
    if (fd < 0) {
        return fd;
    }
    socket_link *l = link_new(keeper->poller, fd);
    if (l == NULL) {
        (void)close(fd);
        return GR_ENOMEM;
    }
    gri_link_attach(&l->base, dial->events, dial->arg);
    l->opening = true;
    int rc = start_timer(l, dial->timeout_ms);
    if (rc < 0) {
        (void)close(fd);
        socket_free(&l->base);
        return rc;
    }
    *out = &l->base;
    gri_link_hold(&l->base); /* it may be told, closed and freed meanwhile */
    connect_it(l, &name);
    gri_link_drop(&l->base);
    return 0;
}

/* ---- listening ----------------------------------------------------------- */

static void accept_one(socket_port *port, int fd)
{
    socket_link *l = link_new(port->poller, fd);
    if (l == NULL) {
        (void)close(fd);
        return;
    }
    gri_socket_tune(fd);
    l->readable = true; /* perhaps; the first read finds out */
    /* Before it is watched: it may be closed at once, and then by a post, which
     * who holds the poller runs after this. */
    port->accepted(port->arg, &l->base);
    if (gri_poller_add(port->poller, fd, &l->pollee) < 0) {
        (void)shutdown(fd, SHUT_RDWR); /* reads as the other end's goodbye */
    }
}

/* If there is more it goes on after a while: nobody tells us that there are
 * descriptors again, nor of what has come already. */
static void accept_all(socket_port *port)
{
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        const int fd =
            accept4(port->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            accept_one(port, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            gri_socket_set_timer(port->timer_fd, ACCEPT_PAUSE_MS);
            return;
        }
    }
    gri_socket_set_timer(port->timer_fd, ACCEPT_NEXT_MS);
}

static void on_port_ready(gri_pollee *pollee, struct gri_worker *worker,
                          uint32_t events)
{
    (void)worker;
    (void)events;
    accept_all(GRI_CONTAINER(pollee, socket_port, pollee));
}

static void on_port_timer(gri_pollee *pollee, struct gri_worker *worker,
                          uint32_t events)
{
    (void)worker;
    (void)events;
    accept_all(GRI_CONTAINER(pollee, socket_port, timer));
}

static void on_port_post(gri_post *post, struct gri_worker *worker)
{
    socket_port *port = GRI_CONTAINER(post, socket_port, post);
    (void)worker;
    gri_poller_remove(port->poller, port->fd, &port->pollee);
    (void)close(port->fd);
    gri_poller_remove(port->poller, port->timer_fd, &port->timer);
    (void)close(port->timer_fd);
    (void)pthread_mutex_lock(&port->lock);
    port->over = true;
    (void)pthread_cond_signal(&port->ended);
    (void)pthread_mutex_unlock(&port->lock);
}

static void free_port(socket_port *port)
{
    (void)pthread_mutex_destroy(&port->lock);
    (void)pthread_cond_destroy(&port->ended);
    free(port);
}

static void socket_unlisten(gri_port *base)
{
    socket_port *port = GRI_CONTAINER(base, socket_port, base);
    gri_socket_forget(&port->name);
    gri_poller_post(port->poller, &port->post);
    (void)pthread_mutex_lock(&port->lock);
    while (!port->over) {
        (void)pthread_mutex_unlock(&port->lock);
        /* Who calls may be the only one who could. */
        gri_poller_help(port->poller);
        (void)pthread_mutex_lock(&port->lock);
        if (!port->over) {
            struct timespec t;
            (void)clock_gettime(CLOCK_REALTIME, &t);
            t.tv_nsec += GRI_NS_PER_MS;
            if (t.tv_nsec >= GRI_NS_PER_S) {
                t.tv_nsec -= GRI_NS_PER_S;
                t.tv_sec++;
            }
            (void)pthread_cond_timedwait(&port->ended, &port->lock, &t);
        }
    }
    (void)pthread_mutex_unlock(&port->lock);
    free_port(port);
}

static socket_port *port_new(gri_poller *poller, gri_accept_fn *accepted,
                             void *arg)
{
    socket_port *port = calloc(1, sizeof *port);
    if (port == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&port->lock, NULL) != 0) {
        free(port);
        return NULL;
    }
    if (pthread_cond_init(&port->ended, NULL) != 0) {
        (void)pthread_mutex_destroy(&port->lock);
        free(port);
        return NULL;
    }
    port->base.ops = &gri_link_socket;
    port->poller = poller;
    port->pollee.ready = on_port_ready;
    port->timer.ready = on_port_timer;
    port->post.run = on_port_post;
    port->accepted = accepted;
    port->arg = arg;
    return port;
}

/* The timer is there from the beginning: when there is no descriptor left for a
 * connection, there is none for a timer. It is not set, so tells nothing of a
 * port that is not watched after all. */
static int watch_port(socket_port *port)
{
    port->timer_fd = gri_socket_timer();
    GR_TRY(port->timer_fd);
    int rc = gri_poller_add(port->poller, port->timer_fd, &port->timer);
    rc = rc < 0 ? rc : gri_poller_add(port->poller, port->fd, &port->pollee);
    if (rc < 0) {
        (void)close(port->timer_fd);
    }
    return rc;
}

static int socket_listen(gri_keeper *keeper, const char *address,
                         gri_accept_fn *accepted, void *arg, gri_port **out)
{
    gri_socket_name name;
    GR_TRY(gri_address_check(address, true));
    GR_TRY(gri_socket_parse(address, true, &name));
    GR_TRY(gri_poller_open(keeper->poller));
    socket_port *port = port_new(keeper->poller, accepted, arg);
    if (port == NULL) {
        return GR_ENOMEM;
    }
    port->name = name;
    int rc = gri_socket_listen(&name, address, port->address);
    if (rc < 0) {
        free_port(port);
        return rc;
    }
    port->fd = rc;
    *out = &port->base;
    rc = watch_port(port);
    if (rc < 0) {
        gri_socket_forget(&port->name);
        (void)close(port->fd);
        free_port(port);
    }
    return rc;
}

static const char *socket_address(const gri_port *base)
{
    const socket_port *port = (const void *)base; /* base is the first in it */
    return port->address;
}

const gri_link_ops gri_link_socket = {
    .listen = socket_listen,
    .address = socket_address,
    .unlisten = socket_unlisten,
    .dial = socket_dial,
    .recv = socket_recv,
    .send = socket_send,
    .close = socket_close,
    .free = socket_free,
    .sends_at_once = true,
};
