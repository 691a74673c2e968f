/*
 * supervisor/strategy.h - what to do when a child ended: a pure function of the
 * strategy, the child's restart type, how it ended, and the restarts so far.
 * Carrying it out is the work of ordered.c and dynamic.c.
 */
#ifndef GRI_SUPERVISOR_STRATEGY_H
#define GRI_SUPERVISOR_STRATEGY_H

#include "supervisor/intensity.h"
#include "supervisor/spec.h"

typedef enum gri_event_kind {
    GRI_EVENT_ENDED,         /* it had started, and ended */
    GRI_EVENT_NOT_STARTED,   /* its init failed in the supervisor's own start */
    GRI_EVENT_NOT_RESTARTED, /* its init failed in a restart */
    GRI_EVENT_AGAIN          /* that one is to be tried again now */
} gri_event_kind;

typedef struct gri_event {
    gri_event_kind kind;
    uint32_t index;   /* of the child in the spec */
    gr_exit_kind why; /* how it ended; not of GRI_EVENT_AGAIN */
} gri_event;

typedef enum gri_action_kind {
    GRI_ACTION_LEAVE,     /* it stays down; the others go on */
    GRI_ACTION_RESTART,   /* stop what still runs of [first, end), the last
                             first; then start these again, the first first */
    GRI_ACTION_TRY_LATER, /* leave it, and come back with GRI_EVENT_AGAIN */
    GRI_ACTION_ROLL_BACK, /* stop all, and end with the child's error */
    GRI_ACTION_GIVE_UP    /* too many restarts: stop all, and end */
} gri_action_kind;

typedef struct gri_action {
    gri_action_kind kind;
    uint32_t first, end; /* of GRI_ACTION_RESTART */
} gri_action;

/* True when a child of that type is to be restarted after such an end. */
bool gri_restarts(gr_restart type, gr_exit_kind why);

/* Decides, and notes in *window a restart that it decides for. */
gri_action gri_decide(const gri_spec *spec, gri_event event,
                      gri_intensity *window, int64_t now_ms);

#endif /* GRI_SUPERVISOR_STRATEGY_H */
