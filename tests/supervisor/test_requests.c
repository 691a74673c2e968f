/* Adding, stopping, starting again and forgetting children of a spec at run
 * time, and looking at them. Deterministic systems, many seeds each. */
#include "tests/supervisor/fixture.h"

static gr_child part_spec(const char *letter, gr_restart restart)
{
    static gr_value args[128][1];
    gr_value *at = args[(unsigned char)letter[0] & 127u];

    at[0] = gr_strn(letter, 1);
    return (gr_child){
        .id = letter, .behavior = &part, .args = {at, 1}, .restart = restart};
}

/* a, b and c under that strategy. */
static gr_pid abc(gr_actor *self, gr_strategy strategy)
{
    const gr_child children[] = {PART("a"), PART("b"), PART("c"), {0}};
    gr_supervisor spec = {
        .strategy = strategy, .restarts_max = 3, .children = children};
    gr_pid sup = supervise(self, &spec);

    EXPECT("+a+b+c");
    return sup;
}

static gr_child_info info_of(gr_actor *self, gr_pid sup, const char *id)
{
    gr_child_info info = {.restarts = 99};

    CHECK_RC(gr_inspect_child(self, sup, id, &info), 0);
    return info;
}

/* ---- adding ---------------------------------------------------------------
 */

static void add(gr_actor *self)
{
    for (gr_strategy how = GR_ONE_FOR_ONE; how <= GR_REST_FOR_ONE; how++) {
        gr_pid sup = abc(self, how);
        gr_child d = part_spec("d", GR_PERMANENT);
        gr_pid pid, now;

        CHECK_RC(gr_add_child(self, sup, &d, &pid), 0);
        EXPECT("+d");
        CHECK(gr_pid_eq(pid, pid_of(self, sup, "d")));
        CHECK_RC(gr_add_child(self, sup, &d, &now), GR_EEXIST);
        /* It is the last of the order, and restarted as the others. */
        crash(self, sup, "c");
        EXPECT(how == GR_ONE_FOR_ONE    ? "!c+c"
               : how == GR_REST_FOR_ONE ? "!c-d+c+d"
                                        : "!c-d-b-a+a+b+c+d");
        crash(self, sup, "d");
        EXPECT(how == GR_ONE_FOR_ALL ? "!d-c-b-a+a+b+c+d" : "!d+d");
        stop(self, sup);
        EXPECT("-d-c-b-a");
        CHECK_RC(gr_add_child(self, sup, &d, &now), GR_ENOPROC);
    }
}

static void an_added_child_is_the_last_of_the_order(void **state)
{
    (void)state;
    on_each_seed(add);
}

static void add_failing(gr_actor *self)
{
    gr_pid sup = abc(self, GR_ONE_FOR_ALL);
    gr_child d = part_spec("d", GR_TRANSIENT);
    gr_child e = part_spec("e", GR_TEMPORARY);
    gr_child named = part_spec("f", GR_PERMANENT);
    gr_pid pid = {7, 7};

    init_failures['d'] = 1;
    CHECK_RC(gr_add_child(self, sup, &d, &pid), ERROR_INIT);
    EXPECT("*d");
    CHECK_RC(gr_child_pid(self, sup, "d", &pid), GR_ENOENT);
    /* The same for what cannot even be spawned. */
    CHECK_RC(gr_register(self, "taken"), 0);
    named.name = "taken";
    CHECK_RC(gr_add_child(self, sup, &named, NULL), GR_EEXIST);
    CHECK_RC(gr_delete_child(self, sup, "f"), GR_ENOENT);
    /* What has nothing to do is kept, but not if it is temporary. */
    init_failures['d'] = -1;
    init_failures['e'] = -1;
    CHECK_RC(gr_add_child(self, sup, &d, &pid), GR_ENOPROC);
    CHECK_RC(gr_add_child(self, sup, &e, &pid), GR_ENOPROC);
    EXPECT(".d-d.e-e");
    CHECK(pid.node == 7 && pid.id == 7);
    CHECK(info_of(self, sup, "d").state == GR_CHILD_DOWN);
    CHECK_RC(gr_delete_child(self, sup, "e"), GR_ENOENT);
    CHECK_RC(gr_add_child(self, sup, &d, &pid), GR_EEXIST);
    stop(self, sup);
    EXPECT("-c-b-a");
}

