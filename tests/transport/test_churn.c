/*
 * Goal:   while a connection is lost again and again under traffic both ways:
 *         messages arrive in order and never twice, each monitor fires once,
 *         each ask ends, and nothing but the connection is lost.
 * Method: on each of two nodes one thread that sends numbers and one that asks,
 *         and actors that send many numbers a turn, on several workers;
 *         meanwhile the test connects, from either side, and loses the
 *         connection: by a goodbye, or at any byte of its sockets (relay.h). A
 *         number that is not larger than the one before fails its receiver,
 *         which the test watches. A lost ask would hang its thread, and so the
 *         test, for ever.
 */
#include "tests/transport/relay.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ROUNDS = 300 }; /* or CHURN_ROUNDS; every second one is a cut */

struct counter {
    int64_t last;
    int64_t count;
};

static int count_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct counter *c = state;
    int64_t n;
    if (gr_match(msg, "n", &n)) {
        if (n <= c->last) {
            gr_exit(self, GR_EFAIL, "twice, or out of order");
            return 0;
        }
        c->last = n;
        c->count++;
        return 0;
    }
    if (gr_match(msg, "count")) {
        return gr_reply(self, msg, "count", c->count);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior counter = {.name = "counter",
                                    .state_size = sizeof(struct counter),
                                    .receive = count_receive};

/* Sends many in a turn, so that they leave together, if all goes well. */
struct pump {
    gr_pid to;
    int64_t n; /* accepted */
};

enum { BURST = 40, PUMPS = 2 /* on each node */ };

static int pump_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct pump *p = state;
    return gr_unpack(args, &p->to) ? gr_send(self, gr_self(self), "go")
                                   : GR_EINVAL;
}

static int pump_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct pump *p = state;
    int rc = 0;
    if (gr_match(msg, "count")) { /* and it is over */
        GR_TRY(gr_reply(self, msg, "count", p->n));
        gr_exit(self, 0, "done");
        return 0;
    }
    for (int i = 0; i < BURST && rc == 0; i++) {
        rc = gr_send(self, p->to, "n", p->n + 1);
        p->n += rc == 0;
    }
    if (rc != 0 && rc != GR_ENOCONN && rc != GR_EAGAIN) {
        return rc;
    }
    return rc == 0 ? gr_send(self, gr_self(self), "go")
                   : gr_after(self, 1, NULL, "go");
}

static const gr_behavior pump = {.name = "pump",
                                 .state_size = sizeof(struct pump),
                                 .init = pump_init,
                                 .receive = pump_receive};

/* One of each on two nodes. */
typedef struct stream {
    gr_pid from, to;
} stream;

static void begin_streams(nodes *n, stream s[2 * PUMPS])
{
    for (int i = 0; i < 2 * PUMPS; i++) {
        gr_actor *here = n->self[i % 2], *there = n->self[1 - i % 2];
        gr_ref ref;
        assert_int_equal(gr_spawn(there, &counter, NULL, &s[i].to), 0);
        assert_int_equal(gr_monitor(there, s[i].to, &ref), 0);
        const gr_spawn_opts opts = {.args = gr_args(s[i].to)};
        assert_int_equal(gr_spawn(here, &pump, &opts, &s[i].from), 0);
    }
}

static int64_t count_of(gr_actor *self, gr_pid pid)
{
    int64_t count;
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("count", &count), "count"), 0);
    return count;
}

/* None has died: it would have been told to the test. */
static void end_streams(nodes *n, const stream s[2 * PUMPS])
{
    for (int i = 0; i < 2 * PUMPS; i++) {
        const int64_t sent = count_of(n->self[i % 2], s[i].from);
        const int64_t came = count_of(n->self[1 - i % 2], s[i].to);
        assert_in_range(came, 1, sent);
    }
}

typedef struct traffic {
    gr_system *sys;
    gr_pid to;
    bool asks;
    _Atomic(bool) *stop;
    int rc;       /* what should not have happened */
    int64_t done; /* sends accepted, or asks answered */
    int64_t lost; /* asks that ended with GR_ENOCONN */
} traffic;

static int one(gr_actor *self, traffic *t)
{
    int64_t n;
    int rc = t->asks ? gr_call(self, t->to, GR_FOREVER, gr_expect("count", &n),
                               "count")
                     : gr_send(self, t->to, "n", t->done + 1);
    if (rc == 0) {
        t->done++;
        return 0;
    }
    if (rc != GR_ENOCONN && rc != GR_EAGAIN) {
        return rc;
    }
    t->lost += rc == GR_ENOCONN;
    return gr_sleep(self, 1);
}

static void *run(void *arg)
{
    traffic *t = arg;
    gr_actor *self = NULL;
    t->rc = gr_thread_attach(t->sys, NULL, &self);
    /* relaxed: it only has to be seen some time. */
    while (t->rc == 0 && !atomic_load_explicit(t->stop, memory_order_relaxed)) {
        t->rc = one(self, t);
    }
    if (self != NULL) {
        gr_thread_detach(self, 0);
    }
    return NULL;
}

