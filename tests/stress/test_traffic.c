/*
 * Goal:   whatever the pattern of traffic, each message arrives once, in its
 *         sender's order, and all that was sent is accounted for.
 * Method: pairs, a ring, all to one with bounds and slow-down, all to all, on
 *         more workers than there are cores. Every message carries its sender's
 *         own count, which the receiver compares with its own.
 */
#include "tests/stress/stress.h"

enum { ERROR_ORDER = GR_EUSER - 1 };

/* ---- pairs ---- */

enum { PAIRS = 8, TRIPS = 5000 };

typedef struct player {
    uint64_t next;
    gr_pid owner;
} player;

static int player_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    player *p = state;
    gr_pid other;
    uint64_t n;
    if (gr_match(msg, "play", &p->owner, &other)) {
        return gr_send(self, other, "ball", UINT64_C(0));
    }
    if (!gr_match(msg, "ball", &n)) {
        return gr_unhandled(self, msg);
    }
    if (n / 2 != p->next++) {
        return ERROR_ORDER;
    }
    return n + 1 == 2 * (uint64_t)TRIPS
               ? gr_send(self, p->owner, "done")
               : gr_send(self, gr_sender(msg), "ball", n + 1);
}

static const gr_behavior player_behavior = {
    .name = "player", .state_size = sizeof(player), .receive = player_receive};

static gr_pid start(stress *s, const gr_behavior *b)
{
    gr_pid pid;
    assert_int_equal(gr_spawn(s->self, b, &(gr_spawn_opts){.link = true}, &pid),
                     0);
    return pid;
}

/* An exit of one that failed is no "done". */
static void await_done(stress *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_true(gr_match(stress_next(s), "done"));
    }
}

static void pairs_play_without_a_loss(void **state)
{
    (void)state;
    stress s;
    gr_stats stats;
    stress_start(&s, NULL);
    for (unsigned i = 0; i < PAIRS; i++) {
        gr_pid a = start(&s, &player_behavior);
        gr_pid b = start(&s, &player_behavior);
        /* The last ball has an odd number: it comes back to who served. */
        assert_int_equal(gr_send(s.self, a, "play", gr_self(s.self), b), 0);
    }
    await_done(&s, PAIRS);
    stress_settle(&s, UINT64_C(2) * PAIRS, &stats);
    assert_int_equal(stats.handled, PAIRS * (2 * TRIPS + 2));
    assert_int_equal(stats.dead_letters, 0);
    stress_stop(&s);
}

/* ---- a ring ---- */

enum { RING = 100, TOKENS = 4, HOPS = 20000 };

typedef struct member {
    gr_pid next, owner;
} member;

static int member_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    member *m = state;
    uint64_t hops;
    if (gr_match(msg, "next", &m->next, &m->owner)) {
        return 0;
    }
    if (!gr_match(msg, "token", &hops)) {
        return gr_unhandled(self, msg);
    }
    return hops == 0 ? gr_send(self, m->owner, "done")
                     : gr_send(self, m->next, "token", hops - 1);
}

static const gr_behavior member_behavior = {
    .name = "member", .state_size = sizeof(member), .receive = member_receive};

static void tokens_go_round_a_ring(void **state)
{
    (void)state;
    stress s;
    gr_stats stats;
    gr_pid ring[RING];
    stress_start(&s, NULL);
    for (unsigned i = 0; i < RING; i++) {
        ring[i] = start(&s, &member_behavior);
    }
    for (unsigned i = 0; i < RING; i++) {
        assert_int_equal(gr_send(s.self, ring[i], "next", ring[(i + 1) % RING],
                                 gr_self(s.self)),
                         0);
    }
    for (unsigned i = 0; i < TOKENS; i++) {
        assert_int_equal(
            gr_send(s.self, ring[(size_t)i * 25], "token", (uint64_t)HOPS), 0);
    }
    await_done(&s, TOKENS);
    stress_settle(&s, RING, &stats);
    assert_int_equal(stats.handled, RING + TOKENS * (HOPS + 2));
    stress_stop(&s);
}

/* ---- many to one, and all to all ---- */

enum { PEERS = 12, LETTERS = 20000, BATCH = 50 };

/* Sends LETTERS to its peers in turn, and checks what they send to it. */
typedef struct peer {
    gr_pid to[PEERS];
    uint64_t sent[PEERS], expected[PEERS];
    uint64_t me, n_to, next, received, last, refused;
    gr_pid owner;
    bool told;
} peer;

static int tell_when_complete(gr_actor *self, peer *p)
{
    /* Letters may come before our own "go". */
    if (gr_pid_is_nobody(p->owner) || p->told ||
        p->next < (p->n_to > 0 ? (uint64_t)LETTERS : 0) ||
        p->received < p->last) {
        return 0;
    }
    p->told = true;
    return gr_send(self, p->owner, "done");
}

