/*
 * actors/internal.h - what the files of this folder give each other. Functions
 * that take a gri_ctx run on the thread whose context it is.
 */
#ifndef GRI_ACTORS_INTERNAL_H
#define GRI_ACTORS_INTERNAL_H

#include "actors/core.h"
#include "actors/thread.h"
#include "actors/watchdog.h"
#include "mailbox/blob.h"

/* ---- table.c: slots and pids -------------------------------------------- */

int gri_table_init(gr_system *sys);
void gri_table_fini(gr_system *sys);
/* A slot for a new actor, or for the agent. NULL: *rc is GR_ELIMIT, GR_ENOMEM,
 * or GR_EEXIST (there is an agent). */
gr_actor *gri_slot_take(gri_ctx *ctx, bool agent, int *rc);
/* Gives it back for the next actor. Its run is even by now. */
void gri_slot_give(gri_ctx *ctx, gr_actor *slot);

static inline uint32_t gri_pid_index(gr_pid pid)
{
    return (uint32_t)pid.id;
}

static inline uint32_t gri_pid_run(gr_pid pid)
{
    return (uint32_t)(pid.id >> 32);
}

/* The slot's own. */
static inline uint32_t gri_index(const gr_actor *slot)
{
    return (uint32_t)(slot - slot->sys->slots);
}

static inline uint64_t gri_id(uint32_t run, uint32_t index)
{
    return (uint64_t)run << 32 | index;
}

static inline gr_pid gri_pid_of(const gr_actor *self)
{
    return (gr_pid){self->sys->node, gri_id(self->now, gri_index(self))};
}

/* A pid without a node (gr_node_agent(GR_HERE)) is of this one. */
static inline bool gri_is_here(const gr_system *sys, gr_pid pid)
{
    return pid.node == sys->node || (pid.node == 0 && pid.id != 0);
}

/* The slot of a local pid, or NULL if there is none. */
static inline gr_actor *gri_slot_of(gr_system *sys, gr_pid pid)
{
    uint32_t index = gri_pid_index(pid);
    /* acquire: pairs with the release in table.c that published the slot. */
    uint32_t ready =
        atomic_load_explicit(&sys->slots_ready, memory_order_acquire);
    return index != 0 && index < ready ? &sys->slots[index] : NULL;
}

/* Whether that run of the slot lives. The answer may be old; the consumer's is
 * not. */
static inline bool gri_slot_lives(const gr_actor *slot, uint32_t run)
{
    /* acquire: pairs with the release in spawn.c; the bounds and the place of
     * this run are seen. */
    return atomic_load_explicit(&slot->run, memory_order_acquire) == run &&
           (run & 1) != 0;
}

/* Tells a run from its neighbours in one byte, and from none: who finds a
 * mailbox full may be late, and must not mark the run that came after. */
static inline uint8_t gri_over_mark(uint32_t run)
{
    return (uint8_t)(0x80 | (run >> 1 & 0x7f));
}

/* What an alert says to the run that it is for. */
typedef enum gri_alert {
    GRI_ALERT_LOOK = 0, /* look into your lane before the next message */
    GRI_ALERT_KILL = 1  /* end before the next message */
} gri_alert;

/* The alert is the run, which is odd, and what it says on top: so the consumer
 * finds by one comparison that there is none (it is less than its run). */
static inline void gri_set_alert(gr_actor *slot, uint32_t run, gri_alert what)
{
    run += (uint32_t)what;
    /* relaxed: only compared. A later run's alert stays: runs only grow, and
     * whoever comes late with an old pid must not take it away. */
    uint32_t old =
        atomic_load_explicit(&slot->outlet.alert, memory_order_relaxed);
    /* release: pairs with the acquires in turn.c and thread.c. */
    while (old < run && !atomic_compare_exchange_weak_explicit(
                            &slot->outlet.alert, &old, run,
                            memory_order_release, memory_order_relaxed)) {
    }
}

/* Consumer only: whether the run in hand is killed. */
static inline bool gri_is_alert_kill(uint32_t alert, uint32_t now)
{
    return alert == now + GRI_ALERT_KILL;
}

