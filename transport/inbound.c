/*
 * transport/inbound.c - what a proven peer sends, frame by frame, to the actors
 * of this node. Runs in the link's callback (or once in the agent's turn), and
 * only enqueues. Frames are parsed where they were received; a payload is
 * copied once, into the message that its receiver gets, or, of a large frame,
 * was received there (large.h). Only a frame that comes in parts is put
 * together first, in peer->parts.
 */
#include "transport/net.h"
#include "transport/translate.h"

/* A read of what has come: what gri_deliver_all asks for the next message. */
typedef struct inflow {
    gri_peer *peer;
    gri_cache *cache;
    size_t at;   /* in peer->in */
    size_t need; /* bytes of the frame that is not here yet, as far as known */
    gri_frame f;
    bool sending;   /* f is a SEND, and may have more */
    bool is_long;   /* f stands in peer->parts */
    bool is_large;  /* f stood in peer->large, and maybe still does */
    bool cut;       /* nothing more is read */
    bool answered;  /* answers wait for the end of the read, */
    unsigned pings; /* and so many PINGs for their PONGs */
    gr_pid slow_from, slow_to; /* of which was looked last */
    unsigned frames, messages; /* that were read */
} inflow;

static const char no_memory[] = "no memory for a message";

static gri_net *net_of(gri_peer *peer)
{
    return peer->net;
}

static void cut(inflow *in, int reason, const char *fault)
{
    gri_peer_close(in->peer, reason, fault);
    in->cut = true;
}

/* ---- frames between nodes ------------------------------------------------ */

static void on_bye(inflow *in)
{
    static const gri_frame ack = {.type = GRI_FRAME_BYE_ACK};
    gri_peer *peer = in->peer;
    (void)pthread_mutex_lock(&peer->lock);
    bool again = peer->got_bye;
    const int rc = gri_peer_put_drafts(peer); /* it is sent what there is */
    peer->got_bye = true;
    peer->state = GRI_PEER_LEAVING;
    (void)pthread_mutex_unlock(&peer->lock);
    if (again) {
        cut(in, GR_EFORMAT, "frame after a goodbye");
        return;
    }
    if (rc < 0) {
        cut(in, rc, "no memory for the outbox");
        return;
    }
    /* relaxed: a hint, see peer.c. */
    atomic_store_explicit(&net_of(peer)->nodes[peer->index], 0,
                          memory_order_relaxed);
    atomic_store_explicit(&peer->up, 0, memory_order_relaxed); /* likewise */
    gri_peer_last(peer, &ack);
    /* The other end closes when it has read that, and is made to if not: its
     * name and its place among the peers are not its own any more. */
    gri_peer_set_deadline(peer, gri_deadline(net_of(peer)->clock, GRI_BYE_MS));
}

static void on_bye_ack(inflow *in)
{
    (void)pthread_mutex_lock(&in->peer->lock);
    bool expected = in->peer->said_bye;
    (void)pthread_mutex_unlock(&in->peer->lock);
    cut(in, expected ? 0 : GR_EFORMAT,
        expected ? NULL : "goodbye agreed to that nobody said");
}

static void on_credit(inflow *in, uint32_t n)
{
    gri_peer *peer = in->peer;
    (void)pthread_mutex_lock(&peer->lock);
    int rc = gri_outbox_grant(&peer->out, n);
    const gri_flight f = gri_peer_take_off(peer);
    (void)pthread_mutex_unlock(&peer->lock);
    gri_peer_launch(peer, f);
    if (rc < 0) {
        cut(in, rc, "more credit than anybody needs");
    }
}

static void on_slowed(inflow *in)
{
    gri_peer *peer = in->peer;
    if (peer->slow_heard == peer->slow_said) {
        cut(in, GR_EFORMAT, "answer to a SLOW that nobody said");
        return;
    }
    peer->slow_heard++;
}

static void on_pong(gri_peer *peer)
{
    const int64_t now = gri_clock_ns(net_of(peer)->clock);
    (void)pthread_mutex_lock(&peer->lock);
    gri_rtt_pong(&peer->sent.rtt, now);
    (void)pthread_mutex_unlock(&peer->lock);
    gri_net_post(net_of(peer), peer, GRI_EVENT_PONG);
}

