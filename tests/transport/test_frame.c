/*
 * Goal:   what is written is what is read, for every type of frame; nothing
 *         that an enemy can write is read as anything else than an error.
 * Method: each type against the bytes that docs/protocol.md shows; then each
 *         rule broken alone; then every frame cut at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include "transport/bytes.h"
#include "transport/frame.h"

enum { LIMIT = 4096 };

static const uint8_t payload[] = {0x92, 0xa3, 'a', 'd', 'd', 0x05};

/* Writes the frame with its payload; returns its length. */
static size_t whole(uint8_t buf[LIMIT], const gri_frame *f)
{
    size_t n = gri_frame_write(buf, f);
    if (f->len > 0) {
        memcpy(buf + n, f->payload, f->len);
    }
    return n + f->len;
}

/* Reads it with all its payloads. */
static int read_all(const uint8_t *p, size_t n, gri_frame *f,
                    const char **fault)
{
    int rc = gri_frame_read(p, n, f, fault);
    while (rc == 0 && f->more > 0) {
        rc = gri_frame_more(f, fault);
        rc = rc > 0 ? 0 : rc;
    }
    return rc;
}

static void assert_read_fails(const uint8_t *p, size_t n, int rc,
                              const char *fault)
{
    gri_frame f;
    const char *said = NULL;
    assert_int_equal(read_all(p, n, &f, &said), rc);
    assert_string_equal(said, fault);
}

static void ask_has_the_documented_bytes(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {
        0,    0,    0,    0x1f,                         /* 31 bytes follow */
        17,                                             /* ASK */
        0,    0,    0,    0x07, 0,    0,    0,    0x01, /* to */
        0,    0,    0,    0x05, 0,    0,    0,    0x02, /* from */
        0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, /* ref */
        0x92, 0xa3, 'a',  'd',  'd',  0x05};            /* ["add", 5] */
    const gri_frame f = {.type = GRI_FRAME_ASK,
                         .to = UINT64_C(0x0000000700000001),
                         .from = UINT64_C(0x0000000500000002),
                         .ref = UINT64_C(0x1122334455667788),
                         .payload = payload,
                         .len = sizeof payload};
    uint8_t buf[LIMIT];

    size_t n = whole(buf, &f);

    assert_int_equal(n, sizeof bytes);
    assert_memory_equal(buf, bytes, n);
}

static void down_has_the_documented_bytes(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {
        0,    0,    0,    0x22,             /* 34 bytes follow */
        26,                                 /* DOWN */
        0,    0,    0,    0,    0, 0, 0, 1, /* to */
        0,    0,    0,    0,    0, 0, 0, 2, /* from */
        0,    0,    0,    0,    0, 0, 0, 3, /* ref */
        2,                                  /* GR_EXIT_ERROR */
        0xff, 0xff, 0xff, 0xfe,             /* GR_EINVAL */
        3,    'b',  'a',  'd'};
    const gri_frame f = {.type = GRI_FRAME_DOWN,
                         .to = 1,
                         .from = 2,
                         .ref = 3,
                         .why = {GR_EXIT_ERROR, GR_EINVAL, "bad"}};
    uint8_t buf[LIMIT];

    size_t n = whole(buf, &f);

    assert_int_equal(n, sizeof bytes);
    assert_memory_equal(buf, bytes, n);
}

static void link_and_unlink_have_the_documented_bytes(void **state)
{
    (void)state;
    static const uint8_t types[] = {21, 22}; /* LINK, UNLINK */
    static const gri_frame_type named[] = {GRI_FRAME_LINK, GRI_FRAME_UNLINK};
    for (size_t i = 0; i < sizeof types; i++) {
        const uint8_t bytes[] = {
            0,        0,    0,    0x19,              /* 25 bytes follow */
            types[i],                                /* the type */
            0,        0,    0,    7,    0, 0, 0, 1,  /* to */
            0,        0,    0,    5,    0, 0, 0, 2,  /* from */
            0x11,     0x22, 0x33, 0x44, 0, 0, 0, 3}; /* ref */
        const gri_frame f = {.type = named[i],
                             .to = UINT64_C(0x0000000700000001),
                             .from = UINT64_C(0x0000000500000002),
                             .ref = UINT64_C(0x1122334400000003)};
        uint8_t buf[LIMIT];

        size_t n = whole(buf, &f);

        assert_int_equal(n, sizeof bytes);
        assert_memory_equal(buf, bytes, n);
    }
}

