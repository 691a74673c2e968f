/* actors/begin.c - how a run begins, in its slot's consumer. */
#include <string.h>

#include "actors/guard.h"
#include "actors/internal.h"
#include "actors/limits.h"
#include "actors/start.h"

enum { STATE_SMALL = 64 /* bytes: less is zeroed without a call */ };

static inline void zero(void *at, size_t size)
{
    if (size > STATE_SMALL) {
        memset(at, 0, size);
        return;
    }
    /* Blocks are a multiple of 32 bytes. */
    for (size_t i = 0; i < size; i += 32) {
        memset((char *)at + i, 0, 32);
    }
}

static int take_state(gri_ctx *ctx, gr_actor *self, size_t size)
{
    self->state = NULL;
    if (size > 0) {
        self->state = gri_block_alloc(ctx->cache, size, &self->state_class);
        if (self->state == NULL) {
            return GR_ENOMEM;
        }
        zero(self->state, size);
    }
    return 0;
}

/* What a START message says, read out of it. */
typedef struct beginning {
    const gr_behavior *behavior; /* NULL: a thread attaches */
    gri_thread *thread;
    gri_name *name; /* reserved for it, or NULL */
    gr_pid parent;
    uint64_t monitor; /* the parent's ref, or 0 */
    uint64_t parent_life;
    bool link, ack;
} beginning;

static beginning read_start(gr_actor *self, gr_msg *msg)
{
    gri_trailer *trailer = gri_msg_trailer(msg);
    gri_start *more = gri_start_more(msg);
    beginning b = {
        .parent = msg->from,
        .monitor = trailer->ref,
        .link = (trailer->extra & GRI_START_LINK) != 0,
        .ack = (trailer->extra & GRI_START_ACK) != 0,
    };
    if (more == NULL) {
        b.behavior = (const gr_behavior *)(uintptr_t)(trailer->extra &
                                                      ~(int64_t)GRI_START_BITS);
        return b;
    }
    b.behavior = more->behavior;
    b.thread = more->thread;
    b.name = more->name;
    b.parent_life = more->parent_life;
    if (more->hard != 0) { /* what was there before has been buried */
        gri_set_bounds(self, more->soft, more->hard);
    }
    gri_block_free(self->ctx->cache, more, more->class_);
    trailer->extra = 0; /* once */
    return b;
}

/* The ends that the spawner asked for. */
static int take_ties(gr_actor *self, const beginning *start)
{
    const size_t arena_max = start->behavior->arena_max;
    if (!start->link && start->monitor == 0 && arena_max == 0 &&
        start->name == NULL && !gri_is_limited(self)) {
        return 0;
    }
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL) {
        if (start->name != NULL) {
            gri_name_cancel(self->sys, start->name);
        }
        return GR_ENOMEM;
    }
    gri_name_adopt(self, start->name);
    if (arena_max != 0) {
        ext->arena_max = arena_max;
    }
    if (start->link) {
        /* A spawner here has its end already. */
        GR_TRY(gri_is_here(self->sys, start->parent)
                   ? gri_add_link(self, start->parent)
                   : gr_link(self, start->parent));
    }
    return start->monitor == 0
               ? 0
               : gri_add_watcher(self, start->parent, start->monitor);
}

/* Without memory for the ties nobody would hear of the end: tell them now. */
static void tell_untied(gr_actor *self, const beginning *start)
{
    gr_exit_reason why = {GR_EXIT_ERROR, GR_ENOMEM, "no memory to start"};
    gri_ctx *ctx = self->ctx;
    if (start->link) {
        gr_msg *msg = gri_exit_signal(ctx->cache, gri_pid_of(self), &why);
        if (msg != NULL) {
            gri_send_signal(ctx, start->parent, msg);
        }
    }
    if (start->monitor != 0) {
        gr_msg *msg =
            gri_down_signal(ctx->cache, gri_pid_of(self), start->monitor, &why);
        if (msg != NULL) {
            gri_send_signal(ctx, start->parent, msg);
        }
    }
}

static inline void set_run(gr_actor *self, uint32_t run, const gr_behavior *b)
{
    GR_DASSERT(self->now == 0);
    self->now = run;
    gri_set_behavior(self, b);
    self->todo = 0;
    self->begun = false;
    self->state = NULL;
    self->trap_exit = false;
}

int gri_begin_plainly(gri_ctx *ctx, gr_actor *slot, const gr_behavior *b,
                      uint32_t run)
{
    set_run(slot, run, b);
    slot->trap_exit = b->trap_exit;
    slot->begun = true;
    int rc = take_state(ctx, slot, b->state_size);
    if (rc < 0) {
        gri_begin_not(ctx, slot);
    }
    return rc;
}

void gri_begin_not(gri_ctx *ctx, gr_actor *slot)
{
    if (slot->state != NULL) {
        gri_block_free(ctx->cache, slot->state, slot->state_class);
        slot->state = NULL;
    }
    gri_set_behavior(slot, NULL);
    slot->now = 0;
    slot->begun = false;
}

GRI_CALLS_ACTORS void gri_begin_run(gr_actor *self, gr_msg *msg)
{
    const beginning start = read_start(self, msg);
    set_run(self, msg->run, start.behavior);
    if (start.thread != NULL) {
        gri_thread_hand_over(start.thread, self); /* brings its own ext */
        gri_name_adopt(self, start.name);
        return;
    }
    int rc = take_ties(self, &start);
    if (rc < 0) {
        tell_untied(self, &start);
        gri_exit_error(self, rc, "start");
        return;
    }
    self->trap_exit = start.behavior->trap_exit;
    const size_t size = start.behavior->state_size;
    rc = take_state(self->ctx, self, size);
    if (rc == 0 && gri_is_limited(self)) {
        rc = gri_limit_begin_run(
            self, size > 0 ? gri_class_size(self->state_class, size) : 0);
    }
    if (rc == 0 && start.behavior->init != NULL) {
        rc = start.behavior->init(self, self->state, msg);
        gri_lent_end(self->ctx);
    }
    if (rc < 0) {
        gri_exit_error(self, rc, "init");
        return;
    }
    self->begun = true;
    if (start.ack && !gri_exiting(self) && !gri_is_proxy(self)) {
        rc = gri_send_new_signal(self->ctx, gri_pid_of(self), start.parent,
                                 GRI_MSG_STARTED, start.parent_life);
        if (rc < 0) {
            gri_exit_error(self, rc, "start");
        }
    }
}
