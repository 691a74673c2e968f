/*
 * Goal:   what is ready, or posted, is told once, to one at a time; a worker
 *         that sleeps in the poller is woken by tasks as any other, and while
 *         all workers sleep one of them polls, however they came to sleep; and
 *         while some do, if no other looks.
 * Method: first the poller alone; then a scheduler whose tasks do nothing, and
 *         threads that submit, post and write to pipes at random: each waits
 *         for what it has begun, so a lost wake-up is a hang.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h> /* needs the headers above */

#include "base/memory.h"
#include "sched/futex.h"
#include "sched/sched.h"

enum { ROUNDS = 3000, THREADS = 3 };

/* ---- the poller alone ---------------------------------------------------- */

typedef struct thing {
    gri_pollee pollee;
    gri_post post;
    gri_poller *poller;
    int fd;
    unsigned told, run;
    struct thing *removes; /* when it is told */
} thing;

static void on_ready(gri_pollee *pollee, gri_worker *worker, uint32_t events)
{
    thing *t = GRI_CONTAINER(pollee, thing, pollee);
    (void)worker;
    (void)events;
    t->told++;
    if (t->removes != NULL) {
        gri_poller_remove(t->poller, t->removes->fd, &t->removes->pollee);
    }
}

static void on_post(gri_post *post, gri_worker *worker)
{
    (void)worker;
    GRI_CONTAINER(post, thing, post)->run++;
}

static void begin(thing *t, gri_poller *p)
{
    *t = (thing){.poller = p, .pollee = {on_ready}, .post = {.run = on_post}};
    t->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(t->fd >= 0);
}

static void ring(const thing *t)
{
    const uint64_t one = 1;
    assert_int_equal(write(t->fd, &one, sizeof one), sizeof one);
}

static int open_poller(void **state)
{
    static const gri_clock clock;
    gri_poller *p = malloc(sizeof *p);
    *state = p;
    return p == NULL || gri_poller_init(p, &clock) < 0 || gri_poller_open(p) < 0
               ? -1
               : 0;
}

static int close_poller(void **state)
{
    gri_poller_fini(*state);
    free(*state);
    return 0;
}

static void what_is_ready_is_told_once(void **state)
{
    gri_poller *p = *state;
    thing t;
    begin(&t, p);
    assert_int_equal(gri_poller_add(p, t.fd, &t.pollee), 0);
    gri_poller_help(p);
    t.told = 0; /* that it can be written to is told at first */
    gri_poller_help(p);
    assert_int_equal(t.told, 0);
    ring(&t);
    gri_poller_help(p);
    assert_int_equal(t.told, 1);
    gri_poller_help(p);
    assert_int_equal(t.told, 1);
    close(t.fd);
}

static void what_is_removed_is_not_told(void **state)
{
    gri_poller *p = *state;
    thing a, b;
    begin(&a, p);
    begin(&b, p);
    a.removes = &b;
    b.removes = &a;
    ring(&a);
    ring(&b);
    assert_int_equal(gri_poller_add(p, a.fd, &a.pollee), 0);
    assert_int_equal(gri_poller_add(p, b.fd, &b.pollee), 0);
    gri_poller_help(p); /* both are ready, and each takes the other out */
    assert_int_equal(a.told + b.told, 1);
    close(a.fd);
    close(b.fd);
}

static void a_post_is_run_once_until_it_runs(void **state)
{
    gri_poller *p = *state;
    thing t;
    begin(&t, p);
    gri_poller_post(p, &t.post);
    gri_poller_post(p, &t.post);
    assert_true(gri_poller_take(p));
    assert_true(gri_poller_wait(p, GRI_NEVER)); /* does not sleep */
    gri_poller_tell(p, NULL);
    assert_int_equal(t.run, 1);
    gri_poller_post(p, &t.post);
    assert_true(gri_poller_wait(p, GRI_NEVER));
    gri_poller_tell(p, NULL);
    assert_int_equal(t.run, 2);
    gri_poller_give(p);
    close(t.fd);
}

