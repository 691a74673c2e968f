/*
 * Goal:   a peer that falls silent, leaves, or does not read is lost or bounded
 *         as docs/protocol.md says, and nobody else notices.
 * Method: a node, a good peer of it, and a client on a plain socket that is a
 *         proven peer and then behaves so; waits are for messages.
 */
#include <sched.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "sched/sched.h"
#include "tests/transport/scene.h"
#include "transport/net.h"

static void silent_peer_is_lost(void **state)
{
    scene c;
    begin_with(&c, state, &(gr_node_opts){.silence_ms = 1000});
    gr_actor *self = c.n->self[NODE];
    gr_ref ref;
    gr_exit_reason why;
    assert_int_equal(gr_watch_nodes(self, true), 0);
    assert_int_equal(expect_node(self, "good", true), 0);
    stranger_join(&c.s, port_of(&c), "frozen");
    assert_int_equal(expect_node(self, "frozen", true), 0);
    gr_pid frozen = {c.s.hs.self.node, 77};
    assert_int_equal(gr_monitor(self, frozen, &ref), 0);

    assert_true(gr_match_down(next(self), NULL, NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
    assert_int_equal(expect_node(self, "frozen", false), GR_ETIMEOUT);

    /* The good one has the default heartbeat of a second, but knows how little
     * patience this node has. */
    assert_unharmed(&c);
    stranger_close(&c.s);
}

static void heartbeats_come_unasked(void **state)
{
    scene c;
    begin_with(&c, state, &(gr_node_opts){.heartbeat_ms = 20});
    stranger_join(&c.s, port_of(&c), "listener");
    for (int i = 0; i < 3; i++) {
        assert_true(stranger_await(&c.s, GRI_FRAME_HEARTBEAT));
        stranger_drop(&c.s, stranger_hear(&c.s));
    }
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_PING});
    assert_true(stranger_await(&c.s, GRI_FRAME_PONG));
    stranger_close(&c.s);
}

/* Those that wait for PONG, without the rest. */
static unsigned heartbeats_before_pong(stranger *s)
{
    unsigned n = 0;
    stranger_frame(s, &(gri_frame){.type = GRI_FRAME_PING});
    for (;;) {
        size_t len = stranger_hear(s);
        assert_true(len > 0);
        uint8_t type = s->in[4];
        stranger_drop(s, len);
        if (type == GRI_FRAME_PONG) {
            return n;
        }
        n += type == GRI_FRAME_HEARTBEAT;
    }
}

static void each_peer_gets_the_heartbeats_that_it_needs(void **state)
{
    enum { BEATS = 20, HOUR_MS = 3600 * 1000 };
    scene c;
    stranger hasty;
    begin_with(&c, state, &(gr_node_opts){.heartbeat_ms = HOUR_MS});
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "patient", SECRET);
    c.s.hs.self.silence_ms = INT32_MAX; /* content with one in an hour */
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c.s), GRI_STEP_DONE);
    stranger_open(&hasty, port_of(&c));
    stranger_start(&hasty, "hasty", SECRET);
    hasty.hs.self.silence_ms = 80;
    assert_int_equal(stranger_hello(&hasty), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&hasty), GRI_STEP_DONE);

    for (int i = 0; i < BEATS; i++) {
        assert_true(stranger_await(&hasty, GRI_FRAME_HEARTBEAT));
        stranger_drop(&hasty, stranger_hear(&hasty));
    }

    /* One, should the full hour have struck meanwhile. */
    assert_in_range(heartbeats_before_pong(&c.s), 0, 1);
    stranger_close(&hasty);
    assert_unharmed(&c);
    stranger_close(&c.s);
}

static void heartbeats_are_as_frequent_as_patience_asks(void **state)
{
    (void)state;
    const int64_t own = 1000 * GRI_NS_PER_MS;
    /* With as much patience, or more, as often as the node itself likes. */
    assert_int_equal(gri_beat_ns(own, UINT32_MAX), own);
    assert_int_equal(gri_beat_ns(own, 4000), own);
    assert_int_equal(gri_beat_ns(20 * own, UINT32_MAX), 20 * own);
    /* With less, four times in it at least, by halves. */
    assert_int_equal(gri_beat_ns(own, 3999), own / 2);
    assert_int_equal(gri_beat_ns(own, 2000), own / 2);
    assert_int_equal(gri_beat_ns(own, 1000), own / 4);
    /* Never more often than 20 ms, unless the node likes that. */
    assert_int_equal(gri_beat_ns(own, 80), own / 50);
    assert_int_equal(gri_beat_ns(own, 1), own / 50);
    assert_int_equal(gri_beat_ns(own, 0), own / 50);
    assert_int_equal(gri_beat_ns(own / 1000, 80), own / 1000);
}

