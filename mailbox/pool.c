/* mailbox/pool.c - see pool.h for how blocks travel. */
#include "mailbox/pool.h"

#include <stdlib.h>

#include <greenroom/error.h>

#include "base/assert.h"

enum {
    SLAB_BLOCKS = 2 * GRI_MAGAZINE /* blocks cut from one piece of memory */
};

struct gri_magazine {
    gri_magazine *next;
    uint32_t count; /* of blocks: not all, if a cache's end left fewer */
    void *block[GRI_MAGAZINE];
};

struct gri_slab {
    gri_slab *next;
    void *memory;
};

int gri_depot_init(gri_depot *depot)
{
    *depot = (gri_depot){.slabs = NULL};
    return pthread_mutex_init(&depot->lock, NULL) == 0 ? 0 : GR_ENOMEM;
}

static void free_magazines(gri_magazine *magazine)
{
    while (magazine != NULL) {
        gri_magazine *next = magazine->next;
        free(magazine);
        magazine = next;
    }
}

void gri_depot_fini(gri_depot *depot)
{
    for (unsigned i = 0; i < GRI_CLASSES; i++) {
        free_magazines(depot->full[i]);
        free_magazines(depot->empty[i]);
    }
    while (depot->slabs != NULL) {
        gri_slab *slab = depot->slabs;
        depot->slabs = slab->next;
        free(slab->memory);
        free(slab);
    }
    (void)pthread_mutex_destroy(&depot->lock); /* nobody holds it any more */
}

void gri_cache_init(gri_cache *cache, gri_depot *depot)
{
    cache->depot = depot;
    for (unsigned i = 0; i < GRI_CLASSES; i++) {
        cache->count[i] = 0;
    }
}

/* Cuts new memory into blocks for an empty cache. */
static void refill_from_slab(gri_cache *cache, unsigned class_)
{
    gri_depot *depot = cache->depot;
    size_t size = gri_class_size((uint8_t)class_, 0);
    gri_slab *slab = malloc(sizeof *slab);
    char *memory = aligned_alloc(64, size * SLAB_BLOCKS);
    if (slab == NULL || memory == NULL) {
        free(slab);
        free(memory);
        return;
    }
    slab->memory = memory;
    (void)pthread_mutex_lock(&depot->lock);
    slab->next = depot->slabs;
    depot->slabs = slab;
    (void)pthread_mutex_unlock(&depot->lock);
    /* Backwards, so that blocks come out in the order of their addresses. */
    for (unsigned i = SLAB_BLOCKS; i > 0; i--) {
        cache->block[class_][cache->count[class_]++] = memory + (i - 1) * size;
    }
}

static void refill(gri_cache *cache, unsigned class_)
{
    gri_depot *depot = cache->depot;
    (void)pthread_mutex_lock(&depot->lock);
    gri_magazine *magazine = depot->full[class_];
    if (magazine != NULL) {
        depot->full[class_] = magazine->next;
        for (unsigned i = 0; i < magazine->count; i++) {
            cache->block[class_][i] = magazine->block[i];
        }
        cache->count[class_] = magazine->count;
        magazine->next = depot->empty[class_];
        depot->empty[class_] = magazine;
    }
    (void)pthread_mutex_unlock(&depot->lock);
    if (magazine == NULL) {
        refill_from_slab(cache, class_);
    }
}

/* Moves one magazine's worth to the depot. Without memory for a new shell the
 * blocks are lost to reuse until the system's end; the slabs still own them. */
static void spill(gri_cache *cache, unsigned class_, unsigned n)
{
    gri_depot *depot = cache->depot;
    (void)pthread_mutex_lock(&depot->lock);
    gri_magazine *magazine = depot->empty[class_];
    if (magazine != NULL) {
        depot->empty[class_] = magazine->next;
    } else {
        magazine = malloc(sizeof *magazine);
    }
    if (magazine != NULL) {
        magazine->count = n;
        for (unsigned i = 0; i < n; i++) {
            magazine->block[i] =
                cache->block[class_][cache->count[class_] - n + i];
        }
        magazine->next = depot->full[class_];
        depot->full[class_] = magazine;
    }
    (void)pthread_mutex_unlock(&depot->lock);
    cache->count[class_] -= n;
}

void gri_cache_flush(gri_cache *cache)
{
    for (unsigned i = 0; i < GRI_CLASSES; i++) {
        while (cache->count[i] > 0) {
            uint32_t n = cache->count[i];
            spill(cache, i, n < GRI_MAGAZINE ? n : GRI_MAGAZINE);
        }
    }
}

void *gri_block_alloc_slow(gri_cache *cache, size_t size, uint8_t *class_out)
{
    unsigned class_ = gri_class_of(size);
    if (class_ >= GRI_CLASSES) {
        *class_out = GRI_CLASS_HEAP;
        return malloc(size);
    }
    refill(cache, class_);
    if (cache->count[class_] == 0) {
        return NULL;
    }
    *class_out = (uint8_t)class_;
    return cache->block[class_][--cache->count[class_]];
}

void gri_block_free_slow(gri_cache *cache, void *block, uint8_t class_)
{
    if (class_ >= GRI_CLASSES) {
        GR_DASSERT(class_ == GRI_CLASS_HEAP);
        free(block);
        return;
    }
    spill(cache, class_, GRI_MAGAZINE);
    cache->block[class_][cache->count[class_]++] = block;
}
