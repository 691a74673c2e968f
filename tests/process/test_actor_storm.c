/*
 * Goal:   under load, SIGKILL to the process of an actor, to several, to one
 *         that waits to be used, to the launcher, or to both in either order is
 *         an end like any other: the supervisor restarts what ended, once for
 *         each end, and nothing else; traffic flows again; and nothing is left,
 *         dead or alive, neither at the end nor while the launcher lives.
 * Method: this program is its own child. What has to come is waited for;
 *         nothing is timed. KILL_ROUNDS says how often.
 */
#include "tests/process/actor_storm.h"

#include "tests/process/blow.h"

enum { ROUNDS = 16, ENDLESS = 1000000, WAYS = 8 };

/* All that had to be replaced is, and by what lives on. */
static bool is_settled(const storm *s, const storm *old, const blow *b)
{
    if (!storm_all_flow(s)) {
        return false;
    }
    for (int i = 0; i < STORM_ACTORS; i++) {
        if ((b->which & (1U << i)) != 0 &&
            (gr_pid_eq(s->actors[i].pid, old->actors[i].pid) ||
             !lives_on(s->actors[i].process, b))) {
            return false;
        }
    }
    return true;
}

static void await_replaced(gr_actor *self, storm *s, const storm *old,
                           const blow *b)
{
    while (!is_settled(s, old, b)) {
        const gr_msg *msg;
        next_message(self, &msg);
        storm_note(self, s, msg);
    }
    for (int i = 0; i < STORM_ACTORS; i++) {
        if ((b->which & (1U << i)) == 0) { /* the others were left alone */
            assert_true(gr_pid_eq(s->actors[i].pid, old->actors[i].pid));
            assert_int_equal(s->actors[i].process, old->actors[i].process);
        } else {
            assert_int_not_equal(s->actors[i].process, old->actors[i].process);
        }
    }
}

/* ---- blows --------------------------------------------------------------- */

/* Kills whoever waits to be used, if somebody does at this moment. */
static void strike_warm(const storm *s)
{
    int pids[FOUND_MAX];
    int launchers = 0;
    const int n = storm_processes(getpid(), pids, &launchers);
    for (int i = launchers; i < n; i++) {
        bool used = false;
        for (int k = 0; k < STORM_ACTORS; k++) {
            used |= s->actors[k].process == pids[i];
        }
        if (!used) {
            (void)kill(pids[i], SIGKILL);
        }
    }
}

/* Kills something. */
static blow strike(const storm *s, int round)
{
    const int i = (round + round / WAYS) % STORM_ACTORS;
    const int k = (i + 1) % STORM_ACTORS;
    const int pid = s->actors[i].process;
    const unsigned one = 1U << i;
    switch (round % WAYS) {
    case 0:
        strike_one(pid, SIGKILL);
        return (blow){.which = one};
    case 1:
        strike_one(pid, SIGKILL);
        strike_one(s->actors[k].process, SIGKILL);
        return (blow){.which = one | 1U << k};
    case 2: /* what is started in its place may be what dies */
        strike_warm(s);
        strike_one(pid, SIGKILL);
        return (blow){.which = one, .twice = one};
    default:
        return strike_launcher(round % WAYS - 3, pid, one);
    }
}

/* One round: whatever ended was restarted once for each end. */
static void strike_and_await(gr_actor *self, storm *s, int round)
{
    const storm old = *s;
    uint64_t before[STORM_ACTORS];
    uint64_t now[STORM_ACTORS];
    get_restarts(self, s, before);
    const blow b = strike(&old, round);
    await_replaced(self, s, &old, &b);
    get_restarts(self, s, now);
    for (int i = 0; i < STORM_ACTORS; i++) {
        const uint64_t n = (b.which >> i & 1U) + (b.twice >> i & 1U);
        assert_in_range(now[i] - before[i], b.which >> i & 1U, n);
    }
}

static int descriptors(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has it */
    while (readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
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

    /* One of each, one that waits, and no more. */
    int pids[FOUND_MAX];
    int launchers = 0;
    (void)the_launcher();
    assert_in_range(storm_processes(getpid(), pids, &launchers),
                    STORM_ACTORS + 1, STORM_ACTORS + 2);
    gr_ref ref;
    assert_int_equal(gr_monitor(self, s.supervisor, &ref), 0);
    assert_int_equal(gr_stop(self, s.supervisor), 0);
    (void)await_down(self, ref);
    /* Who waits to be used does so until the end. */
    assert_in_range(storm_processes(getpid(), pids, &launchers), 1, 2);
}

static void too_many_deaths_end_the_supervisor(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    storm s;
    gr_trap_exit(self, true); /* it is linked to us */
    assert_int_equal(storm_start(self, &s, STORM_ACTORS - 1), 0);
    assert_int_equal(gr_monitor(self, s.supervisor, &ref), 0);
    await_flow(self, &s);

    /* All its children at once: one more than it forgives. */
    assert_int_equal(kill(the_launcher(), SIGKILL), 0);

    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_SHUTDOWN);
    assert_non_null(strstr(why.text, "more than "));
    /* None lives but one that may wait to be used. */
    int pids[FOUND_MAX];
    int launchers = 0;
    const int left = storm_processes(getpid(), pids, &launchers);
    assert_in_range(left - launchers, 0, 1);
}

static void the_reason_is_sigkill_for_all(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref refs[2];
    storm_name_program();
    for (int i = 0; i < 2; i++) {
        (void)spawn_with(self, &storm_echo,
                         (gr_spawn_opts){.args = gr_args(gr_self(self), i),
                                         .monitor = &refs[i],
                                         .ack = true});
        const gr_msg *msg;
        int which;
        int process;
        gr_pid pid;
        do {
            next_message(self, &msg);
        } while (!gr_match(msg, "up", &which, &pid, &process));
    }

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

/* Neither a process nor a descriptor is left of a system that had some. */
static void nothing_is_left_of_a_system(void **state)
{
    int before = 0;
    (void)state;
    for (int i = 0; i < WAYS; i++) {
        void *f = NULL;
        int pids[FOUND_MAX];
        int launchers = 0;
        storm s;
        assert_int_equal(setup(&f), 0);
        gr_actor *self = ((fixture *)f)->self;
        gr_trap_exit(self, true);
        assert_int_equal(storm_start(self, &s, ENDLESS), 0);
        await_flow(self, &s);
        strike_and_await(self, &s, i);
        assert_int_equal(teardown(&f), 0);
        assert_int_equal(storm_processes(getpid(), pids, &launchers), 0);
        if (i == 0) { /* what is opened once and for all, is open now */
            before = descriptors();
        }
        assert_int_equal(descriptors(), before);
    }
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(what_is_killed_is_replaced_and_nothing_else),
        ACTOR_TEST(too_many_deaths_end_the_supervisor),
        ACTOR_TEST(the_reason_is_sigkill_for_all),
        cmocka_unit_test(nothing_is_left_of_a_system),
    };
    return cmocka_run_group_tests_name("process/actor_storm", tests, NULL,
                                       NULL);
}
