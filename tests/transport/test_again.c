/*
 * Goal:   an actor that goes on sending to an actor of a node that was lost and
 *         is connected again is heard there, whatever its worker has kept of
 *         the time before.
 * Method: a worker's draft for the two is open when the connection ends; the
 *         same two nodes connect again, and the same actor sends to the same.
 */
#include "tests/transport/nodes.h"

enum { MANY = 10, TIMES = 3 };

static int sender_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid to;
    (void)state;
    if (!gr_match(msg, "go", &to)) {
        return gr_unhandled(self, msg);
    }
    for (int64_t i = 0; i <= MANY; i++) {
        GR_TRY(gr_send(self, to, "n", i));
    }
    return 0;
}

static const gr_behavior sender = {.name = "sender", .receive = sender_receive};

/* Passes on what it counts. */
typedef struct counter_state {
    int64_t next;
    gr_pid whom;
} counter_state;

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    counter_state *s = state;
    int64_t n;
    if (gr_match(msg, "whom", &s->whom)) {
        return gr_reply(self, msg, "ok");
    }
    if (!gr_match(msg, "n", &n) || n != s->next) {
        return gr_unhandled(self, msg);
    }
    s->next = n == MANY ? 0 : n + 1;
    return n == MANY ? gr_send(self, s->whom, "all") : 0;
}

static const gr_behavior counter = {.name = "counter",
                                    .state_size = sizeof(counter_state),
                                    .receive = counter_receive};

/* A node with one worker, so that each turn of its actors has the same. */
static void start_narrow(nodes *n, int i, const char *name)
{
    const gr_system_opts opts = {.workers = 1, .log_level = GR_LOG_ERROR};
    assert_int_equal(gr_system_start(&opts, &n->sys[i]), 0);
    assert_int_equal(gr_thread_attach(n->sys[i], NULL, &n->self[i]), 0);
    assert_int_equal(
        gr_node_start(n->self[i], &(gr_node_opts){.name = name,
                                                  .secret = bytes_of(SECRET)}),
        0);
}

static void who_is_connected_again_is_heard(void **state)
{
    nodes *n = *state;
    gr_pid from, to;
    start_narrow(n, 0, "here");
    (void)start_node(n, 1, "there");
    assert_int_equal(gr_spawn(n->self[1], &counter, NULL, &to), 0);
    assert_int_equal(gr_spawn(n->self[0], &sender, NULL, &from), 0);
    assert_int_equal(gr_call(n->self[1], to, LONG_MS, gr_expect("ok"), "whom",
                             gr_self(n->self[1])),
                     0);
    assert_int_equal(gr_watch_nodes(n->self[0], true), 0);
    for (int i = 0; i < TIMES; i++) {
        const gr_node there = join(n, 0, 1);
        (void)expect_node(n->self[0], "there", true);
        assert_int_equal(gr_send(n->self[0], from, "go", to), 0);
        assert_true(gr_match(next(n->self[1]), "all"));
        assert_int_equal(gr_node_disconnect(n->self[0], there), 0);
        (void)expect_node(n->self[0], "there", false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(who_is_connected_again_is_heard),
    };
    return cmocka_run_group_tests_name("transport/again", tests, NULL, NULL);
}
