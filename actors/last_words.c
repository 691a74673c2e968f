/*
 * actors/last_words.c - see last_words.h.
 *
 * No memory, no lock, nothing of stdio: the fault may have been in malloc or in
 * printf. What is read is bounded, and may be damaged, as anybody's wild write
 * may have been the reason: each part stands by itself, a fault in it ends it
 * alone.
 *
 * Functions are not named: that takes files and locks. Object and offset are
 * what `addr2line -e` needs.
 */
#include "actors/last_words.h"

#include <unistd.h>

#include <greenroom/crash.h>

#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/reports.h"
#include "base/line.h"
#include "base/write.h"
#include "mailbox/print.h"

enum {
    MESSAGE_MAX = 200, /* bytes of a message in words; longer ones are cut */
    TEXT_MAX = 512,    /* of a line */
    /* For reports that wait: mostly none do, and looking up names for the first
     * time takes a tenth of this at most. */
    REPORTS_MS = 2000
};

typedef struct page {
    gri_ctx *ctx;
    gr_actor *actor; /* whose turn it was; or NULL */
    const gri_fault *fault;
    gri_line line;
    char text[TEXT_MAX];
} page;

static void begin_line(page *p)
{
    p->line = (gri_line){p->text, 0, sizeof p->text};
    gri_line_put(&p->line, "    ");
}

static void end_line(page *p)
{
    gri_line_end(&p->line);
    /* First, as nobody need read the other. */
    gri_recorder_say(&p->ctx->sys->recorder, p->fault, p->text, p->line.n);
    (void)gri_write_last(STDERR_FILENO, p->text, p->line.n);
}

static void put_pid(gri_line *line, gr_pid pid)
{
    const uint64_t node = pid.node >> 32;
    gri_line_put(line, "<");
    gri_line_number(line, (uint32_t)pid.id, 10);
    gri_line_put(line, ".");
    gri_line_number(line, pid.id >> 32, 10);
    gri_line_put(line, "@");
    for (unsigned digit = 8; digit-- > 0;) { /* all of them, as elsewhere */
        gri_line_number(line, node >> 4 * digit & 0xf, 16);
    }
    gri_line_put(line, ">");
}

static void put_behavior(gri_line *line, const gr_actor *slot)
{
    const gr_behavior *b = gri_behavior(slot);
    if (b != NULL && b->name != NULL) {
        gri_line_name(line, b->name, GR_CRASH_NAME_MAX);
        gri_line_put(line, " ");
    }
}

static void put_count(gri_line *line, uint64_t n, const char *what)
{
    gri_line_number(line, n, 10);
    gri_line_put(line, what);
}

/* ---- the parts ----------------------------------------------------------- */

static void note(page *p)
{
    gri_recorder_abort(&p->ctx->sys->recorder, p->fault,
                       p->actor != NULL ? gri_pid_of(p->actor).id : 0);
}

static void tell_frames(page *p)
{
    const gri_fault *f = p->fault;
    for (unsigned i = 0; i < f->n && i < GRI_FRAMES_MAX; i++) {
        const uintptr_t at = (uintptr_t)f->frames[i];
        if (i > 0 && at == 0) {
            break; /* where a thread begins */
        }
        begin_line(p);
        gri_line_put(&p->line, "#");
        put_count(&p->line, i, " ");
        /* The others are where calls return to, and the call is meant. */
        gri_line_code(&p->line, i == 0 ? at : at - 1);
        end_line(p);
    }
}

static void tell_who(page *p)
{
    if (p->actor == NULL) {
        return;
    }
    begin_line(p);
    gri_line_put(&p->line, "in ");
    put_behavior(&p->line, p->actor);
    put_pid(&p->line, gri_pid_of(p->actor));
    end_line(p);
}

static void tell_name(page *p)
{
    const char *name = p->actor != NULL ? gri_name_text(p->actor) : "";
    if (name[0] != '\0') {
        begin_line(p);
        gri_line_put(&p->line, "registered as ");
        gri_line_name(&p->line, name, GR_NAME_MAX);
        end_line(p);
    }
}

