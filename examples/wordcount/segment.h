/*
 * wordcount/segment.h - parts of files, written one behind the other: varint
 * length of the path with its zero byte, path, zero byte, varint offset, varint
 * length.
 */
#ifndef WORDCOUNT_SEGMENT_H
#define WORDCOUNT_SEGMENT_H

#include <stdint.h>

#include "buffer.h"

#define WC_TO_END                                                              \
    UINT64_MAX /* the length of a segment that ends with its file */

typedef struct wc_segment {
    const char *path; /* borrows from what it was read from */
    uint64_t offset;
    uint64_t len; /* bytes; WC_TO_END */
} wc_segment;

/* Appends a segment. Errors: GR_ENOMEM. */
int wc_segment_put(wc_buffer *to, const wc_segment *segment);
/* Reads the segment at *at, and steps over it. Errors: GR_EFORMAT. */
int wc_segment_get(const uint8_t **at, const uint8_t *end, wc_segment *out);

#endif /* WORDCOUNT_SEGMENT_H */
