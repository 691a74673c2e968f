/*
 * raw-net - the workloads between two processes, for sockets and nothing else:
 * what is left when all that a runtime does is taken away.
 *
 *   raw-net NAME [transport=tcp|ipc] [pin=0|1] [n=COUNT]
 *
 * Small messages are written 64 KiB at a time, large ones one at a time; the
 * sockets do not block, and epoll tells when they can go on. The reader looks
 * at each message's length and number.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peers/net/pair.h"

enum { WRITE_BYTES = 64 * 1024 };

typedef struct stream {
    int fd, epoll;
    uint32_t awaited; /* events */
} stream;

/* ---- a stream that does not block ---------------------------------------- */

static void await(stream *s, uint32_t events)
{
    struct epoll_event e = {.events = events};
    if (s->awaited != events &&
        epoll_ctl(s->epoll, s->awaited == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
                  s->fd, &e) != 0) {
        pair_die("epoll_ctl failed");
    }
    s->awaited = events;
    while (epoll_wait(s->epoll, &e, 1, -1) < 0) {
        if (errno != EINTR) {
            pair_die("epoll_wait failed");
        }
    }
}

static void put(stream *s, const uint8_t *data, size_t n)
{
    while (n > 0) {
        const ssize_t some = send(s->fd, data, n, MSG_NOSIGNAL);
        if (some >= 0) {
            data += some;
            n -= (size_t)some;
        } else if (errno == EAGAIN) {
            await(s, EPOLLOUT);
        } else if (errno != EINTR) {
            pair_die("writing failed");
        }
    }
}

/* At least one byte, n at most. */
static size_t get(stream *s, uint8_t *data, size_t n)
{
    for (;;) {
        const ssize_t some = recv(s->fd, data, n, 0);
        if (some > 0) {
            return (size_t)some;
        }
        if (some == 0) {
            pair_leave(BENCH_STATUS_FAILED);
        }
        if (errno == EAGAIN) {
            await(s, EPOLLIN);
        } else if (errno != EINTR) {
            pair_die("reading failed");
        }
    }
}

static void get_all(stream *s, uint8_t *data, size_t n)
{
    for (size_t at = 0; at < n;) {
        at += get(s, data + at, n - at);
    }
}

/* ---- to the other process ------------------------------------------------ */

static stream stream_of(int fd)
{
    return (stream){.fd = fd, .epoll = epoll_create1(EPOLL_CLOEXEC)};
}

static int listen_tcp(struct sockaddr_in *where)
{
    socklen_t n = sizeof *where;
    *where = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)where, n) != 0 ||
        listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)where, &n) != 0) {
        pair_die("nothing can be listened on");
    }
    return fd;
}

/* The two ends of a connection, not blocking. */
static void connect_ends(int64_t transport, int ends[2])
{
    if (transport == PAIR_IPC) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                       ends) != 0) {
            pair_die("no socket");
        }
        return;
    }
    struct sockaddr_in where;
    const int one = 1;
    const int listener = listen_tcp(&where);
    ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ends[0] < 0 ||
        connect(ends[0], (struct sockaddr *)&where, sizeof where) != 0 ||
        (ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        pair_die("no connection");
    }
    for (int i = 0; i < 2; i++) {
        if (setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) !=
                0 ||
            fcntl(ends[i], F_SETFL, O_NONBLOCK) != 0) {
            pair_die("no TCP_NODELAY");
        }
    }
    (void)close(listener);
}

static stream start(const bench *b, pair *p)
{
    int ends[2];
    connect_ends(bench_param_of(b, "transport"), ends);
    *p = pair_start(b);
    (void)close(ends[!p->is_far]);
    stream s = stream_of(ends[p->is_far]);
    if (s.epoll < 0) {
        pair_die("no epoll");
    }
    return s;
}

/* ---- one way ------------------------------------------------------------- */

static void send_small(stream *s, int64_t n, size_t size)
{
    uint8_t *frame = pair_frame(size);
    static uint8_t buffer[WRITE_BYTES];
    size_t len = 0;
    for (int64_t i = 0; i < n; i++) {
        if (len + PAIR_HEAD + size > sizeof buffer) {
            put(s, buffer, len);
            len = 0;
        }
        pair_set_number(frame, i);
        memcpy(buffer + len, frame, PAIR_HEAD + size);
        len += PAIR_HEAD + size;
    }
    put(s, buffer, len);
    free(frame);
}

