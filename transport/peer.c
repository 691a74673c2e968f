/* transport/peer.c - see peer.h. Everything but reading (inbound.c). */
#include "transport/peer.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "transport/net.h"

/* A send that is to be started once the lock is free. */
typedef struct flight {
    gri_link *link; /* held; NULL: none */
    const uint8_t *data;
    size_t n;
} flight;

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
}

/* ---- the outbox ---------------------------------------------------------- */

static flight rest_of_fly(gri_peer *peer)
{
    gri_link_hold(peer->link);
    return (flight){peer->link, peer->fly.data + peer->fly_at,
                    peer->fly.len - peer->fly_at};
}

/* If nothing flies, what waits begins to. Under lock. */
static flight take_off(gri_peer *peer)
{
    if (peer->flying || peer->out.len == 0 || peer->closing ||
        peer->link == NULL) {
        return (flight){.link = NULL};
    }
    gri_buffer empty = peer->fly;
    peer->fly = peer->out;
    peer->out = empty;
    peer->fly_at = 0;
    peer->flying = true;
    return rest_of_fly(peer);
}

/* Not under lock: NNG may write to the socket here. The buffer is the link's
 * from now on, so nobody needs the lock for it. */
static void launch(flight f)
{
    if (f.link != NULL) {
        f.link->ops->send(f.link, f.data, f.n);
        gri_link_drop(f.link);
    }
}

static size_t waiting(const gri_peer *peer)
{
    return peer->out.len + (peer->flying ? peer->fly.len - peer->fly_at : 0);
}

/* Appends. Under lock. Errors: GR_ENOMEM. */
static int append(gri_peer *peer, const void *p, size_t n)
{
    int rc = gri_buffer_reserve(&peer->out, n);
    if (rc == 0) {
        gri_buffer_put(&peer->out, p, n);
    }
    return rc;
}

/* What is never refused has piled up: it does not read. Under lock. */
static bool is_deaf(const gri_peer *peer)
{
    /* The sum fits: outbox_max has 32 bits, size_t has 64. */
    size_t max = peer->net->outbox_max;
    return waiting(peer) >= max * GRI_OUTBOX_HARD + peer->frame_max;
}

static const char deaf_fault[] = "it does not read what it is sent";

static void append_or_close(gri_peer *peer, const void *p, size_t n)
{
    flight f = {.link = NULL};
    int rc = 0;
    lock(peer);
    if (!peer->closing && !peer->draining) {
        rc = is_deaf(peer) ? GR_ELIMIT : append(peer, p, n);
        f = take_off(peer);
    }
    unlock(peer);
    launch(f);
    if (rc < 0) {
        gri_peer_close(peer, rc,
                       rc == GR_ELIMIT ? deaf_fault
                                       : "no memory for the outbox");
    }
}

void gri_peer_note(gri_peer *peer, const gri_note *note)
{
    append_or_close(peer, note->bytes, note->len);
}

void gri_peer_signal(gri_peer *peer, gri_frame_type type)
{
    const gri_frame f = {.type = type};
    uint8_t bytes[GRI_FRAME_FIXED_MAX];
    size_t n = gri_frame_write(bytes, &f);
    append_or_close(peer, bytes, n);
}

/* May this frame join the outbox? Under lock. */
static int admit(const gri_peer *peer, uint64_t node, const gri_frame *frame,
                 size_t n)
{
    if (peer->state != GRI_PEER_UP || peer->closing || peer->node != node) {
        return GR_ENOCONN;
    }
    if (n > peer->frame_max) {
        return GR_ETOOBIG;
    }
    bool refusable =
        frame->type == GRI_FRAME_SEND || frame->type == GRI_FRAME_ASK;
    size_t max = peer->net->outbox_max;
    if (refusable && waiting(peer) >= max) {
        return GR_EAGAIN;
    }
    return is_deaf(peer) ? GR_ELIMIT : 0;
}

static int append_frame(gri_peer *peer, const gri_frame *frame,
                        const uint8_t *head, size_t head_len)
{
    int rc = gri_buffer_reserve(&peer->out, head_len + frame->len);
    if (rc == 0) {
        rc = gri_crossing_out(&peer->crossing, frame);
    }
    if (rc == GR_ELIMIT) {
        return frame->type == GRI_FRAME_ASK ? GR_EAGAIN : GR_ENOMEM;
    }
    if (rc == 0) {
        gri_buffer_put(&peer->out, head, head_len);
        gri_buffer_put(&peer->out, frame->payload, frame->len);
        peer->wrote = true;
    }
    return rc;
}

/* Somebody there waits for it, and would not be told that it does not come. */
static bool is_owed(const gri_frame *frame)
{
    return frame->type == GRI_FRAME_DOWN || frame->type == GRI_FRAME_EXIT ||
           (frame->type == GRI_FRAME_REPLY && frame->status < 0);
}

