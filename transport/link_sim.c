/*
 * transport/link_sim.c - links of a simulated network, in virtual time.
 *
 * What is sent is cut into chunks at random places; each is on its way for a
 * random time of its line's, but arrives behind the one before it. As with a
 * real connection, `sent` says only that the chunk is on its way, and so many
 * bytes may be until the sender waits for the reader. A connection that is cut,
 * or closed, is an end behind the last chunk; what is sent after it is lost.
 * During a partition nothing is looked at that has arrived from the other end:
 * the look is repeated when the partition is over.
 *
 * Everything but the calls of the user happens in events of the world, and
 * closing in a job of the keeper. An event calls at most one callback, last of
 * all: in it the link may be closed.
 */
#include <stdlib.h>
#include <string.h>

#include <greenroom/error.h>

#include "base/assert.h"
#include "base/memory.h"
#include "transport/link.h"
#include "transport/sim_net.h"
#include "transport/sim_pipe.h"

enum {
    PIPE_BYTES = 64 * 1024, /* on their way from one end, or not read yet */
    STEP_NS = 1000,         /* what takes no time takes so long at least */
    DIAL_MS = 120000,       /* without an answer; as Linux has it */
    SLICES = 100,           /* a second of a slow reader's */
    PLACE_BYTES = 80,       /* an address with its scheme and ending zero */
    MILLION = 1000000
};

typedef struct gri_sim_pair pair;
typedef struct gri_sim_place place;

typedef struct end {
    gri_link base;
    pair *pair;
    gri_keeper *keeper;
    gri_job closing_job;
    uint64_t node; /* the keeper's, which may end before this */
    gri_happening open, read, write;
    bool closing;

    gri_sim_pipe out; /* what this one has sent */

    /* what its user asked for; NULL: nothing */
    void *rx;
    size_t rx_size;
    const void *tx;
    size_t tx_size;
    int64_t read_ns; /* a slow reader reads again then */
} end;

struct gri_sim_pair {
    gr_sim_net *net;
    pair *next, **from; /* of the net's */
    unsigned ends;      /* that are not freed yet */
    bool is_cut;
    end dialed, accepted;
    /* of the dial */
    bool answered; /* it has come to the other end, whoever is there */
    bool told;     /* opened */
    int64_t give_up_ns;
    int64_t answer_ns; /* not before */
    char address[PLACE_BYTES];
};

struct gri_sim_place {
    gri_port base;
    gr_sim_net *net;
    place *next;
    gri_keeper *keeper;
    gri_accept_fn *accepted;
    void *arg;
    char address[PLACE_BYTES];
};

static gr_sim_net *net_of(const gri_keeper *keeper)
{
    return (gr_sim_net *)(void *)keeper->world;
}

static end *other_of(end *e)
{
    pair *p = e->pair;
    return e == &p->dialed ? &p->accepted : &p->dialed;
}

static int64_t now_of(const pair *p)
{
    return p->net->world.now_ns;
}

static bool is_parted(const pair *p)
{
    return gri_sim_parted(p->net, p->dialed.node, p->accepted.node);
}

/* 0 to n - 1. */
static uint64_t chance(pair *p, uint64_t n)
{
    GR_ASSERT(n > 0);
    return gri_rng_next(&p->net->world.rng) % n;
}

/* n, or now and then less: any number is allowed. */
static size_t some_of(pair *p, size_t n)
{
    return chance(p, 4) == 0 ? 1 + (size_t)chance(p, n) : n;
}

static int64_t delay_ns(pair *p, const gr_sim_line *line)
{
    int64_t range = line->delay_max_ms - line->delay_min_ms;
    int64_t ns = line->delay_min_ms * GRI_NS_PER_MS + STEP_NS;
    uint64_t more = (uint64_t)(range * GRI_NS_PER_MS) + STEP_NS;
    return ns + (int64_t)chance(p, more);
}

static gr_sim_line line_of(end *from)
{
    return gri_sim_line_of(from->pair->net, from->node, other_of(from)->node);
}

/* ---- when to look -------------------------------------------------------- */

static void look(end *e, gri_happening *event, int64_t at_ns)
{
    if (!e->closing) {
        gri_world_hasten(&e->pair->net->world, event, at_ns);
    }
}

