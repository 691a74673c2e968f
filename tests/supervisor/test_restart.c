/* Whom a supervisor restarts, when, and when it gives up. Deterministic
 * systems, many seeds each. */
#include "tests/supervisor/fixture.h"

/* Four children under a strategy; the second crashes. */
static void one_of_four(gr_actor *self, gr_strategy strategy, const char *story)
{
    const gr_child children[] = {
        PART("a"), PART("b"), PART("c"), PART("d"), {0}};
    gr_supervisor spec = {.strategy = strategy, .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid before = pid_of(self, sup, "b");
    EXPECT("+a+b+c+d");
    crash(self, sup, "b");

    EXPECT(story);
    CHECK(!gr_pid_eq(pid_of(self, sup, "b"), before));
    stop(self, sup);
    EXPECT("-d-c-b-a");
}

static void one_for_one(gr_actor *self)
{
    one_of_four(self, GR_ONE_FOR_ONE, "!b+b");
}

static void one_for_one_restarts_only_the_one_that_ended(void **state)
{
    (void)state;
    on_each_seed(one_for_one);
}

static void one_for_all(gr_actor *self)
{
    one_of_four(self, GR_ONE_FOR_ALL, "!b-d-c-a+a+b+c+d");
}

static void one_for_all_stops_the_others_in_reverse_and_starts_all(void **state)
{
    (void)state;
    on_each_seed(one_for_all);
}

static void rest_for_one(gr_actor *self)
{
    one_of_four(self, GR_REST_FOR_ONE, "!b-d-c+b+c+d");
}

static void rest_for_one_restarts_it_and_those_after_it(void **state)
{
    (void)state;
    on_each_seed(rest_for_one);
}

/* One child of a type ends in a way; is it run again? */
static void type_and_end(gr_actor *self)
{
    static const struct {
        gr_restart type;
        const char *how;
        const char *story;
    } rows[] = {
        {GR_PERMANENT, "end", "-a+a"}, {GR_PERMANENT, "stop", "-a+a"},
        {GR_PERMANENT, "kill", "+a"},  {GR_PERMANENT, "crash", "!a+a"},
        {GR_TRANSIENT, "end", "-a"},   {GR_TRANSIENT, "stop", "-a"},
        {GR_TRANSIENT, "kill", "+a"},  {GR_TRANSIENT, "crash", "!a+a"},
        {GR_TEMPORARY, "end", "-a"},   {GR_TEMPORARY, "stop", "-a"},
        {GR_TEMPORARY, "kill", ""},    {GR_TEMPORARY, "crash", "!a"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const gr_child children[] = {PART_WITH("a", .restart = rows[i].type),
                                     {0}};
        gr_supervisor spec = {.children = children};
        gr_pid sup = supervise(self, &spec);
        gr_pid child = pid_of(self, sup, "a");
        EXPECT("+a");

        if (strcmp(rows[i].how, "stop") == 0) {
            CHECK_RC(gr_stop(self, child), 0);
        } else if (strcmp(rows[i].how, "kill") == 0) {
            CHECK_RC(gr_kill(self, child), 0);
        } else {
            CHECK_RC(gr_send(self, child, rows[i].how), 0);
        }
        settle(self);

        EXPECT(rows[i].story);
        bool up = strchr(rows[i].story, '+') != NULL;
        int gone = rows[i].type == GR_TEMPORARY ? GR_ENOENT : GR_ENOPROC;
        CHECK_RC(gr_child_pid(self, sup, "a", &child), up ? 0 : gone);
        stop(self, sup);
        EXPECT(up ? "-a" : "");
    }
}

static void permanent_transient_and_temporary_are_as_in_otp(void **state)
{
    (void)state;
    on_each_seed(type_and_end);
}

static void group_members(gr_actor *self)
{
    const gr_child children[] = {PART("a"),
                                 PART_WITH("b", .restart = GR_TRANSIENT),
                                 PART_WITH("c", .restart = GR_TEMPORARY),
                                 PART("d"),
                                 {0}};
    gr_supervisor spec = {.strategy = GR_ONE_FOR_ALL, .children = children};
    gr_pid pid;

    gr_pid sup = supervise(self, &spec);
    tell_child(self, sup, "b", "end");
    EXPECT("+a+b+c+d-b");
    CHECK_RC(gr_child_pid(self, sup, "b", &pid), GR_ENOPROC);
    crash(self, sup, "a");

    EXPECT("!a-d-c+a+b+d");
    CHECK_RC(gr_child_pid(self, sup, "c", &pid), GR_ENOENT);
    stop(self, sup);
    EXPECT("-d-b-a");
}

static void
a_group_takes_ended_transients_with_it_but_not_temporaries(void **state)
{
    (void)state;
    on_each_seed(group_members);
}

static void failing_restart(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), PART("c"), {0}};
    gr_supervisor spec = {
        .strategy = GR_REST_FOR_ONE, .restarts_max = 3, .children = children};

    gr_pid sup = supervise(self, &spec);
    init_failures['b'] = 2;
    crash(self, sup, "a");

    /* One restart of a and those after it, then b twice more. */
    EXPECT("+a+b+c!a-c-b+a*b*b+b+c");
    gr_pid c = pid_of(self, sup, "c");
    crash(self, sup, "c");
    gr_exit_reason why = end_of(self, sup);
    CHECK(gave_up(why));
    CHECK(strcmp(why.text, "more than 3 restarts within 5000 ms") == 0);
    EXPECT("!c-b-a");
    CHECK_RC(gr_send(self, c, "who"), 0);
}

