/*
 * patterns/group_far.c - what another node is told: see groups.h.
 *
 * Its groups' actor is found by its name, which the node's agent is asked for;
 * so nobody else of that node can speak for it. A node whose groups have not
 * begun says that there is none; when they begin, they find ours, which was
 * there before. Whoever has found the other says hello, and a hello means: tell
 * me. Who says hello and was not found yet is looked for once more.
 *
 *   QUIET --hello--> TELLING --all told--> LIVE
 *                       ^  '--refused--.     |refused
 *                       '--a while-- BEHIND<-'
 *
 * TELLING goes through the groups in the order in which they were made, some at
 * a time, and goes on when those were answered. Changes in groups that were
 * passed are told meanwhile, those of others will be found. What is told is
 * what the table has now, which may be ahead of the changes: a change that is
 * told behind it finds its work done. At the end the other node forgets what it
 * was not told of.
 *
 * All of it is asked, as a plain message could be lost in a full mailbox.
 */
#include <stdlib.h>
#include <string.h>

#include <greenroom/node.h>

#include "patterns/groups.h"

enum {
    VERSION = 1,
    OPEN_MAX = 256,    /* changes that a node has not answered for */
    STEP_GROUPS = 128, /* told at once, to one that is told all */
    STEP_PIDS = 8192   /* likewise, or a little more */
};

static gri_far *far_at(const gri_groups *g, uint64_t node)
{
    gri_far *far = g->fars;
    while (far != NULL && far->node != node) {
        far = far->next;
    }
    return far;
}

/* The connection that a question was for; NULL: it is gone. */
static gri_far *far_by(const gri_groups *g, uint64_t serial)
{
    gri_far *far = g->fars;
    while (far != NULL && far->serial != serial) {
        far = far->next;
    }
    return far;
}

gri_far *gri_far_of(const gri_groups *g, gr_pid hub)
{
    gri_far *far = far_at(g, hub.node);
    return far != NULL && gr_pid_eq(far->hub, hub) ? far : NULL;
}

/* NULL: no memory. */
static gri_far *get_far(gri_groups *g, uint64_t node)
{
    gri_far *far = far_at(g, node);
    if (far != NULL) {
        return far;
    }
    far = calloc(1, sizeof *far);
    if (far != NULL) {
        far->node = node;
        far->serial = ++g->work.serials;
        gri_groups_lock(g);
        far->next = g->fars;
        g->fars = far;
        gri_groups_unlock(g);
    }
    return far;
}

/* Its members leave; it is told nothing any more. */
static void forget_hub(gri_groups *g, gri_far *far)
{
    gri_groups_lock(g);
    gri_taken_back(g, far);
    g->counts.nodes -= !gr_pid_is_nobody(far->hub);
    far->hub = GR_NOBODY;
    gri_groups_unlock(g);
    far->state = GRI_FAR_QUIET;
    far->hello_again = false;
    far->unwatched = false;
}

static void drop_far(gri_groups *g, gri_far *far)
{
    forget_hub(g, far);
    gri_far **at = &g->fars;
    gri_groups_lock(g);
    while (*at != far) {
        at = &(*at)->next;
    }
    *at = far->next;
    gri_groups_unlock(g);
    free(far);
}

/* ---- telling ------------------------------------------------------------ */

static void fall_behind(gri_groups *g, gri_far *far)
{
    far->state = GRI_FAR_BEHIND;
    gri_groups_again(g);
}

/* It has answered. */
static int on_done(gr_actor *self, void *state, const gr_msg *reply)
{
    gri_groups *g = (gri_groups *)gri_service_of(gr_system_of(self));
    gri_far *far = far_by(g, gr_msg_token(reply));
    const int rc = gr_msg_status(reply);
    (void)state;
    if (far != NULL) {
        far->open--;
        if (rc == GR_ENOCONN || rc == GR_ENOPROC) {
            far->state = GRI_FAR_QUIET; /* its end is on the way */
        } else if (rc < 0 && rc != GR_ELIMIT && rc != GR_EDENIED &&
                   far->state != GRI_FAR_QUIET) {
            fall_behind(g, far);
        } else if (far->state == GRI_FAR_BEHIND) {
            gri_groups_again(g); /* it may have waited for this */
        }
    }
    gri_groups_settle(self, g);
    return 0;
}

