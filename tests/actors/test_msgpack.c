/*
 * tests/actors/test_msgpack.c - messages by msgpack-c itself: what its packer
 * writes arrives as it was, what arrives is the tree that it would read, and
 * what is no message is not sent. That they end is proved by test_borrow.c.
 */
#include <greenroom/msgpack.h>

#include "tests/support/stage.h"

/* As stage_each_seed, for scenes of much memory. */
static void each_of_few(void (*scene)(stage *s))
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        stage s;
        stage_start(&s, seed, NULL);
        scene(&s);
        stage_end(&s);
    }
}

/* ---- all that msgpack can say ---- */

static void pack_integers(msgpack_packer *pk)
{
    msgpack_pack_array(pk, 192); /* three for each bit */
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t x = UINT64_C(1) << bit;
        msgpack_pack_uint64(pk, x - 1);
        msgpack_pack_uint64(pk, x);
        msgpack_pack_int64(pk, -(int64_t)(x >> 1) - 1);
    }
}

static void pack_lengths(msgpack_packer *pk)
{
    static const uint32_t lengths[] = {0,  1,  2,   3,   4,    8,     15,   16,
                                       31, 32, 255, 256, 4095, 65535, 65536};
    static const char text[65536];
    msgpack_pack_array(pk, 75); /* five for each length */
    for (unsigned i = 0; i < 15; i++) {
        msgpack_pack_str_with_body(pk, text, lengths[i]);
        msgpack_pack_bin_with_body(pk, text, lengths[i]);
        msgpack_pack_ext_with_body(pk, text, lengths[i], (int8_t)(7 * i));
        /* Of the two largest one will do: the trees have a limit. */
        uint32_t n = lengths[i] == 65535 ? 4096 : lengths[i];
        msgpack_pack_array(pk, n);
        for (unsigned k = 0; k < n; k++) {
            msgpack_pack_false(pk);
        }
        msgpack_pack_map(pk, n);
        for (unsigned k = 0; k < n; k++) {
            msgpack_pack_unsigned_int(pk, k);
            msgpack_pack_nil(pk);
        }
    }
}

/* ["all", ...], by any packer. */
static void pack_all(msgpack_packer *pk)
{
    msgpack_timestamp time = {.tv_sec = 1234567890123, .tv_nsec = 999999999};
    msgpack_pack_array(pk, 9);
    msgpack_pack_str_with_body(pk, "all", 3);
    pack_integers(pk);
    pack_lengths(pk);
    msgpack_pack_true(pk);
    msgpack_pack_float(pk, 0.25f);
    msgpack_pack_double(pk, 0.1);
    msgpack_pack_timestamp(pk, &time);
    msgpack_pack_fix_int64(pk, 1); /* longer than it need be */
    for (unsigned i = 2; i < GR_DEPTH_MAX; i++) {
        msgpack_pack_array(pk, 1);
    }
    msgpack_pack_map(pk, 0);
}

/* Whether a message is the one of pack_all, to the byte. */
static bool is_all(gr_any any)
{
    msgpack_sbuffer want;
    msgpack_packer pk;
    msgpack_sbuffer_init(&want);
    msgpack_packer_init(&pk, &want, msgpack_sbuffer_write);
    pack_all(&pk);
    bool same =
        any.len == want.size && memcmp(any.ptr, want.data, want.size) == 0;
    msgpack_sbuffer_destroy(&want);
    return same;
}

/* Whether the tree of a message is the one that msgpack-c makes by itself. */
static void check_tree(gr_actor *self, const gr_msg *msg)
{
    gr_any any = gr_msg_bytes(msg);
    msgpack_object tree;
    msgpack_object again;
    msgpack_unpacked want;
    CHECK_RC(gr_msg_tree(self, msg, &tree), 0);
    CHECK_RC(gr_any_tree(self, any, &again), 0);
    msgpack_unpacked_init(&want);
    CHECK(msgpack_unpack_next(&want, any.ptr, any.len, NULL) ==
          MSGPACK_UNPACK_SUCCESS);
    CHECK(msgpack_object_equal(tree, want.data));
    CHECK(msgpack_object_equal(again, want.data)); /* side by side */
    msgpack_unpacked_destroy(&want);
    const char *text = tree.via.array.ptr[0].via.str.ptr;
    CHECK(text > (const char *)any.ptr &&
          text < (const char *)any.ptr + any.len);
}

