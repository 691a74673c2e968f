/* Restarts that wait, and the breaker that is seen in it: first the pure half,
 * then in deterministic systems, where delays are exact. */
#include "tests/supervisor/fixture.h"

#include "supervisor/backoff.h"

/* ---- pure -------------------------------------------------------------------
 */

static void a_delay_grows_by_its_factor_up_to_its_maximum(void **state)
{
    static const struct {
        int64_t first, max;
        uint32_t factor, failures;
        int64_t delay;
    } rows[] = {
        {0, 0, 0, 1, 0},
        {10, 1000, 2, 1, 10},
        {10, 1000, 2, 2, 20},
        {10, 1000, 2, 7, 640},
        {10, 1000, 2, 8, 1000},
        {10, 1000, 2, UINT32_MAX, 1000},
        {10, 1000, 1, UINT32_MAX, 10},
        {10, 10, 7, 5, 10},
        {1, INT32_MAX, UINT32_MAX, 2, INT32_MAX},
        {INT32_MAX, INT32_MAX, UINT32_MAX, 3, INT32_MAX},
        {10, 1000, 10, 3, 1000},
        {10, 1001, 10, 3, 1000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gr_backoff b = {.first_ms = rows[i].first,
                        .max_ms = rows[i].max,
                        .factor = rows[i].factor};
        gri_rng rng = {1};
        assert_int_equal(gri_backoff_delay(&b, rows[i].failures, &rng),
                         rows[i].delay);
    }
}

static void jitter_only_makes_it_shorter_and_as_the_seed_says(void **state)
{
    gr_backoff b = {.first_ms = 1000, .max_ms = 1000, .factor = 2};
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    b.jitter = 25;
    gri_rng one = {7}, two = {7}, other = {8};
    int differ = 0;
    for (int i = 0; i < 10000; i++) {
        int64_t ms = gri_backoff_delay(&b, 1, &one);
        assert_int_equal(gri_backoff_delay(&b, 1, &two), ms);
        differ += gri_backoff_delay(&b, 1, &other) != ms;
        assert_in_range(ms, 750, 1000);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    assert_int_equal(least, 750);
    assert_int_equal(most, 1000);
    assert_true(differ > 9000);
}

static void failures_are_counted_until_a_run_has_lasted(void **state)
{
    gr_backoff b = {.first_ms = 10, .max_ms = 1000, .reset_ms = 500};
    gr_backoff none = {.first_ms = 0};

    (void)state;
    assert_int_equal(gri_backoff_failed(&b, 0, 0, 499), 1);
    assert_int_equal(gri_backoff_failed(&b, 4, 0, 499), 5);
    assert_int_equal(gri_backoff_failed(&b, 4, 0, 500), 1);
    assert_int_equal(gri_backoff_failed(&b, 4, -1, 500), 5);
    assert_int_equal(gri_backoff_failed(&b, UINT32_MAX, -1, 5), UINT32_MAX);
    assert_int_equal(gri_backoff_failed(&none, 4, 0, 1), 0);
}

static void the_breaker_follows_from_failures_and_waiting(void **state)
{
    static const struct {
        uint32_t open_after, failures;
        bool waits;
        int64_t started_ms;
        gr_breaker breaker;
    } rows[] = {
        {0, 100, true, -1, GR_BREAKER_CLOSED},
        {3, 2, true, -1, GR_BREAKER_CLOSED},
        {3, 3, true, -1, GR_BREAKER_OPEN},
        {3, 3, false, -1, GR_BREAKER_HALF_OPEN}, /* it starts */
        {3, 3, false, 501, GR_BREAKER_HALF_OPEN},
        {3, 3, false, 500, GR_BREAKER_CLOSED},
        {3, 0, false, 999, GR_BREAKER_CLOSED},
    };
    gr_backoff b = {.first_ms = 10, .max_ms = 1000, .reset_ms = 500};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        b.open_after = rows[i].open_after;
        assert_int_equal(gri_backoff_breaker(&b, rows[i].failures,
                                             rows[i].waits, rows[i].started_ms,
                                             1000),
                         rows[i].breaker);
    }
}

/* ---- in a supervisor
 * --------------------------------------------------------- */

#define SLOWLY                                                                 \
    .backoff = {.first_ms = 100,                                               \
                .max_ms = 400,                                                 \
                .jitter = GR_BACKOFF_EXACT,                                    \
                .reset_ms = 1000,                                              \
                .open_after = 2}

static gr_child_info info_of(gr_actor *self, gr_pid sup, const char *id)
{
    gr_child_info info = {.restarts = 99};

    CHECK_RC(gr_inspect_child(self, sup, id, &info), 0);
    return info;
}

static void advance(gr_actor *self, int64_t ms)
{
    gr_sim_advance(gr_system_of(self), ms);
}

static void growing(gr_actor *self)
{
    static const int64_t delays[] = {100, 200, 400, 400, 400};
    const gr_child children[] = {PART("a"), PART_WITH("b", SLOWLY), {0}};
    gr_pid sup = supervise(
        self, &(gr_supervisor){.restarts_max = 100, .children = children});

    EXPECT("+a+b");
    for (int i = 0; i < 5; i++) {
        crash(self, sup, "b");
        EXPECT("!b");
        gr_child_info info = info_of(self, sup, "b");
        CHECK(info.state == GR_CHILD_RESTARTING);
        CHECK(info.wait_ms == delays[i]);
        CHECK(info.failures == (uint32_t)i + 1);
        advance(self, delays[i] - 1);
        EXPECT("");
        CHECK(info_of(self, sup, "b").wait_ms == 1);
        advance(self, 1);
        EXPECT("+b");
        CHECK(info_of(self, sup, "b").restarts == (uint64_t)i + 1);
    }
    /* a has no back-off. */
    crash(self, sup, "a");
    EXPECT("!a+a");
    /* A run that lasted ends the row. */
    advance(self, 1000);
    crash(self, sup, "b");
    advance(self, 100);
    EXPECT("!b+b");
    stop(self, sup);
    EXPECT("-b-a");
}

static void the_restart_of_a_failing_child_waits(void **state)
{
    (void)state;
    on_each_seed(growing);
}

static void failing_init(gr_actor *self)
{
    const gr_child children[] = {PART_WITH("b", SLOWLY), {0}};
    gr_pid sup = supervise(
        self, &(gr_supervisor){.restarts_max = 100, .children = children});

    init_failures['b'] = 2;
    crash(self, sup, "b");
    advance(self, 99);
    EXPECT("+b!b");
    advance(self, 1);
    EXPECT("*b");
    advance(self, 199);
    EXPECT("");
    advance(self, 1);
    EXPECT("*b");
    advance(self, 399);
    EXPECT("");
    advance(self, 1);
    EXPECT("+b");
    stop(self, sup);
}

static void a_restart_that_fails_waits_too(void **state)
{
    (void)state;
    on_each_seed(failing_init);
}

static void intensity(gr_actor *self)
{
    const gr_child children[] = {PART_WITH("b", SLOWLY), {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.restarts_max = 3,
                                                  .period_ms = 10000,
                                                  .children = children});

    init_failures['b'] = 100;
    int64_t begin = now_ms(self);
    crash(self, sup, "b");
    CHECK(gave_up(end_of(self, sup)));
    /* The fourth restart is too many, and it is known when it is due. */
    CHECK(now_ms(self) - begin == 100 + 200 + 400 + 400);
    EXPECT("+b!b*b*b*b");
}

static void a_back_off_does_not_get_around_the_limit(void **state)
{
    (void)state;
    on_each_seed(intensity);
}

static void of_a_group(gr_actor *self)
{
    for (gr_strategy how = GR_ONE_FOR_ALL; how <= GR_REST_FOR_ONE; how++) {
        const gr_child children[] = {
            PART("a"),
            PART_WITH("b", SLOWLY),
            PART_AS(PART_SLOW, "c", .stop_max_ms = 1000),
            {0}};
        gr_pid sup = supervise(self, &(gr_supervisor){.strategy = how,
                                                      .restarts_max = 100,
                                                      .children = children});
        bool all = how == GR_ONE_FOR_ALL;
        EXPECT("+a+b+c");
        /* c takes 100 ms to stop, and the delay began before. */
        crash(self, sup, "b");
        advance(self, 0);
        EXPECT("!b");
        advance(self, 99);
        EXPECT("");
        advance(self, 1);
        EXPECT(all ? "-c-a+a+b+c" : "-c+b+c");

        /* Another failure on the way to its start. */
        init_failures['b'] = 1;
        crash(self, sup, "b");
        advance(self, 199);
        EXPECT(all ? "!b-c-a" : "!b-c");
        advance(self, 1);
        EXPECT(all ? "+a*b-a" : "*b"); /* nobody runs without b meanwhile */
        advance(self, 399);
        EXPECT("");
        advance(self, 1);
        EXPECT(all ? "+a+b+c" : "+b+c");
        stop(self, sup);
        EXPECT("-c-b-a");
    }
}

static void a_group_is_stopped_at_once_and_started_after_the_delay(void **state)
{
    (void)state;
    on_each_seed(of_a_group);
}

static void overtaken(gr_actor *self)
{
    const gr_child children[] = {
        PART("a"), PART_WITH("b", SLOWLY), PART("c"), {0}};
    gr_pid sup = supervise(self, &(gr_supervisor){.strategy = GR_REST_FOR_ONE,
                                                  .restarts_max = 100,
                                                  .children = children});

    crash(self, sup, "b");
    EXPECT("+a+b+c!b-c");
    crash(self, sup, "a");
    EXPECT("!a+a+b+c"); /* and the wait is over */
    advance(self, 1000);
    EXPECT("");
    stop(self, sup);
}

static void a_wait_is_overtaken_by_a_restart_of_its_group(void **state)
{
    (void)state;
    on_each_seed(overtaken);
}

static void stopped(gr_actor *self)
{
    const gr_child children[] = {PART("a"), PART_WITH("b", SLOWLY), {0}};
    gr_supervisor spec = {.restarts_max = 100, .children = children};

    gr_pid sup = supervise(self, &spec);
    crash(self, sup, "b");
    int64_t begin = now_ms(self);
    stop(self, sup);
    CHECK(now_ms(self) == begin);
    EXPECT("+a+b!b-a");

    /* And it can be terminated, started at once, and forgotten. */
    sup = supervise(self, &spec);
    crash(self, sup, "b");
    CHECK_RC(gr_terminate_child(self, sup, "b"), 0);
    advance(self, 1000);
    EXPECT("+a+b!b");
    CHECK_RC(gr_restart_child(self, sup, "b", NULL), 0);
    EXPECT("+b");
    stop(self, sup);
    EXPECT("-b-a");
}

static void a_stop_does_not_wait_for_it(void **state)
{
    (void)state;
    on_each_seed(stopped);
}

static void breaker(gr_actor *self)
{
    const gr_child children[] = {PART_WITH("b", SLOWLY), {0}};
    gr_pid sup = supervise(
        self, &(gr_supervisor){.restarts_max = 100, .children = children});
    gr_pid pid;

    CHECK(info_of(self, sup, "b").breaker == GR_BREAKER_CLOSED);
    crash(self, sup, "b");
    CHECK(info_of(self, sup, "b").breaker == GR_BREAKER_CLOSED);
    int64_t begin = now_ms(self);
    CHECK_RC(gr_child_pid(self, sup, "b", &pid), 0); /* so this waits */
    CHECK(now_ms(self) - begin == 100);
    crash(self, sup, "b");
    begin = now_ms(self);
    CHECK(info_of(self, sup, "b").breaker == GR_BREAKER_OPEN);
    CHECK_RC(gr_child_pid(self, sup, "b", &pid), GR_EAGAIN); /* this does not */
    CHECK(now_ms(self) == begin);
    advance(self, 200);
    CHECK(info_of(self, sup, "b").breaker == GR_BREAKER_HALF_OPEN);
    CHECK_RC(gr_child_pid(self, sup, "b", &pid), 0);
    advance(self, 999);
    CHECK(info_of(self, sup, "b").breaker == GR_BREAKER_HALF_OPEN);
    advance(self, 1);
    CHECK(info_of(self, sup, "b").breaker == GR_BREAKER_CLOSED);
    stop(self, sup);
}

static void the_breaker_opens_half_opens_and_closes(void **state)
{
    (void)state;
    on_each_seed(breaker);
}

static void of_a_family(gr_actor *self)
{
    const gr_child children[] = {PART_AS(PART_PLAIN, "x", SLOWLY), {0}};
    gr_pid sup =
        supervise(self, &(gr_supervisor){.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                         .restarts_max = 100,
                                         .children = children});
    gr_pid one, two;

    CHECK_RC(gr_start_child(self, sup, gr_args(1), &one), 0);
    CHECK_RC(gr_start_child(self, sup, gr_args(2), &two), 0);
    CHECK_RC(gr_send(self, one, "crash"), 0);
    advance(self, 50);
    CHECK_RC(gr_send(self, two, "crash"), 0);
    advance(self, 49);
    EXPECT("+x+x!x!x");
    advance(self, 1);
    EXPECT("+x");
    advance(self, 50);
    EXPECT("+x");
    stop(self, sup);
}

static void each_child_of_a_family_waits_for_itself(void **state)
{
    (void)state;
    on_each_seed(of_a_family);
}

/* The delays of a child with jitter, one digit of each. */
static void note_delays(gr_actor *self, char *out)
{
    const gr_child children[] = {
        PART_WITH("b", .backoff = {.first_ms = 1000, .max_ms = 1000}), {0}};
    gr_pid sup = supervise(
        self, &(gr_supervisor){.restarts_max = 100, .children = children});

    for (int i = 0; i < 8; i++) {
        crash(self, sup, "b");
        int64_t ms = info_of(self, sup, "b").wait_ms;
        CHECK(ms >= 800 && ms <= 1000); /* 20 % is the default */
        out[i] = (char)('0' + ms % 10);
        advance(self, 1000);
    }
    stop(self, sup);
}

static char delays[2][SEEDS + 1][9];
static int round_now;

static void one_round(gr_actor *self)
{
    note_delays(self, delays[round_now][seed_now]);
}

static void jitter_follows_from_the_systems_seed(void **state)
{
    int differ = 0;

    (void)state;
    for (round_now = 0; round_now < 2; round_now++) {
        on_each_seed(one_round);
    }
    for (int i = 1; i <= SEEDS; i++) {
        assert_string_equal(delays[0][i], delays[1][i]);
        differ += strcmp(delays[0][i], delays[0][1]) != 0;
    }
    assert_true(differ > SEEDS / 2);
}

static void refused(gr_actor *self)
{
    static const gr_backoff wrong[] = {
        {.first_ms = -1},
        {.max_ms = 10},
        {.open_after = 1},
        {.first_ms = 10, .max_ms = 9},
        {.first_ms = GR_BACKOFF_MAX_MS_DEFAULT + 1},
        {.first_ms = 10, .max_ms = INT64_C(1) << 31},
        {.first_ms = 10, .jitter = 101},
        {.first_ms = 10, .reset_ms = -1},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const gr_child children[] = {PART_WITH("b", .backoff = wrong[i]), {0}};
        gr_pid pid;
        CHECK_RC(
            gr_supervise(self, &(gr_supervisor){.children = children}, &pid),
            GR_EINVAL);
    }
}

static void a_back_off_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    on_each_seed(refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delay_grows_by_its_factor_up_to_its_maximum),
        cmocka_unit_test(jitter_only_makes_it_shorter_and_as_the_seed_says),
        cmocka_unit_test(failures_are_counted_until_a_run_has_lasted),
        cmocka_unit_test(the_breaker_follows_from_failures_and_waiting),
        cmocka_unit_test(the_restart_of_a_failing_child_waits),
        cmocka_unit_test(a_restart_that_fails_waits_too),
        cmocka_unit_test(a_back_off_does_not_get_around_the_limit),
        cmocka_unit_test(
            a_group_is_stopped_at_once_and_started_after_the_delay),
        cmocka_unit_test(a_wait_is_overtaken_by_a_restart_of_its_group),
        cmocka_unit_test(a_stop_does_not_wait_for_it),
        cmocka_unit_test(the_breaker_opens_half_opens_and_closes),
        cmocka_unit_test(each_child_of_a_family_waits_for_itself),
        cmocka_unit_test(jitter_follows_from_the_systems_seed),
        cmocka_unit_test(a_back_off_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
