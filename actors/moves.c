/*
 * actors/moves.c - messages whose blobs change their owner.
 *
 * Whoever receives a message may free or take its blobs at once, on another
 * thread. So they leave the sender, and the variables that gr_move named become
 * NULL, before the message is pushed; an error gives all of it back. A message
 * to another node is flattened first: then its blobs stay where they are until
 * it is known that the copy was accepted.
 */
#include <stdlib.h>

#include "actors/account.h"
#include "actors/internal.h"
#include "actors/limits.h"

static bool is_far(const gr_actor *self, gr_pid to)
{
    return !gr_pid_is_nobody(to) &&
           (!gri_is_here(self->sys, to) || gri_is_host(self->sys));
}

/* ---- what a program sends ----------------------------------------------- */

static void leave(gr_actor *self, gr_blob *first)
{
    for (gr_blob *blob = first; blob != NULL; blob = blob->moving) {
        *blob->home = NULL;
        gri_blob_remove(self->ext, blob);
    }
}

static void come_back(gr_actor *self, gr_blob *first)
{
    for (gr_blob *blob = first; blob != NULL; blob = blob->moving) {
        *blob->home = blob;
        gri_blob_add(self->ext, blob);
    }
    gri_blobs_stay(first);
}

/* They were copied, and are not wanted any more. */
static void free_all(gr_actor *self, gr_blob *first)
{
    while (first != NULL) {
        gr_blob *blob = first;
        first = blob->moving;
        *blob->home = NULL;
        gr_blob_free(self, blob);
    }
}

gr_msg *gri_moves_begin(gr_actor *self, gr_pid to, gri_moves *moves)
{
    gri_ctx *ctx = self->ctx;
    gri_builder *b = &ctx->builder;
    if (gri_blobs_flat_len(b->msg) > b->len_max) {
        gri_builder_refuse(b, GR_ETOOBIG);
        return NULL;
    }
    moves->flat = is_far(self, to);
    if (moves->flat) {
        gr_msg *flat = gri_blobs_flatten(ctx->cache, b->msg);
        if (flat == NULL) {
            gri_builder_refuse(b, GR_ENOMEM);
            return NULL;
        }
        gri_msg_free(ctx->cache, gri_builder_moves(b, &moves->first));
        return flat;
    }
    gr_msg *msg = gri_builder_moves(b, &moves->first);
    leave(self, moves->first);
    msg->class_ |= GRI_CLASS_OWNS;
    return msg;
}

void gri_moves_end(gr_actor *self, gri_moves *moves, gr_msg *msg, int rc)
{
    if (moves->flat && rc == 0) {
        free_all(self, moves->first);
    } else if (moves->flat) {
        gri_blobs_stay(moves->first);
    } else if (rc < 0) {
        msg->class_ &= (uint8_t)~GRI_CLASS_OWNS;
        come_back(self, moves->first);
    }
}

int gri_send_moves(gr_actor *self, gr_pid to, uint64_t ref)
{
    gri_ctx *ctx = self->ctx;
    gri_moves moves;
    if (ctx->builder.rc < 0) {
        return ctx->builder.rc;
    }
    gr_msg *msg = gri_moves_begin(self, to, &moves);
    if (msg == NULL) {
        return ctx->builder.rc;
    }
    msg->from = gri_pid_of(self);
    if (ref != 0) {
        msg->flags |= GRI_MSG_ASKED;
        gri_msg_trailer(msg)->ref = ref;
    }
    const uint32_t bytes = msg->len;
    int rc = gri_send_user(ctx, to, msg);
    gri_moves_sent(self, &moves, msg, bytes, rc);
    return rc;
}

gr_msg *gri_moves_pack(gr_actor *self, gr_pid to, const gr_value *values,
                       uint32_t n, gri_moves *moves)
{
    gri_builder *b = &self->ctx->builder;
    *moves = (gri_moves){NULL, false};
    gr_msg *msg = gri_pack_moves(b, values, n, false);
    if (msg == NULL && b->rc == GRI_MOVES) {
        msg = gri_moves_begin(self, to, moves);
    }
    if (msg != NULL) {
        msg->from = gri_pid_of(self);
    }
    return msg;
}

void gri_moves_sent(gr_actor *self, gri_moves *moves, gr_msg *msg,
                    uint32_t bytes, int rc)
{
    gri_moves_end(self, moves, msg, rc);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
    } else {
        gri_account_out(self, bytes);
    }
}

static gr_blob *blob_of(const gr_value *v)
{
    return v->kind == GR_KIND_BLOB && v->as.blob != NULL ? *v->as.blob : NULL;
}

void gri_moves_drop(gr_actor *self, const gr_value *values, uint32_t n)
{
    for (uint32_t i = 0; values != NULL && i < n; i++) {
        gr_blob *blob = blob_of(&values[i]);
        for (uint32_t k = i; k < n && blob != NULL; k++) {
            /* It may be named twice, which is what was wrong with it. */
            if (blob_of(&values[k]) == blob) {
                *values[k].as.blob = NULL;
            }
        }
        gr_blob_free(self, blob);
    }
}

/* ---- what it passes on -------------------------------------------------- */

/* The blobs of a message count in its keeper's memory, or do not any more. */
static void count_kept(gr_actor *self, const gr_msg *msg, bool count)
{
    if (gri_is_counted(self, msg)) {
        const size_t cost = gri_blobs_cost(msg);
        gri_ext_use(self->ext, count ? cost : 0 - cost);
    }
}

gr_msg *gri_forward_begin(gr_actor *self, gr_pid to, gr_msg *msg)
{
    gri_ctx *ctx = self->ctx;
    if (is_far(self, to)) {
        return gri_blobs_flatten(ctx->cache, msg);
    }
    gr_msg *copy =
        gri_msg_signal(ctx->cache, GRI_MSG_USER, gri_msg_data(msg), msg->len);
    if (copy == NULL) {
        return NULL;
    }
    copy->class_ |= GRI_CLASS_OWNS;
    count_kept(self, msg, false);
    gri_blobs_leave(msg);
    return copy;
}

void gri_forward_end(gr_actor *self, gr_pid to, gr_msg *msg, gr_msg *copy,
                     int rc)
{
    if (is_far(self, to)) {
        if (rc == 0) {
            count_kept(self, msg, false);
            gri_blobs_free(msg);
        }
    } else if (rc < 0) {
        copy->class_ &= (uint8_t)~GRI_CLASS_OWNS;
        memcpy(gri_msg_payload(msg), gri_msg_data(copy), msg->len);
        count_kept(self, msg, true);
    }
}
