/*
 * Goal:   what is a value becomes the tree that msgpack-c makes of it, in which
 *         texts and bytes stand where they stood; what is none, or is too deep,
 *         or would take too much, is refused before msgpack-c sees it; without
 *         memory that is said, and nothing is lost.
 * Method: random values against msgpack_unpack_next; bytes that lie about their
 *         sizes; a zone and an unpacker that fail on command (linked with
 *         --wrap), which also count what reaches msgpack-c.
 */
#include <greenroom/msgpack.h>

#include "mailbox/trees.h"
#include "tests/mailbox/box.h"

static struct {
    unsigned unpacked; /* calls that reached msgpack-c */
    unsigned zones;    /* that are open */
    bool no_zone, no_objects;
} memory;

/* The linker's option --wrap makes these names, so they are reserved ones:
 * NOLINTBEGIN(bugprone-reserved-identifier) */
bool __real_msgpack_zone_init(msgpack_zone *zone, size_t chunk_size);
void __real_msgpack_zone_destroy(msgpack_zone *zone);
msgpack_unpack_return __real_msgpack_unpack(const char *data, size_t len,
                                            size_t *off, msgpack_zone *zone,
                                            msgpack_object *result);
bool __wrap_msgpack_zone_init(msgpack_zone *zone, size_t chunk_size);
void __wrap_msgpack_zone_destroy(msgpack_zone *zone);
msgpack_unpack_return __wrap_msgpack_unpack(const char *data, size_t len,
                                            size_t *off, msgpack_zone *zone,
                                            msgpack_object *result);
/* NOLINTEND(bugprone-reserved-identifier) */

bool __wrap_msgpack_zone_init(msgpack_zone *zone, size_t chunk_size)
{
    if (memory.no_zone || !__real_msgpack_zone_init(zone, chunk_size)) {
        return false;
    }
    memory.zones++;
    return true;
}

void __wrap_msgpack_zone_destroy(msgpack_zone *zone)
{
    __real_msgpack_zone_destroy(zone);
    memory.zones--;
}

msgpack_unpack_return __wrap_msgpack_unpack(const char *data, size_t len,
                                            size_t *off, msgpack_zone *zone,
                                            msgpack_object *result)
{
    memory.unpacked++;
    return memory.no_objects
               ? MSGPACK_UNPACK_NOMEM_ERROR
               : __real_msgpack_unpack(data, len, off, zone, result);
}

static int trees_init(void **state)
{
    memset(&memory, 0, sizeof memory);
    return box_init(state);
}

static int trees_fini(void **state)
{
    assert_int_equal(memory.zones, 0);
    return box_fini(state);
}

/* Whether all texts and bytes of a tree stand in [p, end).
 * NOLINTNEXTLINE(misc-no-recursion): as deep as the values are */
static bool is_inside(const msgpack_object *o, const char *p, const char *end)
{
    bool inside = true;
    if (o->type == MSGPACK_OBJECT_STR || o->type == MSGPACK_OBJECT_BIN) {
        return o->via.str.size == 0 ||
               (o->via.str.ptr >= p && o->via.str.ptr + o->via.str.size <= end);
    }
    if (o->type == MSGPACK_OBJECT_ARRAY) {
        for (uint32_t i = 0; i < o->via.array.size; i++) {
            inside = inside && is_inside(&o->via.array.ptr[i], p, end);
        }
    }
    if (o->type == MSGPACK_OBJECT_MAP) {
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            inside = inside && is_inside(&o->via.map.ptr[i].key, p, end) &&
                     is_inside(&o->via.map.ptr[i].val, p, end);
        }
    }
    return inside;
}

static void random_values_are_the_same_trees(void **state)
{
    static source s;
    box *b = *state;
    gri_trees trees = {.values = 0};
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        source_init(&s, seed);
        gr_value v = random_value(&s, 5);
        gr_msg *msg = gri_pack(&b->builder, &v, 1, false);
        assert_non_null(msg);
        const char *bytes = (const char *)gri_msg_data(msg);
        msgpack_unpacked want;
        size_t used = 0;
        msgpack_unpacked_init(&want);
        assert_int_equal(msgpack_unpack_next(&want, bytes, msg->len, &used),
                         MSGPACK_UNPACK_SUCCESS);
        msgpack_object one;
        msgpack_object two;
        assert_int_equal(gri_trees_add(&trees, bytes, msg->len, &one), 0);
        assert_int_equal(gri_trees_add(&trees, bytes, msg->len, &two), 0);
        assert_true(msgpack_object_equal(one, want.data));
        assert_true(msgpack_object_equal(two, want.data));
        assert_true(is_inside(&one, bytes, bytes + msg->len));
        msgpack_unpacked_destroy(&want);
        gri_trees_clear(&trees);
        assert_int_equal(trees.values, 0);
        gri_msg_free(&b->cache, msg);
    }
    gri_trees_fini(&trees);
}

