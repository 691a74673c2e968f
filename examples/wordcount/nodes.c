/* wordcount/nodes.c - to its supervisor a process is a child like any other. */
#include "nodes.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "counter.h"
#include "error.h"

/* Restarts of child processes that are no sign of trouble: somebody may be
 * killing them to see what happens. */
#define NODE_RESTARTS_MAX 200u
#define NODE_PERIOD_MS    10000
/* How long to wait for what could not be done at once. */
#define RETRY_MS 2

static int start_team(wc_run *r, wc_node *node, gr_node where)
{
    const gr_values args =
        gr_args(gr_self(r->self), (uint32_t)r->options->workers,
                (uint64_t)r->options->words_max);
    const int rc = gr_spawn(
        r->self, &wc_team,
        &(gr_spawn_opts){.args = args, .node = where, .monitor = &node->team},
        NULL);
    node->has_team = rc == 0;
    if (rc == GR_ENOCONN || rc == GR_ESTOPPED) {
        return 0; /* it is ending, or gone again: that will be said */
    }
    if (rc == GR_EDENIED && r->options->by_hand) {
        wc_progress_problem(&r->progress, "%s does not count for others",
                            node->name);
        return 0;
    }
    /* It may be very busy. */
    return rc == GR_ETIMEOUT ? gr_after(r->self, RETRY_MS, NULL, "teams") : rc;
}

int wc_nodes_spawn_teams(wc_run *r)
{
    for (size_t i = 0; i < r->crew.nodes_n; i++) {
        wc_node *node = &r->crew.nodes[i];
        if (node->up && !node->has_team) {
            GR_TRY(start_team(r, node, node->id));
        }
    }
    return 0;
}

int wc_nodes_changed(wc_run *r, bool up, gr_node id, gr_str name, int reason)
{
    wc_node *node = wc_crew_node_named(&r->crew, name);
    if (node == NULL && up && r->options->by_hand) {
        node = wc_crew_node_add(&r->crew, name);
    }
    if (node == NULL) {
        return 0;
    }
    if (up) {
        const bool again = node->id.id != 0;
        r->summary.nodes_restarted += again;
        wc_progress_event(&r->progress, "%s is %s", node->name,
                          again ? "back" : "up");
        node->up = true;
        node->id = id;
        node->counters = 0;
        return start_team(r, node, id);
    }
    if (node->up && node->id.id == id.id) {
        node->up = false;
        r->summary.nodes_lost++;
        wc_progress_event(&r->progress, "%s is lost (%s)", node->name,
                          reason < 0 ? gr_strerror(reason) : "it said goodbye");
    }
    return 0;
}

static wc_node *node_with(const wc_run *r, gr_ref team)
{
    for (size_t i = 0; i < r->crew.nodes_n; i++) {
        wc_node *node = &r->crew.nodes[i];
        if (node->has_team && node->team.id == team.id) {
            return node;
        }
    }
    return NULL;
}

bool wc_nodes_is_team(const wc_run *r, gr_ref ref)
{
    return node_with(r, ref) != NULL;
}

int wc_nodes_team_down(wc_run *r, gr_ref ref, const gr_exit_reason *why)
{
    wc_node *node = node_with(r, ref);
    if (node == NULL || why->kind == GR_EXIT_NOCONNECTION) {
        return 0;
    }
    node->has_team = false;
    /* Its supervisor's reason: one that gives up says of what. */
    const bool gave_up = why->kind == GR_EXIT_SHUTDOWN && why->text[0] != '\0';
    if (why->kind != GR_EXIT_ERROR && why->kind != GR_EXIT_LIMIT && !gave_up) {
        /* Somebody stopped it, most likely with its node. */
        return gr_after(r->self, RETRY_MS, NULL, "teams");
    }
    wc_progress_problem(&r->progress, "%s: the counters failed: %s %s %s",
                        node->name, gr_exit_kind_name(why->kind),
                        why->code < 0 ? gr_errname(why->code) : "", why->text);
    return WC_EFAILED;
}

int wc_nodes_kill(wc_run *r, const wc_counter *counter)
{
    int process;
    /* A node may be heard of before its process is known here. */
    if (counter == NULL || counter->node == NULL ||
        gr_child_node_process(r->self, counter->node->name, &process) < 0 ||
        kill((pid_t)process, SIGKILL) != 0) {
        return gr_after(r->self, RETRY_MS, NULL, "kill");
    }
    r->killed = true;
    wc_progress_event(&r->progress, "killed %s (process %d)",
                      counter->node->name, process);
    return 0;
}

int wc_serve(gr_actor *self, node_flags *flags)
{
    static const gr_behavior *const spawnable[] = {&wc_team, NULL};
    const gr_msg *msg;
    gr_str name;
    bool up;
    flags->node.spawnable = spawnable;
    GR_TRY(node_flags_start(self, flags, stdout));
    for (;;) {
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
        if (gr_match_node(msg, &up, NULL, &name, NULL)) {
            printf("%.*s has %s\n", GR_STR(name), up ? "come" : "gone");
            (void)fflush(stdout);
        } else if (!gr_match_slow_node(msg, NULL, NULL, NULL, NULL)) {
            GR_TRY(gr_unhandled(self, msg));
        }
    }
}

int wc_nodes_start(wc_run *r)
{
    const size_t n = r->options->nodes;
    wc_crew *crew = &r->crew;
    if (r->options->by_hand) {
        return node_flags_start(r->self, r->flags, stderr);
    }
    if (n == 0) {
        crew->nodes[0].id = gr_system_node(gr_system_of(r->self));
        crew->nodes[0].up = true;
        return start_team(r, &crew->nodes[0], GR_HERE);
    }
    const int rc = gr_child_nodes_enable(r->self, "wordcount");
    if (rc == GR_ENOTSUP) {
        wc_progress_problem(&r->progress,
                            "child nodes need threads, and GREENROOM_SEED "
                            "allows none: use --nodes 0 with it");
        return WC_EFAILED;
    }
    GR_TRY(rc);
    GR_TRY(gr_watch_nodes(r->self, true));
    /* One more: the list ends at {0}. */
    gr_child *children = gr_alloc(r->self, (n + 1) * sizeof(*children));
    gr_value *args = gr_alloc(r->self, n * 2 * sizeof(*args));
    if (children == NULL || args == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = crew->nodes[i].name;
        const gr_values these = gr_args(name, (uint32_t)r->options->workers);
        memcpy(args + 2 * i, these.items, 2 * sizeof(*args));
        children[i] = (gr_child){.id = name,
                                 .behavior = &gr_child_node_behavior,
                                 .args = {args + 2 * i, 2},
                                 .stop_max_ms = GR_CHILD_KILL};
    }
    return gr_supervise(r->self,
                        &(gr_supervisor){.strategy = GR_ONE_FOR_ONE,
                                         .restarts_max = NODE_RESTARTS_MAX,
                                         .period_ms = NODE_PERIOD_MS,
                                         .children = children},
                        &r->nodes);
}
