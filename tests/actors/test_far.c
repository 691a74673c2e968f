/* tests/actors/test_far.c - actors of other nodes, behind a route that the test
 * plays: what goes out, what comes in, and what a lost node does. */
#include "tests/support/fake_route.h"

static fake_route fake;

static void expect_sent(unsigned i, gri_msg_kind kind, gr_pid from, gr_pid to)
{
    CHECK(fake.count > i);
    CHECK_INT(fake.sent[i].kind, kind);
    CHECK(gr_pid_eq(fake.sent[i].from, from));
    CHECK(gr_pid_eq(fake.sent[i].to, to));
}

/* ---- outward ---- */

static void scene_send(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    gr_pid me = gr_self(s->self);
    gr_ref ref;
    CHECK_RC(gr_send(s->self, far, "hello", 5), 0);
    expect_sent(0, GRI_MSG_USER, me, far);
    CHECK(strcmp(fake.sent[0].text, "[\"hello\", 5]") == 0);
    CHECK(!fake.sent[0].asked);
    CHECK_RC(gr_link(s->self, far), 0);
    expect_sent(1, GRI_MSG_LINK, me, far);
    CHECK_RC(gr_unlink(s->self, far), 0);
    expect_sent(2, GRI_MSG_UNLINK, me, far);
    CHECK_RC(gr_monitor(s->self, far, &ref), 0);
    expect_sent(3, GRI_MSG_MONITOR, me, far);
    CHECK_INT(fake.sent[3].ref, ref.id);
    gr_demonitor(s->self, ref);
    expect_sent(4, GRI_MSG_DEMONITOR, me, far);
    CHECK_RC(gr_stop(s->self, far), 0);
    expect_sent(5, GRI_MSG_STOP, me, far);
    CHECK_RC(gr_kill(s->self, far), 0);
    expect_sent(6, GRI_MSG_KILL, me, far);
    CHECK_RC(gr_call(s->self, far, 10, gr_expect("x"), "ask"), GR_ETIMEOUT);
    expect_sent(7, GRI_MSG_USER, me, far);
    CHECK(fake.sent[7].asked && fake.sent[7].ref != 0);
    CHECK_INT(fake.count, 8);
}

static void test_all_that_is_sent_goes_to_the_route(void **state)
{
    (void)state;
    stage_each_seed(scene_send, NULL);
    CHECK_INT(fake.stopped, 1);
    CHECK_INT(fake.freed, 1);
}

/* Else its memory would be the next message's: only the blocks of the smallest
 * are used in turn. */
static void scene_taken(stage *s)
{
    static const char bytes[100];
    gr_bytes data;
    int n = 0;
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    fake.takes = true;
    CHECK_RC(gr_send(s->self, far, "taken", 1, gr_bin(bytes, sizeof bytes)), 0);
    CHECK(fake.took != NULL);
    for (int i = 0; i < 10; i++) {
        CHECK_RC(gr_send(s->self, far, "other", 2, gr_bin(bytes, sizeof bytes)),
                 0);
    }
    CHECK(gr_match(fake.took, "taken", &n, &data) && n == 1);
    gri_msg_free(&fake.cache, fake.took);
}

static void test_what_the_route_takes_is_not_freed(void **state)
{
    (void)state;
    stage_each_seed(scene_taken, NULL);
}

static void scene_refused(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    static const int codes[] = {GR_ENOCONN, GR_EAGAIN, GR_ENOMEM, GR_ETOOBIG};
    for (unsigned i = 0; i < 4; i++) {
        fake.rc = codes[i];
        CHECK_RC(gr_send(s->self, far, "x"), codes[i]);
        CHECK_RC(gr_call(s->self, far, 10, gr_expect("x"), "x"), codes[i]);
        gr_tell(s->self, far, "x");
        CHECK_INT(stage_stats(s).dead_letters, i + 1);
    }
    CHECK_INT(stage_stats(s).refused, 3); /* the three GR_EAGAIN */
    fake.rc = GR_ENOCONN;
    CHECK_RC(gr_stop(s->self, far), GR_ENOCONN);
    CHECK_RC(gr_kill(s->self, far), GR_ENOCONN);
    CHECK_INT(gr_now_ms(s->self), 0);
}

