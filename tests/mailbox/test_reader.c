/*
 * Goal:   the reader gives back what was packed, in order and once; it never
 *         moves on an error, and never leaves the bytes it was given, valid or
 *         not.
 * Method: every read function on every kind of value; a walk over random trees
 *         beside the values they were packed from; random and cut bytes in heap
 *         blocks of their exact size.
 */
#include "tests/mailbox/box.h"

/* ---- right and wrong types ---------------------------------------------- */

/* Bit i: read function number i takes the value at r. A reader that is not
 * moved by failures is tried again. */
enum {
    NIL = 1,
    BOOL = 2,
    INT = 4,
    UINT = 8,
    DOUBLE = 16,
    STR = 32,
    BIN = 64,
    PID = 128,
    LIST = 256,
    MAP = 512,
    ANY = 1024
};

static unsigned note(int rc, unsigned bit, gr_reader *r, gr_reader before)
{
    if (rc == 0) {
        assert_int_equal(r->left, before.left - 1);
        assert_true(r->p > before.p);
        *r = before;
        return bit;
    }
    assert_int_equal(rc, before.left == 0 ? GR_ENOENT : GR_EFORMAT);
    assert_ptr_equal(r->p, before.p);
    assert_int_equal(r->left, before.left);
    return 0;
}

static unsigned readable(gr_reader *r)
{
    gr_reader at = *r, inner;
    bool truth;
    int64_t i;
    uint64_t u;
    double d;
    gr_str str;
    gr_bytes bytes;
    gr_pid pid;
    gr_any any;
    unsigned found = note(gr_read_nil(r), NIL, r, at);
    found |= note(gr_read_bool(r, &truth), BOOL, r, at);
    found |= note(gr_read_int(r, &i), INT, r, at);
    found |= note(gr_read_uint(r, &u), UINT, r, at);
    found |= note(gr_read_double(r, &d), DOUBLE, r, at);
    found |= note(gr_read_str(r, &str), STR, r, at);
    found |= note(gr_read_bin(r, &bytes), BIN, r, at);
    found |= note(gr_read_pid(r, &pid), PID, r, at);
    found |= note(gr_read_list(r, &inner), LIST, r, at);
    found |= note(gr_read_map(r, &inner), MAP, r, at);
    found |= note(gr_read_any(r, &any), ANY, r, at);
    return found;
}

