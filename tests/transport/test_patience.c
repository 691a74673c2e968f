/*
 * Goal:   who asks for a node that is being dialed waits as long as it has
 *         asked to, however long the others wait: no shorter, and no longer.
 * Method: nodes in simulated time, apart from each other or so at the right
 *         moment. Actors ask the node's agent as gr_node_connect does, several
 *         at once.
 */
#include "actors/route.h" /* before the name `net` of this: */
#include "tests/transport/meshes.h"

enum { SHORT_MS = 200, PATIENT_MS = 60000 };

/* Asks for sim://n0, once or without end. */
typedef struct asker {
    gr_pid owner;
    gr_pid agent;
    int64_t ms;
    bool again;
} asker;

static int ask(gr_actor *self, asker *a);

static int on_answer(gr_actor *self, void *state, const gr_msg *answer)
{
    asker *a = state;
    return a->again ? ask(self, a)
                    : gr_send(self, a->owner, "told",
                              (int64_t)gr_msg_status(answer));
}

static int ask(gr_actor *self, asker *a)
{
    /* It is the agent's to answer in time. */
    return gr_ask(self, a->agent, a->ms + HEAL_MS, gr_then(on_answer, 0),
                  "gr.connect", "sim://n0", a->ms);
}

static int asker_init(gr_actor *self, void *state, const gr_msg *args)
{
    asker *a = state;
    return gr_unpack(args, &a->owner, &a->agent, &a->ms, &a->again)
               ? ask(self, a)
               : GR_EINVAL;
}

static int asker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg);
}

static const gr_behavior asker_behavior = {.name = "asker",
                                           .state_size = sizeof(asker),
                                           .init = asker_init,
                                           .receive = asker_receive};

static void begin_to_ask(net *w, int64_t ms, bool again)
{
    gr_actor *self = w->self[1];
    const gr_pid agent = {gr_system_node(w->sys[1]).id, GRI_AGENT_ID};
    gr_pid pid;
    assert_int_equal(
        gr_spawn(
            self, &asker_behavior,
            &(gr_spawn_opts){.args = gr_args(gr_self(self), agent, ms, again)},
            &pid),
        0);
}

/* What the next one was told. */
static int64_t next_told(net *w)
{
    gr_actor *self = w->self[1];
    const gr_msg *msg;
    int64_t rc = 1;
    assert_int_equal(gr_receive(self, HEAL_MS, &msg), 0);
    assert_true(gr_match(msg, "told", &rc));
    gr_release(self, msg);
    return rc;
}

/* n0 and n1, which are not connected. */
static void start_both(net *w, bool apart)
{
    (void)start(w, 0, &(gr_node_opts){.listen = ""});
    (void)start(w, 1, &(gr_node_opts){.listen = ""});
    if (apart) {
        assert_int_equal(gr_sim_net_partition(w->net, gr_system_node(w->sys[0]),
                                              gr_system_node(w->sys[1])),
                         0);
    }
}

/* The first, which has asked at that time, has no more of it, and another dial
 * is made for the second. */
static void expect_patience(net *w, int64_t asked_ms)
{
    assert_int_equal(next_told(w), GR_ETIMEOUT);
    assert_in_range(gr_sim_now_ms(w->sys[1]) - asked_ms, SHORT_MS,
                    SHORT_MS + SHORT_MS / 4);
    pass_time(w, 100);
    gr_sim_net_heal(w->net, GR_SIM_ALL, GR_SIM_ALL);
    const int64_t began = gr_sim_now_ms(w->sys[1]);
    assert_int_equal(next_told(w), 0);
    /* Not only when the next dial of the first kind would be. */
    assert_true(gr_sim_now_ms(w->sys[1]) - began < PATIENT_MS / 2);
    assert_true(is_whole(w, 0, 2));
}

static void longer_wish_survives_a_dial_that_finds_nobody(void **state)
{
    net *w = *state;
    start_both(w, true);
    const int64_t asked_ms = gr_sim_now_ms(w->sys[1]);
    begin_to_ask(w, SHORT_MS, false);
    pass_time(w, SHORT_MS / 4);
    begin_to_ask(w, PATIENT_MS, false);

    expect_patience(w, asked_ms);
}

/* A line on which it takes two fifths of SHORT_MS to connect, and as long again
 * to shake hands. */
static void set_slow_line(net *w)
{
    const gr_sim_line slow = {.delay_min_ms = SHORT_MS / 5,
                              .delay_max_ms = SHORT_MS / 5};
    assert_int_equal(gr_sim_net_line(w->net, GR_SIM_ALL, GR_SIM_ALL, &slow), 0);
}

static void longer_wish_survives_a_handshake_that_is_not_answered(void **state)
{
    net *w = *state;
    start_both(w, false);
    set_slow_line(w);
    const int64_t asked_ms = gr_sim_now_ms(w->sys[1]);
    begin_to_ask(w, SHORT_MS, false);
    pass_time(w, SHORT_MS / 2);
    begin_to_ask(w, PATIENT_MS, false);
    assert_int_equal(gr_sim_net_partition(w->net, gr_system_node(w->sys[0]),
                                          gr_system_node(w->sys[1])),
                     0);

    expect_patience(w, asked_ms);
}

/* Who joins while it is opened may need no other connection. */
static void longer_wish_has_the_connection_of_a_shorter_one(void **state)
{
    net *w = *state;
    gr_net_stats s;
    start_both(w, false);
    set_slow_line(w);
    begin_to_ask(w, SHORT_MS / 2, false);
    pass_time(w, SHORT_MS / 4);
    begin_to_ask(w, PATIENT_MS, false);

    assert_int_equal(next_told(w), 0);
    assert_int_equal(next_told(w), 0);
    assert_int_equal(gr_node_totals(w->self[0], &s), 0);
    assert_int_equal(s.connected, 1);
    assert_int_equal(s.refused + s.faults, 0);
}

/* There is always one more who has time left; the node that is kept counts its
 * failures all the same, as its pauses depend on them. */
static void endless_wishes_do_not_keep_others_waiting(void **state)
{
    net *w = *state;
    gr_known_node k;
    start_both(w, true);
    for (int i = 0; i < 4; i++) {
        begin_to_ask(w, SHORT_MS + 30 * i, true);
        pass_time(w, SHORT_MS / 4);
    }
    assert_int_equal(gr_node_keep(w->self[1], "sim://n0"), 0);

    pass_time(w, 20000);

    assert_true(know(w, 1, "sim://n0", &k));
    assert_int_equal(k.error, GR_ETIMEOUT);
    assert_in_range(k.tries, 2, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_NET(longer_wish_survives_a_dial_that_finds_nobody),
        IN_NET(longer_wish_survives_a_handshake_that_is_not_answered),
        IN_NET(longer_wish_has_the_connection_of_a_shorter_one),
        IN_NET(endless_wishes_do_not_keep_others_waiting),
    };
    return cmocka_run_group_tests_name("transport/patience", tests, NULL, NULL);
}
