/*
 * tests/process/storm.h - a supervisor with child nodes and traffic to each of
 * them, and the processes of such a program as /proc shows them.
 */
#ifndef TESTS_PROCESS_STORM_H
#define TESTS_PROCESS_STORM_H

#include <stdio.h>

#include "tests/process/nodes.h"

#include "tests/process/found.h"
#include "tests/process/traffic.h"

enum { STORM_NODES = 3 };

/* ---- traffic ------------------------------------------------------------ */

static const gr_behavior storm_echo = {.name = "storm.echo",
                                       .receive = echo_receive};

static const gr_behavior *const storm_spawnable[] = {&storm_echo, NULL};

/* Begins traffic with that node. A node may go again at any moment: then there
 * is none. */
static inline void storm_flow(gr_actor *self, gr_node node)
{
    gr_pid echo;
    if (gr_spawn(self, &storm_echo, &(gr_spawn_opts){.node = node}, &echo) ==
        0) {
        GR_IGNORE(
            gr_spawn(self, &storm_pump,
                     &(gr_spawn_opts){.args = gr_args(echo, gr_self(self))},
                     NULL),
            "the node may be gone");
    }
}

/* ---- the tree ----------------------------------------------------------- */

static const char *const storm_ids[STORM_NODES] = {"a", "b", "c"};

typedef struct storm {
    char names[STORM_NODES][GR_NODE_NAME_MAX + 1];
    gr_node nodes[STORM_NODES]; /* id 0: down */
    bool flows[STORM_NODES];    /* its traffic does */
    gr_pid supervisor;
} storm;

/* Names hold the process id, so that a program's children can be found. */
static inline int storm_start(gr_actor *self, storm *s, uint32_t restarts_max)
{
    *s = (storm){.supervisor = GR_NOBODY};
    GR_TRY(gr_child_nodes_enable(self, "parent"));
    GR_TRY(gr_watch_nodes(self, true));
    for (int i = 0; i < STORM_NODES; i++) {
        (void)snprintf(s->names[i], sizeof(s->names[i]), "storm-%d-%d-",
                       getpid(), i);
    }
    const gr_behavior *node = &gr_child_node_behavior;
    const gr_child specs[STORM_NODES + 1] = {
        {.id = storm_ids[0],
         .behavior = node,
         .args = gr_args((char *)s->names[0], 1)},
        {.id = storm_ids[1],
         .behavior = node,
         .args = gr_args((char *)s->names[1], 1)},
        {.id = storm_ids[2],
         .behavior = node,
         .args = gr_args((char *)s->names[2], 1)},
    };
    return gr_supervise(
        self, &(gr_supervisor){.children = specs, .restarts_max = restarts_max},
        &s->supervisor);
}

/* Takes in a message about a node, or its traffic. */
static inline void storm_note(gr_actor *self, storm *s, const gr_msg *msg)
{
    bool up = false;
    gr_node node;
    gr_str name;
    gr_pid echo;
    if (gr_match(msg, "flows", &echo)) {
        for (int i = 0; i < STORM_NODES; i++) {
            /* Else it has been replaced meanwhile. */
            s->flows[i] |= s->nodes[i].id != 0 && s->nodes[i].id == echo.node;
        }
        return;
    }
    if (!gr_match_node(msg, &up, &node, &name, NULL)) {
        return;
    }
    for (int i = 0; i < STORM_NODES; i++) {
        if (name.len == strlen(s->names[i]) &&
            memcmp(name.ptr, s->names[i], name.len) == 0) {
            s->nodes[i] = up ? node : (gr_node){0};
            s->flows[i] = false;
            if (up) { /* the message is gone then: this may wait */
                storm_flow(self, node);
            }
            return;
        }
    }
}

static inline bool storm_all_flow(const storm *s)
{
    bool all = true;
    for (int i = 0; i < STORM_NODES; i++) {
        all = all && s->flows[i];
    }
    return all;
}

/* ---- its processes ------------------------------------------------------ */

/* The launchers and child nodes of that program; launchers first. */
static inline int storm_processes(int program, int pids[FOUND_MAX],
                                  int *launchers)
{
    char want[96];
    const int n = snprintf(want, sizeof(want), "storm-%d-", program);
    return found_processes(program, want, (size_t)n, pids, launchers);
}

#endif /* TESTS_PROCESS_STORM_H */
