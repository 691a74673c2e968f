/*
 * Goal:   long messages, which go from their own memory, and short ones reach
 *         another node whole and in the order sent, whether they go at once,
 *         wait for credit or go in parts; and those that a lost connection
 *         leaves behind are freed.
 * Method: an actor that sends both kinds, to an actor of another node that
 *         looks at every byte; and to a client on a plain socket, which takes
 *         some, and hangs up. What is not freed the sanitizer tells.
 */
#include "tests/transport/scene.h"

#include "actors/route.h"
#include "transport/net.h"

enum {
    SLICE = 20,  /* messages that are sent in one turn */
    MANY = 400,  /* to an actor */
    FEW = 100,   /* to a client: with small numbers */
    MOST = 70000 /* bytes of one */
};

/* Shorter ones than are sent from their own memory, such, and one that goes in
 * parts. */
static const uint32_t sizes[] = {1,     100, 17000, 30, 65000, 5,
                                 65500, 0,   70000, 7,  20000, 40000};
/* For a client. */
static const uint32_t direct[] = {1, 100, 40000, 30, 60000, 5, 20000};

static uint32_t size_of(int64_t i, bool far)
{
    return far ? sizes[i % (int64_t)(sizeof sizes / sizeof sizes[0])]
               : direct[i % (int64_t)(sizeof direct / sizeof direct[0])];
}

/* ---- who sends ----------------------------------------------------------- */

typedef struct source_state {
    gr_pid to;
    int64_t i, n;
    bool far; /* to an actor, not to a client */
} source_state;

static int source_init(gr_actor *self, void *state, const gr_msg *args)
{
    source_state *s = state;
    (void)self;
    return gr_unpack(args, &s->to, &s->n, &s->far) ? 0 : GR_EINVAL;
}

static int source_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    static _Thread_local uint8_t bytes[MOST];
    source_state *s = state;
    if (gr_match(msg, "done")) {
        return gr_reply(self, msg, "done", s->i);
    }
    if (!gr_match(msg, "go")) {
        return gr_unhandled(self, msg);
    }
    for (int k = 0; k < SLICE && s->i < s->n; k++, s->i++) {
        const uint32_t len = size_of(s->i, s->far);
        memset(bytes, (int)s->i, len);
        const int rc = gr_send(self, s->to, "n", s->i, gr_bin(bytes, len));
        if (rc == GR_ENOCONN) {
            return 0; /* it is lost, as it was to be */
        }
        if (rc == GR_EAGAIN) {
            break;
        }
        GR_TRY(rc);
    }
    return s->i < s->n ? gr_send(self, gr_self(self), "go") : 0;
}

static const gr_behavior source = {.name = "source",
                                   .state_size = sizeof(source_state),
                                   .init = source_init,
                                   .receive = source_receive};

static gr_pid start_source(nodes *n, gr_pid to, int64_t count, bool far)
{
    gr_pid pid;
    const gr_spawn_opts opts = {.args = gr_args(to, count, far)};
    assert_int_equal(gr_spawn(n->self[0], &source, &opts, &pid), 0);
    assert_int_equal(gr_send(n->self[0], pid, "go"), 0);
    return pid;
}

/* ---- who looks ----------------------------------------------------------- */

static bool is_right(int64_t i, gr_bytes bytes, bool far)
{
    const uint8_t *p = bytes.ptr;
    bool right = bytes.len == size_of(i, far);
    for (uint32_t k = 0; k < bytes.len && right; k++) {
        right = p[k] == (uint8_t)i;
    }
    return right;
}

typedef struct looker_state {
    gr_pid owner;
    int64_t next;
} looker_state;

static int looker_init(gr_actor *self, void *state, const gr_msg *args)
{
    looker_state *s = state;
    (void)self;
    return gr_unpack(args, &s->owner) ? 0 : GR_EINVAL;
}

static int looker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    looker_state *s = state;
    int64_t i;
    gr_bytes bytes;
    if (!gr_match(msg, "n", &i, &bytes)) {
        return gr_unhandled(self, msg);
    }
    if (i != s->next || !is_right(i, bytes, true)) {
        return gr_send(self, s->owner, "wrong", i, s->next);
    }
    return ++s->next == MANY ? gr_send(self, s->owner, "all") : 0;
}

static const gr_behavior looker = {.name = "looker",
                                   .state_size = sizeof(looker_state),
                                   .init = looker_init,
                                   .receive = looker_receive};

/* ---- scenes -------------------------------------------------------------- */

