/*
 * Goal:   timers fire in the order of their times, equal times in the order
 *         they were armed, and each either fires or is disarmed, never both.
 * Method: one by one; then a long random sequence against a list that is
 *         searched from end to end; then threads that arm and disarm while
 *         others fire, where the payload's plain variable belongs to whoever
 *         was told that it is his.
 *
 * Planted one at a time, and seen to fail here: `take_out` that only sinks, or
 * only rises; equal times without their order; `disarm` without looking at the
 * place; `disarm` without publishing the next time; `take` without the lock.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include "base/clock.h"
#include "base/rng.h"
#include "sched/timer.h"

static int setup(void **state)
{
    static gri_timers timers;
    *state = &timers;
    return gri_timers_init(&timers);
}

static int teardown(void **state)
{
    gri_timers_fini(*state);
    return 0;
}

static void assert_arms(gri_timers *ts, gri_timer *t, int64_t due_ns,
                        bool earliest)
{
    bool is_first = !earliest;
    assert_int_equal(gri_timers_arm(ts, t, due_ns, &is_first), 0);
    assert_int_equal(is_first, earliest);
}

static void assert_fires(gri_timers *ts, int64_t now_ns, gri_timer *t)
{
    gri_fired fired = {NULL, 0, 0};
    void *payload = t->payload;
    assert_true(gri_timers_take(ts, now_ns, &fired));
    assert_ptr_equal(fired.payload, payload);
    assert_int_equal(fired.a, t->a);
    assert_int_equal(fired.b, t->b);
    assert_null(t->payload);
}

static void assert_quiet(gri_timers *ts, int64_t now_ns)
{
    gri_fired fired;
    assert_false(gri_timers_take(ts, now_ns, &fired));
}

static void timers_fire_when_due_and_in_order(void **state)
{
    gri_timers *ts = *state;
    int x;
    gri_timer a = {.payload = &x, .a = 1, .b = 10};
    gri_timer b = {.payload = &x, .a = 2, .b = 20};
    gri_timer c = {.payload = &x, .a = 3, .b = 30};
    assert_int_equal(gri_timers_next(ts), GRI_NEVER);
    assert_quiet(ts, INT64_MAX - 1);
    assert_arms(ts, &b, 200, true);
    assert_arms(ts, &c, 300, false);
    assert_arms(ts, &a, 100, true);
    assert_int_equal(gri_timers_next(ts), 100);
    assert_quiet(ts, 99);
    assert_fires(ts, 100, &a);
    assert_quiet(ts, 199);
    assert_int_equal(gri_timers_next(ts), 200);
    assert_fires(ts, 1000, &b);
    assert_fires(ts, 1000, &c);
    assert_quiet(ts, 1000);
    assert_int_equal(gri_timers_next(ts), GRI_NEVER);
}

static void equal_times_fire_in_the_order_armed(void **state)
{
    gri_timers *ts = *state;
    enum { N = 100 };
    static gri_timer t[N];
    for (unsigned i = 0; i < N; i++) {
        t[i] = (gri_timer){.a = i};
        assert_arms(ts, &t[i], 5, i == 0);
    }
    /* Some taken out of the middle must not change the rest's order. */
    for (unsigned i = 0; i < N; i += 7) {
        assert_true(gri_timer_disarm(&t[i]));
    }
    for (unsigned i = 0; i < N; i++) {
        if (i % 7 != 0) {
            assert_fires(ts, 5, &t[i]);
        }
    }
    assert_quiet(ts, 5);
}

static void a_timer_is_disarmed_or_fires(void **state)
{
    gri_timers *ts = *state;
    gri_timer a = {.a = 1};
    gri_timer b = {.a = 2};
    gri_timer never = {.a = 3};
    assert_false(gri_timer_disarm(&never));
    assert_arms(ts, &a, 10, true);
    assert_arms(ts, &b, 20, false);
    assert_true(gri_timer_disarm(&a));
    assert_int_equal(gri_timers_next(ts), 20);
    assert_false(gri_timer_disarm(&a));
    assert_fires(ts, 20, &b);
    assert_false(gri_timer_disarm(&b));
    assert_int_equal(gri_timers_next(ts), GRI_NEVER);
    assert_arms(ts, &b, 30, true); /* and again */
    assert_true(gri_timer_disarm(&b));
    assert_quiet(ts, 1000);
}

static void a_timer_moves_to_another_store(void **state)
{
    gri_timers *ts = *state;
    gri_timers second;
    gri_timer t = {.a = 1};
    assert_int_equal(gri_timers_init(&second), 0);
    assert_arms(ts, &t, 10, true);
    assert_fires(ts, 10, &t);
    assert_arms(&second, &t, 20, true);
    assert_int_equal(gri_timers_next(ts), GRI_NEVER);
    assert_true(gri_timer_disarm(&t));
    assert_int_equal(gri_timers_next(&second), GRI_NEVER);
    gri_timers_fini(&second);
}

/* ---- against a reference ---------------------------------------------------
 */

enum { TIMERS = 1000, STEPS = 50000 };

typedef struct expected {
    bool armed;
    int64_t due_ns;
    uint64_t order;
} expected;

/* The one that must be first, or TIMERS. */
static unsigned first_of(const expected *list)
{
    unsigned best = TIMERS;
    for (unsigned i = 0; i < TIMERS; i++) {
        if (list[i].armed &&
            (best == TIMERS || list[i].due_ns < list[best].due_ns ||
             (list[i].due_ns == list[best].due_ns &&
              list[i].order < list[best].order))) {
            best = i;
        }
    }
    return best;
}