static int send_batch(gr_actor *self, peer *p)
{
    for (unsigned i = 0; i < BATCH && p->next < LETTERS; i++) {
        uint64_t whom = p->next % p->n_to;
        int rc = gr_send(self, p->to[whom], "letter", p->me, p->sent[whom]);
        if (rc == GR_EAGAIN) {
            p->refused++;
            break; /* the same one again, later */
        }
        GR_TRY(rc);
        p->sent[whom]++;
        p->next++;
    }
    return p->next < LETTERS ? gr_send(self, gr_self(self), "more")
                             : tell_when_complete(self, p);
}

static int peer_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    peer *p = state;
    gr_pid pid;
    uint64_t from, number;
    if (gr_match(msg, "letter", &from, &number)) {
        p->received++;
        return from >= PEERS || p->expected[from]++ != number
                   ? ERROR_ORDER
                   : tell_when_complete(self, p);
    }
    if (gr_match(msg, "to", &pid)) {
        p->to[p->n_to++] = pid;
        return 0;
    }
    if (gr_match(msg, "go", &p->me, &p->last)) {
        p->owner = gr_sender(msg);
        return p->n_to > 0 ? send_batch(self, p) : tell_when_complete(self, p);
    }
    return gr_match(msg, "more") ? send_batch(self, p)
                                 : gr_unhandled(self, msg);
}

static const gr_behavior peer_behavior = {
    .name = "peer", .state_size = sizeof(peer), .receive = peer_receive};

static void run_to_one(uint32_t soft, uint32_t hard, gr_stats *stats)
{
    stress s;
    gr_pid senders[PEERS];
    gr_pid sink;
    stress_start(&s, NULL);
    assert_int_equal(
        gr_spawn(s.self, &peer_behavior,
                 &(gr_spawn_opts){.link = true,
                                  .mailbox = {.soft = soft, .hard = hard}},
                 &sink),
        0);
    assert_int_equal(
        gr_send(s.self, sink, "go", (uint64_t)0, (uint64_t)PEERS * LETTERS), 0);
    for (unsigned i = 0; i < PEERS; i++) {
        senders[i] = start(&s, &peer_behavior);
        assert_int_equal(gr_send(s.self, senders[i], "to", sink), 0);
        assert_int_equal(
            gr_send(s.self, senders[i], "go", (uint64_t)i, (uint64_t)0), 0);
    }
    await_done(&s, PEERS + 1);
    stress_settle(&s, PEERS + 1, stats);
    assert_int_equal(stats->dead_letters, 0);
    assert_int_equal(stats->dropped, 0);
    stress_stop(&s);
}

static void many_to_one_slows_down_and_loses_nothing(void **state)
{
    (void)state;
    gr_stats stats;
    run_to_one(100, 1000000, &stats);
    assert_true(stats.slowed > 0);
    assert_int_equal(stats.refused, 0);
}

static void many_to_one_over_a_hard_bound_is_refused_not_lost(void **state)
{
    (void)state;
    gr_stats stats;
    run_to_one(200, 200, &stats); /* the soft bound never comes first */
    assert_int_equal(stats.slowed, 0);
}

static void all_to_all_with_small_mailboxes_goes_on(void **state)
{
    (void)state;
    stress s;
    gr_stats stats;
    gr_pid peers[PEERS];
    stress_start(
        &s, &(gr_system_opts){.log_level = GR_LOG_ERROR, .mailbox_soft = 20});
    for (unsigned i = 0; i < PEERS; i++) {
        peers[i] = start(&s, &peer_behavior);
    }
    for (unsigned i = 0; i < PEERS; i++) {
        /* LETTERS is spread over the others: how many come in is known. */
        uint64_t in = 0;
        for (unsigned k = 1; k < PEERS; k++) {
            assert_int_equal(
                gr_send(s.self, peers[i], "to", peers[(i + k) % PEERS]), 0);
            in += LETTERS / (PEERS - 1);
            in += k - 1 < LETTERS % (PEERS - 1);
        }
        assert_int_equal(gr_send(s.self, peers[i], "go", (uint64_t)i, in), 0);
    }
    await_done(&s, PEERS);
    stress_settle(&s, PEERS, &stats);
    assert_int_equal(stats.dead_letters, 0);
    stress_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_play_without_a_loss),
        cmocka_unit_test(tokens_go_round_a_ring),
        cmocka_unit_test(many_to_one_slows_down_and_loses_nothing),
        cmocka_unit_test(many_to_one_over_a_hard_bound_is_refused_not_lost),
        cmocka_unit_test(all_to_all_with_small_mailboxes_goes_on),
    };
    return cmocka_run_group_tests_name("stress/traffic", tests, NULL, NULL);
}
