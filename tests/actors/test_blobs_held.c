/*
 * tests/actors/test_blobs_held.c - blobs in messages that somebody holds or
 * passes on: questions and answers, timers, kept and forwarded messages, and
 * what leaves for other nodes.
 */
#include "tests/support/blobs.h"
#include "tests/support/fake_route.h"

/* ---- questions ---------------------------------------------------------- */

/* Sends back what it was given, as one of its own, a byte longer. */
static int answer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_bytes bytes;
    int n;
    CHECK(gr_match(msg, "blob", &n, &bytes));
    gr_blob *blob = gr_blob_take(self, msg, bytes);
    CHECK(gr_blob_data(blob) == blob_it.data);
    ((uint8_t *)gr_blob_data(blob))[0]++;
    CHECK_RC(gr_reply(self, msg, "back", gr_list(gr_move(&blob))), GR_EINVAL);
    CHECK(blob != NULL);
    CHECK_RC(gr_reply(self, msg, "back", n, gr_move(&blob)), 0);
    CHECK(blob == NULL);
    blob = blob_new(self, 10, 0);
    CHECK_RC(gr_reply(self, msg, "back", n, gr_move(&blob)), GR_EINVAL);
    CHECK(blob != NULL);
    stage_note(p->on, "answered");
    return 0;
}

static int be_answerer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = answer;
    return 0;
}

static void scene_call(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    gr_bytes bytes;
    int n;
    stage_do(s, a, be_answerer);
    stage_do(s, b, puppet_leave);
    blob_make(s);
    CHECK_RC(gr_call(s->self, a, 100, gr_expect("back", &n, &bytes), "blob", 6,
                     gr_move(&blob_it.blob)),
             0);
    CHECK(blob_it.blob == NULL);
    CHECK_INT(n, 6);
    CHECK(bytes.ptr == blob_it.data);
    blob_it.blob = gr_blob_take(s->self, NULL, bytes);
    CHECK(gr_blob_data(blob_it.blob) == blob_it.data);
    CHECK_INT(((uint8_t *)gr_blob_data(blob_it.blob))[0], 8);
    ((uint8_t *)gr_blob_data(blob_it.blob))[0]--;
    CHECK_RC(gr_call(s->self, b, 100, gr_expect("back", &n, &bytes), "blob", 6,
                     gr_move(&blob_it.blob)),
             GR_ENOPROC);
    CHECK(blob_it.blob == NULL); /* it was accepted, and died there */
    CHECK_INT(blob_memory.count, 0);
}

static void test_calls_and_replies(void **state)
{
    (void)state;
    blob_each_seed(scene_call, NULL);
}

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    puppet *p = state;
    gr_bytes bytes;
    int n;
    if (gr_msg_status(reply) < 0) {
        stage_note(p->on, "%s", gr_errname(gr_msg_status(reply)));
        return 0;
    }
    CHECK(gr_match(reply, "back", &n, &bytes));
    gr_blob *blob = gr_blob_take(self, NULL, bytes);
    CHECK(gr_blob_data(blob) == blob_it.data);
    stage_note(p->on, "back%d", n);
    return 0;
}

static int ask_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    blob_it.blob = blob_new(self, BLOB_SIZE, 7);
    blob_it.data = gr_blob_data(blob_it.blob);
    CHECK_RC(gr_ask(self, p->peer, 50, gr_then(NULL, 0), "blob", 1,
                    gr_move(&blob_it.blob)),
             GR_EINVAL);
    CHECK(blob_it.blob != NULL);
    CHECK_RC(gr_ask(self, p->peer, 50, gr_then(on_answer, 0), "blob", 1,
                    gr_move(&blob_it.blob)),
             0);
    CHECK(blob_it.blob == NULL);
    return 0;
}

/* Keeps the question, and answers when it is too late. */
static int answer_late(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_blob *blob = blob_new(self, BLOB_SIZE, 1);
    CHECK_RC(gr_reply(self, p->kept, "back", 1, gr_move(&blob)), 0);
    CHECK(blob == NULL);
    return 0;
}

static void scene_ask(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    gr_pid c = stage_puppet(s, 'c');
    stage_do(s, b, be_answerer);
    stage_do(s, c, blob_be_keeper);
    stage_expect_words(s, "+a +b +c");
    stage_do_to(s, a, ask_peer, b);
    stage_expect(s, "answered back1");
    stage_do_to(s, a, ask_peer, c);
    gr_sim_advance(s->sys, 60);
    stage_expect(s, "kept GR_ETIMEOUT");
    stage_do(s, c, answer_late);
    CHECK_INT(stage_stats(s).late_replies, 1);
    CHECK_INT(blob_memory.count, 2); /* a's, and c's kept question */
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_do_to(s, b, ask_peer, a); /* an actor that is gone */
    stage_expect(s, "GR_ENOPROC");
    CHECK_INT(blob_memory.count, 1);
    stage_do(s, c, puppet_fail); /* with what it kept */
    CHECK_INT(blob_memory.count, 0);
}