static void a_random_sequence_agrees_with_a_plain_list(void **state)
{
    gri_timers *ts = *state;
    static gri_timer t[TIMERS];
    static expected list[TIMERS];
    gri_rng rng = {4711};
    int64_t now_ns = 0;
    uint64_t order = 0;
    unsigned most = 0;
    unsigned armed = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        t[i] = (gri_timer){.a = i};
    }
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = gri_rng_below(&rng, TIMERS);
        unsigned best = first_of(list);
        assert_int_equal(gri_timers_next(ts),
                         best == TIMERS ? GRI_NEVER : list[best].due_ns);
        if (gri_rng_below(&rng, 20) == 0) {
            gri_fired fired;
            now_ns += gri_rng_below(&rng, 50);
            bool due = best != TIMERS && list[best].due_ns <= now_ns;
            assert_int_equal(gri_timers_take(ts, now_ns, &fired), due);
            if (due) {
                assert_int_equal(fired.a, best);
                list[best].armed = false;
                armed--;
            }
        } else if (list[i].armed) {
            if (gri_rng_below(&rng, 2) == 0) {
                assert_true(gri_timer_disarm(&t[i]));
                list[i].armed = false;
                armed--;
            }
        } else {
            list[i] =
                (expected){true, now_ns + gri_rng_below(&rng, 1000), order++};
            assert_int_equal(gri_timers_arm(ts, &t[i], list[i].due_ns, NULL),
                             0);
            armed++;
        }
        most = armed > most ? armed : most;
    }
    assert_true(most > 256); /* the heap has grown several times */
}

/* ---- races ------------------------------------------------------------------
 */

enum { RACERS = 3, ROUNDS = 20000 };

static gri_timers shared;
static _Atomic(unsigned) running;
static _Atomic(uint64_t) fires; /* relaxed: a sum */

/* Plain on purpose: it is whose the timers say, and nobody else's. */
typedef struct parcel {
    uint64_t uses;
} parcel;

static parcel parcels[RACERS];

static void *arm_and_disarm(void *arg)
{
    parcel *mine = arg;
    gri_timer t = {.payload = NULL};
    uint64_t kept = 0;
    uint64_t before = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        mine->uses++;
        t.payload = mine;
        t.a = i;
        if (gri_timers_arm(&shared, &t, (int64_t)(i % 3), NULL) < 0) {
            break;
        }
        if (i % 2 == 0) {
            (void)sched_yield();
        }
        if (gri_timer_disarm(&t)) {
            before = ++mine->uses;
            kept++;
        } else {
            /* Who fired adds one: then it is ours again. The store's lock,
             * taken once more, would order nothing it does later: look. */
            _Atomic(uint64_t) *uses = (_Atomic(uint64_t) *)(void *)&mine->uses;
            while (atomic_load_explicit(uses, memory_order_acquire) ==
                   before + 1) {
                (void)sched_yield();
            }
            before += 2;
        }
    }
    atomic_fetch_sub_explicit(&running, 1, memory_order_release);
    return (void *)(uintptr_t)kept;
}

static void *fire(void *arg)
{
    (void)arg;
    uint64_t mine = 0;
    while (atomic_load_explicit(&running, memory_order_acquire) > 0) {
        gri_fired fired;
        if (gri_timers_take(&shared, 2, &fired)) {
            parcel *p = fired.payload;
            /* A release for who waits; a second owner would be a race. */
            uint64_t uses = p->uses;
            atomic_store_explicit((_Atomic(uint64_t) *)(void *)&p->uses,
                                  uses + 1, memory_order_release);
            mine++;
        } else {
            (void)sched_yield();
        }
    }
    atomic_fetch_add_explicit(&fires, mine, memory_order_relaxed);
    return NULL;
}

static void each_timer_has_one_end_in_a_race(void **state)
{
    (void)state;
    pthread_t racer[RACERS];
    pthread_t firer[2];
    uint64_t disarmed = 0;
    assert_int_equal(gri_timers_init(&shared), 0);
    atomic_store_explicit(&running, RACERS, memory_order_relaxed);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&firer[i], NULL, fire, NULL), 0);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        assert_int_equal(
            pthread_create(&racer[i], NULL, arm_and_disarm, &parcels[i]), 0);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        void *kept;
        assert_int_equal(pthread_join(racer[i], &kept), 0);
        disarmed += (uintptr_t)kept;
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(firer[i], NULL), 0);
    }
    assert_int_equal(gri_timers_next(&shared), GRI_NEVER);
    assert_int_equal(disarmed +
                         atomic_load_explicit(&fires, memory_order_relaxed),
                     RACERS * ROUNDS);
    for (unsigned i = 0; i < RACERS; i++) {
        assert_int_equal(parcels[i].uses, 2 * ROUNDS);
    }
    gri_timers_fini(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_when_due_and_in_order,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(equal_times_fire_in_the_order_armed,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_is_disarmed_or_fires, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_timer_moves_to_another_store, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_random_sequence_agrees_with_a_plain_list, setup, teardown),
        cmocka_unit_test(each_timer_has_one_end_in_a_race),
    };
    return cmocka_run_group_tests_name("sched/timer", tests, NULL, NULL);
}
