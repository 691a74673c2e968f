/*
 * actors/spawn.c - how a run begins.
 *
 * The spawner takes a slot, sets what senders look at, publishes the run, and
 * pushes START as any message. The slot's consumer does the rest when it gets
 * there: it may still be burying messages of the run before. So a spawn never
 * runs the new actor's code, and needs no agreement with the old one's.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/account.h"
#include "actors/internal.h"
#include "actors/lane.h"

gri_ext *gri_ext_of(gr_actor *self)
{
    if (self->ext == NULL) {
        self->ext = calloc(1, sizeof *self->ext);
        if (self->ext != NULL) {
            self->ext->arena_max = self->sys->opts.arena_max;
        }
    }
    return self->ext;
}

/* Where a START message says how to begin: its trailer's ref is the monitor,
 * `extra` the rest. In most cases that is the behaviour, which stands on a
 * multiple of 8, with the bits below; else a gri_start, to be freed. */
enum {
    START_LINK = 1, /* the parent, who is the sender, is to be linked */
    START_ACK = 2,  /* and to be told */
    START_MORE = 4, /* it is a gri_start */
    START_BITS = 7
};

/* With a thread, a name, or a behaviour that stands elsewhere. */
static int add_more(gri_ctx *ctx, const gri_spawn *how, gr_msg *start)
{
    uint8_t class_;
    gri_start *more = gri_block_alloc(ctx->cache, sizeof *more, &class_);
    if (more == NULL) {
        return GR_ENOMEM;
    }
    *more = (gri_start){how->behavior, how->thread, NULL, class_};
    gri_msg_trailer(start)->extra = (intptr_t)more | START_MORE;
    return 0;
}

static gri_start *more_of(const gr_msg *start)
{
    const int64_t extra = gri_msg_trail(start)->extra;
    return (extra & START_MORE) == 0
               ? NULL
               : (gri_start *)(uintptr_t)(extra & ~(int64_t)START_BITS);
}

static void free_start(gri_ctx *ctx, gr_msg *start)
{
    gri_start *more = more_of(start);
    if (more != NULL) {
        gri_block_free(ctx->cache, more, more->class_);
    }
    gri_msg_free(ctx->cache, start);
}

/* The arguments, with a trailer behind them. NULL: *rc says why. */
static gr_msg *pack_args(gri_ctx *ctx, const gri_spawn *how, int *rc)
{
    const gr_any args = how->raw_args;
    *rc = GR_ENOMEM;
    if (args.ptr != NULL || how->args.n == 0) {
        return gri_msg_signal(ctx->cache, GRI_MSG_START, args.ptr, args.len);
    }
    gr_msg *msg = gri_pack(&ctx->builder, how->args.items, how->args.n, true);
    if (msg == NULL) {
        *rc = ctx->builder.rc;
        return NULL;
    }
    msg->kind = GRI_MSG_START;
    return msg;
}

/* The START message. NULL: *rc says why. */
static gr_msg *build_start(gri_ctx *ctx, const gri_spawn *how, int *rc)
{
    gr_msg *msg = pack_args(ctx, how, rc);
    if (msg == NULL) {
        return NULL;
    }
    msg->from = how->parent;
    gri_msg_trailer(msg)->ref = how->monitor;
    gri_msg_trailer(msg)->extra = (intptr_t)how->behavior;
    if (how->thread != NULL || how->name != NULL ||
        ((uintptr_t)how->behavior & START_BITS) != 0) {
        *rc = add_more(ctx, how, msg);
        if (*rc < 0) {
            gri_msg_free(ctx->cache, msg);
            return NULL;
        }
    }
    gri_msg_trailer(msg)->extra |=
        (how->link ? START_LINK : 0) | (how->ack ? START_ACK : 0);
    return msg;
}

static uint32_t first_of(uint32_t a, uint32_t b, uint32_t c)
{
    return a != 0 ? a : b != 0 ? b : c;
}

static const gr_mailbox no_mailbox = {.full = GR_FULL_FAIL};

static const gr_mailbox *own_mailbox(const gr_behavior *b)
{
    return b != NULL ? &b->mailbox : &no_mailbox;
}

static gr_full full_of(const gr_mailbox *box, const gr_mailbox *own)
{
    return box->full != GR_FULL_FAIL ? box->full : own->full;
}

static gr_pid redirect_of(const gr_mailbox *box, const gr_mailbox *own)
{
    return gr_pid_is_nobody(box->redirect) ? own->redirect : box->redirect;
}

/* What few mailboxes have. */
static __attribute__((noinline)) int
begin_lane(gri_ctx *ctx, gr_actor *slot, uint32_t run, const gr_mailbox *box,
           const gr_mailbox *own, uint32_t hard)
{
    gr_mailbox all = {
        .hard = hard,
        .full = full_of(box, own),
        .urgent = first_of(box->urgent, own->urgent, 0),
        .redirect = redirect_of(box, own),
    };
    return gri_lane_begin(ctx, slot, run, &all);
}

