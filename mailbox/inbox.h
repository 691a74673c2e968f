/*
 * mailbox/inbox.h - one actor's inbox: many producers, one consumer, intrusive.
 *
 * A linked queue after Vyukov's (1024cores.net, "Non-intrusive MPSC
 * node-based queue"): a push is one exchange of `tail` and one store that links
 * the predecessor to the new message. The newest message's address in `tail`
 * may carry GRI_IDLE in its lowest bit:
 *
 *   without  the consumer runs, or is scheduled to: it will see the push;
 *   with     the queue is empty and nobody consumes: the push that takes the
 *            mark away is told so, and must schedule the consumer. Only it.
 *
 * The last message taken stays in the queue as its first node (`head`), until
 * the next is taken. So a received message is valid for a turn without a copy,
 * and an idle inbox holds one block.
 *
 * Counting. Senders need to know about how many user messages wait, and must
 * not pay for a shared counter when nobody waits. A push that found the mark
 * knows that the queue was empty and counts nothing. Any other adds one to
 * `queued` and says so in the message (GRI_MSG_COUNTED), which it may still
 * write, as the consumer cannot see it before it is linked. The consumer counts
 * those in `taken`. So the depth is queued - taken, but for a message that came
 * first into an idle inbox. Workers add what they have pushed in small lots to
 * wide mailboxes (actors/send.c); so `queued` may even be behind `taken`.
 */
#ifndef GRI_MAILBOX_INBOX_H
#define GRI_MAILBOX_INBOX_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "mailbox/message.h"

#define GRI_IDLE ((uintptr_t)1)

/* The producers' half. */
typedef struct gri_inbox {
    _Atomic(uintptr_t) tail;  /* any thread */
    _Atomic(uint32_t) queued; /* any thread, only grows (and wraps) */
    _Atomic(uint32_t) seen;   /* producers: a value that `taken` had */
} gri_inbox;

/* The consumer's half, on a cache line of its own. */
typedef struct gri_outlet {
    gr_msg *head;            /* consumer only; never NULL after init */
    _Atomic(uint32_t) taken; /* written by the consumer, read by producers */
    _Atomic(uint32_t) alert; /* for the consumer's owner: what it shall look at
                                before the next message. Here, as the consumer
                                looks often and others write seldom */
} gri_outlet;

typedef enum gri_pop {
    GRI_POP_MSG,   /* *out is the next message, now the head */
    GRI_POP_EMPTY, /* nothing; try gri_inbox_idle */
    GRI_POP_BUSY   /* a push is half done: come back later, do not wait */
} gri_pop;

/* Starts empty and idle, with `stub` as its first node. */
static inline void gri_inbox_init(gri_inbox *in, gri_outlet *out, gr_msg *stub)
{
    /* relaxed: nobody knows the inbox yet. */
    atomic_store_explicit(&stub->next, NULL, memory_order_relaxed);
    atomic_init(&in->tail, (uintptr_t)stub | GRI_IDLE);
    atomic_init(&in->queued, 0);
    atomic_init(&in->seen, 0);
    out->head = stub;
    atomic_init(&out->taken, 0);
    atomic_init(&out->alert, 0);
}

/* A push in two steps, between which its message may still be written, as the
 * consumer cannot see it before it is linked. Of several that are linked by
 * their next, the first step is for the last, and the second for the first.
 * True: the inbox was idle, and the caller, and nobody else, must schedule the
 * consumer after the second step. */
static inline bool gri_inbox_push_begin(gri_inbox *in, gr_msg *msg,
                                        gr_msg **before)
{
    /* relaxed: published by the release below. */
    atomic_store_explicit(&msg->next, NULL, memory_order_relaxed);
    /* release: whoever exchanges after us, or idles, sees msg->next as NULL.
     * acquire: pairs with the release in gri_inbox_idle; whoever takes the mark
     * away inherits the last consumer's writes for the worker it wakes, and
     * with the predecessor's release: its `next` is ours to write. */
    uintptr_t old = atomic_exchange_explicit(&in->tail, (uintptr_t)msg,
                                             memory_order_acq_rel);
    *before = (gr_msg *)(old & ~GRI_IDLE);
    return (old & GRI_IDLE) != 0;
}

static inline void gri_inbox_push_end(gr_msg *before, gr_msg *msg)
{
    /* release: publishes *msg; pairs with the acquire in gri_inbox_pop. The
     * predecessor cannot have been freed: the consumer frees a node only when
     * it has found its `next`. */
    atomic_store_explicit(&before->next, msg, memory_order_release);
}

/* n more messages that have GRI_MSG_COUNTED. */
static inline void gri_inbox_count(gri_inbox *in, uint32_t n)
{
    /* relaxed: a number, which orders nothing. */
    atomic_fetch_add_explicit(&in->queued, n, memory_order_relaxed);
}

/* Any thread. Takes msg. True: the inbox was idle, and the caller, and nobody
 * else, must schedule the consumer. */
static inline bool gri_inbox_push(gri_inbox *in, gr_msg *msg, bool count)
{
    gr_msg *before;
    const bool was_idle = gri_inbox_push_begin(in, msg, &before);
    if (count && !was_idle) {
        msg->flags |= GRI_MSG_COUNTED;
        gri_inbox_count(in, 1);
    }
    gri_inbox_push_end(before, msg);
    return was_idle;
}

/* Consumer only: so many counted messages wait no more. */
static inline void gri_inbox_take_count(gri_outlet *out, uint32_t n)
{
    /* relaxed: only we write it, and it orders nothing. */
    uint32_t taken = atomic_load_explicit(&out->taken, memory_order_relaxed);
    atomic_store_explicit(&out->taken, taken + n, memory_order_relaxed);
}

