/*
 * tests/actors/test_guard_process.c - goal: a fault that is not an actor's
 * alone ends the process: with a line that says why, by the signal that it was,
 * never by hanging, never by going on. Method: this program is run again, in a
 * mode that an environment variable names; the test reads what it wrote and how
 * it ended. GUARD_TIMES says how often each is done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include <fcntl.h>
#include <greenroom/greenroom.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/internal.h"
#include "base/assert.h"
#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"

enum {
    TIMES = 5,       /* each; more by GUARD_TIMES */
    LONG_MS = 60000, /* a hang, not a bound */
    TOOK = 42,       /* exit status of a program that has handled it */
    WAITING = 3,     /* messages that wait when it faults */
    STATE = 64       /* bytes of the actor's state */
};

/* Modes beside those of faults.h. */
enum {
    MODE_GRADE = FAULT_KINDS_ALL, /* grade abort, by the spawn */
    MODE_GRADE_BEHAVIOR,          /* by the behaviour */
    MODE_GRADE_SYSTEM,            /* by the system */
    MODE_GRADE_ABORT,             /* the same, and an abort() */
    MODE_GRADE_RAISE,             /* and a raise(), which would come back */
    MODE_SINK,                    /* in the log's sink */
    MODE_SINK_WATCHDOG,           /* likewise, of a turn that is too long */
    MODE_SINK_ABORT,              /* likewise, while the process is ended */
    MODE_DAMAGED,                 /* what is told of the actor is damaged */
    MODE_SENT,                    /* a signal from another thread */
    MODE_BLOCKED,       /* grade abort; main has blocked all signals */
    MODE_MAIN,          /* on a thread that is no worker */
    MODE_IN_FAULT,      /* a stack that cannot be read */
    MODE_HANDLER,       /* the program has a handler of its own */
    MODE_HANDLER_JUMPS, /* which jumps out of it, in main */
    MODE_ASSERT,        /* an invariant of the runtime's is broken */
    MODE_AFTER,         /* the system has been stopped */
    MODES
};

/* ---- in the program that is run ------------------------------------------ */

static char *volatile null;
static unsigned mode;

#if defined(__x86_64__)
/* Where its caller's frame is, is found by a register that is lost here. */
static __attribute__((noinline, no_sanitize("undefined"))) void lose_frame(void)
{
    volatile char *room = __builtin_alloca((size_t)getpid());
    room[0] = 1;
    __asm__ volatile("movq $64, %%rbp\n\tmovb $1, (%0)" : : "r"(null));
    room[1] = 1;
}
#else
static void lose_frame(void)
{
    abort(); /* not tried here: see main */
}
#endif

/* All that is told of the actor beside its pid. */
static __attribute__((no_sanitize("undefined"))) void damage(gr_actor *self)
{
    char *const nowhere = null + 0x1000;
    gri_set_behavior(self, (const gr_behavior *)(const void *)nowhere);
    self->ext = (gri_ext *)(void *)nowhere;
    self->ctx->current = (gr_msg *)(void *)nowhere;
}

static _Atomic(bool) spins;
static pthread_t spinner;

static void spin(void)
{
    spinner = pthread_self();
    /* release: main finds the thread; pairs with its acquire. */
    atomic_store_explicit(&spins, true, memory_order_release);
    for (volatile unsigned i = 0;; i++) {
    }
}

