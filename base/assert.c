/* base/assert.c - the end of a process whose runtime is broken. */
#include "base/assert.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/line.h"

enum { LINE_MAX_SIZE = 512 /* bytes: conditions are short */ };

void gri_assert_failed(const char *condition, const char *file, int line)
{
    /* Not by stdio: another thread may have the stream's lock, and wait for who
     * reads it. */
    char text[LINE_MAX_SIZE];
    gri_line t = {text, 0, sizeof text};
    gri_line_put(&t, "greenroom: broken invariant: ");
    gri_line_put(&t, condition);
    gri_line_put(&t, " (");
    gri_line_put(&t, file);
    gri_line_put(&t, ":");
    gri_line_number(&t, (uint64_t)line, 10);
    gri_line_put(&t, ")");
    gri_line_write(&t, STDERR_FILENO);
    abort();
}