static void a_failing_restart_counts_and_is_tried_again(void **state)
{
    (void)state;
    on_each_seed(failing_restart);
}

static void failing_group_restart(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), PART("c"), {0}};
    gr_supervisor spec = {
        .strategy = GR_ONE_FOR_ALL, .restarts_max = 3, .children = children};

    gr_pid sup = supervise(self, &spec);
    init_failures['b'] = 1;
    crash(self, sup, "c");

    EXPECT("+a+b+c!c-b-a+a*b-a+a+b+c");
    stop(self, sup);
}

static void a_group_whose_restart_fails_is_restarted_whole(void **state)
{
    (void)state;
    on_each_seed(failing_group_restart);
}

static void a_refused_restart(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART_WITH("b", .name = "b"), {0}};
    gr_supervisor spec = {.restarts_max = 4, .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid b = pid_of(self, sup, "b");
    CHECK_RC(gr_kill(self, b), 0);
    /* The name is free when b is dead, one turn before the supervisor hears of
     * it: time enough for us. */
    while (gr_register(self, "b") != 0) {
        CHECK(gr_sim_step(gr_system_of(self)));
    }
    gr_exit_reason why = end_of(self, sup);
    CHECK(gave_up(why));
    EXPECT("+a+b-a");
}

static void a_restart_that_cannot_be_spawned_counts_too(void **state)
{
    (void)state;
    on_each_seed(a_refused_restart);
}

static void too_many(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), PART("c"), {0}};
    gr_supervisor spec = {.restarts_max = 2, .children = children};

    gr_pid sup = supervise(self, &spec);
    crash(self, sup, "a");
    crash(self, sup, "b");
    EXPECT("+a+b+c!a+a!b+b");
    crash(self, sup, "a");

    CHECK(gave_up(end_of(self, sup)));
    EXPECT("!a-c-b");
}

static void more_restarts_than_allowed_stop_all_and_end_it(void **state)
{
    (void)state;
    on_each_seed(too_many);
}

static void spread_out(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    gr_supervisor spec = {
        .restarts_max = 2, .period_ms = 1000, .children = children};

    gr_pid sup = supervise(self, &spec);
    for (int i = 0; i < 10; i++) {
        crash(self, sup, "a");
        gr_sim_advance(gr_system_of(self), 501);
    }
    EXPECT("+a!a+a!a+a!a+a!a+a!a+a!a+a!a+a!a+a!a+a!a+a");
    gr_sim_advance(gr_system_of(self), 1000);
    crash(self, sup, "a");
    crash(self, sup, "a");
    gr_sim_advance(gr_system_of(self), 1000);
    crash(self, sup, "a");

    CHECK(gave_up(end_of(self, sup)));
    EXPECT("!a+a!a+a!a");
}

