/* tests/support/faults.c - see faults.h. */
#include "tests/support/faults.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/sanitizers.h"

#undef NDEBUG
#include <assert.h> /* once more: in release builds, too */

#define BLIND __attribute__((noinline, no_sanitize("undefined", "thread")))

enum {
    NOWHERE = 0x1000,        /* the first page is nobody's, nor the next */
    LARGE = 4 * 1024 * 1024, /* bytes: other ways to copy */
    FRAME = 64 * 1024 * 1024 /* bytes: more than a stack has */
};

/* Not constants, so that no compiler knows what comes. */
static char *volatile null;
static char *volatile nowhere = (char *)NOWHERE;
static char *volatile beyond = (char *)(UINT64_C(1) << 62);
static volatile int zero, seven = 7;
static volatile size_t few = 16;
static volatile size_t large = LARGE;
static char sink[64];
static const char fixed[16] = "fixed";
static int data[4]; /* not code */

static pthread_once_t cut_once = PTHREAD_ONCE_INIT;
static char *cut_page; /* of a file that ends before it */

/* One page for all, as what is mapped in a handler that faults stays mapped. */
static void cut_file(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    FILE *file = tmpfile();
    assert(file != NULL && ftruncate(fileno(file), (off_t)page) == 0);
    cut_page =
        mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    assert(cut_page != MAP_FAILED && ftruncate(fileno(file), 0) == 0);
    (void)fclose(file);
}

static BLIND void write_cut(void)
{
    (void)pthread_once(&cut_once, cut_file);
    *(volatile char *)cut_page = 1;
}

/* NOLINTNEXTLINE(misc-no-recursion): that is what it is for */
static BLIND int recurse(const volatile int *above)
{
    volatile int here[32];
    here[0] = *above + 1;
    return zero != 0 ? 0 : recurse(here) + here[0];
}

static BLIND void take_large_frame(void)
{
    volatile char frame[FRAME];
    frame[0] = 1;
    sink[0] = frame[few];
}

static BLIND int compare(const void *a, const void *b)
{
    (void)a, (void)b;
    *(volatile char *)null = 1;
    return 0;
}

static BLIND void break_heap(void)
{
    /* The length of a free block, in front of it, is overwritten: too large for
     * malloc's lists of small ones, and between two in use. What it does to the
     * links of such a block is a matter of luck; this it looks at first. */
    volatile size_t *volatile before = malloc(2000);
    volatile size_t *volatile block = malloc(2000);
    volatile size_t *volatile behind = malloc(2000);
    before[0] = behind[0] = 1;
    free((void *)(uintptr_t)block);
    block[-1] = 0;
    volatile size_t *volatile another = malloc(4000);
    another[0] = 1;
}

static BLIND void read_null(void)
{
    sink[0] = *(volatile char *)null;
}

static BLIND void write_null(void)
{
    *(volatile char *)null = 1;
}

static BLIND void read_wild(void)
{
    sink[0] = *(volatile char *)nowhere;
}

static BLIND void write_wild(void)
{
    *(volatile char *)beyond = 1;
}

static BLIND void write_const(void)
{
    *(volatile char *)(uintptr_t)fixed = 1;
}

static BLIND void exec_null(void)
{
    ((void (*)(void))(uintptr_t)null)();
    sink[1] = 1; /* it is no tail call */
}

static BLIND void exec_data(void)
{
    ((void (*)(void))(uintptr_t)data)();
    sink[1] = 1; /* as above */
}

static BLIND void divide(void)
{
    data[1] = seven / zero;
}

static BLIND void do_abort(void)
{
    abort();
}

static BLIND void do_assert(void)
{
    assert(zero == 1);
    sink[1] = 1;
}

static BLIND void do_raise(void)
{
    (void)raise(SIGABRT);
    sink[1] = 1;
}

static BLIND void overflow(void)
{
    volatile int top = 0;
    data[1] = recurse(&top);
}

static BLIND void do_memcpy(void)
{
    memcpy(null, sink, few);
}

static BLIND void memcpy_large(void)
{
    memcpy(nowhere, sink, large);
}

static BLIND void do_memmove(void)
{
    memmove(sink, null, few);
}

static BLIND void do_memset(void)
{
    memset(null, 1, few);
}

static BLIND void memset_large(void)
{
    memset(nowhere, 1, large);
}

static BLIND void do_memcmp(void)
{
    data[2] = memcmp(sink, null, few);
}

static BLIND void do_strlen(void)
{
    data[2] = (int)strlen(null);
}

static BLIND void do_strcpy(void)
{
    data[2] = (int)strlen(strcpy(sink, null));
}

static BLIND void do_strncpy(void)
{
    data[2] = (int)strlen(strncpy(null, fixed, few));
}

static BLIND void do_strcmp(void)
{
    data[2] = strcmp(fixed, null);
}

static BLIND void do_strchr(void)
{
    data[2] = strchr(null, zero) != NULL;
}

static BLIND void do_strstr(void)
{
    data[2] = strstr(null, fixed) != NULL;
}

