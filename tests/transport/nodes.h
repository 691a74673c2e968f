/*
 * tests/transport/nodes.h - nodes to test: several systems in this process,
 * each with the test's thread attached to it, joined by real sockets, or within
 * the process.
 */
#ifndef TESTS_TRANSPORT_NODES_H
#define TESTS_TRANSPORT_NODES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <greenroom/greenroom.h>

/* Longer than anything may take on a busy machine: a hang, not a bound. */
#define LONG_MS 60000
#define SECRET  "the secret of these tests"

enum { NODES_MAX = 4 };

typedef struct nodes {
    const char *scheme;
    char folder[64];
    gr_system *sys[NODES_MAX];
    gr_actor *self[NODES_MAX]; /* the test's thread in each */
    char address[NODES_MAX][128];
} nodes;

static inline gr_bytes bytes_of(const char *text)
{
    return (gr_bytes){text, (uint32_t)strlen(text)};
}

/* A system that is no node yet. */
static inline gr_actor *start_system(nodes *n, int i)
{
    const gr_system_opts opts = {.workers = 2, .log_level = GR_LOG_ERROR};
    assert_int_equal(gr_system_start(&opts, &n->sys[i]), 0);
    assert_int_equal(gr_thread_attach(n->sys[i], NULL, &n->self[i]), 0);
    return n->self[i];
}

/* Where node i listens; port 0. */
static inline void place(nodes *n, int i, char *buf, size_t size)
{
    if (strcmp(n->scheme, "ipc") == 0) {
        (void)snprintf(buf, size, "ipc://%s/%d", n->folder, i);
    } else if (strcmp(n->scheme, "local") == 0) {
        (void)snprintf(buf, size, "local://%s.%d", strrchr(n->folder, '/') + 1,
                       i);
    } else {
        (void)snprintf(buf, size, "tcp://127.0.0.1:0");
    }
}

/* A listening node, with what opts say beyond that. */
static inline gr_actor *start_node_with(nodes *n, int i, const char *name,
                                        const gr_node_opts *more)
{
    gr_node_opts opts = more != NULL ? *more : (gr_node_opts){.name = NULL};
    char listen[128];
    gr_actor *self = start_system(n, i);
    place(n, i, listen, sizeof listen);
    opts.name = name;
    opts.listen = listen;
    if (opts.secret.ptr == NULL) {
        opts.secret = bytes_of(SECRET);
    }
    assert_int_equal(gr_node_start(self, &opts), 0);
    assert_int_equal(gr_node_address(self, n->address[i], sizeof n->address[i]),
                     0);
    return self;
}

static inline gr_actor *start_node(nodes *n, int i, const char *name)
{
    return start_node_with(n, i, name, NULL);
}

static inline void stop_node(nodes *n, int i)
{
    if (n->sys[i] != NULL) {
        gr_thread_detach(n->self[i], 0);
        assert_int_equal(gr_system_stop(n->sys[i], LONG_MS), 0);
        n->sys[i] = NULL;
    }
}

static inline gr_node join(nodes *n, int from, int to)
{
    gr_node node;
    assert_int_equal(
        gr_node_connect(n->self[from], n->address[to], LONG_MS, &node), 0);
    assert_int_equal(node.id, gr_system_node(n->sys[to]).id);
    return node;
}

static inline int setup_nodes(void **state, const char *scheme)
{
    nodes *n = calloc(1, sizeof *n);
    if (n == NULL) {
        return -1;
    }
    n->scheme = scheme;
    (void)snprintf(n->folder, sizeof n->folder, "/tmp/gr-nodes-XXXXXX");
    *state = n;
    return mkdtemp(n->folder) != NULL ? 0 : -1;
}

static inline int setup_ipc(void **state)
{
    return setup_nodes(state, "ipc");
}

static inline int setup_tcp(void **state)
{
    return setup_nodes(state, "tcp");
}

static inline int setup_local(void **state)
{
    return setup_nodes(state, "local");
}

static inline int teardown_nodes(void **state)
{
    nodes *n = *state;
    for (int i = 0; i < NODES_MAX; i++) {
        stop_node(n, i);
    }
    int rc = rmdir(n->folder); /* no socket is left */
    free(n);
    return rc;
}

/* Each test on both kinds of socket. */
#define ON_BOTH(test)                                                          \
    cmocka_unit_test_setup_teardown(test, setup_ipc, teardown_nodes),          \
        cmocka_unit_test_setup_teardown(test, setup_tcp, teardown_nodes)
/* And within the process. */
#define ON_ALL(test)                                                           \
    ON_BOTH(test),                                                             \
        cmocka_unit_test_setup_teardown(test, setup_local, teardown_nodes)
#define ON_IPC(test)                                                           \
    cmocka_unit_test_setup_teardown(test, setup_ipc, teardown_nodes)

static inline const gr_msg *next(gr_actor *self)
{
    const gr_msg *msg = NULL;
    assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
    return msg;
}

/* The next message is about that node. */
static inline int expect_node(gr_actor *self, const char *name, bool up)
{
    bool is_up = !up;
    gr_str called = {"", 0};
    int reason = 1;
    const gr_msg *msg = next(self);
    assert_true(gr_match_node(msg, &is_up, NULL, &called, &reason));
    assert_int_equal(is_up, up);
    assert_int_equal(called.len, strlen(name));
    assert_memory_equal(called.ptr, name, called.len);
    return reason;
}

/* ---- an actor that answers ----------------------------------------------- */

static inline int sink_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_pid pid;
    if (gr_match(msg, "link", &pid)) {
        GR_TRY(gr_link(self, pid));
        return gr_reply(self, msg, "ok");
    }
    if (gr_match(msg, "ping")) {
        return gr_reply(self, msg, "pong");
    }
    if (gr_match(msg, "hold")) {
        return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
    }
    return 0;
}

static const gr_behavior sink = {.name = "sink", .receive = sink_receive};

static inline gr_pid spawn_sink(nodes *n, int i)
{
    gr_pid pid;
    assert_int_equal(gr_spawn(n->self[i], &sink, NULL, &pid), 0);
    return pid;
}

static inline void assert_serves(nodes *n, int from, gr_pid pid)
{
    assert_int_equal(
        gr_call(n->self[from], pid, LONG_MS, gr_expect("pong"), "ping"), 0);
}

#endif /* TESTS_TRANSPORT_NODES_H */
