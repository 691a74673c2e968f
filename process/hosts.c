/*
 * process/hosts.c - see hosts.h.
 *
 * One thread, the watcher, waits for all sockets (each armed for one event, and
 * again by its proxy) and for the deadlines of callbacks. It sleeps without a
 * timeout while no callback with a deadline runs. It is made with the first
 * process, and must be a thread, as whoever waits for a descriptor must not be
 * a worker.
 *
 * A socket's events carry the host's number and not its address: a host may be
 * gone when one is looked at.
 *
 * The lock here may be held while the launcher's is taken, never the other way;
 * no proxy is woken under it.
 */
#include "process/hosts.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/proxy.h"
#include "actors/route.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

enum {
    EVENTS = 64,   /* looked at in one go */
    RETRY_MS = 10, /* until a wake for which there was no memory */
    /* Until a host that is late, but has sent what nobody has read yet, is
     * looked at again. */
    LATE_AGAIN_MS = 20
};

static const gri_clock real_clock = {.is_virtual = false};

struct gri_host {
    /* Constant. */
    gri_hosts *owner;
    uint64_t id;
    int fd;
    gri_process process; /* under lock until it is started */
    /* Under lock. */
    gri_host *next;
    gr_pid proxy; /* GR_NOBODY: it waits for one, or was dropped */
    bool warm;    /* it waits for one */
    bool dropped;
    bool wake_sent; /* a GRI_MSG_WAKE is on its way */
    bool wake_owed; /* there was no memory for one */
    bool ended;     /* and `end` says how */
    bool late;
    int pid; /* 0: not running */
    gri_process_event end;
    int64_t late_at_ns; /* GRI_NEVER: nothing runs that has a limit */
};

struct gri_hosts {
    /* Constant. */
    gr_system *sys;
    uint32_t warm_max;
    /* Under lock. */
    pthread_mutex_t lock;
    gri_launcher *launcher; /* NULL until first use, then constant */
    gri_host *all;
    uint64_t ids;
    int epoll; /* -1 until first use, then constant */
    int bell;  /* an eventfd in it */
    pthread_t watcher;
    bool stopping;
    int64_t sleeps_until_ns; /* the watcher does; 0: it is awake */
    int64_t retry_at_ns;     /* somebody is owed a wake; 0: nobody */
    /* The watcher's, and the launcher thread's. */
    gri_cache watcher_cache, launcher_cache;
};

static void lock(gri_hosts *all)
{
    /* Cannot fail: a normal mutex, and no thread takes it twice. */
    (void)pthread_mutex_lock(&all->lock);
}

static void unlock(gri_hosts *all)
{
    (void)pthread_mutex_unlock(&all->lock);
}

