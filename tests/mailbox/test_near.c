/*
 * Goal:   a message whose tag a pattern had, and whose arguments did not fit,
 *         says which one did not and why; any other message says nothing.
 * Method: each way not to fit, by the inline test and by the function under it,
 *         in short and in long encodings, and several patterns one after
 *         another.
 */
#include "tests/mailbox/box.h"

#include "mailbox/near.h"

/* Matches nothing, and leaves this text ("": none). */
#define SAYS(msg, text, ...)                                                   \
    do {                                                                       \
        assert_false(gr_match(msg, __VA_ARGS__));                              \
        says(msg, text);                                                       \
    } while (0)

static void says(const gr_msg *msg, const char *expected)
{
    char text[GRI_NEAR_TEXT_MAX];
    memset(text, '?', sizeof text);
    assert_int_equal(gri_near_text(msg, text), expected[0] != '\0');
    assert_string_equal(text, expected);
}

/* gr_args() lives in the block that made it, so this is a macro. */
#define MESSAGE(b, ...) box_pack(b, gr_args(__VA_ARGS__))

static void nothing_is_said_without_a_near_match(void **state)
{
    box *b = *state;
    int64_t n;
    int8_t small;
    gr_str text;
    gr_msg *msg = MESSAGE(b, "add", 300);
    says(msg, "");
    SAYS(msg, "", "sub", &small);
    SAYS(msg, "", "adds", &small);
    SAYS(msg, "", 7, &small);
    SAYS(msg, "", "ad");
    assert_true(gr_match(msg, "add", &n));
    says(msg, "");
    /* Without a tag there is nothing that it nearly was. */
    assert_false(gr_unpack(msg, &text));
    says(msg, "");
    gri_msg_free(&b->cache, msg);
}

static void by_count(void **state)
{
    box *b = *state;
    int64_t x;
    int64_t y;
    gr_reader rest;
    gr_msg *msg = MESSAGE(b, "add", 5);
    SAYS(msg, "argument 1 is one too many", "add");
    SAYS(msg, "argument 2 is missing (wanted: int64)", "add", &x, &y);
    gri_msg_free(&b->cache, msg);
    msg = MESSAGE(b, "add", 5, 6, 7);
    SAYS(msg, "argument 3 is one too many", "add", &x, &y);
    gri_msg_free(&b->cache, msg);
    msg = MESSAGE(b, 3); /* an integer as a tag, and nothing behind it */
    SAYS(msg, "argument 1 is missing (wanted: int64)", 3, &x);
    SAYS(msg, "argument 1 is missing (wanted: int64)", 3, &x, &rest);
    gri_msg_free(&b->cache, msg);
    msg = MESSAGE(b, 3, 4);
    SAYS(msg, "argument 1 is one too many", 3);
    gri_msg_free(&b->cache, msg);
}