/* One of each type, with every field that the type has. */
static const gri_frame samples[] = {
    {.type = GRI_FRAME_HEARTBEAT},
    {.type = GRI_FRAME_PING},
    {.type = GRI_FRAME_PONG},
    {.type = GRI_FRAME_BYE},
    {.type = GRI_FRAME_BYE_ACK},
    {.type = GRI_FRAME_SLOWED},
    {.type = GRI_FRAME_CREDIT, .count = UINT32_MAX},
    {.type = GRI_FRAME_SLOW, .to = 1, .from = 2},
    {.type = GRI_FRAME_RESUME, .to = 1, .from = 2},
    {.type = GRI_FRAME_SEND,
     .to = 1,
     .from = UINT64_MAX,
     .payload = payload,
     .len = sizeof payload},
    {.type = GRI_FRAME_CONFIRM,
     .to = 3,
     .from = 4,
     .ref = UINT64_MAX - 1,
     .payload = payload,
     .len = sizeof payload},
    {.type = GRI_FRAME_ASK,
     .to = UINT64_MAX,
     .from = 2,
     .ref = 3,
     .payload = payload,
     .len = sizeof payload},
    {.type = GRI_FRAME_REPLY,
     .to = 1,
     .from = 2,
     .ref = UINT64_MAX,
     .payload = payload,
     .len = sizeof payload},
    {.type = GRI_FRAME_REPLY,
     .to = 1,
     .from = 2,
     .ref = 3,
     .status = GR_ENOREPLY},
    {.type = GRI_FRAME_STOP, .to = 1, .from = 2},
    {.type = GRI_FRAME_KILL, .to = 1},
    {.type = GRI_FRAME_LINK, .to = 1, .from = 2, .ref = 3},
    {.type = GRI_FRAME_UNLINK, .to = 1, .from = 2, .ref = 3},
    {.type = GRI_FRAME_EXIT,
     .to = 1,
     .from = 2,
     .why = {GR_EXIT_SIGNAL, 9, "killed from outside"}},
    {.type = GRI_FRAME_MONITOR, .to = 1, .from = 2, .ref = 3},
    {.type = GRI_FRAME_DEMONITOR, .to = 1, .from = 2, .ref = 3},
    {.type = GRI_FRAME_DOWN,
     .to = 1,
     .from = 2,
     .ref = 3,
     /* the longest text that a reason can have */
     .why = {GR_EXIT_ERROR, INT32_MIN,
             "123456789012345678901234567890123456789012345678901234567890"
             "123"}},
};
enum { SAMPLES = sizeof samples / sizeof samples[0] };

static void every_type_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const gri_frame *in = &samples[i];
        gri_frame out;
        const char *fault = NULL;
        uint8_t buf[LIMIT];
        size_t n = whole(buf, in);

        assert_int_equal(gri_frame_read(buf, n, &out, &fault), 0);

        assert_int_equal(out.type, in->type);
        assert_int_equal(out.to, in->to);
        assert_int_equal(out.from, in->from);
        assert_int_equal(out.ref, in->ref);
        assert_int_equal(out.status, in->status);
        assert_int_equal(out.len, in->len);
        if (in->len > 0) {
            assert_memory_equal(out.payload, in->payload, in->len);
        }
        if (in->type == GRI_FRAME_EXIT || in->type == GRI_FRAME_DOWN) {
            assert_memory_equal(&out.why, &in->why, sizeof in->why);
        }
    }
}

