/*
 * Goal:   nodes become peers as node.h promises: one connection a pair, one
 *         name a node, every refusal with its own error; watchers are told.
 * Method: systems in this process, joined by sockets; every wait is for a
 *         message.
 */
#include "tests/transport/nodes.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* ---- starting ------------------------------------------------------------ */

static void start_checks_what_it_is_given(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_system(n, 0);
    char long_name[GR_NODE_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    const gr_bytes secret = bytes_of(SECRET);
    const struct {
        gr_node_opts opts;
        int rc;
    } rows[] = {
        {{.secret = secret}, GR_EINVAL},
        {{.name = "", .secret = secret}, GR_EINVAL},
        {{.name = long_name, .secret = secret}, GR_EINVAL},
        {{.name = "two\nlines", .secret = secret}, GR_EINVAL},
        {{.name = "x"}, GR_EINVAL},
        {{.name = "x", .secret = bytes_of("fifteen bytes..")}, GR_EINVAL},
        {{.name = "x", .secret = secret, .secret_file = "/dev/null"},
         GR_EINVAL},
        {{.name = "x", .secret = secret, .heartbeat_ms = -1}, GR_EINVAL},
        {{.name = "x", .secret = secret, .silence_ms = -1}, GR_EINVAL},
        {{.name = "x", .secret = secret, .listen = "nonsense"}, GR_EADDRESS},
        {{.name = "x",
          .secret = secret,
          .listen = "tcp://192.0.2.1:0",
          .insecure_listen = true},
         GR_EADDRESS}, /* not an address of this host */
        {{.name = "x", .secret = secret, .listen = "ipc:///no/such/folder/s"},
         GR_EADDRESS},
        {{.name = "x", .secret_file = "/no/such/file"}, GR_ENOENT},
        {{.name = "x", .secret_file = "/tmp"}, GR_EDENIED},
    };
    assert_int_equal(gr_node_start(self, NULL), GR_EINVAL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int rc = gr_node_start(self, &rows[i].opts);
        if (rc != rows[i].rc) {
            fail_msg("row %zu: %s", i, gr_errname(rc));
        }
    }
    /* After all those failures it can still become one, once. */
    const gr_node_opts good = {.name = "x", .secret = secret};
    assert_int_equal(gr_node_start(self, &good), 0);
    assert_int_equal(gr_node_start(self, &good), GR_EINVAL);
}

static void secret_file_is_its_owners_alone(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_system(n, 0);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/secret", n->folder);
    const gr_node_opts opts = {.name = "x", .secret_file = path};
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "0123456789abcde\n", 16), 16);

    assert_int_equal(gr_node_start(self, &opts), GR_EINVAL); /* 15 bytes */
    assert_int_equal(write(fd, "f\n", 2), 2);
    assert_int_equal(fchmod(fd, 0640), 0);
    assert_int_equal(gr_node_start(self, &opts), GR_EDENIED);
    assert_int_equal(fchmod(fd, 0604), 0);
    assert_int_equal(gr_node_start(self, &opts), GR_EDENIED);
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(gr_node_start(self, &opts), 0);

    (void)close(fd);
    assert_int_equal(unlink(path), 0);
}

static void file_and_memory_hold_the_same_secret(void **state)
{
    nodes *n = *state;
    gr_node node;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/secret", n->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, SECRET "\n", strlen(SECRET) + 1),
                     strlen(SECRET) + 1);
    (void)close(fd);
    start_node(n, 0, "memory");
    start_system(n, 1);
    assert_int_equal(
        gr_node_start(n->self[1],
                      &(gr_node_opts){.name = "file", .secret_file = path}),
        0);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(gr_node_connect(n->self[1], n->address[0], LONG_MS, &node),
                     0);
}

