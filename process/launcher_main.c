/*
 * process/launcher_main.c - the launcher, as its own process sees it.
 *
 * One thread, no actors, nothing but what is in this file: it must not fail,
 * as all its processes die with it. What it keeps is bounded: a process's place
 * is free again when its end has been sent, and the program keeps to
 * GRI_PROCESSES_MAX at a time. Whoever says what makes no sense is not that
 * program any more, and the launcher ends as if it were dead.
 *
 * It is a subreaper: whatever its processes start and leave behind becomes its
 * child. With each end it kills
 *   - the group of the process that ended, before it is reaped: until then the
 *     number is nobody else's;
 *   - each child that it did not start itself and that is in no living
 *     process's group: it has left its own, and whose it was is gone. As a
 * child of this process it is reaped here alone, so its number is safe, too.
 * Each of them ends as well, and so on until there are none.
 */
#include "process/launcher_main.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process/divert.h"
#include "process/launcher_wire.h"
#include "process/oom.h"
#include "process/spawn.h"

/* What it may take to kill all when the program is gone. */
#define PARTING_S 1

/* Requests that are served before it looks again who has ended: a start takes
 * as long as the other process until it executes. */
enum { REQUESTS = 8 };

enum { STATUS_FAILED = 1 };

/* The children of the calling thread, which is all there are. */
#define CHILDREN_FILE "/proc/thread-self/children"

/* One process. */
typedef struct task {
    uint64_t id; /* 0: a free place */
    pid_t pid;
    int pidfd;    /* -1: not there, or sent */
    bool alive;   /* not reaped, so pid is its own */
    bool killed;  /* by us, so a SIGKILL has its reason */
    bool started; /* and that is still to be told */
    uint32_t end; /* a gri_report_kind that is still to be told; 0: none yet */
    int32_t code;
    int32_t detail;
    gri_oom_mark oom;
} task;

typedef struct launcher {
    int socket;
    int signals; /* a signalfd */
    bool full;   /* the socket takes no more for now */
    bool done;   /* the program is gone, or this process is told to go */
    gri_oom oom;
    unsigned places; /* how many of the following were ever used */
    task tasks[GRI_PROCESSES_MAX];
} launcher;

static task *find(launcher *l, uint64_t id)
{
    for (unsigned i = 0; i < l->places; i++) {
        if (l->tasks[i].id == id) {
            return &l->tasks[i];
        }
    }
    return NULL;
}

static task *find_process(launcher *l, pid_t pid)
{
    for (unsigned i = 0; i < l->places; i++) {
        if (l->tasks[i].alive && l->tasks[i].pid == pid) {
            return &l->tasks[i];
        }
    }
    return NULL;
}

static void close_pidfd(task *t)
{
    if (t->pidfd >= 0) {
        (void)close(t->pidfd);
        t->pidfd = -1;
    }
}

/* ---- telling ------------------------------------------------------------ */

/* False: not now, or never again. */
static bool say(launcher *l, const gri_report *report, int fd)
{
    int rc = gri_packet_send(l->socket, report, sizeof(*report), fd);
    if (rc == GR_ENOMEM && fd >= 0) {
        /* Too many descriptors on their way. It does without. */
        rc = gri_packet_send(l->socket, report, sizeof(*report), -1);
    }
    l->full = l->full || rc == GR_EAGAIN || rc == GR_ENOMEM;
    l->done = l->done || rc == GR_ENOCONN;
    return rc == 0;
}

/* Tells what is to be told of t; its place is free once its end is. */
static void tell(launcher *l, task *t)
{
    if (t->started) {
        const gri_report report = {
            .kind = GRI_REPORT_STARTED, .code = t->pid, .id = t->id};
        if (!say(l, &report, t->pidfd)) {
            return;
        }
        t->started = false;
        close_pidfd(t);
    }
    if (t->end != 0) {
        const gri_report report = {
            .kind = t->end, .code = t->code, .id = t->id, .detail = t->detail};
        if (say(l, &report, -1)) {
            *t = (task){.pidfd = -1};
        }
    }
}

static void tell_all(launcher *l)
{
    for (unsigned i = 0; i < l->places && !l->full && !l->done; i++) {
        if (l->tasks[i].id != 0) {
            tell(l, &l->tasks[i]);
        }
    }
}

