/* The restart window: a table of restarts at given times, without a clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <greenroom/supervisor.h>

#include "base/rng.h"
#include "supervisor/intensity.h"

#define TIMES_MAX 8

struct row {
    uint32_t max;
    int64_t period_ms;
    int64_t times[TIMES_MAX]; /* of restarts; ends at -1 */
    const char *allowed;      /* y or n for each */
};

static const struct row rows[] = {
    {0, 1000, {5, 5000, -1}, "nn"},
    {1, 1000, {0, 0, -1}, "yn"},
    {3, 1000, {0, 0, 0, 0, -1}, "yyyn"},
    /* Exactly a period later the restart still counts. */
    {1, 1000, {0, 1000, -1}, "yn"},
    {1, 1000, {0, 1001, -1}, "yy"},
    {2, 1000, {0, 600, 1001, 1200, 1601, -1}, "yyyny"},
    /* What was refused does not count. */
    {1, 1000, {0, 500, 1001, -1}, "yny"},
    /* A long silence empties the window. */
    {2, 10, {0, 1, 1000000, 1000001, 1000002, -1}, "yyyyn"},
    {3, 100, {0, 50, 100, 101, 151, 201, 202, -1}, "yyyyyyy"},
    {2, 1, {7, 7, 9, 9, 9, -1}, "yyyyn"},
    {5,
     INT64_MAX,
     {0, 1, 2, INT64_MAX - 1, INT64_MAX, INT64_MAX, -1},
     "yyyyyn"},
};

static void a_restart_counts_until_more_than_the_period_has_passed(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        gri_intensity window;
        char allowed[TIMES_MAX + 1] = {0};

        assert_int_equal(
            gri_intensity_init(&window, rows[r].max, rows[r].period_ms), 0);
        for (int i = 0; rows[r].times[i] >= 0; i++) {
            allowed[i] =
                gri_intensity_add(&window, rows[r].times[i]) ? 'y' : 'n';
        }

        assert_string_equal(allowed, rows[r].allowed);
        gri_intensity_fini(&window);
    }
}

static void the_largest_window_holds_what_it_allows(void **state)
{
    gri_intensity window;

    (void)state;
    assert_int_equal(gri_intensity_init(&window, GR_RESTARTS_MAX, 10), 0);
    for (int64_t lap = 0; lap < 2; lap++) {
        for (uint32_t i = 0; i < GR_RESTARTS_MAX; i++) {
            assert_true(gri_intensity_add(&window, lap * 100));
        }
        assert_false(gri_intensity_add(&window, lap * 100));
    }
    gri_intensity_fini(&window);
}

/* However long it goes on, the memory that is touched is that of the restarts
 * of a period, not of all that there ever were. */
static void few_restarts_in_a_period_take_little_memory(void **state)
{
    enum { IN_PERIOD = 50, SOME = 100 };
    gri_intensity window;

    (void)state;
    assert_int_equal(gri_intensity_init(&window, GR_RESTARTS_MAX, IN_PERIOD),
                     0);
    for (int64_t ms = 0; ms < 10000; ms++) {
        assert_true(gri_intensity_add(&window, 1 + ms));
    }
    for (uint32_t i = SOME; i < GR_RESTARTS_MAX; i++) {
        assert_int_equal(window.times[i], 0);
    }
    gri_intensity_fini(&window);
}

/* Against a plain list of all restarts, with bursts of all sizes. */
static void bursts_of_any_size_are_counted(void **state)
{
    enum { MAX = 1000, PERIOD_MS = 100, STEPS = 30000 };
    static int64_t all[STEPS];
    uint32_t n = 0;
    uint32_t oldest = 0;
    int64_t now_ms = 0;
    gri_rng rng = {.state = 1};
    gri_intensity window;

    (void)state;
    assert_int_equal(gri_intensity_init(&window, MAX - 1, PERIOD_MS), 0);
    for (uint32_t i = 0, burst = 1; i < STEPS; i++) {
        if (i % 500 == 0) {
            burst = 1 + gri_rng_below(&rng, 20);
        }
        now_ms += gri_rng_below(&rng, burst) == 0 ? 1 : 0;
        while (oldest < n && now_ms - all[oldest] > PERIOD_MS) {
            oldest++;
        }
        const bool room = n - oldest < MAX - 1;
        assert_int_equal(gri_intensity_add(&window, now_ms), room);
        if (room) {
            all[n++] = now_ms;
        }
        assert_int_equal(window.count, n - oldest);
        assert_int_equal(window.times[window.first], all[oldest]);
    }
    gri_intensity_fini(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_restart_counts_until_more_than_the_period_has_passed),
        cmocka_unit_test(the_largest_window_holds_what_it_allows),
        cmocka_unit_test(few_restarts_in_a_period_take_little_memory),
        cmocka_unit_test(bursts_of_any_size_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
