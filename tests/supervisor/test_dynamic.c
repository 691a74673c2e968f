/* simple_one_for_one: children that are started at run time. Deterministic
 * systems, many seeds each. */
#include "tests/supervisor/fixture.h"

#include <malloc.h>

/* A supervisor of parts with that type and mode; each is started with a
 * number. */
static gr_pid family(gr_actor *self, gr_restart restart, part_mode mode)
{
    const gr_child children[] = {
        PART_AS(mode, "x", .restart = restart, .stop_max_ms = 500), {0}};

    return supervise(self, &(gr_supervisor){.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                            .restarts_max = 3,
                                            .children = children});
}

static gr_pid add(gr_actor *self, gr_pid sup, int number)
{
    gr_pid pid = GR_NOBODY;

    CHECK_RC(gr_start_child(self, sup, gr_args(number), &pid), 0);
    return pid;
}

static int number_of(gr_actor *self, gr_pid child)
{
    int number = -1;

    CHECK_RC(gr_call(self, child, ASK_MS, gr_expect("who", gr_is("x"), &number),
                     "who"),
             0);
    return number;
}

static void started(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_PLAIN);
    EXPECT("");

    gr_pid one = add(self, sup, 1);
    EXPECT("+x"); /* the answer comes when it has started */
    gr_pid two = add(self, sup, 2);
    CHECK_RC(gr_start_child(self, sup, gr_args(3), NULL), 0);

    CHECK(number_of(self, one) == 1);
    CHECK(number_of(self, two) == 2);
    stop(self, sup);
    EXPECT("+x+x-x-x-x");
}

static void arguments_of_a_start_stand_behind_those_of_the_spec(void **state)
{
    (void)state;
    on_each_seed(started);
}

/* Names itself by its number, so that its runs can be found. */
static int named_init(gr_actor *self, void *state, const gr_msg *args)
{
    gr_str name;

    (void)state;
    return gr_unpack(args, &name) && name.len == 3
               ? gr_register(self, (char[]){name.ptr[0], name.ptr[1],
                                            name.ptr[2], '\0'})
               : GR_EINVAL;
}

static int named_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "crash")) {
        return ERROR_CRASH;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior named = {
    .name = "named", .init = named_init, .receive = named_receive};

static void each_for_itself(gr_actor *self)
{
    const gr_child children[] = {{.id = "named", .behavior = &named}, {0}};
    gr_supervisor spec = {.strategy = GR_SIMPLE_ONE_FOR_ONE,
                          .children = children};
    gr_pid one, two, now;

    gr_pid sup = supervise(self, &spec);
    CHECK_RC(gr_start_child(self, sup, gr_args("one"), &one), 0);
    CHECK_RC(gr_start_child(self, sup, gr_args("two"), &two), 0);
    CHECK_RC(gr_start_child(self, sup, gr_args("two"), &now), GR_EEXIST);
    CHECK_RC(gr_start_child(self, sup, gr_args("four"), &now), GR_EINVAL);
    CHECK_RC(gr_start_child(self, sup, (gr_values){0}, &now), GR_EINVAL);
    CHECK_RC(gr_send(self, one, "crash"), 0);
    settle(self);

    CHECK_RC(gr_whereis(self, GR_HERE, "one", &now), 0);
    CHECK(!gr_pid_eq(now, one));
    CHECK_RC(gr_whereis(self, GR_HERE, "two", &now), 0);
    CHECK(gr_pid_eq(now, two));
    stop(self, sup);
    CHECK_RC(gr_whereis(self, GR_HERE, "two", &now), GR_ENOENT);
}

static void a_restart_is_with_its_own_arguments_and_alone(void **state)
{
    (void)state;
    on_each_seed(each_for_itself);
}

static void not_started(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_PLAIN);
    gr_pid pid;

    init_failures['x'] = 1;
    CHECK_RC(gr_start_child(self, sup, gr_args(1), &pid), ERROR_INIT);
    settle(self);
    EXPECT("*x"); /* and not tried again */
    init_failures['x'] = -1;
    CHECK_RC(gr_start_child(self, sup, gr_args(1), &pid), GR_ENOPROC);
    init_failures['x'] = 0;
    (void)add(self, sup, 2);

    EXPECT(".x-x+x");
    stop(self, sup);
}

static void a_child_that_does_not_start_is_its_askers_matter(void **state)
{
    (void)state;
    on_each_seed(not_started);
}

