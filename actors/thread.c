/*
 * actors/thread.c - threads as actors: the program's own code, which waits.
 *
 * A thread actor is the consumer of its slot for as long as it is attached.
 * When its inbox is empty and it waits, it marks the inbox idle and sleeps on
 * its bell; the push that takes the mark away rings. A wait that times out
 * takes the role back first, or, if a push was faster, waits for its ring.
 */
#include <sched.h>
#include <stdlib.h>

#include "actors/account.h"
#include "actors/circle.h"
#include "actors/internal.h"
#include "actors/lane.h"
#include "sched/futex.h"

void gri_thread_hand_over(gri_thread *thread, gr_actor *self)
{
    if (self->ext == NULL) {
        self->ext = thread->ext;
        thread->ext = NULL;
    }
    self->ext->thread = thread;
    /* relaxed: senders see it through the inbox's idle mark. */
    atomic_store_explicit(&self->place, GRI_PLACE_THREAD, memory_order_relaxed);
}

void gri_thread_ring(gri_ctx *ctx, gr_actor *slot)
{
    gri_thread *thread = slot->ext->thread;
    bool is_sim = ctx->sys->sched.is_sim;
    /* release: pairs with the acquire in wait_bell; the role comes with it. */
    atomic_store_explicit(&thread->bell, 1, memory_order_release);
    /* Only the address is used from here on: the thread may be gone. */
    if (!is_sim) {
        gri_futex_wake(&thread->bell, 1);
    }
}

/* Waits for the bell. False: the deadline, or a signal that is waited for, came
 * first. */
static bool wait_bell(gri_thread *thread, int64_t deadline_ns)
{
    gr_system *sys = thread->ctx.sys;
    /* acquire: pairs with gri_thread_ring. */
    uint32_t bell;
    while (((bell = atomic_load_explicit(&thread->bell, memory_order_acquire)) &
            1) == 0) {
        if (thread->watches_signals && gri_signal_count() != thread->signals) {
            return false;
        }
        if (sys->sched.is_sim) {
            if (!gri_sim_step(sys, deadline_ns)) {
                return false;
            }
        } else {
            if (deadline_ns != GRI_NEVER &&
                gri_clock_ns(&sys->clock) >= deadline_ns) {
                return false;
            }
            gri_futex_wait(&thread->bell, bell, deadline_ns);
        }
    }
    return true;
}

/* The next message of the inbox. Errors: GR_ETIMEOUT. */
static int next_msg(gr_actor *self, int64_t deadline_ns, gr_msg **out)
{
    gri_thread *thread = self->ext->thread;
    for (;;) {
        gri_pop pop = gri_next(self, out);
        if (pop == GRI_POP_MSG) {
            return 0;
        }
        if (pop == GRI_POP_BUSY) {
            (void)sched_yield(); /* the pusher is between two stores */
            continue;
        }
        /* Nobody rings before the idle mark is set, but a signal handler may
         * have touched it. acquire: pairs with on_signal's release; what this
         * wipes away is seen in the count of signals instead. */
        (void)atomic_exchange_explicit(&thread->bell, 0, memory_order_acquire);
        if (!gri_inbox_idle(&self->inbox, &self->outlet)) {
            continue;
        }
        if (!wait_bell(thread, deadline_ns)) {
            if (gri_inbox_reclaim(&self->inbox)) {
                return GR_ETIMEOUT;
            }
            /* A push took the mark: its ring comes for certain, and at once. */
            bool watches = thread->watches_signals;
            thread->watches_signals = false;
            bool rung = wait_bell(thread, GRI_NEVER);
            thread->watches_signals = watches;
            GR_ASSERT(rung);
        }
    }
}

/* ---- messages in hand ------------------------------------------------------
 */

void gri_thread_end_given(gr_actor *self)
{
    gri_thread *thread = self->ext->thread;
    gr_msg *msg = thread->given;
    thread->given = NULL;
    gri_lent_end(self->ctx);
    if (msg == NULL) {
        return;
    }
    msg->flags &= (uint16_t)~GRI_MSG_SAVED;
    gri_after_handler(self, msg);
    if (msg == self->outlet.head) {
        return; /* gri_next frees it, or puts it into the kept */
    }
    if ((msg->flags & GRI_MSG_KEPT) != 0) {
        gri_kept_add(self, msg);
    } else {
        gri_msg_free(self->ctx->cache, msg);
    }
}

static void hold(gr_actor *self, gr_msg *msg)
{
    msg->flags |= GRI_MSG_SAVED;
    self->ext->thread->given = msg;
    if (msg->kind == GRI_MSG_USER || msg->kind == GRI_MSG_TIMER) {
        GRI_TALLY(self->ctx, handled);
        gri_account_in(self, msg);
    }
    if (msg->kind == GRI_MSG_TIMER) {
        GRI_TALLY(self->ctx, sent);
        gri_timer_done(self, msg);
    }
}

