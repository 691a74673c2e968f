/*
 * soak-faults [SECONDS] - a thousand actors under a tree of supervisors send
 * each other numbers, while half of them are made to fault, in every way that
 * is trapped and at every place where their code runs.
 *
 * A few guests beside them end in other ways.
 * What must hold: the sums of the other half (the even ones) are exact, each
 * failure of each run is reported once (ledger.h), the memory is flat, its
 * peaks too, and at the end nothing is left, neither when all is quiet nor
 * behind the stop. The last line says so, with the figures. Each kind of fault
 * must come often enough, or the soak has failed, too.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <greenroom/greenroom.h>

#include "base/rng.h"
#include "tests/soak/audit.h"
#include "tests/soak/guests.h"
#include "tests/soak/ledger.h"
#include "tests/soak/memory.h"
#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"

enum {
    WORKERS = 2, /* so many stacks may run over at a time, which is what peaks
                    of the memory are made of; so no spares, either */
    BRANCHES = 10,
    LEAVES = 100, /* of each branch */
    ACTORS = BRANCHES * LEAVES,
    TICK_MS = 100,     /* each actor sends so often */
    ROUND_MS = 2,      /* each kind of fault comes so often ... */
    STACK_ROUNDS = 20, /* ... stack overflows each so many of these */
    GUEST_ROUNDS = 25, /* and a guest is told to end */
    LIBRARIES_MAX = 4, /* that are in a backtrace for the first time, later:
                          each stays open, for names, as long as the system */
    FIRST_ROUNDS = 10, /* of all that, before anything is measured */
    SECONDS_DEFAULT = 600,
    PER_MINUTE = 10000, /* of each kind, at least */
    STACK_PER_MINUTE = 1000,
    LONG_SECONDS = 30 /* a shorter run is not past its beginning, and as fast
                          as the machine happens to be */
};

/* Where in the actor's code the fault happens. */
typedef enum place {
    IN_HANDLER = 0,
    BEHIND_SENDS,
    IN_ANSWER,
    IN_INIT,
    IN_TERMINATE,
    IN_HOOK,
    PLACES
} place;

/* What the actors have in common: the test's books, not theirs. Relaxed
 * throughout: they are compared when all is quiet. */
static struct {
    _Atomic(uint64_t) slot[ACTORS], node; /* the pid of each, now */
    _Atomic(uint64_t) auditor;            /* that of theirs */
    _Atomic(int64_t) accepted[ACTORS];    /* the sum of what was sent to it */
    _Atomic(int) at_init[ACTORS]; /* 1 + the kind that its next init is to be */
    _Atomic(uint64_t) faults[FAULT_KINDS];
    _Atomic(uint64_t) answers, wrong;
    _Atomic(bool) ready; /* all have started, and send */
} book;

#define ADD(what, n)                                                           \
    ((void)atomic_fetch_add_explicit(&(what), (n), memory_order_relaxed))
#define GET(what)    atomic_load_explicit(&(what), memory_order_relaxed)
#define SET(what, x) atomic_store_explicit(&(what), (x), memory_order_relaxed)

typedef struct leaf {
    uint32_t index;
    gri_rng rng;
    int64_t sum;
    int at_end; /* 1 + the kind of fault in terminate or in the hook */
} leaf;

static void fault(fault_kind kind)
{
    ADD(book.faults[kind], 1);
    fault_now(kind);
    ADD(book.wrong, 1); /* it was survived */
}

/* The actor dies of it; elsewhere it is dying already. */
static void die_of(gr_pid pid, fault_kind kind)
{
    ledger_expect(pid);
    fault(kind);
}

/* The actor ends with an error, so that its supervisor starts it again. */
static void fail(gr_actor *self, const char *why)
{
    ledger_expect(gr_self(self));
    gr_exit(self, GR_EFAIL, why);
}

static gr_pid pid_of(uint32_t index)
{
    return (gr_pid){GET(book.node), GET(book.slot[index])};
}