static int answer_all(gr_actor *self, puppet *p, const gr_msg *msg)
{
    msgpack_object tree;
    msgpack_packer pk;
    if (!gr_msg_asked(msg)) {
        CHECK(is_all(gr_msg_bytes(msg)));
        check_tree(self, msg);
        stage_note(p->on, "told");
        return 0;
    }
    CHECK(is_all(gr_msg_bytes(msg)));
    check_tree(self, msg);
    CHECK_RC(gr_msg_tree(self, msg, &tree), 0);
    stage_note(p->on, "asked");
    if (p->n++ % 2 == 0) { /* a tree is as good as a packer */
        return gr_reply(self, msg, "tree", gr_object(&tree.via.array.ptr[1]),
                        5);
    }
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    msgpack_pack_object(&pk, tree);
    return gr_pack_reply(self, msg, &pk);
}

static int listen_to_all(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = answer_all;
    return 0;
}

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    puppet *p = state;
    msgpack_object tree;
    CHECK_RC(gr_msg_status(reply), 0);
    CHECK_INT(gr_msg_token(reply), 7);
    CHECK_RC(gr_msg_tree(self, reply, &tree), 0);
    CHECK_INT(tree.via.array.size, p->n++ == 0 ? 3 : 9);
    stage_note(p->on, "answered");
    return 0;
}

static int send_all(gr_actor *self, puppet *p, const gr_msg *msg)
{
    msgpack_packer pk;
    (void)msg;
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    pack_all(&pk);
    CHECK_RC(gr_pack_send(self, p->peer, &pk), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_RC(gr_pack_begin(self, &pk), 0);
        pack_all(&pk);
        CHECK_RC(gr_pack_ask(self, p->peer, 1000, gr_then(on_answer, 7), &pk),
                 0);
    }
    return 0;
}

static void scene_all(stage *s)
{
    gr_pid a = stage_begun(s, 'a', "a", listen_to_all);
    gr_pid b = stage_puppet(s, 'b');
    gr_actor_info info;
    stage_do_to(s, b, send_all, a);
    stage_expect_words(s, "+a +b told asked asked answered answered");
    CHECK_RC(gr_actor_inspect(s->sys, b, &info), 0);
    CHECK_INT(info.sent, 3); /* counted as any other message */
}

static void test_all_shapes_between_handlers(void **state)
{
    (void)state;
    each_of_few(scene_all);
}

/* The thread actor's side of it. */
static void ask_all(gr_actor *self, gr_pid a)
{
    msgpack_packer pk;
    gr_any list;
    int five = 0;
    msgpack_object tree;
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    pack_all(&pk);
    CHECK_RC(gr_pack_call(self, a, 60000, gr_expect("tree", &list, &five), &pk),
             0);
    CHECK_INT(five, 5);
    CHECK_RC(gr_any_tree(self, list, &tree), 0);
    CHECK_INT(tree.via.array.size, 3 * 64);
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    pack_all(&pk);
    gr_reader rest = {0};
    CHECK_RC(gr_pack_call(self, a, 60000, gr_expect("all", &rest), &pk), 0);
    CHECK_INT(rest.left, 8);
}

static void scene_all_from_a_thread(stage *s)
{
    gr_pid a = stage_begun(s, 'a', "a", listen_to_all);
    for (int i = 0; i < 2; i++) {
        ask_all(s->self, a);
        stage_expect(s, i == 0 ? "+a asked asked" : "asked asked");
    }
}

static void test_all_shapes_from_a_thread(void **state)
{
    (void)state;
    each_of_few(scene_all_from_a_thread);
}

static void test_all_shapes_on_workers(void **state)
{
    (void)state;
    stage s;
    stage_start(&s, 0, NULL);
    gr_pid a = stage_begun(&s, 'a', "a", listen_to_all);
    for (int i = 0; i < 5; i++) {
        ask_all(s.self, a);
    }
    stage_end(&s);
}

/* ---- pids ---- */

static int pass_pids(gr_actor *self, puppet *p, const gr_msg *msg)
{
    msgpack_packer pk;
    gr_pid me = gr_self(self);
    gr_pid here = {0, me.id};
    (void)msg;
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    msgpack_pack_array(&pk, 4);
    msgpack_pack_uint8(&pk, 9); /* a tag may be a number */
    CHECK_RC(gr_pack_pid(self, &pk, me), 0);
    CHECK_RC(gr_pack_pid(self, &pk, here), 0);
    CHECK_RC(gr_pack_pid(self, &pk, GR_NOBODY), 0);
    return gr_pack_send(self, p->peer, &pk);
}

