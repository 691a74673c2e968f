/*
 * Goal:   nodes of a mesh find each other from one seed, and again after
 *         whatever was lost; nobody is told or believed who has no right to it.
 * Method: nodes in simulated time; losses, partitions and restarts by chance of
 *         the seed. "Whole" is each connected to each.
 */
#include "tests/transport/meshes.h"

/* ---- meshes -------------------------------------------------------------- */

static void nodes_find_each_other_from_one_seed(void **state)
{
    net *w = *state;
    for (int i = 0; i < MOST; i++) {
        start_meshed(w, i);
    }
    assert_in_range(await_whole(w, 0, MOST), 0, 2000);
    for (int i = 0; i < MOST; i++) {
        assert_int_equal(gr_node_list(w->self[i], NULL, 0), MOST - 1);
    }
}

/* At the same time at the same seed, over lines that take long. */
static void nodes_that_come_at_once_miss_nobody(void **state)
{
    net *w = *state;
    for (int i = 0; i < 3; i++) {
        start_meshed(w, i);
    }
    const gr_sim_line slow = {.delay_min_ms = 1, .delay_max_ms = 60};
    assert_int_equal(gr_sim_net_line(w->net, GR_SIM_ALL, GR_SIM_ALL, &slow), 0);
    for (int i = 3; i < MOST; i++) {
        start_meshed(w, i);
    }
    /* Before anybody has told anybody again. */
    assert_in_range(await_whole(w, 0, MOST), 0, 10000);
}

static void mesh_is_whole_again_after_losses(void **state)
{
    net *w = *state;
    for (int i = 0; i < 5; i++) {
        start_meshed(w, i);
    }
    (void)await_whole(w, 0, 5);
    for (int round = 0; round < 100; round++) {
        const int victim = (int)gri_rng_below(&w->rng, 5);
        const int other = (victim + 1 + (int)gri_rng_below(&w->rng, 4)) % 5;
        const gr_node a = gr_system_node(w->sys[victim]);
        const gr_node b = gr_system_node(w->sys[other]);
        switch (gri_rng_below(&w->rng, 4)) {
        case 0:
            (void)gr_sim_net_cut(w->net, a, GR_SIM_ALL);
            break;
        case 1:
            assert_int_equal(gr_sim_net_partition(w->net, a, b), 0);
            pass_time(w, gri_rng_below(&w->rng, 5000));
            gr_sim_net_heal(w->net, a, b);
            break;
        case 2:
            assert_int_equal(gr_sim_net_partition(w->net, a, GR_SIM_ALL), 0);
            pass_time(w, gri_rng_below(&w->rng, 5000));
            gr_sim_net_heal(w->net, a, GR_SIM_ALL);
            break;
        default:
            crash(w, victim);
            pass_time(w, gri_rng_below(&w->rng, 3000));
            start_meshed(w, victim);
            break;
        }
        (void)await_whole(w, 0, 5);
    }
}

/* Nothing begins anew by hand: not even if all seeds are started anew, and
 * then those that are left. */
static void mesh_outlives_its_seeds(void **state)
{
    net *w = *state;
    for (int i = 0; i < 4; i++) {
        start_meshed(w, i);
    }
    (void)await_whole(w, 0, 4);
    crash(w, 0);
    pass_time(w, 5000);
    start_meshed(w, 0);
    (void)await_whole(w, 0, 4);
    crash(w, 0); /* who comes now finds no seed, but others know it */
    crash(w, 1);
    pass_time(w, 5000);
    start_meshed(w, 1);
    (void)await_whole(w, 1, 4);
    start_meshed(w, 0);
    (void)await_whole(w, 0, 4);
    for (int i = 0; i < 4; i++) {
        crash(w, i);
        pass_time(w, 100);
        start_meshed(w, i);
    }
    (void)await_whole(w, 0, 4);
}

static void two_meshes_become_one(void **state)
{
    net *w = *state;
    static const char *const seed_3[] = {"sim://n3", NULL};
    for (int i = 0; i < 3; i++) {
        start_meshed(w, i);
    }
    for (int i = 3; i < 6; i++) {
        (void)start(
            w, i, &(gr_node_opts){.listen = "", .mesh = true, .seeds = seed_3});
    }
    (void)await_whole(w, 0, 3);
    (void)await_whole(w, 3, 6);
    assert_false(is_joined(w, 1, 4));
    assert_int_equal(gr_node_keep(w->self[2], "sim://n5"), 0);
    (void)await_whole(w, 0, 6);
}

/* It cannot be dialed, so it has to dial those that come later. */
static void node_that_listens_nowhere_is_in_the_mesh(void **state)
{
    net *w = *state;
    start_meshed(w, 0);
    (void)start(w, 1, &(gr_node_opts){.mesh = true, .seeds = seed_0});
    (void)await_whole(w, 0, 2);
    for (int i = 2; i < 5; i++) {
        start_meshed(w, i);
        assert_in_range(await_whole(w, 0, i + 1), 0, 2000);
    }
    (void)start(w, 5, &(gr_node_opts){.mesh = true, .seeds = seed_0});
    for (int i = 0; i < 5; i++) {
        while (i != 1 && !is_joined(w, i, 5)) {
            pass_time(w, 20);
        }
    }
}

