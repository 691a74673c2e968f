/*
 * wordcount/counter.c - an actor that counts one chunk after the other.
 *
 * It works in short turns, each ended by a message to itself, so that a slow
 * disk never keeps its worker from timers, heartbeats and other actors. A
 * counter goes through these states:
 *
 *   waiting   no chunk; it has said "ready" or "done"
 *   counting  a chunk is kept; "go" does the next piece
 *   sending   all is counted; "go" writes the counts and sends them in parts,
 *             later when the way to the coordinator is full
 *
 * One more chunk may come while it is busy: it is kept for later.
 *
 * What is counted belongs to the chunk at hand and to nothing else: whatever
 * ends the actor, the coordinator has either all of a chunk's counts or none.
 */
#include "counter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chunks.h"
#include "error.h"
#include "partial.h"
#include "scan.h"
#include "table.h"
#include "varint.h"

/* One turn reads at most so much, and opens at most so many files. */
#define TURN_BYTES (1u << 20)
#define TURN_FILES 64u
/* How long to wait when the coordinator, or the way to it, is full. */
#define RETRY_MS 2
/* After so many bytes, or distinct words, the files of a chunk that were not
 * begun go back: nobody knew how large they are, and what the counts of a chunk
 * take is held by each counter, on the way, and by the coordinator. */
#define BYTES_ENOUGH (16u << 20)
#define WORDS_ENOUGH (16u << 10)
/* Paths that are named for one chunk, in bytes; all are counted. */
#define PROBLEMS_MAX (64u << 10)

/* On the heap, as it outgrows an actor's arena: freed by gr_on_exit. */
typedef struct counting {
    wc_table table;
    wc_scan scan;
    /* While sending: the words written so far, whether that is all, the bytes
     * of the last ones, and how many of these were sent. */
    wc_cursor written;
    bool all_written;
    wc_buffer counts;
    size_t sent;
    wc_buffer problems;   /* of the chunk */
    wc_buffer rests;      /* of the chunk */
    wc_buffer rests_last; /* the path of the last rest */
    const gr_msg *chunk;  /* kept while counting */
    const gr_msg *next;   /* kept while busy; NULL: none */
    bool busy;            /* counting or sending */
    uint64_t id;
    bool crash;
    uint64_t half;     /* bytes after which to crash */
    const uint8_t *at; /* the segments not begun yet */
    const uint8_t *end;
    int fd;             /* the segment's file; -1: none is open */
    wc_segment segment; /* what is left of it */
    wc_buffer path;     /* its own */
    uint64_t bytes, files, failed;
} counting;

typedef struct counter {
    gr_pid coordinator;
    uint64_t words_max; /* of a chunk; 0: no limit */
    counting *work;
} counter;

/* ---- life --------------------------------------------------------------- */

static void free_work(void *arg)
{
    counting *work = arg;
    if (work->fd >= 0) {
        close(work->fd);
    }
    wc_scan_fini(&work->scan);
    wc_table_fini(&work->table);
    wc_buffer_fini(&work->counts);
    wc_buffer_fini(&work->problems);
    wc_buffer_fini(&work->rests);
    wc_buffer_fini(&work->rests_last);
    wc_buffer_fini(&work->path);
    free(work);
}

static int counter_init(gr_actor *self, void *state, const gr_msg *args)
{
    counter *c = state;
    if (!gr_unpack(args, &c->coordinator, &c->words_max)) {
        return GR_EINVAL;
    }
    c->work = calloc(1, sizeof(*c->work));
    if (c->work == NULL) {
        return GR_ENOMEM;
    }
    c->work->fd = -1;
    const int rc = gr_on_exit(self, free_work, c->work);
    if (rc < 0) {
        free_work(c->work);
        return rc;
    }
    return gr_send(self, c->coordinator, "ready");
}

/* Takes memory for the first chunk, or clears it for the next. */
static int make_ready(counting *work, uint64_t words_max)
{
    if (work->scan.table == NULL) {
        GR_TRY(wc_table_init(&work->table, (size_t)words_max));
        return wc_scan_init(&work->scan, &work->table);
    }
    wc_table_clear(&work->table);
    return 0;
}

