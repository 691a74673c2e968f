/*
 * Goal:   whatever comes to a node's port, the node goes on serving a good
 *         peer, delivers nothing unproven, and cuts who breaks a rule.
 * Method: a node, a good peer of it, and a client on a plain socket. After each
 *         attack the good peer is served over the connection that it had
 *         before; waits are for the node's hanging up or for messages.
 */
#include "tests/transport/scene.h"

static void say_and_be_cut(scene *c, const void *p, size_t n)
{
    stranger_open(&c->s, port_of(c));
    stranger_say(&c->s, p, n);
    stranger_await_end(&c->s);
    stranger_close(&c->s);
}

/* ---- before the proof ---------------------------------------------------- */

static void garbage_is_cut(void **state)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1};
    static const uint8_t empty[] = {0, 0, 0, 0};
    static const uint8_t long_hello[] = {0, 0, 2, 0, 1, 'G'}; /* 513 bytes */
    static const uint8_t wrong_type[] = {0, 0, 0, 2, 16, 0};
    static uint8_t noise[4096];
    scene c;
    begin(&c, state);
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)(i * 2654435761u >> 24);
    }

    say_and_be_cut(&c, http, sizeof http - 1);
    say_and_be_cut(&c, huge, sizeof huge);
    say_and_be_cut(&c, empty, sizeof empty);
    say_and_be_cut(&c, long_hello, sizeof long_hello);
    say_and_be_cut(&c, wrong_type, sizeof wrong_type);
    say_and_be_cut(&c, noise, sizeof noise);

    assert_unharmed(&c);
}

static void messages_without_a_proof_are_not_delivered(void **state)
{
    static const uint8_t payload[] = {0x91, 0xa4, 'p', 'i', 'n', 'g'};
    scene c;
    gr_stats before, after;
    begin(&c, state);
    assert_unharmed(&c);
    gr_system_stats(c.n->sys[NODE], &before);
    const gri_frame f = {.type = GRI_FRAME_SEND,
                         .to = c.server.id,
                         .payload = payload,
                         .len = sizeof payload};
    /* before the hello */
    stranger_open(&c.s, port_of(&c));
    stranger_frame(&c.s, &f);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    /* and between hello and proof */
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "mallory", SECRET);
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    stranger_frame(&c.s, &f);
    stranger_await_end(&c.s);
    stranger_close(&c.s);

    assert_unharmed(&c);
    gr_system_stats(c.n->sys[NODE], &after);
    assert_int_equal(after.dead_letters, before.dead_letters);
}

static void wrong_secret_is_refused(void **state)
{
    scene c;
    begin(&c, state);
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "mallory", "not the secret at all");
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c.s), GR_EDENIED);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void replayed_proof_is_refused(void **state)
{
    scene c;
    gri_note hello, proof;
    begin(&c, state);
    /* What an eavesdropper has recorded of a good connection. */
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "alice", SECRET);
    gri_handshake_open(&c.s.hs, &hello);
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    gri_handshake copy = c.s.hs;
    gri_handshake_prove(&copy, &proof);
    assert_int_equal(stranger_prove(&c.s), GRI_STEP_DONE);
    stranger_close(&c.s);
    /* Played back. */
    stranger_open(&c.s, port_of(&c));
    stranger_note(&c.s, &hello);
    size_t n = stranger_hear(&c.s);
    assert_true(n > 0);
    assert_int_equal(c.s.in[4], GRI_FRAME_HELLO);
    stranger_drop(&c.s, n);
    stranger_note(&c.s, &proof);
    assert_true(stranger_await(&c.s, GRI_FRAME_REFUSE));
    assert_int_equal(c.s.in[5], GRI_REFUSE_SECRET);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void reflected_proof_is_refused(void **state)
{
    scene c;
    begin(&c, state);
    /* The node's own hello, sent back to it. */
    stranger other;
    stranger_open(&other, port_of(&c));
    stranger_start(&other, "mallory", "no idea of any secret");
    assert_int_equal(stranger_hello(&other), GRI_STEP_NAMED);
    gri_note reflected = other.hs.theirs;
    stranger_open(&c.s, port_of(&c));
    stranger_note(&c.s, &reflected);
    stranger_await_end(&c.s); /* the role is wrong */
    stranger_close(&c.s);
    reflected.bytes[GRI_FRAME_HEAD + 12] = GRI_DIALER;
    stranger_open(&c.s, port_of(&c));
    stranger_note(&c.s, &reflected);
    assert_true(stranger_await(&c.s, GRI_FRAME_REFUSE));
    assert_int_equal(c.s.in[5], GRI_REFUSE_ITSELF);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    stranger_close(&other);
    assert_unharmed(&c);
}

