/* base/memory.h - rounding, the struct around a member, and cache lines. */
#ifndef GRI_BASE_MEMORY_H
#define GRI_BASE_MEMORY_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define GRI_CACHE_LINE 64

/* The struct of `type` whose `member` is at ptr. */
#define GRI_CONTAINER(ptr, type, member)                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* n rounded up to a multiple of `to`, a power of two. */
static inline size_t gri_round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

/* Zeroed memory that shares no line with anything else, for free(). NULL: there
 * is none. */
static inline void *gri_lines_new(size_t size)
{
    size = gri_round_up(size, GRI_CACHE_LINE);
    void *p = aligned_alloc(GRI_CACHE_LINE, size);
    return p != NULL ? memset(p, 0, size) : NULL;
}

/* Brings the line at p to this processor, to be written: in one step, where a
 * read and then a write of what stands in another's cache are two. Any address
 * will do. The compiler's own prefetch is one for reading on x86-64, as some of
 * the first had no other; but all since 2006 take this instruction, if only to
 * do nothing. */
static inline void gri_prefetch_write(const void *p)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw (%0)" : : "r"(p));
#else
    __builtin_prefetch(p, 1);
#endif
}

#endif /* GRI_BASE_MEMORY_H */
