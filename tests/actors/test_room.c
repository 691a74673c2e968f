/* tests/actors/test_room.c - a thread waits at a full mailbox until there is
 * room, and for no longer than it must. */
#include "actors/internal.h"
#include "tests/support/stage.h"

enum { HARD = 4 };

static void fill(stage *s, gr_pid pid)
{
    while (gr_send(s->self, pid, "x") == 0) {
    }
}

static gr_pid counter(stage *s, char letter)
{
    gr_pid a = stage_puppet(s, letter);
    stage_do(s, a, puppet_be_counter);
    return a;
}

static void scene_waits(stage *s)
{
    gr_pid a = counter(s, 'a');
    CHECK_RC(gr_send_wait(s->self, a, 0, "x"), 0); /* there is room */
    CHECK_INT(stage_stats(s).slowed, 0);
    for (unsigned i = 0; i < 20 * HARD; i++) {
        CHECK_RC(gr_send_wait(s->self, a, GR_FOREVER, "x"), 0);
    }
    gr_stats t = stage_stats(s);
    CHECK(t.slowed > 0);
    CHECK_INT(t.refused, 0);
    stage_settle(s);
    stage_do(s, a, puppet_tell_count);
    stage_expect(s, "+a 81");
}

static void test_it_waits_for_room(void **state)
{
    (void)state;
    stage_each_seed(scene_waits, &(gr_system_opts){.mailbox_hard = HARD});
}

/* A thread that does not receive: a receiver that is stuck. */
static gr_actor *stuck(stage *s)
{
    gr_actor *t;
    CHECK_RC(gr_thread_attach(s->sys, NULL, &t), 0);
    fill(s, gr_self(t));
    return t;
}

/* WAITERs in a slot's inbox. */
static unsigned waiters(stage *s, gr_pid pid)
{
    unsigned n = 0;
    gr_msg *msg = gri_slot_of(s->sys, pid)->outlet.head;
    /* relaxed: one thread. */
    while ((msg = atomic_load_explicit(&msg->next, memory_order_relaxed)) !=
           NULL) {
        n += msg->kind == GRI_MSG_WAITER;
    }
    return n;
}

static void scene_deadline(stage *s)
{
    gr_actor *t = stuck(s);
    gr_pid to = gr_self(t);
    CHECK_RC(gr_send_wait(s->self, to, 0, "x"), GR_ETIMEOUT);
    CHECK_INT(waiters(s, to), 0);
    int64_t before = gr_now_ms(s->self);
    CHECK_RC(gr_send_wait(s->self, to, 100, "x"), GR_ETIMEOUT);
    CHECK_INT(gr_now_ms(s->self), before + 100);
    for (unsigned i = 0; i < 10; i++) {
        CHECK_RC(gr_send_wait(s->self, to, 1, "x"), GR_ETIMEOUT);
    }
    CHECK_INT(waiters(s, to), 1); /* one of each thread, however often */
    CHECK_INT(stage_stats(s).slowed, 11);
    CHECK_INT(stage_stats(s).refused, 1);
    const gr_msg *msg;
    while (gr_receive(t, 0, &msg) == 0) {
    }
    /* The answer that comes now is for nobody, and the next wait is a new one.
     */
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    fill(s, to);
    CHECK_RC(gr_send_wait(s->self, to, 1, "x"), GR_ETIMEOUT);
    CHECK_INT(waiters(s, to), 1);
    gr_thread_detach(t, 0);
}

static void test_it_waits_no_longer_than_asked_for(void **state)
{
    (void)state;
    stage_each_seed(scene_deadline, &(gr_system_opts){.mailbox_hard = HARD});
}

/* Ends what stands in its way when its time has come. */
static int end_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_kill(self, p->peer);
}

static int stop_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_stop(self, p->peer);
}

/* Full, and suspended for ever, as its own receiver is stuck. */
static int press_peer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = puppet_count;
    for (unsigned i = 0; i < HARD; i++) {
        GR_TRY(gr_send(self, p->peer, "x"));
    }
    return 0;
}

