/* transport/agent.c - see agent.h. */
#include "transport/agent.h"

#include <stdlib.h>
#include <string.h>

#include "transport/translate.h"

enum {
    LOOKS_MAX = 16, /* peers that it sees to until others have had their turn */
    SPAWN_ARGS_MAX = 1024 /* arguments that another node may spawn with */
};

void gri_agent_greet(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    peer->greeted = true;
    agent->up++;
    gri_net_count(agent->net, &agent->net->totals.connected);
    gri_log_write(agent->net->log, GR_LOG_INFO, "node %s: %s is up",
                  agent->net->self.name, peer->hs.other.name);
    gri_watch_tell(agent, self, peer, true);
    gri_mesh_up(agent, self, peer);
}

/* ---- the end of a peer ----------------------------------------------------
 */

typedef struct loss {
    gri_net *net;
    gri_peer *peer;
} loss;

static void on_lost_tie(void *arg, const gri_frame *f)
{
    const loss *l = arg;
    gr_msg *msg = gri_msg_of_frame(&l->peer->cache, l->peer->hs.other.node, f);
    if (msg == NULL) {
        gri_log_write(l->net->log, GR_LOG_ERROR,
                      "no memory to tell an actor of the loss of node %s",
                      l->peer->hs.other.name);
        return;
    }
    if (f->type == GRI_FRAME_EXIT) {
        gri_exit_ends(msg, f->ref);
    }
    gri_deliver(l->net->sys, &l->peer->cache,
                (gr_pid){l->net->self.node, f->to}, msg);
}

static void on_closed(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    gri_net *net = agent->net;
    if (peer->greeted) {
        /* Nobody but us knows the tables any more: the link is closed, and
         * senders see that it is not UP. */
        (void)pthread_mutex_lock(&peer->lock);
        gri_crossing lost = peer->crossing;
        peer->crossing = (gri_crossing){.asks = {.count = 0}};
        (void)pthread_mutex_unlock(&peer->lock);
        gri_crossing_lose(&lost, on_lost_tie, &(loss){net, peer});
        agent->up--;
        peer->greeted = false;
        gri_log_write(net->log, GR_LOG_INFO, "node %s: %s is down: %s",
                      net->self.name, peer->hs.other.name,
                      peer->fault != NULL ? peer->fault
                      : peer->reason == 0 ? "goodbye"
                                          : gr_strerror(peer->reason));
        if (peer->reason < 0) {
            gri_net_count(net, &net->totals.lost);
        }
        if (peer->reason < 0 && peer->fault != NULL) {
            gri_net_fault(net, peer->hs.other.name, peer->reason, peer->fault);
        }
        if (peer->offence != GRI_OFFENCE_NONE) {
            gri_offenders_add(&agent->offenders, peer->hs.other.name,
                              peer->offence == GRI_OFFENCE_RULE,
                              &net->places.pace, gri_clock_ns(net->clock));
        }
        gri_watch_tell(agent, self, peer, false);
        gri_mesh_lost(agent, peer);
    }
    gri_meet_closed(agent, self, peer);
}

static void on_events(gri_agent *agent, gr_actor *self, gri_peer *peer,
                      unsigned events)
{
    if ((events & GRI_EVENT_OPENED) != 0) {
        gri_meet_opened(agent, self, peer);
    }
    if ((events & GRI_EVENT_BYTES) != 0) {
        gri_meet_bytes(agent, self, peer);
    }
    if ((events & GRI_EVENT_PONG) != 0) {
        gri_meet_pong(agent, peer);
    }
    if ((events & GRI_EVENT_PACE) != 0) {
        gri_watch_pace(agent, self, peer);
    }
    if ((events & GRI_EVENT_LATE) != 0) {
        gri_meet_late(agent, self, peer);
    }
    if ((events & GRI_EVENT_CLOSED) != 0) {
        on_closed(agent, self, peer);
    }
}

static void look(gri_agent *agent, gr_actor *self)
{
    gri_peer *peer = NULL;
    unsigned left = LOOKS_MAX;
    do {
        unsigned events = 0;
        peer = gri_net_next(agent->net, &events);
        if (peer != NULL) {
            on_events(agent, self, peer, events);
        }
    } while (peer != NULL && --left > 0);
    /* Strangers may come without an end: these have their turn, too. */
    gri_mesh_look(agent, self);
    gri_watch_again(agent, self);
    if (peer != NULL) {
        gri_net_again(agent->net);
    }
}