/* As a node that has certificates only; and as one that hides that. */
static void who_has_no_secret_is_refused(void **state)
{
    scene c;
    begin(&c, state);
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "mallory", SECRET);
    memset(c.s.hs.key, 0, sizeof c.s.hs.key);
    c.s.hs.self.features = GRI_FEATURE_NO_SECRET;
    assert_int_equal(stranger_hello(&c.s), GR_EDENIED);
    stranger_await_end(&c.s);
    stranger_close(&c.s);

    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "mallory", SECRET);
    memset(c.s.hs.key, 0, sizeof c.s.hs.key);
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c.s), GR_EDENIED);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

/* Not the common secret for a name that is listed, nor a listed one's for
 * another. */
static void names_are_taken_by_their_secrets_alone(void **state)
{
    static const struct {
        const char *name, *secret;
        int step;
    } rows[] = {{"alice", SECRET, GR_EDENIED},
                {"mallory", "the secret of alice", GR_EDENIED},
                {"alice", "not a secret at all", GR_EDENIED},
                {"alice", "the secret of alice", GRI_STEP_DONE}};
    const gr_peer_opts peers[] = {
        {.name = "alice", .secret = bytes_of("the secret of alice")},
        {.name = NULL}};
    scene c;
    begin_with(&c, state, &(gr_node_opts){.peers = peers});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stranger_open(&c.s, port_of(&c));
        stranger_start(&c.s, rows[i].name, rows[i].secret);
        assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
        assert_int_equal(stranger_prove(&c.s), rows[i].step);
        if (rows[i].step < 0) {
            stranger_await_end(&c.s);
        }
        stranger_close(&c.s);
    }
    assert_unharmed(&c);
}

