/*
 * tests/support/sanitizers.h - which sanitizer the test is built with, by gcc
 * or clang: UNDER_TSAN is defined with ThreadSanitizer, and UNDER_SANITIZER is
 * 1 with that or AddressSanitizer.
 */
#ifndef TESTS_SUPPORT_SANITIZERS_H
#define TESTS_SUPPORT_SANITIZERS_H

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#elif __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif

#if defined(UNDER_TSAN) || defined(UNDER_ASAN)
enum { UNDER_SANITIZER = 1 };
#else
enum { UNDER_SANITIZER = 0 };
#endif

#endif /* TESTS_SUPPORT_SANITIZERS_H */