/* Errors: as gr_ask; then it is behind, but for GR_ETOOBIG. */
static int tell(gr_actor *self, gri_groups *g, gri_far *far,
                const gr_value *values, uint32_t n)
{
    int rc = gr_askv(self, far->hub, GR_FOREVER, gr_then(on_done, far->serial),
                     values, n);
    if (rc == 0) {
        far->open++;
    } else if (rc != GR_ETOOBIG) {
        fall_behind(g, far);
    }
    return rc;
}

/* Tells of n of work.pids. Errors: as tell. */
static int tell_pids(gr_actor *self, gri_groups *g, gri_far *far,
                     const gri_group *group, gri_change_kind kind, uint32_t n)
{
    gri_group_work *work = &g->work;
    const bool joined = kind == GRI_CHANGE_JOINED;
    uint32_t at = 0;
    while (at < n) {
        const uint32_t left = n - at;
        const uint32_t some = left < work->chunk ? left : work->chunk;
        const gr_value values[] = {
            joined ? gr_strn("gr.groups.joined", 16)
                   : gr_strn("gr.groups.left", 14),
            gr_strn(group->name, group->len),
            gr_list_of(&work->pids[at], some),
        };
        int rc = tell(self, g, far, values, 3);
        if (rc == GR_ETOOBIG && work->chunk > 1) {
            work->chunk /= 2;
            continue;
        }
        if (rc == GR_ETOOBIG) {
            return 0; /* a name that it cannot be told */
        }
        GR_TRY(rc);
        at += some;
    }
    return 0;
}

void gri_far_tell(gr_actor *self, gri_groups *g, const gri_group *group,
                  gri_change_kind kind, uint32_t n)
{
    for (gri_far *far = g->fars; far != NULL; far = far->next) {
        const bool passed =
            far->state == GRI_FAR_LIVE ||
            (far->state == GRI_FAR_TELLING && group->serial < far->cursor);
        if (passed && far->open >= OPEN_MAX) {
            fall_behind(g, far); /* it does not answer */
        } else if (passed) {
            GR_IGNORE(tell_pids(self, g, far, group, kind, n),
                      "it is behind then");
        }
    }
}

/* The next group from the cursor on that has members here, and these; NULL:
 * there is none. Errors: GR_ENOMEM. */
static int next_group(gri_groups *g, const gri_far *far, gri_group **out,
                      gri_view **view)
{
    int rc = 0;
    gri_groups_lock(g);
    gri_group *group = *out != NULL ? *out : g->first;
    while (group != NULL &&
           (group->serial < far->cursor || group->local == 0)) {
        group = group->next;
    }
    if (group != NULL) {
        *view = gri_group_view(group);
        rc = *view == NULL ? GR_ENOMEM : 0;
    }
    gri_groups_unlock(g);
    *out = group;
    return rc;
}

static int tell_group(gr_actor *self, gri_groups *g, gri_far *far,
                      const gri_group *group, const gri_view *view)
{
    uint32_t at = 0;
    while (at < view->local) {
        uint32_t n = 0;
        while (n < GR_GROUP_EVENT_MAX && at + n < view->local) {
            g->work.pids[n] =
                (gr_value){.kind = GR_KIND_PID, .as.pid = view->pids[at + n]};
            n++;
        }
        GR_TRY(tell_pids(self, g, far, group, GRI_CHANGE_JOINED, n));
        at += n;
    }
    return 0;
}