static void what_is_posted_at_the_end_is_run(void **state)
{
    static const gri_clock clock;
    gri_poller p;
    thing t;
    (void)state;
    assert_int_equal(gri_poller_init(&p, &clock), 0);
    assert_int_equal(gri_poller_open(&p), 0);
    begin(&t, &p);
    gri_poller_post(&p, &t.post);
    gri_poller_fini(&p);
    assert_int_equal(t.run, 1);
    close(t.fd);
}

static void one_polls_at_a_time(void **state)
{
    gri_poller *p = *state;
    assert_true(gri_poller_take(p));
    assert_false(gri_poller_take(p));
    gri_poller_give(p);
    assert_true(gri_poller_take(p));
    gri_poller_give(p);
}

/* ---- with workers -------------------------------------------------------- */

typedef struct job {
    gri_task task;
    gri_post post;
    gri_pollee pollee;
    gri_after after;
    _Atomic(uint32_t) done; /* futex */
} job;

static void finish(job *j)
{
    /* release: pairs with the acquire in await. */
    atomic_fetch_add_explicit(&j->done, 1, memory_order_release);
    gri_futex_wake(&j->done, 1);
}

static void run_after(gri_after *after, gri_worker *worker)
{
    (void)worker;
    finish(GRI_CONTAINER(after, job, after));
}

static void run_task(gri_worker *worker, gri_task *task)
{
    job *j = GRI_CONTAINER(task, job, task);
    gri_after_turn(worker, &j->after);
}

static void run_post(gri_post *post, gri_worker *worker)
{
    (void)worker;
    finish(GRI_CONTAINER(post, job, post));
}

/* A worker puts it off, as what answers a dead actor's mail is: it is in no
 * turn, and may be about to sleep. */
static void run_ready(gri_pollee *pollee, gri_worker *worker, uint32_t events)
{
    job *j = GRI_CONTAINER(pollee, job, pollee);
    if ((events & EPOLLIN) == 0) {
        return;
    }
    /* acquire: pairs with the release in finish, by whom it was put off last;
     * the kernel orders the two, but does not say so. */
    (void)atomic_load_explicit(&j->done, memory_order_acquire);
    if (worker != NULL) {
        gri_after_turn(worker, &j->after);
    } else {
        finish(j);
    }
}

static void no_timer(gri_worker *worker, const gri_fired *fired)
{
    (void)worker;
    (void)fired;
}

static const gri_sched_ops ops = {.run = run_task, .fired = no_timer};

typedef struct submitter {
    gri_sched *sched;
    job job;
    int fd;
    uint64_t seed;
} submitter;

static void await(job *j, uint32_t before)
{
    uint32_t now;
    /* acquire: pairs with the release in finish. */
    while ((now = atomic_load_explicit(&j->done, memory_order_acquire)) ==
           before) {
        gri_futex_wait(&j->done, now, GRI_NEVER);
    }
}

/* One thing after the other, each of which somebody has to notice. */
static void *submit(void *arg)
{
    submitter *s = arg;
    gri_rng rng = {s->seed};
    const uint64_t one = 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        /* relaxed: nobody else changes it now. */
        const uint32_t before =
            atomic_load_explicit(&s->job.done, memory_order_relaxed);
        switch (gri_rng_below(&rng, 4)) {
        case 0:
            gri_sched_submit(s->sched, NULL, &s->job.task);
            break;
        case 1:
            gri_poller_post(&s->sched->poller, &s->job.post);
            break;
        case 2:
            gri_poller_help(&s->sched->poller);
            gri_poller_post(&s->sched->poller, &s->job.post);
            break;
        default:
            if (write(s->fd, &one, sizeof one) != sizeof one) {
                abort();
            }
            break;
        }
        await(&s->job, before);
    }
    return NULL;
}

