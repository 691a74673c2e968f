/* tests/actors/test_system.c - starting and stopping systems, several at once,
 * and what they count. */
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/stage.h"

/* ---- start ---- */

static void test_start_refuses_bad_options(void **state)
{
    (void)state;
    gr_system *sys = NULL;
    gr_system_opts many = {.workers = GR_WORKERS_MAX + 1};
    gr_system_opts crossed = {.mailbox_soft = 11, .mailbox_hard = 10};
    assert_int_equal(gr_system_start(&many, &sys), GR_EINVAL);
    gr_system_opts few = {.actors_max = 15};
    assert_int_equal(gr_system_start(&crossed, &sys), GR_EINVAL);
    assert_int_equal(gr_system_start(&few, &sys), GR_EINVAL);
    assert_null(sys);
    assert_int_equal(gr_system_start(NULL, &sys), 0); /* all defaults */
    assert_int_equal(gr_system_stop(sys, 1000), 0);
}

static void test_a_hard_bound_below_the_usual_soft_one(void **state)
{
    (void)state;
    gr_system *sys;
    gr_system_opts low = {.mailbox_hard = 10, .workers = 1};
    assert_int_equal(gr_system_start(&low, &sys), 0);
    assert_int_equal(gr_system_stop(sys, 1000), 0);
}

static void test_start_and_stop_many_times(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        stage s;
        stage_start(&s, 0, &(gr_system_opts){.workers = 1 + i % 4});
        gr_pid a = stage_puppet(&s, 'a');
        gr_tell(s.self, a, "hello");
        stage_end(&s);
        stage_expect(&s, "+a a:hello -a:shutdown");
    }
}

/* ---- several systems ---- */

static void test_systems_share_nothing(void **state)
{
    (void)state;
    stage x;
    stage y;
    stage z;
    gr_pid found;
    stage_start(&x, 0, NULL);
    stage_start(&y, 0, NULL);
    stage_start(&z, 5, NULL);
    CHECK(gr_system_node(x.sys).id != gr_system_node(y.sys).id);
    CHECK(gr_system_node(x.sys).id != 0 && gr_system_node(z.sys).id != 0);
    CHECK(gr_system_of(x.self) == x.sys);
    CHECK_INT(gr_self(x.self).node, gr_system_node(x.sys).id);
    CHECK_RC(gr_register(x.self, "same"), 0);
    CHECK_RC(gr_register(y.self, "same"), 0);
    CHECK_RC(gr_whereis(z.self, GR_HERE, "same", &found), GR_ENOENT);
    gr_pid a = stage_puppet(&x, 'a');
    /* A pid of x is on another node for y, which knows of no such node. */
    CHECK_RC(gr_send(y.self, a, "hello"), GR_ENOCONN);
    CHECK_RC(gr_call(y.self, a, 1000, gr_expect("x"), "hello"), GR_ENOCONN);
    CHECK_RC(gr_send(x.self, a, "hello"), 0);
    stage_end(&y);
    stage_end(&x);
    stage_end(&z);
    stage_expect(&x, "+a a:hello -a:shutdown");
}

static void test_equal_seeds_give_equal_nodes(void **state)
{
    (void)state;
    stage x;
    stage y;
    stage_start(&x, 5, NULL);
    stage_start(&y, 5, NULL);
    CHECK_INT(gr_system_node(x.sys).id, gr_system_node(y.sys).id);
    stage_end(&x);
    stage_end(&y);
}

/* ---- stop ---- */

/* Takes 10 ms to end when it is told to. */
static int hear_slowly(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    if (gr_match_stop(msg, NULL)) {
        return gr_after(self, 10, NULL, "end");
    }
    gr_exit(self, GR_ESTOPPED, NULL);
    return 0;
}

static int be_slow(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_trap_exit(self, true);
    p->hear = hear_slowly;
    return 0;
}

static int be_stubborn(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    gr_trap_exit(self, true);
    return 0;
}

static void detach(stage *s)
{
    gr_thread_detach(s->self, 0);
    s->self = NULL;
}

static void test_stop_is_in_reverse_order_of_start(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed <= STAGE_SEEDS; seed++) {
        stage s;
        stage_start(&s, seed, NULL);
        (void)stage_begun(&s, 'a', NULL, NULL);
        (void)stage_begun(&s, 'b', NULL, be_slow);
        (void)stage_begun(&s, 'c', NULL, NULL);
        (void)stage_begun(&s, 'd', NULL, be_slow);
        detach(&s);
        CHECK_RC(gr_system_stop(s.sys, STAGE_STOP_MS), 0);
        stage_expect(&s, "+a +b +c +d -d:shutdown -c:shutdown -b:shutdown "
                         "-a:shutdown");
    }
}

static void note_hook(void *arg)
{
    puppet *p = arg;
    stage_note(p->on, "hook-%c", p->letter);
}

