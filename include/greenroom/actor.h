/* greenroom/actor.h - what an actor is, and all that it can do. */
#ifndef GREENROOM_ACTOR_H
#define GREENROOM_ACTOR_H

#include <greenroom/message.h>

GR_BEGIN_DECLS

/* ---- how an actor ended ------------------------------------------------- */

typedef enum gr_exit_kind {
    GR_EXIT_NORMAL = 0,   /* its work was done: gr_exit(self, 0, ...) */
    GR_EXIT_SHUTDOWN,     /* it was asked to stop: gr_stop, or its system */
    GR_EXIT_ERROR,        /* a callback returned the error in `code` */
    GR_EXIT_KILLED,       /* gr_kill */
    GR_EXIT_LIMIT,        /* over a limit; `code` and `text` say which */
    GR_EXIT_NOPROC,       /* it was dead before the link or monitor came */
    GR_EXIT_NOCONNECTION, /* its node was lost: whether it lives is unknown */
    GR_EXIT_SIGNAL /* its code faulted, or its process ended, by the signal
                      in `code`; `text` says more: "SIGSEGV at 0" */
} gr_exit_kind;

#define GR_EXIT_TEXT_MAX 63 /* bytes of text that a reason carries */

typedef struct gr_exit_reason {
    gr_exit_kind kind;
    int code; /* GR_EXIT_ERROR: the error; GR_EXIT_SIGNAL: the signal */
    char text[GR_EXIT_TEXT_MAX + 1]; /* may be empty */
} gr_exit_reason;

/* "normal", "shutdown", "error" ...; never NULL. Threads: any. */
GR_API const char *gr_exit_kind_name(gr_exit_kind kind);

/* ---- a behaviour: the constant that an actor is made from --------------- */

/* Called first, on a worker, with the arguments of the spawn (gr_unpack). 0, or
 * the error that the actor ends with. */
typedef int gr_init_fn(gr_actor *self, void *state, const gr_msg *args);
/* Called for each message. 0, or an error, which is a failure of the actor. */
typedef int gr_receive_fn(gr_actor *self, void *state, const gr_msg *msg);
/* Called last, unless the actor is killed, or faulted (GR_GRADE_TRAP). Still
 * allowed: sending. */
typedef void gr_terminate_fn(gr_actor *self, void *state,
                             const gr_exit_reason *why);

/* One row of a table of handlers, which ends at {0}. */
typedef struct gr_handler {
    const char *tag;
    gr_receive_fn *receive;
} gr_handler;

/* What happens to a message that finds the mailbox at its hard bound. */
typedef enum gr_full {
    GR_FULL_FAIL = 0, /* the sender gets GR_EAGAIN */
    GR_FULL_DROP_NEW, /* the message is dropped and counted; the send says 0 */
    GR_FULL_STOP,     /* the receiver ends with GR_EXIT_LIMIT */
    GR_FULL_DROP_OLD, /* the oldest that waits is dropped and counted, and the
                         message goes in; nobody is slowed down */
    GR_FULL_REDIRECT  /* it is sent to `redirect` instead, once: if that one
                         would redirect it too, the sender gets GR_EAGAIN */
} gr_full;

/* Bounds in messages; 0 is the system's default. Signals (exits, monitors,
 * timers, answers) are not counted and never refused. */
typedef struct gr_mailbox {
    uint32_t soft; /* beyond: handler actors that send here are slowed down */
    uint32_t hard; /* beyond: `full` decides */
    gr_full full;
    uint32_t urgent; /* messages of gr_send_urgent that may wait, beside the
                        others; 0: no urgent lane. GR_URGENT_USUAL is usual */
    gr_pid redirect; /* of GR_FULL_REDIRECT: an actor of the same node */
} gr_mailbox;

#define GR_URGENT_USUAL 1000u /* messages in an urgent lane */

/* What a fault of the actor's own code (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
 * abort(), a failed assert(), a stack overflow) ends. docs/faults.md says what
 * each can promise. Of a thread actor it always ends the process, and so it
 * does in deterministic mode. */
