/* transport/buffer.c - see buffer.h. */
#include "transport/buffer.h"

#include <stdlib.h>
#include <string.h>

#include <greenroom/error.h>

#include "base/assert.h"

void gri_buffer_fini(gri_buffer *b)
{
    free(b->data);
    *b = (gri_buffer){.data = NULL};
}

int gri_buffer_reserve(gri_buffer *b, size_t n)
{
    if (n <= b->cap - b->len) {
        return 0;
    }
    if (n > SIZE_MAX / 4 - b->len) {
        return GR_ENOMEM;
    }
    size_t cap = b->cap == 0 ? GRI_BUFFER_MIN : b->cap;
    while (cap - b->len < n) {
        cap *= 2;
    }
    uint8_t *data = realloc(b->data, cap);
    if (data == NULL) {
        return GR_ENOMEM;
    }
    b->data = data;
    b->cap = cap;
    return 0;
}

void gri_buffer_put(gri_buffer *b, const void *p, size_t n)
{
    GR_DASSERT(n <= b->cap - b->len);
    if (n > 0) {
        memcpy(b->data + b->len, p, n);
        b->len += n;
    }
}

void gri_buffer_drop(gri_buffer *b, size_t n)
{
    GR_DASSERT(n <= b->len);
    if (n > 0) {
        memmove(b->data, b->data + n, b->len - n);
        b->len -= n;
    }
}

void gri_buffer_shrink(gri_buffer *b, size_t cap)
{
    if (b->len > 0 || b->cap <= cap) {
        return;
    }
    /* Free and not realloc: nothing in it is worth copying. */
    gri_buffer_fini(b);
}