static void test_what_the_route_refuses_is_refused(void **state)
{
    (void)state;
    stage_each_seed(scene_refused, NULL);
}

static void scene_no_route(stage *s)
{
    gr_pid far = {gr_system_node(s->sys).id ^ 1, 77};
    gr_ref ref;
    CHECK_RC(gr_send(s->self, far, "x"), GR_ENOCONN);
    CHECK_RC(gr_stop(s->self, far), GR_ENOCONN);
    CHECK_RC(gr_link(s->self, far), 0);
    stage_drain(s);
    stage_expect(s, "$<exit:?:noconnection");
    CHECK_RC(gr_monitor(s->self, far, &ref), 0);
    stage_drain(s);
    stage_expect(s, "$<down:?:noconnection");
    gr_pid found;
    CHECK_RC(gr_whereis(s->self, (gr_node){far.node}, "x", &found), GR_ENOCONN);
    gr_spawn_opts opts = {.node = {far.node}};
    CHECK_RC(gr_spawn(s->self, &puppet_behavior, &opts, &found), GR_ENOCONN);
}

static void test_without_a_route_nothing_is_connected(void **state)
{
    (void)state;
    stage_each_seed(scene_no_route, NULL);
}

static int far_from_a_handler(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_pid found;
    gr_spawn_opts opts = {.node = {p->peer.node}};
    CHECK_RC(gr_whereis(self, opts.node, "x", &found), GR_ENOTSUP);
    CHECK_RC(gr_spawn(self, &puppet_behavior, &opts, &found), GR_ENOTSUP);
    return 0;
}

static void scene_handler_cannot_wait(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid a = stage_puppet(s, 'a');
    stage_do_to(s, a, far_from_a_handler, fake_pid(&fake, 1));
    stage_expect(s, "+a");
    CHECK_INT(fake.count, 0);
}

static void test_handlers_cannot_wait_for_another_node(void **state)
{
    (void)state;
    stage_each_seed(scene_handler_cannot_wait, NULL);
}

/* What another node is not told must not be lost in silence. */
static void scene_what_does_not_travel(stage *s)
{
    fake_route_install(&fake, s);
    const gr_node there = {fake_pid(&fake, 1).node};
    const gr_spawn_opts refused[] = {
        {.node = there, .ack = true},
        {.node = there, .stable = true},
        {.node = there, .grade = GR_GRADE_PROCESS},
        {.node = there, .mailbox = {.hard = 1}},
        {.node = there, .limits = {.memory_max = 1}},
        {.node = there, .limits = {.handler_max_ms = 1}},
        {.node = there, .limits = {.address_space_max = 1}},
        {.node = there, .limits = {.file_size_max = 1}},
        {.node = there, .limits = {.cpu_max_s = 1}},
        {.node = there, .limits = {.files_max = 16}},
        {.node = there, .limits = {.seccomp = true}},
    };
    gr_pid out;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        CHECK_RC(gr_spawn(s->self, &puppet_behavior, &refused[i], &out),
                 GR_ENOTSUP);
    }
    CHECK_INT(fake.count, 0);
}

static void test_a_spawn_elsewhere_refuses_what_does_not_travel(void **state)
{
    (void)state;
    stage_each_seed(scene_what_does_not_travel, NULL);
}

/* ---- inward ---- */

static int answer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    stage_note(p->on, "%s", gr_errname(gr_reply(self, msg, "answer")));
    return 0;
}

static int be_answerer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = answer;
    return 0;
}

static void scene_asked_from_far(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_answerer);
    fake_arrives(&fake, a, fake_message(&fake, far, 99));
    stage_settle(s);
    stage_expect(s, "+a GR_OK");
    expect_sent(0, GRI_MSG_REPLY, a, far);
    CHECK_INT(fake.sent[0].ref, 99);
    CHECK_INT(fake.sent[0].extra, 0);
    CHECK(strcmp(fake.sent[0].text, "[\"answer\"]") == 0);
    fake.rc = GR_ENOCONN;
    fake_arrives(&fake, a, fake_message(&fake, far, 100));
    stage_settle(s);
    stage_expect(s, "GR_OK"); /* nothing the one who answers did wrong */
    CHECK_INT(stage_stats(s).late_replies, 1);
    fake.rc = 0;
    CHECK_RC(gr_kill(s->self, a), 0);
    fake_arrives(&fake, a, fake_message(&fake, far, 101));
    stage_settle(s);
    fake_arrives(&fake, a, fake_message(&fake, far, 102));
    for (unsigned i = 1; i <= 2; i++) {
        expect_sent(i, GRI_MSG_REPLY, GR_NOBODY, far);
        CHECK_INT(fake.sent[i].ref, 100 + i);
        CHECK_INT(fake.sent[i].extra, GR_ENOPROC);
    }
}

