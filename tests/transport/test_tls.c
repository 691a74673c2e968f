/*
 * Goal:   nodes that show each other good certificates talk over TLS, with a
 *         secret, with secrets of their own, or without; and each way in which
 *         that fails is told to both sides.
 * Method: two nodes in this process with their logs, over loopback, and
 *         certificates that are made for the test.
 */
#include "tests/transport/papers.h"

/* ---- what works ---------------------------------------------------------- */

static void good_certificates_and_a_secret_join_two_nodes(void **state)
{
    nodes *n = *state;
    const gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    assert_int_equal(meet(n, &node, &alice, "node@127.0.0.1"), 0);
    assert_serves(n, 1, spawn_sink(n, 0));
    assert_serves(n, 0, spawn_sink(n, 1));
}

static void host_may_be_what_the_certificate_is_for(void **state)
{
    const gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    assert_int_equal(meet(*state, &node, &alice, "localhost"), 0);
}

static void certificates_alone_will_do(void **state)
{
    nodes *n = *state;
    const gr_node_opts node = with("node", &node_papers, NULL);
    const gr_node_opts alice = with("alice", &alice_papers, NULL);
    assert_int_equal(meet(n, &node, &alice, "node@127.0.0.1"), 0);
    assert_serves(n, 1, spawn_sink(n, 0));
}

static void secret_of_a_name_is_asked_for_over_tls_too(void **state)
{
    const gr_peer_opts peers[] = {
        {.name = "alice", .secret = bytes_of(OWN_SECRET)}, {.name = NULL}};
    gr_node_opts node = with("node", &node_papers, SECRET);
    node.peers = peers;
    const gr_node_opts alice = with("alice", &alice_papers, OWN_SECRET);
    assert_int_equal(meet(*state, &node, &alice, "node@127.0.0.1"), 0);
}

static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_any what;
    (void)state;
    return gr_match(msg, "echo", &what) ? gr_reply(self, msg, "echo", what)
                                        : gr_unhandled(self, msg);
}

static const gr_behavior echo = {.name = "echo", .receive = echo_receive};

static void large_messages_arrive_whole(void **state)
{
    enum { SIZE = 3 << 20 };
    nodes *n = *state;
    gr_pid pid;
    gr_any back;
    const gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    assert_int_equal(meet(n, &node, &alice, "node@127.0.0.1"), 0);
    assert_int_equal(gr_spawn(n->self[0], &echo, NULL, &pid), 0);
    uint8_t *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (int i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)((unsigned)i * 2654435761u >> 24);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(gr_call(n->self[1], pid, LONG_MS,
                                 gr_expect("echo", &back), "echo",
                                 gr_bin(bytes, SIZE)),
                         0);
        assert_int_equal(back.len, SIZE + 5);
        assert_memory_equal((const uint8_t *)back.ptr + 5, bytes, SIZE);
    }
    free(bytes);
}

static void nodes_come_and_go(void **state)
{
    enum { TIMES = 50 };
    nodes *n = *state;
    gr_node out;
    const gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    listen_with(n, &node);
    for (int i = 0; i < TIMES; i++) {
        begin_with(n, &alice);
        assert_int_equal(dial(n, "node@127.0.0.1", &out), 0);
        if (i % 2 == 0) {
            assert_int_equal(gr_node_disconnect(n->self[1], out), 0);
        }
        stop_node(n, 1);
        said_forget(&logs[0]);
        said_forget(&logs[1]);
    }
}

/* ---- what does not ------------------------------------------------------- */

static const char bad_tls[] = "a certificate is wrong or missing";

static void certificate_of_another_authority_is_refused(void **state)
{
    const gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts mallory = with("alice", &mallory_papers, SECRET);
    assert_int_equal(meet(*state, &node, &mallory, "node@127.0.0.1"),
                     GR_EDENIED);
    said_await(&logs[0], bad_tls);
    said_await(&logs[1], bad_tls);
}

