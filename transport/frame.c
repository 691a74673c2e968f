/* transport/frame.c - see frame.h. Each type has a row in one table, which both
 * the reader and the writer follow, so that they cannot disagree. */
#include "transport/frame.h"

#include <string.h>

#include "mailbox/decode.h"
#include "transport/bytes.h"

enum {
    HAS_ACTORS = 1, /* to, from: 8 bytes each */
    HAS_REF = 2,    /* 8 bytes */
    HAS_STATUS = 4, /* 4 bytes */
    HAS_REASON = 8, /* kind 1, code 4, length of text 1, text */
    HAS_PAYLOAD = 16,
    HAS_MORE = 32,   /* payloads, one behind the other */
    HAS_COUNT = 64,  /* 4 bytes, not 0 */
    HAS_BYTES = 128, /* any, at least one */
    HAS_ASKER = 256  /* from is somebody: there is an answer to it */
};

typedef struct shape {
    bool known;
    uint16_t has;
} shape;

static const shape shapes[] = {
    [GRI_FRAME_HEARTBEAT] = {true, 0},
    [GRI_FRAME_PING] = {true, 0},
    [GRI_FRAME_PONG] = {true, 0},
    [GRI_FRAME_BYE] = {true, 0},
    [GRI_FRAME_BYE_ACK] = {true, 0},
    [GRI_FRAME_CREDIT] = {true, HAS_COUNT},
    [GRI_FRAME_PART] = {true, HAS_BYTES},
    [GRI_FRAME_SLOWED] = {true, 0},
    [GRI_FRAME_SEND] = {true, HAS_ACTORS | HAS_PAYLOAD | HAS_MORE},
    [GRI_FRAME_ASK] = {true, HAS_ACTORS | HAS_ASKER | HAS_REF | HAS_PAYLOAD},
    [GRI_FRAME_REPLY] = {true, HAS_ACTORS | HAS_REF | HAS_STATUS | HAS_PAYLOAD},
    [GRI_FRAME_STOP] = {true, HAS_ACTORS},
    [GRI_FRAME_KILL] = {true, HAS_ACTORS},
    [GRI_FRAME_LINK] = {true, HAS_ACTORS | HAS_ASKER | HAS_REF},
    [GRI_FRAME_UNLINK] = {true, HAS_ACTORS | HAS_REF},
    [GRI_FRAME_EXIT] = {true, HAS_ACTORS | HAS_REASON},
    [GRI_FRAME_MONITOR] = {true, HAS_ACTORS | HAS_ASKER | HAS_REF},
    [GRI_FRAME_DEMONITOR] = {true, HAS_ACTORS | HAS_REF},
    [GRI_FRAME_DOWN] = {true, HAS_ACTORS | HAS_REF | HAS_REASON},
    [GRI_FRAME_SLOW] = {true, HAS_ACTORS},
    [GRI_FRAME_RESUME] = {true, HAS_ACTORS},
    [GRI_FRAME_CONFIRM] = {true,
                           HAS_ACTORS | HAS_ASKER | HAS_REF | HAS_PAYLOAD},
};

static const shape *shape_of(unsigned type)
{
    if (type >= sizeof shapes / sizeof shapes[0] || !shapes[type].known) {
        return NULL;
    }
    return &shapes[type];
}

int64_t gri_frame_split(const uint8_t *p, size_t n, size_t limit, size_t *need)
{
    if (n < 4) {
        *need = GRI_FRAME_HEAD;
        return 0;
    }
    /* The sum cannot overflow: it is taken in 64 bits. */
    uint64_t whole = (uint64_t)gri_get32(p) + 4;
    if (whole < GRI_FRAME_HEAD) {
        return GR_EFORMAT;
    }
    if (whole > limit) {
        return GR_ETOOBIG;
    }
    *need = (size_t)whole;
    return n < whole ? 0 : (int64_t)whole;
}

