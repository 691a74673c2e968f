/*
 * wordcount/report.c - sorts and prints.
 *
 * An entry compares as three numbers in nearly every case: the count, and the
 * first 16 bytes of the word with the first byte on top. Only long words that
 * begin alike need their text.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"

#define OUT_SIZE         (64u << 10) /* bytes written at once */
#define LINE_MAX_NUMBERS 256u /* what a line has beside its word, and more */
#define RUN              8u /* entries that are sorted by insertion before merging */

typedef struct entry {
    uint64_t count;
    uint64_t first, second;   /* bytes 0 to 7 and 8 to 15, big endian */
    const wc_long_slot *more; /* NULL: a short word */
} entry;

typedef struct output {
    int fd;
    size_t used;
    int os_error;
    char buf[OUT_SIZE];
} output;

/* ---- sorting ------------------------------------------------------------ */

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < 8; i++) {
        x = x << 8 | p[i];
    }
    return x;
}

static bool long_before(const entry *a, const entry *b)
{
    /* Equal in 16 bytes: one may be a short word of just these. */
    if (a->more == NULL || b->more == NULL) {
        return a->more == NULL && b->more != NULL;
    }
    const size_t common =
        a->more->len < b->more->len ? a->more->len : b->more->len;
    const int order = memcmp(a->more->text, b->more->text, common);
    return order != 0 ? order < 0 : a->more->len < b->more->len;
}

/* Whether a is printed before b. */
static inline bool before(const entry *a, const entry *b)
{
    if (a->count != b->count) {
        return a->count > b->count;
    }
    if (a->first != b->first) {
        return a->first < b->first;
    }
    if (a->second != b->second) {
        return a->second < b->second;
    }
    return long_before(a, b);
}

static void sort_run(entry *run, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const entry moving = run[i];
        size_t j = i;
        for (; j > 0 && before(&moving, &run[j - 1]); j--) {
            run[j] = run[j - 1];
        }
        run[j] = moving;
    }
}

static void merge(const entry *left, size_t left_n, const entry *right,
                  size_t right_n, entry *to)
{
    while (left_n > 0 && right_n > 0) {
        if (before(right, left)) {
            *to++ = *right++;
            right_n--;
        } else {
            *to++ = *left++;
            left_n--;
        }
    }
    memcpy(to, left, left_n * sizeof(*to));
    memcpy(to + left_n, right, right_n * sizeof(*to));
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Merges runs, from one array into the other and back. Returns the array with
 * the result. */
static entry *sort(entry *entries, entry *other, size_t n)
{
    for (size_t i = 0; i < n; i += RUN) {
        sort_run(entries + i, smaller(RUN, n - i));
    }
    for (size_t width = RUN; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            const size_t left = smaller(width, n - i);
            const size_t right = smaller(width, n - i - left);
            merge(entries + i, left, entries + i + left, right, other + i);
        }
        entry *merged = other;
        other = entries;
        entries = merged;
    }
    return entries;
}

static size_t collect(const wc_table *table, entry *entries)
{
    size_t n = 0;
    for (; n < table->short_words; n++) {
        const wc_slot *slot = &table->slots[table->used[n]];
        uint8_t bytes[WC_SHORT_MAX];
        memcpy(bytes, &slot->lo, 8);
        memcpy(bytes + 8, &slot->hi, 8);
        entries[n] = (entry){.count = slot->count,
                             .first = big_endian(bytes),
                             .second = big_endian(bytes + 8)};
    }
    for (size_t i = 0; i <= table->long_mask; i++) {
        const wc_long_slot *slot = &table->long_slots[i];
        if (slot->text != NULL) {
            entries[n++] = (entry){.count = slot->count,
                                   .first = big_endian(slot->text),
                                   .second = big_endian(slot->text + 8),
                                   .more = slot};
        }
    }
    return n;
}

/* ---- printing ----------------------------------------------------------- */

