/*
 * Goal:   every value becomes exactly the bytes that msgpack-c writes for it,
 *         whole or piece by piece, whatever the room; and what cannot be a
 *         message is refused with its reason, leaving nothing behind.
 * Method: the edges of every encoding, then random trees, each compared with
 *         msgpack-c's packer, unpacked by msgpack-c's unpacker and validated.
 *         Blocks of every size, by limits that cut each message at each byte.
 */
#include "tests/mailbox/box.h"

/* Packs in one go and piece by piece, with and without a trailer, and compares
 * all with msgpack-c. */
static void check_values(box *b, const gr_value *values, uint32_t n)
{
    msgpack_sbuffer want;
    reference_message(&want, values, n);
    for (int i = 0; i < 4; i++) {
        bool trailer = i % 2 != 0;
        gr_msg *msg;
        if (i < 2) {
            msg = gri_pack(&b->builder, values, n, trailer);
        } else {
            gri_writer w = gri_builder_begin(&b->builder, n, trailer);
            for (uint32_t k = 0; k < n; k++) {
                w = gri_builder_put(&b->builder, w.p, &values[k]);
            }
            msg = gri_builder_end(&b->builder, w.p);
        }
        assert_non_null(msg);
        assert_null(b->builder.msg);
        assert_int_equal(msg->len, want.size);
        assert_memory_equal(gri_msg_data(msg), want.data, want.size);
        assert_int_equal(gr_validate(gri_msg_data(msg), msg->len, 0), 0);
        assert_int_equal(msg->flags, trailer ? GRI_MSG_TRAILER : 0);
        if (trailer) {
            static const gri_trailer zero;
            const gri_trailer *found = gri_msg_trail(msg);
            assert_memory_equal(found, &zero, sizeof zero);
            size_t end =
                (size_t)((const uint8_t *)(found + 1) - (const uint8_t *)msg);
            assert_true(msg->class_ == GRI_CLASS_HEAP ||
                        end <= gri_class_size(msg->class_, 0));
        }
        gri_msg_free(&b->cache, msg);
    }
    assert_true(reference_accepts(want.data, want.size));
    msgpack_sbuffer_destroy(&want);
}

static void check_value(box *b, gr_value v)
{
    check_values(b, &v, 1);
    /* Where little room is left, and where none is. */
    for (uint32_t n = 0; n < 40; n++) {
        gr_value values[] = {
            gr_strn("0123456789012345678901234567890123456789", n), v};
        check_values(b, values, 2);
    }
}

static void integers_at_every_edge(void **state)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t near = 0; near < 5; near++) {
            uint64_t x = (UINT64_C(1) << bit) + near - 2;
            check_value(*state, gri_v_u64(x));
            check_value(*state, gri_v_i64((int64_t)x));
            check_value(*state, gri_v_i64((int64_t)(UINT64_C(0) - x)));
        }
    }
    check_value(*state, gri_v_i64(INT64_MIN));
    check_value(*state, gri_v_u64(UINT64_MAX));
}

static void integers_of_the_inline_path_are_the_same(void **state)
{
    box *b = *state;
    static const uint64_t edges[] = {0,
                                     127,
                                     128,
                                     255,
                                     256,
                                     65535,
                                     65536,
                                     UINT32_MAX,
                                     UINT64_C(1) << 32,
                                     INT64_MAX,
                                     UINT64_MAX,
                                     UINT64_C(1) << 63,
                                     UINT64_MAX - 31,
                                     UINT64_MAX - 32};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (uint32_t kind = GR_KIND_INT; kind <= GR_KIND_UINT; kind++) {
            gr_value v = gri_v_u64(edges[i]);
            v.kind = kind;
            gri_writer w = gri_builder_begin(&b->builder, 1, false);
            w = gri_builder_put_int(&b->builder, w.p, edges[i], kind);
            gr_msg *msg = gri_builder_end(&b->builder, w.p);
            msgpack_sbuffer want;
            reference_message(&want, &v, 1);
            assert_non_null(msg);
            assert_int_equal(msg->len, want.size);
            assert_memory_equal(gri_msg_data(msg), want.data, want.size);
            msgpack_sbuffer_destroy(&want);
            gri_msg_free(&b->cache, msg);
        }
    }
}

