/*
 * Goal:   the macros of C11 choose for each argument the encoding that its type
 *         says, evaluate it once, and hand everything to the right function.
 * Method: every verb with every type, over a recorder in the actors' place; the
 *         messages are compared as text and, for the inline path, byte by byte
 *         with those of the arrays. What must not compile is in compile_fail/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include "mailbox/message.h"
#include "tests/mailbox/recorder.h"

static const gr_pid peer = {3, 4};

static int setup(void **state)
{
    *state = recorder_new();
    return *state != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    recorder_free(*state);
    return 0;
}

static void check_last(gr_actor *self, const char *verb, const char *text)
{
    assert_string_equal(recorder_last(self)->verb, verb);
    assert_string_equal(recorder_text(self), text);
}

/* ---- values ------------------------------------------------------------- */

enum color { RED, GREEN = 7 };

/* One value through the inline path and through an array. */
#define CHECK_VALUE(x, text)                                                   \
    do {                                                                       \
        assert_int_equal(gr_send(self, peer, "v", x), 0);                      \
        check_last(self, "inline", "[\"v\", " text "]");                       \
        gr_tell(self, peer, "v", x);                                           \
        check_last(self, "tell", "[\"v\", " text "]");                         \
    } while (0)

static void each_type_has_its_encoding(void **state)
{
    gr_actor *self = *state;
    signed char sc = -1;
    short sh = -300;
    int in = -70000;
    long lo = -5000000000;
    long long ll = INT64_MIN;
    unsigned char uc = 255;
    unsigned short us = 65535;
    unsigned un = UINT32_MAX;
    unsigned long ul = UINT64_MAX;
    unsigned long long ull = 128;
    bool yes = true;
    const int constant = 5;
    volatile int shared = 6;
    enum color color = GREEN;
    size_t size = 300;
    CHECK_VALUE(sc, "-1");
    CHECK_VALUE(sh, "-300");
    CHECK_VALUE(in, "-70000");
    CHECK_VALUE(lo, "-5000000000");
    CHECK_VALUE(ll, "-9223372036854775808");
    CHECK_VALUE(uc, "255");
    CHECK_VALUE(us, "65535");
    CHECK_VALUE(un, "4294967295");
    CHECK_VALUE(ul, "18446744073709551615");
    CHECK_VALUE(ull, "128");
    CHECK_VALUE(yes, "true");
    CHECK_VALUE(constant, "5");
    CHECK_VALUE(shared, "6");
    CHECK_VALUE(color, "7");
    CHECK_VALUE(GREEN, "7");
    CHECK_VALUE(size, "300");
    CHECK_VALUE(0, "0");
    CHECK_VALUE(127, "127");
    CHECK_VALUE(-32, "-32");
    CHECK_VALUE(2.5, "2.5");
    CHECK_VALUE(2.5f, "2.5");
    CHECK_VALUE((int8_t)-8, "-8");
    CHECK_VALUE((uint64_t)8, "8");
}

static void text_bytes_and_names(void **state)
{
    gr_actor *self = *state;
    char array[8] = "abc";
    const char *pointer = "const";
    char *writable = array;
    const char *none = NULL;
    gr_str str = {"text and more", 4};
    gr_bytes bytes = {"\x01\x02", 2};
    gr_any any = {"\x92\x01\x02", 3};
    CHECK_VALUE("literal", "\"literal\"");
    CHECK_VALUE("", "\"\"");
    CHECK_VALUE("longer than the thirty-one bytes of a fixstr",
                "\"longer than the thirty-one bytes of a fixstr\"");
    CHECK_VALUE(array, "\"abc\"");
    CHECK_VALUE(pointer, "\"const\"");
    CHECK_VALUE(writable, "\"abc\"");
    CHECK_VALUE(none, "nil");
    CHECK_VALUE(str, "\"text\"");
    CHECK_VALUE(bytes, "<2 bytes: 01 02>");
    CHECK_VALUE(any, "[1, 2]");
    CHECK_VALUE(peer, "pid<3.4>");
    CHECK_VALUE(GR_NOBODY, "nil");
    CHECK_VALUE((gr_ref){9}, "9");
    CHECK_VALUE((gr_node){10}, "10");
    CHECK_VALUE((gr_timer){11}, "11");
    CHECK_VALUE(gr_nil(), "nil");
    CHECK_VALUE(gr_bool(1 < 2), "true");
    CHECK_VALUE(gr_strn("a\0b", 3), "\"a\\x00b\"");
    CHECK_VALUE(gr_bin(array, 2), "<2 bytes: 61 62>");
}

