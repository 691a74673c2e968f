/*
 * actors/turn.c - one turn of an actor on a worker: messages up to a budget.
 */
#include <string.h>

#include "actors/account.h"
#include "actors/guard.h"
#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/limits.h"
#include "actors/stay.h"

enum {
    TURN_MESSAGES = 1000, /* received in a turn, so that others have theirs */
    TURN_SENDS = 1000,    /* sent in a turn: a producer that floods gives way */
    TURN_MS = 1,          /* a turn of long callbacks gives way, too */
    /* An idle inbox holds at most 128 bytes. */
    FIRST_LOOK = 4,  /* messages: then a turn reads the clock first */
    LOOK_EACH = 32,  /* messages: and then again after so many */
    FIRST_FETCH = 8, /* messages: then it sees whether many wait */
    STUB_CLASS_MAX = GRI_CLASS_MSG + 1
};

static gri_take on_start(gr_actor *self, gr_msg *msg)
{
    gri_count_callback(self->ctx);
    gri_begin_run(self, msg);
    return GRI_TAKE_DONE;
}

static gri_take on_stop(gr_actor *self, const gr_msg *msg)
{
    const uint64_t life = gri_msg_ref(msg);
    if (life != 0 && life != gri_stay_life(self)) {
        return GRI_TAKE_DONE; /* its keeper meant a run that is over */
    }
    if (self->trap_exit) {
        return GRI_TAKE_GIVE;
    }
    gr_exit_reason why = {.kind = GR_EXIT_SHUTDOWN};
    gri_exit_set(self, &why);
    return GRI_TAKE_DONE;
}

/* A child of this run has started, or one of a run before. */
static __attribute__((noinline)) gri_take on_started(gr_actor *self,
                                                     const gr_msg *msg)
{
    return gri_msg_ref(msg) == gri_stay_life(self) ? GRI_TAKE_GIVE
                                                   : GRI_TAKE_DONE;
}

gri_take gri_take_in(gr_actor *self, gr_msg *msg)
{
    switch ((gri_msg_kind)msg->kind) {
    case GRI_MSG_USER:
        return GRI_TAKE_GIVE;
    case GRI_MSG_STARTED:
        return on_started(self, msg);
    case GRI_MSG_REPLY:
        return gri_on_reply(self, msg);
    case GRI_MSG_TIMER:
        return gri_on_timer(self, msg);
    case GRI_MSG_ASK_TIMEOUT:
        return gri_on_ask_timeout(self, msg);
    case GRI_MSG_START:
        return on_start(self, msg);
    case GRI_MSG_STOP:
        return on_stop(self, msg);
    case GRI_MSG_LINK:
    case GRI_MSG_UNLINK:
    case GRI_MSG_MONITOR:
    case GRI_MSG_DEMONITOR:
    case GRI_MSG_EXIT:
    case GRI_MSG_DOWN:
        return gri_on_link_signal(self, msg);
    case GRI_MSG_RESUME:
        gri_slow_reached(self->ctx, msg);
        break;
    case GRI_MSG_LANE:
        return gri_lane_reached(self, msg);
    case GRI_MSG_URGENT:
        return gri_lane_woken(self);
    case GRI_MSG_WAITER:
    case GRI_MSG_ROOM:
        return gri_on_room_signal(self, msg);
    case GRI_MSG_WAKE:
        return gri_is_proxy(self) ? GRI_TAKE_GIVE : GRI_TAKE_DONE;
    case GRI_MSG_KILL:
    case GRI_MSG_METERED: /* not any more, see handle_other */
    case GRI_MSG_NOP:
    case GRI_MSG_CONFIRM: /* never here */
        break;
    }
    return GRI_TAKE_DONE;
}

static gr_receive_fn *handler_for(const gr_behavior *b, const gr_msg *msg)
{
    if (b->handlers != NULL) {
        gr_reader r = gr_msg_reader(msg);
        gr_str tag;
        if (gr_read_str(&r, &tag) == 0) {
            for (const gr_handler *h = b->handlers; h->tag != NULL; h++) {
                if (strlen(h->tag) == tag.len &&
                    memcmp(h->tag, tag.ptr, tag.len) == 0) {
                    return h->receive;
                }
            }
        }
    }
    return b->receive;
}

