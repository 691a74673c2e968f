/* actors/log.c - lines of actors in the system's log. */
#include <greenroom/system.h>

#include "actors/core.h"
#include "base/line.h"

void gr_log(gr_actor *self, gr_log_level level, const char *line)
{
    if (level > self->sys->log.level) {
        return;
    }
    char cut[GRI_LOG_LINE_MAX];
    gri_line text = gri_line_in(cut, sizeof cut);
    gri_line_put(&text, line);
    gri_log_line(&self->sys->log, level, gri_line_text(&text));
}
