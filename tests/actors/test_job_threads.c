/*
 * tests/actors/test_job_threads.c - the threads that do jobs: they come and go,
 * wait for nobody's longer job, and are named when they do not end. Jobs that
 * block wait at a gate.
 */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>

#include "actors/jobs.h"
#include "tests/support/stage.h"

static int add(gr_job *job, const gr_msg *args)
{
    int64_t a;
    int64_t b;
    return gr_unpack(args, &a, &b) ? gr_job_return(job, "sum", a + b)
                                   : GR_EINVAL;
}
static const gr_job_kind adder = {.name = "add", .run = add};
static const gr_job_kind long_adder = {
    .name = "add", .run = add, .lane = GR_JOB_LONG};

static int nothing(gr_job *job, const gr_msg *args)
{
    (void)job, (void)args;
    return 0;
}
static const gr_job_kind idler = {.name = "nothing", .run = nothing};

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    (void)self, (void)state;
    CHECK_RC(gr_msg_status(reply), 0);
    return 0;
}

static void check_lane(stage *s, gr_job_lane lane, gr_job_stats *out)
{
    CHECK_RC(gr_job_inspect(s->sys, lane, out), 0);
    CHECK_INT(out->accepted,
              out->ended + out->removed + out->waiting + out->running);
}

/* Jobs that wait until they are let through. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int inside; /* that wait, or did */
    int open;   /* so many may pass */
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static int wait_at_gate(gr_job *job, const gr_msg *args)
{
    (void)args;
    (void)pthread_mutex_lock(&gate.lock);
    gate.inside++;
    (void)pthread_cond_broadcast(&gate.changed);
    while (gate.open == 0) {
        (void)pthread_cond_wait(&gate.changed, &gate.lock);
    }
    gate.open--;
    (void)pthread_mutex_unlock(&gate.lock);
    return gr_job_return(job, "sum", 1);
}
static const gr_job_kind waiter = {
    .name = "wait at the gate", .run = wait_at_gate, .lane = GR_JOB_LONG};

static void gate_open(int n)
{
    (void)pthread_mutex_lock(&gate.lock);
    gate.open += n;
    (void)pthread_cond_broadcast(&gate.changed);
    (void)pthread_mutex_unlock(&gate.lock);
}

static void gate_reached(int n)
{
    (void)pthread_mutex_lock(&gate.lock);
    while (gate.inside < n) {
        (void)pthread_cond_wait(&gate.changed, &gate.lock);
    }
    gate.inside = 0;
    (void)pthread_mutex_unlock(&gate.lock);
}

enum { CROWD = 20 };

static int ask_crowd(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    for (int i = 0; i < CROWD; i++) {
        CHECK_RC(gr_ask_job(self, &waiter, GR_FOREVER, gr_then(on_answer, 7)),
                 0);
    }
    return 0;
}

/* While the long lane is full of jobs that wait, short ones are done. */
static void test_long_ones_do_not_stop_short_ones(void **state)
{
    (void)state;
    stage s;
    int64_t sum;
    stage_start(&s, 0,
                &(gr_system_opts){.jobs = {{.threads = 2}, {.threads = 3}}});
    gr_pid a = stage_puppet(&s, 'a');
    stage_do(&s, a, ask_crowd);
    gate_reached(3);
    for (int i = 0; i < 100; i++) {
        CHECK_RC(gr_call_job(s.self, &adder, GR_FOREVER, gr_expect("sum", &sum),
                             i, i),
                 0);
        CHECK_INT(sum, 2 * i);
    }
    gr_job_stats stats;
    check_lane(&s, GR_JOB_LONG, &stats);
    CHECK_INT(stats.running, 3);
    CHECK_INT(stats.waiting, CROWD - 3);
    CHECK_INT(stats.threads, 3);
    gate_open(CROWD);
    CHECK_RC(gr_call_job(s.self, &long_adder, GR_FOREVER,
                         gr_expect("sum", &sum), 1, 2),
             0); /* behind all of them */
    gate_reached(CROWD - 3);
    stage_end(&s);
}

/* Threads of this process that have such a name. */
static int threads_named(const char *prefix)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[300];
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            char name[32] = "";
            if (fgets(name, sizeof name, file) != NULL) {
                n += strncmp(name, prefix, strlen(prefix)) == 0;
            }
            (void)fclose(file);
        }
    }
    (void)closedir(dir);
    return n;
}

static void wait_for_threads(stage *s, uint32_t n)
{
    gr_job_stats stats;
    do {
        check_lane(s, GR_JOB_SHORT, &stats);
    } while (stats.threads != n);
}

