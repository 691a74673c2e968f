/*
 * Goal:   a dialer that gives up when it has proven itself is understood by a
 *         listener that may have welcomed it; who asks for the same node
 *         meanwhile, and has more time, is not let down.
 * Method: a node dials a listener that takes the proof, or takes nothing, and
 *         says nothing then.
 */
#include "tests/transport/nodes.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "transport/frame.h"
#include "transport/handshake.h"

/* A listener that takes the proof, and says nothing then. */
typedef struct mute {
    int fd;
    gri_handshake hs;
    uint8_t in[512];
    size_t len;
    int met;  /* connections that have ended */
    int last; /* the type of the first frame behind the proof; -1: none */
    _Atomic(bool) over;
} mute;

/* Takes the next whole frame out of what comes. Returns its type, or -1: the
 * end. */
static int mute_hears(mute *m, int peer, gri_note *out)
{
    const char *fault = NULL;
    size_t need = 0;
    int64_t n;
    while ((n = gri_frame_split(m->in, m->len, sizeof m->in, &need)) == 0) {
        const ssize_t got =
            recv(peer, m->in + m->len, sizeof m->in - m->len, 0);
        if (got <= 0) {
            return -1;
        }
        m->len += (size_t)got;
    }
    if (n < 0) {
        return -1; /* no frame */
    }
    const int type = m->in[4];
    if (type == GRI_FRAME_HELLO || type == GRI_FRAME_PROOF) {
        (void)gri_handshake_read(&m->hs, m->in, (size_t)n, out, &fault);
    }
    m->len -= (size_t)n;
    memmove(m->in, m->in + n, m->len);
    return type;
}

/* One connection. Returns whether the dialer came as far as its proof. */
static bool mute_meets(mute *m)
{
    const gri_identity who = {.node = UINT64_C(0x5742000000000001),
                              .frame_max = 1 << 20,
                              .silence_ms = LONG_MS,
                              .name = "mute"};
    uint8_t key[GRI_KEY_BYTES], nonce[GRI_NONCE_BYTES] = {1};
    gri_note note;
    gri_handshake_key(key, bytes_of(SECRET));
    gri_handshake_init(&m->hs, GRI_LISTENER, &who, key, nonce);
    m->len = 0;
    const int peer = accept4(m->fd, NULL, NULL, SOCK_CLOEXEC);
    const bool proven = mute_hears(m, peer, &note) == GRI_FRAME_HELLO &&
                        send(peer, note.bytes, note.len, MSG_NOSIGNAL) > 0 &&
                        mute_hears(m, peer, &note) == GRI_FRAME_PROOF;
    m->last = proven ? mute_hears(m, peer, &note) : -1;
    close(peer);
    return proven;
}

static void *be_mute(void *arg)
{
    mute *m = arg;
    while (!mute_meets(m)) {
    }
    /* relaxed: it only has to be seen some time; the join orders the rest. */
    atomic_store_explicit(&m->over, true, memory_order_relaxed);
    return NULL;
}

/* Where m listens; n has the folder. */
static void mute_listen(mute *m, const nodes *n, char *address, size_t size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/mute", n->folder);
    (void)snprintf(address, size, "ipc://%s", at.sun_path);
    m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(m->fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(m->fd, 16), 0);
}

static void mute_end(const mute *m, const char *address)
{
    close(m->fd);
    (void)unlink(strstr(address, "//") + 2);
}

/* Who has its proof may believe that it is connected by now: it is told
 * goodbye, which it understands. */
static void dialer_that_gives_up_behind_its_proof_says_goodbye(void **state)
{
    nodes *n = *state;
    char address[128];
    gr_node node;
    pthread_t thread;
    mute m = {.last = -1};
    gr_actor *self = start_node(n, 0, "a");
    mute_listen(&m, n, address, sizeof address);
    assert_int_equal(pthread_create(&thread, NULL, be_mute, &m), 0);

    /* On a slow machine the first ones end before the proof. */
    for (int64_t ms = 100; !atomic_load_explicit(&m.over, memory_order_relaxed);
         ms *= 2) {
        assert_int_equal(gr_node_connect(self, address, ms, &node),
                         GR_ETIMEOUT);
    }

    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(m.last, GRI_FRAME_BYE);
    mute_end(&m, address);
}

/* Somebody who has little time. */
typedef struct hasty {
    gr_system *sys;
    const char *address;
    int rc;
} hasty;

static void *be_hasty(void *arg)
{
    hasty *h = arg;
    gr_actor *self;
    gr_node node;
    h->rc = gr_thread_attach(h->sys, NULL, &self);
    if (h->rc == 0) {
        h->rc = gr_node_connect(self, h->address, 200, &node);
        gr_thread_detach(self, 0);
    }
    return NULL;
}

/* Says nothing to the first who comes, until it goes, and ends the second. */
static void *be_mute_twice(void *arg)
{
    mute *m = arg;
    gri_note note;
    for (m->met = 0; m->met < 2; m->met++) {
        const int peer = accept4(m->fd, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0) {
            break; /* nobody else comes */
        }
        m->len = 0;
        while (m->met == 0 && mute_hears(m, peer, &note) >= 0) {
        }
        close(peer);
    }
    return NULL;
}

/* Both may have the same dial; when the first has no more time there is another
 * for the second. */
static void who_has_more_time_is_dialed_for_again(void **state)
{
    nodes *n = *state;
    char address[128];
    gr_node node;
    pthread_t listener, first;
    mute m = {.last = -1};
    gr_actor *self = start_node(n, 0, "a");
    hasty h = {.sys = n->sys[0], .address = address};
    mute_listen(&m, n, address, sizeof address);
    assert_int_equal(pthread_create(&first, NULL, be_hasty, &h), 0);
    struct pollfd come = {.fd = m.fd, .events = POLLIN};
    assert_int_equal(poll(&come, 1, LONG_MS), 1);
    assert_int_equal(pthread_create(&listener, NULL, be_mute_twice, &m), 0);

    assert_int_equal(gr_node_connect(self, address, LONG_MS, &node),
                     GR_ENOCONN);

    (void)shutdown(m.fd, SHUT_RDWR);
    assert_int_equal(pthread_join(listener, NULL), 0);
    assert_int_equal(pthread_join(first, NULL), 0);
    assert_true(h.rc < 0); /* or it is told of the second dial in time */
    assert_int_equal(m.met, 2);
    mute_end(&m, address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_IPC(dialer_that_gives_up_behind_its_proof_says_goodbye),
        ON_IPC(who_has_more_time_is_dialed_for_again),
    };
    return cmocka_run_group_tests_name("transport/giving_up", tests, NULL,
                                       NULL);
}
