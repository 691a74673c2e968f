/* Significant children, whose end ends their supervisor. Deterministic
 * systems, many seeds each. */
#include "tests/supervisor/fixture.h"

#define SIGNIFICANT(letter, type)                                              \
    PART_WITH(letter, .restart = (type), .significant = true)

/* a is ordinary, t is transient and u temporary, both significant. */
static gr_pid three(gr_actor *self, gr_strategy strategy, gr_auto_shutdown when)
{
    const gr_child children[] = {PART("a"),
                                 SIGNIFICANT("t", GR_TRANSIENT),
                                 SIGNIFICANT("u", GR_TEMPORARY),
                                 {0}};
    gr_supervisor spec = {.strategy = strategy,
                          .restarts_max = 3,
                          .children = children,
                          .auto_shutdown = when};
    gr_pid sup = supervise(self, &spec);

    EXPECT("+a+t+u");
    return sup;
}

static void ends(gr_actor *self, gr_pid sup, const char *story)
{
    gr_exit_reason why = end_of(self, sup);

    CHECK(why.kind == GR_EXIT_SHUTDOWN);
    CHECK(strstr(why.text, "has ended") != NULL);
    EXPECT(story);
}

static void any(gr_actor *self)
{
    static const struct {
        const char *id, *how, *story;
    } rows[] = {
        {"t", "end", "-t-u-a"},
        {"u", "end", "-u-t-a"},
        {"u", "crash", "!u-t-a"},
    };

    for (size_t i = 0; i < 3; i++) {
        gr_pid sup = three(self, GR_ONE_FOR_ONE, GR_AUTO_ANY);
        tell_child(self, sup, rows[i].id, rows[i].how);
        ends(self, sup, rows[i].story);
    }
    /* Stopped by somebody else, it has ended by itself all the same. */
    gr_pid sup = three(self, GR_ONE_FOR_ALL, GR_AUTO_ANY);
    CHECK_RC(gr_stop(self, pid_of(self, sup, "t")), 0);
    ends(self, sup, "-t-u-a");
}

static void any_significant_end_shuts_down(void **state)
{
    (void)state;
    on_each_seed(any);
}

static void not_final(gr_actor *self)
{
    gr_pid sup = three(self, GR_ONE_FOR_ONE, GR_AUTO_ANY);

    crash(self, sup, "t"); /* a transient one is restarted */
    EXPECT("!t+t");
    tell_child(self, sup, "a", "end"); /* who is not significant */
    EXPECT("-a+a");
    CHECK_RC(gr_terminate_child(self, sup, "t"), 0); /* by its supervisor */
    EXPECT("-t");
    CHECK_RC(gr_restart_child(self, sup, "t", NULL), 0);
    init_failures['t'] = -1; /* nothing to do: OTP's `ignore` is no end */
    CHECK_RC(gr_send(self, pid_of(self, sup, "t"), "crash"), 0);
    settle(self);
    EXPECT("+t!t.t-t");
    CHECK_RC(gr_terminate_child(self, sup, "u"), 0);
    EXPECT("-u");
    stop(self, sup);
    EXPECT("-a");
}

static void restarts_and_requests_do_not_shut_down(void **state)
{
    (void)state;
    on_each_seed(not_final);
}

static void in_a_group(gr_actor *self)
{
    gr_pid sup = three(self, GR_ONE_FOR_ALL, GR_AUTO_ANY);

    /* u goes with its group, and that is no end by itself. */
    crash(self, sup, "a");
    EXPECT("!a-u-t+a+t");
    tell_child(self, sup, "t", "end");
    ends(self, sup, "-t-a");
}

static void a_siblings_restart_does_not_shut_down(void **state)
{
    (void)state;
    on_each_seed(in_a_group);
}

