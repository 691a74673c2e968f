/*
 * actors/send.c - from a sender to an inbox, or to the route.
 *
 * The hot path is gri_begin, the inline writes of greenroom/detail/values.h,
 * and gri_commit: a block from the thread's cache, one look at the receiver's
 * run, one exchange of its inbox's tail. No lock, no system call, no clock.
 */
#include <string.h>

#include "actors/account.h"
#include "actors/circle.h"
#include "actors/confirm.h"
#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/limits.h"
#include "mailbox/reserve.h"

/* The receiver is at its hard bound: its policy decides. Takes msg on 0. */
static int at_bound(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg)
{
    /* relaxed: set before the run was published, see gri_slot_lives. */
    switch ((gr_full)atomic_load_explicit(&slot->full, memory_order_relaxed)) {
    case GR_FULL_DROP_NEW:
        GRI_TALLY(ctx, sent);
        GRI_TALLY(ctx, dropped);
        gri_trace_note(ctx, msg, GR_EAGAIN);
        gri_answer_status(ctx, msg, GR_EAGAIN);
        gri_drops_add(ctx, slot, to);
        gri_msg_free(ctx->cache, msg);
        return 0;
    case GR_FULL_STOP:
        GRI_TALLY(ctx, sent);
        gri_bury(ctx, to, msg, GRI_WHY_FULL);
        gri_msg_free(ctx->cache, msg);
        /* relaxed: published by the alert. */
        atomic_store_explicit(&slot->over, gri_over_mark(gri_pid_run(to)),
                              memory_order_relaxed);
        /* It has messages, so it runs and will look. */
        gri_set_alert(slot, gri_pid_run(to), GRI_ALERT_KILL);
        gri_slow_release(ctx, to);
        return 0;
    case GR_FULL_DROP_OLD: /* of the run after `to`: it will find so */
        return gri_lane_send(ctx, to, slot, msg);
    case GR_FULL_REDIRECT:
        return gri_redirect(ctx, to, slot, msg);
    case GR_FULL_FAIL:
        break;
    }
    GRI_TALLY(ctx, refused);
    return GR_EAGAIN;
}

/* The route wishes that the sender wait. */
static void press_far(gri_ctx *ctx, gr_pid to)
{
    if (ctx->pressed == NULL) {
        ctx->pressed = &ctx->sys->slots[0];
        ctx->pressed_far = to;
    }
}

GRI_INLINE int send_far_now(gri_ctx *ctx, gr_pid to, gr_msg *msg)
{
    gr_system *sys = ctx->sys;
    GR_DASSERT(!gri_msg_owns(msg)); /* it was flattened, see moves.c */
    /* acquire: pairs with the release in gri_route_install. */
    const gri_route *route =
        atomic_load_explicit(&sys->route, memory_order_acquire);
    if (route == NULL) {
        return GR_ENOCONN;
    }
    /* relaxed: stored before the route was. */
    void *net = atomic_load_explicit(&sys->net, memory_order_relaxed);
    const int rc = route->deliver(net, ctx->worker, to, msg);
    if (rc < 0) {
        return rc;
    }
    if ((rc & GRI_ROUTE_KEPT) != 0) {
        ctx->kept = true;
    }
    if ((rc & GRI_ROUTE_SLOW) != 0) {
        press_far(ctx, to);
    }
    if ((rc & GRI_ROUTE_TOOK) == 0) {
        gri_msg_free(ctx->cache, msg);
    }
    return 0;
}

__attribute__((noinline)) void gri_settle(gri_ctx *ctx)
{
    gr_system *sys = ctx->sys;
    gr_pid to;
    ctx->kept = false;
    /* relaxed, both: it was the route that has kept something. */
    const gri_route *route =
        atomic_load_explicit(&sys->route, memory_order_relaxed);
    void *net = atomic_load_explicit(&sys->net, memory_order_relaxed);
    if (route->settle(net, ctx->worker, &to) == GRI_ROUTE_SLOW) {
        press_far(ctx, to);
    }
}

/* The same, where it is not what is done most. */
static __attribute__((noinline)) int send_far(gri_ctx *ctx, gr_pid to,
                                              gr_msg *msg)
{
    return send_far_now(ctx, to, msg);
}

