/*
 * bench/peers/pthread/talk.c - who answers whom: pingpong, pairs, threadring.
 */
#include <stdlib.h>

#include "bench/peers/pthread/peer.h"

/* ---- pingpong and pairs ------------------------------------------------- */

typedef struct pair {
    mailbox ping, pong;
    mailbox *owner;
    int64_t n;
} pair;

static void *pong(void *arg)
{
    pair *p = arg;
    for (;;) {
        message *msg = take(&p->pong);
        push(msg->from, &p->pong, 0, msg->value + 1);
        free(msg);
    }
    return NULL;
}

static void *ping(void *arg)
{
    pair *p = arg;
    int64_t sum = 0;
    for (int64_t i = 0; i < p->n; i++) {
        push(&p->pong, &p->ping, 0, i);
        sum += take_value(&p->ping);
    }
    push(p->owner, &p->ping, 0, sum);
    return NULL;
}

static int run_some(bench *b, int64_t pairs)
{
    const int64_t n = bench_param_of(b, "n");
    pair *all = many(pairs, sizeof(*all));
    mailbox *owner = mailbox_new();
    for (int64_t i = 0; i < pairs; i++) {
        all[i].owner = owner;
        all[i].n = n;
        mailbox_init(&all[i].ping);
        mailbox_init(&all[i].pong);
        spawn_detached(pong, &all[i]);
    }
    bench_begin(b);
    for (int64_t i = 0; i < pairs; i++) {
        spawn_detached(ping, &all[i]);
    }
    const int64_t sum = gather(owner, pairs);
    return finish(b, 2 * n * pairs, sum, pairs * (n * (n + 1) / 2));
}

static int run_pingpong(bench *b)
{
    return run_some(b, 1);
}

static int run_pairs(bench *b)
{
    return run_some(b, bench_param_of(b, "pairs"));
}

/* ---- threadring --------------------------------------------------------- */

typedef struct ring {
    mailbox in;
    struct ring *next;
    mailbox *owner;
    const bench *b;
    int64_t size;
} ring;

/* The token has fallen by the size of the ring since it was here. */
static void *ring_actor(void *arg)
{
    ring *r = arg;
    int64_t left = take_value(&r->in);
    while (left > 0) {
        const int64_t expected = left - r->size;
        push(&r->next->in, &r->in, 0, left - 1);
        left = take_value(&r->in);
        check(r->b, left, expected);
    }
    push(r->owner, &r->in, 0, left);
    return NULL;
}

static int run_threadring(bench *b)
{
    const int64_t size = bench_param_of(b, "actors");
    const int64_t hops = bench_param_of(b, "hops");
    ring *all = many(size, sizeof(*all));
    mailbox *owner = mailbox_new();
    for (int64_t i = 0; i < size; i++) {
        ring *r = &all[i];
        r->next = &all[(i + 1) % size];
        r->owner = owner;
        r->b = b;
        r->size = size;
        mailbox_init(&r->in);
    }
    for (int64_t i = 0; i < size; i++) {
        spawn_detached(ring_actor, &all[i]);
    }
    bench_begin(b);
    push(&all[0].in, owner, 0, hops);
    const int64_t last = take_value(owner);
    return finish(b, hops, last, 0);
}

/* Each hop wakes a thread. */
const workload peer_talk[] = {
    {"pingpong", {{"n", 50000}}, run_pingpong},
    {"pairs", {{"n", 10000}, {"pairs", 8}}, run_pairs},
    {"threadring", {{"actors", 100}, {"hops", 100000}}, run_threadring},
    {0},
};
