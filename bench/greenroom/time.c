/*
 * bench/greenroom/time.c - when things happen: latency, mixed, beside, behind,
 * compute.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/greenroom/bench.h"

/* ---- who collects how long messages took -------------------------------- */

typedef struct collector_state {
    gr_pid owner;
    int64_t wanted, n, sum;
    int64_t *ns;
} collector_state;

static int collector_init(gr_actor *self, void *state, const gr_msg *args)
{
    collector_state *c = state;
    if (!gr_unpack(args, &c->owner, &c->wanted)) {
        return GR_EINVAL;
    }
    c->ns = gr_alloc(self, (size_t)c->wanted * sizeof(*c->ns));
    return c->ns != NULL ? 0 : GR_ENOMEM;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int tell_times(gr_actor *self, const collector_state *c)
{
    const int64_t n = c->n;
    qsort(c->ns, (size_t)n, sizeof(*c->ns), by_size);
    return gr_send(self, c->owner, "times", c->sum, c->ns[n / 2],
                   c->ns[n * 99 / 100], c->ns[n * 999 / 1000], c->ns[n - 1]);
}

static int collector_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    collector_state *c = state;
    int64_t sent_ns;
    if (!gr_match(msg, "echo", &sent_ns)) {
        return gr_unhandled(self, msg);
    }
    c->ns[c->n] = bench_now_ns() - sent_ns;
    c->sum += c->ns[c->n];
    return ++c->n == c->wanted ? tell_times(self, c) : 0;
}

static const gr_behavior collector = {
    .name = "collector",
    .state_size = sizeof(collector_state),
    .init = collector_init,
    .receive = collector_receive,
};

static int report_times(bench *b, const char *name, int64_t n)
{
    const gr_msg *msg;
    int64_t sum;
    int64_t p50;
    int64_t p99;
    int64_t p999;
    int64_t max;
    char extra[128];
    GR_TRY(gr_receive(b->self, BENCH_WAIT_MS, &msg));
    if (!gr_match(msg, "times", &sum, &p50, &p99, &p999, &max)) {
        return GR_EFAIL;
    }
    (void)snprintf(extra, sizeof(extra),
                   "p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f",
                   (double)p50 / 1e3, (double)p99 / 1e3, (double)p999 / 1e3,
                   (double)max / 1e3);
    bench_report(b, name, n, sum, extra);
    return 0;
}

/* ---- latency ------------------------------------------------------------ */

/* Passes each message on. */
static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const gr_pid *to = state;
    int64_t sent_ns;
    if (!gr_match(msg, "time", &sent_ns)) {
        return gr_unhandled(self, msg);
    }
    return gr_send(self, *to, "echo", sent_ns);
}

static int echo_init(gr_actor *self, void *state, const gr_msg *args)
{
    gr_pid *to = state;
    (void)self;
    return gr_unpack(args, to) ? 0 : GR_EINVAL;
}

static const gr_behavior echo = {
    .name = "echo",
    .state_size = sizeof(gr_pid),
    .init = echo_init,
    .receive = echo_receive,
};

/* Sends `rate` messages a second, all that are due at each tick, to echo. An
 * actor, as in the programs of Go and Erlang. */
typedef struct pacer_state {
    gr_pid to;
    int64_t rate, n, tick_us, t0_ns, ticks, sent;
} pacer_state;

static int pacer_init(gr_actor *self, void *state, const gr_msg *args)
{
    pacer_state *p = state;
    if (!gr_unpack(args, &p->to, &p->rate, &p->n, &p->tick_us)) {
        return GR_EINVAL;
    }
    p->t0_ns = bench_now_ns();
    return gr_after_us(self, p->tick_us, NULL, "tick");
}

static int pacer_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    pacer_state *p = state;
    if (!gr_match(msg, "tick")) {
        return gr_unhandled(self, msg);
    }
    const int64_t past_us = (bench_now_ns() - p->t0_ns) / 1000;
    const int64_t due = past_us * p->rate / 1000000;
    for (; p->sent < due && p->sent < p->n; p->sent++) {
        GR_TRY(gr_send(self, p->to, "time", bench_now_ns()));
    }
    const int64_t next_us = ++p->ticks * p->tick_us + p->tick_us;
    return p->sent == p->n
               ? 0
               : gr_after_us(self, next_us > past_us ? next_us - past_us : 0,
                             NULL, "tick");
}

