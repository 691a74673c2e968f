/* actors/system.c - a system's start, its counters, and its plug. */
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/confirm.h"
#include "actors/crash.h"
#include "actors/guard.h"
#include "actors/internal.h"
#include "actors/jobs.h"
#include "actors/lane.h"
#include "actors/record.h"
#include "actors/sim.h"
#include "actors/stay.h"
#include "base/line.h"
#include "mailbox/reserve.h"

void gri_ctx_init(gri_ctx *ctx, gr_system *sys, gri_worker *worker,
                  gri_cache *cache, uint64_t id)
{
    *ctx = (gri_ctx){.sys = sys, .worker = worker, .cache = cache};
    ctx->submits = sys->sched.is_sim ? NULL : worker;
    ctx->builder.cache = cache;
    ctx->builder.len_max = sys->opts.message_max;
    ctx->builder.node = sys->node;
    ctx->refs = id << 40; /* 2^40 refs for each context */
}

void gri_counters_add(gri_counters *to, const gri_counters *from)
{
    /* relaxed throughout: numbers. Both structs are arrays of counters. */
    _Atomic(uint64_t) *sum = (_Atomic(uint64_t) *)(void *)to;
    const _Atomic(uint64_t) *add =
        (const _Atomic(uint64_t) *)(const void *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++) {
        uint64_t x = atomic_load_explicit(&add[i], memory_order_relaxed);
        if (x != 0) {
            atomic_fetch_add_explicit(&sum[i], x, memory_order_relaxed);
        }
    }
}

/* That may be used; 0: not known. */
static unsigned processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    /* There are more than 1024, or a filter of system calls forbids it. */
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 0;
}

static int fill_opts(gr_system_opts *o)
{
    if (o->workers == 0) {
        const unsigned n = processors();
        o->workers = n < 1 ? 1 : n > GR_WORKERS_MAX ? GR_WORKERS_MAX : n;
    }
    o->actors_max = o->actors_max != 0 ? o->actors_max : GR_ACTORS_MAX_DEFAULT;
    o->message_max =
        o->message_max != 0 ? o->message_max : GR_MESSAGE_MAX_DEFAULT;
    o->mailbox_hard =
        o->mailbox_hard != 0 ? o->mailbox_hard : GR_MAILBOX_HARD_DEFAULT;
    if (o->mailbox_soft == 0) {
        o->mailbox_soft = GR_MAILBOX_SOFT_DEFAULT < o->mailbox_hard
                              ? GR_MAILBOX_SOFT_DEFAULT
                              : o->mailbox_hard;
    }
    o->arena_max = o->arena_max != 0 ? o->arena_max : GR_ARENA_MAX_DEFAULT;
    o->asks_max = o->asks_max != 0 ? o->asks_max : GR_ASKS_MAX_DEFAULT;
    o->timers_max = o->timers_max != 0 ? o->timers_max : GR_TIMERS_MAX_DEFAULT;
    o->crashes_kept =
        o->crashes_kept != 0 ? o->crashes_kept : GR_CRASHES_KEPT_DEFAULT;
    const bool good_watch = gri_watch_fill_opts(o);
    const bool good_jobs = gri_jobs_fill_opts(o);
    bool good = good_watch && good_jobs && o->workers <= GR_WORKERS_MAX &&
                o->mailbox_soft <= o->mailbox_hard &&
                o->mailbox_hard <= INT32_MAX && o->actors_max >= 16 &&
                o->actors_max <= INT32_MAX && o->message_max >= 64 &&
                (o->crashes_kept <= GR_CRASHES_KEPT_MAX ||
                 o->crashes_kept == GR_CRASHES_KEPT_NONE) &&
                (unsigned)o->grade <= GR_GRADE_ABORT;
    return good ? 0 : GR_EINVAL;
}

