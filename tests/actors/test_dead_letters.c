/* tests/actors/test_dead_letters.c - what cannot be delivered is counted, shown
 * to who watches, and summarised in the log. */
#include "tests/support/stage.h"

static gr_pid dead_puppet(stage *s, char letter)
{
    gr_pid pid = stage_puppet(s, letter);
    CHECK_RC(gr_kill(s->self, pid), 0);
    stage_settle(s);
    return pid;
}

static void scene_counted(stage *s)
{
    gr_pid dead = dead_puppet(s, 'd');
    gr_pid never = {gr_system_node(s->sys).id, UINT64_C(1) << 32 | 5000000};
    gr_pid far = {gr_system_node(s->sys).id + 1, dead.id};
    CHECK_RC(gr_send(s->self, dead, "x"), 0); /* accepted, and dead at once */
    CHECK_INT(stage_stats(s).dead_letters, 1);
    CHECK_RC(gr_send(s->self, never, "x"), 0);
    CHECK_INT(stage_stats(s).dead_letters, 2);
    CHECK_RC(gr_send(s->self, far, "x"), GR_ENOCONN); /* refused: not one */
    CHECK_INT(stage_stats(s).dead_letters, 2);
    gr_tell(s->self, far, "x");
    CHECK_INT(stage_stats(s).dead_letters, 3);
    gr_tell(s->self, GR_NOBODY, "x");
    CHECK_INT(stage_stats(s).dead_letters, 4);
    gr_tell(s->self, dead, "x", gr_strn("y", (size_t)UINT32_MAX + 1));
    gr_stats t = stage_stats(s);
    CHECK_INT(t.dead_letters, 5);
    CHECK_INT(t.sent, 5);
}

static void test_each_is_counted(void **state)
{
    (void)state;
    stage_each_seed(scene_counted, NULL);
}

static void scene_log(stage *s)
{
    gr_pid dead = dead_puppet(s, 'd');
    for (int i = 0; i < 1000; i++) {
        gr_tell(s->self, dead, "letter", i);
    }
    CHECK_INT(stage_stats(s).dead_letters, 1000);
    CHECK_INT(s->log_lines, 10); /* at 1, 2, 4 ... 512 */
    CHECK(stage_logged(s, "dead letter (1 so far)"));
    CHECK(stage_logged(s, "dead letter (512 so far)"));
    CHECK(stage_logged(s, "no such actor"));
    CHECK(stage_logged(s, "[\"letter\", 0]"));
}

static void test_the_log_has_a_line_for_each_doubling(void **state)
{
    (void)state;
    stage_each_seed(scene_log, &(gr_system_opts){.log_level = GR_LOG_WARN});
}

static void scene_quiet_log(stage *s)
{
    gr_pid dead = dead_puppet(s, 'd');
    gr_tell(s->self, dead, "letter");
    CHECK_INT(s->log_lines, 0);
}

static void test_a_log_of_errors_only_has_none(void **state)
{
    (void)state;
    stage_each_seed(scene_quiet_log, &(gr_system_opts){.workers = 1});
}

static void expect_report(stage *s, gr_pid to, const char *reason,
                          const char *message)
{
    const gr_msg *msg;
    gr_pid from;
    gr_pid at;
    gr_str why;
    gr_str text;
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "gr.dead_letter", &from, &at, &why, &text));
    CHECK(gr_pid_eq(from, gr_self(s->self)));
    CHECK(gr_pid_eq(at, to));
    CHECK(strlen(reason) == why.len && memcmp(reason, why.ptr, why.len) == 0);
    CHECK(strlen(message) == text.len &&
          memcmp(message, text.ptr, text.len) == 0);
}

static int unhandle(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    return gr_unhandled(self, msg);
}

static int be_unhandler(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = unhandle;
    return 0;
}

static void scene_watch(stage *s)
{
    const gr_msg *msg;
    gr_pid dead = dead_puppet(s, 'd');
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_unhandler);
    gr_tell(s->self, dead, "before");
    CHECK_RC(gr_watch_dead_letters(s->self, true), 0);
    CHECK_RC(gr_watch_dead_letters(s->self, true), 0); /* again: no twice */
    gr_tell(s->self, dead, "letter", 5);
    expect_report(s, dead, "no such actor", "[\"letter\", 5]");
    gr_tell(s->self, a, "nonsense");
    expect_report(s, a, "not handled", "[\"nonsense\"]");
    gr_pid far = {gr_system_node(s->sys).id + 1, dead.id};
    gr_tell(s->self, far, "far");
    expect_report(s, far, "its node is not connected", "[\"far\"]");
    gr_pid n =
        stage_puppet_with(s, s->self, 'n', &puppet_behavior,
                          &(gr_spawn_opts){.mailbox = {.hard = 1}}, NULL);
    gr_tell(s->self, n, "fits");
    gr_tell(s->self, n, "too much");
    expect_report(s, n, "mailbox full", "[\"too much\"]");
    CHECK_RC(gr_watch_dead_letters(s->self, false), 0);
    gr_tell(s->self, dead, "after");
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    CHECK_INT(stage_stats(s).dead_letters, 6);
}

