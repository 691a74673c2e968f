/*
 * Goal:   a supervisor runs what a program of this process has specified, and
 *         nothing that others made up: an address in a message is believed only
 *         if this system has sealed it.
 * Method: specs as they travel, with one value of a child's another.
 */
#include "tests/supervisor/fixture.h"

enum { NODE = 0, CHILD = 1 };                /* of a child that is added */
enum { ADDRESS = 1, SEAL = 2, VALUES = 14 }; /* of a child */
enum { TOP_NODE = 0, TOP_CHILDREN = 7, TOPS = 8 }; /* of a spec */

static char logged[4096];

static void note_line(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level;
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

static void on_each_seed_logged(scenario_fn *run)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        logged[0] = '\0';
        on_system(&(gr_system_opts){.seed = seed,
                                    .log = note_line,
                                    .log_level = GR_LOG_WARN},
                  run);
    }
}

/* What is never a behaviour: whoever read it would fault. */
#define NOWHERE UINT64_C(0x1000)

/* A child as it travels, with those values in place of its own. */
typedef struct forged {
    gr_value child[VALUES];
    gr_value added[2];
} forged;

static gr_values forge(forged *f, gr_values added, int which, gr_value value)
{
    CHECK(added.n == 2 && added.items[CHILD].len == VALUES);
    memcpy(f->child, added.items[CHILD].as.items, sizeof(f->child));
    f->child[which] = value;
    f->added[NODE] = added.items[NODE];
    f->added[CHILD] = gr_list_of(f->child, VALUES);
    return (gr_values){f->added, 2};
}

static int ask_to_add(gr_actor *self, gr_pid sup, gr_values values)
{
    gr_pid pid;

    return gr_call(self, sup, ASK_MS, gr_expect("gr.child", &pid),
                   "gr.add_child", gr_list_of(values.items, values.n));
}

static void forged_requests(gr_actor *self)
{
    const gr_child a[] = {PART("a"), {0}};
    const gr_child b = PART("b"), c = PART("c");
    gr_pid sup = supervise(self, &(gr_supervisor){.children = a});
    gr_values of_b, of_c;
    forged f;

    CHECK_RC(gr_add_child_args(self, &b, &of_b), 0);
    CHECK_RC(gr_add_child_args(self, &c, &of_c), 0);
    const uint64_t seal = of_b.items[CHILD].as.items[SEAL].as.u;
    EXPECT("+a");

    const uint64_t wrong[] = {0, 1, seal ^ 1, seal + 1, ~seal};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        logged[0] = '\0';
        CHECK_RC(
            ask_to_add(self, sup, forge(&f, of_b, SEAL, GRI_VALUE(wrong[i]))),
            GR_EDENIED);
        CHECK(strstr(logged, "was not specified in this process") != NULL);
    }
    /* The seal of one address is none of another. */
    CHECK_RC(
        ask_to_add(self, sup, forge(&f, of_b, ADDRESS, GRI_VALUE(NOWHERE))),
        GR_EDENIED);
    CHECK_RC(ask_to_add(self, sup, forge(&f, of_b, ADDRESS, GRI_VALUE(0u))),
             GR_EDENIED);
    CHECK_RC(ask_to_add(self, sup, forge(&f, of_b, SEAL, gr_nil())), GR_EINVAL);

    /* Nothing was started, and who asks rightly is served. */
    EXPECT("");
    CHECK_RC(ask_to_add(self, sup, of_b), 0);
    CHECK_RC(ask_to_add(self, sup, of_c), 0);
    EXPECT("+b+c");
    stop(self, sup);
}

static void a_child_that_was_not_sealed_here_is_not_added(void **state)
{
    (void)state;
    on_each_seed_logged(forged_requests);
}

/* A spec whose only child has another address. */
static void forge_spec(gr_value top[TOPS], gr_value child[VALUES],
                       gr_values spec)
{
    CHECK(spec.n == TOPS && spec.items[TOP_CHILDREN].len == 1);
    memcpy(top, spec.items, TOPS * sizeof(top[0]));
    memcpy(child, spec.items[TOP_CHILDREN].as.items[0].as.items,
           VALUES * sizeof(child[0]));
    child[ADDRESS] = GRI_VALUE(NOWHERE);
}

