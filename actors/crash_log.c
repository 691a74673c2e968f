/* actors/crash_log.c - a crash as lines for people. */
#include <stdlib.h>
#include <string.h>

#include "actors/crash.h"
#include "base/line.h"
#include "mailbox/print.h"

enum {
    TEXT_MAX = 4 * GR_EXIT_TEXT_MAX + 1,   /* of a text with escapes */
    NAME_TEXT_MAX = 320,                   /* of a name with some */
    PLACE_TEXT_MAX = GR_CRASH_NAME_MAX + 8 /* of where a frame is */
};

/* What is written of one crash. Not by stdio: thousands a second may be
 * written, and to format a line takes longer than all else that is done for it.
 */
typedef struct page {
    const gri_log *log;
    gr_log_level level;
    char pid[GR_PID_TEXT_MAX];
    gri_line line;
    char text[GRI_LOG_LINE_MAX];
} page;

static void put_escaped(gri_line *line, const char *name, size_t max)
{
    char escaped[NAME_TEXT_MAX];
    gri_line_put(line, gri_escape(escaped, max, name, strlen(name)));
}

static void put_name(gri_line *line, const char *name)
{
    put_escaped(line, name, NAME_TEXT_MAX);
}

/* A part of a frame: cut before the others would be. */
static void put_place(gri_line *line, const char *name)
{
    put_escaped(line, name, PLACE_TEXT_MAX);
}

static void put_frame(gri_line *line, const gr_frame *frame)
{
    if (frame->function[0] != '\0') {
        put_place(line, frame->function);
    } else {
        gri_line_put(line, "?");
    }
    if (frame->line != 0) {
        gri_line_put(line, " at ");
        put_place(line, frame->file);
        gri_line_put(line, ":");
        gri_line_number(line, frame->line, 10);
    } else if (frame->file[0] != '\0') {
        gri_line_put(line, " in ");
        put_place(line, frame->file);
        gri_line_put(line, "+");
        gri_line_hex(line, frame->offset);
    } else {
        gri_line_put(line, " at address ");
        gri_line_hex(line, (uintptr_t)frame->address);
    }
}

const char *gri_frame_text(const gr_frame *frame, char *buf, size_t size)
{
    gri_line line = gri_line_in(buf, size);
    put_frame(&line, frame);
    return gri_line_text(&line);
}

static void put(page *p, const char *text)
{
    gri_line_put(&p->line, text);
}

static void put_number(page *p, uint64_t number)
{
    gri_line_number(&p->line, number, 10);
}

/* What a peer says may be less than 0. */
static void put_code(page *p, int64_t code)
{
    put(p, code < 0 ? "-" : "");
    put_number(p, (uint64_t)llabs(code));
}

/* All lines but the first begin so. */
static void begin(page *p)
{
    p->line.n = 0;
    put(p, p->pid);
    put(p, ": ");
}

static void end(page *p)
{
    gri_log_line(p->log, p->level, gri_line_text(&p->line));
}

static void write_first(page *p, const gr_crash *c)
{
    if (c->behavior[0] != '\0') {
        put_name(&p->line, c->behavior);
    } else {
        put(p, "thread");
    }
    put(p, " ");
    put(p, p->pid);
    put(p, " ended: ");
    put(p, gr_exit_kind_name(c->reason.kind));
    if (c->reason.kind == GR_EXIT_ERROR) {
        put(p, " ");
        put(p, gr_errname(c->reason.code));
    }
    if (c->reason.text[0] != '\0') {
        char text[TEXT_MAX];
        put(p, ", ");
        put(p, gri_escape(text, sizeof text, c->reason.text,
                          strlen(c->reason.text)));
    }
    if (c->message[0] != '\0') {
        put(p, ", at ");
        put(p, c->message);
    }
    end(p);
}

static void write_fault(page *p, const gr_crash *c)
{
    const char *name = sigabbrev_np(c->signal);
    begin(p);
    put(p, "signal ");
    put_code(p, c->signal);
    put(p, " (SIG");
    put(p, name != NULL ? name : "?");
    put(p, "), code ");
    put_code(p, c->signal_code);
    if (c->has_address) {
        put(p, ", address ");
        gri_line_hex(&p->line, (uintptr_t)c->address);
    }
    put(p, c->stack_overflow ? ", stack overflow" : "");
    end(p);
    for (unsigned i = 0; i < c->frame_count; i++) {
        begin(p);
        put(p, "#");
        put_number(p, i);
        put(p, " ");
        put_frame(&p->line, &c->frames[i]);
        end(p);
    }
}

static void write_parents(page *p, const gr_crash *c)
{
    char pid[GR_PID_TEXT_MAX];
    begin(p);
    for (unsigned i = 0; i < c->parent_count; i++) {
        const gr_crash_parent *of = &c->parents[i];
        put(p, i > 0 ? ", by " : "spawned by ");
        if (of->behavior[0] != '\0') {
            put_name(&p->line, of->behavior);
            put(p, " ");
        }
        put(p, gr_pid_text(of->pid, pid));
    }
    end(p);
}

/* Who it was: its name, the sender of the message, its parents. */
static void write_company(page *p, const gr_crash *c)
{
    if (c->name[0] != '\0') {
        begin(p);
        put(p, "registered as ");
        put_name(&p->line, c->name);
        end(p);
    }
    if (!gr_pid_is_nobody(c->sender)) {
        char from[GR_PID_TEXT_MAX];
        begin(p);
        put(p, "the message was from ");
        put(p, gr_pid_text(c->sender, from));
        end(p);
    }
    if (c->parent_count > 0) {
        write_parents(p, c);
    }
}

static void write_memory(page *p, const gr_crash *c)
{
    begin(p);
    put_number(p, c->waiting);
    put(p, " messages wait; bytes: state ");
    put_number(p, c->state_bytes);
    put(p, ", arena ");
    put_number(p, c->arena_bytes);
    put(p, ", blobs ");
    put_number(p, c->blob_bytes);
    put(p, ", kept messages ");
    put_number(p, c->kept_bytes);
    end(p);
}

void gri_crash_log(const gri_log *log, gr_log_level level,
                   const gr_crash *crash)
{
    page p;
    p.log = log;
    p.level = level;
    p.line = gri_line_in(p.text, sizeof p.text);
    (void)gr_pid_text(crash->pid, p.pid);
    write_first(&p, crash);
    if (crash->signal != 0) {
        write_fault(&p, crash);
    }
    write_company(&p, crash);
    write_memory(&p, crash);
}
