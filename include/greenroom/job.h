/*
 * greenroom/job.h - jobs: functions that block or take long, run by a pool of
 * threads beside the workers, that answer the actor that asked for them.
 *
 *     static int resolve(gr_job *job, const gr_msg *args)
 *     {
 *         const char *address;
 *         gr_str host;
 *         if (!gr_unpack(args, &host)) {
 *             return GR_EINVAL;
 *         }
 *         ... blocks ...
 *         return gr_job_return(job, "address", address);
 *     }
 *     static const gr_job_kind resolver = {.name = "resolve", .run = resolve};
 *
 *     gr_ask_job(self, &resolver, 5000, gr_then(on_address, 0), host)
 *
 * There are two lanes, each with threads and a queue of its own, so that what
 * holds a thread for long never stands before what is done in a moment: choose
 * by how long a job may take, not by what it does in that time.
 *
 * A job is not an actor: it has no pid and no mailbox, and sends nothing but
 * its answer. A fault in it (SIGSEGV, abort() ...) ends the process.
 */
#ifndef GREENROOM_JOB_H
#define GREENROOM_JOB_H

#include <greenroom/actor.h>

GR_BEGIN_DECLS

typedef struct gr_job
    gr_job; /* one job, as the function that does it sees it */

typedef enum gr_job_lane {
    GR_JOB_SHORT = 0, /* done in a moment: a look-up, a small file */
    GR_JOB_LONG       /* may take seconds: a copy, a slow library, a wait */
} gr_job_lane;

#define GR_JOB_LANES 2

/* Does a job, on a thread of the pool. Returns 0 after a gr_job_return, or an
 * error, which is the answer then. */
typedef int gr_job_fn(gr_job *job, const gr_msg *args);

/* What kind of job: a constant that outlives every system that uses it. Members
 * may be appended in later versions: use designated initialisers. */
typedef struct gr_job_kind {
    const char *name; /* required: how the log calls it */
    gr_job_fn *run;   /* required */
    gr_job_lane lane;
} gr_job_kind;

/* Of a lane: see gr_system_opts.jobs. */
typedef struct gr_job_limits {
    uint32_t threads; /* 0: GR_JOB_THREADS_DEFAULT */
    uint32_t queue;   /* jobs that wait for one of them; 0:
                         GR_JOB_QUEUE_DEFAULT */
} gr_job_limits;

#define GR_JOB_THREADS_DEFAULT 8u
#define GR_JOB_THREADS_MAX     4096u
#define GR_JOB_QUEUE_DEFAULT   1000u

/* ---- asking for one ----------------------------------------------------- */

/*
 * gr_ask_job(self, kind, timeout_ms, gr_then(fn, token), values...): has a job
 * done for a handler actor, which goes on with other messages meanwhile. The
 * values (there may be none) are the job's arguments. fn is called once, as
 * that of gr_ask: with what the job returned; or with a status: the error of
 * its function, GR_ENOREPLY (it returned 0 and nothing else), GR_ETIMEOUT,
 * GR_ESTOPPED (the system stopped before it began).
 *
 * A job that nobody waits for any more, as the time is over or its actor has
 * ended, is taken out of the queue; one that has begun goes on, and its answer
 * is a late one.
 *
 * Owns:    as gr_send: borrows everything, but takes on 0 what gr_move names.
 * Errors:  GR_EAGAIN (as many wait as the lane's queue may hold), GR_EINVAL (a
 *          kind without a name or function; no fn; timeout not above 0 nor
 *          GR_FOREVER; a bad value), GR_ELIMIT (asks_max open asks; nested
 *          deeper than GR_DEPTH_MAX), GR_ETOOBIG, GR_ENOMEM, GR_EIO (no
 *          thread), GR_ESTOPPED (the pool has stopped), GR_ENOTSUP (self is a
 *          thread actor: gr_call_job).
 */
GR_API GR_MUST_CHECK int gr_ask_jobv(gr_actor *self, const gr_job_kind *kind,
                                     int64_t timeout_ms, gr_continuation then,
                                     const gr_value *values, uint32_t n);
/*
 * gr_call_job(self, kind, timeout_ms, gr_expect(tag, outputs...), values...):
 * the same from a thread actor, which waits, as in gr_call. Owns: likewise.
 * Errors: as gr_ask_job and its statuses; GR_EREPLY (the answer is another
 * one), GR_ENOTSUP (self is not a thread actor).
 */
GR_API GR_MUST_CHECK int gr_call_jobv(gr_actor *self, const gr_job_kind *kind,
                                      int64_t timeout_ms, gr_pattern expect,
                                      const gr_value *values, uint32_t n);

/* ---- what a job can do -------------------------------------------------- */

/*
 * gr_job_return(job, tag, values...): the answer, which is sent when the job's
 * function returns 0. Once. Owns: as gr_send; gr_move names blobs of
 * gr_job_blob_new. Errors: GR_EINVAL (it has one; a bad value), GR_ETOOBIG,
 * GR_ELIMIT (nested deeper than GR_DEPTH_MAX), GR_ENOMEM. Threads: the job's
 * own, as for all that takes a gr_job.
 */
GR_API GR_MUST_CHECK int gr_job_returnv(gr_job *job, const gr_value *values,
                                        uint32_t n);
/* An error as the answer, as by gr_reply_error. text may be NULL. Errors:
 * GR_EINVAL (it has an answer; code is not negative), GR_ENOMEM, GR_ETOOBIG. */
GR_API GR_MUST_CHECK int gr_job_return_error(gr_job *job, int code,
                                             const char *text);
/* Whether nobody waits for the answer any more: then the function may as well
 * return. */
GR_API bool gr_job_cancelled(const gr_job *job);
/* A blob that gr_job_return may move; else it is freed with the job. NULL: no
 * memory. See gr_blob_new. */
GR_API GR_MUST_CHECK gr_blob *gr_job_blob_new(gr_job *job, size_t size);

/* ---- what a lane counts ------------------------------------------------- */

/* accepted = ended + removed + waiting + running. */
typedef struct gr_job_stats {
    uint64_t accepted; /* by gr_ask_job and gr_call_job */
    uint64_t refused;  /* GR_EAGAIN; not in accepted */
    uint64_t ended;    /* their function has returned */
    uint64_t failed;   /* of these: with an error, or without an answer */
    uint64_t late;     /* of these: nobody waited for them any more */
    uint64_t removed;  /* before they began: likewise, or the system stopped */
    uint32_t waiting;
    uint32_t running;
    uint32_t threads;
} gr_job_stats;

/* Errors: GR_EINVAL (no such lane). Threads: any. */
GR_API GR_MUST_CHECK int gr_job_inspect(gr_system *sys, gr_job_lane lane,
                                        gr_job_stats *out);

GR_END_DECLS

#include <greenroom/detail/jobs.h> /* gr_ask_job, ... as macros */

#endif /* GREENROOM_JOB_H */
