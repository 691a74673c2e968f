/* actors/stay.c - see stay.h. What a failed run leaves to the next one, and
 * what is set aside, is in poison.c. */
#include "actors/stay.h"

#include <stdlib.h>

#include "actors/lane.h"
#include "actors/limits.h"
#include "actors/record.h"
#include "actors/start.h"
#include "actors/stay_state.h"

/* ---- begin and end --------------------------------------------------------
 */

static gri_drops *row_of(const gr_actor *slot)
{
    return &slot->sys->drops[gri_index(slot)];
}

gri_stay *gri_stay_of(const gr_actor *slot)
{
    /* acquire: pairs with the release in stay_for. */
    return atomic_load_explicit(&row_of(slot)->stay, memory_order_acquire);
}

static gri_stay *new_stay(gri_ctx *ctx)
{
    gri_stay *stay = calloc(1, sizeof *stay);
    if (stay == NULL) {
        return NULL;
    }
    stay->stub = gri_msg_new(ctx->cache, 0);
    if (stay->stub == NULL) {
        free(stay);
        return NULL;
    }
    stay->stub->kind = GRI_MSG_NOP;
    /* So that whoever pops the next message does not free it. */
    stay->stub->flags = GRI_MSG_SAVED;
    (void)pthread_mutex_init(&stay->lock, NULL); /* cannot fail on Linux */
    return stay;
}

/* The slot's, which is made if there was none; NULL: no memory. */
static gri_stay *stay_for(gri_ctx *ctx, gr_actor *slot)
{
    gr_system *sys = slot->sys;
    /* relaxed: the slot is ours, and who gave it to us had it before. */
    gri_stay *stay =
        atomic_load_explicit(&row_of(slot)->stay, memory_order_relaxed);
    if (stay != NULL || (stay = new_stay(ctx)) == NULL) {
        return stay;
    }
    stay->slot = slot;
    (void)pthread_mutex_lock(&sys->lock);
    stay->next_made = sys->stays;
    sys->stays = stay;
    (void)pthread_mutex_unlock(&sys->lock);
    /* release: pairs with the acquire in gri_stay_of. */
    atomic_store_explicit(&row_of(slot)->stay, stay, memory_order_release);
    return stay;
}

int gri_stay_prepare(gri_ctx *ctx, gr_actor *slot, const gri_spawn *how,
                     uint32_t run)
{
    gri_stay *stay = stay_for(ctx, slot);
    if (stay == NULL) {
        return GR_ENOMEM;
    }
    (void)pthread_mutex_lock(&stay->lock);
    stay->run = run;
    stay->at = GRI_STAY_RUNS;
    stay->given_up = false;
    stay->start = NULL;
    stay->keeper = how->parent;
    stay->behavior = how->behavior;
    stay->poison_after =
        how->poison_after != 0 ? how->poison_after : GR_POISON_AFTER_DEFAULT;
    stay->life++;
    stay->needs = 0; /* the consumer's, from the run on */
    (void)pthread_mutex_unlock(&stay->lock);
    /* relaxed: published with the run. */
    atomic_store_explicit(&slot->place, GRI_PLACE_STABLE, memory_order_relaxed);
    return 0;
}

void gri_stay_not(gr_actor *slot)
{
    if (gri_is_stable(slot)) {
        /* relaxed: the slot is ours, and nobody is in it. */
        atomic_store_explicit(&slot->place, GRI_PLACE_WORKER,
                              memory_order_relaxed);
    }
}

void gri_stays_fini(gr_system *sys)
{
    while (sys->stays != NULL) {
        gri_stay *stay = sys->stays;
        sys->stays = stay->next_made;
        gri_map_fini(&stay->failures);
        (void)pthread_mutex_destroy(&stay->lock); /* nobody holds it */
        free(stay);                               /* the stub is the pool's */
    }
}

/* ---- the keeper -----------------------------------------------------------
 */

