/*
 * actors/ask.c - questions and answers.
 *
 * An asked message is a token: whoever holds it owes one answer to its
 * trailer.ref at its sender. Replying or forwarding passes the duty on;
 * whatever else ends the message (a dead receiver, a handler that returns, a
 * release, an exit) answers with an error. So a dead callee answers at once,
 * without a monitor for each ask. The asker keeps its open refs in a map of its
 * own: an answer that finds no entry came late, is counted, and is nothing.
 */
#include <stdlib.h>

#include "actors/account.h"
#include "actors/circle.h"
#include "actors/guard.h"
#include "actors/internal.h"
#include "actors/jobs.h"
#include "actors/limits.h"
#include "mailbox/reserve.h"

typedef struct gri_ask {
    gri_timer timer; /* its payload is an ASK_TIMEOUT message, or none */
    gr_continuation then;
    gr_job *job; /* that will answer, or NULL */
} gri_ask;

gr_msg *gri_status_reply(gri_cache *cache, uint64_t ref, int status)
{
    /* A payload of [nil], so that every answer is an array with a tag. */
    static const uint8_t nothing[] = {0x91, 0xc0};
    gr_msg *msg =
        gri_msg_signal_sure(cache, GRI_MSG_REPLY, nothing, sizeof nothing);
    if (msg != NULL) {
        gri_msg_trailer(msg)->ref = ref;
        gri_msg_trailer(msg)->extra = status;
    }
    return msg;
}

/* ---- answering ------------------------------------------------------------
 */

static gr_msg *mutable_msg(const gr_msg *msg)
{
    /* The runtime's own block: const is a promise to the program. */
    return (gr_msg *)(uintptr_t)msg;
}

static int send_reply(gr_actor *self, const gr_msg *msg, gr_msg *reply)
{
    reply->kind = GRI_MSG_REPLY;
    reply->from = gri_pid_of(self);
    gri_msg_trailer(reply)->ref = gri_msg_ref(msg);
    const uint32_t bytes = reply->len;
    if (gri_behavior(self) == NULL) { /* nobody has an edge to any other */
        gri_wait_answered(self->ctx, msg->from, gri_msg_ref(msg));
    }
    int rc = gri_send_signal(self->ctx, msg->from, reply);
    if (rc < 0 && rc != GR_ENOCONN) {
        return rc; /* nothing was sent: the duty stays */
    }
    gri_account_out(self, bytes);
    /* An asker whose node is lost is as one that has ended: the answer is late,
     * and whoever gave it has done nothing wrong. */
    mutable_msg(msg)->flags &= (uint16_t)~GRI_MSG_ASKED;
    return 0;
}

/* No reply was made, or one with blobs. */
static __attribute__((noinline)) int reply_moves(gr_actor *self,
                                                 const gr_msg *msg)
{
    gri_moves moves;
    gr_msg *reply = self->ctx->builder.rc == GRI_MOVES
                        ? gri_moves_begin(self, msg->from, &moves)
                        : NULL;
    if (reply == NULL) {
        return self->ctx->builder.rc;
    }
    /* An error comes from far only, and has freed the flat copy. */
    int rc = send_reply(self, msg, reply);
    gri_moves_end(self, &moves, reply, rc);
    return rc;
}

int gr_replyv(gr_actor *self, const gr_msg *msg, const gr_value *values,
              uint32_t n)
{
    if (!gr_msg_asked(msg) || n == 0) {
        return GR_EINVAL;
    }
    gr_msg *reply = gri_pack_moves(&self->ctx->builder, values, n, true);
    return reply == NULL ? reply_moves(self, msg)
                         : send_reply(self, msg, reply);
}

int gri_reply_with(gr_actor *self, const gr_msg *msg, gr_msg *reply)
{
    if (!gr_msg_asked(msg)) {
        gri_msg_free(self->ctx->cache, reply);
        return GR_EINVAL;
    }
    return send_reply(self, msg, reply);
}

