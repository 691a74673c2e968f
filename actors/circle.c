/* actors/circle.c - see circle.h. */
#include "actors/circle.h"

#include <stdio.h>
#include <string.h>

static gri_key key_of(uint64_t id)
{
    return (gri_key){id, 0};
}

static gri_wait *own(const gr_actor *self)
{
    return &self->ext->thread->wait;
}

/* ---- coming and going -----------------------------------------------------
 */

int gri_circle_join(gr_actor *self)
{
    gr_system *sys = self->sys;
    gri_wait *w = own(self);
    w->id = gri_pid_of(self).id;
    (void)pthread_mutex_lock(&sys->circle_lock);
    int rc = gri_map_put(&sys->threads_waits, key_of(w->id), w);
    (void)pthread_mutex_unlock(&sys->circle_lock);
    return rc;
}

void gri_circle_leave(gr_actor *self)
{
    gr_system *sys = self->sys;
    (void)pthread_mutex_lock(&sys->circle_lock);
    (void)gri_map_remove(&sys->threads_waits, key_of(own(self)->id));
    (void)pthread_mutex_unlock(&sys->circle_lock);
}

/* ---- edges, under the lock ------------------------------------------------
 */

static gri_wait *wait_of(gr_system *sys, uint64_t id)
{
    return gri_map_get(&sys->threads_waits, key_of(id));
}

/* Whom it waits for, by a live edge; 0: nobody. */
static uint64_t next_of(const gri_wait *w)
{
    /* relaxed: who has heard of the end of that wait sees it, by what it heard;
     * all others may take it for still going on. */
    return w != NULL && w->edge != 0 &&
                   w->edge ==
                       atomic_load_explicit(&w->ref, memory_order_relaxed)
               ? w->to
               : 0;
}

/* A circle that one more edge closes. */
typedef enum circle {
    CIRCLE_NONE,
    CIRCLE_CLOSED,
    CIRCLE_PERHAPS /* one in it waits for room, and is to look */
} circle;

/* What an edge from `id` to `to` would close. *looker: who is to look. */
static circle closes(gr_system *sys, uint64_t id, uint64_t to, uint64_t *looker)
{
    size_t left = sys->threads_waits.count; /* others may be in one already */
    *looker = 0;
    for (; to != 0 && to != id && left > 0; left--) {
        const gri_wait *w = wait_of(sys, to);
        const uint64_t next = next_of(w);
        if (next != 0 && w->room && *looker == 0) {
            *looker = to;
        }
        to = next;
    }
    return to != id       ? CIRCLE_NONE
           : *looker == 0 ? CIRCLE_CLOSED
                          : CIRCLE_PERHAPS;
}

/* Sends a thread that waits for room to look at its circle: a ROOM that is from
 * nobody. Without the lock. Without memory its deadline is what is left. */
static void make_look(gri_ctx *ctx, uint64_t looker)
{
    const gr_pid to = {ctx->sys->node, looker};
    (void)gri_send_new_signal(ctx, GR_NOBODY, to, GRI_MSG_ROOM, 0);
}

/* ---- a circle in words ----------------------------------------------------
 */

typedef struct words {
    char *buf;
    size_t size, len;
} words;

static void add(words *w, const char *text)
{
    const int n = snprintf(w->buf + w->len, w->size - w->len, "%s", text);
    w->len = (size_t)n < w->size - w->len ? w->len + (size_t)n : w->size - 1;
}

static void add_actor(gr_system *sys, words *w, uint64_t id)
{
    char name[GR_NAME_MAX + 1];
    char pid[GR_PID_TEXT_MAX];
    const gr_pid actor = {sys->node, id};
    const char *known = gri_name_of(sys, actor, name, sizeof name);
    if (known != NULL) {
        add(w, known);
        add(w, " ");
    }
    add(w, gr_pid_text(actor, pid));
}

static void add_step(gr_system *sys, words *w, const gri_wait *from,
                     uint64_t to)
{
    add(w, " -");
    add(w, from->what);
    add(w, "-> ");
    add_actor(sys, w, to);
}

/* Writes down the circle that `first` would close by waiting for `to`. */
static void write_path(gr_system *sys, gri_wait *first, uint64_t to)
{
    words w = {first->path, sizeof first->path, 0};
    add_actor(sys, &w, first->id);
    add_step(sys, &w, first, to);
    while (to != 0 && to != first->id) {
        const gri_wait *at = wait_of(sys, to);
        to = next_of(at);
        if (to != 0) { /* else it has just ended its wait */
            add_step(sys, &w, at, to);
        }
    }
}

/* The tag as in a printed message. False: it is none, or too long. */
static bool print_tag(gri_wait *w, const gri_wait_for *what)
{
    if (what->tag != NULL) {
        uint8_t bytes[GRI_WAIT_WHAT_MAX];
        const int64_t len = gri_pack_value(what->tag, bytes, sizeof bytes);
        return len > 0 && gr_any_print((gr_any){bytes, (uint32_t)len}, w->what,
                                       sizeof w->what) > 0;
    }
    gr_any tag;
    if (what->msg == NULL) {
        return false;
    }
    gr_reader r = gr_msg_reader(what->msg);
    return gr_read_any(&r, &tag) == 0 &&
           gr_any_print(tag, w->what, sizeof w->what) > 0;
}

