/* wordcount/chunks.c - a queue of segments ahead, and chunks cut from its
 * front. */
#include "chunks.h"

#include <string.h>

#include "error.h"

/* What the queue ahead may take, in bytes of segments. Some thousands of paths:
 * a walk that goes on while the workers count never starves them. */
#define AHEAD_MAX (1u << 20)
/* Files that a chunk needs are looked for in steps of this many. */
#define LOOK_STEP 64u
/* What opening and closing a file takes, in bytes that are scanned meanwhile:
 * some 3 us at 1.5 GB/s. */
#define FILE_COST (4u << 10)
/* How many bytes a file has until the first ones are done. */
#define FILE_GUESS (8u << 10)
/* Bounds of a guided chunk, in bytes. Below the lower one a message costs more
 * than it balances; above the upper one nothing is saved any more. */
#define CHUNK_MIN         ((uint64_t)1 << 20)
#define CHUNK_MIN_EARLY   ((uint64_t)2 << 20)
#define CHUNK_MAX_DEFAULT ((uint64_t)16 << 20)
/* Each worker gets about this many chunks of what is left. */
#define SHARES 2u
/* Paths of one chunk, in bytes, so that its message stays small. */
#define SEGMENTS_MAX (512u << 10)
/* What they take most often: taken at once, as a block that grows among others
 * leaves holes. */
#define SEGMENTS_USUAL (64u << 10)

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
    *chunks = (wc_chunks){0};
}

/* ---- the queue ---------------------------------------------------------- */

static bool is_empty(const wc_chunks *chunks)
{
    return chunks->ahead_at == chunks->ahead.size;
}

static int push(wc_chunks *chunks, const wc_segment *segment)
{
    wc_buffer *ahead = &chunks->ahead;
    /* Moves what is left to the front, where that is as much as was taken: so
     * each byte is moved once at most. */
    if (chunks->ahead_at > ahead->size / 2) {
        ahead->size -= chunks->ahead_at;
        memmove(ahead->bytes, ahead->bytes + chunks->ahead_at, ahead->size);
        chunks->ahead_at = 0;
    }
    const int rc = wc_segment_put(ahead, segment);
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

/* Moves the first segment ahead, or as much of it as `left` allows, into the
 * chunk. */
static int move(wc_chunks *chunks, wc_chunk *chunk, uint64_t left,
                uint64_t *cost)
{
    const uint8_t *from = chunks->ahead.bytes + chunks->ahead_at;
    const uint8_t *at = from;
    wc_segment segment;
    int rc =
        wc_segment_get(&at, chunks->ahead.bytes + chunks->ahead.size, &segment);
    if (rc < 0) {
        return rc;
    }
    bool whole = true;
    if (segment.len == WC_TO_END) {
        *cost = guess(chunks);
    } else {
        /* With a guided size, a rest that is only a little too large comes
         * along: no chunk should be a few bytes long. */
        const uint64_t slack = chunks->opts.chunk_size > 0 ? 0 : CHUNK_MIN / 2;
        segment.offset += chunks->taken;
        segment.len -= chunks->taken;
        whole = segment.len <= left + slack;
        segment.len = whole ? segment.len : left;
        chunk->bytes += segment.len;
        *cost = segment.len + (whole ? FILE_COST : 0);
        chunks->ahead_cost -= *cost;
        chunks->taken = whole ? 0 : chunks->taken + segment.len;
    }
    rc = wc_segment_put(&chunk->segments, &segment);
    if (whole) {
        chunks->ahead_files -= segment.len == WC_TO_END;
        chunks->ahead_at += (size_t)(at - from);
    }
    return rc;
}

int wc_chunks_next(wc_chunks *chunks, wc_chunk *out)
{
    wc_chunk chunk = {0};
    uint64_t cost = 0;
    int rc = wc_chunks_look(chunks, LOOK_STEP);
    const uint64_t wanted = target(chunks);
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
