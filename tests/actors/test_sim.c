/* tests/actors/test_sim.c - deterministic mode: equal seeds, equal runs. */
#include "tests/support/stage.h"

enum { PUPPETS = 6, STEPS = 20 };

/* Passes on to a neighbour; who comes first is the scheduler's choice. */
static int chat(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int64_t left;
    CHECK(gr_match(msg, "chat", &left));
    stage_note(p->on, "%c%" PRId64, p->letter, left);
    return left > 0 ? gr_send(self, p->peer, "chat", left - 1) : 0;
}

static int be_chatty(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = chat;
    GR_TRY(gr_after(self, 5, NULL, "chat", 2));
    return gr_send(self, p->peer, "chat", STEPS);
}

/* Plays the same scene; what was seen goes to story. */
static uint64_t play(uint64_t seed, char *story, size_t size)
{
    stage s;
    gr_pid pid[PUPPETS];
    stage_start(&s, seed, NULL);
    for (unsigned i = 0; i < PUPPETS; i++) {
        pid[i] = stage_puppet(&s, (char)('a' + i));
    }
    for (unsigned i = 0; i < PUPPETS; i++) {
        CHECK_RC(gr_send(s.self, pid[i], "puppet.do_to",
                         (uint64_t)(uintptr_t)be_chatty,
                         pid[(i + 1) % PUPPETS]),
                 0);
    }
    gr_sim_advance(s.sys, 100);
    uint64_t trace = gr_sim_trace(s.sys);
    (void)snprintf(story, size, "%s", s.journal);
    stage_end(&s);
    return trace;
}

static void test_equal_seeds_give_equal_runs(void **state)
{
    (void)state;
    static char first[8192];
    static char again[8192];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t a = play(seed, first, sizeof first);
        uint64_t b = play(seed, again, sizeof again);
        assert_true(a == b);
        assert_string_equal(first, again);
    }
}

static void test_other_seeds_give_other_orders(void **state)
{
    (void)state;
    static char story[20][8192];
    uint64_t trace[20];
    unsigned other_orders = 0;
    unsigned other_traces = 0;
    for (unsigned i = 0; i < 20; i++) {
        trace[i] = play(i + 1, story[i], sizeof story[i]);
        other_orders += strcmp(story[i], story[0]) != 0;
        other_traces += trace[i] != trace[0];
        assert_true(strlen(story[i]) > 100);
    }
    assert_int_equal(other_orders, 19);
    assert_int_equal(other_traces, 19);
}

static int after_10(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    return gr_after(self, 10, NULL, "tick");
}

static void scene_step(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_tell(s->self, a, "one");
    CHECK(gr_sim_step(s->sys)); /* one turn of the only actor */
    stage_expect(s, "+a a:one");
    CHECK(!gr_sim_step(s->sys));
    CHECK_INT(gr_sim_now_ms(s->sys), 0);
    gr_tell(s->self, a, "puppet.do", (uint64_t)(uintptr_t)after_10);
    CHECK(gr_sim_step(s->sys));
    CHECK_INT(gr_sim_now_ms(s->sys), 0);
    CHECK(gr_sim_step(s->sys)); /* the clock goes to the timer, and fires it */
    CHECK_INT(gr_sim_now_ms(s->sys), 10);
    CHECK(gr_sim_step(s->sys));
    stage_expect(s, "a:tick");
    CHECK(!gr_sim_step(s->sys));
    CHECK_INT(gr_sim_now_ms(s->sys), 10);
}

static void test_a_step_is_a_turn_or_a_move_of_the_clock(void **state)
{
    (void)state;
    stage_each_seed(scene_step, NULL);
}

static void scene_settle(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_tell(s->self, a, "puppet.do", (uint64_t)(uintptr_t)after_10);
    CHECK(gr_sim_settle(s->sys) >= 1);
    CHECK_INT(gr_sim_settle(s->sys), 0);
    stage_expect(s, "+a");
    CHECK_INT(gr_sim_now_ms(s->sys), 0); /* the clock stands still */
    gr_sim_advance(s->sys, 9);
    CHECK_INT(gr_sim_now_ms(s->sys), 9);
    stage_expect(s, "");
    gr_sim_advance(s->sys, 5);
    CHECK_INT(gr_sim_now_ms(s->sys), 14);
    CHECK_INT(gr_now_ms(s->self), 14);
    stage_expect(s, "a:tick");
}

static void test_settle_and_advance(void **state)
{
    (void)state;
    stage_each_seed(scene_settle, NULL);
}

static void scene_waits_drive(stage *s)
{
    const gr_msg *msg;
    gr_pid a = stage_puppet(s, 'a');
    gr_tell(s->self, a, "puppet.do", (uint64_t)(uintptr_t)after_10);
    CHECK_RC(gr_sleep(s->self, 20), 0);
    stage_expect(s, "+a a:tick");
    /* Where nothing is left to happen, a wait without an end ends. */
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), GR_ETIMEOUT);
    CHECK_INT(gr_now_ms(s->self), 20);
}

static void test_waits_drive_the_system(void **state)
{
    (void)state;
    stage_each_seed(scene_waits_drive, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_seeds_give_equal_runs),
        cmocka_unit_test(test_other_seeds_give_other_orders),
        cmocka_unit_test(test_a_step_is_a_turn_or_a_move_of_the_clock),
        cmocka_unit_test(test_settle_and_advance),
        cmocka_unit_test(test_waits_drive_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
