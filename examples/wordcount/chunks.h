/*
 * wordcount/chunks.h - cuts files into chunks of work.
 *
 * A chunk is a list of segments: many small files, or a part of a large one.
 * Chunks are large while much work is left, so that few partial results have to
 * be merged, and small towards the end, so that the workers end together. How
 * much is left is known by looking ahead, within a bound, so that memory does
 * not depend on the number of files.
 *
 * To ask the system for the size of each file costs a tenth of counting it. So
 * the walk may leave that out: then files go out whole, the time that they take
 * is guessed from those that are done, and whoever finds a large one counts its
 * beginning and gives the rest back (wc_chunks_add).
 */
#ifndef WORDCOUNT_CHUNKS_H
#define WORDCOUNT_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "segment.h"
#include "walk.h"

/* What is counted at least of a file whose size nobody asked for. */
#define WC_BEGINNING ((uint64_t)4 << 20)

typedef struct wc_chunk {
    wc_buffer segments;
    uint64_t bytes; /* of those whose size is known */
} wc_chunk;

typedef struct wc_chunks_opts {
    wc_walk *walk;
    bool no_sizes;       /* as the walk was told */
    unsigned workers;    /* among which the work is divided */
    uint64_t chunk_size; /* bytes; 0: guided by what is left */
    uint64_t chunk_max;  /* bytes; 0: a default */
} wc_chunks_opts;

typedef struct wc_chunks {
    wc_chunks_opts opts;
    wc_buffer ahead;      /* segments: files, and rests of files */
    wc_buffer ahead_last; /* the path of the last one */
    size_t ahead_at;      /* where those begin that were not read yet */
    wc_segment front;     /* what is left of the one that was read last */
    wc_buffer front_path;
    bool has_front;
    wc_buffer chunk_last; /* the path of the last segment of a chunk */
    uint64_t ahead_cost;  /* of the known sizes ahead, a share for each file */
    uint64_t ahead_files; /* of unknown size */
    bool walked;          /* the walk has ended */
    uint64_t files;       /* that the walk gave */
    uint64_t done_files, done_bytes; /* of unknown size, by wc_chunks_learn */
} wc_chunks;

/* Keeps opts->walk. */
void wc_chunks_init(wc_chunks *chunks, const wc_chunks_opts *opts);
void wc_chunks_fini(wc_chunks *chunks);

/* Looks ahead by at most files_max files. 1: there may be more to see; 0: the
 * walk has ended, or its bound is reached. Errors: GR_ENOMEM. */
int wc_chunks_look(wc_chunks *chunks, unsigned files_max);

/* 1 and the next chunk, which the caller frees; 0: there is none. Errors:
 * GR_ENOMEM. */
int wc_chunks_next(wc_chunks *chunks, wc_chunk *out);
void wc_chunk_free(wc_chunk *chunk);
/* There are no more chunks, unless a rest is given back. */
bool wc_chunks_are_out(const wc_chunks *chunks);

/* Gives back the rest of a file. Errors: GR_ENOMEM. */
int wc_chunks_add(wc_chunks *chunks, const wc_segment *rest);
/* So many files, of sizes that were not known, had so many bytes. */
void wc_chunks_learn(wc_chunks *chunks, uint64_t files, uint64_t bytes);

#endif /* WORDCOUNT_CHUNKS_H */
