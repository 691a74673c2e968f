/* patterns/group_owner.c - actors that are members or monitors: see groups.h.
 */
#include <stdlib.h>

#include "patterns/groups.h"

static gri_key owner_key(gr_pid pid)
{
    return (gri_key){pid.id, 0};
}

gri_owner *gri_owner_find(const gri_groups *g, gr_pid pid)
{
    return gri_map_get(&g->owners, owner_key(pid));
}

void gri_owner_end(gri_owner *owner)
{
    gri_groups *g = owner->groups;
    while (owner->home.first != NULL) {
        gri_group_exit(g, owner->home.first);
    }
    while (owner->watches != NULL) {
        gri_group_watch *watch = owner->watches;
        owner->watches = watch->next;
        gri_group_watch_end(g, watch);
    }
    (void)gri_map_remove(&g->owners, owner_key(owner->pid));
    free(owner);
}

/* Its end, before anybody hears of it. The monitor of the groups' actor fires
 * behind this, and that finds what it has left. */
static void on_exit_of(void *arg)
{
    gri_owner *owner = arg;
    gri_groups *g = owner->groups;
    gri_groups_lock(g);
    gri_owner_end(owner);
    gri_groups_unlock(g);
}

int gri_owner_get(gri_groups *g, gr_actor *self, gr_pid pid, gri_owner **out)
{
    gri_owner *owner = gri_owner_find(g, pid);
    if (owner != NULL) {
        *out = owner;
        return 0;
    }
    owner = calloc(1, sizeof *owner);
    if (owner == NULL) {
        return GR_ENOMEM;
    }
    *owner = (gri_owner){.groups = g, .pid = pid, .hooked = self != NULL};
    int rc = gri_map_put(&g->owners, owner_key(pid), owner);
    if (rc == 0 && self != NULL) {
        rc = gr_on_exit(self, on_exit_of, owner);
        if (rc < 0) {
            (void)gri_map_remove(&g->owners, owner_key(pid));
        }
    }
    if (rc < 0) {
        free(owner);
        return rc;
    }
    *out = owner;
    return 0;
}

int gri_owner_join(gri_groups *g, gr_actor *self, gri_owner *owner,
                   const char *name, size_t len)
{
    gri_group *group = gri_group_find(g, name, len);
    gri_joined *joined;
    if (group != NULL && gri_group_member(g, group, owner->pid) != NULL) {
        return 0;
    }
    if (g->changes >= GR_GROUP_CHANGES_MAX) {
        return GR_EAGAIN;
    }
    GR_TRY(gri_groups_wake(self, g));
    GR_TRY(gri_group_get(g, name, len, &group));
    int rc = gri_group_enter(g, group, &owner->home, NULL, owner->pid, &joined);
    if (rc < 0) {
        gri_group_unused(g, group);
        return rc;
    }
    joined->watch = !owner->watched;
    owner->watched = true;
    return 0;
}

int gri_owner_leave(gri_groups *g, gr_actor *self, gri_owner *owner,
                    const char *name, size_t len)
{
    const gri_group *group = gri_group_find(g, name, len);
    gri_joined *joined =
        group == NULL ? NULL : gri_group_member(g, group, owner->pid);
    if (joined == NULL) {
        return GR_ENOENT;
    }
    GR_TRY(gri_groups_wake(self, g));
    gri_group_exit(g, joined);
    return 0;
}
