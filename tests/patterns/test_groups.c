/*
 * Goal:   groups on one system: who has joined is a member at once, who ends is
 *         none before anybody hears of its end; what is published comes to each
 *         member once; nobody ends the groups before the actors have ended;
 *         wrong calls say so.
 * Method: a thread actor drives members in a system with workers.
 */
#include "tests/patterns/stage.h"

/* ---- joining ------------------------------------------------------------ */

static void who_has_joined_is_a_member_at_once(void **state)
{
    (void)state;
    stage s;
    gr_pid all[3];
    open_stage(&s);
    assert_int_equal(count(s.self, "g"), 0);
    assert_int_equal(gr_group_join(s.self, "g"), 0);
    assert_int_equal(count(s.self, "g"), 1);
    assert_int_equal(gr_group_join(s.self, "g"), 0); /* it stays it */
    assert_int_equal(count(s.self, "g"), 1);
    const gr_pid pid = spawn_member(s.self, "g");
    assert_int_equal(gr_group_members(s.self, "g", GR_GROUP_LOCAL, all, 3), 2);
    assert_true(
        (gr_pid_eq(all[0], pid) && gr_pid_eq(all[1], gr_self(s.self))) ||
        (gr_pid_eq(all[1], pid) && gr_pid_eq(all[0], gr_self(s.self))));
    all[1] = GR_NOBODY; /* no more than there is room for */
    assert_int_equal(gr_group_members(s.self, "g", GR_GROUP_ALL, all, 1), 2);
    assert_true(gr_pid_is_nobody(all[1]));
    assert_int_equal(gr_group_leave(s.self, "g"), 0);
    assert_int_equal(count(s.self, "g"), 1);
    assert_int_equal(gr_group_leave(s.self, "g"), GR_ENOENT);
    assert_int_equal(gr_group_leave(s.self, "h"), GR_ENOENT);
    close_stage(&s);
}

static void an_actor_is_in_many_groups_and_leaves_all_at_its_end(void **state)
{
    (void)state;
    stage s;
    gr_pid pid;
    open_stage(&s);
    const gr_spawn_opts opts = {.args =
                                    gr_args(gr_self(s.self), "a", "b", "c")};
    for (int how = 0; how < 3; how++) {
        gr_ref ref;
        assert_int_equal(gr_spawn(s.self, &member_behavior, &opts, &pid), 0);
        sync_with(s.self, pid);
        assert_int_equal(count(s.self, "a"), 1);
        assert_int_equal(count(s.self, "b"), 1);
        assert_int_equal(count(s.self, "c"), 1);
        assert_int_equal(
            gr_call(s.self, pid, LONG_MS, gr_expect("left"), "leave", "b"), 0);
        assert_int_equal(count(s.self, "b"), 0);
        assert_int_equal(gr_monitor(s.self, pid, &ref), 0);
        if (how == 0) {
            assert_int_equal(gr_send(s.self, pid, "end"), 0);
        } else if (how == 1) {
            assert_int_equal(gr_send(s.self, pid, "fail"), 0);
        } else {
            assert_int_equal(gr_kill(s.self, pid), 0);
        }
        assert_true(gr_match_down(next(s.self), NULL, NULL, NULL));
        /* Whoever hears of the end finds it gone. */
        assert_int_equal(count(s.self, "a"), 0);
        assert_int_equal(count(s.self, "c"), 0);
    }
    close_stage(&s);
}

static void the_groups_go_with_their_last_members(void **state)
{
    (void)state;
    stage s;
    gr_group_counts c;
    gr_ref ref;
    char name[16];
    open_stage(&s);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(gr_group_join(s.self, name), 0);
    }
    assert_int_equal(gr_group_count(s.self, &c), 0);
    assert_int_equal(c.groups, 100);
    assert_int_equal(c.joined, 100);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(gr_group_leave(s.self, name), 0);
    }
    /* They go when their ends were told: that is before this. */
    assert_int_equal(gr_group_monitor(s.self, "other", &ref), 0);
    assert_true(gr_match_group(s.self, next(s.self), NULL, NULL, NULL));
    assert_int_equal(gr_group_count(s.self, &c), 0);
    assert_int_equal(c.groups, 1);
    assert_int_equal(c.joined, 0);
    close_stage(&s);
}