static void lists_and_maps_nest(void **state)
{
    gr_actor *self = *state;
    gr_value made[] = {gri_v_i64(1), gri_v_cstr("x")};
    CHECK_VALUE(gr_list(1, "two", 3.0), "[1, \"two\", 3.0]");
    CHECK_VALUE(gr_map("a", 1, "b", gr_list(2)), "{\"a\": 1, \"b\": [2]}");
    CHECK_VALUE(gr_list(gr_list(gr_list(gr_map(1, gr_map(2, gr_list(3)))))),
                "[[[{1: {2: [3]}}]]]");
    CHECK_VALUE(gr_list_of(NULL, 0), "[]");
    CHECK_VALUE(gr_map_of(NULL, 0), "{}");
    CHECK_VALUE(gr_list_of(made, 2), "[1, \"x\"]");
    CHECK_VALUE(gr_map_of(made, 2), "{1: \"x\"}");
    CHECK_VALUE(gr_list(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
                "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]");
}

static void one_to_sixteen_elements(void **state)
{
    gr_actor *self = *state;
    assert_int_equal(gr_send(self, peer, "t"), 0);
    check_last(self, "inline", "[\"t\"]");
    assert_int_equal(gr_send(self, peer, "t", 1, 2), 0);
    check_last(self, "inline", "[\"t\", 1, 2]");
    assert_int_equal(gr_send(self, peer, "t", 1, 2, 3), 0);
    check_last(self, "inline", "[\"t\", 1, 2, 3]");
    assert_true(gr_pid_eq(recorder_last(self)->to, peer));
    assert_int_equal(gr_send(self, peer, "t", 1, 2, 3, 4), 0);
    check_last(self, "send", "[\"t\", 1, 2, 3, 4]");
    assert_true(gr_pid_eq(recorder_last(self)->to, peer));
    assert_int_equal(gr_send(self, peer, "t", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                             12, 13, 14, 15),
                     0);
    check_last(self, "send",
               "[\"t\", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]");
}

static void tags_are_text_or_integers(void **state)
{
    gr_actor *self = *state;
    gr_str str = {"str", 3};
    char array[] = "array";
    const char *pointer = "pointer";
    assert_int_equal(gr_send(self, peer, 0), 0);
    check_last(self, "inline", "[0]");
    assert_int_equal(gr_send(self, peer, GREEN, 1), 0);
    check_last(self, "inline", "[7, 1]");
    assert_int_equal(gr_send(self, peer, -1), 0);
    check_last(self, "inline", "[-1]");
    assert_int_equal(gr_send(self, peer, (unsigned char)200), 0);
    check_last(self, "inline", "[200]");
    assert_int_equal(gr_send(self, peer, UINT64_MAX), 0);
    check_last(self, "inline", "[18446744073709551615]");
    assert_int_equal(gr_send(self, peer, str), 0);
    check_last(self, "inline", "[\"str\"]");
    assert_int_equal(gr_send(self, peer, array), 0);
    check_last(self, "inline", "[\"array\"]");
    assert_int_equal(gr_send(self, peer, pointer), 0);
    check_last(self, "inline", "[\"pointer\"]");
}

/* The inline path writes what the library writes, wherever the room ends. */
static void the_inline_path_writes_the_same_bytes(void **state)
{
    gr_actor *self = *state;
    static const int64_t numbers[] = {0,   1,    126,       127,      128,
                                      255, 256,  70000,     -1,       -32,
                                      -33, -129, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
            int64_t a = numbers[i], b = numbers[k];
            assert_int_equal(gr_send(self, peer, "twelve bytes", a, "five", b),
                             0);
            assert_string_equal(recorder_last(self)->verb, "inline");
            gr_msg *one = recorder_keep(self);
            gr_tell(self, peer, "twelve bytes", a, "five", b);
            const gr_msg *two = recorder_last(self)->msg;
            assert_int_equal(one->len, two->len);
            assert_memory_equal(gri_msg_data(one), gri_msg_data(two), one->len);
            recorder_forget(self, one);
        }
    }
    /* Literals around the room of the first block, which is 24 bytes: two are
     * for the heads. */
    assert_int_equal(gr_send(self, peer, "0123456789012345678901"), 0);
    assert_int_equal(recorder_last(self)->msg->len, 24);
    check_last(self, "inline", "[\"0123456789012345678901\"]");
    assert_int_equal(gr_send(self, peer, "01234567890123456789012"), 0);
    assert_int_equal(recorder_last(self)->msg->len, 25);
    check_last(self, "inline", "[\"01234567890123456789012\"]");
    assert_int_equal(gr_send(self, peer, "0123456789012345678901", 1), 0);
    assert_int_equal(recorder_last(self)->msg->len, 25);
    check_last(self, "inline", "[\"0123456789012345678901\", 1]");
    /* A literal that does not fit in what is left of the first block. */
    assert_int_equal(gr_send(self, peer, "a literal of 22 bytes.",
                             "and another of 26 bytes...", 5,
                             "and one of 31 bytes to the end."),
                     0);
    check_last(self, "inline",
               "[\"a literal of 22 bytes.\", \"and another of 26 bytes...\", "
               "5, \"and one of 31 bytes to the end.\"]");
}

