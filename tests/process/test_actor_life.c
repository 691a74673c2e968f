/*
 * Goal:   a process actor runs in a process of its own, and whatever ends that
 *         is the end of the actor, with its reason.
 * Method: this program is its own process of an actor (gr_child_main). Each
 *         test has a system of its own; after its stop no process may be left.
 */
#include "tests/process/actors.h"

#include "tests/support/sanitizers.h"

typedef struct worker {
    int64_t sum;
} worker;

static int worker_init(gr_actor *self, void *state, const gr_msg *args)
{
    worker *w = state;
    (void)self;
    return !gr_unpack(args, &w->sum) ? GR_EINVAL : w->sum < 0 ? (int)w->sum : 0;
}

static int worker_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    worker *w = state;
    int64_t n;
    if (gr_match(msg, "add", &n)) {
        w->sum += n;
        return 0;
    }
    if (gr_match(msg, "sum")) {
        return gr_reply(self, msg, "sum", w->sum, (int64_t)getpid());
    }
    if (gr_match(msg, "raise", &n)) {
        (void)kill(getpid(), (int)n); /* any thread */
        return 0;
    }
    if (gr_match(msg, "null", &n)) {
        int *volatile nowhere = NULL;
        *(volatile int *)nowhere = 1;
        return 0;
    }
    if (gr_match(msg, "exit", &n)) {
        _exit((int)n);
    }
    if (gr_match(msg, "fail", &n)) {
        return (int)n;
    }
    if (gr_match(msg, "loop")) {
        for (volatile int i = 0;; i = i + 1) {
        }
    }
    if (gr_match(msg, "leave")) {
        gr_exit(self, 0, "done");
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior worker_behavior = {
    .name = "worker",
    .state_size = sizeof(worker),
    .init = worker_init,
    .receive = worker_receive,
    .grade = GR_GRADE_PROCESS,
};

static gr_pid start(gr_actor *self, gr_ref *ref)
{
    return spawn_with(
        self, &worker_behavior,
        (gr_spawn_opts){.args = gr_args((int64_t)1), .monitor = ref});
}

static int64_t ask_sum(gr_actor *self, gr_pid pid, int64_t *process)
{
    int64_t sum = 0;
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("sum", &sum, process), "sum"), 0);
    return sum;
}

static void it_runs_in_a_process_of_its_own(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    int64_t process = 0;
    gr_pid pid = start(self, &ref);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(gr_send(self, pid, "add", (int64_t)i), 0);
    }
    assert_int_equal(ask_sum(self, pid, &process), 1 + 999 * 1000 / 2);
    assert_int_not_equal(process, getpid());
    assert_int_equal(process, process_of(self, pid));
    assert_int_equal(gr_stop(self, pid), 0);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_SHUTDOWN);
    /* Who hears of the end finds the process gone. */
    assert_no_process((int)process);
}

static gr_exit_reason end_by(gr_actor *self, const char *how, int64_t n)
{
    gr_ref ref;
    gr_pid pid = start(self, &ref);
    assert_int_equal(gr_send(self, pid, how, n), 0);
    return await_down(self, ref);
}

static void its_reason_tells_how_it_ended(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_exit_reason why = end_by(self, "raise", SIGKILL);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGKILL);
    assert_string_equal(why.text, "SIGKILL");
    why = end_by(self, "raise", SIGTERM);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGTERM);
    why = end_by(self, "exit", 7);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, 7);
    assert_string_equal(why.text, "exit status 7");
    why = end_by(self, "exit", 0);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EFAIL);
    why = end_by(self, "fail", GR_ENOENT);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_ENOENT);
    assert_string_equal(why.text, "receive");
}

static void a_fault_of_its_own_ends_it_alone(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    int64_t process = 0;
    gr_pid other = start(self, &ref);
    gr_exit_reason why = end_by(self, "null", 0);
#if defined(UNDER_ASAN) || defined(UNDER_TSAN)
    assert_int_equal(why.kind, GR_EXIT_ERROR);
#else
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGSEGV);
    assert_string_equal(why.text, "SIGSEGV");
#endif
    assert_int_equal(ask_sum(self, other, &process), 1);
}

static void an_init_that_fails_is_told_with_its_error(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    (void)spawn_with(self, &worker_behavior,
                     (gr_spawn_opts){.args = gr_args((int64_t)GR_EDENIED),
                                     .monitor = &ref,
                                     .ack = true});
    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EDENIED);
    assert_string_equal(why.text, "init");
}

static void its_spawner_is_told_when_it_has_begun(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    const gr_msg *msg;
    gr_pid from;
    gr_pid pid =
        spawn_with(self, &worker_behavior,
                   (gr_spawn_opts){.args = gr_args((int64_t)5), .ack = true});
    next_message(self, &msg);
    assert_true(gr_match_started(msg, &from));
    assert_true(gr_pid_eq(from, pid));
}

static void a_kill_ends_an_endless_loop(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    gr_pid pid = start(self, &ref);
    int64_t n = 0;
    (void)ask_sum(self, pid, &n);
    const int process = process_of(self, pid);
    assert_int_equal(gr_send(self, pid, "loop"), 0);
    /* It would not see a request to stop. */
    assert_int_equal(gr_stop(self, pid), 0);
    assert_int_equal(gr_kill(self, pid), 0);
    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_KILLED);
    assert_no_process(process);
}

static void a_callback_over_its_deadline_ends_it(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    gr_pid pid = spawn_with(self, &worker_behavior,
                            (gr_spawn_opts){.args = gr_args((int64_t)1),
                                            .monitor = &ref,
                                            .limits = {.handler_max_ms = 200}});
    assert_int_equal(gr_send(self, pid, "loop"), 0);
    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_LIMIT);
    assert_int_equal(why.code, GR_ETIMEOUT);
    assert_string_equal(why.text, "handler deadline");
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(it_runs_in_a_process_of_its_own),
        ACTOR_TEST(its_reason_tells_how_it_ended),
        ACTOR_TEST(a_fault_of_its_own_ends_it_alone),
        ACTOR_TEST(an_init_that_fails_is_told_with_its_error),
        ACTOR_TEST(its_spawner_is_told_when_it_has_begun),
        ACTOR_TEST(a_kill_ends_an_endless_loop),
        ACTOR_TEST(a_callback_over_its_deadline_ends_it),
    };
    return cmocka_run_group_tests_name("process/actor_life", tests, NULL, NULL);
}
