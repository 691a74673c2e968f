/* The decision half: tables of (strategy, restart type, event) -> action. No
 * actor runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor/strategy.h"

enum { CHILDREN = 4 };

/* Decides about child `index` of four of that type, with room for restarts. */
static gri_action decide(gr_strategy strategy, gr_restart type,
                         gri_event_kind kind, uint32_t index, gr_exit_kind why)
{
    gri_event event = {
        .kind = kind, .why = why, .type = type, .index = index, .n = CHILDREN};
    gri_intensity window;

    assert_int_equal(gri_intensity_init(&window, 10, 1000), 0);
    gri_action action = gri_decide(strategy, GR_AUTO_NEVER, &event, &window, 0);
    gri_intensity_fini(&window);
    return action;
}

static void restart_type_and_exit_kind_say_who_is_restarted(void **state)
{
    static const struct {
        gr_exit_kind why;
        bool permanent, transient, temporary;
    } rows[] = {
        {GR_EXIT_NORMAL, true, false, false},
        {GR_EXIT_SHUTDOWN, true, false, false},
        {GR_EXIT_ERROR, true, true, false},
        {GR_EXIT_KILLED, true, true, false},
        {GR_EXIT_LIMIT, true, true, false},
        {GR_EXIT_NOPROC, true, true, false},
        {GR_EXIT_NOCONNECTION, true, true, false},
        {GR_EXIT_SIGNAL, true, true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const bool expected[] = {
            [GR_PERMANENT] = rows[i].permanent,
            [GR_TRANSIENT] = rows[i].transient,
            [GR_TEMPORARY] = rows[i].temporary,
        };
        for (gr_restart type = GR_PERMANENT; type <= GR_TEMPORARY; type++) {
            gri_action action =
                decide(GR_ONE_FOR_ONE, type, GRI_EVENT_ENDED, 0, rows[i].why);
            assert_int_equal(action.kind, expected[type] ? GRI_ACTION_RESTART
                                                         : GRI_ACTION_LEAVE);
        }
    }
}

static void the_strategy_says_whom_a_restart_concerns(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < CHILDREN; i++) {
        const struct {
            gr_strategy strategy;
            uint32_t first, end;
        } rows[] = {
            {GR_ONE_FOR_ONE, i, i + 1},
            {GR_SIMPLE_ONE_FOR_ONE, i, i + 1},
            {GR_ONE_FOR_ALL, 0, CHILDREN},
            {GR_REST_FOR_ONE, i, CHILDREN},
        };
        for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
            const gri_event_kind kinds[] = {GRI_EVENT_ENDED, GRI_EVENT_AGAIN};
            for (size_t k = 0; k < 2; k++) {
                gri_action action = decide(rows[r].strategy, GR_PERMANENT,
                                           kinds[k], i, GR_EXIT_ERROR);
                assert_int_equal(action.kind, GRI_ACTION_RESTART);
                assert_int_equal(action.first, rows[r].first);
                assert_int_equal(action.end, rows[r].end);
            }
        }
    }
}

static void a_failed_init_is_judged_by_when_it_was(void **state)
{
    static const struct {
        gri_event_kind kind;
        gr_exit_kind why;
        gri_action_kind action;
    } rows[] = {
        {GRI_EVENT_NOT_STARTED, GR_EXIT_ERROR, GRI_ACTION_ROLL_BACK},
        {GRI_EVENT_NOT_STARTED, GR_EXIT_KILLED, GRI_ACTION_ROLL_BACK},
        {GRI_EVENT_NOT_STARTED, GR_EXIT_SHUTDOWN, GRI_ACTION_ROLL_BACK},
        {GRI_EVENT_NOT_STARTED, GR_EXIT_NORMAL, GRI_ACTION_LEAVE},
        {GRI_EVENT_NOT_RESTARTED, GR_EXIT_ERROR, GRI_ACTION_TRY_LATER},
        {GRI_EVENT_NOT_RESTARTED, GR_EXIT_SHUTDOWN, GRI_ACTION_TRY_LATER},
        {GRI_EVENT_NOT_RESTARTED, GR_EXIT_NORMAL, GRI_ACTION_LEAVE},
    };

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        for (gr_restart type = GR_PERMANENT; type <= GR_TEMPORARY; type++) {
            gri_action action =
                decide(GR_ONE_FOR_ONE, type, rows[r].kind, 1, rows[r].why);
            assert_int_equal(action.kind, rows[r].action);
        }
    }
}

