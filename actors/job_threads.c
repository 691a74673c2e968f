/*
 * actors/job_threads.c - the threads that do jobs: started when they are
 * needed, ended when they are not, and told apart from the system's end.
 *
 * A thread that ends joins the one that ended before it, and leaves itself to
 * be joined; so whoever starts or asks never waits for one, and no more than
 * one of a lane is left behind. The last is joined by gri_jobs_stop.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "actors/jobs.h"
#include "sched/trap.h"

enum {
    IDLE_MS = 10000 /* a thread that had nothing to do for so long ends */
};

struct gri_lane_thread {
    pthread_t thread;
    gri_job_row *row;
    gri_ctx ctx;
    gri_cache cache;
};

static struct timespec time_of(int64_t ns)
{
    const int64_t s = INT64_C(1000000000);
    return (struct timespec){.tv_sec = (time_t)(ns / s),
                             .tv_nsec = (long)(ns % s)};
}

/* ---- a thread -------------------------------------------------------------
 */

/* The next job; NULL: the thread is to end. Under lock. */
static gr_job *next_job(gri_job_row *row)
{
    const int64_t until_ns = gri_clock_ns(&(gri_clock){0}) + row->idle_ns;
    const struct timespec until = time_of(until_ns);
    bool waited = false; /* as long as it may */
    while (row->first == NULL && !row->closing && !waited) {
        row->idle++;
        waited = pthread_cond_timedwait(&row->more, &row->lock, &until) != 0;
        row->idle--;
    }
    return row->closing ? NULL : gri_job_begin(row);
}

/* The counters of this thread go to those of all who are not of the system. */
static void count(gri_ctx *ctx)
{
    gri_counters_add(&ctx->sys->foreign, &ctx->counters);
    ctx->counters = (gri_counters){0};
}

static void join(gri_lane_thread *t)
{
    if (t != NULL) {
        (void)pthread_join(t->thread, NULL);
        free(t);
    }
}

static void *thread_main(void *arg)
{
    gri_lane_thread *t = arg;
    gri_job_row *row = t->row;
    char name[16]; /* the kernel's limit */
    /* relaxed: a number for people. */
    (void)snprintf(name, sizeof name, "gr-job-%u",
                   1 + atomic_fetch_add_explicit(&row->jobs->names, 1,
                                                 memory_order_relaxed) %
                           1000000);
    (void)prctl(PR_SET_NAME, name);
    (void)pthread_mutex_lock(&row->lock);
    for (gr_job *job; (job = next_job(row)) != NULL;) {
        (void)pthread_mutex_unlock(&row->lock);
        gri_job_do(&t->ctx, job);
        count(&t->ctx);
        (void)pthread_mutex_lock(&row->lock);
    }
    /* Before it can be joined: then the system may end. */
    gri_cache_flush(&t->cache);
    gri_lane_thread *before = row->ended;
    const bool abandoned = row->abandoned;
    row->ended = abandoned ? NULL : t;
    row->stats.threads--;
    (void)pthread_cond_signal(&row->less);
    (void)pthread_mutex_unlock(&row->lock);
    join(before);
    if (abandoned) { /* nobody joins it any more */
        (void)pthread_detach(pthread_self());
        free(t);
    }
    return NULL;
}

/* Asynchronous signals are for the program's own threads, as on workers. */
static void mask_signals(sigset_t *before)
{
    sigset_t all;
    gri_signals_asynchronous(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, before);
}

/* False: no memory, or no thread. */
static bool start(gri_job_row *row)
{
    gri_jobs *jobs = row->jobs;
    gri_lane_thread *t = malloc(sizeof *t);
    if (t == NULL) {
        return false;
    }
    t->row = row;
    gri_cache_init(&t->cache, &jobs->sys->depot);
    gri_ctx_init(&t->ctx, jobs->sys, NULL, &t->cache, 0);
    sigset_t before;
    mask_signals(&before);
    pthread_t thread;
    const int rc = pthread_create(&thread, NULL, thread_main, t);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        free(t);
        return false;
    }
    /* It ends under the lock, which we take again before anybody reads this. */
    t->thread = thread;
    return true;
}

int gri_job_start_thread(gri_job_row *row)
{
    if (row->stats.waiting <= row->idle ||
        row->stats.threads == row->threads_max) {
        (void)pthread_cond_signal(&row->more);
        return 0;
    }
    row->stats.threads++; /* so that nobody else starts it as well */
    const bool started = start(row);
    row->stats.threads -= !started;
    return started || row->stats.threads > 0 ? 0 : GR_EIO;
}

/* ---- begin and end --------------------------------------------------------
 */

bool gri_jobs_fill_opts(gr_system_opts *opts)
{
    bool good = true;
    for (unsigned i = 0; i < GR_JOB_LANES; i++) {
        gr_job_limits *max = &opts->jobs[i];
        max->threads =
            max->threads != 0 ? max->threads : GR_JOB_THREADS_DEFAULT;
        max->queue = max->queue != 0 ? max->queue : GR_JOB_QUEUE_DEFAULT;
        good = good && max->threads <= GR_JOB_THREADS_MAX;
    }
    return good;
}

