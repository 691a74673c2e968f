/* base/assert.c - the end of a process whose runtime is broken. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void gri_assert_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "greenroom: broken invariant: %s (%s:%d)\n",
                  condition, file, line);
    abort();
}
