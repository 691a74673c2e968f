/*
 * actors/stop.c - the end of a system: bounded, in reverse order of start, and
 * naming what blocked it.
 *
 * First the actors that nobody tends, latest first; a supervisor among them
 * stops its own children on the way. Then whoever is left, then the system's
 * own: the service, the agent. An actor whose end can be seen (it has a
 * terminate, or traps exits) has ended before the next is asked. What is left
 * at the deadline is killed; what is left even then is named, and its memory
 * stays, as it may still be used.
 */
#include <stdlib.h>

#include "actors/jobs.h"
#include "actors/record.h"
#include "actors/reports.h"
#include "actors/stay.h"
#include "sched/futex.h"

enum {
    KILL_GRACE_MS = 500,   /* for killed actors to see it */
    THREAD_GRACE_MS = 5000 /* for threads to end their last call, or loop */
};

typedef struct victim {
    uint64_t born;
    gr_pid pid;
    unsigned traits;
    bool is_thread;
    bool stuck; /* it was waited for up to the deadline */
} victim;

typedef struct stopper {
    gr_system *sys;
    int64_t deadline_ns;
    victim *list; /* latest first */
    size_t count;
} stopper;

static bool lives(const gr_system *sys, gr_pid pid)
{
    /* seq_cst: with gri_end_run, "the run ends, then the flag is looked at"
     * against "the flag is set, then the run is looked at". */
    return atomic_load_explicit(&sys->slots[gri_pid_index(pid)].run,
                                memory_order_seq_cst) == gri_pid_run(pid);
}

/* False: the deadline came first. */
static bool wait_end(gr_system *sys, gr_pid pid, int64_t deadline_ns)
{
    for (;;) {
        /* seq_cst: as above. */
        uint32_t exits =
            atomic_load_explicit(&sys->exits, memory_order_seq_cst);
        if (!lives(sys, pid)) {
            return true;
        }
        if (sys->sched.is_sim) {
            if (!gri_sim_step(sys, deadline_ns)) {
                return !lives(sys, pid);
            }
        } else if (gri_clock_ns(&sys->clock) >= deadline_ns) {
            return false;
        } else {
            gri_futex_wait(&sys->exits, exits, deadline_ns);
        }
    }
}

static int latest_first(const void *x, const void *y)
{
    const victim *a = x;
    const victim *b = y;
    return a->born < b->born ? 1 : a->born > b->born ? -1 : 0;
}

/* Who lives in that slot now. False: nobody, the agent, or the service. */
static inline bool victim_at(const gr_system *sys, uint32_t i, victim *out)
{
    const gr_actor *slot = &sys->slots[i];
    /* seq_cst: with the publishing store in gri_spawn_run. */
    uint32_t run = atomic_load_explicit(&slot->run, memory_order_seq_cst);
    uint64_t id = gri_id(run, i);
    if ((run & 1) == 0 || id == GRI_AGENT_ID || gri_is_service(sys, id)) {
        return false;
    }
    *out = (victim){
        .pid = {sys->node, id},
        /* relaxed: set before the run was published, or late by a moment. */
        .born = atomic_load_explicit(&slot->born, memory_order_relaxed),
        .traits = atomic_load_explicit(&slot->traits, memory_order_relaxed),
        .is_thread = atomic_load_explicit(&slot->place, memory_order_relaxed) ==
                     GRI_PLACE_THREAD,
    };
    return true;
}

/* All that live now, but the system's own. */
static int collect(stopper *s)
{
    gr_system *sys = s->sys;
    /* acquire: as in gri_slot_of. */
    uint32_t n = atomic_load_explicit(&sys->slots_ready, memory_order_acquire);
    free(s->list);
    s->count = 0;
    s->list = malloc((n > 0 ? n : 1) * sizeof *s->list);
    if (s->list == NULL) {
        return GR_ENOMEM;
    }
    for (uint32_t i = 1; i < n; i++) {
        s->count += victim_at(sys, i, &s->list[s->count]);
    }
    qsort(s->list, s->count, sizeof *s->list, latest_first);
    return 0;
}

