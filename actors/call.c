/*
 * actors/call.c - a thread actor asks, and waits for the answer; but not for
 * one that waits for it (circle.h).
 */
#include "actors/circle.h"
#include "actors/internal.h"

int gri_call_check(gr_actor *self, gr_pid to, int64_t timeout_ms)
{
    if (self->ext == NULL || self->ext->thread == NULL) {
        return GR_ENOTSUP;
    }
    return timeout_ms == 0 || timeout_ms < GR_FOREVER ||
                   gr_pid_eq(to, gri_pid_of(self))
               ? GR_EINVAL
               : 0;
}

int gri_call_end(gr_actor *self, int64_t deadline_ns, uint64_t ref,
                 gr_pattern expect)
{
    gr_msg *reply;
    int rc = gri_thread_wait_answer(self, deadline_ns, ref, &reply);
    gri_wait_end(self);
    GR_TRY(rc);
    reply->flags |= GRI_MSG_SAVED;
    self->ext->thread->given = reply;
    int status = gr_msg_status(reply);
    if (status == GR_EDEADLOCK) {
        gri_wait_told(self);
    }
    if (status < 0) {
        return status;
    }
    return gr_matchv(reply, &expect.tag, expect.outs, expect.n) ? 0 : GR_EREPLY;
}

/* A call to `to` begins, of that question. Errors: GR_EDEADLOCK. */
static int begin_call(gr_actor *self, gr_pid to, const gri_wait_for *what,
                      uint64_t *ref)
{
    gr_msg *given = self->ext->thread->given;
    *ref = gri_new_ref(self->ctx);
    if (!gri_is_here(self->sys, to)) {
        return 0;
    }
    if (given != NULL && (given->flags & GRI_MSG_KEPT) == 0) {
        /* It ends with this call, and who asked it waits for us no more. */
        gri_answer_status(self->ctx, given, GR_ENOREPLY);
    }
    *ref |= GRI_REF_WAITS;
    return gri_wait_begin(self, to, *ref, what);
}

int gr_callv(gr_actor *self, gr_pid to, int64_t timeout_ms, gr_pattern expect,
             const gr_value *values, uint32_t n)
{
    uint64_t ref;
    GR_TRY(gri_call_check(self, to, timeout_ms));
    int64_t deadline_ns = gri_deadline(&self->sys->clock, timeout_ms);
    const gri_wait_for what = {.tag = n > 0 ? values : NULL};
    int rc = begin_call(self, to, &what, &ref);
    if (rc == 0) {
        rc = gri_send_ask(self, to, ref, values, n);
    }
    if (rc < 0) {
        gri_wait_end(self);
    }
    if (rc == GR_EDEADLOCK) {
        gri_wait_told(self);
    }
    gri_thread_end_given(self); /* not before: values may be borrowed from it */
    GR_TRY(rc);
    return gri_call_end(self, deadline_ns, ref, expect);
}

int gri_call_with(gr_actor *self, gr_pid to, int64_t timeout_ms,
                  gr_pattern expect, gr_msg *msg)
{
    int rc = gri_call_check(self, to, timeout_ms);
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
        return rc;
    }
    gri_thread_end_given(self);
    uint64_t ref;
    int64_t deadline_ns = gri_deadline(&self->sys->clock, timeout_ms);
    rc = begin_call(self, to, &(gri_wait_for){.msg = msg}, &ref);
    if (rc < 0) {
        gri_wait_told(self);
        gri_msg_free(self->ctx->cache, msg);
        return rc;
    }
    rc = gri_send_asked(self, to, ref, msg);
    if (rc < 0) {
        gri_wait_end(self);
        return rc;
    }
    return gri_call_end(self, deadline_ns, ref, expect);
}
