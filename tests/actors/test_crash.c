/* tests/actors/test_crash.c - the report of an abnormal end: what it says, in
 * the log, to who watches, and to who asks. Faults are made up. */
#include <execinfo.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/support/stage.h"

#include "actors/internal.h"
#include "mailbox/print.h"

static const gr_system_opts loud = {.log_level = GR_LOG_INFO};

/* ---- faults that did not happen --------------------------------------------
 */

static gri_fault made_up;

static void forget_fault(void *ctx)
{
    ((gri_ctx *)ctx)->fault = NULL;
}

/* As what traps them does: the run ends, and why is at hand while it does. */
static void end_by_fault(gr_actor *self)
{
    gr_exit_reason why = {GR_EXIT_SIGNAL, SIGSEGV, "write"};
    self->ctx->fault = &made_up;
    CHECK_RC(gr_on_exit(self, forget_fault, self->ctx), 0);
    gri_exit_with(self, &why);
}

static __attribute__((noinline)) int divide_badly(gr_actor *self, int depth)
{
    made_up = (gri_fault){.signal = SIGSEGV, .code = SEGV_MAPERR};
    made_up.address = &made_up; /* anything that is not NULL */
    made_up.has_address = true;
    made_up.n = (unsigned)backtrace(made_up.frames, GRI_FRAMES_MAX);
    end_by_fault(self);
    return depth + 1;
}

static int fall_badly(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->n += (uint64_t)divide_badly(self, 1);
    return 0;
}

static int fail_with_text(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    gr_exit(self, ERROR_TEST, "as told");
    return 0;
}

/* ---- what it says ---------------------------------------------------------
 */

static int take_things(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    CHECK(gr_alloc(self, 100) != NULL);
    CHECK(gr_blob_new(self, 5000) != NULL);
    CHECK_RC(gr_stash(self, msg), 0);
    p->hear = fail_with_text;
    return 0;
}

static int spawn_child(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->peer = stage_puppet_with(p->on, self, 'c', &puppet_behavior,
                                &(gr_spawn_opts){.name = "child"}, NULL);
    return 0;
}

static void scene_error(stage *s)
{
    gr_crash crash;
    gr_pid parent = stage_begun(s, 'a', NULL, spawn_child);
    stage_settle(s);
    gr_pid child;
    CHECK_RC(gr_whereis(s->self, GR_HERE, "child", &child), 0);
    CHECK_RC(gr_crash_report(s->sys, child, &crash), GR_ENOENT);
    stage_do(s, child, take_things);
    CHECK_RC(gr_send(s->self, child, "now", 7), 0);
    CHECK_RC(gr_send(s->self, child, "later", 8), 0);
    stage_settle(s);

    CHECK_RC(gr_crash_report(s->sys, child, &crash), 0);
    CHECK_INT(crash.number, 1);
    CHECK(gr_pid_eq(crash.pid, child));
    assert_string_equal(crash.behavior, "puppet");
    assert_string_equal(crash.name, "child");
    CHECK_INT(crash.reason.kind, GR_EXIT_ERROR);
    CHECK_INT(crash.reason.code, ERROR_TEST);
    assert_string_equal(crash.reason.text, "as told");
    CHECK_INT(crash.signal, 0);
    CHECK_INT(crash.frame_count, 0);
    assert_string_equal(crash.message, "[\"now\", 7]");
    CHECK(gr_pid_eq(crash.sender, gr_self(s->self)));
    CHECK_INT(crash.waiting, 1);
    CHECK(crash.state_bytes >= puppet_behavior.state_size);
    CHECK(crash.arena_bytes >= 100 && crash.arena_bytes < 200);
    CHECK(crash.blob_bytes >= 5000 && crash.blob_bytes < 6000);
    CHECK(crash.kept_bytes > 0 && crash.kept_bytes < 1000);
    CHECK_INT(crash.parent_count, 2);
    CHECK(gr_pid_eq(crash.parents[0].pid, parent));
    assert_string_equal(crash.parents[0].behavior, "puppet");
    CHECK(gr_pid_eq(crash.parents[1].pid, gr_self(s->self)));
    assert_string_equal(crash.parents[1].behavior, "");

    CHECK(stage_logged(s, "puppet <"));
    CHECK(stage_logged(s, " ended: error GR_EUSER, as told, at [\"now\", 7]"));
    CHECK(stage_logged(s, ": registered as child\n"));
    CHECK(stage_logged(s, ": the message was from <"));
    CHECK(stage_logged(s, ": spawned by puppet <"));
    CHECK(stage_logged(s, ": 1 messages wait; bytes: state "));
    stage_drain(s);
}

