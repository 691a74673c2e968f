/*
 * Goal:   processes that die under load: every message is accounted for, each
 *         end is told once, bounds hold, deadlines work for any callback, and a
 *         supervisor restarts.
 * Method: SIGKILL to the process while messages go there and come back. What
 *         came back, what the dead letters are, and at most the one in hand are
 *         all that was sent.
 */
#include "tests/process/actors.h"

#include "process/actors.h"

enum { ROUNDS = 40, MESSAGES = 400 };

/* ---- actors -------------------------------------------------------------- */

typedef struct echo {
    gr_pid to;
} echo;

static int echo_init(gr_actor *self, void *state, const gr_msg *args)
{
    echo *e = state;
    (void)self;
    e->to = gr_sender(args);
    return 0;
}

static _Noreturn void hang(void)
{
    for (volatile int i = 0;; i = i + 1) {
    }
}

static int echo_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    echo *e = state;
    int64_t n;
    if (gr_match(msg, "n", &n)) {
        return gr_send(self, e->to, "n", n);
    }
    if (gr_match(msg, "loop")) {
        hang();
    }
    if (gr_match(msg, "loop later")) {
        return gr_after(self, 1, NULL, "loop");
    }
    if (gr_match(msg, "loop on answer")) {
        return gr_ask(self, gr_self(self), GR_FOREVER, gr_then(echo_receive, 0),
                      "give");
    }
    if (gr_match(msg, "give")) {
        return gr_reply(self, msg, "loop");
    }
    if (gr_match(msg, "eat")) {
        while (gr_alloc(self, 1000) != NULL) {
        }
        return 0;
    }
    if (gr_match(msg, "process")) {
        return gr_reply(self, msg, "process", (int64_t)getpid());
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior echo_behavior = {
    .name = "echo",
    .state_size = sizeof(echo),
    .init = echo_init,
    .receive = echo_receive,
    .grade = GR_GRADE_PROCESS,
};

static int hanging_init(gr_actor *self, void *state, const gr_msg *args)
{
    (void)self;
    (void)state;
    (void)args;
    hang();
}

static const gr_behavior hanging = {.name = "hanging",
                                    .init = hanging_init,
                                    .receive = echo_receive,
                                    .grade = GR_GRADE_PROCESS};

/* ---- kills --------------------------------------------------------------- */

/* What a round has counted. */
typedef struct tally {
    int64_t sent, back, downs;
    gr_exit_reason why;
} tally;

/* Takes all that has come, or waits for one more. */
static void take(gr_actor *self, tally *t, gr_ref want, int64_t timeout_ms)
{
    const gr_msg *msg;
    while (gr_receive(self, timeout_ms, &msg) == 0) {
        int64_t n;
        gr_ref ref;
        if (gr_match(msg, "n", &n)) {
            assert_int_equal(n, t->back); /* in order, none twice */
            t->back++;
        } else if (gr_match_down(msg, &ref, NULL, &t->why)) {
            assert_int_equal(ref.id, want.id);
            t->downs++;
        } else {
            fail();
        }
        timeout_ms = 0;
    }
}

static int64_t dead_letters(gr_system *sys)
{
    gr_stats stats;
    gr_system_stats(sys, &stats);
    return (int64_t)stats.dead_letters;
}

static void await_accounts(fixture *f)
{
    gr_stats s;
    gr_system_stats(f->sys, &s);
    while (s.sent != s.handled + s.dead_letters + s.dropped + s.late_replies) {
        assert_int_equal(gr_sleep(f->self, 1), 0);
        gr_system_stats(f->sys, &s);
    }
}

static void a_killed_process_loses_at_most_the_message_in_hand(void **state)
{
    fixture *f = *state;
    gr_actor *self = f->self;
    for (int round = 0; round < ROUNDS; round++) {
        tally t = {0};
        gr_ref ref;
        const int64_t before = dead_letters(f->sys);
        const gr_pid pid =
            spawn_with(self, &echo_behavior, (gr_spawn_opts){.monitor = &ref});
        int64_t process = 0;
        assert_int_equal(gr_call(self, pid, LONG_MS,
                                 gr_expect("process", &process), "process"),
                         0);
        for (; t.sent < MESSAGES; t.sent++) {
            assert_int_equal(gr_send(self, pid, "n", t.sent), 0);
            if (t.sent == (int64_t)round * (MESSAGES / ROUNDS)) {
                assert_int_equal(kill((pid_t)process, SIGKILL), 0);
            }
            take(self, &t, ref, 0);
        }
        while (t.downs == 0) {
            take(self, &t, ref, LONG_MS);
        }
        assert_int_equal(t.why.kind, GR_EXIT_SIGNAL);
        assert_int_equal(t.why.code, SIGKILL);
        await_accounts(f);
        take(self, &t, ref, 0);
        assert_int_equal(t.downs, 1);
        const int64_t lost = t.sent - t.back - (dead_letters(f->sys) - before);
        /* It may have answered the one in hand before it died. */
        assert_in_range(lost, 0, 1);
        assert_no_process((int)process);
    }
}

static void whoever_asked_the_dead_is_answered(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    const gr_pid pid = spawn_with(self, &echo_behavior, (gr_spawn_opts){0});
    int64_t n = 0;
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("process", &n), "process"), 0);
    assert_int_equal(process_of(self, pid), n);
    assert_int_equal(gr_send(self, pid, "loop"), 0);
    assert_int_equal(kill((pid_t)n, SIGKILL), 0);
    const int rc =
        gr_call(self, pid, LONG_MS, gr_expect("process", &n), "process");
    assert_int_equal(rc, GR_ENOPROC);
}

