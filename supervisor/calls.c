/* supervisor/calls.c - what programs call to ask a supervisor, and wait. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/system.h>

#include "actors/seal.h"
#include "supervisor/state.h"

/* How long gr_child_pid and gr_start_child wait, and those that only look.
 * supervisor.h promises it. */
enum { WAIT_MS = 5000 };

int gr_child_pid(gr_actor *self, gr_pid supervisor, const char *id, gr_pid *out)
{
    gr_pid child;

    GR_TRY(gr_call(self, supervisor, WAIT_MS, gr_expect("gr.child", &child),
                   "gr.child", id));
    *out = child;
    return 0;
}

int gr_start_child(gr_actor *self, gr_pid supervisor, gr_values args,
                   gr_pid *out)
{
    gr_pid child;

    GR_TRY(gr_call(self, supervisor, WAIT_MS, gr_expect("gr.child", &child),
                   "gr.start_child", gr_list_of(args.items, args.n)));
    if (out != NULL) {
        *out = child;
    }
    return 0;
}

/* ---- changing ------------------------------------------------------------ */

int gr_add_child(gr_actor *self, gr_pid supervisor, const gr_child *child,
                 gr_pid *out)
{
    const gr_system *sys = gr_system_of(self);
    gr_pid pid;

    if (child == NULL) {
        return GR_EINVAL;
    }
    if (gri_is_hosted(sys)) {
        return GR_ENOTSUP;
    }
    if (supervisor.node != 0 && supervisor.node != gr_system_node(sys).id) {
        return GR_ENOTSUP; /* behaviours are addresses of this process */
    }
    GR_TRY(gri_child_check(child));
    gr_value *room = calloc(gri_child_room(child), sizeof(room[0]));
    if (room == NULL) {
        return GR_ENOMEM;
    }
    gr_values values = gri_child_values(child, sys, room);
    int rc = gr_call(self, supervisor, GR_FOREVER, gr_expect("gr.child", &pid),
                     "gr.add_child", gr_list_of(values.items, values.n));
    free(room);
    if (rc == 0 && out != NULL) {
        *out = pid;
    }
    return rc;
}

int gr_terminate_child(gr_actor *self, gr_pid supervisor, const char *id)
{
    return gr_call(self, supervisor, GR_FOREVER, gr_expect("gr.terminated"),
                   "gr.terminate_child", id);
}

int gr_terminate_child_pid(gr_actor *self, gr_pid supervisor, gr_pid child)
{
    return gr_call(self, supervisor, GR_FOREVER, gr_expect("gr.terminated"),
                   "gr.terminate_child", child);
}

int gr_restart_child(gr_actor *self, gr_pid supervisor, const char *id,
                     gr_pid *out)
{
    gr_pid child;

    GR_TRY(gr_call(self, supervisor, GR_FOREVER, gr_expect("gr.child", &child),
                   "gr.restart_child", id));
    if (out != NULL) {
        *out = child;
    }
    return 0;
}

int gr_delete_child(gr_actor *self, gr_pid supervisor, const char *id)
{
    return gr_call(self, supervisor, GR_FOREVER, gr_expect("gr.deleted"),
                   "gr.delete_child", id);
}

/* ---- looking ------------------------------------------------------------- */

static int read_u32(gr_reader *r, uint32_t *out)
{
    uint64_t value;

    if (gr_read_uint(r, &value) < 0 || value > UINT32_MAX) {
        return GR_EREPLY;
    }
    *out = (uint32_t)value;
    return 0;
}

/* How it ended last; nil: never. */
static int read_end(gr_reader *r, gr_child_info *out)
{
    int64_t code;
    uint32_t kind;
    gr_str text;

    out->has_ended = gr_read_nil(r) < 0;
    if (out->has_ended) {
        GR_TRY(read_u32(r, &kind));
        out->last.kind = (gr_exit_kind)kind;
    }
    if (gr_read_int(r, &code) < 0 || gr_read_str(r, &text) < 0 ||
        code < INT_MIN || code > INT_MAX || text.len > GR_EXIT_TEXT_MAX) {
        return GR_EREPLY;
    }
    out->last.code = (int)code;
    memcpy(out->last.text, text.ptr, text.len);
    return 0;
}

static int read_info(gr_reader *list, gr_child_info *out)
{
    gr_child_info info = {.pid = GR_NOBODY};
    uint32_t state, restart, breaker;
    gr_reader r;

    if (gr_read_list(list, &r) < 0 || gr_read_str(&r, &info.id) < 0 ||
        gr_read_pid(&r, &info.pid) < 0 || read_u32(&r, &state) < 0 ||
        gr_read_str(&r, &info.behavior) < 0 ||
        gr_read_bool(&r, &info.is_supervisor) < 0 ||
        read_u32(&r, &restart) < 0 || gr_read_bool(&r, &info.significant) < 0 ||
        gr_read_int(&r, &info.stop_max_ms) < 0 || read_u32(&r, &breaker) < 0 ||
        gr_read_uint(&r, &info.restarts) < 0 ||
        read_u32(&r, &info.failures) < 0 || read_u32(&r, &info.overdue) < 0 ||
        gr_read_int(&r, &info.started_ms) < 0 ||
        gr_read_int(&r, &info.wait_ms) < 0 || read_end(&r, &info) < 0) {
        return GR_EREPLY;
    }
    info.state = (gr_child_state)state;
    info.restart = (gr_restart)restart;
    info.breaker = (gr_breaker)breaker;
    *out = info;
    return 0;
}

int gr_list_children(gr_actor *self, gr_pid supervisor, uint32_t from,
                     gr_child_info *out, uint32_t max)
{
    uint32_t n = 0;
    gr_any any;

    if (out == NULL) {
        return GR_EINVAL;
    }
    GR_TRY(gr_call(self, supervisor, WAIT_MS, gr_expect("gr.children", &any),
                   "gr.list_children", from, max));
    gr_reader whole = gr_any_reader(any);
    gr_reader list;
    if (gr_read_list(&whole, &list) < 0 || list.left > max) {
        return GR_EREPLY;
    }
    while (list.left > 0) {
        GR_TRY(read_info(&list, &out[n]));
        n++;
    }
    return (int)n;
}

int gr_inspect_child(gr_actor *self, gr_pid supervisor, const char *id,
                     gr_child_info *out)
{
    gr_any any;

    if (out == NULL) {
        return GR_EINVAL;
    }
    GR_TRY(gr_call(self, supervisor, WAIT_MS, gr_expect("gr.child_info", &any),
                   "gr.inspect_child", id));
    gr_reader whole = gr_any_reader(any);
    return read_info(&whole, out);
}

int gr_count_children(gr_actor *self, gr_pid supervisor, gr_child_count *out)
{
    gr_child_count count;

    GR_TRY(gr_call(self, supervisor, WAIT_MS,
                   gr_expect("gr.count", &count.specs, &count.active,
                             &count.supervisors, &count.workers),
                   "gr.count_children"));
    *out = count;
    return 0;
}
