/* tests/actors/test_ask.c - questions of handler actors, and their answers. */
#include "tests/support/stage.h"

/* An answer as the asker sees it: letter=what, and the token when it is odd. */
static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    puppet *p = state;
    (void)self;
    int status = gr_msg_status(reply);
    if (status < 0) {
        stage_note(p->on, "%c=%s", p->letter, gr_errname(status));
    } else {
        gr_reader r = gr_msg_reader(reply);
        gr_str tag;
        CHECK_RC(gr_read_str(&r, &tag), 0);
        stage_note(p->on, "%c=%.*s", p->letter, GR_STR(tag));
    }
    if (gr_msg_token(reply) != 0) {
        stage_note(p->on, "#%" PRIu64, gr_msg_token(reply));
    }
    return 0;
}

static int ask_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_ask(self, p->peer, 100, gr_then(on_answer, 0), "question");
}

static int ask_peer_for_ever(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_ask(self, p->peer, GR_FOREVER, gr_then(on_answer, 7), "question");
}

/* What the asked do: set as p->hear. */
static int answer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    CHECK(gr_msg_asked(msg));
    CHECK_RC(gr_reply(self, msg, "answer"), 0);
    CHECK(!gr_msg_asked(msg));
    CHECK_RC(gr_reply(self, msg, "answer"), GR_EINVAL); /* once */
    CHECK_RC(gr_reply_error(self, msg, ERROR_TEST, NULL), GR_EINVAL);
    return 0;
}

static int ignore(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)p, (void)msg;
    return 0;
}

static int refuse(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    CHECK_RC(gr_reply_error(self, msg, 0, "not an error"), GR_EINVAL);
    CHECK_RC(gr_reply_error(self, msg, 1, "nor this"), GR_EINVAL);
    return gr_reply_error(self, msg, GR_EDENIED, "no");
}

static int keep(gr_actor *self, puppet *p, const gr_msg *msg)
{
    p->kept = gr_keep(self, msg);
    CHECK(p->kept == msg);
    CHECK(gr_keep(self, msg) == msg); /* again: the same */
    return 0;
}

static int pass_on(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK_RC(gr_forward(self, p->peer, msg), 0);
    CHECK(!gr_msg_asked(msg)); /* the duty went with it */
    CHECK_RC(gr_reply(self, msg, "answer"), GR_EINVAL);
    CHECK_RC(gr_forward(self, p->peer, msg), GR_EINVAL);
    return 0;
}

static int unhandle(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    return gr_unhandled(self, msg);
}

#define HEARER(name, how)                                                      \
    static int name(gr_actor *self, puppet *p, const gr_msg *msg)              \
    {                                                                          \
        (void)self, (void)msg;                                                 \
        p->hear = how;                                                         \
        return 0;                                                              \
    }
HEARER(be_answerer, answer)
HEARER(be_ignorer, ignore)
HEARER(be_refuser, refuse)
HEARER(be_keeper, keep)
HEARER(be_forwarder, pass_on)
HEARER(be_unhandler, unhandle)
HEARER(be_failer, puppet_fail)
HEARER(be_leaver, puppet_leave)

/* An asker a and an asked b, who does what `how` makes it do. */
static gr_pid ask_of(stage *s, gr_pid a, puppet_fn *how)
{
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, b, how);
    stage_do_to(s, a, ask_peer, b);
    return b;
}

static void scene_each_answer(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    ask_of(s, a, be_answerer);
    stage_expect_words(s, "+a +b a=answer");
    ask_of(s, a, be_ignorer);
    stage_expect(s, "+b a=GR_ENOREPLY");
    ask_of(s, a, be_refuser);
    stage_expect(s, "+b a=GR_EDENIED");
    ask_of(s, a, be_unhandler);
    stage_expect(s, "+b a=GR_ENOREPLY");
    ask_of(s, a, be_failer);
    stage_expect_words(s, "+b -b:error a=GR_ENOPROC");
    gr_pid dead = ask_of(s, a, be_leaver);
    stage_expect_words(s, "+b -b:normal a=GR_ENOREPLY");
    /* A dead one: at once, without a deadline. */
    stage_do_to(s, a, ask_peer_for_ever, dead);
    stage_expect(s, "a=GR_ENOPROC #7");
    CHECK_INT(gr_sim_now_ms(s->sys), 0);
    CHECK_INT(stage_stats(s).late_replies, 0);
}

static void test_each_way_to_answer(void **state)
{
    (void)state;
    stage_each_seed(scene_each_answer, NULL);
}

static int answer_kept(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    CHECK_RC(gr_reply(self, p->kept, "later"), 0);
    gr_release(self, p->kept);
    return 0;
}

static int release_kept(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_release(self, p->kept);
    gr_release(self, NULL);
    return 0;
}

