/* supervisor/client.c - what programs call to start a supervisor: a spec is
 * checked, and written where it is needed. */
#include <stdlib.h>
#include <string.h>

#include <greenroom/system.h>

#include "actors/seal.h"
#include "supervisor/spec.h"

int gr_supervise(gr_actor *self, const gr_supervisor *spec, gr_pid *out)
{
    const gr_system *sys = gr_system_of(self);
    uint32_t n;

    if (gri_is_hosted(sys)) {
        return GR_ENOTSUP; /* its behaviours are of that process only */
    }
    GR_TRY(gri_spec_check(spec, &n));
    gr_value *room = calloc(gri_spec_room(spec, n), sizeof(room[0]));
    if (room == NULL) {
        return GR_ENOMEM;
    }
    gr_spawn_opts opts = {
        .args = gri_spec_values(spec, n, sys, false, room),
        .name = spec->name,
        .link = true,
    };
    int rc = gr_spawn(self, &gr_supervisor_behavior, &opts, out);
    free(room);
    return rc;
}

/* ---- a spec that outlives the block it was written in ------------------- */

/* These two call each other, as deep as a message may be and no deeper. */
static int copy_value(gr_actor *self, gr_value *value, uint32_t depth);

/* NOLINTNEXTLINE(misc-no-recursion): see above */
static int copy_items(gr_actor *self, gr_value *items, uint32_t n,
                      uint32_t depth)
{
    for (uint32_t i = 0; i < n; i++) {
        GR_TRY(copy_value(self, &items[i], depth));
    }
    return 0;
}

/* Replaces what *value points to by a copy in the arena of self. */
/* NOLINTNEXTLINE(misc-no-recursion): see above */
static int copy_value(gr_actor *self, gr_value *value, uint32_t depth)
{
    bool is_list = value->kind == GR_KIND_LIST || value->kind == GR_KIND_MAP;
    bool is_span = value->kind == GR_KIND_STR || value->kind == GR_KIND_BIN ||
                   value->kind == GR_KIND_ANY;
    size_t size = value->len;

    if (value->kind == GR_KIND_BAD || value->kind == GR_KIND_OBJECT ||
        (is_list && depth == GR_DEPTH_MAX)) {
        return GR_EINVAL;
    }
    if (size == 0 || !(is_list || is_span)) {
        return 0;
    }
    if (is_list) {
        size *= sizeof(gr_value);
    }
    void *copy = gr_alloc(self, size);
    if (copy == NULL) {
        return GR_ENOMEM;
    }
    memcpy(copy, is_list ? (const void *)value->as.items : value->as.p, size);
    if (is_list) {
        value->as.items = copy;
        return copy_items(self, copy, value->len, depth + 1);
    }
    value->as.p = copy;
    return 0;
}

int gr_supervisor_args(gr_actor *self, const gr_supervisor *spec,
                       gr_values *out)
{
    const gr_system *sys = gr_system_of(self);
    uint32_t n;

    if (gri_is_hosted(sys)) {
        return GR_ENOTSUP;
    }
    GR_TRY(gri_spec_check(spec, &n));
    gr_value *room = gr_alloc(self, gri_spec_room(spec, n) * sizeof(room[0]));
    if (room == NULL) {
        return GR_ENOMEM;
    }
    gr_values values = gri_spec_values(spec, n, sys, true, room);
    /* The lists of the spec lie in `room` already and are copied once more:
     * a few bytes, for one rule less. */
    GR_TRY(copy_items(self, room, values.n, 1));
    *out = values;
    return 0;
}

int gr_add_child_args(gr_actor *self, const gr_child *child, gr_values *out)
{
    const gr_system *sys = gr_system_of(self);

    if (child == NULL) {
        return GR_EINVAL;
    }
    if (gri_is_hosted(sys)) {
        return GR_ENOTSUP;
    }
    GR_TRY(gri_child_check(child));
    gr_value *room = gr_alloc(self, gri_child_room(child) * sizeof(room[0]));
    if (room == NULL) {
        return GR_ENOMEM;
    }
    gr_values values = gri_child_values(child, sys, room);
    GR_TRY(copy_items(self, room, values.n, 1));
    *out = values;
    return 0;
}