typedef enum gr_grade {
    GR_GRADE_DEFAULT = 0, /* the behaviour's; there: the system's; there:
                             GR_GRADE_TRAP */
    GR_GRADE_TRAP,        /* the actor, where that is safe; else the process */
    GR_GRADE_ABORT,       /* the process, with a crash report */
    GR_GRADE_PROCESS      /* the actor: it runs in a process of its own */
} gr_grade;

/* Limits that end the actor, and nobody else, with GR_EXIT_LIMIT. 0: the
 * behaviour's; there: the system's; there: none. */
typedef struct gr_limits {
    size_t memory_max;      /* bytes: state, arena, blobs, kept and stashed
                               messages, and what waits in the mailbox */
    int64_t handler_max_ms; /* of one callback: then a process actor is killed,
                               any other ends when the callback returns */
    /* Of process actors only: the operating system keeps them for the whole
     * process, from before init on. */
    size_t address_space_max; /* bytes that it maps; more is GR_ENOMEM, or what
                                 its code makes of a malloc that failed. Some
                                 1.1 GiB of them are the runtime's, of which the
                                 table for the default actors_max is 1 GiB; with
                                 less it does not start */
    size_t file_size_max;     /* bytes of a file it writes; then SIGXFSZ */
    uint32_t cpu_max_s;       /* seconds of processor time; then SIGXCPU */
    uint32_t files_max;       /* numbers of descriptors are below it; at least
                                 16 */
    bool seccomp;             /* no system call that opens a file or a socket,
                                 starts a process or touches another one; then
                                 SIGSYS, and its name on standard error */
} gr_limits;

/*
 * A behaviour is a constant that outlives every system that uses it. `name` is
 * required: it is how logs, other nodes and child processes call it. Of
 * `handlers` and `receive` at least one; the table is looked at first.
 * Members may be appended in later versions: use designated initialisers.
 */
typedef struct gr_behavior {
    const char *name;
    size_t state_size; /* bytes, zeroed before init; private to the actor */
    gr_init_fn *init;
    gr_receive_fn *receive;
    const gr_handler *handlers;
    gr_terminate_fn *terminate;
    gr_mailbox mailbox;
    size_t arena_max; /* bytes that gr_alloc may give; 0: the system's */
    bool trap_exit;   /* start as if by gr_trap_exit(self, true) */
    gr_grade grade;
    gr_limits limits;
} gr_behavior;

/* ---- life --------------------------------------------------------------- */

typedef struct gr_spawn_opts {
    gr_values args;     /* gr_args(...); borrowed */
    const char *name;   /* registered before init runs; borrowed */
    bool link;          /* as by gr_link, in place before init runs */
    gr_ref *monitor;    /* as by gr_monitor, in place before init runs */
    bool ack;           /* tell the spawner when init has returned 0: a message
                           that gr_match_started matches */
    gr_mailbox mailbox; /* what is not 0 overrides the behaviour's */
    gr_node node;     /* where; another node needs the behaviour on its list of
                         spawnable ones, and a thread actor to wait (5 s); it takes
                         no ack, mailbox, grade or limits, and ties behind init */
    gr_grade grade;   /* not 0: instead of the behaviour's */
    gr_limits limits; /* what is not 0 overrides the behaviour's */
    bool stable; /* address, name and mailbox outlive its runs: see gr_revive;
                    of this node */
    uint32_t poison_after; /* of a stable one: after so many runs that failed on
                              one message, that is set aside; 0: the default */
} gr_spawn_opts;

#define GR_POISON_AFTER_DEFAULT 1u /* runs that fail on one message */

/*
 * Starts an actor and stores its address in *out (out may be NULL). init runs
 * later, on a worker; messages sent to *out meanwhile wait.
 *
 * Errors:  GR_EINVAL (no name or no receive in the behaviour, a mailbox or a
 *          grade that makes no sense, arguments that cannot be sent),
 * GR_ETOOBIG (arguments), GR_EEXIST (name taken), GR_ELIMIT (actors_max;
 * arguments nested deeper than GR_DEPTH_MAX), GR_ENOMEM, GR_ESTOPPED (the
 * system is stopping); from another node also GR_ENOCONN, GR_EDENIED,
 * GR_ETIMEOUT, GR_ENOTSUP (self is not a thread actor). Threads: the actor that
 * owns `self` only, as for all that takes `self`.
 */
