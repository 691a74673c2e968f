/*
 * patterns/groups.h - the groups of a system, and how its files divide the
 * work.
 *
 *   group_table.c    who is in which group, and what has changed
 *   group_client.c   what programs call: greenroom/group.h
 *   group_owner.c    actors that are members or monitors, until their end
 *   group_actor.c    the actor "gr.groups": tells monitors, and other nodes
 *   group_asked.c    what it is asked, and passes on
 *   group_far.c      another node: finds its actor, tells it all, then changes
 *   group_taken.c    another node: what it tells us
 *
 * The table is one for a system, under one lock, which is never held while a
 * program's message is sent. Whoever joins or leaves changes it on the spot and
 * puts the change behind those before it. The actor takes changes out in that
 * order and tells them on: so all who are told hear the same, in one order,
 * from one sender. It is woken by a message from who joins, and by the end of
 * each actor that is a member, which it monitors; an actor's leaving at its end
 * is done by its own exit hook before that, and so needs neither the actor nor
 * memory.
 *
 * A change is a part of what it is about, so it can always be noted: a
 * membership has one for its beginning and one for its end, and is freed when
 * the latter was told.
 *
 * Who sends to a group takes a view of it: an array of pids, made at the first
 * use after a change, kept by references, never changed.
 */
#ifndef GRI_PATTERNS_GROUPS_H
#define GRI_PATTERNS_GROUPS_H

#include <pthread.h>

#include <greenroom/group.h>

#include "actors/service.h"
#include "base/map.h"
#include "base/rng.h"

typedef struct gri_groups gri_groups;
typedef struct gri_group gri_group;
typedef struct gri_joined gri_joined;
typedef struct gri_home gri_home;
typedef struct gri_far gri_far;
typedef struct gri_group_watch gri_group_watch;

typedef enum gri_change_kind {
    GRI_CHANGE_JOINED = 0,
    GRI_CHANGE_LEFT,
    GRI_CHANGE_WATCHED,  /* a monitor begins */
    GRI_CHANGE_UNWATCHED /* and ends */
} gri_change_kind;

typedef struct gri_change {
    struct gri_change *next;
    gri_change_kind kind;
    uint64_t at; /* counts changes */
    void *of;    /* a gri_joined, or a gri_group_watch */
} gri_change;

/* Whose memberships: an actor of this node, or another node. */
struct gri_home {
    gri_joined *first;
    uint32_t joined;
};

/* How many members a node has in a group. */
typedef struct gri_share {
    struct gri_share *next; /* of the same group */
    gri_far *far;
    uint32_t members;
} gri_share;

/* A membership. In the table until it ends; then its end waits to be told. */
struct gri_joined {
    gri_change came, went;
    gri_group *group;
    gri_home *home;
    gri_joined *before, *behind; /* of the same home */
    gr_pid pid;
    gri_far *far; /* whose it is; NULL: this node's. Not once it has ended */
    gri_share *share; /* likewise: its node's in the group */
    uint32_t epoch;   /* of another node's: see group_taken.c */
    bool here;        /* of this node */
    bool watch;       /* the actor has to monitor pid */
};

typedef struct gri_view {
    uint32_t refs; /* under the lock */
    uint32_t local, all, hubs;
    uint32_t turn[2]; /* under the lock: of GR_GROUP_NEXT, by scope */
    gr_pid *pids;     /* `all` of them, those of this node first */
    gr_pid hub[];     /* of each other node, its groups' actor; then the pids */
} gri_view;

struct gri_group {
    gri_group *chain;         /* of the same hash */
    gri_group *prev, *next;   /* in the order in which they were made */
    uint64_t serial;          /* likewise */
    gri_map members;          /* by gri_member_key */
    uint32_t local;           /* of these, of this node */
    uint32_t here;            /* local ones and monitors: it counts as ours */
    uint32_t refs;            /* memberships and monitors that are not freed */
    gri_share *shares;        /* of other nodes */
    gri_view *view;           /* NULL: there was a change since */
    uint32_t turn[2];         /* of GR_GROUP_NEXT, by scope */
    gri_group_watch *watches; /* the actor's alone */
    size_t len;
    char name[]; /* with a zero byte */
};

/* A monitor of a group. */
struct gri_group_watch {
    gri_change begins, ends;
    gri_group_watch *next;     /* of the same owner; under the lock */
    gri_group_watch *next_one; /* of the same group; the actor's */
    gri_group *group;
    gr_pid pid;
    gr_ref ref;
    gri_view *first; /* what it is told first; the actor's once it waits */
    uint64_t since;  /* changes up to here are in what it was told first */
    bool behind;     /* it has missed something: the actor's, as the next */
    gri_group_watch *next_behind;
};

