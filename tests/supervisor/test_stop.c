/* How a supervisor stops its children, and what makes it stop. Deterministic
 * systems, many seeds each; time is virtual, so deadlines are exact. */
#include "tests/supervisor/fixture.h"

static void in_reverse(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"),
        PART_AS(PART_SLOW, "b", .stop_max_ms = 2 * STOP_MS),
        PART_AS(PART_SLOW, "c", .stop_max_ms = 2 * STOP_MS),
        PART("d"),
        {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    EXPECT("+a+b+c+d");
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);

    /* Nobody is told before the one after it has ended. */
    EXPECT("-d");
    gr_sim_advance(gr_system_of(self), STOP_MS);
    EXPECT("-c");
    gr_sim_advance(gr_system_of(self), STOP_MS);
    EXPECT("-b-a");
    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
}

static void children_stop_in_reverse_each_when_the_one_after_has(void **state)
{
    (void)state;
    on_each_seed(in_reverse);
}

static void over_the_deadline(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"),
        PART_AS(PART_STUBBORN, "b", .stop_max_ms = 250),
        PART_AS(PART_SLOW, "c", .stop_max_ms = STOP_MS - 1),
        {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    EXPECT("+a+b+c");
    int64_t begin = now_ms(self);
    stop(self, sup);

    CHECK(now_ms(self) - begin == STOP_MS - 1 + 250);
    EXPECT("-a");
}

static void a_child_over_its_deadline_is_killed(void **state)
{
    (void)state;
    on_each_seed(over_the_deadline);
}

static void defaults(gr_actor *self)
{
    const gr_child children[] = {
        PART_AS(PART_STUBBORN, "a", .stop_max_ms = 0),
        PART_AS(PART_STUBBORN, "b", .stop_max_ms = GR_CHILD_KILL),
        PART_WITH("c", .stop_max_ms = GR_CHILD_KILL),
        {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    EXPECT("+a+b+c");
    int64_t begin = now_ms(self);
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);
    gr_pid pid;
    CHECK_RC(gr_child_pid(self, sup, "c", &pid), GR_ENOPROC);
    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);

    CHECK(now_ms(self) - begin == GR_CHILD_STOP_MS_DEFAULT);
    EXPECT(""); /* the killed ones write nothing */
}

static void the_deadline_has_a_default_and_kill_does_not_ask(void **state)
{
    (void)state;
    on_each_seed(defaults);
}

static void stopped_twice(gr_actor *self)
{
    const gr_child children[] = {
        PART_AS(PART_SLOW, "a", .stop_max_ms = 1000), PART("b"), {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    CHECK_RC(gr_stop(self, sup), 0);
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);
    CHECK_RC(gr_stop(self, sup), 0);

    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
    EXPECT("+a+b-b-a");
}

static void a_second_stop_changes_nothing(void **state)
{
    (void)state;
    on_each_seed(stopped_twice);
}

static void crash_while_stopping(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_AS(PART_SLOW, "b", .stop_max_ms = 1000), {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);
    CHECK_RC(gr_send(self, a, "crash"), 0);

    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
    EXPECT("+a+b!a-b");
}

static void nobody_is_restarted_any_more_when_it_stops(void **state)
{
    (void)state;
    on_each_seed(crash_while_stopping);
}

static void ends_otherwise(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_AS(PART_SLOW, "b", .stop_max_ms = 1000), {0}};
    gr_supervisor spec = {.strategy = GR_ONE_FOR_ALL, .children = children};
    gr_pid sup = supervise(self, &spec);
    gr_child_info info;

    /* When its group is restarted: that is one restart, and not two. */
    gr_pid b = pid_of(self, sup, "b");
    crash(self, sup, "a");
    EXPECT("+a+b!a");
    CHECK_RC(gr_send(self, b, "crash"), 0);
    settle(self);
    EXPECT("!b+a+b");

    /* When it is terminated: it stays down, though it is permanent. */
    tell_child(self, sup, "b", "crash later");
    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    EXPECT("!b");
    gr_sim_advance(gr_system_of(self), 10000);
    CHECK_RC(gr_inspect_child(self, sup, "b", &info), 0);
    CHECK(info.state == GR_CHILD_DOWN && info.last.kind == GR_EXIT_ERROR);
    EXPECT("");

    /* When all are stopped. */
    CHECK_RC(gr_restart_child(self, sup, "b", &b), 0);
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);
    CHECK_RC(gr_send(self, b, "crash"), 0);
    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
    EXPECT("+b!b-a");
}

static void a_child_that_fails_while_it_is_stopped_is_stopped(void **state)
{
    (void)state;
    on_each_seed(ends_otherwise);
}

/* ---- its starter -------------------------------------------------------- */

