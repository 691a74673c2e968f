/*
 * transport/session.h - TLS over one socket, by OpenSSL.
 *
 * TLS 1.2: there each side learns within the handshake that the other does not
 * like its certificate. Both show one that an authority of the other's file has
 * signed; who dials also sees that it is for whom it dialed.
 *
 * Nothing here blocks, raises SIGPIPE, or is thread-safe.
 */
#ifndef GRI_TRANSPORT_SESSION_H
#define GRI_TRANSPORT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/tls.h"

typedef struct gri_session gri_session;

/*
 * A session over fd, which stays the caller's, and open until it is freed.
 * address: dialed, of TLS; NULL: it was accepted. Owns: gives *out, which uses
 * tls until then. Errors: GR_ENOMEM.
 */
int gri_session_new(const gri_tls *tls, int fd, const char *address,
                    gri_session **out);
/* Says goodbye if it can: nothing is written after it, without the other end
 * knowing that all came. */
void gri_session_bye(gri_session *s);
/* NULL is fine. */
void gri_session_free(gri_session *s);

/* Goes on with the handshake, which takes a millisecond of a processor for each
 * of its steps. 1: it is done. 0: it waits for the socket. Errors: GR_EDENIED
 * (a certificate, or no TLS, or too much of it), GR_ENOCONN. */
int gri_session_shake(gri_session *s);
/* After the handshake. Return bytes, perhaps not all of n; 0: the socket has,
 * or takes, no more now: the next write has the same bytes. Errors: GR_ENOCONN,
 * GR_EDENIED (it is broken). */
int64_t gri_session_read(gri_session *s, void *buf, size_t n);
int64_t gri_session_write(gri_session *s, const void *buf, size_t n);

/* After the handshake: is the other end's certificate for that name? */
bool gri_session_is_with(const gri_session *s, const char *name);

/* Reads the texts into the context that sessions share. Errors: as of
 * gri_tls_new; *at: the text that is at fault. */
int gri_session_context(gri_tls *tls, const char **at);
/* Frees what that has made. */
void gri_session_forget(gri_tls *tls);

#endif /* GRI_TRANSPORT_SESSION_H */