/* One message of the last two is the other, byte for byte. */
static void check_same(gr_actor *self, gr_msg *one)
{
    const gr_msg *two = recorder_last(self)->msg;
    assert_int_equal(one->len, two->len);
    assert_memory_equal(gri_msg_data(one), gri_msg_data(two), one->len);
    recorder_forget(self, one);
}

/* Tags of all lengths that are one word, and some that are longer, alone and
 * with numbers around each change of form. */
static void short_messages_are_as_any_other(void **state)
{
    gr_actor *self = *state;
    static const uint64_t edges[] = {
        0,         127,   128,        255,       256,
        65535,     65536, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1,
        UINT64_MAX};
#define CHECK_TAG(tag)                                                         \
    do {                                                                       \
        assert_int_equal(gr_send(self, peer, tag), 0);                         \
        gr_msg *alone = recorder_keep(self);                                   \
        gr_tell(self, peer, tag);                                              \
        check_same(self, alone);                                               \
        for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {          \
            for (int way = 0; way < 3; way++) {                                \
                const uint64_t u = edges[i] - (way == 1 ? 1 : 0);              \
                const int64_t x = way == 2 ? -(int64_t)(u >> 1) : (int64_t)u;  \
                assert_int_equal(gr_send(self, peer, tag, u), 0);              \
                gr_msg *one = recorder_keep(self);                             \
                gr_tell(self, peer, tag, u);                                   \
                check_same(self, one);                                         \
                assert_int_equal(gr_send(self, peer, tag, x), 0);              \
                one = recorder_keep(self);                                     \
                gr_tell(self, peer, tag, x);                                   \
                check_same(self, one);                                         \
            }                                                                  \
        }                                                                      \
    } while (0)
    CHECK_TAG("");
    CHECK_TAG("a");
    CHECK_TAG("\xff\x80");
    CHECK_TAG("abc");
    CHECK_TAG("abcd");
    CHECK_TAG("abcde");
    CHECK_TAG("abcdef");
    CHECK_TAG("abcdefg");
    CHECK_TAG("abcdefgh");
    CHECK_TAG("abcdefghi");
    CHECK_TAG("abcdefghijkl");
    CHECK_TAG("abcdefghijklm");
    CHECK_TAG("abcdefghijklmn");
    CHECK_TAG("0123456789012345678901");
#undef CHECK_TAG
}

