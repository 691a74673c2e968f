/*
 * tests/actors/test_borrow.c - trees and half-packed messages (msgpack.h) end
 * with whoever borrowed them: a handler, a continuation, init, terminate, a
 * thread actor's wait; and nothing is left of them.
 *
 * That a tree has ended is seen by the limit that all trees of a handler share:
 * each of these borrows more than half of it, several times over.
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

/* Borrows more than half of what there is, and leaves a message half packed. */
static void borrow(gr_actor *self)
{
    enum { VALUES = GR_TREE_MAX / 2 + 1 };
    static uint8_t bytes[5 + VALUES] = {0xdd, 0, (uint8_t)(VALUES >> 16),
                                        (uint8_t)(VALUES >> 8 & 0xff),
                                        VALUES & 0xff};
    msgpack_object tree;
    msgpack_object second;
    msgpack_packer pk;
    gr_any any = {bytes, sizeof bytes};
    CHECK_RC(gr_any_tree(self, any, &tree), 0);
    CHECK_INT(tree.via.array.size, VALUES);
    CHECK_RC(gr_any_tree(self, any, &second), GR_ELIMIT);
    CHECK_RC(gr_any_tree(self, (gr_any){"\xdd\x04\x00\x00", 5}, &second),
             GR_EFORMAT);
    CHECK_INT(tree.via.array.ptr[VALUES - 1].type,
              MSGPACK_OBJECT_POSITIVE_INTEGER);
    CHECK_RC(gr_pack_begin(self, &pk), 0);
    msgpack_pack_array(&pk, 2);
    msgpack_pack_bin_with_body(&pk, bytes, 100000);
}

static int borrow_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    borrow(self);
    return ERROR_TEST;
}

static int borrower_init(gr_actor *self, void *state, const gr_msg *args)
{
    msgpack_object tree;
    (void)state;
    borrow(self);
    CHECK_RC(gr_msg_tree(self, args, &tree), 0);
    return 0;
}

static int borrower_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    (void)state, (void)reply;
    borrow(self);
    return 0;
}

static int borrower_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid to;
    (void)state;
    borrow(self);
    if (gr_match(msg, "ask", &to)) {
        return gr_ask(self, to, 10, gr_then(borrower_answer, 0), "you");
    }
    if (gr_match(msg, "fail")) {
        return ERROR_TEST;
    }
    if (gr_match(msg, "leave")) {
        gr_exit(self, 0, NULL);
        return 0;
    }
    if (gr_match(msg, "get")) {
        return gr_reply(self, msg, "got");
    }
    /* "forget": asked, it stays unanswered; "keep": it stays. */
    return !gr_match(msg, "keep") || gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
}

static void borrower_terminate(gr_actor *self, void *state,
                               const gr_exit_reason *why)
{
    (void)state;
    if (why->kind == GR_EXIT_SHUTDOWN) {
        borrow(self);
    }
}

static const gr_behavior borrower = {
    .name = "borrower",
    .init = borrower_init,
    .receive = borrower_receive,
    .terminate = borrower_terminate,
};

static void scene_borrowed(stage *s)
{
    for (int i = 0; i < 3; i++) {
        gr_pid a;
        CHECK_RC(gr_spawn(s->self, &borrower, NULL, &a), 0);
        CHECK_RC(gr_send(s->self, a, "ask", a), 0);
        CHECK_RC(gr_send(s->self, a, "keep"), 0);
        CHECK_RC(gr_send(s->self, a, "keep"), 0);
        CHECK_RC(gr_call(s->self, a, 1000, gr_expect("got"), "get"), 0);
        CHECK_RC(gr_call(s->self, a, 1000, gr_expect("got"), "forget"),
                 GR_ENOREPLY);
        CHECK_RC(gr_call(s->self, a, 1000, gr_expect("got"), "get"), 0);
        CHECK_RC(gr_sleep(s->self, 100), 0); /* the ask's answer, too */
        if (i == 0) {
            CHECK_RC(gr_stop(s->self, a), 0);
        } else {
            CHECK_RC(gr_send(s->self, a, i == 1 ? "fail" : "leave"), 0);
        }
        stage_settle(s);
    }
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, a, borrow_and_fail);
    stage_do(s, b, borrow_and_fail);
    stage_expect_words(s, "+a -a:error +b -b:error");
}

static void test_what_is_borrowed_ends_with_the_handler(void **state)
{
    (void)state;
    each_of_few(scene_borrowed);
}

static void scene_borrowed_by_a_thread(stage *s)
{
    const gr_msg *msg;
    msgpack_packer pk;
    msgpack_object tree;
    gr_pid me = gr_self(s->self);
    borrow(s->self); /* before it has received anything */
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    borrow(s->self);
    CHECK_RC(gr_sleep(s->self, 1), 0);
    borrow(s->self);
    CHECK_RC(gr_call(s->self, stage_puppet(s, 'a'), 60000, gr_expect("x"), "x"),
             GR_ENOREPLY);
    CHECK_RC(gr_send(s->self, me, "one"), 0);
    CHECK_RC(gr_send(s->self, me, "two"), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_RC(gr_receive(s->self, 0, &msg), 0);
        borrow(s->self);
        CHECK_RC(gr_msg_tree(s->self, msg, &tree), 0);
        CHECK_INT(tree.via.array.ptr[0].via.str.size, 3);
    }
    /* A packer of before a wait packs nothing after it. */
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    CHECK_RC(gr_pack_begin(s->self, &pk), 0);
    CHECK_INT(msgpack_pack_array(&pk, 1), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    CHECK(msgpack_pack_int(&pk, 1) != 0);
    CHECK_RC(gr_pack_send(s->self, me, &pk), GR_EINVAL);
    CHECK_RC(gr_pack_begin(s->self, &pk), 0);
    msgpack_pack_array(&pk, 1);
    msgpack_pack_int(&pk, 1);
    CHECK_RC(gr_pack_call(s->self, me, 1, gr_expect("x"), &pk), GR_EINVAL);
    borrow(s->self); /* and is gone as it is */
}

static void test_what_a_thread_borrows_ends_when_it_waits(void **state)
{
    (void)state;
    each_of_few(scene_borrowed_by_a_thread);
    stage s;
    stage_start(&s, 0, NULL); /* and with real threads */
    scene_borrowed_by_a_thread(&s);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_borrowed_ends_with_the_handler),
        cmocka_unit_test(test_what_a_thread_borrows_ends_when_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
