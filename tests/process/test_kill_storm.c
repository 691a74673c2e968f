/*
 * Goal:   under load, SIGKILL to a child node, to several, to the launcher, or
 *         to both in either order is an end like any other: the supervisor
 *         restarts what ended, once for each end, and nothing else; traffic
 *         flows again; and nothing is left, dead or alive, neither at the end
 *         nor while the launcher lives.
 * Method: this program is its own child. What has to come is waited for;
 *         nothing is timed. KILL_ROUNDS says how often.
 */
#include <fcntl.h>

#include "tests/process/storm.h"

#include "tests/process/blow.h"

enum { ROUNDS = 14, ENDLESS = 1000000, WAYS = 7 };

/* The process of that node is there, under a launcher that was not killed. */
static bool node_lives_on(gr_actor *self, const char *name, const blow *b)
{
    int pid = 0;
    return b->launcher == 0 ||
           (gr_child_node_process(self, name, &pid) == 0 && lives_on(pid, b));
}

/* All that had to be replaced is, and by what lives on. */
static bool is_settled(gr_actor *self, const storm *s, const storm *old,
                       const blow *b)
{
    if (!storm_all_flow(s)) {
        return false;
    }
    for (int i = 0; i < STORM_NODES; i++) {
        if ((b->which & (1U << i)) != 0 &&
            (s->nodes[i].id == old->nodes[i].id ||
             !node_lives_on(self, s->names[i], b))) {
            return false;
        }
    }
    return true;
}

static void await_replaced(gr_actor *self, storm *s, const storm *old,
                           const blow *b)
{
    while (!is_settled(self, s, old, b)) {
        const gr_msg *msg;
        next_message(self, &msg);
        storm_note(self, s, msg);
    }
    for (int i = 0; i < STORM_NODES; i++) {
        if ((b->which & (1U << i)) == 0) { /* the others were left alone */
            assert_int_equal(s->nodes[i].id, old->nodes[i].id);
        }
    }
}

/* Kills something. */
static blow strike(gr_actor *self, const storm *s, int round)
{
    const int i = (round + round / WAYS) % STORM_NODES;
    const int k = (i + 1) % STORM_NODES;
    const int pid = process_of(self, s->names[i]);
    const unsigned one = 1U << i;
    switch (round % WAYS) {
    case 0:
        strike_one(pid, SIGKILL);
        return (blow){.which = one};
    case 1:
        strike_one(pid, SIGKILL);
        strike_one(process_of(self, s->names[k]), SIGKILL);
        return (blow){.which = one | 1U << k};
    default:
        return strike_launcher(round % WAYS - 2, pid, one);
    }
}

/* One round: whatever ended was restarted once for each end. */
static void strike_and_await(gr_actor *self, storm *s, int round)
{
    const storm old = *s;
    uint64_t before[STORM_NODES];
    uint64_t now[STORM_NODES];
    get_restarts(self, s, before);
    const blow b = strike(self, &old, round);
    await_replaced(self, s, &old, &b);
    get_restarts(self, s, now);
    for (int i = 0; i < STORM_NODES; i++) {
        const uint64_t n = (b.which >> i & 1U) + (b.twice >> i & 1U);
        assert_in_range(now[i] - before[i], b.which >> i & 1U, n);
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

    left_behind seen = {.n = 0};
    for (int round = 0; round < rounds; round++) {
        strike_and_await(self, &s, round);
        left_look(&seen, getpid());
    }
    left_await_none(getpid());

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