/* ---- what it does for other nodes ---------------------------------------- */

/* What the node of who asks may do; NULL: all. False: it has gone, so nobody
 * knows any more. */
static bool rights_of(const gri_agent *agent, const gr_msg *msg,
                      gri_rights **out)
{
    const uint64_t node = gr_sender(msg).node;
    *out = NULL;
    if (node == agent->net->self.node) {
        return true;
    }
    uint32_t used = gri_net_used(agent->net);
    for (uint32_t i = 0; i < used; i++) {
        const gri_peer *peer = gri_net_peer(agent->net, i);
        if (peer->greeted && peer->hs.other.node == node) {
            *out = peer->rights;
            return true;
        }
    }
    return false;
}

static int deny(gri_agent *agent, gr_actor *self, const gr_msg *msg, int why,
                const char *what)
{
    char name[GR_NODE_NAME_MAX + 1] = "a peer";
    const gr_node node = {gr_sender(msg).node};
    GR_IGNORE(gr_node_name(self, node, name, sizeof name), "it has gone");
    gri_net_refused(agent->net, name, what,
                    why == GR_ELIMIT ? "over its limit" : "not allowed");
    return gr_reply_error(self, msg, why, "not allowed to this peer");
}

static int whereis(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                   gr_str name)
{
    char text[GR_NAME_MAX + 1];
    gr_pid pid = GR_NOBODY;
    gri_rights *rights;
    /* Whether there is such a name is not for it to know. */
    if (!rights_of(agent, msg, &rights) || !gri_rights_reach(rights, name)) {
        return deny(agent, self, msg, GR_EDENIED, "to look up a name");
    }
    if (name.len > GR_NAME_MAX) {
        return gr_reply_error(self, msg, GR_ENOENT, "no such name");
    }
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    int rc = gr_whereis(self, GR_HERE, text, &pid);
    return rc < 0 ? gr_reply_error(self, msg, rc, "no such name")
                  : gr_reply(self, msg, "pid", pid);
}

static const gr_behavior *find_spawnable(const gri_net *net, gr_str name)
{
    for (size_t i = 0; net->spawnable[i] != NULL; i++) {
        const char *known = net->spawnable[i]->name;
        if (strlen(known) == name.len &&
            memcmp(known, name.ptr, name.len) == 0) {
            return net->spawnable[i];
        }
    }
    return NULL;
}

/* The arguments as they came, not decoded. */
static int collect(gr_reader list, gr_value **out, uint32_t *n)
{
    if (list.left > SPAWN_ARGS_MAX) {
        return GR_ELIMIT;
    }
    gr_value *values = malloc((list.left + 1) * sizeof *values);
    if (values == NULL) {
        return GR_ENOMEM;
    }
    *n = 0;
    gr_any any;
    while (gr_read_any(&list, &any) == 0) {
        values[(*n)++] =
            (gr_value){.kind = GR_KIND_ANY, .len = any.len, .as.p = any.ptr};
    }
    *out = values;
    return 0;
}

/* Begins with a link to who asks, if that is wanted: it can end at any time,
 * and must not leave behind what it has not yet heard of. */
static int spawn_for(gr_actor *self, gr_pid asker, bool link,
                     const gr_behavior *behavior, const gr_spawn_opts *opts,
                     gr_pid *out)
{
    return link ? gri_spawn_for(self, asker, behavior, opts, out)
                : gr_spawn(self, behavior, opts, out);
}

/* Whether somebody with these rights may start that now. Returns 0 or why not.
 */
static int may_spawn(const gri_rights *rights, const gr_behavior *behavior,
                     gr_str name, bool link)
{
    if (rights == NULL) {
        return 0;
    }
    if (!gri_rights_spawn(rights, behavior) || (link && !rights->may_link) ||
        (name.len > 0 && !gri_rights_reach(rights, name))) {
        return GR_EDENIED;
    }
    return rights->spawned >= rights->spawned_max ||
                   (name.len > 0 && rights->named >= rights->names_max)
               ? GR_ELIMIT
               : 0;
}

/* What is noted of a spawned actor in agent->spawned. */
enum { IS_SPAWNED = 0, IS_NAMED = 1 };