static void no_frame_is_longer_than_its_room(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t buf[GRI_FRAME_FIXED_MAX];

        size_t n = gri_frame_write(buf, &samples[i]);

        assert_in_range(n, GRI_FRAME_HEAD, GRI_FRAME_FIXED_MAX);
        if (samples[i].len > 0) {
            assert_true(n < GRI_FRAME_EXTRA);
        }
    }
}

static void split_finds_the_end(void **state)
{
    (void)state;
    uint8_t buf[LIMIT];
    size_t need = 0;
    size_t n = whole(buf, &samples[5]);

    for (size_t here = 0; here < n; here++) {
        assert_int_equal(gri_frame_split(buf, here, LIMIT, &need), 0);
        assert_int_equal(need, here < 4 ? GRI_FRAME_HEAD : n);
    }
    assert_int_equal(gri_frame_split(buf, n, LIMIT, &need), n);
    assert_int_equal(gri_frame_split(buf, n + 100, LIMIT, &need), n);
    assert_int_equal(gri_frame_split(buf, n, n, &need), n);
    assert_int_equal(gri_frame_split(buf, n, n - 1, &need), GR_ETOOBIG);
}

static void split_judges_the_length_word_alone(void **state)
{
    (void)state;
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff};
    static const uint8_t none[] = {0, 0, 0, 0};
    size_t need = 0;

    assert_int_equal(gri_frame_split(huge, 4, LIMIT, &need), GR_ETOOBIG);
    assert_int_equal(gri_frame_split(none, 4, LIMIT, &need), GR_EFORMAT);
    /* The sum of the largest length and its own word must not wrap around. */
    assert_int_equal(gri_frame_split(huge, 4, SIZE_MAX, &need), 0);
    assert_int_equal(need, (size_t)UINT32_MAX + 4);
}

static void unknown_types_are_refused(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bool known =
            (type >= GRI_FRAME_HEARTBEAT && type <= GRI_FRAME_SLOWED) ||
            (type >= GRI_FRAME_SEND && type <= GRI_FRAME_CONFIRM);
        const uint8_t frame[] = {0, 0, 0, 1, (uint8_t)type};
        if (!known) {
            assert_read_fails(frame, sizeof frame, GR_ENOTSUP,
                              "unknown type of frame");
        }
    }
}

static void frames_cut_at_any_byte_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint8_t buf[LIMIT];
        size_t n = whole(buf, &samples[i]);
        for (size_t cut = 0; cut < n; cut++) {
            gri_frame f;
            const char *fault = NULL;
            int rc = gri_frame_read(buf, cut, &f, &fault);
            assert_true(rc == GR_EFORMAT);
            assert_non_null(fault);
        }
    }
}

static void longer_frames_than_their_type_has_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        gri_frame f;
        const char *fault = NULL;
        uint8_t buf[LIMIT];
        size_t n = whole(buf, &samples[i]);
        buf[n] = 0;
        assert_int_equal(read_all(buf, n + 1, &f, &fault), GR_EFORMAT);
        assert_non_null(fault);
    }
}

static void frames_to_nobody_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        gri_frame f = samples[i];
        uint8_t buf[LIMIT];
        if (f.to == 0) {
            continue; /* between nodes */
        }
        f.to = 0;
        assert_read_fails(buf, whole(buf, &f), GR_EFORMAT, "frame to nobody");
    }
}

/* Nobody could be answered. */
static void what_is_answered_comes_from_somebody(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        gri_frame f = samples[i];
        gri_frame out;
        const char *fault = NULL;
        uint8_t buf[LIMIT];
        f.from = 0;
        size_t n = whole(buf, &f);
        if (f.type == GRI_FRAME_ASK || f.type == GRI_FRAME_CONFIRM ||
            f.type == GRI_FRAME_LINK || f.type == GRI_FRAME_MONITOR) {
            assert_read_fails(buf, n, GR_EFORMAT, "answer wanted by nobody");
        } else {
            assert_int_equal(gri_frame_read(buf, n, &out, &fault), 0);
        }
    }
}

