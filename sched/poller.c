/* sched/poller.c - see poller.h. */
#include "sched/poller.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <greenroom/error.h>

int gri_poller_init(gri_poller *p, const gri_clock *clock)
{
    *p = (gri_poller){.clock = clock, .epoll_fd = -1, .event_fd = -1};
    p->last = &p->first;
    return pthread_mutex_init(&p->lock, NULL) == 0 ? 0 : GR_ENOMEM;
}

static int error_of(int number)
{
    return number == ENOMEM ? GR_ENOMEM : GR_EIO;
}

static int watch(const gri_poller *p, int fd, void *who, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = who};
    return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0 ? 0
                                                              : error_of(errno);
}

/* Under lock. */
static int open_locked(gri_poller *p)
{
    const int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0) {
        return error_of(errno);
    }
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int rc = p->epoll_fd < 0 ? error_of(errno)
                             : watch(p, event_fd, NULL, EPOLLIN | EPOLLET);
    if (rc < 0) {
        if (p->epoll_fd >= 0) {
            (void)close(p->epoll_fd);
            p->epoll_fd = -1;
        }
        (void)close(event_fd);
        return rc;
    }
    p->event_fd = event_fd;
    /* seq_cst: before the look for sleepers in `unheld`; who sleeps has said so
     * before it looks whether this is open. A release, too: pairs with
     * gri_poller_is_open. */
    atomic_store_explicit(&p->open, true, memory_order_seq_cst);
    return 0;
}

int gri_poller_open(gri_poller *p)
{
    (void)pthread_mutex_lock(&p->lock);
    const bool was_open = gri_poller_is_open(p);
    const int rc = was_open ? 0 : open_locked(p);
    (void)pthread_mutex_unlock(&p->lock);
    if (rc == 0 && !was_open && p->unheld != NULL) {
        p->unheld(p->arg); /* who sleeps does so elsewhere */
    }
    return rc;
}

