/* supervisor/look.c - what the children do: told at once, whatever is under
 * way, so that one can see what holds a supervisor up. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/state.h"

static gr_child_state state_of(const gri_child *child)
{
    switch (child->state) {
    case GRI_CHILD_STARTING:
        return GR_CHILD_STARTING;
    case GRI_CHILD_UP:
        return GR_CHILD_UP;
    case GRI_CHILD_STOPPING:
        return GR_CHILD_STOPPING;
    case GRI_CHILD_WAITING:
        return GR_CHILD_RESTARTING;
    case GRI_CHILD_DOWN:
    case GRI_CHILD_ENDED:
        break;
    }
    return GR_CHILD_DOWN;
}

static bool is_supervisor(const gri_child_spec *spec)
{
    return spec->behavior == &gr_supervisor_behavior;
}

/* Writes the values of a child, GRI_INFO_VALUES of them. */
static gr_value info(gr_actor *self, const gri_child *child, gr_value *at)
{
    const gri_child_spec *spec = child->spec;
    int64_t now = gr_now_ms(self);
    bool waits = child->state == GRI_CHILD_WAITING;
    bool runs = child->state == GRI_CHILD_UP;
    int64_t stop_max_ms =
        spec->stop_max_ms == GRI_STOP_BY_ITSELF ? 0 : spec->stop_max_ms;
    gr_breaker breaker =
        gri_backoff_breaker(&spec->backoff, child->failures, waits,
                            runs ? child->started_ms : -1, now);
    const gr_value values[GRI_INFO_VALUES] = {
        gr_strn(spec->id.ptr, spec->id.len),
        GRI_VALUE(child->pid),
        GRI_VALUE((uint32_t)state_of(child)),
        gr_strn(spec->behavior->name, strlen(spec->behavior->name)),
        gr_bool(is_supervisor(spec)),
        GRI_VALUE((uint32_t)spec->restart),
        gr_bool(spec->significant),
        GRI_VALUE(stop_max_ms),
        GRI_VALUE((uint32_t)breaker),
        GRI_VALUE(child->restarts),
        GRI_VALUE(child->failures),
        GRI_VALUE(child->overdue),
        GRI_VALUE(child->started_ms),
        GRI_VALUE(waits && child->due_ms > now ? child->due_ms - now
                                               : INT64_C(0)),
        child->has_ended ? GRI_VALUE((uint32_t)child->why.kind) : gr_nil(),
        GRI_VALUE(child->why.code),
        gr_strn(child->why.text, strlen(child->why.text)),
    };

    memcpy(at, values, sizeof(values));
    return gr_list_of(at, GRI_INFO_VALUES);
}

int gri_look_at(gr_actor *self, const gri_supervisor *s, const gr_msg *msg,
                gr_str id)
{
    const gri_child *child = gri_ordered_find(s, id);
    gr_value room[GRI_INFO_VALUES];

    if (child == NULL) {
        gri_refuse(self, msg, GR_ENOENT);
        return 0;
    }
    GR_IGNORE(gr_reply(self, msg, "gr.child_info", info(self, child, room)),
              "then the runtime answers GR_ENOREPLY");
    return 0;
}

int gri_look_list(gr_actor *self, const gri_supervisor *s, const gr_msg *msg,
                  uint32_t from, uint32_t max)
{
    const gri_child *child = s->first;
    uint32_t n = 0;

    max = max > GR_CHILDREN_MAX ? GR_CHILDREN_MAX : max;
    gr_value *room =
        malloc((size_t)max * (1 + GRI_INFO_VALUES) * sizeof(*room) + 1);
    if (room == NULL) {
        gri_refuse(self, msg, GR_ENOMEM);
        return 0;
    }
    for (uint32_t i = 0; i < from && child != NULL; i++) {
        child = child->next;
    }
    while (n < max) {
        gr_value *at = room + max + (size_t)n * GRI_INFO_VALUES;
        if (s->ops == &gri_dynamic) {
            if (child == NULL) {
                break;
            }
            room[n++] = info(self, child, at);
            child = child->next;
        } else {
            if (from >= s->n || n >= s->n - from) {
                break;
            }
            room[n] = info(self, s->children[from + n], at);
            n++;
        }
    }
    int rc = gr_reply(self, msg, "gr.children", gr_list_of(room, n));
    if (rc < 0) {
        gri_refuse(self, msg, rc); /* too big, say: ask for less */
    }
    free(room);
    return 0;
}

int gri_look_count(gr_actor *self, const gri_supervisor *s, const gr_msg *msg)
{
    uint32_t specs = s->n, active = 0, supervisors = 0, all = s->n;

    for (uint32_t i = 0; i < s->n; i++) {
        active += s->children[i]->state == GRI_CHILD_UP;
        supervisors += is_supervisor(s->children[i]->spec);
    }
    if (s->ops == &gri_dynamic) {
        specs = 1;
        all = 0;
        for (const gri_child *c = s->first; c != NULL; c = c->next) {
            all++;
            active += c->state == GRI_CHILD_UP;
        }
        supervisors = is_supervisor(&s->spec.children[0]) ? all : 0;
    }
    GR_IGNORE(gr_reply(self, msg, "gr.count", specs, active, supervisors,
                       all - supervisors),
              "then the runtime answers GR_ENOREPLY");
    return 0;
}
