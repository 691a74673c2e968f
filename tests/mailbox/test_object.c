/*
 * Goal:   a tree of msgpack-c's, whatever made it, is sent as exactly the bytes
 *         that msgpack-c packs for it; and one that cannot be sent (too deep, a
 *         circle, too large, no object at all) is refused with its reason.
 * Method: the edges of every type, then random trees that msgpack-c unpacked,
 *         each compared with msgpack_pack_object, at every limit of length.
 */
#include <greenroom/msgpack.h>

#include "mailbox/object.h"
#include "tests/mailbox/box.h"

/* Packs [object] and compares it with msgpack-c. */
static void check_object(box *b, const msgpack_object *object)
{
    msgpack_sbuffer want;
    msgpack_packer pk;
    msgpack_sbuffer_init(&want);
    msgpack_packer_init(&pk, &want, msgpack_sbuffer_write);
    msgpack_pack_array(&pk, 1);
    msgpack_pack_object(&pk, *object);
    gr_value v = gr_object(object);
    gr_msg *msg = gri_pack(&b->builder, &v, 1, false);
    assert_non_null(msg);
    assert_int_equal(msg->len, want.size);
    assert_memory_equal(gri_msg_data(msg), want.data, want.size);
    gri_msg_free(&b->cache, msg);

    /* As an item of a list, and piece by piece. */
    gr_value list = gr_list_of(&v, 1);
    gri_writer w = gri_builder_begin(&b->builder, 1, true);
    w = gri_builder_put(&b->builder, w.p, &list);
    msg = gri_builder_end(&b->builder, w.p);
    assert_non_null(msg);
    assert_int_equal(msg->len, want.size + 1);
    assert_memory_equal(gri_msg_data(msg) + 1, want.data, want.size);
    gri_msg_free(&b->cache, msg);
    msgpack_sbuffer_destroy(&want);
}

static void check_refused(box *b, const msgpack_object *object, int rc)
{
    gr_value values[] = {gri_v_cstr("x"), gr_object(object)};
    assert_null(gri_pack(&b->builder, values, 2, false));
    assert_int_equal(b->builder.rc, rc);
    assert_null(b->builder.msg);
}

static const uint32_t lengths[] = {0,   1,   2,    3,     4,     5,     8,
                                   15,  16,  17,   31,    32,    255,   256,
                                   257, 300, 4095, 65535, 65536, 100000};
enum { LENGTHS = sizeof lengths / sizeof lengths[0], LENGTH_MAX = 100000 };

static void scalars_at_every_edge(void **state)
{
    msgpack_object o = {.type = MSGPACK_OBJECT_NIL};
    check_object(*state, &o);
    for (int i = 0; i < 2; i++) {
        o.type = MSGPACK_OBJECT_BOOLEAN;
        o.via.boolean = i != 0;
        check_object(*state, &o);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        for (unsigned k = 0; k < 3; k++) {
            o.type = MSGPACK_OBJECT_POSITIVE_INTEGER;
            o.via.u64 = (UINT64_C(1) << bit) + k - 1;
            check_object(*state, &o);
            o.type = MSGPACK_OBJECT_NEGATIVE_INTEGER;
            o.via.i64 = -(int64_t)(o.via.u64 >> 1) - 1;
            check_object(*state, &o);
        }
        o.type = MSGPACK_OBJECT_FLOAT32;
        o.via.f64 = (double)((float)(1u << (bit % 20)) / 3);
        check_object(*state, &o);
        o.type = MSGPACK_OBJECT_FLOAT64;
        o.via.f64 = -1.0 / (double)(bit + 1);
        check_object(*state, &o);
    }
}

