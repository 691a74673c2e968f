/* wordcount/chunks.c - a queue of segments ahead, and chunks cut from its
 * front. */
#include "chunks.h"

#include <string.h>

#include "error.h"

/* What the queue ahead may take, in bytes of segments. Ten thousand paths or
 * so: a walk that goes on while the workers count never starves them, and most
 * of it is done while the nodes start. */
#define AHEAD_MAX (256u << 10)
/* Files that a chunk needs are looked for in steps of this many. */
#define LOOK_STEP 64u
/* What opening and closing a file takes, in bytes that are scanned meanwhile:
 * some 3 us at 1.5 GB/s. */
#define FILE_COST (4u << 10)
/* How many bytes a file has until the first ones are done. */
#define FILE_GUESS (8u << 10)
/* Bounds of a guided chunk, in bytes. Below the lower one, which is larger
 * while more may be found, a message costs more than it balances; above the
 * upper one nothing is saved any more. */
#define CHUNK_MIN         ((uint64_t)512 << 10)
#define CHUNK_MIN_EARLY   ((uint64_t)2 << 20)
#define CHUNK_MAX_DEFAULT ((uint64_t)8 << 20)
/* Each worker gets about this many chunks of what is left. */
#define SHARES 2u
/* Paths of one chunk, in bytes, so that its message stays small. */
#define SEGMENTS_MAX (128u << 10)
/* What they take most often: taken at once, as a block that grows among others
 * leaves holes. */
#define SEGMENTS_USUAL (32u << 10)

void wc_chunks_init(wc_chunks *chunks, const wc_chunks_opts *opts)
{
    *chunks = (wc_chunks){.opts = *opts};
    if (chunks->opts.chunk_max == 0) {
        chunks->opts.chunk_max = CHUNK_MAX_DEFAULT;
    }
    if (chunks->opts.workers == 0) {
        chunks->opts.workers = 1;
    }
}

void wc_chunks_fini(wc_chunks *chunks)
{
    wc_buffer_fini(&chunks->ahead);
    wc_buffer_fini(&chunks->ahead_last);
    wc_buffer_fini(&chunks->front_path);
    wc_buffer_fini(&chunks->chunk_last);
    *chunks = (wc_chunks){0};
}

/* ---- the queue ---------------------------------------------------------- */

static bool is_empty(const wc_chunks *chunks)
{
    return !chunks->has_front && chunks->ahead_at == chunks->ahead.size;
}

static int push(wc_chunks *chunks, const wc_segment *segment)
{
    wc_buffer *ahead = &chunks->ahead;
    /* Moves what is left to the front, some times for each byte: the queue
     * never takes much more memory than it may hold. */
    const size_t taken = chunks->ahead_at;
    if (taken > AHEAD_MAX / 8 || (taken > 0 && taken == ahead->size)) {
        ahead->size -= chunks->ahead_at;
        memmove(ahead->bytes, ahead->bytes + chunks->ahead_at, ahead->size);
        chunks->ahead_at = 0;
    }
    const int rc = wc_segment_put(ahead, &chunks->ahead_last, segment);
    if (rc == 0 && segment->len == WC_TO_END) {
        chunks->ahead_files++;
    } else if (rc == 0) {
        chunks->ahead_cost += segment->len + FILE_COST;
    }
    return rc;
}

int wc_chunks_add(wc_chunks *chunks, const wc_segment *rest)
{
    return push(chunks, rest);
}