static void send_number(gr_actor *self, leaf *me, uint32_t to)
{
    const int n = 1 + (int)gri_rng_below(&me->rng, 1000);
    if (gr_send(self, pid_of(to), "add", n) == 0) {
        ADD(book.accepted[to], n);
    }
}

static void send_two(gr_actor *self, leaf *me)
{
    send_number(self, me, 2 * gri_rng_below(&me->rng, ACTORS / 2));
    send_number(self, me, gri_rng_below(&me->rng, ACTORS));
}

/* The token of an ask: 0, or 1 + the kind of fault that its answer is to be. */
static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    int twice;
    (void)state;
    if (gr_msg_status(reply) == 0 && gr_match(reply, "twice", &twice)) {
        ADD(book.answers, 1);
        ADD(book.wrong, twice == 2 * 21 ? 0 : 1);
    }
    if (gr_msg_token(reply) != 0) {
        die_of(gr_self(self), (fault_kind)(gr_msg_token(reply) - 1));
    }
    return 0;
}

static int ask_somebody(gr_actor *self, leaf *me, uint64_t token)
{
    const int rc = gr_ask(self, pid_of(gri_rng_below(&me->rng, ACTORS)), 5000,
                          gr_then(on_answer, token), "double", 21);
    return rc == GR_EAGAIN ? 0 : rc; /* a full mailbox is no reason to die */
}

/* arg: the kind of fault, and whose hook it is. There is no other run of it
 * before the hooks are done. */
static void hook(void *arg)
{
    const uint32_t index = (uint32_t)((uintptr_t)arg / FAULT_KINDS);
    die_of(pid_of(index), (fault_kind)((uintptr_t)arg % FAULT_KINDS));
}

static int fault_at(gr_actor *self, leaf *me, int kind, int where)
{
    switch ((place)where) {
    case IN_HANDLER:
        die_of(gr_self(self), (fault_kind)kind);
        break;
    case BEHIND_SENDS:
        send_two(self, me);
        die_of(gr_self(self), (fault_kind)kind);
        break;
    case IN_ANSWER:
        return ask_somebody(self, me, 1 + (uint64_t)kind);
    case IN_INIT:
        SET(book.at_init[me->index], 1 + kind);
        fail(self, "to be started again");
        break;
    case IN_TERMINATE:
        me->at_end = 1 + kind;
        fail(self, "to terminate");
        break;
    case IN_HOOK:
        GR_TRY(gr_on_exit(
            self, hook,
            (void *)((uintptr_t)me->index * FAULT_KINDS + (uintptr_t)kind)));
        fail(self, "to call its hook");
        break;
    case PLACES:
        break;
    }
    return 0;
}

static int leaf_init(gr_actor *self, void *state, const gr_msg *args)
{
    leaf *me = state;
    if (!gr_unpack(args, &me->index)) {
        return GR_EINVAL;
    }
    const gr_pid auditor = {GET(book.node), GET(book.auditor)};
    GR_TRY(gr_send(self, auditor, "born", me->index));
    me->rng.state = gr_self(self).id;
    SET(book.slot[me->index], gr_self(self).id);
    const int kind = atomic_exchange_explicit(&book.at_init[me->index], 0,
                                              memory_order_relaxed);
    if (kind != 0) {
        die_of(gr_self(self), (fault_kind)(kind - 1));
    }
    return gr_every(self, TICK_MS, NULL, "tick");
}

static int on_tick(gr_actor *self, leaf *me)
{
    if (!GET(book.ready)) {
        return 0;
    }
    send_two(self, me);
    return ask_somebody(self, me, 0);
}

static int leaf_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    leaf *me = state;
    int n, kind, where;
    if (gr_match(msg, "add", &n)) {
        me->sum += n;
        return 0;
    }
    if (gr_match(msg, "tick")) {
        return on_tick(self, me);
    }
    if (gr_match(msg, "double", &n)) {
        return gr_reply(self, msg, "twice", INT64_C(2) * n);
    }
    if (gr_match(msg, "sum")) {
        return gr_reply(self, msg, "sum", me->sum);
    }
    if (gr_match(msg, "fault", &kind, &where)) {
        return fault_at(self, me, kind, where);
    }
    return gr_unhandled(self, msg);
}

