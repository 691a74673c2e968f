/*
 * Goal:   a child on another node is known to its supervisor, or is not there:
 *         whatever lacks memory on the way, on either side. And the supervisor
 *         has started it in the end, or ends.
 * Method: the child has a name, so that one that is left over is in the way of
 *         the next. Each round another allocation of the library fails.
 */
#include "tests/transport/nodes.h"

#include "tests/support/no_memory.h"

enum { HERE = 0, B = 1, ROUNDS_MIN = 20 };

static int cell_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_unhandled(self, msg);
}

static const gr_behavior cell = {.name = "cell", .receive = cell_receive};
static const gr_behavior *const spawnable[] = {&cell, NULL};
static const char *const only_b[] = {"b", NULL};

static void start(nodes *n, int i, const char *name)
{
    (void)start_node_with(n, i, name, &(gr_node_opts){.spawnable = spawnable});
    gr_trap_exit(n->self[i], true);
}

static int supervise(gr_actor *self, gr_pid *sup)
{
    const gr_child children[] = {
        {.id = "cell", .behavior = &cell, .name = "cell", .nodes = only_b},
        {0}};
    return gr_supervise(self, &(gr_supervisor){.children = children}, sup);
}

static void await_end(gr_actor *self, gr_pid sup)
{
    gr_pid from = GR_NOBODY;

    while (!gr_match_exit(next(self), &from, NULL) || !gr_pid_eq(from, sup)) {
    }
}

/* Until it runs, or its supervisor has ended: false. */
static bool await_start(gr_actor *self, gr_pid sup)
{
    const int64_t end_ms = gr_now_ms(self) + LONG_MS;
    gr_pid pid;
    int rc;

    while ((rc = gr_child_pid(self, sup, "cell", &pid)) != 0 &&
           rc != GR_ENOPROC) {
        assert_true(gr_now_ms(self) < end_ms);
    }
    return rc == 0;
}

/* True if there was no memory at some time. */
static bool play(nodes *n, uint64_t fail_at)
{
    gr_actor *self = n->self[HERE];
    gr_pid sup;

    no_memory_begin(fail_at, false);
    const int rc = supervise(self, &sup);
    if (rc == 0) {
        (void)await_start(self, sup);
    }
    const bool failed = no_memory_end();
    if (rc == 0) {
        assert_int_equal(gr_stop(self, sup), 0);
        await_end(self, sup);
    }
    return failed;
}

/* With memory: whatever became of it before, now it works. */
static void repair(nodes *n)
{
    gr_actor *self = n->self[HERE];
    const int64_t end_ms = gr_now_ms(self) + LONG_MS;
    bool started = false;

    while (!started) {
        gr_pid sup;
        (void)join(n, HERE, B);
        assert_int_equal(supervise(self, &sup), 0);
        started = await_start(self, sup);
        if (started) {
            assert_int_equal(gr_stop(self, sup), 0);
        }
        await_end(self, sup);
        assert_true(gr_now_ms(self) < end_ms); /* its name is free */
    }
}

static void no_child_is_left_that_nobody_knows_of(void **state)
{
    nodes *n = *state;
    uint64_t at = 0;
    bool failed = true;

    start(n, HERE, "here");
    start(n, B, "b");
    repair(n);
    while (failed) {
        failed = play(n, ++at);
        repair(n);
    }
    assert_true(at > ROUNDS_MIN);
}

/* ---- without a link ------------------------------------------------------ */

/* Answers that cannot be sent, from now on. The linker gives us the library's
 * calls (tests/CMakeLists.txt). */
static _Atomic(int) answers_refused, errors_refused;

/* --wrap makes these names: NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_gr_replyv(gr_actor *self, const gr_msg *msg, const gr_value *values,
                     uint32_t n);
int __wrap_gr_replyv(gr_actor *self, const gr_msg *msg, const gr_value *values,
                     uint32_t n);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_gr_replyv(gr_actor *self, const gr_msg *msg, const gr_value *values,
                     uint32_t n)
{
    if (answers_refused > 0) {
        answers_refused--;
        return GR_ENOMEM;
    }
    return __real_gr_replyv(self, msg, values, n);
}

/* --wrap makes these names: NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_gr_reply_error(gr_actor *self, const gr_msg *msg, int code,
                          const char *text);
int __wrap_gr_reply_error(gr_actor *self, const gr_msg *msg, int code,
                          const char *text);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_gr_reply_error(gr_actor *self, const gr_msg *msg, int code,
                          const char *text)
{
    if (errors_refused > 0) {
        errors_refused--;
        return GR_ENOMEM;
    }
    return __real_gr_reply_error(self, msg, code, text);
}

static void what_cannot_be_told_of_is_not_left(void **state)
{
    nodes *n = *state;
    gr_pid pid;

    start(n, HERE, "here");
    start(n, B, "b");
    const gr_node b = join(n, HERE, B);
    const gr_spawn_opts opts = {.name = "loose", .node = b};
    answers_refused = 1;
    assert_int_equal(gr_spawn(n->self[HERE], &cell, &opts, &pid), GR_ENOMEM);
    assert_int_equal(answers_refused, 0);

    const int64_t end_ms = gr_now_ms(n->self[B]) + LONG_MS;
    while (gr_whereis(n->self[B], GR_HERE, "loose", &pid) == 0) {
        assert_true(gr_now_ms(n->self[B]) < end_ms);
    }
    assert_int_equal(gr_spawn(n->self[HERE], &cell, &opts, &pid), 0);
}

static void who_cannot_be_told_hears_that_its_node_is_lost(void **state)
{
    nodes *n = *state;
    gr_actor *self;
    gr_exit_reason why = {.kind = GR_EXIT_NORMAL};
    gr_pid sup;

    start(n, HERE, "here");
    start(n, B, "b");
    self = n->self[HERE];
    (void)join(n, HERE, B);
    answers_refused = 1;
    errors_refused = 1;
    assert_int_equal(supervise(self, &sup), 0);
    assert_true(gr_match_exit(next(self), NULL, &why));
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_ENOCONN);
    assert_int_equal(errors_refused, 0);
    repair(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_IPC(no_child_is_left_that_nobody_knows_of),
        ON_IPC(what_cannot_be_told_of_is_not_left),
        ON_IPC(who_cannot_be_told_hears_that_its_node_is_lost),
    };
    return cmocka_run_group_tests_name("transport/spawned_no_memory", tests,
                                       NULL, NULL);
}
