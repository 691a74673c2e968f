/*
 * actors/msgpack.c - greenroom/msgpack.h: trees that a handler borrows, and the
 * message that msgpack-c's packer writes for it.
 *
 * Both stand in the context of the thread, made at the first use. They end with
 * the handler: to know of that costs the others nothing, as the use leaves a
 * flag on the message in hand, beside the one by which an asked message is
 * found unanswered. Where there is no message in hand (init, terminate, a
 * thread actor), the end is looked for each time.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/msgpack.h>

#include "actors/account.h"
#include "actors/internal.h"
#include "mailbox/decode.h"
#include "mailbox/trees.h"

struct gri_msgpack {
    gri_trees trees;
    gri_builder builder; /* not the thread's own, which others use meanwhile */
    uint8_t *p;          /* where the next byte goes, while there is a msg */
};

static gri_msgpack *borrow(gr_actor *self)
{
    gri_ctx *ctx = self->ctx;
    if (ctx->msgpack == NULL) {
        ctx->msgpack = calloc(1, sizeof *ctx->msgpack);
        if (ctx->msgpack == NULL) {
            return NULL;
        }
        ctx->msgpack->builder.cache = ctx->cache;
        ctx->msgpack->builder.node = ctx->builder.node;
        ctx->msgpack->builder.len_max = ctx->builder.len_max;
    }
    if (ctx->current != NULL) {
        ctx->current->flags |= GRI_MSG_LENT;
    }
    return ctx->msgpack;
}

static void drop_packed(gri_msgpack *m)
{
    if (m->builder.msg != NULL) {
        gri_msg_free(m->builder.cache, m->builder.msg);
        m->builder.msg = NULL;
    }
    m->builder.rc = 0;
}

void gri_msgpack_clear(gri_msgpack *m)
{
    drop_packed(m);
    gri_trees_clear(&m->trees);
}

void gri_msgpack_free(gri_ctx *ctx)
{
    if (ctx->msgpack != NULL) {
        drop_packed(ctx->msgpack);
        gri_trees_fini(&ctx->msgpack->trees);
        free(ctx->msgpack);
        ctx->msgpack = NULL;
    }
}

/* ---- reading ------------------------------------------------------------- */

int gr_any_tree(gr_actor *self, gr_any any, msgpack_object *out)
{
    gri_msgpack *m = borrow(self);
    return m == NULL ? GR_ENOMEM
                     : gri_trees_add(&m->trees, any.ptr, any.len, out);
}

int gr_msg_tree(gr_actor *self, const gr_msg *msg, msgpack_object *out)
{
    if (gri_msg_owns(msg)) {
        gri_msgpack *m = borrow(self);
        return m == NULL ? GR_ENOMEM
                         : gri_trees_add_owning(&m->trees, msg, out);
    }
    return gr_any_tree(self, gr_msg_bytes(msg), out);
}

bool gr_object_pid(const msgpack_object *object, gr_pid *out)
{
    gri_head h = {.type = GRI_TYPE_NIL};
    const uint8_t *body = NULL;
    if (object->type == MSGPACK_OBJECT_EXT) {
        h.type = GRI_TYPE_EXT;
        h.n = object->via.ext.size;
        h.x = (uint64_t)(int64_t)object->via.ext.type;
        body = (const uint8_t *)object->via.ext.ptr;
    } else if (object->type != MSGPACK_OBJECT_NIL) {
        return false;
    }
    return gri_as_pid(&h, body, out);
}

/* ---- packing ------------------------------------------------------------- */

/* msgpack-c's write callback. */
static int write_more(void *data, const char *bytes, size_t n)
{
    gri_msgpack *m = data;
    gri_builder *b = &m->builder;
    if (b->msg == NULL) {
        return -1; /* nothing is begun, or it failed before */
    }
    if ((size_t)(b->end - m->p) < n) {
        m->p = gri_builder_more(b, m->p, n).p;
        if (m->p == NULL) {
            return -1; /* b->rc says why */
        }
    }
    if (n > 0) { /* bytes may be NULL otherwise */
        memcpy(m->p, bytes, n);
        m->p += n;
    }
    return 0;
}

