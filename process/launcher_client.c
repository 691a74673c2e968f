/* process/launcher_client.c - what a program says to its launcher process, and
 * what follows from what that says, or from its end. */
#include "process/launcher_client.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* How long the launcher may take to begin, to start a process, and to tell of
 * one that died: far more than it ever needs, also on a machine that has come
 * to a crawl, as whoever takes it for hung kills all its processes. */
#define ANSWER_MS INT64_C(30000)

/* To the process group, of Linux 6.9; older headers do not have it. */
#define TO_GROUP (1U << 2)

/* Processes live in real time, also in deterministic mode. */
static const gri_clock real_clock = {.is_virtual = false};

void gri_client_lock(gri_client *l)
{
    /* Cannot fail: a normal mutex, and no thread takes it twice. */
    (void)pthread_mutex_lock(&l->lock);
}

void gri_client_unlock(gri_client *l)
{
    (void)pthread_mutex_unlock(&l->lock);
}

/* ---- records ------------------------------------------------------------ */

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void tell(const gri_managed *p, gri_process_kind kind, int code)
{
    p->fn(p->arg, &(gri_process_event){.kind = kind, .code = code});
}

/* Takes p out of the list and frees it. The end was told. */
static void forget(gri_client *l, gri_managed *p)
{
    gri_client_lock(l);
    gri_managed **at = &l->all;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    l->count--;
    gri_client_unlock(l);
    close_fd(&p->control);
    close_fd(&p->pidfd);
    free(p->request);
    free(p);
}

static gri_managed *find(gri_client *l, uint64_t id)
{
    gri_client_lock(l);
    gri_managed *p = l->all;
    while (p != NULL && p->id != id) {
        p = p->next;
    }
    gri_client_unlock(l);
    return p;
}

gri_managed *gri_client_fresh(gri_client *l)
{
    gri_client_lock(l);
    gri_managed *p = l->all;
    while (p != NULL && p->stage != GRI_FRESH) {
        p = p->next;
    }
    gri_client_unlock(l);
    return p;
}

/* The youngest that a launcher was told of, or NULL. */
static gri_managed *last_told(gri_client *l)
{
    gri_managed *last = NULL;
    gri_client_lock(l);
    for (gri_managed *p = l->all; p != NULL; p = p->next) {
        last = p->stage != GRI_FRESH ? p : last;
    }
    gri_client_unlock(l);
    return last;
}

void gri_client_fail(gri_client *l, gri_managed *p, int code)
{
    tell(p, GRI_PROCESS_FAILED, code);
    forget(l, p);
}

void gri_client_fail_fresh(gri_client *l, int code)
{
    gri_client_lock(l);
    const uint64_t last_id = l->last_id;
    gri_client_unlock(l);
    for (gri_managed *p;
         (p = gri_client_fresh(l)) != NULL && p->id <= last_id;) {
        gri_client_fail(l, p, code);
    }
}

/* ---- the launcher process ----------------------------------------------- */

int gri_client_begin(gri_client *l)
{
    GR_TRY(gri_launcher_begin(l->log, &l->remote));
    l->up = false;
    l->full = false;
    l->heard_ns = gri_clock_ns(&real_clock);
    l->hello_by_ns = gri_deadline(&real_clock, ANSWER_MS);
    return 0;
}

/* ---- what it says ------------------------------------------------------- */

static void on_started(gri_managed *p, const gri_report *report, int *fd)
{
    p->stage = GRI_RUNNING;
    p->pid = report->code;
    p->pidfd = *fd;
    *fd = -1;
    p->answer_by_ns = GRI_NEVER;
    tell(p, GRI_PROCESS_STARTED, report->code);
}

static void on_failed(gri_client *l, gri_managed *p, const gri_report *report)
{
    gri_log_write(l->log, GR_LOG_ERROR, "cannot start %s: error %d",
                  p->request->text, report->detail);
    gri_client_fail(l, p, report->code);
}

static void on_ended(gri_client *l, gri_managed *p, const gri_report *report)
{
    const bool exited = report->kind == GRI_REPORT_EXITED;
    p->fn(p->arg,
          &(gri_process_event){
              .kind = exited ? GRI_PROCESS_EXITED : GRI_PROCESS_SIGNALED,
              .code = report->code,
              .oom_likely = !exited && report->detail == 1 && !p->killed,
          });
    forget(l, p);
}

/* Takes *fd if it is kept. False: it makes no sense. */
static bool on_report(gri_client *l, const gri_report *report, int *fd)
{
    if (!l->up) {
        l->up = report->kind == GRI_REPORT_HELLO &&
                report->id == GRI_LAUNCHER_MAGIC;
        return l->up;
    }
    gri_managed *p = find(l, report->id);
    if (p == NULL || p->stage == GRI_FRESH) {
        return false;
    }
    switch (report->kind) {
    case GRI_REPORT_STARTED:
        if (p->stage != GRI_ASKED || report->code <= 0) {
            return false;
        }
        on_started(p, report, fd);
        return true;
    case GRI_REPORT_FAILED:
        if (p->stage != GRI_ASKED || report->code >= 0) {
            return false;
        }
        on_failed(l, p, report);
        return true;
    case GRI_REPORT_EXITED:
    case GRI_REPORT_SIGNALED:
        if (p->stage != GRI_RUNNING) {
            return false;
        }
        on_ended(l, p, report);
        return true;
    default:
        return false;
    }
}

