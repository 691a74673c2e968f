/* transport/x509.c - see x509.h. */
#include "transport/x509.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <sodium.h>

#include <greenroom/error.h>

/* Only the third version asks for random numbers here. */
#if MBEDTLS_VERSION_MAJOR == 3

static int random_bytes(void *arg, unsigned char *buf, size_t n)
{
    (void)arg;
    randombytes_buf(buf, n);
    return 0;
}

#define BY_CHANCE , random_bytes, NULL
#else
#define BY_CHANCE
#endif

/* An error may be the sum of two: of numbers or of ASN.1, below 0x80, and of
 * what is made of them. */
static bool is_no_memory(int rc)
{
    const int low = rc < 0 ? -(-rc & 0x7f) : 0;
    return rc == MBEDTLS_ERR_X509_ALLOC_FAILED ||
           rc == MBEDTLS_ERR_PEM_ALLOC_FAILED ||
           rc == MBEDTLS_ERR_PK_ALLOC_FAILED ||
           low == MBEDTLS_ERR_MPI_ALLOC_FAILED ||
           low == MBEDTLS_ERR_ASN1_ALLOC_FAILED;
}

static int wrong_time(const char *how, const mbedtls_x509_time *t,
                      gri_x509_fault *fault)
{
    fault->of_key = false;
    (void)snprintf(fault->text, sizeof fault->text,
                   "%s %04d-%02d-%02d %02d:%02d:%02d UTC", how, t->year, t->mon,
                   t->day, t->hour, t->min, t->sec);
    return GR_EEXPIRED;
}

static int check_times(const mbedtls_x509_crt *chain, gri_x509_fault *fault)
{
    for (const mbedtls_x509_crt *c = chain; c != NULL; c = c->next) {
        const bool own = c == chain;
        if (mbedtls_x509_time_is_past(&c->valid_to) != 0) {
            return wrong_time(own ? "it has expired, at"
                                  : "one in it has expired, at",
                              &c->valid_to, fault);
        }
        if (mbedtls_x509_time_is_future(&c->valid_from) != 0) {
            return wrong_time(own ? "it is not valid before"
                                  : "one in it is not valid before",
                              &c->valid_from, fault);
        }
    }
    return 0;
}

static int check_pair(mbedtls_x509_crt *own, const char *text,
                      gri_x509_fault *fault)
{
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    int rc = mbedtls_pk_parse_key(&key, (const unsigned char *)text,
                                  strlen(text) + 1, NULL, 0 BY_CHANCE);
    const bool read = rc == 0;
    if (read) {
        rc = mbedtls_pk_check_pair(&own->pk, &key BY_CHANCE);
    }
    mbedtls_pk_free(&key); /* wipes it */
    if (is_no_memory(rc)) {
        return GR_ENOMEM;
    }
    if (!read || rc == 0 || rc == MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE) {
        return 0;
    }
    fault->of_key = true;
    (void)snprintf(fault->text, sizeof fault->text,
                   "it is not the key of the certificate");
    return GR_EFORMAT;
}

int gri_x509_check(const char *certificate, const char *key,
                   gri_x509_fault *fault)
{
    mbedtls_x509_crt chain;
    mbedtls_x509_crt_init(&chain);
    int rc = mbedtls_x509_crt_parse(&chain, (const unsigned char *)certificate,
                                    strlen(certificate) + 1);
    if (is_no_memory(rc)) {
        rc = GR_ENOMEM;
    } else if (rc != 0) {
        rc = 0; /* not all of it is known here: see x509.h */
    } else {
        rc = check_times(&chain, fault);
        rc = rc == 0 ? check_pair(&chain, key, fault) : rc;
    }
    mbedtls_x509_crt_free(&chain);
    return rc;
}
