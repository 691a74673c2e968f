/*
 * Goal:   more workers than processors are awake where some of them block, and
 *         only as long; and what waits behind a worker that is stuck is taken
 *         by one that is never idle, too.
 * Method: tasks that block in the kernel, or go on for ever, and a test that
 *         waits for what must come. What does not come shows as a stop, which
 *         the watchdog of toy.h ends.
 *
 * Planted one at a time, and seen to stop here: a look that leaves the limit as
 * it is; a round that helps nobody; a help that takes from queues only, or from
 * slots only. Not seen: a limit that stays when all sleep, as the look of the
 * last sleepers mostly takes it down, too.
 */
#include "tests/sched/toy.h"

static gri_sched s;
static sem_t gate, done;
static _Atomic(unsigned) begun, noted;

static void block(gri_worker *worker, toy *self)
{
    (void)worker, (void)self;
    atomic_fetch_add_explicit(&begun, 1, memory_order_release);
    toy_wait(&gate, "the test does not let its tasks go");
    (void)sem_post(&done);
}

/* Until so many workers may be awake. */
static void wait_for_limit(unsigned least, unsigned most)
{
    int64_t until_ns =
        gri_clock_ns(&toy_clock) + TOY_WATCHDOG_S * INT64_C(1000000000);
    unsigned limit;
    do {
        /* relaxed: a number. */
        limit = atomic_load_explicit(&s.limit, memory_order_relaxed);
        if (gri_clock_ns(&toy_clock) > until_ns) {
            toy_give_up("workers that block count as if they did not, or do "
                        "so when they are gone");
        }
        (void)sched_yield();
    } while (limit < least || limit > most);
}

static void who_blocks_makes_room_for_others(void **state)
{
    (void)state;
    enum { PROCESSORS = 2, WORKERS = 6, ROUNDS = 20 };
    static toy task[PROCESSORS];
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&done, 0, 0), 0);
    toy_start_on(&s, WORKERS, PROCESSORS);
    for (unsigned round = 0; round < ROUNDS; round++) {
        toy_settle(&s);
        wait_for_limit(PROCESSORS, PROCESSORS);
        atomic_store_explicit(&begun, 0, memory_order_relaxed);
        for (unsigned i = 0; i < PROCESSORS; i++) {
            task[i] = (toy){.fn = block};
            gri_sched_submit(&s, NULL, &task[i].task);
        }
        toy_wait_for(&begun, PROCESSORS, "a task waits beside a sleeper");
        wait_for_limit(PROCESSORS + 1, WORKERS);
        for (unsigned i = 0; i < PROCESSORS; i++) {
            (void)sem_post(&gate);
        }
        for (unsigned i = 0; i < PROCESSORS; i++) {
            toy_wait(&done, "a task that blocked does not end");
        }
    }
    toy_stop(&s);
}

static _Atomic(unsigned) over;

static void go_on_for_ever(gri_worker *worker, toy *self)
{
    if (self->runs == 1) {
        atomic_store_explicit(&begun, 1, memory_order_release);
    }
    if (atomic_load_explicit(&over, memory_order_acquire) == 0) {
        gri_sched_again(worker, &self->task);
    } else {
        (void)sem_post(&done);
    }
}

static toy behind[3];

static void note(gri_worker *worker, toy *self)
{
    (void)worker, (void)self;
    atomic_fetch_add_explicit(&noted, 1, memory_order_release);
}

/* The first goes into the slot, the others into the queue. */
static void wait_for_those_behind(gri_worker *worker, toy *self)
{
    (void)self;
    for (unsigned i = 0; i < 3; i++) {
        gri_sched_submit(worker->sched, worker, &behind[i].task);
    }
    toy_wait_for(&noted, 3, "nobody takes what waits behind a stuck worker");
    (void)sem_post(&done);
}

static void a_worker_that_is_never_idle_helps_one_that_is_stuck(void **state)
{
    (void)state;
    enum { ROUNDS = 10 };
    assert_int_equal(sem_init(&done, 0, 0), 0);
    toy_start_on(&s, 2, 2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        atomic_store_explicit(&begun, 0, memory_order_relaxed);
        atomic_store_explicit(&over, 0, memory_order_relaxed);
        atomic_store_explicit(&noted, 0, memory_order_relaxed);
        toy busy = {.fn = go_on_for_ever};
        toy stuck = {.fn = wait_for_those_behind};
        for (unsigned i = 0; i < 3; i++) {
            behind[i] = (toy){.fn = note};
        }
        gri_sched_submit(&s, NULL, &busy.task);
        toy_wait_for(&begun, 1, "a task waits while all workers sleep");
        gri_sched_submit(&s, NULL, &stuck.task);
        toy_wait(&done, "a stuck worker is not helped");
        atomic_store_explicit(&over, 1, memory_order_release);
        toy_wait(&done, "a task that goes on does not end");
    }
    toy_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_blocks_makes_room_for_others),
        cmocka_unit_test(a_worker_that_is_never_idle_helps_one_that_is_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
