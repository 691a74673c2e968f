/* tests/support/faults.h - what C programs die of, on demand. */
#ifndef GRI_TESTS_FAULTS_H
#define GRI_TESTS_FAULTS_H

#include <stdbool.h>

typedef enum fault_kind {
    FAULT_NULL = 0, /* a write to NULL */
    FAULT_WILD,     /* a read of an address that is not mapped */
    FAULT_TEXT,     /* strlen of such an address, inside libc */
    FAULT_BUS,      /* a page behind the end of its file */
    FAULT_DIVIDE,
    FAULT_ILLEGAL, /* an instruction that is none */
    FAULT_ABORT,
    FAULT_ASSERT,
    FAULT_STACK, /* endless recursion */
    FAULT_KINDS
} fault_kind;

const char *fault_name(fault_kind kind);
/* The signal that it ends in. */
int fault_signal(fault_kind kind);
/* Maps the page that FAULT_BUS reads; once, before the first. False: no file.
 */
bool fault_ready(void);
/* Does it. Returns only if it was survived, which is a failure of the test. */
void fault_do(fault_kind kind);

#endif /* GRI_TESTS_FAULTS_H */
