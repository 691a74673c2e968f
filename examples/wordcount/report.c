/*
 * wordcount/report.c - sorts and prints.
 *
 * A number stands for each word: its count and its first letters, so that most
 * words are in order when their numbers are. These are sorted by their digits,
 * the lowest first (a radix sort), which compares nothing. Words with the same
 * number, which only begin alike, are compared afterwards.
 */
#include "report.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"

#define OUT_SIZE         (64u << 10) /* bytes written at once */
#define LINE_MAX_NUMBERS 256u /* what a line has beside its word, and more */

#define KEY_LETTERS  8u  /* of the word, in a key */
#define LETTERS_BITS 40u /* 5 for each */
#define COUNT_BITS   (64u - LETTERS_BITS)
/* This count and whatever is more. */
#define COUNT_TOP  ((UINT64_C(1) << COUNT_BITS) - 1)
#define DIGIT_BITS 11u /* 16 KiB of counters */
#define DIGITS     ((64u + DIGIT_BITS - 1) / DIGIT_BITS)
#define DIGIT_MAX  (1u << DIGIT_BITS)

/* A word: the number of its slot, or, from the number of slots on, of a long
 * one. */
typedef struct entry {
    uint64_t key;
    size_t word;
} entry;

typedef struct words {
    const wc_table *table;
    const wc_long **longs;
    size_t n;
    entry *entries;
    entry *other; /* as many: what is sorted goes to and fro */
    uint32_t (*counters)[DIGIT_MAX];
} words;

typedef struct output {
    int fd;
    size_t used;
    int os_error;
    char buf[OUT_SIZE];
} output;

/* ---- sorting ------------------------------------------------------------ */

static wc_word word_of(const words *w, const entry *e)
{
    wc_word word;
    if (e->word <= w->table->mask) {
        wc_slot_word(&w->table->slots[e->word], &word);
        word.text = NULL; /* the copy would not be where it was */
    } else {
        const wc_long *from = w->longs[e->word - w->table->mask - 1];
        word.text = from->text;
        word.len = from->len;
        word.count = from->count;
    }
    return word;
}

static const uint8_t *text_of(const wc_word *word)
{
    return word->text != NULL ? word->text : word->short_text;
}

/* How qsort_r compares words whose keys are the same. */
static int compare(const void *a, const void *b, void *arg)
{
    const wc_word left = word_of(arg, a);
    const wc_word right = word_of(arg, b);
    if (left.count != right.count) {
        return left.count > right.count ? -1 : 1;
    }
    const size_t common = left.len < right.len ? left.len : right.len;
    const int order = memcmp(text_of(&left), text_of(&right), common);
    if (order != 0 || left.len == right.len) {
        return order;
    }
    return left.len < right.len ? -1 : 1;
}

/* The larger the count the smaller; then in the order of the alphabet, where
 * the end of a word comes before every letter. Counts that do not fit are all
 * alike, so that they are compared. */
static uint64_t key_of(uint64_t count, const uint8_t *text)
{
    if (count >= COUNT_TOP) {
        return 0;
    }
    uint64_t x;
    memcpy(&x, text, sizeof(x));
    x = be64toh(x); /* the first letter is the highest byte */
    /* The low 5 bits of neighbours move together, then 10, then 20. */
    x = (x & UINT64_C(0x001f001f001f001f)) |
        (x & UINT64_C(0x1f001f001f001f00)) >> 3;
    x = (x & UINT64_C(0x000003ff000003ff)) |
        (x & UINT64_C(0x03ff000003ff0000)) >> 6;
    x = (x & UINT64_C(0x00000000000fffff)) |
        (x & UINT64_C(0x000fffff00000000)) >> 12;
    return (COUNT_TOP - count) << LETTERS_BITS | x;
}

static void collect(words *w)
{
    const wc_table *table = w->table;
    wc_cursor cursor = {0};
    const wc_long *from;
    size_t n = 0;
    for (; n < table->short_words; n++) {
        const wc_slot *slot = wc_table_nth(table, n);
        uint8_t text[KEY_LETTERS];
        memcpy(text, &slot->lo, sizeof(text));
        w->entries[n] =
            (entry){.key = key_of(slot->count, text), .word = table->used[n]};
    }
    for (size_t i = 0; (from = wc_table_next_long(table, &cursor)) != NULL;
         i++) {
        w->longs[i] = from;
        w->entries[n++] = (entry){.key = key_of(from->count, from->text),
                                  .word = table->mask + 1 + i};
    }
    w->n = n;
}

static unsigned digit_of(uint64_t key, unsigned digit)
{
    return (unsigned)(key >> (digit * DIGIT_BITS)) & (DIGIT_MAX - 1);
}

