/* patterns/group_client.c - what programs call: greenroom/group.h. */
#include <stdlib.h>
#include <string.h>

#include "patterns/groups.h"

/* ---- joining ------------------------------------------------------------ */

/* Under the lock, once the actor's record is there. */
typedef int change_fn(gri_groups *g, gr_actor *self, gri_owner *owner,
                      const char *name, size_t len);

static int count_limited(gri_groups *g, int rc)
{
    g->counts.limited += rc == GR_ELIMIT;
    return rc;
}

int gr_group_join(gr_actor *self, const char *group)
{
    gri_groups *g;
    gri_owner *owner;
    size_t len;

    GR_TRY(gri_group_name(group, &len));
    GR_TRY(gri_groups_enter(self, &g));
    int rc = gri_owner_get(g, self, gr_self(self), &owner);
    if (rc == 0) {
        rc = gri_owner_join(g, self, owner, group, len);
    }
    rc = count_limited(g, rc);
    gri_groups_unlock(g);
    return rc;
}

int gr_group_leave(gr_actor *self, const char *group)
{
    gri_groups *g;
    size_t len;

    GR_TRY(gri_group_name(group, &len));
    GR_TRY(gri_groups_enter(self, &g));
    gri_owner *owner = gri_owner_find(g, gr_self(self));
    int rc =
        owner == NULL ? GR_ENOENT : gri_owner_leave(g, self, owner, group, len);
    gri_groups_unlock(g);
    return rc;
}

/* ---- looking ------------------------------------------------------------ */

/* The view of a group by its name. *out NULL: nobody is in it. */
static int view_of(gr_actor *self, const char *group, gri_groups **groups,
                   gri_view **out)
{
    gri_groups *g;
    size_t len;
    gri_view *view = NULL;
    int rc = 0;

    GR_TRY(gri_group_name(group, &len));
    GR_TRY(gri_groups_enter(self, &g));
    gri_group *found = gri_group_find(g, group, len);
    if (found != NULL && found->members.count > 0) {
        view = gri_group_view(found);
        rc = view == NULL ? GR_ENOMEM : 0;
    }
    gri_groups_unlock(g);
    *groups = g;
    *out = view;
    return rc;
}

static void drop(gri_groups *g, gri_view *view)
{
    gri_groups_lock(g);
    gri_view_drop(view);
    gri_groups_unlock(g);
}

static uint32_t count_of(const gri_view *view, gr_group_scope scope)
{
    return scope == GR_GROUP_LOCAL ? view->local : view->all;
}

int gr_group_members(gr_actor *self, const char *group, gr_group_scope scope,
                     gr_pid *out, uint32_t max)
{
    gri_groups *g;
    gri_view *view;

    if (out == NULL && max > 0) {
        return GR_EINVAL;
    }
    GR_TRY(view_of(self, group, &g, &view));
    if (view == NULL) {
        return 0;
    }
    const uint32_t n = count_of(view, scope);
    const uint32_t some = n < max ? n : max;
    if (some > 0) {
        memcpy(out, view->pids, some * sizeof(out[0]));
    }
    drop(g, view);
    return (int)n;
}

int gr_group_count(gr_actor *self, gr_group_counts *out)
{
    gri_groups *g;

    GR_TRY(gri_groups_enter(self, &g));
    *out = g->counts;
    gri_groups_unlock(g);
    return 0;
}

/* ---- sending to all ----------------------------------------------------- */

/* A message that is sent to several, and what was said of the first. */
typedef struct posting {
    gr_actor *self;
    bool begun;
    int rc;
} posting;

/* Values that cannot be sent fail with the first receiver, before anybody has
 * got them; what a receiver refuses is a dead letter. False: they cannot. */
static bool post(posting *p, gr_pid to, const gr_value *values, uint32_t n)
{
    if (!p->begun) {
        const int rc = gr_sendv(p->self, to, values, n);
        if (rc < 0 && rc != GR_EAGAIN && rc != GR_ENOCONN) {
            p->rc = rc;
            return false;
        }
        p->begun = true;
        if (rc == 0) {
            return true;
        }
    }
    gr_tellv(p->self, to, values, n);
    return true;
}

static int post_all(gr_actor *self, const gri_view *view, const char *group,
                    gr_group_scope scope, const gr_value *values, uint32_t n)
{
    const gr_value wrapped[] = {
        gr_strn("gr.groups.publish", 17),
        gr_strn(group, strlen(group)),
        gr_list_of(values, n),
    };
    posting p = {.self = self};

    for (uint32_t i = 0; scope == GR_GROUP_ALL && i < view->hubs; i++) {
        if (!post(&p, view->hub[i], wrapped, 3)) {
            return p.rc;
        }
    }
    for (uint32_t i = 0; i < view->local; i++) {
        if (!post(&p, view->pids[i], values, n)) {
            return p.rc;
        }
    }
    return (int)count_of(view, scope);
}

int gr_group_publishv(gr_actor *self, const char *group, gr_group_scope scope,
                      const gr_value *values, uint32_t n)
{
    gri_groups *g;
    gri_view *view;

    for (uint32_t i = 0; i < n; i++) {
        if (values[i].kind == GR_KIND_BLOB) {
            return GR_EINVAL; /* it can be moved to one only */
        }
    }
    if (n == 0) {
        return GR_EINVAL; /* a message has a tag */
    }
    GR_TRY(view_of(self, group, &g, &view));
    const int rc =
        view == NULL ? 0 : post_all(self, view, group, scope, values, n);
    gri_groups_lock(g);
    g->counts.published += rc >= 0;
    if (view != NULL) {
        gri_view_drop(view);
    }
    gri_groups_unlock(g);
    return rc;
}

