/*
 * tests/supervisor/test_no_memory_tree.c - all that a supervisor does, and each
 * allocation fails once, and from each one on all fail: every call gives an
 * error that says so, none waits for an answer that does not come, and the tree
 * ends whole.
 */
#include <greenroom/supervisor.h>

#include "tests/support/no_memory.h"
#include "tests/support/stage.h"

static void quiet_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static int alive; /* workers: in a hook for each end, so all must have ended */

static void over(void *arg)
{
    (void)arg;
    alive--;
}

static int worker_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)state, (void)args;
    GR_TRY(gr_on_exit(self, over, NULL));
    alive++;
    return 0;
}

static int worker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "fail")) {
        return GR_EFAIL;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior worker = {
    .name = "worker", .init = worker_init, .receive = worker_receive};

/* What a call may give when there was no memory: there, or for its answer, or
 * for the children, which then are down, or for the supervisor itself. Not
 * GR_ETIMEOUT: nothing is left waiting. */
static bool fine(int rc)
{
    return rc >= 0 || rc == GR_ENOMEM || rc == GR_ENOPROC ||
           rc == GR_ENOREPLY || rc == GR_EAGAIN;
}

#define TRY_FINE(call)                                                         \
    do {                                                                       \
        const int try_rc = (call);                                             \
        if (!fine(try_rc)) {                                                   \
            print_error("%s gave %s\n", #call, gr_errname(try_rc));            \
        }                                                                      \
        CHECK(fine(try_rc));                                                   \
        GR_TRY(try_rc);                                                        \
    } while (0)

/* Two levels, back-off, a stable one; workers fail, and are brought back. */
static int use_tree(gr_actor *self)
{
    const gr_child leaves[] = {
        {.id = "leaf", .behavior = &worker},
        {.id = "stable", .behavior = &worker, .stable = true},
        {.id = NULL},
    };
    const gr_supervisor branch = {
        .strategy = GR_REST_FOR_ONE, .children = leaves, .restarts_max = 5};
    gr_values args;
    gr_pid top;
    gr_pid pid;
    gr_child_info info;
    gr_child_count count;
    TRY_FINE(gr_supervisor_args(self, &branch, &args));
    const gr_child children[] = {
        {.id = "first",
         .behavior = &worker,
         .backoff = {.first_ms = 10, .jitter = GR_BACKOFF_EXACT}},
        {.id = "branch", .behavior = &gr_supervisor_behavior, .args = args},
        {.id = NULL},
    };
    const gr_supervisor spec = {
        .strategy = GR_ONE_FOR_ONE, .children = children, .restarts_max = 5};
    const gr_child more = {.id = "more", .behavior = &worker};
    TRY_FINE(gr_supervise(self, &spec, &top));
    TRY_FINE(gr_child_pid(self, top, "first", &pid));
    TRY_FINE(gr_send(self, pid, "fail"));
    TRY_FINE(gr_child_pid(self, top, "branch", &pid));
    TRY_FINE(gr_kill(self, pid));
    TRY_FINE(gr_sleep(self, 1)); /* its supervisor has heard of it */
    TRY_FINE(gr_child_pid(self, top, "branch", &pid));
    TRY_FINE(gr_child_pid(self, pid, "leaf", &pid));
    TRY_FINE(gr_add_child(self, top, &more, NULL));
    TRY_FINE(gr_terminate_child(self, top, "more"));
    TRY_FINE(gr_restart_child(self, top, "more", NULL));
    TRY_FINE(gr_list_children(self, top, 0, &info, 1));
    TRY_FINE(gr_inspect_child(self, top, "more", &info));
    TRY_FINE(gr_count_children(self, top, &count));
    TRY_FINE(gr_terminate_child(self, top, "more"));
    TRY_FINE(gr_delete_child(self, top, "more"));
    return gr_stop(self, top);
}

static int use_family(gr_actor *self)
{
    const gr_child children[] = {{.id = "one", .behavior = &worker},
                                 {.id = NULL}};
    const gr_supervisor spec = {.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                .children = children,
                                .restarts_max = 5};
    gr_pid top;
    gr_pid pid;
    TRY_FINE(gr_supervise(self, &spec, &top));
    TRY_FINE(gr_start_child(self, top, gr_args(1), &pid));
    TRY_FINE(gr_send(self, pid, "fail"));
    TRY_FINE(gr_start_child(self, top, gr_args(2), &pid));
    TRY_FINE(gr_terminate_child_pid(self, top, pid));
    return gr_stop(self, top);
}

/* True if an allocation failed. */
static bool play(int (*use)(gr_actor *), uint64_t fail_at, bool for_ever)
{
    const gr_system_opts opts = {
        .seed = 1 + fail_at, .log = quiet_log, .log_level = GR_LOG_DEBUG};
    gr_system *sys;
    gr_actor *self;
    CHECK_RC(gr_system_start(&opts, &sys), 0);
    CHECK_RC(gr_thread_attach(sys, "thread", &self), 0);
    gr_trap_exit(self, true);
    alive = 0;
    no_memory_begin(fail_at, for_ever);
    const int rc = use(self);
    const bool failed = no_memory_end();

    CHECK(failed ? fine(rc) : rc == 0);
    gr_thread_detach(self, 0);
    (void)gr_sim_settle(sys);
    stage s = {.sys = sys, .seed = opts.seed};
    stage_check_conserved(&s);
    CHECK_RC(gr_system_stop(sys, 1000), 0);
    CHECK_INT(alive, 0);
    return failed;
}

static void play_all(int (*use)(gr_actor *), bool for_ever)
{
    uint64_t n = 1;
    while (play(use, n, for_ever)) {
        stage_seed_now = ++n;
    }
    assert_true(n > 40); /* it was worth it */
    print_message("%" PRIu64 " allocations\n", n - 1);
}

static void each_of_a_tree_may_fail(void **state)
{
    (void)state;
    play_all(use_tree, false);
}

static void all_of_a_tree_may_fail_from_some_on(void **state)
{
    (void)state;
    play_all(use_tree, true);
}

static void each_of_a_family_may_fail(void **state)
{
    (void)state;
    play_all(use_family, false);
}

static void all_of_a_family_may_fail_from_some_on(void **state)
{
    (void)state;
    play_all(use_family, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_a_tree_may_fail),
        cmocka_unit_test(all_of_a_tree_may_fail_from_some_on),
        cmocka_unit_test(each_of_a_family_may_fail),
        cmocka_unit_test(all_of_a_family_may_fail_from_some_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
