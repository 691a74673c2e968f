/* transport/peer.c - see peer.h. Everything but reading (inbound.c). */
#include "transport/peer.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "transport/net.h"

enum {
    FEW = 16, /* short receives until the buffer becomes short, too */
    /* How long the frames of one receive may take before the next is shorter,
     * and how short it becomes. */
    READ_US = 50,
    READ_MIN = 4 * 1024,
    READ_LARGE = 1024 /* bytes of a frame */
};

static void lock(gri_peer *peer)
{
    (void)pthread_mutex_lock(&peer->lock);
}

static void unlock(gri_peer *peer)
{
    (void)pthread_mutex_unlock(&peer->lock);
}

static void show_node(gri_peer *peer, uint64_t node)
{
    /* relaxed: a hint where to look; who looks compares under the lock. */
    atomic_store_explicit(&peer->net->nodes[peer->index], node,
                          memory_order_relaxed);
    /* relaxed: see up. */
    atomic_store_explicit(&peer->up, node != 0 ? peer->born : 0,
                          memory_order_relaxed);
}

/* ---- the link's callbacks ------------------------------------------------ */

static void on_opened(void *arg, int rc)
{
    gri_peer *peer = arg;
    peer->opened_rc = rc;
    gri_net_post(peer->net, peer, GRI_EVENT_OPENED);
}

static void hear(gri_peer *peer)
{
    /* relaxed: see heard. */
    atomic_store_explicit(&peer->heard, gri_clock_ns(peer->net->clock),
                          memory_order_relaxed);
}

/* n bytes came, maybe after a long time. */
static void hear_again(gri_peer *peer, size_t n)
{
    gri_got *t = &peer->got;
    /* relaxed, all: see heard, and gri_got. */
    const int64_t before =
        atomic_load_explicit(&peer->heard, memory_order_relaxed);
    hear(peer);
    const int64_t silent =
        atomic_load_explicit(&peer->heard, memory_order_relaxed) - before;
    if (silent > atomic_load_explicit(&t->silent_ns, memory_order_relaxed)) {
        atomic_store_explicit(&t->silent_ns, silent, memory_order_relaxed);
    }
    gri_got_add(&t->bytes, n);
}

/* An idle peer keeps no large buffer. */
static void rest(gri_peer *peer, int64_t n)
{
    if (n > GRI_BUFFER_MIN / 4 || peer->in.len > 0 ||
        peer->in.cap <= GRI_BUFFER_MIN) {
        peer->few = 0;
    } else if (++peer->few >= FEW) {
        gri_buffer_shrink(&peer->in, 0);
        peer->few = 0;
    }
}

/* All other links wait until the frames of one receive are read, so who sends
 * many that take long for their bytes is read by less at a time. Large ones are
 * copied, which is quick, and more so by much at a time. */
static void pace_reads(gri_peer *peer, int64_t n, uint64_t frames,
                       int64_t took_ns)
{
    if (took_ns > READ_US * GRI_NS_PER_US &&
        frames > (uint64_t)n / READ_LARGE) {
        const size_t half = (size_t)n / 2;
        peer->read_max = half > READ_MIN ? half : READ_MIN;
    } else if (peer->read_max < GRI_BUFFER_BUSY) {
        peer->read_max *= 2;
    }
}

static uint64_t frames_of(const gri_peer *peer)
{
    /* relaxed: see gri_got; this is the thread that writes it. */
    return atomic_load_explicit(&peer->got.frames, memory_order_relaxed);
}

/* n bytes have come where gri_peer_receive wanted them. Returns whether they
 * filled the buffer. */
static bool take_in(gri_peer *peer, size_t n)
{
    if (peer->large.block != NULL) {
        gri_large_add(&peer->large, n, &peer->in);
        return false;
    }
    peer->in.len += n;
    return peer->in.len == peer->in.cap;
}