/* ---- send.c -------------------------------------------------------------- */

static inline uint64_t gri_new_ref(gri_ctx *ctx)
{
    return ++ctx->refs;
}

/* Sends a USER message: bounds, far nodes, dead receivers. Takes msg on 0 only.
 * Errors: as gr_send. */
int gri_send_user(gri_ctx *ctx, gr_pid to, gr_msg *msg);
/* Sends a signal or an answer: never refused. Takes msg. What the route does
 * not take is buried, and its error is the result: most callers need it not, as
 * whoever waits for something has been answered. */
int gri_send_signal(gri_ctx *ctx, gr_pid to, gr_msg *msg);
/* An empty signal from `from`. Errors: GR_ENOMEM. */
int gri_send_new_signal(gri_ctx *ctx, gr_pid from, gr_pid to, gri_msg_kind kind,
                        uint64_t ref);
/* The waiting consumer of a slot, a thread, is to run. */
void gri_thread_ring(gri_ctx *ctx, gr_actor *slot);

/* The waiting or idle consumer of a slot is to run. */
static inline void gri_ring(gri_ctx *ctx, gr_actor *slot)
{
    /* relaxed: the push that takes the idle mark away acquires what the last
     * consumer wrote, this too. */
    if (atomic_load_explicit(&slot->place, memory_order_relaxed) ==
        GRI_PLACE_THREAD) {
        gri_thread_ring(ctx, slot);
    } else {
        gri_sched_submit(&ctx->sys->sched, ctx->submits, &slot->task);
    }
}

/* Pushes into a slot's inbox and schedules its consumer. Takes msg. */
static inline void gri_push(gri_ctx *ctx, gr_actor *slot, gr_msg *msg,
                            bool count)
{
    if (gri_inbox_push(&slot->inbox, msg, count)) {
        gri_ring(ctx, slot);
    }
}

/* ---- moves.c: messages whose blobs change hands -------------------------- */

/* A message on its way, until it is known whether it was accepted. */
typedef struct gri_moves {
    gr_blob *first; /* by `moving`: the blobs that stand in it */
    bool flat;      /* it goes to another node: their bytes were copied */
} gri_moves;

/* After GRI_MOVES: the message, for a send to `to`. From here on it owns its
 * blobs, and the sender has none of them. NULL: builder.rc is an error, and the
 * blobs are the sender's as before, as after any other error of a builder. */
gr_msg *gri_moves_begin(gr_actor *self, gr_pid to, gri_moves *moves);
/* It was sent (0), or not: then it owns nothing any more, and is still to be
 * freed. After a send of a flat one msg is not looked at. */
void gri_moves_end(gr_actor *self, gri_moves *moves, gr_msg *msg, int rc);

/* The three together, for gr_send and gr_ask (ref not 0), after the builder
 * gave no message: builder.rc may still be an error. */
int gri_send_moves(gr_actor *self, gr_pid to, uint64_t ref);
/* For other ways to send: a message of n values from self, with or without
 * blobs. NULL: builder.rc says why. */
gr_msg *gri_moves_pack(gr_actor *self, gr_pid to, const gr_value *values,
                       uint32_t n, gri_moves *moves);
/* It was sent (0), or not: then it is freed. `bytes` is the len that it had. */
void gri_moves_sent(gr_actor *self, gri_moves *moves, gr_msg *msg,
                    uint32_t bytes, int rc);
/* gr_tell takes them in any case. */
void gri_moves_drop(gr_actor *self, const gr_value *values, uint32_t n);

/* A copy of a received message whose blobs move on. gri_forward_end, after the
 * send, as gri_moves_end. NULL: no memory. */
gr_msg *gri_forward_begin(gr_actor *self, gr_pid to, gr_msg *msg);
void gri_forward_end(gr_actor *self, gr_pid to, gr_msg *msg, gr_msg *copy,
                     int rc);

