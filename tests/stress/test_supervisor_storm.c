/*
 * A storm of crashes under load, on real threads: supervisors of every strategy
 * whose children crash, end and are killed at random while others send to them
 * and ask them. Every ask for a child must be answered with a child, every
 * message must be accounted for, and something must always move.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <greenroom/greenroom.h>

#include "tests/support/sanitizers.h"

enum {
    WORKERS = 4,
    SUPERVISORS = 8,
    CHILDREN = 4,
    LOADERS = 8,
    ROUNDS = UNDER_SANITIZER != 0 ? 2500 : 10000, /* of each loader */
    ASKS = 2000, /* by one who hears of a death */
    BURST = 20,  /* messages to one child in a round */
    /* No message handled, no actor ended for so long: it hangs. Generous, as
     * a sanitizer on a busy machine is slow. */
    WATCHDOG_MS = 20000,
    ERROR_CRASH = GR_EUSER - 1
};

/* ---- children ----------------------------------------------------------- */

static int cell_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    uint64_t *count = state;

    if (gr_match(msg, "work")) {
        ++*count;
        return 0;
    }
    if (gr_match(msg, "count")) {
        return gr_reply(self, msg, "count", *count);
    }
    if (gr_match(msg, "crash")) {
        return ERROR_CRASH;
    }
    if (gr_match(msg, "end")) {
        gr_exit(self, 0, "enough");
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior cell = {
    .name = "cell", .state_size = sizeof(uint64_t), .receive = cell_receive};

/* ---- loaders ------------------------------------------------------------ */

struct target {
    gr_pid pid;
    uint32_t strategy;
};

struct loader {
    struct target targets[SUPERVISORS];
    gr_pid owner;
    uint64_t random;
    int rounds;
    int found;   /* asks for a child that gave one */
    int crashed; /* children that were made to end */
};

static uint64_t next_random(struct loader *l)
{
    l->random ^= l->random << 13;
    l->random ^= l->random >> 7;
    l->random ^= l->random << 17;
    return l->random;
}

static int on_child(gr_actor *self, void *state, const gr_msg *reply);

static int next_round(gr_actor *self, struct loader *l)
{
    static const char *const ids[CHILDREN] = {"a", "b", "c", "d"};
    const struct target *t = &l->targets[next_random(l) % SUPERVISORS];

    if (l->rounds == 0) {
        return gr_send(self, l->owner, "done", l->found, l->crashed);
    }
    l->rounds--;
    if (t->strategy == GR_SIMPLE_ONE_FOR_ONE) {
        return gr_ask(self, t->pid, GR_FOREVER, gr_then(on_child, 1),
                      "gr.start_child", gr_list_of(NULL, 0));
    }
    return gr_ask(self, t->pid, GR_FOREVER, gr_then(on_child, 0), "gr.child",
                  ids[next_random(l) % CHILDREN]);
}

/* The child may have died on the way: that is an answer too. */
static int on_count(gr_actor *self, void *state, const gr_msg *reply)
{
    int status = gr_msg_status(reply);
    uint64_t count;

    if (status == 0 ? !gr_match(reply, "count", &count)
                    : status != GR_ENOPROC) {
        return GR_EREPLY;
    }
    return next_round(self, state);
}

static int on_child(gr_actor *self, void *state, const gr_msg *reply)
{
    struct loader *l = state;
    bool dynamic = gr_msg_token(reply) == 1;
    gr_pid child;

    GR_TRY(gr_msg_status(reply));
    if (!gr_match(reply, "gr.child", &child)) {
        return GR_EREPLY;
    }
    l->found++;
    uint64_t fate = next_random(l) % 16;
    for (uint64_t i = 0; i < BURST; i++) {
        if (i == fate) {
            l->crashed++;
            gr_tell(self, child, "crash");
        }
        gr_tell(self, child, "work");
    }
    if (fate == 1) {
        GR_TRY(gr_kill(self, child));
    } else if (dynamic || fate == 2) {
        gr_tell(self, child, "end");
    }
    return gr_ask(self, child, GR_FOREVER, gr_then(on_count, 0), "count");
}

static int loader_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct loader *l = state;
    gr_pid pid;
    uint32_t strategy;

    if (gr_match(msg, "target", &pid, &strategy)) {
        l->targets[l->rounds++] = (struct target){pid, strategy};
        return 0;
    }
    if (gr_match(msg, "go", &l->random)) {
        l->owner = gr_sender(msg);
        l->rounds = ROUNDS;
        return next_round(self, l);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior loader = {.name = "loader",
                                   .state_size = sizeof(struct loader),
                                   .receive = loader_receive};

/* ---- the test ----------------------------------------------------------- */

/* The next message; fails the test when nothing in the system moves. */
static const gr_msg *next_message(gr_actor *self)
{
    gr_stats before, after;
    const gr_msg *msg;

    gr_system_stats(gr_system_of(self), &after);
    do {
        before = after;
        int rc = gr_receive(self, WATCHDOG_MS, &msg);
        if (rc == 0) {
            return msg;
        }
        assert_int_equal(rc, GR_ETIMEOUT);
        gr_system_stats(gr_system_of(self), &after);
    } while (after.handled != before.handled || after.exited != before.exited);
    fail_msg("no progress for %d ms: sent %" PRIu64 ", handled %" PRIu64
             ", dead letters %" PRIu64,
             WATCHDOG_MS, after.sent, after.handled, after.dead_letters);
    return NULL;
}

static gr_pid start_supervisor(gr_actor *self, uint32_t strategy)
{
    bool dynamic = strategy == GR_SIMPLE_ONE_FOR_ONE;
    const gr_child children[CHILDREN + 1] = {
        {.id = "a",
         .behavior = &cell,
         .restart = dynamic ? GR_TRANSIENT : GR_PERMANENT},
        {.id = dynamic ? NULL : "b", .behavior = dynamic ? NULL : &cell},
        {.id = "c", .behavior = &cell},
        {.id = "d", .behavior = &cell, .stop_max_ms = GR_CHILD_KILL},
        {0},
    };
    gr_supervisor spec = {.strategy = (gr_strategy)strategy,
                          .restarts_max = GR_RESTARTS_MAX,
                          .period_ms = 1,
                          .children = children};
    gr_pid pid;

    assert_int_equal(gr_supervise(self, &spec, &pid), 0);
    return pid;
}

static void start_loaders(gr_actor *self, const gr_pid *supervisors)
{
    for (uint64_t i = 0; i < LOADERS; i++) {
        gr_pid pid;

        assert_int_equal(
            gr_spawn(self, &loader, &(gr_spawn_opts){.link = true}, &pid), 0);
        for (uint32_t s = 0; s < SUPERVISORS; s++) {
            assert_int_equal(
                gr_send(self, pid, "target", supervisors[s], s % 4), 0);
        }
        assert_int_equal(
            gr_send(self, pid, "go", i * UINT64_C(0x9e3779b97f4a7c15) + 1), 0);
    }
}

/* Stops an actor and waits for its end; exits of others are passed over. */
static void stop_and_wait(gr_actor *self, gr_pid pid)
{
    gr_exit_reason why;
    gr_pid from;
    const gr_msg *msg;

    assert_int_equal(gr_stop(self, pid), 0);
    do {
        msg = next_message(self);
    } while (!gr_match_exit(msg, &from, &why) || !gr_pid_eq(from, pid));
    assert_int_equal(why.kind, GR_EXIT_SHUTDOWN);
}

static bool is_conserved(const gr_stats *s)
{
    return s->sent ==
           s->handled + s->dead_letters + s->dropped + s->late_replies;
}

/* Actors that were killed may still be on their way out when their supervisor
 * hears of it, so the sum is looked at until it holds, or nothing moves. */
static void assert_conserved(gr_actor *self)
{
    gr_stats now;

    gr_system_stats(gr_system_of(self), &now);
    while (!is_conserved(&now)) {
        const gr_msg *msg;
        gr_stats before = now;
        assert_int_equal(gr_receive(self, WATCHDOG_MS / 20, &msg), GR_ETIMEOUT);
        gr_system_stats(gr_system_of(self), &now);
        if (now.handled == before.handled &&
            now.dead_letters == before.dead_letters && !is_conserved(&now)) {
            fail_msg("sent %" PRIu64 ", handled %" PRIu64
                     ", dead letters %" PRIu64 ", dropped %" PRIu64
                     ", late %" PRIu64,
                     now.sent, now.handled, now.dead_letters, now.dropped,
                     now.late_replies);
        }
    }
}

static void
nothing_is_lost_and_nothing_hangs_in_a_storm_of_crashes(void **state)
{
    gr_system_opts opts = {.workers = WORKERS, .log_level = GR_LOG_ERROR};
    gr_pid supervisors[SUPERVISORS];
    gr_system *sys;
    gr_actor *self;
    int found = 0, crashed = 0;

    (void)state;
    assert_int_equal(gr_system_start(&opts, &sys), 0);
    assert_int_equal(gr_thread_attach(sys, "storm", &self), 0);
    gr_trap_exit(self, true);
    for (uint32_t i = 0; i < SUPERVISORS; i++) {
        supervisors[i] = start_supervisor(self, i % 4);
    }
    start_loaders(self, supervisors);
    for (int done = 0; done < LOADERS; done++) {
        int f, c;
        /* Anything else is the exit of a loader that failed. */
        assert_true(gr_match(next_message(self), "done", &f, &c));
        found += f;
        crashed += c;
    }
    for (int i = SUPERVISORS - 1; i >= 0; i--) {
        stop_and_wait(self, supervisors[i]);
    }

    assert_int_equal(found, LOADERS * ROUNDS);
    assert_true(crashed > found / 2);
    assert_conserved(self);
    gr_stats stats;
    gr_system_stats(sys, &stats);
    assert_true(stats.failed > (uint64_t)found / 4);
    /* Only we and the loaders are left. */
    assert_int_equal(stats.spawned - stats.exited, 1 + LOADERS);

    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(sys, 10000), 0);
}

/* ---- who hears of a death and asks --------------------------------------- */

/* Crashes a child that is also watched from here, and asks for the next run of
 * it as soon as that is heard. */
static void crash_and_ask(gr_actor *self, gr_pid supervisor)
{
    gr_pid before, now;
    gr_ref ref;
    const gr_msg *msg;
    assert_int_equal(gr_child_pid(self, supervisor, "cell", &before), 0);
    assert_int_equal(gr_monitor(self, before, &ref), 0);
    assert_int_equal(gr_send(self, before, "crash"), 0);
    assert_int_equal(gr_receive(self, GR_FOREVER, &msg), 0);
    assert_true(gr_match_down(msg, NULL, NULL, NULL));
    assert_int_equal(gr_child_pid(self, supervisor, "cell", &now), 0);
    assert_false(gr_pid_eq(before, now));
}

static void who_hears_of_a_death_and_asks_gets_the_next_run(void **state)
{
    (void)state;
    gr_system *sys;
    gr_actor *self;
    gr_pid supervisor;
    const gr_child children[] = {{.id = "cell", .behavior = &cell}, {0}};
    gr_system_opts opts = {.workers = WORKERS};
    assert_int_equal(gr_system_start(&opts, &sys), 0);
    assert_int_equal(gr_thread_attach(sys, NULL, &self), 0);
    assert_int_equal(
        gr_supervise(self,
                     &(gr_supervisor){.restarts_max = GR_RESTARTS_MAX,
                                      .children = children},
                     &supervisor),
        0);
    for (int i = 0; i < ASKS; i++) {
        crash_and_ask(self, supervisor);
    }
    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(sys, 10000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            nothing_is_lost_and_nothing_hangs_in_a_storm_of_crashes),
        cmocka_unit_test(who_hears_of_a_death_and_asks_gets_the_next_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
