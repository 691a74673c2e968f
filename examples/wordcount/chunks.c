/* wordcount/chunks.c - a queue of files ahead, and chunks cut from its front.
 */
#include "chunks.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "scan.h"
#include "varint.h"

/* What the queue of files ahead may take, in bytes of records. Some thousands
 * of paths: a walk that goes on while the workers count never starves them. */
#define AHEAD_MAX (256u << 10)
/* Files that a chunk needs are looked for in steps of this many. */
#define LOOK_STEP 64u
/* What opening and closing a file takes, in bytes that are scanned meanwhile:
 * some 3 us at 1.5 GB/s. */
#define FILE_COST (4u << 10)
/* Bounds of a guided chunk, in bytes. Below the lower one a message costs more
 * than it balances; above the upper one nothing is saved any more. */
#define CHUNK_MIN         ((uint64_t)1 << 20)
#define CHUNK_MIN_EARLY   ((uint64_t)2 << 20) /* while more may be found */
#define CHUNK_MAX_DEFAULT ((uint64_t)16 << 20)
/* Each worker gets about this many chunks of what is left. */
#define SHARES 2u
/* Paths of one chunk, in bytes, so that its message stays small. */
#define SEGMENTS_MAX (512u << 10)

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
    free(chunks->ahead);
    *chunks = (wc_chunks){0};
}

/* ---- the queue of files ------------------------------------------------- */

static int make_room(wc_chunks *chunks, size_t len)
{
    if (chunks->ahead_room - chunks->ahead_end >= len) {
        return 0;
    }
    const size_t used = chunks->ahead_end - chunks->ahead_at;
    if (used > 0) {
        memmove(chunks->ahead, chunks->ahead + chunks->ahead_at, used);
    }
    chunks->ahead_at = 0;
    chunks->ahead_end = used;
    if (chunks->ahead_room - used >= len) {
        return 0;
    }
    const size_t room = used + len + AHEAD_MAX;
    uint8_t *ahead = realloc(chunks->ahead, room);
    if (ahead == NULL) {
        return GR_ENOMEM;
    }
    chunks->ahead = ahead;
    chunks->ahead_room = room;
    return 0;
}

static int push_file(wc_chunks *chunks, const wc_file *file)
{
    const size_t path_size = strlen(file->path) + 1;
    const int rc = make_room(chunks, WC_VARINT_MAX + path_size);
    if (rc < 0) {
        return rc;
    }
    uint8_t *to = wc_varint_put(chunks->ahead + chunks->ahead_end, file->size);
    memcpy(to, file->path, path_size);
    chunks->ahead_end = (size_t)(to - chunks->ahead) + path_size;
    chunks->ahead_cost += file->size + FILE_COST;
    chunks->files++;
    chunks->bytes += file->size;
    return 0;
}

