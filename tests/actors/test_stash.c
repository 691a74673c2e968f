/*
 * tests/actors/test_stash.c - messages that are put aside and given again.
 *
 * Goal:   each is given again, once, in the order in which it came, and no
 *         actor has more of a turn for it.
 * Method: puppets that stash all but "go", which gives what is stashed again.
 *         The end of each stage checks that every message is accounted for.
 */
#include "tests/support/waiter.h"

WAITER_HEARS(be_waiter, waiter_hear)

/* ---- order -----------------------------------------------------------------
 */

static void scene_order(stage *s)
{
    gr_pid a = waiter_puppet(s, be_waiter);
    waiter_tell(s, a, "one two three");
    stage_settle(s);
    stage_expect(s, "");
    CHECK_INT(waiter_waiting(s), 3);
    /* The fourth waits in the mailbox when the others are given again. */
    waiter_tell(s, a, "go four");
    stage_settle(s);
    stage_expect(s, "a:one a:two a:three a:four");
    CHECK_INT(waiter_waiting(s), 0);
    waiter_tell(s, a, "five");
    stage_settle(s);
    stage_expect(s, "a:five");
}

/* Each is stashed once more before it is written down. */
static int again_once(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (waiter_has_tag(msg, "go")) {
        p->n++;
        gr_unstash(self);
        return 0;
    }
    if (p->n < 2) {
        stage_note(p->on, "(");
        return gr_stash(self, msg);
    }
    return waiter_note(self, p, msg);
}

WAITER_HEARS(be_hesitant, again_once)

static void scene_again(stage *s)
{
    gr_pid a = waiter_puppet(s, be_hesitant);
    waiter_tell(s, a, "one two three go");
    stage_settle(s);
    stage_expect(s, "( ( ( ( ( (");
    CHECK_INT(waiter_waiting(s), 3);
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect(s, "a:one a:two a:three");
}

/* "two" makes it ready for what came before, too. */
static int ready_at_two(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (waiter_has_tag(msg, "go")) {
        p->n = 1;
        gr_unstash(self);
        return 0;
    }
    if (p->n == 0 || (p->n == 1 && !waiter_has_tag(msg, "two"))) {
        return gr_stash(self, msg);
    }
    if (p->n == 1) {
        p->n = 2;
        gr_unstash(self);
    }
    return waiter_note(self, p, msg);
}

WAITER_HEARS(be_ready_at_two, ready_at_two)

static void scene_in_between(stage *s)
{
    gr_pid a = waiter_puppet(s, be_ready_at_two);
    waiter_tell(s, a, "one two three four go five");
    stage_settle(s);
    /* "one" came before "three", which was to be given again already. */
    stage_expect(s, "a:two a:one a:three a:four a:five");
}

static int one_at_a_time(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (waiter_has_tag(msg, "go")) {
        gr_unstash_one(self);
        gr_unstash_one(self);
        p->n = 2;
        return 0;
    }
    if (p->n == 0) {
        return gr_stash(self, msg);
    }
    p->n--;
    return waiter_note(self, p, msg);
}

WAITER_HEARS(be_slow, one_at_a_time)

static void scene_one(stage *s)
{
    gr_pid a = waiter_puppet(s, be_slow);
    waiter_tell(s, a, "one two three go four");
    stage_settle(s);
    stage_expect(s, "a:one a:two");
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect(s, "a:three a:four");
    waiter_tell(s, a, "go five six seven");
    stage_settle(s);
    stage_expect(s, "a:five a:six"); /* there was nothing to give again */
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect(s, "a:seven");
}

/* Stashed and given back at once: it is the inbox's first node still. */
static int bounce(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (p->n++ % 3 < 2) {
        CHECK_RC(gr_stash(self, msg), 0);
        gr_unstash(self);
        gr_unstash(self); /* there is nothing more: no harm */
        return 0;
    }
    return waiter_note(self, p, msg);
}

