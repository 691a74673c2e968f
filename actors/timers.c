/*
 * actors/timers.c - messages to oneself at a time.
 *
 * An armed timer owns its message. When it fires, the message goes into the
 * actor's inbox as a signal and the timer is not touched by the thread that
 * fired it; the actor finds the timer by the message's ref. So a cancel, which
 * takes the ref away, also silences a fire that is queued already.
 */
#include <stdlib.h>

#include "actors/internal.h"
#include "actors/jobs.h"

typedef struct gri_alarm {
    gri_timer timer;
    int64_t period_ns; /* 0: once */
} gri_alarm;

int gri_arm_message(gr_actor *self, gri_timer *t, int64_t due_ns, gr_msg *msg)
{
    t->payload = msg;
    t->a = gri_id(self->now, gri_index(self));
    int rc = gri_sched_arm(&self->sys->sched, self->ctx->worker, t, due_ns);
    if (rc < 0) {
        t->payload = NULL;
    }
    return rc;
}

/* The first message of an alarm. */
static int arm_values(gr_actor *self, gri_alarm *alarm, uint64_t ref,
                      int64_t due_ns, const gr_value *values, uint32_t n)
{
    gri_builder *b = &self->ctx->builder;
    gri_moves moves = {.first = NULL};
    /* A blob can be sent but once. */
    gr_msg *msg = alarm->period_ns != 0 ? gri_pack(b, values, n, true)
                                        : gri_pack_moves(b, values, n, true);
    if (msg == NULL && b->rc == GRI_MOVES) {
        msg = gri_moves_begin(self, gri_pid_of(self), &moves);
    }
    if (msg == NULL) {
        return b->rc;
    }
    msg->kind = GRI_MSG_TIMER;
    msg->from = gri_pid_of(self);
    gri_msg_trailer(msg)->ref = ref;
    int rc = gri_arm_message(self, &alarm->timer, due_ns, msg);
    if (moves.first != NULL) {
        gri_moves_end(self, &moves, msg, rc);
    }
    if (rc < 0) {
        gri_msg_free(self->ctx->cache, msg);
    }
    return rc;
}

static int start(gr_actor *self, int64_t ns, int64_t period_ns, gr_timer *out,
                 const gr_value *values, uint32_t n)
{
    gri_ctx *ctx = self->ctx;
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL) {
        return GR_ENOMEM;
    }
    if (ext->timers.count >= self->sys->opts.timers_max) {
        return GR_ELIMIT;
    }
    gri_alarm *alarm = calloc(1, sizeof *alarm);
    if (alarm == NULL) {
        return GR_ENOMEM;
    }
    alarm->period_ns = period_ns;
    uint64_t ref = gri_new_ref(ctx);
    int rc = gri_map_put(&ext->timers, (gri_key){ref, 0}, alarm);
    if (rc < 0) {
        free(alarm);
        return rc;
    }
    rc = arm_values(self, alarm, ref, gri_clock_ns(&self->sys->clock) + ns,
                    values, n);
    if (rc < 0) {
        (void)gri_map_remove(&ext->timers, (gri_key){ref, 0});
        free(alarm);
        return rc;
    }
    if (out != NULL) {
        *out = (gr_timer){ref};
    }
    return 0;
}

/* So far ahead that now and then can be added. */
#define NS_MAX    (INT64_MAX / 2)
#define MS_MAX    (NS_MAX / GRI_NS_PER_MS)
#define NS_PER_US INT64_C(1000)

int gr_afterv(gr_actor *self, int64_t ms, gr_timer *out, const gr_value *values,
              uint32_t n)
{
    return ms < 0 || ms > MS_MAX || n == 0
               ? GR_EINVAL
               : start(self, ms * GRI_NS_PER_MS, 0, out, values, n);
}

int gr_after_usv(gr_actor *self, int64_t us, gr_timer *out,
                 const gr_value *values, uint32_t n)
{
    return us < 0 || us > NS_MAX / NS_PER_US || n == 0
               ? GR_EINVAL
               : start(self, us * NS_PER_US, 0, out, values, n);
}

