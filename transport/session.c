/* transport/session.c - see session.h. */
#include "transport/session.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "transport/x509.h"

enum {
    CHAIN_MAX = 8, /* certificates from a peer's to an authority */
    /* Bytes that are read for a handshake, and for one read behind it. What is
     * only answered or skipped (hellos that are to begin again) OpenSSL reads
     * as long as more has come, within one call: whoever sends without end
     * would keep the thread. */
    SHAKE_MAX = 128 * 1024,
    READ_MAX = 32 * 1024 /* two records, about */
};

struct gri_session {
    SSL *ssl;
    int fd;
    bool shaken;        /* the handshake is done */
    bool broken;        /* nothing goes over it any more */
    size_t left;        /* bytes that may be read for what it is at */
    const char *demand; /* the node it must be with; NULL: none */
    const char *host;   /* the host that it must be with; NULL: none */
    char name[];        /* that one's text */
};

/* ---- the socket ---------------------------------------------------------- */

/* OpenSSL's own socket raises SIGPIPE. */

/* Tells OpenSSL whether what gave `done` is to be tried again. */
static void say_when(BIO *bio, ssize_t done, int flag)
{
    BIO_clear_retry_flags(bio);
    if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        BIO_set_flags(bio, flag | BIO_FLAGS_SHOULD_RETRY);
    }
}

static int socket_write(BIO *bio, const char *buf, int n)
{
    const gri_session *s = BIO_get_data(bio);
    ssize_t done;
    do {
        done = send(s->fd, buf, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (done < 0 && errno == EINTR);
    say_when(bio, done, BIO_FLAGS_WRITE);
    return (int)done;
}

static int socket_read(BIO *bio, char *buf, int n)
{
    gri_session *s = BIO_get_data(bio);
    ssize_t got;
    if (s->left == 0) {
        BIO_clear_retry_flags(bio);
        return -1;
    }
    do {
        got = recv(s->fd, buf, (size_t)n < s->left ? (size_t)n : s->left,
                   MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    say_when(bio, got, BIO_FLAGS_READ);
    s->left -= got > 0 ? (size_t)got : 0;
    return (int)got;
}

static long socket_ctrl(BIO *bio, int command, long number, void *arg)
{
    (void)bio;
    (void)number;
    (void)arg;
    return command == BIO_CTRL_FLUSH ? 1 : 0; /* nothing stands in between */
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "greenroom socket");
    if (m != NULL && (BIO_meth_set_write(m, socket_write) != 1 ||
                      BIO_meth_set_read(m, socket_read) != 1 ||
                      BIO_meth_set_ctrl(m, socket_ctrl) != 1)) {
        BIO_meth_free(m);
        m = NULL;
    }
    return m;
}

/* ---- whom it believes ---------------------------------------------------- */

/* Who has given no list has revoked nothing, and who stands in the file of
 * authorities is believed. OpenSSL says the same of a list that it cannot use,
 * or has no memory for. */
static bool is_unlisted(X509_STORE_CTX *store)
{
    const int top = sk_X509_num(X509_STORE_CTX_get0_chain(store)) - 1;
    return X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL &&
           (X509_STORE_CTX_get_error_depth(store) == top ||
            !gri_x509_has_list(X509_STORE_CTX_get0_store(store),
                               X509_STORE_CTX_get_current_cert(store)));
}

/* A handshake computes for half a millisecond, and strangers may ask for it. So
 * between any two of its steps whoever waits for this processor goes first: the
 * system would let him wait to the end, even if another one is idle. */
static void on_step(const SSL *ssl, int where, int rc)
{
    (void)ssl;
    (void)rc;
    if ((where & SSL_CB_LOOP) != 0) {
        (void)sched_yield();
    }
}

/* Called for each certificate of a chain, an authority's first, and for each
 * fault that OpenSSL finds. */
static int on_verify(int good, X509_STORE_CTX *store)
{
    const SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const gri_session *s = SSL_get_app_data(ssl);
    X509 *x = X509_STORE_CTX_get_current_cert(store);
    (void)sched_yield(); /* see on_step */
    if (!good) {
        const bool fine = is_unlisted(store);
        if (fine) {
            X509_STORE_CTX_set_error(store, X509_V_OK);
        }
        return fine;
    }
    if (X509_STORE_CTX_get_error_depth(store) == 0 &&
        ((s->demand != NULL && !gri_x509_is_for(x, s->demand)) ||
         (s->host != NULL && !gri_x509_is_for_host(x, s->host)))) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
        return 0;
    }
    return 1;
}

static SSL_CTX *context_new(void)
{
    /* Its cleaning up at exit would be under threads that still run. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (ctx == NULL) {
        return NULL;
    }
    /* AES first: processors have instructions for it. */
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    (void)SSL_CTX_set_options(
        ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                 SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_info_callback(ctx, on_step);
    SSL_CTX_set_verify_depth(ctx, CHAIN_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       on_verify);
    /* Whatever the file of authorities has is believed, be it signed by
     * somebody who is not in it. */
    (void)X509_STORE_set_flags(SSL_CTX_get_cert_store(ctx),
                               X509_V_FLAG_PARTIAL_CHAIN);
    return ctx;
}

int gri_session_context(gri_tls *tls, const char **at)
{
    *at = NULL;
    ERR_clear_error();
    tls->ctx = context_new();
    tls->method = tls->ctx == NULL ? NULL : method_new();
    if (tls->method == NULL) {
        ERR_clear_error();
        return GR_ENOMEM;
    }
    *at = tls->authority;
    GR_TRY(gri_x509_trust(tls->ctx, tls->authority));
    /* The key first: it is dropped when it does not fit the certificate, which
     * gri_x509_check then tells. */
    *at = tls->key;
    GR_TRY(gri_x509_key(tls->ctx, tls->key));
    *at = tls->certificate;
    return gri_x509_show(tls->ctx, tls->certificate);
}

void gri_session_forget(gri_tls *tls)
{
    SSL_CTX_free(tls->ctx);
    BIO_meth_free(tls->method);
    ERR_clear_error();
}

/* ---- sessions ------------------------------------------------------------ */

static bool set_up(gri_session *s, const gri_tls *tls, bool dials)
{
    s->ssl = SSL_new(tls->ctx);
    BIO *bio = s->ssl == NULL ? NULL : BIO_new(tls->method);
    if (bio == NULL || SSL_set_app_data(s->ssl, s) != 1) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio); /* takes it */
    if (dials) {
        SSL_set_connect_state(s->ssl);
    } else {
        SSL_set_accept_state(s->ssl);
    }
    return true;
}

int gri_session_new(const gri_tls *tls, int fd, const char *address,
                    gri_session **out)
{
    gri_session *s = calloc(1, sizeof *s + GRI_TLS_NAME_SIZE);
    if (s == NULL) {
        return GR_ENOMEM;
    }
    s->fd = fd;
    s->left = SHAKE_MAX;
    if (address != NULL) {
        gri_tls_server_name(address, s->name);
        s->demand = gri_tls_demands(address).len > 0 ? s->name : NULL;
        s->host = s->demand == NULL ? s->name : NULL;
    }
    if (!set_up(s, tls, address != NULL)) {
        ERR_clear_error();
        gri_session_free(s);
        return GR_ENOMEM;
    }
    *out = s;
    return 0;
}

void gri_session_bye(gri_session *s)
{
    if (s->shaken && !s->broken) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl);
        ERR_clear_error();
        s->broken = true;
    }
}

