/*
 * Goal:   every submitted task runs, once for each submission, in both modes;
 *         deterministic mode is a function of its seed; the end has a deadline.
 * Method: toy tasks that count themselves in plain variables: two runs at a
 *         time, or a run that does not see the one before, is a data race.
 *
 * Planted one at a time, and seen to fail here: a stop that does not wake; a
 * task lost when the queue is full; a slot without a limit; tasks from outside
 * that are not counted.
 */
#include <string.h>

#include "tests/sched/toy.h"

/* ---- deterministic mode ----------------------------------------------------
 */

enum { SIM_TASKS = 200 };

static gri_sched sim;
static toy sim_toy[SIM_TASKS];
static unsigned sim_log[8 * SIM_TASKS];
static unsigned sim_logged;

static void sim_note(gri_worker *worker, toy *self)
{
    (void)worker;
    sim_log[sim_logged++] = self->number;
}

static void sim_note_twice(gri_worker *worker, toy *self)
{
    sim_note(worker, self);
    if (self->runs < 2) {
        gri_sched_again(worker, &self->task);
    }
}

static void sim_init(uint64_t seed, const gri_clock *clock, toy_fn *fn)
{
    void *users[1] = {NULL};
    assert_int_equal(gri_sched_init(&sim, &toy_ops, clock, 4, 0, 4, seed), 0);
    assert_int_equal(sim.n, 1);
    assert_int_equal(gri_sched_start(&sim, users), 0);
    sim_logged = 0;
    for (unsigned i = 0; i < SIM_TASKS; i++) {
        sim_toy[i] = (toy){.fn = fn, .number = i};
    }
}

static void sim_fini(void)
{
    assert_true(gri_sched_stop(&sim, GRI_NEVER));
    gri_sched_fini(&sim);
}

/* Runs all tasks twice under a seed; the order is in sim_log. */
static uint64_t sim_run_all(uint64_t seed)
{
    sim_init(seed, &toy_clock, sim_note_twice);
    for (unsigned i = 0; i < SIM_TASKS; i++) {
        gri_sched_submit(&sim, NULL, &sim_toy[i].task);
    }
    unsigned turns = 0;
    while (gri_sched_sim_turn(&sim)) {
        turns++;
    }
    assert_int_equal(turns, 2 * SIM_TASKS);
    assert_int_equal(sim_logged, 2 * SIM_TASKS);
    for (unsigned i = 0; i < SIM_TASKS; i++) {
        assert_int_equal(sim_toy[i].runs, 2);
    }
    uint64_t trace = sim.sim_trace;
    sim_fini();
    return trace;
}

static void a_seed_decides_the_order(void **state)
{
    (void)state;
    static unsigned first[2 * SIM_TASKS];
    uint64_t trace = sim_run_all(1);
    memcpy(first, sim_log, sizeof first);
    assert_true(sim_run_all(1) == trace);
    assert_memory_equal(sim_log, first, sizeof first);
    assert_false(sim_run_all(2) == trace);
    assert_memory_not_equal(sim_log, first, sizeof first);
}

static void every_order_of_two_tasks_comes_up(void **state)
{
    (void)state;
    unsigned seen[2] = {0, 0};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        sim_init(seed, &toy_clock, sim_note);
        gri_sched_submit(&sim, NULL, &sim_toy[0].task);
        gri_sched_submit(&sim, NULL, &sim_toy[1].task);
        assert_true(gri_sched_sim_turn(&sim));
        assert_true(gri_sched_sim_turn(&sim));
        assert_false(gri_sched_sim_turn(&sim));
        seen[sim_log[0]]++;
        sim_fini();
    }
    assert_true(seen[0] >= 20);
    assert_true(seen[1] >= 20);
}