/* ---- sending to one ----------------------------------------------------- */

/* Where to begin among the n members of a view. */
static uint32_t choose(gri_groups *g, gri_view *view, gr_group_scope scope,
                       gr_group_choice choice)
{
    const uint32_t n = count_of(view, scope);
    uint32_t *turn = &view->turn[scope == GR_GROUP_LOCAL];
    gri_groups_lock(g);
    const uint32_t at =
        (choice == GR_GROUP_RANDOM ? gri_rng_below(&g->rng, n) : (*turn)++) % n;
    gri_groups_unlock(g);
    return at;
}

int gr_group_pick(gr_actor *self, const char *group, gr_group_scope scope,
                  gr_group_choice choice, gr_pid *out)
{
    gri_groups *g;
    gri_view *view;

    GR_TRY(view_of(self, group, &g, &view));
    if (view == NULL) {
        return GR_ENOENT;
    }
    const uint32_t n = count_of(view, scope);
    if (n > 0) {
        *out = view->pids[choose(g, view, scope, choice)];
    }
    drop(g, view);
    return n > 0 ? 0 : GR_ENOENT;
}

int gr_group_sendv(gr_actor *self, const char *group, gr_group_scope scope,
                   gr_group_choice choice, const gr_value *values, uint32_t n)
{
    gri_groups *g;
    gri_view *view;
    int rc = GR_ENOENT;

    GR_TRY(view_of(self, group, &g, &view));
    if (view == NULL) {
        return GR_ENOENT;
    }
    const uint32_t members = count_of(view, scope);
    const uint32_t first = members > 0 ? choose(g, view, scope, choice) : 0;
    for (uint32_t i = 0; i < members; i++) {
        rc = gr_sendv(self, view->pids[(first + i) % members], values, n);
        if (rc != GR_EAGAIN && rc != GR_ENOCONN) {
            break;
        }
    }
    drop(g, view);
    return rc;
}

/* ---- monitors ----------------------------------------------------------- */

/* Under the lock. */
static int watch_group(gri_groups *g, gr_actor *self, gri_owner *owner,
                       gri_group *group, gr_ref *out)
{
    GR_TRY(gri_group_here(g, group));
    gri_view *view = gri_group_view(group);
    gri_group_watch *watch = calloc(1, sizeof *watch);
    int rc =
        view == NULL || watch == NULL ? GR_ENOMEM : gri_groups_wake(self, g);
    if (rc < 0) {
        free(watch);
        if (view != NULL) {
            gri_view_drop(view);
        }
        return rc;
    }
    watch->group = group;
    watch->pid = owner->pid;
    watch->ref = (gr_ref){++g->refs};
    watch->first = view;
    watch->next = owner->watches;
    owner->watches = watch;
    gri_group_watch_begin(g, watch);
    *out = watch->ref;
    return 0;
}

static int watch_named(gri_groups *g, gr_actor *self, const char *name,
                       size_t len, gr_ref *out)
{
    gri_owner *owner;
    gri_group *group;

    if (g->counts.monitors >= GR_GROUP_MONITORS_MAX) {
        return GR_ELIMIT;
    }
    GR_TRY(gri_owner_get(g, self, gr_self(self), &owner));
    GR_TRY(gri_group_get(g, name, len, &group));
    int rc = watch_group(g, self, owner, group, out);
    gri_group_unused(g, group);
    return rc;
}

int gr_group_monitor(gr_actor *self, const char *group, gr_ref *out)
{
    gri_groups *g;
    size_t len;

    GR_TRY(gri_group_name(group, &len));
    GR_TRY(gri_groups_enter(self, &g));
    int rc = count_limited(g, watch_named(g, self, group, len, out));
    gri_groups_unlock(g);
    return rc;
}

/* Under the lock. */
static int unwatch(gri_groups *g, gr_actor *self, gr_ref ref)
{
    gri_owner *owner = gri_owner_find(g, gr_self(self));
    gri_group_watch **at = owner == NULL ? NULL : &owner->watches;
    while (at != NULL && *at != NULL && (*at)->ref.id != ref.id) {
        at = &(*at)->next;
    }
    if (at == NULL || *at == NULL) {
        return GR_ENOENT;
    }
    GR_TRY(gri_groups_wake(self, g));
    gri_group_watch *watch = *at;
    *at = watch->next;
    gri_group_watch_end(g, watch);
    return 0;
}

int gr_group_demonitor(gr_actor *self, gr_ref ref)
{
    gri_groups *g;

    GR_TRY(gri_groups_enter(self, &g));
    int rc = unwatch(g, self, ref);
    gri_groups_unlock(g);
    return rc;
}

bool gr_match_group(gr_actor *self, const gr_msg *msg, gr_ref *ref,
                    gr_group_event *event, gr_reader *pids)
{
    gri_groups *g = (gri_groups *)gri_service_of(gr_system_of(self));
    uint64_t number;
    uint32_t kind;
    gr_any list;

    if (g == NULL || gr_msg_asked(msg) ||
        !gr_match(msg, "gr.group", &number, &kind, &list)) {
        return false;
    }
    gri_groups_lock(g);
    const gr_pid actor = g->actor;
    gri_groups_unlock(g);
    gr_reader whole = gr_any_reader(list);
    gr_reader inner;
    if (!gr_pid_eq(gr_sender(msg), actor) || gr_read_list(&whole, &inner) < 0) {
        return false;
    }
    if (ref != NULL) {
        *ref = (gr_ref){number};
    }
    if (event != NULL) {
        *event = (gr_group_event)kind;
    }
    if (pids != NULL) {
        *pids = inner;
    }
    return true;
}
