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

#include <greenroom/greenroom.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"

enum {
    TIMES = 5,       /* each; more by GUARD_TIMES */
    LONG_MS = 60000, /* a hang, not a bound */
    TOOK = 42        /* exit status of a program that has handled it */
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
    MODE_BLOCKED,       /* grade abort; main has blocked all signals */
    MODE_MAIN,          /* on a thread that is no worker */
    MODE_IN_FAULT,      /* a stack that cannot be read */
    MODE_HANDLER,       /* the program has a handler of its own */
    MODE_HANDLER_JUMPS, /* which jumps out of it, in main */
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

static int wrong_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const gr_str bad = {null + 16, 500}; /* too long to be copied inline */
    (void)state;
    if (!gr_match(msg, "fault")) {
        return GR_EINVAL; /* which is logged */
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
    case MODE_GRADE_ABORT:
        fault_now(FAULT_ABORT);
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

static int run_mode(void)
{
    static gr_behavior wrong = {.name = "wrong", .receive = wrong_receive};
    gr_system_opts opts = {.workers = 2, .log_level = GR_LOG_INFO};
    gr_spawn_opts spawn = {.name = "it"};
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
    opts.log =
        mode == MODE_SINK || mode == MODE_SINK_WATCHDOG ? faulty_sink : NULL;
    opts.grade = mode == MODE_GRADE_SYSTEM ? GR_GRADE_ABORT : GR_GRADE_DEFAULT;
    wrong.grade =
        mode == MODE_GRADE_BEHAVIOR ? GR_GRADE_ABORT : GR_GRADE_DEFAULT;
    if (mode == MODE_GRADE || mode == MODE_BLOCKED ||
        mode == MODE_GRADE_ABORT || mode == MODE_GRADE_RAISE ||
        mode == MODE_HANDLER) {
        spawn.grade = GR_GRADE_ABORT;
    }
    if (gr_system_start(&opts, &sys) < 0) {
        return 3;
    }
    if (mode == MODE_HANDLER_JUMPS) {
        return recover_here();
    }
    if (mode == MODE_AFTER && gr_system_stop(sys, LONG_MS) < 0) {
        return 3;
    }
    if (mode == MODE_MAIN || mode == MODE_AFTER) {
        fault_now(FAULT_WRITE_NULL);
    }
    /* The grade is not asked for: then nothing is. */
    const bool usual = mode == MODE_GRADE_BEHAVIOR || mode == MODE_GRADE_SYSTEM;
    if (gr_thread_attach(sys, NULL, &self) < 0 ||
        gr_spawn(self, &wrong, usual ? NULL : &spawn, &pid) < 0 ||
        gr_send(self, pid, "fault") < 0) {
        return 3;
    }
    const gr_msg *msg;
    return gr_receive(self, LONG_MS, &msg) < 0 ? 4 : 5; /* it did not end */
}

/* ---- the test ------------------------------------------------------------ */

typedef struct ended {
    int status;
    char text[4096];
} ended;

static unsigned times(void)
{
    const char *text = getenv("GUARD_TIMES"); /* NOLINT: nobody changes it */
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : TIMES;
}

static ended run_again(unsigned which)
{
    ended e = {.status = 0};
    char word[16];
    char name[] = "test_guard_process";
    char *argv[] = {name, NULL};
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t files;
    (void)snprintf(word, sizeof word, "%u", which);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks */
    assert_int_equal(setenv("GUARD_MODE", word, 1), 0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    (void)posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&files, ends[1], STDERR_FILENO);
    (void)posix_spawn_file_actions_addclose(&files, ends[0]);
    (void)posix_spawn_file_actions_addclose(&files, ends[1]);
    assert_int_equal(
        posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&files);
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

/* number 0: any. */
static void must_end(unsigned which, int number, const char *says)
{
    for (unsigned i = 0; i < times(); i++) {
        const ended e = run_again(which);
        if (!WIFSIGNALED(e.status) ||
            (number != 0 && WTERMSIG(e.status) != number) ||
            strstr(e.text, "greenroom: fatal: ") == NULL ||
            strstr(e.text, says) == NULL) {
            fail_msg("mode %u, status %x, not \"%s\" but: %s", which,
                     (unsigned)e.status, says, e.text);
        }
    }
}

static void faults_in_libc_end_the_process(void **state)
{
    (void)state;
    must_end(FAULT_MALLOC, SIGSEGV, "not in an actor's code");
    must_end(FAULT_PRINTF, SIGSEGV, "not in an actor's code");
    must_end(FAULT_FPUTS, SIGSEGV, "not in an actor's code");
    must_end(FAULT_TWICE, SIGABRT, "an abort of libc's");
    must_end(FAULT_HEAP, 0, "greenroom");
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
}

static void signals_that_are_sent_end_the_process(void **state)
{
    (void)state;
    must_end(FAULT_KILL, SIGSEGV, "");
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
    must_end(MODE_IN_FAULT, SIGSEGV, "");
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
        cmocka_unit_test(faults_in_what_a_library_calls_end_the_process),
        cmocka_unit_test(faults_of_the_runtime_end_the_process),
        cmocka_unit_test(signals_that_are_sent_end_the_process),
        cmocka_unit_test(grade_abort_ends_the_process),
        cmocka_unit_test(other_threads_faults_end_the_process),
        cmocka_unit_test(a_fault_during_a_fault_ends_the_process),
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
