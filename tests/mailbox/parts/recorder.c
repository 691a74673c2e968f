/* tests/mailbox/parts/recorder.c - see tests/mailbox/recorder.h. */
#include "tests/mailbox/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "mailbox/message.h"
#include "mailbox/pack.h"

struct gr_actor {
    gri_depot depot;
    gri_cache cache;
    gri_builder builder;
    recorded last;
    gr_msg *msg; /* of `last` */
    const gr_msg *answer;
    unsigned puts; /* since gri_begin */
    char text[4096];
};

gr_actor *recorder_new(void)
{
    gr_actor *self = calloc(1, sizeof *self);
    if (self == NULL || gri_depot_init(&self->depot) < 0) {
        free(self);
        return NULL;
    }
    gri_cache_init(&self->cache, &self->depot);
    self->builder.cache = &self->cache;
    self->builder.len_max = 1 << 20;
    self->builder.node = 1;
    return self;
}

void recorder_free(gr_actor *self)
{
    if (self->msg != NULL) {
        gri_msg_free(&self->cache, self->msg);
    }
    gri_cache_flush(&self->cache);
    gri_depot_fini(&self->depot);
    free(self);
}

const recorded *recorder_last(const gr_actor *self)
{
    return &self->last;
}

void recorder_answer(gr_actor *self, const gr_msg *msg)
{
    self->answer = msg;
}

gr_msg *recorder_keep(gr_actor *self)
{
    gr_msg *msg = self->msg;
    self->msg = NULL;
    self->last.msg = NULL;
    return msg;
}

void recorder_forget(gr_actor *self, gr_msg *msg)
{
    gri_msg_free(&self->cache, msg);
}

const char *recorder_text(gr_actor *self)
{
    if (self->msg == NULL) {
        return "none";
    }
    (void)gr_msg_print(self->msg, self->text, sizeof self->text);
    return self->text;
}

static int record(gr_actor *self, const char *verb, gr_msg *msg)
{
    unsigned calls = self->last.calls + 1;
    if (msg != NULL && msg->class_ != GRI_CLASS_HEAP &&
        sizeof *msg + msg->len > gri_class_size(msg->class_, 0)) {
        abort(); /* written beyond its block */
    }
    if (self->msg != NULL) {
        gri_msg_free(&self->cache, self->msg);
    }
    self->msg = msg;
    self->last = (recorded){
        .verb = verb, .msg = msg, .calls = calls, .puts = self->puts};
    self->puts = 0;
    return msg != NULL ? 0 : self->builder.rc;
}

static int record_values(gr_actor *self, const char *verb,
                         const gr_value *values, uint32_t n)
{
    return record(self, verb, gri_pack(&self->builder, values, n, false));
}

/* ---- what the verbs are made of ----------------------------------------- */

gri_writer gri_begin(gr_actor *self, uint32_t n, uint32_t room)
{
    self->puts = 0;
    return gri_builder_begin_short(&self->builder, n, room);
}

gri_writer gri_put(gr_actor *self, uint8_t *p, const gr_value *v)
{
    self->puts++;
    return gri_builder_put(&self->builder, p, v);
}

gri_writer gri_put_int(gr_actor *self, uint8_t *p, uint64_t x, uint32_t kind)
{
    self->puts++;
    return gri_builder_put_int_short(&self->builder, p, x, kind);
}

gri_writer gri_put_pid_value(gr_actor *self, uint8_t *p, uint64_t node,
                             uint64_t id)
{
    self->puts++;
    return gri_builder_put_pid_short(&self->builder, p, node, id);
}

int gri_commit(gr_actor *self, gr_pid to, uint8_t *p)
{
    int rc = record(self, "inline", gri_builder_end(&self->builder, p));
    self->last.to = to;
    return rc;
}

static int record_short(gr_actor *self, gr_pid to, uint64_t tag,
                        uint64_t tag_rest, bool with_x, uint64_t x)
{
    gr_msg *msg = gri_build_short(&self->builder, tag, tag_rest, with_x, x);
    if (msg == NULL) { /* the cache is empty: any message fills it */
        const gr_value value = gr_strn("", 0);
        gr_msg *other = gri_pack(&self->builder, &value, 1, false);
        if (other == NULL) {
            return GR_ENOMEM;
        }
        gri_msg_free(&self->cache, other);
        msg = gri_build_short(&self->builder, tag, tag_rest, with_x, x);
    }
    int rc = record(self, "inline", msg);
    self->last.to = to;
    return rc;
}

