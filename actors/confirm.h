/*
 * actors/confirm.h - what became of a message that is being sent, for who wants
 * to know.
 *
 * A send either fails, or ends in an inbox, or on one of a few ways that all
 * count what they end (dead.c, send.c, lane.c). Those look whether the message
 * is the traced one; the usual way knows nothing of it. So a confirmed send
 * costs its sender something, and nobody else.
 */
#ifndef GRI_ACTORS_CONFIRM_H
#define GRI_ACTORS_CONFIRM_H

#include "actors/internal.h"

/* From now on, what ends msg on this thread is its fate. */
static inline void gri_trace_begin(gri_ctx *ctx, const gr_msg *msg)
{
    ctx->traced = msg;
    ctx->fate = 0;
}

/* It is not in a mailbox, and this is why; the first word counts. */
static inline void gri_trace_note(gri_ctx *ctx, const gr_msg *msg, int why)
{
    if (ctx->traced == msg) {
        ctx->traced = NULL; /* its block may soon be another's */
        ctx->fate = why;
    }
}

/* After the send: 0, or why it is in no mailbox. */
static inline int gri_trace_end(gri_ctx *ctx)
{
    ctx->traced = NULL;
    return ctx->fate;
}

/* gr_send_then of a message with a trailer, for who waits without a deadline;
 * takes it. */
int gri_confirm_with(gr_actor *self, gr_pid to, gr_continuation then,
                     gr_msg *msg);

/* A message has come from afar whose sender is to be told. Makes it a plain
 * one, and returns the answer; NULL: there is no memory for it. */
gr_msg *gri_confirm_begin(gri_ctx *ctx, gr_msg *msg);
/* It was sent: tells `from` what became of it. */
void gri_confirm_end(gri_ctx *ctx, gr_pid from, gr_msg *answer);

#endif /* GRI_ACTORS_CONFIRM_H */