/* Bytes that are refused with rc, and that msgpack-c is never given. */
static void check_refused(const void *bytes, size_t n, int rc)
{
    gri_trees trees = {.values = 0};
    msgpack_object out = {.type = MSGPACK_OBJECT_EXT};
    /* A copy of exactly this size, for the address sanitizer. */
    void *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    assert_int_equal(gri_trees_add(&trees, copy, n, &out), rc);
    assert_int_equal(memory.unpacked, 0);
    assert_int_equal(out.type, MSGPACK_OBJECT_EXT);
    free(copy);
    gri_trees_fini(&trees);
}

#define REFUSED(text, rc) check_refused(text, sizeof(text) - 1, rc)

static void bytes_that_lie_never_reach_msgpack(void **state)
{
    (void)state;
    REFUSED("", GR_EFORMAT);
    REFUSED("\xc1", GR_EFORMAT);
    REFUSED("\xdd\x04\x00\x00\x00", GR_EFORMAT); /* 2 GiB, it would say */
    REFUSED("\xdd\xff\xff\xff\xff", GR_EFORMAT);
    REFUSED("\xdf\xff\xff\xff\xff\x01", GR_EFORMAT);
    REFUSED("\xdb\xff\xff\xff\xff", GR_EFORMAT);
    REFUSED("\xc6\x00\x00\x00\x02x", GR_EFORMAT);
    REFUSED("\xc9\x00\x00\x00\x02\x01x", GR_EFORMAT);
    REFUSED("\x92\x01", GR_EFORMAT);
    REFUSED("\x91\x01\x01", GR_EFORMAT); /* and something behind it */
    REFUSED("\xa5"
            "hell",
            GR_EFORMAT);
}

static void nesting_ends_where_messages_do(void **state)
{
    (void)state;
    char bytes[GR_DEPTH_MAX + 2];
    memset(bytes, '\x91', sizeof bytes);
    gri_trees trees = {.values = 0};
    msgpack_object out;
    bytes[GR_DEPTH_MAX] = '\xc0';
    assert_int_equal(gri_trees_add(&trees, bytes, GR_DEPTH_MAX + 1, &out), 0);
    gri_trees_fini(&trees);
    memory.unpacked = 0;
    bytes[GR_DEPTH_MAX] = '\x91';
    bytes[GR_DEPTH_MAX + 1] = '\xc0';
    check_refused(bytes, sizeof bytes, GR_ELIMIT);
}

static void all_values_together_have_a_limit(void **state)
{
    (void)state;
    const size_t half = GR_TREE_MAX / 2;
    uint8_t *bytes = malloc(half + 6);
    assert_non_null(bytes);
    memset(bytes, 0, half + 6);
    const uint32_t n = (uint32_t)half - 1; /* and the array itself */
    bytes[0] = 0xdd;
    for (unsigned i = 0; i < 4; i++) {
        bytes[1 + i] = (uint8_t)(n >> (24 - 8 * i));
    }
    gri_trees trees = {.values = 0};
    msgpack_object out;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gri_trees_add(&trees, bytes, 5 + n, &out), 0);
        assert_int_equal(out.via.array.size, n);
        assert_int_equal(gri_trees_add(&trees, bytes, 5 + n, &out), 0);
        assert_int_equal(trees.values, GR_TREE_MAX);
        assert_int_equal(gri_trees_add(&trees, "\xc0", 1, &out), GR_ELIMIT);
        assert_int_equal(memory.zones, 1);
        gri_trees_clear(&trees);
        assert_int_equal(memory.zones, 0); /* that much is given back */
    }
    assert_int_equal(gri_trees_add(&trees, "\xc0", 1, &out), 0);
    gri_trees_clear(&trees);
    assert_int_equal(memory.zones, 1); /* and that little is kept */
    gri_trees_fini(&trees);
    free(bytes);
}

static void without_memory_that_is_said(void **state)
{
    (void)state;
    gri_trees trees = {.values = 0};
    msgpack_object out = {.type = MSGPACK_OBJECT_EXT};
    memory.no_zone = true;
    assert_int_equal(gri_trees_add(&trees, "\x91\xc0", 2, &out), GR_ENOMEM);
    gri_trees_clear(&trees);
    assert_false(trees.is_open);
    memory.no_zone = false;
    memory.no_objects = true;
    /* Each try may have taken memory, so each counts. */
    for (uint32_t i = 1; i < 100; i++) {
        assert_int_equal(gri_trees_add(&trees, "\x91\xc0", 2, &out), GR_ENOMEM);
        assert_int_equal(trees.values, 2 * i);
    }
    assert_int_equal(out.type, MSGPACK_OBJECT_EXT);
    memory.no_objects = false;
    assert_int_equal(gri_trees_add(&trees, "\x91\xc0", 2, &out), 0);
    assert_int_equal(out.type, MSGPACK_OBJECT_ARRAY);
    gri_trees_fini(&trees);
    gri_trees_fini(&trees); /* of nothing */
    gri_trees_clear(&trees);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, trees_init, trees_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_values_are_the_same_trees),
        TEST(bytes_that_lie_never_reach_msgpack),
        TEST(nesting_ends_where_messages_do),
        TEST(all_values_together_have_a_limit),
        TEST(without_memory_that_is_said),
    };
    return cmocka_run_group_tests_name("mailbox/trees", tests, NULL, NULL);
}
