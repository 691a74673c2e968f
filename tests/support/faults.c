/* tests/support/faults.c - see faults.h. */
#include "tests/support/faults.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* So that the compiler cannot see what is about to happen. */
static volatile int zero;
static char *volatile nowhere;
static char *volatile wild = (char *)0x123456789000; /* canonical, unmapped */
static const volatile char *page;

enum { PAGE = 4096 };

static const struct {
    const char *name;
    int signal;
} kinds[FAULT_KINDS] = {
    [FAULT_NULL] = {"null", SIGSEGV},   [FAULT_WILD] = {"wild", SIGSEGV},
    [FAULT_TEXT] = {"text", SIGSEGV},   [FAULT_BUS] = {"bus", SIGBUS},
    [FAULT_DIVIDE] = {"fpe", SIGFPE},   [FAULT_ILLEGAL] = {"ill", SIGILL},
    [FAULT_ABORT] = {"abort", SIGABRT}, [FAULT_ASSERT] = {"assert", SIGABRT},
    [FAULT_STACK] = {"stack", SIGSEGV},
};

const char *fault_name(fault_kind kind)
{
    return kinds[kind].name;
}

int fault_signal(fault_kind kind)
{
    return kinds[kind].signal;
}

bool fault_ready(void)
{
    FILE *file = tmpfile(); /* empty */
    if (file == NULL) {
        return false;
    }
    void *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fileno(file), 0);
    (void)fclose(file);
    page = at;
    return at != MAP_FAILED;
}

/* Each level needs its frame until the one below returns. */
static int recurse(volatile int *up)
{
    volatile int here[1024];
    here[0] = *up + 1;
    return zero != 0 ? 0 : recurse(here) + here[0];
}

void fault_do(fault_kind kind)
{
    volatile int start = 0;
    switch (kind) {
    case FAULT_NULL:
        nowhere[0] = 1;
        break;
    case FAULT_WILD:
        zero = wild[0];
        break;
    case FAULT_TEXT:
        zero = (int)strlen(wild);
        break;
    case FAULT_BUS:
        zero = page[0];
        break;
    case FAULT_DIVIDE:
        zero = 1 / zero;
        break;
    case FAULT_ILLEGAL:
        __builtin_trap();
    case FAULT_ABORT:
        abort();
    case FAULT_ASSERT:
        assert(zero == 1);
        break;
    case FAULT_STACK:
        zero = recurse(&start);
        break;
    case FAULT_KINDS:
        break;
    }
}
