/* transport/file.c - see file.h. */
#include "transport/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include <greenroom/error.h>

static int check_owner(int fd, gri_privacy privacy)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return GR_EIO;
    }
    mode_t others =
        privacy == GRI_FILE_SECRET ? S_IRWXG | S_IRWXO : S_IWGRP | S_IWOTH;
    bool ours = st.st_uid == geteuid() || st.st_uid == 0;
    bool shut = (st.st_mode & others) == 0;
    return S_ISREG(st.st_mode) && ours && shut ? 0 : GR_EDENIED;
}

/* Reads all, at most size bytes. Returns their number. */
static int64_t read_all(int fd, uint8_t *buf, size_t size)
{
    size_t n = 0;
    while (n < size) {
        ssize_t got = read(fd, buf + n, size - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return GR_EIO;
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    return (int64_t)n;
}

int64_t gri_file_read(const char *file, gri_privacy privacy, uint8_t *buf,
                      size_t size)
{
    /* NONBLOCK: a pipe in the file's place must not hold the program up. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        switch (errno) {
        case ENOENT:
        case ENOTDIR:
            return GR_ENOENT;
        case EACCES:
            return GR_EDENIED;
        default:
            return GR_EIO;
        }
    }
    int rc = check_owner(fd, privacy);
    int64_t n = rc < 0 ? rc : read_all(fd, buf, size);
    (void)close(fd); /* only read from */
    return n;
}
