/*
 * Goal:   while turns last too long, all that is not theirs goes on: tasks in
 *         queues and slots, timers, what comes from outside; by spares where no
 *         worker is left, up to their limit; and spares go when they are not
 *         wanted any more, without anything being lost. Beyond the limit timers
 *         fire all the same.
 * Method: tasks that spin or block until the test lets them go, and a test that
 *         waits for what must come. What does not come shows as a stop, which
 *         the watchdog of toy.h ends.
 *
 * Planted one at a time, and seen to stop here: spares that are not called; one
 * that comes back and is not counted as present; a watchdog that nobody wakes,
 * or that fires no timers, or those of one worker only, or that sleeps although
 * it saw a worker stuck.
 * Not seen, as others find the same a little later: a watchdog that gives away
 * nothing of what stands behind a turn, or leaves the limit of those awake as
 * it is. For the way in and out see tests/model/spare.pml.
 */
#include "tests/sched/toy.h"

static gri_sched s;
static sem_t gate, done;
static _Atomic(unsigned) begun, go, noted, short_of, outside;

static void on_short(gri_sched *sched)
{
    (void)sched;
    atomic_fetch_add_explicit(&short_of, 1, memory_order_release);
}

static void on_outside(gri_sched *sched, const gri_fired *fired)
{
    toy *task = fired->payload;
    gri_sched_submit(sched, NULL, &task->task);
    atomic_fetch_add_explicit(&outside, 1, memory_order_release);
}

static const gri_sched_ops ops = {.run = toy_run,
                                  .fired = toy_fired,
                                  .short_of_spares = on_short,
                                  .fired_outside = on_outside};

static void start_with(const gri_sched_ops *with, unsigned workers,
                       unsigned spares, unsigned processors)
{
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&done, 0, 0), 0);
    atomic_store_explicit(&begun, 0, memory_order_relaxed);
    atomic_store_explicit(&go, 0, memory_order_relaxed);
    atomic_store_explicit(&noted, 0, memory_order_relaxed);
    atomic_store_explicit(&short_of, 0, memory_order_relaxed);
    atomic_store_explicit(&outside, 0, memory_order_relaxed);
    toy_start_with(&s, with, workers, spares, processors);
}

static void start(unsigned workers, unsigned spares, unsigned processors)
{
    start_with(&ops, workers, spares, processors);
}

/* ---- tasks ---- */

static void note(gri_worker *worker, toy *self)
{
    (void)worker, (void)self;
    atomic_fetch_add_explicit(&noted, 1, memory_order_release);
}

static void spin(gri_worker *worker, toy *self)
{
    (void)worker;
    atomic_fetch_add_explicit(&begun, 1, memory_order_release);
    toy_wait_for(&go, 1, "the test does not let its tasks go");
    (void)self;
    (void)sem_post(&done);
}

static void block(gri_worker *worker, toy *self)
{
    (void)worker, (void)self;
    atomic_fetch_add_explicit(&begun, 1, memory_order_release);
    toy_wait(&gate, "the test does not let its tasks go");
    (void)sem_post(&done);
}

enum { BEHIND = 3 };

static toy behind[8][BEHIND];

/* One goes into the slot, the others into the queue. */
static void leave_behind_and_spin(gri_worker *worker, toy *self)
{
    for (unsigned i = 0; i < BEHIND; i++) {
        behind[self->number][i] = (toy){.fn = note};
        gri_sched_submit(worker->sched, worker, &behind[self->number][i].task);
    }
    spin(worker, self);
}

/* ---- helpers ---- */

static toy stuck[8];

/* n tasks that each keep a worker. */
static void get_stuck(unsigned n, toy_fn *fn)
{
    for (unsigned i = 0; i < n; i++) {
        stuck[i] = (toy){.fn = fn, .number = i};
        gri_sched_submit(&s, NULL, &stuck[i].task);
        toy_wait_for(&begun, i + 1, "a task waits behind those that are stuck");
    }
}