static const gr_behavior pacer = {
    .name = "pacer",
    .state_size = sizeof(pacer_state),
    .init = pacer_init,
    .receive = pacer_receive,
};

static void sleep_until(int64_t ns)
{
    const struct timespec t = {.tv_sec = ns / 1000000000,
                               .tv_nsec = ns % 1000000000};
    /* Cut short only by a signal that nobody sends. */
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* The same from a thread outside, to the actors in turn. */
static int pace(bench *b, const gr_pid *to, int64_t n_to)
{
    const int64_t rate = bench_param_of(b, "rate");
    const int64_t n = bench_param_of(b, "n");
    const int64_t tick_ns = bench_param_of(b, "tick") * 1000;
    int64_t next_ns = b->t0_ns;
    for (int64_t sent = 0; sent < n;) {
        next_ns += tick_ns;
        sleep_until(next_ns);
        const int64_t past_us = (bench_now_ns() - b->t0_ns) / 1000;
        const int64_t due = past_us * rate / 1000000;
        for (; sent < due && sent < n; sent++) {
            GR_TRY(gr_send(b->self, to[sent % n_to], "time", bench_now_ns()));
        }
    }
    return 0;
}

static int spawn_echoes(const bench *b, gr_pid *out, int64_t n)
{
    gr_pid to;
    GR_TRY(gr_spawn(b->self, &collector,
                    &(gr_spawn_opts){.args = gr_args(gr_self(b->self),
                                                     bench_param_of(b, "n"))},
                    &to));
    for (int64_t i = 0; i < n; i++) {
        GR_TRY(gr_spawn(b->self, &echo, &(gr_spawn_opts){.args = gr_args(to)},
                        &out[i]));
    }
    return 0;
}

static int run_latency(bench *b)
{
    char name[64];
    gr_pid to;
    (void)snprintf(name, sizeof(name), "latency_tick%" PRId64,
                   bench_param_of(b, "tick"));
    GR_TRY(spawn_echoes(b, &to, 1));
    bench_begin(b);
    GR_TRY(
        gr_spawn(b->self, &pacer,
                 &(gr_spawn_opts){.args = gr_args(to, bench_param_of(b, "rate"),
                                                  bench_param_of(b, "n"),
                                                  bench_param_of(b, "tick"))},
                 NULL));
    return report_times(b, name, bench_param_of(b, "n"));
}

/* ---- work that takes time ----------------------------------------------- */

/* What the compiler may not leave out. */
static uint64_t spin(uint64_t rounds)
{
    uint64_t x = 1;
    for (uint64_t i = 0; i < rounds; i++) {
        x = x * UINT64_C(6364136223846793005) + 1;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

/* So many rounds take so many microseconds here and now. */
static uint64_t rounds_of(int64_t us)
{
    const uint64_t probe = 1000000;
    int64_t best_ns = INT64_MAX;
    for (int i = 0; i < 10; i++) {
        const int64_t t0 = bench_now_ns();
        (void)spin(probe);
        const int64_t ns = bench_now_ns() - t0;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return probe * (uint64_t)us * 1000 / (uint64_t)best_ns;
}

/* ---- mixed -------------------------------------------------------------- */

/* Computes, and goes on by a message to itself. */
static int heavy_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    uint64_t rounds;
    (void)state;
    if (!gr_match(msg, "go", &rounds)) {
        return gr_unhandled(self, msg);
    }
    (void)spin(rounds);
    return gr_send(self, gr_self(self), "go", rounds);
}

static const gr_behavior heavy = {.name = "heavy", .receive = heavy_receive};

enum { LIGHT_MAX = 1000, HEAVY = 2, HEAVY_US = 5000 };

static int run_mixed(bench *b)
{
    const int64_t lights = bench_param_of(b, "actors");
    gr_pid light[LIGHT_MAX] = {GR_NOBODY};
    gr_pid heavies[HEAVY] = {GR_NOBODY};
    if (lights > LIGHT_MAX) {
        return GR_EINVAL;
    }
    const uint64_t rounds = rounds_of(HEAVY_US);
    GR_TRY(spawn_echoes(b, light, lights));
    for (int i = 0; i < HEAVY; i++) {
        GR_TRY(gr_spawn(b->self, &heavy, NULL, &heavies[i]));
        GR_TRY(gr_send(b->self, heavies[i], "go", rounds));
    }
    bench_begin(b);
    GR_TRY(pace(b, light, lights));
    const int rc = report_times(b, "mixed", bench_param_of(b, "n"));
    for (int i = 0; i < HEAVY; i++) {
        GR_TRY(gr_kill(b->self, heavies[i]));
    }
    return rc;
}

/* ---- beside ------------------------------------------------------------- */

enum { BESIDE = 100 /* actors that get messages meanwhile */ };

static _Atomic(bool) loops_end;

/* An endless loop, if it were not for the end of the run. */
static int loop_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    /* relaxed: it orders nothing. */
    while (!atomic_load_explicit(&loops_end, memory_order_relaxed)) {
    }
    return 0;
}

static const gr_behavior loop = {.name = "loop", .receive = loop_receive};

/* The loops begin while messages come. */
static int run_beside(bench *b)
{
    gr_pid light[BESIDE] = {GR_NOBODY};
    GR_TRY(spawn_echoes(b, light, BESIDE));
    bench_begin(b);
    for (int64_t i = 0; i < bench_param_of(b, "loops"); i++) {
        gr_pid pid;
        GR_TRY(gr_spawn(b->self, &loop, NULL, &pid));
        GR_TRY(gr_send(b->self, pid, "go"));
    }
    GR_TRY(pace(b, light, BESIDE));
    const int rc = report_times(b, "beside", bench_param_of(b, "n"));
    /* relaxed: as above. */
    atomic_store_explicit(&loops_end, true, memory_order_relaxed);
    return rc;
}

/* ---- behind ------------------------------------------------------------- */

/* Sends one message, and computes: the receiver should not wait for it. */
static int talker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const gr_pid *to = state;
    uint64_t rounds;
    if (!gr_match(msg, "go", &rounds)) {
        return gr_unhandled(self, msg);
    }
    GR_TRY(gr_send(self, *to, "echo", bench_now_ns()));
    (void)spin(rounds);
    return 0;
}

static const gr_behavior talker = {
    .name = "talker",
    .state_size = sizeof(gr_pid),
    .init = echo_init,
    .receive = talker_receive,
};

static int run_behind(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    const int64_t us = bench_param_of(b, "us");
    const uint64_t rounds = rounds_of(us);
    gr_pid to;
    gr_pid from;
    GR_TRY(gr_spawn(b->self, &collector,
                    &(gr_spawn_opts){.args = gr_args(gr_self(b->self), n)},
                    &to));
    GR_TRY(gr_spawn(b->self, &talker, &(gr_spawn_opts){.args = gr_args(to)},
                    &from));
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        GR_TRY(gr_send(b->self, from, "go", rounds));
        sleep_until(bench_now_ns() + (us + us / 10) * 1000);
    }
    return report_times(b, "behind", n);
}

