/* base/log.h - lines for people, to one sink; nothing is formatted for a level
 * that is off. */
#ifndef GRI_BASE_LOG_H
#define GRI_BASE_LOG_H

#include <greenroom/system.h>

typedef struct gri_log {
    gr_log_fn *fn;
    void *arg;
    gr_log_level level;
} gri_log;

enum { GRI_LOG_LINE_MAX = 1024 }; /* bytes; longer lines are cut */

/* fn NULL: standard error. */
void gri_log_init(gri_log *log, gr_log_fn *fn, void *arg, gr_log_level level);
/* A line as it is. */
void gri_log_line(const gri_log *log, gr_log_level level, const char *line);
void gri_log_write(const gri_log *log, gr_log_level level, const char *format,
                   ...) __attribute__((format(printf, 3, 4)));

#endif /* GRI_BASE_LOG_H */