static void init_locks(gr_system *sys)
{
    /* Cannot fail on Linux with default attributes. */
    (void)pthread_mutex_init(&sys->lock, NULL);
    (void)pthread_mutex_init(&sys->names_lock, NULL);
    (void)pthread_mutex_init(&sys->slow_lock, NULL);
    (void)pthread_mutex_init(&sys->circle_lock, NULL);
}

static int start_workers(gr_system *sys)
{
    unsigned n = sys->sched.n;
    void **users = calloc(n, sizeof *users);
    sys->sides = gri_lines_new(n * sizeof *sys->sides);
    if (users == NULL || sys->sides == NULL) {
        free(users);
        return GR_ENOMEM;
    }
    for (unsigned i = 0; i < n; i++) {
        gri_worker_side *side = &sys->sides[i];
        gri_cache_init(&side->cache, &sys->depot);
        gri_ctx_init(&side->ctx, sys, &sys->sched.workers[i], &side->cache,
                     ++sys->context_ids);
        gri_record_worker(sys, i);
        users[i] = &side->ctx;
    }
    gri_cache_init(&sys->stop_cache, &sys->depot);
    gri_ctx_init(&sys->stop_ctx, sys, NULL, &sys->stop_cache,
                 ++sys->context_ids);
    int rc = gri_guard_prepare();
    if (rc == 0) {
        rc = gri_watch_init(sys);
    }
    if (rc == 0) {
        rc = gri_sched_start(&sys->sched, users);
    }
    free(users);
    return rc;
}

void gri_system_free(gr_system *sys)
{
    gri_sim_leave(sys);
    gri_jobs_fini(sys);
    gri_names_fini(sys);
    gri_map_fini(&sys->waits);
    gri_map_fini(&sys->threads_waits);
    gri_listeners_fini(&sys->dead_watchers);
    gri_listeners_fini(&sys->crash_watchers);
    for (unsigned i = 0; sys->sides != NULL && i < sys->sched.n; i++) {
        gri_msgpack_free(&sys->sides[i].ctx);
    }
    gri_watch_fini(sys);
    gri_stays_fini(sys);
    gri_lanes_fini(sys); /* what it frees may want the scheduler's timers */
    gri_sched_fini(&sys->sched);
    gri_recorder_fini(&sys->recorder);
    gri_crashes_fini(sys);
    gri_table_fini(sys);
    gri_depot_fini(&sys->depot);
    free(sys->sides);
    (void)pthread_mutex_destroy(&sys->lock); /* nobody holds them */
    (void)pthread_mutex_destroy(&sys->names_lock);
    (void)pthread_mutex_destroy(&sys->slow_lock);
    (void)pthread_mutex_destroy(&sys->circle_lock);
    free(sys);
}

static uint64_t new_node(uint64_t seed)
{
    gri_rng rng = {seed != 0 ? seed : gri_rng_entropy()};
    uint64_t node;
    do {
        node = gri_rng_next(&rng);
    } while (node == 0);
    return node;
}

static int init_pool(gri_depot *depot)
{
    GR_TRY(gri_depot_init(depot));
    int rc = gri_reserve_init(depot);
    if (rc < 0) {
        gri_depot_fini(depot);
    }
    return rc;
}

