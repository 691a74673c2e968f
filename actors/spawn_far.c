/* actors/spawn_far.c - a spawn on another node: its agent does it. */
#include <string.h>

#include "actors/boxes.h"

int gri_agent_call(gr_actor *self, gr_node node, gr_pattern expect,
                   const gr_value *values, uint32_t n)
{
    const int rc = gr_callv(self, (gr_pid){node.id, GRI_AGENT_ID},
                            GRI_FAR_CALL_MS, expect, values, n);
    /* It ends last of all that its node stops: the connection goes next. */
    return rc == GR_ENOPROC ? GR_ENOCONN : rc;
}

int gri_spawn_far(gr_actor *self, const gr_behavior *behavior,
                  const gr_spawn_opts *opts, gr_pid *out)
{
    gr_pid pid = GR_NOBODY;
    gr_ref ref = {0};
    const gr_mailbox *box = &opts->mailbox;
    if (opts->ack || opts->stable || opts->grade != GR_GRADE_DEFAULT ||
        box->soft != 0 || box->hard != 0 || box->full != GR_FULL_FAIL ||
        box->urgent != 0 || gri_has_limits(&opts->limits)) {
        return GR_ENOTSUP; /* the question to the agent has no room for them */
    }
    gr_value args = gr_list_of(opts->args.items, opts->args.n);
    gr_value name =
        opts->name != NULL ? gr_strn(opts->name, strlen(opts->name)) : gr_nil();
    gr_value ask[] = {gr_strn("spawn", 5),
                      gr_strn(behavior->name, strlen(behavior->name)), name,
                      args};
    gr_out outs[] = {{GR_OUT_PID, 0, &pid}};
    gr_pattern expect = {gr_strn("pid", 3), outs, 1};
    GR_TRY(gri_agent_call(self, opts->node, expect, ask, 4));
    int rc = opts->link ? gr_link(self, pid) : 0;
    if (rc == 0 && opts->monitor != NULL) {
        rc = gr_monitor(self, pid, &ref);
    }
    if (rc < 0) {
        GR_IGNORE(gr_kill(self, pid), "the tie's error is the answer");
        return rc;
    }
    if (opts->monitor != NULL) {
        *opts->monitor = ref;
    }
    if (out != NULL) {
        *out = pid;
    }
    return 0;
}