#ifdef __OPTIMIZE__
static void short_forms_do_not_call_the_library(void **state)
{
    gr_actor *self = *state;
    assert_int_equal(gr_send(self, peer, "add", 5), 0);
    assert_int_equal(recorder_last(self)->puts, 0);
    assert_int_equal(gr_send(self, peer, 1, 127, "x", 0), 0);
    assert_int_equal(recorder_last(self)->puts, 0);
    assert_int_equal(gr_send(self, peer, "add", 128), 0);
    assert_int_equal(recorder_last(self)->puts, 0);
    assert_int_equal(gr_send(self, peer, "add", 128, 0), 0);
    assert_int_equal(recorder_last(self)->puts, 1);
    assert_int_equal(gr_send(self, peer, "add", -1, 2.0), 0);
    assert_int_equal(recorder_last(self)->puts, 2);
}
#endif

static int next(int *counted)
{
    return ++*counted;
}

/* An argument that itself sends, before the message around it is begun. */
static int send_inside(gr_actor *self, int *counted)
{
    assert_int_equal(gr_send(self, peer, "inner", next(counted)), 0);
    return *counted;
}

static void arguments_are_evaluated_once_and_first(void **state)
{
    gr_actor *self = *state;
    int i = 0, counted = 0;
    assert_int_equal(gr_send(self, peer, "x", i++), 0);
    assert_int_equal(i, 1);
    gr_tell(self, peer, "x",
            gr_list(next(&counted), gr_map(1, gr_list(next(&counted)))));
    assert_int_equal(counted, 2);
    unsigned before = recorder_last(self)->calls;
    assert_int_equal(gr_send(self, peer, "outer", send_inside(self, &counted)),
                     0);
    assert_int_equal(recorder_last(self)->calls, before + 2);
    check_last(self, "inline", "[\"outer\", 3]");
}

static void failures_come_back(void **state)
{
    gr_actor *self = *state;
    gr_value bad = gr_strn("", (size_t)UINT32_MAX + 1);
    assert_int_equal(gr_send(self, peer, "x", bad, 5), GR_ETOOBIG);
    assert_int_equal(gr_send(self, peer, "x", bad, 5, "after", 300),
                     GR_ETOOBIG);
    assert_null(recorder_last(self)->msg);
    gr_any wrong = {"\xc1", 1};
    assert_int_equal(gr_send(self, peer, "x", wrong), GR_EINVAL);
    assert_int_equal(gr_send(self, peer, "x", 1), 0);
}

/* ---- the other verbs ---------------------------------------------------- */

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    (void)self, (void)state, (void)reply;
    return 0;
}

static void each_verb_passes_everything_on(void **state)
{
    gr_actor *self = *state;
    gr_timer timer = {0};
    gr_tell(self, peer, "t");
    check_last(self, "tell", "[\"t\"]");
    assert_true(gr_pid_eq(recorder_last(self)->to, peer));
    assert_int_equal(gr_send_urgent(self, peer, "now", 1), 0);
    check_last(self, "send_urgent", "[\"now\", 1]");
    assert_int_equal(gr_send_wait(self, peer, 7, "room", 2), 0);
    check_last(self, "send_wait", "[\"room\", 2]");
    assert_int_equal(recorder_last(self)->ms, 7);
    assert_int_equal(gr_send_sure(self, peer, 8, "sure", 3), 0);
    check_last(self, "send_sure", "[\"sure\", 3]");
    assert_int_equal(recorder_last(self)->ms, 8);
    assert_int_equal(gr_send_then(self, peer, 9, gr_then(NULL, 4), "then", 5),
                     0);
    check_last(self, "send_then", "[\"then\", 5]");
    assert_int_equal(recorder_last(self)->ms, 9);
    assert_int_equal(recorder_last(self)->token, 4);
    assert_int_equal(gr_reply(self, NULL, "total", 5), 0);
    check_last(self, "reply", "[\"total\", 5]");
    assert_int_equal(gr_reply(self, NULL, "ok"), 0);
    check_last(self, "reply", "[\"ok\"]");
    assert_int_equal(
        gr_ask(self, peer, 50, gr_then(on_answer, 99), "get", "a", 1), 0);
    check_last(self, "ask", "[\"get\", \"a\", 1]");
    assert_int_equal(recorder_last(self)->ms, 50);
    assert_int_equal(recorder_last(self)->token, 99);
    assert_int_equal(gr_after(self, 10, &timer, "tick"), 0);
    check_last(self, "after", "[\"tick\"]");
    assert_int_equal(recorder_last(self)->ms, 10);
    assert_int_equal(timer.id, 1);
    assert_int_equal(gr_after_us(self, 15, &timer, "tick", 2), 0);
    check_last(self, "after_us", "[\"tick\", 2]");
    assert_int_equal(recorder_last(self)->ms, 15);
    assert_int_equal(timer.id, 3);
    assert_int_equal(gr_every(self, 20, &timer, "tick", 1), 0);
    check_last(self, "every", "[\"tick\", 1]");
    assert_int_equal(recorder_last(self)->ms, 20);
    assert_int_equal(timer.id, 2);
}

