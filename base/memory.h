/* base/memory.h - rounding and finding the struct around a member. */
#ifndef GRI_BASE_MEMORY_H
#define GRI_BASE_MEMORY_H

#include <stddef.h>

#define GRI_CACHE_LINE 64

/* The struct of `type` whose `member` is at ptr. */
#define GRI_CONTAINER(ptr, type, member)                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* n rounded up to a multiple of `to`, a power of two. */
static inline size_t gri_round_up(size_t n, size_t to)
{
    return (n + to - 1) & ~(to - 1);
}

#endif /* GRI_BASE_MEMORY_H */
