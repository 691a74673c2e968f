/*
 * Goal:   who dies by a fault in a process of its own leaves a report as whole
 *         as any other's: signal, address, backtrace with symbols, message.
 * Method: the process's addresses are others than ours (they are chosen anew at
 *         each start), so a name that is right was translated. What the words
 *         themselves promise is tried on a pair of sockets.
 */
#include "tests/process/actors.h"

#include <dlfcn.h>
#include <sys/socket.h>

#include "process/words.h"
#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"

/* ---- the actor ----------------------------------------------------------- */

static volatile int zero; /* what stands behind a call is not its end */

static __attribute__((noinline, no_sanitize("undefined", "thread"))) void
write_nowhere(void)
{
    int *volatile nowhere = NULL;
    /* cppcheck-suppress nullPointer ; it is what is tried */
    *(volatile int *)nowhere = 1;
    zero = 0;
}

static __attribute__((noinline)) void give_up(void)
{
    abort();
}

/* Its caller is found by the base register, which then points to nowhere: who
 * follows the stack faults, too. */
#if defined(__x86_64__)
static __attribute__((noinline, no_sanitize("undefined"))) void lose_frame(void)
{
    volatile char *room = __builtin_alloca((size_t)getpid());
    room[0] = 1;
    __asm__ volatile("movq $64, %rbp\n\tmovb $1, 64");
    room[1] = 1;
}
#else
static void lose_frame(void)
{
    abort(); /* not tried here */
}
#endif

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int n;
    (void)self, (void)state;
    if (gr_match(msg, "null", &n)) {
        write_nowhere();
    } else if (gr_match(msg, "abort", &n)) {
        give_up();
    } else if (gr_match(msg, "lost", &n)) {
        lose_frame();
    } else if (gr_match(msg, "fault", &n)) {
        fault_now((fault_kind)n);
    }
    zero = 0;
    return 0;
}

static const gr_behavior victim = {
    .name = "victim", .receive = victim_receive, .grade = GR_GRADE_PROCESS};

/* Ends one by that message, with others before and behind it. */
static gr_exit_reason end_by(gr_actor *self, const char *tag, int n,
                             gr_crash *out)
{
    gr_ref ref;
    const gr_pid pid =
        spawn_with(self, &victim, (gr_spawn_opts){.monitor = &ref});
    assert_int_equal(gr_send(self, pid, "nothing", 1), 0);
    assert_int_equal(gr_send(self, pid, tag, n), 0);
    assert_int_equal(gr_send(self, pid, "nothing", 2), 0);
    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(gr_crash_report(gr_system_of(self), pid, out), 0);
    char message[64];
    (void)snprintf(message, sizeof(message), "[\"%s\", %d]", tag, n);
    assert_string_equal(out->message, message);
    assert_true(gr_pid_eq(out->sender, gr_self(self)));
    return why;
}

static unsigned frame_named(const gr_crash *crash, const char *name)
{
    unsigned i = 0;
    while (i < crash->frame_count &&
           strcmp(crash->frames[i].function, name) != 0) {
        i++;
    }
    return i;
}

static void assert_frame(const gr_crash *crash, unsigned i, const char *name)
{
    assert_true(i < crash->frame_count);
    assert_string_equal(crash->frames[i].function, name);
    assert_non_null(strstr(crash->frames[i].file, "test_actor_words.c"));
    assert_true(crash->frames[i].line > 0);
}

/* ---- the tests ----------------------------------------------------------- */

static void a_fault_is_reported_with_all_that_is_known(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_crash crash;
    if (UNDER_SANITIZER) {
        skip(); /* it takes the signal, and leaves by exit */
    }
    const gr_exit_reason why = end_by(self, "null", 7, &crash);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGSEGV);
    assert_int_equal(crash.signal, SIGSEGV);
    assert_int_equal(crash.signal_code, SEGV_MAPERR);
    assert_true(crash.has_address);
    assert_null(crash.address);
    assert_false(crash.stack_overflow);
    assert_frame(&crash, 0, "write_nowhere");
    assert_frame(&crash, 1, "victim_receive");
}

