/* actors/record.c - a system's flight recorder. */
#include "actors/record.h"

#include <greenroom/recorder.h>

enum {
    DUMP_LAST = GRI_REC_EVENTS /* all that there is */
};

int gri_record_init(gr_system *sys)
{
    const gri_recorder_opts opts = {
        .path = sys->opts.recorder,
        .workers =
            sys->opts.seed != 0 ? 1 : sys->opts.workers + sys->opts.spares_max,
        .node = sys->node,
        .is_virtual = sys->clock.is_virtual,
        .now_ns = gri_clock_coarse_ns(&sys->clock),
        .task_at = (uintptr_t)&sys->slots[0].task,
        .slot_size = sizeof(gr_actor),
    };
    return gri_recorder_init(&sys->recorder, &opts, &sys->log);
}

void gri_record_worker(gr_system *sys, unsigned worker)
{
    gri_track *track = &sys->recorder.tracks[worker];
    sys->sides[worker].ctx.track = track;
    sys->sched.workers[worker].recent = &track->turns;
}

int gr_recorder_dump(gr_system *sys, int fd)
{
    const gri_recorder *r = &sys->recorder;
    return gri_recorder_print(r->head, r->size, DUMP_LAST, true, fd);
}
