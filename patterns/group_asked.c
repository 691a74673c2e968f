/* patterns/group_asked.c - what the groups' actor is asked, and passes on: see
 * groups.h. */
#include <stdlib.h>

#include "patterns/groups.h"

void gri_groups_answer(gr_actor *self, const gr_msg *msg, int rc)
{
    if (gr_msg_asked(msg)) {
        GR_IGNORE(rc < 0 ? gr_reply_error(self, msg, rc, NULL)
                         : gr_reply(self, msg, "gr.group.ok"),
                  "who asked hears that there was no answer");
    }
}

/* Of an actor here that cannot call us: its process is another one. */
static int join_for(gr_actor *self, gri_groups *g, gr_pid pid, gr_str name)
{
    gri_owner *owner;
    gr_ref ref;
    GR_TRY(gri_owner_get(g, NULL, pid, &owner));
    if (!owner->watched) {
        GR_TRY(gr_monitor(self, pid, &ref));
        owner->watched = true;
    }
    return gri_owner_join(g, self, owner, name.ptr, name.len);
}

static int leave_for(gr_actor *self, gri_groups *g, gr_pid pid, gr_str name)
{
    gri_owner *owner = gri_owner_find(g, pid);
    return owner == NULL ? GR_ENOENT
                         : gri_owner_leave(g, self, owner, name.ptr, name.len);
}

static void change_for(gr_actor *self, gri_groups *g, const gr_msg *msg,
                       gr_str name, bool joins)
{
    const gr_pid pid = gr_sender(msg);
    int rc = GR_EINVAL;
    gri_groups_lock(g);
    if (pid.node != gr_self(self).node || !gr_msg_asked(msg)) {
        g->counts.denied++;
        rc = GR_EDENIED;
    } else if (name.len > 0 && name.len <= GR_NAME_MAX) {
        rc = joins ? join_for(self, g, pid, name)
                   : leave_for(self, g, pid, name);
        g->counts.limited += rc == GR_ELIMIT;
    }
    gri_groups_unlock(g);
    gri_groups_answer(self, msg, rc);
}

static gri_view *view_of(gri_groups *g, gr_str name, bool counted)
{
    gri_groups_lock(g);
    gri_group *group = gri_group_find(g, name.ptr, name.len);
    gri_view *view = group == NULL ? NULL : gri_group_view(group);
    g->counts.passed_on += counted && view != NULL && view->local > 0;
    gri_groups_unlock(g);
    return view;
}

static void drop_view(gri_groups *g, gri_view *view)
{
    gri_groups_lock(g);
    gri_view_drop(view);
    gri_groups_unlock(g);
}

/* What was published on another node, or by an actor here that cannot call
 * us, goes to the members here; the latter to all nodes as well. */
static void pass_on(gr_actor *self, gri_groups *g, const gr_msg *msg,
                    gr_str name, gr_any payload)
{
    const bool far = gr_sender(msg).node != gr_self(self).node;
    gri_view *view = view_of(g, name, far);
    if (view != NULL) {
        for (uint32_t i = 0; i < view->local; i++) {
            gri_tell_part(self, view->pids[i], msg, payload);
        }
        for (uint32_t i = 0; !far && i < view->hubs; i++) {
            GR_IGNORE(gr_forward(self, view->hub[i], msg),
                      "its members miss it, as group.h says");
        }
        drop_view(g, view);
    }
    gri_groups_answer(self, msg, 0);
}

static void list_for(gr_actor *self, gri_groups *g, const gr_msg *msg,
                     gr_str name)
{
    gri_view *view = view_of(g, name, false);
    const uint32_t all = view == NULL ? 0 : view->all;
    gr_value *pids = calloc((size_t)all + 1, sizeof(pids[0]));
    for (uint32_t i = 0; pids != NULL && i < all; i++) {
        pids[i] = (gr_value){.kind = GR_KIND_PID, .as.pid = view->pids[i]};
    }
    if (pids == NULL) {
        gri_groups_answer(self, msg, GR_ENOMEM);
    } else if (gr_msg_asked(msg)) {
        int rc = gr_reply(self, msg, "gr.group.members", gr_list_of(pids, all));
        if (rc < 0) {
            gri_groups_answer(self, msg, rc);
        }
    }
    free(pids);
    if (view != NULL) {
        drop_view(g, view);
    }
}

bool gri_asked(gr_actor *self, gri_groups *g, const gr_msg *msg)
{
    gr_str name;
    gr_any payload;
    if (gr_match(msg, "gr.groups.publish", &name, &payload)) {
        pass_on(self, g, msg, name, payload);
    } else if (gr_match(msg, "gr.group.join", &name)) {
        change_for(self, g, msg, name, true);
    } else if (gr_match(msg, "gr.group.leave", &name)) {
        change_for(self, g, msg, name, false);
    } else if (gr_match(msg, "gr.group.members", &name)) {
        list_for(self, g, msg, name);
    } else {
        return false;
    }
    return true;
}
