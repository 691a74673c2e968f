/*
 * actors/exit.c - how a run ends: in order, and with nothing left behind.
 *
 * On the actor's own turn: terminate; its name ends and its hooks are called;
 * its links and monitors are told (behind all that it ever sent); the run
 * becomes even, so that senders see it gone; then its timers, asks, stashed and
 * kept messages end, its memory is freed, and the slot is given to the next.
 * What still stands in the inbox is buried by whoever consumes the slot next:
 * its messages are of a run that is over. Of a stable actor the pid stays, and
 * so do they (stay.h).
 */
#include <stdlib.h>
#include <string.h>

#include "actors/crash.h"
#include "actors/guard.h"
#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/record.h"
#include "actors/stay.h"
#include "sched/futex.h"

const char *gr_exit_kind_name(gr_exit_kind kind)
{
    static const char *const names[] = {"normal",       "shutdown", "error",
                                        "killed",       "limit",    "noproc",
                                        "noconnection", "signal"};
    return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind]
                                                           : "unknown";
}

static void copy_text(char *to, const char *text)
{
    size_t n = text == NULL ? 0 : strnlen(text, GR_EXIT_TEXT_MAX);
    if (n > 0) {
        memcpy(to, text, n);
    }
    to[n] = '\0';
}

/* Most ends need no more than a bit, and so no ext. */
static uint8_t plain_bit(gr_exit_kind kind, int code, const char *text)
{
    if (code != 0 || (text != NULL && text[0] != '\0')) {
        return 0;
    }
    return kind == GR_EXIT_NORMAL     ? GRI_IS_NORMAL
           : kind == GR_EXIT_SHUTDOWN ? GRI_IS_SHUTDOWN
                                      : 0;
}

void gri_exit_set(gr_actor *self, const gr_exit_reason *why)
{
    if (gri_exiting(self)) {
        return;
    }
    const uint8_t plain = plain_bit(why->kind, why->code, why->text);
    self->todo |= GRI_DO_EXIT | plain;
    gri_ext *ext = plain != 0 ? NULL : gri_ext_of(self);
    if (ext != NULL) { /* else the end has no reason but "no memory" */
        ext->why = *why;
    }
}

/* False: there was no memory for it. */
static bool read_reason(const gr_actor *self, gr_exit_reason *why)
{
    const unsigned plain = self->todo & (GRI_IS_NORMAL | GRI_IS_SHUTDOWN);
    if (plain != 0) {
        why->kind = plain == GRI_IS_NORMAL ? GR_EXIT_NORMAL : GR_EXIT_SHUTDOWN;
        why->code = 0;
        why->text[0] = '\0';
    } else if (self->ext != NULL) {
        *why = self->ext->why;
    } else {
        *why = (gr_exit_reason){GR_EXIT_ERROR, GR_ENOMEM, "no memory"};
        return false;
    }
    return true;
}

void gri_exit_error(gr_actor *self, int code, const char *where)
{
    gr_exit_reason why = {GR_EXIT_ERROR, code, ""};
    copy_text(why.text, where);
    gri_exit_set(self, &why);
}

void gr_exit(gr_actor *self, int code, const char *text)
{
    if (code == 0 && text == NULL && !gri_exiting(self)) {
        self->todo |= GRI_DO_EXIT | GRI_IS_NORMAL;
        return;
    }
    gr_exit_reason why = {GR_EXIT_ERROR, code, ""};
    if (code == 0) {
        why.kind = GR_EXIT_NORMAL;
    } else if (code == GR_ELIMIT) {
        why.kind = GR_EXIT_LIMIT;
    } else if (code == GR_ESTOPPED) {
        why = (gr_exit_reason){.kind = GR_EXIT_SHUTDOWN};
    }
    copy_text(why.text, text);
    gri_exit_set(self, &why);
}

void gri_exit_with(gr_actor *self, const gr_exit_reason *why)
{
    gri_exit_set(self, why);
}

