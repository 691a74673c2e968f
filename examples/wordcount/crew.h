/*
 * wordcount/crew.h - whom the coordinator knows: the nodes that it started, and
 * the counters that asked for work.
 */
#ifndef WORDCOUNT_CREW_H
#define WORDCOUNT_CREW_H

#include <greenroom/greenroom.h>

#include "plan.h"

/* Chunks that a counter has: the one that it counts, and one that lies ready,
 * so that it goes on while this process is asked for more. */
#define WC_WORKS_MAX 2u

typedef struct wc_node {
    char name[GR_NODE_NAME_MAX + 1];
    gr_node id;  /* of its present run */
    gr_ref team; /* monitors the team of its present run */
    bool up;
    bool has_team;
    uint32_t counters; /* that its present run has had */
} wc_node;

typedef struct wc_part {
    const gr_msg *msg; /* kept */
    gr_bytes counts;   /* in it */
} wc_part;

typedef struct wc_counter {
    gr_pid pid;
    gr_ref monitor;
    wc_work *works[WC_WORKS_MAX]; /* what it counts, then what comes next */
    unsigned works_n;             /* 0: it waits */
    /* Counts of the first, as they came: messages that are kept, which the
     * owner releases. */
    wc_part *parts;
    size_t parts_n, parts_room;
    wc_node *node;
} wc_counter;

typedef struct wc_crew {
    wc_node *nodes;
    size_t nodes_n, nodes_room;
    wc_counter *counters;
    size_t counters_n, counters_room;
} wc_crew;

/* Makes nodes "node1" ... "nodeN"; for 0 one "here", or, with by_hand, none,
 * but room for WC_NODES_MAX. Ends with wc_crew_fini. Errors: GR_ENOMEM. */
int wc_crew_init(wc_crew *crew, unsigned nodes, bool by_hand);
/* The work of counters is the caller's. */
void wc_crew_fini(wc_crew *crew);

/* NULL: none. */
wc_node *wc_crew_node_named(wc_crew *crew, gr_str name);
/* A new node, of a crew by hand. NULL: there are too many. */
wc_node *wc_crew_node_add(wc_crew *crew, gr_str name);
wc_node *wc_crew_node_of(wc_crew *crew, gr_pid pid);
wc_counter *wc_crew_find(wc_crew *crew, gr_pid pid);
/* Adds what the counter sent. Errors: GR_ENOMEM. */
int wc_counter_add_part(wc_counter *counter, const gr_msg *kept,
                        gr_bytes counts);
/* A new counter; pointers to others are void then. NULL: no memory. */
wc_counter *wc_crew_add(wc_crew *crew, gr_pid pid);
/* The last counter takes its place. */
void wc_crew_remove(wc_crew *crew, wc_counter *counter);

#endif /* WORDCOUNT_CREW_H */
