/*
 * Goal:   every kind of link keeps the contract of link.h while it opens and
 *         while it ends, whoever is in the middle of what.
 * Method: as test_link.c. That each operation is told of once and nothing
 *         behind `closed` is what the stage looks at in every callback.
 */
#include "tests/transport/kinds.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static const uint8_t block[BUF];

static void close_ends_what_is_sent_and_received(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    /* Nobody reads there: at some point it is stuck. */
    s->here.send_again = true;
    start_recv(&s->here, s->here.buf, BUF);
    start_send(&s->here, block, sizeof block);

    close_end(s, &s->here);

    pthread_mutex_lock(&s->lock);
    assert_false(s->here.receiving);
    assert_int_equal(s->here.received, GR_ENOCONN);
    assert_int_equal(s->here.receives, 1);
    pthread_mutex_unlock(&s->lock);
    close_end(s, &s->there);
}

/* What stood in flight may be freed once it is closed: the sanitizers see who
 * still touches it. */
static void memory_is_the_users_after_closed(void **state)
{
    stage *s = *state;
    listen_on(s);
    for (int i = 0; i < 50; i++) {
        reset(&s->here, s);
        reset(&s->there, s);
        open_pair(s);
        uint8_t *out = calloc(1, BUF), *in = malloc(BUF);
        assert_non_null(out);
        assert_non_null(in);
        s->here.send_again = true;
        start_recv(&s->there, in, BUF);
        start_send(&s->here, out, BUF);
        if (i % 2 == 0) { /* also while a callback starts the next */
            AWAIT(s, s->there.receives == 1);
        }
        s->ops->close(s->here.link);
        s->ops->close(s->there.link);
        AWAIT(s, s->here.closed && s->there.closed);
        free(out);
        free(in);
    }
}

static void sender_is_told_that_the_other_end_is_gone(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    s->here.send_again = true;
    start_send(&s->here, block, sizeof block);

    close_end(s, &s->there);

    AWAIT(s, s->here.sent == GR_ENOCONN);
    close_end(s, &s->here);
}

static void link_may_be_closed_in_sent(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    s->here.close_in = IN_SENT;
    start_recv(&s->there, s->there.buf, BUF);

    start_send(&s->here, "x", 1);

    AWAIT(s, s->here.closed);
    AWAIT(s, s->there.receives == 1); /* that byte, or that it is gone */
    close_end(s, &s->there);
}

static void link_may_be_closed_in_opened(void **state)
{
    stage *s = *state;
    s->refuse = true;
    listen_on(s);
    for (int i = 0; i < 50; i++) {
        reset(&s->here, s);
        s->here.close_in = IN_OPENED;

        dial(s, 30000);

        AWAIT(s, s->here.closed);
        assert_true(s->here.opened);
    }
}

/* ---- without descriptors ------------------------------------------------- */

static void count_and_close(void *arg, gri_link *link)
{
    ++*(unsigned *)arg;
    link->ops->close(link);
}

static void poll_once(gri_poller *p)
{
    assert_true(gri_poller_take(p));
    if (gri_poller_wait(p, GRI_NEVER)) {
        gri_poller_tell(p, NULL);
    }
    gri_poller_give(p);
}

/* A place whose poller the test holds, and whose links it counts and closes. */
typedef struct door {
    gri_poller poller;
    gri_keeper keeper;
    gri_port *port;
    unsigned accepted;
    struct sockaddr_un at;
} door;

static const gri_clock real_clock;

static void open_door(door *d, const gri_clock *clock, const char *address)
{
    *d = (door){.at = {.sun_family = AF_UNIX}};
    (void)snprintf(d->at.sun_path, sizeof d->at.sun_path, "%s",
                   address + strlen("ipc://"));
    assert_int_equal(gri_poller_init(&d->poller, clock), 0);
    assert_int_equal(
        gri_keeper_start(&d->keeper, &real_clock, &d->poller, NULL, NULL), 0);
    assert_int_equal(gri_link_socket.listen(&d->keeper, address,
                                            count_and_close, &d->accepted,
                                            &d->port),
                     0);
}

static int new_socket(void)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static void come_to(const door *d, int fd)
{
    assert_int_equal(connect(fd, (const struct sockaddr *)&d->at, sizeof d->at),
                     0);
}

static void close_door(door *d)
{
    gri_link_socket.unlisten(d->port);
    gri_poller_help(&d->poller); /* the links' ends */
    gri_keeper_stop(&d->keeper);
    gri_poller_fini(&d->poller);
}

/* Then there is none for a timer either; and who has connected already sends
 * nothing that would tell of it again. */
