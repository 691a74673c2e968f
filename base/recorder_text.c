/*
 * base/recorder_text.c - a flight recorder's image as text. It may be called in
 * a signal handler: no memory, no lock, nothing of stdio. And the image may be
 * anybody's: each number of it is looked at before it is used.
 */
#include <string.h>

#include <greenroom/actor.h>
#include <greenroom/recorder.h>

#include "base/recorder.h"
#include "base/write.h"

enum {
    TURNS_MAX = 48, /* runs of turns of one actor that are shown of a track */
    TRACKS_MAX = GR_WORKERS_MAX + 1
};

typedef struct out {
    int fd;
    int rc;
    bool last; /* words, see write.h */
    size_t n;
    char buf[1024];
} out;

/* What is read. */
typedef struct record {
    const unsigned char *at;
    size_t size;
    gri_rec_head head; /* as it was */
    bool report;       /* of an abort, too */
} record;

/* ---- text ---------------------------------------------------------------- */

static void flush(out *o)
{
    bool (*const put_all)(int, const char *, size_t) =
        o->last ? gri_write_last : gri_write;
    if (o->rc == 0 && !put_all(o->fd, o->buf, o->n)) {
        o->rc = GR_EIO;
    }
    o->n = 0;
}

static void put_char(out *o, char c)
{
    if (o->n == sizeof o->buf) {
        flush(o);
    }
    o->buf[o->n++] = c;
}

static void put(out *o, const char *text)
{
    for (; *text != '\0'; text++) {
        put_char(o, *text);
    }
}

/* Of the image: what is not plain is shown as a question mark. */
static void put_name(out *o, const char *name, size_t max)
{
    for (size_t i = 0; i < max && name[i] != '\0'; i++) {
        char c = name[i];
        if (c < ' ' || c > '~') {
            c = '?';
        }
        put_char(o, c);
    }
}

