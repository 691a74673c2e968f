/*
 * Goal:   a message matches a tag and outputs exactly when tag, number, types
 *         and ranges fit; then the outputs hold what was sent.
 * Method: the inline test and the function under it are asked the same about
 *         each message, in the usual encoding and in longer ones that other
 *         writers of msgpack may choose; every output kind meets every edge of
 *         the numbers. The type-directed macros have their own test.
 */
#include <math.h>

#include "tests/mailbox/box.h"

/* Both ways must agree; the tag's constant must reach the inline test. */
#define BOTH(msg, tag, ...)                                                    \
    both(gri_match(                                                            \
             msg, tag, (const gr_out[]){__VA_ARGS__},                          \
             (uint32_t)(sizeof((gr_out[]){__VA_ARGS__}) / sizeof(gr_out))),    \
         gr_matchv(                                                            \
             msg, &(gr_value[]){tag}[0], (const gr_out[]){__VA_ARGS__},        \
             (uint32_t)(sizeof((gr_out[]){__VA_ARGS__}) / sizeof(gr_out))))
#define BOTH_0(msg, tag)                                                       \
    both(gri_match(msg, tag, NULL, 0),                                         \
         gr_matchv(msg, &(gr_value[]){tag}[0], NULL, 0))

static bool both(bool inline_path, bool function)
{
    assert_int_equal(inline_path, function);
    return function;
}

static gr_out out_of(uint32_t kind, void *p)
{
    return gri_out(kind, p);
}

static gr_msg *pack_2(box *b, gr_value tag, gr_value x)
{
    gr_value values[] = {tag, x};
    return box_pack(b, (gr_values){values, 2});
}

/* ---- tags --------------------------------------------------------------- */

static void tags_match_whole_and_only_themselves(void **state)
{
    box *b = *state;
    static const char *const tags[] = {
        "",
        "a",
        "ad",
        "add",
        "adds",
        "Add",
        "ad\1",
        "0123456789",
        "0123456789012345678901234567890",  /* 31 bytes: the longest short */
        "01234567890123456789012345678901", /* 32 */
    };
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        gr_value tag = gri_v_cstr(tags[i]);
        gr_msg *msg = box_pack(b, (gr_values){&tag, 1});
        bool add = strcmp(tags[i], "add") == 0;
        bool empty = strcmp(tags[i], "") == 0;
        assert_int_equal(BOTH_0(msg, gri_v_cstr("add")), add);
        assert_int_equal(BOTH_0(msg, gri_v_cstr("")), empty);
        assert_int_equal(
            BOTH_0(msg, gri_v_cstr("0123456789012345678901234567890")), i == 8);
        assert_int_equal(
            BOTH_0(msg, gri_v_cstr("01234567890123456789012345678901")),
            i == 9);
        for (size_t k = 0; k < sizeof tags / sizeof tags[0]; k++) {
            assert_int_equal(BOTH_0(msg, gri_v_cstr(tags[k])), i == k);
        }
        assert_false(BOTH_0(msg, gri_v_i64(3)));
        assert_false(BOTH_0(msg, gr_nil()));
        gri_msg_free(&b->cache, msg);
    }
}

static void integer_tags_of_every_size(void **state)
{
    box *b = *state;
    static const int64_t tags[] = {0,  1,   127, 128,       255,      300,
                                   -1, -32, -33, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        gr_value tag = gri_v_i64(tags[i]);
        gr_msg *msg = box_pack(b, (gr_values){&tag, 1});
        assert_int_equal(BOTH_0(msg, gri_v_i64(0)), tags[i] == 0);
        assert_int_equal(BOTH_0(msg, gri_v_u64(1)), tags[i] == 1);
        assert_int_equal(BOTH_0(msg, gri_v_i64(127)), tags[i] == 127);
        assert_int_equal(BOTH_0(msg, gri_v_i64(128)), tags[i] == 128);
        assert_int_equal(BOTH_0(msg, gri_v_i64(-1)), tags[i] == -1);
        assert_int_equal(BOTH_0(msg, gri_v_i64(INT64_MIN)),
                         tags[i] == INT64_MIN);
        assert_int_equal(BOTH_0(msg, gri_v_u64(INT64_MAX)),
                         tags[i] == INT64_MAX);
        assert_false(BOTH_0(msg, gri_v_u64(UINT64_MAX))); /* not -1 */
        gri_msg_free(&b->cache, msg);
    }
}