static void test_asks_and_late_answers(void **state)
{
    (void)state;
    blob_each_seed(scene_ask, NULL);
}

/* ---- time --------------------------------------------------------------- */

static int set_timers(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_timer other;
    (void)msg;
    CHECK_RC(blob_be_taker(self, p, msg), 0);
    blob_it.blob = blob_new(self, BLOB_SIZE, 7);
    blob_it.data = gr_blob_data(blob_it.blob);
    gr_blob *second = blob_new(self, BLOB_SIZE, 9);
    gr_blob *third = blob_new(self, BLOB_SIZE, 9);
    CHECK_RC(gr_after(self, 5, NULL, "blob", 2, gr_move(&blob_it.blob)), 0);
    CHECK_RC(gr_after(self, 6, &other, "blob", 2, gr_move(&second)), 0);
    CHECK_RC(gr_after(self, 900, NULL, "blob", 2, gr_move(&third)), 0);
    CHECK(blob_it.blob == NULL && second == NULL && third == NULL);
    gr_timer_cancel(self, other);
    return 0;
}

static void scene_timers(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, set_timers);
    CHECK_INT(blob_memory.count, 2); /* one was cancelled */
    gr_sim_advance(s->sys, 10);
    stage_expect(s, "+a taken2");
    CHECK_INT(blob_memory.count, 1);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    CHECK_INT(blob_memory.count, 0);
}

static void test_timers(void **state)
{
    (void)state;
    blob_each_seed(scene_timers, NULL);
}

/* ---- forwarded and kept ------------------------------------------------- */

static int forward(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_bytes bytes;
    int n;
    CHECK(gr_match(msg, "blob", &n, &bytes));
    CHECK_RC(gr_forward(self, GR_NOBODY, msg), GR_EINVAL);
    CHECK(gr_match(msg, "blob", &n, &bytes)); /* it is still there */
    blob_check(bytes.ptr, BLOB_SIZE, 7);
    CHECK_RC(gr_forward(self, p->peer, msg), 0);
    CHECK(!gr_match(msg, "blob", &n, &bytes));
    CHECK(gr_match(msg, "blob", &n, gr_is(gr_nil())));
    return 0;
}

static int be_forwarder(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = forward;
    return 0;
}

static void scene_forward(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    gr_pid c = stage_puppet(s, 'c');
    gr_bytes bytes;
    int n;
    stage_do(s, b, blob_be_taker);
    stage_do(s, c, be_answerer);
    stage_expect_words(s, "+a +b +c");
    stage_do_to(s, a, be_forwarder, b);
    blob_make(s);
    CHECK_RC(gr_send(s->self, a, "blob", 1, gr_move(&blob_it.blob)), 0);
    stage_settle(s);
    stage_expect(s, "taken1");
    stage_do_to(s, a, be_forwarder, c); /* a question, with its duty */
    blob_make(s);
    CHECK_RC(gr_call(s->self, a, 100, gr_expect("back", &n, &bytes), "blob", 4,
                     gr_move(&blob_it.blob)),
             0);
    CHECK(bytes.ptr == blob_it.data);
    stage_expect(s, "answered");
    CHECK_RC(gr_kill(s->self, b), 0);
    stage_settle(s);
    stage_do_to(s, a, be_forwarder, b); /* to the dead */
    blob_make(s);
    CHECK_RC(gr_send(s->self, a, "blob", 1, gr_move(&blob_it.blob)), 0);
    stage_settle(s);
    CHECK_INT(blob_memory.count, 1); /* the answer, still in hand */
}

static void test_forwarded_it_moves_on(void **state)
{
    (void)state;
    blob_each_seed(scene_forward, NULL);
}

/* Fits twice, whoever holds it: message, actor, both. */
static int use_kept(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_bytes bytes;
    int n;
    (void)msg;
    CHECK(gr_match(p->kept, "blob", &n, &bytes));
    gr_blob *first = gr_blob_new(self, BLOB_SIZE);
    CHECK(first != NULL);
    CHECK(gr_blob_new(self, 2000) == NULL); /* now it is full */
    gr_blob *taken = gr_blob_take(self, p->kept, bytes);
    CHECK(taken != NULL && gr_blob_data(taken) == blob_it.data);
    CHECK(gr_blob_new(self, 2000) == NULL); /* counted once */
    gr_release(self, p->kept);
    CHECK(gr_blob_new(self, BLOB_SIZE) == NULL);
    gr_blob_free(self, taken);
    taken = gr_blob_new(self, BLOB_SIZE);
    CHECK(taken != NULL);
    gr_blob_free(self, taken);
    gr_blob_free(self, first);
    gr_blob_free(self, NULL);
    CHECK(gr_alloc(self, BLOB_ARENA) != NULL); /* all of it is free again */
    return 0;
}

