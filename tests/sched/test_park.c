/*
 * Goal:   nothing waits in a queue, and no timer passes its time, while a
 * worker sleeps; and tasks that can run side by side do. Method: thousands of
 * submissions and timers that race with workers on their way to sleep, and
 * tasks that wait for each other without giving their worker back, so that each
 * needs another worker to be woken. What is lost shows as a stop, which the
 * watchdog of toy.h ends.
 *
 * Planted one at a time, and seen to stop here: notify that never wakes; a
 * woken worker that stays counted as a searcher while it runs a task; parking
 * without the second look; a sleeper that does not look around while others are
 * awake, or not for those that are stuck; a woken worker that sees to no other
 * sleeper. Not seen: `up_ns` that is not reset; and weaker orders of `parked`,
 * `searching` and the queues' counters, which neither this machine nor the
 * thread sanitizer reorders. For all of those see tests/model/park.pml.
 */
#include "tests/sched/toy.h"

static gri_sched s;
static sem_t done;

static void post(gri_worker *worker, toy *self)
{
    (void)worker;
    (void)self;
    (void)sem_post(&done);
}

/* Waits a little, each time another while, so that all moments come up. */
static void idle_for(unsigned steps)
{
    for (_Atomic(unsigned) i = 0;
         atomic_load_explicit(&i, memory_order_relaxed) < steps;) {
        atomic_fetch_add_explicit(&i, 1, memory_order_relaxed);
    }
}

static _Atomic(unsigned) count;

static void count_up(gri_worker *worker, toy *self)
{
    (void)worker;
    atomic_store_explicit(&count, self->runs, memory_order_release);
}

/* Waits awake, to be back while the worker is still on its way to sleep. */
static void submit_again_and_again(unsigned workers)
{
    enum { ROUNDS = 30000 };
    toy task = {.fn = count_up};
    gri_rng rng = {workers};
    atomic_store_explicit(&count, 0, memory_order_relaxed);
    toy_start(&s, workers);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        gri_sched_submit(&s, NULL, &task.task);
        toy_wait_for(&count, i, "a task waits while all workers sleep");
        idle_for(gri_rng_below(&rng, 3000));
    }
    toy_stop(&s);
    assert_int_equal(task.runs, ROUNDS);
}

static void a_task_from_outside_finds_a_worker(void **state)
{
    (void)state;
    submit_again_and_again(1);
    submit_again_and_again(2);
}

/* ---- side by side ---- */

static _Atomic(unsigned) arrived, left;

/* As many tasks as workers: each returns when all have come. */
static void meet(gri_worker *worker, toy *self)
{
    (void)worker;
    atomic_fetch_add_explicit(&arrived, 1, memory_order_release);
    toy_wait_for(&arrived, self->number, "a worker sleeps beside a task");
    (void)sem_post(&done);
}

static toy meeting[4];

static void meet_from_outside(unsigned workers, unsigned processors,
                              unsigned rounds)
{
    assert_int_equal(sem_init(&done, 0, 0), 0);
    toy_start_on(&s, workers, processors);
    for (unsigned round = 0; round < rounds; round++) {
        if (round % 2 == 0) {
            toy_settle(&s);
        }
        atomic_store_explicit(&arrived, 0, memory_order_relaxed);
        for (unsigned i = 0; i < workers; i++) {
            meeting[i] = (toy){.fn = meet, .number = workers};
            gri_sched_submit(&s, NULL, &meeting[i].task);
        }
        for (unsigned i = 0; i < workers; i++) {
            toy_wait(&done, "tasks that came from outside do not meet");
        }
    }
    toy_stop(&s);
}

static void tasks_from_outside_run_side_by_side(void **state)
{
    (void)state;
    meet_from_outside(2, 2, 1000);
    meet_from_outside(4, 4, 500);
}

/* Beyond the processors nobody is woken at once, but tasks that wait for each
 * other keep their workers, and so the others come one by one. */
static void tasks_that_block_get_workers_beyond_the_processors(void **state)
{
    (void)state;
    meet_from_outside(2, 1, 100);
    meet_from_outside(4, 1, 100);
    meet_from_outside(4, 2, 100);
}

/* A worker that was woken for one task is busy with it: the next task must not
 * rely on it. */
