/*
 * Goal:   who sends with gr_send_sure or gr_send_then learns that the message
 *         is in the receiver's mailbox, or why it is not; the receiver sees a
 *         plain message.
 * Method: on a deterministic stage, each policy of a full mailbox, dead
 *         receivers, and a route that carries nothing, for both ends of a
 *         confirmation over nodes.
 */
#include "tests/support/fake_route.h"

enum { HARD = 3, TOKEN = 7 };

static fake_route fake;

static gr_pid with(stage *s, char letter, gr_mailbox box)
{
    return stage_puppet_with(s, s->self, letter, &puppet_behavior,
                             &(gr_spawn_opts){.mailbox = box}, NULL);
}

/* One whose mailbox is full. */
static gr_pid full(stage *s, char letter, gr_full policy, gr_pid redirect)
{
    gr_pid pid =
        with(s, letter,
             (gr_mailbox){.hard = HARD, .full = policy, .redirect = redirect});
    for (unsigned i = 0; i < HARD; i++) {
        CHECK_RC(gr_send(s->self, pid, "x"), 0);
    }
    return pid;
}

/* ---- handlers ------------------------------------------------------------ */

static int on_word(gr_actor *self, void *state, const gr_msg *msg)
{
    const puppet *p = state;
    (void)self;
    CHECK_INT(gr_msg_token(msg), TOKEN);
    stage_note(p->on, "%s", gr_errname(gr_msg_status(msg)));
    return 0;
}

static int send_then(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    const int rc = gr_send_then(self, p->peer, 50, gr_then(on_word, TOKEN), "m",
                                (int)p->letter);
    if (rc < 0) {
        stage_note(p->on, "refused:%s", gr_errname(rc));
    }
    return 0;
}

/* ---- receivers here ------------------------------------------------------ */

static int hear_plain(gr_actor *self, puppet *p, const gr_msg *msg)
{
    int64_t letter;
    CHECK(gr_match(msg, "m", &letter));
    CHECK(!gr_msg_asked(msg));
    CHECK_INT(gr_msg_status(msg), 0);
    CHECK(!gr_pid_is_nobody(gr_sender(msg)));
    CHECK_RC(gr_reply(self, msg, "no"), GR_EINVAL);
    stage_note(p->on, "%c:m", p->letter);
    return gr_pid_is_nobody(p->peer) ? 0 : gr_forward(self, p->peer, msg);
}

static int be_plain(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = hear_plain;
    return 0;
}

static void scene_plain(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    gr_pid c = stage_puppet(s, 'c');
    stage_do_to(s, b, be_plain, c);
    stage_expect_words(s, "+a +b +c");
    CHECK_RC(gr_send_sure(s->self, b, 1, "m", 5), 0);
    stage_settle(s);
    stage_expect(s, "b:m c:m");
    stage_do_to(s, a, send_then, b);
    stage_expect_words(s, "GR_OK b:m c:m");
    CHECK_INT(gr_now_ms(s->self), 0); /* nobody has waited */
}

static void the_receiver_sees_a_plain_message(void **state)
{
    (void)state;
    stage_each_seed(scene_plain, NULL);
}

static void scene_dead(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do(s, b, puppet_leave);
    stage_expect_words(s, "+a +b -b:normal");
    CHECK_RC(gr_send_sure(s->self, b, 1, "m", 5), GR_ENOPROC);
    stage_do_to(s, a, send_then, b);
    stage_expect(s, "GR_ENOPROC");
    CHECK_INT(stage_stats(s).dead_letters, 2);
}

static void the_dead_are_told_as_such(void **state)
{
    (void)state;
    stage_each_seed(scene_dead, NULL);
}

/* What each policy of a full mailbox comes to. */
static void scene_policies(stage *s)
{
    gr_stats before;
    gr_pid fail = full(s, 'f', GR_FULL_FAIL, GR_NOBODY);
    before = stage_stats(s);
    CHECK_RC(gr_send_sure(s->self, fail, 1, "m", 5), GR_EAGAIN);
    CHECK_INT(stage_stats(s).refused, before.refused + 1);
    CHECK_INT(stage_stats(s).sent, before.sent);

    gr_pid new = full(s, 'n', GR_FULL_DROP_NEW, GR_NOBODY);
    before = stage_stats(s);
    CHECK_RC(gr_send_sure(s->self, new, 1, "m", 5), GR_EAGAIN);
    CHECK_INT(stage_stats(s).dropped, before.dropped + 1);

    gr_pid old = full(s, 'o', GR_FULL_DROP_OLD, GR_NOBODY);
    before = stage_stats(s);
    CHECK_RC(gr_send_sure(s->self, old, 1, "m", 5), 0);
    CHECK_INT(stage_stats(s).dropped, before.dropped + 1);

    gr_pid second = with(s, 's', (gr_mailbox){.hard = 1});
    gr_pid away = full(s, 'r', GR_FULL_REDIRECT, second);
    before = stage_stats(s);
    CHECK_RC(gr_send_sure(s->self, away, 1, "m", 5), 0);
    CHECK_INT(stage_stats(s).redirected, before.redirected + 1);
    CHECK_RC(gr_send_sure(s->self, away, 1, "m", 5), GR_EAGAIN);

    gr_pid stop = full(s, 't', GR_FULL_STOP, GR_NOBODY);
    before = stage_stats(s);
    CHECK_RC(gr_send_sure(s->self, stop, 1, "m", 5), GR_EAGAIN);
    CHECK_INT(stage_stats(s).dead_letters, before.dead_letters + 1);
    CHECK_INT(gr_now_ms(s->self), 0);
}

