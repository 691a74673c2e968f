/* process/wire.c - see wire.h. Each type has a row in a table; what a row does
 * not name is zero. */
#include "process/wire.h"

#include <signal.h>
#include <string.h>

#include "base/fault.h"

enum {
    HAS_PID = 1,     /* somebody's */
    HAS_ID = 2,      /* not 0 */
    MAY_ID = 4,      /* any */
    HAS_REF = 8,     /* not 0 */
    HAS_STATUS = 16, /* code: 0 or an error */
    HAS_REASON = 32,
    HAS_MESSAGE = 64,
    HAS_NAME = 128, /* and flags: a verb */
    HAS_HELD = 256, /* flags: how it is held */
    HAS_FAULT = 512
};

enum { VERB_MAX = 3, HELD_MAX = 2 };

/* Bytes of a fault: below what a socket would take in parts. */
enum {
    FAULT_MAX = sizeof(gri_wire_fault) +
                GRI_FRAMES_MAX * sizeof(gri_wire_frame) + GRI_WIRE_NAMES
};

/* Ids are counted from 1 in the proxy; more would be a forgery. */
#define ID_MAX ((UINT64_C(1) << 40) - 1)

static const struct {
    bool known;
    unsigned has;
} rows[] = {
    [GRI_WIRE_UP] = {true, 0},
    [GRI_WIRE_SEND] = {true, HAS_PID | HAS_MESSAGE},
    [GRI_WIRE_ASK] = {true, HAS_PID | HAS_REF | HAS_MESSAGE},
    [GRI_WIRE_REPLY] = {true, HAS_ID | HAS_STATUS | HAS_MESSAGE},
    [GRI_WIRE_FORWARD] = {true, HAS_ID | HAS_PID},
    [GRI_WIRE_UNHANDLED] = {true, HAS_ID},
    [GRI_WIRE_LINK] = {true, HAS_PID},
    [GRI_WIRE_UNLINK] = {true, HAS_PID},
    [GRI_WIRE_MONITOR] = {true, HAS_PID | HAS_REF},
    [GRI_WIRE_DEMONITOR] = {true, HAS_REF},
    [GRI_WIRE_STOP_IT] = {true, HAS_PID},
    [GRI_WIRE_KILL_IT] = {true, HAS_PID},
    [GRI_WIRE_NAME] = {true, HAS_NAME},
    [GRI_WIRE_BEGIN] = {true, MAY_ID},
    [GRI_WIRE_DONE] = {true, MAY_ID | HAS_HELD},
    [GRI_WIRE_EXITED] = {true, MAY_ID | HAS_REASON},
    [GRI_WIRE_FAULTED] = {true, HAS_FAULT},
    [GRI_WIRE_CONFIRM] = {true, HAS_PID | HAS_REF | HAS_MESSAGE},
};

static unsigned has_of(uint32_t type)
{
    return type < sizeof(rows) / sizeof(rows[0]) && rows[type].known
               ? rows[type].has
               : UINT32_MAX;
}

static const char *wrong_numbers(const gri_wire *w, unsigned has)
{
    if (((has & HAS_PID) != 0) == gr_pid_is_nobody(w->pid) ||
        ((has & HAS_PID) == 0 && (w->pid.node != 0 || w->pid.id != 0))) {
        return "wrong pid";
    }
    if ((has & MAY_ID) == 0 && ((has & HAS_ID) != 0) != (w->id != 0)) {
        return "wrong id";
    }
    if (w->id > ID_MAX) {
        return "wrong id";
    }
    if (((has & HAS_REF) != 0) != (w->ref != 0)) {
        return "wrong ref";
    }
    if ((has & HAS_REASON) == 0 &&
        (w->code > 0 || (w->code != 0 && (has & HAS_STATUS) == 0))) {
        return "wrong code";
    }
    return NULL;
}

static const char *wrong_flags(const gri_wire *w, unsigned has)
{
    if ((has & HAS_REASON) != 0) {
        return w->flags > GR_EXIT_SIGNAL ? "unknown kind of exit" : NULL;
    }
    if ((has & HAS_NAME) != 0) {
        return w->flags < 1 || w->flags > VERB_MAX ? "unknown verb" : NULL;
    }
    return w->flags > ((has & HAS_HELD) != 0 ? HELD_MAX : 0) ? "wrong flags"
                                                             : NULL;
}

