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
 * (it has said so, and we hold a pidfd) and gone. Any thread adds fresh ones
 * and sets kill_at_ns, under the lock; everything else is the thread's, which
 * alone removes and frees. Callbacks are called without the lock.
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
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "process/divert.h"
#include "process/launcher_client.h"

/* Processes live in real time, also in deterministic mode. */
static const gri_clock real_clock = {.is_virtual = false};

static gri_client *of_base(gri_launcher *launcher)
{
    return GRI_CONTAINER(launcher, gri_client, base);
}

static void wake(const gri_client *l)
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

/* ---- deadlines ---------------------------------------------------------- */

/* Takes those back that are to end before they began. */
static void drop_fresh(gri_client *l)
{
    for (;;) {
        const int64_t now = now_ns();
        gri_client_lock(l);
        gri_managed *p = l->all;
        while (p != NULL && (p->stage != GRI_FRESH ||
                             !(l->stopping || p->kill_at_ns <= now))) {
            p = p->next;
        }
        gri_client_unlock(l);
        if (p == NULL) {
            return;
        }
        gri_client_fail(l, p, GR_ESTOPPED);
    }
}

/* When p is to be killed. Needs the lock. */
static int64_t kill_time_locked(const gri_client *l, const gri_managed *p)
{
    if (!l->stopping) {
        return p->kill_at_ns;
    }
    if (p->kill_at_ns == GRI_NEVER) {
        return 0; /* nobody will ever tell it to end */
    }
    return p->kill_at_ns < l->stop_at_ns ? p->kill_at_ns : l->stop_at_ns;
}

/* When nothing is waited for any more. Needs the lock. */
static int64_t give_up_time_locked(const gri_client *l)
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
 * *hung: the launcher does not answer, as far as was read. */
static int64_t kill_due(gri_client *l, bool *hung)
{
    const int64_t now = now_ns();
    int64_t next = l->remote.socket >= 0 && !l->up ? l->hello_by_ns : GRI_NEVER;
    gri_client_lock(l);
    next = earlier(next, give_up_time_locked(l));
    *hung = next <= now;
    for (gri_managed *p = l->all; p != NULL; p = p->next) {
        const int64_t at = kill_time_locked(l, p);
        if (p->stage == GRI_RUNNING && !p->killed && at <= now && !l->full) {
            gri_client_ask_kill(l, p);
        }
        if (gri_client_late_at(l, p) <= now) {
            *hung = gri_client_is_hung(p) || *hung;
        }
        next = earlier(next, gri_client_late_at(l, p));
        if (!p->killed && at > now) {
            next = earlier(next, at);
        }
    }
    gri_client_unlock(l);
    return next;
}

/* ---- the thread --------------------------------------------------------- */

/* Waits until then or for an event. False: the launcher is gone. */
static bool wait_and_listen(gri_client *l, int64_t until)
{
    struct timespec left = {0};
    if (until != GRI_NEVER) {
        const int64_t ns = until - now_ns();
        if (ns > 0) {
            left.tv_sec = ns / 1000000000;
            left.tv_nsec = ns % 1000000000;
        }
    }
    struct pollfd polled[3] = {
        {.fd = l->wake, .events = POLLIN},
        {.fd = l->remote.socket, /* -1 is passed over */
         .events = (short)(POLLIN | (l->full ? POLLOUT : 0))},
        {.fd = l->dying, .events = POLLIN},
    };
    /* Errors (EINTR cannot come: all signals are blocked here; ENOMEM) leave
     * revents as they were set above: 0. The loop then asks again. */
    (void)ppoll(polled, 3, until == GRI_NEVER ? NULL : &left, NULL);
    if (polled[0].revents != 0) {
        uint64_t n;
        (void)!read(l->wake, &n, sizeof(n)); /* non-blocking; resets it */
    }
    if ((polled[1].revents & POLLOUT) != 0) {
        l->full = false;
    }
    gri_client_reap(l);
    return (polled[1].revents & ~POLLOUT) == 0 || gri_client_listen(l);
}

/* There is something to start: begins the launcher process if there is none. */
static void need_launcher(gri_client *l)
{
    if (l->remote.socket >= 0 || gri_client_fresh(l) == NULL) {
        return;
    }
    const int rc = gri_client_begin(l);
    if (rc < 0) {
        gri_client_fail_fresh(l, rc);
    }
}

/* All have ended, and it is to stop. */
static bool is_done(gri_client *l)
{
    gri_client_lock(l);
    const bool done = l->stopping && l->count == 0;
    gri_client_unlock(l);
    return done;
}

static void finish(gri_client *l)
{
    const int left = gri_launcher_end(&l->remote, GRI_REAP_MS);
    if (left >= 0) {
        (void)close(left);
    }
    gri_client_reap(l);
    if (l->dying >= 0) {
        (void)close(l->dying);
    }
}

static void *run(void *arg)
{
    gri_client *l = arg;
    for (;;) {
        bool hung = false;
        bool gone = false;
        drop_fresh(l);
        need_launcher(l);
        if (l->remote.socket >= 0 && l->up) {
            gri_client_ask_fresh(l);
        }
        int64_t until = kill_due(l, &hung);
        if (hung) {
            /* It may be us who did not run: what it has said counts. */
            hung = false;
            gone = l->remote.socket >= 0 && !gri_client_listen(l);
            until = kill_due(l, &hung);
        }
        if (is_done(l)) {
            finish(l);
            return NULL;
        }
        if (gone || hung || !wait_and_listen(l, until)) {
            gri_client_lose(l, hung && !gone);
        }
    }
}

/* ---- the table ---------------------------------------------------------- */

static int start(gri_launcher *launcher, const gri_launch *launch,
                 gri_process *out)
{
    gri_client *l = of_base(launcher);
    gri_request *request = NULL;
    GR_TRY(gri_request_new(launch, &request));
    gri_managed *p = malloc(sizeof(*p));
    int rc = p != NULL ? 0 : GR_ENOMEM;
    gri_client_lock(l);
    if (l->stopping) {
        rc = GR_ESTOPPED;
    } else if (l->count == GRI_PROCESSES_MAX) {
        rc = GR_ELIMIT;
    }
    if (rc == 0) {
        *p = (gri_managed){
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
        gri_managed **at = &l->all;
        while (*at != NULL) {
            at = &(*at)->next;
        }
        *at = p;
        l->count++;
        out->id = p->id; /* before the unlock: p may be gone behind it */
    }
    gri_client_unlock(l);
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
    gri_client *l = of_base(launcher);
    const int64_t at = gri_deadline(&real_clock, grace_ms);
    gri_client_lock(l);
    gri_managed *p = l->all;
    while (p != NULL && p->id != process_.id) {
        p = p->next;
    }
    if (p != NULL && at < p->kill_at_ns) {
        p->kill_at_ns = at;
    }
    gri_client_unlock(l);
    wake(l);
}

static void stop(gri_launcher *launcher, int64_t deadline_ms)
{
    gri_client *l = of_base(launcher);
    const int64_t at =
        gri_deadline(&real_clock, deadline_ms < 0 ? 0 : deadline_ms);
    gri_client_lock(l);
    l->stopping = true;
    l->stop_at_ns = at;
    gri_client_unlock(l);
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
static int start_thread(gri_client *l)
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
    gri_client *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return GR_ENOMEM;
    }
    l->base.ops = &client_ops;
    l->log = log;
    l->remote = (gri_launcher_remote){.socket = -1, .pidfd = -1};
    l->dying = -1;
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