/* What senders look at: the mailbox of the spawn, else the behaviour's, else
 * the system's; published with the run. Errors: GR_ENOMEM. */
static int set_bounds(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how,
                      uint32_t run)
{
    const gr_system_opts *opts = &ctx->sys->opts;
    const gr_mailbox *own = own_mailbox(how->behavior);
    const gr_mailbox *box = how->mailbox != NULL ? how->mailbox : &no_mailbox;
    uint32_t hard = first_of(box->hard, own->hard, opts->mailbox_hard);
    uint32_t soft = first_of(box->soft, own->soft, opts->mailbox_soft);
    gr_full full = full_of(box, own);
    bool has_lane =
        (box->urgent | own->urgent) != 0 || full >= GR_FULL_DROP_OLD;
    if (has_lane) {
        GR_TRY(begin_lane(ctx, slot, run, box, own, hard));
    }
    soft = soft < hard ? soft : hard;
    if (full == GR_FULL_DROP_OLD) {
        /* So senders look no further, and find the lane, which has the bound.
         * Both: who presses a receiver looks at the hard one. */
        soft = hard = 0;
    }
    /* relaxed, all but one: the slot is ours, and the release of `run`
     * publishes. A sender with a stale pid that reads them now sees its run
     * gone next. */
    atomic_store_explicit(&slot->hard, hard, memory_order_relaxed);
    atomic_store_explicit(&slot->soft, soft, memory_order_relaxed);
    /* release: who finds it finds the run before ended; pairs with the acquire
     * in gri_drops_of. */
    atomic_store_explicit(&slot->full, (uint8_t)full, memory_order_release);
    atomic_store_explicit(&slot->over, 0, memory_order_relaxed);
    if (full == GR_FULL_DROP_NEW || full == GR_FULL_DROP_OLD) {
        gri_drops_begin(slot, run, how->behavior);
    }
    gri_account_begin(slot);
    unsigned traits = how->tended ? GRI_TENDED : 0;
    traits |= has_lane ? GRI_LANED : 0;
    if (how->behavior != NULL &&
        (how->behavior->terminate != NULL || how->behavior->trap_exit)) {
        traits |= GRI_SLOW_END;
    }
    atomic_store_explicit(&slot->traits, (uint8_t)traits, memory_order_relaxed);
    atomic_store_explicit(
        &slot->born,
        atomic_fetch_add_explicit(&slot->sys->births, 1, memory_order_relaxed),
        memory_order_relaxed);
    return 0;
}

/* Makes the slot's next run live: from here on its pid is real. Errors:
 * GR_ESTOPPED, GR_ENOMEM. */
static int publish_run(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how,
                       uint32_t run)
{
    gr_system *sys = slot->sys;
    GR_TRY(set_bounds(ctx, slot, how, run));
    /* release: pairs with the acquire in gri_slot_lives. seq_cst against the
     * flag below: either gri_system_stop finds this actor, or we see it. */
    atomic_store_explicit(&slot->run, run, memory_order_seq_cst);
    if (how->thread != NULL ||
        !atomic_load_explicit(&sys->stopping, memory_order_seq_cst)) {
        return 0;
    }
    /* Nobody was given this pid, but gri_system_stop may be waiting for it to
     * be gone. seq_cst: as in gri_end_run. */
    atomic_store_explicit(&slot->run, run + 1, memory_order_seq_cst);
    gri_tell_stopper(sys);
    return GR_ESTOPPED;
}

/* The name, the slot's run, and what START says of them. */
static int begin_in(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how,
                    gr_msg *start, gr_pid *out)
{
    gr_system *sys = slot->sys;
    /* relaxed: only the slot's taker writes it. */
    uint32_t run = atomic_load_explicit(&slot->run, memory_order_relaxed) + 1;
    gr_pid pid = {sys->node, gri_id(run, gri_index(slot))};
    gri_name *name = NULL;
    if (how->name != NULL) {
        GR_TRY(gri_name_reserve(sys, how->name, pid, &name));
    }
    int rc = publish_run(ctx, slot, how, run);
    if (rc < 0) {
        if (name != NULL) {
            gri_name_cancel(sys, name);
        }
        return rc;
    }
    if (name != NULL) {
        more_of(start)->name = name;
    }
    start->run = run;
    *out = pid;
    return 0;
}

/* gri_system_stop may have found the run between its publication and its START,
 * and what it told it then is buried: it is told again. (Who is tended is told
 * by its supervisor, later.) */
