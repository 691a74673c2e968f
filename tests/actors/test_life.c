/* tests/actors/test_life.c - how actors begin and end, and who is told what. */
#include "tests/support/stage.h"

/* ---- spawn ---- */

static int no_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    return 0;
}

static void scene_spawn_rejects(stage *s)
{
    static const gr_behavior nameless = {.receive = no_receive};
    static const gr_behavior empty_name = {.name = "", .receive = no_receive};
    static const gr_behavior deaf = {.name = "deaf"};
    gr_pid pid = {7, 7};
    gr_spawn_opts bad = {.args = gr_args(gr_strn("x", (size_t)UINT32_MAX + 1))};

    CHECK_RC(gr_spawn(s->self, NULL, NULL, &pid), GR_EINVAL);
    CHECK_RC(gr_spawn(s->self, &nameless, NULL, &pid), GR_EINVAL);
    CHECK_RC(gr_spawn(s->self, &empty_name, NULL, &pid), GR_EINVAL);
    CHECK_RC(gr_spawn(s->self, &deaf, NULL, &pid), GR_EINVAL);
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &bad, &pid), GR_ETOOBIG);
    CHECK(pid.node == 7 && pid.id == 7);  /* on an error nothing is written */
    CHECK_INT(stage_stats(s).spawned, 1); /* only $ */
}

static void test_spawn_refuses_what_cannot_run(void **state)
{
    (void)state;
    stage_each_seed(scene_spawn_rejects, NULL);
}

struct seen_args {
    int64_t a;
    gr_pid parent;
};

static int args_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct seen_args *seen = state;
    (void)self;
    CHECK(seen->a == 0); /* zeroed */
    seen->parent = gr_sender(args);
    return gr_unpack(args, &seen->a) ? 0 : GR_EINVAL;
}

static int args_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct seen_args *seen = state;
    return gr_reply(self, msg, "seen", seen->a, seen->parent);
}

static const gr_behavior args_behavior = {
    .name = "args",
    .state_size = sizeof(struct seen_args),
    .init = args_init,
    .receive = args_receive,
};

static void scene_spawn_gives_args(stage *s)
{
    gr_pid pid;
    gr_pid parent;
    int64_t a;
    gr_spawn_opts opts = {.args = gr_args(41)};
    CHECK_RC(gr_spawn(s->self, &args_behavior, &opts, &pid), 0);
    CHECK_RC(gr_call(s->self, pid, 1, gr_expect("seen", &a, &parent), "get"),
             0);
    CHECK_INT(a, 41);
    CHECK(gr_pid_eq(parent, gr_self(s->self)));
    CHECK_RC(gr_spawn(s->self, &args_behavior, &opts, NULL), 0);
}

static void test_spawn_gives_arguments_to_init(void **state)
{
    (void)state;
    stage_each_seed(scene_spawn_gives_args, NULL);
}

static int table_a(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_reply(self, msg, "a");
}

static int table_rest(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_reply(self, msg, "rest");
}

static void scene_handler_table(stage *s)
{
    static const gr_handler rows[] = {{"a", table_a}, {0}};
    static const gr_behavior both = {
        .name = "both", .receive = table_rest, .handlers = rows};
    static const gr_behavior only = {.name = "only", .handlers = rows};
    gr_pid x;
    gr_pid y;
    CHECK_RC(gr_spawn(s->self, &both, NULL, &x), 0);
    CHECK_RC(gr_spawn(s->self, &only, NULL, &y), 0);
    CHECK_RC(gr_call(s->self, x, 1, gr_expect("a"), "a", 1), 0);
    CHECK_RC(gr_call(s->self, x, 1, gr_expect("rest"), "ab"), 0);
    CHECK_RC(gr_call(s->self, x, 1, gr_expect("rest"), 5), 0);
    CHECK_RC(gr_call(s->self, y, 1, gr_expect("a"), "a"), 0);
    /* Without a receive, what is in no row is unhandled. */
    CHECK_RC(gr_call(s->self, y, 1, gr_expect("a"), "b"), GR_ENOREPLY);
    CHECK_INT(stage_stats(s).dead_letters, 1);
}