static void longer_encodings_are_the_same_message(void **state)
{
    box *b = *state;
    /* ["add", 5] with longer heads of the list, the tag, the number. */
    static const struct {
        const char *bytes;
        size_t n;
    } forms[] = {
        {"\x92\xa3"
         "add\x05",
         6},
        {"\xdc\x00\x02\xa3"
         "add\x05",
         8},
        {"\xdd\x00\x00\x00\x02\xa3"
         "add\x05",
         10},
        {"\x92\xd9\x03"
         "add\x05",
         7},
        {"\x92\xda\x00\x03"
         "add\x05",
         8},
        {"\x92\xdb\x00\x00\x00\x03"
         "add\x05",
         10},
        {"\xdc\x00\x02\xd9\x03"
         "add\xcf\0\0\0\0\0\0\0\x05",
         17},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        int64_t n = 0;
        gr_msg *msg = box_message(b, forms[i].bytes, forms[i].n);
        assert_int_equal(gr_validate(forms[i].bytes, forms[i].n, 0), 0);
        assert_true(BOTH(msg, gri_v_cstr("add"), out_of(GR_OUT_I64, &n)));
        assert_int_equal(n, 5);
        assert_false(BOTH(msg, gri_v_cstr("sub"), out_of(GR_OUT_I64, &n)));
        assert_false(BOTH_0(msg, gri_v_cstr("add")));
        gri_msg_free(&b->cache, msg);
    }
    gr_msg *msg = box_message(b, "\x91\xcc\x07", 3); /* [7] */
    assert_true(BOTH_0(msg, gri_v_i64(7)));
    assert_false(BOTH_0(msg, gri_v_i64(8)));
    gri_msg_free(&b->cache, msg);
}

static void more_than_15_elements_match(void **state)
{
    box *b = *state;
    gr_value values[20] = {gri_v_cstr("many")};
    int64_t found[20];
    gr_out outs[20];
    for (int i = 0; i < 20; i++) {
        if (i < 19) {
            values[i + 1] = gri_v_i64(i);
        }
        outs[i] = out_of(GR_OUT_I64, &found[i]);
    }
    for (uint32_t n = 1; n <= 20; n++) {
        gr_msg *msg = box_pack(b, (gr_values){values, n});
        assert_true(gri_match(msg, gri_v_cstr("many"), outs, n - 1));
        for (uint32_t i = 0; i + 1 < n; i++) {
            assert_int_equal(found[i], i);
        }
        assert_false(gri_match(msg, gri_v_cstr("many"), outs, n));
        assert_false(n > 1 && gri_match(msg, gri_v_cstr("many"), outs, n - 2));
        gri_msg_free(&b->cache, msg);
    }
}

static void what_is_no_message_matches_nothing(void **state)
{
    box *b = *state;
    static const char *const payloads[] = {"\x90",
                                           "\x05",
                                           "\xa3"
                                           "add",
                                           "\x81\xa3"
                                           "add\x05",
                                           "\xc1",
                                           "\xdd"};
    int64_t n;
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        gr_msg *msg = box_message(b, payloads[i], strlen(payloads[i]));
        assert_false(BOTH_0(msg, gri_v_cstr("add")));
        assert_false(BOTH(msg, gri_v_cstr("add"), out_of(GR_OUT_I64, &n)));
        assert_false(BOTH_0(msg, gri_v_i64(5)));
        gri_msg_free(&b->cache, msg);
    }
}

/* ---- outputs ------------------------------------------------------------ */

/* Whether x fits an output of that kind; if so, it must be there, and the bytes
 * around the output untouched. */
static bool fits(box *b, gr_value x, uint32_t kind, size_t size, void *out)
{
    uint8_t slot[64], before[64];
    gr_msg *msg = pack_2(b, gri_v_cstr("x"), x);
    memset(slot, 0x5a, sizeof slot);
    memcpy(before, slot, sizeof slot);
    bool found = BOTH(msg, gri_v_cstr("x"), out_of(kind, slot + 16));
    assert_memory_equal(slot, before, 16);
    assert_memory_equal(slot + 16 + size, before, 64 - 16 - size);
    memcpy(out, slot + 16, size);
    gri_msg_free(&b->cache, msg);
    return found;
}

