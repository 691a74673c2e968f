/*
 * tests/process/nodes.h - a system for each test of child nodes, and waiting
 * for what they do.
 */
#ifndef TESTS_PROCESS_NODES_H
#define TESTS_PROCESS_NODES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <errno.h>
#include <greenroom/greenroom.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than anything may take on a busy machine: a hang, not a bound. */
#define LONG_MS 60000

typedef struct fixture {
    gr_system *sys;
    gr_actor *self;
    char base[64]; /* where the folder for the socket is made */
} fixture;

static inline int setup(void **state)
{
    static fixture f;
    f = (fixture){.base = "/tmp/gr-test-child-XXXXXX"};
    assert_non_null(mkdtemp(f.base));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): only this thread runs */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", f.base, 1), 0);
    const gr_system_opts opts = {.workers = 2, .log_level = GR_LOG_WARN};
    assert_int_equal(gr_system_start(&opts, &f.sys), 0);
    assert_int_equal(gr_thread_attach(f.sys, NULL, &f.self), 0);
    *state = &f;
    return 0;
}

static inline int teardown(void **state)
{
    fixture *f = *state;
    siginfo_t info;
    gr_thread_detach(f->self, 0);
    assert_int_equal(gr_system_stop(f->sys, LONG_MS), 0);
    /* No process, dead or alive, and an empty base. */
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(rmdir(f->base), 0);
    return 0;
}

static inline void enable(gr_actor *self)
{
    assert_int_equal(gr_child_nodes_enable(self, "parent"), 0);
    assert_int_equal(gr_watch_nodes(self, true), 0);
}

/* Starts a child node and watches its proxy. */
static inline gr_pid start(gr_actor *self, const char *name, gr_ref *ref)
{
    gr_pid proxy;
    assert_int_equal(
        gr_spawn(self, &gr_child_node_behavior,
                 &(gr_spawn_opts){.args = gr_args(name, 1), .monitor = ref},
                 &proxy),
        0);
    return proxy;
}

static inline void next_message(gr_actor *self, const gr_msg **msg)
{
    assert_int_equal(gr_receive(self, LONG_MS, msg), 0);
}

/* Waits for one coming or going of the node `name`; skips other nodes'. */
static inline gr_node await_node(gr_actor *self, const char *name, bool want_up)
{
    for (;;) {
        const gr_msg *msg;
        bool up = false;
        gr_node node;
        gr_str got;
        next_message(self, &msg);
        if (gr_match_node(msg, &up, &node, &got, NULL) && up == want_up &&
            got.len == strlen(name) && memcmp(got.ptr, name, got.len) == 0) {
            return node;
        }
    }
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

static inline gr_pid app_of(gr_actor *self, gr_node node)
{
    gr_pid app = GR_NOBODY;
    int rc;
    /* The app registers after the node is up. */
    while ((rc = gr_whereis(self, node, "app", &app)) == GR_ENOENT) {
        assert_int_equal(gr_sleep(self, 1), 0);
    }
    assert_int_equal(rc, 0);
    return app;
}

static inline int process_of(gr_actor *self, const char *name)
{
    int pid = 0;
    assert_int_equal(gr_child_node_process(self, name, &pid), 0);
    assert_true(pid > 0);
    assert_int_equal(kill(pid, 0), 0);
    return pid;
}

static inline void assert_no_process(int pid)
{
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

#define NODE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* TESTS_PROCESS_NODES_H */
