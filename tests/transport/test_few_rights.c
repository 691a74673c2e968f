/*
 * Goal:   a peer does what its rights allow and nothing else; what is refused
 *         ends as an answer that says so; and its limits hold, also when it
 *         comes back.
 * Method: a node that lists "limited", and a second node, or a client on a
 * plain socket, of that name.
 */
#include "tests/transport/said.h"
#include "tests/transport/stranger.h"

#include "actors/route.h"

static said log_of_node;

static int setup(void **state)
{
    said_init(&log_of_node);
    return setup_ipc(state);
}

static int teardown(void **state)
{
    int rc = teardown_nodes(state);
    said_fini(&log_of_node);
    return rc;
}

#define OWN_SECRET "the secret of this one alone"

enum { NODE = 0, LIMITED = 1 };

static int worker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_pid pid;
    if (gr_match(msg, "ping")) {
        return gr_reply(self, msg, "pong");
    }
    if (gr_match(msg, "where", &pid)) { /* repeats what it is told */
        return gr_reply(self, msg, "here", pid);
    }
    if (gr_match(msg, "write", &pid)) {
        return gr_send(self, pid, "written");
    }
    if (gr_match(msg, "hold")) {
        return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
    }
    if (gr_match(msg, "leave")) {
        gr_exit(self, 0, NULL);
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior worker = {.name = "worker", .receive = worker_receive};
static const gr_behavior other = {.name = "other", .receive = worker_receive};
static const gr_behavior *const all[] = {&worker, &other, NULL};
static const gr_behavior *const workers[] = {&worker, NULL};
static const char *const names[] = {"front", "pub.*", NULL};

typedef struct pair {
    nodes *n;
    gr_actor *here;  /* the node's thread */
    gr_actor *there; /* the limited one's */
    gr_node node;
    gr_pid front, back; /* named so; only the first may be reached */
} pair;

static void join_limited(pair *p)
{
    assert_int_equal(
        gr_node_connect(p->there, p->n->address[NODE], LONG_MS, &p->node), 0);
}

static void spawn_named(gr_actor *self, const char *name, gr_pid *out)
{
    const gr_spawn_opts opts = {.name = name};
    assert_int_equal(gr_spawn(self, &worker, &opts, out), 0);
}

static void begin(pair *p, void **state, const gr_peer_rights *rights)
{
    const gr_peer_opts peers[] = {
        {.name = "limited", .secret = bytes_of(OWN_SECRET), .rights = rights},
        {.name = NULL}};
    const gr_node_opts opts = {.name = "node",
                               .secret = bytes_of(SECRET),
                               .spawnable = all,
                               .peers = peers};
    p->n = *state;
    assert_int_equal(start_as(p->n, NODE, &opts, &log_of_node), 0);
    p->here = p->n->self[NODE];
    p->there = start_node_with(p->n, LIMITED, "limited",
                               &(gr_node_opts){.secret = bytes_of(OWN_SECRET)});
    spawn_named(p->here, "front", &p->front);
    spawn_named(p->here, "back", &p->back);
    join_limited(p);
}

static int ping(pair *p, gr_pid pid)
{
    return gr_call(p->there, pid, LONG_MS, gr_expect("pong"), "ping");
}

static void names_that_are_not_its_are_out_of_reach(void **state)
{
    pair p;
    gr_pid pid;
    begin(&p, state, &(gr_peer_rights){.names = names});
    assert_int_equal(gr_whereis(p.there, p.node, "front", &pid), 0);
    assert_int_equal(ping(&p, pid), 0);
    assert_int_equal(gr_whereis(p.there, p.node, "pub.news", &pid), GR_ENOENT);
    assert_int_equal(gr_whereis(p.there, p.node, "back", &pid), GR_EDENIED);
    assert_int_equal(gr_whereis(p.there, p.node, "no such", &pid), GR_EDENIED);
    said_await(&log_of_node, "refused to look up a name of limited");
}

/* However much was refused before for another cause. */
static void first_refusal_of_each_cause_is_told_of(void **state)
{
    pair p;
    gr_pid pid;
    begin(&p, state, &(gr_peer_rights){.names = names});
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gr_whereis(p.there, p.node, "back", &pid), GR_EDENIED);
    }
    assert_int_equal(ping(&p, p.back), GR_EDENIED);
    said_await(&log_of_node, "refused a question of limited: not allowed (1 ");
    said_forget(&log_of_node);
    assert_int_equal(gr_whereis(p.there, p.node, "back", &pid), GR_EDENIED);
    assert_int_equal(ping(&p, p.back), GR_EDENIED);
    said_await(&log_of_node, "refused a question of limited: not allowed (2 ");
    assert_null(strstr(log_of_node.text, "to look up")); /* the third */
    assert_int_equal(gr_whereis(p.there, p.node, "back", &pid), GR_EDENIED);
    said_await(&log_of_node, "refused to look up a name of limited: not "
                             "allowed (4 such cases so far)");
}

