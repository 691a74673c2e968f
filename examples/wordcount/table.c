/* wordcount/table.c - see table.h for the two kinds of slots. */
#include "table.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "error.h"

/* Slots of a new table. One that grew and was left behind has cost more than
 * these. */
#define SLOTS_FIRST      65536u /* 1.5 MiB: they fit into a huge page */
#define LONG_SLOTS_FIRST 16384u /* 128 KiB */
/* Of a hash of 64 bits, how many do not choose one of n slots: the top ones do,
 * as all of what was multiplied has come there. */
#define SHIFT_OF(n) (64u - (unsigned)__builtin_ctzll(n))
/* Bytes taken at once for long words. */
#define ARENA_BLOCK (64u << 10)

#define HUGE_PAGE ((size_t)2 << 20) /* bytes, on most machines */

struct wc_arena_block {
    wc_arena_block *next;
    size_t used, size;
    _Alignas(wc_long) uint8_t records[];
};

/* ---- memory ------------------------------------------------------------- */

/* Odd factors from the system; any odd numbers will do if it has none. */
static void draw_factors(wc_table *table)
{
    uint64_t factors[2] = {UINT64_C(0x9e3779b97f4a7c15),
                           UINT64_C(0xd6e8feb86659fd93)};
    uint64_t drawn[2];
    if (getrandom(drawn, sizeof(drawn), GRND_NONBLOCK) ==
        (ssize_t)sizeof(drawn)) {
        memcpy(factors, drawn, sizeof(factors));
    }
    table->factor_lo = factors[0] | 1;
    table->factor_hi = factors[1] | 1;
}

static void arena_free(wc_arena_block *block)
{
    while (block != NULL) {
        wc_arena_block *next = block->next;
        free(block);
        block = next;
    }
}

/* A block with room for len bytes, or NULL. */
static wc_arena_block *arena_block(wc_table *table, size_t len)
{
    wc_arena_block *block = table->spare;
    if (block != NULL && len <= ARENA_BLOCK) {
        table->spare = block->next;
        return block;
    }
    const size_t size = len > ARENA_BLOCK ? len : ARENA_BLOCK;
    if (size > SIZE_MAX - sizeof(*block)) {
        return NULL;
    }
    block = malloc(sizeof(*block) + size);
    if (block != NULL) {
        block->size = size;
    }
    return block;
}

/* The bytes of a long word's record, so that the next one is aligned. */
static size_t record_size(size_t len)
{
    const size_t align = _Alignof(wc_long);
    return (sizeof(wc_long) + len + align - 1) / align * align;
}

/* Room for len bytes that stay where they are, or NULL. */
static void *arena_take(wc_table *table, size_t len)
{
    wc_arena_block *block = table->arena;
    if (block == NULL || block->size - block->used < len) {
        block = arena_block(table, len);
        if (block == NULL) {
            return NULL;
        }
        block->next = table->arena;
        block->used = 0;
        table->arena = block;
    }
    uint8_t *record = block->records + block->used;
    block->used += len;
    return record;
}