static void test_who_asks_from_far_is_answered(void **state)
{
    (void)state;
    stage_each_seed(scene_asked_from_far, NULL);
}

static void scene_full_from_far(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    for (unsigned i = 0; i < 8; i++) {
        fake_arrives(&fake, gr_self(s->self), fake_message(&fake, far, 0));
    }
    fake_arrives(&fake, gr_self(s->self), fake_message(&fake, far, 5));
    expect_sent(0, GRI_MSG_REPLY, GR_NOBODY, far);
    CHECK_INT(fake.sent[0].extra, GR_EAGAIN);
    CHECK(stage_stats(s).dead_letters >= 4);
}

static void test_a_full_mailbox_answers_far_askers(void **state)
{
    (void)state;
    stage_each_seed(scene_full_from_far, &(gr_system_opts){.mailbox_hard = 4});
}

static void scene_ties_from_far(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    gr_pid a = stage_puppet(s, 'a');
    gr_pid b = stage_puppet(s, 'b');
    stage_settle(s);
    fake_arrives(&fake, a, fake_signal(&fake, GRI_MSG_MONITOR, far, 5));
    fake_arrives(&fake, a, fake_signal(&fake, GRI_MSG_MONITOR, far, 6));
    fake_arrives(&fake, a, fake_signal(&fake, GRI_MSG_DEMONITOR, far, 6));
    fake_arrives(&fake, a, fake_signal(&fake, GRI_MSG_LINK, far, 0));
    stage_do(s, a, puppet_fail);
    CHECK_INT(fake.count, 2);
    expect_sent(0, GRI_MSG_EXIT, a, far);
    expect_sent(1, GRI_MSG_DOWN, a, far);
    CHECK_INT(fake.sent[1].ref, 5);
    /* A monitor of the dead: at once. */
    fake_arrives(&fake, a, fake_signal(&fake, GRI_MSG_MONITOR, far, 7));
    expect_sent(2, GRI_MSG_DOWN, a, far);
    CHECK_INT(fake.sent[2].ref, 7);
    fake_arrives(&fake, b, fake_signal(&fake, GRI_MSG_STOP, far, 0));
    stage_settle(s);
    gr_pid c = stage_puppet(s, 'c');
    stage_settle(s);
    fake_arrives(&fake, c, fake_signal(&fake, GRI_MSG_KILL, far, 0));
    stage_settle(s);
    stage_expect_words(s, "+a +b -a:error -b:shutdown +c");
    CHECK_INT(stage_stats(s).exited, 3);
}

static void test_ties_from_far(void **state)
{
    (void)state;
    stage_each_seed(scene_ties_from_far, NULL);
}

static void scene_exit_from_far(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    gr_exit_reason why = {GR_EXIT_NOCONNECTION, 0, "lost"};
    gr_ref ref;
    gr_pid a = stage_puppet(s, 'a');
    stage_do_to(s, a, puppet_link, far);
    CHECK_RC(gr_monitor(s->self, far, &ref), 0);
    fake_arrives(&fake, a, gri_exit_signal(&fake.cache, far, &why));
    fake_arrives(&fake, gr_self(s->self),
                 gri_down_signal(&fake.cache, far, ref.id, &why));
    fake_arrives(&fake, gr_self(s->self),
                 gri_down_signal(&fake.cache, far, ref.id, &why)); /* a forged
                                                                      second */
    stage_drain(s);
    stage_expect_words(s, "+a -a:noconnection $<down:?:noconnection");
    /* An exit of somebody who is not linked is nothing. */
    gr_pid b = stage_puppet(s, 'b');
    fake_arrives(&fake, b, gri_exit_signal(&fake.cache, far, &why));
    stage_settle(s);
    stage_expect(s, "+b");
}