GR_API GR_MUST_CHECK int gr_spawn(gr_actor *self, const gr_behavior *behavior,
                                  const gr_spawn_opts *opts, gr_pid *out);

GR_API gr_pid gr_self(const gr_actor *self);
GR_API gr_system *gr_system_of(const gr_actor *self);

/*
 * A stable actor (gr_spawn_opts.stable) is spawned as any other. When a run of
 * it ends, however it did, links and monitors fire, and its memory, timers,
 * asks and kept messages end, as ever. But its pid still names it, and so does
 * the name that it was spawned with. Whatever is sent to it from then on,
 * messages, asks, monitors, links, requests to stop, waits for its next run,
 * within the bounds of its mailbox; no sender is slowed down meanwhile. A kill
 * ends the run that lives when it comes; between two runs there is none. The
 * same holds for its spawner's requests to stop; those of others wait. Of
 * memory_max as much as the last run had behind init is kept for the next one.
 *
 * Its spawner decides what comes next. gr_revive begins another run: init, then
 * what was stashed, then the message that the last run failed on, then what
 * waits, each in the order in which it came. opts as for gr_spawn (may be NULL;
 * behaviour, name, mailbox, node, grade, limits and poison_after stay those of
 * the spawn). gr_give_up ends the address, at once or with the run that lives:
 * what waits becomes dead letters, who asked gets GR_ENOPROC. The same happens
 * when the spawner itself ends, and when the system stops.
 *
 * A message that runs fail on (return an error, fault, gr_exit with a code) is
 * set aside after poison_after of them: a dead letter, counted in
 * gr_stats.poisoned; who asked gets GR_ENOPROC. Before that it is given again,
 * so its handler may see it more than once.
 *
 * Errors of gr_revive:  GR_EINVAL (not a stable actor that self has spawned; a
 *          run of it lives; with opts->link: self has not received its link's
 *          exit yet), GR_ENOPROC (it was given up), GR_ESTOPPED (the system is
 *          stopping), and those of gr_spawn for what opts says.
 * Errors of gr_give_up: GR_EINVAL (likewise), GR_ENOPROC (it has ended).
 */
GR_API GR_MUST_CHECK int gr_revive(gr_actor *self, gr_pid pid,
                                   const gr_spawn_opts *opts);
GR_API GR_MUST_CHECK int gr_give_up(gr_actor *self, gr_pid pid);

/* Ends this actor after the running callback. code 0: GR_EXIT_NORMAL;
 * GR_ESTOPPED: GR_EXIT_SHUTDOWN (for an actor that traps exits and was told to
 * stop); GR_ELIMIT: GR_EXIT_LIMIT; any other: GR_EXIT_ERROR. text may be NULL;
 * it is cut at GR_EXIT_TEXT_MAX. The first call counts. A thread actor ends by
 * gr_thread_detach; for it this only sets the reason. */
GR_API void gr_exit(gr_actor *self, int code, const char *text);

/*
 * From the next message on `next`'s receive, handlers and terminate are this
 * actor's, and its name the one in logs. The state stays, so it must be as
 * large as next's; init is not called; bounds, arena_max and trap_exit stay as
 * they are. A supervisor restarts with the behaviour that it knows.
 * Errors: GR_EINVAL (no name or no receive in next, or its state_size is larger
 * than that of the behaviour that was spawned), GR_ENOMEM, GR_ENOTSUP (self is
 * a thread actor).
 */
GR_API GR_MUST_CHECK int gr_become(gr_actor *self, const gr_behavior *next);

/*
 * Asks `pid` to stop. It handles what came before, calls terminate, and ends
 * with GR_EXIT_SHUTDOWN; if it traps exits it gets a message that
 * gr_match_stop matches, and decides. Stopping the dead is no error.
 * Errors: GR_EINVAL (nobody), GR_ENOMEM, GR_ENOCONN.
 */
