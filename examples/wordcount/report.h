/* wordcount/report.h - prints what a table holds. */
#ifndef WORDCOUNT_REPORT_H
#define WORDCOUNT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

typedef struct wc_report_opts {
    bool json;
    size_t top; /* words to print, the most frequent first; 0: all */
    uint64_t files, bytes, failed; /* for json */
} wc_report_opts;

/*
 * Writes "COUNT WORD" lines, or one JSON object, to the descriptor: by falling
 * count, words of the same count by their bytes.
 * Errors: GR_ENOMEM, GR_EIO (*os_error says why).
 */
int wc_report(const wc_table *table, const wc_report_opts *opts, int fd,
              int *os_error);

/* The number of all words, repeated ones too. */
uint64_t wc_report_total(const wc_table *table);

#endif /* WORDCOUNT_REPORT_H */
