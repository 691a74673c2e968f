/*
 * Goal:   a child node's arguments are checked; its secret and its socket are
 *         seen by nobody.
 * Method: as in test_child_node.c; the children here only wait.
 */
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/process/nodes.h"

/* ---- what it may not be ------------------------------------------------- */

static void wrong_arguments_are_an_error(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    char long_name[GR_NODE_NAME_MAX + 2];
    memset(long_name, 'x', sizeof(long_name));
    long_name[GR_NODE_NAME_MAX + 1] = '\0';
    enable(self);
    const gr_values wrong[] = {gr_args("one"),
                               gr_args("", 1),
                               gr_args("one", "two"),
                               gr_args("one", -1),
                               gr_args("one", GR_WORKERS_MAX + 1),
                               gr_args(gr_strn("a\0b", 3), 1),
                               gr_args((const char *)long_name, 1)};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        gr_ref ref = {0};
        assert_int_equal(
            gr_spawn(self, &gr_child_node_behavior,
                     &(gr_spawn_opts){.args = wrong[i], .monitor = &ref}, NULL),
            0);
        const gr_exit_reason why = await_down(self, ref);
        assert_int_equal(why.kind, GR_EXIT_ERROR);
        assert_int_equal(why.code, GR_EINVAL);
    }
}

static void a_name_belongs_to_one_proxy(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref first;
    gr_ref second;
    enable(self);
    (void)start(self, "one", &first);
    (void)await_node(self, "one", true);
    const int pid = process_of(self, "one");

    (void)start(self, "one", &second);

    const gr_exit_reason why = await_down(self, second);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EEXIST);
    assert_int_equal(process_of(self, "one"), pid); /* unharmed */
}

static void without_enable_there_are_no_children(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref = {0};
    int pid = 0;

    (void)start(self, "one", &ref);

    const gr_exit_reason why = await_down(self, ref);
    assert_int_equal(why.kind, GR_EXIT_ERROR);
    assert_int_equal(why.code, GR_EINVAL);
    assert_int_equal(gr_child_node_process(self, "one", &pid), GR_ENOENT);
}

static void enabling_twice_is_an_error(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref = {0};
    enable(self);

    assert_int_equal(gr_child_nodes_enable(self, "parent"), GR_EINVAL);
    assert_int_equal(gr_child_nodes_enable(self, ""), GR_EINVAL);

    (void)start(self, "one", &ref); /* and does no harm */
    (void)await_node(self, "one", true);
}

static void an_unknown_child_has_no_process(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    int pid = 0;
    enable(self);

    assert_int_equal(gr_child_node_process(self, "none", &pid), GR_ENOENT);
    assert_int_equal(pid, 0);
}

/* Starts this program as a child node with that control descriptor, and reads
 * what it says. Returns its exit status. */
static int run_child(int control, char *text, size_t size)
{
    posix_spawn_file_actions_t files;
    int ends[2];
    int status = 0;
    size_t at = 0;
    pid_t pid = 0;
    char name[] = "child";
    char marker[] = "--greenroom-child-node";
    char number[] = "3";
    char *argv[] = {name, marker, number, name, NULL};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    assert_int_equal(
        posix_spawn_file_actions_adddup2(&files, ends[1], STDERR_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&files, control, 3), 0);
    assert_int_equal(
        posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(ends[1]);
    for (ssize_t n; (n = read(ends[0], text + at, size - 1 - at)) > 0;) {
        at += (size_t)n;
    }
    text[at] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void by_hand_it_says_that_it_is_not_for_that(void **state)
{
    char text[512];
    (void)state;
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(null >= 0);

    assert_int_equal(run_child(null, text, sizeof(text)), 2);

    assert_non_null(strstr(text, "for the program's own use"));
    (void)close(null);
}

static void a_parent_that_failed_is_left_quietly(void **state)
{
    char text[512];
    int ends[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    (void)close(ends[0]);

    assert_int_equal(run_child(ends[1], text, sizeof(text)), 1);

    assert_string_equal(text, "");
    (void)close(ends[1]);
}

/* ---- what is seen of it ------------------------------------------------- */

static size_t slurp(int pid, const char *what, char *buf, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    const size_t n = fread(buf, 1, size, file);
    assert_true(n < size);
    (void)fclose(file);
    return n;
}

static void argv_and_environ_hold_no_secret(void **state)
{
    static char environment[1 << 18];
    char arguments[4096];
    gr_actor *self = ((fixture *)*state)->self;
    gr_ref ref = {0};
    enable(self);
    (void)start(self, "one", &ref);
    (void)await_node(self, "one", true);
    const int pid = process_of(self, "one");

    /* Exactly four words, all known; exactly the parent's environment, and a
     * number. So nothing else, whatever its encoding, can be in them. */
    const size_t n = slurp(pid, "cmdline", arguments, sizeof(arguments));
    char expected[4096];
    const int len = snprintf(expected, sizeof(expected),
                             "%s%c--greenroom-child-node%c3%cone",
                             program_invocation_name, 0, 0, 0);
    assert_int_equal(n, len + 1);
    assert_memory_equal(arguments, expected, (size_t)len + 1);
    const size_t total =
        slurp(pid, "environ", environment, sizeof(environment));
    size_t at = 0;
    for (char **e = environ; *e != NULL; e++) {
        assert_true(at < total);
        assert_string_equal(environment + at, *e);
        at += strlen(*e) + 1;
    }
    int starter = 0;
    int length = 0;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it, or we did */
    assert_int_equal(sscanf(environment + at, "GREENROOM_STARTED_BY=%d%n",
                            &starter, &length),
                     1);
    assert_int_equal(at + (size_t)length + 1, total);
}

static void the_folder_is_private(void **state)
{
    const fixture *f = *state;
    int found = 0;
    enable(f->self);

    DIR *base = opendir(f->base);
    assert_non_null(base);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
    for (struct dirent *e; (e = readdir(base)) != NULL;) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            char path[512];
            (void)snprintf(path, sizeof(path), "%s/%s", f->base, e->d_name);
            struct stat status;
            assert_int_equal(stat(path, &status), 0);
            assert_int_equal(status.st_mode & 07777, 0700);
            found++;
        }
    }
    (void)closedir(base);
    assert_int_equal(found, 1);
}

static int tests_app(gr_actor *self, int argc, char **argv)
{
    (void)self;
    (void)argc;
    (void)argv;
    const struct CMUnitTest tests[] = {
        NODE_TEST(wrong_arguments_are_an_error),
        NODE_TEST(a_name_belongs_to_one_proxy),
        NODE_TEST(without_enable_there_are_no_children),
        NODE_TEST(enabling_twice_is_an_error),
        NODE_TEST(an_unknown_child_has_no_process),
        cmocka_unit_test(by_hand_it_says_that_it_is_not_for_that),
        cmocka_unit_test(a_parent_that_failed_is_left_quietly),
        NODE_TEST(argv_and_environ_hold_no_secret),
        NODE_TEST(the_folder_is_private),
    };
    return cmocka_run_group_tests_name("process/child_rules", tests, NULL,
                                       NULL);
}

int main(int argc, char **argv)
{
    return gr_main_with(argc, argv,
                        &(gr_main_opts){.app = tests_app, .system.workers = 1});
}