static void goodbye_that_is_not_kept_is_made_true(void **state)
{
    scene c;
    begin(&c, state);
    gr_actor *self = c.n->self[NODE];
    assert_int_equal(gr_watch_nodes(self, true), 0);
    assert_int_equal(expect_node(self, "good", true), 0);
    stranger_join(&c.s, port_of(&c), "lingering");
    assert_int_equal(expect_node(self, "lingering", true), 0);
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_BYE});
    assert_true(stranger_await(&c.s, GRI_FRAME_BYE_ACK));

    /* It neither closes nor falls silent. */
    do {
        stranger_drop(&c.s, stranger_hear(&c.s));
        stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_PING});
    } while (stranger_await(&c.s, GRI_FRAME_PONG));

    assert_int_equal(expect_node(self, "lingering", false), 0);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void goodbye_is_agreed_to(void **state)
{
    scene c;
    begin(&c, state);
    assert_int_equal(gr_watch_nodes(c.n->self[NODE], true), 0);
    assert_int_equal(expect_node(c.n->self[NODE], "good", true), 0);
    stranger_join(&c.s, port_of(&c), "polite");
    assert_int_equal(expect_node(c.n->self[NODE], "polite", true), 0);
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_BYE});
    assert_true(stranger_await(&c.s, GRI_FRAME_BYE_ACK));
    stranger_close(&c.s);
    assert_int_equal(expect_node(c.n->self[NODE], "polite", false), 0);
    assert_unharmed(&c);
}

static void goodbye_is_the_last_word(void **state)
{
    static const uint8_t hi[] = {0x91, 0xa2, 'h', 'i'};
    scene c;
    const gr_msg *msg;
    begin(&c, state);
    gr_actor *self = c.n->self[NODE];
    stranger_join(&c.s, port_of(&c), "ghost");
    const gri_frame f = {.type = GRI_FRAME_SEND,
                         .to = gr_self(self).id,
                         .payload = hi,
                         .len = sizeof hi};
    stranger_frame(&c.s, &f);
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_BYE});
    stranger_frame(&c.s, &f);

    stranger_await_end(&c.s);

    assert_true(gr_match(next(self), "hi"));
    assert_int_equal(gr_receive(self, 0, &msg), GR_ETIMEOUT);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void nodes_of_one_name_replace_a_silent_one(void **state)
{
    scene c;
    begin(&c, state);
    gr_actor *self = c.n->self[NODE];
    stranger second;
    assert_int_equal(gr_watch_nodes(self, true), 0);
    assert_int_equal(expect_node(self, "good", true), 0);
    stranger_join(&c.s, port_of(&c), "twin");
    assert_int_equal(expect_node(self, "twin", true), 0);

    /* The first is frozen, and does not answer when it is asked to. */
    stranger_join(&second, port_of(&c), "twin");

    assert_int_equal(expect_node(self, "twin", false), GR_ETIMEOUT);
    assert_int_equal(expect_node(self, "twin", true), 0);
    stranger_close(&c.s);
    stranger_close(&second);
    assert_unharmed(&c);
}

static void who_does_not_read_has_a_bounded_queue(void **state)
{
    static uint8_t bulk[16384];
    scene c;
    begin_with(&c, state, &(gr_node_opts){.outbox_max = 1 << 20});
    gr_actor *self = c.n->self[NODE];
    stranger_join(&c.s, port_of(&c), "deaf");
    gr_pid deaf = {c.s.hs.self.node, 77};
    int rc = 0;
    unsigned sent = 0;

    while ((rc = gr_send(self, deaf, "bulk", gr_bin(bulk, sizeof bulk))) == 0) {
        sent++;
        assert_true(sent < 100000);
    }

    assert_int_equal(rc, GR_EAGAIN);
    assert_true(sent >= (1 << 20) / sizeof bulk);
    /* Signals still go: they wait in the same queue, but are not refused. */
    assert_int_equal(gr_stop(self, deaf), 0);
    assert_unharmed(&c);
    stranger_close(&c.s);
}

/* It may have been told before that the node is slow, if a heartbeat was due.
 */
static void await_node_down(gr_actor *self, const char *name, int why)
{
    const gr_msg *msg = next(self);
    bool is_up = true;
    gr_str called = {"", 0};
    int reason = 1;
    while (gr_match_slow_node(msg, NULL, NULL, NULL, NULL)) {
        msg = next(self);
    }
    assert_true(gr_match_node(msg, &is_up, NULL, &called, &reason));
    assert_false(is_up);
    assert_int_equal(called.len, strlen(name));
    assert_memory_equal(called.ptr, name, called.len);
    assert_int_equal(reason, why);
}