static int wrong_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const gr_str bad = {null + 16, 500}; /* too long to be copied inline */
    gr_str text;
    int64_t number;
    double real;
    (void)state;
    if (!gr_match(msg, "fault", &text, &number, &real)) {
        return GR_EINVAL; /* which is logged */
    }
    for (int i = 0; i < WAITING; i++) {
        GR_TRY(gr_send(self, gr_self(self), "later", i));
    }
    switch (mode) {
    case FAULT_RUNTIME:
        return gr_send(self, gr_self(self), "x", bad);
    case MODE_GRADE:
    case MODE_BLOCKED:
    case MODE_GRADE_BEHAVIOR:
    case MODE_GRADE_SYSTEM:
    case MODE_HANDLER:
        fault_now(FAULT_WRITE_NULL);
        break;
    case MODE_DAMAGED:
        damage(self);
        fault_now(FAULT_ABORT);
        break;
    case MODE_GRADE_ABORT:
    case MODE_SINK_ABORT:
        fault_now(FAULT_ABORT);
        break;
    case MODE_ASSERT:
        gri_assert_failed("false", __FILE__, __LINE__);
    case MODE_SENT:
        spin();
        break;
    case MODE_GRADE_RAISE:
        fault_now(FAULT_RAISE);
        break;
    case MODE_IN_FAULT:
        lose_frame();
        break;
    case MODE_SINK:
        return GR_EFAIL;
    case MODE_SINK_WATCHDOG:
        (void)poll(NULL, 0, LONG_MS);
        (void)poll(NULL, 0, LONG_MS); /* the watchdog's signal ends one */
        break;
    default:
        fault_now((fault_kind)mode);
        break;
    }
    return 0;
}

static void faulty_sink(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
    fault_now(FAULT_WRITE_NULL);
}

static gr_system *aborted;
static sem_t reported;

/* Of a trapped fault, on the thread that writes reports: it faults itself when
 * a worker ends the process, and waits for this thread. */
static void late_sink(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level;
    if (strstr(line, "ended: signal") != NULL) {
        (void)sem_post(&reported);
        /* The first line has been written once the file has one of the others.
         * Its thread waits for this one in the end. */
        const volatile char *told = aborted->recorder.head->report;
        while (*told == '\0') {
            (void)sched_yield();
        }
        fault_now(FAULT_WRITE_NULL);
    }
}

static int trapped_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    fault_now(FAULT_WRITE_NULL);
    return 0;
}

static int fail_first(gr_actor *self)
{
    static const gr_behavior trapped = {.name = "trapped",
                                        .receive = trapped_receive};
    gr_pid pid;
    GR_TRY(gr_spawn(self, &trapped, NULL, &pid));
    GR_TRY(gr_send(self, pid, "fault"));
    (void)sem_wait(&reported);
    return 0;
}

static void own_handler(int number)
{
    static const char text[] = "own handler\n";
    (void)number;
    (void)!write(STDOUT_FILENO, text, sizeof text - 1);
    _exit(TOOK);
}

static sigjmp_buf out;

static void jumping_handler(int number)
{
    (void)number;
    siglongjmp(out, 1);
}

/* Faults on this thread, and goes on, as often as it likes. */
static int recover_here(void)
{
    for (volatile int i = 0; i < 3; i++) {
        if (sigsetjmp(out, 1) == 0) {
            fault_now(FAULT_WRITE_NULL);
        }
    }
    return TOOK;
}

static gr_behavior wrong = {
    .name = "wrong", .receive = wrong_receive, .state_size = STATE};
static gr_spawn_opts spawn = {.name = "it"};

/* So that the actor has a parent, who has one. */
static int boss_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gr_pid pid;
    (void)state, (void)msg;
    /* The grade is not asked for: then nothing is. */
    const bool usual = mode == MODE_GRADE_BEHAVIOR || mode == MODE_GRADE_SYSTEM;
    GR_TRY(gr_spawn(self, &wrong, usual ? NULL : &spawn, &pid));
    return gr_send(self, pid, "fault", "a\033b", 7, 2.5);
}

static int wait_for_the_end(gr_actor *self)
{
    const gr_msg *msg;
    if (mode == MODE_SENT) {
        /* acquire: pairs with the release in spin. */
        while (!atomic_load_explicit(&spins, memory_order_acquire)) {
            (void)sched_yield();
        }
        (void)pthread_kill(spinner, SIGSEGV);
    }
    return gr_receive(self, LONG_MS, &msg) < 0 ? 4 : 5; /* it did not end */
}

static gr_log_fn *sink_of_mode(void)
{
    return mode == MODE_SINK || mode == MODE_SINK_WATCHDOG ? faulty_sink
           : mode == MODE_SINK_ABORT                       ? late_sink
                                                           : NULL;
}

