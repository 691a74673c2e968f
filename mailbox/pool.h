/*
 * mailbox/pool.h - memory for messages: blocks of a few sizes, recycled.
 *
 * Each thread that makes or frees messages has a cache of free blocks. A cache
 * that runs empty takes a magazine (a full array of blocks) from the depot that
 * the system's threads share; one that runs over gives a magazine back. So
 * blocks travel freely between threads at the price of one lock for each
 * GRI_MAGAZINE blocks. The idea is Bonwick and Adams' magazine allocator
 * (2001).
 */
#ifndef GRI_MAILBOX_POOL_H
#define GRI_MAILBOX_POOL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GRI_CLASSES = 7,     /* 64, 128, ... 4096 bytes */
    GRI_CLASS_FIRST = 6, /* log2 of the smallest */
    GRI_MAGAZINE = 32,   /* blocks that move at once */
    GRI_CLASS_HEAP = 255 /* larger: from malloc, and back to it */
};

typedef struct gri_magazine gri_magazine;
typedef struct gri_slab gri_slab;

/* The shared half, one for each system. */
typedef struct gri_depot {
    pthread_mutex_t lock;
    gri_magazine *full[GRI_CLASSES];  /* under lock */
    gri_magazine *empty[GRI_CLASSES]; /* under lock: shells without blocks */
    gri_slab *slabs;                  /* under lock: all memory, for fini */
} gri_depot;

/* One thread's half: two magazines' worth of blocks for each class. */
typedef struct gri_cache {
    gri_depot *depot;
    uint32_t count[GRI_CLASSES];
    void *block[GRI_CLASSES][2 * GRI_MAGAZINE];
} gri_cache;

/* Returns 0 or GR_ENOMEM. */
int gri_depot_init(gri_depot *depot);
/* Frees all blocks of all caches: nobody may use one after it. */
void gri_depot_fini(gri_depot *depot);

void gri_cache_init(gri_cache *cache, gri_depot *depot);
/* Gives every block back to the depot. */
void gri_cache_flush(gri_cache *cache);

/* The class of blocks of at least `size` bytes; from GRI_CLASSES on: none. */
static inline unsigned gri_class_of(size_t size)
{
    if (size <= (size_t)1 << GRI_CLASS_FIRST) {
        return 0;
    }
    /* The position of the highest bit of size - 1 is log2 rounded up. */
    return (unsigned)(64 - __builtin_clzll(size - 1)) - GRI_CLASS_FIRST;
}

/* What the two functions below do where the cache cannot help. */
void *gri_block_alloc_slow(gri_cache *cache, size_t size, uint8_t *class_out);
void gri_block_free_slow(gri_cache *cache, void *block, uint8_t class_);

/* The next block of a class of which there is one. The one after it is made
 * ready to be written: in a crowd it was last used long ago. */
static inline void *gri_block_pop(gri_cache *cache, unsigned class_)
{
    const uint32_t n = --cache->count[class_];
    if (n > 0) {
        __builtin_prefetch(cache->block[class_][n - 1], 1);
    }
    return cache->block[class_][n];
}

/*
 * A block of at least `size` bytes, or NULL when there is no memory; *class_out
 * is what gri_block_free wants to know. The block's real size is
 * gri_class_size(class, size). Inline, as every message is one of each.
 */
static inline void *gri_block_alloc(gri_cache *cache, size_t size,
                                    uint8_t *class_out)
{
    unsigned class_ = gri_class_of(size);
    if (class_ < GRI_CLASSES && cache->count[class_] > 0) {
        *class_out = (uint8_t)class_;
        return gri_block_pop(cache, class_);
    }
    return gri_block_alloc_slow(cache, size, class_out);
}

static inline void gri_block_free(gri_cache *cache, void *block, uint8_t class_)
{
    if (class_ < GRI_CLASSES &&
        cache->count[class_] < 2 * (uint32_t)GRI_MAGAZINE) {
        cache->block[class_][cache->count[class_]++] = block;
        return;
    }
    gri_block_free_slow(cache, block, class_);
}

/* The bytes that a request of `size` really gets. */
static inline size_t gri_class_size(uint8_t class_, size_t size)
{
    return class_ == GRI_CLASS_HEAP ? size
                                    : (size_t)1 << (class_ + GRI_CLASS_FIRST);
}

#endif /* GRI_MAILBOX_POOL_H */
