/*
 * Goal:   a turn that lasts too long is reported once, with its actor, message
 *         and stack, and others go on.
 * Method: handlers that spin or block until the test lets them go. The test
 *         waits for what must come, by the system's own counters; a wait that
 * is over after a minute has failed. Where something must not come, the test
 * waits for a later thing that the same look would have brought.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/support/hanger.h"
#include "tests/support/sanitizers.h"

/* ---- what is waited for ---------------------------------------------------
 */

static bool has_long_turns(stage *s, uint64_t n)
{
    return stage_stats(s).long_turns >= n;
}

static bool has_missed(stage *s, uint64_t n)
{
    return stage_stats(s).spares_missed >= n;
}

static bool has_lent(stage *s, uint64_t n)
{
    const gr_stats stats = stage_stats(s);
    return stats.spares_lent >= n && stats.spares_most > 0;
}

static bool has_spares(stage *s, uint64_t n)
{
    return stage_stats(s).spares == n;
}

enum { STUCK_MAX = 8 };

/* ---- reports ----------------------------------------------------------------
 */

static void test_a_long_turn_is_reported_with_all_that_is_known(void **state)
{
    (void)state;
    for (unsigned spins = 0; spins < 2; spins++) {
        stage s;
        hanger_begin(&s, (gr_system_opts){.workers = 2});
        gr_pid pid = hanger_start(&s, &(gr_spawn_opts){.name = "slowpoke"});
        if (spins != 0) {
            CHECK_RC(gr_send(s.self, pid, "spin"), 0);
        } else {
            CHECK_RC(gr_send(s.self, pid, "block"), 0);
        }
        hanger_wait_sem(&hanger_entered);
        hanger_wait_for_line(&s, "long turn (", 1);
        char text[GR_PID_TEXT_MAX];
        CHECK(stage_logged(&s, "hanger slowpoke "));
        CHECK(stage_logged(&s, gr_pid_text(pid, text)));
        CHECK_INT(stage_stats(&s).long_turns, 1);
#if !defined(UNDER_TSAN) /* it lets no signal through to who spins */
        CHECK(stage_logged(&s, spins != 0 ? ", at \"spin\": "
                                          : ", at \"block\": "));
        CHECK(stage_logged(&s, spins != 0 ? "watchdog_test_spins"
                                          : "watchdog_test_blocks"));
#endif
        hanger_let_go(1, spins != 0);
        stage_end(&s);
    }
}

static void test_it_is_reported_once_for_each_turn(void **state)
{
    (void)state;
    enum { ROUNDS = 10 };
    stage s;
    hanger_begin(&s, (gr_system_opts){.workers = 2});
    gr_pid first = hanger_start(&s, &(gr_spawn_opts){.name = "first"});
    CHECK_RC(gr_send(s.self, first, "block"), 0);
    hanger_wait_sem(&hanger_entered);
    hanger_wait_for_line(&s, "hanger first ", 1);
    gr_pid second = hanger_start(&s, &(gr_spawn_opts){.name = "second"});
    for (unsigned round = 1; round <= ROUNDS; round++) {
        CHECK_RC(gr_send(s.self, second, "spin"), 0);
        hanger_wait_sem(&hanger_entered);
        hanger_wait_for_line(&s, "hanger second ", round);
        hanger_release_spinning();
    }
    hanger_check_echo(&s, second); /* its last turn is over */
    CHECK_INT(hanger_times_logged(&s, "hanger first "), 1);
    CHECK_INT(hanger_times_logged(&s, "hanger second "), ROUNDS);
    CHECK_INT(stage_stats(&s).long_turns, ROUNDS + 1);
    hanger_release_blocked();
    stage_end(&s);
    CHECK_INT(hanger_times_logged(&s, "long turn ("), ROUNDS + 1);
}

static int hang_in_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)self, (void)state, (void)args;
    watchdog_test_blocks();
    return 0;
}

static void test_init_can_be_too_long_as_well(void **state)
{
    (void)state;
    stage s;
    const gr_behavior slow = {.name = "slow-starter",
                              .init = hang_in_init,
                              .handlers = hanger_handlers};
    hanger_begin(&s, (gr_system_opts){.workers = 1});
    CHECK_RC(gr_spawn(s.self, &slow, NULL, NULL), 0);
    hanger_wait_sem(&hanger_entered);
    hanger_wait_for_line(&s, "slow-starter <", 1);
#if !defined(UNDER_TSAN)
    CHECK(stage_logged(&s, ", in init: "));
#endif
    hanger_release_blocked();
    stage_end(&s);
}

