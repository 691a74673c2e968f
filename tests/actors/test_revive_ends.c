/*
 * tests/actors/test_revive_ends.c - stable actors that are given up, cannot
 * begin, or are not what they were taken for.
 *
 * Goal:   an address ends when its keeper gives it up, ends itself, or the
 *         system does, and leaves nothing behind; errors change nothing.
 * Method: as test_revive.c.
 */
#include "tests/support/stable.h"

static void play(void (*scene)(stage *s))
{
    stage_each_seed(scene, NULL);
}

static void check_name(stage *s, const char *name, gr_pid expected)
{
    gr_pid found;
    CHECK_RC(gr_whereis(s->self, GR_HERE, name, &found),
             gr_pid_is_nobody(expected) ? GR_ENOENT : 0);
    CHECK(gr_pid_is_nobody(expected) || gr_pid_eq(found, expected));
}

/* ---- giving up -------------------------------------------------------------
 */

static void scene_give_up(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, stable_be);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do(s, a, puppet_fail);
    stage_do_to(s, b, stable_ask, a);
    waiter_tell(s, a, "one two");
    stage_expect_words(s, "+b -a:error");
    CHECK_RC(gr_give_up(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "b=GR_ENOPROC");
    CHECK_INT(stage_stats(s).dead_letters, 4); /* and what it failed on */
    CHECK_RC(gr_give_up(s->self, a), GR_ENOPROC);
    CHECK_RC(stable_revive_with(s, a, NULL, NULL), GR_ENOPROC);
    /* Of a run that lives: with that. */
    gr_pid a2 = stable_puppet(s, NULL, stable_be);
    CHECK(!gr_pid_eq(a, a2));
    CHECK_RC(gr_give_up(s->self, a2), 0);
    waiter_tell(s, a2, "one");
    stage_settle(s);
    stage_expect(s, "a:one");
    stage_do(s, a2, puppet_fail);
    stage_expect(s, "-a:error");
    CHECK_RC(stable_revive_with(s, a2, NULL, NULL), GR_ENOPROC);
    waiter_check_blocks(s);
}

static void who_is_given_up_ends_for_good(void **state)
{
    (void)state;
    play(scene_give_up);
}

static int keep_stable(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_spawn_opts opts = {.stable = true};
    (void)msg;
    (void)stage_puppet_with(p->on, self, 'x', &puppet_behavior, &opts, NULL);
    (void)stage_puppet_with(p->on, self, 'y', &puppet_behavior, &opts, NULL);
    return 0;
}

static gr_pid pid_of(const stage *s, char letter)
{
    for (unsigned i = s->cast_count; i > 0; i--) {
        if (s->cast[i - 1].letter == letter) {
            return s->cast[i - 1].pid;
        }
    }
    fail_msg("nobody is called %c", letter);
    return GR_NOBODY;
}

/* However the keeper ends, the addresses end: x between two runs, y with its
 * run. */
static void keeper_ends(stage *s, bool killed)
{
    gr_pid k = stage_puppet(s, 'k');
    stage_settle(s);
    stage_do(s, k, keep_stable);
    gr_pid x = pid_of(s, 'x');
    gr_pid y = pid_of(s, 'y');
    stage_do(s, x, puppet_fail);
    waiter_tell(s, x, "lost");
    stage_expect_words(s, "+k +x +y -x:error");
    const uint64_t dead = stage_stats(s).dead_letters;
    if (killed) {
        CHECK_RC(gr_kill(s->self, k), 0);
    } else {
        CHECK_RC(gr_stop(s->self, k), 0);
    }
    stage_settle(s);
    CHECK_INT(stage_stats(s).dead_letters, dead + 1);
    gr_actor_info info;
    CHECK_RC(gr_actor_inspect(s->sys, x, &info), GR_ENOPROC);
    CHECK_RC(gr_actor_inspect(s->sys, y, &info), 0);
    stage_do(s, y, puppet_leave);
    CHECK_RC(gr_actor_inspect(s->sys, y, &info), GR_ENOPROC);
    stage_expect_words(s, killed ? "-y:normal" : "-k:shutdown -y:normal");
}

static void scene_keeper_ends(stage *s)
{
    for (unsigned i = 0; i < 5; i++) {
        keeper_ends(s, i % 2 == 0);
    }
}

static void addresses_end_with_their_keeper(void **state)
{
    (void)state;
    play(scene_keeper_ends);
}

/* A keeper that is stable itself gives up what each run of it kept. */
static void scene_keeper_restarts(stage *s)
{
    gr_actor_info info;
    gr_pid a = stable_puppet(s, NULL, NULL);
    stage_do(s, a, keep_stable);
    gr_pid x = pid_of(s, 'x');
    stage_do(s, x, puppet_fail);
    CHECK_RC(gr_actor_inspect(s->sys, x, &info), 0);
    stage_do(s, a, puppet_fail);
    CHECK_RC(gr_actor_inspect(s->sys, x, &info), GR_ENOPROC);
    stable_revive(s, a, NULL);
    stage_expect_words(s, "+x +y -x:error -a:error +a");
}

