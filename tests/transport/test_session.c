/*
 * Goal:   TLS lets in whom an authority has signed, for the name that was
 *         dialed, and nobody whom it has revoked.
 * Method: two sessions over a pair of sockets, which take turns; certificates
 *         and lists that openssl's command line makes for the test.
 */
#include "tests/transport/certificates.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <greenroom/error.h>

#include "transport/session.h"

typedef struct outcome {
    int dials, accepts; /* 1, or how it failed */
} outcome;

static gri_tls *tls_of(const char *file, const char *authority)
{
    const papers p = papers_of(file, authority);
    gri_tls_fault wrong;
    gri_tls *tls = NULL;
    const gr_node_opts opts = {.certificate_file = p.certificate,
                               .key_file = p.key,
                               .authority_file = p.authority};
    const int rc = gri_tls_new(&opts, &tls, &wrong);
    if (rc < 0) {
        fail_msg("%s, %s: %d %s", file, authority, rc, wrong.text);
    }
    return tls;
}

/* `dials` dials `address`, where `accepts` is. */
static outcome meet(gri_tls *dials, gri_tls *accepts, const char *address)
{
    int fds[2];
    gri_session *a = NULL, *b = NULL;
    outcome o = {0, 0};
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
        0);
    assert_int_equal(gri_session_new(dials, fds[0], address, &a), 0);
    assert_int_equal(gri_session_new(accepts, fds[1], NULL, &b), 0);
    for (unsigned i = 0; i < 16; i++) {
        o.dials = o.dials != 0 ? o.dials : gri_session_shake(a);
        o.accepts = o.accepts != 0 ? o.accepts : gri_session_shake(b);
    }
    gri_session_free(a);
    gri_session_free(b);
    close(fds[0]);
    close(fds[1]);
    return o;
}

static outcome meet_files(const char *dials, const char *dials_believes,
                          const char *accepts, const char *accepts_believes,
                          const char *address)
{
    gri_tls *a = tls_of(dials, dials_believes);
    gri_tls *b = tls_of(accepts, accepts_believes);
    const outcome o = meet(a, b, address);
    gri_tls_free(a);
    gri_tls_free(b);
    return o;
}

#define NODE "tls+tcp://node@127.0.0.1:1"

static void assert_outcome(outcome o, int rc)
{
    assert_int_equal(o.dials, rc);
    assert_int_equal(o.accepts, rc);
}

/* ---- names --------------------------------------------------------------- */

/* file: of a certificate with that subject, and (may be NULL) those names. */
static void make_named(const char *file, const char *subject, const char *names)
{
    char line[900];
    (void)snprintf(
        line, sizeof line,
        "openssl req -utf8 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -subj '%s' -keyout %s.key -out %s.req && echo '%s%s' >%s.ext "
        "&& "
        "openssl x509 -req -in %s.req -CA ours.pem -CAkey ours.key "
        "-CAcreateserial -days 2 -extfile %s.ext -out %s.pem",
        subject, file, file, names != NULL ? "subjectAltName=" : "",
        names != NULL ? names : "", file, file, file, file);
    in_folder(line);
}

static int dial_named(const char *subject, const char *names,
                      const char *address)
{
    make_named("named", subject, names);
    return meet_files("alice", "ours", "named", "ours", address).dials;
}

static void names_of_nodes_are_compared_to_the_letter(void **state)
{
    (void)state;
    assert_int_equal(dial_named("/CN=x", "DNS:node", NODE), 1);
    assert_int_equal(dial_named("/CN=node", NULL, NODE), 1);
    assert_int_equal(dial_named("/CN=node", "DNS:other", NODE), 1);
    assert_int_equal(dial_named("/CN=x", "DNS:Node", NODE), GR_EDENIED);
    assert_int_equal(dial_named("/CN=x", "DNS:*", NODE), GR_EDENIED);
    assert_int_equal(dial_named("/CN=x", "DNS:node2", NODE), GR_EDENIED);
    assert_int_equal(dial_named("/CN=x", "email:node", NODE), GR_EDENIED);
    assert_int_equal(dial_named("/CN=x", "URI:node", NODE), GR_EDENIED);
    assert_int_equal(dial_named("/CN=node/CN=x", NULL, NODE), GR_EDENIED);
    assert_int_equal(dial_named("/CN=x/CN=node", NULL, NODE), GR_EDENIED);
    assert_int_equal(
        dial_named("/CN=x", "DNS:*.node", "tls+tcp://a.node@127.0.0.1:1"),
        GR_EDENIED);
}

static void names_of_hosts_are_numbers_or_names(void **state)
{
    (void)state;
    static const char four[] = "tls+tcp://127.0.0.1:1";
    static const char six[] = "tls+tcp://[::1]:1";
    assert_int_equal(dial_named("/CN=x", "IP:127.0.0.1", four), 1);
    assert_int_equal(dial_named("/CN=x", "IP:127.0.0.2", four), GR_EDENIED);
    assert_int_equal(dial_named("/CN=x", "IP:0:0:0:0:0:0:0:1", six), 1);
    assert_int_equal(dial_named("/CN=x", "DNS:127.0.0.1", four), 1);
    assert_int_equal(dial_named("/CN=127.0.0.1", NULL, four), 1);
    assert_int_equal(dial_named("/CN=127.0.0.1", "DNS:x", four), GR_EDENIED);
    assert_int_equal(dial_named("/CN=node", "DNS:node", four), GR_EDENIED);
    assert_int_equal(dial_named("/CN=x", "DNS:*.0.0.1", four), GR_EDENIED);
}

/* ---- whom an authority has revoked ----------------------------------------
 */

/* LIST.pem: that authority's certificate, and its list, in which FILE is,
 * revoked; "": nobody is. more: of the list's extensions. how: of
 * "openssl ca -gencrl". */
