/* transport/secret.c - see secret.h. */
#include "transport/secret.h"

#include <string.h>

#include "transport/file.h"

static int key_of(uint8_t key[GRI_KEY_BYTES], gr_bytes secret)
{
    if (secret.len < GR_SECRET_MIN || secret.len > GR_SECRET_MAX) {
        return GR_EINVAL;
    }
    gri_handshake_key(key, secret);
    return 0;
}

static int key_of_file(uint8_t key[GRI_KEY_BYTES], const char *file)
{
    uint8_t buf[GR_SECRET_MAX + 2]; /* a newline, and to see one too many */
    int64_t n = gri_file_read(file, GRI_FILE_SECRET, buf, sizeof buf);
    if (n > 0 && buf[n - 1] == '\n') {
        n--;
    }
    int rc = n < 0 ? (int)n : key_of(key, (gr_bytes){buf, (uint32_t)n});
    explicit_bzero(buf, sizeof buf);
    return rc;
}

int gri_secret_key(uint8_t key[GRI_KEY_BYTES], const char *file,
                   gr_bytes secret)
{
    bool given = secret.ptr != NULL && secret.len > 0;
    if ((file != NULL) == given) {
        return GR_EINVAL;
    }
    return file != NULL ? key_of_file(key, file) : key_of(key, secret);
}
