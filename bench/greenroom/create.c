/*
 * bench/greenroom/create.c - actors that come and go, and that only wait:
 * fjcreate, fib, idle and idlewake.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/greenroom/bench.h"

/* ---- fjcreate ----------------------------------------------------------- */

/* Answers one message, and ends. */
static int mayfly_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t i;
    (void)state;
    if (!gr_match(msg, "do", &i)) {
        return gr_unhandled(self, msg);
    }
    gr_exit(self, 0, NULL);
    return gr_send(self, gr_sender(msg), "one", i);
}

static const gr_behavior mayfly = {.name = "mayfly", .receive = mayfly_receive};

typedef struct creator_state {
    gr_pid owner;
    int64_t n, answers, sum;
} creator_state;

static int create_all(gr_actor *self, const creator_state *c)
{
    for (int64_t i = 1; i <= c->n; i++) {
        gr_pid child;
        GR_TRY(gr_spawn(self, &mayfly, NULL, &child));
        GR_TRY(gr_send(self, child, "do", i));
    }
    return 0;
}

static int creator_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    creator_state *c = state;
    int64_t i;
    if (gr_match(msg, "one", &i)) {
        c->sum += i;
        return ++c->answers == c->n ? gr_send(self, c->owner, "done", c->sum)
                                    : 0;
    }
    if (gr_match(msg, "start", &c->n)) {
        c->owner = gr_sender(msg);
        return create_all(self, c);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior creator = {
    .name = "creator",
    .state_size = sizeof(creator_state),
    .receive = creator_receive,
    .mailbox = BENCH_UNBOUNDED,
};

static int run_fjcreate(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    gr_pid pid;
    GR_TRY(gr_spawn(b->self, &creator, NULL, &pid));
    bench_begin(b);
    GR_TRY(gr_send(b->self, pid, "start", n));
    return bench_finish(b, "fjcreate", n, n * (n + 1) / 2);
}

/* ---- fib ---------------------------------------------------------------- */

typedef struct fib_state {
    gr_pid parent;
    int64_t sum;
    int open; /* children that have not answered */
} fib_state;

static int fib_receive(gr_actor *self, void *state, const gr_msg *msg);
static int fib_init(gr_actor *self, void *state, const gr_msg *args);

static const gr_behavior fib = {
    .name = "fib",
    .state_size = sizeof(fib_state),
    .init = fib_init,
    .receive = fib_receive,
};

static int fib_end(gr_actor *self, const fib_state *f)
{
    gr_exit(self, 0, NULL);
    return gr_send(self, f->parent, "done", f->sum);
}

static int fib_init(gr_actor *self, void *state, const gr_msg *args)
{
    fib_state *f = state;
    int64_t n;
    if (!gr_unpack(args, &n, &f->parent)) {
        return GR_EINVAL;
    }
    if (n <= 2) {
        f->sum = 1;
        return fib_end(self, f);
    }
    f->open = 2;
    for (int64_t k = 1; k <= 2; k++) {
        GR_TRY(gr_spawn(self, &fib,
                        &(gr_spawn_opts){.args = gr_args(n - k, gr_self(self))},
                        NULL));
    }
    return 0;
}

static int fib_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    fib_state *f = state;
    int64_t one;
    if (!gr_match(msg, "done", &one)) {
        return gr_unhandled(self, msg);
    }
    f->sum += one;
    return --f->open == 0 ? fib_end(self, f) : 0;
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
    bench_begin(b);
    GR_TRY(gr_spawn(b->self, &fib,
                    &(gr_spawn_opts){.args = gr_args(n, gr_self(b->self))},
                    NULL));
    return bench_finish(b, "fib", 2 * result - 1, result);
}

/* ---- idle and idlewake -------------------------------------------------- */

/* How many have begun. For the program, not for the actors, who share nothing.
 */
static _Atomic(int64_t) begun;

static int idler_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)self;
    (void)state;
    (void)args;
    /* relaxed: a number that orders nothing. */
    atomic_fetch_add_explicit(&begun, 1, memory_order_relaxed);
    return 0;
}

