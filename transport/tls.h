/*
 * transport/tls.h - certificates: what a node shows, and what it believes.
 *
 * Both sides must show a certificate that an authority of the other's file has
 * signed. Whoever dials also checks for whom it is: for the node name that the
 * address gives ("tls+tcp://name@host:port"), else for the host. Whoever
 * listens can see the name, too, and hold it against the name that is claimed.
 *
 * Where the host is a number TLS is OpenSSL's, over sockets that the workers
 * poll (session.h); where it is a name, NNG's (tls_nng.h).
 */
#ifndef GRI_TRANSPORT_TLS_H
#define GRI_TRANSPORT_TLS_H

#include <openssl/types.h>

#include <greenroom/node.h>

#include "transport/x509.h"

enum {
    GRI_PEM_MAX = 1 << 20,  /* bytes of a file of certificates, or of a key */
    GRI_TLS_NAME_SIZE = 256 /* of a host, or a node, with its ending zero */
};

/* The contents of three files. Constant; any thread. */
typedef struct gri_tls {
    char *certificate, *key, *authority; /* texts that end at a zero byte */
    SSL_CTX *ctx;                        /* the same as OpenSSL has it */
    BIO_METHOD *method;                  /* of its sockets */
} gri_tls;

/* Does the node have certificates? */
static inline bool gri_tls_wanted(const gr_node_opts *opts)
{
    return opts->certificate_file != NULL || opts->key_file != NULL ||
           opts->authority_file != NULL;
}

/* Which file is wrong (NULL: none of them), and how (empty: as the error says).
 */
typedef struct gri_tls_fault {
    const char *file;
    char text[GRI_X509_TEXT];
} gri_tls_fault;

/*
 * Reads the files and tries what is in them. Owns: gives *out. Errors:
 * GR_EINVAL (not all three), GR_EFORMAT (not what it should be, or too long; or
 * the key is of another certificate), GR_EEXPIRED (the certificate, or one in
 * its file, is not valid now), those of gri_file_read, GR_ENOMEM. All of them
 * fill *fault.
 */
int gri_tls_new(const gr_node_opts *opts, gri_tls **out, gri_tls_fault *fault);
/* Wipes the key. NULL is fine. No session uses it any more. */
void gri_tls_free(gri_tls *tls);

/* Is it an address of TLS? */
bool gri_tls_address(const char *address);
/* The node name that an address of TLS demands; its len is 0: none. */
gr_str gri_tls_demands(const char *address);

/* For whom the certificate must be that is found at an address of TLS: that
 * node, or else the host. */
void gri_tls_server_name(const char *address, char buf[GRI_TLS_NAME_SIZE]);

#endif /* GRI_TRANSPORT_TLS_H */
