/*
 * actors/route.h - the plug between actors and other nodes.
 *
 * Outward, the core gives every message and signal for a pid of another node to
 * the route's deliver. Inward, whoever receives bytes makes messages of them
 * and gives them to gri_deliver. Tests plug in routes of their own. Without a
 * route every other node counts as not connected.
 *
 * What passes, by gr_msg.kind: USER (with GRI_MSG_ASKED: trailer.ref is to be
 * answered), CONFIRM (a USER whose trailer.ref is to be answered once it is in
 * the receiver's mailbox, by the status 0, or once it is known why it will not
 * be), REPLY (trailer.ref, trailer.extra is the status), STOP, KILL,
 * LINK, UNLINK, EXIT, MONITOR (ref), DEMONITOR (ref), DOWN (ref), RESUME. Only
 * these.
 * All but plain USER messages have a trailer. The sender is msg->from.
 */
#ifndef GRI_ACTORS_ROUTE_H
#define GRI_ACTORS_ROUTE_H

#include <greenroom/system.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/world.h"
#include "mailbox/message.h"
#include "sched/poller.h"

typedef struct gri_route {
    /*
     * Sends msg on to the node of `to`, or queues it. Any thread; must not
     * block. worker is the calling one, in a turn or between two: what it
     * queues may wait for the end of the turn (gri_after_turn). NULL: it is
     * none. Borrows msg: its payload may be copied, never kept, unless it says
     * GRI_ROUTE_TOOK.
     * Returns 0, or of these what applies: GRI_ROUTE_SLOW, a wish that the
     * sender wait (see wait); GRI_ROUTE_KEPT, a wish for settle;
     * GRI_ROUTE_TOOK: it has taken msg, and frees it (plain USER messages
     * only). Or an error, after which nothing of it was sent, or taken:
     * GR_ENOCONN (no such peer now), GR_EAGAIN (its queue is full; only for
     * USER and CONFIRM), GR_ENOMEM, GR_ETOOBIG. The core then does what the
     * death of the receiver would do: it answers asks, monitors and links.
     */
    int (*deliver)(void *net, struct gri_worker *worker, gr_pid to,
                   gr_msg *msg);
    /*
     * A handler actor that was wished to wait is about to be suspended, its
     * turn being over: from now on it is let go (gri_let_go) when it may send
     * to `to` again, or when the route thinks that it has waited long enough.
     * False: it need not wait any more. Any thread; must not block.
     */
    bool (*wait)(void *net, gr_pid to, uint64_t sender);
    /* NULL (deliver never says GRI_ROUTE_KEPT), or: sends on what the worker
     * keeps of the turn that is about to end, before another worker can run the
     * same actor: else that one's messages might come first. Returns 0, or
     * GRI_ROUTE_SLOW: the sender should wait to send to *to. The worker. */
    int (*settle)(void *net, struct gri_worker *worker, gr_pid *to);
    /* NULL, or: a worker is in a long turn. What it has put off to the turn's
     * end goes now. The watchdog's thread; must not block. */
    void (*hurry)(void *net);
    /*
     * Ends it: what is queued is sent, peers are told, threads are joined,
     * within the deadline. gr_system_stop calls it once, after the last actor
     * has ended. gri_deliver must not be called after it returns; deliver may
     * be, by workers that bury what the dead have left: GR_ENOCONN.
     */
    void (*stop)(void *net, int64_t deadline_ms);
    /* Frees its memory: the workers have ended, too. */
    void (*free)(void *net);
} gri_route;

enum { GRI_ROUTE_SLOW = 1, GRI_ROUTE_KEPT = 2, GRI_ROUTE_TOOK = 4 }; /* bits */

/* Plugs it in for the rest of the system's life. GR_EEXIST: there is one. Any
 * thread. The route keeps being the caller's and must outlive the system. */
int gri_route_install(gr_system *sys, const gri_route *route, void *net);
/* What gri_route_install was given, or NULL. Any thread. */
void *gri_route_net(gr_system *sys);
/* The same if it was given with that route; NULL: with none, or another, as in
 * the process of an actor. Any thread. */
void *gri_route_net_of(gr_system *sys, const gri_route *route);
/* A worker is in a long turn: what it has put off goes now, as who gets it may
 * be who the turn waits for. The watchdog's thread. */
void gri_route_hurry(gr_system *sys);

/*
 * A part of the system that another room owns (its child processes): found by
 * whoever has the system, ended with it. Stands in the owner's struct.
 */
