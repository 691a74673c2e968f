/*
 * tests/actors/test_reap.c - after a burst the pool's memory goes back, whoever
 * held it and whether or not a worker is awake; then nobody wakes for it any
 * more.
 *
 * Waits for what is to happen, looking at the system's inside; a watchdog ends
 * a wait that is in vain.
 */
#include <sched.h>

#include "actors/core.h"
#include "tests/support/stage.h"

enum {
    BURST = 200000, /* messages of 64 bytes: 12 MiB */
    WATCHDOG_MS = 60000,
    /* A class in use has a slab at least, and each shelf keeps a little. */
    LITTLE_BYTES = 16 * GRI_SLAB
};

static size_t pool_bytes(gr_system *sys)
{
    return gri_slabs_bytes(&sys->depot.slabs);
}

static bool is_tended(gr_system *sys)
{
    (void)pthread_mutex_lock(&sys->depot.lock);
    bool tended = sys->depot.tended;
    (void)pthread_mutex_unlock(&sys->depot.lock);
    return tended;
}

static void wait_until_little(gr_system *sys)
{
    int64_t until_ns = gri_deadline(&sys->clock, WATCHDOG_MS);
    while (pool_bytes(sys) > LITTLE_BYTES || is_tended(sys)) {
        assert_true(gri_clock_ns(&sys->clock) < until_ns);
        (void)sched_yield();
    }
}

/* All workers do, and spares that may have come into service. */
static void wait_until_asleep(gr_system *sys)
{
    int64_t until_ns = gri_deadline(&sys->clock, WATCHDOG_MS);
    /* acquire: only a number. */
    while (gri_sched_awake(&sys->sched,
                           atomic_load_explicit(&sys->sched.parked,
                                                memory_order_acquire)) > 0) {
        assert_true(gri_clock_ns(&sys->clock) < until_ns);
        (void)sched_yield();
    }
}

/* ---- from a thread to an actor ------------------------------------------ */

typedef struct counter {
    gr_pid owner;
    int64_t n;
} counter;

static int counter_init(gr_actor *self, void *state, const gr_msg *args)
{
    counter *c = state;
    (void)self;
    return gr_unpack(args, &c->owner) ? 0 : GR_EINVAL;
}

/* Waits in its first message until all are queued. */
static _Atomic(bool) queued;

static int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    counter *c = state;
    /* acquire: pairs with the release in burst_at. */
    while (!atomic_load_explicit(&queued, memory_order_acquire)) {
        (void)sched_yield();
    }
    if (!gr_match(msg, "one")) {
        return gr_unhandled(self, msg);
    }
    return ++c->n % BURST == 0 ? gr_send(self, c->owner, "all", c->n) : 0;
}

static const gr_behavior counter_behavior = {
    .name = "counter",
    .state_size = sizeof(counter),
    .init = counter_init,
    .receive = counter_receive,
    .mailbox = {.soft = 1u << 30, .hard = 1u << 30},
};

static void burst_at(stage *s, gr_pid to)
{
    const gr_msg *msg;
    int64_t n;
    /* relaxed: the actor has nothing to do yet. */
    atomic_store_explicit(&queued, false, memory_order_relaxed);
    for (int64_t i = 0; i < BURST; i++) {
        CHECK_RC(gr_send(s->self, to, "one"), 0);
    }
    assert_true(pool_bytes(s->sys) > (size_t)BURST * 64);
    /* release: see above. */
    atomic_store_explicit(&queued, true, memory_order_release);
    CHECK_RC(gr_receive(s->self, WATCHDOG_MS, &msg), 0);
    assert_true(gr_match(msg, "all", &n));
}

static void test_a_burst_to_an_actor_goes_back(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++) {
        stage s;
        gr_pid to;
        stage_start(&s, 0, &(gr_system_opts){.workers = workers});
        CHECK_RC(gr_spawn(s.self, &counter_behavior,
                          &(gr_spawn_opts){.args = gr_args(gr_self(s.self))},
                          &to),
                 0);
        for (unsigned i = 0; i < 2; i++) {
            burst_at(&s, to);
            wait_until_little(s.sys);
        }
        stage_end(&s);
    }
}

/* ---- from an actor to a thread ------------------------------------------ */

static int flood(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    for (int64_t i = 0; i < BURST; i++) {
        GR_TRY(gr_send(self, p->peer, "one"));
    }
    return 0;
}

/* The workers sleep while the thread frees what they sent. */
static void test_a_burst_to_a_thread_goes_back(void **state)
{
    (void)state;
    stage s;
    const gr_msg *msg;
    stage_start(&s, 0,
                &(gr_system_opts){.workers = 2,
                                  .mailbox_hard = 1u << 30,
                                  .mailbox_soft = 1u << 30});
    gr_pid a = stage_puppet(&s, 'a');
    stage_do_to(&s, a, flood, gr_self(s.self));
    while (stage_stats(&s).sent < BURST) {
        (void)sched_yield();
    }
    wait_until_asleep(s.sys);
    for (unsigned n = 0; n < BURST;) {
        CHECK_RC(gr_receive(s.self, WATCHDOG_MS, &msg), 0);
        n += gr_match(msg, "one");
    }
    wait_until_little(s.sys);
    stage_end(&s);
}

/* ---- where it does not ---------------------------------------------------*/

static void test_deterministic_systems_keep_their_memory(void **state)
{
    (void)state;
    stage s;
    const gr_msg *msg;
    stage_start(
        &s, 7,
        &(gr_system_opts){.mailbox_hard = 1u << 30, .mailbox_soft = 1u << 30});
    const int64_t before_ns = gri_clock_ns(&s.sys->clock);
    for (unsigned n = 0; n < 20000; n++) {
        CHECK_RC(gr_send(s.self, gr_self(s.self), "one"), 0);
    }
    for (unsigned n = 0; n < 20000; n++) {
        CHECK_RC(gr_receive(s.self, 0, &msg), 0);
    }
    stage_settle(&s);
    assert_false(is_tended(s.sys));
    assert_int_equal(gri_clock_ns(&s.sys->clock), before_ns);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_to_an_actor_goes_back),
        cmocka_unit_test(test_a_burst_to_a_thread_goes_back),
        cmocka_unit_test(test_deterministic_systems_keep_their_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
