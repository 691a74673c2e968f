/*
 * tests/actors/test_revive.c - stable actors: an address that outlives its
 * runs.
 *
 * Goal:   what is sent to it between two runs waits and loses nothing; what
 *         belonged to a run ends with it; the address ends when it is given up.
 * Method: puppets under several seeds; each scene ends with the equation of all
 *         messages (stage_end).
 */
#include "tests/support/stable.h"

static void play(void (*scene)(stage *s))
{
    stage_each_seed(scene, NULL);
}

/* ---- mail ------------------------------------------------------------------
 */

static void scene_mail(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, stable_be);
    waiter_tell(s, a, "one bad two three");
    stage_settle(s);
    stage_expect(s, "a:one a:bad -a:error");
    CHECK_INT(waiter_waiting(s), 2);
    waiter_tell(s, a, "four");
    stage_settle(s);
    stage_expect(s, "");
    CHECK_INT(waiter_waiting(s), 3);
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:two a:three a:four");
    waiter_tell(s, a, "five");
    stage_settle(s);
    stage_expect(s, "a:five");
    gr_stats t = stage_stats(s);
    CHECK_INT(t.dead_letters, 1);
    CHECK_INT(t.poisoned, 1);
    CHECK_INT(t.failed, 1);
    waiter_check_blocks(s);
}

static void mail_waits_for_the_next_run(void **state)
{
    (void)state;
    play(scene_mail);
}

static int note_self(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    stage_note(p->on, gr_pid_eq(gr_self(self), p->peer) ? "same" : "other");
    return 0;
}

static void scene_many(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, stable_be);
    for (unsigned i = 0; i < 50; i++) {
        waiter_tell(s, a, "bad");
        stage_settle(s);
        stage_expect(s, "a:bad -a:error");
        waiter_tell(s, a, "x y");
        stable_revive(s, a, stable_be);
        stage_expect(s, "+a a:x a:y");
        stage_do_to(s, a, note_self, a);
        stage_expect(s, "same");
    }
    CHECK_INT(stage_stats(s).poisoned, 50);
}

static void a_pid_names_all_of_its_runs(void **state)
{
    (void)state;
    play(scene_many);
}

/* A run that ended normally has handled what it had in hand. */
static void scene_normal(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    CHECK_RC(
        gr_send(s->self, a, "puppet.do", (uint64_t)(uintptr_t)puppet_leave), 0);
    waiter_tell(s, a, "next");
    stage_settle(s);
    stage_expect(s, "-a:normal");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:next");
    CHECK_INT(stage_stats(s).dead_letters, 0);
}

static void a_normal_end_is_no_failure_of_the_message(void **state)
{
    (void)state;
    play(scene_normal);
}

/* ---- asks ------------------------------------------------------------------
 */

static void scene_ask_between(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, stable_be);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do(s, a, puppet_fail);
    stage_do_to(s, b, stable_ask, a);
    stage_expect(s, "+b -a:error");
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:ask b=GR_OK");
}

static void asks_between_runs_are_answered_by_the_next(void **state)
{
    (void)state;
    play(scene_ask_between);
}

static int after(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    CHECK_RC(gr_after(self, 0, NULL, "once"), 0);
    return gr_every(self, 10, NULL, "tick");
}

static int keep_asked(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (gr_msg_asked(msg)) {
        p->kept = gr_keep(self, msg);
        CHECK(p->kept != NULL);
    } else if (p->kept != NULL) {
        CHECK_RC(gr_reply(self, p->kept, "answer"), 0);
        gr_release(self, p->kept);
        p->kept = NULL;
    }
    return 0;
}

WAITER_HEARS(be_keeper, keep_asked)

