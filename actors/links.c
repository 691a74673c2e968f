/*
 * actors/links.c - links and monitors: who is told of whose end.
 *
 * Each end of a tie is kept by the actor it belongs to, in maps that only that
 * actor touches; ties are made, cut and fired by signals in the ordinary
 * inboxes, so a signal is always behind what its sender sent before, and no two
 * actors ever share a structure. A signal that comes too late (an EXIT of a
 * link that was cut meanwhile) finds no entry, and is nothing.
 *
 * An UNLINK and a LINK of the other end may cross. So each LINK has a number,
 * and an UNLINK names the last LINK that its sender has had from the other end:
 * if that one has sent a newer one, which the sender of the UNLINK will find
 * after it, the link stays. Both ends come to the same end that way, in any
 * order, without an answer to wait for.
 *
 * The EXIT of a lost connection comes from no actor, so a LINK may go over the
 * next connection before its sender has found that EXIT. It names the last LINK
 * that was sent over the lost one, and ends no link that was made anew since.
 * The same of an EXIT that waits between two runs of a stable actor, the second
 * of which links itself to a stable actor again.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/stay.h"
#include "mailbox/reserve.h"

static gri_key key_of(gr_pid pid)
{
    return (gri_key){pid.id, pid.node};
}

/* An end of a link. */
typedef struct link_end {
    gri_watch watch; /* the first: ref is our last LINK; 0: none */
    uint64_t heard;  /* the other end's last LINK; 0: none */
} link_end;

static gri_key watcher_key(uint64_t ref, gr_pid pid)
{
    return (gri_key){ref, pid.node};
}

/* ---- the signals' payload -------------------------------------------------
 */

static gr_msg *reason_signal(gri_cache *cache, gri_msg_kind kind, gr_pid from,
                             uint64_t ref, const gr_exit_reason *why)
{
    bool down = kind == GRI_MSG_DOWN;
    gr_value values[6];
    uint32_t n = 0;
    values[n++] = down ? gr_strn("gr.down", 7) : gr_strn("gr.exit", 7);
    if (down) {
        values[n++] = (gr_value){.kind = GR_KIND_UINT, .as.u = ref};
    }
    values[n++] = (gr_value){.kind = GR_KIND_PID, .as.pid = from};
    values[n++] = (gr_value){.kind = GR_KIND_INT, .as.i = (int64_t)why->kind};
    values[n++] = (gr_value){.kind = GR_KIND_INT, .as.i = why->code};
    values[n++] = gr_strn(why->text, strnlen(why->text, GR_EXIT_TEXT_MAX));
    uint8_t payload[GRI_RESERVE_ROOM];
    const gr_value list = gr_list_of(values, n);
    const int64_t len = gri_pack_value(&list, payload, sizeof payload);
    GR_DASSERT(len > 0 && len <= GRI_RESERVE_ROOM);
    gr_msg *msg = gri_msg_signal_sure(cache, kind, payload, (size_t)len);
    if (msg != NULL) {
        msg->from = from;
        gri_msg_trailer(msg)->ref = ref;
    }
    return msg;
}

gr_msg *gri_exit_signal(gri_cache *cache, gr_pid from,
                        const gr_exit_reason *why)
{
    return reason_signal(cache, GRI_MSG_EXIT, from, 0, why);
}

gr_msg *gri_down_signal(gri_cache *cache, gr_pid from, uint64_t ref,
                        const gr_exit_reason *why)
{
    return reason_signal(cache, GRI_MSG_DOWN, from, ref, why);
}

void gri_exit_ends(gr_msg *exit, uint64_t number)
{
    /* One more, as 0 says nothing; numbers are far from the last one. */
    gri_msg_trailer(exit)->extra = (int64_t)(number + 1);
}

/* Is that EXIT of a link that was there before our last LINK? */
static bool is_older(const gr_msg *exit, const link_end *link)
{
    const int64_t extra = gri_msg_trail(exit)->extra;
    return extra != 0 && link->watch.ref != 0 &&
           link->watch.ref + 1 != (uint64_t)extra;
}