int gr_reply_error(gr_actor *self, const gr_msg *msg, int code,
                   const char *text)
{
    if (!gr_msg_asked(msg) || code >= 0) {
        return GR_EINVAL;
    }
    gr_value values[] = {
        gr_strn("gr.error", 8),
        {.kind = GR_KIND_INT, .as.i = code},
        text != NULL ? gr_strn(text, strlen(text)) : gr_nil(),
    };
    gr_msg *reply = gri_pack(&self->ctx->builder, values, 3, true);
    if (reply == NULL) {
        return self->ctx->builder.rc;
    }
    gri_msg_trailer(reply)->extra = code;
    return send_reply(self, msg, reply);
}

void gri_after_handler(gr_actor *self, gr_msg *msg)
{
    const bool lent = (msg->flags & GRI_MSG_LENT) != 0;
    if (lent) {
        gri_lent_end(self->ctx);
    }
    if ((msg->flags & (GRI_MSG_ASKED | GRI_MSG_KEPT | GRI_MSG_SAVED)) ==
        GRI_MSG_ASKED) {
        gri_answer_status(self->ctx, msg, GR_ENOREPLY);
    }
    if (lent) {
        msg->flags &= (uint16_t)~GRI_MSG_LENT;
        if (gri_is_host(self->sys)) {
            gri_hosted_after(self, msg);
        }
    }
}

/* ---- keeping ---------------------------------------------------------------
 */

/* Off the inbox, a kept message stands in a doubly linked list: `link` leads to
 * the next, `next` (whose work in the inbox is done) to the one before. */
static gr_msg *before(gr_msg *msg)
{
    /* relaxed: the consumer's own by now. */
    return atomic_load_explicit(&msg->next, memory_order_relaxed);
}

static void set_before(gr_msg *msg, gr_msg *to)
{
    atomic_store_explicit(&msg->next, to, memory_order_relaxed); /* as above */
}

void gri_kept_add(gr_actor *self, gr_msg *msg)
{
    gri_ext *ext = self->ext;
    msg->link = ext->kept;
    set_before(msg, NULL);
    if (ext->kept != NULL) {
        set_before(ext->kept, msg);
    }
    ext->kept = msg;
}

const gr_msg *gr_keep(gr_actor *self, const gr_msg *msg)
{
    gr_msg *m = mutable_msg(msg);
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL) {
        return NULL;
    }
    if ((m->flags & GRI_MSG_KEPT) != 0) {
        return msg;
    }
    if (gri_is_stashed(self, m) || !gri_has_room(self, gri_kept_size(m))) {
        return NULL;
    }
    gri_ext_use(ext, gri_kept_size(m));
    m->flags |= GRI_MSG_KEPT;
    /* It goes into the list when it leaves its place in the inbox (gri_next),
     * or a thread actor's hand (thread.c). */
    return msg;
}

void gr_release(gr_actor *self, const gr_msg *kept)
{
    gr_msg *m = mutable_msg(kept);
    if (m == NULL || (m->flags & GRI_MSG_KEPT) == 0) {
        return;
    }
    gri_answer_status(self->ctx, m, GR_ENOREPLY);
    if (gri_is_host(self->sys)) {
        gri_hosted_released(self, m);
    }
    gri_ext_use(self->ext, 0 - gri_kept_size(m));
    m->flags &= (uint16_t)~GRI_MSG_KEPT;
    if (m == self->outlet.head || m == self->ctx->current ||
        (m->flags & GRI_MSG_SAVED) != 0) {
        return; /* not in the list yet: it is freed where it stands */
    }
    if (m->link != NULL) {
        set_before(m->link, before(m));
    }
    if (before(m) != NULL) {
        before(m)->link = m->link;
    } else {
        self->ext->kept = m->link;
    }
    gri_msg_free(self->ctx->cache, m);
}

/* One that a proxy has kept for its process, which did not handle it, has the
 * mark of what is put aside. */
static void end_kept(gr_actor *self, gr_msg *msg)
{
    if (gri_is_proxy(self) && (msg->flags & GRI_MSG_SAVED) != 0) {
        msg->flags &= (uint16_t)~GRI_MSG_SAVED;
        GRI_UNTALLY(self->ctx, handled);
        gri_bury(self->ctx, gri_pid_of(self), msg, GRI_WHY_NOPROC);
    } else {
        gri_answer_status(self->ctx, msg, GR_ENOPROC);
    }
}