/* Sorts by the digits of the keys, the lowest first. */
static void sort_by_digits(words *w)
{
    memset(w->counters, 0, DIGITS * sizeof(*w->counters));
    for (size_t i = 0; i < w->n; i++) {
        for (unsigned d = 0; d < DIGITS; d++) {
            w->counters[d][digit_of(w->entries[i].key, d)]++;
        }
    }
    for (unsigned d = 0; d < DIGITS; d++) {
        uint32_t *places = w->counters[d];
        if (places[digit_of(w->entries[0].key, d)] == w->n) {
            continue; /* all have the same */
        }
        uint32_t place = 0;
        for (unsigned i = 0; i < DIGIT_MAX; i++) {
            const uint32_t n = places[i];
            places[i] = place;
            place += n;
        }
        for (size_t i = 0; i < w->n; i++) {
            const entry e = w->entries[i];
            w->other[places[digit_of(e.key, d)]++] = e;
        }
        entry *sorted = w->other;
        w->other = w->entries;
        w->entries = sorted;
    }
}

static void sort(words *w)
{
    if (w->n == 0) {
        return;
    }
    sort_by_digits(w);
    for (size_t from = 0, to = 0; from < w->n; from = to) {
        while (to < w->n && w->entries[to].key == w->entries[from].key) {
            to++;
        }
        if (to - from > 1) {
            qsort_r(w->entries + from, to - from, sizeof(entry), compare, w);
        }
    }
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

static void put_word(output *out, const wc_word *word)
{
    put(out, (const char *)text_of(word), word->len);
}

/* Asks for a word that will be printed soon: they lie all over the table. */
static void expect(const words *w, size_t i)
{
    if (i < w->n && w->entries[i].word <= w->table->mask) {
        __builtin_prefetch(&w->table->slots[w->entries[i].word]);
    }
}

static void put_lines(output *out, const words *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        expect(w, i + WC_WORDS_AHEAD);
        const wc_word word = word_of(w, &w->entries[i]);
        put_number(out, word.count);
        put(out, " ", 1);
        put_word(out, &word);
        put(out, "\n", 1);
    }
}

static void put_json(output *out, const wc_report_opts *opts, const words *w,
                     size_t n)
{
    char head[LINE_MAX_NUMBERS];
    const int len = snprintf(
        head, sizeof(head),
        "{\"files\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"failed\":%" PRIu64
        ",\"words\":%" PRIu64 ",\"distinct\":%zu,\"top\":[",
        opts->files, opts->bytes, opts->failed, wc_report_total(w->table),
        wc_table_words(w->table));
    put(out, head, (size_t)len);
    for (size_t i = 0; i < n; i++) {
        const char *start = i == 0 ? "\n{\"word\":\"" : ",\n{\"word\":\"";
        const wc_word word = word_of(w, &w->entries[i]);
        put(out, start, strlen(start));
        put_word(out, &word);
        put(out, "\",\"count\":", strlen("\",\"count\":"));
        put_number(out, word.count);
        put(out, "}", 1);
    }
    put(out, "\n]}\n", 4);
}

uint64_t wc_report_total(const wc_table *table)
{
    wc_cursor cursor = {0};
    const wc_long *word;
    uint64_t total = 0;
    for (size_t i = 0; i < table->short_words; i++) {
        total += wc_table_nth(table, i)->count;
    }
    while ((word = wc_table_next_long(table, &cursor)) != NULL) {
        total += word->count;
    }
    return total;
}

static void words_fini(words *w)
{
    free(w->entries);
    free(w->other);
    free(w->longs);
    free(w->counters);
}

static int words_init(words *w, const wc_table *table)
{
    /* One more, as there may be no word at all. */
    const size_t room = wc_table_words(table) + 1;
    *w =
        (words){.table = table,
                .longs = calloc(table->long_words + 1, sizeof(const wc_long *)),
                .entries = calloc(room, sizeof(*w->entries)),
                .other = calloc(room, sizeof(*w->other)),
                .counters = calloc(DIGITS, sizeof(*w->counters))};
    /* Its counters have 32 bits. */
    if (room > UINT32_MAX || w->entries == NULL || w->other == NULL ||
        w->longs == NULL || w->counters == NULL) {
        words_fini(w);
        return GR_ENOMEM;
    }
    return 0;
}

int wc_report(const wc_table *table, const wc_report_opts *opts, int fd,
              int *os_error)
{
    words w;
    GR_TRY(words_init(&w, table));
    output *out = malloc(sizeof(*out));
    if (out == NULL) {
        words_fini(&w);
        return GR_ENOMEM;
    }
    out->fd = fd;
    out->used = 0;
    out->os_error = 0;
    collect(&w);
    sort(&w);
    const size_t wanted = opts->top > 0 && opts->top < w.n ? opts->top : w.n;
    if (opts->json) {
        put_json(out, opts, &w, wanted);
    } else {
        put_lines(out, &w, wanted);
    }
    flush(out);
    *os_error = out->os_error;
    free(out);
    words_fini(&w);
    return *os_error != 0 ? GR_EIO : 0;
}
