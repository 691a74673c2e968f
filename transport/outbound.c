/*
 * transport/outbound.c - what is sent to a peer: from whoever sends, by the
 * outbox, to the link, which has one buffer at a time.
 */
#include "actors/route.h"
#include "base/memory.h"
#include "transport/net.h"

static void lock(gri_peer *peer)
{
    (void)pthread_mutex_lock(&peer->lock);
}

static void unlock(gri_peer *peer)
{
    (void)pthread_mutex_unlock(&peer->lock);
}

/* ---- flights ------------------------------------------------------------- */

static gri_flight rest_of_fly(gri_peer *peer)
{
    gri_link_hold(peer->link);
    gri_flight f = {.link = peer->link};
    f.data = gri_cargo_next(&peer->fly, &f.n);
    return f;
}

gri_flight gri_peer_take_off(gri_peer *peer)
{
    if (peer->flying || peer->closing || peer->link == NULL ||
        !gri_outbox_take(&peer->out, &peer->fly)) {
        return (gri_flight){.link = NULL};
    }
    peer->flying = true;
    peer->answers = 0;
    return rest_of_fly(peer);
}

static size_t waiting(const gri_peer *peer)
{
    return gri_outbox_cost(&peer->out) +
           (peer->flying ? gri_cargo_left(&peer->fly) : 0);
}

size_t gri_peer_queued(const gri_peer *peer)
{
    return waiting(peer);
}

/* What is never refused has piled up: it does not read. Under lock. */
static bool is_deaf(const gri_peer *peer)
{
    /* The sum fits: outbox_max has 32 bits, size_t has 64. */
    size_t max = peer->net->outbox_max;
    return waiting(peer) >= max * GRI_OUTBOX_HARD + peer->frame_max;
}

static const char deaf_fault[] = "it does not read what it is sent";

/* ---- who waits for room -------------------------------------------------- */

size_t gri_outbox_soft(const gri_net *net)
{
    return net->outbox_max / GRI_OUTBOX_SOFT;
}

void gri_peer_let_go(gri_peer *peer, gri_map waiters)
{
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&waiters, &at)) != NULL;) {
        gri_let_go(peer->net->sys, e->key.a);
    }
    gri_map_fini(&waiters);
}

bool gri_peer_wait(gri_peer *peer, uint64_t node, uint64_t receiver,
                   uint64_t sender)
{
    gri_net *net = peer->net;
    const int64_t at = gri_deadline(net->clock, GRI_SLOW_MS);
    lock(peer);
    bool waits =
        peer->state == GRI_PEER_UP && !peer->closing && peer->node == node;
    if (waits) {
        gri_slowed *s = &peer->slowed;
        if (gri_slowed_is(s, sender, receiver)) {
            waits = gri_slowed_wait(&s->for_there, sender);
        } else {
            waits = waiting(peer) > gri_outbox_soft(net) / 2 &&
                    gri_slowed_wait(&s->for_room, sender);
        }
    }
    const bool first = waits && peer->let_go_at == GRI_NEVER;
    if (first) {
        peer->let_go_at = at;
    }
    unlock(peer);
    if (first) {
        gri_keeper_tick_at(&net->keeper, at);
    }
    return waits;
}

/* ---- the end of a flight ------------------------------------------------- */

