/* wordcount/run.h - what the coordinator knows of the run. */
#ifndef WORDCOUNT_RUN_H
#define WORDCOUNT_RUN_H

#include <greenroom/greenroom.h>

#include "chunks.h"
#include "crew.h"
#include "node_flags.h"
#include "options.h"
#include "payload.h"
#include "plan.h"
#include "progress.h"
#include "table.h"
#include "walk.h"

typedef struct wc_run {
    gr_actor *self;
    const wc_options *options;
    node_flags *flags; /* of nodes by hand */
    wc_walk *walk;
    wc_chunks chunks;
    wc_plan plan;
    wc_payload payload;
    wc_table table;
    wc_crew crew;
    wc_progress progress;
    wc_summary summary;
    gr_pid nodes;   /* the supervisor of the child nodes */
    uint64_t total; /* bytes, by a survey */
    bool surveyed;  /* total is known */
    bool killed;    /* --kill-node has had its way */
    bool retrying;  /* a timer is under way */
    bool met;       /* a counter has asked for work */
} wc_run;

#endif /* WORDCOUNT_RUN_H */
