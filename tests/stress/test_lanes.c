/*
 * Goal:   what waits in a lane is bounded, keeps its order and its place among
 *         the signals, is never forgotten by a receiver that sleeps, and ends
 *         with its run.
 * Method: many senders with short lives on real threads; each numbers what it
 *         sends, in both lanes and between signals, and dies. The receiver, a
 *         handler actor and then a thread, checks each sender's numbers and
 *         that nothing comes behind its death. Then kills in between.
 */
#include "tests/stress/stress.h"

enum {
    SENDERS = 8, /* that live at a time */
    LIVES = 400, /* one after the other, in all */
    EACH = 40,   /* messages of one life */
    RING = 16,   /* so small that much is dropped */
    URGENT = 100000
};

/* What the receiver has seen of one life. */
typedef struct life {
    int64_t ordinary, urgent; /* the last numbers */
    bool stopped, dead;
} life;

typedef struct receiver {
    gr_pid tell;
    uint64_t deaths;
    life lives[LIVES];
} receiver;

static int sender_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_pid to;
    int64_t id;
    if (!gr_match(msg, "go", &to, &id)) {
        return gr_unhandled(self, msg);
    }
    /* Ordinary ones, which may be dropped, around a signal, and urgent ones. */
    for (int64_t i = 1; i <= EACH; i++) {
        GR_TRY(gr_send(self, to, "ordinary", id, i));
        if (i % 4 == 0) {
            GR_TRY(gr_send_urgent(self, to, "urgent", id, i / 4));
        }
        if (i == EACH / 2) {
            GR_TRY(gr_stop(self, to)); /* a request, which is trapped */
        }
    }
    gr_exit(self, 0, NULL);
    return 0;
}

static const gr_behavior sender = {.name = "sender", .receive = sender_receive};

/* A signal names a pid: it is of the life that was started under it. */
typedef struct crowd {
    gr_pid pid[LIVES];
    unsigned started;
} crowd;

static unsigned life_of(const crowd *c, gr_pid pid)
{
    unsigned i = c->started;
    do {
        assert_true(i > 0);
        i--;
    } while (!gr_pid_eq(c->pid[i], pid));
    return i;
}

static void check_message(receiver *r, const crowd *c, const gr_msg *msg)
{
    int64_t id;
    int64_t i;
    gr_pid from;
    if (gr_match(msg, "ordinary", &id, &i)) {
        life *l = &r->lives[id];
        assert_true(!l->dead && i > l->ordinary);
        assert_true(l->stopped == (i > EACH / 2));
        l->ordinary = i;
    } else if (gr_match(msg, "urgent", &id, &i)) {
        life *l = &r->lives[id];
        assert_true(!l->dead);
        assert_int_equal(i, l->urgent + 1); /* none is lost */
        l->urgent = i;
    } else if (gr_match_exit(msg, &from, NULL)) {
        life *l = &r->lives[life_of(c, from)];
        l->dead = true;
        assert_true(l->stopped && l->urgent == EACH / 4);
        r->deaths++;
    } else {
        assert_true(gr_match_stop(msg, &from));
        r->lives[life_of(c, from)].stopped = true;
    }
}

static void start_life(crowd *c, gr_actor *self, gr_pid to)
{
    gr_pid *pid = &c->pid[c->started];
    assert_int_equal(
        gr_spawn(self, &sender, &(gr_spawn_opts){.link = true}, pid), 0);
    assert_int_equal(gr_send(self, *pid, "go", to, (int64_t)c->started), 0);
    c->started++;
}

/* A thread that is linked to all its senders, and so sees each end. */
static void a_thread_sees_each_death_behind_the_last_words(void **state)
{
    (void)state;
    static receiver r;
    static crowd c;
    stress s;
    gr_actor *t = NULL;
    memset(&r, 0, sizeof r);
    memset(&c, 0, sizeof c);
    stress_start(&s, NULL);
    gr_thread_opts opts = {
        .mailbox = {.hard = RING, .full = GR_FULL_DROP_OLD, .urgent = URGENT}};
    assert_int_equal(gr_thread_attach_with(s.sys, &opts, &t), 0);
    gr_trap_exit(t, true);
    while (c.started < SENDERS) {
        start_life(&c, t, gr_self(t));
    }
    while (r.deaths < LIVES) {
        const gr_msg *msg;
        if (r.deaths % 16 == 3) {
            assert_int_equal(gr_sleep(t, 0), 0); /* saves what is there */
        }
        assert_int_equal(gr_receive(t, GR_FOREVER, &msg), 0);
        check_message(&r, &c, msg);
        if (gr_match_exit(msg, NULL, NULL) && c.started < LIVES) {
            start_life(&c, t, gr_self(t));
        }
    }
    gr_actor_info info;
    assert_int_equal(gr_actor_inspect(s.sys, gr_self(t), &info), 0);
    gr_thread_detach(t, 0);
    gr_stats stats;
    stress_settle(&s, 0, &stats);
    assert_true(stats.dropped == info.dropped && stats.dead_letters == 0);
    stress_stop(&s);
}

/* ---- a handler actor, which is idle or busy by turns ------------------------
 */

typedef struct host {
    receiver *r;
    crowd *c;
    gr_pid tell;
} host;

static int host_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    host *h = state;
    uint64_t r;
    uint64_t c;
    if (gr_match(msg, "host", &r, &c, &h->tell)) {
        h->r = (receiver *)(uintptr_t)r;
        h->c = (crowd *)(uintptr_t)c;
        while (h->c->started < SENDERS) {
            start_life(h->c, self, gr_self(self));
        }
        return 0;
    }
    check_message(h->r, h->c, msg);
    if (!gr_match_exit(msg, NULL, NULL)) {
        return 0;
    }
    if (h->c->started < LIVES) {
        start_life(h->c, self, gr_self(self));
    }
    return h->r->deaths == LIVES ? gr_send(self, h->tell, "done") : 0;
}

