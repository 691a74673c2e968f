/*
 * tests/transport/relay.h - stands between two nodes, and cuts their connection
 * on command: of what is on its way some bytes pass, the rest does not, and no
 * goodbye does.
 */
#ifndef TESTS_TRANSPORT_RELAY_H
#define TESTS_TRANSPORT_RELAY_H

#include "tests/transport/stranger.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

enum { RELAYED_MAX = 32 };

typedef struct relay {
    char target[128];  /* whom it stands in front of */
    char address[128]; /* where it listens */
    int listener;
    int command; /* eventfd: 1 is a cut, more is the end */
    pthread_t thread;
    int pair[RELAYED_MAX][2];
    unsigned pairs;
    uint32_t chance; /* the last of a row */
} relay;

static inline void relay_place(relay *r, const nodes *n, int i)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bool is_ipc = strcmp(n->scheme, "ipc") == 0;
    struct sockaddr *sa =
        is_ipc ? (struct sockaddr *)&un : (struct sockaddr *)&in;
    socklen_t size = is_ipc ? sizeof un : sizeof in;
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s/relay-%d", n->folder,
                   i);
    r->listener = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listener, sa, size), 0);
    assert_int_equal(listen(r->listener, 16), 0);
    assert_int_equal(getsockname(r->listener, sa, &size), 0);
    if (is_ipc) {
        (void)snprintf(r->address, sizeof r->address, "ipc://%s", un.sun_path);
    } else {
        (void)snprintf(r->address, sizeof r->address, "tcp://127.0.0.1:%d",
                       ntohs(in.sin_port));
    }
}

static inline void relay_end(relay *r, unsigned i)
{
    (void)close(r->pair[i][0]);
    (void)close(r->pair[i][1]);
    r->pairs--;
    r->pair[i][0] = r->pair[r->pairs][0];
    r->pair[i][1] = r->pair[r->pairs][1];
}

static inline void relay_accept(relay *r)
{
    int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);
    stranger there = {.fd = -1};
    if (fd < 0 || r->pairs == RELAYED_MAX) {
        (void)close(fd);
        return;
    }
    stranger_open(&there, r->target);
    r->pair[r->pairs][0] = fd;
    r->pair[r->pairs][1] = there.fd;
    r->pairs++;
}

/* Passes on what has come; at most so much. False: that was the end. */
static inline bool relay_pass(int from, int to, size_t max)
{
    uint8_t bytes[16384];
    ssize_t n = recv(from, bytes, max < sizeof bytes ? max : sizeof bytes,
                     MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
        return true;
    }
    /* The nodes read at all times, so this does not wait for long. */
    return n > 0 && send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static inline void relay_cut(relay *r)
{
    while (r->pairs > 0) {
        for (int way = 0; way < 2; way++) {
            r->chance = r->chance * 1103515245u + 12345u;
            size_t some = r->chance >> 16 & 0xff;
            if (some > 0) {
                (void)relay_pass(r->pair[0][way], r->pair[0][1 - way], some);
            }
        }
        relay_end(r, 0);
    }
}

static inline void *relay_run(void *arg)
{
    relay *r = arg;
    uint64_t what = 0;
    while (what < 2) {
        struct pollfd fds[2 + 2 * RELAYED_MAX] = {
            {.fd = r->command, .events = POLLIN},
            {.fd = r->listener, .events = POLLIN}};
        for (unsigned i = 0; i < r->pairs; i++) {
            fds[2 + 2 * i] =
                (struct pollfd){.fd = r->pair[i][0], .events = POLLIN};
            fds[3 + 2 * i] =
                (struct pollfd){.fd = r->pair[i][1], .events = POLLIN};
        }
        (void)poll(fds, 2 + 2 * r->pairs, -1);
        for (unsigned i = r->pairs; i-- > 0;) {
            const int *p = r->pair[i];
            if ((fds[2 + 2 * i].revents != 0 &&
                 !relay_pass(p[0], p[1], SIZE_MAX)) ||
                (fds[3 + 2 * i].revents != 0 &&
                 !relay_pass(p[1], p[0], SIZE_MAX))) {
                relay_end(r, i);
            }
        }
        if (fds[1].revents != 0) {
            relay_accept(r);
        }
        if (fds[0].revents != 0 &&
            read(r->command, &what, sizeof what) == sizeof what) {
            relay_cut(r);
        }
    }
    return NULL;
}

/* Puts it in front of node i: its address is the relay's from now on. */
static inline void relay_start(relay *r, nodes *n, int i)
{
    *r = (relay){.chance = (uint32_t)i + 1};
    memcpy(r->target, n->address[i], sizeof r->target);
    relay_place(r, n, i);
    memcpy(n->address[i], r->address, sizeof r->address);
    r->command = eventfd(0, EFD_CLOEXEC);
    assert_true(r->command >= 0);
    assert_int_equal(pthread_create(&r->thread, NULL, relay_run, r), 0);
}

static inline void relay_tell(relay *r, uint64_t what)
{
    assert_int_equal(write(r->command, &what, sizeof what), sizeof what);
}

static inline void relay_stop(relay *r)
{
    relay_tell(r, 2);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    (void)close(r->listener);
    (void)close(r->command);
    if (strncmp(r->address, "ipc://", 6) == 0) {
        (void)unlink(r->address + 6);
    }
}

#endif /* TESTS_TRANSPORT_RELAY_H */