/* Tells of each message that it gets, which is rare. */
static int idler_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t i;
    (void)state;
    if (!gr_match(msg, "wake", &i)) {
        return gr_unhandled(self, msg);
    }
    return gr_send(self, gr_sender(msg), "woken", i);
}

static const gr_behavior idler = {
    .name = "idler",
    .init = idler_init,
    .receive = idler_receive,
};

typedef struct waker_state {
    gr_pid *idlers; /* the program's */
    gr_pid owner;
    int64_t n, answers, sum;
} waker_state;

static int spawn_all(gr_actor *self, const waker_state *w)
{
    for (int64_t i = 0; i < w->n; i++) {
        GR_TRY(gr_spawn(self, &idler, NULL, &w->idlers[i]));
    }
    return gr_send(self, w->owner, "done", w->n);
}

static int wake_all(gr_actor *self, const waker_state *w)
{
    for (int64_t i = 0; i < w->n; i++) {
        GR_TRY(gr_send(self, w->idlers[i], "wake", i + 1));
    }
    return 0;
}

static int waker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    waker_state *w = state;
    uint64_t address;
    int64_t i;
    if (gr_match(msg, "woken", &i)) {
        w->sum += i;
        return ++w->answers == w->n ? gr_send(self, w->owner, "done", w->sum)
                                    : 0;
    }
    /* An array of 16 MB that nobody else touches meanwhile is not copied. */
    if (gr_match(msg, "spawn all", &address, &w->n)) {
        w->idlers = (gr_pid *)(uintptr_t)address; // NOLINT: see above
        w->owner = gr_sender(msg);
        return spawn_all(self, w);
    }
    if (gr_match(msg, "wake all")) {
        return wake_all(self, w);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior waker = {
    .name = "waker",
    .state_size = sizeof(waker_state),
    .receive = waker_receive,
    .mailbox = BENCH_UNBOUNDED,
};

static int wake_idlers(bench *b, gr_pid pid, int64_t n)
{
    bench_begin(b);
    GR_TRY(gr_send(b->self, pid, "wake all"));
    return bench_finish(b, "idlewake", n, n * (n + 1) / 2);
}

static int spawn_idlers(bench *b, gr_pid pid, gr_pid *idlers, int64_t n)
{
    char extra[64];
    int64_t spawned;
    const int64_t kb = bench_memory_kb("VmRSS:");
    bench_begin(b);
    GR_TRY(gr_send(b->self, pid, "spawn all", (uint64_t)(uintptr_t)idlers, n));
    GR_TRY(bench_wait(b, &spawned));
    /* relaxed: see idler_init. */
    while (atomic_load_explicit(&begun, memory_order_relaxed) < n) {
        (void)sched_yield(); /* never fails on Linux */
    }
    const int64_t ns = bench_now_ns() - b->t0_ns;
    (void)snprintf(extra, sizeof(extra), "bytes_per_actor=%" PRId64,
                   (bench_memory_kb("VmRSS:") - kb) * 1024 / n);
    bench_report(b, "idle", n, ns, extra);
    return 0;
}

static int run_idle(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    gr_pid *idlers = malloc((size_t)n * sizeof(*idlers));
    if (idlers == NULL) {
        return GR_ENOMEM;
    }
    for (int64_t i = 0; i < n; i++) {
        idlers[i] = GR_NOBODY; /* touched before the memory is measured */
    }
    gr_pid pid;
    int rc = gr_spawn(b->self, &waker, NULL, &pid);
    if (rc == 0) {
        rc = spawn_idlers(b, pid, idlers, n);
    }
    if (rc == 0) {
        rc = wake_idlers(b, pid, n);
    }
    free(idlers);
    return rc;
}

const workload bench_create[] = {
    {"fjcreate", {{"n", 200000}}, run_fjcreate},
    {"fib", {{"n", 25}}, run_fib},
    {"idle", {{"n", 1000000}}, run_idle},
    {0},
};
