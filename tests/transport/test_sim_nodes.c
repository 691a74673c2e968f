/*
 * Goal:   deterministic systems of one gr_sim_net are nodes as others: they
 *         meet, talk and lose each other, in virtual time, and by the seed
 *         alone; and nobody else is let in.
 * Method: the public interface only, on the test's thread.
 */
#include "tests/transport/nodes.h"

typedef struct world {
    gr_sim_net *net;
    nodes n; /* its systems; scheme and folder are not used */
} world;

static int setup_world(void **state)
{
    world *w = calloc(1, sizeof *w);
    *state = w;
    return w != NULL ? gr_sim_net_new(7, &w->net) : -1;
}

static int teardown_world(void **state)
{
    world *w = *state;
    for (int i = 0; i < NODES_MAX; i++) {
        stop_node(&w->n, i);
    }
    gr_sim_net_free(w->net);
    free(w);
    return 0;
}

#define IN_WORLD(test)                                                         \
    cmocka_unit_test_setup_teardown(test, setup_world, teardown_world)

static gr_actor *start_sim_system(world *w, int i)
{
    const gr_system_opts opts = {.sim_net = w->net, .log_level = GR_LOG_ERROR};
    assert_int_equal(gr_system_start(&opts, &w->n.sys[i]), 0);
    assert_int_equal(gr_thread_attach(w->n.sys[i], NULL, &w->n.self[i]), 0);
    return w->n.self[i];
}

static gr_actor *start_sim_node(world *w, int i, const gr_node_opts *more)
{
    gr_node_opts opts = more != NULL ? *more : (gr_node_opts){.name = NULL};
    char name[8];
    gr_actor *self = start_sim_system(w, i);
    (void)snprintf(name, sizeof name, "n%d", i);
    (void)snprintf(w->n.address[i], sizeof w->n.address[i], "sim://n%d", i);
    opts.name = name;
    opts.listen = w->n.address[i];
    opts.secret = bytes_of(SECRET);
    assert_int_equal(gr_node_start(self, &opts), 0);
    return self;
}

static gr_node node_of(world *w, int i)
{
    return gr_system_node(w->n.sys[i]);
}

static void set_line(world *w, gr_node from, gr_node to, gr_sim_line line)
{
    assert_int_equal(gr_sim_net_line(w->net, from, to, &line), 0);
}

static void nodes_meet_talk_and_part(void **state)
{
    world *w = *state;
    char address[32];
    gr_ref ref, told;
    gr_exit_reason why;
    gr_actor *self = start_sim_node(w, 0, NULL);
    start_sim_node(w, 1, NULL);
    assert_int_equal(gr_node_address(w->n.self[1], address, sizeof address), 0);
    assert_string_equal(address, "sim://n1");

    gr_node node = join(&w->n, 0, 1);
    gr_pid pid = spawn_sink(&w->n, 1);
    assert_serves(&w->n, 0, pid);
    assert_int_equal(gr_monitor(self, pid, &ref), 0);
    assert_serves(&w->n, 0, pid);
    assert_int_equal(gr_node_disconnect(self, node), 0);

    assert_true(gr_match_down(next(self), &told, NULL, &why));
    assert_true(told.id == ref.id);
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
    assert_int_equal(join(&w->n, 1, 0).id, node_of(w, 0).id);
    assert_serves(&w->n, 0, pid);
}

static void time_is_one_and_delays_are_in_it(void **state)
{
    world *w = *state;
    start_sim_node(w, 0, NULL);
    start_sim_node(w, 1, NULL);
    set_line(w, GR_SIM_ALL, GR_SIM_ALL,
             (gr_sim_line){.delay_min_ms = 50, .delay_max_ms = 60});
    (void)join(&w->n, 0, 1);
    gr_pid pid = spawn_sink(&w->n, 1);
    int64_t began = gr_sim_now_ms(w->n.sys[0]);

    assert_serves(&w->n, 0, pid);

    assert_in_range(gr_sim_now_ms(w->n.sys[1]) - began, 100, 121);
    assert_int_equal(gr_now_ms(w->n.self[0]), gr_now_ms(w->n.self[1]));
}