static void wrong_calls_say_so(void **state)
{
    (void)state;
    stage s;
    char name[GR_NAME_MAX + 2];
    gr_pid pid;
    gr_ref ref;
    gr_blob *blob;
    open_stage(&s);
    memset(name, 'n', sizeof name);
    name[GR_NAME_MAX + 1] = '\0';
    assert_int_equal(gr_group_join(s.self, NULL), GR_EINVAL);
    assert_int_equal(gr_group_join(s.self, ""), GR_EINVAL);
    assert_int_equal(gr_group_join(s.self, name), GR_EINVAL);
    assert_int_equal(gr_group_leave(s.self, name), GR_EINVAL);
    assert_int_equal(gr_group_monitor(s.self, name, &ref), GR_EINVAL);
    assert_int_equal(gr_group_members(s.self, name, GR_GROUP_ALL, NULL, 0),
                     GR_EINVAL);
    assert_int_equal(gr_group_members(s.self, "g", GR_GROUP_ALL, NULL, 1),
                     GR_EINVAL);
    assert_int_equal(gr_group_publish(s.self, "", GR_GROUP_ALL, "x"),
                     GR_EINVAL);
    name[GR_NAME_MAX] = '\0';
    assert_int_equal(gr_group_join(s.self, name), 0);
    assert_int_equal(count(s.self, name), 1);
    assert_int_equal(gr_group_publishv(s.self, name, GR_GROUP_ALL, NULL, 0),
                     GR_EINVAL);
    assert_int_equal(
        gr_group_pick(s.self, "g", GR_GROUP_ALL, GR_GROUP_NEXT, &pid),
        GR_ENOENT);
    assert_int_equal(
        gr_group_send(s.self, "g", GR_GROUP_ALL, GR_GROUP_NEXT, "x"),
        GR_ENOENT);
    assert_int_equal(gr_group_demonitor(s.self, (gr_ref){77}), GR_ENOENT);
    blob = gr_blob_new(s.self, 10);
    assert_non_null(blob);
    assert_int_equal(
        gr_group_publish(s.self, name, GR_GROUP_ALL, "x", gr_move(&blob)),
        GR_EINVAL);
    assert_non_null(blob);
    gr_blob_free(s.self, blob);
    assert_true(nothing_waits(s.self));
    close_stage(&s);
}

/* ---- sending ------------------------------------------------------------ */

static void what_is_published_comes_to_each_once(void **state)
{
    (void)state;
    stage s;
    gr_pid pids[MEMBERS];
    unsigned heard[MEMBERS] = {0};
    open_stage(&s);
    for (int i = 0; i < MEMBERS; i++) {
        pids[i] = spawn_member(s.self, "g");
    }
    assert_int_equal(gr_group_publish(s.self, "none", GR_GROUP_ALL, "news", 1),
                     0);
    for (int n = 0; n < 3; n++) {
        assert_int_equal(gr_group_publish(s.self, "g", GR_GROUP_ALL, "news", n),
                         MEMBERS);
    }
    for (int i = 0; i < 3 * MEMBERS; i++) {
        const gr_msg *msg = next(s.self);
        unsigned n;
        gr_pid from;
        assert_true(gr_match(msg, "got", &n, &from));
        assert_true(gr_pid_eq(from, gr_self(s.self))); /* the publisher */
        int who = 0;
        while (!gr_pid_eq(pids[who], gr_sender(msg))) {
            who++;
        }
        assert_int_equal(n, heard[who]); /* in order */
        heard[who]++;
    }
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(heard[i], 3);
        sync_with(s.self, pids[i]);
    }
    assert_true(nothing_waits(s.self));
    close_stage(&s);
}

