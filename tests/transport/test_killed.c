/*
 * Goal:   the process of a node is killed under full load, again and again:
 *         each monitor fires once, its successor at that address is reached
 *         without anybody else being started anew, and nothing is delivered to
 *         the wrong run of it, in either direction.
 * Method: a hub, a witness that stays connected with it, and a guest in a
 *         process of its own, which is killed as soon as enough has passed both
 *         ways, each time after more. Who sends says to which run, or from
 *         which; who receives compares. KILL_ROUNDS says how often.
 */
#include "tests/transport/guest.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    ROUNDS = 5,
    HUB = 0,
    WITNESS = 1,
    SENDERS = 2,
    MONITORS = 40,
    LOAD = 2000, /* messages each way, at least, before it is killed */
    MORE = 37,   /* and so many more in each round */
    SLICE = 200
};

/* ---- the guest ----------------------------------------------------------- */

typedef struct sink_state {
    int64_t last[SENDERS];
    int64_t count;
} sink_state;

typedef struct source_state {
    gr_pid to;
    int64_t number;
} source_state;

static int source_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    source_state *s = state;
    const int64_t run = (int64_t)gr_self(self).node;
    if (!gr_match(msg, "more") && !gr_match(msg, "go", &s->to)) {
        return gr_unhandled(self, msg);
    }
    for (int i = 0; i < SLICE; i++) {
        int rc = gr_send(self, s->to, "b", run, s->number + 1);
        if (rc < 0) {
            break; /* no room, or no connection: later */
        }
        s->number++;
    }
    return gr_send(self, gr_self(self), "more");
}

static const gr_behavior source = {.name = "source",
                                   .state_size = sizeof(source_state),
                                   .receive = source_receive};

