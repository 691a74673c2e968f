/*
 * Goal:   what is lost with a node is lost once, for everybody whom it
 * concerns, before anything new comes; and a goodbye loses nothing that was
 *         accepted.
 * Method: systems in this process, joined by sockets; every wait is for a
 *         message.
 */
#include "tests/transport/nodes.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>

static void loss_fires_every_tie_once(void **state)
{
    nodes *n = *state;
    gr_ref ref[3];
    gr_exit_reason why;
    const gr_msg *msg;
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    (void)join(n, 0, 1);
    gr_pid far = spawn_sink(n, 1), near = spawn_sink(n, 0);
    gr_trap_exit(n->self[0], true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gr_monitor(n->self[0], far, &ref[i]), 0);
    }
    assert_int_equal(gr_link(n->self[0], far), 0);
    /* a link that the other end made */
    assert_int_equal(
        gr_call(n->self[1], far, LONG_MS, gr_expect("ok"), "link", near), 0);
    gr_ref near_ref;
    assert_int_equal(gr_monitor(n->self[0], near, &near_ref), 0);
    assert_serves(n, 0, far); /* all of that has arrived */

    stop_node(n, 1);

    unsigned downs = 0, exits = 0, ends = 0;
    while (downs < 3 || exits < 1 || ends < 1) {
        gr_ref told;
        gr_pid who;
        msg = next(n->self[0]);
        if (gr_match_exit(msg, &who, &why)) {
            assert_true(gr_pid_eq(who, far));
            exits++;
        } else {
            assert_true(gr_match_down(msg, &told, &who, &why));
            if (told.id == near_ref.id) {
                ends++;
            } else {
                assert_true(gr_pid_eq(who, far));
                downs++;
            }
        }
        /* The far actor was stopped before its node went, so either may be the
         * reason; what matters is that it is told once. */
        if (why.kind != GR_EXIT_SHUTDOWN && why.kind != GR_EXIT_NOCONNECTION) {
            fail_msg("reason: %s", gr_exit_kind_name(why.kind));
        }
    }
    assert_int_equal(gr_receive(n->self[0], 0, &msg), GR_ETIMEOUT);
}

static void disconnect_fires_ties_and_ends_asks(void **state)
{
    nodes *n = *state;
    gr_ref ref;
    gr_exit_reason why;
    gr_pid who;
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    gr_node two = join(n, 0, 1);
    gr_pid far = spawn_sink(n, 1);
    assert_int_equal(gr_watch_nodes(n->self[0], true), 0);
    assert_int_equal(expect_node(n->self[0], "two", true), 0);
    assert_int_equal(gr_watch_nodes(n->self[1], true), 0);
    assert_int_equal(expect_node(n->self[1], "one", true), 0);
    assert_int_equal(gr_monitor(n->self[0], far, &ref), 0);
    assert_int_equal(gr_monitor(n->self[1], gr_self(n->self[0]), &ref), 0);
    assert_serves(n, 0, far);

    assert_int_equal(gr_node_disconnect(n->self[0], two), 0);

    assert_int_equal(gr_send(n->self[0], far, "x"), GR_ENOCONN);
    assert_int_equal(gr_node_disconnect(n->self[0], two), GR_ENOCONN);
    assert_true(gr_match_down(next(n->self[0]), NULL, &who, &why));
    assert_true(gr_pid_eq(who, far));
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
    assert_int_equal(expect_node(n->self[0], "two", false), 0);
    assert_true(gr_match_down(next(n->self[1]), NULL, &who, &why));
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
    assert_int_equal(expect_node(n->self[1], "one", false), 0);

    /* and it can be connected again, with nothing left of before */
    (void)join(n, 1, 0);
    assert_int_equal(expect_node(n->self[0], "two", true), 0);
    assert_serves(n, 0, far);
}

/* An actor that has not looked at its inbox since the loss links anew: what it
 * finds of the loss is not that link's. */
static void link_made_anew_outlives_the_loss_before_it(void **state)
{
    nodes *n = *state;
    gr_exit_reason why;
    gr_pid who;
    gr_actor *late = NULL;
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    gr_node two = join(n, 0, 1);
    gr_actor *boss = n->self[0], *far = n->self[1];
    assert_int_equal(gr_thread_attach(n->sys[0], NULL, &late), 0);
    gr_trap_exit(late, true);
    gr_trap_exit(far, true);
    assert_int_equal(gr_watch_nodes(boss, true), 0);
    assert_int_equal(expect_node(boss, "two", true), 0);
    assert_int_equal(gr_link(late, gr_self(far)), 0);
    assert_int_equal(gr_send(late, gr_self(far), "linked"), 0);
    assert_true(gr_match(next(far), "linked"));
    assert_int_equal(gr_watch_nodes(far, true), 0);
    assert_int_equal(expect_node(far, "one", true), 0);

    assert_int_equal(gr_node_disconnect(boss, two), 0);
    assert_int_equal(expect_node(boss, "two", false), 0);
    assert_true(gr_match_exit(next(far), &who, &why));
    assert_int_equal(expect_node(far, "one", false), 0);
    (void)join(n, 0, 1);
    assert_int_equal(expect_node(far, "one", true), 0);
    assert_int_equal(gr_link(late, gr_self(far)), 0);
    assert_int_equal(gr_send(boss, gr_self(late), "look"), 0);
    assert_true(gr_match(next(late), "look")); /* and at no EXIT before it */

    const gr_pid ended = gr_self(late);
    gr_thread_detach(late, GR_EUSER);
    assert_true(gr_match_exit(next(far), &who, &why));
    assert_true(gr_pid_eq(who, ended));
    assert_int_equal(why.kind, GR_EXIT_ERROR);
}

