/*
 * Goal:   under load, SIGKILL to a child node, to several, to the launcher, or
 *         to both is an end like any other: the supervisor restarts what ended
 *         and nothing else, traffic flows again, and nothing is left at the
 * end. Method: this program is its own child. What has to come is waited for;
 *         nothing is timed. KILL_ROUNDS says how often.
 */
#include <fcntl.h>

#include "tests/process/storm.h"

enum { ROUNDS = 16, ENDLESS = 1000000 };

/* Waits for traffic over each node that is there. */
static void await_flow(gr_actor *self, storm *s)
{
    bool flows[STORM_NODES] = {false};
    int left = STORM_NODES;
    while (left > 0) {
        const gr_msg *msg;
        gr_pid echo;
        next_message(self, &msg);
        if (!gr_match(msg, "flows", &echo)) {
            storm_note(self, s, msg);
            continue;
        }
        for (int i = 0; i < STORM_NODES; i++) {
            if (echo.node == s->nodes[i].id && !flows[i]) {
                flows[i] = true;
                left--;
            }
        }
    }
    assert_true(storm_all_up(s));
}

/* Waits until the nodes in `which` have been replaced, and have traffic. */
static void await_replaced(gr_actor *self, storm *s, unsigned which)
{
    gr_node old[STORM_NODES];
    memcpy(old, s->nodes, sizeof(old));
    bool flows[STORM_NODES];
    int left = 0;
    for (int i = 0; i < STORM_NODES; i++) {
        flows[i] = (which & (1U << i)) == 0;
        left += !flows[i];
    }
    while (left > 0) {
        const gr_msg *msg;
        gr_pid echo;
        next_message(self, &msg);
        if (!gr_match(msg, "flows", &echo)) {
            storm_note(self, s, msg);
            continue;
        }
        for (int i = 0; i < STORM_NODES; i++) {
            if (!flows[i] && echo.node == s->nodes[i].id &&
                echo.node != old[i].id) {
                flows[i] = true;
                left--;
            }
        }
    }
    for (int i = 0; i < STORM_NODES; i++) {
        if ((which & (1U << i)) == 0) { /* the others were left alone */
            assert_int_equal(s->nodes[i].id, old[i].id);
        }
    }
}

static int the_launcher(void)
{
    int pids[FOUND_MAX];
    int launchers = 0;
    (void)storm_processes(getpid(), pids, &launchers);
    assert_int_equal(launchers, 1);
    return pids[0];
}

enum { ALL = (1U << STORM_NODES) - 1 };

/* Kills something. Returns which nodes are to be replaced. */
static unsigned strike(gr_actor *self, const storm *s, int round)
{
    const int one = round % STORM_NODES;
    const int other = (round + 1) % STORM_NODES;
    const int pid = process_of(self, s->names[one]);
    switch (round % 4) {
    case 0:
        assert_int_equal(kill(pid, SIGKILL), 0);
        return 1U << one;
    case 1:
        assert_int_equal(kill(the_launcher(), SIGKILL), 0);
        return ALL;
    case 2:
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(kill(process_of(self, s->names[other]), SIGKILL), 0);
        return 1U << one | 1U << other;
    default: {
        const int launcher = the_launcher();
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(kill(launcher, SIGKILL), 0);
        return ALL;
    }
    }
}

static void what_is_killed_is_replaced_and_nothing_else(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    const int rounds = found_rounds(ROUNDS);
    storm s;
    gr_trap_exit(self, true); /* it is linked to us */
    assert_int_equal(storm_start(self, &s, ENDLESS), 0);
    await_flow(self, &s);

    for (int round = 0; round < rounds; round++) {
        await_replaced(self, &s, strike(self, &s, round));
    }

    /* One of each, and no more. */
    int pids[FOUND_MAX];
    int launchers = 0;
    assert_int_equal(storm_processes(getpid(), pids, &launchers),
                     STORM_NODES + 1);
    assert_int_equal(launchers, 1);
    gr_ref ref;
    assert_int_equal(gr_monitor(self, s.supervisor, &ref), 0);
    assert_int_equal(gr_stop(self, s.supervisor), 0);
    (void)await_down(self, ref);
    const int left = storm_processes(getpid(), pids, &launchers);
    assert_int_equal(left, launchers); /* no child */
}

static void too_many_deaths_end_the_supervisor(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    storm s;
    gr_trap_exit(self, true); /* it is linked to us */
    assert_int_equal(storm_start(self, &s, STORM_NODES - 1), 0);
    assert_int_equal(gr_monitor(self, s.supervisor, &ref), 0);
    await_flow(self, &s);

    /* All its children at once: one more than it forgives. */
    assert_int_equal(kill(the_launcher(), SIGKILL), 0);

    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_SHUTDOWN);
    assert_non_null(strstr(why.text, "more than "));
    int pids[FOUND_MAX];
    int launchers = 0;
    const int left = storm_processes(getpid(), pids, &launchers);
    assert_int_equal(left, launchers);
}

static void the_reason_is_sigkill_for_all(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref refs[2];
    enable(self);
    char name[64];
    (void)snprintf(name, sizeof(name), "storm-%d-a", getpid());
    (void)start(self, name, &refs[0]);
    (void)await_node(self, name, true);
    (void)snprintf(name, sizeof(name), "storm-%d-b", getpid());
    (void)start(self, name, &refs[1]);
    (void)await_node(self, name, true);

    assert_int_equal(kill(the_launcher(), SIGKILL), 0);

    bool got[2] = {false, false};
    while (!got[0] || !got[1]) {
        const gr_msg *msg;
        gr_ref ref;
        gr_exit_reason why;
        next_message(self, &msg);
        if (gr_match_down(msg, &ref, NULL, &why)) {
            const int i = ref.id == refs[1].id;
            assert_false(got[i]);
            got[i] = true;
            assert_int_equal(why.kind, GR_EXIT_SIGNAL);
            assert_int_equal(why.code, SIGKILL);
            assert_string_equal(why.text, "SIGKILL");
        }
    }
}

static int app(gr_actor *self, int argc, char **argv)
{
    (void)self;
    (void)argc;
    (void)argv;
    const struct CMUnitTest tests[] = {
        NODE_TEST(what_is_killed_is_replaced_and_nothing_else),
        NODE_TEST(too_many_deaths_end_the_supervisor),
        NODE_TEST(the_reason_is_sigkill_for_all),
    };
    return cmocka_run_group_tests_name("process/kill_storm", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return gr_main_with(argc, argv,
                        &(gr_main_opts){.app = app,
                                        .spawnable = storm_spawnable,
                                        .system.workers = 1});
}