static void only_restarts_count_and_one_too_many_gives_up(void **state)
{
    enum { PERMANENT = GR_PERMANENT, TEMPORARY = GR_TEMPORARY };
    static const struct {
        gri_event_kind kind;
        int type;
        gr_exit_kind why;
        bool delayed;
        int64_t now_ms;
        gri_action_kind action;
    } rows[] = {
        {GRI_EVENT_ENDED, TEMPORARY, GR_EXIT_ERROR, false, 0, GRI_ACTION_LEAVE},
        {GRI_EVENT_ENDED, PERMANENT, GR_EXIT_ERROR, false, 0,
         GRI_ACTION_RESTART},
        {GRI_EVENT_NOT_RESTARTED, PERMANENT, GR_EXIT_ERROR, false, 0,
         GRI_ACTION_TRY_LATER},
        /* A delay counts when it is over. */
        {GRI_EVENT_ENDED, PERMANENT, GR_EXIT_ERROR, true, 0,
         GRI_ACTION_TRY_LATER},
        {GRI_EVENT_AGAIN, PERMANENT, GR_EXIT_NORMAL, false, 0,
         GRI_ACTION_RESTART},
        {GRI_EVENT_ENDED, TEMPORARY, GR_EXIT_ERROR, false, 5, GRI_ACTION_LEAVE},
        {GRI_EVENT_ENDED, PERMANENT, GR_EXIT_NORMAL, false, 100,
         GRI_ACTION_GIVE_UP},
        {GRI_EVENT_AGAIN, PERMANENT, GR_EXIT_NORMAL, false, 100,
         GRI_ACTION_GIVE_UP},
        {GRI_EVENT_ENDED, PERMANENT, GR_EXIT_NORMAL, false, 101,
         GRI_ACTION_RESTART},
    };
    gri_intensity window;

    (void)state;
    assert_int_equal(gri_intensity_init(&window, 2, 100), 0);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        gri_event event = {.kind = rows[r].kind,
                           .why = rows[r].why,
                           .type = (gr_restart)rows[r].type,
                           .delayed = rows[r].delayed,
                           .n = 2};
        gri_action action = gri_decide(GR_ONE_FOR_ALL, GR_AUTO_NEVER, &event,
                                       &window, rows[r].now_ms);
        assert_int_equal(action.kind, rows[r].action);
    }
    gri_intensity_fini(&window);
}

/* What the end of a child that is not restarted means for its supervisor. */
static void only_a_final_end_of_a_significant_child_shuts_down(void **state)
{
    static const struct {
        gr_auto_shutdown when;
        bool significant, others;
        gr_restart type;
        gr_exit_kind why;
        gri_action_kind action;
    } rows[] = {
        {GR_AUTO_NEVER, true, false, GR_TEMPORARY, GR_EXIT_NORMAL,
         GRI_ACTION_LEAVE},
        {GR_AUTO_ANY, false, false, GR_TEMPORARY, GR_EXIT_NORMAL,
         GRI_ACTION_LEAVE},
        {GR_AUTO_ANY, true, true, GR_TEMPORARY, GR_EXIT_NORMAL,
         GRI_ACTION_SHUT_DOWN},
        {GR_AUTO_ANY, true, true, GR_TEMPORARY, GR_EXIT_ERROR,
         GRI_ACTION_SHUT_DOWN},
        {GR_AUTO_ANY, true, true, GR_TRANSIENT, GR_EXIT_SHUTDOWN,
         GRI_ACTION_SHUT_DOWN},
        {GR_AUTO_ANY, true, true, GR_TRANSIENT, GR_EXIT_ERROR,
         GRI_ACTION_RESTART},
        {GR_AUTO_ALL, true, true, GR_TEMPORARY, GR_EXIT_ERROR,
         GRI_ACTION_LEAVE},
        {GR_AUTO_ALL, true, false, GR_TEMPORARY, GR_EXIT_ERROR,
         GRI_ACTION_SHUT_DOWN},
        {GR_AUTO_ALL, true, false, GR_TRANSIENT, GR_EXIT_NORMAL,
         GRI_ACTION_SHUT_DOWN},
        {GR_AUTO_ALL, true, false, GR_TRANSIENT, GR_EXIT_KILLED,
         GRI_ACTION_RESTART},
        {GR_AUTO_ALL, false, false, GR_TRANSIENT, GR_EXIT_NORMAL,
         GRI_ACTION_LEAVE},
    };

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        gri_event event = {.kind = GRI_EVENT_ENDED,
                           .why = rows[r].why,
                           .type = rows[r].type,
                           .significant = rows[r].significant,
                           .others = rows[r].others,
                           .n = 1};
        gri_intensity window;
        assert_int_equal(gri_intensity_init(&window, 1, 1000), 0);
        gri_action action =
            gri_decide(GR_ONE_FOR_ONE, rows[r].when, &event, &window, 0);
        assert_int_equal(action.kind, rows[r].action);
        gri_intensity_fini(&window);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restart_type_and_exit_kind_say_who_is_restarted),
        cmocka_unit_test(the_strategy_says_whom_a_restart_concerns),
        cmocka_unit_test(a_failed_init_is_judged_by_when_it_was),
        cmocka_unit_test(only_restarts_count_and_one_too_many_gives_up),
        cmocka_unit_test(only_a_final_end_of_a_significant_child_shuts_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
