/*
 * actors/proxy.c - see proxy.h.
 *
 * A pause is a suspension as that of a slowed sender (slow.c), of whose
 * protocol it is one more user: the inbox is not idle, so no push schedules it;
 * whoever takes its entry out of sys->waits does. Before, its inbox is shut as
 * for messages that are to be given again (stash.c), so that the next turn
 * comes to replay and from there to gri_proxy_pump, and takes no message.
 */
#include "actors/proxy.h"

#include <string.h>

#include "actors/account.h"
#include "actors/confirm.h"
#include "actors/internal.h"
#include "mailbox/near.h"

/* ---- spawning -------------------------------------------------------------
 */

static int64_t first_ms(int64_t a, int64_t b, int64_t c)
{
    return a != 0 ? a : b != 0 ? b : c;
}

static size_t first_size(size_t a, size_t b, size_t c)
{
    return a != 0 ? a : b != 0 ? b : c;
}

int gri_proxy_behavior(gr_actor *self, const gr_behavior *user,
                       const gr_spawn_opts *opts, const gr_behavior **out)
{
    gr_system *sys = self->sys;
    gri_processes *processes = gri_processes_of(sys);
    if (processes == NULL) {
        gri_log_write(&sys->log, GR_LOG_ERROR,
                      "%s is to run in a process, which needs gr_main, or "
                      "gr_child_main and gr_processes_enable",
                      user->name);
        return GR_ENOTSUP;
    }
    const gr_limits *o = &opts->limits;
    const gr_limits *u = &user->limits;
    const gr_limits *d = &sys->opts.limits;
    const gr_limits limits = {
        .memory_max = first_size(o->memory_max, u->memory_max, d->memory_max),
        .handler_max_ms =
            first_ms(o->handler_max_ms, u->handler_max_ms, d->handler_max_ms),
        .address_space_max = first_size(
            o->address_space_max, u->address_space_max, d->address_space_max),
        .file_size_max =
            first_size(o->file_size_max, u->file_size_max, d->file_size_max),
        .cpu_max_s =
            (uint32_t)first_size(o->cpu_max_s, u->cpu_max_s, d->cpu_max_s),
        .files_max =
            (uint32_t)first_size(o->files_max, u->files_max, d->files_max),
        .seccomp = o->seccomp || u->seccomp || d->seccomp,
    };
    return processes->behavior(processes, user, &limits, out);
}

int gri_processes_install(gr_system *sys, gri_processes *processes)
{
    gri_processes *none = NULL;
    /* release: pairs with the acquire in gri_processes_of. */
    return atomic_compare_exchange_strong_explicit(
               &sys->processes, &none, processes, memory_order_release,
               memory_order_relaxed)
               ? 0
               : GR_EEXIST;
}

gri_processes *gri_processes_of(gr_system *sys)
{
    /* acquire: pairs with gri_processes_install. */
    return atomic_load_explicit(&sys->processes, memory_order_acquire);
}

const gr_system_opts *gri_system_opts(gr_system *sys)
{
    return &sys->opts;
}

/* ---- turns ----------------------------------------------------------------
 */

const gr_behavior *gri_proxy_behavior_of(const gr_actor *self)
{
    return gri_behavior(self);
}

void gri_proxy_pause(gr_actor *self)
{
    self->todo |= GRI_IS_PAUSED;
}

void gri_proxy_go_on(gr_actor *self)
{
    self->todo &= (uint8_t)~GRI_IS_PAUSED;
}

bool gri_proxy_pump(gr_actor *self)
{
    gri_processes *processes = gri_processes_of(self->sys);
    processes->pump(processes, self, self->state);
    if (gri_exiting(self)) {
        gri_end_run(self);
        return true;
    }
    return (self->todo & GRI_IS_PAUSED) == 0;
}

bool gri_proxy_killed(gr_actor *self, const gr_exit_reason *why)
{
    gri_processes *processes = gri_processes_of(self->sys);
    if (!self->begun || !processes->killed(processes, self, self->state, why)) {
        return false;
    }
    /* Heard. relaxed: only compared, and a later one comes again. */
    atomic_store_explicit(&self->outlet.alert, 0, memory_order_relaxed);
    return true;
}

void gri_proxy_tied(gr_actor *self, const gr_msg *msg)
{
    if (self->begun) {
        gri_processes *processes = gri_processes_of(self->sys);
        processes->tied(processes, self, self->state, msg);
    }
}

/* ---- what it does for its process -----------------------------------------
 */

void gri_proxy_started(gr_actor *self, gr_pid parent)
{
    /* relaxed, both: set before the run was published; gri_system_stop may see
     * it a moment late. */
    const unsigned traits =
        atomic_load_explicit(&self->traits, memory_order_relaxed);
    if ((traits & GRI_OWES_ACK) == 0) {
        return;
    }
    atomic_fetch_and_explicit(&self->traits, (uint8_t)~GRI_OWES_ACK,
                              memory_order_relaxed);
    if (gri_send_new_signal(self->ctx, gri_pid_of(self), parent,
                            GRI_MSG_STARTED, 0) < 0) {
        gri_exit_error(self, GR_ENOMEM, "start");
    }
}