static void on_control(inflow *in, const gri_frame *f)
{
    switch ((int)f->type) {
    case GRI_FRAME_PING:
        in->pings++;
        break;
    case GRI_FRAME_PONG:
        on_pong(in->peer);
        break;
    case GRI_FRAME_BYE:
        on_bye(in);
        break;
    case GRI_FRAME_BYE_ACK:
        on_bye_ack(in);
        break;
    case GRI_FRAME_CREDIT:
        on_credit(in, f->count);
        break;
    case GRI_FRAME_SLOWED:
        on_slowed(in);
        break;
    default:
        break; /* HEARTBEAT: that it came is all it says */
    }
}

/* ---- credit -------------------------------------------------------------- */

/* The other end has used so much. */
static void charge(gri_peer *peer, size_t n)
{
    peer->credit -= (int64_t)n;
    peer->taken += (uint32_t)n; /* less than a window and one frame */
}

/* It is told of what was taken, once that is much; but not while it may not
 * know yet that it is to be slow. */
static void grant(gri_peer *peer)
{
    if (peer->taken > 0 && peer->taken >= net_of(peer)->window / 2 &&
        peer->slow_heard >= peer->slow_mark) {
        peer->slow_mark = peer->slow_said;
        gri_peer_control(
            peer, &(gri_frame){.type = GRI_FRAME_CREDIT, .count = peer->taken});
        peer->credit += peer->taken;
        peer->taken = 0;
    }
}

/* For a frame of n bytes. False: it was not allowed any more. */
static bool pay(inflow *in, gri_frame_type type, size_t n)
{
    if (!gri_frame_is_message(type) && type != GRI_FRAME_PART) {
        return true;
    }
    if (in->peer->credit <= 0) {
        cut(in, GR_EFORMAT, "more than it was given credit for");
        return false;
    }
    charge(in->peer, n);
    return true;
}

/* ---- frames between actors ----------------------------------------------- */

/* Does it tie actors, so that the tables must know? */
static bool ties(gri_frame_type type)
{
    return !gri_frame_is_refusable(type) && type != GRI_FRAME_STOP &&
           type != GRI_FRAME_KILL;
}

/* Whether the peer may do that; if not, it has been told so. */
static bool is_allowed(inflow *in, const gri_frame *f)
{
    gri_peer *peer = in->peer;
    int may;
    if (peer->rights == NULL && f->type != GRI_FRAME_MONITOR) {
        return true;
    }
    do {
        (void)pthread_mutex_lock(&peer->lock);
        may = gri_crossing_check(&peer->crossing, f);
        (void)pthread_mutex_unlock(&peer->lock);
        if (may == GR_EEXIST) {
            cut(in, GR_EFORMAT, "monitor by a number that is in use");
            return false;
        }
    } while (may < 0 && !gri_peer_refuse(peer, f, may));
    return may == 0;
}

/* Notes it in the tables. False: it is not to be given to its receiver. */
static bool admit(inflow *in, const gri_frame *f)
{
    gri_peer *peer = in->peer;
    int rc = 1;
    if (!is_allowed(in, f)) {
        return false;
    }
    if (ties(f->type)) {
        (void)pthread_mutex_lock(&peer->lock);
        rc = gri_crossing_in(&peer->crossing, f);
        (void)pthread_mutex_unlock(&peer->lock);
    }
    if (rc < 0) {
        cut(in, rc == GR_ELIMIT ? GR_EFORMAT : rc,
            rc == GR_ELIMIT ? "too many monitors or links"
                            : "no memory for a monitor or link");
        return false;
    }
    /* The agent of a node is ended by its own system alone. */
    bool to_agent = f->to == GRI_AGENT_ID &&
                    (f->type == GRI_FRAME_STOP || f->type == GRI_FRAME_KILL);
    return rc > 0 && !to_agent;
}

