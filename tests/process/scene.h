/*
 * tests/process/scene.h - a system for each test of child nodes or of process
 * actors, and what both wait for.
 */
#ifndef TESTS_PROCESS_SCENE_H
#define TESTS_PROCESS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <errno.h>
#include <greenroom/greenroom.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than anything may take on a busy machine: a hang, not a bound. */
#define LONG_MS 60000

typedef struct fixture {
    gr_system *sys;
    gr_actor *self;
    char base[64]; /* of nodes: where the folder for the socket is made */
} fixture;

static inline void scene_begin(fixture *f)
{
    const gr_system_opts opts = {.workers = 2, .log_level = GR_LOG_WARN};
    assert_int_equal(gr_system_start(&opts, &f->sys), 0);
    assert_int_equal(gr_thread_attach(f->sys, NULL, &f->self), 0);
}

/* Every message is accounted for, and no process is left, dead or alive. */
static inline void scene_end(const fixture *f)
{
    siginfo_t info;
    gr_thread_detach(f->self, 0);
    assert_int_equal(gr_system_stop(f->sys, LONG_MS), 0);
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
}

static inline void next_message(gr_actor *self, const gr_msg **msg)
{
    assert_int_equal(gr_receive(self, LONG_MS, msg), 0);
}

/* Waits for the end of what ref watches; skips what else comes. */
static inline gr_exit_reason await_down(gr_actor *self, gr_ref want)
{
    for (;;) {
        const gr_msg *msg;
        gr_ref ref;
        gr_exit_reason why;
        next_message(self, &msg);
        if (gr_match_down(msg, &ref, NULL, &why) && ref.id == want.id) {
            return why;
        }
    }
}

static inline void assert_process(int process)
{
    assert_true(process > 0);
    assert_int_equal(kill(process, 0), 0);
}

static inline void assert_no_process(int process)
{
    assert_int_equal(kill(process, 0), -1);
    assert_int_equal(errno, ESRCH);
}

#endif /* TESTS_PROCESS_SCENE_H */
