/*
 * tests/transport/kinds.h - a stage for links: two ends and a place to listen,
 * of any kind. Callbacks note what they were told in a struct with a lock; the
 * test waits for the notes, never for time. With a simulated link, to wait is
 * to step virtual time.
 *
 * Every test also proves what holds of all: one callback for each operation,
 * and none after `closed`.
 */
#ifndef TESTS_TRANSPORT_KINDS_H
#define TESTS_TRANSPORT_KINDS_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* needs the headers above */

#include <greenroom/base.h>
#include <greenroom/error.h>

#include "base/memory.h"
#include "tests/transport/certificates.h"
#include "transport/link.h"
#include "transport/sim_net.h"
#include "transport/tls.h"

enum { BUF = 1 << 16 };

/* Who closes it, and where. */
enum { IN_OPENED = 1, IN_RECEIVED = 2, IN_SENT = 4, IN_ACCEPTED = 8 };

/* What one end was told. */
typedef struct end {
    struct stage *stage;
    gri_link *link;
    bool opened, closed;
    int open_rc;
    bool receiving, sending; /* started, and not told yet */
    int receives, sends;     /* done */
    int64_t received, sent;  /* of the last one */
    size_t rx_size, tx_size; /* asked for */
    unsigned close_in;
    bool send_again; /* in `sent`, the same */
    const uint8_t *tx;
    uint8_t buf[BUF];
} end;

typedef struct stage {
    const gri_link_ops *ops;
    const char *scheme;
    char folder[64];
    char address[128];
    gri_clock clock;
    gr_sim_net *net; /* NULL: real time */
    gri_tls *tls;    /* NULL: without */
    gri_poller poller;
    pthread_t polls; /* the thread that does what workers do else */
    atomic_bool over;
    gri_keeper keeper;
    gri_port *port;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    end here, there; /* the dialed and the accepted end */
    int accepts;
    bool refuse;        /* accepted links are closed as they are */
    const char *broken; /* what no kind of link may do */
} stage;