/* True: nobody runs there, and nobody will. */
static bool stop_between_runs(gr_system *sys, gr_pid pid)
{
    /* Whose run was found has been what it is since before that. */
    return gri_is_stable(&sys->slots[gri_pid_index(pid)]) &&
           gri_stay_stop(&sys->stop_ctx, pid);
}

static inline void ask_to_stop(stopper *s, gr_pid pid)
{
    gri_ctx *ctx = &s->sys->stop_ctx;
    if (stop_between_runs(s->sys, pid)) {
        return;
    }
    if (gri_send_new_signal(ctx, GR_NOBODY, pid, GRI_MSG_STOP, 0) < 0) {
        gri_kill(ctx, pid); /* no memory to be polite */
    }
}

/* Whom this pass asks: the tended, once those who tend them are gone, and all
 * others before. Threads twice: one may have come late. */
static bool is_asked(const victim *v, bool tended)
{
    return ((v->traits & GRI_TENDED) != 0) == tended || v->is_thread;
}

/* Until when to wait next. Those behind one that took all the time there was
 * have not deserved to be killed: they get a little more, once for all of them.
 */
static int64_t next_deadline(const stopper *s, int64_t deadline_ns)
{
    const gri_clock *clock = &s->sys->clock;
    return deadline_ns == s->deadline_ns && gri_clock_ns(clock) >= deadline_ns
               ? gri_deadline(clock, KILL_GRACE_MS)
               : deadline_ns;
}

/* Asks them, latest first; then waits for all of them. */
static void stop_pass(stopper *s, bool tended)
{
    gr_system *sys = s->sys;
    int64_t deadline_ns = s->deadline_ns;
    for (size_t i = 0; i < s->count; i++) {
        victim *v = &s->list[i];
        if (!is_asked(v, tended)) {
            continue;
        }
        ask_to_stop(s, v->pid);
        if ((v->traits & GRI_SLOW_END) != 0 && !v->is_thread) {
            deadline_ns = next_deadline(s, deadline_ns);
            v->stuck = !wait_end(sys, v->pid, deadline_ns);
        }
    }
    deadline_ns = next_deadline(s, deadline_ns);
    for (size_t i = 0; i < s->count; i++) {
        const victim *v = &s->list[i];
        if (is_asked(v, tended) && !v->stuck) {
            (void)wait_end(sys, v->pid, deadline_ns);
        }
    }
}

/* A thread's actor has ended before the thread has left. False: it did not, in
 * time. */
static bool wait_threads(gr_system *sys)
{
    int64_t deadline_ns = gri_deadline(&sys->clock, THREAD_GRACE_MS);
    for (;;) {
        /* seq_cst: as in wait_end. */
        uint32_t exits =
            atomic_load_explicit(&sys->exits, memory_order_seq_cst);
        if (gri_threads_gone(sys)) {
            return true;
        }
        if (sys->sched.is_sim || gri_clock_ns(&sys->clock) >= deadline_ns) {
            gri_log_write(&sys->log, GR_LOG_ERROR,
                          "stop: a thread never left gr_thread_detach");
            return false;
        }
        gri_futex_wait(&sys->exits, exits, deadline_ns);
    }
}

static void name_blocker(gr_system *sys, const victim *v, const char *what)
{
    char name[GR_NAME_MAX + 1];
    char pid[GR_PID_TEXT_MAX];
    const char *known = gri_name_of(sys, v->pid, name, sizeof name);
    const gr_behavior *b = gri_behavior(&sys->slots[gri_pid_index(v->pid)]);
    gri_log_write(&sys->log, GR_LOG_ERROR, "stop: %s %s%s%s %s",
                  v->is_thread ? "thread actor"
                  : b != NULL  ? b->name
                               : "actor",
                  known != NULL ? known : "", known != NULL ? " " : "",
                  gr_pid_text(v->pid, pid), what);
}

static void kill_one(gr_system *sys, gr_pid pid)
{
    gri_ctx *ctx = &sys->stop_ctx;
    gri_kill(ctx, pid);
    /* Only a wake-up. */
    (void)gri_send_new_signal(ctx, GR_NOBODY, pid, GRI_MSG_KILL, 0);
}

