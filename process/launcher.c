/*
 * process/launcher.c - the launcher, as its program sees it: a thread here that
 * speaks to the launcher process.
 *
 * It must be one thread, and must live as long as that process: it asks the
 * kernel for a signal when its parent ends (PR_SET_PDEATHSIG), and for the
 * kernel the parent is the thread that started it. Workers cannot be that, and
 * may not wait for a socket either.
 *
 * A process goes through fresh (queued), asked (the launcher was told), running
 * (it has said so, and we hold a pidfd) and gone. Any thread adds fresh ones and
 * sets kill_at_ns, under the lock; everything else is the thread's, which alone
 * removes and frees. Callbacks are called without the lock.
 *
 * The launcher process may be killed, or hang, at any moment. Then whatever it
 * had said is still read, and the rest of its processes are killed and told as
 * killed: those that had asked the kernel for it die by themselves; those that
 * are running are killed by their pidfds here, and waited for. The next fresh
 * one starts a new launcher process.
 *
 * SIGCHLD is the program's: neither handled nor blocked here.
 */
#include "process/launcher.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "process/divert.h"
#include "process/launcher_remote.h"
#include "process/launcher_wire.h"

/* How long the launcher may take to begin, and to start a process: far more
 * than it ever needs, and less than a person's patience. */
#define ANSWER_MS INT64_C(10000)

/* To the process group, of Linux 6.9; older headers do not have it. */
#define TO_GROUP (1U << 2)

/* Processes live in real time, also in deterministic mode. */
static const gri_clock real_clock = {.is_virtual = false};

typedef enum stage { FRESH, ASKED, RUNNING } stage;

typedef struct process {
    struct process *next; /* under lock */
    int64_t kill_at_ns;   /* under lock; GRI_NEVER: not told to end */
    /* Immutable. */
    uint64_t id;
    gri_process_fn *fn;
    void *arg;
    gri_request *request; /* its text begins with the path */
    /* The thread's. */
    stage stage;
    int control; /* -1: none, or sent */
    int pidfd;   /* -1: not running, or we had no descriptor for it */
    pid_t pid;
    bool killed;          /* by us */
    int64_t answer_by_ns; /* by then the launcher has to say something */
} process;

typedef struct client {
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
    /* The thread's: the launcher process. */
    gri_launcher_remote remote;
    bool up;   /* it has said hello */
    bool full; /* the socket takes no more for now */
    int64_t hello_by_ns;
} client;

static client *of_base(gri_launcher *launcher)
{
    return GRI_CONTAINER(launcher, client, base);
}

static void lock(client *l)
{
    /* Cannot fail: a normal mutex, and no thread takes it twice. */
    (void)pthread_mutex_lock(&l->lock);
}

static void unlock(client *l)
{
    (void)pthread_mutex_unlock(&l->lock);
}

