/*
 * actors/stash.c - messages put aside by their handler, and given again.
 *
 * Nothing is copied and nothing allocated: a stashed message is the block that
 * it came in, linked by `link`. While it is the inbox's first node it stays
 * there as well; GRI_MSG_SAVED tells gri_next to leave it alone after that.
 *
 * Order is that of arrival: what is in the stash came before what is given
 * again, and that before what is in the inbox. So what is unstashed while some
 * are still to be given again goes before those (but behind what the same
 * handler unstashed already).
 *
 * A message counts as handled once it was given and not stashed: gr_stash takes
 * the count back. A timer's message is a fire on its way again, as before it
 * was given first, and may still be cancelled.
 */
#include "actors/internal.h"
#include "actors/lane.h"
#include "actors/limits.h"

static bool may_stash(const gr_msg *msg)
{
    switch ((gri_msg_kind)msg->kind) {
    case GRI_MSG_USER:
    case GRI_MSG_TIMER:
    case GRI_MSG_STARTED:
    case GRI_MSG_STOP:
    case GRI_MSG_EXIT:
    case GRI_MSG_DOWN:
        return true;
    case GRI_MSG_REPLY: /* its continuation is over, and nobody else knows it */
    case GRI_MSG_ASK_TIMEOUT:
    case GRI_MSG_START:
    case GRI_MSG_KILL:
    case GRI_MSG_LINK:
    case GRI_MSG_UNLINK:
    case GRI_MSG_MONITOR:
    case GRI_MSG_DEMONITOR:
    case GRI_MSG_RESUME:
    case GRI_MSG_LANE:
    case GRI_MSG_URGENT:
    case GRI_MSG_WAITER:
    case GRI_MSG_ROOM:
    case GRI_MSG_METERED: /* not any more, when it is given */
    case GRI_MSG_NOP:
    case GRI_MSG_WAKE:
    case GRI_MSG_CONFIRM:
        break;
    }
    return false;
}

/* The bound of this run's stash. */
static uint32_t max_of(gr_actor *self)
{
    gri_stash *s = &self->ext->stash;
    if (s->max == 0) {
        s->max = gri_hard_of(self);
    }
    if (s->max == 0) {
        s->max = gri_lane_ring_max(self);
    }
    return s->max;
}

static void uncount(gr_actor *self, const gr_msg *msg)
{
    gri_stash *s = &self->ext->stash;
    gri_ext_use(self->ext, 0 - gri_kept_size(msg));
    s->count--;
    s->signals -= msg->kind != GRI_MSG_USER;
}

int gr_stash(gr_actor *self, const gr_msg *msg)
{
    if (gri_behavior(self) == NULL) {
        return GR_ENOTSUP;
    }
    gr_msg *m = self->ctx->current; /* the same, but not const */
    if (m == NULL || m != msg || !may_stash(m) ||
        (m->flags & (GRI_MSG_KEPT | GRI_MSG_SAVED)) != 0) {
        return GR_EINVAL;
    }
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL) {
        return GR_ENOMEM;
    }
    gri_stash *s = &ext->stash;
    size_t size = gri_kept_size(m);
    if (s->count >= max_of(self) || !gri_has_room(self, size)) {
        return GR_EAGAIN;
    }
    gri_ext_use(ext, size);
    s->count++;
    gri_count_callback(self->ctx); /* as it is not counted as handled */
    if (m->kind == GRI_MSG_USER) {
        GRI_UNTALLY(self->ctx, handled);
    } else {
        s->signals++;
        if (m->kind == GRI_MSG_TIMER) {
            GRI_UNTALLY(self->ctx, handled);
            GRI_UNTALLY(self->ctx, sent);
        }
    }
    m->flags |= GRI_MSG_SAVED;
    m->link = NULL;
    if (s->first == NULL) {
        s->first = m;
    } else {
        s->last->link = m;
    }
    s->last = m;
    return 0;
}