static void texts_bytes_and_exts_of_every_length(void **state)
{
    static char bytes[LENGTH_MAX];
    memset(bytes, 'x', sizeof bytes);
    for (unsigned i = 0; i < LENGTHS; i++) {
        msgpack_object o = {.type = MSGPACK_OBJECT_STR};
        o.via.str.size = lengths[i];
        o.via.str.ptr = lengths[i] == 0 ? NULL : bytes;
        check_object(*state, &o);
        o.type = MSGPACK_OBJECT_BIN;
        o.via.bin.size = lengths[i];
        o.via.bin.ptr = lengths[i] == 0 ? NULL : bytes;
        check_object(*state, &o);
        for (int type = INT8_MIN; type <= INT8_MAX; type += 51) {
            o.type = MSGPACK_OBJECT_EXT;
            o.via.ext.type = (int8_t)type;
            o.via.ext.size = lengths[i];
            o.via.ext.ptr = bytes;
            check_object(*state, &o);
        }
    }
}

static void arrays_and_maps_of_every_length(void **state)
{
    size_t n = LENGTH_MAX;
    msgpack_object *items = calloc(2 * n, sizeof *items);
    assert_non_null(items);
    for (size_t i = 0; i < 2 * n; i++) {
        items[i].type = MSGPACK_OBJECT_POSITIVE_INTEGER;
        items[i].via.u64 = i;
    }
    for (unsigned i = 0; i < LENGTHS; i++) {
        msgpack_object o = {.type = MSGPACK_OBJECT_ARRAY};
        o.via.array.size = lengths[i];
        o.via.array.ptr = lengths[i] == 0 ? NULL : items;
        check_object(*state, &o);
        o.type = MSGPACK_OBJECT_MAP;
        o.via.map.size = lengths[i];
        o.via.map.ptr = lengths[i] == 0 ? NULL : (void *)items;
        check_object(*state, &o);
    }
    free(items);
}

/* Whole trees that msgpack-c made of bytes. */
static void random_trees(void **state)
{
    static source s;
    box *b = *state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        source_init(&s, seed);
        gr_value v = random_value(&s, 5);
        gr_msg *msg = gri_pack(&b->builder, &v, 1, false);
        assert_non_null(msg);
        msgpack_unpacked tree;
        size_t used = 0;
        msgpack_unpacked_init(&tree);
        assert_int_equal(msgpack_unpack_next(&tree,
                                             (const char *)gri_msg_data(msg),
                                             msg->len, &used),
                         MSGPACK_UNPACK_SUCCESS);
        check_object(b, &tree.data);
        msgpack_unpacked_destroy(&tree);
        gri_msg_free(&b->cache, msg);
    }
}

/* A chain of arrays that holds nil at its end: levels of them. */
static void make_chain(msgpack_object *chain, unsigned levels)
{
    for (unsigned i = 0; i < levels; i++) {
        chain[i].type = MSGPACK_OBJECT_ARRAY;
        chain[i].via.array.size = 1;
        chain[i].via.array.ptr = &chain[i + 1];
    }
    chain[levels].type = MSGPACK_OBJECT_NIL;
}

static void nesting_has_the_limit_of_all_values(void **state)
{
    box *b = *state;
    msgpack_object chain[GR_DEPTH_MAX + 1];
    make_chain(chain, GR_DEPTH_MAX - 1); /* the message is a level, too */
    check_refused(b,
                  &(msgpack_object){.type = MSGPACK_OBJECT_ARRAY,
                                    .via.array = {1, chain}},
                  GR_ELIMIT);
    gr_value values[] = {gri_v_cstr("x"), gr_object(chain)};
    gr_msg *msg = gri_pack(&b->builder, values, 2, false);
    assert_non_null(msg);
    assert_int_equal(gr_validate(gri_msg_data(msg), msg->len, 0), 0);
    gri_msg_free(&b->cache, msg);
    make_chain(chain, GR_DEPTH_MAX);
    check_refused(b, chain, GR_ELIMIT);
}

