/* transport/x509.c - see x509.h. */
#include "transport/x509.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <greenroom/error.h>

bool gri_x509_is_no_memory(void)
{
    bool found = false;
    for (unsigned long e; (e = ERR_get_error()) != 0;) {
        found = found || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    }
    return found;
}

static int failed(void)
{
    return gri_x509_is_no_memory() ? GR_ENOMEM : GR_EFORMAT;
}

/* ---- texts --------------------------------------------------------------- */

/* A key that wants a password is none: nobody could give it. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
static int no_password(char *buf, int size, int writes, void *arg)
{
    (void)buf;
    (void)size;
    (void)writes;
    (void)arg;
    return -1;
}

static BIO *open_text(const char *text)
{
    return BIO_new_mem_buf(text, -1);
}

/* All that stands in a text; NULL: nothing, or it cannot be read. */
static STACK_OF(X509_INFO) * read_all(const char *text)
{
    BIO *bio = open_text(text);
    STACK_OF(X509_INFO) *all =
        bio == NULL ? NULL
                    : PEM_X509_INFO_read_bio(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return all;
}

static void free_all(STACK_OF(X509_INFO) * all)
{
    sk_X509_INFO_pop_free(all, X509_INFO_free);
}

/* The same once more makes no difference. */
static bool add_to(X509_STORE *store, const X509_INFO *one)
{
    return (one->x509 == NULL || X509_STORE_add_cert(store, one->x509) == 1) &&
           (one->crl == NULL || X509_STORE_add_crl(store, one->crl) == 1);
}

int gri_x509_trust(SSL_CTX *ctx, const char *text)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    STACK_OF(X509_INFO) *all = read_all(text);
    bool ok = all != NULL, any = false, revokes = false;
    for (int i = 0; ok && i < sk_X509_INFO_num(all); i++) {
        const X509_INFO *one = sk_X509_INFO_value(all, i);
        ok = add_to(store, one);
        any = any || one->x509 != NULL;
        revokes = revokes || one->crl != NULL;
    }
    free_all(all);
    if (!ok || !any) {
        return failed();
    }
    if (revokes) {
        /* Where an authority has given no list, session.c looks away. */
        (void)X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK |
                                              X509_V_FLAG_CRL_CHECK_ALL);
    }
    return 0;
}

bool gri_x509_has_list(const X509_STORE *store, const X509 *certificate)
{
    /* Without a copy, for which there might be no memory: nothing is added to a
     * store in use. */
    const STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(store);
    bool found = false;
    for (int i = 0; !found && i < sk_X509_OBJECT_num(all); i++) {
        const X509_CRL *list =
            X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));
        found = list != NULL &&
                X509_NAME_cmp(X509_CRL_get_issuer(list),
                              X509_get_issuer_name(certificate)) == 0;
    }
    return found;
}

int gri_x509_show(SSL_CTX *ctx, const char *text)
{
    STACK_OF(X509_INFO) *all = read_all(text);
    bool ok = all != NULL, any = false;
    for (int i = 0; ok && i < sk_X509_INFO_num(all); i++) {
        X509 *x = sk_X509_INFO_value(all, i)->x509;
        if (x != NULL) {
            ok = any ? SSL_CTX_add1_chain_cert(ctx, x) == 1
                     : SSL_CTX_use_certificate(ctx, x) == 1;
            any = true;
        }
    }
    free_all(all);
    return ok && any ? 0 : failed();
}

int gri_x509_key(SSL_CTX *ctx, const char *text)
{
    BIO *bio = open_text(text);
    EVP_PKEY *key = bio == NULL
                        ? NULL
                        : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (key == NULL) {
        return failed();
    }
    const int rc = SSL_CTX_use_PrivateKey(ctx, key) == 1 ? 0 : failed();
    EVP_PKEY_free(key); /* wipes it, when ctx is freed, too */
    return rc;
}

/* ---- times --------------------------------------------------------------- */

static int wrong_time(const char *how, const ASN1_TIME *when,
                      gri_x509_fault *fault)
{
    struct tm t = {.tm_year = 0};
    (void)ASN1_TIME_to_tm(when, &t); /* it was compared already */
    fault->of_key = false;
    (void)snprintf(fault->text, sizeof fault->text,
                   "%s %04d-%02d-%02d %02d:%02d:%02d UTC", how,
                   t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                   t.tm_min, t.tm_sec);
    return GR_EEXPIRED;
}

static int check_times(const X509 *x, bool own, gri_x509_fault *fault)
{
    const ASN1_TIME *from = X509_get0_notBefore(x);
    const ASN1_TIME *until = X509_get0_notAfter(x);
    if (X509_cmp_current_time(until) <= 0) { /* 0: it is no time */
        return wrong_time(own ? "it has expired, at"
                              : "one in it has expired, at",
                          until, fault);
    }
    if (X509_cmp_current_time(from) >= 0) {
        return wrong_time(own ? "it is not valid before"
                              : "one in it is not valid before",
                          from, fault);
    }
    return 0;
}

int gri_x509_check(SSL_CTX *ctx, gri_x509_fault *fault)
{
    STACK_OF(X509) *chain = NULL;
    ERR_clear_error();
    int rc = check_times(SSL_CTX_get0_certificate(ctx), true, fault);
    (void)SSL_CTX_get0_chain_certs(ctx, &chain);
    for (int i = 0; rc == 0 && i < sk_X509_num(chain); i++) {
        rc = check_times(sk_X509_value(chain, i), false, fault);
    }
    if (rc == 0 && SSL_CTX_check_private_key(ctx) != 1) {
        fault->of_key = true;
        (void)snprintf(fault->text, sizeof fault->text,
                       "it is not the key of the certificate");
        rc = GR_EFORMAT;
    }
    if (gri_x509_is_no_memory()) { /* then nothing of that is so */
        fault->text[0] = '\0';
        rc = GR_ENOMEM;
    }
    return rc;
}

/* ---- names --------------------------------------------------------------- */

static bool is_text(const ASN1_STRING *s, const char *name)
{
    const size_t n = strlen(name);
    return s != NULL && (size_t)ASN1_STRING_length(s) == n &&
           memcmp(ASN1_STRING_get0_data(s), name, n) == 0;
}

static bool is_common_name(const X509 *x, const char *name)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    return at >= 0 &&
           X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0 &&
           is_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)),
                   name);
}

bool gri_x509_is_for(const X509 *certificate, const char *name)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        found = one->type == GEN_DNS && is_text(one->d.dNSName, name);
    }
    GENERAL_NAMES_free(names);
    return found || is_common_name(certificate, name);
}

bool gri_x509_is_for_host(X509 *certificate, const char *host)
{
    return X509_check_ip_asc(certificate, host, 0) == 1 ||
           X509_check_host(certificate, host, 0, X509_CHECK_FLAG_NO_WILDCARDS,
                           NULL) == 1;
}