/* ---- starting ----------------------------------------------------------- */

/* A free place, or NULL. */
static task *place(launcher *l)
{
    task *t = find(l, 0);
    if (t == NULL && l->places < GRI_PROCESSES_MAX) {
        t = &l->tasks[l->places++];
        *t = (task){.pidfd = -1};
    }
    return t;
}

/* A process that cannot be watched must not live. */
static void undo(pid_t pid)
{
    siginfo_t info;
    (void)kill(pid, SIGKILL);
    (void)waitid(P_PID, (id_t)pid, &info, WEXITED);
}

static void start(launcher *l, gri_request *r, int control)
{
    task *t = place(l);
    if (t == NULL || find(l, r->id) != NULL) {
        l->done = true; /* more than GRI_PROCESSES_MAX: not our program */
        return;
    }
    char *argv[GRI_LAUNCH_WORDS_MAX + 1];
    gri_spawn spawn = {.argv = argv,
                       .env = environ,
                       .control = control,
                       .blocked = r->blocked};
    gri_request_words(r, &spawn.path, argv);
    int rc = 0;
    pid_t pid = 0;
    if (r->has_control != 0 && control < 0) {
        rc = EMFILE; /* it came, but there is no room for it */
    } else {
        t->oom = gri_oom_begin(&l->oom);
        rc = gri_spawn_process(&spawn, &pid);
    }
    if (rc == 0) {
        t->pidfd = pidfd_open(pid, 0);
        if (t->pidfd < 0) {
            rc = errno;
            undo(pid);
        }
    }
    t->id = r->id;
    if (rc == 0) {
        t->pid = pid;
        t->alive = true;
        t->killed = false;
        t->started = true;
    } else {
        t->end = GRI_REPORT_FAILED;
        t->code = gri_spawn_error(rc);
        t->detail = rc;
    }
    tell(l, t);
}

/* Both: it may have left its group. */
static void kill_task(task *t)
{
    if (t->alive) {
        t->killed = true;
        (void)kill(t->pid, SIGKILL);
        (void)kill(-t->pid, SIGKILL);
    }
}

static void serve(launcher *l, gri_request_buffer *buffer, size_t n, int fd)
{
    gri_request *r = &buffer->request;
    if (!gri_request_ok(buffer, n) || (fd >= 0 && r->has_control == 0)) {
        l->done = true;
    } else if (r->kind == GRI_REQUEST_START) {
        start(l, r, fd);
    } else {
        task *t = find(l, r->id);
        if (t != NULL) { /* else it has just ended */
            kill_task(t);
        }
    }
}

static void receive(launcher *l)
{
    gri_request_buffer buffer;
    for (unsigned served = 0; served < REQUESTS && !l->done; served++) {
        int fd = -1;
        const ssize_t n =
            gri_packet_receive(l->socket, &buffer, sizeof(buffer), &fd);
        if (n == GR_EAGAIN) {
            return;
        }
        if (n < 0) {
            l->done = true;
            return;
        }
        serve(l, &buffer, (size_t)n, fd);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
}

/* ---- reaping ------------------------------------------------------------ */

static bool is_stray(launcher *l, pid_t pid)
{
    if (find_process(l, pid) != NULL) {
        return false;
    }
    const pid_t group = getpgid(pid);
    return l->done || group <= 0 || find_process(l, group) == NULL;
}

/* Kills the children that are nobody's. Without that file (a kernel built
 * without it, no /proc) those that left their group are missed. */
static void kill_strays(launcher *l)
{
    FILE *file = fopen(CHILDREN_FILE, "re");
    int pid = 0;
    if (file == NULL) {
        return;
    }
    while (fscanf(file, "%d", &pid) == 1) { /* NOLINT(cert-err34-c): kernel's */
        if (pid > 0 && is_stray(l, pid)) {
            (void)kill(pid, SIGKILL);
        }
    }
    (void)fclose(file);
}

/* t's process has ended, and was reaped: info says how. */
static void note_end(launcher *l, task *t, const siginfo_t *info)
{
    t->alive = false;
    t->code = info->si_status;
    if (info->si_code == CLD_EXITED) {
        t->end = GRI_REPORT_EXITED;
    } else {
        t->end = GRI_REPORT_SIGNALED;
        /* Who was killed by us leaves the rise to those that were not. */
        t->detail = info->si_status == SIGKILL && !t->killed &&
                    gri_oom_likely(&l->oom, &t->oom);
    }
}

/* Reaps all that have ended, and kills what those left. */
static void reap(launcher *l)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) != 0 ||
            info.si_pid == 0) {
            break;
        }
        task *t = find_process(l, info.si_pid);
        if (t != NULL) {
            (void)kill(-info.si_pid, SIGKILL); /* before its number is free */
        }
        (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
        if (t != NULL) {
            note_end(l, t, &info);
        }
        if (t != NULL && !l->done) {
            tell(l, t);
        }
    }
    kill_strays(l);
}

