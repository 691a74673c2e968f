/*
 * supervisor/state.h - one supervisor, and how its files divide the work.
 *
 *   supervisor.c  the actor: takes messages in, ends
 *   ordered.c     the children of a spec: one at a time, in order
 *   dynamic.c     those of simple_one_for_one: each for itself
 *   requests.c    what others want done to the children of a spec
 *   asks.c        who asks for a child's pid
 *   look.c        who asks what the children do
 *   overdue.c     the time: restarts that wait, children that do not stop
 *   children.c    one run of a child; remote.c: on another node
 *   strategy.c    what to do when one ended; intensity.c, backoff.c: how often
 *
 * Nothing here waits. What takes time (a child's init, a child's end) is
 * begun, noted in the child's state, and gone on with when the message about
 * it comes; so a supervisor can be told to stop at any moment.
 */
#ifndef GRI_SUPERVISOR_STATE_H
#define GRI_SUPERVISOR_STATE_H

#include <greenroom/system.h>

#include "base/rng.h"
#include "supervisor/agenda.h"
#include "supervisor/backoff.h"
#include "supervisor/children.h"
#include "supervisor/strategy.h"

/* What others want done, in the order in which they asked. */
typedef struct gri_requests {
    gri_kept *first, *last;
    uint32_t n;
} gri_requests;

typedef enum gri_request_kind {
    GRI_REQUEST_NONE = 0,
    GRI_REQUEST_ADD,
    GRI_REQUEST_TERMINATE,
    GRI_REQUEST_RESTART,
    GRI_REQUEST_DELETE
} gri_request_kind;

/* What ordered.c is at: first stop [first, at) downwards, then start [at, end)
 * upwards. */
typedef enum gri_step {
    GRI_STEP_NONE = 0,
    GRI_STEP_STOP,
    GRI_STEP_START
} gri_step;

typedef struct gri_work {
    gri_step step;
    uint32_t first, end, at;
    gri_child *waits; /* not NULL: when all are stopped this one waits, and
                         nothing is started */
    gri_request_kind request; /* whose work it is, if anybody's: */
    const gr_msg *asked;
} gri_work;

/* Who asks for a child that is not there yet. */
typedef struct gri_ask {
    const gr_msg *msg;
    gri_child *child; /* NULL: for the supervisor itself */
    struct gri_ask *next;
} gri_ask;

/* Asks that wait in one supervisor, and requests; more get GR_EAGAIN. As many
 * as a mailbox takes by default. */
enum { GRI_ASKS_WAITING_MAX = 100000 };

typedef struct gri_supervisor gri_supervisor;

/* What ordered.c and dynamic.c do differently when a message came. Errors of
 * these are failures of the supervisor itself (no memory). */
typedef struct gri_supervisor_ops {
    int (*started)(gr_actor *self, gri_supervisor *s, gri_child *child);
    int (*ended)(gr_actor *self, gri_supervisor *s, gri_child *child,
                 const gr_exit_reason *why);
    /* A WAITING child's time has come. */
    int (*again)(gr_actor *self, gri_supervisor *s, gri_child *child);
    /* It is ending: stop all children, then call gri_supervisor_exit. */
    int (*end)(gr_actor *self, gri_supervisor *s);
} gri_supervisor_ops;

/* Its memory is malloc's and ends with the actor (gr_on_exit), as children
 * come and go. */
struct gri_supervisor {
    const gri_supervisor_ops *ops;
    gri_spec spec;
    gri_intensity window;
    gri_rng rng;
    gr_pid parent;
    gri_runs runs;
    bool started; /* the first start is over */
    bool ending;  /* stops its children, then ends as `final` says */
    gr_exit_reason final;
    char blocked[GR_EXIT_TEXT_MAX + 1]; /* the first child that did not stop in
                                           time, and what was done */
    gri_agenda agenda;
    gr_timer timer; /* of the agenda; id 0: none */
    int64_t timer_ms;
    gri_queue ended;
    gri_ask *asks;
    uint32_t asks_n;
    /* ordered.c and requests.c: n children in an array of `cap` */
    gri_child **children;
    uint32_t n, cap;
    gri_work work;
    gri_requests requests;
    /* dynamic.c */
    gri_child *first, *last;
};

/* ---- supervisor.c ------------------------------------------------------- */

/* Stops the children, then ends for the reason `why`. The first call counts. */
int gri_supervisor_end(gr_actor *self, gri_supervisor *s,
                       const gr_exit_reason *why);
/* The same because that child ended too often, and as a significant one has. */
int gri_supervisor_give_up(gr_actor *self, gri_supervisor *s,
                           const gri_child *child);
int gri_supervisor_shut_down(gr_actor *self, gri_supervisor *s,
                             const gri_child *child);
/* The last child is gone: ends the actor. */
void gri_supervisor_exit(gr_actor *self, gri_supervisor *s);
/* What to do about an event of a child; notes in the child how long its restart
 * has to wait. `others`: another significant child is there. */
gri_action gri_supervisor_decide(gr_actor *self, gri_supervisor *s,
                                 gri_child *child, gri_event_kind kind,
                                 gr_exit_kind why, bool others);