/* Calls the program for a message. */
GRI_CALLS_ACTORS static inline void call(gr_actor *self, gr_msg *msg)
{
    const gr_behavior *b = gri_behavior(self);
    gr_receive_fn *fn = b->receive;
    if (b->handlers != NULL) {
        fn = handler_for(b, msg);
    }
    self->ctx->current = msg;
    int rc = fn != NULL ? fn(self, self->state, msg) : gr_unhandled(self, msg);
    if (rc < 0) {
        gri_exit_error(self, rc, "receive");
    } else if ((msg->flags & (GRI_MSG_ASKED | GRI_MSG_LENT)) != 0) {
        gri_after_handler(self, msg);
    }
}

static inline void count_handled(gr_actor *self, const gr_msg *msg)
{
    GRI_TALLY(self->ctx, handled);
    gri_account_in(self, msg);
}

/* The same, and a periodic timer is armed anew. */
GRI_CALLS_ACTORS static void call_and_rearm(gr_actor *self, gr_msg *msg)
{
    call(self, msg);
    if (msg->kind == GRI_MSG_TIMER && !gri_is_stashed(self, msg)) {
        gri_timer_done(self, msg);
    }
}

/* Gives what is not a usual message to the program. */
GRI_CALLS_ACTORS static __attribute__((noinline)) void give(gr_actor *self,
                                                            gr_msg *msg)
{
    const bool is_timer = msg->kind == GRI_MSG_TIMER;
    gri_count_callback(self->ctx);
    if (is_timer) { /* it becomes a message only now */
        GRI_TALLY(self->ctx, sent);
        count_handled(self, msg);
    }
    const bool own = is_timer && gri_is_host(self->sys);
    if (own) {
        gri_hosted_begins(self, NULL);
    }
    call_and_rearm(self, msg);
    if (own) {
        gri_hosted_after(self, NULL);
    }
}

/* True when the alert is for this run: it is over. */
static bool is_killed(gr_actor *self)
{
    /* acquire: pairs with the release of gr_kill, and of send.c's at_bound,
     * which set `over` before. */
    uint32_t alert =
        atomic_load_explicit(&self->outlet.alert, memory_order_acquire);
    if (!gri_is_alert_kill(alert, self->now)) {
        return false;
    }
    gr_exit_reason why = {.kind = GR_EXIT_KILLED};
    /* relaxed: see above. */
    if (atomic_load_explicit(&self->over, memory_order_relaxed) ==
        gri_over_mark(self->now)) {
        why = gri_over_reason(self);
    } else if (gri_deadline_missed(self)) {
        why = (gr_exit_reason){GR_EXIT_LIMIT, GR_ETIMEOUT, "handler deadline"};
    }
    if (gri_is_proxy(self) && gri_proxy_killed(self, &why)) {
        return false;
    }
    /* Only what was killed itself ends without terminate: not what is linked to
     * it, and hears of it as of any other end. */
    self->begun = self->begun && why.kind != GR_EXIT_KILLED;
    /* The first reason counts, but nothing outranks a kill. */
    self->todo &= GRI_DO_REPLAY;
    gri_exit_set(self, &why);
    return true;
}

/* The inbox is empty: leaves a small block in it, not a large one. False: there
 * is no memory, and the large one stays until the next message. */
static bool shed_large_stub(gr_actor *self)
{
    gr_msg *stub = gri_msg_new(self->ctx->cache, 0);
    if (stub == NULL) {
        return false;
    }
    stub->kind = GRI_MSG_NOP;
    stub->run = self->now;
    (void)gri_inbox_push(&self->inbox, stub, false);
    return true;
}

/* Whether the turn has taken its time, after n messages: 8, 16, and then each
 * LOOK_EACH, so that they pay next to nothing. */
static __attribute__((noinline)) bool is_time_over(gri_ctx *ctx, unsigned n)
{
    int64_t now_ns = gri_clock_ns(&ctx->sys->clock);
    if (n == FIRST_LOOK) {
        ctx->turn_ns = now_ns;
    }
    return now_ns - ctx->turn_ns > TURN_MS * GRI_NS_PER_MS;
}