static void pids_that_it_was_not_told_reach_nobody(void **state)
{
    pair p;
    gr_pid pid;
    begin(&p, state, &(gr_peer_rights){.names = names});
    assert_int_equal(ping(&p, p.back), GR_EDENIED);
    assert_int_equal(ping(&p, p.front), GR_EDENIED); /* guessed */
    assert_int_equal(gr_whereis(p.there, p.node, "front", &pid), 0);
    assert_int_equal(ping(&p, p.front), 0);
    /* What only repeats it tells nothing. */
    assert_int_equal(gr_call(p.there, p.front, LONG_MS, gr_expect("here", &pid),
                             "where", p.back),
                     0);
    assert_int_equal(ping(&p, p.back), GR_EDENIED);
    said_await(&log_of_node, "refused a question of limited: not allowed");
    /* And no such message arrives: the one that is allowed comes after it. */
    assert_int_equal(gr_send(p.there, p.back, "ping"), 0);
    assert_int_equal(ping(&p, p.front), 0);
    gr_actor_info info;
    assert_int_equal(gr_actor_inspect(p.n->sys[NODE], p.back, &info), 0);
    assert_int_equal(info.received, 0);
}

static void actor_that_writes_to_it_is_in_reach(void **state)
{
    pair p;
    begin(&p, state, &(gr_peer_rights){.names = names});
    assert_int_equal(ping(&p, p.back), GR_EDENIED);
    assert_int_equal(gr_send(p.here, p.back, "write", gr_self(p.there)), 0);
    assert_true(gr_match(next(p.there), "written"));
    assert_int_equal(ping(&p, p.back), 0);
    /* For as long as the connection lives. */
    assert_int_equal(gr_watch_nodes(p.there, true), 0);
    (void)expect_node(p.there, "node", true);
    assert_int_equal(gr_node_disconnect(p.there, p.node), 0);
    (void)expect_node(p.there, "node", false);
    join_limited(&p);
    (void)expect_node(p.there, "node", true);
    assert_int_equal(ping(&p, p.back), GR_EDENIED);
}

static void link_and_monitor_that_are_refused_end_with_a_reason(void **state)
{
    pair p;
    gr_ref ref, which;
    gr_pid who;
    gr_exit_reason why;
    begin(&p, state, &(gr_peer_rights){.names = NULL});
    gr_trap_exit(p.there, true);
    assert_int_equal(gr_monitor(p.there, p.front, &ref), 0);
    assert_true(gr_match_down(next(p.there), &which, &who, &why));
    assert_true(which.id == ref.id && gr_pid_eq(who, p.front));
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EDENIED);
    assert_int_equal(gr_link(p.there, p.front), 0);
    assert_true(gr_match_exit(next(p.there), &who, &why));
    assert_true(gr_pid_eq(who, p.front));
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EDENIED);
    /* Stops and kills are dropped; the actor lives, and serves. */
    assert_int_equal(gr_stop(p.there, p.front), 0);
    assert_int_equal(gr_kill(p.there, p.front), 0);
    assert_int_equal(ping(&p, p.front), 0);
    said_await(&log_of_node, "refused a stop of limited: not allowed");
}

