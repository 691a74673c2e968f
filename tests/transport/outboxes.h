/*
 * tests/transport/outboxes.h - an outbox, who fills it, and a reader of what
 * leaves it, who knows of it only what docs/protocol.md says.
 */
#ifndef TESTS_TRANSPORT_OUTBOXES_H
#define TESTS_TRANSPORT_OUTBOXES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include "base/rng.h"
#include "mailbox/message.h"
#include "transport/bytes.h"
#include "transport/outbox.h"

enum {
    ACTORS = 6,          /* at each end */
    FRAME_MAX = 1 << 20, /* bytes */
    WINDOW = 200 * 1000
};

/* The other end. */
typedef struct reader {
    gri_buffer parts;
    int64_t credit;                /* what it has given, and was not used */
    uint32_t next[ACTORS][ACTORS]; /* the number of a pair's next message */
    unsigned frames, messages, part_frames, signals;
    bool over; /* a goodbye was read */
} reader;

typedef struct scene {
    gri_depot depot;
    gri_cache cache; /* for what is given away */
    gri_outbox out;
    gri_cargo fly;
    gri_buffer wire; /* what of a flight has come */
    reader r;
    uint32_t sent[ACTORS][ACTORS];
    uint8_t *bytes; /* for payloads: FRAME_MAX */
    size_t most;    /* bytes that the link takes at once */
} scene;

static inline int begin(void **state)
{
    scene *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return -1;
    }
    s->bytes = malloc(FRAME_MAX);
    if (gri_depot_init(&s->depot) < 0) {
        return -1;
    }
    gri_cache_init(&s->cache, &s->depot);
    s->out.depot = &s->depot;
    s->out.batch_max = GRI_BATCH_BYTES;
    s->most = SIZE_MAX;
    *state = s;
    return s->bytes != NULL ? 0 : -1;
}

static inline int end(void **state)
{
    scene *s = *state;
    gri_outbox_fini(&s->out);
    gri_cargo_fini(&s->fly);
    gri_depot_fini(&s->depot);
    gri_buffer_fini(&s->wire);
    gri_buffer_fini(&s->r.parts);
    free(s->bytes);
    free(s);
    return 0;
}

static inline void give(scene *s, uint32_t n)
{
    s->r.credit += n;
    assert_int_equal(gri_outbox_grant(&s->out, n), 0);
}

/* [number, bytes ...], so many in all: a pair's next message. */
static inline gri_frame message(scene *s, unsigned from, unsigned to,
                                uint32_t len)
{
    uint8_t *p = s->bytes;
    assert_in_range(len, 11, FRAME_MAX - 1);
    p = gri_put8(p, 0x92);
    p = gri_put8(p, 0xce);
    p = gri_put32(p, s->sent[from][to]++);
    p = gri_put8(p, 0xc6);
    p = gri_put32(p, len - 11);
    memset(p, (int)from, len - 11);
    return (gri_frame){.type = GRI_FRAME_SEND,
                       .to = to + 1,
                       .from = from + 1,
                       .payload = s->bytes,
                       .len = len};
}

static inline void put(scene *s, unsigned from, unsigned to, uint32_t len)
{
    const gri_frame f = message(s, from, to, len);
    assert_int_equal(gri_outbox_put(&s->out, &f), 0);
}

/* The same given away, in memory of its own. */
static inline void put_own(scene *s, unsigned from, unsigned to, uint32_t len)
{
    gri_frame f = message(s, from, to, len);
    gr_msg *msg = gri_msg_new(&s->cache, len);
    assert_non_null(msg);
    assert_true(gri_is_large(msg->class_));
    memcpy(gri_msg_payload(msg), f.payload, len);
    f.payload = gri_msg_data(msg);
    f.own = msg;
    assert_int_equal(gri_outbox_put(&s->out, &f), 0);
}

/* A death says how many messages came before it. */
static inline void put_signal(scene *s, unsigned from, unsigned to)
{
    const gri_frame f = {
        .type = GRI_FRAME_EXIT,
        .to = to + 1,
        .from = from + 1,
        .why = {.kind = GR_EXIT_ERROR, .code = (int32_t)s->sent[from][to]}};
    assert_int_equal(gri_outbox_reserve(&s->out, &f), 0);
    assert_int_equal(gri_outbox_put(&s->out, &f), 0);
}

