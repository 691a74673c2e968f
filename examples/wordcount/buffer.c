/* wordcount/buffer.c - see buffer.h. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

#define BUFFER_FIRST (4u << 10) /* bytes */

int wc_buffer_reserve(wc_buffer *buffer, size_t n)
{
    if (buffer->room - buffer->size >= n) {
        return 0;
    }
    if (n > SIZE_MAX / 2 - buffer->size - BUFFER_FIRST) {
        return GR_ENOMEM;
    }
    /* More by half, so that n appends copy some 3 n bytes at most. */
    const size_t room = (buffer->size + n) / 2 * 3 + BUFFER_FIRST;
    uint8_t *bytes = realloc(buffer->bytes, room);
    if (bytes == NULL) {
        return GR_ENOMEM;
    }
    buffer->bytes = bytes;
    buffer->room = room;
    return 0;
}

int wc_buffer_append(wc_buffer *buffer, const void *bytes, size_t n)
{
    const int rc = wc_buffer_reserve(buffer, n);
    if (rc == 0 && n > 0) {
        memcpy(buffer->bytes + buffer->size, bytes, n);
        buffer->size += n;
    }
    return rc;
}

void wc_buffer_fini(wc_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (wc_buffer){0};
}