static void test_handlers_come_before_receive(void **state)
{
    (void)state;
    stage_each_seed(scene_handler_table, NULL);
}

static void scene_spawn_name(stage *s)
{
    gr_spawn_opts named = {.name = "duck"};
    gr_pid found;
    gr_pid pid =
        stage_puppet_with(s, s->self, 'a', &puppet_behavior, &named, NULL);
    /* It can be found before its init ran. */
    CHECK_RC(gr_whereis(s->self, GR_HERE, "duck", &found), 0);
    CHECK(gr_pid_eq(found, pid));
    named.args = gr_args(1);
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &named, &found), GR_EEXIST);
    named.name = "";
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &named, &found), GR_EINVAL);
    CHECK_INT(stage_stats(s).spawned, 2);
    stage_do(s, pid, puppet_leave);
    CHECK_RC(gr_whereis(s->self, GR_HERE, "duck", &found), GR_ENOENT);
}

static void test_spawn_registers_a_name(void **state)
{
    (void)state;
    stage_each_seed(scene_spawn_name, NULL);
}

static void scene_spawn_ties(stage *s)
{
    gr_ref ref = {0};
    gr_spawn_opts tied = {.link = true, .monitor = &ref, .ack = true};
    /* In place before init: its failure is heard both ways, and no ack. */
    (void)stage_puppet_with(s, s->self, 'a', &puppet_behavior, &tied,
                            puppet_fail);
    CHECK(ref.id != 0);
    stage_drain(s);
    stage_expect_words(s, "$<exit:a:error $<down:a:error");
    gr_pid b =
        stage_puppet_with(s, s->self, 'b', &puppet_behavior, &tied, NULL);
    stage_drain(s);
    stage_expect(s, "+b $<started:b");
    stage_do(s, b, puppet_leave);
    stage_drain(s);
    stage_expect_words(s, "-b:normal $<exit:b:normal $<down:b:normal");
    /* No ack for one that leaves in its init. */
    (void)stage_puppet_with(s, s->self, 'c', &puppet_behavior, &tied,
                            puppet_leave);
    stage_drain(s);
    stage_expect_words(s, "+c -c:normal $<exit:c:normal $<down:c:normal");
}

static void test_spawn_links_monitors_and_acks(void **state)
{
    (void)state;
    stage_each_seed(scene_spawn_ties, NULL);
}

static void scene_actors_max(stage *s)
{
    gr_pid pid[64];
    unsigned n = 0;
    int rc = 0;
    for (; n < 64; n++) {
        gr_spawn_opts o = {
            .args = gr_args((uint64_t)(uintptr_t)s, gr_strn("x", 1), 0)};
        rc = gr_spawn(s->self, &puppet_behavior, &o, &pid[n]);
        if (rc < 0) {
            break;
        }
    }
    CHECK_RC(rc, GR_ELIMIT);
    CHECK_INT(n, 32 - 2 - 1); /* two slots are the system's, one is ours */
    gr_actor *other = NULL;
    CHECK_RC(gr_thread_attach(s->sys, NULL, &other), GR_ELIMIT);
    stage_do(s, pid[3], puppet_leave);
    stage_puppet(s, 'z'); /* there is room for one again */
    gr_spawn_opts o = {.args = gr_args(1)};
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &o, NULL), GR_ELIMIT);
}

static void test_spawn_stops_at_actors_max(void **state)
{
    (void)state;
    stage_each_seed(scene_actors_max, &(gr_system_opts){.actors_max = 32});
}

static int spawn_late(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    stage_note(p->on, "%s",
               gr_errname(gr_spawn(self, &args_behavior, NULL, NULL)));
    gr_exit(self, GR_ESTOPPED, NULL);
    return 0;
}

static int hear_stop_and_spawn(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_trap_exit(self, true);
    p->hear = spawn_late;
    return 0;
}