static gr_pid suspended(stage *s, gr_actor **blocker)
{
    CHECK_RC(gr_thread_attach(s->sys, NULL, blocker), 0);
    gr_pid a = stage_puppet(s, 'a');
    CHECK_RC(gr_send(s->self, a, "puppet.do_to",
                     (uint64_t)(uintptr_t)press_peer, gr_self(*blocker)),
             0);
    stage_settle(s);
    CHECK_INT(stage_stats(s).slowed, 1);
    fill(s, a);
    return a;
}

static void scene_receiver_dies(stage *s)
{
    gr_actor *blocker;
    gr_pid a = suspended(s, &blocker);
    gr_pid b = stage_puppet(s, 'b');
    CHECK_RC(
        gr_send(s->self, b, "puppet.do_to", (uint64_t)(uintptr_t)end_peer, a),
        0);
    CHECK_INT(stage_stats(s).dead_letters, 0);
    CHECK_RC(gr_send_wait(s->self, a, GR_FOREVER, "last"), 0);
    CHECK_INT(stage_stats(s).slowed, 2); /* it did wait */
    stage_settle(s);
    CHECK_INT(stage_stats(s).dead_letters, 2 * HARD + 1);
    gr_thread_detach(blocker, 0);
    s->journal[0] = '\0';
}

static void test_a_dead_receiver_has_room(void **state)
{
    (void)state;
    stage_each_seed(
        scene_receiver_dies,
        &(gr_system_opts){.mailbox_hard = 2 * HARD, .mailbox_soft = 2});
}

static void scene_stopped(stage *s)
{
    gr_actor *t = stuck(s);
    gr_actor *me;
    gr_exit_reason why;
    CHECK_RC(gr_thread_attach(s->sys, NULL, &me), 0);
    gr_pid b = stage_puppet(s, 'b');
    CHECK_RC(
        gr_send(s->self, b, "puppet.do_to",
                (uint64_t)(uintptr_t)(s->seed % 2 == 0 ? end_peer : stop_peer),
                gr_self(me)),
        0);
    CHECK_RC(gr_send_wait(me, gr_self(t), GR_FOREVER, "x"), GR_ESTOPPED);
    CHECK(gr_exit_reason_of(me, &why));
    CHECK_INT(why.kind, s->seed % 2 == 0 ? GR_EXIT_KILLED : GR_EXIT_SHUTDOWN);
    gr_thread_detach(me, 0);
    const gr_msg *msg;
    while (gr_receive(t, 0, &msg) == 0) { /* its ROOM finds nobody */
    }
    gr_thread_detach(t, 0);
    s->journal[0] = '\0';
}

static void test_who_is_to_end_waits_no_more(void **state)
{
    (void)state;
    stage_each_seed(scene_stopped, &(gr_system_opts){.mailbox_hard = HARD});
}

static void scene_others(stage *s)
{
    gr_pid a = counter(s, 'a');
    gr_pid me = gr_self(s->self);
    CHECK_RC(gr_send_wait(s->self, me, 10, "x"), GR_EINVAL);
    CHECK_RC(gr_send_wait(s->self, a, -2, "x"), GR_EINVAL);
    CHECK_RC(gr_send_waitv(s->self, a, 10, NULL, 0), GR_EINVAL);
    CHECK_RC(gr_send_wait(s->self, GR_NOBODY, 10, "x"), GR_EINVAL);
    gr_pid far = {me.node + 1, a.id};
    CHECK_RC(gr_send_wait(s->self, far, 10, "x"), GR_ENOCONN);
    stage_expect(s, "+a");
}

static int send_wait_here(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    CHECK_RC(gr_send_wait(self, p->peer, 10, "x"), GR_ENOTSUP);
    return 0;
}

static void scene_handler(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_settle(s);
    stage_do_to(s, a, send_wait_here, gr_self(s->self));
    stage_expect(s, "+a");
    const gr_msg *msg;
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
}

static void test_what_it_refuses(void **state)
{
    (void)state;
    stage_each_seed(scene_others, NULL);
    stage_each_seed(scene_handler, NULL);
}