static void what_no_end_has_is_refused(void **state)
{
    msgpack_object circle[16];
    for (unsigned i = 0; i < 16; i++) {
        circle[i].type = MSGPACK_OBJECT_ARRAY;
        circle[i].via.array.size = 16;
        circle[i].via.array.ptr = circle;
    }
    check_refused(*state, circle, GR_ELIMIT);

    /* No circle, and not deep: but each level holds the one below twice. */
    msgpack_object twice[GR_DEPTH_MAX - 1][2];
    for (unsigned i = 0; i < GR_DEPTH_MAX - 2; i++) {
        for (unsigned k = 0; k < 2; k++) {
            twice[i][k].type = MSGPACK_OBJECT_ARRAY;
            twice[i][k].via.array.size = 2;
            twice[i][k].via.array.ptr = twice[i + 1];
        }
    }
    twice[GR_DEPTH_MAX - 2][0].type = MSGPACK_OBJECT_NIL;
    twice[GR_DEPTH_MAX - 2][1].type = MSGPACK_OBJECT_NIL;
    check_refused(*state, &twice[0][0], GR_ETOOBIG);
}

static void what_is_no_object_is_refused(void **state)
{
    check_refused(*state, NULL, GR_EINVAL);
    static const msgpack_object_type with_pointer[] = {
        MSGPACK_OBJECT_STR, MSGPACK_OBJECT_BIN, MSGPACK_OBJECT_EXT,
        MSGPACK_OBJECT_ARRAY, MSGPACK_OBJECT_MAP};
    for (unsigned i = 0; i < 5; i++) {
        msgpack_object o;
        memset(&o, 0, sizeof o);
        o.type = with_pointer[i];
        check_object(*state, &o);
        switch ((int)o.type) {
        case MSGPACK_OBJECT_EXT:
            o.via.ext.size = 1;
            break;
        case MSGPACK_OBJECT_MAP:
            o.via.map.size = 1;
            break;
        default: /* the others have their size in the same place */
            o.via.array.size = 1;
            break;
        }
        check_refused(*state, &o, GR_EINVAL);
    }
    msgpack_object o = {.type = MSGPACK_OBJECT_MAP};
    o.via.map.size = UINT32_MAX;
    check_refused(*state, &o, GR_ETOOBIG);
    memset(&o, 0x55, sizeof o);
    gr_value v;
    /* Outside of what the enum can hold for a sanitizer, so written so. */
    assert_int_equal(gri_object_value(&o, &v), GR_EINVAL);
}

static void every_limit_of_length_is_exact(void **state)
{
    box *b = *state;
    char text[] = "0123456789";
    msgpack_object pair[2] = {{.type = MSGPACK_OBJECT_STR},
                              {.type = MSGPACK_OBJECT_EXT}};
    pair[0].via.str.ptr = text;
    pair[0].via.str.size = 10;
    pair[1].via.ext.ptr = text;
    pair[1].via.ext.size = 10;
    msgpack_object map = {.type = MSGPACK_OBJECT_MAP};
    map.via.map.size = 1;
    map.via.map.ptr = (void *)pair;
    const uint32_t whole = 1 + 1 + 11 + 3 + 10;
    gr_value v = gr_object(&map);
    for (uint32_t max = 0; max < whole; max++) {
        b->builder.len_max = max;
        assert_null(gri_pack(&b->builder, &v, 1, false));
        assert_int_equal(b->builder.rc, GR_ETOOBIG);
    }
    b->builder.len_max = whole;
    check_object(b, &pair[0]);
    gr_msg *msg = gri_pack(&b->builder, &v, 1, false);
    assert_non_null(msg);
    assert_int_equal(msg->len, whole);
    gri_msg_free(&b->cache, msg);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scalars_at_every_edge),
        TEST(texts_bytes_and_exts_of_every_length),
        TEST(arrays_and_maps_of_every_length),
        TEST(random_trees),
        TEST(nesting_has_the_limit_of_all_values),
        TEST(what_no_end_has_is_refused),
        TEST(what_is_no_object_is_refused),
        TEST(every_limit_of_length_is_exact),
    };
    return cmocka_run_group_tests_name("mailbox/object", tests, NULL, NULL);
}
