/*
 * mailbox/slab.c - see slab.h.
 *
 * The lock is held for a magazine's worth of blocks at most, and never while
 * pages are given back: a slab whose pages are on their way is in no list
 * (`held`), so nobody takes from it meanwhile; one that is retired as a whole
 * is nobody's at all.
 */
#include "mailbox/slab.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <greenroom/error.h>

#include "base/assert.h"
#include "base/memory.h"

enum {
    GRAIN = 4096, /* bytes that go back at least: a page of most machines */
    GRAINS = GRI_SLAB / GRAIN,
    WORD = 64, /* bits */
    BITS_MAX = GRI_SLAB >> GRI_CLASS_FIRST
};

_Static_assert(GRAINS == WORD, "a bit for each grain in one word");
_Static_assert(1 << (GRI_CLASS_FIRST + GRI_CLASSES - 1) <= GRAIN,
               "no block lies in two grains");

struct gri_region {
    gri_region *next, **link; /* in roomy or crowded */
    char *base;
    size_t n, used;                        /* slabs */
    uint64_t taken[GRI_REGION_MAX / WORD]; /* a bit for each slab */
};

struct gri_slab {
    gri_slab *next, **link;             /* in partial; link NULL: not there */
    gri_slab *next_dirty, **link_dirty; /* likewise */
    gri_region *region;                 /* constant */
    uint64_t idle;    /* a bit for each grain whose blocks are all retired */
    uint64_t touched; /* a bit for each grain that may have memory */
    uint32_t total;   /* constant: blocks */
    uint32_t retired;
    uint32_t from;                  /* no word of `bits` before it has a bit */
    uint8_t class_;                 /* constant */
    bool held;                      /* its pages are being given back */
    uint8_t in_grain[GRAINS];       /* retired blocks of each */
    uint64_t bits[BITS_MAX / WORD]; /* a bit for each retired block */
};

_Static_assert(sizeof(gri_slab) <= GRAIN / 2, "the header fits its page");

static unsigned shift_of(const gri_slab *s)
{
    return s->class_ + (unsigned)GRI_CLASS_FIRST;
}

static gri_slab *slab_of(void *block)
{
    /* Down to the boundary, without making a pointer of a number. */
    char *at = block;
    return (gri_slab *)(void *)(at - ((uintptr_t)at & (GRI_SLAB - 1)));
}

/* ---- lists: all under the lock ------------------------------------------- */

static void list_partial(gri_slabs *ss, gri_slab *s)
{
    gri_slab **head = &ss->partial[s->class_];
    s->next = *head;
    s->link = head;
    if (s->next != NULL) {
        s->next->link = &s->next;
    }
    *head = s;
}

static void unlist_partial(gri_slab *s)
{
    if (s->link != NULL) {
        *s->link = s->next;
        if (s->next != NULL) {
            s->next->link = s->link;
        }
        s->link = NULL;
    }
}

static void list_dirty(gri_slabs *ss, gri_slab *s)
{
    s->next_dirty = ss->dirty;
    s->link_dirty = &ss->dirty;
    if (s->next_dirty != NULL) {
        s->next_dirty->link_dirty = &s->next_dirty;
    }
    ss->dirty = s;
}

static void unlist_dirty(gri_slab *s)
{
    if (s->link_dirty != NULL) {
        *s->link_dirty = s->next_dirty;
        if (s->next_dirty != NULL) {
            s->next_dirty->link_dirty = s->link_dirty;
        }
        s->link_dirty = NULL;
    }
}

static void list_region(gri_region **head, gri_region *r)
{
    r->next = *head;
    r->link = head;
    if (r->next != NULL) {
        r->next->link = &r->next;
    }
    *head = r;
}

static void unlist_region(gri_region *r)
{
    *r->link = r->next;
    if (r->next != NULL) {
        r->next->link = r->link;
    }
}

/* ---- regions ------------------------------------------------------------- */

/* n slabs of address space, aligned; NULL: there is none. */
static char *map_aligned(size_t n)
{
    size_t size = n * GRI_SLAB;
    char *at = mmap(NULL, size + GRI_SLAB, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return NULL;
    }
    /* What is too much is cut off at the ends. If the kernel will not, it stays
     * as it is, untouched: address space and nothing else. */
    size_t before = (0 - (uintptr_t)at) & (GRI_SLAB - 1);
    if (before > 0) {
        (void)munmap(at, before);
    }
    (void)munmap(at + before + size, GRI_SLAB - before);
    return at + before;
}

/* Under the lock. As large as all regions so far together, so that there are
 * few of them; a smaller one if the process is about at its limit. */
