/* patterns/group_actor.c - the actor of the groups: see groups.h. It takes the
 * changes out, and tells monitors and other nodes of them. */
#include <stdlib.h>
#include <string.h>

#include <greenroom/node.h>

#include "actors/refusal.h"
#include "patterns/groups.h"

#define AGAIN "gr.groups.again"

enum {
    AGAIN_MS = 50,       /* until what did not go is tried again; doubled */
    AGAIN_MS_MAX = 1000, /* but not beyond this */
    AGAIN_DOUBLED = 5    /* times that this takes */
};

/* ---- its start ---------------------------------------------------------- */

/* Errors: GR_ENOMEM, GR_ENOTSUP. */
static int make(gr_system *sys)
{
    gri_groups *g = gri_groups_new(sys);
    if (g == NULL) {
        return GR_ENOMEM;
    }
    g->work.chunk = GR_GROUP_EVENT_MAX;
    int rc = gri_service_install(sys, &g->service);
    if (rc < 0) {
        gri_groups_free(&g->service);
    }
    return rc == GR_EEXIST ? 0 : rc; /* another thread was first */
}

/* Under the lock. */
static int start(gr_actor *self, gri_groups *g)
{
    gr_pid other;
    if (gr_pid_is_nobody(g->actor)) {
        if (gr_whereis(self, GR_HERE, GRI_GROUPS_NAME, &other) == 0) {
            return GR_EEXIST; /* it would not be found */
        }
        GR_TRY(gri_service_start(self, &gri_groups_behavior, &g->actor));
    }
    GR_TRY(gri_groups_wake(self, g)); /* the system may be a node */
    g->started = true;
    return 0;
}

int gri_groups_enter(gr_actor *self, gri_groups **out)
{
    gr_system *sys = gr_system_of(self);
    if (gri_service_of(sys) == NULL) {
        GR_TRY(make(sys));
    }
    gri_groups *g = (gri_groups *)gri_service_of(sys);
    gri_groups_lock(g);
    int rc = g->started ? 0 : start(self, g);
    if (rc < 0) {
        gri_groups_unlock(g);
        return rc;
    }
    *out = g;
    return 0;
}

int gri_groups_wake(gr_actor *self, gri_groups *g)
{
    if (g->woken || gr_pid_eq(gr_self(self), g->actor)) {
        return 0; /* it looks when it has done what it is at */
    }
    int rc = gr_send(self, g->actor, GRI_SERVICE_WAKE);
    g->woken = rc == 0;
    /* With a full mailbox it has enough to wake it. */
    return rc == GR_EAGAIN ? 0 : rc;
}

void gri_groups_again(gri_groups *g)
{
    g->work.again = true;
}

/* ---- the ends of members ----------------------------------------------- */

/* Its end will wake us. */
static void watch_member(gr_actor *self, gri_groups *g, gr_pid pid)
{
    gr_ref ref;
    if (gr_monitor(self, pid, &ref) == 0) {
        return;
    }
    gri_groups_lock(g);
    gri_owner *owner = gri_owner_find(g, pid);
    if (owner != NULL) {
        owner->watched = false;
        g->work.unwatched = true;
        g->work.again = true;
    }
    gri_groups_unlock(g);
}

static void watch_again(gr_actor *self, gri_groups *g)
{
    size_t at = 0;
    gr_ref ref;
    bool all = true;
    gri_groups_lock(g);
    for (gri_entry *e; (e = gri_map_next(&g->owners, &at)) != NULL;) {
        gri_owner *owner = e->value;
        if (!owner->watched && owner->home.joined > 0) {
            owner->watched = gr_monitor(self, owner->pid, &ref) == 0;
            all = all && owner->watched;
        }
    }
    gri_groups_unlock(g);
    g->work.unwatched = !all;
    g->work.again = g->work.again || !all;
}

/* ---- monitors ----------------------------------------------------------- */

/* Tells it of n of work.pids, from `from` on. */
static int tell_watch(gr_actor *self, gri_groups *g,
                      const gri_group_watch *watch, gr_group_event event,
                      uint32_t from, uint32_t n)
{
    gri_group_work *work = &g->work;
    do {
        const uint32_t some = n < work->chunk ? n : work->chunk;
        int rc = gr_send(self, watch->pid, "gr.group", watch->ref.id,
                         (unsigned)event, gr_list_of(&work->pids[from], some));
        if (rc == GR_ETOOBIG && work->chunk > 1) {
            work->chunk /= 2;
            continue;
        }
        GR_TRY(rc);
        from += some;
        n -= some;
        event = event == GR_GROUP_MEMBERS ? GR_GROUP_JOINED : event;
    } while (n > 0);
    return 0;
}

static void fall_behind(gri_groups *g, gri_group_watch *watch)
{
    if (!watch->behind) {
        watch->behind = true;
        watch->next_behind = g->work.behind;
        g->work.behind = watch;
    }
    g->work.again = true;
}

