/*
 * process/launcher_client.h - the launcher as its program sees it: what is
 * known of each process, and the talk with the launcher process.
 *
 * Threads: the launcher's own thread, for all but the lock.
 */
#ifndef GRI_PROCESS_LAUNCHER_CLIENT_H
#define GRI_PROCESS_LAUNCHER_CLIENT_H

#include <pthread.h>

#include "process/launcher.h"
#include "process/launcher_remote.h"
#include "process/launcher_wire.h"

typedef enum gri_stage { GRI_FRESH, GRI_ASKED, GRI_RUNNING } gri_stage;

typedef struct gri_managed {
    struct gri_managed *next; /* under lock */
    int64_t kill_at_ns;       /* under lock; GRI_NEVER: not told to end */
    /* Immutable. */
    uint64_t id;
    gri_process_fn *fn;
    void *arg;
    gri_request *request; /* its text begins with the path */
    /* The thread's. */
    gri_stage stage;
    int control; /* -1: none, or sent */
    int pidfd;   /* -1: not running, or we had no descriptor for it */
    pid_t pid;
    bool killed;          /* by us */
    bool seen_dead;       /* since, but the launcher has not said so */
    int64_t answer_by_ns; /* by then the launcher has to say something */
} gri_managed;

typedef struct gri_client {
    gri_launcher base;
    const gri_log *log;
    pthread_t thread;
    int wake; /* an eventfd: something under the lock has changed */
    pthread_mutex_t lock;
    /* Under lock. */
    gri_managed *all; /* oldest first */
    unsigned count;
    uint64_t last_id;
    bool stopping;
    int64_t stop_at_ns;
    /* The thread's: the launcher process. */
    gri_launcher_remote remote;
    bool up;   /* it has said hello */
    bool full; /* the socket takes no more for now */
    int64_t hello_by_ns;
    int64_t heard_ns; /* when it said something last, or was begun */
    int dying; /* the pidfd of an earlier one, which was killed and took its
                  time: still to be reaped; -1: none */
} gri_client;

/* The members under lock are looked at between these. */
void gri_client_lock(gri_client *l);
void gri_client_unlock(gri_client *l);

/* The oldest that is fresh, or NULL. */
gri_managed *gri_client_fresh(gri_client *l);

/* Tells that p was not started, and forgets it; or all that are fresh now. */
void gri_client_fail(gri_client *l, gri_managed *p, int code);
void gri_client_fail_fresh(gri_client *l, int code);

/* Starts the launcher process. Errors: as gri_launcher_begin. */
int gri_client_begin(gri_client *l);

/* Handles all that has come. False: the launcher is gone, or talks nonsense. */
bool gri_client_listen(gri_client *l);

/* Tells the launcher, which is up, to start what is fresh. */
void gri_client_ask_fresh(gri_client *l);

/* Has the launcher kill p, if that can be said now. Needs the lock. */
void gri_client_ask_kill(gri_client *l, gri_managed *p);

/* When p's answer will be late; GRI_NEVER: none is waited for. What comes first
 * goes first: a launcher that says anything works through what it was told. */
int64_t gri_client_late_at(const gri_client *l, const gri_managed *p);

/* That moment has come. True: the launcher hangs; false: it cannot help it. */
bool gri_client_is_hung(gri_managed *p);

/* The launcher process is gone, or has to be killed, as it hangs. All of its
 * processes go with it. */
void gri_client_lose(gri_client *l, bool hangs);

/* Reaps who is dying, if he is dead now. */
void gri_client_reap(gri_client *l);

#endif /* GRI_PROCESS_LAUNCHER_CLIENT_H */
