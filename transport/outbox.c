/* transport/outbox.c - see outbox.h. */
#include "transport/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "mailbox/message.h"
#include "transport/bytes.h"

/* Flag in a record's cost: a gri_own stands there for the frame. */
#define RECORD_OWN (UINT32_C(1) << 31)

enum {
    RECORD_HEAD = 4,     /* of a held frame: what it costs beyond its bytes */
    RESERVE = 4,         /* of the window one RESERVE-th is not for parts, so
                            that what need not wait still finds credit */
    SHRINK = 128 * 1024, /* bytes: longer buffers go once they are empty */
    DROP = 64 * 1024     /* bytes: what is gone is moved away from so many on */
};

/* ---- records ------------------------------------------------------------- */

/* A frame that is held. */
typedef struct record {
    gri_own frame; /* block NULL: it stands in the lane */
    uint32_t cost; /* beyond its bytes */
    size_t len;    /* bytes in the lane */
} record;

static record record_at(const gri_outbox *o, size_t at)
{
    uint8_t *p = o->held.data + at;
    record r = {.cost = gri_get32(p)};
    if ((r.cost & RECORD_OWN) != 0) {
        r.cost &= ~RECORD_OWN;
        memcpy(&r.frame, p + RECORD_HEAD, sizeof r.frame);
        r.len = RECORD_HEAD + sizeof r.frame;
    } else {
        r.frame.frame = p + RECORD_HEAD;
        r.frame.len = gri_get32(r.frame.frame) + 4;
        r.len = RECORD_HEAD + (size_t)r.frame.len;
    }
    return r;
}

static void free_held(gri_outbox *o)
{
    size_t at = o->piece.end > 0 ? o->piece.end : o->held_at;
    while (at < o->held.len) {
        const record r = record_at(o, at);
        if (r.frame.block != NULL) {
            gri_own_free(&r.frame);
        }
        at += r.len;
    }
    gri_buffer_fini(&o->held);
}

void gri_outbox_fini(gri_outbox *o)
{
    gri_cargo_fini(&o->now);
    free_held(o);
    free(o->pairs);
    *o = (gri_outbox){.depot = o->depot};
}

/* ---- pairs --------------------------------------------------------------- */

/* Fibonacci hashing, as base/hash.h, of two words. */
static uint32_t pair_of(uint64_t to, uint64_t from)
{
    const uint64_t phi = UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(((to ^ (from * phi)) * phi) >> 54) % GRI_OUTBOX_PAIRS;
}

static bool is_held(const gri_outbox *o, uint64_t to, uint64_t from)
{
    return o->held.len > 0 && o->pairs[pair_of(to, from)] > 0;
}

/* What slows senders down is no word of theirs, and stands behind none: if it
 * waited for credit, and the other end's did, too, no SLOW would be answered,
 * so neither end be given any. */
static bool is_advice(const gri_frame *f)
{
    return f->type == GRI_FRAME_SLOW || f->type == GRI_FRAME_RESUME;
}

/* ---- appending ----------------------------------------------------------- */

static uint32_t messages_of(const gri_frame *f)
{
    if (f->type == GRI_FRAME_SEND && f->count > 1) {
        return f->count;
    }
    return gri_frame_is_message(f->type) ? 1 : 0;
}

/* Adds payloads to the SEND at the end of a lane. False: it cannot. */
static bool join(gri_buffer *lane, gri_tail *tail, uint32_t batch_max,
                 const gri_payload *m)
{
    const size_t whole = lane->len - tail->at + m->len;
    if (tail->count == 0 || tail->to != m->to || tail->from != m->from ||
        tail->count + m->count > GRI_BATCH_MAX || whole > batch_max ||
        (m->len > lane->cap - lane->len &&
         gri_buffer_reserve(lane, m->len) < 0)) {
        return false;
    }
    memcpy(lane->data + lane->len, m->p, m->len);
    lane->len += m->len;
    (void)gri_put32(lane->data + tail->at, (uint32_t)(whole - 4));
    tail->count += m->count;
    return true;
}

