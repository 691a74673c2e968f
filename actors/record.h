/*
 * actors/record.h - what the threads of a system note in its flight recorder.
 */
#ifndef GRI_ACTORS_RECORD_H
#define GRI_ACTORS_RECORD_H

#include "actors/internal.h"

/* Before the scheduler is made. Errors: as gri_recorder_init. */
int gri_record_init(gr_system *sys);
/* Before the workers run: gives one its track. */
void gri_record_worker(gr_system *sys, unsigned worker);

/* Notes an event, with what recorder_layout.h says of its kind; a is the id of
 * an actor's pid, for most. */
static inline void gri_record_event(gri_ctx *ctx, gri_event what, uint64_t a,
                                    uint64_t b, uint64_t c)
{
    const int64_t now_ns = gri_clock_coarse_ns(&ctx->sys->clock);
    if (ctx->track != NULL) {
        gri_rec_put(ctx->track, what, now_ns, a, b, c);
    } else {
        gri_record_other(&ctx->sys->recorder, what, now_ns, a, b, c);
    }
}

/* The same of what happens often: a worker's time is that of its last look
 * around. */
static inline void gri_note_life(gri_ctx *ctx, gri_event what, uint64_t a,
                                 uint64_t b, uint64_t c)
{
    if (ctx->track != NULL) {
        gri_rec_put(ctx->track, what, ctx->worker->round_ns, a, b, c);
    } else {
        gri_record_event(ctx, what, a, b, c);
    }
}

/* The number of a behaviour's name; b may be NULL. */
static inline uint32_t gri_note_name(gri_ctx *ctx, const gr_behavior *b)
{
    return b != NULL ? gri_record_name(&ctx->sys->recorder, b, b->name) : 0;
}

/* A run is about to be published: who lives in that slot. */
static inline void gri_note_slot(gri_ctx *ctx, uint32_t run, uint32_t slot,
                                 uint32_t name)
{
    gri_record_slot(&ctx->sys->recorder, run, slot, name);
}

/* The same as an event, of an actor that somebody has a tie to, or that has
 * code to run: the plainest may be millions, and would push out what matters.
 */
static inline void gri_note_spawn(gri_ctx *ctx, uint64_t id, uint32_t name,
                                  uint64_t parent)
{
    gri_note_life(ctx, GRI_EVENT_SPAWN, id, name, parent);
}

/* And its end: of one with ties, or a name, or memory. */
static inline void gri_note_end(gri_ctx *ctx, uint64_t id,
                                const gr_exit_reason *why)
{
    gri_note_life(ctx, GRI_EVENT_END, id, why->kind, (uint64_t)why->code);
}

#endif /* GRI_ACTORS_RECORD_H */
