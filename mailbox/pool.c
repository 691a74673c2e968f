/*
 * mailbox/pool.c - see pool.h for how blocks travel.
 *
 * A magazine without blocks, a shell, is itself a block of the pool: shells
 * pile up as blocks do, in the depot after a burst, and have to go as they do.
 */
#include "mailbox/pool.h"

#include <stdlib.h>

#include <greenroom/error.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/poison.h"
#include "mailbox/blob.h"

enum {
    EMPTY = GRI_SHELVES - 1, /* the shelf of shells */
    CLASS_SHELL = 4,         /* 512 bytes */

    /* A full magazine holds at most 16 KiB, so that the caches of many threads
     * do not add up to much, but 8 blocks at least. */
    MAGAZINE_BYTES = 16 * 1024,
    MAGAZINE_MIN = 8,

    /* Bytes on a shelf that are never reaped: what little there is in a small
     * program is not worth the page faults. */
    KEEP_BYTES = 256 * 1024,
    LARGE_MAX = 32, /* times as much of one large size: more is malloc's */

    /* What one call of gri_depot_reap does: some 100 us of work. */
    REAP_MAGAZINES = 256,
    REAP_SLABS = 8
};

/* Between two such calls: the worker that reaps has other things to do. */
#define REAP_PAUSE_NS GRI_NS_PER_MS

struct gri_magazine {
    uint32_t count; /* of blocks: not all, if a cache's end left fewer */
    union {
        gri_magazine *next;       /* on the shelf */
        void *nothing[GRI_AHEAD]; /* loaded: NULL, see gri_block_pop */
    };
    void *slot[GRI_MAGAZINE];
};

_Static_assert(sizeof(gri_magazine) == (size_t)1
                                           << (CLASS_SHELL + GRI_CLASS_FIRST),
               "a magazine is a block");

/* How many blocks a magazine of that class takes. */
static uint32_t room_of(unsigned class_)
{
    uint32_t n = MAGAZINE_BYTES >> (class_ + GRI_CLASS_FIRST);
    n = n < MAGAZINE_MIN ? MAGAZINE_MIN : n;
    return n > GRI_MAGAZINE ? GRI_MAGAZINE : n;
}

/* The class of so many bytes, which are too many for a magazine. */
static uint8_t large_of(size_t size)
{
    uint8_t class_ = GRI_CLASS_LARGE;
    while (class_ < EMPTY && gri_class_size(class_, 0) < size) {
        class_++;
    }
    return class_ < EMPTY ? class_ : GRI_CLASS_HEAP;
}

/* Whether a large block stands there for each magazine. */
static bool is_large(unsigned shelf)
{
    return shelf >= GRI_CLASS_LARGE && shelf < EMPTY;
}

/* How many magazines stay on a shelf. */
static uint32_t keep_on(unsigned shelf)
{
    uint32_t bytes = (uint32_t)sizeof(gri_magazine);
    if (is_large(shelf)) {
        bytes = (uint32_t)gri_class_size((uint8_t)shelf, 0);
    } else if (shelf != EMPTY) {
        bytes = room_of(shelf) << (shelf + GRI_CLASS_FIRST);
    }
    return KEEP_BYTES / bytes;
}

/* ---- the depot ----------------------------------------------------------- */

int gri_depot_init(gri_depot *depot)
{
    *depot = (gri_depot){.tended = false};
    for (unsigned i = 0; i < GRI_SHELVES; i++) {
        depot->shelf[i].keep = keep_on(i);
    }
    GR_TRY(gri_slabs_init(&depot->slabs));
    if (pthread_mutex_init(&depot->lock, NULL) != 0) {
        gri_slabs_fini(&depot->slabs);
        return GR_ENOMEM;
    }
    return 0;
}

void gri_depot_fini(gri_depot *depot)
{
    for (unsigned i = GRI_CLASS_LARGE; i < EMPTY; i++) {
        while (depot->shelf[i].first != NULL) {
            gri_magazine *block = depot->shelf[i].first;
            depot->shelf[i].first = block->next;
            free(block);
        }
    }
    gri_slabs_fini(&depot->slabs);
    (void)pthread_mutex_destroy(&depot->lock); /* nobody holds it any more */
}