static void test_ends_from_far(void **state)
{
    (void)state;
    stage_each_seed(scene_exit_from_far, NULL);
}

/* $ links and unlinks; the far end's LINK and UNLINK cross that UNLINK. */
static void scene_unlinks_cross(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    gr_pid me = gr_self(s->self);
    CHECK_RC(gr_link(s->self, far), 0);
    const uint64_t number = fake.sent[0].ref;
    CHECK(number != 0);
    CHECK_RC(gr_unlink(s->self, far), 0);
    fake_arrives(&fake, me, fake_signal(&fake, GRI_MSG_LINK, far, 7));
    fake_arrives(&fake, me, fake_signal(&fake, GRI_MSG_UNLINK, far, number));
    stage_drain(s);
    stage_expect(s, "");
    CHECK_RC(gr_unlink(s->self, far), 0);
    CHECK_INT(fake.count, 2); /* there was no link left to cut */
}

static void test_an_old_unlink_ends_a_new_link_of_its_sender(void **state)
{
    (void)state;
    stage_each_seed(scene_unlinks_cross, NULL);
}

static void lose_link(gr_pid to, gr_pid far, uint64_t number)
{
    const gr_exit_reason why = {.kind = GR_EXIT_NOCONNECTION};
    gr_msg *msg = gri_exit_signal(&fake.cache, far, &why);
    CHECK(msg != NULL);
    gri_exit_ends(msg, number);
    fake_arrives(&fake, to, msg);
}

/* The loss of a connection, found behind a LINK over the next one. */
static void scene_late_loss(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    gr_pid me = gr_self(s->self);
    CHECK_RC(gr_link(s->self, far), 0);
    CHECK_RC(gr_link(s->self, far), 0);
    const uint64_t first = fake.sent[0].ref, last = fake.sent[1].ref;
    lose_link(me, far, first);
    lose_link(me, far, 0); /* of a link that the far end alone had made */
    stage_drain(s);
    stage_expect(s, "");
    lose_link(me, far, last);
    lose_link(me, far, last);
    stage_drain(s);
    stage_expect(s, "$<exit:?:noconnection");
    /* Who has sent none has no newer one. */
    fake_arrives(&fake, me, fake_signal(&fake, GRI_MSG_LINK, far, 7));
    lose_link(me, far, last);
    stage_drain(s);
    stage_expect(s, "$<exit:?:noconnection");
}

static void test_a_late_loss_ends_no_newer_link(void **state)
{
    (void)state;
    stage_each_seed(scene_late_loss, NULL);
}

static void scene_late_refusal(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    fake.rc = GR_ENOCONN;
    CHECK_RC(gr_link(s->self, far), 0); /* its EXIT waits already */
    fake.rc = 0;
    CHECK_RC(gr_link(s->self, far), 0);
    stage_drain(s);
    stage_expect(s, "");
    CHECK_RC(gr_unlink(s->self, far), 0);
    expect_sent(1, GRI_MSG_UNLINK, gr_self(s->self), far);
}

static void test_a_link_made_after_one_that_failed_stays(void **state)
{
    (void)state;
    stage_each_seed(scene_late_refusal, NULL);
}

static void scene_reply_from_far(stage *s)
{
    fake_route_install(&fake, s);
    gr_pid far = fake_pid(&fake, 77);
    CHECK_RC(gr_call(s->self, far, 10, gr_expect("x"), "ask"), GR_ETIMEOUT);
    fake_arrives(&fake, gr_self(s->self),
                 gri_status_reply(&fake.cache, fake.sent[0].ref, GR_ENOCONN));
    stage_drain(s);
    stage_expect(s, "");
    CHECK_INT(stage_stats(s).late_replies, 1);
}

static void test_a_late_answer_from_far_is_not_seen(void **state)
{
    (void)state;
    stage_each_seed(scene_reply_from_far, NULL);
}

/* ---- what else actors/route.h offers ---- */

static int nothing(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    return 0;
}