gri_frame_pair gri_frame_pair_of(const uint8_t *p)
{
    const shape *s = shape_of(p[4]);
    gri_frame_pair pair = {0, 0};
    if (s != NULL && (s->has & HAS_ACTORS) != 0) {
        pair.to = gri_get64(p + GRI_FRAME_HEAD);
        pair.from = gri_get64(p + GRI_FRAME_HEAD + 8);
    }
    return pair;
}

/* What is left to read. */
typedef struct rest {
    const uint8_t *p;
    size_t n;
} rest;

static bool take64(rest *r, uint64_t *out)
{
    if (r->n < 8) {
        return false;
    }
    *out = gri_get64(r->p);
    r->p += 8;
    r->n -= 8;
    return true;
}

static bool take32(rest *r, int32_t *out)
{
    if (r->n < 4) {
        return false;
    }
    /* Two's complement on the wire, and in every compiler that builds this. */
    *out = (int32_t)gri_get32(r->p);
    r->p += 4;
    r->n -= 4;
    return true;
}

static bool take8(rest *r, uint8_t *out)
{
    if (r->n < 1) {
        return false;
    }
    *out = r->p[0];
    r->p += 1;
    r->n -= 1;
    return true;
}

/* Returns NULL, or what is wrong. */
static const char *read_reason(rest *r, gr_exit_reason *why)
{
    uint8_t kind, len;
    int32_t code;
    if (!take8(r, &kind) || !take32(r, &code) || !take8(r, &len)) {
        return "frame too short";
    }
    if (kind > GR_EXIT_SIGNAL) {
        return "unknown kind of exit";
    }
    if (len > GR_EXIT_TEXT_MAX || len > r->n) {
        return "text of an exit too long";
    }
    if (memchr(r->p, 0, len) != NULL) {
        return "zero byte in the text of an exit";
    }
    why->kind = (gr_exit_kind)kind;
    why->code = code;
    memcpy(why->text, r->p, len);
    /* Zero to the end: reasons are compared and copied whole. */
    memset(why->text + len, 0, sizeof why->text - len);
    r->p += len;
    r->n -= len;
    return NULL;
}

/* Is there at least one element in the array that begins at p? */
static bool is_tagged_array(const uint8_t *p, size_t n)
{
    if (p[0] == 0xdc) {
        return n >= 3 && gri_get16(p + 1) > 0;
    }
    if (p[0] == 0xdd) {
        return n >= 5 && gri_get32(p + 1) > 0;
    }
    return p[0] > 0x90 && p[0] <= 0x9f;
}

/* Finds the payload that begins at p, one of those in n bytes. */
static int read_payload(gri_frame *f, const uint8_t *p, uint32_t n,
                        const char **fault)
{
    if (n == 0 || !is_tagged_array(p, n)) {
        *fault = "payload is no message";
        return GR_EFORMAT;
    }
    int64_t len = gri_check_first(p, n, GR_DEPTH_MAX);
    if (len < 0) {
        *fault = len == GR_ELIMIT ? "payload nested too deep"
                                  : "payload is not msgpack";
        return (int)len;
    }
    f->payload = p;
    f->len = (uint32_t)len;
    f->more = n - f->len;
    return 0;
}

int gri_frame_more(gri_frame *f, const char **fault)
{
    if (f->more == 0) {
        return 0;
    }
    GR_TRY(read_payload(f, f->payload + f->len, f->more, fault));
    return 1;
}

/* The rest of a frame is its payload. */
static int read_payloads(gri_frame *f, unsigned has, const uint8_t *p,
                         uint32_t n, const char **fault)
{
    if (f->type == GRI_FRAME_REPLY && n == 0 && f->status != 0) {
        return 0; /* an error needs no words */
    }
    GR_TRY(read_payload(f, p, n, fault));
    if (f->more > 0 && (has & HAS_MORE) == 0) {
        *fault = "bytes behind the payload";
        return GR_EFORMAT;
    }
    return 0;
}