static void restarts_count_for_one_period(void **state)
{
    (void)state;
    on_each_seed(spread_out);
}

static void none_allowed(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_WITH("b", .restart = GR_TEMPORARY), {0}};
    gr_supervisor spec = {.restarts_max = GR_RESTARTS_NONE,
                          .children = children};

    gr_pid sup = supervise(self, &spec);
    crash(self, sup, "b");
    EXPECT("+a+b!b");
    crash(self, sup, "a");

    CHECK(gave_up(end_of(self, sup)));
    EXPECT("!a");
}

static void restarts_none_ends_it_at_the_first(void **state)
{
    (void)state;
    on_each_seed(none_allowed);
}

/* Asks for a child as a handler actor does, and tells its owner. */
static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    const gr_pid *owner = state;
    gr_pid child = GR_NOBODY;

    if (gr_msg_status(reply) == 0 && !gr_match(reply, "gr.child", &child)) {
        return GR_EREPLY;
    }
    return gr_send(self, *owner, "answer", gr_msg_status(reply), child);
}

static int finder_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid *owner = state;
    gr_pid sup;
    gr_str id;

    if (gr_match(msg, "ask", &sup, &id)) {
        *owner = gr_sender(msg);
        return gr_ask(self, sup, ASK_MS, gr_then(on_answer, 0), "gr.child", id);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior finder = {
    .name = "finder", .state_size = sizeof(gr_pid), .receive = finder_receive};

/* The answer that the finder was given, 1 if it has none yet. */
static int answer_of(gr_actor *self, gr_pid *child)
{
    const gr_msg *msg;
    int status = 1;

    if (gr_receive(self, 0, &msg) == 0) {
        CHECK(gr_match(msg, "answer", &status, child));
    }
    return status;
}

static void asked_meanwhile(gr_actor *self)
{
    const gr_child children[] = {PART("a"),
                                 PART("b"),
                                 PART_AS(PART_SLOW, "c", .stop_max_ms = 1000),
                                 PART("d"),
                                 {0}};
    gr_supervisor spec = {.strategy = GR_REST_FOR_ONE, .children = children};
    gr_pid ask, old, child = GR_NOBODY;

    gr_pid sup = supervise(self, &spec);
    CHECK_RC(gr_spawn(self, &finder, NULL, &ask), 0);
    old = pid_of(self, sup, "d");
    crash(self, sup, "b");
    EXPECT("+a+b+c+d!b-d");

    /* c takes its time to stop, so b and d are away; a is not. */
    CHECK_RC(gr_send(self, ask, "ask", sup, "d"), 0);
    settle(self);
    CHECK(answer_of(self, &child) == 1);
    CHECK_RC(gr_send(self, ask, "ask", sup, "a"), 0);
    settle(self);
    CHECK(answer_of(self, &child) == 0);
    gr_sim_advance(gr_system_of(self), STOP_MS);
    EXPECT("-c+b+c+d");
    CHECK(answer_of(self, &child) == 0);
    CHECK(!gr_pid_eq(child, old));
    CHECK(gr_pid_eq(child, pid_of(self, sup, "d")));
    stop(self, sup);
}

static void asks_for_a_child_that_restarts_wait_for_its_new_run(void **state)
{
    (void)state;
    on_each_seed(asked_meanwhile);
}

static void asked_between_tries(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    gr_supervisor spec = {.restarts_max = 3, .children = children};
    gr_pid ask, child = GR_NOBODY;

    gr_pid sup = supervise(self, &spec);
    CHECK_RC(gr_spawn(self, &finder, NULL, &ask), 0);
    CHECK_RC(gr_send(self, pid_of(self, sup, "a"), "crash"), 0);
    init_failures['a'] = 1;
    /* Timers stand still: the next try is waited for. */
    (void)gr_sim_settle(gr_system_of(self));
    EXPECT("+a!a*a");
    CHECK_RC(gr_send(self, ask, "ask", sup, "a"), 0);
    (void)gr_sim_settle(gr_system_of(self));
    EXPECT("");
    settle(self);

    EXPECT("+a");
    CHECK(answer_of(self, &child) == 0);
    CHECK(gr_pid_eq(child, pid_of(self, sup, "a")));
    stop(self, sup);
}

static void asks_wait_from_one_try_of_a_restart_to_the_next(void **state)
{
    (void)state;
    on_each_seed(asked_between_tries);
}

static void asked_and_stopped(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_AS(PART_SLOW, "b", .stop_max_ms = 1000), {0}};
    gr_supervisor spec = {.strategy = GR_ONE_FOR_ALL, .children = children};
    gr_pid ask, child = GR_NOBODY;

    gr_pid sup = supervise(self, &spec);
    CHECK_RC(gr_spawn(self, &finder, NULL, &ask), 0);
    crash(self, sup, "a");
    CHECK_RC(gr_send(self, ask, "ask", sup, "a"), 0);
    settle(self);
    CHECK(answer_of(self, &child) == 1);
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);

    CHECK_RC(answer_of(self, &child), GR_ENOPROC);
    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
    EXPECT("+a+b!a-b");
}

