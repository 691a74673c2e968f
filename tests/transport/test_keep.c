/*
 * Goal:   nodes that are kept are connected again after whatever was lost, and
 *         dialed no more often than is stated; nobody is dialed who was parted
 *         from; many nodes do not come back at the same moment.
 * Method: nodes in simulated time, whose connections are cut. What is logged is
 *         counted.
 */
#include "tests/transport/meshes.h"

/* ---- what is kept -------------------------------------------------------- */

static void kept_node_is_dialed_until_it_is_there(void **state)
{
    net *w = *state;
    gr_known_node k;
    gr_actor *self = start(w, 1, &(gr_node_opts){.listen = ""});
    assert_int_equal(gr_watch_nodes(self, true), 0);
    assert_int_equal(gr_node_keep(self, "sim://n0"), 0);
    pass_time(w, (int64_t)20 * LONGEST_MS);
    assert_true(know(w, 1, "sim://n0", &k));
    assert_int_equal(k.error, GR_ENOCONN);
    assert_in_range(k.tries, 20, 45); /* 100, 200 ... 2000, half of it chance */
    assert_in_range(k.next_ms, 0, LONGEST_MS);
    assert_true(k.kept && !k.told && !k.self && k.node.id == 0);
    assert_int_equal(count_logged("sim://n0 is not connected"), 1);

    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    (void)await_whole(w, 0, 2);

    assert_int_equal(expect_node(self, "n0", true), 0);
    assert_true(know(w, 1, "sim://n0", &k));
    assert_true(k.node.id == gr_system_node(w->sys[0]).id);
    assert_true(k.error == 0 && k.tries == 0 && k.next_ms == -1);
}

/* In one row, and each is told of once, both ways. */
static void thousand_losses_heal_each(void **state)
{
    net *w = *state;
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    gr_actor *self = start(w, 1, &(gr_node_opts){.seeds = seed_0});
    assert_int_equal(gr_watch_nodes(self, true), 0);
    assert_int_equal(expect_node(self, "n0", true), 0);
    for (int i = 0; i < 1000; i++) {
        pass_time(w, gri_rng_below(&w->rng, 200));
        assert_int_equal(gr_sim_net_cut(w->net, GR_SIM_ALL, GR_SIM_ALL), 1);
        assert_int_equal(expect_node(self, "n0", false), GR_ENOCONN);
        assert_int_equal(expect_node(self, "n0", true), 0);
    }
    assert_true(is_whole(w, 0, 2));
    /* None of these lasted, so the pauses are long by now; one that lasts ends
     * that. */
    pass_time(w, GR_REDIAL_RESET_MS_DEFAULT);
    assert_int_equal(gr_sim_net_cut(w->net, GR_SIM_ALL, GR_SIM_ALL), 1);
    const int64_t began = gr_sim_now_ms(w->sys[1]);
    assert_int_equal(expect_node(self, "n0", false), GR_ENOCONN);
    assert_int_equal(expect_node(self, "n0", true), 0);
    assert_in_range(gr_sim_now_ms(w->sys[1]) - began, FIRST_MS / 2,
                    FIRST_MS + 5);
}

static void short_connections_do_not_end_the_row(void **state)
{
    net *w = *state;
    int64_t began = 0;
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    gr_actor *self = start(w, 1, &(gr_node_opts){.seeds = seed_0});
    assert_int_equal(gr_watch_nodes(self, true), 0);
    assert_int_equal(expect_node(self, "n0", true), 0);
    for (int i = 0; i < 10; i++) {
        began = gr_sim_now_ms(w->sys[1]);
        (void)gr_sim_net_cut(w->net, GR_SIM_ALL, GR_SIM_ALL);
        assert_int_equal(expect_node(self, "n0", false), GR_ENOCONN);
        assert_int_equal(expect_node(self, "n0", true), 0);
    }
    assert_true(gr_sim_now_ms(w->sys[1]) - began >= LONGEST_MS / 2);
}