/* ---- the other end ------------------------------------------------------- */

static inline void read_messages(reader *r, gri_frame *f)
{
    int rc = 1;
    const char *fault = NULL;
    while (rc > 0) {
        uint32_t *next = &r->next[f->from - 1][f->to - 1];
        assert_int_equal(gri_get32(f->payload + 2), *next);
        ++*next;
        r->messages++;
        r->credit -= GRI_MESSAGE_COST;
        rc = gri_frame_more(f, &fault);
    }
    assert_int_equal(rc, 0);
}

static inline void read_frame(reader *r, const uint8_t *p, size_t n)
{
    gri_frame f;
    const char *fault = NULL;
    assert_int_equal(gri_frame_read(p, n, &f, &fault), 0);
    assert_false(r->over);
    r->frames++;
    switch ((int)f.type) {
    case GRI_FRAME_SEND:
        read_messages(r, &f);
        break;
    case GRI_FRAME_EXIT:
        assert_int_equal(f.why.code, r->next[f.from - 1][f.to - 1]);
        r->signals++;
        break;
    case GRI_FRAME_BYE:
        r->over = true;
        break;
    default:
        assert_int_equal(f.type, GRI_FRAME_PING);
        break;
    }
}

static inline void read_part(reader *r, const uint8_t *p, size_t n)
{
    const size_t limit = 2 * (size_t)FRAME_MAX;
    size_t need = 0;
    gri_frame f;
    const char *fault = NULL;
    assert_int_equal(gri_frame_read(p, n, &f, &fault), 0);
    r->part_frames++;
    assert_in_range(f.len, 1, GRI_PART_BYTES);
    assert_int_equal(gri_buffer_reserve(&r->parts, f.len), 0);
    gri_buffer_put(&r->parts, f.payload, f.len);
    n = (size_t)gri_frame_split(r->parts.data, r->parts.len, limit, &need);
    if (n != 0) {
        assert_int_equal(n, r->parts.len);
        read_frame(r, r->parts.data, r->parts.len);
        r->parts.len = 0;
    }
}

static inline void read_all(reader *r, const uint8_t *p, size_t n)
{
    size_t need = 0;
    int64_t len;
    while ((len = gri_frame_split(p, n, GRI_FRAME_DIRECT_MAX, &need)) > 0) {
        const bool is_part = p[4] == GRI_FRAME_PART;
        if (is_part || gri_frame_is_message((gri_frame_type)p[4])) {
            assert_true(r->credit > 0);
            r->credit -= len;
        }
        (is_part ? read_part : read_frame)(r, p, (size_t)len);
        p += len;
        n -= (size_t)len;
    }
    assert_int_equal(n, 0);
}

/* One flight. False: there was none. */
static inline bool fly(scene *s)
{
    if (!gri_outbox_take(&s->out, &s->fly)) {
        assert_int_equal(gri_cargo_left(&s->fly), 0);
        return false;
    }
    const size_t whole = gri_cargo_left(&s->fly);
    assert_int_equal(gri_buffer_reserve(&s->wire, whole), 0);
    while (s->wire.len < whole) {
        size_t n = 0;
        const uint8_t *p = gri_cargo_next(&s->fly, &n);
        assert_in_range(n, 1, whole - s->wire.len);
        n = n > s->most ? s->most : n; /* a link may take less */
        gri_buffer_put(&s->wire, p, n);
        const gri_own over = gri_cargo_went(&s->fly, n);
        gri_own_free(&over);
        assert_int_equal(gri_cargo_left(&s->fly), whole - s->wire.len);
    }
    read_all(&s->r, s->wire.data, s->wire.len);
    s->wire.len = 0;
    return true;
}

static inline void fly_all(scene *s)
{
    while (fly(s)) {
    }
}

static inline void assert_all_came(const scene *s)
{
    assert_memory_equal(s->sent, s->r.next, sizeof s->sent);
    assert_true(gri_outbox_is_empty(&s->out));
    assert_int_equal(gri_outbox_cost(&s->out), 0);
    assert_int_equal(s->r.parts.len, 0);
}

#endif /* TESTS_TRANSPORT_OUTBOXES_H */