/* Whether the turn is to end for its time, after n messages. The first few may
 * each take long: that is looked at after each of them, by a clock that is not
 * exact, and cheap. A turn of one message does not come here. */
static inline bool is_long(gri_ctx *ctx, unsigned n)
{
    const bool over = n < FIRST_LOOK
                          ? gri_sched_is_late(ctx->worker)
                          : (n % LOOK_EACH == 0 || (n & (n - 1)) == 0) &&
                                is_time_over(ctx, n);
    if (over) {
        gri_sched_look(ctx->worker);
    }
    return over;
}

/* Ends a killed run before the message in hand is handled. A link or a monitor
 * in hand still came in time (see take_waiting_ties in exit.c). */
static void end_killed(gr_actor *self, gr_msg *msg)
{
    self->ctx->unburied = msg; /* also if a hook does not return */
    if (msg->run == self->now &&
        (msg->kind == GRI_MSG_LINK || msg->kind == GRI_MSG_MONITOR)) {
        (void)gri_on_link_signal(self, msg); /* is never for the program */
        msg->kind = GRI_MSG_NOP;
    }
    gri_end_run(self);
    self->ctx->unburied = NULL;
    if (gri_is_between(self)) {
        gri_stay_unpop(self, msg);
    }
}

/* What is to be handled first: msg, or what may go before it; a killed run
 * ends, and msg is to be buried. */
static gr_msg *heed_alert(gr_actor *self, gr_msg *msg)
{
    if (is_killed(self)) {
        end_killed(self, msg);
        return msg;
    }
    /* Without one it was a kill that a proxy has heard. */
    return gri_has_lane(self) ? gri_lane_overtake(self, msg) : msg;
}

/* Whether there is an alert for the run that lives here. */
static inline bool is_alerted(const gr_actor *self)
{
    /* relaxed: whoever set it before a push that was popped is seen, and
     * heed_alert looks again. */
    return atomic_load_explicit(&self->outlet.alert, memory_order_relaxed) >=
           self->now;
}

/* A run has begun that is a stable actor's, or a thread's. False: as below. */
static __attribute__((noinline)) bool begun_elsewhere(gr_actor *self)
{
    if (gri_is_stable(self)) {
        gri_stay_begun(self);
        return true;
    }
    gri_thread_ring(self->ctx, self);
    return false;
}

/* Deals with what is not simply a message for the run that lives here. False:
 * the actor was handed over to a thread, and is not ours any more. */
GRI_CALLS_ACTORS static __attribute__((noinline)) bool
handle_other(gr_actor *self, gr_msg *msg)
{
    self->ctx->current = NULL;
    /* START belongs to the run that it begins; all else must first see whether
     * that run is to go on. */
    const bool starts = msg->kind == GRI_MSG_START;
    if (!starts && self->now != 0 && is_alerted(self)) {
        msg = heed_alert(self, msg);
        if (gri_is_between(self)) {
            return true; /* it is for the next run */
        }
    }
    if (msg->kind == GRI_MSG_METERED) {
        gri_limit_discharge(self, msg);
    }
    if (!starts && msg->run != self->now) {
        gri_bury(self->ctx,
                 (gr_pid){self->sys->node, gri_id(msg->run, gri_index(self))},
                 msg, GRI_WHY_NOPROC);
    } else if (msg->kind == GRI_MSG_USER) {
        count_handled(self, msg);
        call(self, msg);
    } else if (gri_take_in(self, msg) == GRI_TAKE_GIVE) {
        give(self, msg);
    }
    if (gri_is_host(self->sys)) {
        gri_hosted_passed(self, msg);
    }
    /* relaxed: we are the consumer, who writes it. */
    return !starts ||
                   atomic_load_explicit(&self->place, memory_order_relaxed) ==
                       GRI_PLACE_WORKER
               ? true
               : begun_elsewhere(self);
}

/* A message for the run that lives here, which has no alert. */
static inline bool is_usual(const gr_actor *self, const gr_msg *msg)
{
    return msg->kind == GRI_MSG_USER && msg->run == self->now &&
           !is_alerted(self);
}

