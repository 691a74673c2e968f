/* process/launcher_wire.c - packets between a program and its launcher. */
#include "process/launcher_wire.h"

#include <errno.h>
#include <greenroom/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- requests ----------------------------------------------------------- */

int gri_request_new(const gri_launch *launch, gri_request **out)
{
    size_t size = strlen(launch->path) + 1;
    uint32_t words = 1;
    for (char *const *word = launch->argv; *word != NULL; word++) {
        size += strlen(*word) + 1;
        if (++words > GRI_LAUNCH_WORDS_MAX) {
            return GR_ETOOBIG;
        }
    }
    if (size > GRI_LAUNCH_TEXT_MAX) {
        return GR_ETOOBIG;
    }
    gri_request *r = calloc(1, offsetof(gri_request, text) + size);
    if (r == NULL) {
        return GR_ENOMEM;
    }
    r->kind = GRI_REQUEST_START;
    r->words = words;
    r->text_size = (uint32_t)size;
    r->has_control = launch->control >= 0;
    r->blocked = launch->blocked;
    char *at = stpcpy(r->text, launch->path) + 1;
    for (char *const *word = launch->argv; *word != NULL; word++) {
        at = stpcpy(at, *word) + 1;
    }
    *out = r;
    return 0;
}

/* As many strings as it says, the last one ending where the text ends. */
static bool text_ok(const gri_request *r)
{
    uint32_t words = 0;
    for (uint32_t i = 0; i < r->text_size; i++) {
        words += r->text[i] == '\0';
    }
    return r->text_size > 0 && r->text[r->text_size - 1] == '\0' &&
           words == r->words;
}

bool gri_request_ok(const gri_request_buffer *b, size_t n)
{
    const gri_request *r = &b->request;
    if (n < offsetof(gri_request, text) || n > sizeof(b->bytes) ||
        r->text_size > n || gri_request_size(r) != n || r->id == 0) {
        return false;
    }
    switch (r->kind) {
    case GRI_REQUEST_START:
        return r->has_control <= 1 && r->words > 1 &&
               r->words <= GRI_LAUNCH_WORDS_MAX && text_ok(r);
    case GRI_REQUEST_KILL:
        return r->has_control == 0 && r->words == 0 && r->text_size == 0;
    default:
        return false;
    }
}

void gri_request_words(gri_request *r, const char **path,
                       char *argv[GRI_LAUNCH_WORDS_MAX + 1])
{
    char *at = r->text;
    *path = at;
    for (uint32_t i = 0; i + 1 < r->words; i++) {
        at += strlen(at) + 1;
        argv[i] = at;
    }
    argv[r->words - 1] = NULL;
}

/* ---- packets ------------------------------------------------------------ */

/* Room for what the kernel may hand over at once, so that too many are seen and
 * not cut off: one is ours, more is nonsense. */
enum { DESCRIPTORS_MAX = 4 };

typedef union control_buffer {
    struct cmsghdr align;
    char one[CMSG_SPACE(sizeof(int))];
    char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
} control_buffer;

static int send_error(int system_error)
{
    switch (system_error) {
    case EAGAIN:
        return GR_EAGAIN;
    case ENOBUFS:
    case ENOMEM:
    case ETOOMANYREFS:
        return GR_ENOMEM;
    default:
        return GR_ENOCONN;
    }
}

int gri_packet_send(int socket, const void *p, size_t size, int fd)
{
    control_buffer control = {0};
    /* The kernel only reads what it sends. */
    struct iovec part = {.iov_base = (void *)(uintptr_t)p, .iov_len = size};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = sizeof(control.one);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ssize_t n;
    do {
        n = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? 0 : send_error(errno);
}

/* Takes the descriptors that came. Returns how many; the first is in *fd, the
 * others are closed. */
static unsigned take_descriptors(struct msghdr *header, int *fd)
{
    unsigned count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL;
         c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len;
             at += sizeof(int)) {
            int got;
            memcpy(&got, (const char *)c + at, sizeof(got));
            if (count++ == 0) {
                *fd = got;
            } else {
                (void)close(got);
            }
        }
    }
    return count;
}

ssize_t gri_packet_receive(int socket, void *p, size_t size, int *fd)
{
    control_buffer control;
    struct iovec part = {.iov_base = p, .iov_len = size};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t n;
    *fd = -1;
    do {
        n = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN ? GR_EAGAIN : GR_ENOCONN;
    }
    const unsigned count = take_descriptors(&header, fd);
    if (count > 1 || (header.msg_flags & MSG_TRUNC) != 0 ||
        (n == 0 && count > 0)) {
        if (*fd >= 0) {
            (void)close(*fd);
            *fd = -1;
        }
        return GR_EFORMAT;
    }
    return n > 0 ? n : GR_ENOCONN;
}