/* It believes the node's, but its own is of another authority. */
static void certificate_that_the_listener_does_not_know_is_refused(void **state)
{
    const gr_node_opts node = with("node", &node_papers, SECRET);
    papers mixed = mallory_papers;
    memcpy(mixed.authority, node_papers.authority, sizeof mixed.authority);
    const gr_node_opts mallory = with("alice", &mixed, SECRET);
    assert_int_equal(meet(*state, &node, &mallory, "node@127.0.0.1"),
                     GR_EDENIED);
    said_await(&logs[0], bad_tls);
    said_await(&logs[1], bad_tls);
}

static void certificate_for_another_name_is_refused(void **state)
{
    const gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    nodes *n = *state;
    gr_node out;
    assert_int_equal(meet(n, &node, &alice, "other@127.0.0.1"), GR_EDENIED);
    said_await(&logs[0], bad_tls);
    said_await(&logs[1], bad_tls);
    assert_int_equal(dial(n, "127.0.0.1", &out), GR_EDENIED); /* not for that */
    assert_int_equal(dial(n, "node@127.0.0.1", &out), 0);
}

/* The certificate is as it must be; the name in its hello is not. */
static void name_other_than_the_certificates_is_refused(void **state)
{
    const gr_node_opts liar = with("bob", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    assert_int_equal(meet(*state, &liar, &alice, "node@127.0.0.1"), GR_EDENIED);
    said_await(&logs[0],
               "refused: the certificate is not for this node's name");
    said_await(&logs[1], "its certificate is not for the name that it claims");
}

static void wrong_secret_is_refused_whatever_the_certificate(void **state)
{
    const gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, OWN_SECRET);
    assert_int_equal(meet(*state, &node, &alice, "node@127.0.0.1"), GR_EDENIED);
    said_await(&logs[0], "a stranger: the secrets differ");
    said_await(&logs[1], "refused: the secrets differ");
}

static void who_demands_a_secret_takes_no_certificate_for_it(void **state)
{
    const gr_node_opts node = with("node", &node_papers, SECRET);
    const gr_node_opts alice = with("alice", &alice_papers, NULL);
    assert_int_equal(meet(*state, &node, &alice, "node@127.0.0.1"), GR_EDENIED);
    said_await(&logs[0], "it has no secret to prove");
    said_await(&logs[1], "only one of the two nodes has a secret");
}

static void dialer_with_a_secret_demands_one_too(void **state)
{
    const gr_node_opts node = with("node", &node_papers, NULL);
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    assert_int_equal(meet(*state, &node, &alice, "node@127.0.0.1"), GR_EDENIED);
    said_await(&logs[0], "it demands a secret, and this node has none");
    said_await(&logs[1], "only one of the two nodes has a secret");
}

static void plain_connections_to_a_place_of_tls_are_refused(void **state)
{
    nodes *n = *state;
    char address[128];
    gr_node out;
    const gr_node_opts node = with("node", &node_papers, SECRET);
    listen_with(n, &node);
    start_node(n, 1, "plain");
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1%s",
                   strrchr(n->address[0], ':'));
    int rc = gr_node_connect(n->self[1], address, LONG_MS, &out);
    assert_true(rc == GR_EFORMAT || rc == GR_ENOCONN);
    said_await(&logs[0], bad_tls);
}

static void place_without_tls_is_told_from_one_with_it(void **state)
{
    nodes *n = *state;
    char address[128];
    gr_node out;
    n->scheme = "tcp";
    start_node(n, 0, "plain");
    const gr_node_opts alice = with("alice", &alice_papers, SECRET);
    begin_with(n, &alice);
    (void)snprintf(address, sizeof address, "tls+tcp://127.0.0.1%s",
                   strrchr(n->address[0], ':'));
    int rc = gr_node_connect(n->self[1], address, LONG_MS, &out);
    assert_true(rc == GR_EDENIED || rc == GR_ENOCONN);
}

/* ---- options ------------------------------------------------------------- */

static void spoil(const char *from, const char *to, const char *how)
{
    char line[512];
    (void)snprintf(line, sizeof line, "cp %s %s && %s %s", from, to, how, to);
    in_folder(line);
}

