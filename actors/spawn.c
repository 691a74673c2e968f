/*
 * actors/spawn.c - how a run begins.
 *
 * The spawner takes a slot, sets what senders look at, publishes the run, and
 * pushes START as any message. The slot's consumer does the rest when it gets
 * there: it may still be burying messages of the run before. So a spawn never
 * runs the new actor's code, and needs no agreement with the old one's.
 *
 * Where there is nothing to run and nobody to be tied to, and the slot's inbox
 * is idle, the spawner takes the consumer's role itself, sets the fields, and
 * goes idle for it: no message, and no turn.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/account.h"
#include "actors/boxes.h"
#include "actors/crash.h"
#include "actors/guard.h"
#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/limits.h"
#include "actors/plan.h"
#include "actors/record.h"
#include "actors/start.h"
#include "actors/stay.h"

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

static uint32_t first_of(uint32_t a, uint32_t b, uint32_t c)
{
    return a != 0 ? a : b != 0 ? b : c;
}

/* What few mailboxes have. */
static __attribute__((noinline)) int
begin_lane(gri_ctx *ctx, gr_actor *slot, uint32_t run, const gr_mailbox *box,
           const gr_mailbox *own, uint32_t hard)
{
    gr_mailbox all = {
        .hard = hard,
        .full = gri_box_full(box, own),
        .urgent = first_of(box->urgent, own->urgent, 0),
        .redirect = gri_box_redirect(box, own),
    };
    return gri_lane_begin(ctx, slot, run, &all);
}

/* How long a callback may take: the limit of the spawn, else the behaviour's,
 * else the system's; 0: as long as it likes. */
static int64_t deadline_of(const gr_system *sys, const gri_spawn *how)
{
    if (how->behavior == NULL || how->service) {
        return 0; /* a thread's own code, or the system's */
    }
    const int64_t own = how->limits != NULL ? how->limits->handler_max_ms : 0;
    return own != 0 ? own
           : how->behavior->limits.handler_max_ms != 0
               ? how->behavior->limits.handler_max_ms
               : sys->opts.limits.handler_max_ms;
}

/* The mailbox of the spawn, else the behaviour's, else the system's; and what
 * few have. Errors: GR_ENOMEM. */
static int set_bounds(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how,
                      uint32_t run)
{
    const gr_system_opts *opts = &ctx->sys->opts;
    const gr_mailbox *own = gri_box_own(how->behavior);
    const gr_mailbox *box = how->mailbox != NULL ? how->mailbox : &gri_no_box;
    uint32_t hard = first_of(box->hard, own->hard, opts->mailbox_hard);
    uint32_t soft = first_of(box->soft, own->soft, opts->mailbox_soft);
    gr_full full = gri_box_full(box, own);
    bool has_lane =
        (box->urgent | own->urgent) != 0 || full >= GR_FULL_DROP_OLD;
    if (has_lane) {
        GR_TRY(begin_lane(ctx, slot, run, box, own, hard));
    }
    if (how->stable) {
        GR_TRY(gri_stay_prepare(ctx, slot, how, run));
    }
    if (how->service) {
        gri_service_is(ctx->sys, gri_id(run, gri_index(slot)));
    }
    soft = soft < hard ? soft : hard;
    if (how->hosted) {
        soft = 0; /* so senders look no further, see send_pressed */
    }
    if (full == GR_FULL_DROP_OLD) {
        /* So senders look no further, and find the lane, which has the bound.
         * Both: who presses a receiver looks at the hard one. */
        soft = hard = 0;
    }
    const size_t memory_max = gri_memory_max_of(ctx->sys, how);
    unsigned traits = how->tended ? GRI_TENDED : 0;
    traits |= has_lane ? GRI_LANED : 0;
    traits |= memory_max != 0 ? GRI_LIMITED : 0;
    traits |= how->grade == GR_GRADE_ABORT ? GRI_UNTRAPPED : 0;
    if (how->proxy) {
        traits |= GRI_PROXY | (how->ack ? GRI_OWES_ACK : 0);
    }
    if (how->behavior != NULL &&
        (how->behavior->terminate != NULL || how->behavior->trap_exit)) {
        traits |= GRI_SLOW_END;
    }
    /* relaxed, all but one: the slot is ours, and the release of `run`
     * publishes. A sender with a stale pid that reads them now sees its run
     * gone next. */
    atomic_store_explicit(&slot->traits, (uint8_t)traits, memory_order_relaxed);
    if (memory_max != 0) {
        gri_limit_begin(slot, run, memory_max);
    }
    gri_set_bounds(slot, soft, hard);
    /* release: who finds it finds the run before ended; pairs with the acquire
     * in gri_drops_of. */
    atomic_store_explicit(&slot->full, (uint8_t)full, memory_order_release);
    if (full == GR_FULL_DROP_NEW || full == GR_FULL_DROP_OLD) {
        gri_drops_begin(slot, run, how->behavior);
    }
    const int64_t deadline_ms = deadline_of(ctx->sys, how);
    return deadline_ms > 0 ? gri_deadline_begin(slot, run, deadline_ms) : 0;
}

