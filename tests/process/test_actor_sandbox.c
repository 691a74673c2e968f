/*
 * Goal:   the limits that the operating system keeps hold for a process actor
 *         from its init on, end it with their own reasons, and leave it what it
 *         needs to live.
 * Method: actors whose handlers do one forbidden thing each.
 */
#include "tests/process/actors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "tests/support/sanitizers.h"

typedef struct guarded {
    int64_t ticks;
} guarded;

static int take(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? GR_ENOMEM : 0;
}

static int do_it(gr_actor *self, const gr_msg *msg)
{
    gr_str what;
    if (!gr_match(msg, "do", &what)) {
        return gr_unhandled(self, msg);
    }
    switch (what.ptr[0]) {
    case 'o': /* open */
        return open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : GR_EIO;
    case 's': /* socket */
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 0 : GR_EIO;
    case 'f': /* fork */
        return fork() >= 0 ? 0 : GR_EIO;
    case 'a': /* abort */
        abort();
    case 'm': /* memory */
        return take((size_t)4 << 30);
    case 'd': /* descriptors */
        while (dup(STDERR_FILENO) >= 0) {
        }
        return GR_ELIMIT;
    default: /* loop */
        for (volatile unsigned i = 0;; i = i + 1) {
        }
    }
}

static int guarded_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    guarded *g = state;
    gr_timer timer;
    if (gr_match(msg, "tick")) {
        g->ticks++;
        return 0;
    }
    if (gr_match(msg, "live")) {
        GR_TRY(gr_after(self, 1, &timer, "tick"));
        void *p = gr_alloc(self, 100000);
        return p != NULL ? gr_reply(self, msg, "alive", g->ticks,
                                    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
                         : GR_ENOMEM;
    }
    return do_it(self, msg);
}

static const gr_behavior guarded_behavior = {
    .name = "guarded",
    .state_size = sizeof(guarded),
    .receive = guarded_receive,
    .grade = GR_GRADE_PROCESS,
};

static gr_exit_reason end_by(gr_actor *self, gr_limits limits, const char *what)
{
    gr_ref ref = {0};
    const gr_pid pid =
        spawn_with(self, &guarded_behavior,
                   (gr_spawn_opts){.limits = limits, .monitor = &ref});
    assert_int_equal(gr_send(self, pid, "do", what), 0);
    return await_down(self, ref);
}

static void assert_signal(const gr_exit_reason *why, int number)
{
    if (why->kind != GR_EXIT_SIGNAL || why->code != number) {
        print_message("%s %d: %s\n", gr_exit_kind_name(why->kind), why->code,
                      why->text);
        fail();
    }
}

static void with_seccomp_it_lives(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    int64_t ticks = 0;
    int privileges = 0;
    if (UNDER_SANITIZER) {
        skip(); /* it makes calls of its own */
    }
    const gr_pid pid = spawn_with(self, &guarded_behavior,
                                  (gr_spawn_opts){.limits = {.seccomp = true}});
    while (ticks < 3) {
        assert_int_equal(gr_call(self, pid, LONG_MS,
                                 gr_expect("alive", &ticks, &privileges),
                                 "live"),
                         0);
    }
    assert_int_equal(gr_stop(self, pid), 0);
}

static void a_forbidden_call_ends_it_by_sigsys(void **state)
{
    static const char *const calls[] = {"open", "socket", "fork"};
    gr_actor *self = ((fixture *)*state)->self;
    if (UNDER_SANITIZER) {
        skip();
    }
    for (int i = 0; i < 3; i++) {
        const gr_exit_reason why =
            end_by(self, (gr_limits){.seccomp = true}, calls[i]);
        assert_signal(&why, SIGSYS);
        assert_string_equal(why.text, "SIGSYS");
    }
}

static void an_abort_is_told_as_one_also_there(void **state)
{
    if (UNDER_SANITIZER) {
        skip();
    }
    const gr_exit_reason why = end_by(((fixture *)*state)->self,
                                      (gr_limits){.seccomp = true}, "abort");
    assert_signal(&why, SIGABRT);
}

/* Long enough for the watchdog of its process to look at it, to write of it and
 * to lend a worker: nothing of that is a forbidden call. */
