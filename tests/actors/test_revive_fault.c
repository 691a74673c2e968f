/*
 * tests/actors/test_revive_fault.c - stable actors whose runs end by faults of
 * their own code.
 *
 * Goal:   a fault is a failure as any other: what waits is for the next run,
 *         the message in hand comes again as often as was said, wherever it
 *         stood, and whatever the fault left behind is freed.
 * Method: real workers, as only those trap; faults in a handler (of a message
 *         from the inbox, and of one that is given again), in init, in
 *         terminate, and in a hook.
 */
#include "tests/support/faults.h"
#include "tests/support/stage.h"

#define ROUNDS UINT64_C(50)

typedef enum place {
    IN_HANDLER,
    IN_INIT,
    IN_TERMINATE,
    IN_HOOK,
    IN_KILLED_HOOK,
    PLACES
} place;

struct victim {
    uint64_t place; /* where this run faults; PLACES: nowhere */
};

static void fault_hook(void *arg)
{
    (void)arg;
    fault_now(FAULT_WRITE_NULL);
}

static int victim_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct victim *v = state;
    if (!gr_unpack(args, &v->place)) {
        return GR_EINVAL;
    }
    if (v->place == IN_INIT) {
        fault_now(FAULT_WRITE_NULL);
    }
    return v->place == IN_HOOK || v->place == IN_KILLED_HOOK
               ? gr_on_exit(self, fault_hook, NULL)
               : 0;
}

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const struct victim *v = state;
    if (gr_match(msg, "fault")) {
        if (v->place == IN_HANDLER) {
            fault_now(FAULT_WRITE_NULL);
        }
        return v->place == PLACES ? 0 : GR_EFAIL;
    }
    return gr_match(msg, "ask") ? gr_reply(self, msg, "answer")
                                : gr_unhandled(self, msg);
}

static void victim_terminate(gr_actor *self, void *state,
                             const gr_exit_reason *why)
{
    const struct victim *v = state;
    (void)self, (void)why;
    if (v->place == IN_TERMINATE) {
        fault_now(FAULT_WRITE_NULL);
    }
}

static const gr_behavior victim = {
    .name = "victim",
    .state_size = sizeof(struct victim),
    .init = victim_init,
    .receive = victim_receive,
    .terminate = victim_terminate,
};

static void wait_down(stage *s, gr_ref ref)
{
    const gr_msg *msg;
    gr_ref of = {0};
    do {
        assert_int_equal(gr_receive(s->self, GR_FOREVER, &msg), 0);
    } while (!gr_match_down(msg, &of, NULL, NULL) || of.id != ref.id);
}

static gr_ref run(stage *s, gr_pid *pid, uint64_t where)
{
    gr_ref ref = {0};
    gr_spawn_opts opts = {.args = gr_args(where),
                          .monitor = &ref,
                          .stable = true,
                          .poison_after = 3,
                          .name = "victim"};
    assert_int_equal(gr_pid_is_nobody(*pid)
                         ? gr_spawn(s->self, &victim, &opts, pid)
                         : gr_revive(s->self, *pid, &opts),
                     0);
    return ref;
}

/* Three runs fail on one message, twice where it is given again; the fourth
 * finds what waits behind it. */
static void fail_in(stage *s, gr_pid *pid, place where)
{
    gr_pid named;
    gr_ref ref = run(s, pid, where);
    assert_int_equal(gr_send(s->self, *pid, "fault"), 0);
    if (where == IN_KILLED_HOOK) {
        assert_int_equal(gr_kill(s->self, *pid), 0);
    }
    wait_down(s, ref);
    for (unsigned i = 0; i < 2; i++) {
        ref = run(s, pid, where);
        wait_down(s, ref);
    }
    ref = run(s, pid, PLACES);
    assert_int_equal(
        gr_call(s->self, *pid, GR_FOREVER, gr_expect("answer"), "ask"), 0);
    assert_int_equal(gr_whereis(s->self, GR_HERE, "victim", &named), 0);
    assert_true(gr_pid_eq(named, *pid));
    assert_int_equal(gr_stop(s->self, *pid), 0);
    wait_down(s, ref);
}

static void a_fault_is_a_failure_as_any_other(void **state)
{
    (void)state;
    if (!fault_is_possible(FAULT_WRITE_NULL)) {
        skip();
    }
    stage s;
    gr_pid pid = GR_NOBODY;
    stage_start(&s, 0, NULL);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        for (place where = 0; where < PLACES; where++) {
            fail_in(&s, &pid, where);
        }
    }
    gr_stats stats = stage_stats(&s);
    /* In init it is no message's fault, and the message was handled by the last
     * run. A kill is none's either, but may come after the message. */
    assert_true(stats.poisoned >= ROUNDS * 2);
    assert_true(stats.poisoned <= ROUNDS * 4);
    assert_true(stats.trapped >= ROUNDS * 3 * 3);
    assert_int_equal(stats.dead_letters, stats.poisoned);
    assert_int_equal(gr_give_up(s.self, pid), 0);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_is_a_failure_as_any_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