/* Some more groups; those that were told before are answered. */
static void step(gr_actor *self, gri_groups *g, gri_far *far)
{
    static const char end[] = "gr.groups.end";
    gri_group *group = NULL;
    uint32_t groups = 0;
    uint32_t pids = 0;
    while (groups < STEP_GROUPS && pids < STEP_PIDS) {
        gri_view *view;
        if (next_group(g, far, &group, &view) < 0) {
            fall_behind(g, far);
            return;
        }
        if (group == NULL) {
            const gr_value last = gr_strn(end, sizeof end - 1);
            far->state = GRI_FAR_LIVE;
            GR_IGNORE(tell(self, g, far, &last, 1), "it is behind then");
            return;
        }
        int rc = tell_group(self, g, far, group, view);
        groups++;
        pids += view->local;
        gri_groups_lock(g);
        gri_view_drop(view);
        gri_groups_unlock(g);
        if (rc < 0) {
            return;
        }
        far->cursor = group->serial + 1;
    }
}

void gri_far_go_on(gr_actor *self, gri_groups *g)
{
    for (gri_far *far = g->fars; far != NULL; far = far->next) {
        if (far->state == GRI_FAR_TELLING && far->open == 0) {
            step(self, g, far);
        }
    }
}

/* From the first group on. */
static void begin(gr_actor *self, gri_groups *g, gri_far *far)
{
    const gr_value all = gr_strn("gr.groups.all", 13);
    far->state = GRI_FAR_TELLING;
    far->cursor = 0;
    GR_IGNORE(tell(self, g, far, &all, 1), "it is behind then");
}

/* ---- finding each other ------------------------------------------------- */

static int on_hello_done(gr_actor *self, void *state, const gr_msg *reply)
{
    gri_groups *g = (gri_groups *)gri_service_of(gr_system_of(self));
    gri_far *far = far_by(g, gr_msg_token(reply));
    const int rc = gr_msg_status(reply);
    (void)state;
    if (far != NULL && rc < 0 && rc != GR_ENOCONN && rc != GR_ENOPROC &&
        rc != GR_EDENIED) {
        far->hello_again = true;
        gri_groups_again(g);
    }
    gri_groups_settle(self, g);
    return 0;
}

static void say_hello(gr_actor *self, gri_groups *g, gri_far *far)
{
    int rc =
        gr_ask(self, far->hub, GR_FOREVER, gr_then(on_hello_done, far->serial),
               "gr.groups.hello", VERSION);
    far->hello_again = rc < 0 && rc != GR_ENOCONN;
    if (far->hello_again) {
        gri_groups_again(g);
    }
}

/* That is its groups' actor. Errors: GR_ENOMEM, GR_ELIMIT. */
static int found(gr_actor *self, gri_groups *g, gri_far *far, gr_pid hub)
{
    if (!gr_pid_eq(far->hub, hub)) {
        if (!gr_pid_is_nobody(far->hub)) {
            gr_demonitor(self, far->ref);
            forget_hub(g, far);
        }
        GR_TRY(gr_monitor(self, hub, &far->ref));
        gri_groups_lock(g);
        far->hub = hub;
        g->counts.nodes++;
        gri_groups_unlock(g);
        say_hello(self, g, far);
    }
    if (gr_pid_eq(far->said, hub)) {
        begin(self, g, far);
    } else if (!gr_pid_is_nobody(far->said)) {
        gri_groups_lock(g);
        g->counts.denied++;
        gri_groups_unlock(g);
    }
    far->said = GR_NOBODY;
    return 0;
}

static void look_for(gr_actor *self, gri_groups *g, gri_far *far);

