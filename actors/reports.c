/*
 * actors/reports.c - see reports.h.
 *
 * Whoever writes the first report of the ring holds `writing` from before it
 * looks which one that is until it is off the ring. The thread looks names up
 * before it takes that lock, for a copy: if another has written the report
 * meanwhile, its number is no more the first one's, and what was found out is
 * for the next.
 */
#include "actors/reports.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "actors/internal.h"
#include "base/symbols.h"
#include "sched/futex.h"
#include "sched/trap.h"

struct gri_reports {
    gr_system *sys;
    /* Of the ring; futex. It changes under lock. */
    _Atomic(uint32_t) waiting;

    pthread_mutex_t writing; /* see above; before lock */
    uint64_t plain;          /* under writing: written without a look-up */

    pthread_mutex_t lock;
    /* Under lock. */
    pthread_cond_t more; /* a report has come, or the end */
    gri_report *ring;    /* NULL until the thread is started */
    uint64_t written;    /* the first of the ring is at written % MAX */
    bool runs;           /* the thread */
    bool closing;        /* it is to end, or has */

    pthread_t thread;
    /* The thread's. */
    gri_ctx ctx;
    gri_cache cache;
};

/* ---- names --------------------------------------------------------------- */

static bool returns(const gri_report *r, unsigned i)
{
    return i >= r->returns_from;
}

static void find(const gri_report *r, gr_frame *frames)
{
    for (unsigned i = 0; i < r->n; i++) {
        gri_symbol_find(r->at[i], returns(r, i), &frames[i]);
    }
}

static bool are_known(const gri_report *r, gr_frame *frames)
{
    unsigned i = 0;
    while (i < r->n && gri_symbol_known(r->at[i], returns(r, i), &frames[i])) {
        i++;
    }
    return i == r->n;
}

/* All that can be had at once. */
static void find_near(const gri_report *r, gr_frame *frames)
{
    for (unsigned i = 0; i < r->n; i++) {
        if (!gri_symbol_known(r->at[i], returns(r, i), &frames[i])) {
            gri_symbol_near(r->at[i], returns(r, i), &frames[i]);
        }
    }
}

/* ---- the ring ------------------------------------------------------------ */

static uint32_t waiting(gri_reports *q)
{
    /* acquire: what is not counted any more was written before; pairs with the
     * release in drop_first. */
    return atomic_load_explicit(&q->waiting, memory_order_acquire);
}

/* The first report, and its number. False: there is none. Under lock. */
static bool first_of(gri_reports *q, gri_report *out, uint64_t *number)
{
    if (waiting(q) == 0) {
        return false;
    }
    *number = q->written;
    *out = q->ring[q->written % GRI_REPORTS_MAX];
    return true;
}

/* It was written. Under writing. */
static void drop_first(gri_reports *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->written++;
    /* release: see waiting. */
    const uint32_t before =
        atomic_fetch_sub_explicit(&q->waiting, 1, memory_order_release);
    (void)pthread_mutex_unlock(&q->lock);
    if (before == 1) {
        gri_futex_wake(&q->waiting, INT_MAX);
    }
}

/* Writes the first report, if the ring is full still. */
static void write_first(gri_ctx *ctx, gri_reports *q)
{
    gri_report r;
    uint64_t number = 0;
    (void)pthread_mutex_lock(&q->writing);
    (void)pthread_mutex_lock(&q->lock);
    const bool full = waiting(q) == GRI_REPORTS_MAX && first_of(q, &r, &number);
    (void)pthread_mutex_unlock(&q->lock);
    if (full) {
        gr_frame frames[GRI_FRAMES_MAX];
        find_near(&r, frames);
        r.write(ctx, &r, frames);
        drop_first(q);
        if (gri_is_doubling(++q->plain)) {
            gri_log_write(&q->sys->log, GR_LOG_WARN,
                          "crash reports come too fast: functions were not "
                          "looked up for %llu so far",
                          (unsigned long long)q->plain);
        }
    }
    (void)pthread_mutex_unlock(&q->writing);
}

/* ---- the thread ---------------------------------------------------------- */

/* Those of this thread go to those of all who are not of the system. */
static void count(gri_ctx *ctx)
{
    gri_counters_add(&ctx->sys->foreign, &ctx->counters);
    ctx->counters = (gri_counters){0};
}