static gri_region *add_region(gri_slabs *ss)
{
    gri_region *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->n = ss->mapped;
    r->n = r->n < GRI_REGION_MIN ? GRI_REGION_MIN : r->n;
    r->n = r->n > GRI_REGION_MAX ? GRI_REGION_MAX : r->n;
    r->base = map_aligned(r->n);
    while (r->base == NULL && r->n > 1) {
        r->n /= 2;
        r->base = map_aligned(r->n);
    }
    if (r->base == NULL) {
        free(r);
        return NULL;
    }
    ss->mapped += r->n;
    list_region(&ss->roomy, r);
    return r;
}

/* Under the lock. Takes the first free piece of a region with room. */
static gri_slab *take_piece(gri_slabs *ss, gri_region *r)
{
    unsigned word = 0;
    while (r->taken[word] == UINT64_MAX) {
        word++;
    }
    unsigned bit = (unsigned)__builtin_ctzll(~r->taken[word]);
    r->taken[word] |= UINT64_C(1) << bit;
    if (++r->used == r->n) {
        unlist_region(r);
        list_region(&ss->crowded, r);
    }
    ss->used++;
    return (gri_slab *)(void *)(r->base +
                                (size_t)(word * WORD + bit) * GRI_SLAB);
}

/* The slab, which is nobody's, becomes a piece of its region again. */
static void give_back(gri_slabs *ss, gri_slab *s)
{
    gri_region *r = s->region;
    size_t i = (size_t)((char *)s - r->base) / GRI_SLAB;
    /* Fails where pages are locked (mlockall): then they stay, and are used
     * again as they are. */
    (void)madvise(s, GRI_SLAB, MADV_DONTNEED);
    (void)pthread_mutex_lock(&ss->lock);
    r->taken[i / WORD] &= ~(UINT64_C(1) << i % WORD);
    ss->used--;
    unlist_region(r);
    bool last = --r->used == 0;
    if (last) {
        ss->mapped -= r->n;
    } else {
        list_region(&ss->roomy, r);
    }
    (void)pthread_mutex_unlock(&ss->lock);
    if (!last) {
        return;
    }
    if (munmap(r->base, r->n * GRI_SLAB) == 0) {
        free(r);
        return;
    }
    /* It would have split a mapping, and the process has as many as it may. */
    (void)pthread_mutex_lock(&ss->lock);
    ss->mapped += r->n;
    list_region(&ss->roomy, r);
    (void)pthread_mutex_unlock(&ss->lock);
}

static void give_back_all(gri_slabs *ss, gri_slab *list)
{
    while (list != NULL) {
        gri_slab *next = list->next;
        give_back(ss, list);
        list = next;
    }
}

static void unmap_all(gri_region *list)
{
    while (list != NULL) {
        gri_region *next = list->next;
        (void)munmap(list->base, list->n * GRI_SLAB); /* at worst it stays */
        free(list);
        list = next;
    }
}

int gri_slabs_init(gri_slabs *ss)
{
    *ss = (gri_slabs){.page = (size_t)sysconf(_SC_PAGESIZE)};
    return pthread_mutex_init(&ss->lock, NULL) == 0 ? 0 : GR_ENOMEM;
}

void gri_slabs_fini(gri_slabs *ss)
{
    unmap_all(ss->roomy);
    unmap_all(ss->crowded);
    (void)pthread_mutex_destroy(&ss->lock); /* nobody holds it any more */
}

/* ---- blocks -------------------------------------------------------------- */

/* Under the lock. Whether the block was the last one of its grain, or slab, to
 * be retired is seen afterwards. */
static void set_retired(gri_slab *s, size_t offset)
{
    size_t i = offset >> shift_of(s);
    size_t grain = offset / GRAIN;
    uint32_t word = (uint32_t)(i / WORD);
    GR_DASSERT((s->bits[word] >> i % WORD & 1) == 0);
    s->bits[word] |= UINT64_C(1) << i % WORD;
    s->from = word < s->from ? word : s->from;
    s->retired++;
    /* The first grain never gets that far: the header stands there. */
    if (++s->in_grain[grain] == GRAIN >> shift_of(s)) {
        s->idle |= UINT64_C(1) << grain;
    }
}

/* Under the lock. All its blocks are retired, and none was ever touched. */
static gri_slab *add_slab(gri_slabs *ss, unsigned class_)
{
    gri_region *r = ss->roomy != NULL ? ss->roomy : add_region(ss);
    if (r == NULL) {
        return NULL;
    }
    gri_slab *s = take_piece(ss, r);
    memset(s, 0, sizeof *s); /* it may have been one before */
    s->region = r;
    s->class_ = (uint8_t)class_;
    size_t blocks = (size_t)GRI_SLAB >> shift_of(s);
    size_t first = ((sizeof *s - 1) >> shift_of(s)) + 1; /* behind this */
    memset(s->bits, 0xff, blocks / CHAR_BIT);
    memset(s->bits, 0, first / WORD * sizeof s->bits[0]);
    s->bits[first / WORD] &= UINT64_MAX << first % WORD;
    memset(s->in_grain, GRAIN >> shift_of(s), GRAINS);
    s->in_grain[0] = (uint8_t)(s->in_grain[0] - first);
    s->idle = UINT64_MAX - 1;
    s->retired = (uint32_t)(blocks - first);
    s->total = s->retired;
    s->touched = 1;
    list_partial(ss, s);
    return s;
}