/* n bytes of the one over that link went, or it failed. Returns the next. */
static gri_flight landed(gri_peer *peer, const gri_link *link, int64_t n)
{
    gri_flight f = {.link = NULL};
    gri_map waiters = {.count = 0};
    if (n < 0) {
        gri_peer_lose(peer, link, (int)n);
        return f;
    }
    lock(peer);
    if (peer->link != link) {
        /* It was closed meanwhile, and the peer may have its next one. */
        unlock(peer);
        return f;
    }
    peer->sent.bytes += (uint64_t)n;
    const gri_own over = gri_cargo_went(&peer->fly, (size_t)n);
    if (gri_cargo_left(&peer->fly) > 0) {
        f = peer->closing ? f : rest_of_fly(peer);
    } else {
        peer->flying = false;
        gri_cargo_shrink(&peer->fly, GRI_BUFFER_BUSY);
        f = gri_peer_take_off(peer);
        if (!peer->wrote && !peer->flying) {
            gri_cargo_shrink(&peer->fly, 0); /* it was a heartbeat */
        }
    }
    if (peer->pace.stands) {
        gri_pace_sent(&peer->pace, waiting(peer), gri_outbox_soft(peer->net));
    }
    if (peer->slowed.for_room.count > 0 &&
        waiting(peer) <= gri_outbox_soft(peer->net) / 2) {
        waiters = gri_slowed_take(&peer->slowed.for_room);
    }
    bool drained = peer->draining && !peer->flying;
    int reason = peer->reason;
    const char *fault = peer->fault;
    unlock(peer);
    gri_own_free(&over);
    gri_peer_let_go(peer, waiters);
    if (drained) {
        gri_peer_close_link(peer, link, reason, fault);
    }
    return f;
}

void gri_peer_launch(gri_peer *peer, gri_flight f)
{
    while (f.link != NULL) {
        gri_link *link = f.link;
        const int64_t n = link->ops->send(link, f.data, f.n);
        /* Held until then, so that no other link has its address. */
        f.link = NULL; /* of n == 0 the link tells later */
        if (n != 0) {
            f = landed(peer, link, n);
        }
        gri_link_drop(link);
    }
}

void gri_peer_sent(void *arg, int64_t n)
{
    gri_peer *peer = arg;
    gri_peer_launch(peer, landed(peer, peer->link, n));
}

void gri_peer_after(gri_after *after, struct gri_worker *worker)
{
    gri_peer *peer = GRI_CONTAINER(after, gri_peer, after);
    (void)worker;
    lock(peer);
    peer->after_of = NULL;
    const gri_flight f = gri_peer_take_off(peer);
    unlock(peer);
    gri_peer_launch(peer, f);
}

void gri_peer_hurry(gri_peer *peer)
{
    gri_flight f = {.link = NULL};
    lock(peer);
    if (peer->after_of != NULL) { /* stays so: its turn ends some time */
        f = gri_peer_take_off(peer);
    }
    unlock(peer);
    gri_peer_launch(peer, f);
}

/* ---- appending ----------------------------------------------------------- */

/* After an attempt to append to what goes over that link, which gave rc. */
static void judge(gri_peer *peer, const gri_link *link, int rc)
{
    if (rc < 0) {
        gri_peer_close_link(peer, link, rc,
                            rc == GR_ELIMIT ? deaf_fault
                                            : "no memory for the outbox");
    }
}

/* Whether it still has the connection with that number, which was UP; 0:
 * whatever it has. Under lock. */
static bool is_still(const gri_peer *peer, uint64_t born)
{
    return born == 0 ||
           ((peer->state == GRI_PEER_UP || peer->state == GRI_PEER_LEAVING) &&
            peer->born == born);
}

/* Whether so many answers more may wait. If not, it asks and does not read.
 * Under lock. */
static bool may_answer(gri_peer *peer, unsigned answers)
{
    peer->answers += answers;
    if (peer->answers > GRI_ANSWERS_MAX) {
        peer->offence = GRI_OFFENCE_RULE;
        return false;
    }
    return true;
}

/* `times` times, as long as it reads. answers: it is sent only if much waits.
 */
static void put_bytes(gri_peer *peer, uint64_t born, const void *p, size_t n,
                      unsigned times, bool answers)
{
    gri_flight f = {.link = NULL};
    int rc = 0;
    lock(peer);
    const gri_link *link = peer->link;
    if (is_still(peer, born) && !peer->closing && !peer->draining) {
        if (answers && !may_answer(peer, times)) {
            rc = GR_ELIMIT;
        }
        while (rc == 0 && times-- > 0) {
            rc = is_deaf(peer) ? GR_ELIMIT
                               : gri_outbox_put_bytes(&peer->out, p, n);
        }
        if (!answers || gri_outbox_cost(&peer->out) >= GRI_PART_BYTES) {
            f = gri_peer_take_off(peer);
        }
    }
    unlock(peer);
    gri_peer_launch(peer, f);
    judge(peer, link, rc);
}