int wc_chunks_look(wc_chunks *chunks, unsigned files_max)
{
    wc_file file;
    for (unsigned i = 0; i < files_max; i++) {
        if (chunks->walked ||
            chunks->ahead.size - chunks->ahead_at >= AHEAD_MAX) {
            return 0;
        }
        int rc = wc_walk_next(chunks->opts.walk, &file);
        if (rc > 0) {
            /* A file of size 0 may be one of those whose size the system does
             * not tell (in /proc), so it is read to its end. */
            const bool unknown = chunks->opts.no_sizes || file.size == 0;
            chunks->files++;
            rc = push(chunks,
                      &(wc_segment){.path = file.path,
                                    .len = unknown ? WC_TO_END : file.size});
        } else if (rc == 0) {
            chunks->walked = true;
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 1;
}

/* ---- chunks ------------------------------------------------------------- */

void wc_chunks_learn(wc_chunks *chunks, uint64_t files, uint64_t bytes)
{
    chunks->done_files += files;
    chunks->done_bytes += bytes;
}

/* What a file costs whose size is not known, in bytes. */
static uint64_t guess(const wc_chunks *chunks)
{
    /* As if the first guess were the experience with some files. */
    return FILE_COST + (chunks->done_bytes + (uint64_t)LOOK_STEP * FILE_GUESS) /
                           (chunks->done_files + LOOK_STEP);
}

/* How large the next chunk is to be, in bytes and shares for files. */
static uint64_t target(const wc_chunks *chunks)
{
    if (chunks->opts.chunk_size > 0) {
        return chunks->opts.chunk_size;
    }
    const uint64_t left =
        chunks->ahead_cost + chunks->ahead_files * guess(chunks);
    const uint64_t share = left / ((uint64_t)SHARES * chunks->opts.workers);
    const uint64_t min = chunks->walked ? CHUNK_MIN : CHUNK_MIN_EARLY;
    const uint64_t wanted = share < min ? min : share;
    return wanted < chunks->opts.chunk_max ? wanted : chunks->opts.chunk_max;
}

/* Reads the next segment ahead, if none is at hand. */
static int need_front(wc_chunks *chunks)
{
    if (chunks->has_front) {
        return 0;
    }
    const uint8_t *from = chunks->ahead.bytes + chunks->ahead_at;
    const uint8_t *at = from;
    GR_TRY(wc_segment_get(&at, chunks->ahead.bytes + chunks->ahead.size,
                          &chunks->front_path, &chunks->front));
    chunks->ahead_at += (size_t)(at - from);
    chunks->has_front = true;
    return 0;
}

/* Moves the first segment ahead, or as much of it as `left` allows, into the
 * chunk. */
static int move(wc_chunks *chunks, wc_chunk *chunk, uint64_t left,
                uint64_t *cost)
{
    GR_TRY(need_front(chunks));
    wc_segment *front = &chunks->front;
    wc_segment part = *front;
    bool whole = true;
    if (part.len == WC_TO_END) {
        *cost = guess(chunks);
    } else {
        /* With a guided size, a rest that is only a little too large comes
         * along: no chunk should be a few bytes long. */
        const uint64_t slack = chunks->opts.chunk_size > 0 ? 0 : CHUNK_MIN / 2;
        whole = part.len <= left + slack;
        part.len = whole ? part.len : left;
        *cost = part.len + (whole ? FILE_COST : 0);
    }
    GR_TRY(wc_segment_put(&chunk->segments, &chunks->chunk_last, &part));
    if (part.len == WC_TO_END) {
        chunks->ahead_files--;
    } else {
        chunk->bytes += part.len;
        chunks->ahead_cost -= *cost;
        front->offset += part.len;
        front->len -= part.len;
    }
    chunks->has_front = !whole;
    return 0;
}

int wc_chunks_next(wc_chunks *chunks, wc_chunk *out)
{
    wc_chunk chunk = {0};
    uint64_t cost = 0;
    int rc = wc_chunks_look(chunks, LOOK_STEP);
    const uint64_t wanted = target(chunks);
    chunks->chunk_last.size = 0;
    if (rc >= 0) {
        rc = wc_buffer_reserve(&chunk.segments, SEGMENTS_USUAL);
    }
    while (rc >= 0 && cost < wanted && chunk.segments.size < SEGMENTS_MAX) {
        uint64_t moved;
        if (is_empty(chunks)) {
            if (chunks->walked) {
                break;
            }
            rc = wc_chunks_look(chunks, LOOK_STEP);
            continue;
        }
        rc = move(chunks, &chunk, wanted - cost, &moved);
        cost += rc < 0 ? 0 : moved;
    }
    /* So that wc_chunks_are_out knows of the last one. */
    if (rc >= 0 && is_empty(chunks)) {
        rc = wc_chunks_look(chunks, LOOK_STEP);
    }
    if (rc < 0 || chunk.segments.size == 0) {
        wc_chunk_free(&chunk);
        return rc < 0 ? rc : 0;
    }
    *out = chunk;
    return 1;
}

bool wc_chunks_are_out(const wc_chunks *chunks)
{
    return chunks->walked && is_empty(chunks);
}

void wc_chunk_free(wc_chunk *chunk)
{
    wc_buffer_fini(&chunk->segments);
    chunk->bytes = 0;
}