static void all(gr_actor *self)
{
    gr_pid sup = three(self, GR_ONE_FOR_ONE, GR_AUTO_ALL);

    tell_child(self, sup, "u", "crash");
    EXPECT("!u");
    crash(self, sup, "t");
    EXPECT("!t+t");
    tell_child(self, sup, "t", "end");
    ends(self, sup, "-t-a");

    /* The last that runs counts; a terminated one does not run. */
    sup = three(self, GR_ONE_FOR_ONE, GR_AUTO_ALL);
    CHECK_RC(gr_terminate_child(self, sup, "t"), 0);
    tell_child(self, sup, "u", "end");
    ends(self, sup, "-t-u-a");

    /* But to terminate the last of them is no end by itself. */
    sup = three(self, GR_ONE_FOR_ONE, GR_AUTO_ALL);
    tell_child(self, sup, "u", "end");
    CHECK_RC(gr_terminate_child(self, sup, "t"), 0);
    settle(self);
    EXPECT("-u-t");
    stop(self, sup);
    EXPECT("-a");
}

static void all_significant_ends_shut_down(void **state)
{
    (void)state;
    on_each_seed(all);
}

static gr_pid significant_family(gr_actor *self, part_mode mode,
                                 gr_auto_shutdown when)
{
    const gr_child children[] = {
        PART_AS(mode, "x", .restart = GR_TRANSIENT, .significant = true), {0}};

    return supervise(self, &(gr_supervisor){.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                            .children = children,
                                            .auto_shutdown = when});
}

static void dynamic(gr_actor *self)
{
    gr_pid one, two;

    gr_pid sup = significant_family(self, PART_PLAIN, GR_AUTO_ALL);
    CHECK_RC(gr_start_child(self, sup, gr_args(1), &one), 0);
    CHECK_RC(gr_start_child(self, sup, gr_args(2), &two), 0);
    CHECK_RC(gr_send(self, one, "end"), 0);
    settle(self);
    EXPECT("+x+x-x");
    CHECK_RC(gr_send(self, two, "end"), 0);
    ends(self, sup, "-x");

    sup = significant_family(self, PART_PLAIN, GR_AUTO_ANY);
    CHECK_RC(gr_start_child(self, sup, gr_args(1), &one), 0);
    CHECK_RC(gr_start_child(self, sup, gr_args(2), &two), 0);
    CHECK_RC(gr_terminate_child_pid(self, sup, two), 0);
    CHECK_RC(gr_start_child(self, sup, gr_args(2), &two), 0);
    EXPECT("+x+x-x+x");
    CHECK_RC(gr_send(self, one, "end"), 0);
    ends(self, sup, "-x-x");
}

static void a_family_shuts_down_likewise(void **state)
{
    (void)state;
    on_each_seed(dynamic);
}

static void last_of_a_family(gr_actor *self)
{
    gr_pid ask, one, two;

    CHECK_RC(gr_spawn(self, &asker, NULL, &ask), 0);
    /* One that does not start was never a child, whatever comes first. */
    gr_pid sup = significant_family(self, PART_PLAIN, GR_AUTO_ALL);
    CHECK_RC(gr_start_child(self, sup, gr_args(1), &one), 0);
    init_failures['x'] = 1;
    CHECK_RC(gr_send(self, ask, "ask", sup, 0u, "gr.start_child",
                     gr_list_of(NULL, 0)),
             0);
    CHECK_RC(gr_send(self, one, "end"), 0);
    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
    init_failures['x'] = 0;

    /* One that is being terminated is none any more. */
    sup = significant_family(self, PART_SLOW, GR_AUTO_ALL);
    CHECK_RC(gr_start_child(self, sup, gr_args(1), &one), 0);
    CHECK_RC(gr_start_child(self, sup, gr_args(2), &two), 0);
    CHECK_RC(gr_send(self, ask, "ask", sup, 0u, "gr.terminate_child", one), 0);
    settle(self);
    CHECK_RC(gr_send(self, two, "end"), 0);
    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
}

static void only_children_that_are_there_count_in_a_family(void **state)
{
    (void)state;
    on_each_seed(last_of_a_family);
}

static void halfway(gr_actor *self)
{
    const gr_child children[] = {SIGNIFICANT("s", GR_TRANSIENT),
                                 PART("a"),
                                 SIGNIFICANT("t", GR_TRANSIENT),
                                 {0}};
    gr_pid sup =
        supervise(self, &(gr_supervisor){.strategy = GR_REST_FOR_ONE,
                                         .restarts_max = 3,
                                         .children = children,
                                         .auto_shutdown = GR_AUTO_ALL});
    gr_pid s = pid_of(self, sup, "s");

    CHECK_RC(gr_send(self, pid_of(self, sup, "a"), "crash"), 0);
    init_failures['a'] = 1;
    /* Timers stand still: the next try is waited for, and t is down. */
    (void)gr_sim_settle(gr_system_of(self));
    EXPECT("+s+a+t!a-t*a");
    CHECK_RC(gr_send(self, s, "end"), 0);
    ends(self, sup, "-s"); /* it was the last one active */
}

