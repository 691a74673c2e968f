/*
 * tests/process/helper.h - runs the test's own program again, in one of its
 * modes, and tells how it ended.
 */
#ifndef TESTS_PROCESS_HELPER_H
#define TESTS_PROCESS_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <errno.h>
#include <fcntl.h>
#include <greenroom/greenroom.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/process/status.h"
#include "tests/support/sanitizers.h"

static const int three[] = {SIGINT, SIGTERM, SIGHUP};

/* ---- in the program that is run ------------------------------------------ */

/* Longer than anything may take on a busy machine: a hang, not a bound. */
#define LONG_MS 60000

/* By the environment, as a child's arguments are the library's. */
static const char *variable(const char *name)
{
    const char *text = getenv(name); /* NOLINT: nobody changes it meanwhile */
    return text != NULL ? text : "";
}

static inline bool is_mode(const char *mode)
{
    return strcmp(variable("SIGNALS_MODE"), mode) == 0;
}

static inline void say(const char *text)
{
    (void)puts(text);
    (void)fflush(stdout);
}

/* Waits until the app is told to stop, and says how. */
static inline int wait_told(gr_actor *self)
{
    const gr_msg *msg;
    gr_exit_reason why;
    int rc;
#ifdef UNDER_TSAN
    /* ThreadSanitizer puts a signal off until the thread calls something that
     * it intercepts; who sleeps on a futex never does. */
    while ((rc = gr_receive(self, 10, &msg)) == GR_ETIMEOUT) {
        (void)poll(NULL, 0, 0);
    }
#else
    rc = gr_receive(self, GR_FOREVER, &msg);
#endif
    if (rc == GR_ESTOPPED && gr_exit_reason_of(self, &why)) {
        (void)printf("told: %s\n", gr_exit_kind_name(why.kind));
        (void)fflush(stdout);
    }
    return rc;
}

static inline _Noreturn void hang(void)
{
    for (;;) {
        (void)pause();
    }
}

/* ---- running it --------------------------------------------------------- */

typedef struct run {
    pid_t pid;
    int child; /* its child node, or 0 */
    FILE *out; /* both its outputs */
    char base[64];
    char text[4096]; /* after the first line */
} run;

static inline void set_variable(const char *name, const char *value)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks */
    assert_int_equal(setenv(name, value, 1), 0);
}

/* Starts this program with the signals' default dispositions. */
static inline void start(run *r, const char *mode)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t set;
    int ends[2];
    char name[] = "test_signals";
    char word[] = "mode";
    char *argv[] = {name, word, NULL};
    *r = (run){.base = "/tmp/test_signals.XXXXXX"};
    assert_non_null(mkdtemp(r->base));
    set_variable("XDG_RUNTIME_DIR", r->base);
    set_variable("SIGNALS_MODE", mode);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        assert_int_equal(posix_spawn_file_actions_adddup2(&files, ends[1], fd),
                         0);
    }
    assert_int_equal(posix_spawnattr_init(&attributes), 0);
    (void)sigemptyset(&set);
    assert_int_equal(posix_spawnattr_setsigmask(&attributes, &set), 0);
    for (int i = 0; i < 3; i++) {
        (void)sigaddset(&set, three[i]);
    }
    assert_int_equal(posix_spawnattr_setsigdefault(&attributes, &set), 0);
    assert_int_equal(
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF |
                                                  POSIX_SPAWN_SETSIGMASK),
        0);
    assert_int_equal(posix_spawn(&r->pid, "/proc/self/exe", &files, &attributes,
                                 argv, environ),
                     0);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(ends[1]);
    r->out = fdopen(ends[0], "r");
    assert_non_null(r->out);
}

/* The same; returns when it may be sent signals. */
static inline void start_up(run *r, const char *mode)
{
    char line[64] = "";
    start(r, mode);
    assert_non_null(fgets(line, sizeof(line), r->out));
    assert_int_equal(strncmp(line, "up", 2), 0);
    r->child = (int)strtol(line + 2, NULL, 10);
}

/* Its wait status, once it and all its children are gone. */
static inline int end_of(run *r)
{
    int status = 0;
    const size_t n = fread(r->text, 1, sizeof(r->text) - 1, r->out);
    r->text[n] = '\0';
    (void)fclose(r->out);
    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    return status;
}

static inline void assert_signaled(run *r, int number)
{
    const int status = end_of(r);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != number) {
        print_message("not by %d but %x: %s\n", number, (unsigned)status,
                      r->text);
        fail();
    }
}

static inline void assert_exited(run *r, int want)
{
    const int status = end_of(r);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != want) {
        print_message("not with %d but %x: %s\n", want, (unsigned)status,
                      r->text);
        fail();
    }
}

static inline void assert_says(const run *r, const char *what)
{
    if (strstr(r->text, what) == NULL) {
        print_message("\"%s\" is not in: %s\n", what, r->text);
        fail();
    }
}

/* No folder, and no child, dead or alive. */
static inline void assert_nothing_left(const run *r)
{
    assert_int_equal(rmdir(r->base), 0);
    if (r->child > 0) {
        assert_int_equal(kill(r->child, 0), -1);
        assert_int_equal(errno, ESRCH);
    }
}

/* Takes away what a program that was ended at once has left. */
static inline void sweep(const run *r)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -r '%s'", r->base);
    /* NOLINTNEXTLINE(cert-env33-c,concurrency-mt-unsafe): rm of our own */
    assert_int_equal(system(command), 0);
}

/* Of the three signals, those in that line of the process's status. */
static inline unsigned long long signals_in(pid_t pid, const char *line_name)
{
    unsigned long long mask = 0;
    for (int i = 0; i < 3; i++) {
        mask |= 1ULL << (three[i] - 1);
    }
    return signals_of(pid, line_name) & mask;
}

#endif /* TESTS_PROCESS_HELPER_H */
