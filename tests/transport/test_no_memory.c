/*
 * Goal:   a node starts, connects and carries messages, or says that there is
 *         no memory: each allocation of the library's own fails once. Never a
 *         crash, a leak or a system that cannot stop; and once there is memory
 *         again, so is the node. Who watches nodes is told in any case.
 * Method: two systems in this process, joined by a socket. Threads allocate in
 *         an order that is not always the same, so each round ends with what
 *         must work in any case. Allocations inside NNG and libsodium are
 *         theirs: those do not fail here.
 */
#include "tests/transport/nodes.h"

#include "tests/support/no_memory.h"

/* What no memory, on either side, may lead to. */
static bool fine(int rc)
{
    return rc == 0 || rc == GR_ENOMEM || rc == GR_ENOCONN ||
           rc == GR_ETIMEOUT || rc == GR_EADDRESS || rc == GR_ENOREPLY;
}

static bool fine_answer(int rc)
{
    return fine(rc) || rc == GR_ENOPROC;
}

/* Each returns an error where there was no memory. */
static int start(nodes *n, int i, const char *name)
{
    char listen[128];
    place(n, i, listen, sizeof listen);
    static const char *const names[] = {"x", NULL};
    static const gr_behavior *const spawnable[] = {&sink, NULL};
    const gr_peer_rights rights = {.names = names, .spawnable = spawnable};
    const gr_peer_opts peers[] = {
        {.name = "c", .secret = bytes_of(SECRET), .rights = &rights},
        {.name = NULL}};
    const gr_node_opts opts = {.name = name,
                               .listen = listen,
                               .secret = bytes_of(SECRET),
                               .peers = peers,
                               .spawnable = spawnable};
    int rc = gr_node_start(n->self[i], &opts);
    assert_true(fine(rc));
    GR_TRY(rc);
    assert_int_equal(
        gr_node_address(n->self[i], n->address[i], sizeof n->address[i]), 0);
    return 0;
}

static int use(nodes *n, gr_pid far)
{
    static const uint8_t large[40000]; /* goes from its own memory */
    gr_ref ref;
    gr_actor *self = n->self[0];
    gr_trap_exit(self, true); /* that link may be lost with the node */
    GR_TRY(gr_link(self, far));
    GR_TRY(gr_unlink(self, far));
    GR_TRY(gr_monitor(self, far, &ref));
    GR_TRY(gr_send(self, far, "x"));
    GR_TRY(gr_send(self, far, "x", gr_bin(large, sizeof large)));
    const int sure = gr_send_sure(self, far, 500, "x");
    assert_true(fine_answer(sure));
    const int rc = gr_call(self, far, 500, gr_expect("pong"), "ping");
    assert_true(fine_answer(rc));
    gr_demonitor(self, ref);
    return rc;
}

enum { SHORT_MS = 500 }; /* to connect, where something may have been lost */

/* With one allocation that fails: the first error ends it. */
static int play(nodes *n, gr_pid *far)
{
    gr_node node;
    GR_TRY(start(n, 0, "a"));
    GR_TRY(start(n, 1, "b"));
    GR_TRY(gr_watch_nodes(n->self[0], true));
    int rc = gr_node_connect(n->self[0], n->address[1], SHORT_MS, &node);
    assert_true(fine(rc));
    GR_TRY(rc);
    rc = gr_spawn(n->self[1], &sink, NULL, far);
    assert_true(fine(rc));
    GR_TRY(rc);
    return use(n, *far);
}

/* With memory: whatever became of it before, now it works. */
static void repair(nodes *n)
{
    gr_node node;
    gr_pid pid;
    for (int i = 0; i < 2; i++) {
        if (n->address[i][0] == '\0') {
            assert_int_equal(start(n, i, i == 0 ? "a" : "b"), 0);
        }
    }
    int rc;
    do { /* a link that was lost may be known to one side only, for a moment;
            and a dial of before may end as it would have without us */
        rc = gr_node_connect(n->self[0], n->address[1], LONG_MS, &node);
    } while (rc == GR_EEXIST || rc == GR_ENOCONN || rc == GR_ETIMEOUT ||
             rc == GR_ENOMEM);
    assert_int_equal(rc, 0);
    assert_int_equal(gr_spawn(n->self[1], &sink, NULL, &pid), 0);
    do {
        rc = gr_call(n->self[0], pid, LONG_MS, gr_expect("pong"), "ping");
        if (rc == GR_ENOCONN) { /* it was the last moment of a lost one */
            (void)!gr_node_connect(n->self[0], n->address[1], LONG_MS, &node);
        }
    } while (rc == GR_ENOCONN);
    assert_int_equal(rc, 0);
}

static void play_all(nodes *n, bool for_ever)
{
    bool failed = true;
    uint64_t at = 0;
    while (failed) {
        gr_pid far;
        n->address[0][0] = n->address[1][0] = '\0';
        (void)start_system(n, 0);
        (void)start_system(n, 1);
        no_memory_begin(++at, for_ever);
        const int rc = play(n, &far);
        failed = no_memory_end();
        assert_true(rc == 0 || failed);
        repair(n);
        stop_node(n, 0);
        stop_node(n, 1);
    }
    assert_true(at > 20); /* it was worth it */
    print_message("%llu allocations\n", (unsigned long long)at - 1);
}

static void each_allocation_may_fail(void **state)
{
    play_all(*state, false);
}

static void all_allocations_may_fail_from_some_on(void **state)
{
    play_all(*state, true);
}

/* Who watches nodes is told of them, whatever there was no memory for. */
static void a_watcher_is_told(void **state)
{
    nodes *n = *state;
    bool failed = true;
    uint64_t at = 0;
    while (failed) {
        (void)start_node(n, 0, "a");
        (void)start_node(n, 1, "b");
        const gr_node there = join(n, 0, 1);
        no_memory_begin(++at, false);
        int rc = gr_watch_nodes(n->self[0], true);
        if (rc == GR_ENOMEM) {
            rc = gr_watch_nodes(n->self[0], true);
        }
        assert_int_equal(rc, 0);
        (void)expect_node(n->self[0], "b", true);
        rc = gr_node_disconnect(n->self[0], there);
        assert_true(fine(rc));
        if (rc < 0) {
            stop_node(n, 1);
        }
        (void)expect_node(n->self[0], "b", false);
        failed = no_memory_end();
        stop_node(n, 0);
        stop_node(n, 1);
    }
    assert_true(at > 3);
    print_message("%llu allocations\n", (unsigned long long)at - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(each_allocation_may_fail),
        ON_IPC(all_allocations_may_fail_from_some_on),
        ON_IPC(a_watcher_is_told)};
    return cmocka_run_group_tests_name("transport/no_memory", tests, NULL,
                                       NULL);
}
