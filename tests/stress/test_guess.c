/*
 * Goal:   an actor that is spawned without a START (spawn.c) begins with all
 *         that was sent to it, and ends when it is told to, whoever sent to it
 *         before its spawn has returned.
 * Method: one thread spawns actors in few slots, one after the other; others
 *         guess the next pid, which is that of the slot's next run, and send to
 *         it all the time. So some pushes fall between the publication of the
 *         run and the spawner's going idle.
 *
 * Planted, and seen to hang here: a spawner that does not ring when something
 * came before it was idle.
 */
#include "tests/stress/stress.h"
#include "tests/support/sanitizers.h"

enum {
    GUESSERS = 2,
    ROUNDS = UNDER_SANITIZER != 0 ? 6000 : 30000,
    RUN = 2, /* from a run of a slot to the next one */
    ERROR_STATE = GR_EUSER - 1
};

static stress s;
static _Atomic(uint64_t) last; /* the id of who ended last */
static _Atomic(bool) over;

/* Its state is zero at the beginning, and only at the beginning. */
static int live(gr_actor *self, void *state, const gr_msg *msg)
{
    uint64_t *known = state;
    gr_pid meant;
    if (*known != 0 && *known != gr_self(self).id) {
        return ERROR_STATE;
    }
    *known = gr_self(self).id;
    if (gr_match(msg, "for", &meant)) {
        return gr_pid_eq(meant, gr_self(self)) ? 0 : ERROR_STATE;
    }
    if (gr_match(msg, "end")) {
        gr_exit(self, 0, NULL);
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior plain = {
    .name = "plain", .state_size = sizeof(uint64_t), .receive = live};

static void *guess(void *arg)
{
    gr_actor *self;
    (void)arg;
    if (gr_thread_attach(s.sys, NULL, &self) < 0) {
        abort();
    }
    const uint64_t node = gr_self(self).node;
    while (!atomic_load_explicit(&over, memory_order_acquire)) {
        /* relaxed: a guess. */
        const gr_pid next = {node,
                             atomic_load_explicit(&last, memory_order_relaxed) +
                                 ((uint64_t)RUN << 32)};
        gr_tell(self, next, "for", next);
    }
    gr_thread_detach(self, 0);
    return NULL;
}

static void live_once(uint64_t round)
{
    gr_pid pid;
    gr_ref ref;
    gr_exit_reason why;
    assert_int_equal(gr_spawn(s.self, &plain, NULL, &pid), 0);
    assert_int_equal(gr_monitor(s.self, pid, &ref), 0);
    /* By turns: only the guessers' mail may have woken it, or ours does. */
    assert_int_equal(
        round % 2 == 0 ? gr_send(s.self, pid, "end") : gr_kill(s.self, pid), 0);
    assert_true(gr_match_down(stress_next(&s), NULL, NULL, &why));
    /* A monitor that a kill overtakes may stand behind a push of a guesser that
     * is half done, and is then told so (exit.c). */
    const bool killed = round % 2 != 0;
    assert_true(why.kind == (killed ? GR_EXIT_KILLED : GR_EXIT_NORMAL) ||
                (killed && why.kind == GR_EXIT_NOPROC));
    atomic_store_explicit(&last, pid.id, memory_order_relaxed);
}

static void who_is_guessed_lives_and_ends_as_others(void **state)
{
    (void)state;
    pthread_t guessers[GUESSERS];
    gr_stats stats;
    stress_start(
        &s, &(gr_system_opts){.log_level = GR_LOG_ERROR, .actors_max = 16});
    for (unsigned i = 0; i < GUESSERS; i++) {
        assert_int_equal(pthread_create(&guessers[i], NULL, guess, NULL), 0);
    }
    for (uint64_t round = 0; round < ROUNDS; round++) {
        live_once(round);
    }
    atomic_store_explicit(&over, true, memory_order_release);
    for (unsigned i = 0; i < GUESSERS; i++) {
        assert_int_equal(pthread_join(guessers[i], NULL), 0);
    }
    stress_settle(&s, 0, &stats);
    assert_true(stats.dead_letters > 0); /* most guesses are wrong */
    stress_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_guessed_lives_and_ends_as_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
