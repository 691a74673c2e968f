/* transport/sim_net.c - what programs say of a simulated network: the half of
 * greenroom/sim.h that knows of nodes. */
#include "transport/sim_net.h"

#include <stdlib.h>

#include <greenroom/error.h>

#include "base/assert.h"

enum { CUTS_PER_MB_MAX = 1000000 }; /* then each byte is cut */

int gr_sim_net_new(uint64_t seed, gr_sim_net **out)
{
    if (seed == 0) {
        return GR_EINVAL;
    }
    gr_sim_net *net = calloc(1, sizeof *net);
    if (net == NULL) {
        return GR_ENOMEM;
    }
    gri_world_init(&net->world, seed);
    *out = net;
    return 0;
}

void gr_sim_net_free(gr_sim_net *net)
{
    /* Its systems have stopped, and so their links are closed. */
    GR_ASSERT(net->world.members == NULL);
    GR_ASSERT(net->pairs == NULL && net->places == NULL);
    while (net->rules != NULL) {
        gri_sim_rule *rule = net->rules;
        net->rules = rule->next;
        free(rule);
    }
    while (net->gaps != NULL) {
        gri_sim_gap *gap = net->gaps;
        net->gaps = gap->next;
        free(gap);
    }
    free(net);
}

/* How much a rule says of that line: 0 nothing, 3 its both ends. */
static unsigned says(const gri_sim_rule *rule, uint64_t from, uint64_t to)
{
    if ((rule->from != 0 && rule->from != from) ||
        (rule->to != 0 && rule->to != to)) {
        return 0;
    }
    return 1u + (rule->from != 0 ? 1u : 0) + (rule->to != 0 ? 1u : 0);
}

gr_sim_line gri_sim_line_of(const gr_sim_net *net, uint64_t from, uint64_t to)
{
    gr_sim_line line = {.delay_min_ms = 0};
    unsigned most = 0;
    /* The newest come first, and win over those that say as much. */
    for (const gri_sim_rule *r = net->rules; r != NULL; r = r->next) {
        unsigned n = says(r, from, to);
        if (n > most) {
            most = n;
            line = r->line;
        }
    }
    return line;
}

bool gri_sim_parted(const gr_sim_net *net, uint64_t a, uint64_t b)
{
    for (const gri_sim_gap *g = net->gaps; g != NULL; g = g->next) {
        if (gri_sim_means(g->a, g->b, a, b)) {
            return true;
        }
    }
    return false;
}

static bool makes_sense(const gr_sim_line *line)
{
    return line->delay_min_ms >= 0 &&
           line->delay_min_ms <= line->delay_max_ms &&
           line->delay_max_ms <= INT32_MAX &&
           line->cuts_per_mb <= CUTS_PER_MB_MAX;
}

int gr_sim_net_line(gr_sim_net *net, gr_node from, gr_node to,
                    const gr_sim_line *line)
{
    if (!makes_sense(line)) {
        return GR_EINVAL;
    }
    gri_sim_rule **at = &net->rules;
    while (*at != NULL && ((*at)->from != from.id || (*at)->to != to.id)) {
        at = &(*at)->next;
    }
    gri_sim_rule *rule = *at;
    if (rule != NULL) {
        *at = rule->next;
    } else {
        rule = malloc(sizeof *rule);
        if (rule == NULL) {
            return GR_ENOMEM;
        }
    }
    *rule = (gri_sim_rule){net->rules, from.id, to.id, *line};
    net->rules = rule;
    return 0;
}

int gr_sim_net_partition(gr_sim_net *net, gr_node a, gr_node b)
{
    gri_sim_gap *gap = malloc(sizeof *gap);
    if (gap == NULL) {
        return GR_ENOMEM;
    }
    *gap = (gri_sim_gap){net->gaps, a.id, b.id};
    net->gaps = gap;
    return 0;
}

void gr_sim_net_heal(gr_sim_net *net, gr_node a, gr_node b)
{
    gri_sim_gap **at = &net->gaps;
    while (*at != NULL) {
        gri_sim_gap *gap = *at;
        bool ends = (a.id == 0 && b.id == 0) ||
                    (gap->a == a.id && gap->b == b.id) ||
                    (gap->a == b.id && gap->b == a.id);
        if (ends) {
            *at = gap->next;
            free(gap);
        } else {
            at = &gap->next;
        }
    }
    gri_sim_look_again(net);
}

unsigned gr_sim_net_cut(gr_sim_net *net, gr_node a, gr_node b)
{
    return gri_sim_cut_pairs(net, a.id, b.id);
}