static void write_all(output *out, const char *p, size_t n)
{
    while (n > 0 && out->os_error == 0) {
        const ssize_t wrote = write(out->fd, p, n);
        if (wrote >= 0) {
            p += wrote;
            n -= (size_t)wrote;
        } else if (errno != EINTR) {
            out->os_error = errno;
        }
    }
}

static void flush(output *out)
{
    write_all(out, out->buf, out->used);
    out->used = 0;
}

static void put(output *out, const char *p, size_t n)
{
    if (n > OUT_SIZE - out->used) {
        flush(out);
    }
    if (n > OUT_SIZE) {
        write_all(out, p, n);
        return;
    }
    memcpy(out->buf + out->used, p, n);
    out->used += n;
}

static void put_number(output *out, uint64_t x)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + x % 10);
        x /= 10;
    } while (x > 0);
    put(out, digits + at, sizeof(digits) - at);
}

static void put_word(output *out, const entry *word)
{
    if (word->more != NULL) {
        put(out, (const char *)word->more->text, word->more->len);
        return;
    }
    char text[WC_SHORT_MAX];
    for (unsigned i = 0; i < 8; i++) {
        text[i] = (char)(uint8_t)(word->first >> (56 - 8 * i));
        text[8 + i] = (char)(uint8_t)(word->second >> (56 - 8 * i));
    }
    put(out, text, strnlen(text, sizeof(text)));
}

static void put_lines(output *out, const entry *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_number(out, words[i].count);
        put(out, " ", 1);
        put_word(out, &words[i]);
        put(out, "\n", 1);
    }
}

static void put_json(output *out, const wc_report_opts *opts,
                     const wc_table *table, const entry *words, size_t n)
{
    char head[LINE_MAX_NUMBERS];
    const int len = snprintf(head, sizeof(head),
                             "{\"files\":%" PRIu64 ",\"bytes\":%" PRIu64
                             ",\"failed\":%" PRIu64 ",\"words\":%" PRIu64
                             ",\"distinct\":%zu,\"top\":[",
                             opts->files, opts->bytes, opts->failed,
                             wc_report_total(table), wc_table_words(table));
    put(out, head, (size_t)len);
    for (size_t i = 0; i < n; i++) {
        const char *start = i == 0 ? "\n{\"word\":\"" : ",\n{\"word\":\"";
        put(out, start, strlen(start));
        put_word(out, &words[i]);
        put(out, "\",\"count\":", strlen("\",\"count\":"));
        put_number(out, words[i].count);
        put(out, "}", 1);
    }
    put(out, "\n]}\n", 4);
}

uint64_t wc_report_total(const wc_table *table)
{
    uint64_t total = 0;
    for (size_t i = 0; i < table->short_words; i++) {
        total += table->slots[table->used[i]].count;
    }
    for (size_t i = 0; i <= table->long_mask; i++) {
        total += table->long_slots[i].count;
    }
    return total;
}

int wc_report(const wc_table *table, const wc_report_opts *opts, int fd,
              int *os_error)
{
    int rc = GR_ENOMEM;
    /* One more, as there may be no word at all. */
    const size_t room = wc_table_words(table) + 1;
    entry *entries = malloc(room * sizeof(*entries));
    entry *other = malloc(room * sizeof(*other));
    output *out = malloc(sizeof(*out));
    if (entries == NULL || other == NULL || out == NULL) {
        goto done;
    }
    out->fd = fd;
    out->used = 0;
    out->os_error = 0;
    const size_t n = collect(table, entries);
    const entry *sorted = sort(entries, other, n);
    const size_t wanted = opts->top > 0 ? smaller(opts->top, n) : n;
    if (opts->json) {
        put_json(out, opts, table, sorted, wanted);
    } else {
        put_lines(out, sorted, wanted);
    }
    flush(out);
    *os_error = out->os_error;
    rc = out->os_error != 0 ? GR_EIO : 0;
done:
    free(out);
    free(other);
    free(entries);
    return rc;
}
