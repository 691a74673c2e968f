/*
 * pthread-bench - the workloads by which actor runtimes are compared, for
 * threads and nothing else.
 *
 *   pthread-bench NAME [workers=2] [key=value...]
 *   pthread-bench            lists them with their parameters
 *
 * Prints a line for each run, as greenroom-bench does:
 *   bench=NAME impl=pthread workers=N ops=N ns_per_op=X rss_kb=Y
 * Each workload checks its result. Exit status: 0; 1 when it failed; 2 for a
 * bad command line.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/peers/pthread/peer.h"

/* ---- for the workloads -------------------------------------------------- */

/* Other threads still run, so what atexit would do is not done: only the line
 * that was printed has to get out. */
static _Noreturn void leave(int status)
{
    (void)fflush(stdout);
    _Exit(status);
}

_Noreturn void die(const char *why)
{
    (void)fprintf(stderr, "pthread-bench: %s\n", why);
    leave(BENCH_STATUS_FAILED);
}

void check(const bench *b, int64_t got, int64_t expected)
{
    if (got != expected) {
        (void)fprintf(stderr,
                      "pthread-bench: %s: the result is %" PRId64
                      ", not %" PRId64 "\n",
                      b->name, got, expected);
        leave(BENCH_STATUS_FAILED);
    }
}

int finish(const bench *b, int64_t ops, int64_t got, int64_t expected)
{
    const int64_t ns = bench_now_ns() - b->t0_ns;
    check(b, got, expected);
    bench_report(b, b->name, ops, ns, NULL);
    return 0;
}

/* ---- the program -------------------------------------------------------- */

/* Threads have no workers: they are held to so many processors instead, if
 * there are more. */
static void use_processors(unsigned n)
{
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof(all), &all) != 0) {
        die("no list of processors");
    }
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && n-- == 0) {
            CPU_CLR(cpu, &all);
            n = 0;
        }
    }
    if (sched_setaffinity(0, sizeof(all), &all) != 0) {
        die("no choice of processors");
    }
}

static int run(bench *b, const workload *w)
{
    use_processors(b->workers);
    leave(w->run(b)); /* with 0: it has died of all else */
}

int main(int argc, char **argv)
{
    const workload *const groups[] = {peer_talk, peer_flow, peer_create,
                                      peer_crowd, NULL};
    return bench_main(&(bench_program){.title = "pthread-bench",
                                       .impl = "pthread",
                                       .groups = groups,
                                       .workers = 2,
                                       .workers_max = CPU_SETSIZE,
                                       .run = run},
                      argc, argv);
}
