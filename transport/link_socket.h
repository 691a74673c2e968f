/*
 * transport/link_socket.h - what the files of links that are sockets share.
 */
#ifndef GRI_TRANSPORT_LINK_SOCKET_H
#define GRI_TRANSPORT_LINK_SOCKET_H

#include "transport/link.h"
#include "transport/session.h"
#include "transport/socket.h"

/* The handshake of TLS, which the keeper does: nobody who polls has time for
 * it. Under the link's lock, but for `job`. */
typedef struct gri_shake {
    gri_job job;
    bool wanted; /* it is not over */
    bool busy;   /* the keeper is at it, or will be: the session is its own */
    bool again;  /* meanwhile something has come, or can go */
    bool ends;   /* meanwhile the link is to end */
    int rc;      /* below 0: it failed */
} gri_shake;

typedef struct gri_socket_link {
    gri_link base;
    gri_poller *poller;
    gri_keeper *keeper;
    gri_session *session; /* NULL: no TLS. Under lock, once it is shaken */
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
    gri_shake shake;
    const void *tx; /* waits for the socket; NULL: nothing does */
    size_t tx_n;
} gri_socket_link;

/* fd, and session (may be NULL), are the link's from now on. NULL: no memory;
 * they are not. */
gri_socket_link *gri_socket_link_new(gri_keeper *keeper, int fd,
                                     gri_session *session);

/* Goes on with the handshake, if it is wanted. Under lock. */
void gri_shake_on(gri_socket_link *l);
/* Is the keeper at it? Then the end is posted once more when it is not. Under
 * lock. */
bool gri_shake_keeps(gri_socket_link *l);
/* Before the link is anybody's. A handshake is wanted if it has a session. */
void gri_shake_init(gri_socket_link *l);

/* As in gri_link_ops. */
int gri_socket_listen_plain(gri_keeper *keeper, const char *address,
                            gri_accept_fn *accepted, void *arg, gri_port **out);
int gri_socket_listen_tls(gri_keeper *keeper, const gri_tls *tls,
                          const char *address, gri_accept_fn *accepted,
                          void *arg, gri_port **out);
const char *gri_socket_address(const gri_port *base);
void gri_socket_unlisten(gri_port *base);

#endif /* GRI_TRANSPORT_LINK_SOCKET_H */
