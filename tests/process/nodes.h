/*
 * tests/process/nodes.h - a system for each test of child nodes, and waiting
 * for what they do.
 */
#ifndef TESTS_PROCESS_NODES_H
#define TESTS_PROCESS_NODES_H

#include "tests/process/scene.h"

static inline int setup(void **state)
{
    static fixture f;
    f = (fixture){.base = "/tmp/gr-test-child-XXXXXX"};
    assert_non_null(mkdtemp(f.base));
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): only this thread runs */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", f.base, 1), 0);
    scene_begin(&f);
    *state = &f;
    return 0;
}

static inline int teardown(void **state)
{
    fixture *f = *state;
    scene_end(f);
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
    assert_process(pid);
    return pid;
}

#define NODE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* TESTS_PROCESS_NODES_H */
