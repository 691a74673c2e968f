/*
 * tests/actors/test_turns.c - who has to wait for whom.
 *
 * Goal:   an actor that goes on for long in one callback keeps nobody but
 *         itself from running; and one whose callbacks are long keeps others
 *         waiting for some of them, not for all.
 * Method: callbacks that wait on a semaphore which only the others can post.
 *         If they do not run, the test does not end. And one worker that has
 *         many messages for one actor, quick ones first, and then one for
 *         another: how many of the long ones it waits for is counted; how long
 *         they take does not matter.
 */
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/support/stage.h"

static sem_t posted, done;

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
        /* interrupted by a signal */
    }
}

/* Sends once, so that its receiver stands in the worker's run-next slot, and
 * waits for it. */
static int send_and_wait(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    int rc = gr_send(self, p->peer, "post");
    wait_for(&posted);
    return sem_post(&done) == 0 ? rc : GR_EFAIL;
}

static int post(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)p, (void)msg;
    return sem_post(&posted) == 0 ? 0 : GR_EFAIL;
}

static int hear_posts(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = post;
    return 0;
}

static void test_a_receiver_does_not_wait_for_its_senders_callback(void **state)
{
    (void)state;
    stage s;
    gr_system_opts opts = {.workers = 2};
    assert_int_equal(sem_init(&posted, 0, 0), 0);
    assert_int_equal(sem_init(&done, 0, 0), 0);
    stage_start(&s, 0, &opts);
    gr_pid a = stage_begun(&s, 'a', NULL, NULL);
    gr_pid b = stage_begun(&s, 'b', NULL, hear_posts);

    stage_do_to(&s, a, send_and_wait, b);
    wait_for(&done);

    stage_end(&s);
    assert_int_equal(sem_destroy(&posted), 0);
    assert_int_equal(sem_destroy(&done), 0);
}

enum {
    QUICK = 515, /* some way into a turn */
    LONG = 480,
    LONG_NS = 2000000, /* each more than a turn is to take */
    FEW = 100          /* what others may have to wait for, and then some */
};

static _Atomic(unsigned) handled;

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int be_slow_later(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int64_t ns;
    (void)self, (void)p;
    if (gr_match(msg, "wait")) {
        wait_for(&posted);
    } else if (gr_match(msg, "take", &ns)) {
        const int64_t until_ns = now_ns() + ns;
        while (now_ns() < until_ns) {
        }
        /* relaxed: a number. */
        atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
    }
    return 0;
}

static int hear_takes(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = be_slow_later;
    return 0;
}

static int answer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    /* relaxed: a number. */
    return gr_reply(
        self, msg, "after",
        (int64_t)atomic_load_explicit(&handled, memory_order_relaxed));
}

static int hear_asks(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = answer;
    return 0;
}

static void test_long_messages_behind_quick_ones_end_the_turn(void **state)
{
    (void)state;
    stage s;
    int64_t after;
    gr_system_opts opts = {.workers = 1};
    assert_int_equal(sem_init(&posted, 0, 0), 0);
    stage_start(&s, 0, &opts);
    gr_pid a = stage_begun(&s, 'a', NULL, hear_takes);
    gr_pid b = stage_begun(&s, 'b', NULL, hear_asks);

    CHECK_RC(gr_send(s.self, a, "wait"), 0);
    for (unsigned i = 0; i < QUICK + LONG; i++) {
        CHECK_RC(gr_send(s.self, a, "take", i < QUICK ? 0 : LONG_NS), 0);
    }
    assert_int_equal(sem_post(&posted), 0);
    /* relaxed: a number. */
    while (atomic_load_explicit(&handled, memory_order_relaxed) < QUICK) {
        (void)sched_yield();
    }
    CHECK_RC(gr_call(s.self, b, GR_FOREVER, gr_expect("after", &after), "ask"),
             0);
    assert_in_range(after, QUICK, QUICK + FEW);
    CHECK_RC(gr_kill(s.self, a), 0);
    stage_end(&s);
    assert_int_equal(sem_destroy(&posted), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_receiver_does_not_wait_for_its_senders_callback),
        cmocka_unit_test(test_long_messages_behind_quick_ones_end_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
