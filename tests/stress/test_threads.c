/*
 * Goal:   threads become actors and leave again, in slots that are used again
 *         and again, while others send to them; nobody's bell is rung in vain,
 *         and a system ends while threads leave it. Timers that are armed,
 *         cancelled and due at the same moment are seen once or never.
 * Method: threads that attach, receive some, time out, and detach, and senders
 *         that know only their names and their old pids; threads that are told
 *         to stop by the end of the system; actors that play with timers.
 */
#include "tests/stress/stress.h"

enum { THREADS = 3, SENDERS = 4, VISITS = 1000, ERROR_TIMER = GR_EUSER - 1 };

/* ---- attaching, detaching ---- */

static const char *const names[THREADS] = {"t0", "t1", "t2"};

/* Sends to who has a name now, and to who had it before, until it is told. */
typedef struct nagger {
    gr_pid known[THREADS];
    uint64_t next;
    bool over;
} nagger;

static int nagger_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    nagger *n = state;
    if (gr_match(msg, "over")) {
        n->over = true;
        return 0;
    }
    if (!gr_match(msg, "nag")) {
        return gr_unhandled(self, msg);
    }
    gr_pid *pid = &n->known[n->next++ % THREADS];
    if (!gr_pid_is_nobody(*pid)) {
        gr_tell(self, *pid, "for", *pid);
    }
    if (gr_whereis(self, GR_HERE, names[(n->next - 1) % THREADS], pid) == 0) {
        gr_tell(self, *pid, "for", *pid);
    }
    return n->over ? 0 : gr_send(self, gr_self(self), "nag");
}

static const gr_behavior nagger_behavior = {
    .name = "nagger", .state_size = sizeof(nagger), .receive = nagger_receive};

typedef struct visitor {
    gr_system *sys;
    const char *name;
    unsigned got, wrong, failed; /* its thread's, until it is joined */
} visitor;

static void visit_once(visitor *v, unsigned round)
{
    gr_actor *self = NULL;
    const gr_msg *msg = NULL;
    if (gr_thread_attach(v->sys, v->name, &self) < 0) {
        v->failed++;
        return;
    }
    if (round % 5 == 0) {
        int rc = gr_after(self, 0, NULL, "for", gr_self(self));
        v->failed += rc < 0;
        rc = gr_sleep(self, 1); /* what comes is saved */
        v->failed += rc < 0;
    }
    for (unsigned i = 0; i < round % 8; i++) {
        int rc = gr_receive(self, i % 2, &msg);
        gr_pid meant;
        if (rc == 0) {
            v->got++;
            v->wrong += !gr_match(msg, "for", &meant) ||
                        !gr_pid_eq(meant, gr_self(self));
        } else {
            v->failed += rc != GR_ETIMEOUT;
        }
    }
    gr_thread_detach(self, 0);
}

static void *visit(void *arg)
{
    visitor *v = arg;
    for (unsigned round = 0; round < VISITS; round++) {
        visit_once(v, round);
    }
    return NULL;
}

static void threads_come_and_go_under_fire(void **state)
{
    (void)state;
    stress s;
    gr_stats stats = {0};
    pthread_t thread[THREADS];
    visitor visitors[THREADS];
    gr_pid naggers[SENDERS];
    stress_start(&s, NULL);
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(gr_spawn(s.self, &nagger_behavior, NULL, &naggers[i]),
                         0);
        assert_int_equal(gr_send(s.self, naggers[i], "nag"), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        visitors[i] = (visitor){.sys = s.sys, .name = names[i]};
        assert_int_equal(pthread_create(&thread[i], NULL, visit, &visitors[i]),
                         0);
    }
    unsigned got = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(visitors[i].wrong, 0);
        assert_int_equal(visitors[i].failed, 0);
        got += visitors[i].got;
    }
    assert_true(got > 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(gr_send(s.self, naggers[i], "over"), 0);
    }
    stress_settle(&s, SENDERS, &stats);
    stress_stop(&s);
}

/* ---- told to leave ---- */

enum { ENDS = 200 };

typedef struct guest {
    gr_system *sys;
    pthread_barrier_t *all_are_in;
    int rc;
} guest;

static void *stay_until_told(void *arg)
{
    guest *g = arg;
    gr_actor *self = NULL;
    const gr_msg *msg = NULL;
    g->rc = gr_thread_attach(g->sys, NULL, &self);
    (void)pthread_barrier_wait(g->all_are_in);
    if (g->rc == 0) {
        do {
            g->rc = gr_receive(self, GR_FOREVER, &msg);
        } while (g->rc == 0);
        gr_thread_detach(self, 0);
    }
    return NULL;
}

