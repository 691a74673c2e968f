/*
 * jobs/journal.h - the file in which a queue keeps what must not be forgotten:
 * how many jobs there are, and each result. Lines of text, only ever appended:
 *
 *   jobs 1 RUN COUNT        first: RUN names this journal, in 16 hex digits
 *   done JOB VALUE          a result that counts
 *   failed JOB              it was given up: nobody does it any more. Without
 *                           this line it is tried again
 *
 * A result counts when its line is on the disk, and only then is it
 * acknowledged. So a last line without its end was acknowledged to nobody: it
 * is cut off when the journal is opened again.
 */
#ifndef JOBS_JOURNAL_H
#define JOBS_JOURNAL_H

#include <greenroom/greenroom.h>

#define JOBS_MAX         1000000u
#define JOURNAL_LINE_MAX 64u /* bytes of a line, with its end */

typedef struct journal {
    int fd; /* locked while it is open */
    uint64_t run;
    uint32_t count; /* jobs 1 to count */
} journal;

/* Called for each result in it; value is NULL: that job has failed. */
typedef int journal_fn(void *arg, uint32_t job, const uint64_t *value);

/* Opens the journal, or, if there is none, begins one of `count` jobs; 0: there
 * must be one. Calls begin(arg, count) and then each. The file stays
 * open until the process ends: a job may be writing. Errors: those of begin and
 * each; else GR_EFAIL, and standard error says what is wrong. */
int journal_open(const char *path, uint32_t count,
                 int (*begin)(void *arg, uint32_t count), journal_fn *each,
                 void *arg, journal *out);

/* One line for a result, or (value is NULL) for a job that has failed. Returns
 * its length. */
size_t journal_line(char line[JOURNAL_LINE_MAX], uint32_t job,
                    const uint64_t *value);

/* A job with gr_args(fd, gr_bin(lines, n)): appends them and waits until they
 * are on the disk. ["kept"], or GR_EIO. */
extern const gr_job_kind journal_append;

#endif /* JOBS_JOURNAL_H */