/* At least `digits` of them. */
static void put_number(out *o, uint64_t value, unsigned base, unsigned digits)
{
    char text[20];
    unsigned n = 0;
    do {
        text[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || n < digits);
    while (n > 0) {
        put_char(o, text[--n]);
    }
}

static void put_u(out *o, uint64_t value)
{
    put_number(o, value, 10, 1);
}

static void put_hex(out *o, uint64_t value)
{
    put(o, "0x");
    put_number(o, value, 16, 1);
}

/* Seconds since the start. */
static void put_time(out *o, const record *im, uint64_t time_ns)
{
    const bool before = time_ns < im->head.started_ns;
    const uint64_t ns =
        before ? im->head.started_ns - time_ns : time_ns - im->head.started_ns;
    put(o, before ? "-" : "+");
    put_u(o, ns / 1000000000);
    put(o, ".");
    put_number(o, ns / 1000000 % 1000, 10, 3);
}

/* Seconds since 1970 as a date. Days to years, months and days: Fliegel and van
 * Flandern, "A machine algorithm for processing calendar dates", 1968. */
static void put_date(out *o, uint64_t utc)
{
    if (utc > UINT64_C(253402300799)) { /* the year 9999 */
        put(o, "never");
        return;
    }
    const uint64_t rest = utc % 86400;
    int64_t l = (int64_t)(utc / 86400) + 2440588 + 68569;
    const int64_t n = 4 * l / 146097;
    l = l - (146097 * n + 3) / 4;
    const int64_t i = 4000 * (l + 1) / 1461001;
    l = l - 1461 * i / 4 + 31;
    const int64_t j = 80 * l / 2447;
    put_number(o, (uint64_t)(100 * (n - 49) + i + j / 11), 10, 4);
    put(o, "-");
    put_number(o, (uint64_t)(j + 2 - 12 * (j / 11)), 10, 2);
    put(o, "-");
    put_number(o, (uint64_t)(l - 2447 * j / 80), 10, 2);
    put(o, " ");
    put_number(o, rest / 3600, 10, 2);
    put(o, ":");
    put_number(o, rest / 60 % 60, 10, 2);
    put(o, ":");
    put_number(o, rest % 60, 10, 2);
    put(o, " UTC");
}

/* ---- the image -------------------------------------------------------- */

/* Whether all of that many bytes are there. */
static bool has(const record *im, uint64_t at, uint64_t size)
{
    return at <= im->size && size <= im->size - at;
}

/* Of what the caller has seen to be there. A word may change at any moment. */
static uint64_t word(const record *im, uint64_t at)
{
    /* acquire: pairs with the releases in gri_rec_add. */
    return atomic_load_explicit(
        (const _Atomic(uint64_t) *)(const void *)(im->at + at),
        memory_order_acquire);
}

/* Version 1 has these sizes and no others. */
static bool is_whole(const gri_rec_head *h)
{
    return h->name_size == sizeof(gri_rec_name) && h->names == GRI_REC_NAMES &&
           h->slots == GRI_REC_SLOTS && h->track_size == sizeof(gri_track) &&
           h->turns == GRI_REC_TURNS && h->lives == GRI_REC_LIVES &&
           h->events == GRI_REC_EVENTS && h->names_at == GRI_REC_HEAD_SIZE &&
           h->slots_at == h->names_at + GRI_REC_NAMES * sizeof(gri_rec_name) &&
           h->tracks_at == h->slots_at + GRI_REC_SLOTS * sizeof(uint64_t) &&
           h->tracks > 0 && h->tracks <= TRACKS_MAX && h->slot_size > 0 &&
           h->frame_count <= GRI_FRAMES_MAX;
}

static int read_head(record *im)
{
    if ((uintptr_t)im->at % 8 != 0) {
        return GR_EINVAL;
    }
    if (!has(im, 0, GRI_REC_HEAD_SIZE) ||
        memcmp(im->at, GRI_REC_MAGIC, sizeof im->head.magic) != 0) {
        return GR_EFORMAT;
    }
    /* As bytes: only `state` and what belongs to it ever change. */
    memcpy(&im->head, im->at, sizeof im->head);
    if (im->head.byte_order != GRI_REC_BYTE_ORDER ||
        im->head.version != GRI_REC_VERSION) {
        return GR_EVERSION;
    }
    return is_whole(&im->head) ? 0 : GR_EFORMAT;
}

static void put_pid(out *o, const record *im, uint64_t id)
{
    put(o, "<");
    put_u(o, (uint32_t)id);
    put(o, ".");
    put_u(o, id >> 32);
    put(o, "@");
    put_number(o, im->head.node >> 32, 16, 8);
    put(o, ">");
}

/* The name with that number, and a blank. */
static void put_behavior(out *o, const record *im, uint64_t number)
{
    const uint64_t at = im->head.names_at + (number - 1) * sizeof(gri_rec_name);
    if (number != 0 && number <= GRI_REC_NAMES &&
        has(im, at, sizeof(gri_rec_name)) && word(im, at) != 0) {
        put_name(o, (const char *)im->at + at + sizeof(uint64_t),
                 GRI_REC_NAME_MAX);
        put(o, " ");
    }
}

/* Who lived in a slot last. False: it is not known. */
static bool find_slot(const record *im, uint32_t slot, uint64_t *id,
                      uint32_t *name)
{
    const uint64_t at =
        im->head.slots_at + slot % GRI_REC_SLOTS * sizeof(uint64_t);
    const uint64_t w = has(im, at, sizeof w) ? word(im, at) : 0;
    if (w == 0 || (w & 0xfffff) != slot >> GRI_REC_SLOTS_BITS) {
        return false;
    }
    *id = w >> 32 << 32 | slot;
    *name = (uint32_t)(w >> 20 & 0x3ff);
    return true;
}

static void put_slot(out *o, const record *im, uint32_t slot)
{
    uint64_t id;
    uint32_t name;
    if (find_slot(im, slot, &id, &name)) {
        put_behavior(o, im, name);
        put_pid(o, im, id);
    } else {
        put(o, "slot ");
        put_u(o, slot);
    }
}

/* An actor, with its name if no other has lived there since. */
static void put_actor(out *o, const record *im, uint64_t of)
{
    uint64_t id;
    uint32_t name;
    if (find_slot(im, (uint32_t)of, &id, &name) && id == of) {
        put_behavior(o, im, name);
    }
    put_pid(o, im, of);
}

/* ---- events ----------------------------------------------------------- */

/* One as it was at one moment. */
typedef struct event {
    gri_event kind;
    uint64_t time_ns, a, b, c;
} event;

/* A ring of a track. */
typedef struct ring {
    uint64_t count_at; /* offsets: of its count, of its events */
    uint64_t at;
    uint64_t n;     /* places */
    uint64_t count; /* as it was */
    uint64_t next;  /* the number of the next one to look at */
} ring;

/* The oldest is left out: a new one may be half written in its place. */
static ring ring_of(const record *im, uint64_t count_at, uint64_t at,
                    uint64_t n, uint64_t last)
{
    ring r = {count_at, at, n, word(im, count_at), 1};
    last = last < n - 1 ? last : n - 1;
    r.next = r.count > last ? r.count - last + 1 : 1;
    return r;
}

/* False: it was overwritten meanwhile, or is none. */
static bool read_event(const record *im, const ring *r, uint64_t number,
                       event *e)
{
    const uint64_t at = r->at + number % r->n * sizeof(gri_rec_event);
    const uint64_t what = word(im, at);
    e->kind = (gri_event)(what & 0xff);
    e->time_ns = what >> 8;
    e->a = word(im, at + 8);
    e->b = word(im, at + 16);
    e->c = word(im, at + 24);
    /* Were one of these another event's, this would be its number less one, or
     * more. */
    return word(im, r->count_at) - number < r->n - 1 &&
           e->kind != GRI_EVENT_NONE && e->kind < GRI_EVENT_KINDS;
}

/* The next one of a ring that can be read. False: there is none. */
static bool look(const record *im, ring *r, event *e)
{
    /* Counted from `next`, which is at most r->n before it. */
    for (; r->next <= r->count && r->next != 0; r->next++) {
        if (read_event(im, r, r->next, e)) {
            return true;
        }
    }
    return false;
}

static void put_reason(out *o, uint64_t kind, uint64_t code)
{
    static const char *const kinds[] = {"normal",       "shutdown", "error",
                                        "killed",       "limit",    "noproc",
                                        "noconnection", "signal"};
    put(o, kind < sizeof kinds / sizeof kinds[0] ? kinds[kind] : "?");
    if (kind == GR_EXIT_ERROR || kind == GR_EXIT_LIMIT) {
        put(o, " ");
        put(o, gr_errname((int32_t)(uint32_t)code));
    } else if (kind == GR_EXIT_SIGNAL) {
        put(o, " ");
        put_u(o, code);
    }
}

static void put_signal(out *o, uint64_t number)
{
    const char *name = number < 64 ? sigabbrev_np((int)number) : NULL;
    put(o, "signal ");
    put_u(o, number);
    if (name != NULL) {
        put(o, " (SIG");
        put(o, name);
        put(o, ")");
    }
}

static void put_spawn(out *o, const record *im, const event *e)
{
    put_behavior(o, im, e->b);
    put_pid(o, im, e->a);
    if (e->c != 0) {
        put(o, " by ");
        put_actor(o, im, e->c);
    }
}

/* An event of an actor and a number. */
static void put_counted(out *o, const record *im, const event *e,
                        const char *what, uint64_t number, const char *unit)
{
    put_actor(o, im, e->a);
    put(o, what);
    put_u(o, number);
    put(o, unit);
}

static void put_details(out *o, const record *im, const event *e)
{
    switch (e->kind) {
    case GRI_EVENT_SPAWN:
        put_spawn(o, im, e);
        break;
    case GRI_EVENT_END:
    case GRI_EVENT_CRASH:
        put_actor(o, im, e->a);
        put(o, " ");
        put_reason(o, e->b, e->c);
        break;
    case GRI_EVENT_TRAP:
    case GRI_EVENT_ABORT:
        put_actor(o, im, e->a);
        put(o, " ");
        put_signal(o, e->b);
        break;
    case GRI_EVENT_DEAD_LETTER:
    case GRI_EVENT_DROP:
        put_counted(o, im, e, ", so far ", e->b, "");
        break;
    case GRI_EVENT_TIMER_LATE:
    case GRI_EVENT_TURN_LONG:
        put_counted(o, im, e, " ", e->b / 1000, " us");
        break;
    case GRI_EVENT_SPARE:
        put(o, "in place of worker ");
        put_u(o, e->a);
        break;
    case GRI_EVENT_NONE:
    case GRI_EVENT_LIVES:
    case GRI_EVENT_STOP:
    case GRI_EVENT_KINDS:
        break;
    }
}

static void put_event(out *o, const record *im, const event *e)
{
    static const char *const names[GRI_EVENT_KINDS] = {
        [GRI_EVENT_SPAWN] = "spawn",
        [GRI_EVENT_END] = "end",
        [GRI_EVENT_CRASH] = "crash",
        [GRI_EVENT_TRAP] = "trap",
        [GRI_EVENT_DEAD_LETTER] = "dead letter to",
        [GRI_EVENT_DROP] = "dropped of",
        [GRI_EVENT_TIMER_LATE] = "late timer of",
        [GRI_EVENT_TURN_LONG] = "long turn of",
        [GRI_EVENT_SPARE] = "spare worker",
        [GRI_EVENT_STOP] = "stop",
        [GRI_EVENT_ABORT] = "abort",
    };
    put(o, "    ");
    put_time(o, im, e->time_ns);
    put(o, " ");
    put(o, names[e->kind] != NULL ? names[e->kind] : "?");
    put(o, " ");
    put_details(o, im, e);
    put(o, "\n");
}

/* Both rings of a track, by time, the oldest first. */
static void put_events(out *o, const record *im, uint64_t track, uint64_t last)
{
    ring lives =
        ring_of(im, track + offsetof(gri_track, lives),
                track + offsetof(gri_track, life), GRI_REC_LIVES, last);
    ring events =
        ring_of(im, track + offsetof(gri_track, events),
                track + offsetof(gri_track, event), GRI_REC_EVENTS, last);
    event a;
    event b;
    bool has_a = look(im, &lives, &a);
    bool has_b = look(im, &events, &b);
    while (has_a || has_b) {
        if (has_a && (!has_b || a.time_ns <= b.time_ns)) {
            put_event(o, im, &a);
            lives.next++;
            has_a = look(im, &lives, &a);
        } else {
            put_event(o, im, &b);
            events.next++;
            has_b = look(im, &events, &b);
        }
    }
}

/* ---- turns ------------------------------------------------------------ */

/* The slot of the i-th turn. */
static uint32_t turn_slot(const record *im, uint64_t track, uint64_t i)
{
    const uint64_t at = track + offsetof(gri_turns, task) +
                        i % GRI_REC_TURNS * sizeof(uint64_t);
    return (uint32_t)((word(im, at) - im->head.task_at) / im->head.slot_size);
}

static void put_turns(out *o, const record *im, uint64_t track)
{
    const uint64_t count = word(im, track + offsetof(gri_turns, count));
    uint64_t left = count < GRI_REC_TURNS ? count : GRI_REC_TURNS;
    put(o, "    last turns, the newest first:");
    uint64_t i = count;
    for (unsigned shown = 0; left > 0 && shown < TURNS_MAX; shown++) {
        const uint32_t slot = turn_slot(im, track, i);
        uint64_t same = 0;
        while (left > 0 && turn_slot(im, track, i) == slot) {
            same++;
            left--;
            i--;
        }
        put(o, shown > 0 ? ", " : " ");
        put_slot(o, im, slot);
        if (same > 1) {
            put(o, " x");
            put_u(o, same);
        }
    }
    put(o, "\n");
}

static void put_track(out *o, const record *im, uint32_t number, uint64_t last)
{
    const uint64_t track =
        im->head.tracks_at + (uint64_t)number * sizeof(gri_track);
    if (number + 1 == im->head.tracks) {
        put(o, "other threads:\n");
    } else {
        put(o, "worker ");
        put_u(o, number);
        put(o, ": ");
        put_u(o, word(im, track + offsetof(gri_turns, count)));
        const uint64_t asleep =
            word(im, track + offsetof(gri_turns, asleep_ns));
        put(o, asleep != 0 ? " turns, asleep since " : " turns, awake");
        if (asleep != 0) {
            put_time(o, im, asleep);
        }
        put(o, "\n");
    }
    if (word(im, track + offsetof(gri_turns, count)) != 0) {
        put_turns(o, im, track);
    }
    put_events(o, im, track, last);
}

/* ---- all of it -------------------------------------------------------- */

static void put_report(out *o, const char *text)
{
    for (size_t i = 0; i < GRI_REC_REPORT_MAX && text[i] != '\0'; i++) {
        put_name(o, &text[i], text[i] != '\n');
        put(o, text[i] == '\n' ? "\n" : "");
    }
}

static void put_abort(out *o, const record *im)
{
    const gri_rec_head *h = &im->head;
    put(o, "aborted by ");
    put_signal(o, h->signal);
    put(o, ", code ");
    put(o, h->signal_code < 0 ? "-" : "");
    put_u(o, h->signal_code < 0 ? (uint64_t) - (int64_t)h->signal_code
                                : (uint64_t)h->signal_code);
    put(o, ", address ");
    put_hex(o, h->address);
    put(o, ", at ");
    put_hex(o, h->pc);
    if (h->actor != 0) {
        put(o, ", in ");
        put_actor(o, im, h->actor);
    }
    put(o, "\n");
    if (!im->report) {
        return; /* it was told, with its frames */
    }
    put_report(o, h->report);
    for (uint32_t i = 0; i < h->frame_count && h->report[0] == '\0'; i++) {
        put(o, "    #");
        put_u(o, i);
        put(o, " ");
        put_hex(o, h->frames[i]);
        put(o, "\n");
    }
}

static void put_head(out *o, const record *im)
{
    const gri_rec_head *h = &im->head;
    put(o, "flight recorder of ");
    put_name(o, h->program, sizeof h->program);
    put(o, ", process ");
    put_u(o, h->process);
    put(o, ", node ");
    put_number(o, h->node, 16, 16);
    put(o, ", started ");
    put_date(o, h->started_utc);
    put(o, h->is_virtual != 0 ? ", deterministic\n" : "\n");
    /* relaxed: it says what it says. */
    switch (
        (gri_rec_state)atomic_load_explicit(&h->state, memory_order_relaxed)) {
    case GRI_REC_STOPS:
        put(o, "it was stopping, or still is\n");
        break;
    case GRI_REC_STOPPED:
        put(o, "stopped in order\n");
        break;
    case GRI_REC_ABORTED:
        put_abort(o, im);
        break;
    case GRI_REC_RUNS:
    default:
        put(o, "it runs, or was killed\n");
        break;
    }
}

int gri_recorder_print(const void *image, size_t size, unsigned last,
                       bool report, int fd)
{
    record im = {.at = image, .size = size, .report = report};
    GR_TRY(read_head(&im));
    out o = {.fd = fd, .last = !report};
    put_head(&o, &im);
    for (uint32_t i = 0; i < im.head.tracks && o.rc == 0; i++) {
        const uint64_t track =
            im.head.tracks_at + (uint64_t)i * sizeof(gri_track);
        if (!has(&im, track, sizeof(gri_track))) {
            put(&o, "the rest is missing\n");
            break;
        }
        put_track(&o, &im, i, last);
    }
    flush(&o);
    return o.rc;
}

int gr_recorder_print(const void *image, size_t size, int fd)
{
    return gri_recorder_print(image, size, GRI_REC_EVENTS, true, fd);
}
