/*
 * Goal:   stable actors that fail and are killed all the time lose nothing:
 * each receiver handles the messages of each sender once, in their order, but
 * for those that it fails on, which are set aside; each question is answered;
 * and restarts leave nothing behind. Method: handler actors send numbered
 * messages, every some of them a poisonous one, and ask; a keeper restarts the
 * receivers, at once or a while later; a killer kills whoever lives. What was
 * handled is noted outside of the receivers' state: numbers must follow one
 * another. (With the alert left as it was in a revival, or the message in hand
 *         buried when a run is killed, this fails within a second.)
 */
#include <unistd.h>

#include "tests/stress/stress.h"
#include "tests/support/sanitizers.h"

enum {
    RECEIVERS = 4,
    SENDERS = 8,
    ROUNDS = UNDER_SANITIZER ? 60 : 300,
    BURST = 50, /* messages of a round, to each receiver */
    POISON_EACH = 97,
    KILL_EACH_ROUNDS = 3,
    ERROR_POISON = GR_EUSER - 1
};

/* Each written by one run of one receiver at a time. */
static uint64_t last[RECEIVERS][SENDERS];
static gr_pid receivers[RECEIVERS]; /* set before any sender begins */
static _Atomic(uint64_t) broken;    /* promises; relaxed: a number */

static void check(bool holds)
{
    if (!holds) {
        /* relaxed: see above. */
        (void)atomic_fetch_add_explicit(&broken, 1, memory_order_relaxed);
    }
}

/* ---- receivers ----------------------------------------------------------- */

struct receiver {
    uint64_t me;
};

static int receiver_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct receiver *r = state;
    (void)self;
    return gr_unpack(args, &r->me) ? 0 : GR_EINVAL;
}

static int receiver_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const struct receiver *r = state;
    uint64_t sender;
    uint64_t n;
    gr_pid test;
    if (gr_match(msg, "n", &sender, &n)) {
        check(n == last[r->me][sender] + 1);
        last[r->me][sender] = n;
        return n % POISON_EACH == 0 ? ERROR_POISON : 0;
    }
    if (gr_match(msg, "ask")) {
        return gr_reply(self, msg, "answer");
    }
    if (gr_match(msg, "over", &test)) {
        return gr_send(self, test, "over");
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior receiver = {
    .name = "receiver",
    .state_size = sizeof(struct receiver),
    .init = receiver_init,
    .receive = receiver_receive,
    .mailbox = {.soft = 100, .hard = 10000000},
};

/* ---- their keeper -------------------------------------------------------- */

struct keeper {
    uint64_t random;
};

static int keep(gr_actor *self, uint64_t i)
{
    gr_ref ref;
    gr_spawn_opts opts = {.args = gr_args(i), .monitor = &ref, .stable = true};
    return gr_pid_is_nobody(receivers[i])
               ? gr_spawn(self, &receiver, &opts, &receivers[i])
               : gr_revive(self, receivers[i], &opts);
}

static int keeper_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct keeper *k = state;
    (void)args;
    k->random = 11;
    for (uint64_t i = 0; i < RECEIVERS; i++) {
        GR_TRY(keep(self, i));
    }
    return 0;
}

/* At once, when the last run may still be on its way out, or later. */
static int keeper_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct keeper *k = state;
    gr_pid from;
    uint64_t i;
    if (gr_match(msg, "again", &i)) {
        return keep(self, i);
    }
    if (!gr_match_down(msg, NULL, &from, NULL)) {
        return gr_unhandled(self, msg);
    }
    for (i = 0; !gr_pid_eq(receivers[i], from); i++) {
    }
    switch (stress_random(&k->random) % 3) {
    case 0:
        return gr_send(self, gr_self(self), "again", i);
    case 1:
        return gr_after_us(self, 200, NULL, "again", i);
    default:
        return keep(self, i);
    }
}

static const gr_behavior keeper = {
    .name = "keeper",
    .state_size = sizeof(struct keeper),
    .init = keeper_init,
    .receive = keeper_receive,
};

/* ---- senders ------------------------------------------------------------- */

struct sender {
    uint64_t me, rounds, n, answers, random;
    gr_pid test;
};

static int sender_init(gr_actor *self, void *state, const gr_msg *args)
{
    struct sender *s = state;
    s->random = 3;
    GR_TRY(gr_unpack(args, &s->me, &s->test) ? 0 : GR_EINVAL);
    s->random += s->me;
    return gr_send(self, gr_self(self), "go");
}

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    struct sender *s = state;
    check(gr_match(reply, "answer"));
    return ++s->answers == (uint64_t)ROUNDS * RECEIVERS
               ? gr_send(self, s->test, "over")
               : 0;
}

static int sender_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct sender *s = state;
    if (!gr_match(msg, "go")) {
        return gr_unhandled(self, msg);
    }
    for (uint64_t n = 0; n < BURST; n++) {
        s->n++;
        for (uint64_t i = 0; i < RECEIVERS; i++) {
            GR_TRY(gr_send(self, receivers[i], "n", s->me, s->n));
        }
    }
    for (uint64_t i = 0; i < RECEIVERS; i++) {
        GR_TRY(gr_ask(self, receivers[i], GR_FOREVER, gr_then(on_answer, 0),
                      "ask"));
    }
    if (++s->rounds % KILL_EACH_ROUNDS == 0) {
        GR_TRY(gr_kill(self, receivers[stress_random(&s->random) % RECEIVERS]));
    }
    if (s->rounds < ROUNDS) {
        return gr_send(self, gr_self(self), "go");
    }
    for (uint64_t i = 0; i < RECEIVERS; i++) {
        GR_TRY(gr_send(self, receivers[i], "over", s->test));
    }
    return 0;
}

