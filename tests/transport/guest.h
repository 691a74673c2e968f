/*
 * tests/transport/guest.h - a node in a process of its own: this program, run
 * again as a guest. It says on its standard output where it listens, and then
 * what is wrong, a byte each; its standard input ends with the test.
 */
#ifndef TESTS_TRANSPORT_GUEST_H
#define TESTS_TRANSPORT_GUEST_H

#include "tests/transport/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

typedef struct guest {
    pid_t pid;
    int in, out; /* its standard input and output */
    char address[128];
} guest;

/* ---- in the guest -------------------------------------------------------- */

static inline bool is_guest(int argc, char **argv)
{
    return argc == 4 && strcmp(argv[1], "guest") == 0;
}

/* Tells the test. */
static inline void guest_say(const char *text)
{
    GR_IGNORE((int)write(STDOUT_FILENO, text, strlen(text)), "it would hang");
}

/* A system that is a node as its arguments say: name and address. */
static inline int guest_begin(char **argv, const gr_node_opts *more,
                              gr_system **sys, gr_actor **self)
{
    const gr_system_opts opts = {.workers = 2, .log_level = GR_LOG_ERROR};
    gr_node_opts node = more != NULL ? *more : (gr_node_opts){.name = NULL};
    char address[128];
    node.name = argv[2];
    node.listen = argv[3];
    node.secret = bytes_of(SECRET);
    GR_TRY(gr_system_start(&opts, sys));
    GR_TRY(gr_thread_attach(*sys, NULL, self));
    GR_TRY(gr_node_start(*self, &node));
    GR_TRY(gr_node_address(*self, address, sizeof address - 1));
    strcat(address, "\n"); /* NOLINT(clang-analyzer-security*): it fits */
    guest_say(address);
    return 0;
}

/* Until the test closes the guest, or ends. */
static inline void guest_wait(void)
{
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

/* ---- in the test --------------------------------------------------------- */

/* What a program is started as: its arguments, the last NULL. */
static inline void guest_run(guest *g, const char *const *args)
{
    int in[2], out[2];
    posix_spawn_file_actions_t files;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&files), 0);
    assert_int_equal(
        posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO), 0);
    assert_int_equal(
        posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawnp(&g->pid, args[0], &files, NULL,
                                  (char *const *)(uintptr_t)args, environ),
                     0);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(in[0]);
    (void)close(out[1]);
    g->in = in[1];
    g->out = out[0];
}

/* Waits until it says where it listens. */
static inline void guest_await(guest *g)
{
    size_t n = 0;
    while (n == 0 || g->address[n - 1] != '\n') {
        assert_true(n < sizeof g->address);
        assert_int_equal(read(g->out, g->address + n, 1), 1);
        n++;
    }
    g->address[n - 1] = '\0';
}

/* Does not wait until it listens. */
static inline void guest_start(guest *g, const char *name, const char *listen)
{
    const char *const args[] = {"/proc/self/exe", "guest", name, listen, NULL};
    guest_run(g, args);
}

/* What it had to complain of: nothing. */
static inline void guest_is_content(const guest *g)
{
    char byte = 0;
    struct pollfd fd = {.fd = g->out, .events = POLLIN};
    if (poll(&fd, 1, 0) > 0 && read(g->out, &byte, 1) == 1) {
        fail_msg("the guest says: %c...", byte);
    }
}

/* Ends it by that signal; 0: by the end of its input. */
static inline void guest_end(guest *g, int signal)
{
    int status = 0;
    if (signal != 0) {
        assert_int_equal(kill(g->pid, signal), 0);
    }
    (void)close(g->in);
    assert_int_equal(waitpid(g->pid, &status, 0), g->pid);
    if (signal == 0) {
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    } else {
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    }
    guest_is_content(g);
    (void)close(g->out);
}

#endif /* TESTS_TRANSPORT_GUEST_H */
