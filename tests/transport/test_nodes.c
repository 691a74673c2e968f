/*
 * Goal:   what works between actors of one system works between two: sending,
 *         asking, names, spawning, links, monitors, stopping; and the loss of a
 *         node is told to each that it concerns, once.
 * Method: systems in this process, joined by sockets; every wait is for a
 *         message.
 */
#include "tests/transport/nodes.h"

/* ---- an actor for all of it ---------------------------------------------- */

static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_any what;
    gr_pid pid;
    int64_t n;
    gr_ref ref;
    gr_str text;
    if (gr_match(msg, "echo", &what)) {
        return gr_reply(self, msg, "echo", what);
    }
    if (gr_match(msg, "say", &n)) {
        return gr_send(self, gr_sender(msg), "said", n);
    }
    if (gr_match(msg, "who")) {
        return gr_reply(self, msg, "me", gr_self(self), gr_sender(msg));
    }
    if (gr_match(msg, "silent")) {
        return 0;
    }
    if (gr_match(msg, "keep")) {
        return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
    }
    if (gr_match(msg, "refuse")) {
        return gr_reply_error(self, msg, GR_EUSER - 5, "no");
    }
    if (gr_match(msg, "fail", &text)) {
        char buf[32] = "";
        memcpy(buf, text.ptr, text.len);
        gr_exit(self, GR_EUSER - 1, buf);
        return 0;
    }
    if (gr_match(msg, "leave")) {
        gr_exit(self, 0, NULL);
        return 0;
    }
    if (gr_match(msg, "pass", &pid)) {
        return gr_pid_eq(pid, gr_self(self))
                   ? gr_reply(self, msg, "me", pid, gr_sender(msg))
                   : gr_forward(self, pid, msg);
    }
    if (gr_match(msg, "monitor", &pid)) {
        GR_TRY(gr_monitor(self, pid, &ref));
        return gr_msg_asked(msg) ? gr_reply(self, msg, "ok") : 0;
    }
    if (gr_match(msg, "link", &pid)) {
        GR_TRY(gr_link(self, pid));
        return gr_msg_asked(msg) ? gr_reply(self, msg, "ok") : 0;
    }
    return gr_unhandled(self, msg);
}

static int echo_init(gr_actor *self, void *state, const gr_msg *args)
{
    int64_t a = 0;
    gr_str b = {"", 0};
    (void)self;
    (void)state;
    if (gr_unpack(args, gr_opt(&a), gr_opt(&b)) && a == 42) {
        return b.len == 5 && memcmp(b.ptr, "hello", 5) == 0 ? 0 : GR_EINVAL;
    }
    return 0;
}

static const gr_behavior echo = {
    .name = "echo", .init = echo_init, .receive = echo_receive};
static const gr_behavior secret_one = {.name = "secret_one",
                                       .receive = echo_receive};
static const gr_behavior *const spawnable[] = {&echo, NULL};

/* Two joined nodes; a echo actor called "echo" on the second. */
static gr_pid two(nodes *n)
{
    gr_pid pid;
    start_node(n, 0, "one");
    start_node_with(n, 1, "two", &(gr_node_opts){.spawnable = spawnable});
    (void)join(n, 0, 1);
    assert_int_equal(
        gr_spawn(n->self[1], &echo, &(gr_spawn_opts){.name = "echo"}, &pid), 0);
    return pid;
}

static gr_node node_at(const nodes *n, int i)
{
    return gr_system_node(n->sys[i]);
}

/* ---- sending and asking -------------------------------------------------- */

static void messages_arrive_in_the_order_sent(void **state)
{
    enum { MANY = 20000 };
    nodes *n = *state;
    gr_pid pid = two(n);

    for (int64_t i = 0, sent = 0; i < MANY; i++) {
        for (; sent < MANY && sent < i + 500; sent++) {
            assert_int_equal(gr_send(n->self[0], pid, "say", sent), 0);
        }
        int64_t said = -1;
        assert_true(gr_match(next(n->self[0]), "said", &said));
        assert_int_equal(said, i);
    }
}

