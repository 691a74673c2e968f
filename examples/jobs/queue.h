/*
 * jobs/queue.h - the actor that knows all jobs, gives them out and counts their
 * results, each once.
 *
 * What workers ask it, and what it answers when it can:
 *
 *   ["ready"]                     ["job", run, job]        do this
 *   ["result", run, job, value]   ["kept"]                 forget it
 *
 * A job is in one of four states:
 *
 *   waiting   nobody has it
 *   given     to a worker, until that is lost or its lease is over: then it
 *             waits again; so a job may be done more than once
 *   writing   the first result of it came, and is being written down
 *   done      that is on the disk; it counts, and whoever sent it is told. So
 * is whoever sends another one, which does not count
 *
 * The worker asks until it is told. So a job is done at least once, and counts
 * exactly once, whoever is killed: workers, this queue, or the way between.
 */
#ifndef JOBS_QUEUE_H
#define JOBS_QUEUE_H

#include "journal.h"

/* How the queue is called on its node. */
#define QUEUE_NAME "jobs.queue"

/* Spawn it with gr_args(journal's path, count or 0, lease in milliseconds,
 * owner). When all is done it tells the owner ["done", jobs, sum, given again,
 * results that did not count], and ends. */
extern const gr_behavior queue_behavior;

#endif /* JOBS_QUEUE_H */