static void take_signals(launcher *l)
{
    struct signalfd_siginfo info;
    bool ended = false;
    while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        ended = ended || info.ssi_signo == SIGCHLD;
        l->done = l->done || info.ssi_signo == SIGTERM;
    }
    if (ended) {
        reap(l);
    }
}

/* ---- the process -------------------------------------------------------- */

/* Every signal is blocked, and those that matter are read. */
static bool begin(launcher *l)
{
    struct stat status;
    sigset_t all;
    sigset_t mine;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    (void)sigemptyset(&mine);
    (void)sigaddset(&mine, SIGCHLD);
    (void)sigaddset(&mine, SIGTERM);
    /* It is told of the program's death, so that it can kill what would not
     * die with it. Until now SIGKILL was asked for. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)prctl(PR_SET_NAME, "gr-launcher");
    l->socket = GRI_CONTROL_FD;
    l->signals = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fstat(l->socket, &status) != 0 || !S_ISSOCK(status.st_mode) ||
        fcntl(l->socket, F_SETFD, FD_CLOEXEC) != 0 || l->signals < 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        return false;
    }
    /* For those that it starts. It is its own starter no more. */
    char id[16];
    (void)snprintf(id, sizeof(id), "%d", getpid());
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread there ever is */
    return setenv(GRI_STARTED_BY, id, 1) == 0;
}

/* The kernel ends this process in PARTING_S: a process that cannot be killed
 * now is killed with it, whenever it can. */
static void arm_death(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGKILL};
    const struct itimerspec when = {.it_value = {.tv_sec = PARTING_S}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, NULL) != 0) {
        (void)raise(SIGKILL);
    }
}

static _Noreturn void end(launcher *l)
{
    arm_death();
    /* The program, if it lives, starts another and tells of the ends itself. */
    (void)close(l->socket);
    for (unsigned i = 0; i < l->places; i++) {
        kill_task(&l->tasks[i]);
    }
    kill_strays(l);
    siginfo_t info;
    while (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0) {
        reap(l);
    }
    exit(0); /* NOLINT(concurrency-mt-unsafe): the only thread there ever is */
}

_Noreturn void gri_launcher_main(void)
{
    launcher l = {.socket = -1};
    gri_oom_open(&l.oom);
    if (!begin(&l)) {
        exit(STATUS_FAILED); /* NOLINT(concurrency-mt-unsafe): as above */
    }
    const gri_report hello = {.kind = GRI_REPORT_HELLO,
                              .id = GRI_LAUNCHER_MAGIC};
    l.done = !say(&l, &hello, -1);
    while (!l.done) {
        struct pollfd polled[2] = {
            {.fd = l.signals, .events = POLLIN},
            {.fd = l.socket,
             .events = (short)(POLLIN | (l.full ? POLLOUT : 0))},
        };
        if (poll(polled, 2, -1) < 0) {
            continue; /* ENOMEM: in a moment again */
        }
        /* Ends first: a name may be free again for the next one. */
        if (polled[0].revents != 0) {
            take_signals(&l);
        }
        if ((polled[1].revents & POLLOUT) != 0) {
            l.full = false;
        }
        tell_all(&l);
        if ((polled[1].revents & ~POLLOUT) != 0) {
            receive(&l);
        }
    }
    end(&l);
}
