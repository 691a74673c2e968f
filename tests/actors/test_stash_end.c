/*
 * tests/actors/test_stash_end.c - what becomes of stashed messages beside their
 * being handled.
 *
 * Goal:   none is lost to the counters, to who asked, to who cancelled or to
 *         the memory, however its actor ends.
 * Method: as test_stash.c.
 */
#include "tests/support/waiter.h"

WAITER_HEARS(be_waiter, waiter_hear)

/* ---- asked ones ------------------------------------------------------------
 */

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    puppet *p = state;
    int status = gr_msg_status(reply);
    CHECK_RC(gr_stash(self, reply), GR_EINVAL); /* nobody would know it */
    stage_note(p->on, "%c=%s", p->letter, gr_errname(status));
    return 0;
}

static int ask_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_ask(self, p->peer, GR_FOREVER, gr_then(on_answer, 0), "question");
}

static int answer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    CHECK(gr_msg_asked(msg));
    return gr_reply(self, msg, "answer");
}

static int answer_after_go(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int rc = waiter_hear(self, p, msg);
    p->hear = p->hear == waiter_note ? answer : p->hear;
    return rc;
}

WAITER_HEARS(be_answerer, answer_after_go)

static void scene_asked(stage *s)
{
    gr_pid a = waiter_puppet(s, be_answerer);
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, b, ask_peer, a);
    stage_expect(s, "+b");
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect(s, "b=GR_OK");
    /* Given again, and not answered. */
    stage_do(s, a, be_waiter);
    stage_do_to(s, b, ask_peer, a);
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect(s, "a:question b=GR_ENOREPLY");
    /* The end of whoever has it in its stash. */
    stage_do(s, a, be_waiter);
    stage_do_to(s, b, ask_peer, a);
    stage_do_to(s, b, ask_peer, a);
    stage_do(s, a, puppet_leave);
    stage_expect(s, "-a:normal b=GR_ENOPROC b=GR_ENOPROC");
    CHECK_INT(stage_stats(s).dead_letters, 2);
}

static void test_asked_ones_stay_to_be_answered(void **state)
{
    (void)state;
    stage_each_seed(scene_asked, NULL);
}

/* ---- ends ------------------------------------------------------------------
 */

static int stash_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    CHECK_RC(gr_stash(self, msg), 0);
    return ERROR_TEST;
}

static int unstash_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    gr_unstash(self);
    return ERROR_TEST;
}

static int fail_again(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int rc = waiter_hear(self, p, msg);
    p->hear = p->hear == waiter_note ? stash_and_fail : p->hear;
    return rc;
}

static int keep_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    CHECK(gr_keep(self, msg) == msg);
    return ERROR_TEST;
}

static int keep_again(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int rc = waiter_hear(self, p, msg);
    p->hear = p->hear == waiter_note ? keep_and_fail : p->hear;
    return rc;
}

/* The first one fails when it is given again, while the second, stashed now, is
 * the inbox's first node still. */
static int swap_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_unstash(self);
    return ++p->n < 3 ? gr_stash(self, msg) : ERROR_TEST;
}

WAITER_HEARS(be_swapping_failure, swap_and_fail)
WAITER_HEARS(be_stashing_failure, stash_and_fail)
WAITER_HEARS(be_failing_again, fail_again)
WAITER_HEARS(be_keeping_failure, keep_again)

static void scene_ends(stage *s)
{
    gr_pid a = waiter_puppet(s, be_waiter);
    waiter_tell(s, a, "one two");
    stage_settle(s);
    stage_do(s, a, puppet_leave);
    stage_expect(s, "-a:normal");
    CHECK_INT(stage_stats(s).dead_letters, 2);
    /* With the message in hand. */
    a = waiter_puppet(s, be_stashing_failure);
    waiter_tell(s, a, "one");
    stage_settle(s);
    stage_expect(s, "-a:error");
    CHECK_INT(stage_stats(s).dead_letters, 3);
    /* With one that was given again, and stashed again. */
    a = waiter_puppet(s, be_failing_again);
    waiter_tell(s, a, "one two three go");
    stage_settle(s);
    stage_expect(s, "-a:error");
    CHECK_INT(stage_stats(s).dead_letters, 6);
    /* Given back, and never given again. */
    a = waiter_puppet(s, be_waiter);
    waiter_tell(s, a, "one two");
    stage_do(s, a, unstash_and_fail);
    stage_expect(s, "-a:error");
    CHECK_INT(stage_stats(s).dead_letters, 8);
    a = waiter_puppet(s, be_swapping_failure);
    waiter_tell(s, a, "one two");
    stage_settle(s);
    stage_expect(s, "-a:error");
    CHECK_INT(stage_stats(s).dead_letters, 9); /* the other one was handled */
    waiter_check_blocks(s);
    /* Kept when it was given again. */
    a = waiter_puppet(s, be_keeping_failure);
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, b, ask_peer, a);
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect_words(s, "+b -a:error b=GR_ENOPROC");
    CHECK_INT(stage_stats(s).dead_letters, 9);
}

