/*
 * actors/jobs.h - the pool of threads that runs jobs.
 *
 * A lane is a queue and its threads, under one lock that only those take who
 * ask for jobs, do them, or give them up: no message passes it. A thread is
 * started when a job finds none free, and ends when it has had nothing to do
 * for a while. In deterministic mode there are no threads: a job that begins
 * gets a timer at a time that the seed chooses, and its function is called when
 * that fires; so the limits hold there, too.
 *
 * A job has two holders: who asked, until the answer came or is not wanted any
 * more, and the lane, until its function has returned. Who lets go last frees
 * it. The answer is an ordinary reply to a question of its actor.
 */
#ifndef GRI_ACTORS_JOBS_H
#define GRI_ACTORS_JOBS_H

#include <greenroom/job.h>

#include "actors/internal.h"

typedef struct gri_jobs gri_jobs;
typedef struct gri_lane_thread gri_lane_thread;

typedef enum gri_job_state {
    GRI_JOB_WAITS = 0, /* in the queue */
    GRI_JOB_RUNS,      /* out of it */
    GRI_JOB_ENDED      /* only who asked knows it still */
} gri_job_state;

/* The threads and the jobs of a lane. */
typedef struct gri_job_row {
    gri_jobs *jobs; /* constant, as the next two */
    uint32_t threads_max, queue_max;
    int64_t idle_ns; /* constant but for tests: then a thread ends */
    pthread_mutex_t lock;

    /* Under lock. */
    pthread_cond_t more; /* there is a job, or the end */
    pthread_cond_t less; /* a thread has ended */
    gr_job *first, *last;
    gr_job *running;        /* a list, for gri_jobs_stop */
    gri_lane_thread *ended; /* the last one that did; to be joined */
    gr_job_stats stats;     /* all but refused jobs count, see job.h */
    uint32_t idle;          /* threads that wait for a job */
    bool closing;           /* no job begins any more */
    bool abandoned;         /* nor is a thread joined that ends */
} gri_job_row;

struct gri_jobs {
    gr_system *sys;
    _Atomic(uint32_t) names; /* of threads: the last number given */
    gri_job_row row[GR_JOB_LANES];
};

struct gr_job {
    /* Constant. */
    gri_job_row *row;
    const gr_job_kind *kind;
    const gr_behavior *behavior; /* of who asked; NULL: a thread */
    gr_pid from;
    uint64_t ref;

    /* Under the row's lock. */
    gr_job *next, *before; /* in the queue, or among the running */
    gri_job_state state;
    bool held; /* by who asked */
    int64_t begun_ns;

    _Atomic(bool) unwanted; /* set under the lock, read by the function */

    /* Who has it out of the queue. */
    gri_ctx *ctx;
    gr_msg *args;
    gr_msg *answer;  /* by gr_job_return */
    gr_msg *status;  /* made beforehand: there is always an answer */
    gri_ext own;     /* its blobs */
    gri_timer timer; /* deterministic mode */
};

/* ---- jobs.c: asking ----------------------------------------------------- */

/* Puts a job into its lane, for self, who will get the answer to ref, and holds
 * *out. Errors: as gr_ask_job. */
int gri_job_give(gr_actor *self, const gr_job_kind *kind, uint64_t ref,
                 const gr_value *values, uint32_t n, gr_job **out);
/* Who asked lets go of it: the answer came, or is not wanted any more. */
void gri_job_let_go(gri_ctx *ctx, gr_job *job);
/* Frees one that nobody holds. */
void gri_job_free(gri_ctx *ctx, gr_job *job);
/* Does one that is out of the queue, and answers. */
void gri_job_do(gri_ctx *ctx, gr_job *job);
/* Sends the answer to who asked, who is here. */
void gri_job_answer(gri_ctx *ctx, gr_pid to, gr_msg *answer);
/* Deterministic mode: the job's time has come. */
void gri_job_fired(gri_ctx *ctx, gr_job *job);

/* The first of the queue begins; NULL: it is empty. Under the row's lock. */
gr_job *gri_job_begin(gri_job_row *row);
/* Takes it out of the list that it stands in. Under the row's lock. */
void gri_job_unlink(gri_job_row *row, gr_job *job);

/* ---- job_threads.c ------------------------------------------------------ */

/* Puts the defaults in. False: one makes no sense. */
bool gri_jobs_fill_opts(gr_system_opts *opts);
/* Errors: GR_ENOMEM. */
int gri_jobs_init(gr_system *sys);
/* After the last actor has ended: what waits is given up, and what runs may
 * take until deadline_ns. False: some still does, and is named in the log. */
bool gri_jobs_stop(gr_system *sys, int64_t deadline_ns);
/* After gri_jobs_stop was true, or nothing ran. */
void gri_jobs_fini(gr_system *sys);
/* A job has come: wakes a thread, or starts one. Under the row's lock. Errors:
 * GR_EIO: there is no thread at all. */
int gri_job_start_thread(gri_job_row *row);

#endif /* GRI_ACTORS_JOBS_H */