/* What is not an actor of this system that lives. Takes msg on 0. */
static __attribute__((noinline)) int send_elsewhere(gri_ctx *ctx, gr_pid to,
                                                    gr_msg *msg)
{
    if (gr_pid_is_nobody(to)) {
        return GR_EINVAL;
    }
    if (gri_is_here(ctx->sys, to) && !gri_is_outside(ctx->sys, to)) {
        GRI_TALLY(ctx, sent);
        gri_bury(ctx, to, msg, GRI_WHY_NOPROC);
        gri_msg_free(ctx->cache, msg);
        return 0;
    }
    ctx->sends++; /* it ends a turn as any other does */
    int rc = send_far_now(ctx, to, msg);
    if (rc == GR_EAGAIN) {
        GRI_TALLY(ctx, refused);
    }
    return rc;
}

static inline uint32_t bound_of(const _Atomic(uint32_t) *bound)
{
    /* relaxed: set before the run was published, see gri_slot_lives. */
    return atomic_load_explicit(bound, memory_order_relaxed);
}

enum {
    LOT = 8 /* messages that a worker counts at once */
};

/*
 * One more message waits for slot. Adding it to inbox.queued is a locked
 * instruction on a line that all senders write. A mailbox with wide bounds does
 * not need to know so exactly: each worker counts for itself, and adds LOT at
 * once. So there may be LOT - 1 more than are counted for each worker.
 */
static inline void count_one(gri_ctx *ctx, gr_actor *slot)
{
    if (ctx->submits == NULL || bound_of(&slot->soft) < GRI_WIDE) {
        gri_inbox_count(&slot->inbox, 1);
        return;
    }
    /* Slots stand one behind the other. */
    gri_uncounted *u =
        &ctx->uncounted[(uintptr_t)slot / sizeof *slot % GRI_UNCOUNTED];
    if (u->slot != slot) {
        if (u->n > 0) {
            gri_inbox_count(&u->slot->inbox, u->n);
        }
        u->slot = slot;
        u->n = 0;
    }
    if (++u->n == LOT) {
        gri_inbox_count(&slot->inbox, LOT);
        u->n = 0;
    }
}

/* The message is accepted. */
static inline void push_user(gri_ctx *ctx, gr_actor *slot, uint32_t run,
                             gr_msg *msg)
{
    gr_msg *before;
    msg->run = run;
    ctx->sends++;
    GRI_TALLY(ctx, sent);
    if (gri_inbox_push_begin(&slot->inbox, msg, &before)) {
        gri_inbox_push_end(before, msg);
        gri_ring(ctx, slot);
    } else {
        msg->flags |= GRI_MSG_COUNTED;
        count_one(ctx, slot);
        gri_inbox_push_end(before, msg);
    }
}

/* The receiver is past its soft bound. Takes msg on 0. *go: it is not past its
 * hard one, and the message is still to be pushed. */
static __attribute__((noinline)) int
send_pressed(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg, bool *go)
{
    if (gri_is_host(ctx->sys) && bound_of(&slot->soft) == 0) {
        *go = false; /* its mailbox is elsewhere, for itself, too */
        return send_far(ctx, to, msg);
    }
    uint32_t soft = gri_soft_of(slot);
    *go = !gri_is_limited(slot) || gri_limit_charge(ctx, to, slot, msg);
    if (!*go) {
        return 0;
    }
    if (soft == 0) { /* no mailbox but one with a ring has such a bound */
        *go = false;
        int rc = gri_lane_send(ctx, to, slot, msg);
        if (rc < 0) {
            gri_limit_discharge(slot, msg);
        }
        return rc;
    }
    uint32_t depth = gri_inbox_depth(&slot->inbox, &slot->outlet, soft);
    *go = depth < gri_hard_of(slot);
    if (!*go) {
        gri_limit_discharge(slot, msg);
        return at_bound(ctx, to, slot, msg);
    }
    if (depth >= soft && ctx->pressed == NULL) {
        ctx->pressed = slot;
        ctx->pressed_run = gri_pid_run(to);
    }
    return 0;
}