/* ---- counting ----------------------------------------------------------- */

static int note_problem(counting *work, int os_error)
{
    const size_t path_size = strlen(work->segment.path) + 1;
    work->failed++;
    if (work->problems.size + path_size > PROBLEMS_MAX) {
        return 0;
    }
    uint8_t number[WC_VARINT_MAX];
    const uint8_t *end = wc_varint_put(number, (uint64_t)os_error);
    GR_TRY(wc_buffer_append(&work->problems, number, (size_t)(end - number)));
    return wc_buffer_append(&work->problems, work->segment.path, path_size);
}

static void close_file(counting *work)
{
    if (work->fd >= 0) {
        close(work->fd);
        work->fd = -1;
    }
}

/* Opens the file of the next segment. One that cannot be is noted. */
static int next_segment(counting *work)
{
    GR_TRY(wc_segment_get(&work->at, work->end, &work->path, &work->segment));
    /* Without waiting, should a pipe have taken the file's name. */
    work->fd = wc_open(work->segment.path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    work->files += work->segment.len == WC_TO_END;
    return work->fd < 0 ? note_problem(work, errno) : 0;
}

/* Gives the rest of a large file back, if the system tells how much it is. */
static int give_rest_back(counting *work)
{
    const wc_segment *segment = &work->segment;
    struct stat st;
    if (fstat(work->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_size <= segment->offset) {
        return 0;
    }
    const wc_segment rest = {.path = segment->path,
                             .offset = segment->offset,
                             .len = (uint64_t)st.st_size - segment->offset};
    close_file(work);
    return wc_segment_put(&work->rests, &work->rests_last, &rest);
}

static bool is_enough(const counting *work)
{
    /* One that is to crash does so after half of all. */
    return !work->crash && (work->bytes >= BYTES_ENOUGH ||
                            wc_table_words(&work->table) >= WORDS_ENOUGH);
}

/* Gives back all that was not begun yet. */
static int give_others_back(counting *work)
{
    while (work->at < work->end) {
        GR_TRY(
            wc_segment_get(&work->at, work->end, &work->path, &work->segment));
        GR_TRY(wc_segment_put(&work->rests, &work->rests_last, &work->segment));
    }
    return 0;
}

/* Counts at most `most` bytes of the open segment. Returns how many. */
static int64_t count_piece(counting *work, uint64_t most)
{
    wc_segment *segment = &work->segment;
    const bool to_end = segment->len == WC_TO_END;
    uint64_t len = segment->len < most ? segment->len : most;
    if (to_end && segment->offset < WC_BEGINNING &&
        len > WC_BEGINNING - segment->offset) {
        len = WC_BEGINNING - segment->offset;
    }
    uint64_t got = 0;
    int os_error = 0;
    int rc = wc_scan_file(&work->scan, work->fd, segment->offset, len, &got,
                          &os_error);
    work->bytes += got;
    segment->offset += got;
    segment->len -= to_end ? 0 : got;
    if (rc == GR_EIO) {
        rc = note_problem(work, os_error);
        got = 0;
    }
    /* The segment is done, or the file ends here now. */
    if (rc < 0 || got < len || segment->len == 0) {
        close_file(work);
    } else if (to_end && segment->offset == WC_BEGINNING) {
        rc = give_rest_back(work);
    }
    return rc < 0 ? rc : (int64_t)got;
}

/* One turn's share of a chunk of segments. 1: there is more. */
static int count_segments(counting *work)
{
    uint64_t left = TURN_BYTES;
    for (unsigned files = 0; files < TURN_FILES && left > 0;) {
        if (work->crash && work->bytes >= work->half) {
            return WC_ECRASH;
        }
        if (work->fd < 0) {
            if (is_enough(work)) {
                GR_TRY(give_others_back(work));
            }
            if (work->at == work->end) {
                return 0;
            }
            GR_TRY(next_segment(work));
            files++;
            continue;
        }
        uint64_t most = left;
        if (work->crash && work->half - work->bytes < most) {
            most = work->half - work->bytes;
        }
        const int64_t got = count_piece(work, most);
        if (got < 0) {
            return (int)got;
        }
        left -= (uint64_t)got;
    }
    return 1;
}

/* What a segment asks for whose end nobody knows. */
static uint64_t size_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return 0;
    }
    const uint64_t size = (uint64_t)st.st_size;
    return size < WC_BEGINNING ? size : WC_BEGINNING;
}

