/*
 * Goal:   a node of a mesh that keeps and looks for others does so also when
 *         there is no memory at any one moment, or from some moment on for a
 *         while: what could not be begun is an error, what could not be done
 *         then is done later, nothing is lost and nothing crashes.
 * Method: three nodes in simulated time, of which the first is the seed and the
 *         third is found by a discovery as well; each allocation of the
 *         library's own fails once. Then there is memory, and the mesh must
 *         become whole by itself.
 */
#include "tests/transport/nodes.h"

#include "tests/support/no_memory.h"

enum { COUNT = 3, HEAL_MS = 300000 };

typedef struct trio {
    gr_sim_net *net;
    gr_system *sys[COUNT];
    gr_actor *self[COUNT];
    bool started[COUNT], kept[COUNT], found[COUNT];
} trio;

/* Does what is not done yet; the first error ends it. */
static int start(trio *t, int i)
{
    static const char *const seeds[] = {"sim://n0", NULL};
    char name[16];
    char listen[32];
    (void)snprintf(name, sizeof name, "n%d", i);
    (void)snprintf(listen, sizeof listen, "sim://n%d", i);
    const gr_node_opts opts = {.name = name,
                               .listen = listen,
                               .secret = bytes_of(SECRET),
                               .mesh = true,
                               .seeds = seeds};
    if (!t->started[i]) {
        GR_TRY(gr_node_start(t->self[i], &opts));
        t->started[i] = true;
    }
    if (!t->kept[i]) {
        GR_TRY(gr_node_keep(t->self[i], "sim://n1"));
        t->kept[i] = true;
    }
    if (!t->found[i]) {
        gr_discovery d;
        static const char *const list[] = {"sim://n2", "sim://n1", NULL};
        GR_TRY(gr_discovery_list(list, &d));
        const int rc = gr_node_discover(t->self[i], &d, NULL);
        if (rc < 0) {
            d.end(d.arg);
            return rc;
        }
        t->found[i] = true;
    }
    return 0;
}

static int start_all(trio *t)
{
    int worst = 0;
    for (int i = 0; i < COUNT; i++) {
        const int rc = start(t, i);
        assert_true(rc == 0 || rc == GR_ENOMEM);
        worst = rc < 0 ? rc : worst;
    }
    return worst;
}

static bool is_whole(trio *t)
{
    bool whole = true;
    for (int i = 0; i < COUNT; i++) {
        whole = whole && gr_node_list(t->self[i], NULL, 0) == COUNT - 1;
    }
    return whole;
}

static void play(uint64_t at, bool for_ever, bool *failed)
{
    trio t = {.net = NULL};
    assert_int_equal(gr_sim_net_new(at, &t.net), 0);
    for (int i = 0; i < COUNT; i++) {
        const gr_system_opts system = {.sim_net = t.net,
                                       .log_level = GR_LOG_NONE};
        assert_int_equal(gr_system_start(&system, &t.sys[i]), 0);
        assert_int_equal(gr_thread_attach(t.sys[i], NULL, &t.self[i]), 0);
    }
    no_memory_begin(at, for_ever);
    (void)start_all(&t);
    gr_sim_advance(t.sys[0], 2000);
    (void)gr_sim_net_cut(t.net, GR_SIM_ALL, GR_SIM_ALL);
    gr_sim_advance(t.sys[0], 2000);
    *failed = no_memory_end();

    assert_int_equal(start_all(&t), 0);
    for (int64_t waited = 0; !is_whole(&t); waited += 100) {
        assert_true(waited < HEAL_MS);
        gr_sim_advance(t.sys[0], 100);
    }
    for (int i = 0; i < COUNT; i++) {
        gr_thread_detach(t.self[i], 0);
        assert_int_equal(gr_system_stop(t.sys[i], LONG_MS), 0);
    }
    gr_sim_net_free(t.net);
}

static void play_all(bool for_ever)
{
    bool failed = true;
    uint64_t at = 0;
    while (failed) {
        play(++at, for_ever, &failed);
    }
    assert_true(at > 50); /* it was worth it */
    print_message("%llu allocations\n", (unsigned long long)at - 1);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    play_all(false);
}

static void all_allocations_may_fail_for_a_while(void **state)
{
    (void)state;
    play_all(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(all_allocations_may_fail_for_a_while),
    };
    return cmocka_run_group_tests_name("transport/mesh_no_memory", tests, NULL,
                                       NULL);
}
