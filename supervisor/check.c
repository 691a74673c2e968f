/* supervisor/check.c - whether what a program wrote in a spec makes sense. */
#include <string.h>

#include "supervisor/spec.h"

static bool is_end(const gr_child *child)
{
    return child->id == NULL && child->behavior == NULL;
}

static int check_backoff(const gr_backoff *b)
{
    if (b->first_ms < 0 || b->max_ms < 0 || b->reset_ms < 0) {
        return GR_EINVAL;
    }
    if (b->first_ms == 0) {
        /* Nothing to delay: then nothing else may be said about delays. */
        return b->max_ms == 0 && b->reset_ms == 0 && b->factor == 0 &&
                       b->jitter == 0 && b->open_after == 0
                   ? 0
                   : GR_EINVAL;
    }
    int64_t max = b->max_ms == 0 ? GR_BACKOFF_MAX_MS_DEFAULT : b->max_ms;
    if (b->first_ms > max || max > INT32_MAX ||
        (b->jitter > 100 && b->jitter != GR_BACKOFF_EXACT)) {
        return GR_EINVAL;
    }
    return 0;
}

static bool has_limits(const gr_limits *l)
{
    return l->memory_max != 0 || l->handler_max_ms != 0 ||
           l->address_space_max != 0 || l->file_size_max != 0 ||
           l->cpu_max_s != 0 || l->files_max != 0 || l->seccomp;
}

static int check_nodes(const gr_child *child)
{
    uint32_t n = 0;

    if (child->nodes == NULL) {
        return 0;
    }
    for (; child->nodes[n] != NULL; n++) {
        size_t len = strlen(child->nodes[n]);
        if (len == 0 || len > 255) {
            return GR_EINVAL;
        }
        if (n == GR_CHILD_NODES_MAX) {
            return GR_ELIMIT;
        }
    }
    /* A supervisor's spec is for one node; what a spawn from afar is not told
     * must not be asked for. */
    return n > 0 && child->behavior != &gr_supervisor_behavior &&
                   !child->stable && child->grade == GR_GRADE_DEFAULT &&
                   !has_limits(&child->limits)
               ? 0
               : GR_EINVAL;
}

int gri_child_check(const gr_child *child)
{
    const gr_behavior *behavior = child->behavior;

    if (child->id == NULL || child->id[0] == '\0' || behavior == NULL) {
        return GR_EINVAL;
    }
    if (behavior->name == NULL ||
        (behavior->receive == NULL && behavior->handlers == NULL)) {
        return GR_EINVAL;
    }
    if (child->restart > GR_TEMPORARY || child->stop_max_ms < GR_CHILD_KILL ||
        child->grade > GR_GRADE_PROCESS ||
        (child->grade == GR_GRADE_PROCESS &&
         behavior == &gr_supervisor_behavior) ||
        child->limits.handler_max_ms < 0 ||
        (child->significant && child->restart == GR_PERMANENT) ||
        (child->poison_after != 0 && !child->stable) ||
        (child->args.n > 0 && child->args.items == NULL)) {
        return GR_EINVAL;
    }
    GR_TRY(check_backoff(&child->backoff));
    return check_nodes(child);
}

static int check_children(const gr_supervisor *spec, uint32_t *n)
{
    const gr_child *children = spec->children;
    uint32_t count = 0;

    for (; !is_end(&children[count]); count++) {
        if (count == GR_CHILDREN_MAX) {
            return GR_ELIMIT;
        }
        GR_TRY(gri_child_check(&children[count]));
        if (children[count].significant &&
            spec->auto_shutdown == GR_AUTO_NEVER) {
            return GR_EINVAL;
        }
        for (uint32_t i = 0; i < count; i++) {
            if (strcmp(children[i].id, children[count].id) == 0) {
                return GR_EINVAL;
            }
        }
    }
    *n = count;
    return 0;
}

int gri_spec_check(const gr_supervisor *spec, uint32_t *n)
{
    uint32_t count = 0;

    if (spec == NULL || spec->strategy > GR_SIMPLE_ONE_FOR_ONE ||
        spec->auto_shutdown > GR_AUTO_ALL || spec->period_ms < 0) {
        return GR_EINVAL;
    }
    if (spec->restarts_max > GR_RESTARTS_MAX &&
        spec->restarts_max != GR_RESTARTS_NONE) {
        return GR_ELIMIT;
    }
    if (spec->children != NULL) {
        GR_TRY(check_children(spec, &count));
    }
    if (spec->strategy == GR_SIMPLE_ONE_FOR_ONE) {
        /* Its children have no name of their own: they would all be given the
         * same. */
        if (count != 1 || spec->children[0].name != NULL) {
            return GR_EINVAL;
        }
    }
    *n = count;
    return 0;
}
