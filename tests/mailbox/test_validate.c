/*
 * Goal:   gr_validate takes exactly what is one msgpack value, and nothing that
 *         is truncated, followed by more, too deep, or none of its forms.
 * Method: the forms one by one, then all inputs of up to three bytes, and many
 *         random, cut and mutated ones, against msgpack-c's unpacker. Inputs
 *         are heap blocks of their exact size, so that a sanitizer sees a read
 *         beyond.
 */
#include "tests/mailbox/box.h"

static int validate_exact(const uint8_t *bytes, size_t n, unsigned depth)
{
    uint8_t *exact = malloc(n > 0 ? n : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, n);
    int rc = gr_validate(exact, n, depth);
    free(exact);
    return rc;
}

/* msgpack-c allocates what an array or map declares, so it is not asked about
 * rejected inputs that could declare gigabytes. */
static bool is_modest(const uint8_t *bytes, size_t n)
{
    return memchr(bytes, 0xdd, n) == NULL && memchr(bytes, 0xdf, n) == NULL;
}

static void check_against_reference(const uint8_t *bytes, size_t n)
{
    int rc = validate_exact(bytes, n, 0);
    if (rc == GR_ELIMIT) {
        return; /* an empty list too deep is no problem for msgpack-c */
    }
    assert_true(rc == 0 || rc == GR_EFORMAT);
    if (rc == 0 || is_modest(bytes, n)) {
        assert_int_equal(rc == 0, reference_accepts(bytes, n));
    }
}

static void every_short_input_as_msgpack_c_has_it(void **state)
{
    (void)state;
    check_against_reference((const uint8_t *)"", 0);
    for (unsigned a = 0; a < 256; a++) {
        uint8_t bytes[3] = {(uint8_t)a};
        check_against_reference(bytes, 1);
        for (unsigned b = 0; b < 256; b++) {
            bytes[1] = (uint8_t)b;
            check_against_reference(bytes, 2);
            for (unsigned c = 0; c < 256; c += 37) {
                bytes[2] = (uint8_t)c;
                check_against_reference(bytes, 3);
            }
        }
    }
}

static void nothing_is_no_value(void **state)
{
    (void)state;
    assert_int_equal(gr_validate(NULL, 0, 0), GR_EFORMAT);
}

static void packed_trees_pass_but_no_part_of_them_does(void **state)
{
    static source s;
    box *b = *state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        source_init(&s, seed);
        gr_value v = random_value(&s, 3);
        gr_msg *msg = gri_pack(&b->builder, &v, 1, false);
        assert_non_null(msg);
        const uint8_t *bytes = gri_msg_data(msg);
        assert_int_equal(validate_exact(bytes, msg->len, 0), 0);
        for (uint32_t n = 0; n < msg->len; n += 1 + n / 50) {
            assert_int_equal(validate_exact(bytes, n, 0), GR_EFORMAT);
        }
        uint8_t *longer = malloc(msg->len + 1u);
        assert_non_null(longer);
        memcpy(longer, bytes, msg->len);
        longer[msg->len] = 0xc0;
        assert_int_equal(validate_exact(longer, msg->len + 1u, 0), GR_EFORMAT);
        free(longer);
        gri_msg_free(&b->cache, msg);
    }
}

static void mutated_trees_as_msgpack_c_has_them(void **state)
{
    static source s;
    box *b = *state;
    unsigned accepted = 0, rejected = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        source_init(&s, seed);
        gr_value v = random_value(&s, 3);
        gr_msg *msg = gri_pack(&b->builder, &v, 1, false);
        assert_non_null(msg);
        uint8_t *bytes = gri_msg_payload(msg);
        for (int i = 0; i < 20; i++) {
            bytes[next_random(&s) % msg->len] = (uint8_t)next_random(&s);
            check_against_reference(bytes, msg->len);
            *(gr_validate(bytes, msg->len, 0) == 0 ? &accepted : &rejected) +=
                1;
        }
        gri_msg_free(&b->cache, msg);
    }
    assert_true(accepted > 1000); /* both answers were really tried */
    assert_true(rejected > 1000);
}

static void random_bytes_as_msgpack_c_has_them(void **state)
{
    static source s;
    (void)state;
    source_init(&s, 1);
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[24];
        size_t n = next_random(&s) % sizeof bytes;
        for (size_t k = 0; k < n; k++) {
            bytes[k] = (uint8_t)next_random(&s);
        }
        check_against_reference(bytes, n);
    }
}

static void depth_is_counted_exactly(void **state)
{
    uint8_t nested[GR_DEPTH_MAX + 2];
    (void)state;
    for (unsigned levels = 1; levels <= GR_DEPTH_MAX + 1; levels++) {
        memset(nested, 0x91, sizeof nested); /* lists of one */
        nested[levels] = 0x05;
        for (unsigned max = 1; max <= GR_DEPTH_MAX + 9; max++) {
            bool fits = levels <= max && levels <= GR_DEPTH_MAX;
            assert_int_equal(validate_exact(nested, levels + 1, max),
                             fits ? 0 : GR_ELIMIT);
        }
        assert_int_equal(validate_exact(nested, levels + 1, 0),
                         levels <= GR_DEPTH_MAX ? 0 : GR_ELIMIT);
    }
}

static void siblings_are_not_depth(void **state)
{
    uint8_t list[3 + 1000] = {0xdc, 1000 >> 8, 1000 & 0xff};
    (void)state;
    memset(list + 3, 0x90, 1000); /* a thousand empty lists */
    assert_int_equal(validate_exact(list, sizeof list, 2), 0);
    assert_int_equal(validate_exact(list, sizeof list, 1), GR_ELIMIT);
}

static void bombs_are_refused(void **state)
{
    enum { SIZE = 1 << 20 };
    uint8_t *bomb = malloc(SIZE);
    (void)state;
    assert_non_null(bomb);
    memset(bomb, 0x91, SIZE);
    assert_int_equal(gr_validate(bomb, SIZE, 0), GR_ELIMIT);
    memset(bomb, 0x81, SIZE);
    assert_int_equal(gr_validate(bomb, SIZE, 0), GR_ELIMIT);
    memset(bomb, 0xff, SIZE);
    bomb[0] = 0xdd; /* four thousand million values */
    assert_int_equal(gr_validate(bomb, SIZE, 0), GR_EFORMAT);
    bomb[0] = 0xdf;
    assert_int_equal(gr_validate(bomb, SIZE, 0), GR_EFORMAT);
    memset(bomb + 1, 0, 4);
    bomb[1] = 0x80; /* 2^31 pairs: twice that does not fit in 32 bits */
    assert_int_equal(gr_validate(bomb, SIZE, 0), GR_EFORMAT);
    for (uint8_t first = 0xc4; first <= 0xdb; first++) {
        memset(bomb, 0xff, SIZE);
        bomb[0] =
            first; /* lengths of bodies; floats and ints with more behind */
        assert_int_equal(gr_validate(bomb, SIZE, 0), GR_EFORMAT);
    }
    free(bomb);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_short_input_as_msgpack_c_has_it),
        TEST(nothing_is_no_value),
        TEST(packed_trees_pass_but_no_part_of_them_does),
        TEST(mutated_trees_as_msgpack_c_has_them),
        TEST(random_bytes_as_msgpack_c_has_them),
        TEST(depth_is_counted_exactly),
        TEST(siblings_are_not_depth),
        TEST(bombs_are_refused),
    };
    return cmocka_run_group_tests_name("mailbox/validate", tests, NULL, NULL);
}
