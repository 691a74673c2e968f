/*
 * bench/greenroom/talk.c - who answers whom: pingpong, pairs, threadring.
 */
#include "bench/greenroom/bench.h"

/* ---- pingpong and pairs ------------------------------------------------- */

/* Answers each "ping" with one more. */
static int pong_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t i;
    (void)state;
    if (gr_match(msg, "ping", &i)) {
        return gr_send(self, gr_sender(msg), "pong", i + 1);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior pong = {.name = "pong", .receive = pong_receive};

typedef struct ping_state {
    gr_pid owner, pong;
    int64_t n, i, sum;
} ping_state;

static int ping_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    ping_state *p = state;
    int64_t i;
    if (gr_match(msg, "pong", &i)) {
        p->sum += i;
        if (++p->i < p->n) {
            return gr_send(self, p->pong, "ping", p->i);
        }
        return gr_send(self, p->owner, "done", p->sum);
    }
    if (gr_match(msg, "start", &p->n, &p->pong)) {
        p->owner = gr_sender(msg);
        return gr_send(self, p->pong, "ping", p->i);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior ping = {
    .name = "ping",
    .state_size = sizeof(ping_state),
    .receive = ping_receive,
};

enum { PAIRS_MAX = 1024 };

static int run_pairs(bench *b, const char *name, int64_t pairs)
{
    const int64_t n = bench_param_of(b, "n");
    gr_pid pings[PAIRS_MAX] = {GR_NOBODY};
    gr_pid pongs[PAIRS_MAX] = {GR_NOBODY};
    if (pairs > PAIRS_MAX) {
        return GR_EINVAL;
    }
    for (int64_t i = 0; i < pairs; i++) {
        GR_TRY(gr_spawn(b->self, &ping, NULL, &pings[i]));
        GR_TRY(gr_spawn(b->self, &pong, NULL, &pongs[i]));
    }
    bench_begin(b);
    for (int64_t i = 0; i < pairs; i++) {
        GR_TRY(gr_send(b->self, pings[i], "start", n, pongs[i]));
    }
    int64_t sum = 0;
    for (int64_t i = 1; i < pairs; i++) {
        int64_t one;
        GR_TRY(bench_wait(b, &one));
        sum += one - n * (n + 1) / 2;
    }
    return sum != 0 ? bench_failed(name, sum, 0)
                    : bench_finish(b, name, 2 * n * pairs, n * (n + 1) / 2);
}

static int run_pingpong(bench *b)
{
    return run_pairs(b, "pingpong", 1);
}

static int run_many_pairs(bench *b)
{
    return run_pairs(b, "pairs", bench_param_of(b, "pairs"));
}

/* ---- threadring --------------------------------------------------------- */

typedef struct ring_state {
    gr_pid owner, next;
    int64_t size;
    int64_t expected; /* what comes next; -1: the first */
} ring_state;

static int ring_init(gr_actor *self, void *state, const gr_msg *args)
{
    ring_state *r = state;
    (void)self;
    r->expected = -1;
    return gr_unpack(args, &r->owner, &r->size) ? 0 : GR_EINVAL;
}

static int ring_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    ring_state *r = state;
    int64_t left;
    if (gr_match(msg, "token", &left)) {
        if (r->expected >= 0 && left != r->expected) {
            return bench_failed("threadring", left, r->expected);
        }
        r->expected = left - r->size;
        if (left == 0) {
            return gr_send(self, r->owner, "done", 0);
        }
        return gr_send(self, r->next, "token", left - 1);
    }
    if (gr_match(msg, "next", &r->next)) {
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior ring = {
    .name = "ring",
    .state_size = sizeof(ring_state),
    .init = ring_init,
    .receive = ring_receive,
};

enum { RING_MAX = 10000 };

static int run_threadring(bench *b)
{
    const int64_t size = bench_param_of(b, "actors");
    const int64_t hops = bench_param_of(b, "hops");
    gr_pid actors[RING_MAX] = {GR_NOBODY};
    if (size > RING_MAX) {
        return GR_EINVAL;
    }
    for (int64_t i = 0; i < size; i++) {
        GR_TRY(
            gr_spawn(b->self, &ring,
                     &(gr_spawn_opts){.args = gr_args(gr_self(b->self), size)},
                     &actors[i]));
    }
    for (int64_t i = 0; i < size; i++) {
        GR_TRY(gr_send(b->self, actors[i], "next", actors[(i + 1) % size]));
    }
    bench_begin(b);
    GR_TRY(gr_send(b->self, actors[0], "token", hops));
    return bench_finish(b, "threadring", hops, 0);
}

const workload bench_talk[] = {
    {"pingpong", {{"n", 2000000}}, run_pingpong},
    {"pairs", {{"n", 500000}, {"pairs", 8}}, run_many_pairs},
    {"threadring", {{"actors", 100}, {"hops", 5000000}}, run_threadring},
    {0},
};
