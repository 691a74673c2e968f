/*
 * actors/poison.c - what a run of a stable actor leaves to the next one, and
 * the message that runs fail on.
 *
 * A run that fails (returns an error, faults, calls gr_exit with a code) while
 * it handles a message has failed on that message. After poison_after failures
 * on it the message is set aside, as a dead letter; before that it is given
 * again, to the next run. A failure in init, or by a kill or a link, is no
 * message's.
 *
 * In which order: what was stashed, then what was in hand, then what was about
 * to be given again, then the inbox. That is the order in which they came (see
 * stash.c). Signals that were stashed belong to the run, and end with it; so do
 * messages that it kept: it has begun what they ask for, and nobody else knows
 * how far it came.
 *
 * The number of failures stands in a map beside the message, which has no room
 * for it. Such a message is always in `front`, in the stash or in hand, so it
 * leaves that map before its block becomes anything else.
 */
#include <stdint.h>

#include "actors/start.h"
#include "actors/stay_state.h"
#include "mailbox/near.h"

static gri_key key_of(const gr_msg *msg)
{
    return (gri_key){(uintptr_t)msg, 0};
}

static bool has_failed_on(const gr_msg *msg, const gr_exit_reason *why)
{
    /* One that went to gr_unhandled is a dead letter already. */
    return msg->kind == GRI_MSG_USER && why->kind != GR_EXIT_NORMAL &&
           why->kind != GR_EXIT_SHUTDOWN && !gri_near_is_over(msg);
}

/* One more failure. True: it was the last one. Without memory to count it, it
 * is. */
static bool is_spent(gri_stay *stay, const gr_msg *msg)
{
    const uintptr_t n =
        1 + (uintptr_t)gri_map_get(&stay->failures, key_of(msg));
    if (n < stay->poison_after &&
        gri_map_put(&stay->failures, key_of(msg), (void *)n) == 0) {
        return false;
    }
    (void)gri_map_remove(&stay->failures, key_of(msg));
    return true;
}

void gri_stay_handled(gr_actor *self, const gr_msg *msg)
{
    gri_stay *stay = gri_stay_of(self);
    if (stay->failures.count > 0) {
        (void)gri_map_remove(&stay->failures, key_of(msg));
    }
}

/* Frees one that is on no list any more, unless gri_next will. */
static void let_go(gr_actor *self, gr_msg *msg)
{
    msg->flags &= (uint16_t) ~(GRI_MSG_SAVED | GRI_MSG_KEPT);
    if (msg != self->outlet.head) {
        gri_msg_free(self->ctx->cache, msg);
    }
}

static bool unlist(gr_msg **at, const gr_msg *msg)
{
    while (*at != NULL && *at != msg) {
        at = &(*at)->link;
    }
    if (*at == NULL) {
        return false;
    }
    *at = msg->link;
    return true;
}

static void set_aside(gr_actor *self, gr_msg *msg)
{
    GRI_TALLY(self->ctx, poisoned);
    gri_bury(self->ctx, gri_pid_of(self), msg, GRI_WHY_POISON);
    let_go(self, msg);
}

/* Deals with the message in hand. It is the result if the next run is to have
 * it, and it does not stand in the stash. */
static gr_msg *take_in_hand(gr_actor *self, gri_stay *stay,
                            const gr_exit_reason *why)
{
    gr_msg *msg = self->ctx->current;
    self->ctx->current = NULL;
    if (msg == NULL) {
        return NULL;
    }
    const bool stashed = gri_is_stashed(self, msg);
    if (!has_failed_on(msg, why)) {
        if (!stashed) { /* it was handled, and dies with this run */
            gri_answer_status(self->ctx, msg, GR_ENOPROC);
            (void)gri_map_remove(&stay->failures, key_of(msg));
            let_go(self, msg);
        }
        return NULL;
    }
    if (!stashed) {
        GRI_UNTALLY(self->ctx, handled); /* it waits again, or is dead */
    }
    if (is_spent(stay, msg)) {
        gri_stash *s = stashed ? &self->ext->stash : NULL;
        if (s != NULL && !unlist(&s->first, msg)) {
            (void)unlist(&s->again, msg);
        }
        set_aside(self, msg);
        return NULL;
    }
    msg->flags &= (uint16_t)~GRI_MSG_KEPT;
    msg->flags |= GRI_MSG_SAVED;
    return stashed ? NULL : msg;
}

/* Puts the messages of a list behind *end, and ends the signals. */
static gr_msg **append(gr_actor *self, gr_msg **end, gr_msg *list)
{
    while (list != NULL) {
        gr_msg *msg = list;
        list = msg->link;
        if (msg->kind == GRI_MSG_USER) {
            *end = msg;
            end = &msg->link;
        } else {
            let_go(self, msg);
        }
    }
    *end = NULL;
    return end;
}

/* Whoever watches does so for this run. */
static void stop_listening(gr_actor *self)
{
    gri_listeners *of[] = {&self->sys->dead_watchers,
                           &self->sys->crash_watchers};
    for (unsigned i = 0; i < 2; i++) {
        /* relaxed: it is our own that we look for. */
        if (atomic_load_explicit(&of[i]->any, memory_order_relaxed)) {
            (void)gri_listen(self, of[i], false); /* needs no memory */
        }
    }
}

void gri_stay_hold(gr_actor *self, const gr_exit_reason *why)
{
    gri_stay *stay = gri_stay_of(self);
    gri_slow_slack(self, true);
    stop_listening(self);
    if (stay->starting != NULL) { /* its init did not return */
        gri_start_free(self->ctx, stay->starting);
        stay->starting = NULL;
    }
    gr_msg *in_hand = take_in_hand(self, stay, why);
    gr_msg *front = NULL;
    gr_msg **end = &front;
    gri_stash *s = self->ext != NULL ? &self->ext->stash : NULL;
    end = append(self, end, s != NULL ? s->first : NULL);
    if (in_hand != NULL) {
        in_hand->link = NULL;
        end = append(self, end, in_hand);
    }
    end = append(self, end, s != NULL ? s->again : NULL);
    /* Not given to this run yet, whose init failed: then it has none else. */
    *end = stay->front;
    stay->front = front;
    if (s != NULL) {
        s->first = s->again = NULL;
    }
}
