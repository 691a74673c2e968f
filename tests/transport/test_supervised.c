/* Children on other nodes: where they run, and what becomes of them when their
 * node is lost. Real sockets between three systems of this process. */
#include "tests/transport/nodes.h"

enum { ERROR_CRASH = GR_EUSER - 2 };

enum { HERE = 0, B = 1, C = 2 };

static int cell_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)self;
    return gr_unpack(args, (int *)state) ? 0 : GR_EINVAL;
}

static int cell_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const int *number = state;

    if (gr_match(msg, "number")) {
        return gr_reply(self, msg, "number", *number);
    }
    if (gr_match(msg, "crash")) {
        return ERROR_CRASH;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior cell = {.name = "cell",
                                 .state_size = sizeof(int),
                                 .init = cell_init,
                                 .receive = cell_receive};
/* One that no node spawns for others. */
static const gr_behavior hidden = {.name = "hidden", .receive = cell_receive};

static const gr_behavior *const spawnable[] = {&cell, NULL};

static void start(nodes *n, int i, const char *name)
{
    (void)start_node_with(n, i, name, &(gr_node_opts){.spawnable = spawnable});
    gr_trap_exit(n->self[i], true);
}

/* "here", which knows b and c. */
static gr_actor *start_three(nodes *n)
{
    start(n, HERE, "here");
    start(n, B, "b");
    start(n, C, "c");
    (void)join(n, HERE, B);
    (void)join(n, HERE, C);
    return n->self[HERE];
}

static const char *const b_then_c[] = {"b", "c", NULL};
static const char *const only_b[] = {"b", NULL};

#define CELL(...)                                                              \
    {                                                                          \
        .id = "cell", .behavior = &cell, .args = gr_args(7), __VA_ARGS__       \
    }
#define SOON                                                                   \
    .backoff = {.first_ms = 5, .max_ms = 20, .jitter = GR_BACKOFF_EXACT}

static gr_pid supervise(gr_actor *self, const gr_child *child)
{
    gr_child children[] = {*child, {0}};
    gr_supervisor spec = {
        .restarts_max = 10000, .period_ms = 1000, .children = children};
    gr_pid sup = GR_NOBODY;

    assert_int_equal(gr_supervise(self, &spec, &sup), 0);
    return sup;
}

static gr_pid cell_of(gr_actor *self, gr_pid sup)
{
    gr_pid pid = GR_NOBODY;
    int number = 0;

    assert_int_equal(gr_child_pid(self, sup, "cell", &pid), 0);
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("number", &number), "number"), 0);
    assert_int_equal(number, 7);
    return pid;
}

/* The same, when its supervisor has heard of the end of `old`: of what happens
 * on another node several hear in any order. */
static gr_pid next_of(gr_actor *self, gr_pid sup, gr_pid old)
{
    gr_pid pid = old;

    while (gr_pid_eq(pid, old)) {
        assert_int_equal(gr_child_pid(self, sup, "cell", &pid), 0);
    }
    return cell_of(self, sup);
}

/* Waits for the end of an actor that is linked to us, or monitored. */
static gr_exit_reason end_of(gr_actor *self, gr_pid pid)
{
    for (;;) {
        gr_exit_reason why;
        const gr_msg *msg;
        gr_pid from;

        assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
        if ((gr_match_exit(msg, &from, &why) ||
             gr_match_down(msg, NULL, &from, &why)) &&
            gr_pid_eq(from, pid)) {
            return why;
        }
    }
}

static uint64_t node_id(const nodes *n, int i)
{
    return gr_system_node(n->sys[i]).id;
}

static void monitor(gr_actor *self, gr_pid pid)
{
    gr_ref ref;

    assert_int_equal(gr_monitor(self, pid, &ref), 0);
}

static void a_child_runs_on_the_first_node_that_is_up(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_three(n);
    static const char *const list[] = {"nowhere", "c", "b", NULL};
    const gr_child child = CELL(.nodes = list, .name = "the cell");
    gr_pid sup = supervise(self, &child);
    gr_pid pid = cell_of(self, sup), named;

    assert_int_equal(pid.node, node_id(n, C));
    assert_int_equal(gr_whereis(n->self[C], GR_HERE, "the cell", &named), 0);
    assert_int_equal(named.id, pid.id);

    /* It is restarted as any other, and stopped. */
    monitor(self, pid);
    assert_int_equal(gr_send(self, pid, "crash"), 0);
    assert_int_equal(end_of(self, pid).code, ERROR_CRASH);
    gr_pid next = next_of(self, sup, pid);
    assert_int_equal(next.node, node_id(n, C));
    gr_child_info info;
    assert_int_equal(gr_inspect_child(self, sup, "cell", &info), 0);
    assert_int_equal(info.restarts, 1);
    assert_int_equal(info.last.code, ERROR_CRASH);
    assert_true(gr_pid_eq(info.pid, next));
    monitor(self, next);
    assert_int_equal(gr_terminate_child(self, sup, "cell"), 0);
    assert_int_equal(end_of(self, next).kind, GR_EXIT_SHUTDOWN);
    assert_int_equal(gr_restart_child(self, sup, "cell", &pid), 0);
    monitor(n->self[C], pid);
    assert_int_equal(gr_stop(self, sup), 0);
    assert_int_equal(end_of(n->self[C], pid).kind, GR_EXIT_SHUTDOWN);
    assert_int_equal(end_of(self, sup).kind, GR_EXIT_SHUTDOWN);
}