void gri_kept_end(gr_actor *self)
{
    gr_msg *head = self->outlet.head;
    gr_msg *msg = self->ext->kept;
    while (msg != NULL && msg->link != NULL) {
        msg = msg->link;
    }
    while (msg != NULL) { /* the oldest first */
        gr_msg *next = before(msg);
        end_kept(self, msg);
        gri_msg_free(self->ctx->cache, msg);
        msg = next;
    }
    self->ext->kept = NULL;
    if ((head->flags & GRI_MSG_KEPT) != 0) {
        end_kept(self, head);
        head->flags &= (uint16_t)~GRI_MSG_KEPT;
    }
}

/* ---- asking ----------------------------------------------------------------
 */

int gri_send_asked(gr_actor *self, gr_pid to, uint64_t ref, gr_msg *msg)
{
    msg->from = gri_pid_of(self);
    msg->flags |= GRI_MSG_ASKED;
    gri_msg_trailer(msg)->ref = ref;
    const uint32_t bytes = msg->len;
    int rc = gri_send_user(self->ctx, to, msg);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
    } else {
        gri_account_out(self, bytes);
    }
    return rc;
}

/* Sends the question. On an error nothing was sent. */
int gri_send_ask(gr_actor *self, gr_pid to, uint64_t ref,
                 const gr_value *values, uint32_t n)
{
    gri_ctx *ctx = self->ctx;
    if (n == 0) {
        return GR_EINVAL;
    }
    gr_msg *msg = gri_pack_moves(&ctx->builder, values, n, true);
    if (msg == NULL) {
        return gri_send_moves(self, to, ref);
    }
    return gri_send_asked(self, to, ref, msg);
}

static int arm_deadline(gr_actor *self, gri_ask *ask, uint64_t ref,
                        int64_t timeout_ms)
{
    if (timeout_ms < 0) {
        return 0;
    }
    static const uint8_t nothing[] = {0x91, 0xc0};
    gr_msg *msg = gri_msg_signal(self->ctx->cache, GRI_MSG_ASK_TIMEOUT, nothing,
                                 sizeof nothing);
    if (msg == NULL) {
        return GR_ENOMEM;
    }
    gri_msg_trailer(msg)->ref = ref;
    gri_msg_trailer(msg)->extra = GR_ETIMEOUT;
    int rc = gri_arm_message(self, &ask->timer,
                             gri_deadline(&self->sys->clock, timeout_ms), msg);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
    }
    return rc;
}

/* It is in the map no more: ends what it has. */
static void close_ask(gri_ctx *ctx, gri_ask *ask)
{
    if (gri_timer_disarm(&ask->timer)) {
        gri_msg_free(ctx->cache, ask->timer.payload);
    }
    if (ask->job != NULL) {
        gri_job_let_go(ctx, ask->job);
    }
}

/* Takes an ask out of the map and ends its deadline. */
static gri_ask *take_ask(gr_actor *self, uint64_t ref)
{
    gri_ask *ask = self->ext == NULL
                       ? NULL
                       : gri_map_remove(&self->ext->asks, (gri_key){ref, 0});
    if (ask != NULL) {
        close_ask(self->ctx, ask);
    }
    return ask;
}

int gri_ask_open(gr_actor *self, int64_t timeout_ms, gr_continuation then,
                 uint64_t *ref_out)
{
    if (then.fn == NULL || timeout_ms == 0 || timeout_ms < GR_FOREVER) {
        return GR_EINVAL;
    }
    if (gri_behavior(self) == NULL) {
        return GR_ENOTSUP; /* a thread actor waits: gr_call */
    }
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL) {
        return GR_ENOMEM;
    }
    if (ext->asks.count >= self->sys->opts.asks_max) {
        return GR_ELIMIT;
    }
    gri_ask *ask = calloc(1, sizeof *ask);
    if (ask == NULL) {
        return GR_ENOMEM;
    }
    ask->then = then;
    uint64_t ref = gri_new_ref(self->ctx);
    int rc = gri_map_put(&ext->asks, (gri_key){ref, 0}, ask);
    if (rc < 0) {
        free(ask);
        return rc;
    }
    rc = arm_deadline(self, ask, ref, timeout_ms);
    if (rc < 0) {
        free(take_ask(self, ref));
        return rc;
    }
    *ref_out = ref;
    return 0;
}