static void on_received(void *arg, int64_t n)
{
    gri_peer *peer = arg;
    if (n < 0) {
        gri_peer_lose(peer, NULL, (int)n);
        return;
    }
    const bool full = take_in(peer, (size_t)n);
    hear_again(peer, (size_t)n);
    lock(peer);
    bool up = peer->state == GRI_PEER_UP || peer->state == GRI_PEER_LEAVING;
    struct gri_worker *worker = peer->link->worker;
    unlock(peer);
    if (!up) {
        gri_net_post(peer->net, peer, GRI_EVENT_BYTES);
        return;
    }
    /* relaxed: see heard; this is the thread that has just written it. */
    const int64_t since =
        atomic_load_explicit(&peer->heard, memory_order_relaxed);
    const uint64_t before = frames_of(peer);
    if (!gri_peer_read(peer, worker)) {
        return;
    }
    if (n >= READ_MIN) {
        pace_reads(peer, n, frames_of(peer) - before,
                   gri_clock_ns(peer->net->clock) - since);
    }
    if (full && peer->in.cap < GRI_BUFFER_BUSY) {
        /* Without memory it stays small, and slow. */
        (void)gri_buffer_reserve(&peer->in, peer->in.cap * 2 - peer->in.len);
    }
    rest(peer, n);
    gri_peer_receive(peer);
}

/* Under lock. */
static void set_deadline(gri_peer *peer, int64_t deadline)
{
    peer->deadline = deadline;
    peer->late = false;
}

static void on_closed(void *arg)
{
    gri_peer *peer = arg;
    lock(peer);
    peer->state = GRI_PEER_CLOSED;
    peer->link = NULL;
    peer->flying = false;
    set_deadline(peer, GRI_NEVER);
    const gri_map for_room = gri_slowed_take(&peer->slowed.for_room);
    const gri_map for_there = gri_slowed_take(&peer->slowed.for_there);
    unlock(peer);
    gri_peer_let_go(peer, for_room);
    gri_peer_let_go(peer, for_there);
    gri_net *net = peer->net;
    gri_net_post(net, peer, GRI_EVENT_CLOSED);
    gri_net_closed(net);
}

static void forget_got(gri_got *t)
{
    /* relaxed, all: see gri_got. */
    atomic_store_explicit(&t->bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&t->messages, 0, memory_order_relaxed);
    atomic_store_explicit(&t->frames, 0, memory_order_relaxed);
    atomic_store_explicit(&t->credit, 0, memory_order_relaxed);
    atomic_store_explicit(&t->silent_ns, 0, memory_order_relaxed);
}

static const gri_link_events events = {.opened = on_opened,
                                       .received = on_received,
                                       .sent = gri_peer_sent,
                                       .closed = on_closed};

/* ---- life ---------------------------------------------------------------- */

int gri_peer_init(gri_peer *peer, gri_net *net, uint32_t index)
{
    *peer = (gri_peer){.net = net,
                       .index = index,
                       .deadline = GRI_NEVER,
                       .let_go_at = GRI_NEVER,
                       .read_max = GRI_BUFFER_BUSY,
                       .after = {.run = gri_peer_after}};
    peer->out.depot = gri_system_depot(net->sys);
    gri_cache_init(&peer->cache, peer->out.depot);
    return pthread_mutex_init(&peer->lock, NULL) == 0 ? 0 : GR_ENOMEM;
}

void gri_peer_reset(gri_peer *peer)
{
    lock(peer);
    GR_ASSERT(peer->link == NULL);
    peer->state = GRI_PEER_IDLE;
    peer->closing = peer->draining = false;
    peer->said_bye = peer->got_bye = peer->wrote = false;
    peer->for_good = false;
    peer->reason = 0;
    peer->fault = NULL;
    peer->offence = GRI_OFFENCE_NONE;
    peer->node = 0;
    peer->name[0] = '\0';
    peer->frame_max = 0;
    set_deadline(peer, GRI_NEVER);
    gri_outbox out = peer->out; /* freed without the lock */
    gri_cargo fly = peer->fly;
    peer->out = (gri_outbox){.depot = out.depot};
    peer->fly = (gri_cargo){.count = 0};
    gri_crossing_fini(&peer->crossing);
    gri_slowed_fini(&peer->slowed);
    peer->let_go_at = GRI_NEVER;
    peer->answers = 0;
    peer->sent = (gri_sent){.bytes = 0};
    peer->pace = (gri_pace){.slow = false};
    unlock(peer);
    gri_outbox_fini(&out);
    gri_cargo_fini(&fly);
    forget_got(&peer->got);
    gri_buffer_fini(&peer->in);
    gri_large_drop(&peer->large, &peer->cache);
    gri_buffer_fini(&peer->parts);
    peer->credit = 0;
    peer->taken = 0;
    peer->slow_said = peer->slow_heard = peer->slow_mark = 0;
    peer->few = 0;
    peer->read_max = GRI_BUFFER_BUSY;
    gri_handshake_fini(&peer->hs);
    peer->opened_rc = 0;
    peer->said_at = 0;
    peer->role = (gri_role)0;
    peer->proven = peer->parked = peer->greeted = false;
    peer->introduced = false;
    free(peer->listens);
    peer->listens = NULL;
    peer->told_slow = false;
    peer->rival = NULL;
    peer->rights = NULL;
}

