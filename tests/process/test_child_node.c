/*
 * Goal:   child nodes come up, take part, and end as they are told or as they
 *         like; their proxies say how; nothing of them is left.
 * Method: this program is its own child (gr_main_with). Each test has a system
 *         of its own, stopped at its end, after which no process and no folder
 *         may be left. What has to come is waited for; nothing is timed.
 */
#include "tests/process/nodes.h"

/* ---- what runs in the children ------------------------------------------ */

static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t n;
    (void)state;
    if (gr_match(msg, "echo", &n)) {
        return gr_reply(self, msg, "echoed", n, (int64_t)getpid());
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior echo = {.name = "echo", .receive = echo_receive};

static const gr_behavior *const spawnable[] = {&echo, NULL};

static int node_app(gr_actor *self, int argc, char **argv)
{
    const gr_msg *msg;
    int n;
    (void)argv;
    GR_TRY(gr_register(self, "app"));
    for (;;) {
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
        if (gr_match(msg, "exit", &n)) {
            return n;
        }
        if (gr_match(msg, "raise", &n)) {
            (void)raise(n);
        }
        if (gr_match(msg, "hang")) {
            GR_TRY(gr_reply(self, msg, "hanging"));
            for (;;) {
                (void)pause();
            }
        }
        if (gr_match(msg, "arguments")) {
            GR_TRY(gr_reply(self, msg, "arguments", argc));
        }
    }
}

/* ---- life --------------------------------------------------------------- */

static void a_child_comes_up_and_answers(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    gr_pid actor;
    int64_t n = 0;
    int64_t pid = 0;
    int argc = 0;
    enable(self);

    (void)start(self, "one", &ref);
    const gr_node node = await_node(self, "one", true);

    assert_int_equal(
        gr_spawn(self, &echo, &(gr_spawn_opts){.node = node}, &actor), 0);
    assert_int_equal(gr_call(self, actor, LONG_MS,
                             gr_expect("echoed", &n, &pid), "echo", 42),
                     0);
    assert_int_equal(n, 42);
    assert_int_equal(pid, process_of(self, "one"));
    assert_true(pid != getpid());
    assert_int_equal(gr_call(self, app_of(self, node), LONG_MS,
                             gr_expect("arguments", &argc), "arguments"),
                     0);
    assert_int_equal(argc, 1);
}

static void several_children_come_up(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    enable(self);

    for (int i = 0; i < 4; i++) {
        (void)start(self, names[i], &ref);
    }
    for (int up = 0; up < 4;) {
        const gr_msg *msg;
        bool is_up = false;
        next_message(self, &msg);
        up += gr_match_node(msg, &is_up, NULL, NULL, NULL) && is_up;
    }

    for (int i = 0; i < 4; i++) {
        gr_node node;
        assert_int_equal(gr_node_find(self, names[i], &node), 0);
        (void)process_of(self, names[i]);
    }
}

static void a_killed_child_is_down_everywhere(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref proxy_ref;
    gr_ref actor_ref;
    enable(self);
    (void)start(self, "one", &proxy_ref);
    const gr_node node = await_node(self, "one", true);
    gr_pid actor;
    assert_int_equal(
        gr_spawn(self, &echo, &(gr_spawn_opts){.node = node}, &actor), 0);
    assert_int_equal(gr_monitor(self, actor, &actor_ref), 0);
    const int pid = process_of(self, "one");

    assert_int_equal(kill(pid, SIGKILL), 0);

    gr_exit_reason proxy_why = {.kind = GR_EXIT_NORMAL};
    gr_exit_reason actor_why = {.kind = GR_EXIT_NORMAL};
    bool node_down = false;
    while (!node_down || proxy_why.kind == GR_EXIT_NORMAL ||
           actor_why.kind == GR_EXIT_NORMAL) {
        const gr_msg *msg;
        gr_ref ref;
        gr_exit_reason why;
        bool up = true;
        next_message(self, &msg);
        if (gr_match_down(msg, &ref, NULL, &why)) {
            *(ref.id == proxy_ref.id ? &proxy_why : &actor_why) = why;
        } else if (gr_match_node(msg, &up, NULL, NULL, NULL)) {
            node_down = !up;
        }
    }
    assert_int_equal(proxy_why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(proxy_why.code, SIGKILL);
    assert_string_equal(proxy_why.text, "SIGKILL");
    assert_int_equal(actor_why.kind, GR_EXIT_NOCONNECTION);
    assert_no_process(pid);
    int again = 0;
    assert_int_equal(gr_child_node_process(self, "one", &again), GR_ENOENT);
    assert_int_equal(again, 0);
}

static gr_exit_reason end_by(gr_actor *self, const char *tag, int n)
{
    gr_ref ref;
    (void)start(self, "one", &ref);
    const gr_node node = await_node(self, "one", true);
    assert_int_equal(gr_send(self, app_of(self, node), tag, n), 0);
    return await_down(self, ref);
}

static void a_proxy_ends_as_its_process_ends(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    enable(self);

    gr_exit_reason why = end_by(self, "exit", 0);
    assert_int_equal(why.kind, GR_EXIT_NORMAL);

    why = end_by(self, "exit", 3);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, 3);
    assert_string_equal(why.text, "exit status 3");

    why = end_by(self, "raise", SIGTERM);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGTERM);
    assert_string_equal(why.text, "SIGTERM");
}

