/* base/poison.h - memory that is kept for later, and is nobody's until then: to
 * AddressSanitizer it is as what was freed; to all others nothing is done. */
#ifndef GRI_BASE_POISON_H
#define GRI_BASE_POISON_H

#if defined(__SANITIZE_ADDRESS__) /* gcc */
#define GRI_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang */
#define GRI_POISONS 1
#endif
#endif

#ifdef GRI_POISONS
#include <sanitizer/asan_interface.h>
#define GRI_POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define GRI_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define GRI_POISON(p, n)   ((void)(p), (void)(n))
#define GRI_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#endif /* GRI_BASE_POISON_H */