void gri_peer_note(gri_peer *peer, const gri_note *note)
{
    if (peer->said_at == 0) {
        peer->said_at = gri_clock_ns(peer->net->clock);
    }
    put_bytes(peer, 0, note->bytes, note->len, 1, false);
}

void gri_peer_control(gri_peer *peer, const gri_frame *frame)
{
    uint8_t bytes[GRI_FRAME_FIXED_MAX];
    put_bytes(peer, 0, bytes, gri_frame_write(bytes, frame), 1, false);
}

void gri_peer_signal_on(gri_peer *peer, uint64_t born, gri_frame_type type)
{
    uint8_t bytes[GRI_FRAME_FIXED_MAX];
    const gri_frame frame = {.type = type};
    put_bytes(peer, born, bytes, gri_frame_write(bytes, &frame), 1, false);
}

void gri_peer_answer(gri_peer *peer, gri_frame_type type, unsigned times)
{
    uint8_t bytes[GRI_FRAME_FIXED_MAX];
    const gri_frame frame = {.type = type};
    put_bytes(peer, 0, bytes, gri_frame_write(bytes, &frame), times, true);
}

void gri_peer_flush(gri_peer *peer)
{
    lock(peer);
    const gri_flight f = gri_peer_take_off(peer);
    unlock(peer);
    gri_peer_launch(peer, f);
}

void gri_peer_noted(gri_peer *peer)
{
    gri_got_add(&peer->got.frames, 1);
    /* relaxed: see heard. */
    const int64_t heard =
        atomic_load_explicit(&peer->heard, memory_order_relaxed);
    lock(peer);
    if (peer->said_at != 0 && peer->sent.rtt.last_ns == 0) {
        gri_rtt_shake(&peer->sent.rtt, peer->said_at, heard);
    }
    unlock(peer);
}

void gri_peer_ping(gri_peer *peer, bool only_if_stale)
{
    const int64_t now = gri_clock_ns(peer->net->clock);
    lock(peer);
    gri_rtt *rtt = &peer->sent.rtt;
    const bool ask = !only_if_stale ||
                     (peer->state == GRI_PEER_UP && gri_rtt_is_stale(rtt, now));
    const uint64_t born = ask && only_if_stale ? peer->born : 0;
    if (ask) {
        gri_rtt_ping(rtt, now);
    }
    unlock(peer);
    if (ask) {
        gri_peer_signal_on(peer, born, GRI_FRAME_PING);
    }
}

void gri_peer_last(gri_peer *peer, const gri_frame *frame)
{
    gri_flight f = {.link = NULL};
    int rc = 0;
    lock(peer);
    const gri_link *link = peer->link;
    if (!peer->closing && !peer->draining) {
        rc = gri_outbox_put_last(&peer->out, frame);
        f = gri_peer_take_off(peer);
    }
    unlock(peer);
    gri_peer_launch(peer, f);
    judge(peer, link, rc);
}

/* May this frame join the outbox? Under lock. */
static int admit(const gri_peer *peer, uint64_t node, const gri_frame *frame)
{
    if (peer->state != GRI_PEER_UP || peer->closing || peer->node != node) {
        return GR_ENOCONN;
    }
    if ((size_t)frame->len + GRI_FRAME_FIXED_MAX > peer->frame_max &&
        gri_frame_len(frame) > peer->frame_max) {
        return GR_ETOOBIG;
    }
    if (gri_frame_is_refusable(frame->type) &&
        waiting(peer) >= peer->net->outbox_max) {
        return GR_EAGAIN;
    }
    return is_deaf(peer) ? GR_ELIMIT : 0;
}

