/*
 * nng-net - the workloads between two processes, for NNG's byte streams and
 * nothing else.
 *
 *   nng-net NAME [transport=tcp|ipc] [pin=0|1] [n=COUNT]
 *
 * Messages are appended to an outbox, one call each, while the outbox before it
 * is sent; one send and one receive are in flight. What is received is looked
 * at in NNG's callback, and answered there.
 */
#include <arpa/inet.h>
#include <nng/nng.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/net/pair.h"

enum {
    OUTBOX_MIN = 256 * 1024, /* bytes, where messages are small */
    URL_MAX = 128
};

/* One end of the connection. The receiver's fields belong to its callback. */
typedef struct end {
    nng_stream *stream;
    nng_aio *sending, *receiving;
    size_t size; /* of each message */
    bool is_far, is_talk;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t cap; /* of each of the three buffers */
    uint8_t *out, *flying, *in;
    size_t out_len, flying_len, flying_at, in_len;
    bool is_flying;

    int64_t received; /* messages; under the lock where is_talk */
    int64_t wanted;   /* of a flow: then the other is told */
    const pair *pair;

    int64_t *ns; /* of a talk */
    int64_t t0_ns, n, first_ns, last_ns;
    uint8_t *frame;
} end;

static void must(int rc)
{
    if (rc != 0) {
        pair_die(nng_strerror(rc));
    }
}

/* ---- sending ------------------------------------------------------------- */

/* What is in the outbox flies from now on. Under lock. */
static void take_off(end *e)
{
    uint8_t *sent = e->flying;
    e->flying = e->out;
    e->flying_len = e->out_len;
    e->flying_at = 0;
    e->out = sent;
    e->out_len = 0;
    e->is_flying = true;
}

/* Not under lock: NNG may call back from in here. */
static void fly(end *e)
{
    const nng_iov rest = {.iov_buf = e->flying + e->flying_at,
                          .iov_len = e->flying_len - e->flying_at};
    must(nng_aio_set_iov(e->sending, 1, &rest));
    nng_stream_send(e->stream, e->sending);
}

static void post(end *e, const uint8_t *data, size_t n)
{
    (void)pthread_mutex_lock(&e->lock);
    while (e->out_len + n > e->cap) {
        (void)pthread_cond_wait(&e->changed, &e->lock);
    }
    memcpy(e->out + e->out_len, data, n);
    e->out_len += n;
    const bool begins = !e->is_flying;
    if (begins) {
        take_off(e);
    }
    (void)pthread_mutex_unlock(&e->lock);
    if (begins) {
        fly(e);
    }
}

static void on_sent(void *arg)
{
    end *e = arg;
    if (nng_aio_result(e->sending) != 0) {
        return; /* the other has ended; who waits learns it from the pipe */
    }
    e->flying_at += nng_aio_count(e->sending);
    bool goes_on = e->flying_at < e->flying_len;
    if (!goes_on) {
        (void)pthread_mutex_lock(&e->lock);
        e->is_flying = false;
        goes_on = e->out_len > 0;
        if (goes_on) {
            take_off(e);
        }
        (void)pthread_cond_broadcast(&e->changed);
        (void)pthread_mutex_unlock(&e->lock);
    }
    if (goes_on) {
        fly(e);
    }
}

/* ---- receiving ----------------------------------------------------------- */

static void receive(end *e)
{
    const nng_iov room = {.iov_buf = e->in + e->in_len,
                          .iov_len = e->cap - e->in_len};
    must(nng_aio_set_iov(e->receiving, 1, &room));
    nng_stream_recv(e->stream, e->receiving);
}

static void ask(end *e, int64_t number)
{
    pair_set_number(e->frame, number);
    e->t0_ns = bench_now_ns();
    post(e, e->frame, PAIR_HEAD + e->size);
}

/* The first end's: one round trip is over. */
static void answered(end *e, int64_t number)
{
    const int64_t now_ns = bench_now_ns();
    const int64_t i = number - PAIR_WARM;
    if (i >= 0) {
        e->ns[i] = now_ns - e->t0_ns;
    }
    if (i == -1) {
        e->first_ns = now_ns;
    }
    if (i + 1 < e->n) {
        ask(e, number + 1);
        return;
    }
    (void)pthread_mutex_lock(&e->lock);
    e->last_ns = now_ns;
    (void)pthread_cond_broadcast(&e->changed);
    (void)pthread_mutex_unlock(&e->lock);
}

static void on_received(void *arg)
{
    end *e = arg;
    char done = 1;
    if (nng_aio_result(e->receiving) != 0) {
        return;
    }
    e->in_len += nng_aio_count(e->receiving);
    const int64_t before = e->received;
    const size_t taken = pair_take(e->in, e->in_len, e->size, &e->received);
    if (e->is_talk && e->is_far && taken > 0) {
        post(e, e->in, taken);
    }
    e->in_len -= taken;
    memmove(e->in, e->in + taken, e->in_len);
    if (e->is_talk && !e->is_far && e->received > before) {
        answered(e, before);
    }
    if (!e->is_talk && e->received == e->wanted) {
        e->received = 0;
        e->wanted = e->n;
        pair_write(e->pair, &done, 1);
    }
    receive(e);
}

/* ---- to the other process ------------------------------------------------ */

static nng_stream *stream_of(nng_aio *aio)
{
    nng_aio_wait(aio);
    must(nng_aio_result(aio));
    nng_stream *stream = nng_aio_get_output(aio, 0);
    nng_aio_free(aio);
    return stream;
}

