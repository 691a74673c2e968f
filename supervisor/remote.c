/*
 * supervisor/remote.c - a child that runs on another node: the node's agent is
 * asked to spawn it, and nobody waits meanwhile. The child has started when the
 * agent has answered and the ties are made; what ended before that is told by
 * the monitor all the same.
 *
 * The question has no deadline of its own: an agent answers, or its node is
 * lost. A deadline would leave a child behind that nobody knows of.
 *
 * The child begins with a link to the supervisor (the last element of the
 * question), so it does not outlive one that ends before it has heard of it.
 */
#include <string.h>

#include <greenroom/node.h>

#include "supervisor/children.h"

static bool is_this_node(gr_actor *self, const char *name)
{
    char own[GR_NODE_NAME_MAX + 1];

    return gr_node_name(self, GR_HERE, own, sizeof(own)) == 0 &&
           strcmp(own, name) == 0;
}

static int ask_for_it(gr_actor *self, const gri_runs *runs,
                      const gri_child *child, gr_node node)
{
    const gri_child_spec *spec = child->spec;

    return gr_ask(
        self, gr_node_agent(node), GR_FOREVER,
        gr_then(runs->answered, child->token), "spawn", spec->behavior->name,
        spec->name == NULL ? gr_nil() : gr_strn(spec->name, strlen(spec->name)),
        gr_list_of(child->args.items, child->args.n), gr_bool(true));
}

int gri_remote_run(gr_actor *self, gri_runs *runs, gri_child *child)
{
    int rc = GR_ENOCONN;
    const char *name;

    while (child->nodes.left > 0 && gri_read_text(&child->nodes, &name) == 0) {
        gr_node node;
        if (is_this_node(self, name)) {
            rc = gri_child_run_here(self, runs, child);
            if (rc == 0) {
                return 0;
            }
            continue;
        }
        if (gr_node_find(self, name, &node) < 0) {
            continue;
        }
        child->token = ++runs->tokens;
        GR_TRY(gri_map_put(&runs->by_pid, (gri_key){0, child->token}, child));
        rc = ask_for_it(self, runs, child, node);
        if (rc == 0) {
            child->state = GRI_CHILD_STARTING;
            return 0;
        }
        gri_map_remove(&runs->by_pid, (gri_key){0, child->token});
        child->token = 0;
    }
    return rc;
}

int gri_remote_tie(gr_actor *self, gri_runs *runs, gri_child *child, gr_pid pid)
{
    const gri_key key = {pid.node, pid.id};
    gr_ref monitor;

    GR_TRY(gri_map_put(&runs->by_pid, key, child));
    int rc = gr_monitor(self, pid, &monitor);
    if (rc == 0) {
        rc = gr_link(self, pid);
        if (rc < 0) {
            gr_demonitor(self, monitor);
        }
    }
    if (rc < 0) {
        gri_map_remove(&runs->by_pid, key);
        return rc;
    }
    child->pid = pid;
    return 0;
}