static void scalars_and_pids(void **state)
{
    check_value(*state, gr_nil());
    check_value(*state, gr_bool(true));
    check_value(*state, gr_bool(false));
    check_value(*state, gri_v_float(0.5f));
    check_value(*state, gri_v_double(-1e300));
    check_value(*state, gri_v_pid((gr_pid){UINT64_MAX, 1}));
    check_value(*state, gri_v_pid(GR_NOBODY));
}

static void a_pid_without_a_node_gets_this_one(void **state)
{
    box *b = *state;
    gr_value here = gri_v_pid((gr_pid){0, 5});
    gr_pid pid;

    gr_msg *msg = gri_pack(&b->builder, &here, 1, false);

    assert_non_null(msg);
    gr_reader r = gr_msg_reader(msg);
    assert_int_equal(gr_read_pid(&r, &pid), 0);
    assert_true(gr_pid_eq(pid, (gr_pid){BOX_NODE, 5}));
    gri_msg_free(&b->cache, msg);
    b->builder.node = 0;
    assert_null(gri_pack(&b->builder, &here, 1, false));
    assert_int_equal(b->builder.rc, GR_EINVAL);
}

static void strings_lists_and_maps_at_every_edge(void **state)
{
    static const size_t sizes[] = {0,    1,     2,     15,    16,    17,
                                   31,   32,    33,    255,   256,   4095,
                                   4096, 65535, 65536, 65537, 300000};
    static char bytes[300000];
    gr_value *items = calloc((size_t)2 * 65537, sizeof *items);
    assert_non_null(items);
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < (size_t)2 * 65537; i++) {
        items[i] = gri_v_u64(i % 300);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        gr_value values[] = {gr_strn(bytes, sizes[i]), gr_bin(bytes, sizes[i]),
                             gr_nil(), gr_nil()};
        if (sizes[i] <= 65537) {
            values[2] = gr_list_of(items, sizes[i]);
            values[3] = gr_map_of(items, 2 * sizes[i]);
            check_values(*state, items, (uint32_t)sizes[i]);
        }
        check_values(*state, values, 4);
        check_values(*state, &values[1], 1);
    }
    free(items);
}

static void random_trees(void **state)
{
    static source s;
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        gr_value values[6];
        source_init(&s, seed);
        uint32_t n = (uint32_t)(next_random(&s) % 6);
        for (uint32_t i = 0; i < n; i++) {
            values[i] = random_value(&s, 4);
        }
        check_values(*state, values, n);
    }
}

static void every_limit_of_length_is_exact(void **state)
{
    static source s;
    box *b = *state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        gr_value values[3];
        source_init(&s, seed);
        for (int i = 0; i < 3; i++) {
            values[i] = random_value(&s, 1);
        }
        b->builder.len_max = BOX_LEN_MAX;
        gr_msg *msg = gri_pack(&b->builder, values, 3, false);
        assert_non_null(msg);
        uint32_t len = msg->len;
        gri_msg_free(&b->cache, msg);
        for (uint32_t max = 0; max <= len; max++) {
            b->builder.len_max = max;
            msg = gri_pack(&b->builder, values, 3, seed % 2 != 0);
            assert_null(b->builder.msg);
            if (max < len) {
                assert_null(msg);
                assert_int_equal(b->builder.rc, GR_ETOOBIG);
            } else {
                assert_non_null(msg);
                assert_int_equal(b->builder.rc, 0);
                gri_msg_free(&b->cache, msg);
            }
        }
    }
}