static void a_woken_worker_that_is_busy_searches_no_more(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    static sem_t began;
    assert_int_equal(sem_init(&done, 0, 0), 0);
    assert_int_equal(sem_init(&began, 0, 0), 0);
    toy_start(&s, 2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        toy_settle(&s);
        atomic_store_explicit(&arrived, 0, memory_order_relaxed);
        meeting[0] = (toy){.fn = meet, .number = 2};
        meeting[1] = (toy){.fn = meet, .number = 2};
        gri_sched_submit(&s, NULL, &meeting[0].task);
        toy_wait_for(&arrived, 1, "a task waits while all workers sleep");
        gri_sched_submit(&s, NULL, &meeting[1].task);
        toy_wait(&done, "a second task waits behind the first");
        toy_wait(&done, "a second task waits behind the first");
    }
    toy_stop(&s);
}

/* The slot takes one of the new tasks; the others must be stolen, each by a
 * worker that the one before has woken. */
static void bring_meeting(gri_worker *worker, toy *self)
{
    for (unsigned i = 0; i < self->number; i++) {
        gri_sched_submit(worker->sched, worker, &meeting[i].task);
    }
    /* The last one is in the slot: it is ours to run, so that all who meet are
     * those that were stolen. */
    toy_wait_for(&arrived, self->number - 1, "surplus tasks are not stolen");
    (void)sem_post(&done);
}

static void note(gri_worker *worker, toy *self)
{
    (void)worker;
    atomic_fetch_add_explicit(&arrived, 1, memory_order_release);
    toy_wait_for(&left, self->number, "the test does not let its tasks go");
    (void)sem_post(&done);
}

static void bring_surplus(unsigned processors, unsigned rounds)
{
    enum { WORKERS = 4 };
    assert_int_equal(sem_init(&done, 0, 0), 0);
    /* relaxed: no worker runs yet. */
    atomic_store_explicit(&left, 0, memory_order_relaxed);
    toy_start_on(&s, WORKERS, processors);
    for (unsigned round = 1; round <= rounds; round++) {
        if (round % 2 == 0) {
            toy_settle(&s);
        }
        atomic_store_explicit(&arrived, 0, memory_order_relaxed);
        for (unsigned i = 0; i < WORKERS; i++) {
            meeting[i] = (toy){.fn = note, .number = round};
        }
        toy bringer = {.fn = bring_meeting, .number = WORKERS};
        gri_sched_submit(&s, NULL, &bringer.task);
        toy_wait(&done, "a task that brings others does not end");
        atomic_store_explicit(&left, round, memory_order_release);
        for (unsigned i = 0; i < WORKERS; i++) {
            toy_wait(&done, "a surplus task does not end");
        }
    }
    toy_stop(&s);
}

static void surplus_tasks_wake_one_worker_after_the_other(void **state)
{
    (void)state;
    bring_surplus(4, 500);
    bring_surplus(1, 50);
    bring_surplus(2, 50);
}

/* ---- timers ---- */

static void a_timer_from_outside_wakes_a_sleeper(void **state)
{
    (void)state;
    enum { ROUNDS = 3000 };
    toy task = {.fn = post};
    toy never = {.fn = post};
    gri_timer late = {.payload = &never};
    gri_rng rng = {1};
    assert_int_equal(sem_init(&done, 0, 0), 0);
    toy_start(&s, 2);
    /* All sleep until this one, or longer, unless they are told. */
    assert_int_equal(
        gri_sched_arm(&s, NULL, &late,
                      gri_clock_ns(&toy_clock) + INT64_C(3600000000000)),
        0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        gri_timer soon = {.payload = &task};
        int64_t due_ns = gri_clock_ns(&toy_clock) + gri_rng_below(&rng, 50000);
        assert_int_equal(gri_sched_arm(&s, NULL, &soon, due_ns), 0);
        toy_wait(&done, "a timer waits while all workers sleep");
        assert_true(gri_clock_ns(&toy_clock) >= due_ns);
        assert_false(gri_timer_disarm(&soon));
        idle_for(gri_rng_below(&rng, 4000));
    }
    assert_true(gri_timer_disarm(&late));
    toy_stop(&s);
    assert_int_equal(task.runs, ROUNDS);
    assert_int_equal(never.runs, 0);
}

