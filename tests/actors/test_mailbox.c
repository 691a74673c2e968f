/* tests/actors/test_mailbox.c - what happens when a mailbox is full, and how
 * senders are slowed down before it is. */
#include "tests/support/stage.h"

enum { HARD = 20, SOFT = 5 };

static gr_pid bounded(stage *s, char letter, gr_full full)
{
    gr_spawn_opts opts = {.mailbox = {.hard = HARD, .full = full}};
    gr_pid pid =
        stage_puppet_with(s, s->self, letter, &puppet_behavior, &opts, NULL);
    stage_settle(s);
    return pid;
}

/* ---- the hard bound ---- */

static void scene_fail(stage *s)
{
    gr_pid a = bounded(s, 'a', GR_FULL_FAIL);
    stage_do(s, a, puppet_be_counter);
    unsigned accepted = 0;
    int rc = 0;
    for (unsigned i = 0; i < 10 * HARD && rc == 0; i++) {
        rc = gr_send(s->self, a, "x");
        accepted += rc == 0;
    }
    CHECK_RC(rc, GR_EAGAIN);
    /* The one that woke it is not counted. */
    CHECK(accepted == HARD || accepted == HARD + 1);
    CHECK_RC(gr_call(s->self, a, 1, gr_expect("x"), "x"), GR_EAGAIN);
    CHECK_INT(stage_stats(s).refused, 2);
    gr_tell(s->self, a, "x"); /* a counted dead letter instead */
    CHECK_INT(stage_stats(s).dead_letters, 1);
    CHECK_RC(gr_stop(s->self, a), 0); /* signals are never refused */
    stage_settle(s);
    CHECK_INT(stage_stats(s).handled, 1 + accepted);
    stage_expect(s, "+a -a:shutdown");
}

static void test_full_fail(void **state)
{
    (void)state;
    stage_each_seed(scene_fail, NULL);
}

static void scene_again(stage *s)
{
    gr_pid a = bounded(s, 'a', GR_FULL_FAIL);
    stage_do(s, a, puppet_be_counter);
    for (unsigned round = 0; round < 5; round++) {
        while (gr_send(s->self, a, "x") == 0) {
        }
        stage_settle(s); /* it catches up: there is room again */
    }
    stage_expect(s, "+a");
    gr_stats t = stage_stats(s);
    CHECK_INT(t.refused, 5);
    CHECK(t.handled >= UINT64_C(5) * HARD);
}

static void test_a_full_mailbox_has_room_again(void **state)
{
    (void)state;
    stage_each_seed(scene_again, NULL);
}

static void scene_drop_new(stage *s)
{
    gr_pid a = bounded(s, 'a', GR_FULL_DROP_NEW);
    stage_do(s, a, puppet_be_counter);
    for (unsigned i = 0; i < 3 * HARD; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0); /* the send says 0 */
    }
    gr_stats t = stage_stats(s);
    const uint64_t over = UINT64_C(2) * HARD;
    CHECK(t.dropped == over || t.dropped == over - 1);
    CHECK_INT(t.refused, 0);
    /* Who asks is told that it was dropped. */
    CHECK_RC(gr_call(s->self, a, 1000, gr_expect("x"), "x"), GR_EAGAIN);
    stage_settle(s);
    stage_do(s, a, puppet_tell_count);
    CHECK(strcmp(s->journal, "+a 20") == 0 || strcmp(s->journal, "+a 21") == 0);
    CHECK(stage_logged(s, "mailbox full"));
    CHECK(s->log_lines <= 7); /* at 1, 2, 4 ... 64 */
}

static void test_full_drop_new(void **state)
{
    (void)state;
    stage_each_seed(scene_drop_new, NULL);
}

static void scene_stop(stage *s)
{
    gr_pid a = bounded(s, 'a', GR_FULL_STOP);
    gr_ref ref;
    CHECK_RC(gr_monitor(s->self, a, &ref), 0);
    stage_do(s, a, puppet_be_counter);
    for (unsigned i = 0; i < HARD + 5; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
    }
    const gr_msg *msg;
    gr_exit_reason why;
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match_down(msg, NULL, NULL, &why));
    CHECK_INT(why.kind, GR_EXIT_LIMIT);
    CHECK_INT(why.code, GR_ELIMIT);
    CHECK(why.text[0] != '\0');
    stage_expect(s, "+a -a:limit"); /* it was not killed: it may say so */
    CHECK_INT(stage_stats(s).dead_letters, HARD + 5);
}

static void test_full_stop(void **state)
{
    (void)state;
    stage_each_seed(scene_stop, NULL);
}