static void test_a_watcher_is_told_of_each(void **state)
{
    (void)state;
    stage_each_seed(scene_watch, NULL);
}

static int watch(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = unhandle; /* even the reports */
    return gr_watch_dead_letters(self, true);
}

static void scene_watch_ends(stage *s)
{
    gr_pid dead = dead_puppet(s, 'd');
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, watch);
    gr_tell(s->self, dead, "letter");
    stage_settle(s);
    uint64_t before = stage_stats(s).dead_letters;
    CHECK(before <= 2); /* no report of a report */
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    for (unsigned i = 0; i < 10; i++) {
        gr_tell(s->self, dead, "letter");
    }
    stage_settle(s);
    /* A watcher that is gone gets no reports, dead or not. */
    CHECK_INT(stage_stats(s).dead_letters, before + 10);
}

static void test_reports_are_never_dead_letters_themselves(void **state)
{
    (void)state;
    stage_each_seed(scene_watch_ends, NULL);
}

static void scene_many_watchers(stage *s)
{
    enum { WATCHERS = 12 };
    gr_actor *w[WATCHERS];
    const gr_msg *msg;
    gr_pid dead = dead_puppet(s, 'd');
    for (unsigned i = 0; i < WATCHERS; i++) {
        CHECK_RC(gr_thread_attach(s->sys, NULL, &w[i]), 0);
        CHECK_RC(gr_watch_dead_letters(w[i], true), 0);
    }
    gr_tell(s->self, dead, "letter");
    for (unsigned i = 0; i < WATCHERS; i++) {
        CHECK_RC(gr_receive(w[i], 0, &msg), 0);
        gr_reader r = gr_msg_reader(msg);
        gr_str tag;
        CHECK(gr_read_str(&r, &tag) == 0 && tag.len == 14);
        gr_thread_detach(w[i], 0);
    }
}

static void test_there_may_be_many_watchers(void **state)
{
    (void)state;
    stage_each_seed(scene_many_watchers, NULL);
}

static int after_zero(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = unhandle;
    return gr_after(self, 0, NULL, "tick");
}

static void scene_unhandled(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_unhandler);
    uint64_t handled = stage_stats(s).handled;
    CHECK_RC(gr_call(s->self, a, 10, gr_expect("x"), "question"), GR_ENOREPLY);
    gr_stats t = stage_stats(s);
    CHECK_INT(t.dead_letters, 1);
    CHECK_INT(t.handled, handled + 1); /* the answer; not the question */
    stage_do(s, a, after_zero);        /* nor a timer's message */
    stage_settle(s);
    CHECK_INT(stage_stats(s).dead_letters, 2);
}

static void test_unhandled(void **state)
{
    (void)state;
    stage_each_seed(scene_unhandled, NULL);
}

static void scene_last_mail(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_settle(s);
    gr_tell(s->self, a, "handled");
    CHECK_RC(gr_stop(s->self, a), 0);
    for (unsigned i = 0; i < 300; i++) {
        gr_tell(s->self, a, "behind the stop");
    }
    stage_settle(s);
    gr_stats t = stage_stats(s);
    CHECK_INT(t.handled, 1);
    CHECK_INT(t.dead_letters, 300);
}

static void test_mail_of_the_dead_is_buried(void **state)
{
    (void)state;
    stage_each_seed(scene_last_mail, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_counted),
        cmocka_unit_test(test_the_log_has_a_line_for_each_doubling),
        cmocka_unit_test(test_a_log_of_errors_only_has_none),
        cmocka_unit_test(test_a_watcher_is_told_of_each),
        cmocka_unit_test(test_reports_are_never_dead_letters_themselves),
        cmocka_unit_test(test_there_may_be_many_watchers),
        cmocka_unit_test(test_unhandled),
        cmocka_unit_test(test_mail_of_the_dead_is_buried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
