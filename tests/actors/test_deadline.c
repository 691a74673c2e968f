/*
 * Goal:   a callback beyond its deadline ends its actor when it returns, and
 *         nobody else; many short ones are never taken for a long one.
 * Method: as test_watchdog.c.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/hanger.h"

/* ---- what is waited for ---------------------------------------------------
 */

static bool has_deadlines(stage *s, uint64_t n)
{
    return stage_stats(s).deadlines >= n;
}

static bool has_exited(stage *s, uint64_t n)
{
    return stage_stats(s).exited >= n;
}

static bool has_dead_letters(stage *s, uint64_t n)
{
    return stage_stats(s).dead_letters >= n;
}

/* ---- deadlines
 * ------------------------------------------------------------------- */

enum { LIMIT_MS = 10 };

/* Waits for the end of pid, and checks its reason. */
static void check_end(stage *s, gr_ref ref, gr_exit_kind kind, int code,
                      const char *text)
{
    const gr_msg *msg;
    gr_ref ended;
    gr_exit_reason why;
    CHECK_RC(gr_receive(s->self, PATIENCE_S * INT64_C(1000), &msg), 0);
    CHECK(gr_match_down(msg, &ended, NULL, &why));
    CHECK_INT(ended.id, ref.id);
    CHECK_INT(why.kind, kind);
    CHECK_INT(why.code, code);
    assert_string_equal(why.text, text);
}

/* By the spawn, by the behaviour, by the system. */
static void miss_deadline(unsigned by, bool spins)
{
    const gr_limits limits = {.handler_max_ms = LIMIT_MS};
    const gr_limits usual = {.handler_max_ms = by == 0 ? 100000 : LIMIT_MS};
    gr_behavior b = hanger_behavior;
    gr_spawn_opts opts = {.name = "late"};
    gr_system_opts system = {.workers = 1, .turn_warn_ms = GR_FOREVER};
    gr_ref ref;
    gr_pid pid;
    stage s;
    opts.monitor = &ref;
    opts.limits = by == 0 ? limits : opts.limits;
    b.limits = by <= 1 ? usual : b.limits;
    system.limits = by == 2 ? limits : system.limits;
    hanger_begin(&s, system);
    CHECK_RC(gr_spawn(s.self, &b, &opts, &pid), 0);
    if (spins) {
        CHECK_RC(gr_send(s.self, pid, "spin"), 0);
    } else {
        CHECK_RC(gr_send(s.self, pid, "block"), 0);
    }
    hanger_wait_sem(&hanger_entered);
    CHECK_RC(gr_send(s.self, pid, "echo"), 0); /* it will not be handled */
    hanger_wait_until(&s, has_deadlines, 1);
    hanger_wait_for_line(&s, "handler deadline (", 1);
    CHECK(stage_logged(&s, "hanger late "));
    CHECK_INT(stage_stats(&s).exited, 0); /* not before the callback returns */
    hanger_let_go(1, spins);
    check_end(&s, ref, GR_EXIT_LIMIT, GR_ETIMEOUT, "handler deadline");
    CHECK_INT(stage_stats(&s).deadlines, 1);
    hanger_wait_until(&s, has_dead_letters, 1);
    stage_end(&s);
    CHECK_INT(hanger_times_logged(&s, "handler deadline ("), 1);
}

static void test_a_callback_beyond_its_deadline_ends_its_actor(void **state)
{
    (void)state;
    for (unsigned by = 0; by < 3; by++) {
        miss_deadline(by, false);
        miss_deadline(by, true);
    }
}

/* One long callback in a turn of many: what came before it was handled, what
 * comes behind it is not. */
typedef struct tally {
    stage *on;
    unsigned handled, ends;
    unsigned hangs_at;
} tally;

static int on_count(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)msg;
    tally *t = *(tally **)state;
    if (++t->handled == t->hangs_at) {
        watchdog_test_blocks();
    }
    return 0;
}

static int begin_count(gr_actor *self, void *state, const gr_msg *args)
{
    (void)self;
    uint64_t at;
    CHECK(gr_unpack(args, &at));
    *(tally **)state = (tally *)(uintptr_t)at; /* the test outlives it */
    return 0;
}

static void end_count(gr_actor *self, void *state, const gr_exit_reason *why)
{
    (void)self;
    tally *t = *(tally **)state;
    t->ends++;
    stage_note(t->on, "%s", why->text);
}

static const gr_behavior counter = {
    .name = "counter",
    .state_size = sizeof(tally *),
    .init = begin_count,
    .receive = on_count,
    .terminate = end_count,
    .limits = {.handler_max_ms = LIMIT_MS},
};

