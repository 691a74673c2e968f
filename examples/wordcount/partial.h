/*
 * wordcount/partial.h - the counts of one chunk as bytes.
 *
 * For each word: varint length, the word in lower case, varint count. The
 * bytes may be cut anywhere to travel in several messages; the receiver puts
 * them together again before it merges any of them.
 */
#ifndef WORDCOUNT_PARTIAL_H
#define WORDCOUNT_PARTIAL_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "table.h"

/* Appends all words of the table. Errors: GR_ENOMEM. */
int wc_partial_write(const wc_table *table, wc_buffer *out);

/*
 * Adds the counts to the table. Checks everything, as the bytes come from
 * another process. Errors: GR_EFORMAT (some words may have been added), and
 * those of the table.
 */
int wc_partial_merge(wc_table *table, const uint8_t *bytes, size_t n);

#endif /* WORDCOUNT_PARTIAL_H */