void gri_stay_adopt(gr_actor *self, gr_pid pid)
{
    gri_ext *ext = self->ext;
    gri_stay *stay = gri_stay_of(gri_slot_of(self->sys, pid));
    stay->prev = NULL;
    stay->next = ext->stays;
    if (stay->next != NULL) {
        stay->next->prev = stay;
    }
    ext->stays = stay;
}

static bool is_stopping(gr_system *sys)
{
    /* seq_cst: as all looks at it; under the lock of a stay it comes before or
     * after gri_stay_stop, which sees what was done here. */
    return atomic_load_explicit(&sys->stopping, memory_order_seq_cst);
}

/* Under lock. True: the slot is to be scheduled. */
static bool leave(gri_stay *stay)
{
    const bool waits = stay->at == GRI_STAY_WAITS;
    stay->given_up = true;
    if (waits) {
        stay->at = GRI_STAY_ENDED;
    }
    return waits;
}

static void schedule(gri_ctx *ctx, gr_actor *slot)
{
    gri_sched_submit(&ctx->sys->sched, ctx->submits, &slot->task);
}

/* Ends the address that self keeps there, now or with its last run. */
static void give_up(gri_ctx *ctx, gri_stay *stay)
{
    (void)pthread_mutex_lock(&stay->lock);
    const bool wakes = leave(stay);
    stay->keeper = GR_NOBODY;
    (void)pthread_mutex_unlock(&stay->lock);
    if (wakes) {
        schedule(ctx, stay->slot);
    }
}

/* The life of what self keeps there now; 0: nothing. */
static uint64_t own_life(gri_stay *stay, const gr_actor *self, gr_pid pid)
{
    (void)pthread_mutex_lock(&stay->lock);
    const bool own = stay->run == gri_pid_run(pid) &&
                     gr_pid_eq(stay->keeper, gri_pid_of(self));
    const uint64_t life = own ? stay->life : 0;
    (void)pthread_mutex_unlock(&stay->lock);
    return life;
}

/* What self keeps at that address. Errors: GR_EINVAL, GR_ENOPROC. */
static int find_own(gr_actor *self, gr_pid pid, gri_stay **out)
{
    gr_system *sys = self->sys;
    gr_actor *slot = gri_is_here(sys, pid) ? gri_slot_of(sys, pid) : NULL;
    if (slot == NULL) {
        return GR_EINVAL;
    }
    gri_stay *stay = gri_stay_of(slot);
    if (stay == NULL || own_life(stay, self, pid) == 0) {
        return gri_slot_lives(slot, gri_pid_run(pid)) ? GR_EINVAL : GR_ENOPROC;
    }
    *out = stay;
    return 0;
}

uint64_t gri_stay_meant(const gr_actor *self, gr_pid pid)
{
    gr_system *sys = self->sys;
    gr_actor *slot = gri_is_here(sys, pid) ? gri_slot_of(sys, pid) : NULL;
    gri_stay *stay = slot != NULL ? gri_stay_of(slot) : NULL;
    return stay != NULL ? own_life(stay, self, pid) : 0;
}

int gri_stay_drop(gr_actor *self, gr_pid pid)
{
    gri_stay *stay;
    GR_TRY(find_own(self, pid, &stay));
    if (stay->next != NULL) {
        stay->next->prev = stay->prev;
    }
    if (stay->prev != NULL) {
        stay->prev->next = stay->next;
    } else {
        self->ext->stays = stay->next;
    }
    give_up(self->ctx, stay);
    return 0;
}

void gri_stays_end(gr_actor *self)
{
    while (self->ext->stays != NULL) {
        gri_stay *stay = self->ext->stays;
        self->ext->stays = stay->next;
        /* From here on it may be another's. */
        give_up(self->ctx, stay);
    }
}

int gr_give_up(gr_actor *self, gr_pid pid)
{
    return gr_pid_is_nobody(pid) ? GR_EINVAL : gri_stay_drop(self, pid);
}

/* No kill that came so far is for the run to come. An urgent lane is to be
 * looked into; if nothing is there, that is found out. */