static void scene_pids(stage *s)
{
    const gr_msg *msg;
    gr_pid a = stage_puppet(s, 'a');
    gr_pid pids[3];
    msgpack_object tree;
    stage_do_to(s, a, pass_pids, gr_self(s->self));
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, 9, &pids[0], &pids[1], &pids[2]));
    CHECK(gr_pid_eq(pids[0], a) && gr_pid_eq(pids[1], a));
    CHECK(gr_pid_is_nobody(pids[2]));
    memset(pids, 1, sizeof pids);
    CHECK_RC(gr_msg_tree(s->self, msg, &tree), 0);
    for (unsigned i = 0; i < 3; i++) {
        CHECK(gr_object_pid(&tree.via.array.ptr[i + 1], &pids[i]));
    }
    CHECK(gr_pid_eq(pids[0], a) && gr_pid_eq(pids[1], a));
    CHECK(gr_pid_is_nobody(pids[2]));

    gr_pid untouched = pids[0];
    CHECK(!gr_object_pid(&tree.via.array.ptr[0], &untouched));
    CHECK(!gr_object_pid(&tree, &untouched));
    tree.via.array.ptr[1].via.ext.type++;
    CHECK(!gr_object_pid(&tree.via.array.ptr[1], &untouched));
    tree.via.array.ptr[2].via.ext.size--;
    CHECK(!gr_object_pid(&tree.via.array.ptr[2], &untouched));
    CHECK(gr_pid_eq(untouched, a));
}

static void test_pids_travel(void **state)
{
    (void)state;
    stage_each_seed(scene_pids, NULL);
}

/* ---- what is no message ---- */

static int try_send(gr_actor *self, gr_pid to, const char *bytes, size_t n)
{
    msgpack_packer pk;
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    CHECK_INT(pk.callback(pk.data, bytes, n), 0);
    int rc = gr_pack_send(self, to, &pk);
    CHECK_RC(gr_pack_send(self, to, &pk), GR_EINVAL); /* it is over */
    return rc;
}

#define TRY(text) try_send(self, to, text, sizeof(text) - 1)

static void check_refusals(gr_actor *self, gr_pid to)
{
    char deep[GR_DEPTH_MAX + 2];
    CHECK_RC(TRY(""), GR_EINVAL);
    CHECK_RC(TRY("\x90"), GR_EINVAL);          /* no tag */
    CHECK_RC(TRY("\x91\xc0"), GR_EINVAL);      /* nil is none */
    CHECK_RC(TRY("\x91\xc4\x01x"), GR_EINVAL); /* nor are bytes */
    CHECK_RC(TRY("\x91\x91\x01"), GR_EINVAL);  /* nor is a list */
    CHECK_RC(TRY("\x81\x01\x01"), GR_EINVAL);  /* a map */
    CHECK_RC(TRY("\xa1x"), GR_EINVAL);         /* a text */
    CHECK_RC(TRY("\x92\x01"), GR_EINVAL);      /* one is missing */
    CHECK_RC(TRY("\x91\x01\x01"), GR_EINVAL);  /* one is too many */
    CHECK_RC(TRY("\x91\xc1"), GR_EINVAL);      /* no value at all */
    CHECK_RC(TRY("\xdd\x04\x00\x00\x00"), GR_EINVAL);
    memset(deep, '\x91', sizeof deep);
    deep[0] = '\x92';
    deep[1] = '\x01';
    deep[sizeof deep - 1] = '\xc0';
    CHECK_RC(try_send(self, to, deep + 1, sizeof deep - 1), GR_EINVAL);
    CHECK_RC(try_send(self, GR_NOBODY, "\x91\x01", 2), GR_EINVAL);
    CHECK_RC(TRY("\x91\x01"), 0);
    CHECK_RC(TRY("\x91\xff"), 0);
    CHECK_RC(TRY("\x91\xa1y"), 0);
}