static const gr_behavior host_behavior = {
    .name = "host",
    .state_size = sizeof(host),
    .receive = host_receive,
    .mailbox = {.hard = RING, .full = GR_FULL_DROP_OLD, .urgent = URGENT},
    .trap_exit = true,
};

static void a_handler_sees_each_death_behind_the_last_words(void **state)
{
    (void)state;
    static receiver r;
    static crowd c;
    stress s;
    gr_pid pid;
    memset(&r, 0, sizeof r);
    memset(&c, 0, sizeof c);
    stress_start(&s, NULL);
    assert_int_equal(gr_spawn(s.self, &host_behavior, NULL, &pid), 0);
    assert_int_equal(gr_send(s.self, pid, "host", (uint64_t)(uintptr_t)&r,
                             (uint64_t)(uintptr_t)&c, gr_self(s.self)),
                     0);
    assert_true(gr_match(stress_next(&s), "done"));
    gr_stats stats;
    stress_settle(&s, 1, &stats);
    gr_actor_info info;
    assert_int_equal(gr_actor_inspect(s.sys, pid, &info), 0);
    assert_true(stats.dropped == info.dropped);
    assert_int_equal(gr_kill(s.self, pid), 0); /* it traps the request */
    stress_stop(&s);
}

/* ---- one at a time: each must wake ---- */

enum { ROUNDS_OF_PINGS = 30000, PINGS = 3 };

static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    int64_t i;
    return gr_match(msg, "ping", &i) ? gr_send(self, gr_sender(msg), "pong", i)
                                     : gr_unhandled(self, msg);
}

static const gr_behavior echo = {
    .name = "echo",
    .receive = echo_receive,
    .mailbox = {.hard = RING, .full = GR_FULL_DROP_OLD, .urgent = RING}};

static void no_message_to_an_idle_actor_is_forgotten(void **state)
{
    (void)state;
    stress s;
    gr_pid pid;
    stress_start(&s, NULL);
    assert_int_equal(gr_spawn(s.self, &echo, NULL, &pid), 0);
    uint64_t random = 3;
    volatile uint64_t pause = 0;
    for (int64_t round = 0; round < ROUNDS_OF_PINGS; round++) {
        for (int64_t i = 0; i < PINGS; i++) {
            /* So that they meet it in every state. */
            for (pause = stress_random(&random) % 512; pause > 0; pause--) {
            }
            assert_int_equal(round % 2 == 0
                                 ? gr_send_urgent(s.self, pid, "ping", i)
                                 : gr_send(s.self, pid, "ping", i),
                             0);
        }
        for (int64_t i = 0; i < PINGS; i++) {
            int64_t got;
            assert_true(gr_match(stress_next(&s), "pong", &got) && got == i);
        }
    }
    stress_stop(&s);
}

/* ---- kills ---- */

enum { ROUNDS = 300, FLOODERS = 4 };

/* Sends to whom the sender of "flood" names, until that one is dead for long.
 */
static int flooder_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid *to = state;
    if (gr_match(msg, "to", to)) {
        return 0; /* a new one lives in its place, perhaps */
    }
    for (int64_t i = 0; i < 8; i++) {
        GR_TRY(gr_send(self, *to, "x", i));
        int rc = gr_send_urgent(self, *to, "u", i);
        if (rc != GR_EAGAIN && rc < 0) {
            return rc;
        }
    }
    return gr_send(self, gr_self(self), "on");
}

static const gr_behavior flooder = {.name = "flooder",
                                    .state_size = sizeof(gr_pid),
                                    .receive = flooder_receive};

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    return 0;
}

static const gr_behavior victim = {
    .name = "victim",
    .receive = victim_receive,
    .mailbox = {.hard = RING, .full = GR_FULL_DROP_OLD, .urgent = RING}};

static void each_message_of_a_killed_run_is_accounted_for(void **state)
{
    (void)state;
    stress s;
    gr_pid flooders[FLOODERS];
    gr_stats stats;
    stress_start(&s, NULL);
    for (unsigned i = 0; i < FLOODERS; i++) {
        assert_int_equal(gr_spawn(s.self, &flooder, NULL, &flooders[i]), 0);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        gr_pid pid;
        gr_ref ref;
        assert_int_equal(
            gr_spawn(s.self, &victim, &(gr_spawn_opts){.monitor = &ref}, &pid),
            0);
        for (unsigned i = 0; i < FLOODERS; i++) {
            assert_int_equal(gr_send(s.self, flooders[i], "to", pid), 0);
            if (round == 0) {
                assert_int_equal(gr_send(s.self, flooders[i], "on"), 0);
            }
        }
        if (round % 2 == 0) {
            (void)sched_yield();
        }
        assert_int_equal(gr_kill(s.self, pid), 0);
        gr_ref down = {0};
        assert_true(gr_match_down(stress_next(&s), &down, NULL, NULL));
        assert_true(down.id == ref.id);
    }
    for (unsigned i = 0; i < FLOODERS; i++) {
        assert_int_equal(gr_kill(s.self, flooders[i]), 0);
    }
    stress_settle(&s, 0, &stats);
    assert_int_equal(stats.exited, ROUNDS + FLOODERS);
    stress_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_sees_each_death_behind_the_last_words),
        cmocka_unit_test(a_thread_sees_each_death_behind_the_last_words),
        cmocka_unit_test(no_message_to_an_idle_actor_is_forgotten),
        cmocka_unit_test(each_message_of_a_killed_run_is_accounted_for),
    };
    return cmocka_run_group_tests_name("stress/lanes", tests, NULL, NULL);
}