static void set_what(gri_wait *w, const gri_wait_for *what)
{
    if (!print_tag(w, what)) {
        (void)snprintf(w->what, sizeof w->what, "%s",
                       what->room ? "room" : "question");
    }
}

/* ---- waits ----------------------------------------------------------------
 */

/* Whether it may be a thread actor of this node: one has no behaviour, but so
 * has a handler actor that has not begun. An edge to that one is no harm, as
 * its chain ends there. (`place` is no help: it comes after the name.) */
static bool is_thread(gr_system *sys, gr_pid pid)
{
    gr_actor *slot = gri_is_here(sys, pid) ? gri_slot_of(sys, pid) : NULL;
    return slot != NULL && gri_slot_lives(slot, gri_pid_run(pid)) &&
           gri_behavior(slot) == NULL;
}

/* Makes the edge of w, unless that closes a circle. Under the lock. */
static circle put_edge(gr_system *sys, gri_wait *w, uint64_t ref, uint64_t to,
                       uint64_t *looker)
{
    const circle c = closes(sys, w->id, to, looker);
    if (c == CIRCLE_CLOSED) {
        write_path(sys, w, to);
    } else {
        w->edge = ref;
        w->to = to;
    }
    return c;
}

int gri_wait_begin(gr_actor *self, gr_pid to, uint64_t ref,
                   const gri_wait_for *what)
{
    gr_system *sys = self->sys;
    gri_wait *w = own(self);
    uint64_t looker;
    /* relaxed: published by the push of what is sent next. */
    atomic_store_explicit(&w->ref, ref, memory_order_relaxed);
    if (!is_thread(sys, to)) {
        return 0;
    }
    (void)pthread_mutex_lock(&sys->circle_lock);
    set_what(w, what);
    w->path[0] = '\0';
    w->room = what->room;
    const circle c = put_edge(sys, w, ref, to.id, &looker);
    (void)pthread_mutex_unlock(&sys->circle_lock);
    if (c == CIRCLE_PERHAPS) {
        make_look(self->ctx, looker);
    }
    if (c == CIRCLE_CLOSED) {
        gri_wait_end(self);
        return GR_EDEADLOCK;
    }
    return 0;
}

int gri_wait_look(gr_actor *self, gr_pid to)
{
    gr_system *sys = self->sys;
    gri_wait *w = own(self);
    uint64_t looker;
    (void)pthread_mutex_lock(&sys->circle_lock);
    const circle c = closes(sys, w->id, to.id, &looker);
    if (c == CIRCLE_CLOSED) {
        write_path(sys, w, to.id);
    }
    (void)pthread_mutex_unlock(&sys->circle_lock);
    return c == CIRCLE_CLOSED ? GR_EDEADLOCK : 0;
}

void gri_wait_end(gr_actor *self)
{
    /* relaxed: see next_of. */
    atomic_store_explicit(&own(self)->ref, 0, memory_order_relaxed);
}

void gri_wait_told(gr_actor *self)
{
    gr_system *sys = self->sys;
    gri_wait *w = own(self);
    (void)pthread_mutex_lock(&sys->circle_lock);
    memcpy(w->told, w->path, sizeof w->told);
    w->path[0] = '\0';
    (void)pthread_mutex_unlock(&sys->circle_lock);
    if (w->told[0] != '\0') { /* else it is the callee's own error */
        gri_log_write(&sys->log, GR_LOG_WARN, "a circle of waits: %s", w->told);
    }
}

void gri_wait_answered(gri_ctx *ctx, gr_pid from, uint64_t ref)
{
    gr_system *sys = ctx->sys;
    if (!gri_ref_waits(ref) || !gri_is_here(sys, from)) {
        return;
    }
    (void)pthread_mutex_lock(&sys->circle_lock);
    gri_wait *w = wait_of(sys, from.id);
    if (w != NULL && w->edge == ref) {
        w->edge = 0;
    }
    (void)pthread_mutex_unlock(&sys->circle_lock);
}

bool gri_wait_passed(gri_ctx *ctx, gr_pid from, uint64_t ref, gr_pid to)
{
    gr_system *sys = ctx->sys;
    circle c = CIRCLE_NONE;
    uint64_t looker;
    if (!gri_ref_waits(ref) || !gri_is_here(sys, from)) {
        return true;
    }
    (void)pthread_mutex_lock(&sys->circle_lock);
    gri_wait *w = wait_of(sys, from.id);
    /* relaxed: the ref came with the question, so it is seen, or a later one.
     */
    if (w != NULL &&
        atomic_load_explicit(&w->ref, memory_order_relaxed) == ref) {
        w->edge = 0;
        w->room = false;
        if (is_thread(sys, to)) {
            c = put_edge(sys, w, ref, to.id, &looker);
        }
    }
    (void)pthread_mutex_unlock(&sys->circle_lock);
    if (c == CIRCLE_PERHAPS) {
        make_look(ctx, looker);
    }
    return c != CIRCLE_CLOSED;
}

const char *gr_deadlock_path(const gr_actor *self)
{
    return self->ext != NULL && self->ext->thread != NULL
               ? self->ext->thread->wait.told
               : "";
}
