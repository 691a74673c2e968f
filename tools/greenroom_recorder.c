/* tools/greenroom_recorder.c - prints the files of flight recorders. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

static int fail(const char *path, const char *why)
{
    (void)fprintf(stderr, "greenroom-recorder: %s: %s\n", path, why);
    return STATUS_FAILED;
}

static const char *reason(int rc)
{
    switch (rc) {
    case GR_EFORMAT:
        return "is no recorder's file, or is damaged";
    case GR_EVERSION:
        return "is of another version of greenroom, or another machine";
    default:
        return gr_strerror(rc);
    }
}

/* Not mapped: a file that shrinks while it is read would be a SIGBUS. */
static int print(const char *path, int fd)
{
    /* 64 workers are less than 2 MiB. */
    static _Alignas(8) unsigned char image[4 << 20];
    size_t size = 0;
    while (size < sizeof image) {
        const ssize_t n = read(fd, image + size, sizeof image - size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(path, strerrordesc_np(errno));
        }
        if (n == 0) {
            break;
        }
        size += (size_t)n;
    }
    const int rc = gr_recorder_print(image, size, STDOUT_FILENO);
    return rc == 0 ? 0 : fail(path, reason(rc));
}

int main(int argc, char **argv)
{
    if (argc < 2 || argv[1][0] == '-') {
        (void)fprintf(stderr, "usage: greenroom-recorder FILE...\n"
                              "Prints what a flight recorder's file says of "
                              "the process that wrote it.\n");
        return STATUS_USAGE;
    }
    int status = 0;
    for (int i = 1; i < argc; i++) {
        const int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            status = fail(argv[i], strerrordesc_np(errno));
            continue;
        }
        const int failed = print(argv[i], fd);
        (void)close(fd); /* nothing was written */
        status = failed != 0 ? failed : status;
    }
    return status;
}
