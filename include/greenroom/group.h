/*
 * greenroom/group.h - named groups of actors, joined across nodes.
 *
 * An actor joins a group by its name; whoever knows the name sends to all of
 * its members, to one of them, or watches them come and go. No group is made or
 * removed: one without members is empty. An actor may be in many groups, and
 * leaves all of them at its end, before its links and monitors are told.
 *
 * On this node a change holds at once: when gr_group_join has returned 0 the
 * actor is a member to all who ask here. What other nodes have comes a little
 * later, and each node gets it from the node that the member runs on, and from
 * no other. So nodes that are connected soon know of the same members; there is
 * no lock and no election, and nobody waits for another node. Of a node that is
 * lost the members leave here at once; there they stay. When it is back its
 * members join anew.
 *
 * A system takes part from its first use of any of these functions on. Actors
 * with a process of their own cannot call them (GR_ENOTSUP), but may ask to be
 * members: docs/groups.md has the messages, and says what is promised.
 *
 * A name of a group is 1 to GR_NAME_MAX bytes, as that of an actor.
 *
 * Errors of all: GR_EINVAL (not a name), GR_ENOTSUP (self runs in a process of
 * its own); of the first use those of gr_spawn, as it starts an actor that is
 * called "gr.groups".
 * Threads: the actor that owns `self` only, of whatever kind. None waits.
 */
#ifndef GREENROOM_GROUP_H
#define GREENROOM_GROUP_H

#include <greenroom/system.h>

GR_BEGIN_DECLS

/* Limits of what one node has: its actors' memberships, in all groups and in
 * one, groups with a member or a monitor of it, and monitors. More: GR_ELIMIT.
 * The first and the third hold for each other node, too: what that has beyond
 * is not known here, and counted (gr_group_counts.refused). So a node costs
 * another less than 128 MB. */
#define GR_GROUP_JOINS_MAX    (1u << 18)
#define GR_GROUP_MEMBERS_MAX  (1u << 16)
#define GR_GROUPS_MAX         (1u << 16)
#define GR_GROUP_MONITORS_MAX (1u << 16)
/* Changes on this node that its monitors have not been told of: beyond it a
 * join says GR_EAGAIN. */
#define GR_GROUP_CHANGES_MAX (1u << 16)

/* Whose members. */
typedef enum gr_group_scope {
    GR_GROUP_ALL = 0, /* those of all nodes, as far as they are known */
    GR_GROUP_LOCAL    /* those of this node */
} gr_group_scope;

/* Makes this actor a member; one that is a member stays it. Errors: GR_ELIMIT,
 * GR_EAGAIN (GR_GROUP_CHANGES_MAX), GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_group_join(gr_actor *self, const char *group);
/* From now on it is no member. What was published before may still come.
 * Errors: GR_ENOENT (it was none), GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_group_leave(gr_actor *self, const char *group);

/* How many members there are; the first `max` of them are stored in out (may be
 * NULL for max 0), those of this node first. Nobody is twice among them.
 * Errors: GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_group_members(gr_actor *self, const char *group,
                                          gr_group_scope scope, gr_pid *out,
                                          uint32_t max);

/*
 * gr_group_publish(self, group, scope, tag, values...): sends a message to all
 * members, as gr_tell does: a member that cannot take it costs a dead letter,
 * and no other member misses it. The publisher is its sender, and gets it as
 * well if it is a member. Returns how many members there were.
 *
 * To each other node with members goes one message, which that node gives to
 * them. So a member hears one publisher's messages to a group in their order;
 * on one node in order with all else that the publisher sends it, but not
 * across nodes. Each member gets it at most once. Messages that another node
 * cannot take, as its queue is full, its members miss.
 *
 * Owns:    borrows everything; blobs cannot be published (gr_move).
 * Errors:  GR_EINVAL (a bad value, a blob, no tag), GR_ETOOBIG, GR_ELIMIT
 *          (nested deeper than GR_DEPTH_MAX; to another node, one less),
 *          GR_ENOMEM. After an error nobody gets it.
 */
