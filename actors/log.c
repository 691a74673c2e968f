/* actors/log.c - lines of actors in the system's log. */
#include <greenroom/system.h>

#include "actors/core.h"

void gr_log(gr_actor *self, gr_log_level level, const char *line)
{
    gri_log_write(&self->sys->log, level, "%s", line);
}
