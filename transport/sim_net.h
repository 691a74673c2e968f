/*
 * transport/sim_net.h - a simulated network: which lines there are between its
 * nodes, and the links that run over them (link_sim.c).
 *
 * Threads: one, that of its world.
 */
#ifndef GRI_TRANSPORT_SIM_NET_H
#define GRI_TRANSPORT_SIM_NET_H

#include <greenroom/sim.h>

#include "base/world.h"

/* What was said of the line from one node to another; 0: all. */
typedef struct gri_sim_rule {
    struct gri_sim_rule *next;
    uint64_t from, to;
    gr_sim_line line;
} gri_sim_rule;

/* Nothing passes between these; 0: all. */
typedef struct gri_sim_gap {
    struct gri_sim_gap *next;
    uint64_t a, b;
} gri_sim_gap;

struct gri_sim_pair;
struct gri_sim_place;

struct gr_sim_net {
    gri_world world; /* first: gri_world_of */
    gri_sim_rule *rules;
    gri_sim_gap *gaps;
    struct gri_sim_pair *pairs;   /* link_sim.c's, as is the next */
    struct gri_sim_place *places; /* that are listened on */
};

/* The line from one node to another: of all rules the one that says most. */
gr_sim_line gri_sim_line_of(const gr_sim_net *net, uint64_t from, uint64_t to);
/* Whether there is a partition between them. */
bool gri_sim_parted(const gr_sim_net *net, uint64_t a, uint64_t b);
/* Whether {a, b} (0: all) means these two. */
static inline bool gri_sim_means(uint64_t a, uint64_t b, uint64_t x, uint64_t y)
{
    return ((a == 0 || a == x) && (b == 0 || b == y)) ||
           ((a == 0 || a == y) && (b == 0 || b == x));
}

/* link_sim.c. Cuts the connections between these (0: all); how many. */
unsigned gri_sim_cut_pairs(gr_sim_net *net, uint64_t a, uint64_t b);
/* What was held up may pass now. */
void gri_sim_look_again(gr_sim_net *net);

#endif /* GRI_TRANSPORT_SIM_NET_H */