static int drain_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    sink_state *s = state;
    int64_t run, who, number;
    gr_pid pid;
    if (gr_match(msg, "n", &run, &who, &number)) {
        if (run != (int64_t)gr_self(self).node) {
            guest_say("another run's");
        } else if (number <= s->last[who]) {
            guest_say("twice, or out of order");
        }
        s->last[who] = number;
        s->count++;
        return 0;
    }
    if (gr_match(msg, "go", &pid)) {
        gr_pid it;
        GR_TRY(gr_spawn(self, &source, NULL, &it));
        return gr_send(self, it, "go", pid);
    }
    if (gr_match(msg, "count")) {
        return gr_reply(self, msg, "count", s->count);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior drain = {.name = "drain",
                                  .state_size = sizeof(sink_state),
                                  .receive = drain_receive};

static int be_guest(char **argv)
{
    gr_system *sys = NULL;
    gr_actor *self = NULL;
    gr_pid pid;
    char name[] = "drain";
    (void)pid;
    GR_TRY(guest_begin(argv, NULL, &sys, &self));
    GR_TRY(gr_spawn(self, &drain, &(gr_spawn_opts){.name = name}, &pid));
    guest_wait();
    gr_thread_detach(self, 0);
    return gr_system_stop(sys, LONG_MS);
}

/* ---- the hub ------------------------------------------------------------- */

/* Who is sent to from the guest. */
typedef struct ear_state {
    gr_pid source; /* that is heard, and monitored */
    gr_ref ref;
    bool down; /* it is not any more */
    int64_t last, count;
    int64_t wrong; /* messages of a dead run, or twice, or out of order; DOWNs
                      that nobody waits for */
} ear_state;

static int hear_new(gr_actor *self, ear_state *e, gr_pid from)
{
    e->wrong += e->source.node != 0 && !e->down;
    e->source = from;
    e->down = false;
    e->last = 0;
    return gr_monitor(self, from, &e->ref);
}

static int ear_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    ear_state *e = state;
    gr_ref ref;
    gr_exit_reason why;
    int64_t run, number;
    if (gr_match(msg, "b", &run, &number)) {
        const gr_pid from = gr_sender(msg);
        if (!gr_pid_eq(from, e->source)) {
            GR_TRY(hear_new(self, e, from));
        }
        e->wrong += run != (int64_t)from.node || e->down || number <= e->last;
        e->last = number;
        e->count++;
        return 0;
    }
    if (gr_match_down(msg, &ref, NULL, &why)) {
        e->wrong +=
            e->down || ref.id != e->ref.id || why.kind != GR_EXIT_NOCONNECTION;
        e->down = true;
        return 0;
    }
    if (gr_match(msg, "count")) {
        return gr_reply(self, msg, "count", e->count, e->wrong);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior ear = {
    .name = "ear", .state_size = sizeof(ear_state), .receive = ear_receive};

/* A thread that sends to whatever run there is, or was. */
typedef struct sender {
    gr_system *sys;
    pthread_mutex_t *lock;
    const gr_pid *to; /* under lock */
    _Atomic(bool) *stop;
    int64_t who, sent;
    int rc;
} sender;

static int send_some(gr_actor *self, sender *s, int64_t *number)
{
    (void)pthread_mutex_lock(s->lock);
    const gr_pid to = *s->to;
    (void)pthread_mutex_unlock(s->lock);
    if (to.node == 0) {
        return gr_sleep(self, 1); /* nobody yet */
    }
    for (int i = 0; i < SLICE; i++) {
        int rc = gr_send(self, to, "n", (int64_t)to.node, s->who, *number + 1);
        if (rc == GR_EAGAIN || rc == GR_ENOCONN) {
            return gr_sleep(self, 1);
        }
        GR_TRY(rc);
        ++*number;
        s->sent++;
    }
    return 0;
}

static void *send_all(void *arg)
{
    sender *s = arg;
    gr_actor *self = NULL;
    int64_t number = 0; /* goes on from run to run */
    s->rc = gr_thread_attach(s->sys, NULL, &self);
    /* relaxed: it only has to be seen some time. */
    while (s->rc == 0 && !atomic_load_explicit(s->stop, memory_order_relaxed)) {
        s->rc = send_some(self, s, &number);
    }
    if (self != NULL) {
        gr_thread_detach(self, 0);
    }
    return NULL;
}

typedef struct scene {
    nodes *n;
    guest g;
    gr_pid ear;
    gr_node node; /* the guest's run */
    gr_pid drain;
    gr_ref ref[MONITORS];
    gr_ref kept; /* the witness's monitor of the ear, and */
    pthread_mutex_t lock;
    gr_pid to; /* under lock: what the senders send to */
    _Atomic(bool) stop;
    sender s[SENDERS];
    pthread_t thread[SENDERS];
} scene;

static void begin(scene *c, nodes *n)
{
    char listen[128];
    *c = (scene){.n = n};
    start_node(n, HUB, "hub");
    start_node(n, WITNESS, "witness");
    (void)join(n, WITNESS, HUB);
    assert_int_equal(gr_spawn(n->self[HUB], &ear, NULL, &c->ear), 0);
    assert_int_equal(gr_monitor(n->self[WITNESS], c->ear, &c->kept), 0);
    assert_int_equal(gr_watch_nodes(n->self[HUB], true), 0);
    assert_int_equal(expect_node(n->self[HUB], "witness", true), 0);
    assert_int_equal(pthread_mutex_init(&c->lock, NULL), 0);
    place(n, 2, listen, sizeof listen);
    guest_start(&c->g, "guest", listen);
    guest_await(&c->g); /* a port of its own, which it keeps */
}

static void begin_load(scene *c)
{
    for (int i = 0; i < SENDERS; i++) {
        c->s[i] = (sender){.sys = c->n->sys[HUB],
                           .lock = &c->lock,
                           .to = &c->to,
                           .stop = &c->stop,
                           .who = i};
        assert_int_equal(
            pthread_create(&c->thread[i], NULL, send_all, &c->s[i]), 0);
    }
}

static void end_load(scene *c)
{
    /* relaxed: as in send_all. */
    atomic_store_explicit(&c->stop, true, memory_order_relaxed);
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(c->thread[i], NULL), 0);
        if (c->s[i].rc != 0) {
            fail_msg("sender %d: %s", i, gr_errname(c->s[i].rc));
        }
    }
}

/* The next run, as soon as it listens. */
static void reach(scene *c)
{
    gr_actor *self = c->n->self[HUB];
    int rc;
    while ((rc = gr_node_connect(self, c->g.address, LONG_MS, &c->node)) != 0) {
        assert_int_equal(rc, GR_ENOCONN);
        assert_int_equal(gr_sleep(self, 1), 0);
    }
    assert_int_equal(expect_node(self, "guest", true), 0);
    /* It may be up a moment before its actors are. */
    while ((rc = gr_whereis(self, c->node, "drain", &c->drain)) != 0) {
        assert_int_equal(rc, GR_ENOENT);
    }
}

static int64_t count_of(scene *c, gr_pid pid)
{
    int64_t count = -1, wrong = 0;
    int rc;
    do { /* its mailbox may be full */
        rc = pid.node == c->node.id
                 ? gr_call(c->n->self[HUB], pid, LONG_MS,
                           gr_expect("count", &count), "count")
                 : gr_call(c->n->self[HUB], pid, LONG_MS,
                           gr_expect("count", &count, &wrong), "count");
    } while (rc == GR_EAGAIN);
    assert_int_equal(rc, 0);
    assert_int_equal(wrong, 0);
    return count;
}

