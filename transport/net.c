/* transport/net.c - see net.h. */
#include "transport/net.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/hash.h"
#include "base/memory.h"
#include "transport/agent.h"
#include "transport/discovery.h"
#include "transport/translate.h"

/* ---- peers --------------------------------------------------------------- */

static _Atomic(uint32_t) *hint_of(gri_net *net, uint64_t node)
{
    return &net->hints[gri_hash_address(node, 6)];
}

gri_peer *gri_net_find(gri_net *net, uint64_t node)
{
    const uint32_t used = gri_net_used(net);
    /* relaxed, all: hints; the peer's lock protects the truth. */
    const uint32_t at =
        atomic_load_explicit(hint_of(net, node), memory_order_relaxed);
    if (at < used &&
        atomic_load_explicit(&net->nodes[at], memory_order_relaxed) == node) {
        return gri_net_peer(net, at);
    }
    for (uint32_t i = 0; i < used; i++) {
        if (atomic_load_explicit(&net->nodes[i], memory_order_relaxed) ==
            node) {
            atomic_store_explicit(hint_of(net, node), i, memory_order_relaxed);
            return gri_net_peer(net, i);
        }
    }
    return NULL;
}

/* A peer that was never used. Under lock. */
static gri_peer *new_peer(gri_net *net)
{
    /* relaxed: written under the lock that is held. */
    uint32_t i = atomic_load_explicit(&net->used, memory_order_relaxed);
    gri_peer *peer = i < net->room ? malloc(sizeof *peer) : NULL;
    if (peer == NULL) {
        return NULL;
    }
    if (gri_peer_init(peer, net, i) < 0) {
        free(peer);
        return NULL;
    }
    /* release, both: pair with the acquire in gri_net_peer and gri_net_used,
     * so that whoever counts it finds it initialised. */
    atomic_store_explicit(&net->peers[i], peer, memory_order_release);
    atomic_store_explicit(&net->used, i + 1, memory_order_release);
    return peer;
}

gri_peer *gri_net_take(gri_net *net)
{
    (void)pthread_mutex_lock(&net->lock);
    gri_peer *peer = net->idle;
    if (peer != NULL) {
        net->idle = peer->next_idle;
    } else {
        peer = new_peer(net);
    }
    if (peer != NULL) {
        peer->born = ++net->arrivals;
    }
    (void)pthread_mutex_unlock(&net->lock);
    return peer;
}

void gri_net_give(gri_net *net, gri_peer *peer)
{
    (void)pthread_mutex_lock(&net->lock);
    peer->next_idle = net->idle;
    net->idle = peer;
    (void)pthread_mutex_unlock(&net->lock);
}

void gri_net_accepted(void *arg, gri_link *link)
{
    gri_net *net = arg;
    gri_peer *peer = gri_net_take(net);
    if (peer == NULL) {
        link->ops->close(link);
        gri_net_count(net, &net->totals.refused);
        gri_net_fault(net, "somebody", GR_ELIMIT,
                      "too many connections at once");
        return;
    }
    gri_peer_accept(peer, link);
}

void gri_net_opening(gri_net *net)
{
    (void)pthread_mutex_lock(&net->lock);
    net->open++;
    (void)pthread_mutex_unlock(&net->lock);
}

void gri_net_closed(gri_net *net)
{
    (void)pthread_mutex_lock(&net->lock);
    net->open--;
    if (net->open == 0) {
        (void)pthread_cond_broadcast(&net->quiet);
    }
    (void)pthread_mutex_unlock(&net->lock);
}

void gri_net_count(gri_net *net, uint64_t *counter)
{
    (void)pthread_mutex_lock(&net->lock);
    ++*counter;
    (void)pthread_mutex_unlock(&net->lock);
}

static bool is_doubling(uint64_t n)
{
    return (n & (n - 1)) == 0;
}

void gri_net_fault(gri_net *net, const char *who, int reason, const char *fault)
{
    (void)pthread_mutex_lock(&net->lock);
    net->totals.faults++;
    net->totals.blamed[gri_blame_of(reason)]++;
    const uint64_t n = gri_causes_add(&net->causes, NULL, fault);
    (void)pthread_mutex_unlock(&net->lock);
    if (is_doubling(n)) {
        gri_log_write(net->log, GR_LOG_WARN,
                      "node %s: cut %s: %s (%llu such cases so far)",
                      net->self.name, who, fault, (unsigned long long)n);
    }
}