GR_API GR_MUST_CHECK int gr_group_publishv(gr_actor *self, const char *group,
                                           gr_group_scope scope,
                                           const gr_value *values, uint32_t n);

/* Which member. */
typedef enum gr_group_choice {
    GR_GROUP_NEXT = 0, /* one after the other: this node's turns, whoever asks;
                          who comes and goes changes the order */
    GR_GROUP_RANDOM
} gr_group_choice;

/* One member, to send to or to ask. Errors: GR_ENOENT (there is none),
 * GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_group_pick(gr_actor *self, const char *group,
                                       gr_group_scope scope,
                                       gr_group_choice choice, gr_pid *out);
/*
 * gr_group_send(self, group, scope, choice, tag, values...): sends a message to
 * one member, as gr_send does. If its mailbox is full (GR_EAGAIN), or its node
 * is just lost (GR_ENOCONN), it is tried with the next one, once with each.
 * Owns:    as gr_send.
 * Errors:  as gr_send (GR_EAGAIN: the last that was tried was full), GR_ENOENT
 *          (there is no member).
 */
GR_API GR_MUST_CHECK int gr_group_sendv(gr_actor *self, const char *group,
                                        gr_group_scope scope,
                                        gr_group_choice choice,
                                        const gr_value *values, uint32_t n);

/* What a monitor is told. */
typedef enum gr_group_event {
    GR_GROUP_MEMBERS = 0, /* these are the members, and no others; of more than
                             GR_GROUP_EVENT_MAX the rest joins right behind */
    GR_GROUP_JOINED,
    GR_GROUP_LEFT
} gr_group_event;

#define GR_GROUP_EVENT_MAX 1000u /* pids in one event */

/*
 * From now on this actor is told of a group's members by messages that
 * gr_match_group matches: first of those that there are (an empty group is told
 * as such), then of each that joins or leaves, in the order in which that
 * happened here, and each once. *out names the monitor; it ends with the actor.
 *
 * A monitor that does not keep up, so that its mailbox refuses an event, or for
 * which there is no memory, misses that and what follows, and is told of all
 * members again (GR_GROUP_MEMBERS) as soon as that is possible. So whoever puts
 * in what joined, takes out what left, and begins anew with GR_GROUP_MEMBERS
 * has the group as it was at that moment.
 *
 * Errors: GR_ELIMIT (GR_GROUP_MONITORS_MAX, GR_GROUPS_MAX), GR_ENOMEM.
 */
GR_API GR_MUST_CHECK int gr_group_monitor(gr_actor *self, const char *group,
                                          gr_ref *out);
/* Ends it. What waits already is still seen. Errors: GR_ENOENT (it is none of
 * this actor), GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_group_demonitor(gr_actor *self, gr_ref ref);
/* True for such an event, and false for any other message, whatever tag another
 * actor gave it. *pids reads the pids (gr_read_pid); it borrows from the
 * message. Outputs may be NULL. */
GR_API bool gr_match_group(gr_actor *self, const gr_msg *msg, gr_ref *ref,
                           gr_group_event *event, gr_reader *pids);

/* What a system's groups count. */
typedef struct gr_group_counts {
    uint32_t groups;    /* known here: with members anywhere, or monitors */
    uint32_t joined;    /* memberships of actors of this node */
    uint32_t far;       /* memberships of actors of other nodes */
    uint32_t monitors;  /* of actors of this node */
    uint32_t nodes;     /* other nodes that take part */
    uint64_t published; /* by actors of this node, once a call */
    uint64_t passed_on; /* published on other nodes, given to members here */
    uint64_t limited;   /* calls that a limit above refused */
    uint64_t refused;   /* memberships of other nodes beyond a limit */
    uint64_t denied;    /* requests of actors that may not make them, or that
                           speak for actors of a third node */
    uint64_t resyncs;   /* times a node or a monitor was told all again */
} gr_group_counts;

/* Errors: none of its own. */
GR_API GR_MUST_CHECK int gr_group_count(gr_actor *self, gr_group_counts *out);

GR_END_DECLS

#include <greenroom/detail/groups.h> /* gr_group_publish, gr_group_send */

#endif /* GREENROOM_GROUP_H */