static void send_large(stream *s, int64_t n, size_t size)
{
    uint8_t *frame = pair_frame(size);
    for (int64_t i = 0; i < n; i++) {
        pair_set_number(frame, i);
        put(s, frame, PAIR_HEAD + size);
    }
    free(frame);
}

static bool is_large(size_t size)
{
    return PAIR_HEAD + size > WRITE_BYTES;
}

static void receive(stream *s, int64_t n, size_t size)
{
    /* Not beyond a large message, so that none has to be moved. */
    const size_t cap = is_large(size) ? PAIR_HEAD + size : WRITE_BYTES;
    uint8_t *buffer = malloc(cap);
    size_t len = 0;
    if (buffer == NULL) {
        pair_die("no memory");
    }
    for (int64_t next = 0; next < n;) {
        len += get(s, buffer + len, cap - len);
        const size_t taken = pair_take(buffer, len, size, &next);
        len -= taken;
        memmove(buffer, buffer + taken, len);
    }
    free(buffer);
}

static int run_flow(bench *b, size_t size)
{
    const int64_t n = bench_param_of(b, "n");
    const int64_t parts[] = {n / 10 + 1, n}; /* the first one to warm up */
    char done = 1;
    pair p;
    stream s = start(b, &p);
    for (int i = 0; i < 2; i++) {
        if (p.is_far) {
            receive(&s, parts[i], size);
            pair_write(&p, &done, 1);
            continue;
        }
        bench_begin(b);
        if (is_large(size)) {
            send_large(&s, parts[i], size);
        } else {
            send_small(&s, parts[i], size);
        }
        pair_read(&p, &done, 1);
    }
    if (p.is_far) {
        pair_read(&p, &done, 1); /* until the other has ended */
    }
    pair_report_flow(b, "raw", size, n, bench_now_ns() - b->t0_ns);
    return 0;
}

static int run_32(bench *b)
{
    return run_flow(b, PAIR_SMALL);
}

static int run_64k(bench *b)
{
    return run_flow(b, (size_t)64 * 1024);
}

static int run_1m(bench *b)
{
    return run_flow(b, (size_t)1024 * 1024);
}

/* ---- round trips --------------------------------------------------------- */

static _Noreturn void answer(stream *s)
{
    uint8_t message[PAIR_HEAD + PAIR_SMALL];
    for (;;) {
        get_all(s, message, sizeof message);
        put(s, message, sizeof message);
    }
}

static int run_rtt32(bench *b)
{
    const int64_t n = bench_param_of(b, "n");
    int64_t *ns = calloc((size_t)n, sizeof *ns);
    uint8_t *frame = pair_frame(PAIR_SMALL);
    uint8_t back[PAIR_HEAD + PAIR_SMALL];
    pair p;
    stream s = start(b, &p);
    if (ns == NULL) {
        pair_die("no memory");
    }
    if (p.is_far) {
        answer(&s);
    }
    for (int64_t i = -PAIR_WARM; i < n; i++) {
        const int64_t t0 = bench_now_ns();
        if (i == 0) {
            bench_begin(b);
        }
        pair_set_number(frame, i);
        put(&s, frame, sizeof back);
        get_all(&s, back, sizeof back);
        if (memcmp(frame, back, sizeof back) != 0) {
            pair_die("an answer is wrong");
        }
        if (i >= 0) {
            ns[i] = bench_now_ns() - t0;
        }
    }
    pair_report_times(b, "raw", ns, n, bench_now_ns() - b->t0_ns);
    return 0;
}

/* ---- the program --------------------------------------------------------- */

static const workload workloads[] = {
    {"oneway32", {{"transport", 0}, {"n", 20000000}, {"pin", 0}}, run_32},
    {"oneway64k", {{"transport", 0}, {"n", 100000}, {"pin", 0}}, run_64k},
    {"oneway1m", {{"transport", 0}, {"n", 5000}, {"pin", 0}}, run_1m},
    {"rtt32", {{"transport", 0}, {"n", 20000}, {"pin", 0}}, run_rtt32},
    {0},
};

static int run(bench *b, const workload *w)
{
    pair_leave(w->run(b)); /* with 0: it has died of all else */
}

int main(int argc, char **argv)
{
    const workload *const groups[] = {workloads, NULL};
    const bench_choice choices[] = {
        {"transport", PAIR_TRANSPORTS}, {"pin", "0|1"}, {0}};
    return bench_main(&(bench_program){.title = "raw-net",
                                       .impl = "raw",
                                       .groups = groups,
                                       .choices = choices,
                                       .workers_max = 1,
                                       .run = run},
                      argc, argv);
}
