/*
 * tests/actors/test_circle.c - threads that would wait for each other get
 * GR_EDEADLOCK, with the circle in words; and nobody else does.
 *
 * A question that has arrived says that its asker waits: so no test waits for
 * anything but messages.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/support/stage.h"

enum { THREADS = 4, ROUNDS = 3000 };

/* A thread actor with a part to play. */
typedef struct player {
    stage *s;
    const char *name;
    void (*play)(struct player *p);
    gr_actor *self;
    unsigned number;
    pthread_t thread;
} player;

static gr_pid find(gr_actor *self, const char *name)
{
    gr_pid pid = GR_NOBODY;
    while (gr_whereis(self, GR_HERE, name, &pid) == GR_ENOENT) {
        /* its thread begins at this moment */
    }
    return pid;
}

static void *run(void *arg)
{
    player *p = arg;
    CHECK_RC(gr_thread_attach(p->s->sys, p->name, &p->self), 0);
    p->play(p);
    gr_thread_detach(p->self, 0);
    return NULL;
}

static void begin(player *p)
{
    assert_int_equal(pthread_create(&p->thread, NULL, run, p), 0);
}

static void end(player *p)
{
    assert_int_equal(pthread_join(p->thread, NULL), 0);
}

/* The next message; kept, so that who asked it goes on waiting. */
static const gr_msg *keep_next(gr_actor *self)
{
    const gr_msg *msg;
    CHECK_RC(gr_receive(self, GR_FOREVER, &msg), 0);
    msg = gr_keep(self, msg);
    CHECK(msg != NULL);
    return msg;
}

static void answer(gr_actor *self, const gr_msg *kept)
{
    CHECK_RC(gr_reply(self, kept, "ok"), 0);
    gr_release(self, kept);
}

static int ask(gr_actor *self, gr_pid to, int64_t timeout_ms, const char *tag)
{
    return gr_call(self, to, timeout_ms, gr_expect("ok"), tag);
}

/* Asks the test's own actor once, and notes what it got. */
static void ask_main(player *p)
{
    stage_note(
        p->s, "%s=%s", p->name,
        gr_errname(ask(p->self, find(p->self, "main"), GR_FOREVER, "put")));
}

/* Then it answers one question itself. */
static void ask_main_and_answer(player *p)
{
    ask_main(p);
    answer(p->self, keep_next(p->self));
}

static void start(stage *s)
{
    stage_start(s, 0, NULL);
    CHECK_RC(gr_register(s->self, "main"), 0);
}

/* ---- circles ---- */

static void test_two_ask_each_other(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_main};
    start(&s);
    assert_string_equal(gr_deadlock_path(s.self), "");
    begin(&bob);
    const gr_msg *put = keep_next(s.self);
    const gr_pid pid = gr_sender(put);
    assert_int_equal(ask(s.self, pid, GR_FOREVER, "get"), GR_EDEADLOCK);
    char a[GR_PID_TEXT_MAX];
    char b[GR_PID_TEXT_MAX];
    char path[300];
    (void)snprintf(path, sizeof path,
                   "main %s -\"get\"-> bob %s -\"put\"-> main %s",
                   gr_pid_text(gr_self(s.self), a), gr_pid_text(pid, b), a);
    assert_string_equal(gr_deadlock_path(s.self), path);
    assert_true(stage_logged(&s, path));
    answer(s.self, put);
    end(&bob);
    stage_expect(&s, "bob=GR_OK");
    assert_string_equal(gr_deadlock_path(s.self), path); /* it stays */
    stage_end(&s);
}

/* Waits for a question, keeps it, asks the test's own, and answers. */
static void pass_question_on(player *p)
{
    const gr_msg *kept = keep_next(p->self);
    ask_main(p);
    answer(p->self, kept);
}

static void ask_bob(player *p)
{
    stage_note(
        p->s, "%s=%s", p->name,
        gr_errname(ask(p->self, find(p->self, "bob"), GR_FOREVER, "head")));
}

