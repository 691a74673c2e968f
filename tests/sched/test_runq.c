/*
 * Goal:   a run queue gives out each task once, in order to its owner, by
 *         halves to thieves, and what a task holds comes with it.
 * Method: one by one, at the bounds and where the counters wrap; then workers
 *         that each push into their own queue what the tasks they run ask for,
 *         and steal from the others, so that the tasks' plain variables wander
 *         with only the queues to protect them. The counters start just before
 *         they wrap.
 *
 * Planted one at a time, and seen to fail here:
 *   under the thread sanitizer
 *     push:  tail stored relaxed
 *     pop:   head moved by a store and not a compare-and-swap
 *     steal: tail loaded relaxed; own tail stored relaxed
 *   in any build
 *     steal: head moved by a store; the claimed half one too large; one of the
 *            stolen left out
 *     push:  the bound one too high
 * Not seen by either, as neither reorders atomic operations: steal's head
 * loaded or moved relaxed, push's head loaded relaxed.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include "base/rng.h"
#include "sched/runq.h"

static gri_runq queue;
static gri_runq other;
static gri_task task[2 * GRI_RUNQ_SIZE];

/* An empty queue whose counters stand at `at`. */
static void init_at(gri_runq *q, uint32_t at)
{
    gri_runq_init(q);
    atomic_store_explicit(&q->head, at, memory_order_relaxed);
    atomic_store_explicit(&q->tail, at, memory_order_relaxed);
}

static void push_all(gri_runq *q, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        assert_true(gri_runq_push(q, &task[i]));
    }
}

static void assert_gives(gri_runq *q, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        assert_ptr_equal(gri_runq_pop(q), &task[i]);
    }
}

static void the_owner_gets_tasks_in_order(void **state)
{
    (void)state;
    init_at(&queue, 0);
    assert_true(gri_runq_is_empty(&queue));
    assert_null(gri_runq_pop(&queue));
    push_all(&queue, 0, 10);
    assert_false(gri_runq_is_empty(&queue));
    assert_gives(&queue, 0, 5);
    push_all(&queue, 10, 20);
    assert_gives(&queue, 5, 20);
    assert_null(gri_runq_pop(&queue));
    assert_true(gri_runq_is_empty(&queue));
}

static void a_full_queue_takes_no_more(void **state)
{
    (void)state;
    init_at(&queue, UINT32_MAX - 100);
    push_all(&queue, 0, GRI_RUNQ_SIZE);
    assert_false(gri_runq_push(&queue, &task[GRI_RUNQ_SIZE]));
    assert_gives(&queue, 0, 1);
    push_all(&queue, GRI_RUNQ_SIZE, GRI_RUNQ_SIZE + 1);
    assert_false(gri_runq_push(&queue, &task[0]));
    assert_gives(&queue, 1, GRI_RUNQ_SIZE + 1);
    assert_true(gri_runq_is_empty(&queue));
}

/* From a queue of n, a thief takes half, rounded up, the oldest. */
static void steal_from(unsigned n, uint32_t at)
{
    unsigned half = n - n / 2;
    init_at(&queue, at);
    init_at(&other, at + 7);
    push_all(&queue, 0, n);
    gri_task *got = gri_runq_steal(&other, &queue);
    if (n == 0) {
        assert_null(got);
        return;
    }
    assert_ptr_equal(got, &task[half - 1]); /* it runs at once */
    assert_gives(&other, 0, half - 1);
    assert_null(gri_runq_pop(&other));
    assert_gives(&queue, half, n);
    assert_null(gri_runq_pop(&queue));
}

static void a_thief_takes_the_older_half(void **state)
{
    (void)state;
    static const unsigned counts[] = {0, 1, 2, 3, 17, 100, 255, GRI_RUNQ_SIZE};
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        steal_from(counts[i], 0);
        steal_from(counts[i], UINT32_MAX - 2);
        steal_from(counts[i], UINT32_MAX - 200);
    }
}

static void another_takes_the_oldest(void **state)
{
    (void)state;
    init_at(&queue, UINT32_MAX - 1);
    assert_null(gri_runq_take(&queue));
    push_all(&queue, 0, 3);
    assert_ptr_equal(gri_runq_take(&queue), &task[0]);
    assert_ptr_equal(gri_runq_pop(&queue), &task[1]);
    assert_ptr_equal(gri_runq_take(&queue), &task[2]);
    assert_null(gri_runq_take(&queue));
    assert_true(gri_runq_is_empty(&queue));
}

static void the_counters_wrap_any_number_of_times(void **state)
{
    (void)state;
    init_at(&queue, UINT32_MAX - 3);
    for (unsigned round = 0; round < 8; round++) {
        push_all(&queue, 0, 3);
        assert_false(gri_runq_is_empty(&queue));
        assert_gives(&queue, 0, 3);
        assert_true(gri_runq_is_empty(&queue));
    }
}

/* ---- races ----------------------------------------------------------------
 */

enum {
    WORKERS = 4,
    JOBS = 40000, /* all that there are */
    FANOUT = 3,   /* jobs that one job leads to */
    YIELDS = 8    /* jobs after which a worker lets another go on */
};

/* Plain on purpose: written by who pushes it, read by who runs it. */
typedef struct job {
    gri_task task; /* first: a task's address is its job's */
    unsigned number, parent_runs, runs;
} job;

static job jobs[JOBS];
static gri_runq queues[WORKERS];
/* relaxed throughout: must not order what the queues have to. */
static _Atomic(unsigned) done, wrong, stolen;

