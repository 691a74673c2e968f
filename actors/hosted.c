/*
 * actors/hosted.c - see hosted.h.
 *
 * Each message from outside carries GRI_MSG_LENT, so that its handler's end
 * takes the way that gri_after_handler is: systems of other kinds pay nothing.
 * A stashed one gets the mark again, for the time when it is given again.
 */
#include "actors/hosted.h"

#include "actors/internal.h"
#include "mailbox/near.h"

bool gri_is_outside(const gr_system *sys, gr_pid pid)
{
    (void)pid; /* who asks has found that it is not the actor here */
    return sys->hosted != NULL;
}

int gri_hosted_system(const gr_system_opts *opts, uint64_t node,
                      gri_hosted *host, gr_system **out)
{
    GR_TRY(gri_system_start_as(opts, node, host, out));
    return gri_route_install(*out, &host->route, host);
}

int gri_hosted_spawn_actor(gr_system *sys, gri_cache *cache,
                           const gri_hosted_spawn *how)
{
    gri_ctx ctx;
    const gr_mailbox box = {.hard = how->hard};
    const gr_limits limits = {.memory_max = how->memory_max};
    gri_spawn spawn = {
        .behavior = how->behavior,
        .raw_args = how->args,
        .mailbox = &box,
        .limits = &limits,
        .parent = how->parent,
        .ack = true,
        .grade = GR_GRADE_ABORT, /* a fault ends the process */
        .hosted = true,
    };
    if (how->behavior == NULL || !gri_behavior_is_whole(how->behavior)) {
        return GR_EINVAL;
    }
    gri_ctx_init(&ctx, sys, NULL, cache, 0);
    GR_TRY(gri_table_place(sys, how->pid));
    return gri_spawn_run(&ctx, &spawn, NULL, NULL);
}

void gri_hosted_push(gr_system *sys, gri_cache *cache, gr_pid to, gr_msg *msg)
{
    gri_ctx ctx;
    gr_actor *slot = gri_slot_of(sys, to);
    gri_ctx_init(&ctx, sys, NULL, cache, 0);
    if (slot == NULL || !gri_slot_lives(slot, gri_pid_run(to))) {
        gri_msg_free(cache, msg); /* its end is on the way outside */
        return;
    }
    if (msg->kind != GRI_MSG_LINK && msg->kind != GRI_MSG_UNLINK) {
        msg->flags |= GRI_MSG_LENT;
    }
    msg->run = gri_pid_run(to);
    gri_push(&ctx, slot, msg, false);
}

/* ---- what it tells ------------------------------------------------------- */

static uint64_t id_of(const gr_msg *msg)
{
    return msg->kind == GRI_MSG_USER && (msg->flags & GRI_MSG_TRAILER) != 0
               ? (uint64_t)gri_msg_trail(msg)->extra
               : 0;
}

void gri_hosted_begins(gr_actor *self, const gr_msg *msg)
{
    gri_hosted *host = self->sys->hosted;
    if (msg == NULL) {
        if (host->timed) {
            host->begins(host, 0);
        }
    } else if (id_of(msg) != 0) {
        host->begins(host, id_of(msg));
    }
}

void gri_hosted_after(gr_actor *self, gr_msg *msg)
{
    gri_hosted *host = self->sys->hosted;
    if (msg == NULL) {
        if (host->timed) {
            host->ends(host, 0, GRI_HELD_NOT);
        }
        return;
    }
    if (msg->kind == GRI_MSG_TIMER) {
        return; /* it is told of with its begin */
    }
    const uint64_t id = id_of(msg);
    gri_held held = GRI_HELD_NOT;
    if (id != 0 && (msg->flags & GRI_MSG_SAVED) != 0) {
        held = GRI_HELD_STASHED;
        msg->flags |= GRI_MSG_LENT;
    } else if (id != 0 && (msg->flags & GRI_MSG_KEPT) != 0) {
        held = GRI_HELD_KEPT;
    }
    host->ends(host, id, held);
}

void gri_hosted_passed(gr_actor *self, gr_msg *msg)
{
    if ((msg->flags & GRI_MSG_LENT) == 0 || msg->kind == GRI_MSG_USER ||
        msg->kind == GRI_MSG_TIMER) {
        return;
    }
    msg->flags &= (uint16_t)~GRI_MSG_LENT;
    self->sys->hosted->ends(self->sys->hosted, 0, GRI_HELD_NOT);
}

void gri_hosted_released(gr_actor *self, const gr_msg *msg)
{
    /* While it is in hand, its handler's end tells of it. */
    if (id_of(msg) != 0 && (msg->flags & GRI_MSG_LENT) == 0) {
        self->sys->hosted->ends(self->sys->hosted, id_of(msg), GRI_HELD_NOT);
    }
}

void gri_hosted_unhandled(gr_actor *self, gr_msg *msg)
{
    if (id_of(msg) != 0 && !gri_near_is_over(msg)) {
        msg->flags &= (uint16_t)~GRI_MSG_ASKED; /* it is answered outside */
        self->sys->hosted->unhandled(self->sys->hosted, id_of(msg));
        gri_near_over(msg);
    }
}

void gri_hosted_ended(gr_actor *self, const gr_exit_reason *why)
{
    const gr_msg *current = self->ctx->current;
    const uint64_t id = current != NULL ? id_of(current) : 0;
    /* A failed handler leaves the mark on its message. */
    const bool failed = id != 0 && (current->flags & GRI_MSG_LENT) != 0;
    self->sys->hosted->ended(self->sys->hosted, failed ? id : 0, why);
}

int gri_hosted_name(gr_system *sys, gri_name_verb verb, const char *name,
                    gr_pid *out)
{
    return sys->hosted->name(sys->hosted, verb, name, out);
}