/* The error that stands for a reason, where only a code can be told. */
int gri_code_of(const gr_exit_reason *why);

/* ---- asks.c -------------------------------------------------------------- */

void gri_refuse(gr_actor *self, const gr_msg *msg, int code);
/* Answers ["gr.child", pid]. */
void gri_answer_pid(gr_actor *self, const gr_msg *msg, gr_pid pid);
/* ["gr.child", id] and ["gr.started"], which were asked. */
int gri_ask_child(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                  gr_str id);
int gri_ask_started(gr_actor *self, gri_supervisor *s, const gr_msg *msg);
/* Answers the asks that can be answered now. */
void gri_asks_answer(gr_actor *self, gri_supervisor *s);
/* Refuses those for a child that is about to be forgotten. */
void gri_asks_forget(gr_actor *self, gri_supervisor *s, const gri_child *child);

/* ---- overdue.c ----------------------------------------------------------- */

#define GRI_TAG_TIMER "gr.supervisor.timer"

/* The timer has fired. */
int gri_time_passed(gr_actor *self, gri_supervisor *s);
/* The child is WAITING until its due_ms; then ops->again is called. By way of
 * the mailbox in any case, so that other messages get their turn between two
 * tries of a child that fails at once. */
int gri_wait(gr_actor *self, gri_supervisor *s, gri_child *child);
/* Stops a child, and sees to it that it ends: ops->ended is called. */
int gri_stop(gr_actor *self, gri_supervisor *s, gri_child *child);
/* Notes that a child held up the end, if it is the first: "id text", or
 * "branch/id text", where a branch has said so. */
void gri_blame(gri_supervisor *s, const gri_child *child, char between,
               const char *text);
/* Whether the text of a branch's end is such a note: it may also say why the
 * branch ended by itself. */
bool gri_is_blame(const char *text);
/* Tells the log of a child. */
void gri_tell(gr_actor *self, const gri_supervisor *s, const gri_child *child,
              gr_log_level level, const char *what);
/* The same of one that could not be spawned: there is no actor to report it. */
void gri_tell_refused(gr_actor *self, const gri_supervisor *s,
                      const gri_child *child, int code);
/* Of a child in a request that was not written in this system. */
void gri_tell_forged(gr_actor *self, const gri_supervisor *s, gr_pid from);

/* ---- ordered.c and requests.c ---------------------------------------------
 */

extern const gri_supervisor_ops gri_ordered;
int gri_ordered_init(gri_supervisor *s);
int gri_ordered_start(gr_actor *self, gri_supervisor *s);
void gri_ordered_free(gri_supervisor *s);
/* The child of that id, or NULL. */
gri_child *gri_ordered_find(const gri_supervisor *s, gr_str id);
/* Whether a child that is down comes back with one that waits: that one. */
const gri_child *gri_ordered_pending(const gri_supervisor *s,
                                     const gri_child *child);
/* Puts a child, which is then the supervisor's, behind all others. Errors:
 * GR_ELIMIT, GR_ENOMEM. */
int gri_ordered_append(gri_supervisor *s, gri_child *child);
/* Forgets a child that is down. */
void gri_ordered_remove(gr_actor *self, gri_supervisor *s, gri_child *child);

/* Keeps a request, which was asked, and carries it out if nothing is under
 * way. */
int gri_request(gr_actor *self, gri_supervisor *s, const gr_msg *msg);
/* Begins the next request, if there is one: true. */
bool gri_request_next(gr_actor *self, gri_supervisor *s);
/* What s->work was for somebody is done (code 0), or went wrong. */
void gri_request_done(gr_actor *self, gri_supervisor *s, gri_child *child,
                      int code);
/* It is ending: refuses all. */
void gri_requests_refuse(gr_actor *self, gri_supervisor *s);
/* Goes on with whatever there is to do. */
int gri_ordered_go_on(gr_actor *self, gri_supervisor *s);

/* ---- dynamic.c ----------------------------------------------------------- */

extern const gri_supervisor_ops gri_dynamic;
/* Answers `msg`, or keeps it until the child has started. */
int gri_dynamic_start_child(gr_actor *self, gri_supervisor *s,
                            const gr_msg *msg, gr_any args);
/* ["gr.terminate_child", pid]: likewise, until it has ended. */
int gri_dynamic_terminate(gr_actor *self, gri_supervisor *s, const gr_msg *msg,
                          gr_pid pid);
/* Frees what is left of the children when the actor is gone. */
void gri_dynamic_free(gri_supervisor *s);

/* ---- look.c -------------------------------------------------------------- */

/* These were asked. */
int gri_look_list(gr_actor *self, const gri_supervisor *s, const gr_msg *msg,
                  uint32_t from, uint32_t max);
int gri_look_at(gr_actor *self, const gri_supervisor *s, const gr_msg *msg,
                gr_str id);
int gri_look_count(gr_actor *self, const gri_supervisor *s, const gr_msg *msg);

/* How a child is told: as many values, in the order of gr_child_info. */
enum { GRI_INFO_VALUES = 17 };

#endif /* GRI_SUPERVISOR_STATE_H */
