/* Children whose address and mailbox outlive their runs. Deterministic systems,
 * many seeds each. */
#include "tests/supervisor/fixture.h"

/* Asks a part of that address who it is. */
static int ask_who(gr_actor *self, gr_pid a)
{
    gr_str who;
    int64_t extra;

    return gr_call(self, a, ASK_MS, gr_expect("who", &who, &extra), "who");
}

/* Waits for the end that a monitor tells. */
static gr_exit_kind down_of(gr_actor *self, gr_ref ref)
{
    for (;;) {
        const gr_msg *msg;
        gr_exit_reason why;
        gr_ref of;

        CHECK_RC(gr_receive(self, ASK_MS, &msg), 0);
        if (gr_match_down(msg, &of, NULL, &why) && of.id == ref.id) {
            return why.kind;
        }
    }
}

static void waits(gr_actor *self)
{
    const gr_child children[] = {
        PART_WITH("a", .stable = true, .name = "it"), PART("b"), {0}};
    gr_supervisor spec = {.restarts_max = 10, .children = children};
    gr_ref ref;
    gr_pid named;

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    EXPECT("+a+b");
    for (unsigned i = 0; i < 5; i++) {
        CHECK_RC(gr_monitor(self, a, &ref), 0);
        CHECK_RC(gr_send(self, a, "crash"), 0);
        CHECK_RC(ask_who(self, a), 0);
        EXPECT("!a+a");
        CHECK(down_of(self, ref) == GR_EXIT_ERROR);
        CHECK(gr_pid_eq(pid_of(self, sup, "a"), a));
        CHECK_RC(gr_whereis(self, GR_HERE, "it", &named), 0);
        CHECK(gr_pid_eq(named, a));
    }
    crash(self, sup, "b");
    EXPECT("!b+b");
    stop(self, sup);
    EXPECT("-b-a");
    CHECK_RC(ask_who(self, a), GR_ENOPROC);
}

static void what_is_sent_during_a_restart_waits(void **state)
{
    (void)state;
    on_each_seed(waits);
}