/* A message with the payload of a SEND. NULL: no memory. */
static inline gr_msg *hold_payload(inflow *in, const gri_frame *f)
{
    if (in->is_large && gri_large_is(&in->peer->large, f->payload, f->more)) {
        return gri_large_take(&in->peer->large);
    }
    gr_msg *msg = gri_msg_new(in->cache, f->len);
    if (msg != NULL) {
        memcpy(gri_msg_payload(msg), f->payload, f->len);
    }
    return msg;
}

/* What a SEND carries, as gri_msg_of_frame makes it: most that comes does. */
static gr_msg *message_of_send(inflow *in, const gri_frame *f, gr_pid *to)
{
    gri_peer *peer = in->peer;
    gr_msg *msg = hold_payload(in, f);
    charge(peer, GRI_MESSAGE_COST);
    in->messages++;
    if (msg == NULL) {
        /* To leave it out silently would break what senders rely on. */
        cut(in, GR_ENOMEM, no_memory);
        return NULL;
    }
    msg->len = f->len;
    msg->from = (gr_pid){f->from == 0 ? 0 : peer->hs.other.node, f->from};
    if (peer->rights != NULL && !is_allowed(in, f)) {
        gri_msg_free(in->cache, msg);
        return NULL;
    }
    *to = (gr_pid){net_of(peer)->self.node, f->to};
    return msg;
}

/* The message of any other frame; NULL: there is none. */
static gr_msg *message_of(inflow *in, const gri_frame *f, gr_pid *to)
{
    gri_peer *peer = in->peer;
    gri_cache *cache = in->cache;
    if (gri_frame_is_message(f->type)) {
        /* Whatever becomes of it: its sender has paid. */
        charge(peer, GRI_MESSAGE_COST);
        in->messages++;
    }
    /* Before the tables forget what it answers or ends: without memory for it
     * the loss of the connection does that. */
    gr_msg *msg = gri_msg_of_frame(cache, peer->hs.other.node, f);
    if (msg == NULL) {
        /* To leave it out silently would break what senders rely on. */
        cut(in, GR_ENOMEM, no_memory);
        return NULL;
    }
    if (!admit(in, f)) {
        gri_msg_free(cache, msg);
        return NULL;
    }
    *to = (gr_pid){net_of(peer)->self.node, f->to};
    return msg;
}

/* What slows senders down is between nodes, though actors stand in it. False:
 * it is something else. */
static bool on_slow(inflow *in, const gri_frame *f)
{
    gri_peer *peer = in->peer;
    bool go = false;
    if (f->type != GRI_FRAME_SLOW && f->type != GRI_FRAME_RESUME) {
        return false;
    }
    (void)pthread_mutex_lock(&peer->lock);
    if (f->type == GRI_FRAME_SLOW) {
        gri_slowed_hear(&peer->slowed, f->to, f->from);
    } else {
        go = gri_slowed_resume(&peer->slowed, f->to, f->from);
    }
    (void)pthread_mutex_unlock(&peer->lock);
    if (go) {
        gri_let_go(net_of(peer)->sys, f->to);
    }
    if (f->type == GRI_FRAME_SLOW) {
        gri_peer_answer(peer, GRI_FRAME_SLOWED, 1);
        in->answered = true;
    }
    return true;
}

/* A frame to an actor. */
static gr_msg *on_actors(inflow *in, gr_pid *to)
{
    const gri_frame *f = &in->f;
    /* Written by this thread alone. */
    if (in->peer->got_bye) {
        cut(in, GR_EFORMAT, "frame after a goodbye");
        return NULL;
    }
    if (on_slow(in, f)) {
        return NULL;
    }
    in->sending = f->type == GRI_FRAME_SEND;
    return in->sending ? message_of_send(in, f, to) : message_of(in, f, to);
}

/* ---- long frames --------------------------------------------------------- */

/* Room for one more part. Once much of the frame is here there is room for all
 * of it: to copy it to a larger place again and again would keep other links
 * waiting. Until then who only declares much costs what it has sent. */
static int make_room(inflow *in)
{
    gri_buffer *parts = &in->peer->parts;
    size_t need = 0;
    if (parts->len >= GRI_BUFFER_BUSY &&
        gri_frame_split(parts->data, parts->len,
                        net_of(in->peer)->self.frame_max, &need) == 0 &&
        need - parts->len > in->f.len) {
        return gri_buffer_reserve(parts, need - parts->len);
    }
    return gri_buffer_reserve(parts, in->f.len);
}