static void actor_here_may_link_to_it_all_the_same(void **state)
{
    pair p;
    gr_pid who;
    gr_exit_reason why;
    begin(&p, state, &(gr_peer_rights){.names = names});
    gr_pid far = spawn_sink(p.n, LIMITED);
    gr_trap_exit(p.here, true);
    assert_int_equal(gr_link(p.here, far), 0);
    assert_serves(p.n, NODE, far); /* it has heard of the link */
    assert_int_equal(gr_kill(p.there, far), 0);
    assert_true(gr_match_exit(next(p.here), &who, &why));
    assert_true(gr_pid_eq(who, far));
    assert_int_equal(why.kind, GR_EXIT_KILLED);
}

static void limits_hold_for_each_connection(void **state)
{
    enum { MAX = 3 };
    pair p;
    gr_ref ref;
    gr_exit_reason why;
    begin(&p, state,
          &(gr_peer_rights){.may_link = true,
                            .may_monitor = true,
                            .monitors_max = MAX,
                            .links_max = MAX,
                            .asks_max = MAX});
    gr_trap_exit(p.there, true);
    for (int i = 0; i <= MAX; i++) {
        assert_int_equal(gr_monitor(p.there, p.front, &ref), 0);
    }
    assert_true(gr_match_down(next(p.there), NULL, NULL, &why));
    assert_int_equal(why.code, GR_ELIMIT);
    for (int i = 0; i <= MAX; i++) {
        assert_int_equal(gr_link(p.there, spawn_sink(p.n, NODE)), 0);
    }
    assert_true(gr_match_exit(next(p.there), NULL, &why));
    assert_int_equal(why.code, GR_ELIMIT);
}

/* A frame that is answered by a REPLY, of a proven "limited" on a plain socket.
 * Returns its status. */
static int32_t ask_by(stranger *s, gri_frame_type type, uint64_t to,
                      const char *tag, uint64_t ref)
{
    char payload[32];
    gri_frame f;
    const char *fault;
    size_t n = strlen(tag);
    (void)snprintf(payload, sizeof payload, "\x91%c%s", (char)(0xa0 + n), tag);
    stranger_frame(s, &(gri_frame){.type = type,
                                   .to = to,
                                   .from = 77,
                                   .ref = ref,
                                   .payload = (const uint8_t *)payload,
                                   .len = (uint32_t)n + 2});
    assert_true(stranger_await(s, GRI_FRAME_REPLY));
    n = stranger_hear(s);
    assert_int_equal(gri_frame_read(s->in, n, &f, &fault), 0);
    int32_t status = f.status;
    assert_int_equal(f.ref, ref);
    stranger_drop(s, n);
    return status;
}

static int32_t ask(stranger *s, uint64_t to, const char *tag, uint64_t ref)
{
    return ask_by(s, GRI_FRAME_ASK, to, tag, ref);
}