static int pass_kept(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    CHECK(gr_alloc(self, BLOB_ARENA - BLOB_SIZE) == NULL);
    CHECK_RC(gr_forward(self, p->peer, p->kept), 0);
    CHECK(gr_alloc(self, BLOB_ARENA - BLOB_SIZE) != NULL);
    gr_release(self, p->kept);
    CHECK(gr_alloc(self, BLOB_SIZE - 100) != NULL);
    CHECK(gr_alloc(self, 200) == NULL);
    return 0;
}

/* Puts the first aside; takes it out of the stash's own block; then again. */
static int stash_and_take(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_bytes bytes;
    int n;
    if (p->n++ > 0) { /* given again: as it was left */
        CHECK(gr_match(msg, "blob", &n, gr_is(gr_nil())));
        CHECK(gr_alloc(self, BLOB_SIZE - 100) != NULL);
        CHECK(gr_alloc(self, 200) == NULL); /* nothing is counted twice */
        stage_note(p->on, "again");
        return 0;
    }
    CHECK(gr_match(msg, "blob", &n, &bytes));
    CHECK_RC(gr_stash(self, msg), 0);
    gr_blob *blob = gr_blob_take(self, msg, bytes);
    CHECK(blob != NULL && gr_blob_data(blob) == blob_it.data);
    gr_unstash(self);
    gr_blob_free(self, blob);
    CHECK(gr_alloc(self, BLOB_ARENA - BLOB_SIZE) != NULL);
    return 0;
}

static int be_stasher(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = stash_and_take;
    return 0;
}

static int only_stash(gr_actor *self, puppet *p, const gr_msg *msg)
{
    stage_note(p->on, gr_stash(self, msg) == 0 ? "stashed" : "full");
    return 0;
}

static int be_hoarder(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = only_stash;
    return 0;
}

static void scene_stash(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, a, be_stasher);
    stage_do(s, b, be_hoarder);
    stage_expect_words(s, "+a +b");
    blob_make(s);
    CHECK_RC(gr_send(s->self, a, "blob", 1, gr_move(&blob_it.blob)), 0);
    stage_settle(s);
    stage_expect(s, "again");
    for (int n = 0; n < 3; n++) {
        blob_make(s);
        CHECK_RC(gr_send(s->self, b, "blob", n, gr_move(&blob_it.blob)), 0);
        stage_settle(s);
    }
    stage_expect(s, "stashed stashed full");
    CHECK_RC(gr_kill(s->self, b), 0);
}

static void test_stashed_messages_count_their_blobs(void **state)
{
    (void)state;
    blob_each_seed(scene_stash, &(gr_system_opts){.arena_max = BLOB_ARENA});
}

static void scene_kept(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    gr_pid c = stage_puppet(s, 'c');
    stage_do(s, a, blob_be_keeper);
    stage_do(s, b, blob_be_keeper);
    stage_do(s, c, blob_be_taker);
    stage_expect_words(s, "+a +b +c");
    blob_make(s);
    CHECK_RC(gr_send(s->self, b, "blob", 1, gr_move(&blob_it.blob)), 0);
    stage_settle(s);
    stage_do_to(s, b, pass_kept, c);
    stage_expect(s, "kept taken1");
    blob_make(s);
    CHECK_RC(gr_send(s->self, a, "blob", 1, gr_move(&blob_it.blob)), 0);
    stage_settle(s);
    stage_do(s, a, use_kept);
    stage_expect(s, "kept");
    blob_make(s);
    CHECK_RC(gr_send(s->self, a, "blob", 1, gr_move(&blob_it.blob)), 0);
    stage_settle(s);
    stage_expect(s, "full");
    CHECK_INT(blob_memory.count,
              3); /* c's, and what a and b have of gr_alloc */
}

static void test_kept_messages_count_their_blobs(void **state)
{
    (void)state;
    blob_each_seed(scene_kept, &(gr_system_opts){.arena_max = BLOB_ARENA});
}

/* ---- to other nodes ----------------------------------------------------- */

static fake_route fake;