gr_msg *gri_proxy_msg(gr_actor *self, gri_msg_kind kind, const void *payload,
                      size_t len, bool trailer)
{
    gri_cache *cache = self->ctx->cache;
    if (trailer) {
        return gri_msg_signal(cache, kind, payload, len);
    }
    gr_msg *msg = gri_msg_new(cache, len);
    if (msg != NULL) {
        msg->kind = (uint8_t)kind;
        msg->len = (uint32_t)len;
        memcpy(gri_msg_payload(msg), payload, len);
    }
    return msg;
}

bool gri_proxy_flat(gr_actor *self, const gr_msg *msg, gr_msg **flat,
                    gr_any *out)
{
    *flat = NULL;
    if (gri_msg_owns(msg)) {
        *flat = gri_blobs_flatten(self->ctx->cache, msg);
        if (*flat == NULL) {
            return false;
        }
        msg = *flat;
    }
    *out = (gr_any){gri_msg_data(msg), msg->len};
    return true;
}

void gri_proxy_free(gr_actor *self, gr_msg *flat)
{
    if (flat != NULL) {
        gri_msg_free(self->ctx->cache, flat);
    }
}

void gri_proxy_lost(gr_actor *self, gr_pid to)
{
    gri_bury_unsent(self->ctx, to, gri_pid_of(self));
}

void gri_proxy_send(gr_actor *self, gr_pid to, gr_msg *msg)
{
    gri_ctx *ctx = self->ctx;
    msg->from = gri_pid_of(self);
    gri_account_out(self, msg->len);
    const int rc = gri_send_user(ctx, to, msg);
    if (rc < 0) {
        GRI_TALLY(ctx, sent);
        gri_bury(ctx, to, msg,
                 rc == GR_EAGAIN    ? GRI_WHY_FULL
                 : rc == GR_ENOCONN ? GRI_WHY_NOCONNECTION
                                    : GRI_WHY_REFUSED);
        gri_msg_free(ctx->cache, msg);
    }
}

int gri_proxy_ask(gr_actor *self, gr_pid to, gr_continuation then, gr_msg *msg)
{
    return gri_ask_with(self, to, GR_FOREVER, then, msg);
}

int gri_proxy_confirm(gr_actor *self, gr_pid to, gr_continuation then,
                      gr_msg *msg)
{
    return gri_confirm_with(self, to, then, msg);
}

int gri_proxy_reply(gr_actor *self, const gr_msg *to, gr_msg *reply)
{
    return gri_reply_with(self, to, reply);
}

/* The runtime's own block: const is a promise to the program. */
static gr_msg *mutable_msg(const gr_msg *msg)
{
    return (gr_msg *)(uintptr_t)msg;
}

void gri_proxy_bury(gr_actor *self, const gr_msg *kept)
{
    (void)self;
    if (kept->kind == GRI_MSG_USER && !gri_near_is_over(kept)) {
        mutable_msg(kept)->flags |= GRI_MSG_SAVED; /* see gri_kept_end */
    }
}

void gri_proxy_lose(gr_actor *self, const gr_msg *msg)
{
    GRI_UNTALLY(self->ctx, handled);
    gri_bury(self->ctx, gri_pid_of(self), mutable_msg(msg), GRI_WHY_NOPROC);
}

void gri_proxy_unhandled(gr_actor *self, const gr_msg *kept)
{
    if (kept->kind == GRI_MSG_USER && !gri_near_is_over(kept)) {
        GRI_UNTALLY(self->ctx, handled);
        gri_bury(self->ctx, gri_pid_of(self), mutable_msg(kept),
                 GRI_WHY_UNHANDLED);
        gri_near_over(mutable_msg(kept));
    }
}

void gri_proxy_end(gr_actor *self, const gr_exit_reason *why, const gr_msg *at,
                   const gri_fault *fault)
{
    /* It is in hand: named in reports, and whoever asked hears of the end. */
    self->ctx->current = mutable_msg(at);
    if (!gri_exiting(self) && why->kind == GR_EXIT_SIGNAL) {
        self->ctx->fault = fault; /* until gri_crash_make, in this turn */
    }
    gri_exit_set(self, why);
}

/* ---- waking it ------------------------------------------------------------
 */

bool gri_proxy_wake(gr_system *sys, gri_cache *cache, gr_pid proxy, bool signal)
{
    gri_ctx ctx;
    gri_ctx_init(&ctx, sys, NULL, cache, 0);
    if (signal) {
        gr_msg *msg = gri_msg_signal(cache, GRI_MSG_WAKE, NULL, 0);
        if (msg == NULL) {
            return false;
        }
        gri_send_signal(&ctx, proxy, msg);
    }
    gri_unpause(&ctx, proxy);
    return true;
}
