/*
 * actors/crash.c - see crash.h.
 *
 * Of a backtrace only the addresses are kept: what stands there is looked up
 * for the log and for watchers by who writes the report (reports.h), and for
 * others, by themselves, when they ask.
 */
#include "actors/crash.h"

#include <stdlib.h>
#include <string.h>

#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/reports.h"
#include "base/symbols.h"
#include "mailbox/print.h"

_Static_assert(GR_CRASH_FRAMES_MAX >= GRI_FRAMES_MAX, "all have room");

/* A report without what is known of its frames. */
typedef struct kept {
    uint64_t id; /* of the pid */
    bool has_pc; /* the first frame is where the fault happened */
    void *frames[GRI_FRAMES_MAX];
    unsigned char head[offsetof(gr_crash, frames)];
} kept;

struct gri_crashes {
    pthread_mutex_t lock;
    /* Under lock. */
    uint64_t count; /* so far */
    unsigned max;   /* constant; 0: none is kept */
    kept *last;     /* a ring: the n-th crash is at n % max */
};

int gri_crashes_init(gr_system *sys)
{
    gri_crashes *crashes = calloc(1, sizeof *crashes);
    if (crashes == NULL) {
        return GR_ENOMEM;
    }
    crashes->max = sys->opts.crashes_kept != GR_CRASHES_KEPT_NONE
                       ? sys->opts.crashes_kept
                       : 0;
    /* Its pages cost nothing until there are crashes. */
    crashes->last =
        crashes->max > 0 ? calloc(crashes->max, sizeof *crashes->last) : NULL;
    if (crashes->last == NULL && crashes->max > 0) {
        free(crashes);
        return GR_ENOMEM;
    }
    int rc = gri_reports_init(sys);
    if (rc < 0) {
        free(crashes->last);
        free(crashes);
        return rc;
    }
    (void)pthread_mutex_init(&crashes->lock, NULL); /* cannot fail on Linux */
    sys->crashes = crashes;
    gri_symbols_join();
    return 0;
}

void gri_crashes_fini(gr_system *sys)
{
    if (sys->crashes == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&sys->crashes->lock); /* nobody holds it */
    gri_reports_fini(sys);
    gri_symbols_leave();
    free(sys->crashes->last);
    free(sys->crashes);
    sys->crashes = NULL;
}

/* ---- what is known ------------------------------------------------------- */

static void copy_name(char to[GR_CRASH_NAME_MAX], const gr_behavior *b)
{
    const char *name = b != NULL ? b->name : "";
    const size_t n = strnlen(name, GR_CRASH_NAME_MAX - 1);
    memcpy(to, name, n);
    to[n] = '\0';
}

static void set_memory(gr_actor *self, gr_crash *out)
{
    const gri_ext *ext = self->ext;
    const gr_behavior *b =
        ext != NULL && ext->origin != NULL ? ext->origin : gri_behavior(self);
    out->state_bytes = self->state != NULL && b != NULL
                           ? gri_class_size(self->state_class, b->state_size)
                           : 0;
    out->arena_bytes = out->blob_bytes = out->kept_bytes = 0;
    if (ext != NULL) {
        out->arena_bytes = gri_arena_size(ext);
        out->blob_bytes = gri_blobs_size(ext);
        out->kept_bytes = ext->arena_used - out->arena_bytes - out->blob_bytes;
    }
}

static void set_message(const gr_actor *self, gr_crash *out)
{
    const gr_msg *msg = self->ctx->current;
    out->message[0] = '\0';
    out->sender = GR_NOBODY;
    if (msg != NULL &&
        (msg->kind == GRI_MSG_USER || msg->kind == GRI_MSG_TIMER)) {
        (void)gr_msg_print(msg, out->message, sizeof out->message);
        out->sender = msg->from;
    }
}

/* The parent of a run that lives, and its behaviour's name. 0: there is none,
 * or it is over. */
static uint64_t parent_of(gr_system *sys, uint64_t id,
                          char name[GR_CRASH_NAME_MAX])
{
    const gr_pid pid = {sys->node, id};
    gr_actor *slot = gri_slot_of(sys, pid);
    name[0] = '\0';
    if (slot == NULL || !gri_slot_lives(slot, gri_pid_run(pid))) {
        return 0;
    }
    char found[GR_CRASH_NAME_MAX];
    copy_name(found, gri_behavior(slot));
    /* acquire: pairs with the release in gri_parent_set. If it is of a later
     * run, the second look finds this one over. */
    const uint64_t parent = atomic_load_explicit(&sys->parents[gri_index(slot)],
                                                 memory_order_acquire);
    if (!gri_slot_lives(slot, gri_pid_run(pid))) {
        return 0;
    }
    memcpy(name, found, sizeof found);
    return parent;
}