static void what_needs_a_node_says_so(void **state)
{
    nodes *n = *state;
    gr_actor *self = start_system(n, 0);
    gr_node node;
    char buf[8];
    assert_int_equal(gr_node_connect(self, "tcp://127.0.0.1:1", 1, &node),
                     GR_EINVAL);
    assert_int_equal(gr_watch_nodes(self, true), GR_EINVAL);
    assert_int_equal(gr_node_find(self, "x", &node), GR_ENOENT);
    assert_int_equal(gr_node_address(self, buf, sizeof buf), GR_ENOENT);
    assert_int_equal(gr_node_disconnect(self, (gr_node){1}), GR_ENOCONN);
    assert_int_equal(gr_node_name(self, (gr_node){1}, buf, sizeof buf),
                     GR_ENOCONN);
}

static void node_without_a_place_does_not_listen(void **state)
{
    nodes *n = *state;
    char buf[8];
    gr_actor *self = start_system(n, 0);
    assert_int_equal(
        gr_node_start(
            self, &(gr_node_opts){.name = "quiet", .secret = bytes_of(SECRET)}),
        0);
    assert_int_equal(gr_node_address(self, buf, sizeof buf), GR_ENOENT);
}

/* ---- connecting ---------------------------------------------------------- */

static void connected_nodes_know_each_other(void **state)
{
    nodes *n = *state;
    gr_node node;
    char buf[64], small[3];
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    gr_node two = join(n, 0, 1);

    assert_int_equal(gr_node_find(n->self[0], "two", &node), 0);
    assert_int_equal(node.id, two.id);
    assert_int_equal(gr_node_find(n->self[1], "one", &node), 0);
    assert_int_equal(node.id, gr_system_node(n->sys[0]).id);
    assert_int_equal(gr_node_name(n->self[0], two, buf, sizeof buf), 0);
    assert_string_equal(buf, "two");
    assert_int_equal(gr_node_name(n->self[0], two, small, sizeof small),
                     GR_ETOOBIG);
    assert_int_equal(gr_node_name(n->self[0], GR_HERE, buf, sizeof buf), 0);
    assert_string_equal(buf, "one");
    assert_int_equal(gr_node_find(n->self[0], "three", &node), GR_ENOENT);
    assert_int_equal(
        gr_node_name(n->self[0], (gr_node){two.id + 1}, buf, sizeof buf),
        GR_ENOCONN);
}

static void connecting_again_gives_the_same_node(void **state)
{
    nodes *n = *state;
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    gr_pid pid = spawn_sink(n, 1);
    gr_ref ref;
    (void)join(n, 0, 1);
    assert_int_equal(gr_monitor(n->self[0], pid, &ref), 0);
    assert_int_equal(gr_watch_nodes(n->self[0], true), 0);
    assert_int_equal(expect_node(n->self[0], "two", true), 0);

    (void)join(n, 0, 1);
    (void)join(n, 1, 0);

    /* and nothing was lost over it */
    assert_serves(n, 0, pid);
    const gr_msg *msg;
    assert_int_equal(gr_receive(n->self[0], 0, &msg), GR_ETIMEOUT);
}

static void failures_to_connect_have_their_errors(void **state)
{
    nodes *n = *state;
    gr_node node;
    start_node(n, 0, "one");
    start_node_with(n, 1, "two",
                    &(gr_node_opts){.secret = bytes_of("another secret!!")});
    start_node(n, 2, "one"); /* the name of node 0 */
    gr_actor *self = n->self[0];

    assert_int_equal(gr_node_connect(self, "nonsense", LONG_MS, &node),
                     GR_EADDRESS);
    assert_int_equal(gr_node_connect(self, NULL, LONG_MS, &node), GR_EADDRESS);
    assert_int_equal(
        gr_node_connect(self, "ipc:///no/such/socket", LONG_MS, &node),
        GR_ENOCONN);
    assert_int_equal(gr_node_connect(self, n->address[0], LONG_MS, &node),
                     GR_EEXIST); /* itself */
    assert_int_equal(gr_node_connect(self, n->address[1], LONG_MS, &node),
                     GR_EDENIED);
    assert_int_equal(gr_node_connect(n->self[1], n->address[0], LONG_MS, &node),
                     GR_EDENIED);
    assert_int_equal(gr_node_connect(self, n->address[2], LONG_MS, &node),
                     GR_EEXIST);
    assert_int_equal(gr_node_connect(self, n->address[2], -7, &node),
                     GR_EINVAL);
    stop_node(n, 1);
    assert_int_equal(gr_node_connect(self, n->address[1], LONG_MS, &node),
                     GR_ENOCONN);
}

