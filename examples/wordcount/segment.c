/* wordcount/segment.c - writes and reads parts of files. */
#include "segment.h"

#include <string.h>

#include "error.h"
#include "varint.h"

/* How many bytes two texts have in common at their beginning: paths of some
 * hundred bytes, so eight at a time. */
static size_t common(const uint8_t *a, size_t a_len, const uint8_t *b,
                     size_t b_len)
{
    const size_t most = a_len < b_len ? a_len : b_len;
    size_t n = 0;
    while (most - n >= sizeof(uint64_t) &&
           memcmp(a + n, b + n, sizeof(uint64_t)) == 0) {
        n += sizeof(uint64_t);
    }
    while (n < most && a[n] == b[n]) {
        n++;
    }
    return n;
}

/* The path becomes its first `kept` bytes and then the rest. It has the room
 * for them and a zero byte. */
static void set_path(wc_buffer *path, size_t kept, const uint8_t *rest,
                     size_t rest_len)
{
    memcpy(path->bytes + kept, rest, rest_len);
    path->size = kept + rest_len;
    path->bytes[path->size] = '\0';
}

static int reserve_path(wc_buffer *path, size_t len)
{
    return len < path->size ? 0 : wc_buffer_reserve(path, len + 1 - path->size);
}

int wc_segment_put(wc_buffer *to, wc_buffer *last, const wc_segment *segment)
{
    const uint8_t *path = (const uint8_t *)segment->path;
    const size_t len = strlen(segment->path);
    const size_t kept = common(last->bytes, last->size, path, len);
    const size_t rest_len = len - kept;
    GR_TRY(wc_buffer_reserve(to, rest_len + (size_t)4 * WC_VARINT_MAX));
    GR_TRY(reserve_path(last, len));
    uint8_t *at = wc_varint_put(to->bytes + to->size, kept);
    at = wc_varint_put(at, rest_len);
    memcpy(at, path + kept, rest_len);
    at = wc_varint_put(at + rest_len, segment->offset);
    at = wc_varint_put(at, segment->len + 1); /* WC_TO_END becomes 0 */
    to->size = (size_t)(at - to->bytes);
    set_path(last, kept, path + kept, rest_len);
    return 0;
}

int wc_segment_get(const uint8_t **at, const uint8_t *end, wc_buffer *last,
                   wc_segment *out)
{
    const uint8_t *p = *at;
    uint64_t kept, rest_len, offset, len;
    if (!wc_varint_get(&p, end, &kept) || kept > last->size ||
        !wc_varint_get(&p, end, &rest_len) || rest_len > (size_t)(end - p) ||
        kept + rest_len == 0) {
        return GR_EFORMAT;
    }
    const uint8_t *rest = p;
    p += rest_len;
    if (!wc_varint_get(&p, end, &offset) || !wc_varint_get(&p, end, &len)) {
        return GR_EFORMAT;
    }
    GR_TRY(reserve_path(last, (size_t)(kept + rest_len)));
    set_path(last, (size_t)kept, rest, (size_t)rest_len);
    *out = (wc_segment){
        .path = (const char *)last->bytes, .offset = offset, .len = len - 1};
    *at = p;
    return 0;
}
