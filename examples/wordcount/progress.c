/* wordcount/progress.c - a bar, lines above it, and a summary. */
#include "progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 30u

void wc_progress_init(wc_progress *progress, int64_t now_ms)
{
    *progress = (wc_progress){.terminal = isatty(STDERR_FILENO) == 1,
                              .start_ms = now_ms};
}

/* Makes the line empty that the bar stood on. */
static void clear(wc_progress *progress)
{
    if (progress->drawn) {
        (void)fputs("\r\033[K", stderr);
        progress->drawn = false;
    }
}

void wc_progress_draw(wc_progress *progress, int64_t now_ms, uint64_t done,
                      uint64_t total, bool complete)
{
    char bar[BAR_WIDTH + 1];
    if (!progress->terminal) {
        return;
    }
    const double seconds = (double)(now_ms - progress->start_ms) / 1000.0;
    const double rate = seconds > 0.0 ? (double)done / 1e6 / seconds : 0.0;
    const double part =
        complete && total > 0 ? (double)done / (double)total : 0.0;
    const unsigned full = (unsigned)(part * BAR_WIDTH);
    for (unsigned i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i < full ? '#' : '.';
    }
    bar[BAR_WIDTH] = '\0';
    if (complete) {
        (void)fprintf(stderr, "\r[%s] %3.0f%% of %.1f MB  %.0f MB/s\033[K", bar,
                      part * 100.0, (double)total / 1e6, rate);
    } else {
        (void)fprintf(stderr, "\r[%s] %.1f MB so far  %.0f MB/s\033[K", bar,
                      (double)done / 1e6, rate);
    }
    (void)fflush(stderr);
    progress->drawn = true;
}

__attribute__((format(printf, 2, 0))) static void
print_line(wc_progress *progress, const char *format, va_list list)
{
    clear(progress);
    (void)fputs("wordcount: ", stderr);
    (void)vfprintf(stderr, format, list);
    (void)fputc('\n', stderr);
}

void wc_progress_event(wc_progress *progress, const char *format, ...)
{
    if (progress->terminal) {
        va_list list;
        va_start(list, format);
        print_line(progress, format, list);
        va_end(list);
    }
}

void wc_progress_problem(wc_progress *progress, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    print_line(progress, format, list);
    va_end(list);
}

void wc_progress_path(wc_progress *progress, const char *path, const char *why)
{
    clear(progress);
    (void)fputs("wordcount: ", stderr);
    for (const char *p = path; *p != '\0'; p++) {
        const unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f) {
            (void)fprintf(stderr, "\\x%02x", c);
        } else {
            (void)fputc(*p, stderr);
        }
    }
    (void)fprintf(stderr, ": %s\n", why);
}

void wc_progress_end(wc_progress *progress, const wc_summary *s)
{
    clear(progress);
    (void)fprintf(stderr,
                  "wordcount: %" PRIu64 " chunks, %" PRIu64 " files, %" PRIu64
                  " bytes, %" PRIu64 " words, %" PRIu64 " distinct; %" PRIu64
                  " crashes, %" PRIu64 " restarts, %" PRIu64
                  " nodes lost, %" PRIu64 " nodes restarted, %" PRIu64
                  " chunks done again, %" PRIu64 " files failed; %.3f s\n",
                  s->chunks, s->files, s->bytes, s->words, s->distinct,
                  s->crashes, s->restarts, s->nodes_lost, s->nodes_restarted,
                  s->again, s->failed, (double)s->ms / 1000.0);
}
