/*
 * base/recorder_file.c - the file that a flight recorder is mapped from.
 *
 * It is new each time: what stands at its path is the record of a run before,
 * which may be what somebody wants to read, and is renamed. A file that a
 * living system still writes to is locked, and left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <greenroom/error.h>

#include "base/recorder.h"

/* False: it is too long. */
static bool put(char out[PATH_MAX], size_t *n, const char *text)
{
    const size_t len = strlen(text);
    if (len >= PATH_MAX - *n) {
        return false;
    }
    memcpy(out + *n, text, len + 1);
    *n += len;
    return true;
}

/* %p is the process, %% a percent sign. */
static bool expand(const char *path, char out[PATH_MAX])
{
    size_t n = 0;
    char process[16];
    (void)snprintf(process, sizeof process, "%ld", (long)getpid());
    out[0] = '\0';
    for (; *path != '\0'; path++) {
        const bool escaped =
            path[0] == '%' && (path[1] == 'p' || path[1] == '%');
        const char one[2] = {path[0], '\0'};
        const char *text = escaped && path[1] == 'p' ? process : one;
        if (!put(out, &n, text)) {
            return false;
        }
        path += escaped;
    }
    return true;
}

/* Whether a living system writes to what stands there. */
static bool is_in_use(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    const bool used = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(fd); /* nothing was written */
    return used;
}

/* Keeps the file of the run before as PATH.1. False: it stays where it is. */
static bool put_aside(const char *path)
{
    char aside[PATH_MAX];
    size_t n = 0;
    struct stat about;
    return lstat(path, &about) == 0 && S_ISREG(about.st_mode) &&
           put(aside, &n, path) && put(aside, &n, ".1") &&
           rename(path, aside) == 0;
}

/* Gives the file the name that was asked for. False: it keeps its own. */
static bool take_name(const char *own, const char *name)
{
    if (link(own, name) != 0 && (errno != EEXIST || is_in_use(name) ||
                                 !put_aside(name) || link(own, name) != 0)) {
        return false;
    }
    (void)unlink(own); /* at worst it has two names */
    return true;
}

static int fail(const char *path, int fd, int error, const gri_log *log)
{
    if (fd >= 0) {
        (void)unlink(path); /* a file of ours that is of no use */
        (void)close(fd);
    }
    const char *why = strerrordesc_np(error);
    gri_log_write(log, GR_LOG_ERROR, "no flight recorder at %s: %s", path,
                  why != NULL ? why : "unknown error");
    return GR_EIO;
}

int gri_recorder_open(const char *path, uint64_t node, size_t size,
                      const gri_log *log)
{
    char name[PATH_MAX];
    char own[PATH_MAX];
    char suffix[40];
    size_t n = 0;
    (void)snprintf(suffix, sizeof suffix, ".%ld.%08x", (long)getpid(),
                   (unsigned)(node >> 32));
    if (!expand(path, name) || !put(own, &n, name) || !put(own, &n, suffix)) {
        return GR_EINVAL;
    }
    const int fd = open(own, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                        S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return fail(own, -1, errno, log);
    }
    /* A mapped page without room on the disk would be a SIGBUS, later. */
    const int error = posix_fallocate(fd, 0, (off_t)size);
    if (error != 0) {
        return fail(own, fd, error, log);
    }
    /* Locked before it has the name that others look at. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return fail(own, fd, errno, log);
    }
    if (!take_name(own, name)) {
        /* Another process of the same environment has it, a child node, or
         * another system of this one. */
        gri_log_write(log, GR_LOG_INFO, "flight recorder at %s", own);
    }
    return fd;
}