int gri_send_user(gri_ctx *ctx, gr_pid to, gr_msg *msg)
{
    gr_system *sys = ctx->sys;
    gr_actor *slot = gri_is_here(sys, to) ? gri_slot_of(sys, to) : NULL;
    uint32_t run = gri_pid_run(to);
    if (slot == NULL || !gri_slot_lives(slot, run)) {
        return send_elsewhere(ctx, to, msg);
    }
    if (gri_inbox_seems_deep(&slot->inbox, bound_of(&slot->soft))) {
        bool go;
        int rc = send_pressed(ctx, to, slot, msg, &go);
        if (!go) {
            return rc;
        }
    }
    push_user(ctx, slot, run, msg);
    return 0;
}

/* Answers are signals to the inbox, and messages to who counts them. */
static bool count_reply(gri_ctx *ctx, const gr_msg *msg)
{
    if (msg->kind == GRI_MSG_REPLY) {
        GRI_TALLY(ctx, sent);
        return !gri_is_host(ctx->sys);
    }
    return true;
}

int gri_send_signal(gri_ctx *ctx, gr_pid to, gr_msg *msg)
{
    gr_system *sys = ctx->sys;
    if (!gri_is_here(sys, to)) {
        int rc = gr_pid_is_nobody(to) ? GR_EINVAL : send_far(ctx, to, msg);
        if (rc < 0) {
            (void)count_reply(ctx, msg);
            gri_bury(ctx, to, msg, GRI_WHY_NOCONNECTION);
            gri_msg_free(ctx->cache, msg);
        }
        return rc;
    }
    /* An answer to oneself goes the way that the question came. */
    const bool near = count_reply(ctx, msg);
    gr_actor *slot = gri_slot_of(sys, to);
    if (slot == NULL || !gri_slot_lives(slot, gri_pid_run(to)) || !near) {
        if ((!near || gri_is_outside(sys, to)) && send_far(ctx, to, msg) == 0) {
            return 0;
        }
        gri_bury(ctx, to, msg, GRI_WHY_NOPROC);
        gri_msg_free(ctx->cache, msg);
        return 0;
    }
    msg->run = gri_pid_run(to);
    gri_push(ctx, slot, msg, false);
    return 0;
}

int gri_send_new_signal(gri_ctx *ctx, gr_pid from, gr_pid to, gri_msg_kind kind,
                        uint64_t ref)
{
    /* Who is killed, or waits in a circle, may be woken by nothing else. */
    const bool sure = kind == GRI_MSG_KILL || kind == GRI_MSG_ROOM;
    gr_msg *msg = sure ? gri_msg_signal_sure(ctx->cache, kind, NULL, 0)
                       : gri_msg_signal(ctx->cache, kind, NULL, 0);
    if (msg == NULL) {
        return GR_ENOMEM;
    }
    msg->from = from;
    gri_msg_trailer(msg)->ref = ref;
    gri_send_signal(ctx, to, msg);
    return 0;
}

/* ---- what the macros call ------------------------------------------------ */

gri_writer gri_begin(gr_actor *self, uint32_t n, uint32_t room)
{
    return gri_builder_begin_short(&self->ctx->builder, n, room);
}

gri_writer gri_put(gr_actor *self, uint8_t *p, const gr_value *v)
{
    return gri_builder_put(&self->ctx->builder, p, v);
}

gri_writer gri_put_int(gr_actor *self, uint8_t *p, uint64_t x, uint32_t kind)
{
    return gri_builder_put_int_short(&self->ctx->builder, p, x, kind);
}

gri_writer gri_put_pid_value(gr_actor *self, uint8_t *p, uint64_t node,
                             uint64_t id)
{
    return gri_builder_put_pid_short(&self->ctx->builder, p, node, id);
}

/* What send_built leaves to others: a receiver that is far, dead or pressed. */
static __attribute__((noinline)) int send_unusual(gr_actor *self, uint64_t node,
                                                  uint64_t id, gr_msg *msg)
{
    const gr_pid to = {node, id};
    const uint32_t bytes = msg->len;
    int rc = gri_is_here(self->ctx->sys, to)
                 ? gri_send_user(self->ctx, to, msg)
                 : send_elsewhere(self->ctx, to, msg);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
    } else {
        gri_account_out(self, bytes);
    }
    return rc;
}

