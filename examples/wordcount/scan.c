/* wordcount/scan.c - masks of letters, edges of masks, words between edges. */
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"

/* Small enough to stay in the cache between the read and the scan, large
 * enough that the system call does not count. */
#define BUFFER_FIRST (128u << 10)
/* Beyond the last byte a block and the key of a short word are loaded. */
#define PADDING (WC_BLOCK + WC_SHORT_MAX)
/* What is first read beyond a segment to finish its last word. */
#define FINISH_FIRST 256u

int wc_scan_init(wc_scan *scan, wc_table *table)
{
    *scan = (wc_scan){.table = table, .size = BUFFER_FIRST};
    scan->buf = calloc(1, scan->size + PADDING);
    return scan->buf == NULL ? GR_ENOMEM : 0;
}

void wc_scan_fini(wc_scan *scan)
{
    free(scan->buf);
    *scan = (wc_scan){0};
}

static inline void add_word(wc_table *table, const uint8_t *word, size_t len)
{
    if (__builtin_expect(len <= WC_SHORT_MAX, 1)) {
        wc_table_add_short(table, word, len, 1);
    } else {
        wc_table_add(table, word, len, 1);
    }
}

/*
 * Counts the words of [buf, buf + n), which begin and end between words. In
 * the mask of a block an edge is a letter after a non-letter or the other way
 * round: so the edges are, in turn, the starts and ends of words.
 */
static void scan_words(wc_table *table, const uint8_t *buf, size_t n)
{
    uint64_t inside = 0; /* 1: the block before ended within a word ... */
    size_t start = 0;    /* ... that started here */
    for (size_t at = 0; at < n; at += WC_BLOCK) {
        uint64_t letters = wc_letters64(buf + at);
        if (n - at < WC_BLOCK) {
            letters &= (UINT64_C(1) << (n - at)) - 1;
        }
        uint64_t edges = letters ^ (letters << 1 | inside);
        if (inside != 0 && edges != 0) {
            const size_t end = at + (size_t)__builtin_ctzll(edges);
            add_word(table, buf + start, end - start);
            edges &= edges - 1;
        }
        while (edges != 0) {
            start = at + (size_t)__builtin_ctzll(edges);
            edges &= edges - 1;
            if (edges == 0) {
                break;
            }
            const size_t end = at + (size_t)__builtin_ctzll(edges);
            add_word(table, buf + start, end - start);
            edges &= edges - 1;
        }
        inside = letters >> (WC_BLOCK - 1);
    }
    if (inside != 0) {
        add_word(table, buf + start, n - start);
    }
}

/* Makes room for at least one more byte behind the tail. */
static int make_room(wc_scan *scan)
{
    if (scan->tail < scan->size) {
        return 0;
    }
    if (scan->size > (SIZE_MAX - PADDING) / 2) {
        return GR_ENOMEM;
    }
    uint8_t *buf = realloc(scan->buf, 2 * scan->size + PADDING);
    if (buf == NULL) {
        return GR_ENOMEM;
    }
    /* Only to have no byte that was never written: valgrind would ask. */
    memset(buf + scan->size + PADDING, 0, scan->size);
    scan->buf = buf;
    scan->size *= 2;
    return 0;
}

/* Counts the complete words of the first `filled` bytes; the last one, which
 * may go on, becomes the tail. */
static int take(wc_scan *scan, size_t filled)
{
    size_t end = filled;
    while (end > 0 && wc_is_letter(scan->buf[end - 1])) {
        end--;
    }
    scan_words(scan->table, scan->buf, end);
    scan->tail = filled - end;
    memmove(scan->buf, scan->buf + end, scan->tail);
    return scan->table->error != 0 ? scan->table->error : make_room(scan);
}

/* The tail is a complete word, or nothing. */
static int finish(wc_scan *scan)
{
    if (scan->tail > 0) {
        add_word(scan->table, scan->buf, scan->tail);
        scan->tail = 0;
    }
    return scan->table->error;
}

/* pread that is not interrupted; -1 with *os_error. */
static ssize_t read_at(int fd, void *buf, size_t n, uint64_t offset,
                       int *os_error)
{
    ssize_t got;
    do {
        got = pread(fd, buf, n, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        *os_error = errno;
    }
    return got;
}

/* Appends to the tail what follows it in the file, up to the end of the word.
 */
static int read_on(wc_scan *scan, int fd, uint64_t offset, int *os_error)
{
    size_t want = FINISH_FIRST;
    while (scan->tail > 0) {
        const size_t room = scan->size - scan->tail;
        const ssize_t got =
            read_at(fd, scan->buf + scan->tail, want < room ? want : room,
                    offset, os_error);
        if (got < 0) {
            return GR_EIO;
        }
        const size_t end = scan->tail + (size_t)got;
        const size_t before = scan->tail;
        while (scan->tail < end && wc_is_letter(scan->buf[scan->tail])) {
            scan->tail++;
        }
        if (got == 0 || scan->tail < end) {
            break;
        }
        offset += scan->tail - before;
        want *= 2;
        const int rc = make_room(scan);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* How many of the first bytes are letters. */
static size_t leading_letters(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && wc_is_letter(p[i])) {
        i++;
    }
    return i;
}

/*
 * Reads [*at, end) and counts what is complete; the rest is the tail. *skip
 * says that the first letters belong to a word of the segment before.
 */
static int read_segment(wc_scan *scan, int fd, uint64_t *at, uint64_t end,
                        bool skip, int *os_error)
{
    while (*at < end) {
        const size_t room = scan->size - scan->tail;
        const uint64_t left = end - *at;
        const size_t want = left < room ? (size_t)left : room;
        const ssize_t got =
            read_at(fd, scan->buf + scan->tail, want, *at, os_error);
        if (got <= 0) {
            return got < 0 ? GR_EIO : 0;
        }
        size_t n = (size_t)got;
        *at += n;
        if (skip) {
            const size_t foreign = leading_letters(scan->buf, n);
            skip = foreign == n;
            n -= foreign;
            memmove(scan->buf, scan->buf + foreign, n);
        }
        const int rc = take(scan, scan->tail + n);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int wc_scan_file(wc_scan *scan, int fd, uint64_t offset, uint64_t len,
                 uint64_t *read_out, int *os_error)
{
    const uint64_t end = len > WC_TO_END - offset ? WC_TO_END : offset + len;
    /* The byte before tells whether the first letters start a word. If it is
     * a letter, it is skipped with them; else it is no part of a word. */
    uint64_t at = offset > 0 ? offset - 1 : 0;
    scan->tail = 0;
    *read_out = 0;
    *os_error = 0;
    int rc = read_segment(scan, fd, &at, end, offset > 0, os_error);
    *read_out = at > offset ? at - offset : 0;
    if (rc == 0 && at == end) {
        rc = read_on(scan, fd, end, os_error);
    }
    const int finished = finish(scan);
    return rc < 0 ? rc : finished;
}

int wc_scan_bytes(wc_scan *scan, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    scan->tail = 0;
    while (n > 0) {
        const size_t room = scan->size - scan->tail;
        const size_t part = n < room ? n : room;
        memcpy(scan->buf + scan->tail, from, part);
        from += part;
        n -= part;
        const int rc = take(scan, scan->tail + part);
        if (rc < 0) {
            return rc;
        }
    }
    return finish(scan);
}
