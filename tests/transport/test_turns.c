/*
 * Goal:   what an actor sends in one turn to another node leaves it in any
 *         case: while the turn still lasts, and before a goodbye that is said
 *         meanwhile.
 * Method: an actor that sends many messages, and then stays in its turn until
 *         the test lets it go; at the other end one that counts.
 */
#include "tests/transport/nodes.h"

#include <semaphore.h>

enum { MANY = 10 };

static sem_t has_sent, may_go, has_come;

static int holder_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid to;
    (void)state;
    if (!gr_match(msg, "go", &to)) {
        return gr_unhandled(self, msg);
    }
    for (int64_t i = 0; i < MANY; i++) {
        GR_TRY(gr_send(self, to, "n", i));
    }
    (void)sem_post(&has_sent);
    while (sem_wait(&may_go) != 0) { /* a signal */
    }
    return 0;
}

static const gr_behavior holder = {.name = "holder", .receive = holder_receive};

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t *next = state, n;
    if (gr_match(msg, "count")) {
        return gr_reply(self, msg, "count", *next);
    }
    if (!gr_match(msg, "n", &n) || n != *next) {
        return gr_unhandled(self, msg);
    }
    ++*next;
    if (*next == MANY) {
        (void)sem_post(&has_come);
    }
    return 0;
}

static const gr_behavior counter = {.name = "counter",
                                    .state_size = sizeof(int64_t),
                                    .receive = counter_receive};

/* Both are there, and the one has sent. */
static gr_pid begin(nodes *n, gr_pid *from)
{
    gr_pid to;
    assert_int_equal(sem_init(&has_sent, 0, 0), 0);
    assert_int_equal(sem_init(&may_go, 0, 0), 0);
    assert_int_equal(sem_init(&has_come, 0, 0), 0);
    (void)start_node(n, 0, "here");
    (void)start_node(n, 1, "there");
    (void)join(n, 0, 1);
    assert_int_equal(gr_spawn(n->self[1], &counter, NULL, &to), 0);
    assert_int_equal(gr_spawn(n->self[0], &holder, NULL, from), 0);
    return to;
}

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0) { /* a signal */
    }
}

static void messages_leave_a_turn_that_lasts(void **state)
{
    nodes *n = *state;
    gr_pid from;
    const gr_pid to = begin(n, &from);
    assert_int_equal(gr_send(n->self[0], from, "go", to), 0);
    wait_for(&has_come); /* else for ever */
    assert_int_equal(sem_post(&may_go), 0);
}

/* `by` says goodbye to the other while the turn lasts: what it has sent goes
 * before that, or before it is answered. */
static void a_goodbye_waits_for(nodes *n, int by)
{
    int64_t count;
    gr_pid from;
    gr_ref ref;
    const gr_pid to = begin(n, &from);
    assert_int_equal(gr_monitor(n->self[1], from, &ref), 0);
    assert_int_equal(gr_send(n->self[0], from, "go", to), 0);
    wait_for(&has_sent);
    assert_int_equal(
        gr_node_disconnect(n->self[by], gr_system_node(n->sys[1 - by])), 0);
    assert_true(gr_match_down(next(n->self[1]), NULL, NULL, NULL));
    assert_int_equal(sem_post(&may_go), 0); /* it is late for that turn */
    assert_int_equal(
        gr_call(n->self[1], to, LONG_MS, gr_expect("count", &count), "count"),
        0);
    assert_int_equal(count, MANY);
}

static void messages_go_before_a_goodbye(void **state)
{
    a_goodbye_waits_for(*state, 0);
}

static void messages_go_before_another_s_goodbye_is_answered(void **state)
{
    a_goodbye_waits_for(*state, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(messages_leave_a_turn_that_lasts),
        ON_ALL(messages_go_before_a_goodbye),
        ON_ALL(messages_go_before_another_s_goodbye_is_answered),
    };
    return cmocka_run_group_tests_name("transport/turns", tests, NULL, NULL);
}