static void assert_payload_fails(const void *p, size_t n, int rc,
                                 const char *fault)
{
    const gri_frame f = {
        .type = GRI_FRAME_SEND, .to = 1, .payload = p, .len = (uint32_t)n};
    uint8_t buf[LIMIT];
    assert_read_fails(buf, whole(buf, &f), rc, fault);
}

static void payloads_that_are_no_message_are_refused(void **state)
{
    (void)state;
    assert_payload_fails("", 0, GR_EFORMAT, "payload is no message");
    assert_payload_fails("\x90", 1, GR_EFORMAT, "payload is no message");
    assert_payload_fails("\x05", 1, GR_EFORMAT, "payload is no message");
    assert_payload_fails("\x81\x01\x02", 3, GR_EFORMAT,
                         "payload is no message");
    assert_payload_fails("\xdc\x00\x00", 3, GR_EFORMAT,
                         "payload is no message");
    assert_payload_fails("\xdc\x00", 2, GR_EFORMAT, "payload is no message");
    assert_payload_fails("\xdd\x00\x00\x00\x00", 5, GR_EFORMAT,
                         "payload is no message");
    /* an array, but not whole, or not alone */
    assert_payload_fails("\x92\x01", 2, GR_EFORMAT, "payload is not msgpack");
    assert_payload_fails("\x91\x01\x02", 3, GR_EFORMAT,
                         "payload is no message");
    assert_payload_fails("\xdd\xff\xff\xff\xff\x01", 6, GR_EFORMAT,
                         "payload is not msgpack");
    assert_payload_fails("\x91\xc1", 2, GR_EFORMAT, "payload is not msgpack");
}

static void one_frame_carries_many_messages(void **state)
{
    (void)state;
    static const uint8_t three[] = {0x91, 0x01, 0x92, 0xa1,
                                    'x',  0xc0, 0x91, 0x90};
    gri_frame f = {
        .type = GRI_FRAME_SEND, .to = 7, .payload = three, .len = sizeof three};
    const char *fault = NULL;
    uint8_t buf[LIMIT];

    assert_int_equal(gri_frame_read(buf, whole(buf, &f), &f, &fault), 0);
    assert_int_equal(f.len, 2);
    assert_memory_equal(f.payload, three, 2);
    assert_int_equal(gri_frame_more(&f, &fault), 1);
    assert_int_equal(f.len, 4);
    assert_memory_equal(f.payload, three + 2, 4);
    assert_int_equal(gri_frame_more(&f, &fault), 1);
    assert_int_equal(f.len, 2);
    assert_int_equal(gri_frame_more(&f, &fault), 0);
    assert_int_equal(f.to, 7);
}

static void questions_and_answers_carry_one(void **state)
{
    (void)state;
    static const uint8_t two[] = {0x91, 0x01, 0x91, 0x02};
    for (unsigned type = GRI_FRAME_ASK; type <= GRI_FRAME_REPLY; type++) {
        const gri_frame f = {.type = (gri_frame_type)type,
                             .to = 1,
                             .from = 2,
                             .payload = two,
                             .len = sizeof two};
        uint8_t buf[LIMIT];
        assert_read_fails(buf, whole(buf, &f), GR_EFORMAT,
                          "bytes behind the payload");
    }
}

static void credit_and_parts_are_of_something(void **state)
{
    (void)state;
    uint8_t buf[LIMIT];
    gri_frame f = {.type = GRI_FRAME_CREDIT};
    assert_read_fails(buf, whole(buf, &f), GR_EFORMAT, "credit of nothing");
    f = (gri_frame){.type = GRI_FRAME_PART};
    assert_read_fails(buf, whole(buf, &f), GR_EFORMAT, "part of nothing");
}

static void deep_payloads_are_refused(void **state)
{
    (void)state;
    uint8_t deep[2000];
    memset(deep, 0x91, sizeof deep);
    deep[sizeof deep - 1] = 0x01;
    assert_payload_fails(deep, sizeof deep, GR_ELIMIT,
                         "payload nested too deep");
}