static void scene_stop_is_per_run(stage *s)
{
    for (unsigned i = 0; i < 3; i++) {
        gr_pid a = bounded(s, 'a', GR_FULL_STOP);
        while (stage_stats(s).exited < 2 * i + 1) {
            for (unsigned k = 0; k < HARD + 2; k++) {
                CHECK_RC(gr_send(s->self, a, "x"), 0);
            }
            stage_settle(s);
        }
        /* Who lives in its slot next has nothing of it. */
        gr_pid b = stage_puppet(s, 'b');
        CHECK_RC(gr_stop(s->self, b), 0);
        stage_settle(s);
        stage_expect(s, "+a -a:limit +b -b:shutdown");
    }
}

static void test_a_limit_is_of_one_run_only(void **state)
{
    (void)state;
    stage_each_seed(scene_stop_is_per_run, NULL);
}

static void scene_signals_pass(stage *s)
{
    gr_pid a = bounded(s, 'a', GR_FULL_FAIL);
    gr_ref ref;
    while (gr_send(s->self, a, "x") == 0) {
    }
    CHECK_RC(gr_monitor(s->self, a, &ref), 0);
    CHECK_RC(gr_link(s->self, a), 0);
    CHECK_RC(gr_stop(s->self, a), 0);
    stage_settle(s);
    s->journal[0] = '\0';
    stage_drain(s);
    stage_expect_words(s, "$<exit:a:shutdown $<down:a:shutdown");
}

static void test_signals_pass_a_full_mailbox(void **state)
{
    (void)state;
    stage_each_seed(scene_signals_pass, NULL);
}

static void scene_thread_bound(stage *s)
{
    const gr_msg *msg;
    unsigned n = 0;
    gr_pid me = gr_self(s->self);
    while (gr_send(s->self, me, "x") == 0) {
        n++;
    }
    CHECK(n == HARD || n == HARD + 1);
    CHECK_RC(gr_sleep(s->self, 1), 0); /* what is set aside still waits */
    CHECK_RC(gr_send(s->self, me, "x"), GR_EAGAIN);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK_RC(gr_send(s->self, me, "x"), 0);
}

static void test_a_thread_that_waits_for_something_else_is_bounded(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_bound,
                    &(gr_system_opts){.mailbox_hard = HARD});
}

static void scene_behavior_bound(stage *s)
{
    static gr_behavior narrow;
    narrow = puppet_behavior;
    narrow.mailbox = (gr_mailbox){.hard = 3, .full = GR_FULL_DROP_NEW};
    gr_pid a = stage_puppet_with(s, s->self, 'a', &narrow, NULL, NULL);
    for (unsigned i = 0; i < 10; i++) {
        CHECK_RC(gr_send(s->self, a, "x"), 0);
    }
    CHECK_INT(stage_stats(s).dropped, 7);
    gr_pid b = stage_puppet_with(
        s, s->self, 'b', &narrow,
        &(gr_spawn_opts){.mailbox = {.hard = 5, .full = GR_FULL_STOP}}, NULL);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_RC(gr_send(s->self, b, "x"), 0);
    }
    CHECK_INT(stage_stats(s).dropped, 7);
    stage_settle(s);
}

static void test_bounds_of_the_behaviour_and_of_the_spawn(void **state)
{
    (void)state;
    stage_each_seed(scene_behavior_bound, NULL);
}

/* ---- the soft bound ---- */

enum {
    BURST = 30,
    TURN = 1000 + BURST, /* sends in one turn; then the producer must wait */
    LOAD = 20 * TURN
};

/* Sends a burst to its peer and asks itself to go on, until all is sent. */
static int produce(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    for (unsigned i = 0; i < BURST && p->n < LOAD; i++, p->n++) {
        GR_TRY(gr_send(self, p->peer, "item"));
    }
    return p->n < LOAD ? gr_send(self, gr_self(self), "go") : 0;
}

static int be_producer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = produce;
    p->n = 0;
    return gr_send(self, gr_self(self), "go");
}

static gr_pid consumer(stage *s)
{
    gr_spawn_opts opts = {.mailbox = {.soft = SOFT, .hard = SOFT + TURN}};
    gr_pid c = stage_puppet_with(s, s->self, 'c', &puppet_behavior, &opts,
                                 puppet_be_counter);
    stage_settle(s);
    return c;
}

static void scene_slow_down(stage *s)
{
    gr_pid c = consumer(s);
    gr_pid a = stage_puppet(s, 'a');
    stage_do_to(s, a, be_producer, c);
    stage_do(s, c, puppet_tell_count);
    /* All arrived, though the hard bound is far below the load: the producer
     * was suspended again and again, and went on each time. */
    stage_expect(s, "+c +a 20600");
    CHECK_INT(stage_stats(s).refused, 0);
    CHECK(stage_stats(s).slowed > 0);
}

static void test_a_producer_is_slowed_down_and_goes_on(void **state)
{
    (void)state;
    stage_each_seed(scene_slow_down, NULL);
}