static const gr_behavior sender = {
    .name = "sender",
    .state_size = sizeof(struct sender),
    .init = sender_init,
    .receive = sender_receive,
};

static void nothing_is_lost_in_a_storm_of_restarts(void **state)
{
    (void)state;
    stress s;
    gr_pid k;
    gr_pid senders[SENDERS];
    gr_ref ref;
    gr_stats stats;
    stress_start(&s, NULL);
    assert_int_equal(
        gr_spawn(s.self, &keeper, &(gr_spawn_opts){.ack = true}, &k), 0);
    assert_true(gr_match_started(stress_next(&s), NULL));
    for (uint64_t i = 0; i < SENDERS; i++) {
        gr_spawn_opts opts = {.args = gr_args(i, gr_self(s.self))};
        assert_int_equal(gr_spawn(s.self, &sender, &opts, &senders[i]), 0);
    }
    for (unsigned i = 0; i < SENDERS * (RECEIVERS + 1); i++) {
        assert_true(gr_match(stress_next(&s), "over"));
    }
    stress_settle(&s, 1 + SENDERS + RECEIVERS, &stats);
    /* relaxed: all has come to rest. */
    assert_int_equal(atomic_load_explicit(&broken, memory_order_relaxed), 0);
    const uint64_t sent = (uint64_t)ROUNDS * BURST;
    for (unsigned i = 0; i < RECEIVERS * SENDERS; i++) {
        assert_int_equal(last[i / SENDERS][i % SENDERS], sent);
    }
    assert_int_equal(stats.poisoned,
                     (sent / POISON_EACH) * RECEIVERS * SENDERS);
    assert_int_equal(stats.dead_letters, stats.poisoned);
    assert_int_equal(stats.failed, stats.exited);
    assert_true(stats.failed > stats.poisoned); /* some were killed */
    /* The addresses end with their keeper, and so do the runs that live. */
    for (unsigned i = 0; i < RECEIVERS; i++) {
        assert_int_equal(gr_monitor(s.self, receivers[i], &ref), 0);
    }
    assert_int_equal(gr_kill(s.self, k), 0);
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(gr_stop(s.self, senders[i]), 0);
    }
    stress_settle(&s, RECEIVERS, &stats);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        assert_int_equal(gr_stop(s.self, receivers[i]), 0);
    }
    stress_settle(&s, 0, &stats);
    stress_stop(&s);
}

/* ---- memory -------------------------------------------------------------- */

enum {
    RESTARTS = UNDER_SANITIZER ? 5000 : 100000,
    SETTLED = RESTARTS / 5, /* from then on nothing grows */
    GROWTH_MAX = 1 << 20    /* bytes: the allocator's own */
};

static int fail_at_once(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "x")) {
        return gr_stash(self, msg);
    }
    GR_TRY(gr_alloc(self, 5000) != NULL ? 0 : GR_ENOMEM);
    GR_TRY(gr_after(self, 1000000, NULL, "never"));
    GR_TRY(gr_register(self, "it"));
    return ERROR_POISON;
}

static const gr_behavior failing = {
    .name = "failing", .state_size = 100, .receive = fail_at_once};

static long resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long size = 0;
    long pages = 0;
    assert_non_null(f);
    /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it, or we did */
    assert_int_equal(fscanf(f, "%ld %ld", &size, &pages), 2);
    (void)fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void restarts_leave_nothing_behind(void **state)
{
    (void)state;
    stress s;
    gr_pid pid;
    gr_ref ref;
    gr_stats stats;
    long before = 0;
    stress_start(&s, NULL);
    gr_spawn_opts opts = {.monitor = &ref, .stable = true, .name = "named"};
    assert_int_equal(gr_spawn(s.self, &failing, &opts, &pid), 0);
    for (unsigned i = 0; i < RESTARTS; i++) {
        if (i % 1000 == 0) {
            assert_int_equal(gr_send(s.self, pid, "x"), 0);
        }
        assert_int_equal(gr_send(s.self, pid, "fail"), 0);
        assert_true(gr_match_down(stress_next(&s), NULL, NULL, NULL));
        assert_int_equal(gr_revive(s.self, pid, &opts), 0);
        before = i == SETTLED ? resident() : before;
    }
    assert_true(resident() - before < GROWTH_MAX || UNDER_SANITIZER);
    assert_int_equal(gr_give_up(s.self, pid), 0);
    assert_int_equal(gr_kill(s.self, pid), 0);
    assert_true(gr_match_down(stress_next(&s), NULL, NULL, NULL));
    stress_settle(&s, 0, &stats);
    assert_int_equal(stats.poisoned, RESTARTS);
    assert_int_equal(stats.dead_letters, RESTARTS + RESTARTS / 1000);
    stress_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_in_a_storm_of_restarts),
        cmocka_unit_test(restarts_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("stress/revive", tests, NULL, NULL);
}
