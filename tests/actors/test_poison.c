/*
 * tests/actors/test_poison.c - what a run of a stable actor leaves to the next:
 * the message that it failed on, what it had stashed, what waits in lanes.
 *
 * Goal:   in the order in which they came, each handled once, but for the one
 *         that runs fail on; that one as often as was said, and then set aside.
 * Method: as test_revive.c.
 */
#include "tests/support/stable.h"

static const gr_spawn_opts three_times = {.poison_after = 3};

/* ---- how often -------------------------------------------------------------
 */

static void scene_times(stage *s)
{
    gr_pid a = stable_puppet(s, &three_times, stable_be);
    waiter_tell(s, a, "bad one");
    stage_settle(s);
    stage_expect(s, "a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 2);
    CHECK_INT(stage_stats(s).handled, 0);
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 2);
    CHECK_INT(stage_stats(s).poisoned, 0);
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 1);
    CHECK_INT(stage_stats(s).poisoned, 1);
    CHECK_INT(stage_stats(s).dead_letters, 1);
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:one");
    CHECK_INT(stage_stats(s).handled, 1);
    waiter_check_blocks(s);
}

/* What a later run can handle is handled. */
static void scene_recovers(stage *s)
{
    gr_pid a = stable_puppet(s, &three_times, stable_be);
    for (unsigned i = 0; i < 20; i++) {
        waiter_tell(s, a, "bad one");
        stage_settle(s);
        stable_revive(s, a, stable_be);
        stage_expect(s, "a:bad -a:error +a a:bad -a:error");
        stable_revive(s, a, NULL);
        stage_expect(s, "+a a:bad a:one");
        stage_do(s, a, stable_be);
    }
    CHECK_INT(stage_stats(s).dead_letters, 0);
    waiter_check_blocks(s);
}

static void a_message_is_set_aside_after_so_many_runs(void **state)
{
    (void)state;
    stage_each_seed(scene_times, NULL);
    stage_each_seed(scene_recovers, NULL);
}

/* ---- who asked -------------------------------------------------------------
 */

static int fail_asked(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self;
    stage_note_msg(p->on, p->letter, msg);
    return gr_msg_asked(msg) ? ERROR_TEST : 0;
}

WAITER_HEARS(be_failing, fail_asked)

static void scene_asked(stage *s)
{
    gr_spawn_opts twice = {.poison_after = 2};
    gr_pid a = stable_puppet(s, &twice, be_failing);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    CHECK_RC(gr_watch_dead_letters(s->self, true), 0);
    stage_do_to(s, b, stable_ask, a);
    stage_expect(s, "+b a:ask -a:error");
    stable_revive(s, a, be_failing);
    stage_expect_words(s, "+a a:ask -a:error b=GR_ENOPROC");
    const gr_msg *letter;
    gr_pid from, to;
    gr_str why, text;
    CHECK_RC(gr_receive(s->self, 0, &letter), 0);
    CHECK(gr_match(letter, "gr.dead_letter", &from, &to, &why, &text));
    CHECK(gr_pid_eq(from, b) && gr_pid_eq(to, a));
    CHECK(strncmp(why.ptr, "set aside", 9) == 0);
}

static void who_asked_hears_of_it(void **state)
{
    (void)state;
    stage_each_seed(scene_asked, NULL);
}

/* An answered one is given again, and owes nothing. */
static int answer_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (gr_msg_asked(msg)) {
        stage_note(p->on, "asked");
        CHECK_RC(gr_reply(self, msg, "answer"), 0);
        return ERROR_TEST;
    }
    stage_note_msg(p->on, p->letter, msg);
    return 0;
}

WAITER_HEARS(be_answering, answer_and_fail)

static void scene_answered(stage *s)
{
    gr_pid a = stable_puppet(s, &three_times, be_answering);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do_to(s, b, stable_ask, a);
    stage_expect_words(s, "+b asked -a:error b=GR_OK");
    stable_revive(s, a, be_answering);
    stage_expect(s, "+a a:ask");
}

static void an_answered_one_is_given_again_unasked(void **state)
{
    (void)state;
    stage_each_seed(scene_answered, NULL);
}

/* ---- what is no failure, and what is dead already --------------------------
 */

