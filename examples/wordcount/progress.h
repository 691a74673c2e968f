/*
 * wordcount/progress.h - what a person sees of a run, on standard error.
 *
 * On a terminal a bar with the rate, and a line for each event; off a terminal
 * nothing but problems and a summary.
 */
#ifndef WORDCOUNT_PROGRESS_H
#define WORDCOUNT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define WC_PROGRESS_MS 100 /* between two drawings of the bar */

typedef struct wc_progress {
    bool terminal;
    bool drawn; /* the bar stands on the line of the cursor */
    int64_t start_ms;
} wc_progress;

/* What a run did. */
typedef struct wc_summary {
    uint64_t chunks, again, files, bytes, words, distinct;
    uint64_t crashes, restarts, nodes_lost, nodes_restarted, failed;
    int64_t ms;
} wc_summary;

void wc_progress_init(wc_progress *progress, int64_t now_ms);
/* Draws the bar: done of total bytes, if complete says that total is all.
 * Nothing off a terminal. */
void wc_progress_draw(wc_progress *progress, int64_t now_ms, uint64_t done,
                      uint64_t total, bool complete);
/* A line for an event. Nothing off a terminal. */
void wc_progress_event(wc_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line in any case: something is wrong. */
void wc_progress_problem(wc_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for a path, of any bytes: control characters are escaped. */
void wc_progress_path(wc_progress *progress, const char *path, const char *why);
/* Removes the bar and prints the summary. */
void wc_progress_end(wc_progress *progress, const wc_summary *summary);

#endif /* WORDCOUNT_PROGRESS_H */