static void nobody_who_answers_is_a_timeout(void **state)
{
    nodes *n = *state;
    gr_node node;
    int fd = -1;
    start_node(n, 0, "one");
    /* A socket that is listened on, but never accepted from. */
    char path[100];
    (void)snprintf(path, sizeof path, "%s/deaf", n->folder);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    memcpy(sa.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(fd, 1), 0);
    char address[160];
    (void)snprintf(address, sizeof address, "ipc://%s", path);

    assert_int_equal(gr_node_connect(n->self[0], address, 50, &node),
                     GR_ETIMEOUT);
    assert_int_equal(gr_node_connect(n->self[0], address, 0, &node),
                     GR_ETIMEOUT);

    (void)close(fd);
    assert_int_equal(unlink(path), 0);
}

static void name_is_one_nodes_at_a_time(void **state)
{
    nodes *n = *state;
    gr_node node;
    start_node(n, 0, "hub");
    start_node(n, 1, "twin");
    start_node(n, 2, "twin");
    gr_pid pid = spawn_sink(n, 1);
    (void)join(n, 1, 0);

    /* The first lives, and shows it. */
    assert_int_equal(gr_node_connect(n->self[2], n->address[0], LONG_MS, &node),
                     GR_EEXIST);
    assert_int_equal(gr_node_connect(n->self[0], n->address[2], LONG_MS, &node),
                     GR_EEXIST);

    assert_serves(n, 0, pid);
    stop_node(n, 1);
    (void)join(n, 2, 0);
}

static void peers_have_a_limit(void **state)
{
    nodes *n = *state;
    gr_node node;
    start_node_with(n, 0, "hub", &(gr_node_opts){.peers_max = 1});
    start_node(n, 1, "a");
    start_node(n, 2, "b");
    (void)join(n, 1, 0);

    assert_int_equal(gr_node_connect(n->self[2], n->address[0], LONG_MS, &node),
                     GR_ELIMIT);
    assert_int_equal(gr_node_connect(n->self[0], n->address[2], LONG_MS, &node),
                     GR_ELIMIT);
    (void)join(n, 1, 0); /* is one of them */
    stop_node(n, 1);
    (void)join(n, 2, 0);
}

static int handler_connects(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_node node;
    (void)state;
    return gr_reply(self, msg, "rc",
                    gr_node_connect(self, "tcp://127.0.0.1:1", 1, &node));
}

static void handlers_do_not_wait_for_a_connection(void **state)
{
    static const gr_behavior impatient = {.name = "impatient",
                                          .receive = handler_connects};
    nodes *n = *state;
    gr_pid pid;
    int rc = 0;
    start_node(n, 0, "one");
    assert_int_equal(gr_spawn(n->self[0], &impatient, NULL, &pid), 0);
    assert_int_equal(
        gr_call(n->self[0], pid, LONG_MS, gr_expect("rc", &rc), "go"), 0);
    assert_int_equal(rc, GR_ENOTSUP);
}

/* Dials from a thread of its own. */
typedef struct dialer {
    gr_system *sys;
    const char *address;
    int rc;
    gr_node node;
} dialer;

static void *run_dialer(void *arg)
{
    dialer *d = arg;
    gr_actor *self = NULL;
    d->rc = gr_thread_attach(d->sys, NULL, &self);
    if (d->rc == 0) {
        d->rc = gr_node_connect(self, d->address, LONG_MS, &d->node);
        gr_thread_detach(self, 0);
    }
    return NULL;
}

