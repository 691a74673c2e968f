/* process/launcher_remote.c - the launcher's process, as its parent begins and
 * ends it. */
#include "process/launcher_remote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/divert.h"
#include "process/launcher_wire.h"
#include "process/spawn.h"

/* Processes live in real time, also in deterministic mode. */
static const gri_clock real_clock = {.is_virtual = false};

/* The environment and one more variable, in one block. NULL: no memory. */
static char **environment_with(const char *variable)
{
    size_t n = 0;
    while (environ[n] != NULL) {
        n++;
    }
    char **env = calloc(n + 2, sizeof(*env));
    if (env != NULL) {
        memcpy(env, environ, n * sizeof(*env));
        /* What posix_spawn takes is not const, but it only reads it. */
        env[n] = (char *)(uintptr_t)variable;
    }
    return env;
}

/* Returns 0 or an errno. */
static int spawn_launcher(int control, pid_t *pid)
{
    char number[16];
    char starter[16];
    char variable[sizeof(GRI_STARTED_BY) + 16];
    char marker[] = GRI_LAUNCHER_MARKER;
    char *argv[] = {program_invocation_name, marker, number, starter, NULL};
    (void)snprintf(number, sizeof(number), "%d", GRI_CONTROL_FD);
    (void)snprintf(starter, sizeof(starter), "%d", getpid());
    (void)snprintf(variable, sizeof(variable), GRI_STARTED_BY "=%s", starter);
    char **env = environment_with(variable);
    if (env == NULL) {
        return ENOMEM;
    }
    gri_spawn spawn = {
        .path = "/proc/self/exe", .argv = argv, .env = env, .control = control};
    /* From its first moment nothing but SIGKILL ends it unawares. */
    (void)sigfillset(&spawn.blocked);
    const int rc = gri_spawn_process(&spawn, pid);
    free(env);
    return rc;
}

/* Returns 0 or an errno. */
static int begin(gri_launcher_remote *out)
{
    int ends[2];
    pid_t pid = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno;
    }
    int pidfd = -1;
    int rc = spawn_launcher(ends[1], &pid);
    (void)close(ends[1]);
    if (rc == 0) {
        pidfd = pidfd_open(pid, 0);
        rc = pidfd < 0 ? errno : 0;
        if (rc != 0 && rc != ESRCH) { /* not reaped behind our back */
            siginfo_t info;
            (void)kill(pid, SIGKILL);
            (void)waitid(P_PID, (id_t)pid, &info, WEXITED);
        }
    }
    if (rc != 0) {
        (void)close(ends[0]);
        return rc;
    }
    *out = (gri_launcher_remote){.socket = ends[0], .pidfd = pidfd};
    return 0;
}

int gri_launcher_begin(const gri_log *log, gri_launcher_remote *out)
{
    const int rc = begin(out);
    if (rc != 0) {
        gri_log_write(log, GR_LOG_ERROR,
                      "cannot start the launcher process: error %d", rc);
        return gri_spawn_error(rc);
    }
    return 0;
}

bool gri_await_end(int pidfd, int64_t until_ns)
{
    struct pollfd polled = {.fd = pidfd, .events = POLLIN};
    int rc;
    do {
        const int64_t left_ms =
            (until_ns - gri_clock_ns(&real_clock)) / GRI_NS_PER_MS;
        rc = poll(&polled, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (rc < 0 && errno == EINTR);
    return rc > 0;
}

void gri_launcher_kill(const gri_launcher_remote *remote)
{
    (void)pidfd_send_signal(remote->pidfd, SIGKILL, NULL, 0);
    (void)gri_await_end(remote->pidfd, gri_deadline(&real_clock, GRI_REAP_MS));
}

int gri_launcher_end(gri_launcher_remote *remote, int64_t grace_ms)
{
    siginfo_t info;
    if (remote->socket < 0) {
        return -1;
    }
    (void)close(remote->socket);
    if (!gri_await_end(remote->pidfd, gri_deadline(&real_clock, grace_ms))) {
        gri_launcher_kill(remote);
    }
    int left = remote->pidfd;
    if (gri_await_end(left, 0)) {
        /* Fails if the program has taken its status, and needs no reaping. */
        (void)waitid(P_PIDFD, (id_t)left, &info, WEXITED | WNOHANG);
        (void)close(left);
        left = -1;
    }
    *remote = (gri_launcher_remote){.socket = -1, .pidfd = -1};
    return left;
}
