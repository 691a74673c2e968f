/* What gr_supervise and its like refuse, and who may call what. */
#include "tests/supervisor/fixture.h"

static void refused(gr_actor *self)
{
    static const gr_behavior no_name = {.receive = part_receive};
    static const gr_behavior no_receive = {.name = "no receive"};
    const gr_child good[] = {PART("a"), {0}};
    const gr_child two[] = {PART("a"), PART("b"), {0}};
    const gr_child equal[] = {PART("a"), PART("b"), PART("a"), {0}};
    const gr_child no_id[] = {{.behavior = &part}, {0}};
    const gr_child empty_id[] = {{.id = "", .behavior = &part}, {0}};
    const gr_child no_behavior[] = {{.id = "a"}, {0}};
    const gr_child unnamed[] = {{.id = "a", .behavior = &no_name}, {0}};
    const gr_child deaf[] = {{.id = "a", .behavior = &no_receive}, {0}};
    const gr_child negative[] = {PART_WITH("a", .stop_max_ms = -2), {0}};
    const gr_child odd_type[] = {PART_WITH("a", .restart = (gr_restart)3), {0}};
    const gr_child no_args[] = {
        {.id = "a", .behavior = &part, .args = {NULL, 2}}, {0}};
    const gr_child with_name[] = {PART_WITH("a", .name = "a"), {0}};
    const struct {
        gr_supervisor spec;
        int rc;
    } rows[] = {
        {{.children = equal}, GR_EINVAL},
        {{.children = no_id}, GR_EINVAL},
        {{.children = empty_id}, GR_EINVAL},
        {{.children = no_behavior}, GR_EINVAL},
        {{.children = unnamed}, GR_EINVAL},
        {{.children = deaf}, GR_EINVAL},
        {{.children = negative}, GR_EINVAL},
        {{.children = odd_type}, GR_EINVAL},
        {{.children = no_args}, GR_EINVAL},
        {{.children = good, .period_ms = -1}, GR_EINVAL},
        {{.children = good, .strategy = (gr_strategy)4}, GR_EINVAL},
        {{.children = good, .restarts_max = GR_RESTARTS_MAX + 1}, GR_ELIMIT},
        {{.strategy = GR_SIMPLE_ONE_FOR_ONE}, GR_EINVAL},
        {{.strategy = GR_SIMPLE_ONE_FOR_ONE, .children = two}, GR_EINVAL},
        {{.strategy = GR_SIMPLE_ONE_FOR_ONE, .children = with_name}, GR_EINVAL},
        {{.children = good, .name = "taken"}, GR_EEXIST},
    };
    gr_stats before, after;

    CHECK_RC(gr_register(self, "taken"), 0);
    gr_system_stats(gr_system_of(self), &before);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gr_pid pid = {7, 7};
        gr_values args = {NULL, 7};
        CHECK_RC(gr_supervise(self, &rows[i].spec, &pid), rows[i].rc);
        CHECK(pid.node == 7 && pid.id == 7);
        if (rows[i].rc != GR_EEXIST) {
            CHECK_RC(gr_supervisor_args(self, &rows[i].spec, &args),
                     rows[i].rc);
            CHECK(args.n == 7);
        }
    }
    CHECK_RC(gr_supervise(self, NULL, NULL), GR_EINVAL);
    settle(self);
    gr_system_stats(gr_system_of(self), &after);
    CHECK(after.spawned == before.spawned);
    EXPECT("");
}

static void a_wrong_spec_is_refused_and_starts_nothing(void **state)
{
    (void)state;
    on_each_seed(refused);
}