/* They hear of each other by a third, again and again, so that they try for as
 * long as it takes. */
static void nodes_that_cannot_meet_for_hours_meet_then(void **state)
{
    net *w = *state;
    gr_known_node k;
    start_meshed(w, 0);
    start_meshed(w, 1);
    start_meshed(w, 2);
    const gr_node a = gr_system_node(w->sys[1]);
    const gr_node b = gr_system_node(w->sys[2]);
    assert_int_equal(gr_sim_net_partition(w->net, a, b), 0);
    pass_time(w, (int64_t)2 * 60 * 60 * 1000 + 600000);
    assert_true(is_joined(w, 1, 0) && is_joined(w, 2, 0));
    assert_false(is_joined(w, 1, 2));
    assert_true(know(w, 1, "sim://n2", &k) && know(w, 2, "sim://n1", &k));
    gr_sim_net_heal(w->net, a, b);
    (void)await_whole(w, 0, 3);
}

static void who_has_no_mesh_is_not_in_it(void **state)
{
    net *w = *state;
    gr_known_node k;
    start_meshed(w, 0);
    start_meshed(w, 1);
    (void)start(w, 2, &(gr_node_opts){.listen = "", .seeds = seed_0});
    (void)await_whole(w, 0, 2);
    pass_time(w, 100000);
    assert_true(is_joined(w, 2, 0));
    assert_false(is_joined(w, 1, 2));
    assert_false(know(w, 0, "sim://n2", &k) || know(w, 1, "sim://n2", &k));
    assert_int_equal(gr_node_known(w->self[2], &k, 1), 1);
}

/* ---- whom to believe ----------------------------------------------------- */

static void send_told(gr_actor *self, gr_pid to, uint64_t node,
                      const char *address)
{
    assert_int_equal(gr_send(self, to, "gr.mesh", node, address), 0);
}

/* Whoever may not do all is not told who there is, nor believed. */
static void peers_with_few_rights_are_neither_told_nor_believed(void **state)
{
    net *w = *state;
    gr_known_node k;
    gr_net_stats t;
    const gr_peer_rights few = {.may_link = true};
    const gr_peer_opts peers[] = {
        {.name = "n1", .secret = bytes_of(SECRET), .rights = &few},
        {.name = NULL}};
    (void)start(w, 0,
                &(gr_node_opts){.listen = "", .mesh = true, .peers = peers});
    start_meshed(w, 2);
    (void)await_whole(w, 0, 3);
    start_meshed(w, 1);
    pass_time(w, 100000);
    assert_true(is_joined(w, 1, 0));
    assert_false(is_joined(w, 1, 2));
    assert_false(know(w, 0, "sim://n1", &k));
    assert_int_equal(gr_node_known(w->self[1], &k, 1), 1);
    /* It has said where it listens, and was not heard. */
    assert_int_equal(gr_node_totals(w->self[0], &t), 0);
    assert_int_equal(t.forbidden, 1);
    assert_int_equal(count_logged("refused addresses of n1"), 1);
}

/* Only the agent of a node speaks for it; and only of what can be dialed. */
static void what_is_told_is_looked_at(void **state)
{
    net *w = *state;
    gr_net_stats t;
    start_meshed(w, 0);
    start_meshed(w, 1);
    (void)await_whole(w, 0, 2);
    pass_time(w, 100);
    const int before = gr_node_known(w->self[0], NULL, 0);
    const gr_pid agent = gr_node_agent(gr_system_node(w->sys[0]));
    send_told(w->self[1], agent, 7, "sim://n7"); /* an actor's word */
    send_told(w->self[0], agent, 7, "sim://n7"); /* of this node, even */
    pass_time(w, 100);
    assert_int_equal(gr_node_known(w->self[0], NULL, 0), before);
    assert_int_equal(gr_node_totals(w->self[0], &t), 0);
    assert_int_equal(t.forbidden, 1);
    assert_true(is_whole(w, 0, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_NET(nodes_find_each_other_from_one_seed),
        IN_NET(nodes_that_come_at_once_miss_nobody),
        IN_NET(mesh_is_whole_again_after_losses),
        IN_NET(mesh_outlives_its_seeds),
        IN_NET(two_meshes_become_one),
        IN_NET(node_that_listens_nowhere_is_in_the_mesh),
        IN_NET(nodes_that_cannot_meet_for_hours_meet_then),
        IN_NET(who_has_no_mesh_is_not_in_it),
        IN_NET(peers_with_few_rights_are_neither_told_nor_believed),
        IN_NET(what_is_told_is_looked_at),
    };
    return cmocka_run_group_tests_name("transport/mesh", tests, NULL, NULL);
}