static int set_hook(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_on_exit(self, note_hook, p);
}

static void test_exit_hooks_are_in_reverse_order_too(void **state)
{
    (void)state;
    gr_behavior quiet = puppet_behavior;
    quiet.terminate = NULL;
    for (unsigned round = 0; round < 50; round++) {
        stage s;
        stage_start(&s, 0, NULL);
        for (const char *c = "abcd"; *c != '\0'; c++) {
            (void)stage_puppet_with(&s, s.self, *c, &quiet,
                                    &(gr_spawn_opts){.ack = true}, set_hook);
            const gr_msg *msg;
            CHECK_RC(gr_receive(s.self, GR_FOREVER, &msg), 0);
        }
        detach(&s);
        CHECK_RC(gr_system_stop(s.sys, STAGE_STOP_MS), 0);
        stage_expect(&s, "+a +b +c +d hook-d hook-c hook-b hook-a");
    }
}

static void scene_deadline(stage *s)
{
    gr_spawn_opts named = {.name = "mule"};
    (void)stage_puppet(s, 'a');
    (void)stage_puppet_with(s, s->self, 'm', &puppet_behavior, &named,
                            be_stubborn);
    stage_settle(s);
    stage_expect_words(s, "+a +m");
}

static void test_what_does_not_stop_is_killed_and_named(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= STAGE_SEEDS; seed++) {
        stage s;
        stage_start(&s, seed, NULL);
        scene_deadline(&s);
        detach(&s);
        CHECK_RC(gr_system_stop(s.sys, 50), 0); /* killed in time */
        stage_expect(&s, "m<stop -a:shutdown");
        CHECK(stage_logged(&s, "mule"));
        CHECK(stage_logged(&s, "did not stop in time and is killed"));
    }
}

static sem_t entered;
static sem_t released;

static int block(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)p, (void)msg;
    (void)sem_post(&entered);
    while (sem_wait(&released) != 0) {
    }
    return 0;
}

/* In a child process, as the system's memory stays. */
static int stop_a_blocked_system(void)
{
    stage s;
    stage_start(&s, 0, &(gr_system_opts){.workers = 2});
    gr_pid free_one = stage_puppet(&s, 'a');
    gr_pid blocked =
        stage_puppet_with(&s, s.self, 'b', &puppet_behavior,
                          &(gr_spawn_opts){.name = "blocker"}, NULL);
    CHECK(sem_init(&entered, 0, 0) == 0 && sem_init(&released, 0, 0) == 0);
    stage_do(&s, blocked, block);
    while (sem_wait(&entered) != 0) {
    }
    gr_tell(s.self, free_one, "hello");
    detach(&s);
    CHECK_RC(gr_system_stop(s.sys, 20), GR_ETIMEOUT);
    CHECK(stage_logged(&s, "blocker"));
    CHECK(stage_logged(&s, "never returned from its callback"));
    CHECK(strstr(s.journal, "-a:shutdown") != NULL);
    CHECK(strstr(s.journal, "-b") == NULL);
    /* Its memory is still there for it. */
    CHECK(sem_post(&released) == 0);
    return 0;
}

/* Likewise: a thread that does not leave. */
static int stop_with_a_thread(void)
{
    stage s;
    stage_start(&s, 0, NULL);
    CHECK_RC(gr_register(s.self, "the-thread"), 0);
    CHECK_RC(gr_system_stop(s.sys, 20), GR_ETIMEOUT);
    CHECK(stage_logged(&s, "the-thread"));
    CHECK(stage_logged(&s, "is still attached"));
    gr_exit_reason why;
    const gr_msg *msg;
    CHECK_RC(gr_receive(s.self, GR_FOREVER, &msg), GR_ESTOPPED);
    CHECK(gr_exit_reason_of(s.self, &why));
    gr_actor *other;
    CHECK_RC(gr_thread_attach(s.sys, NULL, &other), GR_ESTOPPED);
    gr_thread_detach(s.self, 0);
    return 0;
}

static void in_child(int (*fn)(void))
{
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)alarm(120); /* a stop that hangs is a failure, too */
        _exit(fn());
    }
    int status = -1;
    assert_true(waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
}

static void test_stop_names_a_callback_that_never_returns(void **state)
{
    (void)state;
    in_child(stop_a_blocked_system);
}

static void test_stop_names_a_thread_that_stays(void **state)
{
    (void)state;
    in_child(stop_with_a_thread);
}

struct leaver {
    pthread_t thread;
    gr_system *sys;
    sem_t attached;
};

static void *attach_and_leave(void *arg)
{
    struct leaver *l = arg;
    gr_actor *self;
    const gr_msg *msg;
    int rc = gr_thread_attach(l->sys, NULL, &self);
    (void)sem_post(&l->attached);
    if (rc == 0) {
        rc = gr_receive(self, GR_FOREVER, &msg);
        gr_thread_detach(self, rc == GR_ESTOPPED ? 0 : rc);
    }
    return NULL;
}