static void it_is_restarted_elsewhere_when_its_node_is_lost(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_three(n);
    const gr_child child = CELL(.nodes = b_then_c, SOON);
    gr_pid sup = supervise(self, &child);
    gr_pid first = cell_of(self, sup);

    assert_int_equal(first.node, node_id(n, B));
    monitor(n->self[B], first);
    assert_int_equal(gr_node_disconnect(self, gr_system_node(n->sys[B])), 0);
    gr_pid second = next_of(self, sup, first);
    assert_int_equal(second.node, node_id(n, C));
    gr_child_info info;
    assert_int_equal(gr_inspect_child(self, sup, "cell", &info), 0);
    assert_int_equal(info.last.kind, GR_EXIT_NOCONNECTION);
    /* What is cut off ends there by its link: no two run. */
    assert_int_equal(end_of(n->self[B], first).kind, GR_EXIT_NOCONNECTION);

    /* And back: b is the first of the list again. */
    (void)join(n, HERE, B);
    monitor(n->self[C], second);
    assert_int_equal(gr_node_disconnect(self, gr_system_node(n->sys[C])), 0);
    assert_int_equal(next_of(self, sup, second).node, node_id(n, B));
    assert_int_equal(end_of(n->self[C], second).kind, GR_EXIT_NOCONNECTION);
}

static void it_waits_by_its_back_off_until_a_node_is_up(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_three(n);
    const gr_child child = CELL(.nodes = only_b, SOON);
    gr_pid sup = supervise(self, &child);
    gr_pid pid = cell_of(self, sup);
    gr_child_info info = {.failures = 0};

    monitor(self, pid);
    assert_int_equal(gr_node_disconnect(self, gr_system_node(n->sys[B])), 0);
    assert_int_equal(end_of(self, pid).kind, GR_EXIT_NOCONNECTION);
    while (info.failures < 5) { /* it tries, and is refused */
        assert_int_equal(gr_inspect_child(self, sup, "cell", &info), 0);
    }
    assert_int_equal(info.last.kind, GR_EXIT_ERROR);
    assert_int_equal(info.last.code, GR_ENOCONN);
    (void)join(n, HERE, B);
    assert_int_equal(cell_of(self, sup).node, node_id(n, B));
}

static void no_node_at_all_is_a_failed_start_or_restart(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_three(n);
    static const char *const nowhere[] = {"nowhere", NULL};
    const gr_child lost[] = {CELL(.nodes = nowhere), {0}};
    const gr_child child[] = {CELL(.nodes = only_b), {0}};
    gr_pid sup;

    assert_int_equal(
        gr_supervise(self, &(gr_supervisor){.children = lost}, &sup), 0);
    assert_int_equal(end_of(self, sup).code, GR_ENOCONN);

    /* Without a back-off the tries come at once, and each counts. */
    assert_int_equal(gr_supervise(self,
                                  &(gr_supervisor){.restarts_max = 5,
                                                   .period_ms = 100000,
                                                   .children = child},
                                  &sup),
                     0);
    (void)cell_of(self, sup);
    assert_int_equal(gr_node_disconnect(self, gr_system_node(n->sys[B])), 0);
    const gr_exit_reason why = end_of(self, sup);
    assert_int_equal(why.kind, GR_EXIT_SHUTDOWN);
    assert_non_null(strstr(why.text, "more than 5 restarts"));
}

static void a_node_that_refuses_is_passed_over(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_three(n);
    static const char *const list[] = {"b", "c", "here", NULL};
    const gr_child refused[] = {
        {.id = "hidden", .behavior = &hidden, .nodes = b_then_c}, {0}};
    gr_pid sup, pid;

    assert_int_equal(
        gr_supervise(self, &(gr_supervisor){.children = refused}, &sup), 0);
    assert_int_equal(end_of(self, sup).code, GR_EDENIED);

    /* On this node it needs nobody's leave. */
    const gr_child child = {.id = "hidden", .behavior = &hidden, .nodes = list};
    sup = supervise(self, &child);
    assert_int_equal(gr_child_pid(self, sup, "hidden", &pid), 0);
    assert_int_equal(pid.node, node_id(n, HERE));

    /* A name that is taken on b is free on c. */
    assert_int_equal(gr_register(n->self[B], "taken"), 0);
    const gr_child named = CELL(.nodes = b_then_c, .name = "taken");
    sup = supervise(self, &named);
    assert_int_equal(cell_of(self, sup).node, node_id(n, C));
}

