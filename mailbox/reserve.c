/* mailbox/reserve.c - see reserve.h. */
#include "mailbox/reserve.h"

#include <greenroom/error.h>

#include "base/assert.h"

enum {
    BYTES = 256 /* of a block: room for a message of GRI_RESERVE_ROOM */
};

_Static_assert(sizeof(gr_msg) + GRI_RESERVE_ROOM + sizeof(gri_trailer) <= BYTES,
               "it has room");

int gri_reserve_init(gri_depot *depot)
{
    gri_reserve *r = &depot->reserve;
    r->count = gri_slabs_take(&depot->slabs, gri_class_of(BYTES), r->block,
                              GRI_RESERVE);
    r->max = r->count;
    return r->count == GRI_RESERVE ? 0 : GR_ENOMEM;
}

/* Under the lock. */
static void note_low(gri_reserve *r)
{
    /* relaxed: who finds it a moment late makes it up the next time. */
    atomic_store_explicit(&r->low, r->count < r->max, memory_order_relaxed);
}

/* True: the reserve has taken it. */
static bool lay_aside(gri_depot *depot, void *block)
{
    gri_reserve *r = &depot->reserve;
    (void)pthread_mutex_lock(&depot->lock);
    const bool takes = r->count < r->max;
    if (takes) {
        r->block[r->count++] = block;
        note_low(r);
    }
    (void)pthread_mutex_unlock(&depot->lock);
    return takes;
}

/* There is memory: what was taken is laid aside again. */
static void make_up(gri_cache *cache)
{
    uint8_t class_;
    void *block = gri_block_alloc(cache, BYTES, &class_);
    if (block != NULL && !lay_aside(cache->depot, block)) {
        gri_block_free(cache, block, class_);
    }
}

static gr_msg *take(gri_depot *depot)
{
    gri_reserve *r = &depot->reserve;
    (void)pthread_mutex_lock(&depot->lock);
    void *block = r->count > 0 ? r->block[--r->count] : NULL;
    note_low(r);
    (void)pthread_mutex_unlock(&depot->lock);
    return block == NULL ? NULL
                         : gri_msg_init(block, (uint8_t)gri_class_of(BYTES));
}

gr_msg *gri_msg_signal_sure(gri_cache *cache, gri_msg_kind kind,
                            const void *payload, size_t len)
{
    GR_DASSERT(len <= GRI_RESERVE_ROOM);
    gr_msg *msg = gri_msg_signal(cache, kind, payload, len);
    if (msg != NULL) {
        /* relaxed: as in note_low. */
        if (atomic_load_explicit(&cache->depot->reserve.low,
                                 memory_order_relaxed)) {
            make_up(cache);
        }
        return msg;
    }
    msg = take(cache->depot);
    if (msg != NULL) {
        gri_msg_be_signal(msg, kind, payload, len);
    }
    return msg;
}