int gri_system_start_as(const gr_system_opts *opts, uint64_t node,
                        gri_hosted *hosted, gr_system **out)
{
    gr_system *sys = gri_lines_new(sizeof *sys);
    if (sys == NULL) {
        return GR_ENOMEM;
    }
    if (opts != NULL) {
        sys->opts = *opts;
    }
    int rc = fill_opts(&sys->opts);
    if (rc < 0) {
        goto no_depot;
    }
    rc = gri_sim_init(sys);
    if (rc < 0) {
        goto no_depot;
    }
    sys->node = node != 0 ? node : new_node(sys->opts.seed);
    sys->hosted = hosted;
    gri_seal_init(&sys->seal);
    gri_log_init(&sys->log, sys->opts.log, sys->opts.log_arg,
                 sys->opts.log_level);
    rc = init_pool(&sys->depot);
    if (rc < 0) {
        goto no_depot;
    }
    rc = gri_table_init(sys);
    if (rc < 0) {
        goto no_table;
    }
    rc = gri_crashes_init(sys);
    if (rc < 0) {
        goto no_crashes;
    }
    rc = gri_record_init(sys);
    if (rc < 0) {
        goto no_recorder;
    }
    rc = gri_sched_init(&sys->sched, &gri_actor_ops, &sys->clock,
                        sys->opts.workers, sys->opts.spares_max, processors(),
                        sys->opts.seed);
    if (rc < 0) {
        goto no_sched;
    }
    init_locks(sys);
    gri_reap_init(sys);
    rc = gri_jobs_init(sys);
    if (rc == 0) {
        rc = start_workers(sys);
    }
    if (rc < 0) {
        gri_system_free(sys);
        return rc;
    }
    gri_sim_join(sys);
    *out = sys;
    return 0;

no_sched:
    gri_recorder_fini(&sys->recorder);
no_recorder:
    gri_crashes_fini(sys);
no_crashes:
    gri_table_fini(sys);
no_table:
    gri_depot_fini(&sys->depot);
no_depot:
    free(sys);
    return rc;
}

int gr_system_start(const gr_system_opts *opts, gr_system **out)
{
    return gri_system_start_as(opts, 0, NULL, out);
}

/* ---- what is asked of it ---------------------------------------------------
 */

gr_pid gr_self(const gr_actor *self)
{
    return gri_pid_of(self);
}

gr_system *gr_system_of(const gr_actor *self)
{
    return self->sys;
}

gr_node gr_system_node(const gr_system *sys)
{
    return (gr_node){sys->node};
}

const char *gr_pid_text(gr_pid pid, char buf[GR_PID_TEXT_MAX])
{
    gri_line text = gri_line_in(buf, GR_PID_TEXT_MAX);
    gri_line_put(&text, "<");
    gri_line_number(&text, gri_pid_index(pid), 10);
    gri_line_put(&text, ".");
    gri_line_number(&text, gri_pid_run(pid), 10);
    gri_line_put(&text, "@");
    gri_line_digits(&text, pid.node >> 32, 16, 8);
    gri_line_put(&text, ">");
    return gri_line_text(&text);
}