static void who_came_without_descriptors_is_accepted_later(void **state)
{
    stage *s = *state; /* its address only */
    struct rlimit before;
    door d;
    open_door(&d, &real_clock, s->address);
    const int fd = new_socket();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    come_to(&d, fd);
    poll_once(&d.poller);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(d.accepted, 0);

    while (d.accepted == 0) {
        poll_once(&d.poller);
    }
    close(fd);
    close_door(&d);
}

/* ---- a flood ------------------------------------------------------------- */

/* By the poller's clock, which stands still but for the test: 16 are accepted
 * at once, then two in each millisecond, however often it looks. */
static void a_flood_is_accepted_by_and_by(void **state)
{
    enum { CROWD = 60, AHEAD = 16, LOOKS = 20 };
    stage *s = *state; /* its address only */
    static int64_t now_ns = GRI_NS_PER_S;
    const gri_clock clock = {.is_virtual = true, .now_ns = &now_ns};
    int fds[CROWD];
    door d;
    open_door(&d, &clock, s->address);
    for (int i = 0; i < CROWD; i++) {
        fds[i] = new_socket();
        come_to(&d, fds[i]);
    }
    unsigned may = AHEAD;
    while (may < CROWD) {
        while (d.accepted < may) {
            poll_once(&d.poller);
        }
        assert_int_equal(d.accepted, may);
        for (int i = 0; i < LOOKS; i++) { /* each when the port's timer fires */
            poll_once(&d.poller);
        }
        assert_int_equal(d.accepted, may);
        now_ns += 5 * GRI_NS_PER_MS;
        may += 10;
    }
    now_ns += GRI_NS_PER_S;
    while (d.accepted < CROWD) {
        poll_once(&d.poller);
    }
    for (int i = 0; i < CROWD; i++) {
        close(fds[i]);
    }
    close_door(&d);
}

static void link_may_be_closed_as_it_is_accepted(void **state)
{
    stage *s = *state;
    s->there.close_in = IN_ACCEPTED;
    listen_on(s);
    dial(s, 30000);
    AWAIT(s, s->here.opened && s->there.closed);
    start_recv(&s->here, s->here.buf, BUF);

    AWAIT(s, s->here.receives == 1);

    assert_int_equal(s->here.received, GR_ENOCONN);
    close_end(s, &s->here);
}

static void both_ends_may_close_at_once(void **state)
{
    stage *s = *state;
    listen_on(s);
    for (int i = 0; i < 100; i++) {
        reset(&s->here, s);
        reset(&s->there, s);
        open_pair(s);
        start_recv(&s->here, s->here.buf, BUF);
        start_recv(&s->there, s->there.buf, BUF);
        gri_link_hold(s->here.link);
        s->ops->close(s->here.link);
        s->ops->close(s->there.link);
        s->ops->close(s->here.link);
        AWAIT(s, s->here.closed && s->there.closed);
        gri_link_drop(s->here.link);
        assert_int_equal(s->here.receives, 1);
        assert_int_equal(s->there.receives, 1);
    }
}

/* Some are accepted, the rest is not; none behind unlisten's back. */
static void unlisten_comes_between_dials(void **state)
{
    enum { DIALS = 20 };
    stage *s = *state;
    end *dials = calloc(DIALS, sizeof *dials);
    assert_non_null(dials);
    for (int round = 0; round < 10; round++) {
        s->refuse = true;
        listen_on(s);
        for (int i = 0; i < DIALS; i++) {
            reset(&dials[i], s);
            dial_as(s, &dials[i], 30000);
        }
        if (round % 2 == 0) {
            AWAIT(s, dials[0].opened);
        }
        unlisten(s);
        for (int i = 0; i < DIALS; i++) {
            AWAIT(s, dials[i].opened);
            if (dials[i].open_rc != GR_ENOCONN) {
                assert_int_equal(dials[i].open_rc, 0);
            }
            close_end(s, &dials[i]);
        }
    }
    free(dials);
}

static void accepted_links_live_on_after_unlisten(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    unlisten(s);
    start_recv(&s->there, s->there.buf, BUF);

    start_send(&s->here, "x", 1);

    AWAIT(s, s->there.receives == 1);
    assert_int_equal(s->there.received, 1);
    close_end(s, &s->here);
    close_end(s, &s->there);
}

static void no_more_comes_than_was_asked_for(void **state)
{
    stage *s = *state;
    listen_on(s);
    open_pair(s);
    memset(s->there.buf, 'z', sizeof s->there.buf);
    start_recv(&s->there, s->there.buf, 3);

    start_send(&s->here, block, 100);

    AWAIT(s, s->there.receives == 1);
    assert_in_range(s->there.received, 1, 3);
    assert_int_equal(s->there.buf[3], 'z');
    AWAIT(s, s->here.sends == 1);
    close_end(s, &s->here);
    close_end(s, &s->there);
}

