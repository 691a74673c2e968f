/*
 * Goal:   who watches nodes is told once when a node does not keep up with what
 *         it is sent, and once when it does again; a burst is nothing.
 * Method: the rule with figures of the test's own; a proven stranger that gives
 *         no credit, or does not read, and then does.
 */
#include <sched.h>

#include "tests/transport/scene.h"
#include "transport/net.h"

enum {
    SOFT = 1000,
    OUTBOX = 200 * 1000, /* bytes; its soft bound is an eighth */
    LARGE = 4 << 20,
    MESSAGES = 100 /* of a kilobyte */
};

/* ---- the rule ------------------------------------------------------------ */

static void two_heartbeats_above_are_slow(void **state)
{
    gri_pace pace = {.slow = false};
    (void)state;

    assert_false(gri_pace_beat(&pace, SOFT + 1, SOFT));
    assert_false(pace.slow);
    assert_true(gri_pace_beat(&pace, SOFT + 1, SOFT));
    assert_true(pace.slow);
    assert_false(gri_pace_beat(&pace, SOFT + 1, SOFT));
}

static void at_the_bound_is_not_above(void **state)
{
    gri_pace pace = {.slow = false};
    (void)state;

    assert_false(gri_pace_beat(&pace, SOFT + 1, SOFT));
    assert_false(gri_pace_beat(&pace, SOFT, SOFT));
    assert_false(gri_pace_beat(&pace, SOFT + 1, SOFT));
    assert_false(pace.slow);
}

static void who_was_at_half_between_them_is_not(void **state)
{
    gri_pace pace = {.slow = false};
    (void)state;

    assert_false(gri_pace_beat(&pace, SOFT + 1, SOFT));
    gri_pace_sent(&pace, SOFT / 2 + 1, SOFT);
    gri_pace_sent(&pace, SOFT / 2, SOFT);
    assert_false(gri_pace_beat(&pace, SOFT + 1, SOFT));
    assert_true(gri_pace_beat(&pace, SOFT + 1, SOFT));
}

static void it_is_slow_until_it_was_at_half(void **state)
{
    gri_pace pace = {.slow = false};
    (void)state;

    assert_false(gri_pace_beat(&pace, SOFT + 1, SOFT));
    assert_true(gri_pace_beat(&pace, SOFT + 1, SOFT));
    gri_pace_sent(&pace, SOFT / 2 + 1, SOFT);
    assert_false(gri_pace_beat(&pace, SOFT / 2 + 1, SOFT));
    gri_pace_sent(&pace, SOFT / 2, SOFT);
    assert_true(pace.slow);
    assert_true(gri_pace_beat(&pace, SOFT + 1, SOFT));
    assert_false(pace.slow);
}

/* ---- peers --------------------------------------------------------------- */

static const gr_node_opts quick = {
    .outbox_max = OUTBOX, .heartbeat_ms = 20, .silence_ms = LONG_MS};

/* A proven peer with so much credit. */
static void join_with(scene *c, const char *name, uint32_t credit)
{
    stranger_open(&c->s, port_of(c));
    stranger_start(&c->s, name, SECRET);
    c->s.credit = credit;
    assert_int_equal(stranger_hello(&c->s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c->s), GRI_STEP_DONE);
}

static void begin_watching(scene *c, void **state, const gr_node_opts *opts)
{
    begin_with(c, state, opts);
    assert_int_equal(gr_watch_nodes(c->n->self[NODE], true), 0);
    assert_int_equal(expect_node(c->n->self[NODE], "good", true), 0);
}

static void send_kilobytes(scene *c, int n)
{
    static const char bytes[1000];
    const gr_pid to = {c->s.hs.self.node, 5};
    for (int i = 0; i < n; i++) {
        gr_bytes payload = {bytes, sizeof bytes};
        assert_int_equal(gr_send(c->n->self[NODE], to, "m", payload), 0);
    }
}

