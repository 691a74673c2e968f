/*
 * tests/actors/test_become.c - actors that go on with another behaviour.
 *
 * Goal:   from the next message on all that a behaviour is, is the new one's;
 *         all that was made for the old one stays.
 * Method: behaviours over a puppet's state, each of which writes down what it
 *         is given with a letter of its own.
 */
#include "tests/support/waiter.h"

static int upper_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    puppet *p = state;
    gr_str tag;
    gr_reader r = gr_msg_reader(msg);
    CHECK_RC(gr_read_str(&r, &tag), 0);
    if (waiter_has_tag(msg, "back")) {
        return gr_become(self, &puppet_behavior);
    }
    if (waiter_has_tag(msg, "fail")) {
        return ERROR_TEST;
    }
    stage_note(p->on, "U:%.*s", GR_STR(tag));
    return 0;
}

static void upper_terminate(gr_actor *self, void *state,
                            const gr_exit_reason *why)
{
    const puppet *p = state;
    (void)self;
    stage_note(p->on, "-U:%s", gr_exit_kind_name(why->kind));
}

static int never_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)self, (void)state, (void)args;
    return GR_EFAIL;
}

static const gr_behavior upper = {
    .name = "upper",
    .state_size = offsetof(puppet, hear), /* smaller: there is more than that */
    .init = never_init,
    .receive = upper_receive,
    .terminate = upper_terminate,
};

static int table_one(gr_actor *self, void *state, const gr_msg *msg)
{
    const puppet *p = state;
    (void)msg;
    stage_note(p->on, "T:one");
    return gr_become(self, &puppet_behavior);
}

static const gr_handler table_handlers[] = {{"one", table_one}, {0}};

/* No receive, no terminate. */
static const gr_behavior table = {
    .name = "table",
    .state_size = sizeof(puppet),
    .handlers = table_handlers,
};

static int become_upper(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK_RC(gr_become(self, &upper), 0);
    return waiter_note(self, p, msg); /* this one is still the old one's */
}

static int become_table(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_become(self, &table);
}

WAITER_HEARS(be_upper, become_upper)
WAITER_HEARS(be_plain, NULL)

static void scene_switch(stage *s)
{
    gr_pid a = waiter_puppet(s, be_upper);
    waiter_tell(s, a, "one two back three");
    stage_settle(s);
    stage_expect(s, "a:one U:two a:three"); /* the state is what it was */
    waiter_tell(s, a, "four");
    CHECK_RC(gr_stop(s->self, a), 0);
    stage_settle(s);
    stage_expect(s, "U:four -U:shutdown");
    /* Handlers, and none for the rest. */
    gr_pid b = waiter_puppet(s, become_table);
    waiter_tell(s, b, "two one three");
    stage_settle(s);
    stage_expect(s, "T:one a:three");
    CHECK_INT(stage_stats(s).dead_letters, 1);
    /* The present one's terminate, which is none. */
    stage_do(s, b, become_table);
    CHECK_RC(gr_stop(s->self, b), 0);
    stage_settle(s);
    stage_expect(s, "");
}

static int become_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    CHECK_RC(gr_become(self, &upper), 0);
    return ERROR_TEST;
}

static void scene_ends(stage *s)
{
    gr_pid a = waiter_puppet(s, be_upper);
    waiter_tell(s, a, "one fail");
    stage_settle(s);
    stage_expect(s, "a:one -U:error");
    CHECK(stage_logged(s, "upper <"));
    CHECK(!stage_logged(s, "puppet <"));
    /* In the handler that became another. */
    a = waiter_puppet(s, be_plain);
    stage_do(s, a, become_and_fail);
    stage_expect(s, "-U:error");
    CHECK_INT(stage_stats(s).failed, 2);
}

static void test_all_but_the_state_is_the_new_ones(void **state)
{
    (void)state;
    stage_each_seed(scene_switch, NULL);
    stage_each_seed(scene_ends, &(gr_system_opts){.log_level = GR_LOG_INFO});
}

/* The end of what became one with a terminate can be seen: it is waited for
 * before the one that was started earlier is asked. */
static void test_a_stop_waits_for_what_terminates_now(void **state)
{
    gr_behavior quiet = puppet_behavior;
    (void)state;
    quiet.terminate = NULL;
    for (uint64_t seed = 1; seed <= STAGE_SEEDS; seed++) {
        stage s;
        stage_start(&s, seed, NULL);
        (void)stage_puppet(&s, 'b');
        gr_pid a = stage_puppet_with(&s, s.self, 'a', &quiet, NULL, be_upper);
        waiter_tell(&s, a, "one");
        stage_settle(&s);
        stage_expect_words(&s, "+b +a a:one");
        stage_end(&s);
        stage_expect(&s, "-U:shutdown -b:shutdown");
    }
}