/* The number x, as int64_t or uint64_t, against the ten integer outputs. */
static void check_integer(box *b, gr_value x)
{
    bool negative = x.kind == GR_KIND_INT && x.as.i < 0;
    for (unsigned log = 0; log < 4; log++) {
        size_t size = (size_t)1 << log;
        unsigned bits = 8 * (unsigned)size;
        uint64_t max = UINT64_MAX >> (64 - bits);
        int64_t least = INT64_MIN >> (64 - bits);
        uint64_t u = 0;
        int64_t i = 0;
        bool found = fits(b, x, GR_OUT_U8 + log, size, &u); /* little-endian */
        assert_int_equal(found, !negative && x.as.u <= max);
        assert_true(!found || u == x.as.u);
        found = fits(b, x, GR_OUT_I8 + log, size, &i);
        assert_int_equal(found, negative ? x.as.i >= least : x.as.u <= max / 2);
        if (found && size < 8) {
            i = (int64_t)((uint64_t)i << (64 - bits)) >> (64 - bits);
        }
        assert_true(!found || i == x.as.i);
    }
    gr_ref ref = {0};
    bool found = fits(b, x, GR_OUT_REF, sizeof ref, &ref);
    assert_int_equal(found, !negative);
    assert_true(!found || ref.id == x.as.u);
    gr_node node = {0};
    found = fits(b, x, GR_OUT_NODE, sizeof node, &node);
    assert_int_equal(found, !negative);
    assert_true(!found || node.id == x.as.u);
}

static void integers_fit_what_can_hold_them(void **state)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t near = 0; near < 5; near++) {
            uint64_t x = (UINT64_C(1) << bit) + near - 2;
            check_integer(*state, gri_v_u64(x));
            check_integer(*state, gri_v_i64((int64_t)x));
            check_integer(*state, gri_v_i64((int64_t)(UINT64_C(0) - x)));
        }
    }
}

