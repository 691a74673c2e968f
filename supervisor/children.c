/* supervisor/children.c - the life of one run of a child, and queues of
 * children. */
#include "supervisor/children.h"

/* ---- queues ------------------------------------------------------------- */

void gri_queue_push(gri_queue *queue, gri_child *child)
{
    child->next_queued = NULL;
    if (queue->last == NULL) {
        queue->first = child;
    } else {
        queue->last->next_queued = child;
    }
    queue->last = child;
}

gri_child *gri_queue_pop(gri_queue *queue)
{
    gri_child *child = queue->first;

    if (child != NULL) {
        queue->first = child->next_queued;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        child->next_queued = NULL;
    }
    return child;
}

void gri_queue_remove(gri_queue *queue, gri_child *child)
{
    gri_child *before = NULL;
    gri_child *at = queue->first;

    while (at != NULL && at != child) {
        before = at;
        at = at->next_queued;
    }
    if (at == NULL) {
        return;
    }
    if (before == NULL) {
        queue->first = child->next_queued;
    } else {
        before->next_queued = child->next_queued;
    }
    if (queue->last == child) {
        queue->last = before;
    }
    child->next_queued = NULL;
}

/* ---- runs --------------------------------------------------------------- */

static gri_key key_of(gr_pid pid)
{
    return (gri_key){pid.node, pid.id};
}

gri_child *gri_child_of(const gri_map *by_pid, gr_pid pid)
{
    return gri_map_get(by_pid, key_of(pid));
}

int gri_child_run(gr_actor *self, gri_map *by_pid, gri_child *child)
{
    gr_ref monitor;
    gr_pid pid;

    child->state = GRI_CHILD_DOWN;
    GR_TRY(gr_spawn(self, child->spec->behavior,
                    &(gr_spawn_opts){.args = child->args,
                                     .name = child->spec->name,
                                     .link = true,
                                     .monitor = &monitor,
                                     .ack = true},
                    &pid));
    int rc = gri_map_put(by_pid, key_of(pid), child);
    if (rc < 0) {
        /* Nobody would know of it. Its death finds no child by its pid. */
        GR_IGNORE(gr_kill(self, pid), "the link ends it with the supervisor");
        return rc;
    }
    child->pid = pid;
    child->state = GRI_CHILD_STARTING;
    return 0;
}

void gri_child_over(gri_map *by_pid, gri_child *child)
{
    gri_map_remove(by_pid, key_of(child->pid));
    child->pid = GR_NOBODY;
}

int gri_child_stop(gr_actor *self, gri_child *child)
{
    child->state = GRI_CHILD_STOPPING;
    if (child->spec->stop_max_ms == GR_CHILD_KILL ||
        gr_stop(self, child->pid) < 0) {
        return gr_kill(self, child->pid);
    }
    return 0;
}
