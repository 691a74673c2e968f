/* patterns/group_table.c - who is in which group: see groups.h. */
#include <stdlib.h>
#include <string.h>

#include "patterns/groups.h"

/* ---- the table ---------------------------------------------------------- */

gri_groups *gri_groups_new(gr_system *sys)
{
    gri_groups *g = calloc(1, sizeof *g);
    if (g == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&g->lock, NULL) != 0) {
        free(g);
        return NULL;
    }
    g->service.free = gri_groups_free;
    g->sys = sys;
    g->rng.state = gri_service_chance(sys);
    g->secret[0] = gri_rng_next(&g->rng);
    g->secret[1] = gri_rng_next(&g->rng) | 1;
    return g;
}

static void free_group(gri_group *group)
{
    while (group->shares != NULL) {
        gri_share *share = group->shares;
        group->shares = share->next;
        free(share);
    }
    if (group->view != NULL) {
        gri_view_drop(group->view);
    }
    gri_map_fini(&group->members);
    free(group);
}

/* Memberships and monitors, which are in the groups or wait to be told. */
static void free_changes(gri_groups *g)
{
    while (g->oldest != NULL) {
        gri_change *change = g->oldest;
        g->oldest = change->next;
        if (change->kind == GRI_CHANGE_LEFT) {
            gri_joined_free(g, change->of);
        } else if (change->kind == GRI_CHANGE_UNWATCHED) {
            gri_group_watch_free(g, change->of);
        }
    }
}

void gri_groups_free(gri_service *service)
{
    gri_groups *g = (gri_groups *)service;
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&g->owners, &at)) != NULL;) {
        gri_owner *owner = e->value;
        while (owner->home.first != NULL) {
            gri_group_exit(g, owner->home.first);
        }
        while (owner->watches != NULL) {
            gri_group_watch *watch = owner->watches;
            owner->watches = watch->next;
            gri_group_watch_end(g, watch);
        }
        free(owner);
    }
    while (g->fars != NULL) {
        gri_far *far = g->fars;
        g->fars = far->next;
        gri_taken_back(g, far);
        free(far);
    }
    free_changes(g);
    while (g->first != NULL) { /* none has a reference left */
        gri_group *group = g->first;
        g->first = group->next;
        free_group(group);
    }
    gri_map_fini(&g->owners);
    gri_map_fini(&g->names);
    (void)pthread_mutex_destroy(&g->lock);
    free(g);
}

void gri_groups_lock(gri_groups *g)
{
    (void)pthread_mutex_lock(&g->lock);
}

void gri_groups_unlock(gri_groups *g)
{
    (void)pthread_mutex_unlock(&g->lock);
}

/* ---- groups ------------------------------------------------------------- */

int gri_group_name(const char *name, size_t *len)
{
    *len = name == NULL ? 0 : strnlen(name, GR_NAME_MAX + 1);
    return *len == 0 || *len > GR_NAME_MAX ? GR_EINVAL : 0;
}

/* FNV-1a (Fowler, Noll, Vo) from a secret on: other nodes choose names, too. */
static gri_key key_of(const gri_groups *g, const char *name, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ g->secret[0];
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
    }
    return (gri_key){h, len};
}

/* Likewise of pids: one to one. */
static gri_key member_key(const gri_groups *g, gr_pid pid)
{
    return (gri_key){(pid.id ^ g->secret[0]) * g->secret[1], pid.node};
}

gri_group *gri_group_find(const gri_groups *g, const char *name, size_t len)
{
    gri_group *group = gri_map_get(&g->names, key_of(g, name, len));
    while (group != NULL && memcmp(group->name, name, len) != 0) {
        group = group->chain;
    }
    return group;
}

int gri_group_get(gri_groups *g, const char *name, size_t len, gri_group **out)
{
    gri_group *group = gri_group_find(g, name, len);
    if (group != NULL) {
        *out = group;
        return 0;
    }
    group = calloc(1, sizeof *group + len + 1);
    if (group == NULL) {
        return GR_ENOMEM;
    }
    memcpy(group->name, name, len);
    group->len = len;
    group->chain = gri_map_get(&g->names, key_of(g, name, len));
    int rc = gri_map_put(&g->names, key_of(g, name, len), group);
    if (rc < 0) {
        free(group);
        return rc;
    }
    group->serial = ++g->serials;
    group->prev = g->last;
    *(g->last != NULL ? &g->last->next : &g->first) = group;
    g->last = group;
    g->counts.groups++;
    *out = group;
    return 0;
}