/* blobs.c: a blob comes to an actor, which has an ext, or leaves it. */
void gri_blob_add(gri_ext *ext, gr_blob *blob);
void gri_blob_remove(gri_ext *ext, gr_blob *blob);
/* One that is nobody's. NULL: no memory. */
gr_blob *gri_blob_make(size_t size);

/* ---- dead.c: what cannot be delivered ------------------------------------ */

typedef enum gri_why {
    GRI_WHY_NOPROC = 0,
    GRI_WHY_NOCONNECTION,
    GRI_WHY_FULL,
    GRI_WHY_UNHANDLED,
    GRI_WHY_REFUSED, /* a gr_tell that could not be sent for another reason */
    GRI_WHY_POISON   /* runs of a stable actor failed on it */
} gri_why;

/* Ends a message or signal that nobody will receive: counts it, and answers who
 * waits for something (asks, monitors, links). Does not free msg. */
void gri_bury(gri_ctx *ctx, gr_pid to, gr_msg *msg, gri_why why);
/* The same for a gr_tell of which no message could be made. */
void gri_bury_unsent(gri_ctx *ctx, gr_pid to, gr_pid from);
/* Answers an asked message by an error, if it is still to be answered. */
void gri_answer_status(gri_ctx *ctx, gr_msg *msg, int status);

/* True for 1, 2, 4, 8 ...: when the log is told again. */
static inline bool gri_is_doubling(uint64_t n)
{
    return (n & (n - 1)) == 0;
}

/* ---- listen.c: who is told of what happens ------------------------------- */

/* self is told from now on, or no longer. Errors: GR_ENOMEM. */
int gri_listen(gr_actor *self, gri_listeners *to, bool on);
/* Tells all of them, except `but`, as a best effort. */
void gri_listeners_tell(gri_ctx *ctx, const gri_listeners *of, gr_pid but,
                        const gr_value *values, uint32_t n);
void gri_listeners_fini(gri_listeners *of);

/* ---- drop.c: what a mailbox's policy drops ------------------------------- */

/* The spawner's: a run whose policy drops begins to count. Before the run is
 * published. */
void gri_drops_begin(gr_actor *slot, uint32_t run, const gr_behavior *b);
/* The consumer's: its run has another behaviour now. */
void gri_drops_rename(gr_actor *self, const gr_behavior *b);
/* Counts, for that run of the slot, and reports a message that was dropped. */
void gri_drops_add(gri_ctx *ctx, gr_actor *slot, gr_pid to);
/* How many so far. Any thread; only of use while the run lives, also after it.
 */
uint64_t gri_drops_of(gr_actor *slot, uint32_t run);

/* ---- reap.c: the pool's memory goes back after a burst ------------------- */

/* Before the workers run. */
void gri_reap_init(gr_system *sys);
/* On a worker, or the watchdog: the timer without a message fired. */
void gri_reap(gri_ctx *ctx);

/* ---- turn.c -------------------------------------------------------------- */

extern const gri_sched_ops gri_actor_ops;
/* A message of the stash was given again: it is kept, or freed. */
void gri_given_again(gr_actor *self, gr_msg *msg, bool ended);

/* fault.c: the actor whose turn it was faulted: ends it, and then the turn. */
void gri_faulted(gri_worker *worker);

/* What a received message is to its actor. */
typedef enum gri_take {
    GRI_TAKE_DONE, /* a signal, dealt with */
    GRI_TAKE_GIVE  /* for the program's eyes */
} gri_take;

/* Whether a handler actor has put the message aside. (Of a thread actor the
 * same flag is the mark of what it has in hand.) */
static inline bool gri_is_stashed(const gr_actor *self, const gr_msg *msg)
{
    return (msg->flags & GRI_MSG_SAVED) != 0 && gri_behavior(self) != NULL;
}

/* Puts a kept message, which is off the inbox now, into the list (ask.c). */
void gri_kept_add(gr_actor *self, gr_msg *msg);

