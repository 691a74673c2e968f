/*
 * tests/transport/stranger.h - a client on a plain socket that says to a node's
 * port whatever a test wants; with the right secret, also as a proven peer.
 */
#ifndef TESTS_TRANSPORT_STRANGER_H
#define TESTS_TRANSPORT_STRANGER_H

#include "tests/transport/nodes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "transport/frame.h"
#include "transport/handshake.h"

/* What a stranger lets the node send. */
#define STRANGER_CREDIT (1u << 30)

typedef struct stranger {
    int fd;
    gri_handshake hs;
    uint32_t credit; /* what it lets the node send, once it is proven; or 0 */
    uint8_t in[1 << 16];
    size_t len;
} stranger;

static inline void stranger_open(stranger *s, const char *address)
{
    struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
    socklen_t size = 0;
    s->len = 0;
    if (strncmp(address, "ipc://", 6) == 0) {
        struct sockaddr_un *un = (struct sockaddr_un *)&sa;
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, address + 6, strlen(address + 6) + 1);
        size = sizeof *un;
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&sa;
        in->sin_family = AF_INET;
        in->sin_port =
            htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        size = sizeof *in;
    }
    s->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(connect(s->fd, (const struct sockaddr *)&sa, size), 0);
    /* Of tcp alone; elsewhere it is refused. */
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static inline void stranger_close(stranger *s)
{
    close(s->fd);
    s->fd = -1;
}

/* Sends all, or as much as the node takes before it hangs up. */
static inline void stranger_say(stranger *s, const void *p, size_t n)
{
    const uint8_t *at = p;
    while (n > 0) {
        ssize_t done = send(s->fd, at, n, MSG_NOSIGNAL);
        if (done < 0) {
            return;
        }
        at += done;
        n -= (size_t)done;
    }
}

static inline void stranger_note(stranger *s, const gri_note *note)
{
    stranger_say(s, note->bytes, note->len);
}

static inline void stranger_frame(stranger *s, const gri_frame *f)
{
    uint8_t head[GRI_FRAME_FIXED_MAX];
    stranger_say(s, head, gri_frame_write(head, f));
    stranger_say(s, f->payload, f->len);
}

/* Waits for a whole frame; 0: the node has hung up. The frame is at s->in until
 * stranger_drop. */
static inline size_t stranger_hear(stranger *s)
{
    for (;;) {
        size_t need = 0;
        int64_t n = gri_frame_split(s->in, s->len, sizeof s->in, &need);
        assert_true(n >= 0);
        if (n > 0) {
            return (size_t)n;
        }
        ssize_t got = recv(s->fd, s->in + s->len, sizeof s->in - s->len, 0);
        if (got <= 0) {
            return 0;
        }
        s->len += (size_t)got;
    }
}

static inline void stranger_drop(stranger *s, size_t n)
{
    memmove(s->in, s->in + n, s->len - n);
    s->len -= n;
}

/* Waits for a frame of that type; others are passed over. */
static inline bool stranger_await(stranger *s, gri_frame_type type)
{
    size_t n;
    while ((n = stranger_hear(s)) > 0) {
        bool found = s->in[4] == type;
        if (found) {
            return true;
        }
        stranger_drop(s, n);
    }
    return false;
}

/* Waits until the node hangs up. */
static inline void stranger_await_end(stranger *s)
{
    size_t n;
    while ((n = stranger_hear(s)) > 0) {
        stranger_drop(s, n);
    }
}

static inline void stranger_start(stranger *s, const char *name,
                                  const char *secret)
{
    static uint8_t count; /* a nonce of its own for each */
    gri_identity who = {.node = UINT64_C(0x5742000000000000) + ++count,
                        .frame_max = 1 << 20,
                        .silence_ms = 60000};
    uint8_t key[GRI_KEY_BYTES], nonce[GRI_NONCE_BYTES];
    memcpy(who.name, name, strlen(name));
    gri_handshake_key(key, bytes_of(secret));
    memset(nonce, count, sizeof nonce);
    s->credit = STRANGER_CREDIT;
    gri_handshake_init(&s->hs, GRI_DIALER, &who, key, nonce);
}

/* Says hello and reads the answer. Returns its step or error. */
static inline int stranger_hello(stranger *s)
{
    gri_note note;
    const char *fault = NULL;
    gri_handshake_open(&s->hs, &note);
    stranger_note(s, &note);
    size_t n = stranger_hear(s);
    assert_true(n > 0);
    int step = gri_handshake_read(&s->hs, s->in, n, &note, &fault);
    stranger_drop(s, n);
    return step;
}

/* Proves itself, and lets the node send as much as it likes. Returns its step
 * or error. */
static inline int stranger_prove(stranger *s)
{
    gri_note note;
    const char *fault = NULL;
    gri_handshake_prove(&s->hs, &note);
    stranger_note(s, &note);
    size_t n = stranger_hear(s);
    if (n == 0) {
        return GR_ENOCONN;
    }
    int step = gri_handshake_read(&s->hs, s->in, n, &note, &fault);
    stranger_drop(s, n);
    if (step == GRI_STEP_DONE && s->credit > 0) {
        stranger_frame(
            s, &(gri_frame){.type = GRI_FRAME_CREDIT, .count = s->credit});
    }
    return step;
}

/* All of it: a proven peer. False: the node does not take one of that name
 * now, as it has broken a rule. */
static inline bool stranger_try(stranger *s, const char *address,
                                const char *name)
{
    stranger_open(s, address);
    stranger_start(s, name, SECRET);
    const int step = stranger_hello(s);
    if (step == GR_EAGAIN) {
        stranger_close(s);
        return false;
    }
    assert_int_equal(step, GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(s), GRI_STEP_DONE);
    return true;
}

/* As soon as it is taken. */
static inline void stranger_join(stranger *s, const char *address,
                                 const char *name)
{
    while (!stranger_try(s, address, name)) {
    }
}

#endif /* TESTS_TRANSPORT_STRANGER_H */