/* Whether all that the other end has to say was said, and that has arrived. */
static bool has_ended(end *e)
{
    const end *other = other_of(e);
    return other->out.ends && other->out.end_ns <= now_of(e->pair) &&
           !is_parted(e->pair);
}

static void look_to_read(end *e)
{
    const end *other = other_of(e);
    int64_t at = gri_sim_pipe_next(&other->out);
    if (e->rx != NULL && at != GRI_NEVER) {
        at = at > e->read_ns ? at : e->read_ns;
        look(e, &e->read, at);
    }
}

static void look_to_write(end *e)
{
    const end *other = other_of(e);
    if (e->tx != NULL && e->out.held < PIPE_BYTES) {
        look(e, &e->write, now_of(e->pair) + STEP_NS);
    } else if (e->tx != NULL && other->out.ends) {
        look(e, &e->write, other->out.end_ns);
    }
}

/* The connection ends behind what `from` has sent. */
static void end_behind(end *from)
{
    end *other = other_of(from);
    gr_sim_line line = line_of(from);
    int64_t at = now_of(from->pair) + delay_ns(from->pair, &line);
    from->out.ends = true;
    from->out.end_ns = at > from->out.last_ns ? at : from->out.last_ns;
    look_to_read(other);
    look_to_write(other);
}

/* ---- cutting ------------------------------------------------------------- */

static void cut_end(pair *p, end *e, bool arrives)
{
    if (!e->out.ends && !arrives) {
        size_t size = gri_sim_pipe_size(&e->out);
        gri_sim_pipe_keep(&e->out, (size_t)chance(p, size + 1));
    }
    if (!e->out.ends) {
        end_behind(e);
    }
}

/* What `whole` has sent arrives in any case. */
static void cut(pair *p, const end *whole)
{
    p->is_cut = true;
    cut_end(p, &p->dialed, whole == &p->dialed);
    cut_end(p, &p->accepted, whole == &p->accepted);
}

unsigned gri_sim_cut_pairs(gr_sim_net *net, uint64_t a, uint64_t b)
{
    unsigned n = 0;
    for (pair *p = net->pairs; p != NULL; p = p->next) {
        if (p->accepted.keeper != NULL && !p->is_cut && !p->dialed.out.ends &&
            !p->accepted.out.ends &&
            gri_sim_means(a, b, p->dialed.node, p->accepted.node)) {
            cut(p, NULL);
            n++;
        }
    }
    return n;
}

void gri_sim_look_again(gr_sim_net *net)
{
    for (pair *p = net->pairs; p != NULL; p = p->next) {
        if (!p->told) {
            look(&p->dialed, &p->dialed.open, p->answer_ns);
        }
        look_to_read(&p->dialed);
        look_to_read(&p->accepted);
        look_to_write(&p->dialed);
        look_to_write(&p->accepted);
    }
}

/* ---- bytes --------------------------------------------------------------- */

static void on_write(gri_happening *event)
{
    end *e = GRI_CONTAINER(event, end, write);
    end *other = other_of(e);
    pair *p = e->pair;
    gr_sim_line line = line_of(e);
    int64_t n = GR_ENOCONN;
    if (e->tx == NULL || (e->out.held == PIPE_BYTES && !has_ended(e))) {
        return;
    }
    if (!has_ended(e)) {
        size_t room = PIPE_BYTES - e->out.held;
        n = (int64_t)some_of(p, e->tx_size < room ? e->tx_size : room);
        e->out.held += (size_t)n;
    }
    if (n > 0 && !e->out.ends && !other->closing) {
        /* The byte behind which it is cut, if it is among these. */
        uint64_t at = line.cuts_per_mb == 0
                          ? UINT64_MAX
                          : chance(p, MILLION) / line.cuts_per_mb;
        bool is_last = at < (uint64_t)n;
        size_t goes = is_last ? (size_t)at + 1 : (size_t)n;
        int rc = gri_sim_pipe_put(&e->out, e->tx, goes,
                                  now_of(p) + delay_ns(p, &line));
        if (is_last || rc < 0) {
            cut(p, e);
        }
        look_to_read(other);
    }
    e->tx = NULL;
    e->base.events->sent(e->base.arg, n);
}