static uint64_t value_of(const _Atomic(uint64_t) *counter)
{
    /* relaxed: numbers that may be a moment old. */
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void gr_system_stats(gr_system *sys, gr_stats *out)
{
    gri_counters sum = {0};
    gr_stats stats = {0};
    for (unsigned i = 0; i < sys->sched.n; i++) {
        const gri_worker *w = &sys->sched.workers[i];
        gri_counters_add(&sum, &sys->sides[i].ctx.counters);
        stats.turns += value_of(&w->turns);
        stats.steals += value_of(&w->steals);
        stats.parks += value_of(&w->parks);
    }
    (void)pthread_mutex_lock(&sys->lock);
    for (gri_ctx *ctx = sys->contexts; ctx != NULL; ctx = ctx->next) {
        gri_counters_add(&sum, &ctx->counters);
    }
    gri_counters_add(&sum, &sys->gone);
    (void)pthread_mutex_unlock(&sys->lock);
    gri_counters_add(&sum, &sys->foreign);
    gri_counters_add(&sum, &sys->stop_ctx.counters);
    gri_watch_stats(sys, &sum, &stats);
    stats.sent = value_of(&sum.sent);
    stats.handled = value_of(&sum.handled);
    stats.dead_letters = value_of(&sum.dead_letters);
    stats.dropped = value_of(&sum.dropped);
    stats.late_replies = value_of(&sum.late_replies);
    stats.refused = value_of(&sum.refused);
    stats.slowed = value_of(&sum.slowed);
    stats.redirected = value_of(&sum.redirected);
    stats.spawned = value_of(&sum.spawned);
    stats.exited = value_of(&sum.exited);
    stats.failed = value_of(&sum.failed);
    stats.poisoned = value_of(&sum.poisoned);
    stats.trapped = value_of(&sum.trapped);
    *out = stats;
}

/* ---- the route -------------------------------------------------------------
 */

/* The system is a node now: its service is told, also without memory. */
static void wake_service(gr_system *sys, uint64_t service)
{
    static const char payload[] = "\x91\xaf" GRI_SERVICE_WAKE;
    _Static_assert(sizeof GRI_SERVICE_WAKE - 1 == 15, "as its head says");
    gri_cache cache;
    gri_cache_init(&cache, &sys->depot);
    gr_msg *wake =
        gri_msg_signal_sure(&cache, GRI_MSG_USER, payload, sizeof payload - 1);
    if (wake != NULL) {
        gri_deliver(sys, &cache, (gr_pid){sys->node, service}, wake);
    } else {
        gri_log_write(&sys->log, GR_LOG_ERROR,
                      "no memory to tell the groups of the node");
    }
    gri_cache_flush(&cache);
}

int gri_route_install(gr_system *sys, const gri_route *route, void *net)
{
    int rc = GR_EEXIST;
    (void)pthread_mutex_lock(&sys->lock);
    /* relaxed, both: written under the lock only. So either its service finds
     * the route when its starter wakes it, or it is found here. */
    const uint64_t service =
        atomic_load_explicit(&sys->service_id, memory_order_relaxed);
    if (atomic_load_explicit(&sys->route, memory_order_relaxed) == NULL) {
        /* relaxed: published by the route. */
        atomic_store_explicit(&sys->net, net, memory_order_relaxed);
        /* release: pairs with the acquires in send.c and below. */
        atomic_store_explicit(&sys->route, route, memory_order_release);
        rc = 0;
    }
    (void)pthread_mutex_unlock(&sys->lock);
    if (rc == 0 && service != 0) {
        wake_service(sys, service);
    }
    return rc;
}

void *gri_route_net(gr_system *sys)
{
    /* acquire: pairs with gri_route_install. */
    return atomic_load_explicit(&sys->route, memory_order_acquire) == NULL
               ? NULL
               : atomic_load_explicit(&sys->net, memory_order_relaxed);
}

void gri_route_hurry(gr_system *sys)
{
    /* acquire: pairs with gri_route_install. */
    const gri_route *route =
        atomic_load_explicit(&sys->route, memory_order_acquire);
    if (route != NULL && route->hurry != NULL) {
        /* relaxed: stored before the route was. */
        route->hurry(atomic_load_explicit(&sys->net, memory_order_relaxed));
    }
}

void *gri_route_net_of(gr_system *sys, const gri_route *route)
{
    /* acquire: pairs with gri_route_install. relaxed: stored before. */
    return atomic_load_explicit(&sys->route, memory_order_acquire) == route
               ? atomic_load_explicit(&sys->net, memory_order_relaxed)
               : NULL;
}

int gri_part_install(gr_system *sys, gri_part *part)
{
    gri_part *none = NULL;
    /* release: pairs with the acquire in gri_part_of. */
    return atomic_compare_exchange_strong_explicit(&sys->part, &none, part,
                                                   memory_order_release,
                                                   memory_order_relaxed)
               ? 0
               : GR_EEXIST;
}

gri_part *gri_part_of(gr_system *sys)
{
    /* acquire: pairs with gri_part_install. */
    return atomic_load_explicit(&sys->part, memory_order_acquire);
}

gri_depot *gri_system_depot(gr_system *sys)
{
    return &sys->depot;
}

const gri_clock *gri_system_clock(gr_system *sys)
{
    return &sys->clock;
}

gri_poller *gri_system_poller(gr_system *sys)
{
    return &sys->sched.poller;
}

const gri_log *gri_system_log(gr_system *sys)
{
    return &sys->log;
}

uint32_t gri_system_message_max(gr_system *sys)
{
    return sys->opts.message_max;
}
