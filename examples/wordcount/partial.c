/* wordcount/partial.c - writes and merges the counts of one chunk. */
#include "partial.h"

#include "error.h"
#include "varint.h"

#define USUAL_RECORD 16u /* bytes of a word with its length and count */
/* Bytes that may be written beside or beyond a word's letters. */
#define RECORD_BESIDE ((size_t)2 * WC_VARINT_MAX + WC_SHORT_MAX)
/* Words that are looked for in the table together: their slots lie
 * all over it, and the waits for memory overlap. */
#define BATCH 16u

int wc_partial_write(const wc_table *table, wc_buffer *out)
{
    wc_cursor cursor = {0};
    wc_word word;
    /* Once, and nearly always enough. */
    int rc = wc_buffer_reserve(out, wc_table_words(table) * USUAL_RECORD);
    if (rc < 0) {
        return rc;
    }
    while (wc_table_next(table, &cursor, &word)) {
        rc = wc_buffer_reserve(out, word.len + RECORD_BESIDE);
        if (rc < 0) {
            return rc;
        }
        uint8_t *to = wc_varint_put(out->bytes + out->size, word.len);
        if (word.len <= WC_SHORT_MAX) {
            memcpy(to, word.short_text, WC_SHORT_MAX); /* of a known size */
        } else {
            memcpy(to, word.text, word.len);
        }
        to = wc_varint_put(to + word.len, word.count);
        out->size = (size_t)(to - out->bytes);
    }
    return 0;
}

static bool all_letters(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && wc_is_letter(p[i])) {
        i++;
    }
    return i == n;
}

/* A word of any length, anywhere. */
static int merge_one(wc_table *table, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    uint64_t len, count;
    if (!wc_varint_get(&p, end, &len) || len == 0 || len > (size_t)(end - p) ||
        !all_letters(p, (size_t)len)) {
        return GR_EFORMAT;
    }
    const uint8_t *word = p;
    p += len;
    if (!wc_varint_get(&p, end, &count) || count == 0) {
        return GR_EFORMAT;
    }
    wc_table_add(table, word, (size_t)len, count);
    *at = p;
    return table->error;
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

int wc_partial_merge(wc_table *table, const uint8_t *bytes, size_t n)
{
    const uint8_t *at = bytes;
    const uint8_t *end = bytes + n;
    batch words = {0};
    while (at < end) {
        /* Nearly all of them: a short word, a count below 128, and 16 bytes
         * that may be read wherever the word begins. */
        const size_t len = *at;
        if (len - 1 < WC_SHORT_MAX && end - at > 2 * (ptrdiff_t)WC_SHORT_MAX &&
            (uint8_t)(at[1 + len] - 1) < 0x7f) {
            const uint64_t want = (UINT64_C(1) << len) - 1;
            if ((wc_letters16(at + 1) & want) != want) {
                return GR_EFORMAT;
            }
            const wc_key key = wc_key_of(at + 1, len);
            wc_table_expect(table, key);
            words.keys[words.n] = key;
            words.counts[words.n++] = at[1 + len];
            if (words.n == BATCH) {
                add_batch(table, &words);
            }
            at += 2 + len;
            continue;
        }
        const int rc = merge_one(table, &at, end);
        if (rc < 0) {
            return rc;
        }
    }
    add_batch(table, &words);
    return table->error;
}