static const char *wrong_length(const gri_wire *w, unsigned has,
                                uint32_t message_max)
{
    const uint32_t max = (has & HAS_MESSAGE) != 0  ? message_max
                         : (has & HAS_REASON) != 0 ? GR_EXIT_TEXT_MAX
                         : (has & HAS_NAME) != 0   ? GR_NAME_MAX
                         : (has & HAS_FAULT) != 0  ? FAULT_MAX
                                                   : 0;
    return w->len > max ? "longer than its limit" : NULL;
}

int gri_wire_check_head(const gri_wire *w, uint32_t message_max,
                        const char **fault)
{
    const unsigned has = has_of(w->type);
    if (has == UINT32_MAX) {
        *fault = "unknown type";
        return GR_EFORMAT;
    }
    const char *wrong = wrong_numbers(w, has);
    if (wrong == NULL) {
        wrong = wrong_flags(w, has);
    }
    if (wrong == NULL) {
        wrong = wrong_length(w, has, message_max);
    }
    if (wrong != NULL) {
        *fault = wrong;
        return GR_EFORMAT;
    }
    return 0;
}

/* Is there at least one element in the array that begins at p? */
static bool is_tagged_array(const uint8_t *p, uint32_t n)
{
    if (n == 0) {
        return false;
    }
    if (p[0] == 0xdc) {
        return n >= 3 && (p[1] | p[2]) != 0;
    }
    if (p[0] == 0xdd) {
        return n >= 5 && (p[1] | p[2] | p[3] | p[4]) != 0;
    }
    return p[0] > 0x90 && p[0] <= 0x9f;
}

/* Is it so many names, each with its zero, and nothing else? */
static bool are_names(const uint8_t *p, uint32_t bytes, uint32_t names)
{
    uint32_t zeros = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        zeros += p[i] == 0;
    }
    return zeros == names && (bytes == 0 || p[bytes - 1] == 0);
}

static const char *wrong_fault(const uint8_t *body, uint32_t len)
{
    gri_wire_fault f;
    if (len < sizeof(f)) {
        return "a fault that is cut";
    }
    memcpy(&f, body, sizeof(f));
    if (f.signal < 1 || f.signal >= NSIG ||
        f.flags > (GRI_WIRE_FAULT_ADDRESS | GRI_WIRE_FAULT_OVERFLOW)) {
        return "a fault of no kind";
    }
    if (f.frames > GRI_FRAMES_MAX || f.objects > GRI_WIRE_OBJECTS ||
        f.names > GRI_WIRE_NAMES ||
        len != sizeof(f) + f.frames * sizeof(gri_wire_frame) + f.names) {
        return "a fault with a wrong count";
    }
    const uint8_t *at = body + sizeof(f);
    for (uint32_t i = 0; i < f.frames; i++, at += sizeof(gri_wire_frame)) {
        gri_wire_frame frame;
        memcpy(&frame, at, sizeof(frame));
        if (frame.object > f.objects && frame.object != GRI_WIRE_NOWHERE) {
            return "a fault in an object without a name";
        }
    }
    return are_names(at, f.names, f.objects) ? NULL
                                             : "a fault with wrong names";
}

int gri_wire_check_body(const gri_wire *w, const uint8_t *body,
                        const char **fault)
{
    const unsigned has = has_of(w->type);
    if ((has & HAS_FAULT) != 0) {
        const char *wrong = wrong_fault(body, w->len);
        if (wrong != NULL) {
            *fault = wrong;
            return GR_EFORMAT;
        }
    } else if ((has & HAS_MESSAGE) != 0) {
        if (!is_tagged_array(body, w->len)) {
            *fault = "payload is no message";
            return GR_EFORMAT;
        }
        if (gr_validate(body, w->len, 0) < 0) {
            *fault = "payload is not msgpack, or nested too deep";
            return GR_EFORMAT;
        }
    } else if (w->len > 0 && memchr(body, 0, w->len) != NULL) {
        *fault = "zero byte in a text";
        return GR_EFORMAT;
    }
    return 0;
}

void gri_wire_put_reason(gri_wire *w, const gr_exit_reason *why)
{
    w->flags = (uint32_t)why->kind;
    w->code = why->code;
    w->len = (uint32_t)strnlen(why->text, GR_EXIT_TEXT_MAX);
}

gr_exit_reason gri_wire_reason(const gri_wire *w, const uint8_t *body)
{
    gr_exit_reason why = {(gr_exit_kind)w->flags, w->code, ""};
    if (w->len > 0) {
        memcpy(why.text, body, w->len);
    }
    return why;
}
