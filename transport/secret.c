/* transport/secret.c - see secret.h. */
#include "transport/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_owner(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return GR_EIO;
    }
    bool ours = st.st_uid == geteuid() || st.st_uid == 0;
    bool shut = (st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
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

static int key_of(uint8_t key[GRI_KEY_BYTES], gr_bytes secret)
{
    if (secret.len < GR_SECRET_MIN || secret.len > GR_SECRET_MAX) {
        return GR_EINVAL;
    }
    gri_handshake_key(key, secret);
    return 0;
}

static int key_of_file(uint8_t key[GRI_KEY_BYTES], const char *file)
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
    uint8_t buf[GR_SECRET_MAX + 2]; /* a newline, and to see one too many */
    int rc = check_owner(fd);
    int64_t n = rc < 0 ? rc : read_all(fd, buf, sizeof buf);
    (void)close(fd); /* only read from */
    if (n > 0 && buf[n - 1] == '\n') {
        n--;
    }
    if (n >= 0) {
        rc = key_of(key, (gr_bytes){buf, (uint32_t)n});
    } else {
        rc = (int)n;
    }
    explicit_bzero(buf, sizeof buf);
    return rc;
}

int gri_secret_key(uint8_t key[GRI_KEY_BYTES], const char *file,
                   gr_bytes secret)
{
    bool given = secret.ptr != NULL && secret.len > 0;
    if ((file != NULL) == given) {
        return GR_EINVAL;
    }
    return file != NULL ? key_of_file(key, file) : key_of(key, secret);
}