void gri_peer_fini(gri_peer *peer)
{
    gri_peer_reset(peer);
    free(peer->address);
    while (peer->requests != NULL) { /* the messages were the agent's */
        gri_request *r = peer->requests;
        peer->requests = r->next;
        free(r);
    }
    gri_cache_flush(&peer->cache);
    (void)pthread_mutex_destroy(&peer->lock);
}

void gri_peer_accept(gri_peer *peer, gri_link *link)
{
    gri_net_opening(peer->net);
    hear(peer);
    gri_link_attach(link, &events, peer);
    lock(peer);
    peer->state = GRI_PEER_SHAKING;
    peer->link = link;
    unlock(peer);
    peer->opened_rc = 0;
    gri_net_post(peer->net, peer, GRI_EVENT_OPENED);
}

int gri_peer_dial(gri_peer *peer, int64_t timeout_ms)
{
    gri_net *net = peer->net;
    const gri_dial dial = {.address = peer->address,
                           .timeout_ms = timeout_ms,
                           .tls = net->tls,
                           .events = &events,
                           .arg = peer};
    peer->role = GRI_DIALER;
    hear(peer);
    lock(peer);
    peer->state = GRI_PEER_DIALING;
    unlock(peer);
    gri_link *link = NULL;
    const gri_link_ops *ops = gri_link_ops_for(peer->address);
    gri_net_opening(net);
    int rc = ops == NULL ? GR_EADDRESS : ops->dial(&net->keeper, &dial, &link);
    lock(peer);
    if (rc < 0) {
        peer->state = GRI_PEER_IDLE;
    } else {
        peer->link = link;
    }
    unlock(peer);
    if (rc < 0) {
        gri_net_closed(net);
    }
    return rc;
}

/* Where the next receive goes, and how much at most. */
static uint8_t *room_of(const gri_peer *peer, size_t *n)
{
    if (peer->large.block != NULL) {
        return gri_large_room(&peer->large, n);
    }
    *n = peer->in.cap - peer->in.len;
    *n = *n < peer->read_max ? *n : peer->read_max;
    return peer->in.data + peer->in.len;
}

void gri_peer_receive(gri_peer *peer)
{
    if (gri_buffer_reserve(&peer->in, 1) < 0) {
        gri_peer_close(peer, GR_ENOMEM, "no memory to receive");
        return;
    }
    gri_link *link = NULL;
    lock(peer);
    if (!peer->closing && peer->link != NULL) {
        link = peer->link;
        gri_link_hold(link);
    }
    unlock(peer);
    if (link != NULL) {
        size_t n;
        uint8_t *room = room_of(peer, &n);
        link->ops->recv(link, room, n);
        gri_link_drop(link);
    }
}

int64_t gri_beat_ns(int64_t own_ns, uint32_t silence_ms)
{
    const int64_t min = GRI_HEARTBEAT_MIN_MS * GRI_NS_PER_MS;
    int64_t wanted = silence_ms / GRI_BEATS_A_SILENCE * GRI_NS_PER_MS;
    wanted = wanted < min ? min : wanted;
    int64_t beat = own_ns;
    while (beat > wanted) {
        beat /= 2;
    }
    return beat < min && beat < own_ns ? min : beat;
}

/* The next heartbeat is due at a whole multiple of how often they are: all
 * peers that get them as often get them at the same moments, and those that get
 * them half as often at every second one. So the keeper wakes as often as one
 * peer needs, however many there are. Under lock. */
static void set_beat(gri_peer *peer, int64_t now)
{
    peer->beat_at = (now / peer->beat_ns + 1) * peer->beat_ns;
}

/* The last frame of the handshake, and what the other end may send. Under lock.
 */