static void addresses_end_with_the_run_of_their_keeper(void **state)
{
    (void)state;
    play(scene_keeper_restarts);
}

/* All addresses of a small system, again and again: none is lost. */
static void scene_slots(stage *s)
{
    for (unsigned i = 0; i < 200; i++) {
        gr_pid a = stable_puppet(s, NULL, NULL);
        stage_do(s, a, puppet_fail);
        if (i % 3 == 0) {
            CHECK_RC(stable_revive_with(s, a, NULL, NULL), 0);
        }
        CHECK_RC(gr_give_up(s->self, a), 0);
        stage_settle(s);
        if (i % 3 == 0) {
            stage_do(s, a, puppet_leave);
        }
        stage_expect(s, i % 3 == 0 ? "-a:error +a -a:normal" : "-a:error");
        s->cast_count--;
    }
}

static void no_slot_is_lost(void **state)
{
    (void)state;
    const gr_system_opts opts = {.actors_max = 16};
    stage_each_seed(scene_slots, &opts);
}

/* ---- errors ----------------------------------------------------------------
 */

static int revive_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    CHECK_RC(gr_revive(self, p->peer, NULL), GR_EINVAL);
    CHECK_RC(gr_give_up(self, p->peer), GR_EINVAL);
    return 0;
}

static void scene_errors(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    CHECK_RC(gr_revive(s->self, GR_NOBODY, NULL), GR_EINVAL);
    CHECK_RC(gr_give_up(s->self, GR_NOBODY), GR_EINVAL);
    CHECK_RC(gr_revive(s->self, a, NULL), GR_EINVAL); /* it runs */
    CHECK_RC(gr_revive(s->self, b, NULL), GR_EINVAL); /* is not stable */
    CHECK_RC(gr_give_up(s->self, b), GR_EINVAL);
    gr_pid far = {a.node + 1, a.id};
    CHECK_RC(gr_revive(s->self, far, NULL), GR_EINVAL);
    CHECK_RC(gr_give_up(s->self, far), GR_EINVAL);
    stage_do(s, a, puppet_fail);
    stage_do_to(s, b, revive_peer, a); /* not its keeper */
    stage_expect_words(s, "+b -a:error");
    gr_spawn_opts bad = {.args = gr_args((gr_value){.kind = GR_KIND_BAD})};
    CHECK(gr_revive(s->self, a, &bad) < 0);
    CHECK_RC(stable_revive_with(s, a, NULL, NULL), 0);
    CHECK_RC(stable_revive_with(s, a, NULL, NULL), GR_EINVAL); /* ordered */
    stage_settle(s);
    stage_expect(s, "+a");
    gr_spawn_opts opts = {.stable = true, .node = {a.node + 1}};
    gr_pid pid;
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &opts, &pid), GR_ENOTSUP);
}

static void errors_are_told_and_change_nothing(void **state)
{
    (void)state;
    play(scene_errors);
}

/* ---- init ------------------------------------------------------------------
 */

/* The first run fails in init, and the second: nothing is lost, and no message
 * is to blame. */
static void scene_init(stage *s)
{
    gr_spawn_opts opts = {.stable = true, .name = "it"};
    gr_pid a = stage_puppet_with(s, s->self, 'a', &puppet_behavior, &opts,
                                 puppet_fail);
    waiter_tell(s, a, "one two");
    stage_settle(s);
    stage_expect(s, "");
    stable_revive(s, a, puppet_fail);
    stable_revive(s, a, puppet_leave);
    stage_expect(s, "+a -a:normal");
    check_name(s, "it", a);
    CHECK_INT(waiter_waiting(s), 2);
    stable_revive(s, a, stable_be);
    stage_expect(s, "+a a:one a:two");
    CHECK_INT(stage_stats(s).dead_letters, 0);
}

static void a_failing_init_is_no_messages_fault(void **state)
{
    (void)state;
    play(scene_init);
}

/* ---- the system's end ------------------------------------------------------
 */

static void scene_end(stage *s)
{
    gr_pid a = stable_puppet(s, NULL, NULL);
    stage_do(s, a, puppet_fail);
    waiter_tell(s, a, "never");
    stage_settle(s);
    stage_expect(s, "-a:error");
    /* stage_end stops the system, whose addresses must not hold it up. */
}

/* Its keeper stops with it. */
static void scene_end_kept(stage *s)
{
    gr_pid k = stage_puppet(s, 'k');
    stage_settle(s);
    stage_do(s, k, keep_stable);
    stage_do(s, pid_of(s, 'x'), puppet_fail);
    stage_expect_words(s, "+k +x +y -x:error");
}

static void a_system_stops_with_addresses_between_runs(void **state)
{
    (void)state;
    play(scene_end);
    play(scene_end_kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_given_up_ends_for_good),
        cmocka_unit_test(addresses_end_with_their_keeper),
        cmocka_unit_test(addresses_end_with_the_run_of_their_keeper),
        cmocka_unit_test(no_slot_is_lost),
        cmocka_unit_test(errors_are_told_and_change_nothing),
        cmocka_unit_test(a_failing_init_is_no_messages_fault),
        cmocka_unit_test(a_system_stops_with_addresses_between_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