/* Takes the next message off the inbox; frees the one before. */
static inline gri_pop gri_next(gr_actor *self, gr_msg **out)
{
    gr_msg *old;
    gri_pop pop = gri_inbox_pop(&self->inbox, &self->outlet, out, &old);
    if (pop == GRI_POP_MSG) {
        unsigned held = old->flags & (GRI_MSG_KEPT | GRI_MSG_SAVED);
        if (held == 0) {
            gri_msg_free(self->ctx->cache, old);
        } else if (held == GRI_MSG_KEPT) {
            gri_kept_add(self, old);
        }
    }
    return pop;
}
/* Deals with a message of this run that is a signal. */
gri_take gri_take_in(gr_actor *self, gr_msg *msg);
/* Whether the run is to end after the running callback. */
static inline bool gri_exiting(const gr_actor *self)
{
    return (self->todo & GRI_DO_EXIT) != 0;
}

/* Gives an actor the context of the thread that runs it, and the other way. */
static inline void gri_enter(gr_actor *self, gri_ctx *ctx)
{
    self->ctx = ctx;
    /* relaxed: for crash reports and the watchdog, which only name it. */
    atomic_store_explicit(&ctx->running, self, memory_order_relaxed);
    ctx->sends = 0;
    ctx->pressed = NULL;
}

/* Within this time another node's agent must have answered. */
#define GRI_FAR_CALL_MS 5000

/* ---- spawn.c, begin.c, exit.c -------------------------------------------- */

/* Begins a run in self's slot; msg is START. */
void gri_begin_run(gr_actor *self, gr_msg *msg);
/* The same without a START, of a run that needs none, by its spawner. Errors:
 * GR_ENOMEM. */
int gri_begin_plainly(gri_ctx *ctx, gr_actor *slot, const gr_behavior *b,
                      uint32_t run);
/* It was not published: undoes that. */
void gri_begin_not(gri_ctx *ctx, gr_actor *slot);
/* Sets the reason; the first one counts. */
void gri_exit_set(gr_actor *self, const gr_exit_reason *why);
void gri_exit_error(gr_actor *self, int code, const char *where);
/* Ends the run whose reason is set. */
void gri_end_run(gr_actor *self);
/* The same for that reason, whatever was set before, after a callback that did
 * not return; goes on with an end that it broke off. */
void gri_end_faulted(gr_actor *self, const gr_exit_reason *why);
/* A run has ended: gri_system_stop, if it waits for that, looks again. */
void gri_tell_stopper(gr_system *sys);
gri_ext *gri_ext_of(gr_actor *self); /* makes it; NULL: no memory */

typedef struct gri_spawn {
    const gr_behavior *behavior;
    const gri_plan *plan; /* the behaviour's; NULL: the spawn asks for more */
    gri_thread *thread;
    gr_values args;
    gr_any raw_args; /* instead of args: an encoded array */
    const char *name;
    const gr_mailbox *mailbox; /* NULL: the behaviour's */
    const gr_limits *limits;   /* likewise */
    gr_pid parent;
    uint64_t monitor;
    gr_grade grade; /* GR_GRADE_DEFAULT: the behaviour's */
    bool link, ack, tended, agent, service;
    bool proxy;  /* behavior is a proxy's */
    bool hosted; /* its mailbox is elsewhere, and only its hard bound is here */
    bool stable; /* see stay.h */
    uint32_t poison_after; /* 0: the default */
    uint64_t parent_life;  /* as that of gri_start */
} gri_spawn;

/* Starts an actor; completes *how. *wakes: the START found the inbox idle, and
 * nobody was scheduled for it: the caller consumes (threads only). */
int gri_spawn_run(gri_ctx *ctx, gri_spawn *how, gr_pid *out, bool *wakes);
/* On another node; as gr_spawn, which has looked at its arguments. */
int gri_spawn_far(gr_actor *self, const gr_behavior *behavior,
                  const gr_spawn_opts *opts, gr_pid *out);
/* spawn_far.c: a question to another node's agent, and its answer. Errors: as
 * gr_callv, but GR_ENOCONN, not GR_ENOPROC, of a node that is stopping. */
int gri_agent_call(gr_actor *self, gr_node node, gr_pattern expect,
                   const gr_value *values, uint32_t n);
