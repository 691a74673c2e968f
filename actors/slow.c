/*
 * actors/slow.c - senders wait for receivers that cannot follow.
 *
 * A handler actor that sent to a mailbox past its soft bound is suspended when
 * its turn ends: it is left unscheduled, its inbox not idle, so that no push
 * schedules it either. Before that it has put a RESUME signal into the
 * receiver's inbox; whoever takes that out (the receiver, or who buries its
 * mail) lets the sender go on. A kill lets it go on, too, to its end.
 *
 * Who waits for whom stands in sys->waits, under slow_lock. An actor waits for
 * one other at most, so from any receiver one chain leads on; a suspension that
 * would close it to a circle is not made. So some actor at the end of each
 * chain is not suspended, reaches its RESUMEs, and no circle can wait for
 * itself.
 *
 * Nobody waits for a stable actor between two runs, as nobody knows whether
 * there will be another, and whoever decides that may be the one who waits: the
 * end of a run lets all go who wait for it.
 *
 * A suspension has two steps, as the RESUME may be reached, or a kill come,
 * while the sender's turn still ends: it is entered, then the signal is sent,
 * and only if it is still entered then is it marked as parked. Whoever takes a
 * parked entry out must schedule the sender; nobody else may.
 */
#include <stdlib.h>

#include "actors/limits.h"
#include "actors/stay.h"
#include "mailbox/reserve.h"

enum {
    CHAIN_MAX = 64 /* a longer chain of waits counts as a circle */
};

typedef struct wait {
    uint64_t token;    /* tells this suspension from later ones */
    uint64_t receiver; /* its id */
    uint64_t sender;   /* likewise */
    struct wait *next; /* in let_all_go */
    bool parked;
} wait;

static gri_key key_of(uint64_t id)
{
    return (gri_key){id, 0};
}

/* Under slow_lock. */
static bool closes_circle(gr_system *sys, uint64_t sender, uint64_t receiver)
{
    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        if (receiver == sender) {
            return true;
        }
        const wait *w = gri_map_get(&sys->waits, key_of(receiver));
        if (w == NULL) {
            return false;
        }
        receiver = w->receiver;
    }
    return true;
}

/* Step one. The token, or 0. */
static uint64_t enter(gr_system *sys, uint64_t sender, uint64_t receiver)
{
    wait *w = malloc(sizeof *w);
    if (w == NULL) {
        return 0; /* not slowed down: the hard bound is still there */
    }
    uint64_t token = 0;
    (void)pthread_mutex_lock(&sys->slow_lock);
    if (!closes_circle(sys, sender, receiver)) {
        *w = (wait){.token = sys->wait_tokens + 1,
                    .receiver = receiver,
                    .sender = sender};
        if (gri_map_put(&sys->waits, key_of(sender), w) == 0) {
            token = ++sys->wait_tokens;
            w = NULL;
        }
    }
    (void)pthread_mutex_unlock(&sys->slow_lock);
    free(w);
    return token;
}

/* Step two. False: it was let go meanwhile, or is killed. */
static bool park(gr_actor *self, uint64_t sender, uint64_t token)
{
    gr_system *sys = self->sys;
    (void)pthread_mutex_lock(&sys->slow_lock);
    wait *w = gri_map_get(&sys->waits, key_of(sender));
    bool parked = w != NULL && w->token == token;
    /* relaxed: who kills sets the alert, then takes the lock to let us go. If
     * that was before we were entered, we see the alert, else it sees us. */
    const bool is_slack =
        parked && w->receiver != 0 && /* between two runs: reaches nothing */
        gri_stay_is_slack(&sys->slots[(uint32_t)w->receiver]);
    const bool is_killed = gri_is_alert_kill(
        atomic_load_explicit(&self->outlet.alert, memory_order_relaxed),
        self->now);
    if (parked && (is_slack || is_killed)) {
        (void)gri_map_remove(&sys->waits, key_of(sender));
        free(w);
        parked = false;
    } else if (parked) {
        w->parked = true;
    }
    (void)pthread_mutex_unlock(&sys->slow_lock);
    return parked;
}

/* Lets a sender go. token 0: whatever it waits for. submits: as in gri_ctx. */
static void let_go(gr_system *sys, gri_worker *submits, uint64_t sender,
                   uint64_t token)
{
    bool parked = false;
    (void)pthread_mutex_lock(&sys->slow_lock);
    wait *w = gri_map_get(&sys->waits, key_of(sender));
    if (w != NULL && (token == 0 || w->token == token)) {
        parked = w->parked;
        (void)gri_map_remove(&sys->waits, key_of(sender));
        free(w);
    }
    (void)pthread_mutex_unlock(&sys->slow_lock);
    if (parked) {
        /* Behind: best of all another worker sends while this one receives. */
        gri_sched_submit_behind(&sys->sched, submits,
                                &sys->slots[(uint32_t)sender].task);
    }
}

/* It is suspended for what another node, or its outbox, cannot take. No chain
 * leads on from it: circles over nodes end when the route lets it go. */
static bool slow_down_far(gr_actor *self)
{
    gri_ctx *ctx = self->ctx;
    gr_system *sys = self->sys;
    const uint64_t me = gri_id(self->now, gri_index(self));
    const uint64_t token = enter(sys, me, 0);
    if (token == 0) {
        return false;
    }
    /* acquire: pairs with the release in gri_route_install. */
    const gri_route *route =
        atomic_load_explicit(&sys->route, memory_order_acquire);
    /* relaxed: stored before the route was. */
    void *net = atomic_load_explicit(&sys->net, memory_order_relaxed);
    if (!route->wait(net, ctx->pressed_far, me)) {
        let_go(sys, ctx->submits, me, token);
        return false;
    }
    GRI_TALLY(ctx, slowed);
    return park(self, me, token);
}