static void test_an_error(void **state)
{
    (void)state;
    stage_each_seed(scene_error, &loud);
}

static void scene_fault(stage *s)
{
    gr_crash crash;
    gr_pid a = stage_puppet(s, 'a');
    stage_settle(s);
    stage_do(s, a, fall_badly);
    CHECK_RC(gr_crash_report(s->sys, a, &crash), 0);
    CHECK_INT(crash.reason.kind, GR_EXIT_SIGNAL);
    CHECK_INT(crash.signal, SIGSEGV);
    CHECK_INT(crash.signal_code, SEGV_MAPERR);
    CHECK(crash.has_address && crash.address == &made_up);
    CHECK(!crash.stack_overflow);
    CHECK_INT(crash.frame_count, made_up.n);
    CHECK(crash.frame_count >= 2);
    CHECK(crash.frames[0].address == made_up.frames[0]);
    /* Static functions, and where they stand in the source. */
    unsigned i = 0;
    while (i < crash.frame_count &&
           strcmp(crash.frames[i].function, "divide_badly") != 0) {
        i++;
    }
    CHECK(i + 1 < crash.frame_count);
    assert_string_equal(crash.frames[i + 1].function, "fall_badly");
    for (unsigned k = i; k < i + 2; k++) {
        CHECK(strstr(crash.frames[k].file, "test_crash.c") != NULL);
        CHECK(crash.frames[k].line > 30 && crash.frames[k].line < 70);
        CHECK(crash.frames[k].address == made_up.frames[k]);
    }
    /* A defect is an error, whatever level the log has. */
    CHECK(stage_logged(s, " ended: signal, write, at ["));
    CHECK(stage_logged(s, ": signal 11 (SIGSEGV), code 1, address 0x"));
    CHECK(stage_logged(s, " divide_badly at "));
    stage_drain(s);
}

static void test_a_fault(void **state)
{
    (void)state;
    stage_each_seed(scene_fault, &(gr_system_opts){.log_level = GR_LOG_ERROR});
}

/* Where the fault happened is the first frame: those of whoever noted them are
 * left out, or it is put in front. */
static int fall_at_pc(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    static char code[8];
    made_up = (gri_fault){.signal = SIGILL, .pc = code};
    made_up.stack_overflow = p->letter == 'b';
    for (unsigned i = 0; i < GRI_FRAMES_MAX; i++) {
        made_up.frames[i] = &code[i == 3 && p->letter == 'a' ? 0 : 1 + i % 7];
    }
    made_up.n = GRI_FRAMES_MAX;
    end_by_fault(self);
    return 0;
}

static void scene_pc(stage *s)
{
    gr_crash crash;
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do(s, a, fall_at_pc);
    stage_do(s, b, fall_at_pc);
    CHECK_RC(gr_crash_report(s->sys, a, &crash), 0);
    CHECK_INT(crash.frame_count, GR_CRASH_FRAMES_MAX - 3);
    CHECK(crash.frames[0].address == made_up.pc);
    CHECK(crash.frames[1].address == made_up.frames[4]);
    CHECK_INT(crash.stack_overflow, false);
    CHECK(!crash.has_address);
    CHECK(stage_logged(s, ": signal 4 (SIGILL), code 0\n"));
    CHECK_RC(gr_crash_report(s->sys, b, &crash), 0);
    CHECK_INT(crash.frame_count, GR_CRASH_FRAMES_MAX);
    CHECK(crash.frames[0].address == made_up.pc);
    CHECK(crash.frames[1].address == made_up.frames[0]);
    CHECK_INT(crash.frames[0].line, 0); /* it is no code */
    CHECK_INT(crash.stack_overflow, true);
    CHECK(stage_logged(s, ", stack overflow\n"));
    stage_drain(s);
}