static void leaf_terminate(gr_actor *self, void *state,
                           const gr_exit_reason *why)
{
    const leaf *me = state;
    (void)self;
    (void)why;
    if (me->at_end != 0) {
        fault((fault_kind)(me->at_end - 1));
    }
}

static const gr_behavior leaf_behavior = {
    .name = "leaf",
    .state_size = sizeof(leaf),
    .init = leaf_init,
    .receive = leaf_receive,
    .terminate = leaf_terminate,
};

/* ---- the tree ------------------------------------------------------------ */

/* A branch is a supervisor of LEAVES leaves; root and branches never give up.
 */
static int branch_args(gr_actor *self, uint32_t branch, gr_values *out)
{
    gr_child leaves[LEAVES + 1] = {{0}};
    char id[LEAVES][16];
    gr_value number[LEAVES];
    for (uint32_t i = 0; i < LEAVES; i++) {
        (void)snprintf(id[i], sizeof id[i], "%u", i);
        number[i] = gri_v_u64(branch * LEAVES + i);
        leaves[i] = (gr_child){
            .id = id[i], .behavior = &leaf_behavior, .args = {&number[i], 1}};
    }
    const gr_supervisor spec = {
        .restarts_max = GR_RESTARTS_MAX, .period_ms = 1000, .children = leaves};
    return gr_supervisor_args(self, &spec, out);
}

static int start_tree(gr_actor *self, gr_pid *root)
{
    gr_child branches[BRANCHES + 1] = {{0}};
    char id[BRANCHES][16];
    for (uint32_t i = 0; i < BRANCHES; i++) {
        (void)snprintf(id[i], sizeof id[i], "branch %u", i);
        branches[i] =
            (gr_child){.id = id[i], .behavior = &gr_supervisor_behavior};
        GR_TRY(branch_args(self, i, &branches[i].args));
    }
    const gr_supervisor spec = {.children = branches};
    gr_pid auditor, last;
    GR_TRY(auditor_start(self, AUDIT_LEAVES, &auditor));
    SET(book.node, auditor.node);
    SET(book.auditor, auditor.id);
    GR_TRY(gr_supervise(self, &spec, root));
    return gr_child_pid(self, *root, id[BRANCHES - 1], &last);
}

/* ---- the run ------------------------------------------------------------- */

typedef struct run {
    gr_system *sys;
    gr_actor *self;
    gri_rng rng;
    int64_t seconds;
    memory memory;
    audit before, quiet; /* the system, and before anything failed */
    char why[160];       /* it failed; "" while it has not */
} run;

static __attribute__((format(printf, 2, 3))) void
failed(run *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (r->why[0] == '\0') {
        (void)vsnprintf(r->why, sizeof r->why, format, args);
    }
    va_end(args);
}

static bool is_overflow(int kind)
{
    return kind == FAULT_RECURSE || kind == FAULT_LARGE_FRAME;
}

/* One of each kind, to some of those that are not steady. */
static void send_faults(run *r, int64_t round)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        if (!fault_is_possible((fault_kind)kind) ||
            (is_overflow(kind) &&
             (UNDER_SANITIZER || round % STACK_ROUNDS != 0))) {
            continue;
        }
        const uint32_t to = 1 + 2 * gri_rng_below(&r->rng, ACTORS / 2);
        gr_tell(r->self, pid_of(to), "fault", kind,
                (int)gri_rng_below(&r->rng, PLACES));
    }
}

static void sample_memory(run *r, int sample)
{
    if (!memory_sample(&r->memory, sample)) {
        failed(r, "/proc cannot be read, or not be written");
    }
}

static void check_memory(run *r)
{
    char why[MEMORY_WHY_MAX];
    if (!memory_is_flat(&r->memory, WORKERS, why) &&
        r->seconds >= LONG_SECONDS) {
        failed(r, "%s", why);
    }
}