bool gri_slow_down(gr_actor *self)
{
    gri_ctx *ctx = self->ctx;
    gr_system *sys = self->sys;
    gr_actor *receiver = ctx->pressed;
    const uint64_t me = gri_id(self->now, gri_index(self));
    if (gri_is_service(sys, me)) {
        return false; /* others are served by it, too */
    }
    if (receiver == &sys->slots[0]) {
        return slow_down_far(self);
    }
    uint32_t soft = gri_soft_of(receiver);
    if (gri_inbox_depth(&receiver->inbox, &receiver->outlet, soft) < soft) {
        return false; /* it has caught up */
    }
    gr_pid to = {sys->node, gri_id(ctx->pressed_run, gri_index(receiver))};
    uint64_t token = enter(sys, me, to.id);
    if (token == 0) {
        return false;
    }
    if (gri_send_new_signal(ctx, gri_pid_of(self), to, GRI_MSG_RESUME, token) <
        0) {
        let_go(sys, ctx->submits, me, token);
        return false;
    }
    GRI_TALLY(ctx, slowed);
    /* If it is parked now, another worker may run it at once. */
    return park(self, me, token);
}

void gri_slow_reached(gri_ctx *ctx, gr_msg *msg)
{
    gr_system *sys = ctx->sys;
    if (gri_is_here(sys, msg->from)) {
        let_go(sys, ctx->submits, msg->from.id, gri_msg_ref(msg));
        return;
    }
    /* Of gri_slow_far_sender: its ref is who it is that has reached it. */
    const gr_pid sender = msg->from;
    const gri_route *route =
        /* acquire: pairs with the release in gri_route_install. */
        atomic_load_explicit(&sys->route, memory_order_acquire);
    msg->from = (gr_pid){sys->node, gri_msg_ref(msg)};
    /* relaxed: stored before the route was. A lost node waits for nobody; and
     * what is no USER message is never taken. */
    (void)route->deliver(atomic_load_explicit(&sys->net, memory_order_relaxed),
                         ctx->worker, sender, msg);
}

void gri_slow_far_sender(gri_ctx *ctx, const gri_feed *feed, gr_pid from,
                         gr_pid to)
{
    if (from.id == 0 || !feed->pressed(feed->arg, from, to)) {
        return;
    }
    /* Its node counts it as told until this comes back. */
    gr_msg *msg = gri_msg_signal_sure(ctx->cache, GRI_MSG_RESUME, NULL, 0);
    if (msg != NULL) { /* else it goes on when its node thinks so */
        msg->from = from;
        gri_msg_trailer(msg)->ref = to.id;
        gri_send_signal(ctx, to, msg);
    }
}

void gri_slow_release(gri_ctx *ctx, gr_pid pid)
{
    let_go(ctx->sys, ctx->submits, pid.id, 0);
}

/* A proxy waits for its process: for no receiver, so that no chain leads on
 * from it. It is entered before it is told where wakes come from, so that one
 * that comes at once finds it. */
bool gri_pause(gr_actor *self)
{
    gr_system *sys = self->sys;
    uint64_t me = gri_id(self->now, gri_index(self));
    uint64_t token = enter(sys, me, 0);
    if (token == 0) {
        return false; /* it looks again and again */
    }
    gri_processes *processes = gri_processes_of(sys);
    if (!processes->pausing(processes, self->state)) {
        let_go(sys, self->ctx->submits, me, token);
        return false;
    }
    return park(self, me, token);
}

/* Of a wait for no receiver. */
static void let_go_free(gr_system *sys, gri_worker *submits, uint64_t sender)
{
    uint64_t token = 0;
    (void)pthread_mutex_lock(&sys->slow_lock);
    const wait *w = gri_map_get(&sys->waits, key_of(sender));
    if (w != NULL && w->receiver == 0) {
        token = w->token;
    }
    (void)pthread_mutex_unlock(&sys->slow_lock);
    if (token != 0) {
        let_go(sys, submits, sender, token);
    }
}

void gri_unpause(gri_ctx *ctx, gr_pid pid)
{
    let_go_free(ctx->sys, ctx->submits, pid.id);
}

void gri_let_go(gr_system *sys, uint64_t sender)
{
    let_go_free(sys, NULL, sender);
}

/* Under slow_lock: takes out all who wait for that one. */
static wait *take_all(gr_system *sys, uint64_t receiver)
{
    wait *list = NULL;
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&sys->waits, &at)) != NULL;) {
        wait *w = e->value;
        if (w->receiver == receiver) {
            w->next = list;
            list = w;
        }
    }
    for (const wait *w = list; w != NULL; w = w->next) {
        (void)gri_map_remove(&sys->waits, key_of(w->sender));
    }
    return list;
}

/* Their RESUMEs find that they wait no more. */
void gri_slow_slack(gr_actor *self, bool on)
{
    gr_system *sys = self->sys;
    wait *list = NULL;
    (void)pthread_mutex_lock(&sys->slow_lock);
    gri_stay_slack(self, on);
    if (on) {
        list = take_all(sys, gri_pid_of(self).id);
    }
    (void)pthread_mutex_unlock(&sys->slow_lock);
    while (list != NULL) {
        wait *w = list;
        list = w->next;
        if (w->parked) {
            gri_sched_submit_behind(&sys->sched, self->ctx->submits,
                                    &sys->slots[(uint32_t)w->sender].task);
        }
        free(w);
    }
}