/* Appends it, and notes what it ties. Under lock. */
static int put(gri_peer *peer, const gri_frame *frame)
{
    if (frame->type == GRI_FRAME_RESUME) {
        gri_slowed_told(&peer->slowed, frame->from, frame->to);
    } else if (frame->type != GRI_FRAME_SEND) {
        GR_TRY(gri_outbox_reserve(&peer->out, frame));
        int rc = gri_crossing_out(&peer->crossing, frame);
        if (rc == GR_ELIMIT) {
            return gri_frame_is_refusable(frame->type) ? GR_EAGAIN : GR_ENOMEM;
        }
        GR_TRY(rc);
    } else if (peer->crossing.leave.may != NULL) {
        GR_TRY(gri_crossing_out(&peer->crossing, frame));
    }
    GR_TRY(gri_outbox_put(&peer->out, frame));
    peer->wrote = true;
    return 0;
}

/* Whether who sent it is to wait: it, or all who send, have sent too much. */
static bool is_too_much(const gri_peer *peer, uint64_t from, uint64_t to)
{
    return waiting(peer) > gri_outbox_soft(peer->net) ||
           gri_slowed_is(&peer->slowed, from, to);
}

/* Somebody there waits for it, and would not be told that it does not come. */
static bool is_owed(const gri_frame *frame)
{
    return frame->type == GRI_FRAME_DOWN || frame->type == GRI_FRAME_EXIT ||
           frame->type == GRI_FRAME_RESUME ||
           (frame->type == GRI_FRAME_REPLY && frame->status < 0);
}

/* Is it sent at the end of the worker's turn, with what else the turn sends?
 * Under lock. */
static bool is_put_off(gri_peer *peer, struct gri_worker *worker)
{
    if (worker == NULL || peer->flying || !peer->link->ops->sends_at_once ||
        gri_outbox_cost(&peer->out) >= GRI_PART_BYTES) {
        return false;
    }
    if (peer->after_of == NULL) {
        peer->after_of = worker;
        gri_after_turn(worker, &peer->after);
    }
    return peer->after_of == worker; /* another's turn may last long */
}

/* Bytes of a draft: with its head it is a SEND. Under lock. */
static uint32_t room_of_draft(const gri_peer *peer)
{
    const uint32_t most = peer->net->draft_max;
    const uint32_t room =
        peer->out.batch_max < most ? peer->out.batch_max : most;
    return room > GRI_SEND_HEAD ? room - GRI_SEND_HEAD : 0;
}

/* What a draft of this peer has goes into the outbox. Under lock. */
static int put_draft(gri_peer *peer, gri_draft *d)
{
    gri_payload m;
    if (!gri_draft_take(d, &m)) {
        return 0;
    }
    if (peer->state != GRI_PEER_UP || peer->closing ||
        peer->born != d->of.born) {
        return 0; /* lost with its connection, as what is on its way */
    }
    if (is_deaf(peer)) {
        return GR_ELIMIT;
    }
    const gri_frame f = {.type = GRI_FRAME_SEND,
                         .to = m.to,
                         .from = m.from,
                         .payload = m.p,
                         .len = m.len,
                         .count = m.count};
    GR_TRY(gri_outbox_put(&peer->out, &f));
    peer->wrote = true;
    peer->sent.messages += m.count;
    return 0;
}

/* Not once messages may be refused: gri_peer_deliver is to look at each. That
 * their sender is to wait is no reason, it is told once a turn. Under lock. */
static bool may_draft(const gri_peer *peer)
{
    return waiting(peer) < peer->net->outbox_max &&
           peer->crossing.leave.may == NULL;
}

