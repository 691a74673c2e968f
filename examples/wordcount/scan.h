/*
 * wordcount/scan.h - finds the words of files and bytes, and counts them.
 *
 * A word is a maximal run of ASCII letters within one file. A file may be cut
 * anywhere: a segment owns the words that start within it, so it looks at the
 * byte before its start and reads on beyond its end to finish its last word.
 */
#ifndef WORDCOUNT_SCAN_H
#define WORDCOUNT_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "segment.h"
#include "table.h"

/* A scanner's buffer; it grows only for a word that is longer. */
typedef struct wc_scan {
    wc_table *table;
    uint8_t *buf; /* size bytes, and a padding that may be read */
    size_t size;
    size_t tail; /* bytes of a word that is not complete yet, at the front */
} wc_scan;

/* Keeps table, which must outlive the scanner. Ends with wc_scan_fini.
 * Errors: GR_ENOMEM. */
int wc_scan_init(wc_scan *scan, wc_table *table);
void wc_scan_fini(wc_scan *scan);

/*
 * Counts the words that start in [offset, offset + len) of the file; *read_out
 * is the number of these bytes that were there. A file that is shorter than it
 * was is no error.
 * Errors: GR_EIO (*os_error says why; the words before were counted),
 *         GR_ENOMEM, and those of the table.
 */
int wc_scan_file(wc_scan *scan, int fd, uint64_t offset, uint64_t len,
                 uint64_t *read_out, int *os_error);

/* Counts the words of n bytes, which begin and end between words. Errors:
 * GR_ENOMEM, and those of the table. */
int wc_scan_bytes(wc_scan *scan, const void *bytes, size_t n);

#endif /* WORDCOUNT_SCAN_H */