/* Under the lock. NULL: there is none. */
static gri_magazine *shelf_take(gri_depot *depot, unsigned shelf)
{
    gri_shelf *s = &depot->shelf[shelf];
    gri_magazine *magazine = s->first;
    if (magazine != NULL) {
        s->first = magazine->next;
        s->count--;
        s->low = s->count < s->low ? s->count : s->low;
    }
    return magazine;
}

/* Under the lock. */
static void shelf_put(gri_depot *depot, unsigned shelf, gri_magazine *magazine)
{
    gri_shelf *s = &depot->shelf[shelf];
    magazine->next = s->first;
    s->first = magazine;
    s->count++;
}

/* Under the lock. */
static bool has_too_much(const gri_depot *depot)
{
    for (unsigned i = 0; i < GRI_SHELVES; i++) {
        if (depot->shelf[i].count > depot->shelf[i].keep) {
            return true;
        }
    }
    return false;
}

/* Under the lock. What was there all the round is too much; the next begins. */
static void turn_round(gri_depot *depot)
{
    for (unsigned i = 0; i < GRI_SHELVES; i++) {
        gri_shelf *s = &depot->shelf[i];
        s->surplus = s->low > s->keep ? s->low - s->keep : 0;
        s->low = s->count;
    }
}

/* Puts a magazine on its shelf. Returns whether whoever reaps is to be told.
 * Under the lock. */
static bool shelf_add(gri_depot *depot, unsigned shelf, gri_magazine *magazine)
{
    shelf_put(depot, shelf, magazine);
    const bool tell = !depot->tended && depot->wanted != NULL &&
                      depot->shelf[shelf].count > depot->shelf[shelf].keep;
    if (tell) {
        depot->tended = true;
        depot->round_ns = 0; /* the first reap begins a round */
    }
    return tell;
}

static void tell_reaper(gri_depot *depot)
{
    if (!depot->wanted(depot->wanted_arg)) {
        gri_depot_untend(depot);
    }
}

/* Puts a magazine on its shelf, and takes a shell or nothing; the lock is taken
 * once. Then whoever reaps is told, if it is time. */
static gri_magazine *trade(gri_depot *depot, unsigned shelf,
                           gri_magazine *magazine, bool shell)
{
    bool tell = false;
    (void)pthread_mutex_lock(&depot->lock);
    gri_magazine *out = shell ? shelf_take(depot, EMPTY) : NULL;
    if (magazine != NULL) {
        tell = shelf_add(depot, shelf, magazine);
    }
    (void)pthread_mutex_unlock(&depot->lock);
    if (tell) {
        tell_reaper(depot);
    }
    return out;
}

/* ---- giving back --------------------------------------------------------- */

void gri_depot_tend(gri_depot *depot, bool (*wanted)(void *arg), void *arg)
{
    depot->wanted = wanted;
    depot->wanted_arg = arg;
}

void gri_depot_untend(gri_depot *depot)
{
    (void)pthread_mutex_lock(&depot->lock);
    depot->tended = false;
    (void)pthread_mutex_unlock(&depot->lock);
}

/* Under the lock. A magazine that is not needed, or NULL. */
static gri_magazine *take_surplus(gri_depot *depot, unsigned *shelf)
{
    for (unsigned i = 0; i < GRI_SHELVES; i++) {
        gri_shelf *s = &depot->shelf[i];
        if (s->surplus > 0 && s->count > s->keep) {
            s->surplus--;
            *shelf = i;
            return shelf_take(depot, i);
        }
        s->surplus = 0;
    }
    return NULL;
}

/* The blocks, and the shell that they come in. */
static void retire(gri_depot *depot, gri_magazine *magazine, unsigned shelf)
{
    void *shell = magazine;
    if (is_large(shelf)) {
        free(shell);
        return;
    }
    gri_slabs_retire(&depot->slabs, magazine->slot, magazine->count);
    gri_slabs_retire(&depot->slabs, &shell, 1);
}

/* Pages go only when all surplus is retired: by then more of them are whole. */
static bool reap_some(gri_depot *depot)
{
    for (unsigned i = 0; i < REAP_MAGAZINES; i++) {
        (void)pthread_mutex_lock(&depot->lock);
        unsigned shelf = 0;
        gri_magazine *magazine = take_surplus(depot, &shelf);
        (void)pthread_mutex_unlock(&depot->lock);
        if (magazine == NULL) {
            for (unsigned k = 0; k < REAP_SLABS; k++) {
                if (!gri_slabs_trim(&depot->slabs)) {
                    return false;
                }
            }
            return true;
        }
        retire(depot, magazine, shelf);
    }
    return true;
}