void gri_ask_of_job(gr_actor *self, uint64_t ref, gr_job *job)
{
    if (job == NULL) {
        free(take_ask(self, ref));
        return;
    }
    gri_ask *ask = gri_map_get(&self->ext->asks, (gri_key){ref, 0});
    ask->job = job;
}

int gr_askv(gr_actor *self, gr_pid to, int64_t timeout_ms, gr_continuation then,
            const gr_value *values, uint32_t n)
{
    uint64_t ref;
    GR_TRY(gri_ask_open(self, timeout_ms, then, &ref));
    int rc = gri_send_ask(self, to, ref, values, n);
    if (rc < 0) {
        free(take_ask(self, ref));
    }
    return rc;
}

int gri_ask_with(gr_actor *self, gr_pid to, int64_t timeout_ms,
                 gr_continuation then, gr_msg *msg)
{
    uint64_t ref;
    int rc = gri_ask_open(self, timeout_ms, then, &ref);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
        return rc;
    }
    rc = gri_send_asked(self, to, ref, msg);
    if (rc < 0) {
        free(take_ask(self, ref));
    }
    return rc;
}

GRI_CALLS_ACTORS static __attribute__((noinline)) void
continue_with(gr_actor *self, gri_ask *ask, gr_msg *msg)
{
    gr_continuation then = ask->then;
    free(ask);
    self->ctx->current = msg;
    gri_count_callback(self->ctx);
    /* The token stands where the ref was: the ref's work is done. */
    gri_msg_trailer(msg)->ref = then.token;
    int rc = then.fn(self, self->state, msg);
    gri_lent_end(self->ctx);
    if (rc < 0) {
        gri_exit_error(self, rc, "continuation");
    }
}

/* The same in a process, of what did not come from outside. */
GRI_CALLS_ACTORS static __attribute__((noinline)) void
continue_own(gr_actor *self, gri_ask *ask, gr_msg *msg)
{
    gri_hosted_begins(self, NULL);
    continue_with(self, ask, msg);
    gri_hosted_after(self, NULL);
}

uint64_t gr_msg_token(const gr_msg *msg)
{
    return msg->kind == GRI_MSG_REPLY || msg->kind == GRI_MSG_ASK_TIMEOUT
               ? gri_msg_ref(msg)
               : 0;
}

gri_take gri_on_reply(gr_actor *self, gr_msg *msg)
{
    if (gri_behavior(self) == NULL) {
        return GRI_TAKE_GIVE; /* thread.c knows what it waits for */
    }
    gri_ask *ask = take_ask(self, gri_msg_ref(msg));
    if (ask == NULL) {
        GRI_TALLY(self->ctx, late_replies);
        return GRI_TAKE_DONE;
    }
    GRI_TALLY(self->ctx, handled);
    gri_account_in(self, msg);
    if (gri_is_host(self->sys) && (msg->flags & GRI_MSG_LENT) == 0) {
        continue_own(self, ask, msg); /* a job's */
    } else {
        continue_with(self, ask, msg);
    }
    return GRI_TAKE_DONE;
}

gri_take gri_on_ask_timeout(gr_actor *self, gr_msg *msg)
{
    gri_ask *ask = take_ask(self, gri_msg_ref(msg));
    if (ask != NULL) { /* else it was answered while this was on its way */
        if (gri_is_host(self->sys)) {
            continue_own(self, ask, msg);
        } else {
            continue_with(self, ask, msg);
        }
    }
    return GRI_TAKE_DONE;
}

void gri_asks_end(gr_actor *self)
{
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&self->ext->asks, &at)) != NULL;) {
        close_ask(self->ctx, e->value);
        free(e->value);
    }
}