static void on_read(gri_happening *event)
{
    end *e = GRI_CONTAINER(event, end, read);
    end *other = other_of(e);
    pair *p = e->pair;
    gr_sim_line line = line_of(other);
    if (e->rx == NULL || is_parted(p)) {
        return;
    }
    size_t most = some_of(p, e->rx_size);
    if (line.bytes_per_s != 0) {
        size_t slice = 1 + line.bytes_per_s / SLICES;
        most = most < slice ? most : slice;
    }
    int64_t n = (int64_t)gri_sim_pipe_take(&other->out, e->rx, most, now_of(p));
    if (n == 0 && !has_ended(e)) {
        look_to_read(e);
        return;
    }
    if (n > 0 && line.bytes_per_s != 0) {
        e->read_ns = now_of(p) + n * GRI_NS_PER_MS * 1000 / line.bytes_per_s;
    }
    other->out.held -= (size_t)n;
    look_to_write(other);
    e->rx = NULL;
    e->base.events->received(e->base.arg, n > 0 ? n : GR_ENOCONN);
}

static void sim_recv(gri_link *base, void *buf, size_t n)
{
    end *e = GRI_CONTAINER(base, end, base);
    if (!e->closing) {
        e->rx = buf;
        e->rx_size = n;
        look_to_read(e);
    }
}

static int64_t sim_send(gri_link *base, const void *buf, size_t n)
{
    end *e = GRI_CONTAINER(base, end, base);
    if (!e->closing) {
        e->tx = buf;
        e->tx_size = n;
        look_to_write(e);
    }
    return 0;
}

/* ---- opening and closing ------------------------------------------------- */

static void close_now(gri_job *job)
{
    end *e = GRI_CONTAINER(job, end, closing_job);
    end *other = other_of(e);
    pair *p = e->pair;
    const gri_link_events *events = e->base.events;
    void *arg = e->base.arg;
    gri_world_disarm(&p->net->world, &e->open);
    gri_world_disarm(&p->net->world, &e->read);
    gri_world_disarm(&p->net->world, &e->write);
    if (!e->out.ends && p->answered) {
        end_behind(e);
    }
    gri_sim_pipe_keep(&other->out, 0); /* nobody reads it */
    if (e == &p->dialed && !p->told) {
        p->told = true;
        events->opened(arg, GR_ENOCONN);
    }
    if (e->rx != NULL) {
        e->rx = NULL;
        events->received(arg, GR_ENOCONN);
    }
    if (e->tx != NULL) {
        e->tx = NULL;
        events->sent(arg, GR_ENOCONN);
    }
    if (events != NULL) {
        events->closed(arg);
    }
    gri_link_drop(&e->base);
}

static void sim_close(gri_link *base)
{
    end *e = GRI_CONTAINER(base, end, base);
    if (!e->closing) {
        e->closing = true;
        gri_keeper_run(e->keeper, &e->closing_job);
    }
}

static void free_end(gri_link *base)
{
    pair *p = GRI_CONTAINER(base, end, base)->pair;
    if (--p->ends > 0) {
        return;
    }
    *p->from = p->next;
    if (p->next != NULL) {
        p->next->from = p->from;
    }
    gri_sim_pipe_fini(&p->dialed.out);
    gri_sim_pipe_fini(&p->accepted.out);
    free(p);
}

static void on_open(gri_happening *event);

static void init_end(end *e, pair *p, gri_keeper *keeper)
{
    gri_link_init(&e->base, &gri_link_sim, NULL, NULL);
    e->pair = p;
    e->keeper = keeper;
    e->node = keeper->node;
    e->closing_job.run = close_now;
    e->open.run = on_open;
    e->read.run = on_read;
    e->write.run = on_write;
    gri_sim_pipe_init(&e->out);
    p->ends++;
}

static place *find_place(const gr_sim_net *net, const char *address)
{
    place *at = net->places;
    while (at != NULL && strcmp(at->address, address) != 0) {
        at = at->next;
    }
    return at;
}

/* The dial has come to the other end, and something goes back. */
static void answer(pair *p)
{
    place *at = find_place(p->net, p->address);
    gr_sim_line line = {.delay_min_ms = 0};
    if (at != NULL) {
        init_end(&p->accepted, p, at->keeper);
        line = line_of(&p->accepted);
    }
    p->answered = true;
    p->answer_ns = now_of(p) + delay_ns(p, &line);
    look(&p->dialed, &p->dialed.open,
         p->answer_ns < p->give_up_ns ? p->answer_ns : p->give_up_ns);
    if (at != NULL) {
        at->accepted(at->arg, &p->accepted.base);
    }
}

