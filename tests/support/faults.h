/*
 * tests/support/faults.h - ways to fault, for actors and threads of tests. The
 * sanitizers would speak of them before the processor does: they look away.
 */
#ifndef TESTS_SUPPORT_FAULTS_H
#define TESTS_SUPPORT_FAULTS_H

#include <stdbool.h>

typedef enum fault_kind {
    FAULT_READ_NULL,
    FAULT_WRITE_NULL,
    FAULT_READ_WILD,  /* an address that nothing is mapped at */
    FAULT_WRITE_WILD, /* one that no pointer can have */
    FAULT_WRITE_CONST,
    FAULT_EXEC_NULL,
    FAULT_EXEC_DATA,
    FAULT_BUS, /* a mapped file that was cut */
    FAULT_DIVIDE,
    FAULT_TRAP, /* an instruction that there is not */
    FAULT_ABORT,
    FAULT_ASSERT,
    FAULT_RAISE,
    FAULT_RECURSE,
    FAULT_LARGE_FRAME,
    FAULT_MEMCPY, /* and so on: with a bad pointer */
    FAULT_MEMCPY_LARGE,
    FAULT_MEMMOVE,
    FAULT_MEMSET,
    FAULT_MEMSET_LARGE,
    FAULT_MEMCMP,
    FAULT_STRLEN,
    FAULT_STRCPY,
    FAULT_STRNCPY,
    FAULT_STRCMP,
    FAULT_STRCHR,
    FAULT_STRSTR,
    FAULT_KINDS,
    /* Never the actor's alone: */
    FAULT_MALLOC = FAULT_KINDS, /* free of what was never allocated */
    FAULT_TWICE,                /* free of the same twice: libc's own abort */
    FAULT_HEAP,                 /* malloc with its lists overwritten */
    FAULT_PRINTF,               /* of a bad string */
    FAULT_FPUTS,                /* to a bad FILE */
    FAULT_QSORT,                /* in a comparator that libc calls */
    FAULT_ONCE,                 /* in what pthread_once calls */
    FAULT_RUNTIME,              /* a bad pointer to gr_send */
    FAULT_KILL,                 /* a SIGSEGV that somebody sends */
    FAULT_KINDS_ALL
} fault_kind;

/* Its name, for a test's output. */
const char *fault_name(fault_kind kind);
/* The signal that it is. */
int fault_signal(fault_kind kind);
/* Whether it can be had here; else a sanitizer takes it, or makes it another.
 */
bool fault_is_possible(fault_kind kind);
/* Faults. (FAULT_RUNTIME is not for here.) */
void fault_now(fault_kind kind);

#endif /* TESTS_SUPPORT_FAULTS_H */