static void files_are_checked_one_by_one(void **state)
{
    static char open_key[96], half_key[96], open_ca[96], half_ca[96],
        half_cert[96], none[96], empty[96];
    nodes *n = *state;
    const struct {
        const char *name;
        char *path;
        const char *from;
        const char *how;
    } spoilt[] = {
        {"open.key", open_key, "node.key", "chmod 640"},
        {"half.key", half_key, "node.key", "truncate -s 100"},
        {"open.ca", open_ca, "ours.pem", "chmod 622"},
        {"half.ca", half_ca, "ours.pem", "truncate -s 100"},
        {"half.cert", half_cert, "node.pem", "truncate -s 100"},
        {"empty", empty, "node.pem", "truncate -s 0"},
    };
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
        spoil(spoilt[i].from, spoilt[i].name, spoilt[i].how);
        (void)snprintf(spoilt[i].path, 96, "%s/%s", certificates,
                       spoilt[i].name);
    }
    (void)snprintf(none, sizeof none, "%s/none", certificates);
    const char *c = node_papers.certificate;
    const char *k = node_papers.key;
    const char *a = node_papers.authority;
    const struct {
        const char *certificate, *key, *authority;
        int rc;
        const char *told; /* the file that is named in the log */
    } rows[] = {
        {c, k, NULL, GR_EINVAL, NULL},
        {c, NULL, a, GR_EINVAL, NULL},
        {NULL, k, a, GR_EINVAL, NULL},
        {none, k, a, GR_ENOENT, none},
        {c, none, a, GR_ENOENT, none},
        {c, k, none, GR_ENOENT, none},
        {c, open_key, a, GR_EDENIED, open_key},
        {c, k, open_ca, GR_EDENIED, open_ca},
        {c, "/tmp", a, GR_EDENIED, "/tmp"},
        {c, half_key, a, GR_EFORMAT, half_key},
        {c, c, a, GR_EFORMAT, c}, /* no key in it */
        {c, k, half_ca, GR_EFORMAT, half_ca},
        {c, k, k, GR_EFORMAT, k},
        {half_cert, k, a, GR_EFORMAT, half_cert},
        {empty, k, a, GR_EFORMAT, empty},
        {c, k, a, 0, NULL},
    };
    gr_actor *self = start_system_with_log(n, 0, &logs[0]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const gr_node_opts opts = {.name = "node",
                                   .certificate_file = rows[i].certificate,
                                   .key_file = rows[i].key,
                                   .authority_file = rows[i].authority};
        said_forget(&logs[0]);
        int rc = gr_node_start(self, &opts);
        if (rc != rows[i].rc) {
            fail_msg("row %zu: %s", i, gr_errname(rc));
        }
        if (rows[i].told != NULL) {
            said_await(&logs[0], rows[i].told);
        }
    }
}

/* A node with these papers is refused, and told which of them is at fault. */
static void assert_not_started(nodes *n, const papers *p, int rc,
                               const char *file, const char *how)
{
    char line[256];
    const gr_node_opts opts = with("node", p, SECRET);
    said_forget(&logs[0]);
    assert_int_equal(gr_node_start(n->self[0], &opts), rc);
    (void)snprintf(line, sizeof line, "node node: %s: %s", file, how);
    said_await(&logs[0], line);
}

static void certificate_must_be_valid_now(void **state)
{
    nodes *n = *state;
    (void)start_system_with_log(n, 0, &logs[0]);
    make_certificate_for("late", "node", "ours", "20200101000000Z",
                         "20200201123456Z");
    make_certificate_for("early", "node", "ours", "20980102030405Z",
                         "20990101000000Z");
    in_folder("cat node.pem late.pem >late_behind.pem && "
              "cat node.pem early.pem >early_behind.pem");
    papers p = papers_of("late", "ours");
    assert_not_started(n, &p, GR_EEXPIRED, p.certificate,
                       "it has expired, at 2020-02-01 12:34:56 UTC");
    p = papers_of("early", "ours");
    assert_not_started(n, &p, GR_EEXPIRED, p.certificate,
                       "it is not valid before 2098-01-02 03:04:05 UTC");
    /* What is between it and the authority, too. */
    p = papers_of("late_behind", "ours");
    memcpy(p.key, node_papers.key, sizeof p.key);
    assert_not_started(n, &p, GR_EEXPIRED, p.certificate,
                       "one in it has expired, at 2020-02-01 12:34:56 UTC");
    p = papers_of("early_behind", "ours");
    memcpy(p.key, node_papers.key, sizeof p.key);
    assert_not_started(n, &p, GR_EEXPIRED, p.certificate,
                       "one in it is not valid before 2098-01-02 03:04:05 UTC");
}