GR_API GR_MUST_CHECK int gr_stop(gr_actor *self, gr_pid pid);
/* Ends `pid` before its next message, without terminate. Cannot be trapped. A
 * thread actor sees GR_ESTOPPED from its next wait. Errors: as gr_stop. */
GR_API GR_MUST_CHECK int gr_kill(gr_actor *self, gr_pid pid);

/* Calls fn(arg) when this actor has ended, however it did (killed, or by a
 * fault, too; of a process actor only if it ended in order), last registered
 * first, each once: for what it holds outside (descriptors, malloc). Errors:
 * GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_on_exit(gr_actor *self, void (*fn)(void *arg),
                                    void *arg);

/* ---- links, monitors, names --------------------------------------------- */

/* Links, and monitors each way, of one actor. */
#define GR_TIES_MAX (1u << 20)

/*
 * Ties two lives: when one ends other than normally, so does the other, with
 * the same reason, unless it traps exits. Linking to the dead ends (or tells)
 * the caller with GR_EXIT_NOPROC. Links are one per pair, in both directions.
 * Errors: GR_EINVAL (nobody, or oneself), GR_ENOMEM, GR_ELIMIT (GR_TIES_MAX).
 */
GR_API GR_MUST_CHECK int gr_link(gr_actor *self, gr_pid pid);
GR_API GR_MUST_CHECK int gr_unlink(gr_actor *self, gr_pid pid);
/* From now on exits of links and requests to stop come as messages
 * (gr_match_exit, gr_match_stop). */
GR_API void gr_trap_exit(gr_actor *self, bool on);

/*
 * Asks for one message, which gr_match_down matches, when `pid` ends, or at
 * once if it is dead. It comes behind all that `pid` sent here. It also comes
 * if `pid` lives, but has no memory or room for one more monitor:
 * GR_EXIT_ERROR, with the code GR_ENOMEM or GR_ELIMIT.
 *
 * Errors: GR_EINVAL (nobody), GR_ENOMEM, GR_ELIMIT (GR_TIES_MAX).
 */
GR_API GR_MUST_CHECK int gr_monitor(gr_actor *self, gr_pid pid, gr_ref *out);
/* No message of this monitor is seen after this, even if it waits already. */
GR_API void gr_demonitor(gr_actor *self, gr_ref ref);

/*
 * Gives this actor a name on its node; the name goes when the actor ends. A
 * name is 1 to GR_NAME_MAX bytes. Errors: GR_EINVAL, GR_EEXIST, GR_ENOMEM.
 */
#define GR_NAME_MAX 255
GR_API GR_MUST_CHECK int gr_register(gr_actor *self, const char *name);
/* Errors: GR_ENOENT (not a name of this actor). */
GR_API GR_MUST_CHECK int gr_unregister(gr_actor *self, const char *name);
/*
 * The actor of that name on `node` (GR_HERE: this one).
 * Errors: GR_ENOENT; for another node, where it waits up to 5 s, also
 * GR_ENOCONN, GR_ETIMEOUT, GR_ENOTSUP (self is not a thread actor: use gr_ask
 * with gr_node_agent, see node.h).
 */
GR_API GR_MUST_CHECK int gr_whereis(gr_actor *self, gr_node node,
                                    const char *name, gr_pid *out);

/* What the runtime tells an actor; false for any other message, whatever tag
 * another actor gave it. Outputs may be NULL. */
GR_API bool gr_match_exit(const gr_msg *msg, gr_pid *from, gr_exit_reason *why);
GR_API bool gr_match_down(const gr_msg *msg, gr_ref *ref, gr_pid *from,
                          gr_exit_reason *why);
GR_API bool gr_match_stop(const gr_msg *msg, gr_pid *from);
GR_API bool gr_match_started(const gr_msg *msg, gr_pid *from);

/* ---- sending ------------------------------------------------------------ */

