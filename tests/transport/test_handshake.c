/*
 * Goal:   two nodes with the same secret believe each other, and each way in
 *         which it can go wrong has its own error on both sides; a proof is
 *         worth nothing in another connection or the other direction.
 * Method: two state machines and the frames between them, whole, bent, cut,
 *         recorded and played back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include "transport/frame.h"
#include "transport/handshake.h"

enum {
    VERSION_AT = GRI_FRAME_HEAD + 8,
    ROLE_AT = VERSION_AT + 4,
    NAME_LEN_AT = ROLE_AT + 1,
    NODE_AT = NAME_LEN_AT + 1
};

static const gri_identity alice = {
    .node = UINT64_C(0xa11ce00000000001), .frame_max = 1000, .name = "alice"};
static const gri_identity bob = {.node = UINT64_C(0xb0b0000000000002),
                                 .features = 24, /* none that there is */
                                 .frame_max = 2000,
                                 .silence_ms = 500,
                                 .name = "bob"};

typedef struct pair {
    gri_handshake dialer, listener;
    gri_note d, l; /* the last frame of each */
    const char *d_fault, *l_fault;
} pair;

static void start(gri_handshake *hs, gri_role role, const gri_identity *who,
                  const char *secret, uint8_t nonce)
{
    uint8_t key[GRI_KEY_BYTES], fresh[GRI_NONCE_BYTES];
    gri_handshake_key(key, (gr_bytes){secret, (uint32_t)strlen(secret)});
    memset(fresh, nonce, sizeof fresh);
    gri_handshake_init(hs, role, who, key, fresh);
}

static void begin(pair *p, const char *d_secret, const char *l_secret)
{
    memset(p, 0, sizeof *p);
    start(&p->dialer, GRI_DIALER, &alice, d_secret, 1);
    start(&p->listener, GRI_LISTENER, &bob, l_secret, 2);
    gri_handshake_open(&p->dialer, &p->d);
}

static int to_listener(pair *p)
{
    gri_note in = p->d;
    return gri_handshake_read(&p->listener, in.bytes, in.len, &p->l,
                              &p->l_fault);
}

static int to_dialer(pair *p)
{
    gri_note in = p->l;
    return gri_handshake_read(&p->dialer, in.bytes, in.len, &p->d, &p->d_fault);
}

static void same_secret_makes_both_believe(void **state)
{
    (void)state;
    pair p;
    begin(&p, "sixteen bytes ok", "sixteen bytes ok");

    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    assert_string_equal(p.dialer.other.name, "bob");
    assert_int_equal(p.dialer.other.node, bob.node);
    assert_int_equal(p.dialer.other.features, 24);
    assert_int_equal(p.dialer.other.frame_max, 2000);
    assert_int_equal(p.dialer.other.silence_ms, 500);
    assert_int_equal(p.dialer.version, GRI_PROTOCOL);
    gri_handshake_prove(&p.dialer, &p.d);
    assert_int_equal(to_listener(&p), GRI_STEP_PROVEN);
    assert_string_equal(p.listener.other.name, "alice");
    assert_int_equal(p.listener.other.frame_max, 1000);
    gri_handshake_welcome(&p.listener, &p.l);
    assert_int_equal(to_dialer(&p), GRI_STEP_DONE);

    assert_int_equal(p.dialer.state, GRI_EXPECTS_NOTHING);
    assert_int_equal(p.listener.state, GRI_EXPECTS_NOTHING);
}

static void every_frame_is_within_the_limit(void **state)
{
    (void)state;
    gri_identity longest = alice;
    gri_handshake hs;
    gri_note note;
    memset(longest.name, 'n', GR_NODE_NAME_MAX);
    start(&hs, GRI_DIALER, &longest, "secret", 1);

    gri_handshake_open(&hs, &note);

    assert_true(note.len <= GRI_HANDSHAKE_MAX / 2);
}

static void wrong_secret_of_the_dialer_is_denied_on_both_sides(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the wrong secret", "the right secret");
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);

    assert_int_equal(to_listener(&p), GR_EDENIED);
    assert_string_equal(p.l_fault, "the secrets differ");
    assert_int_equal(to_dialer(&p), GR_EDENIED);
    assert_string_equal(p.d_fault, "refused: the secrets differ");
}

