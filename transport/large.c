/* transport/large.c - see large.h. */
#include "transport/large.h"

#include <string.h>

#include <greenroom/error.h>

#include "base/assert.h"
#include "transport/frame.h"
#include "transport/outbox.h"

_Static_assert((size_t)GRI_SEND_HEAD <= (size_t)GRI_PAYLOAD_AT,
               "it stands over the message's own");
_Static_assert((size_t)GRI_LARGE_MIN > (size_t)GRI_BATCH_BYTES, "one message");
_Static_assert((size_t)GRI_LARGE_OVER <= (size_t)GRI_BUFFER_MIN,
               "there is room");

int gri_large_begin(gri_large *l, gri_cache *cache, const uint8_t *p, size_t n,
                    size_t need)
{
    GR_DASSERT(l->block == NULL && n < need && need >= GRI_LARGE_MIN);
    l->block = gri_block_alloc(
        cache, GRI_PAYLOAD_AT - GRI_SEND_HEAD + need + GRI_LARGE_OVER,
        &l->class_);
    if (l->block == NULL) {
        return GR_ENOMEM;
    }
    l->need = need;
    l->len = n;
    memcpy(gri_large_frame(l), p, n);
    return 0;
}

uint8_t *gri_large_frame(const gri_large *l)
{
    return (uint8_t *)l->block + GRI_PAYLOAD_AT - GRI_SEND_HEAD;
}

uint8_t *gri_large_room(const gri_large *l, size_t *n)
{
    *n = l->need + GRI_LARGE_OVER - l->len;
    return gri_large_frame(l) + l->len;
}

void gri_large_add(gri_large *l, size_t n, gri_buffer *over)
{
    l->len += n;
    if (l->len > l->need) {
        gri_buffer_put(over, gri_large_frame(l) + l->need, l->len - l->need);
        l->len = l->need;
    }
}

gr_msg *gri_large_take(gri_large *l)
{
    gr_msg *msg = gri_msg_init(l->block, l->class_);
    l->block = NULL;
    return msg;
}

void gri_large_drop(gri_large *l, gri_cache *cache)
{
    if (l->block != NULL) {
        gri_block_free(cache, l->block, l->class_);
        l->block = NULL;
    }
}