/* The DOWN of that monitor, and nothing else. */
static void expect_loss(gr_actor *self, gr_ref ref)
{
    gr_ref told = {0};
    gr_exit_reason why;
    assert_true(gr_match_down(next(self), &told, NULL, &why));
    assert_int_equal(told.id, ref.id);
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
}

static void connect_somehow(nodes *n, int round)
{
    int from = round % 2;
    int rc;
    gr_node node;
    while ((rc = gr_node_connect(n->self[from], n->address[1 - from], LONG_MS,
                                 &node)) != 0) {
        /* The other side has not tidied up the last connection. */
        assert_int_equal(rc, GR_ENOCONN);
    }
}

static int64_t rounds(void)
{
    const char *text = getenv("CHURN_ROUNDS");
    return text != NULL && *text != '\0' ? strtol(text, NULL, 10) : ROUNDS;
}

/* Says goodbye, or, if there are sockets to cut, cuts them. */
static void lose(nodes *n, int round, relay *relays)
{
    int from = round / 2 % 2;
    if (round % 2 == 0 || strcmp(n->scheme, "local") == 0) {
        int rc =
            gr_node_disconnect(n->self[from], gr_system_node(n->sys[1 - from]));
        assert_int_equal(rc, 0);
        return;
    }
    /* Whichever it went over. */
    relay_tell(&relays[0], 1);
    relay_tell(&relays[1], 1);
}

/* On each node a sender and an asker. */
enum { THREADS = 4 };

typedef struct load {
    traffic t[THREADS];
    pthread_t thread[THREADS];
    _Atomic(bool) stop;
} load;

static void begin(load *l, nodes *n, const gr_pid target[2])
{
    /* relaxed: as in run. */
    atomic_store_explicit(&l->stop, false, memory_order_relaxed);
    for (int i = 0; i < THREADS; i++) {
        traffic *t = &l->t[i];
        *t = (traffic){.rc = 0};
        t->sys = n->sys[i % 2];
        t->to = target[1 - i % 2];
        t->asks = i >= 2;
        t->stop = &l->stop;
        assert_int_equal(pthread_create(&l->thread[i], NULL, run, t), 0);
    }
}

static void end(load *l)
{
    /* relaxed: as in run. */
    atomic_store_explicit(&l->stop, true, memory_order_relaxed);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(l->thread[i], NULL), 0);
        if (l->t[i].rc != 0) {
            fail_msg("thread %d: %s", i, gr_errname(l->t[i].rc));
        }
        assert_true(l->t[i].done > 0);
    }
}

static void play_round(nodes *n, int round, const gr_pid target[2],
                       relay *relays)
{
    gr_ref ref[2];
    int from = round / 2 % 2;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gr_monitor(n->self[i], target[1 - i], &ref[i]), 0);
    }
    if (round % 5 != 0) { /* else at once, with the monitors on the way */
        int64_t count;
        int rc;
        do { /* the queue is full now and then */
            rc = gr_call(n->self[from], target[1 - from], GR_FOREVER,
                         gr_expect("count", &count), "count");
        } while (rc == GR_EAGAIN);
        assert_int_equal(rc, 0);
    }
    lose(n, round, relays);
    expect_loss(n->self[0], ref[0]);
    expect_loss(n->self[1], ref[1]);
    connect_somehow(n, round);
}

static void connection_is_lost_under_load(void **state)
{
    nodes *n = *state;
    /* Static: after a failed assertion the threads still use them. */
    static load l;
    static relay relays[2];
    bool cuts = strcmp(n->scheme, "local") != 0;
    gr_pid target[2];
    gr_ref own[2];
    stream streams[2 * PUMPS];
    const gr_msg *msg;
    for (int i = 0; i < 2; i++) {
        start_node_with(n, i, i == 0 ? "one" : "two",
                        &(gr_node_opts){.outbox_max = 64 * 1024});
        assert_int_equal(gr_spawn(n->self[i], &counter, NULL, &target[i]), 0);
        assert_int_equal(gr_monitor(n->self[i], target[i], &own[i]), 0);
        if (cuts) {
            relay_start(&relays[i], n, i);
        }
    }
    connect_somehow(n, 0);
    begin(&l, n, target);
    begin_streams(n, streams);

    for (int round = 0; round < rounds(); round++) {
        play_round(n, round, target, relays);
    }

    end(&l);
    end_streams(n, streams);
    for (int i = 0; i < 2 && cuts; i++) {
        relay_stop(&relays[i]);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gr_receive(n->self[i], 0, &msg), GR_ETIMEOUT);
        assert_in_range(count_of(n->self[i], target[i]), 1, l.t[1 - i].done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(connection_is_lost_under_load),
    };
    return cmocka_run_group_tests_name("transport/churn", tests, NULL, NULL);
}