/* Nobody but the test lets this receiver run: it is $. */
static gr_pid suspended_producer(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do_to(s, a, be_producer, gr_self(s->self));
    CHECK_INT(stage_stats(s).slowed, 1);
    return a;
}

static void scene_kill_suspended(stage *s)
{
    const gr_msg *msg;
    gr_pid a = suspended_producer(s);
    gr_actor *other;
    CHECK_RC(gr_thread_attach(s->sys, NULL, &other), 0);
    gr_ref ref;
    CHECK_RC(gr_monitor(other, a, &ref), 0);
    CHECK_RC(gr_receive(other, 10, &msg), GR_ETIMEOUT);
    CHECK_RC(gr_kill(other, a), 0);
    CHECK_RC(gr_receive(other, 10, &msg), 0);
    CHECK(gr_match_down(msg, NULL, NULL, NULL));
    gr_thread_detach(other, 0);
    stage_drain(s); /* and its resume, which comes too late, harms nobody */
}

static void test_a_suspended_producer_can_be_killed(void **state)
{
    (void)state;
    stage_each_seed(scene_kill_suspended,
                    &(gr_system_opts){.mailbox_soft = SOFT});
}

static void scene_receiver_ends(stage *s)
{
    gr_pid a = suspended_producer(s);
    gr_thread_detach(s->self, 0); /* the receiver is gone: so is the wait */
    s->self = NULL;
    (void)gr_sim_settle(s->sys);
    /* The load, the "go" before each burst, and one of the test. */
    CHECK_INT(stage_stats(s).sent, LOAD + (LOAD + BURST - 1) / BURST + 1);
    (void)a;
}

static void test_the_end_of_a_receiver_lets_producers_go(void **state)
{
    (void)state;
    stage_each_seed(scene_receiver_ends,
                    &(gr_system_opts){.mailbox_soft = SOFT});
}

/* Each item is passed on to the next of the circle until it is used up. */
static int pass_item(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int64_t left;
    p->n++;
    if (gr_match(msg, "pass", &left) && left > 0) {
        return gr_send(self, p->peer, "pass", left - 1);
    }
    return 0;
}

static int start_items(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = pass_item;
    for (int i = 0; i < 4 * SOFT; i++) {
        GR_TRY(gr_send(self, p->peer, "pass", 50));
    }
    return 0;
}

static void scene_circle(stage *s)
{
    enum { RING = 5 };
    gr_pid ring[RING];
    for (unsigned i = 0; i < RING; i++) {
        ring[i] = stage_puppet(s, (char)('a' + i));
    }
    for (unsigned i = 0; i < RING; i++) {
        CHECK_RC(gr_send(s->self, ring[i], "puppet.do_to",
                         (uint64_t)(uintptr_t)start_items,
                         ring[(i + 1) % RING]),
                 0);
    }
    stage_settle(s);
    gr_stats t = stage_stats(s);
    /* Every item made all its steps: nobody waits for ever. */
    CHECK_INT(t.sent, RING + RING * 4 * SOFT * 51);
    CHECK_INT(t.handled, t.sent);
    CHECK(t.slowed > 0);
}

static void test_a_circle_of_producers_does_not_lock_up(void **state)
{
    (void)state;
    stage_each_seed(scene_circle, &(gr_system_opts){.mailbox_soft = SOFT});
}

static int flood_self(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = puppet_count;
    for (unsigned i = 0; i < 10 * SOFT; i++) {
        GR_TRY(gr_send(self, gr_self(self), "x"));
    }
    return 0;
}

static void scene_self(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, flood_self);
    stage_do(s, a, puppet_tell_count);
    stage_expect(s, "+a 50");
}

static void test_one_does_not_wait_for_oneself(void **state)
{
    (void)state;
    stage_each_seed(scene_self, &(gr_system_opts){.mailbox_soft = SOFT});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_fail),
        cmocka_unit_test(test_a_full_mailbox_has_room_again),
        cmocka_unit_test(test_full_drop_new),
        cmocka_unit_test(test_full_stop),
        cmocka_unit_test(test_a_limit_is_of_one_run_only),
        cmocka_unit_test(test_signals_pass_a_full_mailbox),
        cmocka_unit_test(
            test_a_thread_that_waits_for_something_else_is_bounded),
        cmocka_unit_test(test_bounds_of_the_behaviour_and_of_the_spawn),
        cmocka_unit_test(test_a_producer_is_slowed_down_and_goes_on),
        cmocka_unit_test(test_a_suspended_producer_can_be_killed),
        cmocka_unit_test(test_the_end_of_a_receiver_lets_producers_go),
        cmocka_unit_test(test_a_circle_of_producers_does_not_lock_up),
        cmocka_unit_test(test_one_does_not_wait_for_oneself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
