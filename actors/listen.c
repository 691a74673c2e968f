/*
 * actors/listen.c - actors that are told of what happens to their system: dead
 * letters, crashes. As a best effort, and at nobody else's cost.
 */
#include <stdlib.h>

#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/limits.h"

/* The i-th that lives. */
static bool listener_at(gr_system *sys, const gri_listeners *of, unsigned i,
                        gr_pid *out)
{
    bool found = false;
    (void)pthread_mutex_lock(&sys->lock);
    for (gri_listener *l = of->first; l != NULL && !found; l = l->next) {
        if (gri_slot_lives(&sys->slots[gri_pid_index(l->pid)],
                           gri_pid_run(l->pid)) &&
            i-- == 0) {
            *out = l->pid;
            found = true;
        }
    }
    (void)pthread_mutex_unlock(&sys->lock);
    return found;
}

/* Gives a watcher its report, unless it is behind with its mail already: a
 * report is nobody's business but the watcher's, so it never slows the thread
 * that makes it, is not refused to anybody, and triggers no policy. */
static void give_report(gri_ctx *ctx, gr_pid watcher, gr_msg *report)
{
    gr_actor *slot = gri_slot_of(ctx->sys, watcher);
    uint32_t soft = gri_soft_of(slot);
    if (soft == 0) { /* its mail waits in a lane */
        report->flags |= GRI_MSG_NO_REPORT;
        if (gri_lane_offer(ctx, watcher, slot, report) < 0) {
            gri_msg_free(ctx->cache, report);
        }
        return;
    }
    if (gri_inbox_depth(&slot->inbox, &slot->outlet, soft) >= soft) {
        gri_msg_free(ctx->cache, report);
        return;
    }
    report->flags |= GRI_MSG_NO_REPORT;
    report->run = gri_pid_run(watcher);
    GRI_TALLY(ctx, sent);
    gri_push(ctx, slot, report, true);
}

void gri_listeners_tell(gri_ctx *ctx, const gri_listeners *of, gr_pid but,
                        const gr_value *values, uint32_t n)
{
    gr_pid watcher;
    for (unsigned i = 0; listener_at(ctx->sys, of, i, &watcher); i++) {
        if (gr_pid_eq(watcher, but)) {
            continue;
        }
        gr_msg *m = gri_pack(&ctx->builder, values, n, false);
        if (m == NULL) {
            return; /* a best effort; the counters have it */
        }
        give_report(ctx, watcher, m);
    }
}

int gri_listen(gr_actor *self, gri_listeners *to, bool on)
{
    gr_system *sys = self->sys;
    gr_pid me = gri_pid_of(self);
    gri_listener *fresh = NULL;
    if (on) {
        fresh = malloc(sizeof *fresh);
        if (fresh == NULL) {
            return GR_ENOMEM;
        }
        fresh->pid = me;
    }
    (void)pthread_mutex_lock(&sys->lock);
    gri_listener **at = &to->first;
    while (*at != NULL) {
        gri_listener *l = *at;
        bool gone = !gri_slot_lives(&sys->slots[gri_pid_index(l->pid)],
                                    gri_pid_run(l->pid));
        if (gone || gr_pid_eq(l->pid, me)) {
            *at = l->next;
            free(l);
        } else {
            at = &l->next;
        }
    }
    if (fresh != NULL) {
        fresh->next = to->first;
        to->first = fresh;
    }
    /* relaxed: who begins to listen is told from some moment on. */
    atomic_store_explicit(&to->any, to->first != NULL, memory_order_relaxed);
    (void)pthread_mutex_unlock(&sys->lock);
    return 0;
}

void gri_listeners_fini(gri_listeners *of)
{
    while (of->first != NULL) {
        gri_listener *l = of->first;
        of->first = l->next;
        free(l);
    }
}