static void a_member_that_is_full_costs_a_dead_letter_and_no_other(void **state)
{
    (void)state;
    stage s;
    gr_actor *full;
    gr_stats before;
    gr_stats after;
    open_stage(&s);
    const gr_thread_opts opts = {.mailbox = {.soft = 1, .hard = 2}};
    const gr_pid pid = spawn_member(s.self, "g");
    assert_int_equal(gr_thread_attach_with(s.sys, &opts, &full), 0);
    assert_int_equal(gr_group_join(full, "g"), 0);
    gr_system_stats(s.sys, &before);
    for (int n = 0; n < 10; n++) {
        assert_int_equal(gr_group_publish(s.self, "g", GR_GROUP_ALL, "news", n),
                         2);
    }
    for (int n = 0; n < 10; n++) {
        gr_pid from;
        assert_true(gr_match(next(s.self), "got", gr_is(n), &from));
    }
    sync_with(s.self, pid);
    gr_system_stats(s.sys, &after);
    assert_true(after.dead_letters - before.dead_letters >= 7);
    gr_thread_detach(full, 0);
    close_stage(&s);
}

static void values_that_cannot_be_sent_reach_nobody(void **state)
{
    (void)state;
    stage s;
    open_with(&s, &(gr_system_opts){.workers = 1,
                                    .message_max = 1000,
                                    .log_level = GR_LOG_ERROR});
    const gr_pid pid = spawn_member(s.self, "g");
    static const char big[2000];
    assert_int_equal(gr_group_publish(s.self, "g", GR_GROUP_ALL, "news",
                                      gr_bin(big, sizeof big)),
                     GR_ETOOBIG);
    const gr_value bad[] = {gr_strn("x", 1), {.kind = GR_KIND_BAD}};
    assert_true(gr_group_publishv(s.self, "g", GR_GROUP_ALL, bad, 2) < 0);
    sync_with(s.self, pid);
    assert_true(nothing_waits(s.self));
    close_stage(&s);
}

static void turns_go_round_and_skip_who_is_full(void **state)
{
    (void)state;
    stage s;
    gr_actor *full;
    gr_pid pids[3];
    gr_pid picked;
    unsigned got[3] = {0};
    open_stage(&s);
    for (int i = 0; i < 3; i++) {
        pids[i] = spawn_member(s.self, "g");
    }
    for (int n = 0; n < 30; n++) {
        assert_int_equal(
            gr_group_pick(s.self, "g", GR_GROUP_ALL, GR_GROUP_NEXT, &picked),
            0);
        for (int i = 0; i < 3; i++) {
            got[i] += gr_pid_eq(picked, pids[i]);
        }
    }
    assert_int_equal(got[0], 10);
    assert_int_equal(got[1], 10);
    assert_int_equal(got[2], 10);
    memset(got, 0, sizeof got);
    for (int n = 0; n < 300; n++) {
        assert_int_equal(gr_group_pick(s.self, "g", GR_GROUP_LOCAL,
                                       GR_GROUP_RANDOM, &picked),
                         0);
        for (int i = 0; i < 3; i++) {
            got[i] += gr_pid_eq(picked, pids[i]);
        }
    }
    /* One in 3^300 is bad luck. */
    assert_true(got[0] > 0 && got[1] > 0 && got[2] > 0);
    const gr_thread_opts opts = {.mailbox = {.soft = 1, .hard = 1}};
    assert_int_equal(gr_thread_attach_with(s.sys, &opts, &full), 0);
    assert_int_equal(gr_group_join(full, "g"), 0);
    assert_int_equal(gr_send(s.self, gr_self(full), "full"), 0);
    for (int n = 0; n < 40; n++) {
        assert_int_equal(
            gr_group_send(s.self, "g", GR_GROUP_ALL, GR_GROUP_NEXT, "news", n),
            0);
    }
    for (int n = 0; n < 40; n++) {
        assert_false(gr_pid_eq(gr_sender(next(s.self)), gr_self(full)));
    }
    assert_int_equal(gr_group_join(full, "only"), 0);
    assert_int_equal(
        gr_group_send(s.self, "only", GR_GROUP_ALL, GR_GROUP_NEXT, "news", 1),
        GR_EAGAIN);
    gr_thread_detach(full, 0);
    close_stage(&s);
}

/* ---- life --------------------------------------------------------------- */

