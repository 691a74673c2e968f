/*
 * Goal:   every kind of link keeps the contract of link.h.
 * Method: one suite, run over each kind. Callbacks note what they were told in
 *         a struct with a lock; the test waits for the notes, never for time.
 */
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
#include "transport/link.h"

enum { BUF = 1 << 16 };

/* What one end was told. */
typedef struct end {
    struct stage *stage;
    gri_link *link;
    bool opened, closed;
    int open_rc;
    int receives, sends; /* done */
    int64_t received, sent;
    bool close_in_callback;
    uint8_t buf[BUF];
} end;

typedef struct stage {
    const gri_link_ops *ops;
    const char *scheme;
    char folder[64];
    char address[128];
    gri_clock clock;
    gri_poller poller;
    pthread_t polls; /* the thread that does what workers do else */
    atomic_bool over;
    gri_keeper keeper;
    gri_port *port;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    end here, there; /* the dialed and the accepted end */
    int accepts;
    bool refuse; /* accepted links are closed as they are */
} stage;

static void note(stage *s)
{
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void on_opened(void *arg, int rc)
{
    end *e = arg;
    pthread_mutex_lock(&e->stage->lock);
    e->opened = true;
    e->open_rc = rc;
    note(e->stage);
}

static void on_received(void *arg, int64_t n)
{
    end *e = arg;
    if (e->close_in_callback) {
        e->link->ops->close(e->link);
    }
    pthread_mutex_lock(&e->stage->lock);
    e->receives++;
    e->received = n;
    note(e->stage);
}

static void on_sent(void *arg, int64_t n)
{
    end *e = arg;
    pthread_mutex_lock(&e->stage->lock);
    e->sends++;
    e->sent = n;
    note(e->stage);
}

static void on_closed(void *arg)
{
    end *e = arg;
    pthread_mutex_lock(&e->stage->lock);
    e->closed = true;
    note(e->stage);
}

static const gri_link_events events = {.opened = on_opened,
                                       .received = on_received,
                                       .sent = on_sent,
                                       .closed = on_closed};

static void on_accepted(void *arg, gri_link *link)
{
    stage *s = arg;
    pthread_mutex_lock(&s->lock);
    if (s->refuse) {
        link->ops->close(link);
    } else {
        gri_link_attach(link, &events, &s->there);
        s->there.link = link;
        s->there.opened = true;
    }
    s->accepts++;
    note(s);
}

/* Waits until the condition holds. */
#define AWAIT(s, condition)                                                    \
    do {                                                                       \
        pthread_mutex_lock(&(s)->lock);                                        \
        while (!(condition)) {                                                 \
            pthread_cond_wait(&(s)->changed, &(s)->lock);                      \
        }                                                                      \
        pthread_mutex_unlock(&(s)->lock);                                      \
    } while (0)

static void reset(end *e, stage *s)
{
    e->stage = s;
    e->link = NULL;
    e->opened = e->closed = e->close_in_callback = false;
    e->open_rc = e->receives = e->sends = 0;
    e->received = e->sent = 0;
}

static void *poll_all(void *arg)
{
    stage *s = arg;
    while (!atomic_load(&s->over)) {
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

static int setup(void **state, const gri_link_ops *ops, const char *scheme)
{
    stage *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return -1;
    }
    s->ops = ops;
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
    } else if (strcmp(scheme, "local") == 0) {
        (void)snprintf(s->address, sizeof s->address, "local://%s",
                       s->folder + strlen("/tmp/"));
    } else {
        (void)snprintf(s->address, sizeof s->address, "tcp://127.0.0.1:0");
    }
    *state = s;
    if (gri_poller_init(&s->poller, &s->clock) < 0 ||
        gri_poller_open(&s->poller) < 0 ||
        pthread_create(&s->polls, NULL, poll_all, s) != 0) {
        return -1;
    }
    return gri_keeper_start(&s->keeper, &s->clock, &s->poller, NULL, NULL);
}

static int setup_socket_tcp(void **state)
{
    return setup(state, &gri_link_socket, "tcp");
}

static int setup_socket_ipc(void **state)
{
    return setup(state, &gri_link_socket, "ipc");
}

static int setup_tcp(void **state)
{
    return setup(state, &gri_link_nng, "tcp");
}

static int setup_ipc(void **state)
{
    return setup(state, &gri_link_nng, "ipc");
}

static int setup_local(void **state)
{
    return setup(state, &gri_link_local, "local");
}

static int teardown(void **state)
{
    stage *s = *state;
    if (s->port != NULL) {
        s->ops->unlisten(s->port);
    }
    gri_keeper_stop(&s->keeper);
    atomic_store(&s->over, true);
    gri_poller_wake(&s->poller);
    pthread_join(s->polls, NULL);
    gri_poller_fini(&s->poller);
    rmdir(s->folder);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
    return 0;
}

static void listen_on(stage *s)
{
    assert_int_equal(
        s->ops->listen(&s->keeper, s->address, on_accepted, s, &s->port), 0);
    assert_int_equal(s->ops->address(s->port, s->address, sizeof s->address),
                     0);
}

static void dial(stage *s, int64_t timeout_ms)
{
    const gri_dial d = {.address = s->address,
                        .timeout_ms = timeout_ms,
                        .events = &events,
                        .arg = &s->here};
    assert_int_equal(s->ops->dial(&s->keeper, &d, &s->here.link), 0);
}

static void open_pair(stage *s)
{
    dial(s, 30000);
    AWAIT(s, s->here.opened && s->there.opened);
    assert_int_equal(s->here.open_rc, 0);
}

static void close_end(stage *s, end *e)
{
    s->ops->close(e->link);
    AWAIT(s, e->closed);
}

/* What could be done at once counts as told. */
static void send_on(end *e, const void *buf, size_t n)
{
    const int64_t done = e->link->ops->send(e->link, buf, n);
    if (done != 0) {
        on_sent(e, done);
    }
}

static void bytes_go_both_ways(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);

    s->ops->recv(s->there.link, s->there.buf, BUF);
    send_on(&s->here, "question", 8);
    AWAIT(s, s->there.receives == 1 && s->here.sends == 1);
    s->ops->recv(s->here.link, s->here.buf, BUF);
    send_on(&s->there, "answer", 6);
    AWAIT(s, s->here.receives == 1 && s->there.sends == 1);

    assert_int_equal(s->here.sent, 8);
    assert_int_equal(s->there.received, 8);
    assert_memory_equal(s->there.buf, "question", 8);
    assert_int_equal(s->here.received, 6);
    assert_memory_equal(s->here.buf, "answer", 6);
    close_end(s, &s->here);
    close_end(s, &s->there);
}