static void each_policy_is_told(void **state)
{
    (void)state;
    stage_each_seed(scene_policies, NULL);
}

/* To oneself, while the mailbox is full. */
static int send_to_self(gr_actor *self, puppet *p, const gr_msg *msg)
{
    p->peer = gr_self(self);
    for (unsigned i = 0; i < HARD; i++) {
        GR_IGNORE(gr_send(self, p->peer, "x"), "it is full from the third on");
    }
    return send_then(self, p, msg);
}

static void scene_full_then(stage *s)
{
    gr_pid a = with(s, 'a', (gr_mailbox){.hard = HARD});
    gr_pid b =
        with(s, 'b', (gr_mailbox){.hard = HARD, .full = GR_FULL_DROP_NEW});
    stage_do(s, a, send_to_self);
    stage_expect_words(s, "+a +b refused:GR_EAGAIN a:x a:x a:x");
    stage_do(s, b, send_to_self);
    stage_expect_words(s, "GR_EAGAIN b:x b:x b:x");
}

static void what_is_refused_at_once_is_not_told_again(void **state)
{
    (void)state;
    stage_each_seed(scene_full_then, NULL);
}

static void scene_blob(stage *s)
{
    gr_pid fail = full(s, 'f', GR_FULL_FAIL, GR_NOBODY);
    gr_pid new = full(s, 'n', GR_FULL_DROP_NEW, GR_NOBODY);
    gr_blob *blob = gr_blob_new(s->self, 5000);
    CHECK(blob != NULL);
    CHECK_RC(gr_send_sure(s->self, fail, 1, "m", gr_move(&blob)), GR_EAGAIN);
    CHECK(blob != NULL);
    CHECK_RC(gr_send_sure(s->self, new, 1, "m", gr_move(&blob)), GR_EAGAIN);
    CHECK(blob == NULL);
}

static void a_refused_blob_stays_and_a_dropped_one_goes(void **state)
{
    (void)state;
    stage_each_seed(scene_blob, NULL);
}

static int wrong_then(gr_actor *self, puppet *p, const gr_msg *msg)
{
    const gr_value m[] = {gr_strn("m", 1)};
    const gr_continuation then = gr_then(on_word, TOKEN);
    (void)msg;
    CHECK_RC(gr_send_then(self, p->peer, 0, then, "m"), GR_EINVAL);
    CHECK_RC(gr_send_then(self, p->peer, -2, then, "m"), GR_EINVAL);
    CHECK_RC(gr_send_then(self, p->peer, 1, gr_then(NULL, 0), "m"), GR_EINVAL);
    CHECK_RC(gr_send_then(self, GR_NOBODY, 1, then, "m"), GR_EINVAL);
    CHECK_RC(gr_send_thenv(self, p->peer, 1, then, m, 0), GR_EINVAL);
    CHECK_RC(gr_send_surev(self, p->peer, 1, m, 1), GR_ENOTSUP);
    CHECK_RC(gr_send_then(self, p->peer, 1, then, "m"), 0);
    CHECK_RC(gr_send_then(self, p->peer, 1, then, "m"), GR_ELIMIT);
    return 0;
}

static void scene_wrong(stage *s)
{
    const gr_value m[] = {gr_strn("m", 1)};
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    CHECK_RC(gr_send_sure(s->self, a, 0, "m"), GR_EINVAL);
    CHECK_RC(gr_send_sure(s->self, a, -2, "m"), GR_EINVAL);
    CHECK_RC(gr_send_sure(s->self, GR_NOBODY, 1, "m"), GR_EINVAL);
    CHECK_RC(gr_send_surev(s->self, a, 1, m, 0), GR_EINVAL);
    CHECK_RC(gr_send_then(s->self, a, 1, gr_then(on_word, TOKEN), "m"),
             GR_ENOTSUP);
    stage_do_to(s, a, wrong_then, b);
    stage_expect_words(s, "+a +b b:m GR_OK");
    /* All of it is closed: the one ask there may be is free again. */
    stage_do_to(s, a, send_then, b);
    stage_expect_words(s, "b:m GR_OK");
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    stage_each_seed(scene_wrong, &(gr_system_opts){.asks_max = 1});
}

/* ---- receivers on other nodes -------------------------------------------- */

static void answer(gr_pid to, int status)
{
    gr_msg *msg = gri_status_reply(&fake.cache, fake.sent[0].ref, status);
    CHECK(msg != NULL);
    fake_arrives(&fake, to, msg);
}

