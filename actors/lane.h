/*
 * actors/lane.h - the second place where messages of few actors wait.
 *
 * An inbox gives out its messages in the order in which they came, and none of
 * them can be taken out of its middle. An actor with an urgent lane, or whose
 * policy drops the oldest message, needs both. So it has a lane beside its
 * inbox: two lists under a lock, which few senders take, and few receivers.
 *
 * The ring (GR_FULL_DROP_OLD) holds all user messages that wait; so it is what
 * is bounded, whatever the receiver does. Its order with the signals, which go
 * through the inbox as ever, is kept by tokens: a LANE in the inbox stands for
 * the messages of the ring that came there, in one row, between two signals. A
 * sender whose message is the next of a row adds it to the ring; if something
 * has been pushed behind the newest token, it first pushes another. The
 * receiver that reaches a token takes the messages up to that token's end, one
 * at a time, and then what stands behind it. So messages and signals of one
 * sender are handled in the order sent, and there are no more tokens than
 * signals, and two. What the policy drops leaves the ring at its front; tokens
 * stay, and may find nothing.
 *
 * The urgent list has no place in that order. Whoever adds to it sets the alert
 * of the receiver (GRI_ALERT_LOOK), under the lock, so that it says so for as
 * long as something is there. The receiver looks at the alert when it has taken
 * a message from the inbox and before it handles it. An URGENT in the inbox,
 * one at a time, wakes it, and makes it empty the list; as it stands before all
 * that a sender pushes after its urgent message, a death is not seen before the
 * last words. Whoever adds while an URGENT is on its way need not wake: the
 * receiver takes note that it has reached it under the lock, and looks into the
 * list.
 *
 * A message that is taken from a lane goes to the front of the inbox
 * (gri_inbox_put_back), and is from there on as any other. A thread actor that
 * waits for something else must not take what it would only save, as that would
 * be bounded no more: it saves the token, and takes when it receives.
 *
 * Lanes are made when a slot needs its first, and stay for later runs: who
 * comes late, with an old pid, finds another run (or none) under the lock.
 */
#ifndef GRI_ACTORS_LANE_H
#define GRI_ACTORS_LANE_H

#include "actors/internal.h"

/* The spawner's, before a run that has a lane is published; the mailbox has all
 * its defaults filled in. Errors: GR_ENOMEM. */
int gri_lane_begin(gri_ctx *ctx, gr_actor *slot, uint32_t run,
                   const gr_mailbox *box);
/* The run is over: buries what waits. By the consumer, or the spawner of a run
 * that was not to be. */
void gri_lane_end(gri_ctx *ctx, gr_actor *slot);
/* Frees all, when nothing runs any more. */
void gri_lanes_fini(gr_system *sys);

/* ---- senders --------------------------------------------------------------
 */

/* To a mailbox that drops its oldest. Takes msg on 0. Errors: GR_ENOMEM. */
int gri_lane_send(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg);
/* The same without a drop. Errors: also GR_EAGAIN. */
int gri_lane_offer(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg);
/* As gri_send_user, ahead of what waits where there is an urgent lane. */
int gri_send_urgent(gri_ctx *ctx, gr_pid to, gr_msg *msg);
/* To a mailbox at its hard bound that redirects. Takes msg on 0. Errors: as
 * gri_send_user. */
int gri_redirect(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg);

/* Messages that wait in the lane of that run. Any thread. */
uint32_t gri_lane_waiting(const gr_actor *slot, uint32_t run);
/* The same without a lock, about: for a signal handler. */
uint32_t gri_lane_seen(const gr_actor *slot, uint32_t run);

/* ---- the consumer ---------------------------------------------------------
 */

static inline bool gri_has_lane(const gr_actor *slot)
{
    /* relaxed: set before the run was published, see gri_slot_lives. */
    return (atomic_load_explicit(&slot->traits, memory_order_relaxed) &
            GRI_LANED) != 0;
}

/* An alert to look: what to handle instead of msg, which was popped. */
gr_msg *gri_lane_overtake(gr_actor *self, gr_msg *msg);
/* A LANE was popped. GIVE, to a thread actor: keep it for gri_lane_take. */
gri_take gri_lane_reached(gr_actor *self, gr_msg *token);
/* An URGENT was popped. GIVE, to a thread actor: something waits. */
gri_take gri_lane_woken(gr_actor *self);
/* One of them was buried: it came before its run. */
void gri_lane_buried(gri_ctx *ctx, gr_pid to, const gr_msg *token);

/* A thread actor's: the next message of a token; NULL: it has had all. It is
 * not the inbox's any more. */
gr_msg *gri_lane_take(gr_actor *self, gr_msg *token);
/* The next urgent message, or NULL; likewise. */
gr_msg *gri_lane_take_urgent(gr_actor *self);
/* The hard bound of a mailbox whose slot has none. */
uint32_t gri_lane_ring_max(gr_actor *self);
/* Two tokens with nothing between them become the first. */
void gri_lane_merge(gr_msg *first, const gr_msg *second);

#endif /* GRI_ACTORS_LANE_H */
