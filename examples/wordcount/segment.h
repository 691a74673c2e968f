/*
 * wordcount/segment.h - parts of files, written one behind the other: varint
 * number of bytes that the path has in common with the one before, varint
 * number of its other bytes, these, varint offset, varint length (0: to the end
 * of the file; else one more than it is).
 *
 * Neighbours in a folder differ in a few bytes, so a list takes about a quarter
 * of its paths.
 */
#ifndef WORDCOUNT_SEGMENT_H
#define WORDCOUNT_SEGMENT_H

#include <stdint.h>

#include "buffer.h"

#define WC_TO_END                                                              \
    UINT64_MAX /* the length of a segment that ends with its file */

typedef struct wc_segment {
    const char *path; /* of one that was read: lives in `last` */
    uint64_t offset;
    uint64_t len; /* bytes; WC_TO_END */
} wc_segment;

/*
 * Appends a segment to a list, or reads the one at *at and steps over it.
 *
 * last:   the path of the segment before, which this one takes the place of:
 *         empty at the beginning of a list, and each list has its own. The
 *         caller ends it with wc_buffer_fini.
 * Errors: GR_ENOMEM; wc_segment_get: GR_EFORMAT. Nothing has changed then.
 */
int wc_segment_put(wc_buffer *to, wc_buffer *last, const wc_segment *segment);
int wc_segment_get(const uint8_t **at, const uint8_t *end, wc_buffer *last,
                   wc_segment *out);

#endif /* WORDCOUNT_SEGMENT_H */