static void tell_if_stopping(gri_ctx *ctx, const gri_spawn *how, gr_pid pid)
{
    gr_system *sys = ctx->sys;
    /* seq_cst: START is pushed; whoever sets the flag after this finds it. */
    if (!how->tended &&
        atomic_load_explicit(&sys->stopping, memory_order_seq_cst)) {
        /* Without memory it is killed at the deadline. */
        (void)gri_send_new_signal(ctx, GR_NOBODY, pid, GRI_MSG_STOP, 0);
    }
}

int gri_spawn_run(gri_ctx *ctx, const gri_spawn *how, gr_pid *out, bool *wakes)
{
    int rc = 0;
    gr_msg *start = build_start(ctx, how, &rc);
    if (start == NULL) {
        return rc;
    }
    gr_actor *slot = gri_slot_take(ctx, how->agent, &rc);
    if (slot == NULL) {
        free_start(ctx, start);
        return rc;
    }
    gr_pid pid = GR_NOBODY;
    rc = begin_in(ctx, slot, how, start, &pid);
    if (rc < 0) {
        gri_lane_end(ctx, slot);
        gri_slot_give(ctx, slot);
        free_start(ctx, start);
        return rc;
    }
    GRI_TALLY(ctx, spawned);
    if (out != NULL) {
        *out = pid;
    }
    bool idle = gri_inbox_push(&slot->inbox, start, false);
    if (how->name != NULL) {
        /* Behind START: what is sent to the name stands behind it, too. The new
         * actor shows its name itself, should it be faster. */
        gri_name_show(ctx->sys, how->name, pid);
    }
    if (wakes != NULL) {
        *wakes = idle;
    } else if (idle) {
        gri_ring(ctx, slot);
    }
    tell_if_stopping(ctx, how, pid);
    return 0;
}

static bool good_bounds(const gr_mailbox *box)
{
    return (box->hard == 0 || box->soft <= box->hard) &&
           box->hard <= INT32_MAX && box->urgent <= INT32_MAX &&
           (unsigned)box->full <= GR_FULL_REDIRECT;
}

bool gri_behavior_is_whole(const gr_behavior *b)
{
    return b->name != NULL && b->name[0] != '\0' &&
           (b->receive != NULL || b->handlers != NULL);
}

/* b may be NULL. */
static bool good_mailbox(const gr_system *sys, const gr_behavior *b,
                         const gr_mailbox *box)
{
    if (!good_bounds(box) || (b != NULL && !good_bounds(&b->mailbox))) {
        return false;
    }
    const gr_mailbox *own = own_mailbox(b);
    /* Of this node: so that no circle of redirections leads over others. */
    return full_of(box, own) != GR_FULL_REDIRECT ||
           gri_is_here(sys, redirect_of(box, own));
}

static int check_spawn(const gr_system *sys, const gr_behavior *b,
                       const gr_mailbox *box)
{
    bool good =
        b != NULL && gri_behavior_is_whole(b) && good_mailbox(sys, b, box);
    return good ? 0 : GR_EINVAL;
}

int gri_check_mailbox(const gr_system *sys, const gr_mailbox *box)
{
    return good_mailbox(sys, NULL, box) ? 0 : GR_EINVAL;
}

/* On another node: its agent does it. */
static int spawn_far(gr_actor *self, const gr_behavior *behavior,
                     const gr_spawn_opts *opts, gr_pid *out)
{
    gr_pid pid = GR_NOBODY;
    gr_ref ref = {0};
    const gr_mailbox *box = &opts->mailbox;
    if (opts->ack || box->soft != 0 || box->hard != 0 ||
        box->full != GR_FULL_FAIL || box->urgent != 0) {
        return GR_ENOTSUP; /* the question to the agent has no room for them */
    }
    gr_value args = gr_list_of(opts->args.items, opts->args.n);
    gr_value name =
        opts->name != NULL ? gr_strn(opts->name, strlen(opts->name)) : gr_nil();
    gr_value ask[] = {gr_strn("spawn", 5),
                      gr_strn(behavior->name, strlen(behavior->name)), name,
                      args};
    gr_out outs[] = {{GR_OUT_PID, 0, &pid}};
    gr_pattern expect = {gr_strn("pid", 3), outs, 1};
    GR_TRY(gr_callv(self, (gr_pid){opts->node.id, GRI_AGENT_ID},
                    GRI_FAR_CALL_MS, expect, ask, 4));
    int rc = opts->link ? gr_link(self, pid) : 0;
    if (rc == 0 && opts->monitor != NULL) {
        rc = gr_monitor(self, pid, &ref);
    }
    if (rc < 0) {
        GR_IGNORE(gr_kill(self, pid), "the tie's error is the answer");
        return rc;
    }
    if (opts->monitor != NULL) {
        *opts->monitor = ref;
    }
    if (out != NULL) {
        *out = pid;
    }
    return 0;
}

