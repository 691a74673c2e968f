/*
 * actors/crash.h - the report of an abnormal end: made when the run ends,
 * before anybody hears of it, and kept for a while. What is logged and told to
 * who watches may come a moment later, see reports.h.
 */
#ifndef GRI_ACTORS_CRASH_H
#define GRI_ACTORS_CRASH_H

#include <greenroom/crash.h>

#include "actors/core.h"

/* The last ones of a system. Errors: GR_ENOMEM. */
int gri_crashes_init(gr_system *sys);
void gri_crashes_fini(gr_system *sys);

/* Makes self's report, and gives it to all. Consumer only, in gri_end_run,
 * while the run has its name, its mailbox and its memory. */
void gri_crash_make(gr_actor *self, const gr_exit_reason *why);

/* crash_log.c: as lines, one call of the log for each; all but the first begin
 * with the pid, as other threads' may come between them. */
void gri_crash_log(const gri_log *log, gr_log_level level,
                   const gr_crash *crash);
/* "function at file:line", as far as it is known. Returns buf. */
const char *gri_frame_text(const gr_frame *frame, char *buf, size_t size);

/* A run's parent, set by its spawner before the run is published; 0: none. */
static inline void gri_parent_set(gr_system *sys, uint32_t slot, uint64_t id)
{
    /* release: who reads it of a run that is over then sees that it is; pairs
     * with the acquire in crash.c. */
    atomic_store_explicit(&sys->parents[slot], id, memory_order_release);
}

#endif /* GRI_ACTORS_CRASH_H */
