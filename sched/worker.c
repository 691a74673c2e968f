/* sched/worker.c - the loop of a worker: what runs next, and where from. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "base/assert.h"
#include "sched/futex.h"
#include "sched/sched.h"

enum {
    ROUND_TASKS = 61, /* each so many tasks (fewer, if turns are long) a worker
                         reads the clock, puts all that waits into its queue,
                         and takes what waits longest there. A prime, so that
                         no pattern of the program locks in */
    INJECT_MAX = 128, /* tasks of other threads that a worker takes at once */
    PAUSES = 64       /* between two looks around: about a microsecond */
};

/* How long a worker looks around before it sleeps. While others work: about
 * what it costs to sleep and be woken, so that it costs at most twice what the
 * better of the two would have cost; many waits, as for a receiver that catches
 * up, are shorter. When all others sleep: less. And less where descriptors are
 * watched: what comes from there is made by other programs, perhaps on this
 * very processor. */
#define SPIN_NS       (50 * GRI_NS_PER_US)
#define SPIN_ALONE_NS (10 * GRI_NS_PER_US)

/* How often a worker that does not sleep looks whether a descriptor is ready,
 * or after each turn if those are longer: each look is a system call. One that
 * has nothing to do looks more often. */
#define POLL_NS      (50 * GRI_NS_PER_US)
#define POLL_IDLE_NS (2 * GRI_NS_PER_US)

void gri_sched_inject(gri_sched *s, gri_task *first, gri_task *last, uint32_t n)
{
    last->next = NULL;
    (void)pthread_mutex_lock(&s->inject_lock);
    if (s->inject_first == NULL) {
        s->inject_first = first;
    } else {
        s->inject_last->next = first;
    }
    s->inject_last = last;
    /* seq_cst: the submitter's first half of the protocol of park.c. */
    atomic_fetch_add_explicit(&s->inject_count, n, memory_order_seq_cst);
    (void)pthread_mutex_unlock(&s->inject_lock);
}

static void inject_push(gri_sched *s, gri_task *task)
{
    gri_sched_inject(s, task, task, 1);
}

/* Into the worker's queue; of a full one the older half goes to all, with one
 * lock for many. */
static void queue_push(gri_worker *w, gri_task *task)
{
    while (!gri_runq_push(&w->queue, task)) {
        gri_task *first;
        gri_task *last;
        const uint32_t n = gri_runq_halve(&w->queue, &first, &last);
        if (n > 0) {
            gri_sched_inject(w->sched, first, last, n);
        }
    }
}

/* Moves what other threads submitted to the end of the queue, and not only this
 * worker's share: what stays behind would wait for a turn more, and be it a
 * long one. Who has nothing to do steals from there. */
static void inject_move(gri_worker *w)
{
    gri_sched *s = w->sched;
    /* relaxed: a look that may be wrong; the parker looks again in order. */
    if (atomic_load_explicit(&s->inject_count, memory_order_relaxed) == 0) {
        return;
    }
    uint32_t moved = 0;
    (void)pthread_mutex_lock(&s->inject_lock);
    gri_task *task = s->inject_first;
    while (task != NULL && moved < INJECT_MAX) {
        gri_task *next = task->next; /* before the push: it may run at once */
        if (!gri_runq_push(&w->queue, task)) {
            break;
        }
        task = next;
        moved++;
    }
    s->inject_first = task;
    /* seq_cst: a parker who sees them gone here sees them in the queue. */
    atomic_fetch_sub_explicit(&s->inject_count, moved, memory_order_seq_cst);
    (void)pthread_mutex_unlock(&s->inject_lock);
    if (moved > 1) {
        gri_sched_notify(s);
    }
}

static void fire_due(gri_worker *w, gri_timers *timers, int64_t now_ns)
{
    gri_fired fired;
    while (gri_timers_take(timers, now_ns, &fired)) {
        w->sched->ops->fired(w, &fired);
    }
}

/* Returns the time. */
static int64_t fire_all_due(gri_worker *w)
{
    gri_sched *s = w->sched;
    int64_t now_ns = gri_clock_ns(s->clock);
    const unsigned n = gri_sched_started(s);
    for (unsigned i = 0; i < n; i++) {
        fire_due(w, &s->workers[(w->index + i) % n].timers, now_ns);
    }
    return now_ns;
}