int gr_spawn(gr_actor *self, const gr_behavior *behavior,
             const gr_spawn_opts *opts, gr_pid *out)
{
    static const gr_spawn_opts defaults = {.name = NULL};
    opts = opts != NULL ? opts : &defaults;
    GR_TRY(check_spawn(self->sys, behavior, &opts->mailbox));
    if (opts->node.id != 0 && opts->node.id != self->sys->node) {
        return spawn_far(self, behavior, opts, out);
    }
    gri_ctx *ctx = self->ctx;
    gri_spawn how = {
        .behavior = behavior,
        .args = opts->args,
        .name = opts->name,
        .mailbox = &opts->mailbox,
        .parent = gri_pid_of(self),
        .link = opts->link,
        .ack = opts->ack,
        .tended = opts->link && gri_behavior(self) != NULL && self->trap_exit,
    };
    /* Our own ends first: they can fail, and then nothing was started. */
    if (opts->link || opts->monitor != NULL) {
        if (gri_ext_of(self) == NULL) {
            return GR_ENOMEM;
        }
    }
    if (opts->monitor != NULL) {
        how.monitor = gri_new_ref(ctx);
        GR_TRY(gri_add_monitor(self, GR_NOBODY, how.monitor));
    }
    gr_pid pid = GR_NOBODY;
    int rc = gri_spawn_run(ctx, &how, &pid, NULL);
    if (rc == 0 && opts->link) {
        rc = gri_add_link(self, pid);
        if (rc < 0) {
            /* The child has its end already: it ends with this. */
            GR_IGNORE(gr_kill(self, pid), "the link's error is the answer");
        }
    }
    if (rc < 0) {
        gri_drop_monitor(self, how.monitor);
        return rc;
    }
    if (opts->monitor != NULL) {
        gri_watch *watch =
            gri_map_get(&self->ext->monitors, (gri_key){how.monitor, 0});
        watch->pid = pid;
        *opts->monitor = (gr_ref){how.monitor};
    }
    if (out != NULL) {
        *out = pid;
    }
    return 0;
}

int gri_spawn_agent(gr_actor *self, const gr_behavior *behavior, gr_values args)
{
    gri_spawn how = {
        .behavior = behavior,
        .args = args,
        .agent = true,
        .parent = GR_NOBODY,
        .tended = true, /* by gri_system_stop itself, last of all */
    };
    return gri_spawn_run(self->ctx, &how, NULL, NULL);
}

/* ---- the consumer's side --------------------------------------------------
 */

static int take_state(gr_actor *self, size_t size)
{
    self->state = NULL;
    if (size > 0) {
        self->state =
            gri_block_alloc(self->ctx->cache, size, &self->state_class);
        if (self->state == NULL) {
            return GR_ENOMEM;
        }
        memset(self->state, 0, size);
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
    bool link, ack;
} beginning;

static beginning read_start(gri_ctx *ctx, gr_msg *msg)
{
    gri_trailer *trailer = gri_msg_trailer(msg);
    gri_start *more = more_of(msg);
    beginning b = {
        .parent = msg->from,
        .monitor = trailer->ref,
        .link = (trailer->extra & START_LINK) != 0,
        .ack = (trailer->extra & START_ACK) != 0,
    };
    if (more == NULL) {
        b.behavior = (const gr_behavior *)(uintptr_t)(trailer->extra &
                                                      ~(int64_t)START_BITS);
        return b;
    }
    b.behavior = more->behavior;
    b.thread = more->thread;
    b.name = more->name;
    gri_block_free(ctx->cache, more, more->class_);
    trailer->extra = 0; /* once */
    return b;
}

/* The ends that the spawner asked for. */
static int take_ties(gr_actor *self, const beginning *start)
{
    const size_t arena_max = start->behavior->arena_max;
    if (!start->link && start->monitor == 0 && arena_max == 0 &&
        start->name == NULL) {
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
        GR_TRY(gri_add_link(self, start->parent));
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

void gri_begin_run(gr_actor *self, gr_msg *msg)
{
    const beginning start = read_start(self->ctx, msg);
    GR_DASSERT(self->now == 0);
    self->now = msg->run;
    gri_set_behavior(self, start.behavior);
    self->todo = 0;
    self->begun = false;
    self->state = NULL;
    self->trap_exit = false;
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
    rc = take_state(self, start.behavior->state_size);
    if (rc == 0 && start.behavior->init != NULL) {
        rc = start.behavior->init(self, self->state, msg);
        gri_lent_end(self->ctx);
    }
    if (rc < 0) {
        gri_exit_error(self, rc, "init");
        return;
    }
    self->begun = true;
    if (start.ack && !gri_exiting(self)) {
        rc = gri_send_new_signal(self->ctx, gri_pid_of(self), start.parent,
                                 GRI_MSG_STARTED, 0);
        if (rc < 0) {
            gri_exit_error(self, rc, "start");
        }
    }
}