static bool forget_spawned(gri_agent *agent, uint64_t id)
{
    gri_rights *r = gri_map_remove(&agent->spawned, (gri_key){id, IS_SPAWNED});
    if (r == NULL) {
        return false;
    }
    r->spawned--;
    if (gri_map_remove(&agent->spawned, (gri_key){id, IS_NAMED}) != NULL) {
        r->named--;
    }
    return true;
}

/* Counts it among those of its spawner for as long as it lives: it is
 * monitored. */
static int count_spawned(gri_agent *agent, gri_rights *rights, gr_pid pid,
                         bool named)
{
    if (rights == NULL) {
        return 0;
    }
    GR_TRY(gri_map_put(&agent->spawned, (gri_key){pid.id, IS_SPAWNED}, rights));
    rights->spawned++;
    int rc = 0;
    if (named) {
        rc = gri_map_put(&agent->spawned, (gri_key){pid.id, IS_NAMED}, rights);
        rights->named += rc == 0 ? 1 : 0;
    }
    if (rc < 0) {
        (void)forget_spawned(agent, pid.id);
    }
    return rc;
}

/* A child that nobody is told of would hold its name, and be started twice. */
static int tell_spawned(gr_actor *self, const gr_msg *msg, gr_pid pid)
{
    int rc = gr_reply(self, msg, "pid", pid);
    if (rc < 0) {
        GR_IGNORE(gr_kill(self, pid), "it is marked as killed in any case");
    }
    return rc;
}

/* A spawn that is allowed. */
typedef struct order {
    const gr_behavior *behavior;
    const char *name; /* "": none */
    gri_rights *rights;
    bool link;
} order;

static int start(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                 gr_reader list, const order *what)
{
    const bool named = what->name[0] != '\0';
    gr_value *args = NULL;
    uint32_t n = 0;
    gr_pid pid = GR_NOBODY;
    gr_ref ref = {0}; /* a monitor from its first moment cannot be refused */
    int rc = collect(list, &args, &n);
    if (rc == 0) {
        const gr_spawn_opts opts = {.args = {args, n},
                                    .name = named ? what->name : NULL,
                                    .monitor =
                                        what->rights != NULL ? &ref : NULL};
        rc = spawn_for(self, gr_sender(msg), what->link, what->behavior, &opts,
                       &pid);
    }
    free(args);
    if (rc == 0) {
        rc = count_spawned(agent, what->rights, pid, named);
        if (rc < 0) {
            GR_IGNORE(gr_kill(self, pid), "it is marked as killed in any case");
        }
    }
    return rc < 0 ? gr_reply_error(self, msg, rc, NULL)
                  : tell_spawned(self, msg, pid);
}

static int spawn(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                 gr_reader what)
{
    gr_str behavior_name;
    gr_str name = {"", 0};
    gr_reader list;
    bool link = false;
    if (gr_read_str(&what, &behavior_name) < 0 ||
        (gr_read_str(&what, &name) < 0 && gr_read_nil(&what) < 0) ||
        gr_read_list(&what, &list) < 0 ||
        (what.left > 0 && gr_read_bool(&what, &link) < 0) || what.left != 0) {
        return gr_unhandled(self, msg);
    }
    if (link && gr_sender(msg).node == agent->net->self.node) {
        return gr_reply_error(self, msg, GR_EINVAL, "gr_spawn links here");
    }
    const gr_behavior *behavior = find_spawnable(agent->net, behavior_name);
    if (behavior == NULL) {
        return gr_reply_error(self, msg, GR_EDENIED, "not spawnable from afar");
    }
    gri_rights *rights;
    int rc = rights_of(agent, msg, &rights)
                 ? may_spawn(rights, behavior, name, link)
                 : GR_EDENIED;
    if (rc < 0) {
        return deny(agent, self, msg, rc, "to start an actor");
    }
    char text[GR_NAME_MAX + 1] = "";
    if (name.len > GR_NAME_MAX) {
        return gr_reply_error(self, msg, GR_EINVAL, "name too long");
    }
    memcpy(text, name.ptr, name.len);
    return start(agent, self, msg, list,
                 &(order){behavior, text, rights, link});
}

/* ---- its life as an actor ------------------------------------------------ */