/* The inbox is empty. True: the actor is idle, and not ours any more. */
static inline bool go_idle(gr_actor *self)
{
    const gr_msg *head = self->outlet.head;
    if (head->class_ > STUB_CLASS_MAX && head->kind != GRI_MSG_NOP &&
        shed_large_stub(self)) {
        return false;
    }
    /* Whoever pushes next schedules it. */
    return gri_inbox_idle(&self->inbox, &self->outlet);
}

/* Does what a callback left to be done. True: messages are to be given again.
 */
static __attribute__((noinline)) bool do_todo(gr_actor *self)
{
    if (gri_exiting(self)) {
        gri_end_run(self);
    }
    return self->todo != 0;
}

/* What follows a message. */
typedef enum after {
    AFTER_GONE,  /* self is not ours any more */
    AFTER_NEXT,  /* the next one */
    AFTER_REPLAY /* first those that are to be given again */
} after;

/* Deals with what came. */
GRI_CALLS_ACTORS static inline after handle(gr_actor *self, gr_msg *msg)
{
    if (__builtin_expect(is_usual(self, msg), 1)) {
        count_handled(self, msg);
        call(self, msg);
    } else if (!handle_other(self, msg)) {
        return AFTER_GONE;
    }
    if (__builtin_expect(self->todo != 0, 0) && do_todo(self)) {
        return AFTER_REPLAY;
    }
    return AFTER_NEXT;
}

void gri_given_again(gr_actor *self, gr_msg *msg, bool ended)
{
    self->ctx->current = NULL;
    if (gri_is_between(self)) {
        return; /* it was seen to */
    }
    if (!ended && gri_is_stable(self) && (msg->flags & GRI_MSG_SAVED) == 0) {
        gri_stay_handled(self, msg);
    }
    if (ended) {
        msg->flags &= (uint16_t)~GRI_MSG_KEPT;
    }
    if (msg == self->outlet.head || (msg->flags & GRI_MSG_SAVED) != 0) {
        return; /* gri_next frees it, or it was stashed again */
    }
    if ((msg->flags & GRI_MSG_KEPT) != 0) {
        gri_kept_add(self, msg);
    } else {
        gri_msg_free(self->ctx->cache, msg);
    }
}

/* Gives a message again that was in the stash, and ends it. */
GRI_CALLS_ACTORS static void give_again(gr_actor *self, gr_msg *msg)
{
    gri_count_callback(self->ctx);
    if (msg->kind == GRI_MSG_USER || msg->kind == GRI_MSG_TIMER) {
        GRI_TALLY(self->ctx, handled);
    }
    if (msg->kind == GRI_MSG_TIMER) {
        GRI_TALLY(self->ctx, sent);
    }
    if (gri_is_host(self->sys)) {
        gri_hosted_begins(self, msg);
    }
    call_and_rearm(self, msg);
    const bool ends = gri_exiting(self);
    if (ends) {
        gri_end_run(self); /* answers whoever asked, kept or not */
    }
    gri_given_again(self, msg, ends);
}

/* Whether something comes before the inbox. */
static inline bool is_held_up(const gr_actor *self)
{
    return (self->todo & (GRI_DO_REPLAY | GRI_IS_PAUSED)) != 0;
}

/* Gives what gr_unstash gave back; the turn has had n messages. Returns how
 * many it has had then. If some are left the turn is over for the same reason,
 * and the next one begins with them. */
GRI_CALLS_ACTORS static unsigned replay(gr_actor *self, unsigned n)
{
    gri_ctx *ctx = self->ctx;
    ctx->current = NULL;
    for (; is_held_up(self) && n < TURN_MESSAGES && ctx->sends < TURN_SENDS;
         n++) {
        /* One that gives back one is what many turns are. */
        if (n >= 2 && is_long(ctx, n)) {
            return TURN_MESSAGES;
        }
        if (is_killed(self)) {
            gri_end_run(self);
            break;
        }
        if ((self->todo & GRI_IS_PAUSED) != 0) {
            if (!gri_proxy_pump(self)) {
                return TURN_MESSAGES;
            }
            continue;
        }
        give_again(self, gri_stash_take(self));
    }
    return n;
}

