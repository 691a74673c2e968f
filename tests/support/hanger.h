/*
 * tests/support/hanger.h - actors that hang until the test lets them go, and a
 * stage for them.
 *
 * "spin" and "block" post hanger_entered, and end when they are let go; "echo"
 * is answered.
 */
#ifndef TESTS_SUPPORT_HANGER_H
#define TESTS_SUPPORT_HANGER_H

#include <semaphore.h>

#include "tests/support/stage.h"

enum {
    PATIENCE_S = 60, /* for what must come */
    WARN_MS = 20     /* turn_warn_ms, unless the test has its own */
};

extern const gr_behavior hanger_behavior;
extern const gr_handler hanger_handlers[];
extern sem_t hanger_entered;

/* A stage with threads, and nobody who hangs; log_level is set. */
void hanger_begin(stage *s, gr_system_opts opts);
gr_pid hanger_start(stage *s, const gr_spawn_opts *opts);
/* n more of them hang by now. */
void hanger_hang(stage *s, gr_pid pid[], unsigned n, bool spins);
void hanger_let_go(unsigned n, bool spins);
/* It answers. */
void hanger_check_echo(stage *s, gr_pid pid);

/* What handlers do, and are found by in stacks. */
void watchdog_test_blocks(void);
void watchdog_test_spins(void);
int hanger_on_block(gr_actor *self, void *state, const gr_msg *msg);
void hanger_release_blocked(void);
void hanger_release_spinning(void);
void hanger_wait_sem(sem_t *sem);

typedef bool condition_fn(stage *s, uint64_t n);
/* Fails when it is not so in time. */
void hanger_wait_until(stage *s, condition_fn *is_so, uint64_t n);
/* How often the log says so. Counters are set before their line is written: it
 * may be late. */
unsigned hanger_times_logged(stage *s, const char *text);
void hanger_wait_for_line(stage *s, const char *text, unsigned n);

#endif /* TESTS_SUPPORT_HANGER_H */
