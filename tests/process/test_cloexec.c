/*
 * Goal:   nothing that a program has open reaches its launcher or a child node,
 *         and nothing of the library reaches what they, or the program,
 * execute. Method: the program leaves descriptors open without close-on-exec,
 * as careless libraries do, and looks for them in /proc. What the program and a
 *         child node execute lists its own descriptors.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "tests/process/nodes.h"

enum { HIGH = 200 };

/* What `ls` sees: the folder that it reads is its own. */
static int list(char *out, size_t size)
{
    /* NOLINTNEXTLINE(cert-env33-c,android-cloexec-popen) */
    FILE *pipe = popen("exec ls /proc/self/fd", "r");
    if (pipe == NULL) {
        return GR_EIO;
    }
    const size_t n = fread(out, 1, size - 1, pipe);
    out[n] = '\0';
    return pclose(pipe) == 0 ? 0 : GR_EFAIL;
}

static int node_app(gr_actor *self, int argc, char **argv)
{
    const gr_msg *msg;
    char text[256];
    (void)argc;
    (void)argv;
    GR_TRY(gr_register(self, "app"));
    for (;;) {
        GR_TRY(gr_receive(self, GR_FOREVER, &msg));
        if (gr_match(msg, "list")) {
            GR_TRY(list(text, sizeof(text)));
            GR_TRY(gr_reply(self, msg, "listed", (const char *)text));
        }
    }
}

/* Fills `text` with what the process has open, and asserts that nothing of it
 * is `never`. Returns how many. */
static int assert_without(int pid, const char *never, char *text, size_t size)
{
    char path[64];
    int found = 0;
    size_t at = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        char link[512];
        if (e->d_name[0] == '.') {
            continue;
        }
        const ssize_t n =
            readlinkat(dirfd(folder), e->d_name, link, sizeof(link) - 1);
        if (n < 0) {
            continue; /* closed meanwhile */
        }
        link[n] = '\0';
        if (strstr(link, never) != NULL) {
            print_message("process %d has %s open\n", pid, link);
            fail();
        }
        at +=
            (size_t)snprintf(text + at, size - at, "%s %s\n", e->d_name, link);
        assert_true(at < size);
        found++;
    }
    (void)closedir(folder);
    return found;
}

static int parent_of(int pid)
{
    char path[64];
    int parent = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    /* A child node's program name has no blank and no bracket. The kernel's own
     * numbers fit. NOLINTNEXTLINE(cert-err34-c) */
    assert_int_equal(fscanf(file, "%*d %*s %*c %d", &parent), 1);
    (void)fclose(file);
    return parent;
}

static void nothing_is_inherited(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    char marker[] = "/tmp/gr-test-marker-XXXXXX";
    char text[8192];
    gr_ref ref;
    gr_str listed;
    const int low = mkstemp(marker); /* without O_CLOEXEC */
    const int high = fcntl(low, F_DUPFD, HIGH);
    assert_true(low >= 0);
    assert_true(high >= HIGH);
    enable(self);
    (void)start(self, "one", &ref);
    const gr_node node = await_node(self, "one", true);
    (void)start(self, "two", &ref); /* with a first one there */
    (void)await_node(self, "two", true);
    const int pid = process_of(self, "two");

    (void)assert_without(pid, marker, text, sizeof(text));
    const int launcher = parent_of(pid);
    assert_true(launcher != getpid());
    const int n = assert_without(launcher, marker, text, sizeof(text));
    /* Standard input, output and error, its socket and its signals; perhaps the
     * counter of the kernel's kills. */
    assert_in_range(n, 5, 6);
    assert_non_null(strstr(text, "3 socket:"));
    assert_non_null(strstr(text, "[signalfd]"));
    assert_true(n == 5 || strstr(text, "memory.") != NULL);

    /* What a child node executes. */
    assert_int_equal(gr_call(self, app_of(self, node), LONG_MS,
                             gr_expect("listed", &listed), "list"),
                     0);
    (void)snprintf(text, sizeof(text), "%.*s", GR_STR(listed));
    assert_string_equal(text, "0\n1\n2\n3\n");

    /* What the program executes, without its own two. */
    (void)close(low);
    (void)close(high);
    assert_int_equal(list(text, sizeof(text)), 0);
    assert_string_equal(text, "0\n1\n2\n3\n");
    assert_int_equal(unlink(marker), 0);
}

static int app(gr_actor *self, int argc, char **argv)
{
    (void)self;
    (void)argc;
    (void)argv;
    const struct CMUnitTest tests[] = {
        NODE_TEST(nothing_is_inherited),
    };
    return cmocka_run_group_tests_name("process/cloexec", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    /* What ctest and its kin leave open is not ours to judge. */
    if (argc == 1) {
        closefrom(STDERR_FILENO + 1);
    }
    return gr_main_with(
        argc, argv,
        &(gr_main_opts){.app = app, .node_app = node_app, .system.workers = 1});
}