/* Asks, and is told. */
typedef struct asker {
    gr_system *sys;
    gr_pid to;
    int rc;
} asker;

static void *run_asker(void *arg)
{
    asker *a = arg;
    gr_actor *self = NULL;
    gr_any any;
    a->rc = gr_thread_attach(a->sys, NULL, &self);
    if (a->rc == 0) {
        a->rc = gr_call(self, a->to, GR_FOREVER, gr_expect("x", &any), "hold");
        gr_thread_detach(self, 0);
    }
    return NULL;
}

static void open_asks_end_with_the_connection(void **state)
{
    nodes *n = *state;
    pthread_t thread;
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    gr_node two = join(n, 0, 1);
    gr_pid far = spawn_sink(n, 1);
    asker a = {.sys = n->sys[0], .to = far};
    gr_stats before, now;
    gr_system_stats(n->sys[1], &before);
    assert_int_equal(pthread_create(&thread, NULL, run_asker, &a), 0);
    do { /* until the question is there */
        assert_int_equal(gr_sleep(n->self[0], 1), 0);
        gr_system_stats(n->sys[1], &now);
    } while (now.handled == before.handled);

    assert_int_equal(gr_node_disconnect(n->self[0], two), 0);

    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.rc, GR_ENOCONN);
}

static void stale_pids_name_nobody_on_the_next_incarnation(void **state)
{
    nodes *n = *state;
    gr_pid before, after;
    gr_ref ref;
    gr_exit_reason why;
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    gr_node first = join(n, 1, 0);
    (void)first;
    before = spawn_sink(n, 1);
    assert_serves(n, 0, before);
    stop_node(n, 1);
    start_node(n, 1, "two");
    (void)join(n, 1, 0);
    after = spawn_sink(n, 1);

    assert_int_not_equal(before.node, after.node);
    assert_int_equal(gr_send(n->self[0], before, "x"), GR_ENOCONN);
    assert_int_equal(gr_monitor(n->self[0], before, &ref), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
    assert_serves(n, 0, after);
}

static void nodes_come_and_go_many_times(void **state)
{
    nodes *n = *state;
    start_node(n, 0, "hub");
    assert_int_equal(gr_watch_nodes(n->self[0], true), 0);
    for (int i = 0; i < 30; i++) {
        gr_ref ref;
        start_node(n, 1, "guest");
        if (i % 2 == 0) {
            (void)join(n, 1, 0);
        } else {
            (void)join(n, 0, 1);
        }
        assert_int_equal(expect_node(n->self[0], "guest", true), 0);
        gr_pid pid = spawn_sink(n, 1);
        assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
        stop_node(n, 1);
        assert_true(gr_match_down(next(n->self[0]), NULL, NULL, NULL));
        assert_int_equal(expect_node(n->self[0], "guest", false), 0);
    }
}

static void stopping_delivers_what_was_accepted(void **state)
{
    enum { MANY = 20000 };
    nodes *n = *state;
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    (void)join(n, 0, 1);
    for (int64_t i = 0; i < MANY; i++) {
        assert_int_equal(gr_send(n->self[0], gr_self(n->self[1]), "n", i), 0);
    }

    stop_node(n, 0);

    for (int64_t i = 0; i < MANY; i++) {
        int64_t got = -1;
        assert_true(gr_match(next(n->self[1]), "n", &got));
        assert_int_equal(got, i);
    }
}

/* Entries of a folder of /proc. */
static unsigned count(const char *folder)
{
    unsigned n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of this thread's own */
    while (readdir(dir) != NULL) {
        n++;
    }
    (void)closedir(dir);
    return n;
}

static void nodes_leave_nothing_behind(void **state)
{
    nodes *n = *state;
    unsigned fds = 0, threads = 0;
    for (int i = 0; i < 40; i++) {
        gr_node none;
        start_node(n, 0, "one");
        start_node(n, 1, "two");
        (void)join(n, 0, 1);
        (void)join(n, 1, 0);
        assert_int_equal(
            gr_node_connect(n->self[0], n->address[0], LONG_MS, &none),
            GR_EEXIST);
        stop_node(n, i % 2);
        stop_node(n, 1 - i % 2);
        if (i == 0) { /* what NNG keeps for the life of the process */
            fds = count("/proc/self/fd");
            threads = count("/proc/self/task");
        }
    }
    /* NNG closes descriptors a little later, in a thread of its own. */
    while (count("/proc/self/fd") > fds || count("/proc/self/task") > threads) {
        (void)sched_yield();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(loss_fires_every_tie_once),
        ON_BOTH(disconnect_fires_ties_and_ends_asks),
        ON_BOTH(link_made_anew_outlives_the_loss_before_it),
        ON_BOTH(open_asks_end_with_the_connection),
        ON_BOTH(stale_pids_name_nobody_on_the_next_incarnation),
        ON_BOTH(nodes_come_and_go_many_times),
        ON_BOTH(stopping_delivers_what_was_accepted),
        ON_BOTH(nodes_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("transport/loss", tests, NULL, NULL);
}