static void key_must_be_the_certificates(void **state)
{
    nodes *n = *state;
    (void)start_system_with_log(n, 0, &logs[0]);
    in_folder("(umask 077; openssl genrsa -out rsa.key 2048)");
    static const char *const others[] = {"alice", "rsa"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        papers p = node_papers;
        const papers other = papers_of(others[i], "ours");
        memcpy(p.key, other.key, sizeof p.key);
        assert_not_started(n, &p, GR_EFORMAT, p.key,
                           "it is not the key of the certificate");
    }
}

static void addresses_need_what_they_say(void **state)
{
    nodes *n = *state;
    gr_node out;
    gr_actor *self = start_system_with_log(n, 0, &logs[0]);
    gr_node_opts opts = {
        .name = "x", .secret = bytes_of(SECRET), .listen = PLACE};
    assert_int_equal(gr_node_start(self, &opts), GR_EINVAL); /* no papers */
    opts = with("x", &node_papers, NULL);
    opts.listen = "tcp://127.0.0.1:0"; /* where nothing would be proven */
    assert_int_equal(gr_node_start(self, &opts), GR_EINSECURE);
    said_await(&logs[0], "without a secret it cannot listen");
    opts.listen = "tls+tcp://node@127.0.0.1:0";
    assert_int_equal(gr_node_start(self, &opts), GR_EADDRESS);
    opts.listen = "tls+tcp://192.0.2.1:0";
    assert_int_equal(gr_node_start(self, &opts), GR_EADDRESS);
    opts.listen = "tls+tcp://0.0.0.0:0"; /* not insecure */
    assert_int_equal(gr_node_start(self, &opts), 0);
    assert_int_equal(gr_node_connect(self, "tcp://127.0.0.1:1", 1000, &out),
                     GR_EINSECURE);
    assert_int_equal(gr_node_connect(self, "ipc:///none", 1000, &out),
                     GR_EINSECURE);
    self = start_node(n, 1, "y");
    assert_int_equal(gr_node_connect(self, "tls+tcp://127.0.0.1:1", 1000, &out),
                     GR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOGS(good_certificates_and_a_secret_join_two_nodes),
        WITH_LOGS(host_may_be_what_the_certificate_is_for),
        WITH_LOGS(certificates_alone_will_do),
        WITH_LOGS(secret_of_a_name_is_asked_for_over_tls_too),
        WITH_LOGS(large_messages_arrive_whole),
        WITH_LOGS(nodes_come_and_go),
        WITH_LOGS(certificate_of_another_authority_is_refused),
        WITH_LOGS(certificate_that_the_listener_does_not_know_is_refused),
        WITH_LOGS(certificate_for_another_name_is_refused),
        WITH_LOGS(name_other_than_the_certificates_is_refused),
        WITH_LOGS(wrong_secret_is_refused_whatever_the_certificate),
        WITH_LOGS(who_demands_a_secret_takes_no_certificate_for_it),
        WITH_LOGS(dialer_with_a_secret_demands_one_too),
        WITH_LOGS(plain_connections_to_a_place_of_tls_are_refused),
        WITH_LOGS(place_without_tls_is_told_from_one_with_it),
        WITH_LOGS(files_are_checked_one_by_one),
        WITH_LOGS(certificate_must_be_valid_now),
        WITH_LOGS(key_must_be_the_certificates),
        WITH_LOGS(addresses_need_what_they_say),
    };
    return cmocka_run_group_tests_name("transport/tls", tests,
                                       make_certificates, remove_certificates);
}
