/* wordcount/partial.c - writes and merges the counts of one chunk. */
#include "partial.h"

#include <string.h>

#include "error.h"
#include "varint.h"

/* Bytes that may be written beside or beyond a word's letters. */
#define RECORD_BESIDE ((size_t)2 * WC_VARINT_MAX + WC_SHORT_MAX)
/* Words that are looked for in the table together: their slots lie
 * all over it, and the waits for memory overlap. */
#define BATCH 16u

int wc_partial_write(const wc_table *table, wc_cursor *cursor, size_t most,
                     wc_buffer *out)
{
    const size_t before = out->size;
    for (;;) {
        const wc_cursor here = *cursor;
        wc_word word;
        if (!wc_table_next(table, cursor, &word)) {
            return 0;
        }
        const size_t size = word.len + RECORD_BESIDE;
        if (out->size > before && out->size - before + size > most) {
            *cursor = here;
            return 1;
        }
        GR_TRY(wc_buffer_reserve(out, size));
        uint8_t *to = wc_varint_put(out->bytes + out->size, word.len);
        if (word.len <= WC_SHORT_MAX) {
            memcpy(to, word.short_text, WC_SHORT_MAX); /* of a known size */
        } else {
            memcpy(to, word.text, word.len);
        }
        to = wc_varint_put(to + word.len, word.count);
        out->size = (size_t)(to - out->bytes);
    }
}

static bool all_letters(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (n - i >= WC_SHORT_MAX && wc_letters16(p + i) == 0xffff) {
        i += WC_SHORT_MAX;
    }
    while (i < n && wc_is_letter(p[i])) {
        i++;
    }
    return i == n;
}

/* What a number that cannot be read means: the bytes end here, for now (0), or
 * no number is that long. */
static int unread(const uint8_t *p, const uint8_t *end)
{
    return end - p < (ptrdiff_t)WC_VARINT_MAX ? 0 : GR_EFORMAT;
}

/* A word of any length, anywhere. 0: its end is not there yet. */
static int merge_one(wc_table *table, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    uint64_t len, count;
    if (!wc_varint_get(&p, end, &len)) {
        return unread(p, end);
    }
    if (len == 0) {
        return GR_EFORMAT;
    }
    if (len > (size_t)(end - p)) {
        return 0;
    }
    const uint8_t *word = p;
    p += len;
    if (!wc_varint_get(&p, end, &count)) {
        return unread(p, end);
    }
    if (count == 0 || !all_letters(word, (size_t)len)) {
        return GR_EFORMAT;
    }
    wc_table_add(table, word, (size_t)len, count);
    *at = p;
    return table->error < 0 ? table->error : 1;
}

/* Words on their way into the table. */
typedef struct batch {
    size_t n;
    wc_key keys[BATCH];
    uint8_t counts[BATCH];
} batch;

static void add_batch(wc_table *table, batch *words)
{
    for (size_t i = 0; i < words->n; i++) {
        wc_table_add_key(table, words->keys[i], words->counts[i]);
    }
    words->n = 0;
}

/* Merges the complete words of [*at, end), and steps over them. */
static int merge_words(wc_table *table, const uint8_t **at, const uint8_t *end)
{
    batch words = {0};
    int rc = 1;
    while (*at < end && rc > 0) {
        /* Nearly all of them: a short word, a count below 128, and 16 bytes
         * that may be read wherever the word begins. */
        const uint8_t *p = *at;
        const size_t len = *p;
        if (len - 1 < WC_SHORT_MAX && end - p > 2 * (ptrdiff_t)WC_SHORT_MAX &&
            (uint8_t)(p[1 + len] - 1) < 0x7f) {
            const uint64_t want = (UINT64_C(1) << len) - 1;
            if ((wc_letters16(p + 1) & want) != want) {
                return GR_EFORMAT;
            }
            const wc_key key = wc_key_of(p + 1, len);
            wc_table_expect(table, key);
            words.keys[words.n] = key;
            words.counts[words.n++] = p[1 + len];
            if (words.n == BATCH) {
                add_batch(table, &words);
            }
            *at += 2 + len;
        } else {
            rc = merge_one(table, at, end);
        }
    }
    add_batch(table, &words);
    return rc < 0 ? rc : table->error;
}

int wc_partial_merge(wc_table *table, wc_buffer *rest, const uint8_t *bytes,
                     size_t n)
{
    const uint8_t *at = bytes;
    if (rest->size == 0) {
        GR_TRY(merge_words(table, &at, bytes + n));
        return wc_buffer_append(rest, at, (size_t)(bytes + n - at));
    }
    GR_TRY(wc_buffer_append(rest, bytes, n));
    at = rest->bytes;
    GR_TRY(merge_words(table, &at, rest->bytes + rest->size));
    if (at > rest->bytes) {
        rest->size -= (size_t)(at - rest->bytes);
        memmove(rest->bytes, at, rest->size);
    }
    return 0;
}