/* Timers and asks of a run that is over are nothing to the next. */
static void scene_own(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    gr_pid b =
        stage_puppet_with(s, s->self, 'b', &puppet_behavior, NULL, be_keeper);
    stage_settle(s);
    stage_do(s, a, after);
    stage_do_to(s, a, stable_ask, b);
    stage_do(s, a, puppet_fail);
    stage_expect_words(s, "+b a:once -a:error");
    CHECK_RC(stable_revive_with(s, a, NULL, NULL), 0);
    waiter_tell(s, b, "go"); /* answers */
    CHECK_RC(gr_sleep(s->self, 100), 0);
    stage_settle(s);
    stage_expect(s, "+a");
    CHECK_INT(stage_stats(s).late_replies, 1);
}

static void timers_and_asks_end_with_their_run(void **state)
{
    (void)state;
    play(scene_own);
}

/* Whoever waits for an answer to what a run kept hears of its end. */
static void scene_kept(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, be_keeper);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do_to(s, b, stable_ask, a);
    stage_expect(s, "+b");
    stage_do(s, a, puppet_fail);
    stage_expect_words(s, "-a:error b=GR_ENOPROC");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a");
    waiter_check_blocks(s);
}

static void kept_messages_end_with_their_run(void **state)
{
    (void)state;
    play(scene_kept);
}

/* ---- ties ------------------------------------------------------------------
 */

static void scene_ties(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    gr_pid b = stage_puppet(s, 'b');
    gr_pid c = stage_puppet(s, 'c');
    stage_settle(s);
    stage_do(s, b, puppet_trap);
    stage_do_to(s, b, puppet_link, a);
    stage_do_to(s, c, puppet_monitor, a);
    stage_expect_words(s, "+b +c");
    stage_do(s, a, puppet_fail);
    stage_expect_words(s, "-a:error b<exit:a:error c<down:a:error");
    /* These take effect in the next run. */
    stage_do_to(s, b, puppet_link, a);
    stage_do_to(s, c, puppet_monitor, a);
    stage_expect(s, "");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a");
    stage_do(s, a, puppet_leave);
    stage_expect_words(s, "-a:normal b<exit:a:normal c<down:a:normal");
    /* Nobody is left to be told. */
    stable_revive(s, a, NULL);
    stage_do(s, a, puppet_fail);
    stage_expect(s, "+a -a:error");
    /* Given up, it is as dead as any other. */
    stage_do_to(s, c, puppet_monitor, a);
    CHECK_RC(gr_give_up(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "c<down:a:noproc");
    stage_do_to(s, c, puppet_monitor, a);
    stage_expect(s, "c<down:a:noproc");
}

static void links_and_monitors_fire_for_each_run(void **state)
{
    (void)state;
    play(scene_ties);
}

static int watch_and_demonitor(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_demonitor(self, p->ref);
    return gr_unlink(self, p->peer);
}

/* A tie of the last run that is cut between the two. */
static void scene_cut(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do(s, b, puppet_trap);
    stage_do(s, a, puppet_fail);
    stage_expect_words(s, "+b -a:error");
    stage_do_to(s, b, puppet_link, a);
    stage_do_to(s, b, puppet_monitor, a);
    stage_do_to(s, b, watch_and_demonitor, a);
    stable_revive(s, a, NULL);
    stage_do(s, a, puppet_fail);
    stage_expect(s, "+a -a:error");
}

static void ties_that_are_cut_between_runs_are_cut(void **state)
{
    (void)state;
    play(scene_cut);
}

static gr_pid old_friend;

static int link_friend(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_link(self, old_friend);
}

/* Two that are linked end at the same time, so that the exit of the one waits
 * for the next run of the other, which links itself anew. */
static void scene_stale_exit(stage *s)
{
    gr_spawn_opts opts = {.stable = true};
    gr_pid a = stable_puppet(s, NULL, NULL);
    gr_pid x =
        stage_puppet_with(s, s->self, 'x', &puppet_behavior, &opts, stable_be);
    stage_settle(s);
    stage_do_to(s, a, puppet_link, x);
    for (unsigned i = 0; i < 3; i++) {
        old_friend = x;
        waiter_tell(s, x, "bad");
        CHECK_RC(gr_kill(s->self, a), 0);
        stage_settle(s);
        stage_expect_words(s, i == 0 ? "+x x:bad -x:error" : "x:bad -x:error");
        opts.args = gr_args((uint64_t)(uintptr_t)s, gr_strn("x", 1),
                            (uint64_t)(uintptr_t)stable_be);
        CHECK_RC(gr_revive(s->self, x, &opts), 0);
        stable_revive(s, a, link_friend);
        waiter_tell(s, a, "here");
        stage_settle(s);
        stage_expect_words(s, "+x +a a:here");
    }
    stage_do(s, x, puppet_fail); /* the new link is one */
    stage_expect_words(s, "-x:error -a:error");
}

static void an_exit_of_the_last_run_ends_no_link_of_the_next(void **state)
{
    (void)state;
    play(scene_stale_exit);
}

/* The keeper's own, by gr_revive. */
static void scene_keepers_ties(stage *s)
{
    gr_ref ref;
    gr_spawn_opts opts = {.link = true, .monitor = &ref, .ack = true};
    gr_trap_exit(s->self, true);
    gr_pid a = stable_puppet(s, &opts, NULL);
    stage_do(s, a, puppet_fail);
    stage_expect(s, "-a:error");
    /* Before the exit of its link was received. */
    CHECK_RC(stable_revive_with(s, a, &opts, NULL), GR_EINVAL);
    stage_drain(s);
    stage_expect(s, "$<started:a $<exit:a:error $<down:a:error");
    for (unsigned i = 0; i < 3; i++) {
        CHECK_RC(stable_revive_with(s, a, &opts, NULL), 0);
        stage_settle(s);
        stage_expect(s, "+a");
        stage_drain(s);
        stage_expect(s, "$<started:a");
        stage_do(s, a, puppet_fail);
        stage_drain(s);
        stage_expect(s, "-a:error $<exit:a:error $<down:a:error");
    }
}

static void a_revival_is_tied_to_its_keeper(void **state)
{
    (void)state;
    play(scene_keepers_ties);
}

static int spawn_child(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_spawn_opts opts = {.ack = true};
    (void)msg;
    (void)stage_puppet_with(p->on, self, 'c', &puppet_behavior, &opts, NULL);
    return ERROR_TEST; /* before it can hear of it */
}

static int spawn_child_well(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)spawn_child(self, p, msg);
    return 0;
}

