/* tests/actors/test_links.c - links and monitors: who hears of whose end. */
#include "tests/support/stage.h"

static int unlink_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_unlink(self, p->peer);
}

static int untrap(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    gr_trap_exit(self, false);
    return 0;
}

static int demonitor(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_demonitor(self, p->ref);
    return 0;
}

static void kill_it(stage *s, gr_pid pid)
{
    CHECK_RC(gr_kill(s->self, pid), 0);
    stage_settle(s);
}

/* ---- links ---- */

static void scene_link_both_ways(stage *s)
{
    for (unsigned which = 0; which < 2; which++) {
        gr_pid a = stage_puppet(s, 'a');
        gr_pid b = stage_puppet(s, 'b');
        stage_do_to(s, a, puppet_link, b);
        stage_do_to(s, b, puppet_link, a); /* one a pair, in both directions */
        stage_expect_words(s, "+a +b");
        stage_do(s, which == 0 ? a : b, puppet_fail);
        stage_expect(s, which == 0 ? "-a:error -b:error" : "-b:error -a:error");
    }
    CHECK_INT(stage_stats(s).failed, 4);
}

static void test_a_failure_ends_what_is_linked_both_ways(void **state)
{
    (void)state;
    stage_each_seed(scene_link_both_ways, NULL);
}

static void scene_link_reason(stage *s)
{
    gr_ref ref;
    gr_spawn_opts opts = {.monitor = &ref};
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    gr_pid c =
        stage_puppet_with(s, s->self, 'c', &puppet_behavior, &opts, NULL);
    const gr_msg *msg;
    gr_exit_reason why;
    stage_do_to(s, a, puppet_link, b);
    stage_do_to(s, b, puppet_link, c);
    stage_do(s, a, puppet_fail);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match_down(msg, NULL, NULL, &why));
    /* The same reason, all along the chain. */
    CHECK_INT(why.kind, GR_EXIT_ERROR);
    CHECK_INT(why.code, ERROR_TEST);
    CHECK(strcmp(why.text, "receive") == 0);
}

static void test_a_reason_travels_along_links(void **state)
{
    (void)state;
    stage_each_seed(scene_link_reason, NULL);
}

static void scene_normal_exit(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    gr_pid t = stage_puppet(s, 't');
    stage_do(s, t, puppet_trap);
    stage_do_to(s, a, puppet_link, b);
    stage_do_to(s, a, puppet_link, t);
    stage_expect_words(s, "+a +b +t");
    stage_do(s, a, puppet_leave);
    stage_expect(s, "-a:normal t<exit:a:normal");
    gr_tell(s->self, b, "lives");
    stage_settle(s);
    stage_expect(s, "b:lives");
}

static void test_a_normal_exit_ends_nobody(void **state)
{
    (void)state;
    stage_each_seed(scene_normal_exit, NULL);
}

static void scene_shutdown_travels(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, a, puppet_link, b);
    stage_expect_words(s, "+a +b");
    CHECK_RC(gr_stop(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "-a:shutdown -b:shutdown");
}

static void test_a_shutdown_ends_what_is_linked(void **state)
{
    (void)state;
    stage_each_seed(scene_shutdown_travels, NULL);
}

static void scene_killed_link(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, a, puppet_link, b);
    stage_expect_words(s, "+a +b");
    kill_it(s, a);
    /* Only a was killed: b still ends in order. */
    stage_expect(s, "-b:killed");
}

static void test_terminate_is_called_when_a_link_was_killed(void **state)
{
    (void)state;
    stage_each_seed(scene_killed_link, NULL);
}

static void scene_trap(stage *s)
{
    gr_pid t = stage_puppet(s, 't');
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, t, puppet_trap);
    stage_do_to(s, t, puppet_link, a);
    stage_do_to(s, t, puppet_link, b);
    stage_expect_words(s, "+t +a +b");
    stage_do(s, a, puppet_fail);
    stage_expect(s, "-a:error t<exit:a:error");
    stage_do(s, t, untrap);
    kill_it(s, b);
    stage_expect(s, "-t:killed");
}

static void test_trapped_exits_are_messages(void **state)
{
    (void)state;
    stage_each_seed(scene_trap, NULL);
}

static void scene_unlink(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, a, puppet_link, b);
    stage_do(s, a, unlink_peer);
    stage_do(s, a, unlink_peer); /* no link: no error */
    stage_expect_words(s, "+a +b");
    stage_do(s, a, puppet_fail);
    stage_expect(s, "-a:error");
    gr_tell(s->self, b, "lives");
    stage_settle(s);
    stage_expect(s, "b:lives");
}

static void test_unlink(void **state)
{
    (void)state;
    stage_each_seed(scene_unlink, NULL);
}

static void scene_unlink_of_a_queued_exit(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    CHECK_RC(gr_link(s->self, a), 0);
    stage_do(s, a, puppet_fail);
    /* The exit waits for $ by now. */
    CHECK_RC(gr_unlink(s->self, a), 0);
    stage_drain(s);
    stage_expect(s, "+a -a:error");
}