/* How many bytes the segments ask for: only who is to crash needs to know. */
static uint64_t bytes_of(const uint8_t *at, const uint8_t *end)
{
    uint64_t bytes = 0;
    wc_buffer path = {0};
    wc_segment segment;
    while (at < end && wc_segment_get(&at, end, &path, &segment) == 0) {
        bytes += segment.len != WC_TO_END ? segment.len : size_of(segment.path);
    }
    wc_buffer_fini(&path);
    return bytes;
}

static int begin(counter *c, uint64_t id, bool crash)
{
    counting *work = c->work;
    work->busy = true;
    work->written = (wc_cursor){0};
    work->counts.size = 0;
    work->sent = 0;
    work->problems.size = 0;
    work->id = id;
    work->crash = crash;
    work->rests.size = 0;
    work->rests_last.size = 0;
    work->path.size = 0;
    work->bytes = 0;
    work->files = 0;
    work->failed = 0;
    return make_ready(work, c->words_max);
}

/* Takes a kept message. */
static int begin_segments(gr_actor *self, counter *c, const gr_msg *kept,
                          gr_bytes segments)
{
    counting *work = c->work;
    work->at = segments.ptr;
    work->end = work->at + segments.len;
    work->half = work->crash ? bytes_of(work->at, work->end) / 2 : 0;
    work->chunk = kept;
    return gr_send(self, gr_self(self), "go");
}

/* A chunk that came as bytes is small enough for one turn. */
static int count_bytes(gr_actor *self, counter *c, gr_bytes text)
{
    counting *work = c->work;
    const size_t n = work->crash ? text.len / 2 : text.len;
    GR_TRY(wc_scan_bytes(&work->scan, text.ptr, n));
    if (work->crash) {
        return WC_ECRASH;
    }
    work->bytes = n;
    return gr_send(self, gr_self(self), "go");
}

/* Takes a kept message: a chunk. */
static int begin_chunk(gr_actor *self, counter *c, const gr_msg *kept)
{
    gr_bytes what;
    uint64_t id;
    bool crash;
    if (gr_match(kept, "count", &id, &crash, &what)) {
        GR_TRY(begin(c, id, crash));
        return begin_segments(self, c, kept, what);
    }
    if (!gr_match(kept, "bytes", &id, &crash, &what)) {
        return GR_EFORMAT;
    }
    GR_TRY(begin(c, id, crash));
    const int rc = count_bytes(self, c, what);
    gr_release(self, kept);
    return rc;
}

/* A chunk begins at once, or waits until the one before is sent. */
static int on_chunk(gr_actor *self, counter *c, const gr_msg *msg)
{
    const gr_msg *kept = gr_keep(self, msg);
    if (kept == NULL) {
        return GR_ENOMEM;
    }
    if (!c->work->busy) {
        return begin_chunk(self, c, kept);
    }
    if (c->work->next != NULL) {
        return GR_EINVAL; /* the coordinator sends one ahead, not more */
    }
    c->work->next = kept;
    return 0;
}

/* ---- sending ------------------------------------------------------------ */

/* Sends what one message can take: whole words, or a part of a very long one.
 * 1: there is more. */