/* ---- compute ------------------------------------------------------------ */

static int computer_init(gr_actor *self, void *state, const gr_msg *args)
{
    uint64_t rounds;
    gr_pid to;
    (void)state;
    if (!gr_unpack(args, &to, &rounds)) {
        return GR_EINVAL;
    }
    (void)spin(rounds);
    gr_exit(self, 0, NULL);
    return gr_send(self, to, "done", 1);
}

static int computer_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg);
}

static const gr_behavior computer = {
    .name = "computer",
    .init = computer_init,
    .receive = computer_receive,
};

static int run_compute(bench *b)
{
    const int64_t n = bench_param_of(b, "actors");
    const uint64_t rounds = rounds_of(bench_param_of(b, "us"));
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        GR_TRY(gr_spawn(
            b->self, &computer,
            &(gr_spawn_opts){.args = gr_args(gr_self(b->self), rounds)}, NULL));
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t one;
        GR_TRY(bench_wait(b, &one));
    }
    bench_report(b, "compute", n, bench_now_ns() - b->t0_ns, NULL);
    return 0;
}

const workload bench_time[] = {
    {"latency", {{"rate", 20000}, {"n", 40000}, {"tick", 1000}}, run_latency},
    {"mixed",
     {{"actors", 100}, {"rate", 10000}, {"n", 40000}, {"tick", 1000}},
     run_mixed},
    {"beside",
     {{"loops", 1}, {"rate", 10000}, {"n", 20000}, {"tick", 1000}},
     run_beside},
    {"behind", {{"n", 20}, {"us", 50000}}, run_behind},
    {"compute", {{"actors", 2000}, {"us", 55}}, run_compute},
    {0},
};