static uint64_t expect_pace(const scene *c, gr_actor *self, bool slow)
{
    bool is_slow = !slow;
    gr_node node;
    gr_str name;
    uint64_t queued = 0;
    const gr_msg *msg = next(self);
    assert_true(gr_match_slow_node(msg, &is_slow, &node, &name, &queued));
    assert_false(gr_match_node(msg, NULL, NULL, NULL, NULL));
    assert_int_equal(is_slow, slow);
    assert_int_equal(node.id, c->s.hs.self.node);
    assert_int_equal(name.len, 4);
    assert_memory_equal(name.ptr, "mean", 4);
    return queued;
}

static bool is_slow(const scene *c)
{
    gr_peer_stats s;
    const gr_node node = {c->s.hs.self.node};
    assert_int_equal(gr_node_stats(c->n->self[NODE], node, &s), 0);
    return s.slow;
}

/* Takes at least so much. */
static void hear_kilobytes(scene *c, size_t wanted)
{
    size_t n;
    for (size_t got = 0; got < wanted * 1000; got += n) {
        n = stranger_hear(&c->s);
        assert_true(n > 0);
        stranger_drop(&c->s, n);
    }
}

static void a_peer_without_credit_is_slow_until_it_gives_some(void **state)
{
    scene c;
    begin_watching(&c, state, &quick);
    gr_actor *self = c.n->self[NODE];
    join_with(&c, "mean", 0);
    assert_int_equal(expect_node(self, "mean", true), 0);

    send_kilobytes(&c, MESSAGES);
    assert_true(expect_pace(&c, self, true) > OUTBOX / 8);
    assert_true(is_slow(&c));
    stranger_frame(&c.s,
                   &(gri_frame){.type = GRI_FRAME_CREDIT, .count = OUTBOX});
    hear_kilobytes(&c, MESSAGES);
    assert_true(expect_pace(&c, self, false) <= OUTBOX / 16);
    assert_false(is_slow(&c));

    /* Nothing else was told. */
    stranger_close(&c.s);
    (void)expect_node(self, "mean", false);
    assert_unharmed(&c);
}

static void so_is_one_that_does_not_read(void **state)
{
    scene c;
    gr_node_opts large = quick;
    large.outbox_max = 8 * LARGE;
    begin_watching(&c, state, &large);
    gr_actor *self = c.n->self[NODE];
    join_with(&c, "mean", 1u << 30);
    assert_int_equal(expect_node(self, "mean", true), 0);

    send_kilobytes(&c, 2 * LARGE / 1000);
    (void)expect_pace(&c, self, true);
    hear_kilobytes(&c, 2 * LARGE / 1000);
    (void)expect_pace(&c, self, false);
    stranger_close(&c.s);
    (void)expect_node(self, "mean", false);
    assert_unharmed(&c);
}

