/* tests/actors/test_thread.c - threads as actors: receive, call, sleep, and how
 * they are told to stop. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/sanitizers.h"
#include "tests/support/stage.h"

/* ---- receive and sleep ---- */

static int send_three(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    for (int i = 0; i < 3; i++) {
        gr_tell(self, gr_sender(msg), "item", i);
    }
    return 0;
}

static void scene_receive(stage *s)
{
    const gr_msg *msg = NULL;
    gr_pid a = stage_puppet(s, 'a');
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    CHECK(msg == NULL);
    CHECK_RC(gr_receive(s->self, 5, &msg), GR_ETIMEOUT);
    CHECK_INT(gr_now_ms(s->self), 5);
    stage_do(s, a, send_three);
    for (int i = 0; i < 3; i++) {
        int n = -1;
        CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
        CHECK(gr_match(msg, "item", &n));
        CHECK_INT(n, i);
        CHECK(gr_pid_eq(gr_sender(msg), a));
        CHECK_INT(gr_msg_status(msg), 0);
        CHECK_INT(gr_msg_token(msg), 0);
    }
}

static void test_receive(void **state)
{
    (void)state;
    stage_each_seed(scene_receive, NULL);
}

static void scene_sleep(stage *s)
{
    const gr_msg *msg;
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, send_three);
    CHECK_RC(gr_sleep(s->self, 100), 0); /* all of it, whatever comes */
    CHECK_INT(gr_now_ms(s->self), 100);
    CHECK_RC(gr_sleep(s->self, 0), 0);
    CHECK_INT(gr_now_ms(s->self), 100);
    stage_do(s, a, send_three);
    for (int i = 0; i < 6; i++) { /* messages stay, in their order */
        int n = -1;
        CHECK_RC(gr_receive(s->self, 0, &msg), 0);
        CHECK(gr_match(msg, "item", &n));
        CHECK_INT(n, i % 3);
    }
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
}

static void test_messages_stay_over_a_sleep(void **state)
{
    (void)state;
    stage_each_seed(scene_sleep, NULL);
}

static int wait_in_handler(gr_actor *self, puppet *p, const gr_msg *msg)
{
    const gr_msg *other;
    (void)msg;
    CHECK_RC(gr_receive(self, 0, &other), GR_ENOTSUP);
    CHECK_RC(gr_sleep(self, 1), GR_ENOTSUP);
    CHECK_RC(gr_wait_stop(self), GR_ENOTSUP);
    CHECK_RC(gr_call(self, p->peer, 1, gr_expect("x"), "x"), GR_ENOTSUP);
    return 0;
}

static void scene_handlers_do_not_wait(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do_to(s, a, wait_in_handler, gr_self(s->self));
    /* Not either once it has something of its own. */
    stage_do_to(s, a, puppet_link, gr_self(s->self));
    stage_do_to(s, a, wait_in_handler, gr_self(s->self));
    stage_expect(s, "+a");
}

static void test_handlers_cannot_wait(void **state)
{
    (void)state;
    stage_each_seed(scene_handlers_do_not_wait, NULL);
}

/* ---- being told to stop ---- */

static int stop_sender(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    gr_tell(self, gr_sender(msg), "before");
    return gr_stop(self, gr_sender(msg));
}

static int kill_sender(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    gr_tell(self, gr_sender(msg), "before");
    return gr_kill(self, gr_sender(msg));
}

static void scene_thread_is_stopped(stage *s)
{
    const gr_msg *msg;
    gr_exit_reason why;
    gr_pid a = stage_puppet(s, 'a');
    gr_trap_exit(s->self, false);
    CHECK(!gr_exit_reason_of(s->self, &why));
    stage_do(s, a, stop_sender);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0); /* what came before the stop */
    CHECK(gr_match(msg, "before"));
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), GR_ESTOPPED);
    CHECK(gr_exit_reason_of(s->self, &why));
    CHECK_INT(why.kind, GR_EXIT_SHUTDOWN);
    CHECK_RC(gr_sleep(s->self, 1), GR_ESTOPPED);
    CHECK_RC(gr_wait_stop(s->self), 0);
    /* It may still ask, to tidy up. */
    CHECK_RC(gr_call(s->self, a, 5, gr_expect("x"), "x"), GR_ENOREPLY);
}

static void test_a_stopped_thread(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_is_stopped, NULL);
}

static void scene_thread_traps_stop(stage *s)
{
    const gr_msg *msg;
    gr_pid a = stage_puppet(s, 'a');
    gr_pid from;
    stage_do(s, a, stop_sender);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match_stop(msg, &from));
    CHECK(gr_pid_eq(from, a));
    CHECK_RC(gr_receive(s->self, 1, &msg), GR_ETIMEOUT);
}

