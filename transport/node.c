/* transport/node.c - what programs call: greenroom/node.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nng/nng.h>
#include <sodium.h>

#include "transport/agent.h"
#include "transport/exposed.h"

#define PEERS_MAX_MAX 65536u /* each has a descriptor, and more memory */

static gri_net *net_of(const gr_actor *self)
{
    return gri_route_net_of(gr_system_of(self), &gri_net_route);
}

static gr_pid agent_of(const gri_net *net)
{
    return (gr_pid){net->self.node, GRI_AGENT_ID};
}

/* ---- becoming a node ----------------------------------------------------- */

static gri_redial redial_of(const gr_node_opts *opts)
{
    gri_redial r = {.first_ms = opts->redial_first_ms,
                    .max_ms = opts->redial_max_ms,
                    .reset_ms = opts->redial_reset_ms};
    r.first_ms = r.first_ms > 0 ? r.first_ms : GR_REDIAL_FIRST_MS_DEFAULT;
    r.max_ms = r.max_ms > 0 ? r.max_ms : GR_REDIAL_MAX_MS_DEFAULT;
    r.reset_ms = r.reset_ms > 0 ? r.reset_ms : GR_REDIAL_RESET_MS_DEFAULT;
    return r;
}

static bool redial_ok(const gr_node_opts *opts)
{
    const gri_redial r = redial_of(opts);
    return opts->redial_first_ms >= 0 && opts->redial_max_ms >= 0 &&
           opts->redial_reset_ms >= 0 && r.first_ms <= r.max_ms &&
           r.max_ms <= GR_REDIAL_MS_MAX && r.reset_ms <= INT32_MAX;
}

static int check(const gr_node_opts *opts)
{
    if (opts == NULL || opts->name == NULL ||
        !gri_node_name_ok(opts->name,
                          strnlen(opts->name, GR_NODE_NAME_MAX + 1)) ||
        opts->heartbeat_ms < 0 || opts->silence_ms < 0 ||
        opts->silence_ms > INT32_MAX || opts->window > GR_WINDOW_MAX ||
        opts->peers_max > PEERS_MAX_MAX || !redial_ok(opts)) {
        return GR_EINVAL;
    }
    if (opts->advertise != NULL) {
        GR_TRY(gri_address_check(opts->advertise, false));
        if (strlen(opts->advertise) >= GRI_ADDRESS_MAX) {
            return GR_EADDRESS;
        }
    }
    return opts->listen != NULL ? gri_address_check(opts->listen, true) : 0;
}

/* Who listens beyond this host without TLS says so. */
static int check_exposure(const gri_log *log, const gr_node_opts *opts)
{
    bool tls = opts->listen != NULL && gri_tls_address(opts->listen);
    if (tls && !gri_tls_wanted(opts)) {
        return GR_EINVAL;
    }
    if (opts->listen == NULL || opts->insecure_listen ||
        !gri_address_is_exposed(opts->listen)) {
        return 0;
    }
    gri_log_write(log, GR_LOG_ERROR,
                  "node %s: other hosts can reach %s, where nothing is "
                  "encrypted: listen on ipc:// or tcp://127.0.0.1, or set "
                  "insecure_listen if the network is safe",
                  opts->name, opts->listen);
    return GR_EINSECURE;
}

/* Whom it believes. */
static int read_trust(const gri_log *log, const gr_node_opts *opts,
                      gri_trust *out)
{
    int rc = gri_trust_init(out, opts);
    if (rc == GR_ENOTSUP) {
        gri_log_write(
            log, GR_LOG_ERROR,
            "node %s: NNG %s does not tell who listens for whom a certificate "
            "is (1.6 does), so %s, who has no secret of its own, could be "
            "anybody: give it one, or listen at a number, not at a host's name",
            opts->name, nng_version(), gri_trust_certified_name(opts));
    }
    return rc;
}

/* Where there is neither TLS nor a secret nobody could prove anything. */
static int check_proof(const gri_log *log, const gr_node_opts *opts,
                       const gri_trust *trust)
{
    if (opts->listen == NULL || gri_tls_address(opts->listen) ||
        !trust->no_secret) {
        return 0;
    }
    gri_log_write(log, GR_LOG_ERROR,
                  "node %s: without a secret it cannot listen on %s, only on "
                  "tls+tcp://",
                  opts->name, opts->listen);
    return GR_EINSECURE;
}