void gri_net_refused(gri_net *net, const char *who, const char *what,
                     const char *why)
{
    (void)pthread_mutex_lock(&net->lock);
    net->refused++;
    const uint64_t n = gri_causes_add(&net->causes, what, why);
    (void)pthread_mutex_unlock(&net->lock);
    if (is_doubling(n)) {
        gri_log_write(net->log, GR_LOG_WARN,
                      "node %s: refused %s of %s: %s (%llu such cases so far)",
                      net->self.name, what, who, why, (unsigned long long)n);
    }
}

int gri_net_check_address(const gri_net *net, const char *address,
                          bool to_listen)
{
    GR_TRY(gri_address_check(address, to_listen));
    bool is_simulated = gri_link_ops_for(address) == &gri_link_sim;
    return is_simulated == (net->world != NULL) ? 0 : GR_ENOTSUP;
}

int gri_net_check_dial(const gri_net *net, const char *address)
{
    GR_TRY(gri_net_check_address(net, address, false));
    if (gri_tls_address(address)) {
        return net->tls == NULL ? GR_EINVAL : 0;
    }
    return net->trust.no_secret ? GR_EINSECURE : 0;
}

void gri_net_random(gri_net *net, void *buf, size_t n)
{
    if (net->world == NULL) {
        randombytes_buf(buf, n);
        return;
    }
    uint8_t *bytes = buf;
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)gri_rng_next(&net->world->rng);
    }
}

/* ---- events -------------------------------------------------------------- */

void gri_net_wake_lost(gri_net *net)
{
    /* The keeper tries again. */
    (void)pthread_mutex_lock(&net->lock);
    net->awake = false;
    (void)pthread_mutex_unlock(&net->lock);
    gri_keeper_tick_at(&net->keeper, gri_deadline(net->clock, GRI_PROBE_MS));
}

void gri_net_look_later(gri_net *net)
{
    (void)pthread_mutex_lock(&net->lock);
    net->look_due = true;
    (void)pthread_mutex_unlock(&net->lock);
    gri_net_wake_lost(net);
}

/* A message without a meaning of its own: it only makes the agent look. So it
 * does not matter that any actor can send one. */
static void wake_agent(gri_net *net)
{
    static const uint8_t wake[] = {0x91, 0xa7, 'g', 'r', '.',
                                   'w',  'a',  'k', 'e'};
    (void)pthread_mutex_lock(&net->cache_lock);
    /* Not a USER message: those are counted, and refused when there are too
     * many, and then the events would wait for ever. */
    gr_msg *msg =
        gri_msg_signal(&net->cache, GRI_MSG_STARTED, wake, sizeof wake);
    if (msg != NULL) {
        gri_deliver(net->sys, &net->cache,
                    (gr_pid){net->self.node, GRI_AGENT_ID}, msg);
    }
    (void)pthread_mutex_unlock(&net->cache_lock);
    if (msg == NULL) {
        gri_net_wake_lost(net);
    }
}

void gri_net_again(gri_net *net)
{
    wake_agent(net); /* it counts as awake until it has found nothing */
}

/* Whether the agent must be woken now. Under lock. */
static bool must_wake(gri_net *net)
{
    bool wake = net->agent_lives && !net->awake &&
                (net->first_event != NULL || net->look_due);
    net->awake = net->awake || wake;
    return wake;
}

void gri_net_post(gri_net *net, gri_peer *peer, unsigned event)
{
    (void)pthread_mutex_lock(&net->lock);
    peer->events |= event;
    if (!peer->queued) {
        peer->queued = true;
        peer->next = NULL;
        *net->last_event = peer;
        net->last_event = &peer->next;
    }
    bool wake = must_wake(net);
    (void)pthread_mutex_unlock(&net->lock);
    if (wake) {
        wake_agent(net);
    }
}

gri_peer *gri_net_next(gri_net *net, unsigned *events)
{
    (void)pthread_mutex_lock(&net->lock);
    gri_peer *peer = net->first_event;
    if (peer == NULL) {
        net->awake = false;
        net->look_due = false; /* it looks at the places next */
    } else {
        net->first_event = peer->next;
        if (peer->next == NULL) {
            net->last_event = &net->first_event;
        }
        peer->next = NULL;
        peer->queued = false;
        *events = peer->events;
        peer->events = 0;
    }
    (void)pthread_mutex_unlock(&net->lock);
    return peer;
}

void gri_net_agent(gri_net *net, bool lives)
{
    (void)pthread_mutex_lock(&net->lock);
    net->agent_lives = lives;
    bool wake = must_wake(net);
    (void)pthread_mutex_unlock(&net->lock);
    if (wake) {
        wake_agent(net);
    }
}

