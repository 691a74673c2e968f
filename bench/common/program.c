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

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void bench_times(int64_t *ns, int64_t n, char *text, size_t size)
{
    qsort(ns, (size_t)n, sizeof(*ns), by_size);
    (void)snprintf(text, size, "p50=%" PRId64 " p99=%" PRId64, ns[n / 2],
                   ns[n - 1 - n / 100]);
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
           name, b->impl, b->workers, ops, (double)ns / (double)ops,
           bench_memory_kb("VmHWM:"), extra != NULL ? " " : "",
           extra != NULL ? extra : "");
}

/* ---- the command line --------------------------------------------------- */

/* The words of a parameter; NULL: it is a number. */
static const char *words_of(const bench_program *p, const char *key)
{
    const bench_choice *c = p->choices;
    while (c != NULL && c->key != NULL && strcmp(c->key, key) != 0) {
        c++;
    }
    return c != NULL ? c->words : NULL;
}

static int usage(const bench_program *p)
{
    (void)fprintf(stderr, "usage: %s NAME [workers=N] [key=value...]\n",
                  p->title);
    for (const workload *const *group = p->groups; *group != NULL; group++) {
        for (const workload *w = *group; w->name != NULL; w++) {
            (void)fprintf(stderr, "  %-14s", w->name);
            for (const bench_param *q = w->params; q->key != NULL; q++) {
                const char *words = words_of(p, q->key);
                if (words != NULL) {
                    (void)fprintf(stderr, " %s=%s", q->key, words);
                } else {
                    (void)fprintf(stderr, " %s=%" PRId64, q->key, q->value);
                }
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

/* The word's place among the words, or -1. */
static int64_t place_of(const char *words, const char *word)
{
    const size_t len = strlen(word);
    for (int64_t place = 0; words != NULL; place++) {
        if (strncmp(words, word, len) == 0 &&
            (words[len] == '|' || words[len] == '\0')) {
            return len > 0 ? place : -1;
        }
        words = strchr(words, '|');
        words = words != NULL ? words + 1 : NULL;
    }
    return -1;
}

/* A number of 1 or more, or -1. */
static int64_t number_of(const char *text)
{
    char *end;
    const int64_t value = strtoll(text, &end, 10);
    return end == text || *end != '\0' || value < 1 ? -1 : value;
}

/* Takes key=value. */
static bool set(bench *b, const char *text)
{
    const char *equal = strchr(text, '=');
    if (equal == NULL) {
        return false;
    }
    const size_t len = (size_t)(equal - text);
    if (len == strlen("workers") && memcmp(text, "workers", len) == 0) {
        const int64_t n = number_of(equal + 1);
        b->workers = n <= b->program->workers_max && n > 0 ? (unsigned)n : 0;
        return b->workers != 0;
    }
    for (bench_param *p = b->params; p->key != NULL; p++) {
        if (strlen(p->key) == len && memcmp(p->key, text, len) == 0) {
            const char *words = words_of(b->program, p->key);
            const int64_t value = words != NULL ? place_of(words, equal + 1)
                                                : number_of(equal + 1);
            p->value = value;
            return value >= 0;
        }
    }
    return false;
}

int bench_main(const bench_program *p, int argc, char **argv)
{
    const workload *w = argc > 1 ? find(p, argv[1]) : NULL;
    if (w == NULL) {
        if (argc > 1) {
            (void)fprintf(stderr, "%s: %s: no such workload\n", p->title,
                          argv[1]);
        }
        return usage(p);
    }
    bench b = {
        .program = p, .name = w->name, .impl = p->impl, .workers = p->workers};
    memcpy(b.params, w->params, sizeof(b.params));
    for (int i = 2; i < argc; i++) {
        if (!set(&b, argv[i])) {
            (void)fprintf(stderr,
                          "%s: %s: no such parameter, or "
                          "not one of its values (numbers: 1 or more)\n",
                          p->title, argv[i]);
            return usage(p);
        }
    }
    return p->run(&b, w);
}
