/* actors/lane.c - see lane.h. */
#include "actors/lane.h"

#include "actors/circle.h"
#include "actors/limits.h"

#include <stdlib.h>

/* Messages by `next`, which is free for it as they are not in an inbox. */
typedef struct queue {
    gr_msg *first, *last;
    uint32_t count;
} queue;

struct gri_lane {
    gri_lane *next_made; /* constant: of sys->lanes */
    pthread_mutex_t lock;

    /* Under lock. */
    uint32_t run;                  /* whose it is; 0: nobody's */
    uint32_t ring_max, urgent_max; /* messages; 0: no such lane */
    gr_pid redirect;
    queue ring, urgent;
    uint64_t left; /* messages that have left the ring: the first's number */
    gr_msg *open;  /* the newest token, while it is in the inbox, or NULL */
    bool woken;    /* an URGENT is on its way */

    /* The consumer's. */
    gr_msg *stub;     /* for gri_inbox_put_back; a block of the pool */
    gr_msg *put_back; /* an urgent message that is popped next, or NULL */
};

static void add(queue *q, gr_msg *msg)
{
    /* relaxed, and below: under the lane's lock. */
    atomic_store_explicit(&msg->next, NULL, memory_order_relaxed);
    if (q->first == NULL) {
        q->first = msg;
    } else {
        atomic_store_explicit(&q->last->next, msg, memory_order_relaxed);
    }
    q->last = msg;
    q->count++;
}

static gr_msg *take(queue *q)
{
    gr_msg *msg = q->first;
    if (msg != NULL) {
        q->first = atomic_load_explicit(&msg->next, memory_order_relaxed);
        q->count--;
    }
    return msg;
}

static gr_msg *take_from_ring(gri_lane *lane)
{
    gr_msg *msg = take(&lane->ring);
    lane->left += msg != NULL;
    return msg;
}

static gri_drops *row_of(const gr_actor *slot)
{
    gr_system *sys = slot->sys;
    return &sys->drops[gri_index(slot)];
}

/* The lane of the run that lives in the slot; NULL: it has none. Of another run
 * than the caller looks for it may be, too. */
static gri_lane *lane_of(const gr_actor *slot)
{
    /* acquire: pairs with the release in lane_for. */
    return gri_has_lane(slot)
               ? atomic_load_explicit(&row_of(slot)->lane, memory_order_acquire)
               : NULL;
}

/* ---- begin and end --------------------------------------------------------
 */

static gri_lane *new_lane(gri_ctx *ctx)
{
    gri_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return NULL;
    }
    lane->stub = gri_msg_new(ctx->cache, 0);
    if (lane->stub == NULL) {
        free(lane);
        return NULL;
    }
    lane->stub->kind = GRI_MSG_NOP;
    /* So that whoever pops the next message does not free it. */
    lane->stub->flags = GRI_MSG_SAVED;
    (void)pthread_mutex_init(&lane->lock, NULL); /* cannot fail on Linux */
    return lane;
}

/* The slot's lane, which is made if there was none; NULL: no memory. */
static gri_lane *lane_for(gri_ctx *ctx, gr_actor *slot)
{
    gr_system *sys = ctx->sys;
    /* relaxed: the slot is ours, and who gave it to us had it before. */
    gri_lane *lane =
        atomic_load_explicit(&row_of(slot)->lane, memory_order_relaxed);
    if (lane != NULL || (lane = new_lane(ctx)) == NULL) {
        return lane;
    }
    (void)pthread_mutex_lock(&sys->lock);
    lane->next_made = sys->lanes;
    sys->lanes = lane;
    (void)pthread_mutex_unlock(&sys->lock);
    /* release: pairs with the acquire in lane_of. */
    atomic_store_explicit(&row_of(slot)->lane, lane, memory_order_release);
    return lane;
}

int gri_lane_begin(gri_ctx *ctx, gr_actor *slot, uint32_t run,
                   const gr_mailbox *box)
{
    gri_lane *lane = lane_for(ctx, slot);
    if (lane == NULL) {
        return GR_ENOMEM;
    }
    (void)pthread_mutex_lock(&lane->lock);
    lane->run = run;
    lane->ring_max = box->full == GR_FULL_DROP_OLD ? box->hard : 0;
    lane->urgent_max = box->urgent;
    lane->redirect = box->redirect;
    (void)pthread_mutex_unlock(&lane->lock);
    return 0;
}

static void bury_all(gri_ctx *ctx, const gr_actor *slot, queue q)
{
    uint32_t index = gri_index(slot);
    for (gr_msg *msg; (msg = take(&q)) != NULL;) {
        gr_pid to = {ctx->sys->node, gri_id(msg->run, index)};
        gri_bury(ctx, to, msg, GRI_WHY_NOPROC);
        gri_msg_free(ctx->cache, msg);
    }
}

