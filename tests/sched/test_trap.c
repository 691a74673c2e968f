/*
 * tests/sched/test_trap.c - goal: a task that faults leaves its worker able to
 * run others, the layer above is told of each fault once and in ordinary code,
 * and the signals are the program's again when the last scheduler has stopped.
 * Method: tasks that fault, and a rule that takes every fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <signal.h>

#include "tests/sched/toy.h"
#include "tests/support/faults.h"

enum { FAULTS = 1000 };

static _Atomic(unsigned) told;
static sem_t over;
static toy *again; /* the task that faults */

static const char *take_all(void *arg, const gri_moment *at, gri_fault *fault)
{
    (void)arg, (void)at, (void)fault;
    return NULL;
}

static const gri_trap_ops take = {.refuse = take_all};

/* The task goes on, until it has faulted so often. */
static void on_faulted(gri_worker *worker)
{
    /* relaxed: read when all is over. */
    const unsigned n =
        1 + atomic_fetch_add_explicit(&told, 1, memory_order_relaxed);
    /* An assertion is for the main thread: it would wait in vain. */
    if (worker->trap.fault.signal != SIGSEGV || worker->trap.handling != 0) {
        toy_give_up("this is no fault, or it is still handled");
    }
    if (n < FAULTS) {
        gri_sched_again(worker, &again->task);
    } else {
        (void)sem_post(&over);
    }
}

static void fault_once(gri_worker *worker, toy *self)
{
    (void)worker, (void)self;
    fault_now(FAULT_WRITE_NULL);
}

static void count(gri_worker *worker, toy *self)
{
    if (self->runs < FAULTS) {
        gri_sched_again(worker, &self->task);
    } else {
        (void)sem_post(&over);
    }
}

static const gri_sched_ops faulty_ops = {
    .run = toy_run, .fired = toy_fired, .trap = &take, .faulted = on_faulted};

static void start_faulty(gri_sched *s)
{
    void *users[2] = {NULL, NULL};
    assert_int_equal(gri_sched_init(s, &faulty_ops, &toy_clock, 2, 0, 2, 0), 0);
    assert_int_equal(gri_sched_start(s, users), 0);
}

static void a_worker_goes_on_after_each_fault(void **state)
{
    gri_sched s;
    toy bad = {.fn = fault_once};
    toy good = {.fn = count};
    (void)state;
    assert_int_equal(sem_init(&over, 0, 0), 0);
    again = &bad;
    start_faulty(&s);

    gri_sched_submit(&s, NULL, &bad.task);
    gri_sched_submit(&s, NULL, &good.task);
    toy_wait(&over, "neither came to its end");
    toy_wait(&over, "one did not come to its end");

    toy_stop(&s);
    assert_int_equal(bad.runs, FAULTS);
    assert_int_equal(good.runs, FAULTS);
    assert_int_equal(told, FAULTS);
    (void)sem_destroy(&over);
}

static void ignore(int number)
{
    (void)number;
}

static void (*handler_of(int number))(int)
{
    struct sigaction now;
    assert_int_equal(sigaction(number, NULL, &now), 0);
    return (now.sa_flags & SA_SIGINFO) != 0 ? NULL : now.sa_handler;
}

static void signals_are_the_programs_again_after_the_last(void **state)
{
    gri_sched one, other;
    (void)state;
    assert_true(signal(SIGFPE, ignore) != SIG_ERR);
    toy_start(&one, 1);
    toy_start(&other, 2);
    assert_true(handler_of(SIGFPE) == NULL);

    toy_stop(&one);
    assert_true(handler_of(SIGFPE) == NULL);
    toy_stop(&other);

    assert_true(handler_of(SIGFPE) == ignore);
    assert_true(signal(SIGFPE, SIG_DFL) == ignore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_goes_on_after_each_fault),
        cmocka_unit_test(signals_are_the_programs_again_after_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