static void what_does_not_start_is_not_added(void **state)
{
    (void)state;
    on_each_seed(add_failing);
}

static void add_wrong(gr_actor *self)
{
    gr_pid sup = abc(self, GR_ONE_FOR_ONE);
    gr_child good = part_spec("d", GR_TRANSIENT);
    gr_child no_id = good, permanent = good, significant = good;
    gr_values args = {NULL, 7};

    no_id.id = NULL;
    permanent.restart = GR_PERMANENT;
    permanent.significant = true;
    significant.significant = true;
    CHECK_RC(gr_add_child(self, sup, NULL, NULL), GR_EINVAL);
    CHECK_RC(gr_add_child(self, sup, &no_id, NULL), GR_EINVAL);
    CHECK_RC(gr_add_child(self, sup, &permanent, NULL), GR_EINVAL);
    CHECK_RC(gr_add_child_args(self, NULL, &args), GR_EINVAL);
    CHECK_RC(gr_add_child_args(self, &no_id, &args), GR_EINVAL);
    CHECK(args.n == 7);
    /* Its supervisor is not one that shuts down by itself. */
    CHECK_RC(gr_add_child(self, sup, &significant, NULL), GR_EINVAL);
    /* What no gr_add_child has written. */
    CHECK_RC(gr_call(self, sup, ASK_MS, gr_expect("x"), "gr.add_child", 5),
             GR_EINVAL);
    CHECK_RC(gr_add_child_args(self, &good, &args), 0);
    CHECK_RC(gr_call(self, sup, ASK_MS, gr_expect("x"), "gr.add_child",
                     gr_list_of(args.items, 1)),
             GR_EINVAL);
    gr_value other[2] = {GRI_VALUE(UINT64_C(12345)), args.items[1]};
    CHECK_RC(gr_call(self, sup, ASK_MS, gr_expect("x"), "gr.add_child",
                     gr_list_of(other, 2)),
             GR_EINVAL);
    EXPECT("");
    /* And what one has, as a handler actor would ask. */
    gr_pid pid;
    CHECK_RC(gr_call(self, sup, ASK_MS, gr_expect("gr.child", &pid),
                     "gr.add_child", gr_list_of(args.items, args.n)),
             0);
    EXPECT("+d");
    stop(self, sup);
}

static void a_wrong_child_is_not_added(void **state)
{
    (void)state;
    on_each_seed(add_wrong);
}

static void no_room(gr_actor *self)
{
    static char ids[GR_CHILDREN_MAX + 1][8];
    gr_pid sup = supervise(self, &(gr_supervisor){.children = NULL});
    gr_child child = part_spec("a", GR_PERMANENT);

    for (unsigned i = 0; i < GR_CHILDREN_MAX; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%u", i);
        child.id = ids[i];
        CHECK_RC(gr_add_child(self, sup, &child, NULL), 0);
        journal[0] = '\0';
    }
    child.id = "one more";
    CHECK_RC(gr_add_child(self, sup, &child, NULL), GR_ELIMIT);
    CHECK_RC(gr_terminate_child(self, sup, ids[5]), 0);
    CHECK_RC(gr_delete_child(self, sup, ids[5]), 0);
    CHECK_RC(gr_add_child(self, sup, &child, NULL), 0);
    journal[0] = '\0';
    gr_child_count count;
    CHECK_RC(gr_count_children(self, sup, &count), 0);
    CHECK(count.specs == GR_CHILDREN_MAX && count.active == GR_CHILDREN_MAX);
    stop(self, sup);
    journal[0] = '\0';
}

static void children_are_added_up_to_the_limit(void **state)
{
    (void)state;
    on_system(&(gr_system_opts){.seed = 1}, no_room);
}

/* ---- stopping and starting again ------------------------------------------
 */

