/*
 * tests/patterns/stage.h - a system with the test's thread attached to it, and
 * actors that join groups.
 */
#ifndef TESTS_PATTERNS_STAGE_H
#define TESTS_PATTERNS_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

/* A hang, not a bound. */
#define LONG_MS 60000

typedef struct stage {
    gr_system *sys;
    gr_actor *self;
} stage;

static inline void open_with(stage *s, const gr_system_opts *opts)
{
    assert_int_equal(gr_system_start(opts, &s->sys), 0);
    assert_int_equal(gr_thread_attach(s->sys, NULL, &s->self), 0);
}

static inline void open_stage(stage *s)
{
    open_with(s, &(gr_system_opts){.workers = 2, .log_level = GR_LOG_ERROR});
}

static inline void close_stage(stage *s)
{
    gr_thread_detach(s->self, 0);
    assert_int_equal(gr_system_stop(s->sys, LONG_MS), 0);
}

static const gr_msg *next(gr_actor *self)
{
    const gr_msg *msg = NULL;
    assert_int_equal(gr_receive(self, LONG_MS, &msg), 0);
    return msg;
}

static inline bool nothing_waits(gr_actor *self)
{
    const gr_msg *msg;
    return gr_receive(self, 0, &msg) == GR_ETIMEOUT;
}

/* ---- a member ----------------------------------------------------------- */

typedef struct member {
    gr_pid to;
} member;

/* Joins the groups in its arguments behind whom it tells. */
static inline int member_init(gr_actor *self, void *state, const gr_msg *args)
{
    member *m = state;
    gr_str name;
    gr_reader rest;
    char text[GR_NAME_MAX + 1] = "";
    if (!gr_unpack(args, &m->to, &rest)) {
        return GR_EINVAL;
    }
    while (gr_read_str(&rest, &name) == 0) {
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        GR_TRY(gr_group_join(self, text));
    }
    return 0;
}

static inline int member_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const member *m = state;
    gr_str name;
    int n;
    if (gr_match(msg, "news", &n)) {
        gr_tell(self, m->to, "got", n, gr_sender(msg));
        return 0;
    }
    if (gr_match(msg, "leave", &name)) {
        char text[GR_NAME_MAX + 1] = "";
        memcpy(text, name.ptr, name.len);
        int rc = gr_group_leave(self, text);
        return rc < 0 ? gr_reply_error(self, msg, rc, NULL)
                      : gr_reply(self, msg, "left");
    }
    if (gr_match(msg, "sync")) {
        return gr_reply(self, msg, "synced");
    }
    if (gr_match(msg, "end")) {
        gr_exit(self, 0, NULL);
        return 0;
    }
    if (gr_match(msg, "fail")) {
        return GR_EUSER;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior member_behavior = {
    .name = "member",
    .state_size = sizeof(member),
    .init = member_init,
    .receive = member_receive,
};

static inline void sync_with(gr_actor *self, gr_pid pid)
{
    assert_int_equal(gr_call(self, pid, LONG_MS, gr_expect("synced"), "sync"),
                     0);
}

/* A member that has joined. */
static inline gr_pid spawn_member(gr_actor *self, const char *group)
{
    gr_pid pid;
    const gr_spawn_opts opts = {.args = gr_args(gr_self(self), group)};
    assert_int_equal(gr_spawn(self, &member_behavior, &opts, &pid), 0);
    sync_with(self, pid);
    return pid;
}

static inline int count(gr_actor *self, const char *group)
{
    return gr_group_members(self, group, GR_GROUP_ALL, NULL, 0);
}

static inline void end_and_wait(gr_actor *self, gr_pid pid)
{
    gr_ref ref;
    assert_int_equal(gr_monitor(self, pid, &ref), 0);
    assert_int_equal(gr_send(self, pid, "end"), 0);
    assert_true(gr_match_down(next(self), NULL, NULL, NULL));
}

/* The next message is that event, of one pid, or of none. */
static inline void expect_event(gr_actor *self, gr_ref ref,
                                gr_group_event event, gr_pid pid)
{
    gr_ref of;
    gr_group_event what;
    gr_reader pids;
    gr_pid who;
    assert_true(gr_match_group(self, next(self), &of, &what, &pids));
    assert_int_equal(of.id, ref.id);
    assert_int_equal(what, event);
    if (gr_pid_is_nobody(pid)) {
        assert_int_equal(pids.left, 0);
        return;
    }
    assert_int_equal(pids.left, 1);
    assert_int_equal(gr_read_pid(&pids, &who), 0);
    assert_true(gr_pid_eq(who, pid));
}

enum { MEMBERS = 20 };

#endif /* TESTS_PATTERNS_STAGE_H */