bool gr_exit_reason_of(const gr_actor *self, gr_exit_reason *why)
{
    gr_exit_reason reason;
    if (!gri_exiting(self) || !read_reason(self, &reason)) {
        return false;
    }
    *why = reason;
    return true;
}

int gr_on_exit(gr_actor *self, void (*fn)(void *arg), void *arg)
{
    gri_ext *ext = gri_ext_of(self);
    gri_hook *hook = ext == NULL ? NULL : malloc(sizeof *hook);
    if (hook == NULL) {
        return GR_ENOMEM;
    }
    *hook = (gri_hook){ext->hooks, fn, arg};
    ext->hooks = hook;
    /* relaxed: gri_system_stop may see it a moment late. */
    atomic_fetch_or_explicit(&self->traits, GRI_SLOW_END, memory_order_relaxed);
    return 0;
}

static bool is_failure(const gr_exit_reason *why)
{
    return why->kind != GR_EXIT_NORMAL && why->kind != GR_EXIT_SHUTDOWN;
}

static void report_failure(gr_actor *self, const gr_exit_reason *why)
{
    gri_record_event(self->ctx, GRI_EVENT_CRASH, gri_pid_of(self).id, why->kind,
                     (uint64_t)why->code);
    gri_crash_make(self, why);
}

static void report(gr_actor *self, const gr_exit_reason *why)
{
    GRI_TALLY(self->ctx, exited);
    if (is_failure(why)) {
        GRI_TALLY(self->ctx, failed);
        report_failure(self, why);
    }
}

/* Before anybody hears of the end: who is started in its place finds what it
 * held outside free again. */
GRI_CALLS_ACTORS static __attribute__((noinline)) void run_hooks(gri_ext *ext)
{
    while (ext->hooks != NULL) {
        const gri_hook hook = *ext->hooks;
        free(ext->hooks);
        ext->hooks = hook.next; /* whether it returns or not: once */
        hook.fn(hook.arg);
    }
}

/* Once, whether it returns or not. */
GRI_CALLS_ACTORS static void call_terminate(gr_actor *self,
                                            const gr_exit_reason *why)
{
    const gr_behavior *b = gri_behavior(self);
    if (self->begun && b != NULL && b->terminate != NULL) {
        self->begun = false;
        gri_count_callback(self->ctx);
        if (gri_is_host(self->sys)) {
            gri_hosted_begins(self, NULL);
        }
        b->terminate(self, self->state, why);
    }
}

static void free_ext(gr_actor *self)
{
    gri_ext *ext = self->ext;
    self->ext = NULL;
    gri_arena_end(ext);
    gri_blobs_end(ext);
    gri_map_fini(&ext->links);
    gri_map_fini(&ext->monitors);
    gri_map_fini(&ext->watchers);
    gri_map_fini(&ext->asks);
    gri_map_fini(&ext->timers);
    free(ext);
}

/* Links and monitors that wait in the inbox still came in time: they are told
 * the real reason, above all when a kill overtook them. What a push has not
 * linked yet came too late, and is told so when it is buried. */
static void take_waiting_ties(gr_actor *self)
{
    gr_msg *msg = self->outlet.head;
    /* acquire: pairs with the linking release in gri_inbox_push. */
    while ((msg = atomic_load_explicit(&msg->next, memory_order_acquire)) !=
           NULL) {
        bool is_tie =
            msg->kind == GRI_MSG_LINK || msg->kind == GRI_MSG_UNLINK ||
            msg->kind == GRI_MSG_MONITOR || msg->kind == GRI_MSG_DEMONITOR;
        if (is_tie && msg->run == self->now) {
            (void)gri_on_link_signal(self, msg); /* is never for the program */
            msg->kind = GRI_MSG_NOP;
        }
    }
}