static void forget_kills(gr_actor *slot)
{
    const uint32_t run =
        atomic_load_explicit(&slot->run, memory_order_relaxed); /* it stays */
    const uint32_t none = gri_has_lane(slot) ? run + GRI_ALERT_LOOK : 0;
    /* acquire: who set the alert set `over` before. */
    const uint32_t old = atomic_exchange_explicit(&slot->outlet.alert, none,
                                                  memory_order_acquire);
    if (gri_is_alert_kill(old, run)) {
        /* relaxed: else somebody is about to set the alert again, as the
         * mailbox is still full, and that is what this says. */
        atomic_store_explicit(&slot->over, 0, memory_order_relaxed);
        if (gri_is_limited(slot)) {
            atomic_store_explicit(&gri_meter_of(slot)->over_run, 0,
                                  memory_order_relaxed);
        }
    }
    gri_deadline_forget(slot);
}

/* Orders a run to begin with START, which it takes on 0. Errors: GR_EINVAL (a
 * run lives), GR_ENOPROC (given up), GR_ESTOPPED. */
static int order(gri_ctx *ctx, gri_stay *stay, gr_msg *start)
{
    gr_actor *slot = stay->slot;
    bool wakes = false;
    int rc = 0;
    (void)pthread_mutex_lock(&stay->lock);
    if (is_stopping(ctx->sys)) {
        rc = GR_ESTOPPED;
    } else if (stay->given_up) {
        rc = GR_ENOPROC;
    } else if (stay->at == GRI_STAY_RUNS) {
        rc = GR_EINVAL;
    } else {
        wakes = stay->at == GRI_STAY_WAITS;
        stay->at = GRI_STAY_RUNS;
        stay->start = start;
        stay->life++;
        forget_kills(slot);
        /* relaxed: as in set_bounds. It is younger now than who was spawned
         * meanwhile, and is asked to stop before them. */
        atomic_store_explicit(&slot->born,
                              atomic_fetch_add_explicit(&slot->sys->births, 1,
                                                        memory_order_relaxed),
                              memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&stay->lock);
    if (wakes) {
        schedule(ctx, slot);
    }
    return rc;
}

int gri_stay_revive(gr_actor *self, gri_spawn *how, gr_pid pid)
{
    gri_ctx *ctx = self->ctx;
    gri_stay *stay;
    GR_TRY(find_own(self, pid, &stay));
    how->behavior = stay->behavior; /* constant since we spawned it */
    int rc = 0;
    gr_msg *start = gri_start_build(ctx, how, false, &rc);
    if (start == NULL) {
        return rc;
    }
    start->run = gri_pid_run(pid);
    rc = order(ctx, stay, start);
    if (rc < 0) {
        gri_start_free(ctx, start);
        return rc;
    }
    gri_note_spawn(ctx, pid.id, gri_note_name(ctx, how->behavior),
                   how->parent.id);
    GRI_TALLY(ctx, spawned);
    return 0;
}

/* ---- the consumer ---------------------------------------------------------
 */

uint64_t gri_stay_life(const gr_actor *self)
{
    return gri_is_stable(self) ? gri_stay_of(self)->life : 0;
}

bool gri_stay_outlives(gr_actor *self)
{
    gri_stay *stay = gri_stay_of(self);
    (void)pthread_mutex_lock(&stay->lock);
    bool stays = true;
    /* Not RUNS, or an order: that was decided already, by an end that a hook
     * broke off. */
    if (stay->at == GRI_STAY_RUNS && stay->start == NULL) {
        stays = !stay->given_up && !is_stopping(self->sys);
        stay->at = stays ? GRI_STAY_ENDED : GRI_STAY_RUNS;
    }
    (void)pthread_mutex_unlock(&stay->lock);
    return stays;
}

void gri_stay_keep_name(gr_actor *self)
{
    gri_name *name = gri_names_keep(self);
    if (name != NULL) { /* else it was kept before a hook faulted, or is none */
        gri_stay_of(self)->name = name;
    }
}

void gri_stay_rest(gr_actor *self)
{
    gri_stay *stay = gri_stay_of(self);
    if (gri_is_limited(self)) {
        /* relaxed: a number. */
        atomic_store_explicit(&gri_meter_of(self)->own, gri_stay_reserve(self),
                              memory_order_relaxed);
    }
    stay->head = self->outlet.head;
    self->outlet.head = &stay->shut; /* its next is NULL */
    self->todo = GRI_IS_BETWEEN;
}

size_t gri_stay_reserve(const gr_actor *self)
{
    const gri_stay *stay = gri_stay_of(self);
    size_t sum = stay->needs;
    for (const gr_msg *msg = stay->front; msg != NULL; msg = msg->link) {
        sum += gri_kept_size(msg);
    }
    return sum;
}

void gri_stay_begun(gr_actor *self)
{
    gri_ext *ext = self->ext;
    if (ext != NULL && ext->meter != NULL && !gri_exiting(self)) {
        gri_stay_of(self)->needs = ext->state_size + ext->arena_used;
        ext->reserve = 0;
        gri_meter_publish(ext);
    }
}

void gri_stay_unpop(gr_actor *self, gr_msg *msg)
{
    gri_stay *stay = gri_stay_of(self);
    GR_DASSERT(stay->head == msg);
    if ((msg->flags & GRI_MSG_COUNTED) != 0) {
        gri_inbox_take_count(&self->outlet, UINT32_MAX); /* one less */
    }
    /* relaxed: nobody but the consumer looks at a node in front of one that was
     * popped. */
    atomic_store_explicit(&stay->stub->next, msg, memory_order_relaxed);
    stay->head = stay->stub;
}

void gri_stay_over(gr_actor *self)
{
    gri_stay *stay = gri_stay_of(self);
    if (stay->starting != NULL) { /* an init that did not return */
        gri_start_free(self->ctx, stay->starting);
        stay->starting = NULL;
    }
    while (stay->front != NULL) { /* an init that failed, of the last run */
        gr_msg *msg = stay->front;
        stay->front = msg->link;
        gri_bury(self->ctx,
                 (gr_pid){self->sys->node, gri_id(stay->run, gri_index(self))},
                 msg, GRI_WHY_NOPROC);
        msg->flags &= (uint16_t)~GRI_MSG_SAVED;
        if (msg != self->outlet.head) { /* else gri_next frees it */
            gri_msg_free(self->ctx->cache, msg);
        }
    }
    gri_map_fini(&stay->failures);
    stay->failures = (gri_map){.entries = NULL};
    if (stay->name != NULL) {
        gri_name_cancel(self->sys, stay->name);
        stay->name = NULL;
    }
    gri_stay_not(self);
}

/* The address ends, between two runs. */
static void end_address(gr_actor *self, const gri_stay *stay)
{
    gr_system *sys = self->sys;
    const uint32_t run = stay->run;
    gri_stay_over(self);
    gri_slow_slack(self, false);
    /* seq_cst: as in gri_end_run. */
    atomic_store_explicit(&self->run, run + 1, memory_order_seq_cst);
    if (gri_has_lane(self)) {
        gri_lane_end(self->ctx, self);
    }
    gri_slot_give(self->ctx, self);
    gri_tell_stopper(sys);
}

/* Gives the run that has begun what was kept for it: before all that waits in
 * the inbox, as if it had been given back from its stash. */
static void give_front(gr_actor *self, gri_stay *stay)
{
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL) {
        gri_exit_error(self, GR_ENOMEM, "start");
        return;
    }
    gri_stash *s = &ext->stash;
    s->again = stay->front;
    stay->front = NULL;
    for (const gr_msg *msg = s->again; msg != NULL; msg = msg->link) {
        s->count++;
        gri_ext_use(ext, gri_kept_size(msg));
    }
    if (ext->arena_max < ext->arena_used) {
        ext->arena_max = ext->arena_used; /* what was accepted is not refused */
    }
    self->todo |= GRI_DO_REPLAY;
}

