/*
 * actors/reports.h - what is written of failures, with names for addresses: by
 * a thread of its own where the names must be looked up first, as that takes
 * long and no worker may wait for it.
 *
 * The reports that wait stand in a ring, and are written in that order, each
 * once, whoever writes it: mostly the thread. When the ring is full, who brings
 * one more writes the first itself, with what the loader knows of its
 * addresses. So the ring is bounded, nothing is lost, and nobody waits for a
 * look-up. A report whose names are all known is written where it is made,
 * unless others wait: so reports of one actor stay in order, as its next one is
 * made when this one was written or waits.
 *
 * The thread starts with the first report that wants it. In deterministic mode,
 * in the process of a process actor, which ends when its actor does, and where
 * no thread can be had, all is looked up and written at once.
 */
#ifndef GRI_ACTORS_REPORTS_H
#define GRI_ACTORS_REPORTS_H

#include <greenroom/crash.h>

#include "actors/core.h"

enum {
    /* Those that wait, at most: as many as a storm brings while names are
     * looked up for the first time. Half a megabyte, once it is needed. */
    GRI_REPORTS_MAX = 256,
    GRI_REPORT_BYTES = 1440 /* of what a report is of */
};

typedef struct gri_report gri_report;

/* Writes it, once: n frames. On the thread of ctx, which may be any. */
typedef void gri_report_fn(gri_ctx *ctx, const gri_report *report,
                           const gr_frame *frames);

struct gri_report {
    gri_report_fn *write;
    unsigned n;            /* of at: addresses, GRI_FRAMES_MAX at most */
    unsigned returns_from; /* from this one on: to where calls return */
    const void *at[GRI_FRAMES_MAX];
    /* For the writer, who may not go by anything that ends. */
    alignas(8) unsigned char of[GRI_REPORT_BYTES];
};

/* Errors: GR_ENOMEM. */
int gri_reports_init(gr_system *sys);
void gri_reports_fini(gr_system *sys);

/* Has a report written: now, if that takes no look-up. */
void gri_report_give(gri_ctx *ctx, const gri_report *report);
/* The same, and not on this thread, if that can be had. */
void gri_report_leave(gri_ctx *ctx, const gri_report *report);

/* Waits until none waits any more, and all are counted. False: some do, by
 * then. Any thread; in a signal handler, too. */
bool gri_reports_wait(gr_system *sys, int64_t deadline_ns);
/* After the last actor has ended: the same, and the thread ends. False: it runs
 * still, and nothing may be freed. */
bool gri_reports_stop(gr_system *sys, int64_t deadline_ns);

#endif /* GRI_ACTORS_REPORTS_H */
