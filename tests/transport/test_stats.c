/*
 * Goal:   what is counted of a connection is what passed, at both ends; asking
 *         for it costs the other end one PING at most; what strangers do wrong
 *         is counted by what it was; the nodes there are can be listed.
 * Method: two nodes that exchange a known number of messages; a proven stranger
 *         that sees each frame. Round trips also with times of the test's own.
 */
#include <sched.h>

#include "tests/transport/scene.h"
#include "transport/net.h"

enum { SOME = 20, FOR_EVER_MS = INT32_MAX };

static gr_peer_stats stats_of(gr_actor *self, gr_node node)
{
    gr_peer_stats s;
    assert_int_equal(gr_node_stats(self, node, &s), 0);
    return s;
}

static gr_net_stats totals_of(const nodes *n, int i)
{
    gr_net_stats s;
    assert_int_equal(gr_node_totals(n->self[i], &s), 0);
    return s;
}

/* ---- round trips --------------------------------------------------------- */

static void a_pong_measures_the_first_open_ping(void **state)
{
    gri_rtt rtt = {.open = 0};
    (void)state;

    gri_rtt_ping(&rtt, 1000);
    gri_rtt_ping(&rtt, 1500);
    gri_rtt_pong(&rtt, 1800);
    gri_rtt_pong(&rtt, 9000);

    assert_int_equal(rtt.last_ns, 800);
    assert_int_equal(rtt.smooth_ns, 800);
    assert_int_equal(rtt.at_ns, 1800);
    assert_int_equal(rtt.open, 0);
}

static void a_pong_without_a_ping_measures_nothing(void **state)
{
    gri_rtt rtt = {.open = 0};
    (void)state;

    gri_rtt_pong(&rtt, 1000);

    assert_int_equal(rtt.last_ns, 0);
    assert_int_equal(rtt.open, 0);
}

static void each_measurement_counts_an_eighth(void **state)
{
    gri_rtt rtt = {.open = 0};
    (void)state;

    gri_rtt_ping(&rtt, 1000);
    gri_rtt_pong(&rtt, 1800);
    gri_rtt_ping(&rtt, 2000);
    gri_rtt_pong(&rtt, 3600);

    assert_int_equal(rtt.last_ns, 1600);
    assert_int_equal(rtt.smooth_ns, 900);
}

static void the_first_pong_replaces_the_handshake(void **state)
{
    gri_rtt rtt = {.open = 0};
    (void)state;

    gri_rtt_shake(&rtt, 1000, 91000);
    assert_int_equal(rtt.last_ns, 90000);
    assert_int_equal(rtt.smooth_ns, 90000);
    gri_rtt_ping(&rtt, 100000);
    gri_rtt_pong(&rtt, 100400);

    assert_int_equal(rtt.last_ns, 400);
    assert_int_equal(rtt.smooth_ns, 400);
}

static void only_old_or_rough_ones_are_stale(void **state)
{
    gri_rtt rtt = {.open = 0};
    (void)state;

    gri_rtt_shake(&rtt, 1000, 2000);
    assert_true(gri_rtt_is_stale(&rtt, 2001));
    gri_rtt_ping(&rtt, 3000);
    assert_false(gri_rtt_is_stale(&rtt, 3000 + 2 * GRI_RTT_FRESH_NS));
    gri_rtt_pong(&rtt, 4000);
    assert_false(gri_rtt_is_stale(&rtt, 4000 + GRI_RTT_FRESH_NS));
    assert_true(gri_rtt_is_stale(&rtt, 4001 + GRI_RTT_FRESH_NS));
}

/* ---- connections --------------------------------------------------------- */

