/*
 * tests/transport/papers.h - two nodes in this process with their logs, over
 * loopback, and what each shows the other.
 */
#ifndef TESTS_TRANSPORT_PAPERS_H
#define TESTS_TRANSPORT_PAPERS_H

#include "tests/transport/certificates.h"
#include "tests/transport/said.h"

#define OWN_SECRET "the secret of this one alone"
#define PLACE      "tls+tcp://127.0.0.1:0"

static said logs[2];
static papers node_papers, alice_papers, mallory_papers;

static inline int setup(void **state)
{
    said_init(&logs[0]);
    said_init(&logs[1]);
    node_papers = papers_of("node", "ours");
    alice_papers = papers_of("alice", "ours");
    mallory_papers = papers_of("mallory", "theirs");
    return setup_ipc(state);
}

static inline int teardown(void **state)
{
    int rc = teardown_nodes(state);
    said_fini(&logs[0]);
    said_fini(&logs[1]);
    return rc;
}

static inline gr_node_opts with(const char *name, const papers *p,
                                const char *secret)
{
    gr_node_opts opts = {.name = name,
                         .certificate_file = p->certificate,
                         .key_file = p->key,
                         .authority_file = p->authority};
    if (secret != NULL) {
        opts.secret = bytes_of(secret);
    }
    return opts;
}

static inline void listen_with(nodes *n, const gr_node_opts *opts)
{
    gr_node_opts as = *opts;
    as.listen = as.listen == NULL ? PLACE : as.listen;
    assert_int_equal(start_as(n, 0, &as, &logs[0]), 0);
    assert_int_equal(strncmp(n->address[0], as.listen, strlen(as.listen) - 1),
                     0);
}

/* A second node, which does not listen. */
static inline void begin_with(nodes *n, const gr_node_opts *opts)
{
    gr_actor *self = start_system_with_log(n, 1, &logs[1]);
    assert_int_equal(gr_node_start(self, opts), 0);
}

/* Dials the first as `whom` ("localhost", "node@127.0.0.1"). */
static inline int dial(nodes *n, const char *whom, gr_node *out)
{
    char address[128];
    (void)snprintf(address, sizeof address, "tls+tcp://%s%s", whom,
                   strrchr(n->address[0], ':'));
    return gr_node_connect(n->self[1], address, LONG_MS, out);
}

static inline int meet(nodes *n, const gr_node_opts *node,
                       const gr_node_opts *other, const char *whom)
{
    gr_node out;
    listen_with(n, node);
    begin_with(n, other);
    return dial(n, whom, &out);
}

#define WITH_LOGS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif /* TESTS_TRANSPORT_PAPERS_H */