bool gri_client_listen(gri_client *l)
{
    for (;;) {
        gri_report report;
        int fd = -1;
        const ssize_t n =
            gri_packet_receive(l->remote.socket, &report, sizeof(report), &fd);
        if (n == GR_EAGAIN) {
            return true;
        }
        l->heard_ns = gri_clock_ns(&real_clock);
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
static void kill_orphan(const gri_managed *p)
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

/* Returns when all that were killed are dead. Before one end is told: who hears
 * of it may start something in its place, and would take a process that was
 * started ahead, and is about to die. */
static void await_orphans(gri_client *l, int64_t until_ns)
{
    for (uint64_t last_id = 0;;) {
        gri_client_lock(l);
        const gri_managed *p = l->all; /* by their ids */
        while (p != NULL && (p->id <= last_id || p->pidfd < 0)) {
            p = p->next;
        }
        gri_client_unlock(l);
        if (p == NULL) {
            return;
        }
        last_id = p->id;
        (void)gri_await_end(p->pidfd, until_ns); /* or see bury */
    }
}

/* Tells the end of p, whose launcher is gone. */
static void bury(gri_client *l, gri_managed *p, int64_t until_ns)
{
    siginfo_t info;
    if (p->pidfd >= 0 && !gri_await_end(p->pidfd, until_ns)) {
        gri_log_write(l->log, GR_LOG_ERROR,
                      "a process of %s does not die: given up",
                      p->request->text);
        gri_client_fail(l, p, GR_ETIMEOUT);
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

void gri_client_reap(gri_client *l)
{
    if (l->dying >= 0 && gri_await_end(l->dying, 0)) {
        siginfo_t info;
        (void)waitid(P_PIDFD, (id_t)l->dying, &info, WEXITED | WNOHANG);
        close_fd(&l->dying);
    }
}

static void end_launcher(gri_client *l)
{
    const int pidfd = gri_launcher_end(&l->remote, GRI_REAP_MS);
    if (pidfd >= 0) {
        close_fd(&l->dying); /* two at a time are given up */
        l->dying = pidfd;
    }
}

void gri_client_lose(gri_client *l, bool hangs)
{
    const bool was_up = l->up;
    gri_client_lock(l);
    const bool stopping = l->stopping;
    gri_client_unlock(l);
    if (hangs) {
        gri_launcher_kill(&l->remote);
        (void)gri_client_listen(l); /* what it said before */
    }
    /* One that was told to end has closed its socket first, and kills all that
     * it has better than we could. */
    end_launcher(l);
    gri_log_write(l->log, was_up ? GR_LOG_WARN : GR_LOG_ERROR,
                  "the launcher process %s%s%s",
                  !hangs     ? "is gone"
                  : stopping ? "did not end in time"
                             : "hangs",
                  was_up ? "" : ", and did not even begin",
                  was_up ? ": its processes are killed" : "");
    gri_client_lock(l);
    for (const gri_managed *p = l->all; p != NULL; p = p->next) {
        kill_orphan(p);
    }
    gri_client_unlock(l);
    const int64_t until_ns = gri_deadline(&real_clock, GRI_REAP_MS);
    await_orphans(l, until_ns);
    /* The youngest first: what was started ahead is nobody's, and has to be
     * known as dead when somebody hears of an end and starts another. Of one
     * whose start was not told yet nothing else says so. */
    for (gri_managed *p; (p = last_told(l)) != NULL;) {
        bury(l, p, until_ns);
    }
    if (!was_up) {
        gri_client_fail_fresh(l, GR_EFAIL); /* a new one would do no better */
    }
}

/* ---- what it is told ---------------------------------------------------- */

void gri_client_ask_fresh(gri_client *l)
{
    gri_managed *p;
    while (!l->full && (p = gri_client_fresh(l)) != NULL) {
        const int rc =
            gri_packet_send(l->remote.socket, p->request,
                            gri_request_size(p->request), p->control);
        if (rc == GR_EAGAIN) {
            l->full = true;
        } else if (rc == GR_ENOCONN) {
            return; /* seen by whoever listens */
        } else if (rc < 0) {
            gri_client_fail(l, p, rc);
        } else {
            p->stage = GRI_ASKED;
            p->answer_by_ns = gri_deadline(&real_clock, ANSWER_MS);
            /* Else its other end would never see the process go. */
            close_fd(&p->control);
        }
    }
}

void gri_client_ask_kill(gri_client *l, gri_managed *p)
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

int64_t gri_client_late_at(const gri_client *l, const gri_managed *p)
{
    const int64_t silent_ns = l->heard_ns + ANSWER_MS * GRI_NS_PER_MS;
    return p->answer_by_ns > silent_ns ? p->answer_by_ns : silent_ns;
}

bool gri_client_is_hung(gri_managed *p)
{
    if (p->killed && p->pidfd >= 0 && !p->seen_dead) {
        /* It may die slowly, or have died just now: only from when it is seen
         * dead is the launcher late. */
        p->seen_dead = gri_await_end(p->pidfd, 0);
        p->answer_by_ns = gri_deadline(&real_clock, ANSWER_MS);
        return false;
    }
    return true;
}