/* ---- bounds -------------------------------------------------------------- */

static void the_bounds_of_its_mailbox_hold(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    const gr_pid pid = spawn_with(
        self, &echo_behavior,
        (gr_spawn_opts){.mailbox = {.soft = 10, .hard = 20}, .monitor = &ref});
    const gr_pid other = spawn_with(self, &echo_behavior, (gr_spawn_opts){0});
    assert_int_equal(gr_send(self, pid, "loop"), 0);
    int64_t n = 0;
    int refused = 0;
    /* Until it is full, and stays so. */
    for (int64_t sent = 0; refused < 100; sent++) {
        const int rc = gr_send(self, pid, "n", sent);
        assert_in_range(sent - refused, 0, 20 + 64 + 10);
        if (rc == GR_EAGAIN) {
            refused++;
            assert_int_equal(gr_call(self, other, LONG_MS,
                                     gr_expect("process", &n), "process"),
                             0); /* in nobody's way */
        } else {
            assert_int_equal(rc, 0);
        }
    }
    assert_int_equal(gr_kill(self, pid), 0);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_KILLED);
}

static void a_large_message_passes(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    const gr_pid pid =
        spawn_with(self, &echo_behavior, (gr_spawn_opts){.monitor = &ref});
    const size_t size = (size_t)8 << 20;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, 'x', size);
    gr_stats before;
    gr_system_stats(gr_system_of(self), &before);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            gr_send(self, pid, "none of yours", gr_bin(bytes, size)), 0);
    }
    int64_t n = 0;
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("process", &n), "process"), 0);
    gr_stats after;
    gr_system_stats(gr_system_of(self), &after);
    assert_int_equal(after.dead_letters, before.dead_letters + 3);
    free(bytes);
}

/* ---- deadlines ----------------------------------------------------------- */

static gr_exit_reason end_late(gr_actor *self, const gr_behavior *b,
                               const char *how)
{
    gr_ref ref;
    const gr_pid pid = spawn_with(
        self, b,
        (gr_spawn_opts){.monitor = &ref, .limits = {.handler_max_ms = 100}});
    assert_int_equal(gr_send(self, pid, how), 0);
    return await_down(self, ref);
}

static void the_deadline_is_every_callback_s(void **state)
{
    static const char *const ways[] = {"loop", "loop later", "loop on answer"};
    gr_actor *self = ((fixture *)*state)->self;
    for (size_t i = 0; i < 3; i++) {
        const gr_exit_reason why = end_late(self, &echo_behavior, ways[i]);
        assert_int_equal(why.kind, GR_EXIT_LIMIT);
        assert_int_equal(why.code, GR_ETIMEOUT);
    }
    const gr_exit_reason why = end_late(self, &hanging, "loop");
    assert_int_equal(why.kind, GR_EXIT_LIMIT);
    assert_int_equal(why.code, GR_ETIMEOUT);
}