/* The same of one that has a plan. */
static inline void set_planned(gr_actor *slot, const gri_plan *plan)
{
    /* As in set_bounds. */
    atomic_store_explicit(&slot->traits, plan->traits, memory_order_relaxed);
    atomic_store_explicit(&slot->hard, plan->hard, memory_order_relaxed);
    atomic_store_explicit(&slot->soft, plan->soft, memory_order_relaxed);
    atomic_store_explicit(&slot->full, plan->full, memory_order_release);
}

/* What senders and others look at; published with the run. Errors: GR_ENOMEM.
 */
static inline int set_outside(gri_ctx *ctx, gr_actor *slot,
                              const gri_spawn *how, uint32_t run)
{
    if (how->plan != NULL) {
        set_planned(slot, how->plan);
    } else {
        GR_TRY(set_bounds(ctx, slot, how, run));
    }
    /* relaxed, both: as in set_bounds. */
    atomic_store_explicit(&slot->over, 0, memory_order_relaxed);
    gri_account_begin(slot);
    atomic_store_explicit(
        &slot->born,
        atomic_fetch_add_explicit(&slot->sys->births, 1, memory_order_relaxed),
        memory_order_relaxed);
    return 0;
}

/* What waits of the run before would count against the bounds of this one: they
 * hold from its START on, which says what they are. */
static void lift_bounds(gr_actor *slot, gri_start *more)
{
    more->soft = gri_soft_of(slot);
    more->hard = gri_hard_of(slot);
    if (more->hard != 0) { /* else it is not the inbox that is bounded */
        gri_set_bounds(slot, INT32_MAX, INT32_MAX);
    }
}

/* Whose spawn it was, by its id: for another node's actor the agent does it. */
static inline uint64_t parent_here(const gr_system *sys, const gri_spawn *how)
{
    return how->link && !gri_is_here(sys, how->parent) ? GRI_AGENT_ID
                                                       : how->parent.id;
}

/* Its behaviour's name, to the flight recorder. */
static inline uint32_t name_of(gri_ctx *ctx, const gri_spawn *how)
{
    return how->plan != NULL ? how->plan->name
                             : gri_note_name(ctx, how->behavior);
}

/* Makes the slot's next run live: from here on its pid is real. lifted: takes
 * the bounds for so long, or NULL. Errors: GR_ESTOPPED, GR_ENOMEM. */