static void test_threads_may_leave_while_the_system_stops(void **state)
{
    enum { THREADS = 4, ROUNDS = 100 };
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct leaver l[THREADS];
        stage s;
        stage_start(&s, 0, NULL);
        for (unsigned i = 0; i < THREADS; i++) {
            l[i].sys = s.sys;
            CHECK(sem_init(&l[i].attached, 0, 0) == 0);
            CHECK(pthread_create(&l[i].thread, NULL, attach_and_leave, &l[i]) ==
                  0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            while (sem_wait(&l[i].attached) != 0) {
            }
        }
        detach(&s);
        CHECK_RC(gr_system_stop(s.sys, STAGE_STOP_MS), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            CHECK(pthread_join(l[i].thread, NULL) == 0);
            (void)sem_destroy(&l[i].attached);
        }
    }
}

static int spawn_two(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    for (const char *c = "xy"; *c != '\0'; c++) {
        (void)stage_puppet_with(p->on, self, *c, &puppet_behavior,
                                &(gr_spawn_opts){.link = true}, NULL);
    }
    return 0;
}

static int be_parent(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_trap_exit(self, true);
    return spawn_two(self, p, msg);
}

/* Exits are passed on to the children by the links. */
static int leave_on_stop(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p;
    if (gr_match_stop(msg, NULL)) {
        gr_exit(self, GR_ESTOPPED, NULL);
    }
    return 0;
}

static int set_leave_on_stop(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = leave_on_stop;
    return 0;
}

static void test_children_are_left_to_their_parent(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= STAGE_SEEDS; seed++) {
        stage s;
        stage_start(&s, seed, NULL);
        gr_pid a = stage_puppet(&s, 'a');
        stage_do(&s, a, be_parent);
        stage_do(&s, a, set_leave_on_stop);
        stage_expect_words(&s, "+a +x +y");
        detach(&s);
        CHECK_RC(gr_system_stop(s.sys, 1000), 0);
        /* The parent is asked though its children were started later. */
        CHECK(strncmp(s.journal, "-a:shutdown", 11) == 0);
        stage_expect_words(&s, "-a:shutdown -x:shutdown -y:shutdown");
    }
}

/* ---- stats ---- */

static void scene_stats(stage *s)
{
    gr_stats t = stage_stats(s);
    CHECK_INT(t.sent, 0);
    CHECK_INT(t.spawned, 1);
    gr_pid a = stage_puppet(s, 'a');
    for (int i = 0; i < 10; i++) {
        gr_tell(s->self, a, "x");
    }
    t = stage_stats(s);
    CHECK_INT(t.sent, 10);
    CHECK_INT(t.handled, 0); /* what waits is in neither */
    stage_settle(s);
    t = stage_stats(s);
    CHECK_INT(t.handled, 10);
    CHECK(t.turns > 0);
    CHECK_RC(gr_kill(s->self, a), 0);
    stage_settle(s);
    gr_tell(s->self, a, "y");
    t = stage_stats(s);
    CHECK_INT(t.dead_letters, 1);
    CHECK_INT(t.exited, 1);
    CHECK_INT(t.failed, 1);
}

static void test_stats(void **state)
{
    (void)state;
    stage_each_seed(scene_stats, NULL);
}

static void test_pid_text(void **state)
{
    (void)state;
    char buf[GR_PID_TEXT_MAX];
    stage s;
    stage_start(&s, 1, NULL);
    assert_ptr_equal(gr_pid_text(gr_self(s.self), buf), buf);
    assert_true(strlen(buf) > 2 && strlen(buf) < GR_PID_TEXT_MAX);
    (void)gr_pid_text((gr_pid){UINT64_MAX, UINT64_MAX}, buf);
    assert_true(strlen(buf) < GR_PID_TEXT_MAX);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_refuses_bad_options),
        cmocka_unit_test(test_a_hard_bound_below_the_usual_soft_one),
        cmocka_unit_test(test_start_and_stop_many_times),
        cmocka_unit_test(test_systems_share_nothing),
        cmocka_unit_test(test_equal_seeds_give_equal_nodes),
        cmocka_unit_test(test_stop_is_in_reverse_order_of_start),
        cmocka_unit_test(test_exit_hooks_are_in_reverse_order_too),
        cmocka_unit_test(test_what_does_not_stop_is_killed_and_named),
        cmocka_unit_test(test_stop_names_a_callback_that_never_returns),
        cmocka_unit_test(test_stop_names_a_thread_that_stays),
        cmocka_unit_test(test_threads_may_leave_while_the_system_stops),
        cmocka_unit_test(test_children_are_left_to_their_parent),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_pid_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
