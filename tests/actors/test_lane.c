/* tests/actors/test_lane.c - urgent messages overtake, and a mailbox that drops
 * its oldest keeps the newest; both keep what is promised of order and ends. */
#include "actors/internal.h"
#include "tests/support/lanes.h"

static gr_pid urgent_one(stage *s, char letter)
{
    return lanes_with(s, letter, (gr_mailbox){.urgent = LANES_URGENT});
}

/* ---- urgent ---- */

static void scene_overtakes(stage *s)
{
    gr_pid a = urgent_one(s, 'a');
    lanes_send_each(s->self, a, "xy");
    lanes_urge_each(s, a, "12");
    lanes_send_each(s->self, a, "z");
    lanes_urge_each(s, a, "3");
    stage_settle(s);
    stage_expect(s, "+a a:1 a:2 a:3 a:x a:y a:z");
    lanes_urge_each(s, a, "4"); /* it was idle: that wakes it */
    stage_settle(s);
    stage_expect(s, "a:4");
    stage_check_conserved(s);
}

static void test_urgent_messages_overtake_in_their_order(void **state)
{
    (void)state;
    stage_each_seed(scene_overtakes, NULL);
}

static void scene_lane_is_bounded(stage *s)
{
    gr_pid a = urgent_one(s, 'a');
    lanes_urge_each(s, a, "123");
    CHECK_RC(gr_send_urgent(s->self, a, "4"), GR_EAGAIN);
    CHECK_INT(stage_stats(s).refused, 1);
    lanes_send_each(s->self, a, "x"); /* the other bound is another one */
    stage_settle(s);
    stage_expect(s, "+a a:1 a:2 a:3 a:x");
    lanes_urge_each(s, a, "567");
    stage_settle(s);
    stage_expect(s, "a:5 a:6 a:7");
}

static void test_the_urgent_lane_is_bounded(void **state)
{
    (void)state;
    stage_each_seed(scene_lane_is_bounded, NULL);
}

/* While it handles an urgent message others come. */
static int add_urgent(gr_actor *self, puppet *p, const gr_msg *msg)
{
    char text[32];
    (void)gr_msg_print(msg, text, sizeof text);
    if (p->n++ == 0) {
        GR_TRY(gr_send_urgent(self, gr_self(self), "new"));
    }
    stage_note(p->on, "%s", text);
    return 0;
}

static int be_adder(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = add_urgent;
    return 0;
}

static void scene_added_behind(stage *s)
{
    gr_pid a = stage_puppet_with(
        s, s->self, 'a', &puppet_behavior,
        &(gr_spawn_opts){.mailbox = {.urgent = LANES_URGENT}}, be_adder);
    lanes_send_each(s->self, a, "x");
    lanes_urge_each(s, a, "12");
    stage_settle(s);
    stage_expect(s, "+a [\"1\"] [\"2\"] [\"new\"] [\"x\"]");
}

static void test_urgent_messages_keep_their_order_while_some_come(void **state)
{
    (void)state;
    stage_each_seed(scene_added_behind, NULL);
}

static void scene_no_lane(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_settle(s);
    lanes_send_each(s->self, a, "xy");
    lanes_urge_each(s, a, "1");
    stage_settle(s);
    stage_expect(s, "+a a:x a:y a:1");
    CHECK_RC(gr_send_urgent(s->self, GR_NOBODY, "x"), GR_EINVAL);
    CHECK_RC(gr_send_urgentv(s->self, a, NULL, 0), GR_EINVAL);
    gr_pid far = {gr_system_node(s->sys).id + 1, a.id};
    CHECK_RC(gr_send_urgent(s->self, far, "x"), GR_ENOCONN);
}

static void test_without_a_lane_it_is_an_ordinary_message(void **state)
{
    (void)state;
    stage_each_seed(scene_no_lane, NULL);
}

static int last_words(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    GR_TRY(gr_send_urgent(self, p->peer, "last"));
    gr_exit(self, 0, NULL);
    return 0;
}

