/* tests/soak/audit.h - what the process holds: memory, descriptors, threads,
 * children. */
#ifndef GRI_TESTS_SOAK_AUDIT_H
#define GRI_TESTS_SOAK_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct audit {
    size_t rss;     /* bytes */
    unsigned fds;   /* open descriptors */
    unsigned tasks; /* threads */
    unsigned heirs; /* children, of all its threads, dead ones included */
} audit;

/* Of this process, now. False: /proc does not tell. */
bool audit_take(audit *out);

#endif /* GRI_TESTS_SOAK_AUDIT_H */