WAITER_HEARS(be_bouncer, bounce)

static void scene_bounce(stage *s)
{
    gr_pid a = waiter_puppet(s, be_bouncer);
    waiter_tell(s, a, "one two three");
    stage_settle(s);
    stage_expect(s, "a:one a:two a:three");
    waiter_check_blocks(s);
}

static void test_they_come_again_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    stage_each_seed(scene_order, NULL);
    stage_each_seed(scene_again, NULL);
    stage_each_seed(scene_in_between, NULL);
    stage_each_seed(scene_one, NULL);
    stage_each_seed(scene_bounce, NULL);
}

/* ---- turns -----------------------------------------------------------------
 */

enum { TURN = 1000, MANY = 2 * TURN + 500 }; /* messages */

static int count_down(gr_actor *self, puppet *p, const gr_msg *msg)
{
    uint64_t i;
    if (waiter_has_tag(msg, "last")) {
        stage_note(p->on, "last:%" PRIu64, p->n);
        return 0;
    }
    CHECK(gr_match(msg, "number", &i));
    CHECK_INT(i, p->n);
    p->n++;
    if (p->peer.id != 0 && p->n == TURN - 1) {
        CHECK_RC(gr_kill(self, gr_self(self)), 0);
    }
    return 0;
}

static int stash_numbers(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (waiter_has_tag(msg, "go")) {
        p->hear = count_down;
        p->n = 0;
        gr_unstash(self);
        return 0;
    }
    return gr_stash(self, msg);
}

WAITER_HEARS(be_counter, stash_numbers)

static gr_pid with_many(stage *s)
{
    gr_pid a = waiter_puppet(s, be_counter);
    for (uint64_t i = 0; i < MANY; i++) {
        CHECK_RC(gr_send(s->self, a, "number", i), 0);
    }
    stage_settle(s);
    CHECK_INT(waiter_waiting(s), MANY);
    return a;
}

static void scene_budget(stage *s)
{
    gr_pid a = with_many(s);
    uint64_t turns = stage_stats(s).turns;
    waiter_tell(s, a, "go last");
    CHECK(gr_sim_step(s->sys));
    CHECK_INT(stage_stats(s).turns - turns, 1);
    /* "go" is one of the turn's. */
    CHECK_INT(waiter_waiting(s), MANY - (TURN - 1) + 1);
    stage_settle(s);
    stage_expect(s, "last:2500");
    CHECK_INT(stage_stats(s).turns - turns, 3);
}

static int dare(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    CHECK(p->peer.id != 0);
    return 0;
}

static void scene_killed_between_turns(stage *s)
{
    gr_pid a = with_many(s);
    stage_do_to(s, a, dare, a);
    uint64_t dead = stage_stats(s).dead_letters;
    waiter_tell(s, a, "go last");
    stage_settle(s);
    stage_expect(s, "");
    CHECK_INT(stage_stats(s).dead_letters - dead, MANY - (TURN - 1) + 1);
    CHECK_INT(waiter_waiting(s), 0);
}

static int pass_on(gr_actor *self, puppet *p, const gr_msg *msg)
{
    return gr_forward(self, p->peer, msg);
}

static int stash_to_pass(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int rc = stash_numbers(self, p, msg);
    p->hear = p->hear == count_down ? pass_on : p->hear;
    return rc;
}

WAITER_HEARS(be_passer, stash_to_pass)
WAITER_HEARS(be_receiver, count_down)

/* Suspended for a receiver that is behind, with some left to be given. */
static void scene_suspended(stage *s)
{
    gr_spawn_opts opts = {.mailbox = {.soft = 20}};
    gr_pid a = with_many(s);
    gr_pid b = stage_puppet_with(s, s->self, 'b', &puppet_behavior, &opts,
                                 be_receiver);
    stage_do_to(s, a, be_passer, b);
    stage_expect(s, "+b");
    uint64_t slowed = stage_stats(s).slowed;
    waiter_tell(s, a, "go last");
    stage_settle(s);
    stage_expect(s, "last:2500");
    CHECK(stage_stats(s).slowed > slowed);
}