/* Ends what waits in a lane; of one run only, unless that is 0. */
static void clear(gri_ctx *ctx, const gr_actor *slot, uint32_t run)
{
    gri_lane *lane = lane_of(slot);
    queue ring = {NULL, NULL, 0};
    queue urgent = {NULL, NULL, 0};
    if (lane == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&lane->lock);
    if (run == 0 || run == lane->run) {
        ring = lane->ring;
        urgent = lane->urgent;
        lane->left += ring.count;
        lane->ring = lane->urgent = (queue){NULL, NULL, 0};
        lane->open = NULL;
        lane->woken = false;
    }
    if (run == 0) {
        lane->run = 0; /* from here on it takes nothing */
        lane->put_back = NULL;
    }
    (void)pthread_mutex_unlock(&lane->lock);
    bury_all(ctx, slot, urgent);
    bury_all(ctx, slot, ring);
}

void gri_lane_end(gri_ctx *ctx, gr_actor *slot)
{
    clear(ctx, slot, 0);
}

void gri_lane_buried(gri_ctx *ctx, gr_pid to, const gr_msg *token)
{
    const gr_actor *slot = gri_slot_of(ctx->sys, to);
    if (slot != NULL && token->run != 0) {
        clear(ctx, slot, token->run);
    }
}

void gri_lanes_fini(gr_system *sys)
{
    while (sys->lanes != NULL) {
        gri_lane *lane = sys->lanes;
        sys->lanes = lane->next_made;
        for (gr_msg *msg; (msg = take(&lane->ring)) != NULL;) {
            gri_msg_free(&sys->stop_cache, msg);
        }
        for (gr_msg *msg; (msg = take(&lane->urgent)) != NULL;) {
            gri_msg_free(&sys->stop_cache, msg);
        }
        (void)pthread_mutex_destroy(&lane->lock); /* nobody holds it */
        free(lane);                               /* the stub is the pool's */
    }
}

/* ---- senders --------------------------------------------------------------
 */

/* Pushes a token for the run in hand, under the lane's lock: so it stands in
 * the inbox before what it stands for is seen. NULL: no memory. */
static gr_msg *push_token(gri_ctx *ctx, gri_lane *lane, gr_actor *slot,
                          gri_msg_kind kind, bool *wakes)
{
    gr_msg *token = gri_msg_signal(ctx->cache, kind, NULL, 0);
    if (token != NULL) {
        token->run = lane->run;
        *wakes = gri_inbox_push(&slot->inbox, token, false);
    }
    return token;
}

/* The next message of the ring has a token. Under lock. Errors: GR_ENOMEM. */
static int need_token(gri_ctx *ctx, gri_lane *lane, gr_actor *slot, bool *wakes)
{
    gr_msg *open = lane->open;
    /* relaxed: what this thread, or one that it has heard of, has pushed here
     * before is seen by coherence, and more is not asked. The open token has
     * not been freed, so nothing else has its address; as it is in the inbox,
     * there is no idle mark, and it will be popped. */
    if (open != NULL &&
        atomic_load_explicit(&slot->inbox.tail, memory_order_relaxed) ==
            (uintptr_t)open) {
        return 0;
    }
    uint64_t end = lane->left + lane->ring.count;
    gr_msg *token = push_token(ctx, lane, slot, GRI_MSG_LANE, wakes);
    if (token == NULL) {
        return GR_ENOMEM;
    }
    if (open != NULL) {
        gri_msg_trailer(open)->extra = (int64_t)end;
    }
    lane->open = token;
    return 0;
}

/* Puts msg into the ring. *old: what had to leave it. Errors: GR_ENOMEM,
 * GR_ENOPROC (the run is over), GR_EAGAIN (full, and may not drop). */
static int put(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg,
               gr_msg **old)
{
    gri_lane *lane = lane_of(slot);
    uint32_t run = gri_pid_run(to);
    bool wakes = false;
    int rc = GR_ENOPROC;
    if (lane == NULL) {
        return rc;
    }
    (void)pthread_mutex_lock(&lane->lock);
    if (lane->run == run && lane->ring_max != 0) {
        bool full = lane->ring.count >= lane->ring_max;
        rc = full && old == NULL ? GR_EAGAIN
                                 : need_token(ctx, lane, slot, &wakes);
        if (rc == 0) {
            if (full) {
                *old = take_from_ring(lane);
            }
            msg->run = run;
            add(&lane->ring, msg);
        }
    }
    (void)pthread_mutex_unlock(&lane->lock);
    if (wakes) {
        gri_ring(ctx, slot);
    }
    return rc;
}

