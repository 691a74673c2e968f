/* tests/transport/test_address.c - the form of addresses, and whose they are.
 */
#include "tests/transport/kinds.h"

static void addresses_are_checked_by_their_form(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://:80",
        "tcp://host:",
        "tcp://host:65536",
        "tcp://host:-1",
        "tcp://host:80/path",
        "tcp://host:8x",
        "tcp://host:0000080",
        "tcp://user@host:80",
        "udp://127.0.0.1:80",
        "local://",
        "local:///x",
        "local://a b",
        "sim://",
        "sim://a/b",
        /* 64 bytes, one too many */
        ("sim://1234567890123456789012345678901234567890123456789012345678901"
         "234"),
        "ipc://",
        "ipc:///",
        "ipc://relative",
        "127.0.0.1:80",
        /* 108 bytes, one too many */
        ("ipc:///1234567890123456789012345678901234567890123456789012345"
         "67890123456789012345678901234567890123456789012345678"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(gri_address_check(bad[i], true), GR_EADDRESS);
        assert_int_equal(gri_address_check(bad[i], false), GR_EADDRESS);
    }
    assert_int_equal(gri_address_check(NULL, true), GR_EADDRESS);
    assert_int_equal(gri_address_check("tcp://[::1]:7", false), 0);
    assert_int_equal(gri_address_check("tcp://example.org:65535", false), 0);
    assert_int_equal(gri_address_check("tcp://127.0.0.1:0", true), 0);
    assert_int_equal(gri_address_check("tcp://127.0.0.1:0", false),
                     GR_EADDRESS);
    assert_int_equal(gri_address_check("ipc:///run/x", true), 0);
    assert_int_equal(gri_address_check("local://A-z_0.9", true), 0);
    assert_int_equal(gri_address_check("local://x", false), 0);
    assert_int_equal(gri_address_check("sim://x", false), 0);
}

static void scheme_says_which_kind(void **state)
{
    (void)state;
    assert_ptr_equal(gri_link_ops_for("tcp://h:1"), &gri_link_nng);
    assert_ptr_equal(gri_link_ops_for("tcp://1.2.3.4:1"), &gri_link_socket);
    assert_ptr_equal(gri_link_ops_for("tcp://[::1]:1"), &gri_link_socket);
    assert_ptr_equal(gri_link_ops_for("ipc:///x"), &gri_link_socket);
    assert_ptr_equal(gri_link_ops_for("local://x"), &gri_link_local);
    assert_ptr_equal(gri_link_ops_for("sim://x"), &gri_link_sim);
    assert_null(gri_link_ops_for("udp://x"));
    assert_null(gri_link_ops_for("sim:/"));
    assert_null(gri_link_ops_for(NULL));
}

static void kind_is_refused_where_it_cannot_be(void **state)
{
    stage *s = *state; /* in real time */
    gri_port *port = NULL;
    end *e = &s->here;
    const gri_dial d = {.address = "sim://x", .events = &events, .arg = e};
    assert_int_equal(
        gri_link_sim.listen(&s->keeper, "sim://x", on_accepted, s, &port),
        GR_EADDRESS);
    assert_int_equal(gri_link_sim.dial(&s->keeper, &d, &e->link), GR_EADDRESS);
    assert_false(e->opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_checked_by_their_form),
        cmocka_unit_test(scheme_says_which_kind),
        cmocka_unit_test_setup_teardown(kind_is_refused_where_it_cannot_be,
                                        setup_local, teardown),
    };
    return cmocka_run_group_tests_name("transport/address", tests, NULL, NULL);
}