static void scene_started(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    stage_do(s, a, spawn_child);
    stage_expect_words(s, "-a:error +c");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a");
    stage_do(s, a, spawn_child_well);
    stage_expect(s, "+c a<started:c");
}

static void a_child_of_the_last_run_is_nothing_to_the_next(void **state)
{
    (void)state;
    play(scene_started);
}

/* ---- names -----------------------------------------------------------------
 */

static int name_itself(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_register(self, "second");
}

static int unname_itself(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_unregister(self, "first");
}

static void check_name(stage *s, const char *name, gr_pid expected)
{
    gr_pid found;
    CHECK_RC(gr_whereis(s->self, GR_HERE, name, &found),
             gr_pid_is_nobody(expected) ? GR_ENOENT : 0);
    CHECK(gr_pid_is_nobody(expected) || gr_pid_eq(found, expected));
}

static void scene_names(stage *s)
{
    gr_spawn_opts opts = {.name = "first"};
    gr_pid a = stable_puppet(s, &opts, name_itself);
    check_name(s, "first", a);
    check_name(s, "second", a);
    stage_do(s, a, puppet_fail);
    check_name(s, "first", a);
    check_name(s, "second", GR_NOBODY);
    stable_revive(s, a, name_itself);
    check_name(s, "first", a);
    check_name(s, "second", a);
    stage_do(s, a, puppet_fail);
    CHECK_RC(gr_give_up(s->self, a), 0);
    stage_settle(s);
    check_name(s, "first", GR_NOBODY);
    /* A run may give it back for good. */
    stage_expect(s, "-a:error +a -a:error");
    a = stable_puppet(s, &opts, NULL);
    stage_do(s, a, unname_itself);
    check_name(s, "first", GR_NOBODY);
    stage_do(s, a, puppet_fail);
    stable_revive(s, a, NULL);
    check_name(s, "first", GR_NOBODY);
}