static void integers_fit_floats_while_exact(void **state)
{
    static const struct {
        int64_t x;
        bool to_double, to_float;
    } cases[] = {
        {0, true, true},
        {-5, true, true},
        {1 << 24, true, true},
        {(1 << 24) + 1, true, false},
        {-(1 << 24), true, true},
        {-(1 << 24) - 1, true, false},
        {INT64_C(1) << 53, true, false},
        {(INT64_C(1) << 53) + 1, false, false},
        {-(INT64_C(1) << 53), true, false},
        {-(INT64_C(1) << 53) - 1, false, false},
        {INT64_MAX, false, false},
        {INT64_MIN, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gr_value x = gri_v_i64(cases[i].x);
        double d;
        float f;
        bool found = fits(*state, x, GR_OUT_DOUBLE, sizeof d, &d);
        assert_int_equal(found, cases[i].to_double);
        assert_true(!found || d == (double)cases[i].x);
        found = fits(*state, x, GR_OUT_FLOAT, sizeof f, &f);
        assert_int_equal(found, cases[i].to_float);
        assert_true(!found || f == (float)cases[i].x);
    }
    double d;
    assert_false(fits(*state, gri_v_u64(UINT64_MAX), GR_OUT_DOUBLE, 8, &d));
}

static void floats_fit_floats_and_nothing_else(void **state)
{
    double d;
    float f;
    uint8_t other[16];
    assert_true(fits(*state, gri_v_double(0.1), GR_OUT_DOUBLE, 8, &d));
    assert_true(d == 0.1);
    assert_true(fits(*state, gri_v_double(0.1), GR_OUT_FLOAT, 4, &f));
    assert_true(f == 0.1f);
    assert_true(fits(*state, gri_v_float(0.1f), GR_OUT_DOUBLE, 8, &d));
    assert_true(d == (double)0.1f);
    assert_false(fits(*state, gri_v_double(1e39), GR_OUT_FLOAT, 4, &f));
    assert_false(fits(*state, gri_v_double(-1e39), GR_OUT_FLOAT, 4, &f));
    assert_true(
        fits(*state, gri_v_double((double)INFINITY), GR_OUT_FLOAT, 4, &f));
    assert_true(isinf(f));
    assert_true(fits(*state, gri_v_double((double)NAN), GR_OUT_FLOAT, 4, &f));
    assert_true(isnan(f));
    for (uint32_t kind = GR_OUT_BOOL; kind <= GR_OUT_NODE; kind++) {
        if (kind != GR_OUT_FLOAT && kind != GR_OUT_DOUBLE &&
            kind != GR_OUT_ANY) {
            assert_false(fits(*state, gri_v_double(1.0), kind, 16, other));
        }
    }
}

static void bools_are_bools_or_0_and_1(void **state)
{
    bool x = false;
    int64_t i;
    assert_true(fits(*state, gr_bool(true), GR_OUT_BOOL, sizeof x, &x));
    assert_true(x);
    assert_true(fits(*state, gri_v_i64(0), GR_OUT_BOOL, sizeof x, &x));
    assert_false(x);
    assert_true(fits(*state, gri_v_i64(1), GR_OUT_BOOL, sizeof x, &x));
    assert_true(x);
    assert_false(fits(*state, gri_v_i64(2), GR_OUT_BOOL, sizeof x, &x));
    assert_false(fits(*state, gri_v_i64(-1), GR_OUT_BOOL, sizeof x, &x));
    assert_false(fits(*state, gr_nil(), GR_OUT_BOOL, sizeof x, &x));
    assert_false(fits(*state, gr_bool(true), GR_OUT_I64, sizeof i, &i));
}

static void text_bytes_and_pids(void **state)
{
    box *b = *state;
    gr_str str = {0};
    gr_bytes bytes = {0};
    gr_pid pid = {9, 9};
    gr_value tag = gri_v_cstr("x");

    gr_msg *msg = pack_2(b, tag, gr_strn("a\0b", 3));
    assert_true(BOTH(msg, tag, out_of(GR_OUT_STR, &str)));
    assert_int_equal(str.len, 3);
    assert_memory_equal(str.ptr, "a\0b", 3);
    assert_false(BOTH(msg, tag, out_of(GR_OUT_BYTES, &bytes)));
    assert_false(BOTH(msg, tag, out_of(GR_OUT_PID, &pid)));
    gri_msg_free(&b->cache, msg);

    msg = pack_2(b, tag, gr_bin("\xff", 1));
    assert_true(BOTH(msg, tag, out_of(GR_OUT_BYTES, &bytes)));
    assert_int_equal(bytes.len, 1);
    assert_memory_equal(bytes.ptr, "\xff", 1);
    assert_false(BOTH(msg, tag, out_of(GR_OUT_STR, &str)));
    gri_msg_free(&b->cache, msg);

    msg = pack_2(b, tag, gri_v_pid((gr_pid){1, UINT64_MAX}));
    assert_true(BOTH(msg, tag, out_of(GR_OUT_PID, &pid)));
    assert_true(gr_pid_eq(pid, (gr_pid){1, UINT64_MAX}));
    gri_msg_free(&b->cache, msg);

    msg = pack_2(b, tag, gri_v_pid(GR_NOBODY));
    assert_true(BOTH(msg, tag, out_of(GR_OUT_PID, &pid)));
    assert_true(gr_pid_eq(pid, GR_NOBODY));
    gri_msg_free(&b->cache, msg);
}

static void any_takes_one_whole_value(void **state)
{
    static source s;
    box *b = *state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        gr_value values[3] = {gri_v_cstr("x")};
        gr_any one, two;
        source_init(&s, seed);
        values[1] = random_value(&s, 3);
        values[2] = random_value(&s, 3);
        gr_msg *msg = box_pack(b, (gr_values){values, 3});
        assert_true(BOTH(msg, gri_v_cstr("x"), out_of(GR_OUT_ANY, &one),
                         out_of(GR_OUT_ANY, &two)));
        assert_ptr_equal((const uint8_t *)one.ptr + one.len, two.ptr);
        assert_int_equal(gr_validate(one.ptr, one.len, 0), 0);
        assert_int_equal(gr_validate(two.ptr, two.len, 0), 0);
        assert_false(BOTH(msg, gri_v_cstr("x"), out_of(GR_OUT_ANY, &one)));
        gri_msg_free(&b->cache, msg);
    }
}