static void long_and_short_ones_come_in_order(void **state)
{
    nodes *n = *state;
    gr_pid to;
    (void)start_node(n, 0, "here");
    (void)start_node(n, 1, "there");
    (void)join(n, 0, 1);
    const gr_spawn_opts opts = {.args = gr_args(gr_self(n->self[1]))};
    assert_int_equal(gr_spawn(n->self[1], &looker, &opts, &to), 0);
    (void)start_source(n, to, MANY, true);
    assert_true(gr_match(next(n->self[1]), "all"));
}

/* They are lost while the other end still takes some. */
static void a_node_that_ends_leaves_nothing_behind(void **state)
{
    nodes *n = *state;
    gr_pid to;
    (void)start_node(n, 0, "here");
    (void)start_node(n, 1, "there");
    (void)join(n, 0, 1);
    to = spawn_sink(n, 1);
    assert_int_equal(gr_watch_nodes(n->self[0], true), 0);
    (void)expect_node(n->self[0], "there", true);
    for (int i = 0; i < 4; i++) {
        (void)start_source(n, to, INT64_MAX, true);
    }
    stop_node(n, 1);
    (void)expect_node(n->self[0], "there", false);
}

static size_t queued(const scene *c)
{
    gri_peer *peer =
        gri_net_find(gri_route_net(c->n->sys[NODE]), c->s.hs.self.node);
    assert_non_null(peer);
    (void)pthread_mutex_lock(&peer->lock);
    const size_t n = gri_peer_queued(peer);
    (void)pthread_mutex_unlock(&peer->lock);
    return n;
}

/* The client reads so many messages. */
static void hear(scene *c, int64_t from, int64_t to)
{
    while (from < to) {
        gri_frame f;
        const char *fault = NULL;
        assert_true(stranger_await(&c->s, GRI_FRAME_SEND));
        const size_t n = stranger_hear(&c->s);
        assert_int_equal(gri_frame_read(c->s.in, n, &f, &fault), 0);
        int rc = 1;
        while (rc > 0) { /* ["n", from, bytes] */
            const uint32_t len = size_of(from, false);
            assert_int_equal(f.payload[3], from);
            assert_in_range(f.len, len + 6, len + 9);
            assert_true(is_right(from, (gr_bytes){f.payload + f.len - len, len},
                                 false));
            from++;
            rc = gri_frame_more(&f, &fault);
        }
        assert_int_equal(rc, 0);
        stranger_drop(&c->s, n);
    }
}

/* A client that has given so much credit, and so much later. */
static void be_hung_up(void **state, uint32_t credit, uint32_t more)
{
    scene c;
    int64_t sent = 0;
    begin_with(&c, state, &(gr_node_opts){.outbox_max = 64 << 20});
    gr_actor *self = c.n->self[NODE];
    assert_int_equal(gr_watch_nodes(self, true), 0);
    (void)expect_node(self, "good", true);
    stranger_open(&c.s, port_of(&c));
    stranger_start(&c.s, "client", SECRET);
    c.s.credit = credit;
    assert_int_equal(stranger_hello(&c.s), GRI_STEP_NAMED);
    assert_int_equal(stranger_prove(&c.s), GRI_STEP_DONE);
    (void)expect_node(self, "client", true);
    const gr_pid to = {c.s.hs.self.node, (UINT64_C(1) << 32) | 7};
    const gr_pid from = start_source(c.n, to, FEW, false);
    do { /* it does not wait for credit, so it ends */
        assert_int_equal(
            gr_call(self, from, LONG_MS, gr_expect("done", &sent), "done"), 0);
    } while (sent < FEW);
    hear(&c, 0, 5);
    assert_true(queued(&c) > 0);
    stranger_frame(&c.s, &(gri_frame){.type = GRI_FRAME_CREDIT, .count = more});
    hear(&c, 5, 20);
    stranger_close(&c.s);
    (void)expect_node(self, "client", false);
    assert_unharmed(&c);
}

static void what_waits_for_credit_is_freed(void **state)
{
    be_hung_up(state, 100 * 1000, 400 * 1000);
}

/* Over ipc the socket has no room for all of it. */
static void what_is_on_its_way_is_freed(void **state)
{
    be_hung_up(state, 400 * 1000, STRANGER_CREDIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_ALL(long_and_short_ones_come_in_order),
        ON_ALL(a_node_that_ends_leaves_nothing_behind),
        ON_BOTH(what_waits_for_credit_is_freed),
        ON_BOTH(what_is_on_its_way_is_freed),
    };
    return cmocka_run_group_tests_name("transport/large", tests, NULL, NULL);
}
