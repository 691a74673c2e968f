/*
 * Goal:   a process in a sandbox lives and works; what it exceeds, and what is
 *         not on its list, ends as its header says, and nothing undoes it.
 * Method: each case runs in a forked copy of this program, which enters a
 *         sandbox and then does one thing; how it ended, and what it wrote to
 *         its standard error, tells.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/sandbox.h"
#include "tests/support/sanitizers.h"

enum { REFUSED = 99, UNHURT = 7 };

/* One process of a test. */
typedef struct run {
    int status;
    char text[512]; /* its standard error */
} run;

typedef void action(void);

static run run_in(const gri_sandbox *sandbox, action *act)
{
    run r = {.status = 0};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        char why[128] = "";
        (void)dup2(ends[1], STDERR_FILENO);
        if (!gri_sandbox_prepare() ||
            gri_sandbox_enter(sandbox, why, sizeof(why)) != 0) {
            (void)dprintf(STDERR_FILENO, "%s\n", why);
            _exit(REFUSED);
        }
        act();
        _exit(UNHURT);
    }
    assert_true(pid > 0);
    (void)close(ends[1]);
    size_t at = 0;
    for (ssize_t n;
         (n = read(ends[0], r.text + at, sizeof(r.text) - 1 - at)) > 0;) {
        at += (size_t)n;
    }
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &r.status, 0), pid);
    return r;
}

static void assert_unhurt(const run *r)
{
    if (!WIFEXITED(r->status) || WEXITSTATUS(r->status) != UNHURT) {
        print_message("ended by %x: %s\n", (unsigned)r->status, r->text);
        fail();
    }
}

static void assert_killed(const run *r, int number)
{
    if (!WIFSIGNALED(r->status) || WTERMSIG(r->status) != number) {
        print_message("ended by %x: %s\n", (unsigned)r->status, r->text);
        fail();
    }
}

/* In the sandboxed process: ends it with a status that is not UNHURT. */
static void must(bool condition)
{
    if (!condition) {
        _exit(1);
    }
}

/* ---- limits ------------------------------------------------------------- */

