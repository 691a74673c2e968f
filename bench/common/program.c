/*
 * bench/common/program.c - see program.h.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/common/program.h"

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
    printf("bench=%s impl=%s workers=%u ops=%" PRId64
           " ns_per_op=%.2f rss_kb=%" PRId64 "%s%s\n",
           name, b->program->impl, b->workers, ops, (double)ns / (double)ops,
           bench_memory_kb("VmHWM:"), extra != NULL ? " " : "",
           extra != NULL ? extra : "");
}

/* ---- the command line --------------------------------------------------- */

static int usage(const bench_program *p)
{
    (void)fprintf(stderr, "usage: %s NAME [workers=2] [key=value...]\n",
                  p->title);
    for (const workload *const *group = p->groups; *group != NULL; group++) {
        for (const workload *w = *group; w->name != NULL; w++) {
            (void)fprintf(stderr, "  %-14s", w->name);
            for (const bench_param *q = w->params; q->key != NULL; q++) {
                (void)fprintf(stderr, " %s=%" PRId64, q->key, q->value);
            }
            (void)fputc('\n', stderr);
        }
    }
    return BENCH_STATUS_USAGE;
}

static const workload *find(const bench_program *p, const char *name)
{
    for (const workload *const *group = p->groups; *group != NULL; group++) {
        for (const workload *w = *group; w->name != NULL; w++) {
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
        b->workers = value <= b->program->workers_max ? (unsigned)value : 0;
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

int bench_main(const bench_program *p, int argc, char **argv)
{
    const workload *w = argc > 1 ? find(p, argv[1]) : NULL;
    if (w == NULL) {
        return usage(p);
    }
    bench b = {.program = p, .name = w->name, .workers = 2};
    memcpy(b.params, w->params, sizeof(b.params));
    for (int i = 2; i < argc; i++) {
        if (!set(&b, argv[i])) {
            (void)fprintf(stderr,
                          "%s: %s: no such parameter, or "
                          "not a number of 1 or more\n",
                          p->title, argv[i]);
            return usage(p);
        }
    }
    return p->run(&b, w);
}