static void a_stop_during_a_restart_ends_it(void **state)
{
    (void)state;
    on_each_seed(asked_and_stopped);
}

static void died_meanwhile(gr_actor *self)
{
    const gr_child children[] = {PART("a"),
                                 PART_AS(PART_SLOW, "b", .stop_max_ms = 1000),
                                 PART("c"),
                                 {0}};
    gr_supervisor spec = {
        .strategy = GR_REST_FOR_ONE, .restarts_max = 3, .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    gr_pid b = pid_of(self, sup, "b");
    EXPECT("+a+b+c");
    /* All three at once: in any order that is one to three restarts, and
     * whoever is dead already when its turn to be stopped comes is not. */
    CHECK_RC(gr_kill(self, pid_of(self, sup, "c")), 0);
    CHECK_RC(gr_kill(self, b), 0);
    CHECK_RC(gr_kill(self, a), 0);
    settle(self);
    gr_sim_advance(gr_system_of(self), 10 * STOP_MS);

    CHECK(!gr_pid_eq(pid_of(self, sup, "a"), a));
    CHECK(!gr_pid_eq(pid_of(self, sup, "b"), b));
    size_t n = strlen(journal);
    CHECK(n >= 6 && strcmp(journal + n - 6, "+a+b+c") == 0);
    journal[0] = '\0';
    stop(self, sup);
    EXPECT("-c-b-a");
}

static void deaths_during_a_restart_are_dealt_with_once(void **state)
{
    (void)state;
    on_each_seed(died_meanwhile);
}

static void overtaken(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), PART("c"), {0}};
    gr_supervisor spec = {
        .strategy = GR_REST_FOR_ONE, .restarts_max = 2, .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    CHECK_RC(gr_send(self, pid_of(self, sup, "b"), "crash"), 0);
    init_failures['b'] = 1;
    (void)gr_sim_settle(gr_system_of(self));
    EXPECT("+a+b+c!b-c*b");
    /* b waits for its next try; that of a makes it unnecessary. */
    CHECK_RC(gr_send(self, a, "crash"), 0);
    (void)gr_sim_settle(gr_system_of(self));
    EXPECT("!a+a+b+c");
    gr_pid b = pid_of(self, sup, "b");
    gr_sim_advance(gr_system_of(self), 1000);

    EXPECT("");
    CHECK(gr_pid_eq(pid_of(self, sup, "b"), b));
    stop(self, sup);
}

static void a_waiting_try_is_overtaken_by_a_restart_of_its_group(void **state)
{
    (void)state;
    on_each_seed(overtaken);
}

/* How often a letter stands behind that sign. */
static int count_of(char sign, char letter)
{
    int n = 0;

    for (const char *at = journal; *at != '\0'; at += 2) {
        n += at[0] == sign && at[1] == letter;
    }
    return n;
}