static void one_value_into_a_buffer_of_exactly_its_size(void **state)
{
    static source s;
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        static uint8_t bytes[1 << 20];
        source_init(&s, seed);
        gr_value v = random_value(&s, 2);
        int64_t len = gri_pack_value(&v, bytes, sizeof bytes);
        assert_in_range(len, 1, sizeof bytes);
        assert_true(reference_accepts(bytes, (size_t)len));
        for (size_t size = 0; size <= (size_t)len; size += 1 + size / 16) {
            uint8_t *exact = malloc(size + 1); /* the sanitizer sees one more */
            assert_non_null(exact);
            exact[size] = 0x5a;
            int64_t rc = gri_pack_value(&v, exact, size);
            assert_int_equal(rc, size < (size_t)len ? GR_ETOOBIG : len);
            assert_int_equal(exact[size], 0x5a);
            free(exact);
        }
    }
}

static void check_refused(box *b, gr_value v, int rc)
{
    uint8_t bytes[256];
    assert_null(gri_pack(&b->builder, &v, 1, false));
    assert_int_equal(b->builder.rc, rc);
    assert_null(b->builder.msg);
    gri_writer w = gri_builder_begin(&b->builder, 2, true);
    w = gri_builder_put(&b->builder, w.p, &v);
    assert_null(w.p);
    assert_null(w.end);
    gr_value fine = gr_nil();
    w = gri_builder_put(&b->builder, w.p, &fine);
    assert_null(w.p);
    w = gri_builder_put_int(&b->builder, w.p, 300, GR_KIND_UINT);
    assert_null(w.p);
    assert_null(gri_builder_end(&b->builder, w.p));
    assert_int_equal(b->builder.rc, rc);
    assert_int_equal(gri_pack_value(&v, bytes, sizeof bytes), rc);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    gr_value three[] = {gr_nil(), gr_nil(), gr_nil()};
    gr_value inside[] = {gr_nil(), gr_map_of(three, 3)};
    gr_value unknown = gri_v(GR_KIND_OBJECT + 1, 0);
    check_refused(*state, gri_v(GR_KIND_BAD, 0), GR_ETOOBIG);
    check_refused(*state, unknown, GR_EINVAL);
    unknown.kind = UINT32_MAX;
    check_refused(*state, unknown, GR_EINVAL);
    check_refused(*state, gr_map_of(three, 3), GR_EINVAL);
    check_refused(*state, gr_list_of(inside, 2), GR_EINVAL);
    check_refused(*state, gr_list_of(NULL, 1), GR_EINVAL);
    check_refused(*state, gr_strn(NULL, 1), GR_EINVAL);
    check_refused(*state, gr_bin(NULL, 1), GR_EINVAL);
    check_refused(*state, gri_v_any((gr_any){NULL, 0}), GR_EINVAL);
    check_refused(*state, gri_v_any((gr_any){"\xc1", 1}), GR_EINVAL);
    check_refused(*state, gri_v_any((gr_any){"\x01\x02", 2}), GR_EINVAL);
    check_refused(*state,
                  gri_v_any((gr_any){"\xa5"
                                     "abc",
                                     4}),
                  GR_EINVAL);
}

/* A length that does not fit is marked before anybody touches the bytes. */
static void more_than_4_gib_is_too_big(void **state)
{
    size_t n = (size_t)UINT32_MAX + 1;
    check_refused(*state, gr_strn("", n), GR_ETOOBIG);
    check_refused(*state, gr_bin("", n), GR_ETOOBIG);
    check_refused(*state, gr_list_of(NULL, n), GR_ETOOBIG);
    check_refused(*state, gr_map_of(NULL, n), GR_ETOOBIG);
}