/* ---- number of elements ------------------------------------------------- */

static void optional_outputs_may_be_absent_or_nil(void **state)
{
    box *b = *state;
    gr_value tag = gri_v_cstr("x");
    gr_value values[] = {tag, gri_v_i64(1), gri_v_i64(2), gri_v_i64(3)};
    gr_value nils[] = {tag, gr_nil(), gri_v_i64(2)};
    for (uint32_t n = 1; n <= 4; n++) {
        int x = 10, y = 20;
        gr_msg *msg = box_pack(b, (gr_values){values, n});
        gr_out o_x = out_of(GR_OUT_I32, &x);
        gr_out o_y = gri_o_optional(out_of(GR_OUT_I32, &y));
        assert_int_equal(BOTH(msg, tag, o_x, o_y), n == 2 || n == 3);
        assert_int_equal(x, n >= 2 ? 1 : 10);
        assert_int_equal(y, n >= 3 ? 2 : 20);
        gri_msg_free(&b->cache, msg);
    }
    int x = 10, y = 20;
    gr_msg *msg = box_pack(b, (gr_values){nils, 3});
    assert_true(BOTH(msg, tag, gri_o_optional(out_of(GR_OUT_I32, &x)),
                     out_of(GR_OUT_I32, &y)));
    assert_int_equal(x, 10);
    assert_int_equal(y, 2);
    assert_false(
        BOTH(msg, tag, out_of(GR_OUT_I32, &x), out_of(GR_OUT_I32, &y)));
    gri_msg_free(&b->cache, msg);
    /* Optional is not any type. */
    msg = pack_2(b, tag, gri_v_cstr("text"));
    assert_false(BOTH(msg, tag, gri_o_optional(out_of(GR_OUT_I32, &x))));
    gri_msg_free(&b->cache, msg);
}

static void a_reader_takes_the_rest(void **state)
{
    box *b = *state;
    gr_value tag = gri_v_cstr("x");
    gr_value values[] = {tag, gri_v_i64(1), gri_v_i64(2), gri_v_i64(3)};
    for (uint32_t n = 1; n <= 4; n++) {
        int first = 0;
        int64_t next;
        gr_reader rest;
        gr_msg *msg = box_pack(b, (gr_values){values, n});
        bool found = BOTH(msg, tag, out_of(GR_OUT_I32, &first),
                          out_of(GR_OUT_REST, &rest));
        assert_int_equal(found, n >= 2);
        if (found) {
            assert_int_equal(rest.left, n - 2);
            for (uint32_t i = 2; i < n; i++) {
                assert_int_equal(gr_read_int(&rest, &next), 0);
                assert_int_equal(next, i);
            }
            assert_int_equal(gr_read_int(&rest, &next), GR_ENOENT);
        }
        gri_msg_free(&b->cache, msg);
    }
}

static void unpack_begins_with_the_first_element(void **state)
{
    box *b = *state;
    gr_value values[] = {gri_v_i64(1), gri_v_cstr("two")};
    int x = 0;
    gr_str y = {0};
    gr_msg *msg = box_pack(b, (gr_values){values, 2});
    gr_out outs[] = {out_of(GR_OUT_I32, &x), out_of(GR_OUT_STR, &y)};
    assert_true(gr_unpackv(msg, outs, 2));
    assert_int_equal(x, 1);
    assert_int_equal(y.len, 3);
    assert_false(gr_unpackv(msg, outs, 1));
    assert_false(gr_unpackv(msg, NULL, 0));
    gri_msg_free(&b->cache, msg);
    msg = box_pack(b, (gr_values){NULL, 0});
    assert_true(gr_unpackv(msg, NULL, 0));
    assert_false(gr_unpackv(msg, outs, 1));
    gri_msg_free(&b->cache, msg);
    msg = box_message(b, "\xc0", 1);
    assert_false(gr_unpackv(msg, NULL, 0));
    gri_msg_free(&b->cache, msg);
}

