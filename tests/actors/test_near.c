/* tests/actors/test_near.c - the dead letter of a message that nearly matched
 * says what kept it from matching, to who watches and in the log. */
#include "tests/support/stage.h"

/* Knows "set" with two shapes, "get", and nothing else. */
static int hear_sets(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_str name;
    int8_t level;
    bool on;
    (void)p;
    if (gr_match(msg, "set", &level) || gr_match(msg, "set", &name, &on)) {
        return 0;
    }
    if (gr_match(msg, "get")) {
        return gr_reply(self, msg, "level", 1);
    }
    return gr_unhandled(self, msg);
}

static int be_lamp(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = hear_sets;
    return 0;
}

static gr_pid watched_lamp(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_lamp);
    CHECK_RC(gr_watch_dead_letters(s->self, true), 0);
    return a;
}

static void expect_reason(stage *s, const char *expected)
{
    const gr_msg *msg;
    gr_pid from;
    gr_pid to;
    gr_str reason;
    gr_str text;
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "gr.dead_letter", &from, &to, &reason, &text));
    if (strlen(expected) != reason.len ||
        memcmp(expected, reason.ptr, reason.len) != 0) {
        fail_msg("seed %" PRIu64 ": \"%.*s\", not \"%s\"", s->seed,
                 GR_STR(reason), expected);
    }
}

static void scene_reasons(stage *s)
{
    gr_pid a = watched_lamp(s);
    CHECK_RC(gr_send(s->self, a, "set", 300), 0);
    expect_reason(s, "not handled: argument 1 is 300 (wanted: str)");
    CHECK_RC(gr_send(s->self, a, "set", "lamp", "on"), 0);
    expect_reason(s, "not handled: argument 2 is \"on\" (wanted: bool)");
    CHECK_RC(gr_send(s->self, a, "set", "lamp"), 0);
    expect_reason(s, "not handled: argument 2 is missing (wanted: bool)");
    CHECK_RC(gr_send(s->self, a, "set", "lamp", true, 1), 0);
    expect_reason(s, "not handled: argument 3 is one too many");
    CHECK_RC(gr_send(s->self, a, "get", 1), 0);
    expect_reason(s, "not handled: argument 1 is one too many");
    /* What matched nothing by its tag says no more than that. */
    CHECK_RC(gr_send(s->self, a, "gets", 300), 0);
    expect_reason(s, "not handled");
    CHECK_INT(stage_stats(s).dead_letters, 6);
    /* What matches is no dead letter at all, near matches before it or not. */
    CHECK_RC(gr_send(s->self, a, "set", "lamp", true), 0);
    stage_settle(s);
    CHECK_INT(stage_stats(s).dead_letters, 6);
}

static void test_the_reason_says_what_did_not_fit(void **state)
{
    (void)state;
    stage_each_seed(scene_reasons, NULL);
}

static void scene_asked(stage *s)
{
    gr_pid a = watched_lamp(s);
    int level;
    CHECK_RC(gr_call(s->self, a, 10, gr_expect("level", &level), "get", "now"),
             GR_ENOREPLY);
    expect_reason(s, "not handled: argument 1 is one too many");
    CHECK_RC(gr_call(s->self, a, 10, gr_expect("level", &level), "get"), 0);
    CHECK_INT(level, 1);
}

static void test_an_asked_message(void **state)
{
    (void)state;
    stage_each_seed(scene_asked, NULL);
}

static void scene_log(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_lamp);
    CHECK_RC(gr_send(s->self, a, "set", 1.5), 0);
    stage_settle(s);
    CHECK_INT(s->log_lines, 1);
    CHECK(stage_logged(
        s, ": not handled: argument 1 is 1.5 (wanted: str): [\"set\", 1.5]"));
}

static void test_the_log_says_it(void **state)
{
    (void)state;
    stage_each_seed(scene_log, NULL);
}

static int lamp_set(gr_actor *self, void *state, const gr_msg *msg)
{
    int8_t level;
    (void)state;
    return gr_match(msg, "set", &level) ? 0 : gr_unhandled(self, msg);
}

static const gr_handler lamp_handlers[] = {{"set", lamp_set}, {0}};

static const gr_behavior lamp = {.name = "lamp", .handlers = lamp_handlers};

static void scene_table(stage *s)
{
    gr_pid a;
    CHECK_RC(gr_spawn(s->self, &lamp, NULL, &a), 0);
    CHECK_RC(gr_watch_dead_letters(s->self, true), 0);
    CHECK_RC(gr_send(s->self, a, "set", -129), 0);
    expect_reason(s, "not handled: argument 1 is -129 (wanted: int8)");
    CHECK_RC(gr_send(s->self, a, "unset", -129), 0); /* in no row */
    expect_reason(s, "not handled");
}

static void test_a_table_of_handlers(void **state)
{
    (void)state;
    stage_each_seed(scene_table, NULL);
}

/* Passes on what it does not fully know, with its note left behind. */
static int hear_and_pass(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int8_t level;
    return gr_match(msg, "set", &level) ? 0 : gr_forward(self, p->peer, msg);
}

static int be_front(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = hear_and_pass;
    return 0;
}

static int hear_nothing(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    return gr_unhandled(self, msg);
}

static int be_deaf(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = hear_nothing;
    return 0;
}

static void scene_forward(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, b, be_deaf);
    stage_do_to(s, a, be_front, b);
    CHECK_RC(gr_watch_dead_letters(s->self, true), 0);
    CHECK_RC(gr_send(s->self, a, "set", 300), 0);
    expect_reason(s, "not handled");
}

static void test_a_forwarded_message_is_judged_anew(void **state)
{
    (void)state;
    stage_each_seed(scene_forward, NULL);
}

static void scene_thread(stage *s)
{
    const gr_msg *msg;
    int8_t level;
    CHECK_RC(gr_watch_dead_letters(s->self, true), 0);
    CHECK_RC(gr_send(s->self, gr_self(s->self), "set", 300), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    const gr_msg *kept = gr_keep(s->self, msg);
    CHECK(kept != NULL && !gr_match(kept, "set", &level));
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    CHECK_RC(gr_unhandled(s->self, kept), 0);
    expect_reason(s, "not handled: argument 1 is 300 (wanted: int8)");
    gr_release(s->self, kept);
}

static void test_a_kept_message_of_a_thread(void **state)
{
    (void)state;
    stage_each_seed(scene_thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reason_says_what_did_not_fit),
        cmocka_unit_test(test_an_asked_message),
        cmocka_unit_test(test_the_log_says_it),
        cmocka_unit_test(test_a_table_of_handlers),
        cmocka_unit_test(test_a_forwarded_message_is_judged_anew),
        cmocka_unit_test(test_a_kept_message_of_a_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