static void simultaneous_dials_make_one_connection(void **state)
{
    enum { ROUNDS = 30, EACH = 3 };
    nodes *n = *state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t thread[2 * EACH];
        dialer d[2 * EACH];
        start_node(n, 0, "one");
        start_node(n, 1, "two");
        assert_int_equal(gr_watch_nodes(n->self[0], true), 0);
        assert_int_equal(gr_watch_nodes(n->self[1], true), 0);

        for (int i = 0; i < 2 * EACH; i++) {
            d[i] = (dialer){.sys = n->sys[i % 2],
                            .address = n->address[1 - i % 2]};
            assert_int_equal(
                pthread_create(&thread[i], NULL, run_dialer, &d[i]), 0);
        }
        for (int i = 0; i < 2 * EACH; i++) {
            assert_int_equal(pthread_join(thread[i], NULL), 0);
            if (d[i].rc != 0) {
                fail_msg("round %d: %s", round, gr_errname(d[i].rc));
            }
            assert_int_equal(d[i].node.id,
                             gr_system_node(n->sys[1 - i % 2]).id);
        }

        /* Each side saw one node come, and none go. */
        const gr_msg *msg;
        assert_int_equal(expect_node(n->self[0], "two", true), 0);
        assert_int_equal(expect_node(n->self[1], "one", true), 0);
        assert_serves(n, 0, spawn_sink(n, 1));
        assert_serves(n, 1, spawn_sink(n, 0));
        assert_int_equal(gr_receive(n->self[0], 0, &msg), GR_ETIMEOUT);
        assert_int_equal(gr_receive(n->self[1], 0, &msg), GR_ETIMEOUT);
        stop_node(n, 0);
        stop_node(n, 1);
    }
}

/* ---- watching ------------------------------------------------------------ */

/* ---- one node by many addresses ------------------------------------------ */

enum { ADDRESSES = 8 };

struct many {
    gr_pid tester;
    gr_node node; /* the first answer */
    unsigned answers;
};

static int on_one_of_many(gr_actor *self, void *state, const gr_msg *msg)
{
    struct many *m = state;
    gr_node node;
    if (!gr_match(msg, "node", &node) ||
        (m->answers > 0 && node.id != m->node.id)) {
        gr_tell(self, m->tester, "wrong", gr_msg_status(msg));
        return 0;
    }
    m->node = node;
    if (++m->answers == ADDRESSES) {
        gr_tell(self, m->tester, "one", node);
    }
    return 0;
}

static int many_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct many *m = state;
    int port;
    if (!gr_match(msg, "port", &port)) {
        return gr_unhandled(self, msg);
    }
    m->tester = gr_sender(msg);
    for (int i = 0; i < ADDRESSES; i++) {
        char address[64];
        (void)snprintf(address, sizeof address, "tcp://127.0.0.%d:%d", i + 1,
                       port);
        GR_TRY(gr_ask(self, gr_node_agent(gr_system_node(gr_system_of(self))),
                      LONG_MS, gr_then(on_one_of_many, 1), "gr.connect",
                      address, (int64_t)LONG_MS));
    }
    return 0;
}

static const gr_behavior many = {
    .name = "many", .state_size = sizeof(struct many), .receive = many_receive};

/* Whichever dial is the first to learn who is at its other end, the others wait
 * for that one, and all get the same connection. */