static void test_the_end_makes_them_dead_letters(void **state)
{
    (void)state;
    stage_each_seed(scene_ends, NULL);
}

/* ---- kept ones -------------------------------------------------------------
 */

static int keep_some(gr_actor *self, puppet *p, const gr_msg *msg)
{
    const gr_msg *kept = gr_keep(self, msg);
    CHECK(kept == msg);
    CHECK_RC(gr_stash(self, msg), GR_EINVAL);
    if (p->kept == NULL) {
        p->kept = kept;
    } else {
        gr_release(self, kept); /* at once */
    }
    return waiter_note(self, p, msg);
}

static int go_to_keep(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int rc = waiter_hear(self, p, msg);
    p->hear = p->hear == waiter_note ? keep_some : p->hear;
    return rc;
}

static int read_kept(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    waiter_note(self, p, p->kept);
    gr_release(self, p->kept);
    p->kept = NULL;
    return 0;
}

WAITER_HEARS(be_keeper, go_to_keep)

static void scene_kept(stage *s)
{
    gr_pid a = waiter_puppet(s, be_keeper);
    waiter_tell(s, a, "one two three go four");
    stage_settle(s);
    stage_expect(s, "a:one a:two a:three a:four");
    waiter_tell(s, a, "five six");
    stage_settle(s);
    stage_do(s, a, read_kept);
    stage_expect(s, "a:five a:six a:one");
}

static void test_what_is_given_again_may_be_kept(void **state)
{
    (void)state;
    stage_each_seed(scene_kept, NULL);
}

/* ---- limits and errors -----------------------------------------------------
 */

static int stash_to_the_limit(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (waiter_has_tag(msg, "go")) {
        p->hear = waiter_note;
        gr_unstash(self);
        return 0;
    }
    int rc = gr_stash(self, msg);
    stage_note(p->on, "%s", gr_errname(rc));
    return rc == GR_EAGAIN ? 0 : rc;
}

WAITER_HEARS(be_limited, stash_to_the_limit)

static void scene_limits(stage *s)
{
    static const char body[400];
    static gr_behavior small, narrow; /* they outlive the stage */
    small = puppet_behavior;
    small.mailbox.hard = 2;
    gr_pid a = stage_puppet_with(s, s->self, 'a', &small, NULL, be_limited);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            waiter_tell(s, a, "x");
            stage_settle(s);
        }
        stage_expect(s, round == 0 ? "+a GR_OK GR_OK GR_EAGAIN"
                                   : "GR_OK GR_OK GR_EAGAIN");
        waiter_tell(s, a, "go");
        stage_settle(s);
        stage_expect(s, "a:x a:x");
        stage_do(s, a, be_limited);
    }
    narrow = puppet_behavior;
    narrow.arena_max = 1100;
    gr_pid b = stage_puppet_with(s, s->self, 'b', &narrow, NULL, be_limited);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            CHECK_RC(gr_send(s->self, b, "big", gr_bin(body, sizeof body)), 0);
        }
        stage_settle(s);
        stage_expect(s, round == 0 ? "+b GR_OK GR_OK GR_EAGAIN"
                                   : "GR_OK GR_OK GR_EAGAIN");
        waiter_tell(s, b, "go");
        stage_settle(s);
        stage_expect(s, "b:big b:big");
        stage_do(s, b, be_limited);
    }
}

static int stash_wrongly(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK_RC(gr_stash(self, NULL), GR_EINVAL);
    if (p->kept != NULL) {
        CHECK_RC(gr_stash(self, p->kept), GR_EINVAL);
        gr_release(self, p->kept);
        CHECK_RC(gr_stash(self, msg), 0);
        CHECK_RC(gr_stash(self, msg), GR_EINVAL); /* it is there */
        CHECK(gr_keep(self, msg) == NULL);
        p->hear = waiter_note;
        gr_unstash(self);
        CHECK_RC(gr_stash(self, msg), GR_EINVAL); /* it is to be given again */
        return gr_unhandled(self, msg);           /* it will be: not yet */
    }
    p->kept = gr_keep(self, msg);
    CHECK_RC(gr_stash(self, msg), GR_EINVAL);
    return 0;
}

static int stash_in_init(gr_actor *self, puppet *p, const gr_msg *args)
{
    CHECK_RC(gr_stash(self, args), GR_EINVAL);
    gr_unstash(self);
    gr_unstash_one(self);
    p->hear = stash_wrongly;
    return 0;
}

static void scene_errors(stage *s)
{
    gr_pid a = waiter_puppet(s, stash_in_init);
    waiter_tell(s, a, "one two three");
    stage_settle(s);
    stage_expect(s, "a:two a:three");
    CHECK_INT(stage_stats(s).dead_letters, 0);
    /* A thread actor waits for what it wants. */
    waiter_tell(s, gr_self(s->self), "own");
    const gr_msg *msg;
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK_RC(gr_stash(s->self, msg), GR_ENOTSUP);
    gr_unstash(s->self);
    gr_unstash_one(s->self);
    CHECK_RC(gr_unhandled(s->self, msg), 0);
    CHECK_INT(stage_stats(s).dead_letters, 1);
}