static void
test_the_callbacks_before_it_count_and_terminate_is_called(void **state)
{
    (void)state;
    enum { MESSAGES = 50, HANGS_AT = 20 };
    stage s;
    gr_pid pid;
    gr_ref ref;
    tally t = {.on = &s, .hangs_at = HANGS_AT};
    hanger_begin(&s,
                 (gr_system_opts){.workers = 1, .turn_warn_ms = GR_FOREVER});
    gr_spawn_opts opts = {.args = gr_args((uint64_t)(uintptr_t)&t),
                          .monitor = &ref};
    CHECK_RC(gr_spawn(s.self, &counter, &opts, &pid), 0);
    for (unsigned i = 0; i < MESSAGES; i++) {
        CHECK_RC(gr_send(s.self, pid, "count"), 0);
    }
    hanger_wait_sem(&hanger_entered);
    hanger_wait_until(&s, has_deadlines, 1);
    hanger_release_blocked();
    check_end(&s, ref, GR_EXIT_LIMIT, GR_ETIMEOUT, "handler deadline");
    CHECK_INT(t.handled, HANGS_AT);
    CHECK_INT(t.ends, 1);
    stage_end(&s);
    stage_expect(&s, "handler deadline");
}

/* The last one in the mailbox: there is no next message that would look. */
static void test_an_actor_with_an_empty_mailbox_ends_too(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    stage s;
    hanger_begin(&s,
                 (gr_system_opts){.workers = 2, .turn_warn_ms = GR_FOREVER});
    for (unsigned round = 1; round <= ROUNDS; round++) {
        gr_pid pid;
        gr_ref ref;
        tally t = {.on = &s, .hangs_at = 1};
        gr_spawn_opts opts = {.args = gr_args((uint64_t)(uintptr_t)&t),
                              .monitor = &ref};
        CHECK_RC(gr_spawn(s.self, &counter, &opts, &pid), 0);
        CHECK_RC(gr_send(s.self, pid, "count"), 0);
        hanger_wait_sem(&hanger_entered);
        hanger_wait_until(&s, has_deadlines, round);
        hanger_release_blocked();
        check_end(&s, ref, GR_EXIT_LIMIT, GR_ETIMEOUT, "handler deadline");
    }
    CHECK_INT(stage_stats(&s).deadlines, ROUNDS);
    stage_end(&s);
}

/* What ends itself in the callback that took too long has its own reason; and
 * the next actor in its slot has no part in it. */
static int leave_late(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)hanger_on_block(self, state, msg);
    return GR_EUSER - 1;
}

static void test_the_next_actor_in_the_slot_is_not_marked(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    stage s;
    const gr_behavior late = {.name = "late",
                              .receive = leave_late,
                              .limits = {.handler_max_ms = LIMIT_MS}};
    hanger_begin(&s, (gr_system_opts){.workers = 1,
                                      .turn_warn_ms = GR_FOREVER,
                                      .actors_max = 16});
    for (unsigned round = 1; round <= ROUNDS; round++) {
        gr_pid pid;
        gr_ref ref;
        gr_spawn_opts opts = {.monitor = &ref};
        CHECK_RC(gr_spawn(s.self, &late, &opts, &pid), 0);
        CHECK_RC(gr_send(s.self, pid, "go"), 0);
        hanger_wait_sem(&hanger_entered);
        hanger_wait_until(&s, has_deadlines, round);
        hanger_release_blocked();
        check_end(&s, ref, GR_EXIT_ERROR, GR_EUSER - 1, "receive");
        pid = hanger_start(&s, NULL);
        hanger_check_echo(&s, pid);
        hanger_check_echo(&s, pid);
        CHECK_RC(gr_kill(s.self, pid), 0);
        hanger_wait_until(&s, has_exited, UINT64_C(2) * round);
    }
    stage_end(&s);
}

