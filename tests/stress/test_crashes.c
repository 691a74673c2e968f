/*
 * Goal:   each crash is reported once, to each that asks, whoever else crashes
 *         or reads at that moment.
 * Method: waves of actors that end by made-up faults, errors and kills on real
 *         threads; each report is asked for when its DOWN comes. Meanwhile two
 *         threads walk through all reports and print the flight recorder, and
 * an actor watches. The log, the watcher and the numbers must agree.
 */
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "tests/stress/stress.h"

#include "actors/internal.h"
#include "actors/reports.h"

enum { WAVES = 300, WAVE = 40, CRASHES = WAVES * WAVE, READERS = 2 };

/* ---- who crashes ---- */

typedef struct victim {
    gri_fault fault;
} victim;

static void forget_fault(void *ctx)
{
    ((gri_ctx *)ctx)->fault = NULL;
}

static int fall(gr_actor *self, victim *v, uint64_t how)
{
    if (how % 2 == 0) {
        return GR_EUSER - (int)how;
    }
    gr_exit_reason why = {GR_EXIT_SIGNAL, SIGSEGV, "made up"};
    v->fault = (gri_fault){.signal = SIGSEGV, .address = v};
    v->fault.n = (unsigned)backtrace(v->fault.frames, GRI_FRAMES_MAX);
    self->ctx->fault = &v->fault;
    gri_exit_with(self, &why);
    return gr_on_exit(self, forget_fault, self->ctx);
}

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    uint64_t how;
    return gr_match(msg, "fall", &how) ? fall(self, state, how)
                                       : gr_unhandled(self, msg);
}

static const gr_behavior victim_behavior = {
    .name = "victim", .state_size = sizeof(victim), .receive = victim_receive};

/* ---- who looks ---- */

typedef struct scene {
    stress s;
    _Atomic(uint64_t) logged, watched;
    _Atomic(bool) enough;
} scene;

static scene the_scene;

static void count_line(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level;
    if (strstr(line, "victim <") == line && strstr(line, " ended: ") != NULL) {
        /* relaxed, here and below: numbers. */
        atomic_fetch_add_explicit(&the_scene.logged, 1, memory_order_relaxed);
    }
}

static int watcher_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "watch")) {
        GR_TRY(gr_watch_crashes(self, true));
        return gr_reply(self, msg, "watching");
    }
    gr_reader r = gr_msg_reader(msg);
    gr_str tag;
    assert_int_equal(gr_read_str(&r, &tag), 0);
    assert_true(tag.len == 8 && memcmp(tag.ptr, "gr.crash", 8) == 0);
    atomic_fetch_add_explicit(&the_scene.watched, 1, memory_order_relaxed);
    return 0;
}

static const gr_behavior watcher = {
    .name = "watcher",
    .receive = watcher_receive,
    .mailbox = {.soft = 2 * CRASHES, .hard = 4 * CRASHES}};

/* One after the other, without a gap, and whole. */
static void read_all(void)
{
    gr_crash crash;
    uint64_t number = 0;
    uint64_t before = 0;
    while (gr_crash_next(the_scene.s.sys, &number, &crash) == 0) {
        assert_true(before == 0 || number == before - 1);
        assert_true(crash.number == number);
        assert_string_equal(crash.behavior, "victim");
        assert_true((crash.signal != 0) == (crash.frame_count > 0));
        assert_true((crash.signal != 0) ==
                    (crash.reason.kind == GR_EXIT_SIGNAL));
        before = number;
    }
}

static void *read_on(void *arg)
{
    const int *null = arg;
    while (!atomic_load_explicit(&the_scene.enough, memory_order_relaxed)) {
        read_all();
        assert_int_equal(gr_recorder_dump(the_scene.s.sys, *null), 0);
    }
    return NULL;
}

/* ---- the storm ---- */

static void crash_a_wave(stress *s, uint64_t wave)
{
    for (uint64_t i = 0; i < WAVE; i++) {
        gr_ref ref;
        gr_pid pid;
        gr_spawn_opts opts = {.monitor = &ref};
        assert_int_equal(gr_spawn(s->self, &victim_behavior, &opts, &pid), 0);
        assert_int_equal(i % 5 == 4
                             ? gr_kill(s->self, pid)
                             : gr_send(s->self, pid, "fall", wave * WAVE + i),
                         0);
    }
    for (unsigned i = 0; i < WAVE; i++) {
        gr_ref ref;
        gr_pid pid;
        gr_exit_reason why;
        gr_crash crash;
        assert_true(gr_match_down(stress_next(s), &ref, &pid, &why));
        assert_int_equal(gr_crash_report(s->sys, pid, &crash), 0);
        assert_true(gr_pid_eq(crash.pid, pid));
        assert_true(crash.reason.kind == why.kind &&
                    crash.reason.code == why.code);
    }
}

static void each_crash_is_reported_once(void **state)
{
    (void)state;
    stress *s = &the_scene.s;
    pthread_t readers[READERS];
    gr_pid pid;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(null >= 0);
    stress_start(s, &(gr_system_opts){.log = count_line,
                                      .log_level = GR_LOG_INFO,
                                      .crashes_kept = CRASHES / 8});
    assert_int_equal(gr_spawn(s->self, &watcher, NULL, &pid), 0);
    assert_int_equal(
        gr_call(s->self, pid, GR_FOREVER, gr_expect("watching"), "watch"), 0);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &null), 0);
    }
    for (uint64_t wave = 0; wave < WAVES; wave++) {
        crash_a_wave(s, wave);
    }
    atomic_store_explicit(&the_scene.enough, true, memory_order_relaxed);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    gr_stats stats;
    assert_true(gri_reports_wait(s->sys, GRI_NEVER));
    stress_settle(s, 1, &stats); /* the watcher */
    assert_int_equal(stats.failed, CRASHES);
    assert_int_equal(
        atomic_load_explicit(&the_scene.logged, memory_order_relaxed), CRASHES);
    assert_int_equal(
        atomic_load_explicit(&the_scene.watched, memory_order_relaxed),
        CRASHES);
    gr_crash crash;
    uint64_t number = 0;
    assert_int_equal(gr_crash_next(s->sys, &number, &crash), 0);
    assert_int_equal(number, CRASHES);
    read_all();
    stress_stop(s);
    (void)close(null); /* nothing can be lost */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_crash_is_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