/*
 * gr_send(self, to, tag, values...): 0 means accepted: it will be handled, or
 * become a dead letter, or be dropped by the receiver's stated policy; each
 * counted. A send to an actor that is known to be dead is accepted too, and a
 * dead letter at once. Two messages from one actor to another arrive in the
 * order sent. Never blocks.
 *
 * Owns:    borrows everything, but takes on 0 what gr_move names.
 * Errors:  GR_EAGAIN (mailbox full, policy fail; or the peer's queue is),
 *          GR_ETOOBIG, GR_ELIMIT (nested deeper than GR_DEPTH_MAX),
 *          GR_ENOMEM, GR_EINVAL (`to` is nobody, or a bad value), GR_ENOCONN
 *          (its node is not connected).
 */
GR_API GR_MUST_CHECK int gr_sendv(gr_actor *self, gr_pid to,
                                  const gr_value *values, uint32_t n);
/*
 * gr_send_urgent(self, to, tag, values...): as gr_send, but the message
 * overtakes all that waits in the mailbox (but not what gr_unstash gives
 * again), if the receiver has an urgent lane (gr_mailbox.urgent); else, and to
 * another node, it is an ordinary one. Urgent messages keep their order among
 * themselves. Owns: as gr_send. Errors: as gr_send; GR_EAGAIN: so many wait in
 * the lane.
 */
GR_API GR_MUST_CHECK int gr_send_urgentv(gr_actor *self, gr_pid to,
                                         const gr_value *values, uint32_t n);
/*
 * gr_send_wait(self, to, timeout_ms, tag, values...): as gr_send, from a thread
 * actor; where that would say GR_EAGAIN for a mailbox of this node, it waits up
 * to timeout_ms (GR_FOREVER; 0: not at all) until the receiver has handled what
 * waits now, and tries again. Messages to self stay meanwhile. Owns: as
 * gr_send. Errors: as gr_send (GR_EAGAIN: the queue to another node);
 * GR_ETIMEOUT, GR_ESTOPPED (self was told to stop), GR_EDEADLOCK (as gr_call),
 * GR_EINVAL (timeout; to oneself), GR_ENOTSUP (self is not a thread actor).
 * After an error it is not sent.
 */
GR_API GR_MUST_CHECK int gr_send_waitv(gr_actor *self, gr_pid to,
                                       int64_t timeout_ms,
                                       const gr_value *values, uint32_t n);
/*
 * gr_send_sure(self, to, timeout_ms, tag, values...): as gr_send, from a thread
 * actor that wants to know: 0 only when the message is in the receiver's
 * mailbox. That it is handled nobody promises: the receiver may be about to
 * end, or its policy drop it later. The receiver sees a plain message
 * (gr_msg_asked is false). For an actor of this node it does not wait, and of a
 * process actor the mailbox is the one in this process; from another node it
 * waits up to timeout_ms (GR_FOREVER) for word. Messages to self stay
 * meanwhile. Owns:    as gr_send; a blob that was taken (its pointer is NULL
 * then) is gone with a message that could not be put into the mailbox. Errors:
 * as gr_send. GR_ENOPROC (the receiver is dead), GR_EAGAIN (its mailbox is
 * full, or its policy dropped the message, or has ended it for that; or the
 * queue to its node is full), GR_EDENIED and GR_ELIMIT (so says its node, see
 * gr_peer_rights). GR_ETIMEOUT, GR_ENOCONN and GR_ESTOPPED (self was told to
 * stop) after it was sent to another node: it may be there all the same.
 * GR_EINVAL (timeout as for gr_ask), GR_ENOTSUP (self is not a thread actor:
 * gr_send_then).
 */
GR_API GR_MUST_CHECK int gr_send_surev(gr_actor *self, gr_pid to,
                                       int64_t timeout_ms,
                                       const gr_value *values, uint32_t n);
/* gr_tell(self, to, tag, values...): best effort; what gr_send would refuse
 * becomes a counted dead letter with its reason. It takes what gr_move names in
 * any case: a blob of a dead letter is freed. */
GR_API void gr_tellv(gr_actor *self, gr_pid to, const gr_value *values,
                     uint32_t n);
