/*
 * Goal:   an actor whose process has something to say at its end, and nobody
 *         reads its standard error, ends all the same: by a fault, or as there
 *         is no memory.
 * Method: standard error is a full pipe; the launcher and its processes have it
 *         from us. Before and behind that it is what it was. On a machine that
 *         is slow enough it is killed before it has ended by itself.
 */
#include "tests/process/actors.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"

/* ---- the actor ----------------------------------------------------------- */

/* All address space that there is. */
static void eat(void)
{
    for (size_t size = (size_t)1 << 30; size >= 4096; size /= 2) {
        while (mmap(NULL, size, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                    0) != MAP_FAILED) {
        }
    }
}

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    if (gr_match(msg, "process")) {
        return gr_reply(self, msg, "process", (int)getpid());
    }
    if (gr_match(msg, "fault")) {
        fault_now(FAULT_WRITE_NULL);
    }
    if (gr_match(msg, "eat")) {
        eat();
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior victim = {
    .name = "victim", .receive = victim_receive, .grade = GR_GRADE_PROCESS};

/* ---- the pipe ------------------------------------------------------------ */

typedef struct deaf {
    int before;
    int reader; /* that does not */
} deaf;

static void quiet_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level, (void)line;
}

static deaf begin_deaf(void)
{
    static const char bytes[4096];
    deaf d = {.before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10)};
    int ends[2];
    assert_true(d.before >= 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], bytes, sizeof(bytes)) > 0) {
    }
    while (write(ends[1], bytes, 1) > 0) {
    }
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    d.reader = ends[0];
    return d;
}

/* Of who was started meanwhile it is that pipe still. */
static void end_deaf(const deaf *d)
{
    assert_int_equal(dup2(d->before, STDERR_FILENO), STDERR_FILENO);
    (void)close(d->before);
}

/* ---- the tests ----------------------------------------------------------- */

/* Bytes of address space that the process has. */
static size_t size_of(int process)
{
    char path[64];
    unsigned long pages = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", process);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What comes sooner would find room, and leave it to what comes after. */
static void await_eaten(gr_actor *self, int process, size_t limit)
{
    enum { REST = 64 * 1024 };
    while (size_of(process) < limit - REST) {
        assert_int_equal(gr_sleep(self, 1), 0);
    }
}

/* How it ends once it was given that message, and large ones behind it. */
static gr_exit_reason end_by(const char *tag, gr_limits limits)
{
    enum { LARGE = 4 << 20, AGAIN_MS = 100 };
    const gr_system_opts opts = {.workers = 1, .log = quiet_log};
    fixture f;
    void *state = &f;
    gr_ref ref;
    int process = 0;
    char *large = calloc(1, LARGE);
    assert_non_null(large);
    const deaf d = begin_deaf();
    int rc = gr_system_start(&opts, &f.sys);
    rc = rc == 0 ? gr_thread_attach(f.sys, NULL, &f.self) : rc;
    rc = rc == 0 ? gr_processes_enable(f.self) : rc;
    gr_pid pid = GR_NOBODY;
    rc = rc == 0 ? gr_spawn(f.self, &victim,
                            &(gr_spawn_opts){.monitor = &ref, .limits = limits},
                            &pid)
                 : rc;
    rc = rc == 0 ? gr_call(f.self, pid, LONG_MS, gr_expect("process", &process),
                           "process")
                 : rc;
    end_deaf(&d); /* from here on a test may fail, and say so */
    assert_int_equal(rc, 0);
    assert_int_equal(gr_send(f.self, pid, tag), 0);
    if (limits.address_space_max != 0) {
        await_eaten(f.self, process, limits.address_space_max);
    }
    gr_exit_reason why = {0};
    for (bool down = false; !down;) {
        const gr_msg *msg;
        gr_tell(f.self, pid, "large", gr_bin(large, LARGE));
        rc = gr_receive(f.self, AGAIN_MS, &msg);
        assert_true(rc == 0 || rc == GR_ETIMEOUT);
        down = rc == 0 && gr_match_down(msg, NULL, NULL, &why);
    }
    assert_no_process(process);
    (void)teardown(&state);
    (void)close(d.reader);
    free(large);
    return why;
}

static void a_fault_ends_it(void **state)
{
    (void)state;
    const gr_exit_reason why = end_by("fault", (gr_limits){0});
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_true(why.code == SIGSEGV || why.code == SIGKILL);
}

static void no_memory_ends_it(void **state)
{
    (void)state;
    if (UNDER_SANITIZER) {
        skip(); /* a limit of address space is not for those */
    }
    const gr_exit_reason why =
        end_by("eat", (gr_limits){.address_space_max = (size_t)4 << 30});
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGKILL);
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_ends_it),
        cmocka_unit_test(no_memory_ends_it),
    };
    return cmocka_run_group_tests_name("process/actor_stderr", tests, NULL,
                                       NULL);
}
