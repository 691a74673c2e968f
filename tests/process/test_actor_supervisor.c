/*
 * Goal:   what an actor in a process says of behaviours is not believed outside
 *         it: they are addresses of its own. It is told so by what it calls,
 *         and a supervisor that it asks all the same refuses.
 * Method: the actor asks its spawner's supervisor to add a child whose
 *         behaviour is where it stands in the actor's process.
 */
#include "tests/process/actors.h"

enum { RESTART_MAX_MS = 1000 };

static int leaf_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg);
}

static const gr_behavior leaf = {.name = "leaf", .receive = leaf_receive};

static const gr_child leaves[] = {{.id = "leaf", .behavior = &leaf}, {0}};
static const gr_child one_more = {.id = "more", .behavior = &leaf};

static int on_added(gr_actor *self, void *state, const gr_msg *reply)
{
    const gr_pid *owner = state;
    return gr_send(self, *owner, "answered", gr_msg_status(reply));
}

/* A child as it travels, with an address of this process. */
static int ask_to_add(gr_actor *self, gr_pid sup, uint64_t seal)
{
    const gr_value limits[] = {GRI_VALUE(0),  GRI_VALUE(0), GRI_VALUE(0),
                               GRI_VALUE(0),  GRI_VALUE(0), GRI_VALUE(0),
                               gr_bool(false)};
    const gr_value child[] = {
        gr_strn("more", 5),
        GRI_VALUE((uint64_t)(uintptr_t)&leaf),
        GRI_VALUE(seal),
        GRI_VALUE(0),
        GRI_VALUE(RESTART_MAX_MS),
        gr_nil(),
        GRI_VALUE(0),
        gr_list_of(limits, 7),
        gr_bool(false),
        gr_bool(false),
        GRI_VALUE(0),
        gr_list_of(NULL, 0),
        gr_list_of(NULL, 0),
        gr_list_of(NULL, 0),
    };
    const gr_value added[] = {GRI_VALUE(gr_system_node(gr_system_of(self))),
                              gr_list_of(child, 14)};
    return gr_ask(self, sup, LONG_MS, gr_then(on_added, 0), "gr.add_child",
                  gr_list_of(added, 2));
}

static int asker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid *owner = state;
    gr_values args;
    gr_pid sup;
    uint64_t seal;

    if (gr_match(msg, "call", &sup)) {
        const gr_supervisor spec = {.children = leaves};
        return gr_reply(self, msg, "called",
                        gr_supervisor_args(self, &spec, &args),
                        gr_add_child_args(self, &one_more, &args),
                        gr_add_child(self, sup, &one_more, NULL),
                        gr_supervise(self, &spec, NULL));
    }
    if (gr_match(msg, "ask", &sup, &seal)) {
        *owner = gr_sender(msg);
        return ask_to_add(self, sup, seal);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior asker_behavior = {.name = "asker",
                                           .state_size = sizeof(gr_pid),
                                           .receive = asker_receive,
                                           .grade = GR_GRADE_PROCESS};

static gr_pid supervise(gr_actor *self)
{
    gr_pid sup = GR_NOBODY, pid;
    assert_int_equal(
        gr_supervise(self, &(gr_supervisor){.children = leaves}, &sup), 0);
    assert_int_equal(gr_child_pid(self, sup, "leaf", &pid), 0);
    return sup;
}

static void a_spec_cannot_be_written_in_the_process_of_an_actor(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_pid sup = supervise(self);
    gr_pid pid = spawn_with(self, &asker_behavior, (gr_spawn_opts){0});
    int args, added_args, added, supervised;

    assert_int_equal(
        gr_call(self, pid, LONG_MS,
                gr_expect("called", &args, &added_args, &added, &supervised),
                "call", sup),
        0);
    assert_int_equal(args, GR_ENOTSUP);
    assert_int_equal(added_args, GR_ENOTSUP);
    assert_int_equal(added, GR_ENOTSUP);
    assert_int_equal(supervised, GR_ENOTSUP);
}

static void one_that_is_made_up_there_is_refused(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_pid sup = supervise(self);
    gr_pid pid = spawn_with(self, &asker_behavior, (gr_spawn_opts){0});
    const uint64_t seals[] = {0, 1, UINT64_MAX};

    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        const gr_msg *msg;
        gr_child_count count;
        int status = 0;
        assert_int_equal(gr_send(self, pid, "ask", sup, seals[i]), 0);
        next_message(self, &msg);
        assert_true(gr_match(msg, "answered", &status));
        assert_int_equal(status, GR_EDENIED);
        assert_int_equal(gr_count_children(self, sup, &count), 0);
        assert_int_equal(count.specs, 1);
        assert_int_equal(count.active, 1);
    }
}

static void a_supervisor_does_not_run_there(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_values args;
    gr_ref ref;

    assert_int_equal(
        gr_supervisor_args(self, &(gr_supervisor){.children = leaves}, &args),
        0);
    (void)spawn_with(self, &gr_supervisor_behavior,
                     (gr_spawn_opts){.args = args,
                                     .monitor = &ref,
                                     .grade = GR_GRADE_PROCESS});
    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_ENOTSUP);
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(a_spec_cannot_be_written_in_the_process_of_an_actor),
        ACTOR_TEST(one_that_is_made_up_there_is_refused),
        ACTOR_TEST(a_supervisor_does_not_run_there),
    };
    return cmocka_run_group_tests_name("process/actor_supervisor", tests, NULL,
                                       NULL);
}
