/*
 * bench/net/other.c - the process at the other end: the same program, which
 * makes itself a node and waits. What it does is decided by who spawns there.
 *
 * The two share a socket that nobody else can open. Over it the secret goes one
 * way and the address the other; its end ends the process, whatever became of
 * its starter.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/net/net.h"

enum { STOP_MS = 10000 };

/* What is told first; both are the same binary. */
typedef struct order {
    uint8_t secret[NET_SECRET_SIZE];
    char listen[NET_ADDRESS_MAX];
    net_tls tls;
    unsigned workers;
} order;

/* ---- whole structs over the socket --------------------------------------- */

static int write_all(int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        const ssize_t some = send(fd, at, n, MSG_NOSIGNAL);
        if (some < 0 && errno != EINTR) {
            return GR_EIO;
        }
        at += some > 0 ? some : 0;
        n -= some > 0 ? (size_t)some : 0;
    }
    return 0;
}

static int read_all(int fd, void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        const ssize_t some = recv(fd, at, n, 0);
        if (some == 0 || (some < 0 && errno != EINTR)) {
            return GR_EIO;
        }
        at += some > 0 ? some : 0;
        n -= some > 0 ? (size_t)some : 0;
    }
    return 0;
}

/* ---- who starts it ------------------------------------------------------- */

static int failed(const char *what)
{
    (void)fprintf(stderr, "greenroom-bench-net: %s\n", what);
    return GR_EIO;
}

/* A folder that only this user can enter. */
static int make_folder(net_other *other)
{
    const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    int n = snprintf(other->folder, sizeof other->folder,
                     "%s/greenroom-bench-XXXXXX",
                     tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
    if (n < 0 || (size_t)n >= sizeof other->folder ||
        mkdtemp(other->folder) == NULL) {
        other->folder[0] = '\0';
        return failed("no folder can be made under TMPDIR");
    }
    return 0;
}

/* Where the node is to listen, and what it needs for that. */
static int make_address(net_other *other, net_transport transport, order *first)
{
    if (transport != NET_IPC) {
        (void)snprintf(first->listen, sizeof first->listen, "%s",
                       transport == NET_TLS ? "tls+tcp://127.0.0.1:0"
                                            : "tcp://127.0.0.1:0");
    }
    if (transport == NET_TCP) {
        return 0;
    }
    GR_TRY(make_folder(other));
    if (transport == NET_TLS) {
        const int rc = net_tls_make(&other->tls, other->folder);
        first->tls = other->tls;
        return rc == 0 ? 0
                       : failed("no certificate can be made (is openssl "
                                "installed?)");
    }
    const int n = snprintf(first->listen, sizeof first->listen, "ipc://%s/node",
                           other->folder);
    return n > 0 && (size_t)n < sizeof first->listen
               ? 0
               : failed("the path of TMPDIR is too long for a socket");
}

static int start_process(net_other *other, int theirs)
{
    char name[] = "greenroom-bench-net";
    char argument[] = NET_OTHER_ARGUMENT;
    char *const argv[] = {name, argument, NULL};
    char path[PATH_MAX];
    posix_spawn_file_actions_t files;
    /* By its path: under valgrind the link itself leads to valgrind. */
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0 || posix_spawn_file_actions_init(&files) != 0) {
        return failed("the other end cannot be started");
    }
    path[n] = '\0';
    int rc = posix_spawn_file_actions_adddup2(&files, theirs, NET_OTHER_FD);
    if (rc == 0) {
        rc = posix_spawn(&other->pid, path, &files, NULL, argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return rc == 0 ? 0 : failed("the other end cannot be started");
}

/* The folder is there to be removed, whatever fails. */
static void remove_folder(net_other *other)
{
    if (other->folder[0] != '\0') {
        char path[NET_ADDRESS_MAX + sizeof "/node"];
        net_tls_remove(&other->tls);
        (void)snprintf(path, sizeof path, "%s/node", other->folder);
        (void)unlink(path); /* of an end that was killed */
        (void)rmdir(other->folder);
    }
}

int net_other_start(net_other *other, net_transport transport, unsigned workers)
{
    order first = {.workers = workers};
    int ends[2];
    *other = (net_other){.fd = -1};
    if (getrandom(first.secret, sizeof first.secret, 0) !=
        (ssize_t)sizeof first.secret) {
        return failed("no random bytes");
    }
    memcpy(other->secret, first.secret, sizeof first.secret);
    int rc = make_address(other, transport, &first);
    if (rc == 0 &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        rc = failed("no socket");
    }
    if (rc < 0) {
        remove_folder(other);
        return rc;
    }
    other->fd = ends[0];
    rc = start_process(other, ends[1]);
    (void)close(ends[1]);
    if (rc == 0) {
        rc = write_all(other->fd, &first, sizeof first);
    }
    if (rc == 0) {
        rc = read_all(other->fd, other->address, sizeof other->address);
    }
    if (rc < 0) {
        (void)net_other_stop(other); /* it has said what is wrong */
    }
    return rc;
}

int net_other_stop(net_other *other)
{
    int status = 0;
    (void)close(other->fd);
    while (other->pid > 0 && waitpid(other->pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return failed("waiting for the other end failed");
        }
    }
    remove_folder(other);
    if (status != 0) {
        (void)fprintf(stderr,
                      "greenroom-bench-net: the other end failed (status %d)\n",
                      status);
        return GR_EFAIL;
    }
    return 0;
}

/* ---- the process itself -------------------------------------------------- */

/* A node until the socket ends. */
static int serve(gr_actor *self, const order *first)
{
    char address[NET_ADDRESS_MAX] = "";
    char more;
    gr_node_opts opts = {
        .name = "far",
        .listen = first->listen,
        .secret = {(const char *)first->secret, NET_SECRET_SIZE},
        .spawnable = net_spawnable};
    net_tls_use(&first->tls, &opts);
    GR_TRY(gr_node_start(self, &opts));
    GR_TRY(gr_node_address(self, address, sizeof address));
    GR_TRY(write_all(NET_OTHER_FD, address, sizeof address));
    return read_all(NET_OTHER_FD, &more, 1) < 0 ? 0 : GR_EFAIL;
}

static int serve_in_system(const order *first)
{
    gr_system *sys;
    gr_actor *self;
    int rc =
        gr_system_start(&(gr_system_opts){.workers = first->workers}, &sys);
    if (rc < 0) {
        return rc;
    }
    rc = gr_thread_attach(sys, NULL, &self);
    if (rc == 0) {
        rc = serve(self, first);
        gr_thread_detach(self, 0);
    }
    const int stopped = gr_system_stop(sys, STOP_MS);
    return rc < 0 ? rc : stopped;
}

int net_other_main(void)
{
    order first;
    if (fcntl(NET_OTHER_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        read_all(NET_OTHER_FD, &first, sizeof first) < 0) {
        (void)fprintf(stderr, "greenroom-bench-net: " NET_OTHER_ARGUMENT
                              " is started by the program itself only\n");
        return BENCH_STATUS_USAGE;
    }
    const int rc = serve_in_system(&first);
    if (rc < 0) {
        (void)fprintf(stderr, "greenroom-bench-net: the other end: %s\n",
                      gr_strerror(rc));
        return BENCH_STATUS_FAILED;
    }
    return 0;
}