static void hang_in_terminate(gr_actor *self, void *state,
                              const gr_exit_reason *why)
{
    (void)self, (void)state, (void)why;
    watchdog_test_blocks();
}

static void hang_in_hook(void *arg)
{
    (void)arg;
    watchdog_test_blocks();
}

static int end_in_a_hook(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state, (void)msg;
    gr_exit(self, 0, NULL);
    return gr_on_exit(self, hang_in_hook, NULL);
}

/* Neither is init, although terminate is not to be called any more. */
static void test_an_end_can_be_too_long_as_well(void **state)
{
    (void)state;
    const gr_behavior slow[] = {
        {.name = "slow-ender",
         .terminate = hang_in_terminate,
         .handlers = hanger_handlers},
        {.name = "slow-ender", .receive = end_in_a_hook},
    };
    for (unsigned i = 0; i < 2; i++) {
        stage s;
        gr_pid pid;
        hanger_begin(&s, (gr_system_opts){.workers = 1});
        CHECK_RC(gr_spawn(s.self, &slow[i], NULL, &pid), 0);
        if (i == 0) {
            CHECK_RC(gr_stop(s.self, pid), 0);
        } else {
            CHECK_RC(gr_send(s.self, pid, "end"), 0);
        }
        hanger_wait_sem(&hanger_entered);
        hanger_wait_for_line(&s, "slow-ender <", 1);
#if !defined(UNDER_TSAN)
        CHECK(stage_logged(&s, ", at its end: "));
        CHECK(!stage_logged(&s, ", in init"));
#endif
        hanger_release_blocked();
        stage_end(&s);
    }
}

static void test_tags_are_shown_as_text(void **state)
{
    (void)state;
    stage s;
    const gr_behavior any = {.name = "any", .receive = hanger_on_block};
    const gr_value odd = gr_strn("a\n\x01z", 4);
    char big[100];
    memset(big, 'x', sizeof big);
    const gr_value wide = gr_strn(big, sizeof big);
    gr_pid pid;
    hanger_begin(&s, (gr_system_opts){.workers = 1});
    CHECK_RC(gr_spawn(s.self, &any, NULL, &pid), 0);
    CHECK_RC(gr_sendv(s.self, pid, &odd, 1), 0);
    hanger_wait_sem(&hanger_entered);
    hanger_wait_for_line(&s, "long turn (", 1);
    hanger_release_blocked();
    CHECK_RC(gr_sendv(s.self, pid, &wide, 1), 0);
    hanger_wait_sem(&hanger_entered);
    hanger_wait_for_line(&s, "long turn (", 2);
    hanger_release_blocked();
#if !defined(UNDER_TSAN)
    CHECK(stage_logged(&s, ", at \"a??z\": "));
    big[63] = '\0';
    CHECK(stage_logged(&s, big) && !stage_logged(&s, "xy"));
#endif
    stage_end(&s);
}

static void test_reports_can_be_switched_off(void **state)
{
    (void)state;
    stage s;
    gr_pid pid;
    hanger_begin(&s, (gr_system_opts){.workers = 1,
                                      .turn_warn_ms = GR_FOREVER,
                                      .spares_max = 1});
    hanger_hang(&s, &pid, 1, true);
    gr_pid other;
    hanger_hang(&s, &other, 1, true); /* by a spare: so it was long enough */
    hanger_wait_until(&s, has_missed, 1);
    CHECK_INT(stage_stats(&s).long_turns, 0);
    hanger_let_go(2, true);
    stage_end(&s);
    CHECK(!stage_logged(&s, "long turn ("));
}

/* ---- its signal
 * ---------------------------------------------------------------- */

static _Atomic(unsigned) caught;

static void catch (int number)
{
    (void)number;
    atomic_fetch_add_explicit(&caught, 1, memory_order_relaxed);
}

static void report_without_stack(int number)
{
    stage s;
    gr_pid pid;
    hanger_begin(&s, (gr_system_opts){.workers = 1, .watch_signal = number});
    hanger_hang(&s, &pid, 1, false);
    hanger_wait_for_line(&s, "hanger <", 1);
    CHECK(!stage_logged(&s, "watchdog_test_blocks"));
    hanger_release_blocked();
    stage_end(&s);
}