static void test_the_first_frame_is_the_fault(void **state)
{
    (void)state;
    stage_each_seed(scene_pc, NULL);
}

static void scene_quiet(stage *s)
{
    gr_crash crash;
    uint64_t number = 0;
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do(s, a, puppet_leave);
    CHECK_RC(gr_stop(s->self, b), 0);
    stage_settle(s);
    CHECK_RC(gr_crash_report(s->sys, a, &crash), GR_ENOENT);
    CHECK_RC(gr_crash_report(s->sys, b, &crash), GR_ENOENT);
    CHECK_RC(gr_crash_next(s->sys, &number, &crash), GR_ENOENT);
    CHECK_INT(number, 0);
    CHECK_RC(gr_crash_report(s->sys, GR_NOBODY, &crash), GR_EINVAL);
    gr_pid far = {gr_system_node(s->sys).id + 1, a.id};
    CHECK_RC(gr_crash_report(s->sys, far, &crash), GR_ENOENT);
    CHECK_INT(s->log_lines, 0);
    stage_drain(s);
}

static void test_other_ends_have_none(void **state)
{
    (void)state;
    stage_each_seed(scene_quiet, &loud);
}

static void scene_killed(stage *s)
{
    gr_crash crash;
    gr_pid a = stage_puppet(s, 'a');
    stage_settle(s);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    CHECK_RC(gr_crash_report(s->sys, a, &crash), 0);
    CHECK_INT(crash.reason.kind, GR_EXIT_KILLED);
    assert_string_equal(crash.message, "");
    CHECK(gr_pid_is_nobody(crash.sender));
    CHECK(stage_logged(s, " ended: killed\n"));
    stage_drain(s);
}

static void test_a_kill(void **state)
{
    (void)state;
    stage_each_seed(scene_killed, &loud);
}

/* ---- who hears of it, finds it --------------------------------------------
 */

static void scene_down(stage *s)
{
    gr_ref ref;
    gr_pid pid;
    gr_exit_reason why;
    const gr_msg *msg;
    gr_crash crash;
    gr_pid a = stage_begun(s, 'a', NULL, NULL);
    CHECK_RC(gr_monitor(s->self, a, &ref), 0);
    CHECK_RC(gr_kill(s->self, a), 0);
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
    CHECK(gr_match_down(msg, &ref, &pid, &why));
    CHECK_RC(gr_crash_report(s->sys, pid, &crash), 0);
    CHECK(gr_pid_eq(crash.pid, a));
}

static void test_down_comes_behind_the_report(void **state)
{
    (void)state;
    stage_each_seed(scene_down, NULL);
    stage s; /* and with threads */
    stage_start(&s, 0, NULL);
    scene_down(&s);
    stage_end(&s);
}

enum { KEPT = 5 };

static void scene_kept(stage *s)
{
    gr_pid pid[2 * KEPT + 1];
    gr_crash crash;
    for (unsigned i = 0; i < 2 * KEPT + 1; i++) {
        pid[i] = stage_puppet(s, 'a');
        stage_settle(s);
        stage_do(s, pid[i], puppet_fail);
    }
    uint64_t number = 0;
    for (unsigned i = 2 * KEPT; i > KEPT; i--) {
        CHECK_RC(gr_crash_next(s->sys, &number, &crash), 0);
        CHECK_INT(number, i + 1);
        CHECK_INT(crash.number, i + 1);
        CHECK(gr_pid_eq(crash.pid, pid[i]));
        CHECK_RC(gr_crash_report(s->sys, pid[i], &crash), 0);
    }
    CHECK_RC(gr_crash_next(s->sys, &number, &crash), GR_ENOENT);
    CHECK_INT(number, KEPT + 2); /* untouched */
    for (unsigned i = 0; i <= KEPT; i++) {
        CHECK_RC(gr_crash_report(s->sys, pid[i], &crash), GR_ENOENT);
    }
    number = 1000; /* of nothing that is there: from the newest on */
    CHECK_RC(gr_crash_next(s->sys, &number, &crash), 0);
    CHECK_INT(number, 2 * KEPT + 1);
    stage_drain(s);
}