/* *out stays NULL if the node has none. */
static int read_certificates(const gri_log *log, const gr_node_opts *opts,
                             gri_tls **out)
{
    gri_tls_fault fault;
    if (!gri_tls_wanted(opts)) {
        return 0;
    }
    int rc = gri_tls_new(opts, out, &fault);
    if (rc < 0 && fault.file != NULL) {
        gri_log_write(log, GR_LOG_ERROR, "node %s: %s: %s", opts->name,
                      fault.file,
                      fault.text[0] != '\0' ? fault.text
                      : rc == GR_EDENIED    ? "others may read or write it"
                                            : gr_strerror(rc));
    }
    return rc;
}

static int copy_spawnable(gri_net *net, const gr_behavior *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL) {
        n++;
    }
    net->spawnable = calloc(n + 1, sizeof(const gr_behavior *));
    if (net->spawnable == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        net->spawnable[i] = list[i];
    }
    return 0;
}

static void configure(gri_net *net, const gr_node_opts *opts)
{
    int64_t silence_ms =
        opts->silence_ms > 0 ? opts->silence_ms : GR_SILENCE_MS_DEFAULT;
    int64_t heartbeat_ms =
        opts->heartbeat_ms > 0 ? opts->heartbeat_ms : GR_HEARTBEAT_MS_DEFAULT;
    uint32_t message_max = gri_system_message_max(net->sys);
    net->silence_ns = silence_ms * GRI_NS_PER_MS;
    net->heartbeat_ns =
        (heartbeat_ms < INT32_MAX ? heartbeat_ms : INT32_MAX) * GRI_NS_PER_MS;
    net->outbox_max =
        opts->outbox_max > 0 ? opts->outbox_max : GR_OUTBOX_MAX_DEFAULT;
    const size_t soft = gri_outbox_soft(net);
    /* Much less than what slows its sender down. */
    net->draft_max = soft < GRI_BATCH_BYTES ? (uint32_t)soft : GRI_BATCH_BYTES;
    net->window = opts->window > 0 ? opts->window : GR_WINDOW_DEFAULT;
    net->self.node = gr_system_node(net->sys).id;
    net->self.silence_ms = (uint32_t)silence_ms;
    net->self.frame_max = message_max < UINT32_MAX - GRI_FRAME_EXTRA
                              ? message_max + GRI_FRAME_EXTRA
                              : UINT32_MAX;
    net->self.features =
        (net->trust.no_secret ? GRI_FEATURE_NO_SECRET : 0) | GRI_FEATURE_MESH;
    net->mesh = opts->mesh;
    memcpy(net->self.name, opts->name, strlen(opts->name));
}

static int listen_at(gri_net *net, const char *address)
{
    if (address == NULL) {
        return 0;
    }
    GR_TRY(gri_net_check_address(net, address, true));
    const gri_link_ops *ops = gri_link_ops_for(address);
    if (!gri_tls_address(address)) {
        GR_TRY(ops->listen(&net->keeper, address, gri_net_accepted, net,
                           &net->port));
    } else if (ops->listen_tls != NULL) {
        GR_TRY(ops->listen_tls(&net->keeper, net->tls, address,
                               gri_net_accepted, net, &net->port));
    } else {
        return GR_EADDRESS;
    }
    const char *at = ops->address(net->port);
    const size_t n = strlen(at);
    if (n >= sizeof net->address) {
        return GR_EADDRESS; /* a port that was found made it too long */
    }
    memcpy(net->address, at, n + 1);
    return 0;
}

