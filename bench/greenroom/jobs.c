/*
 * bench/greenroom/jobs.c - what jobs that block do to actors that have nothing
 * to do with them: round trips of two actors, first alone, then while `jobs`
 * jobs of `ms` milliseconds are running.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/greenroom/bench.h"

/* ---- two actors, and the time that each round trip takes ---------------- */

static int pong_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_match(msg, "ping") ? gr_send(self, gr_sender(msg), "pong")
                                 : gr_unhandled(self, msg);
}

static const gr_behavior pong = {.name = "pong", .receive = pong_receive};

typedef struct pinger {
    gr_pid pong, home;
    int64_t *times; /* the workload's, who waits for the end */
    int64_t n, done, sent_ns;
} pinger;

static int ping_on(gr_actor *self, pinger *p)
{
    p->sent_ns = bench_now_ns();
    return gr_send(self, p->pong, "ping");
}

static int ping_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    pinger *p = state;
    uint64_t times;
    if (gr_match(msg, "pong")) {
        p->times[p->done++] = bench_now_ns() - p->sent_ns;
        return p->done < p->n ? ping_on(self, p)
                              : gr_send(self, p->home, "done", p->n);
    }
    if (gr_match(msg, "go", &p->pong, &times, &p->n)) {
        p->times = (int64_t *)(uintptr_t)times;
        p->home = gr_sender(msg);
        p->done = 0;
        return ping_on(self, p);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior ping = {
    .name = "ping", .state_size = sizeof(pinger), .receive = ping_receive};

/* ---- jobs that block ----------------------------------------------------- */

static int block(gr_job *job, const gr_msg *args)
{
    int64_t ms;
    if (!gr_unpack(args, &ms)) {
        return GR_EINVAL;
    }
    const struct timespec t = {.tv_sec = ms / 1000,
                               .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
    return gr_job_return(job, "blocked");
}

static const gr_job_kind blocker = {
    .name = "block", .run = block, .lane = GR_JOB_LONG};

typedef struct asker {
    int64_t left;
    const gr_msg *waiting; /* who asked when all jobs have ended; or NULL */
} asker;

static int answer(gr_actor *self, asker *a)
{
    if (a->left > 0 || a->waiting == NULL) {
        return 0;
    }
    GR_TRY(gr_reply(self, a->waiting, "ended"));
    gr_release(self, a->waiting);
    a->waiting = NULL;
    return 0;
}

static int on_blocked(gr_actor *self, void *state, const gr_msg *reply)
{
    asker *a = state;
    if (gr_msg_status(reply) < 0) {
        return gr_msg_status(reply);
    }
    a->left--;
    return answer(self, a);
}

static int asker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    asker *a = state;
    int64_t ms;
    if (gr_match(msg, "wait")) {
        a->waiting = gr_keep(self, msg);
        return a->waiting == NULL ? GR_ENOMEM : answer(self, a);
    }
    if (!gr_match(msg, "go", &a->left, &ms)) {
        return gr_unhandled(self, msg);
    }
    for (int64_t i = 0; i < a->left; i++) {
        GR_TRY(
            gr_ask_job(self, &blocker, GR_FOREVER, gr_then(on_blocked, 0), ms));
    }
    return 0;
}

static const gr_behavior asker_behavior = {
    .name = "asker", .state_size = sizeof(asker), .receive = asker_receive};

/* ---- the workload ---------------------------------------------------------
 */

static int by_time(const void *x, const void *y)
{
    const int64_t a = *(const int64_t *)x;
    const int64_t b = *(const int64_t *)y;
    return a < b ? -1 : a > b;
}

/* The time of all round trips, and that which 99 of 100 do not exceed. */
static int measure(const bench *b, int64_t *times, int64_t n, int64_t *ns,
                   int64_t *p99)
{
    gr_pid one;
    gr_pid two;
    int64_t got;
    GR_TRY(gr_spawn(b->self, &pong, NULL, &one));
    GR_TRY(gr_spawn(b->self, &ping, NULL, &two));
    const int64_t t0_ns = bench_now_ns();
    GR_TRY(gr_send(b->self, two, "go", one, (uint64_t)(uintptr_t)times, n));
    GR_TRY(bench_wait(b, &got));
    *ns = bench_now_ns() - t0_ns;
    GR_TRY(gr_stop(b->self, one));
    GR_TRY(gr_stop(b->self, two));
    qsort(times, (size_t)n, sizeof *times, by_time);
    *p99 = times[n - 1 - n / 100];
    return 0;
}

/* Until all of them block. */
static int begin_jobs(const bench *b, int64_t jobs, int64_t ms, gr_pid *pid)
{
    gr_job_stats stats = {0};
    GR_TRY(gr_spawn(b->self, &asker_behavior, NULL, pid));
    GR_TRY(gr_send(b->self, *pid, "go", jobs, ms));
    while (stats.running + stats.ended < (uint64_t)jobs) {
        GR_TRY(gr_sleep(b->self, 1));
        GR_TRY(gr_job_inspect(gr_system_of(b->self), GR_JOB_LONG, &stats));
    }
    return 0;
}

/* As another actor of another system, whose lane has room for all jobs. */
static int run_as(const bench *b, int64_t *times)
{
    const int64_t n = bench_param_of(b, "n");
    int64_t ns;
    int64_t idle;
    int64_t beside;
    gr_pid pid;
    char extra[128];
    GR_TRY(measure(b, times, n, &ns, &idle)); /* caches are warm from here on */
    GR_TRY(measure(b, times, n, &ns, &idle));
    GR_TRY(begin_jobs(b, bench_param_of(b, "jobs"), bench_param_of(b, "ms"),
                      &pid));
    GR_TRY(measure(b, times, n, &ns, &beside));
    GR_TRY(gr_call(b->self, pid, BENCH_WAIT_MS, gr_expect("ended"), "wait"));
    (void)snprintf(extra, sizeof extra,
                   "p99_idle_ns=%" PRId64 " p99_ns=%" PRId64, idle, beside);
    bench_report(b, "jobs", n, ns, extra);
    return 0;
}

static int run_jobs(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    const int64_t jobs = bench_param_of(b, "jobs");
    if (n < 1 || jobs < 1 || jobs > GR_JOB_THREADS_MAX) {
        return GR_EINVAL;
    }
    int64_t *times = malloc((size_t)n * sizeof *times);
    if (times == NULL) {
        return GR_ENOMEM;
    }
    const gr_system_opts opts = {
        .workers = b->workers,
        .jobs = {[GR_JOB_LONG] = {.threads = (uint32_t)jobs}}};
    bench inner = *b;
    gr_system *sys;
    gr_actor *self;
    int rc = gr_system_start(&opts, &sys);
    if (rc == 0) {
        rc = gr_thread_attach(sys, NULL, &self);
        if (rc == 0) {
            inner.self = self;
            rc = run_as(&inner, times);
            gr_thread_detach(self, 0);
        }
        GR_IGNORE(gr_system_stop(sys, BENCH_WAIT_MS), "the result stands");
    }
    free(times);
    return rc;
}

const workload bench_jobs[] = {
    {"jobs", {{"n", 1000000}, {"jobs", 100}, {"ms", 1000}}, run_jobs}, {0}};