/* Only the second process is still there when the folder may go. */
static nng_stream *accept_one(const pair *p, int64_t transport)
{
    char folder[] = "/tmp/nng-net-XXXXXX";
    char url[URL_MAX] = "tcp://127.0.0.1:0";
    nng_stream_listener *listener;
    nng_sockaddr where;
    nng_aio *aio;
    if (transport == PAIR_IPC) {
        if (mkdtemp(folder) == NULL) {
            pair_die("no folder");
        }
        (void)snprintf(url, sizeof url, "ipc://%s/end", folder);
    }
    must(nng_stream_listener_alloc(&listener, url));
    must(nng_stream_listener_listen(listener));
    if (transport == PAIR_TCP) {
        must(nng_stream_listener_set_bool(listener, NNG_OPT_TCP_NODELAY, true));
        must(nng_stream_listener_get_addr(listener, NNG_OPT_LOCADDR, &where));
        (void)snprintf(url, sizeof url, "tcp://127.0.0.1:%u",
                       ntohs(where.s_in.sa_port));
    }
    pair_write(p, url, sizeof url);
    must(nng_aio_alloc(&aio, NULL, NULL));
    nng_stream_listener_accept(listener, aio);
    nng_stream *stream = stream_of(aio);
    if (transport == PAIR_IPC) {
        (void)unlink(strchr(url, '/') + 2);
        (void)rmdir(folder);
    }
    return stream;
}

static nng_stream *dial(const pair *p)
{
    char url[URL_MAX];
    nng_stream_dialer *dialer;
    nng_aio *aio;
    pair_read(p, url, sizeof url);
    must(nng_stream_dialer_alloc(&dialer, url));
    if (strncmp(url, "tcp", 3) == 0) {
        must(nng_stream_dialer_set_bool(dialer, NNG_OPT_TCP_NODELAY, true));
    }
    must(nng_aio_alloc(&aio, NULL, NULL));
    nng_stream_dialer_dial(dialer, aio);
    return stream_of(aio);
}

static uint8_t *buffer(const end *e)
{
    uint8_t *p = malloc(e->cap);
    if (p == NULL) {
        pair_die("no memory");
    }
    return p;
}

/* NNG is used from here on only: it has threads, which a fork would lose. */
static void start(end *e, const bench *b, pair *p)
{
    const size_t frame = PAIR_HEAD + e->size;
    *p = pair_start(b);
    e->pair = p;
    e->is_far = p->is_far;
    e->n = bench_param_of(b, "n");
    e->frame = pair_frame(e->size);
    e->cap = 2 * frame > OUTBOX_MIN ? 2 * frame : OUTBOX_MIN;
    e->out = buffer(e);
    e->flying = buffer(e);
    e->in = buffer(e);
    if (pthread_mutex_init(&e->lock, NULL) != 0 ||
        pthread_cond_init(&e->changed, NULL) != 0) {
        pair_die("no lock");
    }
    must(nng_aio_alloc(&e->sending, on_sent, e));
    must(nng_aio_alloc(&e->receiving, on_received, e));
    e->stream =
        p->is_far ? accept_one(p, bench_param_of(b, "transport")) : dial(p);
}

/* The second process waits for the end of the first. */
static _Noreturn void serve(end *e)
{
    char more;
    receive(e);
    pair_read(e->pair, &more, 1);
    pair_leave(BENCH_STATUS_FAILED); /* nothing more was to come */
}

/* ---- the workloads ------------------------------------------------------- */

static int run_flow(bench *b, size_t size)
{
    static end e;
    const int64_t n = bench_param_of(b, "n");
    const int64_t parts[] = {n / 10 + 1, n}; /* the first one to warm up */
    char done;
    pair p;
    e.size = size;
    e.wanted = parts[0];
    start(&e, b, &p);
    if (p.is_far) {
        serve(&e);
    }
    for (int i = 0; i < 2; i++) {
        bench_begin(b);
        for (int64_t k = 0; k < parts[i]; k++) {
            pair_set_number(e.frame, k);
            post(&e, e.frame, PAIR_HEAD + size);
        }
        pair_read(&p, &done, 1);
    }
    pair_report_flow(b, "nng", size, n, bench_now_ns() - b->t0_ns);
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

static int run_rtt32(bench *b)
{
    static end e;
    pair p;
    e.size = PAIR_SMALL;
    e.is_talk = true;
    e.ns = calloc((size_t)bench_param_of(b, "n"), sizeof *e.ns);
    if (e.ns == NULL) {
        pair_die("no memory");
    }
    start(&e, b, &p);
    if (p.is_far) {
        serve(&e);
    }
    receive(&e);
    ask(&e, 0);
    (void)pthread_mutex_lock(&e.lock);
    while (e.last_ns == 0) {
        (void)pthread_cond_wait(&e.changed, &e.lock);
    }
    (void)pthread_mutex_unlock(&e.lock);
    pair_report_times(b, "nng", e.ns, e.n, e.last_ns - e.first_ns);
    return 0;
}

/* ---- the program --------------------------------------------------------- */

static const workload workloads[] = {
    {"oneway32", {{"transport", 0}, {"n", 10000000}, {"pin", 0}}, run_32},
    {"oneway64k", {{"transport", 0}, {"n", 50000}, {"pin", 0}}, run_64k},
    {"oneway1m", {{"transport", 0}, {"n", 3000}, {"pin", 0}}, run_1m},
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
    return bench_main(&(bench_program){.title = "nng-net",
                                       .impl = "nng",
                                       .groups = groups,
                                       .choices = choices,
                                       .workers_max = 1,
                                       .run = run},
                      argc, argv);
}