/* Under the lock. Takes up to n blocks, in rising order, to places that go
 * down from `end`. */
static unsigned take_from(gri_slab *s, void **end, unsigned n)
{
    unsigned got = 0;
    while (got < n && s->retired > 0) {
        uint64_t bits = s->bits[s->from];
        if (bits == 0) {
            s->from++;
            continue;
        }
        size_t i = s->from * (size_t)WORD + (unsigned)__builtin_ctzll(bits);
        size_t offset = i << shift_of(s);
        uint64_t grain = UINT64_C(1) << offset / GRAIN;
        s->bits[s->from] = bits & (bits - 1);
        s->in_grain[offset / GRAIN]--;
        s->idle &= ~grain;
        s->touched |= grain;
        s->retired--;
        *--end = (char *)s + offset;
        got++;
    }
    return got;
}

unsigned gri_slabs_take(gri_slabs *ss, unsigned class_, void **blocks,
                        unsigned n)
{
    unsigned got = 0;
    (void)pthread_mutex_lock(&ss->lock);
    while (got < n) {
        gri_slab *s = ss->partial[class_];
        if (s == NULL) {
            s = add_slab(ss, class_);
        }
        if (s == NULL) {
            break;
        }
        got += take_from(s, blocks + n - got, n - got);
        if (s->retired == 0) {
            unlist_partial(s);
        }
    }
    (void)pthread_mutex_unlock(&ss->lock);
    if (got < n) {
        memmove(blocks, blocks + n - got, got * sizeof(void *));
    }
    return got;
}

/* Under the lock. The slab has new retired blocks, or is held no more. True:
 * all are, and it is the caller's, to give it back. */
static bool settle(gri_slabs *ss, gri_slab *s)
{
    if (s->held) {
        return false;
    }
    if (s->retired == s->total) {
        unlist_partial(s);
        unlist_dirty(s);
        return true;
    }
    if (s->link == NULL && s->retired > 0) {
        list_partial(ss, s);
    }
    if (s->link_dirty == NULL && (s->idle & s->touched) != 0) {
        list_dirty(ss, s);
    }
    return false;
}

void gri_slabs_retire(gri_slabs *ss, void *const *blocks, unsigned n)
{
    gri_slab *done = NULL;
    (void)pthread_mutex_lock(&ss->lock);
    for (unsigned i = 0; i < n; i++) {
        gri_slab *s = slab_of(blocks[i]);
        set_retired(s, (size_t)((char *)blocks[i] - (char *)s));
        if (settle(ss, s)) {
            s->next = done;
            done = s;
        }
    }
    (void)pthread_mutex_unlock(&ss->lock);
    give_back_all(ss, done);
}

/* Gives back each run of idle grains of which one may have memory. */
static void drop_pages(const gri_slabs *ss, gri_slab *s, uint64_t idle,
                       uint64_t touched)
{
    for (unsigned i = 0; i < GRAINS; i++) {
        uint64_t run = 0;
        unsigned first = i;
        while (i < GRAINS && (idle >> i & 1) != 0) {
            run |= UINT64_C(1) << i++;
        }
        if ((run & touched) != 0) {
            /* Whole pages, should they be larger than a grain. */
            size_t from = gri_round_up((size_t)first * GRAIN, ss->page);
            size_t to = (size_t)i * GRAIN & ~(ss->page - 1);
            if (from < to) {
                /* Fails where pages are locked: then they stay. */
                (void)madvise((char *)s + from, to - from, MADV_DONTNEED);
            }
        }
    }
}

bool gri_slabs_trim(gri_slabs *ss)
{
    (void)pthread_mutex_lock(&ss->lock);
    gri_slab *s = ss->dirty;
    if (s == NULL) {
        (void)pthread_mutex_unlock(&ss->lock);
        return false;
    }
    uint64_t idle = s->idle;
    uint64_t touched = s->touched;
    s->touched &= ~idle;
    s->held = true;
    unlist_dirty(s);
    unlist_partial(s);
    (void)pthread_mutex_unlock(&ss->lock);

    drop_pages(ss, s, idle, touched);

    (void)pthread_mutex_lock(&ss->lock);
    s->held = false;
    bool done = settle(ss, s);
    (void)pthread_mutex_unlock(&ss->lock);
    if (done) {
        give_back(ss, s);
    }
    return true;
}

size_t gri_slabs_bytes(gri_slabs *ss)
{
    (void)pthread_mutex_lock(&ss->lock);
    size_t bytes = ss->used * GRI_SLAB;
    (void)pthread_mutex_unlock(&ss->lock);
    return bytes;
}
