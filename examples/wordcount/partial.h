/*
 * wordcount/partial.h - the counts of one chunk as bytes.
 *
 * For each word: varint length, the word in lower case, varint count. The
 * bytes may be cut anywhere to travel in several messages; usually it is
 * between two words.
 */
#ifndef WORDCOUNT_PARTIAL_H
#define WORDCOUNT_PARTIAL_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "table.h"

/*
 * Appends words from the cursor on, as many as fit into `most` bytes, but at
 * least one. Returns 1, or 0: there are no more. Errors: GR_ENOMEM.
 */
int wc_partial_write(const wc_table *table, wc_cursor *cursor, size_t most,
                     wc_buffer *out);

/*
 * Adds the counts of one piece to the table. Checks everything, as the bytes
 * come from another process.
 *
 * rest:   empty before the first piece; what the next one has to complete. When
 *         anything is left in it after the last, the counts were cut short.
 *         The caller ends it with wc_buffer_fini.
 * Errors: GR_EFORMAT (some words may have been added), GR_ENOMEM, WC_EWORDS.
 */
int wc_partial_merge(wc_table *table, wc_buffer *rest, const uint8_t *bytes,
                     size_t n);

#endif /* WORDCOUNT_PARTIAL_H */
