/* tests/support/parts/no_memory.c - see ../no_memory.h. Not in the library of
 * the support: no other test is linked so that it could be. */
#include "tests/support/no_memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mailbox/pool.h"

static struct {
    _Atomic(uint64_t) count;
    _Atomic(uint64_t) fail_at; /* 0: none fails */
    atomic_bool for_ever;      /* and all that follow */
    atomic_bool failed;
    _Atomic(int64_t) mapped;
} memory;

/* relaxed, all: numbers; threads that allocate are started after them. */
bool no_memory_now(void)
{
    const uint64_t at =
        atomic_load_explicit(&memory.fail_at, memory_order_relaxed);
    if (at == 0) {
        return false;
    }
    const uint64_t n =
        1 + atomic_fetch_add_explicit(&memory.count, 1, memory_order_relaxed);
    const bool now =
        n == at || (n > at && atomic_load_explicit(&memory.for_ever,
                                                   memory_order_relaxed));
    if (now) {
        atomic_store_explicit(&memory.failed, true, memory_order_relaxed);
    }
    return now;
}

void no_memory_begin(uint64_t n, bool for_ever)
{
    atomic_store_explicit(&memory.count, 0, memory_order_relaxed);
    atomic_store_explicit(&memory.failed, false, memory_order_relaxed);
    atomic_store_explicit(&memory.for_ever, for_ever, memory_order_relaxed);
    atomic_store_explicit(&memory.fail_at, n, memory_order_relaxed);
}

bool no_memory_end(void)
{
    atomic_store_explicit(&memory.fail_at, 0, memory_order_relaxed);
    return atomic_load_explicit(&memory.failed, memory_order_relaxed);
}

int64_t no_memory_mapped(void)
{
    return atomic_load_explicit(&memory.mapped, memory_order_relaxed);
}

/* The linker's option --wrap makes these names, so they are reserved ones:
 * NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__real_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
char *__wrap_strndup(const char *text, size_t n);
void *__real_gri_block_alloc_slow(gri_cache *cache, size_t size,
                                  uint8_t *class_out);
void *__wrap_gri_block_alloc_slow(gri_cache *cache, size_t size,
                                  uint8_t *class_out);
/* NOLINTEND(bugprone-reserved-identifier) */

void *__wrap_malloc(size_t size)
{
    return no_memory_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return no_memory_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return no_memory_now() ? NULL : __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return no_memory_now() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t to)
{
    void *got = no_memory_now() ? MAP_FAILED
                                : __real_mmap(at, size, prot, flags, fd, to);
    if (got != MAP_FAILED) {
        /* relaxed: a number; read when the threads have been joined. */
        atomic_fetch_add_explicit(&memory.mapped, (int64_t)size,
                                  memory_order_relaxed);
    }
    return got;
}

char *__wrap_strdup(const char *text)
{
    return no_memory_now() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
    return no_memory_now() ? NULL : __real_strndup(text, n);
}

void *__wrap_gri_block_alloc_slow(gri_cache *cache, size_t size,
                                  uint8_t *class_out)
{
    if (no_memory_now()) {
        return NULL;
    }
    void *block = __real_gri_block_alloc_slow(cache, size, class_out);
    gri_cache_flush(cache); /* else the next ones would not come here */
    return block;
}