static void scene_deadline(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = ask_of(s, a, be_keeper);
    gr_sim_advance(s->sys, 99);
    stage_expect_words(s, "+a +b");
    gr_sim_advance(s->sys, 1);
    stage_expect(s, "a=GR_ETIMEOUT");
    stage_do(s, b, answer_kept);
    gr_sim_advance(s->sys, 1000);
    stage_expect(s, ""); /* late: dropped, and counted */
    CHECK_INT(stage_stats(s).late_replies, 1);
    /* One in time ends its deadline. */
    stage_do_to(s, a, ask_peer, b);
    stage_do(s, b, answer_kept);
    gr_sim_advance(s->sys, 1000);
    stage_expect(s, "a=later");
    CHECK_INT(stage_stats(s).late_replies, 1);
}

static void test_a_late_answer_is_counted_and_never_seen(void **state)
{
    (void)state;
    stage_each_seed(scene_deadline, NULL);
}

static void scene_kept(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = ask_of(s, a, be_keeper);
    stage_expect_words(s, "+a +b");
    stage_do(s, b, answer_kept);
    stage_expect(s, "a=later");
    stage_do_to(s, a, ask_peer, b);
    stage_do(s, b, release_kept); /* unanswered */
    stage_expect(s, "a=GR_ENOREPLY");
    stage_do_to(s, a, ask_peer_for_ever, b);
    stage_expect(s, "");
    stage_do(s, b, puppet_fail);
    stage_expect_words(s, "-b:error a=GR_ENOPROC #7");
    /* Killed, with one kept that is answered, and one that is not. */
    b = ask_of(s, a, be_keeper);
    stage_do(s, b, answer_kept);
    stage_do_to(s, a, ask_peer_for_ever, b);
    stage_do_to(s, a, ask_peer_for_ever, b);
    CHECK_RC(gr_kill(s->self, b), 0);
    stage_settle(s);
    stage_expect(s, "+b a=later a=GR_ENOPROC #7 a=GR_ENOPROC #7");
}

/* What was in hand last is not what another actor has in hand when it ends. */
static void scene_kept_by_another(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid c = stage_puppet(s, 'c');
    gr_pid b = ask_of(s, a, be_keeper);
    CHECK_RC(gr_stop(s->self, c), 0);
    stage_settle(s);
    stage_expect_words(s, "+a +b +c -c:shutdown");
    stage_do(s, b, answer_kept);
    stage_expect(s, "a=later");
}

static void test_kept_messages_are_answered_later(void **state)
{
    (void)state;
    stage_each_seed(scene_kept_by_another, NULL);
    stage_each_seed(scene_kept, NULL);
}

static int read_kept(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    int64_t n = 0;
    gr_str text;
    CHECK(gr_match(p->kept, "keep", &n, &text));
    stage_note(p->on, "%" PRId64 "%.*s", n, GR_STR(text));
    gr_release(self, p->kept);
    return 0;
}

static int keep_in_turn(gr_actor *self, puppet *p, const gr_msg *msg)
{
    /* Only the first; what follows would overwrite a freed one. */
    if (p->kept == NULL) {
        p->kept = gr_keep(self, msg);
    }
    return 0;
}

HEARER(be_collector, keep_in_turn)

static void scene_keep_plain(stage *s)
{
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, b, be_collector);
    gr_tell(s->self, b, "keep", 5, "text");
    for (int i = 0; i < 50; i++) {
        gr_tell(s->self, b, "other", i, "noise");
    }
    stage_settle(s);
    stage_do(s, b, read_kept);
    stage_expect(s, "+b 5text");
}

static void test_a_kept_message_can_be_read_later(void **state)
{
    (void)state;
    stage_each_seed(scene_keep_plain, NULL);
}

static void scene_forward(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid c = stage_puppet(s, 'c');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, c, be_answerer);
    stage_do_to(s, b, be_forwarder, c);
    stage_expect_words(s, "+a +b +c");
    stage_do_to(s, a, ask_peer, b);
    stage_expect(s, "a=answer"); /* c answers a itself */
    stage_do(s, c, be_ignorer);
    stage_do_to(s, a, ask_peer, b);
    stage_expect(s, "a=GR_ENOREPLY");
    CHECK_RC(gr_kill(s->self, c), 0);
    stage_settle(s);
    stage_do_to(s, a, ask_peer, b);
    stage_expect(s, "a=GR_ENOPROC");
}

static int note_sender(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self;
    stage_note(p->on, "%c", stage_letter(p->on, gr_sender(msg)));
    CHECK(!gr_msg_asked(msg));
    CHECK_RC(gr_reply(self, msg, "x"), GR_EINVAL); /* not asked */
    return 0;
}

static int pass_plain(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK_RC(gr_forward(self, GR_NOBODY, msg), GR_EINVAL);
    CHECK_RC(gr_forward(self, p->peer, msg), 0);
    return gr_forward(self, p->peer, msg); /* not asked: as often as wanted */
}

HEARER(be_passer, pass_plain)
HEARER(be_witness, note_sender)

static void scene_forward_plain(stage *s)
{
    gr_pid b = stage_puppet(s, 'b');
    gr_pid c = stage_puppet(s, 'c');
    stage_do_to(s, b, be_passer, c);
    stage_do(s, c, be_witness);
    stage_expect_words(s, "+b +c");
    gr_tell(s->self, b, "plain");
    stage_settle(s);
    stage_expect(s, "$ $");
}