bool gri_read_reason(const gr_msg *msg, gr_pid *from, gr_exit_reason *why)
{
    gr_reader r = gr_msg_reader(msg);
    gr_str text;
    gr_pid pid;
    uint64_t ref;
    int64_t kind;
    int64_t code;
    if (gr_read_str(&r, &text) < 0 ||
        (msg->kind == GRI_MSG_DOWN && gr_read_uint(&r, &ref) < 0) ||
        gr_read_pid(&r, &pid) < 0 || gr_read_int(&r, &kind) < 0 ||
        gr_read_int(&r, &code) < 0 || gr_read_str(&r, &text) < 0 || kind < 0 ||
        kind > GR_EXIT_SIGNAL || code < INT32_MIN || code > INT32_MAX ||
        text.len > GR_EXIT_TEXT_MAX) {
        return false;
    }
    if (from != NULL) {
        *from = pid;
    }
    if (why != NULL) {
        *why = (gr_exit_reason){(gr_exit_kind)kind, (int)code, ""};
        memcpy(why->text, text.ptr, text.len);
        why->text[text.len] = '\0';
    }
    return true;
}

bool gr_match_exit(const gr_msg *msg, gr_pid *from, gr_exit_reason *why)
{
    return msg->kind == GRI_MSG_EXIT && gri_read_reason(msg, from, why);
}

bool gr_match_down(const gr_msg *msg, gr_ref *ref, gr_pid *from,
                   gr_exit_reason *why)
{
    if (msg->kind != GRI_MSG_DOWN || !gri_read_reason(msg, from, why)) {
        return false;
    }
    if (ref != NULL) {
        *ref = (gr_ref){gri_msg_ref(msg)};
    }
    return true;
}

bool gr_match_stop(const gr_msg *msg, gr_pid *from)
{
    if (msg->kind != GRI_MSG_STOP) {
        return false;
    }
    if (from != NULL) {
        *from = msg->from;
    }
    return true;
}

bool gr_match_started(const gr_msg *msg, gr_pid *from)
{
    if (msg->kind != GRI_MSG_STARTED) {
        return false;
    }
    if (from != NULL) {
        *from = msg->from;
    }
    return true;
}

/* ---- ends of ties ---------------------------------------------------------
 */

/* A new entry of `size` bytes, which begins with a gri_watch. */
static int put_tie(gri_map *map, gri_key key, gri_watch what, size_t size)
{
    if (map->count >= GR_TIES_MAX) {
        return GR_ELIMIT;
    }
    gri_watch *watch = calloc(1, size);
    if (watch == NULL) {
        return GR_ENOMEM;
    }
    *watch = what;
    int rc = gri_map_put(map, key, watch);
    if (rc < 0) {
        free(watch);
    }
    return rc;
}

static int add_tie(gri_map *map, gri_key key, gr_pid pid, uint64_t ref)
{
    if (gri_map_get(map, key) != NULL) {
        return 0;
    }
    return put_tie(map, key, (gri_watch){pid, ref}, sizeof(gri_watch));
}

/* True if there was one. */
static bool cut_tie(gri_map *map, gri_key key)
{
    gri_watch *watch = gri_map_remove(map, key);
    free(watch);
    return watch != NULL;
}

int gri_add_link(gr_actor *self, gr_pid pid)
{
    gri_map *links = &self->ext->links;
    if (gri_map_get(links, key_of(pid)) != NULL) {
        return 0; /* one link a pair */
    }
    return put_tie(links, key_of(pid), (gri_watch){pid, 0}, sizeof(link_end));
}

static link_end *find_link(const gr_actor *self, gr_pid pid)
{
    return self->ext == NULL ? NULL
                             : gri_map_get(&self->ext->links, key_of(pid));
}

void gri_drop_link(gr_actor *self, gr_pid pid)
{
    (void)cut_tie(&self->ext->links, key_of(pid));
}

bool gri_is_linked(const gr_actor *self, gr_pid pid)
{
    return find_link(self, pid) != NULL;
}