static void leave_core(void)
{
    struct rlimit core;
    must(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    must(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void without_limits_there_is_no_core_and_no_privilege(void **state)
{
    (void)state;
    const run r = run_in(&(gri_sandbox){0}, leave_core);
    assert_unhurt(&r);
}

static void map_much(void)
{
    void *p = mmap(NULL, (size_t)1 << 30, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(p == MAP_FAILED && errno == ENOMEM);
    void *much = malloc((size_t)1 << 30);
    must(much == NULL);
    void *little = malloc(1000);
    must(little != NULL);
    free(little);
}

static void memory_is_refused_beyond_its_limit(void **state)
{
    (void)state;
    if (UNDER_SANITIZER) {
        skip(); /* it makes calls of its own, and reserves terabytes */
    }
    const run r =
        run_in(&(gri_sandbox){.memory_max = (uint64_t)512 << 20}, map_much);
    assert_unhurt(&r);
}

static void compute(void)
{
    for (volatile unsigned i = 0;; i++) {
    }
}

static void time_is_up_by_sigxcpu(void **state)
{
    (void)state;
    const run r = run_in(&(gri_sandbox){.cpu_max_s = 1}, compute);
    assert_killed(&r, SIGXCPU);
}

static void write_much(void)
{
    char name[] = "/tmp/gr-test-sandbox-XXXXXX";
    const int fd = mkstemp(name);
    must(fd >= 0 && unlink(name) == 0);
    must(write(fd, name, 16) == 16);
    (void)!pwrite(fd, name, 1, 16);
}

static void a_file_that_grows_ends_it_by_sigxfsz(void **state)
{
    (void)state;
    const run r = run_in(&(gri_sandbox){.file_max = 16}, write_much);
    assert_killed(&r, SIGXFSZ);
}

static void open_many(void)
{
    int fd;
    do {
        fd = dup(STDERR_FILENO);
        must(fd < 20);
    } while (fd >= 0);
    must(errno == EMFILE);
    const struct rlimit more = {.rlim_cur = 100, .rlim_max = 100};
    /* Nobody but root gets it back. */
    must(setrlimit(RLIMIT_NOFILE, &more) != 0 || geteuid() == 0);
}

static void descriptors_are_counted(void **state)
{
    (void)state;
    const run r = run_in(&(gri_sandbox){.files_max = 20}, open_many);
    assert_unhurt(&r);
}

static void nothing(void)
{
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    const gri_sandbox bad[] = {
        {.files_max = 3},          {.filter = 2},    {.hidden = 2},
        {.cpu_max_s = UINT64_MAX}, {.zero = {0, 1}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const run r = run_in(&bad[i], nothing);
        assert_true(WIFEXITED(r.status));
        assert_int_equal(WEXITSTATUS(r.status), REFUSED);
        assert_non_null(strstr(r.text, "make no sense"));
    }
}

static void is_hidden(void)
{
    must(prctl(PR_GET_DUMPABLE) == 0);
}

static void it_may_be_hidden(void **state)
{
    (void)state;
    const run r = run_in(&(gri_sandbox){.hidden = 1}, is_hidden);
    assert_unhurt(&r);
}

/* ---- the list ----------------------------------------------------------- */

static int ends_[2]; /* a connected pair that the process finds open */

static void *thread_main(void *arg)
{
    *(int *)arg = 42;
    return NULL;
}

static void live(void)
{
    char byte = 'x';
    int n = 0;
    pthread_t thread;
    struct pollfd polled = {.fd = ends_[1], .events = POLLIN};
    struct timespec t;
    must(send(ends_[0], &byte, 1, 0) == 1);
    must(poll(&polled, 1, 1000) == 1);
    must(recv(ends_[1], &byte, 1, 0) == 1);
    must(fcntl(ends_[0], F_SETFL, O_NONBLOCK) == 0);
    must(recv(ends_[0], &byte, 1, 0) < 0 && errno == EAGAIN);
    must(eventfd(0, EFD_CLOEXEC) >= 0);
    must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    for (size_t size = 1; size < (size_t)1 << 24; size *= 2) {
        void *p = malloc(size);
        must(p != NULL);
        memset(p, 1, size);
        free(p);
    }
    must(pthread_create(&thread, NULL, thread_main, &n) == 0);
    must(pthread_join(thread, NULL) == 0 && n == 42);
    must(printf("%d %f\n", n, 0.5) > 0 && fflush(stdout) == 0);
}

static void an_actor_lives(void **state)
{
    (void)state;
    if (UNDER_SANITIZER) {
        skip(); /* it makes calls of its own, and reserves terabytes */
    }
    const run r = run_in(&(gri_sandbox){.filter = 1}, live);
    assert_unhurt(&r);
}

static void try_abort(void)
{
    abort();
}

static void abort_is_still_abort(void **state)
{
    (void)state;
    if (UNDER_SANITIZER) {
        skip(); /* it makes calls of its own, and reserves terabytes */
    }
    const run r = run_in(&(gri_sandbox){.filter = 1}, try_abort);
    assert_killed(&r, SIGABRT);
}

static void try_open(void)
{
    (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void try_socket(void)
{
    (void)socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void try_fork(void)
{
    (void)fork();
}

static void try_exec(void)
{
    char name[] = "true";
    char *argv[] = {name, NULL};
    (void)execve("/bin/true", argv, environ);
}

static void try_kill(void)
{
    (void)kill(getppid(), 0);
}

static void try_tgkill(void)
{
    (void)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static void try_ptrace(void)
{
    (void)syscall(SYS_ptrace, 16 /* attach */, getppid(), 0, 0);
}

static void try_setown(void)
{
    (void)fcntl(ends_[0], F_SETOWN, getppid());
}

static void try_unblocked(void)
{
    sigset_t all;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    try_open();
}

static void *open_in_thread(void *arg)
{
    try_open();
    return arg;
}

static void try_thread(void)
{
    pthread_t thread;
    must(pthread_create(&thread, NULL, open_in_thread, NULL) == 0);
    (void)pthread_join(thread, NULL);
}

static void try_to_leave(void)
{
    /* Another list can only be stricter, and may not even be asked for. */
    (void)syscall(SYS_seccomp, 1, 0, NULL);
}

static void what_is_not_on_the_list_ends_it(void **state)
{
    /* A call that is made with all signals blocked ends it without a word:
     * newer libraries' fork is such a one. */
    static const struct {
        action *act;
        const char *text;
        bool may_be_silent;
    } cases[] = {
        {try_open, "seccomp: openat (", false},
        {try_socket, "seccomp: socket (", false},
        {try_fork, "seccomp: clone (", true},
        {try_exec, "seccomp: execve (", false},
        {try_kill, "seccomp: kill (", false},
        {try_tgkill, "seccomp: tgkill (", false},
        {try_ptrace, "seccomp: ptrace (", false},
        {try_setown, "seccomp: call (", false},
        {try_unblocked, "", true},
        {try_thread, "seccomp: openat (", false},
        {try_to_leave, "seccomp: call (", false},
    };
    (void)state;
    if (UNDER_SANITIZER) {
        skip(); /* it makes calls of its own, and reserves terabytes */
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const run r = run_in(&(gri_sandbox){.filter = 1}, cases[i].act);
        assert_killed(&r, SIGSYS);
        const bool is_silent = cases[i].may_be_silent && r.text[0] == '\0';
        if (!is_silent &&
            strncmp(r.text, cases[i].text, strlen(cases[i].text)) != 0) {
            print_message("%s: %s\n", cases[i].text, r.text);
            fail();
        }
    }
}

/* Each call that is not allowed leaves the process dead or with an error: none
 * that is not on the list works. The numbers of new ones, too. */
static int probed; /* the call */

static void probe(void)
{
    (void)syscall(probed, -1L, -1L, -1L, -1L, -1L, -1L);
}

static void unknown_numbers_end_it(void **state)
{
    (void)state;
    if (UNDER_SANITIZER) {
        skip(); /* it makes calls of its own, and reserves terabytes */
    }
    for (probed = 400; probed < 500; probed++) {
        switch (probed) {
        case SYS_clone3:
            continue;
        default:
            break;
        }
        const run r = run_in(&(gri_sandbox){.filter = 1}, probe);
        assert_killed(&r, SIGSYS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_limits_there_is_no_core_and_no_privilege),
        cmocka_unit_test(memory_is_refused_beyond_its_limit),
        cmocka_unit_test(time_is_up_by_sigxcpu),
        cmocka_unit_test(a_file_that_grows_ends_it_by_sigxfsz),
        cmocka_unit_test(descriptors_are_counted),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(it_may_be_hidden),
        cmocka_unit_test(an_actor_lives),
        cmocka_unit_test(abort_is_still_abort),
        cmocka_unit_test(what_is_not_on_the_list_ends_it),
        cmocka_unit_test(unknown_numbers_end_it),
    };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) != 0) {
        return 1;
    }
    return cmocka_run_group_tests_name("process/sandbox", tests, NULL, NULL);
}
