/*
 * tests/actors/test_turns.c - who has to wait for whom.
 *
 * Goal:   an actor that goes on for long in one callback keeps nobody but
 *         itself from running; and one whose callbacks are long keeps others
 *         waiting for some of them, not for all.
 * Method: callbacks that wait on a semaphore which only the others can post.
 *         If they do not run, the test does not end. And one worker that has
 *         many messages for one actor, quick ones first; the first long one
 *         tells another actor, which counts how many it has waited for. How
 *         long they take does not matter.
 */
#include <semaphore.h>
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

/* One worker, and no spare: what it runs is in order. */
static unsigned handled, handled_before;

static int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The first long one tells the other actor, which waits for its turn. */
static int be_slow_later(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int64_t ns;
    if (gr_match(msg, "wait")) {
        wait_for(&posted);
    } else if (gr_match(msg, "take", &ns)) {
        const int64_t until_ns = now_ns() + ns;
        while (now_ns() < until_ns) {
        }
        return handled++ == QUICK ? gr_send(self, p->peer, "now") : 0;
    }
    return 0;
}

static int hear_takes(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = be_slow_later;
    return 0;
}

static int note_when(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)p, (void)msg;
    handled_before = handled;
    return sem_post(&done) == 0 ? 0 : GR_EFAIL;
}

static int hear_when(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = note_when;
    return 0;
}

static void test_long_messages_behind_quick_ones_end_the_turn(void **state)
{
    (void)state;
    stage s;
    gr_system_opts opts = {.workers = 1, .spares_max = GR_SPARES_NONE};
    assert_int_equal(sem_init(&posted, 0, 0), 0);
    assert_int_equal(sem_init(&done, 0, 0), 0);
    stage_start(&s, 0, &opts);
    gr_pid a = stage_begun(&s, 'a', NULL, NULL);
    gr_pid b = stage_begun(&s, 'b', NULL, hear_when);
    stage_do_to(&s, a, hear_takes, b);

    CHECK_RC(gr_send(s.self, a, "wait"), 0);
    for (unsigned i = 0; i < QUICK + LONG; i++) {
        CHECK_RC(gr_send(s.self, a, "take", i < QUICK ? 0 : LONG_NS), 0);
    }
    assert_int_equal(sem_post(&posted), 0);
    wait_for(&done);
    assert_in_range(handled_before, QUICK + 1, QUICK + FEW);

    CHECK_RC(gr_kill(s.self, a), 0);
    stage_end(&s);
    assert_int_equal(sem_destroy(&posted), 0);
    assert_int_equal(sem_destroy(&done), 0);
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