static void let_go(unsigned n)
{
    atomic_store_explicit(&go, 1, memory_order_release);
    for (unsigned i = 0; i < n; i++) {
        (void)sem_post(&gate);
    }
    for (unsigned i = 0; i < n; i++) {
        toy_wait(&done, "a task that was stuck does not end");
    }
}

/* Until the watchdog wants no spare any more. */
static void wait_for_base(void)
{
    const int64_t until_ns =
        gri_clock_ns(&toy_clock) + TOY_WATCHDOG_S * INT64_C(1000000000);
    while (atomic_load_explicit(&s.members, memory_order_acquire) != s.base) {
        if (gri_clock_ns(&toy_clock) > until_ns) {
            toy_give_up("spares stay in service");
        }
        (void)sched_yield();
    }
}

/* ---- tests ---- */

/* Each of them needs a worker that the ones before have not got. */
static void as_many_get_stuck_as_there_are_workers_and_spares(void **state)
{
    (void)state;
    static const struct {
        unsigned workers, spares, processors;
        toy_fn *fn;
    } of[] = {{1, 1, 1, spin},  {1, 2, 2, spin}, {2, 2, 2, spin},
              {2, 4, 2, spin},  {4, 2, 2, spin}, {1, 3, 2, block},
              {2, 4, 2, block}, {4, 4, 2, block}};
    for (unsigned i = 0; i < sizeof of / sizeof of[0]; i++) {
        start(of[i].workers, of[i].spares, of[i].processors);
        const unsigned all = of[i].workers + of[i].spares;
        get_stuck(all, of[i].fn);
        assert_int_equal(gri_sched_started(&s), all);
        let_go(all);
        wait_for_base();
        toy_stop(&s);
    }
}

static void what_stands_behind_goes_on(void **state)
{
    (void)state;
    enum { ROUNDS = 10 };
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        start(workers, 2, 2);
        for (unsigned round = 0; round < ROUNDS; round++) {
            atomic_store_explicit(&begun, 0, memory_order_relaxed);
            atomic_store_explicit(&go, 0, memory_order_relaxed);
            atomic_store_explicit(&noted, 0, memory_order_relaxed);
            get_stuck(workers, leave_behind_and_spin);
            toy_wait_for(&noted, workers * BEHIND,
                         "what stands behind a turn waits for its end");
            let_go(workers);
        }
        toy_stop(&s);
    }
}

/* ---- timers ---- */

static toy ringer;

static void ring(gri_worker *worker, toy *self)
{
    (void)worker, (void)self;
    atomic_fetch_add_explicit(&noted, 1, memory_order_release);
}

static gri_timer timers[8];

/* Its own timer, due when it is stuck for long. */
static void arm_and_spin(gri_worker *worker, toy *self)
{
    gri_timer *t = &timers[self->number];
    *t = (gri_timer){.payload = &behind[self->number][0]};
    behind[self->number][0] = (toy){.fn = ring};
    if (gri_sched_arm(worker->sched, worker, t,
                      gri_clock_ns(&toy_clock) + 40 * GRI_NS_PER_MS) < 0) {
        toy_give_up("no memory for a timer");
    }
    spin(worker, self);
}

static void timers_fire_while_all_workers_are_stuck(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        start(workers, 1, 2);
        get_stuck(workers, arm_and_spin);
        toy_wait_for(&noted, workers, "a stuck worker's timer waits for it");
        /* From outside: worker 0's, which is stuck. */
        gri_timer t = {.payload = &ringer};
        ringer = (toy){.fn = ring};
        assert_int_equal(
            gri_sched_arm(&s, NULL, &t,
                          gri_clock_ns(&toy_clock) + GRI_NS_PER_MS),
            0);
        toy_wait_for(&noted, workers + 1, "a timer waits for a stuck worker");
        let_go(workers);
        toy_stop(&s);
    }
}

/* A timer that was armed on a spare, which is out when it is due. */
static gri_timer late;
static _Atomic(unsigned) on_spare;