/* What this worker has itself, and not in its slot. */
static gri_task *queued_task(gri_worker *w)
{
    gri_task *task = gri_runq_pop(&w->queue);
    if (task == NULL) {
        inject_move(w);
        task = gri_runq_pop(&w->queue);
    }
    return task;
}

/* What is there at this moment, once the timers that are due have fired. */
static gri_task *look_around(gri_worker *w, bool elsewhere)
{
    /* The slot, too: what fires may fill it. */
    gri_task *task = gri_runnext_take(&w->next);
    if (task == NULL) {
        task = elsewhere ? queued_task(w) : gri_runq_pop(&w->queue);
    }
    return task == NULL && elsewhere ? gri_steal(w) : task;
}

static inline void poll_descriptors(gri_worker *w, int64_t now_ns,
                                    int64_t pause_ns)
{
    gri_poller *p = &w->sched->poller;
    if (gri_poller_is_open(p)) {
        gri_poller_look(p, w, now_ns, pause_ns);
    }
}

/* Each look takes lines away from who writes them: not too often. */
static void pause_a_little(void)
{
    for (unsigned i = 0; i < PAUSES; i++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
}

/* Until when to look around before sleeping. While others work, they may soon
 * have something for us; else only what comes from outside can, and must not be
 * kept from it. */
static int64_t spin_until(const gri_worker *w, int64_t began_ns)
{
    gri_sched *s = w->sched;
    if (s->processors == 1) {
        return began_ns; /* who could bring something waits for this one */
    }
    /* relaxed, both: a guess. */
    const uint64_t parked =
        atomic_load_explicit(&s->parked, memory_order_relaxed);
    const int32_t searching =
        atomic_load_explicit(&s->searching, memory_order_relaxed);
    const bool others_work =
        (int64_t)gri_sched_awake(s, parked) - searching > 0;
    return began_ns + (others_work && !gri_poller_is_open(&s->poller)
                           ? SPIN_NS
                           : SPIN_ALONE_NS);
}

/* What there is, or soon will be. */
static gri_task *look_for_a_while(gri_worker *w)
{
    const int64_t began_ns = fire_all_due(w);
    int64_t now_ns = began_ns;
    gri_task *task = look_around(w, true);
    while (task == NULL && now_ns < spin_until(w, began_ns)) {
        pause_a_little();
        now_ns = fire_all_due(w);
        poll_descriptors(w, now_ns, POLL_IDLE_NS);
        task = look_around(w, true);
    }
    return task;
}

/* A single look, by one that got up to look, or that is one too many. */
static gri_task *look_once(gri_worker *w, bool got_up)
{
    gri_sched *s = w->sched;
    (void)fire_all_due(w);
    const bool needed = got_up && gri_crowd_look(w);
    /* What stands in a slot waits for nobody else: first. */
    gri_task *task = got_up ? gri_steal_stale(w) : NULL;
    return task != NULL ? task
                        : look_around(w, needed || !gri_sched_has_surplus(s));
}

static gri_task *search(gri_worker *w)
{
    gri_sched *s = w->sched;
    if (!w->searching) {
        w->searching = true;
        /* seq_cst: submitters that see it leave the waking to us. */
        atomic_fetch_add_explicit(&s->searching, 1, memory_order_seq_cst);
    }
    const bool got_up = w->got_up;
    w->got_up = false;
    gri_task *task = got_up || gri_sched_has_surplus(s) ? look_once(w, got_up)
                                                        : look_for_a_while(w);
    if (task == NULL && !got_up) {
        task = gri_steal_stale(w); /* and remembers, for when it gets up */
    }
    if (task != NULL) {
        gri_sched_stop_searching(w, true);
    }
    return task;
}

static void count_round(gri_worker *w, int64_t now_ns)
{
    w->round_left = w->round_tasks;
    w->round_ns = gri_clock_coarse_ns(w->sched->clock);
    w->began_ns = now_ns;
}

/* Tasks of a round, given how long the last one took: where descriptors are
 * waited for, it is to take POLL_NS. */
static unsigned tasks_of_round(const gri_worker *w, int64_t took_ns)
{
    if (!gri_poller_is_open(&w->sched->poller) || took_ns <= 0) {
        return ROUND_TASKS;
    }
    const int64_t n = w->round_tasks * POLL_NS / took_ns;
    return n < 1 ? 1 : n < ROUND_TASKS ? (unsigned)n : ROUND_TASKS;
}

/* Each so often a worker that always has something to do looks at the others,
 * too: one may be stuck, and nobody else awake. */
static void help_others(gri_worker *w)
{
    if (w->round_ns - w->helped_ns < GRI_STALE_NS) {
        return;
    }
    w->helped_ns = w->round_ns;
    gri_task *task = gri_steal_stuck(w);
    if (task != NULL) {
        queue_push(w, task);
    }
}

/* A round begins: timers fire, and all that waits stands in the queue, what
 * waits longest first. */
static void begin_round(gri_worker *w)
{
    const int64_t now_ns = fire_all_due(w);
    w->round_tasks = tasks_of_round(w, now_ns - w->began_ns);
    count_round(w, now_ns);
    poll_descriptors(w, now_ns, POLL_NS);
    help_others(w);
    gri_task *task = gri_runnext_take(&w->next);
    if (task != NULL) {
        queue_push(w, task);
    }
    inject_move(w);
}

/* What to run when a round is over or the slot is empty. NULL: nothing. */
static __attribute__((noinline)) gri_task *next_task(gri_worker *w)
{
    if (w->searching) { /* it slept: it has nothing of its own */
        count_round(w, gri_clock_ns(w->sched->clock));
        return search(w);
    }
    if (w->round_left == 0) {
        begin_round(w);
    }
    gri_task *task = queued_task(w);
    return task != NULL ? task : search(w);
}

static inline void run(gri_worker *w, gri_task *task)
{
    /* relaxed, both: our own counter. */
    const uint64_t turns =
        atomic_load_explicit(&w->turns, memory_order_relaxed) + 1;
    atomic_store_explicit(&w->turns, turns, memory_order_relaxed);
    gri_record_turn(w->recent, turns, task);
    w->sched->ops->run(w, task);
}

void gri_after_turn(gri_worker *w, gri_after *after)
{
    after->next = w->after;
    w->after = after;
}

unsigned gri_worker_index(const gri_worker *w)
{
    return w->index;
}

static __attribute__((noinline)) void do_after(gri_worker *w)
{
    while (w->after != NULL) {
        gri_after *after = w->after;
        w->after = after->next;
        after->run(after, w);
    }
}

/* Until the scheduler stops. Not inline: who calls sigsetjmp keeps little in
 * registers. */
static __attribute__((noinline)) void work(gri_worker *w)
{
    gri_sched *s = w->sched;
    for (;;) {
        if (w->after != NULL) {
            do_after(w);
        }
        /* The usual: what a turn has just put into the slot. A worker that
         * searches is in a new round (see gri_sched_park), so not here. */
        gri_task *task =
            --w->round_left != 0 ? gri_runnext_take(&w->next) : NULL;
        if (task == NULL) {
            /* acquire: pairs with the store in gri_sched_stop. */
            if (atomic_load_explicit(&s->stopping, memory_order_acquire)) {
                break;
            }
            task = next_task(w);
        }
        if (task != NULL) {
            run(w, task);
        } else if (w->after == NULL) {
            gri_sched_park(w);
        } else {
            /* A look at descriptors or timers has put something off: it is
             * done first, and a new round looks around once more. */
            w->round_left = 1;
        }
    }
}

/* Tells who started this thread whether it can be a worker: one whose faults
 * nobody takes would be none. */
static bool begin(gri_worker *w)
{
    w->trap.ops = w->sched->ops->trap;
    w->trap.arg = w;
    w->trap.index = w->index;
    const bool good = gri_trap_join(&w->trap) == 0;
    /* release: pairs with the acquire in has_begun. */
    atomic_store_explicit(&w->begun, good ? GRI_BEGUN_WELL : GRI_BEGUN_ILL,
                          memory_order_release);
    gri_futex_wake(&w->begun, 1);
    return good;
}

void *gri_worker_main(void *worker)
{
    gri_worker *w = worker;
    if (!begin(w)) {
        return NULL;
    }
    /* The kernel may wake a sleeper 50 us late by default: as late as some
     * timers are long. Refused, timers are only that much later. */
    (void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    char name[16]; /* the kernel's limit; GR_WORKERS_MAX has 2 digits */
    (void)snprintf(name, sizeof name, "gr-%s-%u",
                   w->index < w->sched->base ? "worker" : "spare",
                   w->index % 100);
    (void)prctl(PR_SET_NAME, name); /* for people only */
    gri_crowd_join(w);
    gri_probe_join(w);
    /* relaxed: set before the thread began. */
    if (atomic_load_explicit(&w->out, memory_order_relaxed)) {
        gri_sched_come_back(w); /* a spare */
        w->got_up = true;
    }
    /* Once for all tasks: whatever faults, this frame is live. */
    if (sigsetjmp(w->trap.home, 0) != 0) {
        gri_trap_landed(&w->trap);
        w->sched->ops->faulted(w);
    }
    work(w);
    gri_trap_leave(&w->trap);
    /* release: pairs with the acquire in gri_sched_has_left. */
    atomic_store_explicit(&w->left, 1, memory_order_release);
    gri_futex_wake(&w->left, 1);
    return NULL;
}

void gri_sched_submit_slow(gri_sched *s, gri_task *task)
{
    if (s->is_sim) {
        unsigned i = gri_rng_below(&s->sim_rng, GRI_LANES);
        task->next = NULL;
        if (s->lane[i].first == NULL) {
            s->lane[i].first = task;
        } else {
            s->lane[i].last->next = task;
        }
        s->lane[i].last = task;
        s->lanes_used |= UINT32_C(1) << i;
        return;
    }
    inject_push(s, task);
    gri_sched_notify(s);
}

void gri_sched_submit_behind(gri_sched *s, gri_worker *worker, gri_task *task)
{
    if (worker == NULL) {
        gri_sched_submit_slow(s, task);
        return;
    }
    queue_push(worker, task);
    gri_sched_notify(s);
}

void gri_sched_again(gri_worker *worker, gri_task *task)
{
    gri_sched *s = worker->sched;
    if (s->is_sim) {
        gri_sched_submit_slow(s, task);
        return;
    }
    if (worker->round_left == 1) {
        /* A long turn (or, each so often, any) goes on behind all that waits,
         * whoever submitted it. */
        begin_round(worker);
    }
    /* A task that only goes on itself, alone, is no reason to wake anybody. */
    bool alone = gri_runq_is_empty(&worker->queue) &&
                 gri_runnext_look(&worker->next) == NULL;
    queue_push(worker, task);
    if (!alone) {
        gri_sched_notify(s);
    }
}

int gri_sched_arm(gri_sched *s, gri_worker *worker, gri_timer *t,
                  int64_t due_ns)
{
    gri_worker *w = worker != NULL ? worker : &s->workers[0];
    bool earliest = false;
    int rc = gri_timers_arm(&w->timers, t, due_ns, &earliest);
    if (rc == 0 && earliest && !s->is_sim && worker == NULL) {
        /* It may sleep past this. A worker that is awake fires it itself or,
         * if it is busy by then, a sleeper does (park.c). */
        (void)gri_sched_wake(s, 0, GRI_PERMIT_LOOK);
    }
    return rc;
}

bool gri_sched_sim_turn(gri_sched *s)
{
    if (s->lanes_used == 0) {
        return false;
    }
    unsigned i = gri_rng_below(&s->sim_rng, GRI_LANES);
    while ((s->lanes_used >> i & 1) == 0) {
        i = (i + 1) % GRI_LANES;
    }
    gri_task *task = s->lane[i].first;
    s->lane[i].first = task->next;
    if (task->next == NULL) {
        s->lanes_used &= ~(UINT32_C(1) << i);
    }
    s->sim_trace = (s->sim_trace ^ i) * UINT64_C(0x100000001b3);
    s->workers[0].round_ns = gri_clock_ns(s->clock);
    run(&s->workers[0], task);
    return true;
}

bool gri_sched_sim_fire(gri_sched *s)
{
    gri_worker *w = &s->workers[0];
    int64_t now_ns = gri_clock_ns(s->clock);
    bool any = gri_timers_next(&w->timers) <= now_ns;
    fire_due(w, &w->timers, now_ns);
    return any;
}
