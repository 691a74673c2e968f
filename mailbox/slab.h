/*
 * mailbox/slab.h - where the pool's blocks come from, and how their pages go
 * back to the operating system.
 *
 * A slab is a piece of address space, aligned to its size, that is cut into
 * blocks of one class; so a block's slab is found by masking its address. Its
 * first page begins with a header, which knows by a bit for each block which
 * of them are retired: in nobody's hands. The pages of retired blocks are
 * given back: single ones by gri_slabs_trim, a whole slab's as soon as all its
 * blocks are retired.
 *
 * Slabs are carved from regions, which grow with the pool, so that the number
 * of mappings stays far below what the kernel allows a process (65,530 by
 * default): regions of 64 MiB would be 4 TiB. A region goes back as a whole.
 */
#ifndef GRI_MAILBOX_SLAB_H
#define GRI_MAILBOX_SLAB_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GRI_CLASSES = 8,     /* blocks of 32, 64, ... 4096 bytes */
    GRI_CLASS_FIRST = 5, /* log2 of the smallest */
    /* Bytes: large enough that a header is little, small enough that a class
     * that is hardly used takes up little address space. */
    GRI_SLAB = 256 * 1024,
    GRI_REGION_MIN = 4,  /* slabs: what a small program maps at once */
    GRI_REGION_MAX = 256 /* slabs: more would only bring fewer mappings */
};

typedef struct gri_slab gri_slab;
typedef struct gri_region gri_region;

/* One for each system. */
typedef struct gri_slabs {
    pthread_mutex_t lock;
    size_t page;                    /* constant: bytes, the kernel's */
    gri_slab *partial[GRI_CLASSES]; /* under lock: with retired blocks */
    gri_slab *dirty;     /* under lock: with pages that may be given back */
    gri_region *roomy;   /* under lock: with room for a slab */
    gri_region *crowded; /* under lock: the others */
    size_t mapped;       /* under lock: slabs in all regions */
    size_t used;         /* under lock: of these, cut into blocks */
} gri_slabs;

/* Returns 0 or GR_ENOMEM. */
int gri_slabs_init(gri_slabs *ss);
/* Unmaps all: nobody may use a block after it. */
void gri_slabs_fini(gri_slabs *ss);

/* Any thread. Takes up to n blocks of a class, retired ones before new ones,
 * in falling order of their addresses where they come from one slab. Returns
 * how many: fewer than n when there is no memory. */
unsigned gri_slabs_take(gri_slabs *ss, unsigned class_, void **blocks,
                        unsigned n);
/* Any thread. Retires blocks of any classes. Needs no memory. */
void gri_slabs_retire(gri_slabs *ss, void *const *blocks, unsigned n);
/* Any thread. Gives back the pages of retired blocks of one slab. False: no
 * slab has any. */
bool gri_slabs_trim(gri_slabs *ss);
/* Any thread. Bytes of the slabs that are in use. */
size_t gri_slabs_bytes(gri_slabs *ss);

#endif /* GRI_MAILBOX_SLAB_H */