static void arm_late(gri_worker *worker, toy *self)
{
    (void)self;
    late = (gri_timer){.payload = &ringer};
    if (gri_sched_arm(worker->sched, worker, &late,
                      gri_clock_ns(&toy_clock) + 60 * GRI_NS_PER_MS) < 0) {
        toy_give_up("no memory for a timer");
    }
    if (worker->index >= worker->sched->base) {
        /* relaxed: published by the next. */
        atomic_fetch_add_explicit(&on_spare, 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&begun, 1, memory_order_release);
}

static void a_timer_of_a_spare_that_is_out_fires(void **state)
{
    (void)state;
    enum { ROUNDS = 5 };
    start(1, 1, 1);
    atomic_store_explicit(&on_spare, 0, memory_order_relaxed);
    /* Now and then the spare of the round before is not out yet, and gets
     * stuck; then the timer is the worker's. */
    while (atomic_load_explicit(&on_spare, memory_order_relaxed) < ROUNDS) {
        atomic_store_explicit(&begun, 0, memory_order_relaxed);
        atomic_store_explicit(&go, 0, memory_order_relaxed);
        atomic_store_explicit(&noted, 0, memory_order_relaxed);
        ringer = (toy){.fn = ring};
        get_stuck(1, spin);
        toy arm = {.fn = arm_late};
        gri_sched_submit(&s, NULL, &arm.task);
        toy_wait_for(&begun, 2, "a task waits behind one that is stuck");
        let_go(1);
        toy_wait_for(&noted, 1, "a timer of a spare is lost");
        wait_for_base();
    }
    toy_stop(&s);
}

/* It runs no task: who is there for a timer's end runs later. */
static void timers_fire_while_no_spare_is_left(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        for (unsigned spares = 0; spares < 2; spares++) {
            const unsigned all = workers + spares;
            start(workers, spares, 2);
            get_stuck(all, arm_and_spin);
            toy_wait_for(&outside, all, "a timer waits for a stuck worker");
            gri_timer t = {.payload = &ringer};
            ringer = (toy){.fn = ring};
            assert_int_equal(
                gri_sched_arm(&s, NULL, &t,
                              gri_clock_ns(&toy_clock) + GRI_NS_PER_MS),
                0);
            toy_wait_for(&outside, all + 1, "a later one does");
            assert_int_equal(atomic_load_explicit(&noted, memory_order_acquire),
                             0);
            let_go(all);
            toy_wait_for(&noted, all + 1, "what was there for one is lost");
            toy_stop(&s);
        }
    }
}

static void wait_for_more(_Atomic(unsigned) *word, unsigned before)
{
    const int64_t until_ns =
        gri_clock_ns(&toy_clock) + TOY_WATCHDOG_S * INT64_C(1000000000);
    while (atomic_load_explicit(word, memory_order_acquire) == before) {
        if (gri_clock_ns(&toy_clock) > until_ns) {
            toy_give_up("the watchdog fires no timer");
        }
        (void)sched_yield();
    }
}

/* While workers come back: each once, by one of them or the watchdog. */
static void no_timer_fires_twice(void **state)
{
    (void)state;
    enum { ROUNDS = 40, TIMERS = 100, SPAN_NS = 12 * 1000 * 1000 };
    static gri_timer timer[TIMERS];
    static toy rung[TIMERS];
    gri_rng rng = {11};
    start(2, 0, 2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        atomic_store_explicit(&begun, 0, memory_order_relaxed);
        atomic_store_explicit(&go, 0, memory_order_relaxed);
        atomic_store_explicit(&noted, 0, memory_order_relaxed);
        get_stuck(2, spin);
        /* Before they are armed: if this thread then waits for a processor
         * longer than SPAN_NS, the watchdog has fired all of them. */
        const unsigned by_watchdog =
            atomic_load_explicit(&outside, memory_order_acquire);
        const int64_t now_ns = gri_clock_ns(&toy_clock);
        for (unsigned i = 0; i < TIMERS; i++) {
            rung[i] = (toy){.fn = ring};
            timer[i] = (gri_timer){.payload = &rung[i]};
            assert_int_equal(
                gri_sched_arm(&s, NULL, &timer[i],
                              now_ns + gri_rng_below(&rng, SPAN_NS)),
                0);
        }
        if (round % 2 == 0) {
            wait_for_more(&outside, by_watchdog);
        }
        let_go(2);
        toy_wait_for(&noted, TIMERS, "a timer is lost");
    }
    toy_settle(&s);
    for (unsigned i = 0; i < TIMERS; i++) {
        assert_int_equal(rung[i].runs, 1);
    }
    toy_stop(&s);
}