/* Supervises a and b, tells its owner where, and ends as it is told. */
static int starter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const gr_child children[] = {
        PART("a"), PART_AS(PART_SLOW, "b", .stop_max_ms = 1000), {0}};
    gr_supervisor spec = {.children = children};
    gr_pid sup;
    int code;

    (void)state;
    if (gr_match(msg, "begin")) {
        GR_TRY(gr_supervise(self, &spec, &sup));
        return gr_reply(self, msg, "begun", sup);
    }
    if (gr_match(msg, "end", &code)) {
        gr_exit(self, code, "as told");
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior starter = {.name = "starter",
                                    .receive = starter_receive};

static void starter_ends(gr_actor *self)
{
    static const struct {
        int code;
        gr_exit_kind kind;
    } rows[] = {{0, GR_EXIT_NORMAL},
                {GR_EUSER, GR_EXIT_ERROR},
                {GR_ELIMIT, GR_EXIT_LIMIT}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gr_pid first, sup, down;
        gr_ref ref;
        gr_exit_reason why;
        const gr_msg *msg;

        CHECK_RC(gr_spawn(self, &starter, NULL, &first), 0);
        CHECK_RC(
            gr_call(self, first, ASK_MS, gr_expect("begun", &sup), "begin"), 0);
        CHECK_RC(gr_monitor(self, sup, &ref), 0);
        settle(self);
        EXPECT("+a+b");
        CHECK_RC(gr_send(self, first, "end", rows[i].code), 0);

        CHECK_RC(gr_receive(self, ASK_MS, &msg), 0);
        CHECK(gr_match_down(msg, NULL, &down, &why));
        CHECK(gr_pid_eq(down, sup));
        CHECK(why.kind == rows[i].kind);
        CHECK_RC(why.code, rows[i].code);
        CHECK(strcmp(why.text, "as told") == 0);
        EXPECT("-b-a");
    }
}

static void it_ends_with_its_starter_and_as_its_starter(void **state)
{
    (void)state;
    on_each_seed(starter_ends);
}

/* The second comes while b takes its time to stop. */
static void told_twice(gr_actor *self)
{
    for (int stop_first = 0; stop_first < 2; stop_first++) {
        gr_pid first, sup, down;
        gr_ref ref;
        gr_exit_reason why;
        const gr_msg *msg;

        CHECK_RC(gr_spawn(self, &starter, NULL, &first), 0);
        CHECK_RC(
            gr_call(self, first, ASK_MS, gr_expect("begun", &sup), "begin"), 0);
        CHECK_RC(gr_monitor(self, sup, &ref), 0);
        settle(self);
        for (int i = 0; i < 2; i++) {
            if ((i == 0) == (stop_first == 1)) {
                CHECK_RC(gr_stop(self, sup), 0);
            } else {
                CHECK_RC(gr_send(self, first, "end", GR_EUSER), 0);
            }
            settle(self);
        }
        EXPECT("+a+b");

        CHECK_RC(gr_receive(self, ASK_MS, &msg), 0);
        CHECK(gr_match_down(msg, NULL, &down, &why));
        CHECK(why.kind == (stop_first == 1 ? GR_EXIT_SHUTDOWN : GR_EXIT_ERROR));
        EXPECT("-b-a");
    }
}

static void the_first_reason_to_stop_counts(void **state)
{
    (void)state;
    on_each_seed(told_twice);
}

static void killed(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), {0}};
    gr_supervisor spec = {.children = children};
    gr_pid pid;

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    gr_pid b = pid_of(self, sup, "b");
    CHECK_RC(gr_kill(self, sup), 0);
    CHECK(end_of(self, sup).kind == GR_EXIT_KILLED);
    settle(self);

    CHECK_RC(gr_call(self, a, ASK_MS, gr_expect("who"), "who"), GR_ENOPROC);
    CHECK_RC(gr_call(self, b, ASK_MS, gr_expect("who"), "who"), GR_ENOPROC);
    CHECK_RC(gr_child_pid(self, sup, "a", &pid), GR_ENOPROC);
}

static void a_killed_supervisor_takes_its_children_with_it(void **state)
{
    (void)state;
    on_each_seed(killed);
}

/* ---- strangers ---------------------------------------------------------- */