int gri_add_watcher(gr_actor *self, gr_pid pid, uint64_t ref)
{
    return add_tie(&self->ext->watchers, watcher_key(ref, pid), pid, ref);
}

int gri_add_monitor(gr_actor *self, gr_pid pid, uint64_t ref)
{
    return add_tie(&self->ext->monitors, (gri_key){ref, 0}, pid, ref);
}

void gri_drop_monitor(gr_actor *self, uint64_t ref)
{
    if (ref != 0 && self->ext != NULL) {
        (void)cut_tie(&self->ext->monitors, (gri_key){ref, 0});
    }
}

/* ---- what programs call ---------------------------------------------------
 */

/* The pid as the signals of its ends will name it. */
static gr_pid full(const gr_actor *self, gr_pid pid)
{
    return gri_is_here(self->sys, pid) ? (gr_pid){self->sys->node, pid.id}
                                       : pid;
}

int gr_link(gr_actor *self, gr_pid pid)
{
    pid = full(self, pid);
    if (gr_pid_is_nobody(pid) || gr_pid_eq(pid, gri_pid_of(self))) {
        return GR_EINVAL;
    }
    if (gri_ext_of(self) == NULL) {
        return GR_ENOMEM;
    }
    const bool fresh = find_link(self, pid) == NULL;
    GR_TRY(gri_add_link(self, pid));
    const uint64_t number = gri_new_ref(self->ctx);
    int rc = gri_send_new_signal(self->ctx, gri_pid_of(self), pid, GRI_MSG_LINK,
                                 number);
    if (rc == 0) {
        find_link(self, pid)->watch.ref = number;
    } else if (fresh) {
        (void)cut_tie(&self->ext->links, key_of(pid));
    }
    return rc;
}

int gr_unlink(gr_actor *self, gr_pid pid)
{
    pid = full(self, pid);
    gri_thread_forget(self, GRI_MSG_EXIT, pid, 0);
    const link_end *link = find_link(self, pid);
    if (link == NULL) {
        return 0;
    }
    GR_TRY(gri_send_new_signal(self->ctx, gri_pid_of(self), pid, GRI_MSG_UNLINK,
                               link->heard));
    (void)cut_tie(&self->ext->links, key_of(pid));
    return 0;
}

void gr_trap_exit(gr_actor *self, bool on)
{
    self->trap_exit = on;
    if (on) {
        /* relaxed: gri_system_stop may see it a moment late. */
        atomic_fetch_or_explicit(&self->traits, GRI_SLOW_END,
                                 memory_order_relaxed);
    }
}

int gr_monitor(gr_actor *self, gr_pid pid, gr_ref *out)
{
    if (gr_pid_is_nobody(pid)) {
        return GR_EINVAL;
    }
    if (gri_ext_of(self) == NULL) {
        return GR_ENOMEM;
    }
    pid = full(self, pid);
    uint64_t ref = gri_new_ref(self->ctx);
    GR_TRY(gri_add_monitor(self, pid, ref));
    int rc = gri_send_new_signal(self->ctx, gri_pid_of(self), pid,
                                 GRI_MSG_MONITOR, ref);
    if (rc < 0) {
        gri_drop_monitor(self, ref);
        return rc;
    }
    *out = (gr_ref){ref};
    return 0;
}

void gr_demonitor(gr_actor *self, gr_ref ref)
{
    gri_thread_forget(self, GRI_MSG_DOWN, GR_NOBODY, ref.id);
    gri_watch *watch = self->ext == NULL ? NULL
                                         : gri_map_remove(&self->ext->monitors,
                                                          (gri_key){ref.id, 0});
    if (watch == NULL) {
        return;
    }
    /* Without memory the other end stays until its owner ends; its DOWN will
     * find nothing here. */
    (void)gri_send_new_signal(self->ctx, gri_pid_of(self), watch->pid,
                              GRI_MSG_DEMONITOR, ref.id);
    free(watch);
}

