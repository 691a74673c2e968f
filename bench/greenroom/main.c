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
#include <string.h>
#include <time.h>

#include "bench/greenroom/bench.h"

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const workload *const groups[] = {bench_talk,  bench_flow, bench_create,
                                         bench_crowd, bench_time, bench_blob};
enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

/* ---- for the workloads -------------------------------------------------- */

int64_t bench_param_of(const bench *b, const char *key)
{
    const bench_param *p = b->params;
    while (p->key != NULL && strcmp(p->key, key) != 0) {
        p++;
    }
    return p->value;
}

int64_t bench_now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* always there */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void bench_begin(bench *b)
{
    b->t0_ns = bench_now_ns();
}

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

int64_t bench_memory_kb(const char *field)
{
    char line[256];
    int64_t kb = 0;
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0) {
            kb = strtoll(line + strlen(field), NULL, 10);
        }
    }
    (void)fclose(file);
    return kb;
}

void bench_report(const bench *b, const char *name, int64_t ops, int64_t ns,
                  const char *extra)
{
    printf("bench=%s impl=greenroom workers=%u ops=%" PRId64
           " ns_per_op=%.2f rss_kb=%" PRId64 "%s%s\n",
           name, b->workers, ops, (double)ns / (double)ops,
           bench_memory_kb("VmHWM:"), extra != NULL ? " " : "",
           extra != NULL ? extra : "");
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

static int usage(void)
{
    (void)fputs("usage: greenroom-bench NAME [workers=2] [key=value...]\n",
                stderr);
    for (unsigned g = 0; g < GROUPS; g++) {
        for (const workload *w = groups[g]; w->name != NULL; w++) {
            (void)fprintf(stderr, "  %-14s", w->name);
            for (const bench_param *p = w->params; p->key != NULL; p++) {
                (void)fprintf(stderr, " %s=%" PRId64, p->key, p->value);
            }
            (void)fputc('\n', stderr);
        }
    }
    return STATUS_USAGE;
}

static const workload *find(const char *name)
{
    for (unsigned g = 0; g < GROUPS; g++) {
        for (const workload *w = groups[g]; w->name != NULL; w++) {
            if (strcmp(w->name, name) == 0) {
                return w;
            }
        }
    }
    return NULL;
}

/* Takes key=value. */
static bool set(bench *b, const char *text)
{
    const char *equal = strchr(text, '=');
    char *end;
    if (equal == NULL) {
        return false;
    }
    const size_t len = (size_t)(equal - text);
    const int64_t value = strtoll(equal + 1, &end, 10);
    if (end == equal + 1 || *end != '\0' || value < 1) {
        return false;
    }
    if (len == strlen("workers") && memcmp(text, "workers", len) == 0) {
        b->workers = value <= GR_WORKERS_MAX ? (unsigned)value : 0;
        return b->workers != 0;
    }
    for (bench_param *p = b->params; p->key != NULL; p++) {
        if (strlen(p->key) == len && memcmp(p->key, text, len) == 0) {
            p->value = value;
            return true;
        }
    }
    return false;
}

static int run(bench *b, const workload *w)
{
    int rc = gr_system_start(&(gr_system_opts){.workers = b->workers}, &b->sys);
    if (rc < 0) {
        return rc;
    }
    rc = gr_thread_attach(b->sys, NULL, &b->self);
    if (rc == 0) {
        rc = w->run(b);
        gr_thread_detach(b->self, 0);
    }
    const int stopped = gr_system_stop(b->sys, BENCH_WAIT_MS);
    return rc < 0 ? rc : stopped;
}

int main(int argc, char **argv)
{
    const workload *w = argc > 1 ? find(argv[1]) : NULL;
    if (w == NULL) {
        return usage();
    }
    bench b = {.workers = 2};
    memcpy(b.params, w->params, sizeof(b.params));
    for (int i = 2; i < argc; i++) {
        if (!set(&b, argv[i])) {
            (void)fprintf(stderr,
                          "greenroom-bench: %s: no such parameter, or "
                          "not a number of 1 or more\n",
                          argv[i]);
            return usage();
        }
    }
    const int rc = run(&b, w);
    if (rc < 0) {
        (void)fprintf(stderr, "greenroom-bench: %s: %s\n", w->name,
                      gr_strerror(rc));
        return STATUS_FAILED;
    }
    return 0;
}