static void terminated(gr_actor *self)
{
    gr_pid sup = abc(self, GR_ONE_FOR_ONE);
    gr_pid pid, before = pid_of(self, sup, "b");

    CHECK_RC(gr_restart_child(self, sup, "b", &pid), GR_EEXIST);
    CHECK_RC(gr_delete_child(self, sup, "b"), GR_EEXIST);
    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    EXPECT("-b"); /* when the answer is there, it has ended */
    CHECK_RC(gr_child_pid(self, sup, "b", &pid), GR_ENOPROC);
    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    gr_sim_advance(gr_system_of(self), 10000);
    EXPECT(""); /* and stays down, though it is permanent */

    CHECK_RC(gr_restart_child(self, sup, "b", &pid), 0);
    EXPECT("+b");
    CHECK(!gr_pid_eq(pid, before));
    CHECK(gr_pid_eq(pid, pid_of(self, sup, "b")));
    CHECK(info_of(self, sup, "b").restarts == 0); /* this is none */
    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    CHECK_RC(gr_delete_child(self, sup, "b"), 0);
    CHECK_RC(gr_child_pid(self, sup, "b", &pid), GR_ENOENT);
    stop(self, sup);
    EXPECT("-b-c-a");
}

static void a_terminated_child_stays_down_until_it_is_restarted(void **state)
{
    (void)state;
    on_each_seed(terminated);
}

static void not_there(gr_actor *self)
{
    gr_pid sup = abc(self, GR_ONE_FOR_ONE);

    CHECK_RC(gr_terminate_child(self, sup, "x"), GR_ENOENT);
    CHECK_RC(gr_restart_child(self, sup, "x", NULL), GR_ENOENT);
    CHECK_RC(gr_delete_child(self, sup, "x"), GR_ENOENT);
    gr_child_info info;
    CHECK_RC(gr_inspect_child(self, sup, "x", &info), GR_ENOENT);
    CHECK_RC(gr_inspect_child(self, sup, "a", NULL), GR_EINVAL);
    CHECK_RC(gr_list_children(self, sup, 0, NULL, 1), GR_EINVAL);
    CHECK_RC(gr_terminate_child_pid(self, sup, pid_of(self, sup, "a")),
             GR_ENOTSUP);
    CHECK_RC(gr_call(self, sup, ASK_MS, gr_expect("x"), "gr.delete_child", 5),
             GR_EINVAL);
    EXPECT("");
    stop(self, sup);
    EXPECT("-c-b-a");
    CHECK_RC(gr_terminate_child(self, sup, "a"), GR_ENOPROC);
    CHECK_RC(gr_restart_child(self, sup, "a", NULL), GR_ENOPROC);
    CHECK_RC(gr_delete_child(self, sup, "a"), GR_ENOPROC);
    CHECK_RC(gr_inspect_child(self, sup, "a", &info), GR_ENOPROC);
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    on_each_seed(not_there);
}

static void temporary(gr_actor *self)
{
    const gr_child children[] = {PART("a"),
                                 PART_WITH("b", .restart = GR_TEMPORARY),
                                 PART_WITH("c", .restart = GR_TEMPORARY),
                                 {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.children = children});
    gr_child c = part_spec("c", GR_TEMPORARY);

    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    EXPECT("+a+b+c-b");
    CHECK_RC(gr_restart_child(self, sup, "b", NULL), GR_ENOENT);
    tell_child(self, sup, "c", "end");
    EXPECT("-c");
    CHECK_RC(gr_delete_child(self, sup, "c"), GR_ENOENT);
    /* Its id is free. */
    CHECK_RC(gr_add_child(self, sup, &c, NULL), 0);
    gr_child_count count;
    CHECK_RC(gr_count_children(self, sup, &count), 0);
    CHECK(count.specs == 2 && count.active == 2);
    stop(self, sup);
    EXPECT("+c-c-a");
}

static void a_temporary_child_is_forgotten_when_it_ends(void **state)
{
    (void)state;
    on_each_seed(temporary);
}