static int signal_to(gr_actor *self, gr_pid pid, gri_msg_kind kind,
                     uint64_t ref)
{
    if (gr_pid_is_nobody(pid)) {
        return GR_EINVAL;
    }
    gri_cache *cache = self->ctx->cache;
    gr_msg *msg = kind == GRI_MSG_KILL
                      ? gri_msg_signal_sure(cache, kind, NULL, 0)
                      : gri_msg_signal(cache, kind, NULL, 0);
    if (msg == NULL) {
        return GR_ENOMEM;
    }
    msg->from = gri_pid_of(self);
    gri_msg_trailer(msg)->ref = ref;
    return gri_send_signal(self->ctx, pid, msg);
}

int gr_stop(gr_actor *self, gr_pid pid)
{
    return signal_to(self, pid, GRI_MSG_STOP, gri_stay_meant(self, pid));
}

int gr_kill(gr_actor *self, gr_pid pid)
{
    gri_kill(self->ctx, pid);
    return signal_to(self, pid, GRI_MSG_KILL, 0);
}

void gri_kill(gri_ctx *ctx, gr_pid pid)
{
    gr_system *sys = ctx->sys;
    gr_actor *slot = gri_is_here(sys, pid) ? gri_slot_of(sys, pid) : NULL;
    if (gri_is_service(sys, pid.id) && ctx != &sys->stop_ctx) {
        return; /* only the end of the system is its end */
    }
    if (slot != NULL && gri_slot_lives(slot, gri_pid_run(pid))) {
        gri_set_alert(slot, gri_pid_run(pid), GRI_ALERT_KILL);
        gri_slow_release(ctx, pid);
    }
}

/* ---- what the inbox brings -------------------------------------------------
 */

/* Tells the other end at once: see refusal.h. */
static void refuse_tie(gr_actor *self, const gr_msg *msg, int rc)
{
    gr_exit_reason why = {GR_EXIT_ERROR, rc, "it can be tied to no more"};
    gr_pid me = gri_pid_of(self);
    gr_msg *answer =
        msg->kind == GRI_MSG_LINK
            ? gri_exit_signal(self->ctx->cache, me, &why)
            : gri_down_signal(self->ctx->cache, me, gri_msg_ref(msg), &why);
    if (answer != NULL) {
        if (msg->kind == GRI_MSG_LINK) {
            gri_exit_ends(answer, gri_msg_ref(msg));
        }
        gri_send_signal(self->ctx, msg->from, answer);
    }
}

static gri_take on_exit_signal(gr_actor *self, gr_msg *msg)
{
    gr_exit_reason why;
    gr_pid from;
    if (!gri_read_reason(msg, &from, &why)) {
        return GRI_TAKE_DONE;
    }
    const link_end *link = find_link(self, from);
    if (link == NULL || is_older(msg, link)) {
        return GRI_TAKE_DONE;
    }
    (void)cut_tie(&self->ext->links, key_of(from));
    if (self->trap_exit) {
        return GRI_TAKE_GIVE;
    }
    if (why.kind != GR_EXIT_NORMAL) {
        gri_exit_set(self, &why);
    }
    return GRI_TAKE_DONE;
}

static gri_take on_tie(gr_actor *self, const gr_msg *msg)
{
    const uint64_t ref = gri_msg_ref(msg);
    const bool link = msg->kind == GRI_MSG_LINK;
    int rc = GR_ENOMEM;
    if (gri_ext_of(self) != NULL) {
        rc = link ? gri_add_link(self, msg->from)
                  : gri_add_watcher(self, msg->from, ref);
    }
    if (rc == 0 && link) {
        find_link(self, msg->from)->heard = ref;
    }
    if (rc < 0) {
        refuse_tie(self, msg, rc);
    }
    return GRI_TAKE_DONE;
}

static void on_unlink(gr_actor *self, const gr_msg *msg)
{
    link_end *link = find_link(self, msg->from);
    if (link == NULL) {
        return;
    }
    link->heard = 0;
    if (link->watch.ref == 0 || link->watch.ref == gri_msg_ref(msg)) {
        (void)cut_tie(&self->ext->links, key_of(msg->from));
    }
    /* Else our LINK crosses it, and will be found by the other end. */
}

