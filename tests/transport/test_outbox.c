/*
 * Goal:   what one actor sends to another leaves the outbox in the order sent,
 *         whichever lane it takes; nothing leaves without credit but what needs
 *         none; a long frame lets others pass between its parts.
 * Method: a reader of the wire's bytes that knows of the outbox only what
 *         docs/protocol.md says: it puts parts together, counts what each frame
 *         costs, and checks the numbers that each pair's messages carry. First
 *         scene by scene, then at random against a model.
 */
#include "tests/transport/outboxes.h"

/* ---- scenes -------------------------------------------------------------- */

static void messages_of_one_pair_share_a_frame(void **state)
{
    scene *s = *state;
    give(s, WINDOW);
    for (int i = 0; i < 100; i++) {
        put(s, 1, 2, 20);
    }
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.frames, 1);
    assert_int_equal(s->r.messages, 100);
}

static void frames_end_at_their_limits(void **state)
{
    scene *s = *state;
    give(s, 100 * WINDOW);
    for (int i = 0; i < GRI_BATCH_MAX + 1; i++) {
        put(s, 1, 2, 11);
    }
    for (int i = 0; i < 3; i++) {
        put(s, 2, 1, GRI_BATCH_BYTES / 2);
    }
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.frames, 2 + 3);
}

/* However many messages there are: none of which the other end would say that
 * it is too long. */
static void shared_frames_are_as_long_as_the_other_end_takes(void **state)
{
    scene *s = *state;
    s->out.batch_max = 21 + 4 * 25; /* head, and four messages */
    for (int i = 0; i < 8; i++) {
        put(s, 1, 2, 25); /* held, and later not */
    }
    give(s, WINDOW);
    for (int i = 0; i < 9; i++) {
        put(s, 2, 1, 25);
    }
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.frames, 2 + 3);
}

/* A pair's next n messages in one frame, as a draft gives them. */
static void put_many(scene *s, unsigned from, unsigned to, uint32_t n)
{
    uint8_t bytes[400];
    gri_frame f = {.len = 0};
    uint32_t len = 0;
    for (uint32_t i = 0; i < n; i++) {
        f = message(s, from, to, 20);
        memcpy(bytes + len, f.payload, f.len);
        len += f.len;
    }
    f.payload = bytes;
    f.len = len;
    f.count = n;
    assert_int_equal(gri_outbox_put(&s->out, &f), 0);
}

static void messages_that_come_together_go_together(void **state)
{
    scene *s = *state;
    put_many(s, 1, 2, 20); /* held, */
    put_many(s, 1, 2, 10); /* and these with them */
    give(s, WINDOW);
    put_many(s, 2, 1, 20);
    put_many(s, 2, 1, 10);
    put(s, 2, 1, 20);
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.frames, 2);
    assert_int_equal(s->r.messages, 30 + 31);
    assert_int_equal(s->r.credit, s->out.credit);
}

/* A frame never has more than GRI_BATCH_MAX. */
static void many_do_not_join_a_frame_that_is_full(void **state)
{
    scene *s = *state;
    give(s, 100 * WINDOW);
    for (int i = 0; i < GRI_BATCH_MAX - 10; i++) {
        put(s, 1, 2, 11);
    }
    put_many(s, 1, 2, 20);
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.frames, 2);
}

static void another_pairs_frame_ends_one(void **state)
{
    scene *s = *state;
    give(s, WINDOW);
    put(s, 1, 2, 20);
    put(s, 1, 3, 20);
    put(s, 1, 2, 20);
    put_signal(s, 1, 2);
    put(s, 1, 2, 20);
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.frames, 5);
}

static void nothing_goes_without_credit(void **state)
{
    scene *s = *state;
    put(s, 1, 2, 20);
    put(s, 1, 2, 20);
    assert_false(fly(s));
    put_signal(s, 2, 1); /* of another pair: needs none */
    assert_true(fly(s));
    assert_int_equal(s->r.signals, 1);
    assert_int_equal(s->r.messages, 0);
    put_signal(s, 1, 2); /* behind its messages */
    assert_false(fly(s));
    give(s, WINDOW);
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.messages, 2);
    assert_int_equal(s->r.signals, 2);
}

static void credit_that_is_used_up_holds_messages(void **state)
{
    scene *s = *state;
    const uint32_t cost = 21 + 1000 + GRI_MESSAGE_COST;
    give(s, 2 * cost);
    for (unsigned i = 0; i < ACTORS; i++) {
        put(s, i, 0, 1000);
    }
    fly_all(s);
    assert_int_equal(s->r.messages, 2);
    assert_int_equal(s->r.credit, 0);
    for (int i = 0; i < 100; i++) {
        give(s, cost);
        fly_all(s);
    }
    assert_all_came(s);
}