static void test_spawn_in_a_stopping_system(void **state)
{
    (void)state;
    stage s;
    stage_start(&s, 3, NULL);
    gr_pid a = stage_puppet(&s, 'a');
    stage_do(&s, a, hear_stop_and_spawn);
    gr_thread_detach(s.self, 0);
    s.self = NULL;
    CHECK_RC(gr_system_stop(s.sys, 10), 0);
    stage_expect(&s, "+a GR_ESTOPPED -a:shutdown");
}

/* ---- the ways to end ---- */

static void scene_init_fails(stage *s)
{
    gr_ref ref;
    gr_spawn_opts opts = {.monitor = &ref};
    gr_pid a = stage_puppet_with(s, s->self, 'a', &puppet_behavior, &opts,
                                 puppet_fail);
    const gr_msg *msg;
    gr_exit_reason why;
    gr_ref down;
    gr_tell(s->self, a, "waits");
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match_down(msg, &down, NULL, &why));
    CHECK(down.id == ref.id);
    CHECK_INT(why.kind, GR_EXIT_ERROR);
    CHECK_INT(why.code, ERROR_TEST);
    stage_settle(s);
    stage_expect(s, ""); /* neither begun nor terminated */
    CHECK_INT(stage_stats(s).dead_letters, 1);
    CHECK_INT(stage_stats(s).failed, 1);
}

static void test_a_failing_init_ends_the_actor(void **state)
{
    (void)state;
    stage_each_seed(scene_init_fails, NULL);
}

static void expect_down(stage *s, gr_exit_kind kind, int code, const char *text)
{
    const gr_msg *msg;
    gr_exit_reason why;
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match_down(msg, NULL, NULL, &why));
    CHECK_INT(why.kind, kind);
    CHECK_INT(why.code, code);
    CHECK(strcmp(why.text, text) == 0);
}

static int exit_with(gr_actor *self, puppet *p, const gr_msg *msg)
{
    static const char long_text[] =
        "a text of more than the sixty-three bytes that a reason carries: cut";
    (void)msg;
    switch (p->letter) {
    case 'a':
        gr_exit(self, 0, "done");
        gr_exit(self, ERROR_TEST, "too late: the first call counts");
        break;
    case 'b':
        gr_exit(self, GR_ESTOPPED, NULL);
        break;
    case 'c':
        gr_exit(self, GR_ELIMIT, "mine");
        break;
    case 'd':
        gr_exit(self, ERROR_TEST, long_text);
        break;
    default:
        return ERROR_TEST;
    }
    stage_note(p->on, "%c+", p->letter); /* after the running callback */
    return 0;
}

static void scene_exit_reasons(stage *s)
{
    gr_ref ref;
    gr_spawn_opts opts = {.monitor = &ref};
    gr_pid pid[5];
    for (unsigned i = 0; i < 5; i++) {
        pid[i] = stage_puppet_with(s, s->self, (char)('a' + i),
                                   &puppet_behavior, &opts, NULL);
        stage_settle(s);
    }
    stage_expect(s, "+a +b +c +d +e");
    stage_do(s, pid[0], exit_with);
    expect_down(s, GR_EXIT_NORMAL, 0, "done");
    stage_do(s, pid[1], exit_with);
    expect_down(s, GR_EXIT_SHUTDOWN, 0, "");
    stage_do(s, pid[2], exit_with);
    expect_down(s, GR_EXIT_LIMIT, GR_ELIMIT, "mine");
    stage_do(s, pid[3], exit_with);
    expect_down(s, GR_EXIT_ERROR, ERROR_TEST,
                "a text of more than the sixty-three bytes that a reason carr"
                "ies");
    stage_do(s, pid[4], exit_with);
    expect_down(s, GR_EXIT_ERROR, ERROR_TEST, "receive");
    stage_expect(s, "a+ -a:normal b+ -b:shutdown c+ -c:limit d+ -d:error "
                    "-e:error");
    gr_stats stats = stage_stats(s);
    CHECK_INT(stats.exited, 5);
    CHECK_INT(stats.failed, 3); /* normal and shutdown are none */
}