static void an_abort_names_libc_and_who_called_it(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_crash crash;
    const gr_exit_reason why = end_by(self, "abort", 3, &crash);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGABRT);
    assert_int_equal(crash.signal, SIGABRT);
    assert_false(crash.has_address);
    unsigned i = frame_named(&crash, "abort");
    if (UNDER_SANITIZER &&
        strcmp(crash.frames[i + 1].function, "give_up") != 0) {
        i++; /* its own abort stands in front */
    }
    assert_frame(&crash, i + 1, "give_up");
    assert_frame(&crash, i + 2, "victim_receive");
}

static void a_broken_heap_is_no_obstacle(void **state)
{
    static const fault_kind kinds[] = {FAULT_MALLOC, FAULT_TWICE, FAULT_HEAP,
                                       FAULT_PRINTF, FAULT_QSORT};
    gr_actor *self = ((fixture *)*state)->self;
    if (UNDER_SANITIZER) {
        skip();
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        gr_crash crash;
        const gr_exit_reason why = end_by(self, "fault", (int)kinds[i], &crash);
        assert_int_equal(why.kind, GR_EXIT_SIGNAL);
        if (kinds[i] != FAULT_HEAP || why.code != SIGSEGV) { /* or SIGABRT */
            assert_int_equal(why.code, fault_signal(kinds[i]));
        }
        assert_int_equal(crash.signal, why.code);
        assert_frame(&crash, frame_named(&crash, "victim_receive"),
                     "victim_receive");
    }
}

static void a_stack_overflow_is_called_that(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_crash crash;
    if (UNDER_SANITIZER) {
        skip();
    }
    const gr_exit_reason why = end_by(self, "fault", FAULT_RECURSE, &crash);
    assert_int_equal(why.code, SIGSEGV);
    assert_true(crash.stack_overflow);
    assert_int_equal(crash.frame_count, GR_CRASH_FRAMES_MAX);
    assert_string_equal(crash.frames[0].function, "recurse");
}

static void what_cannot_be_followed_is_told_in_part(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_crash crash;
#if !defined(__x86_64__)
    skip();
#endif
    if (UNDER_SANITIZER) {
        skip();
    }
    const gr_exit_reason why = end_by(self, "lost", 1, &crash);
    assert_int_equal(why.code, SIGSEGV);
    assert_int_equal(crash.signal, SIGSEGV);
    assert_true(crash.has_address);
    assert_int_equal((uintptr_t)crash.address, 64);
    assert_frame(&crash, 0, "lose_frame");
}

/* A signal from outside is no fault: nobody has words for it. */
static void a_kill_has_no_backtrace(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_crash crash;
    gr_ref ref;
    const gr_pid pid = spawn_with(
        self, &victim, (gr_spawn_opts){.monitor = &ref, .ack = true});
    const gr_msg *msg;
    next_message(self, &msg); /* it has begun */
    assert_int_equal(kill(process_of(self, pid), SIGKILL), 0);
    assert_int_equal(await_down(self, ref).code, SIGKILL);
    assert_int_equal(gr_crash_report(gr_system_of(self), pid, &crash), 0);
    assert_int_equal(crash.signal, SIGKILL);
    assert_int_equal(crash.frame_count, 0);
    assert_false(crash.has_address);
}

static int refuse(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    return GR_EDENIED;
}

/* Nor does the worker that ended it remember it for the next end. */
static void a_fault_is_of_one_end_only(void **state)
{
    static const gr_behavior failing = {.name = "failing", .receive = refuse};
    const gr_system_opts opts = {.workers = 1, .spares_max = GR_SPARES_NONE};
    fixture f;
    gr_crash crash;
    gr_ref ref;
    (void)state;
    assert_int_equal(gr_system_start(&opts, &f.sys), 0);
    assert_int_equal(gr_thread_attach(f.sys, NULL, &f.self), 0);
    assert_int_equal(gr_processes_enable(f.self), 0);
    assert_int_equal(end_by(f.self, "abort", 4, &crash).code, SIGABRT);
    assert_true(crash.frame_count > 0);
    const gr_pid pid =
        spawn_with(f.self, &failing, (gr_spawn_opts){.monitor = &ref});
    assert_int_equal(gr_send(f.self, pid, "now"), 0);
    assert_int_equal(await_down(f.self, ref).code, GR_EDENIED);
    assert_int_equal(gr_crash_report(f.sys, pid, &crash), 0);
    assert_int_equal(crash.signal, 0);
    assert_int_equal(crash.frame_count, 0);
    scene_end(&f);
}

