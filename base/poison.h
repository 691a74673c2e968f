/* base/poison.h - memory that is kept for later, and is nobody's until then: to
 * AddressSanitizer it is as what was freed; to all others nothing is done. */
#ifndef GRI_BASE_POISON_H
#define GRI_BASE_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) /* gcc */
#define GRI_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang */
#define GRI_POISONS 1
#endif
#endif

#ifdef GRI_POISONS
#include <sanitizer/asan_interface.h>
#endif

static inline void gri_poison(void *p, size_t n)
{
#ifdef GRI_POISONS
    ASAN_POISON_MEMORY_REGION(p, n);
#else
    (void)p;
    (void)n;
#endif
}

static inline void gri_unpoison(void *p, size_t n)
{
#ifdef GRI_POISONS
    ASAN_UNPOISON_MEMORY_REGION(p, n);
#else
    (void)p;
    (void)n;
#endif
}

#endif /* GRI_BASE_POISON_H */
