/* tests/support/stable.c - see stable.h. */
#include "tests/support/stable.h"

int stable_hear(gr_actor *self, puppet *p, const gr_msg *msg)
{
    stage_note_msg(p->on, p->letter, msg);
    if (waiter_has_tag(msg, "bad")) {
        return ERROR_TEST;
    }
    return gr_msg_asked(msg) ? gr_reply(self, msg, "answer") : 0;
}

int stable_be(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = stable_hear;
    return 0;
}

int stable_stop(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_stop(self, p->peer);
}

static int on_answer(gr_actor *self, void *state, const gr_msg *reply)
{
    puppet *p = state;
    (void)self;
    stage_note(p->on, "%c=%s", p->letter, gr_errname(gr_msg_status(reply)));
    return 0;
}

int stable_ask(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_ask(self, p->peer, GR_FOREVER, gr_then(on_answer, 0), "ask");
}

gr_pid stable_puppet(stage *s, const gr_spawn_opts *opts, puppet_fn *begin)
{
    gr_spawn_opts o = {.name = NULL};
    if (opts != NULL) {
        o = *opts;
    }
    o.stable = true;
    gr_pid a = stage_puppet_with(s, s->self, 'a', &puppet_behavior, &o, begin);
    if (s->seed != 0) {
        stage_settle(s);
        stage_expect(s, "+a");
    }
    return a;
}

int stable_revive_with(stage *s, gr_pid pid, const gr_spawn_opts *opts,
                       puppet_fn *begin)
{
    gr_spawn_opts o = {.name = NULL};
    if (opts != NULL) {
        o = *opts;
    }
    o.args = gr_args((uint64_t)(uintptr_t)s, gr_strn("a", 1),
                     (uint64_t)(uintptr_t)begin);
    return gr_revive(s->self, pid, &o);
}

void stable_revive(stage *s, gr_pid pid, puppet_fn *begin)
{
    CHECK_RC(stable_revive_with(s, pid, NULL, begin), 0);
    stage_settle(s);
}