/* Gives those from the stash's first up to `last`, which is one of them. */
static void unstash(gr_actor *self, gr_msg *last)
{
    gri_stash *s = &self->ext->stash;
    gr_msg *first = s->first;
    gr_msg **at = s->again_at != NULL ? &s->again_at->link : &s->again;
    s->first = last->link;
    if (s->first != NULL) {
        /* It has waited for long, and gr_unstash_one will need it next. */
        __builtin_prefetch(s->first);
        __builtin_prefetch((const char *)s->first + GRI_CACHE_LINE);
    }
    last->link = *at;
    *at = first;
    s->again_at = last;
    self->todo |= GRI_DO_REPLAY;
}

void gr_unstash(gr_actor *self)
{
    if (self->ext != NULL && self->ext->stash.first != NULL) {
        unstash(self, self->ext->stash.last);
    }
}

void gr_unstash_one(gr_actor *self)
{
    if (self->ext != NULL && self->ext->stash.first != NULL) {
        unstash(self, self->ext->stash.first);
    }
}

gr_msg *gri_stash_take(gr_actor *self)
{
    gri_stash *s = &self->ext->stash;
    gr_msg *msg = s->again;
    s->again = msg->link;
    s->again_at = NULL; /* another handler begins */
    if (s->again == NULL) {
        self->todo &= (uint8_t)~GRI_DO_REPLAY;
    }
    uncount(self, msg);
    msg->flags &= (uint16_t)~GRI_MSG_SAVED;
    return msg;
}

/* Only the consumer reads `head`: whoever pushes meanwhile looks at the tail.
 * So a turn pays for what may be left of the one before only when it pops
 * nothing. */
void gri_stash_shut(gr_actor *self)
{
    gri_stash *s = &self->ext->stash;
    s->head = self->outlet.head;
    self->outlet.head = &s->shut; /* its next is NULL */
}

void gri_stash_open(gr_actor *self)
{
    self->outlet.head = self->ext->stash.head;
}

/* ---- messages that are never given again --------------------------------- */

/* Frees one that is on no list any more, unless somebody else will. */
static void let_go(gr_actor *self, gr_msg *msg)
{
    msg->flags &= (uint16_t)~GRI_MSG_SAVED;
    if (msg != self->outlet.head && msg != self->ctx->current) {
        gri_msg_free(self->ctx->cache, msg);
    }
}

static void bury_all(gr_actor *self, gr_msg *list)
{
    while (list != NULL) {
        gr_msg *msg = list;
        list = msg->link;
        gri_bury(self->ctx, gri_pid_of(self), msg, GRI_WHY_NOPROC);
        let_go(self, msg);
    }
}

void gri_stash_end(gr_actor *self)
{
    gri_stash *s = &self->ext->stash;
    bury_all(self, s->first);
    bury_all(self, s->again);
    s->first = NULL;
    s->again = NULL;
}

/* Forgets those of one list. Returns its last. */
static gr_msg *forget_in(gr_actor *self, gr_msg **at, gri_msg_kind kind,
                         gr_pid from, uint64_t ref)
{
    gri_stash *s = &self->ext->stash;
    gr_msg *before = NULL;
    while (*at != NULL) {
        gr_msg *msg = *at;
        if (msg->kind != kind || gri_msg_ref(msg) != ref ||
            (ref == 0 && !gr_pid_eq(msg->from, from))) {
            before = msg;
            at = &msg->link;
            continue;
        }
        *at = msg->link;
        if (s->again_at == msg) {
            s->again_at = before;
        }
        uncount(self, msg);
        let_go(self, msg);
    }
    return before;
}

void gri_stash_forget(gr_actor *self, gri_msg_kind kind, gr_pid from,
                      uint64_t ref)
{
    gri_stash *s = self->ext != NULL ? &self->ext->stash : NULL;
    if (s == NULL || s->signals == 0) {
        return;
    }
    s->last = forget_in(self, &s->first, kind, from, ref);
    (void)forget_in(self, &s->again, kind, from, ref);
    if (s->again == NULL) {
        self->todo &= (uint8_t)~GRI_DO_REPLAY;
    }
}
