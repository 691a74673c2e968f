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

/* Whom the restart of child `index` concerns. */
static gri_action restart(const gri_spec *spec, uint32_t index)
{
    gri_action action = {GRI_ACTION_RESTART, index, index + 1};

    switch (spec->strategy) {
    case GR_ONE_FOR_ONE:
    case GR_SIMPLE_ONE_FOR_ONE:
        break;
    case GR_ONE_FOR_ALL:
        action.first = 0;
        action.end = spec->n;
        break;
    case GR_REST_FOR_ONE:
        action.end = spec->n;
        break;
    }
    return action;
}

gri_action gri_decide(const gri_spec *spec, gri_event event,
                      gri_intensity *window, int64_t now_ms)
{
    gri_action leave = {.kind = GRI_ACTION_LEAVE};
    gri_action roll_back = {.kind = GRI_ACTION_ROLL_BACK};
    gri_action try_later = {.kind = GRI_ACTION_TRY_LATER};

    switch (event.kind) {
    case GRI_EVENT_ENDED:
        if (!gri_restarts(spec->children[event.index].restart, event.why)) {
            return leave;
        }
        break;
    case GRI_EVENT_NOT_STARTED:
        /* To end normally in init is to say that there is nothing to do. */
        return event.why == GR_EXIT_NORMAL ? leave : roll_back;
    case GRI_EVENT_NOT_RESTARTED:
        return event.why == GR_EXIT_NORMAL ? leave : try_later;
    case GRI_EVENT_AGAIN:
        break;
    }
    if (!gri_intensity_add(window, now_ms)) {
        return (gri_action){.kind = GRI_ACTION_GIVE_UP};
    }
    return restart(spec, event.index);
}