static void set_parents(gr_actor *self, gr_crash *out)
{
    gr_system *sys = self->sys;
    /* relaxed: of the run that lives here, which we are. */
    uint64_t id = atomic_load_explicit(&sys->parents[gri_index(self)],
                                       memory_order_relaxed);
    unsigned n = 0;
    while (id != 0 && n < GR_CRASH_PARENTS_MAX) {
        gr_crash_parent *p = &out->parents[n++];
        p->pid = (gr_pid){sys->node, id};
        id = parent_of(sys, id, p->behavior);
    }
    out->parent_count = n;
}

/* The frames from the one of the fault on: whoever noted them in a signal
 * handler may have its own in front. */
static void set_addresses(const gri_fault *fault, gr_crash *out)
{
    const unsigned n = fault->n < GRI_FRAMES_MAX ? fault->n : GRI_FRAMES_MAX;
    unsigned from = 0;
    while (from < n && fault->frames[from] != fault->pc) {
        from++;
    }
    unsigned k = 0;
    if (fault->pc != NULL) {
        out->frames[k++].address = fault->pc;
    }
    for (unsigned i = from < n ? from + 1 : 0; i < n && k < GR_CRASH_FRAMES_MAX;
         i++) {
        out->frames[k++].address = fault->frames[i];
    }
    out->frame_count = k;
}

static int signal_of(const gri_fault *fault, const gr_exit_reason *why)
{
    return fault != NULL                 ? fault->signal
           : why->kind == GR_EXIT_SIGNAL ? why->code
                                         : 0;
}

static void set_fault(const gri_fault *fault, const gr_exit_reason *why,
                      gr_crash *out)
{
    out->signal = signal_of(fault, why);
    out->signal_code = 0;
    out->stack_overflow = false;
    out->has_address = false;
    out->address = NULL;
    out->frame_count = 0;
    if (fault != NULL) {
        out->signal_code = fault->code;
        out->stack_overflow = fault->stack_overflow;
        out->has_address = fault->has_address;
        out->address = fault->address;
        set_addresses(fault, out);
    }
}

static void collect(gr_actor *self, const gr_exit_reason *why,
                    const gri_fault *fault, gr_crash *out)
{
    gr_system *sys = self->sys;
    out->at_ms = gri_clock_ns(&sys->clock) / GRI_NS_PER_MS;
    out->pid = gri_pid_of(self);
    copy_name(out->behavior, gri_behavior(self));
    gri_name_own(self, out->name);
    out->reason = *why;
    set_fault(fault, why, out);
    set_message(self, out);
    out->waiting = gri_inbox_depth(&self->inbox, &self->outlet, 0) +
                   gri_lane_waiting(self, self->now);
    set_memory(self, out);
    set_parents(self, out);
}

/* ---- where it goes ------------------------------------------------------- */

static void keep(gri_crashes *crashes, gr_crash *crash, bool has_pc)
{
    (void)pthread_mutex_lock(&crashes->lock);
    crash->number = ++crashes->count;
    if (crashes->max == 0) {
        (void)pthread_mutex_unlock(&crashes->lock);
        return;
    }
    kept *k = &crashes->last[crash->number % crashes->max];
    k->id = crash->pid.id;
    k->has_pc = has_pc;
    for (unsigned i = 0; i < crash->frame_count; i++) {
        k->frames[i] = (void *)(uintptr_t)crash->frames[i].address;
    }
    memcpy(k->head, crash, sizeof k->head);
    (void)pthread_mutex_unlock(&crashes->lock);
}

static void tell_watchers(gri_ctx *ctx, const gr_crash *c)
{
    char name[sizeof c->name];
    char text[sizeof c->reason.text];
    char where[2 * GR_CRASH_NAME_MAX + 32] = "";
    if (c->frame_count > 0) {
        (void)gri_frame_text(&c->frames[0], where, sizeof where);
    }
    (void)gri_escape(name, sizeof name, c->name, strlen(c->name));
    (void)gri_escape(text, sizeof text, c->reason.text, strlen(c->reason.text));
    const char *kind = gr_exit_kind_name(c->reason.kind);
    gr_value values[] = {
        gr_strn("gr.crash", 8),
        {.kind = GR_KIND_UINT, .as.u = c->number},
        {.kind = GR_KIND_PID, .as.pid = c->pid},
        gr_strn(c->behavior, strlen(c->behavior)),
        gr_strn(name, strlen(name)),
        gr_strn(kind, strlen(kind)),
        {.kind = GR_KIND_INT, .as.i = c->reason.code},
        gr_strn(text, strlen(text)),
        {.kind = GR_KIND_INT, .as.i = c->signal},
        gr_strn(where, strlen(where)),
        gr_strn(c->message, strlen(c->message)),
    };
    gri_listeners_tell(ctx, &ctx->sys->crash_watchers, c->pid, values,
                       sizeof values / sizeof values[0]);
}

/* What a crash's report is of. */
typedef struct written {
    bool watched; /* when it happened */
    bool logged;
    gr_log_level level;
    unsigned char head[offsetof(gr_crash, frames)];
} written;

_Static_assert(sizeof(written) <= GRI_REPORT_BYTES, "it has room");