/* One more part has come: with the last one the frame is read. */
static gr_msg *on_part(inflow *in, gr_pid *to)
{
    gri_peer *peer = in->peer;
    gri_buffer *parts = &peer->parts;
    const char *fault = NULL;
    size_t need = 0;
    if (make_room(in) < 0) {
        cut(in, GR_ENOMEM, "no memory for a long frame");
        return NULL;
    }
    gri_buffer_put(parts, in->f.payload, in->f.len);
    const int64_t n = gri_frame_split(parts->data, parts->len,
                                      net_of(peer)->self.frame_max, &need);
    if (n == 0) {
        return NULL;
    }
    if (n == GR_ETOOBIG) {
        fault = "frame longer than the limit";
    } else if (n < 0 || (size_t)n < parts->len) {
        fault = "parts that are no frame";
    } else if (gri_frame_read(parts->data, parts->len, &in->f, &fault) == 0 &&
               !gri_frame_is_message(in->f.type)) {
        fault = "frame that does not go in parts";
    }
    if (fault != NULL) {
        cut(in, GR_EFORMAT, fault);
        return NULL;
    }
    in->is_long = true;
    return on_actors(in, to);
}

/* It was read, with all that is in it. */
static void end_long(inflow *in)
{
    in->peer->parts.len = 0;
    gri_buffer_shrink(&in->peer->parts, 0);
    in->is_long = false;
}

/* ---- reading ------------------------------------------------------------- */

static gr_msg *on_frame(inflow *in, const uint8_t *p, size_t n, gr_pid *to)
{
    const char *fault = NULL;
    in->frames++;
    if (gri_frame_read(p, n, &in->f, &fault) < 0) {
        cut(in, GR_EFORMAT, fault);
        return NULL;
    }
    if (!pay(in, in->f.type, n)) {
        return NULL;
    }
    if (in->f.type == GRI_FRAME_PART) {
        return on_part(in, to);
    }
    if (in->f.to != 0) {
        return on_actors(in, to);
    }
    on_control(in, &in->f);
    return NULL;
}

/* The next message of the SEND that is being read, or NULL. */
static gr_msg *next_payload(inflow *in, gr_pid *to)
{
    const char *fault = NULL;
    const int rc = gri_frame_more(&in->f, &fault);
    in->sending = rc > 0;
    if (rc < 0) {
        cut(in, GR_EFORMAT, fault);
    }
    return rc > 0 ? message_of_send(in, &in->f, to) : NULL;
}

/* The longest frame that may stand by itself. */
static size_t direct_max(const gri_net *net)
{
    const size_t max = net->self.frame_max;
    return max < GRI_FRAME_DIRECT_MAX ? max : GRI_FRAME_DIRECT_MAX;
}

/* Returns the whole length of the next frame, or 0. */
static size_t next_frame(inflow *in)
{
    const gri_buffer *b = &in->peer->in;
    const int64_t n = gri_frame_split(b->data + in->at, b->len - in->at,
                                      direct_max(net_of(in->peer)), &in->need);
    if (n < 0) {
        cut(in, GR_EFORMAT,
            n == GR_ETOOBIG ? "frame longer than the limit"
                            : "frame without a type");
        return 0;
    }
    return (size_t)n;
}

/* All that is left is the beginning of a frame: if that is large, and may come,
 * the rest of it is received into its message. */
static void begin_large(inflow *in)
{
    gri_peer *peer = in->peer;
    const uint8_t *p = peer->in.data + in->at;
    const size_t n = peer->in.len - in->at;
    if (in->cut || n < GRI_FRAME_HEAD || in->need < GRI_LARGE_MIN ||
        p[4] != GRI_FRAME_SEND || peer->credit <= 0) {
        return;
    }
    if (gri_large_begin(&peer->large, in->cache, p, n, in->need) < 0) {
        cut(in, GR_ENOMEM, no_memory);
        return;
    }
    in->at += n;
    in->need = 0; /* there is room for it */
}