static void both_ends_count_the_same(void **state)
{
    nodes *n = *state;
    const gr_node_opts calm = {.silence_ms = FOR_EVER_MS};
    gr_actor *a = start_node_with(n, 0, "a", &calm);
    gr_actor *b = start_node_with(n, 1, "b", &calm);
    const gr_node to_b = join(n, 0, 1);
    const gr_node to_a = gr_system_node(n->sys[0]);
    const gr_pid there = spawn_sink(n, 1);
    for (int i = 0; i < SOME; i++) {
        assert_int_equal(gr_send(a, there, "m", i), 0);
    }
    assert_int_equal(gr_call(a, there, LONG_MS, gr_expect("pong"), "ping"), 0);

    gr_peer_stats sa = stats_of(a, to_b);
    gr_peer_stats sb = stats_of(b, to_a);
    /* A PING may be on its way, or what the link took not be counted yet. */
    while (sa.bytes_sent != sb.bytes_received ||
           sb.bytes_sent != sa.bytes_received ||
           sa.frames_sent != sb.frames_received ||
           sb.frames_sent != sa.frames_received) {
        sched_yield();
        sa = stats_of(a, to_b);
        sb = stats_of(b, to_a);
    }

    assert_int_equal(sa.node.id, to_b.id);
    assert_string_equal(sa.name, "b");
    assert_string_equal(sb.name, "a");
    assert_string_equal(sa.address, n->address[1]);
    assert_string_equal(sb.address, "");
    assert_int_equal(sa.messages_sent, SOME + 1);
    assert_int_equal(sb.messages_received, SOME + 1);
    assert_int_equal(sb.messages_sent, 1);
    assert_int_equal(sa.messages_received, 1);
    assert_int_equal(sa.queued, 0);
    assert_int_equal(sa.refused, 0);
    assert_int_equal(sa.senders_waiting, 0);
    assert_true(sa.rtt_ns > 0 && sa.rtt_smooth_ns > 0);
    assert_true(sb.rtt_ns > 0 && sb.rtt_smooth_ns > 0);
    /* What was sent was used of what was given, and not given again yet. */
    assert_true(sa.credit < GR_WINDOW_DEFAULT);
    assert_int_equal(sa.credit, sb.credit_given);
    assert_int_equal(sb.credit, sa.credit_given);
}

static void only_connected_nodes_have_any(void **state)
{
    nodes *n = *state;
    gr_peer_stats s;
    gr_net_stats t;
    gr_actor *no_node = start_system(n, 0);
    gr_actor *self = start_node(n, 1, "b");
    const gr_node own = gr_system_node(n->sys[1]);
    const gr_node none = {0};

    assert_int_equal(gr_node_stats(no_node, own, &s), GR_ENOCONN);
    assert_int_equal(gr_node_stats(self, own, &s), GR_ENOCONN);
    assert_int_equal(gr_node_stats(self, none, &s), GR_ENOCONN);
    assert_int_equal(gr_node_totals(no_node, &t), GR_EINVAL);
    assert_int_equal(gr_node_list(no_node, NULL, 0), GR_EINVAL);
    assert_int_equal(gr_node_list(self, NULL, 1), GR_EINVAL);
    assert_int_equal(gr_node_list(self, NULL, 0), 0);
}

static gr_node stranger_node(const scene *c)
{
    return (gr_node){c->s.hs.self.node};
}

/* Whether only the handshake's round trip is known. */
static bool is_rough(const scene *c)
{
    gri_peer *peer =
        gri_net_find(gri_route_net(c->n->sys[NODE]), stranger_node(c).id);
    (void)pthread_mutex_lock(&peer->lock);
    const bool rough = peer->sent.rtt.rough;
    (void)pthread_mutex_unlock(&peer->lock);
    return rough;
}