static void others_pass_between_the_parts_of_a_long_one(void **state)
{
    scene *s = *state;
    give(s, 4 * FRAME_MAX);
    put(s, 1, 2, FRAME_MAX - 1);
    unsigned flights = 0;
    while (s->r.next[1][2] == 0) {
        const uint8_t ping[] = {0, 0, 0, 1, GRI_FRAME_PING};
        put(s, 3, 2, 20);
        assert_int_equal(gri_outbox_put_bytes(&s->out, ping, sizeof ping), 0);
        assert_true(fly(s));
        flights++;
        assert_int_equal(s->r.next[3][2], flights); /* it came at once */
    }
    assert_all_came(s);
    assert_in_range(flights, FRAME_MAX / GRI_PART_BYTES, 20);
}

static void a_pairs_own_wait_behind_its_long_one(void **state)
{
    scene *s = *state;
    give(s, 4 * FRAME_MAX);
    put(s, 1, 2, FRAME_MAX - 1);
    put(s, 1, 2, 20);
    put_signal(s, 1, 2);
    put(s, 1, 2, 20);
    assert_true(fly(s));
    put(s, 1, 2, 20); /* the long one is on its way */
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.signals, 1);
}

static void goodbyes_come_last(void **state)
{
    scene *s = *state;
    const gri_frame bye = {.type = GRI_FRAME_BYE};
    put(s, 1, 2, 100 * 1000);
    put_signal(s, 3, 2);
    assert_int_equal(gri_outbox_put_last(&s->out, &bye), 0);
    fly_all(s);
    assert_false(s->r.over);
    give(s, WINDOW);
    fly_all(s);
    assert_true(s->r.over);
    assert_all_came(s);
}

static void goodbyes_do_not_wait_for_nothing(void **state)
{
    scene *s = *state;
    const gri_frame bye = {.type = GRI_FRAME_BYE};
    assert_int_equal(gri_outbox_put_last(&s->out, &bye), 0);
    fly_all(s);
    assert_true(s->r.over);
}

/* ---- messages in memory of their own ------------------------------------- */

static void what_is_given_away_goes_in_its_place(void **state)
{
    scene *s = *state;
    give(s, 4 * WINDOW);
    put(s, 1, 2, 20);
    put(s, 1, 2, 20);
    put_own(s, 1, 2, 20 * 1000);
    put(s, 1, 2, 20); /* does not join what was before */
    put_own(s, 1, 2, 30 * 1000);
    put_own(s, 2, 1, 65 * 1000);
    put_signal(s, 1, 2);
    assert_int_equal(gri_outbox_cost(&s->out), 6 * (21 + GRI_MESSAGE_COST) -
                                                   21 + 3 * 20 + 115 * 1000 +
                                                   27);
    const uint8_t *where = s->out.now.owned[1].own.frame;
    assert_true(gri_outbox_take(&s->out, &s->fly));
    size_t n;
    while (gri_cargo_next(&s->fly, &n) != where) { /* else it was copied */
        const gri_own over = gri_cargo_went(&s->fly, n);
        gri_own_free(&over);
    }
    assert_int_equal(n, 21 + 30 * 1000);
}

static void what_is_given_away_is_read_as_any_other(void **state)
{
    scene *s = *state;
    give(s, 4 * WINDOW);
    s->most = 999;
    put_own(s, 1, 2, 30 * 1000);
    put(s, 1, 2, 20);
    put_signal(s, 1, 2);
    put_own(s, 1, 2, 20 * 1000);
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.frames, 4);
    assert_int_equal(s->r.credit, s->out.credit);
}

static void what_is_given_away_waits_as_any_other(void **state)
{
    scene *s = *state;
    const uint32_t cost = 21 + GRI_MESSAGE_COST + 4;
    put(s, 1, 2, 20);
    put_own(s, 1, 2, 20 * 1000);
    put(s, 1, 2, 20);
    put_signal(s, 1, 2);
    put_own(s, 1, 2, 60 * 1000);
    assert_int_equal(gri_outbox_cost(&s->out),
                     4 * cost + 40 + 80 * 1000 + 27 + 4);
    assert_false(fly(s));
    give(s, 1);
    assert_true(fly(s)); /* a little at a time: by credit, and by its length */
    assert_int_equal(s->r.messages, 1);
    give(s, 1000);
    assert_true(fly(s));
    assert_int_equal(s->r.messages, 2);
    give(s, WINDOW);
    fly_all(s);
    assert_all_came(s);
    assert_int_equal(s->r.signals, 1);
    assert_int_equal(s->r.credit, s->out.credit);
}