static void tell_message(page *p)
{
    const gr_msg *msg = p->ctx->current;
    char text[MESSAGE_MAX + 1];
    if (p->actor == NULL || msg == NULL ||
        (msg->kind != GRI_MSG_USER && msg->kind != GRI_MSG_TIMER)) {
        return;
    }
    (void)gri_msg_print_rough(msg, text, sizeof text);
    begin_line(p);
    gri_line_put(&p->line, "at ");
    gri_line_put(&p->line, text); /* it is escaped */
    if (!gr_pid_is_nobody(msg->from)) {
        gri_line_put(&p->line, ", from ");
        put_pid(&p->line, msg->from);
    }
    end_line(p);
}

/* As gri_inbox_depth, with what workers have sent and not counted yet (send.c);
 * about, as they go on. */
static uint32_t waiting(const gr_system *sys, const gr_actor *slot)
{
    /* relaxed, both: numbers. */
    uint32_t n =
        atomic_load_explicit(&slot->inbox.queued, memory_order_relaxed) -
        atomic_load_explicit(&slot->outlet.taken, memory_order_relaxed);
    for (unsigned i = 0; i < sys->sched.n; i++) {
        const gri_uncounted *u = sys->sides[i].ctx.uncounted;
        for (unsigned k = 0; k < GRI_UNCOUNTED; k++) {
            n += u[k].slot == slot ? u[k].n : 0;
        }
    }
    return ((int32_t)n < 0 ? 0 : n) + gri_lane_seen(slot, slot->now);
}

static void tell_sizes(page *p)
{
    const gr_actor *self = p->actor;
    if (self == NULL) {
        return;
    }
    const gri_ext *ext = self->ext;
    const gr_behavior *b =
        ext != NULL && ext->origin != NULL ? ext->origin : gri_behavior(self);
    begin_line(p);
    put_count(&p->line, waiting(p->ctx->sys, self),
              " messages wait; bytes: state ");
    put_count(&p->line,
              self->state != NULL && b != NULL
                  ? gri_class_size(self->state_class, b->state_size)
                  : 0,
              ", arena, blobs and kept messages ");
    put_count(&p->line, ext != NULL ? ext->arena_used : 0, "");
    end_line(p);
}

static void tell_parents(page *p)
{
    gr_system *sys = p->ctx->sys;
    gr_actor *slot = p->actor;
    begin_line(p);
    unsigned n = 0;
    while (slot != NULL && n < GR_CRASH_PARENTS_MAX) {
        /* acquire: as in crash.c; it only has to be an actor's. */
        const gr_pid parent = {
            sys->node, atomic_load_explicit(&sys->parents[gri_index(slot)],
                                            memory_order_acquire)};
        if (parent.id == 0) {
            break;
        }
        gri_line_put(&p->line, n++ == 0 ? "spawned by " : ", by ");
        slot = gri_slot_of(sys, parent);
        if (slot != NULL && !gri_slot_lives(slot, gri_pid_run(parent))) {
            slot = NULL; /* of that run no more is known */
        }
        if (slot != NULL) {
            put_behavior(&p->line, slot);
        }
        put_pid(&p->line, parent);
    }
    if (n > 0) {
        end_line(p);
    }
}

static void tell_recorded(page *p)
{
    gri_recorder_last_words(&p->ctx->sys->recorder, STDERR_FILENO);
}

/* What others have failed in before is told. Who writes may wait for what this
 * thread holds: not for ever. */
static void wait_for_reports(page *p)
{
    (void)gri_reports_wait(p->ctx->sys,
                           gri_deadline(&(gri_clock){0}, REPORTS_MS));
}

bool gri_last_words(void *worker, const gri_fault *fault, unsigned part)
{
    static void (*const parts[])(page *) = {
        note,       tell_who,     tell_name,     tell_frames,      tell_message,
        tell_sizes, tell_parents, tell_recorded, wait_for_reports,
    };
    enum { PARTS = sizeof parts / sizeof parts[0] };
    const gri_worker *of = worker;
    gri_ctx *ctx = of->user;
    if (part < PARTS) {
        page p = {.ctx = ctx, .fault = fault};
        /* relaxed: this thread's own. */
        p.actor = atomic_load_explicit(&ctx->running, memory_order_relaxed);
        parts[part](&p);
    }
    return part + 1 < PARTS;
}
