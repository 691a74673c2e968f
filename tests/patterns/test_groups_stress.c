/*
 * Goal:   whatever happens at the same time, a monitor's events say what can
 *         be: the members at one moment, then each change after it, once; and
 *         at the end what it knows is what there is.
 * Method: threads join and leave, and start actors that join and are killed, as
 *         fast as they can; the test's own thread begins and ends monitors all
 *         the time, and takes in what each is told. Publishers take views of a
 *         group that changes meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/patterns/known.h"

/* A hang, not a bound. */
#define LONG_MS 60000

enum { THREADS = 3, ROUNDS = 2000, MONITORS = 8 };

static gr_system *sys;
static _Atomic(int) gone; /* threads that have churned enough */

/* ---- who joins and leaves ----------------------------------------------- */

static int guest_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)state;
    (void)args;
    GR_TRY(gr_group_join(self, "g"));
    GR_TRY(gr_group_join(self, "h"));
    return 0;
}

static int guest_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "end")) {
        gr_exit(self, 0, NULL);
    }
    if (gr_match(msg, "leave")) {
        GR_IGNORE(gr_group_leave(self, "g"), "it may have left");
    }
    return 0;
}

static const gr_behavior guest = {
    .name = "guest", .init = guest_init, .receive = guest_receive};

/* Stores what went wrong. */
static void *churn(void *arg)
{
    gr_actor *self;
    gr_pid pid;
    const char **wrong = arg;
    const gr_thread_opts opts = {.mailbox = {.hard = 1000000}};
    if (gr_thread_attach_with(sys, &opts, &self) < 0) {
        *wrong = "attach";
        return NULL; /* the test hangs, and is ended */
    }
    for (int i = 0; i < ROUNDS; i++) {
        int rc;
        do {
            rc = gr_group_join(self, "g");
        } while (rc == GR_EAGAIN);
        if (rc < 0 || gr_spawn(self, &guest, NULL, &pid) < 0) {
            *wrong = "join";
            break;
        }
        if (i % 4 == 0 && gr_send(self, pid, "leave") < 0) {
            *wrong = "leave";
            break;
        }
        if (gr_group_publish(self, "h", GR_GROUP_ALL, "x") < 0 ||
            (i % 2 == 0 ? gr_kill(self, pid) : gr_send(self, pid, "end")) < 0) {
            *wrong = "end";
            break;
        }
        if (i % 3 != 0 && gr_group_leave(self, "g") < 0) {
            *wrong = "leave";
            break;
        }
    }
    gr_thread_detach(self, 0);
    /* relaxed: a number; the join of the thread publishes the rest. */
    (void)atomic_fetch_add_explicit(&gone, 1, memory_order_relaxed);
    return NULL;
}

/* ---- who watches -------------------------------------------------------- */

static known all[MONITORS];
static known last; /* of the other group */

/* False: it was no event of a monitor, or one that cannot be. */
static bool take(gr_actor *self, const gr_msg *msg)
{
    gr_ref ref;
    gr_group_event event;
    gr_reader pids;
    if (!gr_match_group(self, msg, &ref, &event, &pids)) {
        return false;
    }
    for (int i = 0; i < MONITORS; i++) {
        if (all[i].ref.id == ref.id) {
            return take_event(&all[i], event, pids);
        }
    }
    if (last.ref.id == ref.id) {
        return take_event(&last, event, pids);
    }
    return true; /* of one that has ended */
}

static void begin(gr_actor *self, known *k, const char *group)
{
    memset(k, 0, sizeof *k);
    assert_int_equal(gr_group_monitor(self, group, &k->ref), 0);
}

/* And of nobody else. */
static bool all_know(gr_pid pid)
{
    for (int i = 0; i < MONITORS; i++) {
        if (all[i].n != 1 || !knows(&all[i], pid)) {
            return false;
        }
    }
    return last.told && last.n == 0;
}

/* Actors that were killed may still be ending. */
static bool all_have_ended(void)
{
    gr_stats stats;
    gr_system_stats(sys, &stats);
    /* relaxed: as in churn. */
    return atomic_load_explicit(&gone, memory_order_relaxed) == THREADS &&
           stats.spawned - stats.exited == 1 /* we */ + 1 /* the groups */;
}

static void play(uint32_t hard)
{
    pthread_t threads[THREADS];
    const char *wrong[THREADS] = {NULL};
    gr_actor *self;
    const gr_msg *msg;
    gr_pid pids[2];
    const gr_system_opts opts = {.workers = 2, .log_level = GR_LOG_ERROR};
    const gr_thread_opts mine = {.mailbox = {.hard = hard}};
    assert_int_equal(gr_system_start(&opts, &sys), 0);
    assert_int_equal(gr_thread_attach_with(sys, &mine, &self), 0);
    memset(&last, 0, sizeof last);
    for (int i = 0; i < MONITORS; i++) {
        begin(self, &all[i], "g");
    }
    /* relaxed: before the threads. */
    atomic_store_explicit(&gone, 0, memory_order_relaxed);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, &wrong[i]),
                         0);
    }
    for (unsigned i = 0; !all_have_ended(); i++) {
        known *k = &all[i % MONITORS];
        if (i % 64 < MONITORS && k->told) {
            assert_int_equal(gr_group_demonitor(self, k->ref), 0);
            begin(self, k, "g");
        }
        if (gr_receive(self, 1, &msg) == 0) {
            assert_true(take(self, msg));
        }
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_null(wrong[i]);
    }
    /* The last may have counted as ended before they left. */
    assert_int_equal(gr_group_join(self, "g"), 0);
    begin(self, &last, "h");
    while (!all_know(gr_self(self))) {
        assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
        assert_true(take(self, msg));
    }
    assert_int_equal(gr_group_members(self, "g", GR_GROUP_ALL, pids, 2), 1);
    assert_int_equal(gr_group_members(self, "h", GR_GROUP_ALL, NULL, 0), 0);
    assert_true(gr_pid_eq(pids[0], gr_self(self)));
    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(sys, LONG_MS), 0);
}

static void monitors_know_what_there_is(void **state)
{
    (void)state;
    play(1000000);
}

/* They miss much, and are told all again and again. */
static void monitors_that_are_full_know_it_in_the_end(void **state)
{
    (void)state;
    play(20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monitors_know_what_there_is),
        cmocka_unit_test(monitors_that_are_full_know_it_in_the_end),
    };
    return cmocka_run_group_tests_name("patterns/groups_stress", tests, NULL,
                                       NULL);
}