static void many_children(gr_actor *self)
{
    static gr_child children[GR_CHILDREN_MAX + 2];
    static char ids[GR_CHILDREN_MAX + 1][8];
    const gr_value letter[] = {gr_strn("a", 1)};
    gr_pid pid;

    for (unsigned i = 0; i <= GR_CHILDREN_MAX; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%u", i);
        children[i] =
            (gr_child){.id = ids[i], .behavior = &part, .args = {letter, 1}};
    }
    CHECK_RC(gr_supervise(self, &(gr_supervisor){.children = children}, &pid),
             GR_ELIMIT);
    children[GR_CHILDREN_MAX] = (gr_child){0};
    CHECK_RC(gr_supervise(self, &(gr_supervisor){.children = children}, &pid),
             0);
    (void)pid_of(self, pid, ids[GR_CHILDREN_MAX - 1]);
    stop(self, pid);
    journal[0] = '\0';
}

static void a_spec_holds_as_many_children_as_promised(void **state)
{
    (void)state;
    on_system(&(gr_system_opts){.seed = 1}, many_children);
}

/* ---- a handler actor ---------------------------------------------------- */

static int handler_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid sup, child;

    (void)state;
    if (gr_match(msg, "try", &sup)) {
        int asked = gr_child_pid(self, sup, "a", &child);
        int began = gr_start_child(self, sup, gr_args(1), &child);
        return gr_reply(self, msg, "tried", asked, began);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior handler = {.name = "handler",
                                    .receive = handler_receive};

static void from_a_handler(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    int asked, began;
    gr_pid pid;

    gr_pid sup = supervise(self, &(gr_supervisor){.children = children});
    CHECK_RC(gr_spawn(self, &handler, NULL, &pid), 0);
    CHECK_RC(gr_call(self, pid, ASK_MS, gr_expect("tried", &asked, &began),
                     "try", sup),
             0);

    CHECK_RC(asked, GR_ENOTSUP);
    CHECK_RC(began, GR_ENOTSUP);
    stop(self, sup);
}

static void a_handler_actor_cannot_wait_for_a_child(void **state)
{
    (void)state;
    on_each_seed(from_a_handler);
}

/* ---- what travels ------------------------------------------------------- */

static void values_of_every_kind(gr_actor *self)
{
    gr_value flat[] = {gr_strn("flat", 4)};
    gr_values args, again;
    gr_pid pid;

    /* A list in a list in a list, as deep as a message goes and deeper. */
    gr_value deep[GR_DEPTH_MAX + 1];
    deep[0] = gr_list_of(flat, 1);
    for (size_t i = 1; i <= GR_DEPTH_MAX; i++) {
        deep[i] = gr_list_of(&deep[i - 1], 1);
    }
    const gr_child too_deep[] = {
        {.id = "a", .behavior = &part, .args = {&deep[GR_DEPTH_MAX], 1}}, {0}};
    CHECK_RC(
        gr_supervisor_args(self, &(gr_supervisor){.children = too_deep}, &args),
        GR_EINVAL);
    CHECK(gr_supervise(self, &(gr_supervisor){.children = too_deep}, &pid) < 0);

    const gr_child children[] = {
        {.id = "a",
         .behavior = &part,
         .args = gr_args(gr_nil(), true, -5, 5u, 2.5, 1.5f, "text",
                         gr_bin("\0\1", 2), gr_list(1, gr_list("x")),
                         gr_map("key", gr_self(self)))},
        {0}};
    gr_supervisor spec = {.children = children};
    CHECK_RC(gr_supervisor_args(self, &spec, &args), 0);
    CHECK_RC(gr_supervisor_args(self, &spec, &again), 0);
    CHECK(args.n == again.n && args.items != again.items);
}

static void a_spec_for_a_branch_is_copied_whole(void **state)
{
    (void)state;
    on_each_seed(values_of_every_kind);
}

static void overwritten(gr_actor *self)
{
    char id[] = "id", name[] = "the name", letter[] = "a", inner[] = "inner";
    gr_child leaf[] = {
        {.id = id, .behavior = &part, .name = name, .args = gr_args(letter)},
        {0}};
    gr_supervisor spec = {.children = leaf, .name = inner};
    gr_values args;
    gr_pid sup, pid;

    CHECK_RC(gr_supervisor_args(self, &spec, &args), 0);
    id[0] = name[0] = letter[0] = inner[0] = '?';
    leaf[0] = (gr_child){0};
    CHECK_RC(gr_spawn(self, &gr_supervisor_behavior,
                      &(gr_spawn_opts){.args = args, .link = true}, &sup),
             0);

    CHECK(gr_pid_eq(pid_of(self, sup, "id"), pid_of(self, sup, "id")));
    CHECK_RC(gr_whereis(self, GR_HERE, "the name", &pid), 0);
    CHECK_RC(gr_whereis(self, GR_HERE, "inner", &pid), 0);
    EXPECT("+a");
    stop(self, sup);
}

static void a_spec_for_a_branch_outlives_what_it_was_made_from(void **state)
{
    (void)state;
    on_each_seed(overwritten);
}

static void from_another_node(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    gr_supervisor spec = {.children = children};
    gr_system *other;
    gr_actor *there;
    gr_values args;
    gr_exit_reason why;
    const gr_msg *msg;
    gr_ref ref;

    CHECK_RC(gr_supervisor_args(self, &spec, &args), 0);
    CHECK_RC(gr_system_start(&(gr_system_opts){.seed = seed_now + 1}, &other),
             0);
    CHECK_RC(gr_thread_attach(other, NULL, &there), 0);
    CHECK_RC(gr_spawn(there, &gr_supervisor_behavior,
                      &(gr_spawn_opts){.args = args, .monitor = &ref}, NULL),
             0);
    CHECK_RC(gr_receive(there, ASK_MS, &msg), 0);

    CHECK(gr_match_down(msg, NULL, NULL, &why));
    CHECK(why.kind == GR_EXIT_ERROR);
    CHECK_RC(why.code, GR_EINVAL);
    gr_thread_detach(there, 0);
    CHECK_RC(gr_system_stop(other, 1000), 0);
    EXPECT("");
}

static void a_spec_of_another_node_is_refused(void **state)
{
    (void)state;
    on_each_seed(from_another_node);
}

static void wrong_arguments(gr_actor *self)
{
    const gr_child children[] = {PART("a"), {0}};
    gr_supervisor spec = {.children = children};
    gr_values good;

    CHECK_RC(gr_supervisor_args(self, &spec, &good), 0);
    for (uint32_t n = 0; n < good.n; n++) {
        gr_pid pid;
        gr_ref ref;
        gr_exit_reason why;
        const gr_msg *msg;
        gr_value args[16];
        /* Cut short, and with one value of a wrong type. */
        memcpy(args, good.items, good.n * sizeof(args[0]));
        args[n] = gr_list(1, 2, 3);
        gr_values wrong[] = {{good.items, n}, {args, good.n}};
        for (int i = 0; i < 2; i++) {
            CHECK_RC(
                gr_spawn(self, &gr_supervisor_behavior,
                         &(gr_spawn_opts){.args = wrong[i], .monitor = &ref},
                         &pid),
                0);
            CHECK_RC(gr_receive(self, ASK_MS, &msg), 0);
            CHECK(gr_match_down(msg, NULL, NULL, &why));
            CHECK(why.kind == GR_EXIT_ERROR);
            CHECK_RC(why.code, GR_EINVAL);
        }
    }
    EXPECT("");
}

static void arguments_that_are_no_spec_end_the_supervisor(void **state)
{
    (void)state;
    on_each_seed(wrong_arguments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_spec_is_refused_and_starts_nothing),
        cmocka_unit_test(a_spec_holds_as_many_children_as_promised),
        cmocka_unit_test(a_handler_actor_cannot_wait_for_a_child),
        cmocka_unit_test(a_spec_for_a_branch_is_copied_whole),
        cmocka_unit_test(a_spec_for_a_branch_outlives_what_it_was_made_from),
        cmocka_unit_test(a_spec_of_another_node_is_refused),
        cmocka_unit_test(arguments_that_are_no_spec_end_the_supervisor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
