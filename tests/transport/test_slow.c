/*
 * Goal:   a receiver, or a peer, that cannot follow slows its senders down:
 *         nothing is refused or lost that way, what controls actors passes, and
 *         nodes that flood each other go on.
 * Method: actors that count, one of which is held in its handler by the test;
 *         a proven stranger that gives as much credit as the test likes. What
 *         cannot be seen from outside (who waits) is read from the peer.
 */
#include <sched.h>
#include <stdatomic.h>

#include "tests/transport/scene.h"
#include "transport/net.h"

enum {
    SLICE = 1000,
    MANY = 50000,
    THRICE = 150000,
    HARD = THRICE + 1, /* what is in the outbox by then comes in any case */
    RIVALRY = 3000,
    TOO_MANY = 1000000
};

/* ---- who counts ---------------------------------------------------------- */

static atomic_bool gate; /* open: counters go on */

typedef struct counter_state {
    int64_t seen, wanted;
    gr_pid whom;
} counter_state;

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    counter_state *c = state;
    int64_t i;
    if (gr_match(msg, "want", &c->wanted)) {
        c->whom = gr_sender(msg);
        return 0;
    }
    if (!gr_match(msg, "m", &i) || i != c->seen) {
        return GR_EFAIL; /* lost, or not in order */
    }
    /* acquire: pairs with the store by the test. */
    while (!atomic_load_explicit(&gate, memory_order_acquire)) {
        sched_yield();
    }
    return ++c->seen == c->wanted ? gr_send(self, c->whom, "all", c->seen) : 0;
}

static const gr_behavior counter = {.name = "counter",
                                    .state_size = sizeof(counter_state),
                                    .receive = counter_receive};

/* ---- who sends ----------------------------------------------------------- */

typedef struct source_state {
    gr_pid to;
    int64_t i, n;
    int ends; /* a rival's: of two */
} source_state;

static int source_init(gr_actor *self, void *state, const gr_msg *args)
{
    source_state *s = state;
    (void)self;
    return gr_unpack(args, &s->to, &s->n) ? 0 : GR_EINVAL;
}

static int send_slice(gr_actor *self, source_state *s, bool ends)
{
    for (int k = 0; k < SLICE && s->i < s->n; k++) {
        GR_TRY(gr_send(self, s->to, "m", s->i++)); /* refused: it fails */
    }
    if (s->i < s->n) {
        return gr_send(self, gr_self(self), "go");
    }
    if (ends) {
        gr_exit(self, 0, NULL);
    }
    return 0;
}

static int source_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    return gr_match(msg, "go") ? send_slice(self, state, true)
                               : gr_unhandled(self, msg);
}

static const gr_behavior source = {.name = "source",
                                   .state_size = sizeof(source_state),
                                   .init = source_init,
                                   .receive = source_receive};

static gr_pid start_source(nodes *n, int i, gr_pid to, int64_t count)
{
    gr_pid pid;
    gr_actor *self = n->self[i];
    assert_int_equal(gr_spawn(self, &source,
                              &(gr_spawn_opts){.args = gr_args(to, count)},
                              &pid),
                     0);
    gr_ref ref;
    assert_int_equal(gr_monitor(self, pid, &ref), 0);
    assert_int_equal(gr_send(self, pid, "go"), 0);
    return pid;
}

static gr_pid start_counter(nodes *n, int i, gr_mailbox mailbox, int64_t want)
{
    gr_pid pid;
    assert_int_equal(gr_spawn(n->self[i], &counter,
                              &(gr_spawn_opts){.mailbox = mailbox}, &pid),
                     0);
    assert_int_equal(gr_send(n->self[i], pid, "want", want), 0);
    return pid;
}

/* ---- what is seen -------------------------------------------------------- */

typedef enum look { FOR_THERE, FOR_ROOM, TOLD, PAIRS } look;

/* How many the peers of a node count of that. */
static size_t count(nodes *n, int i, look what)
{
    const gri_net *net = gri_route_net(n->sys[i]);
    size_t sum = 0;
    uint32_t used = gri_net_used(net);
    for (uint32_t k = 0; k < used; k++) {
        gri_peer *peer = gri_net_peer(net, k);
        const gri_slowed *s = &peer->slowed;
        (void)pthread_mutex_lock(&peer->lock);
        sum += what == FOR_THERE  ? s->for_there.count
               : what == FOR_ROOM ? s->for_room.count
               : what == TOLD     ? s->told.count
                                  : s->pairs.count;
        (void)pthread_mutex_unlock(&peer->lock);
    }
    return sum;
}

