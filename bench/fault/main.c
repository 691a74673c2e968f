/*
 * greenroom-bench-fault - what failing costs.
 *
 *   greenroom-bench-fault NAME [workers=2] [key=value...]
 *   greenroom-bench-fault            lists them with their parameters
 *
 *   error     a handler returns an error, and its supervisor restarts the actor
 *   write-null ...   the same by a fault, which is trapped; for each kind
 *   memory    the same by a write to NULL, very often; what memory is left
 *   lost      messages that crashes take with them, of those that are on their
 *             way to a stable actor: only the ones in hand, which are set
 * aside, after one crash, or after three. More is a failure process   restarts
 * of a process actor, beside those of a local one: three lines, with the median
 * and the 99th percentile of one
 *
 * pause_ms: between two restarts, so that the process that is started ahead is
 * ready (1: hardly).
 * level: of the log, which throws away what it is given. 4: each crash is
 * reported; 2: faults are; 1: no report is made, neither for the log nor to be
 * kept.
 * Prints a line for each run, as greenroom-bench does. An operation is one
 * crash, its restart and the message by which the new run says that it is
 * there.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "bench/common/program.h"
#include "tests/support/faults.h"

enum {
    WAIT_MS = 3600000,      /* 100,000 deep stacks take a quarter of an hour */
    BY_ERROR = FAULT_KINDS, /* no fault at all, to compare with */
    LIFE_ADDS = 100,        /* messages between two crashes, in `lost` */
    FLOOD_MAX = 4096        /* of them that wait */
};

/* ---- who crashes --------------------------------------------------------- */

/* Tells in init that it is there. */
typedef struct crasher {
    gr_pid driver;
} crasher;

static int crasher_init(gr_actor *self, void *state, const gr_msg *args)
{
    crasher *c = state;
    if (!gr_unpack(args, &c->driver)) {
        return GR_EINVAL;
    }
    return gr_send(self, c->driver, "up", gr_self(self));
}

static int crasher_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int kind;
    (void)state;
    if (gr_match(msg, "crash", &kind)) {
        if (kind == BY_ERROR) {
            return GR_EFAIL;
        }
        fault_now((fault_kind)kind);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior crasher_behavior = {
    .name = "crasher",
    .state_size = sizeof(crasher),
    .init = crasher_init,
    .receive = crasher_receive,
};

static const gr_behavior process_crasher_behavior = {
    .name = "process crasher",
    .state_size = sizeof(crasher),
    .init = crasher_init,
    .receive = crasher_receive,
    .grade = GR_GRADE_PROCESS,
};

/* ---- who makes it crash -------------------------------------------------- */

/* How it is to be done; lives until the driver is done. */
typedef struct plan {
    const gr_behavior *who;
    int kind;
    int64_t n;
    int64_t pause_ms;
    int64_t *ns; /* of each restart; NULL: nobody wants to know */
} plan;

typedef struct driver {
    gr_pid owner, who;
    const plan *plan;
    int64_t done, began_ns;
} driver;

static int driver_init(gr_actor *self, void *state, const gr_msg *args)
{
    driver *d = state;
    uint64_t at;
    (void)self;
    if (!gr_unpack(args, &d->owner, &at)) {
        return GR_EINVAL;
    }
    d->plan = (const plan *)(uintptr_t)at;
    return 0;
}

static int crash_it(gr_actor *self, driver *d)
{
    d->began_ns = bench_now_ns();
    return gr_send(self, d->who, "crash", d->plan->kind);
}

/* The crasher is there, for the first time or again. */
static int on_up(gr_actor *self, driver *d, gr_pid who)
{
    const plan *p = d->plan;
    if (p->ns != NULL && d->done > 0) {
        p->ns[d->done - 1] = bench_now_ns() - d->began_ns;
    }
    d->who = who;
    if (d->done++ == p->n) {
        return gr_send(self, d->owner, "done");
    }
    return p->pause_ms > 0 ? gr_after(self, p->pause_ms, NULL, "next")
                           : crash_it(self, d);
}

static int driver_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    driver *d = state;
    gr_pid who;
    if (gr_match(msg, "up", &who)) {
        return on_up(self, d, who);
    }
    if (gr_match(msg, "next")) {
        return crash_it(self, d);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior driver_behavior = {
    .name = "driver",
    .state_size = sizeof(driver),
    .init = driver_init,
    .receive = driver_receive,
};

/* Does as planned. */
static int crash_as(bench *b, const plan *p)
{
    gr_pid d, supervisor;
    GR_TRY(gr_spawn(b->self, &driver_behavior,
                    &(gr_spawn_opts){.args = gr_args(gr_self(b->self),
                                                     (uint64_t)(uintptr_t)p)},
                    &d));
    const gr_child children[] = {
        {.id = "crasher", .behavior = p->who, .args = gr_args(d)},
        {0},
    };
    const gr_supervisor spec = {
        .restarts_max = GR_RESTARTS_MAX, .period_ms = 1, .children = children};
    bench_begin(b);
    GR_TRY(gr_supervise(b->self, &spec, &supervisor));
    gr_pid over;
    for (bool done = false;;) {
        const gr_msg *msg;
        GR_TRY(gr_receive(b->self, WAIT_MS, &msg));
        if (gr_match(msg, "done")) {
            done = true;
            GR_TRY(gr_stop(b->self, supervisor));
        } else if (gr_match_exit(msg, &over, NULL) &&
                   gr_pid_eq(over, supervisor)) {
            return done ? 0 : GR_EFAIL;
        }
    }
}

/* n crashes of that kind. */
static int crash_often(bench *b, int kind, int64_t n)
{
    return crash_as(b, &(plan){.who = &crasher_behavior, .kind = kind, .n = n});
}

static int run_kind(bench *b, const char *name, int kind)
{
    char extra[96];
    const int64_t n = bench_param_of(b, "n");
    GR_TRY(crash_often(b, kind, n));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    gr_stats stats;
    gr_system_stats(gr_system_of(b->self), &stats);
    (void)snprintf(extra, sizeof extra,
                   "per_second=%" PRId64 " level=%" PRId64 " trapped=%" PRIu64,
                   n * 1000000000 / ns, bench_param_of(b, "level"),
                   stats.trapped);
    bench_report(b, name, n, ns, extra);
    return 0;
}

static int run_named(bench *b)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        if (strcmp(b->name, fault_name((fault_kind)kind)) == 0) {
            return run_kind(b, b->name, kind);
        }
    }
    return run_kind(b, b->name, BY_ERROR);
}

