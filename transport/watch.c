/* transport/watch.c - actors that are told of nodes that come and go. */
#include <string.h>

#include "mailbox/pack.h"
#include "transport/agent.h"

enum { EVENT_MAX = 256 /* bytes of a message to a watcher */ };

static gr_node node_of(const gri_peer *peer)
{
    return (gr_node){peer->hs.other.node};
}

enum { EVENT_VALUES = 5 };

/* Not gr_tell: that could not set the mark. */
static void send_event(gri_agent *agent, gr_actor *self, uint64_t watcher,
                       const gr_value values[EVENT_VALUES])
{
    gri_net *net = agent->net;
    (void)pthread_mutex_lock(&net->cache_lock);
    gri_builder b = {.cache = &net->cache, .len_max = EVENT_MAX};
    gr_msg *msg = gri_pack(&b, values, EVENT_VALUES, true);
    if (msg != NULL) {
        msg->from = gr_self(self);
        gri_msg_trailer(msg)->extra = GRI_NODE_EVENT;
        gri_deliver(net->sys, &net->cache, (gr_pid){net->self.node, watcher},
                    msg);
    }
    (void)pthread_mutex_unlock(&net->cache_lock);
    if (msg == NULL) {
        gri_log_write(net->log, GR_LOG_ERROR,
                      "no memory to tell a watcher of a node");
    }
}

static void tell(gri_agent *agent, gr_actor *self, uint64_t watcher,
                 const gri_peer *peer, bool up)
{
    const char *name = peer->hs.other.name;
    const gr_value values[EVENT_VALUES] = {
        gr_strn("gr.node", 7),
        gr_bool(up),
        {.kind = GR_KIND_UINT, .as.u = node_of(peer).id},
        gr_strn(name, strlen(name)),
        {.kind = GR_KIND_INT, .as.i = up ? 0 : peer->reason},
    };
    send_event(agent, self, watcher, values);
}

static void tell_pace(gri_agent *agent, gr_actor *self, uint64_t watcher,
                      const gri_peer *peer, size_t queued)
{
    const char *name = peer->hs.other.name;
    const gr_value values[EVENT_VALUES] = {
        gr_strn("gr.slow_node", 12),
        gr_bool(peer->told_slow),
        {.kind = GR_KIND_UINT, .as.u = node_of(peer).id},
        gr_strn(name, strlen(name)),
        {.kind = GR_KIND_UINT, .as.u = queued},
    };
    send_event(agent, self, watcher, values);
}

/* Whether it is slow now, and what waits for it. */
static bool pace_of(gri_peer *peer, size_t *queued)
{
    (void)pthread_mutex_lock(&peer->lock);
    const bool slow = peer->pace.slow;
    *queued = gri_peer_queued(peer);
    (void)pthread_mutex_unlock(&peer->lock);
    return slow;
}

void gri_watch_pace(gri_agent *agent, gr_actor *self, gri_peer *peer)
{
    size_t queued;
    const bool slow = pace_of(peer, &queued);
    if (!peer->greeted || slow == peer->told_slow) {
        return; /* it has gone, or turned twice */
    }
    peer->told_slow = slow;
    gri_log_write(agent->net->log, GR_LOG_INFO,
                  "node %s: %s is %s: %zu bytes wait for it",
                  agent->net->self.name, peer->hs.other.name,
                  slow ? "slow" : "not slow any more", queued);
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&agent->watchers, &at)) != NULL;) {
        tell_pace(agent, self, e->key.a, peer, queued);
    }
}

void gri_watch_tell(gri_agent *agent, gr_actor *self, const gri_peer *peer,
                    bool up)
{
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&agent->watchers, &at)) != NULL;) {
        tell(agent, self, e->key.a, peer, up);
    }
}

int gri_watch(gri_agent *agent, gr_actor *self, const gr_msg *msg, bool on)
{
    gr_pid who = gr_sender(msg);
    gri_key key = {who.id, 0};
    if (!on) {
        (void)gri_map_remove(&agent->watchers, key);
        return 0;
    }
    if (gri_map_get(&agent->watchers, key) != NULL) {
        return 0;
    }
    gr_ref ref;
    int rc = gr_monitor(self, who, &ref); /* to forget it with its end */
    if (rc == 0) {
        rc = gri_map_put(&agent->watchers, key, agent);
    }
    if (rc < 0) {
        gri_log_write(agent->net->log, GR_LOG_ERROR,
                      "no memory for one more watcher of nodes");
        return 0;
    }
    uint32_t used = gri_net_used(agent->net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *peer = gri_net_peer(agent->net, i);
        if (peer->greeted) {
            tell(agent, self, who.id, peer, true);
        }
        if (peer->greeted && peer->told_slow) {
            size_t queued;
            (void)pace_of(peer, &queued);
            tell_pace(agent, self, who.id, peer, queued);
        }
    }
    return 0;
}
