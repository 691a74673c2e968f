/* Supervisors as children of supervisors. Deterministic systems, many seeds
 * each. */
#include "tests/supervisor/fixture.h"

/* a, then a supervisor of x and y, then b. */
static gr_pid tree(gr_actor *self, gr_strategy inner, uint32_t inner_restarts,
                   uint32_t outer_restarts)
{
    const gr_child leaves[] = {PART("x"), PART("y"), {0}};
    gr_supervisor inner_spec = {.strategy = inner,
                                .restarts_max = inner_restarts,
                                .children = leaves,
                                .name = "inner"};
    gr_values args;
    CHECK_RC(gr_supervisor_args(self, &inner_spec, &args), 0);
    const gr_child children[] = {PART("a"),
                                 {.id = "inner",
                                  .behavior = &gr_supervisor_behavior,
                                  .args = args,
                                  .stop_max_ms = 10000},
                                 PART("b"),
                                 {0}};
    gr_pid sup = GR_NOBODY;
    CHECK_RC(gr_supervise(self,
                          &(gr_supervisor){.restarts_max = outer_restarts,
                                           .children = children},
                          &sup),
             0);
    return sup;
}

static gr_pid inner_of(gr_actor *self)
{
    gr_pid pid = GR_NOBODY;

    CHECK_RC(gr_whereis(self, GR_HERE, "inner", &pid), 0);
    return pid;
}

static void in_order(gr_actor *self)
{
    gr_pid sup = tree(self, GR_ONE_FOR_ONE, 1, 1);

    settle(self);
    EXPECT("+a+x+y+b");
    CHECK(gr_pid_eq(pid_of(self, sup, "inner"), inner_of(self)));
    stop(self, sup);
    EXPECT("-b-y-x-a");
}

static void a_tree_starts_in_order_and_stops_in_reverse(void **state)
{
    (void)state;
    on_each_seed(in_order);
}

static void inner_fails(gr_actor *self)
{
    init_failures['y'] = 1;
    gr_pid sup = tree(self, GR_ONE_FOR_ONE, 1, 1);
    gr_exit_reason why = end_of(self, sup);

    CHECK(why.kind == GR_EXIT_ERROR);
    CHECK_RC(why.code, ERROR_INIT);
    EXPECT("+a+x*y-x-a");
}

static void a_failed_start_of_a_branch_fails_the_tree(void **state)
{
    (void)state;
    on_each_seed(inner_fails);
}

static void escalation(gr_actor *self)
{
    gr_pid sup = tree(self, GR_ONE_FOR_ALL, 1, 1);

    settle(self);
    gr_pid before = inner_of(self);
    crash(self, before, "x");
    EXPECT("+a+x+y+b!x-y+x+y");
    crash(self, before, "x");
    EXPECT("!x-y+x+y");
    CHECK(!gr_pid_eq(inner_of(self), before));

    /* Once more on both levels is once too often for the outer. */
    crash(self, inner_of(self), "y");
    crash(self, inner_of(self), "y");
    CHECK(gave_up(end_of(self, sup)));
    EXPECT("!y-x+x+y!y-x-b-a");
}

static void a_branch_that_gives_up_is_restarted_by_its_supervisor(void **state)
{
    (void)state;
    on_each_seed(escalation);
}

/* a, and a branch that gives up, of that type. */
static gr_pid giving_up(gr_actor *self, gr_restart type, bool significant)
{
    const gr_child leaves[] = {PART("x"), {0}};
    gr_supervisor inner = {.restarts_max = GR_RESTARTS_NONE,
                           .children = leaves};
    gr_pid sup = supervise_branch(self, &inner, type, significant);
    EXPECT("+a+x");
    crash(self, pid_of(self, sup, "inner"), "x");
    settle(self);
    return sup;
}

static void gave_up_below(gr_actor *self)
{
    gr_pid pid;

    gr_pid sup = giving_up(self, GR_PERMANENT, false);
    EXPECT("!x+x");
    stop(self, sup);
    EXPECT("-x-a");

    sup = giving_up(self, GR_TRANSIENT, false);
    EXPECT("!x"); /* shutdown is no failure */
    CHECK_RC(gr_child_pid(self, sup, "inner", &pid), GR_ENOPROC);
    gr_child_info info;
    CHECK_RC(gr_inspect_child(self, sup, "inner", &info), 0);
    CHECK(gave_up(info.last));
    stop(self, sup);
    EXPECT("-a");

    sup = giving_up(self, GR_TEMPORARY, false);
    CHECK_RC(gr_child_pid(self, sup, "inner", &pid), GR_ENOENT);
    stop(self, sup);
    EXPECT("!x-a");

    sup = giving_up(self, GR_TRANSIENT, true);
    gr_exit_reason why = end_of(self, sup);
    CHECK(why.kind == GR_EXIT_SHUTDOWN);
    CHECK(strcmp(why.text, "inner has ended") == 0);
    EXPECT("!x-a");
}

