/*
 * supervisor/overdue.c - a supervisor's time: restarts that wait, and children
 * that do not stop.
 *
 * So a stop is bounded: a child is asked; after its stop_max_ms it is killed;
 * and if it is still there GR_CHILD_KILL_MS later, as a callback that runs
 * cannot be interrupted, it is left behind. Each is told to the log, and the
 * first also in the text with which the supervisor ends. A branch needs no
 * deadline of its own: its children have theirs.
 */
#include <stdio.h>
#include <string.h>

#include <greenroom/system.h>

#include "supervisor/state.h"

enum {
    LINE_MAX_BYTES = 512,
    WHAT_MAX_BYTES = 60 /* of what a child has done: fits beside an id */
};

/* Longer than anybody waits, short enough to be counted in nanoseconds. */
#define TIMER_MAX_MS (INT64_C(365) * 24 * 3600 * 1000)

/* Sees to it that the timer fires when the first appointment is due. */
static int arm(gr_actor *self, gri_supervisor *s)
{
    if (s->agenda.n == 0) {
        return 0;
    }
    int64_t due_ms = s->agenda.heap[0].due_ms;
    gr_timer old = s->timer;
    if (old.id != 0 && s->timer_ms <= due_ms) {
        return 0;
    }
    int64_t ms = due_ms - gr_now_ms(self);
    ms = ms < 0 ? 0 : ms > TIMER_MAX_MS ? TIMER_MAX_MS : ms;
    /* The old one last: without memory it is still there for the others. */
    GR_TRY(gr_after(self, ms, &s->timer, GRI_TAG_TIMER));
    if (old.id != 0) {
        gr_timer_cancel(self, old);
    }
    s->timer_ms = due_ms;
    return 0;
}

static int put(gr_actor *self, gri_supervisor *s, gri_child *child,
               int64_t due_ms)
{
    GR_TRY(gri_agenda_put(&s->agenda, child, due_ms));
    int rc = arm(self, s);
    if (rc < 0) {
        gri_agenda_remove(&s->agenda, child);
    }
    return rc;
}

int gri_wait(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    int64_t now = gr_now_ms(self);

    child->state = GRI_CHILD_WAITING;
    child->due_ms = child->due_ms < now ? now : child->due_ms;
    return put(self, s, child, child->due_ms);
}

/* ---- children that do not stop ------------------------------------------ */

/* What overdue children are told by, and their branch is known by. */
#define NOT_STOPPED "did not stop within "
#define NOT_ENDED   "does not end, "

void gri_tell(gr_actor *self, const gri_supervisor *s, const gri_child *child,
              gr_log_level level, const char *what)
{
    const gri_child_spec *spec = child->spec;
    const bool runs = !gr_pid_is_nobody(child->pid);
    char line[LINE_MAX_BYTES];
    char own[GR_PID_TEXT_MAX], other[GR_PID_TEXT_MAX];

    GR_IGNORE(
        snprintf(line, sizeof(line), "supervisor %s %s: child %s (%s %s) %s",
                 s->spec.name != NULL ? s->spec.name : "",
                 gr_pid_text(gr_self(self), own), spec->id.ptr,
                 spec->behavior->name,
                 gr_pid_text(runs ? child->pid : child->was, other), what),
        "a line that is cut is good enough");
    gr_log(self, level, line);
}

void gri_tell_refused(gr_actor *self, const gri_supervisor *s,
                      const gri_child *child, int code)
{
    char what[WHAT_MAX_BYTES];

    GR_IGNORE(
        snprintf(what, sizeof(what), "cannot be spawned: %s", gr_errname(code)),
        "cannot be longer");
    gri_tell(self, s, child, GR_LOG_WARN, what);
}

void gri_tell_forged(gr_actor *self, const gri_supervisor *s, gr_pid from)
{
    char line[LINE_MAX_BYTES];
    char own[GR_PID_TEXT_MAX], other[GR_PID_TEXT_MAX];

    GR_IGNORE(snprintf(line, sizeof(line),
                       "supervisor %s %s: refused a child of %s that was not "
                       "specified in this process",
                       s->spec.name != NULL ? s->spec.name : "",
                       gr_pid_text(gr_self(self), own),
                       gr_pid_text(from, other)),
              "a line that is cut is good enough");
    gr_log(self, GR_LOG_WARN, line);
}