/* GR_EINVAL if it makes no sense; the second of a thread actor. */
int gri_check_spawn(const gr_system *sys, const gr_behavior *b,
                    const gr_mailbox *box);
int gri_check_mailbox(const gr_system *sys, const gr_mailbox *box);
/* Whether it has a name, and takes messages. */
bool gri_behavior_is_whole(const gr_behavior *b);

/* ---- stash.c ------------------------------------------------------------- */

/* The next one to be given again; it is off the stash then. GRI_DO_REPLAY says
 * whether there is one. */
gr_msg *gri_stash_take(gr_actor *self);
/* Between two turns, so that the next one begins with what is to be given
 * again: the inbox looks as if nothing could be popped. And the other way. */
void gri_stash_shut(gr_actor *self);
void gri_stash_open(gr_actor *self);
/* Buries what is left at the end of the run. */
void gri_stash_end(gr_actor *self);
/* As gri_thread_forget, of what is stashed. */
void gri_stash_forget(gr_actor *self, gri_msg_kind kind, gr_pid from,
                      uint64_t ref);

/* ---- links.c, ask.c, timers.c, names.c, arena.c, slow.c -------------------
 */

gri_take gri_on_link_signal(gr_actor *self, gr_msg *msg);
void gri_links_end(gr_actor *self, const gr_exit_reason *why);
/* Sets the alert that a kill is; the KILL signal wakes for it. */
void gri_kill(gri_ctx *ctx, gr_pid pid);
int gri_add_link(gr_actor *self, gr_pid pid);
bool gri_is_linked(const gr_actor *self, gr_pid pid);
/* Our end of one whose other end was never made. */
void gri_drop_link(gr_actor *self, gr_pid pid);
int gri_add_watcher(gr_actor *self, gr_pid pid, uint64_t ref);
int gri_add_monitor(gr_actor *self, gr_pid pid, uint64_t ref);
void gri_drop_monitor(gr_actor *self, uint64_t ref);
/* Reads the reason that an EXIT or DOWN carries. */
bool gri_read_reason(const gr_msg *msg, gr_pid *from, gr_exit_reason *why);

/* All of an ask but its message. Errors: as gr_ask. */
int gri_ask_open(gr_actor *self, int64_t timeout_ms, gr_continuation then,
                 uint64_t *ref_out);
/* It waits for that job, and lets go of it at its end; NULL: nothing will come,
 * and it is closed. */
void gri_ask_of_job(gr_actor *self, uint64_t ref, gr_job *job);
gri_take gri_on_reply(gr_actor *self, gr_msg *msg);
gri_take gri_on_ask_timeout(gr_actor *self, gr_msg *msg);
void gri_asks_end(gr_actor *self);
int gri_send_ask(gr_actor *self, gr_pid to, uint64_t ref,
                 const gr_value *values, uint32_t n);
/* The same of a message with a trailer, and a reply, an ask and a call of one.
 * They take it. */
int gri_send_asked(gr_actor *self, gr_pid to, uint64_t ref, gr_msg *msg);
int gri_reply_with(gr_actor *self, const gr_msg *msg, gr_msg *reply);
int gri_ask_with(gr_actor *self, gr_pid to, int64_t timeout_ms,
                 gr_continuation then, gr_msg *msg);
int gri_call_with(gr_actor *self, gr_pid to, int64_t timeout_ms,
                  gr_pattern expect, gr_msg *msg);
/* Frees what the answered or kept-and-answered message leaves. */
void gri_kept_end(gr_actor *self);
/* What a kept message costs: its block, and the blobs in it. */
static inline size_t gri_kept_size(const gr_msg *msg)
{
    const uint8_t class_ = msg->class_ & (uint8_t)~GRI_CLASS_OWNS;
    const size_t blobs = gri_msg_owns(msg) ? gri_blobs_cost(msg) : 0;
    return blobs +
           gri_class_size(class_, sizeof *msg + gri_with_trailer(msg->len));
}
/* Whether that stands in its actor's sum: it is kept, or stashed. */
static inline bool gri_is_counted(const gr_actor *self, const gr_msg *msg)
{
    return (msg->flags & GRI_MSG_KEPT) != 0 ||
           ((msg->flags & GRI_MSG_SAVED) != 0 && gri_behavior(self) != NULL);
}
/* After the handler, of a message that was asked or has GRI_MSG_LENT: it is
 * answered if it was not, and what was lent ends. */
