/*
 * Goal:   any bytes become one line of printable text that fits its buffer; a
 *         message's text can be read by a person.
 * Method: texts by example; then random trees, random bytes and every buffer
 *         size, where only the promises are checked: length, ending zero, no
 *         control character, valid UTF-8.
 */
#include <math.h>

#include "mailbox/print.h"
#include "tests/mailbox/box.h"

static void check_text(box *b, gr_value v, const char *want)
{
    char text[256];
    uint8_t bytes[512];
    int64_t n = gri_pack_value(&v, bytes, sizeof bytes);
    (void)b;
    assert_true(n > 0);
    size_t len = gr_any_print((gr_any){bytes, (uint32_t)n}, text, sizeof text);
    assert_string_equal(text, want);
    assert_int_equal(len, strlen(want));
}

static void numbers_as_c_writes_them(void **state)
{
    check_text(*state, gr_nil(), "nil");
    check_text(*state, gr_bool(true), "true");
    check_text(*state, gr_bool(false), "false");
    check_text(*state, gri_v_i64(0), "0");
    check_text(*state, gri_v_i64(INT64_MIN), "-9223372036854775808");
    check_text(*state, gri_v_u64(UINT64_MAX), "18446744073709551615");
    check_text(*state, gri_v_double(2.5), "2.5");
    check_text(*state, gri_v_double(0.1), "0.1");
    check_text(*state, gri_v_float(0.1f), "0.1");
    check_text(*state, gri_v_double(3.0), "3.0");
    check_text(*state, gri_v_double(1e300), "1e+300");
    check_text(*state, gri_v_double(1.0 / 3.0), "0.3333333333333333");
    check_text(*state, gri_v_double((double)INFINITY), "inf");
    check_text(*state, gri_v_double((double)NAN), "nan");
}