/* Waits for a report. False: the end has come. */
static bool next(gri_reports *q, gri_report *out, uint64_t *number)
{
    (void)pthread_mutex_lock(&q->lock);
    bool is_one;
    while (!(is_one = first_of(q, out, number)) && !q->closing) {
        (void)pthread_cond_wait(&q->more, &q->lock);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return is_one;
}

static void *thread_main(void *arg)
{
    gri_reports *q = arg;
    gri_report r;
    uint64_t number = 0;
    (void)prctl(PR_SET_NAME, "gr-reports"); /* for people only */
    while (next(q, &r, &number)) {
        gr_frame frames[GRI_FRAMES_MAX];
        find(&r, frames);
        (void)pthread_mutex_lock(&q->writing);
        (void)pthread_mutex_lock(&q->lock);
        const bool is_first = q->written == number;
        (void)pthread_mutex_unlock(&q->lock);
        if (is_first) {
            r.write(&q->ctx, &r, frames);
            count(&q->ctx); /* before anybody finds it written */
            drop_first(q);
        }
        (void)pthread_mutex_unlock(&q->writing);
    }
    gri_cache_flush(&q->cache);
    return NULL;
}

/* False: no memory, or no thread. Under lock. */
static bool start(gri_reports *q)
{
    if (q->ring == NULL) {
        q->ring = malloc(GRI_REPORTS_MAX * sizeof *q->ring);
    }
    if (q->ring == NULL) {
        return false;
    }
    sigset_t all;
    sigset_t before;
    gri_signals_asynchronous(&all); /* for the program's, as on the workers */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    q->runs = pthread_create(&q->thread, NULL, thread_main, q) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return q->runs;
}

/* ---- who has one --------------------------------------------------------- */

/* False: there is nobody to write it. */
static bool put(gri_ctx *ctx, gri_reports *q, const gri_report *r)
{
    for (;;) {
        (void)pthread_mutex_lock(&q->lock);
        const uint32_t n = waiting(q);
        const bool runs = !q->closing && (q->runs || start(q));
        const bool room = n < GRI_REPORTS_MAX;
        if (runs && room) {
            q->ring[(q->written + n) % GRI_REPORTS_MAX] = *r;
            /* relaxed: under lock. */
            atomic_fetch_add_explicit(&q->waiting, 1, memory_order_relaxed);
            (void)pthread_cond_signal(&q->more);
        }
        (void)pthread_mutex_unlock(&q->lock);
        if (!runs || room) {
            return runs;
        }
        write_first(ctx, q);
    }
}

/* In whose process or mode nobody else waits for the look-up. */
static bool is_alone(const gr_system *sys)
{
    return sys->sched.is_sim || gri_is_host(sys);
}

void gri_report_leave(gri_ctx *ctx, const gri_report *report)
{
    if (is_alone(ctx->sys) || !put(ctx, ctx->sys->reports, report)) {
        gr_frame frames[GRI_FRAMES_MAX];
        find(report, frames);
        report->write(ctx, report, frames);
    }
}

void gri_report_give(gri_ctx *ctx, const gri_report *report)
{
    gr_frame frames[GRI_FRAMES_MAX];
    if (waiting(ctx->sys->reports) == 0 && are_known(report, frames)) {
        report->write(ctx, report, frames);
    } else {
        gri_report_leave(ctx, report);
    }
}

/* ---- begin and end ------------------------------------------------------- */

int gri_reports_init(gr_system *sys)
{
    gri_reports *q = calloc(1, sizeof *q);
    if (q == NULL) {
        return GR_ENOMEM;
    }
    q->sys = sys;
    atomic_init(&q->waiting, 0);
    /* None of these can fail on Linux. */
    (void)pthread_mutex_init(&q->writing, NULL);
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->more, NULL);
    gri_cache_init(&q->cache, &sys->depot);
    gri_ctx_init(&q->ctx, sys, NULL, &q->cache, 0);
    sys->reports = q;
    return 0;
}

void gri_reports_fini(gr_system *sys)
{
    gri_reports *q = sys->reports;
    if (q == NULL) {
        return;
    }
    (void)pthread_cond_destroy(&q->more); /* nobody waits or holds */
    (void)pthread_mutex_destroy(&q->lock);
    (void)pthread_mutex_destroy(&q->writing);
    free(q->ring);
    free(q);
    sys->reports = NULL;
}

bool gri_reports_wait(gr_system *sys, int64_t deadline_ns)
{
    const gri_clock clock = {.is_virtual = false};
    gri_reports *q = sys->reports;
    for (uint32_t n; (n = waiting(q)) != 0;) {
        if (gri_clock_ns(&clock) >= deadline_ns) {
            return false;
        }
        gri_futex_wait(&q->waiting, n, deadline_ns);
    }
    return true;
}

bool gri_reports_stop(gr_system *sys, int64_t deadline_ns)
{
    gri_reports *q = sys->reports;
    if (!gri_reports_wait(sys, deadline_ns)) {
        return false;
    }
    (void)pthread_mutex_lock(&q->lock);
    const bool runs = q->runs;
    q->runs = false;
    q->closing = true;
    (void)pthread_cond_signal(&q->more);
    (void)pthread_mutex_unlock(&q->lock);
    if (runs) {
        (void)pthread_join(q->thread, NULL);
    }
    return true;
}
