/* tests/soak/audit.h - what the process holds: memory, descriptors, threads,
 * children. */
#ifndef GRI_TESTS_SOAK_AUDIT_H
#define GRI_TESTS_SOAK_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#include <greenroom/greenroom.h>

typedef struct audit {
    size_t own;     /* bytes of the RSS that are no file's, */
    size_t mapped;  /* and those that are, as of libraries: they come and go as
                       the kernel likes */
    size_t peak;    /* the most of both, since audit_peak_reset */
    unsigned fds;   /* open descriptors */
    unsigned files; /* those of them that are files with a path */
    unsigned tasks; /* threads */
    unsigned heirs; /* children and theirs, dead ones included */
} audit;

/* Of this process, now. False: /proc does not tell. */
bool audit_take(audit *out);
/* From now on the peak counts. False: the kernel does not do that. */
bool audit_peak_reset(void);

/* When it is the same for a while: processes may be about to start or end.
 * Errors: GR_EIO, and those of gr_sleep. */
int audit_take_steady(gr_actor *self, audit *out);

/* No more than then; of files so many more. */
bool audit_is_within(const audit *now, const audit *then, unsigned files);

#endif /* GRI_TESTS_SOAK_AUDIT_H */
