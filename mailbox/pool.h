/*
 * mailbox/pool.h - memory for messages and small states: blocks of a few sizes,
 * recycled.
 *
 * Each thread that makes or frees messages has a cache of free blocks: for each
 * class a loaded magazine (an array of blocks), and a spare one that is full or
 * empty. A cache that runs empty takes a full magazine from the depot that the
 * system's threads share, for an empty one; one that runs over does the
 * reverse. So blocks travel freely between threads at the price of one lock and
 * two pointers for each magazine. When the depot has no full ones, blocks come
 * from the slabs (slab.h).
 *
 * The depot gives memory back: of each kind of magazine it remembers how few
 * lay there at any time in a round of half a second. Those were not needed, and
 * their blocks are retired to the slabs. So what is taken and brought again
 * within that time stays, and a burst's memory goes. The pool has no thread:
 * whoever owns the depot is told when there is more than a little in it, and
 * calls gri_depot_reap then.
 *
 * Larger blocks are malloc's. Up to 64 KiB of payload the depot keeps them as
 * it keeps magazines, in a few sizes: malloc would give such memory back to the
 * system at once, and who gets it anew pays for each page as much as for the
 * message's bytes.
 *
 * The idea is Bonwick and Adams' magazine allocator (2001).
 */
#ifndef GRI_MAILBOX_POOL_H
#define GRI_MAILBOX_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mailbox/slab.h"

enum {
    GRI_CLASS_MSG = 1, /* of the smallest message: 64 bytes */
    /* Larger, of GRI_LARGE sizes: from malloc, and kept by the depot. */
    GRI_CLASS_LARGE = GRI_CLASSES,
    GRI_LARGE = 4,
    GRI_CLASS_HEAP = 127, /* still larger: from malloc, and back to it */
    GRI_CLASS_OWNS = 128, /* flag: a message that owns blobs (blob.h), which
                             are freed with it. A class of its own, so that
                             nothing else looks for them */
    /* Blocks of a full magazine, if they are small: as many as make it a block
     * of 512 bytes itself. */
    GRI_MAGAZINE = 60,
    GRI_AHEAD = 3, /* blocks: see gri_block_pop */
    /* Of a depot: for each class (large blocks stand there as magazines of
     * nothing), and one of empty magazines. */
    GRI_SHELVES = GRI_CLASS_LARGE + GRI_LARGE + 1,
    /* Bytes of a large block: the first size, twice that, and so on; and for
     * what is around a payload. */
    GRI_LARGE_FIRST = 8 * 1024,
    GRI_LARGE_EXTRA = 512
};

/* How long the depot watches what is needed before it decides. */
#define GRI_REAP_ROUND_NS (500 * GRI_NS_PER_MS)

typedef struct gri_magazine gri_magazine;

/* Magazines of one kind. Under the depot's lock. */
typedef struct gri_shelf {
    gri_magazine *first;
    uint32_t count;
    uint32_t low;     /* the least count in this round */
    uint32_t surplus; /* that many are still to be reaped */
    uint32_t keep;    /* constant: that many are never reaped */
} gri_shelf;

/* What reserve.h lays aside: a death may have to be told to so many, and so
 * many questions be answered, before there is memory again. */
enum { GRI_RESERVE = 256 };
typedef struct gri_reserve {
    uint32_t count, max; /* max: 0 until there is one */
    void *block[GRI_RESERVE];
    _Atomic(bool) low; /* count < max; written under the lock */
} gri_reserve;

/* The shared half, one for each system. */
typedef struct gri_depot {
    pthread_mutex_t lock;
    gri_reserve reserve;          /* under lock */
    gri_shelf shelf[GRI_SHELVES]; /* under lock */
    int64_t round_ns;             /* under lock: when the round ends */
    bool tended;                  /* under lock: gri_depot_reap will come */
    bool (*wanted)(void *arg);    /* constant, or NULL: see gri_depot_tend */
    void *wanted_arg;
    gri_slabs slabs;
} gri_depot;

/* A loaded magazine, open: blocks from bottom to below top. All NULL: none. */
typedef struct gri_stack {
    void **top, **bottom, **limit;
    gri_magazine *spare; /* full, empty, or NULL */
} gri_stack;