void gri_group_unused(gri_groups *g, gri_group *group)
{
    if (group->refs > 0) {
        return;
    }
    const gri_key key = key_of(g, group->name, group->len);
    gri_group *first = gri_map_get(&g->names, key);
    if (first != group) {
        while (first->chain != group) {
            first = first->chain;
        }
        first->chain = group->chain;
    } else if (group->chain == NULL) {
        (void)gri_map_remove(&g->names, key);
    } else {
        /* Replacing a value needs no memory. */
        (void)gri_map_put(&g->names, key, group->chain);
    }
    *(group->prev != NULL ? &group->prev->next : &g->first) = group->next;
    *(group->next != NULL ? &group->next->prev : &g->last) = group->prev;
    g->counts.groups--;
    free_group(group);
}

int gri_group_here(const gri_groups *g, const gri_group *group)
{
    return group->here == 0 && g->groups_here >= GR_GROUPS_MAX ? GR_ELIMIT : 0;
}

static void count_here(gri_groups *g, gri_group *group, bool more)
{
    if (more) {
        g->groups_here += group->here == 0;
        group->here++;
    } else {
        group->here--;
        g->groups_here -= group->here == 0;
    }
}

/* ---- changes ------------------------------------------------------------ */

void gri_group_change(gri_groups *g, gri_change *change, gri_change_kind kind,
                      void *of)
{
    *change = (gri_change){.kind = kind, .at = ++g->changed, .of = of};
    *(g->newest != NULL ? &g->newest->next : &g->oldest) = change;
    g->newest = change;
    g->changes++;
}

/* ---- members ------------------------------------------------------------ */

gri_joined *gri_group_member(const gri_groups *g, const gri_group *group,
                             gr_pid pid)
{
    return gri_map_get(&group->members, member_key(g, pid));
}

/* The group has changed. */
static void drop_view(gri_group *group)
{
    if (group->view != NULL) {
        memcpy(group->turn, group->view->turn, sizeof group->turn);
        gri_view_drop(group->view);
        group->view = NULL;
    }
}

/* Another node's share of a group, with one more member. Errors: GR_ELIMIT,
 * GR_ENOMEM. */
static int add_share(gri_group *group, gri_far *far, gri_share **out)
{
    gri_share *share = group->shares;
    while (share != NULL && share->far != far) {
        share = share->next;
    }
    if (share == NULL) {
        if (far->groups >= GR_GROUPS_MAX) {
            return GR_ELIMIT;
        }
        share = calloc(1, sizeof *share);
        if (share == NULL) {
            return GR_ENOMEM;
        }
        share->far = far;
        share->next = group->shares;
        group->shares = share;
        far->groups++;
    }
    share->members++;
    *out = share;
    return 0;
}

static void cut_share(gri_group *group, const gri_share *ended)
{
    gri_share **at = &group->shares;
    while (*at != ended) {
        at = &(*at)->next;
    }
    gri_share *share = *at;
    if (--share->members == 0) {
        *at = share->next;
        share->far->groups--;
        free(share);
    }
}

static void put_home(gri_joined *joined)
{
    gri_home *home = joined->home;
    joined->behind = home->first;
    if (home->first != NULL) {
        home->first->before = joined;
    }
    home->first = joined;
    home->joined++;
}

static void cut_home(gri_joined *joined)
{
    gri_home *home = joined->home;
    *(joined->before != NULL ? &joined->before->behind : &home->first) =
        joined->behind;
    if (joined->behind != NULL) {
        joined->behind->before = joined->before;
    }
    home->joined--;
}

static int check_limits(const gri_groups *g, const gri_group *group,
                        const gri_far *far)
{
    if (far != NULL) {
        return far->home.joined >= GR_GROUP_JOINS_MAX ? GR_ELIMIT : 0;
    }
    return g->counts.joined >= GR_GROUP_JOINS_MAX ||
                   group->local >= GR_GROUP_MEMBERS_MAX
               ? GR_ELIMIT
               : gri_group_here(g, group);
}