static void pids_mean_the_same_on_both_nodes(void **state)
{
    nodes *n = *state;
    gr_pid pid = two(n), me, you;

    assert_int_equal(
        gr_call(n->self[0], pid, LONG_MS, gr_expect("me", &me, &you), "who"),
        0);

    assert_true(gr_pid_eq(me, pid));
    assert_true(gr_pid_eq(you, gr_self(n->self[0])));
}

static void ask_ends_as_on_one_node(void **state)
{
    nodes *n = *state;
    gr_pid pid = two(n);
    gr_actor *a = n->self[0];
    gr_str text;
    gr_any none;

    assert_int_equal(
        gr_call(a, pid, LONG_MS, gr_expect("echo", &text), "echo", "hi"), 0);
    assert_memory_equal(text.ptr, "hi", 2);
    assert_int_equal(
        gr_call(a, pid, LONG_MS, gr_expect("echo", &none), "silent"),
        GR_ENOREPLY);
    assert_int_equal(
        gr_call(a, pid, LONG_MS, gr_expect("echo", &none), "refuse"),
        GR_EUSER - 5);
    assert_int_equal(gr_call(a, pid, 30, gr_expect("echo", &none), "keep"),
                     GR_ETIMEOUT);
    assert_int_equal(
        gr_call(a, pid, LONG_MS, gr_expect("echo", &none), "unknown"),
        GR_ENOREPLY);
    assert_int_equal(gr_kill(a, pid), 0);
    assert_int_equal(
        gr_call(a, pid, LONG_MS, gr_expect("echo", &none), "echo", 1),
        GR_ENOPROC);
}

static void forwarded_ask_is_answered_by_who_got_it(void **state)
{
    nodes *n = *state;
    gr_pid far = two(n), front, me, you;
    assert_int_equal(gr_spawn(n->self[0], &echo, NULL, &front), 0);

    assert_int_equal(gr_call(n->self[0], front, LONG_MS,
                             gr_expect("me", &me, &you), "pass", far),
                     0);

    assert_true(gr_pid_eq(me, far));
    assert_true(gr_pid_eq(you, gr_self(n->self[0])));
}

static void third_nodes_are_not_spoken_for(void **state)
{
    nodes *n = *state;
    gr_pid front = two(n), worker;
    gr_any any;
    start_node(n, 2, "three");
    (void)join(n, 1, 2);
    assert_int_equal(gr_spawn(n->self[2], &echo, NULL, &worker), 0);

    /* The front fails to forward, and fails with that; the asker is told. */
    assert_int_equal(gr_call(n->self[0], front, LONG_MS, gr_expect("me", &any),
                             "pass", worker),
                     GR_ENOPROC);
}

static void large_messages_arrive_whole(void **state)
{
    enum { LARGE = 3 << 20 };
    nodes *n = *state;
    gr_pid pid = two(n);
    uint8_t *bytes = malloc(LARGE);
    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    }

    for (int i = 0; i < 3; i++) {
        gr_bytes back;
        assert_int_equal(gr_call(n->self[0], pid, LONG_MS,
                                 gr_expect("echo", &back), "echo",
                                 gr_bin(bytes, LARGE)),
                         0);
        assert_int_equal(back.len, LARGE);
        assert_memory_equal(back.ptr, bytes, LARGE);
    }
    free(bytes);
}

/* Two joined nodes; the second takes messages of SMALL bytes only. An echo
 * actor is there. */
enum { SMALL = 1000 };

static gr_pid one_and_small(nodes *n)
{
    const gr_system_opts small = {.workers = 1, .message_max = SMALL};
    gr_pid pid;
    start_node(n, 0, "one");
    assert_int_equal(gr_system_start(&small, &n->sys[1]), 0);
    assert_int_equal(gr_thread_attach(n->sys[1], NULL, &n->self[1]), 0);
    char listen[128];
    place(n, 1, listen, sizeof listen);
    assert_int_equal(
        gr_node_start(n->self[1], &(gr_node_opts){.name = "small",
                                                  .listen = listen,
                                                  .secret = bytes_of(SECRET)}),
        0);
    assert_int_equal(
        gr_node_address(n->self[1], n->address[1], sizeof n->address[1]), 0);
    (void)join(n, 0, 1);
    assert_int_equal(gr_spawn(n->self[1], &echo, NULL, &pid), 0);
    return pid;
}