static void dials_of_one_node_by_many_addresses_are_one(void **state)
{
    nodes *n = *state;
    gr_pid pid;
    gr_node node;
    gr_node list[2];
    gr_actor *self = start_node(n, 0, "alice");
    const gr_node_opts opts = {.name = "bob",
                               .listen = "tcp://0.0.0.0:0",
                               .insecure_listen = true,
                               .secret = bytes_of(SECRET)};
    start_system(n, 1);
    assert_int_equal(gr_node_start(n->self[1], &opts), 0);
    assert_int_equal(
        gr_node_address(n->self[1], n->address[1], sizeof n->address[1]), 0);
    const long port = strtol(strrchr(n->address[1], ':') + 1, NULL, 10);
    assert_int_equal(gr_spawn(self, &many, NULL, &pid), 0);

    assert_int_equal(gr_send(self, pid, "port", (int)port), 0);

    assert_true(gr_match(next(self), "one", &node));
    assert_int_equal(node.id, gr_system_node(n->sys[1]).id);
    assert_int_equal(gr_node_list(self, list, 2), 1);
    assert_serves(n, 0, spawn_sink(n, 1));
}

static void watchers_hear_of_who_is_here_and_who_comes_and_goes(void **state)
{
    nodes *n = *state;
    const gr_msg *msg;
    start_node(n, 0, "hub");
    start_node(n, 1, "a");
    start_node(n, 2, "b");
    (void)join(n, 1, 0);

    assert_int_equal(gr_watch_nodes(n->self[0], true), 0);
    assert_int_equal(expect_node(n->self[0], "a", true), 0);
    (void)join(n, 2, 0);
    assert_int_equal(expect_node(n->self[0], "b", true), 0);
    stop_node(n, 1);
    assert_int_equal(expect_node(n->self[0], "a", false), 0); /* goodbye */

    assert_int_equal(gr_watch_nodes(n->self[0], false), 0);
    /* The agent has heard that before it answers this. */
    assert_int_equal(gr_call(n->self[0],
                             gr_node_agent(gr_system_node(n->sys[0])), LONG_MS,
                             gr_expect("pong"), "ping"),
                     0);
    stop_node(n, 2);
    gr_node none;
    while (gr_node_find(n->self[0], "b", &none) == 0) {
        assert_int_equal(gr_sleep(n->self[0], 1), 0);
    }
    assert_int_equal(gr_receive(n->self[0], 0, &msg), GR_ETIMEOUT);
}

static void nobody_else_can_make_such_a_message(void **state)
{
    nodes *n = *state;
    start_node(n, 0, "one");
    start_node(n, 1, "two");
    (void)join(n, 0, 1);
    gr_node fake = {7};
    assert_int_equal(gr_send(n->self[0], gr_self(n->self[0]), "gr.node",
                             gr_bool(true), fake, "fake", 0),
                     0);
    assert_false(gr_match_node(next(n->self[0]), NULL, NULL, NULL, NULL));
    assert_int_equal(gr_send(n->self[1], gr_self(n->self[0]), "gr.node",
                             gr_bool(true), fake, "fake", 0),
                     0);
    assert_false(gr_match_node(next(n->self[0]), NULL, NULL, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(start_checks_what_it_is_given),
        ON_IPC(secret_file_is_its_owners_alone),
        ON_IPC(file_and_memory_hold_the_same_secret),
        ON_IPC(what_needs_a_node_says_so),
        ON_IPC(node_without_a_place_does_not_listen),
        ON_BOTH(connected_nodes_know_each_other),
        ON_BOTH(connecting_again_gives_the_same_node),
        ON_BOTH(failures_to_connect_have_their_errors),
        ON_IPC(nobody_who_answers_is_a_timeout),
        ON_BOTH(name_is_one_nodes_at_a_time),
        ON_BOTH(peers_have_a_limit),
        ON_IPC(handlers_do_not_wait_for_a_connection),
        ON_BOTH(simultaneous_dials_make_one_connection),
        cmocka_unit_test_setup_teardown(
            dials_of_one_node_by_many_addresses_are_one, setup_tcp,
            teardown_nodes),
        ON_BOTH(watchers_hear_of_who_is_here_and_who_comes_and_goes),
        ON_IPC(nobody_else_can_make_such_a_message),
    };
    return cmocka_run_group_tests_name("transport/meeting", tests, NULL, NULL);
}