static void its_name_stays_and_others_end_with_the_run(void **state)
{
    (void)state;
    play(scene_names);
}

/* ---- kills and stops -------------------------------------------------------
 */

static void scene_kills(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    /* A run. What it has not handled yet waits. */
    CHECK_RC(gr_kill(s->self, a), 0);
    waiter_tell(s, a, "one");
    stage_settle(s);
    stage_expect(s, "");
    CHECK_INT(waiter_waiting(s), 1);
    CHECK_INT(stage_stats(s).exited, 1);
    /* Nobody. */
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:one");
    /* The next run, which has not begun. */
    stage_do(s, a, puppet_fail);
    waiter_tell(s, a, "two");
    CHECK_RC(stable_revive_with(s, a, NULL, NULL), 0);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "-a:error +a");
    CHECK_INT(stage_stats(s).exited, 3);
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:two");
    CHECK_INT(waiter_waiting(s), 0);
}

static void a_kill_ends_the_run_that_lives_when_it_comes(void **state)
{
    (void)state;
    play(scene_kills);
}

static void scene_stops(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, a, puppet_fail);
    waiter_tell(s, a, "one");
    stage_do_to(s, b, stable_stop, a);
    waiter_tell(s, a, "two");
    stage_settle(s);
    stage_expect_words(s, "+b -a:error");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:one -a:shutdown");
    stable_revive(s, a, NULL);
    stage_expect(s, "+a a:two");
}

static void a_request_to_stop_waits_for_the_next_run(void **state)
{
    (void)state;
    play(scene_stops);
}

/* Its keeper, who orders the runs, means the one that it knows of. */
static void scene_keepers_stops(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, stable_be);
    waiter_tell(s, a, "bad one");
    CHECK_RC(gr_stop(s->self, a), 0); /* it is dead when it comes there */
    stage_settle(s);
    CHECK_RC(gr_stop(s->self, a), 0); /* it was before */
    stage_settle(s);
    stage_expect(s, "a:bad -a:error");
    stable_revive(s, a, NULL);
    waiter_tell(s, a, "two");
    stage_settle(s);
    stage_expect(s, "+a a:one a:two");
    /* The one that lives, and the one that is ordered. */
    CHECK_RC(gr_stop(s->self, a), 0);
    stage_settle(s);
    CHECK_RC(stable_revive_with(s, a, NULL, NULL), 0);
    CHECK_RC(gr_stop(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "-a:shutdown +a -a:shutdown");
}

static void its_keepers_is_for_the_run_that_lives_when_it_comes(void **state)
{
    (void)state;
    play(scene_keepers_stops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_waits_for_the_next_run),
        cmocka_unit_test(a_pid_names_all_of_its_runs),
        cmocka_unit_test(a_normal_end_is_no_failure_of_the_message),
        cmocka_unit_test(asks_between_runs_are_answered_by_the_next),
        cmocka_unit_test(timers_and_asks_end_with_their_run),
        cmocka_unit_test(kept_messages_end_with_their_run),
        cmocka_unit_test(links_and_monitors_fire_for_each_run),
        cmocka_unit_test(ties_that_are_cut_between_runs_are_cut),
        cmocka_unit_test(an_exit_of_the_last_run_ends_no_link_of_the_next),
        cmocka_unit_test(a_revival_is_tied_to_its_keeper),
        cmocka_unit_test(a_child_of_the_last_run_is_nothing_to_the_next),
        cmocka_unit_test(its_name_stays_and_others_end_with_the_run),
        cmocka_unit_test(a_kill_ends_the_run_that_lives_when_it_comes),
        cmocka_unit_test(a_request_to_stop_waits_for_the_next_run),
        cmocka_unit_test(its_keepers_is_for_the_run_that_lives_when_it_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
