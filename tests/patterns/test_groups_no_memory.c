/*
 * Goal:   groups work, or say that there is no memory: each allocation of the
 *         library's own fails once, or all from one on. Never a crash or a
 *         leak; and once there is memory again, all know of all. (Where all
 *         fail the agents of both nodes may have been unable to tell their
 *         groups of each other, for good; so that is not looked at.)
 * Method: two systems in this process, joined by a socket, as in
 *         tests/transport/test_no_memory.c.
 */
#include "tests/patterns/known.h"
#include "tests/transport/nodes.h"

#include "tests/support/no_memory.h"

static bool fine(int rc)
{
    return rc >= 0 || rc == GR_ENOMEM;
}

static int guest_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)state;
    (void)args;
    return gr_group_join(self, "g");
}

static const gr_behavior guest = {
    .name = "guest", .init = guest_init, .receive = sink_receive};

static int check(int rc)
{
    assert_true(fine(rc));
    return rc;
}

/* What each side does; the first error ends it. */
static int use(gr_actor *self, const char *own)
{
    gr_ref ref;
    gr_pid pids[4];
    gr_pid pid;
    GR_TRY(check(gr_group_monitor(self, "g", &ref)));
    GR_TRY(check(gr_group_join(self, own)));
    GR_TRY(check(gr_group_join(self, "g")));
    GR_TRY(check(gr_spawn(self, &guest, NULL, &pid)));
    GR_TRY(check(gr_group_members(self, "g", GR_GROUP_ALL, pids, 4)));
    GR_TRY(check(gr_group_publish(self, "g", GR_GROUP_ALL, "x", 1)));
    GR_TRY(check(gr_group_send(self, "g", GR_GROUP_ALL, GR_GROUP_NEXT, "x")));
    GR_TRY(check(gr_group_leave(self, "g")));
    GR_TRY(check(gr_group_demonitor(self, ref)));
    return check(gr_kill(self, pid));
}

static int play(nodes *n)
{
    GR_TRY(use(n->self[0], "a"));
    return use(n->self[1], "b");
}

/* Until it is told that so many are in, or more. */
static void wait_known(gr_actor *self, known *k, uint32_t count)
{
    gr_group_event event;
    gr_reader pids;
    gr_ref ref;
    while (k->n < count || !k->told) {
        if (gr_match_group(self, next(self), &ref, &event, &pids) &&
            ref.id == k->ref.id) {
            assert_true(take_event(k, event, pids));
        }
    }
}

/* With memory: both know of all that has joined, and of nothing else. `far`: of
 * each other, too. */
static void repair(nodes *n, bool far)
{
    static known k[2];
    const char *const names[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        k[i] = (known){.told = false};
        assert_int_equal(gr_group_join(n->self[i], names[i]), 0);
        assert_int_equal(gr_group_join(n->self[i], "all"), 0);
        assert_int_equal(gr_group_monitor(n->self[i], "all", &k[i].ref), 0);
    }
    gr_node node;
    int rc = gr_node_find(n->self[0], "b", &node);
    while (rc < 0) { /* it was lost for want of memory */
        rc = gr_node_connect(n->self[0], n->address[1], LONG_MS, &node);
        /* A dial of before may end as it would have without us. */
        assert_true(rc == 0 || rc == GR_EEXIST || rc == GR_ENOCONN ||
                    rc == GR_ENOMEM || rc == GR_ETIMEOUT);
    }
    for (int i = 0; i < 2; i++) {
        wait_known(n->self[i], &k[i], far ? 2 : 1);
    }
    for (int i = 0; i < 2; i++) {
        k[i] = (known){.told = false};
        assert_int_equal(
            gr_group_monitor(n->self[i], names[far ? 1 - i : i], &k[i].ref), 0);
        wait_known(n->self[i], &k[i], 1);
    }
}

static void play_all(nodes *n, bool for_ever)
{
    bool failed = true;
    uint64_t at = 0;
    while (failed) {
        (void)start_node(n, 0, "a");
        (void)start_node(n, 1, "b");
        (void)join(n, 0, 1);
        /* Dialed again if it is lost for want of memory, and be it late. */
        assert_int_equal(gr_node_keep(n->self[0], n->address[1]), 0);
        no_memory_begin(++at, for_ever);
        const int rc = play(n);
        failed = no_memory_end();
        assert_true(rc >= 0 || failed);
        repair(n, !for_ever);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_IPC(each_allocation_may_fail),
        ON_IPC(all_allocations_may_fail_from_some_on)};
    return cmocka_run_group_tests_name("patterns/groups_no_memory", tests, NULL,
                                       NULL);
}