static void test_three_in_a_circle(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = pass_question_on};
    player eve = {.s = &s, .name = "eve", .play = ask_bob};
    start(&s);
    begin(&bob);
    begin(&eve);
    const gr_msg *put = keep_next(s.self);
    const gr_pid pid = find(s.self, "eve");
    assert_int_equal(ask(s.self, pid, GR_FOREVER, "get"), GR_EDEADLOCK);
    const char *path = gr_deadlock_path(s.self);
    assert_non_null(strstr(path, "-\"get\"-> eve <"));
    assert_non_null(strstr(path, "-\"head\"-> bob <"));
    assert_non_null(strstr(path, "-\"put\"-> main <"));
    answer(s.self, put);
    end(&bob);
    end(&eve);
    stage_expect_words(&s, "bob=GR_OK eve=GR_OK");
    stage_end(&s);
}

/* By msgpack's packer, and with a number as the tag. */
static void test_every_call_is_looked_at(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_main};
    start(&s);
    begin(&bob);
    const gr_msg *put = keep_next(s.self);
    assert_int_equal(
        gr_call(s.self, gr_sender(put), GR_FOREVER, gr_expect("ok"), 7),
        GR_EDEADLOCK);
    assert_non_null(strstr(gr_deadlock_path(s.self), " -7-> bob"));
    assert_int_equal(gr_call(s.self, gr_sender(put), GR_FOREVER,
                             gr_expect("ok"),
                             "a tag that is longer than what a path has room "
                             "for, which is not much"),
                     GR_EDEADLOCK);
    answer(s.self, put);
    end(&bob);
    stage_end(&s);
}

/* ---- room ---- */

static void test_room_is_waited_for_too(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_main};
    stage_start(&s, 0, &(gr_system_opts){.mailbox_hard = 2});
    CHECK_RC(gr_register(s.self, "main"), 0);
    begin(&bob);
    const gr_msg *put = keep_next(s.self);
    int rc = 0;
    for (int i = 0; i < 10 && rc == 0; i++) {
        rc = gr_send_wait(s.self, gr_sender(put), GR_FOREVER, "x");
    }
    assert_int_equal(rc, GR_EDEADLOCK);
    assert_non_null(strstr(gr_deadlock_path(s.self), " -room-> bob"));
    answer(s.self, put);
    end(&bob);
    stage_end(&s);
}

enum { FILLS = 200 };

static void fill_main_and_answer(player *p)
{
    const gr_pid to = find(p->self, "main");
    for (int i = 0; i < FILLS; i++) {
        for (int k = 0; k < 3; k++) { /* the third finds no room */
            CHECK_RC(gr_send_wait(p->self, to, GR_FOREVER, "x"), 0);
        }
        answer(p->self, keep_next(p->self));
    }
}

/* A wait for room is over when the room was told of, not when its thread sees
 * that: so whoever has just made the room may ask who waited for it. */
static void test_room_that_was_told_of(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = fill_main_and_answer};
    stage_start(&s, 0, &(gr_system_opts){.mailbox_hard = 2});
    CHECK_RC(gr_register(s.self, "main"), 0);
    begin(&bob);
    const gr_pid pid = find(s.self, "bob");
    for (unsigned i = 1; i <= FILLS; i++) {
        const gr_msg *msg;
        while (stage_stats(&s).slowed < i) {
        }
        for (int k = 0; k < 2; k++) {
            CHECK_RC(gr_receive(s.self, GR_FOREVER, &msg), 0);
        }
        const int rc = gr_receive(s.self, 0, &msg); /* makes the room */
        assert_int_equal(ask(s.self, pid, GR_FOREVER, "get"), 0);
        if (rc < 0) {
            CHECK_RC(gr_receive(s.self, GR_FOREVER, &msg), 0);
        }
    }
    end(&bob);
    stage_end(&s);
}

/* ---- no circles ---- */

static void test_an_answer_ends_the_wait(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_main_and_answer};
    start(&s);
    begin(&bob);
    const gr_msg *put = keep_next(s.self);
    const gr_pid pid = gr_sender(put);
    answer(s.self, put);
    assert_int_equal(ask(s.self, pid, GR_FOREVER, "get"), 0);
    end(&bob);
    stage_expect(&s, "bob=GR_OK");
    stage_end(&s);
}