/* Counts what a lane took, or what came too late for it. */
static int taken(gri_ctx *ctx, gr_pid to, gr_msg *msg, int rc)
{
    if (rc == 0) {
        ctx->sends++;
        GRI_TALLY(ctx, sent);
    } else if (rc == GR_ENOPROC) {
        GRI_TALLY(ctx, sent);
        gri_bury(ctx, to, msg, GRI_WHY_NOPROC);
        gri_msg_free(ctx->cache, msg);
        rc = 0;
    }
    return rc;
}

int gri_lane_send(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg)
{
    gr_msg *old = NULL;
    int rc = taken(ctx, to, msg, put(ctx, to, slot, msg, &old));
    if (old != NULL) {
        GRI_TALLY(ctx, dropped);
        gri_limit_discharge(slot, old);
        gri_answer_status(ctx, old, GR_EAGAIN);
        gri_drops_add(ctx, slot, to);
        gri_msg_free(ctx->cache, old);
    }
    return rc;
}

int gri_lane_offer(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg)
{
    return taken(ctx, to, msg, put(ctx, to, slot, msg, NULL));
}

/* Errors: GR_ENOMEM, GR_EAGAIN, GR_ENOTSUP (that run has no urgent lane). */
static int put_urgent(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg)
{
    gri_lane *lane = lane_of(slot);
    bool wakes = false;
    int rc = GR_ENOTSUP;
    if (lane == NULL) {
        return rc;
    }
    (void)pthread_mutex_lock(&lane->lock);
    if (lane->run == gri_pid_run(to) && lane->urgent_max != 0) {
        rc = lane->urgent.count < lane->urgent_max ? 0 : GR_EAGAIN;
        if (rc == 0 && !lane->woken) {
            lane->woken =
                push_token(ctx, lane, slot, GRI_MSG_URGENT, &wakes) != NULL;
            rc = lane->woken ? 0 : GR_ENOMEM;
        }
        if (rc == 0) {
            msg->run = lane->run;
            add(&lane->urgent, msg);
            /* Under the lock, as its end is: so the alert says so for as long
             * as there is something. */
            gri_set_alert(slot, lane->run, GRI_ALERT_LOOK);
        }
    }
    (void)pthread_mutex_unlock(&lane->lock);
    if (wakes) {
        gri_ring(ctx, slot);
    }
    return rc;
}

int gri_send_urgent(gri_ctx *ctx, gr_pid to, gr_msg *msg)
{
    gr_system *sys = ctx->sys;
    gr_actor *slot = gri_is_here(sys, to) ? gri_slot_of(sys, to) : NULL;
    int rc = GR_ENOTSUP;
    if (slot != NULL && gri_slot_lives(slot, gri_pid_run(to))) {
        if (gri_is_limited(slot) && !gri_limit_charge(ctx, to, slot, msg)) {
            return 0;
        }
        rc = put_urgent(ctx, to, slot, msg);
        if (rc < 0) {
            gri_limit_discharge(slot, msg);
        }
    }
    if (rc == GR_ENOTSUP) {
        return gri_send_user(ctx, to, msg);
    }
    if (rc == GR_EAGAIN) {
        GRI_TALLY(ctx, refused);
    }
    return taken(ctx, to, msg, rc);
}

int gr_send_urgentv(gr_actor *self, gr_pid to, const gr_value *values,
                    uint32_t n)
{
    gri_ctx *ctx = self->ctx;
    if (n == 0) {
        return GR_EINVAL; /* a message has a tag */
    }
    gri_moves moves;
    gr_msg *msg = gri_moves_pack(self, to, values, n, &moves);
    if (msg == NULL) {
        return ctx->builder.rc;
    }
    const uint32_t bytes = msg->len;
    int rc = gri_send_urgent(ctx, to, msg);
    gri_moves_sent(self, &moves, msg, bytes, rc);
    return rc;
}

int gri_redirect(gri_ctx *ctx, gr_pid to, gr_actor *slot, gr_msg *msg)
{
    gri_lane *lane = lane_of(slot);
    gr_pid second = GR_NOBODY;
    if (lane != NULL) {
        (void)pthread_mutex_lock(&lane->lock);
        if (lane->run == gri_pid_run(to)) {
            second = lane->redirect;
        }
        (void)pthread_mutex_unlock(&lane->lock);
    }
    if (gr_pid_is_nobody(second)) {
        return taken(ctx, to, msg, GR_ENOPROC);
    }
    if (ctx->redirects) {
        GRI_TALLY(ctx, refused);
        return GR_EAGAIN;
    }
    ctx->redirects = true;
    /* Who asked waits for another. A circle that closes so is not found. */
    (void)gri_wait_passed(ctx, msg->from, gri_msg_ref(msg), second);
    int rc = gri_send_user(ctx, second, msg);
    ctx->redirects = false;
    if (rc == 0) {
        GRI_TALLY(ctx, redirected);
    }
    return rc;
}