static void a_long_turn_is_looked_at_also_there(void **state)
{
    if (UNDER_SANITIZER) {
        skip();
    }
    const gr_exit_reason why =
        end_by(((fixture *)*state)->self,
               (gr_limits){.seccomp = true, .cpu_max_s = 3}, "loop");
    assert_signal(&why, SIGXCPU);
}

static void processor_time_is_up_by_sigxcpu(void **state)
{
    const gr_exit_reason why =
        end_by(((fixture *)*state)->self, (gr_limits){.cpu_max_s = 1}, "loop");
    assert_signal(&why, SIGXCPU);
}

static void memory_and_descriptors_are_refused(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_exit_reason why = end_by(self, (gr_limits){.files_max = 30}, "dup");
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_ELIMIT);
    if (UNDER_SANITIZER) {
        skip(); /* it reserves terabytes */
    }
    why = end_by(self, (gr_limits){.address_space_max = (size_t)3 << 30},
                 "memory");
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_ENOMEM);
    assert_string_equal(why.text, "receive"); /* it did start */
}

static void limits_that_make_no_sense_are_told(void **state)
{
    const gr_exit_reason why =
        end_by(((fixture *)*state)->self, (gr_limits){.files_max = 3}, "open");
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EINVAL);
    assert_non_null(strstr(why.text, "limits"));
}

static void one_actors_limits_are_no_others(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    if (UNDER_SANITIZER) {
        skip();
    }
    gr_exit_reason why = end_by(self, (gr_limits){.seccomp = true}, "open");
    assert_signal(&why, SIGSYS);
    /* The same behaviour without them may do it, and goes on. */
    int64_t ticks = 0;
    int privileges = 0;
    const gr_pid pid = spawn_with(self, &guarded_behavior, (gr_spawn_opts){0});
    assert_int_equal(gr_send(self, pid, "do", "open"), 0);
    assert_int_equal(gr_call(self, pid, LONG_MS,
                             gr_expect("alive", &ticks, &privileges), "live"),
                     0);
    assert_int_equal(privileges, 1); /* it never gets more, all the same */
}

/* A child's limits go to its supervisor in a message: none is lost there. */
static void a_supervised_actor_has_its_limits_too(void **state)
{
    const gr_limits all[] = {{.seccomp = true},
                             {.cpu_max_s = 1},
                             {.files_max = 30},
                             {.address_space_max = (size_t)3 << 30}};
    static const char *const whats[] = {"open", "loop", "dup", "memory"};
    static const int codes[] = {SIGSYS, SIGXCPU, GR_ELIMIT, GR_ENOMEM};
    gr_actor *self = ((fixture *)*state)->self;
    if (UNDER_SANITIZER) {
        skip();
    }
    gr_trap_exit(self, true); /* its supervisor is linked to us */
    for (int i = 0; i < 4; i++) {
        const gr_child children[] = {{.id = "guarded",
                                      .behavior = &guarded_behavior,
                                      .restart = GR_TEMPORARY,
                                      .limits = all[i]},
                                     {0}};
        gr_pid supervisor;
        gr_pid pid;
        gr_ref ref;
        assert_int_equal(gr_supervise(self,
                                      &(gr_supervisor){.children = children},
                                      &supervisor),
                         0);
        assert_int_equal(gr_child_pid(self, supervisor, "guarded", &pid), 0);
        assert_int_equal(gr_monitor(self, pid, &ref), 0);
        assert_int_equal(gr_send(self, pid, "do", whats[i]), 0);
        assert_int_equal(await_down(self, ref).code, codes[i]);
        assert_int_equal(gr_stop(self, supervisor), 0);
    }
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(with_seccomp_it_lives),
        ACTOR_TEST(a_forbidden_call_ends_it_by_sigsys),
        ACTOR_TEST(an_abort_is_told_as_one_also_there),
        ACTOR_TEST(a_long_turn_is_looked_at_also_there),
        ACTOR_TEST(processor_time_is_up_by_sigxcpu),
        ACTOR_TEST(memory_and_descriptors_are_refused),
        ACTOR_TEST(limits_that_make_no_sense_are_told),
        ACTOR_TEST(one_actors_limits_are_no_others),
        ACTOR_TEST(a_supervised_actor_has_its_limits_too),
    };
    return cmocka_run_group_tests_name("process/actor_sandbox", tests, NULL,
                                       NULL);
}