/* All fields before the payload. Returns NULL, or what is wrong. */
static const char *read_fields(rest *r, unsigned has, gri_frame *f)
{
    if ((has & HAS_ACTORS) != 0) {
        if (!take64(r, &f->to) || !take64(r, &f->from)) {
            return "frame too short";
        }
        if (f->to == 0) {
            return "frame to nobody";
        }
        if (f->from == 0 && (has & HAS_ASKER) != 0) {
            return "answer wanted by nobody";
        }
    }
    if ((has & HAS_REF) != 0 && !take64(r, &f->ref)) {
        return "frame too short";
    }
    if ((has & HAS_STATUS) != 0) {
        if (!take32(r, &f->status)) {
            return "frame too short";
        }
        if (f->status > 0) {
            return "status above zero";
        }
    }
    if ((has & HAS_COUNT) != 0) {
        int32_t count;
        if (!take32(r, &count)) {
            return "frame too short";
        }
        if (count == 0) {
            return "credit of nothing";
        }
        f->count = (uint32_t)count;
    }
    if ((has & HAS_REASON) != 0) {
        return read_reason(r, &f->why);
    }
    return NULL;
}

int gri_frame_read(const uint8_t *p, size_t n, gri_frame *out,
                   const char **fault)
{
    if (n < GRI_FRAME_HEAD) {
        *fault = "frame too short";
        return GR_EFORMAT;
    }
    const shape *s = shape_of(p[4]);
    if (s == NULL) {
        *fault = "unknown type of frame";
        return GR_ENOTSUP;
    }
    out->type = (gri_frame_type)p[4];
    out->status = 0;
    out->to = out->from = out->ref = 0;
    out->payload = NULL;
    out->len = out->more = out->count = 0;
    out->own = NULL;
    rest r = {p + GRI_FRAME_HEAD, n - GRI_FRAME_HEAD};
    const char *wrong = read_fields(&r, s->has, out);
    const bool is_long = (s->has & (HAS_PAYLOAD | HAS_BYTES)) != 0;
    if (wrong == NULL && (is_long ? r.n > UINT32_MAX : r.n != 0)) {
        wrong = "frame too long";
    }
    if (wrong == NULL && (s->has & HAS_BYTES) != 0 && r.n == 0) {
        wrong = "part of nothing";
    }
    if (wrong != NULL) {
        *fault = wrong;
        return GR_EFORMAT;
    }
    if ((s->has & HAS_BYTES) != 0) {
        out->payload = r.p;
        out->len = (uint32_t)r.n;
        return 0;
    }
    return (s->has & HAS_PAYLOAD) == 0
               ? 0
               : read_payloads(out, s->has, r.p, (uint32_t)r.n, fault);
}

size_t gri_frame_write(uint8_t buf[GRI_FRAME_FIXED_MAX], const gri_frame *frame)
{
    const shape *s = shape_of(frame->type);
    unsigned has = s == NULL ? 0 : s->has;
    uint8_t *p = gri_put8(buf + 4, (uint8_t)frame->type);
    if ((has & HAS_ACTORS) != 0) {
        p = gri_put64(p, frame->to);
        p = gri_put64(p, frame->from);
    }
    if ((has & HAS_REF) != 0) {
        p = gri_put64(p, frame->ref);
    }
    if ((has & HAS_STATUS) != 0) {
        p = gri_put32(p, (uint32_t)frame->status);
    }
    if ((has & HAS_COUNT) != 0) {
        p = gri_put32(p, frame->count);
    }
    if ((has & HAS_REASON) != 0) {
        size_t len = strnlen(frame->why.text, GR_EXIT_TEXT_MAX);
        p = gri_put8(p, (uint8_t)frame->why.kind);
        p = gri_put32(p, (uint32_t)frame->why.code);
        p = gri_put8(p, (uint8_t)len);
        memcpy(p, frame->why.text, len);
        p += len;
    }
    size_t n = (size_t)(p - buf);
    (void)gri_put32(buf, (uint32_t)(n - 4 + frame->len));
    return n;
}