static int run_memory(bench *b)
{
    char extra[64];
    const int64_t n = bench_param_of(b, "n");
    GR_TRY(crash_often(b, FAULT_WRITE_NULL, n / 10));
    const int64_t before_kb = bench_memory_kb("VmRSS:");
    GR_TRY(crash_often(b, FAULT_WRITE_NULL, n - n / 10));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    (void)snprintf(extra, sizeof extra,
                   "kb_before=%" PRId64 " kb_after=%" PRId64, before_kb,
                   bench_memory_kb("VmRSS:"));
    bench_report(b, "memory", n - n / 10, ns, extra);
    return 0;
}

/* ---- what a crash loses -------------------------------------------------- */

/* A stable actor that has to handle numbers 1, 2, 3 ..., and crashes at each
 * LIFE_ADDS-th. Its supervisor starts it again; what waits stays. */
typedef struct numbered {
    gr_pid home;
} numbered;

static int counter_init(gr_actor *self, void *state, const gr_msg *args)
{
    numbered *c = state;
    (void)self;
    return gr_unpack(args, &c->home) ? 0 : GR_EINVAL;
}

/* The book is not the actor's: it outlives its runs. Relaxed: it is read when
 * all is over. */
static struct {
    _Atomic(int64_t) handled, last, disorder, faults;
} book;

#define ADD(what, n)                                                           \
    ((void)atomic_fetch_add_explicit(&(what), (n), memory_order_relaxed))
