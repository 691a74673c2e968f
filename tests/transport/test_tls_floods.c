/*
 * Goal:   who floods with what TLS itself answers or skips is cut, and holds up
 *         neither the keeper nor who polls.
 * Method: one end of a link, against an end of this test's own that says
 *         records of TLS by itself.
 */
#include "tests/transport/kinds.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

enum { LOT = 1 << 16 };

/* Sends the same until the other end is gone. */
typedef struct flood {
    int listener, fd;
    pthread_t thread;
    uint8_t bytes[LOT];
    size_t n;
} flood;

static bool send_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        const ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
        if (done <= 0) {
            return false;
        }
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static void *accept_and_flood(void *arg)
{
    flood *f = arg;
    f->fd = accept(f->listener, NULL, NULL);
    while (send_all(f->fd, f->bytes, f->n)) {
        /* once more */
    }
    return NULL;
}

static int listener_at(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

/* HelloRequests, which a client in a handshake skips. */
static void fill_hello_requests(flood *f, size_t len)
{
    size_t n = 0;
    while (n + 5 + len <= LOT) {
        const uint8_t head[] = {22, 3, 3, (uint8_t)(len >> 8), (uint8_t)len};
        memcpy(f->bytes + n, head, sizeof head);
        memset(f->bytes + n + 5, 0, len);
        n += 5 + len;
    }
    f->n = n;
}

static void who_skips_hellos_ends_soon(void **state, size_t len)
{
    stage *s = *state;
    static flood f;
    uint16_t port;
    f.listener = listener_at(&port);
    fill_hello_requests(&f, len);
    assert_int_equal(pthread_create(&f.thread, NULL, accept_and_flood, &f), 0);
    (void)snprintf(s->address, sizeof s->address, "tls+tcp://127.0.0.1:%d",
                   port);
    dial(s, 30000);
    AWAIT(s, s->here.opened);
    start_recv(&s->here, s->here.buf, BUF);
    AWAIT(s, s->here.receives == 1);
    assert_int_equal(s->here.received, GR_EDENIED);
    close_end(s, &s->here);
    pthread_join(f.thread, NULL);
    close(f.fd);
    close(f.listener);
}

static void hello_requests_in_large_records_are_cut(void **state)
{
    who_skips_hellos_ends_soon(state, 16384);
}

static void hello_requests_in_small_records_are_cut(void **state)
{
    who_skips_hellos_ends_soon(state, 4);
}

/* ---- behind the handshake --------------------------------------------------
 */

/* Encrypts records as OpenSSL's AES 128 GCM of TLS 1.2 would. */
typedef struct sealer {
    EVP_CIPHER_CTX *aes;
    uint8_t key[16], salt[4];
    uint64_t seq;
} sealer;

static void sealer_init(sealer *s, const SSL *ssl, bool client)
{
    uint8_t master[48], seed[13 + 64], block[40];
    /* Without an end: the seed goes on behind it. */
    for (size_t i = 0; i < 13; i++) {
        seed[i] = (uint8_t) "key expansion"[i];
    }
    SSL_get_server_random(ssl, seed + 13, 32);
    SSL_get_client_random(ssl, seed + 45, 32);
    SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
    EVP_PKEY_CTX *kdf = EVP_PKEY_CTX_new_id(EVP_PKEY_TLS1_PRF, NULL);
    size_t n = sizeof block;
    assert_int_equal(EVP_PKEY_derive_init(kdf), 1);
    assert_int_equal(EVP_PKEY_CTX_set_tls1_prf_md(kdf, EVP_sha256()), 1);
    assert_int_equal(
        EVP_PKEY_CTX_set1_tls1_prf_secret(kdf, master, sizeof master), 1);
    assert_int_equal(EVP_PKEY_CTX_add1_tls1_prf_seed(kdf, seed, sizeof seed),
                     1);
    assert_int_equal(EVP_PKEY_derive(kdf, block, &n), 1);
    EVP_PKEY_CTX_free(kdf);
    memcpy(s->key, block + (client ? 0 : 16), 16);
    memcpy(s->salt, block + (client ? 32 : 36), 4);
    s->seq = 1; /* 0 was Finished */
    s->aes = EVP_CIPHER_CTX_new();
}

/* Writes one record to out; returns its bytes. */
static size_t seal(sealer *s, uint8_t type, const uint8_t *p, size_t n,
                   uint8_t *out)
{
    uint8_t iv[12], aad[13];
    int len = 0;
    for (int i = 0; i < 8; i++) {
        aad[i] = (uint8_t)(s->seq >> (56 - 8 * i));
    }
    s->seq++;
    memcpy(iv, s->salt, 4);
    memcpy(iv + 4, aad, 8);
    aad[8] = type;
    aad[9] = aad[10] = 3;
    aad[11] = (uint8_t)(n >> 8);
    aad[12] = (uint8_t)n;
    const size_t all = n + 8 + 16;
    out[0] = type;
    out[1] = out[2] = 3;
    out[3] = (uint8_t)(all >> 8);
    out[4] = (uint8_t)all;
    memcpy(out + 5, aad, 8);
    EVP_EncryptInit_ex(s->aes, EVP_aes_128_gcm(), NULL, s->key, iv);
    EVP_EncryptUpdate(s->aes, NULL, &len, aad, sizeof aad);
    EVP_EncryptUpdate(s->aes, out + 13, &len, p, (int)n);
    EVP_EncryptFinal_ex(s->aes, out + 13 + n, &len);
    EVP_CIPHER_CTX_ctrl(s->aes, EVP_CTRL_GCM_GET_TAG, 16, out + 13 + n);
    return 5 + all;
}

static SSL *session_over(int fd, bool client)
{
    const papers p = papers_of("node", "ours");
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    assert_int_equal(
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256"), 1);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, p.certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, p.key, SSL_FILETYPE_PEM),
                     1);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(ssl, fd);
    assert_int_equal(client ? SSL_connect(ssl) : SSL_accept(ssl), 1);
    return ssl;
}

static void *flood_sealed(void *arg)
{
    flood *f = arg;
    const bool client = f->listener < 0;
    if (!client) {
        f->fd = accept(f->listener, NULL, NULL);
    }
    SSL *ssl = session_over(f->fd, client);
    sealer s;
    sealer_init(&s, ssl, client);
    const uint8_t hello[4] = {client ? 1 : 0, 0, 0, 0};
    do {
        f->n = 0;
        while (f->n + 64 < LOT) {
            f->n += seal(&s, 22, hello, sizeof hello, f->bytes + f->n);
        }
    } while (send_all(f->fd, f->bytes, f->n));
    EVP_CIPHER_CTX_free(s.aes);
    SSL_free(ssl);
    return NULL;
}

static void assert_cut(stage *s, end *e)
{
    AWAIT(s, e->opened);
    start_recv(e, e->buf, BUF);
    AWAIT(s, e->receives == 1);
    assert_int_equal(e->received, GR_EDENIED);
    close_end(s, e);
}

static void client_that_begins_again_without_end_is_cut(void **state)
{
    stage *s = *state;
    static flood f;
    listen_on(s);
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(
                                 strrchr(s->address, ':') + 1, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    f.listener = -1;
    f.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(f.fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(pthread_create(&f.thread, NULL, flood_sealed, &f), 0);
    assert_cut(s, &s->there);
    pthread_join(f.thread, NULL);
    close(f.fd);
}

static void server_that_asks_to_begin_again_without_end_is_cut(void **state)
{
    stage *s = *state;
    static flood f;
    uint16_t port;
    f.listener = listener_at(&port);
    assert_int_equal(pthread_create(&f.thread, NULL, flood_sealed, &f), 0);
    (void)snprintf(s->address, sizeof s->address, "tls+tcp://127.0.0.1:%d",
                   port);
    dial(s, 30000);
    assert_cut(s, &s->here);
    pthread_join(f.thread, NULL);
    close(f.fd);
    close(f.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hello_requests_in_large_records_are_cut,
                                        setup_tls, teardown),
        cmocka_unit_test_setup_teardown(hello_requests_in_small_records_are_cut,
                                        setup_tls, teardown),
        cmocka_unit_test_setup_teardown(
            client_that_begins_again_without_end_is_cut, setup_tls, teardown),
        cmocka_unit_test_setup_teardown(
            server_that_asks_to_begin_again_without_end_is_cut, setup_tls,
            teardown),
    };
    return cmocka_run_group_tests(tests, make_certificates,
                                  remove_certificates);
}
