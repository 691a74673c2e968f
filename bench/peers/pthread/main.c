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
#include <string.h>
#include <time.h>

#include "bench/peers/pthread/peer.h"

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const workload *const groups[] = {peer_talk, peer_flow, peer_create,
                                         peer_crowd};
enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

/* ---- for the workloads -------------------------------------------------- */

int64_t param_of(const bench *b, const char *key)
{
    const param *p = b->params;
    while (p->key != NULL && strcmp(p->key, key) != 0) {
        p++;
    }
    return p->value;
}

int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* always there */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void begin(bench *b)
{
    b->t0_ns = now_ns();
}

int64_t memory_kb(const char *field)
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

void report(const bench *b, const char *name, int64_t ops, int64_t ns,
            const char *extra)
{
    printf("bench=%s impl=pthread workers=%u ops=%" PRId64
           " ns_per_op=%.2f rss_kb=%" PRId64 "%s%s\n",
           name, b->workers, ops, (double)ns / (double)ops, memory_kb("VmHWM:"),
           extra != NULL ? " " : "", extra != NULL ? extra : "");
}

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
    leave(STATUS_FAILED);
}

void check(const bench *b, int64_t got, int64_t expected)
{
    if (got != expected) {
        (void)fprintf(stderr,
                      "pthread-bench: %s: the result is %" PRId64
                      ", not %" PRId64 "\n",
                      b->name, got, expected);
        leave(STATUS_FAILED);
    }
}

void finish(const bench *b, int64_t ops, int64_t got, int64_t expected)
{
    const int64_t ns = now_ns() - b->t0_ns;
    check(b, got, expected);
    report(b, b->name, ops, ns, NULL);
}

/* ---- the program -------------------------------------------------------- */

static int usage(void)
{
    (void)fputs("usage: pthread-bench NAME [workers=2] [key=value...]\n",
                stderr);
    for (unsigned g = 0; g < GROUPS; g++) {
        for (const workload *w = groups[g]; w->name != NULL; w++) {
            (void)fprintf(stderr, "  %-14s", w->name);
            for (const param *p = w->params; p->key != NULL; p++) {
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
        b->workers = value <= CPU_SETSIZE ? (unsigned)value : 0;
        return b->workers != 0;
    }
    for (param *p = b->params; p->key != NULL; p++) {
        if (strlen(p->key) == len && memcmp(p->key, text, len) == 0) {
            p->value = value;
            return true;
        }
    }
    return false;
}

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

int main(int argc, char **argv)
{
    const workload *w = argc > 1 ? find(argv[1]) : NULL;
    if (w == NULL) {
        return usage();
    }
    bench b = {.name = w->name, .workers = 2};
    memcpy(b.params, w->params, sizeof(b.params));
    for (int i = 2; i < argc; i++) {
        if (!set(&b, argv[i])) {
            (void)fprintf(stderr,
                          "pthread-bench: %s: no such parameter, or "
                          "not a number of 1 or more\n",
                          argv[i]);
            return usage();
        }
    }
    use_processors(b.workers);
    w->run(&b);
    leave(0);
}