/* A question that is not kept ends with the next wait: nobody waits then. */
static void test_what_is_not_kept_is_answered(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_main_and_answer};
    const gr_msg *put;
    start(&s);
    begin(&bob);
    CHECK_RC(gr_receive(s.self, GR_FOREVER, &put), 0);
    assert_int_equal(ask(s.self, gr_sender(put), GR_FOREVER, "get"), 0);
    end(&bob);
    stage_expect(&s, "bob=GR_ENOREPLY");
    stage_end(&s);
}

static void ask_in_vain_and_answer(player *p)
{
    const gr_pid to = find(p->self, "main");
    CHECK_RC(ask(p->self, to, 1, "put"), GR_ETIMEOUT);
    CHECK_RC(gr_send(p->self, to, "over"), 0);
    answer(p->self, keep_next(p->self));
}

static void test_a_deadline_ends_the_wait(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_in_vain_and_answer};
    const gr_msg *over;
    start(&s);
    begin(&bob);
    const gr_msg *put = keep_next(s.self);
    CHECK_RC(gr_receive(s.self, GR_FOREVER, &over), 0);
    assert_int_equal(ask(s.self, gr_sender(put), GR_FOREVER, "get"), 0);
    answer(s.self, put); /* late */
    end(&bob);
    stage_end(&s);
}

/* Answers what it was given before when it hears "go". */
static int hold_until_go(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (gr_match(msg, "go")) {
        answer(self, p->kept);
    } else {
        p->kept = gr_keep(self, msg);
        CHECK(p->kept != NULL);
    }
    return 0;
}

static int be_holder(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = hold_until_go;
    return 0;
}

/* Who holds the question is a handler: it waits for nobody. */
static void test_a_forwarded_question(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_main_and_answer};
    start(&s);
    gr_pid a = stage_puppet(&s, 'a');
    stage_do(&s, a, be_holder);
    begin(&bob);
    const gr_msg *put = keep_next(s.self);
    const gr_pid pid = gr_sender(put);
    CHECK_RC(gr_forward(s.self, a, put), 0);
    gr_release(s.self, put);
    CHECK_RC(gr_send(s.self, a, "go"), 0);
    assert_int_equal(ask(s.self, pid, GR_FOREVER, "get"), 0);
    end(&bob);
    stage_expect_words(&s, "+a bob=GR_OK");
    stage_end(&s);
}

/* ---- circles by forwarding ---- */

static int pass_to_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    CHECK_RC(gr_forward(self, p->peer, msg), 0);
    return 0;
}

static int be_passer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = pass_to_peer;
    return 0;
}

static void ask_the_handler(player *p)
{
    stage_note(
        p->s, "%s=%s", p->name,
        gr_errname(ask(p->self, find(p->self, "handler"), GR_FOREVER, "put")));
}

/* A question that came by a handler is an edge as any other. */
static void test_a_question_by_way_of_a_handler(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_the_handler};
    start(&s);
    gr_pid a = stage_begun(&s, 'a', "handler", NULL);
    stage_do_to(&s, a, be_passer, gr_self(s.self));
    begin(&bob);
    const gr_msg *put = keep_next(s.self);
    assert_int_equal(ask(s.self, gr_sender(put), GR_FOREVER, "get"),
                     GR_EDEADLOCK);
    answer(s.self, put);
    end(&bob);
    stage_end(&s);
}

/* A forward that would close a circle: the asker is told. */
static void ask_main_and_tell_path(player *p)
{
    ask_main(p);
    stage_note(p->s, strstr(gr_deadlock_path(p->self), "eve") != NULL
                         ? "with-eve"
                         : "without");
    answer(p->self, keep_next(p->self));
}

static void tell_main_and_ask_bob(player *p)
{
    CHECK_RC(gr_send(p->self, find(p->self, "main"), "begin"), 0);
    ask_bob(p);
}