void gri_after_handler(gr_actor *self, gr_msg *msg);

gri_take gri_on_timer(gr_actor *self, gr_msg *msg);
void gri_timer_done(gr_actor *self, gr_msg *msg);
/* On a worker, or the watchdog: a timer fired. */
void gri_timer_fired(gri_ctx *ctx, const gri_fired *fired);
void gri_timers_end(gr_actor *self);
/* Takes msg on 0 only. */
int gri_arm_message(gr_actor *self, gri_timer *t, int64_t due_ns, gr_msg *msg);

/* Takes a name for an actor that is about to start; nobody finds it yet.
 * Errors: GR_EINVAL, GR_EEXIST, GR_ENOMEM. */
int gri_name_reserve(gr_system *sys, const char *text, gr_pid pid,
                     gri_name **out);
/* From now on it is found, if that actor still has it. */
void gri_name_show(gr_system *sys, const char *text, gr_pid pid);
void gri_name_cancel(gr_system *sys, gri_name *name); /* frees it */
/* It is found, and ends with self, who has an ext. name may be NULL. */
void gri_name_adopt(gr_actor *self, gri_name *name);
void gri_names_end(gr_actor *self);
/* The name that the spawn of a stable actor gave is the address's, and found
 * between two runs, too. */
void gri_name_stays(gri_name *name);
/* Takes it out of self's names, so that it does not end with the run; NULL:
 * there is none. */
gri_name *gri_names_keep(gr_actor *self);
void gri_names_fini(gr_system *sys);
/* The name of a local actor for logs, or NULL; copied to buf. */
const char *gri_name_of(gr_system *sys, gr_pid pid, char *buf, size_t size);

/* Self's own, the one it has last; "": it has none. */
void gri_name_own(const gr_actor *self, char buf[GR_NAME_MAX + 1]);
/* The same where it stands. Consumer only, or what interrupts it. */
const char *gri_name_text(const gr_actor *self);

void gri_arena_end(gri_ext *ext);
/* Bytes that were taken from it. */
size_t gri_arena_size(const gri_ext *ext);
void gri_blobs_end(gri_ext *ext);
/* What it owns, as counted in arena_used. */
size_t gri_blobs_size(const gri_ext *ext);

/* Ends a turn of self that pressed a receiver: true, it is suspended and must
 * not be touched any more. */
bool gri_slow_down(gr_actor *self);
/* The receiver reached (or buried) a RESUME. */
void gri_slow_reached(gri_ctx *ctx, gr_msg *msg);
/* `to` has taken a message of another node's `from` past its soft bound. */
void gri_slow_far_sender(gri_ctx *ctx, const gri_feed *feed, gr_pid from,
                         gr_pid to);
/* From now on (or no longer) nobody waits for self, which is stable, and
 * between two runs. */
void gri_slow_slack(gr_actor *self, bool on);
/* A killed actor must not wait. */
void gri_slow_release(gri_ctx *ctx, gr_pid pid);

/* Suspends a proxy whose turn ends, until gri_unpause or a kill: true, and it
 * must not be touched any more. */
bool gri_pause(gr_actor *self);
void gri_unpause(gri_ctx *ctx, gr_pid pid);

/* ---- proxy.c: actors that stand for processes -----------------------------
 */

static inline bool gri_is_proxy(const gr_actor *self)
{
    /* relaxed: set before the run was published. */
    return (atomic_load_explicit(&self->traits, memory_order_relaxed) &
            GRI_PROXY) != 0;
}

/* gr_spawn of a behaviour that is to run in a process: what runs here instead
 * of it. Errors: GR_ENOTSUP, GR_ENOMEM, GR_ELIMIT, GR_EIO. */
int gri_proxy_behavior(gr_actor *self, const gr_behavior *user,
                       const gr_spawn_opts *opts, const gr_behavior **out);