static void listener_that_only_pretends_is_denied(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the right secret", "the wrong secret");
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);
    /* An impostor does not look at the proof, and welcomes. */
    p.listener.state = GRI_EXPECTS_DECISION;
    gri_handshake_welcome(&p.listener, &p.l);

    assert_int_equal(to_dialer(&p), GR_EDENIED);
    assert_int_equal(p.d.len, GRI_FRAME_HEAD + 1); /* and says so */
    assert_int_equal(p.d.bytes[4], GRI_FRAME_REFUSE);
}

static void every_bit_of_a_proof_matters(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < GRI_PROOF_BYTES * 8; bit++) {
        pair p;
        begin(&p, "the same secret!", "the same secret!");
        assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
        assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
        gri_handshake_prove(&p.dialer, &p.d);
        p.d.bytes[GRI_FRAME_HEAD + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(to_listener(&p), GR_EDENIED);
    }
}

static void every_bit_of_both_hellos_is_proven(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the same secret!", "the same secret!");
    size_t bits = p.d.len * 8;
    for (size_t bit = 0; bit < bits; bit++) {
        /* Somebody between the two changes one bit of a hello. */
        for (int which = 0; which < 2; which++) {
            begin(&p, "the same secret!", "the same secret!");
            gri_note *hello = which == 0 ? &p.d : &p.l;
            int rc = which == 0 ? 0 : to_listener(&p);
            assert_int_equal(rc, 0);
            if (bit / 8 >= hello->len) {
                continue;
            }
            hello->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            rc = which == 0 ? to_listener(&p) : 0;
            if (rc == 0) {
                rc = to_dialer(&p);
            }
            if (rc == GRI_STEP_NAMED) {
                gri_handshake_prove(&p.dialer, &p.d);
                rc = to_listener(&p);
            }
            assert_true(rc < 0);
        }
    }
}

static void recorded_dialer_is_worth_nothing_later(void **state)
{
    (void)state;
    pair p, later;
    begin(&p, "the same secret!", "the same secret!");
    gri_note hello = p.d;
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);
    gri_note proof = p.d;
    assert_int_equal(to_listener(&p), GRI_STEP_PROVEN);

    /* The same listener in its next connection has another nonce. */
    begin(&later, "-", "the same secret!");
    start(&later.listener, GRI_LISTENER, &bob, "the same secret!", 3);
    later.d = hello;
    assert_int_equal(to_listener(&later), GRI_STEP_WAIT);
    later.d = proof;
    assert_int_equal(to_listener(&later), GR_EDENIED);
}

static void own_proof_does_not_come_back_as_the_others(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the same secret!", "-");
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);
    p.l = p.d; /* sent back as a welcome */
    p.l.bytes[4] = GRI_FRAME_WELCOME;

    assert_int_equal(to_dialer(&p), GR_EDENIED);
}

static void own_hello_does_not_come_back_as_the_others(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the same secret!", "-");
    p.l = p.d;
    assert_int_equal(to_dialer(&p), GR_EFORMAT); /* the role is wrong */

    begin(&p, "the same secret!", "-");
    p.l = p.d;
    p.l.bytes[ROLE_AT] = GRI_LISTENER;
    assert_int_equal(to_dialer(&p), GR_EEXIST); /* the node is this one */

    begin(&p, "the same secret!", "-");
    p.l = p.d;
    p.l.bytes[ROLE_AT] = GRI_LISTENER;
    p.l.bytes[NODE_AT] ^= 1;
    assert_int_equal(to_dialer(&p), GR_EDENIED); /* but the nonce is ours */
    assert_string_equal(p.d_fault, "our own nonce came back");
}

static void node_that_dials_itself_is_told_on_both_sides(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the same secret!", "the same secret!");
    start(&p.listener, GRI_LISTENER, &alice, "the same secret!", 2);

    assert_int_equal(to_listener(&p), GR_EEXIST);
    assert_int_equal(to_dialer(&p), GR_EEXIST);
    assert_string_equal(p.d_fault, "refused: that node is this one");
}

static void other_version_is_told_on_both_sides(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the same secret!", "the same secret!");
    p.d.bytes[VERSION_AT + 1] = 9;
    p.d.bytes[VERSION_AT + 3] = 9; /* and nothing older */

    assert_int_equal(to_listener(&p), GR_EVERSION);
    assert_int_equal(to_dialer(&p), GR_EVERSION);

    begin(&p, "the same secret!", "the same secret!");
    p.d.bytes[VERSION_AT + 1] = 0; /* too old for us */
    p.d.bytes[VERSION_AT + 3] = 0;
    assert_int_equal(to_listener(&p), GR_EVERSION);
}