static void long_arrays_are_messages(void **state)
{
    (void)state;
    static const uint8_t wide[] = {0xdc, 0, 1, 0x05};
    static const uint8_t wider[] = {0xdd, 0, 0, 0, 1, 0x05};
    const gri_frame f = {
        .type = GRI_FRAME_SEND, .to = 1, .payload = wide, .len = sizeof wide};
    const gri_frame g = {
        .type = GRI_FRAME_SEND, .to = 1, .payload = wider, .len = sizeof wider};
    gri_frame out;
    const char *fault = NULL;
    uint8_t buf[LIMIT];

    assert_int_equal(gri_frame_read(buf, whole(buf, &f), &out, &fault), 0);
    assert_int_equal(gri_frame_read(buf, whole(buf, &g), &out, &fault), 0);
}

static void answers_say_yes_with_words_or_no(void **state)
{
    (void)state;
    gri_frame f = {.type = GRI_FRAME_REPLY, .to = 1, .ref = 2};
    uint8_t buf[LIMIT];

    assert_read_fails(buf, whole(buf, &f), GR_EFORMAT, "payload is no message");
    f.status = 1;
    assert_read_fails(buf, whole(buf, &f), GR_EFORMAT, "status above zero");
}

static void bad_reasons_are_refused(void **state)
{
    (void)state;
    const gri_frame f = {.type = GRI_FRAME_EXIT, .to = 1, .why = {.text = "x"}};
    uint8_t buf[LIMIT];
    size_t n = whole(buf, &f);
    size_t kind_at = GRI_FRAME_HEAD + 16;

    buf[kind_at] = GR_EXIT_SIGNAL + 1;
    assert_read_fails(buf, n, GR_EFORMAT, "unknown kind of exit");
    buf[kind_at] = 0;
    buf[kind_at + 6] = 0;
    assert_read_fails(buf, n, GR_EFORMAT, "zero byte in the text of an exit");
    buf[kind_at + 6] = 'x';
    buf[kind_at] = 0;
    buf[kind_at + 5] = 2; /* of one byte of text */
    assert_read_fails(buf, n, GR_EFORMAT, "text of an exit too long");
    buf[kind_at + 5] = 0; /* and one too many */
    assert_read_fails(buf, n, GR_EFORMAT, "frame too long");
    memset(buf + kind_at + 5, GR_EXIT_TEXT_MAX + 1, GR_EXIT_TEXT_MAX + 2);
    assert_read_fails(buf, kind_at + 6 + GR_EXIT_TEXT_MAX + 1, GR_EFORMAT,
                      "text of an exit too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ask_has_the_documented_bytes),
        cmocka_unit_test(down_has_the_documented_bytes),
        cmocka_unit_test(link_and_unlink_have_the_documented_bytes),
        cmocka_unit_test(every_type_is_read_as_it_was_written),
        cmocka_unit_test(no_frame_is_longer_than_its_room),
        cmocka_unit_test(split_finds_the_end),
        cmocka_unit_test(split_judges_the_length_word_alone),
        cmocka_unit_test(unknown_types_are_refused),
        cmocka_unit_test(frames_cut_at_any_byte_are_refused),
        cmocka_unit_test(longer_frames_than_their_type_has_are_refused),
        cmocka_unit_test(frames_to_nobody_are_refused),
        cmocka_unit_test(what_is_answered_comes_from_somebody),
        cmocka_unit_test(payloads_that_are_no_message_are_refused),
        cmocka_unit_test(one_frame_carries_many_messages),
        cmocka_unit_test(questions_and_answers_carry_one),
        cmocka_unit_test(credit_and_parts_are_of_something),
        cmocka_unit_test(deep_payloads_are_refused),
        cmocka_unit_test(long_arrays_are_messages),
        cmocka_unit_test(answers_say_yes_with_words_or_no),
        cmocka_unit_test(bad_reasons_are_refused),
    };
    return cmocka_run_group_tests_name("transport/frame", tests, NULL, NULL);
}