static void nobody_can_end_the_groups(void **state)
{
    (void)state;
    stage s;
    gr_pid actor;
    gr_ref ref;
    open_stage(&s);
    assert_int_equal(gr_group_monitor(s.self, "g", &ref), 0);
    expect_event(s.self, ref, GR_GROUP_MEMBERS, GR_NOBODY);
    assert_int_equal(gr_whereis(s.self, GR_HERE, "gr.groups", &actor), 0);
    assert_int_equal(gr_kill(s.self, actor), 0);
    assert_int_equal(gr_stop(s.self, actor), 0);
    assert_int_equal(gr_send(s.self, actor, "nonsense", 1), 0);
    assert_int_equal(gr_send(s.self, actor, "gr.groups.joined", "g",
                             gr_list(gr_self(s.self))),
                     0);
    const gr_pid pid = spawn_member(s.self, "g");
    expect_event(s.self, ref, GR_GROUP_JOINED, pid);
    assert_int_equal(count(s.self, "g"), 1);
    close_stage(&s);
}

static void the_limits_of_actors_are_not_those_of_the_groups(void **state)
{
    (void)state;
    stage s;
    gr_ref ref;
    open_with(&s, &(gr_system_opts){
                      .workers = 1,
                      .mailbox_hard = 4,
                      .mailbox_soft = 2,
                      .limits = {.memory_max = 100000, .handler_max_ms = 60000},
                      .log_level = GR_LOG_ERROR});
    assert_int_equal(gr_group_monitor(s.self, "g", &ref), 0);
    expect_event(s.self, ref, GR_GROUP_MEMBERS, GR_NOBODY);
    for (int i = 0; i < 100; i++) {
        const gr_pid pid = spawn_member(s.self, "g");
        expect_event(s.self, ref, GR_GROUP_JOINED, pid);
    }
    close_stage(&s);
}

static void a_name_that_is_taken_is_told(void **state)
{
    (void)state;
    stage s;
    open_stage(&s);
    assert_int_equal(gr_register(s.self, "gr.groups"), 0);
    assert_int_equal(gr_group_join(s.self, "g"), GR_EEXIST);
    assert_int_equal(gr_unregister(s.self, "gr.groups"), 0);
    assert_int_equal(gr_group_join(s.self, "g"), 0);
    close_stage(&s);
}

/* A member that publishes when the system stops: the groups are still there. */
static void last_words(gr_actor *self, void *state, const gr_exit_reason *why)
{
    (void)state;
    (void)why;
    if (gr_group_publish(self, "watchers", GR_GROUP_ALL, "last") != 1) {
        abort();
    }
}

static int quiet(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self;
    (void)state;
    (void)msg;
    return 0;
}

static const gr_behavior speaker = {
    .name = "speaker", .receive = quiet, .terminate = last_words};

static void the_groups_end_after_the_actors(void **state)
{
    (void)state;
    stage s;
    gr_pid pid;
    open_stage(&s);
    const gr_spawn_opts opts = {.args = gr_args(gr_self(s.self), "watchers")};
    assert_int_equal(gr_spawn(s.self, &member_behavior, &opts, &pid), 0);
    sync_with(s.self, pid);
    assert_int_equal(gr_spawn(s.self, &speaker, NULL, NULL), 0);
    close_stage(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_joined_is_a_member_at_once),
        cmocka_unit_test(an_actor_is_in_many_groups_and_leaves_all_at_its_end),
        cmocka_unit_test(the_groups_go_with_their_last_members),
        cmocka_unit_test(wrong_calls_say_so),
        cmocka_unit_test(what_is_published_comes_to_each_once),
        cmocka_unit_test(
            a_member_that_is_full_costs_a_dead_letter_and_no_other),
        cmocka_unit_test(values_that_cannot_be_sent_reach_nobody),
        cmocka_unit_test(turns_go_round_and_skip_who_is_full),
        cmocka_unit_test(nobody_can_end_the_groups),
        cmocka_unit_test(the_limits_of_actors_are_not_those_of_the_groups),
        cmocka_unit_test(a_name_that_is_taken_is_told),
        cmocka_unit_test(the_groups_end_after_the_actors),
    };
    return cmocka_run_group_tests_name("patterns/groups", tests, NULL, NULL);
}
