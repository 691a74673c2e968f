/*
 * transport/link_socket_port.c - places where sockets are listened on: see
 * link_socket.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <greenroom/error.h>

#include "base/memory.h"
#include "transport/link_socket.h"

enum {
    ACCEPTS_MAX = 8,    /* until others have had their turn, */
    ACCEPT_NEXT_MS = 1, /* and it goes on with what is left */
    ACCEPT_NS = 500000, /* one connection is accepted in so long, */
    /* But for so many, if there were none for a while: few, as 64 more would
     * leave one that has come no time to prove itself (GRI_STRANGERS_MAX). */
    ACCEPT_AHEAD = 16,
    SHAKES_MAX = 16,      /* handshakes of TLS that wait for the keeper */
    ACCEPT_PAUSE_MS = 100 /* when there is no descriptor left */
};

typedef struct socket_port {
    gri_port base;
    gri_keeper *keeper;
    gri_poller *poller;
    const gri_tls *tls; /* NULL: none */
    gri_pollee pollee, timer;
    gri_post post;
    gri_accept_fn *accepted;
    void *arg;
    int fd, timer_fd;
    /* who holds the poller */
    bool pauses;          /* the timer is set */
    unsigned allowance;   /* so many may be accepted, */
    int64_t earned_ns;    /* as of then */
    gri_socket_name name; /* for ipc: the path that is to go */
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool over; /* under lock: nothing is accepted any more */
    char address[GRI_SOCKET_ADDRESS_MAX];
} socket_port;

/* ---- listening ----------------------------------------------------------- */

static void accept_one(socket_port *port, int fd)
{
    gri_session *session = NULL;
    gri_socket_link *l = NULL;
    if (port->tls == NULL ||
        gri_session_new(port->tls, fd, NULL, &session) == 0) {
        l = gri_socket_link_new(port->keeper, fd, session);
    }
    if (l == NULL) {
        gri_session_free(session);
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
    (void)pthread_mutex_lock(&l->lock);
    if (!l->closing) {
        gri_shake_on(l); /* at once, so that is_too_busy counts it */
    }
    (void)pthread_mutex_unlock(&l->lock);
}

/* Who floods a place of TLS comes faster than the keeper does handshakes. Were
 * they all accepted, an honest one would be the oldest of those that have
 * proven nothing before it is its turn. So they wait in the system's queue. */
static bool is_too_busy(const socket_port *port)
{
    return port->tls != NULL && gri_keeper_waiting(port->keeper) >= SHAKES_MAX;
}

static void pause_for(socket_port *port, int64_t ms)
{
    port->pauses = true;
    gri_socket_set_timer(port->timer_fd, ms);
}

/* How many may be accepted now. A connection costs more than most messages, so
 * those who are here would notice a flood of them; and each that comes may cut
 * the oldest that has proven nothing, which is to have time for that. So a
 * flood waits in the system's queue, too. */
static unsigned accepts(socket_port *port)
{
    const int64_t now = gri_clock_ns(port->poller->clock);
    const int64_t earned = (now - port->earned_ns) / ACCEPT_NS;
    if (earned >= ACCEPT_AHEAD - (int64_t)port->allowance) {
        port->allowance = ACCEPT_AHEAD;
        port->earned_ns = now;
    } else {
        port->allowance += (unsigned)earned;
        port->earned_ns += earned * ACCEPT_NS;
    }
    return port->allowance < ACCEPTS_MAX ? port->allowance : ACCEPTS_MAX;
}

/* If there is more it goes on after a while: nobody tells us that there are
 * descriptors again, nor of what has come already. */
static void accept_all(socket_port *port)
{
    const unsigned max = accepts(port);
    for (unsigned i = 0; i < max && !is_too_busy(port); i++) {
        const int fd =
            accept4(port->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            port->allowance--;
            accept_one(port, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            pause_for(port, ACCEPT_PAUSE_MS);
            return;
        }
    }
    pause_for(port, ACCEPT_NEXT_MS);
}

static void on_port_ready(gri_pollee *pollee, struct gri_worker *worker,
                          uint32_t events)
{
    socket_port *port = GRI_CONTAINER(pollee, socket_port, pollee);
    (void)worker;
    (void)events;
    if (!port->pauses) {
        accept_all(port);
    }
}

static void on_port_timer(gri_pollee *pollee, struct gri_worker *worker,
                          uint32_t events)
{
    socket_port *port = GRI_CONTAINER(pollee, socket_port, timer);
    (void)worker;
    (void)events;
    port->pauses = false;
    accept_all(port);
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

void gri_socket_unlisten(gri_port *base)
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

static socket_port *port_new(gri_keeper *keeper, const gri_tls *tls,
                             gri_accept_fn *accepted, void *arg)
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
    port->keeper = keeper;
    port->poller = keeper->poller;
    port->tls = tls;
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

int gri_socket_listen_tls(gri_keeper *keeper, const gri_tls *tls,
                          const char *address, gri_accept_fn *accepted,
                          void *arg, gri_port **out)
{
    gri_socket_name name;
    GR_TRY(gri_address_check(address, true));
    GR_TRY(gri_socket_parse(address, true, &name));
    GR_TRY(gri_poller_open(keeper->poller));
    socket_port *port = port_new(keeper, tls, accepted, arg);
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

int gri_socket_listen_plain(gri_keeper *keeper, const char *address,
                            gri_accept_fn *accepted, void *arg, gri_port **out)
{
    return gri_socket_listen_tls(keeper, NULL, address, accepted, arg, out);
}

const char *gri_socket_address(const gri_port *base)
{
    const socket_port *port = (const void *)base; /* base is the first in it */
    return port->address;
}