static void later_version_may_append_to_its_hello(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the same secret!", "the same secret!");
    p.d.bytes[VERSION_AT + 1] = 7; /* speaks 1 to 7 */
    p.d.bytes[p.d.len++] = 0xee;
    p.d.bytes[3]++;

    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(p.listener.version, 1);
    assert_string_equal(p.listener.other.name, "alice");
    assert_int_equal(p.listener.theirs.len, p.dialer.ours.len + 1);
}

static void refusals_have_their_errors(void **state)
{
    (void)state;
    static const struct {
        gri_refusal why;
        int rc;
    } rows[] = {
        {GRI_REFUSE_VERSION, GR_EVERSION},      {GRI_REFUSE_SECRET, GR_EDENIED},
        {GRI_REFUSE_PARTED, GR_ESTOPPED},       {GRI_REFUSE_NAME, GR_EEXIST},
        {GRI_REFUSE_ITSELF, GR_EEXIST},         {GRI_REFUSE_FULL, GR_ELIMIT},
        {GRI_REFUSE_ALREADY, GRI_STEP_ALREADY}, {GRI_REFUSE_LATE, GR_ETIMEOUT},
        {GRI_REFUSE_STOPPING, GR_ENOCONN},      {(gri_refusal)99, GR_ENOCONN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pair p;
        begin(&p, "the same secret!", "the same secret!");
        assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
        assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
        gri_handshake_prove(&p.dialer, &p.d);
        assert_int_equal(to_listener(&p), GRI_STEP_PROVEN);
        gri_handshake_refuse(&p.listener, rows[i].why, &p.l);
        assert_int_equal(to_dialer(&p), rows[i].rc);
        assert_int_equal(p.dialer.state, GRI_EXPECTS_NOTHING);
        assert_int_equal(p.d.len, 0); /* no answer to a refusal */
    }
}

static void frames_out_of_turn_are_refused(void **state)
{
    (void)state;
    pair p;
    /* a proof before the hello, a welcome to a listener, a second hello */
    begin(&p, "the same secret!", "the same secret!");
    gri_note hello = p.d;
    p.d.bytes[4] = GRI_FRAME_PROOF;
    assert_int_equal(to_listener(&p), GR_EFORMAT);

    begin(&p, "the same secret!", "the same secret!");
    p.d.bytes[4] = GRI_FRAME_WELCOME;
    assert_int_equal(to_listener(&p), GR_EFORMAT);

    begin(&p, "the same secret!", "the same secret!");
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    p.d = hello;
    assert_int_equal(to_listener(&p), GR_EFORMAT);
    assert_string_equal(p.l_fault, "frame out of turn");

    /* and, whatever it is, one that comes after the end */
    p.d = hello;
    assert_int_equal(to_listener(&p), GR_EFORMAT);

    /* frames of proven nodes before the proof */
    begin(&p, "the same secret!", "the same secret!");
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    p.d.bytes[4] = GRI_FRAME_SEND;
    assert_int_equal(to_listener(&p), GR_EFORMAT);
}

static void hello_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    pair p;
    begin(&p, "the same secret!", "the same secret!");
    size_t n = p.d.len;
    for (size_t cut = 0; cut < n; cut++) {
        begin(&p, "the same secret!", "the same secret!");
        p.d.len = cut;
        assert_int_equal(to_listener(&p), GR_EFORMAT);
        assert_int_equal(p.l.len, 0); /* strangers get no answer */
    }
}

static void bad_names_and_numbers_are_refused(void **state)
{
    (void)state;
    static const unsigned at[] = {NAME_LEN_AT, NAME_LEN_AT, NAME_LEN_AT};
    static const uint8_t lengths[] = {0, GR_NODE_NAME_MAX + 1, 255};
    pair p;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        begin(&p, "the same secret!", "the same secret!");
        p.d.bytes[at[i]] = lengths[i];
        assert_int_equal(to_listener(&p), GR_EFORMAT);
    }
    begin(&p, "the same secret!", "the same secret!");
    p.d.bytes[p.d.len - 1] = '\n'; /* would be two lines in a log */
    assert_int_equal(to_listener(&p), GR_EFORMAT);
    begin(&p, "the same secret!", "the same secret!");
    memset(p.d.bytes + NODE_AT, 0, 8);
    assert_int_equal(to_listener(&p), GR_EFORMAT);
}