static void a_killed_supervisor_takes_it_along(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_three(n);
    const gr_child child = CELL(.nodes = only_b);
    gr_pid sup = supervise(self, &child);
    gr_pid pid = cell_of(self, sup);

    monitor(n->self[B], pid);
    assert_int_equal(gr_kill(self, sup), 0);
    assert_int_equal(end_of(n->self[B], pid).kind, GR_EXIT_KILLED);
}

static void a_family_may_live_elsewhere(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_three(n);
    const gr_child children[] = {
        {.id = "cell", .behavior = &cell, .nodes = b_then_c, SOON}, {0}};
    gr_pid sup, pids[8];

    assert_int_equal(
        gr_supervise(self,
                     &(gr_supervisor){.strategy = GR_SIMPLE_ONE_FOR_ONE,
                                      .restarts_max = 1000,
                                      .children = children},
                     &sup),
        0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(gr_start_child(self, sup, gr_args(i), &pids[i]), 0);
        assert_int_equal(pids[i].node, node_id(n, B));
    }
    assert_int_equal(gr_node_disconnect(self, gr_system_node(n->sys[B])), 0);
    gr_child_info info[8];
    int moved = 0;
    while (moved < 8) {
        moved = 0;
        assert_int_equal(gr_list_children(self, sup, 0, info, 8), 8);
        for (int i = 0; i < 8; i++) {
            moved += info[i].state == GR_CHILD_UP &&
                     info[i].pid.node == node_id(n, C);
        }
    }
    for (int i = 0; i < 8; i++) {
        int number = -1;
        assert_int_equal(gr_call(self, info[i].pid, LONG_MS,
                                 gr_expect("number", &number), "number"),
                         0);
        assert_int_equal(number, i); /* each with its own arguments */
    }
}

static void what_cannot_run_elsewhere_is_refused(void **state)
{
    nodes *n = *state;
    static const char *const none[] = {NULL};
    static const char *const empty[] = {"", NULL};
    const char *many[GR_CHILD_NODES_MAX + 2];
    gr_actor *self = start_system(n, HERE);
    gr_values args;
    gr_pid sup;

    for (size_t i = 0; i <= GR_CHILD_NODES_MAX; i++) {
        many[i] = "b";
    }
    many[GR_CHILD_NODES_MAX + 1] = NULL;
    assert_int_equal(
        gr_supervisor_args(self, &(gr_supervisor){.children = NULL}, &args), 0);
    const struct {
        gr_child child;
        int rc;
    } rows[] = {
        {CELL(.nodes = none), GR_EINVAL},
        {CELL(.nodes = empty), GR_EINVAL},
        {CELL(.nodes = many), GR_ELIMIT},
        {CELL(.nodes = only_b, .grade = GR_GRADE_ABORT), GR_EINVAL},
        {CELL(.nodes = only_b, .limits = {.memory_max = 1}), GR_EINVAL},
        {CELL(.nodes = only_b, .limits = {.handler_max_ms = 1}), GR_EINVAL},
        {CELL(.nodes = only_b, .limits = {.address_space_max = 1}), GR_EINVAL},
        {CELL(.nodes = only_b, .limits = {.file_size_max = 1}), GR_EINVAL},
        {CELL(.nodes = only_b, .limits = {.cpu_max_s = 1}), GR_EINVAL},
        {CELL(.nodes = only_b, .limits = {.files_max = 16}), GR_EINVAL},
        {CELL(.nodes = only_b, .limits = {.seccomp = true}), GR_EINVAL},
        {{.id = "s",
          .behavior = &gr_supervisor_behavior,
          .args = args,
          .nodes = only_b},
         GR_EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const gr_child children[] = {rows[i].child, {0}};
        assert_int_equal(
            gr_supervise(self, &(gr_supervisor){.children = children}, &sup),
            rows[i].rc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_IPC(a_child_runs_on_the_first_node_that_is_up),
        ON_IPC(it_is_restarted_elsewhere_when_its_node_is_lost),
        ON_IPC(it_waits_by_its_back_off_until_a_node_is_up),
        ON_IPC(no_node_at_all_is_a_failed_start_or_restart),
        ON_IPC(a_node_that_refuses_is_passed_over),
        ON_IPC(a_killed_supervisor_takes_it_along),
        ON_IPC(a_family_may_live_elsewhere),
        ON_IPC(what_cannot_run_elsewhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
