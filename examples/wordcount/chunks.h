/*
 * wordcount/chunks.h - cuts files into chunks of work.
 *
 * A chunk is a list of segments (path, offset, length): many small files, or a
 * part of a large one. Chunks are large while much work is left, so that few
 * partial results have to be merged, and small towards the end, so that the
 * workers end together. How much is left is known by looking ahead, within a
 * bound, so that memory does not depend on the number of files.
 */
#ifndef WORDCOUNT_CHUNKS_H
#define WORDCOUNT_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "walk.h"

/* The segments are written one behind the other: varint length of the path
 * with its zero byte, path, zero byte, varint offset, varint length. */
typedef struct wc_chunk {
    uint8_t *segments; /* segments_size bytes, from malloc */
    size_t segments_size;
    uint64_t bytes; /* of the files, as the walk found them */
} wc_chunk;

typedef struct wc_segment {
    const char *path; /* borrows from the chunk */
    uint64_t offset;
    uint64_t len; /* WC_TO_END: to the end of the file */
} wc_segment;

typedef struct wc_chunks_opts {
    wc_walk *walk;
    unsigned workers;    /* among which the work is divided */
    uint64_t chunk_size; /* bytes; 0: guided by what is left */
    uint64_t chunk_max;  /* bytes; 0: a default */
} wc_chunks_opts;

typedef struct wc_chunks {
    wc_chunks_opts opts;
    uint8_t *ahead; /* files: varint size, path, zero byte */
    size_t ahead_at, ahead_end, ahead_room;
    uint64_t ahead_cost; /* bytes that lie ahead, and a share for each file */
    uint64_t offset;     /* of the next segment in the first file ahead */
    bool walked;         /* the walk has ended */
    uint64_t files;      /* that the walk gave */
    uint64_t bytes;      /* of these */
} wc_chunks;

/* Keeps opts->walk. */
void wc_chunks_init(wc_chunks *chunks, const wc_chunks_opts *opts);
void wc_chunks_fini(wc_chunks *chunks);

/* Looks ahead by at most files_max files. 1: there may be more to see; 0: the
 * walk has ended, or its bound is reached. Errors: GR_ENOMEM. */
int wc_chunks_look(wc_chunks *chunks, unsigned files_max);

/* 1 and the next chunk, which the caller frees; 0 after the last. Errors:
 * GR_ENOMEM. */
int wc_chunks_next(wc_chunks *chunks, wc_chunk *out);
void wc_chunk_free(wc_chunk *chunk);
/* There will be no more chunks. */
bool wc_chunks_are_out(const wc_chunks *chunks);

/* Reads one segment of [*at, end) and steps over it. Errors: GR_EFORMAT. */
int wc_segment_get(const uint8_t **at, const uint8_t *end, wc_segment *out);

#endif /* WORDCOUNT_CHUNKS_H */