static void text_and_bytes_escaped(void **state)
{
    static const char right_to_left[] = {'\xe2', '\x80', '\xae'};
    check_text(*state, gri_v_cstr(""), "\"\"");
    check_text(*state, gri_v_cstr("add"), "\"add\"");
    check_text(*state, gri_v_cstr("a\"b\\c"), "\"a\\\"b\\\\c\"");
    check_text(*state, gri_v_cstr("a\n\r\t\x1b[2J\x7f"),
               "\"a\\n\\r\\t\\x1b[2J\\x7f\"");
    check_text(*state, gr_strn("a\0b", 3), "\"a\\x00b\"");
    check_text(*state, gri_v_cstr("gr\xc3\xbc\xc3\x9f"),
               "\"gr\xc3\xbc\xc3\x9f\"");
    check_text(*state, gri_v_cstr("\xe2\x82\xac \xf0\x9f\x98\x80"),
               "\"\xe2\x82\xac \xf0\x9f\x98\x80\"");
    /* Not UTF-8, or controls in it: C1, surrogates, overlong, right-to-left. */
    check_text(*state, gri_v_cstr("\xff\x80"), "\"\\xff\\x80\"");
    check_text(*state, gri_v_cstr("\xc2\x9b"), "\"\\xc2\\x9b\"");
    check_text(*state, gri_v_cstr("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"");
    check_text(*state, gri_v_cstr("\xc0\xaf"), "\"\\xc0\\xaf\"");
    check_text(*state, gr_strn(right_to_left, 3), "\"\\xe2\\x80\\xae\"");
    check_text(*state, gri_v_cstr("\xf4\x90\x80\x80"),
               "\"\\xf4\\x90\\x80\\x80\"");
    check_text(*state, gri_v_cstr("\xe2\x82"), "\"\\xe2\\x82\"");
    check_text(*state, gr_bin("\x01\xff", 2), "<2 bytes: 01 ff>");
    check_text(*state, gr_bin("", 0), "<0 bytes:>");
    check_text(*state, gri_v_pid((gr_pid){0x1f, 0xabc}), "pid<1f.abc>");
    check_text(*state, gri_v_any((gr_any){"\xd4\xfe\x07", 3}), "ext<-2: 07>");
}

static void lists_and_maps(void **state)
{
    gr_value inner[] = {gri_v_i64(1), gri_v_i64(2)};
    gr_value deep[] = {gri_v_cstr("k"), gr_list_of(inner, 2), gr_nil(),
                       gr_map_of(inner, 2)};
    gr_value list[] = {gri_v_cstr("add"), gri_v_i64(5), gr_map_of(deep, 4),
                       gr_list_of(NULL, 0), gr_map_of(NULL, 0)};
    check_text(*state, gr_list_of(list, 2), "[\"add\", 5]");
    check_text(*state, gr_list_of(list, 5),
               "[\"add\", 5, {\"k\": [1, 2], nil: {1: 2}}, [], {}]");
}

/* As a signal handler may write them. */
static void check_rough(box *b, gr_value v, const char *want)
{
    char text[64];
    gr_msg *msg = gri_pack(&b->builder, &v, 1, false);
    assert_non_null(msg);
    const size_t len = gri_msg_print_rough(msg, text, sizeof text);
    assert_int_equal(len, strlen(text));
    assert_string_equal(text, want);
    gri_msg_free(&b->cache, msg);
}

static void rough_numbers_are_near(void **state)
{
    check_rough(*state, gri_v_i64(INT64_MIN), "[-9223372036854775808]");
    check_rough(*state, gri_v_double(0.0), "[0.0]");
    check_rough(*state, gri_v_double(2.5), "[2.5]");
    check_rough(*state, gri_v_double(-0.05), "[-0.05]");
    check_rough(*state, gri_v_double(100.0), "[100.0]");
    check_rough(*state, gri_v_double(2.0 / 3.0), "[0.666667]");
    check_rough(*state, gri_v_double(0.9999999), "[1.0]");
    check_rough(*state, gri_v_double(999999999999.0), "[999999999999.0]");
    check_rough(*state, gri_v_double(-0x1p60),
                "[a number of bits 0xc3b0000000000000]");
    check_rough(*state, gri_v_double((double)NAN),
                "[a number of bits 0x7ff8000000000000]");
    check_rough(*state, gri_v_float(0.5f), "[0.5]");
    check_rough(*state, gri_v_cstr("a\"\x1b"), "[\"a\\\"\\x1b\"]");
}

static void a_message_is_its_list(void **state)
{
    box *b = *state;
    char text[64];
    gr_value values[] = {gri_v_cstr("add"), gri_v_i64(-5)};
    gr_msg *msg = gri_pack(&b->builder, values, 2, false);
    assert_non_null(msg);
    assert_int_equal(gr_msg_print(msg, text, sizeof text), 11);
    assert_string_equal(text, "[\"add\", -5]");
    gri_msg_free(&b->cache, msg);
}

static void malformed_bytes_say_so(void **state)
{
    char text[200];
    uint8_t deep[GR_DEPTH_MAX + 2];
    (void)state;
    assert_int_equal(gr_any_print((gr_any){NULL, 0}, text, sizeof text), 11);
    assert_string_equal(text, "<malformed>");
    assert_true(gr_any_print((gr_any){"\x92\x01\xc1", 3}, text, sizeof text) >
                0);
    assert_string_equal(text, "[1, <malformed>");
    memset(deep, 0x91, sizeof deep);
    assert_true(gr_any_print((gr_any){deep, sizeof deep}, text, sizeof text) >
                0);
    assert_non_null(strstr(text, "<too deep>"));
}

static void what_does_not_fit_ends_in_dots(void **state)
{
    char text[16];
    (void)state;
    gr_any any = {"\xab"
                  "hello\xc3\xbcworl",
                  12};
    memset(text, 'z', sizeof text);
    assert_int_equal(gr_any_print(any, text, 0), 0);
    assert_int_equal(text[0], 'z');
    assert_int_equal(gr_any_print(any, text, 1), 0);
    assert_string_equal(text, "");
    assert_int_equal(gr_any_print(any, text, 3), 2);
    assert_string_equal(text, "..");
    assert_int_equal(gr_any_print(any, text, 9), 8);
    assert_string_equal(text, "\"hell...");
    /* The dots would begin inside of the u umlaut. */
    assert_int_equal(gr_any_print(any, text, 11), 9);
    assert_string_equal(text, "\"hello...");
    assert_int_equal(gr_any_print(any, text, 13), 12);
    assert_string_equal(text, "\"hello\xc3\xbcw...");
    assert_int_equal(gr_any_print(any, text, 14), 13);
    assert_string_equal(text, "\"hello\xc3\xbcworl\"");
}

static bool printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Every size gives a text of that size or less; cut texts begin as the whole.
 */
static void check_sizes(gr_any any)
{
    static char whole[1 << 16];
    size_t len = gr_any_print(any, whole, sizeof whole);
    assert_int_equal(len, strlen(whole));
    assert_true(printable(whole, len));
    for (size_t size = 1; size <= len + 2 && size < 300; size++) {
        char *exact = malloc(size);
        assert_non_null(exact);
        size_t n = gr_any_print(any, exact, size);
        assert_in_range(n, 0, size - 1);
        assert_int_equal(n, strlen(exact));
        if (n == len) {
            assert_string_equal(exact, whole);
        } else if (n > 3) {
            assert_memory_equal(exact, whole, n - 3);
            assert_string_equal(exact + n - 3, "...");
        }
        free(exact);
    }
}

static void any_tree_in_any_buffer(void **state)
{
    static source s;
    static uint8_t bytes[1 << 20];
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        source_init(&s, seed);
        gr_value v = random_value(&s, 3);
        int64_t n = gri_pack_value(&v, bytes, sizeof bytes);
        assert_true(n > 0);
        check_sizes((gr_any){bytes, (uint32_t)n});
    }
}

static void any_bytes_do_no_harm(void **state)
{
    static source s;
    (void)state;
    source_init(&s, 2);
    for (int i = 0; i < 5000; i++) {
        size_t n = 1 + next_random(&s) % 40;
        uint8_t *bytes = malloc(n);
        assert_non_null(bytes);
        for (size_t k = 0; k < n; k++) {
            bytes[k] = (uint8_t)(next_random(&s) % 2 ? next_random(&s)
                                                     : 0x81 + k % 0x40);
        }
        check_sizes((gr_any){bytes, (uint32_t)n});
        free(bytes);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, box_init, box_fini)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_as_c_writes_them),       TEST(text_and_bytes_escaped),
        TEST(rough_numbers_are_near),         TEST(lists_and_maps),
        TEST(a_message_is_its_list),          TEST(malformed_bytes_say_so),
        TEST(what_does_not_fit_ends_in_dots), TEST(any_tree_in_any_buffer),
        TEST(any_bytes_do_no_harm),
    };
    return cmocka_run_group_tests_name("mailbox/print", tests, NULL, NULL);
}