static void scene_last_words(stage *s)
{
    gr_pid a = urgent_one(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do_to(s, a, puppet_monitor, b);
    stage_expect_words(s, "+a +b");
    CHECK_RC(
        gr_send(s->self, b, "puppet.do_to", (uint64_t)(uintptr_t)last_words, a),
        0);
    stage_settle(s);
    stage_expect(s, "-b:normal a:last a<down:b:normal");
}

static void test_a_death_comes_behind_urgent_last_words(void **state)
{
    (void)state;
    stage_each_seed(scene_last_words, NULL);
}

static void scene_dies_with_lane(stage *s)
{
    gr_pid a = urgent_one(s, 'a');
    stage_settle(s);
    lanes_send_each(s->self, a, "x");
    lanes_urge_each(s, a, "12");
    CHECK_RC(gr_kill(s->self, a), 0); /* overtakes even them */
    stage_settle(s);
    stage_expect(s, "+a");
    CHECK_INT(stage_stats(s).dead_letters, 3);
    CHECK_RC(gr_send_urgent(s->self, a, "3"), 0); /* a dead letter at once */
    CHECK_INT(stage_stats(s).dead_letters, 4);
    stage_check_conserved(s);
    /* Who lives in its place has nothing of it, and its own. */
    gr_pid b = urgent_one(s, 'b');
    CHECK_INT(gri_pid_index(a), gri_pid_index(b));
    lanes_urge_each(s, b, "123");
    CHECK_RC(gr_send_urgent(s->self, a, "4"), 0);
    stage_settle(s);
    stage_expect(s, "+b b:1 b:2 b:3");
    CHECK_INT(stage_stats(s).dead_letters, 5);
    CHECK_RC(gr_stop(s->self, b), 0);
    stage_settle(s);
    gr_pid c = stage_puppet(s, 'c'); /* no lane here any more */
    CHECK_RC(gr_send_urgent(s->self, b, "4"), 0);
    lanes_send_each(s->self, c, "x");
    lanes_urge_each(s, c, "1");
    stage_settle(s);
    stage_expect(s, "-b:shutdown +c c:x c:1");
}

static void test_a_lane_is_of_one_run_only(void **state)
{
    (void)state;
    stage_each_seed(scene_dies_with_lane, NULL);
}

/* A sender that adds when the receiver has looked, but has not taken note that
 * it was woken, does not wake it: it looks once more. */
static void scene_looks_again(stage *s)
{
    gr_pid a = urgent_one(s, 'a');
    stage_settle(s);
    gr_actor *slot = gri_slot_of(s->sys, a);
    lanes_urge_each(s, a, "1");
    /* relaxed: one thread. As if the look were over. */
    atomic_store_explicit(&slot->outlet.alert, 0, memory_order_relaxed);
    stage_settle(s);
    stage_expect(s, "+a a:1");
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
}

static void test_who_was_woken_looks(void **state)
{
    (void)state;
    stage_each_seed(scene_looks_again, NULL);
}

/* ---- drop the oldest ---- */

static void scene_drop_old(stage *s)
{
    gr_pid a = lanes_dropper(s, 'a');
    lanes_send_each(s->self, a, "123456789");
    CHECK_INT(lanes_dropped(s, a), 5);
    CHECK_INT(stage_stats(s).dropped, 5);
    CHECK_INT(stage_stats(s).refused, 0);
    stage_settle(s);
    stage_expect(s, "+a a:6 a:7 a:8 a:9");
    CHECK(stage_logged(s, "(4 messages dropped so far)"));
    CHECK_INT(s->log_lines, 3); /* at 1, 2, 4 */
    lanes_send_each(s->self, a, "xy");
    stage_settle(s);
    stage_expect(s, "a:x a:y");
    CHECK_INT(lanes_dropped(s, a), 5);
    stage_check_conserved(s);
}

static void test_the_newest_are_kept(void **state)
{
    (void)state;
    stage_each_seed(scene_drop_old, NULL);
}

static int ask_peer(gr_actor *self, puppet *p, const gr_msg *msg);

static int hear_answer(gr_actor *self, void *state, const gr_msg *msg)
{
    puppet *p = state;
    (void)self;
    stage_note(p->on, "answer:%s", gr_errname(gr_msg_status(msg)));
    return 0;
}

static int ask_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_ask(self, p->peer, GR_FOREVER, gr_then(hear_answer, 0), "q");
}