int gri_group_enter(gri_groups *g, gri_group *group, gri_home *home,
                    gri_far *far, gr_pid pid, gri_joined **out)
{
    GR_TRY(check_limits(g, group, far));
    gri_joined *joined = calloc(1, sizeof *joined);
    if (joined == NULL) {
        return GR_ENOMEM;
    }
    *joined = (gri_joined){.group = group,
                           .home = home,
                           .pid = pid,
                           .far = far,
                           .here = far == NULL};
    int rc = far != NULL ? add_share(group, far, &joined->share) : 0;
    if (rc == 0) {
        rc = gri_map_put(&group->members, member_key(g, pid), joined);
        if (rc < 0 && far != NULL) {
            cut_share(group, joined->share);
        }
    }
    if (rc < 0) {
        free(joined);
        return rc;
    }
    put_home(joined);
    group->refs++;
    if (far == NULL) {
        group->local++;
        count_here(g, group, true);
    }
    *(far == NULL ? &g->counts.joined : &g->counts.far) += 1;
    drop_view(group);
    gri_group_change(g, &joined->came, GRI_CHANGE_JOINED, joined);
    *out = joined;
    return 0;
}

void gri_group_exit(gri_groups *g, gri_joined *joined)
{
    gri_group *group = joined->group;
    (void)gri_map_remove(&group->members, member_key(g, joined->pid));
    cut_home(joined);
    if (joined->far != NULL) {
        cut_share(group, joined->share);
    } else {
        group->local--;
        count_here(g, group, false);
    }
    *(joined->far == NULL ? &g->counts.joined : &g->counts.far) -= 1;
    drop_view(group);
    gri_group_change(g, &joined->went, GRI_CHANGE_LEFT, joined);
}

void gri_joined_free(gri_groups *g, gri_joined *joined)
{
    gri_group *group = joined->group;
    free(joined);
    group->refs--;
    gri_group_unused(g, group);
}

/* ---- monitors ----------------------------------------------------------- */

void gri_group_watch_begin(gri_groups *g, gri_group_watch *watch)
{
    watch->group->refs++;
    count_here(g, watch->group, true);
    g->counts.monitors++;
    gri_group_change(g, &watch->begins, GRI_CHANGE_WATCHED, watch);
    watch->since = g->changed;
}

void gri_group_watch_end(gri_groups *g, gri_group_watch *watch)
{
    count_here(g, watch->group, false);
    g->counts.monitors--;
    gri_group_change(g, &watch->ends, GRI_CHANGE_UNWATCHED, watch);
}

void gri_group_watch_free(gri_groups *g, gri_group_watch *watch)
{
    gri_group *group = watch->group;
    if (watch->first != NULL) {
        gri_view_drop(watch->first);
    }
    free(watch);
    group->refs--;
    gri_group_unused(g, group);
}

/* ---- views -------------------------------------------------------------- */

static gri_view *new_view(const gri_group *group)
{
    const size_t all = group->members.count;
    size_t hubs = 0;
    for (const gri_share *s = group->shares; s != NULL; s = s->next) {
        hubs++;
    }
    gri_view *view =
        calloc(1, sizeof *view + (hubs + all) * sizeof view->hub[0]);
    if (view == NULL) {
        return NULL;
    }
    view->refs = 1;
    memcpy(view->turn, group->turn, sizeof view->turn);
    view->all = (uint32_t)all;
    view->local = group->local;
    view->pids = view->hub + hubs;
    for (const gri_share *s = group->shares; s != NULL; s = s->next) {
        view->hub[view->hubs++] = s->far->hub;
    }
    size_t at = 0;
    uint32_t here = 0;
    uint32_t there = view->local;
    for (const gri_entry *e;
         (e = gri_map_next(&group->members, &at)) != NULL;) {
        const gri_joined *joined = e->value;
        view->pids[joined->far == NULL ? here++ : there++] = joined->pid;
    }
    return view;
}

gri_view *gri_group_view(gri_group *group)
{
    if (group->view == NULL) {
        group->view = new_view(group);
    }
    if (group->view != NULL) {
        group->view->refs++;
    }
    return group->view;
}

void gri_view_drop(gri_view *view)
{
    if (--view->refs == 0) {
        free(view);
    }
}