static void nothing_is_lost_with(unsigned workers)
{
    static gri_sched sched;
    static const gri_clock clock;
    submitter all[THREADS];
    pthread_t threads[THREADS];
    void *users[GR_WORKERS_MAX] = {NULL};
    assert_int_equal(gri_sched_init(&sched, &ops, &clock, workers, 0, 2, 0), 0);
    assert_int_equal(gri_sched_start(&sched, users), 0);
    /* They sleep, and not in the poller: it is not open yet. */
    /* seq_cst: as who parks. */
    while (gri_sched_awake(&sched, atomic_load_explicit(&sched.parked,
                                                        memory_order_seq_cst)) >
           0) {
        sched_yield();
    }
    job first = {.post = {.run = run_post}};
    assert_int_equal(gri_poller_open(&sched.poller), 0);
    gri_poller_post(&sched.poller, &first.post);
    await(&first, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        submitter *s = &all[i];
        *s = (submitter){.sched = &sched, .seed = i + 1};
        s->job = (job){.post = {.run = run_post},
                       .pollee = {run_ready},
                       .after = {.run = run_after}};
        s->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        assert_true(s->fd >= 0);
        assert_int_equal(gri_poller_add(&sched.poller, s->fd, &s->job.pollee),
                         0);
        assert_int_equal(pthread_create(&threads[i], NULL, submit, s), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(gri_sched_stop(&sched, GRI_NEVER));
    for (unsigned i = 0; i < THREADS; i++) {
        close(all[i].fd);
    }
    gri_sched_fini(&sched);
}

static void nothing_is_lost_with_one_worker(void **state)
{
    (void)state;
    nothing_is_lost_with(1);
}

static void nothing_is_lost_with_many_workers(void **state)
{
    (void)state;
    nothing_is_lost_with(4);
}

/* A worker with many short turns, now and then waits in one for what only the
 * other can notice. */
typedef struct busy {
    gri_task task;
    gri_sched *sched;
    job job; /* done by who is told of fd */
    job end;
    int fd;
    unsigned turns;
    unsigned left; /* times when the other slept, and not in the poller */
} busy;

enum { SHORT_TURNS = 5000, LEFT = 30 };

static void run_busy(gri_worker *worker, gri_task *task)
{
    busy *b = GRI_CONTAINER(task, busy, task);
    gri_sched *s = b->sched;
    const uint64_t one = 1;
    if (++b->turns % SHORT_TURNS == 0) {
        /* relaxed: nobody changes it before fd is written. */
        const uint32_t before =
            atomic_load_explicit(&b->job.done, memory_order_relaxed);
        /* relaxed, both: they may change at any moment. */
        b->left +=
            atomic_load_explicit(&s->parked, memory_order_relaxed) != 0 &&
            !atomic_load_explicit(&s->poller.held, memory_order_relaxed);
        if (write(b->fd, &one, sizeof one) != sizeof one) {
            abort();
        }
        await(&b->job, before);
    }
    if (b->left == LEFT) {
        finish(&b->end);
    } else {
        gri_sched_again(worker, task);
    }
}

/* Who sleeps leaves the poller to a worker that looks often; but not for good.
 */
static void a_long_turn_leaves_the_poller(void **state)
{
    static const gri_sched_ops busy_ops = {.run = run_busy, .fired = no_timer};
    static gri_sched sched;
    static const gri_clock clock;
    void *users[GR_WORKERS_MAX] = {NULL};
    (void)state;
    busy b = {.sched = &sched,
              .job = {.pollee = {run_ready}, .after = {.run = run_after}},
              .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    assert_true(b.fd >= 0);
    assert_int_equal(gri_sched_init(&sched, &busy_ops, &clock, 2, 0, 2, 0), 0);
    assert_int_equal(gri_sched_start(&sched, users), 0);
    assert_int_equal(gri_poller_open(&sched.poller), 0);
    assert_int_equal(gri_poller_add(&sched.poller, b.fd, &b.job.pollee), 0);
    gri_sched_submit(&sched, NULL, &b.task);
    await(&b.end, 0);
    assert_true(gri_sched_stop(&sched, GRI_NEVER));
    close(b.fd);
    gri_sched_fini(&sched);
}

#define ALONE(f) cmocka_unit_test_setup_teardown(f, open_poller, close_poller)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ALONE(what_is_ready_is_told_once),
        ALONE(what_is_removed_is_not_told),
        ALONE(a_post_is_run_once_until_it_runs),
        cmocka_unit_test(what_is_posted_at_the_end_is_run),
        ALONE(one_polls_at_a_time),
        cmocka_unit_test(nothing_is_lost_with_one_worker),
        cmocka_unit_test(nothing_is_lost_with_many_workers),
        cmocka_unit_test(a_long_turn_leaves_the_poller),
    };
    return cmocka_run_group_tests_name("sched/poller", tests, NULL, NULL);
}