static int put_first(gri_peer *peer, const gri_note *last)
{
    const gri_frame credit = {.type = GRI_FRAME_CREDIT,
                              .count = peer->net->window};
    uint8_t bytes[GRI_FRAME_FIXED_MAX];
    const size_t n = gri_frame_write(bytes, &credit);
    peer->credit = peer->net->window;
    /* relaxed: see gri_got. */
    atomic_store_explicit(&peer->got.credit, peer->credit,
                          memory_order_relaxed);
    if (last != NULL) {
        GR_TRY(gri_outbox_put_bytes(&peer->out, last->bytes, last->len));
    }
    return gri_outbox_put_bytes(&peer->out, bytes, n);
}

bool gri_peer_up(gri_peer *peer, const gri_note *last)
{
    const gri_identity *who = &peer->hs.other;
    const int64_t now = gri_clock_ns(peer->net->clock);
    gri_flight f = {.link = NULL};
    /* relaxed: what the silence before it was is nobody's fault. */
    atomic_store_explicit(&peer->got.silent_ns, 0, memory_order_relaxed);
    lock(peer);
    bool up = !peer->closing && !peer->draining && put_first(peer, last) == 0;
    if (up) {
        /* The last frame stands before all others: senders find it UP only
         * after this lock. */
        peer->state = GRI_PEER_UP;
        set_deadline(peer, GRI_NEVER);
        peer->node = who->node;
        /* Not what a peer likes: it is part of the outbox's bound. Ours are
         * never longer than our own limit. */
        uint32_t own_max = peer->net->self.frame_max;
        peer->frame_max = who->frame_max < own_max ? who->frame_max : own_max;
        peer->out.batch_max = peer->frame_max < GRI_BATCH_BYTES
                                  ? peer->frame_max
                                  : GRI_BATCH_BYTES;
        memcpy(peer->name, who->name, sizeof peer->name);
        peer->beat_ns = gri_beat_ns(peer->net->heartbeat_ns, who->silence_ms);
        set_beat(peer, now);
        peer->sent.up_ns = now;
        show_node(peer, who->node);
        f = gri_peer_take_off(peer);
    }
    unlock(peer);
    gri_peer_launch(peer, f);
    gri_keeper_tick_at(&peer->net->keeper, 0); /* its silence counts now */
    return up;
}

bool gri_peer_bye(gri_peer *peer, uint64_t node, int64_t deadline,
                  bool for_good)
{
    static const gri_frame bye = {.type = GRI_FRAME_BYE};
    gri_flight f = {.link = NULL};
    lock(peer);
    bool was_up = peer->state == GRI_PEER_UP && !peer->closing &&
                  (node == 0 || node == peer->node);
    int rc = was_up ? gri_peer_put_drafts(peer) : 0;
    rc = was_up && rc == 0 ? gri_outbox_put_last(&peer->out, &bye) : rc;
    if (was_up) {
        peer->state = GRI_PEER_LEAVING;
        peer->said_bye = true;
        peer->for_good = for_good;
        set_deadline(peer, deadline);
        show_node(peer, 0);
        f = gri_peer_take_off(peer);
    }
    unlock(peer);
    gri_peer_launch(peer, f);
    if (rc < 0) {
        gri_peer_close(peer, 0, NULL);
    }
    gri_keeper_tick_at(&peer->net->keeper, deadline);
    return was_up;
}

void gri_peer_close(gri_peer *peer, int reason, const char *fault)
{
    gri_peer_close_link(peer, NULL, reason, fault);
}

/* What is merely late, or has no connection any more, has broken no rule. */
static gri_offence offence_of(int reason)
{
    return reason == GR_EFORMAT  ? GRI_OFFENCE_RULE
           : reason == GR_ELIMIT ? GRI_OFFENCE_SLOW
                                 : GRI_OFFENCE_NONE;
}

void gri_peer_close_link(gri_peer *peer, const gri_link *only, int reason,
                         const char *fault)
{
    gri_link *link = NULL;
    lock(peer);
    if (!peer->closing && peer->link != NULL &&
        (only == NULL || only == peer->link)) {
        peer->closing = true;
        const gri_offence offence = offence_of(reason);
        peer->offence = offence > peer->offence ? offence : peer->offence;
        if (!peer->draining) {
            /* After a goodbye nothing that happens is a loss. */
            bool bye = peer->said_bye || peer->got_bye;
            peer->reason = bye ? 0 : reason;
            peer->fault = bye ? NULL : fault;
        }
        show_node(peer, 0);
        link = peer->link; /* lives: its end is asked for here only */
    }
    unlock(peer);
    if (link != NULL) {
        link->ops->close(link);
    }
}