static void each_kind_is_read_as_what_it_is(void **state)
{
    box *b = *state;
    gr_value pair[] = {gri_v_u64(1), gri_v_u64(2)};
    const struct {
        gr_value value;
        unsigned as;
    } cases[] = {
        {gr_nil(), NIL | PID},
        {gr_bool(true), BOOL},
        {gri_v_u64(0), BOOL | INT | UINT | DOUBLE},
        {gri_v_u64(1), BOOL | INT | UINT | DOUBLE},
        {gri_v_u64(2), INT | UINT | DOUBLE},
        {gri_v_i64(-1), INT | DOUBLE},
        {gri_v_u64(UINT64_C(1) << 53), INT | UINT | DOUBLE},
        {gri_v_u64((UINT64_C(1) << 53) + 1), INT | UINT},
        {gri_v_i64(-(INT64_C(1) << 53)), INT | DOUBLE},
        {gri_v_i64(-(INT64_C(1) << 53) - 1), INT},
        {gri_v_u64(INT64_MAX), INT | UINT},
        {gri_v_u64((uint64_t)INT64_MAX + 1), UINT},
        {gri_v_i64(INT64_MIN), INT},
        {gri_v_float(1.5f), DOUBLE},
        {gri_v_double(1.0), DOUBLE},
        {gr_strn("ab", 2), STR},
        {gr_bin("ab", 2), BIN},
        {gri_v_pid((gr_pid){3, 4}), PID},
        {gr_list_of(pair, 2), LIST},
        {gr_list_of(NULL, 0), LIST},
        {gr_map_of(pair, 2), MAP},
        {gr_map_of(NULL, 0), MAP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gr_msg *msg = gri_pack(&b->builder, &cases[i].value, 1, false);
        assert_non_null(msg);
        gr_reader r = gr_msg_reader(msg);
        assert_int_equal(readable(&r), cases[i].as | ANY);
        gr_any any;
        assert_int_equal(gr_read_any(&r, &any), 0);
        assert_int_equal(readable(&r), 0);
        gri_msg_free(&b->cache, msg);
    }
}

static void long_forms_are_the_same_integers(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int64_t value;
    } cases[] = {
        {"\xcc\x05", 2, 5},
        {"\xcd\x00\x05", 3, 5},
        {"\xce\x00\x00\x00\x05", 5, 5},
        {"\xcf\x00\x00\x00\x00\x00\x00\x00\x05", 9, 5},
        {"\xd0\x05", 2, 5},
        {"\xd0\xfb", 2, -5},
        {"\xd1\xff\xfb", 3, -5},
        {"\xd2\xff\xff\xff\xfb", 5, -5},
        {"\xd3\xff\xff\xff\xff\xff\xff\xff\xfb", 9, -5},
        {"\xd3\x00\x00\x00\x00\x00\x00\x00\x05", 9, 5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gr_reader r =
            gr_any_reader((gr_any){cases[i].bytes, (uint32_t)cases[i].n});
        int64_t x = 0;
        assert_int_equal(readable(&r),
                         INT | DOUBLE | ANY | (cases[i].value > 0 ? UINT : 0));
        assert_int_equal(gr_read_int(&r, &x), 0);
        assert_int_equal(x, cases[i].value);
    }
}

static void no_pid_without_node_or_number(void **state)
{
    static const uint8_t node_0[18] = {0xd8, 1, [17] = 5};
    static const uint8_t id_0[18] = {0xd8, 1, [9] = 5};
    static const uint8_t other_type[18] = {0xd8, 2, [9] = 5, [17] = 5};
    static const uint8_t shorter[10] = {0xd7, 1, [9] = 5};
    (void)state;
    gr_reader r = gr_any_reader((gr_any){node_0, sizeof node_0});
    assert_int_equal(readable(&r), ANY);
    r = gr_any_reader((gr_any){id_0, sizeof id_0});
    assert_int_equal(readable(&r), ANY);
    r = gr_any_reader((gr_any){other_type, sizeof other_type});
    assert_int_equal(readable(&r), ANY);
    r = gr_any_reader((gr_any){shorter, sizeof shorter});
    assert_int_equal(readable(&r), ANY);
}

/* ---- walking trees ------------------------------------------------------ */

/* Its depth has a limit. NOLINTNEXTLINE(misc-no-recursion) */
static void walk(gr_reader *r, const gr_value *v)
{
    gr_reader inner;
    bool truth;
    int64_t i;
    uint64_t u;
    double d;
    gr_str str;
    gr_bytes bytes;
    gr_pid pid;
    switch ((gr_kind)v->kind) {
    case GR_KIND_NIL:
        assert_int_equal(gr_read_nil(r), 0);
        break;
    case GR_KIND_BOOL:
        assert_int_equal(gr_read_bool(r, &truth), 0);
        assert_int_equal(truth, v->as.i);
        break;
    case GR_KIND_INT:
        assert_int_equal(gr_read_int(r, &i), 0);
        assert_true(i == v->as.i);
        break;
    case GR_KIND_UINT:
        assert_int_equal(gr_read_uint(r, &u), 0);
        assert_true(u == v->as.u);
        break;
    case GR_KIND_FLOAT:
        assert_int_equal(gr_read_double(r, &d), 0);
        assert_true(d == (double)v->as.f);
        break;
    case GR_KIND_DOUBLE:
        assert_int_equal(gr_read_double(r, &d), 0);
        assert_true(d == v->as.d);
        break;
    case GR_KIND_STR:
        assert_int_equal(gr_read_str(r, &str), 0);
        assert_int_equal(str.len, v->len);
        assert_memory_equal(str.ptr, v->as.p, str.len);
        break;
    case GR_KIND_BIN:
        assert_int_equal(gr_read_bin(r, &bytes), 0);
        assert_int_equal(bytes.len, v->len);
        assert_memory_equal(bytes.ptr, v->as.p, bytes.len);
        break;
    case GR_KIND_PID:
        assert_int_equal(gr_read_pid(r, &pid), 0);
        assert_true(pid.id == v->as.pid.id);
        assert_true(pid.node == (pid.id != 0 ? v->as.pid.node : 0));
        break;
    case GR_KIND_LIST:
    case GR_KIND_MAP:
        assert_int_equal(v->kind == GR_KIND_LIST ? gr_read_list(r, &inner)
                                                 : gr_read_map(r, &inner),
                         0);
        assert_int_equal(inner.left, v->len);
        for (uint32_t k = 0; k < v->len; k++) {
            walk(&inner, &v->as.items[k]);
        }
        assert_int_equal(inner.left, 0);
        assert_ptr_equal(inner.p, inner.end);
        assert_ptr_equal(inner.end, r->p); /* and r stands behind it */
        break;
    case GR_KIND_ANY:
    case GR_KIND_BAD:
    case GR_KIND_OBJECT:
    case GR_KIND_BLOB:
        fail();
        break;
    }
}

static void trees_come_back_as_they_were(void **state)
{
    static source s;
    box *b = *state;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        gr_value values[4];
        source_init(&s, seed);
        for (int i = 0; i < 4; i++) {
            values[i] = random_value(&s, 4);
        }
        gr_msg *msg = gri_pack(&b->builder, values, 4, seed % 2 == 0);
        assert_non_null(msg);
        gr_reader r = gr_msg_reader(msg);
        for (int i = 0; i < 4; i++) {
            walk(&r, &values[i]);
        }
        assert_int_equal(gr_read_nil(&r), GR_ENOENT);
        assert_ptr_equal(r.p, r.end);
        gri_msg_free(&b->cache, msg);
    }
}

