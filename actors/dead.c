/*
 * actors/dead.c - messages that nobody will handle: counted, shown to who
 * watches, summarised in the log, and never silent to who waits for an answer.
 */
#include <stdio.h>

#include "actors/circle.h"
#include "actors/confirm.h"
#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/limits.h"
#include "actors/record.h"
#include "mailbox/near.h"

static const char *why_text(gri_why why)
{
    switch (why) {
    case GRI_WHY_NOPROC:
        return "no such actor";
    case GRI_WHY_NOCONNECTION:
        return "its node is not connected";
    case GRI_WHY_FULL:
        return "mailbox full";
    case GRI_WHY_UNHANDLED:
        return "not handled";
    case GRI_WHY_REFUSED:
        return "could not be sent";
    case GRI_WHY_POISON:
        return "set aside: its actor failed";
    }
    return "";
}

static int why_status(gri_why why)
{
    switch (why) {
    case GRI_WHY_NOCONNECTION:
        return GR_ENOCONN;
    case GRI_WHY_FULL:
        return GR_EAGAIN;
    case GRI_WHY_UNHANDLED:
        return GR_ENOREPLY;
    case GRI_WHY_NOPROC:
    case GRI_WHY_REFUSED:
    case GRI_WHY_POISON:
        break;
    }
    return GR_ENOPROC;
}

enum {
    TEXT_MAX = 200, /* bytes of a message that a report shows */
    REASON_MAX = GRI_NEAR_TEXT_MAX + 32 /* bytes of why, and of a near match */
};

/* Why, and what an actor that knows the tag had against the message. */
static void reason_of(const gr_msg *msg, gri_why why, char reason[REASON_MAX])
{
    char near[GRI_NEAR_TEXT_MAX];
    bool told =
        why == GRI_WHY_UNHANDLED && msg != NULL && gri_near_text(msg, near);
    (void)snprintf(reason, REASON_MAX, "%s%s%s", why_text(why),
                   told ? ": " : "", told ? near : "");
}

static void tell_watchers(gri_ctx *ctx, gr_pid to, gr_pid from,
                          const char *reason, const char *text)
{
    gr_value report[] = {
        gr_strn("gr.dead_letter", 14),
        {.kind = GR_KIND_PID, .as.pid = from},
        {.kind = GR_KIND_PID, .as.pid = to},
        gr_strn(reason, strlen(reason)),
        gr_strn(text, strlen(text)),
    };
    gri_listeners_tell(ctx, &ctx->sys->dead_watchers, GR_NOBODY, report, 5);
}

/* msg may be NULL: there is nothing to show. */
static void dead_letter(gri_ctx *ctx, gr_pid to, gr_pid from, const gr_msg *msg,
                        gri_why why)
{
    gr_system *sys = ctx->sys;
    GRI_TALLY(ctx, dead_letters);
    if (msg != NULL && (msg->flags & GRI_MSG_NO_REPORT) != 0) {
        return;
    }
    /* relaxed: a number for the log. */
    uint64_t n = 1 + atomic_fetch_add_explicit(&sys->dead_letters, 1,
                                               memory_order_relaxed);
    /* relaxed: who begins to watch sees the letters from some moment on. */
    bool watched =
        atomic_load_explicit(&sys->dead_watchers.any, memory_order_relaxed);
    if (gri_is_doubling(n)) {
        gri_record_event(ctx, GRI_EVENT_DEAD_LETTER, to.id, n, 0);
    }
    bool logged = gri_is_doubling(n) && sys->log.level >= GR_LOG_WARN;
    if (!watched && !logged) {
        return;
    }
    char reason[REASON_MAX];
    reason_of(msg, why, reason);
    char text[TEXT_MAX] = "";
    if (msg != NULL) {
        (void)gr_msg_print(msg, text, sizeof text);
    }
    if (logged) {
        char name[GR_NAME_MAX + 1];
        char pid[GR_PID_TEXT_MAX];
        const char *known = gri_name_of(sys, to, name, sizeof name);
        gri_log_write(&sys->log, GR_LOG_WARN,
                      "dead letter (%llu so far): to %s%s%s: %s: %s",
                      (unsigned long long)n, known != NULL ? known : "",
                      known != NULL ? " " : "", gr_pid_text(to, pid), reason,
                      text);
    }
    if (watched) {
        tell_watchers(ctx, to, from, reason, text);
    }
}

void gri_bury_unsent(gri_ctx *ctx, gr_pid to, gr_pid from)
{
    GRI_TALLY(ctx, sent);
    dead_letter(ctx, to, from, NULL, GRI_WHY_REFUSED);
}

