/*
 * actors/room.c - a thread actor waits at a full mailbox until there is room.
 *
 * It puts a WAITER into the receiver's inbox, behind what waits there, and
 * sleeps as in any other wait. Whoever takes the WAITER out (the receiver, or
 * who buries its mail) sends a ROOM back; then the thread tries again. The ROOM
 * is made beforehand and travels with the WAITER, so that to tell needs no
 * memory. A receiver that is a thread itself, and waits for something else,
 * saves the WAITER behind the messages that it saves: they still fill the
 * mailbox.
 *
 * A wait that ends early leaves its WAITER behind. So the thread remembers whom
 * it has asked, and asks nobody twice at a time: the receiver holds at most one
 * WAITER of each thread.
 */
#include "actors/circle.h"

static gri_key key_of(uint64_t id)
{
    return (gri_key){id, 0};
}

/* Whether `to` is still to tell. */
static bool is_awaited(const gr_actor *self, gr_pid to)
{
    return gri_map_get(&self->ext->thread->rooms, key_of(to.id)) != NULL;
}

/* A WAITER with its ROOM; NULL: no memory. */
static gr_msg *new_waiter(gri_ctx *ctx, gr_pid from, gr_pid to)
{
    gr_msg *waiter = gri_msg_signal(ctx->cache, GRI_MSG_WAITER, NULL, 0);
    gr_msg *room = gri_msg_signal(ctx->cache, GRI_MSG_ROOM, NULL, 0);
    if (waiter == NULL || room == NULL) {
        if (waiter != NULL) {
            gri_msg_free(ctx->cache, waiter);
        }
        if (room != NULL) {
            gri_msg_free(ctx->cache, room);
        }
        return NULL;
    }
    waiter->from = from;
    room->from = to;
    /* Both are blocks of the pool, which frees what nobody reaches. */
    gri_msg_trailer(waiter)->extra = (int64_t)(intptr_t)room;
    return waiter;
}

/* Asks a local receiver, unless that is done already. Errors: GR_ENOMEM. */
static int ask_for_room(gr_actor *self, gr_pid to)
{
    gri_thread *thread = self->ext->thread;
    if (is_awaited(self, to)) {
        return 0;
    }
    gr_msg *waiter = new_waiter(self->ctx, gri_pid_of(self), to);
    if (waiter == NULL) {
        return GR_ENOMEM;
    }
    int rc = gri_map_put(&thread->rooms, key_of(to.id), thread);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache,
                     (gr_msg *)(intptr_t)gri_msg_trail(waiter)->extra);
        gri_msg_free(self->ctx->cache, waiter);
        return rc;
    }
    return gri_send_signal(self->ctx, to, waiter); /* local: does not fail */
}

/* ---- what signals bring ---- */

void gri_room_reached(gri_ctx *ctx, gr_msg *msg)
{
    gr_msg *room = (gr_msg *)(intptr_t)gri_msg_trail(msg)->extra;
    gri_send_signal(ctx, msg->from, room);
}

gri_take gri_on_room_signal(gr_actor *self, gr_msg *msg)
{
    if (msg->kind == GRI_MSG_ROOM) { /* only threads are told */
        (void)gri_map_remove(&self->ext->thread->rooms, key_of(msg->from.id));
        return GRI_TAKE_GIVE;
    }
    if (gri_behavior(self) == NULL) {
        return GRI_TAKE_GIVE; /* thread.c knows what waits before it */
    }
    gri_room_reached(self->ctx, msg);
    return GRI_TAKE_DONE;
}

/* ---- the wait ---- */

/* Until the mailbox of `to` has had its chance to have room. */
static int wait_room(gr_actor *self, gr_pid to, int64_t deadline_ns)
{
    int rc = gri_wait_begin(self, to, gri_new_ref(self->ctx),
                            &(gri_wait_for){.room = true});
    if (rc == 0) {
        rc = ask_for_room(self, to);
    }
    while (rc == 0 && is_awaited(self, to)) {
        rc = gri_thread_save_next(self, deadline_ns);
        if (rc == 0) {
            rc = gri_wait_look(self, to); /* we may have been told to */
        }
    }
    gri_wait_end(self);
    return rc;
}

/* Sends msg, which it takes on 0. */
static int send_or_wait(gr_actor *self, gr_pid to, int64_t timeout_ms,
                        gr_msg *msg)
{
    gri_ctx *ctx = self->ctx;
    int64_t deadline_ns = 0;
    for (bool waited = false;; waited = true) {
        int rc = gri_send_user(ctx, to, msg);
        if (rc != GR_EAGAIN || !gri_is_here(self->sys, to)) {
            return rc;
        }
        GRI_UNTALLY(ctx, refused); /* not to the program */
        if (timeout_ms == 0) {
            return GR_ETIMEOUT;
        }
        if (!waited) {
            GRI_TALLY(ctx, slowed);
            deadline_ns = gri_deadline(&self->sys->clock, timeout_ms);
        }
        rc = wait_room(self, to, deadline_ns);
        if (rc == GR_EDEADLOCK) {
            /* The receiver waits for us. But it may have made room before that,
             * and makes no more now: so this look is the last one. */
            rc = gri_send_user(ctx, to, msg);
            if (rc == GR_EAGAIN) {
                GRI_UNTALLY(ctx, refused); /* as above */
                gri_wait_told(self);
                rc = GR_EDEADLOCK;
            }
            return rc;
        }
        GR_TRY(rc);
    }
}

int gr_send_waitv(gr_actor *self, gr_pid to, int64_t timeout_ms,
                  const gr_value *values, uint32_t n)
{
    gri_ctx *ctx = self->ctx;
    if (gri_behavior(self) != NULL) {
        return GR_ENOTSUP;
    }
    if (n == 0 || timeout_ms < GR_FOREVER || gr_pid_eq(to, gri_pid_of(self))) {
        return GR_EINVAL;
    }
    gri_moves moves;
    gr_msg *msg = gri_moves_pack(self, to, values, n, &moves);
    if (msg == NULL) {
        return ctx->builder.rc;
    }
    gri_thread_end_given(self); /* not before: values may be borrowed from it */
    const uint32_t bytes = msg->len;
    int rc = send_or_wait(self, to, timeout_ms, msg);
    gri_moves_sent(self, &moves, msg, bytes, rc);
    return rc;
}
