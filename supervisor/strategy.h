/*
 * supervisor/strategy.h - what to do when a child ended: a pure function of the
 * strategy, the child's type, how it ended, and the restarts so far. Carrying
 * it out is the work of ordered.c and dynamic.c.
 */
#ifndef GRI_SUPERVISOR_STRATEGY_H
#define GRI_SUPERVISOR_STRATEGY_H

#include <greenroom/supervisor.h>

#include "supervisor/intensity.h"

typedef enum gri_event_kind {
    GRI_EVENT_ENDED,         /* it had started, and ended */
    GRI_EVENT_NOT_STARTED,   /* its init failed in the supervisor's own start */
    GRI_EVENT_NOT_RESTARTED, /* its init failed in a restart */
    GRI_EVENT_AGAIN          /* it has waited for its restart long enough */
} gri_event_kind;

typedef struct gri_event {
    gri_event_kind kind;
    gr_exit_kind why; /* how it ended; not of GRI_EVENT_AGAIN */
    gr_restart type;  /* of the child */
    bool delayed;     /* its back-off wants a delay before a restart */
    bool significant;
    bool others;       /* another significant child runs or is restarted */
    uint32_t index, n; /* the child's place, and how many there are */
} gri_event;

typedef enum gri_action_kind {
    GRI_ACTION_LEAVE,     /* it stays down; the others go on */
    GRI_ACTION_RESTART,   /* stop what still runs of [first, end), the last
                             first; then start these again, the first first */
    GRI_ACTION_TRY_LATER, /* leave it, and come back with GRI_EVENT_AGAIN; with
                             a delay, stop [first, end) meanwhile */
    GRI_ACTION_ROLL_BACK, /* stop all, and end with the child's error */
    GRI_ACTION_GIVE_UP,   /* too many restarts: stop all, and end */
    GRI_ACTION_SHUT_DOWN  /* a significant child ended: stop all, and end */
} gri_action_kind;

typedef struct gri_action {
    gri_action_kind kind;
    uint32_t first, end; /* of GRI_ACTION_RESTART and GRI_ACTION_TRY_LATER */
} gri_action;

/* True when a child of that type is to be restarted after such an end. */
bool gri_restarts(gr_restart type, gr_exit_kind why);

/* True when a restart of the child at `index` takes the one at `other` along.
 */
bool gri_concerns(gr_strategy strategy, uint32_t index, uint32_t other);

/* Decides, and notes in *window a restart that it decides for. */
gri_action gri_decide(gr_strategy strategy, gr_auto_shutdown auto_shutdown,
                      const gri_event *event, gri_intensity *window,
                      int64_t now_ms);

#endif /* GRI_SUPERVISOR_STRATEGY_H */