/* Consumer only: a message that was popped is set aside, and waits again. */
static inline void gri_inbox_count_saved(gri_inbox *in, gri_outlet *out,
                                         gr_msg *msg)
{
    if ((msg->flags & GRI_MSG_COUNTED) != 0) {
        gri_inbox_take_count(out, UINT32_MAX); /* one less */
    } else {
        msg->flags |= GRI_MSG_COUNTED;
        /* relaxed: a number, which orders nothing. */
        atomic_fetch_add_explicit(&in->queued, 1, memory_order_relaxed);
    }
}

/* Consumer only. On GRI_POP_MSG *old is the node that was the head, which is
 * now the caller's to free or keep. */
static inline gri_pop gri_inbox_pop(gri_inbox *in, gri_outlet *out,
                                    gr_msg **msg, gr_msg **old)
{
    gr_msg *head = out->head;
    /* acquire: pairs with the linking release in gri_inbox_push. */
    gr_msg *next = atomic_load_explicit(&head->next, memory_order_acquire);
    if (next == NULL) {
        /* relaxed: only compared; what it names is not looked at. */
        uintptr_t tail = atomic_load_explicit(&in->tail, memory_order_relaxed);
        return tail == (uintptr_t)head ? GRI_POP_EMPTY : GRI_POP_BUSY;
    }
    out->head = next;
    /* What comes after it may be cold. relaxed: not looked at. */
    __builtin_prefetch(atomic_load_explicit(&next->next, memory_order_relaxed));
    if ((next->flags & GRI_MSG_COUNTED) != 0) {
        gri_inbox_take_count(out, 1);
    }
    *msg = next;
    *old = head;
    return GRI_POP_MSG;
}

/* Consumer only. Puts the message that was popped last back, and `before` in
 * front of it: that is popped next. `stub` becomes the head for so long; the
 * node that was the head before the pop is not needed. */
static inline void gri_inbox_put_back(gri_outlet *out, gr_msg *stub,
                                      gr_msg *before)
{
    if ((out->head->flags & GRI_MSG_COUNTED) != 0) {
        gri_inbox_take_count(out, UINT32_MAX); /* one less */
    }
    /* relaxed, both: nobody but the consumer looks at a node in front of one
     * that was popped; producers write only to the newest. */
    atomic_store_explicit(&before->next, out->head, memory_order_relaxed);
    atomic_store_explicit(&stub->next, before, memory_order_relaxed);
    out->head = stub;
}

/* Consumer only: nothing to pop at this moment. */
static inline bool gri_inbox_is_empty(const gri_outlet *out)
{
    /* relaxed: gri_inbox_idle looks again. */
    return atomic_load_explicit(&out->head->next, memory_order_relaxed) == NULL;
}

/* Consumer only, when nothing was there. True: the caller consumes no more, and
 * must not touch what the consumer owns. False: something came, pop again. */
static inline bool gri_inbox_idle(gri_inbox *in, gri_outlet *out)
{
    uintptr_t expected = (uintptr_t)out->head;
    /* release: hands our writes to the push that takes the mark away.
     * relaxed on failure: the next pop acquires what came. */
    return atomic_compare_exchange_strong_explicit(
        &in->tail, &expected, expected | GRI_IDLE, memory_order_release,
        memory_order_relaxed);
}

/* Any thread: nothing is there, and nobody consumes; or so it was. */
static inline bool gri_inbox_is_idle(gri_inbox *in)
{
    /* relaxed: only compared. */
    return (atomic_load_explicit(&in->tail, memory_order_relaxed) & GRI_IDLE) !=
           0;
}

/* Takes the consumer's role from idle, without a push: for the former consumer,
 * and for who has a free slot. False: it is not idle; a push was faster, or the
 * last consumer is still there. */
static inline bool gri_inbox_reclaim(gri_inbox *in)
{
    /* relaxed: only compared. */
    uintptr_t tail = atomic_load_explicit(&in->tail, memory_order_relaxed);
    /* acquire: pairs with the release in gri_inbox_idle, and keeps what the
     * consumer does next behind the exchange. */
    return (tail & GRI_IDLE) != 0 &&
           atomic_compare_exchange_strong_explicit(
               &in->tail, &tail, tail & ~GRI_IDLE, memory_order_acquire,
               memory_order_relaxed);
}

/* Any thread: the depth below may be `limit` or more. A look at one line. */
static inline bool gri_inbox_seems_deep(gri_inbox *in, uint32_t limit)
{
    /* relaxed, both: see gri_inbox_depth. */
    return atomic_load_explicit(&in->queued, memory_order_relaxed) -
               atomic_load_explicit(&in->seen, memory_order_relaxed) >=
           limit;
}

/* Any thread: counted messages that wait; at most one more is there. Looks at
 * the consumer's line only when the answer could be `limit` or more. */
static inline uint32_t gri_inbox_depth(gri_inbox *in, const gri_outlet *out,
                                       uint32_t limit)
{
    /* relaxed, all: numbers for a bound that may be off by the number of
     * threads that send at this moment. */
    uint32_t queued = atomic_load_explicit(&in->queued, memory_order_relaxed);
    uint32_t seen = atomic_load_explicit(&in->seen, memory_order_relaxed);
    if (queued - seen < limit) {
        return queued - seen;
    }
    uint32_t taken = atomic_load_explicit(&out->taken, memory_order_relaxed);
    if ((int32_t)(queued - taken) < 0) {
        /* What is not counted yet was taken, or `taken` was read behind a newer
         * push than `queued`. */
        taken = queued;
    }
    atomic_store_explicit(&in->seen, taken, memory_order_relaxed);
    return queued - taken;
}

#endif /* GRI_MAILBOX_INBOX_H */
