/*
 * Goal:   in C++17 and C++20 the verbs take the same arguments as in C, and
 * what C++ has besides, and make the same messages. Method: as test_macros.c,
 * over the same recorder. Plain checks, as cmocka's longjmp and C++ destructors
 * do not mix. Built by test_macros_cxx.sh.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/mailbox/recorder.h"

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,    \
                         #condition);                                          \
            std::exit(EXIT_FAILURE);                                           \
        }                                                                      \
    } while (0)

namespace
{

const gr_pid peer = {3, 4};

enum class color : unsigned char { red, green = 7 };
enum plain { one = 1, two = 2 };

bool last_is(gr_actor *self, const char *verb, const char *text)
{
    const char *found = recorder_text(self);
    if (std::strcmp(recorder_last(self)->verb, verb) != 0 ||
        std::strcmp(found, text) != 0) {
        std::fprintf(stderr, "%s %s\n", recorder_last(self)->verb, found);
        return false;
    }
    return true;
}

template <class T>
bool sends(gr_actor *self, const T &value, const std::string &text)
{
    std::string whole = "[\"v\", " + text + "]";
    if (gr_send(self, peer, "v", value) != 0 ||
        !last_is(self, "inline", whole.c_str())) {
        return false;
    }
    gr_tell(self, peer, "v", value);
    return last_is(self, "tell", whole.c_str());
}

void each_type_has_its_encoding(gr_actor *self)
{
    char array[8] = "abc";
    char *writable = array;
    const char *none = nullptr;
    volatile int shared = 6;
    CHECK(sends(self, static_cast<signed char>(-1), "-1"));
    CHECK(sends(self, static_cast<short>(-300), "-300"));
    CHECK(sends(self, -70000, "-70000"));
    CHECK(sends(self, -5000000000L, "-5000000000"));
    CHECK(sends(self, -5LL, "-5"));
    CHECK(sends(self, static_cast<unsigned char>(255), "255"));
    CHECK(sends(self, static_cast<unsigned short>(65535), "65535"));
    CHECK(sends(self, 128u, "128"));
    CHECK(sends(self, 128ul, "128"));
    CHECK(sends(self, ~0ull, "18446744073709551615"));
    CHECK(sends(self, true, "true"));
    CHECK(sends(self, static_cast<int>(shared), "6"));
    CHECK(sends(self, color::green, "7"));
    CHECK(sends(self, two, "2"));
    CHECK(sends(self, 2.5, "2.5"));
    CHECK(sends(self, 2.5f, "2.5"));
    CHECK(sends(self, "literal", "\"literal\""));
    CHECK(sends(self, array, "\"abc\""));
    CHECK(sends(self, writable, "\"abc\""));
    CHECK(sends(self, none, "nil"));
    CHECK(sends(self, nullptr, "nil"));
    CHECK(sends(self, std::string("a\0b", 3), "\"a\\x00b\""));
    CHECK(sends(self, std::string_view("view"), "\"view\""));
    CHECK(sends(self, gr_str{"text", 2}, "\"te\""));
    CHECK(sends(self, gr_bytes{"\x01", 1}, "<1 bytes: 01>"));
    CHECK(sends(self, gr_any{"\x90", 1}, "[]"));
    CHECK(sends(self, peer, "pid<3.4>"));
    CHECK(sends(self, GR_NOBODY, "nil"));
    CHECK(sends(self, gr_ref{9}, "9"));
    CHECK(sends(self, gr_node{10}, "10"));
    CHECK(sends(self, gr_timer{11}, "11"));
    CHECK(sends(self, gr_nil(), "nil"));
    CHECK(sends(self, gr_bool(false), "false"));
    CHECK(sends(self, gr_bin(array, 2), "<2 bytes: 61 62>"));
}

void lists_nest_and_have_names(gr_actor *self)
{
    CHECK(sends(self, gr_list(1, "two", 3.0), "[1, \"two\", 3.0]"));
    CHECK(sends(self, gr_list(), "[]"));
    CHECK(sends(self, gr_map(), "{}"));
    CHECK(
        sends(self, gr_map("a", 1, "b", gr_list(2)), "{\"a\": 1, \"b\": [2]}"));
    auto inner =
        gr_list(1, gr_list(2, std::string("longer than any short one")));
    auto outer = gr_list(inner, gr_map("k", inner));
    auto copy = outer;
    CHECK(sends(self, copy,
                "[[1, [2, \"longer than any short one\"]], {\"k\": [1, [2, "
                "\"longer than any short one\"]]}]"));
}

void any_number_of_elements(gr_actor *self)
{
    CHECK(gr_send(self, peer, "t") == 0);
    CHECK(last_is(self, "inline", "[\"t\"]"));
    CHECK(gr_send(self, peer, 7, 1, 2, 3) == 0);
    CHECK(last_is(self, "inline", "[7, 1, 2, 3]"));
    CHECK(gr_send(self, peer, color::green, 1, 2, 3, 4) == 0);
    CHECK(last_is(self, "send", "[7, 1, 2, 3, 4]"));
    CHECK(gr_send(self, peer, std::string("t"), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                  11, 12, 13, 14, 15, 16, 17) == 0);
    CHECK(last_is(self, "send",
                  "[\"t\", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, "
                  "16, 17]"));
#ifdef __OPTIMIZE__
    CHECK(gr_send(self, peer, "add", 5) == 0);
    CHECK(recorder_last(self)->puts == 0);
#endif
}

int on_answer(gr_actor *, void *, const gr_msg *)
{
    return 0;
}

void each_verb_passes_everything_on(gr_actor *self)
{
    gr_timer timer{};
    gr_tell(self, peer, "t");
    CHECK(last_is(self, "tell", "[\"t\"]"));
    CHECK(gr_pid_eq(recorder_last(self)->to, peer));
    CHECK(gr_send_urgent(self, peer, "now", 1) == 0);
    CHECK(last_is(self, "send_urgent", "[\"now\", 1]"));
    CHECK(gr_send_wait(self, peer, 7, "room", 2) == 0);
    CHECK(last_is(self, "send_wait", "[\"room\", 2]"));
    CHECK(recorder_last(self)->ms == 7);
    CHECK(gr_send_sure(self, peer, 8, "sure", 3) == 0);
    CHECK(last_is(self, "send_sure", "[\"sure\", 3]"));
    CHECK(recorder_last(self)->ms == 8);
    CHECK(gr_send_then(self, peer, 9, gr_then(on_answer, 4), "then", 5) == 0);
    CHECK(last_is(self, "send_then", "[\"then\", 5]"));
    CHECK(recorder_last(self)->ms == 9 && recorder_last(self)->token == 4);
    CHECK(gr_reply(self, nullptr, "total", 5) == 0);
    CHECK(last_is(self, "reply", "[\"total\", 5]"));
    CHECK(gr_ask(self, peer, 50, gr_then(on_answer, 99), "get", 1) == 0);
    CHECK(last_is(self, "ask", "[\"get\", 1]"));
    CHECK(recorder_last(self)->ms == 50 && recorder_last(self)->token == 99);
    CHECK(gr_after_us(self, 15, &timer, "tick", 2) == 0);
    CHECK(last_is(self, "after_us", "[\"tick\", 2]"));
    CHECK(gr_after(self, 10, &timer, "tick", 1) == 0);
    CHECK(last_is(self, "after", "[\"tick\", 1]"));
    CHECK(recorder_last(self)->ms == 10 && timer.id == 1);
    CHECK(gr_every(self, 20, &timer, "tick") == 0);
    CHECK(last_is(self, "every", "[\"tick\"]"));
    CHECK(recorder_last(self)->ms == 20 && timer.id == 2);
}

void calls_match_their_answer(gr_actor *self)
{
    std::int64_t total = 0;
    gr_str text{};
    CHECK(gr_call(self, peer, 5, gr_expect("ok"), "get") == GR_ETIMEOUT);
    gr_tell(self, peer, "total", 42, "items", "x");
    gr_msg *answer = recorder_keep(self);
    recorder_answer(self, answer);
    CHECK(gr_call(self, peer, 5, gr_expect("total", &total, &text, gr_is("x")),
                  "get", 1) == 0);
    CHECK(last_is(self, "call", "[\"get\", 1]"));
    CHECK(total == 42 && text.len == 5);
    auto expected = gr_expect("total", &total, gr_opt(&text), gr_is("y"));
    CHECK(gr_call(self, peer, 5, expected, "get") == GR_EREPLY);
    gr_pattern pattern = expected;
    CHECK(gr_call(self, peer, 5, pattern, "get") == GR_EREPLY);
    recorder_answer(self, nullptr);
    recorder_forget(self, answer);
}

void each_type_of_output(gr_actor *self)
{
    bool yes = false;
    signed char sc = 0;
    short sh = 0;
    long lo = 0;
    long long ll = 0;
    unsigned char uc = 0;
    unsigned un = 0;
    unsigned long long ull = 0;
    color c = color::red;
    plain p = one;
    CHECK(gr_send(self, peer, "n", true, -1, -2, -4, -5, 1, 3, 5, color::green,
                  two) == 0);
    CHECK(gr_match(recorder_last(self)->msg, "n", &yes, &sc, &sh, &lo, &ll, &uc,
                   &un, &ull, &c, &p));
    CHECK(yes && sc == -1 && sh == -2 && lo == -4 && ll == -5);
    CHECK(uc == 1 && un == 3 && ull == 5 && c == color::green && p == two);

    float fl = 0;
    double dbl = 0;
    gr_str str{};
    gr_bytes bytes{};
    gr_any any{};
    gr_pid pid{};
    gr_ref ref{};
    gr_node node{};
    gr_timer timer{};
    gr_reader rest{};
    CHECK(gr_send(self, peer, 5, 1.5f, 2.5, "s", gr_bin("b", 1), gr_list(1),
                  peer, gr_ref{6}, gr_node{7}, gr_timer{8}, 1, 2) == 0);
    CHECK(gr_match(recorder_last(self)->msg, 5, &fl, &dbl, &str, &bytes, &any,
                   &pid, &ref, &node, &timer, &rest));
    CHECK(fl == 1.5f && dbl == 2.5 && str.len == 1 && bytes.len == 1);
    CHECK(any.len == 2 && gr_pid_eq(pid, peer) && ref.id == 6);
    CHECK(node.id == 7 && timer.id == 8 && rest.left == 2);
}

void optional_equal_and_unpacked(gr_actor *self)
{
    int n = 0;
    gr_str text{"default", 7};
    gr_tell(self, peer, "set", "mode", 5);
    const gr_msg *msg = recorder_last(self)->msg;
    CHECK(gr_match(msg, "set", gr_is("mode"), &n, gr_opt(&text)));
    CHECK(n == 5 && text.len == 7);
    CHECK(!gr_match(msg, "set", gr_is(std::string("made")), &n));
    CHECK(!gr_match(msg, "set"));
    CHECK(gr_match(msg, std::string("set"), &text, gr_opt(gr_is(5))));
    CHECK(gr_unpack(msg, gr_is("set"), &text, &n));
    CHECK(!gr_unpack(msg, gr_is("set"), &text));
    gr_tell(self, peer, 5, gr_list(1, gr_map("k", nullptr)));
    msg = recorder_last(self)->msg;
    CHECK(gr_match(msg, 5, gr_is(gr_list(1, gr_map("k", nullptr)))));
    CHECK(!gr_match(msg, 5, gr_is(gr_list(1, gr_map("k", 0)))));
}

void arguments_of_a_spawn(gr_actor *self)
{
    gr_spawn_opts opts{};
    auto args = gr_args(5, "x", gr_list(1));
    opts.args = args;
    CHECK(opts.args.n == 3);
    CHECK(gr_sendv(self, peer, opts.args.items, opts.args.n) == 0);
    CHECK(last_is(self, "send", "[5, \"x\", [1]]"));
    auto none = gr_args();
    opts.args = none;
    CHECK(opts.args.n == 0);
}

} // namespace

int main()
{
    gr_actor *self = recorder_new();
    CHECK(self != nullptr);
    each_type_has_its_encoding(self);
    lists_nest_and_have_names(self);
    any_number_of_elements(self);
    each_verb_passes_everything_on(self);
    calls_match_their_answer(self);
    each_type_of_output(self);
    optional_equal_and_unpacked(self);
    arguments_of_a_spawn(self);
    recorder_free(self);
    std::puts("ok");
    return 0;
}
