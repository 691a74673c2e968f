/*
 * transport/link_local.c - links between systems of one process.
 *
 * There is no buffer between the two ends. Whoever comes second, the sender or
 * the receiver, copies from the one's memory into the other's, and both are
 * done. So a link costs a few hundred bytes, and a receiver that does not read
 * holds up its sender at once.
 *
 * No callback is called by who sends, receives or closes: it may hold locks
 * that the other end's user wants. Each end has a job that its own keeper runs,
 * as soon as there is something to tell: one callback at a time, then the
 * keeper's other jobs have their turn.
 *
 * What is listened on is found in a list of the whole process: the one place
 * where systems meet that share nothing else.
 *
 * Locks: the list's, a pair's; under either the keeper's and no other.
 */
#include <stdlib.h>
#include <string.h>

#include <greenroom/error.h>

#include "base/assert.h"
#include "base/memory.h"
#include "transport/link.h"

enum {
    /* Links that wait to be accepted, of one place: then dials are refused, as
     * the kernel does it. */
    BACKLOG_MAX = 1024,
    PLACE_BYTES = 80 /* an address with its scheme and ending zero */
};

/* What an end has to be told. */
enum { OPENED = 1, SENT = 2, RECEIVED = 4 };

typedef struct pair pair;

typedef struct end {
    gri_link base;
    pair *pair;
    gri_keeper *keeper;
    gri_job job;
    struct end *next; /* of those that wait to be accepted */
    int open_rc;      /* constant once it is dialed */

    /* under pair->lock */
    bool queued; /* the keeper has the job */
    bool closing;
    unsigned tell;
    void *rx; /* what is received into, and how much; NULL: nothing is */
    size_t rx_size;
    const void *tx;
    size_t tx_size;
    int64_t received, sent; /* of what is done, and to be told */
} end;

struct pair {
    pthread_mutex_t lock;
    _Atomic(uint32_t) ends; /* that are not freed yet */
    end dialed, accepted;
};

typedef struct place {
    gri_port base;
    char address[PLACE_BYTES]; /* constant, as are the next three */
    gri_keeper *keeper;
    gri_accept_fn *accepted;
    void *arg;
    gri_job job;

    /* under places_lock */
    struct place *next;
    unsigned holds; /* one for being listened on, one for the job */
    bool queued;    /* the keeper has the job */
    bool running;   /* accepted */
    end *first, **last;
    unsigned waiting;
} place;

static pthread_mutex_t places_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t places_quiet = PTHREAD_COND_INITIALIZER;
static place *places; /* under places_lock */

static void lock(end *e)
{
    (void)pthread_mutex_lock(&e->pair->lock);
}

static void unlock(end *e)
{
    (void)pthread_mutex_unlock(&e->pair->lock);
}

static end *other_of(end *e)
{
    pair *p = e->pair;
    return e == &p->dialed ? &p->accepted : &p->dialed;
}

/* ---- what an end is told ------------------------------------------------- */

/* Under lock. */
static void tell(end *e, unsigned what)
{
    e->tell |= what;
    if (!e->queued) {
        e->queued = true;
        gri_keeper_run(e->keeper, &e->job);
    }
}

static void tell_received(end *e, int64_t n)
{
    e->rx = NULL;
    e->received = n;
    tell(e, RECEIVED);
}

static void tell_sent(end *e, int64_t n)
{
    e->tx = NULL;
    e->sent = n;
    tell(e, SENT);
}

/* The next callback; returns which it was, 0: none. Not under lock. */
static unsigned tell_next(end *e)
{
    const gri_link_events *events = e->base.events;
    lock(e);
    unsigned what = e->tell & (0 - e->tell); /* the lowest bit */
    e->tell &= ~what;
    int64_t n = what == SENT ? e->sent : e->received;
    unlock(e);
    if (what == OPENED) {
        events->opened(e->base.arg, e->open_rc);
    } else if (what == SENT) {
        events->sent(e->base.arg, n);
    } else if (what == RECEIVED) {
        events->received(e->base.arg, n);
    }
    return what;
}