static void calls_match_their_answer(void **state)
{
    gr_actor *self = *state;
    int64_t total = 0;
    gr_str text = {0};
    assert_int_equal(gr_call(self, peer, 5, gr_expect("ok"), "get"),
                     GR_ETIMEOUT);
    check_last(self, "call", "[\"get\"]");
    gr_tell(self, peer, "total", 42, "items");
    gr_msg *answer = recorder_keep(self);
    recorder_answer(self, answer);
    assert_int_equal(gr_call(self, peer, 5, gr_expect("total", &total, &text),
                             "get", 1, 2, 3),
                     0);
    check_last(self, "call", "[\"get\", 1, 2, 3]");
    assert_int_equal(total, 42);
    assert_int_equal(text.len, 5);
    assert_int_equal(gr_call(self, peer, 5, gr_expect("total"), "get"),
                     GR_EREPLY);
    recorder_answer(self, NULL);
    recorder_forget(self, answer);
}

/* ---- matching ----------------------------------------------------------- */

static void each_type_of_output(void **state)
{
    gr_actor *self = *state;
    bool yes = false;
    signed char sc = 0;
    short sh = 0;
    int in = 0;
    long lo = 0;
    long long ll = 0;
    unsigned char uc = 0;
    unsigned short us = 0;
    unsigned un = 0;
    unsigned long ul = 0;
    unsigned long long ull = 0;
    assert_int_equal(
        gr_send(self, peer, "n", true, -1, -2, -3, -4, -5, 1, 2, 3, 4, 5), 0);
    assert_true(gr_match(recorder_last(self)->msg, "n", &yes, &sc, &sh, &in,
                         &lo, &ll, &uc, &us, &un, &ul, &ull));
    assert_true(yes);
    assert_int_equal(sc, -1);
    assert_int_equal(sh, -2);
    assert_int_equal(in, -3);
    assert_int_equal(lo, -4);
    assert_int_equal(ll, -5);
    assert_int_equal(uc, 1);
    assert_int_equal(us, 2);
    assert_int_equal(un, 3);
    assert_int_equal(ul, 4);
    assert_int_equal(ull, 5);

    float fl = 0;
    double dbl = 0;
    gr_str str = {0};
    gr_bytes bytes = {0};
    gr_any any = {0};
    gr_pid pid = {0};
    gr_ref ref = {0};
    gr_node node = {0};
    gr_timer timer = {0};
    gr_reader rest = {0};
    enum color color = RED;
    assert_int_equal(gr_send(self, peer, 5, 1.5f, 2.5, "s", gr_bin("b", 1),
                             gr_list(1), peer, (gr_ref){6}, (gr_node){7},
                             (gr_timer){8}, GREEN, 1, 2),
                     0);
    assert_true(gr_match(recorder_last(self)->msg, 5, &fl, &dbl, &str, &bytes,
                         &any, &pid, &ref, &node, &timer, &color, &rest));
    assert_true(fl == 1.5f && dbl == 2.5);
    assert_memory_equal(str.ptr, "s", 1);
    assert_memory_equal(bytes.ptr, "b", 1);
    assert_memory_equal(any.ptr, "\x91\x01", 2);
    assert_true(gr_pid_eq(pid, peer));
    assert_int_equal(ref.id, 6);
    assert_int_equal(node.id, 7);
    assert_int_equal(timer.id, 8);
    assert_int_equal(color, GREEN);
    assert_int_equal(rest.left, 2);
}

