/*
 * transport/x509.h - the certificates and the key of a node, as OpenSSL has
 * them, and what can be seen of them before they are shown to anybody.
 *
 * With a certificate that has expired, or with the key of another, a node would
 * start, listen, and be refused by each peer, in words that do not say which of
 * the two is at fault.
 */
#ifndef GRI_TRANSPORT_X509_H
#define GRI_TRANSPORT_X509_H

#include <openssl/ssl.h>
#include <stdbool.h>

enum { GRI_X509_TEXT = 96 /* bytes of a text, with its end */ };

/* What is wrong: the key, or else the certificate; and how, for the log. */
typedef struct gri_x509_fault {
    bool of_key;
    char text[GRI_X509_TEXT];
} gri_x509_fault;

/*
 * Each reads a text in PEM into ctx: the authorities that are believed, and
 * their lists of what they have revoked; the own key; its certificate, and
 * behind it those up to an authority. In this order. Errors: GR_EFORMAT (it is
 * not that), GR_ENOMEM.
 */
int gri_x509_trust(SSL_CTX *ctx, const char *text);
int gri_x509_key(SSL_CTX *ctx, const char *text);
int gri_x509_show(SSL_CTX *ctx, const char *text);

/* Whether each certificate that ctx shows is valid at this moment, by the
 * system's clock, and the key fits the first. Errors: GR_EEXPIRED, GR_EFORMAT
 * (the key of another): with *fault; GR_ENOMEM. */
int gri_x509_check(SSL_CTX *ctx, gri_x509_fault *fault);

/* Has the certificate's authority, by its name, given a list of what it has
 * revoked? */
bool gri_x509_has_list(const X509_STORE *store, const X509 *certificate);

/* Whether a certificate is for that name, to the letter: one of its
 * alternative names, or its only common name, is that. */
bool gri_x509_is_for(const X509 *certificate, const char *name);
/* The same for a host by its number: one of its addresses, or a name that is
 * written so; nothing that stands for many. */
bool gri_x509_is_for_host(X509 *certificate, const char *host);

/* After a function of OpenSSL has failed: was it for want of memory? Forgets
 * what OpenSSL remembers of it. */
bool gri_x509_is_no_memory(void);

#endif /* GRI_TRANSPORT_X509_H */