static void message_that_the_other_does_not_accept_is_too_big(void **state)
{
    nodes *n = *state;
    static uint8_t bytes[2 * SMALL];
    const gr_pid pid = one_and_small(n);

    assert_int_equal(
        gr_send(n->self[0], pid, "echo", gr_bin(bytes, sizeof bytes)),
        GR_ETOOBIG);
    assert_int_equal(gr_send(n->self[0], pid, "say", 1), 0);
    int64_t said;
    assert_true(gr_match(next(n->self[0]), "said", &said));
}

enum { IN_ONE_TURN = 500 };

static int pump_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid *owner = state;
    gr_pid to;
    int64_t n;
    if (gr_match(msg, "said", &n)) {
        return gr_send(self, *owner, "said", n);
    }
    if (!gr_match(msg, "pump", &to)) {
        return gr_unhandled(self, msg);
    }
    *owner = gr_sender(msg);
    for (int64_t i = 0; i < IN_ONE_TURN; i++) {
        GR_TRY(gr_send(self, to, "say", i));
    }
    return 0;
}

static const gr_behavior pump = {
    .name = "pump", .state_size = sizeof(gr_pid), .receive = pump_receive};

/* Many messages share a frame, which is no longer than the other accepts. */
static void many_messages_at_once_reach_who_accepts_short_ones(void **state)
{
    nodes *n = *state;
    const gr_pid pid = one_and_small(n);
    gr_pid from;
    assert_int_equal(gr_spawn(n->self[0], &pump, NULL, &from), 0);
    assert_int_equal(gr_send(n->self[0], from, "pump", pid), 0);
    for (int64_t i = 0, said; i < IN_ONE_TURN; i++) {
        assert_true(gr_match(next(n->self[0]), "said", &said));
        assert_int_equal(said, i);
    }
}

static void unknown_nodes_are_not_connected(void **state)
{
    nodes *n = *state;
    gr_pid pid = two(n), none;
    gr_pid nowhere = {pid.node + 1, pid.id};
    gr_ref ref;
    gr_exit_reason why;
    gr_any any;

    assert_int_equal(gr_send(n->self[0], nowhere, "x"), GR_ENOCONN);
    assert_int_equal(
        gr_call(n->self[0], nowhere, LONG_MS, gr_expect("x", &any), "x"),
        GR_ENOCONN);
    assert_int_equal(gr_monitor(n->self[0], nowhere, &ref), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, &none, &why));
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
    assert_int_equal(
        gr_whereis(n->self[0], (gr_node){nowhere.node}, "echo", &none),
        GR_ENOCONN);
}

/* ---- names and spawning -------------------------------------------------- */

static void names_are_found_on_the_other_node(void **state)
{
    nodes *n = *state;
    gr_pid pid = two(n), found;

    assert_int_equal(gr_whereis(n->self[0], node_at(n, 1), "echo", &found), 0);
    assert_true(gr_pid_eq(found, pid));
    assert_int_equal(gr_whereis(n->self[0], node_at(n, 1), "nobody", &found),
                     GR_ENOENT);
}