static void by_type(void **state)
{
    box *b = *state;
    struct {
        gr_out_kind kind;
        const char *name;
    } kinds[] = {
        {GR_OUT_BOOL, "bool"},     {GR_OUT_I8, "int8"},
        {GR_OUT_I16, "int16"},     {GR_OUT_I32, "int32"},
        {GR_OUT_I64, "int64"},     {GR_OUT_U8, "uint8"},
        {GR_OUT_U16, "uint16"},    {GR_OUT_U32, "uint32"},
        {GR_OUT_U64, "uint64"},    {GR_OUT_FLOAT, "float"},
        {GR_OUT_DOUBLE, "double"}, {GR_OUT_BYTES, "bytes"},
        {GR_OUT_PID, "pid"},       {GR_OUT_REF, "ref"},
        {GR_OUT_NODE, "node"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        uint64_t room[2]; /* for the largest of them */
        gr_out outs[] = {gri_out(GR_OUT_U64, room),
                         gri_out(kinds[i].kind, room)};
        gr_msg *msg = MESSAGE(b, "set", 1, "red");
        char expected[GRI_NEAR_TEXT_MAX];
        (void)snprintf(expected, sizeof expected,
                       "argument 2 is \"red\" (wanted: %s)", kinds[i].name);
        assert_false(gri_match(msg, gri_v_cstr("set"), outs, 2));
        says(msg, expected);
        gri_msg_free(&b->cache, msg);
    }
    gr_str text;
    gr_msg *msg = MESSAGE(b, "set", gr_list_of(NULL, 0));
    SAYS(msg, "argument 1 is [] (wanted: str)", "set", &text);
    gri_msg_free(&b->cache, msg);
    msg = MESSAGE(b, "set", "red");
    SAYS(msg, "argument 1 is \"red\" (wanted: a value equal to the pattern's)",
         "set", gr_is("blue"));
    gri_msg_free(&b->cache, msg);
}

static void by_range(void **state)
{
    box *b = *state;
    int8_t i8;
    uint64_t u64;
    gr_msg *msg = MESSAGE(b, "set", 300);
    SAYS(msg, "argument 1 is 300 (wanted: int8)", "set", &i8);
    SAYS(msg, "argument 1 is 300 (wanted: int8)", "set", gr_opt(&i8));
    gri_msg_free(&b->cache, msg);
    msg = MESSAGE(b, "set", -1);
    SAYS(msg, "argument 1 is -1 (wanted: uint64)", "set", &u64);
    gri_msg_free(&b->cache, msg);
}

static void in_long_encodings(void **state)
{
    box *b = *state;
    /* ["add", 300] with an array16 and a str8. */
    static const uint8_t bytes[] = {0xdc, 0,   2,    0xd9, 3,   'a',
                                    'd',  'd', 0xcd, 1,    0x2c};
    int8_t i8;
    gr_msg *msg = box_message(b, bytes, sizeof bytes);
    SAYS(msg, "argument 1 is one too many", "add");
    SAYS(msg, "argument 1 is 300 (wanted: int8)", "add", &i8);
    gri_msg_free(&b->cache, msg);
}

static void of_several_patterns_the_one_that_came_furthest(void **state)
{
    box *b = *state;
    int64_t n;
    bool on;
    gr_str text;
    gr_msg *msg = MESSAGE(b, "set", "lamp", 300);
    SAYS(msg, "argument 1 is \"lamp\" (wanted: int64)", "set", &n, &n);
    SAYS(msg, "argument 2 is 300 (wanted: str)", "set", &text, &text);
    SAYS(msg, "argument 2 is 300 (wanted: bool)", "set", &text, &on);
    SAYS(msg, "argument 2 is 300 (wanted: bool)", "set", &n, &n);
    SAYS(msg, "argument 2 is 300 (wanted: bool)", "unset", &n);
    gri_msg_free(&b->cache, msg);
}

static void far_behind_it_is_not_exact(void **state)
{
    enum { N = 20 };
    box *b = *state;
    gr_value values[N + 1];
    int64_t into[N];
    gr_out outs[N];
    values[0] = gri_v_cstr("row");
    for (unsigned i = 0; i < N; i++) {
        values[i + 1] = gri_v_i64(i);
        outs[i] = gri_o_int(&into[i], sizeof into[i], true);
    }
    for (unsigned wrong = 0; wrong < N; wrong++) {
        char expected[GRI_NEAR_TEXT_MAX] =
            "an argument behind the first 14 did not fit";
        if (wrong < 14) {
            (void)snprintf(expected, sizeof expected,
                           "argument %u is nil (wanted: int64)", wrong + 1);
        }
        values[wrong + 1] = gr_nil();
        gr_msg *msg = box_pack(b, (gr_values){values, N + 1});
        assert_false(gr_matchv(msg, &values[0], outs, N));
        says(msg, expected);
        gri_msg_free(&b->cache, msg);
        values[wrong + 1] = gri_v_i64(wrong);
    }
}

static void long_values_are_cut(void **state)
{
    box *b = *state;
    char long_text[1000];
    memset(long_text, 'x', sizeof long_text);
    gr_value values[] = {gri_v_cstr("say"),
                         gr_strn(long_text, sizeof long_text)};
    gr_msg *msg = box_pack(b, (gr_values){values, 2});
    assert_false(gr_match(msg, "say", gr_is("hello")));
    char text[GRI_NEAR_TEXT_MAX];
    assert_true(gri_near_text(msg, text));
    assert_non_null(strstr(text, "argument 1 is \"xxx"));
    assert_non_null(
        strstr(text, "x... (wanted: a value equal to the pattern's)"));
    gri_msg_free(&b->cache, msg);
}

static void the_other_flags_stay(void **state)
{
    box *b = *state;
    const unsigned all = (1u << GRI_MSG_NEAR_AT) - 1;
    int8_t i8;
    gr_str text;
    gr_msg *msg = MESSAGE(b, "set", 300);
    for (unsigned flags = 0; flags <= all; flags += all) {
        msg->flags = (uint16_t)flags;
        SAYS(msg, "argument 1 is 300 (wanted: int8)", "set", &i8);
        assert_int_equal(msg->flags & all, flags);
        SAYS(msg, "argument 1 is 300 (wanted: str)", "set", &text);
        assert_int_equal(msg->flags & all, flags);
    }
    gri_msg_free(&b->cache, msg);
}

static void a_kind_that_is_none(void **state)
{
    box *b = *state;
    gr_value tag = gri_v_cstr("set");
    gr_out out = gri_out(GR_OUT_IS + 5, NULL);
    gr_msg *msg = MESSAGE(b, "set", 300);
    assert_false(gr_matchv(msg, &tag, &out, 1));
    says(msg, "argument 1 is 300 (wanted: an unknown kind)");
    gri_msg_free(&b->cache, msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_without_a_near_match),
        cmocka_unit_test(by_count),
        cmocka_unit_test(by_type),
        cmocka_unit_test(by_range),
        cmocka_unit_test(in_long_encodings),
        cmocka_unit_test(of_several_patterns_the_one_that_came_furthest),
        cmocka_unit_test(far_behind_it_is_not_exact),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(the_other_flags_stay),
        cmocka_unit_test(a_kind_that_is_none),
    };
    return cmocka_run_group_tests(tests, box_init, box_fini);
}