static void scene_to_far(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    gr_pid a = stage_puppet(s, 'a');
    stage_do_to(s, a, send_then, far);
    stage_expect(s, "+a");
    CHECK_INT(fake.count, 1);
    CHECK_INT(fake.sent[0].kind, GRI_MSG_CONFIRM);
    CHECK(!fake.sent[0].asked);
    CHECK(gr_pid_eq(fake.sent[0].to, far));
    CHECK(gr_pid_eq(fake.sent[0].from, a));
    CHECK(fake.sent[0].ref != 0);
    CHECK(strcmp(fake.sent[0].text, "[\"m\", 97]") == 0);
    answer(a, GR_EAGAIN);
    stage_settle(s);
    stage_expect(s, "GR_EAGAIN");
    answer(a, 0);
    stage_settle(s);
    stage_expect(s, "");
    CHECK_INT(stage_stats(s).late_replies, 1);

    fake.count = 0;
    stage_do_to(s, a, send_then, far);
    answer(a, 0);
    stage_settle(s);
    stage_expect(s, "GR_OK");
    stage_do_to(s, a, send_then, far);
    CHECK_RC(gr_sleep(s->self, 51), 0);
    stage_expect(s, "GR_ETIMEOUT");
    fake.rc = GR_ENOCONN;
    stage_do_to(s, a, send_then, far);
    stage_expect(s, "refused:GR_ENOCONN");
}

static void a_far_receivers_word_comes_to_the_continuation(void **state)
{
    (void)state;
    stage_each_seed(scene_to_far, NULL);
}

static void scene_thread_to_far(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    const int errors[] = {GR_ENOCONN, GR_EAGAIN, GR_ETOOBIG, GR_ENOMEM};
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        fake.rc = errors[i];
        CHECK_RC(gr_send_sure(s->self, far, 10, "m", 5), errors[i]);
    }
    CHECK_INT(gr_now_ms(s->self), 0);
    fake.rc = 0;
    CHECK_RC(gr_send_sure(s->self, far, 10, "m", 5), GR_ETIMEOUT);
    CHECK_INT(gr_now_ms(s->self), 10);
}

static void a_thread_waits_for_a_far_receivers_word(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_to_far, NULL);
}

static void confirm_arrives(gr_pid to, uint64_t ref)
{
    gr_msg *msg = fake_message(&fake, fake_pid(&fake, 77), ref);
    msg->kind = GRI_MSG_CONFIRM;
    msg->flags &= (uint16_t)~GRI_MSG_ASKED;
    fake_arrives(&fake, to, msg);
}

static void expect_word(unsigned i, uint64_t ref, int status)
{
    CHECK_INT(fake.count, i + 1);
    CHECK_INT(fake.sent[i].kind, GRI_MSG_REPLY);
    CHECK_INT(fake.sent[i].ref, ref);
    CHECK_INT(fake.sent[i].extra, status);
    CHECK(gr_pid_eq(fake.sent[i].to, fake_pid(&fake, 77)));
}

static int hear_far(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK(gr_match(msg, "far"));
    CHECK(!gr_msg_asked(msg));
    CHECK_INT(gr_sender(msg).id, 77);
    stage_note(p->on, "%c:far", p->letter);
    return gr_forward(self, p->peer, msg);
}

static int be_far_hearer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = hear_far;
    return 0;
}

static void scene_from_far(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_do_to(s, a, be_far_hearer, b);
    confirm_arrives(a, 5);
    expect_word(0, 5, 0); /* before it is handled */
    stage_settle(s);
    stage_expect_words(s, "+a +b a:far b:far");
    CHECK_RC(gr_kill(s->self, b), 0);
    stage_settle(s);
    confirm_arrives(b, 6);
    expect_word(1, 6, GR_ENOPROC);
    confirm_arrives(full(s, 'f', GR_FULL_FAIL, GR_NOBODY), 7);
    expect_word(2, 7, GR_EAGAIN);
    confirm_arrives(full(s, 'n', GR_FULL_DROP_NEW, GR_NOBODY), 8);
    expect_word(3, 8, GR_EAGAIN);
    confirm_arrives(full(s, 'o', GR_FULL_DROP_OLD, GR_NOBODY), 9);
    expect_word(4, 9, 0);
    CHECK_INT(stage_stats(s).dead_letters, 2);
}

static void a_far_sender_is_told(void **state)
{
    (void)state;
    stage_each_seed(scene_from_far, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_receiver_sees_a_plain_message),
        cmocka_unit_test(the_dead_are_told_as_such),
        cmocka_unit_test(each_policy_is_told),
        cmocka_unit_test(what_is_refused_at_once_is_not_told_again),
        cmocka_unit_test(a_refused_blob_stays_and_a_dropped_one_goes),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(a_far_receivers_word_comes_to_the_continuation),
        cmocka_unit_test(a_thread_waits_for_a_far_receivers_word),
        cmocka_unit_test(a_far_sender_is_told),
    };
    return cmocka_run_group_tests_name("actors/confirm", tests, NULL, NULL);
}