/* ---- equal values ------------------------------------------------------- */

static bool is_equal(box *b, gr_value sent, gr_value wanted)
{
    gr_msg *msg = pack_2(b, gri_v_cstr("x"), sent);
    bool found = BOTH(msg, gri_v_cstr("x"), out_of(GR_OUT_IS, &wanted));
    gri_msg_free(&b->cache, msg);
    return found;
}

static void equal_is_by_value(void **state)
{
    box *b = *state;
    gr_value one = gri_v_i64(1), two = gri_v_i64(2);
    gr_value list[] = {one, two};
    assert_true(is_equal(b, one, gri_v_u64(1)));
    assert_true(is_equal(b, gri_v_u64(1), one));
    assert_true(is_equal(b, one, gri_v_double(1.0)));
    assert_true(is_equal(b, gri_v_float(0.5f), gri_v_double(0.5)));
    assert_false(is_equal(b, gri_v_double(1.0), one));
    assert_false(is_equal(b, gri_v_i64(-1), gri_v_u64(UINT64_MAX)));
    assert_false(is_equal(b, gri_v_u64(UINT64_MAX), gri_v_i64(-1)));
    assert_false(is_equal(b, gr_bool(true), one));
    assert_false(is_equal(b, one, gr_bool(true)));
    assert_true(is_equal(b, gri_v_cstr("mode"), gri_v_cstr("mode")));
    assert_false(is_equal(b, gri_v_cstr("mode"), gri_v_cstr("mod")));
    assert_false(is_equal(b, gri_v_cstr("mode"), gri_v_cstr("modf")));
    assert_false(is_equal(b, gr_bin("mode", 4), gri_v_cstr("mode")));
    assert_true(is_equal(b, gr_nil(), gri_v_pid(GR_NOBODY)));
    assert_true(is_equal(b, gr_list_of(list, 2), gr_list_of(list, 2)));
    assert_false(is_equal(b, gr_list_of(list, 2), gr_list_of(list, 1)));
    assert_false(is_equal(b, gr_list_of(list, 2), gr_map_of(list, 2)));
    assert_false(is_equal(b, one, gri_v(GR_KIND_BAD, 0)));
    assert_false(is_equal(b, one, gri_v_any((gr_any){NULL, 0})));
}

static void trees_are_equal_to_themselves_only(void **state)
{
    static source s, t;
    box *b = *state;
    unsigned differed = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        source_init(&s, seed);
        source_init(&t, seed + 1);
        gr_value v = random_value(&s, 4);
        gr_value other = random_value(&t, 4);
        gr_msg *msg = pack_2(b, gri_v_cstr("x"), v);
        gr_any any;
        assert_true(BOTH(msg, gri_v_cstr("x"), out_of(GR_OUT_IS, &v)));
        assert_true(BOTH(msg, gri_v_cstr("x"), out_of(GR_OUT_ANY, &any)));
        gr_value bytes = gri_v_any(any);
        assert_true(BOTH(msg, gri_v_cstr("x"), out_of(GR_OUT_IS, &bytes)));
        differed += !BOTH(msg, gri_v_cstr("x"), out_of(GR_OUT_IS, &other));
        gri_msg_free(&b->cache, msg);
    }
    assert_in_range(differed, 1900, 2000); /* nil is often equal to nil */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tags_match_whole_and_only_themselves),
        TEST(integer_tags_of_every_size),
        TEST(longer_encodings_are_the_same_message),
        TEST(more_than_15_elements_match),
        TEST(what_is_no_message_matches_nothing),
        TEST(integers_fit_what_can_hold_them),
        TEST(integers_fit_floats_while_exact),
        TEST(floats_fit_floats_and_nothing_else),
        TEST(bools_are_bools_or_0_and_1),
        TEST(text_bytes_and_pids),
        TEST(any_takes_one_whole_value),
        TEST(optional_outputs_may_be_absent_or_nil),
        TEST(a_reader_takes_the_rest),
        TEST(unpack_begins_with_the_first_element),
        TEST(equal_is_by_value),
        TEST(trees_are_equal_to_themselves_only),
    };
    return cmocka_run_group_tests_name("mailbox/match", tests, NULL, NULL);
}