int wc_chunks_look(wc_chunks *chunks, unsigned files_max)
{
    wc_file file;
    for (unsigned i = 0; i < files_max; i++) {
        if (chunks->walked ||
            chunks->ahead_end - chunks->ahead_at >= AHEAD_MAX) {
            return 0;
        }
        int rc = wc_walk_next(chunks->opts.walk, &file);
        if (rc > 0) {
            rc = push_file(chunks, &file);
        } else if (rc == 0) {
            chunks->walked = true;
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 1;
}

/* The first file ahead. False when there is none. */
static bool first_file(const wc_chunks *chunks, const char **path,
                       uint64_t *size, size_t *record)
{
    const uint8_t *at = chunks->ahead + chunks->ahead_at;
    const uint8_t *end = chunks->ahead + chunks->ahead_end;
    if (chunks->ahead_at == chunks->ahead_end ||
        !wc_varint_get(&at, end, size)) {
        return false;
    }
    *path = (const char *)at;
    *record =
        (size_t)(at - (chunks->ahead + chunks->ahead_at)) + strlen(*path) + 1;
    return true;
}

/* ---- chunks ------------------------------------------------------------- */

/* How large the next chunk is to be, in bytes and shares for files. */
static uint64_t target(const wc_chunks *chunks)
{
    if (chunks->opts.chunk_size > 0) {
        return chunks->opts.chunk_size;
    }
    const uint64_t share =
        chunks->ahead_cost / ((uint64_t)SHARES * chunks->opts.workers);
    const uint64_t min = chunks->walked ? CHUNK_MIN : CHUNK_MIN_EARLY;
    const uint64_t wanted = share < min ? min : share;
    return wanted < chunks->opts.chunk_max ? wanted : chunks->opts.chunk_max;
}

static int append_segment(wc_chunk *chunk, size_t *room, const wc_segment *seg)
{
    const size_t path_size = strlen(seg->path) + 1;
    const size_t most =
        chunk->segments_size + path_size + (size_t)3 * WC_VARINT_MAX;
    if (most > *room) {
        uint8_t *segments = realloc(chunk->segments, 2 * most);
        if (segments == NULL) {
            return GR_ENOMEM;
        }
        chunk->segments = segments;
        *room = 2 * most;
    }
    uint8_t *to =
        wc_varint_put(chunk->segments + chunk->segments_size, path_size);
    memcpy(to, seg->path, path_size);
    to = wc_varint_put(to + path_size, seg->offset);
    to = wc_varint_put(to, seg->len);
    chunk->segments_size = (size_t)(to - chunk->segments);
    return 0;
}

/*
 * Moves the first file ahead, or as much of it as `left` allows, into the
 * chunk. A file of size 0 may be one of those whose size the system does not
 * tell (in /proc), so it is read to its end.
 */
static int move_file(wc_chunks *chunks, wc_chunk *chunk, size_t *room,
                     uint64_t left, uint64_t *cost)
{
    wc_segment seg = {.offset = chunks->offset};
    uint64_t size;
    size_t record;
    if (!first_file(chunks, &seg.path, &size, &record)) {
        return GR_EFORMAT;
    }
    const uint64_t rest = size - chunks->offset;
    /* With a guided size, a rest that is only a little too large comes along:
     * no chunk should be a few bytes long. */
    const uint64_t slack = chunks->opts.chunk_size > 0 ? 0 : CHUNK_MIN / 2;
    const bool whole = rest <= left + slack;
    seg.len = whole ? rest : left;
    chunk->bytes += seg.len;
    *cost = seg.len + (whole ? FILE_COST : 0);
    chunks->ahead_cost -= *cost;
    if (size == 0) {
        seg.len = WC_TO_END;
    }
    const int rc = append_segment(chunk, room, &seg);
    if (rc < 0) {
        return rc;
    }
    if (whole) {
        chunks->ahead_at += record;
        chunks->offset = 0;
    } else {
        chunks->offset += seg.len;
    }
    return 0;
}

int wc_chunks_next(wc_chunks *chunks, wc_chunk *out)
{
    wc_chunk chunk = {0};
    size_t room = 0;
    uint64_t cost = 0;
    int rc = wc_chunks_look(chunks, LOOK_STEP);
    const uint64_t wanted = target(chunks);
    while (rc >= 0 && cost < wanted && chunk.segments_size < SEGMENTS_MAX) {
        uint64_t moved;
        if (chunks->ahead_at == chunks->ahead_end) {
            if (chunks->walked) {
                break;
            }
            rc = wc_chunks_look(chunks, LOOK_STEP);
            continue;
        }
        rc = move_file(chunks, &chunk, &room, wanted - cost, &moved);
        cost += rc < 0 ? 0 : moved;
    }
    /* So that wc_chunks_are_out knows of the last one. */
    if (rc >= 0 && chunks->ahead_at == chunks->ahead_end) {
        rc = wc_chunks_look(chunks, LOOK_STEP);
    }
    if (rc < 0) {
        wc_chunk_free(&chunk);
        return rc;
    }
    *out = chunk;
    return chunk.segments_size > 0;
}

bool wc_chunks_are_out(const wc_chunks *chunks)
{
    return chunks->walked && chunks->ahead_at == chunks->ahead_end;
}

void wc_chunk_free(wc_chunk *chunk)
{
    free(chunk->segments);
    *chunk = (wc_chunk){0};
}

int wc_segment_get(const uint8_t **at, const uint8_t *end, wc_segment *out)
{
    const uint8_t *p = *at;
    uint64_t path_size;
    if (!wc_varint_get(&p, end, &path_size) || path_size == 0 ||
        path_size > (size_t)(end - p) || p[path_size - 1] != '\0') {
        return GR_EFORMAT;
    }
    const uint8_t *path = p;
    p += path_size;
    if (!wc_varint_get(&p, end, &out->offset) ||
        !wc_varint_get(&p, end, &out->len)) {
        return GR_EFORMAT;
    }
    out->path = (const char *)path;
    *at = p;
    return 0;
}
