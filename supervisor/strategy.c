/* supervisor/strategy.c - the decision half of a supervisor. */
#include "supervisor/strategy.h"

bool gri_restarts(gr_restart type, gr_exit_kind why)
{
    switch (type) {
    case GR_PERMANENT:
        return true;
    case GR_TRANSIENT:
        return why != GR_EXIT_NORMAL && why != GR_EXIT_SHUTDOWN;
    case GR_TEMPORARY:
        return false;
    }
    return false;
}

bool gri_concerns(gr_strategy strategy, uint32_t index, uint32_t other)
{
    switch (strategy) {
    case GR_ONE_FOR_ONE:
    case GR_SIMPLE_ONE_FOR_ONE:
        return other == index;
    case GR_ONE_FOR_ALL:
        return true;
    case GR_REST_FOR_ONE:
        return other >= index;
    }
    return false;
}

/* Whom the restart of a child concerns. */
static gri_action range(gri_action_kind kind, gr_strategy strategy,
                        const gri_event *event)
{
    gri_action action = {kind, event->index, event->index + 1};

    switch (strategy) {
    case GR_ONE_FOR_ONE:
    case GR_SIMPLE_ONE_FOR_ONE:
        break;
    case GR_ONE_FOR_ALL:
        action.first = 0;
        action.end = event->n;
        break;
    case GR_REST_FOR_ONE:
        action.end = event->n;
        break;
    }
    return action;
}

/* A child ended for good; is that the end of its supervisor? */
static gri_action leave(gr_auto_shutdown auto_shutdown, const gri_event *event)
{
    bool last = auto_shutdown == GR_AUTO_ANY ||
                (auto_shutdown == GR_AUTO_ALL && !event->others);

    return (gri_action){.kind = event->significant && last
                                    ? GRI_ACTION_SHUT_DOWN
                                    : GRI_ACTION_LEAVE};
}

gri_action gri_decide(gr_strategy strategy, gr_auto_shutdown auto_shutdown,
                      const gri_event *event, gri_intensity *window,
                      int64_t now_ms)
{
    /* To end normally in init is to say that there is nothing to do. */
    bool nothing_to_do = event->why == GR_EXIT_NORMAL;

    switch (event->kind) {
    case GRI_EVENT_ENDED:
        if (!gri_restarts(event->type, event->why)) {
            return leave(auto_shutdown, event);
        }
        if (event->delayed) {
            return range(GRI_ACTION_TRY_LATER, strategy, event);
        }
        break;
    case GRI_EVENT_NOT_STARTED:
        return (gri_action){.kind = nothing_to_do ? GRI_ACTION_LEAVE
                                                  : GRI_ACTION_ROLL_BACK};
    case GRI_EVENT_NOT_RESTARTED:
        if (nothing_to_do) {
            return (gri_action){.kind = GRI_ACTION_LEAVE};
        }
        return range(GRI_ACTION_TRY_LATER, strategy, event);
    case GRI_EVENT_AGAIN:
        break;
    }
    if (!gri_intensity_add(window, now_ms)) {
        return (gri_action){.kind = GRI_ACTION_GIVE_UP};
    }
    return range(GRI_ACTION_RESTART, strategy, event);
}