static inline void note(stage *s)
{
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Under lock. */
static inline void check(stage *s, bool good, const char *rule)
{
    s->broken = good || s->broken != NULL ? s->broken : rule;
}

static inline void start_recv(end *e, void *buf, size_t n)
{
    pthread_mutex_lock(&e->stage->lock);
    e->receiving = true;
    e->rx_size = n;
    pthread_mutex_unlock(&e->stage->lock);
    e->link->ops->recv(e->link, buf, n);
}

static inline bool in_range(const end *e, int64_t n, size_t asked)
{
    return n == GR_ENOCONN || (n == GR_EDENIED && e->stage->tls != NULL) ||
           (n >= 1 && (size_t)n <= asked);
}

static inline void on_opened(void *arg, int rc)
{
    end *e = arg;
    if ((e->close_in & IN_OPENED) != 0) {
        e->link->ops->close(e->link);
    }
    pthread_mutex_lock(&e->stage->lock);
    check(e->stage, !e->opened && !e->closed, "opened once, before closed");
    e->opened = true;
    e->open_rc = rc;
    note(e->stage);
}

static inline void on_received(void *arg, int64_t n)
{
    end *e = arg;
    if ((e->close_in & IN_RECEIVED) != 0) {
        e->link->ops->close(e->link);
    }
    pthread_mutex_lock(&e->stage->lock);
    check(e->stage, e->receiving && !e->closed, "one received for each recv");
    check(e->stage, in_range(e, n, e->rx_size), "received 1 to n bytes");
    e->receiving = false;
    e->receives++;
    e->received = n;
    note(e->stage);
}

/* Returns whether it is to be sent again. */
static inline bool note_sent(end *e, int64_t n)
{
    pthread_mutex_lock(&e->stage->lock);
    check(e->stage, e->sending && !e->closed, "one sent for each send");
    check(e->stage, in_range(e, n, e->tx_size), "sent 1 to n bytes");
    e->sending = false;
    e->sends++;
    e->sent = n;
    const bool again = e->send_again && n > 0;
    note(e->stage);
    return again;
}

/* What could be done at once counts as told, but is no event: closed may come
 * as soon as the link is closed. */
static inline void start_send(end *e, const void *buf, size_t n)
{
    bool again = true;
    while (again) {
        pthread_mutex_lock(&e->stage->lock);
        e->sending = true;
        e->tx = buf;
        e->tx_size = n;
        pthread_mutex_unlock(&e->stage->lock);
        const int64_t done = e->link->ops->send(e->link, buf, n);
        if (done == 0) {
            return;
        }
        again = note_sent(e, done);
        if ((e->close_in & IN_SENT) != 0) {
            e->link->ops->close(e->link);
        }
    }
}

static inline void on_sent(void *arg, int64_t n)
{
    end *e = arg;
    if ((e->close_in & IN_SENT) != 0) {
        e->link->ops->close(e->link);
    }
    if (note_sent(e, n)) {
        start_send(e, e->tx, e->tx_size);
    }
}

static inline void on_closed(void *arg)
{
    end *e = arg;
    pthread_mutex_lock(&e->stage->lock);
    check(e->stage, !e->closed, "closed once");
    e->closed = true;
    note(e->stage);
}

static const gri_link_events events = {.opened = on_opened,
                                       .received = on_received,
                                       .sent = on_sent,
                                       .closed = on_closed};

static inline void on_accepted(void *arg, gri_link *link)
{
    stage *s = arg;
    bool close = s->refuse || (s->there.close_in & IN_ACCEPTED) != 0;
    pthread_mutex_lock(&s->lock);
    check(s, s->port != NULL, "nothing accepted behind unlisten");
    if (!s->refuse) {
        gri_link_attach(link, &events, &s->there);
        s->there.link = link;
        s->there.opened = true;
    }
    s->accepts++;
    note(s);
    if (close) {
        link->ops->close(link);
    }
}

/* Waits until the condition holds. */
#define AWAIT(s, condition)                                                    \
    do {                                                                       \
        if ((s)->net != NULL) {                                                \
            while (!(condition)) {                                             \
                assert_true(gri_world_step(&(s)->net->world, GRI_NEVER));      \
            }                                                                  \
            break;                                                             \
        }                                                                      \
        pthread_mutex_lock(&(s)->lock);                                        \
        while (!(condition)) {                                                 \
            pthread_cond_wait(&(s)->changed, &(s)->lock);                      \
        }                                                                      \
        pthread_mutex_unlock(&(s)->lock);                                      \
    } while (0)

static inline void reset(end *e, stage *s)
{
    e->stage = s;
    e->link = NULL;
    e->opened = e->closed = e->send_again = false;
    e->receiving = e->sending = false;
    e->close_in = 0;
    e->open_rc = e->receives = e->sends = 0;
    e->received = e->sent = 0;
}

static inline void *poll_all(void *arg)
{
    stage *s = arg;
    /* relaxed: the join orders the rest. */
    while (!atomic_load_explicit(&s->over, memory_order_relaxed)) {
        if (!gri_poller_take(&s->poller)) {
            sched_yield(); /* an unlisten helps itself */
            continue;
        }
        if (gri_poller_wait(&s->poller, GRI_NEVER)) {
            gri_poller_tell(&s->poller, NULL);
        }
        gri_poller_give(&s->poller);
    }
    return NULL;
}

static inline bool has_ports(const stage *s)
{
    return strcmp(s->scheme, "tcp") == 0 || strcmp(s->scheme, "tls+tcp") == 0;
}

static inline int start_poller(stage *s)
{
    GR_TRY(gri_poller_init(&s->poller, &s->clock));
    GR_TRY(gri_poller_open(&s->poller));
    return pthread_create(&s->polls, NULL, poll_all, s) == 0 ? 0 : GR_EIO;
}

static inline void stop_poller(stage *s)
{
    /* relaxed: as above; the wake makes it look. */
    atomic_store_explicit(&s->over, true, memory_order_relaxed);
    gri_poller_wake(&s->poller);
    pthread_join(s->polls, NULL);
    gri_poller_fini(&s->poller);
}

static inline int start_keeper(stage *s, bool in_world)
{
    if (!in_world) {
        GR_TRY(start_poller(s));
        return gri_keeper_start(&s->keeper, &s->clock, &s->poller, NULL, NULL);
    }
    const gr_sim_line line = {.delay_min_ms = 1, .delay_max_ms = 5};
    GR_TRY(gr_sim_net_new(1, &s->net));
    GR_TRY(gr_sim_net_line(s->net, GR_SIM_ALL, GR_SIM_ALL, &line));
    return gri_keeper_start_in(&s->keeper, &s->net->world, 1, NULL, NULL);
}

/* A certificate that both ends show; made once for all tests. */
static inline int start_tls(stage *s)
{
    const papers p = papers_of("node", "ours");
    gri_tls_fault wrong;
    return gri_tls_new(&(gr_node_opts){.certificate_file = p.certificate,
                                       .key_file = p.key,
                                       .authority_file = p.authority},
                       &s->tls, &wrong);
}

/* ops: NULL: those that such an address is for. */
static inline int setup_as(void **state, const char *scheme,
                           const gri_link_ops *ops)
{
    stage *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return -1;
    }
    s->scheme = scheme;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    reset(&s->here, s);
    reset(&s->there, s);
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/gr-link-XXXXXX");
    if (mkdtemp(s->folder) == NULL) {
        return -1;
    }
    if (strcmp(scheme, "ipc") == 0) {
        (void)snprintf(s->address, sizeof s->address, "ipc://%s/s", s->folder);
    } else if (has_ports(s)) {
        (void)snprintf(s->address, sizeof s->address, "%s://127.0.0.1:0",
                       scheme);
    } else {
        (void)snprintf(s->address, sizeof s->address, "%s://%s", scheme,
                       s->folder + strlen("/tmp/"));
    }
    s->ops = ops != NULL ? ops : gri_link_ops_for(s->address);
    *state = s;
    if (strcmp(scheme, "tls+tcp") == 0) {
        GR_TRY(start_tls(s));
    }
    return start_keeper(s, strcmp(scheme, "sim") == 0);
}