static int send_part(gr_actor *self, counter *c)
{
    counting *work = c->work;
    wc_buffer *counts = &work->counts;
    if (work->sent == counts->size) {
        counts->size = 0;
        work->sent = 0;
        const int rc =
            wc_partial_write(&work->table, &work->written, WC_PART_MAX, counts);
        GR_TRY(rc);
        work->all_written = rc == 0;
    }
    size_t n = counts->size - work->sent;
    const uint8_t *from = n > 0 ? counts->bytes + work->sent : NULL;
    if (work->all_written && n <= WC_PART_MAX) {
        return gr_send(self, c->coordinator, "done", work->id, gr_bin(from, n),
                       work->bytes, work->files, work->failed,
                       gr_bin(work->problems.bytes, work->problems.size),
                       gr_bin(work->rests.bytes, work->rests.size));
    }
    n = n < WC_PART_MAX ? n : WC_PART_MAX;
    GR_TRY(gr_send(self, c->coordinator, "part", work->id, gr_bin(from, n)));
    work->sent += n;
    return 1;
}

static int go(gr_actor *self, counter *c)
{
    counting *work = c->work;
    int rc;
    if (work->chunk != NULL) {
        rc = count_segments(work);
        if (rc == 0) {
            gr_release(self, work->chunk);
            work->chunk = NULL;
        }
        GR_TRY(rc);
        if (rc > 0) {
            return gr_send(self, gr_self(self), "go");
        }
    }
    while ((rc = send_part(self, c)) > 0) {
    }
    if (rc == GR_EAGAIN) {
        return gr_after(self, RETRY_MS, NULL, "go");
    }
    GR_TRY(rc);
    const gr_msg *next = work->next;
    work->next = NULL;
    work->busy = false;
    return next != NULL ? begin_chunk(self, c, next) : 0;
}

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    counter *c = state;
    gr_bytes what;
    uint64_t id;
    bool crash;
    if (gr_match(msg, "go")) {
        return go(self, c);
    }
    if (gr_match(msg, "count", &id, &crash, &what) ||
        gr_match(msg, "bytes", &id, &crash, &what)) {
        return on_chunk(self, c, msg);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior counter_behavior = {
    .name = "wordcount.counter",
    .state_size = sizeof(counter),
    .init = counter_init,
    .receive = counter_receive,
};

/* ---- the team ----------------------------------------------------------- */

/* Restarts that are no sign of trouble. With --crash-every 1 each chunk is
 * one; a chunk that always fails is the coordinator's to notice. */
#define RESTARTS_MAX       20000u
#define RESTARTS_PERIOD_MS 1000
#define ID_SIZE            32u

static int team_init(gr_actor *self, void *state, const gr_msg *args)
{
    gr_pid coordinator;
    uint32_t n;
    uint64_t words_max;
    gr_ref ref;
    (void)state;
    if (!gr_unpack(args, &coordinator, &n, &words_max)) {
        return GR_EINVAL;
    }
    GR_TRY(gr_monitor(self, coordinator, &ref));
    /* One more of each: the list of children ends at {0}. */
    gr_child *children = gr_alloc(self, ((size_t)n + 1) * sizeof(*children));
    char *ids = gr_alloc(self, ((size_t)n + 1) * ID_SIZE);
    if (children == NULL || ids == NULL) {
        return GR_ENOMEM;
    }
    const gr_values counter_args = gr_args(coordinator, words_max);
    for (uint32_t i = 0; i < n; i++) {
        char *id = ids + (size_t)i * ID_SIZE;
        (void)snprintf(id, ID_SIZE, "counter%u", i + 1);
        children[i] = (gr_child){
            .id = id, .behavior = &counter_behavior, .args = counter_args};
    }
    /* Linked to the team, which ends with it. */
    gr_pid supervisor;
    return gr_supervise(self,
                        &(gr_supervisor){.strategy = GR_ONE_FOR_ONE,
                                         .restarts_max = RESTARTS_MAX,
                                         .period_ms = RESTARTS_PERIOD_MS,
                                         .children = children},
                        &supervisor);
}

/* Without a coordinator there is nothing to do: the team ends, and its counters
 * with it. A child process ends anyway, a node on another host does not. */
static int team_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match_down(msg, NULL, NULL, NULL)) {
        gr_exit(self, GR_ESTOPPED, "the coordinator is gone");
        return 0;
    }
    return gr_unhandled(self, msg);
}

const gr_behavior wc_team = {
    .name = "wordcount.team",
    .init = team_init,
    .receive = team_receive,
};