static int kill_oneself(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK_RC(gr_kill(self, gr_self(self)), 0);
    return waiter_note(self, p, msg);
}

static int go_to_die(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int rc = waiter_hear(self, p, msg);
    p->hear = p->hear == waiter_note ? kill_oneself : p->hear;
    return rc;
}

WAITER_HEARS(be_doomed, go_to_die)

static void scene_killed(stage *s)
{
    gr_pid a = waiter_puppet(s, be_doomed);
    waiter_tell(s, a, "one two three go four");
    stage_settle(s);
    stage_expect(s, "a:one");
    CHECK_INT(stage_stats(s).dead_letters, 3);
}

static void test_they_count_in_the_turn_and_a_kill_comes_between(void **state)
{
    (void)state;
    stage_each_seed(scene_budget, NULL);
    stage_each_seed(scene_killed_between_turns, NULL);
    stage_each_seed(scene_killed, NULL);
    stage_each_seed(scene_suspended, NULL);
}

/* ---- with threads ----------------------------------------------------------
 */

enum { SENDERS = 4, EACH = 2000, IN_ALL = SENDERS * EACH };

static int send_all(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    for (uint64_t i = 0; i < EACH; i++) {
        CHECK_RC(gr_send(self, p->peer, "number", p->n, i), 0);
    }
    return 0;
}

typedef struct sums {
    uint64_t next[SENDERS]; /* what is to come of each */
    uint64_t n, given;
} sums;

/* Waits for more when it has seen a few, and is woken by itself. */
static int stash_often(gr_actor *self, puppet *p, const gr_msg *msg)
{
    sums *sum = p->on->extra;
    uint64_t from;
    uint64_t i;
    if (gr_match(msg, "again")) {
        p->n = 0;
        gr_unstash(self);
        return 0;
    }
    CHECK(gr_match(msg, "number", &from, &i));
    sum->given++;
    if (p->n == 5) {
        return gr_stash(self, msg);
    }
    CHECK_INT(i, sum->next[from]);
    sum->next[from]++;
    if (++sum->n == IN_ALL) {
        return gr_send(self, gr_self(p->on->self), "done");
    }
    return ++p->n == 5 ? gr_send(self, gr_self(self), "again") : 0;
}

WAITER_HEARS(be_often, stash_often)

#define SENDER(k)                                                              \
    static int be_sender_##k(gr_actor *self, puppet *p, const gr_msg *msg)     \
    {                                                                          \
        (void)self, (void)msg;                                                 \
        p->n = k;                                                              \
        return 0;                                                              \
    }
SENDER(0)
SENDER(1)
SENDER(2)
SENDER(3)

static void test_order_with_real_threads(void **state)
{
    static puppet_fn *const begin[] = {be_sender_0, be_sender_1, be_sender_2,
                                       be_sender_3};
    (void)state;
    stage s;
    sums sum = {.n = 0};
    const gr_msg *msg;
    stage_start(&s, 0, &(gr_system_opts){.workers = 2});
    s.extra = &sum;
    gr_pid a = stage_begun(&s, 'a', NULL, be_often);
    for (int i = 0; i < SENDERS; i++) {
        gr_pid b = stage_begun(&s, (char)('b' + i), NULL, begin[i]);
        stage_do_to(&s, b, send_all, a);
    }
    CHECK_RC(gr_receive(s.self, GR_FOREVER, &msg), 0);
    CHECK(gr_match(msg, "done"));
    CHECK(sum.given > IN_ALL); /* some were given again */
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_come_again_in_the_order_in_which_they_came),
        cmocka_unit_test(test_they_count_in_the_turn_and_a_kill_comes_between),
        cmocka_unit_test(test_order_with_real_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