/* Its agent has said where it is, or that it is not. */
static void on_answer(gr_actor *self, gri_groups *g, gri_far *far,
                      const gr_msg *reply)
{
    const int rc = gr_msg_status(reply);
    gr_pid hub;
    far->asking = false;
    if (rc == 0 && gr_match(reply, "pid", &hub) && hub.node == far->node &&
        !far->ask_more) {
        far->ask_again = found(self, g, far, hub) < 0;
    } else if ((rc == GR_ENOCONN || rc == GR_ENOPROC) && !far->up) {
        drop_far(g, far); /* it went before we heard that it was up */
        return;
    } else if (far->ask_more) {
        look_for(self, g, far); /* it may not have been there yet */
        return;
    } else if (rc == GR_ENOENT || rc == GR_EDENIED) {
        far->said = GR_NOBODY;
    } else if (rc != 0 && rc != GR_ENOCONN && rc != GR_ENOPROC) {
        far->ask_again = true;
    }
    if (far->ask_again) {
        gri_groups_again(g);
    }
}

static int on_where(gr_actor *self, void *state, const gr_msg *reply)
{
    gri_groups *g = (gri_groups *)gri_service_of(gr_system_of(self));
    gri_far *far = far_by(g, gr_msg_token(reply));
    (void)state;
    if (far != NULL) {
        on_answer(self, g, far, reply);
    }
    gri_groups_settle(self, g);
    return 0;
}

static void look_for(gr_actor *self, gri_groups *g, gri_far *far)
{
    far->ask_more = far->asking; /* that answer may be of before */
    if (far->asking) {
        return;
    }
    int rc = gr_ask(self, gr_node_agent((gr_node){far->node}), GR_FOREVER,
                    gr_then(on_where, far->serial), "whereis", GRI_GROUPS_NAME);
    far->asking = rc == 0;
    far->ask_again = rc < 0 && rc != GR_ENOCONN;
    if (far->ask_again) {
        gri_groups_again(g);
    } else if (rc == GR_ENOCONN && !far->up) {
        drop_far(g, far);
    }
}

void gri_far_up(gr_actor *self, gri_groups *g, uint64_t node)
{
    gri_far *far = get_far(g, node);
    if (far == NULL) {
        g->work.lost_node = true;
        gri_groups_again(g);
        return;
    }
    far->up = true;
    if (gr_pid_is_nobody(far->hub) && !far->asking) {
        look_for(self, g, far);
    }
}

void gri_far_down(gri_groups *g, uint64_t node)
{
    gri_far *far = far_at(g, node);
    if (far != NULL) {
        drop_far(g, far);
    }
}

void gri_far_hub_down(gri_groups *g, gr_pid hub, gr_ref ref, bool refused)
{
    gri_far *far = gri_far_of(g, hub);
    if (far == NULL || far->ref.id != ref.id) {
        return;
    }
    if (refused) {
        far->unwatched = true;
        gri_groups_again(g);
    } else if (far->up) {
        forget_hub(g, far);
    } else {
        drop_far(g, far);
    }
}

int gri_far_hello(gr_actor *self, gri_groups *g, const gr_msg *msg)
{
    const gr_pid from = gr_sender(msg);
    gri_far *far = get_far(g, from.node);
    if (far == NULL) {
        return GR_ENOMEM;
    }
    if (gr_pid_eq(far->hub, from)) {
        begin(self, g, far);
    } else {
        far->said = from;
        look_for(self, g, far);
    }
    return 0;
}

void gri_far_again(gr_actor *self, gri_groups *g)
{
    gri_far *next;
    if (g->work.lost_node) {
        g->work.lost_node = false;
        GR_IGNORE(gr_watch_nodes(self, false), "it is told all again then");
        g->work.watches_nodes = false;
    }
    for (gri_far *far = g->fars; far != NULL; far = next) {
        next = far->next;
        if (far->unwatched) {
            far->unwatched = gr_monitor(self, far->hub, &far->ref) < 0;
            g->work.again = g->work.again || far->unwatched;
        }
        if (far->hello_again) {
            say_hello(self, g, far);
        }
        if (far->state == GRI_FAR_BEHIND && far->open == 0) {
            gri_groups_lock(g);
            g->counts.resyncs++;
            gri_groups_unlock(g);
            begin(self, g, far);
        }
        if (far->ask_again) {
            look_for(self, g, far); /* may be its end */
        }
    }
}