static void join_as_limited(stranger *s, pair *p)
{
    stranger_open(s, p->n->address[NODE]);
    stranger_start(s, "limited", OWN_SECRET);
    assert_int_equal(stranger_hello(s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(s), GRI_STEP_DONE);
}

/* The second node leaves, so that a plain socket can have its name. */
static void leave(pair *p)
{
    assert_int_equal(gr_watch_nodes(p->here, true), 0);
    (void)expect_node(p->here, "limited", true);
    stop_node(p->n, LIMITED);
    (void)expect_node(p->here, "limited", false);
}

static void open_questions_have_a_limit(void **state)
{
    static const uint8_t hold[] = {0x91, 0xa4, 'h', 'o', 'l', 'd'};
    static stranger s;
    pair p;
    begin(&p, state, &(gr_peer_rights){.asks_max = 2});
    leave(&p);
    join_as_limited(&s, &p);
    assert_int_equal(ask(&s, p.front.id, "ping", 1), 0);
    assert_int_equal(ask(&s, p.front.id, "ping", 2), 0);
    for (uint64_t ref = 3; ref <= 4; ref++) {
        stranger_frame(&s, &(gri_frame){.type = GRI_FRAME_ASK,
                                        .to = p.front.id,
                                        .from = 77,
                                        .ref = ref,
                                        .payload = hold,
                                        .len = sizeof hold});
    }
    assert_int_equal(ask(&s, p.front.id, "ping", 5), GR_ELIMIT);
    assert_int_equal(gr_kill(p.here, p.front), 0); /* answers both */
    assert_true(stranger_await(&s, GRI_FRAME_REPLY));
    stranger_drop(&s, stranger_hear(&s));
    assert_true(stranger_await(&s, GRI_FRAME_REPLY));
    stranger_drop(&s, stranger_hear(&s));
    assert_int_equal(ask(&s, p.back.id, "ping", 6), 0);
    stranger_close(&s);
}

static void to_be_confirmed_needs_the_same_rights(void **state)
{
    static stranger s;
    pair p;
    begin(&p, state, &(gr_peer_rights){.names = names});
    leave(&p);
    join_as_limited(&s, &p);
    assert_int_equal(ask_by(&s, GRI_FRAME_CONFIRM, p.back.id, "ping", 1),
                     GR_EDENIED);
    assert_int_equal(ask_by(&s, GRI_FRAME_CONFIRM, GRI_AGENT_ID, "ping", 2), 0);
    gr_net_stats t;
    assert_int_equal(gr_node_totals(p.here, &t), 0);
    assert_int_equal(t.forbidden, 1);
    assert_int_equal(t.faults, 0);
    stranger_close(&s);
}

/* ---- spawning ------------------------------------------------------------ */

static int spawn_there(pair *p, const gr_behavior *b, const char *name,
                       gr_pid *out)
{
    const gr_spawn_opts opts = {.node = p->node, .name = name};
    return gr_spawn(p->there, b, &opts, out);
}

static void it_starts_what_it_may_under_names_that_are_its(void **state)
{
    pair p;
    gr_pid pid, same;
    begin(&p, state, &(gr_peer_rights){.names = names, .spawnable = workers});
    assert_int_equal(spawn_there(&p, &other, NULL, &pid), GR_EDENIED);
    assert_int_equal(spawn_there(&p, &worker, "back2", &pid), GR_EDENIED);
    assert_int_equal(spawn_there(&p, &worker, "pub.one", &pid), 0);
    assert_int_equal(ping(&p, pid), 0);
    assert_int_equal(gr_whereis(p.there, p.node, "pub.one", &same), 0);
    assert_true(gr_pid_eq(pid, same));
    assert_int_equal(spawn_there(&p, &worker, NULL, &pid), 0);
    assert_int_equal(ping(&p, pid), 0); /* it was told */
    said_await(&log_of_node, "refused to start an actor of limited");
}

static void without_a_right_to_spawn_it_starts_nothing(void **state)
{
    pair p;
    gr_pid pid;
    begin(&p, state, &(gr_peer_rights){.may_stop = true});
    assert_int_equal(spawn_there(&p, &worker, NULL, &pid), GR_EDENIED);
}

static void spawned_actors_count_while_they_live(void **state)
{
    pair p;
    gr_pid a, b, c;
    begin(&p, state,
          &(gr_peer_rights){.spawnable = workers,
                            .may_stop = true,
                            .spawned_max = 2,
                            .names_max = 1});
    assert_int_equal(spawn_there(&p, &worker, "one", &a), 0);
    assert_int_equal(spawn_there(&p, &worker, "two", &b), GR_ELIMIT);
    assert_int_equal(spawn_there(&p, &worker, NULL, &b), 0);
    assert_int_equal(spawn_there(&p, &worker, NULL, &c), GR_ELIMIT);
    /* Also for who comes back. */
    assert_int_equal(gr_watch_nodes(p.there, true), 0);
    (void)expect_node(p.there, "node", true);
    assert_int_equal(gr_node_disconnect(p.there, p.node), 0);
    (void)expect_node(p.there, "node", false);
    join_limited(&p);
    assert_int_equal(spawn_there(&p, &worker, NULL, &c), GR_ELIMIT);
    /* One that ends makes room. */
    assert_int_equal(gr_kill(p.here, a), 0);
    int rc;
    do { /* the agent hears of that, too */
        rc = spawn_there(&p, &worker, "two", &c);
    } while (rc == GR_ELIMIT);
    assert_int_equal(rc, 0);
    assert_int_equal(spawn_there(&p, &worker, NULL, &a), GR_ELIMIT);
}

/* ["spawn", "worker", nil, []], and, with it, the goodbye: the agent may hear
 * of the end before it looks at the question. */
static void who_has_gone_has_no_rights_any_more(void **state)
{
    enum { TIMES = 200 };
    static const uint8_t order[] = {0x94, 0xa5, 's', 'p', 'a', 'w', 'n',  0xa6,
                                    'w',  'o',  'r', 'k', 'e', 'r', 0xc0, 0x90};
    static stranger s;
    pair p;
    gr_stats before, after;
    begin(&p, state, &(gr_peer_rights){.may_stop = true});
    leave(&p);
    gr_system_stats(p.n->sys[NODE], &before);
    for (int i = 0; i < TIMES; i++) {
        join_as_limited(&s, &p);
        for (uint64_t ref = 1; ref <= 20; ref++) {
            stranger_frame(&s, &(gri_frame){.type = GRI_FRAME_ASK,
                                            .to = GRI_AGENT_ID,
                                            .from = 77,
                                            .ref = ref,
                                            .payload = order,
                                            .len = sizeof order});
        }
        stranger_close(&s);
        (void)expect_node(p.here, "limited", true);
        (void)expect_node(p.here, "limited", false);
    }
    gr_system_stats(p.n->sys[NODE], &after);
    assert_int_equal(after.spawned, before.spawned);
}

static void rights_of_all_others_are_the_nodes_own(void **state)
{
    nodes *n = *state;
    gr_node node;
    gr_pid pid;
    const gr_peer_rights few = {.names = names};
    const gr_node_opts opts = {
        .name = "node", .secret = bytes_of(SECRET), .rights = &few};
    assert_int_equal(start_as(n, NODE, &opts, &log_of_node), 0);
    start_node(n, LIMITED, "anybody");
    assert_int_equal(
        gr_node_connect(n->self[LIMITED], n->address[NODE], LONG_MS, &node), 0);
    assert_int_equal(gr_whereis(n->self[LIMITED], node, "front", &pid),
                     GR_ENOENT);
    assert_int_equal(gr_whereis(n->self[LIMITED], node, "back", &pid),
                     GR_EDENIED);
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOG(names_that_are_not_its_are_out_of_reach),
        WITH_LOG(first_refusal_of_each_cause_is_told_of),
        WITH_LOG(pids_that_it_was_not_told_reach_nobody),
        WITH_LOG(actor_that_writes_to_it_is_in_reach),
        WITH_LOG(link_and_monitor_that_are_refused_end_with_a_reason),
        WITH_LOG(actor_here_may_link_to_it_all_the_same),
        WITH_LOG(limits_hold_for_each_connection),
        WITH_LOG(open_questions_have_a_limit),
        WITH_LOG(to_be_confirmed_needs_the_same_rights),
        WITH_LOG(it_starts_what_it_may_under_names_that_are_its),
        WITH_LOG(without_a_right_to_spawn_it_starts_nothing),
        WITH_LOG(spawned_actors_count_while_they_live),
        WITH_LOG(who_has_gone_has_no_rights_any_more),
        WITH_LOG(rights_of_all_others_are_the_nodes_own),
    };
    return cmocka_run_group_tests_name("transport/few_rights", tests, NULL,
                                       NULL);
}