static void scene_far(stage *s)
{
    static const int codes[] = {GR_ENOCONN, GR_EAGAIN, GR_ENOMEM, GR_ETOOBIG};
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    for (unsigned i = 0; i < 4; i++) {
        fake.rc = codes[i];
        blob_make(s);
        CHECK_RC(gr_send(s->self, far, "x", gr_move(&blob_it.blob)), codes[i]);
        CHECK_RC(gr_call(s->self, far, 5, gr_expect("x"), "x",
                         gr_move(&blob_it.blob)),
                 codes[i]);
        blob_still_mine(s);
        blob_make(s);
        gr_tell(s->self, far, "x", gr_move(&blob_it.blob));
        CHECK(blob_it.blob == NULL);
    }
    fake.rc = 0;
    gr_blob *blob = blob_new(s->self, 3, 1);
    CHECK_RC(gr_send(s->self, far, "x", gr_move(&blob), 5), 0);
    CHECK(blob == NULL);
    blob = blob_new(s->self, 2, 1);
    gr_tell(s->self, far, "y", gr_move(&blob));
    CHECK(blob == NULL);
    blob = blob_new(s->self, 2, 1);
    CHECK_RC(gr_call(s->self, far, 5, gr_expect("x"), "z", gr_move(&blob)),
             GR_ETIMEOUT);
    CHECK(blob == NULL);
    CHECK(strcmp(fake.sent[0].text, "[\"x\", <3 bytes: 01 02 03>, 5]") == 0);
    CHECK(strcmp(fake.sent[1].text, "[\"y\", <2 bytes: 01 02>]") == 0);
    CHECK(strcmp(fake.sent[2].text, "[\"z\", <2 bytes: 01 02>]") == 0);
    CHECK(fake.sent[2].asked && !fake.sent[0].asked);
    blob_make(s);
    CHECK_RC(gr_send(s->self, far, "x", gr_move(&blob_it.blob)), 0);
    CHECK(blob_it.blob == NULL);
    CHECK_INT(blob_memory.count, 0);
}

static void test_to_another_node_as_plain_bytes(void **state)
{
    (void)state;
    blob_each_seed(scene_far, NULL);
}

static int reply_far(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_blob *blob = blob_new(self, BLOB_SIZE, 1);
    fake.rc = GR_ENOMEM;
    CHECK_RC(gr_reply(self, msg, "y", gr_move(&blob)), GR_ENOMEM);
    CHECK(blob != NULL);
    blob_check(gr_blob_data(blob), BLOB_SIZE, 1);
    CHECK_RC(gr_blob_resize(self, &blob, 2), 0);
    fake.rc = p->n == 0 ? 0 : GR_ENOCONN;
    CHECK_RC(gr_reply(self, msg, "y", gr_move(&blob)), 0);
    CHECK(blob == NULL);
    fake.rc = 0;
    p->n++;
    return 0;
}

static int forward_far(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_bytes bytes;
    int n;
    fake.rc = GR_EAGAIN;
    CHECK_RC(gr_forward(self, p->peer, msg), GR_EAGAIN);
    CHECK(gr_match(msg, "blob", &n, &bytes));
    CHECK(bytes.ptr == blob_it.data);
    fake.rc = 0;
    CHECK_RC(gr_forward(self, p->peer, msg), 0);
    CHECK(gr_match(msg, "blob", &n, gr_is(gr_nil())));
    return 0;
}

static int be_far_replier(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = reply_far;
    return 0;
}

static int be_far_forwarder(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = forward_far;
    return 0;
}

static void scene_far_answers(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, a, be_far_replier);
    stage_do_to(s, b, be_far_forwarder, far);
    for (uint64_t ref = 1; ref <= 2; ref++) {
        fake_arrives(&fake, a, fake_message(&fake, far, ref));
        stage_settle(s);
    }
    CHECK_INT(fake.count, 1); /* the other asker was lost meanwhile */
    CHECK_INT(fake.sent[0].kind, GRI_MSG_REPLY);
    CHECK_INT(fake.sent[0].ref, 1);
    CHECK(strcmp(fake.sent[0].text, "[\"y\", <2 bytes: 01 02>]") == 0);
    blob_make(s);
    CHECK_RC(gr_send(s->self, b, "blob", 1, gr_move(&blob_it.blob)), 0);
    stage_settle(s);
    CHECK_INT(fake.count, 2);
    CHECK(strncmp(fake.sent[1].text, "[\"blob\", 1, <100003 bytes: 07", 29) ==
          0);
    CHECK_INT(blob_memory.count, 0);
}

static void test_answers_and_forwards_to_another_node(void **state)
{
    (void)state;
    blob_each_seed(scene_far_answers, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_and_replies),
        cmocka_unit_test(test_asks_and_late_answers),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_forwarded_it_moves_on),
        cmocka_unit_test(test_stashed_messages_count_their_blobs),
        cmocka_unit_test(test_kept_messages_count_their_blobs),
        cmocka_unit_test(test_to_another_node_as_plain_bytes),
        cmocka_unit_test(test_answers_and_forwards_to_another_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