static void halfway_with_a_delay(gr_actor *self)
{
    const gr_child children[] = {
        SIGNIFICANT("s", GR_TRANSIENT),
        PART_WITH("a", .backoff = {.first_ms = 1000, .max_ms = 1000}),
        SIGNIFICANT("t", GR_TRANSIENT),
        {0}};
    gr_pid sup =
        supervise(self, &(gr_supervisor){.strategy = GR_REST_FOR_ONE,
                                         .restarts_max = 3,
                                         .children = children,
                                         .auto_shutdown = GR_AUTO_ALL});

    crash(self, sup, "a");
    tell_child(self, sup, "s", "end");
    EXPECT("+s+a+t!a-t-s"); /* t comes back, and it is known when */
    gr_sim_advance(gr_system_of(self), 1000);
    EXPECT("+a+t");
    tell_child(self, sup, "t", "end");
    ends(self, sup, "-t-a");
}

static void a_group_that_is_down_counts_if_it_is_delayed(void **state)
{
    (void)state;
    on_each_seed(halfway);
    on_each_seed(halfway_with_a_delay);
}

/* A branch that shuts itself down, of that type, in a supervisor where it is
 * significant or not. */
static gr_pid branch(gr_actor *self, gr_restart type, bool significant)
{
    const gr_child leaves[] = {PART("x"), SIGNIFICANT("y", GR_TEMPORARY), {0}};
    gr_supervisor inner = {.children = leaves, .auto_shutdown = GR_AUTO_ANY};
    gr_pid sup = supervise_branch(self, &inner, type, significant);
    EXPECT("+a+x+y");
    tell_child(self, pid_of(self, sup, "inner"), "y", "end");
    return sup;
}

static void nested(gr_actor *self)
{
    gr_pid sup = branch(self, GR_PERMANENT, false);
    EXPECT("-y-x+x+y"); /* an end as any other, and so it is restarted */
    stop(self, sup);
    EXPECT("-y-x-a");

    sup = branch(self, GR_TRANSIENT, false);
    settle(self);
    EXPECT("-y-x"); /* shutdown is no failure */
    stop(self, sup);
    EXPECT("-a");

    sup = branch(self, GR_TRANSIENT, true);
    ends(self, sup, "-y-x-a");
}

static void a_branch_that_shuts_down_has_ended_by_shutdown(void **state)
{
    (void)state;
    on_each_seed(nested);
}

static void refused(gr_actor *self)
{
    const gr_child permanent[] = {SIGNIFICANT("a", GR_PERMANENT), {0}};
    const gr_child transient[] = {SIGNIFICANT("a", GR_TRANSIENT), {0}};
    const gr_child plain[] = {PART("a"), {0}};
    const gr_supervisor specs[] = {
        {.children = permanent, .auto_shutdown = GR_AUTO_ANY},
        {.children = transient, .auto_shutdown = GR_AUTO_NEVER},
        {.children = plain, .auto_shutdown = (gr_auto_shutdown)3},
    };
    gr_pid pid;

    for (size_t i = 0; i < 3; i++) {
        CHECK_RC(gr_supervise(self, &specs[i], &pid), GR_EINVAL);
    }
}

static void a_significant_child_that_cannot_be_is_refused(void **state)
{
    (void)state;
    on_each_seed(refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_significant_end_shuts_down),
        cmocka_unit_test(restarts_and_requests_do_not_shut_down),
        cmocka_unit_test(a_siblings_restart_does_not_shut_down),
        cmocka_unit_test(all_significant_ends_shut_down),
        cmocka_unit_test(a_family_shuts_down_likewise),
        cmocka_unit_test(only_children_that_are_there_count_in_a_family),
        cmocka_unit_test(a_group_that_is_down_counts_if_it_is_delayed),
        cmocka_unit_test(a_branch_that_shuts_down_has_ended_by_shutdown),
        cmocka_unit_test(a_significant_child_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