/*
 * Sends what self has built; takes it. Most messages pass here: to an actor of
 * this node that lives and can follow. The same as send_unusual, but with one
 * way out for all that is not so, and the address in two registers.
 */
GRI_INLINE int send_built(gr_actor *self, uint64_t node, uint64_t id,
                          gr_msg *msg)
{
    gri_ctx *ctx = self->ctx;
    gr_system *sys = ctx->sys;
    const uint32_t run = (uint32_t)(id >> 32);
    const uint32_t index = (uint32_t)id;
    gr_actor *slot = &sys->slots[index];
    /* Who presses one receiver in this turn is slowed down anyway. */
    const _Atomic(uint32_t) *bound =
        ctx->pressed == NULL ? &slot->soft : &slot->hard;
    msg->from = gri_pid_of(self);
    /* Slot 0 is nobody's, and its run 0. acquire: as in gri_slot_of. */
    if (__builtin_expect(
            node == sys->node &&
                index < atomic_load_explicit(&sys->slots_ready,
                                             memory_order_acquire) &&
                gri_slot_lives(slot, run) &&
                !gri_inbox_seems_deep(&slot->inbox, bound_of(bound)),
            1)) {
        gri_account_out(self, msg->len);
        push_user(ctx, slot, run, msg);
        return 0;
    }
    return send_unusual(self, node, id, msg);
}

/* What failed before, or has blobs. */
static __attribute__((noinline)) int commit_moves(gr_actor *self, gr_pid to,
                                                  const uint8_t *p)
{
    (void)gri_builder_end(&self->ctx->builder, p); /* gives no message */
    return gri_send_moves(self, to, 0);
}

int gri_commit(gr_actor *self, gr_pid to, uint8_t *p)
{
    gri_builder *b = &self->ctx->builder;
    if (p == NULL || b->extras != 0) { /* it was begun without a trailer */
        return commit_moves(self, to, p);
    }
    return send_built(self, to.node, to.id, gri_builder_end(b, p));
}

/* What gri_build_short leaves to others. */
static __attribute__((noinline)) int send_packed(gr_actor *self, gr_pid to,
                                                 uint64_t tag,
                                                 uint64_t tag_rest, uint64_t x,
                                                 uint32_t n)
{
    const uint64_t bytes[] = {htole64(tag), htole64(tag_rest)};
    const gr_value values[] = {
        {.kind = GR_KIND_STR,
         .len = tag & GRI_FIXSTR_MAX,
         .as.p = (const char *)bytes + 1}, /* behind its head */
        {.kind = GR_KIND_UINT, .as.u = x},
    };
    return gr_sendv(self, to, values, n);
}

/* While the message is built the receiver's line may come from another
 * processor. Any address will do, so nothing of `id` is checked. */
static inline void prepare(const gr_actor *self, uint64_t id)
{
    const uintptr_t slots = (uintptr_t)self->ctx->sys->slots;
    gri_prefetch_write((const void *)(slots + (uint32_t)id * sizeof(gr_actor)));
}

int gri_send_tag(gr_actor *self, uint64_t node, uint64_t id, uint64_t tag,
                 uint64_t tag_rest)
{
    prepare(self, id);
    gr_msg *msg = gri_build_short(&self->ctx->builder, tag, tag_rest, false, 0);
    return msg != NULL
               ? send_built(self, node, id, msg)
               : send_packed(self, (gr_pid){node, id}, tag, tag_rest, 0, 1);
}

int gri_send_int(gr_actor *self, uint64_t node, uint64_t id, uint64_t tag,
                 uint64_t tag_rest, uint64_t x)
{
    prepare(self, id);
    gr_msg *msg = gri_build_short(&self->ctx->builder, tag, tag_rest, true, x);
    return msg != NULL
               ? send_built(self, node, id, msg)
               : send_packed(self, (gr_pid){node, id}, tag, tag_rest, x, 2);
}

int gr_sendv(gr_actor *self, gr_pid to, const gr_value *values, uint32_t n)
{
    if (n == 0) {
        return GR_EINVAL; /* a message has a tag */
    }
    gr_msg *msg = gri_pack_moves(&self->ctx->builder, values, n, false);
    return msg == NULL ? gri_send_moves(self, to, 0)
                       : send_built(self, to.node, to.id, msg);
}