gri_agent *gri_agent_new(gri_net *net)
{
    gri_agent *agent = calloc(1, sizeof *agent);
    if (agent != NULL) {
        agent->net = net;
    }
    return agent;
}

void gri_agent_free(gri_agent *agent)
{
    if (agent != NULL) {
        gri_map_fini(&agent->watchers);
        gri_map_fini(&agent->spawned);
        free(agent);
    }
}

/* The system stops. */
static void end(gr_actor *self)
{
    gri_net *net = gri_route_net(gr_system_of(self));
    if (net != NULL) {
        gri_net_agent(net, false);
    }
    gr_exit(self, 0, "the system stops");
}

/* Requests of this node's own actors; see node.c. */
static int on_local(gri_agent *agent, gr_actor *self, const gr_msg *msg)
{
    gr_str address;
    int64_t timeout_ms;
    bool on;
    if (gr_match(msg, "gr.watch", &on)) {
        gri_watch(agent, self, msg, on);
        return 0;
    }
    if (gr_match(msg, "gr.mesh.tell")) {
        gri_mesh_tell(agent, self);
        return 0;
    }
    if (gr_match(msg, "gr.connect", &address, &timeout_ms)) {
        return gri_dial_asked(agent, self, msg, address, timeout_ms);
    }
    return gr_unhandled(self, msg);
}

/* What other nodes say to this one. */
static int on_far(gri_agent *agent, gr_actor *self, const gr_msg *msg)
{
    gr_reader list;
    if (!gr_match(msg, "gr.mesh", &list)) {
        return gr_unhandled(self, msg);
    }
    gri_mesh_hear(agent, self, msg, list);
    return 0;
}

/* Who asks may wait for ever, so it must hear something: if need be, that the
 * connection is lost. */
static void not_answered(gri_agent *agent, gr_actor *self, const gr_msg *msg,
                         int rc)
{
    gri_net *net = agent->net;
    const uint64_t node = gr_sender(msg).node;

    gri_log_write(net->log, GR_LOG_WARN,
                  "node %s: a request could not be answered: %s",
                  net->self.name, gr_strerror(rc));
    if (gr_msg_asked(msg) && node != net->self.node &&
        gr_reply_error(self, msg, rc, NULL) < 0) {
        gri_peer *peer = gri_net_find(net, node);
        if (peer != NULL) { /* else it is lost already */
            (void)gri_peer_bye(peer, node, gri_deadline(net->clock, GRI_BYE_MS),
                               false);
        }
    }
}

static int receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    gr_str name;
    gr_reader rest;
    gr_pid who;
    if (gr_match_exit(msg, NULL, NULL)) {
        return 0; /* who links to the agent does so for its own sake */
    }
    if (gr_match_stop(msg, &who)) {
        if (gr_pid_is_nobody(who)) {
            end(self);
        }
        return 0; /* nobody else ends it */
    }
    gri_net *net = gri_route_net(gr_system_of(self));
    if (net == NULL) { /* it is installed after the agent has started */
        return gr_unhandled(self, msg);
    }
    gri_agent *agent = net->agent;
    gr_exit_reason why;
    if (gr_match_down(msg, NULL, &who, &why)) {
        gri_watch_down(agent, who, &why);
        (void)forget_spawned(agent, who.id);
        return 0;
    }
    /* A failure to answer (no memory, no connection) must not end the node. */
    int rc;
    if (gr_match(msg, "gr.wake")) {
        look(agent, self); /* whoever sent it: there is something, or not */
        return 0;
    }
    if (gr_match(msg, "ping")) {
        rc = gr_msg_asked(msg) ? gr_reply(self, msg, "pong") : 0;
    } else if (gr_match(msg, "whereis", &name)) {
        rc = gr_msg_asked(msg) ? whereis(agent, self, msg, name) : 0;
    } else if (gr_match(msg, "spawn", &rest)) {
        rc = gr_msg_asked(msg) ? spawn(agent, self, msg, rest) : 0;
    } else {
        bool local = gr_sender(msg).node == agent->net->self.node;
        rc = local ? on_local(agent, self, msg) : on_far(agent, self, msg);
    }
    if (rc < 0) {
        not_answered(agent, self, msg, rc);
    }
    return 0;
}

const gr_behavior gri_agent_behavior = {
    .name = "gr.agent",
    .receive = receive,
    .trap_exit = true,
};
