/*
 * actors/confirm.c - sends whose sender learns that the message is in the
 * receiver's mailbox, or why it is not.
 *
 * Of a local receiver that is known when the send returns (confirm.h). A thread
 * actor is told at once; a handler actor as one that has asked, by an answer
 * that it sends to itself, so that its continuation runs in a turn of its own
 * wherever the receiver is. To another node the message travels as a kind of
 * its own, with the ref that its answer has; it becomes a plain one there.
 */
#include "actors/confirm.h"

#include "actors/jobs.h"
#include "actors/thread.h"

/* Its mailbox is not in this process. */
static bool is_far(const gr_actor *self, gr_pid to)
{
    return !gri_is_here(self->sys, to) || gri_is_host(self->sys);
}

/* As gri_moves_pack, with a trailer. */
static gr_msg *pack(gr_actor *self, gr_pid to, const gr_value *values,
                    uint32_t n, gri_moves *moves)
{
    gri_builder *b = &self->ctx->builder;
    *moves = (gri_moves){NULL, false};
    gr_msg *msg = gri_pack_moves(b, values, n, true);
    if (msg == NULL && b->rc == GRI_MOVES) {
        msg = gri_moves_begin(self, to, moves);
    }
    if (msg != NULL) {
        msg->from = gri_pid_of(self);
    }
    return msg;
}

/* Takes msg. ref: of the answer that is to come from afar; or 0, and *fate is
 * what became of it here. On an error nothing was sent. */
static int send(gr_actor *self, gr_pid to, gri_moves *moves, gr_msg *msg,
                uint64_t ref, int *fate)
{
    gri_ctx *ctx = self->ctx;
    const uint32_t bytes = msg->len;
    if (ref != 0) {
        msg->kind = GRI_MSG_CONFIRM;
        gri_msg_trailer(msg)->ref = ref;
    }
    gri_trace_begin(ctx, msg);
    int rc = gri_send_user(ctx, to, msg);
    *fate = gri_trace_end(ctx);
    gri_moves_sent(self, moves, msg, bytes, rc);
    return rc;
}

/* ---- handler actors ------------------------------------------------------ */

/* The same, and the open ask `ref` will be answered. */
static int send_then(gr_actor *self, gr_pid to, gri_moves *moves, gr_msg *msg,
                     uint64_t ref)
{
    gri_ctx *ctx = self->ctx;
    int fate;
    if (is_far(self, to)) {
        return send(self, to, moves, msg, ref, &fate);
    }
    /* First: what was sent can not be taken back. */
    gr_msg *answer = gri_status_reply(ctx->cache, ref, 0);
    if (answer == NULL) {
        gri_moves_sent(self, moves, msg, 0, GR_ENOMEM);
        return GR_ENOMEM;
    }
    int rc = send(self, to, moves, msg, 0, &fate);
    if (rc < 0) {
        gri_msg_free(ctx->cache, answer);
        return rc;
    }
    gri_msg_trailer(answer)->extra = fate;
    return gri_send_signal(ctx, gri_pid_of(self), answer); /* local: 0 */
}

int gr_send_thenv(gr_actor *self, gr_pid to, int64_t timeout_ms,
                  gr_continuation then, const gr_value *values, uint32_t n)
{
    uint64_t ref;
    gri_moves moves;
    if (n == 0) {
        return GR_EINVAL; /* a message has a tag */
    }
    GR_TRY(gri_ask_open(self, timeout_ms, then, &ref));
    gr_msg *msg = pack(self, to, values, n, &moves);
    int rc = msg != NULL ? send_then(self, to, &moves, msg, ref)
                         : self->ctx->builder.rc;
    if (rc < 0) {
        gri_ask_of_job(self, ref, NULL);
    }
    return rc;
}

int gri_confirm_with(gr_actor *self, gr_pid to, gr_continuation then,
                     gr_msg *msg)
{
    uint64_t ref;
    gri_moves moves = {NULL, false};
    int rc = gri_ask_open(self, GR_FOREVER, then, &ref);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
        return rc;
    }
    msg->from = gri_pid_of(self);
    rc = send_then(self, to, &moves, msg, ref);
    if (rc < 0) {
        gri_ask_of_job(self, ref, NULL);
    }
    return rc;
}

/* ---- thread actors ------------------------------------------------------- */

static int wait_answer(gr_actor *self, int64_t deadline_ns, uint64_t ref)
{
    gr_msg *answer; /* ends when the next message is taken from the inbox */
    GR_TRY(gri_thread_wait_answer(self, deadline_ns, ref, &answer));
    return gr_msg_status(answer);
}

int gr_send_surev(gr_actor *self, gr_pid to, int64_t timeout_ms,
                  const gr_value *values, uint32_t n)
{
    gri_ctx *ctx = self->ctx;
    gri_moves moves;
    int fate;
    if (gri_behavior(self) != NULL) {
        return GR_ENOTSUP;
    }
    if (n == 0 || timeout_ms == 0 || timeout_ms < GR_FOREVER) {
        return GR_EINVAL;
    }
    gr_msg *msg = pack(self, to, values, n, &moves);
    if (msg == NULL) {
        return ctx->builder.rc;
    }
    gri_thread_end_given(self); /* not before: values may be borrowed from it */
    const int64_t deadline_ns = gri_deadline(&self->sys->clock, timeout_ms);
    const uint64_t ref = is_far(self, to) ? gri_new_ref(ctx) : 0;
    GR_TRY(send(self, to, &moves, msg, ref, &fate));
    return ref == 0 ? fate : wait_answer(self, deadline_ns, ref);
}

/* ---- from other nodes ---------------------------------------------------- */

gr_msg *gri_confirm_begin(gri_ctx *ctx, gr_msg *msg)
{
    gr_msg *answer = gri_status_reply(ctx->cache, gri_msg_ref(msg), 0);
    /* As if it had been sent by gr_send: nobody is to see a question in it. */
    msg->kind = GRI_MSG_USER;
    *gri_msg_trailer(msg) = (gri_trailer){.ref = 0};
    gri_trace_begin(ctx, msg);
    return answer;
}

void gri_confirm_end(gri_ctx *ctx, gr_pid from, gr_msg *answer)
{
    const int fate = gri_trace_end(ctx);
    if (answer == NULL) {
        /* The sender's own deadline is what is left. */
        gri_log_write(&ctx->sys->log, GR_LOG_ERROR,
                      "no memory to confirm a message: its sender's wait will "
                      "time out");
        return;
    }
    gri_msg_trailer(answer)->extra = fate;
    /* From nobody: the actor itself has said nothing. */
    gri_send_signal(ctx, from, answer);
}