static bool is_open_to_all(const pair *p)
{
    /* Nobody knows yet which node it will come to; but who is cut off from all
     * reaches none. */
    const place *at = find_place(p->net, p->address);
    return !gri_sim_parted(p->net, p->dialed.node,
                           at != NULL ? at->keeper->node : 0);
}

static void on_open(gri_happening *event)
{
    end *e = GRI_CONTAINER(event, end, open);
    pair *p = e->pair;
    int64_t now = now_of(p);
    bool passes = p->answered ? !is_parted(p) : is_open_to_all(p);
    if (p->told) {
        return;
    }
    if (now >= p->give_up_ns) {
        p->told = true;
        e->base.events->opened(e->base.arg, GR_ETIMEOUT);
    } else if (!passes || now < p->answer_ns) {
        bool soon = passes && p->answer_ns < p->give_up_ns;
        look(e, event, soon ? p->answer_ns : p->give_up_ns);
    } else if (!p->answered) {
        answer(p);
    } else {
        p->told = true;
        e->base.events->opened(e->base.arg,
                               p->accepted.keeper != NULL ? 0 : GR_ENOCONN);
    }
}

static int sim_dial(gri_keeper *keeper, const gri_dial *dial, gri_link **out)
{
    int rc = gri_address_check(dial->address, false);
    if (rc < 0 || keeper->world == NULL) {
        return GR_EADDRESS;
    }
    pair *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return GR_ENOMEM;
    }
    size_t n = strlen(dial->address);
    GR_ASSERT(n < sizeof p->address);
    memcpy(p->address, dial->address, n + 1);
    p->net = net_of(keeper);
    p->from = &p->net->pairs;
    p->next = p->net->pairs;
    if (p->next != NULL) {
        p->next->from = &p->next;
    }
    p->net->pairs = p;
    init_end(&p->dialed, p, keeper);
    p->accepted.pair = p; /* for who looks at it before it is an end */
    gri_sim_pipe_init(&p->accepted.out);
    gri_link_attach(&p->dialed.base, dial->events, dial->arg);
    const place *at = find_place(p->net, p->address);
    gr_sim_line line = gri_sim_line_of(p->net, keeper->node,
                                       at != NULL ? at->keeper->node : 0);
    int64_t ms = dial->timeout_ms < 0 || dial->timeout_ms > DIAL_MS
                     ? DIAL_MS
                     : dial->timeout_ms;
    p->answer_ns = now_of(p) + delay_ns(p, &line);
    p->give_up_ns = now_of(p) + ms * GRI_NS_PER_MS;
    *out = &p->dialed.base;
    look(&p->dialed, &p->dialed.open,
         p->answer_ns < p->give_up_ns ? p->answer_ns : p->give_up_ns);
    return 0;
}

/* ---- places -------------------------------------------------------------- */

static int sim_listen(gri_keeper *keeper, const char *address,
                      gri_accept_fn *accepted, void *arg, gri_port **out)
{
    int rc = gri_address_check(address, true);
    if (rc < 0 || keeper->world == NULL ||
        find_place(net_of(keeper), address) != NULL) {
        return GR_EADDRESS;
    }
    place *at = calloc(1, sizeof *at);
    if (at == NULL) {
        return GR_ENOMEM;
    }
    size_t n = strlen(address);
    GR_ASSERT(n < sizeof at->address);
    memcpy(at->address, address, n + 1);
    at->base.ops = &gri_link_sim;
    at->net = net_of(keeper);
    at->keeper = keeper;
    at->accepted = accepted;
    at->arg = arg;
    at->next = at->net->places;
    at->net->places = at;
    *out = &at->base;
    return 0;
}

static void sim_unlisten(gri_port *base)
{
    place *at = GRI_CONTAINER(base, place, base);
    place **from = &at->net->places;
    while (*from != at) {
        from = &(*from)->next;
    }
    *from = at->next;
    free(at);
}

static const char *sim_address(const gri_port *base)
{
    return ((const place *)base)->address;
}

const gri_link_ops gri_link_sim = {
    .listen = sim_listen,
    .address = sim_address,
    .unlisten = sim_unlisten,
    .dial = sim_dial,
    .recv = sim_recv,
    .send = sim_send,
    .close = sim_close,
    .free = free_end,
};
