/*
 * tests/process/launches.h - a launcher for each test, small programs that it
 * starts, and waiting for what it tells of them.
 */
#ifndef TESTS_PROCESS_LAUNCHES_H
#define TESTS_PROCESS_LAUNCHES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/launcher.h"

/* What one process told. */
typedef struct record {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    gri_process_event event; /* the last */
    int events;
    int pid; /* 0 until it has started */
    bool ended;
    bool hold; /* the callback waits while this is set */
} record;

#define RECORD_INIT                                                            \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER \
    }

static inline void on_event(void *arg, const gri_process_event *event)
{
    record *r = arg;
    (void)pthread_mutex_lock(&r->lock);
    r->event = *event;
    r->events++;
    if (event->kind == GRI_PROCESS_STARTED) {
        r->pid = event->code;
    } else {
        r->ended = true;
    }
    (void)pthread_cond_broadcast(&r->changed);
    while (r->hold) {
        (void)pthread_cond_wait(&r->changed, &r->lock);
    }
    (void)pthread_mutex_unlock(&r->lock);
}

static inline int await_start(record *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (r->pid == 0 && !r->ended) {
        (void)pthread_cond_wait(&r->changed, &r->lock);
    }
    const int pid = r->pid;
    (void)pthread_mutex_unlock(&r->lock);
    return pid;
}

static inline gri_process_event await_end(record *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (!r->ended) {
        (void)pthread_cond_wait(&r->changed, &r->lock);
    }
    const gri_process_event event = r->event;
    (void)pthread_mutex_unlock(&r->lock);
    return event;
}

static gri_log test_log;
static int lines; /* the launcher's, then read behind its event */

static inline void count_lines(void *arg, gr_log_level level, const char *line)
{
    (void)arg;
    (void)line;
    lines += level == GR_LOG_ERROR;
}

static inline int setup(void **state)
{
    gri_launcher *launcher = NULL;
    gri_log_init(&test_log, NULL, NULL, GR_LOG_ERROR);
    assert_int_equal(gri_launcher_new(&test_log, &launcher), 0);
    *state = launcher;
    return 0;
}

static inline int teardown(void **state)
{
    gri_launcher *launcher = *state;
    if (launcher != NULL) {
        launcher->ops->stop(launcher, 0);
    }
    /* Not even a zombie is left. */
    siginfo_t info;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
    return 0;
}

static inline gri_process start(gri_launcher *launcher, const char *script,
                                int control, record *r)
{
    char sh[] = "sh";
    char c[] = "-c";
    char text[256];
    assert_true(strlen(script) < sizeof(text));
    (void)stpcpy(text, script);
    char *argv[] = {sh, c, text, NULL};
    gri_process process = {0};
    assert_int_equal(launcher->ops->start(launcher,
                                          &(gri_launch){
                                              .path = "/bin/sh",
                                              .argv = argv,
                                              .control = control,
                                              .fn = on_event,
                                              .arg = r,
                                          },
                                          &process),
                     0);
    assert_true(process.id != 0);
    return process;
}

/* Runs script and reads all that it writes into descriptor 3. */
static inline void run(gri_launcher *launcher, const char *script, char *out,
                       size_t size)
{
    int ends[2];
    record r = RECORD_INIT;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    (void)start(launcher, script, ends[1], &r);
    size_t at = 0;
    for (;;) {
        assert_true(at < size);
        const ssize_t n = read(ends[0], out + at, size - at);
        assert_true(n >= 0);
        if (n == 0) {
            break;
        }
        at += (size_t)n;
    }
    assert_true(at < size);
    out[at] = '\0';
    (void)close(ends[0]);
    const gri_process_event end = await_end(&r);
    assert_int_equal(end.kind, GRI_PROCESS_EXITED);
    assert_int_equal(end.code, 0);
    assert_int_equal(r.events, 2); /* started, exited */
}

/* A number of the process's stat: 1 is its parent, 2 its group, 3 its session.
 * 0: there is no such process. */
static inline int stat_of(int pid, int which)
{
    char path[64];
    char text[512];
    int number[4] = {0};
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    const size_t n = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[n] = '\0';
    const char *name_end = strrchr(text, ')');
    /* The kernel's own numbers fit. NOLINTNEXTLINE(cert-err34-c) */
    if (name_end == NULL || sscanf(name_end, ") %*c %d %d %d", &number[1],
                                   &number[2], &number[3]) != 3) {
        return 0;
    }
    return number[which];
}

static inline int launcher_of(int pid)
{
    const int launcher = stat_of(pid, 1);
    assert_true(launcher > 1);
    assert_int_equal(stat_of(launcher, 1), getpid());
    return launcher;
}

/* Returns when that process has ended, reaped or not. Who was ours to reap is
 * reaped at once; whose parent was killed waits for the system's first process,
 * which may take its time. */
static inline void await_dead(int pid)
{
    struct pollfd gone = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    if (gone.fd < 0) {
        assert_int_equal(errno, ESRCH);
        return;
    }
    assert_int_equal(poll(&gone, 1, -1), 1);
    (void)close(gone.fd);
}

/* Returns when there is no such process, not even a dead one. */
static inline void await_no_process(int pid)
{
    await_dead(pid);
    while (kill(pid, 0) == 0) {
        (void)sched_yield();
    }
    assert_int_equal(errno, ESRCH);
}

#define LAUNCHER_TEST(name)                                                    \
    cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif /* TESTS_PROCESS_LAUNCHES_H */