static void test_forward_keeps_sender_and_asker(void **state)
{
    (void)state;
    stage_each_seed(scene_forward, NULL);
    stage_each_seed(scene_forward_plain, NULL);
}

static int ask_wrongly(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_continuation then = gr_then(on_answer, 0);
    CHECK_RC(gr_ask(self, p->peer, 0, then, "q"), GR_EINVAL);
    CHECK_RC(gr_ask(self, p->peer, -2, then, "q"), GR_EINVAL);
    CHECK_RC(gr_ask(self, p->peer, 1, gr_then(NULL, 0), "q"), GR_EINVAL);
    CHECK_RC(gr_ask(self, GR_NOBODY, 1, then, "q"), GR_EINVAL);
    CHECK_RC(gr_call(self, p->peer, 1, gr_expect("x"), "q"), GR_ENOTSUP);
    return 0;
}

static int ask_up_to_the_limit(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    for (unsigned i = 0; i < 3; i++) {
        CHECK_RC(gr_ask(self, p->peer, 10, gr_then(on_answer, i), "q"), 0);
    }
    CHECK_RC(gr_ask(self, p->peer, 10, gr_then(on_answer, 9), "q"), GR_ELIMIT);
    return 0;
}

static void scene_ask_errors(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, b, be_keeper);
    stage_do_to(s, a, ask_wrongly, b);
    stage_do_to(s, a, ask_up_to_the_limit, b);
    gr_sim_advance(s->sys, 10);
    stage_expect_words(s, "+a +b a=GR_ETIMEOUT a=GR_ETIMEOUT #1 a=GR_ETIMEOUT "
                          "#2");
    stage_do(s, b, be_answerer);
    stage_do_to(s, a, ask_up_to_the_limit, b); /* there is room again */
    stage_expect(s, "a=answer a=answer #1 a=answer #2");
    CHECK_RC(gr_ask(s->self, b, 10, gr_then(on_answer, 0), "q"), GR_ENOTSUP);
}

static void test_errors_of_ask(void **state)
{
    (void)state;
    stage_each_seed(scene_ask_errors, &(gr_system_opts){.asks_max = 3});
}

static int fail_on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    (void)self, (void)state, (void)reply;
    return ERROR_TEST;
}

static int ask_and_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_ask(self, p->peer, 10, gr_then(fail_on_answer, 0), "q");
}

static void scene_continuation_fails(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, b, be_answerer);
    stage_do_to(s, a, ask_and_fail, b);
    stage_expect_words(s, "+a +b -a:error");
    a = stage_puppet(s, 'a');
    stage_do(s, b, be_keeper);
    stage_do_to(s, a, ask_and_fail, b);
    gr_sim_advance(s->sys, 10);
    stage_expect(s, "+a -a:error");
    /* The asker ends first: the answer is a late one. */
    a = stage_puppet(s, 'a');
    stage_do_to(s, a, ask_peer_for_ever, b);
    stage_do(s, a, puppet_fail);
    stage_do(s, b, answer_kept);
    stage_expect(s, "+a -a:error");
    CHECK_INT(stage_stats(s).late_replies, 1);
}

static void test_an_error_in_a_continuation_is_a_failure(void **state)
{
    (void)state;
    stage_each_seed(scene_continuation_fails, NULL);
}

static int reply_too_much(gr_actor *self, puppet *p, const gr_msg *msg)
{
    static const char many[512];
    (void)p;
    CHECK_RC(gr_reply(self, msg, "x", gr_bin(many, sizeof many)), GR_ETOOBIG);
    CHECK(gr_msg_asked(msg)); /* the duty stays */
    return gr_reply(self, msg, "short");
}

HEARER(be_verbose, reply_too_much)

static void scene_too_big(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    ask_of(s, a, be_verbose);
    stage_expect_words(s, "+a +b a=short");
}

static void test_a_reply_too_big_leaves_the_duty(void **state)
{
    (void)state;
    stage_each_seed(scene_too_big, &(gr_system_opts){.message_max = 256});
}

static void scene_ask_self(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_answerer);
    stage_do_to(s, a, ask_peer_for_ever, a);
    stage_expect(s, "+a a=answer #7");
}

static void test_one_may_ask_oneself(void **state)
{
    (void)state;
    stage_each_seed(scene_ask_self, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_way_to_answer),
        cmocka_unit_test(test_a_late_answer_is_counted_and_never_seen),
        cmocka_unit_test(test_kept_messages_are_answered_later),
        cmocka_unit_test(test_a_kept_message_can_be_read_later),
        cmocka_unit_test(test_forward_keeps_sender_and_asker),
        cmocka_unit_test(test_errors_of_ask),
        cmocka_unit_test(test_an_error_in_a_continuation_is_a_failure),
        cmocka_unit_test(test_a_reply_too_big_leaves_the_duty),
        cmocka_unit_test(test_one_may_ask_oneself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