/* The bytes of n slots, in whole huge pages. */
static size_t slots_size(size_t n)
{
    return (n * sizeof(wc_slot) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

/* Free slots in huge pages, if the system has any: words fall all over them, so
 * that small pages would all be touched, one fault for each. NULL: no memory.
 * It comes from the system, which alone knows that it is zero already. */
static wc_slot *map_slots(size_t n)
{
    const size_t size = slots_size(n);
    uint8_t *memory = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    const size_t before = -(uintptr_t)memory % HUGE_PAGE;
    if (before > 0) {
        (void)munmap(memory, before);
    }
    if (before < HUGE_PAGE) {
        (void)munmap(memory + before + size, HUGE_PAGE - before);
    }
    (void)madvise(memory + before, size, MADV_HUGEPAGE); /* works without */
    return (wc_slot *)(void *)(memory + before);
}

static void unmap_slots(wc_slot *slots, size_t n)
{
    if (slots != NULL) {
        (void)munmap(slots, slots_size(n));
    }
}

/* Slots, all free, and room to name those that are used: at most half. */
static int take_slots(size_t n, wc_slot **slots, uint32_t **used)
{
    if (n > UINT32_MAX || n > (SIZE_MAX - 2 * HUGE_PAGE) / sizeof(**slots)) {
        return GR_ENOMEM;
    }
    *slots = map_slots(n);
    *used = malloc(n / 2 * sizeof(**used));
    if (*slots == NULL || *used == NULL) {
        unmap_slots(*slots, n);
        free(*used);
        *slots = NULL;
        *used = NULL;
        return GR_ENOMEM;
    }
    return 0;
}

int wc_table_init(wc_table *table, size_t words_max)
{
    *table = (wc_table){.words_max = words_max,
                        .mask = SLOTS_FIRST - 1,
                        .shift = SHIFT_OF(SLOTS_FIRST),
                        .long_mask = LONG_SLOTS_FIRST - 1,
                        .long_shift = SHIFT_OF(LONG_SLOTS_FIRST)};
    draw_factors(table);
    table->long_slots = calloc(LONG_SLOTS_FIRST, sizeof(wc_long *));
    if (table->long_slots == NULL) {
        return GR_ENOMEM;
    }
    return take_slots(SLOTS_FIRST, &table->slots, &table->used);
}

void wc_table_fini(wc_table *table)
{
    unmap_slots(table->slots, table->mask + 1);
    free(table->used);
    free(table->long_slots);
    arena_free(table->arena);
    arena_free(table->spare);
    *table = (wc_table){0};
}

/* Keeps the blocks of the usual size. */
static void arena_clear(wc_table *table)
{
    wc_arena_block *block = table->arena;
    while (block != NULL) {
        wc_arena_block *next = block->next;
        if (block->size == ARENA_BLOCK) {
            block->next = table->spare;
            table->spare = block;
        } else {
            free(block);
        }
        block = next;
    }
    table->arena = NULL;
}

void wc_table_clear(wc_table *table)
{
    for (size_t i = 0; i < table->short_words; i++) {
        table->slots[table->used[i]] = (wc_slot){0};
    }
    if (table->long_words > 0) {
        memset(table->long_slots, 0,
               (table->long_mask + 1) * sizeof(wc_long *));
    }
    arena_clear(table);
    table->short_words = 0;
    table->long_words = 0;
    table->error = 0;
}

size_t wc_table_words(const wc_table *table)
{
    return table->short_words + table->long_words;
}

/* Whether one more distinct word may be taken. */
static bool may_grow(wc_table *table)
{
    if (table->error == 0 && table->words_max > 0 &&
        wc_table_words(table) >= table->words_max) {
        table->error = WC_EWORDS;
    }
    return table->error == 0;
}

/* ---- short words -------------------------------------------------------- */

/* The slot of the word, or the free one where it belongs. There always is a
 * free one: the table is never more than half full. */
static wc_slot *find_short(const wc_table *table, uint64_t lo, uint64_t hi)
{
    size_t i = wc_table_slot(table, lo, hi);
    for (;;) {
        wc_slot *slot = &table->slots[i];
        if ((slot->lo == lo && slot->hi == hi) || slot->lo == 0) {
            return slot;
        }
        i = (i + 1) & table->mask;
    }
}

static uint32_t index_of(const wc_table *table, const wc_slot *slot)
{
    return (uint32_t)(slot - table->slots);
}

static int grow_short(wc_table *table)
{
    const size_t size = table->mask + 1;
    wc_slot *old = table->slots;
    uint32_t *old_used = table->used;
    const int rc = take_slots(2 * size, &table->slots, &table->used);
    if (rc < 0) {
        table->slots = old;
        table->used = old_used;
        return rc;
    }
    table->mask = 2 * size - 1;
    table->shift--;
    for (size_t i = 0; i < table->short_words; i++) {
        const wc_slot *from = &old[old_used[i]];
        wc_slot *to = find_short(table, from->lo, from->hi);
        *to = *from;
        table->used[i] = index_of(table, to);
    }
    unmap_slots(old, size);
    free(old_used);
    return 0;
}

void wc_table_add_slow(wc_table *table, uint64_t lo, uint64_t hi,
                       uint64_t count)
{
    wc_slot *slot = find_short(table, lo, hi);
    if (slot->lo != 0) {
        slot->count += count;
        return;
    }
    if (!may_grow(table)) {
        return;
    }
    if (2 * (table->short_words + 1) > table->mask) {
        table->error = grow_short(table);
        if (table->error != 0) {
            return;
        }
        slot = find_short(table, lo, hi);
    }
    *slot = (wc_slot){.lo = lo, .hi = hi, .count = count};
    table->used[table->short_words++] = index_of(table, slot);
}

/* ---- long words --------------------------------------------------------- */

/* A long word is read in parts of 8 letters: two at least. The last one ends
 * with the word, and may have letters of the one before. */
#define PART 8u

static size_t part_at(size_t len, size_t i)
{
    return i + PART <= len ? i : len - PART;
}

static uint64_t lower_part(const uint8_t *word)
{
    uint64_t part;
    memcpy(&part, word, PART);
    return part | WC_LOWER;
}

static uint64_t hash_long(const wc_table *table, const uint8_t *word,
                          size_t len)
{
    uint64_t hash = len * table->factor_hi;
    for (size_t i = 0; i < len; i += PART) {
        hash ^= lower_part(word + part_at(len, i));
        hash *= table->factor_lo;
        hash ^= hash >> 32;
    }
    return hash;
}

static bool equal_lowered(const uint8_t *lower, const uint8_t *word, size_t len)
{
    for (size_t i = 0; i < len; i += PART) {
        const size_t at = part_at(len, i);
        const uint64_t part = lower_part(word + at);
        if (memcmp(lower + at, &part, PART) != 0) {
            return false;
        }
    }
    return true;
}

static void copy_lowered(uint8_t *lower, const uint8_t *word, size_t len)
{
    for (size_t i = 0; i < len; i += PART) {
        const size_t at = part_at(len, i);
        const uint64_t part = lower_part(word + at);
        memcpy(lower + at, &part, PART);
    }
}

/* The slot of the word, or the free one where it belongs. */
static wc_long **find_long(const wc_table *table, uint64_t hash,
                           const uint8_t *word, size_t len)
{
    size_t i = (size_t)(hash >> table->long_shift);
    for (;;) {
        wc_long **slot = &table->long_slots[i];
        const wc_long *there = *slot;
        if (there == NULL || (there->hash == hash && there->len == len &&
                              equal_lowered(there->text, word, len))) {
            return slot;
        }
        i = (i + 1) & table->long_mask;
    }
}

static int grow_long(wc_table *table)
{
    const size_t size = 2 * (table->long_mask + 1);
    const unsigned shift = table->long_shift - 1;
    wc_long **slots = calloc(size, sizeof(wc_long *));
    if (slots == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; i <= table->long_mask; i++) {
        if (table->long_slots[i] == NULL) {
            continue;
        }
        size_t to = (size_t)(table->long_slots[i]->hash >> shift);
        while (slots[to] != NULL) {
            to = (to + 1) & (size - 1);
        }
        slots[to] = table->long_slots[i];
    }
    free(table->long_slots);
    table->long_slots = slots;
    table->long_mask = size - 1;
    table->long_shift = shift;
    return 0;
}

static void add_long(wc_table *table, const uint8_t *word, size_t len,
                     uint64_t count)
{
    const uint64_t hash = hash_long(table, word, len);
    wc_long **slot = find_long(table, hash, word, len);
    if (*slot != NULL) {
        (*slot)->count += count;
        return;
    }
    if (!may_grow(table)) {
        return;
    }
    if (2 * (table->long_words + 1) > table->long_mask) {
        table->error = grow_long(table);
        if (table->error != 0) {
            return;
        }
        slot = find_long(table, hash, word, len);
    }
    wc_long *record = arena_take(table, record_size(len));
    if (record == NULL) {
        table->error = GR_ENOMEM;
        return;
    }
    *record = (wc_long){.hash = hash, .count = count, .len = len};
    copy_lowered(record->text, word, len);
    *slot = record;
    table->long_words++;
}

void wc_table_add(wc_table *table, const uint8_t *word, size_t len,
                  uint64_t count)
{
    if (len > WC_SHORT_MAX) {
        add_long(table, word, len, count);
    } else {
        uint8_t padded[WC_SHORT_MAX] = {0};
        memcpy(padded, word, len);
        wc_table_add_short(table, padded, len, count);
    }
}

/* ---- taking words out --------------------------------------------------- */

const wc_long *wc_table_next_long(const wc_table *table, wc_cursor *cursor)
{
    if (cursor->block == NULL && cursor->at == 0) {
        cursor->block = table->arena;
    }
    while (cursor->block != NULL && cursor->at == cursor->block->used) {
        cursor->block = cursor->block->next;
        cursor->at = 0;
    }
    if (cursor->block == NULL) {
        cursor->at = 1; /* anything but the beginning */
        return NULL;
    }
    const void *record = cursor->block->records + cursor->at;
    const wc_long *word = record;
    cursor->at += record_size(word->len);
    return word;
}

int wc_table_next(const wc_table *table, wc_cursor *cursor, wc_word *out)
{
    if (cursor->used < table->short_words) {
        wc_slot_word(wc_table_nth(table, cursor->used++), out);
        out->text = out->short_text;
        return 1;
    }
    const wc_long *word = wc_table_next_long(table, cursor);
    if (word == NULL) {
        return 0;
    }
    out->text = word->text;
    out->len = word->len;
    out->count = word->count;
    return 1;
}
