/*
 * Goal:   a program whose main does not leave when it is started as a launcher
 *         gets an error, and never starts itself again and again.
 * Method: this program, which changes its arguments before the library sees
 *         them when the environment says so, starts processes and looks at what
 *         it is told. What is started by hand tells by its exit status.
 */
#include "tests/process/launches.h"

#include <spawn.h>

#include "process/divert.h"

enum { USAGE_STATUS = 2, BY_HAND_STATUS = 9 };

#define HIDE "DIVERT_TEST_HIDES"

static int log_lines;
static char log_text[1024]; /* the last */

static void keep_line(void *arg, gr_log_level level, const char *line)
{
    (void)arg;
    log_lines += level == GR_LOG_ERROR;
    (void)snprintf(log_text, sizeof(log_text), "%s", line);
}

/* Before main has been where it should: main itself calls this. */
static int without_gr_child_main(void)
{
    gri_launcher *launcher = NULL;
    gri_log_init(&test_log, keep_line, NULL, GR_LOG_ERROR);
    const int rc = gri_launcher_new(&test_log, &launcher);
    return rc == GR_ENOTSUP && launcher == NULL && log_lines == 1 &&
                   strstr(log_text, "gr_child_main") != NULL && !gri_diverts()
               ? 0
               : 1;
}

static void hidden_arguments_are_an_error(void **state)
{
    gri_launcher *launcher = *state;
    record r[3];
    log_lines = 0;
    gri_log_init(&test_log, keep_line, NULL, GR_LOG_ERROR);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks */
    assert_int_equal(setenv(HIDE, "1", 1), 0);

    for (int i = 0; i < 3; i++) {
        r[i] = (record)RECORD_INIT;
        (void)start(launcher, "exit 0", -1, &r[i]);
        const gri_process_event end = await_end(&r[i]);
        assert_int_equal(end.kind, GRI_PROCESS_FAILED);
        assert_int_equal(end.code, GR_EFAIL);
        assert_int_equal(r[i].events, 1);
    }

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread looks */
    assert_int_equal(unsetenv(HIDE), 0);
    assert_int_equal(log_lines, 3);
    assert_non_null(strstr(log_text, "launcher process"));
    record good = RECORD_INIT;
    (void)start(launcher, "exit 0", -1, &good); /* nothing is broken for good */
    assert_int_equal(await_end(&good).kind, GRI_PROCESS_EXITED);
}

static int status_of(char *const argv[], const char *variable)
{
    posix_spawn_file_actions_t files;
    pid_t pid = 0;
    int status = 0;
    char text[64];
    char *env[] = {text, NULL};
    (void)snprintf(text, sizeof(text), "%s", variable);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&files, STDERR_FILENO,
                                                      "/dev/null", O_WRONLY, 0),
                     0);
    assert_int_equal(
        posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, env), 0);
    (void)posix_spawn_file_actions_destroy(&files);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void markers_by_hand_start_nothing(void **state)
{
    char name[] = "test_divert";
    char launcher[] = "--greenroom-launcher";
    char node[] = "--greenroom-child-node";
    char three[] = "3";
    char *const as_launcher[] = {name, launcher, three, NULL};
    char *const as_node[] = {name, node, three, NULL};
    (void)state;

    int status = status_of(as_launcher, "A=B");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), USAGE_STATUS);
    status = status_of(as_launcher, GRI_STARTED_BY "=x");
    assert_int_equal(WEXITSTATUS(status), USAGE_STATUS);
    status = status_of(as_node, "A=B"); /* this main has no gr_main */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), USAGE_STATUS);
}

static void who_was_started_by_the_dead_dies(void **state)
{
    char name[] = "test_divert";
    char launcher[] = "--greenroom-launcher";
    char three[] = "3";
    char *const argv[] = {name, launcher, three, NULL};
    (void)state;
    /* The first process has not started it, as far as it can see. */
    const int status = status_of(argv, GRI_STARTED_BY "=1");
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void a_variable_of_another_starter_is_no_matter(void **state)
{
    char name[] = "test_divert";
    char word[] = "by-hand";
    char *const argv[] = {name, word, NULL};
    (void)state;
    const int status = status_of(argv, GRI_STARTED_BY "=1");
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), BY_HAND_STATUS);
}

int main(int argc, char **argv)
{
    if (argc == 1 && without_gr_child_main() != 0) {
        return 1;
    }
    gr_child_main(getenv(HIDE) != NULL ? 1 : argc, argv); /* NOLINT */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no threads yet */
    if (getenv(GRI_STARTED_BY) != NULL) {
        return 1; /* it is not for what this process executes */
    }
    if (argc > 1) {
        return BY_HAND_STATUS;
    }
    const struct CMUnitTest tests[] = {
        LAUNCHER_TEST(hidden_arguments_are_an_error),
        LAUNCHER_TEST(markers_by_hand_start_nothing),
        LAUNCHER_TEST(who_was_started_by_the_dead_dies),
        LAUNCHER_TEST(a_variable_of_another_starter_is_no_matter),
    };
    return cmocka_run_group_tests_name("process/divert", tests, NULL, NULL);
}
