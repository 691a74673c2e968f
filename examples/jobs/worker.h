/*
 * jobs/worker.h - actors that do jobs, one after the other, for whichever run
 * of the queue there is.
 *
 *   owner -> worker   ["queue", pid]   from now on this one
 *
 * and what is said in queue.h. A worker keeps its result until the queue has
 * told it that it is kept: when the queue, or the way to it, is lost, it sends
 * the result again to the next one.
 */
#ifndef JOBS_WORKER_H
#define JOBS_WORKER_H

#include <greenroom/greenroom.h>

/* The group that all workers of a node are in. */
#define WORKERS_GROUP "jobs.workers"

/* Starts n workers under a supervisor. Each one that starts, for the first time
 * or again, sends the caller ["worker"]. poison: a job of which this whole
 * process dies when one of them has it, as by a fault that nothing contains; 0:
 * none. */
int workers_start(gr_actor *self, unsigned n, uint32_t poison);

#endif /* JOBS_WORKER_H */