static BLIND void do_malloc(void)
{
    free(nowhere);
    sink[1] = 1;
}

static BLIND void do_free_twice(void)
{
    void *volatile block = malloc(24);
    free(block);
    free(block);
    sink[1] = 1;
}

static BLIND void do_printf(void)
{
    (void)printf("%s%d\n", nowhere, zero);
    sink[1] = 1;
}

static BLIND void do_fputs(void)
{
    (void)fputs(fixed, (FILE *)(void *)nowhere);
    sink[1] = 1;
}

static BLIND void do_qsort(void)
{
    qsort(data, 4, sizeof *data, compare);
    sink[1] = 1;
}

static BLIND void once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, write_null);
    sink[1] = 1;
}

static BLIND void do_kill(void)
{
    (void)pthread_kill(pthread_self(), SIGSEGV);
    sink[1] = 1;
}

static BLIND void trap(void)
{
#if defined(__x86_64__)
    __asm__ volatile("ud2");
#else
    __builtin_trap();
#endif
    sink[1] = 1;
}

static const struct {
    const char *name;
    int signal;
    void (*fn)(void);
} kinds[FAULT_KINDS_ALL] = {
    [FAULT_READ_NULL] = {"read-null", SIGSEGV, read_null},
    [FAULT_WRITE_NULL] = {"write-null", SIGSEGV, write_null},
    [FAULT_READ_WILD] = {"read-wild", SIGSEGV, read_wild},
    [FAULT_WRITE_WILD] = {"write-wild", SIGSEGV, write_wild},
    [FAULT_WRITE_CONST] = {"write-const", SIGSEGV, write_const},
    [FAULT_EXEC_NULL] = {"call-null", SIGSEGV, exec_null},
    [FAULT_EXEC_DATA] = {"call-data", SIGSEGV, exec_data},
    [FAULT_BUS] = {"cut-file", SIGBUS, write_cut},
    [FAULT_DIVIDE] = {"divide", SIGFPE, divide},
    [FAULT_TRAP] = {"bad-instruction", SIGILL, trap},
    [FAULT_ABORT] = {"abort", SIGABRT, do_abort},
    [FAULT_ASSERT] = {"assert", SIGABRT, do_assert},
    [FAULT_RAISE] = {"raise", SIGABRT, do_raise},
    [FAULT_RECURSE] = {"recursion", SIGSEGV, overflow},
    [FAULT_LARGE_FRAME] = {"large-frame", SIGSEGV, take_large_frame},
    [FAULT_MEMCPY] = {"memcpy", SIGSEGV, do_memcpy},
    [FAULT_MEMCPY_LARGE] = {"memcpy-large", SIGSEGV, memcpy_large},
    [FAULT_MEMMOVE] = {"memmove", SIGSEGV, do_memmove},
    [FAULT_MEMSET] = {"memset", SIGSEGV, do_memset},
    [FAULT_MEMSET_LARGE] = {"memset-large", SIGSEGV, memset_large},
    [FAULT_MEMCMP] = {"memcmp", SIGSEGV, do_memcmp},
    [FAULT_STRLEN] = {"strlen", SIGSEGV, do_strlen},
    [FAULT_STRCPY] = {"strcpy", SIGSEGV, do_strcpy},
    [FAULT_STRNCPY] = {"strncpy", SIGSEGV, do_strncpy},
    [FAULT_STRCMP] = {"strcmp", SIGSEGV, do_strcmp},
    [FAULT_STRCHR] = {"strchr", SIGSEGV, do_strchr},
    [FAULT_STRSTR] = {"strstr", SIGSEGV, do_strstr},
    [FAULT_MALLOC] = {"free", SIGSEGV, do_malloc},
    [FAULT_TWICE] = {"free twice", SIGABRT, do_free_twice},
    [FAULT_HEAP] = {"heap", SIGABRT, break_heap},
    [FAULT_PRINTF] = {"printf", SIGSEGV, do_printf},
    [FAULT_FPUTS] = {"fputs", SIGSEGV, do_fputs},
    [FAULT_QSORT] = {"qsort", SIGSEGV, do_qsort},
    [FAULT_ONCE] = {"once", SIGSEGV, once},
    [FAULT_RUNTIME] = {"runtime", SIGSEGV, NULL},
    [FAULT_KILL] = {"kill", SIGSEGV, do_kill},
};

const char *fault_name(fault_kind kind)
{
    return kinds[kind].name;
}

int fault_signal(fault_kind kind)
{
    return kinds[kind].signal;
}

bool fault_is_possible(fault_kind kind)
{
    /* A sanitizer's own mem* and str* come first: they stand in its library,
     * and AddressSanitizer's end the process with a report. Where its functions
     * are called by each of ours, they may be the ones that have no stack. */
    return !UNDER_SANITIZER || (kind < FAULT_MEMCPY && kind != FAULT_RECURSE &&
                                kind != FAULT_LARGE_FRAME);
}

void fault_now(fault_kind kind)
{
    kinds[kind].fn();
    sink[2] = 1; /* no tail call */
}
