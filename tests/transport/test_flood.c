/*
 * Goal:   who floods a node with frames between nodes costs it a bounded queue
 *         and is cut as docs/protocol.md says, or is served as fast as it
 *         reads; the others notice nothing.
 * Method: a node, a good peer of it, and a client on a plain socket. The flood
 *         ends when the node hangs up, or at FLOOD_MAX, which fails: that is
 *         far more than the sockets' own buffers can take. What waits for the
 *         client is measured in its peer, and the good peer is served, after
 *         each piece of the flood.
 */
#include "tests/transport/scene.h"

#include "actors/route.h"
#include "transport/net.h"

enum {
    FLOOD_MAX = 64 << 20, /* bytes; Linux's sockets buffer up to 10 MB */
    OUTBOX_MAX = 4096,    /* bytes; of the nodes here */
    FRAME_MAX = 4096,     /* bytes; of the client */
    PIECE_FRAMES = 13000, /* of 5 bytes: a piece is about 64 KB */
    /* What may wait for the client, and one PONG over it. */
    QUEUE_MAX = OUTBOX_MAX * GRI_OUTBOX_HARD + FRAME_MAX + GRI_FRAME_HEAD
};

static const gr_node_opts few = {.outbox_max = OUTBOX_MAX};

typedef struct piece {
    uint8_t bytes[PIECE_FRAMES * GRI_FRAME_HEAD];
} piece;

static const piece *piece_of(gri_frame_type type)
{
    static piece p;
    for (size_t i = 0; i < PIECE_FRAMES; i++) {
        uint8_t head[GRI_FRAME_FIXED_MAX];
        size_t n = gri_frame_write(head, &(gri_frame){.type = type});
        assert_int_equal(n, GRI_FRAME_HEAD);
        memcpy(p.bytes + i * n, head, n);
    }
    return &p;
}

/* The most that waits for any of its peers. */
static size_t queued(const scene *c)
{
    const gri_net *net = gri_route_net(c->n->sys[NODE]);
    size_t most = 0;
    uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *peer = gri_net_peer(net, i);
        (void)pthread_mutex_lock(&peer->lock);
        const size_t n = gri_peer_queued(peer);
        (void)pthread_mutex_unlock(&peer->lock);
        most = n > most ? n : most;
    }
    return most;
}

static void join_as(scene *c, const char *name)
{
    gr_actor *self = c->n->self[NODE];
    stranger_open(&c->s, port_of(c));
    stranger_start(&c->s, name, SECRET);
    c->s.hs.self.frame_max = FRAME_MAX;
    assert_int_equal(stranger_hello(&c->s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c->s), GRI_STEP_DONE);
    assert_int_equal(expect_node(self, name, true), 0);
}

static void begin_watching(scene *c, void **state)
{
    begin_with(c, state, &few);
    assert_int_equal(gr_watch_nodes(c->n->self[NODE], true), 0);
    assert_int_equal(expect_node(c->n->self[NODE], "good", true), 0);
}

/* Says it again and again, and never reads, until the node hangs up. */
static void flood_until_cut(scene *c, const piece *p)
{
    size_t sent = 0;
    for (;;) {
        ssize_t n = send(c->s.fd, p->bytes, sizeof p->bytes, MSG_NOSIGNAL);
        if (n < 0) {
            break;
        }
        sent += (size_t)n;
        assert_true(sent < FLOOD_MAX);
        assert_in_range(queued(c), 0, QUEUE_MAX);
        assert_unharmed(c);
    }
    stranger_close(&c->s);
}

/* ---- proven peers -------------------------------------------------------- */

static void who_pings_and_does_not_read_is_cut(void **state)
{
    scene c;
    begin_watching(&c, state);
    join_as(&c, "deaf");

    flood_until_cut(&c, piece_of(GRI_FRAME_PING));

    assert_int_equal(expect_node(c.n->self[NODE], "deaf", false), GR_ELIMIT);
    assert_unharmed(&c);
}

static void who_pings_after_a_goodbye_is_cut(void **state)
{
    scene c;
    begin_watching(&c, state);
    join_as(&c, "ghost");
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_BYE});

    flood_until_cut(&c, piece_of(GRI_FRAME_PING));

    /* It said goodbye, so nothing is lost. */
    assert_int_equal(expect_node(c.n->self[NODE], "ghost", false), 0);
    assert_unharmed(&c);
}