/* What comes meanwhile stays, and a receiver that sleeps makes no room. */
static void scene_sleeper(stage *s)
{
    gr_actor *t = stuck(s);
    gr_pid to = gr_self(t);
    const gr_msg *msg;
    CHECK_RC(gr_send(s->self, gr_self(s->self), "mine"), 0);
    CHECK_RC(gr_send_wait(s->self, to, 5, "y"), GR_ETIMEOUT);
    CHECK_RC(gr_sleep(t, 5), 0); /* saves all, the WAITER too */
    CHECK_RC(gr_send_wait(s->self, to, 5, "y"), GR_ETIMEOUT);
    unsigned n = 0;
    while (gr_receive(t, 0, &msg) == 0) {
        n++;
    }
    CHECK(n >= HARD);
    CHECK_RC(gr_send_wait(s->self, to, 5, "y"), 0);
    CHECK_RC(gr_receive(t, 0, &msg), 0);
    CHECK(gr_match(msg, "y"));
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "mine"));
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    /* A borrowed text outlives the message that it is of, until it is sent. */
    gr_str text;
    CHECK_RC(gr_send(s->self, gr_self(s->self), "text", "borrowed"), 0);
    CHECK_RC(gr_sleep(s->self, 1), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match(msg, "text", &text));
    CHECK_RC(gr_send_wait(s->self, to, 5, "copy", text), 0);
    CHECK_RC(gr_receive(t, 0, &msg), 0);
    CHECK(gr_match(msg, "copy", &text) && text.len == 8 &&
          memcmp(text.ptr, "borrowed", 8) == 0);
    fill(s, to);
    CHECK_RC(gr_send_wait(s->self, to, 5, "y"), GR_ETIMEOUT);
    CHECK_RC(gr_sleep(t, 5), 0);
    gr_thread_detach(t, 0); /* and what it saved is told, too */
    CHECK_RC(gr_send_wait(s->self, to, 5, "y"), 0);
}

static void test_a_receiver_that_sleeps_makes_no_room(void **state)
{
    (void)state;
    stage_each_seed(scene_sleeper, &(gr_system_opts){.mailbox_hard = HARD});
}

/* ---- with real threads: nobody polls ---- */

enum { SENDERS = 3, EACH = 2000 };

typedef struct sender {
    pthread_t thread;
    gr_system *sys;
    gr_pid to;
    int rc;
} sender;

static void *send_all(void *arg)
{
    sender *one = arg;
    gr_actor *self;
    one->rc = gr_thread_attach(one->sys, NULL, &self);
    for (unsigned i = 0; i < EACH && one->rc == 0; i++) {
        one->rc = gr_send_wait(self, one->to, GR_FOREVER, "x");
    }
    gr_thread_detach(self, 0);
    return NULL;
}

static void test_many_wait_and_all_arrives(void **state)
{
    (void)state;
    stage s;
    sender senders[SENDERS];
    stage_start(&s, 0,
                &(gr_system_opts){.workers = 2,
                                  .mailbox_hard = HARD,
                                  .log_level = GR_LOG_WARN});
    gr_pid me = gr_self(s.self);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (sender){.sys = s.sys, .to = me};
        assert_int_equal(
            pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (unsigned n = 0; n < SENDERS * EACH; n++) {
        const gr_msg *msg;
        CHECK_RC(gr_receive(s.self, GR_FOREVER, &msg), 0);
        CHECK(gr_match(msg, "x"));
        /* Most of the time in a wait that saves. */
        if (n % 64 == 0) {
            CHECK_RC(gr_sleep(s.self, 1), 0);
        }
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        CHECK_RC(senders[i].rc, 0);
    }
    gr_stats t = stage_stats(&s);
    CHECK(t.slowed > 0);
    CHECK_INT(t.refused, 0);
    CHECK_INT(t.dead_letters, 0);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_waits_for_room),
        cmocka_unit_test(test_it_waits_no_longer_than_asked_for),
        cmocka_unit_test(test_a_dead_receiver_has_room),
        cmocka_unit_test(test_who_is_to_end_waits_no_more),
        cmocka_unit_test(test_what_it_refuses),
        cmocka_unit_test(test_a_receiver_that_sleeps_makes_no_room),
        cmocka_unit_test(test_many_wait_and_all_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