/* Faults until the time is over; samples the memory meanwhile. */
static void storm(run *r)
{
    const int64_t begin_ms = gr_now_ms(r->self);
    const int64_t span_ms = r->seconds * 1000;
    int sample = 0;
    for (int64_t round = 0;; round++) {
        const int64_t at_ms = gr_now_ms(r->self) - begin_ms;
        if (at_ms >= span_ms) {
            break;
        }
        send_faults(r, round);
        if (round % GUEST_ROUNDS == 0) {
            guests_end_one(r->self, gri_rng_below(&r->rng, 1u << 20));
        }
        if (at_ms * MEMORY_SAMPLES / span_ms >= sample) {
            sample = (int)(at_ms * MEMORY_SAMPLES / span_ms);
            sample_memory(r, sample++);
        }
        GR_IGNORE(gr_sleep(r->self, ROUND_MS), "woken early, it is as good");
    }
    check_memory(r);
}

/* Nothing is under way: all that was sent has come. */
static bool is_quiet(run *r)
{
    gr_stats s;
    gr_system_stats(r->sys, &s);
    return s.sent == s.handled + s.dead_letters + s.dropped + s.late_replies;
}

/* Lets all that is under way arrive, within a minute. */
static void settle(run *r)
{
    SET(book.ready, false);
    int quiet = 0;
    for (int i = 0; i < 600 && quiet < 5; i++) {
        GR_IGNORE(gr_sleep(r->self, 100), "a pause between two looks");
        quiet = is_quiet(r) ? quiet + 1 : 0;
    }
    if (quiet == 0) {
        failed(r, "messages are missing");
    }
}

static void check_sums(run *r)
{
    for (uint32_t i = 0; i < ACTORS; i += 2) {
        int64_t sum;
        const int rc =
            gr_call(r->self, pid_of(i), 10000, gr_expect("sum", &sum), "sum");
        if (rc < 0) {
            failed(r, "actor %u: %s", i, gr_errname(rc));
        } else if (sum != GET(book.accepted[i])) {
            failed(r, "actor %u has %" PRId64 ", was sent %" PRId64, i, sum,
                   GET(book.accepted[i]));
        }
    }
}

static void check_faults(run *r)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        const uint64_t n = GET(book.faults[kind]);
        const uint64_t wanted =
            (uint64_t)r->seconds *
            (is_overflow(kind) ? STACK_PER_MINUTE : PER_MINUTE) / 60;
        if (n < wanted && r->seconds >= LONG_SECONDS) {
            failed(r, "%s came %" PRIu64 " times, not %" PRIu64,
                   fault_name((fault_kind)kind), n, wanted);
        }
    }
    if (GET(book.wrong) != 0) {
        failed(r, "%" PRIu64 " things were not as they should be",
               GET(book.wrong));
    }
}

static void on_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    ledger_report(line);
}

static void check_reports(run *r)
{
    char why[LEDGER_WHY_MAX];
    if (!ledger_is_even(GUESTS, why)) {
        failed(r, "%s", why);
    }
}

/* All guests are there again, and each way to end has come. */
static void check_guests(run *r)
{
    const int rc = guests_await(r->self);
    if (rc < 0) {
        failed(r, "a guest is not there: %s", gr_errname(rc));
    }
    const guest_ends n = guests_ended();
    if (r->seconds >= LONG_SECONDS &&
        (n.crashes == 0 || n.kills == 0 || n.hangs == 0 || n.memory == 0 ||
         n.slow == 0)) {
        failed(r, "not all guests' ends came");
    }
}

static void check_leftovers(run *r, const audit *then, unsigned files,
                            const char *when)
{
    audit now;
    if (!audit_take(&now)) {
        failed(r, "/proc cannot be read");
    } else if (!audit_is_within(&now, then, files)) {
        failed(r,
               "left %s: %u descriptors (before: %u), %u threads (%u), %u "
               "processes (%u)",
               when, now.fds, then->fds, now.tasks, then->tasks, now.heirs,
               then->heirs);
    }
}

/* The system runs still; a process that waits for the next actor may be about
 * to be started. */