static void a_chain_takes_the_right_branch(void **state)
{
    gr_actor *self = *state;
    int n = 0;
    static const char *const tags[] = {"get", "add", "added", "a", ""};
    for (int i = 0; i < 5; i++) {
        gr_tell(self, peer, tags[i], 5);
        const gr_msg *msg = recorder_last(self)->msg;
        int branch = gr_match(msg, "get", &n)     ? 0
                     : gr_match(msg, "add", &n)   ? 1
                     : gr_match(msg, "added", &n) ? 2
                     : gr_match(msg, "a", &n)     ? 3
                     : gr_match(msg, "", &n)      ? 4
                                                  : 5;
        assert_int_equal(branch, i);
        assert_false(gr_match(msg, "get"));
        assert_false(gr_match(msg, "get", &n, &n));
        assert_false(gr_match(msg, 5, &n));
        assert_true(gr_match(msg, tags[i], &n)); /* not known before it runs */
    }
}

static void optional_equal_and_unpacked(void **state)
{
    gr_actor *self = *state;
    int n = 0;
    const char *mode = "fast";
    gr_str text = {"default", 7};
    gr_tell(self, peer, "set", "mode", 5);
    const gr_msg *msg = recorder_last(self)->msg;
    assert_true(gr_match(msg, "set", gr_is("mode"), &n, gr_opt(&text)));
    assert_int_equal(n, 5);
    assert_int_equal(text.len, 7);
    assert_false(gr_match(msg, "set", gr_is("made"), &n));
    assert_false(gr_match(msg, "set", gr_is(mode), &n));
    assert_true(gr_match(msg, "set", &text, gr_is(5)));
    assert_true(gr_match(msg, "set", &text, gr_opt(gr_is(5)), gr_opt(&n)));
    assert_true(gr_unpack(msg, gr_is("set"), &text, &n));
    assert_false(gr_unpack(msg, gr_is("set"), &text));
    gr_tell(self, peer, 5, gr_list(1, gr_map("k", gr_nil())));
    msg = recorder_last(self)->msg;
    assert_true(gr_match(msg, 5, gr_is(gr_list(1, gr_map("k", gr_nil())))));
    assert_false(gr_match(msg, 5, gr_is(gr_list(1, gr_map("k", 0)))));
}

static void arguments_of_a_spawn(void **state)
{
    gr_actor *self = *state;
    const gr_spawn_opts opts = {.args = gr_args(5, "x", gr_list(1)),
                                .link = true};
    int n = 0;
    gr_str text = {0};
    gr_reader rest;
    assert_true(opts.link);
    assert_int_equal(opts.args.n, 3);
    assert_int_equal(gr_sendv(self, peer, opts.args.items, opts.args.n), 0);
    check_last(self, "send", "[5, \"x\", [1]]");
    assert_true(gr_unpack(recorder_last(self)->msg, &n, &text, &rest));
    assert_int_equal(n, 5);
    assert_memory_equal(text.ptr, "x", 1);
    assert_int_equal(rest.left, 1);
    assert_int_equal((gr_spawn_opts){0}.args.n, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_type_has_its_encoding),
        TEST(text_bytes_and_names),
        TEST(lists_and_maps_nest),
        TEST(one_to_sixteen_elements),
        TEST(tags_are_text_or_integers),
        TEST(the_inline_path_writes_the_same_bytes),
        TEST(short_messages_are_as_any_other),
#ifdef __OPTIMIZE__
        TEST(short_forms_do_not_call_the_library),
#endif
        TEST(arguments_are_evaluated_once_and_first),
        TEST(failures_come_back),
        TEST(each_verb_passes_everything_on),
        TEST(calls_match_their_answer),
        TEST(each_type_of_output),
        TEST(a_chain_takes_the_right_branch),
        TEST(optional_equal_and_unpacked),
        TEST(arguments_of_a_spawn),
    };
    return cmocka_run_group_tests_name("mailbox/macros", tests, NULL, NULL);
}