static void stopped_at_any_moment(gr_actor *self)
{
    const gr_child children[] = {PART("a"),
                                 PART_AS(PART_SLOW, "b", .stop_max_ms = 1000),
                                 PART("c"),
                                 PART_AS(PART_SLOW, "d", .stop_max_ms = 1000),
                                 {0}};
    gr_supervisor spec = {.strategy = (gr_strategy)(seed_now % 3),
                          .restarts_max = 50,
                          .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid c = pid_of(self, sup, "c");
    init_failures['a'] = (int)(seed_now / 3 % 3);
    init_failures['c'] = (int)(seed_now / 9 % 3);
    CHECK_RC(gr_send(self, pid_of(self, sup, "a"), "crash"), 0);
    CHECK_RC(gr_send(self, c, "crash"), 0);
    for (uint64_t steps = seed_now * 7 % 23; steps > 0; steps--) {
        (void)gr_sim_step(gr_system_of(self));
    }
    stop(self, sup);

    for (const char *at = "abcd"; *at != '\0'; at++) {
        CHECK(count_of('+', *at) == count_of('-', *at) + count_of('!', *at));
    }
    gr_stats stats;
    gr_system_stats(gr_system_of(self), &stats);
    CHECK(stats.spawned == stats.exited + 1); /* we are left */
}

static void a_stop_at_any_moment_leaves_nobody(void **state)
{
    (void)state;
    on_each_seed(stopped_at_any_moment);
}

static void defaults(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    crash(self, sup, "a");
    gr_sim_advance(gr_system_of(self), GR_PERIOD_MS_DEFAULT + 1);
    crash(self, sup, "a");
    EXPECT("+a!a+a!a+a");
    gr_sim_advance(gr_system_of(self), GR_PERIOD_MS_DEFAULT);
    crash(self, sup, "a");

    CHECK(gave_up(end_of(self, sup)));
    EXPECT("!a");
}

static void one_restart_within_five_seconds_is_the_default(void **state)
{
    (void)state;
    assert_int_equal(GR_RESTARTS_MAX_DEFAULT, 1);
    assert_int_equal(GR_PERIOD_MS_DEFAULT, 5000);
    on_each_seed(defaults);
}

static void loose(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_AS(PART_LOOSE, "b", .stop_max_ms = 100), {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    crash(self, sup, "b");
    EXPECT("+a+b!b+b");

    stop(self, sup);
    EXPECT("-b-a");
}

static void a_child_that_undoes_its_link_is_still_looked_after(void **state)
{
    (void)state;
    on_each_seed(loose);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_one_restarts_only_the_one_that_ended),
        cmocka_unit_test(
            one_for_all_stops_the_others_in_reverse_and_starts_all),
        cmocka_unit_test(rest_for_one_restarts_it_and_those_after_it),
        cmocka_unit_test(permanent_transient_and_temporary_are_as_in_otp),
        cmocka_unit_test(
            a_group_takes_ended_transients_with_it_but_not_temporaries),
        cmocka_unit_test(a_failing_restart_counts_and_is_tried_again),
        cmocka_unit_test(a_group_whose_restart_fails_is_restarted_whole),
        cmocka_unit_test(a_restart_that_cannot_be_spawned_counts_too),
        cmocka_unit_test(more_restarts_than_allowed_stop_all_and_end_it),
        cmocka_unit_test(restarts_count_for_one_period),
        cmocka_unit_test(restarts_none_ends_it_at_the_first),
        cmocka_unit_test(asks_for_a_child_that_restarts_wait_for_its_new_run),
        cmocka_unit_test(asks_wait_from_one_try_of_a_restart_to_the_next),
        cmocka_unit_test(a_stop_during_a_restart_ends_it),
        cmocka_unit_test(a_stop_at_any_moment_leaves_nobody),
        cmocka_unit_test(a_waiting_try_is_overtaken_by_a_restart_of_its_group),
        cmocka_unit_test(one_restart_within_five_seconds_is_the_default),
        cmocka_unit_test(deaths_during_a_restart_are_dealt_with_once),
        cmocka_unit_test(a_child_that_undoes_its_link_is_still_looked_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