static void restart_failing(gr_actor *self)
{
    gr_pid sup = abc(self, GR_REST_FOR_ONE);

    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    init_failures['b'] = 1;
    CHECK_RC(gr_restart_child(self, sup, "b", NULL), ERROR_INIT);
    gr_sim_advance(gr_system_of(self), 10000);
    EXPECT("-b*b"); /* it is not tried again, and concerns nobody else */
    init_failures['b'] = -1;
    CHECK_RC(gr_restart_child(self, sup, "b", NULL), GR_ENOPROC);
    EXPECT(".b-b");
    CHECK(info_of(self, sup, "b").state == GR_CHILD_DOWN);
    CHECK_RC(gr_restart_child(self, sup, "b", NULL), GR_ENOPROC);
    init_failures['b'] = 0;
    CHECK_RC(gr_restart_child(self, sup, "b", NULL), 0);
    EXPECT(".b-b+b");
    stop(self, sup);
    EXPECT("-c-b-a");
}

static void a_restart_on_request_is_tried_once(void **state)
{
    (void)state;
    on_each_seed(restart_failing);
}

static void taken_along(gr_actor *self)
{
    gr_pid sup = abc(self, GR_ONE_FOR_ALL);

    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    EXPECT("-b");
    crash(self, sup, "a");
    EXPECT("!a-c+a+b+c");
    stop(self, sup);
    EXPECT("-c-b-a");
}

static void a_terminated_child_comes_back_with_its_group(void **state)
{
    (void)state;
    on_each_seed(taken_along);
}

/* ---- while other things are under way -------------------------------------
 */

static void one_after_the_other(gr_actor *self)
{
    const gr_child children[] = {PART_AS(PART_SLOW, "a", .stop_max_ms = 1000),
                                 PART_AS(PART_SLOW, "b", .stop_max_ms = 1000),
                                 {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.children = children});
    gr_pid ask;

    CHECK_RC(gr_spawn(self, &asker, NULL, &ask), 0);
    static const char *const what[][2] = {
        {"gr.terminate_child", "a"}, {"gr.delete_child", "b"},
        {"gr.restart_child", "a"},   {"gr.terminate_child", "b"},
        {"gr.delete_child", "b"},    {"gr.child", "b"}};
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_RC(gr_send(self, ask, "ask", sup, i, what[i][0], what[i][1]), 0);
    }
    settle(self);
    /* What only looks does not wait. */
    CHECK(info_of(self, sup, "a").state == GR_CHILD_STOPPING);
    CHECK(info_of(self, sup, "b").state == GR_CHILD_UP);
    expect_answer(self, 5, 0); /* it runs still */
    expect_answer(self, 0, 0);
    expect_answer(self, 1, GR_EEXIST);
    expect_answer(self, 2, 0);
    expect_answer(self, 3, 0);
    expect_answer(self, 4, 0);
    EXPECT("+a+b-a+a-b");
    stop(self, sup);
    EXPECT("-a");
}

static void requests_are_carried_out_one_after_the_other(void **state)
{
    (void)state;
    on_each_seed(one_after_the_other);
}

/* It comes while the first start is under way. */
static void asked_early(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), {0}};
    gr_pid ask, sup;

    CHECK_RC(gr_spawn(self, &asker, NULL, &ask), 0);
    CHECK_RC(gr_supervise(self, &(gr_supervisor){.children = children}, &sup),
             0);
    CHECK_RC(gr_send(self, ask, "ask", sup, 0u, "gr.terminate_child", "a"), 0);
    expect_answer(self, 0, 0);
    EXPECT("+a+b-a");
    stop(self, sup);
    EXPECT("-b");
}

static void a_request_waits_for_the_first_start(void **state)
{
    (void)state;
    on_each_seed(asked_early);
}

static void stopped_meanwhile(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_AS(PART_SLOW, "b", .stop_max_ms = 1000), {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.children = children});
    gr_pid ask;

    CHECK_RC(gr_spawn(self, &asker, NULL, &ask), 0);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_RC(gr_send(self, ask, "ask", sup, i, "gr.terminate_child", "b"),
                 0);
    }
    settle(self);
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);
    for (uint32_t i = 0; i < 3; i++) {
        expect_answer(self, i, GR_ENOPROC);
    }
    CHECK_RC(gr_send(self, ask, "ask", sup, 3u, "gr.delete_child", "b"), 0);
    settle(self);
    expect_answer(self, 3, GR_ENOPROC); /* at once */
    EXPECT("+a+b");
    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
    EXPECT("-b-a");
}

