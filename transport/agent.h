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

extern const gr_behavior gri_agent_behavior;

/* Marks what the agent tells watchers (gri_trailer.extra): no other actor, here
 * or elsewhere, can set it. */
enum { GRI_NODE_EVENT = 0x6e6f6465 };

typedef struct gri_agent {
    gri_net *net;     /* NULL until it is installed */
    gri_map watchers; /* {actor here, 0}: anything */
    gri_map spawned;  /* {actor here, 0}, with a name also {it, 1}: the rights
                         with which a peer spawned it, if they are limited */
    uint32_t up;      /* peers that are UP or LEAVING and greeted */
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
/* A request to connect; keeps msg if it can. */
int gri_meet_connect(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                     gr_str address, int64_t timeout_ms);

/* agent.c: watchers are told that it came or went. */
void gri_agent_greet(gri_agent *agent, gr_actor *self, gri_peer *peer);

#endif /* GRI_TRANSPORT_AGENT_H */
