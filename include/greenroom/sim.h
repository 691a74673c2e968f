/*
 * greenroom/sim.h - deterministic mode: a system started with a seed.
 *
 * It has no threads of its own. Actors run on the thread that waits in it: a
 * thread actor in gr_receive, gr_call or gr_sleep, or the caller of the
 * functions below. Time is virtual: it starts at 0 and jumps to the next timer
 * when nothing else can run, or when it stood still for 10,000 turns. Which
 * actor runs next is chosen by the seed, so the same program with the same seed
 * does the same thing; another seed gives another order that a real system
 * could have had. Programs that use real nodes, threads of their own or the
 * real clock are not deterministic.
 *
 * gr_sim_step, gr_sim_settle and gr_sim_advance of a system without a seed are
 * a programmer's error: they write a line and abort the process. Of the other
 * two the results mean nothing then.
 */
#ifndef GREENROOM_SIM_H
#define GREENROOM_SIM_H

#include <greenroom/system.h>

GR_BEGIN_DECLS

/* Runs one turn of one actor, or, when none can run, moves the clock to the
 * next timer and fires it. False: nothing is left to do.
 * Threads: the one that started sys. */
GR_API bool gr_sim_step(gr_system *sys);
/* Runs actors until none can run; the clock stands still. Returns the number
 * of turns. */
GR_API uint64_t gr_sim_settle(gr_system *sys);
/* Lets `ms` of virtual time pass, with all that happens in it. */
GR_API void gr_sim_advance(gr_system *sys, int64_t ms);
GR_API int64_t gr_sim_now_ms(const gr_system *sys);
/* A hash of every choice made so far: equal for equal runs. */
GR_API uint64_t gr_sim_trace(const gr_system *sys);

/* ---- several systems, and a network between them ------------------------- */

/*
 * A program of several nodes, in one process and one thread: each a system that
 * is started with the same gr_sim_net (gr_system_opts.sim_net), listens at and
 * connects to addresses sim://NAME (1 to 63 letters, digits, '.', '_' and '-'),
 * and is else a node as any. They have one clock and one seed; whoever waits in
 * one of them, or steps it by a function above, drives all. Nodes that are
 * connected always have a heartbeat to come: give waits a deadline.
 *
 * Unless something is said of it, the line between two nodes has no delay to
 * speak of (a microsecond or so) and loses nothing. What is on its way keeps
 * its order in any case, as on any stream.
 */

/*
 * Makes one. Owns: gives *out, which ends with gr_sim_net_free. seed: of all
 * choices, also those of its systems. Errors: GR_EINVAL (seed 0), GR_ENOMEM.
 * Threads, of all below: one, that of its systems.
 */
GR_API GR_MUST_CHECK int gr_sim_net_new(uint64_t seed, gr_sim_net **out);
/* Its systems have stopped: else the process is aborted. */
GR_API void gr_sim_net_free(gr_sim_net *net);

/* What the line from one node to another is like. */
typedef struct gr_sim_line {
    int64_t delay_min_ms, delay_max_ms; /* what is sent is on its way so long,
                                           by chance; at most 2^31 - 1 */
    uint32_t cuts_per_mb; /* connections that are cut per million bytes, by
                             chance, at any byte; at most 1,000,000 */
    uint32_t bytes_per_s; /* a slow reader takes so many; 0: no limit */
} gr_sim_line;

/* All nodes of a net, where one is asked for. */
#define GR_SIM_ALL GR_HERE

/*
 * From now on what `from` sends to `to` goes over such a line. A node is one
 * run of a system (gr_system_node); it need not be connected yet. Of lines that
 * are said for a pair, for all from or to one node, and for all, the one that
 * says most is taken. Errors: GR_EINVAL (line makes no sense), GR_ENOMEM.
 */
GR_API GR_MUST_CHECK int gr_sim_net_line(gr_sim_net *net, gr_node from,
                                         gr_node to, const gr_sim_line *line);
/* Cuts all connections between a and b now: of what is on its way a random part
 * arrives, then each end finds the connection closed. Returns their number. */
GR_API unsigned gr_sim_net_cut(gr_sim_net *net, gr_node a, gr_node b);
/* From now on nothing passes between a and b, in either direction: not even
 * that a connection was closed. Errors: GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_sim_net_partition(gr_sim_net *net, gr_node a,
                                              gr_node b);
/* Ends the partition of just these two; of GR_SIM_ALL and GR_SIM_ALL, all. What
 * was held up arrives. */
GR_API void gr_sim_net_heal(gr_sim_net *net, gr_node a, gr_node b);

GR_END_DECLS

#endif /* GREENROOM_SIM_H */
