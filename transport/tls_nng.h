/*
 * transport/tls_nng.h - TLS over streams of NNG, where a host is to be looked
 * up.
 *
 * It is TLS 1.2, as of session.h; and NNG's engines take what TLS 1.3 sends
 * behind the handshake for errors. Whoever listens can see for whom a
 * certificate is only where NNG tells (gri_tls_nng_tells_names; from 1.6 on).
 */
#ifndef GRI_TRANSPORT_TLS_NNG_H
#define GRI_TRANSPORT_TLS_NNG_H

#include <nng/nng.h>

#include "transport/tls.h"

/* Can whoever listens learn the name in a certificate? */
bool gri_tls_nng_tells_names(void);

/* A dialer and a listener for an address of TLS that has passed
 * gri_address_check. tls may be NULL: GR_EINVAL. Errors: GR_ENOMEM,
 * GR_EADDRESS, GR_EFORMAT (NNG's library does not know such a key or
 * certificate), GR_ENOTSUP (NNG was built without TLS). */
int gri_tls_nng_dialer(const gri_tls *tls, const char *address,
                       nng_stream_dialer **out);
int gri_tls_nng_listener(const gri_tls *tls, const char *address,
                         nng_stream_listener **out);

/*
 * Whether the other side of an open stream has shown a certificate for that
 * name: 1, or 0: for another. GR_ENOTSUP: NNG does not tell, or it is no TLS.
 * GR_ENOMEM.
 */
int gri_tls_nng_names(nng_stream *stream, const char *name);

#endif /* GRI_TRANSPORT_TLS_NNG_H */
