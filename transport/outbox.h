/*
 * transport/outbox.h - what waits to be sent to one peer, in two lanes.
 *
 * Most frames go as they come, one behind the other. In the second lane, the
 * held ones, stands what must wait: messages for which the other end has given
 * no credit yet, frames too long to be sent at once, and what their senders
 * have sent to the same receivers since (but for SLOW and RESUME, which nothing
 * waits for in order). Of these at most one PART's bytes go at a time, and what
 * is long in pieces, between which the others pass. So neither a long message
 * nor a peer that is slow to take messages holds up a heartbeat or a death.
 *
 * Messages of one sender to one receiver that stand one behind the other share
 * a frame: its payloads are one behind the other, too. A long message that is
 * given away is not copied: in either lane stands only where it is (cargo.h).
 * Pure; not thread-safe: the peer's lock guards it.
 */
#ifndef GRI_TRANSPORT_OUTBOX_H
#define GRI_TRANSPORT_OUTBOX_H

#include "transport/cargo.h"
#include "transport/frame.h"

enum {
    /* Counters of held frames by sender and receiver: pairs that share one are
     * taken for the same, and only wait for each other without need. */
    GRI_OUTBOX_PAIRS = 1024,
    /* Messages of one SEND, and its bytes: up to both, one more joins it. */
    GRI_BATCH_MAX = 1024,
    GRI_BATCH_BYTES = 16 * 1024,
    GRI_PART_BYTES = 64 * 1024 /* of a PART, without its head */
};

/* More credit than anybody may have: bytes. */
#define GRI_CREDIT_MAX (INT64_C(1) << 31)

/* What a SEND carries. */
typedef struct gri_payload {
    uint64_t to, from;
    const void *p; /* borrowed */
    uint32_t len;
    uint32_t count; /* messages in it, one behind the other */
} gri_payload;

/* The SEND at the end of a lane, which the next message may join. */
typedef struct gri_tail {
    size_t at; /* of its length word, in the lane's buffer */
    uint64_t to, from;
    uint32_t count; /* messages in it; 0: there is none */
} gri_tail;

/* The held frame that goes in parts. */
typedef struct gri_piece {
    size_t end;    /* of it, in the buffer; 0: none does */
    uint32_t cost; /* beyond its bytes */
    uint32_t pair;
} gri_piece;

typedef struct gri_outbox {
    gri_cargo now;
    gri_buffer held; /* records: cost beyond its bytes (4), then the frame, or
                        a gri_own */
    size_t held_at;  /* so much of it is gone */
    gri_piece piece;
    gri_tail now_tail, held_tail;
    size_t now_cost,
        held_cost;  /* what messages there cost beyond the lane's bytes */
    int64_t credit; /* bytes that the other end takes yet; may be overdrawn */
    int64_t window; /* the most that it ever was */
    /* Bytes of a SEND that more than one message is in: GRI_BATCH_BYTES, or the
     * longest frame that the other end takes. */
    uint32_t batch_max;
    uint32_t *pairs;  /* counters, or NULL: nothing was ever held */
    gri_depot *depot; /* constant, or NULL: to which the memory goes back that
                         is given away to it */
    uint64_t frames; /* that went, or stand in `now`: a long one by its parts */
} gri_outbox;        /* all zero is an empty one, without credit */

void gri_outbox_fini(gri_outbox *o);

/* Makes sure that gri_outbox_put of that frame, next, does not fail. Errors:
 * GR_ENOMEM. */
int gri_outbox_reserve(gri_outbox *o, const gri_frame *frame);
/* Appends a frame between actors. Takes frame->own, if that is not NULL.
 * Errors: GR_ENOMEM; nothing was appended, or taken. */
int gri_outbox_put(gri_outbox *o, const gri_frame *frame);
/* Appends bytes that are whole frames between nodes, or of the handshake, which
 * do not wait for what is held. Errors: GR_ENOMEM. */
int gri_outbox_put_bytes(gri_outbox *o, const void *bytes, size_t n);
/* Appends a frame behind all that is there: a goodbye. Errors: GR_ENOMEM. */
int gri_outbox_put_last(gri_outbox *o, const gri_frame *frame);

/* The other end takes so much more. Errors: GR_EFORMAT (too much). */
int gri_outbox_grant(gri_outbox *o, uint32_t n);

/*
 * Fills `fly`, which is empty, with what may go now; its memory is then used
 * for what comes. False: nothing may. Without memory what is held waits on.
 */
bool gri_outbox_take(gri_outbox *o, gri_cargo *fly);

/* Gives the memory back that nothing is in. */
void gri_outbox_rest(gri_outbox *o);

/* What waits, in the bytes that it costs. */
static inline size_t gri_outbox_cost(const gri_outbox *o)
{
    return gri_cargo_left(&o->now) + o->now_cost + (o->held.len - o->held_at) +
           o->held_cost;
}

static inline bool gri_outbox_is_empty(const gri_outbox *o)
{
    return gri_cargo_left(&o->now) == 0 && o->held.len == 0;
}

#endif /* GRI_TRANSPORT_OUTBOX_H */