static int disown_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    CHECK_RC(gr_unhandled(self, msg), 0);
    CHECK_RC(gr_unhandled(self, msg), 0); /* once is enough */
    return ERROR_TEST;
}

WAITER_HEARS(be_disowning, disown_and_fail)

static int keep_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    stage_note_msg(p->on, p->letter, msg);
    CHECK(gr_keep(self, msg) != NULL);
    return ERROR_TEST;
}

WAITER_HEARS(be_keeping, keep_and_fail)

static int leave_politely(gr_actor *self, puppet *p, const gr_msg *msg)
{
    stage_note_msg(p->on, p->letter, msg);
    CHECK(gr_keep(self, msg) != NULL);
    gr_exit(self, GR_ESTOPPED, NULL);
    return 0;
}

WAITER_HEARS(be_leaving, leave_politely)

static void scene_others(stage *s)
{
    gr_pid a = stable_puppet(s, &three_times, be_disowning);
    waiter_tell(s, a, "x");
    stage_settle(s);
    stage_expect(s, "-a:error");
    CHECK_INT(stage_stats(s).dead_letters, 1);
    CHECK_INT(stage_stats(s).poisoned, 0);
    stage_check_conserved(s);
    /* Kept by the run that fails on it: in hand all the same. */
    stable_revive(s, a, be_keeping);
    waiter_tell(s, a, "y");
    stage_settle(s);
    stage_expect(s, "+a a:y -a:error");
    stable_revive(s, a, be_keeping);
    stage_expect(s, "+a a:y -a:error");
    CHECK_INT(waiter_waiting(s), 1);
    /* An end by shutdown is no failure; the message is handled. */
    stable_revive(s, a, be_leaving);
    stage_expect(s, "+a a:y -a:shutdown");
    CHECK_INT(waiter_waiting(s), 0);
    stable_revive(s, a, NULL);
    stage_expect(s, "+a");
    CHECK_INT(stage_stats(s).poisoned, 0);
    waiter_check_blocks(s);
}

static void other_ends_of_a_message_are_what_they_were(void **state)
{
    (void)state;
    stage_each_seed(scene_others, NULL);
}

/* ---- the stash -------------------------------------------------------------
 */

static int stash_or_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (waiter_has_tag(msg, "bad")) {
        stage_note_msg(p->on, p->letter, msg);
        return ERROR_TEST;
    }
    return gr_stash(self, msg);
}

WAITER_HEARS(be_stashing, stash_or_fail)

static void scene_stash(stage *s)
{
    gr_pid a = stable_puppet(s, &three_times, be_stashing);
    waiter_tell(s, a, "one two bad three");
    stage_settle(s);
    stage_expect(s, "a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 4);
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:one a:two a:bad a:three");
    /* Stashed by each run, and by none given. */
    stage_do(s, a, be_stashing);
    waiter_tell(s, a, "one two");
    stage_settle(s);
    for (unsigned i = 0; i < 4; i++) {
        stage_do(s, a, puppet_fail); /* behind them in line, three times */
        stable_revive(s, a, be_stashing);
        stable_revive(s, a, be_stashing);
        stable_revive(s, a, be_stashing);
        stage_expect(s, "-a:error +a -a:error +a -a:error +a");
        CHECK_INT(waiter_waiting(s), 2);
    }
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:one a:two");
    waiter_check_blocks(s);
}

/* The run fails on a message that it has stashed, or on one that is given
 * again, while others are to be. */
static int stash_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    stage_note_msg(p->on, p->letter, msg);
    CHECK_RC(gr_stash(self, msg), 0);
    return waiter_has_tag(msg, "bad") ? ERROR_TEST : 0;
}

WAITER_HEARS(be_stashing_all, stash_and_fail)