/* Begins a run with the START of the order. */
static void begin(gr_actor *self, gri_stay *stay, gr_msg *start)
{
    gri_ext *ext = stay->name != NULL ? gri_ext_of(self) : NULL;
    if (ext != NULL) { /* else its name waits on */
        ext->names = stay->name;
        stay->name = NULL;
    }
    gri_slow_slack(self, false);
    gri_count_callback(self->ctx);
    stay->starting = start; /* for the case that init does not return */
    gri_begin_run(self, start);
    stay->starting = NULL;
    gri_start_free(self->ctx, start);
    gri_stay_begun(self);
    if (stay->front != NULL && !gri_exiting(self)) {
        give_front(self, stay);
    }
    if (gri_exiting(self)) {
        gri_end_run(self);
    }
}

bool gri_stay_turn(gr_actor *self)
{
    gri_stay *stay = gri_stay_of(self);
    self->ctx->current = NULL;
    (void)pthread_mutex_lock(&stay->lock);
    gr_msg *start = stay->start;
    stay->start = NULL;
    const bool ends =
        start == NULL && (stay->given_up || is_stopping(self->sys));
    const bool rests = start == NULL && !ends;
    if (rests) {
        stay->at = GRI_STAY_WAITS;
    } else if (ends) {
        stay->given_up = true;
    }
    (void)pthread_mutex_unlock(&stay->lock);
    if (rests) {
        return false; /* the slot belongs to who orders next */
    }
    self->outlet.head = stay->head;
    self->todo = 0;
    if (ends) {
        end_address(self, stay);
    } else {
        begin(self, stay, start);
    }
    return true;
}