static void check_quiet(run *r)
{
    audit now;
    for (int i = 0; i < 600 && audit_take(&now) &&
                    !audit_is_within(&now, &r->quiet, LIBRARIES_MAX);
         i++) {
        GR_IGNORE(gr_sleep(r->self, 100), "a pause between two looks");
    }
    check_leftovers(r, &r->quiet, LIBRARIES_MAX, "when all is quiet");
}

/* What there is once something of each sort has failed: the launcher, a process
 * in reserve, the thread that writes reports, the files in which it looks names
 * up. */
static int fail_first(run *r)
{
    GR_TRY(guests_start(r->self));
    GR_TRY(guests_await(r->self));
    for (unsigned i = 0; i < FIRST_ROUNDS; i++) {
        send_faults(r, 0);
        guests_end_one(r->self, gri_rng_below(&r->rng, 1u << 20));
        GR_TRY(gr_sleep(r->self, TICK_MS));
    }
    GR_TRY(guests_await(r->self));
    settle(r);
    return audit_take_steady(r->self, &r->quiet);
}

static void play(run *r)
{
    gr_pid root;
    int rc = gr_thread_attach(r->sys, NULL, &r->self);
    if (rc < 0) {
        failed(r, "no thread actor: %s", gr_errname(rc));
        return;
    }
    rc = start_tree(r->self, &root);
    if (rc == 0) {
        rc = gr_processes_enable(r->self);
    }
    if (rc == 0) {
        rc = fail_first(r);
    }
    if (rc < 0) {
        failed(r, "no tree, or no guests: %s", gr_errname(rc));
    } else {
        SET(book.ready, true);
        storm(r);
        settle(r);
        check_guests(r);
        check_sums(r);
        check_faults(r);
        check_reports(r);
        check_quiet(r);
    }
    gr_thread_detach(r->self, 0);
}

static int say_result(const run *r)
{
    printf("soak-faults: %s%s: %" PRId64 " s;",
           r->why[0] == '\0' ? "passed" : "failed: ", r->why, r->seconds);
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        printf(" %s %" PRIu64, fault_name((fault_kind)kind),
               GET(book.faults[kind]));
    }
    const guest_ends n = guests_ended();
    printf("; guests: crashed %" PRIu64 " killed %" PRIu64 " hung %" PRIu64
           " memory %" PRIu64 " slow %" PRIu64,
           n.crashes, n.kills, n.hangs, n.memory, n.slow);
    printf("; %" PRIu64 " deaths, %" PRIu64 " reports, %d sums, %" PRIu64
           " answers; %zu to %zu KiB, peaks %zu to %zu KiB\n",
           ledger_failures(), ledger_reports(), ACTORS / 2, GET(book.answers),
           r->memory.least.first >> 10, r->memory.least.last >> 10,
           r->memory.most.first >> 10, r->memory.most.last >> 10);
    return r->why[0] == '\0' ? 0 : 1;
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv); /* where this is the process of a guest */
    run r = {.seconds = argc > 1 ? strtol(argv[1], NULL, 10) : SECONDS_DEFAULT};
    r.rng.state = gri_rng_entropy();
    ledger_init();
    /* Each failed assertion says so there. */
    if (r.seconds >= 1 && freopen("/dev/null", "w", stderr) == NULL) {
        failed(&r, "no /dev/null");
    }
    if (r.seconds < 1 || !audit_take(&r.before)) {
        (void)fprintf(stderr, "usage: soak-faults [SECONDS]\n");
        return 2;
    }
    int rc = gr_system_start(&(gr_system_opts){.workers = WORKERS,
                                               .spares_max = GR_SPARES_NONE,
                                               .log = on_log,
                                               .log_level = GR_LOG_INFO},
                             &r.sys);
    if (rc < 0) {
        failed(&r, "no system: %s", gr_errname(rc));
        return say_result(&r);
    }
    play(&r);
    rc = gr_system_stop(r.sys, 30000);
    if (rc < 0) {
        failed(&r, "the system does not stop: %s", gr_errname(rc));
    }
    check_reports(&r);
    check_leftovers(&r, &r.before, 0, "after the stop");
    return say_result(&r);
}
