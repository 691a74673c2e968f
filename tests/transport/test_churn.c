/*
 * Goal:   while a connection is lost again and again under traffic both ways:
 *         messages arrive in order and never twice, each monitor fires once,
 *         each ask ends, and nothing but the connection is lost.
 * Method: on each of two nodes one thread that sends numbers and one that asks;
 *         meanwhile the test disconnects and connects, from either side. A
 *         number that is not larger than the one before fails its receiver,
 *         which the test watches. A lost ask would hang its thread, and so the
 *         test, for ever.
 */
#include "tests/transport/nodes.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ROUNDS = 200 };

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

static void connection_is_lost_under_load(void **state)
{
    nodes *n = *state;
    /* Static: after a failed assertion the threads still use them. */
    static _Atomic(bool) stop;
    static traffic t[4];
    pthread_t thread[4];
    gr_pid target[2];
    gr_ref own[2];
    const gr_msg *msg;
    for (int i = 0; i < 2; i++) {
        start_node_with(n, i, i == 0 ? "one" : "two",
                        &(gr_node_opts){.outbox_max = 64 * 1024});
        assert_int_equal(gr_spawn(n->self[i], &counter, NULL, &target[i]), 0);
        assert_int_equal(gr_monitor(n->self[i], target[i], &own[i]), 0);
    }
    connect_somehow(n, 0);
    /* relaxed: as in run. */
    atomic_store_explicit(&stop, false, memory_order_relaxed);
    for (int i = 0; i < 4; i++) {
        t[i] = (traffic){.rc = 0};
        t[i].sys = n->sys[i % 2];
        t[i].to = target[1 - i % 2];
        t[i].asks = i >= 2;
        t[i].stop = &stop;
        assert_int_equal(pthread_create(&thread[i], NULL, run, &t[i]), 0);
    }

    for (int round = 0; round < ROUNDS; round++) {
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
        assert_int_equal(
            gr_node_disconnect(n->self[from], gr_system_node(n->sys[1 - from])),
            0);
        expect_loss(n->self[0], ref[0]);
        expect_loss(n->self[1], ref[1]);
        connect_somehow(n, round);
    }

    /* relaxed: as in run. */
    atomic_store_explicit(&stop, true, memory_order_relaxed);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        if (t[i].rc != 0) {
            fail_msg("thread %d: %s", i, gr_errname(t[i].rc));
        }
        assert_true(t[i].done > 0);
    }
    for (int i = 0; i < 2; i++) {
        int64_t count;
        assert_int_equal(gr_receive(n->self[i], 0, &msg), GR_ETIMEOUT);
        assert_int_equal(gr_call(n->self[i], target[i], LONG_MS,
                                 gr_expect("count", &count), "count"),
                         0);
        assert_in_range(count, 1, t[1 - i].done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(connection_is_lost_under_load),
    };
    return cmocka_run_group_tests_name("transport/churn", tests, NULL, NULL);
}
