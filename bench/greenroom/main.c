/*
 * greenroom-bench - the workloads by which actor runtimes are compared.
 *
 *   greenroom-bench NAME [workers=2] [key=value...]
 *   greenroom-bench            lists them with their parameters
 *
 * Prints a line for each run:
 *   bench=NAME impl=greenroom workers=N ops=N ns_per_op=X rss_kb=Y
 * where rss_kb is the most memory that the process had. Each workload checks
 * its result. Exit status: 0; 1 when it failed; 2 for a bad command line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/greenroom/bench.h"

/* ---- for the workloads -------------------------------------------------- */

int bench_wait(const bench *b, int64_t *out)
{
    for (;;) {
        const gr_msg *msg;
        GR_TRY(gr_receive(b->self, BENCH_WAIT_MS, &msg));
        if (gr_match(msg, "done", out)) {
            return 0;
        }
        GR_TRY(gr_unhandled(b->self, msg));
    }
}

int bench_failed(const char *name, int64_t got, int64_t expected)
{
    (void)fprintf(stderr,
                  "greenroom-bench: %s: the result is %" PRId64 ", not %" PRId64
                  "\n",
                  name, got, expected);
    return GR_EFAIL;
}

int bench_finish(const bench *b, const char *name, int64_t ops,
                 int64_t expected)
{
    int64_t got;
    GR_TRY(bench_wait(b, &got));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    if (got != expected) {
        return bench_failed(name, got, expected);
    }
    bench_report(b, name, ops, ns, NULL);
    return 0;
}

/* ---- the program -------------------------------------------------------- */

/* The workload acts as this thread, in a system of its own. */
static int run_in_system(bench *b, const workload *w)
{
    gr_system *sys;
    gr_actor *self;
    const gr_system_opts opts = {
        .workers = b->workers,
        /* callgrind does not follow a handler onto its alternate stack. */
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it */
        .watch_signal = getenv("BENCH_NO_SIGNAL") != NULL ? GR_SIGNAL_NONE : 0,
    };
    int rc = gr_system_start(&opts, &sys);
    if (rc < 0) {
        return rc;
    }
    rc = gr_thread_attach(sys, NULL, &self);
    if (rc == 0) {
        b->self = self;
        rc = w->run(b);
        gr_thread_detach(self, 0);
    }
    const int stopped = gr_system_stop(sys, BENCH_WAIT_MS);
    return rc < 0 ? rc : stopped;
}

static int run(bench *b, const workload *w)
{
    const int rc = run_in_system(b, w);
    if (rc < 0) {
        (void)fprintf(stderr, "greenroom-bench: %s: %s\n", w->name,
                      gr_strerror(rc));
        return BENCH_STATUS_FAILED;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const workload *const groups[] = {bench_talk,  bench_flow, bench_create,
                                      bench_crowd, bench_time, bench_blob,
                                      bench_jobs,  NULL};
    return bench_main(&(bench_program){.title = "greenroom-bench",
                                       .impl = "greenroom",
                                       .groups = groups,
                                       .workers = 2,
                                       .workers_max = GR_WORKERS_MAX,
                                       .run = run},
                      argc, argv);
}