static void a_supervisor_restarts_a_child_under_its_name(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_pid supervisor;
    enable(self);
    const gr_child specs[] = {{.id = "one",
                               .behavior = &gr_child_node_behavior,
                               .args = gr_args("one", 1)},
                              {.id = NULL}};
    assert_int_equal(
        gr_supervise(self,
                     &(gr_supervisor){.children = specs, .restarts_max = 10},
                     &supervisor),
        0);
    gr_node node = await_node(self, "one", true);

    for (int i = 0; i < 5; i++) {
        assert_int_equal(kill(process_of(self, "one"), SIGKILL), 0);
        assert_int_equal(await_node(self, "one", false).id, node.id);
        const gr_node next = await_node(self, "one", true);
        assert_true(next.id != node.id);
        node = next;
    }

    gr_pid actor;
    int64_t n = 0;
    int64_t pid = 0;
    assert_int_equal(
        gr_spawn(self, &echo, &(gr_spawn_opts){.node = node}, &actor), 0);
    assert_int_equal(
        gr_call(self, actor, LONG_MS, gr_expect("echoed", &n, &pid), "echo", 1),
        0);
}

/* ---- its end ------------------------------------------------------------ */

static void a_stopped_proxy_has_ended_its_process(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    enable(self);
    const gr_pid proxy = start(self, "one", &ref);
    (void)await_node(self, "one", true);
    const int pid = process_of(self, "one");

    assert_int_equal(gr_stop(self, proxy), 0);

    assert_int_equal(await_down(self, ref).kind, GR_EXIT_SHUTDOWN);
    assert_no_process(pid);
}

static void a_child_may_be_stopped_before_it_is_up(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    enable(self);
    for (int i = 0; i < 10; i++) {
        gr_ref ref;
        const gr_pid proxy = start(self, "one", &ref);
        if (i % 2 == 1) { /* else perhaps before it is even started */
            int pid = 0;
            while (gr_child_node_process(self, "one", &pid) == GR_ENOENT) {
                assert_int_equal(gr_sleep(self, 1), 0);
            }
        }
        assert_int_equal(gr_stop(self, proxy), 0);
        assert_int_equal(await_down(self, ref).kind, GR_EXIT_SHUTDOWN);
    }
}

static void a_hanging_child_is_killed(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    enable(self);
    const gr_pid proxy = start(self, "one", &ref);
    const gr_node node = await_node(self, "one", true);
    const int pid = process_of(self, "one");
    assert_int_equal(gr_call(self, app_of(self, node), LONG_MS,
                             gr_expect("hanging"), "hang"),
                     0);

    assert_int_equal(gr_stop(self, proxy), 0);

    assert_int_equal(await_down(self, ref).kind, GR_EXIT_SHUTDOWN);
    assert_no_process(pid);
}

static void an_unreachable_child_is_killed(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    int argc = 0;
    enable(self);
    (void)start(self, "one", &ref);
    const gr_node node = await_node(self, "one", true);
    const int pid = process_of(self, "one");
    /* Its answer comes behind what it told its proxy. */
    assert_int_equal(gr_call(self, app_of(self, node), LONG_MS,
                             gr_expect("arguments", &argc), "arguments"),
                     0);

    assert_int_equal(gr_node_disconnect(self, node), 0);

    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGKILL);
    assert_no_process(pid);
}

