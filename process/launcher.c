/*
 * process/launcher.c - the launcher that is a thread of this process.
 *
 * One thread starts, watches and reaps all. It must be one thread, and must
 * live as long as the processes: a process asks the kernel to be killed with
 * its parent (PR_SET_PDEATHSIG), and for the kernel the parent is the thread
 * that started it. Workers cannot be that: starting a process takes up to a
 * millisecond.
 *
 * A process goes through fresh (queued), watched (it has a pidfd), and gone.
 * Any thread adds fresh ones and sets kill_at_ns, under the lock; everything
 * else is the launcher thread's, which alone removes and frees. Callbacks are
 * called without the lock.
 *
 * SIGCHLD is the program's: neither handled nor blocked here. A pidfd tells
 * when to wait, and only that process is waited for.
 */
#include "process/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

/* How long a killed process may take to die before it is given up. */
#define REAP_MS INT64_C(1000)

/* Processes live in real time, also in deterministic mode. */
static const gri_clock real_clock = {.is_virtual = false};

typedef struct process {
    struct process *next; /* under lock */
    int64_t kill_at_ns;   /* under lock; GRI_NEVER: not told to end */
    /* Immutable. */
    uint64_t id;
    gri_launch launch; /* path and argv point behind this struct */
    /* The launcher thread's. */
    int pidfd; /* -1: fresh, or gone */
    bool killed;
} process;

typedef struct thread_launcher {
    gri_launcher base;
    const gri_log *log;
    pthread_t thread;
    int wake; /* an eventfd: something under the lock has changed */
    pthread_mutex_t lock;
    /* Under lock. */
    process *all; /* oldest first */
    unsigned count;
    uint64_t last_id;
    bool stopping;
    int64_t stop_at_ns;
    /* The launcher thread's. */
    struct pollfd polled[1 + GRI_PROCESSES_MAX]; /* the first is wake */
    process *watched[GRI_PROCESSES_MAX];         /* behind polled[i + 1] */
    nfds_t watched_n;
} thread_launcher;

static thread_launcher *of_base(gri_launcher *launcher)
{
    return GRI_CONTAINER(launcher, thread_launcher, base);
}

static void lock(thread_launcher *l)
{
    /* Cannot fail: a normal mutex, and no thread takes it twice. */
    (void)pthread_mutex_lock(&l->lock);
}

static void unlock(thread_launcher *l)
{
    (void)pthread_mutex_unlock(&l->lock);
}

