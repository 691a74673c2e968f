/*
 * actors/feed.c - what other nodes send, to the inboxes of this one.
 *
 * Many messages for one actor often come one behind the other. They are linked
 * to a lot, which one exchange of the inbox's tail pushes, and one addition
 * counts.
 */
#include "actors/confirm.h"
#include "actors/internal.h"
#include "actors/record.h"

enum { LOT_MAX = 32 /* messages */ };

/* Messages for one actor, which wait to be pushed together. */
typedef struct lot {
    gr_pid to;
    gr_actor *slot; /* of `to` */
    gr_msg *first, *last;
    uint32_t n; /* 0: there is none */
} lot;

static void deliver_user(gri_ctx *ctx, gr_pid to, gr_msg *msg)
{
    int rc = gri_send_user(ctx, to, msg);
    if (rc < 0) {
        /* The sender is not here to be told: a dead letter. */
        GRI_TALLY(ctx, sent);
        gri_trace_note(ctx, msg, rc);
        gri_bury(ctx, to, msg, rc == GR_EAGAIN ? GRI_WHY_FULL : GRI_WHY_NOPROC);
        gri_msg_free(ctx->cache, msg);
    }
}

static void deliver(gri_ctx *ctx, gr_pid to, gr_msg *msg)
{
    if (msg->kind == GRI_MSG_USER) {
        deliver_user(ctx, to, msg);
    } else if (msg->kind == GRI_MSG_CONFIRM) {
        const gr_pid from = msg->from;
        gr_msg *answer = gri_confirm_begin(ctx, msg);
        deliver_user(ctx, to, msg);
        gri_confirm_end(ctx, from, answer);
    } else {
        if (msg->kind == GRI_MSG_KILL) {
            gri_kill(ctx, to);
        }
        gri_send_signal(ctx, to, msg);
    }
}

void gri_deliver(gr_system *sys, gri_cache *cache, gr_pid to, gr_msg *msg)
{
    gri_ctx ctx;
    gri_ctx_init(&ctx, sys, NULL, cache, 0);
    deliver(&ctx, to, msg);
    gri_counters_add(&sys->foreign, &ctx.counters);
}

/* ---- many ---------------------------------------------------------------- */

static void push_lot(gri_ctx *ctx, lot *l)
{
    if (l->n == 0) {
        return;
    }
    gri_inbox *inbox = &l->slot->inbox;
    uint32_t counted = l->n;
    gr_msg *before;
    GRI_TALLY_MANY(ctx, sent, l->n);
    const bool was_idle = gri_inbox_push_begin(inbox, l->last, &before);
    if (was_idle) { /* what finds the inbox empty is not counted */
        l->first->flags &= (uint16_t)~GRI_MSG_COUNTED;
        counted--;
    }
    gri_inbox_count(inbox, counted);
    gri_inbox_push_end(before, l->first);
    if (was_idle) {
        gri_ring(ctx, l->slot);
    }
    l->n = 0;
}

/* Begins a lot, if its actor lives and takes a whole one without being asked.
 */
static bool begin_lot(const gri_ctx *ctx, lot *l, gr_pid to)
{
    gr_actor *slot = gri_slot_of(ctx->sys, to);
    if (slot == NULL || !gri_slot_lives(slot, gri_pid_run(to))) {
        return false;
    }
    /* relaxed: set before the run was published, see gri_slot_lives. */
    const uint32_t soft =
        atomic_load_explicit(&slot->soft, memory_order_relaxed);
    if (soft < GRI_WIDE || gri_inbox_seems_deep(&slot->inbox, soft - LOT_MAX)) {
        return false;
    }
    l->to = to;
    l->slot = slot;
    return true;
}

static inline void add_to_lot(lot *l, gr_msg *msg)
{
    msg->run = gri_pid_run(l->to);
    msg->flags |= GRI_MSG_COUNTED;
    if (l->n == 0) {
        l->first = msg;
    } else {
        /* relaxed: the push of the lot publishes it. */
        atomic_store_explicit(&l->last->next, msg, memory_order_relaxed);
    }
    l->last = msg;
    l->n++;
}

static void deliver_one(gri_ctx *ctx, const gri_feed *feed, gr_pid to,
                        gr_msg *msg)
{
    const gr_pid from = msg->from;
    deliver(ctx, to, msg);
    if (ctx->pressed != NULL) {
        ctx->pressed = NULL;
        gri_slow_far_sender(ctx, feed, from, to);
    }
}

static void deliver_all(gri_ctx *ctx, const gri_feed *feed)
{
    gr_pid to;
    lot l = {.n = 0};
    ctx->pressed = NULL; /* of the worker's last turn */
    for (gr_msg *msg; (msg = feed->next(feed->arg, ctx->cache, &to)) != NULL;) {
        const bool is_user = msg->kind == GRI_MSG_USER;
        if (is_user && l.n > 0 && l.n < LOT_MAX && to.id == l.to.id) {
            add_to_lot(&l, msg);
            continue;
        }
        push_lot(ctx, &l);
        if (is_user && begin_lot(ctx, &l, to)) {
            add_to_lot(&l, msg);
        } else {
            deliver_one(ctx, feed, to, msg);
        }
    }
    push_lot(ctx, &l);
}

void gri_deliver_all(gr_system *sys, gri_worker *worker, gri_cache *cache,
                     const gri_feed *feed)
{
    if (worker != NULL) {
        deliver_all(worker->user, feed);
        return;
    }
    gri_ctx ctx;
    gri_ctx_init(&ctx, sys, NULL, cache, 0);
    deliver_all(&ctx, feed);
    gri_counters_add(&sys->foreign, &ctx.counters);
}
