/* wordcount/payload.c - see payload.h for what is sent of a segment. */
#include "payload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

#define READ_SIZE (64u << 10) /* bytes read at once */

int wc_payload_init(wc_payload *payload, wc_table *table,
                    wc_problem_fn *problem, void *problem_arg)
{
    *payload = (wc_payload){.problem = problem, .problem_arg = problem_arg};
    return wc_scan_init(&payload->scan, table);
}

void wc_payload_fini(wc_payload *payload)
{
    wc_scan_fini(&payload->scan);
    wc_buffer_fini(&payload->text);
    *payload = (wc_payload){0};
}

/* Appends at most n bytes of the file. Returns how many, or an error. */
static int64_t append(wc_buffer *text, int fd, uint64_t offset, uint64_t n)
{
    const size_t want = n < READ_SIZE ? (size_t)n : READ_SIZE;
    /* One more: the zero byte behind each file. */
    if (text->size + 1 > WC_PAYLOAD_MAX ||
        want > WC_PAYLOAD_MAX - text->size - 1) {
        return GR_ETOOBIG;
    }
    const int rc = wc_buffer_reserve(text, want);
    if (rc < 0) {
        return rc;
    }
    ssize_t got;
    do {
        got = pread(fd, text->bytes + text->size, want, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return GR_EIO;
    }
    text->size += (size_t)got;
    return got;
}

static bool ends_in_letter(const wc_buffer *text, size_t from)
{
    return text->size > from && wc_is_letter(text->bytes[text->size - 1]);
}

/* Cuts off the letters that the segment before owns. */
static void drop_leading(wc_buffer *text, size_t from)
{
    size_t at = from;
    while (at < text->size && wc_is_letter(text->bytes[at])) {
        at++;
    }
    text->size -= at - from;
    memmove(text->bytes + from, text->bytes + at, text->size - from);
}

/* Appends the words that start in the segment. Errors: GR_ETOOBIG, GR_EIO,
 * GR_ENOMEM. */
static int append_words(wc_buffer *text, int fd, const wc_segment *segment)
{
    const size_t from = text->size;
    const uint64_t end =
        segment->len == WC_TO_END ? WC_TO_END : segment->offset + segment->len;
    /* As in the scanner: the byte before tells. */
    uint64_t at = segment->offset > 0 ? segment->offset - 1 : 0;
    int64_t got = 1;
    while (got > 0 && at < end) {
        got = append(text, fd, at, end - at);
        at += got > 0 ? (uint64_t)got : 0;
    }
    if (got >= 0 && segment->offset > 0) {
        drop_leading(text, from);
    }
    while (got > 0 && ends_in_letter(text, from)) {
        const size_t before = text->size;
        got = append(text, fd, at, WC_BLOCK);
        at += got > 0 ? (uint64_t)got : 0;
        /* Only the end of this word is the segment's. */
        size_t i = before;
        while (i < text->size && wc_is_letter(text->bytes[i])) {
            i++;
        }
        if (i < text->size) {
            text->size = i;
            break;
        }
    }
    return got < 0 ? (int)got : 0;
}

static int count_here(wc_payload *payload, int fd, const wc_segment *segment)
{
    uint64_t got;
    int os_error;
    const int rc = wc_scan_file(&payload->scan, fd, segment->offset,
                                segment->len, &got, &os_error);
    payload->bytes_here += got;
    if (rc == GR_EIO) {
        payload->problem(payload->problem_arg, segment->path, wc_why(os_error));
        return 0;
    }
    return rc;
}

/* 1: the segment was read; 0: it is to be taken out of the chunk. */
static int read_segment(wc_payload *payload, const wc_segment *segment)
{
    wc_buffer *text = &payload->text;
    const size_t before = text->size;
    const int fd = wc_open(segment->path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        payload->problem(payload->problem_arg, segment->path, wc_why(errno));
        return 0;
    }
    int rc = append_words(text, fd, segment);
    if (rc == 0) {
        rc = wc_buffer_append(text, "", 1); /* a zero byte ends the file */
        rc = rc < 0 ? rc : 1;
    } else if (rc == GR_ETOOBIG || rc == GR_EIO) {
        text->size = before;
        rc = count_here(payload, fd, segment);
    }
    close(fd);
    return rc;
}

/* Reads the segments of a list, and puts those that could be read into
 * another. */
static int read_all(wc_payload *payload, wc_chunk *chunk, wc_buffer *kept,
                    wc_buffer *path, wc_buffer *kept_last)
{
    const uint8_t *at = chunk->segments.bytes;
    const uint8_t *end = at + chunk->segments.size;
    while (at < end) {
        wc_segment segment;
        GR_TRY(wc_segment_get(&at, end, path, &segment));
        const int rc = read_segment(payload, &segment);
        GR_TRY(rc);
        if (rc > 0) {
            GR_TRY(wc_segment_put(kept, kept_last, &segment));
        } else {
            chunk->bytes -= segment.len != WC_TO_END ? segment.len : 0;
        }
    }
    return 0;
}

int wc_payload_read(wc_payload *payload, wc_chunk *chunk)
{
    wc_buffer kept = {0};
    wc_buffer path = {0};
    wc_buffer kept_last = {0};
    payload->text.size = 0;
    const int rc = read_all(payload, chunk, &kept, &path, &kept_last);
    wc_buffer_fini(&path);
    wc_buffer_fini(&kept_last);
    if (rc < 0) {
        wc_buffer_fini(&kept);
        return rc;
    }
    wc_buffer_fini(&chunk->segments);
    chunk->segments = kept;
    return 0;
}
