/*
 * jobs/queue.h - the actor that knows all jobs, gives them out and counts their
 * results, each once.
 *
 * What workers ask it, and what it answers when it can:
 *
 *   ["ready"]                     ["job", run, job]        do this
 *   ["result", run, job, value]   ["kept"]                 forget it
 *
 * A job is in one of five states:
 *
 *   waiting   nobody has it
 *   given     to a worker, until that is lost or its lease is over: then it
 *             waits again; so a job may be done more than once
 *   writing   the first result of it came, and is being written down; or that
 *             it has failed is
 *   done      that is on the disk; it counts, and whoever sent it is told. So
 *             is whoever sends another one, which does not count
 *   failed    likewise: it was given as often as it may be (tries), and each
 *             time its worker was lost or its lease was over
 *
 * The worker asks until it is told. So a job is done at least once, and counts
 * exactly once, whoever is killed: workers, this queue, or the way between.
 *
 * A job that kills whoever has it would be tried for ever. But who is killed
 * may have had other jobs, on the same node, which are innocent. So those that
 * were given in vain are suspects from then on: they come behind all others,
 * and a node has one of them at a time. The one that kills then kills alone: no
 * other is lost with it twice. How often a job was given is not in the journal:
 * a queue that is started again counts anew.
 */
#ifndef JOBS_QUEUE_H
#define JOBS_QUEUE_H

#include "journal.h"

/* How the queue is called on its node. */
#define QUEUE_NAME "jobs.queue"

#define TRIES_MAX 1000u

/* Spawn it with gr_args(journal's path, count or 0, lease in milliseconds,
 * tries from 1 to TRIES_MAX, owner). It tells the owner ["failed", job, tries]
 * of each that it gives up, and when all is done ["done", jobs, sum, given
 * again, results that did not count, jobs that failed]; then it ends. */
extern const gr_behavior queue_behavior;

#endif /* JOBS_QUEUE_H */
