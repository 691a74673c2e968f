/* jobs/journal.c - a file of lines, which a kill at any moment leaves whole. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

static int wrong(const char *path, const char *what)
{
    (void)fprintf(stderr, "jobs: %s: %s\n", path, what);
    return GR_EFAIL;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t wrote = write(fd, bytes, n);
        if (wrote < 0 && errno != EINTR) {
            return GR_EIO;
        }
        bytes += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
    return fsync(fd) == 0 ? 0 : GR_EIO;
}

/* A file that is on the disk may still be in no folder there. */
static int sync_folder(const char *path)
{
    const char *end = strrchr(path, '/');
    char *folder =
        end == NULL ? strdup(".") : strndup(path, (size_t)(end - path) + 1);
    if (folder == NULL) {
        return GR_ENOMEM;
    }
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int rc = fd >= 0 && fsync(fd) == 0 ? 0 : GR_EIO;
    if (fd >= 0) {
        (void)close(fd);
    }
    free(folder);
    return rc;
}

/* The first line of a new journal. */
static int begin_new(const char *path, uint32_t count, journal *j)
{
    char line[JOURNAL_LINE_MAX];
    if (count == 0) {
        return wrong(path, "a new journal: say how many jobs (--jobs)");
    }
    j->count = count;
    if (getrandom(&j->run, sizeof j->run, 0) != (ssize_t)sizeof j->run ||
        ftruncate(j->fd, 0) != 0) {
        return wrong(path, strerrordesc_np(errno));
    }
    const int n = snprintf(line, sizeof line, "jobs 1 %016" PRIx64 " %u\n",
                           j->run, j->count);
    if (write_all(j->fd, line, (size_t)n) < 0 || sync_folder(path) < 0) {
        return wrong(path, strerrordesc_np(errno));
    }
    return 0;
}

/* Reads one line that has its end. Returns its length; 0: there is none, and
 * the line is what stands in its place. */
static size_t read_line(FILE *file, char line[JOURNAL_LINE_MAX])
{
    line[0] = '\0';
    if (fgets(line, (int)JOURNAL_LINE_MAX, file) == NULL) {
        return 0;
    }
    const size_t n = strlen(line);
    return n > 0 && line[n - 1] == '\n' ? n : 0;
}

/* Before the first line is on the disk no job is given to anybody; so a torn
 * one may be written anew. But not any file that has none. */
static bool is_torn(const char *line)
{
    static const char begin[] = "jobs 1 ";
    const size_t n = strlen(line);
    return n < JOURNAL_LINE_MAX - 1 &&
           strncmp(line, begin, n < strlen(begin) ? n : strlen(begin)) == 0;
}

/* Reads a text, and then a number in this base and one byte. False: it is not
 * what stands there. */
static bool take(const char **at, const char *text, int base, char end,
                 uint64_t *out)
{
    const size_t n = strlen(text);
    char *behind;
    if (strncmp(*at, text, n) != 0 || strchr("+- ", (*at)[n]) != NULL) {
        return false;
    }
    errno = 0;
    *out = strtoull(*at + n, &behind, base);
    *at = behind + 1;
    return errno == 0 && *behind == end;
}

/* Reads the rest of a line. *failed: it has no value. */
static bool take_result(const char *at, uint32_t count, uint64_t *job,
                        uint64_t *value, bool *failed)
{
    *failed = take(&at, "failed ", 10, '\n', job);
    if (!*failed &&
        !(take(&at, "done ", 10, ' ', job) && take(&at, "", 10, '\n', value))) {
        return false;
    }
    return *job >= 1 && *job <= count;
}

static int read_results(FILE *file, const char *path, off_t *good,
                        uint32_t count, journal_fn *each, void *arg)
{
    char line[JOURNAL_LINE_MAX];
    for (size_t n; (n = read_line(file, line)) > 0; *good += (off_t)n) {
        uint64_t job;
        uint64_t value;
        bool failed;
        if (!take_result(line, count, &job, &value, &failed)) {
            return wrong(path, "it has a line that no queue has written");
        }
        GR_TRY(each(arg, (uint32_t)job, failed ? NULL : &value));
    }
    return 0;
}

static int read_journal(FILE *file, const char *path, uint32_t count,
                        int (*begin)(void *arg, uint32_t count),
                        journal_fn *each, void *arg, journal *j)
{
    char line[JOURNAL_LINE_MAX];
    off_t good = (off_t)read_line(file, line);
    if (good == 0 && is_torn(line)) {
        GR_TRY(begin_new(path, count, j));
        return begin(arg, j->count);
    }
    const char *at = line;
    uint64_t jobs;
    if (!take(&at, "jobs 1 ", 16, ' ', &j->run) ||
        !take(&at, "", 10, '\n', &jobs) || jobs < 1 || jobs > JOBS_MAX) {
        return wrong(path, "this is no journal of jobs");
    }
    j->count = (uint32_t)jobs;
    if (count != 0 && count != j->count) {
        return wrong(path, "it is of another number of jobs");
    }
    GR_TRY(begin(arg, j->count));
    GR_TRY(read_results(file, path, &good, j->count, each, arg));
    if (ferror(file) || ftruncate(j->fd, good) != 0) {
        return wrong(path, strerrordesc_np(errno));
    }
    return 0;
}

int journal_open(const char *path, uint32_t count,
                 int (*begin)(void *arg, uint32_t count), journal_fn *each,
                 void *arg, journal *out)
{
    journal j = {.fd =
                     open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600)};
    if (j.fd < 0) {
        return wrong(path, strerrordesc_np(errno));
    }
    FILE *file = NULL;
    int rc = flock(j.fd, LOCK_EX | LOCK_NB) != 0
                 ? wrong(path, "another queue has it")
                 : 0;
    if (rc == 0 && (file = fopen(path, "re")) == NULL) {
        rc = wrong(path, strerrordesc_np(errno));
    }
    if (file != NULL) {
        rc = read_journal(file, path, count, begin, each, arg, &j);
        (void)fclose(file);
    }
    if (rc < 0) {
        (void)close(j.fd);
        return rc;
    }
    *out = j;
    return 0;
}

size_t journal_line(char line[JOURNAL_LINE_MAX], uint32_t job,
                    const uint64_t *value)
{
    const int n =
        value == NULL
            ? snprintf(line, JOURNAL_LINE_MAX, "failed %" PRIu32 "\n", job)
            : snprintf(line, JOURNAL_LINE_MAX, "done %" PRIu32 " %" PRIu64 "\n",
                       job, *value);
    return (size_t)n;
}

static int append(gr_job *job, const gr_msg *args)
{
    int fd;
    gr_bytes lines;
    if (!gr_unpack(args, &fd, &lines)) {
        return GR_EINVAL;
    }
    GR_TRY(write_all(fd, lines.ptr, lines.len));
    return gr_job_return(job, "kept");
}

const gr_job_kind journal_append = {.name = "jobs.journal", .run = append};