static void garbage_is_not_answered(void **state)
{
    (void)state;
    static const char http[] = "GET / HTTP/1.1\r\n\r\n";
    pair p;
    begin(&p, "the same secret!", "the same secret!");
    memcpy(p.d.bytes, http, sizeof http);
    p.d.len = sizeof http;

    assert_int_equal(to_listener(&p), GR_EFORMAT);
    assert_string_equal(p.l_fault, "not the greenroom protocol");
    assert_int_equal(p.l.len, 0);
}

static void ended_handshake_holds_no_secret(void **state)
{
    (void)state;
    static const gri_handshake zero;
    pair p;
    begin(&p, "the same secret!", "the same secret!");
    assert_memory_not_equal(&p.dialer, &zero, sizeof zero);

    gri_handshake_fini(&p.dialer);

    assert_memory_equal(&p.dialer, &zero, sizeof zero);
}

static void key_of_anybody(const void *arg, const char *name,
                           uint8_t key[GRI_KEY_BYTES])
{
    (void)arg, (void)name;
    memset(key, 7, GRI_KEY_BYTES);
}

static void assert_key(const gri_handshake *hs, bool is_there)
{
    static const uint8_t zero[GRI_KEY_BYTES];
    assert_int_equal(memcmp(hs->key, zero, sizeof zero) != 0, is_there);
}

static void key_is_forgotten_when_both_are_proven(void **state)
{
    (void)state;
    pair p;
    begin(&p, "sixteen bytes ok", "sixteen bytes ok");
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);
    assert_int_equal(to_listener(&p), GRI_STEP_PROVEN);
    assert_key(&p.dialer, true);
    assert_key(&p.listener, true);
    gri_handshake_welcome(&p.listener, &p.l);
    assert_key(&p.listener, false);
    assert_int_equal(to_dialer(&p), GRI_STEP_DONE);
    assert_key(&p.dialer, false);
    assert_string_equal(p.dialer.other.name, "bob"); /* but not that */
}

static void key_is_forgotten_when_it_fails(void **state)
{
    (void)state;
    static const uint8_t codes[] = {GRI_REFUSE_SECRET, GRI_REFUSE_ALREADY, 99};
    pair p;
    for (size_t i = 0; i < sizeof codes; i++) { /* the other refuses */
        begin(&p, "sixteen bytes ok", "sixteen bytes ok");
        gri_handshake_refuse(&p.listener, (gri_refusal)codes[i], &p.l);
        assert_key(&p.listener, false);
        assert_key(&p.dialer, true);
        (void)to_dialer(&p);
        assert_key(&p.dialer, false);
    }
    begin(&p, "sixteen bytes ok", "another sixteen bytes");
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);
    assert_int_equal(to_listener(&p), GR_EDENIED);
    assert_key(&p.listener, false);
    begin(&p, "sixteen bytes ok", "sixteen bytes ok");
    p.d.bytes[GRI_FRAME_HEAD] ^= 1; /* no hello */
    assert_int_equal(to_listener(&p), GR_EFORMAT);
    assert_key(&p.listener, false);
}

/* Keys by name: before there is one, none is kept. */
static void key_is_not_chosen_before_there_is_a_name(void **state)
{
    (void)state;
    pair p;
    begin(&p, "sixteen bytes ok", "sixteen bytes ok");
    assert_key(&p.listener, true);
    gri_handshake_choose(&p.listener, key_of_anybody, NULL);
    assert_key(&p.listener, false);
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_key(&p.listener, true);
}

/* What a node without a secret would use. */
static void start_without(gri_handshake *hs, gri_role role, gri_identity who,
                          uint8_t nonce)
{
    static const uint8_t zero[GRI_KEY_BYTES];
    uint8_t fresh[GRI_NONCE_BYTES];
    who.features |= GRI_FEATURE_NO_SECRET;
    memset(fresh, nonce, sizeof fresh);
    gri_handshake_init(hs, role, &who, zero, fresh);
}

static void two_without_a_secret_believe(void **state)
{
    (void)state;
    pair p;
    memset(&p, 0, sizeof p);
    start_without(&p.dialer, GRI_DIALER, alice, 1);
    start_without(&p.listener, GRI_LISTENER, bob, 2);
    gri_handshake_open(&p.dialer, &p.d);
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);
    assert_int_equal(to_listener(&p), GRI_STEP_PROVEN);
    gri_handshake_welcome(&p.listener, &p.l);
    assert_int_equal(to_dialer(&p), GRI_STEP_DONE);
}