int64_t gri_depot_reap(gri_depot *depot, int64_t now_ns)
{
    (void)pthread_mutex_lock(&depot->lock);
    if (now_ns >= depot->round_ns) {
        turn_round(depot);
        depot->round_ns = now_ns + GRI_REAP_ROUND_NS;
    }
    (void)pthread_mutex_unlock(&depot->lock);
    if (reap_some(depot)) {
        return now_ns + REAP_PAUSE_NS;
    }
    (void)pthread_mutex_lock(&depot->lock);
    depot->tended = has_too_much(depot);
    int64_t next_ns = depot->tended ? depot->round_ns : GRI_NEVER;
    (void)pthread_mutex_unlock(&depot->lock);
    return next_ns;
}

/* ---- caches -------------------------------------------------------------- */

void gri_cache_init(gri_cache *cache, gri_depot *depot)
{
    *cache = (gri_cache){.depot = depot};
}

static void load(gri_stack *stack, unsigned class_, gri_magazine *magazine)
{
    for (unsigned i = 0; i < GRI_AHEAD; i++) {
        magazine->nothing[i] = NULL;
    }
    stack->bottom = magazine->slot;
    stack->top = stack->bottom + magazine->count;
    stack->limit = stack->bottom + room_of(class_);
    /* Another processor wrote it; each of its lines is soon needed. */
    for (void **at = stack->bottom; at < stack->top;
         at += GRI_CACHE_LINE / sizeof *at) {
        gri_prefetch_write(at);
    }
}

/* The loaded magazine, closed; NULL: there is none. */
static gri_magazine *unload(gri_stack *stack)
{
    if (stack->bottom == NULL) {
        return NULL;
    }
    gri_magazine *magazine =
        GRI_CONTAINER(stack->bottom, gri_magazine, slot[0]);
    magazine->count = (uint32_t)(stack->top - stack->bottom);
    stack->top = stack->bottom = stack->limit = NULL;
    return magazine;
}

/* A new shell, or NULL. */
static gri_magazine *new_shell(gri_depot *depot)
{
    void *block;
    if (gri_slabs_take(&depot->slabs, CLASS_SHELL, &block, 1) == 0) {
        return NULL;
    }
    gri_magazine *shell = block;
    shell->count = 0;
    return shell;
}

/* The depot's full magazine for the empty one, which may be NULL. NULL: there
 * is none, and the empty one stays the caller's. */
static gri_magazine *fetch_full(gri_depot *depot, unsigned class_,
                                gri_magazine *empty)
{
    (void)pthread_mutex_lock(&depot->lock);
    gri_magazine *full = shelf_take(depot, class_);
    if (full != NULL && empty != NULL) {
        shelf_put(depot, EMPTY, empty);
    }
    (void)pthread_mutex_unlock(&depot->lock);
    return full;
}

/* What was freed into the other magazine, if those are so many at least, comes
 * into use. */
static bool turn_over(gri_cache *cache, unsigned class_, ptrdiff_t least)
{
    gri_stack *freed = &cache->stack[class_];
    if (class_ != GRI_CLASS_MSG || freed->top - freed->bottom < least) {
        return false;
    }
    gri_magazine *empty = unload(&cache->source);
    load(&cache->source, class_, unload(freed));
    if (empty != NULL) {
        load(freed, class_, empty);
    }
    return true;
}

/* Loads a magazine with blocks; if there is none and no shell either, returns a
 * block that is in none. The loaded one has no blocks. */
static void *refill(gri_cache *cache, unsigned class_)
{
    gri_depot *depot = cache->depot;
    gri_stack *stack = gri_source(cache, class_);
    if (turn_over(cache, class_, GRI_MAGAZINE / 2)) {
        return NULL;
    }
    gri_magazine *empty = unload(stack);
    gri_magazine *full = cache->stack[class_].spare;
    if (full != NULL && full->count > 0) {
        cache->stack[class_].spare = empty;
        load(stack, class_, full);
        return NULL;
    }
    full = fetch_full(depot, class_, empty);
    if (full != NULL) {
        load(stack, class_, full);
        return NULL;
    }
    if (empty == NULL) {
        empty = new_shell(depot);
    }
    void *block = NULL;
    uint32_t n;
    if (empty != NULL) {
        n = gri_slabs_take(&depot->slabs, class_, empty->slot, room_of(class_));
        empty->count = n;
        load(stack, class_, empty);
    } else {
        n = gri_slabs_take(&depot->slabs, class_, &block, 1);
    }
    if (n == 0) { /* then what little there is */
        (void)turn_over(cache, class_, 1);
    }
    return block;
}