static void await(nodes *n, int i, look what)
{
    while (count(n, i, what) == 0) {
        sched_yield();
    }
}

static void set_gate(bool open)
{
    /* release: pairs with the load by the counters. */
    atomic_store_explicit(&gate, open, memory_order_release);
}

static void expect_all(gr_actor *self, int64_t want)
{
    int64_t seen = 0;
    assert_true(gr_match(next(self), "all", &seen));
    assert_int_equal(seen, want);
}

/* ---- receivers ----------------------------------------------------------- */

static void a_slow_receiver_slows_its_far_senders(void **state)
{
    nodes *n = *state;
    const gr_mailbox mailbox = {.soft = 100, .hard = HARD};
    set_gate(false);
    start_node(n, 0, "a");
    start_node(n, 1, "b");
    (void)join(n, 0, 1);
    const gr_pid to = start_counter(n, 1, mailbox, MANY);

    (void)start_source(n, 0, to, MANY);
    await(n, 0, FOR_THERE);
    assert_int_equal(count(n, 1, TOLD), 1);
    set_gate(true);

    expect_all(n->self[1], MANY);
    assert_int_equal(count(n, 0, FOR_THERE), 0);
}

static void its_end_lets_them_go(void **state)
{
    nodes *n = *state;
    const gr_mailbox mailbox = {.soft = 100, .hard = HARD};
    set_gate(false);
    start_node(n, 0, "a");
    start_node(n, 1, "b");
    (void)join(n, 0, 1);
    const gr_pid to = start_counter(n, 1, mailbox, THRICE);
    (void)start_source(n, 0, to, THRICE);
    await(n, 0, FOR_THERE);

    assert_int_equal(gr_kill(n->self[1], to), 0);
    set_gate(true);

    /* What it sends goes to nobody, so nobody slows it down any more. */
    gr_exit_reason why;
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_NORMAL);
    while (count(n, 0, PAIRS) > 0 || count(n, 1, TOLD) > 0) {
        sched_yield();
    }
}

static void the_loss_of_the_node_lets_them_go(void **state)
{
    nodes *n = *state;
    const gr_mailbox mailbox = {.soft = 100, .hard = HARD};
    gr_exit_reason why;
    set_gate(false);
    start_node(n, 0, "a");
    start_node(n, 1, "b");
    gr_node b = join(n, 0, 1);
    const gr_pid to = start_counter(n, 1, mailbox, MANY);
    (void)start_source(n, 0, to, MANY);
    await(n, 0, FOR_THERE);

    assert_int_equal(gr_node_disconnect(n->self[0], b), 0);

    /* It goes on, and fails for want of a connection. */
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_int_equal(why.code, GR_ENOCONN);
    set_gate(true);
}

/* Each floods the other, and ends when both have all. */
static int rival_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    source_state *s = state;
    int64_t i;
    if (gr_match(msg, "m", &i)) {
        if (i + 1 < s->n) {
            return 0;
        }
        GR_TRY(gr_send(self, gr_sender(msg), "over"));
        s->ends++;
    } else if (gr_match(msg, "over")) {
        s->ends++;
    } else if (gr_match(msg, "at", &s->to)) {
        return gr_send(self, gr_self(self), "go");
    } else {
        return gr_match(msg, "go") ? send_slice(self, s, false)
                                   : gr_unhandled(self, msg);
    }
    if (s->ends == 2) {
        gr_exit(self, 0, NULL);
    }
    return 0;
}

static const gr_behavior rival = {.name = "rival",
                                  .state_size = sizeof(source_state),
                                  .init = source_init,
                                  .receive = rival_receive};