static void to_ask_costs_one_ping_at_a_time(void **state)
{
    scene c;
    size_t n;
    unsigned pings = 0;
    begin_with(&c, state, &(gr_node_opts){.silence_ms = FOR_EVER_MS});
    stranger_join(&c.s, port_of(&c), "odd");
    gr_actor *self = c.n->self[NODE];
    while (gr_node_list(self, NULL, 0) < 2) {
        sched_yield();
    }
    gr_peer_stats s = stats_of(self, stranger_node(&c));
    assert_true(s.rtt_ns > 0);
    for (int i = 0; i < SOME; i++) {
        (void)stats_of(self, stranger_node(&c));
    }
    /* Behind all of them. */
    assert_int_equal(gr_stop(self, (gr_pid){stranger_node(&c).id, 5}), 0);
    while ((n = stranger_hear(&c.s)) > 0 && c.s.in[4] != GRI_FRAME_STOP) {
        pings += c.s.in[4] == GRI_FRAME_PING;
        stranger_drop(&c.s, n);
    }
    assert_true(n > 0);
    assert_int_equal(pings, 1);

    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_PONG});
    while (is_rough(&c)) {
        sched_yield();
    }
    s = stats_of(self, stranger_node(&c));
    assert_int_equal(s.rtt_smooth_ns, s.rtt_ns);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void what_waits_and_what_was_refused_is_seen(void **state)
{
    static const char bytes[1000];
    scene c;
    uint64_t sent = 0;
    begin_with(&c, state, &(gr_node_opts){.outbox_max = 50000});
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "mean", SECRET);
    c.s.credit = 0;
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c.s), GRI_STEP_DONE);
    gr_actor *self = c.n->self[NODE];
    const gr_pid to = {stranger_node(&c).id, 5};
    while (gr_node_list(self, NULL, 0) < 2) {
        sched_yield();
    }

    gr_bytes payload = {bytes, sizeof bytes};
    while (gr_send(self, to, "m", payload) == 0) {
        sent++;
    }

    const gr_peer_stats s = stats_of(self, stranger_node(&c));
    assert_int_equal(s.messages_sent, sent);
    assert_int_equal(s.refused, 1);
    assert_true(s.queued >= 50000 && s.queued < 52000);
    assert_int_equal(s.credit, 0);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void waiting_senders_are_counted(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_node(n, 0, "a");
    start_node(n, 1, "b");
    const gr_node b = join(n, 0, 1);
    gri_peer *peer = gri_net_find(gri_route_net(n->sys[0]), b.id);
    (void)pthread_mutex_lock(&peer->lock);
    assert_true(gri_slowed_wait(&peer->slowed.for_room, 7));
    assert_true(gri_slowed_wait(&peer->slowed.for_there, 8));
    (void)pthread_mutex_unlock(&peer->lock);

    assert_int_equal(stats_of(self, b).senders_waiting, 2);
}

/* ---- causes -------------------------------------------------------------- */

static void each_cause_has_its_own_count(void **state)
{
    static gri_causes causes;
    char same[] = "late";
    (void)state;
    assert_int_equal(gri_causes_add(&causes, NULL, "late"), 1);
    assert_int_equal(gri_causes_add(&causes, NULL, "mute"), 1);
    assert_int_equal(gri_causes_add(&causes, "a link", "late"), 1);
    assert_int_equal(gri_causes_add(&causes, "a stop", "late"), 1);
    assert_int_equal(gri_causes_add(&causes, NULL, same), 2);
    assert_int_equal(gri_causes_add(&causes, "a link", same), 2);
    assert_int_equal(causes.count, 4);
}

static void causes_without_a_place_are_counted_together(void **state)
{
    static gri_causes causes;
    static char texts[GRI_CAUSES_MAX + 2][8];
    (void)state;
    for (unsigned i = 0; i < GRI_CAUSES_MAX + 2; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%u", i);
        const uint64_t n = gri_causes_add(&causes, NULL, texts[i]);
        assert_int_equal(n, i < GRI_CAUSES_MAX ? 1 : i - GRI_CAUSES_MAX + 2);
    }
    assert_int_equal(causes.count, GRI_CAUSES_MAX);
    assert_int_equal(gri_causes_add(&causes, NULL, texts[0]), 2);
}

/* ---- the node ------------------------------------------------------------ */

