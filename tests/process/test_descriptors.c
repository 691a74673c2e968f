/*
 * Goal:   a program that is started with descriptors 0, 1 or 2 closed gets
 *         /dev/null there, before the library, its threads or its child nodes
 *         open anything; and one that cannot have that does not run.
 * Method: this program runs itself through the shell, which closes them. It
 *         starts a child node and then looks at what it has; its exit status
 *         tells, as perhaps nothing else can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <fcntl.h>
#include <greenroom/greenroom.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than anything may take on a busy machine: a hang, not a bound. */
#define LONG_MS 60000

enum { GOOD_STATUS = 7, FAILED_STATUS = 1 };

/* ---- the program that is started ---------------------------------------- */

static bool is_null_device(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) &&
           status.st_rdev == makedev(1, 3);
}

/* Each descriptor in `closed` is /dev/null, in the direction that fits, and
 * stays open in what the program executes. */
static bool are_filled(const char *closed)
{
    for (const char *c = closed; *c != '\0'; c++) {
        const int fd = *c - '0';
        const int want = fd == STDIN_FILENO ? O_RDONLY : O_WRONLY;
        if (!is_null_device(fd) || (fcntl(fd, F_GETFL) & O_ACCMODE) != want ||
            fcntl(fd, F_GETFD) != 0) {
            return false;
        }
    }
    return true;
}

/* With a child node: sockets, a pidfd, a lock, a control descriptor. */
static int look(gr_actor *self, const char *closed)
{
    bool up = false;
    GR_TRY(gr_child_nodes_enable(self, "parent"));
    GR_TRY(gr_watch_nodes(self, true));
    GR_TRY(gr_spawn(self, &gr_child_node_behavior,
                    &(gr_spawn_opts){.args = gr_args("child", 1)}, NULL));
    while (!up) {
        const gr_msg *msg;
        GR_TRY(gr_receive(self, LONG_MS, &msg));
        (void)gr_match_node(msg, &up, NULL, NULL, NULL);
    }
    return are_filled(closed) ? GOOD_STATUS : GR_EFAIL;
}

/* Nothing can be opened, and standard input is closed. */
static int main_without_files(int argc, char **argv, gr_app_fn *app)
{
    struct rlimit before;
    (void)close(STDIN_FILENO);
    (void)getrlimit(RLIMIT_NOFILE, &before);
    struct rlimit none = before;
    none.rlim_cur = 0;
    (void)setrlimit(RLIMIT_NOFILE, &none);
    const int status = gr_main(argc, argv, app);
    (void)setrlimit(RLIMIT_NOFILE, &before); /* sanitizers want some at exit */
    return status;
}

/* ---- the tests ---------------------------------------------------------- */

static char program[4096];

/* Runs this program. Returns its exit status; what it says goes to text. */
static int run(const char *args, char *text, size_t size)
{
    char command[6000];
    (void)snprintf(command, sizeof(command), "'%s' %s", program, args);
    FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c) */
    assert_non_null(pipe);
    const size_t n = fread(text, 1, size - 1, pipe);
    text[n] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void closed_ones_become_dev_null(void **state)
{
    static const char *const args[] = {
        "look 0 <&-",
        "look 1 >&-",
        "look 2 2>&-",
        "look 01 <&- >&-",
        "look 02 <&- 2>&-",
        "look 12 >&- 2>&-",
        "look 012 <&- >&- 2>&-",
    };
    char text[4096];
    (void)state;
    for (unsigned i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
        assert_int_equal(run(args[i], text, sizeof(text)), GOOD_STATUS);
        assert_string_equal(text, "");
    }
}

static void open_ones_are_left_alone(void **state)
{
    char text[4096];
    (void)state;
    assert_int_equal(run("print </dev/zero", text, sizeof(text)), GOOD_STATUS);
    assert_string_equal(text, "still here\n");
}

static void without_dev_null_there_is_no_program(void **state)
{
    char text[4096];
    (void)state;
    assert_int_equal(run("no-files 2>&1", text, sizeof(text)), FAILED_STATUS);
    assert_non_null(strstr(text, "descriptor 0 is closed"));
}

static int app(gr_actor *self, int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "look") == 0) {
        return look(self, argv[2]);
    }
    if (argc > 1 && strcmp(argv[1], "print") == 0) {
        char zero = 1;
        (void)puts("still here");
        return read(STDIN_FILENO, &zero, 1) == 1 && zero == 0 ? GOOD_STATUS
                                                              : GR_EFAIL;
    }
    if (argc > 1) {
        return 0;
    }
    const ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (n <= 0) {
        return GR_EIO;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_ones_become_dev_null),
        cmocka_unit_test(open_ones_are_left_alone),
        cmocka_unit_test(without_dev_null_there_is_no_program),
    };
    return cmocka_run_group_tests_name("process/descriptors", tests, NULL,
                                       NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "no-files") == 0) {
        return main_without_files(argc, argv, app);
    }
    return gr_main(argc, argv, app);
}
