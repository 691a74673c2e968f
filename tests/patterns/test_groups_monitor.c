/*
 * Goal:   a monitor of a group is told of all its members and of each change
 *         behind them, without a gap and nothing twice, also if it misses
 *         something; and nobody else can tell it.
 * Method: a thread actor drives members in a system with workers; and in
 *         deterministic mode, where the same happens for many seeds.
 */
#include "tests/patterns/known.h"
#include "tests/patterns/stage.h"

/* ---- monitors ----------------------------------------------------------- */

static void a_monitor_is_told_of_members_then_of_changes(void **state)
{
    (void)state;
    stage s;
    gr_ref ref;
    gr_ref other;
    open_stage(&s);
    assert_int_equal(gr_group_monitor(s.self, "g", &ref), 0);
    expect_event(s.self, ref, GR_GROUP_MEMBERS, GR_NOBODY);
    const gr_pid a = spawn_member(s.self, "g");
    expect_event(s.self, ref, GR_GROUP_JOINED, a);
    assert_int_equal(gr_group_monitor(s.self, "g", &other), 0);
    assert_int_not_equal(other.id, ref.id);
    expect_event(s.self, other, GR_GROUP_MEMBERS, a);
    assert_int_equal(gr_group_demonitor(s.self, ref), 0);
    assert_int_equal(gr_group_demonitor(s.self, ref), GR_ENOENT);
    const gr_pid b = spawn_member(s.self, "g");
    expect_event(s.self, other, GR_GROUP_JOINED, b);
    assert_int_equal(
        gr_call(s.self, a, LONG_MS, gr_expect("left"), "leave", "g"), 0);
    expect_event(s.self, other, GR_GROUP_LEFT, a);
    assert_int_equal(gr_kill(s.self, b), 0);
    expect_event(s.self, other, GR_GROUP_LEFT, b);
    end_and_wait(s.self, a);
    assert_true(nothing_waits(s.self));
    close_stage(&s);
}

static void nobody_else_can_make_an_event(void **state)
{
    (void)state;
    stage s;
    gr_actor *liar;
    gr_ref ref;
    open_stage(&s);
    assert_int_equal(gr_group_monitor(s.self, "g", &ref), 0);
    expect_event(s.self, ref, GR_GROUP_MEMBERS, GR_NOBODY);
    assert_int_equal(gr_thread_attach(s.sys, NULL, &liar), 0);
    assert_int_equal(gr_send(liar, gr_self(s.self), "gr.group", ref.id, 1u,
                             gr_list(gr_self(liar))),
                     0);
    assert_false(gr_match_group(s.self, next(s.self), NULL, NULL, NULL));
    gr_thread_detach(liar, 0);
    close_stage(&s);
}

static void take_next(gr_actor *self, known *k)
{
    gr_group_event event;
    gr_reader pids;
    assert_true(gr_match_group(self, next(self), NULL, &event, &pids));
    assert_true(take_event(k, event, pids));
}

/* A monitor whose mailbox is full is told all again, and has it right. */
static void a_monitor_that_was_full_is_told_all_again(void **state)
{
    (void)state;
    static known all, some;
    stage s;
    gr_actor *slow;
    gr_ref ref;
    gr_pid pid;
    gr_group_counts c;
    open_stage(&s);
    memset(&all, 0, sizeof all);
    memset(&some, 0, sizeof some);
    const gr_thread_opts opts = {.mailbox = {.soft = 1, .hard = 2}};
    assert_int_equal(gr_thread_attach_with(s.sys, &opts, &slow), 0);
    assert_int_equal(gr_group_monitor(slow, "g", &ref), 0);
    assert_int_equal(gr_group_monitor(s.self, "g", &ref), 0);
    const gr_spawn_opts how = {.args = gr_args(gr_self(s.self), "g")};
    for (uint32_t i = 0; i < MEMBERS; i++) {
        assert_int_equal(gr_spawn(s.self, &member_behavior, &how, &pid), 0);
        while (all.n <= i) {
            take_next(s.self, &all);
        }
    }
    assert_int_equal(gr_kill(s.self, pid), 0);
    while (all.n == MEMBERS) {
        take_next(s.self, &all);
    }
    assert_int_equal(gr_group_join(s.self, "g"), 0);
    while (all.n < MEMBERS) {
        take_next(s.self, &all);
    }
    /* So all but the last was told to the other one, too, or refused. */
    while (!some.told || some.n < MEMBERS || knows(&some, pid)) {
        take_next(slow, &some);
    }
    assert_true(knows(&some, gr_self(s.self)));
    assert_int_equal(gr_group_count(s.self, &c), 0);
    assert_true(c.resyncs > 0);
    gr_thread_detach(slow, 0);
    close_stage(&s);
}

static void a_large_group_is_told_in_parts(void **state)
{
    (void)state;
    stage s;
    gr_ref ref;
    gr_pid pid;
    gr_group_event event;
    gr_reader list;
    enum { MANY = 2 * (int)GR_GROUP_EVENT_MAX + 5 };
    /* So small that a thousand pids do not fit. */
    open_with(&s, &(gr_system_opts){.workers = 2,
                                    .message_max = 4000,
                                    .log_level = GR_LOG_ERROR});
    const gr_spawn_opts opts = {.args = gr_args(gr_self(s.self), "g")};
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(gr_spawn(s.self, &member_behavior, &opts, &pid), 0);
        sync_with(s.self, pid);
    }
    assert_int_equal(gr_group_monitor(s.self, "g", &ref), 0);
    uint32_t now = 0;
    for (int i = 0; now < MANY; i++) {
        assert_true(gr_match_group(s.self, next(s.self), NULL, &event, &list));
        assert_int_equal(event, i == 0 ? GR_GROUP_MEMBERS : GR_GROUP_JOINED);
        now += list.left;
    }
    assert_int_equal(now, MANY);
    close_stage(&s);
}

