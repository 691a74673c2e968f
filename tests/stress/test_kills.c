/*
 * Goal:   a kill reaches its actor whatever that does: running, waiting, or
 *         suspended for a receiver that cannot follow.
 * Method: one by one in virtual time, where a sender is killed in the turn that
 *         suspends it; then a storm of kills on real threads against senders
 *         that flood a slow receiver.
 */
#include "tests/stress/stress.h"

/* ---- a flood, and a kill in the same turn -----------------------------------
 */

enum { FLOOD = 3000 };

static int flood_and_die(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    for (int i = 0; i < FLOOD; i++) {
        GR_TRY(gr_send(self, gr_sender(msg), "drop", i));
    }
    return gr_kill(self, gr_self(self));
}

static void who_is_killed_is_not_suspended_any_more(void **state)
{
    (void)state;
    static const gr_behavior flooder = {.name = "flooder",
                                        .receive = flood_and_die};
    gr_system *sys = NULL;
    gr_actor *self = NULL;
    gr_pid pid;
    gr_stats stats;
    assert_int_equal(
        gr_system_start(&(gr_system_opts){.seed = 1, .mailbox_soft = 10}, &sys),
        0);
    assert_int_equal(gr_thread_attach(sys, NULL, &self), 0);
    assert_int_equal(gr_spawn(self, &flooder, NULL, &pid), 0);
    assert_int_equal(gr_send(self, pid, "go"), 0);
    /* We receive nothing, so nothing but the kill lets it go. */
    (void)gr_sim_settle(sys);
    gr_system_stats(sys, &stats);
    assert_int_equal(stats.exited, 1);
    assert_int_equal(stats.failed, 1);
    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(sys, 1000), 0);
}

/* ---- the storm ---- */

enum { SENDERS = 16, ROUNDS = 60, BURST = 200 };

static int sink_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    uint64_t *sum = state;
    if (!gr_match(msg, "drop", &(uint64_t){0})) {
        return gr_unhandled(self, msg);
    }
    for (unsigned i = 0; i < 50; i++) {
        (void)stress_random(sum);
    }
    return 0;
}

static int sink_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)self;
    (void)args;
    *(uint64_t *)state = 1;
    return 0;
}

static const gr_behavior sink = {.name = "sink",
                                 .state_size = sizeof(uint64_t),
                                 .init = sink_init,
                                 .receive = sink_receive,
                                 .mailbox = {.soft = 20, .hard = 1000000}};

/* Floods for ever: each burst ends in a message to itself. */
static int source_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid *to = state;
    if (!gr_match(msg, "flood", to)) {
        return gr_unhandled(self, msg);
    }
    for (uint64_t i = 0; i < BURST; i++) {
        GR_TRY(gr_send(self, *to, "drop", i));
    }
    return gr_send(self, gr_self(self), "flood", *to);
}

static const gr_behavior source = {
    .name = "source", .state_size = sizeof(gr_pid), .receive = source_receive};

static void start_source(stress *s, gr_pid to, gr_pid *out, gr_ref *ref)
{
    assert_int_equal(
        gr_spawn(s->self, &source, &(gr_spawn_opts){.monitor = ref}, out), 0);
    assert_int_equal(gr_send(s->self, *out, "flood", to), 0);
}

static void each_kill_of_a_suspended_sender_counts(void **state)
{
    (void)state;
    stress s;
    gr_pid sinks[2];
    gr_pid sources[SENDERS];
    gr_ref refs[SENDERS];
    uint64_t random = 7;
    stress_start(&s, NULL);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(gr_spawn(s.self, &sink, NULL, &sinks[i]), 0);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        start_source(&s, sinks[i % 2], &sources[i], &refs[i]);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned killed = (unsigned)(stress_random(&random) % SENDERS);
        assert_int_equal(gr_kill(s.self, sources[killed]), 0);
        gr_pid from = GR_NOBODY;
        gr_ref ref = {0};
        gr_exit_reason why = {.kind = GR_EXIT_NORMAL};
        assert_true(gr_match_down(stress_next(&s), &ref, &from, &why));
        assert_int_equal(why.kind, GR_EXIT_KILLED);
        assert_true(gr_pid_eq(from, sources[killed]));
        assert_true(ref.id == refs[killed].id);
        start_source(&s, sinks[killed % 2], &sources[killed], &refs[killed]);
    }
    gr_stats stats;
    gr_system_stats(s.sys, &stats);
    assert_true(stats.slowed > 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(gr_kill(s.self, sources[i]), 0);
        assert_true(gr_match_down(stress_next(&s), &(gr_ref){0},
                                  &(gr_pid){0, 0}, &(gr_exit_reason){0}));
    }
    stress_settle(&s, 2, &stats);
    assert_int_equal(stats.failed, SENDERS + ROUNDS);
    stress_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_killed_is_not_suspended_any_more),
        cmocka_unit_test(each_kill_of_a_suspended_sender_counts),
    };
    return cmocka_run_group_tests_name("stress/kills", tests, NULL, NULL);
}