static void test_the_last_ones_are_kept(void **state)
{
    (void)state;
    stage_each_seed(scene_kept, &(gr_system_opts){.crashes_kept = KEPT});
    gr_system *sys;
    gr_system_opts many = {.crashes_kept = GR_CRASHES_KEPT_MAX + 1};
    assert_int_equal(gr_system_start(&many, &sys), GR_EINVAL);
}

/* Nobody is there to see it: what is off costs nothing, and is not counted. */
static void scene_none(stage *s)
{
    gr_crash crash;
    const gr_msg *msg;
    gr_pid of;
    gr_str str[6];
    int code, signal;
    uint64_t number = 0;
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    stage_do(s, a, puppet_fail);
    CHECK_RC(gr_crash_report(s->sys, a, &crash), GR_ENOENT);
    CHECK_RC(gr_crash_next(s->sys, &number, &crash), GR_ENOENT);
    CHECK_INT(s->log_lines, 0);
    CHECK_RC(gr_watch_crashes(s->self, true), 0);
    stage_do(s, b, puppet_fail);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "gr.crash", &number, &of, &str[0], &str[1], &str[2],
                   &code, &str[3], &signal, &str[4], &str[5]));
    CHECK(gr_pid_eq(of, b));
    CHECK_INT(number, 1);
    CHECK_RC(gr_crash_report(s->sys, b, &crash), GR_ENOENT);
    number = 0;
    CHECK_RC(gr_crash_next(s->sys, &number, &crash), GR_ENOENT);
    stage_drain(s);
}

static void test_none_is_made_for_nobody(void **state)
{
    (void)state;
    stage_each_seed(scene_none,
                    &(gr_system_opts){.log_level = GR_LOG_NONE,
                                      .crashes_kept = GR_CRASHES_KEPT_NONE});
}

/* ---- who watches -----------------------------------------------------------
 */

static bool is(gr_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static void scene_watched(stage *s)
{
    const gr_msg *msg;
    uint64_t number;
    gr_pid pid;
    gr_str behavior;
    gr_str name;
    gr_str kind;
    gr_str text;
    gr_str where;
    gr_str message;
    int code;
    int signal;
    CHECK_RC(gr_watch_crashes(s->self, true), 0);
    gr_pid a = stage_begun(s, 'a', "first", NULL);
    stage_settle(s);
    stage_do(s, a, fall_badly);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "gr.crash", &number, &pid, &behavior, &name, &kind,
                   &code, &text, &signal, &where, &message));
    CHECK_INT(number, 1);
    CHECK(gr_pid_eq(pid, a));
    CHECK(is(behavior, "puppet") && is(name, "first") && is(kind, "signal"));
    CHECK_INT(code, SIGSEGV);
    CHECK(is(text, "write"));
    CHECK_INT(signal, SIGSEGV);
    CHECK(where.len > 0 && message.len > 0);

    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    CHECK_RC(gr_kill(s->self, b), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "gr.crash", &number, &pid, &behavior, &name, &kind,
                   &code, &text, &signal, &where, &message));
    CHECK(number == 2 && is(name, "") && is(kind, "killed") && signal == 0);
    CHECK(is(where, "") && is(message, ""));

    CHECK_RC(gr_watch_crashes(s->self, false), 0);
    gr_pid c = stage_puppet(s, 'c');
    stage_settle(s);
    stage_do(s, c, puppet_fail);
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
}

static void test_who_watches_is_told(void **state)
{
    (void)state;
    stage_each_seed(scene_watched, NULL);
}

/* ---- hostile texts ---------------------------------------------------------
 */

/* With a character that turns lines round. */
/* NOLINTNEXTLINE(misc-misleading-bidirectional) */
static const char nasty[] = "a\x1b[31m\xff\nb\\\"\xe2\x80\xae";

static int end_nastily(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    gr_exit(self, ERROR_TEST, nasty);
    return 0;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 && *text != '\n') {
            return true;
        }
    }
    return false;
}