static toy ringer;
static gri_timer ring_timer;
static _Atomic(unsigned) rang;

static void ring(gri_worker *worker, toy *self)
{
    (void)worker;
    (void)self;
    atomic_store_explicit(&rang, 1, memory_order_release);
}

/* Its own worker is busy until the timer has fired: another has to get up. */
static void arm_and_wait(gri_worker *worker, toy *self)
{
    ring_timer = (gri_timer){.payload = &ringer};
    int64_t due_ns = gri_clock_ns(&toy_clock) + 1000000;
    if (self->number == 0 &&
        gri_sched_arm(worker->sched, worker, &ring_timer, due_ns) < 0) {
        toy_give_up("no memory for a timer");
    }
    atomic_store_explicit(&arrived, 1, memory_order_release);
    toy_wait_for(&rang, 1, "a busy worker's timer waits for it");
    (void)sem_post(&done);
}

static void a_busy_workers_timer_is_fired_by_a_sleeper(void **state)
{
    (void)state;
    enum { ROUNDS = 50 };
    assert_int_equal(sem_init(&done, 0, 0), 0);
    toy_start(&s, 2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        /* Armed by the busy worker itself, or from outside while it is busy:
         * then it is, by chance, the one whose timers those are. */
        toy busy = {.fn = arm_and_wait, .number = round % 2};
        ringer = (toy){.fn = ring};
        atomic_store_explicit(&rang, 0, memory_order_relaxed);
        atomic_store_explicit(&arrived, 0, memory_order_relaxed);
        toy_settle(&s);
        gri_sched_submit(&s, NULL, &busy.task);
        if (round % 2 == 1) {
            toy_wait_for(&arrived, 1, "a task waits while all workers sleep");
            assert_int_equal(gri_sched_arm(&s, NULL, &ring_timer,
                                           gri_clock_ns(&toy_clock) + 1000000),
                             0);
        }
        toy_wait(&done, "a busy worker's timer waits for it");
    }
    toy_stop(&s);
}

/* The timers are older than the work: whoever slept for them is woken for a
 * task, and is busy when they are due. */
static void wait_for_ring(gri_worker *worker, toy *self)
{
    (void)worker;
    (void)self;
    toy_wait_for(&rang, 1, "a timer waits for a worker that was woken");
    (void)sem_post(&done);
}

static void ring_behind_busy_workers(unsigned workers)
{
    toy busy[4];
    ringer = (toy){.fn = ring};
    ring_timer = (gri_timer){.payload = &ringer};
    atomic_store_explicit(&rang, 0, memory_order_relaxed);
    toy_settle(&s);
    assert_int_equal(gri_sched_arm(&s, NULL, &ring_timer,
                                   gri_clock_ns(&toy_clock) + 10000000),
                     0);
    toy_settle(&s);
    /* All but one become busy, one after the other. */
    for (unsigned i = 0; i + 1 < workers; i++) {
        busy[i] = (toy){.fn = wait_for_ring};
        gri_sched_submit(&s, NULL, &busy[i].task);
    }
    for (unsigned i = 0; i + 1 < workers; i++) {
        toy_wait(&done, "a timer waits for a worker that was woken");
    }
}

static void a_woken_workers_timer_is_fired_by_a_sleeper(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&done, 0, 0), 0);
    for (unsigned workers = 2; workers <= 4; workers++) {
        toy_start(&s, workers);
        for (unsigned round = 0; round < 20; round++) {
            ring_behind_busy_workers(workers);
        }
        toy_stop(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_from_outside_finds_a_worker),
        cmocka_unit_test(tasks_from_outside_run_side_by_side),
        cmocka_unit_test(tasks_that_block_get_workers_beyond_the_processors),
        cmocka_unit_test(a_woken_worker_that_is_busy_searches_no_more),
        cmocka_unit_test(surplus_tasks_wake_one_worker_after_the_other),
        cmocka_unit_test(a_timer_from_outside_wakes_a_sleeper),
        cmocka_unit_test(a_busy_workers_timer_is_fired_by_a_sleeper),
        cmocka_unit_test(a_woken_workers_timer_is_fired_by_a_sleeper),
    };
    return cmocka_run_group_tests_name("sched/park", tests, NULL, NULL);
}
