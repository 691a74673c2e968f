/*
 * Goal:   groups of two and three nodes: members of all are known to all,
 *         whichever was there first; what is published comes to each member
 *         once and keeps its publisher; the members of a node that is lost
 *         leave, once each, and those of its next incarnation join anew.
 * Method: systems in this process, joined by sockets. Monitors say when
 *         something is known, so nothing waits for time.
 */
#include "tests/patterns/known.h"
#include "tests/transport/nodes.h"

/* A member that sends on what it hears. */
typedef struct member {
    gr_pid to;
} member;

static int member_init(gr_actor *self, void *state, const gr_msg *args)
{
    member *m = state;
    gr_str name;
    char text[GR_NAME_MAX + 1] = "";
    if (!gr_unpack(args, &m->to, &name)) {
        return GR_EINVAL;
    }
    memcpy(text, name.ptr, name.len);
    return gr_group_join(self, text);
}

static int member_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const member *m = state;
    gr_any payload;
    if (gr_match(msg, "news", &payload)) {
        return gr_send(self, m->to, "got", payload, gr_sender(msg));
    }
    if (gr_match(msg, "sync")) {
        return gr_reply(self, msg, "synced");
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior member_behavior = {
    .name = "member",
    .state_size = sizeof(member),
    .init = member_init,
    .receive = member_receive,
};

static gr_pid spawn_member(gr_actor *self, const char *group)
{
    gr_pid pid;
    const gr_spawn_opts opts = {.args = gr_args(gr_self(self), group)};
    assert_int_equal(gr_spawn(self, &member_behavior, &opts, &pid), 0);
    assert_int_equal(gr_call(self, pid, LONG_MS, gr_expect("synced"), "sync"),
                     0);
    return pid;
}

static int count(gr_actor *self, const char *group)
{
    return gr_group_members(self, group, GR_GROUP_ALL, NULL, 0);
}

static bool nothing_waits(gr_actor *self)
{
    const gr_msg *msg;
    return gr_receive(self, 0, &msg) == GR_ETIMEOUT;
}

/* ---- what a monitor knows ----------------------------------------------- */

/* Until it knows of so many members. */
static void wait_known(gr_actor *self, known *k, uint32_t n)
{
    gr_group_event event;
    gr_reader pids;
    do {
        assert_true(gr_match_group(self, next(self), NULL, &event, &pids));
        assert_true(take_event(k, event, pids));
    } while (k->n != n);
}

static void watch(gr_actor *self, const char *group)
{
    gr_ref ref;
    assert_int_equal(gr_group_monitor(self, group, &ref), 0);
}

/* ---- finding each other ------------------------------------------------- */

/* Whoever began first, and before or after it was a node or connected. */
static void members_of_all_nodes_are_known_to_all(void **state)
{
    nodes *n = *state;
    static known k[2];
    for (int when = 0; when < 4; when++) {
        gr_pid pids[2];
        memset(k, 0, sizeof k);
        gr_actor *a = when == 0 ? start_system(n, 0) : start_node(n, 0, "a");
        gr_actor *b = start_node(n, 1, "b");
        if (when == 2) {
            (void)join(n, 0, 1);
        }
        watch(a, "g");
        pids[0] = spawn_member(a, "g");
        if (when == 0) { /* it becomes a node with members */
            const gr_node_opts opts = {.name = "a", .secret = bytes_of(SECRET)};
            assert_int_equal(gr_node_start(a, &opts), 0);
        }
        if (when == 1) { /* b's groups begin with the connection there */
            (void)join(n, 0, 1);
        }
        watch(b, "g");
        pids[1] = spawn_member(b, "g");
        if (when == 0 || when == 3) {
            (void)join(n, 0, 1);
        }
        for (int i = 0; i < 2; i++) {
            wait_known(n->self[i], &k[i], 2);
            assert_true(knows(&k[i], pids[0]) && knows(&k[i], pids[1]));
            assert_int_equal(count(n->self[i], "g"), 2);
            assert_int_equal(
                gr_group_members(n->self[i], "g", GR_GROUP_LOCAL, NULL, 0), 1);
        }
        stop_node(n, 1);
        wait_known(a, &k[0], 1);
        assert_true(knows(&k[0], pids[0]));
        stop_node(n, 0);
    }
}

static void changes_are_told(void **state)
{
    nodes *n = *state;
    static known k[2];
    gr_actor *a = start_node(n, 0, "a");
    gr_actor *b = start_node(n, 1, "b");
    (void)join(n, 0, 1);
    memset(k, 0, sizeof k);
    watch(a, "g");
    watch(b, "g");
    assert_int_equal(gr_group_join(b, "g"), 0);
    wait_known(a, &k[0], 1);
    wait_known(b, &k[1], 1);
    assert_int_equal(gr_group_leave(b, "g"), 0);
    wait_known(a, &k[0], 0);
    wait_known(b, &k[1], 0);
    for (int round = 0; round < 50; round++) {
        const gr_pid pid = spawn_member(b, "g");
        wait_known(a, &k[0], 1);
        assert_true(knows(&k[0], pid));
        if (round % 2 == 0) {
            assert_int_equal(gr_kill(a, pid), 0); /* from afar */
        } else {
            assert_int_equal(gr_stop(b, pid), 0);
        }
        wait_known(a, &k[0], 0);
    }
    assert_int_equal(count(a, "g"), 0);
}

/* ---- publishing --------------------------------------------------------- */

static void what_is_published_comes_to_all_nodes_once(void **state)
{
    nodes *n = *state;
    static known k[3];
    enum { EACH = 5, ROUNDS = 20 };
    memset(k, 0, sizeof k);
    (void)start_node(n, 0, "a");
    (void)start_node(n, 1, "b");
    (void)start_node(n, 2, "c");
    (void)join(n, 0, 1);
    (void)join(n, 1, 2);
    (void)join(n, 2, 0);
    for (int i = 0; i < 3; i++) {
        watch(n->self[i], "g");
        for (int m = 0; m < EACH; m++) {
            (void)spawn_member(n->self[i], "g");
        }
    }
    for (int i = 0; i < 3; i++) {
        wait_known(n->self[i], &k[i], 3 * EACH);
    }
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(gr_group_publish(n->self[0], "g", GR_GROUP_ALL, "news",
                                          gr_list(round, "x", 1.5)),
                         3 * EACH);
    }
    assert_int_equal(
        gr_group_publish(n->self[0], "g", GR_GROUP_LOCAL, "news", 0), EACH);
    for (int i = 0; i < 3; i++) {
        unsigned sum = 0;
        unsigned got = 0;
        while (got < EACH * ROUNDS + (i == 0 ? EACH : 0)) {
            const gr_msg *msg = next(n->self[i]);
            gr_any payload;
            gr_pid from;
            int64_t round;
            assert_true(gr_match(msg, "got", &payload, &from));
            assert_true(gr_pid_eq(from, gr_self(n->self[0])));
            gr_reader whole = gr_any_reader(payload);
            gr_reader list = whole;
            if (gr_read_list(&whole, &list) == 0) {
                assert_int_equal(gr_read_int(&list, &round), 0);
                assert_int_equal(list.left, 2);
                sum += (unsigned)round;
            }
            got++;
        }
        assert_int_equal(sum, EACH * (ROUNDS * (ROUNDS - 1) / 2));
    }
    /* A stop comes behind: nothing is left over. */
    for (int i = 0; i < 3; i++) {
        assert_true(nothing_waits(n->self[i]));
    }
}

