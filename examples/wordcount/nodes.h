/*
 * wordcount/nodes.h - the nodes of a run: child nodes, started under a
 * supervisor, or those that somebody starts by hand; a team spawned on each
 * when it is up, and one killed when that is asked for.
 *
 * Errors: WC_EFAILED means that standard error says what happened.
 */
#ifndef WORDCOUNT_NODES_H
#define WORDCOUNT_NODES_H

#include "run.h"

/* Counts for others, with what they spawn here, until it is told to stop. */
int wc_serve(gr_actor *self, node_flags *flags);
/* Starts all nodes; for none a team in this process; or the node by which it
 * finds those that others start. */
int wc_nodes_start(wc_run *r);
/* What gr_match_node told. */
int wc_nodes_changed(wc_run *r, bool up, gr_node id, gr_str name, int reason);
/* Spawns the teams that are missing. */
int wc_nodes_spawn_teams(wc_run *r);
/* The end of a team: true if `ref` is one's monitor. */
bool wc_nodes_is_team(const wc_run *r, gr_ref ref);
int wc_nodes_team_down(wc_run *r, gr_ref ref, const gr_exit_reason *why);
/* Kills the process of the node that the counter is on. When it cannot now, or
 * counter is NULL, a message ["kill"] comes soon. */
int wc_nodes_kill(wc_run *r, const wc_counter *counter);

#endif /* WORDCOUNT_NODES_H */