/* An actor of this node that is a member, or a monitor. Ends with its run. */
typedef struct gri_owner {
    gri_home home;
    gri_groups *groups;
    gr_pid pid;
    gri_group_watch *watches;
    bool watched; /* the actor monitors it, or was told to */
    bool hooked;  /* its exit hook ends it, not the actor */
} gri_owner;

/* What the actor is doing with another node: see group_far.c. */
typedef enum gri_far_state {
    GRI_FAR_QUIET = 0, /* it has not asked to be told */
    GRI_FAR_TELLING,   /* it is told all, up to `cursor` */
    GRI_FAR_LIVE,      /* it is told of changes */
    GRI_FAR_BEHIND     /* it has missed something: begins anew, later */
} gri_far_state;

struct gri_far {
    gri_home home;
    gri_far *next;
    uint64_t node;
    uint64_t serial;  /* tells this connection from others with the node */
    gr_pid hub;       /* its groups' actor, as its agent says; or nobody */
    gr_pid said;      /* who says so of itself */
    gr_ref ref;       /* of the monitor of hub */
    bool up;          /* and we were told so */
    bool asking;      /* its agent, where the actor is */
    bool ask_more;    /* once more, when that is answered */
    bool ask_again;   /* that did not go: once more, later */
    bool hello_again; /* likewise, to ask it to tell us */
    bool unwatched;   /* hub is not monitored: once more, later */
    /* to it */
    gri_far_state state;
    uint64_t cursor; /* of the groups: those below were told */
    uint32_t open;   /* requests that are not answered */
    /* from it */
    uint32_t epoch;
    uint32_t groups; /* that it has members in */
};

/* What only the actor looks at. */
typedef struct gri_group_work {
    bool named;
    bool watches_nodes;
    bool timer;     /* GRI_GROUPS_AGAIN is on its way */
    bool again;     /* there is something to do then */
    bool lost_node; /* there was no memory for one that is up */
    bool unwatched; /* there are members that could not be monitored yet */
    uint32_t tries; /* in a row, of what was to be done again */
    uint32_t chunk; /* pids in a message: halved if that is too big */
    gri_group_watch *behind;
    uint64_t serials; /* of nodes */
    uint64_t told_of; /* counts.refused when the log heard of it last */
    /* The changes that are being told. */
    gr_value pids[GR_GROUP_EVENT_MAX];
    uint64_t at[GR_GROUP_EVENT_MAX];
} gri_group_work;

struct gri_groups {
    gri_service service; /* first: see actors/service.h */
    gr_system *sys;
    uint64_t secret[2]; /* what hashes begin with: names and pids are others' */

    pthread_mutex_t lock;
    /* under lock */
    gr_pid actor;
    bool started; /* and has been woken once */
    bool woken;   /* a wake is on its way to the actor */
    gri_map names;
    gri_group *first, *last;
    uint64_t serials;
    gri_map owners; /* by id */
    gri_far *fars;  /* changed by the actor only, which reads it without */
    gri_change *oldest, *newest;
    uint32_t changes; /* that wait */
    uint64_t changed; /* ever */
    uint64_t refs;    /* of monitors */
    uint32_t groups_here;
    gr_group_counts counts;
    gri_rng rng;

    gri_group_work work;
};

/* ---- group_table.c: all under the lock, but for the first ones ---------- */

/* Makes it. NULL: no memory. */
gri_groups *gri_groups_new(gr_system *sys);
void gri_groups_free(gri_service *service);
void gri_groups_lock(gri_groups *g);
void gri_groups_unlock(gri_groups *g);

/* The length of a name, or GR_EINVAL. */
int gri_group_name(const char *name, size_t *len);
gri_group *gri_group_find(const gri_groups *g, const char *name, size_t len);
/* Makes it if need be. Who then does not use it calls gri_group_unused. Errors:
 * GR_ENOMEM. */
int gri_group_get(gri_groups *g, const char *name, size_t len, gri_group **out);
/* Frees it if nothing is in it. */
void gri_group_unused(gri_groups *g, gri_group *group);
gri_joined *gri_group_member(const gri_groups *g, const gri_group *group,
                             gr_pid pid);
/* A new membership, and the change. far NULL: of an actor here. Errors:
 * GR_ENOMEM, GR_ELIMIT (of one group, of this node or of far). */