static void one_member_of_any_node_is_sent_to(void **state)
{
    nodes *n = *state;
    static known k[2];
    unsigned far = 0;
    memset(k, 0, sizeof k);
    gr_actor *a = start_node(n, 0, "a");
    gr_actor *b = start_node(n, 1, "b");
    (void)join(n, 0, 1);
    watch(a, "g");
    const gr_pid near = spawn_member(a, "g");
    const gr_pid there = spawn_member(b, "g");
    wait_known(a, &k[0], 2);
    for (int i = 0; i < 10; i++) {
        gr_pid pid;
        assert_int_equal(
            gr_group_pick(a, "g", GR_GROUP_ALL, GR_GROUP_NEXT, &pid), 0);
        far += gr_pid_eq(pid, there);
        assert_int_equal(
            gr_group_pick(a, "g", GR_GROUP_LOCAL, GR_GROUP_NEXT, &pid), 0);
        assert_true(gr_pid_eq(pid, near));
    }
    assert_true(far > 0 && far < 10);
    stop_node(n, 1);
    /* Known to be lost or not yet: it goes to the one that is there. */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(
            gr_group_send(a, "g", GR_GROUP_ALL, GR_GROUP_NEXT, "news", i), 0);
    }
    for (int i = 0; i < 4;) {
        const gr_msg *msg = next(a);
        i += gr_match_group(a, msg, NULL, NULL, NULL) ? 0 : 1;
    }
}

/* ---- losses ------------------------------------------------------------- */