/* The large frame that was being received is here. */
static gr_msg *on_large(inflow *in, gr_pid *to)
{
    const gri_large *l = &in->peer->large;
    in->is_large = true;
    return on_frame(in, gri_large_frame(l), l->need, to);
}

/* The frame that stands there for itself was read, with all that is in it. */
static void end_frame(inflow *in)
{
    if (in->is_long) {
        end_long(in);
    }
    if (in->is_large) {
        gri_large_drop(&in->peer->large, in->cache);
        in->is_large = false;
    }
}

static gr_msg *next(void *arg, gri_cache *cache, gr_pid *to)
{
    inflow *in = arg;
    gr_msg *msg = NULL;
    in->cache = cache;
    while (msg == NULL && !in->cut) {
        if (in->sending) {
            msg = next_payload(in, to);
            continue;
        }
        end_frame(in);
        if (in->peer->large.block != NULL) {
            if (!gri_large_is_whole(&in->peer->large)) {
                break;
            }
            msg = on_large(in, to);
            continue;
        }
        const size_t n = next_frame(in);
        if (n == 0) {
            begin_large(in);
            break;
        }
        in->at += n;
        msg = on_frame(in, in->peer->in.data + in->at - n, n, to);
    }
    return msg;
}

static bool pressed(void *arg, gr_pid from, gr_pid to)
{
    inflow *in = arg;
    gri_peer *peer = in->peer;
    gri_flight f = {.link = NULL};
    if (gr_pid_eq(from, in->slow_from) && gr_pid_eq(to, in->slow_to)) {
        return false; /* one of many, one behind the other */
    }
    in->slow_from = from;
    in->slow_to = to;
    (void)pthread_mutex_lock(&peer->lock);
    const gri_frame slow = {
        .type = GRI_FRAME_SLOW, .to = from.id, .from = to.id};
    const bool tell = peer->state == GRI_PEER_UP && !peer->closing &&
                      gri_outbox_reserve(&peer->out, &slow) == 0 &&
                      gri_slowed_tell(&peer->slowed, to.id, from.id) &&
                      gri_outbox_put(&peer->out, &slow) == 0;
    if (tell) {
        f = gri_peer_take_off(peer);
    }
    (void)pthread_mutex_unlock(&peer->lock);
    gri_peer_launch(peer, f);
    if (tell) {
        peer->slow_said++;
        if (peer->slow_heard >= peer->slow_mark) {
            peer->slow_mark = peer->slow_said;
        }
    }
    return tell;
}

static void count(const inflow *in)
{
    gri_got *t = &in->peer->got;
    gri_got_add(&t->frames, in->frames);
    gri_got_add(&t->messages, in->messages);
    /* relaxed: see gri_got. */
    atomic_store_explicit(&t->credit, in->peer->credit, memory_order_relaxed);
}

bool gri_peer_read(gri_peer *peer, struct gri_worker *worker)
{
    gri_buffer *buffer = &peer->in;
    inflow in = {.peer = peer};
    const gri_feed feed = {.next = next, .pressed = pressed, .arg = &in};
    gri_deliver_all(net_of(peer)->sys, worker, &peer->cache, &feed);
    if (in.cut) {
        return false;
    }
    if (in.pings > 0) {
        gri_peer_answer(peer, GRI_FRAME_PONG, in.pings);
    }
    if (in.answered || in.pings > 0) {
        gri_peer_flush(peer);
    }
    gri_buffer_drop(buffer, in.at);
    /* Who receives a large frame has memory for that, and little beside it. */
    gri_buffer_shrink(buffer, peer->large.block != NULL ? GRI_BUFFER_MIN
                                                        : GRI_BUFFER_BUSY);
    if (worker == NULL && buffer->cap == GRI_BUFFER_MIN) {
        gri_cache_flush(&peer->cache); /* many idle peers add up */
    }
    grant(peer);
    count(&in);
    if (in.need > buffer->cap &&
        gri_buffer_reserve(buffer, in.need - buffer->len) < 0) {
        cut(&in, GR_ENOMEM, "no memory for a frame");
        return false;
    }
    return true;
}