int gri_peer_deliver(gri_peer *peer, uint64_t node, const gri_frame *frame)
{
    uint8_t head[GRI_FRAME_FIXED_MAX];
    size_t head_len = gri_frame_write(head, frame);
    flight f = {.link = NULL};
    lock(peer);
    int rc = admit(peer, node, frame, head_len + frame->len);
    bool deaf = rc == GR_ELIMIT;
    if (rc == 0) {
        rc = append_frame(peer, frame, head, head_len);
        f = take_off(peer);
    }
    unlock(peer);
    launch(f);
    if (deaf) {
        gri_peer_close(peer, GR_ELIMIT, deaf_fault);
        return GR_ENOCONN;
    }
    if (rc == GR_ENOMEM && is_owed(frame)) {
        gri_peer_close(peer, GR_ENOMEM, "no memory for a death or an answer");
    }
    return rc;
}

/* ---- the link's callbacks ------------------------------------------------ */

static void on_opened(void *arg, int rc)
{
    gri_peer *peer = arg;
    peer->opened_rc = rc;
    gri_net_post(peer->net, peer, GRI_EVENT_OPENED);
}

static void on_sent(void *arg, int64_t n)
{
    gri_peer *peer = arg;
    if (n < 0) {
        gri_peer_close(peer, GR_ENOCONN, NULL);
        return;
    }
    flight f;
    lock(peer);
    peer->fly_at += (size_t)n;
    if (peer->fly_at < peer->fly.len) {
        f = rest_of_fly(peer);
    } else {
        peer->fly.len = 0;
        peer->flying = false;
        gri_buffer_shrink(&peer->fly, GRI_BUFFER_BUSY);
        f = take_off(peer);
    }
    bool drained = peer->draining && !peer->flying;
    int reason = peer->reason;
    const char *fault = peer->fault;
    unlock(peer);
    launch(f);
    if (drained) {
        gri_peer_close(peer, reason, fault);
    }
}

static void hear(gri_peer *peer)
{
    /* relaxed: see heard. */
    atomic_store_explicit(&peer->heard, gri_clock_ns(peer->net->clock),
                          memory_order_relaxed);
}

static void on_received(void *arg, int64_t n)
{
    gri_peer *peer = arg;
    if (n < 0) {
        gri_peer_close(peer, GR_ENOCONN, NULL);
        return;
    }
    bool full = (size_t)n == peer->in.cap - peer->in.len;
    peer->in.len += (size_t)n;
    hear(peer);
    lock(peer);
    bool up = peer->state == GRI_PEER_UP || peer->state == GRI_PEER_LEAVING;
    unlock(peer);
    if (!up) {
        gri_net_post(peer->net, peer, GRI_EVENT_BYTES);
        return;
    }
    if (!gri_peer_read(peer)) {
        return;
    }
    if (full && peer->in.cap < GRI_BUFFER_BUSY) {
        /* Without memory it stays small, and slow. */
        (void)gri_buffer_reserve(&peer->in, peer->in.cap * 2 - peer->in.len);
    }
    gri_peer_receive(peer);
}

static void on_closed(void *arg)
{
    gri_peer *peer = arg;
    lock(peer);
    peer->state = GRI_PEER_CLOSED;
    peer->link = NULL;
    peer->flying = false;
    peer->deadline = GRI_NEVER;
    unlock(peer);
    gri_net *net = peer->net;
    gri_net_post(net, peer, GRI_EVENT_CLOSED);
    gri_net_closed(net);
}

static const gri_link_events events = {.opened = on_opened,
                                       .received = on_received,
                                       .sent = on_sent,
                                       .closed = on_closed};

/* ---- life ---------------------------------------------------------------- */

int gri_peer_init(gri_peer *peer, gri_net *net, uint32_t index)
{
    *peer = (gri_peer){.net = net, .index = index, .deadline = GRI_NEVER};
    gri_cache_init(&peer->cache, gri_system_depot(net->sys));
    return pthread_mutex_init(&peer->lock, NULL) == 0 ? 0 : GR_ENOMEM;
}