static void a_branch_that_gives_up_has_ended_by_shutdown(void **state)
{
    (void)state;
    on_each_seed(gave_up_below);
}

/* Its first run fails as soon as it has started. */
static int hasty_runs;

static int hasty_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)state;
    (void)args;
    return hasty_runs++ == 0 ? gr_send(self, gr_self(self), "fail") : 0;
}

static int hasty_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_match(msg, "fail") ? ERROR_CRASH : gr_unhandled(self, msg);
}

static const gr_behavior hasty = {
    .name = "hasty", .init = hasty_init, .receive = hasty_receive};

static void ended_too_soon(gr_actor *self)
{
    const gr_child leaves[] = {{.id = "h", .behavior = &hasty}, PART("x"), {0}};
    gr_supervisor inner = {.restarts_max = GR_RESTARTS_NONE,
                           .children = leaves};
    gr_values args;
    CHECK_RC(gr_supervisor_args(self, &inner, &args), 0);
    const gr_child children[] = {
        {.id = "inner", .behavior = &gr_supervisor_behavior, .args = args},
        {0}};
    gr_child_info info;

    hasty_runs = 0;
    gr_pid sup = supervise(self, &(gr_supervisor){.children = children});
    settle(self);

    /* To fail after init is to have started: no failed start of the tree, but
     * a restart of the branch. */
    CHECK_RC(gr_call(self, sup, ASK_MS, gr_expect("gr.started"), "gr.started"),
             0);
    CHECK_RC(gr_inspect_child(self, sup, "inner", &info), 0);
    CHECK(info.state == GR_CHILD_UP && info.restarts == 1);
    EXPECT("+x-x+x");
    stop(self, sup);
}

static void what_ends_right_after_its_start_has_started(void **state)
{
    (void)state;
    on_each_seed(ended_too_soon);
}

static void killed_branch(gr_actor *self)
{
    gr_pid sup = tree(self, GR_ONE_FOR_ONE, 1, 1);

    settle(self);
    gr_pid x = pid_of(self, inner_of(self), "x");
    EXPECT("+a+x+y+b");
    CHECK_RC(gr_kill(self, inner_of(self)), 0);
    settle(self);

    /* Its children go by their links, in any order. The new run starts the
     * same spec. */
    CHECK_RC(gr_call(self, x, ASK_MS, gr_expect("who"), "who"), GR_ENOPROC);
    CHECK(!gr_pid_eq(pid_of(self, inner_of(self), "x"), x));
    CHECK(strstr(journal, "+x") != NULL);
    journal[0] = '\0';
    stop(self, sup);
    EXPECT("-b-y-x-a");
}

static void a_killed_branch_is_run_again_whole(void **state)
{
    (void)state;
    on_each_seed(killed_branch);
}

static void dynamic_branches(gr_actor *self)
{
    const gr_child leaves[] = {PART("x"), {0}};
    gr_supervisor inner = {.strategy = GR_ONE_FOR_ONE, .children = leaves};
    gr_values args;
    gr_pid branch, child;

    CHECK_RC(gr_supervisor_args(self, &inner, &args), 0);
    const gr_child children[] = {
        {.id = "branch", .behavior = &gr_supervisor_behavior, .args = args},
        {0}};
    gr_pid sup =
        supervise(self, &(gr_supervisor){.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                         .children = children});
    CHECK_RC(gr_start_child(self, sup, (gr_values){0}, &branch), 0);
    EXPECT("+x"); /* it has started when its child has */
    CHECK_RC(gr_child_pid(self, branch, "x", &child), 0);
    init_failures['x'] = 1;
    CHECK_RC(gr_start_child(self, sup, (gr_values){0}, &branch), ERROR_INIT);

    EXPECT("*x");
    stop(self, sup);
    EXPECT("-x");
}

static void branches_can_be_started_at_run_time(void **state)
{
    (void)state;
    on_each_seed(dynamic_branches);
}

