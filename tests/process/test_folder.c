/*
 * Goal:   a folder is its owner's alone and is gone with it; one whose owner
 *         was killed is removed by the next program, one that is lived in is
 *         not, nor is anybody else's.
 * Method: a base folder of the test's own. A killed owner is a process that
 *         ends without gri_folder_fini.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <fcntl.h>
#include <greenroom/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/folder.h"

static int setup(void **state)
{
    static char base[64];
    (void)snprintf(base, sizeof(base), "/tmp/gr-test-folder-XXXXXX");
    assert_non_null(mkdtemp(base));
    *state = base;
    return 0;
}

/* The base is empty again: the test, or its folders, left nothing. */
static int teardown(void **state)
{
    return rmdir(*state);
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static void put_file(const char *folder, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static void a_folder_is_private_and_goes_with_its_socket(void **state)
{
    gri_folder folder = {.lock = -1};
    struct stat status;

    assert_int_equal(gri_folder_init_in(&folder, *state), 0);

    assert_int_equal(stat(folder.path, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(status.st_uid, geteuid());
    put_file(folder.path, GRI_FOLDER_SOCKET);
    gri_folder_fini(&folder);
    assert_false(exists(folder.path));
}

static void put_socket(const char *folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s",
                           folder, GRI_FOLDER_SOCKET);
    assert_in_range(n, 1, sizeof(address.sun_path) - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&address,
                          sizeof(address)),
                     0);
    assert_int_equal(close(fd), 0);
}

static void two_live_side_by_side(void **state)
{
    gri_folder a = {.lock = -1};
    gri_folder b = {.lock = -1};

    assert_int_equal(gri_folder_init_in(&a, *state), 0);
    assert_int_equal(gri_folder_init_in(&b, *state), 0); /* sweeps, too */

    assert_true(exists(a.path));
    assert_true(exists(b.path));
    assert_string_not_equal(a.path, b.path);
    gri_folder_fini(&a);
    gri_folder_fini(&b);
}

static void what_a_killed_program_left_is_removed(void **state)
{
    gri_folder left = {.path = ""};
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        gri_folder folder = {.lock = -1};
        const int rc = gri_folder_init_in(&folder, *state);
        _exit(rc == 0 && write(ends[1], &folder, sizeof(folder)) ==
                             (ssize_t)sizeof(folder)
                  ? 0
                  : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], &left, sizeof(left)), sizeof(left));
    put_socket(left.path);
    assert_true(exists(left.path));

    gri_folder folder = {.lock = -1};
    assert_int_equal(gri_folder_init_in(&folder, *state), 0);

    assert_false(exists(left.path));
    gri_folder_fini(&folder);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void what_is_not_ours_stays(void **state)
{
    char link[256];
    char full[256];
    char other[256];
    (void)snprintf(link, sizeof(link), "%s/.greenroom-nodes-linked",
                   (char *)*state);
    (void)snprintf(full, sizeof(full), "%s/.greenroom-nodes-filled",
                   (char *)*state);
    (void)snprintf(other, sizeof(other), "%s/greenroom", (char *)*state);
    assert_int_equal(symlink(other, link), 0); /* a trap */
    assert_int_equal(mkdir(other, 0700), 0);
    put_file(other, GRI_FOLDER_SOCKET);
    assert_int_equal(mkdir(full, 0700), 0); /* ours by name, but in use */
    put_file(full, "precious");
    char file[256]; /* ours by name, but what it holds is no socket */
    (void)snprintf(file, sizeof(file), "%s/.greenroom-nodes-afile0",
                   (char *)*state);
    assert_int_equal(mkdir(file, 0700), 0);
    put_file(file, GRI_FOLDER_SOCKET);

    gri_folder folder = {.lock = -1};
    assert_int_equal(gri_folder_init_in(&folder, *state), 0);
    gri_folder_fini(&folder);

    assert_true(exists(link));
    char path[300];
    (void)snprintf(path, sizeof(path), "%s/%s", other, GRI_FOLDER_SOCKET);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/precious", full);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(link), 0);
    (void)snprintf(path, sizeof(path), "%s/%s", file, GRI_FOLDER_SOCKET);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(file), 0);
    assert_int_equal(rmdir(other), 0);
    assert_int_equal(rmdir(full), 0);
}

static void a_bad_base_is_an_error(void **state)
{
    gri_folder folder = {.lock = -1};
    char base[200];
    (void)state;
    memset(base, 'x', sizeof(base));
    base[0] = '/';
    base[sizeof(base) - 1] = '\0';

    assert_int_equal(gri_folder_init_in(&folder, "/nonexistent"), GR_EIO);
    assert_int_equal(gri_folder_init_in(&folder, base), GR_EIO);
}

static void the_runtime_folder_comes_first(void **state)
{
    gri_folder folder = {.lock = -1};
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", *state, 1), 0);
    assert_int_equal(gri_folder_init(&folder), 0);
    assert_int_equal(strncmp(folder.path, *state, strlen(*state)), 0);
    gri_folder_fini(&folder);

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/nonexistent", 1), 0);
    assert_int_equal(gri_folder_init(&folder), 0);
    assert_int_equal(strncmp(folder.path, "/tmp/", 5), 0);
    gri_folder_fini(&folder);
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_folder_is_private_and_goes_with_its_socket),
        FOLDER_TEST(two_live_side_by_side),
        FOLDER_TEST(what_a_killed_program_left_is_removed),
        FOLDER_TEST(what_is_not_ours_stays),
        FOLDER_TEST(a_bad_base_is_an_error),
        FOLDER_TEST(the_runtime_folder_comes_first),
    };
    return cmocka_run_group_tests_name("process/folder", tests, NULL, NULL);
}