/* Puts members from `at` on into one message's list; returns how many. */
static uint32_t list_pids(gri_groups *g, const gri_view *view, uint32_t at)
{
    uint32_t n = 0;
    while (n < GR_GROUP_EVENT_MAX && at + n < view->all) {
        g->work.pids[n] =
            (gr_value){.kind = GR_KIND_PID, .as.pid = view->pids[at + n]};
        n++;
    }
    return n;
}

/* Tells it of all that are in its first view. False: not all went. */
static bool tell_first(gr_actor *self, gri_groups *g, gri_group_watch *watch)
{
    const gri_view *view = watch->first;
    gr_group_event event = GR_GROUP_MEMBERS;
    uint32_t at = 0;
    int rc;
    do {
        const uint32_t n = list_pids(g, view, at);
        rc = tell_watch(self, g, watch, event, 0, n);
        event = GR_GROUP_JOINED;
        at += n;
    } while (rc == 0 && at < view->all);
    gri_groups_lock(g);
    gri_view_drop(watch->first);
    gri_groups_unlock(g);
    watch->first = NULL;
    return rc == 0;
}

static void begin_watch(gr_actor *self, gri_groups *g, gri_group_watch *watch)
{
    watch->next_one = watch->group->watches;
    watch->group->watches = watch;
    if (!tell_first(self, g, watch)) {
        fall_behind(g, watch);
    }
}

static void end_watch(gri_groups *g, gri_group_watch *watch)
{
    gri_group_watch **at = &watch->group->watches;
    while (*at != watch) {
        at = &(*at)->next_one;
    }
    *at = watch->next_one;
    for (at = &g->work.behind; watch->behind && *at != NULL;
         at = &(*at)->next_behind) {
        if (*at == watch) {
            *at = watch->next_behind;
            break;
        }
    }
    gri_groups_lock(g);
    gri_group_watch_free(g, watch);
    gri_groups_unlock(g);
}

/* All that have missed something are told all again. */
static void tell_behind(gr_actor *self, gri_groups *g)
{
    gri_group_watch *list = g->work.behind;
    g->work.behind = NULL;
    while (list != NULL) {
        gri_group_watch *watch = list;
        list = watch->next_behind;
        watch->behind = false;
        gri_groups_lock(g);
        watch->first = gri_group_view(watch->group);
        watch->since = g->changed;
        g->counts.resyncs++;
        gri_groups_unlock(g);
        if (watch->first == NULL || !tell_first(self, g, watch)) {
            fall_behind(g, watch);
        } else {
            g->work.tries = 0;
        }
    }
}

/* ---- changes ------------------------------------------------------------ */

static bool are_alike(const gri_change *a, const gri_change *b)
{
    if (a->kind != b->kind || a->kind > GRI_CHANGE_LEFT) {
        return false;
    }
    const gri_joined *x = a->of;
    const gri_joined *y = b->of;
    return x->group == y->group && x->here == y->here;
}

/* Tells all of n changes of a group, which are in work. */
static void tell_all(gr_actor *self, gri_groups *g, const gri_group *group,
                     gri_change_kind kind, uint32_t n)
{
    const gr_group_event event =
        kind == GRI_CHANGE_JOINED ? GR_GROUP_JOINED : GR_GROUP_LEFT;
    for (gri_group_watch *watch = group->watches; watch != NULL;
         watch = watch->next_one) {
        uint32_t from = 0;
        while (from < n && g->work.at[from] <= watch->since) {
            from++; /* that was in what it was told first */
        }
        if (!watch->behind && from < n &&
            tell_watch(self, g, watch, event, from, n - from) < 0) {
            fall_behind(g, watch);
        }
    }
}

/* Tells of a row of changes that are alike. Returns the one behind. */
static gri_change *tell_row(gr_actor *self, gri_groups *g, gri_change *first)
{
    const gri_joined *joined = first->of;
    const gri_change_kind kind = first->kind;
    const gri_group *group = joined->group;
    const bool here = joined->here;
    gri_change *c = first;
    uint32_t n = 0;
    while (c != NULL && n < GR_GROUP_EVENT_MAX && are_alike(first, c)) {
        joined = c->of;
        g->work.pids[n] =
            (gr_value){.kind = GR_KIND_PID, .as.pid = joined->pid};
        g->work.at[n++] = c->at;
        if (kind == GRI_CHANGE_JOINED && joined->watch) {
            watch_member(self, g, joined->pid);
        }
        c = c->next;
    }
    tell_all(self, g, group, kind, n);
    if (here) {
        gri_far_tell(self, g, group, kind, n);
    }
    if (kind == GRI_CHANGE_LEFT) {
        gri_groups_lock(g);
        while (first != c) {
            gri_joined *ended = first->of;
            first = first->next;
            gri_joined_free(g, ended);
        }
        gri_groups_unlock(g);
    }
    return c;
}

static void tell_changes(gr_actor *self, gri_groups *g)
{
    gri_groups_lock(g);
    gri_change *c = g->oldest;
    g->oldest = g->newest = NULL;
    g->changes = 0;
    g->woken = false;
    gri_groups_unlock(g);
    while (c != NULL) {
        gri_change *next = c->next;
        if (c->kind == GRI_CHANGE_WATCHED) {
            begin_watch(self, g, c->of);
        } else if (c->kind == GRI_CHANGE_UNWATCHED) {
            end_watch(g, c->of);
        } else {
            next = tell_row(self, g, c);
        }
        c = next;
    }
}