static int become_wrongly(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_behavior bad = upper;
    (void)p, (void)msg;
    CHECK_RC(gr_become(self, NULL), GR_EINVAL);
    bad.name = NULL;
    CHECK_RC(gr_become(self, &bad), GR_EINVAL);
    bad.name = "";
    CHECK_RC(gr_become(self, &bad), GR_EINVAL);
    bad = upper;
    bad.receive = NULL;
    CHECK_RC(gr_become(self, &bad), GR_EINVAL);
    bad = upper;
    bad.state_size = sizeof(puppet) + 1;
    CHECK_RC(gr_become(self, &bad), GR_EINVAL);
    /* The one it was spawned with counts, not the one it is. */
    CHECK_RC(gr_become(self, &upper), 0);
    CHECK_RC(gr_become(self, &bad), GR_EINVAL);
    return gr_become(self, &puppet_behavior);
}

static void scene_errors(stage *s)
{
    gr_pid a = waiter_puppet(s, be_plain);
    stage_do(s, a, become_wrongly);
    waiter_tell(s, a, "one");
    stage_settle(s);
    stage_expect(s, "a:one");
    CHECK_RC(gr_become(s->self, &upper), GR_ENOTSUP);
}

static void test_errors(void **state)
{
    (void)state;
    stage_each_seed(scene_errors, NULL);
}

static void scene_drops(stage *s)
{
    gr_spawn_opts opts = {.mailbox = {.hard = 1, .full = GR_FULL_DROP_NEW}};
    gr_pid a = stage_puppet_with(s, s->self, 'a', &puppet_behavior, &opts,
                                 become_upper);
    stage_settle(s);
    waiter_tell(s, a, "one two three four");
    stage_settle(s);
    CHECK(stage_stats(s).dropped > 0);
    CHECK(stage_logged(s, "behaviour upper"));
    CHECK(!stage_logged(s, "behaviour puppet"));
}

static void test_the_log_of_drops_has_the_new_name(void **state)
{
    (void)state;
    stage_each_seed(scene_drops, NULL);
}

static void scene_restart(stage *s)
{
    gr_child children[] = {
        {.id = "a",
         .behavior = &puppet_behavior,
         .args = gr_args((uint64_t)(uintptr_t)s, "a",
                         (uint64_t)(uintptr_t)be_upper)},
        {0},
    };
    gr_supervisor spec = {.children = children};
    gr_pid supervisor;
    gr_pid a;
    CHECK_RC(gr_supervise(s->self, &spec, &supervisor), 0);
    CHECK_RC(gr_child_pid(s->self, supervisor, "a", &a), 0);
    waiter_tell(s, a, "one fail");
    stage_settle(s);
    stage_expect(s, "+a a:one -U:error +a");
    CHECK_RC(gr_child_pid(s->self, supervisor, "a", &a), 0);
    waiter_tell(s, a, "two three");
    stage_settle(s);
    stage_expect(s, "a:two U:three");
}

static void test_a_restart_begins_with_the_first(void **state)
{
    (void)state;
    stage_each_seed(scene_restart, NULL);
}

/* ---- with the stash: a lock that is asked for, then held -------------------
 */

static int busy_receive(gr_actor *self, void *state, const gr_msg *msg);
static int ready_receive(gr_actor *self, void *state, const gr_msg *msg);

static const gr_behavior busy = {
    .name = "busy",
    .state_size = sizeof(puppet),
    .receive = busy_receive,
};

static const gr_behavior ready = {
    .name = "ready",
    .state_size = sizeof(puppet),
    .receive = ready_receive,
};

static int busy_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    puppet *p = state;
    if (waiter_has_tag(msg, "done")) {
        stage_note(p->on, ")");
        gr_unstash(self);
        return gr_become(self, &ready);
    }
    return gr_stash(self, msg);
}

/* Each message takes the answer of another actor, one after the other. */
static int ready_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    puppet *p = state;
    gr_reader r = gr_msg_reader(msg);
    gr_str tag;
    CHECK_RC(gr_read_str(&r, &tag), 0);
    stage_note(p->on, "(%.*s", GR_STR(tag));
    CHECK_RC(gr_send(self, p->peer, "work"), 0);
    return gr_become(self, &busy);
}

static int work_for(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    return gr_send(self, gr_sender(msg), "done");
}

WAITER_HEARS(be_worker, work_for)

static int become_ready(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_become(self, &ready);
}

static void scene_one_at_a_time(stage *s)
{
    gr_pid a = waiter_puppet(s, be_plain);
    gr_pid b =
        stage_puppet_with(s, s->self, 'b', &puppet_behavior, NULL, be_worker);
    stage_do_to(s, a, become_ready, b);
    stage_expect(s, "+b");
    waiter_tell(s, a, "one two three four");
    stage_settle(s);
    stage_expect(s, "(one ) (two ) (three ) (four )");
}

static void test_one_at_a_time_with_the_stash(void **state)
{
    (void)state;
    stage_each_seed(scene_one_at_a_time, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_but_the_state_is_the_new_ones),
        cmocka_unit_test(test_a_stop_waits_for_what_terminates_now),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_the_log_of_drops_has_the_new_name),
        cmocka_unit_test(test_a_restart_begins_with_the_first),
        cmocka_unit_test(test_one_at_a_time_with_the_stash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