static inline __attribute__((always_inline)) int
publish_run(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how, uint32_t run,
            gri_start *lifted)
{
    gr_system *sys = slot->sys;
    GR_TRY(set_outside(ctx, slot, how, run));
    if (lifted != NULL) {
        lift_bounds(slot, lifted);
    }
    const uint32_t index = gri_index(slot);
    gri_parent_set(sys, index, parent_here(sys, how));
    gri_note_slot(ctx, run, index, name_of(ctx, how));
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
static inline __attribute__((always_inline)) int
begin_in(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how, gr_msg *start,
         bool behind, uint32_t run)
{
    gr_system *sys = slot->sys;
    gr_pid pid = {sys->node, gri_id(run, gri_index(slot))};
    gri_name *name = NULL;
    if (how->name != NULL) {
        GR_TRY(gri_name_reserve(sys, how->name, pid, &name));
    }
    int rc =
        publish_run(ctx, slot, how, run, behind ? gri_start_more(start) : NULL);
    if (rc < 0) {
        if (name != NULL) {
            gri_name_cancel(sys, name);
        }
        return rc;
    }
    if (name != NULL) {
        gri_start_more(start)->name = name;
        if (how->stable) {
            gri_name_stays(name);
        }
    }
    start->run = run;
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

/* By a START. */
static inline __attribute__((always_inline)) int
begin_by_message(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how,
                 uint32_t run, bool *wakes)
{
    int rc = 0;
    const bool behind = !gri_inbox_is_idle(&slot->inbox);
    gr_msg *start = gri_start_build(ctx, how, behind, &rc);
    if (start == NULL) {
        return rc;
    }
    rc = begin_in(ctx, slot, how, start, behind, run);
    if (rc < 0) {
        gri_start_free(ctx, start);
        return rc;
    }
    const gr_pid pid = {ctx->sys->node, gri_id(run, gri_index(slot))};
    gri_note_spawn(ctx, pid.id, name_of(ctx, how), parent_here(ctx->sys, how));
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

/* Whether the beginning is nothing but fields to be set. */
static inline bool is_plain(const gr_system *sys, const gri_spawn *how)
{
    const gr_behavior *b = how->behavior;
    const bool plain = how->plan != NULL ? how->plan->plain
                                         : b != NULL && b->init == NULL &&
                                               b->arena_max == 0 &&
                                               gri_memory_max_of(sys, how) == 0;
    return plain && how->name == NULL && how->monitor == 0 && !how->link &&
           !how->ack && how->args.n == 0 && how->raw_args.ptr == NULL;
}

/* Without a START: with the consumer's role in hand, which is given back. What
 * gri_system_stop tells the run from its publication on stands in the inbox,
 * and is for it. */
static inline int begin_plainly(gri_ctx *ctx, gr_actor *slot,
                                const gri_spawn *how, uint32_t run)
{
    int rc = gri_begin_plainly(ctx, slot, how->behavior, run);
    if (rc == 0) {
        rc = publish_run(ctx, slot, how, run, NULL);
        if (rc < 0) {
            gri_begin_not(ctx, slot);
        }
    }
    if (!gri_inbox_idle(&slot->inbox, &slot->outlet)) {
        gri_ring(ctx, slot);
    }
    return rc;
}

/* What becomes of its faults; a thread's are its own affair. Errors: GR_EINVAL,
 * GR_ENOTSUP. */
static inline int take_grade(const gr_system *sys, gri_spawn *how)
{
    const gr_behavior *b = how->behavior;
    if (b == NULL || how->proxy) { /* whose behaviour is the runtime's */
        return 0;
    }
    gri_guard_admit(b);
    if (((unsigned)how->grade | (unsigned)b->grade |
         (unsigned)sys->opts.grade) == GR_GRADE_DEFAULT) {
        return 0; /* which is GR_GRADE_TRAP */
    }
    const int grade = gri_grade_of(sys, b, how->grade);
    if (grade < 0) {
        return grade;
    }
    how->grade = (gr_grade)grade;
    return 0;
}

/* In a place that is to be found. Inline: of a planned spawn little is left. */
static inline __attribute__((always_inline)) int
start_run(gri_ctx *ctx, const gri_spawn *how, gr_pid *out, bool *wakes)
{
    int rc = 0;
    gr_actor *slot = gri_slot_take(ctx, how->agent, &rc);
    if (slot == NULL) {
        return rc;
    }
    /* relaxed: only the slot's taker writes it. */
    const uint32_t run =
        atomic_load_explicit(&slot->run, memory_order_relaxed) + 1;
    /* The consumer of the run before may still be there. */
    rc = is_plain(ctx->sys, how) && gri_inbox_reclaim(&slot->inbox)
             ? begin_plainly(ctx, slot, how, run)
             : begin_by_message(ctx, slot, how, run, wakes);
    if (rc < 0) {
        gri_lane_end(ctx, slot);
        gri_stay_not(slot);
        gri_slot_give(ctx, slot);
        return rc;
    }
    GRI_TALLY(ctx, spawned);
    if (out != NULL) {
        *out = (gr_pid){ctx->sys->node, gri_id(run, gri_index(slot))};
    }
    return 0;
}

int gri_spawn_run(gri_ctx *ctx, gri_spawn *how, gr_pid *out, bool *wakes)
{
    if (how->plan == NULL) {
        GR_TRY(take_grade(ctx->sys, how));
    }
    return start_run(ctx, how, out, wakes);
}

static inline gri_spawn spawn_of(gr_actor *self, const gr_spawn_opts *opts)
{
    return (gri_spawn){
        .args = opts->args,
        .name = opts->name,
        .mailbox = &opts->mailbox,
        .grade = opts->grade,
        .limits = &opts->limits,
        .parent = gri_pid_of(self),
        .link = opts->link,
        .ack = opts->ack,
        .tended = opts->link && gri_behavior(self) != NULL && self->trap_exit,
        .stable = opts->stable,
        .poison_after = opts->poison_after,
        .parent_life = opts->ack ? gri_stay_life(self) : 0,
    };
}

/* One whose grade is GR_GRADE_PROCESS. */
static int for_process(gr_actor *self, const gr_spawn_opts *opts,
                       gri_spawn *how)
{
    const gr_behavior *user = how->behavior;
    if (!gri_is_process_grade(user, opts)) {
        return 0;
    }
    if (how->stable) {
        return GR_ENOTSUP; /* what it has kept there would be lost */
    }
    how->proxy = gri_is_for_process(self->sys, user, opts);
    if (how->proxy) {
        how->grade = GR_GRADE_ABORT;
        how->limits = NULL; /* the proxy's behaviour has what is for it */
        return gri_proxy_behavior(self, user, opts, &how->behavior);
    }
    how->grade = GR_GRADE_TRAP; /* it runs here, to be replayed */
    return 0;
}

/* Our ends of what ties us to a new one. */
static int adopt(gr_actor *self, const gr_spawn_opts *opts, gr_pid pid)
{
    if (opts->stable) {
        gri_stay_adopt(self, pid);
    }
    const int rc = opts->link ? gri_add_link(self, pid) : 0;
    if (rc < 0) {
        /* The child has its end already: it ends with this. */
        GR_IGNORE(gr_kill(self, pid), "the link's error is the answer");
        if (opts->stable) {
            GR_IGNORE(gri_stay_drop(self, pid), "likewise");
        }
    }
    return rc;
}

/* Starts it, or, if *pid is somebody, its next run; with self's ends of what
 * ties them. */
static int start_tied(gr_actor *self, gri_spawn *how, const gr_spawn_opts *opts,
                      gr_pid *pid)
{
    gri_ctx *ctx = self->ctx;
    const bool revives = !gr_pid_is_nobody(*pid);
    /* Our own ends first: they can fail, and then nothing was started. */
    if (opts->link || opts->monitor != NULL || opts->stable) {
        if (gri_ext_of(self) == NULL) {
            return GR_ENOMEM;
        }
    }
    if (opts->monitor != NULL) {
        how->monitor = gri_new_ref(ctx);
        GR_TRY(gri_add_monitor(self, *pid, how->monitor));
    }
    int rc = revives && opts->link ? gri_add_link(self, *pid) : 0;
    if (rc == 0) {
        rc = revives ? gri_stay_revive(self, how, *pid)
                     : gri_spawn_run(ctx, how, pid, NULL);
        if (rc < 0 && revives && opts->link) {
            gri_drop_link(self, *pid);
        }
    }
    if (rc == 0 && !revives) {
        rc = adopt(self, opts, *pid);
    }
    if (rc < 0) {
        gri_drop_monitor(self, how->monitor);
        return rc;
    }
    if (opts->monitor != NULL) {
        gri_watch *watch =
            gri_map_get(&self->ext->monitors, (gri_key){how->monitor, 0});
        watch->pid = *pid;
        *opts->monitor = (gr_ref){how->monitor};
    }
    return 0;
}

static const gr_spawn_opts defaults = {.name = NULL};

/* Whether a plan says all of its mailbox, grade, limits and life. */
static inline bool is_of_plan(const gr_spawn_opts *o)
{
    return !o->link && !o->stable && o->grade == GR_GRADE_DEFAULT &&
           memcmp(&o->mailbox, &defaults.mailbox, sizeof o->mailbox) == 0 &&
           !gri_has_limits(&o->limits);
}

static inline bool is_only_args(const gr_spawn_opts *o)
{
    return o->name == NULL && o->monitor == NULL && !o->ack &&
           o->node.id == 0 && is_of_plan(o);
}

/* As most spawns are: of nothing but a behaviour and arguments. */
static int spawn_planned(gr_actor *self, const gri_plan *plan, gr_values args,
                         gr_pid *out)
{
    const gri_spawn how = {
        .behavior = plan->behavior,
        .plan = plan,
        .args = args,
        .parent = gri_pid_of(self),
    };
    return start_run(self->ctx, &how, out, NULL);
}

int gr_spawn(gr_actor *self, const gr_behavior *behavior,
             const gr_spawn_opts *opts, gr_pid *out)
{
    opts = opts != NULL ? opts : &defaults;
    if (is_only_args(opts)) {
        const gri_plan *plan = gri_plan_of(self->ctx, behavior);
        if (plan != NULL) {
            return spawn_planned(self, plan, opts->args, out);
        }
    }
    GR_TRY(gri_check_spawn(self->sys, behavior, &opts->mailbox));
    if (opts->node.id != 0 && opts->node.id != self->sys->node) {
        return gri_spawn_far(self, behavior, opts, out);
    }
    gri_spawn how = spawn_of(self, opts);
    how.behavior = behavior;
    GR_TRY(for_process(self, opts, &how));
    if (is_of_plan(opts)) {
        how.plan = gri_plan_of(self->ctx, behavior);
    }
    if (!opts->link && opts->monitor == NULL && !opts->stable) {
        return gri_spawn_run(self->ctx, &how, out, NULL);
    }
    gr_pid pid = GR_NOBODY;
    GR_TRY(start_tied(self, &how, opts, &pid));
    if (out != NULL) {
        *out = pid;
    }
    return 0;
}

int gri_spawn_for(gr_actor *self, gr_pid spawner, const gr_behavior *behavior,
                  const gr_spawn_opts *opts, gr_pid *out)
{
    GR_TRY(gri_check_spawn(self->sys, behavior, &opts->mailbox));
    gri_spawn how = spawn_of(self, opts);
    how.behavior = behavior;
    how.parent = spawner;
    how.link = true;
    GR_TRY(for_process(self, opts, &how));
    return gri_spawn_run(self->ctx, &how, out, NULL);
}

int gr_revive(gr_actor *self, gr_pid pid, const gr_spawn_opts *opts)
{
    opts = opts != NULL ? opts : &defaults;
    if (gr_pid_is_nobody(pid)) {
        return GR_EINVAL;
    }
    pid.node = pid.node == 0 ? self->sys->node : pid.node;
    if (opts->link && gri_is_linked(self, pid)) {
        return GR_EINVAL; /* the EXIT of the last run is still on its way */
    }
    gri_spawn how = spawn_of(self, opts);
    how.name = NULL; /* the address has it */
    return start_tied(self, &how, opts, &pid);
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