static void test_a_signal_of_the_programs_own_stays_so(void **state)
{
    (void)state;
    const int number = SIGRTMAX - 8;
    struct sigaction mine = {.sa_handler = catch};
    struct sigaction now;
    report_without_stack(GR_SIGNAL_NONE);
    /* It had it before: */
    CHECK(sigaction(number, &mine, NULL) == 0);
    report_without_stack(0);
    CHECK(sigaction(number, NULL, &now) == 0 && now.sa_handler == catch);
    now.sa_handler = SIG_DFL;
    CHECK(sigaction(number, &now, NULL) == 0);
    /* or takes it later. */
    stage s;
    gr_pid pid;
    hanger_begin(&s, (gr_system_opts){.workers = 1});
    CHECK(sigaction(number, &mine, NULL) == 0);
    hanger_hang(&s, &pid, 1, false);
    hanger_wait_for_line(&s, "hanger <", 1);
    hanger_release_blocked();
    stage_end(&s);
    CHECK(sigaction(number, NULL, &now) == 0 && now.sa_handler == catch);
    CHECK_INT(atomic_load_explicit(&caught, memory_order_relaxed), 0);
    now.sa_handler = SIG_DFL;
    CHECK(sigaction(number, &now, NULL) == 0);
}

static void test_the_signal_is_given_back(void **state)
{
    (void)state;
    const int number = SIGRTMIN + 5;
    struct sigaction now;
    stage s;
    stage t;
    hanger_begin(&s, (gr_system_opts){.workers = 1, .watch_signal = number});
    hanger_begin(&t, (gr_system_opts){.workers = 1, .watch_signal = number});
    /* Who sends it to a thread of the program's own does no harm. */
    CHECK(raise(number) == 0);
    stage_end(&s);
    CHECK(raise(number) == 0);
    stage_end(&t);
    CHECK(sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
}

static void test_options_that_make_no_sense(void **state)
{
    (void)state;
    gr_system *sys;
    CHECK_RC(gr_system_start(&(gr_system_opts){.turn_warn_ms = -2}, &sys),
             GR_EINVAL);
    CHECK_RC(gr_system_start(&(gr_system_opts){.watch_signal = SIGUSR1}, &sys),
             GR_EINVAL);
    CHECK_RC(
        gr_system_start(&(gr_system_opts){.watch_signal = SIGRTMAX + 1}, &sys),
        GR_EINVAL);
    /* No room for spares. */
    CHECK_RC(gr_system_start(
                 &(gr_system_opts){.workers = GR_WORKERS_MAX, .spares_max = 9},
                 &sys),
             0);
    CHECK_RC(gr_system_stop(sys, 1000), 0);
}

/* ---- others go on
 * --------------------------------------------------------------- */

static void others_go_on(unsigned workers, unsigned stuck, bool spins)
{
    stage s;
    gr_pid pid[STUCK_MAX];
    hanger_begin(&s, (gr_system_opts){.workers = workers});
    gr_pid other = hanger_start(&s, NULL);
    hanger_check_echo(&s, other);
    hanger_hang(&s, pid, stuck, spins);
    for (unsigned i = 0; i < 20; i++) {
        hanger_check_echo(&s, other);
    }
    /* A timer, too, that stands with a worker that is stuck. */
    const gr_msg *msg;
    CHECK_RC(gr_after(s.self, 1, NULL, "tick"), 0);
    CHECK_RC(gr_receive(s.self, PATIENCE_S * INT64_C(1000), &msg), 0);
    CHECK(gr_match(msg, "tick"));
    if (stuck >= workers) {
        /* The watchdog may count a moment after the spare has begun. */
        hanger_wait_until(&s, has_lent, 1);
    }
    hanger_let_go(stuck, spins);
    hanger_check_echo(&s, other);
    hanger_wait_until(&s, has_spares, 0); /* they are wanted no more */
    stage_end(&s);
}

static void test_others_go_on(void **state)
{
    (void)state;
    for (unsigned spins = 0; spins < 2; spins++) {
        others_go_on(1, 1, spins != 0);
        others_go_on(2, 1, spins != 0);
        others_go_on(2, 2, spins != 0);
        others_go_on(2, 4, spins != 0);
        others_go_on(4, 4, spins != 0);
    }
}

static void test_beyond_the_spares_the_log_says_so_once(void **state)
{
    (void)state;
    enum { ROUNDS = 3 };
    stage s;
    gr_pid pid;
    hanger_begin(&s,
                 (gr_system_opts){.workers = 1, .spares_max = GR_SPARES_NONE});
    for (unsigned round = 1; round <= ROUNDS; round++) {
        hanger_hang(&s, &pid, 1, true);
        hanger_wait_until(&s, has_missed, round);
        CHECK_INT(stage_stats(&s).spares_most, 0);
        hanger_release_spinning();
        hanger_check_echo(&s, pid);
    }
    stage_end(&s);
    CHECK_INT(hanger_times_logged(&s, "no spare worker is left"), 1);
}

/* ---- nobody goes on
 * --------------------------------------------------------------- */

static _Atomic(unsigned) rung;

/* Its timer is due before all that the test arms then. */
static int on_ring_and_block(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state, (void)msg;
    GR_TRY(gr_after(self, 0, NULL, "ring"));
    watchdog_test_blocks();
    return 0;
}

static int on_ring(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    atomic_fetch_add_explicit(&rung, 1, memory_order_release);
    return 0;
}

static bool has_rung(stage *s, uint64_t n)
{
    (void)s;
    return atomic_load_explicit(&rung, memory_order_acquire) == n;
}

static const gr_handler ringer_handlers[] = {
    {"block", on_ring_and_block}, {"ring", on_ring}, {NULL, NULL}};
static const gr_behavior ringer = {.name = "ringer",
                                   .handlers = ringer_handlers};

/* Timers of threads fire while each worker is stuck, and no spare is left;
 * those of actors leave a message, which waits for a worker. */
static void test_without_workers_timers_fire(void **state)
{
    (void)state;
    enum { TICKS = 3 };
    const int64_t patience = PATIENCE_S * INT64_C(1000);
    for (unsigned workers = 1; workers <= 2; workers++) {
        stage s;
        gr_pid pid[2];
        gr_timer every;
        const gr_msg *msg;
        atomic_store_explicit(&rung, 0, memory_order_relaxed);
        hanger_begin(&s, (gr_system_opts){.workers = workers,
                                          .spares_max = GR_SPARES_NONE});
        gr_pid other = hanger_start(&s, NULL);
        hanger_check_echo(&s, other);
        for (unsigned i = 0; i < workers; i++) {
            CHECK_RC(gr_spawn(s.self, &ringer, NULL, &pid[i]), 0);
            CHECK_RC(gr_send(s.self, pid[i], "block"), 0);
            hanger_wait_sem(&hanger_entered);
        }
        CHECK_RC(gr_after(s.self, 1, NULL, "tick"), 0);
        CHECK_RC(gr_receive(s.self, patience, &msg), 0);
        CHECK(gr_match(msg, "tick"));
        CHECK_RC(gr_every(s.self, 1, &every, "again"), 0);
        for (unsigned i = 0; i < TICKS; i++) {
            CHECK_RC(gr_receive(s.self, patience, &msg), 0);
            CHECK(gr_match(msg, "again"));
        }
        gr_timer_cancel(s.self, every);
        CHECK_RC(gr_call(s.self, other, 1, gr_expect("echo"), "echo"),
                 GR_ETIMEOUT);
        CHECK_INT(atomic_load_explicit(&rung, memory_order_acquire), 0);
        hanger_let_go(workers, false);
        hanger_wait_until(&s, has_rung, workers);
        hanger_check_echo(&s, other);
        stage_end(&s);
        CHECK(has_rung(&s, workers));
    }
}

/* ---- many
 * --------------------------------------------------------------------- */

/* Turns that are too long come and go on all workers while others talk. */
static void test_many_long_turns_while_others_talk(void **state)
{
    (void)state;
    enum { ROUNDS = 15, HANGING = 3 };
    stage s;
    hanger_begin(&s, (gr_system_opts){.workers = 2});
    gr_pid other = hanger_start(&s, NULL);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        gr_pid pid[HANGING];
        hanger_hang(&s, pid, HANGING, round % 2 == 0);
        hanger_check_echo(&s, other);
        hanger_wait_until(&s, has_long_turns, (uint64_t)round * HANGING);
        hanger_let_go(HANGING, round % 2 == 0);
        for (unsigned i = 0; i < HANGING; i++) {
            hanger_check_echo(&s, pid[i]);
        }
    }
    CHECK_INT(stage_stats(&s).long_turns, ROUNDS * HANGING);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_turn_is_reported_with_all_that_is_known),
        cmocka_unit_test(test_it_is_reported_once_for_each_turn),
        cmocka_unit_test(test_init_can_be_too_long_as_well),
        cmocka_unit_test(test_an_end_can_be_too_long_as_well),
        cmocka_unit_test(test_tags_are_shown_as_text),
        cmocka_unit_test(test_reports_can_be_switched_off),
        cmocka_unit_test(test_a_signal_of_the_programs_own_stays_so),
        cmocka_unit_test(test_the_signal_is_given_back),
        cmocka_unit_test(test_options_that_make_no_sense),
        cmocka_unit_test(test_others_go_on),
        cmocka_unit_test(test_beyond_the_spares_the_log_says_so_once),
        cmocka_unit_test(test_without_workers_timers_fire),
        cmocka_unit_test(test_many_long_turns_while_others_talk),
    };
    return cmocka_run_group_tests_name("actors/watchdog", tests, NULL, NULL);
}
