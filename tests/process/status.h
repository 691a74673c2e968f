/*
 * tests/process/status.h - what the system says of a process's signals.
 */
#ifndef TESTS_PROCESS_STATUS_H
#define TESTS_PROCESS_STATUS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* The bits of that line of the process's status, such as "SigBlk:". */
static inline unsigned long long signals_of(pid_t pid, const char *line_name)
{
    char path[64];
    char line[256];
    unsigned long long bits = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    assert_non_null(status);
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, line_name, strlen(line_name)) == 0) {
            bits = strtoull(line + strlen(line_name), NULL, 16);
        }
    }
    (void)fclose(status);
    return bits;
}

#endif /* TESTS_PROCESS_STATUS_H */