/* A stable actor's runs have one number; the mark is of one of them. */
static void test_the_next_run_of_a_stable_actor_is_not_marked(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    stage s;
    gr_pid pid;
    gr_ref ref;
    const gr_behavior late = {.name = "late",
                              .receive = leave_late,
                              .limits = {.handler_max_ms = LIMIT_MS}};
    gr_spawn_opts opts = {.monitor = &ref, .stable = true};
    hanger_begin(&s,
                 (gr_system_opts){.workers = 1, .turn_warn_ms = GR_FOREVER});
    CHECK_RC(gr_spawn(s.self, &late, &opts, &pid), 0);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        CHECK_RC(gr_send(s.self, pid, "go"), 0);
        hanger_wait_sem(&hanger_entered);
        hanger_wait_until(&s, has_deadlines, round);
        hanger_release_blocked();
        check_end(&s, ref, GR_EXIT_ERROR, GR_EUSER - 1, "receive");
        CHECK_RC(gr_revive(s.self, pid, &opts), 0);
        CHECK_RC(gr_kill(s.self, pid), 0);
        check_end(&s, ref, GR_EXIT_KILLED, 0, "");
        CHECK_RC(gr_revive(s.self, pid, &opts), 0);
    }
    stage_end(&s);
}

/* A turn of callbacks that are each shorter than the limit, and together much
 * longer. A machine that stalls may make one of them as long as the limit: so
 * they are timed, and that turn is no evidence. */
enum { FAIR_LIMIT_MS = 600, FAIR_MS = 60, FAST = 16, SLOW = 16 };

typedef struct fair_state {
    unsigned n;
    int64_t last_ns; /* when it was looked last */
} fair_state;

static int64_t fair_longest_ns; /* between two looks; read behind the end */

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t look(fair_state *f)
{
    const int64_t now = now_ns();
    if (f->last_ns != 0 && now - f->last_ns > fair_longest_ns) {
        fair_longest_ns = now - f->last_ns;
    }
    f->last_ns = now;
    return now;
}

static int take_a_while(gr_actor *self, void *state, const gr_msg *msg)
{
    fair_state *f = state;
    const int64_t until = look(f) + FAIR_MS * INT64_C(1000000);
    while (f->n >= FAST && now_ns() < until) {
    }
    ++f->n;
    (void)look(f);
    if (gr_match(msg, "leave")) {
        return gr_unhandled(self, msg);
    }
    return 0;
}

/* Whether it says anything: no callback was near the limit, and neither was the
 * time to the next one. */
static bool many_short_callbacks(bool leave)
{
    const gr_behavior fair = {.name = "fair",
                              .state_size = sizeof(fair_state),
                              .receive = take_a_while,
                              .limits = {.handler_max_ms = FAIR_LIMIT_MS}};
    stage s;
    gr_pid pid;
    gr_pid hanging;
    fair_longest_ns = 0;
    hanger_begin(&s,
                 (gr_system_opts){.workers = 1, .turn_warn_ms = FAIR_LIMIT_MS});
    /* So that all of them wait when the turn begins. */
    CHECK_RC(gr_spawn(s.self, &fair, NULL, &pid), 0);
    hanger_hang(&s, &hanging, 1, false);
    for (unsigned i = 0; i < FAST + SLOW; i++) {
        if (leave) {
            CHECK_RC(gr_send(s.self, pid, "leave"), 0);
        } else {
            CHECK_RC(gr_send(s.self, pid, "take"), 0);
        }
    }
    hanger_release_blocked();
    stage_end(&s); /* waits for all that came */
    if (fair_longest_ns >= FAIR_LIMIT_MS * INT64_C(1000000) / 2) {
        return false;
    }
    CHECK(!stage_logged(&s, "handler deadline ("));
    return true;
}

static void test_many_short_callbacks_are_not_a_long_one(void **state)
{
    (void)state;
    while (!many_short_callbacks(false)) {
    }
    while (!many_short_callbacks(true)) {
    }
}

static void test_deterministic_systems_have_no_deadlines(void **state)
{
    (void)state;
    const gr_behavior b = {.name = "b",
                           .handlers = hanger_handlers,
                           .limits = {.handler_max_ms = 1}};
    stage s;
    gr_pid pid;
    stage_start(&s, 5, NULL);
    CHECK_RC(gr_spawn(s.self, &b, NULL, &pid), 0);
    hanger_check_echo(&s, pid);
    CHECK_INT(stage_stats(&s).deadlines, 0);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_callback_beyond_its_deadline_ends_its_actor),
        cmocka_unit_test(
            test_the_callbacks_before_it_count_and_terminate_is_called),
        cmocka_unit_test(test_an_actor_with_an_empty_mailbox_ends_too),
        cmocka_unit_test(test_the_next_actor_in_the_slot_is_not_marked),
        cmocka_unit_test(test_the_next_run_of_a_stable_actor_is_not_marked),
        cmocka_unit_test(test_many_short_callbacks_are_not_a_long_one),
        cmocka_unit_test(test_deterministic_systems_have_no_deadlines),
    };
    return cmocka_run_group_tests_name("actors/deadline", tests, NULL, NULL);
}