/* Sends on a message as it is, with its sender, and, if it was asked, with the
 * duty to answer, which is then the receiver's. Blobs in it move on; in `msg`
 * nil stands in their place then. If the receiver waits for who asked, that one
 * gets GR_EDEADLOCK instead. Errors: as gr_send, and GR_EINVAL if it was asked
 * and is answered already. */
GR_API GR_MUST_CHECK int gr_forward(gr_actor *self, gr_pid to,
                                    const gr_msg *msg);

/* ---- what came with a message ------------------------------------------- */

/* GR_NOBODY if none. */
GR_API gr_pid gr_sender(const gr_msg *msg);
/* Whether the sender waits for a reply. */
GR_API bool gr_msg_asked(const gr_msg *msg);
/* Of an answer: 0, or the error that came instead of it. */
GR_API int gr_msg_status(const gr_msg *msg);
/* Of an answer: what was given to gr_then. */
GR_API uint64_t gr_msg_token(const gr_msg *msg);

/* The message is none of this actor's: a counted dead letter, an error to who
 * asked it (GR_ENOREPLY). Returns 0, to be returned by the handler. */
GR_API int gr_unhandled(gr_actor *self, const gr_msg *msg);

/*
 * Keeps a message beyond its handler without copying: to answer it later, or to
 * read it again. It ends with gr_release, or with the actor. An asked message
 * that ends unanswered is answered with GR_ENOREPLY (GR_ENOPROC at exit).
 * Returns NULL without memory, when the actor's arena_max is reached (kept
 * messages count in it, with their blobs), or for a stashed message.
 */
GR_API GR_MUST_CHECK const gr_msg *gr_keep(gr_actor *self, const gr_msg *msg);
GR_API void gr_release(gr_actor *self, const gr_msg *kept);

/*
 * Puts the message that is being handled aside, without copying: it is given to
 * this actor again after gr_unstash. An asked one stays to be answered. Only
 * then does it count as handled; what is in the stash at the actor's end is a
 * dead letter, and whoever asked gets GR_ENOPROC.
 * Owns:    the message stays the runtime's; it counts in arena_max, as if kept.
 * Errors:  GR_EAGAIN (as many are stashed as the mailbox's hard bound, or
 *          arena_max is reached), GR_EINVAL (not the message being handled, or
 *          kept, or stashed already; an answer, or init's arguments),
 *          GR_ENOMEM, GR_ENOTSUP (self is a thread actor).
 */
GR_API GR_MUST_CHECK int gr_stash(gr_actor *self, const gr_msg *msg);
/* Gives what is stashed again, in the order in which it came, right after the
 * running handler and before all that waits in the mailbox. What is stashed
 * from now on, even if it is given by this, waits for the next gr_unstash. So a
 * handler that stashes its message and unstashes it at once is given it for
 * ever, and nothing else; only a kill ends that. */
GR_API void gr_unstash(gr_actor *self);
/* The same for the first of them only: for an actor that may have to wait again
 * after each, and would stash all others once more. */
GR_API void gr_unstash_one(gr_actor *self);

/* ---- asking ------------------------------------------------------------- */

/*
 * gr_reply(self, msg, tag, values...): answers an asked message, once. An asker
 * that has ended, or whose node is lost, is no error: the answer is a late one.
 * Errors: GR_EINVAL (not asked, or answered already; a bad value), GR_ENOMEM,
 * GR_ETOOBIG, GR_ELIMIT (nested deeper than GR_DEPTH_MAX). After an error the
 * duty is what it was.
 */
GR_API GR_MUST_CHECK int gr_replyv(gr_actor *self, const gr_msg *msg,
                                   const gr_value *values, uint32_t n);
/* Answers with an error instead: what gr_call returns, what gr_msg_status
 * says. code must be negative. text may be NULL. */
GR_API GR_MUST_CHECK int gr_reply_error(gr_actor *self, const gr_msg *msg,
                                        int code, const char *text);

/* Where an answer goes: fn(self, state, reply) for the answer, the timeout and
 * the death alike (gr_msg_status tells). */
typedef struct gr_continuation {
    gr_receive_fn *fn;
    uint64_t token;
} gr_continuation;

static inline gr_continuation gr_then(gr_receive_fn *fn, uint64_t token)
{
    gr_continuation then = {fn, token};
    return then;
}