static void test_a_forward_that_closes_a_circle(void **state)
{
    (void)state;
    stage s;
    player bob = {.s = &s, .name = "bob", .play = ask_main_and_tell_path};
    player eve = {.s = &s, .name = "eve", .play = tell_main_and_ask_bob};
    start(&s);
    begin(&bob);
    const gr_msg *put = keep_next(s.self);
    begin(&eve);
    gr_actor_info info;
    do { /* until her question stands in his mailbox */
        CHECK_RC(gr_actor_inspect(s.sys, gr_sender(put), &info), 0);
    } while (stage_stats(&s).sent < 3);
    CHECK_RC(gr_forward(s.self, find(s.self, "eve"), put), 0);
    CHECK(!gr_msg_asked(put));
    gr_release(s.self, put);
    end(&bob);
    end(&eve);
    stage_expect_words(&s, "bob=GR_EDEADLOCK with-eve eve=GR_OK");
    stage_end(&s);
}

/* ---- many at a time ---- */

/* Asks one, then is asked by it, and so on: each answers before it asks. */
static void alternate(player *p)
{
    const bool first = p->number == 0;
    const gr_pid other = find(p->self, first ? "player1" : "player0");
    for (int i = 0; i < ROUNDS; i++) {
        if (first || i > 0) {
            CHECK_RC(ask(p->self, other, GR_FOREVER, "yours"), 0);
        }
        if (!first || i < ROUNDS - 1) {
            const gr_msg *msg;
            CHECK_RC(gr_receive(p->self, GR_FOREVER, &msg), 0);
            CHECK_RC(gr_reply(p->self, msg, "ok"), 0);
        }
    }
}

static const char *const names[THREADS] = {"player0", "player1", "player2",
                                           "player3"};

static void play_all(unsigned n, void (*play)(player *p))
{
    stage s;
    player of[THREADS];
    stage_start(&s, 0, &(gr_system_opts){.log_level = GR_LOG_ERROR});
    for (unsigned i = 0; i < n; i++) {
        of[i] = (player){.s = &s, .name = names[i], .play = play, .number = i};
        begin(&of[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        end(&of[i]);
    }
    stage_end(&s);
}

static void test_who_has_answered_may_ask(void **state)
{
    (void)state;
    play_all(2, alternate);
}

static atomic_uint at_the_end;

static void answer_all(gr_actor *self, int64_t timeout_ms)
{
    const gr_msg *msg;
    while (gr_receive(self, timeout_ms, &msg) == 0) {
        CHECK_RC(gr_reply(self, msg, "ok"), 0);
    }
}

/* Each asks any other at any time: that no wait lasts for ever is all. */
static void ask_anybody(player *p)
{
    unsigned random = p->number;
    unsigned refused = 0;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1103515245u + 12345u;
        const unsigned other =
            (p->number + 1 + (random >> 16) % (THREADS - 1)) % THREADS;
        const int rc =
            ask(p->self, find(p->self, names[other]), GR_FOREVER, "any");
        CHECK(rc == 0 || rc == GR_EDEADLOCK);
        refused += rc == GR_EDEADLOCK;
        answer_all(p->self, 0);
    }
    stage_note(p->s, "%u", refused);
    /* relaxed: only counted; whoever sees it late answers once more. */
    atomic_fetch_add_explicit(&at_the_end, 1, memory_order_relaxed);
    while (atomic_load_explicit(&at_the_end, memory_order_relaxed) < THREADS) {
        answer_all(p->self, 1);
    }
    answer_all(p->self, 0);
}

static void test_no_wait_lasts_for_ever(void **state)
{
    (void)state;
    play_all(THREADS, ask_anybody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_ask_each_other),
        cmocka_unit_test(test_three_in_a_circle),
        cmocka_unit_test(test_every_call_is_looked_at),
        cmocka_unit_test(test_room_is_waited_for_too),
        cmocka_unit_test(test_room_that_was_told_of),
        cmocka_unit_test(test_an_answer_ends_the_wait),
        cmocka_unit_test(test_what_is_not_kept_is_answered),
        cmocka_unit_test(test_a_deadline_ends_the_wait),
        cmocka_unit_test(test_a_forwarded_question),
        cmocka_unit_test(test_a_question_by_way_of_a_handler),
        cmocka_unit_test(test_a_forward_that_closes_a_circle),
        cmocka_unit_test(test_who_has_answered_may_ask),
        cmocka_unit_test(test_no_wait_lasts_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