static inline int setup(void **state, const char *scheme)
{
    return setup_as(state, scheme, NULL);
}

static inline int setup_nng_tcp(void **state)
{
    return setup_as(state, "tcp", &gri_link_nng);
}

static inline int setup_nng_tls(void **state)
{
    return setup_as(state, "tls+tcp", &gri_link_nng);
}

static inline int setup_nng_ipc(void **state)
{
    return setup_as(state, "ipc", &gri_link_nng);
}

static inline int setup_tcp(void **state)
{
    return setup(state, "tcp");
}

static inline int setup_ipc(void **state)
{
    return setup(state, "ipc");
}

static inline int setup_tls(void **state)
{
    return setup(state, "tls+tcp");
}

static inline int setup_local(void **state)
{
    return setup(state, "local");
}

static inline int setup_sim(void **state)
{
    return setup(state, "sim");
}

static inline void unlisten(stage *s)
{
    gri_port *port = s->port;
    s->ops->unlisten(port);
    pthread_mutex_lock(&s->lock);
    s->port = NULL;
    pthread_mutex_unlock(&s->lock);
}

static inline int teardown(void **state)
{
    stage *s = *state;
    if (s->port != NULL) {
        unlisten(s);
    }
    gri_keeper_stop(&s->keeper);
    if (s->net == NULL) {
        stop_poller(s);
    }
    const char *broken = s->broken;
    if (broken != NULL) {
        print_error("%s: %s\n", s->scheme, broken);
    }
    if (s->net != NULL) {
        gr_sim_net_free(s->net);
    }
    gri_tls_free(s->tls);
    rmdir(s->folder);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
    return broken == NULL ? 0 : -1;
}

static inline int listen_at(stage *s, const char *address, gri_port **out)
{
    if (s->tls != NULL) {
        return s->ops->listen_tls(&s->keeper, s->tls, address, on_accepted, s,
                                  out);
    }
    return s->ops->listen(&s->keeper, address, on_accepted, s, out);
}

static inline void listen_on(stage *s)
{
    gri_port *port = NULL;
    pthread_mutex_lock(&s->lock);
    int rc = listen_at(s, s->address, &port);
    s->port = port;
    pthread_mutex_unlock(&s->lock);
    assert_int_equal(rc, 0);
    const int n =
        snprintf(s->address, sizeof s->address, "%s", s->ops->address(s->port));
    assert_in_range(n, 1, sizeof s->address - 1);
}

static inline void dial_as(stage *s, end *e, int64_t timeout_ms)
{
    char address[sizeof s->address + 16];
    const char *place = strstr(s->address, "://") + strlen("://");
    (void)snprintf(address, sizeof address, "%s://%s%s", s->scheme,
                   s->tls != NULL ? "node@" : "", place);
    const gri_dial d = {.address = address,
                        .timeout_ms = timeout_ms,
                        .tls = s->tls,
                        .events = &events,
                        .arg = e};
    assert_int_equal(s->ops->dial(&s->keeper, &d, &e->link), 0);
}

static inline void dial(stage *s, int64_t timeout_ms)
{
    dial_as(s, &s->here, timeout_ms);
}

static inline void open_pair(stage *s)
{
    dial(s, 30000);
    AWAIT(s, s->here.opened && s->there.opened);
    assert_int_equal(s->here.open_rc, 0);
}

static inline void close_end(stage *s, end *e)
{
    s->ops->close(e->link);
    AWAIT(s, e->closed);
}

/* Each test with each kind. */
#define ON_ALL(test)                                                           \
    cmocka_unit_test_setup_teardown(test, setup_tcp, teardown),                \
        cmocka_unit_test_setup_teardown(test, setup_ipc, teardown),            \
        cmocka_unit_test_setup_teardown(test, setup_nng_tcp, teardown),        \
        cmocka_unit_test_setup_teardown(test, setup_nng_ipc, teardown),        \
        cmocka_unit_test_setup_teardown(test, setup_nng_tls, teardown),        \
        cmocka_unit_test_setup_teardown(test, setup_tls, teardown),            \
        cmocka_unit_test_setup_teardown(test, setup_local, teardown),          \
        cmocka_unit_test_setup_teardown(test, setup_sim, teardown)

#endif /* TESTS_TRANSPORT_KINDS_H */