void gri_session_free(gri_session *s)
{
    if (s != NULL) {
        SSL_free(s->ssl);
        free(s);
    }
}

/* After a call that gave rc. */
static int outcome(gri_session *s, int rc)
{
    const int error = SSL_get_error(s->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return 0;
    }
    s->broken = true;
    const bool denied = error == SSL_ERROR_SSL && !gri_x509_is_no_memory();
    return denied || s->left == 0 ? GR_EDENIED : GR_ENOCONN;
}

/* Each call clears OpenSSL's errors first: what other code of this thread has
 * left there is none of ours. */

int gri_session_shake(gri_session *s)
{
    ERR_clear_error();
    const int rc = SSL_do_handshake(s->ssl);
    s->shaken = rc == 1;
    return rc == 1 ? 1 : outcome(s, rc);
}

static int most(size_t n)
{
    return n < INT_MAX ? (int)n : INT_MAX;
}

int64_t gri_session_read(gri_session *s, void *buf, size_t n)
{
    ERR_clear_error();
    s->left = READ_MAX;
    const int got = SSL_read(s->ssl, buf, most(n));
    return got > 0 ? got : outcome(s, got);
}

int64_t gri_session_write(gri_session *s, const void *buf, size_t n)
{
    ERR_clear_error();
    const int done = SSL_write(s->ssl, buf, most(n));
    return done > 0 ? done : outcome(s, done);
}

bool gri_session_is_with(const gri_session *s, const char *name)
{
    X509 *x = SSL_get1_peer_certificate(s->ssl);
    const bool is = x != NULL && gri_x509_is_for(x, name);
    X509_free(x);
    return is;
}