/* Whether a message need not be saved: it has said what it had to say, or goes
 * into the one that was saved last. */
static bool is_over(gr_actor *self, gr_msg *msg)
{
    const gri_thread *thread = self->ext->thread;
    gr_msg *last = thread->saved_first == NULL ? NULL : thread->saved_last;
    if (msg->kind == GRI_MSG_LANE && last != NULL &&
        last->kind == GRI_MSG_LANE) {
        gri_lane_merge(last, msg);
        return true;
    }
    if (msg->kind == GRI_MSG_WAITER && last == NULL) {
        gri_room_reached(self->ctx, msg); /* nothing waits before it */
        return true;
    }
    return msg->kind == GRI_MSG_URGENT || msg->kind == GRI_MSG_ROOM;
}

/* Sets a message aside for a later gr_receive. It still counts as waiting. */
static void save(gr_actor *self, gr_msg *msg)
{
    gri_thread *thread = self->ext->thread;
    if (is_over(self, msg)) {
        return; /* gri_next frees it */
    }
    msg->flags |= GRI_MSG_SAVED;
    if (msg->kind == GRI_MSG_USER) {
        gri_inbox_count_saved(&self->inbox, &self->outlet, msg);
    }
    msg->link = NULL;
    if (thread->saved_first == NULL) {
        thread->saved_first = msg;
    } else {
        thread->saved_last->link = msg;
    }
    thread->saved_last = msg;
}

/* Ends a saved one that is not for the program. */
static void end_saved(gr_actor *self, gr_msg *msg)
{
    if (msg->kind == GRI_MSG_WAITER) {
        gri_room_reached(self->ctx, msg);
    }
    msg->flags &= (uint16_t)~GRI_MSG_SAVED;
    if (msg != self->outlet.head) { /* else gri_next frees it */
        gri_msg_free(self->ctx->cache, msg);
    }
}

/* What was saved, in its order; a token of the lane stands for messages. */
static gr_msg *next_saved(gr_actor *self)
{
    gri_thread *thread = self->ext->thread;
    gr_msg *msg;
    while ((msg = thread->saved_first) != NULL) {
        gr_msg *of_lane =
            msg->kind == GRI_MSG_LANE ? gri_lane_take(self, msg) : NULL;
        if (of_lane != NULL) {
            return of_lane;
        }
        thread->saved_first = msg->link;
        if (msg->kind == GRI_MSG_USER) {
            gri_inbox_take_count(&self->outlet, 1);
        }
        if (msg->kind != GRI_MSG_LANE && msg->kind != GRI_MSG_WAITER) {
            return msg;
        }
        end_saved(self, msg);
    }
    return NULL;
}

/* What need not be waited for, urgent messages first. */
static gr_msg *next_here(gr_actor *self)
{
    gr_msg *msg = gri_has_lane(self) ? gri_lane_take_urgent(self) : NULL;
    return msg != NULL ? msg : next_saved(self);
}

void gri_thread_forget(gr_actor *self, gri_msg_kind kind, gr_pid from,
                       uint64_t ref)
{
    gri_stash_forget(self, kind, from, ref);
    gri_thread *thread = self->ext != NULL ? self->ext->thread : NULL;
    gr_msg **at = thread != NULL ? &thread->saved_first : NULL;
    gr_msg *before = NULL;
    while (at != NULL && *at != NULL) {
        gr_msg *msg = *at;
        if (msg->kind != kind || gri_msg_ref(msg) != ref ||
            (ref == 0 && !gr_pid_eq(msg->from, from))) {
            before = msg;
            at = &msg->link;
            continue;
        }
        *at = msg->link;
        if (thread->saved_last == msg) {
            thread->saved_last = before;
        }
        msg->flags &= (uint16_t)~GRI_MSG_SAVED;
        if (msg != self->outlet.head) { /* else gri_next frees it */
            gri_msg_free(self->ctx->cache, msg);
        }
    }
}

/* A kill cannot take a thread: it is told to stop. */
static void look_at_alert(gr_actor *self)
{
    gri_thread *thread = self->ext->thread;
    /* acquire: pairs with gri_kill. */
    if (!thread->killed &&
        gri_is_alert_kill(
            atomic_load_explicit(&self->outlet.alert, memory_order_acquire),
            self->now)) {
        thread->killed = true;
        gr_exit_reason why = {.kind = GR_EXIT_KILLED};
        /* relaxed: set before the alert. */
        if (atomic_load_explicit(&self->over, memory_order_relaxed) ==
            gri_over_mark(self->now)) {
            why = (gr_exit_reason){GR_EXIT_LIMIT, GR_ELIMIT, "mailbox full"};
        }
        gri_exit_set(self, &why);
    }
}