void gr_tellv(gr_actor *self, gr_pid to, const gr_value *values, uint32_t n)
{
    gri_ctx *ctx = self->ctx;
    gri_moves moves = {.first = NULL};
    gr_msg *msg =
        n == 0 ? NULL : gri_pack_moves(&ctx->builder, values, n, false);
    if (msg == NULL && n > 0 && ctx->builder.rc == GRI_MOVES) {
        msg = gri_moves_begin(self, to, &moves);
    }
    if (msg == NULL) {
        gri_bury_unsent(ctx, to, gri_pid_of(self));
        gri_moves_drop(self, values, n);
        return;
    }
    msg->from = gri_pid_of(self);
    gri_account_out(self, msg->len); /* a dead letter is accepted, too */
    int rc = gri_send_user(ctx, to, msg);
    if (moves.flat) {
        gri_moves_end(self, &moves, msg, 0); /* whatever becomes of the copy */
    }
    if (rc < 0) {
        GRI_TALLY(ctx, sent);
        gri_bury(ctx, to, msg,
                 rc == GR_EAGAIN    ? GRI_WHY_FULL
                 : rc == GR_ENOCONN ? GRI_WHY_NOCONNECTION
                                    : GRI_WHY_REFUSED);
        gri_msg_free(ctx->cache, msg);
    }
}

static int forward(gr_actor *self, gr_pid to, gr_msg *msg)
{
    gri_ctx *ctx = self->ctx;
    const bool owns = gri_msg_owns(msg);
    gr_msg *copy = owns ? gri_forward_begin(self, to, msg)
                        : gri_msg_signal(ctx->cache, GRI_MSG_USER,
                                         gri_msg_data(msg), msg->len);
    if (copy == NULL) {
        return GR_ENOMEM;
    }
    copy->from = msg->from;
    copy->flags |= msg->flags & (GRI_MSG_NO_REPORT | GRI_MSG_ASKED);
    gri_msg_trailer(copy)->ref = gr_msg_asked(msg) ? gri_msg_ref(msg) : 0;
    if (gri_is_host(ctx->sys) && (msg->flags & GRI_MSG_TRAILER) != 0) {
        gri_msg_trailer(copy)->extra = gri_msg_trail(msg)->extra;
    }
    const uint32_t bytes = copy->len;
    int rc = gri_send_user(ctx, to, copy);
    if (owns) {
        gri_forward_end(self, to, msg, copy, rc);
    }
    if (rc < 0) {
        gri_msg_free(ctx->cache, copy);
        return rc;
    }
    gri_account_out(self, bytes);
    /* The duty to answer went with the copy. */
    msg->flags &= (uint16_t)~GRI_MSG_ASKED;
    return 0;
}

int gr_forward(gr_actor *self, gr_pid to, const gr_msg *msg)
{
    gri_ctx *ctx = self->ctx;
    bool asked = gr_msg_asked(msg);
    if (!asked && msg->kind == GRI_MSG_USER && gri_msg_ref(msg) != 0) {
        return GR_EINVAL; /* it has a ref, so it was asked once */
    }
    /* The message is the runtime's own block: const is a promise to the
     * program. */
    gr_msg *original = (gr_msg *)(uintptr_t)msg;
    if (asked && !gri_wait_passed(ctx, msg->from, gri_msg_ref(msg), to)) {
        gri_answer_status(ctx, original, GR_EDEADLOCK);
        return 0;
    }
    int rc = forward(self, to, original);
    if (rc < 0 && asked) { /* the question is still with us */
        (void)gri_wait_passed(ctx, msg->from, gri_msg_ref(msg),
                              gri_pid_of(self));
    }
    return rc;
}

/* ---- what came with a message -------------------------------------------- */

gr_pid gr_sender(const gr_msg *msg)
{
    return msg->from;
}

bool gr_msg_asked(const gr_msg *msg)
{
    return (msg->flags & GRI_MSG_ASKED) != 0;
}

int gr_msg_status(const gr_msg *msg)
{
    return msg->kind == GRI_MSG_REPLY || msg->kind == GRI_MSG_ASK_TIMEOUT
               ? (int)gri_msg_trail(msg)->extra
               : 0;
}