static void make_list(const char *list, const char *authority, const char *by,
                      const char *file, const char *more, const char *how)
{
    char line[1000];
    (void)snprintf(
        line, sizeof line,
        "printf '%%s\\n' '[ca]' 'default_ca=it' '[it]' 'database=%s.index' "
        "'default_md=sha256' 'crl_extensions=ext' "
        "'[ext]' 'authorityKeyIdentifier=keyid' '%s' >%s.conf && "
        ": >%s.index && { test -z '%s' || openssl ca -config %s.conf -cert "
        "%s.pem -keyfile %s.key -revoke '%s.pem'; } && openssl ca -gencrl "
        "-config %s.conf -cert %s.pem -keyfile %s.key %s -out %s.crl && "
        "cat %s.pem %s.crl >%s.pem",
        list, more, list, list, file, list, by, by, file, list, by, by, how,
        list, authority, list, list);
    in_folder(line);
}

static void who_is_revoked_is_refused(void **state)
{
    (void)state;
    make_list("list", "ours", "ours", "alice", "", "-crldays 2");
    assert_outcome(meet_files("alice", "ours", "node", "list", NODE),
                   GR_EDENIED);
    assert_int_equal(
        meet_files("node", "list", "alice", "ours", "tls+tcp://alice@1.1.1.1:1")
            .dials,
        GR_EDENIED);
    assert_outcome(meet_files("node", "list", "node", "list", NODE), 1);
}

static void list_that_is_too_old_revokes_all(void **state)
{
    (void)state;
    make_list("old", "ours", "ours", "", "",
              "-crl_lastupdate 20200101000000Z -crl_nextupdate "
              "20200201000000Z");
    assert_outcome(meet_files("alice", "ours", "node", "old", NODE),
                   GR_EDENIED);
}

static void authority_without_a_list_revokes_nobody(void **state)
{
    (void)state;
    make_list("list", "theirs", "theirs", "mallory", "", "-crldays 2");
    in_folder("cat ours.pem list.pem >both.pem");
    assert_outcome(meet_files("alice", "ours", "node", "both", NODE), 1);
}

/* Of some reasons only, or by another key: nobody can say whom it leaves. */
static void list_that_is_not_understood_revokes_all(void **state)
{
    (void)state;
    make_list("some", "ours", "ours", "alice",
              "issuingDistributionPoint=critical,@p' '[p]' "
              "'onlysomereasons=keyCompromise",
              "-crldays 2");
    assert_outcome(meet_files("alice", "ours", "node", "some", NODE),
                   GR_EDENIED);
    in_folder("openssl req -x509 -newkey ec -pkeyopt "
              "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ours "
              "-keyout again.key -out again.pem");
    make_list("rekeyed", "again", "again", "alice", "", "-crldays 2");
    in_folder("cat ours.pem >>rekeyed.pem");
    assert_outcome(meet_files("alice", "ours", "node", "rekeyed", NODE),
                   GR_EDENIED);
}

/* An authority of ours, which has signed bob's. */
static void make_branch(void)
{
    in_folder(
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        "-subj /CN=branch -keyout branch.key -out branch.req && printf '%s\\n' "
        "basicConstraints=CA:TRUE subjectKeyIdentifier=hash "
        "authorityKeyIdentifier=keyid >branch.ext && openssl x509 -req -in "
        "branch.req -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 "
        "-extfile branch.ext -out branch.pem");
    make_certificate("bob", "bob", false, "branch");
    in_folder("cat bob.pem >alone.pem; cat alone.pem branch.pem >bob.pem; "
              "cp bob.key alone.key");
}

static int accept_bob(const char *file, const char *believed)
{
    return meet_files(file, "ours", "node", believed, NODE).accepts;
}

/* What stands in the file of authorities is believed, listed or not. */
static void authorities_may_be_revoked(void **state)
{
    (void)state;
    make_branch();
    make_list("none", "ours", "ours", "", "", "-crldays 2");
    make_list("gone", "ours", "ours", "branch", "", "-crldays 2");
    make_list("twigs", "branch", "branch", "", "", "-crldays 2");
    make_list("cut", "branch", "branch", "alone", "", "-crldays 2");
    in_folder("cat none.pem branch.pem >a.pem; cat none.pem twigs.pem >b.pem; "
              "cat gone.pem branch.pem >c.pem; cat none.pem cut.pem >d.pem");
    assert_int_equal(accept_bob("bob", "ours"), 1);
    assert_int_equal(accept_bob("bob", "none"), 1);
    assert_int_equal(accept_bob("bob", "gone"), GR_EDENIED);
    assert_int_equal(accept_bob("alone", "ours"), GR_EDENIED);
    assert_int_equal(accept_bob("alone", "branch"), 1);
    assert_int_equal(accept_bob("alone", "a"), 1);
    assert_int_equal(accept_bob("alone", "b"), 1);
    assert_int_equal(accept_bob("alone", "c"), 1);
    assert_int_equal(accept_bob("alone", "cut"), GR_EDENIED);
    assert_int_equal(accept_bob("alone", "d"), GR_EDENIED);
    assert_int_equal(accept_bob("bob", "d"), GR_EDENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_nodes_are_compared_to_the_letter),
        cmocka_unit_test(names_of_hosts_are_numbers_or_names),
        cmocka_unit_test(who_is_revoked_is_refused),
        cmocka_unit_test(list_that_is_too_old_revokes_all),
        cmocka_unit_test(authority_without_a_list_revokes_nobody),
        cmocka_unit_test(list_that_is_not_understood_revokes_all),
        cmocka_unit_test(authorities_may_be_revoked),
    };
    return cmocka_run_group_tests_name("transport/session", tests,
                                       make_certificates, remove_certificates);
}