/*
 * Takes messages in until one is for the program's eyes: that goes to *out.
 * Answers (to nobody any more, or to `ref`) go to *out only if they are for
 * `ref`. Errors: GR_ETIMEOUT, GR_ESTOPPED if `stops` and the actor is to end.
 */
static int take_next(gr_actor *self, int64_t deadline_ns, uint64_t ref,
                     bool stops, gr_msg **out)
{
    bool was_exiting = gri_exiting(self);
    for (;;) {
        look_at_alert(self); /* a kill comes before the next message */
        if (gri_exiting(self) && (stops || !was_exiting)) {
            return GR_ESTOPPED; /* to a call once: later ones may still ask */
        }
        gr_msg *msg;
        GR_TRY(next_msg(self, deadline_ns, &msg));
        if (msg->run != self->now) {
            gri_bury(
                self->ctx,
                (gr_pid){self->sys->node, gri_id(msg->run, gri_index(self))},
                msg, GRI_WHY_NOPROC);
            continue;
        }
        gri_take take = gri_take_in(self, msg);
        if (take == GRI_TAKE_GIVE && msg->kind == GRI_MSG_REPLY) {
            if (ref == 0 || gri_msg_ref(msg) != ref) {
                GRI_TALLY(self->ctx, late_replies);
                continue;
            }
            GRI_TALLY(self->ctx, handled);
            gri_account_in(self, msg);
        }
        if (take == GRI_TAKE_GIVE) {
            *out = msg;
            return 0;
        }
    }
}

static bool is_thread(const gr_actor *self)
{
    return self->ext != NULL && self->ext->thread != NULL;
}

/* The next for the program, when nothing is saved. */
static int take_given(gr_actor *self, int64_t deadline_ns, gr_msg **out)
{
    for (;;) {
        GR_TRY(take_next(self, deadline_ns, 0, true, out));
        if (!gri_has_lane(self) && (*out)->kind != GRI_MSG_WAITER &&
            (*out)->kind != GRI_MSG_ROOM) {
            return 0;
        }
        /* An urgent message goes before it, or it stands for others. */
        save(self, *out);
        if ((*out = next_here(self)) != NULL) {
            return 0;
        }
    }
}

int gr_receive(gr_actor *self, int64_t timeout_ms, const gr_msg **out)
{
    if (!is_thread(self)) {
        return GR_ENOTSUP;
    }
    gri_thread_end_given(self);
    look_at_alert(self);
    gr_msg *msg = self->ext->thread->killed ? NULL : next_here(self);
    if (msg == NULL) {
        int64_t deadline_ns = gri_deadline(&self->sys->clock, timeout_ms);
        GR_TRY(take_given(self, deadline_ns, &msg));
    }
    hold(self, msg);
    *out = msg;
    return 0;
}

int gri_thread_save_next(gr_actor *self, int64_t deadline_ns)
{
    gr_msg *msg;
    GR_TRY(take_next(self, deadline_ns, 0, true, &msg));
    save(self, msg);
    return 0;
}

/* Lets time pass. */
static int wait_until(gr_actor *self, int64_t deadline_ns)
{
    int rc = 0;
    while (rc == 0) {
        rc = gri_thread_save_next(self, deadline_ns);
    }
    return rc;
}

int gr_sleep(gr_actor *self, int64_t ms)
{
    if (!is_thread(self)) {
        return GR_ENOTSUP;
    }
    gri_thread_end_given(self);
    int rc = wait_until(self, gri_deadline(&self->sys->clock, ms));
    return rc == GR_ETIMEOUT ? 0 : rc;
}

int gri_thread_wait_answer(gr_actor *self, int64_t deadline_ns, uint64_t ref,
                           gr_msg **out)
{
    for (;;) {
        GR_TRY(take_next(self, deadline_ns, ref, false, out));
        if ((*out)->kind == GRI_MSG_REPLY) {
            return 0;
        }
        save(self, *out);
    }
}

/* ---- coming and going -------------------------------------------------------
 */

static gri_thread *new_thread(gr_system *sys)
{
    gri_thread *thread = calloc(1, sizeof *thread);
    if (thread == NULL) {
        return NULL;
    }
    thread->ext = calloc(1, sizeof *thread->ext);
    if (thread->ext == NULL) {
        free(thread);
        return NULL;
    }
    thread->ext->arena_max = sys->opts.arena_max;
    atomic_init(&thread->bell, 0);
    gri_cache_init(&thread->cache, &sys->depot);
    (void)pthread_mutex_lock(&sys->lock);
    gri_ctx_init(&thread->ctx, sys, NULL, &thread->cache, ++sys->context_ids);
    thread->ctx.next = sys->contexts;
    sys->contexts = &thread->ctx;
    (void)pthread_mutex_unlock(&sys->lock);
    return thread;
}