int gri_send_tag(gr_actor *self, uint64_t node, uint64_t id, uint64_t tag,
                 uint64_t tag_rest)
{
    return record_short(self, (gr_pid){node, id}, tag, tag_rest, false, 0);
}

int gri_send_int(gr_actor *self, uint64_t node, uint64_t id, uint64_t tag,
                 uint64_t tag_rest, uint64_t x)
{
    return record_short(self, (gr_pid){node, id}, tag, tag_rest, true, x);
}

int gr_sendv(gr_actor *self, gr_pid to, const gr_value *values, uint32_t n)
{
    int rc = record_values(self, "send", values, n);
    self->last.to = to;
    return rc;
}

int gr_send_urgentv(gr_actor *self, gr_pid to, const gr_value *values,
                    uint32_t n)
{
    int rc = record_values(self, "send_urgent", values, n);
    self->last.to = to;
    return rc;
}

int gr_send_waitv(gr_actor *self, gr_pid to, int64_t timeout_ms,
                  const gr_value *values, uint32_t n)
{
    int rc = record_values(self, "send_wait", values, n);
    self->last.to = to;
    self->last.ms = timeout_ms;
    return rc;
}

int gr_send_surev(gr_actor *self, gr_pid to, int64_t timeout_ms,
                  const gr_value *values, uint32_t n)
{
    int rc = record_values(self, "send_sure", values, n);
    self->last.to = to;
    self->last.ms = timeout_ms;
    return rc;
}

int gr_send_thenv(gr_actor *self, gr_pid to, int64_t timeout_ms,
                  gr_continuation then, const gr_value *values, uint32_t n)
{
    int rc = record_values(self, "send_then", values, n);
    self->last.to = to;
    self->last.ms = timeout_ms;
    self->last.token = then.token;
    return rc;
}

void gr_tellv(gr_actor *self, gr_pid to, const gr_value *values, uint32_t n)
{
    GR_IGNORE(record_values(self, "tell", values, n), "as gr_tell does");
    self->last.to = to;
}

int gr_replyv(gr_actor *self, const gr_msg *msg, const gr_value *values,
              uint32_t n)
{
    (void)msg;
    return record_values(self, "reply", values, n);
}

int gr_askv(gr_actor *self, gr_pid to, int64_t timeout_ms, gr_continuation then,
            const gr_value *values, uint32_t n)
{
    int rc = record_values(self, "ask", values, n);
    self->last.to = to;
    self->last.ms = timeout_ms;
    self->last.token = then.token;
    return rc;
}

int gr_callv(gr_actor *self, gr_pid to, int64_t timeout_ms, gr_pattern expect,
             const gr_value *values, uint32_t n)
{
    int rc = record_values(self, "call", values, n);
    self->last.to = to;
    self->last.ms = timeout_ms;
    if (rc < 0) {
        return rc;
    }
    if (self->answer == NULL) {
        return GR_ETIMEOUT;
    }
    return gr_matchv(self->answer, &expect.tag, expect.outs, expect.n)
               ? 0
               : GR_EREPLY;
}

int gr_afterv(gr_actor *self, int64_t ms, gr_timer *out, const gr_value *values,
              uint32_t n)
{
    int rc = record_values(self, "after", values, n);
    self->last.ms = ms;
    *out = (gr_timer){1};
    return rc;
}

int gr_after_usv(gr_actor *self, int64_t us, gr_timer *out,
                 const gr_value *values, uint32_t n)
{
    int rc = record_values(self, "after_us", values, n);
    self->last.ms = us;
    *out = (gr_timer){3};
    return rc;
}

int gr_everyv(gr_actor *self, int64_t ms, gr_timer *out, const gr_value *values,
              uint32_t n)
{
    int rc = record_values(self, "every", values, n);
    self->last.ms = ms;
    *out = (gr_timer){2};
    return rc;
}