static void check_depth(gr_actor *self, gr_pid to)
{
    msgpack_packer pk;
    for (unsigned levels = GR_DEPTH_MAX; levels <= GR_DEPTH_MAX + 1; levels++) {
        CHECK_RC(gr_pack_begin(self, &pk), 0);
        msgpack_pack_array(&pk, 2);
        msgpack_pack_true(&pk);
        for (unsigned i = 1; i < levels; i++) {
            msgpack_pack_array(&pk, 1);
        }
        msgpack_pack_nil(&pk);
        CHECK_RC(gr_pack_send(self, to, &pk),
                 levels > GR_DEPTH_MAX ? GR_ELIMIT : GR_EINVAL);
    }
}

static int misuse(gr_actor *self, puppet *p, const gr_msg *msg)
{
    msgpack_packer pk;
    msgpack_packer other = {0};
    gr_continuation then = gr_then(on_answer, 0);
    CHECK_RC(gr_pack_send(self, p->peer, &other), GR_EINVAL);
    check_refusals(self, p->peer);
    check_depth(self, p->peer);
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    CHECK_RC(gr_pack_begin(self, &other), GR_EINVAL); /* one at a time */
    CHECK_RC(gr_pack_send(self, p->peer, &other), GR_EINVAL);
    gr_pack_cancel(self, &other); /* of nothing */
    msgpack_pack_array(&pk, 1);
    msgpack_pack_int(&pk, 1);
    CHECK_RC(gr_send(self, p->peer, "meanwhile"), 0);
    CHECK_RC(gr_pack_reply(self, msg, &pk), GR_EINVAL); /* was not asked */
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    gr_pack_cancel(self, &pk);
    CHECK(msgpack_pack_nil(&pk) != 0);
    CHECK_RC(gr_pack_ask(self, p->peer, 1, then, &pk), GR_EINVAL);
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    msgpack_pack_array(&pk, 1);
    msgpack_pack_int(&pk, 1);
    CHECK_RC(gr_pack_ask(self, p->peer, 0, then, &pk), GR_EINVAL);
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    msgpack_pack_array(&pk, 1);
    msgpack_pack_int(&pk, 1);
    CHECK_RC(gr_pack_ask(self, GR_NOBODY, 1, then, &pk), GR_EINVAL);
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    msgpack_pack_array(&pk, 1);
    msgpack_pack_int(&pk, 1);
    CHECK_RC(gr_pack_call(self, p->peer, 1, gr_expect("x"), &pk), GR_ENOTSUP);
    return 0;
}

static void scene_misuse(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, a, misuse, b);
    stage_expect_words(s, "+a +b b:? b:? b:y b:meanwhile");
}

static void test_what_is_no_message_is_not_sent(void **state)
{
    (void)state;
    stage_each_seed(scene_misuse, NULL);
}

static int too_big(gr_actor *self, puppet *p, const gr_msg *msg)
{
    static const char text[1000];
    msgpack_packer pk;
    msgpack_object object = {.type = MSGPACK_OBJECT_BIN};
    (void)msg;
    for (unsigned n = 990; n < 1000; n++) {
        CHECK_RC(gr_pack_begin(self, &pk), 0);
        msgpack_pack_array(&pk, 2);
        msgpack_pack_int(&pk, 1);
        int rc = msgpack_pack_bin_with_body(&pk, text, n);
        CHECK((rc == 0) == (2 + 3 + n <= 1000));
        CHECK_RC(gr_pack_send(self, p->peer, &pk), rc == 0 ? 0 : GR_ETOOBIG);
        CHECK_RC(gr_pack_send(self, p->peer, &pk), GR_EINVAL);
        object.via.bin.size = n;
        object.via.bin.ptr = text;
        CHECK_RC(gr_send(self, p->peer, 2, gr_object(&object)),
                 rc == 0 ? 0 : GR_ETOOBIG);
    }
    return 0;
}

static void scene_too_big(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, a, too_big, b);
    stage_expect_words(s, "+a +b b:? b:? b:? b:? b:? b:? b:? b:? b:? b:? "
                          "b:? b:?");
}

static void test_a_message_has_the_systems_limit(void **state)
{
    (void)state;
    stage_each_seed(scene_too_big, &(gr_system_opts){.message_max = 1000});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_shapes_between_handlers),
        cmocka_unit_test(test_all_shapes_from_a_thread),
        cmocka_unit_test(test_all_shapes_on_workers),
        cmocka_unit_test(test_pids_travel),
        cmocka_unit_test(test_what_is_no_message_is_not_sent),
        cmocka_unit_test(test_a_message_has_the_systems_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
