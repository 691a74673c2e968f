/*
 * transport/agent.h - the actor that answers for its node.
 *
 * It decides who becomes a peer (meeting.c), tidies up after those that are
 * lost, tells watchers of nodes, and does for other nodes what gr_node_agent
 * promises. All that it decides happens in its turns, one after another, so two
 * connections with the same node cannot both win.
 */
#ifndef GRI_TRANSPORT_AGENT_H
#define GRI_TRANSPORT_AGENT_H

#include "transport/net.h"
#include "transport/offenders.h"

extern const gr_behavior gri_agent_behavior;

/* Marks what the agent tells watchers (gri_trailer.extra): no other actor, here
 * or elsewhere, can set it. */
enum { GRI_NODE_EVENT = 0x6e6f6465 };

/* What it knows: the net's, not the actor's, so that it ends with the net, and
 * the actor can begin without memory. */
typedef struct gri_agent {
    gri_net *net;
    gri_map watchers; /* {actor here, 0}: see watch.c */
    gri_map spawned;  /* {actor here, 0}, with a name also {it, 1}: the rights
                         with which a peer spawned it, if they are limited */
    gri_offenders offenders;
    uint32_t up;  /* peers that are UP or LEAVING and greeted */
    bool telling; /* a timer is set, to tell a node of the others */
    bool put_off; /* the stash has requests to watch, for want of memory */
    bool loose;   /* there are watchers that could not be monitored */
} gri_agent;

/* meeting.c: what the events of a peer that is not UP yet lead to. */
void gri_meet_opened(gri_agent *agent, gr_actor *self, gri_peer *peer);
void gri_meet_bytes(gri_agent *agent, gr_actor *self, gri_peer *peer);
void gri_meet_late(gri_agent *agent, gr_actor *self, gri_peer *peer);
void gri_meet_pong(gri_agent *agent, const gri_peer *peer);
/* Its link is gone, and it has been tidied up: those that waited for that are
 * decided on; if it was dialed, who asked for it is told, or it rests to be
 * dialed again. Gives the peer back unless it rests. */
void gri_meet_closed(gri_agent *agent, gr_actor *self, gri_peer *peer);

/* dial.c: a request to connect; keeps msg if it can. */
int gri_dial_asked(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                   gr_str address, int64_t timeout_ms);
/* Dials that place. False: it could not be tried. */
bool gri_dial_place(gri_agent *agent, gr_actor *self, gri_place *place);
/* Dials a peer that is idle for those of its requests that have time left; the
 * others are told rc, and all if it cannot be. */
void gri_dial_again(gri_agent *agent, gr_actor *self, gri_peer *peer, int rc,
                    const char *fault);
/* An idle peer is not needed any more: who waits is told why (rc < 0). */
void gri_dial_end(gri_agent *agent, gr_actor *self, gri_peer *peer, int rc,
                  const char *fault);

/* request.c: who waits for a peer that is dialed. until: in ns; who has waited
 * for so long is told when the dial under way has ended. Errors: GR_ENOMEM. */
int gri_request_add(gr_actor *self, gri_peer *peer, const gr_msg *msg,
                    int64_t until);
int gri_request_add_place(gri_peer *peer, gri_place *place, int64_t until);
void gri_request_move(gri_peer *from, gri_peer *to);
/* When the last of them has no time left; 0: there are none. */
int64_t gri_request_until(const gri_peer *peer);
/* Whether a program asked for it, and not places alone. */
bool gri_request_is_asked(const gri_peer *peer);
/* The same, or a place that the program has just wished to be kept. */
bool gri_request_is_wished(const gri_peer *peer);
/* Tells them all: the node, or rc < 0, in words if fault is not NULL. */
void gri_request_answer(gri_agent *agent, gr_actor *self, gri_peer *peer,
                        int rc, uint64_t node, const char *fault);
/* Tells those that have no time left. */
void gri_request_expire(gri_agent *agent, gr_actor *self, gri_peer *peer,
                        int rc, const char *fault);

/* mesh.c: what becomes of a place that was dialed. */
void gri_mesh_met(gri_agent *agent, gri_place *place, uint64_t node);
void gri_mesh_failed(gri_agent *agent, gri_place *place, int rc,
                     const char *fault);
/* Dials the places that are due. */
void gri_mesh_look(gri_agent *agent, gr_actor *self);
/* A peer has come, or has gone (before it is reset). */
void gri_mesh_up(gri_agent *agent, gr_actor *self, gri_peer *peer);
void gri_mesh_lost(gri_agent *agent, const gri_peer *peer);
/* ["gr.mesh", ...] of another node's agent. */
void gri_mesh_hear(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                   gr_reader list);
/* The timer: tells one node of the others. */
void gri_mesh_tell(gri_agent *agent, gr_actor *self);

/* watch.c: who is told of nodes. A request that there is no memory for is put
 * off, and tried again when the agent looks. */
void gri_watch(gri_agent *agent, gr_actor *self, const gr_msg *msg, bool on);
void gri_watch_again(gri_agent *agent, gr_actor *self);
/* A monitor has fired: it may have been a watcher. */
void gri_watch_down(gri_agent *agent, gr_pid who, const gr_exit_reason *why);
void gri_watch_tell(gri_agent *agent, gr_actor *self, const gri_peer *peer,
                    bool up);
/* It may have become slow, or not be any more. */
void gri_watch_pace(gri_agent *agent, gr_actor *self, gri_peer *peer);

/* NULL: no memory. */
gri_agent *gri_agent_new(gri_net *net);
void gri_agent_free(gri_agent *agent); /* or NULL */
/* It is UP. */
void gri_agent_greet(gri_agent *agent, gr_actor *self, gri_peer *peer);

#endif /* GRI_TRANSPORT_AGENT_H */