/* ---- its life as an actor ----------------------------------------------- */

static void on_down(gri_groups *g, gr_pid pid, gr_ref ref,
                    const gr_exit_reason *why)
{
    const bool refused = gri_is_refusal(why);
    if (pid.node != gr_system_node(g->sys).id) {
        gri_far_hub_down(g, pid, ref, refused);
        return;
    }
    gri_groups_lock(g);
    gri_owner *owner = gri_owner_find(g, pid);
    if (owner != NULL && refused) {
        owner->watched = false;
        g->work.unwatched = true;
        gri_groups_again(g);
    } else if (owner != NULL && !owner->hooked) {
        gri_owner_end(owner);
    }
    gri_groups_unlock(g);
}

static void on_again(gr_actor *self, gri_groups *g)
{
    gri_group_work *work = &g->work;
    work->timer = false;
    work->again = false;
    work->tries += work->tries < AGAIN_DOUBLED;
    if (work->unwatched) {
        watch_again(self, g);
    }
    tell_behind(self, g);
    gri_far_again(self, g);
    if (!work->again) {
        work->tries = 0;
    }
}

/* Each is one message of many; what they have in common comes behind. */
static int handle(gr_actor *self, gri_groups *g, const gr_msg *msg)
{
    gr_pid who;
    gr_ref ref;
    gr_node node;
    gr_exit_reason why;
    bool up;
    if (gr_match_down(msg, &ref, &who, &why)) {
        on_down(g, who, ref, &why);
    } else if (gr_match_node(msg, &up, &node, NULL, NULL)) {
        if (up) {
            gri_far_up(self, g, node.id);
        } else {
            gri_far_down(g, node.id);
        }
    } else if (gr_match(msg, GRI_SERVICE_WAKE) ||
               gr_match_slow_node(msg, NULL, NULL, NULL, NULL)) {
        return 0; /* whoever sent it: there is something, or not; and who is
                     slow has time */
    } else if (gr_pid_eq(gr_sender(msg), gr_self(self)) &&
               gr_match(msg, AGAIN)) {
        on_again(self, g);
    } else if (!gri_asked(self, g, msg) && !gri_taken(self, g, msg)) {
        return gr_unhandled(self, msg);
    }
    return 0;
}

/* Under which other nodes find us. Not given at the start, which must not fail.
 */
static void take_name(gr_actor *self, gri_groups *g)
{
    int rc = gr_register(self, GRI_GROUPS_NAME);
    g->work.named = rc == 0;
    g->work.again = g->work.again || rc < 0;
    if (rc == GR_EEXIST && g->work.tries == 1) {
        gr_log(self, GR_LOG_ERROR,
               "groups: an actor has the name " GRI_GROUPS_NAME
               ": other nodes do not find them");
    }
}

/* A system may become a node at any time; then we are woken. Who looks for
 * others can be found before. */
static void watch_nodes(gr_actor *self, gri_groups *g)
{
    if (!g->work.named) {
        take_name(self, g);
    }
    if (g->work.named && !g->work.watches_nodes) {
        int rc = gr_watch_nodes(self, true);
        g->work.watches_nodes = rc == 0;
        g->work.again = g->work.again || (rc < 0 && rc != GR_EINVAL);
    }
}

static void set_timer(gr_actor *self, gri_groups *g)
{
    gri_group_work *work = &g->work;
    if (!work->again || work->timer) {
        return;
    }
    int64_t ms = (int64_t)AGAIN_MS << work->tries;
    ms = ms < AGAIN_MS_MAX ? ms : AGAIN_MS_MAX;
    /* If that fails, whatever wakes us next tries it again. */
    work->timer = gr_after(self, ms, NULL, AGAIN) == 0;
}

void gri_groups_settle(gr_actor *self, gri_groups *g)
{
    watch_nodes(self, g);
    tell_changes(self, g);
    gri_far_go_on(self, g);
    gri_taken_report(self, g);
    set_timer(self, g);
}

static int receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gri_groups *g = (gri_groups *)gri_service_of(gr_system_of(self));
    gr_pid who;
    (void)state;
    if (gr_match_exit(msg, NULL, NULL)) {
        return 0; /* who links to it does so for its own sake */
    }
    if (gr_match_stop(msg, &who)) {
        if (gr_pid_is_nobody(who)) {
            gr_exit(self, 0, "the system stops");
        }
        return 0; /* nobody else ends it */
    }
    int rc = handle(self, g, msg);
    gri_groups_settle(self, g);
    return rc;
}

/* What a program may set for its own actors is not for this one. */
const gr_behavior gri_groups_behavior = {
    .name = "gr.groups",
    .receive = receive,
    .trap_exit = true,
    .mailbox = {.soft = GR_MAILBOX_SOFT_DEFAULT,
                .hard = GR_MAILBOX_HARD_DEFAULT},
};