static void init_row(gri_jobs *jobs, gri_job_row *row, const gr_job_limits *max)
{
    pthread_condattr_t monotonic;
    row->jobs = jobs;
    row->threads_max = max->threads;
    row->queue_max = max->queue;
    row->idle_ns = IDLE_MS * GRI_NS_PER_MS;
    /* None of these can fail on Linux. */
    (void)pthread_mutex_init(&row->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&row->more, &monotonic);
    (void)pthread_cond_init(&row->less, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

int gri_jobs_init(gr_system *sys)
{
    gri_jobs *jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL) {
        return GR_ENOMEM;
    }
    jobs->sys = sys;
    atomic_init(&jobs->names, 0);
    for (unsigned i = 0; i < GR_JOB_LANES; i++) {
        init_row(jobs, &jobs->row[i], &sys->opts.jobs[i]);
    }
    sys->jobs = jobs;
    return 0;
}

void gri_jobs_fini(gr_system *sys)
{
    gri_jobs *jobs = sys->jobs;
    for (unsigned i = 0; jobs != NULL && i < GR_JOB_LANES; i++) {
        gri_job_row *row = &jobs->row[i];
        (void)pthread_cond_destroy(&row->more); /* nobody waits or holds */
        (void)pthread_cond_destroy(&row->less);
        (void)pthread_mutex_destroy(&row->lock);
    }
    free(jobs);
    sys->jobs = NULL;
}

/* Nothing begins any more. Returns what is to be told to who still waits: a
 * list by link, each from whom it is for. */
static gr_msg *close_row(gri_job_row *row)
{
    gr_msg *answers = NULL;
    (void)pthread_mutex_lock(&row->lock);
    row->closing = true;
    (void)pthread_cond_broadcast(&row->more);
    for (gr_job *job = row->running; job != NULL; job = job->next) {
        /* relaxed: a hint for the function. */
        atomic_store_explicit(&job->unwanted, true, memory_order_relaxed);
    }
    for (gr_job *job; (job = row->first) != NULL;) {
        gri_job_unlink(row, job);
        job->state = GRI_JOB_ENDED; /* it is held, or it would not wait */
        row->stats.removed++;
        gr_msg *answer = job->status;
        job->status = NULL;
        gri_msg_trailer(answer)->extra = GR_ESTOPPED;
        answer->from = job->from;
        answer->link = answers;
        answers = answer;
    }
    (void)pthread_mutex_unlock(&row->lock);
    return answers;
}

static void tell(gri_ctx *ctx, gr_msg *answers)
{
    while (answers != NULL) {
        gr_msg *answer = answers;
        const gr_pid to = answer->from;
        answers = answer->link;
        answer->from = GR_NOBODY;
        gri_job_answer(ctx, to, answer);
    }
}

static void name_stuck(gr_system *sys, const gr_job *job)
{
    char pid[GR_PID_TEXT_MAX];
    const int64_t ms =
        (gri_clock_ns(&sys->clock) - job->begun_ns) / GRI_NS_PER_MS;
    gri_log_write(&sys->log, GR_LOG_ERROR,
                  "stop: job %s of %s %s has not returned for %lld.%03lld s",
                  job->kind->name,
                  job->behavior != NULL ? job->behavior->name : "thread actor",
                  gr_pid_text(job->from, pid), (long long)(ms / 1000),
                  (long long)(ms % 1000));
}

/* Waits for the threads of a lane. False: some stay. */
static bool wait_row(gr_system *sys, gri_job_row *row, int64_t deadline_ns)
{
    const struct timespec until = time_of(deadline_ns);
    int rc = 0;
    (void)pthread_mutex_lock(&row->lock);
    while (row->stats.threads > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&row->less, &row->lock, &until);
    }
    const bool all = row->stats.threads == 0;
    for (gr_job *job = row->running; job != NULL; job = job->next) {
        name_stuck(sys, job);
    }
    gri_lane_thread *ended = row->ended;
    row->ended = NULL;
    row->abandoned = !all;
    (void)pthread_mutex_unlock(&row->lock);
    join(ended);
    return all;
}

/* The same in deterministic mode, where they are timers. */
static bool wait_sim(gr_system *sys, gri_job_row *row, int64_t deadline_ns)
{
    while (row->stats.running > 0 && gri_sim_step(sys, deadline_ns)) {
    }
    for (gr_job *job = row->running; job != NULL; job = job->next) {
        name_stuck(sys, job);
    }
    return row->running == NULL;
}

bool gri_jobs_stop(gr_system *sys, int64_t deadline_ns)
{
    bool all = true;
    for (unsigned i = 0; i < GR_JOB_LANES; i++) {
        tell(&sys->stop_ctx, close_row(&sys->jobs->row[i]));
    }
    for (unsigned i = 0; i < GR_JOB_LANES; i++) {
        gri_job_row *row = &sys->jobs->row[i];
        const bool ended = sys->sched.is_sim ? wait_sim(sys, row, deadline_ns)
                                             : wait_row(sys, row, deadline_ns);
        all = all && ended;
    }
    return all;
}
