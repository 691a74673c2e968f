/*
 * wordcount/plan.h - the chunks of a run: those still to be cut, those handed
 * out, and those that come back because their counter is gone.
 */
#ifndef WORDCOUNT_PLAN_H
#define WORDCOUNT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "chunks.h"

/* A chunk and what happened to it so far. */
typedef struct wc_work wc_work;
struct wc_work {
    wc_work *next; /* in the list of those that came back */
    wc_chunk chunk;
    uint64_t id;       /* 1, 2, 3 ... in the order of the first handing out */
    unsigned failures; /* counters that it has lost, other than asked for */
    bool crash;        /* its counter is to fail after half of it */
};

typedef struct wc_plan {
    wc_chunks *chunks;
    uint64_t crash_every; /* 0: never */
    wc_work *back, *back_last;
    uint64_t made;  /* chunks that were cut */
    uint64_t out;   /* handed out now */
    uint64_t done;  /* counted */
    uint64_t again; /* times that a chunk came back */
} wc_plan;

/* Keeps chunks. */
void wc_plan_init(wc_plan *plan, wc_chunks *chunks, uint64_t crash_every);
void wc_plan_fini(wc_plan *plan);

/* 1 and a chunk to hand out, which ends with wc_plan_done, wc_plan_return or
 * wc_plan_untake; 0: none at present. Errors: GR_ENOMEM. */
int wc_plan_take(wc_plan *plan, wc_work **out);
/* It could not be handed out, or was not begun: it will be, first of all. */
void wc_plan_untake(wc_plan *plan, wc_work *work);
/* It was not counted: it will be handed out again. */
void wc_plan_return(wc_plan *plan, wc_work *work);
/* It was counted: frees it. */
void wc_plan_done(wc_plan *plan, wc_work *work);

/* Nothing is left to hand out now; perhaps something may come back. */
bool wc_plan_all_out(const wc_plan *plan);
/* Everything was counted. */
bool wc_plan_finished(const wc_plan *plan);

#endif /* WORDCOUNT_PLAN_H */
