/*
 * Goal:   each allocation of OpenSSL's fails once, and then from there on all:
 *         a context, or a session, is not made, or its handshake fails; never a
 *         crash, nor a handshake with who is revoked.
 * Method: OpenSSL's own hooks for memory; two sessions over a pair of sockets.
 */
#include "tests/transport/certificates.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <greenroom/error.h>

#include "transport/session.h"

static uint64_t calls, fail_at; /* 0: none */
static bool for_ever, failed;

static bool fails(void)
{
    if (fail_at == 0) {
        return false;
    }
    calls++;
    const bool now = calls == fail_at || (for_ever && calls > fail_at);
    failed = failed || now;
    return now;
}

static void *hook_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : malloc(n);
}

static void *hook_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : realloc(p, n);
}

static void hook_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static void begin(uint64_t n, bool ever)
{
    calls = 0;
    failed = false;
    for_ever = ever;
    fail_at = n;
}

/* Whether one failed. */
static bool end(void)
{
    fail_at = 0;
    return failed;
}

static int tls_of(const char *file, const char *authority, gri_tls **out)
{
    const papers p = papers_of(file, authority);
    gri_tls_fault wrong;
    return gri_tls_new(&(gr_node_opts){.certificate_file = p.certificate,
                                       .key_file = p.key,
                                       .authority_file = p.authority},
                       out, &wrong);
}

static void contexts_are_made_or_not(void **state)
{
    (void)state;
    for (int ever = 0; ever < 2; ever++) {
        uint64_t n = 1;
        for (bool any = true; any; n += 31) {
            gri_tls *tls = NULL;
            begin(n, ever != 0);
            const int rc = tls_of("node", "list", &tls);
            any = end();
            if (rc != 0 && rc != GR_ENOMEM) {
                print_message("context: at %d %s: %d\n", (int)n,
                              ever ? "for ever" : "once", rc);
            }
            gri_tls_free(rc == 0 ? tls : NULL);
            assert_int_equal(ERR_peek_error(), 0);
        }
        print_message("%d allocations of a context\n", (int)n);
    }
}

static const char text[] = "some text";

static int meet(const gri_tls *a, const gri_tls *b, bool *read)
{
    int fds[2], rc[2] = {0, 0};
    gri_session *s[2] = {NULL, NULL};
    *read = false;
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
        0);
    rc[0] = gri_session_new(a, fds[0], "tls+tcp://node@127.0.0.1:1", &s[0]);
    rc[1] = gri_session_new(b, fds[1], NULL, &s[1]);
    for (unsigned i = 0; s[0] != NULL && s[1] != NULL && i < 8; i++) {
        for (int j = 0; j < 2; j++) {
            rc[j] = rc[j] != 0 ? rc[j] : gri_session_shake(s[j]);
        }
    }
    if (rc[0] == 1 && rc[1] == 1) {
        char buf[64];
        const int64_t w = gri_session_write(s[0], text, sizeof text);
        const int64_t r = gri_session_read(s[1], buf, sizeof buf);
        *read = w == sizeof text && r == sizeof text;
        if (w < 0 || r < 0) {
            rc[1] = (int)(w < 0 ? w : r);
        }
        (void)gri_session_is_with(s[1], "alice");
        gri_session_bye(s[0]);
        gri_session_bye(s[1]);
    }
    gri_session_free(s[0]);
    gri_session_free(s[1]);
    close(fds[0]);
    close(fds[1]);
    return rc[0] < 0 && rc[0] != GR_EDENIED   ? rc[0]
           : rc[1] < 0 && rc[1] != GR_EDENIED ? rc[1]
           : rc[0] < rc[1]                    ? rc[0]
                                              : rc[1];
}

static void handshakes(const char *who, bool good)
{
    gri_tls *a = NULL, *b = NULL;
    int told[3] = {0, 0, 0};
    assert_int_equal(tls_of(who, "ours", &a), 0);
    assert_int_equal(tls_of("node", "list", &b), 0);
    for (int ever = 0; ever < 2; ever++) {
        uint64_t n = 1;
        for (bool any = true; any; n += 97) {
            bool read;
            begin(n, ever != 0);
            const int rc = meet(a, b, &read);
            any = end();
            if (!good) {
                assert_int_not_equal(rc, 1);
            }
            told[0] += rc == GR_EDENIED;
            told[1] += rc == GR_ENOCONN || rc == GR_ENOMEM;
            told[2] += rc == 1;
            if (rc == 1) {
                assert_true(read);
            }
            if (rc == 0) {
                print_message("stuck: at %d\n", (int)n);
            }
        }
        print_message("%s: %d allocations: %d denied, %d none, %d good\n", who,
                      (int)n, told[0], told[1], told[2]);
    }
    gri_tls_free(a);
    gri_tls_free(b);
}

static void handshakes_succeed_or_not(void **state)
{
    (void)state;
    handshakes("node", true);
}

static void who_is_revoked_stays_out(void **state)
{
    (void)state;
    handshakes("alice", false);
}

static int make(void **state)
{
    if (make_certificates(state) < 0) {
        return -1;
    }
    in_folder(
        "printf '%s\\n' '[ca]' 'default_ca=it' '[it]' 'database=index' "
        "'default_md=sha256' >list.conf && : >index && openssl ca -config "
        "list.conf -cert ours.pem -keyfile ours.key -revoke alice.pem && "
        "openssl ca -gencrl -config list.conf -cert ours.pem -keyfile "
        "ours.key -crldays 2 -out list.crl && cat ours.pem list.crl "
        ">list.pem");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_are_made_or_not),
        cmocka_unit_test(handshakes_succeed_or_not),
        cmocka_unit_test(who_is_revoked_stays_out),
    };
    if (CRYPTO_set_mem_functions(hook_malloc, hook_realloc, hook_free) != 1) {
        return 1;
    }
    /* What OpenSSL sets up once fails for ever if it fails then. */
    (void)OPENSSL_init_ssl(0, NULL);
    return cmocka_run_group_tests_name("transport/session_no_memory", tests,
                                       make, remove_certificates);
}