static void flood_each_other(nodes *n, const gr_node_opts *opts_of)
{
    const gr_mailbox mailbox = {.soft = 10, .hard = 1 << 20};
    gr_pid pids[2];
    gr_ref ref;
    gr_exit_reason why;
    start_node_with(n, 0, "a", opts_of);
    start_node_with(n, 1, "b", opts_of);
    (void)join(n, 0, 1);
    for (int i = 0; i < 2; i++) {
        const gr_spawn_opts opts = {
            .args = gr_args(GR_NOBODY, (int64_t)(RIVALRY)), .mailbox = mailbox};
        assert_int_equal(gr_spawn(n->self[i], &rival, &opts, &pids[i]), 0);
        assert_int_equal(gr_monitor(n->self[i], pids[i], &ref), 0);
    }
    for (int i = 0; i < 2; i++) {
        gr_pid other = pids[1 - i];
        assert_int_equal(gr_send(n->self[i], pids[i], "at", other), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_true(gr_match_down(next(n->self[i]), NULL, NULL, &why));
        assert_int_equal(why.kind, GR_EXIT_NORMAL);
    }
}

static void nodes_that_flood_each_other_go_on(void **state)
{
    flood_each_other(*state, NULL);
}

/* Of both what is sent waits for credit, and each SLOW stands behind it: if it
 * waited, too, neither would be answered, and so nobody get any credit. */
static void they_do_so_with_little_credit(void **state)
{
    flood_each_other(*state, &(gr_node_opts){.window = 2000});
}

/* ---- peers --------------------------------------------------------------- */

/* A proven peer that has given no credit yet. */
static void join_mean(scene *c, const char *name)
{
    stranger_open(&c->s, port_of(c));
    stranger_start(&c->s, name, SECRET);
    c->s.credit = 0;
    assert_int_equal(stranger_hello(&c->s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c->s), GRI_STEP_DONE);
}

static gr_pid actor_of(const scene *c, uint64_t id)
{
    return (gr_pid){c->s.hs.self.node, id};
}

static void without_credit_only_control_passes(void **state)
{
    scene c;
    gr_ref ref;
    begin(&c, state);
    join_mean(&c, "mean");
    gr_actor *self = c.n->self[NODE];
    for (int64_t i = 0; i < 100; i++) {
        assert_int_equal(gr_send(self, actor_of(&c, 5), "m", i), 0);
    }
    assert_int_equal(gr_monitor(self, actor_of(&c, 6), &ref), 0);
    /* The first frame is the node's own credit. */
    assert_true(stranger_hear(&c.s) > 0);
    assert_int_equal(c.s.in[4], GRI_FRAME_CREDIT);
    stranger_drop(&c.s, stranger_hear(&c.s));
    size_t n = stranger_hear(&c.s);
    assert_true(n > 0);
    assert_int_equal(c.s.in[4], GRI_FRAME_MONITOR);
    stranger_drop(&c.s, n);

    stranger_frame(&c.s,
                   &(gri_frame){.type = GRI_FRAME_CREDIT, .count = 100000});
    n = stranger_hear(&c.s);
    assert_true(n > 0);
    assert_int_equal(c.s.in[4], GRI_FRAME_SEND);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void actors_wait_for_room_and_are_refused_in_the_end(void **state)
{
    scene c;
    gr_exit_reason why;
    begin_with(&c, state, &(gr_node_opts){.outbox_max = 100 * 1000});
    join_mean(&c, "mean");
    (void)start_source(c.n, NODE, actor_of(&c, 5), TOO_MANY);
    await(c.n, NODE, FOR_ROOM);
    assert_unharmed(&c);
    /* It is let go now and then, until it has sent as much as may wait. */
    assert_true(gr_match_down(next(c.n->self[NODE]), NULL, NULL, &why));
    assert_int_equal(why.code, GR_EAGAIN);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

static void who_spends_more_than_its_credit_is_cut(void **state)
{
    static const uint8_t payload[400] = {0x92, 0xa1, 'x', 0xc5, 0x01, 0x8a};
    scene c;
    begin_with(&c, state, &(gr_node_opts){.window = 500});
    assert_int_equal(gr_watch_nodes(c.n->self[NODE], true), 0);
    assert_int_equal(expect_node(c.n->self[NODE], "good", true), 0);
    join_mean(&c, "mean");
    assert_int_equal(expect_node(c.n->self[NODE], "mean", true), 0);
    const gri_frame f = {.type = GRI_FRAME_SEND,
                         .to = c.server.id,
                         .payload = payload,
                         .len = sizeof payload};
    uint8_t bytes[3 * (GRI_FRAME_FIXED_MAX + sizeof payload)];
    size_t n = 0;
    for (int i = 0; i < 3; i++) { /* in one write, and so in one read */
        n += gri_frame_write(bytes + n, &f);
        memcpy(bytes + n, payload, sizeof payload);
        n += sizeof payload;
    }
    stranger_say(&c.s, bytes, n);
    assert_int_equal(expect_node(c.n->self[NODE], "mean", false), GR_EFORMAT);
    stranger_await_end(&c.s);
    stranger_close(&c.s);
    assert_unharmed(&c);
}

/* The next of the node's frames is credit, after others. */
static uint32_t hear_credit(stranger *s)
{
    gri_frame f;
    const char *fault = NULL;
    assert_true(stranger_await(s, GRI_FRAME_CREDIT));
    const size_t n = stranger_hear(s);
    assert_int_equal(gri_frame_read(s->in, n, &f, &fault), 0);
    stranger_drop(s, n);
    return f.count;
}

static void what_is_dropped_is_given_back(void **state)
{
    static const uint8_t payload[] = {0x91, 0x01};
    scene c;
    begin_with(&c, state, &(gr_node_opts){.window = 1000});
    join_mean(&c, "late");
    int64_t credit = hear_credit(&c.s);
    /* Answers that nobody waits for: all of a window's and more. */
    const gri_frame f = {.type = GRI_FRAME_REPLY,
                         .to = c.server.id,
                         .from = 5,
                         .ref = 9,
                         .payload = payload,
                         .len = sizeof payload};
    for (int i = 0; i < 200; i++) {
        while (credit <= 0) {
            credit += hear_credit(&c.s);
        }
        stranger_frame(&c.s, &f);
        credit -= (int64_t)gri_frame_len(&f) + GRI_MESSAGE_COST;
    }
    stranger_close(&c.s);
    assert_unharmed(&c);
}

/* ---- long turns ---------------------------------------------------------- */

/* Told by an actor that it has heard from afar. */
static atomic_bool heard;

static int ear_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self;
    (void)state;
    if (gr_match(msg, "pong")) {
        /* release: pairs with the load in busy_receive. */
        atomic_store_explicit(&heard, true, memory_order_release);
    }
    return 0;
}

static const gr_behavior ear = {.name = "ear", .receive = ear_receive};

/* Sends, and does not return before it was heard. */
static int busy_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_pid far, near;
    if (!gr_match(msg, "go", &far, &near)) {
        return gr_unhandled(self, msg);
    }
    GR_TRY(gr_send(self, far, "ping", near));
    /* acquire: pairs with the store in ear_receive. */
    while (!atomic_load_explicit(&heard, memory_order_acquire)) {
        sched_yield();
    }
    gr_exit(self, 0, NULL);
    return 0;
}

static const gr_behavior busy = {.name = "busy", .receive = busy_receive};

static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_pid to;
    return gr_match(msg, "ping", &to) ? gr_send(self, to, "pong") : 0;
}