static void wake(const client *l)
{
    const uint64_t one = 1;
    ssize_t n;
    do {
        /* A full counter (EAGAIN) wakes as well. */
        n = write(l->wake, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

static int64_t now_ns(void)
{
    return gri_clock_ns(&real_clock);
}

/* ---- records ------------------------------------------------------------ */

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void tell(const process *p, gri_process_kind kind, int code)
{
    p->fn(p->arg, &(gri_process_event){.kind = kind, .code = code});
}

/* Takes p out of the list and frees it. The end was told. */
static void forget(client *l, process *p)
{
    lock(l);
    process **at = &l->all;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    l->count--;
    unlock(l);
    close_fd(&p->control);
    close_fd(&p->pidfd);
    free(p->request);
    free(p);
}

static process *find(client *l, uint64_t id)
{
    lock(l);
    process *p = l->all;
    while (p != NULL && p->id != id) {
        p = p->next;
    }
    unlock(l);
    return p;
}

/* The oldest that is in one of those stages, or NULL. */
static process *first(client *l, stage from, stage to)
{
    lock(l);
    process *p = l->all;
    while (p != NULL && (p->stage < from || p->stage > to)) {
        p = p->next;
    }
    unlock(l);
    return p;
}

static void fail(client *l, process *p, int code)
{
    tell(p, GRI_PROCESS_FAILED, code);
    forget(l, p);
}

static void fail_fresh(client *l, int code)
{
    for (process *p; (p = first(l, FRESH, FRESH)) != NULL;) {
        fail(l, p, code);
    }
}

/* ---- the launcher process ----------------------------------------------- */

static int begin(client *l)
{
    GR_TRY(gri_launcher_begin(l->log, &l->remote));
    l->up = false;
    l->full = false;
    l->hello_by_ns = gri_deadline(&real_clock, ANSWER_MS);
    return 0;
}

/* ---- what it says ------------------------------------------------------- */

static void on_started(process *p, const gri_report *report, int *fd)
{
    p->stage = RUNNING;
    p->pid = report->code;
    p->pidfd = *fd;
    *fd = -1;
    p->answer_by_ns = GRI_NEVER;
    tell(p, GRI_PROCESS_STARTED, report->code);
}

static void on_failed(client *l, process *p, const gri_report *report)
{
    gri_log_write(l->log, GR_LOG_ERROR, "cannot start %s: error %d",
                  p->request->text, report->detail);
    fail(l, p, report->code);
}

static void on_ended(client *l, process *p, const gri_report *report)
{
    const bool exited = report->kind == GRI_REPORT_EXITED;
    p->fn(p->arg, &(gri_process_event){
                      .kind = exited ? GRI_PROCESS_EXITED
                                     : GRI_PROCESS_SIGNALED,
                      .code = report->code,
                      .oom_likely = !exited && report->detail == 1 && !p->killed,
                  });
    forget(l, p);
}

/* Takes *fd if it is kept. False: it makes no sense. */
static bool on_report(client *l, const gri_report *report, int *fd)
{
    if (!l->up) {
        l->up = report->kind == GRI_REPORT_HELLO &&
                report->id == GRI_LAUNCHER_MAGIC;
        return l->up;
    }
    process *p = find(l, report->id);
    if (p == NULL || p->stage == FRESH) {
        return false;
    }
    switch (report->kind) {
    case GRI_REPORT_STARTED:
        if (p->stage != ASKED || report->code <= 0) {
            return false;
        }
        on_started(p, report, fd);
        return true;
    case GRI_REPORT_FAILED:
        if (p->stage != ASKED || report->code >= 0) {
            return false;
        }
        on_failed(l, p, report);
        return true;
    case GRI_REPORT_EXITED:
    case GRI_REPORT_SIGNALED:
        if (p->stage != RUNNING) {
            return false;
        }
        on_ended(l, p, report);
        return true;
    default:
        return false;
    }
}

/* Handles all that has come. False: the launcher is gone, or talks nonsense. */
static bool listen_to_it(client *l)
{
    for (;;) {
        gri_report report;
        int fd = -1;
        const ssize_t n =
            gri_packet_receive(l->remote.socket, &report, sizeof(report), &fd);
        if (n == GR_EAGAIN) {
            return true;
        }
        const bool ok =
            n == (ssize_t)sizeof(report) && on_report(l, &report, &fd);
        close_fd(&fd);
        if (!ok) {
            return false;
        }
    }
}

/* ---- when it is gone ---------------------------------------------------- */

/* Kills p's process and its group, which is empty if its number is free. */
static void kill_orphan(const process *p)
{
    if (p->pidfd < 0) {
        return;
    }
    (void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
    if (pidfd_send_signal(p->pidfd, SIGKILL, NULL, TO_GROUP) != 0 &&
        errno == EINVAL && pidfd_send_signal(p->pidfd, 0, NULL, 0) == 0) {
        /* An older kernel. It is not reaped, so the number is its own. */
        (void)kill(-p->pid, SIGKILL);
    }
}

/* Tells the end of p, whose launcher is gone. */
static void bury(client *l, process *p, int64_t until_ns)
{
    siginfo_t info;
    if (p->pidfd >= 0 && !gri_await_end(p->pidfd, until_ns)) {
        gri_log_write(l->log, GR_LOG_ERROR,
                      "a process of %s does not die: given up",
                      p->request->text);
        fail(l, p, GR_ETIMEOUT);
        return;
    }
    /* It is ours to reap if we are the first process of a container, or a
     * subreaper; else this fails, and somebody else does. */
    if (p->pidfd >= 0) {
        (void)waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG);
    }
    tell(p, GRI_PROCESS_SIGNALED, SIGKILL);
    forget(l, p);
}

/* The launcher process was killed, or has to be: it hangs. All of its processes
 * go with it. */
static void lose(client *l, const char *why)
{
    gri_launcher_kill(&l->remote);
    (void)listen_to_it(l); /* what it said before */
    const bool was_up = l->up;
    gri_launcher_end(&l->remote, 0);
    gri_log_write(l->log, was_up ? GR_LOG_WARN : GR_LOG_ERROR,
                  "the launcher process %s%s", why,
                  was_up ? ": its processes are killed" : "");
    lock(l);
    for (const process *p = l->all; p != NULL; p = p->next) {
        kill_orphan(p);
    }
    unlock(l);
    const int64_t until_ns = gri_deadline(&real_clock, GRI_REAP_MS);
    for (process *p; (p = first(l, ASKED, RUNNING)) != NULL;) {
        bury(l, p, until_ns);
    }
    if (!was_up) {
        fail_fresh(l, GR_EFAIL); /* a new one would do no better */
    }
}

/* ---- what it is told ---------------------------------------------------- */

/* Starts what is to be started. Needs a launcher that is up. */
static void ask_fresh(client *l)
{
    process *p;
    while (!l->full && (p = first(l, FRESH, FRESH)) != NULL) {
        const int rc = gri_packet_send(l->remote.socket, p->request,
                                       gri_request_size(p->request),
                                       p->control);
        if (rc == GR_EAGAIN) {
            l->full = true;
        } else if (rc == GR_ENOCONN) {
            return; /* seen by whoever listens */
        } else if (rc < 0) {
            fail(l, p, rc);
        } else {
            p->stage = ASKED;
            p->answer_by_ns = gri_deadline(&real_clock, ANSWER_MS);
            /* Else its other end would never see the process go. */
            close_fd(&p->control);
        }
    }
}

/* Takes those back that are to end before they began. */
static void drop_fresh(client *l)
{
    for (;;) {
        const int64_t now = now_ns();
        lock(l);
        process *p = l->all;
        while (p != NULL && (p->stage != FRESH ||
                             !(l->stopping || p->kill_at_ns <= now))) {
            p = p->next;
        }
        unlock(l);
        if (p == NULL) {
            return;
        }
        fail(l, p, GR_ESTOPPED);
    }
}

/* When p is to be killed. Needs the lock. */
static int64_t kill_time_locked(const client *l, const process *p)
{
    if (!l->stopping) {
        return p->kill_at_ns;
    }
    if (p->kill_at_ns == GRI_NEVER) {
        return 0; /* nobody will ever tell it to end */
    }
    return p->kill_at_ns < l->stop_at_ns ? p->kill_at_ns : l->stop_at_ns;
}

/* Has the launcher kill p, if that can be said now. */
static void ask_kill(client *l, process *p)
{
    const gri_request request = {.kind = GRI_REQUEST_KILL, .id = p->id};
    const int rc = gri_packet_send(l->remote.socket, &request,
                                   gri_request_size(&request), -1);
    if (rc == 0) {
        p->killed = true;
        p->answer_by_ns = gri_deadline(&real_clock, ANSWER_MS);
    } else {
        l->full = rc != GR_ENOCONN; /* as above */
    }
}

/* p's answer is late. True: the launcher hangs; false: it cannot help it. */
static bool is_hung(process *p)
{
    if (p->killed && p->pidfd >= 0 && !gri_await_end(p->pidfd, 0)) {
        p->answer_by_ns = gri_deadline(&real_clock, ANSWER_MS);
        return false; /* the process is in the kernel, and does not die yet */
    }
    return true;
}

/* When nothing is waited for any more. Needs the lock. */
static int64_t give_up_time_locked(const client *l)
{
    return l->stopping && l->count > 0 && l->stop_at_ns != GRI_NEVER
               ? l->stop_at_ns + GRI_REAP_MS * GRI_NS_PER_MS
               : GRI_NEVER;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Kills what is due. Returns when to look again; GRI_NEVER: on an event.
 * *hung: the launcher does not answer. */
static int64_t kill_due(client *l, bool *hung)
{
    const int64_t now = now_ns();
    int64_t next =
        l->remote.socket >= 0 && !l->up ? l->hello_by_ns : GRI_NEVER;
    lock(l);
    next = earlier(next, give_up_time_locked(l));
    *hung = next <= now;
    for (process *p = l->all; p != NULL; p = p->next) {
        const int64_t at = kill_time_locked(l, p);
        if (p->stage == RUNNING && !p->killed && at <= now && !l->full) {
            ask_kill(l, p);
        }
        if (p->answer_by_ns <= now) {
            *hung = is_hung(p) || *hung;
        }
        next = earlier(next, p->answer_by_ns);
        if (!p->killed && at > now) {
            next = earlier(next, at);
        }
    }
    unlock(l);
    return next;
}

/* ---- the thread --------------------------------------------------------- */

/* Waits until then or for an event. False: the launcher is gone. */
static bool wait_and_listen(client *l, int64_t until)
{
    struct timespec left = {0};
    if (until != GRI_NEVER) {
        const int64_t ns = until - now_ns();
        if (ns > 0) {
            left.tv_sec = ns / 1000000000;
            left.tv_nsec = ns % 1000000000;
        }
    }
    struct pollfd polled[2] = {
        {.fd = l->wake, .events = POLLIN},
        {.fd = l->remote.socket, /* -1 is passed over */
         .events = (short)(POLLIN | (l->full ? POLLOUT : 0))},
    };
    /* Errors (EINTR cannot come: all signals are blocked here; ENOMEM) leave
     * revents as they were set above: 0. The loop then asks again. */
    (void)ppoll(polled, 2, until == GRI_NEVER ? NULL : &left, NULL);
    if (polled[0].revents != 0) {
        uint64_t n;
        (void)!read(l->wake, &n, sizeof(n)); /* non-blocking; resets it */
    }
    if ((polled[1].revents & POLLOUT) != 0) {
        l->full = false;
    }
    return (polled[1].revents & ~POLLOUT) == 0 || listen_to_it(l);
}

/* There is something to start: begins the launcher process if there is none. */
static void need_launcher(client *l)
{
    if (l->remote.socket >= 0 || first(l, FRESH, FRESH) == NULL) {
        return;
    }
    const int rc = begin(l);
    if (rc < 0) {
        fail_fresh(l, rc);
    }
}

static void *run(void *arg)
{
    client *l = arg;
    for (;;) {
        bool hung = false;
        drop_fresh(l);
        need_launcher(l);
        if (l->remote.socket >= 0 && l->up) {
            ask_fresh(l);
        }
        const int64_t until = kill_due(l, &hung);
        lock(l);
        const bool done = l->stopping && l->count == 0;
        unlock(l);
        if (done) {
            gri_launcher_end(&l->remote, GRI_REAP_MS);
            return NULL;
        }
        if (hung) {
            lose(l, l->up ? "hangs" : "does not begin");
        } else if (!wait_and_listen(l, until)) {
            lose(l, l->up ? "is gone" : "ended at once");
        }
    }
}

/* ---- the table ---------------------------------------------------------- */

static int start(gri_launcher *launcher, const gri_launch *launch,
                 gri_process *out)
{
    client *l = of_base(launcher);
    gri_request *request = NULL;
    GR_TRY(gri_request_new(launch, &request));
    process *p = malloc(sizeof(*p));
    int rc = p != NULL ? 0 : GR_ENOMEM;
    lock(l);
    if (l->stopping) {
        rc = GR_ESTOPPED;
    } else if (l->count == GRI_PROCESSES_MAX) {
        rc = GR_ELIMIT;
    }
    if (rc == 0) {
        *p = (process){
            .kill_at_ns = GRI_NEVER,
            .id = ++l->last_id,
            .fn = launch->fn,
            .arg = launch->arg,
            .request = request,
            .control = launch->control,
            .pidfd = -1,
            .answer_by_ns = GRI_NEVER,
        };
        request->id = p->id;
        process **at = &l->all;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = p;
        l->count++;
        out->id = p->id; /* before the unlock: p may be gone behind it */
    }
    unlock(l);
    if (rc < 0) {
        free(p);
        free(request);
        return rc;
    }
    wake(l);
    return 0;
}

static void end(gri_launcher *launcher, gri_process process_, int64_t grace_ms)
{
    client *l = of_base(launcher);
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
    client *l = of_base(launcher);
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

static const gri_launcher_ops client_ops = {
    .start = start,
    .end = end,
    .stop = stop,
};

/* Starts the thread with all signals blocked: the program's handlers run in
 * the program's threads. */
static int start_thread(client *l)
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
    if (!gri_diverts()) {
        gri_log_write(log, GR_LOG_ERROR,
                      "this program cannot start processes of its own: its "
                      "main has to begin with gr_main, or with gr_child_main");
        return GR_ENOTSUP;
    }
    client *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return GR_ENOMEM;
    }
    l->base.ops = &client_ops;
    l->log = log;
    l->remote = (gri_launcher_remote){.socket = -1, .pidfd = -1};
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