/* ---- large blocks -------------------------------------------------------- */

static void *large_alloc(gri_depot *depot, size_t size, uint8_t *class_out)
{
    const uint8_t class_ = *class_out = large_of(size);
    if (class_ == GRI_CLASS_HEAP) {
        return malloc(size);
    }
    (void)pthread_mutex_lock(&depot->lock);
    void *block = shelf_take(depot, class_);
    (void)pthread_mutex_unlock(&depot->lock);
    if (block == NULL) {
        return malloc(gri_class_size(class_, 0));
    }
    gri_unpoison(block, gri_class_size(class_, 0));
    return block;
}

void gri_large_free(gri_depot *depot, void *block, uint8_t class_)
{
    bool tell = false, kept = false;
    if (depot != NULL && class_ != GRI_CLASS_HEAP) {
        (void)pthread_mutex_lock(&depot->lock);
        const gri_shelf *s = &depot->shelf[class_];
        /* Where nobody reaps only what is never reaped. */
        kept = s->count < s->keep * (depot->wanted != NULL ? LARGE_MAX : 1);
        if (kept) {
            gri_poison((gri_magazine *)block + 1,
                       gri_class_size(class_, 0) - sizeof(gri_magazine));
            tell = shelf_add(depot, class_, block);
        }
        (void)pthread_mutex_unlock(&depot->lock);
    }
    if (tell) {
        tell_reaper(depot);
    }
    if (!kept) {
        free(block);
    }
}

/* ---- the slow ways ------------------------------------------------------- */

void *gri_block_alloc_slow(gri_cache *cache, size_t size, uint8_t *class_out)
{
    unsigned class_ = gri_class_of(size);
    if (class_ >= GRI_CLASSES) {
        return large_alloc(cache->depot, size, class_out);
    }
    *class_out = (uint8_t)class_;
    void *block = refill(cache, class_);
    gri_stack *stack = gri_source(cache, class_);
    return stack->top != stack->bottom ? *--stack->top : block;
}

void gri_block_free_slow(gri_cache *cache, void *block, uint8_t class_)
{
    if ((class_ & GRI_CLASS_OWNS) != 0) {
        gri_blobs_free(block);
        class_ &= (uint8_t)~GRI_CLASS_OWNS;
    }
    if (class_ >= GRI_CLASSES) {
        GR_DASSERT(gri_is_large(class_));
        gri_large_free(cache->depot, block, class_);
        return;
    }
    gri_depot *depot = cache->depot;
    gri_stack *stack = &cache->stack[class_];
    if (stack->top != stack->limit) { /* it was a message with blobs */
        *stack->top++ = block;
        return;
    }
    gri_magazine *full = unload(stack); /* or NULL */
    gri_magazine *empty = stack->spare;
    stack->spare = full;
    if (empty == NULL || empty->count > 0) {
        empty = trade(depot, class_, empty, true);
        if (empty == NULL) {
            empty = new_shell(depot);
        }
    }
    if (empty != NULL) {
        load(stack, class_, empty);
        *stack->top++ = block;
        return;
    }
    gri_slabs_retire(&depot->slabs, &block, 1);
}

static void bring(gri_depot *depot, unsigned class_, gri_magazine *magazine)
{
    if (magazine != NULL) {
        unsigned shelf = magazine->count > 0 ? class_ : EMPTY;
        (void)trade(depot, shelf, magazine, false);
    }
}

void gri_cache_flush(gri_cache *cache)
{
    bring(cache->depot, GRI_CLASS_MSG, unload(&cache->source));
    for (unsigned i = 0; i < GRI_CLASSES; i++) {
        gri_stack *stack = &cache->stack[i];
        bring(cache->depot, i, unload(stack));
        bring(cache->depot, i, stack->spare);
        stack->spare = NULL;
    }
}