/*
 * gr_ask(self, to, timeout_ms, gr_then(fn, token), tag, values...): a question
 * from a handler actor, which goes on with other messages meanwhile. fn is
 * called once: with the answer, or with status GR_ETIMEOUT, GR_ENOPROC,
 * GR_ENOREPLY, GR_ENOCONN or the callee's own error. A late answer is dropped
 * and counted; it never reaches the mailbox.
 * Errors: as gr_send, and GR_EINVAL (no fn, timeout not above 0 nor
 * GR_FOREVER), GR_ELIMIT (asks_max open asks), GR_ENOTSUP (self is a thread
 * actor: gr_call).
 */
GR_API GR_MUST_CHECK int gr_askv(gr_actor *self, gr_pid to, int64_t timeout_ms,
                                 gr_continuation then, const gr_value *values,
                                 uint32_t n);
/*
 * gr_send_then(self, to, timeout_ms, gr_then(fn, token), tag, values...): the
 * same as gr_send_sure from a handler actor, which goes on meanwhile. fn is
 * called once, in a later turn, with a message whose gr_msg_status is 0 (it is
 * in the receiver's mailbox) or what gr_send_sure would have returned. It is
 * one of the asks_max open asks until then.
 * Errors: as gr_send (then it was not sent, and fn is not called; of a process
 * actor they come to fn), and as gr_ask's own.
 */
GR_API GR_MUST_CHECK int gr_send_thenv(gr_actor *self, gr_pid to,
                                       int64_t timeout_ms, gr_continuation then,
                                       const gr_value *values, uint32_t n);
/*
 * gr_call(self, to, timeout_ms, gr_expect(tag, outputs...), tag, values...):
 * a question from a thread actor, which waits. Outputs borrow from the answer.
 * Errors: as gr_send and gr_ask's statuses; GR_EREPLY (the answer is another
 * one), GR_ESTOPPED, GR_EINVAL (timeout as for gr_ask; to oneself), GR_ENOTSUP
 * (self is not a thread actor), GR_EDEADLOCK (the callee waits for this actor:
 * it is a thread actor in gr_call, or in gr_send_wait, or so is who holds its
 * question, and so on; nothing was sent).
 */
GR_API GR_MUST_CHECK int gr_callv(gr_actor *self, gr_pid to, int64_t timeout_ms,
                                  gr_pattern expect, const gr_value *values,
                                  uint32_t n);
/* The circle that the last GR_EDEADLOCK of this actor would have closed, such
 * as `ann <5.1@0a> -"get"-> bob <6.1@0a> -"put"-> ann <5.1@0a>`; empty before.
 * Lives until the next one. */
GR_API const char *gr_deadlock_path(const gr_actor *self);

/* ---- time --------------------------------------------------------------- */

/* gr_after(self, ms, &timer, tag, values...): sends that message to oneself
 * once, in `ms` or a little later. out may be NULL. Errors: GR_EINVAL (ms < 0,
 * or too large to be counted in nanoseconds; a bad value), GR_ENOMEM,
 * GR_ETOOBIG, GR_ELIMIT (timers_max of the actor; nested deeper than
 * GR_DEPTH_MAX). */
GR_API GR_MUST_CHECK int gr_afterv(gr_actor *self, int64_t ms, gr_timer *out,
                                   const gr_value *values, uint32_t n);
/* gr_after_us(...): the same in microseconds, for who paces finer than a
 * millisecond. Errors: as gr_after. */
GR_API GR_MUST_CHECK int gr_after_usv(gr_actor *self, int64_t us, gr_timer *out,
                                      const gr_value *values, uint32_t n);
/* gr_every(...): as gr_after, each ms until cancelled. A fire that finds the
 * one before it not handled yet is left out. Errors: as gr_after, and GR_EINVAL
 * for ms 0, and for a blob, which can be sent only once. */
GR_API GR_MUST_CHECK int gr_everyv(gr_actor *self, int64_t ms, gr_timer *out,
                                   const gr_value *values, uint32_t n);
