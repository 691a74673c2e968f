/*
 * greenroom-bench-fault - what failing costs.
 *
 *   greenroom-bench-fault NAME [workers=2] [key=value...]
 *   greenroom-bench-fault            lists them with their parameters
 *
 *   error     a handler returns an error, and its supervisor restarts the actor
 *   write-null ...   the same by a fault, which is trapped; for each kind
 *   memory    the same by a write to NULL, very often; what memory is left
 *   lost      messages that a crash takes with it: only the one in hand
 *
 * level: of the log, which throws away what it is given. 3: each crash is
 * reported; 1: it is not.
 * Prints a line for each run, as greenroom-bench does. An operation is one
 * crash, its restart and the message by which the new run says that it is
 * there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "bench/common/program.h"
#include "tests/support/faults.h"

enum {
    WAIT_MS = 600000,
    BY_ERROR = FAULT_KINDS, /* no fault at all, to compare with */
    LIFE_ADDS = 100         /* messages between two crashes, in `lost` */
};

/* ---- who crashes --------------------------------------------------------- */

/* Tells in init that it is there. */
typedef struct crasher {
    gr_pid driver;
    int64_t adds; /* since this run began */
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
    crasher *c = state;
    int kind;
    if (gr_match(msg, "add")) {
        c->adds++;
        return gr_send(self, c->driver, "added");
    }
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

/* ---- who makes it crash -------------------------------------------------- */

typedef struct driver {
    gr_pid owner;
    int64_t left, ups, added;
    int kind, adds; /* adds: in each life */
} driver;

static int driver_init(gr_actor *self, void *state, const gr_msg *args)
{
    driver *d = state;
    (void)self;
    return gr_unpack(args, &d->owner, &d->kind, &d->left, &d->adds) ? 0
                                                                    : GR_EINVAL;
}

/* The crasher is there, for the first time or again. */
static int on_up(gr_actor *self, driver *d, gr_pid who)
{
    if (d->left-- == 0) {
        return gr_send(self, d->owner, "done", d->added);
    }
    for (int i = 0; i < d->adds; i++) {
        GR_TRY(gr_send(self, who, "add"));
    }
    return gr_send(self, who, "crash", d->kind);
}

static int driver_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    driver *d = state;
    gr_pid who;
    if (gr_match(msg, "up", &who)) {
        return on_up(self, d, who);
    }
    if (gr_match(msg, "added")) {
        d->added++;
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior driver_behavior = {
    .name = "driver",
    .state_size = sizeof(driver),
    .init = driver_init,
    .receive = driver_receive,
};

/* n crashes of that kind, `adds` messages before each. *added: how many of
 * those were handled. */
static int crash_often(bench *b, int kind, int64_t n, int adds, int64_t *added)
{
    gr_pid d, supervisor;
    GR_TRY(gr_spawn(
        b->self, &driver_behavior,
        &(gr_spawn_opts){.args = gr_args(gr_self(b->self), kind, n, adds)},
        &d));
    const gr_child children[] = {
        {.id = "crasher", .behavior = &crasher_behavior, .args = gr_args(d)},
        {0},
    };
    const gr_supervisor spec = {
        .restarts_max = GR_RESTARTS_MAX, .period_ms = 1, .children = children};
    bench_begin(b);
    GR_TRY(gr_supervise(b->self, &spec, &supervisor));
    for (;;) {
        const gr_msg *msg;
        GR_TRY(gr_receive(b->self, WAIT_MS, &msg));
        if (gr_match(msg, "done", added)) {
            return gr_stop(b->self, supervisor);
        }
    }
}

static int run_kind(bench *b, const char *name, int kind)
{
    char extra[64];
    int64_t added;
    const int64_t n = bench_param_of(b, "n");
    GR_TRY(crash_often(b, kind, n, 0, &added));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    (void)snprintf(extra, sizeof extra, "per_second=%" PRId64 " level=%" PRId64,
                   n * 1000000000 / ns, bench_param_of(b, "level"));
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
    int64_t added;
    const int64_t n = bench_param_of(b, "n");
    GR_TRY(crash_often(b, FAULT_WRITE_NULL, n / 10, 0, &added));
    const int64_t before_kb = bench_memory_kb("VmRSS:");
    GR_TRY(crash_often(b, FAULT_WRITE_NULL, n - n / 10, 0, &added));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    (void)snprintf(extra, sizeof extra,
                   "kb_before=%" PRId64 " kb_after=%" PRId64, before_kb,
                   bench_memory_kb("VmRSS:"));
    bench_report(b, "memory", n - n / 10, ns, extra);
    return 0;
}

static int run_lost(bench *b)
{
    char extra[64];
    int64_t added;
    const int64_t n = bench_param_of(b, "n");
    GR_TRY(crash_often(b, FAULT_WRITE_NULL, n, LIFE_ADDS, &added));
    const int64_t ns = bench_now_ns() - b->t0_ns;
    const int64_t lost = n * LIFE_ADDS - added;
    (void)snprintf(extra, sizeof extra, "lost=%" PRId64 " in_hand=%" PRId64,
                   lost, n);
    bench_report(b, "lost", n, ns, extra);
    return lost == 0 ? 0 : GR_EFAIL;
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
                          .log_level = (gr_log_level)(level - 1)},
        &sys));
    int rc = gr_thread_attach(sys, NULL, &self);
    if (rc == 0) {
        b->self = self;
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
            "level", 3                                                         \
        }                                                                      \
    }

static const workload others[] = {
    {"error", OFTEN, run_named},
    {"memory", {{"n", 1000000}, {"level", 3}}, run_memory},
    {"lost", {{"n", 10000}, {"level", 3}}, run_lost},
    {0},
};

int main(int argc, char **argv)
{
    workload faults[FAULT_KINDS + 1] = {{0}};
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        faults[kind] =
            (workload){fault_name((fault_kind)kind), OFTEN, run_named};
    }
    const workload *const groups[] = {others, faults, NULL};
    return bench_main(&(bench_program){.title = "greenroom-bench-fault",
                                       .impl = "greenroom",
                                       .groups = groups,
                                       .workers_max = GR_WORKERS_MAX,
                                       .run = run},
                      argc, argv);
}