/* ---- bytes that nobody checked ------------------------------------------ */

/* Reads all that can be read, however wrong, and enters what it can, down to
 * a limit. NOLINTNEXTLINE(misc-no-recursion) */
static void read_all(gr_reader r, unsigned depth)
{
    gr_any any;
    gr_reader inner, copy;
    volatile uint8_t sum = 0; /* so that a sanitizer sees every byte read */
    for (;;) {
        (void)readable(&r);
        copy = r;
        if (depth > 0 && (gr_read_list(&copy, &inner) == 0 ||
                          gr_read_map(&copy, &inner) == 0)) {
            read_all(inner, depth - 1);
        }
        if (gr_read_any(&r, &any) < 0) {
            return;
        }
        for (uint32_t i = 0; i < any.len; i++) {
            sum = (uint8_t)(sum + ((const uint8_t *)any.ptr)[i]);
        }
    }
}

static void unchecked_bytes_do_no_harm(void **state)
{
    static source s;
    (void)state;
    source_init(&s, 1);
    for (int i = 0; i < 100000; i++) {
        size_t n = next_random(&s) % 32;
        uint8_t *bytes = malloc(n > 0 ? n : 1);
        assert_non_null(bytes);
        for (size_t k = 0; k < n; k++) {
            uint64_t x = next_random(&s);
            /* Many heads of lists, maps and long forms. */
            bytes[k] = (uint8_t)(x % 3 == 0 ? 0x80 + x / 3 % 0x30
                                            : 0xc0 + x / 3 % 0x40);
        }
        read_all(gr_any_reader((gr_any){bytes, (uint32_t)n}), 3);
        free(bytes);
    }
}

static void a_message_that_is_no_list_has_no_elements(void **state)
{
    box *b = *state;
    static const char *const payloads[] = {"\x05", "\x81\x01\x02", "\xc1",
                                           "\xdd"};
    for (size_t i = 0; i < 4; i++) {
        gr_msg *msg = box_message(b, payloads[i], strlen(payloads[i]));
        gr_reader r = gr_msg_reader(msg);
        assert_int_equal(r.left, 0);
        assert_int_equal(readable(&r), 0);
        gri_msg_free(&b->cache, msg);
    }
    gr_reader nothing = gr_any_reader((gr_any){NULL, 0});
    assert_int_equal(gr_read_nil(&nothing), GR_ENOENT);
}

static void a_copy_of_a_reader_is_a_position(void **state)
{
    box *b = *state;
    int64_t first = 0, again = 0;
    gr_value values[] = {gri_v_i64(1), gri_v_i64(2)};
    gr_msg *msg = gri_pack(&b->builder, values, 2, false);
    assert_non_null(msg);
    gr_reader r = gr_msg_reader(msg);
    gr_reader saved = r;

    assert_int_equal(gr_read_int(&r, &first), 0);
    assert_int_equal(gr_read_int(&saved, &again), 0);

    assert_int_equal(first, 1);
    assert_int_equal(again, 1);
    gri_msg_free(&b->cache, msg);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_is_read_as_what_it_is),
        TEST(long_forms_are_the_same_integers),
        TEST(no_pid_without_node_or_number),
        TEST(trees_come_back_as_they_were),
        TEST(unchecked_bytes_do_no_harm),
        TEST(a_message_that_is_no_list_has_no_elements),
        TEST(a_copy_of_a_reader_is_a_position),
    };
    return cmocka_run_group_tests_name("mailbox/reader", tests, NULL, NULL);
}
