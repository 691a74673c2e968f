/* supervisor/children.c - the life of one run of a child, and queues of
 * children. */
#include "supervisor/children.h"

/* A branch may take as long as it likes to start, but its answer is lost where
 * there is no memory for one: so it is asked again, each time after so long. */
enum { READY_MS = 10000 };

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

/* No node's number is 0. */
static gri_key key_of_token(uint64_t token)
{
    return (gri_key){0, token};
}

gri_child *gri_child_of(const gri_runs *runs, gr_pid pid)
{
    return gri_map_get(&runs->by_pid, key_of(pid));
}

gri_child *gri_child_of_token(const gri_runs *runs, uint64_t token)
{
    return gri_map_get(&runs->by_pid, key_of_token(token));
}

void gri_child_forget(gr_actor *self, gri_child *child)
{
    if (!gr_pid_is_nobody(child->address)) {
        GR_IGNORE(gr_give_up(self, child->address),
                  "then it is nobody's already");
        child->address = GR_NOBODY;
    }
}

/* A run at a new address, or at that of the last one. */
static int run(gr_actor *self, gri_child *child, gr_pid *out)
{
    const gri_child_spec *spec = child->spec;
    gr_ref monitor;
    gr_spawn_opts opts = {
        .args = child->args,
        .name = spec->name,
        .link = true,
        .monitor = &monitor,
        .ack = true,
        .grade = spec->grade,
        .limits = spec->limits,
        .stable = spec->stable,
        .poison_after = spec->poison_after,
    };

    if (!gr_pid_is_nobody(child->address)) {
        int rc = gr_revive(self, child->address, &opts);
        if (rc != GR_EINVAL && rc != GR_ENOPROC) {
            *out = child->address;
            return rc;
        }
        /* Its last run was left behind, or could not tell its end. */
        gri_child_forget(self, child);
    }
    GR_TRY(gr_spawn(self, spec->behavior, &opts, out));
    if (spec->stable) {
        child->address = *out;
    }
    return 0;
}

int gri_child_ask_ready(gr_actor *self, const gri_runs *runs, gr_pid branch)
{
    return gr_ask(self, branch, READY_MS, gr_then(runs->ready, branch.id),
                  "gr.started");
}

/* Of a branch it is asked at once whether all its children have started: so it
 * is asked before anybody can tell it of their ends, and answers before it
 * deals with these. */
static int note_run(gr_actor *self, gri_runs *runs, gri_child *child,
                    gr_pid pid)
{
    GR_TRY(gri_map_put(&runs->by_pid, key_of(pid), child));
    if (child->spec->behavior != &gr_supervisor_behavior) {
        return 0;
    }
    int rc = gri_child_ask_ready(self, runs, pid);
    if (rc < 0) {
        gri_map_remove(&runs->by_pid, key_of(pid));
    }
    return rc;
}

int gri_child_run_here(gr_actor *self, gri_runs *runs, gri_child *child)
{
    gr_pid pid;

    GR_TRY(run(self, child, &pid));
    int rc = note_run(self, runs, child, pid);
    if (rc < 0) {
        /* Nobody would know of it. Its death finds no child by its pid. */
        GR_IGNORE(gr_kill(self, pid), "the link ends it with the supervisor");
        gri_child_forget(self, child);
        return rc;
    }
    child->pid = pid;
    child->state = GRI_CHILD_STARTING;
    return 0;
}

int gri_child_run(gr_actor *self, gri_runs *runs, gri_child *child)
{
    child->state = GRI_CHILD_DOWN;
    child->killed = false;
    if (child->spec->nodes.left == 0) {
        return gri_child_run_here(self, runs, child);
    }
    child->nodes = child->spec->nodes;
    return gri_remote_run(self, runs, child);
}

void gri_child_over(gri_runs *runs, gri_child *child, const gr_exit_reason *why)
{
    if (!gr_pid_is_nobody(child->pid)) {
        gri_map_remove(&runs->by_pid, key_of(child->pid));
        if (child->state == GRI_CHILD_UP) {
            child->was = child->pid;
        }
        child->pid = GR_NOBODY;
    }
    if (child->token != 0) {
        gri_map_remove(&runs->by_pid, key_of_token(child->token));
        child->token = 0;
    }
    child->why = *why;
    child->has_ended = true;
}

int gri_child_kill(gr_actor *self, gri_child *child)
{
    child->killed = true;
    /* What was not spawned yet is killed when its node has answered. */
    return gr_pid_is_nobody(child->pid) ? 0 : gr_kill(self, child->pid);
}

int gri_child_stop(gr_actor *self, gri_child *child)
{
    child->state = GRI_CHILD_STOPPING;
    child->killed = false;
    if (child->spec->stop_max_ms == GR_CHILD_KILL ||
        (!gr_pid_is_nobody(child->pid) && gr_stop(self, child->pid) < 0)) {
        return gri_child_kill(self, child);
    }
    return 0;
}