static void a_killed_proxy_takes_its_process_along(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    enable(self);
    const gr_pid proxy = start(self, "one", &ref);
    const gr_node node = await_node(self, "one", true);

    assert_int_equal(gr_kill(self, proxy), 0);

    /* Its process was told before its end is: it may be the quicker one. */
    gr_exit_reason why = {.kind = GR_EXIT_NORMAL};
    bool node_up = true;
    while (why.kind == GR_EXIT_NORMAL) {
        const gr_msg *msg;
        gr_node which;
        gr_ref got;
        bool up = true;
        next_message(self, &msg);
        if (gr_match_node(msg, &up, &which, NULL, NULL) && !up) {
            assert_int_equal(which.id, node.id);
            node_up = false;
        } else if (gr_match_down(msg, &got, NULL, &why)) {
            assert_int_equal(got.id, ref.id);
        }
    }
    assert_int_equal(why.kind, GR_EXIT_KILLED);
    /* Its node goes, and a new one of the same name can come at once, while
     * the old is perhaps still leaving. */
    (void)start(self, "one", &ref);
    if (node_up) {
        assert_int_equal(await_node(self, "one", false).id, node.id);
    }
    assert_true(await_node(self, "one", true).id != node.id);
}

static void a_proxy_ends_with_its_links(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    gr_actor *linked = NULL;
    gr_pid proxy;
    enable(self);
    assert_int_equal(gr_thread_attach(((fixture *)*state)->sys, NULL, &linked),
                     0);
    assert_int_equal(
        gr_spawn(linked, &gr_child_node_behavior,
                 &(gr_spawn_opts){.args = gr_args("one", 1), .link = true},
                 &proxy),
        0);
    assert_int_equal(gr_monitor(self, proxy, &ref), 0);
    (void)await_node(self, "one", true);

    gr_thread_detach(linked, GR_EFAIL);

    /* In any order: the process is gone before the proxy. */
    gr_exit_reason why = {.kind = GR_EXIT_NORMAL};
    for (unsigned told = 0; told < 2;) {
        const gr_msg *msg;
        gr_ref got;
        bool up = true;
        next_message(self, &msg);
        if (gr_match_down(msg, &got, NULL, &why)) {
            assert_int_equal(got.id, ref.id);
            told++;
        } else if (gr_match_node(msg, &up, NULL, NULL, NULL) && !up) {
            told++;
        }
    }
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EFAIL);
}

static void a_system_stops_with_its_children_running(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    enable(self);
    (void)start(self, "up", &ref);
    const gr_node node = await_node(self, "up", true);
    assert_int_equal(gr_call(self, app_of(self, node), LONG_MS,
                             gr_expect("hanging"), "hang"),
                     0);
    (void)start(self, "starting", &ref);
    /* The rest is teardown's. */
}

static void two_systems_may_have_children_of_one_name(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_system *sys = NULL;
    gr_actor *other = NULL;
    gr_ref ref;
    assert_int_equal(gr_system_start(&(gr_system_opts){.workers = 1}, &sys), 0);
    assert_int_equal(gr_thread_attach(sys, NULL, &other), 0);
    enable(self);
    enable(other);

    (void)start(self, "one", &ref);
    (void)start(other, "one", &ref);

    const gr_node mine = await_node(self, "one", true);
    const gr_node theirs = await_node(other, "one", true);
    assert_true(mine.id != theirs.id);
    assert_true(process_of(self, "one") != process_of(other, "one"));
    gr_thread_detach(other, 0);
    assert_int_equal(gr_system_stop(sys, LONG_MS), 0);
    (void)process_of(self, "one"); /* still there */
}

static int tests_app(gr_actor *self, int argc, char **argv)
{
    (void)self;
    (void)argc;
    (void)argv;
    const struct CMUnitTest tests[] = {
        NODE_TEST(a_child_comes_up_and_answers),
        NODE_TEST(several_children_come_up),
        NODE_TEST(a_killed_child_is_down_everywhere),
        NODE_TEST(a_proxy_ends_as_its_process_ends),
        NODE_TEST(a_supervisor_restarts_a_child_under_its_name),
        NODE_TEST(a_stopped_proxy_has_ended_its_process),
        NODE_TEST(a_child_may_be_stopped_before_it_is_up),
        NODE_TEST(a_hanging_child_is_killed),
        NODE_TEST(an_unreachable_child_is_killed),
        NODE_TEST(a_killed_proxy_takes_its_process_along),
        NODE_TEST(a_proxy_ends_with_its_links),
        NODE_TEST(a_system_stops_with_its_children_running),
        NODE_TEST(two_systems_may_have_children_of_one_name),
    };
    return cmocka_run_group_tests_name("process/child_node", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return gr_main_with(argc, argv,
                        &(gr_main_opts){.app = tests_app,
                                        .node_app = node_app,
                                        .spawnable = spawnable,
                                        .system.workers = 1});
}