int gr_pack_begin(gr_actor *self, msgpack_packer *pk)
{
    gri_msgpack *m = borrow(self);
    if (m == NULL) {
        return GR_ENOMEM;
    }
    if (m->builder.msg != NULL) {
        return GR_EINVAL;
    }
    /* With a trailer, as it may become a question or an answer. */
    gri_writer w = gri_builder_begin(&m->builder, 0, true);
    if (w.p == NULL) {
        return m->builder.rc;
    }
    m->p = w.p - 1; /* the packer writes the array's head itself */
    msgpack_packer_init(pk, m, write_more);
    return 0;
}

int gr_pack_pid(gr_actor *self, msgpack_packer *pk, gr_pid pid)
{
    if (gr_pid_is_nobody(pid)) {
        return msgpack_pack_nil(pk);
    }
    if (pid.node == 0) {
        pid.node = self->sys->node;
    }
    const uint64_t body[] = {htobe64(pid.node), htobe64(pid.id)};
    _Static_assert(sizeof body == GRI_PID_BYTES, "node and id");
    int rc = msgpack_pack_ext(pk, sizeof body, GRI_EXT_PID);
    return rc != 0 ? rc : msgpack_pack_ext_body(pk, body, sizeof body);
}

/* The one of self's thread that pk writes to, or NULL. */
static gri_msgpack *behind(gr_actor *self, const msgpack_packer *pk)
{
    gri_msgpack *m = self->ctx->msgpack;
    return m != NULL && pk->data == m ? m : NULL;
}

void gr_pack_cancel(gr_actor *self, msgpack_packer *pk)
{
    gri_msgpack *m = behind(self, pk);
    if (m != NULL) {
        drop_packed(m);
    }
}

/* What a receiver relies on: one whole array, its tag first. */
static int check_message(const uint8_t *p, size_t n)
{
    int rc = gri_check(p, n, GR_DEPTH_MAX);
    if (rc < 0) {
        return rc == GR_EFORMAT ? GR_EINVAL : rc;
    }
    gri_head list, tag;
    const uint8_t *items = gri_decode(p, p + n, &list);
    if (items == NULL || list.type != GRI_TYPE_ARRAY || list.n == 0 ||
        gri_decode(items, p + n, &tag) == NULL) {
        return GR_EINVAL;
    }
    return tag.type == GRI_TYPE_STR || tag.type == GRI_TYPE_UINT ||
                   tag.type == GRI_TYPE_INT
               ? 0
               : GR_EINVAL;
}

/* Ends the packing and gives its message to the caller. */
static int end_packing(gr_actor *self, const msgpack_packer *pk, gr_msg **out)
{
    gri_msgpack *m = behind(self, pk);
    if (m == NULL) {
        return GR_EINVAL;
    }
    if (m->builder.msg == NULL) {
        int rc = m->builder.rc;
        m->builder.rc = 0;
        return rc < 0 ? rc : GR_EINVAL;
    }
    gr_msg *msg = gri_builder_end(&m->builder, m->p);
    int rc = check_message(gri_msg_data(msg), msg->len);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
        return rc;
    }
    *out = msg;
    return 0;
}

int gr_pack_send(gr_actor *self, gr_pid to, msgpack_packer *pk)
{
    gr_msg *msg;
    GR_TRY(end_packing(self, pk, &msg));
    msg->from = gri_pid_of(self);
    const uint32_t bytes = msg->len;
    int rc = gri_send_user(self->ctx, to, msg);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
    } else {
        gri_account_out(self, bytes);
    }
    return rc;
}

int gr_pack_reply(gr_actor *self, const gr_msg *msg, msgpack_packer *pk)
{
    gr_msg *reply;
    GR_TRY(end_packing(self, pk, &reply));
    return gri_reply_with(self, msg, reply);
}

int gr_pack_ask(gr_actor *self, gr_pid to, int64_t timeout_ms,
                gr_continuation then, msgpack_packer *pk)
{
    gr_msg *msg;
    GR_TRY(end_packing(self, pk, &msg));
    return gri_ask_with(self, to, timeout_ms, then, msg);
}

int gr_pack_call(gr_actor *self, gr_pid to, int64_t timeout_ms,
                 gr_pattern expect, msgpack_packer *pk)
{
    gr_msg *msg;
    GR_TRY(end_packing(self, pk, &msg));
    return gri_call_with(self, to, timeout_ms, expect, msg);
}
