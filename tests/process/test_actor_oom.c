/*
 * Goal:   a process actor that is killed by SIGKILL while the kernel's counter
 *         of kills for want of memory rises ends with "SIGKILL, oom likely",
 *         and with "SIGKILL" where it does not rise, or is no reason: one death
 *         for each rise, and no death by another signal or by gr_kill.
 * Method: the whole way from the launcher, which reads the counter, to the
 *         reason of the actor. Only the place of the counter is another: the
 *         launcher, which is this program, looks for it in a folder that its
 *         environment names (tests/CMakeLists.txt wraps what opens it). And
 *         once really, where this user may make a cgroup of his own: in one
 *         with little memory the actor takes more than there is.
 */
#include "tests/process/actors.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "process/oom.h"
#include "tests/support/sanitizers.h"

enum {
    LIMIT = 256 * 1024 * 1024, /* bytes: what this program needs, many times */
    TAKEN = 1024 * 1024 * 1024 /* far more; not all of it may be swapped */
};

#define FOLDER "GREENROOM_TEST_OOM"

/* ---- the counter --------------------------------------------------------- */

/* The linker's option --wrap makes these names, so they are reserved ones:
 * NOLINTBEGIN(bugprone-reserved-identifier) */
void __real_gri_oom_open(gri_oom *oom);
void __wrap_gri_oom_open(gri_oom *oom);
/* NOLINTEND(bugprone-reserved-identifier) */

/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
void __wrap_gri_oom_open(gri_oom *oom)
{
    char list[160];
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the launcher has one thread */
    const char *folder = getenv(FOLDER);
    if (folder == NULL) {
        __real_gri_oom_open(oom);
        return;
    }
    (void)snprintf(list, sizeof(list), "%s/list", folder);
    gri_oom_open_at(oom, list, folder);
}

static char base[] = "/tmp/gr-test-actor-oom-XXXXXX";

static void path_of(const char *name, char path[160])
{
    (void)snprintf(path, 160, "%s/%s", base, name);
}

/* One write, so that the launcher never reads half of it. */
static void put(const char *name, const char *text)
{
    char path[160];
    path_of(name, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

/* As many digits each time: the file stays as long as it is. */
static void set_kills(unsigned n)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "low 0\nmax 7\noom 9\noom_kill %u\n",
                   1000 + n);
    put("memory.events", text);
}

static int make_counter(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(base));
    put("list", "0::/\n");
    set_kills(0);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): only this thread runs */
    return setenv(FOLDER, base, 1);
}

static int remove_counter(void **state)
{
    static const char *const names[] = {"list", "memory.events"};
    char path[160];
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        path_of(names[i], path);
        (void)unlink(path);
    }
    return rmdir(base);
}

/* ---- the actor ----------------------------------------------------------- */

/* Takes more than the group has. Returns where there is swap for it. */
static void take_memory(void)
{
    /* So that nobody else of the group is chosen. */
    const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    (void)!write(fd, "1000", 4);
    (void)close(fd);
    char *all = mmap(NULL, TAKEN, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t i = 0; all != MAP_FAILED && i < TAKEN; i += 4096) {
        all[i] = 1;
    }
}

static int victim_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    int number;
    if (gr_match(msg, "take")) {
        take_memory();
        return gr_reply(self, msg, "taken");
    }
    if (gr_match(msg, "raise", &number)) {
        (void)kill(getpid(), number); /* any thread */
        return 0;
    }
    return gr_match(msg, "ping") ? gr_reply(self, msg, "pong")
                                 : gr_unhandled(self, msg);
}

static const gr_behavior victim = {
    .name = "victim", .receive = victim_receive, .grade = GR_GRADE_PROCESS};

/* Its process is there, and the counter was read for it. */
static gr_pid start(gr_actor *self, gr_ref *ref)
{
    const gr_pid pid =
        spawn_with(self, &victim, (gr_spawn_opts){.monitor = ref});
    assert_int_equal(gr_call(self, pid, LONG_MS, gr_expect("pong"), "ping"), 0);
    (void)process_of(self, pid);
    return pid;
}

static gr_exit_reason end_by(gr_actor *self, gr_pid pid, gr_ref ref, int number)
{
    assert_int_equal(gr_send(self, pid, "raise", number), 0);
    return await_down(self, ref);
}

static void assert_killed(const gr_exit_reason *why, const char *text)
{
    assert_int_equal(why->kind, GR_EXIT_SIGNAL);
    assert_int_equal(why->code, SIGKILL);
    assert_string_equal(why->text, text);
}

/* ---- the tests ----------------------------------------------------------- */

static void without_a_rise_it_was_killed(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    const gr_pid pid = start(self, &ref);
    const gr_exit_reason why = end_by(self, pid, ref, SIGKILL);
    assert_killed(&why, "SIGKILL");
}

static void with_a_rise_memory_is_the_likely_reason(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref;
    const gr_pid pid = start(self, &ref);
    set_kills(1);
    const gr_exit_reason why = end_by(self, pid, ref, SIGKILL);
    assert_killed(&why, "SIGKILL, oom likely");
}

