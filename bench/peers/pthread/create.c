/*
 * bench/peers/pthread/create.c - actors that come and go, and that only wait:
 * fjcreate, fib, idle and idlewake.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/peers/pthread/peer.h"

/* ---- fjcreate ----------------------------------------------------------- */

enum { ALIVE_MAX = 1000 }; /* a system has threads for so many at once */

typedef struct mayfly {
    pthread_t thread;
    mailbox in;
} mayfly;

/* Answers one message, and ends. */
static void *mayfly_actor(void *arg)
{
    mayfly *m = arg;
    message *msg = take(&m->in);
    push(msg->from, &m->in, 0, msg->value);
    free(msg);
    return NULL;
}

static void bury(mayfly *m)
{
    if (pthread_join(m->thread, NULL) != 0) {
        die("a thread is lost");
    }
    mailbox_fini(&m->in);
}

static int run_fjcreate(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    mayfly *all = many(ALIVE_MAX, sizeof(*all));
    mailbox *owner = mailbox_new();
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        mayfly *m = &all[i % ALIVE_MAX];
        if (i >= ALIVE_MAX) {
            bury(m);
        }
        mailbox_init(&m->in);
        m->thread = spawn(mayfly_actor, m);
        push(&m->in, owner, 0, i + 1);
    }
    const int64_t sum = gather(owner, n);
    return finish(b, n, sum, n * (n + 1) / 2);
}

/* ---- fib ---------------------------------------------------------------- */

typedef struct fib {
    mailbox in;
    mailbox *parent;
    int64_t n;
} fib;

static void *fib_actor(void *arg)
{
    fib *f = arg;
    int64_t sum = 1;
    if (f->n > 2) {
        fib child[2] = {{.n = f->n - 1}, {.n = f->n - 2}};
        pthread_t thread[2];
        mailbox_init(&f->in);
        for (int k = 0; k < 2; k++) {
            child[k].parent = &f->in;
            thread[k] = spawn(fib_actor, &child[k]);
        }
        sum = gather(&f->in, 2);
        /* They may still be about to wake this one. */
        for (int k = 0; k < 2; k++) {
            if (pthread_join(thread[k], NULL) != 0) {
                die("a thread is lost");
            }
        }
        mailbox_fini(&f->in);
    }
    push(f->parent, NULL, 0, sum);
    return NULL;
}

static int run_fib(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    int64_t result = 1;
    int64_t before = 1;
    for (int64_t i = 3; i <= n; i++) {
        const int64_t next = result + before;
        before = result;
        result = next;
    }
    mailbox *owner = mailbox_new();
    fib root = {.n = n, .parent = owner};
    bench_begin(b);
    spawn_detached(fib_actor, &root);
    const int64_t sum = take_value(owner);
    return finish(b, 2 * result - 1, sum, result);
}

/* ---- idle and idlewake -------------------------------------------------- */

typedef struct idle {
    mailbox owner;
    atomic_llong to_begin;
} idle;

typedef struct idler {
    mailbox in;
    idle *crowd;
} idler;

static void *idler_actor(void *arg)
{
    idler *i = arg;
    /* Relaxed: only the count matters; the mailbox's lock hands on the rest. */
    if (atomic_fetch_sub_explicit(&i->crowd->to_begin, 1,
                                  memory_order_relaxed) == 1) {
        push(&i->crowd->owner, NULL, 0, 0);
    }
    for (;;) {
        message *msg = take(&i->in);
        push(msg->from, &i->in, 0, msg->value);
        free(msg);
    }
    return NULL;
}

static int wake_all(bench *b, idler *all, int64_t n)
{
    mailbox *owner = mailbox_new();
    b->name = "idlewake";
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        push(&all[i].in, owner, 0, i + 1);
    }
    const int64_t sum = gather(owner, n);
    return finish(b, n, sum, n * (n + 1) / 2);
}

static int run_idle(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    char extra[64];
    idle *crowd = many(1, sizeof(*crowd));
    mailbox_init(&crowd->owner);
    atomic_init(&crowd->to_begin, n);
    const int64_t kb = bench_memory_kb("VmRSS:");
    idler *all = many(n, sizeof(*all));
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        mailbox_init(&all[i].in);
        all[i].crowd = crowd;
        spawn_detached(idler_actor, &all[i]);
    }
    (void)take_value(&crowd->owner);
    const int64_t ns = bench_now_ns() - b->t0_ns;
    (void)snprintf(extra, sizeof(extra), "bytes_per_actor=%" PRId64,
                   (bench_memory_kb("VmRSS:") - kb) * 1024 / n);
    bench_report(b, "idle", n, ns, extra);
    return wake_all(b, all, n);
}

/* As many threads as a system lets a program have. */
const workload peer_create[] = {
    {"fjcreate", {{"n", 20000}}, run_fjcreate},
    {"fib", {{"n", 15}}, run_fib},
    {"idle", {{"n", 10000}}, run_idle},
    {0},
};