/* One thread's half. The smallest messages are taken from one magazine and
 * freed into another, so that they are used in turn: who knows one of a stream
 * knows where the next ones stand (message.h). Larger blocks are used again at
 * once, while they are in the cache of the processor. */
typedef struct gri_cache {
    gri_depot *depot;
    gri_stack source; /* of GRI_CLASS_MSG */
    gri_stack stack[GRI_CLASSES];
} gri_cache;

/* Where blocks of a class are taken from. */
static inline gri_stack *gri_source(gri_cache *cache, unsigned class_)
{
    return class_ == GRI_CLASS_MSG ? &cache->source : &cache->stack[class_];
}

/* Returns 0 or GR_ENOMEM. */
int gri_depot_init(gri_depot *depot);
/* Frees all blocks of all caches: nobody may use one after it. */
void gri_depot_fini(gri_depot *depot);

/* Before other threads use the depot: `wanted` is called, by whoever frees a
 * block and under no lock of the pool, when from GRI_REAP_ROUND_NS later on
 * gri_depot_reap is to be called; once, until that has returned GRI_NEVER.
 * False: it is not possible now, and it is called again some time. */
void gri_depot_tend(gri_depot *depot, bool (*wanted)(void *arg), void *arg);
/* One thread at a time. Gives some memory back, in a bounded time. Returns when
 * it is to be called again, or GRI_NEVER. */
int64_t gri_depot_reap(gri_depot *depot, int64_t now_ns);
/* gri_depot_reap was promised, and will not come. */
void gri_depot_untend(gri_depot *depot);

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

/* Whether a block of that class, which owns nothing, is from malloc. */
static inline bool gri_is_large(uint8_t class_)
{
    return class_ >= GRI_CLASS_LARGE && class_ <= GRI_CLASS_HEAP;
}

/* Frees a block that is from malloc, by who has no cache. depot NULL: to
 * malloc. Any thread. */
void gri_large_free(gri_depot *depot, void *block, uint8_t class_);

/* What the two functions below do where the cache cannot help. */
void *gri_block_alloc_slow(gri_cache *cache, size_t size, uint8_t *class_out);
void gri_block_free_slow(gri_cache *cache, void *block, uint8_t class_);

/* Whether the cache has a block of the class. */
static inline bool gri_block_at_hand(gri_cache *cache, unsigned class_)
{
    const gri_stack *stack = gri_source(cache, class_);
    return stack->top != stack->bottom;
}

/* The one that will be popped as the GRI_AHEAD-th after the one just popped, if
 * no block is freed meanwhile; NULL: not known. */
static inline const void *gri_block_ahead(gri_cache *cache, unsigned class_)
{
    return gri_source(cache, class_)->top[-GRI_AHEAD];
}

/* The next block of a class of which there is one. One that comes soon is made
 * ready to be written: it was last used long ago, or on another processor, and
 * the exchange that sends a message waits for all that was written to it.
 * (Below the last ones stand null pointers: nothing to be made ready, and no
 * harm.) */
static inline void *gri_block_pop(gri_cache *cache, unsigned class_)
{
    gri_stack *stack = gri_source(cache, class_);
    void **top = --stack->top;
    gri_prefetch_write(top[-GRI_AHEAD]);
    return *top;
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
    if (class_ < GRI_CLASSES && gri_block_at_hand(cache, class_)) {
        *class_out = (uint8_t)class_;
        return gri_block_pop(cache, class_);
    }
    return gri_block_alloc_slow(cache, size, class_out);
}

static inline void gri_block_free(gri_cache *cache, void *block, uint8_t class_)
{
    const size_t i = class_;
    if (i < GRI_CLASSES) {
        gri_stack *stack = &cache->stack[i];
        if (stack->top != stack->limit) {
            *stack->top++ = block;
            return;
        }
    }
    gri_block_free_slow(cache, block, class_);
}

/* The bytes that a request of `size` really gets. */
static inline size_t gri_class_size(uint8_t class_, size_t size)
{
    if (class_ < GRI_CLASSES) {
        return (size_t)1 << (class_ + GRI_CLASS_FIRST);
    }
    return class_ == GRI_CLASS_HEAP
               ? size
               : ((size_t)GRI_LARGE_FIRST << (class_ - GRI_CLASS_LARGE)) +
                     GRI_LARGE_EXTRA;
}

#endif /* GRI_MAILBOX_POOL_H */