uint32_t gri_lane_waiting(const gr_actor *slot, uint32_t run)
{
    gri_lane *lane = lane_of(slot);
    uint32_t n = 0;
    if (lane != NULL) {
        (void)pthread_mutex_lock(&lane->lock);
        n = lane->run == run ? lane->ring.count + lane->urgent.count : 0;
        (void)pthread_mutex_unlock(&lane->lock);
    }
    return n;
}

uint32_t gri_lane_seen(const gr_actor *slot, uint32_t run)
{
    const gri_lane *lane = lane_of(slot);
    return lane != NULL && lane->run == run
               ? lane->ring.count + lane->urgent.count
               : 0;
}

/* ---- the consumer ---------------------------------------------------------
 */

static bool is_thread(const gr_actor *self)
{
    return gri_behavior(self) == NULL;
}

static void put_back(gr_actor *self, gri_lane *lane, gr_msg *before)
{
    lane->stub->run = self->now;
    gri_inbox_put_back(&self->outlet, lane->stub, before);
}

gr_msg *gri_lane_take(gr_actor *self, gr_msg *token)
{
    gri_lane *lane = lane_of(self);
    gri_trailer *trailer = gri_msg_trailer(token);
    gr_msg *msg = NULL;
    (void)pthread_mutex_lock(&lane->lock);
    if (lane->open == token) { /* its row ends here */
        lane->open = NULL;
        trailer->extra = (int64_t)(lane->left + lane->ring.count);
    }
    if (lane->left < (uint64_t)trailer->extra) {
        msg = take_from_ring(lane);
    }
    (void)pthread_mutex_unlock(&lane->lock);
    return msg;
}

/* Ends a token's row without a message. */
static void close_token(gri_lane *lane, gr_msg *token)
{
    (void)pthread_mutex_lock(&lane->lock);
    if (lane->open == token) {
        lane->open = NULL;
        gri_msg_trailer(token)->extra =
            (int64_t)(lane->left + lane->ring.count);
    }
    (void)pthread_mutex_unlock(&lane->lock);
}

gri_take gri_lane_reached(gr_actor *self, gr_msg *token)
{
    gri_lane *lane = lane_of(self);
    if (is_thread(self)) {
        close_token(lane, token);
        return GRI_TAKE_GIVE;
    }
    gr_msg *msg = gri_lane_take(self, token);
    if (msg != NULL) {
        put_back(self, lane, msg); /* and the token comes again behind it */
    }
    return GRI_TAKE_DONE;
}

uint32_t gri_lane_ring_max(gr_actor *self)
{
    gri_lane *lane = lane_of(self);
    (void)pthread_mutex_lock(&lane->lock);
    uint32_t max = lane->ring_max;
    (void)pthread_mutex_unlock(&lane->lock);
    return max;
}

void gri_lane_merge(gr_msg *first, const gr_msg *second)
{
    gri_msg_trailer(first)->extra = gri_msg_trail(second)->extra;
}

gr_msg *gri_lane_take_urgent(gr_actor *self)
{
    gri_lane *lane = lane_of(self);
    (void)pthread_mutex_lock(&lane->lock);
    gr_msg *msg = take(&lane->urgent);
    (void)pthread_mutex_unlock(&lane->lock);
    return msg;
}

gri_take gri_lane_woken(gr_actor *self)
{
    gri_lane *lane = lane_of(self);
    gr_msg *msg = NULL;
    (void)pthread_mutex_lock(&lane->lock);
    lane->woken = false;
    bool any = lane->urgent.count > 0;
    if (any && !is_thread(self)) {
        msg = take(&lane->urgent); /* the alert stays, see gri_lane_overtake */
    }
    (void)pthread_mutex_unlock(&lane->lock);
    if (msg != NULL) {
        put_back(self, lane, msg);
        lane->put_back = msg;
    }
    return any && is_thread(self) ? GRI_TAKE_GIVE : GRI_TAKE_DONE;
}

gr_msg *gri_lane_overtake(gr_actor *self, gr_msg *msg)
{
    gri_lane *lane = lane_of(self);
    if (msg == lane->put_back) { /* its turn; those behind it wait for theirs */
        lane->put_back = NULL;
        return msg;
    }
    (void)pthread_mutex_lock(&lane->lock);
    gr_msg *urgent = take(&lane->urgent);
    if (urgent == NULL) {
        uint32_t look = self->now;
        /* relaxed: it is set under the lock, too. If it says kill, it stays. */
        (void)atomic_compare_exchange_strong_explicit(
            &self->outlet.alert, &look, 0, memory_order_relaxed,
            memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&lane->lock);
    if (urgent == NULL) {
        return msg;
    }
    put_back(self, lane, urgent);
    lane->put_back = urgent;
    return lane->stub;
}
