/*
 * Goal:   who comes to a system's processes after gr_system_stop has given up
 * on it is told that they are gone, and uses no memory that was freed. Method:
 * a handler holds a system up until its stop has returned GR_ETIMEOUT, and then
 * asks for all that the system had of processes. That system is never freed,
 * and so found by what it is held by here.
 */
#include "tests/process/nodes.h"

#include <semaphore.h>

static sem_t entered;
static sem_t stopped;
static sem_t asked;

/* What it was told, once `asked` was posted. */
static struct {
    gr_pid worker; /* a process actor */
    int process_of, child_node_process, spawn_process, spawn_node, enable;
} late;

static fixture held;

static int nothing(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg);
}

static const gr_behavior worker = {
    .name = "worker", .receive = nothing, .grade = GR_GRADE_PROCESS};

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
    }
}

static int late_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int process = 0;
    gr_pid pid;
    (void)state, (void)msg;
    (void)sem_post(&entered);
    wait_for(&stopped);
    late.process_of = gr_process_of(self, late.worker, &process);
    late.child_node_process = gr_child_node_process(self, "kid", &process);
    late.spawn_process = gr_spawn(self, &worker, NULL, &pid);
    late.spawn_node =
        gr_spawn(self, &gr_child_node_behavior,
                 &(gr_spawn_opts){.args = gr_args("late", 1)}, &pid);
    late.enable = gr_processes_enable(self);
    (void)sem_post(&asked);
    return 0;
}

static const gr_behavior late_behavior = {.name = "late",
                                          .receive = late_receive};

static int setup_held(void **state)
{
    void *f = NULL;
    (void)sem_init(&entered, 0, 0);
    (void)sem_init(&stopped, 0, 0);
    (void)sem_init(&asked, 0, 0);
    assert_int_equal(setup(&f), 0);
    held = *(fixture *)f;
    *state = &held;
    return 0;
}

static void who_comes_late_finds_all_stopped(void **state)
{
    const fixture *f = *state;
    gr_actor *self = f->self;
    gr_ref ref;
    gr_pid pid;
    siginfo_t info;
    enable(self);
    assert_int_equal(gr_processes_enable(self), 0);
    assert_int_equal(
        gr_spawn(self, &worker, &(gr_spawn_opts){.ack = true}, &late.worker),
        0);
    (void)start(self, "kid", &ref);
    (void)await_node(self, "kid", true);
    (void)process_of(self, "kid");
    assert_int_equal(gr_spawn(self, &late_behavior, NULL, &pid), 0);
    assert_int_equal(gr_send(self, pid, "wait"), 0);
    wait_for(&entered);
    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(f->sys, 100), GR_ETIMEOUT);
    /* It has stopped all the same: no process is left, nor their folder. */
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(rmdir(f->base), 0);
    (void)sem_post(&stopped);
    wait_for(&asked);
    assert_int_equal(late.process_of, GR_ENOENT);
    assert_int_equal(late.child_node_process, GR_ENOENT);
    assert_int_equal(late.spawn_process, GR_ESTOPPED);
    assert_int_equal(late.spawn_node, GR_ESTOPPED);
    assert_int_equal(late.enable, GR_EEXIST);
}

static int node_app(gr_actor *self, int argc, char **argv)
{
    const gr_msg *msg;
    (void)argc, (void)argv;
    for (;;) {
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
    }
}

static int tests_app(gr_actor *self, int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_comes_late_finds_all_stopped, setup_held),
    };
    (void)self, (void)argc, (void)argv;
    return cmocka_run_group_tests_name("process/stop_late", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    return gr_main_with(argc, argv,
                        &(gr_main_opts){.app = tests_app,
                                        .node_app = node_app,
                                        .system.workers = 1});
}