static void test_exit_reasons(void **state)
{
    (void)state;
    stage_each_seed(scene_exit_reasons, NULL);
}

static void test_exit_kinds_have_names(void **state)
{
    static const char *const names[] = {"normal",       "shutdown", "error",
                                        "killed",       "limit",    "noproc",
                                        "noconnection", "signal"};
    (void)state;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_string_equal(gr_exit_kind_name((gr_exit_kind)i), names[i]);
    }
    assert_non_null(gr_exit_kind_name((gr_exit_kind)99));
    assert_non_null(gr_exit_kind_name((gr_exit_kind)-1));
}

static void scene_stop(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid t = stage_puppet(s, 't');
    stage_do(s, t, puppet_trap);
    stage_expect_words(s, "+a +t");
    gr_tell(s->self, a, "before");
    CHECK_RC(gr_stop(s->self, a), 0);
    gr_tell(s->self, a, "after");
    stage_settle(s);
    stage_expect(s, "a:before -a:shutdown");
    CHECK_INT(stage_stats(s).dead_letters, 1);
    CHECK_RC(gr_stop(s->self, a), 0); /* stopping the dead is no error */
    CHECK_RC(gr_stop(s->self, t), 0);
    gr_tell(s->self, t, "after");
    stage_settle(s);
    stage_expect(s, "t<stop t:after");
    CHECK_RC(gr_kill(s->self, t), 0);
    stage_settle(s);
    stage_expect(s, ""); /* killed: no terminate */
}

static void test_stop(void **state)
{
    (void)state;
    stage_each_seed(scene_stop, NULL);
}

static void scene_kill(stage *s)
{
    gr_ref ref;
    gr_spawn_opts opts = {.monitor = &ref};
    gr_pid a =
        stage_puppet_with(s, s->self, 'a', &puppet_behavior, &opts, NULL);
    stage_do(s, a, puppet_trap); /* cannot be trapped */
    stage_expect(s, "+a");
    gr_tell(s->self, a, "never seen");
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_drain(s);
    stage_expect(s, "$<down:a:killed");
    CHECK_INT(stage_stats(s).dead_letters, 1);
    CHECK_RC(gr_kill(s->self, a), 0); /* nor is killing the dead an error */
    stage_settle(s);
}

static void test_kill_comes_before_the_next_message(void **state)
{
    (void)state;
    stage_each_seed(scene_kill, NULL);
}

static int kill_myself(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_exit(self, 0, "normally");
    stage_note(p->on, "%s", gr_errname(gr_kill(self, gr_self(self))));
    return 0;
}

static void scene_first_reason(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, kill_myself);
    /* It ends after the running callback: there is no next message. */
    stage_expect(s, "+a GR_OK -a:normal");
}

static void test_an_exit_stands_before_a_later_kill(void **state)
{
    (void)state;
    stage_each_seed(scene_first_reason, NULL);
}

static void scene_nobody(stage *s)
{
    gr_ref ref;
    CHECK_RC(gr_stop(s->self, GR_NOBODY), GR_EINVAL);
    CHECK_RC(gr_kill(s->self, GR_NOBODY), GR_EINVAL);
    CHECK_RC(gr_link(s->self, GR_NOBODY), GR_EINVAL);
    CHECK_RC(gr_monitor(s->self, GR_NOBODY, &ref), GR_EINVAL);
    CHECK_RC(gr_send(s->self, GR_NOBODY, "x"), GR_EINVAL);
    CHECK_RC(gr_call(s->self, GR_NOBODY, 1, gr_expect("x"), "x"), GR_EINVAL);
}

static void test_nobody_is_an_error(void **state)
{
    (void)state;
    stage_each_seed(scene_nobody, NULL);
}

/* ---- terminate and gr_on_exit ---- */

static void hook_1(void *arg)
{
    stage_note(arg, "hook-1");
}

static void hook_2(void *arg)
{
    stage_note(arg, "hook-2");
}