/* Tries that fail, and delays between them. */
static void waits_longer(gr_actor *self)
{
    const gr_child children[] = {
        PART_WITH("a", .stable = true, .backoff = {.first_ms = 1000}), {0}};
    gr_supervisor spec = {.restarts_max = 10, .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    init_failures['a'] = 3;
    CHECK_RC(gr_send(self, a, "crash"), 0);
    int64_t began = now_ms(self);
    CHECK_RC(ask_who(self, a), 0);
    EXPECT("+a!a*a*a*a+a");
    CHECK(now_ms(self) - began > 3000);
    stop(self, sup);
    EXPECT("-a");
}

static void it_waits_from_one_try_to_the_next(void **state)
{
    (void)state;
    on_each_seed(waits_longer);
}

/* The message that kills: its asker hears of it, and the others are served. */
static void poison(gr_actor *self)
{
    const gr_child children[] = {
        PART_WITH("a", .stable = true, .poison_after = 2), {0}};
    gr_supervisor spec = {.restarts_max = 10, .children = children};
    gr_stats stats;

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    CHECK_RC(gr_call(self, a, ASK_MS, gr_expect("crash"), "crash"), GR_ENOPROC);
    CHECK_RC(ask_who(self, a), 0);
    EXPECT("+a!a+a!a+a");
    gr_system_stats(gr_system_of(self), &stats);
    CHECK(stats.poisoned == 1);
    stop(self, sup);
    EXPECT("-a");
}

static void the_message_that_it_fails_on_is_set_aside(void **state)
{
    (void)state;
    on_each_seed(poison);
}

/* Stopped and started with its group. */
static void in_a_group(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_WITH("b", .stable = true), PART("c"), {0}};
    gr_supervisor spec = {.strategy = GR_ONE_FOR_ALL, .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid b = pid_of(self, sup, "b");
    gr_pid c = pid_of(self, sup, "c");
    EXPECT("+a+b+c");
    crash(self, sup, "a");
    EXPECT("!a-c-b+a+b+c");
    CHECK(gr_pid_eq(pid_of(self, sup, "b"), b));
    CHECK(!gr_pid_eq(pid_of(self, sup, "c"), c));
    CHECK_RC(ask_who(self, b), 0);
    stop(self, sup);
    EXPECT("-c-b-a");
}

static void it_keeps_its_address_when_its_group_restarts(void **state)
{
    (void)state;
    on_each_seed(in_a_group);
}

/* Two of a group end at the same time: one is asked to stop when it is dead
 * already, and its next run is not asked. */
static void fall_together(gr_actor *self)
{
    const gr_child children[] = {
        PART_WITH("a", .stable = true), PART_WITH("b", .stable = true), {0}};
    gr_supervisor spec = {
        .strategy = GR_ONE_FOR_ALL, .restarts_max = 1, .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    gr_pid b = pid_of(self, sup, "b");
    EXPECT("+a+b");
    CHECK_RC(gr_send(self, a, "crash"), 0);
    CHECK_RC(gr_send(self, b, "crash"), 0);
    CHECK_RC(ask_who(self, a), 0);
    CHECK_RC(ask_who(self, b), 0);
    settle(self);
    CHECK(strncmp(journal, "!a", 2) == 0 || strncmp(journal, "!b", 2) == 0);
    journal[1] = 'x';
    journal[3] = 'x';
    EXPECT("!x!x+a+b");
    CHECK(gr_pid_eq(pid_of(self, sup, "b"), b));
    stop(self, sup);
    EXPECT("-b-a");
}

static void a_stop_that_came_too_late_ends_no_later_run(void **state)
{
    (void)state;
    on_each_seed(fall_together);
}

/* ---- the end ------------------------------------------------------------- */

static void ends_for_good(gr_actor *self)
{
    const gr_child children[] = {
        PART_WITH("a", .stable = true, .restart = GR_TRANSIENT),
        PART_WITH("b", .stable = true, .restart = GR_TEMPORARY),
        PART_WITH("c", .stable = true),
        {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    gr_pid b = pid_of(self, sup, "b");
    gr_pid c = pid_of(self, sup, "c");
    CHECK_RC(gr_send(self, a, "end"), 0);
    CHECK_RC(ask_who(self, a), GR_ENOPROC);
    CHECK_RC(gr_send(self, b, "crash"), 0);
    CHECK_RC(ask_who(self, b), GR_ENOPROC);
    EXPECT("+a+b+c-a!b");
    /* Stopped by hand, and started again: another address. */
    CHECK_RC(gr_terminate_child(self, sup, "c"), 0);
    CHECK_RC(ask_who(self, c), GR_ENOPROC);
    CHECK_RC(gr_restart_child(self, sup, "c", &b), 0);
    CHECK(!gr_pid_eq(b, c));
    CHECK_RC(ask_who(self, b), 0);
    CHECK_RC(gr_restart_child(self, sup, "a", &b), 0);
    CHECK(!gr_pid_eq(b, a));
    EXPECT("-c+c+a");
    stop(self, sup);
    EXPECT("-c-a");
}

static void who_stays_down_is_given_up(void **state)
{
    (void)state;
    on_each_seed(ends_for_good);
}

static void gives_up(gr_actor *self)
{
    const gr_child children[] = {PART_WITH("a", .stable = true), {0}};
    gr_supervisor spec = {.restarts_max = 1, .children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    CHECK_RC(gr_send(self, a, "crash"), 0);
    CHECK_RC(gr_send(self, a, "crash"), 0);
    CHECK_RC(ask_who(self, a), GR_ENOPROC);
    CHECK(gave_up(end_of(self, sup)));
    EXPECT("+a!a+a!a");
    /* A supervisor that is killed cannot give up anybody. */
    sup = supervise(self, &spec);
    a = pid_of(self, sup, "a");
    CHECK_RC(gr_send(self, a, "crash"), 0);
    CHECK_RC(gr_kill(self, sup), 0);
    CHECK_RC(ask_who(self, a), GR_ENOPROC);
    CHECK(end_of(self, sup).kind == GR_EXIT_KILLED);
}

static void it_ends_with_its_supervisor(void **state)
{
    (void)state;
    on_each_seed(gives_up);
}

/* While one that comes between waits for its delay. */
static void stops_between(gr_actor *self)
{
    const gr_child children[] = {
        PART_WITH("a", .stable = true, .backoff = {.first_ms = 10000}), {0}};
    gr_supervisor spec = {.children = children};

    gr_pid sup = supervise(self, &spec);
    gr_pid a = pid_of(self, sup, "a");
    CHECK_RC(gr_send(self, a, "crash"), 0);
    settle(self);
    CHECK_RC(gr_send(self, a, "end"), 0);
    stop(self, sup);
    EXPECT("+a!a");
    CHECK_RC(ask_who(self, a), GR_ENOPROC);
}

static void a_stop_between_two_runs_gives_it_up(void **state)
{
    (void)state;
    on_each_seed(stops_between);
}

/* ---- others -------------------------------------------------------------- */

static void at_run_time(gr_actor *self)
{
    const gr_child children[] = {
        PART_WITH("a", .stable = true, .restart = GR_TRANSIENT), {0}};
    gr_supervisor spec = {.strategy = GR_SIMPLE_ONE_FOR_ONE,
                          .restarts_max = 100,
                          .children = children};
    gr_pid pids[5];

    gr_pid sup = supervise(self, &spec);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_RC(gr_start_child(self, sup, gr_args(0, (int64_t)i), &pids[i]),
                 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        CHECK_RC(gr_send(self, pids[i], "crash"), 0);
        CHECK_RC(ask_who(self, pids[i]), 0);
    }
    EXPECT("+a+a+a+a+a!a+a!a+a!a+a!a+a!a+a");
    CHECK_RC(gr_send(self, pids[2], "end"), 0);
    CHECK_RC(ask_who(self, pids[2]), GR_ENOPROC);
    CHECK_RC(gr_terminate_child_pid(self, sup, pids[3]), 0);
    CHECK_RC(ask_who(self, pids[3]), GR_ENOPROC);
    stop(self, sup);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_RC(ask_who(self, pids[i]), GR_ENOPROC);
    }
}

static void children_of_run_time_may_be_stable(void **state)
{
    (void)state;
    on_each_seed(at_run_time);
}

static void wrong(gr_actor *self)
{
    const char *const nodes[] = {"n", NULL};
    const gr_child far[] = {PART_WITH("a", .stable = true, .nodes = nodes),
                            {0}};
    const gr_child plain[] = {PART_WITH("a", .poison_after = 2), {0}};
    gr_pid sup;

    CHECK_RC(gr_supervise(self, &(gr_supervisor){.children = far}, &sup),
             GR_EINVAL);
    CHECK_RC(gr_supervise(self, &(gr_supervisor){.children = plain}, &sup),
             GR_EINVAL);
}

static void a_wrong_spec_is_refused(void **state)
{
    (void)state;
    on_each_seed(wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_during_a_restart_waits),
        cmocka_unit_test(it_waits_from_one_try_to_the_next),
        cmocka_unit_test(the_message_that_it_fails_on_is_set_aside),
        cmocka_unit_test(it_keeps_its_address_when_its_group_restarts),
        cmocka_unit_test(a_stop_that_came_too_late_ends_no_later_run),
        cmocka_unit_test(who_stays_down_is_given_up),
        cmocka_unit_test(it_ends_with_its_supervisor),
        cmocka_unit_test(a_stop_between_two_runs_gives_it_up),
        cmocka_unit_test(children_of_run_time_may_be_stable),
        cmocka_unit_test(a_wrong_spec_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