static void scene_agent(stage *s)
{
    static const gr_behavior agent = {.name = "agent", .receive = nothing};
    gr_pid at = {gr_system_node(s->sys).id, GRI_AGENT_ID};
    gr_ref ref;
    CHECK(gr_self(s->self).id != GRI_AGENT_ID); /* whoever comes first */
    CHECK_RC(gr_monitor(s->self, at, &ref), 0);
    stage_drain(s);
    stage_expect(s, "$<down:?:noproc");
    CHECK_RC(gri_spawn_agent(s->self, &agent, gr_args("x")), 0);
    CHECK_RC(gri_spawn_agent(s->self, &agent, gr_args("x")), GR_EEXIST);
    CHECK_RC(gr_call(s->self, at, 10, gr_expect("x"), "x"), GR_ENOREPLY);
    CHECK_RC(gr_kill(s->self, at), 0);
    stage_settle(s);
    CHECK_RC(gri_spawn_agent(s->self, &agent, gr_args("x")), GR_EEXIST);
}

static void test_the_agent_has_a_place_of_its_own(void **state)
{
    (void)state;
    stage_each_seed(scene_agent, NULL);
}

static unsigned parts_stopped;
static unsigned parts_freed;

static void stop_part(gri_part *part, int64_t deadline_ms)
{
    (void)part;
    CHECK(deadline_ms > 0);
    CHECK_INT(parts_stopped, parts_freed);
    parts_stopped++;
}

static void free_part(gri_part *part)
{
    (void)part;
    parts_freed++;
    CHECK_INT(parts_stopped, parts_freed);
}

static void scene_part(stage *s)
{
    static gri_part part = {.stop = stop_part, .free = free_part};
    CHECK(gri_part_of(s->sys) == NULL);
    CHECK_RC(gri_part_install(s->sys, &part), 0);
    CHECK_RC(gri_part_install(s->sys, &part), GR_EEXIST);
    CHECK(gri_part_of(s->sys) == &part);
}

static void test_a_part_is_stopped_and_freed_once(void **state)
{
    (void)state;
    parts_stopped = parts_freed = 0;
    stage_each_seed(scene_part, NULL);
    assert_int_equal(parts_stopped, STAGE_SEEDS);
    assert_int_equal(parts_freed, STAGE_SEEDS);
}

static int exit_by_signal(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_exit_reason why = {GR_EXIT_SIGNAL, 11, "segv"};
    (void)p, (void)msg;
    gri_exit_with(self, &why);
    return 0;
}

static void scene_exit_with(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    gr_ref ref;
    const gr_msg *msg;
    gr_exit_reason why;
    CHECK_RC(gr_monitor(s->self, a, &ref), 0);
    stage_do(s, a, exit_by_signal);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match_down(msg, NULL, NULL, &why));
    CHECK_INT(why.kind, GR_EXIT_SIGNAL);
    CHECK_INT(why.code, 11);
    CHECK(strcmp(why.text, "segv") == 0);
}

static void test_exit_with_any_reason(void **state)
{
    (void)state;
    stage_each_seed(scene_exit_with, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_sent_goes_to_the_route),
        cmocka_unit_test(test_what_the_route_takes_is_not_freed),
        cmocka_unit_test(test_what_the_route_refuses_is_refused),
        cmocka_unit_test(test_without_a_route_nothing_is_connected),
        cmocka_unit_test(test_handlers_cannot_wait_for_another_node),
        cmocka_unit_test(test_a_spawn_elsewhere_refuses_what_does_not_travel),
        cmocka_unit_test(test_who_asks_from_far_is_answered),
        cmocka_unit_test(test_a_full_mailbox_answers_far_askers),
        cmocka_unit_test(test_ties_from_far),
        cmocka_unit_test(test_ends_from_far),
        cmocka_unit_test(test_an_old_unlink_ends_a_new_link_of_its_sender),
        cmocka_unit_test(test_a_late_loss_ends_no_newer_link),
        cmocka_unit_test(test_a_link_made_after_one_that_failed_stays),
        cmocka_unit_test(test_a_late_answer_from_far_is_not_seen),
        cmocka_unit_test(test_the_agent_has_a_place_of_its_own),
        cmocka_unit_test(test_a_part_is_stopped_and_freed_once),
        cmocka_unit_test(test_exit_with_any_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