/* ---- the words alone ----------------------------------------------------- */

static int here; /* not code */

/* An address of ours, as it comes from outside. */
static void *address_of(int (*fn)(gr_actor *, void *, const gr_msg *))
{
    void *at;
    memcpy(&at, &fn, sizeof(at));
    return at;
}

static gri_fault some_fault(unsigned n)
{
    gri_fault f = {.signal = SIGBUS, .code = 2, .address = &here, .n = n};
    f.has_address = true;
    f.pc = address_of(victim_receive);
    for (unsigned i = 0; i < n; i++) {
        f.frames[i] = (char *)f.pc + i;
    }
    return f;
}

static void words_come_as_they_were_sent(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    int ends[2];
    gri_wire w;
    const char *wrong = NULL;
    gri_fault f = some_fault(GRI_FRAMES_MAX);
    f.frames[1] = &here;
    f.frames[2] = NULL;
    f.frames[3] = dlsym(RTLD_DEFAULT, "abort");
    assert_non_null(f.frames[3]);
    f.frames[3] = (char *)f.frames[3] + 1;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    gri_words_send(ends[0], &f);
    const ssize_t n = recv(ends[1], bytes, sizeof(bytes), MSG_DONTWAIT);
    assert_true(n >= (ssize_t)sizeof(w));
    memcpy(&w, bytes, sizeof(w));
    assert_int_equal(n, sizeof(w) + w.len);
    assert_int_equal(gri_wire_check_head(&w, 0, &wrong), 0);
    assert_int_equal(gri_wire_check_body(&w, bytes + sizeof(w), &wrong), 0);
    gri_fault *got = gri_words_read(bytes + sizeof(w));
    assert_non_null(got);
    f.frames[1] = NULL; /* no code is there */
    assert_int_equal(got->n, f.n);
    assert_memory_equal(got->frames, f.frames, sizeof(f.frames));
    assert_ptr_equal(got->pc, f.pc);
    assert_ptr_equal(got->address, &here);
    assert_int_equal(got->signal, SIGBUS);
    assert_int_equal(got->code, 2);
    assert_true(got->has_address);
    assert_false(got->stack_overflow);
    free(got);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_full_socket_gets_none_and_nobody_waits(void **state)
{
    (void)state;
    static const uint8_t bytes[1024];
    static uint8_t out[4096];
    int ends[2];
    size_t in = 0;
    const gri_fault f = some_fault(GRI_FRAMES_MAX);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    for (ssize_t n;
         (n = send(ends[0], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0;) {
        in += (size_t)n;
    }
    gri_words_send(ends[0], &f);
    for (ssize_t n; (n = recv(ends[1], out, sizeof(out), MSG_DONTWAIT)) > 0;) {
        in -= (size_t)n;
    }
    assert_int_equal(in, 0);
    gri_words_send(ends[0], &f);
    assert_true(recv(ends[1], out, sizeof(out), MSG_DONTWAIT) > 0);
    (void)close(ends[1]);
    gri_words_send(ends[0], &f); /* nor is there a SIGPIPE */
    (void)close(ends[0]);
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(a_fault_is_reported_with_all_that_is_known),
        ACTOR_TEST(an_abort_names_libc_and_who_called_it),
        ACTOR_TEST(a_broken_heap_is_no_obstacle),
        ACTOR_TEST(a_stack_overflow_is_called_that),
        ACTOR_TEST(what_cannot_be_followed_is_told_in_part),
        ACTOR_TEST(a_kill_has_no_backtrace),
        cmocka_unit_test(a_fault_is_of_one_end_only),
        cmocka_unit_test(words_come_as_they_were_sent),
        cmocka_unit_test(a_full_socket_gets_none_and_nobody_waits),
    };
    return cmocka_run_group_tests_name("process/actor_words", tests, NULL,
                                       NULL);
}