/* ---- the limit ---- */

static void beyond_the_spares_it_waits_and_is_counted(void **state)
{
    (void)state;
    start(1, 1, 1);
    get_stuck(2, spin);
    toy task = {.fn = note};
    gri_sched_submit(&s, NULL, &task.task);
    toy_wait_for(&short_of, 1, "nobody says that there are too few spares");
    assert_int_equal(atomic_load_explicit(&noted, memory_order_acquire), 0);
    assert_int_equal(gri_sched_started(&s), 2);
    let_go(2);
    toy_wait_for(&noted, 1, "what waited for a spare is lost");
    wait_for_base();
    toy_settle(&s);
    assert_int_equal(atomic_load_explicit(&short_of, memory_order_acquire), 1);
    assert_int_equal(
        atomic_load_explicit(&s.watchdog.missed, memory_order_relaxed), 1);
    assert_int_equal(
        atomic_load_explicit(&s.watchdog.most, memory_order_relaxed), 1);
    toy_stop(&s);
}

/* ---- coming and going ---- */

static void count_up(gri_worker *worker, toy *self)
{
    (void)worker;
    atomic_store_explicit(&noted, self->runs, memory_order_release);
}

static void spares_come_and_go_and_nothing_is_lost(void **state)
{
    (void)state;
    enum { ROUNDS = 60, TASKS = 200 };
    gri_rng rng = {7};
    start(1, 2, 2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        toy task = {.fn = count_up};
        const unsigned n = 1 + gri_rng_below(&rng, 2);
        atomic_store_explicit(&begun, 0, memory_order_relaxed);
        atomic_store_explicit(&go, 0, memory_order_relaxed);
        atomic_store_explicit(&noted, 0, memory_order_relaxed);
        get_stuck(n, round % 2 == 0 ? spin : block);
        for (unsigned i = 1; i <= TASKS; i++) {
            if (i == TASKS / 2) {
                let_go(n); /* while tasks come and the spares are at it */
            }
            gri_sched_submit(&s, NULL, &task.task);
            toy_wait_for(&noted, i, "a task is lost between spares");
        }
    }
    wait_for_base();
    toy_settle(&s);
    toy_stop(&s);
}

/* The watchdog sleeps while all others do, and wakes with them. */
static void the_watchdog_sleeps_and_wakes(void **state)
{
    (void)state;
    enum { ROUNDS = 50 };
    start(1, 1, 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        toy_settle(&s);
        const int64_t until_ns =
            gri_clock_ns(&toy_clock) + TOY_WATCHDOG_S * INT64_C(1000000000);
        while (atomic_load_explicit(&s.watchdog.state, memory_order_acquire) !=
               GRI_WATCH_ASLEEP) {
            if (gri_clock_ns(&toy_clock) > until_ns) {
                toy_give_up("the watchdog stays awake in an idle system");
            }
            (void)sched_yield();
        }
        atomic_store_explicit(&begun, 0, memory_order_relaxed);
        atomic_store_explicit(&go, 0, memory_order_relaxed);
        get_stuck(2, spin); /* the second needs the spare, so the watchdog */
        let_go(2);
    }
    toy_stop(&s);
}

static _Atomic(gri_worker *) last; /* it has this turn */

static void block_last(gri_worker *worker, toy *self)
{
    atomic_store_explicit(&last, worker, memory_order_release);
    block(worker, self);
}

static bool is_quiet(gri_sched *sched, unsigned others)
{
    bool quiet = atomic_load_explicit(&sched->parked, memory_order_seq_cst) ==
                 (UINT64_C(1) << others) - 1;
    for (unsigned i = 0; i < others; i++) {
        quiet =
            quiet && atomic_load_explicit(&sched->workers[i].up_ns,
                                          memory_order_seq_cst) == GRI_NEVER;
    }
    return quiet;
}