/* The keeper's. */
static void work(gri_job *job)
{
    end *e = GRI_CONTAINER(job, end, job);
    unsigned told = tell_next(e);
    lock(e);
    bool over = e->closing && told == 0 && e->tell == 0;
    bool again = !over && (e->closing || e->tell != 0);
    /* Once it is over nothing starts any more, so nothing is told: it stays
     * marked, and its keeper may end. */
    e->queued = over || again;
    if (again) {
        gri_keeper_run(e->keeper, &e->job);
    }
    unlock(e);
    if (over) {
        if (e->base.events != NULL) {
            e->base.events->closed(e->base.arg);
        }
        gri_link_drop(&e->base);
    }
}

/* ---- bytes --------------------------------------------------------------- */

/* Returns how much has passed, of which only the receiver is told. Under lock.
 */
static int64_t pass(const end *from, end *to)
{
    if (from->tx == NULL || to->rx == NULL) {
        return 0;
    }
    size_t n = from->tx_size < to->rx_size ? from->tx_size : to->rx_size;
    memcpy(to->rx, from->tx, n);
    tell_received(to, (int64_t)n);
    return (int64_t)n;
}

static void local_recv(gri_link *base, void *buf, size_t n)
{
    end *e = GRI_CONTAINER(base, end, base);
    end *other = other_of(e);
    lock(e);
    if (!e->closing) {
        e->rx = buf;
        e->rx_size = n;
        if (other->closing) {
            tell_received(e, GR_ENOCONN);
        } else {
            const int64_t passed = pass(other, e);
            if (passed > 0) {
                tell_sent(other, passed);
            }
        }
    }
    unlock(e);
}

static int64_t local_send(gri_link *base, const void *buf, size_t n)
{
    end *e = GRI_CONTAINER(base, end, base);
    end *other = other_of(e);
    int64_t done = 0;
    lock(e);
    if (!e->closing) {
        e->tx = buf;
        e->tx_size = n;
        if (other->closing) {
            tell_sent(e, GR_ENOCONN);
        } else {
            done = pass(e, other);
        }
        if (done > 0) {
            e->tx = NULL; /* it was done at once */
        }
    }
    unlock(e);
    return done;
}

/* Under lock. */
static void end_flights(end *e)
{
    if (e->rx != NULL) {
        tell_received(e, GR_ENOCONN);
    }
    if (e->tx != NULL) {
        tell_sent(e, GR_ENOCONN);
    }
}

static void local_close(gri_link *base)
{
    end *e = GRI_CONTAINER(base, end, base);
    lock(e);
    if (!e->closing) {
        e->closing = true;
        end_flights(e);
        end_flights(other_of(e));
        tell(e, 0); /* that it is closed, behind the rest */
    }
    unlock(e);
}

/* ---- their memory -------------------------------------------------------- */

static void free_end(gri_link *base)
{
    end *e = GRI_CONTAINER(base, end, base);
    pair *p = e->pair;
    /* release: our use of the pair is over before the other end's free;
     * acquire: whoever is last sees that. Both in this function. */
    if (atomic_fetch_sub_explicit(&p->ends, 1, memory_order_acq_rel) == 1) {
        (void)pthread_mutex_destroy(&p->lock);
        free(p);
    }
}

static void init_end(end *e, pair *p, gri_keeper *keeper)
{
    gri_link_init(&e->base, &gri_link_local, NULL, NULL);
    e->pair = p;
    e->keeper = keeper;
    e->job.run = work;
}

/* With one end; the other counts when it waits to be accepted. */
static pair *pair_new(gri_keeper *keeper)
{
    pair *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&p->lock, NULL) != 0) {
        free(p);
        return NULL;
    }
    atomic_init(&p->ends, 1);
    init_end(&p->dialed, p, keeper);
    return p;
}

/* ---- places -------------------------------------------------------------- */

/* Under places_lock, as the next four. */
static place *find_place(const char *address)
{
    place *at = places;
    while (at != NULL && strcmp(at->address, address) != 0) {
        at = at->next;
    }
    return at;
}

static void drop_place(place *at)
{
    if (--at->holds == 0) {
        free(at);
    }
}

static void queue_place(place *at)
{
    if (!at->queued) {
        at->queued = true;
        at->holds++;
        gri_keeper_run(at->keeper, &at->job);
    }
}