/* Whether that grade is asked for; and whether this system starts a process for
 * it, which none does in deterministic mode. */
static inline bool gri_is_process_grade(const gr_behavior *b,
                                        const gr_spawn_opts *opts)
{
    return (opts->grade != GR_GRADE_DEFAULT ? opts->grade : b->grade) ==
           GR_GRADE_PROCESS;
}
static inline bool gri_is_for_process(const gr_system *sys,
                                      const gr_behavior *b,
                                      const gr_spawn_opts *opts)
{
    return gri_is_process_grade(b, opts) && !sys->sched.is_sim;
}
/* A proxy is killed. True: it will end so when its process has ended. */
bool gri_proxy_killed(gr_actor *self, const gr_exit_reason *why);
/* One turn's work of a paused proxy. False: it stays paused. */
bool gri_proxy_pump(gr_actor *self);
/* It was linked or unlinked by another. */
void gri_proxy_tied(gr_actor *self, const gr_msg *msg);

/* ---- hosted.c: the actor in its process -----------------------------------
 */

/* Not of this system, although its node is. */
static inline bool gri_is_host(const gr_system *sys)
{
    return sys->hosted != NULL;
}
bool gri_is_outside(const gr_system *sys, gr_pid pid);
/* A handler has returned, and did not fail: of a message from outside; NULL: of
 * what is the process's own. */
void gri_hosted_after(gr_actor *self, gr_msg *msg);
/* A signal from outside was dealt with, whether or not it was given. */
void gri_hosted_passed(gr_actor *self, gr_msg *msg);
/* A callback begins, for a message that was set aside, or (NULL) for what is
 * the process's own. */
void gri_hosted_begins(gr_actor *self, const gr_msg *msg);
/* A kept one is released; one is not handled; the actor has ended. */
void gri_hosted_released(gr_actor *self, const gr_msg *msg);
void gri_hosted_unhandled(gr_actor *self, gr_msg *msg);
void gri_hosted_ended(gr_actor *self, const gr_exit_reason *why);
/* gr_register, gr_unregister and gr_whereis there. */
int gri_hosted_name(gr_system *sys, gri_name_verb verb, const char *name,
                    gr_pid *out);

/* system.c: gr_system_start as that node (0: a new one). */
int gri_system_start_as(const gr_system_opts *opts, uint64_t node,
                        gri_hosted *hosted, gr_system **out);
/* table.c: the next slot that is taken is that pid's, with its run. Before
 * anybody else takes one. Errors: GR_EINVAL, GR_ENOMEM. */
int gri_table_place(gr_system *sys, gr_pid pid);

/* ---- room.c: a thread waits at a full mailbox -----------------------------
 */

/* A WAITER was reached, or buried: tells who waits. */
void gri_room_reached(gri_ctx *ctx, gr_msg *msg);
/* Takes in a WAITER or a ROOM. */
gri_take gri_on_room_signal(gr_actor *self, gr_msg *msg);

/* ---- msgpack.c ----------------------------------------------------------- */

/* Ends the trees, and a message that is begun and not sent. */
void gri_msgpack_clear(gri_msgpack *m);
static inline void gri_lent_end(gri_ctx *ctx)
{
    if (ctx->msgpack != NULL) {
        gri_msgpack_clear(ctx->msgpack);
    }
}
/* At the end of the context, while its cache can still be used. */
void gri_msgpack_free(gri_ctx *ctx);

/* ---- sim.c ----------------------------------------------------------------
 */

/* Deterministic mode: gri_world_step of its world. */
bool gri_sim_step(gr_system *sys, int64_t until_ns);

/* ---- contexts ------------------------------------------------------------ */

void gri_ctx_init(gri_ctx *ctx, gr_system *sys, gri_worker *worker,
                  gri_cache *cache, uint64_t id);
void gri_counters_add(gri_counters *to, const gri_counters *from);
/* Frees all of a system in which nothing runs any more. */
void gri_system_free(gr_system *sys);

#endif /* GRI_ACTORS_INTERNAL_H */
