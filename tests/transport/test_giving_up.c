/*
 * Goal:   a dialer that gives up when it has proven itself is understood by a
 *         listener that may have welcomed it.
 * Method: a node dials a listener that takes the proof and says nothing then.
 */
#include "tests/transport/nodes.h"

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

/* Who has its proof may believe that it is connected by now: it is told
 * goodbye, which it understands. */
static void dialer_that_gives_up_behind_its_proof_says_goodbye(void **state)
{
    nodes *n = *state;
    char address[128];
    gr_node node;
    pthread_t thread;
    mute m = {.last = -1};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    gr_actor *self = start_node(n, 0, "a");
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/mute", n->folder);
    (void)snprintf(address, sizeof address, "ipc://%s", at.sun_path);
    m.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(m.fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(m.fd, 16), 0);
    assert_int_equal(pthread_create(&thread, NULL, be_mute, &m), 0);

    /* On a slow machine the first ones end before the proof. */
    for (int64_t ms = 100; !atomic_load_explicit(&m.over, memory_order_relaxed);
         ms *= 2) {
        assert_int_equal(gr_node_connect(self, address, ms, &node),
                         GR_ETIMEOUT);
    }

    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(m.last, GRI_FRAME_BYE);
    close(m.fd);
    (void)unlink(at.sun_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_IPC(dialer_that_gives_up_behind_its_proof_says_goodbye),
    };
    return cmocka_run_group_tests_name("transport/giving_up", tests, NULL,
                                       NULL);
}
