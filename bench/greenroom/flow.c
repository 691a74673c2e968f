/*
 * bench/greenroom/flow.c - many messages one way: counting, mailbox,
 * fjthroughput, burst. Producers send in slices of BENCH_SLICE and go on by a
 * message to themselves, so that bounded mailboxes can slow them down.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bench/greenroom/bench.h"

/* ---- who adds up -------------------------------------------------------- */

typedef struct sum_state {
    int64_t sum, n;
    int64_t wanted; /* messages after which it tells; 0: when asked */
    gr_pid owner;
} sum_state;

static int sum_init(gr_actor *self, void *state, const gr_msg *args)
{
    sum_state *s = state;
    (void)self;
    return gr_unpack(args, &s->owner, &s->wanted) ? 0 : GR_EINVAL;
}

static int sum_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    sum_state *s = state;
    int64_t i;
    if (gr_match(msg, "add", &i)) {
        s->sum += i;
        return ++s->n == s->wanted ? gr_send(self, s->owner, "done", s->sum)
                                   : 0;
    }
    if (gr_match(msg, "get")) {
        return gr_send(self, s->owner, "done", s->sum);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior sum = {
    .name = "sum",
    .state_size = sizeof(sum_state),
    .init = sum_init,
    .receive = sum_receive,
};

static int spawn_sum(const bench *b, const gr_behavior *behavior, gr_pid owner,
                     int64_t wanted, gr_pid *out)
{
    return gr_spawn(b->self, behavior,
                    &(gr_spawn_opts){.args = gr_args(owner, wanted)}, out);
}

/* ---- who sends ---------------------------------------------------------- */

typedef struct producer_state {
    gr_pid to;
    int64_t i, n;
    bool ask; /* "get" after the last */
} producer_state;

static int produce(gr_actor *self, producer_state *p, int64_t most)
{
    const int64_t end = p->n - p->i < most ? p->n : p->i + most;
    while (p->i < end) {
        GR_TRY(gr_send(self, p->to, "add", ++p->i));
    }
    if (p->i < p->n) {
        return gr_send(self, gr_self(self), "go");
    }
    return p->ask ? gr_send(self, p->to, "get") : 0;
}

static int producer_init(gr_actor *self, void *state, const gr_msg *args)
{
    producer_state *p = state;
    (void)self;
    return gr_unpack(args, &p->to, &p->n, &p->ask) ? 0 : GR_EINVAL;
}

static int producer_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    if (gr_match(msg, "go")) {
        return produce(self, state, BENCH_SLICE);
    }
    if (gr_match(msg, "burst")) {
        return produce(self, state, INT64_MAX);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior producer = {
    .name = "producer",
    .state_size = sizeof(producer_state),
    .init = producer_init,
    .receive = producer_receive,
};

static int spawn_producer(const bench *b, gr_pid to, int64_t n, bool ask,
                          gr_pid *out)
{
    return gr_spawn(b->self, &producer,
                    &(gr_spawn_opts){.args = gr_args(to, n, gr_bool(ask))},
                    out);
}

/* ---- counting ----------------------------------------------------------- */

static int run_counting(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    gr_pid to;
    gr_pid from;
    GR_TRY(spawn_sum(b, &sum, gr_self(b->self), 0, &to));
    GR_TRY(spawn_producer(b, to, n, true, &from));
    bench_begin(b);
    GR_TRY(gr_send(b->self, from, "go"));
    return bench_finish(b, "counting", n, n * (n + 1) / 2);
}

/* ---- mailbox ------------------------------------------------------------ */

enum { SENDERS_MAX = 1000 };

static int run_mailbox(bench *b)
{
    const int64_t senders = bench_param_of(b, "senders");
    const int64_t n = bench_param_of(b, "n");
    gr_pid to;
    gr_pid from[SENDERS_MAX] = {GR_NOBODY};
    if (senders > SENDERS_MAX) {
        return GR_EINVAL;
    }
    GR_TRY(spawn_sum(b, &sum, gr_self(b->self), senders * n, &to));
    for (int64_t i = 0; i < senders; i++) {
        GR_TRY(spawn_producer(b, to, n, false, &from[i]));
    }
    bench_begin(b);
    for (int64_t i = 0; i < senders; i++) {
        GR_TRY(gr_send(b->self, from[i], "go"));
    }
    return bench_finish(b, "mailbox", senders * n, senders * (n * (n + 1) / 2));
}

/* ---- fjthroughput ------------------------------------------------------- */

enum { RECEIVERS_MAX = 1000 };

typedef struct fan_state {
    gr_pid *to;
    int64_t receivers, ready; /* how many of `to` are known */
    int64_t n, i, next;       /* round i, from receiver `next` on */
    int64_t sum, answers;
    gr_pid owner;
} fan_state;

static int fan_init(gr_actor *self, void *state, const gr_msg *args)
{
    fan_state *f = state;
    if (!gr_unpack(args, &f->owner, &f->receivers, &f->n)) {
        return GR_EINVAL;
    }
    f->i = 1;
    f->to = gr_alloc(self, (size_t)f->receivers * sizeof(*f->to));
    return f->to != NULL ? 0 : GR_ENOMEM;
}

static int fan_out(gr_actor *self, fan_state *f)
{
    for (unsigned k = 0; k < BENCH_SLICE && f->i <= f->n; k++) {
        GR_TRY(gr_send(self, f->to[f->next], "add", f->i));
        if (++f->next == f->receivers) {
            f->next = 0;
            f->i++;
        }
    }
    return f->i <= f->n ? gr_send(self, gr_self(self), "go") : 0;
}

static int fan_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    fan_state *f = state;
    int64_t one;
    if (gr_match(msg, "go")) {
        return fan_out(self, f);
    }
    if (gr_match(msg, "done", &one)) {
        f->sum += one;
        return ++f->answers == f->receivers
                   ? gr_send(self, f->owner, "done", f->sum)
                   : 0;
    }
    if (f->ready < f->receivers && gr_match(msg, "to", &f->to[f->ready])) {
        f->ready++;
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior fan = {
    .name = "fan",
    .state_size = sizeof(fan_state),
    .init = fan_init,
    .receive = fan_receive,
};

static int run_fjthroughput(bench *b)
{
    const int64_t receivers = bench_param_of(b, "actors");
    const int64_t n = bench_param_of(b, "n");
    gr_pid from;
    if (receivers > RECEIVERS_MAX) {
        return GR_EINVAL;
    }
    GR_TRY(gr_spawn(
        b->self, &fan,
        &(gr_spawn_opts){.args = gr_args(gr_self(b->self), receivers, n)},
        &from));
    for (int64_t i = 0; i < receivers; i++) {
        gr_pid to;
        GR_TRY(spawn_sum(b, &sum, from, n, &to));
        GR_TRY(gr_send(b->self, from, "to", to));
    }
    bench_begin(b);
    GR_TRY(gr_send(b->self, from, "go"));
    return bench_finish(b, "fjthroughput", receivers * n,
                        receivers * (n * (n + 1) / 2));
}

/* ---- burst -------------------------------------------------------------- */

static const gr_behavior unbounded_sum = {
    .name = "unbounded_sum",
    .state_size = sizeof(sum_state),
    .init = sum_init,
    .receive = sum_receive,
    .mailbox = BENCH_UNBOUNDED,
};

enum {
    SETTLE_MS = 2000, /* how long memory may take to go back */
    SETTLE_STEP_MS = 50,
    SETTLED_KB = 32 * 1024
};

/* Waits until the memory of the burst is back. Returns what is still there. */
static int64_t settle_kb(const bench *b, int64_t *ms)
{
    int64_t kb = bench_memory_kb("VmRSS:");
    for (*ms = 0; kb > SETTLED_KB && *ms < SETTLE_MS; *ms += SETTLE_STEP_MS) {
        const gr_msg *none;
        GR_IGNORE(gr_receive(b->self, SETTLE_STEP_MS, &none), "a pause");
        kb = bench_memory_kb("VmRSS:");
    }
    return kb;
}

/* All messages in one callback. With one worker, all are queued at once. */
static int run_burst(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    char extra[64];
    gr_pid to;
    gr_pid from;
    int64_t got;
    int64_t ms;
    GR_TRY(spawn_sum(b, &unbounded_sum, gr_self(b->self), 0, &to));
    GR_TRY(spawn_producer(b, to, n, true, &from));
    bench_begin(b);
    GR_TRY(gr_send(b->self, from, "burst"));
    GR_TRY(bench_wait(b, &got));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    if (got != n * (n + 1) / 2) {
        return bench_failed("burst", got, n * (n + 1) / 2);
    }
    const int64_t kb = settle_kb(b, &ms);
    (void)snprintf(extra, sizeof(extra),
                   "settled_kb=%" PRId64 " settled_ms=%" PRId64, kb, ms);
    bench_report(b, "burst", n, ns, extra);
    return 0;
}

const workload bench_flow[] = {
    {"counting", {{"n", 5000000}}, run_counting},
    {"mailbox", {{"senders", 20}, {"n", 250000}}, run_mailbox},
    {"fjthroughput", {{"actors", 60}, {"n", 50000}}, run_fjthroughput},
    {"burst", {{"n", 5000000}}, run_burst},
    {0},
};