/* The same to what goes as it comes. */
static bool join_now(gri_outbox *o, const gri_payload *m)
{
    if (o->credit <= 0 || !join(&o->now.bytes, &o->now_tail, o->batch_max, m)) {
        return false;
    }
    const uint32_t cost = m->count * GRI_MESSAGE_COST;
    o->credit -= m->len + (int64_t)cost;
    o->now_cost += cost;
    return true;
}

/* Appends f, for which there is room. */
static void append(gri_buffer *lane, gri_tail *tail, const gri_frame *f,
                   const uint8_t *head, size_t head_len)
{
    *tail = (gri_tail){.at = lane->len,
                       .to = f->to,
                       .from = f->from,
                       .count = f->type == GRI_FRAME_SEND ? messages_of(f) : 0};
    gri_buffer_put(lane, head, head_len);
    gri_buffer_put(lane, f->payload, f->len);
}

/* Moves what is gone out of the way, if that is worth it. */
static void drop_gone(gri_outbox *o)
{
    const size_t gone = o->held_at;
    if (gone < DROP || gone < o->held.len - gone) {
        return;
    }
    gri_buffer_drop(&o->held, gone);
    o->held_at = 0;
    /* One that may be joined is not gone. */
    o->held_tail.at -= o->held_tail.count == 0 ? 0 : gone;
    o->piece.end -= o->piece.end == 0 ? 0 : gone;
}

/* Room for a frame of n bytes among what is held. */
static int make_room(gri_outbox *o, size_t n)
{
    if (o->pairs == NULL) {
        o->pairs = calloc(GRI_OUTBOX_PAIRS, sizeof *o->pairs);
        if (o->pairs == NULL) {
            return GR_ENOMEM;
        }
    }
    drop_gone(o);
    return gri_buffer_reserve(&o->held, RECORD_HEAD + n);
}

/* Appends it to what is held, where there is room. */
static void hold(gri_outbox *o, const gri_frame *f, const uint8_t *head,
                 size_t head_len)
{
    uint8_t cost[RECORD_HEAD];
    (void)gri_put32(cost, messages_of(f) * GRI_MESSAGE_COST);
    o->held_cost += gri_get32(cost);
    gri_buffer_put(&o->held, cost, sizeof cost);
    append(&o->held, &o->held_tail, f, head, head_len);
    o->pairs[pair_of(f->to, f->from)]++;
}

/* A frame of so many bytes must wait. */
static bool must_wait(const gri_outbox *o, const gri_frame *f, size_t whole)
{
    return whole > GRI_FRAME_DIRECT_MAX ||
           (gri_frame_is_message(f->type) && o->credit <= 0) ||
           (is_held(o, f->to, f->from) && !is_advice(f));
}

int gri_outbox_reserve(gri_outbox *o, const gri_frame *f)
{
    uint8_t head[GRI_FRAME_FIXED_MAX];
    const size_t whole = gri_frame_write(head, f) + f->len;
    return must_wait(o, f, whole) ? make_room(o, whole)
                                  : gri_buffer_reserve(&o->now.bytes, whole);
}

/* So many more messages are in the SEND at the end of what is held. */
static void raise_cost(gri_outbox *o, uint32_t messages)
{
    uint8_t *cost = o->held.data + o->held_tail.at - RECORD_HEAD;
    (void)gri_put32(cost, gri_get32(cost) + messages * GRI_MESSAGE_COST);
    o->held_cost += (size_t)messages * GRI_MESSAGE_COST;
}

/* The same to what is held. */
static bool join_held(gri_outbox *o, const gri_payload *m)
{
    if (!join(&o->held, &o->held_tail, o->batch_max, m)) {
        return false;
    }
    raise_cost(o, m->count);
    return true;
}