/* False: it has not ended even so, and is named. */
static bool wait_killed(gr_system *sys, const victim *v, int64_t grace_ns)
{
    if (wait_end(sys, v->pid, grace_ns)) {
        return true;
    }
    name_blocker(sys, v,
                 v->is_thread ? "is still attached"
                              : "never returned from its callback");
    return false;
}

/* What did not stop is killed. True: all have ended. */
static bool kill_rest(stopper *s)
{
    gr_system *sys = s->sys;
    for (size_t i = 0; i < s->count; i++) {
        if (lives(sys, s->list[i].pid)) {
            name_blocker(sys, &s->list[i],
                         "did not stop in time and is killed");
            kill_one(sys, s->list[i].pid);
        }
    }
    int64_t grace_ns = gri_deadline(&sys->clock, KILL_GRACE_MS);
    bool all = true;
    for (size_t i = 0; i < s->count; i++) {
        all = wait_killed(sys, &s->list[i], grace_ns) && all;
    }
    return all;
}

/* The same of all that live, without a list: in no order, and nobody is asked
 * before. */
static bool kill_all(gr_system *sys)
{
    gri_log_write(&sys->log, GR_LOG_ERROR,
                  "stop: no memory to ask the actors: they are killed");
    victim v;
    /* acquire: as in gri_slot_of. */
    uint32_t n = atomic_load_explicit(&sys->slots_ready, memory_order_acquire);
    for (uint32_t i = 1; i < n; i++) {
        if (victim_at(sys, i, &v) && !stop_between_runs(sys, v.pid)) {
            kill_one(sys, v.pid);
        }
    }
    int64_t grace_ns = gri_deadline(&sys->clock, KILL_GRACE_MS);
    bool all = true;
    for (uint32_t i = 1; i < n; i++) {
        all = (!victim_at(sys, i, &v) || wait_killed(sys, &v, grace_ns)) && all;
    }
    return all;
}

/* False: no memory for it. */
static bool ask_all(stopper *s)
{
    if (collect(s) < 0) {
        return false;
    }
    stop_pass(s, false);
    if (collect(s) < 0) {
        return false;
    }
    stop_pass(s, true);
    return true;
}

/* One of the system's own, when all others have ended. False: it did not. */
static bool stop_own(stopper *s, uint64_t id)
{
    gr_system *sys = s->sys;
    const victim v = {.pid = {sys->node, id}};
    if (gri_slot_of(sys, v.pid) == NULL || !lives(sys, v.pid)) {
        return true;
    }
    const int64_t grace_ns = gri_deadline(&sys->clock, KILL_GRACE_MS);
    ask_to_stop(s, v.pid);
    if (wait_end(sys, v.pid,
                 s->deadline_ns > grace_ns ? s->deadline_ns : grace_ns)) {
        return true;
    }
    name_blocker(sys, &v, "did not stop");
    return false;
}

static bool stop_actors(stopper *s)
{
    gr_system *sys = s->sys;
    /* seq_cst: with gri_spawn_run and gri_end_run. */
    atomic_store_explicit(&sys->stopping, true, memory_order_seq_cst);
    bool all = ask_all(s) ? kill_rest(s) : kill_all(sys);
    /* relaxed: whoever started it has ended. */
    const uint64_t service =
        atomic_load_explicit(&sys->service_id, memory_order_relaxed);
    all = stop_own(s, service) && all;
    all = stop_own(s, GRI_AGENT_ID) && all;
    return all;
}

/* Messages that are not from the pool are freed one by one. */
static void free_inboxes(gr_system *sys)
{
    uint32_t n = atomic_load_explicit(&sys->slots_ready, memory_order_acquire);
    for (uint32_t i = 1; i < n; i++) {
        gr_msg *msg = sys->slots[i].outlet.head;
        while (msg != NULL) {
            /* acquire: pairs with the last push; no thread runs any more. */
            gr_msg *next =
                atomic_load_explicit(&msg->next, memory_order_acquire);
            gri_msg_free(&sys->stop_cache, msg);
            msg = next;
        }
    }
}

