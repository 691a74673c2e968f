/*
 * wordcount/table.h - how often each word was seen.
 *
 * Two tables with open addressing. A word of up to 16 letters, which is nearly
 * every word, is a key of two 64-bit numbers that lies in its slot: comparing
 * it takes no branch on its length and no pointer. A longer one is a record in
 * an arena, one after the other, so that walking over them skips nothing. The
 * multipliers of the hash are drawn at random, so that no list of short words
 * can be made that always collides.
 */
#ifndef WORDCOUNT_TABLE_H
#define WORDCOUNT_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "letters.h"

#define WC_SHORT_MAX 16u /* letters of a word that fits into its slot */

/* A short word, padded with zeros; lo is 0 in a free slot only. */
typedef struct wc_slot {
    uint64_t lo, hi; /* its bytes 0 to 7 and 8 to 15 as they lie in memory */
    uint64_t count;
} wc_slot;

/* A word of more than WC_SHORT_MAX letters. It stays where it is. */
typedef struct wc_long {
    uint64_t hash;
    uint64_t count;
    size_t len;
    uint8_t text[]; /* lower case */
} wc_long;

typedef struct wc_arena_block wc_arena_block;

typedef struct wc_table {
    wc_slot *slots;
    uint32_t *used; /* the slots that are not free, in the order of coming */
    size_t mask;    /* number of slots, a power of two, less one */
    unsigned shift;
    uint64_t factor_lo, factor_hi;  /* odd, random */
    size_t short_words, long_words; /* distinct */
    size_t long_mask;
    unsigned long_shift;
    wc_long **long_slots;  /* NULL: free */
    wc_arena_block *arena; /* of long words; the latest block first */
    wc_arena_block *spare; /* blocks to be used again */
    size_t words_max;      /* distinct words; 0: no limit */
    int error;             /* the first; from then on new words are not taken */
} wc_table;

/* A word taken out of a table. */
typedef struct wc_word {
    const uint8_t *text; /* lives until the next wc_table_next, or, of a long
                            word, as long as the table */
    size_t len;
    uint64_t count;
    uint8_t short_text[WC_SHORT_MAX];
} wc_word;

_Static_assert(offsetof(wc_slot, lo) == 0 && offsetof(wc_slot, hi) == 8,
               "a word's 16 bytes lie together");

/* Takes a short word out of its slot, all but the pointer to its text. */
static inline void wc_slot_word(const wc_slot *slot, wc_word *out)
{
    /* lo and hi at once, and looked at where they lie: the processor would have
     * to wait for two stores before it could load their 16 bytes again. */
    const uint8_t *text = (const uint8_t *)slot;
    memcpy(out->short_text, text, WC_SHORT_MAX);
    out->len = (size_t)__builtin_ctzll(~wc_letters16(text));
    out->count = slot->count;
}

/* How many words ahead a walk over the slots asks for one: they lie all over
 * the table. */
#define WC_WORDS_AHEAD 8u

/* The i-th short word, in the order of coming; i < short_words. */
static inline const wc_slot *wc_table_nth(const wc_table *table, size_t i)
{
    if (i + WC_WORDS_AHEAD < table->short_words) {
        __builtin_prefetch(&table->slots[table->used[i + WC_WORDS_AHEAD]]);
    }
    return &table->slots[table->used[i]];
}

/* Where wc_table_next stands; all zero at first. */
typedef struct wc_cursor {
    size_t used;
    const wc_arena_block *block; /* NULL: before the first or after the last */
    size_t at;                   /* in the block, in bytes */
} wc_cursor;

/*
 * Owns:   whatever happens, the table ends with wc_table_fini.
 * Errors: GR_ENOMEM.
 */
int wc_table_init(wc_table *table, size_t words_max);
void wc_table_fini(wc_table *table);
/* Forgets all words and an error, and keeps the memory of the slots. */
void wc_table_clear(wc_table *table);

/*
 * Adds to the count of a word of letters of either case. Errors stay in
 * table->error, where the caller looks when it has added many: GR_ENOMEM,
 * WC_EWORDS.
 */
void wc_table_add(wc_table *table, const uint8_t *word, size_t len,
                  uint64_t count);
/* Distinct words. */
size_t wc_table_words(const wc_table *table);
/* Steps to the next word, in no order. False after the last. */
int wc_table_next(const wc_table *table, wc_cursor *cursor, wc_word *out);
/* The same for long words only; NULL after the last. */
const wc_long *wc_table_next_long(const wc_table *table, wc_cursor *cursor);

/* ---- the hot path, for the scanner and for merging ---------------------- */

/* What wc_table_add_short does when the word is not in the first slot. */
void wc_table_add_slow(wc_table *table, uint64_t lo, uint64_t hi,
                       uint64_t count);

static inline size_t wc_table_slot(const wc_table *table, uint64_t lo,
                                   uint64_t hi)
{
    const uint64_t mixed = (lo ^ (hi * table->factor_hi)) * table->factor_lo;
    return (size_t)(mixed >> table->shift);
}

/* A short word as it lies in its slot. */
typedef struct wc_key {
    uint64_t lo, hi;
} wc_key;

/* Of up to 16 letters; 16 bytes at p must be readable. */
static inline wc_key wc_key_of(const uint8_t *p, size_t len)
{
    static const uint8_t window[2 * WC_SHORT_MAX] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint64_t lo, hi, keep_lo, keep_hi;
    memcpy(&lo, p, 8);
    memcpy(&hi, p + 8, 8);
    memcpy(&keep_lo, window + WC_SHORT_MAX - len, 8);
    memcpy(&keep_hi, window + WC_SHORT_MAX - len + 8, 8);
    return (wc_key){(lo | WC_LOWER) & keep_lo, (hi | WC_LOWER) & keep_hi};
}

static inline void wc_table_add_key(wc_table *table, wc_key key, uint64_t count)
{
    wc_slot *slot = &table->slots[wc_table_slot(table, key.lo, key.hi)];
    if (__builtin_expect(((slot->lo ^ key.lo) | (slot->hi ^ key.hi)) == 0, 1)) {
        slot->count += count;
    } else {
        wc_table_add_slow(table, key.lo, key.hi, count);
    }
}

/* Says that a word will be added soon. */
static inline void wc_table_expect(const wc_table *table, wc_key key)
{
    __builtin_prefetch(&table->slots[wc_table_slot(table, key.lo, key.hi)], 1);
}

/* Adds a word of up to 16 letters; 16 bytes at p must be readable. */
static inline void wc_table_add_short(wc_table *table, const uint8_t *p,
                                      size_t len, uint64_t count)
{
    wc_table_add_key(table, wc_key_of(p, len), count);
}

#endif /* WORDCOUNT_TABLE_H */