/* ---- the clock ----------------------------------------------------------- */

/* The keeper's. Heartbeats and silence do not wait for an actor's turn: a node
 * whose workers are all busy is not a lost one. */
static int64_t tick(void *arg)
{
    gri_net *net = arg;
    int64_t now = gri_clock_ns(net->clock);
    int64_t next = GRI_NEVER;
    uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        int64_t at = gri_peer_tick(gri_net_peer(net, i), now);
        next = at < next ? at : next;
    }
    const int64_t place_at = gri_places_next(&net->places);
    (void)pthread_mutex_lock(&net->lock);
    net->look_due = net->look_due || place_at <= now;
    const bool asked = net->look_due; /* it looks, and says when to tick */
    bool wake = must_wake(net);
    (void)pthread_mutex_unlock(&net->lock);
    if (wake) {
        wake_agent(net);
    }
    return asked || next < place_at ? next : place_at;
}

/* ---- life ---------------------------------------------------------------- */

static int init_sync(gri_net *net)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) {
        return GR_ENOMEM;
    }
    /* The clock that gri_clock_ns reads; known to every Linux. */
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&net->quiet, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (failed != 0) {
        return GR_ENOMEM;
    }
    if (pthread_mutex_init(&net->lock, NULL) != 0) {
        (void)pthread_cond_destroy(&net->quiet);
        return GR_ENOMEM;
    }
    if (pthread_mutex_init(&net->cache_lock, NULL) != 0) {
        (void)pthread_mutex_destroy(&net->lock);
        (void)pthread_cond_destroy(&net->quiet);
        return GR_ENOMEM;
    }
    return 0;
}

static void free_memory(gri_net *net)
{
    gri_agent_free(net->agent);
    free(net->spawnable);
    for (unsigned i = 0; i < GR_WORKERS_MAX; i++) {
        free(gri_net_draft(net, i));
    }
    free(net->peers);
    free(net->nodes);
    gri_trust_fini(&net->trust);
    gri_tls_free(net->tls);
    gri_hunts_fini(net);
    gri_places_fini(&net->places);
    free(net);
}

int gri_net_new(gr_system *sys, uint32_t peers_max, const gri_redial *redial,
                gri_net **out)
{
    gri_net *net = calloc(1, sizeof *net);
    if (net == NULL) {
        return GR_ENOMEM;
    }
    net->sys = sys;
    net->clock = gri_system_clock(sys);
    net->world = gri_system_world(sys);
    net->log = gri_system_log(sys);
    net->peers_max = peers_max;
    net->room =
        peers_max + GRI_STRANGERS_MAX + GRI_DIALS_MAX + GRI_LEFTOVERS_MAX;
    net->last_event = &net->first_event;
    gri_cache_init(&net->cache, gri_system_depot(sys));
    net->peers = calloc(net->room, sizeof *net->peers);
    net->nodes = calloc(net->room, sizeof *net->nodes);
    uint64_t seed;
    gri_net_random(net, &seed, sizeof seed);
    if (gri_places_init(&net->places, redial, peers_max, seed) < 0) {
        free(net->peers);
        free(net->nodes);
        free(net);
        return GR_ENOMEM;
    }
    net->agent = gri_agent_new(net);
    if (net->peers == NULL || net->nodes == NULL || net->agent == NULL ||
        init_sync(net) < 0) {
        free_memory(net);
        return GR_ENOMEM;
    }
    int rc = net->world != NULL
                 ? gri_keeper_start_in(&net->keeper, net->world,
                                       gr_system_node(sys).id, tick, net)
                 : gri_keeper_start(&net->keeper, net->clock,
                                    gri_system_poller(sys), tick, net);
    if (rc < 0) {
        (void)pthread_mutex_destroy(&net->cache_lock);
        (void)pthread_mutex_destroy(&net->lock);
        (void)pthread_cond_destroy(&net->quiet);
        free_memory(net);
        return rc;
    }
    *out = net;
    return 0;
}

void gri_net_free(gri_net *net)
{
    uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *peer = gri_net_peer(net, i);
        gri_peer_fini(peer);
        free(peer);
    }
    gri_cache_flush(&net->cache);
    (void)pthread_mutex_destroy(&net->cache_lock);
    (void)pthread_mutex_destroy(&net->lock);
    (void)pthread_cond_destroy(&net->quiet);
    free_memory(net);
}