static void spawnable_behaviours_are_spawned_there(void **state)
{
    nodes *n = *state;
    gr_pid pid, found;
    gr_ref ref;
    gr_exit_reason why;
    (void)two(n);

    assert_int_equal(gr_spawn(n->self[0], &echo,
                              &(gr_spawn_opts){.node = node_at(n, 1),
                                               .name = "mine",
                                               .args = gr_args(42, "hello"),
                                               .monitor = &ref},
                              &pid),
                     0);
    assert_int_equal(pid.node, node_at(n, 1).id);
    assert_int_equal(gr_whereis(n->self[0], node_at(n, 1), "mine", &found), 0);
    assert_true(gr_pid_eq(pid, found));
    assert_int_equal(gr_send(n->self[0], pid, "fail", "why"), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_int_equal(why.code, GR_EUSER - 1);

    assert_int_equal(
        gr_spawn(n->self[0], &echo,
                 &(gr_spawn_opts){.node = node_at(n, 1), .name = "echo"}, &pid),
        GR_EEXIST);
    assert_int_equal(gr_spawn(n->self[0], &secret_one,
                              &(gr_spawn_opts){.node = node_at(n, 1)}, &pid),
                     GR_EDENIED);
    assert_int_equal(gr_spawn(n->self[1], &echo,
                              &(gr_spawn_opts){.node = node_at(n, 0)}, &pid),
                     GR_EDENIED); /* it has no list */
}

/* As for a moment while a node stops: its agent has ended, and the connection
 * is there. */
static void a_node_without_its_agent_is_as_good_as_lost(void **state)
{
    nodes *n = *state;
    gr_ref ref;
    gr_pid pid;
    (void)two(n);
    const gr_node other = node_at(n, 1);

    assert_int_equal(gr_monitor(n->self[1], gr_node_agent(other), &ref), 0);
    assert_int_equal(gr_kill(n->self[1], gr_node_agent(other)), 0);
    assert_true(gr_match_down(next(n->self[1]), NULL, NULL, NULL));
    assert_int_equal(
        gr_spawn(n->self[0], &echo, &(gr_spawn_opts){.node = other}, &pid),
        GR_ENOCONN);
    assert_int_equal(gr_whereis(n->self[0], other, "echo", &pid), GR_ENOCONN);
}

static void agent_answers_and_cannot_be_ended(void **state)
{
    nodes *n = *state;
    (void)two(n);
    gr_pid agent = gr_node_agent(node_at(n, 1));

    assert_int_equal(gr_kill(n->self[0], agent), 0);
    assert_int_equal(gr_stop(n->self[0], agent), 0);
    assert_int_equal(
        gr_call(n->self[0], agent, LONG_MS, gr_expect("pong"), "ping"), 0);
    /* What is meant for a node's own actors is not for others. */
    gr_node out;
    assert_int_equal(gr_call(n->self[0], agent, LONG_MS,
                             gr_expect("node", &out), "gr.connect",
                             n->address[0], 1000),
                     GR_ENOREPLY);
    assert_int_equal(gr_send(n->self[0], agent, "gr.watch", gr_bool(true)), 0);
    assert_int_equal(gr_send(n->self[0], agent, "gr.wake"), 0);
    assert_int_equal(
        gr_call(n->self[0], agent, LONG_MS, gr_expect("pong"), "ping"), 0);
}

/* ---- lives that are tied ------------------------------------------------- */

static void monitor_tells_the_reason(void **state)
{
    nodes *n = *state;
    gr_pid pid = two(n), from;
    gr_ref ref, told;
    gr_exit_reason why;
    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);

    assert_int_equal(gr_send(n->self[0], pid, "fail", "on purpose"), 0);

    assert_true(gr_match_down(next(n->self[0]), &told, &from, &why));
    assert_int_equal(told.id, ref.id);
    assert_true(gr_pid_eq(from, pid));
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EUSER - 1);
    assert_string_equal(why.text, "on purpose");

    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_NOPROC);
}

static void last_words_come_before_the_death(void **state)
{
    nodes *n = *state;
    for (int i = 0; i < 20; i++) {
        gr_pid pid;
        gr_ref ref;
        int64_t said;
        if (i == 0) {
            (void)two(n);
        }
        assert_int_equal(gr_spawn(n->self[1], &echo, NULL, &pid), 0);
        assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
        assert_int_equal(gr_send(n->self[0], pid, "say", i), 0);
        assert_int_equal(gr_send(n->self[0], pid, "leave"), 0);

        assert_true(gr_match(next(n->self[0]), "said", &said));
        assert_true(gr_match_down(next(n->self[0]), NULL, NULL, NULL));
    }
}