void gri_peer_finish(gri_peer *peer, const gri_note *last, int reason,
                     const char *fault, int64_t deadline)
{
    gri_flight f = {.link = NULL};
    lock(peer);
    if (!peer->closing && !peer->draining) {
        if (last->len > 0) {
            GR_IGNORE(gri_outbox_put_bytes(&peer->out, last->bytes, last->len),
                      "without memory the other end is not told why");
        }
        peer->draining = true;
        peer->reason = reason;
        peer->fault = fault;
        set_deadline(peer, deadline);
        f = gri_peer_take_off(peer);
    }
    const bool now = !peer->flying;
    unlock(peer);
    gri_peer_launch(peer, f);
    if (now) {
        gri_peer_close(peer, reason, fault); /* nothing can be said */
    } else {
        gri_keeper_tick_at(&peer->net->keeper, deadline);
    }
}

void gri_peer_set_deadline(gri_peer *peer, int64_t deadline)
{
    lock(peer);
    set_deadline(peer, deadline);
    unlock(peer);
    gri_keeper_tick_at(&peer->net->keeper, deadline);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whether a heartbeat is to be sent; sets when the next is due. *turned: it has
 * become slow, or is not any more. Under lock. */
static bool beat(gri_peer *peer, int64_t now, bool *turned)
{
    if (peer->beat_at > now) {
        return false;
    }
    *turned = peer->state == GRI_PEER_UP &&
              gri_pace_beat(&peer->pace, gri_peer_queued(peer),
                            gri_outbox_soft(peer->net));
    bool mute = !peer->wrote;
    peer->wrote = false;
    if (mute && !peer->flying) {
        gri_outbox_rest(&peer->out);
        gri_cargo_shrink(&peer->fly, 0);
    }
    set_beat(peer, now);
    return mute;
}

int64_t gri_peer_tick(gri_peer *peer, int64_t now)
{
    const gri_net *net = peer->net;
    lock(peer);
    const gri_link *link = peer->link;
    /* relaxed: see heard. Under the lock, so that it is of this connection, if
     * that is UP, and not of the one before. */
    int64_t silent_at =
        atomic_load_explicit(&peer->heard, memory_order_relaxed) +
        net->silence_ns;
    bool up = peer->state == GRI_PEER_UP || peer->state == GRI_PEER_LEAVING;
    bool late = peer->deadline <= now && !peer->closing;
    bool ours = up || peer->draining; /* to act on, without the agent */
    bool lost = up && !peer->closing && silent_at <= now;
    bool turned = false;
    bool mute = up && beat(peer, now, &turned);
    const uint64_t born = mute ? peer->born : 0;
    if (late) {
        peer->deadline = GRI_NEVER;
        peer->late = true;
    }
    gri_map for_room = {.count = 0};
    gri_map for_there = {.count = 0};
    if (peer->let_go_at <= now) {
        for_room = gri_slowed_take(&peer->slowed.for_room);
        for_there = gri_slowed_take(&peer->slowed.for_there);
        peer->let_go_at = GRI_NEVER;
    }
    int64_t next = up ? sooner(silent_at, peer->beat_at) : GRI_NEVER;
    next = sooner(sooner(next, peer->deadline), peer->let_go_at);
    next = peer->closing ? GRI_NEVER : next;
    unlock(peer);
    gri_peer_let_go(peer, for_room);
    gri_peer_let_go(peer, for_there);
    if (lost) {
        gri_peer_close_link(peer, link, GR_ETIMEOUT,
                            "not a byte for silence_ms");
        return GRI_NEVER;
    }
    if (late && ours) {
        gri_peer_close_link(peer, link, 0, NULL);
        return GRI_NEVER;
    }
    if (late) {
        gri_net_post(peer->net, peer, GRI_EVENT_LATE);
    }
    if (turned) {
        gri_net_post(peer->net, peer, GRI_EVENT_PACE);
    }
    if (mute) {
        gri_peer_signal_on(peer, born, GRI_FRAME_HEARTBEAT);
    }
    return next;
}
