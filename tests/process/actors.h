/*
 * tests/process/actors.h - a system for each test of process actors, and what
 * their tests wait for.
 */
#ifndef TESTS_PROCESS_ACTORS_H
#define TESTS_PROCESS_ACTORS_H

#include "tests/process/scene.h"

static inline int setup(void **state)
{
    static fixture f;
    scene_begin(&f);
    assert_int_equal(gr_processes_enable(f.self), 0);
    *state = &f;
    return 0;
}

static inline int teardown(void **state)
{
    scene_end(*state);
    return 0;
}

#define ACTOR_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static inline gr_pid spawn_with(gr_actor *self, const gr_behavior *b,
                                gr_spawn_opts opts)
{
    gr_pid pid = GR_NOBODY;
    assert_int_equal(gr_spawn(self, b, &opts, &pid), 0);
    return pid;
}

static inline int process_of(gr_actor *self, gr_pid pid)
{
    int process = 0;
    int rc;
    int tries = 10000;
    /* The launcher may tell of it later than it speaks itself. */
    while ((rc = gr_process_of(self, pid, &process)) == GR_ENOENT &&
           tries-- > 0) {
        assert_int_equal(gr_sleep(self, 1), 0);
    }
    assert_int_equal(rc, 0);
    assert_process(process);
    return process;
}

#endif /* TESTS_PROCESS_ACTORS_H */
