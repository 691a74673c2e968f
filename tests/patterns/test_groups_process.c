/*
 * Goal:   an actor in a process of its own is told that it cannot call the
 *         groups, and can be a member all the same: by asking for it.
 * Method: a process actor does what it is told; the test looks from outside.
 */
#include "tests/process/actors.h"

static int on_ok(gr_actor *self, void *state, const gr_msg *reply)
{
    const gr_pid *to = state;
    return gr_send(self, *to, "answered", gr_msg_status(reply));
}

static int joiner_init(gr_actor *self, void *state, const gr_msg *args)
{
    gr_pid *to = state;
    (void)self;
    return gr_unpack(args, to) ? 0 : GR_EINVAL;
}

static int joiner_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const gr_pid *to = state;
    gr_pid groups;
    gr_str what;
    int n;
    if (gr_match(msg, "call")) {
        return gr_send(self, *to, "answered", gr_group_join(self, "g"));
    }
    if (gr_match(msg, "news", &n)) {
        return gr_send(self, *to, "heard", n, gr_sender(msg));
    }
    GR_TRY(gr_whereis(self, GR_HERE, "gr.groups", &groups));
    if (gr_match(msg, "ask", &what)) {
        char tag[32] = "gr.group.";
        (void)strncat(tag, what.ptr, what.len < 16 ? what.len : 16);
        return gr_ask(self, groups, LONG_MS, gr_then(on_ok, 0), tag, "g");
    }
    if (gr_match(msg, "publish")) {
        return gr_ask(self, groups, LONG_MS, gr_then(on_ok, 0),
                      "gr.groups.publish", "g", gr_list("news", 5));
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior joiner = {
    .name = "joiner",
    .state_size = sizeof(gr_pid),
    .init = joiner_init,
    .receive = joiner_receive,
    .grade = GR_GRADE_PROCESS,
};

static int answer_of(gr_actor *self)
{
    const gr_msg *msg;
    int rc = 1;
    assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
    assert_true(gr_match(msg, "answered", &rc));
    return rc;
}

static int members(gr_actor *self)
{
    return gr_group_members(self, "g", GR_GROUP_ALL, NULL, 0);
}

static void a_process_actor_is_a_member_by_asking(void **state)
{
    const fixture *f = *state;
    gr_actor *self = f->self;
    const gr_msg *msg;
    gr_pid from;
    gr_ref ref;
    int n;
    assert_int_equal(gr_group_monitor(self, "first", &ref), 0);
    assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
    assert_true(gr_match_group(self, msg, NULL, NULL, NULL)); /* they run */
    const gr_pid pid = spawn_with(
        self, &joiner, (gr_spawn_opts){.args = gr_args(gr_self(self))});
    assert_int_equal(gr_send(self, pid, "call"), 0);
    assert_int_equal(answer_of(self), GR_ENOTSUP);
    assert_int_equal(gr_send(self, pid, "ask", "leave"), 0);
    assert_int_equal(answer_of(self), GR_ENOENT);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gr_send(self, pid, "ask", "join"), 0);
        assert_int_equal(answer_of(self), 0);
        assert_int_equal(members(self), 1);
    }
    assert_int_equal(gr_group_publish(self, "g", GR_GROUP_ALL, "news", 7), 1);
    assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
    assert_true(gr_match(msg, "heard", &n, &from));
    assert_int_equal(n, 7);
    assert_true(gr_pid_eq(from, gr_self(self)));
    assert_int_equal(gr_group_join(self, "g"), 0);
    assert_int_equal(gr_send(self, pid, "publish"), 0);
    bool heard = false;
    bool answered = false;
    while (!heard || !answered || members(self) != 2) {
        assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
        if (gr_match(msg, "news", &n)) { /* from who has published it */
            assert_int_equal(n, 5);
            assert_true(gr_pid_eq(gr_sender(msg), pid));
            heard = true;
        }
        answered = answered || gr_match(msg, "answered", &n);
    }
    assert_int_equal(gr_group_leave(self, "g"), 0);
    assert_int_equal(gr_group_monitor(self, "g", &ref), 0);
    assert_int_equal(gr_kill(self, pid), 0);
    for (gr_group_event event = GR_GROUP_MEMBERS; event != GR_GROUP_LEFT;) {
        assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
        (void)gr_match_group(self, msg, NULL, &event, NULL);
    }
    assert_int_equal(members(self), 0);
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(a_process_actor_is_a_member_by_asking),
    };
    return cmocka_run_group_tests_name("patterns/groups_process", tests, NULL,
                                       NULL);
}