/* top -> m (and a) -> l (and b) -> x, y. Each level allows one restart. */
static gr_pid three_levels(gr_actor *self, gr_strategy middle)
{
    const gr_child leaves[] = {PART("x"), PART("y"), {0}};
    gr_supervisor low = {.children = leaves, .name = "low"};
    gr_values args;
    CHECK_RC(gr_supervisor_args(self, &low, &args), 0);
    const gr_child in_middle[] = {
        PART("b"),
        {.id = "l", .behavior = &gr_supervisor_behavior, .args = args},
        {0}};
    gr_supervisor mid = {
        .strategy = middle, .children = in_middle, .name = "mid"};
    CHECK_RC(gr_supervisor_args(self, &mid, &args), 0);
    const gr_child on_top[] = {
        PART("a"),
        {.id = "m", .behavior = &gr_supervisor_behavior, .args = args},
        {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.children = on_top});
    EXPECT("+a+b+x+y");
    return sup;
}

static gr_pid named(gr_actor *self, const char *name)
{
    gr_pid pid = GR_NOBODY;

    CHECK_RC(gr_whereis(self, GR_HERE, name, &pid), 0);
    return pid;
}

static void crash_x(gr_actor *self)
{
    settle(self);
    crash(self, named(self, "low"), "x");
    settle(self);
}

static void storm(gr_actor *self)
{
    gr_pid sup = three_levels(self, GR_ONE_FOR_ALL);

    /* Each level takes what it may, then hands it up: 1 restart below, then 1
     * of the middle with 1 below, and the same after 1 of the top; the next is
     * the end. */
    crash_x(self);
    EXPECT("!x+x");
    crash_x(self);
    EXPECT("!x-y-b+b+x+y");
    crash_x(self);
    EXPECT("!x+x");
    gr_pid mid = named(self, "mid");
    crash_x(self);
    EXPECT("!x-y-b+b+x+y");
    CHECK(!gr_pid_eq(named(self, "mid"), mid));
    for (int i = 0; i < 3; i++) {
        crash_x(self);
        EXPECT(i == 1 ? "!x-y-b+b+x+y" : "!x+x");
    }
    crash_x(self);
    CHECK(gave_up(end_of(self, sup)));
    EXPECT("!x-y-b-a");
}

static void a_storm_is_handed_up_level_by_level(void **state)
{
    (void)state;
    on_each_seed(storm);
}

static void spread(gr_actor *self)
{
    gr_pid sup = three_levels(self, GR_REST_FOR_ONE);

    /* With time between them nobody is troubled above. */
    for (int i = 0; i < 20; i++) {
        crash_x(self);
        EXPECT("!x+x");
        gr_sim_advance(gr_system_of(self), GR_PERIOD_MS_DEFAULT + 1);
    }
    stop(self, sup);
    EXPECT("-y-x-b-a");
}

static void crashes_with_time_between_them_stay_below(void **state)
{
    (void)state;
    on_each_seed(spread);
}

static void restart_of_a_branch_fails(gr_actor *self)
{
    gr_pid sup = three_levels(self, GR_ONE_FOR_ONE);

    /* The new run of l cannot start y once: that is a restart that failed, and
     * one too many for mid, so it is tried again one level up. */
    crash_x(self);
    EXPECT("!x+x");
    init_failures['y'] = 1;
    crash_x(self);
    EXPECT("!x-y+x*y-x-b+b+x+y");
    stop(self, sup);
    EXPECT("-y-x-b-a");
}

static void a_branch_whose_restart_fails_is_handed_up(void **state)
{
    (void)state;
    on_each_seed(restart_of_a_branch_fails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_starts_in_order_and_stops_in_reverse),
        cmocka_unit_test(a_failed_start_of_a_branch_fails_the_tree),
        cmocka_unit_test(a_branch_that_gives_up_is_restarted_by_its_supervisor),
        cmocka_unit_test(a_branch_that_gives_up_has_ended_by_shutdown),
        cmocka_unit_test(what_ends_right_after_its_start_has_started),
        cmocka_unit_test(a_killed_branch_is_run_again_whole),
        cmocka_unit_test(branches_can_be_started_at_run_time),
        cmocka_unit_test(a_storm_is_handed_up_level_by_level),
        cmocka_unit_test(crashes_with_time_between_them_stay_below),
        cmocka_unit_test(a_branch_whose_restart_fails_is_handed_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
