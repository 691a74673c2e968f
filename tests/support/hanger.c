/* tests/support/hanger.c - see hanger.h. */
#include "tests/support/hanger.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

/* ---- hanger_handlers that hanger_hang
 * --------------------------------------------------- */

sem_t hanger_entered;
static sem_t released;
static _Atomic(unsigned) let_spin; /* spins that may end */

void hanger_wait_sem(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

__attribute__((noinline)) void watchdog_test_blocks(void)
{
    (void)sem_post(&hanger_entered);
    hanger_wait_sem(&released);
    __asm__ volatile("" ::
                         : "memory"); /* no tail call: it stands in the stack */
}

__attribute__((noinline)) void watchdog_test_spins(void)
{
    (void)sem_post(&hanger_entered);
    unsigned left;
    do {
        left = atomic_load_explicit(&let_spin, memory_order_acquire);
    } while (left == 0 || !atomic_compare_exchange_weak_explicit(
                              &let_spin, &left, left - 1, memory_order_acq_rel,
                              memory_order_relaxed));
}

int hanger_on_block(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    watchdog_test_blocks();
    return 0;
}

static int on_spin(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    watchdog_test_spins();
    return 0;
}

static int on_echo(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_reply(self, msg, "echo");
}

const gr_handler hanger_handlers[] = {{"block", hanger_on_block},
                                      {"spin", on_spin},
                                      {"echo", on_echo},
                                      {NULL, NULL}};

const gr_behavior hanger_behavior = {.name = "hanger",
                                     .handlers = hanger_handlers};

void hanger_release_blocked(void)
{
    (void)sem_post(&released);
}

void hanger_release_spinning(void)
{
    atomic_fetch_add_explicit(&let_spin, 1, memory_order_release);
}

/* ---- helpers ---------------------------------------------------------------
 */

void hanger_begin(stage *s, gr_system_opts opts)
{
    CHECK(sem_init(&hanger_entered, 0, 0) == 0 &&
          sem_init(&released, 0, 0) == 0);
    atomic_store_explicit(&let_spin, 0, memory_order_relaxed);
    opts.log_level = GR_LOG_WARN;
    opts.turn_warn_ms = opts.turn_warn_ms != 0 ? opts.turn_warn_ms : WARN_MS;
    stage_start(s, 0, &opts);
}

void hanger_wait_until(stage *s, condition_fn *is_so, uint64_t n)
{
    struct timespec now;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    while (!is_so(s, n)) {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        CHECK(now.tv_sec < until.tv_sec);
        (void)sched_yield();
    }
}

unsigned hanger_times_logged(stage *s, const char *text)
{
    unsigned n = 0;
    (void)pthread_mutex_lock(&s->lock);
    for (const char *at = s->log; (at = strstr(at, text)) != NULL;
         at += strlen(text)) {
        n++;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

static const char *wanted;

static bool is_logged(stage *s, uint64_t n)
{
    return hanger_times_logged(s, wanted) >= n;
}

void hanger_wait_for_line(stage *s, const char *text, unsigned n)
{
    wanted = text;
    hanger_wait_until(s, is_logged, n);
}

gr_pid hanger_start(stage *s, const gr_spawn_opts *opts)
{
    gr_pid pid;
    CHECK_RC(gr_spawn(s->self, &hanger_behavior, opts, &pid), 0);
    return pid;
}

/* n of them hanger_hang. */
void hanger_hang(stage *s, gr_pid pid[], unsigned n, bool spins)
{
    for (unsigned i = 0; i < n; i++) {
        pid[i] = hanger_start(s, NULL);
        if (spins) {
            CHECK_RC(gr_send(s->self, pid[i], "spin"), 0);
        } else {
            CHECK_RC(gr_send(s->self, pid[i], "block"), 0);
        }
        hanger_wait_sem(&hanger_entered);
    }
}

void hanger_let_go(unsigned n, bool spins)
{
    for (unsigned i = 0; i < n; i++) {
        if (spins) {
            hanger_release_spinning();
        } else {
            hanger_release_blocked();
        }
    }
}

void hanger_check_echo(stage *s, gr_pid pid)
{
    CHECK_RC(gr_call(s->self, pid, PATIENCE_S * INT64_C(1000),
                     gr_expect("echo"), "echo"),
             0);
}