/* Appends one that stands in f->own, by itself. */
static int put_own(gri_outbox *o, const gri_frame *f)
{
    uint8_t head[GRI_FRAME_FIXED_MAX];
    const size_t head_len = gri_frame_write(head, f);
    const gri_own own = {.frame = gri_msg_payload(f->own) - head_len,
                         .len = (uint32_t)head_len + f->len,
                         .block = f->own,
                         .class_ = f->own->class_,
                         .depot = o->depot};
    GR_DASSERT(f->payload == gri_msg_data(f->own));
    const bool waits = must_wait(o, f, own.len);
    GR_TRY(waits ? make_room(o, sizeof own) : gri_cargo_reserve(&o->now));
    memcpy(own.frame, head, head_len);
    if (waits) {
        uint8_t cost[RECORD_HEAD];
        (void)gri_put32(cost, GRI_MESSAGE_COST | RECORD_OWN);
        gri_buffer_put(&o->held, cost, sizeof cost);
        gri_buffer_put(&o->held, &own, sizeof own);
        o->held_cost += GRI_MESSAGE_COST + (own.len - sizeof own);
        o->held_tail.count = 0;
        o->pairs[pair_of(f->to, f->from)]++;
    } else {
        gri_cargo_put(&o->now, &own);
        o->frames++;
        o->now_cost += GRI_MESSAGE_COST;
        o->now_tail.count = 0;
        o->credit -= (int64_t)own.len + GRI_MESSAGE_COST;
    }
    return 0;
}

int gri_outbox_put(gri_outbox *o, const gri_frame *f)
{
    if (f->own != NULL) {
        return put_own(o, f);
    }
    if (f->type == GRI_FRAME_SEND) {
        const gri_payload m = {f->to, f->from, f->payload, f->len,
                               messages_of(f)};
        if (is_held(o, f->to, f->from) ? join_held(o, &m) : join_now(o, &m)) {
            return 0;
        }
    }
    uint8_t head[GRI_FRAME_FIXED_MAX];
    const size_t head_len = gri_frame_write(head, f);
    const size_t whole = head_len + f->len;
    if (must_wait(o, f, whole)) {
        GR_TRY(make_room(o, whole));
        hold(o, f, head, head_len);
        return 0;
    }
    GR_TRY(gri_buffer_reserve(&o->now.bytes, whole));
    append(&o->now.bytes, &o->now_tail, f, head, head_len);
    o->frames++;
    if (gri_frame_is_message(f->type)) {
        const uint32_t cost = messages_of(f) * GRI_MESSAGE_COST;
        o->credit -= (int64_t)whole + cost;
        o->now_cost += cost;
    }
    return 0;
}

int gri_outbox_put_bytes(gri_outbox *o, const void *bytes, size_t n)
{
    GR_TRY(gri_buffer_reserve(&o->now.bytes, n));
    gri_buffer_put(&o->now.bytes, bytes, n);
    o->now_tail.count = 0;
    o->frames++;
    return 0;
}

int gri_outbox_put_last(gri_outbox *o, const gri_frame *f)
{
    uint8_t head[GRI_FRAME_FIXED_MAX];
    const size_t n = gri_frame_write(head, f);
    if (o->held.len == 0) {
        return gri_outbox_put_bytes(o, head, n);
    }
    GR_TRY(make_room(o, n));
    hold(o, f, head, n);
    return 0;
}

/* ---- taking -------------------------------------------------------------- */

int gri_outbox_grant(gri_outbox *o, uint32_t n)
{
    if (o->credit + n > GRI_CREDIT_MAX) {
        return GR_EFORMAT;
    }
    o->credit += n;
    o->window = o->credit > o->window ? o->credit : o->window;
    return 0;
}

static uint32_t pair_in(const uint8_t *frame)
{
    const gri_frame_pair who = gri_frame_pair_of(frame);
    return pair_of(who.to, who.from);
}

/* All of a held frame went. */
static void end_record(gri_outbox *o, uint32_t pair, uint32_t cost)
{
    o->credit -= cost;
    o->held_cost -= cost;
    o->pairs[pair]--;
    if (o->held_at == o->held.len) {
        o->held.len = o->held_at = 0;
        gri_buffer_shrink(&o->held, SHRINK);
    }
}