static void faults_are_counted_by_what_they_were(void **state)
{
    scene c;
    begin(&c, state);
    gr_net_stats t = totals_of(c.n, NODE);
    while (t.connected == 0) { /* the dialer may know it before */
        sched_yield();
        t = totals_of(c.n, NODE);
    }
    assert_int_equal(t.nodes, 1);
    assert_int_equal(t.connected, 1);
    assert_int_equal(t.faults, 0);

    stranger_open(&c.s, port_of(&c));
    while (totals_of(c.n, NODE).handshakes == 0) {
        sched_yield();
    }
    stranger_say(&c.s, "GET / HTTP/1.1\r\n\r\n", 18);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "liar", "not the secret of these tests");
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c.s), GR_EDENIED);
    stranger_close(&c.s);
    stranger_join(&c.s, port_of(&c), "odd");
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_BYE_ACK});
    stranger_await_end(&c.s);
    stranger_close(&c.s);

    while (totals_of(c.n, NODE).faults < 3) {
        sched_yield();
    }
    t = totals_of(c.n, NODE);
    assert_int_equal(t.malformed, 2);
    assert_int_equal(t.denied, 1);
    assert_int_equal(t.late, 0);
    assert_int_equal(t.excessive, 0);
    assert_int_equal(t.refused, 2);
    assert_int_equal(t.connected, 2);
    assert_int_equal(t.lost, 1);
    while (totals_of(c.n, NODE).handshakes > 0) {
        sched_yield();
    }
    assert_int_equal(totals_of(c.n, NODE).nodes, 1);
    assert_unharmed(&c);
}

static void a_goodbye_is_no_loss(void **state)
{
    nodes *n = *state;
    gr_actor *a = start_node(n, 0, "a");
    start_node(n, 1, "b");
    const gr_node b = join(n, 0, 1);
    gr_peer_stats s;

    assert_int_equal(gr_node_disconnect(a, b), 0);

    assert_int_equal(gr_node_stats(a, b, &s), GR_ENOCONN);
    assert_int_equal(gr_node_list(a, NULL, 0), 0);
    while (totals_of(n, 1).nodes > 0) {
        sched_yield();
    }
    assert_int_equal(totals_of(n, 0).lost, 0);
    assert_int_equal(totals_of(n, 1).lost, 0);
    assert_int_equal(totals_of(n, 0).connected, 1);
}

static void nodes_can_be_listed(void **state)
{
    nodes *n = *state;
    gr_node list[3] = {{0}, {0}, {0}};
    gr_actor *a = start_node(n, 0, "a");
    start_node(n, 1, "b");
    start_node(n, 2, "c");
    const gr_node b = join(n, 0, 1);
    const gr_node c = join(n, 0, 2);

    assert_int_equal(gr_node_list(a, list, 1), 2);
    assert_true(list[0].id == b.id || list[0].id == c.id);
    assert_int_equal(list[1].id, 0);
    assert_int_equal(gr_node_list(a, list, 3), 2);
    assert_int_equal(list[0].id ^ list[1].id, b.id ^ c.id);
    assert_int_equal(list[2].id, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pong_measures_the_first_open_ping),
        cmocka_unit_test(a_pong_without_a_ping_measures_nothing),
        cmocka_unit_test(each_cause_has_its_own_count),
        cmocka_unit_test(causes_without_a_place_are_counted_together),
        cmocka_unit_test(each_measurement_counts_an_eighth),
        cmocka_unit_test(the_first_pong_replaces_the_handshake),
        cmocka_unit_test(only_old_or_rough_ones_are_stale),
        ON_BOTH(both_ends_count_the_same),
        ON_IPC(only_connected_nodes_have_any),
        ON_IPC(to_ask_costs_one_ping_at_a_time),
        ON_IPC(what_waits_and_what_was_refused_is_seen),
        ON_IPC(waiting_senders_are_counted),
        ON_IPC(faults_are_counted_by_what_they_were),
        ON_IPC(a_goodbye_is_no_loss),
        ON_IPC(nodes_can_be_listed),
    };
    return cmocka_run_group_tests_name("transport/stats", tests, NULL, NULL);
}