bool gri_peer_end_draft(gri_draft *d, struct gri_worker *worker)
{
    gri_flight f = {.link = NULL};
    /* relaxed: this thread's own. */
    gri_peer *peer = atomic_load_explicit(&d->peer, memory_order_relaxed);
    lock(peer);
    const gri_link *link = peer->link;
    const int rc = put_draft(peer, d);
    gri_draft_empty(d);
    const bool slow = is_too_much(peer, d->of.from, d->of.to);
    d->open = d->open && may_draft(peer);
    if (worker == NULL || link == NULL || !is_put_off(peer, worker)) {
        f = gri_peer_take_off(peer);
    }
    unlock(peer);
    gri_peer_launch(peer, f);
    judge(peer, link, rc);
    return slow;
}

void gri_peer_leave_draft(gri_draft *d)
{
    /* relaxed: this thread's own. */
    gri_peer *peer = atomic_load_explicit(&d->peer, memory_order_relaxed);
    if (peer != NULL) {
        lock(peer);
        /* relaxed: who relies on it has that lock. */
        atomic_store_explicit(&d->peer, NULL, memory_order_relaxed);
        unlock(peer);
    }
}

void gri_peer_hurry_draft(gri_draft *d)
{
    gri_flight f = {.link = NULL};
    int rc = 0;
    /* acquire: pairs with the release in gri_draft_begin. */
    gri_peer *peer = atomic_load_explicit(&d->peer, memory_order_acquire);
    if (peer == NULL) {
        return;
    }
    lock(peer);
    const gri_link *link = peer->link;
    /* relaxed: with the lock it stays what it is, if it is this peer. */
    if (atomic_load_explicit(&d->peer, memory_order_relaxed) == peer) {
        rc = put_draft(peer, d);
        f = gri_peer_take_off(peer);
    }
    unlock(peer);
    gri_peer_launch(peer, f);
    judge(peer, link, rc);
}

int gri_peer_put_drafts(gri_peer *peer)
{
    for (unsigned i = 0; i < GR_WORKERS_MAX; i++) {
        gri_draft *d = gri_net_draft(peer->net, i);
        /* relaxed: see gri_peer_hurry_draft. */
        if (d != NULL &&
            atomic_load_explicit(&d->peer, memory_order_relaxed) == peer) {
            GR_TRY(put_draft(peer, d));
        }
    }
    return 0;
}

int gri_peer_deliver(gri_peer *peer, struct gri_worker *worker, uint64_t node,
                     const gri_frame *frame, gri_draft *draft)
{
    gri_flight f = {.link = NULL};
    lock(peer);
    /* Once the lock is free it may be closed, and the peer have another. */
    const gri_link *link = peer->link;
    int rc = admit(peer, node, frame);
    const bool deaf = rc == GR_ELIMIT;
    if (rc == 0) {
        rc = put(peer, frame);
        if (!is_put_off(peer, worker)) {
            f = gri_peer_take_off(peer);
        }
    }
    peer->sent.messages += rc == 0 && gri_frame_is_message(frame->type);
    peer->sent.refused += rc == GR_EAGAIN;
    const bool slow = rc == 0 && gri_frame_is_refusable(frame->type) &&
                      is_too_much(peer, frame->from, frame->to);
    if (draft != NULL && rc == 0 && may_draft(peer)) {
        gri_draft_begin(
            draft, peer,
            &(gri_draft_for){.up = &peer->up,
                             .born = peer->born,
                             .node = node,
                             .to = frame->to,
                             .from = frame->from,
                             .room = room_of_draft(peer),
                             .most = peer->net->draft_max / GRI_MESSAGE_COST});
    }
    unlock(peer);
    gri_peer_launch(peer, f);
    if (deaf) {
        gri_peer_close_link(peer, link, GR_ELIMIT, deaf_fault);
        return GR_ENOCONN;
    }
    if (rc == GR_ENOMEM && is_owed(frame)) {
        gri_peer_close_link(peer, link, GR_ENOMEM,
                            "no memory for a death or an answer");
    }
    return slow ? GRI_ROUTE_SLOW : rc;
}
