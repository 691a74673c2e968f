/*
 * sched/poller.h - descriptors that the workers watch when they have nothing
 * else to do.
 *
 * One thread at a time polls: who holds the poller. A worker that goes to sleep
 * takes it, if nobody has it, and sleeps in it; one that always has something
 * to do takes it for a look now and then; when all are stuck in long turns the
 * watchdog does. What is ready is told to its pollee by whoever holds the
 * poller, one after the other, so a pollee needs no lock against itself. It
 * must only copy and enqueue.
 *
 * Descriptors are watched edge-triggered, see epoll(7): a pollee is told once
 * of what has come, and reads until there is no more. A pollee is changed and
 * ended by who holds the poller, too: by a job that is posted.
 */
#ifndef GRI_SCHED_POLLER_H
#define GRI_SCHED_POLLER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/clock.h"

typedef struct gri_poller gri_poller;
typedef struct gri_pollee gri_pollee;
typedef struct gri_post gri_post;
struct gri_worker;

struct gri_pollee {
    /* events: EPOLLIN, EPOLLOUT and so on. worker: the calling one, or NULL. */
    void (*ready)(gri_pollee *pollee, struct gri_worker *worker,
                  uint32_t events);
};

/* Something to do for who holds the poller. */
struct gri_post {
    gri_post *next; /* the poller's while posted */
    void (*run)(gri_post *post, struct gri_worker *worker);
    _Atomic(bool) posted; /* gri_poller_post's */
};

enum { GRI_POLL_BATCH = 64 }; /* descriptors at a time */

struct gri_poller {
    const gri_clock *clock; /* constant */
    /* constant, or NULL: nobody polls, and nobody may come to do it by himself.
     */
    void (*unheld)(void *arg);
    void *arg;
    int epoll_fd, event_fd;     /* constant once it is open */
    _Atomic(bool) open;         /* any thread */
    _Atomic(bool) held;         /* likewise: somebody polls */
    _Atomic(int64_t) looked_ns; /* when somebody did last, about */
    _Atomic(int64_t) tried_ns;  /* when gri_poller_look was called, about */
    _Atomic(uint32_t) adds;     /* likewise: how many descriptors were added */
    pthread_mutex_t lock;
    gri_post *first, **last; /* under lock */
    _Atomic(uint32_t) posts; /* written under lock */
    /* The holder's. */
    int count;
    struct epoll_event events[GRI_POLL_BATCH];
};

/* Nothing is watched, and nobody polls. Errors: GR_ENOMEM. */
int gri_poller_init(gri_poller *p, const gri_clock *clock);
/* What is still posted is run. No thread uses it any more. */
void gri_poller_fini(gri_poller *p);
/* Makes it ready for use; more calls do nothing. Any thread. Errors: GR_EIO (no
 * descriptors), GR_ENOMEM. */
int gri_poller_open(gri_poller *p);

/* Watches a descriptor from now on. Any thread. Errors: GR_ENOMEM, GR_EIO. */
int gri_poller_add(gri_poller *p, int fd, gri_pollee *pollee);
/* No longer: nothing is told of it any more, even if it is known already. Who
 * holds the poller. Does not close it. */
void gri_poller_remove(gri_poller *p, int fd, const gri_pollee *pollee);
/* The post is run soon; once, if it is posted again before that. Any thread. */
void gri_poller_post(gri_poller *p, gri_post *post);
/* Wakes who sleeps in it. Any thread. */
void gri_poller_wake(gri_poller *p);

/* Is there something to watch? Any thread. */
static inline bool gri_poller_is_open(const gri_poller *p)
{
    /* seq_cst: who parks has said that it sleeps; with gri_poller_open. An
     * acquire, too: it sees the descriptors. */
    return atomic_load_explicit(&p->open, memory_order_seq_cst);
}

/* Takes it; false: somebody has it. Any thread; one that takes it gives it. Who
 * does not go on to poll, or to run tasks, leaves it instead: somebody who has
 * found it held may have gone to sleep. */
bool gri_poller_take(gri_poller *p);
void gri_poller_give(gri_poller *p);
void gri_poller_leave(gri_poller *p);
/* Sleeps until something is ready, or posted, or somebody wakes it, or until_ns
 * of the monotonic clock (0: does not sleep). True: something is. The holder.
 */
bool gri_poller_wait(gri_poller *p, int64_t until_ns);
/* Tells what is ready, and runs what was posted. The holder. */
void gri_poller_tell(gri_poller *p, struct gri_worker *worker);

/* A look without sleep, if nobody else polls, and nobody has for as long.
 * worker: the calling one, or NULL. */
void gri_poller_look(gri_poller *p, struct gri_worker *worker, int64_t now_ns,
                     int64_t pause_ns);
/* How often somebody who does not sleep looks, at least, if it counts as
 * looking. */
#define GRI_POLL_OFTEN_NS (100 * GRI_NS_PER_US)
/* Whether somebody who is awake looks so often that none has to sleep in it. */
static inline bool gri_poller_is_watched(const gri_poller *p)
{
    /* relaxed: about when. */
    return gri_clock_ns(p->clock) -
               atomic_load_explicit(&p->tried_ns, memory_order_relaxed) <
           GRI_POLL_OFTEN_NS;
}
/* A look at once, if nobody else polls. Any thread that is no worker's, or is
 * in a turn. */
void gri_poller_help(gri_poller *p);

/* Something to do once the turn in hand is over: so that what many messages of
 * a turn have in common is done once. */
typedef struct gri_after gri_after;
struct gri_after {
    gri_after *next; /* the worker's until it runs */
    void (*run)(gri_after *after, struct gri_worker *worker);
};
/* The calling worker, in a turn. Once until it runs. */
void gri_after_turn(struct gri_worker *worker, gri_after *after);
/* Which of its system's it is: below GR_WORKERS_MAX. */
unsigned gri_worker_index(const struct gri_worker *worker);

#endif /* GRI_SCHED_POLLER_H */