static void test_no_exit_is_seen_after_unlink(void **state)
{
    (void)state;
    stage_each_seed(scene_unlink_of_a_queued_exit, NULL);
}

static void scene_unlink_of_a_saved_exit(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    CHECK_RC(gr_link(s->self, a), 0);
    stage_do(s, a, puppet_fail);
    CHECK_RC(gr_sleep(s->self, 1), 0); /* takes it in, and sets it aside */
    CHECK_RC(gr_unlink(s->self, a), 0);
    stage_drain(s);
    stage_expect(s, "+a -a:error");
}

static void test_no_exit_is_seen_after_unlink_and_a_wait(void **state)
{
    (void)state;
    stage_each_seed(scene_unlink_of_a_saved_exit, NULL);
}

/* $ unlinks while a link that a asks for anew is on its way: a's stands. */
static void scene_link_crosses_unlink(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do_to(s, a, puppet_link, gr_self(s->self));
    CHECK_RC(gr_sleep(s->self, 1), 0); /* $ has heard of the link */
    CHECK_RC(gr_send(s->self, a, "puppet.do_to",
                     (uint64_t)(uintptr_t)puppet_link, gr_self(s->self)),
             0);
    CHECK_RC(gr_unlink(s->self, a), 0);
    stage_settle(s);
    stage_do(s, a, puppet_fail);
    stage_drain(s);
    stage_expect(s, "+a -a:error $<exit:a:error");
}

static void test_a_link_that_crosses_an_unlink_stands(void **state)
{
    (void)state;
    stage_each_seed(scene_link_crosses_unlink, NULL);
}

static void scene_link_to_dead(stage *s)
{
    gr_pid dead = stage_puppet(s, 'd');
    gr_pid a = stage_puppet(s, 'a');
    gr_pid t = stage_puppet(s, 't');
    kill_it(s, dead);
    stage_do(s, t, puppet_trap);
    stage_expect_words(s, "+d +a +t");
    stage_do_to(s, t, puppet_link, dead);
    stage_expect(s, "t<exit:d:noproc");
    stage_do_to(s, a, puppet_link, dead);
    stage_expect(s, "-a:noproc");
    CHECK_RC(gr_link(s->self, gr_self(s->self)), GR_EINVAL);
    gr_pid never = {gr_system_node(s->sys).id, UINT64_C(9) << 32 | 9999999};
    CHECK_RC(gr_link(s->self, never), 0);
    stage_drain(s);
    stage_expect(s, "$<exit:?:noproc");
}

static void test_a_link_to_the_dead_tells_at_once(void **state)
{
    (void)state;
    stage_each_seed(scene_link_to_dead, NULL);
}

/* ---- monitors ---- */

static void scene_monitor(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_ref one;
    gr_ref two;
    CHECK_RC(gr_monitor(s->self, a, &one), 0);
    CHECK_RC(gr_monitor(s->self, a, &two), 0); /* each has its own message */
    CHECK(one.id != two.id);
    stage_do(s, a, puppet_fail);
    for (unsigned i = 0; i < 2; i++) {
        const gr_msg *msg;
        gr_exit_reason why;
        gr_ref ref;
        gr_pid from;
        CHECK_RC(gr_receive(s->self, 0, &msg), 0);
        CHECK(gr_match_down(msg, &ref, &from, &why));
        CHECK(!gr_match_exit(msg, NULL, NULL));
        CHECK(!gr_match_stop(msg, NULL) && !gr_match_started(msg, NULL));
        CHECK(gr_match_down(msg, NULL, NULL, NULL)); /* may all be NULL */
        CHECK(ref.id == one.id || ref.id == two.id);
        CHECK(gr_pid_eq(from, a));
        CHECK_INT(why.kind, GR_EXIT_ERROR);
        CHECK_INT(why.code, ERROR_TEST);
    }
    stage_drain(s);
    stage_expect(s, "+a -a:error"); /* once, and nobody else ends */
}

static void test_monitor(void **state)
{
    (void)state;
    stage_each_seed(scene_monitor, NULL);
}

static void scene_monitor_dead(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_ref ref;
    kill_it(s, a);
    CHECK_RC(gr_monitor(s->self, a, &ref), 0);
    stage_drain(s);
    stage_expect(s, "+a $<down:a:noproc");
    CHECK_RC(gr_monitor(s->self, gr_self(s->self), &ref), 0); /* of oneself */
    stage_drain(s);
    stage_expect(s, "");
}

static void test_a_monitor_of_the_dead_tells_at_once(void **state)
{
    (void)state;
    stage_each_seed(scene_monitor_dead, NULL);
}

