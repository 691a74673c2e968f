/* transport/keeper.c - see keeper.h. */
#include "transport/keeper.h"

#include <greenroom/error.h>

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

int gri_keeper_start(gri_keeper *keeper, const gri_clock *clock,
                     gri_poller *poller, int64_t (*tick)(void *arg), void *arg)
{
    keeper->clock = clock;
    keeper->poller = poller;
    keeper->tick = tick;
    keeper->arg = arg;
    keeper->first = NULL;
    keeper->last = &keeper->first;
    keeper->tick_at = GRI_NEVER;
    keeper->ending = false;
    int rc = init_sync(keeper);
    if (rc < 0) {
        return rc;
    }
    if (pthread_create(&keeper->thread, NULL, keep, keeper) != 0) {
        (void)pthread_mutex_destroy(&keeper->lock);
        (void)pthread_cond_destroy(&keeper->wake);
        return GR_EIO;
    }
    return 0;
}

void gri_keeper_stop(gri_keeper *keeper)
{
    (void)pthread_mutex_lock(&keeper->lock);
    keeper->ending = true;
    (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->lock);
    (void)pthread_join(keeper->thread, NULL);
    (void)pthread_mutex_destroy(&keeper->lock);
    (void)pthread_cond_destroy(&keeper->wake);
}

void gri_keeper_run(gri_keeper *keeper, gri_job *job)
{
    job->next = NULL;
    (void)pthread_mutex_lock(&keeper->lock);
    *keeper->last = job;
    keeper->last = &job->next;
    (void)pthread_cond_signal(&keeper->wake);
    (void)pthread_mutex_unlock(&keeper->lock);
}

void gri_keeper_tick_at(gri_keeper *keeper, int64_t ns)
{
    (void)pthread_mutex_lock(&keeper->lock);
    if (ns < keeper->tick_at) {
        keeper->tick_at = ns;
        (void)pthread_cond_signal(&keeper->wake);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
}