static void scene_stash_in_hand(stage *s)
{
    gr_pid a = stable_puppet(s, &three_times, be_stashing_all);
    waiter_tell(s, a, "one bad two");
    stage_settle(s);
    stage_expect(s, "a:one a:bad -a:error");
    stable_revive(s, a, be_stashing_all);
    stage_expect(s, "+a a:one a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 3);
    stable_revive(s, a, be_stashing_all);
    stage_expect(s, "+a a:one a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 2);
    CHECK_INT(stage_stats(s).poisoned, 1);
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:one a:two");
    waiter_check_blocks(s);
}

static int unstash_then_be(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = stable_hear;
    gr_unstash(self);
    return 0;
}

static int stash_each(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    return gr_stash(self, msg);
}

WAITER_HEARS(be_hoarding, stash_each)

static void scene_replay(stage *s)
{
    gr_spawn_opts twice = {.poison_after = 2};
    gr_pid a = stable_puppet(s, &twice, be_hoarding);
    waiter_tell(s, a, "one bad two");
    stage_settle(s);
    stage_do(s, a, unstash_then_be);
    stage_expect(s, "a:one a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 2);
    waiter_tell(s, a, "three");
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 2);
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:two a:three");
    waiter_check_blocks(s);
}

static int every(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_every(self, 5, NULL, "tick");
}

/* What it stashed of its own ends with it. */
static void scene_stashed_signals(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, be_hoarding);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do(s, a, puppet_trap);
    stage_do(s, a, every);
    stage_do_to(s, a, puppet_monitor, b);
    stage_do(s, b, puppet_leave);
    waiter_tell(s, a, "one");
    CHECK_RC(gr_stop(s->self, a), 0);
    CHECK_RC(gr_sleep(s->self, 20), 0);
    stage_do(s, a, puppet_fail);
    stage_expect_words(s, "+b -b:normal -a:error");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:one");
    waiter_check_blocks(s);
}

static void what_was_stashed_comes_first_and_in_order(void **state)
{
    (void)state;
    stage_each_seed(scene_stash, NULL);
    stage_each_seed(scene_stash_in_hand, NULL);
    stage_each_seed(scene_replay, NULL);
    stage_each_seed(scene_stashed_signals, NULL);
}

/* Given up with all that waits. */
static void scene_stash_given_up(stage *s)
{
    gr_pid a = stable_puppet(s, &three_times, be_stashing);
    waiter_tell(s, a, "one two bad three");
    stage_settle(s);
    CHECK_RC(gr_give_up(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "a:bad -a:error");
    CHECK_INT(stage_stats(s).dead_letters, 4);
    /* And with the run that has it. */
    a = stable_puppet(s, &three_times, be_stashing);
    waiter_tell(s, a, "one two bad three");
    stage_settle(s);
    stable_revive(s, a, be_stashing);
    CHECK_RC(gr_give_up(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "a:bad -a:error +a a:bad -a:error");
    CHECK_INT(stage_stats(s).dead_letters, 8);
    waiter_check_blocks(s);
}

static void what_waits_ends_with_the_address(void **state)
{
    (void)state;
    stage_each_seed(scene_stash_given_up, NULL);
}

/* ---- lanes and bounds ------------------------------------------------------
 */

static void scene_bounds(stage *s)
{
    gr_spawn_opts opts = {.mailbox = {.soft = 2, .hard = 4}};
    gr_pid a = stable_puppet(s, &opts, NULL);
    stage_do(s, a, puppet_fail);
    waiter_tell(s, a, "1 2 3 4");
    CHECK_RC(gr_send(s->self, a, "5"), GR_EAGAIN);
    stable_revive(s, a, NULL);
    stage_expect(s, "-a:error +a a:1 a:2 a:3 a:4");
}

static void scene_drop_old(stage *s)
{
    gr_spawn_opts opts = {.mailbox = {.hard = 3, .full = GR_FULL_DROP_OLD}};
    gr_pid a = stable_puppet(s, &opts, stable_be);
    gr_pid b = stage_puppet(s, 'b');
    waiter_tell(s, a, "bad 2");
    stage_settle(s);
    waiter_tell(s, a, "3");
    stage_do_to(s, b, stable_stop, a);
    waiter_tell(s, a, "4 5");
    stage_expect_words(s, "+b a:bad -a:error");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:3 -a:shutdown");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:4 a:5");
    CHECK_INT(stage_stats(s).dropped, 1);
}

static void scene_urgent(stage *s)
{
    gr_spawn_opts opts = {.mailbox = {.urgent = 3}, .poison_after = 2};
    gr_pid a = stable_puppet(s, &opts, stable_be);
    waiter_tell(s, a, "x");
    CHECK_RC(gr_send_urgent(s->self, a, "bad"), 0);
    CHECK_RC(gr_send_urgent(s->self, a, "u1"), 0);
    stage_settle(s);
    stage_expect(s, "a:bad -a:error");
    CHECK_RC(gr_send_urgent(s->self, a, "u2"), 0);
    CHECK_RC(gr_kill(s->self, a), 0);
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:bad a:u1 a:u2 a:x");
    /* A kill that finds one in hand. */
    CHECK_RC(gr_send_urgent(s->self, a, "u3"), 0);
    waiter_tell(s, a, "y");
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    CHECK_RC(gr_send_urgent(s->self, a, "u4"), 0);
    stage_expect(s, "");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:u3 a:u4 a:y");
    waiter_check_blocks(s);
}

static void scene_stop_policy(stage *s)
{
    gr_spawn_opts opts = {.mailbox = {.hard = 2, .full = GR_FULL_STOP}};
    gr_pid a = stable_puppet(s, &opts, NULL);
    waiter_tell(s, a, "1 2 3 4"); /* the first is not counted */
    stage_settle(s);
    CHECK_INT(stage_stats(s).exited, 1);
    waiter_tell(s, a, "5");
    stage_settle(s);
    const uint64_t dead = stage_stats(s).dead_letters;
    CHECK(dead >= 1);
    stable_revive(s, a, NULL);
    stage_expect(s, "-a:limit +a a:1 a:2 a:3");
    CHECK_INT(stage_stats(s).dead_letters, dead);
    /* The next kill is no limit. */
    gr_trap_exit(s->self, true);
    CHECK_RC(gr_link(s->self, a), 0);
    stage_settle(s);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    stage_drain(s);
    stage_expect(s, "$<exit:a:killed");
}

static void bounds_and_lanes_hold_between_runs(void **state)
{
    (void)state;
    stage_each_seed(scene_bounds, NULL);
    stage_each_seed(scene_drop_old, NULL);
    stage_each_seed(scene_urgent, NULL);
    stage_each_seed(scene_stop_policy, NULL);
}

/* ---- slow senders ----------------------------------------------------------
 */

enum { FLOOD = 50 };

static int flood(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->n += FLOOD;
    for (unsigned i = 0; i < FLOOD; i++) {
        CHECK_RC(gr_send(self, p->peer, "n"), 0);
    }
    return 0;
}

static int fail_at_ten(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    return ++p->n == 10 ? ERROR_TEST : 0;
}

WAITER_HEARS(be_short, fail_at_ten)

/* Whoever waits for a run that ends goes on; that may be the keeper. */
static void scene_slow(stage *s)
{
    gr_spawn_opts opts = {.mailbox = {.soft = 5, .hard = 1000}};
    gr_pid a = stable_puppet(s, &opts, be_short);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    CHECK_RC(gr_send(s->self, b, "puppet.do_to", (uint64_t)(uintptr_t)flood, a),
             0);
    waiter_tell(s, b, "on");
    stage_settle(s);
    stage_expect_words(s, "+b -a:error b:on");
    /* Nobody waits for who does not run. */
    stage_do_to(s, b, flood, a);
    waiter_tell(s, b, "on");
    stage_settle(s);
    stage_expect(s, "b:on");
    for (unsigned i = 0; i < FLOOD && waiter_waiting(s) > 0; i++) {
        stable_revive(s, a, be_short);
    }
    CHECK_INT(waiter_waiting(s), 0);
    CHECK(stage_stats(s).slowed > 0);
}

static void a_slow_sender_does_not_wait_for_who_does_not_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= STAGE_SEEDS; seed++) {
        stage s;
        stage_start(&s, seed, NULL);
        scene_slow(&s);
        s.journal[0] = '\0';
        stage_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_set_aside_after_so_many_runs),
        cmocka_unit_test(who_asked_hears_of_it),
        cmocka_unit_test(an_answered_one_is_given_again_unasked),
        cmocka_unit_test(other_ends_of_a_message_are_what_they_were),
        cmocka_unit_test(what_was_stashed_comes_first_and_in_order),
        cmocka_unit_test(what_waits_ends_with_the_address),
        cmocka_unit_test(bounds_and_lanes_hold_between_runs),
        cmocka_unit_test(a_slow_sender_does_not_wait_for_who_does_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