#define GET(what)    atomic_load_explicit(&(what), memory_order_relaxed)
#define SET(what, x) atomic_store_explicit(&(what), (x), memory_order_relaxed)

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const numbered *c = state;
    int64_t number;
    if (gr_match(msg, "number", &number)) {
        if (number % LIFE_ADDS == 0) {
            ADD(book.faults, 1);
            fault_now(FAULT_WRITE_NULL);
        }
        /* Those between two that it crashes at come each once, in order. */
        const int64_t last = GET(book.last);
        ADD(book.disorder,
            number == last + 1 + ((last + 1) % LIFE_ADDS == 0) ? 0 : 1);
        SET(book.last, number);
        ADD(book.handled, 1);
        return 0;
    }
    if (gr_match(msg, "end")) {
        return gr_send(self, c->home, "counted");
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior counter_behavior = {
    .name = "counter",
    .state_size = sizeof(numbered),
    .init = counter_init,
    .receive = counter_receive,
    .mailbox = {.soft = FLOOD_MAX, .hard = FLOOD_MAX},
};

/* What became of the numbers. */
typedef struct losses {
    int64_t sent, reported, in_hand, set_aside;
    bool counted;
} losses;

/* One message for us. `number` is in hand when a report says so, and set aside
 * when a dead letter does. */
static void note_loss(const gr_msg *msg, losses *l)
{
    gr_pid from, to;
    gr_str s[6], why, text;
    uint64_t n;
    int code, signal;
    if (gr_match(msg, "gr.dead_letter", &from, &to, &why, &text)) {
        l->set_aside += strncmp(why.ptr, "set aside", 9) == 0 &&
                                memmem(text.ptr, text.len, "number", 6) != NULL
                            ? 1
                            : 0;
    } else if (gr_match(msg, "gr.crash", &n, &to, &s[0], &s[1], &s[2], &code,
                        &s[3], &signal, &s[4], &s[5])) {
        l->reported++;
        l->in_hand += memmem(s[5].ptr, s[5].len, "number", 6) != NULL ? 1 : 0;
    } else if (gr_match(msg, "counted")) {
        l->counted = true;
    }
}

/* Sends n times LIFE_ADDS numbers while the counter crashes over them, and
 * waits until it has come to the end, and each crash has been told of. */
static int flood(bench *b, gr_pid counter, int64_t n, losses *l)
{
    const gr_msg *msg;
    while (l->sent < n * LIFE_ADDS) {
        /* The mailboxes stay within their bounds. */
        if (l->sent - GET(book.last) >= FLOOD_MAX / 2) {
            GR_TRY(gr_sleep(b->self, 1));
        } else {
            GR_TRY(gr_send(b->self, counter, "number", ++l->sent));
        }
        while (gr_receive(b->self, 0, &msg) == 0) {
            note_loss(msg, l);
        }
    }
    GR_TRY(gr_send(b->self, counter, "end"));
    while (!l->counted || l->reported < GET(book.faults)) {
        GR_TRY(gr_receive(b->self, WAIT_MS, &msg));
        note_loss(msg, l);
    }
    return 0;
}

static int run_lost_with(bench *b, uint32_t poison_after)
{
    const int64_t n = bench_param_of(b, "n");
    const gr_child children[] = {{.id = "counter",
                                  .behavior = &counter_behavior,
                                  .args = gr_args(gr_self(b->self)),
                                  .stable = true,
                                  .poison_after = poison_after},
                                 {0}};
    const gr_supervisor spec = {
        .restarts_max = GR_RESTARTS_MAX, .period_ms = 1, .children = children};
    gr_pid supervisor, counter;
    losses l = {0};
    char extra[192];
    SET(book.handled, 0);
    SET(book.last, 0);
    SET(book.disorder, 0);
    SET(book.faults, 0);
    bench_begin(b);
    GR_TRY(gr_supervise(b->self, &spec, &supervisor));
    GR_TRY(gr_child_pid(b->self, supervisor, "counter", &counter));
    GR_TRY(flood(b, counter, n, &l));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    const int64_t lost = l.sent - GET(book.handled);
    (void)snprintf(extra, sizeof extra,
                   "poison_after=%u sent=%" PRId64 " crashes=%" PRId64
                   " lost=%" PRId64 " in_hand=%" PRId64 " set_aside=%" PRId64,
                   poison_after, l.sent, GET(book.faults), lost,
                   l.in_hand / poison_after, l.set_aside);
    bench_report(b, "lost", l.reported, ns, extra);
    GR_TRY(gr_stop(b->self, supervisor));
    /* Each message that it crashed at was in hand poison_after times, was set
     * aside then, and nothing else is missing. */
    const bool good = lost == n && l.set_aside == lost &&
                      l.in_hand == lost * poison_after &&
                      l.reported == l.in_hand && GET(book.disorder) == 0;
    return good ? 0 : GR_EFAIL;
}

static int run_lost(bench *b)
{
    /* A best effort, but not within the bounds of our mailbox. */
    GR_TRY(gr_watch_crashes(b->self, true));
    GR_TRY(gr_watch_dead_letters(b->self, true));
    GR_TRY(run_lost_with(b, 1));
    return run_lost_with(b, 3);
}

/* ---- processes ----------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* One line: that many restarts of that crasher, timed one by one. */
static int run_restarts(bench *b, const char *name, const gr_behavior *who,
                        int kind)
{
    const int64_t n = bench_param_of(b, "n");
    int64_t *ns = calloc((size_t)n, sizeof(*ns));
    if (ns == NULL) {
        return GR_ENOMEM;
    }
    const int rc =
        crash_as(b, &(plan){.who = who,
                            .kind = kind,
                            .n = n,
                            .pause_ms = bench_param_of(b, "pause_ms"),
                            .ns = ns});
    if (rc == 0) {
        char extra[128];
        const int64_t took = bench_now_ns() - b->t0_ns;
        qsort(ns, (size_t)n, sizeof(*ns), by_size);
        (void)snprintf(
            extra, sizeof extra,
            "per_second=%" PRId64 " median_us=%" PRId64 " p99_us=%" PRId64,
            n * 1000000000 / took, ns[n / 2] / 1000, ns[n * 99 / 100] / 1000);
        bench_report(b, name, n, took, extra);
    }
    free(ns);
    return rc;
}

static int run_process(bench *b)
{
    if (bench_param_of(b, "n") < 1) {
        return GR_EINVAL;
    }
    GR_TRY(gr_processes_enable(b->self));
    GR_TRY(run_restarts(b, "process-none", &crasher_behavior, BY_ERROR));
    GR_TRY(
        run_restarts(b, "process-exit", &process_crasher_behavior, BY_ERROR));
    return run_restarts(b, "process-crash", &process_crasher_behavior,
                        FAULT_WRITE_NULL);
}

/* ---- the program --------------------------------------------------------- */

static void throw_away(void *arg, gr_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static int run_in_system(bench *b, const workload *w)
{
    gr_system *sys;
    gr_actor *self;
    const int64_t level = bench_param_of(b, "level");
    GR_TRY(gr_system_start(
        &(gr_system_opts){.workers = b->workers,
                          .log = throw_away,
                          .log_level = (gr_log_level)(level - 2),
                          .crashes_kept = level > 1 ? 0 : GR_CRASHES_KEPT_NONE},
        &sys));
    int rc = gr_thread_attach(sys, NULL, &self);
    if (rc == 0) {
        b->self = self;
        gr_trap_exit(self, true); /* of its supervisors */
        rc = w->run(b);
        gr_thread_detach(self, 0);
    }
    const int stopped = gr_system_stop(sys, WAIT_MS);
    return rc < 0 ? rc : stopped;
}

static int run(bench *b, const workload *w)
{
    const int rc = run_in_system(b, w);
    if (rc < 0) {
        (void)fprintf(stderr, "greenroom-bench-fault: %s: %s\n", w->name,
                      gr_strerror(rc));
        return BENCH_STATUS_FAILED;
    }
    return 0;
}

#define OFTEN                                                                  \
    {                                                                          \
        {"n", 100000},                                                         \
        {                                                                      \
            "level", 4                                                         \
        }                                                                      \
    }

static const workload others[] = {
    {"error", OFTEN, run_named},
    {"memory", {{"n", 1000000}, {"level", 4}}, run_memory},
    {"lost", {{"n", 10000}, {"level", 4}}, run_lost},
    {"process", {{"n", 1000}, {"pause_ms", 5}, {"level", 1}}, run_process},
    {0},
};

int main(int argc, char **argv)
{
    gr_child_main(argc, argv); /* where this is the process of an actor */
    workload faults[FAULT_KINDS + 1] = {{0}};
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        faults[kind] =
            (workload){fault_name((fault_kind)kind), OFTEN, run_named};
    }
    const workload *const groups[] = {others, faults, NULL};
    return bench_main(&(bench_program){.title = "greenroom-bench-fault",
                                       .impl = "greenroom",
                                       .groups = groups,
                                       .workers = 2,
                                       .workers_max = GR_WORKERS_MAX,
                                       .run = run},
                      argc, argv);
}