static void a_long_one_that_goes_in_parts_frees_what_waits_behind(void **state)
{
    scene *s = *state;
    put_own(s, 1, 2, 20 * 1000);
    put(s, 1, 2, FRAME_MAX - 1);
    put_own(s, 1, 2, 20 * 1000);
    put_own(s, 3, 2, 20 * 1000);
    give(s, WINDOW);
    put_own(s, 2, 1, 20 * 1000);
    assert_true(fly(s)); /* the long one has begun */
    assert_true(s->out.piece.end > 0);
    put_own(s, 2, 1, 20 * 1000);
    assert_true(gri_outbox_take(&s->out, &s->fly));
    /* The rest is lost: `end` frees it, and a sanitizer would say if not. */
}

static void too_much_credit_is_an_error(void **state)
{
    scene *s = *state;
    assert_int_equal(gri_outbox_grant(&s->out, 1u << 31), 0);
    assert_int_equal(gri_outbox_grant(&s->out, 1), GR_EFORMAT);
}

static void an_empty_one_keeps_no_memory(void **state)
{
    scene *s = *state;
    give(s, WINDOW);
    put(s, 1, 2, 100 * 1000);
    put(s, 2, 1, 20);
    fly_all(s);
    gri_outbox_rest(&s->out);
    assert_null(s->out.now.bytes.data);
    assert_null(s->out.now.owned);
    assert_null(s->out.held.data);
    assert_null(s->out.pairs);
    put(s, 1, 2, 20);
    fly_all(s);
    assert_all_came(s);
}

static void any_order_of_events_keeps_the_promises(void **state)
{
    scene *s = *state;
    gri_rng rng = {7};
    for (int i = 0; i < 200 * 1000; i++) {
        const unsigned from = gri_rng_below(&rng, ACTORS);
        const unsigned to = gri_rng_below(&rng, ACTORS);
        const uint32_t what = gri_rng_below(&rng, 1000);
        if (what < 700) {
            put(s, from, to, 11 + gri_rng_below(&rng, 100));
        } else if (what < 702) {
            put(s, from, to, 11 + gri_rng_below(&rng, 300 * 1000));
        } else if (what < 706) {
            put_own(s, from, to, 5000 + gri_rng_below(&rng, 60 * 1000));
        } else if (what < 750) {
            put_signal(s, from, to);
        } else if (what < 900) {
            s->most = what < 800 ? SIZE_MAX : 1 + gri_rng_below(&rng, 50000);
            (void)fly(s);
        } else if (s->r.credit < WINDOW) {
            give(s, 1 + gri_rng_below(&rng, WINDOW / 4));
        }
    }
    while (!gri_outbox_is_empty(&s->out)) {
        give(s, WINDOW);
        fly_all(s);
    }
    assert_all_came(s);
    assert_in_range(s->r.part_frames, 100, UINT32_MAX);
    /* What each end thinks of the credit agrees. */
    assert_int_equal(s->r.credit, s->out.credit);
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(messages_of_one_pair_share_a_frame),
        SCENE(frames_end_at_their_limits),
        SCENE(shared_frames_are_as_long_as_the_other_end_takes),
        SCENE(messages_that_come_together_go_together),
        SCENE(many_do_not_join_a_frame_that_is_full),
        SCENE(another_pairs_frame_ends_one),
        SCENE(nothing_goes_without_credit),
        SCENE(credit_that_is_used_up_holds_messages),
        SCENE(others_pass_between_the_parts_of_a_long_one),
        SCENE(a_pairs_own_wait_behind_its_long_one),
        SCENE(goodbyes_come_last),
        SCENE(goodbyes_do_not_wait_for_nothing),
        SCENE(what_is_given_away_goes_in_its_place),
        SCENE(what_is_given_away_is_read_as_any_other),
        SCENE(what_is_given_away_waits_as_any_other),
        SCENE(a_long_one_that_goes_in_parts_frees_what_waits_behind),
        SCENE(too_much_credit_is_an_error),
        SCENE(an_empty_one_keeps_no_memory),
        SCENE(any_order_of_events_keeps_the_promises),
    };
    return cmocka_run_group_tests_name("transport/outbox", tests, NULL, NULL);
}