/* A partition is found out by silence, and by nothing before. */
static void partition_is_silence_and_heals(void **state)
{
    world *w = *state;
    gr_ref ref;
    gr_actor *self = start_sim_node(w, 0, NULL);
    start_sim_node(w, 1, NULL);
    start_sim_node(w, 2, NULL);
    (void)join(&w->n, 0, 1);
    (void)join(&w->n, 0, 2);
    gr_pid pid = spawn_sink(&w->n, 1);
    gr_pid other = spawn_sink(&w->n, 2);
    assert_int_equal(gr_monitor(self, pid, &ref), 0);
    assert_serves(&w->n, 0, pid);
    int64_t began = gr_sim_now_ms(w->n.sys[0]);

    assert_int_equal(gr_sim_net_partition(w->net, node_of(w, 0), node_of(w, 1)),
                     0);
    assert_true(gr_match_down(next(self), NULL, NULL, NULL));

    int64_t took = gr_sim_now_ms(w->n.sys[0]) - began;
    assert_in_range(took, GR_SILENCE_MS_DEFAULT - 1, GR_SILENCE_MS_DEFAULT);
    assert_serves(&w->n, 0, other);
    gr_node node;
    assert_int_equal(gr_node_connect(self, w->n.address[1], 1000, &node),
                     GR_ETIMEOUT);
    gr_sim_net_heal(w->net, node_of(w, 0), node_of(w, 1));
    (void)join(&w->n, 0, 1);
    assert_serves(&w->n, 0, pid);
}

/* As after kill -9: the next run of that name is another node. */
static void crashed_node_comes_back_as_another(void **state)
{
    world *w = *state;
    gr_ref ref;
    gr_actor *self = start_sim_node(w, 0, NULL);
    start_sim_node(w, 1, NULL);
    gr_node old = join(&w->n, 0, 1);
    gr_pid pid = spawn_sink(&w->n, 1);
    assert_int_equal(gr_monitor(self, pid, &ref), 0);
    assert_serves(&w->n, 0, pid);

    assert_int_equal(gr_sim_net_partition(w->net, old, GR_SIM_ALL), 0);
    assert_int_equal(gr_sim_net_cut(w->net, old, GR_SIM_ALL), 1);
    stop_node(&w->n, 1);
    gr_sim_net_heal(w->net, old, GR_SIM_ALL);
    start_sim_node(w, 1, NULL);

    gr_exit_reason why;
    assert_true(gr_match_down(next(self), NULL, NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
    gr_node again = join(&w->n, 0, 1);
    assert_true(again.id != old.id);
    assert_int_equal(gr_send(self, pid, "ping"), GR_ENOCONN);
}

static void slow_reader_slows_its_senders_only(void **state)
{
    world *w = *state;
    gr_actor *self =
        start_sim_node(w, 0, &(gr_node_opts){.outbox_max = 64 * 1024});
    start_sim_node(w, 1, NULL);
    start_sim_node(w, 2, NULL);
    gr_node slow = join(&w->n, 0, 1);
    (void)join(&w->n, 0, 2);
    gr_pid pid = spawn_sink(&w->n, 1);
    gr_pid other = spawn_sink(&w->n, 2);
    static const char large[4096];
    set_line(w, GR_SIM_ALL, slow, (gr_sim_line){.bytes_per_s = 1000});

    int sent = 0;
    int rc;
    while ((rc = gr_send(self, pid, "x", gr_bin(large, sizeof large))) == 0 &&
           sent < 1000) {
        sent++;
        gr_sim_advance(w->n.sys[0], 1);
    }

    assert_int_equal(rc, GR_EAGAIN);
    assert_true(sent < 100);
    int64_t began = gr_sim_now_ms(w->n.sys[0]);
    assert_serves(&w->n, 0, other);
    assert_true(gr_sim_now_ms(w->n.sys[0]) <= began + 1);
}

/* What two nodes do with lines that fail; a hash of it. */
static uint64_t play(uint64_t seed)
{
    world w = {.net = NULL};
    gr_node node;
    assert_int_equal(gr_sim_net_new(seed, &w.net), 0);
    start_sim_node(&w, 0, NULL);
    start_sim_node(&w, 1, NULL);
    set_line(&w, GR_SIM_ALL, GR_SIM_ALL,
             (gr_sim_line){.delay_max_ms = 20, .cuts_per_mb = 500});
    gr_pid pid = spawn_sink(&w.n, 1);
    for (int i = 0; i < 200; i++) {
        if (gr_send(w.n.self[0], pid, "ping", i) < 0) {
            GR_IGNORE(gr_node_connect(w.n.self[0], w.n.address[1], 200, &node),
                      "the next round tries again");
        }
        gr_sim_advance(w.n.sys[0], 3);
    }
    uint64_t trace = gr_sim_trace(w.n.sys[0]);
    assert_true(gr_sim_trace(w.n.sys[1]) == trace);
    stop_node(&w.n, 0);
    stop_node(&w.n, 1);
    gr_sim_net_free(w.net);
    return trace;
}

static void equal_seeds_give_equal_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t trace = play(seed);
        assert_true(play(seed) == trace);
        assert_true(play(seed + 100) != trace);
    }
}