static void types(gr_actor *self)
{
    static const struct {
        gr_restart type;
        const char *how;
        const char *story;
    } rows[] = {
        {GR_PERMANENT, "end", "-x+x"}, {GR_PERMANENT, "crash", "!x+x"},
        {GR_TRANSIENT, "end", "-x"},   {GR_TRANSIENT, "crash", "!x+x"},
        {GR_TEMPORARY, "end", "-x"},   {GR_TEMPORARY, "crash", "!x"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gr_pid sup = family(self, rows[i].type, PART_PLAIN);
        gr_pid child = add(self, sup, 1);
        EXPECT("+x");

        CHECK_RC(gr_send(self, child, rows[i].how), 0);
        settle(self);

        EXPECT(rows[i].story);
        stop(self, sup);
        journal[0] = '\0';
    }
}

static void restart_types_hold_for_them_too(void **state)
{
    (void)state;
    on_each_seed(types);
}

static void failing_restart(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_PLAIN);

    gr_pid one = add(self, sup, 1);
    (void)add(self, sup, 2);
    init_failures['x'] = 2;
    CHECK_RC(gr_send(self, one, "crash"), 0);
    settle(self);
    EXPECT("+x+x!x*x*x+x");

    /* Three restarts are the limit, in all. */
    gr_child_info info;
    CHECK(gr_list_children(self, sup, 0, &info, 1) == 1);
    CHECK(info.restarts == 3); /* tries, all told */
    CHECK_RC(gr_send(self, add(self, sup, 3), "crash"), 0);
    CHECK(gave_up(end_of(self, sup)));
    EXPECT("+x!x-x-x");
}

static void failing_restarts_are_tried_again_up_to_the_limit(void **state)
{
    (void)state;
    on_each_seed(failing_restart);
}

static void nothing_to_do(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_PLAIN);

    gr_pid one = add(self, sup, 1);
    init_failures['x'] = -1;
    CHECK_RC(gr_send(self, one, "crash"), 0);
    settle(self);

    EXPECT("+x!x.x-x");
    stop(self, sup);
    EXPECT("");
}

static void a_restart_that_ends_normally_in_init_is_the_childs_end(void **state)
{
    (void)state;
    on_each_seed(nothing_to_do);
}

static void several_fail(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_PLAIN);
    gr_pid children[4];

    for (int i = 0; i < 4; i++) {
        children[i] = add(self, sup, i);
    }
    init_failures['x'] = 100;
    for (int i = 0; i < 3; i++) {
        CHECK_RC(gr_send(self, children[i], "crash"), 0);
    }

    /* Three restarts, three failures, and no fourth. */
    CHECK(gave_up(end_of(self, sup)));
    CHECK(init_failures['x'] == 97);
    CHECK_RC(gr_call(self, children[3], ASK_MS, gr_expect("who"), "who"),
             GR_ENOPROC);
}

static void the_limit_is_one_for_all_of_them(void **state)
{
    (void)state;
    on_each_seed(several_fail);
}

static void stopped_twice(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_SLOW);

    (void)add(self, sup, 1);
    (void)add(self, sup, 2);
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);

    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
    EXPECT("+x+x-x-x");
}

static void a_second_stop_changes_nothing(void **state)
{
    (void)state;
    on_each_seed(stopped_twice);
}

static void all_at_once(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_SLOW);

    for (int i = 0; i < 10; i++) {
        (void)add(self, sup, i);
    }
    int64_t begin = now_ms(self);
    stop(self, sup);

    CHECK(now_ms(self) - begin == STOP_MS);
    CHECK(strcmp(journal + 20, "-x-x-x-x-x-x-x-x-x-x") == 0);

    /* The deadline is one for all, too. */
    sup = family(self, GR_PERMANENT, PART_STUBBORN);
    for (int i = 0; i < 10; i++) {
        (void)add(self, sup, i);
    }
    begin = now_ms(self);
    stop(self, sup);

    CHECK(now_ms(self) - begin == 500);
}

static void they_stop_all_at_once(void **state)
{
    (void)state;
    on_each_seed(all_at_once);
}

static void refused(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    gr_pid pid;

    gr_pid dynamic = family(self, GR_PERMANENT, PART_PLAIN);
    CHECK_RC(gr_child_pid(self, dynamic, "x", &pid), GR_ENOENT);
    CHECK_RC(gr_call(self, dynamic, ASK_MS, gr_expect("gr.child", &pid),
                     "gr.start_child", 5),
             GR_EINVAL);
    gr_pid ordered = supervise(self, &(gr_supervisor){.children = children});
    CHECK_RC(gr_start_child(self, ordered, gr_args(1), &pid), GR_EINVAL);

    (void)add(self, dynamic, 1);
    stop(self, dynamic);
    CHECK_RC(gr_start_child(self, dynamic, gr_args(1), &pid), GR_ENOPROC);
    stop(self, ordered);
}

static void what_cannot_be_started_is_refused(void **state)
{
    (void)state;
    on_each_seed(refused);
}