static void test_a_thread_may_trap_a_stop(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_traps_stop, NULL);
}

static void scene_thread_is_killed(stage *s)
{
    const gr_msg *msg;
    gr_exit_reason why;
    gr_ref ref;
    gr_actor *other;
    gr_pid a = stage_puppet(s, 'a');
    CHECK_RC(gr_thread_attach(s->sys, NULL, &other), 0);
    gr_trap_exit(other, true); /* cannot be trapped */
    CHECK_RC(gr_monitor(s->self, gr_self(other), &ref), 0);
    gr_tell(s->self, gr_self(other), "set aside");
    CHECK_RC(gr_sleep(other, 1), 0);
    CHECK_RC(gr_send(other, a, "puppet.do", (uint64_t)(uintptr_t)kill_sender),
             0);
    stage_settle(s);
    /* From its next wait, whatever waits for it. */
    CHECK_RC(gr_receive(other, 0, &msg), GR_ESTOPPED);
    CHECK_RC(gr_sleep(other, 0), GR_ESTOPPED);
    CHECK(gr_exit_reason_of(other, &why));
    CHECK_INT(why.kind, GR_EXIT_KILLED);
    gr_thread_detach(other, 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), 0);
    CHECK(gr_match_down(msg, NULL, NULL, &why));
    CHECK_INT(why.kind, GR_EXIT_KILLED);
}

static void test_a_killed_thread_hears_at_its_next_wait(void **state)
{
    (void)state;
    stage_each_seed(scene_thread_is_killed, NULL);
}

static int kill_asker(gr_actor *self, puppet *p, const gr_msg *msg)
{
    p->kept = gr_keep(self, msg);
    return gr_kill(self, gr_sender(msg));
}

static int be_killer(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = kill_asker;
    return 0;
}

static void scene_killed_in_call(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_killer);
    CHECK_RC(gr_call(s->self, a, GR_FOREVER, gr_expect("x"), "x"), GR_ESTOPPED);
    CHECK_INT(gr_now_ms(s->self), 0);
}

static void test_a_kill_ends_a_call(void **state)
{
    (void)state;
    stage_each_seed(scene_killed_in_call, NULL);
}

static void scene_detach_reason(stage *s)
{
    static const int codes[] = {0, ERROR_TEST};
    for (unsigned i = 0; i < 2; i++) {
        const gr_msg *msg;
        gr_actor *other;
        gr_exit_reason why;
        gr_ref ref;
        CHECK_RC(gr_thread_attach(s->sys, NULL, &other), 0);
        CHECK_RC(gr_monitor(s->self, gr_self(other), &ref), 0);
        CHECK_RC(gr_sleep(other, 0), 0);
        gr_tell(s->self, gr_self(other), "never read");
        gr_thread_detach(other, codes[i]);
        CHECK_RC(gr_receive(s->self, 0, &msg), 0);
        CHECK(gr_match_down(msg, NULL, NULL, &why));
        CHECK_INT(why.kind, i == 0 ? GR_EXIT_NORMAL : GR_EXIT_ERROR);
        CHECK_INT(why.code, codes[i]);
    }
    stage_settle(s);
    CHECK_INT(stage_stats(s).dead_letters, 2);
}

static void test_detach_tells_how_it_ended(void **state)
{
    (void)state;
    stage_each_seed(scene_detach_reason, NULL);
}

static void scene_linked_thread(stage *s)
{
    const gr_msg *msg;
    gr_exit_reason why;
    gr_pid a = stage_puppet(s, 'a');
    gr_trap_exit(s->self, false);
    CHECK_RC(gr_link(s->self, a), 0);
    stage_do(s, a, puppet_fail);
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ESTOPPED);
    CHECK(gr_exit_reason_of(s->self, &why));
    CHECK_INT(why.code, ERROR_TEST);
}

static void test_a_link_tells_a_thread_to_stop(void **state)
{
    (void)state;
    stage_each_seed(scene_linked_thread, NULL);
}

/* ---- call ---- */

