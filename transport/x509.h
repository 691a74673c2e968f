/*
 * transport/x509.h - what can be seen of a node's own certificate before it is
 * shown to anybody.
 *
 * NNG takes any that can be read. With one that has expired, or with the key of
 * another, a node would start, listen, and be refused by each peer, in words
 * that do not say which of the two is at fault.
 *
 * mbedTLS reads it, which is NNG's own library for TLS in Debian.
 */
#ifndef GRI_TRANSPORT_X509_H
#define GRI_TRANSPORT_X509_H

#include <stdbool.h>

enum { GRI_X509_TEXT = 96 /* bytes of a text, with its end */ };

/* What is wrong: the key, or else the certificate; and how, for the log. */
typedef struct gri_x509_fault {
    bool of_key;
    char text[GRI_X509_TEXT];
} gri_x509_fault;

/*
 * Whether each certificate in a text in PEM is valid at this moment, by the
 * system's clock, and the key fits the first. What mbedTLS does not know is not
 * looked at: NNG may have been built with another library. Errors: GR_EEXPIRED,
 * GR_EFORMAT (the key of another): with *fault; GR_ENOMEM.
 */
int gri_x509_check(const char *certificate, const char *key,
                   gri_x509_fault *fault);

#endif /* GRI_TRANSPORT_X509_H */
