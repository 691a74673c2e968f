/* wordcount/crew.c - small lists: a look at each entry is nothing beside the
 * chunk that a message stands for. */
#include "crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

int wc_crew_init(wc_crew *crew, unsigned nodes, bool by_hand)
{
    *crew = (wc_crew){.nodes_n = nodes > 0 || by_hand ? nodes : 1,
                      .nodes_room = WC_NODES_MAX};
    crew->nodes = calloc(crew->nodes_room, sizeof(*crew->nodes));
    if (crew->nodes == NULL) {
        return GR_ENOMEM;
    }
    for (unsigned i = 0; i < nodes; i++) {
        wc_node *node = &crew->nodes[i];
        (void)snprintf(node->name, sizeof(node->name), "node%u", i + 1);
    }
    if (nodes == 0 && !by_hand) {
        memcpy(crew->nodes[0].name, "here", sizeof("here"));
    }
    return 0;
}

void wc_crew_fini(wc_crew *crew)
{
    for (size_t i = 0; i < crew->counters_n; i++) {
        free(crew->counters[i].parts);
    }
    free(crew->counters);
    free(crew->nodes);
    *crew = (wc_crew){0};
}

wc_node *wc_crew_node_named(wc_crew *crew, gr_str name)
{
    for (size_t i = 0; i < crew->nodes_n; i++) {
        wc_node *node = &crew->nodes[i];
        if (strlen(node->name) == name.len &&
            memcmp(node->name, name.ptr, name.len) == 0) {
            return node;
        }
    }
    return NULL;
}

wc_node *wc_crew_node_add(wc_crew *crew, gr_str name)
{
    if (crew->nodes_n == crew->nodes_room || name.len > GR_NODE_NAME_MAX) {
        return NULL;
    }
    wc_node *node = &crew->nodes[crew->nodes_n++];
    memcpy(node->name, name.ptr, name.len);
    return node;
}

wc_node *wc_crew_node_of(wc_crew *crew, gr_pid pid)
{
    for (size_t i = 0; i < crew->nodes_n; i++) {
        if (crew->nodes[i].id.id == pid.node) {
            return &crew->nodes[i];
        }
    }
    return NULL;
}

wc_counter *wc_crew_find(wc_crew *crew, gr_pid pid)
{
    for (size_t i = 0; i < crew->counters_n; i++) {
        if (gr_pid_eq(crew->counters[i].pid, pid)) {
            return &crew->counters[i];
        }
    }
    return NULL;
}

int wc_counter_add_part(wc_counter *counter, const gr_msg *kept,
                        gr_bytes counts)
{
    if (counter->parts_n == counter->parts_room) {
        const size_t room = 2 * counter->parts_room + 16;
        wc_part *parts = realloc(counter->parts, room * sizeof(*parts));
        if (parts == NULL) {
            return GR_ENOMEM;
        }
        counter->parts = parts;
        counter->parts_room = room;
    }
    counter->parts[counter->parts_n++] = (wc_part){kept, counts};
    return 0;
}

wc_counter *wc_crew_add(wc_crew *crew, gr_pid pid)
{
    if (crew->counters_n == crew->counters_room) {
        const size_t room = 2 * crew->counters_room + 8;
        wc_counter *counters =
            realloc(crew->counters, room * sizeof(*counters));
        if (counters == NULL) {
            return NULL;
        }
        crew->counters = counters;
        crew->counters_room = room;
    }
    wc_counter *counter = &crew->counters[crew->counters_n++];
    *counter = (wc_counter){.pid = pid, .node = wc_crew_node_of(crew, pid)};
    return counter;
}

void wc_crew_remove(wc_crew *crew, wc_counter *counter)
{
    free(counter->parts);
    *counter = crew->counters[--crew->counters_n];
}
