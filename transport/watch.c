/* transport/watch.c - actors that are told of nodes that come and go. */
#include <string.h>

#include "actors/refusal.h"
#include "mailbox/pack.h"
#include "mailbox/reserve.h"
#include "transport/agent.h"

/* What the map of watchers has of each. */
static char monitored, loose;

static gr_node node_of(const gri_peer *peer)
{
    return (gr_node){peer->hs.other.node};
}

enum { EVENT_VALUES = 5 };

/* The longest event: a tag, a flag, a number, a name, and another number. */
_Static_assert(1 + 13 + 1 + 9 + 2 + GR_NODE_NAME_MAX + 9 <= GRI_RESERVE_ROOM,
               "there is memory for it when there is none");

/* Not gr_tell: that could not set the mark, and who waits for a node may wait
 * for nothing else. */
static void send_event(gri_agent *agent, gr_actor *self, uint64_t watcher,
                       const gr_value values[EVENT_VALUES])
{
    gri_net *net = agent->net;
    uint8_t bytes[GRI_RESERVE_ROOM] = {GRI_FIXARRAY | EVENT_VALUES};
    size_t len = 1;
    for (int i = 0; i < EVENT_VALUES; i++) {
        const int64_t n =
            gri_pack_value(&values[i], bytes + len, sizeof bytes - len);
        GR_DASSERT(n > 0);
        len += (size_t)n;
    }
    (void)pthread_mutex_lock(&net->cache_lock);
    gr_msg *msg = gri_msg_signal_sure(&net->cache, GRI_MSG_USER, bytes, len);
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

/* Monitors them, to forget them with their end. */
static void tie(gri_agent *agent, gr_actor *self)
{
    agent->loose = false;
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&agent->watchers, &at)) != NULL;) {
        const gr_pid who = {agent->net->self.node, e->key.a};
        gr_ref ref;
        if (e->value == &loose) {
            const bool tied = gr_monitor(self, who, &ref) == 0;
            e->value = tied ? &monitored : &loose;
            agent->loose = agent->loose || !tied;
        }
    }
    if (agent->loose) {
        gri_net_look_later(agent->net);
    }
}

void gri_watch_down(gri_agent *agent, gr_pid who, const gr_exit_reason *why)
{
    const gri_key key = {who.id, 0};
    if (gri_map_get(&agent->watchers, key) == NULL) {
        return;
    }
    if (gri_is_refusal(why)) {
        (void)gri_map_put(&agent->watchers, key, &loose); /* it is there */
        agent->loose = true;
        gri_net_look_later(agent->net);
    } else {
        (void)gri_map_remove(&agent->watchers, key);
    }
}

/* Begins, or ends. Errors: GR_ENOMEM. */
static int watch(gri_agent *agent, gr_actor *self, const gr_msg *msg, bool on)
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
    GR_TRY(gri_map_put(&agent->watchers, key, &loose));
    tie(agent, self);
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

void gri_watch(gri_agent *agent, gr_actor *self, const gr_msg *msg, bool on)
{
    /* Behind one that is put off stand all that follow it. */
    int rc = agent->put_off ? GR_ENOMEM : watch(agent, self, msg, on);
    if (rc == GR_ENOMEM) {
        rc = gr_stash(self, msg);
        if (rc == 0 && !agent->put_off) {
            agent->put_off = true;
            gri_net_look_later(agent->net);
        }
    }
    if (rc < 0) {
        gri_log_write(agent->net->log, GR_LOG_ERROR,
                      "no memory for one more watcher of nodes: %s",
                      gr_strerror(rc));
    }
}

void gri_watch_again(gri_agent *agent, gr_actor *self)
{
    if (agent->loose) {
        tie(agent, self);
    }
    if (agent->put_off) {
        agent->put_off = false;
        gr_unstash(self);
    }
}