typedef struct gri_part gri_part;
struct gri_part {
    /* Ends it within about deadline_ms. gr_system_stop calls it once, after the
     * last actor has ended and before the route's stop. An actor that did not
     * end in time may still come: to it, all is stopped (GR_ESTOPPED). */
    void (*stop)(gri_part *part, int64_t deadline_ms);
    /* Frees its memory: no actor and no worker is left. Never called of a
     * system that did not stop in time. */
    void (*free)(gri_part *part);
};

/* GR_EEXIST: there is one. Any thread. */
int gri_part_install(gr_system *sys, gri_part *part);
/* What was installed, or NULL. Any thread. */
gri_part *gri_part_of(gr_system *sys);

/*
 * Puts a message or signal into the inbox of a local actor; takes msg. If the
 * actor is dead or full, the sender is answered as the kind asks for (through
 * the route, if it is far). Never blocks. Any thread; `cache` is the calling
 * thread's own, or guarded by a lock of the caller's. `to.node` is ours.
 */
void gri_deliver(gr_system *sys, gri_cache *cache, gr_pid to, gr_msg *msg);

/* Many of them, one after the other. */
typedef struct gri_feed {
    /* Gives the next message, made with that cache, and its receiver; NULL: no
     * more. */
    gr_msg *(*next)(void *arg, gri_cache *cache, gr_pid *to);
    /* `to` has taken a message of another node's actor `from`, and is past its
     * soft bound. True: it is to tell that one when it has caught up, by a
     * RESUME through the route. */
    bool (*pressed)(void *arg, gr_pid from, gr_pid to);
    void *arg;
} gri_feed;
/* gri_deliver for all that feed->next gives. worker: the calling one, between
 * two turns, whose own cache is used then; or NULL. */
void gri_deliver_all(gr_system *sys, struct gri_worker *worker,
                     gri_cache *cache, const gri_feed *feed);

/* Lets an actor go on that waits for the route. Nothing if it does not. Any
 * thread. */
void gri_let_go(gr_system *sys, uint64_t sender);

/* gr_exit with any reason, such as GR_EXIT_SIGNAL. Its own actor only. */
void gri_exit_with(gr_actor *self, const gr_exit_reason *why);

/* What a cache of one's own is made from (gri_cache_init). */
gri_depot *gri_system_depot(gr_system *sys);
const gri_clock *gri_system_clock(gr_system *sys);
/* Its workers poll it. Of a deterministic one nobody does. */
gri_poller *gri_system_poller(gr_system *sys);
/* The world that it shares with others, of a gr_sim_net; or NULL. */
gri_world *gri_system_world(gr_system *sys);
const gri_log *gri_system_log(gr_system *sys);
/* The largest payload that the system accepts, in bytes. */
uint32_t gri_system_message_max(gr_system *sys);

/*
 * Starts the actor that answers for the node: always GRI_AGENT_ID, at most once
 * a system, stopped after all others. As gr_spawn; GR_EEXIST: there is one.
 */
int gri_spawn_agent(gr_actor *self, const gr_behavior *behavior,
                    gr_values args);
#define GRI_AGENT_ID (((uint64_t)1 << 32) | 1)

/*
 * For the agent: gr_spawn for an actor of another node, to which the child is
 * linked from its first moment: it tells that one so itself, before its init.
 * That one, who need not have heard of the child, is its spawner to it
 * (gr_sender of its arguments). Errors: as gr_spawn.
 */
int gri_spawn_for(gr_actor *self, gr_pid spawner, const gr_behavior *behavior,
                  const gr_spawn_opts *opts, gr_pid *out);

/*
 * Builds the payload that EXIT and DOWN carry into a new signal of that kind:
 * ["gr.exit", pid, kind, code, text] or ["gr.down", ref, pid, kind, code,
 * text]. `from` is who ended. NULL: no memory.
 */
gr_msg *gri_exit_signal(gri_cache *cache, gr_pid from,
                        const gr_exit_reason *why);
gr_msg *gri_down_signal(gri_cache *cache, gr_pid from, uint64_t ref,
                        const gr_exit_reason *why);
/* An EXIT of the link as it was when `number` was its receiver's last LINK (0:
 * it had sent none): nothing if the receiver has linked anew since. Without
 * this an EXIT ends the link whatever its receiver has sent. Within a node: the
 * frame has no room for it. */
void gri_exit_ends(gr_msg *exit, uint64_t number);
/* An answer without a payload: status is an error code. */
gr_msg *gri_status_reply(gri_cache *cache, uint64_t ref, int status);

#endif /* GRI_ACTORS_ROUTE_H */