bool gri_is_blame(const char *text)
{
    return strstr(text, NOT_STOPPED) != NULL || strstr(text, NOT_ENDED) != NULL;
}

static void tell_overdue(gr_actor *self, gri_supervisor *s,
                         const gri_child *child, gr_log_level level,
                         const char *what)
{
    gri_tell(self, s, child, level, what);
    if (s->ending) {
        gri_blame(s, child, ' ', what);
    }
}

void gri_blame(gri_supervisor *s, const gri_child *child, char between,
               const char *text)
{
    const int room = (int)sizeof(s->blocked) - 2 - (int)strlen(text);

    if (s->blocked[0] == '\0') {
        /* Should it be too long, the id is cut: what was done stays, and is
         * what the supervisor above knows it by. */
        GR_IGNORE(snprintf(s->blocked, sizeof(s->blocked), "%.*s%c%s",
                           room > 0 ? room : 0, child->spec->id.ptr, between,
                           text),
                  "a text that is cut is good enough");
    }
}

/* It was asked to stop, and its time is over. */
static int kill_overdue(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    char what[WHAT_MAX_BYTES];

    child->overdue++;
    GR_IGNORE(snprintf(what, sizeof(what), NOT_STOPPED "%lld ms: killed",
                       (long long)child->spec->stop_max_ms),
              "cannot be longer");
    tell_overdue(self, s, child, GR_LOG_WARN, what);
    GR_TRY(gri_child_kill(self, child));
    return put(self, s, child, gr_now_ms(self) + GR_CHILD_KILL_MS);
}

/* It was killed, and does not end: its callback does not return. */
static int leave_behind(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    gr_exit_reason why = {.kind = GR_EXIT_KILLED};
    char what[WHAT_MAX_BYTES];

    GR_IGNORE(snprintf(what, sizeof(what),
                       NOT_ENDED "%d ms after it was killed: left behind",
                       GR_CHILD_KILL_MS),
              "cannot be longer");
    tell_overdue(self, s, child, GR_LOG_ERROR, what);
    GR_IGNORE(snprintf(why.text, sizeof(why.text), "killed, and left behind"),
              "cannot be longer");
    gri_child_over(&s->runs, child, &why);
    gri_child_forget(self, child);
    return s->ops->ended(self, s, child, &why);
}

int gri_stop(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    int64_t ms = child->spec->stop_max_ms;

    GR_TRY(gri_child_stop(self, child));
    if (!child->killed && ms == GRI_STOP_BY_ITSELF) {
        return 0;
    }
    int64_t now = gr_now_ms(self);
    if (child->killed) {
        return put(self, s, child, now + GR_CHILD_KILL_MS);
    }
    int64_t due = ms > INT64_MAX - now ? INT64_MAX : now + ms;
    if (put(self, s, child, due) < 0) {
        /* Without a deadline it might never end: rather now than never. */
        return gri_child_kill(self, child);
    }
    return 0;
}

/* ---- the timer ----------------------------------------------------------- */

static int keep_appointment(gr_actor *self, gri_supervisor *s, gri_child *child)
{
    switch (child->state) {
    case GRI_CHILD_WAITING:
        return s->ops->again(self, s, child);
    case GRI_CHILD_STOPPING:
        return child->killed ? leave_behind(self, s, child)
                             : kill_overdue(self, s, child);
    case GRI_CHILD_DOWN:
    case GRI_CHILD_STARTING:
    case GRI_CHILD_UP:
    case GRI_CHILD_ENDED:
        break; /* these have none */
    }
    return 0;
}

int gri_time_passed(gr_actor *self, gri_supervisor *s)
{
    gri_agenda *agenda = &s->agenda;
    uint64_t numbers = agenda->numbers;
    int64_t now = gr_now_ms(self);

    s->timer = (gr_timer){0};
    /* What is put meanwhile waits for another message. */
    while (agenda->n > 0 && agenda->heap[0].due_ms <= now &&
           agenda->heap[0].number < numbers) {
        gri_child *child = agenda->heap[0].child;
        gri_agenda_remove(agenda, child);
        GR_TRY(keep_appointment(self, s, child));
    }
    return arm(self, s);
}