/* Links itself to whom it is told, then ends as it is told. */
static int stranger_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid pid;
    int code;

    (void)state;
    if (gr_match(msg, "link", &pid)) {
        return gr_link(self, pid);
    }
    if (gr_match(msg, "end", &code)) {
        return code;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior stranger = {.name = "stranger",
                                     .receive = stranger_receive};

static void strangers(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    gr_supervisor spec = {.children = children};
    gr_stats before, after;
    gr_pid pid;

    gr_pid sup = supervise(self, &spec);
    CHECK_RC(gr_spawn(self, &stranger, NULL, &pid), 0);
    CHECK_RC(gr_send(self, pid, "link", sup), 0);
    CHECK_RC(gr_send(self, pid, "end", GR_EUSER), 0);
    gr_system_stats(gr_system_of(self), &before);
    CHECK_RC(gr_send(self, sup, "what is this", 5), 0);
    CHECK_RC(gr_send(self, sup, "gr.child", "a"), 0); /* not asked */
    CHECK_RC(gr_send(self, sup, "gr.start_child", gr_list(1)), 0);
    CHECK_RC(gr_send(self, sup, "gr.started"), 0);
    CHECK_RC(gr_send(self, sup, "gr.supervisor.timer"), 0); /* its own */
    settle(self);
    gr_system_stats(gr_system_of(self), &after);

    CHECK(after.dead_letters == before.dead_letters + 5);
    CHECK_RC(gr_call(self, sup, ASK_MS, gr_expect("x"), "x"), GR_ENOREPLY);
    EXPECT("+a");
    stop(self, sup);
    EXPECT("-a");
}

static void strangers_and_unknown_messages_do_not_matter(void **state)
{
    (void)state;
    on_each_seed(strangers);
}

static void system_stops(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_AS(PART_SLOW, "b", .stop_max_ms = 1000), {0}};
    gr_supervisor spec = {.restarts_max = 100, .children = children};

    (void)supervise(self, &spec);
    EXPECT("+a+b");
    /* on_each_seed stops the system with the supervisor in it; what becomes
     * of the children is looked at by the test. */
}

static void the_end_of_a_system_stops_children_in_order(void **state)
{
    (void)state;
    on_each_seed(system_stops);
    /* Of the last seed: */
    assert_string_equal(journal, "-b-a");
}

/* Starts a supervisor and notes how it ended. */
static int observer_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const gr_child children[] = {PART("a"), PART("b"), {0}};
    gr_supervisor spec = {.restarts_max = 3, .children = children};
    gr_exit_reason why;
    gr_pid sup, child;
    gr_ref ref;

    (void)state;
    if (gr_match(msg, "begin")) {
        GR_TRY(gr_supervise(self, &spec, &sup));
        GR_TRY(gr_monitor(self, sup, &ref));
        return gr_reply(self, msg, "begun", sup);
    }
    if (gr_match(msg, "fuse", &child)) {
        return gr_send(self, child, "crash later");
    }
    if (gr_match_down(msg, NULL, NULL, &why)) {
        note(why.kind == GR_EXIT_SHUTDOWN && !gave_up(why) ? '-' : '!', 'S');
        return 0;
    }
    if (gr_match_exit(msg, NULL, NULL)) {
        return 0;
    }
    if (gr_match_stop(msg, NULL)) {
        gr_exit(self, GR_ESTOPPED, NULL);
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior observer = {
    .name = "observer", .receive = observer_receive, .trap_exit = true};

static void crash_while_the_system_stops(gr_actor *self)
{
    gr_spawn_opts slow = {.args = gr_args("x", (uint32_t)PART_SLOW)};
    gr_pid pid, sup;

    CHECK_RC(gr_spawn(self, &observer, NULL, &pid), 0);
    CHECK_RC(gr_call(self, pid, ASK_MS, gr_expect("begun", &sup), "begin"), 0);
    /* x is younger, so it is stopped first, and takes its time. Meanwhile a
     * crashes, and cannot be started again any more. */
    CHECK_RC(gr_send(self, pid, "fuse", pid_of(self, sup, "a")), 0);
    settle(self);
    CHECK_RC(gr_spawn(self, &part, &slow, NULL), 0);
    settle(self);
    EXPECT("+a+b+x");
}

static void a_crash_while_the_system_stops_is_no_reason_to_give_up(void **state)
{
    (void)state;
    on_each_seed(crash_while_the_system_stops);
    /* Of the last seed: */
    assert_string_equal(journal, "!a-b-S-x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_stop_in_reverse_each_when_the_one_after_has),
        cmocka_unit_test(a_child_over_its_deadline_is_killed),
        cmocka_unit_test(the_deadline_has_a_default_and_kill_does_not_ask),
        cmocka_unit_test(a_second_stop_changes_nothing),
        cmocka_unit_test(nobody_is_restarted_any_more_when_it_stops),
        cmocka_unit_test(a_child_that_fails_while_it_is_stopped_is_stopped),
        cmocka_unit_test(it_ends_with_its_starter_and_as_its_starter),
        cmocka_unit_test(the_first_reason_to_stop_counts),
        cmocka_unit_test(a_killed_supervisor_takes_its_children_with_it),
        cmocka_unit_test(strangers_and_unknown_messages_do_not_matter),
        cmocka_unit_test(the_end_of_a_system_stops_children_in_order),
        cmocka_unit_test(
            a_crash_while_the_system_stops_is_no_reason_to_give_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