static int double_it(gr_actor *self, void *state, const gr_msg *msg)
{
    int64_t n;
    (void)state;
    if (gr_match(msg, "double", &n)) {
        return gr_reply(self, msg, "doubled", 2 * n);
    }
    if (gr_match(msg, "fail")) {
        return ERROR_TEST;
    }
    if (gr_match(msg, "refuse")) {
        return gr_reply_error(self, msg, GR_EDENIED, "why");
    }
    if (gr_match(msg, "forget")) {
        return 0;
    }
    if (gr_match(msg, "hold")) {
        return gr_keep(self, msg) != NULL ? 0 : GR_ENOMEM;
    }
    if (gr_match(msg, "chatter")) {
        gr_tell(self, gr_sender(msg), "aside", 1);
        gr_tell(self, gr_sender(msg), "aside", 2);
        return gr_reply(self, msg, "chattered");
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior doubler = {.name = "doubler", .receive = double_it};

static void scene_call(stage *s)
{
    gr_actor *me = s->self;
    gr_pid d;
    int64_t n = 0;
    const gr_msg *msg;
    CHECK_RC(gr_spawn(me, &doubler, NULL, &d), 0);
    CHECK_RC(gr_call(me, d, 10, gr_expect("doubled", &n), "double", 21), 0);
    CHECK_INT(n, 42);
    CHECK_RC(gr_call(me, d, 10, gr_expect("tripled", &n), "double", 1),
             GR_EREPLY);
    CHECK_RC(gr_call(me, d, 10, gr_expect("doubled"), "double", 1), GR_EREPLY);
    CHECK_RC(gr_call(me, d, 10, gr_expect("x"), "refuse"), GR_EDENIED);
    CHECK_RC(gr_call(me, d, 10, gr_expect("x"), "forget"), GR_ENOREPLY);
    CHECK_RC(gr_call(me, d, 10, gr_expect("x"), "unknown"), GR_ENOREPLY);
    CHECK_INT(gr_now_ms(me), 0);
    CHECK_RC(gr_call(me, d, 10, gr_expect("x"), "hold"), GR_ETIMEOUT);
    CHECK_INT(gr_now_ms(me), 10);
    CHECK_RC(gr_call(me, d, 0, gr_expect("x"), "hold"), GR_EINVAL);
    CHECK_RC(gr_call(me, d, -2, gr_expect("x"), "hold"), GR_EINVAL);
    CHECK_RC(gr_call(me, d, 10, gr_expect("chattered"), "chatter"), 0);
    for (int i = 1; i <= 2; i++) {
        CHECK_RC(gr_receive(me, 0, &msg), 0);
        CHECK(gr_match(msg, "aside", &n));
        CHECK_INT(n, i);
    }
    CHECK_RC(gr_call(me, d, GR_FOREVER, gr_expect("x"), "fail"), GR_ENOPROC);
    CHECK_RC(gr_call(me, d, GR_FOREVER, gr_expect("x"), "fail"), GR_ENOPROC);
    CHECK_RC(gr_receive(me, 0, &msg), GR_ETIMEOUT);
    CHECK_INT(stage_stats(s).late_replies, 1); /* of what was held */
}

static void test_call(void **state)
{
    (void)state;
    stage_each_seed(scene_call, NULL);
}

/* A thread that is asked while it asks answers afterwards. */
static void scene_call_between_threads(stage *s)
{
    gr_actor *other;
    const gr_msg *msg;
    CHECK_RC(gr_thread_attach(s->sys, "other", &other), 0);
    /* Nobody drives the other thread: virtual time runs out. */
    CHECK_RC(gr_call(s->self, gr_self(other), 10, gr_expect("x"), "q"),
             GR_ETIMEOUT);
    CHECK_RC(gr_receive(other, 0, &msg), 0);
    CHECK(gr_msg_asked(msg));
    CHECK_RC(gr_reply(other, msg, "x"), 0);
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    CHECK_INT(stage_stats(s).late_replies, 1);
    /* What a thread leaves unanswered is answered by its next wait. */
    CHECK_RC(gr_call(s->self, gr_self(other), 10, gr_expect("x"), "q"),
             GR_ETIMEOUT);
    CHECK_RC(gr_receive(other, 0, &msg), 0);
    CHECK_RC(gr_receive(other, 0, &msg), GR_ETIMEOUT);
    CHECK_RC(gr_receive(s->self, 0, &msg), GR_ETIMEOUT);
    CHECK_INT(stage_stats(s).late_replies, 2);
    gr_thread_detach(other, 0);
}

static void test_threads_ask_each_other(void **state)
{
    (void)state;
    stage_each_seed(scene_call_between_threads, NULL);
}

enum { CALLERS = 4, CALLS = 2000 };

struct caller {
    pthread_t thread;
    gr_system *sys;
    gr_pid to;
    int64_t sum;
    int rc;
};

static void *call_often(void *arg)
{
    struct caller *c = arg;
    gr_actor *self;
    c->rc = gr_thread_attach(c->sys, NULL, &self);
    for (int64_t i = 0; i < CALLS && c->rc == 0; i++) {
        int64_t n;
        c->rc = gr_call(self, c->to, GR_FOREVER, gr_expect("doubled", &n),
                        "double", i);
        c->sum += c->rc == 0 ? n : 0;
    }
    gr_thread_detach(self, c->rc);
    return NULL;
}

static void test_many_threads_call_at_once(void **state)
{
    (void)state;
    stage s;
    struct caller c[CALLERS] = {0};
    stage_start(&s, 0, NULL);
    gr_pid d;
    CHECK_RC(gr_spawn(s.self, &doubler, NULL, &d), 0);
    for (unsigned i = 0; i < CALLERS; i++) {
        c[i].sys = s.sys;
        c[i].to = d;
        CHECK(pthread_create(&c[i].thread, NULL, call_often, &c[i]) == 0);
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        CHECK(pthread_join(c[i].thread, NULL) == 0);
        CHECK_RC(c[i].rc, 0);
        CHECK_INT(c[i].sum, (int64_t)CALLS * (CALLS - 1));
    }
    CHECK_INT(stage_stats(&s).sent, 2 * CALLERS * CALLS);
    CHECK_RC(gr_call(s.self, d, GR_FOREVER, gr_expect("x"), "fail"),
             GR_ENOPROC);
    stage_end(&s);
}

/* ---- gr_wait_stop ---- */

static void *raise_here(void *arg)
{
    const puppet *p = arg;
    (void)pthread_kill(pthread_self(), (int)p->n);
    return NULL;
}

static int raise_signal(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
#ifdef UNDER_TSAN
    /* ThreadSanitizer puts a signal off until the thread calls something that
     * it intercepts; who sleeps on a futex never does. */
    sigset_t none;
    sigset_t before;
    pthread_t thread;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, &before);
    CHECK(pthread_create(&thread, NULL, raise_here, p) == 0);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pthread_join(thread, NULL) == 0 ? 0 : GR_EIO;
#else
    (void)raise_here;
    /* To the process: it must reach whoever waits. */
    return kill(getpid(), (int)p->n) == 0 ? 0 : GR_EIO;
#endif
}

static int set_term(gr_actor *self, puppet *p, const gr_msg *msg)
{
    p->n = SIGTERM;
    GR_TRY(gr_after(self, 5, NULL, "later"));
    p->hear = raise_signal;
    (void)msg;
    return 0;
}

static int set_int(gr_actor *self, puppet *p, const gr_msg *msg)
{
    GR_TRY(set_term(self, p, msg));
    p->n = SIGINT;
    return 0;
}

/* In a child process: 0 if it went as it should. */
static int wait_for_signals(void)
{
    stage s;
    const gr_msg *msg = NULL;
    static puppet_fn *const set[] = {set_term, set_int};
    stage_start(&s, 0, NULL);
    gr_pid a = stage_puppet(&s, 'a');
    for (unsigned i = 0; i < 2; i++) {
        gr_pid me = gr_self(s.self);
        CHECK_RC(gr_send(s.self, me, "stays"), 0);
        stage_do(&s, a, set[i]);
        CHECK_RC(gr_wait_stop(s.self), 0);
        CHECK_RC(gr_receive(s.self, 0, &msg), 0);
        CHECK(gr_match(msg, "stays"));
    }
    /* The handlers are the program's own again. */
    struct sigaction now;
    CHECK(sigaction(SIGTERM, NULL, &now) == 0);
    CHECK(now.sa_handler == SIG_DFL);
    CHECK_RC(gr_kill(s.self, a), 0);
    stage_end(&s);
    return 0;
}

static void test_wait_stop_ends_by_a_signal(void **state)
{
    (void)state;
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(60); /* a signal that gets lost must not hang the test */
        _exit(wait_for_signals());
    }
    int status = -1;
    assert_true(waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
}

static void *stop_from_another_thread(void *arg)
{
    stage *s = arg;
    gr_actor *self;
    CHECK_RC(gr_thread_attach(s->sys, NULL, &self), 0);
    CHECK_RC(gr_stop(self, gr_self(s->self)), 0);
    gr_thread_detach(self, 0);
    return NULL;
}

static void test_wait_stop_ends_by_a_stop(void **state)
{
    (void)state;
    stage s;
    pthread_t thread;
    stage_start(&s, 0, NULL);
    gr_trap_exit(s.self, false);
    CHECK(pthread_create(&thread, NULL, stop_from_another_thread, &s) == 0);
    CHECK_RC(gr_wait_stop(s.self), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_messages_stay_over_a_sleep),
        cmocka_unit_test(test_handlers_cannot_wait),
        cmocka_unit_test(test_a_stopped_thread),
        cmocka_unit_test(test_a_thread_may_trap_a_stop),
        cmocka_unit_test(test_a_killed_thread_hears_at_its_next_wait),
        cmocka_unit_test(test_a_kill_ends_a_call),
        cmocka_unit_test(test_detach_tells_how_it_ended),
        cmocka_unit_test(test_a_link_tells_a_thread_to_stop),
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_threads_ask_each_other),
        cmocka_unit_test(test_many_threads_call_at_once),
        cmocka_unit_test(test_wait_stop_ends_by_a_signal),
        cmocka_unit_test(test_wait_stop_ends_by_a_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