/* Where other nodes are told to find it. */
static void advertise(gri_net *net, const gr_node_opts *opts)
{
    static const char tls[] = "tls+tcp://";
    const size_t size = sizeof net->advertised;
    int n = 0;
    if (opts->advertise != NULL) {
        n = snprintf(net->advertised, size, "%s", opts->advertise);
    } else if (net->port != NULL && gri_address_is_wildcard(net->address)) {
        if (opts->mesh) {
            gri_log_write(net->log, GR_LOG_WARN,
                          "node %s: others cannot dial %s, so they are not "
                          "told of it: see advertise",
                          net->self.name, net->address);
        }
    } else if (net->port != NULL && gri_tls_address(net->address)) {
        /* Its certificate is for its name. */
        n = snprintf(net->advertised, size, "%s%s@%s", tls, net->self.name,
                     net->address + sizeof tls - 1);
    } else if (net->port != NULL) {
        n = snprintf(net->advertised, size, "%s", net->address);
    }
    if (n < 0 || (size_t)n >= size ||
        (n > 0 && gri_address_check(net->advertised, false) < 0)) {
        net->advertised[0] = '\0'; /* a name with ':' or the like in it */
    }
}

static int keep_seeds(gri_net *net, const char *const *seeds)
{
    for (size_t i = 0; seeds != NULL && seeds[i] != NULL; i++) {
        GR_TRY(gri_net_keep(net, seeds[i]));
    }
    return 0;
}

/* Makes the net known to the system, and gives it its agent. */
static int install(gr_actor *self, gri_net *net)
{
    int rc = gri_spawn_agent(self, &gri_agent_behavior, (gr_values){NULL, 0});
    if (rc < 0) {
        return rc == GR_EEXIST ? GR_EINVAL : rc;
    }
    rc = gri_route_install(net->sys, &gri_net_route, net);
    if (rc < 0) {
        GR_IGNORE(gr_kill(self, agent_of(net)), "the first error counts");
        return rc == GR_EEXIST ? GR_EINVAL : rc;
    }
    gri_net_agent(net, true);
    return 0;
}

int gr_node_start(gr_actor *self, const gr_node_opts *opts)
{
    gr_system *sys = gr_system_of(self);
    gri_net *net = NULL;
    gri_trust trust;
    gri_tls *tls = NULL;
    GR_TRY(check(opts));
    const gri_redial redial = redial_of(opts);
    if (gri_route_net(sys) != NULL) {
        return GR_EINVAL;
    }
    if (gri_system_clock(sys)->is_virtual && gri_system_world(sys) == NULL) {
        return GR_ENOTSUP; /* nobody else is in its world */
    }
    if (sodium_init() < 0) {
        return GR_EIO; /* no random numbers */
    }
    GR_TRY(check_exposure(gri_system_log(sys), opts));
    GR_TRY(read_trust(gri_system_log(sys), opts, &trust));
    int rc = check_proof(gri_system_log(sys), opts, &trust);
    if (rc == 0) {
        rc = read_certificates(gri_system_log(sys), opts, &tls);
    }
    if (rc < 0) {
        gri_trust_fini(&trust);
        return rc;
    }
    rc = gri_net_new(
        sys, opts->peers_max > 0 ? opts->peers_max : GR_PEERS_MAX_DEFAULT,
        &redial, &net);
    if (rc < 0) {
        gri_trust_fini(&trust);
        gri_tls_free(tls);
        return rc;
    }
    net->trust = trust;
    net->tls = tls;
    sodium_memzero(&trust, sizeof trust);
    configure(net, opts);
    rc = copy_spawnable(net, opts->spawnable);
    if (rc == 0) {
        rc = listen_at(net, opts->listen);
    }
    if (rc == 0) {
        advertise(net, opts);
        rc = keep_seeds(net, opts->seeds);
    }
    if (rc == 0) {
        rc = install(self, net);
    }
    if (rc < 0) {
        gri_net_route.stop(net, 0);
        gri_net_free(net);
    }
    return rc;
}

int gr_node_address(gr_actor *self, char *buf, size_t size)
{
    const gri_net *net = net_of(self);
    if (net == NULL || net->port == NULL) {
        return GR_ENOENT;
    }
    size_t n = strlen(net->address);
    if (n >= size) {
        return GR_ETOOBIG;
    }
    memcpy(buf, net->address, n + 1);
    return 0;
}

/* ---- other nodes --------------------------------------------------------- */

int gr_node_connect(gr_actor *self, const char *address, int64_t timeout_ms,
                    gr_node *out)
{
    const gri_net *net = net_of(self);
    gr_node node;
    if (net == NULL || timeout_ms < GR_FOREVER) {
        return GR_EINVAL;
    }
    GR_TRY(gri_net_check_dial(net, address));
    if (timeout_ms == 0) {
        return GR_ETIMEOUT;
    }
    GR_TRY(gr_call(self, agent_of(net), timeout_ms, gr_expect("node", &node),
                   "gr.connect", address, timeout_ms));
    *out = node;
    return 0;
}