static void terminated(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_PLAIN);
    gr_pid one = add(self, sup, 1);
    gr_pid two = add(self, sup, 2);
    gr_child_info info[3];
    gr_child_count count;

    CHECK_RC(gr_terminate_child_pid(self, sup, one), 0);
    EXPECT("+x+x-x");
    CHECK_RC(gr_terminate_child_pid(self, sup, one), 0); /* so it is */
    CHECK_RC(gr_terminate_child_pid(self, sup, gr_self(self)), GR_ENOENT);
    CHECK_RC(gr_terminate_child_pid(self, sup, GR_NOBODY), GR_ENOENT);
    CHECK_RC(gr_terminate_child(self, sup, "x"), GR_ENOTSUP);
    CHECK_RC(gr_restart_child(self, sup, "x", NULL), GR_ENOTSUP);
    CHECK_RC(gr_delete_child(self, sup, "x"), GR_ENOTSUP);
    CHECK_RC(gr_add_child(self, sup, &(gr_child)PART("y"), NULL), GR_ENOTSUP);
    CHECK_RC(gr_inspect_child(self, sup, "x", info), GR_ENOENT);
    CHECK(number_of(self, two) == 2);

    (void)add(self, sup, 3);
    EXPECT("+x");
    CHECK(gr_list_children(self, sup, 0, info, 3) == 2);
    CHECK(gr_pid_eq(info[0].pid, two) && info[0].state == GR_CHILD_UP);
    CHECK(gr_list_children(self, sup, 1, info, 3) == 1);
    CHECK(!gr_pid_eq(info[0].pid, two));
    CHECK(gr_list_children(self, sup, 2, info, 3) == 0);
    CHECK_RC(gr_count_children(self, sup, &count), 0);
    CHECK(count.specs == 1 && count.active == 2);
    CHECK(count.workers == 2 && count.supervisors == 0);
    stop(self, sup);
    EXPECT("-x-x");
}

static void children_are_terminated_by_their_pids(void **state)
{
    (void)state;
    on_each_seed(terminated);
}

/* Its old pid names a child that waits for its next try, as in OTP. */
static void terminated_between_tries(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_PLAIN);
    gr_pid one = add(self, sup, 1);
    gr_child_count count;

    CHECK_RC(gr_send(self, one, "crash"), 0);
    init_failures['x'] = 1;
    (void)gr_sim_settle(gr_system_of(self));
    EXPECT("+x!x*x");
    CHECK_RC(gr_count_children(self, sup, &count), 0);
    CHECK(count.active == 0 && count.workers == 1);
    CHECK_RC(gr_terminate_child_pid(self, sup, one), 0);
    settle(self);
    EXPECT("");
    CHECK_RC(gr_count_children(self, sup, &count), 0);
    CHECK(count.workers == 0);
    stop(self, sup);
}

static void a_child_that_waits_for_its_restart_can_be_terminated(void **state)
{
    (void)state;
    on_each_seed(terminated_between_tries);
}

static void start_while_stopping(gr_actor *self)
{
    gr_pid sup = family(self, GR_PERMANENT, PART_SLOW);
    gr_pid pid;

    (void)add(self, sup, 1);
    CHECK_RC(gr_stop(self, sup), 0);
    settle(self);
    CHECK_RC(gr_start_child(self, sup, gr_args(2), &pid), GR_ENOPROC);

    CHECK(end_of(self, sup).kind == GR_EXIT_SHUTDOWN);
    EXPECT("+x-x");
}

static void none_is_started_while_it_stops(void **state)
{
    (void)state;
    on_each_seed(start_while_stopping);
}

/* Some children that begin, are restarted and end. */
static void generations(gr_actor *self, gr_pid sup, int n)
{
    for (int i = 0; i < n; i++) {
        gr_pid child = add(self, sup, i);
        CHECK(number_of(self, child) == i);
        CHECK_RC(gr_send(self, child, "end"), 0);
        settle(self);
        journal[0] = '\0';
    }
}

static void come_and_go(gr_actor *self)
{
    gr_pid sup = family(self, GR_TEMPORARY, PART_PLAIN);

    generations(self, sup, 100);
    size_t before = mallinfo2().uordblks;
    generations(self, sup, 400);

    /* (A sanitizer's allocator says 0 twice.) */
    CHECK(mallinfo2().uordblks <= before + 1024);
    stop(self, sup);
    EXPECT("");
}

static void children_that_ended_leave_nothing_behind(void **state)
{
    (void)state;
    on_each_seed(come_and_go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_of_a_start_stand_behind_those_of_the_spec),
        cmocka_unit_test(a_restart_is_with_its_own_arguments_and_alone),
        cmocka_unit_test(a_child_that_does_not_start_is_its_askers_matter),
        cmocka_unit_test(restart_types_hold_for_them_too),
        cmocka_unit_test(failing_restarts_are_tried_again_up_to_the_limit),
        cmocka_unit_test(
            a_restart_that_ends_normally_in_init_is_the_childs_end),
        cmocka_unit_test(the_limit_is_one_for_all_of_them),
        cmocka_unit_test(they_stop_all_at_once),
        cmocka_unit_test(a_second_stop_changes_nothing),
        cmocka_unit_test(what_cannot_be_started_is_refused),
        cmocka_unit_test(children_are_terminated_by_their_pids),
        cmocka_unit_test(a_child_that_waits_for_its_restart_can_be_terminated),
        cmocka_unit_test(none_is_started_while_it_stops),
        cmocka_unit_test(children_that_ended_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