static void who_asks_and_does_not_read_is_cut(void **state)
{
    static const uint8_t ping[] = {0x91, 0xa4, 'p', 'i', 'n', 'g'};
    scene c;
    /* As much credit as there is: it is not to be cut for that. */
    begin_with(&c, state,
               &(gr_node_opts){.outbox_max = 4096, .window = GR_WINDOW_MAX});
    gr_actor *self = c.n->self[NODE];
    assert_int_equal(gr_watch_nodes(self, true), 0);
    assert_int_equal(expect_node(self, "good", true), 0);
    stranger_join(&c.s, port_of(&c), "deaf");
    assert_int_equal(expect_node(self, "deaf", true), 0);
    uint8_t bytes[GRI_FRAME_FIXED_MAX + sizeof ping];
    const gri_frame f = {.type = GRI_FRAME_ASK,
                         .to = c.server.id,
                         .from = 77,
                         .ref = 5,
                         .payload = ping,
                         .len = sizeof ping};
    size_t n = gri_frame_write(bytes, &f);
    memcpy(bytes + n, ping, sizeof ping);
    n += sizeof ping;
    static uint8_t many[64 * 1024];
    size_t fit = sizeof many / n;
    for (size_t i = 0; i < fit; i++) {
        memcpy(many + i * n, bytes, n);
    }

    /* Answers to them pile up until it is cut for it. */
    for (;;) {
        ssize_t rc = send(c.s.fd, many, fit * n, MSG_NOSIGNAL);
        if (rc != (ssize_t)(fit * n)) {
            break;
        }
    }

    await_node_down(self, "deaf", GR_ELIMIT);
    stranger_close(&c.s);
    /* What it has asked may still fill the server's mailbox. */
    while (gr_call(c.n->self[GOOD], c.server, LONG_MS, gr_expect("pong"),
                   "ping") == GR_EAGAIN) {
        assert_int_equal(gr_sleep(c.n->self[GOOD], 1), 0);
    }
    assert_unharmed(&c);
}

/* ---- a stop while nobody polls ------------------------------------------- */

typedef struct blocker {
    gri_post post;
    gr_system *sys;
} blocker;

/* Of the stranger, the only peer: did we say goodbye, is it told to close? */
static void look_at_peer(gr_system *sys, bool *said_bye, bool *closing)
{
    gri_peer *peer = gri_net_peer(gri_route_net(sys), 0);
    (void)pthread_mutex_lock(&peer->lock);
    *said_bye = peer->said_bye;
    *closing = peer->closing;
    (void)pthread_mutex_unlock(&peer->lock);
}

/* Holds the poller from the goodbye until the stop has lost its patience, and
 * then for as long as it might take to forget who is still to be closed. */
static void hold_poller(gri_post *post, struct gri_worker *worker)
{
    blocker *b = GRI_CONTAINER(post, blocker, post);
    gri_poller *poller = gri_system_poller(b->sys);
    const gri_sched *sched = GRI_CONTAINER(poller, gri_sched, poller);
    const gri_clock clock = {0};
    bool said_bye;
    bool closing;
    (void)worker;
    look_at_peer(b->sys, &said_bye, &closing);
    if (!said_bye) {
        gri_poller_post(poller, post); /* others have their turn */
        return;
    }
    while (!closing) {
        sched_yield();
        look_at_peer(b->sys, &said_bye, &closing);
    }
    const int64_t until = gri_clock_ns(&clock) + 100 * GRI_NS_PER_MS;
    /* acquire: as a worker looks. */
    while (!atomic_load_explicit(&sched->stopping, memory_order_acquire) &&
           gri_clock_ns(&clock) < until) {
        sched_yield();
    }
}

static void a_stop_closes_what_nobody_has_time_to_poll(void **state)
{
    nodes *n = *state;
    stranger s;
    start_node(n, 0, "node");
    stranger_join(&s, n->address[0], "deaf");
    blocker b = {.post = {.run = hold_poller}, .sys = n->sys[0]};
    gri_poller_post(gri_system_poller(b.sys), &b.post);

    gr_thread_detach(n->self[0], 0);
    assert_int_equal(gr_system_stop(n->sys[0], 0), 0);
    n->sys[0] = NULL;

    assert_true(stranger_await(&s, GRI_FRAME_BYE));
    stranger_drop(&s, stranger_hear(&s));
    stranger_await_end(&s);
    stranger_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(silent_peer_is_lost),
        ON_BOTH(heartbeats_come_unasked),
        ON_BOTH(each_peer_gets_the_heartbeats_that_it_needs),
        cmocka_unit_test(heartbeats_are_as_frequent_as_patience_asks),
        ON_IPC(goodbye_that_is_not_kept_is_made_true),
        ON_BOTH(goodbye_is_agreed_to),
        ON_BOTH(goodbye_is_the_last_word),
        ON_BOTH(nodes_of_one_name_replace_a_silent_one),
        ON_BOTH(who_does_not_read_has_a_bounded_queue),
        ON_BOTH(who_asks_and_does_not_read_is_cut),
        ON_BOTH(a_stop_closes_what_nobody_has_time_to_poll),
    };
    return cmocka_run_group_tests_name("transport/silence", tests, NULL, NULL);
}