static void virtual_timers_fire_when_the_clock_is_there(void **state)
{
    (void)state;
    int64_t now_ns = 0;
    gri_clock clock = {.is_virtual = true, .now_ns = &now_ns};
    gri_timer timer[3] = {{.payload = &sim_toy[0]},
                          {.payload = &sim_toy[1]},
                          {.payload = &sim_toy[2]}};
    sim_init(7, &clock, sim_note);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(gri_sched_arm(&sim, NULL, &timer[i], 100 - i), 0);
    }
    assert_false(gri_sched_sim_fire(&sim));
    now_ns = 98;
    assert_true(gri_sched_sim_fire(&sim));
    assert_false(gri_sched_sim_fire(&sim));
    assert_true(gri_sched_sim_turn(&sim));
    assert_false(gri_sched_sim_turn(&sim));
    assert_int_equal(sim_log[0], 2);
    assert_true(gri_timer_disarm(&timer[1]));
    now_ns = 1000;
    assert_true(gri_sched_sim_fire(&sim));
    assert_true(gri_sched_sim_turn(&sim));
    assert_false(gri_sched_sim_turn(&sim));
    assert_int_equal(sim_log[1], 0);
    sim_fini();
}

/* ---- real threads ---- */

enum { TASKS = 64, GENERATIONS = 500, WORKERS = 4 };

static gri_sched real;
static toy real_toy[TASKS];
static sem_t finished;

/* Goes on by itself, by one more submission, or through another thread. */
static void live_long(gri_worker *worker, toy *self)
{
    if (self->runs == GENERATIONS) {
        (void)sem_post(&finished);
    } else if (self->runs % 7 == 0) {
        gri_sched_submit(worker->sched, NULL, &self->task);
    } else if (self->runs % 2 == 0) {
        gri_sched_submit(worker->sched, worker->sched->is_sim ? NULL : worker,
                         &self->task);
    } else {
        gri_sched_again(worker, &self->task);
    }
}

static void each_submission_is_one_run(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&finished, 0, 0), 0);
    toy_start(&real, WORKERS);
    for (unsigned i = 0; i < TASKS; i++) {
        real_toy[i] = (toy){.fn = live_long};
        gri_sched_submit(&real, NULL, &real_toy[i].task);
    }
    for (unsigned i = 0; i < TASKS; i++) {
        toy_wait(&finished, "a task that was submitted does not run");
    }
    toy_settle(&real);
    assert_false(gri_sched_has_work(&real));
    uint64_t turns = 0;
    for (unsigned i = 0; i < WORKERS; i++) {
        turns +=
            atomic_load_explicit(&real.workers[i].turns, memory_order_relaxed);
    }
    assert_int_equal(turns, TASKS * GENERATIONS);
    toy_stop(&real);
    for (unsigned i = 0; i < TASKS; i++) {
        assert_int_equal(real_toy[i].runs, GENERATIONS);
    }
}

/* More than a queue holds, made in one turn. */
enum { FLOOD = 3 * GRI_RUNQ_SIZE };
static toy flood_toy[FLOOD];

static void finish(gri_worker *worker, toy *self)
{
    (void)worker;
    (void)self;
    (void)sem_post(&finished);
}

static void submit_flood(gri_worker *worker, toy *self)
{
    (void)self;
    for (unsigned i = 0; i < FLOOD; i++) {
        gri_sched_submit(worker->sched, worker, &flood_toy[i].task);
    }
}

static void a_full_queue_overflows_to_all(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&finished, 0, 0), 0);
    toy_start(&real, WORKERS);
    for (unsigned i = 0; i < FLOOD; i++) {
        flood_toy[i] = (toy){.fn = finish};
    }
    toy source = {.fn = submit_flood};
    gri_sched_submit(&real, NULL, &source.task);
    for (unsigned i = 0; i < FLOOD; i++) {
        toy_wait(&finished, "an overflowing task does not run");
    }
    toy_stop(&real);
    for (unsigned i = 0; i < FLOOD; i++) {
        assert_int_equal(flood_toy[i].runs, 1);
    }
}

/* On one worker two tasks that submit each other never leave the slot: a third
 * must have its turn all the same. */
static toy pair[2];
static toy third;
static _Atomic(unsigned) third_ran;

static void submit_partner(gri_worker *worker, toy *self)
{
    if (self->number == 0 && self->runs == 1) {
        /* Displaced from the slot below, it stands in the worker's queue. */
        gri_sched_submit(worker->sched, worker, &third.task);
    }
    if (atomic_load_explicit(&third_ran, memory_order_relaxed) == 0) {
        gri_sched_submit(worker->sched, worker, &pair[1 - self->number].task);
    } else {
        (void)sem_post(&finished);
    }
}

static void run_as_third(gri_worker *worker, toy *self)
{
    (void)worker;
    (void)self;
    atomic_store_explicit(&third_ran, 1, memory_order_relaxed);
}