static void scene_demonitor(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    gr_pid c = stage_puppet(s, 'c');
    gr_ref ref;
    /* Before the end, by another actor. */
    stage_do_to(s, b, puppet_monitor, a);
    stage_do(s, b, demonitor);
    stage_do(s, b, demonitor); /* again: nothing */
    stage_expect_words(s, "+a +b +c");
    stage_do(s, a, puppet_fail);
    stage_expect(s, "-a:error");
    /* When the message waits already. */
    CHECK_RC(gr_monitor(s->self, b, &ref), 0);
    stage_do(s, b, puppet_fail);
    gr_demonitor(s->self, ref);
    stage_drain(s);
    stage_expect(s, "-b:error");
    /* When a wait for something else has set it aside. */
    CHECK_RC(gr_monitor(s->self, c, &ref), 0);
    stage_do(s, c, puppet_fail);
    CHECK_RC(gr_sleep(s->self, 1), 0);
    gr_demonitor(s->self, ref);
    stage_drain(s);
    stage_expect(s, "-c:error");
}

static void test_no_down_is_seen_after_demonitor(void **state)
{
    (void)state;
    stage_each_seed(scene_demonitor, NULL);
}

static int send_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    for (int i = 0; i < 3; i++) {
        gr_tell(self, gr_sender(msg), "word");
    }
    return ERROR_TEST;
}

static void scene_down_is_last(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_ref ref;
    CHECK_RC(gr_monitor(s->self, a, &ref), 0);
    stage_do(s, a, send_and_fail);
    stage_drain(s);
    stage_expect(s, "+a -a:error $:word $:word $:word $<down:a:error");
}

static void test_down_comes_behind_the_last_words(void **state)
{
    (void)state;
    stage_each_seed(scene_down_is_last, NULL);
}

/* Whatever tag a program gives its message, it is not the runtime's. */
static int forge(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    gr_pid to = gr_sender(msg);
    gr_tell(self, to, "gr.exit", gr_self(self), 2, 0, "forged");
    gr_tell(self, to, "gr.down", 1, gr_self(self), 2, 0, "forged");
    return 0;
}

static void scene_forged(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, forge);
    for (unsigned i = 0; i < 2; i++) {
        const gr_msg *msg;
        CHECK_RC(gr_receive(s->self, 0, &msg), 0);
        CHECK(!gr_match_exit(msg, NULL, NULL));
        CHECK(!gr_match_down(msg, NULL, NULL, NULL));
    }
}

static void test_signals_cannot_be_forged(void **state)
{
    (void)state;
    stage_each_seed(scene_forged, NULL);
}

static void scene_watcher_dies_first(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, b, puppet_monitor, a);
    kill_it(s, b);
    stage_expect_words(s, "+a +b");
    stage_do(s, a, puppet_fail);
    stage_expect(s, "-a:error");
    CHECK_INT(stage_stats(s).dead_letters, 0); /* signals are no letters */
}

static void test_a_watcher_may_die_first(void **state)
{
    (void)state;
    stage_each_seed(scene_watcher_dies_first, NULL);
}

static int ignore(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)p, (void)msg;
    return 0;
}

static void scene_kill_overtakes(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_ref gone;
    gr_ref ref;
    const gr_msg *msg;
    gr_exit_reason why;
    stage_settle(s);
    stage_do(s, a, ignore);
    CHECK_RC(gr_monitor(s->self, a, &gone), 0);
    CHECK_RC(gr_monitor(s->self, a, &ref), 0);
    gr_demonitor(s->self, gone);
    CHECK_RC(gr_link(s->self, a), 0);
    CHECK_RC(gr_kill(s->self, a), 0); /* looked at before all of them */
    for (unsigned i = 0; i < 2; i++) {
        CHECK_RC(gr_receive(s->self, 0, &msg), 0);
        gr_ref which = ref;
        CHECK(gr_match_exit(msg, NULL, &why) ||
              gr_match_down(msg, &which, NULL, &why));
        CHECK(which.id == ref.id);
        CHECK_INT(why.kind, GR_EXIT_KILLED);
    }
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
}

static void test_a_kill_that_overtakes_ties_is_what_they_tell(void **state)
{
    (void)state;
    stage_each_seed(scene_kill_overtakes, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failure_ends_what_is_linked_both_ways),
        cmocka_unit_test(test_a_reason_travels_along_links),
        cmocka_unit_test(test_a_normal_exit_ends_nobody),
        cmocka_unit_test(test_a_shutdown_ends_what_is_linked),
        cmocka_unit_test(test_terminate_is_called_when_a_link_was_killed),
        cmocka_unit_test(test_trapped_exits_are_messages),
        cmocka_unit_test(test_unlink),
        cmocka_unit_test(test_no_exit_is_seen_after_unlink),
        cmocka_unit_test(test_no_exit_is_seen_after_unlink_and_a_wait),
        cmocka_unit_test(test_a_link_that_crosses_an_unlink_stands),
        cmocka_unit_test(test_a_link_to_the_dead_tells_at_once),
        cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_a_monitor_of_the_dead_tells_at_once),
        cmocka_unit_test(test_no_down_is_seen_after_demonitor),
        cmocka_unit_test(test_down_comes_behind_the_last_words),
        cmocka_unit_test(test_signals_cannot_be_forged),
        cmocka_unit_test(test_a_watcher_may_die_first),
        cmocka_unit_test(test_a_kill_that_overtakes_ties_is_what_they_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