static void scene_nasty(stage *s)
{
    const gr_msg *msg;
    gr_crash crash;
    gr_str text;
    CHECK_RC(gr_watch_crashes(s->self, true), 0);
    gr_spawn_opts opts = {.name = nasty};
    gr_pid a = stage_puppet_with(s, s->self, 'a', &puppet_behavior, &opts,
                                 end_nastily);
    stage_settle(s);
    CHECK_RC(gr_crash_report(s->sys, a, &crash), 0);
    assert_string_equal(crash.name, nasty);
    assert_string_equal(crash.reason.text, nasty);
    CHECK(stage_logged(s,
                       "registered as a\\x1b[31m\\xff\\nb\\\\\"\\xe2\\x80\\xae"
                       "\n"));
    CHECK(stage_logged(s, "GR_EUSER, a\\x1b[31m\\xff\\nb\\\\\""));
    CHECK(!has_control(s->log));
    CHECK(strchr(s->log, 0xff) == NULL);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    gr_reader r = gr_msg_reader(msg);
    for (unsigned i = 0; i < 4; i++) {
        gr_any any;
        CHECK_RC(gr_read_any(&r, &any), 0);
    }
    CHECK_RC(gr_read_str(&r, &text), 0);
    CHECK(is(text, "a\\x1b[31m\\xff\\nb\\\\\"\\xe2\\x80\\xae"));
    stage_drain(s);
}

static void test_texts_are_escaped(void **state)
{
    (void)state;
    stage_each_seed(scene_nasty, &loud);
    char buf[8];
    assert_string_equal(gri_escape(buf, sizeof buf, "0123456", 7), "0123456");
    assert_string_equal(gri_escape(buf, sizeof buf, "01234567", 8), "0123...");
    assert_string_equal(gri_escape(buf, 1, "0123", 4), "");
    assert_string_equal(gri_escape(buf, sizeof buf, "", 0), "");
}

/* ---- parents ----------------------------------------------------------------
 */

static int spawn_deeper(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->peer = stage_puppet_with(p->on, self, 'd', &puppet_behavior, NULL,
                                p->on->cast_count < 12 ? spawn_deeper : NULL);
    return 0;
}

static void scene_parents(stage *s)
{
    gr_crash crash;
    gr_pid first = stage_begun(s, 'a', NULL, spawn_deeper);
    stage_settle(s);
    const unsigned n = s->cast_count;
    CHECK(n > GR_CRASH_PARENTS_MAX + 3);
    gr_pid last = s->cast[n - 1].pid;
    gr_pid middle = s->cast[n - 4].pid;
    CHECK_RC(gr_kill(s->self, middle), 0);
    stage_settle(s);
    CHECK_RC(gr_crash_report(s->sys, middle, &crash), 0);
    CHECK_INT(crash.parent_count, GR_CRASH_PARENTS_MAX);
    CHECK(gr_pid_eq(crash.parents[0].pid, s->cast[n - 5].pid));
    CHECK(!gr_pid_eq(crash.parents[7].pid, first));
    /* Somebody else lives where it did: the chain ends there. */
    gr_pid other = stage_puppet(s, 'o');
    stage_settle(s);
    CHECK_RC(gr_kill(s->self, last), 0);
    stage_settle(s);
    CHECK_RC(gr_crash_report(s->sys, last, &crash), 0);
    CHECK_INT(crash.parent_count, 3);
    CHECK(gr_pid_eq(crash.parents[2].pid, middle));
    assert_string_equal(crash.parents[1].behavior, "puppet");
    assert_string_equal(crash.parents[2].behavior, "");
    CHECK(!gr_pid_eq(other, middle));
    stage_drain(s);
}

static void test_the_parents_are_known_while_they_live(void **state)
{
    (void)state;
    stage_each_seed(scene_parents, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_error),
        cmocka_unit_test(test_a_fault),
        cmocka_unit_test(test_the_first_frame_is_the_fault),
        cmocka_unit_test(test_other_ends_have_none),
        cmocka_unit_test(test_a_kill),
        cmocka_unit_test(test_down_comes_behind_the_report),
        cmocka_unit_test(test_the_last_ones_are_kept),
        cmocka_unit_test(test_none_is_made_for_nobody),
        cmocka_unit_test(test_who_watches_is_told),
        cmocka_unit_test(test_texts_are_escaped),
        cmocka_unit_test(test_the_parents_are_known_while_they_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
