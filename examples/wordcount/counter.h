/*
 * wordcount/counter.h - the actors that count, and the team that runs them.
 *
 * What they and the coordinator say to each other:
 *
 *   counter -> coordinator  ["ready"]                       give me a chunk
 *   coordinator -> counter  ["count", chunk, crash, segments]
 *                           ["bytes", chunk, crash, text]
 *   counter -> coordinator  ["part", chunk, counts]         more comes
 *                           ["done", chunk, counts, bytes, files, failed,
 *                           problems, rests]
 *
 * "done" is "ready", too. chunk is a number; crash says: fail after half of
 * it. segments are as in segment.h, counts as in partial.h. bytes is what was
 * read, files how many of those whose size was not known; failed how many could
 * not be read, and problems names these: varint errno, path, zero byte, and so
 * on. rests are segments of large files, which are given back.
 */
#ifndef WORDCOUNT_COUNTER_H
#define WORDCOUNT_COUNTER_H

#include <greenroom/greenroom.h>

/* Counts of a chunk travel in messages of at most so many bytes: large, as each
 * message wakes threads on either side; but small enough that their memory is
 * used again instead of going back to the system (see keep_memory_flat). */
#define WC_PART_MAX (96u << 10)

/* One team on each node: a supervisor with counters under it. Spawn it with
 * gr_args(coordinator pid, number of counters, distinct words that a chunk may
 * have or 0). */
extern const gr_behavior wc_team;

#endif /* WORDCOUNT_COUNTER_H */