static void other_version_is_refused(void **state)
{
    scene c;
    gri_note hello;
    begin(&c, state);
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "future", SECRET);
    gri_handshake_open(&c.s.hs, &hello);
    hello.bytes[GRI_FRAME_HEAD + 9] = 200;
    hello.bytes[GRI_FRAME_HEAD + 11] = 200;
    stranger_note(&c.s, &hello);
    assert_true(stranger_await(&c.s, GRI_FRAME_REFUSE));
    assert_int_equal(c.s.in[5], GRI_REFUSE_VERSION);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void crowd_of_strangers_keeps_nobody_out(void **state)
{
    enum { CROWD = 200 };
    static stranger crowd[CROWD];
    scene c;
    gr_node node;
    begin(&c, state);
    for (int i = 0; i < CROWD; i++) { /* silent, and half a hello */
        stranger_open(&crowd[i], port_of(&c));
        if (i % 2 == 0) {
            stranger_say(&crowd[i], "\0\0\0\x60\x01GRN", 8);
        }
    }

    start_node(c.n, 2, "late");
    assert_int_equal(gr_node_connect(c.n->self[2], port_of(&c), LONG_MS, &node),
                     0);
    assert_unharmed(&c);
    /* The first were cut to make room. */
    for (int i = 0; i < CROWD / 2; i++) {
        stranger_await_end(&crowd[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        stranger_close(&crowd[i]);
    }
    assert_unharmed(&c);
}

static void coming_and_going_does_no_harm(void **state)
{
    scene c;
    begin(&c, state);
    for (int i = 0; i < 200; i++) {
        stranger_open(&c.s, port_of(&c));
        if (i % 3 == 0) { /* a reset instead of a goodbye */
            const struct linger l = {1, 0};
            (void)setsockopt(c.s.fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
        }
        if (i % 2 == 0) {
            stranger_say(&c.s, "x", 1);
        }
        stranger_close(&c.s);
    }
    assert_unharmed(&c);
}

/* ---- after the proof ----------------------------------------------------- */

/* A peer that is proven, and then breaks a rule: cut, and the others are told
 * that it broke the protocol. */
static void break_rule(scene *c, const void *p, size_t n)
{
    gr_actor *self = c->n->self[NODE];
    stranger_join(&c->s, port_of(c), "mallory");
    assert_int_equal(expect_node(self, "mallory", true), 0);
    stranger_say(&c->s, p, n);
    stranger_await_end(&c->s);
    assert_int_equal(expect_node(self, "mallory", false), GR_EFORMAT);
    stranger_close(&c->s);
    assert_unharmed(c);
}

static void break_rule_by(scene *c, const gri_frame *f)
{
    uint8_t bytes[8192];
    size_t n = gri_frame_write(bytes, f);
    if (f->len > 0) {
        memcpy(bytes + n, f->payload, f->len);
    }
    break_rule(c, bytes, n + f->len);
}

static void proven_peers_that_break_rules_are_cut(void **state)
{
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 16};
    static const uint8_t empty[] = {0, 0, 0, 0};
    static const uint8_t unknown[] = {0, 0, 0, 1, 99};
    static const uint8_t short_send[] = {0, 0, 0, 3, 16, 1, 2};
    static const uint8_t hello[] = {0, 0, 0, 1, GRI_FRAME_HELLO};
    static const uint8_t bye_ack[] = {0, 0, 0, 1, GRI_FRAME_BYE_ACK};
    static uint8_t deep[4000];
    static const uint8_t bomb[] = {0xdd, 0xff, 0xff, 0xff, 0xff};
    scene c;
    begin(&c, state);
    assert_int_equal(gr_watch_nodes(c.n->self[NODE], true), 0);
    assert_int_equal(expect_node(c.n->self[NODE], "good", true), 0);
    memset(deep, 0x91, sizeof deep);

    break_rule(&c, huge, sizeof huge);
    break_rule(&c, empty, sizeof empty);
    break_rule(&c, unknown, sizeof unknown);
    break_rule(&c, short_send, sizeof short_send);
    break_rule(&c, hello, sizeof hello);
    break_rule(&c, bye_ack, sizeof bye_ack);
    break_rule_by(&c, &(gri_frame){.type = GRI_FRAME_SEND,
                                   .to = c.server.id,
                                   .payload = deep,
                                   .len = sizeof deep});
    break_rule_by(&c, &(gri_frame){.type = GRI_FRAME_SEND,
                                   .to = c.server.id,
                                   .payload = bomb,
                                   .len = sizeof bomb});
    break_rule_by(&c, &(gri_frame){.type = GRI_FRAME_SEND, .to = c.server.id});
    break_rule_by(&c, &(gri_frame){.type = GRI_FRAME_STOP});
}

/* A second monitor by the number of one that is open: whose end would it be? */
static void monitor_by_a_number_in_use_is_cut(void **state)
{
    scene c;
    uint8_t bytes[2 * GRI_FRAME_FIXED_MAX];
    begin(&c, state);
    assert_int_equal(gr_watch_nodes(c.n->self[NODE], true), 0);
    assert_int_equal(expect_node(c.n->self[NODE], "good", true), 0);
    gri_frame f = {
        .type = GRI_FRAME_MONITOR, .to = c.server.id, .from = 5, .ref = 7};
    size_t n = gri_frame_write(bytes, &f);
    f.to = gr_self(c.n->self[NODE]).id;
    n += gri_frame_write(bytes + n, &f);
    break_rule(&c, bytes, n);

    /* Once it has ended it may be used again: of a dead actor at once. */
    stranger_join(&c.s, port_of(&c), "correct");
    assert_int_equal(expect_node(c.n->self[NODE], "correct", true), 0);
    f.to = 0x100000999;
    for (int i = 0; i < 2; i++) {
        stranger_frame(&c.s, &f);
        assert_true(stranger_await(&c.s, GRI_FRAME_DOWN));
        stranger_drop(&c.s, stranger_hear(&c.s));
    }
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void frame_over_the_limit_is_cut_at_its_length_word(void **state)
{
    scene c;
    begin(&c, state);
    assert_int_equal(gr_watch_nodes(c.n->self[NODE], true), 0);
    assert_int_equal(expect_node(c.n->self[NODE], "good", true), 0);
    uint32_t limit = GR_MESSAGE_MAX_DEFAULT + GRI_FRAME_EXTRA;
    uint8_t head[] = {0, 0, 0, 0, GRI_FRAME_SEND};
    head[0] = (uint8_t)((limit - 3) >> 24);
    head[1] = (uint8_t)((limit - 3) >> 16);
    head[2] = (uint8_t)((limit - 3) >> 8);
    head[3] = (uint8_t)(limit - 3);
    break_rule(&c, head, sizeof head);
}

static void answers_to_nothing_are_dropped(void **state)
{
    static const uint8_t payload[] = {0x91, 0xa4, 'p', 'o', 'n', 'g'};
    static const uint8_t ping[] = {0x91, 0xa4, 'p', 'i', 'n', 'g'};
    scene c;
    begin(&c, state);
    stranger_join(&c.s, port_of(&c), "mallory");
    const uint64_t victim = gr_self(c.n->self[NODE]).id;
    for (uint64_t ref = 0; ref < 1000; ref++) {
        stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_REPLY,
                                          .to = victim,
                                          .ref = ref,
                                          .payload = payload,
                                          .len = sizeof payload});
        stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_DOWN,
                                          .to = victim,
                                          .from = c.server.id,
                                          .ref = ref});
        stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_EXIT,
                                          .to = victim,
                                          .from = 77,
                                          .why = {GR_EXIT_KILLED, 0, ""}});
    }
    /* It is not cut: answers may be late. And it is still served. */
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_ASK,
                                      .to = c.server.id,
                                      .from = 77,
                                      .ref = 5,
                                      .payload = ping,
                                      .len = sizeof ping});
    assert_true(stranger_await(&c.s, GRI_FRAME_REPLY));
    const gr_msg *msg;
    assert_int_equal(gr_receive(c.n->self[NODE], 0, &msg), GR_ETIMEOUT);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void frames_for_the_dead_are_answered(void **state)
{
    static const uint8_t ping[] = {0x91, 0xa4, 'p', 'i', 'n', 'g'};
    scene c;
    gri_frame f;
    const char *fault = NULL;
    begin(&c, state);
    stranger_join(&c.s, port_of(&c), "mallory");
    const uint64_t dead = UINT64_C(0xfffffffffffffffe);

    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_ASK,
                                      .to = dead,
                                      .from = 77,
                                      .ref = 5,
                                      .payload = ping,
                                      .len = sizeof ping});
    assert_true(stranger_await(&c.s, GRI_FRAME_REPLY));
    assert_int_equal(gri_frame_read(c.s.in, stranger_hear(&c.s), &f, &fault),
                     0);
    assert_int_equal(f.status, GR_ENOPROC);
    stranger_frame(
        &c.s, &(gri_frame){
                  .type = GRI_FRAME_MONITOR, .to = dead, .from = 77, .ref = 6});
    assert_true(stranger_await(&c.s, GRI_FRAME_DOWN));
    assert_int_equal(gri_frame_read(c.s.in, stranger_hear(&c.s), &f, &fault),
                     0);
    assert_int_equal(f.why.kind, GR_EXIT_NOPROC);
    stranger_frame(
        &c.s, &(gri_frame){.type = GRI_FRAME_LINK, .to = dead, .from = 77});
    assert_true(stranger_await(&c.s, GRI_FRAME_EXIT));
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void frame_cut_anywhere_waits_for_its_rest(void **state)
{
    static const uint8_t ping[] = {0x91, 0xa4, 'p', 'i', 'n', 'g'};
    scene c;
    begin(&c, state);
    stranger_join(&c.s, port_of(&c), "slow");
    uint8_t bytes[256];
    const gri_frame f = {.type = GRI_FRAME_ASK,
                         .to = c.server.id,
                         .from = 77,
                         .ref = 5,
                         .payload = ping,
                         .len = sizeof ping};
    size_t n = gri_frame_write(bytes, &f);
    memcpy(bytes + n, ping, sizeof ping);
    n += sizeof ping;

    for (size_t cut = 1; cut < n; cut++) {
        stranger_say(&c.s, bytes, cut);
        /* What came before was read alone if the node was quick; a round trip
         * of the good peer gives it the time. */
        assert_unharmed(&c);
        stranger_say(&c.s, bytes + cut, n - cut);
        assert_true(stranger_await(&c.s, GRI_FRAME_REPLY));
        stranger_drop(&c.s, stranger_hear(&c.s));
    }
    stranger_close(&c.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(garbage_is_cut),
        ON_BOTH(messages_without_a_proof_are_not_delivered),
        ON_BOTH(wrong_secret_is_refused),
        ON_BOTH(replayed_proof_is_refused),
        ON_BOTH(reflected_proof_is_refused),
        ON_BOTH(who_has_no_secret_is_refused),
        ON_BOTH(names_are_taken_by_their_secrets_alone),
        ON_BOTH(other_version_is_refused),
        ON_BOTH(crowd_of_strangers_keeps_nobody_out),
        ON_BOTH(coming_and_going_does_no_harm),
        ON_BOTH(proven_peers_that_break_rules_are_cut),
        ON_IPC(monitor_by_a_number_in_use_is_cut),
        ON_BOTH(frame_over_the_limit_is_cut_at_its_length_word),
        ON_BOTH(answers_to_nothing_are_dropped),
        ON_BOTH(frames_for_the_dead_are_answered),
        ON_BOTH(frame_cut_anywhere_waits_for_its_rest),
    };
    return cmocka_run_group_tests_name("transport/hostile", tests, NULL, NULL);
}
