/* transport/keeper.c - see keeper.h. */
#include "transport/keeper.h"

#include <greenroom/error.h>

#include "base/memory.h"

/* Waits until there is something to do. Under lock. */
static void wait_locked(gri_keeper *k)
{
    if (k->tick_at == GRI_NEVER) {
        (void)pthread_cond_wait(&k->wake, &k->lock);
        return;
    }
    const struct timespec t = {.tv_sec = (time_t)(k->tick_at / 1000000000),
                               .tv_nsec = (long)(k->tick_at % 1000000000)};
    /* A timeout and a wake-up are the same here: the caller looks at all. */
    (void)pthread_cond_timedwait(&k->wake, &k->lock, &t);
}

static void tick_unlocked(gri_keeper *k)
{
    k->tick_at = GRI_NEVER;
    (void)pthread_mutex_unlock(&k->lock);
    int64_t next = k->tick(k->arg);
    (void)pthread_mutex_lock(&k->lock);
    if (next < k->tick_at) {
        k->tick_at = next;
    }
}

/* Takes the first job out and runs it; false: there is none. Under lock. */
static bool job_unlocked(gri_keeper *k)
{
    gri_job *job = k->first;
    if (job == NULL) {
        return false;
    }
    k->first = job->next;
    if (k->first == NULL) {
        k->last = &k->first;
    }
    /* relaxed: see gri_keeper_waiting. */
    atomic_fetch_sub_explicit(&k->waiting, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&k->lock);
    job->run(job);
    (void)pthread_mutex_lock(&k->lock);
    return true;
}

static void *keep(void *arg)
{
    gri_keeper *k = arg;
    (void)pthread_setname_np(pthread_self(), "gr-keeper"); /* for people */
    (void)pthread_mutex_lock(&k->lock);
    for (;;) {
        /* One job, then a look at the clock: neither waits for the other when
         * there is always one more job, or it is always time. */
        bool ran = job_unlocked(k);
        if (!ran && k->ending) {
            break;
        }
        if (!k->ending && k->tick_at <= gri_clock_ns(k->clock)) {
            tick_unlocked(k);
        } else if (!ran) {
            wait_locked(k);
        }
    }
    (void)pthread_mutex_unlock(&k->lock);
    return NULL;
}

static int init_sync(gri_keeper *k)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) {
        return GR_ENOMEM;
    }
    /* The clock that gri_clock_ns reads. Both are known to every Linux. */
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&k->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (failed != 0) {
        return GR_ENOMEM;
    }
    if (pthread_mutex_init(&k->lock, NULL) != 0) {
        (void)pthread_cond_destroy(&k->wake);
        return GR_ENOMEM;
    }
    return 0;
}

static void fini_sync(gri_keeper *k)
{
    (void)pthread_mutex_destroy(&k->lock);
    (void)pthread_cond_destroy(&k->wake);
}

static int init(gri_keeper *k, int64_t (*tick)(void *arg), void *arg)
{
    *k = (gri_keeper){.tick = tick, .arg = arg, .tick_at = GRI_NEVER};
    k->last = &k->first;
    return init_sync(k);
}

/* ---- in a world ---------------------------------------------------------- */

static void work_in_world(gri_happening *event)
{
    gri_keeper *k = GRI_CONTAINER(event, gri_keeper, work);
    (void)pthread_mutex_lock(&k->lock);
    (void)job_unlocked(k);
    bool more = k->first != NULL;
    (void)pthread_mutex_unlock(&k->lock);
    if (more) {
        gri_world_hasten(k->world, &k->work, 0);
    }
}

static void tick_in_world(gri_happening *event)
{
    gri_keeper *k = GRI_CONTAINER(event, gri_keeper, time);
    (void)pthread_mutex_lock(&k->lock);
    tick_unlocked(k);
    int64_t next = k->tick_at;
    (void)pthread_mutex_unlock(&k->lock);
    if (next != GRI_NEVER) {
        gri_world_hasten(k->world, &k->time, next);
    }
}

int gri_keeper_start_in(gri_keeper *keeper, gri_world *world, uint64_t node,
                        int64_t (*tick)(void *arg), void *arg)
{
    int rc = init(keeper, tick, arg);
    keeper->world = world;
    keeper->node = node;
    keeper->work.run = work_in_world;
    keeper->time.run = tick_in_world;
    return rc;
}

static void stop_in_world(gri_keeper *k)
{
    (void)pthread_mutex_lock(&k->lock);
    while (job_unlocked(k)) {
        /* one after the other */
    }
    (void)pthread_mutex_unlock(&k->lock);
    gri_world_disarm(k->world, &k->work);
    gri_world_disarm(k->world, &k->time);
    fini_sync(k);
}

/* ---- any ----------------------------------------------------------------- */

int gri_keeper_start(gri_keeper *keeper, const gri_clock *clock,
                     gri_poller *poller, int64_t (*tick)(void *arg), void *arg)
{
    int rc = init(keeper, tick, arg);
    keeper->clock = clock;
    keeper->poller = poller;
    if (rc < 0) {
        return rc;
    }
    if (pthread_create(&keeper->thread, NULL, keep, keeper) != 0) {
        fini_sync(keeper);
        return GR_EIO;
    }
    return 0;
}

void gri_keeper_stop(gri_keeper *keeper)
{
    if (keeper->world != NULL) {
        stop_in_world(keeper);
        return;
    }
    (void)pthread_mutex_lock(&keeper->lock);
    keeper->ending = true;
    (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->lock);
    (void)pthread_join(keeper->thread, NULL);
    fini_sync(keeper);
}

void gri_keeper_run(gri_keeper *keeper, gri_job *job)
{
    gri_world *world = keeper->world; /* when it has run, all may be gone */
    job->next = NULL;
    (void)pthread_mutex_lock(&keeper->lock);
    *keeper->last = job;
    keeper->last = &job->next;
    /* relaxed: as above. */
    atomic_fetch_add_explicit(&keeper->waiting, 1, memory_order_relaxed);
    (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->lock);
    if (world != NULL) {
        gri_world_hasten(world, &keeper->work, 0);
    }
}

void gri_keeper_tick_at(gri_keeper *keeper, int64_t ns)
{
    gri_world *world = keeper->world;
    (void)pthread_mutex_lock(&keeper->lock);
    if (ns < keeper->tick_at) {
        keeper->tick_at = ns;
        (void)pthread_cond_signal(&keeper->wake);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
    if (world != NULL && ns != GRI_NEVER) {
        gri_world_hasten(world, &keeper->time, ns);
    }
}
