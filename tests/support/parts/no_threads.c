/* tests/support/parts/no_threads.c - see ../no_threads.h. */
#include "tests/support/no_threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "tests/support/no_memory.h"
#include "tests/support/sanitizers.h"

static _Atomic(int64_t) unmapped;

/* relaxed: a number; read when the threads have been joined. */
int64_t no_threads_unmapped(void)
{
    return atomic_load_explicit(&unmapped, memory_order_relaxed);
}

/* The linker's option --wrap makes these names, so they are reserved ones:
 * NOLINTBEGIN(bugprone-reserved-identifier) */
typedef void *begin_fn(void *arg);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          begin_fn *begin, void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          begin_fn *begin, void *arg);
int __real_pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes);
int __wrap_pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes);
int __real_mprotect(void *at, size_t size, int prot);
int __wrap_mprotect(void *at, size_t size, int prot);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          begin_fn *begin, void *arg)
{
    return no_memory_now()
               ? EAGAIN
               : __real_pthread_create(thread, attributes, begin, arg);
}

int __wrap_pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes)
{
#ifndef UNDER_TSAN /* which asks by this itself, and ends without an answer */
    if (no_memory_now()) {
        return ENOMEM;
    }
#endif
    return __real_pthread_getattr_np(thread, attributes);
}

int __wrap_mprotect(void *at, size_t size, int prot)
{
    if (no_memory_now()) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mprotect(at, size, prot);
}

int __wrap_munmap(void *at, size_t size)
{
    atomic_fetch_add_explicit(&unmapped, (int64_t)size, memory_order_relaxed);
    return __real_munmap(at, size);
}