/* Until all others sleep, and look around no more. */
static void wait_for_quiet(gri_sched *sched, unsigned others)
{
    const int64_t until_ns =
        gri_clock_ns(&toy_clock) + TOY_WATCHDOG_S * INT64_C(1000000000);
    while (!is_quiet(sched, others)) {
        if (gri_clock_ns(&toy_clock) > until_ns) {
            toy_give_up("workers without work look around");
        }
        (void)sched_yield();
    }
}

/* Ends that turn within a look of the watchdog that began while it was the only
 * one, and its worker a spare that is wanted no more. */
static void end_within_a_look(gri_worker *worker, const gri_sight *sight)
{
    enum { LAST = 2, LOOKS = 3 };
    static unsigned looks; /* that saw it so, one after the other */
    (void)sight;
    gri_sched *sched = worker->sched;
    if (worker != atomic_load_explicit(&last, memory_order_acquire)) {
        return;
    }
    const bool is_alone =
        atomic_load_explicit(&sched->members, memory_order_relaxed) == LAST &&
        atomic_load_explicit(&sched->parked, memory_order_acquire) ==
            (1U << LAST) - 1;
    looks = is_alone ? looks + 1 : 0;
    if (looks < LOOKS && worker->index == LAST) {
        return;
    }
    /* On another worker, as on a busy machine, it just ends. */
    looks = 0;
    atomic_store_explicit(&last, NULL, memory_order_relaxed);
    (void)sem_post(&gate);
    toy_wait(&done, "a task that blocked does not end");
    if (worker->index == LAST) {
        wait_for_quiet(sched, LAST);
    }
    atomic_fetch_add_explicit(&noted, 1, memory_order_release);
}

static void what_was_lent_for_a_turn_that_ends_within_a_look_goes(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    gri_sched_ops with_look = ops;
    with_look.watched = end_within_a_look;
    start_with(&with_look, 1, 2, 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        atomic_store_explicit(&begun, 0, memory_order_relaxed);
        atomic_store_explicit(&go, 0, memory_order_relaxed);
        get_stuck(2, spin);
        toy one = {.fn = block_last};
        gri_sched_submit(&s, NULL, &one.task);
        toy_wait_for(&begun, 3, "a task waits behind those that are stuck");
        atomic_store_explicit(&go, 1, memory_order_release); /* but not it */
        toy_wait(&done, "a task that was stuck does not end");
        toy_wait(&done, "a task that was stuck does not end");
        toy_wait_for(&noted, round + 1, "the watchdog does not look");
        wait_for_base();
        toy_settle(&s);
    }
    toy_stop(&s);
}

static void a_stop_waits_for_spares_too(void **state)
{
    (void)state;
    enum { ROUNDS = 20 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        start(1, 2, 2);
        get_stuck(3, spin);
        if (round % 2 == 0) {
            let_go(3);
            toy_stop(&s);
            continue;
        }
        /* All are stuck: it gives up in time, and says so. */
        assert_true(gri_watchdog_stop(&s, GRI_NEVER));
        assert_false(gri_sched_has_left(
            &s, &s.workers[2].left, gri_clock_ns(&toy_clock) + GRI_NS_PER_MS));
        let_go(3);
        toy_stop(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_get_stuck_as_there_are_workers_and_spares),
        cmocka_unit_test(what_stands_behind_goes_on),
        cmocka_unit_test(timers_fire_while_all_workers_are_stuck),
        cmocka_unit_test(a_timer_of_a_spare_that_is_out_fires),
        cmocka_unit_test(timers_fire_while_no_spare_is_left),
        cmocka_unit_test(no_timer_fires_twice),
        cmocka_unit_test(beyond_the_spares_it_waits_and_is_counted),
        cmocka_unit_test(spares_come_and_go_and_nothing_is_lost),
        cmocka_unit_test(the_watchdog_sleeps_and_wakes),
        cmocka_unit_test(what_was_lent_for_a_turn_that_ends_within_a_look_goes),
        cmocka_unit_test(a_stop_waits_for_spares_too),
    };
    return cmocka_run_group_tests_name("sched/watchdog", tests, NULL, NULL);
}