/* The connection before may be known to one side only, for a moment. */
static void join_again(nodes *n, int from, int to)
{
    gr_node node;
    int rc;
    do {
        rc = gr_node_connect(n->self[from], n->address[to], LONG_MS, &node);
    } while (rc == GR_ENOCONN || rc == GR_EEXIST);
    assert_int_equal(rc, 0);
}

static void
a_lost_nodes_members_leave_and_its_next_life_joins_anew(void **state)
{
    nodes *n = *state;
    static known k;
    enum { EACH = 20 };
    k.n = 0;
    gr_actor *a = start_node(n, 0, "a");
    watch(a, "g");
    const gr_pid own = spawn_member(a, "g");
    wait_known(a, &k, 1);
    for (int life = 0; life < 4; life++) {
        gr_actor *b = start_node(n, 1, "b");
        gr_pid pids[EACH];
        for (int i = 0; i < EACH; i++) {
            pids[i] = spawn_member(b, "g");
        }
        join_again(n, life % 2, 1 - life % 2);
        wait_known(a, &k, 1 + EACH);
        for (int i = 0; i < EACH; i++) {
            assert_true(knows(&k, pids[i])); /* and so none of before */
        }
        if (life % 2 == 0) {
            assert_int_equal(gr_node_disconnect(a, gr_system_node(n->sys[1])),
                             0);
            wait_known(a, &k, 1); /* those of a lost node leave */
            join_again(n, 0, 1);
            wait_known(a, &k, 1 + EACH);
        }
        stop_node(n, 1);
        wait_known(a, &k, 1);
        assert_true(knows(&k, own));
    }
    assert_int_equal(count(a, "g"), 1);
}

/* Each side keeps its own members and loses the other's; then both are joined
 * again. */
static void a_partition_heals(void **state)
{
    nodes *n = *state;
    static known k[2];
    memset(k, 0, sizeof k);
    gr_actor *a = start_node(n, 0, "a");
    gr_actor *b = start_node(n, 1, "b");
    watch(a, "g");
    watch(b, "g");
    (void)spawn_member(a, "g");
    (void)spawn_member(b, "g");
    for (int round = 0; round < 10; round++) {
        join_again(n, 0, 1);
        const gr_node node = gr_system_node(n->sys[1]);
        wait_known(a, &k[0], 2 + (uint32_t)round);
        wait_known(b, &k[1], 2 + (uint32_t)round);
        assert_int_equal(gr_node_disconnect(
                             round % 2 == 0 ? a : b,
                             round % 2 == 0 ? node : gr_system_node(n->sys[0])),
                         0);
        wait_known(a, &k[0], 1 + (uint32_t)((round + 1) / 2));
        wait_known(b, &k[1], 1 + (uint32_t)(round / 2));
        (void)spawn_member(round % 2 == 0 ? a : b, "g");
        wait_known(round % 2 == 0 ? a : b, &k[round % 2],
                   2 + (uint32_t)(round / 2));
    }
}

/* More groups, and more members, than are told at once; and changes meanwhile.
 */
static void much_is_told_in_steps(void **state)
{
    nodes *n = *state;
    static known k;
    enum { GROUPS = 400, MANY = 2500 };
    char name[32];
    k.n = 0;
    gr_actor *a = start_node(n, 0, "a");
    gr_actor *b = start_node(n, 1, "b");
    for (int i = 0; i < GROUPS; i++) {
        (void)snprintf(name, sizeof name, "group %d", i);
        assert_int_equal(gr_group_join(b, name), 0);
    }
    for (int i = 0; i < MANY; i++) {
        (void)spawn_member(b, "g");
    }
    (void)join(n, 0, 1);
    for (int i = 0; i < GROUPS; i += 2) {
        (void)snprintf(name, sizeof name, "group %d", i);
        assert_int_equal(gr_group_leave(b, name), 0);
    }
    watch(a, "g");
    wait_known(a, &k, MANY);
    for (int i = 0; i < GROUPS; i++) {
        (void)snprintf(name, sizeof name, "group %d", i);
        watch(a, name);
        k.n = 0;
        do {
            wait_known(a, &k, (uint32_t)(i % 2));
        } while (count(a, name) != i % 2); /* it was not told of it yet */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(members_of_all_nodes_are_known_to_all),
        ON_BOTH(changes_are_told),
        ON_BOTH(what_is_published_comes_to_all_nodes_once),
        ON_IPC(one_member_of_any_node_is_sent_to),
        ON_BOTH(a_lost_nodes_members_leave_and_its_next_life_joins_anew),
        ON_BOTH(a_partition_heals),
        ON_IPC(much_is_told_in_steps),
    };
    return cmocka_run_group_tests_name("patterns/groups_nodes", tests, NULL,
                                       NULL);
}
