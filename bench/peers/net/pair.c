/*
 * bench/peers/net/pair.c - see pair.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/common/processors.h"
#include "bench/peers/net/pair.h"

/* The other process ends by itself, as the pipe to it does. */
void pair_leave(int status)
{
    (void)fflush(stdout);
    _Exit(status);
}

void pair_die(const char *why)
{
    (void)fprintf(stderr, "net: %s\n", why);
    pair_leave(BENCH_STATUS_FAILED);
}

pair pair_start(const bench *b)
{
    int ends[2];
    if (bench_processors(bench_param_of(b, "pin") == 1) < 0) {
        pair_die("no choice of processors");
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        pair_die("no socket");
    }
    const pid_t pid = fork();
    if (pid < 0) {
        pair_die("no second process");
    }
    (void)close(ends[pid != 0]);
    return (pair){.is_far = pid == 0, .fd = ends[pid == 0]};
}

void pair_write(const pair *p, const void *data, size_t n)
{
    /* Some bytes in an empty socket: all go at once. */
    if (send(p->fd, data, n, MSG_NOSIGNAL) != (ssize_t)n) {
        pair_die("the other process has ended");
    }
}

void pair_read(const pair *p, void *data, size_t n)
{
    ssize_t got;
    do {
        got = recv(p->fd, data, n, MSG_WAITALL);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)n) {
        if (p->is_far) {
            pair_leave(0);
        }
        pair_die("the other process has ended");
    }
}

uint8_t *pair_frame(size_t size)
{
    const uint32_t length = (uint32_t)size;
    uint8_t *frame = malloc(PAIR_HEAD + size);
    if (frame == NULL) {
        pair_die("no memory");
    }
    memset(frame, 1, PAIR_HEAD + size);
    memcpy(frame, &length, PAIR_HEAD);
    return frame;
}

void pair_set_number(uint8_t *frame, int64_t number)
{
    memcpy(frame + PAIR_HEAD, &number, sizeof number);
}

size_t pair_take(const uint8_t *data, size_t n, size_t size, int64_t *next)
{
    size_t at = 0;
    while (n - at >= PAIR_HEAD) {
        uint32_t length;
        int64_t number;
        memcpy(&length, data + at, PAIR_HEAD);
        if (length != size) {
            pair_die("a message has not the length that it should have");
        }
        if (n - at < PAIR_HEAD + size) {
            break;
        }
        memcpy(&number, data + at + PAIR_HEAD, sizeof number);
        if (number != (*next)++) {
            pair_die("a message is lost, or comes out of order");
        }
        at += PAIR_HEAD + size;
    }
    return at;
}

static void report(const bench *b, const char *impl, int64_t n, int64_t ns,
                   const char *extra)
{
    bench line = *b;
    char full[64];
    char name[64];
    (void)snprintf(full, sizeof full, "%s-%s", impl,
                   bench_param_of(b, "transport") == PAIR_TCP ? "tcp" : "ipc");
    (void)snprintf(name, sizeof name, "net_%s", b->name);
    line.impl = full;
    line.workers = 1;
    bench_report(&line, name, n, ns, extra);
}

void pair_report_flow(const bench *b, const char *impl, size_t size, int64_t n,
                      int64_t ns)
{
    char extra[64];
    (void)snprintf(extra, sizeof extra, "senders=1 mb_per_s=%.1f",
                   (double)n * (double)size * 1e3 / (double)ns);
    report(b, impl, n, ns, extra);
}

void pair_report_times(const bench *b, const char *impl, int64_t *ns, int64_t n,
                       int64_t all_ns)
{
    char extra[64];
    bench_times(ns, n, extra, sizeof extra);
    report(b, impl, n, all_ns, extra);
}