static int run_mode(void)
{
    static const gr_behavior boss = {.name = "boss", .receive = boss_receive};
    gr_system_opts opts = {.workers = 2, .log_level = GR_LOG_INFO};
    gr_system *sys;
    gr_actor *self;
    gr_pid pid;
    if (mode == MODE_HANDLER || mode == MODE_HANDLER_JUMPS) {
        (void)signal(SIGSEGV,
                     mode == MODE_HANDLER ? own_handler : jumping_handler);
    }
    if (mode == MODE_BLOCKED) {
        sigset_t all;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    }
    opts.log = sink_of_mode();
    (void)sem_init(&reported, 0, 0);
    opts.grade = mode == MODE_GRADE_SYSTEM ? GR_GRADE_ABORT : GR_GRADE_DEFAULT;
    wrong.grade =
        mode == MODE_GRADE_BEHAVIOR ? GR_GRADE_ABORT : GR_GRADE_DEFAULT;
    if (mode == MODE_GRADE || mode == MODE_BLOCKED ||
        mode == MODE_GRADE_ABORT || mode == MODE_GRADE_RAISE ||
        mode == MODE_SINK_ABORT || mode == MODE_DAMAGED ||
        mode == MODE_HANDLER) {
        spawn.grade = GR_GRADE_ABORT;
    }
    if (gr_system_start(&opts, &sys) < 0) {
        return 3;
    }
    aborted = sys;
    if (mode == MODE_HANDLER_JUMPS) {
        return recover_here();
    }
    if (mode == MODE_AFTER && gr_system_stop(sys, LONG_MS) < 0) {
        return 3;
    }
    if (mode == MODE_MAIN || mode == MODE_AFTER) {
        fault_now(FAULT_WRITE_NULL);
    }
    if (gr_thread_attach(sys, NULL, &self) < 0 ||
        (mode == MODE_SINK_ABORT && fail_first(self) < 0) ||
        gr_spawn(self, &boss, NULL, &pid) < 0 || gr_send(self, pid, "go") < 0) {
        return 3;
    }
    return wait_for_the_end(self);
}

/* ---- the test ------------------------------------------------------------ */

typedef struct ended {
    int status;
    char text[65536]; /* the recorder has much to tell */
} ended;

static unsigned times(void)
{
    const char *text = getenv("GUARD_TIMES"); /* NOLINT: nobody changes it */
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : TIMES;
}

static pid_t start_again(unsigned which, int std_out, int std_err)
{
    char word[16];
    char name[] = "test_guard_process";
    char *argv[] = {name, NULL};
    pid_t pid;
    posix_spawn_file_actions_t files;
    (void)snprintf(word, sizeof word, "%u", which);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks */
    assert_int_equal(setenv("GUARD_MODE", word, 1), 0);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    (void)posix_spawn_file_actions_adddup2(&files, std_out, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&files, std_err, STDERR_FILENO);
    assert_int_equal(
        posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&files);
    return pid;
}

static ended run_again(unsigned which)
{
    ended e = {.status = 0};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = start_again(which, ends[1], ends[1]);
    (void)close(ends[1]);
    size_t n = 0;
    ssize_t got;
    while (n < sizeof e.text - 1 &&
           (got = read(ends[0], e.text + n, sizeof e.text - 1 - n)) > 0) {
        n += (size_t)got;
    }
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &e.status, 0), pid);
    return e;
}

/* How it ends, given a standard error that takes nothing: a full pipe, or one
 * that nobody can read. */
static int run_unheard(unsigned which, bool has_reader)
{
    static const char bytes[4096];
    int ends[2];
    int status;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    if (!has_reader) {
        (void)close(ends[0]);
    }
    const pid_t pid = start_again(which, STDOUT_FILENO, ends[1]);
    (void)close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(has_reader ? ends[0] : -1);
    return status;
}

static void must_say(unsigned which, const ended *e, const char *says)
{
    if (strstr(e->text, says) == NULL) {
        fail_msg("mode %u, status %x, not \"%s\" but: %s", which,
                 (unsigned)e->status, says, e->text);
    }
}

