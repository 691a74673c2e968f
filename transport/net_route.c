/*
 * transport/net_route.c - the route of a net: what the system asks of its node.
 * See net.h, and gri_route.
 */
#include <stdlib.h>
#include <string.h>

#include "transport/net.h"
#include "transport/translate.h"

/* ---- drafts, and what is sent -------------------------------------------- */

/* gri_after.run of a draft. */
static void after_draft(gri_after *after, struct gri_worker *worker)
{
    gri_draft *d = GRI_CONTAINER(after, gri_draft, after);
    (void)worker;
    d->after_set = false;
    if (!gri_draft_is_empty(d)) {
        (void)gri_peer_end_draft(d, NULL); /* nobody's turn */
    }
}

/* The worker's own, or NULL: no memory, or it is in a world, where threads do
 * not wait for each other. */
static gri_draft *draft_of(gri_net *net, const struct gri_worker *worker)
{
    const unsigned i = gri_worker_index(worker);
    gri_draft *d = gri_net_draft(net, i);
    if (d == NULL && net->world == NULL) {
        d = malloc(sizeof *d);
        if (d != NULL) {
            memset(d, 0, offsetof(gri_draft, bytes));
            d->after.run = after_draft;
            /* release: pairs with the acquire in gri_net_draft. */
            atomic_store_explicit(&net->drafts[i], d, memory_order_release);
        }
    }
    return d;
}

/* Whether this is the second message in a row to the same actor; the draft,
 * which is empty and closed, is then to take the next. */
static bool is_second(gri_draft *d, uint64_t node, const gri_payload *m)
{
    const bool again =
        d->last_node == node && d->last_to == m->to && d->last_from == m->from;
    d->last_node = node;
    d->last_to = m->to;
    d->last_from = m->from;
    return again;
}

static int deliver(void *arg, struct gri_worker *worker, gr_pid to, gr_msg *msg)
{
    gri_net *net = arg;
    gri_frame frame;
    const bool plain = msg->kind == GRI_MSG_USER && msg->flags == 0 &&
                       msg->from.node == net->self.node;
    const gri_payload m = {to.id, msg->from.id, gri_msg_data(msg), msg->len, 1};
    gri_draft *d = worker == NULL ? NULL : draft_of(net, worker);
    bool second = false;
    if (d != NULL) {
        /* Most are one of many, one behind the other. */
        if (plain && gri_draft_add(d, to.node, &m)) {
            if (!d->after_set) {
                d->after_set = true;
                gri_after_turn(worker, &d->after);
            }
            return GRI_ROUTE_KEPT;
        }
        if (!gri_draft_is_empty(d)) {
            (void)gri_peer_end_draft(d, worker); /* is told at the next */
        }
        d->open = false;
        second = plain && is_second(d, to.node, &m);
    }
    gri_peer *peer = to.node == 0 ? NULL : gri_net_find(net, to.node);
    if (peer == NULL) {
        return GR_ENOCONN;
    }
    /* relaxed: this thread's own. */
    if (second &&
        atomic_load_explicit(&d->peer, memory_order_relaxed) != peer) {
        gri_peer_leave_draft(d);
    }
    GR_TRY(gri_frame_of_msg(&frame, net->self.node, to, msg));
    frame.own = plain && gri_msg_may_be_frame(msg) ? msg : NULL;
    const int rc =
        gri_peer_deliver(peer, worker, to.node, &frame, second ? d : NULL);
    return rc >= 0 && frame.own != NULL ? rc | GRI_ROUTE_TOOK : rc;
}

static int settle(void *arg, struct gri_worker *worker, gr_pid *to)
{
    gri_draft *d = gri_net_draft(arg, gri_worker_index(worker));
    if (gri_draft_is_empty(d) || !gri_peer_end_draft(d, NULL)) {
        return 0;
    }
    *to = (gr_pid){d->of.node, d->of.to};
    return GRI_ROUTE_SLOW;
}

static bool wait_for(void *arg, gr_pid to, uint64_t sender)
{
    gri_net *net = arg;
    gri_peer *peer = to.node == 0 ? NULL : gri_net_find(net, to.node);
    return peer != NULL && gri_peer_wait(peer, to.node, to.id, sender);
}

static void hurry(void *arg)
{
    gri_net *net = arg;
    for (unsigned i = 0; i < GR_WORKERS_MAX; i++) {
        gri_draft *d = gri_net_draft(net, i);
        if (d != NULL) {
            gri_peer_hurry_draft(d);
        }
    }
    uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer_hurry(gri_net_peer(net, i));
    }
}

/* ---- the end ------------------------------------------------------------- */

/* Waits until no link is open, or the deadline; returns whether none is. */
static bool wait_quiet(gri_net *net, int64_t deadline)
{
    if (net->world != NULL) {
        while (net->open > 0 && gri_world_step(net->world, deadline)) {
            /* each step does one thing */
        }
        return net->open == 0;
    }
    const struct timespec t = {.tv_sec = (time_t)(deadline / 1000000000),
                               .tv_nsec = (long)(deadline % 1000000000)};
    int timed_out = 0;
    (void)pthread_mutex_lock(&net->lock);
    while (net->open > 0 && timed_out == 0) {
        timed_out = pthread_cond_timedwait(&net->quiet, &net->lock, &t);
    }
    bool quiet = net->open == 0;
    (void)pthread_mutex_unlock(&net->lock);
    return quiet;
}

/* All are told to close. Of sockets who polls does that, and not the keeper:
 * us, if nobody else has time. It takes no longer than callbacks do, which only
 * copy and enqueue. */
static void wait_closed(gri_net *net)
{
    while (net->world == NULL &&
           !wait_quiet(net, gri_deadline(net->clock, 1))) {
        gri_poller_help(gri_system_poller(net->sys));
    }
}

static void stop(void *arg, int64_t deadline_ms)
{
    gri_net *net = arg;
    int64_t patience =
        deadline_ms < 0 || deadline_ms > GRI_BYE_MS ? GRI_BYE_MS : deadline_ms;
    int64_t deadline = gri_deadline(net->clock, patience);
    if (net->port != NULL) {
        net->port->ops->unlisten(net->port);
        net->port = NULL;
    }
    uint32_t used = gri_net_used(net);
    for (uint32_t i = 0; i < used; i++) {
        gri_peer *peer = gri_net_peer(net, i);
        (void)pthread_mutex_lock(&peer->lock);
        bool leaving = peer->state == GRI_PEER_LEAVING;
        (void)pthread_mutex_unlock(&peer->lock);
        if (!gri_peer_bye(peer, 0, deadline, false) && !leaving) {
            gri_peer_close(peer, 0, NULL);
        }
    }
    if (!wait_quiet(net, deadline)) {
        for (uint32_t i = 0; i < used; i++) {
            gri_peer_close(gri_net_peer(net, i), 0, NULL);
        }
        wait_closed(net);
    }
    /* Runs what is left to be closed in a world. */
    gri_keeper_stop(&net->keeper);
}

static void free_net(void *net)
{
    gri_net_free(net);
}

const gri_route gri_net_route = {.deliver = deliver,
                                 .wait = wait_for,
                                 .settle = settle,
                                 .hurry = hurry,
                                 .stop = stop,
                                 .free = free_net};