/* The messages that surely wait behind the n-th. */
static unsigned waits_behind(gr_actor *self, unsigned n)
{
    /* relaxed, both: about so many. */
    const uint32_t depth =
        atomic_load_explicit(&self->inbox.queued, memory_order_relaxed) -
        atomic_load_explicit(&self->outlet.taken, memory_order_relaxed);
    return (int32_t)depth > 2 * GRI_AHEAD ? n + depth - 2 * GRI_AHEAD : 0;
}

/* A turn goes on after n messages. */
GRI_CALLS_ACTORS static __attribute__((noinline)) void go_on(gr_actor *self,
                                                             unsigned n)
{
    gri_ctx *ctx = self->ctx;
    unsigned fetch_to = 0; /* up to which message others are fetched ahead */
    while (n < TURN_MESSAGES && ctx->sends < TURN_SENDS) {
        if (n > 0 && is_long(ctx, n)) {
            break;
        }
        gr_msg *msg;
        gri_pop pop = gri_next(self, &msg);
        if (pop != GRI_POP_MSG) {
            /* Even with an empty inbox a sender is slowed down. */
            if (pop == GRI_POP_BUSY || ctx->pressed != NULL) {
                break;
            }
            if (ctx->kept) {
                gri_settle(ctx);
            } else if (go_idle(self)) {
                return;
            }
            continue;
        }
        if (n < fetch_to) {
            gri_msg_fetch_ahead(msg);
        } else if (n == FIRST_FETCH) {
            fetch_to = waits_behind(self, n);
        }
        const after then = handle(self, msg);
        if (then == AFTER_GONE) {
            return;
        }
        n++;
        if (then == AFTER_REPLAY) {
            n = replay(self, n);
        }
    }
    if (is_held_up(self)) {
        gri_stash_shut(self);
    }
    if (ctx->kept) {
        gri_settle(ctx);
    }
    if (ctx->pressed != NULL && self->now != 0 && gri_slow_down(self)) {
        return; /* suspended: not ours any more */
    }
    if ((self->todo & GRI_IS_PAUSED) != 0 && gri_pause(self)) {
        return; /* likewise */
    }
    gri_sched_again(ctx->worker, &self->task);
}

/* A turn goes on after n messages, 0 or 1, with what is to be given again. */
GRI_CALLS_ACTORS static __attribute__((noinline)) void
go_on_again(gr_actor *self, unsigned n)
{
    n = replay(self, n);
    if (self->todo == 0 && gri_inbox_is_empty(&self->outlet) &&
        self->ctx->pressed == NULL && !self->ctx->kept && go_idle(self)) {
        return;
    }
    go_on(self, n);
}

/* A turn begins with what the one before had no room for, or between two runs.
 */
GRI_CALLS_ACTORS static __attribute__((noinline)) void
go_on_open(gr_actor *self)
{
    if (!gri_is_between(self)) {
        gri_stash_open(self);
    } else if (!gri_stay_turn(self)) {
        return;
    }
    go_on_again(self, 0);
}

/* One message, and idle again, is what most turns are: that is done here, with
 * little to save and restore; the rest in go_on. */
GRI_CALLS_ACTORS static void run_actor(gri_worker *worker, gri_task *task)
{
    gr_actor *self = GRI_CONTAINER(task, gr_actor, task);
    gri_enter(self, worker->user);
    gr_msg *msg;
    if (gri_next(self, &msg) != GRI_POP_MSG) {
        if (self->todo != 0) {
            go_on_open(self);
        } else {
            go_on(self, 0);
        }
        return;
    }
    const after then = handle(self, msg);
    if (then != AFTER_NEXT) {
        if (then == AFTER_REPLAY) {
            go_on_again(self, 1);
        }
        return;
    }
    if (gri_inbox_is_empty(&self->outlet) && self->ctx->pressed == NULL &&
        !self->ctx->kept && go_idle(self)) {
        return;
    }
    go_on(self, 1);
}

static void timer_fired(gri_worker *worker, const gri_fired *fired)
{
    gri_timer_fired(worker->user, fired);
}

const gri_sched_ops gri_actor_ops = {
    .run = run_actor,
    .fired = timer_fired,
    .trap = &gri_guard_ops,
    .faulted = gri_faulted,
    .watched = gri_watch_look,
    .short_of_spares = gri_watch_short,
    .fired_outside = gri_watch_fired,
    .note = gri_watch_note,
};