/* Each of `says`, up to NULL. */
static void must_end_with(unsigned which, int number, const char *const *says)
{
    for (unsigned i = 0; i < times(); i++) {
        const ended e = run_again(which);
        must_say(which, &e, "greenroom: fatal: ");
        for (unsigned k = 0; says[k] != NULL; k++) {
            must_say(which, &e, says[k]);
        }
        if (!WIFSIGNALED(e.status) || WTERMSIG(e.status) != number) {
            fail_msg("mode %u, status %x: %s", which, (unsigned)e.status,
                     e.text);
        }
    }
}

static void must_end(unsigned which, int number, const char *says)
{
    const char *const all[] = {says, NULL};
    must_end_with(which, number, all);
}

static void faults_in_libc_end_the_process(void **state)
{
    (void)state;
    must_end(FAULT_MALLOC, SIGSEGV, "not in an actor's code");
    must_end(FAULT_PRINTF, SIGSEGV, "not in an actor's code");
    must_end(FAULT_FPUTS, SIGSEGV, "not in an actor's code");
    must_end(FAULT_TWICE, SIGABRT, "an abort of libc's");
    must_end(FAULT_HEAP, SIGABRT, "an abort of libc's");
}

static void the_last_words_tell_who_and_where(void **state)
{
    (void)state;
    static const unsigned modes[] = {FAULT_MALLOC, FAULT_PRINTF};
    static const char *const says[] = {
        " (libc.so.6+0x",
        "\n    in wrong <",
        "\n    registered as it\n",
        "\n    #0 libc.so.6+0x",
        "\n    #3 ",
        " test_guard_process+0x", /* as it is started */
        "\n    at [\"fault\", \"a\\x1bb\", 7, 2.5], from <",
        "\n    3 messages wait; bytes: state 64, arena, blobs and kept ",
        "\n    spawned by boss <",
        ">, by <",
        "\nflight recorder of ",
        "\nother threads:\n",
        NULL,
    };
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        must_end_with(modes[i], SIGSEGV, says);
    }
}

static void faults_in_what_a_library_calls_end_the_process(void **state)
{
    (void)state;
    must_end(FAULT_QSORT, SIGSEGV, "actor code that a library called");
    must_end(FAULT_ONCE, SIGSEGV, "actor code that a library called");
}

static void faults_of_the_runtime_end_the_process(void **state)
{
    (void)state;
    must_end(FAULT_RUNTIME, SIGSEGV, "not in an actor's code");
    must_end(MODE_SINK, SIGSEGV, "that the runtime called in between");
    must_end(MODE_ASSERT, SIGABRT, "greenroom: broken invariant: false (");
}

static void signals_that_are_sent_end_the_process(void **state)
{
    (void)state;
    must_end(FAULT_KILL, SIGSEGV, "not in an actor's code");
    must_end(MODE_SENT, SIGSEGV, "it was sent by somebody else");
}

static void grade_abort_ends_the_process(void **state)
{
    (void)state;
    must_end(MODE_GRADE, SIGSEGV, "its grade is abort");
    must_end(MODE_BLOCKED, SIGSEGV, "its grade is abort");
    must_end(MODE_GRADE_BEHAVIOR, SIGSEGV, "its grade is abort");
    must_end(MODE_GRADE_SYSTEM, SIGSEGV, "its grade is abort");
    must_end(MODE_GRADE_ABORT, SIGABRT, "its grade is abort");
    must_end(MODE_GRADE_RAISE, SIGABRT, "its grade is abort");
}

static void other_threads_faults_end_the_process(void **state)
{
    (void)state;
    must_end(MODE_MAIN, SIGSEGV, "SIGSEGV at 0x0");
    must_end(MODE_SINK_WATCHDOG, SIGSEGV, "not on a worker");
}

static void a_fault_during_a_fault_ends_the_process(void **state)
{
    (void)state;
#if defined(__x86_64__)
    must_end(MODE_IN_FAULT, SIGSEGV, "and a fault while it was looked at\n");
#else
    must_end(MODE_IN_FAULT, SIGABRT, "");
#endif
}