int gr_node_disconnect(gr_actor *self, gr_node node)
{
    gri_net *net = net_of(self);
    gri_peer *peer =
        net == NULL || node.id == 0 ? NULL : gri_net_find(net, node.id);
    int64_t deadline = net == NULL ? 0 : gri_deadline(net->clock, GRI_BYE_MS);
    return peer != NULL && gri_peer_bye(peer, node.id, deadline, true)
               ? 0
               : GR_ENOCONN;
}

int gr_node_find(gr_actor *self, const char *name, gr_node *out)
{
    gri_net *net = net_of(self);
    uint32_t used = net == NULL || name == NULL ? 0 : gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *peer = gri_net_peer(net, i);
        (void)pthread_mutex_lock(&peer->lock);
        bool found = peer->state == GRI_PEER_UP && !peer->closing &&
                     strcmp(peer->name, name) == 0;
        gr_node node = {peer->node};
        (void)pthread_mutex_unlock(&peer->lock);
        if (found) {
            *out = node;
            return 0;
        }
    }
    return GR_ENOENT;
}

static int copy_name(const char *name, char *buf, size_t size)
{
    size_t n = strlen(name);
    if (n >= size) {
        return GR_ETOOBIG;
    }
    memcpy(buf, name, n + 1);
    return 0;
}

int gr_node_name(gr_actor *self, gr_node node, char *buf, size_t size)
{
    gri_net *net = net_of(self);
    if (net == NULL) {
        return GR_ENOCONN;
    }
    if (node.id == 0 || node.id == net->self.node) {
        return copy_name(net->self.name, buf, size);
    }
    gri_peer *peer = gri_net_find(net, node.id);
    if (peer == NULL) {
        return GR_ENOCONN;
    }
    (void)pthread_mutex_lock(&peer->lock);
    int rc = GR_ENOCONN;
    if (peer->node == node.id && peer->state == GRI_PEER_UP) {
        rc = copy_name(peer->name, buf, size);
    }
    (void)pthread_mutex_unlock(&peer->lock);
    return rc;
}

gr_pid gr_node_agent(gr_node node)
{
    return (gr_pid){node.id, GRI_AGENT_ID};
}

int gr_watch_nodes(gr_actor *self, bool on)
{
    const gri_net *net = net_of(self);
    return net == NULL ? GR_EINVAL
                       : gr_send(self, agent_of(net), "gr.watch", on);
}

/* The agent's word to watchers, whoever else may write the like. */
static bool is_event(const gr_msg *msg)
{
    return msg->kind == GRI_MSG_USER && (msg->flags & GRI_MSG_TRAILER) != 0 &&
           gri_msg_trail(msg)->extra == GRI_NODE_EVENT;
}

bool gr_match_slow_node(const gr_msg *msg, bool *slow, gr_node *node,
                        gr_str *name, uint64_t *queued)
{
    bool is_slow;
    gr_node which;
    gr_str called;
    uint64_t bytes;
    if (!is_event(msg) ||
        !gr_match(msg, "gr.slow_node", &is_slow, &which, &called, &bytes)) {
        return false;
    }
    if (slow != NULL) {
        *slow = is_slow;
    }
    if (node != NULL) {
        *node = which;
    }
    if (name != NULL) {
        *name = called;
    }
    if (queued != NULL) {
        *queued = bytes;
    }
    return true;
}

bool gr_match_node(const gr_msg *msg, bool *up, gr_node *node, gr_str *name,
                   int *reason)
{
    bool is_up;
    gr_node which;
    gr_str called;
    int why;
    if (!is_event(msg) ||
        !gr_match(msg, "gr.node", &is_up, &which, &called, &why)) {
        return false;
    }
    if (up != NULL) {
        *up = is_up;
    }
    if (node != NULL) {
        *node = which;
    }
    if (name != NULL) {
        *name = called;
    }
    if (reason != NULL) {
        *reason = why;
    }
    return true;
}