void gri_peer_reset(gri_peer *peer)
{
    lock(peer);
    GR_ASSERT(peer->link == NULL);
    peer->state = GRI_PEER_IDLE;
    peer->closing = peer->draining = false;
    peer->said_bye = peer->got_bye = peer->wrote = false;
    peer->reason = 0;
    peer->fault = NULL;
    peer->node = 0;
    peer->name[0] = '\0';
    peer->frame_max = 0;
    peer->fly_at = 0;
    peer->deadline = GRI_NEVER;
    gri_buffer_fini(&peer->out);
    gri_buffer_fini(&peer->fly);
    gri_crossing_fini(&peer->crossing);
    unlock(peer);
    gri_buffer_fini(&peer->in);
    gri_handshake_fini(&peer->hs);
    peer->opened_rc = 0;
    peer->role = (gri_role)0;
    peer->proven = peer->parked = peer->greeted = false;
    peer->rival = NULL;
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
        link->ops->recv(link, peer->in.data + peer->in.len,
                        peer->in.cap - peer->in.len);
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

bool gri_peer_up(gri_peer *peer, const gri_note *last)
{
    const gri_identity *who = &peer->hs.other;
    flight f = {.link = NULL};
    lock(peer);
    bool up = !peer->closing && !peer->draining &&
              (last == NULL || append(peer, last->bytes, last->len) == 0);
    if (up) {
        /* The last frame stands before all others: senders find it UP only
         * after this lock. */
        peer->state = GRI_PEER_UP;
        peer->deadline = GRI_NEVER;
        peer->node = who->node;
        /* Not what a peer likes: it is part of the outbox's bound. Ours are
         * never longer than our own limit. */
        uint32_t own_max = peer->net->self.frame_max;
        peer->frame_max = who->frame_max < own_max ? who->frame_max : own_max;
        memcpy(peer->name, who->name, sizeof peer->name);
        peer->beat_ns = gri_beat_ns(peer->net->heartbeat_ns, who->silence_ms);
        set_beat(peer, gri_clock_ns(peer->net->clock));
        show_node(peer, who->node);
        f = take_off(peer);
    }
    unlock(peer);
    launch(f);
    gri_keeper_tick_at(&peer->net->keeper, 0); /* its silence counts now */
    return up;
}

bool gri_peer_bye(gri_peer *peer, uint64_t node, int64_t deadline)
{
    static const gri_frame bye = {.type = GRI_FRAME_BYE};
    uint8_t bytes[GRI_FRAME_FIXED_MAX];
    size_t n = gri_frame_write(bytes, &bye);
    flight f = {.link = NULL};
    lock(peer);
    bool was_up = peer->state == GRI_PEER_UP && !peer->closing &&
                  (node == 0 || node == peer->node);
    int rc = was_up ? append(peer, bytes, n) : 0;
    if (was_up) {
        peer->state = GRI_PEER_LEAVING;
        peer->said_bye = true;
        peer->deadline = deadline;
        show_node(peer, 0);
        f = take_off(peer);
    }
    unlock(peer);
    launch(f);
    if (rc < 0) {
        gri_peer_close(peer, 0, NULL);
    }
    gri_keeper_tick_at(&peer->net->keeper, deadline);
    return was_up;
}

void gri_peer_close(gri_peer *peer, int reason, const char *fault)
{
    gri_link *link = NULL;
    lock(peer);
    if (!peer->closing && peer->link != NULL) {
        peer->closing = true;
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

void gri_peer_finish(gri_peer *peer, int reason, const char *fault,
                     int64_t deadline)
{
    lock(peer);
    bool now = !peer->flying && peer->out.len == 0;
    if (!now && !peer->closing && !peer->draining) {
        peer->draining = true;
        peer->reason = reason;
        peer->fault = fault;
        peer->deadline = deadline;
    }
    unlock(peer);
    if (now) {
        gri_peer_close(peer, reason, fault);
    } else {
        gri_keeper_tick_at(&peer->net->keeper, deadline);
    }
}

void gri_peer_set_deadline(gri_peer *peer, int64_t deadline)
{
    lock(peer);
    peer->deadline = deadline;
    unlock(peer);
    gri_keeper_tick_at(&peer->net->keeper, deadline);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Whether a heartbeat is to be sent; sets when the next is due. Under lock. */
static bool beat(gri_peer *peer, int64_t now)
{
    if (peer->beat_at > now) {
        return false;
    }
    bool mute = !peer->wrote;
    peer->wrote = false;
    set_beat(peer, now);
    return mute;
}

int64_t gri_peer_tick(gri_peer *peer, int64_t now)
{
    const gri_net *net = peer->net;
    /* relaxed: see heard. */
    int64_t silent_at =
        atomic_load_explicit(&peer->heard, memory_order_relaxed) +
        net->silence_ns;
    lock(peer);
    bool up = peer->state == GRI_PEER_UP || peer->state == GRI_PEER_LEAVING;
    bool late = peer->deadline <= now && !peer->closing;
    bool ours = up || peer->draining; /* to act on, without the agent */
    bool lost = up && !peer->closing && silent_at <= now;
    bool mute = up && beat(peer, now);
    if (late) {
        peer->deadline = GRI_NEVER;
    }
    int64_t next = up ? sooner(silent_at, peer->beat_at) : GRI_NEVER;
    next = sooner(next, peer->deadline);
    next = peer->closing ? GRI_NEVER : next;
    unlock(peer);
    if (lost) {
        gri_peer_close(peer, GR_ETIMEOUT, "not a byte for silence_ms");
        return GRI_NEVER;
    }
    if (late && ours) {
        gri_peer_close(peer, 0, NULL);
        return GRI_NEVER;
    }
    if (late) {
        gri_net_post(peer->net, peer, GRI_EVENT_LATE);
    }
    if (mute) {
        gri_peer_signal(peer, GRI_FRAME_HEARTBEAT);
    }
    return next;
}
