/*
 * Goal:   what a certificate proves: a listed name, a host; to whoever listens
 *         and whoever dials, by OpenSSL or by NNG.
 * Method: two nodes in this process with their logs, over loopback, and
 *         certificates that are made for the test.
 */
#include "tests/transport/papers.h"

#include "transport/tls_nng.h"

/* ---- whom it is for ------------------------------------------------------ */

static void host_may_be_a_number(void **state)
{
    gr_node out;
    nodes *n = *state;
    make_certificate_of("numbered", "node", "DNS:node,IP:127.0.0.1", "ours");
    const papers p = papers_of("numbered", "ours");
    gr_node_opts node = with("node", &p, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    node.listen = "tls+tcp://0.0.0.0:0";
    assert_int_equal(meet(n, &node, &alice, "127.0.0.1"), 0);
    stop_node(n, 1);
    begin_with(n, &alice);
    /* Of no other host, and of no node of that name. */
    assert_int_equal(dial(n, "127.0.0.2", &out), GR_EDENIED);
    assert_int_equal(dial(n, "127.0.0.1@127.0.0.1", &out), GR_EDENIED);
}

/* A listener at a host's name is NNG's, and understands who is not. */
static void nng_and_openssl_understand_each_other(void **state)
{
    nodes *n = *state;
    gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    node.listen = "tls+tcp://localhost:0";
    assert_int_equal(meet(n, &node, &alice, "node@127.0.0.1"), 0);
    assert_serves(n, 1, spawn_sink(n, 0));
    assert_serves(n, 0, spawn_sink(n, 1));
}

/* ---- rights by certificate ----------------------------------------------- */

static const char *const few[] = {"front", NULL};

static void certificate_proves_a_listed_name_to_who_dials(void **state)
{
    nodes *n = *state;
    gr_node out;
    gr_pid pid;
    const gr_peer_rights rights = {.names = few};
    const gr_peer_opts peers[] = {{.name = "node", .rights = &rights},
                                  {.name = NULL}};
    const gr_node_opts node = with("node", &node_papers, SECRET);
    gr_node_opts alice = with("alice", &alice_papers, SECRET);
    alice.peers = peers;
    assert_int_equal(meet(n, &node, &alice, "node@127.0.0.1"), 0);
    out = gr_system_node(n->sys[1]);
    assert_int_equal(gr_whereis(n->self[0], out, "back", &pid), GR_EDENIED);
    assert_int_equal(gr_whereis(n->self[0], out, "front", &pid), GR_ENOENT);
}

/* A host by its name is for NNG, which may not tell more than that the
 * certificate is the host's. */
static void listed_name_needs_its_certificate(void **state)
{
    nodes *n = *state;
    const gr_peer_opts peers[] = {{.name = "node"}, {.name = NULL}};
    const gr_node_opts node = with("node", &node_papers, SECRET);
    gr_node_opts alice = with("alice", &alice_papers, SECRET);
    alice.peers = peers;
    const int rc = meet(n, &node, &alice, "localhost");
    assert_int_equal(rc, gri_tls_nng_tells_names() ? 0 : GR_EDENIED);
    if (rc < 0) {
        said_await(&logs[1], "no certificate is seen to be for its name: dial "
                             "it at tls+tcp://NAME@HOST");
    }
}

/* Where there is no TLS nothing shows it either. */
static void listed_name_is_not_believed_without_tls(void **state)
{
    nodes *n = *state;
    gr_node out;
    const gr_peer_opts peers[] = {{.name = "node"}, {.name = NULL}};
    gr_node_opts alice = with("alice", &alice_papers, SECRET);
    alice.peers = peers;
    const gr_node_opts node = {.name = "node", .secret = bytes_of(SECRET)};
    assert_int_equal(start_as(n, 0, &node, &logs[0]), 0);
    begin_with(n, &alice);
    assert_int_equal(gr_node_connect(n->self[1], n->address[0], LONG_MS, &out),
                     GR_EDENIED);
    said_await(&logs[1], "no certificate is seen to be for its name");
    said_await(&logs[0], "refused: the certificate is not for this node's");
}

static void listener_knows_names_by_certificate(void **state)
{
    nodes *n = *state;
    const gr_peer_opts peers[] = {{.name = "alice"}, {.name = NULL}};
    gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    node.peers = peers;
    assert_int_equal(meet(n, &node, &alice, "node@127.0.0.1"), 0);
    stop_node(n, 1);
    const gr_node_opts liar = with("alice", &node_papers, SECRET);
    begin_with(n, &liar);
    gr_node out;
    assert_int_equal(dial(n, "node@127.0.0.1", &out), GR_EDENIED);
    said_await(&logs[0], "its certificate is not for the name that it claims");
}

static void listener_by_name_does_if_nng_tells(void **state)
{
    nodes *n = *state;
    char line[128];
    const gr_peer_opts peers[] = {{.name = "alice"}, {.name = NULL}};
    gr_node_opts node = with("node", &node_papers, SECRET);
    node.peers = peers;
    node.listen = "tls+tcp://localhost:0";
    gr_actor *self = start_system_with_log(n, 0, &logs[0]);
    const int rc = gr_node_start(self, &node);
    if (gri_tls_nng_tells_names()) {
        assert_int_equal(rc, 0);
        return;
    }
    assert_int_equal(rc, GR_ENOTSUP);
    (void)snprintf(line, sizeof line,
                   "NNG %s does not tell who listens for whom a certificate is "
                   "(1.6 does), so alice, who has",
                   nng_version());
    said_await(&logs[0], line);
    /* With a secret of its own it needs no certificate for its name. */
    const gr_peer_opts with_secret[] = {
        {.name = "alice", .secret = bytes_of(OWN_SECRET)}, {.name = NULL}};
    node.peers = with_secret;
    assert_int_equal(gr_node_start(self, &node), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOGS(host_may_be_a_number),
        WITH_LOGS(nng_and_openssl_understand_each_other),
        WITH_LOGS(certificate_proves_a_listed_name_to_who_dials),
        WITH_LOGS(listed_name_needs_its_certificate),
        WITH_LOGS(listed_name_is_not_believed_without_tls),
        WITH_LOGS(listener_knows_names_by_certificate),
        WITH_LOGS(listener_by_name_does_if_nng_tells),
    };
    return cmocka_run_group_tests_name("transport/certified", tests,
                                       make_certificates, remove_certificates);
}