static const gr_behavior echo = {.name = "echo", .receive = echo_receive};

static void a_long_turn_does_not_keep_what_it_has_sent(void **state)
{
    nodes *n = *state;
    gr_pid far, near, pid;
    gr_ref ref;
    gr_exit_reason why;
    atomic_store_explicit(&heard, false, memory_order_relaxed);
    start_node(n, 0, "a");
    start_node(n, 1, "b");
    (void)join(n, 0, 1);
    assert_int_equal(gr_spawn(n->self[1], &echo, NULL, &far), 0);
    assert_int_equal(gr_spawn(n->self[0], &ear, NULL, &near), 0);
    assert_int_equal(gr_spawn(n->self[0], &busy, NULL, &pid), 0);
    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
    assert_int_equal(gr_send(n->self[0], pid, "go", far, near), 0);
    assert_true(gr_match_down(next(n->self[0]), NULL, NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_NORMAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_slow_receiver_slows_its_far_senders),
        ON_IPC(its_end_lets_them_go),
        ON_IPC(the_loss_of_the_node_lets_them_go),
        ON_IPC(nodes_that_flood_each_other_go_on),
        ON_BOTH(they_do_so_with_little_credit),
        ON_IPC(without_credit_only_control_passes),
        ON_IPC(actors_wait_for_room_and_are_refused_in_the_end),
        ON_IPC(who_spends_more_than_its_credit_is_cut),
        ON_IPC(what_is_dropped_is_given_back),
        ON_BOTH(a_long_turn_does_not_keep_what_it_has_sent),
    };
    return cmocka_run_group_tests_name("transport/slow", tests, NULL, NULL);
}