static void nesting_has_the_limit_of_validation(void **state)
{
    box *b = *state;
    gr_value nest[GR_DEPTH_MAX + 1];
    gr_value empty = gr_list_of(NULL, 0);
    uint8_t bytes[2 * GR_DEPTH_MAX];
    nest[0] = empty;
    for (unsigned i = 1; i <= GR_DEPTH_MAX; i++) {
        nest[i] = gr_list_of(&nest[i - 1], 1);
    }

    /* nest[i] is i + 1 levels, and the message one more. */
    gr_msg *msg = gri_pack(&b->builder, &nest[GR_DEPTH_MAX - 2], 1, false);
    assert_non_null(msg);
    assert_int_equal(gr_validate(gri_msg_data(msg), msg->len, 0), 0);
    assert_int_equal(gr_validate(gri_msg_data(msg), msg->len, GR_DEPTH_MAX - 1),
                     GR_ELIMIT);
    assert_null(gri_pack(&b->builder, &nest[GR_DEPTH_MAX - 1], 1, false));
    assert_int_equal(b->builder.rc, GR_ELIMIT);

    /* Received bytes count as if they were lists here. */
    gr_value most = gri_v_any(gr_msg_bytes(msg));
    assert_null(gri_pack(&b->builder, &most, 1, false));
    assert_int_equal(b->builder.rc, GR_ELIMIT);
    gri_msg_free(&b->cache, msg);

    assert_int_equal(
        gri_pack_value(&nest[GR_DEPTH_MAX - 1], bytes, sizeof bytes),
        GR_DEPTH_MAX);
    assert_int_equal(gri_pack_value(&nest[GR_DEPTH_MAX], bytes, sizeof bytes),
                     GR_ELIMIT);
}

static void received_bytes_are_copied_through(void **state)
{
    static source s;
    box *b = *state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        source_init(&s, seed);
        gr_value v = random_value(&s, 4);
        gr_msg *first = gri_pack(&b->builder, &v, 1, false);
        assert_non_null(first);
        gr_reader r = gr_msg_reader(first);
        gr_any any;
        assert_int_equal(gr_read_any(&r, &any), 0);
        gr_value through = gri_v_any(any);
        gr_msg *second = gri_pack(&b->builder, &through, 1, false);
        assert_non_null(second);
        assert_int_equal(second->len, first->len);
        assert_memory_equal(gri_msg_data(second), gri_msg_data(first),
                            first->len);
        gri_msg_free(&b->cache, first);
        gri_msg_free(&b->cache, second);
    }
}

static void a_small_message_is_one_cache_line(void **state)
{
    box *b = *state;
    gr_value values[] = {gri_v_cstr("add"), gri_v_i64(INT64_MIN),
                         gri_v_i64(INT64_MAX)};
    gr_msg *msg = gri_pack(&b->builder, values, 3, false);
    assert_non_null(msg);
    assert_int_equal(gri_class_size(msg->class_, 0), 64);
    gri_msg_free(&b->cache, msg);
}

/* The inline forms against msgpack-c's packer, around every length. */
static void numbers_are_written_inline_as_by_the_packer(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (unsigned k = 0; k < 3; k++) {
            const uint64_t x = (UINT64_C(1) << bit) + k - 1;
            const gr_value v = {.kind = GR_KIND_UINT, .as.u = x};
            uint8_t want[GRI_INT_MAX];
            uint8_t got[GRI_INT_MAX];
            const int64_t n = gri_pack_value(&v, want, sizeof want);
            const uint8_t *end = gri_put_uint(got, x);
            assert_int_equal(end - got, n);
            assert_memory_equal(got, want, (size_t)n);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_written_inline_as_by_the_packer),
        TEST(integers_at_every_edge),
        TEST(integers_of_the_inline_path_are_the_same),
        TEST(scalars_and_pids),
        TEST(a_pid_without_a_node_gets_this_one),
        TEST(strings_lists_and_maps_at_every_edge),
        TEST(random_trees),
        TEST(every_limit_of_length_is_exact),
        TEST(one_value_into_a_buffer_of_exactly_its_size),
        TEST(what_cannot_be_sent_is_refused),
        TEST(more_than_4_gib_is_too_big),
        TEST(nesting_has_the_limit_of_validation),
        TEST(received_bytes_are_copied_through),
        TEST(a_small_message_is_one_cache_line),
    };
    return cmocka_run_group_tests_name("mailbox/pack", tests, NULL, NULL);
}
