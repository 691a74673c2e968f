/*
 * Goal:   a node listens where other hosts reach it without TLS only if its
 *         options say that this is insecure.
 * Method: the function that judges addresses, and nodes that are started at
 *         such addresses, with their logs.
 */
#include "tests/transport/said.h"

#include "transport/exposed.h"

static void addresses_of_this_host_are_not_exposed(void **state)
{
    static const char *const safe[] = {
        "ipc:///run/x",
        "tcp://127.0.0.1:0",
        "tcp://127.255.255.254:1",
        "tcp://localhost:7000",
        "tcp://[::1]:7000",
        "tls+tcp://0.0.0.0:1",
        "tcp://[0:0:0:0:0:0:0:1]:1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++) {
        if (gri_address_is_exposed(safe[i])) {
            fail_msg("%s", safe[i]);
        }
    }
}

static void addresses_are_alike_by_scheme_and_host(void **state)
{
    static const struct {
        const char *a, *b;
        bool alike;
    } pairs[] = {
        {"tcp://127.0.0.1:1", "tcp://localhost:2", true},
        {"tcp://127.0.0.1:1", "tcp://[::1]:2", true},
        {"tcp://10.0.0.1:1", "tcp://example.org:2", true},
        {"tcp://10.0.0.1:1", "tcp://0.0.0.0:2", true},
        {"tcp://127.0.0.1:1", "tcp://10.0.0.1:1", false},
        {"tcp://localhost:1", "tcp://example.org:1", false},
        {"tcp://10.0.0.1:1", "tls+tcp://10.0.0.1:1", false},
        {"tls+tcp://a@10.0.0.1:1", "tls+tcp://b:1", true},
        {"tls+tcp://a@127.0.0.1:1", "tls+tcp://127.0.0.2:1", true},
        {"tls+tcp://a@127.0.0.1:1", "tls+tcp://b@example.org:1", false},
        {"ipc:///run/a", "ipc:///b", true},
        {"ipc:///run/a", "tcp://127.0.0.1:1", false},
        {"local://a", "local://b", true},
        {"local://a", "sim://a", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (gri_address_is_like(pairs[i].a, pairs[i].b) != pairs[i].alike ||
            gri_address_is_like(pairs[i].b, pairs[i].a) != pairs[i].alike) {
            fail_msg("%s %s", pairs[i].a, pairs[i].b);
        }
    }
}

static void wildcards_are_no_host(void **state)
{
    (void)state;
    assert_true(gri_address_is_wildcard("tcp://0.0.0.0:1"));
    assert_true(gri_address_is_wildcard("tls+tcp://[::]:1"));
    assert_true(gri_address_is_wildcard("tcp://*:1"));
    assert_false(gri_address_is_wildcard("tcp://10.0.0.0:1"));
    assert_false(gri_address_is_wildcard("tcp://[::1]:1"));
    assert_false(gri_address_is_wildcard("ipc:///0.0.0.0:1"));
}

static void all_other_addresses_are(void **state)
{
    static const char *const open[] = {
        "tcp://0.0.0.0:1",
        "tcp://*:1",
        "tcp://[::]:1",
        "tcp://192.168.0.1:1",
        "tcp://128.0.0.1:1",
        "tcp://126.255.255.255:1",
        "tcp://127.1:1",
        "tcp://0177.0.0.1:1",
        "tcp://127.0.0.1.example.org:1",
        "tcp://localhost.example.org:1",
        "tcp://example.org:1",
        "tcp://::1:1",
        "tcp://[::1:1",
        "tcp://[::ffff:127.0.0.1]:1",
        "tcp://[fe80::1]:1",
        "tcp://[]:1",
        "tcp://:1",
        "tcp://[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:1",
        "udp://127.0.0.1:1",
        "tcp://",
        "",
    };
    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        if (!gri_address_is_exposed(open[i])) {
            fail_msg("%s", open[i]);
        }
    }
}

static void node_is_not_exposed_by_mistake(void **state)
{
    static const char *const open[] = {"tcp://0.0.0.0:0", "tcp://[::]:0",
                                       "tcp://192.0.2.1:0",
                                       "tcp://example.invalid:0"};
    nodes *n = *state;
    static said log;
    said_init(&log);
    gr_actor *self = start_system_with_log(n, 0, &log);
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        said_forget(&log);
        const gr_node_opts opts = {
            .name = "x", .secret = bytes_of(SECRET), .listen = open[i]};
        assert_int_equal(gr_node_start(self, &opts), GR_EINSECURE);
        said_await(&log, open[i]); /* which, and what to do about it */
        said_await(&log, "insecure_listen");
    }
    stop_node(n, 0);
    said_fini(&log);
}

static void node_is_exposed_if_it_says_so(void **state)
{
    nodes *n = *state;
    char address[128], near[160];
    gr_actor *self = start_system(n, 0);
    const gr_node_opts opts = {.name = "x",
                               .secret = bytes_of(SECRET),
                               .listen = "tcp://0.0.0.0:0",
                               .insecure_listen = true};
    assert_int_equal(gr_node_start(self, &opts), 0);
    assert_int_equal(gr_node_address(self, address, sizeof address), 0);
    (void)snprintf(near, sizeof near, "tcp://127.0.0.1%s",
                   strrchr(address, ':'));

    gr_node node;
    start_node(n, 1, "y");
    assert_int_equal(gr_node_connect(n->self[1], near, LONG_MS, &node), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_this_host_are_not_exposed),
        cmocka_unit_test(addresses_are_alike_by_scheme_and_host),
        cmocka_unit_test(wildcards_are_no_host),
        cmocka_unit_test(all_other_addresses_are),
        ON_IPC(node_is_not_exposed_by_mistake),
        ON_IPC(node_is_exposed_if_it_says_so),
    };
    return cmocka_run_group_tests_name("transport/exposed", tests, NULL, NULL);
}