int gri_poller_add(gri_poller *p, int fd, gri_pollee *pollee)
{
    /* release: who is told of it sees all of the pollee; pairs with the acquire
     * in gri_poller_wait. The kernel orders the two, but does not say so. */
    atomic_fetch_add_explicit(&p->adds, 1, memory_order_release);
    return watch(p, fd, pollee, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

void gri_poller_remove(gri_poller *p, int fd, const gri_pollee *pollee)
{
    (void)epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    /* What was fetched already is not told. */
    for (int i = 0; i < p->count; i++) {
        if (p->events[i].data.ptr == pollee) {
            p->events[i].data.ptr = NULL;
        }
    }
}

void gri_poller_wake(gri_poller *p)
{
    const uint64_t one = 1;
    /* Only at 2^64 wakes can it fail; then it is ready anyway. */
    (void)!write(p->event_fd, &one, sizeof one);
}

void gri_poller_post(gri_poller *p, gri_post *post)
{
    /* acq_rel: what was done before is seen by the run that follows; pairs
     * with the exchange in run_posts. */
    if (atomic_exchange_explicit(&post->posted, true, memory_order_acq_rel)) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    post->next = NULL;
    *p->last = post;
    p->last = &post->next;
    /* relaxed: a hint to who holds the poller; the wake makes it look. */
    atomic_fetch_add_explicit(&p->posts, 1, memory_order_relaxed);
    (void)pthread_mutex_unlock(&p->lock);
    gri_poller_wake(p);
}

bool gri_poller_take(gri_poller *p)
{
    /* seq_cst, both: with gri_poller_leave. The load, which spares the line, is
     * all that who finds it held looks at: it must not be done before who
     * parks has said that it sleeps. The exchange is an acquire, too: what the
     * last holder did is done. */
    return !atomic_load_explicit(&p->held, memory_order_seq_cst) &&
           !atomic_exchange_explicit(&p->held, true, memory_order_seq_cst);
}

void gri_poller_give(gri_poller *p)
{
    /* relaxed: about when. */
    atomic_store_explicit(&p->looked_ns, gri_clock_ns(p->clock),
                          memory_order_relaxed);
    /* seq_cst: before the look for sleepers in `unheld`; who sleeps has said so
     * before it tried to take it. A release, too: pairs with gri_poller_take.
     */
    atomic_store_explicit(&p->held, false, memory_order_seq_cst);
}

void gri_poller_leave(gri_poller *p)
{
    gri_poller_give(p);
    if (p->unheld != NULL) {
        p->unheld(p->arg);
    }
}

/* As epoll_pwait2, also where the kernel has only the older call. */
static int wait_events(gri_poller *p, const struct timespec *timeout)
{
    int n = epoll_pwait2(p->epoll_fd, p->events, GRI_POLL_BATCH, timeout, NULL);
    if (n < 0 && errno == ENOSYS) {
        int64_t ms = -1;
        if (timeout != NULL) {
            ms = (int64_t)timeout->tv_sec * 1000 +
                 (timeout->tv_nsec + 999999) / 1000000;
            ms = ms > INT32_MAX ? INT32_MAX : ms;
        }
        n = epoll_wait(p->epoll_fd, p->events, GRI_POLL_BATCH, (int)ms);
    }
    return n < 0 ? 0 : n; /* a signal */
}

static bool has_posts(const gri_poller *p)
{
    /* relaxed: see gri_poller_post. */
    return atomic_load_explicit(&p->posts, memory_order_relaxed) > 0;
}

bool gri_poller_wait(gri_poller *p, int64_t until_ns)
{
    struct timespec t = {0, 0};
    const struct timespec *timeout = &t;
    if (until_ns == GRI_NEVER) {
        timeout = NULL;
    } else if (until_ns > 0) {
        int64_t left = until_ns - gri_clock_ns(p->clock);
        left = left > 0 ? left : 0;
        t = (struct timespec){.tv_sec = (time_t)(left / GRI_NS_PER_S),
                              .tv_nsec = (long)(left % GRI_NS_PER_S)};
    }
    if (has_posts(p)) {
        t = (struct timespec){0, 0};
        timeout = &t;
    }
    p->count = wait_events(p, timeout);
    /* acquire: see gri_poller_add. */
    (void)atomic_load_explicit(&p->adds, memory_order_acquire);
    return p->count > 0 || has_posts(p);
}

/* Takes out all that was posted. */
static gri_post *take_posts(gri_poller *p)
{
    (void)pthread_mutex_lock(&p->lock);
    gri_post *first = p->first;
    p->first = NULL;
    p->last = &p->first;
    atomic_store_explicit(&p->posts, 0, memory_order_relaxed); /* as above */
    (void)pthread_mutex_unlock(&p->lock);
    return first;
}

static void run_posts(gri_poller *p, struct gri_worker *worker)
{
    gri_post *post = has_posts(p) ? take_posts(p) : NULL;
    while (post != NULL) {
        gri_post *next = post->next; /* before it is posted again */
        /* acq_rel: pairs with the one in gri_poller_post. */
        (void)atomic_exchange_explicit(&post->posted, false,
                                       memory_order_acq_rel);
        post->run(post, worker);
        post = next;
    }
}

void gri_poller_tell(gri_poller *p, struct gri_worker *worker)
{
    for (int i = 0; i < p->count; i++) {
        gri_pollee *pollee = p->events[i].data.ptr;
        if (pollee != NULL) { /* not the wake, nor removed */
            pollee->ready(pollee, worker, p->events[i].events);
        }
    }
    p->count = 0;
    run_posts(p, worker);
}

void gri_poller_fini(gri_poller *p)
{
    run_posts(p, NULL);
    if (p->epoll_fd >= 0) {
        (void)close(p->epoll_fd); /* nothing is lost */
        (void)close(p->event_fd);
    }
    (void)pthread_mutex_destroy(&p->lock);
}

static void look(gri_poller *p, struct gri_worker *worker)
{
    if (gri_poller_wait(p, 0)) {
        gri_poller_tell(p, worker);
    }
}

void gri_poller_look(gri_poller *p, struct gri_worker *worker, int64_t now_ns,
                     int64_t pause_ns)
{
    /* relaxed, all: about when. */
    if (now_ns - atomic_load_explicit(&p->tried_ns, memory_order_relaxed) >
        GRI_POLL_OFTEN_NS / 4) { /* not each time: others read that line */
        atomic_store_explicit(&p->tried_ns, now_ns, memory_order_relaxed);
    }
    if (now_ns - atomic_load_explicit(&p->looked_ns, memory_order_relaxed) <
            pause_ns ||
        !gri_poller_take(p)) {
        return;
    }
    look(p, worker);
    gri_poller_give(p);
}

void gri_poller_help(gri_poller *p)
{
    if (gri_poller_take(p)) {
        look(p, NULL);
        gri_poller_leave(p);
    }
}
