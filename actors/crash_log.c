/* actors/crash_log.c - a crash as lines for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/crash.h"
#include "mailbox/print.h"

enum {
    TEXT_MAX = 4 * GR_EXIT_TEXT_MAX + 1, /* of a text with escapes */
    NAME_TEXT_MAX = 320,                 /* of a name with some */
    WHERE_MAX = 2 * GR_CRASH_NAME_MAX + 32
};

/* What is written of one crash. */
typedef struct page {
    const gri_log *log;
    gr_log_level level;
    char pid[GR_PID_TEXT_MAX];
} page;

const char *gri_frame_text(const gr_frame *frame, char *buf, size_t size)
{
    char function[GR_CRASH_NAME_MAX + 8];
    char file[GR_CRASH_NAME_MAX + 8];
    (void)gri_escape(function, sizeof function, frame->function,
                     strlen(frame->function));
    (void)gri_escape(file, sizeof file, frame->file, strlen(frame->file));
    const char *name = function[0] != '\0' ? function : "?";
    if (frame->line != 0) {
        (void)snprintf(buf, size, "%s at %s:%u", name, file, frame->line);
    } else if (file[0] != '\0') {
        (void)snprintf(buf, size, "%s in %s+0x%" PRIx64, name, file,
                       frame->offset);
    } else {
        (void)snprintf(buf, size, "%s at address 0x%" PRIxPTR, name,
                       (uintptr_t)frame->address);
    }
    return buf;
}

static void write_first(const page *p, const gr_crash *c)
{
    char name[NAME_TEXT_MAX];
    char text[TEXT_MAX];
    (void)gri_escape(name, sizeof name, c->behavior, strlen(c->behavior));
    (void)gri_escape(text, sizeof text, c->reason.text, strlen(c->reason.text));
    const bool error = c->reason.kind == GR_EXIT_ERROR;
    gri_log_write(p->log, p->level, "%s %s ended: %s%s%s%s%s%s%s",
                  name[0] != '\0' ? name : "thread", p->pid,
                  gr_exit_kind_name(c->reason.kind), error ? " " : "",
                  error ? gr_errname(c->reason.code) : "",
                  text[0] != '\0' ? ", " : "", text,
                  c->message[0] != '\0' ? ", at " : "", c->message);
}

static void write_fault(const page *p, const gr_crash *c)
{
    const char *name = sigabbrev_np(c->signal);
    char address[40] = "";
    if (c->has_address) {
        (void)snprintf(address, sizeof address, ", address 0x%" PRIxPTR,
                       (uintptr_t)c->address);
    }
    gri_log_write(p->log, p->level, "%s: signal %d (SIG%s), code %d%s%s",
                  p->pid, c->signal, name != NULL ? name : "?", c->signal_code,
                  address, c->stack_overflow ? ", stack overflow" : "");
    for (unsigned i = 0; i < c->frame_count; i++) {
        char where[WHERE_MAX];
        gri_log_write(p->log, p->level, "%s: #%u %s", p->pid, i,
                      gri_frame_text(&c->frames[i], where, sizeof where));
    }
}

/* Who it was: its name, the sender of the message, its parents. */
static void write_company(const page *p, const gr_crash *c)
{
    char name[NAME_TEXT_MAX];
    char from[GR_PID_TEXT_MAX];
    if (c->name[0] != '\0') {
        gri_log_write(p->log, p->level, "%s: registered as %s", p->pid,
                      gri_escape(name, sizeof name, c->name, strlen(c->name)));
    }
    if (!gr_pid_is_nobody(c->sender)) {
        gri_log_write(p->log, p->level, "%s: the message was from %s", p->pid,
                      gr_pid_text(c->sender, from));
    }
    char line[GRI_LOG_LINE_MAX] = "";
    size_t n = 0;
    for (unsigned i = 0; i < c->parent_count; i++) {
        const gr_crash_parent *of = &c->parents[i];
        (void)gri_escape(name, sizeof name, of->behavior, strlen(of->behavior));
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s%s%s",
                              i > 0 ? ", by " : "spawned by ", name,
                              name[0] != '\0' ? " " : "",
                              gr_pid_text(of->pid, from));
        if (n >= sizeof line) {
            break;
        }
    }
    if (n > 0) {
        gri_log_write(p->log, p->level, "%s: %s", p->pid, line);
    }
}

void gri_crash_log(const gri_log *log, gr_log_level level,
                   const gr_crash *crash)
{
    page p = {.log = log, .level = level};
    (void)gr_pid_text(crash->pid, p.pid);
    write_first(&p, crash);
    if (crash->signal != 0) {
        write_fault(&p, crash);
    }
    write_company(&p, crash);
    gri_log_write(log, level,
                  "%s: %u messages wait; bytes: state %zu, arena %zu, blobs "
                  "%zu, kept messages %zu",
                  p.pid, crash->waiting, crash->state_bytes, crash->arena_bytes,
                  crash->blob_bytes, crash->kept_bytes);
}