int gr_everyv(gr_actor *self, int64_t ms, gr_timer *out, const gr_value *values,
              uint32_t n)
{
    return ms < 1 || ms > MS_MAX || n == 0
               ? GR_EINVAL
               : start(self, ms * GRI_NS_PER_MS, ms * GRI_NS_PER_MS, out,
                       values, n);
}

/* Its message goes to its actor, as any signal; one without a message is a
 * job's, in deterministic mode, or the system's own. */
void gri_timer_fired(gri_ctx *ctx, const gri_fired *fired)
{
    if (fired->payload == NULL) {
        if (fired->a != 0) {
            gri_job_fired(ctx, (gr_job *)(uintptr_t)fired->a);
        } else {
            gri_reap(ctx);
        }
        return;
    }
    const gr_pid to = {ctx->sys->node, fired->a};
    (void)gri_send_signal(ctx, to, fired->payload);
}

static void end(gr_actor *self, gri_alarm *alarm)
{
    if (gri_timer_disarm(&alarm->timer)) {
        gri_msg_free(self->ctx->cache, alarm->timer.payload);
    }
    free(alarm);
}

void gr_timer_cancel(gr_actor *self, gr_timer timer)
{
    gri_alarm *alarm =
        self->ext == NULL
            ? NULL
            : gri_map_remove(&self->ext->timers, (gri_key){timer.id, 0});
    if (alarm != NULL) {
        end(self, alarm);
    }
    gri_thread_forget(self, GRI_MSG_TIMER, GR_NOBODY, timer.id);
}

gri_take gri_on_timer(gr_actor *self, gr_msg *msg)
{
    gri_key key = {gri_msg_ref(msg), 0};
    gri_alarm *alarm =
        self->ext == NULL ? NULL : gri_map_get(&self->ext->timers, key);
    if (alarm == NULL) {
        return GRI_TAKE_DONE; /* cancelled meanwhile */
    }
    if (alarm->period_ns == 0) {
        (void)gri_map_remove(&self->ext->timers, key);
        free(alarm);
    }
    return GRI_TAKE_GIVE;
}

/* The next time of a periodic timer: those that passed meanwhile are left out,
 * and the phase is kept. */
static int64_t next_due(const gri_alarm *alarm, int64_t now_ns)
{
    int64_t due_ns = alarm->timer.due_ns + alarm->period_ns;
    if (due_ns <= now_ns) {
        int64_t missed = (now_ns - due_ns) / alarm->period_ns + 1;
        due_ns += missed * alarm->period_ns;
    }
    return due_ns;
}

void gri_timer_done(gr_actor *self, gr_msg *msg)
{
    gri_key key = {gri_msg_ref(msg), 0};
    gri_alarm *alarm =
        self->ext == NULL ? NULL : gri_map_get(&self->ext->timers, key);
    if (alarm == NULL || gri_exiting(self)) {
        return; /* it was for once, or its handler cancelled it */
    }
    /* The message in hand is still the inbox's: the next fire needs another. */
    gr_msg *copy = gri_msg_signal(self->ctx->cache, GRI_MSG_TIMER,
                                  gri_msg_data(msg), msg->len);
    int rc = GR_ENOMEM;
    if (copy != NULL) {
        copy->from = msg->from;
        gri_msg_trailer(copy)->ref = gri_msg_ref(msg);
        rc = gri_arm_message(self, &alarm->timer,
                             next_due(alarm, gri_clock_ns(&self->sys->clock)),
                             copy);
    }
    if (rc < 0) {
        if (copy != NULL) {
            gri_msg_free(self->ctx->cache, copy);
        }
        gri_exit_error(self, rc, "timer");
    }
}

void gri_timers_end(gr_actor *self)
{
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&self->ext->timers, &at)) != NULL;) {
        end(self, e->value);
    }
}

int64_t gr_now_ms(const gr_actor *self)
{
    return gri_clock_ns(&self->sys->clock) / GRI_NS_PER_MS;
}
