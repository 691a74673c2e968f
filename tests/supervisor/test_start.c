/* How a supervisor starts its children: in order, or not at all. Deterministic
 * systems, many seeds each. */
#include "tests/supervisor/fixture.h"

static void in_order(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART("b"), PART("c"), PART("d"), {0}};

    gr_pid sup = supervise(self, &(gr_supervisor){.children = children});

    EXPECT("+a+b+c+d");
    stop(self, sup);
}

static void children_start_in_order_each_when_the_one_before_has(void **state)
{
    (void)state;
    on_each_seed(in_order);
}

static void answered_when_started(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), PART("c"), {0}};
    gr_supervisor spec = {.children = children};
    gr_pid sup, first;

    CHECK_RC(gr_supervise(self, &spec, &sup), 0);
    EXPECT(""); /* a start runs nothing by itself */
    /* Whenever in the start the ask comes. */
    for (uint64_t steps = seed_now % 12; steps > 0; steps--) {
        (void)gr_sim_step(gr_system_of(self));
    }
    CHECK_RC(gr_child_pid(self, sup, "a", &first), 0);

    CHECK(strcmp(journal, "+a+b+c") == 0);
    CHECK_RC(gr_call(self, sup, ASK_MS, gr_expect("gr.started"), "gr.started"),
             0);
    stop(self, sup);
}

static void asks_are_answered_when_all_have_started(void **state)
{
    (void)state;
    on_each_seed(answered_when_started);
}

static void a_failing_init(gr_actor *self)
{
    const gr_child children[] = {PART("a"),
                                 PART_AS(PART_SLOW, "b", .name = "b"),
                                 PART_WITH("c", .restart = GR_TEMPORARY),
                                 PART("d"),
                                 {0}};
    gr_supervisor spec = {.children = children, .restarts_max = 100};
    gr_pid sup, pid;

    init_failures['c'] = 1;
    CHECK_RC(gr_supervise(self, &spec, &sup), 0);
    CHECK_RC(gr_child_pid(self, sup, "a", &pid), GR_ENOPROC);
    gr_exit_reason why = end_of(self, sup);

    CHECK(why.kind == GR_EXIT_ERROR);
    CHECK_RC(why.code, ERROR_INIT);
    EXPECT("+a+b*c-b-a");
    CHECK_RC(gr_whereis(self, GR_HERE, "b", &pid), GR_ENOENT);
}

static void a_failing_init_stops_those_before_and_is_the_end(void **state)
{
    (void)state;
    on_each_seed(a_failing_init);
}

static void a_refused_spawn(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_WITH("b", .name = "taken"), PART("c"), {0}};
    gr_supervisor spec = {.children = children};

    CHECK_RC(gr_register(self, "taken"), 0);
    gr_pid sup = supervise(self, &spec);
    gr_exit_reason why = end_of(self, sup);

    CHECK(why.kind == GR_EXIT_ERROR);
    CHECK_RC(why.code, GR_EEXIST);
    EXPECT("+a-a");
}

static void a_child_that_cannot_be_spawned_is_a_failed_start(void **state)
{
    (void)state;
    on_each_seed(a_refused_spawn);
}

static void nothing_to_do(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART("b"), PART("c"), {0}};
    gr_supervisor spec = {.strategy = GR_ONE_FOR_ALL, .children = children};
    gr_pid pid;

    init_failures['b'] = -1;
    gr_pid sup = supervise(self, &spec);

    EXPECT("+a.b-b+c");
    CHECK_RC(gr_child_pid(self, sup, "b", &pid), GR_ENOPROC);
    /* With the others it is tried again, and again has nothing to do. */
    crash(self, sup, "a");
    EXPECT("!a-c+a.b-b+c");
    stop(self, sup);
    EXPECT("-c-a");
}

static void a_child_that_ends_normally_in_init_stays_down(void **state)
{
    (void)state;
    on_each_seed(nothing_to_do);
}

static void no_children(gr_actor *self)
{
    const gr_child none[] = {{0}};
    gr_supervisor specs[] = {{.children = NULL}, {.children = none}};
    gr_pid pid;

    for (int i = 0; i < 2; i++) {
        gr_pid sup = supervise(self, &specs[i]);
        CHECK_RC(gr_child_pid(self, sup, "a", &pid), GR_ENOENT);
        stop(self, sup);
    }
}

static void a_supervisor_without_children_waits_for_its_stop(void **state)
{
    (void)state;
    on_each_seed(no_children);
}

static void overwritten(gr_actor *self)
{
    char id[] = "a", name[] = "the name", letter[] = "a";
    gr_child children[] = {{.id = id,
                            .behavior = &part,
                            .name = name,
                            .args = gr_args(letter, (uint32_t)PART_PLAIN, 7)},
                           {0}};
    gr_supervisor spec = {.children = children};
    gr_pid sup, named;
    gr_str who;
    int extra;

    CHECK_RC(gr_supervise(self, &spec, &sup), 0);
    id[0] = name[0] = letter[0] = '?';
    children[0] = (gr_child){0};
    crash(self, sup, "a");

    CHECK_RC(gr_whereis(self, GR_HERE, "the name", &named), 0);
    CHECK_RC(
        gr_call(self, named, ASK_MS, gr_expect("who", &who, &extra), "who"), 0);
    CHECK(who.len == 1 && who.ptr[0] == 'a' && extra == 7);
    EXPECT("+a!a+a");
    stop(self, sup);
}

static void a_spec_is_copied_and_holds_for_every_restart(void **state)
{
    (void)state;
    on_each_seed(overwritten);
}

static void stopped_meanwhile(gr_actor *self)
{
    const gr_child children[] = {PART_AS(PART_SLOW, "a", .stop_max_ms = 1000),
                                 PART("b"),
                                 PART("c"),
                                 PART("d"),
                                 {0}};
    gr_supervisor spec = {.children = children};
    gr_pid sup;

    CHECK_RC(gr_supervise(self, &spec, &sup), 0);
    for (uint64_t steps = seed_now % 12; steps > 0; steps--) {
        (void)gr_sim_step(gr_system_of(self));
    }
    stop(self, sup);

    /* Whatever had started has stopped, in reverse order. */
    size_t n = strlen(journal) / 4;
    for (size_t i = 0; i < n; i++) {
        char letter = (char)('a' + i);
        CHECK(journal[2 * i] == '+' && journal[2 * i + 1] == letter);
        CHECK(journal[4 * n - 2 * i - 2] == '-');
        CHECK(journal[4 * n - 2 * i - 1] == letter);
    }
}

static void a_stop_during_the_start_ends_what_has_started(void **state)
{
    (void)state;
    on_each_seed(stopped_meanwhile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_start_in_order_each_when_the_one_before_has),
        cmocka_unit_test(asks_are_answered_when_all_have_started),
        cmocka_unit_test(a_failing_init_stops_those_before_and_is_the_end),
        cmocka_unit_test(a_child_that_cannot_be_spawned_is_a_failed_start),
        cmocka_unit_test(a_child_that_ends_normally_in_init_stays_down),
        cmocka_unit_test(a_supervisor_without_children_waits_for_its_stop),
        cmocka_unit_test(a_spec_is_copied_and_holds_for_every_restart),
        cmocka_unit_test(a_stop_during_the_start_ends_what_has_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