/* The pid names nobody any more. */
static void end_pid(gr_actor *self)
{
    gri_ctx *ctx = self->ctx;
    /* release: who sees the run gone sees its name gone. Later sends are dead
     * letters at the sender; those on their way are buried by gri_next's
     * caller. seq_cst: with gri_system_stop, see gri_tell_stopper. */
    atomic_store_explicit(&self->run, self->now + 1, memory_order_seq_cst);
    /* An asked message in hand dies with us. */
    if (ctx->current != NULL) {
        gri_answer_status(ctx, ctx->current, GR_ENOPROC);
    }
    if (gri_has_lane(self)) {
        gri_lane_end(ctx, self);
    }
    if (self->ext != NULL) {
        gri_stash_end(self);
    }
    if (gri_is_stable(self)) {
        gri_stay_over(self);
    }
}

/* Frees what the run has, and sets the slot's fields as nobody's. */
static void free_run(gr_actor *self)
{
    if (self->ext != NULL) {
        gri_timers_end(self);
        gri_asks_end(self);
        gri_kept_end(self);
        free_ext(self);
    }
    if (self->state != NULL) {
        gri_block_free(self->ctx->cache, self->state, self->state_class);
        self->state = NULL;
    }
    self->ctx->current = NULL;
    gri_set_behavior(self, NULL);
    self->begun = false;
    self->todo = 0;
    self->now = 0;
}

GRI_CALLS_ACTORS void gri_end_run(gr_actor *self)
{
    gri_ctx *ctx = self->ctx;
    gr_system *sys = self->sys;
    gr_exit_reason why;
    (void)read_reason(self, &why); /* it says "no memory", too */
    call_terminate(self, &why);
    gri_lent_end(ctx); /* terminate's, or of a handler that failed */
    if ((self->todo & GRI_IS_ENDING) == 0) {
        self->todo |= GRI_IS_ENDING;
        report(self, &why);
    }
    take_waiting_ties(self);
    const bool stays = gri_is_stable(self) && gri_stay_outlives(self);
    /* Those who restart it hear of the end first, when its name is free and its
     * hooks have let go of what it held: so whoever learns of the end by any
     * other way and asks them finds that they know. */
    if (self->ext != NULL) {
        gri_note_end(ctx, gri_pid_of(self).id, &why);
        if (stays) {
            gri_stay_keep_name(self);
        }
        gri_names_end(self);
        run_hooks(self->ext);
        gri_links_end(self, &why);
        gri_stays_end(self);
    }
    if (gri_is_host(sys)) {
        gri_hosted_ended(self, &why);
    }
    if (stays) {
        gri_stay_hold(self, &why);
    } else {
        end_pid(self);
    }
    free_run(self);
    if (stays) {
        gri_stay_rest(self);
    } else {
        gri_slot_give(ctx, self);
        gri_tell_stopper(sys);
    }
}

void gri_end_faulted(gr_actor *self, const gr_exit_reason *why)
{
    const bool reported = (self->todo & GRI_IS_ENDING) != 0;
    gr_exit_reason before = {.kind = GR_EXIT_NORMAL};
    if (reported) {
        (void)read_reason(self, &before);
    }
    self->begun = false; /* what it believes of itself may not hold */
    /* The first reason counts, but not against this. */
    self->todo &= GRI_DO_REPLAY | GRI_IS_ENDING;
    gri_exit_set(self, why);
    if (reported) { /* it was a hook: one more failure to be told */
        if (!is_failure(&before)) {
            GRI_TALLY(self->ctx, failed);
        }
        report_failure(self, why);
    }
    gri_end_run(self);
}

void gri_tell_stopper(gr_system *sys)
{
    /* seq_cst, both: gri_system_stop sets the flag, then looks whether the run
     * lives, then sleeps on `exits`. */
    if (atomic_load_explicit(&sys->stopping, memory_order_seq_cst)) {
        atomic_fetch_add_explicit(&sys->exits, 1, memory_order_seq_cst);
        gri_futex_wake(&sys->exits, 1);
    }
}
