/* base/log.c - see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void to_stderr(void *arg, gr_log_level level, const char *line)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    (void)arg;
    (void)fprintf(stderr, "greenroom: %s: %s\n", names[level], line);
}

void gri_log_init(gri_log *log, gr_log_fn *fn, void *arg, gr_log_level level)
{
    *log = (gri_log){fn != NULL ? fn : to_stderr, arg, level};
}

void gri_log_line(const gri_log *log, gr_log_level level, const char *line)
{
    if (level <= log->level) {
        log->fn(log->arg, level, line);
    }
}

void gri_log_write(const gri_log *log, gr_log_level level, const char *format,
                   ...)
{
    if (level > log->level) {
        return;
    }
    char line[GRI_LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    /* The analyzer of clang 14 does not know va_start on every target. */
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log->fn(log->arg, level,
            n < 0 ? "(a line that cannot be formatted)" : line);
}