static void bad_address_is_refused_at_once(void **state)
{
    stage *s = *state;
    gri_port *port = NULL;
    char bad[32];
    (void)snprintf(bad, sizeof bad, "%s://", s->scheme);
    const gri_dial d = {.address = bad,
                        .timeout_ms = 1,
                        .tls = s->tls,
                        .events = &events,
                        .arg = &s->here};
    assert_int_equal(s->ops->dial(&s->keeper, &d, &s->here.link), GR_EADDRESS);
    assert_int_equal(listen_at(s, bad, &port), GR_EADDRESS);
    assert_null(s->here.link);
    assert_null(port);
    assert_false(s->here.opened);
}

/* NNG may take a tcp socket that still connects for connected (link_nng.c). */
static bool is_too_early(const stage *s)
{
    return s->ops == &gri_link_nng && s->here.open_rc == 0;
}

/* A place where dials get no answer: tcp, with its queue of connects full. */
static int open_deaf(stage *s, int fds[2])
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof sa;
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fds[0], (struct sockaddr *)&sa, n) != 0 ||
        getsockname(fds[0], (struct sockaddr *)&sa, &n) != 0 ||
        listen(fds[0], 0) != 0) {
        return -1;
    }
    /* One fills it, once it stands in it. */
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd there = {.fd = fds[0], .events = POLLIN};
    if (connect(fds[1], (struct sockaddr *)&sa, n) != 0 ||
        poll(&there, 1, -1) != 1) {
        return -1;
    }
    (void)snprintf(s->address, sizeof s->address, "%s://127.0.0.1:%d",
                   s->scheme, ntohs(sa.sin_port));
    return 0;
}

static void dial_without_an_answer_times_out(void **state)
{
    stage *s = *state;
    int fds[2] = {-1, -1};
    if (s->net == NULL) {
        assert_int_equal(open_deaf(s, fds), 0);
    } else {
        listen_on(s);
        assert_int_equal(gr_sim_net_partition(s->net, GR_SIM_ALL, GR_SIM_ALL),
                         0);
    }

    dial(s, 50);

    AWAIT(s, s->here.opened);
    if (!is_too_early(s)) {
        assert_int_equal(s->here.open_rc, GR_ETIMEOUT);
    }
    close_end(s, &s->here);
    assert_int_equal(s->accepts, 0);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

static void dial_without_an_answer_may_be_closed(void **state)
{
    stage *s = *state;
    int fds[2] = {-1, -1};
    if (s->net == NULL) {
        assert_int_equal(open_deaf(s, fds), 0);
    } else {
        listen_on(s);
        assert_int_equal(gr_sim_net_partition(s->net, GR_SIM_ALL, GR_SIM_ALL),
                         0);
    }

    dial(s, GR_FOREVER);
    close_end(s, &s->here);

    assert_true(s->here.opened);
    if (!is_too_early(s)) {
        assert_int_equal(s->here.open_rc, GR_ENOCONN);
    }
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

#define ON_SLOW(test)                                                          \
    cmocka_unit_test_setup_teardown(test, setup_tcp, teardown),                \
        cmocka_unit_test_setup_teardown(test, setup_nng_tcp, teardown),        \
        cmocka_unit_test_setup_teardown(test, setup_nng_tls, teardown),        \
        cmocka_unit_test_setup_teardown(test, setup_tls, teardown),            \
        cmocka_unit_test_setup_teardown(test, setup_sim, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(close_ends_what_is_sent_and_received),
        ON_ALL(memory_is_the_users_after_closed),
        ON_ALL(sender_is_told_that_the_other_end_is_gone),
        ON_ALL(link_may_be_closed_in_sent),
        ON_ALL(link_may_be_closed_in_opened),
        ON_ALL(link_may_be_closed_as_it_is_accepted),
        cmocka_unit_test_setup_teardown(
            who_came_without_descriptors_is_accepted_later, setup_ipc,
            teardown),
        cmocka_unit_test_setup_teardown(a_flood_is_accepted_by_and_by,
                                        setup_ipc, teardown),
        ON_ALL(both_ends_may_close_at_once),
        ON_ALL(unlisten_comes_between_dials),
        ON_ALL(accepted_links_live_on_after_unlisten),
        ON_ALL(no_more_comes_than_was_asked_for),
        ON_ALL(bad_address_is_refused_at_once),
        ON_SLOW(dial_without_an_answer_times_out),
        ON_SLOW(dial_without_an_answer_may_be_closed),
    };
    return cmocka_run_group_tests_name("transport/link_edges", tests,
                                       make_certificates, remove_certificates);
}