/* No message of this timer is seen after this, even if it waits already.
 * Cancelling what has fired is no error. */
GR_API void gr_timer_cancel(gr_actor *self, gr_timer timer);
/* Monotonic milliseconds; virtual in deterministic mode. */
GR_API int64_t gr_now_ms(const gr_actor *self);

/* ---- private memory ----------------------------------------------------- */

/* Memory of this actor's own, zeroed, aligned for any type, freed with the
 * actor. NULL when arena_max is reached or there is no memory. */
GR_API GR_MUST_CHECK void *gr_alloc(gr_actor *self, size_t size);
/* A copy in that memory, with a zero byte after it; ptr NULL as gr_alloc. */
GR_API gr_str gr_str_copy(gr_actor *self, gr_str text);

/* ---- blobs: large bytes that are moved ---------------------------------- */

/*
 * A blob is `size` bytes, not cleared, aligned for any type. It belongs to one
 * actor, until gr_move gives it away with a message: then, after the send, to
 * that message, which frees it at its end, and to the receiver once it took it
 * (gr_blob_take). What belongs to an actor counts in its arena_max, and is
 * freed with the actor, however that ends.
 *
 * NULL when arena_max is reached or there is no memory. A blob may be larger
 * than message_max, but not be sent then.
 */
GR_API GR_MUST_CHECK gr_blob *gr_blob_new(gr_actor *self, size_t size);
/* blob may be NULL. */
GR_API void gr_blob_free(gr_actor *self, gr_blob *blob);
/* The bytes: the owner's to read and write. */
GR_API void *gr_blob_data(gr_blob *blob);
GR_API size_t gr_blob_size(const gr_blob *blob);
/* Makes it longer or shorter; the bytes may move then, and *blob with them. To
 * shorten one never fails. Errors: GR_ENOMEM (or arena_max is reached). */
GR_API GR_MUST_CHECK int gr_blob_resize(gr_actor *self, gr_blob **blob,
                                        size_t size);
/*
 * The bytes of a message as a blob of this actor's own. `bytes` are as they
 * were matched or read from msg, a message that this actor holds (NULL: the one
 * in hand, such as the answer that gr_call has just given). If they came as a
 * blob they are moved: they stay where they are, and in the message nil stands
 * in their place. All other bytes are copied. NULL: as gr_blob_new, and nothing
 * was taken.
 */
GR_API GR_MUST_CHECK gr_blob *gr_blob_take(gr_actor *self, const gr_msg *msg,
                                           gr_bytes bytes);

/* ---- thread actors: code that waits ------------------------------------- */

/*
 * Waits up to timeout_ms (GR_FOREVER; 0: only looks) for the next message,
 * which lives until the next wait of this actor.
 * Errors: GR_ETIMEOUT; GR_ESTOPPED once the actor was told to stop;
 * GR_ENOTSUP (self is a handler actor).
 */
GR_API GR_MUST_CHECK int gr_receive(gr_actor *self, int64_t timeout_ms,
                                    const gr_msg **out);
/* Waits; messages stay. Errors: GR_ESTOPPED, GR_ENOTSUP. */
GR_API GR_MUST_CHECK int gr_sleep(gr_actor *self, int64_t ms);
/* Waits until this actor is told to stop, or the process gets SIGTERM or
 * SIGINT. Messages stay. 0 in both cases. Errors: GR_ENOTSUP (self is not a
 * thread actor), GR_ELIMIT (16 threads of the process wait already). */
GR_API GR_MUST_CHECK int gr_wait_stop(gr_actor *self);
/* How the actor was told to end, after GR_ESTOPPED. False before. */
GR_API bool gr_exit_reason_of(const gr_actor *self, gr_exit_reason *why);

/* Writes "<slot.run@node>", for logs; the node's number is shortened. */
#define GR_PID_TEXT_MAX 64
GR_API const char *gr_pid_text(gr_pid pid, char buf[GR_PID_TEXT_MAX]);

GR_END_DECLS

#include <greenroom/detail/verbs.h> /* gr_send, gr_ask, ... as macros */

#endif /* GREENROOM_ACTOR_H */