/* ---- deterministic mode ------------------------------------------------- */

static uint64_t play(uint64_t seed)
{
    stage s;
    gr_ref ref;
    gr_pid pids[MEMBERS];
    gr_group_event event;
    gr_reader list;
    int now = 0;
    open_with(&s, &(gr_system_opts){.seed = seed, .log_level = GR_LOG_ERROR});
    for (int i = 0; i < MEMBERS; i++) {
        const gr_spawn_opts opts = {.args = gr_args(gr_self(s.self), "g")};
        assert_int_equal(gr_spawn(s.self, &member_behavior, &opts, &pids[i]),
                         0);
        if (i == MEMBERS / 2) {
            assert_int_equal(gr_group_monitor(s.self, "g", &ref), 0);
        }
        if (i % 3 == 0) {
            assert_int_equal(gr_kill(s.self, pids[i]), 0);
        }
    }
    (void)gr_sim_settle(s.sys);
    while (!nothing_waits(s.self)) {
    }
    assert_int_equal(gr_group_monitor(s.self, "g", &ref), 0);
    assert_true(gr_match_group(s.self, next(s.self), NULL, &event, &list));
    now = (int)list.left;
    assert_int_equal(event, GR_GROUP_MEMBERS);
    assert_int_equal(now, count(s.self, "g"));
    assert_true(now <= MEMBERS - MEMBERS / 3 && now > 0);
    assert_int_equal(gr_group_publish(s.self, "g", GR_GROUP_ALL, "news", 1),
                     now);
    (void)gr_sim_settle(s.sys);
    const uint64_t trace = gr_sim_trace(s.sys);
    close_stage(&s);
    return trace;
}

static void equal_seeds_play_equally(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 32; seed++) {
        assert_true(play(seed) == play(seed));
    }
}

/* ---- told again while it changes ---------------------------------------- */

static int late_init(gr_actor *self, void *state, const gr_msg *args)
{
    int64_t ms;
    (void)state;
    if (!gr_unpack(args, &ms)) {
        return GR_EINVAL;
    }
    return ms > 0 ? gr_after(self, ms, NULL, "now") : gr_group_join(self, "g");
}

static int late_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_match(msg, "now") ? gr_group_join(self, "g")
                                : gr_unhandled(self, msg);
}

static const gr_behavior late = {
    .name = "late", .init = late_init, .receive = late_receive};

static void drain(gr_actor *self, known *k)
{
    const gr_msg *msg;
    gr_group_event event;
    gr_reader pids;
    while (gr_receive(self, 0, &msg) == 0) {
        assert_true(gr_match_group(self, msg, NULL, &event, &pids));
        assert_true(take_event(k, event, pids));
    }
}

/* Some join in the moment in which a monitor is told all again: they are among
 * all, or join behind, but not both. */
static void who_is_told_again_hears_nothing_twice(void **state)
{
    (void)state;
    static known k;
    enum { BOX = 8, LATE = 12, AGAIN_MS = 50 };
    for (uint64_t seed = 1; seed <= 64; seed++) {
        stage s;
        gr_actor *slow;
        gr_ref ref;
        const gr_thread_opts box = {.mailbox = {.soft = BOX, .hard = BOX}};
        open_with(&s,
                  &(gr_system_opts){.seed = seed, .log_level = GR_LOG_ERROR});
        memset(&k, 0, sizeof k);
        assert_int_equal(gr_thread_attach_with(s.sys, &box, &slow), 0);
        assert_int_equal(gr_group_monitor(slow, "g", &ref), 0);
        for (int64_t i = 0; i < BOX + LATE; i++) {
            /* Half of them at once: these are too many for its mailbox. */
            const gr_spawn_opts opts = {
                .args = gr_args(i < BOX ? 0 : AGAIN_MS - 1 + i % 3)};
            assert_int_equal(gr_spawn(s.self, &late, &opts, NULL), 0);
            (void)gr_sim_settle(s.sys);
        }
        drain(slow, &k);
        assert_true(k.n < BOX);
        for (int i = 0; i < 200; i++) {
            gr_sim_advance(s.sys, 1);
            drain(slow, &k);
        }
        assert_int_equal(k.n, BOX + LATE);
        gr_thread_detach(slow, 0);
        close_stage(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_monitor_is_told_of_members_then_of_changes),
        cmocka_unit_test(nobody_else_can_make_an_event),
        cmocka_unit_test(a_monitor_that_was_full_is_told_all_again),
        cmocka_unit_test(a_large_group_is_told_in_parts),
        cmocka_unit_test(equal_seeds_play_equally),
        cmocka_unit_test(who_is_told_again_hears_nothing_twice),
    };
    return cmocka_run_group_tests_name("patterns/groups_monitor", tests, NULL,
                                       NULL);
}