static void a_stopped_process_is_late_too(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    const gr_pid pid = spawn_with(
        self, &echo_behavior,
        (gr_spawn_opts){.monitor = &ref, .limits = {.handler_max_ms = 100}});
    int64_t n = 0;
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("process", &n), "process"), 0);
    assert_int_equal(kill((pid_t)n, SIGSTOP), 0);
    assert_int_equal(gr_send(self, pid, "n", 1), 0);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_LIMIT);
}

static void its_limit_of_memory_holds_in_its_process(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    const gr_pid pid = spawn_with(
        self, &echo_behavior,
        (gr_spawn_opts){.monitor = &ref, .limits = {.memory_max = 100000}});
    assert_int_equal(gr_send(self, pid, "eat"), 0);
    assert_int_equal(await_down(self, ref).kind, GR_EXIT_LIMIT);
}

/* ---- supervision --------------------------------------------------------- */

static void its_supervisor_restarts_it(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    const gr_child children[] = {{.id = "echo", .behavior = &echo_behavior},
                                 {0}};
    const gr_supervisor spec = {.children = children, .restarts_max = 100};
    gr_pid supervisor;
    gr_trap_exit(self, true);
    assert_int_equal(gr_supervise(self, &spec, &supervisor), 0);
    int64_t last = 0;
    for (int i = 0; i < 10;) {
        gr_pid pid;
        gr_ref ref;
        int64_t n = 0;
        assert_int_equal(gr_child_pid(self, supervisor, "echo", &pid), 0);
        assert_int_equal(gr_monitor(self, pid, &ref), 0);
        const int rc =
            gr_call(self, pid, LONG_MS, gr_expect("process", &n), "process");
        if (rc == GR_ENOPROC) {
            continue; /* we heard of the end before its supervisor did */
        }
        assert_int_equal(rc, 0);
        assert_int_not_equal(n, last);
        last = n;
        i++;
        assert_int_equal(kill((pid_t)n, SIGKILL), 0);
        assert_int_equal(await_down(self, ref).kind, GR_EXIT_SIGNAL);
    }
}

static void processes_are_started_ahead(void **state)
{
    fixture *f = *state;
    gri_hosts *hosts = gri_process_actors_hosts(f->sys);
    assert_int_equal(gri_hosts_warm(hosts), 0); /* nobody wanted one yet */
    const gr_pid pid = spawn_with(f->self, &echo_behavior, (gr_spawn_opts){0});
    int64_t n = 0;
    assert_int_equal(
        gr_call(f->self, pid, LONG_MS, gr_expect("process", &n), "process"), 0);
    while (gri_hosts_warm(hosts) == 0) {
        assert_int_equal(gr_sleep(f->self, 1), 0);
    }
}

static void without_the_call_it_is_refused(void **state)
{
    gr_system *sys = NULL;
    gr_actor *self = NULL;
    (void)state;
    const gr_system_opts opts = {.workers = 1};
    assert_int_equal(gr_system_start(&opts, &sys), 0);
    assert_int_equal(gr_thread_attach(sys, NULL, &self), 0);
    assert_int_equal(gr_spawn(self, &echo_behavior, NULL, NULL), GR_ENOTSUP);
    gr_thread_detach(self, 0);
    assert_int_equal(gr_system_stop(sys, LONG_MS), 0);
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(a_killed_process_loses_at_most_the_message_in_hand),
        ACTOR_TEST(whoever_asked_the_dead_is_answered),
        ACTOR_TEST(the_bounds_of_its_mailbox_hold),
        ACTOR_TEST(a_large_message_passes),
        ACTOR_TEST(the_deadline_is_every_callback_s),
        ACTOR_TEST(a_stopped_process_is_late_too),
        ACTOR_TEST(its_limit_of_memory_holds_in_its_process),
        ACTOR_TEST(its_supervisor_restarts_it),
        ACTOR_TEST(processes_are_started_ahead),
        cmocka_unit_test(without_the_call_it_is_refused),
    };
    return cmocka_run_group_tests_name("process/actor_load", tests, NULL, NULL);
}