int gri_group_enter(gri_groups *g, gri_group *group, gri_home *home,
                    gri_far *far, gr_pid pid, gri_joined **out);
/* Ends it: never fails. */
void gri_group_exit(gri_groups *g, gri_joined *joined);
/* A monitor begins, whose first view it takes; and ends. */
void gri_group_watch_begin(gri_groups *g, gri_group_watch *watch);
void gri_group_watch_end(gri_groups *g, gri_group_watch *watch);
/* Its end was told, or it was never in. */
void gri_joined_free(gri_groups *g, gri_joined *joined);
void gri_group_watch_free(gri_groups *g, gri_group_watch *watch);
/* Puts a change behind the others. */
void gri_group_change(gri_groups *g, gri_change *change, gri_change_kind kind,
                      void *of);
/* Whether the group counts as one of this node from now on. Errors: GR_ELIMIT.
 */
int gri_group_here(const gri_groups *g, const gri_group *group);

/* The group's view, with one more reference. NULL: no memory. */
gri_view *gri_group_view(gri_group *group);
void gri_view_drop(gri_view *view);

/* ---- group_actor.c ------------------------------------------------------ */

extern const gr_behavior gri_groups_behavior;
#define GRI_GROUPS_NAME "gr.groups"

/* The system's groups, made and started if need be; then the lock is taken. */
int gri_groups_enter(gr_actor *self, gri_groups **out);
/* Under the lock: the actor is to look at the changes. Errors: GR_ENOMEM. */
int gri_groups_wake(gr_actor *self, gri_groups *g);
/* Something did not go: once more, in a while. */
void gri_groups_again(gri_groups *g);
/* What comes behind each message, and each answer: changes are told. */
void gri_groups_settle(gr_actor *self, gri_groups *g);

/* ---- group_owner.c: under the lock -------------------------------------- */

/* That actor has ended, or leaves all. */
void gri_owner_end(gri_owner *owner);
/* The record of an actor. NULL: it has none. */
gri_owner *gri_owner_find(const gri_groups *g, gr_pid pid);
/* The same, made if need be. `self`: the actor itself, or NULL:
 * it is another's, so the groups' actor looks after it. Errors: GR_ENOMEM. */
int gri_owner_get(gri_groups *g, gr_actor *self, gr_pid pid, gri_owner **out);
/* That actor joins or leaves, on behalf of `self`. Errors: as
 * gr_group_join and gr_group_leave. */
int gri_owner_join(gri_groups *g, gr_actor *self, gri_owner *owner,
                   const char *name, size_t len);
int gri_owner_leave(gri_groups *g, gr_actor *self, gri_owner *owner,
                    const char *name, size_t len);

/* ---- group_asked.c: the actor's ---------------------------------------- */

/* True: it was such a message. */
bool gri_asked(gr_actor *self, gri_groups *g, const gr_msg *msg);
/* Answers 0 or an error, if it was asked. */
void gri_groups_answer(gr_actor *self, const gr_msg *msg, int rc);

/* ---- group_far.c: the actor's ------------------------------------------- */

/* Nodes come and go; what they ask for. */
void gri_far_up(gr_actor *self, gri_groups *g, uint64_t node);
void gri_far_down(gri_groups *g, uint64_t node);
/* A monitor of a hub has fired. refused: the hub had no memory for it. */
void gri_far_hub_down(gri_groups *g, gr_pid hub, gr_ref ref, bool refused);
int gri_far_hello(gr_actor *self, gri_groups *g, const gr_msg *msg);
/* Tells all nodes of members of this node that came or went. */
void gri_far_tell(gr_actor *self, gri_groups *g, const gri_group *group,
                  gri_change_kind kind, uint32_t n);
/* Goes on telling those that are not told all yet. */
void gri_far_go_on(gr_actor *self, gri_groups *g);
/* A while has passed. */
void gri_far_again(gr_actor *self, gri_groups *g);
/* The node whose groups' actor that is, or NULL. */
gri_far *gri_far_of(const gri_groups *g, gr_pid hub);

/* ---- group_taken.c: likewise -------------------------------------------- */

/* True: it was such a message, and is answered. */
bool gri_taken(gr_actor *self, gri_groups *g, const gr_msg *msg);
/* Its members leave. */
void gri_taken_back(gri_groups *g, gri_far *far);
/* The log hears of what was refused, at each doubling. */
void gri_taken_report(gr_actor *self, gri_groups *g);

#endif /* GRI_PATTERNS_GROUPS_H */
