/*
 * tests/actors/test_uneven.c - a turn ends for its time, too.
 *
 * Goal:   an actor whose messages take long only after many that do not keeps
 *         others waiting for some of them, not for all.
 * Method: one worker. Once all the quick messages are handled, another actor is
 *         asked, and how many long ones were handled until its answer is
 *         counted; how long they took does not matter.
 */
#include <stdatomic.h>
#include <time.h>

#include "tests/support/stage.h"

enum {
    QUICK = 515, /* some way into a turn */
    LONG = 480,
    LONG_NS = 2000000, /* each more than a turn is to take */
    FEW = 100          /* what others may have to wait for, and then some */
};

static _Atomic(unsigned) handled;
static _Atomic(bool) begun, go;

static int take(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    int ns;
    if (gr_match(msg, "wait")) {
        atomic_store(&begun, true);
        while (!atomic_load(&go)) {
        }
        return 0;
    }
    if (gr_match(msg, "take", &ns)) {
        const struct timespec t = {0, ns};
        (void)(ns > 0 && nanosleep(&t, NULL) != 0);
        (void)atomic_fetch_add(&handled, 1);
        return 0;
    }
    return gr_match(msg, "ask") ? gr_reply(self, msg, "answer")
                                : gr_unhandled(self, msg);
}

static const gr_behavior taker = {.name = "taker", .receive = take};

static void test_long_messages_behind_quick_ones_end_the_turn(void **state)
{
    (void)state;
    gr_system *sys;
    gr_actor *self;
    gr_pid a;
    gr_pid b;
    gr_system_opts opts = {.workers = 1};
    assert_int_equal(gr_system_start(&opts, &sys), 0);
    assert_int_equal(gr_thread_attach(sys, NULL, &self), 0);
    assert_int_equal(gr_spawn(self, &taker, NULL, &a), 0);
    assert_int_equal(gr_spawn(self, &taker, NULL, &b), 0);
    assert_int_equal(gr_send(self, a, "wait"), 0);
    while (!atomic_load(&begun)) {
    }
    for (int i = 0; i < QUICK + LONG; i++) {
        assert_int_equal(gr_send(self, a, "take", i < QUICK ? 0 : LONG_NS), 0);
    }
    atomic_store(&go, true);
    while (atomic_load(&handled) < QUICK) {
    }
    assert_int_equal(gr_call(self, b, 60000, gr_expect("answer"), "ask"), 0);
    assert_in_range(atomic_load(&handled), QUICK, QUICK + FEW);
    assert_int_equal(gr_kill(self, a), 0);
    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(sys, 5000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_messages_behind_quick_ones_end_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