static void forgotten_node_is_not_dialed_again(void **state)
{
    net *w = *state;
    gr_known_node k;
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    gr_actor *self = start(w, 1, &(gr_node_opts){.seeds = seed_0});
    (void)await_whole(w, 0, 2);
    assert_int_equal(gr_node_keep(self, seed_0[0]), 0);
    assert_int_equal(gr_node_forget(self, seed_0[0]), 0);
    (void)gr_sim_net_cut(w->net, GR_SIM_ALL, GR_SIM_ALL);
    pass_time(w, 5);
    assert_false(is_whole(w, 0, 2));
    (void)await_whole(w, 0, 2); /* it was kept twice */

    assert_int_equal(gr_node_forget(self, seed_0[0]), 0);
    assert_int_equal(gr_node_forget(self, seed_0[0]), GR_ENOENT);
    pass_time(w, 5000);
    assert_true(is_whole(w, 0, 2));
    (void)gr_sim_net_cut(w->net, GR_SIM_ALL, GR_SIM_ALL);
    pass_time(w, 100000);
    assert_false(is_joined(w, 1, 0));
    assert_false(know(w, 1, seed_0[0], &k));
}

/* Also while it is dialed. */
static void forgotten_in_a_dial_is_gone_behind_it(void **state)
{
    net *w = *state;
    gr_known_node k;
    const gr_sim_line slow = {.delay_min_ms = 100, .delay_max_ms = 100};
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    assert_int_equal(gr_sim_net_line(w->net, GR_SIM_ALL, GR_SIM_ALL, &slow), 0);
    gr_actor *self = start(w, 1, &(gr_node_opts){.seeds = seed_0});
    pass_time(w, 50);
    assert_int_equal(gr_node_forget(self, seed_0[0]), 0);
    pass_time(w, 2000);
    assert_false(know(w, 1, seed_0[0], &k));
    (void)gr_sim_net_cut(w->net, GR_SIM_ALL, GR_SIM_ALL);
    pass_time(w, 100000);
    assert_false(is_joined(w, 1, 0));
}

/* What cannot mend is tried at the longest interval, and said once. */
static void lasting_refusals_are_tried_seldom_and_said_once(void **state)
{
    net *w = *state;
    gr_known_node k;
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    (void)start(
        w, 1,
        &(gr_node_opts){.seeds = seed_0,
                        .secret = bytes_of("another secret than the others")});
    pass_time(w, (int64_t)10 * LONGEST_MS);
    assert_true(know(w, 1, seed_0[0], &k));
    assert_int_equal(k.error, GR_EDENIED);
    assert_in_range(k.tries, 10, 21);
    assert_int_equal(count_logged("sim://n0 is not connected"), 1);

    stop(w, 0); /* another reason */
    pass_time(w, (int64_t)10 * LONGEST_MS);
    assert_true(know(w, 1, seed_0[0], &k));
    assert_int_equal(k.error, GR_ENOCONN);
    assert_int_equal(count_logged("sim://n0 is not connected"), 2);
    assert_int_equal(count_logged("not connected to"), 0);
}

static void own_address_is_never_dialed(void **state)
{
    net *w = *state;
    gr_known_node k;
    gr_net_stats t;
    static const char *const seeds[] = {"sim://n0", "sim://n1", NULL};
    (void)start(w, 0, &(gr_node_opts){.listen = "", .seeds = seeds});
    pass_time(w, (int64_t)3 * LONGEST_MS);
    assert_true(know(w, 0, "sim://n0", &k));
    assert_true(k.self && k.tries == 0 && k.next_ms == -1);
    assert_int_equal(gr_node_totals(w->self[0], &t), 0);
    assert_int_equal(t.refused, 0);
    assert_int_equal(count_logged("sim://n0"), 0);
}

/* ---- goodbyes ------------------------------------------------------------ */

