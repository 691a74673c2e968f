/*
 * actors/circle.h - threads that would wait for each other for ever.
 *
 * A thread actor in gr_call waits for who holds its question; one in
 * gr_send_wait for the owner of a full mailbox. Where that is a thread actor of
 * this node, too, the wait is an edge from one to the other; whoever would
 * close a circle of edges gets GR_EDEADLOCK instead. Handler actors never wait,
 * so a wait for one of them is no edge, and takes no lock.
 *
 * The edge stands with who waits (gri_wait), under one lock for all edges, so
 * that of two that close a circle together one is the second. It is live while
 * its ref is the one that its thread waits for. That one the thread writes
 * itself, without the lock: a wait that ends takes its edge along. It goes
 * before that when the answer is sent, and moves when the question is
 * forwarded, each time before the message is pushed: so nobody can learn of the
 * end of a wait and still find the edge. Refs are not used again, so no edge
 * comes to life again.
 *
 * A wait for room is not as exact: the receiver may have made room since it was
 * looked for, or be about to reach the message that asks for it. So who closes
 * a circle with such an edge in it goes on, and only makes its owner look
 * again: if all others in the circle wait for answers, the mailbox is as full
 * as it will stay, and one more try decides. (Of a circle with two such edges
 * nobody decides; the deadlines do.)
 *
 * Questions of waiting threads have a ref with a bit set. The others cost no
 * more than a look at that bit.
 */
#ifndef GRI_ACTORS_CIRCLE_H
#define GRI_ACTORS_CIRCLE_H

#include "actors/internal.h"

/* In the ref of a question of a thread of this node, to an actor of it. Refs
 * are counted from below, so it is free. */
#define GRI_REF_WAITS (UINT64_C(1) << 63)

/* A thread comes and goes: begun with its pid. Errors: GR_ENOMEM. */
int gri_circle_join(gr_actor *self);
void gri_circle_leave(gr_actor *self);

/* What a wait is for, in words: of one of them, or of room. */
typedef struct gri_wait_for {
    const gr_value *tag; /* of the question, or NULL */
    const gr_msg *msg;   /* the question, or NULL */
    bool room;
} gri_wait_for;

/* self, a thread, is about to wait for what is sent to `to` with that ref.
 * Errors: GR_EDEADLOCK, and it must not; of a wait for room: if there is none.
 */
int gri_wait_begin(gr_actor *self, gr_pid to, uint64_t ref,
                   const gri_wait_for *what);
void gri_wait_end(gr_actor *self);
/* That is what the program gets: the circle is told. */
void gri_wait_told(gr_actor *self);

/* The question of ref, by `from`, is about to be answered. */
void gri_wait_answered(gri_ctx *ctx, gr_pid from, uint64_t ref);
/* It is about to be given to another. False: that would close a circle. */
bool gri_wait_passed(gri_ctx *ctx, gr_pid from, uint64_t ref, gr_pid to);
/* self waits for room at `to`: again, whether that closes a circle. Errors:
 * GR_EDEADLOCK. */
int gri_wait_look(gr_actor *self, gr_pid to);

static inline bool gri_ref_waits(uint64_t ref)
{
    return (ref & GRI_REF_WAITS) != 0;
}

#endif /* GRI_ACTORS_CIRCLE_H */