static void nothing_is_lost_or_swapped_in_a_long_stream(void **state)
{
    enum { TOTAL = 4 << 20 };
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    uint8_t *out = malloc(TOTAL), *in = malloc(TOTAL);
    assert_non_null(out);
    assert_non_null(in);
    for (size_t i = 0; i < TOTAL; i++) {
        out[i] = (uint8_t)(i * 2654435761u >> 24);
    }

    size_t sent = 0, received = 0;
    int sends = 0, receives = 0;
    send_on(&s->here, out, TOTAL);
    s->ops->recv(s->there.link, in, TOTAL);
    while (received < TOTAL) {
        pthread_mutex_lock(&s->lock);
        while (s->here.sends == sends && s->there.receives == receives) {
            pthread_cond_wait(&s->changed, &s->lock);
        }
        /* One is in flight at a time: no second can be done yet. */
        int64_t went = s->here.sends > sends ? s->here.sent : 0;
        int64_t came = s->there.receives > receives ? s->there.received : 0;
        sends = s->here.sends;
        receives = s->there.receives;
        pthread_mutex_unlock(&s->lock);
        assert_true(went >= 0);
        assert_true(came >= 0);
        sent += (size_t)went;
        received += (size_t)came;
        if (went > 0 && sent < TOTAL) {
            send_on(&s->here, out + sent, TOTAL - sent);
        }
        if (came > 0 && received < TOTAL) {
            s->ops->recv(s->there.link, in + received, TOTAL - received);
        }
    }

    assert_memory_equal(in, out, TOTAL);
    close_end(s, &s->here);
    close_end(s, &s->there);
    free(out);
    free(in);
}

static void other_end_is_told_of_a_close(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    s->ops->recv(s->there.link, s->there.buf, BUF);

    close_end(s, &s->here);

    AWAIT(s, s->there.receives == 1);
    assert_int_equal(s->there.received, GR_ENOCONN);
    close_end(s, &s->there);
}

static void close_ends_what_is_in_flight(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    s->ops->recv(s->here.link, s->here.buf, BUF);

    close_end(s, &s->here);

    pthread_mutex_lock(&s->lock);
    assert_int_equal(s->here.receives, 1); /* before closed, not after */
    assert_int_equal(s->here.received, GR_ENOCONN);
    pthread_mutex_unlock(&s->lock);
    close_end(s, &s->there);
}

static void nothing_starts_once_it_closes(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    gri_link_hold(s->here.link);
    close_end(s, &s->here);

    s->ops->recv(s->here.link, s->here.buf, BUF);
    send_on(&s->here, "x", 1);
    s->ops->close(s->here.link);

    assert_int_equal(s->here.receives, 0);
    assert_int_equal(s->here.sends, 0);
    gri_link_drop(s->here.link);
    close_end(s, &s->there);
}

static void link_may_be_closed_in_its_callback(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    s->there.close_in_callback = true;
    s->ops->recv(s->there.link, s->there.buf, BUF);

    send_on(&s->here, "x", 1);

    AWAIT(s, s->there.closed);
    close_end(s, &s->here);
}

static void accepted_link_may_be_closed_as_it_is(void **state)
{
    stage *s = *state;
    s->refuse = true;
    listen_on(s);
    dial(s, 30000);
    AWAIT(s, s->here.opened && s->accepts == 1);
    assert_int_equal(s->here.open_rc, 0);

    s->ops->recv(s->here.link, s->here.buf, BUF);

    AWAIT(s, s->here.receives == 1);
    assert_int_equal(s->here.received, GR_ENOCONN);
    close_end(s, &s->here);
}