static void a_rise_explains_one_of_two(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref refs[2];
    gr_pid pids[2];
    for (int i = 0; i < 2; i++) {
        pids[i] = start(self, &refs[i]);
    }
    set_kills(2);
    gr_exit_reason why = end_by(self, pids[1], refs[1], SIGKILL);
    assert_killed(&why, "SIGKILL, oom likely");
    why = end_by(self, pids[0], refs[0], SIGKILL);
    assert_killed(&why, "SIGKILL");
}

static void another_end_is_not_of_memory(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref refs[3];
    gr_pid pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = start(self, &refs[i]);
    }
    set_kills(3);
    gr_exit_reason why = end_by(self, pids[0], refs[0], SIGTERM);
    assert_int_equal(why.kind, GR_EXIT_SIGNAL);
    assert_int_equal(why.code, SIGTERM);
    assert_string_equal(why.text, "SIGTERM");
    assert_int_equal(gr_kill(self, pids[1]), 0);
    assert_int_equal(await_down(self, refs[1]).kind, GR_EXIT_KILLED);
    /* Nor did they use the rise up. */
    why = end_by(self, pids[2], refs[2], SIGKILL);
    assert_killed(&why, "SIGKILL, oom likely");
}

static void without_a_counter_it_was_killed(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    char path[160];
    gr_ref ref;
    const gr_pid pid = start(self, &ref);
    path_of("memory.events", path);
    assert_int_equal(truncate(path, 0), 0);
    const gr_exit_reason why = end_by(self, pid, ref, SIGKILL);
    assert_killed(&why, "SIGKILL");
}

/* ---- really -------------------------------------------------------------- */

typedef struct group {
    char before[4096]; /* where this process was */
    char path[4096];   /* below it */
    const char *limit; /* the name of its file */
} group;

/* False: it cannot be written. */
static bool tell(const char *folder, const char *file, int64_t number)
{
    char path[4400];
    char text[32];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool done =
        fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return done;
}

/* Where this process is, as a line of its list says. */
static bool take_line(char *line, group *g)
{
    char *memory = strstr(line, ":memory:");
    line[strcspn(line, "\n")] = '\0';
    if (memory != NULL) { /* version 1 */
        g->limit = "memory.limit_in_bytes";
        return snprintf(g->before, sizeof(g->before), "/sys/fs/cgroup/memory%s",
                        memory + strlen(":memory:")) < (int)sizeof(g->before);
    }
    g->limit = "memory.max";
    return strncmp(line, "0::", 3) == 0 &&
           snprintf(g->before, sizeof(g->before), "/sys/fs/cgroup%s",
                    line + 3) < (int)sizeof(g->before);
}

/* Makes a group below ours, with little memory, and goes there. */
static bool enter(group *g)
{
    char line[4096];
    bool found = false;
    FILE *list = fopen("/proc/self/cgroup", "re");
    while (list != NULL && !found && fgets(line, sizeof(line), list) != NULL) {
        found = take_line(line, g);
    }
    if (list != NULL) {
        (void)fclose(list);
    }
    if (!found ||
        snprintf(g->path, sizeof(g->path), "%s/gr-test-%d", g->before,
                 getpid()) >= (int)sizeof(g->path) ||
        mkdir(g->path, 0755) != 0) {
        return false;
    }
    if (!tell(g->path, g->limit, LIMIT) ||
        !tell(g->path, "cgroup.procs", getpid())) {
        (void)rmdir(g->path);
        return false;
    }
    return true;
}

static void leave(const group *g)
{
    assert_true(tell(g->before, "cgroup.procs", getpid()));
    /* Who has ended may be counted there for a moment more. */
    while (rmdir(g->path) != 0) {
        assert_int_equal(errno, EBUSY);
        (void)sched_yield();
    }
}

static void a_kill_by_the_kernel_is_told(void **state)
{
    group g;
    fixture f;
    gr_ref ref;
    (void)state;
    if (UNDER_SANITIZER || !enter(&g)) {
        skip(); /* its memory is counted otherwise; or it may not */
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): only this thread runs */
    assert_int_equal(unsetenv(FOLDER), 0);
    scene_begin(&f);
    assert_int_equal(gr_processes_enable(f.self), 0);
    const gr_pid pid = start(f.self, &ref);
    const int rc = gr_call(f.self, pid, LONG_MS, gr_expect("taken"), "take");
    gr_exit_reason why = {.kind = GR_EXIT_NORMAL};
    if (rc != 0) {
        why = await_down(f.self, ref);
    }
    scene_end(&f);
    leave(&g);
    if (rc == 0) {
        skip(); /* it could be swapped */
    }
    assert_killed(&why, "SIGKILL, oom likely");
}

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        ACTOR_TEST(without_a_rise_it_was_killed),
        ACTOR_TEST(with_a_rise_memory_is_the_likely_reason),
        ACTOR_TEST(a_rise_explains_one_of_two),
        ACTOR_TEST(another_end_is_not_of_memory),
        ACTOR_TEST(without_a_counter_it_was_killed),
        cmocka_unit_test(a_kill_by_the_kernel_is_told),
    };
    return cmocka_run_group_tests_name("process/actor_oom", tests, make_counter,
                                       remove_counter);
}
