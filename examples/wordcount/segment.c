/* wordcount/segment.c - writes and reads parts of files. */
#include "segment.h"

#include <string.h>

#include "error.h"
#include "varint.h"

int wc_segment_put(wc_buffer *to, const wc_segment *segment)
{
    const size_t path_size = strlen(segment->path) + 1;
    const int rc = wc_buffer_reserve(to, path_size + (size_t)3 * WC_VARINT_MAX);
    if (rc < 0) {
        return rc;
    }
    uint8_t *at = wc_varint_put(to->bytes + to->size, path_size);
    memcpy(at, segment->path, path_size);
    at = wc_varint_put(at + path_size, segment->offset);
    at = wc_varint_put(at, segment->len);
    to->size = (size_t)(at - to->bytes);
    return 0;
}

int wc_segment_get(const uint8_t **at, const uint8_t *end, wc_segment *out)
{
    const uint8_t *p = *at;
    uint64_t path_size;
    if (!wc_varint_get(&p, end, &path_size) || path_size == 0 ||
        path_size > (size_t)(end - p) || p[path_size - 1] != '\0') {
        return GR_EFORMAT;
    }
    const uint8_t *path = p;
    p += path_size;
    if (!wc_varint_get(&p, end, &out->offset) ||
        !wc_varint_get(&p, end, &out->len)) {
        return GR_EFORMAT;
    }
    out->path = (const char *)path;
    *at = p;
    return 0;
}