/* What is left of the deadline for a part of the system, and a little. */
static int64_t left_ms(const stopper *s)
{
    if (s->deadline_ns == GRI_NEVER) {
        return KILL_GRACE_MS;
    }
    int64_t ms =
        (s->deadline_ns - gri_clock_ns(&s->sys->clock)) / GRI_NS_PER_MS;
    return ms > KILL_GRACE_MS ? ms : KILL_GRACE_MS;
}

static void stop_plugs(const stopper *s)
{
    gr_system *sys = s->sys;
    gri_processes *processes = gri_processes_of(sys);
    if (processes != NULL) {
        processes->stop(processes, left_ms(s));
    }
    gri_part *part = gri_part_of(sys);
    if (part != NULL) {
        part->stop(part, left_ms(s));
    }
    /* acquire: pairs with gri_route_install. */
    const gri_route *route =
        atomic_load_explicit(&sys->route, memory_order_acquire);
    if (route != NULL) {
        /* relaxed: stored before the route was. */
        route->stop(atomic_load_explicit(&sys->net, memory_order_relaxed),
                    left_ms(s));
    }
}

/* Whatever has stopped, the reports of what has failed are written: nobody may
 * come back to them. */
static bool stop_reports(const stopper *s, bool all)
{
    const int64_t ms = left_ms(s);
    const int64_t until_ns =
        s->deadline_ns == GRI_NEVER
            ? GRI_NEVER
            : gri_deadline(&(gri_clock){0},
                           ms > THREAD_GRACE_MS ? ms : THREAD_GRACE_MS);
    const bool done = all ? gri_reports_stop(s->sys, until_ns)
                          : gri_reports_wait(s->sys, until_ns);
    return all && done;
}

/* No thread can come to them any more. */
static void free_plugs(gr_system *sys)
{
    gri_processes *processes = gri_processes_of(sys);
    if (processes != NULL) {
        processes->free(processes);
    }
    gri_part *part = gri_part_of(sys);
    if (part != NULL) {
        part->free(part);
    }
    gri_service *service = gri_service_of(sys);
    if (service != NULL) {
        service->free(service);
    }
    /* acquire, then relaxed: as in stop_plugs. */
    const gri_route *route =
        atomic_load_explicit(&sys->route, memory_order_acquire);
    if (route != NULL) {
        route->free(atomic_load_explicit(&sys->net, memory_order_relaxed));
    }
}

int gr_system_stop(gr_system *sys, int64_t deadline_ms)
{
    stopper s = {.sys = sys};
    s.deadline_ns = gri_deadline(&sys->clock, deadline_ms);
    gri_record_event(&sys->stop_ctx, GRI_EVENT_STOP, 0, 0, 0);
    gri_recorder_state(&sys->recorder, GRI_REC_STOPS);
    bool all = stop_actors(&s) && wait_threads(sys);
    free(s.list);
    /* Nobody waits for jobs any more: what has begun may end. */
    const int64_t jobs_ns = s.deadline_ns == GRI_NEVER
                                ? GRI_NEVER
                                : gri_deadline(&sys->clock, left_ms(&s));
    all = gri_jobs_stop(sys, jobs_ns) && all;
    stop_plugs(&s);
    if (!stop_reports(&s, all)) {
        return GR_ETIMEOUT;
    }
    if (sys->sched.is_sim) {
        while (gri_sched_sim_turn(&sys->sched)) {
            /* buries what the last ones left */
        }
    }
    if (!gri_sched_stop(&sys->sched,
                        gri_deadline(&(gri_clock){0}, THREAD_GRACE_MS))) {
        gri_log_write(&sys->log, GR_LOG_ERROR, "stop: a worker never returned");
        return GR_ETIMEOUT;
    }
    free_plugs(sys);
    free_inboxes(sys);
    gri_recorder_state(&sys->recorder, GRI_REC_STOPPED);
    gri_system_free(sys);
    return 0;
}