static void a_stop_refuses_what_is_not_done(void **state)
{
    (void)state;
    on_each_seed(stopped_meanwhile);
}

/* Who asks for a child that is forgotten meanwhile is told. */
static void asked_and_forgotten(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"),
        PART_AS(PART_SLOW, "b", .stop_max_ms = 1000, .restart = GR_TEMPORARY),
        {0}};
    gr_pid ask,
        sup = supervise(self, &(gr_supervisor){.strategy = GR_ONE_FOR_ALL,
                                               .children = children});

    CHECK_RC(gr_spawn(self, &asker, NULL, &ask), 0);
    crash(self, sup, "a");
    CHECK_RC(gr_send(self, ask, "ask", sup, 0u, "gr.child", "b"), 0);
    settle(self);
    EXPECT("+a+b!a");
    gr_sim_advance(gr_system_of(self), STOP_MS);
    EXPECT("-b+a");
    expect_answer(self, 0, GR_ENOPROC);
    CHECK(now_ms(self) == STOP_MS);
    stop(self, sup);
}

static void who_asks_for_a_child_that_is_forgotten_is_told(void **state)
{
    (void)state;
    on_each_seed(asked_and_forgotten);
}

/* A child that waits for its next try can be stopped, and nothing else. */
static void while_restarting(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), {0}};
    gr_pid sup = supervise(
        self, &(gr_supervisor){.restarts_max = 3, .children = children});
    gr_pid ask;

    CHECK_RC(gr_spawn(self, &asker, NULL, &ask), 0);
    CHECK_RC(gr_send(self, pid_of(self, sup, "a"), "crash"), 0);
    init_failures['a'] = 1;
    /* Timers stand still: the next try is waited for. */
    (void)gr_sim_settle(gr_system_of(self));
    EXPECT("+a+b!a*a");
    CHECK_RC(gr_send(self, ask, "ask", sup, 0u, "gr.restart_child", "a"), 0);
    (void)gr_sim_settle(gr_system_of(self));
    CHECK_RC(gr_send(self, ask, "ask", sup, 1u, "gr.delete_child", "a"), 0);
    (void)gr_sim_settle(gr_system_of(self));
    CHECK_RC(gr_send(self, ask, "ask", sup, 2u, "gr.terminate_child", "a"), 0);
    (void)gr_sim_settle(gr_system_of(self));
    expect_answer(self, 0, GR_EAGAIN);
    expect_answer(self, 1, GR_EAGAIN);
    expect_answer(self, 2, 0);
    gr_sim_advance(gr_system_of(self), 10000);
    EXPECT("");
    CHECK(info_of(self, sup, "a").state == GR_CHILD_DOWN);
    stop(self, sup);
    EXPECT("-b");
}

/* One that waits for a delay can be stopped and deleted: nothing of it is left
 * to come back. */
static void while_delayed(gr_actor *self)
{
    const gr_child children[] = {
        PART_WITH("a", .backoff = {.first_ms = 1000, .max_ms = 1000}),
        PART("b"),
        {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.children = children});

    crash(self, sup, "a");
    CHECK(info_of(self, sup, "a").state == GR_CHILD_RESTARTING);
    CHECK_RC(gr_terminate_child(self, sup, "a"), 0);
    CHECK_RC(gr_delete_child(self, sup, "a"), 0);
    gr_sim_advance(gr_system_of(self), 10000);
    EXPECT("+a+b!a");
    stop(self, sup);
    EXPECT("-b");
}

static void a_child_that_waits_for_its_restart_can_be_terminated(void **state)
{
    (void)state;
    on_each_seed(while_restarting);
    on_each_seed(while_delayed);
}

/* ---- looking ----------------------------------------------------------------
 */