static void who_watches_late_hears_of_it(void **state)
{
    scene c;
    gr_actor *late;
    begin_watching(&c, state, &quick);
    gr_actor *self = c.n->self[NODE];
    join_with(&c, "mean", 0);
    assert_int_equal(expect_node(self, "mean", true), 0);
    send_kilobytes(&c, MESSAGES);
    (void)expect_pace(&c, self, true);

    assert_int_equal(gr_thread_attach(c.n->sys[NODE], NULL, &late), 0);
    assert_int_equal(gr_watch_nodes(late, true), 0);
    assert_true(gr_match_node(next(late), NULL, NULL, NULL, NULL));
    assert_true(gr_match_node(next(late), NULL, NULL, NULL, NULL));
    assert_true(expect_pace(&c, late, true) > OUTBOX / 8);
    gr_thread_detach(late, 0);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void one_that_is_lost_is_only_lost(void **state)
{
    scene c;
    begin_watching(&c, state, &quick);
    gr_actor *self = c.n->self[NODE];
    join_with(&c, "mean", 0);
    assert_int_equal(expect_node(self, "mean", true), 0);
    send_kilobytes(&c, MESSAGES);
    (void)expect_pace(&c, self, true);

    stranger_close(&c.s);
    assert_int_equal(expect_node(self, "mean", false), GR_ENOCONN);

    /* And begins anew. */
    join_with(&c, "mean", 0);
    assert_int_equal(expect_node(self, "mean", true), 0);
    assert_false(is_slow(&c));
    stranger_close(&c.s);
    assert_int_equal(expect_node(self, "mean", false), GR_ENOCONN);
    assert_unharmed(&c);
}

/* A heartbeat that was due to the one that was lost is not the next one's: it
 * would stand in its handshake. */
static void heartbeats_end_with_their_connection(void **state)
{
    scene c;
    begin_watching(&c, state, &quick);
    gr_actor *self = c.n->self[NODE];
    join_with(&c, "mean", STRANGER_CREDIT);
    assert_int_equal(expect_node(self, "mean", true), 0);
    gri_peer *peer =
        gri_net_find(gri_route_net(c.n->sys[NODE]), c.s.hs.self.node);
    const uint64_t born = peer->born;
    stranger_close(&c.s);
    assert_int_equal(expect_node(self, "mean", false), GR_ENOCONN);

    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "mean", SECRET);
    gri_peer_signal_on(peer, born, GRI_FRAME_HEARTBEAT); /* whatever it is */
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    gri_peer_signal_on(peer, born, GRI_FRAME_HEARTBEAT); /* the new one's */
    assert_int_equal(stranger_prove(&c.s), GRI_STEP_DONE);
    assert_int_equal(expect_node(self, "mean", true), 0);
    stranger_close(&c.s);
    assert_int_equal(expect_node(self, "mean", false), GR_ENOCONN);
    assert_unharmed(&c);
}

/* Sets or reads what the next heartbeat goes by. */
static bool stands(gri_peer *peer, bool set)
{
    (void)pthread_mutex_lock(&peer->lock);
    peer->pace.stands = peer->pace.stands || set;
    const bool does = peer->pace.stands;
    (void)pthread_mutex_unlock(&peer->lock);
    return does;
}

static void what_goes_between_two_heartbeats_counts(void **state)
{
    nodes *n = *state;
    const gr_node_opts calm = {.heartbeat_ms = INT32_MAX,
                               .silence_ms = INT32_MAX};
    gr_actor *self = start_node_with(n, 0, "a", &calm);
    start_node_with(n, 1, "b", &calm);
    const gr_node b = join(n, 0, 1);
    gri_peer *peer = gri_net_find(gri_route_net(n->sys[0]), b.id);
    assert_true(stands(peer, true));

    assert_int_equal(gr_send(self, spawn_sink(n, 1), "m"), 0);

    while (stands(peer, false)) {
        sched_yield();
    }
}

static void nobody_else_can_say_so(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_node(n, 0, "a");
    assert_int_equal(gr_send(self, gr_self(self), "gr.slow_node", true,
                             gr_system_node(n->sys[0]), "a", 7),
                     0);

    assert_false(gr_match_slow_node(next(self), NULL, NULL, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_heartbeats_above_are_slow),
        cmocka_unit_test(at_the_bound_is_not_above),
        cmocka_unit_test(who_was_at_half_between_them_is_not),
        cmocka_unit_test(it_is_slow_until_it_was_at_half),
        ON_BOTH(a_peer_without_credit_is_slow_until_it_gives_some),
        ON_IPC(so_is_one_that_does_not_read),
        ON_IPC(who_watches_late_hears_of_it),
        ON_IPC(one_that_is_lost_is_only_lost),
        ON_IPC(heartbeats_end_with_their_connection),
        ON_IPC(what_goes_between_two_heartbeats_counts),
        ON_IPC(nobody_else_can_say_so),
    };
    return cmocka_run_group_tests_name("transport/pace", tests, NULL, NULL);
}