/* Started for the first job, ended when there was none for some time. */
static void test_threads_come_and_go(void **state)
{
    (void)state;
    stage s;
    stage_start(&s, 0, NULL);
    assert_int_equal(threads_named("gr-job-"), 0);
    CHECK_RC(gr_call_job(s.self, &idler, GR_FOREVER, gr_expect("sum")),
             GR_ENOREPLY);
    wait_for_threads(&s, 1);
    assert_int_equal(threads_named("gr-job-1"), 1);
    gri_job_row *row = &s.sys->jobs->row[GR_JOB_SHORT];
    (void)pthread_mutex_lock(&row->lock);
    row->idle_ns = 0;
    (void)pthread_mutex_unlock(&row->lock);
    for (int i = 0; i < 50; i++) {
        CHECK_RC(gr_call_job(s.self, &idler, GR_FOREVER, gr_expect("sum")),
                 GR_ENOREPLY);
    }
    gr_job_stats stats;
    check_lane(&s, GR_JOB_SHORT, &stats);
    CHECK_INT(stats.ended, 51);
    stage_end(&s);
    assert_int_equal(threads_named("gr-job-"), 0);
}

static int see_mask(gr_job *job, const gr_msg *args)
{
    sigset_t mask;
    (void)args;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    return gr_job_return(job, "sum",
                         sigismember(&mask, SIGTERM) == 1 &&
                             sigismember(&mask, SIGSEGV) == 0);
}
static const gr_job_kind mask_seer = {.name = "mask", .run = see_mask};

static void test_signals_are_for_the_program(void **state)
{
    (void)state;
    stage s;
    bool masked = false;
    stage_start(&s, 0, NULL);
    CHECK_RC(
        gr_call_job(s.self, &mask_seer, GR_FOREVER, gr_expect("sum", &masked)),
        0);
    CHECK(masked);
    stage_end(&s);
}

/* A job that does not return is named, and the system's memory stays. */
static void test_a_stuck_job_is_named(void **state)
{
    (void)state;
    static stage s;
    stage_start(&s, 0, NULL);
    gr_pid a = stage_puppet(&s, 'a');
    stage_do(&s, a, ask_crowd);
    gate_reached(8);
    gr_thread_detach(s.self, 0);
    assert_int_equal(gr_system_stop(s.sys, 1), GR_ETIMEOUT);
    assert_true(stage_logged(&s, "job wait at the gate of puppet <"));
    assert_true(stage_logged(&s, "has not returned for 0."));
    gate_open(8);
    /* What is left comes to its end by itself: the last threads go. */
    gri_job_row *row = &s.sys->jobs->row[GR_JOB_LONG];
    gr_job_stats stats;
    do {
        (void)pthread_mutex_lock(&row->lock);
        stats = row->stats;
        (void)pthread_mutex_unlock(&row->lock);
    } while (stats.threads > 0);
    assert_int_equal(stats.removed, CROWD - 8);
    assert_int_equal(stats.late, 8);
    (void)pthread_mutex_lock(&gate.lock);
    gate.inside = gate.open = 0;
    (void)pthread_mutex_unlock(&gate.lock);
}

/* A thread that waits for a job is told when the system stops. */
static void *call_and_wait(void *arg)
{
    stage *s = arg;
    gr_actor *self;
    int64_t sum;
    CHECK_RC(gr_thread_attach(s->sys, "caller", &self), 0);
    const int rc =
        gr_call_job(self, &waiter, GR_FOREVER, gr_expect("sum", &sum));
    stage_note(s, "%s", gr_errname(rc));
    gr_thread_detach(self, 0);
    return NULL;
}

static void test_a_waiting_thread_is_told_to_stop(void **state)
{
    (void)state;
    stage s;
    pthread_t thread;
    stage_start(&s, 0, NULL);
    assert_int_equal(pthread_create(&thread, NULL, call_and_wait, &s), 0);
    gate_reached(1);
    gr_pid caller;
    CHECK_RC(gr_whereis(s.self, GR_HERE, "caller", &caller), 0);
    CHECK_RC(gr_stop(s.self, caller), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    stage_expect(&s, "GR_ESTOPPED");
    gate_open(1);
    stage_end(&s);
    gate.inside = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_ones_do_not_stop_short_ones),
        cmocka_unit_test(test_threads_come_and_go),
        cmocka_unit_test(test_signals_are_for_the_program),
        cmocka_unit_test(test_a_waiting_thread_is_told_to_stop),
        cmocka_unit_test(test_a_stuck_job_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