static end *next_waiting(place *at)
{
    end *e = at->first;
    if (e != NULL) {
        at->first = e->next;
        at->waiting--;
        if (at->first == NULL) {
            at->last = &at->first;
        }
    }
    return e;
}

/* False: nobody listens there, or too many wait. */
static bool queue_up(pair *p, const char *address)
{
    place *at = find_place(address);
    if (at == NULL || at->waiting == BACKLOG_MAX) {
        return false;
    }
    /* relaxed: nobody else has the pair yet. */
    atomic_store_explicit(&p->ends, 2, memory_order_relaxed);
    init_end(&p->accepted, p, at->keeper);
    *at->last = &p->accepted;
    at->last = &p->accepted.next;
    at->waiting++;
    queue_place(at);
    return true;
}

/* The keeper's: accepts one. */
static void accept_one(gri_job *job)
{
    place *at = GRI_CONTAINER(job, place, job);
    (void)pthread_mutex_lock(&places_lock);
    end *e = next_waiting(at);
    at->running = e != NULL;
    (void)pthread_mutex_unlock(&places_lock);
    if (e != NULL) {
        at->accepted(at->arg, &e->base);
    }
    (void)pthread_mutex_lock(&places_lock);
    if (at->running) {
        at->running = false;
        (void)pthread_cond_broadcast(&places_quiet);
    }
    at->queued = false;
    if (at->first != NULL) {
        queue_place(at);
    }
    drop_place(at);
    (void)pthread_mutex_unlock(&places_lock);
}

static void local_unlisten(gri_port *base)
{
    place *at = GRI_CONTAINER(base, place, base);
    (void)pthread_mutex_lock(&places_lock);
    place **from = &places;
    while (*from != at) {
        from = &(*from)->next;
    }
    *from = at->next;
    end *e = at->first;
    at->first = NULL;
    at->last = &at->first;
    while (at->running) {
        (void)pthread_cond_wait(&places_quiet, &places_lock);
    }
    drop_place(at);
    (void)pthread_mutex_unlock(&places_lock);
    while (e != NULL) {
        end *next = e->next;
        local_close(&e->base);
        e = next;
    }
}

static int local_listen(gri_keeper *keeper, const char *address,
                        gri_accept_fn *accepted, void *arg, gri_port **out)
{
    size_t n = strlen(address);
    int rc = gri_address_check(address, true);
    if (rc < 0) {
        return rc;
    }
    place *at = calloc(1, sizeof *at);
    if (at == NULL) {
        return GR_ENOMEM;
    }
    GR_ASSERT(n < sizeof at->address);
    memcpy(at->address, address, n + 1);
    at->base.ops = &gri_link_local;
    at->keeper = keeper;
    at->accepted = accepted;
    at->arg = arg;
    at->job.run = accept_one;
    at->holds = 1;
    at->last = &at->first;
    (void)pthread_mutex_lock(&places_lock);
    bool taken = find_place(address) != NULL;
    if (!taken) {
        at->next = places;
        places = at;
    }
    (void)pthread_mutex_unlock(&places_lock);
    if (taken) {
        free(at);
        return GR_EADDRESS;
    }
    *out = &at->base;
    return 0;
}

static const char *local_address(const gri_port *base)
{
    return ((const place *)base)->address;
}

/* It is open, or refused, at once: there is nothing that a timeout could cut
 * short. */
static int local_dial(gri_keeper *keeper, const gri_dial *dial, gri_link **out)
{
    int rc = gri_address_check(dial->address, false);
    if (rc < 0) {
        return rc;
    }
    pair *p = pair_new(keeper);
    if (p == NULL) {
        return GR_ENOMEM;
    }
    end *e = &p->dialed;
    gri_link_attach(&e->base, dial->events, dial->arg);
    *out = &e->base;
    (void)pthread_mutex_lock(&places_lock);
    bool there = queue_up(p, dial->address);
    (void)pthread_mutex_unlock(&places_lock);
    e->open_rc = there ? 0 : GR_ENOCONN;
    lock(e);
    tell(e, OPENED);
    unlock(e);
    return 0;
}

const gri_link_ops gri_link_local = {
    .listen = local_listen,
    .address = local_address,
    .unlisten = local_unlisten,
    .dial = local_dial,
    .recv = local_recv,
    .send = local_send,
    .close = local_close,
    .free = free_end,
};