/* Appends the next part of the long frame that is on its way. */
static void take_part(gri_outbox *o, gri_cargo *fly, size_t room)
{
    const size_t rest = o->piece.end - o->held_at;
    const size_t n = rest < room ? rest : room;
    uint8_t head[GRI_FRAME_HEAD];
    (void)gri_put8(gri_put32(head, (uint32_t)n + 1), GRI_FRAME_PART);
    gri_buffer_put(&fly->bytes, head, sizeof head);
    gri_buffer_put(&fly->bytes, o->held.data + o->held_at, n);
    o->held_at += n;
    o->frames++;
    o->credit -= (int64_t)(n + sizeof head);
    if (o->held_at == o->piece.end) {
        o->piece.end = 0;
        end_record(o, o->piece.pair, o->piece.cost);
    }
}

/* Appends the next held frame, if there is room and it is short; a long one
 * begins to be on its way. False: there is no room. */
static bool take_record(gri_outbox *o, gri_cargo *fly, size_t room)
{
    const record r = record_at(o, o->held_at);
    const gri_own *f = &r.frame;
    const uint32_t pair = pair_in(f->frame);
    if ((f->len <= GRI_FRAME_DIRECT_MAX && f->len > room) ||
        (f->block != NULL && gri_cargo_reserve(fly) < 0)) {
        return false;
    }
    if (o->held_tail.at == o->held_at + RECORD_HEAD) {
        o->held_tail.count = 0; /* nothing may join it any more */
    }
    if (f->len > GRI_FRAME_DIRECT_MAX) {
        o->piece = (gri_piece){
            .end = o->held_at + r.len, .cost = r.cost, .pair = pair};
        o->held_at += RECORD_HEAD;
        return true;
    }
    if (f->block != NULL) {
        gri_cargo_put(fly, f);
        o->held_cost -= f->len - sizeof *f;
    } else {
        gri_buffer_put(&fly->bytes, f->frame, f->len);
    }
    o->held_at += r.len;
    o->frames++;
    const bool charged = r.cost > 0; /* it is a message */
    o->credit -= charged ? (int64_t)f->len : 0;
    end_record(o, pair, r.cost);
    return true;
}

/* Gives back what only held frames need. */
static void end_held(gri_outbox *o)
{
    gri_buffer_shrink(&o->held, 0);
    free(o->pairs);
    o->pairs = NULL;
}

/* Appends what may go of what is held, up to about a PART's bytes. */
static void take_held(gri_outbox *o, gri_cargo *fly)
{
    const size_t waits = o->held.len - o->held_at;
    size_t room = GRI_FRAME_DIRECT_MAX;
    /* What waits is a few bytes, most often. Less than `room`, it has one head
     * of a PART more at most. */
    if (gri_buffer_reserve(&fly->bytes, (waits < room ? waits : room) +
                                            GRI_FRAME_HEAD) < 0) {
        return;
    }
    while (o->held.len > 0 && room > 0 && o->credit > o->window / RESERVE) {
        const size_t before = gri_cargo_left(fly);
        if (o->piece.end > 0) {
            take_part(o, fly, room < GRI_PART_BYTES ? room : GRI_PART_BYTES);
        } else if (!take_record(o, fly, room)) {
            break;
        }
        const size_t used = gri_cargo_left(fly) - before;
        room -= used < room ? used : room;
    }
    if (o->held.len == 0 && o->held.cap <= GRI_PART_BYTES) {
        end_held(o); /* most peers never hold anything but at their beginning */
    }
}

bool gri_outbox_take(gri_outbox *o, gri_cargo *fly)
{
    GR_DASSERT(gri_cargo_left(fly) == 0);
    if (gri_cargo_left(&o->now) > 0) {
        const gri_cargo empty = *fly;
        *fly = o->now;
        o->now = empty;
        o->now_cost = 0;
        o->now_tail.count = 0;
    }
    if (o->held.len > 0 && o->credit > o->window / RESERVE) {
        take_held(o, fly);
    }
    return gri_cargo_left(fly) > 0;
}

void gri_outbox_rest(gri_outbox *o)
{
    gri_cargo_shrink(&o->now, 0);
    if (o->held.len == 0) {
        end_held(o);
    }
}
