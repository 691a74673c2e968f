/*
 * transport/tls.h - certificates: what a node shows, and what it believes.
 *
 * TLS is NNG's. Both sides must show a certificate that an authority of the
 * other's file has signed. Whoever dials also checks for whom it is: for the
 * node name that the address gives ("tls+tcp://name@host:port"), else for the
 * host. Whoever listens can do that only where NNG tells the name
 * (gri_tls_tells_names; from 1.6 on).
 *
 * It is TLS 1.2: there each side learns within the handshake that the other
 * does not like its certificate, and NNG's engines take what TLS 1.3 sends
 * behind the handshake for errors.
 */
#ifndef GRI_TRANSPORT_TLS_H
#define GRI_TRANSPORT_TLS_H

#include <nng/nng.h>

#include <greenroom/node.h>

#include "transport/x509.h"

enum {
    GRI_PEM_MAX = 1 << 20 /* bytes of a file of certificates, or of a key */
};

/* The contents of three files. */
typedef struct gri_tls gri_tls;

/* Does the node have certificates? */
static inline bool gri_tls_wanted(const gr_node_opts *opts)
{
    return opts->certificate_file != NULL || opts->key_file != NULL ||
           opts->authority_file != NULL;
}

/* Can whoever listens learn the name in a certificate? */
bool gri_tls_tells_names(void);

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
 * its file, is not valid now), those of gri_file_read, GR_ENOTSUP (NNG was
 * built without TLS), GR_ENOMEM. All of them fill *fault.
 */
int gri_tls_new(const gr_node_opts *opts, gri_tls **out, gri_tls_fault *fault);
/* Wipes the key. NULL is fine. */
void gri_tls_free(gri_tls *tls);

/* Is it an address of TLS? */
bool gri_tls_address(const char *address);
/* The node name that an address of TLS demands; its len is 0: none. */
gr_str gri_tls_demands(const char *address);

/* A dialer and a listener for an address of TLS that has passed
 * gri_address_check. tls may be NULL: GR_EINVAL. Errors: GR_ENOMEM,
 * GR_EADDRESS, GR_EIO. */
int gri_tls_dialer(const gri_tls *tls, const char *address,
                   nng_stream_dialer **out);
int gri_tls_listener(const gri_tls *tls, const char *address,
                     nng_stream_listener **out);

/*
 * Whether the other side of an open stream has shown a certificate for that
 * name: 1, or 0: for another. GR_ENOTSUP: NNG does not tell, or it is no TLS.
 * GR_ENOMEM.
 */
int gri_tls_names(nng_stream *stream, const char *name);

#endif /* GRI_TRANSPORT_TLS_H */