static void wake(const thread_launcher *l)
{
    const uint64_t one = 1;
    ssize_t n;
    do {
        /* A full counter (EAGAIN) wakes as well. */
        n = write(l->wake, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

static void tell(const process *p, gri_process_kind kind, int code)
{
    p->launch.fn(p->launch.arg, &(gri_process_event){kind, code});
}

static void close_control(process *p)
{
    if (p->launch.control >= 0) {
        (void)close(p->launch.control);
        p->launch.control = -1;
    }
}

/* Takes p out of the list and frees it. The end was told. */
static void forget(thread_launcher *l, process *p)
{
    lock(l);
    process **at = &l->all;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    l->count--;
    unlock(l);
    close_control(p);
    if (p->pidfd >= 0) {
        (void)close(p->pidfd);
    }
    free(p);
}

/* ---- starting ----------------------------------------------------------- */

static int error_of(int system_error)
{
    switch (system_error) {
    case ENOMEM:
        return GR_ENOMEM;
    case EAGAIN: /* RLIMIT_NPROC, the cgroup's pids.max */
    case EMFILE:
    case ENFILE:
        return GR_ELIMIT;
    case ENOENT:
        return GR_ENOENT;
    case EACCES:
    case EPERM:
        return GR_EDENIED;
    default:
        return GR_EIO;
    }
}

/* What the process begins with. Returns 0 or an errno. */
static int prepare(posix_spawn_file_actions_t *files,
                   posix_spawnattr_t *attributes, const gri_launch *launch)
{
    const int control = launch->control;
    sigset_t all;
    (void)sigfillset(&all);
    int rc = 0;
    /* The control descriptor goes first: it may itself be 0. */
    if (control >= 0) {
        rc = posix_spawn_file_actions_adddup2(files, control, GRI_CONTROL_FD);
    }
    if (rc == 0) {
        rc = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null",
                                              O_RDONLY, 0);
    }
    /* Close-on-exec does not reach what the program's libraries forgot. */
    if (rc == 0) {
        rc = posix_spawn_file_actions_addclosefrom_np(
            files, control >= 0 ? GRI_CONTROL_FD + 1 : STDERR_FILENO + 1);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setsigmask(attributes, &launch->blocked);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setpgroup(attributes, 0);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF |
                                                      POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETPGROUP);
    }
    return rc;
}

/* Returns 0 or an errno. */
static int spawn(const gri_launch *launch, pid_t *out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0) {
        return rc;
    }
    rc = posix_spawnattr_init(&attributes);
    if (rc != 0) {
        goto no_attributes;
    }
    rc = prepare(&files, &attributes, launch);
    if (rc == 0) {
        rc = posix_spawn(out, launch->path, &files, &attributes, launch->argv,
                         environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
no_attributes:
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* A process that cannot be watched must not live. */
static void undo_spawn(pid_t pid)
{
    siginfo_t info;
    int rc;
    (void)kill(pid, SIGKILL);
    do {
        rc = waitid(P_PID, (id_t)pid, &info, WEXITED);
    } while (rc < 0 && errno == EINTR);
}

static void start_fresh(thread_launcher *l, process *p)
{
    pid_t pid = 0;
    int rc = spawn(&p->launch, &pid);
    /* Else its other end would never see the process go. */
    close_control(p);
    if (rc == 0) {
        p->pidfd = pidfd_open(pid, 0);
        rc = p->pidfd < 0 ? errno : 0;
        if (rc == ESRCH) { /* ended, and reaped behind our back */
            tell(p, GRI_PROCESS_STARTED, pid);
            tell(p, GRI_PROCESS_LOST, 0);
            forget(l, p);
            return;
        }
        if (rc != 0) {
            undo_spawn(pid);
        }
    }
    if (rc != 0) {
        gri_log_write(l->log, GR_LOG_ERROR, "cannot start %s: error %d",
                      p->launch.path, rc);
        tell(p, GRI_PROCESS_FAILED, error_of(rc));
        forget(l, p);
        return;
    }
    tell(p, GRI_PROCESS_STARTED, pid);
    l->watched[l->watched_n++] = p;
}

/* The oldest fresh one, or NULL. *begin: it is to be started at all. */
static process *next_fresh(thread_launcher *l, bool *begin)
{
    lock(l);
    process *p = l->all;
    while (p != NULL && p->pidfd >= 0) {
        p = p->next;
    }
    if (p != NULL) {
        *begin = !l->stopping && p->kill_at_ns > gri_clock_ns(&real_clock);
    }
    unlock(l);
    return p;
}

static void start_all_fresh(thread_launcher *l)
{
    bool begin = false;
    for (process *p; (p = next_fresh(l, &begin)) != NULL;) {
        if (begin) {
            start_fresh(l, p);
        } else {
            tell(p, GRI_PROCESS_FAILED, GR_ESTOPPED);
            forget(l, p);
        }
    }
}

/* ---- killing and reaping ------------------------------------------------ */

/* When p is to be killed. Needs the lock. */
static int64_t kill_time_locked(const thread_launcher *l, const process *p)
{
    if (!l->stopping) {
        return p->kill_at_ns;
    }
    if (p->kill_at_ns == GRI_NEVER) {
        return 0; /* nobody will ever tell it to end */
    }
    return p->kill_at_ns < l->stop_at_ns ? p->kill_at_ns : l->stop_at_ns;
}

/* Kills what is due. Returns when to look again; GRI_NEVER: on an event. */
static int64_t kill_due(thread_launcher *l)
{
    const int64_t now = gri_clock_ns(&real_clock);
    int64_t next = GRI_NEVER;
    lock(l);
    for (nfds_t i = 0; i < l->watched_n; i++) {
        process *p = l->watched[i];
        const int64_t at = kill_time_locked(l, p);
        if (!p->killed && at <= now) {
            /* ESRCH: it has just ended. Else nothing can go wrong. */
            (void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
            p->killed = true;
        }
        if (!p->killed && at < next) {
            next = at;
        }
    }
    if (l->stopping && l->stop_at_ns + REAP_MS * GRI_NS_PER_MS < next) {
        next = l->stop_at_ns + REAP_MS * GRI_NS_PER_MS;
    }
    unlock(l);
    return next;
}

/* p's pidfd is readable: it has ended. */
static void reap(thread_launcher *l, process *p)
{
    siginfo_t info = {0};
    int rc;
    do {
        rc = waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        tell(p, GRI_PROCESS_LOST, 0);
    } else if (info.si_code == CLD_EXITED) {
        tell(p, GRI_PROCESS_EXITED, info.si_status);
    } else {
        tell(p, GRI_PROCESS_SIGNALED, info.si_status);
    }
    forget(l, p);
}

static void give_up(thread_launcher *l)
{
    while (l->watched_n > 0) {
        process *p = l->watched[--l->watched_n];
        gri_log_write(l->log, GR_LOG_ERROR,
                      "a process of %s does not die: given up", p->launch.path);
        tell(p, GRI_PROCESS_FAILED, GR_ETIMEOUT);
        forget(l, p);
    }
}

/* ---- the thread --------------------------------------------------------- */

/* Waits until `until` or for an event, and handles all that came. */
static void wait_and_reap(thread_launcher *l, int64_t until)
{
    struct timespec left = {0};
    if (until != GRI_NEVER) {
        const int64_t ns = until - gri_clock_ns(&real_clock);
        if (ns > 0) {
            left.tv_sec = ns / 1000000000;
            left.tv_nsec = ns % 1000000000;
        }
    }
    l->polled[0] = (struct pollfd){.fd = l->wake, .events = POLLIN};
    for (nfds_t i = 0; i < l->watched_n; i++) {
        l->polled[i + 1] =
            (struct pollfd){.fd = l->watched[i]->pidfd, .events = POLLIN};
    }
    /* Errors (EINTR cannot come: all signals are blocked here; ENOMEM) leave
     * revents as they were set above: 0. The loop then asks again. */
    (void)ppoll(l->polled, l->watched_n + 1, until == GRI_NEVER ? NULL : &left,
                NULL);
    if (l->polled[0].revents != 0) {
        uint64_t n;
        (void)!read(l->wake, &n, sizeof(n)); /* non-blocking; resets it */
    }
    nfds_t kept = 0;
    for (nfds_t i = 0; i < l->watched_n; i++) {
        process *p = l->watched[i];
        if (l->polled[i + 1].revents != 0) {
            reap(l, p);
        } else {
            l->watched[kept++] = p;
        }
    }
    l->watched_n = kept;
}

static void *run(void *arg)
{
    thread_launcher *l = arg;
    for (;;) {
        start_all_fresh(l);
        const int64_t until = kill_due(l);
        lock(l);
        const bool done = l->stopping && l->count == 0;
        const int64_t give_up_at =
            l->stopping ? l->stop_at_ns + REAP_MS * GRI_NS_PER_MS : GRI_NEVER;
        unlock(l);
        if (done) {
            return NULL;
        }
        if (gri_clock_ns(&real_clock) >= give_up_at) {
            give_up(l);
            continue;
        }
        wait_and_reap(l, until);
    }
}

/* ---- the table ---------------------------------------------------------- */

/* p with copies of all that launch borrows, in one block. */
static process *process_new(const gri_launch *launch)
{
    size_t words = 0;
    size_t bytes = strlen(launch->path) + 1;
    for (; launch->argv[words] != NULL; words++) {
        bytes += strlen(launch->argv[words]) + 1;
    }
    process *p = malloc(sizeof(*p) + (words + 1) * sizeof(char *) + bytes);
    if (p == NULL) {
        return NULL;
    }
    *p = (process){
        .kill_at_ns = GRI_NEVER,
        .launch = *launch,
        .pidfd = -1,
    };
    char **argv = (char **)(void *)(p + 1);
    char *text = (char *)(argv + words + 1);
    p->launch.path = text;
    p->launch.argv = argv;
    text = stpcpy(text, launch->path) + 1;
    for (size_t i = 0; i < words; i++) {
        argv[i] = text;
        text = stpcpy(text, launch->argv[i]) + 1;
    }
    argv[words] = NULL;
    return p;
}

static int start(gri_launcher *launcher, const gri_launch *launch,
                 gri_process *out)
{
    thread_launcher *l = of_base(launcher);
    process *p = process_new(launch);
    if (p == NULL) {
        return GR_ENOMEM;
    }
    int rc = 0;
    lock(l);
    if (l->stopping) {
        rc = GR_ESTOPPED;
    } else if (l->count == GRI_PROCESSES_MAX) {
        rc = GR_ELIMIT;
    } else {
        process **at = &l->all;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = p;
        l->count++;
        p->id = ++l->last_id;
        out->id = p->id; /* before the unlock: p may be gone behind it */
    }
    unlock(l);
    if (rc < 0) {
        free(p);
        return rc;
    }
    wake(l);
    return 0;
}

static void end(gri_launcher *launcher, gri_process process_, int64_t grace_ms)
{
    thread_launcher *l = of_base(launcher);
    const int64_t at = gri_deadline(&real_clock, grace_ms);
    lock(l);
    process *p = l->all;
    while (p != NULL && p->id != process_.id) {
        p = p->next;
    }
    if (p != NULL && at < p->kill_at_ns) {
        p->kill_at_ns = at;
    }
    unlock(l);
    wake(l);
}

static void stop(gri_launcher *launcher, int64_t deadline_ms)
{
    thread_launcher *l = of_base(launcher);
    const int64_t at =
        gri_deadline(&real_clock, deadline_ms < 0 ? 0 : deadline_ms);
    lock(l);
    l->stopping = true;
    l->stop_at_ns = at;
    unlock(l);
    wake(l);
    const int rc = pthread_join(l->thread, NULL);
    GR_ASSERT(rc == 0);
    (void)pthread_mutex_destroy(&l->lock);
    (void)close(l->wake);
    free(l);
}

static const gri_launcher_ops thread_launcher_ops = {
    .start = start,
    .end = end,
    .stop = stop,
};

/* Starts the thread with all signals blocked: the program's handlers run in
 * the program's threads. */
static int start_thread(thread_launcher *l)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&l->thread, NULL, run, l);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : GR_EIO;
}

int gri_launcher_new(const gri_log *log, gri_launcher **out)
{
    thread_launcher *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return GR_ENOMEM;
    }
    l->base.ops = &thread_launcher_ops;
    l->log = log;
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake < 0) {
        free(l);
        return GR_EIO;
    }
    (void)pthread_mutex_init(&l->lock, NULL); /* never fails in glibc */
    const int rc = start_thread(l);
    if (rc < 0) {
        (void)pthread_mutex_destroy(&l->lock);
        (void)close(l->wake);
        free(l);
        return rc;
    }
    *out = &l->base;
    return 0;
}