/* What can be told is, and the process ends by the signal that it was. */
static void a_fault_in_the_last_words_ends_the_process(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "its grade is abort\n",
        "and a fault while it was looked at\n",
        "\n    #0 libc.so.6+0x",
        "\n    spawned by boss <",
        "\naborted by signal 6 (SIGABRT)",
        "\nother threads:\n",
        NULL,
    };
    static const char *const sink[] = {
        "SIGABRT, pc",
        "its grade is abort\n",
        "SIGSEGV at 0x0, pc",
        "not on a worker\n",
        NULL,
    };
    must_end_with(MODE_DAMAGED, SIGABRT, damaged);
    must_end_with(MODE_SINK_ABORT, SIGSEGV, sink);
}

/* Main would go on, and end in order after a minute. */
static void last_words_that_nobody_reads_do_not_keep_it(void **state)
{
    (void)state;
    static const struct {
        unsigned mode;
        int number;
    } of[] = {
        {FAULT_MALLOC, SIGSEGV}, {FAULT_RUNTIME, SIGSEGV},
        {MODE_ASSERT, SIGABRT},  {MODE_GRADE_RAISE, SIGABRT},
        {MODE_MAIN, SIGSEGV},    {MODE_SINK_ABORT, SIGSEGV},
    };
    for (unsigned i = 0; i < sizeof of / sizeof of[0]; i++) {
        for (unsigned has_reader = 0; has_reader < 2; has_reader++) {
            const int status = run_unheard(of[i].mode, has_reader != 0);
            if (!WIFSIGNALED(status) || WTERMSIG(status) != of[i].number) {
                fail_msg("mode %u, status %x, reader %u", of[i].mode,
                         (unsigned)status, has_reader);
            }
        }
    }
}

static void the_programs_own_handlers_come_next(void **state)
{
    (void)state;
    for (unsigned i = 0; i < times(); i++) {
        ended e = run_again(MODE_HANDLER);
        assert_true(WIFEXITED(e.status));
        assert_int_equal(WEXITSTATUS(e.status), TOOK);
        assert_non_null(strstr(e.text, "its grade is abort"));
        assert_non_null(strstr(e.text, "own handler"));
        e = run_again(MODE_HANDLER_JUMPS);
        assert_true(WIFEXITED(e.status));
        assert_int_equal(WEXITSTATUS(e.status), TOOK);
        assert_string_equal(e.text, ""); /* its own affair */
    }
}

static void handlers_go_with_the_last_system(void **state)
{
    (void)state;
    const ended e = run_again(MODE_AFTER);
    assert_true(WIFSIGNALED(e.status));
    assert_int_equal(WTERMSIG(e.status), SIGSEGV);
    assert_string_equal(e.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_in_libc_end_the_process),
        cmocka_unit_test(the_last_words_tell_who_and_where),
        cmocka_unit_test(faults_in_what_a_library_calls_end_the_process),
        cmocka_unit_test(faults_of_the_runtime_end_the_process),
        cmocka_unit_test(signals_that_are_sent_end_the_process),
        cmocka_unit_test(grade_abort_ends_the_process),
        cmocka_unit_test(other_threads_faults_end_the_process),
        cmocka_unit_test(a_fault_during_a_fault_ends_the_process),
        cmocka_unit_test(a_fault_in_the_last_words_ends_the_process),
        cmocka_unit_test(last_words_that_nobody_reads_do_not_keep_it),
        cmocka_unit_test(the_programs_own_handlers_come_next),
        cmocka_unit_test(handlers_go_with_the_last_system),
    };
    const char *word = getenv("GUARD_MODE"); /* NOLINT: nobody changes it */
    if (word != NULL) {
        mode = (unsigned)strtoul(word, NULL, 10);
        return run_mode();
    }
    if (UNDER_SANITIZER) {
        /* Their handlers come next, and end the process in their own way. */
        (void)puts("a sanitizer ends the process itself: skipped");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