static void what_is_not_simulated_is_refused(void **state)
{
    world *w = *state;
    gr_node node;
    gr_actor *self = start_sim_system(w, 0);
    gr_node_opts opts = {.name = "n", .secret = bytes_of(SECRET)};
    static const char *const real[] = {"tcp://127.0.0.1:0", "ipc:///tmp/gr-x",
                                       "local://x"};
    for (size_t i = 0; i < 3; i++) {
        opts.listen = real[i];
        assert_int_equal(gr_node_start(self, &opts), GR_ENOTSUP);
    }
    assert_int_equal(gr_child_nodes_enable(self, "n"), GR_ENOTSUP);
    opts.listen = NULL;
    assert_int_equal(gr_node_start(self, &opts), 0); /* it only dials */
    assert_int_equal(gr_node_connect(self, "local://x", 1000, &node),
                     GR_ENOTSUP);
    assert_int_equal(gr_node_connect(self, "sim://x", 1000, &node), GR_ENOCONN);
}

static void what_is_simulated_is_for_nets_only(void **state)
{
    world *w = *state;
    gr_node node;
    gr_system *sys = NULL;
    const gr_node_opts opts = {
        .name = "n", .listen = "sim://n", .secret = bytes_of(SECRET)};
    gr_actor *self = start_system(&w->n, 0); /* a real one */
    assert_int_equal(gr_node_start(self, &opts), GR_ENOTSUP);
    assert_int_equal(
        gr_node_start(self,
                      &(gr_node_opts){.name = "n", .secret = bytes_of(SECRET)}),
        0);
    assert_int_equal(gr_node_connect(self, "sim://x", 1000, &node), GR_ENOTSUP);

    assert_int_equal(gr_system_start(&(gr_system_opts){.seed = 1}, &sys), 0);
    assert_int_equal(gr_thread_attach(sys, NULL, &self), 0);
    assert_int_equal(gr_node_start(self, &opts), GR_ENOTSUP);
    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(sys, LONG_MS), 0);
    assert_int_equal(
        gr_system_start(&(gr_system_opts){.seed = 1, .sim_net = w->net}, &sys),
        GR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(nodes_meet_talk_and_part),
        IN_WORLD(time_is_one_and_delays_are_in_it),
        IN_WORLD(partition_is_silence_and_heals),
        IN_WORLD(crashed_node_comes_back_as_another),
        IN_WORLD(slow_reader_slows_its_senders_only),
        cmocka_unit_test(equal_seeds_give_equal_runs),
        IN_WORLD(what_is_not_simulated_is_refused),
        IN_WORLD(what_is_simulated_is_for_nets_only),
    };
    return cmocka_run_group_tests_name("transport/sim_nodes", tests, NULL,
                                       NULL);
}