static int set_hooks(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    GR_TRY(gr_on_exit(self, hook_1, p->on));
    return gr_on_exit(self, hook_2, p->on);
}

static void scene_on_exit(stage *s)
{
    for (unsigned how = 0; how < 4; how++) {
        gr_pid a = stage_puppet(s, 'a');
        stage_do(s, a, set_hooks);
        stage_expect(s, "+a");
        switch (how) {
        case 0:
            stage_do(s, a, puppet_leave);
            stage_expect(s, "-a:normal hook-2 hook-1");
            break;
        case 1:
            stage_do(s, a, puppet_fail);
            stage_expect(s, "-a:error hook-2 hook-1");
            break;
        case 2:
            CHECK_RC(gr_kill(s->self, a), 0);
            stage_settle(s);
            stage_expect(s, "hook-2 hook-1");
            break;
        default: /* the system's stop: by the next test */
            CHECK_RC(gr_stop(s->self, a), 0);
            stage_settle(s);
            stage_expect(s, "-a:shutdown hook-2 hook-1");
            break;
        }
    }
    /* Even of an init that fails after it. */
    (void)stage_puppet_with(s, s->self, 'a', &puppet_behavior, NULL, set_hooks);
    stage_settle(s);
    stage_expect(s, "+a");
}

static void test_on_exit_runs_last_first_however_it_ends(void **state)
{
    (void)state;
    stage_each_seed(scene_on_exit, NULL);
}

static int hook_then_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    GR_TRY(set_hooks(self, p, msg));
    return ERROR_TEST;
}

static void scene_on_exit_of_init(stage *s)
{
    (void)stage_puppet_with(s, s->self, 'a', &puppet_behavior, NULL,
                            hook_then_fail);
    stage_settle(s);
    stage_expect(s, "hook-2 hook-1");
    CHECK_RC(gr_on_exit(s->self, hook_1, s), 0);
    gr_thread_detach(s->self, 0);
    s->self = NULL;
    stage_expect(s, "hook-1");
}

static void test_on_exit_of_a_failed_init_and_of_a_thread(void **state)
{
    (void)state;
    stage_each_seed(scene_on_exit_of_init, NULL);
}

static void last_words_terminate(gr_actor *self, void *state,
                                 const gr_exit_reason *why)
{
    const puppet *p = state;
    (void)why;
    gr_tell(self, p->peer, "last_words");
}

static int hear_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self;
    p->peer = gr_sender(msg);
    return 0;
}

static void scene_last_words(stage *s)
{
    gr_behavior talker = puppet_behavior;
    gr_ref ref;
    gr_spawn_opts opts = {.monitor = &ref};
    talker.terminate = last_words_terminate;
    gr_pid a = stage_puppet_with(s, s->self, 'a', &talker, &opts, hear_peer);
    stage_do(s, a, puppet_fail);
    stage_drain(s);
    stage_expect(s, "+a $:last_words $<down:a:error");
}

static void test_terminate_may_send(void **state)
{
    (void)state;
    stage_each_seed(scene_last_words, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spawn_refuses_what_cannot_run),
        cmocka_unit_test(test_spawn_gives_arguments_to_init),
        cmocka_unit_test(test_handlers_come_before_receive),
        cmocka_unit_test(test_spawn_registers_a_name),
        cmocka_unit_test(test_spawn_links_monitors_and_acks),
        cmocka_unit_test(test_spawn_stops_at_actors_max),
        cmocka_unit_test(test_spawn_in_a_stopping_system),
        cmocka_unit_test(test_a_failing_init_ends_the_actor),
        cmocka_unit_test(test_exit_reasons),
        cmocka_unit_test(test_exit_kinds_have_names),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_kill_comes_before_the_next_message),
        cmocka_unit_test(test_an_exit_stands_before_a_later_kill),
        cmocka_unit_test(test_nobody_is_an_error),
        cmocka_unit_test(test_on_exit_runs_last_first_however_it_ends),
        cmocka_unit_test(test_on_exit_of_a_failed_init_and_of_a_thread),
        cmocka_unit_test(test_terminate_may_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