static void demonitored_death_is_not_told(void **state)
{
    nodes *n = *state;
    gr_pid pid = two(n);
    gr_ref ref;
    int64_t said;
    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
    gr_demonitor(n->self[0], ref);
    assert_int_equal(gr_send(n->self[0], pid, "say", 1), 0);
    assert_true(gr_match(next(n->self[0]), "said", &said));
    assert_int_equal(gr_send(n->self[0], pid, "leave"), 0);

    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
    gr_ref told;
    assert_true(gr_match_down(next(n->self[0]), &told, NULL, NULL));
    assert_int_equal(told.id, ref.id);
}

static void link_ends_both_ways(void **state)
{
    nodes *n = *state;
    gr_pid far = two(n), near;
    gr_ref ref;
    gr_exit_reason why;
    /* near ends with far */
    assert_int_equal(gr_spawn(n->self[0], &echo, NULL, &near), 0);
    assert_int_equal(
        gr_call(n->self[0], near, LONG_MS, gr_expect("ok"), "link", far), 0);
    assert_int_equal(gr_monitor(n->self[0], near, &ref), 0);
    assert_int_equal(gr_send(n->self[0], far, "fail", "far"), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_string_equal(why.text, "far");
    /* and far with near */
    assert_int_equal(gr_spawn(n->self[0], &echo, NULL, &near), 0);
    assert_int_equal(gr_spawn(n->self[1], &echo, NULL, &far), 0);
    assert_int_equal(
        gr_call(n->self[0], near, LONG_MS, gr_expect("ok"), "link", far), 0);
    assert_int_equal(gr_monitor(n->self[0], far, &ref), 0);
    assert_int_equal(gr_send(n->self[0], near, "fail", "near"), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_string_equal(why.text, "near");
}

static void unlinked_lives_are_apart(void **state)
{
    nodes *n = *state;
    gr_pid pid = two(n);
    gr_ref ref;
    const gr_msg *msg;
    gr_trap_exit(n->self[0], true);
    assert_int_equal(gr_link(n->self[0], pid), 0);
    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
    assert_int_equal(gr_unlink(n->self[0], pid), 0);

    assert_int_equal(gr_send(n->self[0], pid, "fail", "alone"), 0);

    /* Links are told before monitors: nothing else is on its way. */
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, NULL));
    assert_int_equal(gr_receive(n->self[0], 0, &msg), GR_ETIMEOUT);
}

static void far_actors_are_stopped_and_killed(void **state)
{
    nodes *n = *state;
    gr_pid pid = two(n);
    gr_ref ref;
    gr_exit_reason why;
    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
    assert_int_equal(gr_stop(n->self[0], pid), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_SHUTDOWN);

    assert_int_equal(gr_spawn(n->self[1], &echo, NULL, &pid), 0);
    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
    /* A kill overtakes; so wait until the monitor is there. */
    gr_pid me, you;
    assert_int_equal(
        gr_call(n->self[0], pid, LONG_MS, gr_expect("me", &me, &you), "who"),
        0);
    assert_int_equal(gr_kill(n->self[0], pid), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_KILLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(messages_arrive_in_the_order_sent),
        ON_BOTH(pids_mean_the_same_on_both_nodes),
        ON_BOTH(ask_ends_as_on_one_node),
        ON_BOTH(forwarded_ask_is_answered_by_who_got_it),
        ON_BOTH(third_nodes_are_not_spoken_for),
        ON_BOTH(large_messages_arrive_whole),
        ON_BOTH(message_that_the_other_does_not_accept_is_too_big),
        ON_BOTH(many_messages_at_once_reach_who_accepts_short_ones),
        ON_BOTH(unknown_nodes_are_not_connected),
        ON_BOTH(names_are_found_on_the_other_node),
        ON_BOTH(spawnable_behaviours_are_spawned_there),
        ON_BOTH(a_node_without_its_agent_is_as_good_as_lost),
        ON_BOTH(agent_answers_and_cannot_be_ended),
        ON_BOTH(monitor_tells_the_reason),
        ON_BOTH(last_words_come_before_the_death),
        ON_BOTH(demonitored_death_is_not_told),
        ON_BOTH(link_ends_both_ways),
        ON_BOTH(unlinked_lives_are_apart),
        ON_BOTH(far_actors_are_stopped_and_killed),
    };
    return cmocka_run_group_tests_name("transport/nodes", tests, NULL, NULL);
}