void gri_answer_status(gri_ctx *ctx, gr_msg *msg, int status)
{
    if ((msg->flags & GRI_MSG_ASKED) == 0) {
        return;
    }
    msg->flags &= (uint16_t)~GRI_MSG_ASKED;
    gri_wait_answered(ctx, msg->from, gri_msg_ref(msg));
    gr_msg *reply = gri_status_reply(ctx->cache, gri_msg_ref(msg), status);
    if (reply == NULL) {
        /* The asker's own deadline is what is left. */
        gri_log_write(&ctx->sys->log, GR_LOG_ERROR,
                      "no memory to answer an ask: it will time out");
        return;
    }
    gri_send_signal(ctx, msg->from, reply);
}

static void answer_end(gri_ctx *ctx, gr_pid to, gr_msg *msg, gri_why why)
{
    gr_exit_reason reason = {.kind = why == GRI_WHY_NOCONNECTION
                                         ? GR_EXIT_NOCONNECTION
                                         : GR_EXIT_NOPROC};
    gr_msg *answer =
        msg->kind == GRI_MSG_LINK
            ? gri_exit_signal(ctx->cache, to, &reason)
            : gri_down_signal(ctx->cache, to, gri_msg_ref(msg), &reason);
    if (answer == NULL) {
        gri_log_write(&ctx->sys->log, GR_LOG_ERROR,
                      "no memory to tell of a death: a monitor or link of a "
                      "dead actor stays silent");
        return;
    }
    if (msg->kind == GRI_MSG_LINK) {
        gri_exit_ends(answer, gri_msg_ref(msg));
    }
    gri_send_signal(ctx, msg->from, answer);
}

void gri_bury(gri_ctx *ctx, gr_pid to, gr_msg *msg, gri_why why)
{
    if (msg->kind == GRI_MSG_METERED) {
        gri_limit_discharge(gri_slot_of(ctx->sys, to), msg);
    }
    switch ((gri_msg_kind)msg->kind) {
    case GRI_MSG_USER:
        gri_trace_note(ctx, msg, why_status(why));
        dead_letter(ctx, to, msg->from, msg, why);
        gri_answer_status(ctx, msg, why_status(why));
        break;
    case GRI_MSG_TIMER:
        /* A fire that nobody receives is nothing; one that was given is a
         * message as any other. */
        if (why == GRI_WHY_UNHANDLED) {
            dead_letter(ctx, to, msg->from, msg, why);
        }
        break;
    case GRI_MSG_REPLY:
        GRI_TALLY(ctx, late_replies);
        break;
    case GRI_MSG_LINK:
    case GRI_MSG_MONITOR:
        answer_end(ctx, to, msg, why);
        break;
    case GRI_MSG_RESUME:
        gri_slow_reached(ctx, msg);
        break;
    case GRI_MSG_LANE:
    case GRI_MSG_URGENT:
        gri_lane_buried(ctx, to, msg);
        break;
    case GRI_MSG_WAITER:
        gri_room_reached(ctx, msg);
        break;
    case GRI_MSG_ROOM:
    case GRI_MSG_ASK_TIMEOUT:
    case GRI_MSG_START:
    case GRI_MSG_STARTED:
    case GRI_MSG_STOP:
    case GRI_MSG_KILL:
    case GRI_MSG_UNLINK:
    case GRI_MSG_DEMONITOR:
    case GRI_MSG_EXIT:
    case GRI_MSG_DOWN:
    case GRI_MSG_METERED:
    case GRI_MSG_NOP:
    case GRI_MSG_WAKE:
    case GRI_MSG_CONFIRM:
        break; /* nobody waits for these */
    }
}

int gr_unhandled(gr_actor *self, const gr_msg *msg)
{
    gr_msg *m = (gr_msg *)(uintptr_t)msg; /* the runtime's own block */
    if (gri_is_stashed(self, m)) {
        return 0; /* it is not over yet, and not counted as handled */
    }
    if (gri_is_host(self->sys) && m->kind == GRI_MSG_USER) {
        gri_hosted_unhandled(self, m);
        return 0;
    }
    if ((m->kind == GRI_MSG_USER || m->kind == GRI_MSG_TIMER) &&
        !gri_near_is_over(m)) {
        /* It was counted as handled when it was given; it was not. */
        GRI_UNTALLY(self->ctx, handled);
        gri_count_callback(self->ctx); /* else two would look like one */
        gri_bury(self->ctx, gri_pid_of(self), m, GRI_WHY_UNHANDLED);
        gri_near_over(m);
    }
    return 0;
}

int gr_watch_dead_letters(gr_actor *self, bool on)
{
    return gri_listen(self, &self->sys->dead_watchers, on);
}