/* For good on both sides, but of this run only. */
static void disconnected_node_stays_away(void **state)
{
    net *w = *state;
    static const char *const seeds[] = {"sim://n0", "sim://n1", "sim://n2",
                                        NULL};
    for (int by = 0; by < 2; by++) { /* who dialed, or who did not */
        for (int i = 0; i < 3; i++) {
            (void)start(
                w, i,
                &(gr_node_opts){.listen = "", .mesh = true, .seeds = seeds});
        }
        (void)await_whole(w, 0, 3);
        assert_int_equal(
            gr_node_disconnect(w->self[by], gr_system_node(w->sys[1 - by])), 0);
        pass_time(w, 100000);
        assert_false(is_joined(w, 0, 1));
        assert_true(is_joined(w, 0, 2) && is_joined(w, 1, 2));
        gr_known_node k;
        assert_true(know(w, 0, "sim://n1", &k));
        assert_int_equal(k.error, GR_ESTOPPED);
        assert_int_equal(count_logged("is not connected"), 0);

        stop(w, 1); /* its next run is another node */
        (void)start(w, 1, &(gr_node_opts){.listen = "", .mesh = true});
        (void)await_whole(w, 0, 3);
        for (int i = 0; i < 3; i++) {
            stop(w, i);
        }
        logged[0] = '\0';
    }
}

static void disconnected_node_comes_back_when_it_is_asked(void **state)
{
    net *w = *state;
    gr_node node;
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    gr_actor *self = start(w, 1, &(gr_node_opts){.seeds = seed_0});
    for (int i = 0; i < 3; i++) {
        (void)await_whole(w, 0, 2);
        const int by = i % 2;
        assert_int_equal(
            gr_node_disconnect(w->self[by], gr_system_node(w->sys[1 - by])), 0);
        pass_time(w, 100000);
        assert_false(is_joined(w, 0, 1));
        if (i == 0) {
            assert_int_equal(gr_node_connect(self, seed_0[0], 1000, &node), 0);
        } else {
            assert_int_equal(gr_node_keep(self, seed_0[0]), 0);
            (void)await_whole(w, 0, 2);
        }
        (void)gr_sim_net_cut(w->net, GR_SIM_ALL, GR_SIM_ALL);
    }
}

/* A system that stops says goodbye, too, but not for good. */
static void stopped_node_is_dialed_again(void **state)
{
    net *w = *state;
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    (void)start(w, 1, &(gr_node_opts){.seeds = seed_0});
    for (int i = 0; i < 20; i++) {
        (void)await_whole(w, 0, 2);
        stop(w, 0);
        (void)start(w, 0, &(gr_node_opts){.listen = ""});
    }
    (void)await_whole(w, 0, 2);
}

/* ---- chance -------------------------------------------------------------- */

/* Seven nodes lose the eighth in the same moment. */
static void dials_after_a_common_loss_are_spread(void **state)
{
    net *w = *state;
    int64_t at[MOST] = {0};
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    for (int i = 1; i < MOST; i++) {
        (void)start(w, i, &(gr_node_opts){.seeds = seed_0});
    }
    for (int i = 1; i < MOST; i++) {
        while (!is_joined(w, i, 0)) {
            pass_time(w, 1);
        }
    }
    pass_time(w, GR_REDIAL_RESET_MS_DEFAULT);
    crash(w, 0);
    pass_time(w, 10);
    int64_t least = LONGEST_MS;
    int64_t most = 0;
    for (int i = 1; i < MOST; i++) {
        gr_known_node k;
        assert_true(know(w, i, "sim://n0", &k));
        at[i] = k.next_ms;
        least = at[i] < least ? at[i] : least;
        most = at[i] > most ? at[i] : most;
    }
    /* Between 50 and 100 ms after it, of which 10 have passed. */
    assert_true(least >= 39 && most <= 100);
    assert_true(most - least >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_NET(kept_node_is_dialed_until_it_is_there),
        IN_NET(thousand_losses_heal_each),
        IN_NET(short_connections_do_not_end_the_row),
        IN_NET(forgotten_node_is_not_dialed_again),
        IN_NET(forgotten_in_a_dial_is_gone_behind_it),
        IN_NET(lasting_refusals_are_tried_seldom_and_said_once),
        IN_NET(own_address_is_never_dialed),
        IN_NET(disconnected_node_stays_away),
        IN_NET(disconnected_node_comes_back_when_it_is_asked),
        IN_NET(stopped_node_is_dialed_again),
        IN_NET(dials_after_a_common_loss_are_spread),
    };
    return cmocka_run_group_tests_name("transport/keep", tests, NULL, NULL);
}