/* ---- any thread ------------------------------------------------------------
 */

bool gri_stay_stop(gri_ctx *ctx, gr_pid pid)
{
    gr_actor *slot = gri_slot_of(ctx->sys, pid);
    gri_stay *stay = slot != NULL ? gri_stay_of(slot) : NULL;
    bool between = false;
    bool wakes = false;
    if (stay == NULL) {
        return false;
    }
    (void)pthread_mutex_lock(&stay->lock);
    if (stay->run == gri_pid_run(pid) && stay->at != GRI_STAY_RUNS) {
        between = true;
        wakes = leave(stay);
    }
    (void)pthread_mutex_unlock(&stay->lock);
    if (wakes) {
        schedule(ctx, slot);
    }
    return between;
}

uint64_t gri_stay_life_now(gr_actor *slot)
{
    /* acquire: pairs with the release in spawn.c, for who has found the slot by
     * looking at others' work. */
    const uint32_t run = atomic_load_explicit(&slot->run, memory_order_acquire);
    gri_stay *stay =
        (run & 1) != 0 && gri_is_stable(slot) ? gri_stay_of(slot) : NULL;
    if (stay == NULL) {
        return 0;
    }
    (void)pthread_mutex_lock(&stay->lock);
    const uint64_t life = stay->life;
    (void)pthread_mutex_unlock(&stay->lock);
    return life;
}

bool gri_stay_pin(gr_actor *slot, uint64_t life)
{
    if (life == 0) {
        return true;
    }
    gri_stay *stay = gri_stay_of(slot);
    (void)pthread_mutex_lock(&stay->lock);
    if (stay->life == life && stay->at == GRI_STAY_RUNS) {
        return true;
    }
    (void)pthread_mutex_unlock(&stay->lock);
    return false;
}

void gri_stay_unpin(gr_actor *slot, uint64_t life)
{
    if (life != 0) {
        (void)pthread_mutex_unlock(&gri_stay_of(slot)->lock);
    }
}

void gri_stay_slack(gr_actor *self, bool on)
{
    gri_stay_of(self)->slack = on;
}

bool gri_stay_is_slack(const gr_actor *slot)
{
    const gri_stay *stay = gri_stay_of(slot);
    return stay != NULL && stay->slack;
}
