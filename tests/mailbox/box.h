/*
 * tests/mailbox/box.h - what the tests of message bytes share: memory for
 * messages, random values, and the same values by msgpack-c's own hand.
 */
#ifndef GRI_TESTS_MAILBOX_BOX_H
#define GRI_TESTS_MAILBOX_BOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */
#include <msgpack.h>

#include "mailbox/message.h"
#include "mailbox/pack.h"

/* ---- memory for messages ------------------------------------------------ */

typedef struct box {
    gri_depot depot;
    gri_cache cache;
    gri_builder builder;
} box;

enum { BOX_NODE = 77, BOX_LEN_MAX = 16 << 20 };

static inline int box_init(void **state)
{
    box *b = malloc(sizeof *b);
    if (b == NULL || gri_depot_init(&b->depot) < 0) {
        free(b);
        return -1;
    }
    gri_cache_init(&b->cache, &b->depot);
    b->builder = (gri_builder){
        .cache = &b->cache, .node = BOX_NODE, .len_max = BOX_LEN_MAX};
    *state = b;
    return 0;
}

static inline int box_fini(void **state)
{
    box *b = *state;
    gri_cache_flush(&b->cache);
    gri_depot_fini(&b->depot);
    free(b);
    return 0;
}

/* A message of plain bytes, as one that came from another node. */
static inline gr_msg *box_message(box *b, const void *bytes, size_t n)
{
    gr_msg *msg = gri_msg_new(&b->cache, n);
    if (msg == NULL) {
        abort(); /* gcc does not know that cmocka's fail() never returns */
    }
    memcpy(gri_msg_payload(msg), bytes, n);
    msg->len = (uint32_t)n;
    return msg;
}

/* The message of one list that a test wrote as values. */
static inline gr_msg *box_pack(box *b, gr_values values)
{
    gr_msg *msg = gri_pack(&b->builder, values.items, values.n, false);
    assert_non_null(msg);
    return msg;
}

/* ---- random values ------------------------------------------------------ */

typedef struct source {
    uint64_t state;       /* of xorshift64*, not 0 */
    gr_value items[4096]; /* what lists and maps point to */
    uint32_t used;
    char bytes[512]; /* what strings point to */
} source;

static inline uint64_t next_random(source *s)
{
    s->state ^= s->state >> 12;
    s->state ^= s->state << 25;
    s->state ^= s->state >> 27;
    return s->state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline void source_init(source *s, uint64_t seed)
{
    s->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    s->used = 0;
    for (size_t i = 0; i < sizeof s->bytes; i++) {
        s->bytes[i] = (char)next_random(s);
    }
}

/* Of every magnitude alike. */
static inline uint64_t random_bits(source *s)
{
    return next_random(s) >> (next_random(s) % 64);
}

/* One value, with at most `depth` levels of lists and maps, which is why it may
 * recur. NOLINTNEXTLINE(misc-no-recursion) */
static inline gr_value random_value(source *s, unsigned depth)
{
    switch (next_random(s) % (depth > 0 ? 12 : 10)) {
    case 0:
        return gr_nil();
    case 1:
        return gr_bool(next_random(s) % 2 != 0);
    case 2:
        return gri_v_i64((int64_t)random_bits(s));
    case 3:
        return gri_v_i64(-(int64_t)(random_bits(s) >> 1));
    case 4:
        return gri_v_u64(random_bits(s));
    case 5:
        return gri_v_float((float)(int32_t)next_random(s) / 1024);
    case 6:
        return gri_v_double((double)(int64_t)next_random(s) / 1e9);
    case 7:
        return gr_strn(s->bytes, next_random(s) % 300);
    case 8:
        return gr_bin(s->bytes, next_random(s) % 300);
    case 9:
        return gri_v_pid(
            (gr_pid){random_bits(s) | 1, next_random(s) % 2 ? 9 : 0});
    default:
        break;
    }
    size_t pairs = random_bits(s) % 20;
    bool map = next_random(s) % 2 != 0;
    size_t n = map ? 2 * pairs : pairs;
    if (n > sizeof s->items / sizeof s->items[0] - s->used) {
        n = 0;
    }
    gr_value *items = &s->items[s->used];
    s->used += (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        items[i] = random_value(s, depth - 1);
    }
    return map ? gr_map_of(items, n) : gr_list_of(items, n);
}

/* ---- the same by msgpack-c ---------------------------------------------- */

static inline void reference_pid(msgpack_packer *pk, gr_pid pid)
{
    char body[16];
    if (pid.id == 0) {
        msgpack_pack_nil(pk);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        body[i] = (char)(pid.node >> (56 - 8 * i));
        body[8 + i] = (char)(pid.id >> (56 - 8 * i));
    }
    msgpack_pack_ext(pk, sizeof body, 1);
    msgpack_pack_ext_body(pk, body, sizeof body);
}

/* Its depth has a limit. NOLINTNEXTLINE(misc-no-recursion) */
static inline void reference_pack(msgpack_packer *pk, const gr_value *v)
{
    switch ((gr_kind)v->kind) {
    case GR_KIND_NIL:
        msgpack_pack_nil(pk);
        break;
    case GR_KIND_BOOL:
        v->as.i != 0 ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
        break;
    case GR_KIND_INT:
        msgpack_pack_int64(pk, v->as.i);
        break;
    case GR_KIND_UINT:
        msgpack_pack_uint64(pk, v->as.u);
        break;
    case GR_KIND_FLOAT:
        msgpack_pack_float(pk, v->as.f);
        break;
    case GR_KIND_DOUBLE:
        msgpack_pack_double(pk, v->as.d);
        break;
    case GR_KIND_STR:
        msgpack_pack_str(pk, v->len);
        msgpack_pack_str_body(pk, v->as.p, v->len);
        break;
    case GR_KIND_BIN:
        msgpack_pack_bin(pk, v->len);
        msgpack_pack_bin_body(pk, v->as.p, v->len);
        break;
    case GR_KIND_PID:
        reference_pid(pk, v->as.pid);
        break;
    case GR_KIND_LIST:
        msgpack_pack_array(pk, v->len);
        for (uint32_t i = 0; i < v->len; i++) {
            reference_pack(pk, &v->as.items[i]);
        }
        break;
    case GR_KIND_MAP:
        msgpack_pack_map(pk, v->len / 2);
        for (uint32_t i = 0; i < v->len; i++) {
            reference_pack(pk, &v->as.items[i]);
        }
        break;
    case GR_KIND_ANY:
    case GR_KIND_BAD:
    case GR_KIND_OBJECT:
    case GR_KIND_BLOB:
        fail();
        break;
    }
}

/* The bytes of n values in an array, by msgpack-c. */
static inline void reference_message(msgpack_sbuffer *out,
                                     const gr_value *values, uint32_t n)
{
    msgpack_packer pk;
    msgpack_sbuffer_init(out);
    msgpack_packer_init(&pk, out, msgpack_sbuffer_write);
    gr_value list = gr_list_of(values, n);
    reference_pack(&pk, &list);
}

/* Whether msgpack-c's unpacker takes exactly these bytes. */
static inline bool reference_accepts(const void *bytes, size_t n)
{
    msgpack_unpacked result;
    size_t used = 0;
    msgpack_unpacked_init(&result);
    msgpack_unpack_return rc = msgpack_unpack_next(&result, bytes, n, &used);
    msgpack_unpacked_destroy(&result);
    return rc == MSGPACK_UNPACK_SUCCESS && used == n;
}

#endif /* GRI_TESTS_MAILBOX_BOX_H */