static void who_has_a_secret_believes_nobody_without(void **state)
{
    (void)state;
    pair p;
    begin(&p, "sixteen bytes ok", "sixteen bytes ok");
    start_without(&p.dialer, GRI_DIALER, alice, 1);
    gri_handshake_open(&p.dialer, &p.d);
    assert_int_equal(to_listener(&p), GR_EDENIED);
    assert_string_equal(p.l_fault, "it has no secret to prove");
    assert_int_equal(p.l.bytes[GRI_FRAME_HEAD], GRI_REFUSE_NO_SECRET);
    assert_int_equal(to_dialer(&p), GR_EDENIED);

    begin(&p, "sixteen bytes ok", "sixteen bytes ok");
    start_without(&p.listener, GRI_LISTENER, bob, 2);
    assert_int_equal(to_listener(&p), GR_EDENIED);
    assert_string_equal(p.l_fault,
                        "it demands a secret, and this node has none");
    assert_int_equal(to_dialer(&p), GR_EDENIED);
}

/* Somebody on the way takes the bits out, so that each believes the other to be
 * as itself. */
static void what_a_hello_says_of_secrets_cannot_be_changed(void **state)
{
    (void)state;
    pair p;
    const size_t low = GRI_FRAME_HEAD + 12 + 2 + 8 + 7; /* of the features */
    begin(&p, "sixteen bytes ok", "sixteen bytes ok");
    start_without(&p.dialer, GRI_DIALER, alice, 1);
    gri_handshake_open(&p.dialer, &p.d);
    assert_int_equal(p.d.bytes[low], GRI_FEATURE_NO_SECRET);
    p.d.bytes[low] = 0;
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    p.l.bytes[low] |= GRI_FEATURE_NO_SECRET;
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);
    assert_int_equal(to_listener(&p), GR_EDENIED);
    assert_string_equal(p.l_fault, "the secrets differ");

    /* Also among those without. */
    start_without(&p.dialer, GRI_DIALER, alice, 1);
    start_without(&p.listener, GRI_LISTENER, bob, 2);
    gri_handshake_open(&p.dialer, &p.d);
    p.d.bytes[low] |= 4;
    assert_int_equal(to_listener(&p), GRI_STEP_WAIT);
    assert_int_equal(to_dialer(&p), GRI_STEP_NAMED);
    gri_handshake_prove(&p.dialer, &p.d);
    assert_int_equal(to_listener(&p), GR_EDENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_secret_makes_both_believe),
        cmocka_unit_test(every_frame_is_within_the_limit),
        cmocka_unit_test(wrong_secret_of_the_dialer_is_denied_on_both_sides),
        cmocka_unit_test(listener_that_only_pretends_is_denied),
        cmocka_unit_test(every_bit_of_a_proof_matters),
        cmocka_unit_test(every_bit_of_both_hellos_is_proven),
        cmocka_unit_test(recorded_dialer_is_worth_nothing_later),
        cmocka_unit_test(own_proof_does_not_come_back_as_the_others),
        cmocka_unit_test(own_hello_does_not_come_back_as_the_others),
        cmocka_unit_test(node_that_dials_itself_is_told_on_both_sides),
        cmocka_unit_test(other_version_is_told_on_both_sides),
        cmocka_unit_test(later_version_may_append_to_its_hello),
        cmocka_unit_test(refusals_have_their_errors),
        cmocka_unit_test(frames_out_of_turn_are_refused),
        cmocka_unit_test(hello_cut_at_any_byte_is_refused),
        cmocka_unit_test(bad_names_and_numbers_are_refused),
        cmocka_unit_test(garbage_is_not_answered),
        cmocka_unit_test(ended_handshake_holds_no_secret),
        cmocka_unit_test(key_is_forgotten_when_both_are_proven),
        cmocka_unit_test(key_is_forgotten_when_it_fails),
        cmocka_unit_test(key_is_not_chosen_before_there_is_a_name),
        cmocka_unit_test(two_without_a_secret_believe),
        cmocka_unit_test(who_has_a_secret_believes_nobody_without),
        cmocka_unit_test(what_a_hello_says_of_secrets_cannot_be_changed),
    };
    return cmocka_run_group_tests_name("transport/handshake", tests, NULL,
                                       NULL);
}