/* What did not fit into the queue waits here, by `next`. */
static void start_job(unsigned number, unsigned parent_runs, gri_runq *mine,
                      gri_task **rest)
{
    job *j = &jobs[number];
    j->number = number;
    j->parent_runs = parent_runs;
    if (!gri_runq_push(mine, &j->task)) {
        j->task.next = *rest;
        *rest = &j->task;
    }
}

static void run_job(job *j, gri_runq *mine, gri_task **rest)
{
    j->runs++;
    if (j->runs != 1 || j->parent_runs != 1 || j != &jobs[j->number]) {
        atomic_fetch_add_explicit(&wrong, 1, memory_order_relaxed);
    }
    for (unsigned i = 1; i <= FANOUT; i++) {
        unsigned child = j->number * FANOUT + i;
        if (child < JOBS) {
            start_job(child, j->runs, mine, rest);
        }
    }
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
}

static gri_task *take_rest(gri_task **rest)
{
    gri_task *first = *rest;
    *rest = first != NULL ? first->next : NULL;
    return first;
}

static void *work(void *arg)
{
    unsigned me = *(unsigned *)arg;
    gri_rng rng = {me + 1};
    gri_runq *mine = &queues[me];
    gri_task *rest = NULL;
    unsigned idle = 0;
    unsigned ran = 0;
    while (me == 0 &&
           atomic_load_explicit(&stolen, memory_order_relaxed) == 0) {
        (void)sched_yield(); /* the first job is for a thief */
    }
    /* A lost job would make this wait for ever: it gives up instead. */
    while (atomic_load_explicit(&done, memory_order_relaxed) < JOBS &&
           idle < 10000000) {
        gri_task *found = gri_runq_pop(mine);
        if (found == NULL) {
            found = take_rest(&rest);
        }
        if (found == NULL) {
            unsigned victim = gri_rng_below(&rng, WORKERS);
            found = victim == me ? NULL : gri_runq_steal(mine, &queues[victim]);
            if (found != NULL) {
                atomic_fetch_add_explicit(&stolen, 1, memory_order_relaxed);
            }
        }
        if (found == NULL) {
            idle++;
            (void)sched_yield();
            continue;
        }
        idle = 0;
        run_job((job *)(void *)found, mine, &rest);
        if (++ran % YIELDS == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void thieves_and_owners_run_each_job_once(void **state)
{
    (void)state;
    static unsigned number[WORKERS];
    pthread_t thread[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        init_at(&queues[i], UINT32_MAX - 50);
        number[i] = i;
    }
    gri_task *rest = NULL;
    start_job(0, 1, &queues[0], &rest);
    assert_null(rest);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, work, &number[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    }
    assert_int_equal(atomic_load_explicit(&done, memory_order_relaxed), JOBS);
    assert_int_equal(atomic_load_explicit(&wrong, memory_order_relaxed), 0);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].runs, 1);
    }
    assert_true(atomic_load_explicit(&stolen, memory_order_relaxed) > 0);
}

/* ---- the last one ---- */

enum { LAST = 200000 };
static job last[LAST];
static _Atomic(bool) owner_ended;

static unsigned run_stolen(gri_runq *mine, gri_task *found)
{
    unsigned n = 0;
    for (; found != NULL; found = gri_runq_pop(mine)) {
        ((job *)(void *)found)->runs++;
        n++;
    }
    return n;
}

static void *steal_the_last(void *arg)
{
    gri_runq *mine = arg;
    uintptr_t n = 0;
    while (!atomic_load_explicit(&owner_ended, memory_order_relaxed)) {
        n += run_stolen(mine, gri_runq_steal(mine, &queue));
    }
    return (void *)n;
}

/* One or two tasks at a time: thieves and owner always want the same. */
static void the_last_task_is_given_out_once(void **state)
{
    (void)state;
    pthread_t thief[2];
    uintptr_t n = 0;
    init_at(&queue, UINT32_MAX - 1000);
    for (unsigned i = 0; i < 2; i++) {
        init_at(&queues[i], 0);
        assert_int_equal(
            pthread_create(&thief[i], NULL, steal_the_last, &queues[i]), 0);
    }
    for (unsigned i = 0; i < LAST; i += 2) {
        assert_true(gri_runq_push(&queue, &last[i].task));
        n += run_stolen(&queue, gri_runq_pop(&queue));
        assert_true(gri_runq_push(&queue, &last[i + 1].task));
        if (i % 4 == 0) {
            n += run_stolen(&queue, gri_runq_pop(&queue));
        }
    }
    n += run_stolen(&queue, gri_runq_pop(&queue));
    atomic_store_explicit(&owner_ended, true, memory_order_relaxed);
    for (unsigned i = 0; i < 2; i++) {
        void *stolen_by;
        assert_int_equal(pthread_join(thief[i], &stolen_by), 0);
        n += (uintptr_t)stolen_by;
    }
    assert_int_equal(n, LAST);
    for (unsigned i = 0; i < LAST; i++) {
        assert_int_equal(last[i].runs, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_gets_tasks_in_order),
        cmocka_unit_test(a_full_queue_takes_no_more),
        cmocka_unit_test(a_thief_takes_the_older_half),
        cmocka_unit_test(another_takes_the_oldest),
        cmocka_unit_test(the_counters_wrap_any_number_of_times),
        cmocka_unit_test(thieves_and_owners_run_each_job_once),
        cmocka_unit_test(the_last_task_is_given_out_once),
    };
    return cmocka_run_group_tests_name("sched/runq", tests, NULL, NULL);
}