static void forged_branch(gr_actor *self)
{
    const gr_child leaf[] = {PART("a"), {0}};
    const gr_supervisor inner = {.children = leaf};
    const gr_child branch[] = {
        {.id = "branch", .behavior = &gr_supervisor_behavior}, {0}};
    gr_pid sup =
        supervise(self, &(gr_supervisor){.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                         .children = branch});
    gr_value top[TOPS], child[VALUES], children[1];
    gr_values spec;
    gr_pid pid;

    CHECK_RC(gr_supervisor_args(self, &inner, &spec), 0);
    forge_spec(top, child, spec);
    children[0] = gr_list_of(child, VALUES);
    top[TOP_CHILDREN] = gr_list_of(children, 1);
    CHECK_RC(gr_start_child(self, sup, (gr_values){top, TOPS}, &pid),
             GR_EDENIED);
    EXPECT("");
    CHECK_RC(gr_start_child(self, sup, spec, &pid), 0);
    EXPECT("+a");
    stop(self, sup);
}

static void a_branch_that_was_not_sealed_here_does_not_start(void **state)
{
    (void)state;
    on_each_seed(forged_branch);
}

/* As the process of an actor would: it has its spawner's number, and addresses
 * of its own. */
static void sealed_elsewhere(gr_actor *self)
{
    const gr_child a[] = {PART("a"), {0}};
    const gr_child b = PART("b");
    gr_pid sup = supervise(self, &(gr_supervisor){.children = a});
    const gr_value own = GRI_VALUE(gr_system_node(gr_system_of(self)));
    gr_system *other;
    gr_actor *there;
    gr_values spec, added;
    gr_exit_reason why;
    gr_value values[TOPS];
    gr_ref ref;
    const gr_msg *msg;

    CHECK_RC(gr_system_start(&(gr_system_opts){.seed = seed_now}, &other), 0);
    CHECK_RC(gr_thread_attach(other, NULL, &there), 0);
    CHECK_RC(gr_supervisor_args(there, &(gr_supervisor){.children = a}, &spec),
             0);
    CHECK_RC(gr_add_child_args(there, &b, &added), 0);
    EXPECT("+a");

    memcpy(values, added.items, added.n * sizeof(values[0]));
    values[NODE] = own;
    CHECK_RC(ask_to_add(self, sup, (gr_values){values, added.n}), GR_EDENIED);
    memcpy(values, spec.items, spec.n * sizeof(values[0]));
    values[TOP_NODE] = own;
    CHECK_RC(
        gr_spawn(self, &gr_supervisor_behavior,
                 &(gr_spawn_opts){.args = {values, spec.n}, .monitor = &ref},
                 NULL),
        0);
    CHECK_RC(gr_receive(self, ASK_MS, &msg), 0);
    CHECK(gr_match_down(msg, NULL, NULL, &why));
    CHECK_RC(why.code, GR_EDENIED);
    EXPECT("");

    gr_thread_detach(there, 0);
    CHECK_RC(gr_system_stop(other, 1000), 0);
    stop(self, sup);
}

static void what_another_system_has_sealed_is_not_believed(void **state)
{
    (void)state;
    on_each_seed(sealed_elsewhere);
}

static void not_for_others(gr_actor *self)
{
    const gr_child a[] = {PART("a"), {0}};
    const gr_child b = PART("b");
    gr_values args;
    gr_pid pid;

    /* A supervisor elsewhere could do nothing with an address. */
    CHECK_RC(gr_add_child(self, (gr_pid){gr_self(self).node ^ 1, 5}, &b, NULL),
             GR_ENOTSUP);
    CHECK_RC(gr_supervisor_args(self, &(gr_supervisor){.children = a}, &args),
             0);
    const gr_child in_process[] = {{.id = "branch",
                                    .behavior = &gr_supervisor_behavior,
                                    .args = args,
                                    .grade = GR_GRADE_PROCESS},
                                   {0}};
    CHECK_RC(gr_supervise(self, &(gr_supervisor){.children = in_process}, &pid),
             GR_EINVAL);
    EXPECT("");
}

static void what_means_nothing_elsewhere_is_refused(void **state)
{
    (void)state;
    on_each_seed(not_for_others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_that_was_not_sealed_here_is_not_added),
        cmocka_unit_test(a_branch_that_was_not_sealed_here_does_not_start),
        cmocka_unit_test(what_another_system_has_sealed_is_not_believed),
        cmocka_unit_test(what_means_nothing_elsewhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
