/*
 * tests/actors/test_turns.c - who has to wait for whom.
 *
 * Goal:   an actor that goes on for long in one callback keeps nobody but
 *         itself from running.
 * Method: callbacks that wait on a semaphore which only the others can post.
 *         If they do not run, the test does not end.
 */
#include <semaphore.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_a_receiver_does_not_wait_for_its_senders_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