/* Full load both ways, and every monitor on its way. */
static void load(scene *c, int round)
{
    gr_actor *self = c->n->self[HUB];
    const int64_t want = LOAD + MORE * round;
    const int64_t before = count_of(c, c->ear);
    for (int i = 0; i < MONITORS; i++) {
        const gr_pid whom = i % 2 == 0 ? c->drain : gr_node_agent(c->node);
        assert_int_equal(gr_monitor(self, whom, &c->ref[i]), 0);
    }
    assert_int_equal(gr_send(self, c->drain, "go", c->ear), 0);
    (void)pthread_mutex_lock(&c->lock);
    c->to = c->drain;
    (void)pthread_mutex_unlock(&c->lock);
    while (count_of(c, c->drain) < want ||
           count_of(c, c->ear) - before < want) {
    }
}

/* One DOWN for each monitor, one word that the node is lost, nothing else. */
static void expect_the_loss(scene *c)
{
    gr_actor *self = c->n->self[HUB];
    bool seen[MONITORS] = {false};
    const gr_msg *msg;
    unsigned lost = 0;
    for (int k = 0; k < MONITORS + 1; k++) {
        gr_ref ref;
        gr_exit_reason why;
        bool up = true;
        int reason = 0;
        msg = next(self);
        if (gr_match_node(msg, &up, NULL, NULL, &reason)) {
            assert_false(up);
            assert_int_equal(reason, GR_ENOCONN);
            lost++;
            continue;
        }
        assert_true(gr_match_down(msg, &ref, NULL, &why));
        assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
        int i = 0;
        while (i < MONITORS && c->ref[i].id != ref.id) {
            i++;
        }
        assert_true(i < MONITORS);
        assert_false(seen[i % MONITORS]); /* so that a linter sees the bound */
        seen[i % MONITORS] = true;
    }
    assert_int_equal(lost, 1);
    assert_int_equal(gr_receive(self, 0, &msg), GR_ETIMEOUT);
}

/* Who has a pid of the last run reaches nobody in this one. */
static void stale_pid_is_nobody(scene *c, gr_pid stale)
{
    gr_actor *self = c->n->self[HUB];
    gr_ref ref, told;
    gr_exit_reason why;
    assert_int_equal(gr_send(self, stale, "n", (int64_t)stale.node, 0, 1),
                     GR_ENOCONN);
    assert_int_equal(gr_monitor(self, stale, &ref), 0);
    assert_true(gr_match_down(next(self), &told, NULL, &why));
    assert_int_equal(told.id, ref.id);
    assert_int_equal(why.kind, GR_EXIT_NOCONNECTION);
}

static int rounds(void)
{
    const char *text = getenv("KILL_ROUNDS");
    return text != NULL && *text != '\0' ? (int)strtol(text, NULL, 10) : ROUNDS;
}

static void killed_nodes_are_lost_once_and_reached_again(void **state)
{
    /* Static: after a failed assertion the threads still use it. */
    static scene c;
    const gr_msg *msg;
    begin(&c, *state);
    reach(&c);
    begin_load(&c);
    for (int round = 0; round < rounds(); round++) {
        load(&c, round % 50);
        const gr_pid stale = c.drain;
        char place[sizeof c.g.address];
        memcpy(place, c.g.address, sizeof place);
        guest_end(&c.g, SIGKILL);
        expect_the_loss(&c);
        guest_start(&c.g, "guest", place);
        reach(&c);
        guest_await(&c.g);
        assert_string_equal(c.g.address, place);
        stale_pid_is_nobody(&c, stale);
    }
    end_load(&c);
    assert_true(count_of(&c, c.ear) >= (int64_t)LOAD * rounds());
    /* Nobody else has noticed, or was started anew. */
    assert_int_equal(gr_receive(c.n->self[WITNESS], 0, &msg), GR_ETIMEOUT);
    assert_int_equal(gr_node_list(c.n->self[WITNESS], NULL, 0), 1);
    guest_end(&c.g, 0);
    assert_int_equal(expect_node(c.n->self[HUB], "guest", false), 0);
    (void)pthread_mutex_destroy(&c.lock);
}

int main(int argc, char **argv)
{
    if (is_guest(argc, argv)) {
        return be_guest(argv) == 0 ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        ON_BOTH(killed_nodes_are_lost_once_and_reached_again),
    };
    return cmocka_run_group_tests_name("transport/killed", tests, NULL, NULL);
}