static void free_thread(gri_thread *thread)
{
    gr_system *sys = thread->ctx.sys;
    gri_msgpack_free(&thread->ctx);
    gri_cache_flush(&thread->cache);
    (void)pthread_mutex_lock(&sys->lock);
    gri_counters_add(&sys->gone, &thread->ctx.counters);
    gri_ctx **at = &sys->contexts;
    while (*at != &thread->ctx) {
        at = &(*at)->next;
    }
    *at = thread->ctx.next;
    /* Inside the lock, which gri_threads_gone takes: the system stays until we
     * have left it. seq_cst, both: as in gri_end_run. */
    atomic_fetch_add_explicit(&sys->exits, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&sys->stopping, memory_order_seq_cst)) {
        gri_futex_wake(&sys->exits, 1);
    }
    (void)pthread_mutex_unlock(&sys->lock);
    free(thread->ext);
    gri_map_fini(&thread->rooms);
    free(thread);
}

/* The START found the inbox idle: this thread is its consumer from here on. */
static void take_start(gr_actor *self)
{
    for (;;) {
        gr_msg *msg;
        if (gri_next(self, &msg) != GRI_POP_MSG) {
            (void)sched_yield(); /* another push is between its two stores */
            continue;
        }
        if (msg->kind == GRI_MSG_START) {
            gri_begin_run(self, msg);
            return;
        }
        gri_bury(self->ctx,
                 (gr_pid){self->sys->node, gri_id(msg->run, gri_index(self))},
                 msg, GRI_WHY_NOPROC);
    }
}

int gr_thread_attach(gr_system *sys, const char *name, gr_actor **out)
{
    return gr_thread_attach_with(sys, &(gr_thread_opts){.name = name}, out);
}

int gr_thread_attach_with(gr_system *sys, const gr_thread_opts *opts,
                          gr_actor **out)
{
    static const gr_thread_opts defaults = {.name = NULL};
    opts = opts != NULL ? opts : &defaults;
    if (gri_is_host(sys)) {
        return GR_ENOTSUP; /* it has one actor, and no pid for another */
    }
    GR_TRY(gri_check_mailbox(sys, &opts->mailbox));
    gri_thread *thread = new_thread(sys);
    if (thread == NULL) {
        return GR_ENOMEM;
    }
    int rc = GR_ESTOPPED;
    gr_pid pid;
    bool wakes = false;
    gri_spawn how = {
        .thread = thread, .name = opts->name, .mailbox = &opts->mailbox};
    /* seq_cst: as in gri_spawn_run; here a thread that is late waits at most
     * for gri_system_stop to tell it. */
    if (!atomic_load_explicit(&sys->stopping, memory_order_seq_cst)) {
        rc = gri_spawn_run(&thread->ctx, &how, &pid, &wakes);
    }
    if (rc < 0) {
        free_thread(thread);
        return rc;
    }
    gr_actor *self = gri_slot_of(sys, pid);
    if (wakes) {
        gri_enter(self, &thread->ctx);
        take_start(self);
    } else {
        /* A worker consumes the slot's old mail, and hands over at START. */
        (void)wait_bell(thread, GRI_NEVER);
    }
    gri_enter(self, &thread->ctx);
    rc = gri_circle_join(self);
    if (rc < 0) {
        gr_thread_detach(self, 0);
        return rc;
    }
    *out = self;
    return 0;
}

void gr_thread_detach(gr_actor *self, int code)
{
    GR_ASSERT(is_thread(self));
    gri_thread *thread = self->ext->thread;
    gr_system *sys = self->sys;
    gr_pid me = gri_pid_of(self);
    gri_circle_leave(self);
    gri_thread_end_given(self);
    for (gr_msg *msg; (msg = next_saved(self)) != NULL;) {
        gri_bury(self->ctx, me, msg, GRI_WHY_NOPROC);
        msg->flags &= (uint16_t)~GRI_MSG_SAVED;
        if (msg != self->outlet.head) {
            gri_msg_free(self->ctx->cache, msg);
        }
    }
    gr_exit(self, code, code == 0 ? "" : "detached with an error");
    /* relaxed: senders see it through the inbox, which is not idle now. */
    atomic_store_explicit(&self->place, GRI_PLACE_WORKER, memory_order_relaxed);
    gri_end_run(self);
    /* A worker buries the rest and marks the inbox idle. */
    gri_sched_submit(&sys->sched, NULL, &self->task);
    free_thread(thread); /* last: then the system may end */
}

bool gri_threads_gone(gr_system *sys)
{
    (void)pthread_mutex_lock(&sys->lock);
    bool gone = sys->contexts == NULL;
    (void)pthread_mutex_unlock(&sys->lock);
    return gone;
}