static void test_limits_and_errors(void **state)
{
    (void)state;
    stage_each_seed(scene_limits, NULL);
    stage_each_seed(scene_errors, NULL);
}

/* ---- what the runtime sends ------------------------------------------------
 */

static int set_timers(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = waiter_hear;
    CHECK_RC(gr_after(self, 10, &p->timer, "once"), 0);
    return gr_every(self, 10, NULL, "tick");
}

static int cancel_once(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_timer_cancel(self, p->timer);
    return 0;
}

static void scene_timers(stage *s)
{
    gr_pid a = waiter_puppet(s, set_timers);
    gr_sim_advance(s->sys, 35); /* only the first tick: it is not handled yet */
    CHECK_INT(waiter_waiting(s), 0);
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect(s, "a:once a:tick");
    gr_sim_advance(s->sys, 10); /* at 40, as if nothing had been */
    stage_expect(s, "a:tick");
}

/* A cancel also forgets what is stashed. */
static void scene_cancelled(stage *s)
{
    gr_pid a = waiter_puppet(s, set_timers);
    gr_sim_advance(s->sys, 15);
    waiter_tell(s, a, "x");
    stage_do(s, a, cancel_once);
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect(s, "a:tick a:x");
}

/* At the end a fire that nobody receives is nothing. */
static void scene_timers_end(stage *s)
{
    gr_pid a = waiter_puppet(s, set_timers);
    gr_sim_advance(s->sys, 15);
    stage_do(s, a, puppet_leave);
    stage_expect(s, "-a:normal");
    CHECK_INT(stage_stats(s).dead_letters, 0);
    CHECK_INT(waiter_waiting(s), 0);
}

/* Cancels it when it has just been stashed. */
static int stash_and_cancel(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK_RC(gr_stash(self, msg), 0);
    if (waiter_has_tag(msg, "go")) {
        gr_unstash(self);
        p->hear = waiter_note;
    } else if (waiter_has_tag(msg, "once")) {
        gr_timer_cancel(self, p->timer);
    }
    return 0;
}

static int set_one(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = stash_and_cancel;
    return gr_after(self, 10, &p->timer, "once");
}

static void scene_cancel_in_hand(stage *s)
{
    gr_pid a = waiter_puppet(s, set_one);
    waiter_tell(s, a, "one");
    gr_sim_advance(s->sys, 10);
    waiter_tell(s, a, "two go three");
    stage_settle(s);
    stage_expect(s, "a:one a:two a:go a:three");
    waiter_check_blocks(s);
}

/* Cancels it when it is the last that is to be given again. */
static int unstash_and_cancel(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK_RC(gr_stash(self, msg), 0);
    if (waiter_has_tag(msg, "once")) {
        p->n++;
        return 0;
    }
    if (p->n == 1) {
        p->hear = waiter_note;
        gr_unstash_one(self);
        gr_unstash_one(self);
        gr_timer_cancel(self, p->timer);
        gr_unstash(self);
    }
    return 0;
}

static int set_last(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = unstash_and_cancel;
    return gr_after(self, 10, &p->timer, "once");
}

static void scene_cancel_given_back(stage *s)
{
    gr_pid a = waiter_puppet(s, set_last);
    waiter_tell(s, a, "one");
    gr_sim_advance(s->sys, 10);
    waiter_tell(s, a, "two three");
    stage_settle(s);
    stage_expect(s, "a:one a:two a:three");
    waiter_check_blocks(s);
}

static int watch_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = waiter_hear;
    gr_trap_exit(self, true);
    CHECK_RC(gr_link(self, p->peer), 0);
    return gr_monitor(self, p->peer, &p->ref);
}

static int unwatch(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_demonitor(self, p->ref);
    return 0;
}

static void scene_signals(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, a, watch_peer, b);
    stage_do(s, b, puppet_fail);
    CHECK_RC(gr_stop(s->self, a), 0);
    stage_settle(s);
    stage_expect_words(s, "+a +b -b:error");
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect_words(s, "a<exit:b:error a<down:b:error a<stop");
    gr_pid c = stage_puppet(s, 'c');
    stage_do_to(s, a, watch_peer, c);
    stage_do(s, c, puppet_fail);
    stage_do(s, a, unwatch); /* its message waits already */
    waiter_tell(s, a, "go");
    stage_settle(s);
    stage_expect_words(s, "+c -c:error a<exit:c:error");
}

static void test_what_the_runtime_sends_can_be_stashed(void **state)
{
    (void)state;
    stage_each_seed(scene_timers, NULL);
    stage_each_seed(scene_cancelled, NULL);
    stage_each_seed(scene_timers_end, NULL);
    stage_each_seed(scene_cancel_in_hand, NULL);
    stage_each_seed(scene_cancel_given_back, NULL);
    stage_each_seed(scene_signals, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_ones_stay_to_be_answered),
        cmocka_unit_test(test_the_end_makes_them_dead_letters),
        cmocka_unit_test(test_what_is_given_again_may_be_kept),
        cmocka_unit_test(test_limits_and_errors),
        cmocka_unit_test(test_what_the_runtime_sends_can_be_stashed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