static void two_that_talk_do_not_starve_a_third(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&finished, 0, 0), 0);
    toy_start(&real, 1);
    pair[0] = (toy){.fn = submit_partner, .number = 0};
    pair[1] = (toy){.fn = submit_partner, .number = 1};
    third = (toy){.fn = run_as_third};
    gri_sched_submit(&real, NULL, &pair[0].task);
    toy_wait(&finished, "two tasks keep a third from running");
    toy_stop(&real);
    assert_int_equal(third.runs, 1);
}

/* One that takes long each turn, and always goes on: what it submits itself,
 * into the slot and the queue, and what other threads submit, runs before it
 * goes on. */
enum { LONG_TURNS = 100 };

static toy one_of_slot;
static toy one_of_queue;
static toy one_from_outside;
static unsigned ran_late;

static void run_soon(gri_worker *worker, toy *self)
{
    (void)worker;
    (void)self;
}

static void take_long(gri_worker *worker, toy *self)
{
    if (self->runs > 1) {
        ran_late += one_of_queue.runs != self->runs - 1;
        ran_late += one_of_slot.runs != self->runs - 1;
        ran_late += one_from_outside.runs != self->runs - 1;
    }
    if (self->runs == LONG_TURNS) {
        (void)sem_post(&finished);
        return;
    }
    gri_sched_submit(worker->sched, worker, &one_of_queue.task);
    gri_sched_submit(worker->sched, worker, &one_of_slot.task);
    gri_sched_submit(worker->sched, NULL, &one_from_outside.task);
    gri_sched_look(worker);
    gri_sched_again(worker, &self->task);
}

static void long_turns_go_on_behind_all_others(void **state)
{
    (void)state;
    assert_int_equal(sem_init(&finished, 0, 0), 0);
    toy_start(&real, 1);
    toy long_one = {.fn = take_long};
    one_of_slot = one_of_queue = one_from_outside = (toy){.fn = run_soon};
    ran_late = 0;
    gri_sched_submit(&real, NULL, &long_one.task);
    toy_wait(&finished, "a task that takes long");
    toy_stop(&real);
    assert_int_equal(ran_late, 0);
}

/* ---- the end ---- */

static sem_t held;
static _Atomic(unsigned) hold_it;

static void hold_worker(gri_worker *worker, toy *self)
{
    (void)worker;
    (void)self;
    (void)sem_post(&held);
    toy_wait_for(&hold_it, 0, "the test does not let its task go");
}

static void sleeping_workers_end_at_once(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        toy_start(&real, 1 + round % WORKERS);
        if (round % 3 == 0) {
            toy_settle(&real);
        }
        toy_stop(&real);
    }
}

static void a_task_that_does_not_return_is_told_at_the_deadline(void **state)
{
    (void)state;
    static gri_sched s; /* not freed: nobody may, and it stays reachable */
    static toy holder = {.fn = hold_worker};
    assert_int_equal(sem_init(&held, 0, 0), 0);
    atomic_store_explicit(&hold_it, 1, memory_order_relaxed);
    toy_start(&s, 2);
    gri_sched_submit(&s, NULL, &holder.task);
    toy_wait(&held, "a task does not run");
    assert_false(gri_sched_stop(&s, gri_clock_ns(&toy_clock) + 1));
    atomic_store_explicit(&hold_it, 0, memory_order_release);
    for (unsigned i = 0; i < 2; i++) {
        while (atomic_load_explicit(&s.workers[i].left, memory_order_acquire) ==
               0) {
            (void)sched_yield();
        }
    }
    assert_int_equal(holder.runs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_decides_the_order),
        cmocka_unit_test(every_order_of_two_tasks_comes_up),
        cmocka_unit_test(virtual_timers_fire_when_the_clock_is_there),
        cmocka_unit_test(each_submission_is_one_run),
        cmocka_unit_test(a_full_queue_overflows_to_all),
        cmocka_unit_test(long_turns_go_on_behind_all_others),
        cmocka_unit_test(two_that_talk_do_not_starve_a_third),
        cmocka_unit_test(sleeping_workers_end_at_once),
        cmocka_unit_test(a_task_that_does_not_return_is_told_at_the_deadline),
    };
    return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}
