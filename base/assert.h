/* base/assert.h - checks of the runtime's own invariants; never of what a
 * message, a peer, a file, the clock or the allocator can cause. */
#ifndef GRI_BASE_ASSERT_H
#define GRI_BASE_ASSERT_H

/* Prints the broken condition and its place, and aborts. */
_Noreturn void gri_assert_failed(const char *condition, const char *file,
                                 int line);

/* Cheap, always on. */
#define GR_ASSERT(condition)                                                   \
    ((condition) ? (void)0 : gri_assert_failed(#condition, __FILE__, __LINE__))

/* For what costs: in debug builds only. */
#ifdef NDEBUG
#define GR_DASSERT(condition) ((void)sizeof(condition))
#else
#define GR_DASSERT(condition) GR_ASSERT(condition)
#endif

#endif /* GRI_BASE_ASSERT_H */