static void a_system_ends_while_threads_leave(void **state)
{
    (void)state;
    pthread_barrier_t all_are_in;
    assert_int_equal(pthread_barrier_init(&all_are_in, NULL, THREADS + 1), 0);
    for (unsigned round = 0; round < ENDS; round++) {
        gr_system *sys = NULL;
        pthread_t thread[THREADS];
        guest guests[THREADS];
        assert_int_equal(gr_system_start(&(gr_system_opts){.workers = 2}, &sys),
                         0);
        for (unsigned i = 0; i < THREADS; i++) {
            guests[i] = (guest){.sys = sys, .all_are_in = &all_are_in};
            assert_int_equal(
                pthread_create(&thread[i], NULL, stay_until_told, &guests[i]),
                0);
        }
        (void)pthread_barrier_wait(&all_are_in);
        assert_int_equal(gr_system_stop(sys, GR_FOREVER), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(thread[i], NULL), 0);
            assert_int_equal(guests[i].rc, GR_ESTOPPED);
        }
    }
    (void)pthread_barrier_destroy(&all_are_in);
}

/* ---- timers ---- */

enum { PLAYERS = 8, TIMERS = 6, MOVES = 400 };

/* Each timer's message carries its number and its use: one that was cancelled,
 * or came already, must not come. */
typedef struct clockwork {
    gr_timer timer[TIMERS];
    uint64_t use[TIMERS];
    bool armed[TIMERS], periodic[TIMERS];
    uint64_t random, moves;
    gr_pid owner;
} clockwork;

static int arm(gr_actor *self, clockwork *c, uint64_t i)
{
    int64_t ms = (int64_t)(stress_random(&c->random) % 3);
    c->armed[i] = true;
    c->use[i]++;
    c->periodic[i] = ms == 2;
    return c->periodic[i]
               ? gr_every(self, 1, &c->timer[i], "due", i, c->use[i])
               : gr_after(self, ms, &c->timer[i], "due", i, c->use[i]);
}

static void cancel(gr_actor *self, clockwork *c, uint64_t i)
{
    gr_timer_cancel(self, c->timer[i]);
    c->armed[i] = false;
}

static int clockwork_move(gr_actor *self, clockwork *c)
{
    if (c->moves++ == MOVES) {
        for (uint64_t i = 0; i < TIMERS; i++) {
            cancel(self, c, i);
        }
        return gr_send(self, c->owner, "done");
    }
    for (unsigned k = 0; k < 3; k++) {
        uint64_t i = stress_random(&c->random) % TIMERS;
        if (c->armed[i]) {
            cancel(self, c, i);
        } else {
            GR_TRY(arm(self, c, i));
        }
    }
    return stress_random(&c->random) % 4 == 0
               ? gr_after(self, 1, NULL, "move")
               : gr_send(self, gr_self(self), "move");
}

static int clockwork_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    clockwork *c = state;
    uint64_t i;
    uint64_t use;
    if (gr_match(msg, "due", &i, &use)) {
        if (i >= TIMERS || !c->armed[i] || c->use[i] != use) {
            return ERROR_TIMER;
        }
        c->armed[i] = c->periodic[i];
        return 0;
    }
    if (gr_match(msg, "go", &c->random)) {
        c->owner = gr_sender(msg);
        return clockwork_move(self, c);
    }
    return gr_match(msg, "move") ? clockwork_move(self, c)
                                 : gr_unhandled(self, msg);
}

static const gr_behavior clockwork_behavior = {.name = "clockwork",
                                               .state_size = sizeof(clockwork),
                                               .receive = clockwork_receive};

static void cancelled_timers_are_never_seen(void **state)
{
    (void)state;
    stress s;
    gr_stats stats = {0};
    stress_start(&s, NULL);
    for (uint64_t i = 0; i < PLAYERS; i++) {
        gr_pid pid;
        assert_int_equal(gr_spawn(s.self, &clockwork_behavior,
                                  &(gr_spawn_opts){.link = true}, &pid),
                         0);
        assert_int_equal(
            gr_send(s.self, pid, "go", (i + 1) * UINT64_C(0x9e3779b97f4a7c15)),
            0);
    }
    for (unsigned i = 0; i < PLAYERS; i++) {
        assert_true(gr_match(stress_next(&s), "done"));
    }
    stress_settle(&s, PLAYERS, &stats);
    assert_int_equal(stats.failed, 0);
    stress_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_come_and_go_under_fire),
        cmocka_unit_test(a_system_ends_while_threads_leave),
        cmocka_unit_test(cancelled_timers_are_never_seen),
    };
    return cmocka_run_group_tests_name("stress/threads", tests, NULL, NULL);
}
