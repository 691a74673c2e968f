/* transport/secret.h - where the secret of a node comes from. */
#ifndef GRI_TRANSPORT_SECRET_H
#define GRI_TRANSPORT_SECRET_H

#include "transport/handshake.h"

/*
 * Makes the key from a secret, or from a file that holds one: all of its bytes
 * but one newline at the end. Nothing else remembers it.
 * Errors: GR_EINVAL (none, both, under GR_SECRET_MIN or over GR_SECRET_MAX
 * bytes), GR_EDENIED (the file is not a plain one that only its owner, who is
 * us or root, may read), GR_ENOENT, GR_EIO.
 */
int gri_secret_key(uint8_t key[GRI_KEY_BYTES], const char *file,
                   gr_bytes secret);

#endif /* GRI_TRANSPORT_SECRET_H */