static void looked_at(gr_actor *self)
{
    const gr_child leaves[] = {PART("x"), {0}};
    gr_supervisor inner = {.children = leaves};
    gr_values args;
    CHECK_RC(gr_supervisor_args(self, &inner, &args), 0);
    const gr_child children[] = {
        PART("a"),
        PART_WITH("b", .restart = GR_TRANSIENT, .significant = true,
                  .stop_max_ms = GR_CHILD_KILL),
        {.id = "c", .behavior = &gr_supervisor_behavior, .args = args},
        {0}};
    gr_pid sup =
        supervise(self, &(gr_supervisor){.children = children,
                                         .auto_shutdown = GR_AUTO_ALL});
    gr_child_info info[4];
    gr_child_count count;

    gr_sim_advance(gr_system_of(self), 77);
    crash(self, sup, "a");
    CHECK(gr_list_children(self, sup, 0, info, 4) == 3);
    CHECK(info[0].id.len == 1 && info[0].id.ptr[0] == 'a');
    CHECK(info[0].state == GR_CHILD_UP && !gr_pid_is_nobody(info[0].pid));
    CHECK(info[0].restarts == 1 && info[0].has_ended);
    CHECK(info[0].started_ms == 77);
    CHECK(info[0].last.kind == GR_EXIT_ERROR);
    CHECK_RC(info[0].last.code, ERROR_CRASH);
    CHECK(info[0].stop_max_ms == GR_CHILD_STOP_MS_DEFAULT);
    CHECK(!info[0].is_supervisor && !info[0].significant);
    CHECK(info[0].behavior.len == 4 &&
          memcmp(info[0].behavior.ptr, "part", 4) == 0);
    CHECK(info[1].id.ptr[0] == 'b' && info[1].restart == GR_TRANSIENT);
    CHECK(info[1].significant && info[1].stop_max_ms == GR_CHILD_KILL);
    CHECK(info[1].restarts == 0 && !info[1].has_ended);
    CHECK(info[1].started_ms == 0);
    CHECK(info[2].id.ptr[0] == 'c' && info[2].is_supervisor);
    CHECK(info[2].stop_max_ms == 0);
    CHECK(gr_list_children(self, sup, 1, info, 1) == 1);
    CHECK(info[0].id.ptr[0] == 'b');
    CHECK(gr_list_children(self, sup, 3, info, 4) == 0);
    CHECK(gr_list_children(self, sup, UINT32_MAX, info, 4) == 0);
    CHECK(gr_list_children(self, sup, 0, info, 0) == 0);

    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    CHECK(info_of(self, sup, "b").last.kind == GR_EXIT_KILLED);
    CHECK(gr_pid_is_nobody(info_of(self, sup, "b").pid));
    CHECK_RC(gr_count_children(self, sup, &count), 0);
    CHECK(count.specs == 3 && count.active == 2);
    CHECK(count.supervisors == 1 && count.workers == 2);
    stop(self, sup);
    journal[0] = '\0';
}

static void children_can_be_looked_at(void **state)
{
    (void)state;
    on_each_seed(looked_at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_added_child_is_the_last_of_the_order),
        cmocka_unit_test(what_does_not_start_is_not_added),
        cmocka_unit_test(a_wrong_child_is_not_added),
        cmocka_unit_test(children_are_added_up_to_the_limit),
        cmocka_unit_test(a_terminated_child_stays_down_until_it_is_restarted),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(a_temporary_child_is_forgotten_when_it_ends),
        cmocka_unit_test(a_restart_on_request_is_tried_once),
        cmocka_unit_test(a_terminated_child_comes_back_with_its_group),
        cmocka_unit_test(requests_are_carried_out_one_after_the_other),
        cmocka_unit_test(a_request_waits_for_the_first_start),
        cmocka_unit_test(a_stop_refuses_what_is_not_done),
        cmocka_unit_test(who_asks_for_a_child_that_is_forgotten_is_told),
        cmocka_unit_test(a_child_that_waits_for_its_restart_can_be_terminated),
        cmocka_unit_test(children_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
