/*
 * bench/peers/pthread/flow.c - many messages one way: counting, mailbox,
 * fjthroughput; and latency.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/peers/pthread/peer.h"

enum { ADD, GET };

/* ---- who adds up, who sends --------------------------------------------- */

typedef struct adder {
    mailbox in;
    mailbox *owner;
    int64_t wanted; /* messages after which it tells; 0: when asked */
} adder;

static void *add_up(void *arg)
{
    adder *a = arg;
    int64_t sum = 0;
    int64_t n = 0;
    int64_t kind = ADD;
    while (kind != GET && (a->wanted == 0 || n < a->wanted)) {
        message *msg = take(&a->in);
        kind = msg->kind;
        sum += msg->value;
        n++;
        free(msg);
    }
    push(a->owner, &a->in, 0, sum);
    return NULL;
}

static void spawn_adder(adder *a, mailbox *owner, int64_t wanted)
{
    mailbox_init(&a->in);
    a->owner = owner;
    a->wanted = wanted;
    spawn_detached(add_up, a);
}

typedef struct producer {
    adder *to;
    int64_t receivers, n;
    bool ask; /* GET after the last */
} producer;

static void *produce(void *arg)
{
    /* A copy: the program goes on when it has the result. */
    const producer p = *(const producer *)arg;
    for (int64_t i = 1; i <= p.n; i++) {
        for (int64_t k = 0; k < p.receivers; k++) {
            push(&p.to[k].in, NULL, ADD, i);
        }
    }
    if (p.ask) {
        push(&p.to->in, NULL, GET, 0);
    }
    return NULL;
}

/* ---- counting, mailbox, fjthroughput ------------------------------------ */

static int run_counting(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    mailbox *owner = mailbox_new();
    adder *to = many(1, sizeof(*to));
    producer from = {.to = to, .receivers = 1, .n = n, .ask = true};
    spawn_adder(to, owner, 0);
    bench_begin(b);
    spawn_detached(produce, &from);
    const int64_t sum = take_value(owner);
    return finish(b, n, sum, n * (n + 1) / 2);
}

static int run_mailbox(bench *b)
{
    const int64_t senders = bench_param_of(b, "senders");
    const int64_t n = bench_param_of(b, "n");
    mailbox *owner = mailbox_new();
    adder *to = many(1, sizeof(*to));
    producer from = {.to = to, .receivers = 1, .n = n};
    spawn_adder(to, owner, senders * n);
    bench_begin(b);
    for (int64_t i = 0; i < senders; i++) {
        spawn_detached(produce, &from);
    }
    const int64_t sum = take_value(owner);
    return finish(b, senders * n, sum, senders * (n * (n + 1) / 2));
}

static int run_fjthroughput(bench *b)
{
    const int64_t actors = bench_param_of(b, "actors");
    const int64_t n = bench_param_of(b, "n");
    mailbox *owner = mailbox_new();
    adder *to = many(actors, sizeof(*to));
    producer from = {.to = to, .receivers = actors, .n = n};
    for (int64_t i = 0; i < actors; i++) {
        spawn_adder(&to[i], owner, n);
    }
    bench_begin(b);
    spawn_detached(produce, &from);
    const int64_t sum = gather(owner, actors);
    return finish(b, actors * n, sum, actors * (n * (n + 1) / 2));
}

/* ---- latency ------------------------------------------------------------ */

typedef struct line {
    mailbox echo, collector, owner;
    int64_t n;
    int64_t *ns;
} line;

static void *echo(void *arg)
{
    line *l = arg;
    for (;;) {
        push(&l->collector, NULL, 0, take_value(&l->echo));
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void *collect(void *arg)
{
    line *l = arg;
    int64_t sum = 0;
    for (int64_t i = 0; i < l->n; i++) {
        const int64_t sent_ns = take_value(&l->collector);
        l->ns[i] = bench_now_ns() - sent_ns;
        sum += l->ns[i];
    }
    qsort(l->ns, (size_t)l->n, sizeof(*l->ns), by_size);
    push(&l->owner, NULL, 0, sum);
    return NULL;
}

static void sleep_until(int64_t ns)
{
    const struct timespec t = {.tv_sec = ns / 1000000000,
                               .tv_nsec = ns % 1000000000};
    /* Cut short only by a signal that nobody sends. */
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* Sends `rate` messages a second, all that are due at each tick. */
static void pace(const bench *b, mailbox *to)
{
    const int64_t rate = bench_param_of(b, "rate");
    const int64_t n = bench_param_of(b, "n");
    const int64_t tick_ns = bench_param_of(b, "tick") * 1000;
    int64_t next_ns = b->t0_ns;
    for (int64_t sent = 0; sent < n;) {
        next_ns += tick_ns;
        sleep_until(next_ns);
        const int64_t due = (bench_now_ns() - b->t0_ns) / 1000 * rate / 1000000;
        for (; sent < due && sent < n; sent++) {
            push(to, NULL, 0, bench_now_ns());
        }
    }
}

/* As long as the i-th message took, in order of size. */
static double us_of(const line *l, int64_t i)
{
    return (double)l->ns[i] / 1e3;
}

static int run_latency(bench *b)
{
    char name[64];
    char extra[128];
    line *l = many(1, sizeof(*l));
    l->n = bench_param_of(b, "n");
    l->ns = many(l->n, sizeof(*l->ns));
    mailbox_init(&l->echo);
    mailbox_init(&l->collector);
    mailbox_init(&l->owner);
    spawn_detached(echo, l);
    spawn_detached(collect, l);
    bench_begin(b);
    pace(b, &l->echo);
    const int64_t sum = take_value(&l->owner);
    (void)snprintf(name, sizeof(name), "latency_tick%" PRId64,
                   bench_param_of(b, "tick"));
    (void)snprintf(extra, sizeof(extra),
                   "p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f",
                   us_of(l, l->n / 2), us_of(l, l->n * 99 / 100),
                   us_of(l, l->n * 999 / 1000), us_of(l, l->n - 1));
    bench_report(b, name, l->n, sum, extra);
    return 0;
}

/* Where 60 receivers are fed by one, most messages wake a thread. */
const workload peer_flow[] = {
    {"counting", {{"n", 5000000}}, run_counting},
    {"mailbox", {{"senders", 20}, {"n", 250000}}, run_mailbox},
    {"fjthroughput", {{"actors", 60}, {"n", 5000}}, run_fjthroughput},
    {"latency", {{"rate", 20000}, {"n", 40000}, {"tick", 1000}}, run_latency},
    {0},
};
