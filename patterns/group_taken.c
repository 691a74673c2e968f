/*
 * patterns/group_taken.c - what another node tells us: see groups.h.
 *
 * Its word counts for its own actors only, and if it comes from its groups'
 * actor, as its agent has named it. When it begins to tell all, an epoch
 * begins; what it tells of bears the epoch's number, and what bears an older
 * one at the end has gone. So who is told again what is known is told nothing.
 */
#include <stdio.h>

#include "patterns/groups.h"

enum { BATCH = 256 /* members taken in one go under the lock */ };

/* Under the lock. Errors: as gri_group_enter. */
static int take_one(gri_groups *g, gri_far *far, gri_group *group, gr_pid pid)
{
    gri_joined *joined = gri_group_member(g, group, pid);
    if (joined == NULL) {
        int rc = gri_group_enter(g, group, &far->home, far, pid, &joined);
        if (rc < 0) {
            g->counts.refused += rc == GR_ELIMIT;
            return rc;
        }
    }
    joined->epoch = far->epoch;
    return 0;
}

/* Under the lock. */
static int take_some(gri_groups *g, gri_far *far, gr_str name, gr_reader *list)
{
    gri_group *group;
    gr_pid pid;
    int rc = 0;
    GR_TRY(gri_group_get(g, name.ptr, name.len, &group));
    for (unsigned i = 0; i < BATCH && gr_read_pid(list, &pid) == 0; i++) {
        int one = take_one(g, far, group, pid);
        rc = one < 0 ? one : rc;
    }
    gri_group_unused(g, group);
    return rc;
}

static int take(gri_groups *g, gri_far *far, gr_str name, gr_reader list)
{
    int rc = 0;
    while (list.left > 0) {
        gri_groups_lock(g);
        int some = take_some(g, far, name, &list);
        gri_groups_unlock(g);
        if (some == GR_ENOMEM) {
            return some;
        }
        rc = some < 0 ? some : rc;
    }
    return rc;
}

static int give_back(gri_groups *g, gr_str name, gr_reader list)
{
    gr_pid pid;
    gri_groups_lock(g);
    const gri_group *group = gri_group_find(g, name.ptr, name.len);
    while (group != NULL && gr_read_pid(&list, &pid) == 0) {
        gri_joined *joined = gri_group_member(g, group, pid);
        if (joined != NULL) {
            gri_group_exit(g, joined);
        }
    }
    gri_groups_unlock(g);
    return 0;
}

/* All that it did not tell of since it began. */
static int sweep(gri_groups *g, const gri_far *far)
{
    gri_groups_lock(g);
    gri_joined *next;
    for (gri_joined *joined = far->home.first; joined != NULL; joined = next) {
        next = joined->behind;
        if (joined->epoch != far->epoch) {
            gri_group_exit(g, joined);
        }
    }
    gri_groups_unlock(g);
    return 0;
}

void gri_taken_back(gri_groups *g, gri_far *far)
{
    while (far->home.first != NULL) {
        gri_group_exit(g, far->home.first);
    }
}

/* A list of actors of that node, and no others. */
static bool are_its_own(const gri_far *far, gr_any pids, gr_reader *out)
{
    gr_reader whole = gr_any_reader(pids);
    gr_reader list;
    gr_pid pid;
    if (gr_read_list(&whole, &list) < 0) {
        return false;
    }
    *out = list;
    while (list.left > 0) {
        if (gr_read_pid(&list, &pid) < 0 || gr_pid_is_nobody(pid) ||
            pid.node != far->node) {
            return false;
        }
    }
    return true;
}

/* Errors: GR_EDENIED: it may not say so. */
static int on_members(gri_groups *g, gri_far *far, gr_str name, gr_any pids,
                      bool joined)
{
    gr_reader list;
    if (far == NULL || name.len == 0 || name.len > GR_NAME_MAX ||
        !are_its_own(far, pids, &list)) {
        return GR_EDENIED;
    }
    return joined ? take(g, far, name, list) : give_back(g, name, list);
}

/* 1: it is no such message. */
static int on_told(gr_actor *self, gri_groups *g, const gr_msg *msg)
{
    const gr_pid from = gr_sender(msg);
    gri_far *far = gri_far_of(g, from);
    uint32_t version;
    gr_str name;
    gr_any pids;
    if (gr_match(msg, "gr.groups.joined", &name, &pids)) {
        return on_members(g, far, name, pids, true);
    }
    if (gr_match(msg, "gr.groups.left", &name, &pids)) {
        return on_members(g, far, name, pids, false);
    }
    if (gr_match(msg, "gr.groups.all")) {
        if (far != NULL) {
            far->epoch++;
        }
        return far != NULL ? 0 : GR_EDENIED;
    }
    if (gr_match(msg, "gr.groups.end")) {
        return far != NULL ? sweep(g, far) : GR_EDENIED;
    }
    if (gr_match(msg, "gr.groups.hello", &version)) {
        const bool other = from.node != 0 && from.node != gr_self(self).node;
        return other ? gri_far_hello(self, g, msg) : GR_EDENIED;
    }
    return 1;
}

bool gri_taken(gr_actor *self, gri_groups *g, const gr_msg *msg)
{
    const int rc = on_told(self, g, msg);
    if (rc > 0) {
        return false;
    }
    if (rc == GR_EDENIED) {
        gri_groups_lock(g);
        g->counts.denied++;
        gri_groups_unlock(g);
    }
    gri_groups_answer(self, msg, rc);
    return true;
}

void gri_taken_report(gr_actor *self, gri_groups *g)
{
    gri_groups_lock(g);
    const uint64_t refused = g->counts.refused;
    const uint64_t denied = g->counts.denied;
    gri_groups_unlock(g);
    const uint64_t all = refused + denied;
    if (all > 0 && all >= 2 * g->work.told_of) {
        char line[160];
        g->work.told_of = all;
        (void)snprintf(line, sizeof line,
                       "groups: %llu memberships of other nodes beyond a "
                       "limit, %llu requests denied",
                       (unsigned long long)refused, (unsigned long long)denied);
        gr_log(self, GR_LOG_WARN, line);
    }
}