static void write_crash(gri_ctx *ctx, const gri_report *report,
                        const gr_frame *frames)
{
    written w;
    gr_crash crash; /* its frames are many bytes, and mostly unused */
    memcpy(&w, report->of, sizeof w);
    memcpy(&crash, w.head, sizeof w.head);
    memcpy(crash.frames, frames, report->n * sizeof *frames);
    if (w.logged) {
        gri_crash_log(&ctx->sys->log, w.level, &crash);
    }
    if (w.watched) {
        tell_watchers(ctx, &crash);
    }
}

/* w has all but the head. */
static void report(gri_ctx *ctx, written *w, const gr_crash *crash, bool has_pc)
{
    gri_report r;
    r.write = write_crash;
    r.n = crash->frame_count;
    r.returns_from = has_pc ? 1 : 0;
    for (unsigned i = 0; i < crash->frame_count; i++) {
        r.at[i] = crash->frames[i].address;
    }
    memcpy(w->head, crash, sizeof w->head);
    memcpy(r.of, w, sizeof *w);
    gri_report_give(ctx, &r);
}

/* A signal is a defect of the program. An error or a limit may be what somebody
 * reckons with, and is the only trace of it where nobody does. */
static gr_log_level level_of(const gri_fault *fault, const gr_exit_reason *why)
{
    return signal_of(fault, why) != 0 ? GR_LOG_ERROR
           : why->kind == GR_EXIT_ERROR || why->kind == GR_EXIT_LIMIT
               ? GR_LOG_WARN
               : GR_LOG_INFO;
}

void gri_crash_make(gr_actor *self, const gr_exit_reason *why)
{
    gr_system *sys = self->sys;
    gr_crash crash; /* as above */
    const gri_fault *fault = self->ctx->fault;
    self->ctx->fault = NULL; /* it is this end's alone */
    const bool has_pc = fault != NULL && fault->pc != NULL;
    written w = {.level = level_of(fault, why)};
    w.logged = w.level <= sys->log.level;
    /* relaxed: who begins to watch sees the crashes from some moment on. */
    w.watched =
        atomic_load_explicit(&sys->crash_watchers.any, memory_order_relaxed);
    if (!w.logged && !w.watched && sys->crashes->max == 0) {
        return;
    }
    collect(self, why, fault, &crash);
    keep(sys->crashes, &crash, has_pc);
    if (w.logged || w.watched) {
        report(self->ctx, &w, &crash, has_pc);
    }
}

/* ---- who asks ------------------------------------------------------------ */

/* Looks up what stands at the frames' addresses. The innermost is where the
 * fault happened, if that is known; the others are where calls return to. */
static void set_frames(gr_crash *crash, bool has_pc)
{
    for (unsigned i = 0; i < crash->frame_count; i++) {
        gri_symbol_find(crash->frames[i].address, i > 0 || !has_pc,
                        &crash->frames[i]);
    }
}

/* Under lock. Returns has_pc. */
static bool copy_out(const kept *k, gr_crash *out)
{
    memcpy(out, k->head, sizeof k->head);
    for (unsigned i = 0; i < out->frame_count; i++) {
        out->frames[i].address = k->frames[i];
    }
    return k->has_pc;
}

/* Those that are kept have the numbers from here on. Under lock. */
static uint64_t oldest(const gri_crashes *crashes)
{
    return crashes->count > crashes->max ? crashes->count - crashes->max + 1
                                         : 1;
}

int gr_crash_report(gr_system *sys, gr_pid pid, gr_crash *out)
{
    gri_crashes *crashes = sys->crashes;
    if (gr_pid_is_nobody(pid)) {
        return GR_EINVAL;
    }
    if (!gri_is_here(sys, pid)) {
        return GR_ENOENT;
    }
    int rc = GR_ENOENT;
    bool has_pc = false;
    (void)pthread_mutex_lock(&crashes->lock);
    for (uint64_t n = crashes->count; n >= oldest(crashes) && rc < 0; n--) {
        const kept *k = &crashes->last[n % crashes->max];
        if (k->id == pid.id) {
            has_pc = copy_out(k, out);
            rc = 0;
        }
    }
    (void)pthread_mutex_unlock(&crashes->lock);
    if (rc == 0) {
        set_frames(out, has_pc);
    }
    return rc;
}

int gr_crash_next(gr_system *sys, uint64_t *number, gr_crash *out)
{
    gri_crashes *crashes = sys->crashes;
    int rc = GR_ENOENT;
    bool has_pc = false;
    (void)pthread_mutex_lock(&crashes->lock);
    uint64_t n =
        *number == 0 || *number > crashes->count ? crashes->count : *number - 1;
    if (n >= oldest(crashes)) {
        has_pc = copy_out(&crashes->last[n % crashes->max], out);
        rc = 0;
    }
    (void)pthread_mutex_unlock(&crashes->lock);
    if (rc == 0) {
        *number = out->number;
        set_frames(out, has_pc);
    }
    return rc;
}

int gr_watch_crashes(gr_actor *self, bool on)
{
    return gri_listen(self, &self->sys->crash_watchers, on);
}