static void who_pings_and_reads_is_served(void **state)
{
    enum { PIECES = 20, IN_FLIGHT = 1000 };
    scene c;
    begin_watching(&c, state);
    join_as(&c, "busy");
    const piece *p = piece_of(GRI_FRAME_PING);

    /* No more at once than may wait for it. */
    const size_t part = (size_t)IN_FLIGHT * GRI_FRAME_HEAD;
    for (size_t i = 0; i < (size_t)PIECES * (PIECE_FRAMES / IN_FLIGHT); i++) {
        stranger_say(&c.s, p->bytes, part);
        for (size_t pongs = 0; pongs < IN_FLIGHT; pongs++) {
            assert_true(stranger_await(&c.s, GRI_FRAME_PONG));
            stranger_drop(&c.s, GRI_FRAME_HEAD);
        }
        assert_unharmed(&c);
    }

    gr_node node;
    assert_int_equal(gr_node_find(c.n->self[NODE], "busy", &node), 0);
    stranger_close(&c.s);
}

/* Frames that are not answered are read, and forgotten. */
static void who_answers_what_nobody_asked_is_served(void **state)
{
    enum { PIECES = 40 };
    static const gri_frame_type types[] = {GRI_FRAME_PONG, GRI_FRAME_HEARTBEAT};
    scene c;
    begin_watching(&c, state);
    join_as(&c, "chatty");
    for (size_t t = 0; t < 2; t++) {
        const piece *p = piece_of(types[t]);
        for (int i = 0; i < PIECES; i++) {
            stranger_say(&c.s, p->bytes, sizeof p->bytes);
            assert_in_range(queued(&c), 0, QUEUE_MAX);
            assert_unharmed(&c);
        }
    }

    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_PING});
    assert_true(stranger_await(&c.s, GRI_FRAME_PONG));
    stranger_close(&c.s);
}

static void second_goodbye_is_cut(void **state)
{
    scene c;
    begin_watching(&c, state);
    join_as(&c, "polite");

    flood_until_cut(&c, piece_of(GRI_FRAME_BYE));

    assert_int_equal(expect_node(c.n->self[NODE], "polite", false), 0);
    assert_unharmed(&c);
}

static void goodbyes_are_agreed_to_once(void **state)
{
    static const uint8_t twice[] = {0, 0, 0, 1, GRI_FRAME_BYE,
                                    0, 0, 0, 1, GRI_FRAME_BYE};
    unsigned agreed = 0;
    size_t n;
    scene c;
    begin_watching(&c, state);
    join_as(&c, "polite");
    stranger_say(&c.s, twice, sizeof twice);
    while ((n = stranger_hear(&c.s)) > 0) {
        agreed += c.s.in[4] == GRI_FRAME_BYE_ACK;
        stranger_drop(&c.s, n);
    }
    assert_in_range(agreed, 0, 1);
    stranger_close(&c.s);
    assert_int_equal(expect_node(c.n->self[NODE], "polite", false), 0);
    assert_unharmed(&c);
}

/* ---- strangers ----------------------------------------------------------- */

/* Says it before the hello, and in place of the proof: the first frame of it
 * is one too many, and none is answered. */
static void strangers_are_cut(void **state)
{
    static const gri_frame_type types[] = {GRI_FRAME_PING, GRI_FRAME_PONG,
                                           GRI_FRAME_BYE, GRI_FRAME_BYE_ACK,
                                           GRI_FRAME_HEARTBEAT};
    scene c;
    begin_watching(&c, state);
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        const piece *p = piece_of(types[t]);
        stranger_open(&c.s, port_of(&c));
        stranger_say(&c.s, p->bytes, GRI_FRAME_HEAD);
        assert_int_equal(stranger_hear(&c.s), 0);
        stranger_close(&c.s);

        stranger_open(&c.s, port_of(&c));
        stranger_start(&c.s, "mallory", SECRET);
        assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
        stranger_say(&c.s, p->bytes, GRI_FRAME_HEAD);
        assert_int_equal(stranger_hear(&c.s), 0);
        stranger_close(&c.s);

        stranger_open(&c.s, port_of(&c));
        flood_until_cut(&c, p);
        stranger_open(&c.s, port_of(&c));
        stranger_start(&c.s, "mallory", SECRET);
        assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
        flood_until_cut(&c, p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(who_pings_and_does_not_read_is_cut),
        ON_BOTH(who_pings_after_a_goodbye_is_cut),
        ON_BOTH(who_pings_and_reads_is_served),
        ON_BOTH(who_answers_what_nobody_asked_is_served),
        ON_BOTH(second_goodbye_is_cut),
        ON_BOTH(goodbyes_are_agreed_to_once),
        ON_BOTH(strangers_are_cut),
    };
    return cmocka_run_group_tests_name("transport/flood", tests, NULL, NULL);
}