static void nobody_there_is_told(void **state)
{
    stage *s = *state;
    listen_on(s); /* for a port that was free a moment ago */
    s->ops->unlisten(s->port);
    s->port = NULL;

    dial(s, 30000);

    AWAIT(s, s->here.opened);
    assert_int_equal(s->here.open_rc, GR_ENOCONN);
    close_end(s, &s->here);
}

static void dial_may_be_closed_before_it_is_open(void **state)
{
    stage *s = *state;
    s->refuse = true;
    listen_on(s);
    /* Often, as what it may hit in NNG's own threads takes only a moment. */
    for (int i = 0; i < 500; i++) {
        reset(&s->here, s);
        dial(s, GR_FOREVER);
        close_end(s, &s->here);
        assert_true(s->here.opened);
    }
}

static void place_is_taken_once(void **state)
{
    stage *s = *state;
    gri_port *second = NULL;
    /* To tell a live socket file from a stale one, NNG connects to it. */
    s->refuse = true;
    listen_on(s);
    assert_int_equal(
        s->ops->listen(&s->keeper, s->address, on_accepted, s, &second),
        GR_EADDRESS);
    assert_null(second);
}

static void place_is_free_again_after_unlisten(void **state)
{
    stage *s = *state;
    for (int i = 0; i < 20; i++) {
        listen_on(s);
        s->ops->unlisten(s->port);
        s->port = NULL;
    }
}

static void address_has_the_real_port(void **state)
{
    stage *s = *state;
    char asked[128], small[4];
    memcpy(asked, s->address, sizeof asked);

    listen_on(s);

    assert_int_equal(s->ops->address(s->port, small, sizeof small), GR_ETOOBIG);
    assert_int_equal(gri_address_check(s->address, false), 0);
    if (strcmp(s->scheme, "tcp") != 0) {
        assert_string_equal(s->address, asked);
    } else {
        assert_string_not_equal(s->address, asked);
    }
}

static void links_come_and_go(void **state)
{
    stage *s = *state;
    listen_on(s);
    for (int i = 0; i < 300; i++) {
        reset(&s->here, s);
        reset(&s->there, s);
        open_pair(s);
        s->ops->recv(s->there.link, s->there.buf, BUF);
        s->ops->recv(s->here.link, s->here.buf, BUF);
        send_on(&s->here, "x", 1);
        end *first = i % 2 == 0 ? &s->here : &s->there;
        end *second = i % 2 == 0 ? &s->there : &s->here;
        close_end(s, first);
        close_end(s, second);
    }
    assert_int_equal(s->accepts, 300);
}

static void addresses_are_checked_by_their_form(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://:80",
        "tcp://host:",
        "tcp://host:65536",
        "tcp://host:-1",
        "tcp://host:80/path",
        "tcp://host:8x",
        "tcp://host:0000080",
        "tcp://user@host:80",
        "udp://127.0.0.1:80",
        "ipc://",
        "ipc:///",
        "ipc://relative",
        "127.0.0.1:80",
        /* 108 bytes, one too many */
        ("ipc:///1234567890123456789012345678901234567890123456789012345"
         "67890123456789012345678901234567890123456789012345678"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(gri_address_check(bad[i], true), GR_EADDRESS);
        assert_int_equal(gri_address_check(bad[i], false), GR_EADDRESS);
    }
    assert_int_equal(gri_address_check(NULL, true), GR_EADDRESS);
    assert_int_equal(gri_address_check("tcp://[::1]:7", false), 0);
    assert_int_equal(gri_address_check("tcp://example.org:65535", false), 0);
    assert_int_equal(gri_address_check("tcp://127.0.0.1:0", true), 0);
    assert_int_equal(gri_address_check("tcp://127.0.0.1:0", false),
                     GR_EADDRESS);
    assert_int_equal(gri_address_check("ipc:///run/x", true), 0);
}

#define SUITE(test)                                                            \
    cmocka_unit_test_setup_teardown(test, setup_tcp, teardown),                \
        cmocka_unit_test_setup_teardown(test, setup_ipc, teardown),            \
        cmocka_unit_test_setup_teardown(test, setup_socket_tcp, teardown),     \
        cmocka_unit_test_setup_teardown(test, setup_socket_ipc, teardown),     \
        cmocka_unit_test_setup_teardown(test, setup_local, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE(bytes_go_both_ways),
        SUITE(nothing_is_lost_or_swapped_in_a_long_stream),
        SUITE(other_end_is_told_of_a_close),
        SUITE(close_ends_what_is_in_flight),
        SUITE(nothing_starts_once_it_closes),
        SUITE(link_may_be_closed_in_its_callback),
        SUITE(accepted_link_may_be_closed_as_it_is),
        SUITE(nobody_there_is_told),
        SUITE(dial_may_be_closed_before_it_is_open),
        SUITE(place_is_taken_once),
        SUITE(place_is_free_again_after_unlisten),
        SUITE(address_has_the_real_port),
        SUITE(links_come_and_go),
        cmocka_unit_test(addresses_are_checked_by_their_form),
    };
    return cmocka_run_group_tests_name("transport/link", tests, NULL, NULL);
}