static int flood_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    GR_TRY(ask_peer(self, p, msg));
    for (unsigned i = 0; i < LANES_HARD; i++) {
        GR_TRY(gr_send(self, p->peer, "x"));
    }
    return 0;
}

static void scene_dropped_question(stage *s)
{
    gr_pid a = lanes_dropper(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do(s, a, puppet_be_counter);
    stage_expect_words(s, "+a +b");
    stage_do_to(s, b, flood_peer, a); /* one turn: the question is dropped */
    stage_expect(s, "answer:GR_EAGAIN");
    CHECK_INT(lanes_dropped(s, a), 1);
    CHECK_INT(stage_stats(s).slowed, 0);
    /* And one that waits when the receiver dies. */
    CHECK_RC(
        gr_send(s->self, b, "puppet.do_to", (uint64_t)(uintptr_t)ask_peer, a),
        0);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    CHECK(strcmp(s->journal, "answer:GR_ENOPROC") == 0 ||
          strcmp(s->journal, "answer:GR_ENOREPLY") == 0);
    s->journal[0] = '\0';
}

static void test_whose_question_is_dropped_hears_it(void **state)
{
    (void)state;
    stage_each_seed(scene_dropped_question, NULL);
}

/* Presses one receiver, which others must not notice. */
static int press_then_send(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    for (unsigned i = 0; i < 3 * LANES_HARD; i++) {
        GR_TRY(gr_send(self, gr_self(self), "own"));
    }
    for (unsigned i = 0; i < 3 * LANES_HARD; i++) {
        GR_TRY(gr_send(self, p->peer, "x"));
    }
    return 0;
}

static void scene_pressed_sender(stage *s)
{
    gr_pid a = lanes_dropper(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do_to(s, b, press_then_send, a);
    CHECK_INT(lanes_dropped(s, a), 2 * LANES_HARD);
    s->journal[0] = '\0';
}

static void test_who_presses_another_finds_the_ring(void **state)
{
    (void)state;
    stage_each_seed(scene_pressed_sender,
                    &(gr_system_opts){.mailbox_soft = LANES_HARD});
}

/* Messages and signals in turn; what is left of the messages keeps its place
 * among the signals. */
static int speak_and_die(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_ref ref;
    (void)msg;
    GR_TRY(gr_send(self, p->peer, "one"));
    GR_TRY(gr_send(self, p->peer, "two"));
    GR_TRY(gr_monitor(self, p->peer, &ref));
    GR_TRY(gr_send(self, p->peer, "three"));
    GR_TRY(gr_stop(self, p->peer)); /* a request: it traps exits */
    GR_TRY(gr_send(self, p->peer, "four"));
    gr_exit(self, 0, NULL);
    return 0;
}

static int watch_and_trap(gr_actor *self, puppet *p, const gr_msg *msg)
{
    GR_TRY(puppet_trap(self, p, msg));
    return puppet_monitor(self, p, msg);
}

static void scene_order(stage *s)
{
    gr_pid a = lanes_dropper(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do_to(s, a, watch_and_trap, b);
    stage_expect_words(s, "+a +b");
    stage_do_to(s, b, speak_and_die, a);
    stage_expect(s, "-b:normal a:one a:two a:three a<stop a:four "
                    "a<down:b:normal");
    stage_check_conserved(s);
}

static void test_messages_and_signals_keep_their_order(void **state)
{
    (void)state;
    stage_each_seed(scene_order, NULL);
}

static int speak_much(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    GR_TRY(gr_send(self, p->peer, "old"));
    GR_TRY(gr_stop(self, p->peer));
    for (unsigned i = 0; i < LANES_HARD; i++) {
        GR_TRY(gr_send(self, p->peer, "new"));
    }
    gr_exit(self, 0, NULL);
    return 0;
}

static void scene_order_with_drops(stage *s)
{
    gr_pid a = lanes_dropper(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do_to(s, a, watch_and_trap, b);
    stage_expect_words(s, "+a +b");
    stage_do_to(s, b, speak_much, a);
    stage_expect(s, "-b:normal a<stop a:new a:new a:new a:new a<down:b:normal");
    CHECK_INT(lanes_dropped(s, a), 1);
}

static void test_a_drop_leaves_the_order_of_the_rest(void **state)
{
    (void)state;
    stage_each_seed(scene_order_with_drops, NULL);
}

static void scene_dropper_dies(stage *s)
{
    gr_pid a = lanes_dropper(s, 'a');
    stage_settle(s);
    lanes_send_each(s->self, a, "123456");
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "+a");
    CHECK_INT(stage_stats(s).dead_letters, LANES_HARD);
    lanes_send_each(s->self, a, "7");
    CHECK_INT(stage_stats(s).dead_letters, LANES_HARD + 1);
    gr_pid b = lanes_dropper(s, 'b');
    CHECK_INT(gri_pid_index(a), gri_pid_index(b));
    lanes_send_each(s->self, b, "x");
    lanes_send_each(s->self, a, "8");
    CHECK_INT(lanes_dropped(s, b), 0);
    stage_settle(s);
    stage_expect(s, "+b b:x");
    stage_check_conserved(s);
}

static void test_a_dropper_ends_as_others(void **state)
{
    (void)state;
    stage_each_seed(scene_dropper_dies, NULL);
}

static void scene_both(stage *s)
{
    gr_pid a = lanes_with(s, 'a',
                          (gr_mailbox){.hard = 2,
                                       .full = GR_FULL_DROP_OLD,
                                       .urgent = LANES_URGENT});
    lanes_send_each(s->self, a, "xyz");
    lanes_urge_each(s, a, "123");
    CHECK_RC(gr_send_urgent(s->self, a, "4"), GR_EAGAIN);
    CHECK_RC(gr_stop(s->self, a), 0);
    gr_actor_info info;
    CHECK_RC(gr_actor_inspect(s->sys, a, &info), 0);
    CHECK_INT(info.dropped, 1);
    CHECK_INT(info.waiting, 2 + LANES_URGENT);
    CHECK_RC(gr_actor_inspect(s->sys, gr_self(s->self), &info), 0);
    CHECK_INT(info.sent, 3 + 3);
    stage_settle(s);
    stage_expect(s, "+a a:1 a:2 a:3 a:y a:z -a:shutdown");
}

static void test_both_lanes_at_once(void **state)
{
    (void)state;
    stage_each_seed(scene_both, NULL);
}

static void scene_kept(stage *s)
{
    gr_pid a = lanes_dropper(s, 'a');
    stage_do(s, a, puppet_be_counter);
    CHECK_RC(gr_call(s->self, a, 1000, gr_expect("x"), "x"), GR_ENOREPLY);
    gr_pid b = urgent_one(s, 'b');
    stage_do(s, b, puppet_be_counter);
    CHECK_RC(gr_call(s->self, b, 1000, gr_expect("x"), "x"), GR_ENOREPLY);
    s->journal[0] = '\0';
}

static void test_questions_to_lanes_are_answered(void **state)
{
    (void)state;
    stage_each_seed(scene_kept, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urgent_messages_overtake_in_their_order),
        cmocka_unit_test(test_the_urgent_lane_is_bounded),
        cmocka_unit_test(test_urgent_messages_keep_their_order_while_some_come),
        cmocka_unit_test(test_without_a_lane_it_is_an_ordinary_message),
        cmocka_unit_test(test_a_death_comes_behind_urgent_last_words),
        cmocka_unit_test(test_a_lane_is_of_one_run_only),
        cmocka_unit_test(test_who_was_woken_looks),
        cmocka_unit_test(test_the_newest_are_kept),
        cmocka_unit_test(test_whose_question_is_dropped_hears_it),
        cmocka_unit_test(test_who_presses_another_finds_the_ring),
        cmocka_unit_test(test_messages_and_signals_keep_their_order),
        cmocka_unit_test(test_a_drop_leaves_the_order_of_the_rest),
        cmocka_unit_test(test_a_dropper_ends_as_others),
        cmocka_unit_test(test_both_lanes_at_once),
        cmocka_unit_test(test_questions_to_lanes_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