gri_take gri_on_link_signal(gr_actor *self, gr_msg *msg)
{
    gri_ext *ext = self->ext;
    if (gri_is_proxy(self) &&
        (msg->kind == GRI_MSG_LINK || msg->kind == GRI_MSG_UNLINK)) {
        gri_proxy_tied(self, msg);
    }
    if (msg->kind == GRI_MSG_LINK || msg->kind == GRI_MSG_MONITOR) {
        return on_tie(self, msg);
    }
    if (ext == NULL) {
        return GRI_TAKE_DONE; /* there is nothing to cut or to fire */
    }
    if (msg->kind == GRI_MSG_UNLINK) {
        on_unlink(self, msg);
    } else if (msg->kind == GRI_MSG_DEMONITOR) {
        (void)cut_tie(&ext->watchers, watcher_key(gri_msg_ref(msg), msg->from));
    } else if (msg->kind == GRI_MSG_EXIT) {
        return on_exit_signal(self, msg);
    } else if (cut_tie(&ext->monitors, (gri_key){gri_msg_ref(msg), 0})) {
        return GRI_TAKE_GIVE;
    }
    return GRI_TAKE_DONE;
}

/* Sends DOWN to those watchers that are, or are not, the actor that spawned
 * self. False: not to all, for lack of memory. */
static bool tell_watchers(gr_actor *self, const gr_exit_reason *why,
                          bool spawner)
{
    gri_ctx *ctx = self->ctx;
    const gr_pid me = gri_pid_of(self);
    /* relaxed: written by who published this run. */
    const gr_pid parent = {
        me.node, atomic_load_explicit(&self->sys->parents[gri_index(self)],
                                      memory_order_relaxed)};
    bool all = true;
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&self->ext->watchers, &at)) != NULL;) {
        gri_watch *watch = e->value;
        if (gr_pid_eq(watch->pid, parent) != spawner) {
            continue;
        }
        gr_msg *msg = gri_down_signal(ctx->cache, me, watch->ref, why);
        all = all && msg != NULL;
        if (msg != NULL) {
            gri_send_signal(ctx, watch->pid, msg);
        }
        free(watch);
        e->value = NULL;
    }
    return all;
}

/* Tells the other end of a link. False: no memory. */
static bool tell_linked(gr_actor *self, const link_end *link,
                        const gr_exit_reason *why)
{
    gri_ctx *ctx = self->ctx;
    const gr_pid to = link->watch.pid;
    gr_msg *msg = gri_exit_signal(ctx->cache, gri_pid_of(self), why);
    if (msg == NULL) {
        return false;
    }
    const gr_actor *slot =
        gri_is_here(self->sys, to) ? gri_slot_of(self->sys, to) : NULL;
    if (link->heard != 0 && slot != NULL && gri_is_stable(slot)) {
        gri_exit_ends(msg, link->heard);
    }
    gri_send_signal(ctx, to, msg);
    return true;
}

void gri_links_end(gr_actor *self, const gr_exit_reason *why)
{
    gri_ext *ext = self->ext;
    gri_ctx *ctx = self->ctx;
    gr_pid me = gri_pid_of(self);
    bool lost = false;
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&ext->links, &at)) != NULL;) {
        lost = !tell_linked(self, e->value, why) || lost;
        free(e->value);
    }
    /* Its spawner first: whoever else hears of this, and asks a supervisor for
     * the next run of its child, finds that it knows. */
    lost = !tell_watchers(self, why, true) || lost;
    lost = !tell_watchers(self, why, false) || lost;
    at = 0;
    for (gri_entry *e; (e = gri_map_next(&ext->monitors, &at)) != NULL;) {
        gri_watch *watch = e->value;
        (void)gri_send_new_signal(ctx, me, watch->pid, GRI_MSG_DEMONITOR,
                                  watch->ref); /* a courtesy: saves memory */
        free(watch);
    }
    if (lost) {
        gri_log_write(&self->sys->log, GR_LOG_ERROR,
                      "no memory to tell links and monitors of a death");
    }
}