static void ring(const gri_hosts *all)
{
    const uint64_t one = 1;
    ssize_t n;
    do {
        /* A full counter (EAGAIN) wakes as well. */
        n = write(all->bell, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
}

/* Takes h out of the list and frees it, with its end of the socket. */
static void forget_locked(gri_host *h)
{
    gri_host **at = &h->owner->all;
    while (*at != h) {
        at = &(*at)->next;
    }
    *at = h->next;
    (void)close(h->fd); /* leaves the epoll set, too: nobody else has it */
    free(h);
}

static gri_host *find_locked(const gri_hosts *all, uint64_t id)
{
    gri_host *h = all->all;
    while (h != NULL && h->id != id) {
        h = h->next;
    }
    return h;
}

/* ---- waking proxies ------------------------------------------------------ */

/* Of the host with that number, if it has a proxy. One that waits for one hangs
 * up, too, when its process dies, whatever it is armed for: that is no news for
 * the proxy that may have it later, which is to be told then. */
static void wake(gri_hosts *all, uint64_t id, gri_cache *cache)
{
    gr_pid proxy = GR_NOBODY;
    bool signal = false;
    lock(all);
    gri_host *h = find_locked(all, id);
    if (h != NULL && !h->dropped && !h->warm) {
        proxy = h->proxy;
        signal = !h->wake_sent;
        h->wake_sent = true;
        h->wake_owed = false;
    }
    unlock(all);
    if (gr_pid_is_nobody(proxy) ||
        gri_proxy_wake(all->sys, cache, proxy, signal)) {
        return;
    }
    lock(all);
    h = find_locked(all, id);
    if (h != NULL && !h->dropped) {
        h->wake_sent = false;
        h->wake_owed = true;
    }
    unlock(all);
    ring(all);
}

/* ---- the watcher --------------------------------------------------------- */

static bool has_unread(const gri_host *h)
{
    int n = 0;
    return ioctl(h->fd, FIONREAD, &n) == 0 && n > 0;
}

static void kill_locked(gri_host *h, int64_t grace_ms)
{
    gri_launcher *launcher = h->owner->launcher;
    if (!h->ended && h->process.id != 0) {
        launcher->ops->end(launcher, h->process, grace_ms);
    }
}

/* Kills who is late. Returns when to look again; GRI_NEVER: on an event. *owed:
 * who is to be woken now, for whom there was no memory; 0: nobody. */
static int64_t look_at_deadlines_locked(gri_hosts *all, uint64_t *owed)
{
    const int64_t now = gri_clock_ns(&real_clock);
    int64_t next = GRI_NEVER;
    for (gri_host *h = all->all; h != NULL; h = h->next) {
        int64_t at = GRI_NEVER;
        if (h->wake_owed) {
            /* One moment for all: events go on coming meanwhile. */
            if (all->retry_at_ns == 0) {
                all->retry_at_ns = now + RETRY_MS * GRI_NS_PER_MS;
            }
            at = all->retry_at_ns;
            *owed = at <= now ? h->id : 0;
        } else if (h->late_at_ns != GRI_NEVER && !h->late) {
            at = h->late_at_ns;
            if (at <= now && !has_unread(h)) {
                h->late = true;
                kill_locked(h, 0);
                continue;
            }
            at = at <= now ? now + LATE_AGAIN_MS * GRI_NS_PER_MS : at;
        }
        next = at < next ? at : next;
    }
    all->retry_at_ns = *owed != 0 ? 0 : all->retry_at_ns;
    return next;
}

static int timeout_ms(int64_t until_ns)
{
    if (until_ns == GRI_NEVER) {
        return -1;
    }
    const int64_t ns = until_ns - gri_clock_ns(&real_clock);
    const int64_t ms = ns <= 0 ? 0 : ns / GRI_NS_PER_MS + 1;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

/* Waits for events and wakes whom they are for. */
static void wait_and_wake(gri_hosts *all, int64_t until_ns)
{
    struct epoll_event events[EVENTS];
    const int n = epoll_wait(all->epoll, events, EVENTS, timeout_ms(until_ns));
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == 0) {
            uint64_t count;
            (void)!read(all->bell, &count, sizeof(count)); /* resets it */
        } else {
            wake(all, events[i].data.u64, &all->watcher_cache);
        }
    }
}

static void *watch(void *arg)
{
    gri_hosts *all = arg;
    for (;;) {
        uint64_t owed = 0;
        lock(all);
        const bool done = all->stopping;
        const int64_t until = look_at_deadlines_locked(all, &owed);
        all->sleeps_until_ns = until;
        unlock(all);
        if (done) {
            return NULL;
        }
        if (owed != 0) {
            wake(all, owed, &all->watcher_cache);
        } else {
            wait_and_wake(all, until);
        }
    }
}

static int add_to_epoll(gri_hosts *all, int fd, uint32_t events, uint64_t id)
{
    struct epoll_event event = {.events = events, .data.u64 = id};
    return epoll_ctl(all->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : GR_EIO;
}

static int start_watcher_locked(gri_hosts *all)
{
    sigset_t every;
    sigset_t before;
    int rc = GR_EIO;
    all->epoll = epoll_create1(EPOLL_CLOEXEC);
    all->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (all->epoll >= 0 && all->bell >= 0) {
        rc = add_to_epoll(all, all->bell, EPOLLIN, 0);
    }
    if (rc == 0) {
        (void)sigfillset(&every);
        (void)pthread_sigmask(SIG_SETMASK, &every, &before);
        rc = pthread_create(&all->watcher, NULL, watch, all) == 0 ? 0 : GR_EIO;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (rc < 0) {
        if (all->bell >= 0) {
            (void)close(all->bell);
        }
        if (all->epoll >= 0) {
            (void)close(all->epoll);
        }
        all->epoll = -1;
    }
    return rc;
}

/* ---- starting processes -------------------------------------------------- */

/* The launcher's thread tells of the process. */
static void on_process(void *arg, const gri_process_event *event)
{
    gri_host *h = arg;
    gri_hosts *all = h->owner;
    const uint64_t id = h->id;
    lock(all);
    if (event->kind == GRI_PROCESS_STARTED) {
        h->pid = event->code;
        unlock(all);
        return;
    }
    h->ended = true;
    h->end = *event;
    h->pid = 0;
    if (h->warm || h->dropped) {
        forget_locked(h);
    }
    unlock(all);
    /* From here on h may be gone. */
    wake(all, id, &all->launcher_cache);
}

/* What every process is told first, whoever will use it. */
static void write_setup(const gri_host *h)
{
    gr_system *sys = h->owner->sys;
    const gr_system_opts *opts = gri_system_opts(sys);
    const gri_wire head = {.type = GRI_WIRE_SETUP,
                           .len = sizeof(gri_wire_setup)};
    const gri_wire_setup setup = {
        .magic = GRI_WIRE_MAGIC,
        .node = gr_system_node(sys).id,
        .arena_max = opts->arena_max,
        .actors_max = opts->actors_max,
        .message_max = opts->message_max,
        .asks_max = opts->asks_max,
        .timers_max = opts->timers_max,
        .log_level = (uint32_t)opts->log_level,
    };
    struct {
        gri_wire head;
        gri_wire_setup setup;
    } both = {head, setup};
    /* It fits: the buffer is empty, and has room for 100 times as much. */
    (void)!send(h->fd, &both, sizeof(both), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int launch_locked(gri_host *h, int control)
{
    gri_hosts *all = h->owner;
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", GRI_CONTROL_FD);
    char marker[] = GRI_ACTOR_MARKER;
    char *argv[] = {program_invocation_name, marker, number, NULL};
    sigset_t blocked;
    /* As of child nodes: the terminal's signals are for the parent. */
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigaddset(&blocked, SIGHUP);
    return all->launcher->ops->start(all->launcher,
                                     &(gri_launch){
                                         .path = "/proc/self/exe",
                                         .argv = argv,
                                         .control = control,
                                         .blocked = blocked,
                                         .fn = on_process,
                                         .arg = h,
                                     },
                                     &h->process);
}

/* A new process, to be started soon. */
static int start_locked(gri_hosts *all, gri_host **out)
{
    int ends[2];
    gri_host *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        return GR_ENOMEM;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        free(h);
        return errno == EMFILE || errno == ENFILE ? GR_ELIMIT : GR_EIO;
    }
    h->owner = all;
    h->id = ++all->ids;
    h->fd = ends[0];
    h->warm = true;
    h->late_at_ns = GRI_NEVER;
    h->next = all->all;
    all->all = h;
    write_setup(h);
    /* Disarmed: its proxy arms it. */
    int rc = add_to_epoll(all, h->fd, EPOLLONESHOT, h->id);
    if (rc == 0) {
        rc = launch_locked(h, ends[1]);
    }
    if (rc < 0) {
        (void)close(ends[1]);
        forget_locked(h);
        return rc;
    }
    *out = h;
    return 0;
}

static int ready_locked(gri_hosts *all)
{
    if (all->stopping) {
        return GR_ESTOPPED;
    }
    if (all->epoll < 0) {
        GR_TRY(start_watcher_locked(all));
    }
    return all->launcher != NULL
               ? 0
               : gri_launcher_new(gri_system_log(all->sys), &all->launcher);
}

/* The oldest that waits; *n: how many do. Not one whose process has closed the
 * other end, or died, though the launcher has not told of it yet: who took it
 * would end with it. */
static gri_host *warm_locked(const gri_hosts *all, unsigned *n)
{
    gri_host *oldest = NULL;
    *n = 0;
    for (gri_host *h = all->all; h != NULL; h = h->next) {
        if (h->warm && !h->ended && !gri_host_is_last(h)) {
            oldest = h;
            (*n)++;
        }
    }
    return oldest;
}

int gri_host_take(gri_hosts *all, gr_pid proxy, gri_host **out)
{
    unsigned n = 0;
    lock(all);
    int rc = ready_locked(all);
    gri_host *h = rc == 0 ? warm_locked(all, &n) : NULL;
    if (rc == 0 && h == NULL) {
        rc = start_locked(all, &h);
    }
    if (rc == 0) {
        h->warm = false;
        h->proxy = proxy;
        *out = h;
    }
    unlock(all);
    return rc;
}

void gri_hosts_refill(gri_hosts *all)
{
    unsigned n = 0;
    lock(all);
    (void)warm_locked(all, &n);
    for (gri_host *more = NULL;
         !all->stopping && n < all->warm_max && start_locked(all, &more) == 0;
         n++) {
        /* What cannot be started ahead is started when it is needed. */
    }
    unlock(all);
}

void gri_host_drop(gri_host *h)
{
    gri_hosts *all = h->owner;
    lock(all);
    h->dropped = true;
    h->wake_owed = false;
    h->proxy = GR_NOBODY;
    kill_locked(h, 0);
    if (h->ended) {
        forget_locked(h);
    }
    unlock(all);
}

/* ---- what a proxy asks --------------------------------------------------- */

int gri_host_fd(const gri_host *h)
{
    return h->fd;
}

void gri_host_arm(gri_host *h, bool reading, bool writing)
{
    struct epoll_event event = {
        .events = EPOLLONESHOT | EPOLLRDHUP | (reading ? EPOLLIN : 0u) |
                  (writing ? EPOLLOUT : 0u),
        .data.u64 = h->id,
    };
    /* Cannot fail: it is in the set as long as it is open. */
    (void)epoll_ctl(h->owner->epoll, EPOLL_CTL_MOD, h->fd, &event);
}

bool gri_host_is_last(const gri_host *h)
{
    struct pollfd polled = {.fd = h->fd, .events = POLLRDHUP};
    return poll(&polled, 1, 0) > 0;
}

void gri_host_awake(gri_host *h)
{
    lock(h->owner);
    h->wake_sent = false;
    unlock(h->owner);
}

bool gri_host_ended(gri_host *h, gri_process_event *out, bool *late)
{
    lock(h->owner);
    const bool ended = h->ended;
    *out = h->end;
    *late = h->late;
    unlock(h->owner);
    return ended;
}

void gri_host_kill(gri_host *h, int64_t grace_ms)
{
    lock(h->owner);
    kill_locked(h, grace_ms);
    unlock(h->owner);
}

void gri_host_limit(gri_host *h, int64_t max_ms)
{
    gri_hosts *all = h->owner;
    /* Most have none, ever; only the proxy writes it. */
    if (max_ms == 0 && h->late_at_ns == GRI_NEVER) {
        return;
    }
    lock(all);
    h->late_at_ns = max_ms == 0 ? GRI_NEVER : gri_deadline(&real_clock, max_ms);
    const bool earlier = h->late_at_ns < all->sleeps_until_ns;
    unlock(all);
    if (earlier) {
        ring(all);
    }
}

int gri_hosts_process_of(gri_hosts *all, gr_pid proxy)
{
    lock(all);
    const gri_host *h = all->all;
    while (h != NULL && !gr_pid_eq(h->proxy, proxy)) {
        h = h->next;
    }
    const int pid = h != NULL ? h->pid : 0;
    unlock(all);
    return pid;
}

unsigned gri_hosts_warm(gri_hosts *all)
{
    unsigned n = 0;
    lock(all);
    for (const gri_host *h = all->all; h != NULL; h = h->next) {
        n += h->warm && h->pid != 0;
    }
    unlock(all);
    return n;
}

/* ---- the system's -------------------------------------------------------- */

int gri_hosts_new(gr_system *sys, uint32_t warm, gri_hosts **out)
{
    gri_hosts *all = calloc(1, sizeof(*all));
    if (all == NULL) {
        return GR_ENOMEM;
    }
    all->sys = sys;
    all->warm_max = warm;
    all->epoll = -1;
    (void)pthread_mutex_init(&all->lock, NULL); /* never fails in glibc */
    gri_cache_init(&all->watcher_cache, gri_system_depot(sys));
    gri_cache_init(&all->launcher_cache, gri_system_depot(sys));
    *out = all;
    return 0;
}

/* The descriptors stay open: who comes late may ring, or arm its host. */
void gri_hosts_stop(gri_hosts *all, int64_t deadline_ms)
{
    lock(all);
    all->stopping = true;
    unlock(all);
    if (all->launcher != NULL) {
        all->launcher->ops->stop(all->launcher, deadline_ms);
    }
    if (all->epoll >= 0) {
        ring(all);
        const int rc = pthread_join(all->watcher, NULL);
        GR_ASSERT(rc == 0);
    }
}

void gri_hosts_free(gri_hosts *all)
{
    GR_ASSERT(all->all == NULL); /* each is dropped, and its process told of */
    if (all->epoll >= 0) {
        (void)close(all->bell);
        (void)close(all->epoll);
    }
    gri_cache_flush(&all->watcher_cache);
    gri_cache_flush(&all->launcher_cache);
    (void)pthread_mutex_destroy(&all->lock);
    free(all);
}
